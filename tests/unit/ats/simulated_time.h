/* Time that passes only when a loop has nothing else to do: tests wait for hours in no time. */
#ifndef TESTS_UNIT_ATS_SIMULATED_TIME_H
#define TESTS_UNIT_ATS_SIMULATED_TIME_H

#include <stdatomic.h>

#include "io/loop/loop.h"

struct simulated_time {
	struct clock clock;
	struct loop_hook hook;
	_Atomic int64_t now_ns;
	int64_t step_ns; /* that each turn of the loop takes */
	bool is_real;    /* the system's time instead, for real sockets */
};

static int64_t simulated_now(void *context)
{
	if (((struct simulated_time *)context)->is_real)
		return clock_monotonic_ns(clock_system());
	return ((struct simulated_time *)context)->now_ns;
}

/* 2026-03-04T09:15:22Z at the start. */
static int64_t simulated_unix(void *context)
{
	return 1772615722000000000 + ((struct simulated_time *)context)->now_ns;
}

static int let_time_pass(struct loop_hook *hook)
{
	struct simulated_time *time = hook->context;

	time->now_ns += time->step_ns;
	return time->is_real ? -1 : 0;
}

static inline void simulated_time_init(struct simulated_time *time)
{
	*time = (struct simulated_time){
		.clock = {simulated_now, simulated_unix, time},
		.hook = {.before_sleep = let_time_pass, .context = time},
		.now_ns = 1000000000,
		.step_ns = 1000000,
	};
}

#endif
