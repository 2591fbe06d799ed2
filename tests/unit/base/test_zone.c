/* Time zones by name, across changes of summer time, from made-up files and from the machine's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/buffer.h"
#include "base/clock.h"
#include "base/zone.h"

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

static int64_t at(const char *time)
{
	int64_t unix_ns;

	assert_true(clock_parse(str_from_c(time), &unix_ns));
	return unix_ns / 1000000000;
}

/* A file of the second version without transitions: one type, and this footer. */
static struct str file_of(const char *footer)
{
	static const char header[] = "TZif2\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
				     "\0\0\0\0\0\0\0\0\0\0\0\1\0\0\0\0";
	static const char body[] = "\0\0\x0e\x10\0\0";
	struct buffer out;

	buffer_init(&out, &arena, 4096);
	for (int i = 0; i < 2; i++) {
		buffer_append(&out, str_make(header, 44));
		buffer_append(&out, str_make(body, 6));
	}
	buffer_append_format(&out, "\n%s\n", footer);
	return buffer_str(&out);
}

static const struct zone *zone_of(const char *footer)
{
	struct error err;
	const struct zone *zone = zone_parse(&arena, STR("Here"), file_of(footer), &err);

	if (zone == NULL)
		fail_msg("%s: %s", footer, err.message);
	return zone;
}

static void assert_offset(const struct zone *zone, const char *time, int64_t seconds)
{
	int64_t got = zone_offset_s(zone, at(time));

	if (got != seconds)
		fail_msg("%s: %lld", time, (long long)got);
}

static void a_rule_tells_summer_from_winter(void **state)
{
	const struct zone *north = zone_of("CET-1CEST,M3.5.0,M10.5.0/3");
	const struct zone *south = zone_of("AEST-10AEDT,M10.1.0,M4.1.0/3");
	const struct zone *odd = zone_of("<-02>2<-01>,M3.5.0/-1,M10.5.0/0");
	const struct zone *fixed = zone_of("IST-5:30");

	(void)state;
	assert_offset(north, "2026-03-29T00:59:59Z", 3600);
	assert_offset(north, "2026-03-29T01:00:00Z", 7200);
	assert_offset(north, "2026-10-25T00:59:59Z", 7200);
	assert_offset(north, "2026-10-25T01:00:00Z", 3600);
	assert_offset(south, "2026-04-04T15:59:59Z", 39600);
	assert_offset(south, "2026-04-04T16:00:00Z", 36000);
	assert_offset(south, "2026-10-03T16:00:00Z", 39600);
	assert_offset(south, "2026-01-01T00:00:00Z", 39600);
	assert_offset(odd, "2026-03-29T00:59:59Z", -7200);
	assert_offset(odd, "2026-03-29T01:00:00Z", -3600);
	assert_offset(fixed, "2026-07-01T00:00:00Z", 19800);
	/* Without a rule what was last holds. */
	assert_offset(zone_of(""), "2026-07-01T00:00:00Z", 3600);
}

static void what_is_damaged_is_refused(void **state)
{
	static const char *const footers[] = {"C",
					      "CET",
					      "CET-1CEST",
					      "CET-1CEST,M3.5.0",
					      "CET-1CEST,M13.5.0,M10.5.0",
					      "CET-1CEST,J60,J300",
					      "CET-1CEST,M3.5.0,M10.5.0/3x"};
	struct str good = file_of("CET-1");
	struct error err;

	(void)state;
	for (size_t i = 0; i < sizeof footers / sizeof footers[0]; i++)
		assert_null(zone_parse(&arena, STR("Here"), file_of(footers[i]), &err));
	for (size_t len = 0; len < 102; len++)
		assert_null(zone_parse(&arena, STR("Here"), str_slice(good, 0, len), &err));
	assert_int_equal(err.code, ERROR_INVALID);
}

static void the_machine_knows_names(void **state)
{
	static const char *const bad[] = {
		"",	  "Nowhere/Land",	"../etc/passwd", "/etc/passwd",
		"Europe", "Europe/Amsterdam\n", "tzdata.zi"};
	const struct zone *zone;
	struct error err;

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		assert_null(zone_find(disk_system(), str_from_c(bad[i]), &err));
		assert_int_equal(err.code, ERROR_NOT_FOUND);
	}
	zone = zone_find(disk_system(), STR("Europe/Amsterdam"), &err);
	if (zone == NULL)
		fail_msg("%s (the package tzdata)", err.message);
	assert_ptr_equal(zone_find(disk_system(), STR("Europe/Amsterdam"), &err), zone);
	assert_offset(zone, "1980-07-01T00:00:00Z", 7200);
	assert_offset(zone, "2026-03-29T00:59:59Z", 3600);
	assert_offset(zone, "2026-03-29T01:00:00Z", 7200);
	assert_offset(zone, "2026-10-25T01:00:00Z", 3600);
	assert_offset(zone, "2080-07-01T00:00:00Z", 7200);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_rule_tells_summer_from_winter),
		cmocka_unit_test(what_is_damaged_is_refused),
		cmocka_unit_test(the_machine_knows_names),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
