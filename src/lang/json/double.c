/* The shortest decimal that reads back as the same double, by Raffaello Giulietti's method ("The
 * Schubfach way to render doubles", 2020): one table of powers of ten, no loop, no big numbers.
 * Spelt as ECMAScript's Number::toString has it. */
#include "lang/json/double.h"

#include <assert.h>

#include "lang/json/json.h"

enum { FRACTION_BITS = 52, EXPONENT_BIAS = 1075, EXPONENT_MASK = 0x7ff };

/* digits * 10^exponent */
struct decimal {
	uint64_t digits;
	int32_t exponent;
};

/* The product's upper 64 bits; the lowest of them tells whether anything follows below. */
static uint64_t multiply_to_odd(struct power power, uint64_t factor)
{
	unsigned __int128 low = (unsigned __int128)power.low * factor;
	unsigned __int128 high = (unsigned __int128)power.high * factor + (uint64_t)(low >> 64);

	return (uint64_t)(high >> 64) | ((uint64_t)high > 1);
}

/* One of the two decimals next to the value, where the interval [lower, upper] (in quarters of
 * the unit) holds one of them only or the value itself is nearer to one. */
static struct decimal choose_decimal(uint64_t value, uint64_t lower, uint64_t upper, int32_t k)
{
	uint64_t unit = value / 4;

	if (unit >= 10) {
		uint64_t tens = unit / 10;
		bool is_down_inside = lower <= 40 * tens, is_up_inside = 40 * tens + 40 <= upper;

		if (is_down_inside != is_up_inside)
			return (struct decimal){tens + is_up_inside, k + 1};
	}
	bool is_down_inside = lower <= 4 * unit, is_up_inside = 4 * unit + 4 <= upper;

	if (is_down_inside != is_up_inside)
		return (struct decimal){unit + is_up_inside, k};
	uint64_t middle = 4 * unit + 2;
	bool rounds_up = value > middle || (value == middle && (unit & 1) != 0);

	return (struct decimal){unit + rounds_up, k};
}

/* Of a finite positive double, by its bits. */
static struct decimal find_shortest(uint64_t bits)
{
	uint64_t fraction = bits & (((uint64_t)1 << FRACTION_BITS) - 1), c = fraction;
	int32_t exponent = (int32_t)(bits >> FRACTION_BITS & EXPONENT_MASK), q = 1 - EXPONENT_BIAS;

	if (exponent != 0) {
		c |= (uint64_t)1 << FRACTION_BITS;
		q = exponent - EXPONENT_BIAS;
		if (q <= 0 && q > -FRACTION_BITS - 1 && (c & (((uint64_t)1 << -q) - 1)) == 0)
			return (struct decimal){c >> -q, 0}; /* a whole number below 2^53 */
	}
	/* The neighbour below a power of two is only half as far as the one above. */
	bool is_lower_closer = fraction == 0 && exponent > 1;
	bool is_odd = (c & 1) != 0;
	int32_t k = (q * 1262611 - (is_lower_closer ? 524031 : 0)) >> 22; /* floor(log10(2^q)) */
	int32_t h = q + ((-k * 1741647) >> 19) + 1; /* q + floor(log2(10^-k)) + 1 */

	assert(-k >= DOUBLE_POWER_MIN && -k <= DOUBLE_POWER_MAX && h >= 1 && h <= 4);
	struct power power = double_powers[-k - DOUBLE_POWER_MIN];
	uint64_t lower = multiply_to_odd(power, (4 * c - 2 + is_lower_closer) << h);
	uint64_t value = multiply_to_odd(power, (4 * c) << h);
	uint64_t upper = multiply_to_odd(power, (4 * c + 2) << h);

	return choose_decimal(value, lower + is_odd, upper - is_odd, k);
}

/* Writes the digits without zeros at their end; returns their number. *exponent stays that of the
 * last digit written. */
static int write_digits(struct decimal *decimal, char digits[20])
{
	while (decimal->digits % 10 == 0) {
		decimal->digits /= 10;
		decimal->exponent++;
	}
	char reversed[20];
	int count = 0;

	for (uint64_t left = decimal->digits; left > 0; left /= 10)
		reversed[count++] = (char)('0' + left % 10);
	for (int i = 0; i < count; i++)
		digits[i] = reversed[count - 1 - i];
	return count;
}

/* d.ddde+x. point: how many digits stand before the decimal point if written in full. */
static char *write_exponent(char *to, const char *digits, int count, int point)
{
	unsigned exponent = (unsigned)(point > 0 ? point - 1 : 1 - point);

	*to++ = digits[0];
	if (count > 1) {
		*to++ = '.';
		memcpy(to, digits + 1, (size_t)count - 1);
		to += count - 1;
	}
	*to++ = 'e';
	*to++ = point > 0 ? '+' : '-';
	if (exponent >= 100)
		*to++ = (char)('0' + exponent / 100);
	if (exponent >= 10)
		*to++ = (char)('0' + exponent / 10 % 10);
	*to++ = (char)('0' + exponent % 10);
	return to;
}

static char *write_decimal(char *to, const char *digits, int count, int point)
{
	if (point > 21 || point < -5)
		return write_exponent(to, digits, count, point);
	if (point <= 0) {
		memcpy(to, "0.00000", (size_t)(2 - point));
		to += 2 - point;
		memcpy(to, digits, (size_t)count);
		return to + count;
	}
	int whole = count < point ? count : point;

	memcpy(to, digits, (size_t)whole);
	to += whole;
	if (count <= point) {
		memset(to, '0', (size_t)(point - count));
		return to + (point - count);
	}
	*to++ = '.';
	memcpy(to, digits + whole, (size_t)(count - whole));
	return to + (count - whole);
}

static size_t copy_name(char *to, const char *name)
{
	memcpy(to, name, strlen(name));
	return strlen(name);
}

size_t json_format_double(double number, char text[32])
{
	uint64_t bits;
	char digits[20], *to = text;

	memcpy(&bits, &number, sizeof bits);
	bool is_negative = bits >> 63 != 0;

	bits &= ~((uint64_t)1 << 63);
	if (bits == 0)
		return copy_name(text, "0");
	if (bits >> FRACTION_BITS == EXPONENT_MASK) {
		if (bits << 12 != 0)
			return copy_name(text, "NaN");
		return copy_name(text, is_negative ? "-Infinity" : "Infinity");
	}
	struct decimal decimal = find_shortest(bits);
	int count = write_digits(&decimal, digits);

	if (is_negative)
		*to++ = '-';
	to = write_decimal(to, digits, count, count + decimal.exponent);
	assert(to - text <= 32);
	return (size_t)(to - text);
}
