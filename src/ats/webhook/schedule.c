/* When a message is sent again. */
#include "ats/webhook/parts.h"

enum { JITTER_PERCENT = 10 };

/* Standard Webhooks' own: 0, 5 s, 5 m, 30 m, 2 h, 5 h, 10 h, 14 h, 20 h, 24 h; 75 h 35 m in all. */
static const int64_t standard_ms[] = {5000,	300000,	  1800000,  7200000, 18000000,
				      36000000, 50400000, 72000000, 86400000};
const struct schedule schedule_standard = {standard_ms, sizeof standard_ms / sizeof *standard_ms};

static int64_t with_jitter(int64_t ms, const struct random *random)
{
	int64_t spread = ms * JITTER_PERCENT / 100;

	return ms + (int64_t)random_below(random, (uint64_t)spread + 1);
}

static int64_t whole_ms(const struct schedule *schedule)
{
	int64_t sum = 0;

	for (size_t i = 0; i < schedule->count; i++)
		sum += schedule->delays_ms[i];
	return sum;
}

/* Attempts alone do not end it: some may have come early, when the endpoint was heard of again. */
int64_t schedule_next_ms(const struct schedule *schedule, int64_t attempts, int64_t first_ms,
			 int64_t now_ms, const struct random *random)
{
	size_t at = (size_t)attempts - 1;
	int64_t age_ms = now_ms - first_ms, whole = whole_ms(schedule);

	if (at >= schedule->count && age_ms >= whole)
		return 0;
	if (at >= schedule->count)
		at = schedule->count - 1;
	return now_ms + with_jitter(schedule->delays_ms[at], random);
}
