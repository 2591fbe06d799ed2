/* Calls: a fiber each, as many at once as the endpoint's pace allows. */
#include <stdlib.h>

#include "ats/webhook/runner.h"
#include "base/log.h"

enum { CALL_BYTES_MAX = 64 * 1024 * 1024, BLOCKED_MS = 5000, HURRY_MS = 20000 };
static const int64_t FAILING_MS_MAX = (int64_t)5 * 24 * 3600 * 1000;

struct call {
	struct runner *runner;
	struct sender *sender;
	struct item *item;
	struct fiber *fiber;
	struct call *next, **link;
};

/* --- one call --------------------------------------------------------------------------------- */

static bool make_body(struct call *call, struct arena *arena, struct str *body, struct error *err)
{
	const struct webhooks_options *options = &call->runner->webhooks->options;
	struct event event;

	*body = str_make(call->item->body, call->item->body_len);
	if (call->item->body != NULL)
		return true;
	if (!event_get(options->store, arena, call->sender->webhook.environment_id,
		       call->item->number, &event, err))
		return false;
	*body = webhook_body(arena, options->model, &call->sender->webhook, &event);
	return true;
}

static char *keep(char *old, struct str text)
{
	free(old);
	return text.len == 0 ? NULL : strndup(text.data, text.len);
}

static struct schedule schedule_of(struct call *call, struct arena *arena)
{
	const struct webhooks_options *options = &call->runner->webhooks->options;
	const struct webhook *webhook = &call->sender->webhook;
	int64_t *delays;

	if (webhook->delay_count == 0)
		return options->delay_count == 0
			       ? schedule_standard
			       : (struct schedule){options->delays_ms, options->delay_count};
	delays = arena_array(arena, webhook->delay_count, sizeof *delays);
	for (size_t i = 0; i < webhook->delay_count; i++)
		delays[i] = webhook->delays_s[i] * 1000;
	return (struct schedule){delays, webhook->delay_count};
}

static void note_failure(struct call *call, struct arena *arena, const struct attempt *attempt,
			 int64_t now_ms)
{
	const struct schedule schedule = schedule_of(call, arena);
	struct item *item = call->item;
	int64_t next_ms = schedule_next_ms(&schedule, item->attempts, item->first_ms, now_ms,
					   call->runner->webhooks->options.random);

	if (call->sender->failing_ms == 0)
		call->sender->failing_ms = now_ms;
	if (attempt->is_gone)
		next_ms = now_ms;
	if (next_ms == 0)
		call->runner->webhooks->counts.given_up++;
	else
		call->runner->webhooks->counts.postponed++;
	if (next_ms == 0) {
		queue_settle(&call->sender->queue, item, false);
		return;
	}
	if (next_ms < now_ms + attempt->retry_after_ms)
		next_ms = now_ms + attempt->retry_after_ms;
	queue_postpone(&call->sender->queue, item, next_ms);
}

/* What the attempt came to: for the log, for the endpoint's pace, for those behind it. */
static void note(struct call *call, struct arena *arena, const struct attempt *attempt,
		 int64_t began_ms)
{
	struct sender *sender = call->sender;
	const struct random *random = call->runner->webhooks->options.random;
	int64_t now_ms = clock_unix_ms(call->runner->webhooks->options.clock);
	struct item *item = call->item;

	item->attempts++;
	item->first_ms = item->first_ms == 0 ? began_ms : item->first_ms;
	item->last_ms = began_ms;
	item->status = attempt->status;
	item->duration_ms = attempt->duration_ms;
	item->error = keep(item->error, attempt->error);
	item->reply = keep(item->reply, attempt->reply);
	if (attempt->is_delivered) {
		sender->failing_ms = 0;
		sender->delivered_ms = now_ms;
		call->runner->webhooks->counts.delivered++;
		queue_settle(&sender->queue, item, true);
	} else {
		note_failure(call, arena, attempt, now_ms);
	}
	/* Heard of again: what waits for hours need not. */
	if (pace_note(&sender->pace, attempt, now_ms, random))
		queue_hurry(&sender->queue, now_ms, now_ms + HURRY_MS, random);
	runner_poke_store(call->runner);
}

static void end_where_due(struct call *call, const struct attempt *attempt)
{
	struct sender *sender = call->sender;
	int64_t now_ms = clock_unix_ms(call->runner->webhooks->options.clock);

	if (attempt->is_gone)
		sender_end(call->runner, sender, "gone", "webhook:gone",
			   STR("it answered 410: it is gone"));
	else if (!attempt->is_delivered && sender->failing_ms > 0 &&
		 now_ms - sender->failing_ms >= FAILING_MS_MAX)
		sender_end(call->runner, sender, "paused", "webhook:paused",
			   STR("nothing but failures for 5 days"));
}

/* It could not be sent, through no fault of the endpoint. */
static void put_back(struct call *call, int64_t now_ms)
{
	struct pace *pace = &call->sender->pace;

	call->sender->blocked_until_ms = now_ms + BLOCKED_MS;
	if (pace->fresh_from_ms == INT64_MAX)
		pace->fresh_from_ms = now_ms;
	queue_put_back(&call->sender->queue, call->item);
}

static void send(struct call *call, struct arena *arena)
{
	struct webhooks *webhooks = call->runner->webhooks;
	struct sender *sender = call->sender;
	int64_t began_ms = clock_unix_ms(webhooks->options.clock);
	struct attempt attempt = {0};
	struct error err;
	struct str body;

	/* Its keys may have been taken away between the start and now. */
	if (sender->key_count == 0) {
		queue_put_back(&sender->queue, call->item);
		return;
	}
	if (!make_body(call, arena, &body, &err)) {
		/* Thrown away meanwhile: there is nothing to be told any more. */
		if (err.code == ERROR_NOT_FOUND) {
			call->item->error = keep(call->item->error, STR("the event is gone"));
			queue_settle(&sender->queue, call->item, false);
			if (sender->pace.fresh_from_ms == INT64_MAX)
				sender->pace.fresh_from_ms = began_ms;
			runner_poke_store(call->runner);
			return;
		}
		put_back(call, began_ms);
		return;
	}
	/* What another may be sending by now. */
	if (!sender_is_ours(call->runner, sender)) {
		queue_put_back(&sender->queue, call->item);
		return;
	}
	attempt_make(webhooks, call->runner->base->client, arena, sender->webhook.target_url,
		     sender->keys, sender->key_count,
		     event_id(arena, sender->webhook.environment_id, call->item->number), body,
		     &attempt);
	/* Broken off because the server ends: how it went is not known. */
	if (!attempt.is_delivered && loop_is_interrupted()) {
		queue_put_back(&sender->queue, call->item);
		return;
	}
	note(call, arena, &attempt, began_ms);
	end_where_due(call, &attempt);
}

static void run(void *context)
{
	struct call *call = context;
	struct runner *runner = call->runner;
	struct arena arena;

	(void)store_enter(call->sender->webhook.environment_id);
	call->fiber = fiber_current();
	arena_init(&arena, CALL_BYTES_MAX);
	if (runner->is_interrupting)
		queue_put_back(&call->sender->queue, call->item);
	else
		send(call, &arena);
	arena_finish(&arena);
	*call->link = call->next;
	if (call->next != NULL)
		call->next->link = call->link;
	call->sender->flying--;
	free(call);
	runner_poke(runner);
}

static void start(struct runner *runner, struct sender *sender, struct item *item)
{
	struct call *call = calloc(1, sizeof *call);

	if (call == NULL)
		die("out of memory");
	*call = (struct call){.runner = runner,
			      .sender = sender,
			      .item = item,
			      .next = runner->calls,
			      .link = &runner->calls};
	if (call->next != NULL)
		call->next->link = &call->next;
	runner->calls = call;
	sender->flying++;
	loop_spawn(runner->base->loop, run, call);
}

void calls_interrupt(struct runner *runner)
{
	runner->is_interrupting = true;
	for (struct call *call = runner->calls; call != NULL; call = call->next)
		if (call->fiber != NULL)
			loop_interrupt(runner->base->loop, call->fiber);
}

/* --- as many as may be ------------------------------------------------------------------------ */

static bool open_keys(struct runner *runner, struct sender *sender, int64_t now_ms,
		      struct error *err)
{
	if (sender->key_count > 0 && now_ms < sender->keys_until_ms)
		return true;
	secret_close_all(sender->keys, sender->key_count);
	return secret_open_all(runner->webhooks, &sender->webhook, now_ms, sender->keys,
			       &sender->key_count, &sender->keys_until_ms, err);
}

static int64_t sooner(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/* When the next may start, as far as the pace tells. */
static int64_t start_some(struct runner *runner, struct sender *sender, int64_t now_ms)
{
	struct pace *pace = &sender->pace;

	if (now_ms < pace->quiet_until_ms)
		return pace->quiet_until_ms;
	while (sender->flying < pace->allowed) {
		struct item *item =
			queue_take(&sender->queue, now_ms >= pace->fresh_from_ms);

		if (item == NULL)
			break;
		/* One that is down is asked by one new message at a time. */
		if (item->attempts == 0 && pace->fresh_from_ms > 0)
			pace->fresh_from_ms = INT64_MAX;
		start(runner, sender, item);
	}
	return sender->queue.fresh_ready.first != NULL && pace->fresh_from_ms > now_ms
		       ? pace->fresh_from_ms
		       : INT64_MAX;
}

static int64_t drive(struct runner *runner, struct sender *sender, int64_t now_ms)
{
	struct error err;
	int64_t due_ms;

	if (sender->is_ended)
		return INT64_MAX;
	if (sender->is_leaving)
		return sender_leave(runner, sender) ? INT64_MAX : now_ms + BLOCKED_MS;
	if (now_ms < sender->blocked_until_ms)
		return sender->blocked_until_ms;
	if (!sender_fill(runner, sender, &err) || !open_keys(runner, sender, now_ms, &err)) {
		LOG(LOG_WARNING, "webhook_blocked", LOG_S(webhook_id, sender->webhook.id),
		    LOG_C(message, err.message));
		sender->blocked_until_ms = now_ms + BLOCKED_MS;
		return sender->blocked_until_ms;
	}
	due_ms = queue_wake(&sender->queue, now_ms);
	due_ms = sooner(due_ms, start_some(runner, sender, now_ms));
	/* Whoever else is there has a turn before the next page. */
	return sender_has_room(sender) && sender->queue.fresh_ready.first == NULL ? now_ms
										     : due_ms;
}

int64_t sender_drive(struct runner *runner, struct sender *sender, int64_t now_ms)
{
	struct store_scope before = store_enter(sender->webhook.environment_id);
	int64_t due_ms = drive(runner, sender, now_ms);

	store_leave(&before);
	return due_ms;
}
