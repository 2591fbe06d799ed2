/* A run from its beginning to its end. */
#include "ats/sync/flight.h"

#include <stdlib.h>

#include "base/log.h"

enum {
	WAITING_MS = 15000,	    /* an account that needs its owner is looked at again */
	PARENT_MS = 3000,	    /* a parent that is not there yet, too */
	OVERLAP_MS = 60000,	    /* asked for again by the next incremental run */
	FIRST_OVERLAP_MS = 3600000, /* by the first one, which has only this clock to go by */
	BACKOFF_MAX_MS = 3600000,
	FULL_FACTOR = 4, /* how long a sweep took, so often it is left alone */
	END_PAUSE_MS = 1000,
	TEXTS_MIN = 200, /* changed by the run: fewer are left to the first search */
	TEXTS_AT_ONCE = 50,
};

/* --- beginning ------------------------------------------------------------------------------- */

/* No run: later. */
static void postpone(struct sync_flight *flight, int64_t ms)
{
	flight->later_ms = sync_now_ms(flight->syncs) + ms;
}

/* Whose credential works. */
static bool find_account(struct sync_flight *flight)
{
	struct error err;
	int64_t opens_ms, now_ms = sync_now_ms(flight->syncs);

	if (!account_find(flight->syncs->options.accounts, &flight->arena,
			  flight->job.environment_id, flight->job.account_id, &flight->account,
			  &err)) {
		postpone(flight, WAITING_MS);
		return false;
	}
	if (!sync_window_is_open(&flight->job.window, now_ms, &opens_ms)) {
		postpone(flight, opens_ms - now_ms);
		return false;
	}
	if (flight->account.status == ACCOUNT_ACTIVE ||
	    flight->account.status == ACCOUNT_POST_INSTALL_ERROR)
		return true;
	postpone(flight, WAITING_MS);
	return false;
}

/* A list under each record of another resource: that one's copy must be there first. */
static bool find_parent(struct sync_flight *flight, bool *is_ready)
{
	const struct str parent = flight->resource->sync.parent;
	const struct copy_place place = {flight->job.environment_id, flight->job.account_id,
					 parent};
	const struct sync_query query = {.environment_id = flight->job.environment_id,
					 .account_id = flight->job.account_id,
					 .resource = parent,
					 .limit = 1};
	struct copy_state state;
	struct sync_job *jobs;
	size_t count;

	*is_ready = true;
	if (parent.len == 0)
		return true;
	if (!copy_read_state(flight->syncs->options.copies, &flight->arena, &place, &state,
			     &flight->err) ||
	    !sync_job_list(flight->syncs, &flight->arena, &query, &jobs, &count, &flight->err))
		return false;
	*is_ready = state.whole_ms > 0;
	if (*is_ready || count > 0)
		return true;
	flight->reason = "parent_missing";
	return error_set_field(
		&flight->err, ERROR_NOT_FOUND, "resource", NULL,
		"%.*s are listed under each of the %.*s, for which the account has no "
		"sync job",
		STR_ARGS(flight->job.resource), STR_ARGS(parent));
}

static bool is_full_due(const struct sync_flight *flight, int64_t now_ms)
{
	const struct sync_job *job = &flight->job;
	bool by_creation;
	bool can_ask = flight->resource->sync.each.len > 0 ||
		       sync_find_since(flight->resource, &by_creation) != NULL;

	return (job->wishes & SYNC_WISH_FULL) != 0 || job->mode == SYNC_FULL || !can_ask ||
	       flight->before.whole_ms == 0 || job->since_ms == 0 ||
	       (job->mode == SYNC_AUTO && now_ms >= job->full_ms);
}

static void set_since(struct sync_flight *flight)
{
	const struct model_filter *filter =
		sync_find_since(flight->resource, &flight->is_by_creation);

	flight->mark_ms = flight->job.mark_ms;
	if (filter == NULL || flight->run.is_full || flight->resource->sync.each.len > 0)
		return;
	flight->since_name = filter->name;
	flight->since = clock_format_ms(&flight->arena, flight->job.since_ms);
}

/* The run that was left where it was; false: there is none. */
static bool find_left(struct sync_flight *flight)
{
	struct sync_run *run = &flight->run;
	struct json place;
	struct error err;

	if (flight->job.run_number == 0 ||
	    !sync_find_run(flight->syncs, &flight->arena, &flight->job, flight->job.run_number, run,
			   &err) ||
	    run->ended_ms != 0)
		return false;
	flight->is_resumed =
		json_parse(&flight->arena, run->place, &json_limits_default, &place, &err) &&
		whereabouts_read(place, &flight->at) &&
		shares_read(&flight->arena, run->shares, &flight->shares) &&
		seen_load(flight->syncs, &flight->arena, &flight->job, &flight->seen, &err);
	return flight->is_resumed;
}

static void make_run(struct sync_flight *flight)
{
	int64_t now_ms = sync_now_ms(flight->syncs);

	seen_finish(&flight->seen);
	flight->at = (struct whereabouts){0};
	flight->shares = (struct shares){0};
	flight->run = (struct sync_run){
		.id = id_make(flight->syncs->options.accounts, &flight->arena, "run_"),
		.environment_id = flight->job.environment_id,
		.job_id = flight->job.id,
		.number = flight->job.run_number + 1,
		.is_full = is_full_due(flight, now_ms),
		.is_asked = (flight->job.wishes & SYNC_WISH_RUN) != 0,
		.allows_deletions = (flight->job.wishes & SYNC_WISH_DELETIONS) != 0,
		.started_ms = now_ms,
		.expected = flight->before.record_count,
	};
}

static struct store_statement begin_job(struct sync_flight *flight)
{
	const struct store_value values[] = {
		store_text(flight->job.id),
		store_int(flight->job.fence),
		store_int(flight->run.number),
		store_int(flight->is_resumed),
		store_int((int64_t)flight->job.wishes),
		store_text(flight->job.environment_id),
	};

	return store_keep(&flight->arena,
			  "UPDATE sync_job SET run_number = ?3,"
			  " wishes = CASE ?4 WHEN 1 THEN wishes ELSE wishes & ~?5 END"
			  " WHERE environment_id = ?6 AND id = ?1 AND fence = ?2 AND state = 0",
			  values, 6, 1);
}

static struct store_statement begin_run(struct sync_flight *flight)
{
	const struct sync_run *run = &flight->run;
	const struct store_value values[] = {
		store_text(run->job_id),    store_int(run->number),
		store_text(run->id),	    store_text(run->environment_id),
		store_int(run->fence),	    store_int(run->is_full),
		store_int(run->is_asked),   store_int(run->allows_deletions),
		store_int(run->started_ms), store_int(run->expected),
		store_text(run->place),
	};

	/* From where it was read: who had it may have gone on since. */
	if (flight->is_resumed)
		return store_keep(
			&flight->arena,
			"UPDATE sync_run SET fence = ?5, status = 'running'"
			" WHERE environment_id = ?4 AND job_id = ?1 AND number = ?2 AND id = ?3"
			" AND ended_ms = 0 AND place = ?11",
			values, 11, 1);
	return store_keep(
		&flight->arena,
		"INSERT INTO sync_run (job_id, number, id, environment_id, fence, is_full,"
		" is_asked, allows_deletions, status, started_ms, ended_ms, place, shares,"
		" expected, records, created, updated, deleted, unchanged, calls, retries,"
		" wait_ms, error) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, 'running', ?9, 0,"
		" '{}', '', ?10, 0, 0, 0, 0, 0, 0, 0, 0, '')",
		values, 10, 1);
}

static struct store_statement tell(struct sync_flight *flight, struct arena *arena, struct str type)
{
	struct json run = sync_run_json(flight->syncs, arena, &flight->run);
	struct json_builder payload;

	json_builder_init(&payload, arena);
	for (size_t i = 0; i < run.count; i++)
		json_builder_set(&payload, json_name(&run.members[i]), run.members[i].value);
	json_builder_set(&payload, STR("resource"), json_string(flight->job.resource));
	return event_statement(arena,
			       &(struct event_new){
				       .environment_id = flight->job.environment_id,
				       .account_id = flight->job.account_id,
				       .type = type,
				       .payload = json_text(arena, json_builder_object(&payload)),
				       .created_ms = sync_now_ms(flight->syncs),
			       });
}

/* One that somebody waits for, in the way of the first load. */
static bool is_notable(const struct sync_flight *flight)
{
	return flight->run.is_asked || flight->before.whole_ms == 0;
}

/* One that cannot be gone on with, as its row is not to be read: nobody writes to it any more. */
static struct store_statement give_up_left(struct sync_flight *flight)
{
	const struct store_value values[] = {store_text(flight->job.id),
					     store_int(flight->run.number),
					     store_int(flight->run.started_ms),
					     store_text(flight->job.environment_id)};

	return store_keep(&flight->arena,
			  "UPDATE sync_run SET status = 'stopped', ended_ms = ?3"
			  " WHERE environment_id = ?4 AND job_id = ?1 AND number < ?2"
			  " AND ended_ms = 0",
			  values, 4, -1);
}

static struct store_statement forget_seen(struct sync_flight *flight, struct arena *arena)
{
	const struct store_value values[] = {store_text(flight->job.environment_id),
					     store_text(flight->job.id)};

	return store_keep(arena, "DELETE FROM sync_seen WHERE environment_id = ?1 AND job_id = ?2",
			  values, 2, -1);
}

static bool write_begin(struct sync_flight *flight)
{
	struct store_statement statements[5];
	size_t count = 0;

	flight->run.fence = flight->job.fence;
	flight->run.status = STR("running");
	statements[count++] = begin_job(flight);
	statements[count++] = begin_run(flight);
	if (!flight->is_resumed) {
		statements[count++] = forget_seen(flight, &flight->arena);
		statements[count++] = give_up_left(flight);
	}
	if (!flight->is_resumed && is_notable(flight))
		statements[count++] = tell(flight, &flight->arena, STR("sync_job_run:started"));
	if (!store_write(flight->syncs->options.store, statements, count, &flight->err))
		return false;
	flight->told_ms = sync_now_ms(flight->syncs);
	return true;
}

/* False: there is no run. Else *ok tells whether it can go on. */
static bool begin(struct sync_flight *flight, bool *ok)
{
	bool is_ready = true;

	flight->place = (struct copy_place){flight->job.environment_id, flight->job.account_id,
					    flight->job.resource};
	if (!find_account(flight))
		return false;
	if (!copy_read_state(flight->syncs->options.copies, &flight->arena, &flight->place,
			     &flight->before, &flight->err))
		return false;
	*ok = sync_find_resource(flight->syncs, &flight->account, flight->job.resource,
				 &flight->resource, &flight->err) &&
	      find_parent(flight, &is_ready);
	if (!is_ready && *ok) {
		postpone(flight, PARENT_MS);
		return false;
	}
	if (flight->resource == NULL) {
		postpone(flight, WAITING_MS);
		return false;
	}
	if (!find_left(flight))
		make_run(flight);
	set_since(flight);
	return write_begin(flight);
}

/* --- ending ---------------------------------------------------------------------------------- */

static struct str print_error(struct sync_flight *flight)
{
	struct arena *arena = &flight->arena;
	const struct error *err = &flight->err;
	struct json_builder out, remote;

	json_builder_init(&out, arena);
	json_builder_set(
		&out, STR("code"),
		json_string_c(flight->reason != NULL ? flight->reason : error_name(err->code)));
	json_builder_set(&out, STR("message"), json_string_c(err->message));
	json_builder_init(&remote, arena);
	json_builder_set(&remote, STR("status"), json_int(err->remote_status));
	json_builder_set(&remote, STR("body"), json_string(flight->remote));
	json_builder_set(&out, STR("remote"),
			 err->remote_status > 0 ? json_builder_object(&remote) : json_null());
	return json_text(arena, json_builder_object(&out));
}

/* When the job is due again, and when by a full run. */
struct plan {
	int64_t next_ms;
	int64_t full_ms;
	int64_t mark_ms;
	int64_t since_ms;
	int64_t failures;
};

static int64_t least(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static int64_t most(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

/* What the ATS calls now may be another time than ours. By its own clock no change can be missed
 * that was made after the run before this one had seen the latest. */
static int64_t find_since(const struct sync_flight *flight)
{
	const struct sync_job *job = &flight->job;

	if (flight->resource->sync.each.len > 0)
		return flight->run.started_ms - OVERLAP_MS;
	if (job->mark_ms > 0)
		return least(job->mark_ms, flight->run.started_ms) - OVERLAP_MS;
	return flight->mark_ms == 0
		       ? 0
		       : least(flight->mark_ms, flight->run.started_ms) - FIRST_OVERLAP_MS;
}

static int64_t find_full(const struct sync_flight *flight, int64_t now_ms)
{
	const struct sync_job *job = &flight->job;
	int64_t interval_ms = job->full_interval_ms;

	/* Where only what is new can be asked for, changes wait for the next sweep. */
	if (flight->is_by_creation)
		interval_ms =
			least(interval_ms, most(job->interval_ms,
						FULL_FACTOR * (now_ms - flight->run.started_ms)));
	return flight->run.is_full ? flight->run.started_ms + interval_ms : job->full_ms;
}

static struct plan make_plan(struct sync_flight *flight, enum flight_end end)
{
	const struct sync_job *job = &flight->job;
	int64_t now_ms = sync_now_ms(flight->syncs), opens_ms;
	struct plan plan = {job->next_ms, job->full_ms, job->mark_ms, job->since_ms, job->failures};

	if (end == FLIGHT_LEFT) {
		if (!sync_window_is_open(&job->window, now_ms, &opens_ms))
			plan.next_ms = opens_ms;
		return plan;
	}
	plan.next_ms = most(flight->run.started_ms + job->interval_ms, now_ms);
	if (end == FLIGHT_FAILED) {
		int64_t pause_ms = job->interval_ms << least(job->failures, 10);

		plan.failures++;
		plan.next_ms =
			now_ms + most(least(pause_ms, most(BACKOFF_MAX_MS, job->interval_ms)),
				      flight->err.retry_after_ms);
	}
	if (end == FLIGHT_DONE) {
		plan.failures = 0;
		plan.full_ms = find_full(flight, now_ms);
		plan.since_ms = find_since(flight);
		plan.mark_ms = flight->mark_ms;
	}
	return plan;
}

static struct store_statement release_job(struct sync_flight *flight, struct arena *arena,
					  enum flight_end end)
{
	struct plan plan = make_plan(flight, end);
	const struct store_value values[] = {
		store_text(flight->job.id), store_int(flight->run.fence),
		store_int(plan.next_ms),    store_int(plan.full_ms),
		store_int(plan.mark_ms),    store_int(plan.since_ms),
		store_int(plan.failures),   store_int(sync_now_ms(flight->syncs)),
		store_text(flight->job.environment_id),
	};

	/* What was wished for meanwhile is done at once. */
	return store_keep(
		arena,
		"UPDATE sync_job SET owner = '', next_ms = CASE wishes WHEN 0 THEN ?3 ELSE ?8"
		" END, full_ms = ?4, mark_ms = ?5, since_ms = ?6, failures = ?7"
		" WHERE environment_id = ?9 AND id = ?1 AND fence = ?2",
		values, 9, 1);
}

static struct str name_status(const struct sync_flight *flight, enum flight_end end)
{
	if (end == FLIGHT_DONE)
		return STR("completed");
	if (end == FLIGHT_FAILED)
		return STR("failed");
	if (end == FLIGHT_STOPPED)
		return STR("stopped");
	return flight->runner->is_stopping ? STR("running") : STR("stopped");
}

static void set_end(struct sync_flight *flight, enum flight_end end)
{
	flight->run.status = name_status(flight, end);
	if (end != FLIGHT_LEFT)
		flight->run.ended_ms = sync_now_ms(flight->syncs);
	if (end == FLIGHT_FAILED)
		flight->run.error = print_error(flight);
}

static void forget(struct sync_flight *flight, struct arena *arena, enum flight_end end,
		   struct store_statement *statements, size_t *count)
{
	const struct store_value values[] = {store_text(flight->job.environment_id),
					     store_text(flight->job.id),
					     store_int(flight->run.number - SYNC_RUNS_KEPT)};

	statements[(*count)++] = forget_seen(flight, arena);
	if (end == FLIGHT_DONE && flight->run.is_full)
		statements[(*count)++] = known_forget(flight, arena,
						    flight->knows_no_pages ? 0 : flight->at.page);
	statements[(*count)++] = store_keep(arena,
					    "DELETE FROM sync_run WHERE environment_id = ?1"
					    " AND job_id = ?2 AND number <= ?3",
					    values, 3, -1);
}

/* All that was so when the run began is in the copy now: unless only new records were asked for. */
static void note_copy(struct sync_flight *flight, struct arena *arena,
		      struct store_statement *statements, size_t *count)
{
	bool is_whole = flight->run.is_full || !flight->is_by_creation;

	if (is_whole)
		statements[(*count)++] =
			copy_note_state(arena, &flight->place, flight->run.started_ms,
					flight->run.is_full ? flight->run.started_ms : 0);
}

static bool has_changed(const struct sync_run *run)
{
	return run->counts.created + run->counts.updated + run->counts.deleted > 0;
}

static bool add_news(struct sync_flight *flight, struct arena *arena, enum flight_end end,
		     struct store_statement *statements, size_t *count, struct error *err)
{
	if (end == FLIGHT_DONE && (is_notable(flight) || has_changed(&flight->run)))
		statements[(*count)++] = tell(flight, arena, STR("sync_job_run:completed"));
	if (end == FLIGHT_FAILED && (is_notable(flight) || flight->job.failures == 0))
		statements[(*count)++] = tell(flight, arena, STR("sync_job_run:failed"));
	return !flight->run.is_full || flight->resource->sync.each.len > 0 ||
	       (end != FLIGHT_DONE && flight->reason == NULL) ||
	       flight_drift(flight, arena, statements, count, err);
}

/* Those which were kept until it is known what this run has written. */
static struct store_statement release_hints(struct sync_flight *flight, struct arena *arena)
{
	const struct store_value values[] = {
		store_text(flight->job.environment_id), store_text(flight->job.account_id),
		store_text(flight->job.resource), store_int(sync_now_ms(flight->syncs))};

	return store_keep(arena,
			  "UPDATE sync_hint SET next_ms = ?4 WHERE environment_id = ?1 AND"
			  " account_id = ?2 AND resource = ?3 AND id = '' AND next_ms > ?4",
			  values, 4, -1);
}

static bool write_end(struct sync_flight *flight, enum flight_end end, struct error *err)
{
	const struct store_statement *run;
	struct store_statement *all;
	struct arena arena;
	size_t count, run_count;
	bool ok = true;

	arena_init(&arena, SYNC_PAGE_BYTES_MAX);
	flight_statements(flight, &arena, 0, &(struct copy_counts){0}, &run, &run_count);
	all = arena_array(&arena, run_count + 10, sizeof *all);
	/* Of a run that is over what it has seen is not kept. */
	count = end == FLIGHT_LEFT ? run_count : 1;
	memcpy(all, run, count * sizeof *all);
	all[count++] = release_job(flight, &arena, end);
	if (end == FLIGHT_DONE)
		note_copy(flight, &arena, all, &count);
	if (end != FLIGHT_LEFT) {
		forget(flight, &arena, end, all, &count);
		all[count++] = release_hints(flight, &arena);
		ok = add_news(flight, &arena, end, all, &count, err);
	}
	ok = ok && store_write(flight->syncs->options.store, all, count, err);
	if (ok && end == FLIGHT_DONE)
		copies_forget(flight->syncs->options.copies, &flight->place);
	arena_finish(&arena);
	return ok;
}

/* There was no run. */
static bool give_back(struct sync_flight *flight, struct error *err)
{
	const struct store_value values[] = {store_text(flight->job.id),
					     store_int(flight->job.fence),
					     store_int(flight->later_ms),
					     store_text(flight->job.environment_id)};
	const struct store_statement statement = {
		.sql = "UPDATE sync_job SET owner = '', next_ms = CASE ?3 WHEN 0 THEN next_ms"
		       " ELSE ?3 END WHERE environment_id = ?4 AND id = ?1 AND fence = ?2",
		.parameters = values,
		.parameter_count = 4,
		.changes_expected = 1,
	};

	return store_write(flight->syncs->options.store, &statement, 1, err);
}

static void count_end(struct syncs *syncs, enum flight_end end)
{
	syncs->counts.completed += end == FLIGHT_DONE;
	syncs->counts.failed += end == FLIGHT_FAILED;
	syncs->counts.stopped += end == FLIGHT_STOPPED;
}

static bool keep_end(struct sync_flight *flight, bool has_run, enum flight_end end,
		     struct error *err)
{
	if (!has_run)
		return give_back(flight, err);
	if (!write_end(flight, end, err))
		return false;
	count_end(flight->syncs, end);
	return true;
}

/* Until it is in the store, or others can see that we are gone: a job that nobody gives back is
 * never run again. */
static void finish(struct sync_flight *flight, bool has_run, enum flight_end end)
{
	struct error err;

	if (has_run)
		set_end(flight, end);
	while (end != FLIGHT_GONE) {
		if (keep_end(flight, has_run, end, &err) || err.code == ERROR_CONFLICT)
			return;
		LOG(LOG_WARNING, "sync_run_not_kept", LOG_S(account_id, flight->job.account_id),
		    LOG_C(error, error_name(err.code)));
		if (flight->runner->is_stopping ||
		    !sync_claim_holds(flight->syncs, flight->claim))
			return;
		loop_sleep_ms(END_PAUSE_MS);
	}
}

/* --- the run --------------------------------------------------------------------------------- */

static enum flight_end fly(struct sync_flight *flight)
{
	const struct operation_filter since = {flight->since_name, flight->since};
	enum flight_end end = FLIGHT_DONE;

	if (flight->at.phase == PHASE_LIST)
		end = flight->resource->sync.each.len > 0
			      ? flight_each(flight)
			      : flight_list(flight, &since, flight->since.len > 0);
	if (end != FLIGHT_DONE || !flight->run.is_full)
		return end;
	if (flight->at.phase == PHASE_LIST) {
		flight->at.phase = PHASE_MISSING;
		flight->at.after = 0;
	}
	return flight_missing(flight);
}

/* So that the first search after a run that has brought much need not do it, and wait. As much time
 * as it takes is left to others. */
static void take_texts(struct sync_flight *flight)
{
	const struct clock *clock = flight->services->clock;
	const struct copy_counts *counts = &flight->run.counts;
	bool is_end = counts->created + counts->updated < TEXTS_MIN, ok = true;

	while (ok && !is_end && !flight->runner->is_stopping && !loop_is_interrupted()) {
		int64_t began_ms = clock_monotonic_ms(clock);
		struct error err;

		ok = copy_take_some_texts(flight->syncs->options.copies, &flight->place,
					  TEXTS_AT_ONCE, &is_end, &err);
		if (!ok)
			LOG(LOG_WARNING, "sync_texts_not_taken", LOG_C(error, err.message));
		loop_sleep_ms(clock_monotonic_ms(clock) - began_ms + 1);
	}
}

static void log_failure(const struct sync_flight *flight, enum flight_end end)
{
	if (end == FLIGHT_FAILED)
		LOG(LOG_WARNING, "sync_run_failed", LOG_S(account_id, flight->job.account_id),
		    LOG_S(resource, flight->job.resource),
		    LOG_C(error,
			  flight->reason != NULL ? flight->reason : error_name(flight->err.code)));
}

static void begin_span(struct span *span, const struct sync_flight *flight)
{
	span_begin_trace(span, flight->services->tracer, STR(""), SPAN_INTERNAL, "sync");
	if (!span_is_on(span))
		return;
	span_name(span, "sync %.*s", STR_ARGS(flight->job.resource));
	span_text(span, "tenon.resource", flight->job.resource);
	span_text(span, "tenon.account_id", flight->job.account_id);
	span_text(span, "tenon.job_id", flight->job.id);
}

static void run(void *context)
{
	struct sync_flight *flight = context;
	struct sync_runner *runner = flight->runner;
	struct span span;
	bool ok = true;

	(void)store_enter(flight->job.environment_id);
	sync_task_begin(&flight->task, runner);
	begin_span(&span, flight);
	if (begin(flight, &ok)) {
		enum flight_end end = ok ? fly(flight) : FLIGHT_FAILED;

		log_failure(flight, end);
		finish(flight, true, end);
		if (end == FLIGHT_FAILED)
			span_fail(&span, str_from_c(error_name(flight->err.code)));
	} else {
		finish(flight, false, FLIGHT_LEFT);
	}
	sync_claim_drop(flight->syncs, flight->claim);
	runner->runs--;
	take_texts(flight);
	span_end(&span);
	sync_task_end(&flight->task);
	free(flight->claim);
	seen_finish(&flight->seen);
	arena_finish(&flight->arena);
	free(flight);
}

void sync_flight_start(struct sync_runner *runner, const struct sync_job *job,
		       struct sync_claim *claim)
{
	struct sync_flight *flight = calloc(1, sizeof *flight);

	if (flight == NULL)
		die("out of memory for a sync run");
	flight->runner = runner;
	flight->syncs = runner->syncs;
	flight->services = runner->services;
	flight->claim = claim;
	arena_init(&flight->arena, SYNC_RUN_BYTES_MAX);
	flight->job = *job;
	flight->job.id = arena_str(&flight->arena, job->id);
	flight->job.environment_id = arena_str(&flight->arena, job->environment_id);
	flight->job.account_id = arena_str(&flight->arena, job->account_id);
	flight->job.resource = arena_str(&flight->arena, job->resource);
	loop_spawn(runner->loop, run, flight);
}
