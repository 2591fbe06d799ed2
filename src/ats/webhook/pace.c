/* How fast an endpoint is asked: slowly at first, few calls to one that is down. */
#include "ats/webhook/runner.h"

enum {
	CALLS_FIRST = 8,
	CALLS_MAX = 32,
	CALLS_DOWN = 2,
	DOWN_AFTER = 10,	/* failures in a row */
	DOWN_MS = 1000,		/* between two that were never tried, at first */
	DOWN_MS_MAX = 5 * 60 * 1000,
	THROTTLE_MS = 500,
	THROTTLE_MS_MAX = 60 * 1000,
};

void pace_init(struct pace *pace)
{
	*pace = (struct pace){.allowed = CALLS_FIRST};
}

static int64_t back_off(int64_t first_ms, int64_t max_ms, unsigned times,
			const struct random *random)
{
	int64_t ms = times > 20 ? max_ms : first_ms << times;

	if (ms > max_ms)
		ms = max_ms;
	return ms - (int64_t)random_below(random, (uint64_t)ms / 4 + 1);
}

static void later(int64_t *at_ms, int64_t ms)
{
	if (ms > *at_ms)
		*at_ms = ms;
}

bool pace_note(struct pace *pace, const struct attempt *attempt, int64_t now_ms,
	       const struct random *random)
{
	bool was_down = pace->failures >= DOWN_AFTER;

	if (attempt->is_delivered) {
		pace->failures = pace->throttles = 0;
		pace->fresh_from_ms = 0;
		pace->allowed = pace->allowed * 2 > CALLS_MAX ? CALLS_MAX : pace->allowed * 2;
		return was_down;
	}
	pace->failures++;
	if (attempt->retry_after_ms > 0)
		later(&pace->quiet_until_ms, now_ms + attempt->retry_after_ms);
	if (attempt->is_throttled) {
		later(&pace->quiet_until_ms,
		      now_ms + back_off(THROTTLE_MS, THROTTLE_MS_MAX, pace->throttles, random));
		pace->throttles++;
		pace->allowed = pace->allowed > 1 ? pace->allowed / 2 : 1;
	}
	if (pace->failures >= DOWN_AFTER) {
		pace->allowed = pace->allowed < CALLS_DOWN ? pace->allowed : CALLS_DOWN;
		pace->fresh_from_ms =
			now_ms +
			back_off(DOWN_MS, DOWN_MS_MAX, pace->failures - DOWN_AFTER, random);
	}
	return false;
}
