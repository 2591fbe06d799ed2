/* The event loop of one worker thread: descriptors, timers, fibers, and wake-ups from other
 * threads. Fibers of a loop run on its thread only. Callbacks note what happened and wake a
 * fiber; they never do the work. */
#ifndef IO_LOOP_LOOP_H
#define IO_LOOP_LOOP_H

#include "base/clock.h"
#include "base/fiber.h"
#include "base/random.h"

struct loop;

/* `clock` and `random` must outlive the loop. NULL with *err when the kernel gives no epoll. */
struct loop *loop_create(const struct clock *clock, const struct random *random,
			 struct error *err) MUST_CHECK;
/* No fiber may be alive any more (see loop_drain). NULL is accepted. */
void loop_destroy(struct loop *loop);

/* Runs until loop_stop(). Each turn: wake-ups, due timers, ready descriptors, runnable fibers. */
void loop_run(struct loop *loop);
/* Makes loop_run return after the current turn. From any thread, also from a signal handler. */
void loop_stop(struct loop *loop);
/* Runs until no fiber is alive or `timeout_ms` has passed; true when none is left. */
bool loop_drain(struct loop *loop, int64_t timeout_ms);

/* The loop that runs on this thread, or NULL. */
struct loop *loop_current(void);
const struct clock *loop_clock(const struct loop *loop);
const struct random *loop_random(const struct loop *loop);
/* Monotonic nanoseconds, read once a turn: cheap, a little late. */
int64_t loop_now_ns(const struct loop *loop);

/* --- fibers -------------------------------------------------------------------------------- */

/* Starts function(context) in a new fiber, in this turn. From the loop's own thread. */
void loop_spawn(struct loop *loop, fiber_function *function, void *context);
/* Starts it at once, out of a callback of the loop: returns when it has ended, or waits for the
 * first time. Called from elsewhere it is loop_spawn(). */
void loop_start(struct loop *loop, fiber_function *function, void *context);
/* From any thread: the fiber starts in the loop's next turn. */
void loop_post(struct loop *loop, fiber_function *function, void *context);
/* How many fibers are alive. */
size_t loop_fiber_count(const struct loop *loop);

/* Suspends the running fiber for that long. */
void loop_sleep_ms(int64_t ms);

/* One fiber waits for one thing that somebody else will tell. Lives on the waiting fiber's
 * stack or in what it shares with the teller:
 *     struct loop_wait wait;
 *     loop_wait_init(&wait);          // before it is handed out
 *     hand_out(&wait);
 *     loop_wait(&wait, deadline);     // suspends until loop_wake(&wait)
 * A wake-up before the wait is not lost. Each wait is waited for and woken at most once. */
struct loop_wait {
	struct loop *loop;
	struct fiber *fiber;
	struct loop_wait *next; /* in the loop's list of wake-ups from other threads */
	_Atomic int state;
};
void loop_wait_init(struct loop_wait *wait);
/* deadline_ns: monotonic, INT64_MAX for none. True when woken, false when the deadline came
 * first; then the teller may still hold the wait: the caller must first make sure that it will
 * not be woken any more (take it off the list under the teller's lock). */
bool loop_wait(struct loop_wait *wait, int64_t deadline_ns);
/* From any thread. */
void loop_wake(struct loop_wait *wait);

/* A deadline that never comes, of a wait that an interruption may end. */
#define LOOP_UNTIL_INTERRUPTED (INT64_MAX - 1)

/* Ends what a fiber waits for, as though its deadline had come: now and from now on each of its
 * waits that has a deadline returns false at once; waits without one (a commit that is under way)
 * are waited for. How an interrupted operation ends is how one ends that ran out of time. The
 * members of a group that the fiber joins are interrupted with it. Who waits again and again until
 * a time has come must ask loop_is_interrupted() in between. On the fiber's own loop. */
void loop_interrupt(struct loop *loop, struct fiber *fiber);
/* Was the running fiber interrupted? */
bool loop_is_interrupted(void);

/* A short text that a fiber carries, empty at first; fibers that are spawned into a group begin
 * with that of who spawns them. Outside of fibers it is the thread's. The store has in it whose
 * rows are asked for (store_enter). */
enum { LOOP_SCOPE_BYTES = 32 };
char *loop_scope(void);

/* A counter of fibers that a fiber waits for: add before the spawn, done at each end, and one
 * fiber joins. On one loop only. All zero at the start. */
struct life;
struct loop_group {
	size_t pending;
	struct loop_wait *joiner;
	struct life *members; /* the spawned ones that have begun */
	bool is_interrupted;
	void *context; /* of who spawned the last one */
	char scope[LOOP_SCOPE_BYTES];
};
void loop_group_add(struct loop_group *group);
/* Adds one, and starts it as loop_spawn() does, as a member: it works for who joins the group, and
 * is interrupted with it. At its end it calls loop_group_done(). */
void loop_group_spawn(struct loop_group *group, fiber_function *function, void *context);
void loop_group_done(struct loop_group *group);
/* Returns at once when nothing is pending. */
void loop_group_join(struct loop_group *group);

/* A pointer that a fiber carries, NULL at first; fibers that are spawned into a group begin with
 * that of who spawns them. Outside of fibers NULL, and it cannot be set. */
void *loop_context(void);
void loop_set_context(void *context);

/* --- for the rooms of io/ only ------------------------------------------------------------- */

/* A descriptor to watch: level-triggered. The caller keeps it; `callback` gets the EPOLL* bits. */
struct loop_watch {
	int fd;
	void (*callback)(struct loop_watch *watch, uint32_t events);
	void *context;
};
bool loop_watch_add(struct loop *loop, struct loop_watch *watch, uint32_t events,
		    struct error *err) MUST_CHECK;
void loop_watch_change(struct loop *loop, struct loop_watch *watch, uint32_t events);
void loop_watch_remove(struct loop *loop, struct loop_watch *watch);

/* One-shot. The caller keeps it; setting a set one moves it. */
struct loop_timer {
	int64_t at_ns;
	size_t place; /* in the heap + 1; 0: not set */
	void (*callback)(struct loop_timer *timer);
	void *context;
};
void loop_timer_set(struct loop *loop, struct loop_timer *timer, int64_t at_ns);
void loop_timer_clear(struct loop *loop, struct loop_timer *timer);

/* When something is to be done next: 0 when that is now, INT64_MAX when nothing will happen by
 * itself. A hook that moves a simulated clock there lets the loop jump over all waiting. */
int64_t loop_next_ns(struct loop *loop);

/* Called at the end of every turn, before the loop sleeps; returns how long it may sleep at most
 * in ms (-1: as long as it likes). libmicrohttpd wants to be asked each turn. */
struct loop_hook {
	int (*before_sleep)(struct loop_hook *hook);
	void *context;
	struct loop_hook *next;
};
void loop_hook_add(struct loop *loop, struct loop_hook *hook);
void loop_hook_remove(struct loop *loop, struct loop_hook *hook);

#endif
