/* What a sync job may be told, when its window is open, and what a run notes: without a store. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "ats/sync/flight.h"

static struct arena arena;

static int setup(void **state)
{
	(void)state;
	arena_init(&arena, 16 << 20);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	arena_finish(&arena);
	return 0;
}

static struct json parse(const char *text)
{
	struct json value;
	struct error err;

	if (!json_parse(&arena, str_from_c(text), &json_limits_default, &value, &err))
		fail_msg("%s: %s", text, err.message);
	return value;
}

static struct sync_job job_of(const char *body)
{
	struct sync_job job;
	struct error err;

	sync_job_init(&job);
	if (!sync_job_read(parse(body), &job, &err))
		fail_msg("%s: %s: %s", body, err.field, err.message);
	return job;
}

static void assert_refused(const char *body, const char *field, const char *allowed)
{
	struct sync_job job;
	struct error err;

	sync_job_init(&job);
	if (sync_job_read(parse(body), &job, &err))
		fail_msg("%s is taken", body);
	assert_int_equal(err.code, ERROR_INVALID);
	assert_string_equal(err.field, field);
	if (strstr(err.allowed, allowed) == NULL)
		fail_msg("%s: \"%s\" is not in \"%s\"", body, allowed, err.allowed);
}

/* --- settings --------------------------------------------------------------------------------- */

static void what_is_not_said_has_a_default(void **state)
{
	struct sync_job job = job_of("{}");

	(void)state;
	assert_int_equal(job.interval_ms, 300000);
	assert_int_equal(job.full_interval_ms, 21600000);
	assert_int_equal(job.mode, SYNC_AUTO);
	assert_int_equal(job.share_percent, 50);
	assert_int_equal(job.drop_percent, 30);
	assert_int_equal(job.field_percent, 90);
	assert_false(job.is_expanded || job.tells_first);
}

static void each_bad_setting_is_named(void **state)
{
	static const char *const numbers[] = {"9", "2592001", "10.5", "\"60\"", "null", "true"};
	static const char *const flags[] = {"1", "\"true\"", "null", "[]"};
	static const char *const windows[] = {
		"7", "{\"from\": \"22:00\"}", "{\"from\": \"24:00\", \"to\": \"06:00\"}",
		"{\"from\": \"22:00\", \"to\": \"06:60\"}", "{\"from\": \"2200\", \"to\": \"06:00\"}",
		"{\"from\": \"22:00\", \"to\": \"06:00\", \"time_zone\": \"+15:00\"}",
		"{\"from\": \"22:00\", \"to\": \"06:00\", \"zone\": \"UTC\"}",
		"{\"from\": 22, \"to\": \"06:00\"}"};
	static const char *const drifts[] = {"true", "{\"count\": 0}", "{\"count\": 2}",
					     "{\"fields\": \"all\"}", "{\"other\": 0.5}"};
	static const char *const shares[] = {"0.04", "1.01", "\"half\"", "null", "-1"};
	const struct {
		const char *field, *allowed;
		const char *const *values;
		size_t count;
	} cases[] = {
		{"interval_s", "from 10 to 2592000", numbers, 6},
		{"full_interval_s", "from 10 to 2592000", numbers, 6},
		{"mode", "auto, full or incremental", flags, 4},
		{"expand", "true or false", flags, 4},
		{"initial_events", "true or false", flags, 4},
		{"window", "\"from\": \"22:00\"", windows, 8},
		{"rate_share", "0.05 to 1", shares, 5},
		{"drift", "0.01 to 1", drifts, 5},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
		for (size_t k = 0; k < cases[i].count; k++)
			assert_refused(arena_c(&arena, arena_format(&arena, "{\"%s\": %s}",
								    cases[i].field,
								    cases[i].values[k])),
				       cases[i].field, cases[i].allowed);
}

static void what_is_shown_can_be_read_again(void **state)
{
	struct sync_job job = job_of(
		"{\"interval_s\": 60, \"full_interval_s\": 600, \"mode\": \"full\", \"expand\": true,"
		" \"initial_events\": true, \"rate_share\": 0.05, \"drift\": {\"count\": null,"
		" \"fields\": 0.5}, \"window\": {\"from\": \"22:30\", \"to\": \"06:05\","
		" \"time_zone\": \"-03:30\"}}");
	struct str shown = json_text(&arena, sync_job_config(&arena, &job));
	struct sync_job again = job_of(arena_c(&arena, shown));

	(void)state;
	assert_int_equal(job.drop_percent, 0);
	assert_int_equal(job.field_percent, 50);
	assert_int_equal(job.window.offset_minutes, -210);
	assert_true(str_equal(json_text(&arena, sync_job_config(&arena, &again)), shown));
	assert_int_equal(job_of("{\"drift\": null}").field_percent, 0);
}

static void a_change_leaves_the_rest(void **state)
{
	struct sync_job job = job_of("{\"interval_s\": 60, \"mode\": \"full\"}");
	struct error err;

	(void)state;
	assert_true(sync_job_read(parse("{\"expand\": true}"), &job, &err));
	assert_int_equal(job.interval_ms, 60000);
	assert_int_equal(job.mode, SYNC_FULL);
	assert_true(job.is_expanded);
}

/* --- windows ---------------------------------------------------------------------------------- */

static int64_t at(const char *time)
{
	int64_t unix_ns;

	assert_true(clock_parse(str_from_c(time), &unix_ns));
	return unix_ns / 1000000;
}

static void assert_window(const struct sync_window *window, const char *now, const char *opens)
{
	int64_t opens_ms;
	bool is_open = sync_window_is_open(window, at(now), &opens_ms);

	assert_int_equal(is_open, strcmp(now, opens) == 0);
	if (opens_ms != at(opens))
		fail_msg("at %s it opens at %s", now,
			 arena_c(&arena, clock_format_ms(&arena, opens_ms)));
}

static struct sync_window window_of(const char *from, const char *to, const char *zone)
{
	return job_of(arena_c(&arena, arena_format(&arena,
						   "{\"window\": {\"from\": \"%s\", \"to\": \"%s\","
						   " \"time_zone\": \"%s\"}}",
						   from, to, zone)))
		.window;
}

static void a_window_is_a_time_of_day(void **state)
{
	struct sync_window day = window_of("09:00", "17:00", "UTC");
	struct sync_window night = window_of("22:00", "06:00", "+02:00");
	struct sync_window always = job_of("{}").window;

	(void)state;
	assert_window(&day, "2026-03-01T09:00:00Z", "2026-03-01T09:00:00Z");
	assert_window(&day, "2026-03-01T08:59:59Z", "2026-03-01T09:00:00Z");
	assert_window(&day, "2026-03-01T17:00:00Z", "2026-03-02T09:00:00Z");
	/* 22:00 at +02:00 is 20:00 of UTC, and 06:00 is 04:00. */
	assert_window(&night, "2026-03-01T20:00:00Z", "2026-03-01T20:00:00Z");
	assert_window(&night, "2026-03-01T03:59:00Z", "2026-03-01T03:59:00Z");
	assert_window(&night, "2026-03-01T04:00:00Z", "2026-03-01T20:00:00Z");
	assert_window(&night, "2026-03-01T19:59:00Z", "2026-03-01T20:00:00Z");
	assert_window(&always, "2026-03-01T04:00:00Z", "2026-03-01T04:00:00Z");
}

static void a_window_goes_by_the_clocks_of_its_zone(void **state)
{
	struct sync_window night = window_of("02:30", "06:00", "Europe/Amsterdam");
	struct sync_window gap = window_of("02:00", "03:00", "Europe/Amsterdam");

	(void)state;
	assert_window(&night, "2026-03-28T01:00:00Z", "2026-03-28T01:30:00Z");
	/* At 2 o'clock it is 3 there. */
	assert_window(&night, "2026-03-29T00:59:00Z", "2026-03-29T01:00:00Z");
	assert_window(&night, "2026-03-29T04:00:00Z", "2026-03-30T00:30:00Z");
	assert_window(&gap, "2026-03-29T00:00:00Z", "2026-03-30T00:00:00Z");
	/* At 3 it is 2 again: twice half past two. */
	assert_window(&night, "2026-10-25T00:00:00Z", "2026-10-25T00:30:00Z");
	assert_window(&night, "2026-10-25T01:00:00Z", "2026-10-25T01:30:00Z");
	assert_window(&night, "2026-10-25T05:00:00Z", "2026-10-26T01:30:00Z");
}

static void a_zone_that_is_unknown_is_told(void **state)
{
	static const char body[] = "{\"window\": {\"from\": \"22:00\", \"to\": \"06:00\","
				   " \"time_zone\": \"Nowhere/Land\"}}";
	struct sync_job job;
	struct error err;

	(void)state;
	sync_job_init(&job);
	assert_false(sync_job_read(parse(body), &job, &err));
	assert_string_equal(err.field, "window");
	assert_non_null(strstr(err.message, "Nowhere/Land"));
	assert_non_null(strstr(err.allowed, "Europe/Amsterdam"));
	/* One that was known when it was stored does not stop the others. */
	assert_true(sync_job_recall(parse(body), &job, &err));
	assert_int_equal(job.window.from_minute, 22 * 60);
	assert_int_equal(job.window.offset_minutes, 0);
}

/* --- what a run notes ------------------------------------------------------------------------- */

static void what_was_seen_is_a_bit_each(void **state)
{
	static const int64_t numbers[] = {1, 7, 8, 32767, 32768, 1000000};
	struct seen seen = {0};

	(void)state;
	assert_false(seen_has(&seen, 1));
	for (size_t i = 0; i < 6; i++)
		seen_mark(&seen, numbers[i]);
	for (size_t i = 0; i < 6; i++)
		assert_true(seen_has(&seen, numbers[i]));
	assert_false(seen_has(&seen, 2));
	assert_false(seen_has(&seen, 32769));
	assert_false(seen_has(&seen, 100000000));
	assert_true(seen.is_dirty[0] && seen.is_dirty[1]);
	assert_false(seen.is_dirty[2]);
	seen_finish(&seen);
}

static void what_is_told_of_fields_is_counted(void **state)
{
	struct shares shares = {0};

	(void)state;
	shares_count(&arena, &shares, parse("{\"id\": \"1\", \"name\": \"a\", \"tags\": []}"));
	shares_count(&arena, &shares, parse("{\"name\": \"\", \"id\": \"2\", \"size\": 0}"));
	shares_count(&arena, &shares, parse("{\"id\": \"3\", \"name\": null, \"tags\": [1]}"));
	assert_int_equal(shares.count, 4);
	for (size_t i = 0; i < shares.count; i++)
		assert_int_equal(shares.counts[i], str_equal_c(shares.names[i], "id") ? 3 : 1);
}

static void a_damaged_place_is_not_gone_on_from(void **state)
{
	struct whereabouts *place = arena_zero(&arena, sizeof *place);
	struct shares shares;

	(void)state;
	assert_true(whereabouts_read(parse("{\"phase\": 1, \"parent\": 2, \"after\": 3, \"checked\": 4,"
					   " \"is_cut\": true, \"cursor\": \"next\"}"),
				     place));
	assert_int_equal(place->phase, PHASE_MISSING);
	assert_int_equal(place->after, 3);
	assert_true(str_equal_c(str_make(place->cursor, place->cursor_len), "next"));
	assert_false(whereabouts_read(parse("{\"phase\": 0}"), place));
	assert_false(whereabouts_read(parse("[]"), place));
	assert_true(shares_read(&arena, STR("{\"name\": 7}"), &shares));
	assert_int_equal(shares.counts[0], 7);
	assert_false(shares_read(&arena, STR("[1]"), &shares));
	assert_false(shares_read(&arena, STR("{\"name\": \"x\"}"), &shares));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_not_said_has_a_default),
		cmocka_unit_test(each_bad_setting_is_named),
		cmocka_unit_test(what_is_shown_can_be_read_again),
		cmocka_unit_test(a_change_leaves_the_rest),
		cmocka_unit_test(a_window_is_a_time_of_day),
		cmocka_unit_test(a_window_goes_by_the_clocks_of_its_zone),
		cmocka_unit_test(a_zone_that_is_unknown_is_told),
		cmocka_unit_test(what_was_seen_is_a_bit_each),
		cmocka_unit_test(what_is_told_of_fields_is_counted),
		cmocka_unit_test(a_damaged_place_is_not_gone_on_from),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
