/* Looks for what is due, and starts it. All runners of all nodes look at the same rows: a node
 * claims a job in the store, and of its own runners the first to take its claim in memory has
 * it. */
#include "ats/sync/parts.h"

#include <stdlib.h>

#include "base/log.h"

enum {
	LOOK_MS = 1000,
	LOOK_BUSY_MS = 100, /* something is due that could not be begun */
	ROWS_MAX = 64,
	RUNS_MAX = 32,	      /* of a runner at once */
	TASKS_MAX = 40,	      /* with those that follow hints */
	ACCOUNT_RUNS_MAX = 4, /* of an account at once, on all runners */
	LOOK_BYTES_MAX = 8 * 1024 * 1024,
};

struct look {
	struct sync_runner *runner;
	struct arena arena;
	int64_t now_ms;
	bool is_behind;
};

static struct sync_claim *make_claim(struct str key, struct str account_id)
{
	struct sync_claim *claim = calloc(1, sizeof *claim + key.len + account_id.len);
	char *bytes;

	if (claim == NULL)
		die("out of memory for a sync run");
	bytes = (char *)(claim + 1);
	memcpy(bytes, key.data, key.len);
	memcpy(bytes + key.len, account_id.data, account_id.len);
	claim->key = str_make(bytes, key.len);
	claim->account_id = str_make(bytes + key.len, account_id.len);
	return claim;
}

/* --- hints ----------------------------------------------------------------------------------- */

static void start_hints(struct look *look, struct str environment_id, struct str account_id)
{
	struct sync_runner *runner = look->runner;
	struct str key = arena_format(&look->arena, "hints/%.*s", STR_ARGS(account_id));
	struct sync_claim *claim = make_claim(key, account_id);

	if (!sync_claim_take(runner->syncs, claim, SIZE_MAX)) {
		free(claim);
		return;
	}
	runner->active++;
	sync_hints_start(runner, environment_id, account_id, claim);
}

static bool look_for_hints(struct look *look, struct error *err)
{
	const struct store_value values[] = {store_int(look->now_ms)};
	struct store_rows rows;

	if (!store_query(look->runner->syncs->options.store, &look->arena,
			 "SELECT environment_id, account_id, min(next_ms) FROM sync_hint"
			 " WHERE next_ms <= ?1 GROUP BY 1, 2 ORDER BY 3 LIMIT 64",
			 values, 1, &rows, err))
		return false;
	for (size_t i = 0; i < rows.count; i++) {
		if (look->runner->active >= TASKS_MAX) {
			look->is_behind = true;
			break;
		}
		start_hints(look, store_cell(&rows, i, 0)->bytes, store_cell(&rows, i, 1)->bytes);
	}
	return true;
}

/* --- jobs ------------------------------------------------------------------------------------ */

/* Those of which this process may begin a run; with a claim of its own for each. */
struct choice {
	struct sync_claim *claims[RUNS_MAX];
	size_t count;
	struct buffer ids; /* a JSON array */
};

static void choose(struct look *look, struct choice *choice, struct str id, struct str account_id)
{
	struct sync_claim *claim = make_claim(id, account_id);

	if (!sync_claim_take(look->runner->syncs, claim, ACCOUNT_RUNS_MAX)) {
		free(claim);
		return;
	}
	buffer_append_format(&choice->ids, "%s\"%.*s\"", choice->count == 0 ? "[" : ",",
			     STR_ARGS(id));
	choice->claims[choice->count++] = claim;
}

/* Jobs that are due, and that nobody who lives has. */
static bool choose_jobs(struct look *look, struct choice *choice, struct error *err)
{
	const struct sync_runner *runner = look->runner;
	const struct store_value values[] = {store_int(look->now_ms), store_int(ROWS_MAX)};
	struct store_rows rows;

	if (!store_query(runner->syncs->options.store, &look->arena,
			 "SELECT id, account_id FROM sync_job WHERE state = 0 AND next_ms <= ?1"
			 " AND " NODE_IS_FREE("sync_job.owner", "?1") " ORDER BY next_ms LIMIT ?2",
			 values, 2, &rows, err))
		return false;
	buffer_init(&choice->ids, &look->arena, LOOK_BYTES_MAX);
	for (size_t i = 0; i < rows.count && runner->runs + choice->count < RUNS_MAX; i++)
		choose(look, choice, store_cell(&rows, i, 0)->bytes,
		       store_cell(&rows, i, 1)->bytes);
	buffer_append_byte(&choice->ids, ']');
	return true;
}

/* Another node may have been faster. */
static bool claim_jobs(struct look *look, const struct choice *choice, struct node_term *term,
		       struct store_rows *rows, struct error *err)
{
	const struct store_value ids = store_text(buffer_str(&choice->ids));
	const struct node_claim claim = {
		.sql = NODE_CLAIM("sync_job", "id", "id",
				  "state = 0 AND next_ms <= ?3 AND id IN (SELECT value FROM"
				  " json_each(?4))",
				  "next_ms", SYNC_JOB_COLUMNS),
		.rows_max = RUNS_MAX,
		.more = &ids,
		.more_count = 1,
	};

	return node_claim(look->runner->syncs->options.node, &look->arena, &claim, term, rows, err);
}

static struct sync_claim *take_claim(struct choice *choice, struct str id)
{
	for (size_t i = 0; i < choice->count; i++) {
		struct sync_claim *claim = choice->claims[i];

		if (!str_equal(claim->key, id))
			continue;
		choice->claims[i] = choice->claims[--choice->count];
		return claim;
	}
	return NULL;
}

static bool start_jobs(struct look *look, struct choice *choice, struct error *err)
{
	struct sync_runner *runner = look->runner;
	struct node_term term;
	struct store_rows rows;
	struct sync_job job;

	if (!claim_jobs(look, choice, &term, &rows, err))
		return false;
	for (size_t i = 0; i < rows.count; i++) {
		if (!sync_read_job(&look->arena, &rows, i, &job, err))
			return false;
		struct sync_claim *claim = take_claim(choice, job.id);
		claim->term = term.number;
		runner->active++;
		runner->runs++;
		sync_flight_start(runner, &job, claim);
	}
	return true;
}

static bool look_for_jobs(struct look *look, struct error *err)
{
	struct choice choice = {.count = 0};
	bool ok = choose_jobs(look, &choice, err) &&
		  (choice.count == 0 || start_jobs(look, &choice, err));

	for (size_t i = 0; i < choice.count; i++) {
		sync_claim_drop(look->runner->syncs, choice.claims[i]);
		free(choice.claims[i]);
	}
	return ok;
}

/* --- the runner ------------------------------------------------------------------------------ */

static bool look_once(struct sync_runner *runner)
{
	struct look look = {.runner = runner, .now_ms = sync_now_ms(runner->syncs)};
	struct error err;

	arena_init(&look.arena, LOOK_BYTES_MAX);
	if (!look_for_hints(&look, &err) || !look_for_jobs(&look, &err)) {
		LOG(LOG_WARNING, "sync_jobs_not_read", LOG_C(error, error_name(err.code)),
		    LOG_C(message, err.message));
		look.is_behind = false;
	}
	arena_finish(&look.arena);
	return look.is_behind;
}

static void wait_for_work(struct sync_runner *runner, uint64_t rings, int64_t ms)
{
	struct syncs *syncs = runner->syncs;
	struct loop_wait wait;

	loop_wait_init(&wait);
	pthread_mutex_lock(&syncs->lock);
	if (syncs->rings != rings || runner->is_stopping) {
		pthread_mutex_unlock(&syncs->lock);
		return;
	}
	runner->wait = &wait;
	pthread_mutex_unlock(&syncs->lock);
	(void)loop_wait(&wait, loop_now_ns(runner->loop) + ms * 1000000);
	pthread_mutex_lock(&syncs->lock);
	runner->wait = NULL;
	pthread_mutex_unlock(&syncs->lock);
}

static uint64_t count_rings(struct syncs *syncs)
{
	uint64_t rings;

	pthread_mutex_lock(&syncs->lock);
	rings = syncs->rings;
	pthread_mutex_unlock(&syncs->lock);
	return rings;
}

static void run(void *context)
{
	struct sync_runner *runner = context;
	struct syncs *syncs = runner->syncs;

	(void)store_enter_all();
	while (!runner->is_stopping) {
		uint64_t rings = count_rings(syncs);
		bool is_behind = look_once(runner);

		wait_for_work(runner, rings, is_behind ? LOOK_BUSY_MS : LOOK_MS);
	}
	pthread_mutex_lock(&syncs->lock);
	struct sync_runner **at = &syncs->runners;
	while (*at != runner)
		at = &(*at)->next;
	*at = runner->next;
	pthread_mutex_unlock(&syncs->lock);
	runner->active--;
}

void sync_runner_start(struct sync_runner *runner)
{
	struct syncs *syncs = runner->syncs;

	pthread_mutex_lock(&syncs->lock);
	runner->next = syncs->runners;
	syncs->runners = runner;
	pthread_mutex_unlock(&syncs->lock);
	runner->active = 1;
	loop_post(runner->loop, run, runner);
}

void sync_runner_stop(struct sync_runner *runner)
{
	struct syncs *syncs = runner->syncs;

	pthread_mutex_lock(&syncs->lock);
	runner->is_stopping = true;
	if (runner->wait != NULL)
		loop_wake(runner->wait);
	runner->wait = NULL;
	pthread_mutex_unlock(&syncs->lock);
	for (struct sync_task *task = runner->tasks; task != NULL; task = task->next)
		loop_interrupt(runner->loop, task->fiber);
}
