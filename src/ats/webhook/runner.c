/* A worker's endpoints: one fiber drives them, one writes results down, one hears the bell. */
#include <assert.h>
#include <stdlib.h>

#include "ats/webhook/runner.h"
#include "base/log.h"

enum { AGAIN_MS = 1000, PLACES_MS = 2000, LOOK_MS = 2000, GRACE_MS = 1000, GRACE_STEP_MS = 10 };

/* --- waking ----------------------------------------------------------------------------------- */

static void wake(struct loop_wait **wait)
{
	struct loop_wait *woken = *wait;

	*wait = NULL;
	if (woken != NULL)
		loop_wake(woken);
}

void runner_poke(struct runner *runner)
{
	runner->is_poked = true;
	wake(&runner->wait);
}

void runner_poke_store(struct runner *runner)
{
	runner->is_store_poked = true;
	wake(&runner->store_wait);
}

void runner_poked(void *state)
{
	runner_poke(state);
}

void runner_told(void *state)
{
	struct runner *runner = state;

	runner->is_stale = true;
	runner_poke(runner);
}

static void listen_for_news(void *state)
{
	struct runner *runner = state;
	struct event_bell *bell = runner->webhooks->options.bell;
	uint64_t count = event_bell_count(bell);

	runner->listener = fiber_current();
	while (!runner->is_stopping) {
		if (event_bell_wait(bell, count, LOOP_UNTIL_INTERRUPTED))
			count = event_bell_count(bell);
		runner->has_news = true;
		runner_poke(runner);
	}
	runner->listener = NULL;
	runner->fibers--;
	runner_poke(runner);
}

/* --- driving ---------------------------------------------------------------------------------- */

static bool has_places(const struct runner *runner)
{
	for (struct sender *sender = runner->senders; sender != NULL; sender = sender->next)
		if (!sender->is_lost && sender->is_loaded &&
		    queue_seen(&sender->queue) != sender->seen_stored)
			return true;
	return false;
}

/* Of several nodes each asks now and then what it has. */
static int64_t look_after_claims(struct runner *runner, int64_t now_ms)
{
	bool is_first = runner->base->index == 0;
	struct error err;

	if (node_is_alone(runner->webhooks->options.node))
		return INT64_MAX;
	if (is_first && (runner->is_stale || now_ms - runner->looked_ms >= LOOK_MS)) {
		runner->looked_ms = now_ms;
		if (!claims_look(runner, &err))
			LOG(LOG_WARNING, "webhooks_not_claimed", LOG_C(message, err.message));
	}
	for (struct sender *sender = runner->senders; sender != NULL; sender = sender->next)
		if (!sender_is_ours(runner, sender))
			sender_lose(sender);
	claims_choose(runner);
	return now_ms + LOOK_MS;
}

/* When it is to be looked again. */
static int64_t turn(struct runner *runner, int64_t now_ms)
{
	int64_t due_ms = look_after_claims(runner, now_ms), one_ms;
	struct error err;

	if (runner->is_stale) {
		runner->is_stale = false;
		if (!senders_reload(runner, &err)) {
			LOG(LOG_WARNING, "webhooks_not_read", LOG_C(message, err.message));
			runner->is_stale = true;
			due_ms = now_ms + AGAIN_MS;
		}
		runner->has_news = true;
	}
	if (runner->has_news) {
		runner->has_news = false;
		senders_look(runner);
	}
	for (struct sender *sender = runner->senders; sender != NULL; sender = sender->next) {
		one_ms = sender_drive(runner, sender, now_ms);
		due_ms = one_ms < due_ms ? one_ms : due_ms;
	}
	if (has_places(runner)) {
		runner_poke_store(runner);
		due_ms = due_ms < now_ms + PLACES_MS ? due_ms : now_ms + PLACES_MS;
	}
	senders_reap(runner);
	return due_ms;
}

static void wait_until(struct runner *runner, int64_t due_ms)
{
	const struct clock *clock = runner->webhooks->options.clock;
	int64_t left_ms = due_ms == INT64_MAX ? INT64_MAX : due_ms - clock_unix_ms(clock);
	struct loop_wait wait;

	if (runner->is_poked || left_ms <= 0) {
		loop_sleep_ms(0);
		return;
	}
	loop_wait_init(&wait);
	runner->wait = &wait;
	loop_wait(&wait, left_ms > INT64_MAX / 2000000
				 ? INT64_MAX
				 : clock_monotonic_ns(clock) + left_ms * 1000000);
	runner->wait = NULL;
}

static void drive(void *state)
{
	struct runner *runner = state;

	(void)store_enter_all();
	while (!runner->is_stopping || runner->calls != NULL || runner->listener != NULL) {
		int64_t due_ms = INT64_MAX;

		runner->is_poked = false;
		if (!runner->is_stopping)
			due_ms = turn(runner, clock_unix_ms(runner->webhooks->options.clock));
		wait_until(runner, due_ms);
	}
	runner->is_driving = false;
	runner->fibers--;
	runner_poke_store(runner);
}

/* --- life ------------------------------------------------------------------------------------- */

void webhook_runner_start(struct webhook_runner *base)
{
	struct webhooks *webhooks = base->webhooks;
	struct runner *runner = calloc(1, sizeof *runner);

	if (runner == NULL)
		die("out of memory");
	*runner = (struct runner){.base = base,
				  .webhooks = webhooks,
				  .is_stale = true,
				  .is_driving = true,
				  .fibers = 3};
	base->state = runner;
	loop_post(base->loop, listen_for_news, runner);
	loop_post(base->loop, runner_store, runner);
	loop_post(base->loop, drive, runner);
	pthread_mutex_lock(&webhooks->lock);
	assert(webhooks->runner_count < RUNNERS_MAX);
	webhooks->runners[webhooks->runner_count++] = base;
	pthread_mutex_unlock(&webhooks->lock);
}

static void forget(struct webhooks *webhooks, const struct webhook_runner *base)
{
	pthread_mutex_lock(&webhooks->lock);
	for (size_t i = 0; i < webhooks->runner_count; i++)
		if (webhooks->runners[i] == base)
			webhooks->runners[i--] = webhooks->runners[--webhooks->runner_count];
	pthread_mutex_unlock(&webhooks->lock);
}

/* Calls that are nearly through get their answers; the others are made again at the next start. */
static void end_calls(void *state)
{
	struct runner *runner = state;

	for (int64_t left = GRACE_MS; runner->calls != NULL && left > 0; left -= GRACE_STEP_MS)
		loop_sleep_ms(GRACE_STEP_MS);
	calls_interrupt(runner);
	runner->fibers--;
}

void webhook_runner_stop(struct webhook_runner *base)
{
	struct runner *runner = base->state;

	if (runner == NULL || runner->is_stopping)
		return;
	forget(base->webhooks, base);
	base->webhooks->is_ending = true;
	runner->is_stopping = true;
	if (runner->listener != NULL)
		loop_interrupt(base->loop, runner->listener);
	runner->fibers++;
	loop_spawn(base->loop, end_calls, runner);
	runner_poke(runner);
	runner_poke_store(runner);
}

size_t webhook_runner_active(const struct webhook_runner *base)
{
	const struct runner *runner = base->state;

	return runner == NULL ? 0 : runner->fibers;
}

void webhook_runner_finish(struct webhook_runner *base)
{
	struct runner *runner = base->state;

	if (runner == NULL)
		return;
	forget(base->webhooks, base);
	while (runner->senders != NULL) {
		struct sender *next = runner->senders->next;

		sender_destroy(runner->senders);
		runner->senders = next;
	}
	free(runner);
	base->state = NULL;
}
