/* Strings with a length: comparing, finding, cutting, numbers at the edges of their range. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/str.h"

static const struct str none = {NULL, 0};

static void test_equal(void **state)
{
	(void)state;
	assert_true(str_equal(STR("a\0b"), STR("a\0b")));
	assert_false(str_equal(STR("a\0b"), STR("a\0c")));
	assert_false(str_equal(STR("ab"), STR("abc")));
	assert_true(str_equal(none, STR("")));
	assert_true(str_equal_c(STR("tenon"), "tenon"));
	assert_true(str_equal_c(none, NULL));
	assert_false(str_equal_c(STR("tenon\0"), "tenon"));
}

/* ASCII letters only: not the bytes that differ from a letter by 0x20, not those past ASCII, and
 * what stands behind a NUL counts too. */
static void test_equal_nocase(void **state)
{
	(void)state;
	assert_true(str_equal_nocase(STR("Content-TYPE"), STR("content-type")));
	assert_true(str_equal_nocase(none, STR("")));
	assert_false(str_equal_nocase(STR("ab"), STR("abc")));
	assert_false(str_equal_nocase(STR("@["), STR("`{")));
	assert_false(str_equal_nocase(STR("\xc3\x84"), STR("\xc3\xa4")));
	assert_false(str_equal_nocase(STR("host\0a"), STR("host\0b")));
	assert_true(str_equal_nocase(STR("host\0a"), STR("HOST\0A")));
}

static void test_compare_is_bytewise(void **state)
{
	(void)state;
	assert_int_equal(str_compare(STR("b"), STR("b")), 0);
	assert_true(str_compare(STR("a"), STR("b")) < 0);
	assert_true(str_compare(STR("ab"), STR("a")) > 0);
	assert_true(str_compare(none, STR("a")) < 0);
	assert_int_equal(str_compare(none, STR("")), 0);
	assert_true(str_compare(STR("\x7f"), STR("\x80")) < 0);
	assert_true(str_compare(STR("a\0a"), STR("a\0b")) < 0);
}

static void test_starts_and_ends(void **state)
{
	(void)state;
	assert_true(str_starts_with(STR("tenon"), STR("ten")));
	assert_true(str_starts_with(STR("tenon"), STR("tenon")));
	assert_false(str_starts_with(STR("tenon"), STR("tenons")));
	assert_true(str_starts_with(none, none));
	assert_true(str_ends_with(STR("tenon"), STR("non")));
	assert_false(str_ends_with(STR("tenon"), STR("a tenon")));
	assert_true(str_ends_with(none, STR("")));
}

static void test_find(void **state)
{
	(void)state;
	assert_int_equal(str_find_byte(STR("a=b=c"), '='), 1);
	assert_int_equal(str_find_byte(STR("ab"), '\0'), -1);
	assert_int_equal(str_find_byte(STR("a\0"), '\0'), 1);
	assert_int_equal(str_find_byte(none, 'a'), -1);
	assert_int_equal(str_find(STR("mortise and tenon"), STR("tenon")), 12);
	assert_int_equal(str_find(STR("teno"), STR("tenon")), -1);
	assert_int_equal(str_find(STR("x"), none), 0);
	assert_int_equal(str_find(none, STR("x")), -1);
}

static void test_slice_stays_within(void **state)
{
	struct str s = STR("tenon");

	(void)state;
	assert_true(str_equal(str_slice(s, 1, 3), STR("en")));
	assert_true(str_equal(str_slice(s, 0, 5), s));
	assert_true(str_equal(str_slice(s, 0, 6), s));
	assert_int_equal(str_slice(s, 5, 9).len, 0);
	assert_int_equal(str_slice(s, 6, 9).len, 0);
	assert_int_equal(str_slice(s, 3, 2).len, 0);
	assert_int_equal(str_slice(s, SIZE_MAX, SIZE_MAX).len, 0);
	assert_null(str_slice(none, 0, 1).data);
}

static void test_trim(void **state)
{
	(void)state;
	assert_true(str_equal(str_trim(STR(" \t\r\n a b \n")), STR("a b")));
	assert_true(str_equal(str_trim(STR("\v")), STR("\v")));
	assert_int_equal(str_trim(STR(" \n ")).len, 0);
	assert_int_equal(str_trim(none).len, 0);
}

static void test_cut(void **state)
{
	struct str rest = STR("a,,b");

	(void)state;
	assert_true(str_equal(str_cut(&rest, ','), STR("a")));
	assert_true(str_equal(str_cut(&rest, ','), STR("")));
	assert_non_null(rest.data);
	assert_true(str_equal(str_cut(&rest, ','), STR("b")));
	assert_null(rest.data);
	assert_int_equal(str_cut(&rest, ',').len, 0);
	/* A separator at the end leaves an empty part, and not "no part". */
	rest = STR("a,");
	assert_true(str_equal(str_cut(&rest, ','), STR("a")));
	assert_non_null(rest.data);
	assert_int_equal(rest.len, 0);
}

static void expect_number(const char *text, int64_t number)
{
	int64_t out = 77;

	if (!str_to_int64(str_from_c(text), &out) || out != number)
		fail_msg("\"%s\" became %lld", text, (long long)out);
}

static void expect_no_number(struct str text)
{
	int64_t out = 77;

	if (str_to_int64(text, &out))
		fail_msg("\"%.*s\" became %lld", STR_ARGS(text), (long long)out);
	assert_int_equal(out, 77);
}

static void test_numbers(void **state)
{
	(void)state;
	expect_number("0", 0);
	expect_number("-0", 0);
	expect_number("007", 7);
	expect_number("9223372036854775807", INT64_MAX);
	expect_number("-9223372036854775808", INT64_MIN);
	expect_no_number(STR("9223372036854775808"));
	expect_no_number(STR("-9223372036854775809"));
	expect_no_number(STR("99999999999999999999"));
	expect_no_number(STR("18446744073709551616"));
	expect_no_number(none);
	expect_no_number(STR("-"));
	expect_no_number(STR("+1"));
	expect_no_number(STR("--1"));
	expect_no_number(STR(" 1"));
	expect_no_number(STR("1 "));
	expect_no_number(STR("1.0"));
	expect_no_number(STR("0x10"));
	expect_no_number(STR("1\0"));
	expect_no_number(STR("\xd9\xa1"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_equal),
		cmocka_unit_test(test_equal_nocase),
		cmocka_unit_test(test_compare_is_bytewise),
		cmocka_unit_test(test_starts_and_ends),
		cmocka_unit_test(test_find),
		cmocka_unit_test(test_slice_stays_within),
		cmocka_unit_test(test_trim),
		cmocka_unit_test(test_cut),
		cmocka_unit_test(test_numbers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
