#include "lang/json/stops.h"

#include <string.h>

#include "lang/json/scan.h"

#ifdef __x86_64__
#include <immintrin.h>
#endif

/* In the masks bit i stands for byte i of a block. Of bytes that are not ASCII only those stay
 * whose neighbour before, within the block, is ASCII. */
static inline uint64_t drop_followers(uint64_t stops, uint64_t high)
{
	return stops & ~(high & high << 1);
}

/* The rest of a text, shorter than a block, as a block. */
static inline const char *pad_block(char block[STOPS_BLOCK], const char *text, size_t len)
{
	memset(block, ' ', STOPS_BLOCK);
	return memcpy(block, text, len);
}

static inline uint32_t *put_each(uint32_t *to, uint32_t base, uint64_t mask)
{
	for (; mask != 0; mask &= mask - 1)
		*to++ = base + (uint32_t)__builtin_ctzll(mask);
	return to;
}

/* --- plain C ------------------------------------------------------------------------------- */

static uint64_t mask_plainly(const char *at)
{
	uint64_t stops = 0, high = 0;

	for (unsigned i = 0; i < STOPS_BLOCK; i += 8) {
		if (scan_word_is_plain(scan_word(at + i)))
			continue;
		for (unsigned j = i; j < i + 8; j++) {
			uint64_t is_high = (unsigned char)at[j] >> 7;

			stops |= (is_high | scan_is_special(at[j])) << j;
			high |= is_high << j;
		}
	}
	return drop_followers(stops, high);
}

static size_t find_plainly(const char *text, size_t len, uint32_t base, uint32_t *stops)
{
	uint32_t *to = stops;
	char block[STOPS_BLOCK];
	size_t at = 0;

	for (; len - at >= STOPS_BLOCK; at += STOPS_BLOCK)
		to = put_each(to, base + (uint32_t)at, mask_plainly(text + at));
	if (at < len)
		to = put_each(to, base + (uint32_t)at,
			      mask_plainly(pad_block(block, text + at, len - at)));
	return (size_t)(to - stops);
}

static bool is_always(void)
{
	return true;
}

#ifdef __x86_64__
/* --- SSE2: every x86-64 has it ------------------------------------------------------------- */

static inline uint64_t mask_sse2(const char *at)
{
	uint64_t stops = 0, high = 0;

	for (unsigned i = 0; i < STOPS_BLOCK; i += SCAN_STEP) {
		unsigned step_high, special = scan_step(at + i, &step_high);

		stops |= (uint64_t)(special | step_high) << i;
		high |= (uint64_t)step_high << i;
	}
	return drop_followers(stops, high);
}

static size_t find_sse2(const char *text, size_t len, uint32_t base, uint32_t *stops)
{
	uint32_t *to = stops;
	char block[STOPS_BLOCK];
	size_t at = 0;

	for (; len - at >= STOPS_BLOCK; at += STOPS_BLOCK)
		to = put_each(to, base + (uint32_t)at, mask_sse2(text + at));
	if (at < len)
		to = put_each(to, base + (uint32_t)at,
			      mask_sse2(pad_block(block, text + at, len - at)));
	return (size_t)(to - stops);
}

/* --- AVX2 ---------------------------------------------------------------------------------- */

#define TARGET_AVX2 __attribute__((target("avx2,bmi,popcnt")))

TARGET_AVX2 static inline uint64_t mask_avx2_half(__m256i bytes)
{
	__m256i quote = _mm256_cmpeq_epi8(bytes, _mm256_set1_epi8('"'));
	__m256i slash = _mm256_cmpeq_epi8(bytes, _mm256_set1_epi8('\\'));
	__m256i other = _mm256_cmpgt_epi8(_mm256_set1_epi8(0x20), bytes);
	__m256i stops = _mm256_or_si256(_mm256_or_si256(quote, slash), other);

	return (uint32_t)_mm256_movemask_epi8(stops);
}

TARGET_AVX2 static inline uint64_t mask_avx2(const char *at)
{
	__m256i low = _mm256_loadu_si256((const __m256i *)(const void *)at);
	__m256i up = _mm256_loadu_si256((const __m256i *)(const void *)(at + 32));
	uint64_t high = (uint64_t)(uint32_t)_mm256_movemask_epi8(up) << 32 |
			(uint32_t)_mm256_movemask_epi8(low);

	return drop_followers(mask_avx2_half(up) << 32 | mask_avx2_half(low), high);
}

/* Eight at a time, whether there are as many or not: how many there are cannot be foretold, and a
 * wrong guess costs more than writing some in vain. */
TARGET_AVX2 static inline uint32_t *put_avx2(uint32_t *to, uint32_t base, uint64_t mask)
{
	uint32_t *next = to + _mm_popcnt_u64(mask);

	do {
		for (int i = 0; i < 8; i++, mask = _blsr_u64(mask))
			to[i] = base + (uint32_t)_tzcnt_u64(mask);
		to += 8;
	} while (mask != 0);
	return next;
}

TARGET_AVX2 static size_t find_avx2(const char *text, size_t len, uint32_t base, uint32_t *stops)
{
	uint32_t *to = stops;
	char block[STOPS_BLOCK];
	size_t at = 0;

	for (; len - at >= STOPS_BLOCK; at += STOPS_BLOCK)
		to = put_avx2(to, base + (uint32_t)at, mask_avx2(text + at));
	if (at < len)
		to = put_avx2(to, base + (uint32_t)at,
			      mask_avx2(pad_block(block, text + at, len - at)));
	return (size_t)(to - stops);
}

static bool has_avx2(void)
{
	return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi") &&
	       __builtin_cpu_supports("popcnt");
}

/* --- AVX-512 with VBMI2, which packs bytes by a mask --------------------------------------- */

#define TARGET_AVX512 __attribute__((target("avx512f,avx512bw,avx512vbmi2,popcnt")))

TARGET_AVX512 static inline uint64_t mask_avx512(__m512i bytes)
{
	uint64_t quote = _mm512_cmpeq_epi8_mask(bytes, _mm512_set1_epi8('"'));
	uint64_t slash = _mm512_cmpeq_epi8_mask(bytes, _mm512_set1_epi8('\\'));
	uint64_t other = _mm512_cmplt_epi8_mask(bytes, _mm512_set1_epi8(0x20));

	return drop_followers(quote | slash | other, _mm512_movepi8_mask(bytes));
}

/* Sixteen at a time; seldom has a block more. */
TARGET_AVX512 static inline uint32_t *put_avx512(uint32_t *to, uint32_t base, __m512i places,
						 uint64_t mask)
{
	__m512i packed = _mm512_maskz_compress_epi8(mask, places);
	__m512i bases = _mm512_set1_epi32((int)base);
	int count = (int)_mm_popcnt_u64(mask);

	for (int done = 0;;) {
		__m512i few = _mm512_cvtepu8_epi32(_mm512_castsi512_si128(packed));

		_mm512_storeu_si512(to + done, _mm512_add_epi32(few, bases));
		done += 16;
		if (done >= count)
			return to + count;
		packed = _mm512_alignr_epi32(packed, packed, 4);
	}
}

TARGET_AVX512 static size_t find_avx512(const char *text, size_t len, uint32_t base,
					uint32_t *stops)
{
	static const char all_places[STOPS_BLOCK] = {
		0,  1,	2,  3,	4,  5,	6,  7,	8,  9,	10, 11, 12, 13, 14, 15,
		16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31,
		32, 33, 34, 35, 36, 37, 38, 39, 40, 41, 42, 43, 44, 45, 46, 47,
		48, 49, 50, 51, 52, 53, 54, 55, 56, 57, 58, 59, 60, 61, 62, 63,
	};
	const __m512i places = _mm512_loadu_si512(all_places);
	uint32_t *to = stops;
	char block[STOPS_BLOCK];
	size_t at = 0;

	for (; len - at >= STOPS_BLOCK; at += STOPS_BLOCK)
		to = put_avx512(to, base + (uint32_t)at, places,
				mask_avx512(_mm512_loadu_si512(text + at)));
	if (at < len) {
		pad_block(block, text + at, len - at);
		to = put_avx512(to, base + (uint32_t)at, places,
				mask_avx512(_mm512_loadu_si512(block)));
	}
	return (size_t)(to - stops);
}

static bool has_avx512(void)
{
	return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
	       __builtin_cpu_supports("avx512vbmi2") && __builtin_cpu_supports("popcnt");
}
#endif

/* --- the choice ---------------------------------------------------------------------------- */

const struct stops_method stops_methods[STOPS_METHODS_MAX] = {
	{"plain C", find_plainly, is_always},
#ifdef __x86_64__
	{"SSE2", find_sse2, is_always},
	{"AVX2", find_avx2, has_avx2},
	{"AVX-512", find_avx512, has_avx512},
#endif
};

static stops_find_function choose_and_find;
static stops_find_function *chosen = choose_and_find;

/* The first call looks at the processor. Threads that call at once choose the same. */
static size_t choose_and_find(const char *text, size_t len, uint32_t base, uint32_t *stops)
{
	stops_find_function *best = find_plainly;

	for (size_t i = 0; i < STOPS_METHODS_MAX && stops_methods[i].find != NULL; i++)
		if (stops_methods[i].is_supported())
			best = stops_methods[i].find;
	__atomic_store_n(&chosen, best, __ATOMIC_RELAXED);
	return best(text, len, base, stops);
}

size_t stops_find(const char *text, size_t len, uint32_t base, uint32_t *stops)
{
	return __atomic_load_n(&chosen, __ATOMIC_RELAXED)(text, len, base, stops);
}
