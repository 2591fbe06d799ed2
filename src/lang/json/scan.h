/* Walking over the bytes of a string, 16 at a time where the processor can. Private to the room:
 * the parser uses it to find a string's end, the printer to find what it must escape. */
#ifndef LANG_JSON_SCAN_H
#define LANG_JSON_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

enum { SCAN_STEP = 16 };

/* A byte that cannot stand in a JSON string as it is. */
static inline bool scan_is_special(char byte)
{
	return (unsigned char)byte < 0x20 || byte == '"' || byte == '\\';
}

static inline uint64_t scan_word(const char *at)
{
	uint64_t word;

	memcpy(&word, at, sizeof word);
	return word;
}

/* Not zero when a byte of the word is special (or, seldom, when none is: the caller looks). */
static inline uint64_t scan_word_is_special(uint64_t word)
{
	const uint64_t ones = 0x0101010101010101;
	uint64_t quote = word ^ ones * '"', slash = word ^ ones * '\\';

	return (((word - ones * 0x20) & ~word) | ((quote - ones) & ~quote) |
		((slash - ones) & ~slash)) & ones * 0x80;
}

#ifdef __SSE2__
/* Bit i of the result: byte i is special; of *high: byte i is not ASCII. */
static inline unsigned scan_step(const char *at, unsigned *high)
{
	__m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)at);
	__m128i quote = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('"'));
	__m128i slash = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\\'));
	__m128i control = _mm_cmpeq_epi8(_mm_min_epu8(bytes, _mm_set1_epi8(0x1f)), bytes);

	*high = (unsigned)_mm_movemask_epi8(bytes);
	return (unsigned)_mm_movemask_epi8(_mm_or_si128(_mm_or_si128(quote, slash), control));
}
/* Bit i of the result: byte i is special or not ASCII (as a signed byte that is below 0x20 too). */
static inline unsigned scan_step_bytes_plain(__m128i bytes)
{
	__m128i quote = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('"'));
	__m128i slash = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\\'));
	__m128i other = _mm_cmplt_epi8(bytes, _mm_set1_epi8(0x20));

	return (unsigned)_mm_movemask_epi8(_mm_or_si128(_mm_or_si128(quote, slash), other));
}
static inline unsigned scan_step_plain(const char *at)
{
	return scan_step_bytes_plain(_mm_loadu_si128((const __m128i *)(const void *)at));
}
#else
static inline unsigned scan_step(const char *at, unsigned *high)
{
	uint64_t a = scan_word(at), b = scan_word(at + 8);
	unsigned special = 0;

	*high = 0;
	if (((scan_word_is_special(a) | scan_word_is_special(b)) == 0) &&
	    ((a | b) & 0x8080808080808080) == 0)
		return 0;
	for (unsigned i = 0; i < SCAN_STEP; i++) {
		special |= (unsigned)scan_is_special(at[i]) << i;
		*high |= (unsigned)((unsigned char)at[i] >> 7) << i;
	}
	return special;
}

static inline unsigned scan_step_plain(const char *at)
{
	unsigned high, special = scan_step(at, &high);

	return special | high;
}
#endif

/* The first byte that is special or not ASCII, or end. */
static inline const char *scan_plain(const char *at, const char *end)
{
	while (end - at >= SCAN_STEP) {
		unsigned stops = scan_step_plain(at);

		if (stops != 0)
			return at + __builtin_ctz(stops);
		at += SCAN_STEP;
	}
	while (at < end && (unsigned char)*at < 0x80 && !scan_is_special(*at))
		at++;
	return at;
}

/* The first special byte, or end. *has_high becomes not zero when a byte before it is not ASCII. */
static inline const char *scan_to_special(const char *at, const char *end, unsigned *has_high)
{
	while (end - at >= SCAN_STEP) {
		unsigned high, special = scan_step(at, &high);

		if (special != 0) {
			unsigned first = (unsigned)__builtin_ctz(special);
			*has_high |= high & ((1u << first) - 1);
			return at + first;
		}
		*has_high |= high;
		at += SCAN_STEP;
	}
	for (; at < end && !scan_is_special(*at); at++)
		*has_high |= (unsigned char)*at & 0x80;
	return at;
}

static inline bool scan_word_is_plain(uint64_t word)
{
	return (scan_word_is_special(word) | (word & 0x8080808080808080)) == 0;
}

/* Two halves as one step, where a string is shorter. */
static inline bool scan_words_are_plain(uint64_t a, uint64_t b)
{
#ifdef __SSE2__
	return scan_step_bytes_plain(_mm_set_epi64x((long long)b, (long long)a)) == 0;
#else
	return scan_word_is_plain(a) && scan_word_is_plain(b);
#endif
}

static inline uint32_t scan_half_word(const char *at)
{
	uint32_t word;

	memcpy(&word, at, sizeof word);
	return word;
}

/* Copies, and tells whether all bytes are ASCII and none is special; the answer may be no for some
 * that are. The last step overlaps the one before it, so that few bytes are looked at alone. */
static inline bool scan_copy_plain(char *to, const char *at, size_t len)
{
	unsigned stops = 0;

	if (len >= SCAN_STEP) {
		size_t last = len - SCAN_STEP;

		for (size_t i = 0; i < last; i += SCAN_STEP) {
			stops |= scan_step_plain(at + i);
			memcpy(to + i, at + i, SCAN_STEP);
		}
		stops |= scan_step_plain(at + last);
		memcpy(to + last, at + last, SCAN_STEP);
		return stops == 0;
	}
	if (len >= 8) {
		uint64_t first = scan_word(at), last = scan_word(at + len - 8);

		memcpy(to, &first, 8);
		memcpy(to + len - 8, &last, 8);
		return scan_words_are_plain(first, last);
	}
	if (len >= 4) {
		uint32_t first = scan_half_word(at), last = scan_half_word(at + len - 4);

		memcpy(to, &first, 4);
		memcpy(to + len - 4, &last, 4);
		return scan_words_are_plain((uint64_t)first << 32 | last, 0x2020202020202020);
	}
	for (size_t i = 0; i < len; i++) {
		stops |= scan_is_special(at[i]) || (unsigned char)at[i] >= 0x80;
		to[i] = at[i];
	}
	return stops == 0;
}

/* As memcpy; faster for what is short. */
static inline void scan_copy(char *to, const char *at, size_t len)
{
	if (len > 64) {
		memcpy(to, at, len);
	} else if (len >= 16) {
		for (size_t i = 0; i < len - 16; i += 16)
			memcpy(to + i, at + i, 16);
		memcpy(to + len - 16, at + len - 16, 16);
	} else if (len >= 8) {
		uint64_t first = scan_word(at), last = scan_word(at + len - 8);

		memcpy(to, &first, 8);
		memcpy(to + len - 8, &last, 8);
	} else if (len >= 4) {
		uint32_t first = scan_half_word(at), last = scan_half_word(at + len - 4);

		memcpy(to, &first, 4);
		memcpy(to + len - 4, &last, 4);
	} else {
		for (size_t i = 0; i < len; i++)
			to[i] = at[i];
	}
}

static inline bool scan_is_space(char byte)
{
	return byte == ' ' || byte == '\n' || byte == '\r' || byte == '\t';
}

/* The first byte that is no white space, or end. Indented text has long runs of it. */
static inline const char *scan_past_space(const char *at, const char *end)
{
#ifdef __SSE2__
	for (; end - at >= SCAN_STEP; at += SCAN_STEP) {
		__m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)at);
		__m128i blank = _mm_cmpeq_epi8(bytes, _mm_set1_epi8(' '));
		__m128i line = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\n'));
		__m128i back = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\r'));
		__m128i tab = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\t'));
		__m128i space = _mm_or_si128(_mm_or_si128(blank, line), _mm_or_si128(back, tab));
		unsigned others = (unsigned)_mm_movemask_epi8(space) ^ 0xffff;

		if (others != 0)
			return at + __builtin_ctz(others);
	}
#endif
	while (at < end && scan_is_space(*at))
		at++;
	return at;
}

/* Whether the bytes are UTF-8 (no surrogates, no long spellings, none past U+10FFFF). */
bool scan_is_utf8(const char *at, const char *end);

#endif
