/* Endpoints in memory: which there are, and what they are still to be told. */
#include <stdlib.h>

#include "ats/webhook/runner.h"
#include "base/log.h"

enum {
	ENDPOINTS_BYTES_MAX = 256 * 1024 * 1024,
	PAGE_BYTES_MAX = 256 * 1024 * 1024,
	ITEMS_MAX = 10000,	       /* of one endpoint, in memory */
	LOAD_MAX = 5000,	       /* pending rows read at once */
	WINDOW = 500,		       /* without a row */
	PAGE = 100,		       /* events read at once */
	BODY_BYTES_MAX = 8 * 1024 * 1024, /* waiting to be sent the first time */
	SETTLED_MAX = 100000,
};

/* --- which there are -------------------------------------------------------------------------- */

/* FNV-1a: to share endpoints out evenly. */
static bool is_mine(const struct runner *runner, struct str id)
{
	uint64_t hash = 0xcbf29ce484222325;

	for (size_t i = 0; i < id.len; i++)
		hash = (hash ^ (unsigned char)id.data[i]) * 0x100000001b3;
	hash ^= hash >> 32;
	return hash % runner->base->of == runner->base->index;
}

static bool is_same(const struct webhook *a, const struct webhook *b)
{
	return str_equal(a->environment_id, b->environment_id) && str_equal(a->id, b->id);
}

/* What is read of an endpoint lives as long as it does. */
static bool read_into(struct sender *sender, const struct webhook *like, struct error *err)
{
	struct arena arena;
	struct webhook webhook = *like;

	arena_init(&arena, 1024 * 1024);
	webhook.environment_id = arena_str(&arena, like->environment_id);
	webhook.id = arena_str(&arena, like->id);
	webhook.state = STR("active");
	webhook.reason = (struct str){NULL, 0};
	if (!webhook_config_parse(&arena, webhook_config_text(&arena, like), &webhook, err)) {
		arena_finish(&arena);
		return false;
	}
	arena_finish(&sender->arena);
	sender->arena = arena;
	sender->webhook = webhook;
	return true;
}

static struct sender *make(const struct webhook *like, int64_t term, struct error *err)
{
	struct sender *sender = calloc(1, sizeof *sender);

	if (sender == NULL)
		die("out of memory");
	if (!read_into(sender, like, err)) {
		free(sender);
		return NULL;
	}
	sender->term = term;
	sender->failing_ms = like->failing_ms;
	sender->delivered_ms = like->delivered_ms;
	sender->seen_stored = like->seen;
	sender->newest = INT64_MAX; /* not known: it is looked for */
	pace_init(&sender->pace);
	return sender;
}

void sender_destroy(struct sender *sender)
{
	secret_close_all(sender->keys, sender->key_count);
	queue_finish(&sender->queue);
	free(sender->settled);
	arena_finish(&sender->arena);
	free(sender);
}

static struct sender *find(const struct runner *runner, const struct webhook *webhook)
{
	struct sender *sender = runner->senders;

	while (sender != NULL && !is_same(&sender->webhook, webhook))
		sender = sender->next;
	return sender;
}

/* Its keys are opened anew, and its pending rows looked at. */
static bool renew(struct sender *sender, const struct webhook *like, struct error *err)
{
	if (sender->webhook.version == like->version)
		return true;
	secret_close_all(sender->keys, sender->key_count);
	sender->key_count = 0;
	sender->blocked_until_ms = 0;
	sender->has_more = true;
	sender->loaded_to = 0;
	return read_into(sender, like, err);
}

static bool take(struct runner *runner, const struct webhook *like, int64_t term,
		 struct sender ***end, struct error *err)
{
	struct sender *sender = find(runner, like);

	if (sender != NULL && sender->is_ended) {
		runner->has_heir = true;
		return true;
	}
	if (sender != NULL)
		return renew(sender, like, err);
	sender = make(like, term, err);
	if (sender == NULL)
		return false;
	sender->next = **end;
	**end = sender;
	*end = &sender->next;
	return true;
}

/* As it is now; NULL: it is removed, or another's. */
static const struct webhook *find_listed(const struct webhook *list, size_t count,
					 const struct sender *sender)
{
	for (size_t i = 0; i < count; i++)
		if (is_same(&list[i], &sender->webhook))
			return list[i].fence == sender->webhook.fence ? &list[i] : NULL;
	return NULL;
}

static bool lose_some(struct runner *runner, const struct webhook *list, size_t count)
{
	bool has_lost = false;

	for (struct sender *sender = runner->senders; sender != NULL; sender = sender->next) {
		const struct webhook *now = find_listed(list, count, sender);

		if (now == NULL) {
			has_lost = has_lost || !sender->is_lost;
			sender_lose(sender);
		} else if (!str_equal(now->state, STR("active"))) {
			sender->is_ended = true;
		}
	}
	return has_lost;
}

static bool take_all(struct runner *runner, const struct webhook *list, size_t count, int64_t term,
		     struct error *err)
{
	struct sender **end = &runner->senders;

	runner->has_heir = false;
	lose_some(runner, list, count);
	for (size_t i = 0; i < count; i++)
		if (str_equal(list[i].state, STR("active")) && is_mine(runner, list[i].id) &&
		    !take(runner, &list[i], term, &end, err))
			return false;
	return true;
}

static bool read_ours(struct runner *runner, struct arena *arena, struct webhook **list,
		      size_t *count, int64_t *number, struct error *err)
{
	struct node *node = runner->webhooks->options.node;
	struct node_term term;

	node_now(node, &term);
	*number = term.number;
	return webhook_read_all(runner->webhooks, arena,
				node_is_alone(node) ? STR("") : str_from_c(term.name), list, count,
				err);
}

bool senders_reload(struct runner *runner, struct error *err)
{
	struct webhook *list;
	struct arena arena;
	int64_t term;
	size_t count;

	arena_init(&arena, ENDPOINTS_BYTES_MAX);
	bool ok = read_ours(runner, &arena, &list, &count, &term, err) &&
		  take_all(runner, list, count, term, err);
	arena_finish(&arena);
	return ok;
}

bool senders_verify(struct runner *runner)
{
	struct webhook *list;
	struct arena arena;
	struct error ignored;
	int64_t term;
	size_t count;

	arena_init(&arena, ENDPOINTS_BYTES_MAX);
	bool has_lost = read_ours(runner, &arena, &list, &count, &term, &ignored) &&
			lose_some(runner, list, count);
	arena_finish(&arena);
	return has_lost;
}

void senders_reap(struct runner *runner)
{
	struct sender **at = &runner->senders;

	while (*at != NULL) {
		struct sender *sender = *at;

		if (!sender->is_ended || sender->flying > 0 || sender->is_being_stored ||
		    (!sender->is_lost && sender->queue.dirty.first != NULL)) {
			at = &sender->next;
			continue;
		}
		*at = sender->next;
		runner->webhooks->leaving -= sender->is_leaving;
		sender_destroy(sender);
		if (runner->has_heir)
			runner_told(runner);
	}
}

/* --- news ------------------------------------------------------------------------------------- */

void senders_look(struct runner *runner)
{
	struct str looked_at = {NULL, 0};
	int64_t newest = 0;
	struct arena arena;
	struct error err;

	arena_init(&arena, 1024 * 1024);
	for (struct sender *sender = runner->senders; sender != NULL; sender = sender->next) {
		struct str environment = sender->webhook.environment_id;

		if (!str_equal(environment, looked_at) &&
		    !event_newest(runner->webhooks->options.store, &arena, environment, &newest,
				  &err))
			newest = INT64_MAX;
		looked_at = environment;
		sender->newest = newest;
	}
	arena_finish(&arena);
}

/* --- what is still to be told ----------------------------------------------------------------- */

static bool is_settled(const struct sender *sender, int64_t number)
{
	size_t low = 0, high = sender->settled_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (sender->settled[middle] == number)
			return true;
		if (sender->settled[middle] < number)
			low = middle + 1;
		else
			high = middle;
	}
	return false;
}

/* What was settled out of turn before the start, behind the endpoint's place. */
static bool load_settled(struct runner *runner, struct sender *sender, struct arena *arena,
			 struct error *err)
{
	struct store_value values[] = {
		store_text(sender->webhook.environment_id),
		store_text(sender->webhook.id),
		store_int(sender->webhook.seen),
		store_int(SETTLED_MAX),
	};
	struct store_rows rows;

	if (!store_query(runner->webhooks->options.store, arena,
			 "SELECT number FROM webhook_delivery WHERE environment_id = ?1"
			 " AND webhook_id = ?2 AND number > ?3 AND state <> 'pending'"
			 " ORDER BY number LIMIT ?4",
			 values, 4, &rows, err))
		return false;
	sender->settled = calloc(rows.count + 1, sizeof *sender->settled);
	if (sender->settled == NULL)
		die("out of memory");
	sender->settled_count = rows.count;
	for (size_t i = 0; i < rows.count; i++)
		sender->settled[i] = store_cell(&rows, i, 0)->integer;
	return true;
}

static void add_row(struct sender *sender, const struct store_rows *rows, size_t row)
{
	const struct item like = {
		.number = store_cell(rows, row, 0)->integer,
		.type = store_cell(rows, row, 1)->bytes,
		.account_id = store_cell(rows, row, 2)->bytes,
		.resource = store_cell(rows, row, 3)->bytes,
		.record_id = store_cell(rows, row, 4)->bytes,
		.attempts = store_cell(rows, row, 5)->integer,
		.first_ms = store_cell(rows, row, 6)->integer,
		.last_ms = store_cell(rows, row, 7)->integer,
		.next_ms = store_cell(rows, row, 8)->integer,
	};

	sender->loaded_to = like.number;
	if (queue_find(&sender->queue, like.number) == NULL)
		queue_add(&sender->queue, &like, true, (struct str){NULL, 0});
}

/* The next pending rows, by number. */
static bool load_pending(struct runner *runner, struct sender *sender, struct arena *arena,
			 struct error *err)
{
	struct store_value values[] = {
		store_text(sender->webhook.environment_id),
		store_text(sender->webhook.id),
		store_int(sender->loaded_to),
		store_int(LOAD_MAX),
	};
	struct store_rows rows;

	if (!store_query(runner->webhooks->options.store, arena,
			 "SELECT number, type, account_id, resource, record_id, attempts, first_ms,"
			 " last_ms, next_ms FROM webhook_delivery WHERE environment_id = ?1"
			 " AND webhook_id = ?2 AND number > ?3 AND state = 'pending'"
			 " ORDER BY number LIMIT ?4",
			 values, 4, &rows, err))
		return false;
	for (size_t i = 0; i < rows.count; i++)
		add_row(sender, &rows, i);
	sender->has_more = rows.count == LOAD_MAX;
	return true;
}

static void add_event(struct runner *runner, struct sender *sender, struct arena *arena,
		      const struct event *event)
{
	const struct item like = {
		.number = event->number,
		.type = event->type,
		.account_id = event->account_id,
		.resource = event->resource,
		.record_id = event->record_id,
	};

	if (!is_settled(sender, event->number) &&
	    queue_find(&sender->queue, event->number) == NULL)
		queue_add(&sender->queue, &like, false,
			  webhook_body(arena, runner->webhooks->options.model, &sender->webhook,
				       event));
}

static bool read_events(struct runner *runner, struct sender *sender, struct arena *arena,
			struct error *err)
{
	struct event_query query = {.after = sender->queue.read_to, .limit = PAGE};
	struct event_page page;

	webhook_filter(arena, &sender->webhook, &query);
	if (!event_read(runner->webhooks->options.store, arena, &query, &page, err))
		return false;
	for (size_t i = 0; i < page.count; i++)
		add_event(runner, sender, arena, &page.items[i]);
	sender->queue.read_to = page.seen;
	if (page.is_end)
		sender->newest = page.seen;
	return true;
}

/* Nothing new overtakes what is pending and not in memory. */
bool sender_has_room(const struct sender *sender)
{
	if (sender->has_more)
		return sender->queue.count <= ITEMS_MAX / 2;
	return sender->queue.read_to < sender->newest &&
	       sender->queue.unstored_count + PAGE <= WINDOW &&
	       sender->queue.count < ITEMS_MAX && sender->queue.body_bytes < BODY_BYTES_MAX;
}

static bool load(struct runner *runner, struct sender *sender, struct arena *arena,
		 struct error *err)
{
	if (!sender->is_loaded) {
		if (!load_settled(runner, sender, arena, err))
			return false;
		queue_init(&sender->queue, sender->webhook.seen,
			   runner->webhooks->options.random);
		sender->is_loaded = sender->has_more = true;
	}
	return !sender->has_more || !sender_has_room(sender) ||
	       load_pending(runner, sender, arena, err);
}

bool sender_fill(struct runner *runner, struct sender *sender, struct error *err)
{
	struct arena arena;

	arena_init(&arena, PAGE_BYTES_MAX);
	bool ok = load(runner, sender, &arena, err) &&
		  (sender->has_more || !sender_has_room(sender) ||
		   read_events(runner, sender, &arena, err));
	arena_finish(&arena);
	return ok;
}
