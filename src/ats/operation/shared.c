#include "ats/operation/shared.h"

enum { ANSWER_BYTES_MAX = 64 * 1024, RETRY_AFTER_MS = 1000 };
/* A granting may be worth less than was foreseen (others have given back, or died): who waits long
 * asks in between. */
static const int64_t ASK_NS_MAX = 1000000000;
/* While there is plenty what has ended is told so late, in parts of the limit's length, and at most
 * so late: as long it counts, and so much may be lost of the window in which that changes. */
enum { REST_PART = 50 };
static const int64_t REST_NS_MAX = 50000000;

static void drop_tokens(struct shared *shared, int64_t most)
{
	if (shared->tokens <= most)
		return;
	shared->granted -= shared->tokens - most;
	shared->tokens = most;
}

/* Under a new name nothing is known of what was told under the old one: what was under way then
 * is told as granted anew. */
static void rename_node(struct shared *shared, int64_t term)
{
	if (shared->term == term)
		return;
	drop_tokens(shared, 0);
	shared->granted -= shared->told_ended;
	shared->ended -= shared->told_ended;
	shared->told_ended = 0;
	shared->told_granted = 0;
	shared->term = term;
}

void shared_begin(struct shared *shared, const struct shared_source *source, int64_t now_ns,
		  struct shared_message *message)
{
	source->now(source->context, &message->term);
	rename_node(shared, message->term.number);
	/* Those of an earlier limiter of this account, which was forgotten, were lower, too. */
	shared->number = now_ns > shared->number ? now_ns : shared->number + 1;
	shared->is_busy = true;
	message->number = shared->number;
	message->granted = shared->granted;
	message->ended = shared->ended;
	shared->used = 0;
}

static void note_plenty(struct shared *shared, const struct shared_message *message,
			const struct shared_answer *answer, int64_t now_ns)
{
	int64_t wanted = message->wanted > 0 ? message->wanted : 0;
	int64_t rest_ns = message->length_us * 1000 / REST_PART;

	shared->ahead = answer->tokens > wanted ? answer->tokens - wanted : 0;
	shared->rest_ns = 0;
	if (shared->ahead > 0)
		shared->rest_ns = now_ns + (rest_ns < REST_NS_MAX ? rest_ns : REST_NS_MAX);
}

void shared_end(struct shared *shared, const struct shared_message *message,
		const struct shared_answer *answer, int64_t now_ns)
{
	shared->is_busy = false;
	if (answer == NULL)
		return;
	int64_t wait_ns = answer->wait_us * 1000;

	shared->told_ended = message->ended;
	shared->told_granted = message->granted + answer->tokens;
	shared->granted += answer->tokens;
	shared->tokens += answer->tokens;
	note_plenty(shared, message, answer, now_ns);
	shared->told_pause_ns = answer->pause_us > 0 ? now_ns + answer->pause_us * 1000 : 0;
	if (message->wanted < 0)
		return;
	shared->is_awaited = message->wanted > 0 && answer->tokens == 0;
	if (message->wanted == 0)
		return;
	shared->due_ns[message->is_background] = now_ns + wait_ns;
	shared->ask_ns[message->is_background] =
		now_ns + (wait_ns < ASK_NS_MAX ? wait_ns : ASK_NS_MAX);
}

bool shared_has_token(struct shared *shared, const struct shared_source *source)
{
	if (shared->tokens > 0 && !source->has(source->context, shared->term))
		drop_tokens(shared, 0);
	return shared->tokens > 0;
}

void shared_take(struct shared *shared, bool is_background)
{
	shared->tokens--;
	shared->used += !is_background;
}

/* One that was let through while nothing was shared is none of those. */
void shared_release(struct shared *shared)
{
	if (shared->granted - shared->tokens > shared->ended)
		shared->ended++;
	/* Whoever waits may ask with the message that tells it. */
	shared->ask_ns[0] = shared->ask_ns[1] = 0;
}

void shared_give_back(struct shared *shared, int64_t waiters)
{
	drop_tokens(shared, waiters + shared->ahead);
}

void shared_give_ahead_back(struct shared *shared)
{
	if (shared->ahead > 0)
		drop_tokens(shared, 0);
	shared->ahead = 0;
}

int64_t shared_due_ns(const struct shared *shared, bool counts_ended, bool is_waited_for)
{
	if (shared->is_awaited && !is_waited_for)
		return 0;
	bool has_news = shared->granted != shared->told_granted ||
			(counts_ended && shared->ended != shared->told_ended) ||
			(shared->ahead > 0 && shared->tokens > 0);
	return has_news ? shared->rest_ns : SHARED_NEVER;
}

/* --- the database ---------------------------------------------------------------------------- */

static void now(void *context, struct node_term *term)
{
	const struct shared_database *database = context;

	node_now(database->node, term);
}

static bool has(void *context, int64_t term)
{
	const struct shared_database *database = context;

	return node_has(database->node, term);
}

static bool read_answer(const struct store_rows *rows, struct shared_answer *answer,
			struct error *err)
{
	*answer = (struct shared_answer){
		.tokens = store_cell(rows, 0, 0)->integer,
		.wait_us = store_cell(rows, 0, 1)->integer,
		.pause_us = store_cell(rows, 0, 2)->integer,
	};
	/* Passed over: a later one was there before. */
	return answer->wait_us >= 0 ||
	       error_set(err, ERROR_INTERNAL, "the rate limit was asked for by an old message");
}

bool shared_ask(struct store *store, const struct shared_message *message,
		struct shared_answer *answer, struct error *err)
{
	const struct store_value values[] = {
		store_text(message->environment_id), store_text(message->account_id),
		store_text(str_from_c(message->term.name)), store_int(message->number),
		store_int(message->granted), store_int(message->ended),
		store_int(message->wanted), store_int(message->is_background),
		store_int(message->share_percent), store_int(message->left),
		store_int(message->spare), store_int(message->requests),
		store_int(message->length_us), store_int(message->is_window),
		store_int(message->concurrent), store_int(message->pause_us),
		store_int(message->ahead),
	};
	const struct store_statement statement = {
		.sql = "SELECT tokens, wait_us, paused_us FROM rate_take(?1, ?2, ?3, ?4, ?5, ?6,"
		       " ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17)",
		.parameters = values,
		.parameter_count = sizeof values / sizeof values[0],
		.changes_expected = -1,
	};
	struct store_rows rows;
	struct arena arena;

	/* Whoever was first tells what all have to tell of the account. */
	struct store_scope before = store_enter(message->environment_id);
	arena_init(&arena, ANSWER_BYTES_MAX);
	bool ok = store_change(store, &arena, &statement, &rows, err) &&
		  read_answer(&rows, answer, err);
	store_leave(&before);
	arena_finish(&arena);
	return ok;
}

static bool ask(void *context, const struct shared_message *message, struct shared_answer *answer,
		struct error *err)
{
	const struct shared_database *database = context;

	if (!node_has(database->node, message->term.number)) {
		error_set(err, ERROR_UNAVAILABLE, "this node's lease in the database has run out");
		err->retry_after_ms = RETRY_AFTER_MS;
		return false;
	}
	if (shared_ask(database->store, message, answer, err))
		return true;
	if (err->code == ERROR_CONFLICT)
		error_set(err, ERROR_NOT_FOUND, "the account is there no more");
	return false;
}

struct shared_source shared_source(struct shared_database *database)
{
	return (struct shared_source){.context = database, .now = now, .has = has, .ask = ask};
}
