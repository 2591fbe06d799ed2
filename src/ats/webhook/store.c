/* Results are written down in batches, each in one transaction with the places of endpoints. */
#include <stdlib.h>

#include "ats/webhook/runner.h"
#include "base/log.h"

enum {
	ROWS_MAX = 500,	       /* of one batch */
	GATHER_MS = 10,	       /* how long the first result waits for others */
	AGAIN_MS = 1000,       /* after a write that failed */
	PLACE_MS = 2000,       /* a place that moved without a result waits so long at most */
	BATCH_BYTES_MAX = 64 * 1024 * 1024,
};

struct taken {
	struct sender *sender;
	struct item *item;
};
struct batch {
	struct arena arena;
	struct store_statement *statements;
	size_t count;
	struct taken taken[ROWS_MAX];
	size_t taken_count;
};

/* --- rows ------------------------------------------------------------------------------------- */

static void add(struct batch *batch, const char *sql, const struct store_value *values,
		size_t count, int64_t changes)
{
	batch->statements[batch->count++] = store_keep(&batch->arena, sql, values, count, changes);
}

static const char *name_of(enum item_state state)
{
	return state == ITEM_DELIVERED ? "delivered" : state == ITEM_FAILED ? "failed" : "pending";
}

static struct store_value text_of(struct arena *arena, struct str text)
{
	return store_text(arena_str(arena, text));
}

/* An endpoint that was removed meanwhile gets none. */
static void add_row(struct batch *batch, const struct sender *sender, const struct item *item)
{
	struct arena *arena = &batch->arena;
	const struct store_value values[] = {
		text_of(arena, sender->webhook.environment_id),
		text_of(arena, sender->webhook.id),
		store_int(item->number),
		text_of(arena, item->type),
		text_of(arena, item->account_id),
		text_of(arena, item->resource),
		text_of(arena, item->record_id),
		store_text(str_from_c(name_of(item->state))),
		store_int(item->attempts),
		store_int(item->first_ms),
		store_int(item->last_ms),
		store_int(item->next_ms),
		store_int(item->status),
		text_of(arena, str_from_c(item->error)),
		text_of(arena, str_from_c(item->reply)),
		store_int(item->duration_ms),
	};

	add(batch,
	    "INSERT INTO webhook_delivery (environment_id, webhook_id, number, type, account_id,"
	    " resource, record_id, state, attempts, first_ms, last_ms, next_ms, status, error,"
	    " reply, duration_ms) SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13,"
	    " ?14, ?15, ?16 FROM webhook WHERE environment_id = ?1 AND id = ?2"
	    " ON CONFLICT (environment_id, webhook_id, number) DO UPDATE SET state = ?8,"
	    " attempts = ?9, first_ms = ?10, last_ms = ?11, next_ms = ?12, status = ?13,"
	    " error = ?14, reply = ?15, duration_ms = ?16",
	    values, sizeof values / sizeof *values, -1);
}

/* The fence is with it: nothing of the batch is written when the endpoint is another node's. Who is
 * alone has nothing to fear but that it was removed. */
static void add_place(struct runner *runner, struct batch *batch, struct sender *sender)
{
	sender->seen_writing = queue_seen(&sender->queue);
	const struct store_value values[] = {
		text_of(&batch->arena, sender->webhook.environment_id),
		text_of(&batch->arena, sender->webhook.id),
		store_int(sender->seen_writing),
		store_int(sender->failing_ms),
		store_int(sender->delivered_ms),
		store_int(sender->webhook.fence),
	};

	add(batch,
	    "UPDATE webhook SET seen = max(seen, ?3), failing_ms = ?4, delivered_ms = ?5"
	    " WHERE environment_id = ?1 AND id = ?2 AND fence = ?6",
	    values, sizeof values / sizeof *values,
	    node_is_alone(runner->webhooks->options.node) ? -1 : 1);
}

/* --- batches ---------------------------------------------------------------------------------- */

static bool is_place_due(const struct runner *runner, const struct sender *sender, int64_t now_ms)
{
	return sender->is_loaded && queue_seen(&sender->queue) != sender->seen_stored &&
	       (runner->is_stopping || now_ms - sender->stored_ms >= PLACE_MS);
}

static void gather(struct runner *runner, struct batch *batch)
{
	int64_t now_ms = clock_unix_ms(runner->webhooks->options.clock);
	size_t senders = 0;

	for (struct sender *sender = runner->senders; sender != NULL; sender = sender->next)
		senders++;
	batch->statements = arena_array(&batch->arena, ROWS_MAX + senders + 1,
					sizeof *batch->statements);
	for (struct sender *sender = runner->senders; sender != NULL; sender = sender->next) {
		struct item *item;

		if (sender->is_being_given || !sender_is_ours(runner, sender))
			continue;
		bool is_due = is_place_due(runner, sender, now_ms);

		while (batch->taken_count < ROWS_MAX &&
		       (item = queue_take_dirty(&sender->queue)) != NULL) {
			batch->taken[batch->taken_count++] = (struct taken){sender, item};
			add_row(batch, sender, item);
			is_due = true;
		}
		if (!is_due)
			continue;
		sender->is_being_stored = true;
		add_place(runner, batch, sender);
	}
}

static void settle(struct runner *runner, struct batch *batch, bool ok)
{
	int64_t now_ms = clock_unix_ms(runner->webhooks->options.clock);

	for (struct sender *sender = runner->senders; sender != NULL; sender = sender->next) {
		if (!sender->is_being_stored)
			continue;
		sender->is_being_stored = false;
		sender->stored_ms = now_ms;
		if (ok)
			sender->seen_stored = sender->seen_writing;
	}
	for (size_t i = batch->taken_count; i-- > 0;)
		queue_stored(&batch->taken[i].sender->queue, batch->taken[i].item, ok);
}

/* False: there was nothing to be written. */
static bool store_some(struct runner *runner, struct batch *batch, bool *ok)
{
	struct error err;

	*batch = (struct batch){0};
	arena_init(&batch->arena, BATCH_BYTES_MAX);
	gather(runner, batch);
	*ok = batch->count == 0 || store_write(runner->webhooks->options.store, batch->statements,
					       batch->count, &err);
	settle(runner, batch, *ok);
	/* One endpoint that is another's by now keeps nothing of the others from being written. */
	if (!*ok && err.code == ERROR_CONFLICT && senders_verify(runner))
		*ok = runner->is_stale = true;
	if (!*ok)
		LOG(LOG_WARNING, "webhook_results_not_stored", LOG_C(message, err.message));
	bool has_some = batch->count > 0;
	arena_finish(&batch->arena);
	return has_some;
}

static void wait_for_work(struct runner *runner)
{
	struct loop_wait wait;

	if (runner->is_store_poked)
		return;
	loop_wait_init(&wait);
	runner->store_wait = &wait;
	loop_wait(&wait, INT64_MAX);
}

void runner_store(void *state)
{
	struct runner *runner = state;
	struct batch *batch = calloc(1, sizeof *batch);
	bool ok = true;

	if (batch == NULL)
		die("out of memory");
	(void)store_enter_all();
	for (;;) {
		runner->is_store_poked = false;
		bool has_some = store_some(runner, batch, &ok);
		if (has_some)
			runner_poke(runner);
		if (!ok && runner->is_stopping)
			break;
		if (!ok)
			loop_sleep_ms(AGAIN_MS);
		else if (!has_some && runner->is_stopping && !runner->is_driving)
			break;
		else if (!has_some)
			wait_for_work(runner);
		if (!runner->is_stopping)
			loop_sleep_ms(GATHER_MS);
	}
	if (!runner->is_driving)
		claims_end(runner);
	free(batch);
	runner->fibers--;
}

/* --- the end of an endpoint ------------------------------------------------------------------- */

static struct store_statement tell(struct arena *arena, const struct sender *sender,
				   const char *type, struct str reason, int64_t now_ms)
{
	struct json_builder payload;

	json_builder_init(&payload, arena);
	json_builder_set(&payload, STR("id"), json_string(sender->webhook.id));
	json_builder_set(&payload, STR("reason"), json_string(reason));
	json_builder_set(&payload, STR("failing_since"),
			 sender->failing_ms == 0
				 ? json_null()
				 : json_string(clock_format_ms(arena, sender->failing_ms)));
	const struct event_new event = {
		.environment_id = sender->webhook.environment_id,
		.type = str_from_c(type),
		.payload = json_text(arena, json_builder_object(&payload)),
		.created_ms = now_ms,
	};
	return event_statement(arena, &event);
}

void sender_end(struct runner *runner, struct sender *sender, const char *state,
		const char *event, struct str reason)
{
	int64_t now_ms = clock_unix_ms(runner->webhooks->options.clock);
	struct store_statement statements[2];
	struct error err;
	struct arena arena;

	if (sender->is_ended || !sender_is_ours(runner, sender))
		return;
	sender->is_ended = true;
	LOG(LOG_WARNING, "webhook_ended", LOG_S(webhook_id, sender->webhook.id), LOG_C(state, state));
	struct store_value values[] = {
		store_text(sender->webhook.environment_id), store_text(sender->webhook.id),
		store_text(str_from_c(state)),		    store_text(reason),
		store_int(now_ms),
		store_int(sender->webhook.fence),
	};
	arena_init(&arena, 1024 * 1024);
	statements[0] = (struct store_statement){
		.sql = "UPDATE webhook SET state = ?3, reason = ?4, updated_ms = ?5,"
		       " version = version + 1 WHERE environment_id = ?1 AND id = ?2"
		       " AND state = 'active' AND fence = ?6",
		.parameters = values,
		.parameter_count = 6,
		.changes_expected = 1,
	};
	statements[1] = tell(&arena, sender, event, reason, now_ms);
	/* Lost to somebody who has paused it meanwhile, or to a disk that is full: the endpoints
	 * are read again, and what was not written down is found out anew. */
	if (!store_write(runner->webhooks->options.store, statements, 2, &err))
		LOG(LOG_WARNING, "webhook_end_not_stored", LOG_C(message, err.message));
	arena_finish(&arena);
	webhooks_tell(runner->webhooks);
}
