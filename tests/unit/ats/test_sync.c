/* When a record's details are fetched again. */
#include "ats/sync/parts.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <stdlib.h>

enum { RECORDS = 10000, PERIOD_MS = 604800000, STEP_MS = 21600000 };

static void each_record_has_one_turn_in_a_period(void **state)
{
	const int64_t begin_ms = 1790000000000;
	int64_t most = 0, least = RECORDS;

	(void)state;
	int *turns = calloc(RECORDS, sizeof *turns);
	assert_non_null(turns);
	for (int64_t at_ms = 0; at_ms < PERIOD_MS; at_ms += STEP_MS) {
		int64_t some = 0;

		for (int64_t i = 0; i < RECORDS; i++)
			if (sync_is_turn(i + 1, PERIOD_MS, begin_ms + at_ms,
					 begin_ms + at_ms + STEP_MS)) {
				turns[i]++;
				some++;
			}
		most = some > most ? some : most;
		least = some < least ? some : least;
	}
	for (int64_t i = 0; i < RECORDS; i++)
		assert_int_equal(turns[i], 1);
	/* 28 steps: about 357 at each. */
	assert_in_range(least, 340, 357);
	assert_in_range(most, 357, 375);
	free(turns);
}

static void all_have_had_their_turn_after_a_long_time(void **state)
{
	(void)state;
	for (int64_t i = 1; i < RECORDS; i++) {
		assert_true(sync_is_turn(i, PERIOD_MS, 1, 1 + (int64_t)PERIOD_MS));
		assert_true(sync_is_turn(i, 10000, 0, 1790000000000));
		assert_false(sync_is_turn(i, PERIOD_MS, 1790000000000, 1790000000000));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_record_has_one_turn_in_a_period),
		cmocka_unit_test(all_have_had_their_turn_after_a_long_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
