/* Numbers: from text to double and whole number, and from double to the shortest text. */
#include "json_testing.h"

#include <float.h>
#include <inttypes.h>
#include <math.h>

static void assert_spelt(double number, const char *wanted)
{
	char text[32];
	size_t len = json_format_double(number, text);

	assert_str(str_make(text, len), str_from_c(wanted));
}

static void test_known_spellings(void **state)
{
	(void)state;
	assert_spelt(0.0, "0");
	assert_spelt(-0.0, "0");
	assert_spelt(1.0, "1");
	assert_spelt(-1.5, "-1.5");
	assert_spelt(0.1, "0.1");
	assert_spelt(0.1 + 0.2, "0.30000000000000004");
	assert_spelt(100.0, "100");
	assert_spelt(123456789.125, "123456789.125");
	assert_spelt(1e20, "100000000000000000000");
	assert_spelt(123456789012345680000.0, "123456789012345680000");
	assert_spelt(999999999999999900000.0, "999999999999999900000");
	assert_spelt(1e21, "1e+21");
	assert_spelt(-1.25e21, "-1.25e+21");
	assert_spelt(1e100, "1e+100");
	assert_spelt(0.000001, "0.000001");
	assert_spelt(0.00000123, "0.00000123");
	assert_spelt(1e-7, "1e-7");
	assert_spelt(1.5e-7, "1.5e-7");
	assert_spelt(1e-10, "1e-10");
	assert_spelt(5e-324, "5e-324");
	assert_spelt(2.2250738585072014e-308, "2.2250738585072014e-308");
	assert_spelt(DBL_MAX, "1.7976931348623157e+308");
	assert_spelt(-DBL_MAX, "-1.7976931348623157e+308");
	assert_spelt(9007199254740991.0, "9007199254740991");
	assert_spelt(9007199254740992.0, "9007199254740992");
	assert_spelt(9007199254740993.0, "9007199254740992");
	assert_spelt(18014398509481984.0, "18014398509481984");
	assert_spelt(4.35, "4.35");
	assert_spelt(5.684341886080802e-14, "5.684341886080802e-14");
	assert_spelt(1.0 / 3.0, "0.3333333333333333");
	assert_spelt(2.0 / 3.0, "0.6666666666666666");
	assert_spelt(INFINITY, "Infinity");
	assert_spelt(-INFINITY, "-Infinity");
	assert_spelt(NAN, "NaN");
}

/* The fewest digits of the C library's correctly rounded ones that read back as the number. */
static int count_digits_needed(double number)
{
	char text[40];

	for (int digits = 1; digits < 17; digits++) {
		snprintf(text, sizeof text, "%.*e", digits - 1, number);
		if (strtod(text, NULL) == number)
			return digits;
	}
	return 17;
}

static int count_digits(struct str text)
{
	int count = 0, zeros = 0;

	for (size_t i = 0; i < text.len && text.data[i] != 'e'; i++) {
		if (text.data[i] < '0' || text.data[i] > '9')
			continue;
		if (text.data[i] == '0') {
			zeros += count > 0;
			continue;
		}
		count += zeros + 1;
		zeros = 0;
	}
	return count;
}

static void check_shortest(double number)
{
	char text[33];
	size_t len = json_format_double(number, text);

	text[len] = '\0';
	if (strtod(text, NULL) != number)
		fail_msg("%s does not read back as %.17g", text, number);
	if (count_digits(str_make(text, len)) > count_digits_needed(number))
		fail_msg("%s is longer than needed", text);
}

static uint64_t next_random(uint64_t *state)
{
	*state += 0x9e3779b97f4a7c15;
	uint64_t mixed = (*state ^ (*state >> 30)) * 0xbf58476d1ce4e5b9;

	mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111eb;
	return mixed ^ (mixed >> 31);
}

static double from_bits(uint64_t bits)
{
	double number;

	memcpy(&number, &bits, sizeof number);
	return number;
}

/* All powers of two (where the gap below is half of that above) with their neighbours, all powers
 * of ten, and doubles drawn from a fixed seed. */
static void test_shortest(void **state)
{
	uint64_t random = 1;

	(void)state;
	for (uint64_t exponent = 0; exponent < 2047; exponent++) {
		check_shortest(from_bits((exponent << 52) + 1));
		if (exponent == 0)
			continue;
		check_shortest(from_bits(exponent << 52));
		check_shortest(from_bits((exponent << 52) - 1));
	}
	for (int power = -323; power <= 308; power++) {
		char text[16];

		snprintf(text, sizeof text, "1e%d", power);
		check_shortest(strtod(text, NULL));
	}
	for (size_t i = 0; i < 20000; i++) {
		double number = from_bits(next_random(&random));

		if (isfinite(number))
			check_shortest(number);
		check_shortest((double)(next_random(&random) % 100000000) / 100);
	}
}

static double to_double(struct arena *arena, const char *text)
{
	return json_to_double(parse(arena, text));
}

static void test_to_double(void **state)
{
	const char *texts[] = {"0", "-0", "-0.0", "1.5", "0.1", "123456789012345", "1e22", "1e23",
			       "1234567890123456", "9007199254740993", "9007199254740993.0",
			       "0.1e-5", "5e-324", "2e-324", "1e-400", "1.7976931348623157e308",
			       "1e400", "-1e400", "100000000000000000000000000000000e-32",
			       "0.000000000000000000000000000001e30", "2.2250738585072011e-308",
			       "179769313486231580793728971405301e276", "3.00e2", "4.0", "0e999999999",
			       "1e-99999999999999999999", "1e99999999999999999999", "8.5e-10",
			       "123456789012345678901234567890", "7.2057594037927933e16"};

	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		double got = to_double(*state, texts[i]), wanted = strtod(texts[i], NULL);

		if (memcmp(&got, &wanted, sizeof got) != 0)
			fail_msg("%s became %.17g, not %.17g", texts[i], got, wanted);
	}
	assert_true(signbit(to_double(*state, "-0")));
	assert_true(isnan(json_to_double(json_null())));
	/* More digits than fit any small buffer, and all of them count. */
	char *long_text = malloc(1001);

	memset(long_text, '0', 1000);
	memcpy(long_text, "9007199254740993.", 17);
	long_text[1000] = '\0';
	assert_true(to_double(*state, long_text) == 9007199254740992.0);
	long_text[999] = '1';
	assert_true(to_double(*state, long_text) == 9007199254740994.0);
	free(long_text);
}

static void test_to_double_random(void **state)
{
	uint64_t random = 2;

	for (size_t i = 0; i < 5000; i++) {
		struct str text = arena_format(*state, "%" PRIu64 ".%03ue%d", next_random(&random) >> i % 64,
					       (unsigned)(next_random(&random) % 1000),
					       (int)(next_random(&random) % 60) - 30);
		double got = json_to_double(parse_str(*state, text));

		if (got != strtod(arena_c(*state, text), NULL))
			fail_msg("%.*s", STR_ARGS(text));
	}
}

static void test_to_int64(void **state)
{
	struct {
		const char *text;
		bool is_whole;
		int64_t wanted;
	} cases[] = {
		{"0", true, 0},
		{"-0", true, 0},
		{"-7", true, -7},
		{"9223372036854775807", true, INT64_MAX},
		{"9223372036854775808", false, 0},
		{"-9223372036854775808", true, INT64_MIN},
		{"-9223372036854775809", false, 0},
		{"18446744073709551617", false, 0},
		{"36893488147419103233", false, 0},
		{"1.0", true, 1},
		{"1.5", false, 0},
		{"1e3", true, 1000},
		{"1e18", true, 1000000000000000000},
		{"1e19", false, 0},
		{"1e99999999999999999999", false, 0},
		{"0e99999999999999999999", true, 0},
		{"1200e-2", true, 12},
		{"1230e-2", false, 0},
		{"0.00001e5", true, 1},
		{"1.000000000000000000000000001", false, 0},
		{"1.000000000000000000000000000", true, 1},
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		int64_t got = 0;

		if (json_to_int64(parse(*state, cases[i].text), &got) != cases[i].is_whole ||
		    got != cases[i].wanted)
			fail_msg("%s became %" PRId64, cases[i].text, got);
	}
	int64_t got;
	assert_false(json_to_int64(json_string_c("1"), &got));
	assert_false(json_to_int64((struct json){.type = JSON_DOUBLE, .number = 0x1p63}, &got));
	assert_true(json_to_int64((struct json){.type = JSON_DOUBLE, .number = -0x1p63}, &got));
	assert_int_equal(got, INT64_MIN);
	assert_false(json_to_int64((struct json){.type = JSON_DOUBLE, .number = NAN}, &got));
	assert_false(json_to_int64((struct json){.type = JSON_DOUBLE, .number = 0.5}, &got));
}

static void test_made_numbers(void **state)
{
	(void)state;
	assert_int_equal(json_number(3.0).type, JSON_INT);
	assert_int_equal(json_number(-3.0).integer, -3);
	assert_int_equal(json_number(-0.0).type, JSON_INT);
	assert_int_equal(json_number(0x1p53).type, JSON_INT);
	assert_int_equal(json_number(0x1p53 + 2).type, JSON_DOUBLE);
	assert_int_equal(json_number(0.5).type, JSON_DOUBLE);
	assert_int_equal(json_number(NAN).type, JSON_DOUBLE);
	assert_int_equal(json_number(INFINITY).type, JSON_DOUBLE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		arena_test(test_known_spellings),  arena_test(test_shortest),
		arena_test(test_to_double),        arena_test(test_to_double_random),
		arena_test(test_to_int64),         arena_test(test_made_numbers),
	};

	return cmocka_run_group_tests_name("json number", tests, NULL, NULL);
}
