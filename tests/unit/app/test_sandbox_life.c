/* A sandbox that lives: what happens by itself, and the truth that tells of it. */
#include "wire.h"
#include "writing.h"

static struct json control(struct sandbox *sandbox, enum http_method method, const char *path,
			   int status, const char *body)
{
	struct reply reply = call(sandbox, method, path, NULL, body);

	if (reply.status != status)
		fail_msg("%s: %d %.*s", path, reply.status, STR_ARGS(reply.body));
	return reply.json;
}

static struct json step(struct sandbox *sandbox, int changes)
{
	return json_get_c(control(sandbox, HTTP_POST, "/sandbox/step", 200,
				  at("{\"changes\":%d}", changes)),
			  "changes");
}

/* The next change of this kind; those before it happen, too. */
static struct json step_to(struct sandbox *sandbox, const char *kind)
{
	for (int i = 0; i < 3000; i++) {
		struct json change = json_at(step(sandbox, 1), 0);
		if (strcmp(text_of(change, "change"), kind) == 0)
			return change;
	}
	fail_msg("nothing of the kind %s happened", kind);
	return json_undefined();
}

static void test_so_many_changes_happen_and_the_seed_draws_them(void **state)
{
	struct sandbox_options options = make_options();
	struct sandbox *one = create(&options), *same = create(&options);
	(void)state;

	struct json changes = step(one, 150);
	assert_int_equal(changes.count, 150);
	assert_string_equal(shown(changes, "0"), shown(step(same, 150), "0"));
	assert_string_equal(shown(control(one, HTTP_GET, "/sandbox/shown?collection=candidates", 200,
					  NULL), "hash"),
			    shown(control(same, HTTP_GET, "/sandbox/shown?collection=candidates", 200,
					  NULL), "hash"));
	options.seed = 8;
	struct sandbox *other = create(&options);
	assert_string_not_equal(shown(json_at(changes, 0), "touched"),
				shown(step(other, 1), "0.touched"));
	struct json life = control(one, HTTP_GET, "/sandbox/life", 200, NULL);
	assert_int_equal(id_of(life, "total"), 150);
	int64_t sum = 0;
	for (uint32_t i = 0; i < look(life, "counts").count; i++)
		sum += integer(look(life, "counts").members[i].value);
	assert_int_equal(sum, 150);
	sandbox_destroy(one);
	sandbox_destroy(same);
	sandbox_destroy(other);
}

static void test_what_is_shown_is_what_the_list_and_the_get_give(void **state)
{
	struct sandbox_options options = make_options();
	struct sandbox *sandbox = create(&options);
	(void)state;

	(void)step(sandbox, 200);
	struct json list = json_get_c(good(sandbox, "/candidates?limit=1000"), "candidates");
	struct json truth = control(sandbox, HTTP_GET, "/sandbox/shown?collection=candidates", 200, NULL);
	struct json records = look(truth, "records");
	assert_int_equal(id_of(truth, "count"), records.count);
	assert_int_equal(list.count, records.count);
	for (uint32_t i = 0; i < records.count; i++)
		assert_true(json_equal(records.items[i], list.items[list.count - 1 - i]));
	struct json one = json_at(look(control(sandbox, HTTP_GET,
					       "/sandbox/shown?collection=candidates&view=detail"
					       "&limit=1&offset=3", 200, NULL), "records"), 0);
	assert_true(json_equal(one, look(good(sandbox, at("/candidates/%lld",
							  (long long)id_of(one, "id"))), "candidate")));
	/* The hash is of all, whatever the page, and another one after a change. */
	struct json none = control(sandbox, HTTP_GET, "/sandbox/shown?collection=candidates&limit=0", 200,
				   NULL);
	assert_string_equal(text_of(none, "hash"), text_of(truth, "hash"));
	assert_int_equal(look(none, "records").count, 0);
	(void)done(sandbox, HTTP_DELETE, at("/candidates/%lld", (long long)id_of(one, "id")), 200, "");
	assert_string_not_equal(text_of(control(sandbox, HTTP_GET, "/sandbox/shown?collection=candidates"
						"&limit=0", 200, NULL), "hash"),
				text_of(truth, "hash"));
	(void)control(sandbox, HTTP_GET, "/sandbox/shown?collection=nobody", 404, NULL);
	(void)control(sandbox, HTTP_GET, "/sandbox/shown?collection=candidates&view=nothing", 404, NULL);
	sandbox_destroy(sandbox);
}

static void test_one_that_is_merged_disappears_and_leaves_its_placements(void **state)
{
	struct sandbox_options options = make_options();
	struct sandbox *sandbox = create(&options);
	(void)state;

	struct json change = step_to(sandbox, "merged");
	int64_t into = id_of(change, "touched.candidates.0"), gone = id_of(change, "touched.candidates.1");
	assert_true(look(control(sandbox, HTTP_GET, at("/sandbox/record?collection=candidates&id=%lld",
						       (long long)gone), 200, NULL), "deleted").boolean);
	assert_int_equal(get(sandbox, at("/candidates/%lld", (long long)gone)).status, 404);
	struct json placements = look(good(sandbox, at("/candidates/%lld", (long long)into)),
				      "candidate.placements");
	for (uint32_t i = 0; i < placements.count; i++)
		assert_int_equal(id_of(placements.items[i], "candidate_id"), into);
	assert_string_equal(last_event(sandbox, into), "admin_merged_candidates");
	sandbox_destroy(sandbox);
}

static void test_one_that_is_recreated_has_its_data_under_another_id(void **state)
{
	struct sandbox_options options = make_options();
	struct sandbox *sandbox = create(&options);
	(void)state;

	struct json change = step_to(sandbox, "recreated");
	int64_t gone = id_of(change, "touched.candidates.0"), back = id_of(change, "touched.candidates.1");
	struct json before = record_of(sandbox, "candidates", gone);
	struct json after = record_of(sandbox, "candidates", back);
	assert_true(back > gone);
	assert_string_equal(text_of(before, "name"), text_of(after, "name"));
	assert_string_equal(shown(before, "emails"), shown(after, "emails"));
	assert_string_equal(shown(before, "tag_ids"), shown(after, "tag_ids"));
	assert_int_equal(get(sandbox, at("/candidates/%lld", (long long)gone)).status, 404);
	sandbox_destroy(sandbox);
}

static void test_a_hired_one_is_hired(void **state)
{
	struct sandbox_options options = make_options();
	struct sandbox *sandbox = create(&options);
	(void)state;

	struct json change = step_to(sandbox, "hired");
	struct json placement = record_of(sandbox, "placements", id_of(change, "touched.placements.0"));
	assert_false(is_null(placement, "hired_at"));
	assert_int_equal(id_of(placement, "candidate_id"), id_of(change, "touched.candidates.0"));
	assert_true(look(good(sandbox, at("/candidates/%lld", (long long)id_of(placement, "candidate_id"))),
			 "candidate.is_hired").boolean);
	sandbox_destroy(sandbox);
}

static const char *time_of_a_change(struct sandbox *sandbox)
{
	int64_t id = make_candidate(sandbox, "Timed");

	return text_of(record_of(sandbox, "candidates", id), "updated_at");
}

static void assert_second(const char *time, const char *second)
{
	assert_string_equal(at("%.19s", time), second);
}

static void test_a_clock_may_be_off_and_may_know_seconds_only(void **state)
{
	struct sandbox_options options = make_options();
	struct sandbox *sandbox = create(&options);
	(void)state;

	/* The tests' clock stands still, and yet no two times are equal. */
	const char *first = time_of_a_change(sandbox);
	assert_second(first, "2026-11-20T12:00:00");
	assert_string_not_equal(time_of_a_change(sandbox), first);
	(void)control(sandbox, HTTP_PUT, "/sandbox/clock", 200, "{\"skew\":-90}");
	assert_second(time_of_a_change(sandbox), "2026-11-20T11:58:30");
	(void)control(sandbox, HTTP_PUT, "/sandbox/clock", 200, "{\"equal_timestamps\":true}");
	clock_ns = 700000000;
	assert_string_equal(time_of_a_change(sandbox), "2026-11-20T11:58:30.000000Z");
	assert_string_equal(time_of_a_change(sandbox), "2026-11-20T11:58:30.000000Z");
	(void)control(sandbox, HTTP_PUT, "/sandbox/clock", 400, "{\"skew\":\"much\"}");
	sandbox_destroy(sandbox);
	options.skew_s = 60;
	options.has_equal_times = true;
	sandbox = create(&options);
	assert_string_equal(time_of_a_change(sandbox), "2026-11-20T12:01:00.000000Z");
	sandbox_destroy(sandbox);
}

static void test_it_lives_until_it_is_told_to_stand_still(void **state)
{
	struct sandbox_options options = make_options();
	struct wire wire;
	int64_t total = 0;
	(void)state;

	options.life_changes = 100000;
	wire_init(&wire, &options);
	sandbox_start(wire.sandbox, wire.loop);
	for (int i = 0; i < 100000 && total < 20; i++) {
		struct fetch fetch = fetch_url(&wire, arena_format(&arena, "%.*s/sandbox/life",
								   STR_ARGS(wire.address)), 10000);
		total = id_of(body_of(&fetch), "total");
	}
	assert_true(total >= 20);
	total = id_of(control(wire.sandbox, HTTP_PUT, "/sandbox/life", 200, "{\"changes\":0}"), "total");
	/* The fiber that made the changes has ended. */
	assert_true(loop_drain(wire.loop, 10000));
	assert_int_equal(id_of(control(wire.sandbox, HTTP_GET, "/sandbox/life", 200, NULL), "total"),
			 total);
	wire_finish(&wire);
}

static void test_what_cannot_be(void **state)
{
	struct sandbox_options options = make_options();
	struct sandbox *sandbox = create(&options);
	struct error err;
	(void)state;

	(void)control(sandbox, HTTP_POST, "/sandbox/step", 400, "{\"changes\":-1}");
	(void)control(sandbox, HTTP_POST, "/sandbox/step", 400, "[]");
	(void)control(sandbox, HTTP_PUT, "/sandbox/life", 400, "{\"changes\":1,\"seconds\":0}");
	(void)control(sandbox, HTTP_PUT, "/sandbox/life", 409, "{\"changes\":1}");
	assert_true(sandbox_parse_life(STR("30/60"), &options, &err));
	assert_int_equal(options.life_changes, 30);
	assert_int_equal(options.life_seconds, 60);
	assert_true(sandbox_parse_life(STR("5"), &options, &err));
	assert_int_equal(options.life_seconds, 1);
	assert_false(sandbox_parse_life(STR("0/1"), &options, &err));
	assert_false(sandbox_parse_life(STR("1/0"), &options, &err));
	assert_false(sandbox_parse_life(STR("many"), &options, &err));
	assert_string_equal(err.field, "life");
	sandbox_destroy(sandbox);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		EACH_TEST(test_so_many_changes_happen_and_the_seed_draws_them),
		EACH_TEST(test_what_is_shown_is_what_the_list_and_the_get_give),
		EACH_TEST(test_one_that_is_merged_disappears_and_leaves_its_placements),
		EACH_TEST(test_one_that_is_recreated_has_its_data_under_another_id),
		EACH_TEST(test_a_hired_one_is_hired),
		EACH_TEST(test_a_clock_may_be_off_and_may_know_seconds_only),
		EACH_TEST(test_it_lives_until_it_is_told_to_stand_still),
		EACH_TEST(test_what_cannot_be),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
