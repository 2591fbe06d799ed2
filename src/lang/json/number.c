/* What a number's text means. The parser has checked its grammar. */
#include <assert.h>
#include <math.h>
#include <stdlib.h>

#include "lang/json/json.h"

enum {
	EXACT_DIGITS = 15,   /* so many digits are exact in a double */
	EXACT_POWER = 22,    /* and so is this power of ten */
	SHORT_TEXT = 128,
};

/* Far past any text's length, far from overflow. */
static const int64_t exponent_cap = 1000000000000000;

static const double powers[EXACT_POWER + 1] = {
	1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
	1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
};

/* A decimal number in parts: its digits (without the point, without zeros at the ends) times
 * 10^exponent. */
struct parts {
	uint64_t digits;
	uint32_t count; /* of digits; past 19 `digits` is of no use */
	int64_t exponent;
	bool is_negative;
};

static void add_digit(struct parts *parts, unsigned digit, int64_t *zeros)
{
	/* Zeros are held back until a digit follows: at the end they only move the exponent. */
	if (digit == 0) {
		if (parts->count > 0)
			++*zeros;
		return;
	}
	for (; *zeros > 0 && parts->count < 20; --*zeros, parts->count++)
		parts->digits *= 10;
	*zeros = 0;
	if (parts->count < 20)
		parts->count++;
	parts->digits = parts->digits * 10 + digit;
}

static int64_t read_exponent(const char *at, const char *end)
{
	bool is_negative = at < end && *at == '-';
	int64_t exponent = 0;

	for (at += at < end && (*at == '-' || *at == '+'); at < end; at++)
		if (exponent < exponent_cap)
			exponent = exponent * 10 + (*at - '0');
	return is_negative ? -exponent : exponent;
}

static struct parts read_parts(struct str text)
{
	const char *at = text.data, *end = at + text.len;
	struct parts parts = {.is_negative = at < end && *at == '-'};
	int64_t zeros = 0;
	bool is_fraction = false;

	for (at += parts.is_negative; at < end && (*at | 0x20) != 'e'; at++) {
		if (*at == '.') {
			is_fraction = true;
			continue;
		}
		add_digit(&parts, (unsigned)(*at - '0'), &zeros);
		parts.exponent -= is_fraction;
	}
	/* `exponent` was counted down for all digits of the fraction, held back zeros included. */
	parts.exponent += zeros;
	if (at < end)
		parts.exponent += read_exponent(at + 1, end);
	return parts;
}

/* strtod wants a NUL behind the text. */
static double convert_slowly(struct str text)
{
	char few[SHORT_TEXT], *copy = few;

	if (text.len >= sizeof few) {
		copy = malloc(text.len + 1);
		if (copy == NULL)
			die("out of memory: a number of %zu bytes", text.len);
	}
	memcpy(copy, text.data, text.len);
	copy[text.len] = '\0';
	double number = strtod(copy, NULL);

	if (copy != few)
		free(copy);
	return number;
}

static double convert_text(struct str text)
{
	struct parts parts = read_parts(text);
	double number = (double)parts.digits;

	if (parts.count == 0)
		return parts.is_negative ? -0.0 : 0.0;
	if (parts.count > EXACT_DIGITS || parts.exponent > EXACT_POWER ||
	    parts.exponent < -EXACT_POWER)
		return convert_slowly(text);
	/* Both are exact, so that the one operation rounds once. */
	if (parts.exponent < 0)
		number /= powers[-parts.exponent];
	else
		number *= powers[parts.exponent];
	return parts.is_negative ? -number : number;
}

double json_to_double(struct json number)
{
	switch (number.type) {
	case JSON_INT:
		return (double)number.integer;
	case JSON_DOUBLE:
		return number.number;
	case JSON_NUMBER_TEXT:
		return convert_text(json_str(number));
	default:
		return NAN;
	}
}

static bool text_to_int64(struct str text, int64_t *out)
{
	struct parts parts = read_parts(text);
	uint64_t number = parts.digits, most = (uint64_t)INT64_MAX + parts.is_negative;

	if (parts.count == 0) {
		*out = 0;
		return true;
	}
	/* Zeros at the end are in the exponent, so a negative one means a true fraction. */
	if (parts.count > 19 || parts.exponent < 0 || parts.exponent > 18)
		return false;
	for (; parts.exponent > 0; parts.exponent--)
		if (__builtin_mul_overflow(number, (uint64_t)10, &number))
			return false;
	if (number > most)
		return false;
	*out = parts.is_negative ? (int64_t)(0 - number) : (int64_t)number;
	return true;
}

bool json_to_int64(struct json number, int64_t *out)
{
	switch (number.type) {
	case JSON_INT:
		*out = number.integer;
		return true;
	case JSON_DOUBLE:
		if (!(number.number >= -0x1p63 && number.number < 0x1p63) ||
		    number.number != floor(number.number))
			return false;
		*out = (int64_t)number.number;
		return true;
	case JSON_NUMBER_TEXT:
		return text_to_int64(json_str(number), out);
	default:
		return false;
	}
}

struct json json_number(double number)
{
	if (number >= -0x1p53 && number <= 0x1p53 && number == floor(number))
		return json_int((int64_t)number);
	return (struct json){.type = JSON_DOUBLE, .number = number};
}
