/* Randomness: even draws, replayable runs, and the kernel's bytes whatever signals come. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>
#include <sys/time.h>

#include "base/random.h"
#include "dying.h"

/* The values which others' splitmix64 gives for this seed. */
static void test_seeded_is_splitmix64(void **state)
{
	struct random_seeded seeded = {1234567};

	(void)state;
	assert_true(random_seeded_next(&seeded) == 6457827717110365317u);
	assert_true(random_seeded_next(&seeded) == 3203168211198807973u);
	assert_true(random_seeded_next(&seeded) == 9817491932198370423u);
	assert_true(random_seeded_next(&seeded) == 4593380528125082431u);
}

/* The same seed, the same bytes, also where a length is no multiple of a word. */
static void test_a_seed_replays(void **state)
{
	struct random_seeded a = {42}, b = {42}, c = {43};
	struct random first = random_from_seed(&a), second = random_from_seed(&b);
	struct random other = random_from_seed(&c);
	unsigned char x[16] = {0}, y[16] = {0}, z[16] = {0};

	(void)state;
	for (size_t len = 0; len < 16; len++) {
		random_fill(&first, x, len);
		random_fill(&second, y, len);
		random_fill(&other, z, len);
		assert_memory_equal(x, y, len);
		assert_int_equal(x[len], 0);
		assert_true(len < 8 || memcmp(x, z, len) != 0);
	}
}

static void test_below_stays_below(void **state)
{
	static const uint64_t bounds[] = {
		1, 2, 3, 10, 255, 256, 1u << 31, UINT64_MAX / 2 + 2, UINT64_MAX};
	struct random_seeded seeded = {1};
	struct random random = random_from_seed(&seeded);

	(void)state;
	for (size_t i = 0; i < sizeof bounds / sizeof bounds[0]; i++)
		for (size_t k = 0; k < 1000; k++)
			assert_true(random_below(&random, bounds[i]) < bounds[i]);
}

/* 60,000 throws of a die: each face within 5 standard deviations (91.3 each) of 10,000. */
static void test_below_is_even(void **state)
{
	struct random_seeded seeded = {6};
	struct random random = random_from_seed(&seeded);
	size_t faces[6] = {0};

	(void)state;
	for (size_t i = 0; i < 60000; i++)
		faces[random_below(&random, 6)]++;
	for (size_t i = 0; i < 6; i++)
		assert_in_range(faces[i], 9543, 10457);
}

struct script {
	uint64_t values[3];
	size_t at;
};

static void fill_from_script(void *context, void *bytes, size_t len)
{
	struct script *script = context;

	assert_int_equal(len, 8);
	memcpy(bytes, &script->values[script->at++], len);
}

/* 2^64 is no multiple of 10: values of the last incomplete run are drawn again. */
static void test_unfair_values_are_drawn_again(void **state)
{
	struct script script = {{UINT64_MAX, UINT64_MAX - 5, UINT64_MAX - 6}, 0};
	struct random random = {fill_from_script, &script};

	(void)state;
	assert_true(random_below(&random, 10) == 9);
	assert_int_equal(script.at, 3);
}

static void draw_below_nothing(void *context)
{
	(void)context;
	random_below(random_system(), 0);
}

static void test_below_nothing_is_a_bug(void **state)
{
	(void)state;
	assert_int_equal(dies_by(draw_below_nothing, NULL), SIGABRT);
}

static void ignore(int signal)
{
	(void)signal;
}

/* Large draws while signals break in: all of the bytes come, and none stays as it was. */
static void test_the_system_under_signals(void **state)
{
	enum { BYTES = 4 * 1024 * 1024 };
	struct sigaction action = {.sa_handler = ignore}, before;
	struct itimerval often = {{0, 200}, {0, 200}}, never = {{0, 0}, {0, 0}};
	unsigned char *bytes = calloc(1, BYTES);
	size_t zeros = 0;

	(void)state;
	assert_non_null(bytes);
	sigaction(SIGALRM, &action, &before);
	setitimer(ITIMER_REAL, &often, NULL);
	random_fill(random_system(), bytes, BYTES);
	setitimer(ITIMER_REAL, &never, NULL);
	sigaction(SIGALRM, &before, NULL);
	for (size_t i = BYTES - 4096; i < BYTES; i++)
		zeros += bytes[i] == 0;
	assert_true(zeros < 100);
	random_fill(random_system(), bytes, 0);
	free(bytes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_seeded_is_splitmix64),
		cmocka_unit_test(test_a_seed_replays),
		cmocka_unit_test(test_below_stays_below),
		cmocka_unit_test(test_below_is_even),
		cmocka_unit_test(test_unfair_values_are_drawn_again),
		cmocka_unit_test(test_below_nothing_is_a_bug),
		cmocka_unit_test(test_the_system_under_signals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
