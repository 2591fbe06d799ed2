/* Bodies that are streamed, between our own client and server: whole, bounded, and never taken for
 * whole when they are not. */
#include <sys/resource.h>

#include "http_testing.h"

enum {
	MEGABYTE = 1024 * 1024,
	LARGE = 100 * MEGABYTE,
	MEDIUM = 10 * MEGABYTE,
	WINDOW_MAX = 64 * 1024,
	PATTERN = 65521, /* a prime, so that no piece is like another */
	MANY = 1000,
};

/* --- the bytes ----------------------------------------------------------------------------- */

static unsigned char pattern[PATTERN];

static void make_pattern(void)
{
	uint32_t state = 1;

	for (size_t i = 0; i < PATTERN; i++) {
		state = state * 1664525 + 1013904223;
		pattern[i] = (unsigned char)(state >> 24);
	}
}

static void fill(uint64_t at, void *bytes, size_t len)
{
	for (size_t done = 0; done < len;) {
		size_t from = (size_t)((at + done) % PATTERN);
		size_t part = PATTERN - from < len - done ? PATTERN - from : len - done;

		memcpy((char *)bytes + done, pattern + from, part);
		done += part;
	}
}

static bool is_pattern(uint64_t at, const void *bytes, size_t len)
{
	for (size_t done = 0; done < len;) {
		size_t from = (size_t)((at + done) % PATTERN);
		size_t part = PATTERN - from < len - done ? PATTERN - from : len - done;

		if (memcmp((const char *)bytes + done, pattern + from, part) != 0)
			return false;
		done += part;
	}
	return true;
}

/* A source of the pattern; fails at fail_at, when that is set. */
struct well {
	struct http_source source;
	uint64_t at, end, fail_at;
};

static ssize_t draw(void *context, void *bytes, size_t max, struct error *err)
{
	struct well *well = context;
	size_t len = well->end - well->at < max ? (size_t)(well->end - well->at) : max;

	if (well->fail_at > 0 && well->at + len > well->fail_at) {
		error_set(err, ERROR_UNAVAILABLE, "the well is dry");
		return -1;
	}
	fill(well->at, bytes, len);
	well->at += len;
	return (ssize_t)len;
}

static struct well make_well(uint64_t bytes, int64_t length)
{
	return (struct well){.source = {draw, NULL, length}, .end = bytes};
}

/* --- the server ---------------------------------------------------------------------------- */

/* What the handlers saw, for the tests to judge. */
struct seen {
	uint64_t read, written;
	struct error read_error, write_error;
	size_t ended;
	size_t arena_bytes_max;
};

static struct seen seen;

static int64_t number_of(struct http_exchange *exchange, const char *name, int64_t otherwise)
{
	struct str value;
	int64_t number;

	if (!http_exchange_query(exchange, name, &value))
		return otherwise;
	assert_true(str_to_int64(value, &number));
	return number;
}

/* "/up?read=N": reads the body (up to N bytes of it), and says how much it was. */
static void take_upload(struct http_exchange *exchange)
{
	uint64_t bytes_max = (uint64_t)number_of(exchange, "read", INT64_MAX), at = 0;
	char piece[10000];
	ssize_t got = 1;

	while (at < bytes_max &&
	       (got = http_exchange_read(exchange, piece, sizeof piece, &seen.read_error)) > 0) {
		assert_true(is_pattern(at, piece, (size_t)got));
		at += (uint64_t)got;
	}
	seen.read = at;
	if (got < 0)
		exchange->status = 400;
	exchange->reply = arena_format(exchange->arena, "%llu", (unsigned long long)at);
}

/* "/down?bytes=N&promise=M&break=1": writes N bytes of the pattern, promising M. */
static void give_download(struct http_exchange *exchange)
{
	uint64_t bytes = (uint64_t)number_of(exchange, "bytes", 0), at = 0;
	char piece[10000];

	http_exchange_begin_reply(exchange, 200, number_of(exchange, "promise", -1));
	while (at < bytes) {
		size_t len = bytes - at < sizeof piece ? (size_t)(bytes - at) : sizeof piece;

		fill(at, piece, len);
		if (!http_exchange_write(exchange, str_make(piece, len), &seen.write_error))
			break;
		at += len;
		seen.written = at;
	}
	if (number_of(exchange, "break", 0) != 0)
		http_exchange_break(exchange);
}

/* "/pass/…": passes both bodies through, as the proxy does. */
static void pass_on(struct stage *stage, struct http_exchange *exchange)
{
	struct http_request request = stage_request(stage, exchange->method, "");
	struct http_response response;
	struct error err;
	char piece[10000];
	ssize_t got;

	request.url =
		arena_format(exchange->arena, "http://%.*s%.*s?bytes=%lld", STR_ARGS(stage->bound),
			     STR_ARGS(str_slice(exchange->path, 5, exchange->path.len)),
			     (long long)number_of(exchange, "bytes", 0));
	request.response_bytes_max = 0;
	if (exchange->is_stream)
		request.source = http_exchange_source(exchange);
	struct http_call *call =
		http_client_open(stage->client, exchange->arena, &request, &response, &err);
	if (call == NULL) {
		exchange->status = error_http_status(err.code);
		return;
	}
	http_exchange_begin_reply(exchange, response.status, response.body_length);
	while ((got = http_client_read(call, piece, sizeof piece, &err)) > 0)
		if (!http_exchange_write(exchange, str_make(piece, (size_t)got), &seen.write_error))
			break;
	if (got < 0)
		http_exchange_break(exchange);
	http_client_close(call);
}

static void handle(struct http_handler *handler, struct http_exchange *exchange)
{
	struct stage *stage = handler->context;

	stage->handled++;
	if (str_starts_with(exchange->path, STR("/up")))
		take_upload(exchange);
	else if (str_starts_with(exchange->path, STR("/down")))
		give_download(exchange);
	else if (str_starts_with(exchange->path, STR("/pass")))
		pass_on(stage, exchange);
	else if (str_starts_with(exchange->path, STR("/refuse")))
		exchange->status = 403;
	seen.ended++;
	if (exchange->arena->bytes > seen.arena_bytes_max)
		seen.arena_bytes_max = exchange->arena->bytes;
}

static size_t stream_max(struct http_handler *handler, const struct http_exchange *exchange)
{
	(void)handler;
	return str_starts_with(exchange->path, STR("/whole")) ? 0 : LARGE;
}

static int open_stage(void **state)
{
	struct stage *stage = calloc(1, sizeof *stage);

	make_pattern();
	seen = (struct seen){0};
	stage_open(stage);
	stage_serve(stage, handle);
	stage->handler.stream_max = stream_max;
	*state = stage;
	return 0;
}

static int close_stage(void **state)
{
	stage_close(*state);
	free(*state);
	return 0;
}

/* --- the caller ---------------------------------------------------------------------------- */

/* Reads a download to its end; how many bytes, or -1 when it did not end well. */
static int64_t read_all(struct http_call *call, struct error *err)
{
	char piece[7919];
	uint64_t at = 0;
	ssize_t got;

	while ((got = http_client_read(call, piece, sizeof piece, err)) > 0) {
		assert_true(is_pattern(at, piece, (size_t)got));
		at += (uint64_t)got;
	}
	return got < 0 ? -1 : (int64_t)at;
}

static int64_t download(struct stage *stage, const char *path, struct http_response *response,
			struct error *err)
{
	struct http_request request = stage_request(stage, HTTP_GET, path);
	struct arena arena;
	int64_t bytes = -1;

	arena_init(&arena, MEGABYTE);
	request.response_bytes_max = 0;
	struct http_call *call = http_client_open(stage->client, &arena, &request, response, err);
	if (call != NULL) {
		bytes = read_all(call, err);
		http_client_close(call);
	}
	response->headers = NULL; /* they were in the arena */
	if (arena.bytes > seen.arena_bytes_max)
		seen.arena_bytes_max = arena.bytes;
	arena_finish(&arena);
	return bytes;
}

static bool upload(struct stage *stage, const char *path, struct well *well,
		   struct http_response *response, struct error *err)
{
	struct http_request request = stage_request(stage, HTTP_POST, path);

	well->source.context = well;
	request.source = &well->source;
	return http_client_send(stage->client, &stage->arena, &request, response, err);
}

static void expect_bounded(struct stage *stage)
{
	assert_in_range(http_client_window_peak(stage->client), 0, WINDOW_MAX);
	assert_in_range(http_server_window_peak(stage->server), 0, WINDOW_MAX);
	assert_in_range(seen.arena_bytes_max, 1, 4 * WINDOW_MAX);
}

static void download_large(void *context)
{
	struct stage *stage = context;
	struct http_response response;
	struct error err;

	assert_int_equal(
		download(stage, "/down?bytes=10485760&promise=10485760", &response, &err), MEDIUM);
	assert_int_equal(response.body_length, MEDIUM);
	assert_int_equal(response.status, 200);
}

static void a_large_download_takes_little_memory(void **state)
{
	stage_run(*state, download_large);
	expect_bounded(*state);
}

static void download_chunked(void *context)
{
	struct stage *stage = context;
	struct http_response response;
	struct error err;

	for (int i = 0; i < 2; i++) {
		assert_int_equal(download(stage, "/down?bytes=3000000", &response, &err), 3000000);
		assert_int_equal(response.body_length, HTTP_LENGTH_UNKNOWN);
	}
	assert_int_equal(download(stage, "/down?bytes=0", &response, &err), 0);
	assert_int_equal(download(stage, "/down?bytes=0&promise=0", &response, &err), 0);
	assert_int_equal(download(stage, "/down?bytes=1&promise=1", &response, &err), 1);
}

static void a_download_may_come_without_a_length(void **state)
{
	stage_run(*state, download_chunked);
}

static void upload_large(void *context)
{
	struct stage *stage = context;
	struct well well = make_well(MEDIUM, MEDIUM);
	struct http_response response;
	struct error err;

	assert_true(upload(stage, "/up", &well, &response, &err));
	assert_int_equal(response.status, 200);
	assert_true(str_equal_c(response.body, "10485760"));
}

static void a_large_upload_takes_little_memory(void **state)
{
	stage_run(*state, upload_large);
	expect_bounded(*state);
}

static void upload_odd_sizes(void *context)
{
	static const uint64_t sizes[] = {0, 1, 32767, 32768, 32769, 1000003};
	struct stage *stage = context;

	for (size_t i = 0; i < 2 * (sizeof sizes / sizeof *sizes); i++) {
		uint64_t size = sizes[i / 2];
		struct well well = make_well(size, i % 2 ? (int64_t)size : HTTP_LENGTH_UNKNOWN);
		struct http_response response;
		struct error err;

		assert_true(upload(stage, i % 3 ? "/up" : "/pass/up", &well, &response, &err));
		assert_int_equal(response.status, 200);
		assert_int_equal(seen.read, size);
	}
}

static void uploads_of_all_sizes_arrive(void **state)
{
	stage_run(*state, upload_odd_sizes);
}

static void pass_both_ways(void *context)
{
	struct stage *stage = context;
	struct well well = make_well(LARGE, LARGE);
	struct http_response response;
	struct error err;

	assert_true(upload(stage, "/pass/up", &well, &response, &err));
	assert_true(str_equal_c(response.body, "104857600"));
	assert_int_equal(download(stage, "/pass/down?bytes=104857600", &response, &err), LARGE);
}

static void a_proxy_passes_large_bodies_both_ways(void **state)
{
	stage_run(*state, pass_both_ways);
	expect_bounded(*state);
}

static void call_whole(void *context)
{
	struct stage *stage = context;
	struct well well = make_well(5000, 5000);
	struct http_response response;
	struct error err;

	assert_true(upload(stage, "/whole", &well, &response, &err));
	assert_int_equal(response.status, 200);
	/* More than comes whole: refused by its length. */
	well = make_well(2 * MEGABYTE, 2 * MEGABYTE);
	if (upload(stage, "/whole", &well, &response, &err))
		assert_int_equal(response.status, 413);
}

static void other_routes_keep_their_limit(void **state)
{
	struct stage *stage = *state;

	stage_run(stage, call_whole);
	assert_int_equal(stage->refused, 1);
}

/* --- what goes wrong ----------------------------------------------------------------------- */

static void break_downloads(void *context)
{
	static const char *const paths[] = {
		"/down?bytes=50000&promise=60000",	   /* too few */
		"/down?bytes=60000&promise=50000",	   /* too many */
		"/down?bytes=50000&promise=50000&break=1", /* all, and then it was not good */
		"/down?bytes=50000&break=1",
		"/pass/down?bytes=50000&break=1",
	};
	struct stage *stage = context;

	for (size_t i = 0; i + 1 < sizeof paths / sizeof *paths; i++) {
		struct http_response response;
		struct error err;

		assert_int_equal(download(stage, paths[i], &response, &err), -1);
		assert_int_equal(err.code, ERROR_UPSTREAM);
		assert_int_equal(response.status, 200);
	}
}

static void a_reply_that_broke_off_is_seen_to(void **state)
{
	stage_run(*state, break_downloads);
}

static void send_wrong_lengths(void *context)
{
	struct stage *stage = context;
	struct well wells[] = {
		make_well(50000, 60000),   make_well(60000, 50000),
		make_well(100000, 100000), make_well(100000, HTTP_LENGTH_UNKNOWN),
		make_well(1, 0),
	};

	wells[2].fail_at = wells[3].fail_at = 70000;
	for (size_t i = 0; i < sizeof wells / sizeof *wells; i++) {
		struct http_response response;
		struct error err;

		assert_false(upload(stage, "/up", &wells[i], &response, &err));
		assert_int_equal(response.outcome, HTTP_REFUSED);
		assert_int_equal(err.code, i == 2 || i == 3 ? ERROR_UNAVAILABLE : ERROR_INVALID);
	}
}

static void a_source_that_fails_breaks_the_request_off(void **state)
{
	struct stage *stage = *state;

	stage_run(stage, send_wrong_lengths);
	/* Those which had begun never were whole. */
	assert_int_equal(seen.ended, stage->handled);
	assert_int_equal(seen.read_error.code, ERROR_INVALID);
	assert_string_equal(seen.read_error.message, "the body broke off");
}

static void close_early(void *context)
{
	struct stage *stage = context;
	struct http_request request = stage_request(stage, HTTP_GET, "/pass/down?bytes=104857600");
	struct http_response response;
	struct error err;
	char byte;

	struct http_call *call =
		http_client_open(stage->client, &stage->arena, &request, &response, &err);
	assert_non_null(call);
	assert_int_equal(http_client_read(call, &byte, 1, &err), 1);
	http_client_close(call);
}

static void a_caller_that_goes_stops_the_upstream_too(void **state)
{
	stage_run(*state, close_early);
	assert_int_equal(seen.ended, 2); /* the proxy and what is behind it */
	assert_int_equal(seen.write_error.code, ERROR_UNAVAILABLE);
	assert_in_range(seen.written, 0, LARGE - 1);
}

/* Peers on raw sockets, whose replies end too early, or not at all. */
struct cut {
	const char *reply;
	const char *body; /* what is read before the error */
	enum error_code code;
	bool stays;
};

static const struct cut cuts[] = {
	{"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc", "abc", ERROR_UPSTREAM, false},
	{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n", "abc", ERROR_UPSTREAM,
	 false},
	{"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc", "abc", ERROR_TIMEOUT, true},
	{"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nabcdefghijklmnopqrstuvwxyz", "", ERROR_LIMIT,
	 false},
	{"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc", "abc",
	 ERROR_NONE, false},
	{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nHTTP/x: y\r\n\r\n",
	 "abc", ERROR_NONE, false},
	{"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc", "abc",
	 ERROR_NONE, false},
};

struct cutting {
	struct stage *stage;
	struct str url;
	const struct cut *cut;
};

static void read_cut(void *context)
{
	struct cutting *cutting = context;
	struct stage *stage = cutting->stage;
	struct http_request request = stage_request(stage, HTTP_GET, "/");
	struct http_response response;
	struct error err = {0};
	char body[100];
	size_t len = 0;
	ssize_t got;

	request.url = cutting->url;
	request.idle_timeout_ms = cutting->cut->stays ? 1 : 0;
	request.response_bytes_max = 20;
	struct http_call *call =
		http_client_open(stage->client, &stage->arena, &request, &response, &err);
	assert_non_null(call);
	assert_int_equal(response.status, 200);
	while ((got = http_client_read(call, body + len, sizeof body - len, &err)) > 0)
		len += (size_t)got;
	assert_true(str_equal_c(str_make(body, len), cutting->cut->body));
	assert_int_equal(got, cutting->cut->code == ERROR_NONE ? 0 : -1);
	assert_int_equal(err.code, cutting->cut->code);
	http_client_close(call);
}

static void an_upstream_that_breaks_off_is_noticed(void **state)
{
	struct stage *stage = *state;

	for (size_t i = 0; i < sizeof cuts / sizeof *cuts; i++) {
		struct peer peer = {
			.replies = &cuts[i].reply, .reply_count = 1, .stays = cuts[i].stays};
		struct cutting cutting = {stage, peer_start(&peer, &stage->arena), &cuts[i]};

		loop_spawn(stage->loop, read_cut, &cutting);
		assert_true(loop_drain(stage->loop, PATIENCE_MS));
		peer_finish(&peer);
	}
}

struct hasty {
	struct stage *stage;
	struct str url;
	int64_t length;
};

static void upload_to_hasty(void *context)
{
	struct hasty *hasty = context;
	struct stage *stage = hasty->stage;
	struct well well = make_well(LARGE, LARGE);
	struct http_request request = stage_request(stage, HTTP_POST, "/");
	struct http_response response;
	struct error err;

	well.source.context = &well;
	request.source = &well.source;
	request.url = hasty->url;
	assert_false(http_client_send(stage->client, &stage->arena, &request, &response, &err));
	assert_int_equal(response.outcome, HTTP_BROKEN);
	assert_int_equal(err.code, ERROR_UPSTREAM);
	assert_in_range(well.at, 0, LARGE - 1);
}

static void upload_to_early(void *context)
{
	struct hasty *early = context;
	struct stage *stage = early->stage;
	struct well well = make_well(LARGE, early->length);
	struct http_request request = stage_request(stage, HTTP_POST, "/");
	struct http_response response;
	struct error err;

	well.source.context = &well;
	request.source = &well.source;
	request.url = early->url;
	assert_true(http_client_send(stage->client, &stage->arena, &request, &response, &err));
	assert_int_equal(response.status, 200);
	assert_true(str_equal_c(response.body, "ok"));
	assert_in_range(well.at, 0, LARGE - 1);
}

/* The peer never reads the body, so that it can never be sent. */
static void an_answer_before_the_body_is_heard_counts(void **state)
{
	static const char *const replies[] = {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"};
	static const int64_t lengths[] = {LARGE, HTTP_LENGTH_UNKNOWN};
	struct stage *stage = *state;

	for (size_t i = 0; i < 2; i++) {
		struct peer peer = {.replies = replies, .reply_count = 1, .stays = true};
		struct hasty early = {stage, peer_start(&peer, &stage->arena), lengths[i]};

		loop_spawn(stage->loop, upload_to_early, &early);
		assert_true(loop_drain(stage->loop, PATIENCE_MS));
		peer_finish(&peer);
	}
}

static void an_upstream_that_goes_ends_the_upload(void **state)
{
	static const char *const replies[] = {NULL};
	struct stage *stage = *state;
	struct peer peer = {.replies = replies, .reply_count = 1};
	struct hasty hasty = {stage, peer_start(&peer, &stage->arena)};

	loop_spawn(stage->loop, upload_to_hasty, &hasty);
	assert_true(loop_drain(stage->loop, PATIENCE_MS));
	peer_finish(&peer);
}

/* --- many, and the end --------------------------------------------------------------------- */

/* Each holds its call open until all have one. */
struct crowd {
	struct stage *stage;
	struct loop_wait *waiting[MANY];
	size_t count;
};

static void gather(struct crowd *crowd)
{
	struct loop_wait wait;

	loop_wait_init(&wait);
	crowd->waiting[crowd->count++] = &wait;
	if (crowd->count < MANY) {
		loop_wait(&wait, INT64_MAX);
		return;
	}
	for (size_t i = 0; i + 1 < MANY; i++)
		loop_wake(crowd->waiting[i]);
}

static void download_one_of_many(void *context)
{
	struct crowd *crowd = context;
	struct stage *stage = crowd->stage;
	struct http_request request = stage_request(stage, HTTP_GET, "/down?bytes=100000");
	struct http_response response;
	struct error err;

	struct http_call *call =
		http_client_open(stage->client, &stage->arena, &request, &response, &err);
	assert_non_null(call);
	gather(crowd);
	assert_int_equal(read_all(call, &err), 100000);
	http_client_close(call);
}

static void a_thousand_streams_go_at_once(void **state)
{
	static struct crowd crowd;
	struct stage *stage = *state;
	struct rlimit files;

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &files), 0);
	files.rlim_cur = files.rlim_max;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &files), 0);
	crowd = (struct crowd){.stage = stage};
	for (int i = 0; i < MANY; i++)
		loop_spawn(stage->loop, download_one_of_many, &crowd);
	assert_true(loop_drain(stage->loop, PATIENCE_MS));
	assert_int_equal(crowd.count, MANY);
	assert_int_equal(seen.ended, MANY);
	expect_bounded(stage);
}

static void quiesce_amid(void *context)
{
	struct stage *stage = context;
	struct http_request request = stage_request(stage, HTTP_GET, "/down?bytes=5000000");
	struct http_response response;
	struct error err;

	request.response_bytes_max = 0;
	struct http_call *call =
		http_client_open(stage->client, &stage->arena, &request, &response, &err);
	assert_non_null(call);
	http_server_quiesce(stage->server);
	assert_int_equal(http_server_active(stage->server), 1);
	assert_int_equal(read_all(call, &err), 5000000);
	http_client_close(call);
}

static void a_server_that_shuts_finishes_its_streams(void **state)
{
	struct stage *stage = *state;

	stage_run(stage, quiesce_amid);
	assert_int_equal(http_server_active(stage->server), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, open_stage, close_stage)
	const struct CMUnitTest tests[] = {
		TEST(a_large_download_takes_little_memory),
		TEST(a_download_may_come_without_a_length),
		TEST(a_large_upload_takes_little_memory),
		TEST(uploads_of_all_sizes_arrive),
		TEST(a_proxy_passes_large_bodies_both_ways),
		TEST(other_routes_keep_their_limit),
		TEST(a_reply_that_broke_off_is_seen_to),
		TEST(a_source_that_fails_breaks_the_request_off),
		TEST(a_caller_that_goes_stops_the_upstream_too),
		TEST(an_upstream_that_breaks_off_is_noticed),
		TEST(an_answer_before_the_body_is_heard_counts),
		TEST(an_upstream_that_goes_ends_the_upload),
		TEST(a_thousand_streams_go_at_once),
		TEST(a_server_that_shuts_finishes_its_streams),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
