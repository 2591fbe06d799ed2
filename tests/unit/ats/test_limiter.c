/* The rate limiter: what it lets through and when, in whose order, and what it forgets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <pthread.h>

#include "limiter_stage.h"

static const int64_t SECOND_NS = 1000000000;
static const int64_t MS_NS = 1000000;
static const int64_t NEVER_NS = INT64_MAX / 2;

struct bench {
	struct limiter_stage stage;
	char order[64];
	size_t order_len;
	int64_t at_ms[64]; /* when each was let through */
	int64_t under_way;
	int64_t under_way_most;
	struct error err;
};

static int set_up(void **state)
{
	struct bench *bench = calloc(1, sizeof *bench);

	limiter_stage_open(&bench->stage, 7);
	*state = bench;
	return 0;
}

static int tear_down(void **state)
{
	struct bench *bench = *state;

	limiter_stage_close(&bench->stage);
	free(bench);
	return 0;
}

static void hold(struct bench *bench, int64_t requests, int64_t per_seconds, int64_t concurrent)
{
	struct limiter_rules rules = {requests, per_seconds, concurrent};

	limiter_drop(bench->stage.limiter);
	bench->stage.limiter = limiter_hold(bench->stage.limiters, STR("acc_1"), &rules);
}

/* One caller: takes, stays for a while, gives back. */
struct caller {
	struct bench *bench;
	char name;
	int64_t stays_ms;
	int64_t deadline_ns;
	bool ok;
	struct error err;
	int64_t waited_ns;
};

static void call(void *context)
{
	struct caller *caller = context;
	struct bench *bench = caller->bench;

	caller->ok = limiter_acquire(bench->stage.limiter, caller->deadline_ns, &caller->waited_ns,
				     &caller->err);
	if (!caller->ok)
		return;
	bench->at_ms[bench->order_len] = bench->stage.time.now_ns / MS_NS - 1000;
	bench->order[bench->order_len++] = caller->name;
	bench->under_way++;
	if (bench->under_way > bench->under_way_most)
		bench->under_way_most = bench->under_way;
	if (caller->stays_ms > 0)
		loop_sleep_ms(caller->stays_ms);
	bench->under_way--;
	limiter_release(bench->stage.limiter);
}

static void spawn(struct bench *bench, struct caller *callers, size_t count, int64_t stays_ms)
{
	for (size_t i = 0; i < count; i++) {
		callers[i] = (struct caller){.bench = bench, .name = (char)('a' + i),
					     .stays_ms = stays_ms, .deadline_ns = NEVER_NS};
		loop_spawn(bench->stage.loop, call, &callers[i]);
	}
}

static void run(struct bench *bench)
{
	assert_true(loop_drain(bench->stage.loop, 24 * 3600 * 1000));
}

static void test_a_bucket_lets_a_burst_through_and_then_its_rate(void **state)
{
	struct bench *bench = *state;
	struct caller callers[8];

	hold(bench, 4, 2, 0); /* four at once, then one each half second */
	spawn(bench, callers, 8, 0);
	run(bench);
	assert_int_equal(bench->order_len, 8);
	assert_memory_equal(bench->order, "abcdefgh", 8);
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(bench->at_ms[i], bench->at_ms[0]);
	for (size_t i = 4; i < 8; i++) {
		int64_t expected = bench->at_ms[0] + (int64_t)(i - 3) * 500;
		assert_in_range(bench->at_ms[i], expected, expected + 2);
	}
	assert_int_equal(callers[0].waited_ns, 0);
	assert_true(callers[7].waited_ns >= 2 * SECOND_NS);
}

static void test_no_more_are_under_way_than_allowed_and_they_come_in_order(void **state)
{
	struct bench *bench = *state;
	struct caller callers[12];

	hold(bench, 0, 0, 3);
	spawn(bench, callers, 12, 50);
	run(bench);
	assert_int_equal(bench->order_len, 12);
	assert_memory_equal(bench->order, "abcdefghijkl", 12);
	assert_int_equal(bench->under_way_most, 3);
}

static void test_a_wait_that_cannot_end_in_time_is_refused_at_once(void **state)
{
	struct bench *bench = *state;
	struct caller callers[2];

	hold(bench, 1, 10, 0);
	spawn(bench, callers, 2, 0);
	callers[1].deadline_ns = bench->stage.time.now_ns + 5 * SECOND_NS;
	int64_t start_ns = bench->stage.time.now_ns;
	run(bench);
	assert_true(callers[0].ok);
	assert_false(callers[1].ok);
	assert_int_equal(callers[1].err.code, ERROR_RATE_LIMITED);
	assert_in_range(callers[1].err.retry_after_ms, 9900, 10000);
	assert_true(bench->stage.time.now_ns - start_ns < SECOND_NS);
}

static void test_a_place_that_does_not_come_free_ends_with_the_deadline(void **state)
{
	struct bench *bench = *state;
	struct caller callers[3];

	hold(bench, 0, 0, 1);
	spawn(bench, callers, 3, 10000);
	callers[1].deadline_ns = bench->stage.time.now_ns + SECOND_NS;
	run(bench);
	assert_false(callers[1].ok);
	assert_int_equal(callers[1].err.code, ERROR_RATE_LIMITED);
	assert_true(callers[1].err.retry_after_ms > 0);
	/* The one behind it is not lost. */
	assert_true(callers[2].ok);
	assert_memory_equal(bench->order, "ac", 2);
}

static void test_a_pause_holds_for_all_and_refuses_who_cannot_wait(void **state)
{
	struct bench *bench = *state;
	struct caller callers[3];

	hold(bench, 0, 0, 0);
	limiter_pause(bench->stage.limiter, bench->stage.time.now_ns + 30 * SECOND_NS);
	limiter_pause(bench->stage.limiter, bench->stage.time.now_ns + 20 * SECOND_NS); /* the later one wins */
	spawn(bench, callers, 3, 0);
	callers[0].deadline_ns = bench->stage.time.now_ns + 25 * SECOND_NS;
	run(bench);
	assert_false(callers[0].ok);
	assert_in_range(callers[0].err.retry_after_ms, 29900, 30000);
	assert_true(callers[1].ok && callers[2].ok);
	assert_true(bench->at_ms[0] >= 30000);
}

static void pause_later(void *context)
{
	struct bench *bench = context;

	loop_sleep_ms(100);
	limiter_pause(bench->stage.limiter, bench->stage.time.now_ns + 60 * SECOND_NS);
}

static void test_a_pause_tells_those_who_wait_already(void **state)
{
	struct bench *bench = *state;
	struct caller callers[3];

	hold(bench, 1, 5, 0);
	spawn(bench, callers, 3, 0);
	callers[1].deadline_ns = bench->stage.time.now_ns + 20 * SECOND_NS;
	loop_spawn(bench->stage.loop, pause_later, bench);
	run(bench);
	assert_true(callers[0].ok);
	assert_false(callers[1].ok);
	assert_true(callers[1].waited_ns < SECOND_NS);
	assert_true(callers[2].ok);
	assert_true(callers[2].waited_ns >= 60 * SECOND_NS);
}

/* --- those that nobody waits for ------------------------------------------------------------- */

struct back_caller {
	struct caller caller;
	int64_t share_percent;
};

static void call_back(void *context)
{
	struct back_caller *back = context;
	struct caller *caller = &back->caller;
	struct bench *bench = caller->bench;

	caller->ok = limiter_acquire_background(bench->stage.limiter, back->share_percent,
						caller->deadline_ns, &caller->waited_ns,
						&caller->err);
	if (!caller->ok)
		return;
	bench->at_ms[bench->order_len] = bench->stage.time.now_ns / MS_NS - 1000;
	bench->order[bench->order_len++] = caller->name;
	if (caller->stays_ms > 0)
		loop_sleep_ms(caller->stays_ms);
	limiter_release_background(bench->stage.limiter);
}

static void spawn_back(struct bench *bench, struct back_caller *callers, size_t count,
		       int64_t share_percent, int64_t stays_ms)
{
	for (size_t i = 0; i < count; i++) {
		callers[i] = (struct back_caller){.caller = {.bench = bench,
							     .name = (char)('A' + i),
							     .stays_ms = stays_ms,
							     .deadline_ns = NEVER_NS},
						  .share_percent = share_percent};
		loop_spawn(bench->stage.loop, call_back, &callers[i]);
	}
}

static void test_a_fifth_of_the_bucket_is_left_by_who_nobody_waits_for(void **state)
{
	struct bench *bench = *state;
	struct back_caller back[12];
	struct caller front[2];

	hold(bench, 10, 10, 0); /* ten at once, then one each second */
	spawn_back(bench, back, 12, 50, 0);
	spawn(bench, front, 2, 0);
	run(bench);
	/* Eight at once; the two that were left go to the front; from then on one each second. */
	assert_memory_equal(bench->order, "ABCDEFGHabIJKL", 14);
	assert_int_equal(bench->at_ms[7], bench->at_ms[0]);
	assert_int_equal(bench->at_ms[9], bench->at_ms[0]);
	assert_int_equal(front[1].waited_ns, 0);
	assert_true(bench->at_ms[10] - bench->at_ms[0] >= 3000);
}

static void test_all_of_the_rate_is_taken_while_there_is_nobody_else(void **state)
{
	struct bench *bench = *state;
	struct back_caller back[20];

	hold(bench, 10, 1, 0); /* one each 100 ms */
	spawn_back(bench, back, 20, 5, 0);
	run(bench);
	/* Eight at once, twelve more at the full rate. */
	assert_in_range(bench->at_ms[19] - bench->at_ms[0], 1190, 1220);
}

struct steady {
	struct bench *bench;
	int64_t every_ms;
	int64_t until_ns;
	size_t count;
	int64_t waited_ns;
};

static void call_steadily(void *context)
{
	struct steady *steady = context;
	struct error err;

	while (steady->bench->stage.time.now_ns < steady->until_ns) {
		assert_true(limiter_acquire(steady->bench->stage.limiter, NEVER_NS, &steady->waited_ns,
					    &err));
		steady->count++;
		limiter_release(steady->bench->stage.limiter);
		loop_sleep_ms(steady->every_ms);
	}
}

static void call_back_steadily(void *context)
{
	struct steady *steady = context;
	struct error err;

	while (steady->bench->stage.time.now_ns < steady->until_ns) {
		assert_true(limiter_acquire_background(steady->bench->stage.limiter, 50, NEVER_NS,
						       &steady->waited_ns, &err));
		steady->count++;
		limiter_release_background(steady->bench->stage.limiter);
	}
}

static void test_others_never_wait_for_it_and_next_to_nothing_of_the_rate_is_lost(void **state)
{
	struct bench *bench = *state;
	int64_t until_ns = bench->stage.time.now_ns + 600 * SECOND_NS;
	struct steady front = {bench, 250, until_ns, 0, 0}, back = {bench, 0, until_ns, 0, 0};

	hold(bench, 100, 10, 0); /* ten a second, of which the front takes four */
	loop_spawn(bench->stage.loop, call_steadily, &front);
	loop_spawn(bench->stage.loop, call_back_steadily, &back);
	run(bench);
	assert_int_equal(front.waited_ns, 0);
	assert_true(front.count + back.count >= 5700); /* of 6000 */
	assert_true(front.count + back.count <= 6100);
}

static void test_the_share_holds_while_others_take_all_they_can(void **state)
{
	struct bench *bench = *state;
	int64_t until_ns = bench->stage.time.now_ns + 600 * SECOND_NS;
	struct steady front = {bench, 120, until_ns, 0, 0}, back = {bench, 0, until_ns, 0, 0};

	hold(bench, 100, 10, 0); /* ten a second, of which the front would take 8.3 */
	loop_spawn(bench->stage.loop, call_steadily, &front);
	loop_spawn(bench->stage.loop, call_back_steadily, &back);
	run(bench);
	assert_int_equal(front.waited_ns, 0);
	assert_in_range(front.count, 4900, 5001);
	assert_true(back.count >= 800);
	assert_true(front.count + back.count <= 6100);
}

static void test_a_place_is_left_by_who_nobody_waits_for(void **state)
{
	struct bench *bench = *state;
	struct back_caller back[4];
	struct caller front[1];

	hold(bench, 0, 0, 3);
	spawn_back(bench, back, 4, 100, 1000);
	spawn(bench, front, 1, 500);
	run(bench);
	assert_memory_equal(bench->order, "ABaCD", 5);
	assert_int_equal(front[0].waited_ns, 0);
	/* The front is waited for first. */
	assert_true(bench->at_ms[3] - bench->at_ms[0] >= 1000);
}

static void test_the_retry_budget_is_spent_and_given_back(void **state)
{
	struct bench *bench = *state;

	hold(bench, 0, 0, 0);
	for (int i = 0; i < RETRY_BUDGET / RETRY_COST; i++)
		assert_true(limiter_pay_retry(bench->stage.limiter, RETRY_COST));
	assert_false(limiter_pay_retry(bench->stage.limiter, RETRY_COST));
	limiter_refund(bench->stage.limiter, RETRY_COST);
	assert_true(limiter_pay_retry(bench->stage.limiter, RETRY_COST));
	limiter_refund(bench->stage.limiter, 10 * RETRY_BUDGET); /* never more than full */
	for (int i = 0; i < RETRY_BUDGET / RETRY_COST_TIMEOUT; i++)
		assert_true(limiter_pay_retry(bench->stage.limiter, RETRY_COST_TIMEOUT));
	assert_false(limiter_pay_retry(bench->stage.limiter, 1));
}

static void touch_accounts(struct bench *bench, int from, int count)
{
	struct limiter_rules rules = {10, 1, 1};
	char id[32];

	for (int i = from; i < from + count; i++) {
		int len = snprintf(id, sizeof id, "acc_%d", i);

		limiter_drop(limiter_hold(bench->stage.limiters, str_make(id, (size_t)len), &rules));
	}
}

static void test_idle_accounts_are_forgotten(void **state)
{
	struct bench *bench = *state;

	touch_accounts(bench, 0, 20000);
	assert_int_equal(limiters_count(bench->stage.limiters), 20000);
	bench->stage.time.now_ns += 120 * SECOND_NS;
	touch_accounts(bench, 100000, 20000);
	/* All of the first half went while the second came. */
	assert_in_range(limiters_count(bench->stage.limiters), 20000, 20100);
}

static void test_what_is_paused_or_spent_is_not_forgotten(void **state)
{
	struct bench *bench = *state;
	struct limiter_rules rules = {1, 3600, 0};
	struct limiter *spent = limiter_hold(bench->stage.limiters, STR("spent"), &rules);
	struct error err;
	int64_t waited_ns = 0;

	assert_true(limiter_acquire(spent, NEVER_NS, &waited_ns, &err));
	limiter_release(spent);
	limiter_drop(spent);
	bench->stage.time.now_ns += 120 * SECOND_NS;
	touch_accounts(bench, 0, 1000);
	spent = limiter_hold(bench->stage.limiters, STR("spent"), &rules);
	assert_false(limiter_acquire(spent, bench->stage.time.now_ns + SECOND_NS, &waited_ns, &err));
	limiter_drop(spent);
}

static void test_new_rules_hold_from_the_next_call_on(void **state)
{
	struct bench *bench = *state;
	struct caller callers[4];

	hold(bench, 1, 1000, 0);
	hold(bench, 1000, 1, 0);
	spawn(bench, callers, 4, 0);
	run(bench);
	assert_int_equal(bench->order_len, 4);
	assert_true(bench->at_ms[3] - bench->at_ms[0] < 10);
}

/* --- two threads ----------------------------------------------------------------------------- */

enum { SHARED_CALLERS = 24, SHARED_CAP = 5 };

struct shared {
	struct limiter *limiter;
	_Atomic int under_way;
	_Atomic int most;
	_Atomic int done;
	_Atomic int tickets;
};

static void call_shared(void *context)
{
	struct shared *shared = context;
	struct error err;
	int64_t waited_ns = 0;

	for (int i = 0; i < 40; i++) {
		if (!limiter_acquire(shared->limiter, NEVER_NS, &waited_ns, &err))
			return;
		int now = ++shared->under_way;
		int most = shared->most;
		while (now > most && !atomic_compare_exchange_weak(&shared->most, &most, now))
			;
		loop_sleep_ms(0); /* lets others in between */
		shared->under_way--;
		limiter_release(shared->limiter);
	}
	shared->done++;
}

static void *work(void *context)
{
	struct error err;
	struct loop *loop = loop_create(clock_system(), random_system(), &err);

	for (int i = 0; i < SHARED_CALLERS; i++)
		loop_spawn(loop, call_shared, context);
	bool is_drained = loop_drain(loop, 60000);
	if (is_drained)
		loop_destroy(loop);
	return is_drained ? context : NULL;
}

static void test_two_workers_share_one_cap_and_wake_each_other(void **state)
{
	struct limiters *limiters = limiters_create(clock_system(), random_system());
	struct limiter_rules rules = {0, 0, SHARED_CAP};
	struct shared shared = {.limiter = limiter_hold(limiters, STR("acc_1"), &rules)};
	pthread_t threads[2];
	void *result;

	(void)state;
	for (int i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, work, &shared), 0);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(pthread_join(threads[i], &result), 0);
		assert_non_null(result);
	}
	assert_int_equal(shared.done, 2 * SHARED_CALLERS);
	assert_int_equal(shared.under_way, 0);
	assert_true(shared.most <= SHARED_CAP);
	limiter_drop(shared.limiter);
	limiters_destroy(limiters);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_a_bucket_lets_a_burst_through_and_then_its_rate),
		TEST(test_no_more_are_under_way_than_allowed_and_they_come_in_order),
		TEST(test_a_wait_that_cannot_end_in_time_is_refused_at_once),
		TEST(test_a_place_that_does_not_come_free_ends_with_the_deadline),
		TEST(test_a_pause_holds_for_all_and_refuses_who_cannot_wait),
		TEST(test_a_pause_tells_those_who_wait_already),
		TEST(test_a_fifth_of_the_bucket_is_left_by_who_nobody_waits_for),
		TEST(test_all_of_the_rate_is_taken_while_there_is_nobody_else),
		TEST(test_others_never_wait_for_it_and_next_to_nothing_of_the_rate_is_lost),
		TEST(test_the_share_holds_while_others_take_all_they_can),
		TEST(test_a_place_is_left_by_who_nobody_waits_for),
		TEST(test_the_retry_budget_is_spent_and_given_back),
		TEST(test_idle_accounts_are_forgotten),
		TEST(test_what_is_paused_or_spent_is_not_forgotten),
		TEST(test_new_rules_hold_from_the_next_call_on),
		cmocka_unit_test(test_two_workers_share_one_cap_and_wake_each_other),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
