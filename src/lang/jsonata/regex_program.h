/* A regular expression of JavaScript as a program of the matcher: regex_compile.c makes it,
 * regex_match.c runs it. */
#ifndef LANG_JSONATA_REGEX_PROGRAM_H
#define LANG_JSONATA_REGEX_PROGRAM_H

#include "lang/jsonata/evaluate.h"

#define REGEX_NONE UINT32_MAX /* a group that took no part, a repetition without an end */

/* Jumps are relative, so that code can be moved while it is made. `reg` is a slot behind those of
 * the groups; a repetition has its count there and the place where its turn began behind it. */
enum regex_op {
	REGEX_CHAR,	     /* the unit a */
	REGEX_ANY,	     /* all but line ends */
	REGEX_SET,	     /* of sets[a] */
	REGEX_BACKREFERENCE, /* what group a matched */
	REGEX_SPLIT,	     /* goes on behind it, and failing that at +a */
	REGEX_JUMP,	     /* to +a */
	REGEX_SAVE,	     /* the place into slot a */
	REGEX_RUN,	     /* the one-unit instruction behind it, b to c times, many first */
	REGEX_RUN_FEW,	     /* the same, few first */
	REGEX_LOOP_START,    /* reg c */
	REGEX_LOOP,	     /* exit at +a; b to c times; its body is the next instruction */
	REGEX_LOOP_FEW,
	REGEX_LOOP_BODY, /* a turn: clears slots a to b; reg c */
	REGEX_LOOP_NEXT, /* the LOOP is at -a */
	REGEX_LOOK,	 /* reg c */
	REGEX_LOOK_END,
	REGEX_LOOK_NOT, /* goes on at +a when its body fails; reg c */
	REGEX_LOOK_NOT_END,
	REGEX_TEXT_START,
	REGEX_TEXT_END,
	REGEX_LINE_START,
	REGEX_LINE_END,
	REGEX_WORD_EDGE,
	REGEX_NO_WORD_EDGE,
	REGEX_MATCH,
};

struct instruction {
	uint8_t op;
	bool is_backward; /* inside a lookbehind */
	uint32_t a;
	uint32_t b;
	uint32_t c;
	uint64_t ascii[2]; /* of one unit: the bits of those below 128 that it takes */
};

static inline bool regex_takes_ascii(const struct instruction *i, unsigned char unit)
{
	return (i->ascii[unit >> 6] >> (unit & 63) & 1) != 0;
}

/* Units: those below 256 as bits, all as pairs of first and last in order. */
struct regex_set {
	bool is_inverted;
	uint32_t count; /* pairs */
	const uint16_t *pairs;
	uint8_t low[32];
};

struct regex {
	const struct instruction *code;
	const struct regex_set *const *sets;
	struct str source;
	uint32_t position; /* in the expression */
	uint32_t group_count;
	uint32_t slot_count;
	bool ignores_case;
	/* What a match must begin with: an instruction of one unit, or NULL. */
	const struct instruction *lead;
};

/* Whether an instruction of one unit takes it: at length, whatever it is. */
bool jsonata_regex_takes(const struct regex *regex, const struct instruction *i, uint32_t unit);
/* False for what is no regular expression of JavaScript. */
bool jsonata_regex_program(struct arena *arena, struct str pattern, bool is_multiline,
			   struct regex *out);
/* Slots 0 and 1 are the match, 2i and 2i + 1 group i. 1, 0 for none, -1 past a budget (D1014). The
 * text has no astral characters but as two surrogates. */
int jsonata_regex_run(struct evaluation *e, const struct regex *regex, struct str text,
		      uint32_t from, uint32_t **slots);

#endif
