/* The sandbox misbehaves as it is told, and a walk over its pages finds the truth in spite of it. */
#include "wire.h"
#include "writing.h"

/* --- faults --------------------------------------------------------------------------------- */

static void test_faults_by_name_and_probability(void **state)
{
	static const char *const bad[] = {"flood:0.1", "reset", "reset:", "reset:1.5", "reset:-1",
					  "reset:x", "reset:0.1x", "reset:nan", ""};
	struct sandbox_options options = {0};
	struct error err = {0};
	(void)state;

	assert_true(sandbox_parse_fault(STR("rate_limit:0.05"), &options, &err));
	assert_true(options.faults[SANDBOX_RATE_LIMIT] == 0.05);
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		err = (struct error){0};
		assert_false(sandbox_parse_fault(str_from_c(bad[i]), &options, &err));
		assert_string_equal(err.field, "fault");
	}
	assert_false(sandbox_parse_fault(STR("flood:0.1"), &options, &err));
	assert_true(str_find(str_from_c(err.message), STR("page_shift")) > 0);
	assert_true(sandbox_parse_rate_limit(STR("100/60"), &options, &err));
	assert_int_equal(options.rate_requests, 100);
	assert_int_equal(options.rate_seconds, 60);
	assert_false(sandbox_parse_rate_limit(STR("100/0"), &options, &err));
	assert_false(sandbox_parse_rate_limit(STR("x"), &options, &err));
	assert_true(sandbox_parse_window(STR("sliding"), &options, &err));
	assert_int_equal(options.rate_window, SANDBOX_SLIDING);
	assert_false(sandbox_parse_window(STR("glass"), &options, &err));
	assert_string_equal(err.field, "rate-window");
}

static struct sandbox *create_with_fault(const char *fault)
{
	struct sandbox_options options = make_options();
	struct error err = {0};

	assert_true(sandbox_parse_fault(str_from_c(fault), &options, &err));
	return create(&options);
}

static void test_rate_limit_fault_says_when_only_sometimes(void **state)
{
	struct sandbox *sandbox = create_with_fault("rate_limit:1");
	int without = 0, at_once = 0, after_one = 0;
	(void)state;

	for (int i = 0; i < 60; i++) {
		struct reply reply = get(sandbox, "/candidates");
		assert_body(reply, 429, "{\"error\":[\"Too many requests\"]}");
		struct str after = reply_header(&reply, "retry-after");
		without += after.len == 0;
		at_once += str_equal_c(after, "0");
		after_one += str_equal_c(after, "1");
	}
	assert_true(without > 10 && at_once > 3 && after_one > 3);
	assert_int_equal(without + at_once + after_one, 60);
	sandbox_destroy(sandbox);
}

static void test_faults_of_content(void **state)
{
	struct sandbox *sandbox = create_with_fault("server_error:1");
	unsigned seen = 0;
	(void)state;

	for (int i = 0; i < 40; i++) {
		int status = get(sandbox, "/offers").status;
		seen |= status == 500 ? 1u : status == 502 ? 2u : status == 503 ? 4u : 8u;
	}
	assert_int_equal(seen, 7);
	sandbox_destroy(sandbox);
	sandbox = create_with_fault("content_type:1");
	struct reply reply = get(sandbox, "/offers");
	assert_int_equal(reply.status, 200);
	assert_true(str_equal_c(reply.content_type, "text/html"));
	sandbox_destroy(sandbox);
	sandbox = create_with_fault("garbage:1");
	reply = get(sandbox, "/offers");
	assert_int_equal(reply.status, 200);
	assert_true(str_equal_c(reply.content_type, "application/json"));
	assert_true(json_is(reply.json, JSON_UNDEFINED));
	sandbox_destroy(sandbox);
}

static void test_a_probability_is_kept_and_replayed(void **state)
{
	struct sandbox *one = create_with_fault("server_error:0.2");
	struct sandbox *two = create_with_fault("server_error:0.2");
	int failed = 0;
	(void)state;

	for (int i = 0; i < 500; i++) {
		int status = get(one, "/roles").status;
		failed += status != 200;
		assert_int_equal(get(two, "/roles").status, status);
	}
	assert_in_range(failed, 70, 130);
	sandbox_destroy(one);
	sandbox_destroy(two);
}

static void test_the_true_rate_limit_fills_again(void **state)
{
	struct sandbox_options options = make_options();
	struct error err = {0};
	(void)state;

	assert_true(sandbox_parse_rate_limit(STR("2/10"), &options, &err));
	struct sandbox *sandbox = create(&options);
	assert_int_equal(get(sandbox, "/roles").status, 200);
	assert_int_equal(get(sandbox, "/roles").status, 200);
	struct reply reply = get(sandbox, "/roles");
	assert_body(reply, 429, "{\"error\":[\"Too many requests\"]}");
	int64_t seconds = 0;
	assert_true(str_to_int64(reply_header(&reply, "retry-after"), &seconds));
	assert_in_range(seconds, 5, 6);
	clock_ns += seconds * 1000000000;
	assert_int_equal(get(sandbox, "/roles").status, 200);
	assert_int_equal(get(sandbox, "/roles").status, 429);
	sandbox_destroy(sandbox);
}

/* Asks at these seconds; one letter for each: was it let through? Two in ten seconds may be. */
static void assert_let_through(enum sandbox_window window, const char *wanted)
{
	static const int seconds[] = {0, 8, 9, 10, 11, 12, 18, 19, 20, 45};
	struct sandbox_options options = make_options();
	char got[sizeof seconds / sizeof seconds[0] + 1] = "";
	int64_t begun_ns = clock_ns;

	options.rate_requests = 2;
	options.rate_seconds = 10;
	options.rate_window = window;
	struct sandbox *sandbox = create(&options);
	for (size_t i = 0; i < sizeof seconds / sizeof seconds[0]; i++) {
		clock_ns = begun_ns + seconds[i] * 1000000000LL;
		got[i] = get(sandbox, "/roles").status == 200 ? 'y' : 'n';
	}
	assert_string_equal(got, wanted);
	struct json windows = json_get_c(
		call(sandbox, HTTP_GET, "/sandbox/counts", NULL, NULL).json, "windows");
	assert_int_equal(windows.count, 5);
	sandbox_destroy(sandbox);
}

static void test_the_true_rate_limit_by_windows(void **state)
{
	(void)state;
	assert_let_through(SANDBOX_BUCKET, "yyynnnyyny");
	assert_let_through(SANDBOX_FIXED, "yynyynnnyy");
	assert_let_through(SANDBOX_SLIDING, "yynynnynyy");
}

/* --- writes under faults -------------------------------------------------------------------- */

/* Sends one creation and tells whether it was carried out. */
static bool creates(struct sandbox *sandbox, struct reply *reply)
{
	size_t before = count_of(sandbox, "candidates");

	*reply = write_to(sandbox, HTTP_POST, "/candidates", "{\"candidate\":{\"name\":\"A\"}}");
	size_t after = count_of(sandbox, "candidates");
	assert_true(after == before || after == before + 1);
	return after > before;
}

static void test_a_reset_may_come_after_the_write(void **state)
{
	struct sandbox *sandbox = create_with_fault("reset:1");
	int written = 0, within = 0;
	size_t last = 0;
	(void)state;

	for (int i = 0; i < 60; i++) {
		struct reply reply;
		bool is_written = creates(sandbox, &reply);
		assert_true(reply.is_cut && reply.cut_with_reset);
		written += is_written;
		/* Anywhere in the answer, never behind it. */
		if (is_written && reply.cut_after != last)
			within++;
		last = reply.cut_after;
		assert_true(!is_written ? reply.cut_after == 0 : reply.cut_after < reply.body.len);
	}
	assert_in_range(written, 15, 45);
	assert_true(within > written / 2);
	struct json counts = call(sandbox, HTTP_GET, "/sandbox/counts", NULL, NULL).json;
	assert_int_equal(id_of(look(counts, "writes"), "POST /candidates"), written);
	sandbox_destroy(sandbox);
}

static void test_other_faults_of_writes(void **state)
{
	static const char *const unknown[] = {"content_type:1", "garbage:1"};
	struct reply reply;
	int by_status[600][2] = {{0}};
	(void)state;

	for (size_t k = 0; k < 2; k++) {
		struct sandbox *sandbox = create_with_fault(unknown[k]);
		int written = 0;
		for (int i = 0; i < 40; i++) {
			written += creates(sandbox, &reply);
			assert_int_equal(reply.status, 200);
		}
		assert_in_range(written, 8, 32);
		sandbox_destroy(sandbox);
	}
	struct sandbox *sandbox = create_with_fault("server_error:1");
	for (int i = 0; i < 80; i++) {
		bool is_written = creates(sandbox, &reply);
		by_status[reply.status][is_written]++;
	}
	assert_true(by_status[500][1] == 0 && by_status[503][1] == 0 && by_status[500][0] > 0);
	assert_true(by_status[502][0] > 2 && by_status[502][1] > 2);
	sandbox_destroy(sandbox);
	sandbox = create_with_fault("rate_limit:1");
	for (int i = 0; i < 20; i++)
		assert_false(creates(sandbox, &reply));
	sandbox_destroy(sandbox);
	sandbox = create_with_fault("truncate:1");
	for (int i = 0; i < 20; i++) {
		assert_true(creates(sandbox, &reply));
		assert_true(reply.is_cut && !reply.cut_with_reset && reply.cut_after < reply.body.len);
	}
	sandbox_destroy(sandbox);
}

/* --- truth ---------------------------------------------------------------------------------- */

static struct json truth(struct sandbox *sandbox)
{
	struct reply reply = call(sandbox, HTTP_GET, "/sandbox/truth?collection=candidates", NULL,
				  NULL);

	assert_int_equal(reply.status, 200);
	return reply.json;
}

static void test_pages_put_together_are_the_truth(void **state)
{
	struct sandbox_options options = make_options();
	struct sandbox *sandbox = create(&options);
	struct json ids = json_get_c(truth(sandbox), "ids");
	uint32_t found = 0;
	(void)state;

	assert_int_equal(ids.count, 60);
	for (int offset = 0; offset < 70; offset += 7) {
		struct str path = arena_format(&arena, "/candidates?limit=7&offset=%d", offset);
		struct json page = json_get_c(good(sandbox, arena_c(&arena, path)), "candidates");
		for (uint32_t i = 0; i < page.count; i++, found++)
			assert_int_equal(integer(json_get_c(page.items[i], "id")),
					 integer(ids.items[ids.count - 1 - found]));
	}
	assert_int_equal(found, 60);
	sandbox_destroy(sandbox);
}

static void test_page_shift_moves_records_and_says_so(void **state)
{
	struct sandbox *sandbox = create_with_fault("page_shift:1");
	(void)state;

	for (int i = 0; i < 20; i++)
		(void)good(sandbox, "/candidates?limit=10");
	assert_int_equal(call(sandbox, HTTP_PUT, "/sandbox/faults", NULL, "{}").status, 200);
	struct json now = truth(sandbox);
	struct json created = json_get_c(now, "created"), deleted = json_get_c(now, "deleted");
	assert_true(created.count > 3 && deleted.count > 3);
	assert_int_equal(json_get_c(now, "ids").count, 60 + created.count - deleted.count);
	struct json list = json_get_c(good(sandbox, "/candidates?limit=1000"), "candidates");
	assert_int_equal(list.count, json_get_c(now, "ids").count);
	/* The newest comes first, and all keys are there. */
	assert_has_keys(list.items[0], LIST_KEYS_2026);
	struct json gone = json_get_c(good(sandbox, "/candidates?deleted=true"), "candidates");
	assert_int_equal(gone.count, deleted.count);
	assert_has_keys(gone.items[0], LIST_KEYS_2026 " deleted_at deleted_by_kind");
	struct str path = arena_format(&arena, "/candidates/%lld",
				       (long long)integer(deleted.items[0]));
	assert_int_equal(get(sandbox, arena_c(&arena, path)).status, 404);
	sandbox_destroy(sandbox);
}

static void test_control_says_what_is_wrong(void **state)
{
	struct sandbox_options options = make_options();
	struct sandbox *sandbox = create(&options);
	(void)state;

	assert_int_equal(call(sandbox, HTTP_GET, "/sandbox/truth?collection=x", NULL, NULL).status, 404);
	assert_int_equal(call(sandbox, HTTP_PUT, "/sandbox/faults", NULL, "{\"flood\":1}").status, 400);
	assert_int_equal(call(sandbox, HTTP_PUT, "/sandbox/faults", NULL, "{\"reset\":2}").status, 400);
	assert_int_equal(call(sandbox, HTTP_PUT, "/sandbox/faults", NULL, "[]").status, 400);
	assert_int_equal(call(sandbox, HTTP_PUT, "/sandbox/delay", NULL, "{\"ms\":-1}").status, 400);
	assert_int_equal(call(sandbox, HTTP_GET, "/sandbox/x", NULL, NULL).status, 404);
	(void)good(sandbox, "/roles");
	(void)get(sandbox, "/nowhere");
	struct json counts = call(sandbox, HTTP_GET, "/sandbox/counts", NULL, NULL).json;
	assert_int_equal(integer(json_get_c(json_get_c(counts, "requests"), "200")), 1);
	assert_int_equal(integer(json_get_c(json_get_c(counts, "requests"), "404")), 1);
	assert_int_equal(integer(json_get_c(counts, "total")), 2);
	sandbox_destroy(sandbox);
}

/* --- over a real socket --------------------------------------------------------------------- */

static void test_files_are_real_and_as_large_as_promised(void **state)
{
	struct sandbox_options options = make_options();
	struct wire wire;
	size_t found = 0;
	(void)state;

	wire_init(&wire, &options);
	struct fetch list = fetch_path(&wire, "/candidates?limit=40", 10000);
	struct json candidates = json_get_c(body_of(&list), "candidates");
	for (uint32_t i = 0; i < candidates.count && found < 5; i++) {
		struct str path = arena_format(&arena, "/candidates/%lld/attachments",
					       (long long)integer(json_get_c(candidates.items[i], "id")));
		struct fetch fetch = fetch_path(&wire, arena_c(&arena, path), 10000);
		struct json attachments = json_get_c(body_of(&fetch), "attachments");
		for (uint32_t k = 0; k < attachments.count; k++, found++) {
			struct str url = json_get_str(attachments.items[k], "file_url");
			assert_true(str_starts_with(url, wire.address));
			struct fetch file = fetch_url(&wire, url, 10000);
			assert_int_equal(file.response.status, 200);
			assert_int_equal(file.response.body.len,
					 integer(json_get_c(attachments.items[k], "file_size")));
		}
	}
	assert_true(found >= 5);
	wire_finish(&wire);
}

static void test_a_walk_over_a_socket_under_faults_can_find_the_truth(void **state)
{
	struct sandbox_options options = make_options();
	struct wire wire;
	uint32_t found = 0;
	(void)state;

	options.faults[SANDBOX_RESET] = 0.15;
	options.faults[SANDBOX_TRUNCATE] = 0.15;
	options.faults[SANDBOX_SERVER_ERROR] = 0.15;
	wire_init(&wire, &options);
	for (int offset = 0; offset < 60; offset += 10) {
		struct str path = arena_format(&arena, "/candidates?limit=10&offset=%d", offset);
		struct fetch fetch;
		do
			fetch = fetch_path(&wire, arena_c(&arena, path), 10000);
		while (fetch.response.outcome != HTTP_COMPLETE || fetch.response.status != 200);
		found += json_get_c(body_of(&fetch), "candidates").count;
	}
	assert_int_equal(found, 60);
	wire_finish(&wire);
}

static void check_broken(enum sandbox_fault kind)
{
	struct sandbox_options options = make_options();
	struct wire wire;

	options.faults[kind] = 1;
	wire_init(&wire, &options);
	for (int i = 0; i < 6; i++) {
		struct fetch fetch = fetch_path(&wire, "/candidates", 10000);
		assert_int_equal(fetch.response.outcome, HTTP_BROKEN);
	}
	wire_finish(&wire);
}

static void test_a_reset_breaks_the_answer(void **state)
{
	(void)state;
	check_broken(SANDBOX_RESET);
}

static void test_a_cut_answer_is_no_answer(void **state)
{
	(void)state;
	check_broken(SANDBOX_TRUNCATE);
}

static void test_a_stalled_answer_runs_into_the_deadline(void **state)
{
	struct sandbox_options options = make_options();
	struct wire wire;
	(void)state;

	options.faults[SANDBOX_STALL] = 1;
	wire_init(&wire, &options);
	assert_int_equal(fetch_path(&wire, "/roles", 20).response.outcome, HTTP_TIMED_OUT);
	wire_finish(&wire);
}

static void release(void *context)
{
	sandbox_release(context);
}

static void test_many_can_wait_and_are_let_go(void **state)
{
	enum { WAITING = 200 };
	struct sandbox_options options = make_options();
	struct fetch *fetches = arena_zero(&arena, WAITING * sizeof *fetches);
	struct wire wire;
	(void)state;

	options.delay_ms = 3600000;
	wire_init(&wire, &options);
	for (size_t i = 0; i < WAITING; i++) {
		fetches[i] = (struct fetch){
			.wire = &wire, .timeout_ms = 60000,
			.url = arena_format(&arena, "%.*s/c/41207/roles", STR_ARGS(wire.address))};
		loop_spawn(wire.loop, run_fetch, &fetches[i]);
	}
	/* The counts do not wait, and come back after the others were sent. */
	int64_t active = 0;
	while (active < WAITING) {
		struct fetch counts = fetch_url(
			&wire, arena_format(&arena, "%.*s/sandbox/counts", STR_ARGS(wire.address)),
			60000);
		active = integer(json_get_c(body_of(&counts), "active"));
	}
	loop_spawn(wire.loop, release, wire.sandbox);
	fetch_path(&wire, "/roles", 60000);
	while (fetches[WAITING - 1].response.status == 0)
		fetch_path(&wire, "/roles", 60000);
	wire_finish(&wire);
	for (size_t i = 0; i < WAITING; i++)
		assert_int_equal(fetches[i].response.status, 200);
}

#define TEST(name) cmocka_unit_test_setup_teardown(test_##name, set_up, tear_down)

static void test_a_write_that_stalls_is_carried_out_before_or_after_the_wait(void **state)
{
	struct sandbox_options options = make_options();
	struct wire wire;
	(void)state;

	options.faults[SANDBOX_STALL] = 1;
	options.stall_ms = 600000;
	wire_init(&wire, &options);
	for (int i = 0; i < 12; i++) {
		struct fetch fetch = {
			.wire = &wire, .timeout_ms = 30, .is_last = true, .method = HTTP_POST,
			.url = arena_format(&arena, "%.*s/c/41207/candidates", STR_ARGS(wire.address)),
			.content_type = STR("application/json"), .body = STR("{\"candidate\":{\"name\":\"A\"}}")};
		loop_spawn(wire.loop, run_fetch, &fetch);
		loop_run(wire.loop);
		assert_int_equal(fetch.response.outcome, HTTP_TIMED_OUT);
	}
	struct fetch truth = fetch_url(
		&wire, arena_format(&arena, "%.*s/sandbox/truth?collection=candidates",
				    STR_ARGS(wire.address)), 10000);
	size_t early = look(body_of(&truth), "created").count;
	assert_in_range(early, 1, 11);
	wire_finish(&wire);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(faults_by_name_and_probability),
		TEST(rate_limit_fault_says_when_only_sometimes),
		TEST(faults_of_content),
		TEST(a_probability_is_kept_and_replayed),
		TEST(the_true_rate_limit_fills_again),
		TEST(the_true_rate_limit_by_windows),
		TEST(a_reset_may_come_after_the_write),
		TEST(other_faults_of_writes),
		TEST(a_write_that_stalls_is_carried_out_before_or_after_the_wait),
		TEST(pages_put_together_are_the_truth),
		TEST(page_shift_moves_records_and_says_so),
		TEST(control_says_what_is_wrong),
		TEST(files_are_real_and_as_large_as_promised),
		TEST(a_walk_over_a_socket_under_faults_can_find_the_truth),
		TEST(a_reset_breaks_the_answer),
		TEST(a_cut_answer_is_no_answer),
		TEST(a_stalled_answer_runs_into_the_deadline),
		TEST(many_can_wait_and_are_let_go),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
