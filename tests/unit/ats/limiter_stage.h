/* A limiter on a loop whose clock is the test's own. */
#ifndef TESTS_UNIT_ATS_LIMITER_STAGE_H
#define TESTS_UNIT_ATS_LIMITER_STAGE_H

#include "ats/operation/limiter.h"
#include "simulated_time.h"

struct limiter_stage {
	struct simulated_time time;
	struct random_seeded seeded;
	struct random random;
	struct loop *loop;
	struct limiters *limiters;
	struct limiter *limiter; /* the test's to hold */
};

static inline void limiter_stage_open(struct limiter_stage *stage, uint64_t seed)
{
	struct error err;

	simulated_time_init(&stage->time);
	stage->seeded.state = seed;
	stage->random = random_from_seed(&stage->seeded);
	stage->loop = loop_create(&stage->time.clock, &stage->random, &err);
	assert_non_null(stage->loop);
	loop_hook_add(stage->loop, &stage->time.hook);
	stage->limiters = limiters_create(&stage->time.clock, &stage->random);
}

static inline void limiter_stage_close(struct limiter_stage *stage)
{
	limiter_drop(stage->limiter);
	limiters_destroy(stage->limiters);
	loop_hook_remove(stage->loop, &stage->time.hook);
	loop_destroy(stage->loop);
}

#endif
