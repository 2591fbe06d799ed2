/* A loop for a test, and its end: nothing is left on it. */
#ifndef TESTS_UNIT_IO_LOOP_TESTING_H
#define TESTS_UNIT_IO_LOOP_TESTING_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "io/loop/loop.h"

enum { PATIENCE_MS = 60000, SECOND_NS = 1000000000 };

static inline struct loop *make_loop(void)
{
	struct error err;
	struct loop *loop = loop_create(clock_system(), random_system(), &err);

	assert_non_null(loop);
	return loop;
}

static inline void finish_loop(struct loop *loop)
{
	assert_true(loop_drain(loop, PATIENCE_MS));
	assert_int_equal(loop_fiber_count(loop), 0);
	loop_destroy(loop);
}

#endif
