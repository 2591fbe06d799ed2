/* Time as text and back: every day of 600 years, leap years, offsets, fractions, and texts that
 * are no time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"

static struct arena arena;

static int set_up(void **state)
{
	(void)state;
	arena_init(&arena, 256 * 1024 * 1024);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	arena_finish(&arena);
	return 0;
}

static void expect(const char *text, int64_t unix_ns)
{
	int64_t out = 0;

	if (!clock_parse(str_from_c(text), &out))
		fail_msg("\"%s\" is refused", text);
	if (out != unix_ns)
		fail_msg("\"%s\" is %lld", text, (long long)out);
}

static void expect_same(const char *a, const char *b)
{
	int64_t ns = 0;

	if (!clock_parse(str_from_c(b), &ns))
		fail_msg("\"%s\" is refused", b);
	expect(a, ns);
}

static void refuse(struct str text)
{
	int64_t out;

	if (clock_parse(text, &out))
		fail_msg("\"%.*s\" became %lld", STR_ARGS(text), (long long)out);
}

static void test_known_times(void **state)
{
	(void)state;
	expect("1970-01-01T00:00:00Z", 0);
	expect("1969-12-31T23:59:59Z", -1000000000);
	expect("2000-02-29T12:00:00Z", 951825600000000000);
	expect("2026-03-04T09:15:22.481Z", 1772615722481000000);
	expect("2038-01-19T03:14:08Z", 2147483648000000000);
	assert_true(
		str_equal(clock_format_ms(&arena, 1772615722481), STR("2026-03-04T09:15:22.481Z")));
	assert_true(str_equal(clock_format_ms(&arena, 0), STR("1970-01-01T00:00:00.000Z")));
	assert_true(str_equal(clock_format_ms(&arena, -1), STR("1969-12-31T23:59:59.999Z")));
	assert_true(str_equal(clock_format_ms(&arena, -1000), STR("1969-12-31T23:59:59.000Z")));
}

/* Every day from 1678 to 2261, at an odd time of the day: the text leads back to the same ms. */
static void test_round_trips(void **state)
{
	int64_t from, to;

	(void)state;
	expect("1678-01-01T00:00:00Z", -9214560000000000000);
	expect("2261-12-31T23:59:59.999999999Z", 9214646399999999999);
	from = -9214560000000;
	to = 9214646399999;
	for (int64_t ms = from, i = 0; ms <= to; ms += 86400000 + 1087, i++) {
		int64_t ns;
		struct str text = clock_format_ms(&arena, ms);
		if (!clock_parse(text, &ns) || ns != ms * 1000000)
			fail_msg("%.*s", STR_ARGS(text));
		if (i % 1000 == 0)
			arena_finish(&arena);
	}
}

static void test_leap_years(void **state)
{
	(void)state;
	expect("2024-02-29T00:00:00Z", 1709164800000000000);
	expect("2024-03-01T00:00:00Z", 1709251200000000000);
	expect("2000-02-29T00:00:00Z", 951782400000000000);
	expect("2100-03-01T00:00:00Z", 4107542400000000000);
	refuse(STR("2023-02-29T00:00:00Z"));
	refuse(STR("1900-02-29T00:00:00Z"));
	refuse(STR("2100-02-29T00:00:00Z"));
	refuse(STR("2000-02-30T00:00:00Z"));
}

static void test_the_days_of_months(void **state)
{
	static const int days[12] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

	(void)state;
	for (int month = 0; month <= 13; month++) {
		for (int day = 0; day <= 32; day++) {
			struct str text =
				arena_format(&arena, "2025-%02d-%02dT00:00:00Z", month, day);
			bool is_one = month >= 1 && month <= 12 && day >= 1 &&
				      day <= days[(month + 11) % 12];
			int64_t ns;
			if (clock_parse(text, &ns) != is_one)
				fail_msg("%.*s", STR_ARGS(text));
		}
	}
}

static void test_offsets(void **state)
{
	(void)state;
	expect_same("2026-03-04T10:15:22+01:00", "2026-03-04T09:15:22Z");
	expect_same("2026-03-04T00:15:22-09:30", "2026-03-04T09:45:22Z");
	expect_same("2026-01-01T00:30:00+05:45", "2025-12-31T18:45:00Z");
	expect_same("2024-02-28T23:30:00-01:00", "2024-02-29T00:30:00Z");
	expect_same("2026-03-04T09:15:22-00:00", "2026-03-04T09:15:22Z");
	expect_same("2026-03-04T23:59:00+23:59", "2026-03-04T00:00:00Z");
	expect_same("2026-03-04t09:15:22z", "2026-03-04T09:15:22Z");
	expect_same("2026-03-04 09:15:22Z", "2026-03-04T09:15:22Z");
	refuse(STR("2026-03-04T09:15:22+24:00"));
	refuse(STR("2026-03-04T09:15:22+01:60"));
	refuse(STR("2026-03-04T09:15:22+0100"));
	refuse(STR("2026-03-04T09:15:22+1:00"));
	refuse(STR("2026-03-04T09:15:22+"));
	refuse(STR("2026-03-04T09:15:22"));
}

static void test_fractions(void **state)
{
	(void)state;
	expect("1970-01-01T00:00:00.5Z", 500000000);
	expect("1970-01-01T00:00:00.000000001Z", 1);
	expect("1970-01-01T00:00:00.0000000019Z", 1);
	expect("1970-01-01T00:00:00.12345678901234567890+00:00", 123456789);
	expect("1969-12-31T23:59:59.25Z", -750000000);
	refuse(STR("1970-01-01T00:00:00.Z"));
	refuse(STR("1970-01-01T00:00:00,5Z"));
	refuse(STR("1970-01-01T00:00:00.-5Z"));
}

/* A leap second is the first moment of the next minute. */
static void test_seconds(void **state)
{
	(void)state;
	expect_same("2016-12-31T23:59:60Z", "2017-01-01T00:00:00Z");
	refuse(STR("2016-12-31T23:59:61Z"));
	refuse(STR("2016-12-31T23:60:00Z"));
	refuse(STR("2016-12-31T24:00:00Z"));
}

static void test_what_is_no_time(void **state)
{
	static const char *const texts[] = {
		"",
		"Z",
		"now",
		"2026",
		"2026-03-04",
		"2026-03-04T",
		"2026-03-04T09:15Z",
		"2026-3-4T09:15:22Z",
		"26-03-04T09:15:22Z",
		"02026-03-04T09:15:22Z",
		"+2026-03-04T09:15:22Z",
		"-2026-03-04T09:15:22Z",
		"2026/03/04T09:15:22Z",
		"2026-03-04_09:15:22Z",
		"2026-03-04T9:15:22Z",
		"2026-03-04T09.15.22Z",
		" 2026-03-04T09:15:22Z",
		"2026-03-04T09:15:22Z ",
		"2026-03-04T09:15:22ZZ",
		"2026-03-04T09:15:22 Z",
		"2026-03-04T-1:15:22Z",
		"2026-03-04T09:15:22GMT",
		"1677-12-31T23:59:59Z",
		"2262-01-01T00:00:00Z",
		"0000-01-01T00:00:00Z",
	};

	(void)state;
	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
		refuse(str_from_c(texts[i]));
	refuse((struct str){NULL, 0});
	refuse(STR("2026-03-04T09:15:22Z\0"));
	refuse(STR("2026-03-04T09:15:2\0Z"));
}

/* No part of a time is a time, so nothing behind its end is ever read. */
static void test_every_cut_is_refused(void **state)
{
	struct str whole = STR("2026-03-04T09:15:22.481+01:00");

	(void)state;
	for (size_t len = 0; len < whole.len; len++) {
		char *copy = malloc(len == 0 ? 1 : len);
		assert_non_null(copy);
		memcpy(copy, whole.data, len);
		refuse(str_make(copy, len));
		free(copy);
	}
}

static void test_the_system_clock(void **state)
{
	const struct clock *clock = clock_system();
	int64_t last = clock_monotonic_ns(clock);

	(void)state;
	for (size_t i = 0; i < 1000; i++) {
		int64_t now = clock_monotonic_ns(clock);
		assert_true(now >= last);
		last = now;
	}
	/* Later than the day on which this was written. */
	assert_true(clock_unix_ms(clock) > 1735689600000);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(test_known_times),
		TEST(test_round_trips),
		TEST(test_leap_years),
		TEST(test_the_days_of_months),
		TEST(test_offsets),
		TEST(test_fractions),
		TEST(test_seconds),
		TEST(test_what_is_no_time),
		TEST(test_every_cut_is_refused),
		TEST(test_the_system_clock),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
