/* A stack of frames for walks through values. Values that a program made may be nested as deep as
 * its memory allows, so no walk recurses on the thread's (or fiber's) own stack. Private to the
 * room. */
#ifndef LANG_JSON_STACK_H
#define LANG_JSON_STACK_H

#include <stdlib.h>

#include "base/error.h"

struct stack {
	char *frames;
	size_t frame_size;
	size_t count;
	size_t capacity;
};

static inline void stack_init(struct stack *stack, size_t frame_size)
{
	*stack = (struct stack){.frame_size = frame_size};
}

static inline void stack_finish(struct stack *stack)
{
	free(stack->frames);
	stack_init(stack, stack->frame_size);
}

static inline void *stack_top(const struct stack *stack)
{
	return stack->count == 0 ? NULL : stack->frames + (stack->count - 1) * stack->frame_size;
}

/* A new frame on top, not zeroed. What stack_top() gave before may have moved. */
static inline void *stack_push(struct stack *stack)
{
	if (stack->count == stack->capacity) {
		stack->capacity = stack->capacity == 0 ? 32 : stack->capacity * 2;
		stack->frames = realloc(stack->frames, stack->capacity * stack->frame_size);
		if (stack->frames == NULL)
			die("out of memory: values nested %zu deep", stack->count);
	}
	stack->count++;
	return stack_top(stack);
}

static inline void stack_pop(struct stack *stack)
{
	stack->count--;
}

#endif
