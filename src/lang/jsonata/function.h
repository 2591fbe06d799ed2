/* Functions as values, and how they are applied. */
#ifndef LANG_JSONATA_FUNCTION_H
#define LANG_JSONATA_FUNCTION_H

#include "lang/jsonata/evaluate.h"

/* A lambda, or a transformation, with what it was made in. */
struct closure {
	const struct call_mark *mark; /* of the last call; NULL: none */
	const struct node *node;
	struct frame *frame;
	struct json input;
};

struct partial {
	const struct call_mark *mark;
	struct json function;
	uint32_t count;
	uint32_t open;		 /* placeholders */
	struct json arguments[]; /* VALUE_UNBOUND: a placeholder */
};

struct chain {
	const struct call_mark *mark;
	struct json first;
	struct json second;
};

uint32_t jsonata_arity(struct json function);
/* Applies a function to `count` arguments; the answer may be a raw sequence. */
struct json jsonata_apply(struct evaluation *e, struct json function, struct json *arguments,
			  uint32_t count, struct json context);
/* As a higher-order function calls: up to three arguments, as many as the function can take. */
struct json jsonata_apply_item(struct evaluation *e, struct json function, struct json item,
			       struct json key, struct json whole);

/* transform.c */
struct json jsonata_transform(struct evaluation *e, const struct closure *closure,
			      struct json value);

#endif
