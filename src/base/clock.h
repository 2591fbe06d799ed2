/* Time comes through this table only, so that a simulated clock can stand in for the system's. */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include "base/arena.h"

struct clock {
	int64_t (*monotonic_ns)(void *context); /* for durations and deadlines */
	int64_t (*unix_ns)(void *context);      /* wall time since 1970, UTC */
	void *context;
};

const struct clock *clock_system(void);

static inline int64_t clock_monotonic_ns(const struct clock *clock)
{
	return clock->monotonic_ns(clock->context);
}
static inline int64_t clock_monotonic_ms(const struct clock *clock)
{
	return clock->monotonic_ns(clock->context) / 1000000;
}
static inline int64_t clock_unix_ms(const struct clock *clock)
{
	return clock->unix_ns(clock->context) / 1000000;
}

/* RFC 3339 in UTC with milliseconds: "2026-03-04T09:15:22.481Z". */
struct str clock_format_ms(struct arena *arena, int64_t unix_ms);
/* RFC 3339 (any offset, any fraction) to nanoseconds since 1970; false when it is not one, or
 * not of the years 1678 to 2261, which 64 bits of nanoseconds can hold. A leap second is the
 * first moment of the next minute. */
bool clock_parse(struct str text, int64_t *unix_ns) MUST_CHECK;

#endif
