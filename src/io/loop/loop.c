#include "io/loop/loop.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { EVENTS_PER_TURN = 256 };
/* Of a wait: nobody came yet; a fiber is suspended; it was woken. */
enum { WAIT_IDLE, WAIT_SUSPENDED, WAIT_WOKEN };

/* A fiber to be started, asked for by another thread. */
struct post {
	fiber_function *function;
	void *context;
	struct post *next;
};

struct loop {
	const struct clock *clock;
	const struct random *random;
	struct fiber_pool pool;
	size_t fiber_count;
	int epoll_fd;
	int wake_fd;
	struct loop_watch wake_watch;
	int64_t now_ns;
	_Atomic bool is_stopped;
	pthread_mutex_t lock; /* of what other threads hand in */
	struct loop_wait *woken;
	struct post *posted;
	struct post **last_posted;
	struct fiber **ready; /* fibers that can run, a ring */
	size_t ready_at, ready_count, ready_capacity;
	struct loop_timer **timers; /* a heap, soonest first; places count from 1 */
	size_t timer_count, timer_capacity;
	struct loop_hook *hooks;
	struct epoll_event *events; /* of this turn, those not looked at yet */
	int event_count;
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
	return loop->fiber_count;
}

static void *must(void *memory)
{
	if (memory == NULL)
		die("out of memory in a loop");
	return memory;
}

/* --- wake-ups from other threads ------------------------------------------------------------ */

static void ring(struct loop *loop)
{
	uint64_t one = 1;

	/* It fails only when the counter is full, and then the loop will wake anyway. */
	if (write(loop->wake_fd, &one, sizeof one) < 0)
		return;
}

static void note_ring(struct loop_watch *watch, uint32_t events)
{
	uint64_t count;

	(void)events;
	if (read(watch->fd, &count, sizeof count) < 0)
		return;
}

/* --- fibers that can run -------------------------------------------------------------------- */

static void make_ready(struct loop *loop, struct fiber *fiber)
{
	if (loop->ready_count == loop->ready_capacity) {
		size_t capacity = loop->ready_capacity == 0 ? 64 : loop->ready_capacity * 2;
		struct fiber **grown = must(malloc(capacity * sizeof *grown));
		for (size_t i = 0; i < loop->ready_count; i++)
			grown[i] = loop->ready[(loop->ready_at + i) % loop->ready_capacity];
		free(loop->ready);
		loop->ready = grown;
		loop->ready_capacity = capacity;
		loop->ready_at = 0;
	}
	loop->ready[(loop->ready_at + loop->ready_count++) % loop->ready_capacity] = fiber;
}

struct start {
	struct loop *loop;
	fiber_function *function;
	void *context;
};

static void begin_fiber(void *context)
{
	struct start start = *(struct start *)context;

	free(context);
	start.function(start.context);
	start.loop->fiber_count--;
}

void loop_spawn(struct loop *loop, fiber_function *function, void *context)
{
	struct start *start = must(malloc(sizeof *start));

	*start = (struct start){loop, function, context};
	loop->fiber_count++;
	make_ready(loop, fiber_create(&loop->pool, begin_fiber, start));
}

void loop_post(struct loop *loop, fiber_function *function, void *context)
{
	struct post *post = must(malloc(sizeof *post));

	*post = (struct post){function, context, NULL};
	pthread_mutex_lock(&loop->lock);
	*loop->last_posted = post;
	loop->last_posted = &post->next;
	pthread_mutex_unlock(&loop->lock);
	ring(loop);
}

/* Takes what other threads handed in since the last turn. */
static void take_handed_in(struct loop *loop)
{
	pthread_mutex_lock(&loop->lock);
	struct loop_wait *woken = loop->woken;
	struct post *posted = loop->posted;
	loop->woken = NULL;
	loop->posted = NULL;
	loop->last_posted = &loop->posted;
	pthread_mutex_unlock(&loop->lock);
	for (struct loop_wait *next; woken != NULL; woken = next) {
		next = woken->next;
		make_ready(loop, woken->fiber);
	}
	for (struct post *next; posted != NULL; posted = next) {
		next = posted->next;
		loop_spawn(loop, posted->function, posted->context);
		free(posted);
	}
}

/* Runs those that are ready now; what they make ready runs in the same turn, up to a bound, so
 * that descriptors are not starved by fibers which wake one another. */
static void run_ready(struct loop *loop)
{
	size_t budget = loop->ready_count * 4 + 64;

	while (loop->ready_count > 0 && budget-- > 0) {
		struct fiber *fiber = loop->ready[loop->ready_at];
		loop->ready_at = (loop->ready_at + 1) % loop->ready_capacity;
		loop->ready_count--;
		fiber_resume(fiber);
	}
}

/* --- waits ---------------------------------------------------------------------------------- */

void loop_wait_init(struct loop_wait *wait)
{
	assert(running != NULL && fiber_current() != NULL);
	wait->loop = running;
	wait->fiber = fiber_current();
	wait->next = NULL;
	atomic_init(&wait->state, WAIT_IDLE);
}

static void end_wait(struct loop_timer *timer)
{
	struct loop_wait *wait = timer->context;
	int expected = WAIT_SUSPENDED;

	/* Whoever moves the state from suspended makes the fiber ready, and nobody else. */
	if (atomic_compare_exchange_strong(&wait->state, &expected, WAIT_IDLE))
		make_ready(wait->loop, wait->fiber);
}

bool loop_wait(struct loop_wait *wait, int64_t deadline_ns)
{
	struct loop_timer timer = {.callback = end_wait, .context = wait};
	int expected = WAIT_IDLE;

	assert(fiber_current() == wait->fiber);
	if (!atomic_compare_exchange_strong(&wait->state, &expected, WAIT_SUSPENDED))
		return true;
	if (deadline_ns != INT64_MAX)
		loop_timer_set(wait->loop, &timer, deadline_ns);
	fiber_yield();
	if (deadline_ns != INT64_MAX)
		loop_timer_clear(wait->loop, &timer);
	return atomic_load(&wait->state) == WAIT_WOKEN;
}

void loop_wake(struct loop_wait *wait)
{
	struct loop *loop = wait->loop;

	/* A wait that is not suspended yet sees the state; the wait may be gone after that. */
	if (atomic_exchange(&wait->state, WAIT_WOKEN) != WAIT_SUSPENDED)
		return;
	if (running == loop) {
		make_ready(loop, wait->fiber);
		return;
	}
	pthread_mutex_lock(&loop->lock);
	wait->next = loop->woken;
	loop->woken = wait;
	pthread_mutex_unlock(&loop->lock);
	ring(loop);
}

void loop_sleep_ms(int64_t ms)
{
	struct loop_wait wait;

	loop_wait_init(&wait);
	loop_wait(&wait, clock_monotonic_ns(wait.loop->clock) + (ms < 0 ? 0 : ms) * 1000000);
}

void loop_group_add(struct loop_group *group)
{
	group->pending++;
}

void loop_group_done(struct loop_group *group)
{
	assert(group->pending > 0);
	if (--group->pending == 0 && group->joiner != NULL)
		loop_wake(group->joiner);
}

void loop_group_join(struct loop_group *group)
{
	struct loop_wait wait;

	assert(group->joiner == NULL);
	if (group->pending == 0)
		return;
	loop_wait_init(&wait);
	group->joiner = &wait;
	loop_wait(&wait, INT64_MAX);
	group->joiner = NULL;
}

/* --- timers: a binary heap ------------------------------------------------------------------ */

static void put_timer(struct loop *loop, size_t place, struct loop_timer *timer)
{
	loop->timers[place] = timer;
	timer->place = place;
}

static void sift_up(struct loop *loop, size_t place, struct loop_timer *timer)
{
	while (place > 1 && loop->timers[place / 2]->at_ns > timer->at_ns) {
		put_timer(loop, place, loop->timers[place / 2]);
		place /= 2;
	}
	put_timer(loop, place, timer);
}

static void sift_down(struct loop *loop, size_t place, struct loop_timer *timer)
{
	for (;;) {
		size_t child = place * 2;
		if (child > loop->timer_count)
			break;
		if (child < loop->timer_count &&
		    loop->timers[child + 1]->at_ns < loop->timers[child]->at_ns)
			child++;
		if (loop->timers[child]->at_ns >= timer->at_ns)
			break;
		put_timer(loop, place, loop->timers[child]);
		place = child;
	}
	put_timer(loop, place, timer);
}

void loop_timer_clear(struct loop *loop, struct loop_timer *timer)
{
	size_t place = timer->place;

	if (place == 0)
		return;
	timer->place = 0;
	struct loop_timer *last = loop->timers[loop->timer_count--];
	if (last == timer)
		return;
	if (place > 1 && loop->timers[place / 2]->at_ns > last->at_ns)
		sift_up(loop, place, last);
	else
		sift_down(loop, place, last);
}

void loop_timer_set(struct loop *loop, struct loop_timer *timer, int64_t at_ns)
{
	loop_timer_clear(loop, timer);
	if (loop->timer_count + 1 >= loop->timer_capacity) {
		loop->timer_capacity = loop->timer_capacity == 0 ? 64 : loop->timer_capacity * 2;
		loop->timers = must(
			realloc(loop->timers, loop->timer_capacity * sizeof *loop->timers));
	}
	timer->at_ns = at_ns;
	sift_up(loop, ++loop->timer_count, timer);
}

static void run_timers(struct loop *loop)
{
	/* What a callback sets for now waits for the next turn. */
	for (size_t due = loop->timer_count;
	     due > 0 && loop->timer_count > 0 && loop->timers[1]->at_ns <= loop->now_ns; due--) {
		struct loop_timer *timer = loop->timers[1];
		loop_timer_clear(loop, timer);
		timer->callback(timer);
	}
}

/* --- descriptors and hooks ------------------------------------------------------------------ */

bool loop_watch_add(struct loop *loop, struct loop_watch *watch, uint32_t events,
		    struct error *err)
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
		die("a watched descriptor is not known: %s", strerror(errno));
}

void loop_watch_remove(struct loop *loop, struct loop_watch *watch)
{
	/* A descriptor that was closed has left by itself. */
	epoll_ctl(loop->epoll_fd, EPOLL_CTL_DEL, watch->fd, NULL);
	/* The caller may free it now: an event of this turn must not reach it any more. */
	for (int i = 0; i < loop->event_count; i++)
		if (loop->events[i].data.ptr == watch)
			loop->events[i].data.ptr = NULL;
}

void loop_hook_add(struct loop *loop, struct loop_hook *hook)
{
	hook->next = loop->hooks;
	loop->hooks = hook;
}

void loop_hook_remove(struct loop *loop, struct loop_hook *hook)
{
	struct loop_hook **at = &loop->hooks;

	while (*at != NULL && *at != hook)
		at = &(*at)->next;
	if (*at != NULL)
		*at = hook->next;
}

/* --- turning -------------------------------------------------------------------------------- */

static int shorter(int a, int b)
{
	return a < 0 ? b : b < 0 || a < b ? a : b;
}

/* How long nothing is to be done, in ms; -1: for ever. */
static int time_to_sleep(struct loop *loop)
{
	int sleep_ms = -1;

	for (struct loop_hook *hook = loop->hooks, *next; hook != NULL; hook = next) {
		next = hook->next;
		sleep_ms = shorter(sleep_ms, hook->before_sleep(hook));
	}
	if (loop->ready_count > 0 || loop->is_stopped)
		return 0;
	if (loop->timer_count == 0)
		return sleep_ms;
	int64_t left_ns = loop->timers[1]->at_ns - clock_monotonic_ns(loop->clock);
	int64_t left_ms = left_ns <= 0 ? 0 : (left_ns + 999999) / 1000000;
	return shorter(sleep_ms, left_ms > 60000 ? 60000 : (int)left_ms);
}

static void turn(struct loop *loop, int sleep_max_ms)
{
	struct epoll_event events[EVENTS_PER_TURN];
	int count = epoll_wait(loop->epoll_fd, events, EVENTS_PER_TURN,
			       shorter(time_to_sleep(loop), sleep_max_ms));

	loop->now_ns = clock_monotonic_ns(loop->clock);
	take_handed_in(loop);
	run_timers(loop);
	loop->events = events;
	loop->event_count = count;
	for (int i = 0; i < count; i++) {
		struct loop_watch *watch = events[i].data.ptr;
		if (watch != NULL)
			watch->callback(watch, events[i].events);
	}
	loop->event_count = 0;
	run_ready(loop);
}

void loop_run(struct loop *loop)
{
	struct loop *outer = running;

	running = loop;
	loop->now_ns = clock_monotonic_ns(loop->clock);
	while (!atomic_load(&loop->is_stopped))
		turn(loop, -1);
	atomic_store(&loop->is_stopped, false);
	running = outer;
}

bool loop_drain(struct loop *loop, int64_t timeout_ms)
{
	struct loop *outer = running;
	int64_t end_ns = clock_monotonic_ns(loop->clock) + timeout_ms * 1000000;

	running = loop;
	loop->now_ns = clock_monotonic_ns(loop->clock);
	while (loop->fiber_count > 0 && loop->now_ns < end_ns)
		turn(loop, (int)((end_ns - loop->now_ns) / 1000000 + 1));
	running = outer;
	return loop->fiber_count == 0;
}

void loop_stop(struct loop *loop)
{
	atomic_store(&loop->is_stopped, true);
	ring(loop);
}

/* --- making --------------------------------------------------------------------------------- */

struct loop *loop_create(const struct clock *clock, const struct random *random,
			 struct error *err)
{
	struct loop *loop = must(calloc(1, sizeof *loop));

	loop->clock = clock;
	loop->random = random;
	loop->last_posted = &loop->posted;
	loop->now_ns = clock_monotonic_ns(clock);
	fiber_pool_init(&loop->pool, 0);
	pthread_mutex_init(&loop->lock, NULL);
	loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	loop->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	loop->wake_watch = (struct loop_watch){loop->wake_fd, note_ring, loop};
	if (loop->epoll_fd >= 0 && loop->wake_fd >= 0 &&
	    loop_watch_add(loop, &loop->wake_watch, EPOLLIN, err))
		return loop;
	error_set(err, ERROR_UNAVAILABLE, "the kernel gives no event loop: %s", strerror(errno));
	loop_destroy(loop);
	return NULL;
}

void loop_destroy(struct loop *loop)
{
	if (loop == NULL)
		return;
	assert(loop->fiber_count == 0 && loop->ready_count == 0);
	if (loop->epoll_fd >= 0)
		close(loop->epoll_fd);
	if (loop->wake_fd >= 0)
		close(loop->wake_fd);
	fiber_pool_finish(&loop->pool);
	pthread_mutex_destroy(&loop->lock);
	free(loop->ready);
	free(loop->timers);
	free(loop);
}
