/* Streamed bodies and replies against callers on raw sockets: those that are slow, go away, ask
 * first, send the next request behind, or mean something else than they say. And forms. */
#include "http_testing.h"

enum { LIMIT = 100000, FLOOD = 64 * 1024 * 1024 };

struct seen {
	struct buffer body;
	size_t read, written, ended;
	struct error read_error, write_error;
	bool could_read, could_write;
	struct loop_wait *first_write;
};

static struct seen seen;

static void take(struct stage *stage, struct http_exchange *exchange)
{
	char piece[7];
	ssize_t got;

	buffer_init(&seen.body, &stage->arena, LIMIT);
	seen.read = 0;
	while ((got = http_exchange_read(exchange, piece, sizeof piece, &seen.read_error)) > 0) {
		buffer_append(&seen.body, str_make(piece, (size_t)got));
		seen.read += (size_t)got;
	}
	seen.could_read = got == 0;
	if (got < 0)
		exchange->status = error_http_status(seen.read_error.code);
	exchange->reply = arena_format(exchange->arena, "took %zu", seen.read);
}

static void give(struct http_exchange *exchange, int64_t length)
{
	static const char text[] = "0123456789";

	http_exchange_begin_reply(exchange, exchange->status, length);
	for (int i = 0; i < 3; i++)
		seen.could_write = http_exchange_write(exchange, str_make(text, sizeof text - 1),
						       &seen.write_error);
	if (str_ends_with(exchange->path, STR("/broken")))
		http_exchange_break(exchange);
}

/* More than all buffers between us and the caller hold. */
static void flood(struct http_exchange *exchange)
{
	static char piece[64 * 1024];

	memset(piece, 'x', sizeof piece);
	http_exchange_begin_reply(exchange, 200, FLOOD);
	for (seen.written = 0; seen.written < FLOOD; seen.written += sizeof piece) {
		seen.could_write = http_exchange_write(exchange, str_make(piece, sizeof piece),
						       &seen.write_error);
		if (!seen.could_write)
			return;
	}
}

static void handle(struct http_handler *handler, struct http_exchange *exchange)
{
	struct stage *stage = handler->context;
	struct str path = exchange->path;

	stage->handled++;
	exchange->content_type = STR("text/plain");
	if (str_starts_with(path, STR("/take")) || str_starts_with(path, STR("/whole")))
		take(stage, exchange);
	else if (str_starts_with(path, STR("/give")))
		give(exchange, 30);
	else if (str_starts_with(path, STR("/chunks")))
		give(exchange, HTTP_LENGTH_UNKNOWN);
	else if (str_starts_with(path, STR("/flood")))
		flood(exchange);
	else if (str_starts_with(path, STR("/refuse")))
		exchange->status = 403, exchange->reply = STR("no");
	else
		exchange->reply = path;
	seen.ended++;
}

static size_t stream_max(struct http_handler *handler, const struct http_exchange *exchange)
{
	(void)handler;
	return str_starts_with(exchange->path, STR("/whole")) ? 0 : LIMIT;
}

static int open_stage(void **state)
{
	struct stage *stage = calloc(1, sizeof *stage);

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

static bool has(struct str text, const char *part)
{
	return str_find(text, str_from_c(part)) >= 0;
}

static size_t count(struct str text, const char *part)
{
	size_t found = 0;
	ptrdiff_t at;

	while ((at = str_find(text, str_from_c(part))) >= 0) {
		found++;
		text = str_slice(text, (size_t)at + 1, text.len);
	}
	return found;
}

static struct str call(struct stage *stage, const char *line, const char *more)
{
	return stage_raw(stage, arena_format(&stage->arena,
					     "%s HTTP/1.1\r\nHost: h\r\nConnection: close\r\n%s",
					     line, more));
}

/* --- requests ------------------------------------------------------------------------------ */

static void framing_is_taken_off(void **state)
{
	static const struct {
		const char *line;
		const char *more;
		const char *body;
	} cases[] = {
		{"POST /take", "Content-Length: 10\r\n\r\n0123456789", "0123456789"},
		{"POST /take", "Content-Length: 0\r\n\r\n", ""},
		{"POST /take", "\r\n", ""},
		{"GET /take", "\r\n", ""},
		{"POST /take",
		 "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n1;x=y\r\nd\r\n0\r\n\r\n", "abcd"},
		{"POST /take", "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", ""},
		{"POST /take",
		 "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nTrailer: x\r\n\r\n", "abc"},
		{"POST /whole", "Content-Length: 10\r\n\r\n0123456789", "0123456789"},
	};
	struct stage *stage = *state;

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct str reply = call(stage, cases[i].line, cases[i].more);

		assert_true(str_starts_with(reply, STR("HTTP/1.1 200 ")));
		assert_true(seen.could_read);
		assert_true(str_equal_c(buffer_str(&seen.body), cases[i].body));
	}
}

static struct str filler(struct stage *stage, size_t len)
{
	char *bytes = arena_alloc(&stage->arena, len + 1);

	memset(bytes, 'x', len);
	bytes[len] = '\0';
	return str_make(bytes, len);
}

static void bodies_that_are_not_whole_are_errors(void **state)
{
	static const char *const bodies[] = {
		"Content-Length: 10\r\n\r\n012345678",
		"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
		"Transfer-Encoding: chunked\r\n\r\n3\r\nabcd\r\n0\r\n\r\n",
		"Transfer-Encoding: chunked\r\n\r\nx\r\nabc\r\n0\r\n\r\n",
	};
	struct stage *stage = *state;

	for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
		static struct caller caller;

		seen.could_read = true;
		caller = (struct caller){
			.stage = stage,
			.leaves = true,
			.bytes = arena_format(&stage->arena, "POST /take HTTP/1.1\r\nHost: h\r\n%s",
					      bodies[i]),
		};
		assert_int_equal(pthread_create(&caller.thread, NULL, caller_call, &caller), 0);
		/* All of it, with the end, is there before the server looks. */
		pthread_join(caller.thread, NULL);
		loop_run(stage->loop);
		while (seen.ended <= i)
			assert_true(loop_drain(stage->loop, PATIENCE_MS));
		assert_false(seen.could_read);
		assert_int_equal(seen.read_error.code, ERROR_INVALID);
	}
}

/* A caller that sends more than one read takes, and goes, while the server is busy elsewhere. */
struct leaver {
	struct stage *stage;
	pthread_t thread;
	struct str bytes;
	int go[2], gone[2];
};

static void await_leaving(void *context)
{
	struct leaver *leaver = context;
	char byte = 0;

	assert_int_equal(write(leaver->go[1], &byte, 1), 1);
	assert_int_equal(read(leaver->gone[0], &byte, 1), 1);
}

static void *send_and_leave(void *context)
{
	struct leaver *leaver = context;
	int fd = caller_connect(leaver->stage);
	char reply[100];

	send_all(fd, STR("POST /take HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\n"
			 "Content-Length: 20000\r\n\r\n"));
	(void)!recv(fd, reply, sizeof reply, 0);
	loop_post(leaver->stage->loop, await_leaving, leaver);
	(void)!read(leaver->go[0], reply, 1);
	send_all(fd, leaver->bytes);
	close(fd);
	(void)!write(leaver->gone[1], reply, 1);
	loop_post(leaver->stage->loop, caller_ended, leaver->stage);
	return NULL;
}

static void an_end_that_comes_with_the_last_bytes_is_noticed(void **state)
{
	struct stage *stage = *state;
	struct leaver leaver = {.stage = stage, .bytes = filler(stage, 10000)};

	assert_int_equal(pipe(leaver.go), 0);
	assert_int_equal(pipe(leaver.gone), 0);
	assert_int_equal(pthread_create(&leaver.thread, NULL, send_and_leave, &leaver), 0);
	loop_run(stage->loop);
	pthread_join(leaver.thread, NULL);
	assert_true(loop_drain(stage->loop, PATIENCE_MS));
	assert_int_equal(seen.read, 10000);
	assert_int_equal(seen.read_error.code, ERROR_INVALID);
	for (int i = 0; i < 2; i++) {
		close(leaver.go[i]);
		close(leaver.gone[i]);
	}
}

static void a_stream_has_a_limit(void **state)
{
	struct stage *stage = *state;
	struct str most = filler(stage, LIMIT), more = filler(stage, LIMIT + 1);

	struct str reply = call(
		stage, "POST /take",
		arena_format(&stage->arena, "Content-Length: %d\r\n\r\n%s", LIMIT, most.data).data);
	assert_true(str_ends_with(reply, STR("took 100000")));
	/* A length that is too large costs no byte of the body. */
	reply = call(stage, "POST /take",
		     "Expect: 100-continue\r\nContent-Length: 100001\r\n\r\n");
	assert_true(str_starts_with(reply, STR("HTTP/1.1 413 ")));
	assert_int_equal(stage->handled, 1);
	reply = call(stage, "POST /take",
		     arena_format(&stage->arena,
				  "Transfer-Encoding: chunked\r\n\r\n186A1\r\n%s\r\n0\r\n\r\n",
				  more.data)
			     .data);
	assert_true(str_starts_with(reply, STR("HTTP/1.1 413 ")));
	assert_false(seen.could_read);
	assert_int_equal(seen.read_error.code, ERROR_LIMIT);
}

static void who_asks_first_is_answered_first(void **state)
{
	struct stage *stage = *state;
	struct str reply =
		call(stage, "POST /take", "Expect: 100-continue\r\nContent-Length: 3\r\n\r\nabc");

	assert_true(str_starts_with(reply, STR("HTTP/1.1 100 ")));
	assert_true(str_ends_with(reply, STR("took 3")));
	/* Refused: neither a 100, nor is the body waited for. */
	reply = call(stage, "POST /refuse", "Expect: 100-continue\r\nContent-Length: 3\r\n\r\n");
	assert_true(str_starts_with(reply, STR("HTTP/1.1 403 ")));
	assert_true(str_ends_with(reply, STR("no")));
	reply = call(stage, "POST /give", "Expect: 100-continue\r\nContent-Length: 3\r\n\r\n");
	assert_true(str_starts_with(reply, STR("HTTP/1.1 200 ")));
	assert_true(has(reply, "Connection: close\r\n"));
	assert_true(str_ends_with(reply, STR("012345678901234567890123456789")));
}

static void the_next_request_is_behind_the_body(void **state)
{
	struct stage *stage = *state;
	struct str big = filler(stage, 90000);
	struct str reply = stage_raw(
		stage,
		arena_format(&stage->arena,
			     "POST /take HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc"
			     "POST /refuse HTTP/1.1\r\nHost: h\r\nContent-Length: 90000\r\n"
			     "\r\n%s"
			     "POST /give HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n"
			     "\r\n3\r\nabc\r\n0\r\n\r\n"
			     "HEAD /give HTTP/1.1\r\nHost: h\r\n\r\n"
			     "HEAD /chunks HTTP/1.1\r\nHost: h\r\n\r\n"
			     "GET /chunks HTTP/1.1\r\nHost: h\r\n\r\n"
			     "GET /last HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n",
			     big.data));
	assert_int_equal(stage->handled, 7);
	assert_int_equal(count(reply, "HTTP/1.1 200 OK\r\n"), 6);
	assert_int_equal(count(reply, "HTTP/1.1 403 "), 1);
	assert_int_equal(count(reply, "Content-Length: 30\r\n"), 2);
	assert_int_equal(count(reply, "Transfer-Encoding: chunked\r\n"), 2);
	assert_int_equal(count(reply, "012345678901234567890123456789"), 1);
	assert_true(has(reply, "\r\n0\r\n\r\nHTTP/1.1 200"));
	assert_true(str_ends_with(reply, STR("/last")));
}

static bool is_reset(struct stage *stage, const char *path)
{
	static struct caller caller;

	caller = (struct caller){
		.stage = stage,
		.bytes = arena_format(&stage->arena, "GET %s HTTP/1.0\r\n\r\n", path),
	};
	assert_int_equal(pthread_create(&caller.thread, NULL, caller_call, &caller), 0);
	loop_run(stage->loop);
	pthread_join(caller.thread, NULL);
	return caller.was_reset;
}

/* Where the connection's end is the body's end. */
static void old_callers_see_a_reset_instead_of_an_end(void **state)
{
	assert_false(is_reset(*state, "/chunks"));
	assert_true(is_reset(*state, "/chunks/broken"));
	assert_false(is_reset(*state, "/give"));
}

/* --- slow ones ----------------------------------------------------------------------------- */

struct slow {
	struct stage *stage;
	pthread_t thread;
	int go[2];
	size_t got;
	bool leaves;
};

static void slow_ended(void *context)
{
	loop_stop(((struct slow *)context)->stage->loop);
}

/* Asks, and reads nothing before it is told to. */
static void *read_slowly(void *context)
{
	static char bytes[64 * 1024];
	struct slow *slow = context;
	int fd = caller_connect(slow->stage);
	char byte;
	ssize_t got;

	send_all(fd, STR("GET /flood HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"));
	while (read(slow->go[0], &byte, 1) < 0)
		continue;
	while (!slow->leaves && (got = recv(fd, bytes, sizeof bytes, 0)) > 0)
		slow->got += (size_t)got;
	if (slow->leaves)
		reset_on_close(fd);
	close(fd);
	loop_post(slow->stage->loop, slow_ended, slow);
	return NULL;
}

/* Other requests pass meanwhile; when the flood has stood still during a few it is stuck. */
static void await_standstill(void *context)
{
	struct slow *slow = context;
	struct stage *stage = slow->stage;
	size_t before = 0;
	int still = 0;

	while (still < 20) {
		struct http_request request = stage_request(stage, HTTP_GET, "/other");
		struct http_response response;
		struct error err;

		assert_true(
			http_client_send(stage->client, &stage->arena, &request, &response, &err));
		still = seen.written > 0 && seen.written == before ? still + 1 : 0;
		before = seen.written;
	}
	assert_in_range(seen.written, 1, FLOOD - 1);
	assert_int_equal(write(slow->go[1], "g", 1), 1);
}

static void run_slow(struct stage *stage, struct slow *slow)
{
	slow->stage = stage;
	assert_int_equal(pipe(slow->go), 0);
	assert_int_equal(pthread_create(&slow->thread, NULL, read_slowly, slow), 0);
	loop_spawn(stage->loop, await_standstill, slow);
	loop_run(stage->loop);
	pthread_join(slow->thread, NULL);
	close(slow->go[0]);
	close(slow->go[1]);
	assert_true(loop_drain(stage->loop, PATIENCE_MS));
}

static void a_slow_reader_is_waited_for(void **state)
{
	struct slow slow = {.leaves = false};

	run_slow(*state, &slow);
	assert_in_range(slow.got, FLOOD, FLOOD + 1000);
	assert_true(seen.could_write);
}

static void a_reader_that_goes_ends_the_reply(void **state)
{
	struct slow slow = {.leaves = true};

	run_slow(*state, &slow);
	assert_false(seen.could_write);
	assert_int_equal(seen.write_error.code, ERROR_UNAVAILABLE);
}

static void *send_byte_by_byte(void *context)
{
	struct caller *caller = context;
	int fd = caller_connect(caller->stage), on = 1;

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	for (size_t i = 0; i < caller->bytes.len; i++)
		send_all(fd, str_slice(caller->bytes, i, i + 1));
	while (recv(fd, caller->reply, sizeof caller->reply, 0) > 0)
		continue;
	close(fd);
	loop_post(caller->stage->loop, caller_ended, caller->stage);
	return NULL;
}

static void a_slow_writer_is_waited_for(void **state)
{
	static struct caller caller;
	struct stage *stage = *state;

	caller = (struct caller){
		.stage = stage,
		.bytes = STR("POST /take HTTP/1.1\r\nHost: h\r\nConnection: close\r\n"
			     "Transfer-Encoding: chunked\r\n\r\n"
			     "a\r\n0123456789\r\n3\r\nabc\r\n0\r\n\r\n"),
	};
	assert_int_equal(pthread_create(&caller.thread, NULL, send_byte_by_byte, &caller), 0);
	loop_run(stage->loop);
	pthread_join(caller.thread, NULL);
	assert_true(str_equal_c(buffer_str(&seen.body), "0123456789abc"));
	assert_true(seen.could_read);
}

static int64_t read_flying(void *context)
{
	return *(int64_t *)context += SECOND_NS;
}

static void a_writer_that_stalls_is_given_up(void **state)
{
	struct stage stage = {.limits = http_server_limits_default};
	int64_t now_ns = 1;
	struct clock clock = {read_flying, read_flying, &now_ns};
	struct error err;

	(void)state;
	seen = (struct seen){0};
	arena_init(&stage.arena, 1024 * 1024);
	stage.loop = loop_create(&clock, random_system(), &err);
	stage_serve(&stage, handle);
	stage.handler.stream_max = stream_max;
	/* The caller waits for the connection's end. */
	struct str reply = stage_raw(&stage, STR("POST /take HTTP/1.1\r\nHost: h\r\n"
						 "Content-Length: 10\r\n\r\nabc"));
	assert_int_equal(reply.len, 0);
	assert_false(seen.could_read);
	assert_int_equal(seen.read, 3);
	assert_int_equal(seen.read_error.code, ERROR_TIMEOUT);
	stage_close(&stage);
}

/* --- forms --------------------------------------------------------------------------------- */

static void fill_with_zeros(void *context, void *bytes, size_t len)
{
	(void)context;
	memset(bytes, 0, len);
}

struct text_source {
	struct http_source base;
	struct str rest;
};

static ssize_t read_text(void *context, void *bytes, size_t max, struct error *err)
{
	struct text_source *text = context;
	size_t len = text->rest.len < max ? text->rest.len : max;

	(void)err;
	memcpy(bytes, text->rest.data, len);
	text->rest = str_slice(text->rest, len, text->rest.len);
	return (ssize_t)len;
}

#define BOUNDARY "tenon-00000000000000000000000000000000"

static const char form_text[] =
	"--" BOUNDARY "\r\nContent-Disposition: form-data; name=\"attachment[candidate_id]\"\r\n"
	"\r\n42\r\n"
	"--" BOUNDARY "\r\nContent-Disposition: form-data; name=\"a%22b\"\r\n\r\n\r\n"
	"--" BOUNDARY "\r\nContent-Disposition: form-data; name=\"attachment[file]\"; "
	"filename=\"r\xc3\xa9sum\xc3\xa9 %22x%22%0D%0A.pdf\"\r\n"
	"Content-Type: application/pdf\r\n\r\n"
	"%PDF-\r\n--" BOUNDARY "x\r\n"
	"\r\n--" BOUNDARY "--\r\n";

static void send_form(void *context)
{
	static const struct http_field fields[] = {
		{{"attachment[candidate_id]", 24}, {"42", 2}},
		{{"a\"b", 3}, {"", 0}},
	};
	struct stage *stage = context;
	struct random zeros = {fill_with_zeros, NULL};

	for (int is_known = 0; is_known < 2; is_known++) {
		struct str bytes = STR("%PDF-\r\n--" BOUNDARY "x\r\n");
		struct text_source text = {{read_text, &text, is_known ? (int64_t)bytes.len : -1},
					   bytes};
		struct http_form_file file = {
			.name = STR("attachment[file]"),
			.filename = STR("r\xc3\xa9sum\xc3\xa9 \"x\"\r\n.pdf"),
			.content_type = STR("application/pdf"),
			.bytes = &text.base,
		};
		struct http_header header = {STR("Content-Type"), {NULL, 0}};
		struct http_request request = stage_request(stage, HTTP_POST, "/take");
		struct http_response response;
		struct error err;

		request.source =
			http_form_source(&stage->arena, &zeros, fields, 2, &file, &header.value);
		request.headers = &header;
		request.header_count = 1;
		assert_true(str_equal_c(header.value, "multipart/form-data; boundary=" BOUNDARY));
		assert_int_equal(request.source->length,
				 is_known ? (int64_t)sizeof form_text - 1 : HTTP_LENGTH_UNKNOWN);
		assert_true(
			http_client_send(stage->client, &stage->arena, &request, &response, &err));
		assert_int_equal(response.status, 200);
		assert_true(str_equal_c(buffer_str(&seen.body), form_text));
	}
}

static void a_form_is_made_while_it_is_sent(void **state)
{
	stage_run(*state, send_form);
}

static void without_a_server_pieces_make_up_the_reply(void **state)
{
	struct stage *stage = *state;
	struct http_exchange exchange = {.arena = &stage->arena, .body = STR("question")};
	struct error err;
	char bytes[100];

	assert_int_equal(http_exchange_read(&exchange, bytes, 3, &err), 3);
	assert_int_equal(http_exchange_read(&exchange, bytes + 3, sizeof bytes, &err), 5);
	assert_int_equal(http_exchange_read(&exchange, bytes, sizeof bytes, &err), 0);
	assert_true(str_equal_c(str_make(bytes, 8), "question"));
	http_exchange_begin_reply(&exchange, 201, HTTP_LENGTH_UNKNOWN);
	assert_true(http_exchange_write(&exchange, STR("ans"), &err));
	assert_true(http_exchange_write(&exchange, STR("wer"), &err));
	assert_true(str_equal_c(exchange.reply, "answer"));
	assert_int_equal(exchange.status, 201);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, open_stage, close_stage)
	const struct CMUnitTest tests[] = {
		TEST(framing_is_taken_off),
		TEST(bodies_that_are_not_whole_are_errors),
		TEST(an_end_that_comes_with_the_last_bytes_is_noticed),
		TEST(a_stream_has_a_limit),
		TEST(who_asks_first_is_answered_first),
		TEST(the_next_request_is_behind_the_body),
		TEST(old_callers_see_a_reset_instead_of_an_end),
		TEST(a_slow_reader_is_waited_for),
		TEST(a_reader_that_goes_ends_the_reply),
		TEST(a_slow_writer_is_waited_for),
		cmocka_unit_test(a_writer_that_stalls_is_given_up),
		TEST(a_form_is_made_while_it_is_sent),
		TEST(without_a_server_pieces_make_up_the_reply),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
