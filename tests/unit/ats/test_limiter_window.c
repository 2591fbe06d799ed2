/* A rate limit that is counted by windows: none has more calls than it may, wherever it is laid and
 * whenever the ATS counts a call, and next to nothing of it lies idle. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "limiter_stage.h"

static const int64_t SECOND_NS = 1000000000;
static const int64_t MS_NS = 1000000;
static const int64_t NEVER_NS = INT64_MAX / 2;
/* So many are taken for made when an account is first met: those by which it was linked. */
enum { CALLS_BEFORE = 2, CALLS_MAX = 20000 };

struct world {
	struct limiter_stage stage;
	int64_t length_ns;
	int64_t end_ns;
	int64_t counted_ns[CALLS_MAX]; /* when the ATS counted each call */
	size_t count;
	size_t back_count;
	int64_t front_waited_ns;
	size_t front_count;
};

static int set_up(void **state)
{
	struct world *world = calloc(1, sizeof *world);

	limiter_stage_open(&world->stage, 11);
	*state = world;
	return 0;
}

static int tear_down(void **state)
{
	struct world *world = *state;

	limiter_stage_close(&world->stage);
	free(world);
	return 0;
}

static void begin(struct world *world, int64_t requests, int64_t per_seconds, int64_t lasts_s)
{
	const struct limiter_rules rules = {
		.requests = requests, .per_seconds = per_seconds, .is_window = true};

	world->stage.limiter = limiter_hold(world->stage.limiters, STR("acc_1"), &rules);
	world->length_ns = per_seconds * SECOND_NS;
	/* What was taken for made before is forgotten. */
	world->stage.time.now_ns += world->length_ns;
	world->end_ns = world->stage.time.now_ns + lasts_s * SECOND_NS;
}

static int64_t draw(struct world *world, int64_t most)
{
	return (int64_t)random_below(&world->stage.random, (uint64_t)most + 1);
}

/* The ATS counts it at some moment before its answer is there. */
static void be_under_way(struct world *world, int64_t most_ms)
{
	int64_t way_ms = draw(world, most_ms / 2);

	loop_sleep_ms(way_ms);
	assert_true(world->count < CALLS_MAX);
	world->counted_ns[world->count++] = world->stage.time.now_ns;
	loop_sleep_ms(draw(world, most_ms / 2));
}

static void call_behind(void *context)
{
	struct world *world = context;
	int64_t waited_ns = 0;
	struct error err;

	while (world->stage.time.now_ns < world->end_ns) {
		assert_true(limiter_acquire_background(world->stage.limiter, 50, NEVER_NS, &waited_ns,
						       &err));
		world->back_count++;
		be_under_way(world, 200);
		limiter_release_background(world->stage.limiter);
	}
}

static void call_once(void *context)
{
	struct world *world = context;
	struct error err;

	assert_true(limiter_acquire(world->stage.limiter, NEVER_NS, &world->front_waited_ns, &err));
	world->front_count++;
	be_under_way(world, 200);
	limiter_release(world->stage.limiter);
}

/* `most` at once, now and then. */
static void call_in_front(struct world *world, int64_t most, int64_t pause_ms)
{
	while (world->stage.time.now_ns < world->end_ns) {
		for (int64_t i = draw(world, most); i > 0; i--)
			loop_spawn(world->stage.loop, call_once, world);
		loop_sleep_ms(1 + draw(world, pause_ms));
	}
}

static void call_now_and_then(void *context)
{
	call_in_front(context, 2, 1000);
}

static void call_in_bursts(void *context)
{
	call_in_front(context, 300, 60000);
}

static void run(struct world *world, size_t behind)
{
	for (size_t i = 0; i < behind; i++)
		loop_spawn(world->stage.loop, call_behind, world);
	assert_true(loop_drain(world->stage.loop, 24 * 3600 * 1000));
}

static int by_time(const void *a, const void *b)
{
	int64_t first = *(const int64_t *)a, second = *(const int64_t *)b;

	return (first > second) - (first < second);
}

/* The most that any window had. */
static size_t find_most(struct world *world)
{
	size_t most = 0, from = 0;

	qsort(world->counted_ns, world->count, sizeof world->counted_ns[0], by_time);
	for (size_t to = 0; to < world->count; to++) {
		while (world->counted_ns[from] + world->length_ns <= world->counted_ns[to])
			from++;
		if (to - from + 1 > most)
			most = to - from + 1;
	}
	return most;
}

static void assert_used(const struct world *world, int64_t of)
{
	assert_true((int64_t)world->count * 100 >= of * 95);
}

static void test_beside_others_nearly_all_is_used_and_nobody_waits(void **state)
{
	struct world *world = *state;

	begin(world, 100, 10, 600);
	loop_spawn(world->stage.loop, call_now_and_then, world); /* a fifth of it */
	run(world, 8);
	assert_in_range(find_most(world), 95, 100);
	assert_used(world, 6000);
	assert_true(world->front_count > 800);
	/* One token comes each 100 ms. */
	assert_true(world->front_waited_ns / (int64_t)world->front_count < 20 * MS_NS);
}

static void test_a_large_limit_is_kept_beside_bursts(void **state)
{
	struct world *world = *state;

	begin(world, 600, 60, 1200);
	loop_spawn(world->stage.loop, call_in_bursts, world);
	run(world, 8);
	assert_in_range(find_most(world), 590, 600);
	assert_used(world, 12000);
	assert_true(world->back_count > 1000);
}

static void test_alone_it_comes_evenly(void **state)
{
	struct world *world = *state;

	begin(world, 600, 60, 60);
	run(world, 8);
	assert_in_range(world->count, 590, 600 + 600 / 20 + 8);
	qsort(world->counted_ns, world->count, sizeof world->counted_ns[0], by_time);
	int64_t half_ns = world->end_ns - 30 * SECOND_NS;
	size_t early = 0;
	while (early < world->count && world->counted_ns[early] < half_ns)
		early++;
	assert_in_range(early, 300, 340);
}

static void test_all_at_once_and_then_what_comes_free(void **state)
{
	struct world *world = *state;
	int64_t waited_ns = 0;
	struct error err;

	begin(world, 10, 10, 0);
	int64_t start_ns = world->stage.time.now_ns;
	for (int i = 0; i < 25; i++)
		loop_spawn(world->stage.loop, call_once, world);
	run(world, 0);
	assert_int_equal(world->count, 25);
	assert_int_equal(find_most(world), 10);
	assert_in_range(world->counted_ns[9] - start_ns, 0, 200 * MS_NS);
	assert_in_range(world->counted_ns[10] - start_ns, 10 * SECOND_NS, 11 * SECOND_NS);
	assert_in_range(world->counted_ns[20] - start_ns, 20 * SECOND_NS, 21 * SECOND_NS);
	/* Five are in the window, once those before them are out: five more may come, and the next is
	 * told when. */
	world->stage.time.now_ns += SECOND_NS;
	for (int i = 0; i < 5; i++)
		assert_true(limiter_acquire(world->stage.limiter, 0, &waited_ns, &err));
	assert_false(limiter_acquire(world->stage.limiter, world->stage.time.now_ns + SECOND_NS, &waited_ns,
				     &err));
	assert_int_equal(err.code, ERROR_RATE_LIMITED);
	assert_in_range(err.retry_after_ms, 8000, 9700);
	for (int i = 0; i < 5; i++)
		limiter_release(world->stage.limiter);
}

static void test_an_account_that_is_new_has_made_calls(void **state)
{
	struct world *world = *state;
	const struct limiter_rules rules = {.requests = 20, .per_seconds = 10, .is_window = true};
	int64_t waited_ns = 0;
	struct error err;

	world->stage.limiter = limiter_hold(world->stage.limiters, STR("acc_1"), &rules);
	for (int i = 0; i < 20 - CALLS_BEFORE; i++)
		assert_true(limiter_acquire(world->stage.limiter, NEVER_NS, &waited_ns, &err));
	assert_false(limiter_acquire(world->stage.limiter, world->stage.time.now_ns + SECOND_NS, &waited_ns,
				     &err));
	for (int i = 0; i < 20 - CALLS_BEFORE; i++)
		limiter_release(world->stage.limiter);
}

static void test_it_is_not_forgotten_while_it_counts(void **state)
{
	struct world *world = *state;
	const struct limiter_rules rules = {.requests = 1, .per_seconds = 3600, .is_window = true};
	int64_t waited_ns = 0;
	struct error err;

	world->stage.limiter = limiter_hold(world->stage.limiters, STR("acc_1"), &rules);
	assert_true(limiter_acquire(world->stage.limiter, NEVER_NS, &waited_ns, &err));
	limiter_release(world->stage.limiter);
	limiter_drop(world->stage.limiter);
	world->stage.time.now_ns += 120 * SECOND_NS;
	world->stage.limiter = limiter_hold(world->stage.limiters, STR("acc_1"), &rules);
	limiter_drop(world->stage.limiter);
	world->stage.limiter = limiter_hold(world->stage.limiters, STR("acc_1"), &rules);
	assert_false(limiter_acquire(world->stage.limiter, world->stage.time.now_ns + SECOND_NS, &waited_ns,
				     &err));
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_beside_others_nearly_all_is_used_and_nobody_waits),
		TEST(test_a_large_limit_is_kept_beside_bursts),
		TEST(test_alone_it_comes_evenly),
		TEST(test_all_at_once_and_then_what_comes_free),
		TEST(test_an_account_that_is_new_has_made_calls),
		TEST(test_it_is_not_forgotten_while_it_counts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
