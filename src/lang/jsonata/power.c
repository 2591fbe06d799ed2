/* Powers to the last digit as JavaScript engines give them. V8 computes Math.pow by the method of
 * fdlibm, whose error is below one unit in the last place, while the C library's is hardly above a
 * half: they print differently. So the method, its split of the logarithm into a high and a low
 * part and its polynomials are fdlibm's here, too:
 *
 *   Copyright (C) 1993, 2004 by Sun Microsystems, Inc. All rights reserved. Permission to use,
 * copy, modify, and distribute this software is freely granted, provided that this notice is
 * preserved.
 *
 * It assumes IEEE 754 doubles and no fused operations. */
#include "lang/jsonata/power.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

/* A logarithm or a product in two parts, the high one with its low 32 bits zero. */
struct pair {
	double high, low;
};

static uint64_t bits_of(double x)
{
	uint64_t bits;
	memcpy(&bits, &x, sizeof bits);
	return bits;
}

static double of_bits(uint64_t bits)
{
	double x;
	memcpy(&x, &bits, sizeof x);
	return x;
}

static int32_t high_word(double x)
{
	return (int32_t)(bits_of(x) >> 32);
}

static double with_high_word(double x, int32_t high)
{
	return of_bits((uint64_t)(uint32_t)high << 32 | (bits_of(x) & 0xffffffffu));
}

static double head(double x)
{
	return of_bits(bits_of(x) & 0xffffffff00000000u);
}

static const double log_terms[] = {5.99999999999994648725e-01, 4.28571428578550184252e-01,
				   3.33333329818377432918e-01, 2.72728123808534006489e-01,
				   2.30660745775561754067e-01, 2.06975017800338417784e-01};
static const double exp_terms[] = {1.66666666666666019037e-01, -2.77777777770155933842e-03,
				   6.61375632143793436117e-05, -1.65339022054652515390e-06,
				   4.13813679705723846039e-08};

/* terms[0] + x (terms[1] + x (terms[2] + ...)) */
static double polynomial(const double *terms, int count, double x)
{
	double sum = terms[count - 1];

	for (int i = count - 2; i >= 0; i--)
		sum = terms[i] + x * sum;
	return sum;
}

/* log2(x) for |1 - x| <= 2^-20: four terms of the series do. */
static struct pair log2_near_one(double x)
{
	const double log2e = 1.44269504088896338700e+00;
	const double log2e_high = 1.44269502162933349609e+00,
		     log2e_low = 1.92596299112661746887e-08;
	double t = x - 1.0;
	double w = (t * t) * (0.5 - t * (0.3333333333333333333333 - t * 0.25));
	double u = log2e_high * t, v = t * log2e_low - w * log2e;
	double high = head(u + v);
	return (struct pair){high, v - (high - u)};
}

/* s + (2/3) s^3 ... of s = (x - b) / (x + b): 2 log(s) over 2/3, times 3, in two parts. */
static struct pair series(double x, double b, double u, double t_head)
{
	double v = 1.0 / (x + b), s = u * v, s_high = head(s);
	double t_tail = x - (t_head - b);
	double s_low = v * ((u - s_high * t_head) - s_high * t_tail);
	double s2 = s * s;
	double r = s2 * s2 * polynomial(log_terms, 6, s2);
	r += s_low * (s_high + s);
	s2 = s_high * s_high;
	double t_high = head(3.0 + s2 + r), t_low = r - ((t_high - 3.0) - s2);
	u = s_high * t_high;
	v = s_low * t_high + t_low * s;
	double high = head(u + v);
	return (struct pair){high, v - (high - u)};
}

/* log2(x), x > 0: n + log2(b) + the series, where b is 1 or 1.5, whichever is nearer to x / 2^n. */
static struct pair log2_of(double x)
{
	static const double b[] = {1.0, 1.5};
	static const double log_high[] = {0.0, 5.84962487220764160156e-01};
	static const double log_low[] = {0.0, 1.35003920212974897128e-08};
	const double cp = 9.61796693925975554329e-01; /* 2 / (3 ln 2) */
	const double cp_high = 9.61796700954437255859e-01, cp_low = -7.02846165095275826516e-09;
	int32_t high = high_word(x), n = 0;
	if (high < 0x00100000) { /* subnormal */
		x *= 9007199254740992.0;
		n -= 53;
		high = high_word(x);
	}
	n += (high >> 20) - 0x3ff;
	int32_t mantissa = high & 0x000fffff, k = mantissa > 0x3988e && mantissa < 0xbb67a;
	high = mantissa | 0x3ff00000;
	if (mantissa >= 0xbb67a) {
		n += 1;
		high -= 0x00100000;
	}
	x = with_high_word(x, high);
	double t_head = with_high_word(0, ((high >> 1) | 0x20000000) + 0x00080000 + (k << 18));
	struct pair p = series(x, b[k], x - b[k], t_head);
	double z_high = cp_high * p.high, z_low = cp_low * p.high + p.low * cp + log_low[k];
	double result = head(((z_high + z_low) + log_high[k]) + n);
	return (struct pair){result, z_low - (((result - n) - log_high[k]) - z_high)};
}

/* 2^(p.high + p.low), p.high + p.low within the exponents a double has. */
static double exp2_of(struct pair p)
{
	const double ln2 = 6.93147180559945286227e-01;
	const double ln2_high = 6.93147182464599609375e-01, ln2_low = -1.90465429995776804525e-09;
	int32_t sum = high_word(p.low + p.high), exponent = sum & 0x7fffffff, n = 0;
	if (exponent > 0x3fe00000) { /* above a half: take the nearest integer out */
		n = sum + (0x00100000 >> ((exponent >> 20) - 0x3ff + 1));
		int32_t k = ((n & 0x7fffffff) >> 20) - 0x3ff;
		p.high -= with_high_word(0, n & ~(0x000fffff >> k));
		n = ((n & 0x000fffff) | 0x00100000) >> (20 - k);
		n = sum < 0 ? -n : n;
	}
	double t = head(p.low + p.high);
	double u = t * ln2_high, v = (p.low - (t - p.high)) * ln2 + t * ln2_low;
	double z = u + v, w = v - (z - u);
	t = z * z;
	double t1 = z - t * polynomial(exp_terms, 5, t);
	/* fdlibm subtracts (w + z * w) from the quotient. V8 has it in the divisor, and it is V8's
	 * digits that are wanted. */
	double r = (z * t1) / ((t1 - 2.0) - (w + z * w));
	z = 1.0 - (r - z);
	return scalbn(z, n);
}

/* |x|^y for a finite x other than 0 and 1 and a finite y. */
static double of_magnitude(double x, double y)
{
	const double half_ulp =
		8.0085662595372944372e-0017; /* -(1024 - log2(greatest + 0.5 ulp)) */
	int32_t high = high_word(x);
	if (fabs(y) > 0x1p31 && (high < 0x3fefffff || high > 0x3ff00000)) {
		return (x > 1) == (y > 0) ? INFINITY : 0;
	}
	struct pair log = fabs(y) > 0x1p31 ? log2_near_one(x) : log2_of(x);
	double y_high = head(y);
	struct pair p = {y_high * log.high, (y - y_high) * log.high + y * log.low};
	double z = p.low + p.high;
	if (z > 1024 || (z == 1024 && p.low + half_ulp > z - p.high)) {
		return INFINITY;
	}
	if (z < -1075 || (z == -1075 && p.low <= z - p.high)) {
		return 0;
	}
	return exp2_of(p);
}

double jsonata_power(double x, double y)
{
	double magnitude = fabs(x);
	if (isinf(y) && magnitude == 1) {
		return NAN;
	}
	if (!isfinite(x) || !isfinite(y) || x == 0 || magnitude == 1 || y == 0) {
		return pow(x, y); /* exact by the standard, in every library */
	}
	if (y == 1) {
		return x;
	}
	if (y == -1) {
		return 1 / x;
	}
	if (y == 2) {
		return x * x;
	}
	if (y == 0.5 && x > 0) {
		return sqrt(x);
	}
	if (x < 0 && y != trunc(y)) {
		return NAN;
	}
	double result = of_magnitude(magnitude, y);
	return x < 0 && fmod(y, 2) != 0 ? -result : result;
}
