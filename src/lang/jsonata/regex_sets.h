/* Sets of units in regular expressions. Private to the regular expressions of this room. */
#ifndef LANG_JSONATA_REGEX_SETS_H
#define LANG_JSONATA_REGEX_SETS_H

#include "lang/jsonata/regex_program.h"

/* Ranges of units, as they come. */
struct regex_ranges {
	struct arena *arena;
	uint16_t *pairs; /* of the first and the last unit */
	uint32_t count;
	uint32_t capacity;
};

void jsonata_ranges_add(struct regex_ranges *r, uint32_t first, uint32_t last);
/* \d \s \w, and what they are not by their capitals. */
void jsonata_ranges_add_escape(struct regex_ranges *r, uint32_t letter);
/* The set of them, in `arena`; `r` is used up. */
const struct regex_set *jsonata_ranges_set(struct regex_ranges *r, struct arena *arena,
					   bool ignores_case, bool is_inverted);

#endif
