/* Waits, and what other threads hand in. A wait's state says who has the right to resume its
 * fiber: whoever moves it away from WAITING, the waker or the deadline, and nobody else. After
 * that step the other side does not touch the wait any more, which lies on a fiber's stack. */
#include <assert.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "io/loop/state.h"

enum wait_state { WAIT_NEW, WAIT_WAITING, WAIT_WOKEN, WAIT_OVERDUE };

void inbox_init(struct inbox *inbox)
{
	*inbox = (struct inbox){0};
	inbox->waits_end = &inbox->waits;
	inbox->posts_end = &inbox->posts;
	pthread_mutex_init(&inbox->lock, NULL);
}

void inbox_finish(struct inbox *inbox)
{
	/* A waker may still be about to let go of the lock. */
	pthread_mutex_lock(&inbox->lock);
	assert(inbox->waits == NULL);
	for (struct loop_post *post = inbox->posts, *next; post != NULL; post = next) {
		next = post->next;
		free(post);
	}
	pthread_mutex_unlock(&inbox->lock);
	pthread_mutex_destroy(&inbox->lock);
}

static void ring(struct loop *loop)
{
	uint64_t one = 1;

	/* EAGAIN: the counter is full, so the loop has been rung often enough. */
	while (write(loop->event_fd, &one, sizeof one) < 0 && errno == EINTR)
		continue;
}

void inbox_quiet(struct loop *loop)
{
	uint64_t count;

	while (read(loop->event_fd, &count, sizeof count) < 0 && errno == EINTR)
		continue;
}

/* With the lock held. One ring is enough for a sleeping loop. */
static void rouse(struct loop *loop)
{
	if (loop->inbox.is_asleep)
		ring(loop);
	loop->inbox.is_asleep = false;
}

void loop_stop(struct loop *loop)
{
	int saved = errno;

	atomic_store(&loop->is_stopping, true);
	ring(loop);
	errno = saved;
}

bool inbox_has_any(struct loop *loop)
{
	struct inbox *inbox = &loop->inbox;

	pthread_mutex_lock(&inbox->lock);
	bool has_any = inbox->waits != NULL || inbox->posts != NULL;
	pthread_mutex_unlock(&inbox->lock);
	return has_any;
}

bool inbox_fall_asleep(struct loop *loop)
{
	struct inbox *inbox = &loop->inbox;

	pthread_mutex_lock(&inbox->lock);
	inbox->is_asleep = inbox->waits == NULL && inbox->posts == NULL;
	bool is_asleep = inbox->is_asleep;
	pthread_mutex_unlock(&inbox->lock);
	return is_asleep;
}

void inbox_take(struct loop *loop)
{
	struct inbox *inbox = &loop->inbox;

	pthread_mutex_lock(&inbox->lock);
	struct loop_wait *waits = inbox->waits;
	struct loop_post *posts = inbox->posts;
	inbox->waits = NULL;
	inbox->waits_end = &inbox->waits;
	inbox->posts = NULL;
	inbox->posts_end = &inbox->posts;
	inbox->is_asleep = false;
	pthread_mutex_unlock(&inbox->lock);

	for (; waits != NULL; waits = waits->next)
		run_queue_resume(&loop->runnable, waits->fiber);
	for (struct loop_post *next; posts != NULL; posts = next) {
		next = posts->next;
		loop_spawn(loop, posts->function, posts->context);
		free(posts);
	}
}

void loop_post(struct loop *loop, fiber_function *function, void *context)
{
	struct inbox *inbox = &loop->inbox;
	struct loop_post *post = malloc(sizeof *post);

	if (post == NULL)
		die("out of memory for a post");
	*post = (struct loop_post){function, context, NULL};
	pthread_mutex_lock(&inbox->lock);
	*inbox->posts_end = post;
	inbox->posts_end = &post->next;
	rouse(loop);
	pthread_mutex_unlock(&inbox->lock);
}

void loop_wait_init(struct loop_wait *wait)
{
	assert(loop_current() != NULL && fiber_current() != NULL);
	wait->loop = loop_current();
	wait->fiber = fiber_current();
	wait->next = NULL;
	atomic_init(&wait->state, WAIT_NEW);
}

/* On the loop's own thread. */
static void end_early(struct loop_wait *wait)
{
	int expected = WAIT_WAITING;

	/* When a waker was first, its wake-up is on the way and resumes the fiber. */
	if (atomic_compare_exchange_strong(&wait->state, &expected, WAIT_OVERDUE))
		run_queue_resume(&wait->loop->runnable, wait->fiber);
}

static void overdue(struct loop_timer *timer)
{
	end_early(timer->context);
}

bool loop_wait(struct loop_wait *wait, int64_t deadline_ns)
{
	struct loop_timer timer = {.callback = overdue, .context = wait};
	struct life *life = life_of(wait->fiber);
	bool has_end = deadline_ns != INT64_MAX;
	int expected = WAIT_NEW;

	assert(wait->fiber == fiber_current());
	if (!atomic_compare_exchange_strong(&wait->state, &expected, WAIT_WAITING)) {
		assert(expected == WAIT_WOKEN);
		return true;
	}
	if (deadline_ns < LOOP_UNTIL_INTERRUPTED)
		loop_timer_set(wait->loop, &timer, deadline_ns);
	/* Others have their turn even so: who waits in a circle must not hold the loop. */
	if (has_end && life->is_interrupted)
		end_early(wait);
	life->wait = has_end ? wait : NULL;
	fiber_yield();
	life->wait = NULL;
	loop_timer_clear(wait->loop, &timer);
	return atomic_load(&wait->state) == WAIT_WOKEN;
}

static void hand_in(struct loop *loop, struct loop_wait *wait)
{
	struct inbox *inbox = &loop->inbox;

	pthread_mutex_lock(&inbox->lock);
	wait->next = NULL;
	*inbox->waits_end = wait;
	inbox->waits_end = &wait->next;
	rouse(loop);
	pthread_mutex_unlock(&inbox->lock);
}

void loop_wake(struct loop_wait *wait)
{
	struct loop *loop = wait->loop;
	int before = atomic_load(&wait->state);

	/* An overdue wait stays so: its fiber is already on its way. */
	do {
		assert(before != WAIT_WOKEN);
		if (before == WAIT_OVERDUE)
			return;
	} while (!atomic_compare_exchange_weak(&wait->state, &before, WAIT_WOKEN));
	if (before == WAIT_NEW)
		return;
	if (loop == loop_current())
		run_queue_resume(&loop->runnable, wait->fiber);
	else
		hand_in(loop, wait);
}

void loop_sleep_ms(int64_t ms)
{
	struct loop_wait wait;

	loop_wait_init(&wait);
	loop_wait(&wait, clock_monotonic_ns(wait.loop->clock) + ms * 1000000);
}

/* --- interruptions ------------------------------------------------------------------------- */

static void interrupt(struct life *life);

static void interrupt_members(struct loop_group *group)
{
	group->is_interrupted = true;
	for (struct life *member = group->members; member != NULL; member = member->next)
		interrupt(member);
}

static void interrupt(struct life *life)
{
	if (life->is_interrupted)
		return;
	life->is_interrupted = true;
	if (life->wait != NULL)
		end_early(life->wait);
	if (life->joins != NULL)
		interrupt_members(life->joins);
}

void loop_interrupt(struct loop *loop, struct fiber *fiber)
{
	assert(loop_current() == loop);
	(void)loop;
	interrupt(life_of(fiber));
}

bool loop_is_interrupted(void)
{
	struct fiber *fiber = fiber_current();

	return fiber != NULL && life_of(fiber)->is_interrupted;
}

/* --- groups -------------------------------------------------------------------------------- */

void *loop_context(void)
{
	struct fiber *fiber = fiber_current();

	return fiber == NULL ? NULL : life_of(fiber)->context;
}

void loop_set_context(void *context)
{
	struct fiber *fiber = fiber_current();

	if (fiber != NULL)
		life_of(fiber)->context = context;
}

char *loop_scope(void)
{
	static _Thread_local char of_thread[LOOP_SCOPE_BYTES];
	struct fiber *fiber = fiber_current();

	return fiber == NULL ? of_thread : life_of(fiber)->scope;
}

void life_enter(struct loop_group *group, struct fiber *fiber)
{
	struct life *life = life_of(fiber);

	life->is_interrupted = group->is_interrupted;
	life->context = group->context;
	memcpy(life->scope, group->scope, sizeof life->scope);
	life->group = group;
	life->next = group->members;
	life->link = &group->members;
	if (life->next != NULL)
		life->next->link = &life->next;
	group->members = life;
}

void life_leave(struct loop_group *group)
{
	struct fiber *fiber = fiber_current();
	struct life *life = fiber == NULL ? NULL : life_of(fiber);

	if (life == NULL || life->group != group)
		return;
	*life->link = life->next;
	if (life->next != NULL)
		life->next->link = life->link;
	life->group = NULL;
}

void loop_group_add(struct loop_group *group)
{
	group->pending++;
}

void loop_group_done(struct loop_group *group)
{
	assert(group->pending > 0);
	life_leave(group);
	if (--group->pending == 0 && group->joiner != NULL)
		loop_wake(group->joiner);
}

void loop_group_join(struct loop_group *group)
{
	struct life *life = life_of(fiber_current());
	struct loop_wait wait;

	assert(group->joiner == NULL);
	if (group->pending == 0)
		return;
	loop_wait_init(&wait);
	group->joiner = &wait;
	life->joins = group;
	if (life->is_interrupted)
		interrupt_members(group);
	loop_wait(&wait, INT64_MAX);
	life->joins = NULL;
	group->joiner = NULL;
}
