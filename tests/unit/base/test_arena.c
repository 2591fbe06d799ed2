/* Memory with one lifetime: alignment, growth, the soft limit, finishers, and that a byte past an
 * allocation is seen by ASan. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/arena.h"
#include "dying.h"

#if UNDER_ASAN
#include <sanitizer/asan_interface.h>
#endif

static int set_up(void **state)
{
	static struct arena arena;

	arena_init(&arena, 64 * 1024 * 1024);
	*state = &arena;
	return 0;
}

static int tear_down(void **state)
{
	arena_finish(*state);
	return 0;
}

/* Sizes from nothing to past a block: each is aligned to 16 and none lies on another. */
static void test_allocations_are_aligned_and_apart(void **state)
{
	enum { COUNT = 3000 };
	unsigned char *all[COUNT];

	for (size_t i = 0; i < COUNT; i++) {
		all[i] = arena_alloc(*state, i);
		assert_int_equal((uintptr_t)all[i] % 16, 0);
		memset(all[i], (int)(i % 251), i);
	}
	for (size_t i = 0; i < COUNT; i++)
		for (size_t k = 0; k < i; k++)
			if (all[i][k] != i % 251)
				fail_msg("allocation %zu was written over at %zu", i, k);
}

/* A first block has 4064 bytes: what fills it, and one byte more, are both whole. */
static void test_the_end_of_a_block_is_no_end(void **state)
{
	struct arena *arena = *state;
	char *first = arena_alloc(arena, 4064);
	size_t bytes = arena->bytes;

	memset(first, 1, 4064);
	assert_int_equal(bytes, 4064);
	char *second = arena_alloc(arena, 1);
	*second = 2;
	assert_true(arena->bytes > bytes);
	assert_int_equal(first[4063], 1);
}

static void test_large_allocations_are_whole(void **state)
{
	struct arena *arena = *state;
	size_t size = 5 * 1024 * 1024 + 3;
	char *large = arena_alloc(arena, size);

	memset(large, 'x', size);
	assert_true(arena->bytes >= size);
	assert_true(arena->bytes < size + 16 + 4096);
}

static void test_zero_is_zero_in_used_memory(void **state)
{
	struct arena *arena = *state;

	memset(arena_alloc(arena, 4000), 0xff, 4000);
	arena_finish(arena);
	char *bytes = arena_zero(arena, 4000);
	for (size_t i = 0; i < 4000; i++)
		assert_int_equal(bytes[i], 0);
}

/* Under ASan the byte behind an allocation is poisoned, and stays so after neighbours come. */
static void test_tails_are_poisoned(void **state)
{
#if UNDER_ASAN
	for (size_t size = 1; size <= 64; size++) {
		char *bytes = arena_alloc(*state, size);
		arena_alloc(*state, 32);
		assert_false(__asan_address_is_poisoned(bytes + size - 1));
		if (size % 16 != 0)
			assert_true(__asan_address_is_poisoned(bytes + size));
	}
	char *last = arena_alloc(*state, 16);
	assert_true(__asan_address_is_poisoned(last + 16));
#else
	(void)state;
	skip();
#endif
}

/* The newest allocation grows where it is; an older one is copied; bytes stay the same. */
static void test_grow(void **state)
{
	char *bytes = arena_alloc(*state, 10);

	memcpy(bytes, "0123456789", 10);
	char *grown = arena_grow(*state, bytes, 10, 100);
	assert_ptr_equal(grown, bytes);
	arena_alloc(*state, 1);
	char *moved = arena_grow(*state, grown, 100, 200);
	assert_ptr_not_equal(moved, grown);
	assert_memory_equal(moved, "0123456789", 10);
	assert_ptr_equal(arena_grow(*state, moved, 200, 200), moved);
	assert_non_null(arena_grow(*state, NULL, 0, 0));
}

/* An array that grows item by item past many blocks keeps its items. */
static void test_grow_past_blocks(void **state)
{
	uint32_t *items = NULL;
	enum { COUNT = 200000 };

	for (size_t i = 0; i < COUNT; i++) {
		items = arena_grow(*state, items, i * sizeof *items, (i + 1) * sizeof *items);
		items[i] = (uint32_t)i;
	}
	for (size_t i = 0; i < COUNT; i++)
		if (items[i] != i)
			fail_msg("item %zu is %u", i, items[i]);
}

/* At the limit the check holds, past it it does not; allocation itself succeeds in both. */
static void test_the_limit_is_soft(void **state)
{
	struct arena arena;
	struct error err;

	(void)state;
	arena_init(&arena, 4064);
	arena_alloc(&arena, 4064);
	assert_true(arena_check(&arena, &err));
	memset(arena_alloc(&arena, 1), 1, 1);
	assert_false(arena_check(&arena, &err));
	assert_true(arena_is_over(&arena));
	assert_int_equal(err.code, ERROR_LIMIT);
	assert_non_null(strstr(err.message, "4064"));
	arena_finish(&arena);
	assert_true(arena_check(&arena, &err));
	assert_int_equal(arena.bytes, 0);
}

static void test_texts(void **state)
{
	char long_text[3000];

	memset(long_text, 'y', sizeof long_text);
	struct str copy = arena_str(*state, STR("ab\0c"));
	assert_int_equal(copy.len, 4);
	assert_memory_equal(copy.data, "ab\0c", 4);
	assert_string_equal(arena_c(*state, STR("tenon")), "tenon");
	assert_string_equal(arena_c(*state, (struct str){NULL, 0}), "");
	assert_int_equal(arena_str(*state, (struct str){NULL, 0}).len, 0);
	struct str text = arena_format(*state, "%d-%.*s", 7, (int)sizeof long_text, long_text);
	assert_int_equal(text.len, 3002);
	assert_memory_equal(text.data, "7-yyy", 5);
	assert_int_equal(text.data[text.len], '\0');
}

struct note {
	char *log;
	char letter;
};

static void write_down(void *thing)
{
	struct note *note = thing;
	size_t len = strlen(note->log);

	note->log[len] = note->letter;
}

/* Newest first, each once, and while what they stand for is still there. */
static void test_finishers(void **state)
{
	char log[8] = "";
	const char *letters = "abc";

	for (size_t i = 0; i < 3; i++) {
		struct note *note = arena_alloc(*state, sizeof *note);
		*note = (struct note){log, letters[i]};
		arena_on_finish(*state, write_down, note);
	}
	arena_finish(*state);
	assert_string_equal(log, "cba");
	arena_finish(*state);
	assert_string_equal(log, "cba");
}

static void ask_too_many(void *context)
{
	arena_array(context, SIZE_MAX / 8 + 1, 16);
}

static void ask_too_much(void *context)
{
	arena_alloc(context, SIZE_MAX / 2 + 1);
}

static void shrink(void *context)
{
	char *bytes = arena_alloc(context, 100);

	arena_grow(context, bytes, 100, 99);
}

/* What can only be a bug ends the process instead of wrapping around. */
static void test_senseless_sizes_end_the_process(void **state)
{
	assert_int_equal(dies_by(ask_too_many, *state), SIGABRT);
	assert_int_equal(dies_by(ask_too_much, *state), SIGABRT);
	assert_int_equal(dies_by(shrink, *state), SIGABRT);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(test_allocations_are_aligned_and_apart),
		TEST(test_the_end_of_a_block_is_no_end),
		TEST(test_large_allocations_are_whole),
		TEST(test_zero_is_zero_in_used_memory),
		TEST(test_tails_are_poisoned),
		TEST(test_grow),
		TEST(test_grow_past_blocks),
		TEST(test_the_limit_is_soft),
		TEST(test_texts),
		TEST(test_finishers),
		TEST(test_senseless_sizes_end_the_process),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
