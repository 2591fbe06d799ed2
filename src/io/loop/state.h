/* What a loop is made of; for the files of this room only. */
#ifndef IO_LOOP_STATE_H
#define IO_LOOP_STATE_H

#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>

#include "io/loop/loop.h"

struct epoll_event;

/* The heap keeps the time beside the pointer: sifting then touches one array only. Timers of one
 * time ring in the order in which they were set. */
struct heap_entry {
	int64_t at_ns;
	uint64_t turn;
	struct loop_timer *timer;
};

struct timer_heap {
	struct heap_entry *entries;
	size_t count;
	size_t capacity;
	uint64_t next_turn;
};

void timer_heap_finish(struct timer_heap *heap);
/* Rings what is due at now_ns; what a callback sets for now rings the next time. */
void timer_heap_ring(struct timer_heap *heap, int64_t now_ns);
/* INT64_MAX when there is none. */
int64_t timer_heap_next_ns(const struct timer_heap *heap);

/* What can go on, first come first served: a ring that grows. A fiber that has not begun takes no
 * stack yet, so that thousands of short ones need only one. */
struct runnable {
	struct fiber *fiber; /* NULL: begin one with these */
	fiber_function *function;
	void *context;
	struct loop_group *group; /* NULL, or which the new one is a member of */
};

struct run_queue {
	struct runnable *items;
	size_t head;
	size_t count;
	size_t capacity; /* a power of two, or 0 */
};

void run_queue_push(struct run_queue *queue, struct runnable item);
/* A suspended fiber goes on in this turn. */
static inline void run_queue_resume(struct run_queue *queue, struct fiber *fiber)
{
	run_queue_push(queue, (struct runnable){.fiber = fiber});
}

/* What the loop keeps of each fiber (fiber_own). */
struct life {
	bool is_interrupted;
	struct loop_wait *wait;	  /* NULL, or the wait under way that has a deadline */
	struct loop_group *joins; /* NULL, or the group that it waits for */
	struct loop_group *group; /* NULL, or the one that it is a member of */
	struct life *next, **link;
	void *context;
	char scope[LOOP_SCOPE_BYTES];
};

static inline struct life *life_of(struct fiber *fiber)
{
	static_assert(sizeof(struct life) <= FIBER_OWN_BYTES, "a fiber has no room for it");
	return fiber_own(fiber);
}

/* The fiber, which is about to begin, becomes a member of the group; and the running one, if it
 * is a member, is no more. */
void life_enter(struct loop_group *group, struct fiber *fiber);
void life_leave(struct loop_group *group);

struct loop_post {
	fiber_function *function;
	void *context;
	struct loop_post *next;
};

/* What other threads hand in, all under `lock`. The lock is held across the write to the
 * eventfd too: whoever sees the wake-up knows that the waker is done with the loop. */
struct inbox {
	pthread_mutex_t lock;
	struct loop_wait *waits, **waits_end;
	struct loop_post *posts, **posts_end;
	bool is_asleep; /* the loop is in, or on its way to, epoll_wait */
};

struct loop {
	const struct clock *clock;
	const struct random *random;
	int epoll_fd;
	int event_fd;
	int64_t now_ns;
	struct fiber_pool fibers;
	size_t unborn; /* spawned, not begun */
	struct run_queue runnable;
	struct timer_heap timers;
	struct loop_hook *hooks;
	struct inbox inbox;
	/* The rest of the events being dispatched: a watch which is removed must not be called. */
	struct epoll_event *events;
	int event_count;
	int turns_unasked; /* without a look at the watches, one after another */
	atomic_bool is_stopping;
};

void inbox_init(struct inbox *inbox);
void inbox_finish(struct inbox *inbox);
/* Moves what was handed in to the runnable fibers. */
void inbox_take(struct loop *loop);
bool inbox_has_any(struct loop *loop);
/* True when the loop may sleep: nothing was handed in, and from now on wakers ring the eventfd. */
bool inbox_fall_asleep(struct loop *loop);
/* Takes everything out of the eventfd. */
void inbox_quiet(struct loop *loop);

#endif
