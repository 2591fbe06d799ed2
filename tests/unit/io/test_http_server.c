/* The server against callers that break the rules, at its limits and one past them. */
#include "http_testing.h"

static void answer(struct http_handler *handler, struct http_exchange *exchange)
{
	struct stage *stage = handler->context;

	stage->handled++;
	exchange->reply =
		arena_format(exchange->arena, "%.*s %.*s %zu %zu %zu",
			     STR_ARGS(exchange->method_name), STR_ARGS(exchange->path),
			     exchange->query_count, exchange->header_count, exchange->body.len);
	exchange->content_type = STR("text/plain");
}

static int open_stage(void **state)
{
	struct stage *stage = calloc(1, sizeof *stage);

	stage_open(stage);
	*state = stage;
	return 0;
}

static int close_stage(void **state)
{
	stage_close(*state);
	free(*state);
	return 0;
}

struct fake_time {
	int64_t now_ns;
};

static int64_t read_fake(void *context)
{
	/* Time flies: each look is a second later. */
	return ((struct fake_time *)context)->now_ns += SECOND_NS;
}

/* A stage whose time flies, for what the sweep does. It has no client. */
static void open_flying_stage(struct stage *stage, struct fake_time *time, struct clock *clock)
{
	struct error err;

	*time = (struct fake_time){1};
	*clock = (struct clock){read_fake, read_fake, time};
	*stage = (struct stage){.limits = http_server_limits_default};
	arena_init(&stage->arena, 1024 * 1024);
	stage->loop = loop_create(clock, random_system(), &err);
	assert_non_null(stage->loop);
}

static int status_of(struct str reply)
{
	int64_t status = 0;

	if (!str_starts_with(reply, STR("HTTP/1.1 ")))
		return 0;
	return str_to_int64(str_slice(reply, 9, 12), &status) ? (int)status : 0;
}

static bool has(struct str text, const char *part)
{
	return str_find(text, str_from_c(part)) >= 0;
}

/* A head with "Connection: close", and what else is given. */
static struct str raw_request(struct stage *stage, const char *line, const char *more)
{
	return stage_raw(stage, arena_format(&stage->arena,
					     "%s HTTP/1.1\r\nHost: h\r\nConnection: close\r\n%s",
					     line, more));
}

/* --- requests that are fine ---------------------------------------------------------------- */

static void odd_but_right_requests_are_served(void **state)
{
	static const struct {
		const char *line;
		const char *more;
		const char *reply;
	} cases[] = {
		{"GET /", "\r\n", "GET / 0 2 0"},
		{"GET /a%2fb?x&y=&=z", "\r\n", "GET /a%2fb 3 2 0"},
		{"GET http://h/path?x=1", "\r\n", "GET /path 1 2 0"},
		{"GET http://h", "\r\n", "GET / 0 2 0"},
		{"GET /?", "\r\n", "GET / 0 2 0"},
		{"GET /%zz", "\r\n", "GET /%zz 0 2 0"},
		{"BREW /pot", "\r\n", "BREW /pot 0 2 0"},
		{"POST /", "Content-Length: 3\r\n\r\nabc", "POST / 0 3 3"},
		{"POST /", "Content-Length: 0\r\n\r\n", "POST / 0 3 0"},
		{"POST /", "Transfer-Encoding: Chunked\r\n\r\n1\r\na\r\n2\r\nbc\r\n0\r\n\r\n",
		 "POST / 0 3 3"},
		{"DELETE /", "Content-Length: 2\r\n\r\n{}", "DELETE / 0 3 2"},
		{"GET /", "X-A:\r\nX-B: \tb\t \r\n\r\n", "GET / 0 4 0"},
	};
	struct stage *stage = *state;

	stage_serve(stage, answer);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct str reply = raw_request(stage, cases[i].line, cases[i].more);

		assert_int_equal(status_of(reply), 200);
		assert_true(str_ends_with(reply, str_from_c(cases[i].reply)));
		assert_int_equal(stage->handled, i + 1);
	}
	assert_int_equal(stage->refused, 0);
}

static void several_requests_on_one_connection_are_answered_in_order(void **state)
{
	struct stage *stage = *state;

	stage_serve(stage, answer);
	struct str reply =
		stage_raw(stage, STR("GET /1 HTTP/1.1\r\nHost: h\r\n\r\n"
				     "POST /2 HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nab"
				     "GET /3 HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"));
	ptrdiff_t first = str_find(reply, STR("GET /1")), second = str_find(reply, STR("POST /2"));
	ptrdiff_t third = str_find(reply, STR("GET /3"));
	assert_true(first > 0 && first < second && second < third);
	assert_int_equal(stage->handled, 3);
}

static void head_has_a_length_and_no_body(void **state)
{
	struct stage *stage = *state;

	stage_serve(stage, answer);
	struct str reply = raw_request(stage, "HEAD /", "\r\n");
	assert_int_equal(status_of(reply), 200);
	assert_true(has(reply, "Content-Length: 12\r\n"));
	assert_true(str_ends_with(reply, STR("\r\n\r\n")));
}

static void an_expectation_is_met(void **state)
{
	struct stage *stage = *state;

	stage_serve(stage, answer);
	struct str reply = raw_request(stage, "POST /",
				       "Expect: 100-continue\r\nContent-Length: 3\r\n\r\nabc");
	assert_true(str_starts_with(reply, STR("HTTP/1.1 100 ")));
	assert_true(str_ends_with(reply, STR("POST / 0 4 3")));
}

/* --- limits -------------------------------------------------------------------------------- */

static struct str filler(struct stage *stage, size_t len)
{
	char *bytes = arena_alloc(&stage->arena, len + 1);

	memset(bytes, 'x', len);
	bytes[len] = '\0';
	return str_make(bytes, len);
}

static void expect_refusal(struct stage *stage, struct str reply, int status, const char *field)
{
	assert_int_equal(status_of(reply), status);
	assert_string_equal(stage->last_refusal.field, field);
	assert_true(has(reply, "{\"refused\":\""));
	assert_true(has(reply, "Content-Type: application/json"));
	assert_true(has(reply, "Connection: close"));
}

static void the_url_has_a_limit(void **state)
{
	struct stage *stage = *state;

	stage->limits.url_bytes_max = 100;
	stage_serve(stage, answer);
	const char *line = arena_format(&stage->arena, "GET /%s", filler(stage, 99).data).data;
	assert_int_equal(status_of(raw_request(stage, line, "\r\n")), 200);
	line = arena_format(&stage->arena, "GET /%s", filler(stage, 100).data).data;
	expect_refusal(stage, raw_request(stage, line, "\r\n"), 414, "url");
	assert_int_equal(stage->handled, 1);
	assert_int_equal(stage->refused, 1);
}

static void the_headers_have_a_limit(void **state)
{
	struct stage *stage = *state;
	/* "/", "Host" "h" and "Connection" "close", and 4 for each header. */
	size_t others = 1 + 4 + 1 + 4 + 10 + 5 + 4, own = 3 + 4;

	stage->limits.headers_bytes_max = 1000;
	stage_serve(stage, answer);
	const char *more = arena_format(&stage->arena, "X-A: %s\r\n\r\n",
					filler(stage, 1000 - others - own).data)
				   .data;
	assert_int_equal(status_of(raw_request(stage, "GET /", more)), 200);
	more = arena_format(&stage->arena, "X-A: %s\r\n\r\n",
			    filler(stage, 1001 - others - own).data)
		       .data;
	expect_refusal(stage, raw_request(stage, "GET /", more), 431, "headers");
	assert_int_equal(stage->handled, 1);
}

static struct str many_headers(struct stage *stage, int count)
{
	struct buffer out;

	buffer_init(&out, &stage->arena, 100000);
	for (int i = 0; i < count; i++)
		buffer_append_format(&out, "X-%d: y\r\n", i);
	buffer_append(&out, str_make("\r\n", 3));
	return buffer_str(&out);
}

static void the_number_of_headers_has_a_limit(void **state)
{
	struct stage *stage = *state;

	stage_serve(stage, answer);
	assert_int_equal(status_of(raw_request(stage, "GET /", many_headers(stage, 98).data)), 200);
	expect_refusal(stage, raw_request(stage, "GET /", many_headers(stage, 99).data), 431,
		       "headers");
}

static void the_default_limits_are_judged_by_us(void **state)
{
	struct stage *stage = *state;
	size_t url_max = http_server_limits_default.url_bytes_max;
	size_t headers_max = http_server_limits_default.headers_bytes_max;

	stage_serve(stage, answer);
	const char *line =
		arena_format(&stage->arena, "GET /%s", filler(stage, url_max - 1).data).data;
	const char *more = arena_format(&stage->arena, "X-A: %s\r\n\r\n",
					filler(stage, headers_max - url_max - 100).data)
				   .data;
	assert_int_equal(status_of(raw_request(stage, line, more)), 200);
	more = arena_format(&stage->arena, "X-A: %s\r\n\r\n",
			    filler(stage, headers_max - url_max).data)
		       .data;
	expect_refusal(stage, raw_request(stage, line, more), 431, "headers");
	line = arena_format(&stage->arena, "GET /%s", filler(stage, url_max).data).data;
	expect_refusal(stage, raw_request(stage, line, "\r\n"), 414, "url");
}

static void the_query_has_a_limit(void **state)
{
	struct stage *stage = *state;

	stage->limits.fields_max = 3;
	stage_serve(stage, answer);
	assert_true(
		str_ends_with(raw_request(stage, "GET /?a=1&b=2&c=3", "\r\n"), STR("GET / 3 2 0")));
	expect_refusal(stage, raw_request(stage, "GET /?a=1&b=2&c=3&d=4", "\r\n"), 414, "query");
	expect_refusal(stage, raw_request(stage, "GET /?a=%zz", "\r\n"), 400, "a");
}

static void a_query_of_thousands_of_fields_is_refused_by_us(void **state)
{
	struct stage *stage = *state;
	char line[8 * 1024];
	size_t len = (size_t)snprintf(line, sizeof line, "GET /?");

	while (len + 2 < 6000)
		len += (size_t)snprintf(line + len, sizeof line - len, "a&");
	stage_serve(stage, answer);
	expect_refusal(stage, raw_request(stage, line, "\r\n"), 414, "query");
}

static void the_body_has_a_limit(void **state)
{
	struct stage *stage = *state;

	stage->limits.body_bytes_max = 1000;
	stage_serve(stage, answer);
	const char *fits = arena_format(&stage->arena, "Content-Length: 1000\r\n\r\n%s",
					filler(stage, 1000).data)
				   .data;
	assert_true(str_ends_with(raw_request(stage, "POST /", fits), STR(" 1000")));
	/* Who asks first, or has far too much, is refused by its length alone. */
	expect_refusal(stage,
		       raw_request(stage, "POST /",
				   "Expect: 100-continue\r\nContent-Length: 1001\r\n\r\n"),
		       413, "body");
	expect_refusal(stage, raw_request(stage, "POST /", "Content-Length: 16001\r\n\r\n"), 413,
		       "body");
	/* Who is sending already is heard out, and sees why. */
	const char *refused = arena_format(&stage->arena, "Content-Length: 15999\r\n\r\n%s",
					   filler(stage, 15999).data)
				      .data;
	expect_refusal(stage, raw_request(stage, "POST /", refused), 413, "body");
	fits = arena_format(&stage->arena,
			    "Transfer-Encoding: chunked\r\n\r\n3e8\r\n%s\r\n0\r\n\r\n",
			    filler(stage, 1000).data)
		       .data;
	assert_true(str_ends_with(raw_request(stage, "POST /", fits), STR(" 1000")));
	const char *over =
		arena_format(&stage->arena,
			     "Transfer-Encoding: chunked\r\n\r\n3e8\r\n%s\r\n1\r\nx\r\n0\r\n\r\n",
			     filler(stage, 1000).data)
			.data;
	expect_refusal(stage, raw_request(stage, "POST /", over), 413, "body");
	/* Without end: it is read for a while, then the connection goes. */
	over = arena_format(&stage->arena, "Transfer-Encoding: chunked\r\n\r\nfffff\r\n%s",
			    filler(stage, 100000).data)
		       .data;
	assert_int_equal(status_of(raw_request(stage, "POST /", over)), 0);
	assert_int_equal(stage->handled, 2);
}

/* --- malformed ----------------------------------------------------------------------------- */

static void doubtful_framing_is_refused(void **state)
{
	static const char *const cases[] = {
		"Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc",
		"Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
		"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n",
		"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
		"Transfer-Encoding: identity\r\n\r\nabc",
		"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"Transfer-Encoding: xchunked\r\nContent-Length: 3\r\n\r\nabc",
		"Content-Length : 3\r\n\r\nabc",
		"X A: b\r\n\r\n",
		"X-A: a\ab\r\n\r\n",
		"(x): b\r\n\r\n",
	};
	struct stage *stage = *state;

	stage_serve(stage, answer);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct str reply = raw_request(stage, "POST /", cases[i]);

		assert_int_equal(status_of(reply), 400);
		assert_int_equal(stage->refused, i + 1);
		assert_true(has(reply, "{\"refused\":\"invalid\""));
		assert_true(has(reply, "Connection: close"));
	}
	assert_int_equal(stage->handled, 0);
}

/* These the library answers by itself, with a page of its own, or not at all; what counts is that
 * no handler sees them and that the connection ends. */
static void garbage_reaches_no_handler(void **state)
{
	static const char *const cases[] = {
		"GARBAGE\r\n\r\n",
		"GET\r\n\r\n",
		"GET / HTTP/9.9\r\nHost: h\r\n\r\n",
		"GET / HTTX/1.1\r\nHost: h\r\n\r\n",
		"GET /a b HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n",
		"GET / HTTP/1.1\r\nConnection: close\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: h\r\nno colon\r\nConnection: close\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: -1\r\n\r\nabc",
		"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1x\r\n\r\nabc",
		"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 99999999999999999999\r\n\r\nabc",
		"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
		"\x16\x03\x01\x02\x01\x01\xfc\x03\x03\r\n\r\n",
	};
	struct stage *stage = *state;

	stage_serve(stage, answer);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		int status = status_of(stage_raw(stage, str_from_c(cases[i])));

		assert_true(status == 0 || (status >= 400 && status <= 505));
	}
	assert_int_equal(stage->handled, 0);
	assert_int_equal(http_server_active(stage->server), 0);
}

static void odd_bytes_in_the_url_are_refused(void **state)
{
	struct stage *stage = *state;

	stage_serve(stage, answer);
	expect_refusal(stage, raw_request(stage, "GET /\xc3\xa4", "\r\n"), 400, "url");
	expect_refusal(stage, raw_request(stage, "GET /\x7f", "\r\n"), 400, "url");
	expect_refusal(stage, raw_request(stage, "GET /?a=\x01", "\r\n"), 400, "url");
}

/* --- clients that go away ------------------------------------------------------------------ */

struct slow {
	struct loop_wait *wait;
	bool is_done;
};

/* The handler goes on until the test lets it. */
static void be_slow(struct http_handler *handler, struct http_exchange *exchange)
{
	struct stage *stage = handler->context;
	struct slow *slow = stage->extra;
	struct loop_wait wait;

	stage->handled++;
	loop_wait_init(&wait);
	slow->wait = &wait;
	loop_stop(stage->loop);
	loop_wait(&wait, INT64_MAX);
	/* What the request brought is still there. */
	exchange->reply = arena_format(exchange->arena, "%.*s done", STR_ARGS(exchange->body));
	slow->is_done = true;
}

static void a_client_that_goes_away_takes_nothing_with_it(void **state)
{
	struct stage *stage = *state;
	struct slow slow = {0};
	static struct caller caller;

	stage->extra = &slow;
	stage_serve(stage, be_slow);
	caller = (struct caller){
		.stage = stage,
		.leaves = true,
		.bytes = STR("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc")};
	assert_int_equal(pthread_create(&caller.thread, NULL, caller_call, &caller), 0);
	while (slow.wait == NULL)
		loop_run(stage->loop);
	pthread_join(caller.thread, NULL); /* the connection is closed now */
	assert_int_equal(http_server_active(stage->server), 1);
	assert_false(loop_drain(stage->loop, 1)); /* the server may notice */
	loop_wake(slow.wait);
	assert_true(loop_drain(stage->loop, PATIENCE_MS));
	assert_true(slow.is_done);
	while (http_server_active(stage->server) > 0)
		assert_true(loop_drain(stage->loop, 0));
}

/* Where the end comes together with the last bytes libmicrohttpd may not see it; then the read
 * timeout does. */
static void a_client_that_leaves_amid_its_request_is_forgotten(void **state)
{
	static const char *const cases[] = {
		"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nabc",
		"POST / HTTP/1.1\r\nHost: h\r\nX-",
	};
	static struct caller caller;
	struct fake_time time;
	struct clock clock;
	struct stage stage;

	(void)state;
	open_flying_stage(&stage, &time, &clock);
	stage_serve(&stage, answer);
	for (int i = 0; i < 2; i++) {
		caller = (struct caller){
			.stage = &stage, .leaves = true, .bytes = str_from_c(cases[i])};
		assert_int_equal(pthread_create(&caller.thread, NULL, caller_call, &caller), 0);
		loop_run(stage.loop);
		pthread_join(caller.thread, NULL);
		while (http_server_active(stage.server) > 0)
			assert_true(loop_drain(stage.loop, 0));
	}
	assert_int_equal(stage.handled, 0);
	stage_close(&stage);
}

/* --- slow ones ----------------------------------------------------------------------------- */

static void a_request_that_never_ends_is_cut(void **state)
{
	static const char *const cases[] = {
		"",
		"\r\n\r\n\r\n",
		"GET / HT", /* not even a first line: only the idle time counts */
		"GET / HTTP/1.1\r\nHost: h\r\nX-",
		"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nabc",
	};
	struct fake_time time;
	struct clock clock;
	struct stage stage;

	(void)state;
	open_flying_stage(&stage, &time, &clock);
	stage_serve(&stage, answer);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		/* The caller reads until it is cut off; it sends no more, and does not close. */
		struct str reply = stage_raw(&stage, str_from_c(cases[i]));
		assert_int_equal(status_of(reply), 0);
	}
	assert_int_equal(stage.handled, 0);
	stage_close(&stage);
}

/* --- the end ------------------------------------------------------------------------------- */

static void quiesce_finishes_what_runs(void **state)
{
	struct stage *stage = *state;
	struct slow slow = {0};
	static struct caller caller;

	stage->extra = &slow;
	stage_serve(stage, be_slow);
	int idle = caller_connect(stage); /* a connection that nothing came on */
	assert_true(idle >= 0);
	caller = (struct caller){
		.stage = stage,
		.bytes = STR("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc")};
	assert_int_equal(pthread_create(&caller.thread, NULL, caller_call, &caller), 0);
	while (slow.wait == NULL)
		loop_run(stage->loop);
	http_server_quiesce(stage->server);
	http_server_quiesce(stage->server);
	assert_int_equal(http_server_active(stage->server), 1);
	assert_int_equal(caller_connect(stage), -1);
	/* The idle one is closed, the one at work is not. */
	char byte;
	ssize_t got;
	while ((got = recv(idle, &byte, 1, MSG_DONTWAIT)) < 0)
		assert_false(loop_drain(stage->loop, 1));
	assert_int_equal(got, 0);
	close(idle);
	loop_wake(slow.wait);
	loop_run(
		stage->loop); /* until the caller has ended, which the server's close makes it do */
	pthread_join(caller.thread, NULL);
	assert_true(str_ends_with(str_from_c(caller.reply), STR("abc done")));
	assert_true(has(str_from_c(caller.reply), "Connection: close"));
	assert_int_equal(http_server_active(stage->server), 0);
}

static void connections_have_a_limit(void **state)
{
	struct stage *stage = *state;
	int fds[4];

	stage->limits.connections_max = 2;
	stage_serve(stage, answer);
	for (int i = 0; i < 4; i++)
		fds[i] = caller_connect(stage); /* the kernel takes them into its queue */
	assert_true(loop_drain(stage->loop, 0));
	assert_true(loop_drain(stage->loop, 0));
	close(fds[0]);
	close(fds[1]);
	close(fds[2]);
	/* With the first gone, a new caller is served. */
	struct str reply = {NULL, 0};
	for (int tries = 0; tries < 1000 && status_of(reply) != 200; tries++)
		reply = raw_request(stage, "GET /", "\r\n");
	assert_int_equal(status_of(reply), 200);
	close(fds[3]);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, open_stage, close_stage)
	const struct CMUnitTest tests[] = {
		TEST(odd_but_right_requests_are_served),
		TEST(several_requests_on_one_connection_are_answered_in_order),
		TEST(head_has_a_length_and_no_body),
		TEST(an_expectation_is_met),
		TEST(the_url_has_a_limit),
		TEST(the_headers_have_a_limit),
		TEST(the_number_of_headers_has_a_limit),
		TEST(the_default_limits_are_judged_by_us),
		TEST(the_query_has_a_limit),
		TEST(a_query_of_thousands_of_fields_is_refused_by_us),
		TEST(the_body_has_a_limit),
		TEST(doubtful_framing_is_refused),
		TEST(garbage_reaches_no_handler),
		TEST(odd_bytes_in_the_url_are_refused),
		TEST(a_client_that_goes_away_takes_nothing_with_it),
		cmocka_unit_test(a_client_that_leaves_amid_its_request_is_forgotten),
		cmocka_unit_test(a_request_that_never_ends_is_cut),
		TEST(quiesce_finishes_what_runs),
		TEST(connections_have_a_limit),
	};
#undef TEST

	return cmocka_run_group_tests(tests, NULL, NULL);
}
