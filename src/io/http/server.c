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
#include "io/http/tls.h"

enum {
	SWEEP_NS = 1000000000,
	/* What libmicrohttpd keeps beside the head of a request: a record for each header, and the
	 * head of the reply. A kept connection has all of its pool in memory, and it is wiped for
	 * every request: this is where the memory of ten thousand connections goes. */
	POOL_EXTRA = 4 * 1024,
	POOL_INCREMENT = 2048,
	STEPS_A_TURN = 3,
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
	connection->state = state;
	connection->since_ns = loop_now_ns(server->loop);
	server->active += state != CONNECTION_IDLE;
}

void connection_hold(struct connection *connection)
{
	if (connection->is_held)
		return;
	connection->is_held = true;
	MHD_suspend_connection(connection->mhd);
}

void connection_let_go(struct connection *connection)
{
	if (!connection->is_held)
		return;
	connection->is_held = false;
	MHD_resume_connection(connection->mhd);
	connection->server->has_more = true;
}

size_t connection_pool_bytes(const struct http_server_limits *limits)
{
	return limits->headers_bytes_max + POOL_EXTRA;
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

	/* At its limit libmicrohttpd listens no more, and begins again only when it is run. */
	if (server->count-- >= server->limits->connections_max)
		server->has_more = true;
	*connection->link = connection->next;
	if (connection->next != NULL)
		connection->next->link = connection->link;
	assert(connection->has_fiber || connection->state == CONNECTION_IDLE);
	connection->is_orphan = true;
	if (!connection->has_fiber)
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
void connection_cut(struct connection *connection)
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
		/* Of a stream the handler does not want any more the rest is read all the same. */
		bool is_reading = c->state == CONNECTION_READING ||
				  (c->state == CONNECTION_DONE && !c->is_held);
		int64_t seconds = is_reading			? limits->read_timeout_s
				  : c->state == CONNECTION_IDLE ? limits->idle_timeout_s
								: INT32_MAX;

		if (!c->is_cut && now_ns - c->since_ns > seconds * 1000000000)
			connection_cut(c);
	}
	/* Where the process had no descriptor left it would stay deaf without being run. */
	server->has_more = true;
	loop_timer_set(server->loop, timer, now_ns + SWEEP_NS);
}

/* --- requests ------------------------------------------------------------------------------ */

static enum MHD_Result refuse(struct connection *connection)
{
	struct http_handler *handler = connection->server->handler;

	connection->exchange.status = connection->fault_status;
	handler->refuse(handler, &connection->exchange, &connection->fault);
	return reply_queue(connection);
}

static void end_request(struct connection *connection)
{
	arena_finish(&connection->arena);
	connection_move(connection, CONNECTION_IDLE);
}

static void handle(void *context)
{
	struct connection *connection = context;
	struct http_handler *handler = connection->server->handler;

	connection->fiber = fiber_current();
	handler->handle(handler, &connection->exchange);
	connection->has_fiber = false;
	caller_forget(connection);
	connection->server->running--;
	connection->out.is_over = true;
	if (!connection->is_gone) {
		if (connection->state == CONNECTION_RUNNING)
			connection_move(connection, CONNECTION_DONE);
		connection_let_go(connection);
		return;
	}
	end_request(connection);
	if (connection->is_orphan)
		free(connection);
}

/* A body that is a stream comes to the fiber through libmicrohttpd: it begins after the callback. */
static enum MHD_Result start_stream(struct connection *connection)
{
	request_keep_head(connection);
	connection_hold(connection);
	connection->has_waited = true;
	loop_spawn(connection->server->loop, handle, connection);
	return MHD_YES;
}

/* A handler that has nothing to wait for is done at once, which saves taking the connection out of
 * libmicrohttpd's hands and giving it back. */
static enum MHD_Result start(struct connection *connection)
{
	connection->exchange.body = buffer_str(&connection->body);
	connection_move(connection, CONNECTION_RUNNING);
	connection->has_fiber = true;
	connection->server->running++;
	if (connection->in.is_on)
		return start_stream(connection);
	loop_start(connection->server->loop, handle, connection);
	connection->has_waited = true;
	if (connection->has_fiber)
		caller_watch(connection);
	if (connection->state == CONNECTION_DONE)
		return reply_queue(connection);
	connection_hold(connection);
	return MHD_YES;
}

static enum MHD_Result head_came(struct connection *connection, const char *method,
				 const char *version)
{
	connection->is_http10 = strcmp(version, "HTTP/1.0") == 0;
	request_read_head(connection, method);
	if (request_is_swallowed(connection))
		return MHD_YES;
	if (connection->fault_status != 0)
		return refuse(connection);
	return connection->in.is_on ? start(connection) : MHD_YES;
}

static enum MHD_Result stream_came(struct connection *connection, struct str bytes)
{
	if (bytes.len > 0)
		return inflow_take(connection, bytes) ? MHD_YES : MHD_NO;
	return inflow_pass(connection) ? reply_queue(connection) : MHD_YES;
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

	(void)context, (void)mhd, (void)url;
	*len = 0;
	if (!connection->has_head)
		return head_came(connection, method, version);
	if (connection->in.is_on)
		return stream_came(connection, str_make(bytes, body_len));
	if (connection->state == CONNECTION_DONE)
		return reply_queue(connection);
	assert(connection->state == CONNECTION_READING);
	if (body_len > 0)
		return request_read_body(connection, str_make(bytes, body_len)) ? MHD_YES : MHD_NO;
	return connection->fault_status == 0 ? start(connection) : refuse(connection);
}

static void request_ended(void *context, struct MHD_Connection *mhd, void **request_context,
			  enum MHD_RequestTerminationCode code)
{
	struct connection *connection = *request_context;

	(void)context, (void)mhd, (void)code;
	if (connection == NULL)
		return;
	*request_context = NULL;
	if (connection->has_fiber) {
		stream_abandon(connection);
		return;
	}
	end_request(connection);
	if (connection->server->is_quiet)
		connection_cut(connection);
}

/* --- libmicrohttpd on the loop ------------------------------------------------------------- */

static void turn(struct http_server *server)
{
	server->has_more = false;
	tls_use(server->tls);
	if (MHD_run(server->daemon) != MHD_YES)
		die("libmicrohttpd does not run");
}

static void sockets_ready(struct loop_watch *watch, uint32_t events)
{
	(void)events;
	turn(watch->context);
}

/* Neither the epoll set nor the timeout announces connections that were resumed; those with more
 * to do are announced by a timeout of 0 only. A reply takes libmicrohttpd two or three steps, which
 * need not each wait for a turn of the loop. */
static int ask_timeout(struct loop_hook *hook)
{
	struct http_server *server = hook->context;
	MHD_UNSIGNED_LONG_LONG ms;

	for (int i = 0; i < STEPS_A_TURN; i++) {
		bool is_due = MHD_get_timeout(server->daemon, &ms) == MHD_YES && ms == 0;

		if (!is_due && !server->has_more)
			break;
		turn(server);
	}
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
	size_t pool = connection_pool_bytes(limits);
	unsigned flags = MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME;
	const struct MHD_OptionItem plain[] = {{MHD_OPTION_END, 0, NULL}};
	struct MHD_OptionItem encrypted[] = {
		{MHD_OPTION_HTTPS_PRIORITIES, 0, (void *)(uintptr_t)tls_priorities},
		{MHD_OPTION_HTTPS_CERT_CALLBACK2, 0, (void *)(uintptr_t)tls_retrieve},
		{MHD_OPTION_END, 0, NULL},
	};

	if (server->tls != NULL)
		flags |= MHD_USE_TLS;
	return MHD_start_daemon(
		flags, 0, NULL, NULL, request_came, server,
		MHD_OPTION_ARRAY, server->tls == NULL ? plain : encrypted,
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

static struct http_server *create(struct loop *loop, int fd, bool is_local, struct http_tls *tls,
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
	server->tls = tls;
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

struct http_server *http_server_create(struct loop *loop, int fd, bool is_local,
				       const struct http_server_limits *limits,
				       struct http_handler *handler, struct error *err)
{
	return create(loop, fd, is_local, NULL, limits, handler, err);
}

struct http_server *http_server_create_tls(struct loop *loop, int fd, struct http_tls *tls,
					   const struct http_server_limits *limits,
					   struct http_handler *handler, struct error *err)
{
	return create(loop, fd, false, tls, limits, handler, err);
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
			connection_cut(c);
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

size_t http_server_window_peak(const struct http_server *server)
{
	return server->window_peak;
}
