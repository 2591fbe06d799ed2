/* The sandbox behind a real socket, and a client, on one loop. */
#ifndef TESTS_UNIT_APP_WIRE_H
#define TESTS_UNIT_APP_WIRE_H

#include "asking.h"

struct wire {
	struct loop *loop;
	struct sandbox *sandbox;
	struct http_server *server;
	struct http_client *client;
	struct str address; /* http://127.0.0.1:PORT */
};

static inline void wire_init(struct wire *wire, const struct sandbox_options *options)
{
	struct error err = {0};
	struct str bound;
	int fd;

	wire->loop = loop_create(clock_system(), random_system(), &err);
	wire->sandbox = create(options);
	assert_true(http_listen(&arena, STR("127.0.0.1:0"), &fd, 1, &bound, &err));
	wire->address = arena_format(&arena, "http://%.*s", STR_ARGS(bound));
	wire->server = http_server_create(wire->loop, fd, false, &sandbox_limits,
					  sandbox_handler(wire->sandbox), &err);
	assert_non_null(wire->server);
	wire->client = http_client_create(wire->loop, &(struct http_client_options){0}, &err);
	assert_non_null(wire->client);
}

static inline void wire_finish(struct wire *wire)
{
	sandbox_release(wire->sandbox);
	http_client_destroy(wire->client);
	http_server_quiesce(wire->server);
	assert_true(loop_drain(wire->loop, 10000));
	http_server_destroy(wire->server);
	sandbox_destroy(wire->sandbox);
	loop_destroy(wire->loop);
}

struct fetch {
	struct wire *wire;
	struct str url;
	struct http_response response;
	struct error err;
	int64_t timeout_ms;
	enum http_method method;
	struct str content_type;
	struct str body;
	bool is_last; /* ends the loop's run */
};

static inline void run_fetch(void *context)
{
	struct fetch *fetch = context;
	struct http_header headers[] = {{STR("Authorization"), STR("Bearer sandbox-token")},
					{STR("Content-Type"), fetch->content_type}};
	struct http_request request = {
		.method = fetch->method, .url = fetch->url, .headers = headers,
		.header_count = fetch->content_type.len > 0 ? 2 : 1, .body = fetch->body,
		.deadline_ns = clock_monotonic_ns(clock_system()) + fetch->timeout_ms * 1000000,
		.response_bytes_max = 1 << 24};

	(void)!http_client_send(fetch->wire->client, &arena, &request, &fetch->response, &fetch->err);
	if (fetch->is_last)
		loop_stop(fetch->wire->loop);
}

static inline struct fetch fetch_url(struct wire *wire, struct str url, int64_t timeout_ms)
{
	struct fetch fetch = {.wire = wire, .url = url, .timeout_ms = timeout_ms, .is_last = true};

	loop_spawn(wire->loop, run_fetch, &fetch);
	loop_run(wire->loop);
	return fetch;
}

static inline struct fetch fetch_path(struct wire *wire, const char *path, int64_t timeout_ms)
{
	return fetch_url(wire, arena_format(&arena, "%.*s/c/41207%s", STR_ARGS(wire->address), path),
			 timeout_ms);
}

static inline struct json body_of(const struct fetch *fetch)
{
	struct json value;
	struct error err = {0};

	assert_int_equal(fetch->response.outcome, HTTP_COMPLETE);
	assert_true(json_parse(&arena, fetch->response.body, &json_limits_default, &value, &err));
	return value;
}

static inline struct fetch send_path(struct wire *wire, enum http_method method, const char *path,
				     const char *content_type, struct str body)
{
	struct fetch fetch = {.wire = wire, .timeout_ms = 30000, .is_last = true, .method = method,
			      .url = arena_format(&arena, "%.*s/c/41207%s", STR_ARGS(wire->address), path),
			      .content_type = str_from_c(content_type), .body = body};

	loop_spawn(wire->loop, run_fetch, &fetch);
	loop_run(wire->loop);
	return fetch;
}

#endif
