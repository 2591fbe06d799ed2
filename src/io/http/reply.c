/* Replies, whole or as the handler writes them. */
#include <assert.h>
#include <sys/socket.h>

#include "base/log.h"
#include "io/http/connection.h"

enum { PIECE_BYTES = 32 * 1024 };

/* --- replies ------------------------------------------------------------------------------- */

static void add_reply_header(struct connection *connection, struct MHD_Response *response,
			     struct str name, struct str value)
{
	char *key = arena_c(&connection->arena, name);

	if (MHD_add_response_header(response, key, arena_c(&connection->arena, value)) != MHD_YES)
		LOG(LOG_WARNING, "reply_header_left_out", LOG_C(message, key));
}

/* Ends a connection as a crashed peer would: connecting a TCP socket to nothing sends a reset. */
static void reset(struct connection *connection)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(connection->mhd, MHD_CONNECTION_INFO_CONNECTION_FD);
	const struct sockaddr nothing = {.sa_family = AF_UNSPEC};

	(void)!connect(info->connect_fd, &nothing, sizeof nothing);
}

static ssize_t give_until_cut(void *context, uint64_t position, char *bytes, size_t room)
{
	struct connection *connection = context;
	const struct http_exchange *exchange = &connection->exchange;

	if (position >= exchange->cut_after) {
		if (exchange->cut_with_reset)
			reset(connection);
		return MHD_CONTENT_READER_END_WITH_ERROR;
	}
	size_t len = exchange->cut_after - (size_t)position;
	if (len > room)
		len = room;
	memcpy(bytes, exchange->reply.data + position, len);
	return (ssize_t)len;
}

bool reply_has_body(const struct http_exchange *exchange)
{
	return exchange->method != HTTP_HEAD && exchange->status != 204 && exchange->status != 304;
}

/* The next bytes of the piece, without the last byte of a known length. */
static size_t take_piece(struct connection *connection, char *bytes, size_t room)
{
	struct outflow *out = &connection->out;
	size_t len = out->piece.len < room ? out->piece.len : room;
	bool is_all = out->written - out->piece.len + len == (uint64_t)out->length;

	memcpy(bytes, out->piece.data, len);
	out->piece = str_slice(out->piece, len, out->piece.len);
	if (out->piece.len == 0 && out->writer != NULL) {
		loop_wake(out->writer);
		out->writer = NULL;
	}
	if (is_all) {
		out->has_last = true;
		out->last = bytes[--len];
	}
	return len;
}

static ssize_t break_off(struct connection *connection)
{
	/* Where the connection's end is all that ends a body, it must not look like one. */
	if (connection->is_http10 && connection->out.length == HTTP_LENGTH_UNKNOWN)
		reset(connection);
	return MHD_CONTENT_READER_END_WITH_ERROR;
}

static ssize_t give_written(void *context, uint64_t position, char *bytes, size_t room)
{
	struct connection *connection = context;
	struct outflow *out = &connection->out;

	(void)position;
	if (out->is_broken)
		return break_off(connection);
	if (out->piece.len > 0) {
		size_t len = take_piece(connection, bytes, room);

		if (len > 0)
			return (ssize_t)len;
	}
	if (!out->is_over) {
		connection_hold(connection);
		return 0;
	}
	if (out->has_last) {
		bytes[0] = out->last;
		return 1;
	}
	return out->length == HTTP_LENGTH_UNKNOWN ? MHD_CONTENT_READER_END_OF_STREAM
						  : break_off(connection);
}

static struct MHD_Response *make_body(struct connection *connection)
{
	const struct http_exchange *exchange = &connection->exchange;
	const struct outflow *out = &connection->out;

	if (out->is_on)
		return MHD_create_response_from_callback(
			out->length == HTTP_LENGTH_UNKNOWN ? MHD_SIZE_UNKNOWN
							   : (uint64_t)out->length,
			PIECE_BYTES, give_written, connection, NULL);
	if (exchange->is_cut && exchange->cut_after < exchange->reply.len)
		return MHD_create_response_from_callback(exchange->reply.len, 32 * 1024,
							 give_until_cut, connection, NULL);
	return MHD_create_response_from_buffer(exchange->reply.len,
					       (void *)(uintptr_t)exchange->reply.data,
					       MHD_RESPMEM_PERSISTENT);
}

/* The body stays in the arena, which lives until the reply is out. */
static struct MHD_Response *make_response(struct connection *connection)
{
	const struct http_exchange *exchange = &connection->exchange;
	struct MHD_Response *response = make_body(connection);

	if (response == NULL)
		die("out of memory for a reply");
	if (exchange->reply.len > 0 || (connection->out.is_on && exchange->content_type.len > 0))
		add_reply_header(connection, response, STR("Content-Type"), exchange->content_type);
	for (size_t i = 0; i < exchange->reply_header_count; i++)
		add_reply_header(connection, response, exchange->reply_headers[i].name,
				 exchange->reply_headers[i].value);
	if (connection->must_close || connection->server->is_quiet)
		add_reply_header(connection, response, STR("Connection"), STR("close"));
	return response;
}

enum MHD_Result reply_queue(struct connection *connection)
{
	struct http_exchange *exchange = &connection->exchange;
	struct MHD_Response *response;

	assert(exchange->status >= 200 && exchange->status <= 599);
	connection_move(connection, CONNECTION_REPLYING);
	if (connection->has_left)
		return MHD_NO;
	if (exchange->is_cut && exchange->cut_after == 0) {
		if (exchange->cut_with_reset)
			reset(connection);
		return MHD_NO;
	}
	response = make_response(connection);
	enum MHD_Result result =
		MHD_queue_response(connection->mhd, (unsigned)exchange->status, response);
	MHD_destroy_response(response);
	return result;
}
