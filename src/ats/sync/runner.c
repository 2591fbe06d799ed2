/* Looks for what is due, and starts it. All runners look at the same rows; who takes a job's claim
 * first has it. */
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

static void start_job(struct look *look, const struct sync_job *job)
{
	struct sync_runner *runner = look->runner;
	struct sync_claim *claim = make_claim(job->id, job->account_id);

	if (!sync_claim_take(runner->syncs, claim, ACCOUNT_RUNS_MAX)) {
		free(claim);
		return;
	}
	runner->active++;
	runner->runs++;
	sync_flight_start(runner, job, claim);
}

static bool look_for_jobs(struct look *look, struct error *err)
{
	const struct syncs *syncs = look->runner->syncs;
	const struct store_value values[] = {store_int(look->now_ms), store_int(ROWS_MAX),
					     store_text(str_from_c(syncs->owner))};
	struct store_rows rows;
	struct sync_job job;

	if (look->runner->runs >= RUNS_MAX)
		return true;
	/* One whose owner is another process was left behind by it: the data folder is ours alone.
	 */
	if (!store_query(syncs->options.store, &look->arena,
			 "SELECT" SYNC_JOB_COLUMNS "FROM sync_job WHERE state = 0 AND next_ms <= ?1"
			 " AND owner <> ?3 ORDER BY next_ms LIMIT ?2",
			 values, 3, &rows, err))
		return false;
	for (size_t i = 0; i < rows.count && look->runner->runs < RUNS_MAX; i++) {
		if (!sync_read_job(&look->arena, &rows, i, &job, err))
			return false;
		start_job(look, &job);
	}
	return true;
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
