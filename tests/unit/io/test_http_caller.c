/* Callers that leave while their request is carried out: what the request waits for ends, its own
 * calls are broken off, and nothing stays behind. The upstream is the server itself, on another
 * path; it notices that it was left in the same way. */
#include <dirent.h>
#include <fcntl.h>

#include "http_testing.h"

enum { MANY = 1000 };

struct watched {
	size_t began, stalled, interrupted, gone, ended;
	enum http_outcome outcome;
	struct error err;
	struct loop_wait *wait; /* of a handler that somebody has to wake */
	bool asks_late;
	size_t written;
};

static void stall(struct watched *watched, struct http_exchange *exchange)
{
	struct loop_wait wait;

	http_exchange_end_with_caller(exchange);
	loop_wait_init(&wait);
	watched->stalled++;
	assert_false(loop_wait(&wait, LOOP_UNTIL_INTERRUPTED));
	assert_true(loop_is_interrupted());
	assert_true(http_exchange_is_gone(exchange));
	watched->interrupted++;
}

static void begin_and_stall(struct watched *watched, struct http_exchange *exchange)
{
	struct error err;

	http_exchange_begin_reply(exchange, 200, HTTP_LENGTH_UNKNOWN);
	assert_true(http_exchange_write(exchange, STR("first"), &err));
	stall(watched, exchange);
	assert_false(http_exchange_write(exchange, STR("second"), &err));
	assert_int_equal(err.code, ERROR_UNAVAILABLE);
}

static void ask(struct stage *stage, struct watched *watched, struct http_exchange *exchange,
		const char *path)
{
	struct http_request request = stage_request(stage, HTTP_GET, path);
	struct http_response response;

	request.url = arena_str(exchange->arena, request.url);
	http_exchange_end_with_caller(exchange);
	assert_false(http_exchange_is_gone(exchange));
	assert_false(http_client_send(stage->client, exchange->arena, &request, &response,
				      &watched->err));
	watched->outcome = response.outcome;
	watched->gone += http_exchange_is_gone(exchange);
}

static void pass(struct stage *stage, struct watched *watched, struct http_exchange *exchange)
{
	struct http_request request = stage_request(stage, HTTP_GET, "/begin-and-stall");
	struct http_response response;
	char bytes[16];

	request.deadline_ns = INT64_MAX;
	http_exchange_end_with_caller(exchange);
	struct http_call *call = http_client_open(stage->client, exchange->arena, &request,
						  &response, &watched->err);
	assert_non_null(call);
	assert_int_equal(http_client_read(call, bytes, sizeof bytes, &watched->err), 5);
	assert_int_equal(http_client_read(call, bytes, sizeof bytes, &watched->err), -1);
	watched->gone += http_exchange_is_gone(exchange);
	http_client_close(call);
}

/* Somebody must wake it, and what it waits for then is given up. */
static void wait_twice(struct watched *watched, struct http_exchange *exchange)
{
	struct loop_wait wait;

	if (!watched->asks_late)
		http_exchange_end_with_caller(exchange);
	loop_wait_init(&wait);
	watched->wait = &wait;
	assert_true(loop_wait(&wait, INT64_MAX));
	watched->wait = NULL;
	if (watched->asks_late)
		http_exchange_end_with_caller(exchange);
	loop_sleep_ms(PATIENCE_MS * 1000);
	watched->interrupted += loop_is_interrupted();
	watched->gone += http_exchange_is_gone(exchange);
}

static void write_on(struct watched *watched, struct http_exchange *exchange)
{
	static char bytes[64 * 1024];
	struct error err;

	http_exchange_end_with_caller(exchange);
	http_exchange_begin_reply(exchange, 200, HTTP_LENGTH_UNKNOWN);
	while (http_exchange_write(exchange, str_make(bytes, sizeof bytes), &err))
		watched->written++;
	assert_int_equal(err.code, ERROR_UNAVAILABLE);
	watched->gone += http_exchange_is_gone(exchange);
}

static void handle(struct http_handler *handler, struct http_exchange *exchange)
{
	struct stage *stage = handler->context;
	struct watched *watched = stage->extra;

	watched->began++;
	if (str_equal(exchange->path, STR("/stall")))
		stall(watched, exchange);
	else if (str_equal(exchange->path, STR("/begin-and-stall")))
		begin_and_stall(watched, exchange);
	else if (str_equal(exchange->path, STR("/ask")))
		ask(stage, watched, exchange, "/stall");
	else if (str_equal(exchange->path, STR("/pass")))
		pass(stage, watched, exchange);
	else if (str_equal(exchange->path, STR("/wait-twice")))
		wait_twice(watched, exchange);
	else if (str_equal(exchange->path, STR("/write-on")))
		write_on(watched, exchange);
	else
		exchange->reply = STR("{}");
	watched->ended++;
}

static int setup(void **state)
{
	static struct stage stage;
	static struct watched watched;

	watched = (struct watched){0};
	stage_open(&stage);
	stage.extra = &watched;
	stage_serve(&stage, handle);
	*state = &stage;
	return 0;
}

static int teardown(void **state)
{
	stage_close(*state);
	return 0;
}

static int call_raw(struct stage *stage, const char *path)
{
	int fd = caller_connect(stage);

	assert_true(fd >= 0);
	assert_true(send_all(fd, arena_format(&stage->arena, "GET %s HTTP/1.1\r\nHost: h\r\n\r\n",
					      path)));
	return fd;
}

static void run_until(struct stage *stage, const size_t *count, size_t wanted)
{
	int64_t end_ns = soon();

	while (*count < wanted) {
		(void)loop_drain(stage->loop, 0);
		assert_true(clock_monotonic_ns(clock_system()) < end_ns);
	}
}

/* Until the server and the loop have forgotten everything. */
static void run_out(struct stage *stage)
{
	int64_t end_ns = soon();

	while (http_server_active(stage->server) > 0 || loop_fiber_count(stage->loop) > 0) {
		(void)loop_drain(stage->loop, 0);
		assert_true(clock_monotonic_ns(clock_system()) < end_ns);
	}
}

static void a_caller_that_leaves_ends_the_call_to_the_upstream(void **state)
{
	struct stage *stage = *state;
	struct watched *watched = stage->extra;
	int fd = call_raw(stage, "/ask");

	run_until(stage, &watched->stalled, 1);
	close(fd);
	run_out(stage);
	assert_int_equal(watched->interrupted, 1);
	assert_int_equal(watched->gone, 1);
	assert_int_equal(watched->ended, 2);
	/* It had been sent: what the upstream did nobody knows. */
	assert_int_equal(watched->outcome, HTTP_TIMED_OUT);
	assert_int_equal(watched->err.code, ERROR_TIMEOUT);
	assert_non_null(strstr(watched->err.message, "given up"));
}

static void so_it_does_for_a_body_that_comes_piece_by_piece(void **state)
{
	struct stage *stage = *state;
	struct watched *watched = stage->extra;
	int fd = call_raw(stage, "/pass");

	run_until(stage, &watched->stalled, 1);
	close(fd);
	run_out(stage);
	assert_int_equal(watched->interrupted, 1);
	assert_int_equal(watched->gone, 1);
	assert_int_equal(watched->err.code, ERROR_TIMEOUT);
}

static void a_reset_is_an_end_too(void **state)
{
	struct stage *stage = *state;
	struct watched *watched = stage->extra;
	int fd = call_raw(stage, "/ask");

	run_until(stage, &watched->stalled, 1);
	reset_on_close(fd);
	close(fd);
	run_out(stage);
	assert_int_equal(watched->interrupted, 1);
}

static void what_cannot_be_given_up_is_waited_for(void **state)
{
	struct stage *stage = *state;
	struct watched *watched = stage->extra;
	int fd = call_raw(stage, "/wait-twice");

	while (watched->wait == NULL)
		(void)loop_drain(stage->loop, 0);
	close(fd);
	for (int i = 0; i < 20; i++)
		assert_false(loop_drain(stage->loop, 0));
	assert_int_equal(watched->ended, 0);
	loop_wake(watched->wait);
	run_out(stage);
	assert_int_equal(watched->interrupted, 1);
	assert_int_equal(watched->gone, 1);
}

static void who_asks_only_after_the_caller_has_left_hears_of_it(void **state)
{
	struct stage *stage = *state;
	struct watched *watched = stage->extra;

	watched->asks_late = true;
	int fd = call_raw(stage, "/wait-twice");
	while (watched->wait == NULL)
		(void)loop_drain(stage->loop, 0);
	close(fd);
	for (int i = 0; i < 20; i++)
		assert_false(loop_drain(stage->loop, 0));
	loop_wake(watched->wait);
	run_out(stage);
	assert_int_equal(watched->interrupted, 1);
	assert_int_equal(watched->gone, 1);
}

static void a_reply_that_nobody_reads_any_more_ends(void **state)
{
	struct stage *stage = *state;
	struct watched *watched = stage->extra;
	int fd = call_raw(stage, "/write-on");

	run_until(stage, &watched->written, 2);
	close(fd);
	run_out(stage);
	assert_int_equal(watched->gone, 1);
}

static size_t count_descriptors(void)
{
	DIR *folder = opendir("/proc/self/fd");
	size_t count = 0;

	assert_non_null(folder);
	while (readdir(folder) != NULL)
		count++;
	closedir(folder);
	return count;
}

/* The one connection of the client is waited for, gone from the queue, and free again. */
static void places_are_given_back(void **state)
{
	struct stage *stage = *state;
	struct watched *watched = stage->extra;
	struct http_client_options options = {.calls_max = 1};
	struct error err;

	http_client_destroy(stage->client);
	stage->client = http_client_create(stage->loop, &options, &err);
	assert_non_null(stage->client);
	int first = call_raw(stage, "/ask");
	run_until(stage, &watched->stalled, 1);
	int second = call_raw(stage, "/ask");
	run_until(stage, &watched->began, 3);
	close(second);
	run_until(stage, &watched->ended, 1);
	assert_int_equal(watched->outcome, HTTP_NOT_SENT);
	int third = call_raw(stage, "/ask"), fourth = call_raw(stage, "/ask");
	run_until(stage, &watched->began, 5);
	/* The place goes to the third while it leaves. */
	close(first);
	close(third);
	run_until(stage, &watched->stalled, 2);
	close(fourth);
	run_out(stage);
	assert_int_equal(watched->gone, 4);
	int fifth = call_raw(stage, "/ask");
	run_until(stage, &watched->stalled, 3);
	close(fifth);
	run_out(stage);
}

static void a_thousand_that_leave_take_nothing_along(void **state)
{
	struct stage *stage = *state;
	struct watched *watched = stage->extra;
	size_t descriptors = 0;

	for (size_t i = 1; i <= MANY; i++) {
		int fd = call_raw(stage, i % 2 == 0 ? "/ask" : "/pass");

		run_until(stage, &watched->stalled, i);
		close(fd);
		run_out(stage);
		if (i == 10)
			descriptors = count_descriptors();
	}
	assert_int_equal(watched->interrupted, MANY);
	assert_int_equal(watched->gone, MANY);
	assert_int_equal(count_descriptors(), descriptors);
}

static void answer_in_time(void *context)
{
	struct stage *stage = context;
	struct http_request request = stage_request(stage, HTTP_GET, "/");
	struct http_response response;
	struct error err;

	for (int i = 0; i < 10; i++) {
		assert_true(http_client_send(stage->client, &stage->arena, &request, &response,
					     &err));
		assert_int_equal(response.status, 200);
		stage->handled++;
	}
}

/* The next request of a connection knows nothing of the one before it. */
static void connections_go_on_after_one_was_left(void **state)
{
	struct stage *stage = *state;
	struct watched *watched = stage->extra;
	int fd = call_raw(stage, "/ask");

	loop_spawn(stage->loop, answer_in_time, stage);
	run_until(stage, &stage->handled, 10);
	run_until(stage, &watched->stalled, 1);
	close(fd);
	run_out(stage);
	stage_run(stage, answer_in_time);
	assert_int_equal(watched->interrupted, 1);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(a_caller_that_leaves_ends_the_call_to_the_upstream),
		CASE(so_it_does_for_a_body_that_comes_piece_by_piece),
		CASE(a_reset_is_an_end_too),
		CASE(what_cannot_be_given_up_is_waited_for),
		CASE(who_asks_only_after_the_caller_has_left_hears_of_it),
		CASE(a_reply_that_nobody_reads_any_more_ends),
		CASE(places_are_given_back),
		CASE(a_thousand_that_leave_take_nothing_along),
		CASE(connections_go_on_after_one_was_left),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
