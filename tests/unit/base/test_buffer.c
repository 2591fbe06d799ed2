/* Bytes that grow at their end: up to the limit exactly, never past it, and what did not fit is
 * told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/buffer.h"

struct test {
	struct arena arena;
	struct buffer buffer;
	struct error err;
};

static int set_up(void **state)
{
	static struct test test;

	arena_init(&test.arena, 64 * 1024 * 1024);
	*state = &test;
	return 0;
}

static int tear_down(void **state)
{
	struct test *test = *state;

	arena_finish(&test->arena);
	return 0;
}

static void test_appends(void **state)
{
	struct test *test = *state;
	struct buffer *out = &test->buffer;

	buffer_init(out, &test->arena, 1000);
	assert_int_equal(buffer_str(out).len, 0);
	buffer_append(out, STR("a\0b"));
	buffer_append(out, (struct str){NULL, 0});
	buffer_append_c(out, "-c-");
	buffer_append_c(out, NULL);
	buffer_append_byte(out, 'd');
	buffer_append_format(out, "%s%d", "e", 5);
	buffer_append_format(out, "%s", "");
	assert_true(str_equal(buffer_str(out), STR("a\0b-c-de5")));
	assert_true(buffer_check(out, "it", &test->err));
}

static void test_numbers(void **state)
{
	static const int64_t numbers[] = {0, 7, -7, 10, INT64_MAX, INT64_MIN};
	struct test *test = *state;

	for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
		char expected[32];
		snprintf(expected, sizeof expected, "%lld", (long long)numbers[i]);
		buffer_init(&test->buffer, &test->arena, 100);
		buffer_append_int(&test->buffer, numbers[i]);
		assert_true(str_equal_c(buffer_str(&test->buffer), expected));
	}
}

/* Each way to append takes the last byte and refuses the next, whole. */
static void test_limit_at_and_one_past(void **state)
{
	struct test *test = *state;
	struct buffer *out = &test->buffer;

	for (size_t way = 0; way < 4; way++) {
		for (size_t len = 9; len <= 10; len++) {
			const char *text = len == 9 ? "123456789" : "1234567890";
			buffer_init(out, &test->arena, 19);
			buffer_append_c(out, "begins now");
			if (way == 0)
				buffer_append(out, str_make(text, len));
			else if (way == 1)
				buffer_append_c(out, text);
			else if (way == 2)
				buffer_append_format(out, "%s", text);
			else
				buffer_append_int(out, len == 9 ? 123456789 : 1234567890);
			if (out->is_over != (len == 10))
				fail_msg("way %zu with %zu bytes", way, len);
			assert_int_equal(out->len, len == 10 ? 10 : 19);
		}
	}
	assert_false(buffer_check(out, "the reply", &test->err));
	assert_int_equal(test->err.code, ERROR_LIMIT);
	assert_string_equal(test->err.message, "the reply is larger than 19 bytes");
}

/* A part that did not fit stays told, though a smaller one fits behind it. */
static void test_over_is_not_forgotten(void **state)
{
	struct test *test = *state;

	buffer_init(&test->buffer, &test->arena, 4);
	buffer_append_c(&test->buffer, "12345");
	buffer_append_c(&test->buffer, "1234");
	assert_true(str_equal(buffer_str(&test->buffer), STR("1234")));
	assert_false(buffer_check(&test->buffer, "it", &test->err));
}

static void test_room(void **state)
{
	struct test *test = *state;
	struct buffer *out = &test->buffer;

	buffer_init(out, &test->arena, 600);
	char *at = buffer_room(out, 600);
	assert_non_null(at);
	memset(at, 'x', 600);
	out->len += 600;
	assert_non_null(buffer_room(out, 0));
	assert_null(buffer_room(out, 1));
	assert_null(buffer_room(out, SIZE_MAX));
	assert_true(out->is_over);
	assert_int_equal(buffer_str(out).len, 600);
}

/* Growth byte by byte keeps the bytes and costs little more memory than they need. */
static void test_growth_is_cheap(void **state)
{
	struct test *test = *state;
	struct buffer *out = &test->buffer;
	enum { COUNT = 300000 };

	buffer_init(out, &test->arena, COUNT);
	for (size_t i = 0; i < COUNT; i++)
		buffer_append_byte(out, (char)('a' + i % 26));
	assert_true(buffer_check(out, "it", &test->err));
	for (size_t i = 0; i < COUNT; i++)
		if (out->data[i] != (char)('a' + i % 26))
			fail_msg("byte %zu", i);
	assert_true(test->arena.bytes < 8 * COUNT);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(test_appends),
		TEST(test_numbers),
		TEST(test_limit_at_and_one_past),
		TEST(test_over_is_not_forgotten),
		TEST(test_room),
		TEST(test_growth_is_cheap),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
