/* Fibers: order of switches, what survives them, ten thousand at once, reuse of stacks, and the
 * page that guards each. How long a switch takes is for bench/ to say. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>

#include "base/fiber.h"
#include "dying.h"

#if UNDER_ASAN
#include <sanitizer/asan_interface.h>
#endif

static int set_up(void **state)
{
	static struct fiber_pool pool;

	fiber_pool_init(&pool, 0);
	*state = &pool;
	return 0;
}

static int tear_down(void **state)
{
	fiber_pool_finish(*state);
	return 0;
}

/* --- switching ------------------------------------------------------------------------------ */

struct steps {
	char log[16];
	size_t len;
	struct fiber *self;
};

static void note(struct steps *steps, char letter)
{
	steps->log[steps->len++] = letter;
}

static void take_steps(void *context)
{
	struct steps *steps = context;

	steps->self = fiber_current();
	note(steps, 'b');
	fiber_yield();
	note(steps, 'd');
	fiber_yield();
	note(steps, 'f');
}

static void test_order(void **state)
{
	struct fiber_pool *pool = *state;
	struct steps steps = {"", 0, NULL};
	struct fiber *fiber = fiber_create(pool, take_steps, &steps);

	assert_null(fiber_current());
	assert_int_equal(pool->alive, 1);
	for (char letter = 'a'; letter <= 'e'; letter = (char)(letter + 2)) {
		note(&steps, letter);
		fiber_resume(fiber);
		assert_null(fiber_current());
	}
	assert_string_equal(steps.log, "abcdef");
	assert_ptr_equal(steps.self, fiber);
	assert_int_equal(pool->alive, 0);
}

struct sum {
	int64_t first;
	int64_t sum;
};

/* Locals in registers and on the stack, whole and floating. */
static void add_up(void *context)
{
	struct sum *sum = context;
	double half = (double)sum->first / 2;
	int64_t numbers[64];

	for (int i = 0; i < 64; i++)
		numbers[i] = sum->first * i;
	fiber_yield();
	for (int i = 0; i < 64; i++) {
		sum->sum += numbers[i];
		if (i % 16 == 0)
			fiber_yield();
	}
	sum->sum += (int64_t)(half * 2);
}

static void expect_sum(const struct sum *sum)
{
	if (sum->sum != sum->first * (63 * 64 / 2) + sum->first)
		fail_msg("fiber %lld has %lld", (long long)sum->first, (long long)sum->sum);
}

/* 10,000 alive at once, each with its own locals, resumed in turn. */
static void test_ten_thousand(void **state)
{
#ifdef __SANITIZE_THREAD__
	enum { COUNT = 500 }; /* a fiber takes megabytes of TSan's own */
#else
	enum { COUNT = 10000 };
#endif
	struct fiber_pool *pool = *state;
	struct fiber **fibers = calloc(COUNT, sizeof *fibers);
	struct sum *sums = calloc(COUNT, sizeof *sums);

	assert_true(fibers != NULL && sums != NULL);
	for (size_t i = 0; i < COUNT; i++) {
		sums[i].first = (int64_t)i;
		fibers[i] = fiber_create(pool, add_up, &sums[i]);
	}
	assert_int_equal(pool->alive, COUNT);
	for (size_t turn = 0; turn < 6; turn++)
		for (size_t i = 0; i < COUNT; i++)
			fiber_resume(fibers[i]);
	assert_int_equal(pool->alive, 0);
	for (size_t i = 0; i < COUNT; i++)
		expect_sum(&sums[i]);
	/* A few stacks are kept for reuse, not ten thousand. */
	assert_in_range(pool->idle_count, 1, 128);
	free(fibers);
	free(sums);
}

static void *run_on_a_thread(void *context)
{
	struct sum *sum = context;
	struct fiber_pool pool;

	fiber_pool_init(&pool, 0);
	struct fiber *fiber = fiber_create(&pool, add_up, sum);
	for (size_t turn = 0; turn < 6; turn++)
		fiber_resume(fiber);
	fiber_pool_finish(&pool);
	return NULL;
}

/* Each thread has its own running fiber and its own pool. */
static void test_threads(void **state)
{
	struct sum sums[4];
	pthread_t threads[4];

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		sums[i] = (struct sum){(int64_t)i + 1, 0};
		pthread_create(&threads[i], NULL, run_on_a_thread, &sums[i]);
	}
	for (size_t i = 0; i < 4; i++) {
		pthread_join(threads[i], NULL);
		expect_sum(&sums[i]);
	}
}

/* --- stacks --------------------------------------------------------------------------------- */

static void tell_place(void *context)
{
	*(char **)context = __builtin_frame_address(0);
}

static void test_stacks_are_used_again(void **state)
{
	struct fiber_pool *pool = *state;
	char *first, *second;

	fiber_resume(fiber_create(pool, tell_place, &first));
	assert_int_equal(pool->idle_count, 1);
	struct fiber *fiber = fiber_create(pool, tell_place, &second);
	assert_int_equal(pool->idle_count, 0);
	fiber_resume(fiber);
	assert_ptr_equal(first, second);
	assert_int_equal(pool->idle_count, 1);
}

/* Frames of 1 KiB, each written whole, so that every page down to the last is touched. */
__attribute__((noinline)) static size_t descend(size_t depth)
{
	volatile char frame[1024];

	for (size_t i = 0; i < sizeof frame; i++)
		frame[i] = (char)depth;
	if (depth == 0)
		return (size_t)(frame[0] == 0);
	return descend(depth - 1) + (size_t)(frame[1023] == (char)depth);
}

struct descent {
	size_t depth;
	size_t sum;
};

static void go_down(void *context)
{
	struct descent *descent = context;

	descent->sum = descend(descent->depth);
}

/* Most of the stack may be used, and used again by the next fiber on it. */
static void test_deep_use(void **state)
{
	struct fiber_pool *pool = *state;
	size_t frame_max = UNDER_ASAN ? 4096 : 1280;
	size_t depth = (pool->stack_bytes - 16 * 1024) / frame_max;

	for (size_t i = 0; i < 3; i++) {
		struct descent descent = {depth, 0};
		fiber_resume(fiber_create(pool, go_down, &descent));
		assert_int_equal(descent.sum, depth + 1);
	}
	assert_int_equal(pool->idle_count, 1);
}

static void overflow(void *context)
{
	struct descent descent = {SIZE_MAX, 0};

	fiber_resume(fiber_create(context, go_down, &descent));
}

/* One page too deep ends the process; it never writes on what lies below. */
static void test_overflow_hits_the_guard(void **state)
{
	if (UNDER_ASAN)
		skip(); /* which reports the overflow in its own way */
	assert_int_equal(dies_by(overflow, *state), SIGSEGV);
}

static void test_small_stacks(void **state)
{
	struct descent descent = {8, 0};
	struct fiber_pool pool;

	(void)state;
	fiber_pool_init(&pool, UNDER_ASAN ? 128 * 1024 - 5 : 20 * 1024 - 5);
	assert_int_equal(pool.stack_bytes % 4096, 0);
	fiber_resume(fiber_create(&pool, go_down, &descent));
	assert_int_equal(descent.sum, 9);
	fiber_pool_finish(&pool);
}

#if UNDER_ASAN
static void look_below(void *context)
{
	char *here = __builtin_frame_address(0);

	*(bool *)context = __asan_region_is_poisoned(here - 500 * 1024, 496 * 1024) == NULL;
}

static void yield_deep(void *context)
{
	volatile char frame[2048] = {1};

	fiber_yield();
	*(char *)context = frame[0];
}
#endif

/* What a fiber left poisoned on its stack is not seen as a fault of the next one. */
static void test_a_used_stack_is_clean(void **state)
{
#if UNDER_ASAN
	char left;
	struct fiber *fiber = fiber_create(*state, yield_deep, &left);
	bool is_clean = false;

	fiber_resume(fiber);
	fiber_resume(fiber);
	fiber_resume(fiber_create(*state, look_below, &is_clean));
	assert_true(is_clean);
#else
	(void)state;
	skip();
#endif
}

/* --- bugs ----------------------------------------------------------------------------------- */

static void do_nothing(void *context)
{
	(void)context;
}

static void yield_once(void *context)
{
	(void)context;
	fiber_yield();
}

static void resume_another(void *context)
{
	fiber_resume(fiber_create(context, do_nothing, NULL));
}

static void nest(void *context)
{
	fiber_resume(fiber_create(context, resume_another, context));
}

static void yield_outside(void *context)
{
	(void)context;
	fiber_yield();
}

static void resume_the_dead(void *context)
{
	struct fiber *fiber = fiber_create(context, do_nothing, NULL);

	fiber_resume(fiber);
	fiber_resume(fiber);
}

static void finish_too_early(void *context)
{
	fiber_resume(fiber_create(context, yield_once, NULL));
	fiber_pool_finish(context);
}

static void test_misuse_is_refused(void **state)
{
	assert_int_equal(dies_by(nest, *state), SIGABRT);
	assert_int_equal(dies_by(yield_outside, *state), SIGABRT);
	assert_int_equal(dies_by(resume_the_dead, *state), SIGABRT);
	assert_int_equal(dies_by(finish_too_early, *state), SIGABRT);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(test_order),
		TEST(test_ten_thousand),
		TEST(test_threads),
		TEST(test_stacks_are_used_again),
		TEST(test_deep_use),
		TEST(test_overflow_hits_the_guard),
		TEST(test_small_stacks),
		TEST(test_a_used_stack_is_clean),
		TEST(test_misuse_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
