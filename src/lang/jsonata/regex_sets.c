/* Sets of units in regular expressions: ranges gathered one by one, then put in order. */
#include "lang/jsonata/regex_sets.h"

#include <stdlib.h>

#include "lang/jsonata/text.h"

void jsonata_ranges_add(struct regex_ranges *r, uint32_t first, uint32_t last)
{
	if (r->count == r->capacity) {
		size_t bytes = r->capacity * 2 * sizeof *r->pairs;

		r->capacity = r->capacity == 0 ? 8 : r->capacity * 2;
		r->pairs =
			arena_grow(r->arena, r->pairs, bytes, r->capacity * 2 * sizeof *r->pairs);
	}
	r->pairs[2 * r->count] = (uint16_t)first;
	r->pairs[2 * r->count + 1] = (uint16_t)last;
	r->count++;
}

static int compare_pairs(const void *a, const void *b)
{
	const uint16_t *x = a, *y = b;

	return x[0] != y[0] ? x[0] - y[0] : x[1] - y[1];
}

/* In order, none touching another. */
static void tidy(struct regex_ranges *r)
{
	uint32_t kept = 0;

	if (r->count == 0)
		return;
	qsort(r->pairs, r->count, 2 * sizeof *r->pairs, compare_pairs);
	for (uint32_t i = 1; i < r->count; i++) {
		uint16_t *last = &r->pairs[2 * kept + 1];
		if (r->pairs[2 * i] <= *last + 1) {
			if (r->pairs[2 * i + 1] > *last)
				*last = r->pairs[2 * i + 1];
		} else {
			kept++;
			r->pairs[2 * kept] = r->pairs[2 * i];
			r->pairs[2 * kept + 1] = r->pairs[2 * i + 1];
		}
	}
	r->count = kept + 1;
}

/* What the units of the ranges are when case is ignored. */
static void add_canonical(struct regex_ranges *r)
{
	uint32_t count = r->count, from, to;

	for (size_t row = 0; jsonata_upper_row(row, &from, &to); row++) {
		for (uint32_t i = 0; i < count; i++)
			if (from >= r->pairs[2 * i] && from <= r->pairs[2 * i + 1]) {
				jsonata_ranges_add(r, jsonata_canonical_unit(from),
						   jsonata_canonical_unit(from));
				break;
			}
	}
}

void jsonata_ranges_add_escape(struct regex_ranges *r, uint32_t letter)
{
	static const uint16_t digits[] = {'0', '9'};
	static const uint16_t words[] = {'0', '9', 'A', 'Z', '_', '_', 'a', 'z'};
	static const uint16_t spaces[] = {'\t',	  '\r',	  ' ',	  ' ',	  0xa0,	  0xa0,	  0x1680,
					  0x1680, 0x2000, 0x200a, 0x2028, 0x2029, 0x202f, 0x202f,
					  0x205f, 0x205f, 0x3000, 0x3000, 0xfeff, 0xfeff};
	const uint16_t *pairs = digits;
	size_t count = 2, i;
	uint32_t next = 0;

	if ((letter | 0x20) == 'w') {
		pairs = words;
		count = sizeof words / sizeof words[0];
	} else if ((letter | 0x20) == 's') {
		pairs = spaces;
		count = sizeof spaces / sizeof spaces[0];
	}
	for (i = 0; i < count; i += 2) {
		if ((letter & 0x20) != 0)
			jsonata_ranges_add(r, pairs[i], pairs[i + 1]);
		else if (pairs[i] > next)
			jsonata_ranges_add(r, next, pairs[i] - 1u);
		next = pairs[i + 1] + 1u;
	}
	if ((letter & 0x20) == 0 && next <= 0xffff)
		jsonata_ranges_add(r, next, 0xffff);
}

const struct regex_set *jsonata_ranges_set(struct regex_ranges *r, struct arena *arena,
					   bool ignores_case, bool is_inverted)
{
	struct regex_set *set = arena_zero(arena, sizeof *set);

	tidy(r);
	if (ignores_case) {
		add_canonical(r);
		tidy(r);
	}
	uint16_t *pairs = arena_array(arena, r->count * 2 + 1, sizeof *pairs);
	if (r->count > 0)
		memcpy(pairs, r->pairs, r->count * 2 * sizeof *pairs);
	set->pairs = pairs;
	set->count = r->count;
	set->is_inverted = is_inverted;
	for (uint32_t i = 0; i < r->count && pairs[2 * i] < 256; i++)
		for (uint32_t u = pairs[2 * i]; u <= pairs[2 * i + 1] && u < 256; u++)
			set->low[u >> 3] |= (uint8_t)(1 << (u & 7));
	return set;
}
