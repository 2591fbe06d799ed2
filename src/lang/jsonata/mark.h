/* Whose fault it is: where functions were last called from, and where a failure in them is said to
 * be. Private to function.c. */
#ifndef LANG_JSONATA_MARK_H
#define LANG_JSONATA_MARK_H

#include "lang/jsonata/function.h"

/* flags of a failure that arose before a call in tail position was made: the reference has left
 * the lambda around it by then. */
enum { BEFORE_CALL = 1 };

static inline struct json failed_before_call(void)
{
	return (struct json){.type = VALUE_FAILED, .flags = BEFORE_CALL};
}

/* Where a function keeps the mark of its last call; NULL where it is not kept. */
static inline const struct call_mark **mark_of(struct json function)
{
	void *pointer = (void *)(uintptr_t)function.pointer;

	if (function.type != JSON_EXTENSION)
		return NULL;
	switch (value_function_kind(function)) {
	case FUNCTION_LAMBDA:
	case FUNCTION_TRANSFORM:
		return &((struct closure *)pointer)->mark;
	case FUNCTION_PARTIAL:
		return &((struct partial *)pointer)->mark;
	case FUNCTION_CHAIN:
		return &((struct chain *)pointer)->mark;
	default:
		return NULL;
	}
}

static inline void set_mark(struct evaluation *e, struct json function,
			    const struct call_mark *mark)
{
	const struct call_mark **place = mark_of(function);

	if (place != NULL) {
		*place = mark;
	} else {
		e->marked_builtin = function.pointer;
		e->builtin_mark = mark;
	}
}

/* The reference marks what is an object there, and no bare function of JavaScript. */
static inline bool is_marked(struct json function)
{
	return (function.extension & FUNCTION_WRAPPED) == 0 &&
	       value_function_kind(function) != FUNCTION_REGEX &&
	       value_function_kind(function) != FUNCTION_NEXT;
}

static inline const struct call_mark *get_mark(const struct evaluation *e, struct json function)
{
	const struct call_mark **place = mark_of(function);

	if (place != NULL)
		return *place;
	return e->marked_builtin == function.pointer ? e->builtin_mark : NULL;
}

static inline bool is_truthy(struct json value)
{
	switch (value.type) {
	case JSON_UNDEFINED:
	case JSON_NULL:
		return false;
	case JSON_BOOL:
		return value.boolean;
	case JSON_STRING:
		return value.count > 0;
	default:
		return !value_is_number(value) || value_double(value) != 0;
	}
}

/* A fault passes out of a function: it is said to be where that was last called from. */
static inline void blame(struct evaluation *e, const struct call_mark *mark)
{
	if (mark == NULL)
		return;
	if (value_is_undefined(e->fault.token))
		e->fault.token = mark->token;
	e->fault.position = mark->position;
	e->fault.has_position = true;
}

/* A fault passes out of a call: what is not known of it yet is taken from there. */
static inline struct json place(struct evaluation *e, const struct call_mark *mark)
{
	if (!e->fault.has_position || e->fault.position == 0)
		e->fault.position = mark->position;
	e->fault.has_position = true;
	if (!is_truthy(e->fault.token))
		e->fault.token = mark->token;
	return value_failed();
}

static inline struct json locate(struct evaluation *e, const struct call_mark *mark)
{
	blame(e, mark);
	return place(e, mark);
}

#endif
