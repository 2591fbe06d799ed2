/* What the log of calls gets to know of a request. */
#include "front/door/door.h"

static struct str find_connector(const struct door *door, const struct operation *operation)
{
	struct error ignored;
	const struct connector *connector =
		operation->account == NULL
			? NULL
			: connectors_find(door->services->connectors, operation->account->connector,
					  &ignored);

	return connector == NULL ? (struct str){NULL, 0} : connector->name;
}

static struct str find_unified_method(const struct model_resource *resource,
				      const struct operation *operation)
{
	const struct model_method *method;

	if (operation->method == OPERATION_LIST)
		return STR("list");
	if (operation->method == OPERATION_GET)
		return STR("get");
	if (operation->method == OPERATION_DOWNLOAD)
		return STR("download");
	if (operation->method == OPERATION_DOWNLOAD)
		return STR("download");
	method = model_find_method(resource, operation->write);
	return method == NULL ? (struct str){NULL, 0} : method->name;
}

/* The names are those of definitions: what a caller wrote may be anything. */
static void name_call(const struct door *door, const struct door_call *call,
		      struct call_record *record)
{
	const struct operation *operation = call->operation;
	const struct model_resource *resource;
	const struct native_method *native = call->result->native;

	switch (operation->method) {
	case OPERATION_CUSTOM:
		record->method = str_from_c(http_method_name(operation->native->verb));
		return;
	case OPERATION_PROXY:
		if (native == NULL)
			native = operation_native(door->services, operation);
		if (native == NULL)
			return;
		record->resource = native->resource;
		record->method = native->name;
		return;
	default:
		resource = model_find(door->services->model, operation->resource);
		if (resource == NULL)
			return;
		record->resource = resource->name;
		record->method = find_unified_method(resource, operation);
	}
}

static int64_t count_results(const struct door_call *call)
{
	const struct operation_result *result = call->result;

	if (call->err != NULL || call->is_replay || result->status != 0)
		return -1;
	switch (call->operation->method) {
	case OPERATION_LIST:
		return (int64_t)(result->items.count + result->streamed);
	case OPERATION_PROXY:
		return result->native != NULL && result->native->is_list
			       ? (int64_t)result->items.count
			       : -1;
	case OPERATION_GET:
		return 1;
	default:
		return -1;
	}
}

void door_take_call(const struct door *door, const struct http_exchange *exchange,
		    const struct door_call *call)
{
	const struct account *account = call->operation->account;
	const struct operation_result *result = call->result;
	int64_t now_ns = clock_monotonic_ns(door->services->clock);
	struct call_record record = {
		.environment_id = account != NULL ? account->environment_id : call->environment_id,
		.account_id = account != NULL ? account->id : (struct str){NULL, 0},
		.connector = find_connector(door, call->operation),
		.which_door = call->door,
		.status = exchange->status,
		.error = str_from_c(call->err == NULL ? NULL : error_name(call->err->code)),
		.duration_ms = (now_ns - exchange->started_ns) / 1000000,
		.upstream_ms = result->upstream_ns / 1000000,
		.wait_ms = result->wait_ns / 1000000,
		.calls = result->calls,
		.retries = result->retries,
		.result_count = count_results(call),
		.request_id = exchange->request_id,
		.mcp_server_id = call->mcp_server_id,
		.tool = call->tool,
		.client_name = call->client_name,
		.client_version = call->client_version,
	};

	/* Of whom nobody knows who they are there is no record. */
	if (record.environment_id.len == 0)
		return;
	name_call(door, call, &record);
	calls_take(door->calls, &record);
}
