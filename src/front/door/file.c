/* Files as replies, while they come from the ATS. */
#include "base/log.h"
#include "front/door/door.h"

static void set_header(struct http_exchange *exchange, const char *name, struct str value)
{
	if (value.len > 0)
		http_exchange_set_header(exchange, name, value);
}

static void begin(struct operation_sink *base, const struct operation_file *file)
{
	struct door_sink *sink = (struct door_sink *)base;
	struct http_exchange *exchange = sink->exchange;

	exchange->content_type = file->content_type.len > 0 ? file->content_type
							    : STR("application/octet-stream");
	set_header(exchange, "Content-Disposition", file->disposition);
	set_header(exchange, "Content-Encoding", file->encoding);
	/* A browser is not to find out for itself what strangers have sent. */
	http_exchange_set_header(exchange, "X-Content-Type-Options", STR("nosniff"));
	door_set_rate_limit(exchange, sink->result);
	door_set_timing(sink->door, exchange, sink->result);
	http_exchange_begin_reply(exchange, file->status, file->length);
}

static bool write_piece(struct operation_sink *base, struct str bytes, struct error *err)
{
	return http_exchange_write(((struct door_sink *)base)->exchange, bytes, err);
}

void door_sink_init(struct door_sink *sink, const struct door *door,
		    struct http_exchange *exchange, const struct operation_result *result)
{
	*sink = (struct door_sink){
		.base = {.begin = begin,
			 .write = write_piece,
			 .wants_no_bytes = exchange->method == HTTP_HEAD},
		.door = door,
		.exchange = exchange,
		.result = result,
	};
}

void door_fail(struct door_sink *sink, const struct error *err)
{
	struct http_exchange *exchange = sink->exchange;

	if (!sink->base.has_begun) {
		door_reply_error(exchange, err, sink->result);
		return;
	}
	LOG(LOG_WARNING, "reply_broken_off", LOG_S(request_id, exchange->request_id),
	    LOG_C(error, error_name(err->code)), LOG_N(bytes, (int64_t)exchange->written));
	http_exchange_break(exchange);
	/* Where no server is behind it the reply can still be another one. */
	if (exchange->connection == NULL) {
		exchange->content_type = STR("application/json");
		door_reply_error(exchange, err, sink->result);
	}
}

void door_set_headers(struct door_sink *sink)
{
	if (sink->base.has_begun)
		return;
	door_set_rate_limit(sink->exchange, sink->result);
	door_set_timing(sink->door, sink->exchange, sink->result);
}
