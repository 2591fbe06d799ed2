/* Regular expressions: JavaScript's, matched by PCRE2 with its JIT and with a match limit. Only
 * this file and regex.c know PCRE2. */
#ifndef LANG_JSONATA_REGEX_H
#define LANG_JSONATA_REGEX_H

#include "lang/jsonata/evaluate.h"

struct regex;

/* One match. Offsets are bytes; groups[2i], groups[2i+1] are those of group i+1, both SIZE_MAX
 * where it took no part. */
struct regex_match {
	size_t start;
	size_t end;
	uint32_t group_count;
	const size_t *groups; /* valid until the next match of this evaluation */
};

/* The regex is freed by a finisher of the arena. NULL with S0303 for what is no regular
 * expression of JavaScript. */
struct regex *jsonata_regex_compile(struct arena *arena, struct str pattern, bool ignores_case,
				    bool is_multiline, struct fault *fault);
/* The first match at or behind `offset`: 1, 0 for none, -1 for a failure (D1014). */
int jsonata_regex_match(struct evaluation *e, const struct regex *regex, struct json text,
			size_t offset, struct regex_match *match);
/* The same for the matches that follow `match`: D1004 when one is empty. */
int jsonata_regex_match_next(struct evaluation *e, const struct regex *regex, struct json text,
			     struct regex_match *match);
/* What group i (from 0) matched, or undefined. */
struct json jsonata_regex_group(struct json text, const struct regex_match *match, uint32_t i);
/* The object that the reference passes on for a match. */
struct json jsonata_regex_describe(struct evaluation *e, const struct regex *regex,
				   struct json text, const struct regex_match *match);
/* As functions: the object that describes a match, or nothing. */
struct json jsonata_regex_apply(struct evaluation *e, const struct regex *regex, struct json text);
struct json jsonata_regex_next(struct evaluation *e, const void *next);

#endif
