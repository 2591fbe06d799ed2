/* Fibers: switching, what survives a switch, reuse of stacks, threads. */
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fiber.h"

struct steps {
	char text[64];
	size_t len;
	struct fiber *seen;
};

static void note(struct steps *steps, char step)
{
	steps->text[steps->len++] = step;
}

static void three_steps(void *context)
{
	struct steps *steps = context;

	steps->seen = fiber_current();
	note(steps, 'a');
	fiber_yield();
	note(steps, 'b');
	fiber_yield();
	note(steps, 'c');
}

static void a_fiber_goes_on_where_it_yielded(void **state)
{
	struct fiber_pool pool;
	struct steps steps = {0};

	(void)state;
	fiber_pool_init(&pool, 0);
	struct fiber *fiber = fiber_create(&pool, three_steps, &steps);
	assert_int_equal(pool.alive, 1);
	assert_int_equal(steps.len, 0);
	for (char mark = '1'; mark <= '3'; mark++) {
		assert_null(fiber_current());
		fiber_resume(fiber);
		assert_null(fiber_current());
		note(&steps, mark);
	}
	assert_ptr_equal(steps.seen, fiber);
	assert_string_equal(steps.text, "a1b2c3");
	assert_int_equal(pool.alive, 0);
	fiber_pool_finish(&pool);
}

static void one_step(void *context)
{
	note(context, 'x');
}

static void a_stack_is_used_again(void **state)
{
	struct fiber_pool pool;
	struct steps steps = {0};
	struct fiber *first = NULL;

	(void)state;
	fiber_pool_init(&pool, 0);
	for (int i = 0; i < 50; i++) {
		struct fiber *fiber = fiber_create(&pool, one_step, &steps);
		first = first == NULL ? fiber : first;
		assert_ptr_equal(fiber, first);
		fiber_resume(fiber);
		assert_int_equal(pool.idle_count, 1);
	}
	assert_int_equal(steps.len, 50);
	fiber_pool_finish(&pool);
	assert_int_equal(pool.idle_count, 0);
}

/* Locals and callee-saved registers belong to a fiber. */
struct sum {
	uint64_t seed;
	uint64_t result;
	double share;
};

static uint64_t mix(uint64_t x)
{
	return (x ^ (x >> 29)) * 0xbf58476d1ce4e5b9u;
}

static void add_up(void *context)
{
	struct sum *sum = context;
	uint64_t a = sum->seed, b = mix(a), c = mix(b), d = mix(c), e = mix(d), f = mix(e);
	double share = (double)sum->seed / 3;

	for (int i = 0; i < 20; i++) {
		a = mix(a + b), b = mix(b + c), c = mix(c + d);
		d = mix(d + e), e = mix(e + f), f = mix(f + a);
		share = share * 1.25 + 1;
		fiber_yield();
	}
	sum->result = a ^ b ^ c ^ d ^ e ^ f;
	sum->share = share;
}

static void add_up_alone(struct sum *sum)
{
	struct fiber_pool pool;

	fiber_pool_init(&pool, 0);
	struct fiber *fiber = fiber_create(&pool, add_up, sum);
	while (pool.alive > 0)
		fiber_resume(fiber);
	fiber_pool_finish(&pool);
}

static void locals_survive_a_thousand_interleaved_fibers(void **state)
{
	enum { COUNT = 1000 };
	static struct sum sums[COUNT], alone;
	static struct fiber *fibers[COUNT];
	struct fiber_pool pool;

	(void)state;
	fiber_pool_init(&pool, 0);
	for (size_t i = 0; i < COUNT; i++) {
		sums[i].seed = i + 1;
		fibers[i] = fiber_create(&pool, add_up, &sums[i]);
	}
	assert_int_equal(pool.alive, COUNT);
	for (int round = 0; round <= 20; round++)
		for (size_t i = 0; i < COUNT; i++)
			fiber_resume(fibers[i]);
	assert_int_equal(pool.alive, 0);
	assert_true(pool.idle_count < COUNT); /* not every stack is kept */
	fiber_pool_finish(&pool);
	for (size_t i = 0; i < COUNT; i += 97) {
		alone.seed = i + 1;
		add_up_alone(&alone);
		assert_true(alone.result == sums[i].result && alone.share == sums[i].share);
	}
}

static int descend(int depth)
{
	volatile char frame[512];

	memset((void *)(uintptr_t)frame, depth, sizeof frame);
	if (depth == 0) {
		fiber_yield();
		return 0;
	}
	return descend(depth - 1) + (frame[511] == (char)depth);
}

static void go_deep(void *context)
{
	*(int *)context = descend(100);
}

static void a_deep_stack_survives(void **state)
{
	struct fiber_pool pool;
	int depths[8] = {0};
	struct fiber *fibers[8];

	(void)state;
	fiber_pool_init(&pool, 0);
	for (int i = 0; i < 8; i++) {
		fibers[i] = fiber_create(&pool, go_deep, &depths[i]);
		fiber_resume(fibers[i]);
	}
	for (int i = 0; i < 8; i++) {
		fiber_resume(fibers[i]);
		assert_int_equal(depths[i], 100);
	}
	fiber_pool_finish(&pool);
}

static void run_off(void *context)
{
	volatile char frame[1024];

	memset((void *)(uintptr_t)frame, 1, sizeof frame);
	if (context != NULL)
		run_off((void *)(uintptr_t)frame);
	frame[0] = 2; /* no tail call */
}

/* The guard page stops a fiber that needs more than its stack, before it writes elsewhere. */
static void a_stack_that_overflows_is_stopped(void **state)
{
	int status;
	pid_t child = fork();

	(void)state;
	if (child == 0) {
		struct fiber_pool pool;

		signal(SIGSEGV, SIG_DFL);
		close(STDERR_FILENO); /* where a sanitizer would tell at length */
		fiber_pool_init(&pool, 64 * 1024);
		fiber_resume(fiber_create(&pool, run_off, &pool));
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_false(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void *run_many(void *context)
{
	struct sum *sum = context;

	for (int i = 0; i < 200; i++)
		add_up_alone(sum);
	return NULL;
}

static void threads_have_their_own(void **state)
{
	struct sum sums[4], alone = {.seed = 5};
	pthread_t threads[4];

	(void)state;
	add_up_alone(&alone);
	for (int i = 0; i < 4; i++) {
		sums[i] = (struct sum){.seed = 5};
		assert_int_equal(pthread_create(&threads[i], NULL, run_many, &sums[i]), 0);
	}
	for (int i = 0; i < 4; i++) {
		pthread_join(threads[i], NULL);
		assert_true(sums[i].result == alone.result);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_fiber_goes_on_where_it_yielded),
		cmocka_unit_test(a_stack_is_used_again),
		cmocka_unit_test(locals_survive_a_thousand_interleaved_fibers),
		cmocka_unit_test(a_deep_stack_survives),
		cmocka_unit_test(a_stack_that_overflows_is_stopped),
		cmocka_unit_test(threads_have_their_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
