#include "simulation.h"

enum { TURN_NS = 1000 }; /* so that who goes round in a circle sees time pass */

static int64_t read_monotonic(void *context)
{
	return ((struct simulated_time *)context)->now_ns;
}

/* 2026-11-25T08:00:00Z at the start: later than all that the company begins with. */
static int64_t read_unix(void *context)
{
	return INT64_C(1795593600000000000) + ((struct simulated_time *)context)->now_ns;
}

static int let_time_pass(struct loop_hook *hook)
{
	struct simulated_time *time = hook->context;
	int64_t next_ns = loop_next_ns(time->loop);

	time->turns++;
	if (next_ns == INT64_MAX)
		broken("nothing will ever happen again: everybody waits, and no timer is set");
	time->now_ns += TURN_NS;
	if (next_ns > time->now_ns)
		time->now_ns = next_ns;
	return 0;
}

void time_init(struct simulated_time *time)
{
	*time = (struct simulated_time){
		.clock = {read_monotonic, read_unix, time},
		.now_ns = SECOND_NS,
	};
}

struct loop *time_make_loop(struct simulated_time *time, struct loop_hook *hook,
			    const struct random *random)
{
	struct error err;
	struct loop *loop = loop_create(&time->clock, random, &err);

	if (loop == NULL)
		die("%s", err.message);
	time->loop = loop;
	*hook = (struct loop_hook){.before_sleep = let_time_pass, .context = time};
	loop_hook_add(loop, hook);
	return loop;
}
