/* JSON-RPC messages: what comes in, and the envelopes of what goes out. */
#include "front/mcp/parts.h"

enum { ENVELOPE_BYTES = 512 };

/* --- answers --------------------------------------------------------------------------------- */

/* {"jsonrpc":"2.0","id":… with room for what follows. */
static void begin_envelope(struct buffer *text, struct arena *arena, struct json id, size_t more)
{
	buffer_init(text, arena, SIZE_MAX);
	buffer_room(text, more + ENVELOPE_BYTES);
	buffer_append_c(text, "{\"jsonrpc\":\"2.0\"");
	if (json_is(id, JSON_UNDEFINED))
		return;
	buffer_append_c(text, ",\"id\":");
	json_print(text, id);
}

static struct str print_error(struct arena *arena, struct json id, int code, const char *message,
			      struct json data)
{
	struct buffer text;

	begin_envelope(&text, arena, id, 0);
	buffer_append_format(&text, ",\"error\":{\"code\":%d,\"message\":", code);
	json_print(&text, json_string_c(message));
	if (!json_is(data, JSON_UNDEFINED)) {
		buffer_append_c(&text, ",\"data\":");
		json_print(&text, data);
	}
	buffer_append_c(&text, "}}");
	return buffer_str(&text);
}

void mcp_reply_error(struct http_exchange *exchange, int status, struct json id, int code,
		     const char *message, struct json data)
{
	exchange->status = status;
	exchange->reply = print_error(exchange->arena, id, code, message, data);
}

bool mcp_fail(struct mcp_request *request, int status, int code, const char *message,
	      struct json data)
{
	struct arena *arena = request->exchange->arena;

	if (request->is_streaming)
		mcp_send(request, print_error(arena, request->id, code, message, data));
	else
		mcp_reply_error(request->exchange, status, request->id, code, message, data);
	return false;
}

/* `type` empty: the members say it themselves. */
static void reply_members(struct mcp_request *request, struct str type, struct str members)
{
	struct buffer text;

	begin_envelope(&text, request->exchange->arena, request->id, members.len);
	buffer_append_c(&text, ",\"result\":{");
	if (request->is_modern) {
		if (type.len > 0)
			buffer_append_format(&text, "\"resultType\":\"%.*s\",", STR_ARGS(type));
		buffer_append_format(&text,
				     "\"_meta\":{\"io.modelcontextprotocol/serverInfo\":"
				     "{\"name\":\"tenon\",\"version\":\"%s\"}}%s",
				     request->door->version, members.len > 0 ? "," : "");
	}
	buffer_append(&text, members);
	buffer_append_c(&text, "}}");
	if (request->is_streaming)
		mcp_send(request, buffer_str(&text));
	else
		request->exchange->reply = buffer_str(&text);
}

void mcp_reply_members(struct mcp_request *request, struct str members)
{
	reply_members(request, STR("complete"), members);
}

void mcp_reply(struct mcp_request *request, struct json result)
{
	bool has_type = !json_is(json_get_c(result, "resultType"), JSON_UNDEFINED);
	struct buffer text;

	buffer_init(&text, request->exchange->arena, SIZE_MAX);
	json_print(&text, result);
	reply_members(request, has_type ? STR("") : STR("complete"),
		      str_slice(buffer_str(&text), 1, text.len - 1));
}

/* --- what comes in --------------------------------------------------------------------------- */

static bool refuse(struct mcp_request *request, const char *message)
{
	return mcp_fail(request, 400, MCP_INVALID_REQUEST, message, json_undefined());
}

static bool is_json_type(const struct http_exchange *exchange)
{
	struct str type = http_exchange_header(exchange, "content-type");

	return str_equal_nocase(str_trim(str_cut(&type, ';')), STR("application/json"));
}

static bool read_id(struct mcp_request *request)
{
	struct json id = json_get_c(request->message, "id");
	int64_t ignored;

	if (json_is(id, JSON_STRING) || (json_is_number(id) && json_to_int64(id, &ignored)))
		request->id = id;
	else if (!json_is(id, JSON_UNDEFINED))
		return refuse(request, "id must be a string or a whole number");
	return true;
}

static bool read_envelope(struct mcp_request *request)
{
	struct json method = json_get_c(request->message, "method");
	struct json params = json_get_c(request->message, "params");
	struct json meta = json_get_c(params, "_meta");

	if (json_is(request->message, JSON_ARRAY))
		return refuse(request, "batches are not taken: send one message in a request");
	if (!json_is(request->message, JSON_OBJECT))
		return refuse(request, "a message must be an object");
	if (!read_id(request))
		return false;
	if (!str_equal(json_get_str(request->message, "jsonrpc"), STR("2.0")))
		return refuse(request, "jsonrpc must be \"2.0\"");
	if (!json_is(params, JSON_UNDEFINED) && !json_is(params, JSON_OBJECT))
		return refuse(request, "params must be an object");
	if (!json_is(meta, JSON_UNDEFINED) && !json_is(meta, JSON_OBJECT))
		return mcp_fail(request, 400, MCP_INVALID_PARAMS, "_meta must be an object",
				json_undefined());
	request->params = params;
	request->meta = meta;
	request->is_modern = mcp_is_modern(request);
	/* An answer to a request of the server, which makes none: old clients may send one. */
	if (json_is(method, JSON_UNDEFINED) && !request->is_modern &&
	    (!json_is(json_get_c(request->message, "result"), JSON_UNDEFINED) ||
	     !json_is(json_get_c(request->message, "error"), JSON_UNDEFINED)))
		return true;
	if (!json_is(method, JSON_STRING) || method.count == 0)
		return refuse(request, "method must be the name of a method");
	request->method = json_str(method);
	return true;
}

bool mcp_read(struct mcp_request *request)
{
	struct http_exchange *exchange = request->exchange;
	struct error err;

	request->id = request->params = request->meta = json_undefined();
	if (!is_json_type(exchange))
		return mcp_fail(request, 415, MCP_INVALID_REQUEST,
				"Content-Type must be application/json", json_undefined());
	if (!json_parse(exchange->arena, exchange->body, &json_limits_default, &request->message,
			&err))
		return mcp_fail(request, 400, MCP_PARSE_ERROR, err.message, json_undefined());
	return read_envelope(request);
}
