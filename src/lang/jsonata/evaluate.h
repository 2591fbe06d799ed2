/* One evaluation: its budgets, its scratch stack, its frames; and how a node is run. */
#ifndef LANG_JSONATA_EVALUATE_H
#define LANG_JSONATA_EVALUATE_H

#include "lang/jsonata/node.h"

/* Arrays on the stack that are written before they are read: the hardened build would clear them
 * at each call. */
#define UNINITIALIZED __attribute__((uninitialized))

enum {
	FUEL = 4096, /* steps between two looks at the clock and the arena */
	/* Nesting of data that the walkers (text, equality, descendants …) follow: what was read
	 * is nested 128 deep at most, what an expression builds is refused past this. */
	DATA_DEPTH_MAX = 200,
	SCRATCH_FIRST = 32,
	ARGUMENTS_FEW = 4, /* of a call: they stand in its frame */
};

struct frame {
	struct frame *outer;
	struct json slots[];
};

/* A call in tail position, waiting for the loop in jsonata_apply(). */
struct tail {
	struct json function; /* unbound: nothing to call, `value` is the answer as it is */
	struct json value;
	struct json *arguments;
	uint32_t count;
	const struct call_mark *mark;
	/* What $eval sees; NULL for other functions. */
	const struct scope *scope;
	struct frame *frame;
};

struct evaluation {
	int64_t fuel;
	uint32_t depth;
	uint32_t depth_max;
	int64_t bytes_left;
	struct arena *arena;
	/* A stack for sequences that grow: items are pushed here and copied out at the end. */
	struct json *scratch;
	uint32_t top;
	uint32_t capacity;
	uint32_t sequence_max;
	struct json root;
	const struct jsonata *program;
	const struct jsonata_context *context;
	const struct jsonata_limits *limits;
	struct jsonata_places *places; /* or NULL */
	struct tail tail;
	uint64_t steps_left; /* beyond the fuel */
	int64_t deadline_ms; /* 0: the clock was not looked at yet */
	int64_t now_ms;	     /* of $now and $millis; -1: not asked yet */
	void *match_memory;  /* of regex.c */
	struct random_seeded chance;
	bool has_chance;
	struct fault fault;
	/* The builtin called last through a variable, and the call. */
	const void *marked_builtin;
	const struct call_mark *builtin_mark;
};

/* What a builtin knows of its call. */
struct call_site {
	struct json input; /* the context */
	struct frame *frame;
	const struct scope *scope; /* of $eval */
	uint32_t count;		   /* arguments after the check */
	const void *prepared;	   /* of a constant picture, or NULL */
};

/* --- faults and budgets -------------------------------------------------------------------- */

/* Fills the fault (the first one counts) and answers VALUE_FAILED. */
struct json jsonata_fail(struct evaluation *e, const char *code, struct json value);
/* The same with the place and the spelling of an operator. */
struct json jsonata_fail_at(struct evaluation *e, const char *code, const struct node *node,
			    struct json value);
/* False when a budget is used up; called when the fuel is. */
bool jsonata_refuel(struct evaluation *e) MUST_CHECK;
bool jsonata_too_deep(struct evaluation *e);

static inline bool jsonata_spend(struct evaluation *e)
{
	return --e->fuel > 0 || jsonata_refuel(e);
}
/* Takes `steps` at once, for loops over data that make no calls. */
static inline bool jsonata_spend_many(struct evaluation *e, uint32_t steps)
{
	e->fuel -= steps;
	return e->fuel > 0 || jsonata_refuel(e);
}
/* The same without the look, which the next node takes: for work that is bounded by itself. */
static inline void jsonata_charge(struct evaluation *e, size_t steps)
{
	e->fuel -= (int64_t)steps;
}
static inline bool jsonata_enter(struct evaluation *e)
{
	if (--e->fuel <= 0 && !jsonata_refuel(e))
		return false;
	return ++e->depth <= e->depth_max || jsonata_too_deep(e);
}
static inline void jsonata_leave(struct evaluation *e)
{
	e->depth--;
}

/* --- memory -------------------------------------------------------------------------------- */

/* NULL (and the fault D1013) past the budget. */
void *jsonata_take_nothing(struct evaluation *e);
static inline void *jsonata_take(struct evaluation *e, size_t size)
{
	if (size > (size_t)INT64_MAX / 2 || (e->bytes_left -= (int64_t)size) < 0 ||
	    arena_is_over(e->arena))
		return jsonata_take_nothing(e);
	return arena_alloc(e->arena, size);
}
/* Room for a text of that many bytes; NULL past the budget, or D2015 past 16 bytes per item of
 * sequence_max. */
char *jsonata_take_text(struct evaluation *e, size_t len);
static inline bool jsonata_is_text_length(const struct evaluation *e, size_t len)
{
	return len / 16 <= e->sequence_max && len <= UINT32_MAX;
}
struct json *jsonata_take_items(struct evaluation *e, size_t count);
struct frame *jsonata_frame(struct evaluation *e, struct frame *outer, uint32_t size);

bool jsonata_scratch_grow(struct evaluation *e) MUST_CHECK;
static inline bool jsonata_push(struct evaluation *e, struct json value)
{
	if (e->top == e->capacity && !jsonata_scratch_grow(e))
		return false;
	e->scratch[e->top++] = value;
	return true;
}
bool jsonata_push_all(struct evaluation *e, const struct json *items, uint32_t count);
/* What was pushed since `base`, as an array with these marks; the stack is cut back. */
struct json jsonata_finish_array(struct evaluation *e, uint32_t base, uint16_t marks);
/* The same as a sequence that is a value: nothing, the one item, or an array. */
struct json jsonata_finish_sequence(struct evaluation *e, uint32_t base);

/* --- running ------------------------------------------------------------------------------- */

struct json jsonata_settle(struct json sequence, bool keeps_array);

/* Each name in an expression has a place of its own, by where it is written. */
static inline struct json jsonata_find(struct jsonata_places *places, struct json object,
				       struct str key, uint32_t hash)
{
	return places == NULL ? json_get_hashed(object, key, hash)
			      : json_get_near(object, key, hash,
					      &places->at[(uintptr_t)key.data % JSONATA_PLACES]);
}
/* The member of an object, or JSON_UNDEFINED. Among many members the search is work. */
static inline struct json jsonata_member(struct evaluation *e, struct json object, struct str key,
					 uint32_t hash)
{
	jsonata_charge(e, object.count / 32);
	return jsonata_find(e->places, object, key, hash);
}

/* Evaluates a node to a value: a raw sequence becomes its item where it has just one. The two
 * commonest leaves need no call through the pointer. */
static inline struct json jsonata_run(struct evaluation *e, const struct node *node,
				      struct json input, struct frame *frame)
{
	struct json value;

	if (node->kind == NODE_LITERAL)
		return node->literal;
	if (node->kind == NODE_FIELD && input.type == JSON_OBJECT)
		value = jsonata_member(e, input, node->name.key, node->name.hash);
	else
		value = node->run(e, node, input, frame);
	if (value.type == JSON_ARRAY && (value.extension & MARK_SEQUENCE) != 0)
		return jsonata_settle(value, node->keeps_array);
	return value;
}

/* --- values -------------------------------------------------------------------------------- */

/* Sets *fails for a number that is none (D1001 at infinity), as the reference does. */
bool jsonata_is_numeric(struct evaluation *e, struct json value, bool *fails);
/* JavaScript's truth of a value as $boolean has it: 1, 0, or -1 for a failure. */
int jsonata_truth_slow(struct evaluation *e, struct json value, uint32_t depth);
static inline int jsonata_truth(struct evaluation *e, struct json value)
{
	if (value.type == JSON_BOOL)
		return value.boolean;
	if (value.type <= JSON_NULL)
		return 0;
	if (value.type == JSON_STRING)
		return value.count > 0;
	return jsonata_truth_slow(e, value, 0);
}
/* 1, 0, or -1 for a failure (nested too deep). */
int jsonata_equal(struct evaluation *e, struct json a, struct json b);
/* The order of two texts by UTF-16 units: <0, 0, >0. */
int jsonata_compare_text(struct str a, struct str b);
/* $string: the text, or VALUE_FAILED. */
struct json jsonata_to_text(struct evaluation *e, struct json value, bool is_pretty);
/* The member or, for an array, the sequence of its items' members (raw). */
struct json jsonata_lookup(struct evaluation *e, struct json value, struct str key, uint32_t hash);
/* An object with its members in JavaScript's order: keys that look like array indices first, by
 * number. What an expression goes through is in this order; what it passes on keeps its own.
 * Anything else, and past a budget the object too, comes back as it is. */
struct json jsonata_in_order(struct evaluation *e, struct json object);
struct json jsonata_append(struct evaluation *e, struct json a, struct json b);
struct json jsonata_number(double number);
/* Even over [0, below); the caller has seen that there is a source of chance. The source is asked
 * for a seed once an evaluation, because asking the kernel takes longer than many a step. */
uint64_t jsonata_draw(struct evaluation *e, uint64_t below);
struct json jsonata_concat(struct evaluation *e, const struct json *texts, uint32_t count);

struct json jsonata_filter(struct evaluation *e, const struct node *filter, struct json input,
			   struct frame *frame);
struct json jsonata_group(struct evaluation *e, const struct node *node, uint32_t position,
			  struct json input, struct frame *frame, const struct scope *tuple_scope);
struct json jsonata_filter_tuples(struct evaluation *e, const struct node *filter,
				  struct json tuples, struct frame *frame,
				  const struct scope *scope);
/* A frame over a tuple's variables; NULL past a budget. */
struct frame *jsonata_tuple_frame(struct evaluation *e, struct json tuple,
				  const struct scope *scope, struct frame *outer);
static inline struct json value_tuple_item(struct json tuple)
{
	return ((const struct json *)tuple.pointer)[0];
}
/* A tuple as the object which the reference makes of it. */
struct json jsonata_tuple_object(struct evaluation *e, struct json tuple,
				 const struct scope *scope);
static inline bool value_is_tuple(struct json value)
{
	return value.type == JSON_EXTENSION && value.extension == VALUE_KIND_TUPLE;
}
/* `items` are sorted in place of a copy: returns the ordered array. Of two tuples and more it is no
 * stream of tuples any longer, in the reference, but an array of objects. */
struct json jsonata_sort_by(struct evaluation *e, const struct node *node, struct json input,
			    struct frame *frame, const struct scope *tuple_scope);

/* Merge sort as the reference does it. `is_after` answers 1 when b comes first, 0 when not, -1
 * for a failure. */
typedef int sort_function(struct evaluation *e, void *context, uint32_t a, uint32_t b);
bool jsonata_sort(struct evaluation *e, uint32_t *order, uint32_t count, sort_function *is_after,
		  void *context) MUST_CHECK;

#endif
