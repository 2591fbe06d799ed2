#include "front/rest/rest.h"

#include <stdio.h>

#include "base/log.h"

enum { LIMIT_DEFAULT = 100 };

/* --- reading the query ---------------------------------------------------------------------- */

static bool read_flag(const char *name, struct str text, bool *flag, struct error *err)
{
	*flag = str_equal(text, STR("true")) || str_equal(text, STR("1"));
	if (*flag || str_equal(text, STR("false")) || str_equal(text, STR("0")))
		return true;
	return error_set_field(err, ERROR_INVALID, name, "true or false",
			       "%s must be true or false, not \"%.*s\"", name,
			       STR_ARGS(str_slice(text, 0, 64)));
}

/* What the door itself understands; everything else is a filter, which the plan takes or refuses
 * by name. */
static bool read_parameter(const struct http_field *field, bool is_local,
			   struct operation *operation, struct str *account_id, bool *is_filter,
			   struct error *err)
{
	*is_filter = false;
	if (str_equal(field->name, STR("integrated_account_id")))
		*account_id = field->value;
	else if (str_equal(field->name, STR("limit")))
		return door_read_limit(field->value, &operation->limit, err);
	else if (str_equal(field->name, STR("next_cursor")))
		operation->cursor = field->value;
	else if (str_equal(field->name, STR("expand")))
		return read_flag("expand", field->value, &operation->expand, err);
	else if (str_equal(field->name, STR("remote_data")))
		return read_flag("remote_data", field->value, &operation->remote_data, err);
	else if (operation->method == OPERATION_WRITE && str_equal(field->name, STR("dry_run")))
		return read_flag("dry_run", field->value, &operation->dry_run, err);
	else if (!is_local || !str_equal(field->name, STR("environment")))
		*is_filter = true;
	return true;
}

static bool read_query(const struct http_exchange *exchange, struct operation *operation,
		       struct str *account_id, struct error *err)
{
	struct operation_filter *filters =
		arena_array(exchange->arena, exchange->query_count + 1, sizeof *filters);
	bool is_filter;

	*account_id = (struct str){NULL, 0};
	operation->limit = LIMIT_DEFAULT;
	operation->remote_data = true;
	for (size_t i = 0; i < exchange->query_count; i++) {
		const struct http_field *field = &exchange->query[i];
		for (size_t k = 0; k < i; k++)
			if (str_equal(exchange->query[k].name, field->name))
				return error_set_field(err, ERROR_INVALID,
						       arena_c(exchange->arena, field->name),
						       "given once", "%.*s is given twice",
						       STR_ARGS(str_slice(field->name, 0, 64)));
		if (!read_parameter(field, exchange->is_local, operation, account_id, &is_filter,
				    err))
			return false;
		if (is_filter)
			filters[operation->filter_count++] =
				(struct operation_filter){field->name, field->value};
	}
	operation->filters = filters;
	return true;
}

static bool check_model(const struct door *door, struct str name, struct error *err)
{
	struct str ours = door->services->model->name;

	if (str_equal(name, ours))
		return true;
	char allowed[64];
	snprintf(allowed, sizeof allowed, "%.*s", STR_ARGS(ours));
	return error_set_field(err, ERROR_NOT_FOUND, "model", allowed,
			       "there is no unified model \"%.*s\"",
			       STR_ARGS(str_slice(name, 0, 64)));
}

/* --- answering ------------------------------------------------------------------------------ */

/* About how long the reply will be, so that its buffer need not grow by copies: the records as
 * the ATS sent them, and as much as they usually become. */
static size_t estimate_bytes(struct json items)
{
	size_t bytes = 1024;

	for (size_t i = 0; i < items.count; i++) {
		struct json record = json_at(items, i);
		struct json last = record.count > 0 ? record.members[record.count - 1].value
						    : json_undefined();
		bytes += 2048 + (json_is(last, JSON_OBJECT) ? json_source(last).len : 0);
	}
	return bytes;
}

static void reply_list(struct http_exchange *exchange, const struct operation_result *result)
{
	struct json_builder envelope;

	json_builder_init(&envelope, exchange->arena);
	json_builder_set(&envelope, STR("result"), result->items);
	json_builder_set(&envelope, STR("next_cursor"),
			 result->next_cursor.len > 0 ? json_string(result->next_cursor)
						     : json_null());
	json_builder_set(&envelope, STR("prev_cursor"), json_null());
	json_builder_set(&envelope, STR("result_count"), json_int(result->items.count));
	json_builder_set(&envelope, STR("is_partial_response"), json_bool(result->is_partial));
	door_reply_sized(exchange, 200, json_builder_object(&envelope),
			 estimate_bytes(result->items));
}

/* What a request asks for, and of whom. */
struct request {
	const struct door *door;
	struct http_exchange *exchange;
	struct operation *operation;
	struct account account;
	struct door_attempt attempt;
	struct operation_result result;
};

static bool run(struct request *request, struct str model, struct error *err)
{
	const struct door *door = request->door;
	struct http_exchange *exchange = request->exchange;
	struct operation *operation = request->operation;
	struct caller caller;
	struct str account_id;

	if (!door_authorise(door, exchange, KEY_SCOPE_CALL, &caller, err) ||
	    !check_model(door, model, err) || !read_query(exchange, operation, &account_id, err) ||
	    !door_find_account(door, exchange->arena, &caller, account_id, &request->account, err))
		return false;
	if (operation->method == OPERATION_WRITE && exchange->body.len > 0 &&
	    !door_parse_body(exchange, &operation->body, err))
		return false;
	operation->account = &request->account;
	operation->deadline_ns = exchange->started_ns + door->call_timeout_ms * 1000000;
	if (operation->method == OPERATION_WRITE && !operation->dry_run &&
	    !door_begin_attempt(door, exchange, operation, exchange->path, &request->attempt, err))
		return false;
	return request->attempt.before.status != 0 ||
	       operation_run(door->services, exchange->arena, operation, &request->result, err);
}

static bool is_creation(const struct operation *operation)
{
	return operation->method == OPERATION_WRITE && !operation->dry_run &&
	       str_equal(operation->write, STR("create"));
}

static void answer(const struct door *door, struct http_exchange *exchange,
		   struct operation *operation, struct str model)
{
	struct request request = {.door = door, .exchange = exchange, .operation = operation};
	struct error err;

	if (!run(&request, model, &err))
		door_reply_error(exchange, &err, &request.result);
	else if (request.attempt.before.status != 0)
		door_reply_again(exchange, &request.attempt);
	else if (operation->method == OPERATION_LIST)
		reply_list(exchange, &request.result);
	else
		door_reply(exchange, is_creation(operation) ? 201 : 200, request.result.item);
	door_end_attempt(exchange, &request.attempt);
	door_set_rate_limit(exchange, &request.result);
	door_set_timing(door, exchange, &request.result);
}

static void handle_list(void *context, struct http_exchange *exchange,
			const struct http_match *match)
{
	struct operation operation = {.resource = match->parts[1], .method = OPERATION_LIST};

	answer(context, exchange, &operation, match->parts[0]);
}

static void handle_get(void *context, struct http_exchange *exchange,
		       const struct http_match *match)
{
	struct operation operation = {
		.resource = match->parts[1], .method = OPERATION_GET, .id = match->parts[2]};

	answer(context, exchange, &operation, match->parts[0]);
}

static void answer_write(void *context, struct http_exchange *exchange,
			 const struct http_match *match, struct str write, struct str id)
{
	struct operation operation = {
		.resource = match->parts[1], .method = OPERATION_WRITE, .write = write, .id = id};

	answer(context, exchange, &operation, match->parts[0]);
}

static void handle_create(void *context, struct http_exchange *exchange,
			  const struct http_match *match)
{
	answer_write(context, exchange, match, STR("create"), (struct str){NULL, 0});
}

static void handle_update(void *context, struct http_exchange *exchange,
			  const struct http_match *match)
{
	answer_write(context, exchange, match, STR("update"), match->parts[2]);
}

static void handle_delete(void *context, struct http_exchange *exchange,
			  const struct http_match *match)
{
	answer_write(context, exchange, match, STR("delete"), match->parts[2]);
}

/* POST …/applications/move-stage, with the id in the body. */
static void handle_custom(void *context, struct http_exchange *exchange,
			  const struct http_match *match)
{
	answer_write(context, exchange, match, match->parts[2], (struct str){NULL, 0});
}

/* POST …/applications/{id}/move-stage */
static void handle_custom_of(void *context, struct http_exchange *exchange,
			     const struct http_match *match)
{
	answer_write(context, exchange, match, match->parts[3], match->parts[2]);
}

const struct http_route rest_routes[] = {
	{HTTP_GET, "/unified/{model}/{resource}", handle_list},
	{HTTP_POST, "/unified/{model}/{resource}", handle_create},
	{HTTP_GET, "/unified/{model}/{resource}/{id}", handle_get},
	{HTTP_PATCH, "/unified/{model}/{resource}/{id}", handle_update},
	{HTTP_DELETE, "/unified/{model}/{resource}/{id}", handle_delete},
	{HTTP_POST, "/unified/{model}/{resource}/{id}", handle_custom},
	{HTTP_POST, "/unified/{model}/{resource}/{id}/{method}", handle_custom_of},
};
const size_t rest_route_count = sizeof rest_routes / sizeof rest_routes[0];
