#include <math.h>

#include "lang/jsonata/builtin.h"
#include "lang/jsonata/power.h"
#include "lang/jsonata/text.h"

/* --- of arrays ----------------------------------------------------------------------------- */

static struct json sum(struct evaluation *e, struct json array)
{
	double total = 0;

	if (!jsonata_spend_many(e, array.count / 4))
		return value_failed();
	for (uint32_t i = 0; i < array.count; i++)
		total += value_double(array.items[i]);
	return (struct json){.type = JSON_DOUBLE, .number = total};
}

struct json jsonata_builtin_sum(struct evaluation *e, const struct json *a,
				const struct call_site *site)
{
	(void)site;
	if (a[0].type != JSON_ARRAY)
		return json_undefined();
	struct json total = sum(e, a[0]);
	return value_is_failed(total) ? total : jsonata_number(total.number);
}

struct json jsonata_builtin_average(struct evaluation *e, const struct json *a,
				    const struct call_site *site)
{
	(void)site;
	if (a[0].type != JSON_ARRAY || a[0].count == 0)
		return json_undefined();
	struct json total = sum(e, a[0]);
	return value_is_failed(total) ? total : jsonata_number(total.number / a[0].count);
}

static struct json extreme(struct evaluation *e, struct json array, bool is_max)
{
	struct json best;

	if (array.type != JSON_ARRAY || array.count == 0)
		return json_undefined();
	if (!jsonata_spend_many(e, array.count / 4))
		return value_failed();
	best = array.items[0];
	for (uint32_t i = 1; i < array.count; i++) {
		double a = value_double(array.items[i]), b = value_double(best);
		if (isnan(a) || (is_max ? a > b : a < b))
			best = array.items[i];
	}
	return best;
}

struct json jsonata_builtin_max(struct evaluation *e, const struct json *a,
				const struct call_site *site)
{
	(void)site;
	return extreme(e, a[0], true);
}

struct json jsonata_builtin_min(struct evaluation *e, const struct json *a,
				const struct call_site *site)
{
	(void)site;
	return extreme(e, a[0], false);
}

/* --- of numbers ---------------------------------------------------------------------------- */

static size_t skip_digits(struct str s, size_t at)
{
	while (at < s.len && s.data[at] >= '0' && s.data[at] <= '9')
		at++;
	return at;
}

/* -?[0-9]+(\.[0-9]+)?([Ee][-+]?[0-9]+)? and nothing else */
static bool is_decimal(struct str s)
{
	size_t at = s.len > 0 && s.data[0] == '-', start = at;

	at = skip_digits(s, at);
	if (at == start)
		return false;
	if (at < s.len && s.data[at] == '.') {
		start = ++at;
		at = skip_digits(s, at);
		if (at == start)
			return false;
	}
	if (at < s.len && (s.data[at] == 'e' || s.data[at] == 'E')) {
		at++;
		if (at < s.len && (s.data[at] == '-' || s.data[at] == '+'))
			at++;
		start = at;
		at = skip_digits(s, at);
		if (at == start)
			return false;
	}
	return at == s.len;
}

static int digit_of(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)(c | 0x20);
	return c >= 'a' && c <= 'z' ? c - 'a' + 10 : 99;
}

static int bits_of_prefix(struct str s)
{
	if (s.len < 3 || s.data[0] != '0')
		return 0;
	switch (s.data[1] | 0x20) {
	case 'x':
		return 4;
	case 'o':
		return 3;
	case 'b':
		return 1;
	default:
		return 0;
	}
}

/* Digits of a power of two, rounded once: bits beyond 64 only tell whether anything is there. */
static bool read_bits(struct str digits, int bits, double *out)
{
	uint64_t value = 0;
	int exponent = 0;

	for (size_t i = 0; i < digits.len; i++) {
		int digit = digit_of(digits.data[i]);
		if (digit >= 1 << bits)
			return false;
		for (int bit = bits - 1; bit >= 0; bit--) {
			uint64_t next = (uint64_t)digit >> bit & 1;
			if (value >> 63 != 0) {
				value |= next;
				exponent++;
			} else {
				value = value << 1 | next;
			}
		}
	}
	*out = ldexp((double)value, exponent);
	return true;
}

/* 0x, 0o, 0b and digits, as JavaScript's Number() reads them: with spaces around. The reference
 * lets some of those pass only: its expression is tied to the start for 0x and to the end for 0b.
 */
static bool read_prefixed(struct str s, double *out)
{
	struct str tight = jsonata_trim_spaces(s);
	int bits = bits_of_prefix(tight);

	if (bits == 0 || (bits == 4 && tight.data != s.data) ||
	    (bits == 1 && tight.data + tight.len != s.data + s.len))
		return false;
	return read_bits(str_slice(tight, 2, tight.len), bits, out) && isfinite(*out);
}

static bool read_number(struct evaluation *e, struct str s, struct json *out)
{
	int64_t whole;
	double number;

	if (is_decimal(s)) {
		if (s.len <= 18 && str_to_int64(s, &whole)) {
			*out = json_int(whole);
			return true;
		}
		char *copy = jsonata_take(e, s.len + 1);
		if (copy == NULL)
			return false;
		memcpy(copy, s.data, s.len);
		copy[s.len] = '\0';
		number = strtod(copy, NULL);
		*out = jsonata_number(number);
		return isfinite(number);
	}
	if (!read_prefixed(s, &number))
		return false;
	*out = jsonata_number(number);
	return true;
}

struct json jsonata_builtin_number(struct evaluation *e, const struct json *a,
				   const struct call_site *site)
{
	struct json out;

	(void)site;
	if (value_is_undefined(a[0]) || value_is_number(a[0]))
		return a[0];
	if (a[0].type == JSON_BOOL)
		return json_int(a[0].boolean);
	jsonata_charge(e, a[0].count / 8);
	if (a[0].type == JSON_STRING && read_number(e, json_str(a[0]), &out))
		return out;
	jsonata_fail(e, "D3030", a[0]);
	e->fault.index = 1;
	return value_failed();
}

struct json jsonata_builtin_floor(struct evaluation *e, const struct json *a,
				  const struct call_site *site)
{
	(void)e, (void)site;
	if (!value_is_number(a[0]) || a[0].type == JSON_INT)
		return a[0];
	return jsonata_number(floor(value_double(a[0])));
}

struct json jsonata_builtin_ceil(struct evaluation *e, const struct json *a,
				 const struct call_site *site)
{
	(void)e, (void)site;
	if (!value_is_number(a[0]) || a[0].type == JSON_INT)
		return a[0];
	return jsonata_number(ceil(value_double(a[0])));
}

struct json jsonata_builtin_abs(struct evaluation *e, const struct json *a,
				const struct call_site *site)
{
	(void)e, (void)site;
	if (a[0].type == JSON_INT)
		return json_int(a[0].integer < 0 ? -a[0].integer : a[0].integer);
	return value_is_number(a[0]) ? jsonata_number(fabs(value_double(a[0]))) : a[0];
}

struct json jsonata_builtin_sqrt(struct evaluation *e, const struct json *a,
				 const struct call_site *site)
{
	(void)site;
	if (!value_is_number(a[0]))
		return json_undefined();
	if (value_double(a[0]) < 0) {
		jsonata_fail(e, "D3060", a[0]);
		e->fault.index = 1;
		return value_failed();
	}
	return jsonata_number(sqrt(value_double(a[0])));
}

struct json jsonata_builtin_power(struct evaluation *e, const struct json *a,
				  const struct call_site *site)
{
	(void)site;
	if (!value_is_number(a[0]))
		return json_undefined();
	double base = value_double(a[0]);
	double exponent = value_is_number(a[1]) ? value_double(a[1]) : NAN;
	double result = jsonata_power(base, exponent);

	if (isnan(exponent))
		result = NAN;
	if (isfinite(result))
		return jsonata_number(result);
	jsonata_fail(e, "D3061", a[0]);
	e->fault.index = 1;
	e->fault.value2 = a[1];
	return value_failed();
}

/* A number's shortest text with its decimal point moved, read again: as the reference does it, so
 * that no binary rounding gets in. */
static double shift(double number, double places)
{
	char text[80], digits[32];
	size_t len = json_format_double(number, digits);
	char *mark = memchr(digits, 'e', len);
	double exponent = places;

	digits[len] = '\0';
	if (mark != NULL) {
		exponent += strtod(mark + 1, NULL);
		len = (size_t)(mark - digits);
	}
	if (exponent != trunc(exponent) || !isfinite(number))
		return NAN;	  /* what JavaScript reads of 1e1.5 and Infinitye1 */
	if (fabs(exponent) > 400) /* nothing is left, or everything is beyond */
		exponent = copysign(400, exponent);
	memcpy(text, digits, len);
	text[len++] = 'e';
	if (exponent < 0)
		text[len++] = '-';
	for (int unit = 100, rest = (int)fabs(exponent); unit > 0; unit /= 10)
		text[len++] = (char)('0' + rest / unit % 10);
	return json_to_double(
		(struct json){.type = JSON_NUMBER_TEXT, .count = (uint32_t)len, .text = text});
}

/* Half to even. */
static double round_half_even(double number)
{
	double result = floor(number + 0.5);

	/* Math.round: adding a half may itself round. */
	if (fabs(number) >= 4503599627370496.0)
		result = number;
	else if (result - number > 0.5)
		result -= 1;
	if (fabs(result - number) == 0.5 && fabs(fmod(result, 2)) == 1)
		result -= 1;
	return result;
}

struct json jsonata_builtin_round(struct evaluation *e, const struct json *a,
				  const struct call_site *site)
{
	double precision = value_is_number(a[1]) ? value_double(a[1]) : 0;

	(void)e, (void)site;
	if (!value_is_number(a[0]) ||
	    (a[0].type == JSON_INT && precision >= 0 && precision == trunc(precision)))
		return a[0];
	double number = value_double(a[0]);
	if (precision == 0 || isnan(precision))
		return jsonata_number(round_half_even(number) + 0.0);
	number = round_half_even(shift(number, precision));
	number = shift(number, -precision);
	return jsonata_number(number == 0 ? 0 : number);
}

/* --- bases --------------------------------------------------------------------------------- */

struct json jsonata_builtin_format_base(struct evaluation *e, const struct json *a,
					const struct call_site *site)
{
	double radix = value_is_number(a[1]) ? round_half_even(value_double(a[1])) : 10;
	char digits[1100];
	size_t at = sizeof digits;

	(void)site;
	if (!value_is_number(a[0]))
		return json_undefined();
	double number = round_half_even(value_double(a[0])), rest = fabs(number);
	if (radix < 2 || radix > 36) {
		jsonata_fail(e, "D3100", jsonata_number(radix));
		return value_failed();
	}
	if (!isfinite(number))
		return jsonata_to_text(e, a[0], false);
	if (radix == 10)
		return jsonata_to_text(e, jsonata_number(number), false);
	/* Huge numbers are divided slowly, and often. */
	jsonata_charge(e, rest < 1e15 ? 4 : 1000);
	/* Digits that a double cannot tell are 0, as in JavaScript. */
	for (; rest / radix >= 9007199254740992.0; rest /= radix)
		digits[--at] = '0';
	do {
		double digit = fmod(rest, radix);
		digits[--at] = "0123456789abcdefghijklmnopqrstuvwxyz"[(int)digit];
		rest = (rest - digit) / radix;
	} while (rest > 0);
	if (number < 0)
		digits[--at] = '-';
	char *out = jsonata_take_text(e, sizeof digits - at);
	if (out == NULL)
		return value_failed();
	memcpy(out, digits + at, sizeof digits - at);
	return value_text(str_make(out, sizeof digits - at), JSON_PLAIN | JSON_ASCII);
}
