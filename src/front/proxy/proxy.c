#include "front/proxy/proxy.h"

enum { LIMIT_DEFAULT = 100, WHOLE_BYTES_MAX = 64 * 1024 };

static const struct str custom_prefix = STR_INIT("/custom/");

/* --- reading the query ---------------------------------------------------------------------- */

/* What a request asks for, and of whom. */
struct request {
	const struct door *door;
	struct http_exchange *exchange;
	struct operation operation;
	struct operation_native native;
	struct account account;
	struct caller caller;
	struct str account_id;
	struct door_attempt attempt;
	struct door_sink sink;
	struct operation_result result;
};

/* tenon's own parameters; *value is where it goes, NULL when the ATS gets it. */
static bool find_own(struct request *request, struct str name, struct str *limit,
		     struct str **value)
{
	static struct str ignored;
	bool is_proxy = request->operation.method == OPERATION_PROXY;

	*value = NULL;
	if (str_equal(name, STR("integrated_account_id")))
		*value = &request->account_id;
	else if (is_proxy && str_equal(name, STR("limit")))
		*value = limit;
	else if (is_proxy && str_equal(name, STR("next_cursor")))
		*value = &request->operation.cursor;
	else if (request->exchange->is_local && str_equal(name, STR("environment")))
		*value = &ignored;
	return *value != NULL;
}

static bool read_query(struct request *request, struct error *err)
{
	const struct http_exchange *exchange = request->exchange;
	struct operation_filter *filters =
		arena_array(exchange->arena, exchange->query_count + 1, sizeof *filters);
	struct operation *operation = &request->operation;
	struct str limit = {NULL, 0};
	struct str *own;

	operation->limit = LIMIT_DEFAULT;
	operation->filters = filters;
	for (size_t i = 0; i < exchange->query_count; i++) {
		const struct http_field *field = &exchange->query[i];

		if (!find_own(request, field->name, &limit, &own)) {
			filters[operation->filter_count++] =
				(struct operation_filter){field->name, field->value};
			continue;
		}
		for (size_t k = 0; k < i; k++)
			if (str_equal(exchange->query[k].name, field->name))
				return error_set_field(
					err, ERROR_INVALID, arena_c(exchange->arena, field->name),
					"given once", "%.*s is given twice", STR_ARGS(field->name));
		*own = field->value;
	}
	return limit.data == NULL || door_read_limit(limit, &operation->limit, err);
}

/* --- calling -------------------------------------------------------------------------------- */

static bool run(struct request *request, struct error *err)
{
	const struct door *door = request->door;
	struct http_exchange *exchange = request->exchange;
	struct operation *operation = &request->operation;
	struct door_asked what = {.body = exchange->body};

	if (!door_authorise(door, exchange, KEY_SCOPE_CALL, &request->caller, err) ||
	    !read_query(request, err) ||
	    !door_find_account(door, exchange->arena, &request->caller, request->account_id,
			       &request->account, err))
		return false;
	operation->account = &request->account;
	operation->deadline_ns = exchange->started_ns + door->call_timeout_ms * 1000000;
	operation->sink = &request->sink.base;
	if (exchange->is_stream) {
		request->native.source = http_exchange_source(exchange);
		what.source = &request->native.source;
		what.body = request->native.content_type;
	}
	if (request->native.verb != HTTP_GET &&
	    !door_begin_attempt(door, exchange, operation, &what, &request->attempt, err))
		return false;
	return request->attempt.before.status != 0 ||
	       operation_run(door->services, exchange->arena, operation, &request->result, err);
}

/* --- answering ------------------------------------------------------------------------------ */

static void reply_list(struct http_exchange *exchange, const struct operation_result *result)
{
	struct json_builder envelope;
	size_t bytes = 1024;

	for (size_t i = 0; i < result->items.count; i++)
		bytes += 1 + json_source(json_at(result->items, i)).len;
	json_builder_init(&envelope, exchange->arena);
	json_builder_set(&envelope, STR("result"), result->items);
	json_builder_set(&envelope, STR("next_cursor"),
			 result->next_cursor.len > 0 ? json_string(result->next_cursor)
						     : json_null());
	json_builder_set(&envelope, STR("prev_cursor"), json_null());
	json_builder_set(&envelope, STR("result_count"), json_int(result->items.count));
	door_reply_sized(exchange, 200, json_builder_object(&envelope), bytes);
}

static bool is_json(struct http_exchange *exchange, struct str body)
{
	struct json ignored;
	struct error err;

	return json_parse(exchange->arena, body, &json_limits_default, &ignored, &err);
}

/* What the ATS answered, between the braces of every other answer. */
static struct str wrap(struct http_exchange *exchange, struct str body)
{
	struct buffer text;

	buffer_init(&text, exchange->arena, SIZE_MAX);
	buffer_room(&text, body.len + 64);
	buffer_append_c(&text, "{\"result\":");
	buffer_append(&text, body);
	buffer_append_c(&text, ",\"next_cursor\":null,\"prev_cursor\":null}");
	return buffer_str(&text);
}

static void reply_raw(struct request *request)
{
	struct http_exchange *exchange = request->exchange;
	const struct operation_result *result = &request->result;

	exchange->status = result->status;
	exchange->reply = result->body;
	if (result->content_type.len > 0)
		exchange->content_type = result->content_type;
	if (request->operation.method == OPERATION_CUSTOM &&
	    str_find(result->content_type, STR("json")) >= 0 && is_json(exchange, result->body))
		exchange->reply = wrap(exchange, result->body);
}

/* A note keeps no type: it was JSON if it looks so. */
static void reply_again(struct request *request)
{
	struct http_exchange *exchange = request->exchange;

	door_reply_again(exchange, &request->attempt);
	if (!is_json(exchange, exchange->reply))
		exchange->content_type = STR("application/octet-stream");
}

static void take_call(const struct request *request, const struct error *err)
{
	const struct door_call call = {
		.door = request->operation.method == OPERATION_PROXY ? CALLS_PROXY : CALLS_CUSTOM,
		.environment_id = request->caller.environment_id,
		.operation = &request->operation,
		.result = &request->result,
		.err = err,
		.is_replay = request->attempt.before.status != 0,
	};

	door_take_call(request->door, request->exchange, &call);
}

static void answer(struct request *request)
{
	struct http_exchange *exchange = request->exchange;
	struct error err;

	request->native.verb = exchange->method == HTTP_HEAD ? HTTP_GET : exchange->method;
	request->native.body = exchange->body;
	request->native.content_type = http_exchange_header(exchange, "content-type");
	request->operation.native = &request->native;
	door_sink_init(&request->sink, request->door, exchange, &request->result);
	bool ok = run(request, &err);
	if (!ok)
		door_fail(&request->sink, &err);
	else if (request->sink.base.has_begun)
		;
	else if (request->attempt.before.status != 0)
		reply_again(request);
	else if (request->result.status == 0)
		reply_list(exchange, &request->result);
	else
		reply_raw(request);
	door_end_attempt(exchange, &request->attempt);
	door_set_headers(&request->sink);
	take_call(request, ok ? NULL : &err);
}

static void handle_proxy(void *context, struct http_exchange *exchange,
			 const struct http_match *match)
{
	struct request request = {.door = context, .exchange = exchange};

	request.operation.method = OPERATION_PROXY;
	request.operation.resource = match->parts[0];
	request.operation.id = match->parts[1];
	request.native.name = match->parts[2];
	answer(&request);
}

/* The path goes on as it came: what was decoded once must not be read twice. */
static void handle_custom(void *context, struct http_exchange *exchange,
			  const struct http_match *match)
{
	struct request request = {.door = context, .exchange = exchange};

	(void)match;
	request.operation.method = OPERATION_CUSTOM;
	request.native.path = str_slice(exchange->path, custom_prefix.len, exchange->path.len);
	answer(&request);
}

/* What is read here, JSON, comes whole, and so does what is small enough to be sent again. */
static size_t stream_max(const struct http_exchange *exchange)
{
	struct str type = http_exchange_header(exchange, "content-type");
	bool is_other = type.len > 0 && str_find(type, STR("json")) < 0 &&
			!str_starts_with(type, STR("text/")) &&
			!str_starts_with(type, STR("application/x-www-form-urlencoded"));
	bool is_small =
		exchange->body_length >= 0 && exchange->body_length <= WHOLE_BYTES_MAX;
	bool is_read = !is_other && !str_starts_with(exchange->path, custom_prefix);

	return is_small || is_read ? 0 : DOOR_STREAM_BYTES_MAX;
}

#define ROUTES(method)                                                                             \
	{method, "/proxy/{resource}", handle_proxy, stream_max},                                   \
		{method, "/proxy/{resource}/{id}", handle_proxy, stream_max},                      \
		{method, "/proxy/{resource}/{id}/{method}", handle_proxy, stream_max},             \
	{                                                                                          \
		method, "/custom/{path...}", handle_custom, stream_max                             \
	}

const struct http_route proxy_routes[] = {
	ROUTES(HTTP_GET),   ROUTES(HTTP_POST),	 ROUTES(HTTP_PUT),
	ROUTES(HTTP_PATCH), ROUTES(HTTP_DELETE),
};
const size_t proxy_route_count = sizeof proxy_routes / sizeof proxy_routes[0];
