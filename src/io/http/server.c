/* The server: libmicrohttpd with its own epoll set, watched by the loop. When a request is whole
 * its connection is suspended and a fiber runs the handler; then it is resumed and replied to.
 * libmicrohttpd does not close a suspended connection, so that a client which goes away never
 * takes the request from under its fiber. */
#include <assert.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "io/http/connection.h"
#include "io/http/message.h"

enum {
	SWEEP_NS = 1000000000,
	/* What libmicrohttpd keeps beside the head of a request: a record for each header, and the
	 * head of the reply. A kept connection has all of its pool in memory, and it is wiped for
	 * every request: this is where the memory of ten thousand connections goes. */
	POOL_EXTRA = 4 * 1024,
	POOL_INCREMENT = 2048,
};

const struct http_server_limits http_server_limits_default = {
	.url_bytes_max = 6 * 1024,
	.headers_bytes_max = 8 * 1024,
	.body_bytes_max = 1024 * 1024,
	.fields_max = 100,
	.connections_max = 12000,
	.idle_timeout_s = 60,
	.read_timeout_s = 15,
	.arena_bytes_max = 64 * 1024 * 1024,
};

/* --- connections --------------------------------------------------------------------------- */

void connection_move(struct connection *connection, enum connection_state state)
{
	struct http_server *server = connection->server;

	server->active -= connection->state != CONNECTION_IDLE;
	server->running -= connection->state == CONNECTION_RUNNING;
	connection->state = state;
	connection->since_ns = loop_now_ns(server->loop);
	server->active += state != CONNECTION_IDLE;
	server->running += state == CONNECTION_RUNNING;
}

static struct connection *connection_of(struct MHD_Connection *mhd)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT);

	return info->socket_context;
}

static void add_connection(struct http_server *server, struct MHD_Connection *mhd, void **context)
{
	struct connection *connection = calloc(1, sizeof *connection);

	if (connection == NULL)
		die("out of memory for a connection");
	connection->server = server;
	connection->mhd = mhd;
	connection->since_ns = loop_now_ns(server->loop);
	connection->next = server->connections;
	connection->link = &server->connections;
	if (connection->next != NULL)
		connection->next->link = &connection->next;
	server->connections = connection;
	server->count++;
	*context = connection;
}

static void remove_connection(struct connection *connection)
{
	struct http_server *server = connection->server;

	assert(connection->state == CONNECTION_IDLE);
	/* At its limit libmicrohttpd listens no more, and begins again only when it is run. */
	if (server->count-- >= server->limits->connections_max)
		server->has_more = true;
	*connection->link = connection->next;
	if (connection->next != NULL)
		connection->next->link = connection->link;
	free(connection);
}

static void connection_changed(void *context, struct MHD_Connection *mhd, void **socket_context,
			       enum MHD_ConnectionNotificationCode code)
{
	if (code == MHD_CONNECTION_NOTIFY_STARTED)
		add_connection(context, mhd, socket_context);
	else if (*socket_context != NULL)
		remove_connection(*socket_context);
}

/* libmicrohttpd closes it when it reads the end; what has come already is still read. */
static void cut(struct connection *connection)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(connection->mhd, MHD_CONNECTION_INFO_CONNECTION_FD);

	connection->is_cut = true;
	shutdown(info->connect_fd, SHUT_RD);
}

/* libmicrohttpd's own timeout begins anew with every byte; this one does not, so that nobody can
 * hold a connection by feeding it slowly. */
static void sweep(struct loop_timer *timer)
{
	struct http_server *server = timer->context;
	const struct http_server_limits *limits = server->limits;
	int64_t now_ns = loop_now_ns(server->loop);

	for (struct connection *c = server->connections; c != NULL; c = c->next) {
		int64_t seconds = c->state == CONNECTION_READING ? limits->read_timeout_s
				  : c->state == CONNECTION_IDLE	 ? limits->idle_timeout_s
								 : INT32_MAX;

		if (!c->is_cut && now_ns - c->since_ns > seconds * 1000000000)
			cut(c);
	}
	/* Where the process had no descriptor left it would stay deaf without being run. */
	server->has_more = true;
	loop_timer_set(server->loop, timer, now_ns + SWEEP_NS);
}

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

static struct MHD_Response *make_body(struct connection *connection)
{
	const struct http_exchange *exchange = &connection->exchange;

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
	if (exchange->reply.len > 0)
		add_reply_header(connection, response, STR("Content-Type"), exchange->content_type);
	for (size_t i = 0; i < exchange->reply_header_count; i++)
		add_reply_header(connection, response, exchange->reply_headers[i].name,
				 exchange->reply_headers[i].value);
	if (connection->must_close || connection->server->is_quiet)
		add_reply_header(connection, response, STR("Connection"), STR("close"));
	return response;
}

static enum MHD_Result reply(struct connection *connection)
{
	struct http_exchange *exchange = &connection->exchange;
	struct MHD_Response *response;

	assert(exchange->status >= 200 && exchange->status <= 599);
	connection_move(connection, CONNECTION_REPLYING);
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

static enum MHD_Result refuse(struct connection *connection)
{
	struct http_handler *handler = connection->server->handler;

	connection->exchange.status = connection->fault_status;
	handler->refuse(handler, &connection->exchange, &connection->fault);
	return reply(connection);
}

/* --- requests ------------------------------------------------------------------------------ */

static void handle(void *context)
{
	struct connection *connection = context;
	struct http_handler *handler = connection->server->handler;

	handler->handle(handler, &connection->exchange);
	connection_move(connection, CONNECTION_DONE);
	MHD_resume_connection(connection->mhd);
	connection->server->has_more = true;
}

static enum MHD_Result start(struct connection *connection)
{
	connection->exchange.body = buffer_str(&connection->body);
	connection_move(connection, CONNECTION_RUNNING);
	MHD_suspend_connection(connection->mhd);
	loop_spawn(connection->server->loop, handle, connection);
	return MHD_YES;
}

/* libmicrohttpd's first word on a request, before its headers. */
static void *target_came(void *context, const char *target, struct MHD_Connection *mhd)
{
	struct connection *connection = connection_of(mhd);
	char *query = strchr(target, '?');

	(void)context;
	request_begin(connection, str_from_c(target));
	/* The library would now parse the query once more, and answer with a page of its own when
	 * that is too much for its memory. It finds an empty one instead: the text is its own
	 * buffer, which is not constant. */
	if (query != NULL)
		query[1] = '\0';
	return connection;
}

static size_t leave_escapes(void *context, struct MHD_Connection *mhd, char *text)
{
	(void)context, (void)mhd;
	return strlen(text);
}

/* Called with the headers, with each part of the body, at the end of the body, and again after
 * the connection was resumed. */
static enum MHD_Result request_came(void *context, struct MHD_Connection *mhd, const char *url,
				    const char *method, const char *version, const char *bytes,
				    size_t *len, void **request_context)
{
	struct connection *connection = *request_context;
	size_t body_len = *len;

	(void)context, (void)mhd, (void)url, (void)version;
	if (connection->state == CONNECTION_DONE)
		return reply(connection);
	assert(connection->state == CONNECTION_READING);
	if (!connection->has_head) {
		request_read_head(connection, method);
		return connection->fault_status == 0 ? MHD_YES : refuse(connection);
	}
	if (body_len > 0) {
		*len = 0;
		return request_read_body(connection, str_make(bytes, body_len)) ? MHD_YES : MHD_NO;
	}
	return connection->fault_status == 0 ? start(connection) : refuse(connection);
}

static void request_ended(void *context, struct MHD_Connection *mhd, void **request_context,
			  enum MHD_RequestTerminationCode code)
{
	struct connection *connection = *request_context;

	(void)context, (void)mhd, (void)code;
	if (connection == NULL)
		return;
	assert(connection->state != CONNECTION_RUNNING);
	arena_finish(&connection->arena);
	connection_move(connection, CONNECTION_IDLE);
	*request_context = NULL;
	if (connection->server->is_quiet)
		cut(connection);
}

/* --- libmicrohttpd on the loop ------------------------------------------------------------- */

static void turn(struct http_server *server)
{
	server->has_more = false;
	if (MHD_run(server->daemon) != MHD_YES)
		die("libmicrohttpd does not run");
}

static void sockets_ready(struct loop_watch *watch, uint32_t events)
{
	(void)events;
	turn(watch->context);
}

/* Neither the epoll set nor the timeout announces connections that were resumed; those with more
 * to do are announced by a timeout of 0 only. */
static int ask_timeout(struct loop_hook *hook)
{
	struct http_server *server = hook->context;
	MHD_UNSIGNED_LONG_LONG ms;
	bool is_due = MHD_get_timeout(server->daemon, &ms) == MHD_YES && ms == 0;

	if (is_due || server->has_more)
		turn(server);
	if (server->has_more)
		return 0;
	if (MHD_get_timeout(server->daemon, &ms) != MHD_YES)
		return -1;
	return ms > INT32_MAX ? INT32_MAX : (int)ms;
}

/* --- life ---------------------------------------------------------------------------------- */

static struct MHD_Daemon *start_daemon(struct http_server *server)
{
	const struct http_server_limits *limits = server->limits;
	size_t pool = limits->headers_bytes_max + POOL_EXTRA;

	return MHD_start_daemon(
		MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME, 0, NULL, NULL, request_came, server,
		MHD_OPTION_LISTEN_SOCKET, server->fd, MHD_OPTION_CONNECTION_LIMIT,
		(unsigned)limits->connections_max, MHD_OPTION_CONNECTION_TIMEOUT,
		limits->idle_timeout_s, MHD_OPTION_CONNECTION_MEMORY_LIMIT, pool,
		MHD_OPTION_CONNECTION_MEMORY_INCREMENT, (size_t)POOL_INCREMENT,
		MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_URI_LOG_CALLBACK, target_came, server,
		MHD_OPTION_UNESCAPE_CALLBACK, leave_escapes, NULL, MHD_OPTION_NOTIFY_COMPLETED,
		request_ended, server, MHD_OPTION_NOTIFY_CONNECTION, connection_changed, server,
		MHD_OPTION_END);
}

static bool join_loop(struct http_server *server, struct error *err)
{
	const union MHD_DaemonInfo *info =
		MHD_get_daemon_info(server->daemon, MHD_DAEMON_INFO_EPOLL_FD);

	server->watch = (struct loop_watch){info->epoll_fd, sockets_ready, server};
	if (!loop_watch_add(server->loop, &server->watch, EPOLLIN, err))
		return false;
	server->hook = (struct loop_hook){.before_sleep = ask_timeout, .context = server};
	loop_hook_add(server->loop, &server->hook);
	server->sweep = (struct loop_timer){.callback = sweep, .context = server};
	loop_timer_set(server->loop, &server->sweep, loop_now_ns(server->loop) + SWEEP_NS);
	return true;
}

struct http_server *http_server_create(struct loop *loop, int fd, bool is_local,
				       const struct http_server_limits *limits,
				       struct http_handler *handler, struct error *err)
{
	struct http_server *server = calloc(1, sizeof *server);

	if (server == NULL)
		die("out of memory for a server");
	http_ignore_broken_pipes();
	server->loop = loop;
	server->fd = fd;
	server->is_local = is_local;
	server->limits = limits;
	server->handler = handler;
	server->daemon = start_daemon(server);
	if (server->daemon == NULL) {
		error_set(err, ERROR_UNAVAILABLE, "libmicrohttpd does not start");
		close(fd);
		free(server);
		return NULL;
	}
	if (!join_loop(server, err)) {
		MHD_stop_daemon(server->daemon);
		free(server);
		return NULL;
	}
	return server;
}

void http_server_quiesce(struct http_server *server)
{
	if (server->is_quiet)
		return;
	/* What has connected already is taken in before the door shuts. */
	turn(server);
	server->is_quiet = true;
	MHD_quiesce_daemon(server->daemon);
	close(server->fd);
	for (struct connection *c = server->connections; c != NULL; c = c->next) {
		if (c->state == CONNECTION_IDLE)
			cut(c);
	}
}

void http_server_destroy(struct http_server *server)
{
	if (server == NULL)
		return;
	assert(server->running == 0);
	loop_timer_clear(server->loop, &server->sweep);
	loop_hook_remove(server->loop, &server->hook);
	loop_watch_remove(server->loop, &server->watch);
	MHD_stop_daemon(server->daemon);
	assert(server->connections == NULL);
	free(server);
}

size_t http_server_active(const struct http_server *server)
{
	return server->active;
}
