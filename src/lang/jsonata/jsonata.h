/* JSONata 2.2: compiled once, evaluated many times, from any thread.
 *
 * A compiled expression is immutable and shared. An evaluation takes everything from the
 * caller's arena, and is held by budgets: steps, depth, bytes, length of a sequence, time.
 * Depends on lang/json alone. The language: https://docs.jsonata.org; error codes,
 * positions and tokens are those of the reference implementation. */
#ifndef LANG_JSONATA_JSONATA_H
#define LANG_JSONATA_JSONATA_H

#include "base/clock.h"
#include "base/random.h"
#include "lang/json/json.h"

struct jsonata;	     /* a compiled expression */
struct jsonata_call; /* what a native function gets to work with; see below */

/* A fault of an expression or of its evaluation, as the reference reports it; our own codes are
 * U1001 (steps), U1002 (an expression or picture too long or nested too deep), U1003 (something the
 * host did not provide), U1004 (no UTF-8), S0303 (no regular expression), D1014 (its match limit),
 * D3142 (no such date). Texts live in the arena that the failing call was given. */
struct jsonata_error {
	char code[8];	    /* "S0201", "T2001", "D1002" … */
	bool has_position;  /* the reference gives none for some */
	size_t position;    /* in characters as the reference counts them (UTF-16 units) */
	struct json token;  /* a text, or the literal that stands there; JSON_UNDEFINED: none */
	struct json value;  /* JSON_UNDEFINED where the reference gives none */
	struct str message; /* a sentence, without the position */
};

/* A function that the host adds, known by its name (without the dollar sign) at compile time.
 * It gets its arguments evaluated (missing ones JSON_UNDEFINED) and answers a value in the
 * arena; false with *error filled when it fails. It must be pure: same arguments, same answer
 * within one evaluation. `context` is the one given with the evaluation's bindings. */
struct jsonata_native {
	const char *name;
	size_t arity;
	bool (*call)(void *context, struct arena *arena, const struct json *arguments,
		     struct json *out, struct jsonata_error *error);
};

struct jsonata_options {
	const struct jsonata_native *natives; /* must outlive the expression */
	size_t native_count;
	/* Names (without the dollar sign) of variables which the caller binds at evaluation, in
	 * the order of jsonata_bindings.values. */
	const struct str *variables;
	size_t variable_count;
	size_t bytes_max; /* of the expression; 0: 48 KiB */
	size_t depth_max; /* of its nesting; 0: 200 */
};

/* Compiles into the arena, where the expression then lives (regular expressions are freed by a
 * finisher of that arena). `options` may be NULL. NULL with *error filled (in the arena) when
 * the text is no expression. */
const struct jsonata *jsonata_compile(struct arena *arena, struct str text,
				      const struct jsonata_options *options,
				      struct jsonata_error *error) MUST_CHECK;

struct jsonata_limits {
	uint64_t steps_max;	    /* nodes evaluated, and what many items cost; U1001 past it */
	uint32_t depth_max;	    /* nested evaluation; D1011 past it */
	uint32_t sequence_max;	    /* items of one sequence or string bytes/16; D2015 past it */
	size_t bytes_max;	    /* taken from the arena by one evaluation; D1013 past it */
	int64_t time_ms_max;	    /* on `clock`, looked at every 4096 steps; D1012; 0: no limit */
	uint32_t regex_matches_max; /* tries of a regular expression; D1014 past it */
};
/* 1 million steps, depth 200 (fits a fiber's stack), 500,000 items, 10 MiB, 1 s, 100,000: whatever
 * the expression, it ends within some 50 ms and 16 MiB. A step is some 30 ns of work. */
extern const struct jsonata_limits jsonata_limits_default;

/* Where members were last found by the names in expressions: zero at first. Records of one kind
 * most often have theirs at the same places. */
enum { JSONATA_PLACES = 1024 };
struct jsonata_places {
	uint16_t at[JSONATA_PLACES];
};

/* Everything around evaluations that stays the same over many of them (a page of records):
 * made once, then used for each expression and record. One thread at a time. */
struct jsonata_context {
	struct arena *arena; /* results live here */
	const struct jsonata_limits *limits;
	const struct json *variables; /* as jsonata_options.variables; may be NULL when none */
	void *native_context;
	const struct clock *clock; /* for $now(), $millis() and the time budget; NULL: 1970, none */
	const struct random *random; /* for $random(), $shuffle(); NULL: these fail */
	struct jsonata_places *places; /* kept from one evaluation to the next; NULL: none are */
};

/* Evaluates with `input` as $ and $$. *out is JSON_UNDEFINED when the expression selects
 * nothing; sequences come out as the reference gives them (none, the single item, an array).
 * The result may share with `input`. False with *error filled (in the arena). */
bool jsonata_evaluate(const struct jsonata *expression, const struct jsonata_context *context,
		      struct json input, struct json *out, struct jsonata_error *error) MUST_CHECK;

/* The same; the steps that it took are added to *steps. */
bool jsonata_evaluate_counted(const struct jsonata *expression,
			      const struct jsonata_context *context, struct json input,
			      struct json *out, uint64_t *steps,
			      struct jsonata_error *error) MUST_CHECK;

/* "S0201 at 12: Syntax error: …" with the place, as an ERROR_INVALID. Returns false. */
bool jsonata_error_to_error(const struct jsonata_error *error, struct error *err);

/* The text that it was compiled from. */
struct str jsonata_text(const struct jsonata *expression);

/* Appends the compiled form as text, for people (`--explain`). */
void jsonata_explain(const struct jsonata *expression, struct buffer *out);

/* The member names which the expression reads from its input, as far as is known at compile
 * time: an array of texts in the expression's arena. For checks of connectors. */
const struct str *jsonata_input_fields(const struct jsonata *expression, size_t *count);

#endif
