/* A server, a client and a loop on one thread, and peers on raw sockets on threads of their own. */
#ifndef HTTP_TESTING_H
#define HTTP_TESTING_H

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "io/http/http.h"

enum { PATIENCE_MS = 60000, PATIENCE_S = 60, SECOND_NS = 1000000000 };

struct stage {
	struct loop *loop;
	struct http_client *client;
	struct http_server *server;
	struct http_server_limits limits;
	struct http_handler handler;
	struct arena arena;
	struct str bound; /* "127.0.0.1:PORT" of the server */
	size_t refused;
	struct error last_refusal;
	size_t handled;
	void *extra;
};

static inline void stage_refuse(struct http_handler *handler, struct http_exchange *exchange,
				const struct error *err)
{
	struct stage *stage = handler->context;

	stage->refused++;
	stage->last_refusal = *err;
	exchange->reply = arena_format(exchange->arena, "{\"refused\":\"%s\",\"field\":\"%s\"}",
				       error_name(err->code), err->field);
}

static inline void stage_open(struct stage *stage)
{
	static const struct http_client_options options = {.user_agent = "test"};
	struct error err;

	*stage = (struct stage){.limits = http_server_limits_default};
	arena_init(&stage->arena, 512 * 1024 * 1024);
	stage->loop = loop_create(clock_system(), random_system(), &err);
	assert_non_null(stage->loop);
	stage->client = http_client_create(stage->loop, &options, &err);
	assert_non_null(stage->client);
}

/* After the limits were set. */
static inline void stage_serve(struct stage *stage,
			       void (*handle)(struct http_handler *, struct http_exchange *))
{
	struct error err = {0};
	int fd;

	stage->handler = (struct http_handler){handle, stage_refuse, stage};
	assert_true(http_listen(&stage->arena, STR("127.0.0.1:0"), &fd, 1, &stage->bound, &err));
	stage->server =
		http_server_create(stage->loop, fd, false, &stage->limits, &stage->handler, &err);
	assert_non_null(stage->server);
}

static inline void stage_close(struct stage *stage)
{
	assert_true(loop_drain(stage->loop, PATIENCE_MS));
	http_client_destroy(stage->client);
	http_server_destroy(stage->server);
	loop_destroy(stage->loop);
	arena_finish(&stage->arena);
}

/* Runs the script in a fiber until every fiber has ended. */
static inline void stage_run(struct stage *stage, fiber_function *script)
{
	loop_spawn(stage->loop, script, stage);
	assert_true(loop_drain(stage->loop, PATIENCE_MS));
}

static inline struct str stage_url(struct stage *stage, const char *path)
{
	return arena_format(&stage->arena, "http://%.*s%s", STR_ARGS(stage->bound), path);
}

static inline int64_t soon(void)
{
	return clock_monotonic_ns(clock_system()) + (int64_t)PATIENCE_S * SECOND_NS;
}

static inline struct http_request stage_request(struct stage *stage, enum http_method method,
						const char *path)
{
	return (struct http_request){
		.method = method,
		.url = stage_url(stage, path),
		.deadline_ns = soon(),
		.response_bytes_max = 64 * 1024 * 1024,
	};
}

/* --- raw peers ----------------------------------------------------------------------------- */

/* What one raw peer does with each connection, one after the other, on its own thread. */
struct peer {
	int listener;
	pthread_t thread;
	const char *const *replies; /* one for each connection; NULL: reset at once */
	size_t reply_count;
	bool resets; /* ends with a reset instead of an orderly close */
	bool stays;  /* does not close before peer_finish() */
	int stop[2];
	char seen[64 * 1024]; /* all that was received */
	size_t seen_len;
	size_t connections;
	_Atomic bool is_held; /* it has the request, and answers when this is false */
	_Atomic size_t heard, answered;
};

static inline void reset_on_close(int fd)
{
	struct linger linger = {1, 0};

	setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
}

/* Reads up to the end of a request's head. */
static inline void peer_read_head(struct peer *peer, int fd)
{
	size_t from = peer->seen_len;

	for (;;) {
		ssize_t got = recv(fd, peer->seen + peer->seen_len,
				   sizeof peer->seen - peer->seen_len - 1, 0);
		if (got <= 0)
			return;
		peer->seen_len += (size_t)got;
		peer->seen[peer->seen_len] = '\0';
		if (strstr(peer->seen + from, "\r\n\r\n") != NULL)
			return;
	}
}

static inline void *peer_serve(void *context)
{
	struct peer *peer = context;

	for (size_t i = 0; i < peer->reply_count; i++) {
		int fd = accept(peer->listener, NULL, NULL);
		if (fd < 0)
			break;
		peer->connections++;
		peer_read_head(peer, fd);
		peer->heard++;
		while (peer->is_held)
			poll(NULL, 0, 1);
		if (peer->replies[i] == NULL)
			reset_on_close(fd);
		else
			send(fd, peer->replies[i], strlen(peer->replies[i]), MSG_NOSIGNAL);
		peer->answered++;
		if (peer->stays) {
			char byte;
			while (read(peer->stop[0], &byte, 1) < 0)
				continue;
		}
		if (peer->resets)
			reset_on_close(fd);
		close(fd);
	}
	return NULL;
}

/* Returns the URL of the peer. */
static inline struct str peer_start(struct peer *peer, struct arena *arena)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof address;

	peer->listener = socket(AF_INET, SOCK_STREAM, 0);
	assert_true(peer->listener >= 0);
	assert_int_equal(bind(peer->listener, (struct sockaddr *)&address, sizeof address), 0);
	assert_int_equal(listen(peer->listener, 16), 0);
	assert_int_equal(getsockname(peer->listener, (struct sockaddr *)&address, &len), 0);
	assert_int_equal(pipe(peer->stop), 0);
	assert_int_equal(pthread_create(&peer->thread, NULL, peer_serve, peer), 0);
	return arena_format(arena, "http://127.0.0.1:%u/path", ntohs(address.sin_port));
}

static inline void peer_finish(struct peer *peer)
{
	close(peer->stop[1]);
	shutdown(peer->listener, SHUT_RDWR); /* ends an accept() that nobody came to */
	pthread_join(peer->thread, NULL);
	close(peer->stop[0]);
	close(peer->listener);
}

/* --- raw callers --------------------------------------------------------------------------- */

/* A thread that sends these bytes to the server and gathers what comes back. */
struct caller {
	struct stage *stage;
	pthread_t thread;
	struct str bytes;
	bool leaves; /* closes right after it has sent */
	bool was_reset;
	char reply[256 * 1024];
	size_t reply_len;
};

static inline int caller_connect(const struct stage *stage)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct str port = stage->bound;
	struct timeval patience = {PATIENCE_S, 0};
	int64_t number = 0;

	str_cut(&port, ':');
	if (!str_to_int64(port, &number))
		return -1;
	address.sin_port = htons((uint16_t)number);
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
	if (connect(fd, (struct sockaddr *)&address, sizeof address) == 0)
		return fd;
	close(fd);
	return -1;
}

static inline bool send_all(int fd, struct str bytes)
{
	while (bytes.len > 0) {
		ssize_t sent = send(fd, bytes.data, bytes.len, MSG_NOSIGNAL);
		if (sent < 0)
			return false;
		bytes = str_slice(bytes, (size_t)sent, bytes.len);
	}
	return true;
}

static inline void caller_ended(void *context)
{
	struct stage *stage = context;

	loop_stop(stage->loop);
}

static inline void *caller_call(void *context)
{
	struct caller *caller = context;
	int fd = caller_connect(caller->stage);
	ssize_t got = 1;

	if (fd >= 0) {
		send_all(fd, caller->bytes);
		while (!caller->leaves && got > 0) {
			got = recv(fd, caller->reply + caller->reply_len,
				   sizeof caller->reply - 1 - caller->reply_len, 0);
			caller->reply_len += got > 0 ? (size_t)got : 0;
		}
		caller->was_reset = got < 0 && errno == ECONNRESET;
		close(fd);
	}
	caller->reply[caller->reply_len] = '\0';
	loop_post(caller->stage->loop, caller_ended, caller->stage);
	return NULL;
}

/* Sends the bytes on one connection and returns all that comes until the server closes it. */
static inline struct str stage_raw(struct stage *stage, struct str bytes)
{
	static struct caller caller;

	caller = (struct caller){.stage = stage, .bytes = bytes};
	assert_int_equal(pthread_create(&caller.thread, NULL, caller_call, &caller), 0);
	loop_run(stage->loop);
	pthread_join(caller.thread, NULL);
	return arena_str(&stage->arena, str_make(caller.reply, caller.reply_len));
}

#endif
