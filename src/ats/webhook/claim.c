/* Which endpoints this node sends to. They are shared out evenly among the nodes that live: each
 * claims what is free up to its share, and gives back what it has beyond, once all that flies has
 * landed and is written down. The first runner looks after that for all of its node. */
#include "ats/webhook/runner.h"
#include "base/log.h"

enum { CLAIMED_AT_ONCE = 5000, LOOK_BYTES_MAX = 16 * 1024 * 1024 };

bool sender_is_ours(const struct runner *runner, const struct sender *sender)
{
	return !sender->is_lost && node_has(runner->webhooks->options.node, sender->term);
}

void sender_lose(struct sender *sender)
{
	sender->is_lost = sender->is_ended = true;
}

/* --- how many --------------------------------------------------------------------------------- */

static bool count(struct runner *runner, struct arena *arena, const struct node_term *term,
		  int64_t *mine, int64_t *share, struct error *err)
{
	const struct webhooks_options *options = &runner->webhooks->options;
	const struct store_value owner = store_text(str_from_c(term->name));
	struct store_rows rows;
	int64_t nodes;

	if (!store_query(options->store, arena,
			 "SELECT count(*), (SELECT count(*) FROM webhook WHERE state = 'active'"
			 " AND owner = ?1) FROM webhook WHERE state = 'active'",
			 &owner, 1, &rows, err) ||
	    !node_count(options->node, &nodes, err))
		return false;
	nodes = nodes < 1 ? 1 : nodes;
	*share = (store_cell(&rows, 0, 0)->integer + nodes - 1) / nodes;
	*mine = store_cell(&rows, 0, 1)->integer;
	return true;
}

static bool claim(struct runner *runner, struct arena *arena, int64_t wanted, struct error *err)
{
	const struct node_claim some = {
		.sql = NODE_CLAIM("webhook", "(environment_id, id)", "environment_id, id",
				  "state = 'active'", "environment_id, id", "id"),
		.rows_max = wanted < CLAIMED_AT_ONCE ? wanted : CLAIMED_AT_ONCE,
	};
	struct node_term term;
	struct store_rows rows;

	if (!node_claim(runner->webhooks->options.node, arena, &some, &term, &rows, err))
		return false;
	if (rows.count > 0)
		webhooks_tell(runner->webhooks);
	return true;
}

static void shed(struct webhooks *webhooks, int64_t surplus)
{
	surplus -= webhooks->leaving;
	webhooks->surplus = surplus > 0 ? surplus : 0;
	if (surplus <= 0)
		return;
	pthread_mutex_lock(&webhooks->lock);
	for (size_t i = 0; i < webhooks->runner_count; i++)
		loop_post(webhooks->runners[i]->loop, runner_poked, webhooks->runners[i]->state);
	pthread_mutex_unlock(&webhooks->lock);
}

bool claims_look(struct runner *runner, struct error *err)
{
	struct webhooks *webhooks = runner->webhooks;
	struct node *node = webhooks->options.node;
	int64_t mine, share;
	struct node_term term;
	struct arena arena;

	node_now(node, &term);
	if (node_is_alone(node) || webhooks->is_ending || !node_has(node, term.number))
		return true;
	arena_init(&arena, LOOK_BYTES_MAX);
	bool ok = count(runner, &arena, &term, &mine, &share, err);
	if (ok)
		shed(webhooks, mine - share);
	ok = ok && (mine >= share || claim(runner, &arena, share - mine, err));
	arena_finish(&arena);
	return ok;
}

/* --- giving back ------------------------------------------------------------------------------ */

void claims_choose(struct runner *runner)
{
	struct webhooks *webhooks = runner->webhooks;

	for (struct sender *sender = runner->senders; sender != NULL && webhooks->surplus > 0;
	     sender = sender->next) {
		if (sender->is_ended || sender->is_leaving)
			continue;
		sender->is_leaving = true;
		webhooks->leaving++;
		webhooks->surplus--;
	}
}

/* Its place goes with it. The fence moves, so that nothing is written late. */
static struct store_statement give_back(struct arena *arena, struct sender *sender, int64_t changes)
{
	const struct store_value values[] = {
		store_text(sender->webhook.environment_id),
		store_text(sender->webhook.id),
		store_int(sender->is_loaded ? queue_seen(&sender->queue) : 0),
		store_int(sender->failing_ms),
		store_int(sender->delivered_ms),
		store_int(sender->webhook.fence),
	};

	return store_keep(arena,
			  "UPDATE webhook SET seen = max(seen, ?3), failing_ms = ?4,"
			  " delivered_ms = ?5, owner = '', fence = fence + 1"
			  " WHERE environment_id = ?1 AND id = ?2 AND fence = ?6",
			  values, sizeof values / sizeof *values, changes);
}

bool sender_leave(struct runner *runner, struct sender *sender)
{
	struct store_statement statement;
	struct error err;
	struct arena arena;

	if (sender->is_ended || sender->flying > 0 || sender->is_being_stored ||
	    sender->queue.dirty.first != NULL)
		return true;
	sender->is_being_given = true;
	arena_init(&arena, LOOK_BYTES_MAX);
	statement = give_back(&arena, sender, 1);
	bool ok = store_write(runner->webhooks->options.store, &statement, 1, &err);
	arena_finish(&arena);
	sender->is_being_given = false;
	if (ok || err.code == ERROR_CONFLICT)
		sender_lose(sender);
	else
		LOG(LOG_WARNING, "webhook_not_given_back", LOG_C(message, err.message));
	return sender->is_lost;
}

void claims_end(struct runner *runner)
{
	struct store_statement *statements;
	size_t senders = 0, given = 0;
	struct error err;
	struct arena arena;

	if (node_is_alone(runner->webhooks->options.node))
		return;
	for (struct sender *sender = runner->senders; sender != NULL; sender = sender->next)
		senders++;
	arena_init(&arena, LOOK_BYTES_MAX);
	statements = arena_array(&arena, senders + 1, sizeof *statements);
	for (struct sender *sender = runner->senders; sender != NULL; sender = sender->next)
		if (sender_is_ours(runner, sender))
			statements[given++] = give_back(&arena, sender, -1);
	if (given > 0 &&
	    !store_write(runner->webhooks->options.store, statements, given, &err))
		LOG(LOG_WARNING, "webhooks_not_given_back", LOG_C(message, err.message));
	arena_finish(&arena);
}
