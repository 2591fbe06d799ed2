/* Bodies that a handler reads and writes piece by piece. Its fiber and libmicrohttpd take turns:
 * the connection is held while the window of the request is full, or while there is nothing to
 * send. When libmicrohttpd gives the request up the fiber is told, and ends it. */
#include <assert.h>
#include <sys/socket.h>

#include "io/http/connection.h"

/* From here on the caller is not read from any more. */
enum { WINDOW_FULL = 32 * 1024 };

static void wake(struct loop_wait **wait)
{
	if (*wait != NULL)
		loop_wake(*wait);
	*wait = NULL;
}

void stream_abandon(struct connection *connection)
{
	connection->is_gone = true;
	caller_forget(connection);
	if (connection->ends_with_caller)
		loop_interrupt(connection->server->loop, connection->fiber);
	wake(&connection->in.reader);
	wake(&connection->out.writer);
}

/* --- the request's body -------------------------------------------------------------------- */

/* All that is given is taken, as libmicrohttpd would lose it when the caller then closes. */
static void fill_window(struct connection *connection, struct str bytes)
{
	struct http_server *server = connection->server;
	struct inflow *in = &connection->in;
	size_t capacity = WINDOW_FULL + connection_pool_bytes(server->limits);

	if (in->window == NULL)
		in->window = arena_alloc(&connection->arena, capacity);
	assert(in->to + bytes.len <= capacity);
	memcpy(in->window + in->to, bytes.data, bytes.len);
	in->to += bytes.len;
	if (in->to - in->from > server->window_peak)
		server->window_peak = in->to - in->from;
	if (in->to >= WINDOW_FULL)
		connection_hold(connection);
	wake(&in->reader);
}

/* Past the handler's limit as much again as a whole body may have is thrown away, for the sake
 * of the reply, which can be given only after the body. */
bool inflow_take(struct connection *connection, struct str bytes)
{
	struct inflow *in = &connection->in;

	in->taken += bytes.len;
	if (connection->state == CONNECTION_RUNNING && in->taken <= in->bytes_max) {
		fill_window(connection, bytes);
		return true;
	}
	connection->since_ns = loop_now_ns(connection->server->loop);
	if (connection->state == CONNECTION_RUNNING) {
		connection->must_close = true;
		connection_hold(connection);
		wake(&in->reader);
	}
	return in->taken - bytes.len <=
	       (uint64_t)in->bytes_max + connection->server->limits->body_bytes_max;
}

bool inflow_pass(struct connection *connection)
{
	struct inflow *in = &connection->in;
	bool has_reply = connection->state == CONNECTION_DONE;

	if (!in->is_passed) {
		/* Without the body that it would send at a word: the connection closes. */
		if (has_reply && in->is_expected && !in->is_wanted)
			return true;
		in->is_passed = true;
		return false;
	}
	in->is_whole = true;
	if (has_reply)
		return true;
	connection_hold(connection);
	wake(&in->reader);
	return false;
}

static bool explain(struct connection *connection, struct error *err)
{
	if (connection->in.taken > connection->in.bytes_max)
		return error_set_field(err, ERROR_LIMIT, "body", NULL,
				       "the body is too large: at most %zu bytes are taken",
				       connection->in.bytes_max);
	return error_set_field(err, ERROR_INVALID, "body", NULL, "the body broke off");
}

/* libmicrohttpd takes a short read for all that there is, and overlooks an end that had come with
 * those bytes: of an edge it is told once. Taken from it and given back, it looks again. */
static void look_for_end(struct connection *connection)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(connection->mhd, MHD_CONNECTION_INFO_CONNECTION_FD);
	char byte;

	if (connection->is_held || recv(info->connect_fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) != 0)
		return;
	connection_hold(connection);
	connection_let_go(connection);
}

/* False with *err when nothing more will come, and not because the body is over. */
static bool await_bytes(struct connection *connection, struct error *err)
{
	struct inflow *in = &connection->in;
	struct loop_wait wait;
	int64_t patience_ns = (int64_t)connection->server->limits->read_timeout_s * 1000000000;

	if (connection->is_gone || connection->has_left || in->taken > in->bytes_max)
		return explain(connection, err);
	in->is_wanted = true;
	look_for_end(connection);
	connection_let_go(connection);
	loop_wait_init(&wait);
	in->reader = &wait;
	if (loop_wait(&wait, clock_monotonic_ns(loop_clock(wait.loop)) + patience_ns))
		return true;
	in->reader = NULL;
	if (!connection->is_gone)
		connection_cut(connection);
	return error_set_field(err, ERROR_TIMEOUT, "body", NULL,
			       "the body did not come in time: nothing for %u s",
			       connection->server->limits->read_timeout_s);
}

static ssize_t read_whole(struct http_exchange *exchange, void *bytes, size_t max)
{
	struct str rest = str_slice(exchange->body, exchange->body_read, exchange->body.len);
	size_t len = rest.len < max ? rest.len : max;

	if (len > 0)
		memcpy(bytes, rest.data, len);
	exchange->body_read += len;
	return (ssize_t)len;
}

ssize_t http_exchange_read(struct http_exchange *exchange, void *bytes, size_t max,
			   struct error *err)
{
	struct connection *connection = exchange->connection;

	if (!exchange->is_stream)
		return read_whole(exchange, bytes, max);
	struct inflow *in = &connection->in;
	if (connection->state != CONNECTION_RUNNING) {
		error_set_field(err, ERROR_INVALID, "body", NULL,
				"the reply has begun: the rest of the body is thrown away");
		return -1;
	}
	while (in->from == in->to) {
		if (in->is_whole)
			return 0;
		if (!await_bytes(connection, err))
			return -1;
	}
	size_t len = in->to - in->from < max ? in->to - in->from : max;
	memcpy(bytes, in->window + in->from, len);
	in->from += len;
	if (in->from == in->to)
		in->from = in->to = 0;
	return (ssize_t)len;
}

static ssize_t read_source(void *context, void *bytes, size_t max, struct error *err)
{
	return http_exchange_read(context, bytes, max, err);
}

struct http_source *http_exchange_source(struct http_exchange *exchange)
{
	struct http_source *source = arena_alloc(exchange->arena, sizeof *source);

	*source = (struct http_source){
		.read = read_source,
		.context = exchange,
		.length = exchange->is_stream ? exchange->body_length : (int64_t)exchange->body.len,
	};
	return source;
}

/* --- the reply's body ---------------------------------------------------------------------- */

static void start_reply(struct connection *connection)
{
	if (!connection->in.is_on)
		request_keep_head(connection);
	connection_move(connection, CONNECTION_DONE);
	connection_let_go(connection);
}

void http_exchange_begin_reply(struct http_exchange *exchange, int status, int64_t length)
{
	struct connection *connection = exchange->connection;

	exchange->status = status;
	if (connection == NULL)
		return;
	struct outflow *out = &connection->out;
	assert(!out->is_on && connection->state == CONNECTION_RUNNING);
	out->is_on = true;
	out->length = length;
	/* A reply without a body would be out, and the request at its end, under the fiber. */
	if (connection->is_gone || length == 0 || !reply_has_body(exchange))
		return;
	/* As long as nothing of the reply is there, the rest of a stream may still be read. */
	if (!connection->in.is_on || connection->in.is_whole)
		start_reply(connection);
}

static bool is_gone(const struct connection *connection, struct error *err)
{
	bool is_gone = connection->is_gone || connection->has_left;

	if (is_gone)
		error_set(err, ERROR_UNAVAILABLE, "the caller has gone before the reply's end");
	return is_gone;
}

/* Where no server is behind the exchange the pieces make up the reply. */
static bool append(struct http_exchange *exchange, struct str bytes)
{
	struct str *reply = &exchange->reply;
	char *all = arena_grow(exchange->arena, (char *)(uintptr_t)reply->data, reply->len,
			       reply->len + bytes.len);

	memcpy(all + reply->len, bytes.data, bytes.len);
	*reply = str_make(all, reply->len + bytes.len);
	return true;
}

bool http_exchange_write(struct http_exchange *exchange, struct str bytes, struct error *err)
{
	struct connection *connection = exchange->connection;
	struct loop_wait wait;

	if (bytes.len == 0)
		return true;
	exchange->written += bytes.len;
	if (connection == NULL)
		return append(exchange, bytes);
	struct outflow *out = &connection->out;
	assert(out->is_on);
	if (is_gone(connection, err))
		return false;
	if (!reply_has_body(exchange))
		return true;
	if (out->length >= 0 && bytes.len > (uint64_t)out->length - out->written) {
		out->is_broken = true;
		return error_set(err, ERROR_INTERNAL, "more bytes than the reply has promised");
	}
	out->written += bytes.len;
	out->piece = bytes;
	if (connection->state == CONNECTION_RUNNING)
		start_reply(connection);
	loop_wait_init(&wait);
	out->writer = &wait;
	connection_let_go(connection);
	loop_wait(&wait, INT64_MAX);
	return !is_gone(connection, err);
}

void http_exchange_break(struct http_exchange *exchange)
{
	if (exchange->connection != NULL)
		exchange->connection->out.is_broken = true;
}
