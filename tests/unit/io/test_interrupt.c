/* Fibers that are interrupted: which waits end, who is interrupted with whom; and fibers that run
 * at once where a callback starts them. */
#include "loop_testing.h"

struct interrupted {
	struct loop *loop;
	struct fiber *fiber;
	struct loop_wait *wait;
	struct loop_group group;
	size_t ended, not_interrupted;
	bool is_done;
};

static void interrupt_it(void *context)
{
	struct interrupted *test = context;

	loop_interrupt(test->loop, test->fiber);
}

static void wait_to_be_interrupted(void *context)
{
	struct interrupted *test = context;
	struct loop_wait wait, endless;

	test->fiber = fiber_current();
	assert_false(loop_is_interrupted());
	loop_spawn(test->loop, interrupt_it, test);
	loop_wait_init(&wait);
	assert_false(loop_wait(&wait, LOOP_UNTIL_INTERRUPTED));
	assert_true(loop_is_interrupted());
	/* Its teller may come all the same. */
	loop_wake(&wait);
	loop_sleep_ms(PATIENCE_MS * 1000);
	loop_wait_init(&endless);
	test->wait = &endless;
	assert_true(loop_wait(&endless, INT64_MAX));
	/* What was told already is not lost. */
	loop_wait_init(&wait);
	loop_wake(&wait);
	assert_true(loop_wait(&wait, LOOP_UNTIL_INTERRUPTED));
	test->is_done = true;
}

static void an_interruption_ends_waits_that_have_a_deadline(void **state)
{
	struct interrupted test = {.loop = make_loop()};

	(void)state;
	loop_spawn(test.loop, wait_to_be_interrupted, &test);
	while (test.wait == NULL)
		assert_false(loop_drain(test.loop, 0));
	assert_false(loop_drain(test.loop, 1));
	assert_false(test.is_done);
	loop_wake(test.wait);
	finish_loop(test.loop);
	assert_true(test.is_done);
}

static void sleep_as_member(void *context)
{
	struct interrupted *test = context;

	loop_sleep_ms(PATIENCE_MS * 1000);
	test->ended++;
	test->not_interrupted += !loop_is_interrupted();
	loop_group_done(&test->group);
}

static void sleep_alone(void *context)
{
	struct interrupted *test = context;

	loop_sleep_ms(1);
	test->not_interrupted += !loop_is_interrupted();
}

enum { MEMBERS = 10 };

static void spawn_and_join(void *context)
{
	struct interrupted *test = context;

	test->fiber = fiber_current();
	for (int i = 0; i < MEMBERS; i++)
		loop_group_spawn(&test->group, sleep_as_member, test);
	loop_spawn(test->loop, sleep_alone, test);
	loop_spawn(test->loop, interrupt_it, test);
	loop_group_join(&test->group);
	assert_int_equal(test->ended, MEMBERS);
	/* Those that begin only now are interrupted from the start. */
	for (int i = 0; i < MEMBERS; i++)
		loop_group_spawn(&test->group, sleep_as_member, test);
	loop_group_join(&test->group);
	test->is_done = true;
}

static void the_members_of_a_group_are_interrupted_with_who_joins_it(void **state)
{
	struct interrupted test = {.loop = make_loop()};

	(void)state;
	loop_spawn(test.loop, spawn_and_join, &test);
	finish_loop(test.loop);
	assert_true(test.is_done);
	assert_int_equal(test.ended, 2 * MEMBERS);
	assert_int_equal(test.not_interrupted, 1); /* who is no member is left alone */
}

static void note_order(void *context)
{
	struct interrupted *test = context;

	test->ended++;
	loop_sleep_ms(1);
	test->is_done = true;
}

static void start_it(struct loop_timer *timer)
{
	struct interrupted *test = timer->context;

	loop_start(test->loop, note_order, test);
	assert_int_equal(test->ended, 1);
	assert_false(test->is_done);
}

static void a_fiber_started_in_a_callback_runs_there_until_it_waits(void **state)
{
	struct interrupted test = {.loop = make_loop()};
	struct loop_timer timer = {.callback = start_it, .context = &test};

	(void)state;
	loop_timer_set(test.loop, &timer, 0);
	while (test.ended == 0)
		(void)loop_drain(test.loop, 0);
	finish_loop(test.loop);
	assert_true(test.is_done);
	/* Nothing runs out of the loop's sight. */
	test = (struct interrupted){.loop = make_loop()};
	loop_start(test.loop, note_order, &test);
	assert_int_equal(test.ended, 0);
	finish_loop(test.loop);
	assert_true(test.is_done);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_interruption_ends_waits_that_have_a_deadline),
		cmocka_unit_test(the_members_of_a_group_are_interrupted_with_who_joins_it),
		cmocka_unit_test(a_fiber_started_in_a_callback_runs_there_until_it_waits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
