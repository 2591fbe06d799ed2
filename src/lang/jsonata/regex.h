/* Regular expressions as JavaScript has them, matched over UTF-16 units (which are bytes, where the
 * text is ASCII) with a limit on what is tried. */
#ifndef LANG_JSONATA_REGEX_H
#define LANG_JSONATA_REGEX_H

#include "lang/jsonata/evaluate.h"

struct regex;

/* A regular expression as a value. As in JavaScript it remembers where its last match ended, and
 * that is where the match after any of its matches is looked for. */
struct regex_value {
	const struct regex *regex;
	struct json text;
	size_t last;
};

/* One match. Offsets are bytes of the text that was searched; groups[2i], groups[2i+1] are those
 * of group i+1, both UINT32_MAX where it took no part. */
struct regex_match {
	size_t start;
	size_t end;
	uint32_t group_count;
	const uint32_t *groups; /* valid until the next match of this evaluation */
};

/* NULL with S0303 for what is no regular expression of JavaScript. */
struct regex *jsonata_regex_compile(struct arena *arena, struct str pattern, bool ignores_case,
				    bool is_multiline, uint32_t position, struct fault *fault);
/* The first match at or behind `offset`: 1, 0 for none, -1 for a failure (D1014). The text is one
 * of jsonata_split_astral(). */
int jsonata_regex_search(struct evaluation *e, const struct regex *regex, struct json text,
			 size_t offset, struct regex_match *match);
/* The same for a value, which remembers. */
int jsonata_regex_match(struct evaluation *e, struct regex_value *value, struct json text,
			size_t offset, struct regex_match *match);
/* The match behind the last one: D1004 when it is empty. */
int jsonata_regex_match_next(struct evaluation *e, struct regex_value *value, struct json text,
			     struct regex_match *match);
/* What group i (from 0) matched, or undefined. */
struct json jsonata_regex_group(struct evaluation *e, struct json text,
				const struct regex_match *match, uint32_t i);
/* What all of them did, as an array. */
struct json jsonata_regex_groups(struct evaluation *e, struct json text,
				 const struct regex_match *match);
/* The object that the reference passes on for a match. */
struct json jsonata_regex_describe(struct evaluation *e, struct regex_value *value,
				   struct json text, const struct regex_match *match);
/* As functions: the object that describes a match, or nothing. `from` is in UTF-16 units. */
struct json jsonata_regex_apply(struct evaluation *e, struct regex_value *value, struct json text,
				struct json from);
struct json jsonata_regex_next(struct evaluation *e, const void *next);

/* The text that JavaScript makes of a value where it wants one: "1,2" of [1, 2], "[object Object]".
 * A failure when memory or steps run out. */
struct json jsonata_coerce_text(struct evaluation *e, struct json value);

#endif
