/* The turns of a loop. Callbacks of timers, descriptors and hooks run on the thread's own stack;
 * they make fibers runnable, and the fibers run after them, in the same turn. */
#include "io/loop/loop.h"

#include <assert.h>
#include <errno.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "io/loop/state.h"

enum {
	EVENTS_A_TURN = 256,
	TURNS_UNASKED_MAX = 2,
	/* So that fibers which keep each other awake cannot starve the descriptors. */
	FIBERS_A_TURN = 1024,
};

static _Thread_local struct loop *running;

struct loop *loop_current(void)
{
	return running;
}

const struct clock *loop_clock(const struct loop *loop)
{
	return loop->clock;
}

const struct random *loop_random(const struct loop *loop)
{
	return loop->random;
}

int64_t loop_now_ns(const struct loop *loop)
{
	return loop->now_ns;
}

size_t loop_fiber_count(const struct loop *loop)
{
	return loop->fibers.alive + loop->unborn;
}

static bool open_descriptors(struct loop *loop, struct error *err)
{
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};

	loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	loop->event_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (loop->epoll_fd >= 0 && loop->event_fd >= 0 &&
	    epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, loop->event_fd, &event) == 0)
		return true;
	error_set(err, ERROR_UNAVAILABLE, "the kernel gives no epoll: %s", strerror(errno));
	if (loop->epoll_fd >= 0)
		close(loop->epoll_fd);
	if (loop->event_fd >= 0)
		close(loop->event_fd);
	return false;
}

struct loop *loop_create(const struct clock *clock, const struct random *random, struct error *err)
{
	struct loop *loop = calloc(1, sizeof *loop);

	if (loop == NULL)
		die("out of memory for a loop");
	loop->clock = clock;
	loop->random = random;
	if (!open_descriptors(loop, err)) {
		free(loop);
		return NULL;
	}
	loop->now_ns = clock_monotonic_ns(clock);
	fiber_pool_init(&loop->fibers, 0);
	inbox_init(&loop->inbox);
	return loop;
}

void loop_destroy(struct loop *loop)
{
	if (loop == NULL)
		return;
	assert(running != loop && loop->unborn == 0);
	fiber_pool_finish(&loop->fibers);
	inbox_finish(&loop->inbox);
	timer_heap_finish(&loop->timers);
	free(loop->runnable.items);
	close(loop->event_fd);
	close(loop->epoll_fd);
	free(loop);
}

/* --- fibers -------------------------------------------------------------------------------- */

static void widen(struct run_queue *queue)
{
	size_t capacity = queue->capacity == 0 ? 64 : queue->capacity * 2;
	struct runnable *items = malloc(capacity * sizeof *items);

	if (items == NULL)
		die("out of memory: %zu runnable fibers", capacity);
	for (size_t i = 0; i < queue->count; i++)
		items[i] = queue->items[(queue->head + i) & (queue->capacity - 1)];
	free(queue->items);
	queue->items = items;
	queue->head = 0;
	queue->capacity = capacity;
}

void run_queue_push(struct run_queue *queue, struct runnable item)
{
	if (queue->count == queue->capacity)
		widen(queue);
	queue->items[(queue->head + queue->count++) & (queue->capacity - 1)] = item;
}

static void run_fibers(struct loop *loop)
{
	struct run_queue *queue = &loop->runnable;

	for (int i = 0; i < FIBERS_A_TURN && queue->count > 0; i++) {
		struct runnable item = queue->items[queue->head];

		queue->head = (queue->head + 1) & (queue->capacity - 1);
		queue->count--;
		if (item.fiber == NULL) {
			loop->unborn--;
			item.fiber = fiber_create(&loop->fibers, item.function, item.context);
			if (item.group != NULL)
				life_enter(item.group, item.fiber);
		}
		fiber_resume(item.fiber);
	}
}

void loop_spawn(struct loop *loop, fiber_function *function, void *context)
{
	assert(running == NULL || running == loop);
	loop->unborn++;
	run_queue_push(&loop->runnable,
		       (struct runnable){.function = function, .context = context});
}

void loop_start(struct loop *loop, fiber_function *function, void *context)
{
	if (running != loop || fiber_current() != NULL)
		loop_spawn(loop, function, context);
	else
		fiber_resume(fiber_create(&loop->fibers, function, context));
}

void loop_group_spawn(struct loop_group *group, fiber_function *function, void *context)
{
	assert(running != NULL);
	loop_group_add(group);
	group->context = loop_context();
	memcpy(group->scope, loop_scope(), sizeof group->scope);
	running->unborn++;
	run_queue_push(
		&running->runnable,
		(struct runnable){.function = function, .context = context, .group = group});
}

/* --- descriptors --------------------------------------------------------------------------- */

bool loop_watch_add(struct loop *loop, struct loop_watch *watch, uint32_t events, struct error *err)
{
	struct epoll_event event = {.events = events, .data.ptr = watch};

	if (epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, watch->fd, &event) == 0)
		return true;
	return error_set(err, ERROR_UNAVAILABLE, "a descriptor cannot be watched: %s",
			 strerror(errno));
}

void loop_watch_change(struct loop *loop, struct loop_watch *watch, uint32_t events)
{
	struct epoll_event event = {.events = events, .data.ptr = watch};

	if (epoll_ctl(loop->epoll_fd, EPOLL_CTL_MOD, watch->fd, &event) != 0)
		die("a watched descriptor is not watched: %s", strerror(errno));
}

void loop_watch_remove(struct loop *loop, struct loop_watch *watch)
{
	/* Fails when the descriptor is closed already, and then epoll has forgotten it. */
	epoll_ctl(loop->epoll_fd, EPOLL_CTL_DEL, watch->fd, NULL);
	for (int i = 0; i < loop->event_count; i++) {
		if (loop->events[i].data.ptr == watch)
			loop->events[i].events = 0;
	}
}

static void dispatch(struct loop *loop, struct epoll_event *events, int count)
{
	for (int i = 0; i < count; i++) {
		struct loop_watch *watch = events[i].data.ptr;

		loop->events = events + i + 1;
		loop->event_count = count - i - 1;
		if (events[i].events == 0)
			continue; /* removed by one before it */
		if (watch == NULL)
			inbox_quiet(loop);
		else
			watch->callback(watch, events[i].events);
	}
	loop->event_count = 0;
}

/* --- hooks --------------------------------------------------------------------------------- */

void loop_hook_add(struct loop *loop, struct loop_hook *hook)
{
	hook->next = loop->hooks;
	loop->hooks = hook;
}

void loop_hook_remove(struct loop *loop, struct loop_hook *hook)
{
	struct loop_hook **at = &loop->hooks;

	while (*at != hook) {
		assert(*at != NULL);
		at = &(*at)->next;
	}
	*at = hook->next;
}

int64_t loop_next_ns(struct loop *loop)
{
	if (loop->runnable.count > 0 || atomic_load(&loop->is_stopping) || inbox_has_any(loop))
		return 0;
	return timer_heap_next_ns(&loop->timers);
}

/* How long the hooks let the loop sleep, in ms; -1 without end. */
static int ask_hooks(struct loop *loop)
{
	int least = -1;

	for (struct loop_hook *hook = loop->hooks, *next; hook != NULL; hook = next) {
		next = hook->next;
		int ms = hook->before_sleep(hook);

		if (ms >= 0 && (least < 0 || ms < least))
			least = ms;
	}
	return least;
}

/* --- turns --------------------------------------------------------------------------------- */

/* Until the next timer, rounded up so that a timer is due when the loop wakes for it. */
static int ms_until(const struct loop *loop, int64_t at_ns)
{
	int64_t now_ns = clock_monotonic_ns(loop->clock);

	if (at_ns <= now_ns)
		return 0;
	int64_t ms = (at_ns - now_ns - 1) / 1000000 + 1;
	return ms > INT32_MAX ? INT32_MAX : (int)ms;
}

static int sleep_ms(struct loop *loop, int64_t until_ns)
{
	/* The hooks come first: they may make fibers runnable and set timers. */
	int ms = ask_hooks(loop);
	int64_t at_ns = timer_heap_next_ns(&loop->timers);

	if (loop->runnable.count > 0 || atomic_load(&loop->is_stopping))
		return 0;
	if (until_ns < at_ns)
		at_ns = until_ns;
	if (at_ns != INT64_MAX) {
		int timer_ms = ms_until(loop, at_ns);

		if (ms < 0 || timer_ms < ms)
			ms = timer_ms;
	}
	return ms == 0 || !inbox_fall_asleep(loop) ? 0 : ms;
}

static bool has_work(const struct loop *loop)
{
	int64_t at_ns = timer_heap_next_ns(&loop->timers);

	return !atomic_load(&loop->is_stopping) &&
	       (loop->runnable.count > 0 || (at_ns != INT64_MAX && ms_until(loop, at_ns) == 0));
}

/* One turn; it sleeps no longer than until_ns. */
static void turn(struct loop *loop, int64_t until_ns)
{
	struct epoll_event events[EVENTS_A_TURN];
	int ms = sleep_ms(loop, until_ns), count = 0;

	/* What is to be done at once need not wait for news, and asking costs a system call; but
	 * news must not wait for long either. */
	if (ms == 0 && loop->turns_unasked < TURNS_UNASKED_MAX && has_work(loop)) {
		loop->turns_unasked++;
	} else {
		loop->turns_unasked = 0;
		count = epoll_wait(loop->epoll_fd, events, EVENTS_A_TURN, ms);
	}
	if (count < 0 && errno != EINTR)
		die("epoll_wait: %s", strerror(errno));
	loop->now_ns = clock_monotonic_ns(loop->clock);
	/* From here on: a timer, too, may remove a watch that there is news of. */
	loop->events = events;
	loop->event_count = count < 0 ? 0 : count;
	inbox_take(loop);
	timer_heap_ring(&loop->timers, loop->now_ns);
	dispatch(loop, events, loop->event_count);
	run_fibers(loop);
}

void loop_run(struct loop *loop)
{
	assert(running == NULL);
	running = loop;
	do
		turn(loop, INT64_MAX);
	while (!atomic_exchange(&loop->is_stopping, false));
	running = NULL;
}

bool loop_drain(struct loop *loop, int64_t timeout_ms)
{
	int64_t end_ns = clock_monotonic_ns(loop->clock) + timeout_ms * 1000000;

	assert(running == NULL);
	running = loop;
	/* The first turn takes in what was posted, without a sleep. */
	turn(loop, 0);
	while (loop_fiber_count(loop) > 0 && loop->now_ns < end_ns)
		turn(loop, end_ns);
	running = NULL;
	return loop_fiber_count(loop) == 0;
}
