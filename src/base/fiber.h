/* Fibers: stackful coroutines, each on its own small stack with a guard page below it. Code in a
 * fiber reads from top to bottom and may suspend itself anywhere; the loop resumes it. A fiber
 * never moves to another thread. Sanitizers and valgrind are told of the stacks. */
#ifndef BASE_FIBER_H
#define BASE_FIBER_H

#include "base/error.h"

struct fiber;
typedef void fiber_function(void *context);

/* Stacks of one thread; those which are idle are kept for reuse, up to a few. */
struct fiber_pool {
	struct fiber *idle;
	size_t idle_count;
	size_t alive;
	size_t stack_bytes;
};

/* stack_bytes 0: the default of 256 KiB (of which only what is touched takes memory). */
void fiber_pool_init(struct fiber_pool *pool, size_t stack_bytes);
/* All its fibers must have ended. */
void fiber_pool_finish(struct fiber_pool *pool);

/* A fiber that has not begun. It goes back to the pool by itself when `function` returns. */
struct fiber *fiber_create(struct fiber_pool *pool, fiber_function *function, void *context);
/* What a scheduler keeps of a fiber: room for so many bytes, all zero when the fiber is created. */
enum { FIBER_OWN_BYTES = 96 };
void *fiber_own(struct fiber *fiber);
/* Runs it until it yields or ends. From outside of fibers only (the loop). */
void fiber_resume(struct fiber *fiber);
/* Gives the thread back to who resumed it. Inside a fiber only. */
void fiber_yield(void);
/* The running fiber, or NULL outside of fibers. */
struct fiber *fiber_current(void);

#endif
