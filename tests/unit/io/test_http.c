/* Client and server against each other. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/stat.h>

#include "http_testing.h"

/* --- a server that tells what it got ------------------------------------------------------- */

static void echo(struct http_handler *handler, struct http_exchange *exchange)
{
	struct stage *stage = handler->context;
	struct buffer out;

	stage->handled++;
	if (str_equal_c(exchange->path, "/body")) {
		exchange->reply = exchange->body;
		exchange->content_type = STR("application/octet-stream");
		return;
	}
	buffer_init(&out, exchange->arena, 1024 * 1024);
	buffer_append_format(&out, "%.*s %.*s\n", STR_ARGS(exchange->method_name),
			     STR_ARGS(exchange->path));
	for (size_t i = 0; i < exchange->query_count; i++)
		buffer_append_format(&out, "?%.*s=%.*s\n", STR_ARGS(exchange->query[i].name),
				     STR_ARGS(exchange->query[i].value));
	for (size_t i = 0; i < exchange->header_count; i++)
		buffer_append_format(&out, "%.*s: %.*s\n", STR_ARGS(exchange->headers[i].name),
				     STR_ARGS(exchange->headers[i].value));
	buffer_append_format(&out, "\n%.*s", STR_ARGS(exchange->body));
	exchange->reply = buffer_str(&out);
	http_exchange_set_header(exchange, "X-Peer", exchange->peer);
	http_exchange_set_header(exchange, "X-Request-Id", exchange->request_id);
}

static bool has(struct str text, const char *part)
{
	return str_find(text, str_from_c(part)) >= 0;
}

static int open_echo(void **state)
{
	struct stage *stage = calloc(1, sizeof *stage);

	stage_open(stage);
	stage_serve(stage, echo);
	*state = stage;
	return 0;
}

static int close_stage(void **state)
{
	stage_close(*state);
	free(*state);
	return 0;
}

static void call_once(void *context)
{
	struct stage *stage = context;
	const struct http_header headers[] = {{STR("X-Thing"), STR("one, two")},
					      {STR("X-Empty"), STR("")}};
	struct http_request request = stage_request(stage, HTTP_POST, "/a%2Fb?x=1&y%5B%5D=a+b&x=2");
	struct http_response response;
	struct error err;

	request.headers = headers;
	request.header_count = 2;
	request.body = STR("{\"a\": 1}");
	assert_true(http_client_send(stage->client, &stage->arena, &request, &response, &err));
	assert_int_equal(response.outcome, HTTP_COMPLETE);
	assert_int_equal(response.status, 200);
	assert_true(has(response.body, "POST /a%2Fb\n?x=1\n?y[]=a b\n?x=2\n"));
	assert_true(has(response.body, "\nx-thing: one, two\n"));
	assert_true(has(response.body, "\nx-empty: \n"));
	assert_true(has(response.body, "\nuser-agent: test\n"));
	assert_true(has(response.body, "\naccept-encoding: gzip\n"));
	assert_true(has(response.body, "\n\n{\"a\": 1}"));
	assert_false(has(response.body, "expect"));
	assert_false(has(response.body, "content-type"));
	assert_string_equal(arena_c(&stage->arena, http_response_header(&response, "content-type")),
			    "application/json");
	assert_true(str_equal_c(http_response_header(&response, "x-peer"), "127.0.0.1"));
	assert_int_equal(http_response_header(&response, "x-request-id").len, 16);
	assert_int_equal(http_response_header(&response, "x-none").len, 0);
	assert_true(response.duration_ns > 0);
}

static void a_call_arrives_whole(void **state)
{
	stage_run(*state, call_once);
}

static void call_each_method(void *context)
{
	struct stage *stage = context;

	for (int method = HTTP_GET; method < HTTP_METHODS; method++) {
		struct http_request request = stage_request(stage, (enum http_method)method, "/m");
		struct http_response response;
		struct error err;

		assert_true(
			http_client_send(stage->client, &stage->arena, &request, &response, &err));
		struct str wanted = arena_format(&stage->arena, "%s /m\n",
						 http_method_name((enum http_method)method));
		if (method == HTTP_HEAD)
			assert_int_equal(response.body.len, 0);
		else
			assert_true(str_starts_with(response.body, wanted));
		assert_true(http_response_header(&response, "content-length").len > 0);
		bool has_length = has(response.body, "content-length: 0\n");
		assert_int_equal(has_length,
				 method == HTTP_POST || method == HTTP_PUT || method == HTTP_PATCH);
	}
}

static void all_methods_go_through(void **state)
{
	stage_run(*state, call_each_method);
}

/* Bytes that a shift or a loss would show in. */
static struct str make_body(struct arena *arena, size_t len)
{
	struct random_seeded seeded = {len};
	char *bytes = arena_alloc(arena, len + 8);

	for (size_t i = 0; i < len; i += 8) {
		uint64_t word = random_seeded_next(&seeded);
		memcpy(bytes + i, &word, sizeof word);
	}
	return str_make(bytes, len);
}

static void send_large(void *context)
{
	static const size_t sizes[] = {0, 1, 4095, 65536, 1024 * 1024, 24 * 1024 * 1024};
	struct stage *stage = context;

	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		struct http_request request = stage_request(stage, HTTP_PUT, "/body");
		struct http_response response;
		struct error err;

		request.body = make_body(&stage->arena, sizes[i]);
		request.has_body = true;
		assert_true(
			http_client_send(stage->client, &stage->arena, &request, &response, &err));
		assert_int_equal(response.status, 200);
		assert_true(str_equal(response.body, request.body));
	}
}

static void large_bodies_go_both_ways(void **state)
{
	struct stage stage;

	(void)state;
	stage_open(&stage);
	stage.limits.body_bytes_max = 32 * 1024 * 1024;
	stage_serve(&stage, echo);
	stage_run(&stage, send_large);
	stage_close(&stage);
}

/* --- many at once -------------------------------------------------------------------------- */

enum { CALLS = 1000 };

struct fleet {
	struct loop_group group;
	size_t complete;
	size_t inside, most_inside;
	struct loop_wait *waits[CALLS];
};

/* No reply goes out before all requests are in: so they are in flight at the same time. */
static void reply_when_all_came(struct http_handler *handler, struct http_exchange *exchange)
{
	struct stage *stage = handler->context;
	struct fleet *fleet = stage->extra;
	struct loop_wait wait;

	loop_wait_init(&wait);
	fleet->waits[fleet->inside++] = &wait;
	if (fleet->inside == CALLS)
		for (size_t i = 0; i < CALLS; i++)
			loop_wake(fleet->waits[i]);
	loop_wait(&wait, INT64_MAX);
	exchange->reply = arena_str(exchange->arena, exchange->path);
}

struct ship {
	struct stage *stage;
	int number;
};

static void sail(void *context)
{
	struct ship *ship = context;
	struct fleet *fleet = ship->stage->extra;
	struct arena arena;
	struct http_response response;
	struct error err;
	char path[32];

	arena_init(&arena, 1024 * 1024);
	snprintf(path, sizeof path, "/%d", ship->number);
	struct http_request request = stage_request(ship->stage, HTTP_GET, path);
	if (http_client_send(ship->stage->client, &arena, &request, &response, &err) &&
	    str_equal_c(response.body, path))
		fleet->complete++;
	arena_finish(&arena);
}

static void a_thousand_calls_run_at_once(void **state)
{
	static struct ship ships[CALLS];
	struct stage stage;
	struct fleet fleet = {0};

	(void)state;
	stage_open(&stage);
	stage.extra = &fleet;
	stage_serve(&stage, reply_when_all_came);
	for (int i = 0; i < CALLS; i++) {
		ships[i] = (struct ship){&stage, i};
		loop_spawn(stage.loop, sail, &ships[i]);
	}
	assert_true(loop_drain(stage.loop, PATIENCE_MS));
	assert_int_equal(fleet.complete, CALLS);
	stage_close(&stage);
}

/* --- a limit on how many ------------------------------------------------------------------- */

static void count_inside(struct http_handler *handler, struct http_exchange *exchange)
{
	struct fleet *fleet = ((struct stage *)handler->context)->extra;

	if (++fleet->inside > fleet->most_inside)
		fleet->most_inside = fleet->inside;
	loop_sleep_ms(1);
	fleet->inside--;
	exchange->reply = arena_str(exchange->arena, exchange->path);
}

static void limit_calls(struct stage *stage, size_t calls_max)
{
	const struct http_client_options options = {.calls_max = calls_max};
	struct error err;

	http_client_destroy(stage->client);
	stage->client = http_client_create(stage->loop, &options, &err);
	assert_non_null(stage->client);
}

static void calls_past_the_limit_wait_their_turn(void **state)
{
	static struct ship ships[200];
	struct stage stage;
	struct fleet fleet = {0};

	(void)state;
	stage_open(&stage);
	stage.extra = &fleet;
	stage_serve(&stage, count_inside);
	limit_calls(&stage, 7);
	for (int i = 0; i < 200; i++) {
		ships[i] = (struct ship){&stage, i};
		loop_spawn(stage.loop, sail, &ships[i]);
	}
	assert_true(loop_drain(stage.loop, PATIENCE_MS));
	assert_int_equal(fleet.complete, 200);
	assert_int_equal(fleet.most_inside, 7);
	stage_close(&stage);
}

/* The one call that is allowed holds its place until the other's deadline has passed. */
static void hold(struct http_handler *handler, struct http_exchange *exchange)
{
	struct stage *stage = handler->context;
	struct fleet *fleet = stage->extra;
	struct loop_wait wait;

	(void)exchange;
	loop_wait_init(&wait);
	fleet->waits[fleet->inside++] = &wait;
	loop_wait(&wait, INT64_MAX);
}

static void call_too_late(void *context)
{
	struct stage *stage = context;
	struct fleet *fleet = stage->extra;
	struct http_request request = stage_request(stage, HTTP_GET, "/");
	struct http_response response;
	struct error err;

	while (fleet->inside == 0)
		loop_sleep_ms(1);
	request.deadline_ns = loop_now_ns(stage->loop) + 1000000;
	assert_false(http_client_send(stage->client, &stage->arena, &request, &response, &err));
	assert_int_equal(err.code, ERROR_TIMEOUT);
	assert_int_equal(response.outcome, HTTP_NOT_SENT);
	loop_wake(fleet->waits[0]);
}

static void a_call_whose_turn_comes_too_late_was_not_sent(void **state)
{
	struct stage stage;
	struct fleet fleet = {0};
	struct ship ship = {&stage, 1};

	(void)state;
	stage_open(&stage);
	stage.extra = &fleet;
	stage_serve(&stage, hold);
	limit_calls(&stage, 1);
	loop_spawn(stage.loop, sail, &ship);
	loop_spawn(stage.loop, call_too_late, &stage);
	assert_true(loop_drain(stage.loop, PATIENCE_MS));
	assert_int_equal(fleet.inside, 1);
	stage_close(&stage);
}

static void nap(struct http_handler *handler, struct http_exchange *exchange)
{
	struct stage *stage = handler->context;

	loop_sleep_ms(5);
	stage->handled++;
	exchange->status = 202;
	exchange->reply = STR("{}");
}

static void call_napping(void *context)
{
	struct stage *stage = context;

	for (int i = 0; i < 5; i++) {
		struct http_request request = stage_request(stage, HTTP_GET, "/");
		struct http_response response;
		struct error err;

		assert_true(
			http_client_send(stage->client, &stage->arena, &request, &response, &err));
		assert_int_equal(response.status, 202);
	}
}

static void handlers_may_sleep(void **state)
{
	struct stage stage;

	(void)state;
	stage_open(&stage);
	stage_serve(&stage, nap);
	for (int i = 0; i < 20; i++)
		loop_spawn(stage.loop, call_napping, &stage);
	assert_true(loop_drain(stage.loop, PATIENCE_MS));
	assert_int_equal(stage.handled, 100);
	stage_close(&stage);
}

/* --- over a local socket ------------------------------------------------------------------- */

static void tell_local(struct http_handler *handler, struct http_exchange *exchange)
{
	(void)handler;
	exchange->reply = arena_format(exchange->arena, "%d %.*s", exchange->is_local,
				       STR_ARGS(exchange->peer));
}

static void call_local(void *context)
{
	struct stage *stage = context;
	struct http_client_options options = {.unix_socket = stage->extra};
	struct error err;
	struct http_client *client = http_client_create(stage->loop, &options, &err);
	struct http_request request = {
		.url = STR("http://local/"), .deadline_ns = soon(), .response_bytes_max = 1000};
	struct http_response response;

	assert_non_null(client);
	assert_true(http_client_send(client, &stage->arena, &request, &response, &err));
	assert_true(str_equal_c(response.body, "1 local"));
	http_client_destroy(client);
}

static void a_local_socket_serves_and_is_ours_alone(void **state)
{
	char folder[] = "/tmp/http-test-XXXXXX";
	char path[64], address[80];
	struct stage stage;
	struct stat status;
	struct error err;
	int fd, other;

	(void)state;
	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof path, "%s/socket", folder);
	snprintf(address, sizeof address, "unix:%s", path);
	stage_open(&stage);
	stage.extra = path;
	stage.handler = (struct http_handler){tell_local, stage_refuse, &stage};
	/* A stale file is replaced. */
	assert_true(http_listen(&stage.arena, str_from_c(address), &fd, 1, &stage.bound, &err));
	close(fd);
	assert_true(http_listen(&stage.arena, str_from_c(address), &fd, 1, &stage.bound, &err));
	assert_true(str_equal_c(stage.bound, address));
	assert_int_equal(stat(path, &status), 0);
	assert_int_equal(status.st_mode & 0777, 0600);
	/* One that answers is not. */
	assert_false(http_listen(&stage.arena, str_from_c(address), &other, 1, &stage.bound, &err));
	assert_int_equal(err.code, ERROR_CONFLICT);
	stage.server =
		http_server_create(stage.loop, fd, true, &stage.limits, &stage.handler, &err);
	assert_non_null(stage.server);
	stage_run(&stage, call_local);
	stage_close(&stage);
	unlink(path);
	rmdir(folder);
}

static void listening_says_what_is_wrong(void **state)
{
	static const struct {
		const char *address;
		enum error_code code;
	} bad[] = {
		{"", ERROR_INVALID},
		{"8080", ERROR_INVALID},
		{":8080", ERROR_INVALID},
		{"127.0.0.1:", ERROR_INVALID},
		{"127.0.0.1:70000", ERROR_INVALID},
		{"127.0.0.1:http", ERROR_INVALID},
		{"::1:8080", ERROR_INVALID},
		{"unix:", ERROR_INVALID},
		{"unix:/tmp", ERROR_INVALID},
		{"unix:/no/such/folder/socket", ERROR_UNAVAILABLE},
		{"192.0.2.1:0", ERROR_UNAVAILABLE},
	};
	struct arena arena;
	struct str bound;
	struct error err;
	int fds[2];

	(void)state;
	arena_init(&arena, 100000);
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		err = (struct error){0};
		assert_false(http_listen(&arena, str_from_c(bad[i].address), fds, 1, &bound, &err));
		assert_int_equal(err.code, bad[i].code);
		assert_string_equal(err.field, "listen");
	}
	/* Two listeners of ours share a port; another program's does not. */
	assert_true(http_listen(&arena, STR("127.0.0.1:0"), fds, 2, &bound, &err));
	int more[1];
	struct str again;
	assert_false(http_listen(&arena, bound, more, 1, &again, &err));
	assert_int_equal(err.code, ERROR_CONFLICT);
	close(fds[0]);
	close(fds[1]);
	if (http_listen(&arena, STR("[::1]:0"), fds, 1, &bound, &err)) {
		assert_true(str_starts_with(bound, STR("[::1]:")));
		close(fds[0]);
	}
	arena_finish(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_call_arrives_whole, open_echo, close_stage),
		cmocka_unit_test_setup_teardown(all_methods_go_through, open_echo, close_stage),
		cmocka_unit_test(large_bodies_go_both_ways),
		cmocka_unit_test(a_thousand_calls_run_at_once),
		cmocka_unit_test(calls_past_the_limit_wait_their_turn),
		cmocka_unit_test(a_call_whose_turn_comes_too_late_was_not_sent),
		cmocka_unit_test(handlers_may_sleep),
		cmocka_unit_test(a_local_socket_serves_and_is_ours_alone),
		cmocka_unit_test(listening_says_what_is_wrong),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
