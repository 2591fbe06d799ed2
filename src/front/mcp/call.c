/* tools/call: arguments become an operation, its result becomes a text for a model. What goes wrong
 * on the way is a result, too, so that the model can do better; only a tool that is not there is an
 * error of the protocol. */
#include "base/log.h"
#include "front/mcp/parts.h"

enum { REPEAT_MS = 5 * 60 * 1000, TRACE_BYTES = 55 };

static const char repeated[] =
	"This was done before, by an earlier call of the same key; nothing was done again. What it "
	"gave then follows.";

struct call {
	struct operation_progress progress; /* the first: it is what an operation tells */
	struct mcp_request *request;
	const struct tool *tool;
	struct json arguments;
	struct tool_call plan;
	struct shape shape;
	struct operation_result result;
	struct copy_answer source;
	struct str nonce; /* of a confirmation; empty: there was none */
	struct idempotency_attempt *note;
	struct idempotency_reply before;
};

/* --- results --------------------------------------------------------------------------------- */

static struct json text_part(struct arena *arena, struct str text)
{
	struct json_builder part;

	json_builder_init(&part, arena);
	json_builder_set(&part, STR("type"), json_string_c("text"));
	json_builder_set(&part, STR("text"), json_string(text));
	return json_builder_object(&part);
}

static struct json result_of(struct arena *arena, struct json content, struct json structured,
			     bool is_error)
{
	struct json_builder result;

	json_builder_init(&result, arena);
	json_builder_set(&result, STR("content"), content);
	json_builder_set(&result, STR("structuredContent"), structured);
	if (is_error)
		json_builder_set(&result, STR("isError"), json_bool(true));
	return json_builder_object(&result);
}

void mcp_reply_text(struct mcp_request *request, struct str text, bool is_error)
{
	struct arena *arena = request->exchange->arena;
	struct json part = text_part(arena, text);

	mcp_reply(request, result_of(arena, json_array(&part, 1), json_undefined(), is_error));
}

static struct json show(struct arena *arena, const struct shape_result *shaped)
{
	struct json *part = arena_alloc(arena, sizeof *part);

	*part = text_part(arena, shaped->text);
	return result_of(arena, json_array(part, 1), shaped->structured, false);
}

static void reply_error(struct mcp_request *request, const struct error *err,
			const struct operation_result *result)
{
	static const struct operation_result none;

	if (result == NULL)
		result = &none;
	mcp_reply_text(request,
		       shape_error(request->exchange->arena,
				   request->caller.held->toolset->connector,
				   &request->caller.held->server, err, result),
		       true);
}

/* --- progress -------------------------------------------------------------------------------- */

static bool wants_progress(const struct mcp_request *request)
{
	struct json token = json_get_c(request->meta, "progressToken");

	return json_is(token, JSON_STRING) || json_is_number(token);
}

static void told(struct operation_progress *progress, uint32_t calls, size_t records)
{
	struct mcp_request *request = ((struct call *)progress)->request;
	struct arena *arena = request->exchange->arena;
	struct json_builder params;

	json_builder_init(&params, arena);
	json_builder_set(&params, STR("progressToken"), json_get_c(request->meta, "progressToken"));
	json_builder_set(&params, STR("progress"), json_int(calls));
	json_builder_set(&params, STR("message"),
			 json_string(arena_format(arena, "%zu records", records)));
	mcp_notify(request, "notifications/progress", json_builder_object(&params));
}

/* --- writes are done once -------------------------------------------------------------------- */

/* A request that is sent again, for its answer was lost, has the same id and the same words. */
static struct str derive_key(const struct call *call, struct str arguments)
{
	const struct mcp_request *request = call->request;
	const struct str parts[] = {
		request->caller.held->server.id,
		http_exchange_header(request->exchange, "user-agent"),
		request->caller.subject,
		call->tool->name,
		arguments,
	};
	struct arena *arena = request->exchange->arena;
	struct buffer text;

	buffer_init(&text, arena, SIZE_MAX);
	json_print(&text, request->id);
	for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
		buffer_append_format(&text, " %zu ", parts[i].len);
		buffer_append(&text, parts[i]);
	}
	return arena_format(arena, "mcp-request:%.*s",
			    STR_ARGS(mcp_digest_text(arena, buffer_str(&text))));
}

static bool begin_attempt(struct call *call, struct error *err)
{
	const struct mcp_request *request = call->request;
	struct arena *arena = request->exchange->arena;

	if (!call->tool->is_replayable || call->plan.operation.dry_run)
		return true;
	struct idempotency_request asked = {
		.environment_id = request->caller.account.environment_id,
		.account_id = request->caller.account.id,
		.key = call->plan.idempotency_key,
		.method = STR("MCP"),
		.path = call->tool->name,
		.body = json_text(arena, call->arguments),
	};
	if (asked.key.len == 0 && call->nonce.len > 0) {
		asked.key = arena_format(arena, "mcp-confirmed:%.*s", STR_ARGS(call->nonce));
	} else if (asked.key.len == 0) {
		asked.key = derive_key(call, asked.body);
		asked.age_max_ms = REPEAT_MS;
	}
	if (!idempotency_begin(request->door->idempotency, arena, &asked, &call->note,
			       &call->before, err))
		return false;
	if (call->note != NULL)
		call->plan.operation.journal = idempotency_journal(call->note);
	return true;
}

/* What is kept is the result as it was given. */
static void end_attempt(struct call *call, struct json result)
{
	struct idempotency_reply reply = {.status = 200};

	if (call->note == NULL)
		return;
	if (json_is(result, JSON_UNDEFINED)) {
		idempotency_end(call->note, NULL);
		return;
	}
	reply.body = json_text(call->request->exchange->arena, result);
	idempotency_end(call->note, &reply);
}

static struct json show_again(const struct call *call)
{
	struct arena *arena = call->request->exchange->arena;
	struct json before, content;
	struct json_builder parts;
	struct error err;

	if (!json_parse(arena, call->before.body, &json_limits_default, &before, &err))
		before = json_undefined();
	content = json_get_c(before, "content");
	json_builder_init(&parts, arena);
	json_builder_add(&parts, text_part(arena, str_from_c(repeated)));
	for (size_t i = 0; json_is(content, JSON_ARRAY) && i < content.count; i++)
		json_builder_add(&parts, json_at(content, i));
	return result_of(arena, json_builder_array(&parts),
			 json_get_c(before, "structuredContent"), false);
}

/* --- one call -------------------------------------------------------------------------------- */

static const struct connector *find_connector(const struct call *call)
{
	return call->request->caller.held->toolset->connector;
}

static void prepare(struct call *call)
{
	struct mcp_request *request = call->request;
	struct operation *operation = &call->plan.operation;

	shape_init(&call->shape, request->exchange->arena, call->tool, find_connector(call),
		   &request->caller.held->server, call->plan.fields);
	if (call->tool->is_list)
		operation->budget = &call->shape.base;
	if (wants_progress(request)) {
		call->progress.told = told;
		operation->progress = &call->progress;
	}
	operation->deadline_ns =
		request->exchange->started_ns + request->door->call_timeout_ms * 1000000;
}

static struct json run(struct call *call, struct error *err)
{
	struct mcp_request *request = call->request;
	struct arena *arena = request->exchange->arena;
	struct shape_result shaped;

	if (!begin_attempt(call, err))
		return json_undefined();
	if (call->before.status != 0)
		return show_again(call);
	prepare(call);
	if (!door_run(request->door, arena, &call->plan.operation, &call->plan.wish, &call->result,
		      &call->source, err))
		return json_undefined();
	shape_result(&call->shape, &call->plan.operation, &call->result, &call->source, &shaped);
	return show(arena, &shaped);
}

/* Of the modern era each request says it; before, it was said once. */
static void name_client(const struct call *call, struct door_call *taken)
{
	const struct mcp_request *request = call->request;
	struct json info = mcp_meta(request, "clientInfo");

	taken->client_name = json_get_str(info, "name");
	taken->client_version = json_get_str(info, "version");
	if (!request->is_modern)
		mcp_server_recall_client(request->door->mcp_servers, request->caller.held,
					 request->exchange->arena,
					 http_exchange_header(request->exchange, "user-agent"),
					 &taken->client_name, &taken->client_version);
}

static void take_call(const struct call *call, const struct error *err)
{
	struct door_call taken = {
		.door = CALLS_MCP,
		.environment_id = call->request->caller.account.environment_id,
		.operation = &call->plan.operation,
		.result = &call->result,
		.err = err,
		.is_replay = call->before.status != 0,
		.mcp_server_id = call->request->caller.held->server.id,
		.tool = call->tool->name,
	};

	name_client(call, &taken);
	door_take_call(call->request->door, call->request->exchange, &taken);
}

static void run_planned(struct call *call)
{
	struct mcp_request *request = call->request;
	struct mcp_running running;
	struct error err;
	struct json result;

	if (!mcp_confirm(request, call->tool, call->arguments, call->plan.operation.dry_run,
			 &call->nonce)) {
		error_set(&err, ERROR_FORBIDDEN, "not confirmed");
		take_call(call, &err);
		return;
	}
	mcp_running_begin(&running, request, call->tool->kind & TOOL_READ);
	result = run(call, &err);
	mcp_running_end(&running);
	bool is_done = !json_is(result, JSON_UNDEFINED);
	end_attempt(call, result);
	if (!request->is_streaming)
		door_set_timing(request->door, request->exchange, &call->result);
	if (is_done)
		mcp_reply(request, result);
	else
		reply_error(request, &err, &call->result);
	take_call(call, is_done ? NULL : &err);
}

static bool is_within_rate(const struct call *call)
{
	struct mcp_request *request = call->request;
	struct error err;
	int64_t wait_ms = 0;

	if (mcp_server_take(request->door->mcp_servers, request->caller.held, &wait_ms))
		return true;
	error_set(&err, ERROR_RATE_LIMITED, "this MCP server was called too often");
	err.retry_after_ms = wait_ms;
	reply_error(request, &err, NULL);
	take_call(call, &err);
	return false;
}

/* W3C trace context, version 00: told to the log, for whoever looks for the call there. */
static void log_trace(const struct mcp_request *request)
{
	struct str trace = json_get_str(request->meta, "traceparent");
	bool is_good = trace.len == TRACE_BYTES;

	for (size_t i = 0; is_good && i < trace.len; i++)
		is_good = (trace.data[i] >= '0' && trace.data[i] <= '9') ||
			  (trace.data[i] >= 'a' && trace.data[i] <= 'f') || trace.data[i] == '-';
	if (is_good)
		LOG(LOG_INFO, "mcp_trace", LOG_S(request_id, request->exchange->request_id),
		    LOG_S(traceparent, trace));
}

void mcp_run_tool(struct mcp_request *request, const struct tool *tool, struct json arguments)
{
	struct http_exchange *exchange = request->exchange;
	struct call *call = arena_zero(exchange->arena, sizeof *call);
	struct error err;

	call->request = request;
	call->tool = tool;
	call->arguments = arguments;
	tool_begin(tool, &request->caller.account, &call->plan);
	if (!mcp_may_call(&request->caller, tool)) {
		mcp_refuse_scope(request->door, exchange, &request->caller, tool, request->id);
		error_set(&err, ERROR_FORBIDDEN, "the token's scopes do not reach for the tool");
		take_call(call, &err);
		return;
	}
	if (!is_within_rate(call))
		return;
	log_trace(request);
	if (tool_plan(tool, exchange->arena, find_connector(call), &request->caller.account,
		      arguments, &call->plan, &err)) {
		run_planned(call);
		return;
	}
	reply_error(request, &err, NULL);
	take_call(call, &err);
}

static void call_named(struct mcp_request *request, struct str name, struct json arguments)
{
	const struct mcp_held *held = request->caller.held;
	const struct tool *tool;

	if (held->server.mode == MCP_MODE_SEARCH) {
		mcp_call_search(request, name, arguments);
		return;
	}
	tool = toolset_find(held->toolset, name);
	if (tool == NULL || !mcp_has(held, tool))
		mcp_fail(request, 200, MCP_INVALID_PARAMS, "there is no such tool",
			 json_undefined());
	else
		mcp_run_tool(request, tool, arguments);
}

void mcp_call_tool(struct mcp_request *request)
{
	struct json name = json_get_c(request->params, "name");
	struct json arguments = json_get_c(request->params, "arguments");
	int status = request->is_modern ? 400 : 200;

	if (!json_is(name, JSON_STRING))
		mcp_fail(request, status, MCP_INVALID_PARAMS, "name must be the name of a tool",
			 json_undefined());
	else if (!json_is(arguments, JSON_UNDEFINED) && !json_is(arguments, JSON_OBJECT))
		mcp_fail(request, status, MCP_INVALID_PARAMS, "arguments must be an object",
			 json_undefined());
	else if (request->caller.is_fixture)
		mcp_call_fixture(request, json_str(name));
	else
		call_named(request, json_str(name), arguments);
}
