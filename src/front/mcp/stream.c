/* Replies as a stream of events, begun only when there is something to be told before the end. */
#include "front/mcp/parts.h"

static bool takes_events(const struct mcp_request *request)
{
	struct str accept = http_exchange_header(request->exchange, "accept");

	return str_find(accept, STR("text/event-stream")) >= 0;
}

void mcp_send(struct mcp_request *request, struct str message)
{
	struct buffer event;
	struct error gone;

	buffer_init(&event, request->exchange->arena, SIZE_MAX);
	buffer_room(&event, message.len + 32);
	buffer_append_c(&event, "event: message\ndata: ");
	buffer_append(&event, message);
	buffer_append_c(&event, "\n\n");
	/* A caller who has gone gets nothing, and that is all. */
	if (!http_exchange_write(request->exchange, buffer_str(&event), &gone))
		return;
}

static void begin(struct mcp_request *request)
{
	struct http_exchange *exchange = request->exchange;

	exchange->content_type = STR("text/event-stream");
	http_exchange_set_header(exchange, "Cache-Control", STR("no-cache"));
	http_exchange_set_header(exchange, "X-Accel-Buffering", STR("no"));
	http_exchange_begin_reply(exchange, 200, HTTP_LENGTH_UNKNOWN);
	request->is_streaming = true;
}

void mcp_notify(struct mcp_request *request, const char *method, struct json params)
{
	struct json_builder message;
	struct buffer text;

	if (!takes_events(request))
		return;
	if (!request->is_streaming)
		begin(request);
	json_builder_init(&message, request->exchange->arena);
	json_builder_set(&message, STR("jsonrpc"), json_string_c("2.0"));
	json_builder_set(&message, STR("method"), json_string_c(method));
	json_builder_set(&message, STR("params"), params);
	buffer_init(&text, request->exchange->arena, SIZE_MAX);
	json_print(&text, json_builder_object(&message));
	mcp_send(request, buffer_str(&text));
}
