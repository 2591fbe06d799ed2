/* How the engine uses struct json: marks on arrays, kinds of functions, and three types of its own
 * that never leave an evaluation. */
#ifndef LANG_JSONATA_VALUE_H
#define LANG_JSONATA_VALUE_H

#include "lang/jsonata/jsonata.h"

/* A branch that recursion passes through seldom: kept out of the frame of its caller. */
#define APART __attribute__((noinline))

/* Beyond enum json_type. A function that answers with a failure has filled evaluation->fault. */
enum {
	VALUE_TAIL = 253,    /* a call in tail position waits in evaluation->tail */
	VALUE_UNBOUND = 254, /* a slot that nothing was bound to yet: the outer scopes are asked */
	VALUE_FAILED = 255,
};

/* json.extension of an array. */
enum mark {
	MARK_SEQUENCE = 1, /* a sequence: of one item it is that item, of none it is nothing */
	MARK_KEEP = 2,	   /* a sequence that stays an array even of one item: a[] */
	MARK_CONS = 4,	   /* an array constructor in a path: a step does not flatten it */
	MARK_TUPLE = 8,	   /* items are tuples (@ # %); never seen outside of a path */
	MARK_OUTER = 16,   /* the input document, an array, wrapped to be one item */
};

/* json.extension of a JSON_EXTENSION. */
enum function_kind {
	FUNCTION_LAMBDA = 1, /* pointer: struct closure */
	FUNCTION_BUILTIN,    /* struct builtin_value */
	FUNCTION_NATIVE,     /* struct jsonata_native */
	FUNCTION_REGEX,	     /* struct regex */
	FUNCTION_NEXT,	     /* struct regex_match: the function "next" of a match */
	FUNCTION_PARTIAL,    /* struct partial */
	FUNCTION_CHAIN,	     /* struct chain: f ~> g */
	FUNCTION_TRANSFORM,  /* struct closure */
	VALUE_KIND_TUPLE, /* struct json[]: slot 0 is the item, the others the tuple's variables */
	FUNCTION_KIND = 0xff,
	/* It was handed over as an argument: the reference then wraps it so that a missing
	 * argument no longer falls back to the context. */
	FUNCTION_WRAPPED = 0x100,
};

#define VALUE_SEQUENCE_EMPTY ((struct json){.type = JSON_ARRAY, .extension = MARK_SEQUENCE})

static inline struct json value_failed(void)
{
	return (struct json){.type = VALUE_FAILED};
}
static inline struct json value_unbound(void)
{
	return (struct json){.type = VALUE_UNBOUND};
}
static inline bool value_is_failed(struct json value)
{
	return value.type == VALUE_FAILED;
}
static inline bool value_is_undefined(struct json value)
{
	return value.type == JSON_UNDEFINED;
}
static inline bool value_is_array(struct json value)
{
	return value.type == JSON_ARRAY;
}
static inline bool value_is_function(struct json value)
{
	return value.type == JSON_EXTENSION;
}
static inline bool value_is_sequence(struct json value)
{
	return value.type == JSON_ARRAY && (value.extension & MARK_SEQUENCE) != 0;
}
static inline bool value_is_number(struct json value)
{
	return value.type >= JSON_INT && value.type <= JSON_NUMBER_TEXT;
}
static inline double value_double(struct json number)
{
	if (number.type == JSON_INT)
		return (double)number.integer;
	if (number.type == JSON_DOUBLE)
		return number.number;
	return json_to_double(number);
}
static inline struct json value_function(enum function_kind kind, const void *pointer)
{
	return (struct json){
		.type = JSON_EXTENSION, .extension = (uint16_t)kind, .pointer = pointer};
}
static inline enum function_kind value_function_kind(struct json function)
{
	return (enum function_kind)(function.extension & FUNCTION_KIND);
}
static inline struct json value_text(struct str s, uint8_t flags)
{
	return (struct json){
		.type = JSON_STRING, .flags = flags, .count = (uint32_t)s.len, .text = s.data};
}

#endif
