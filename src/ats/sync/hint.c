/* Something has changed, says somebody: it is fetched, ahead of all polling. */
#include <stdlib.h>

#include "ats/sync/flight.h"
#include "base/log.h"

enum {
	PORTION = 100,
	AT_ONCE = 4, /* the ATS may be far away, and what it tells comes in bursts */
	TRIES_MAX = 10,
	BACKOFF_MS = 500,
	BACKOFF_MAX_MS = 60000,
	ASK_MS = 60000,
	LIST_LIMIT = 250,
	PAGES_MAX = 1000,
	HINT_BYTES_MAX = 16 * 1024 * 1024,
	AGAIN_MS = 1000,	       /* the run has ended meanwhile */
	RUN_OVER_MS = 60 * 60 * 1000, /* a run's end makes it due (flight.c); if that is lost */
};

/* --- taking ---------------------------------------------------------------------------------- */

static struct store_statement keep(struct syncs *syncs, struct arena *arena,
				   struct str environment_id, struct str account_id,
				   const struct sync_hint *hint)
{
	const struct store_value values[] = {
		store_text(environment_id),    store_text(account_id),
		store_text(hint->resource),    store_text(hint->id),
		store_text(hint->filter_name), store_text(hint->filter_value),
		store_int(sync_now_ms(syncs)),
	};

	/* Told again while it is being fetched, it is fetched again. */
	return store_keep(arena,
			  "INSERT INTO sync_hint (environment_id, account_id, resource, id,"
			  " filter_name, filter_value, generation, made_ms, next_ms, tries)"
			  " VALUES (?1, ?2, ?3, ?4, ?5, ?6, 1, ?7, ?7, 0)"
			  " ON CONFLICT (environment_id, account_id, resource, id, filter_name,"
			  " filter_value) DO UPDATE SET generation = sync_hint.generation + 1,"
			  " made_ms = ?7, next_ms = ?7, tries = 0",
			  values, sizeof values / sizeof *values, 1);
}

static bool has_job(struct syncs *syncs, struct arena *arena, struct str environment_id,
		    struct str account_id, struct str resource, bool *has, struct error *err)
{
	const struct sync_query query = {.environment_id = environment_id,
					 .account_id = account_id,
					 .resource = resource,
					 .limit = 1};
	struct sync_job *jobs;
	size_t count = 0;
	bool ok = sync_job_list(syncs, arena, &query, &jobs, &count, err);

	*has = count > 0 && jobs[0].state != SYNC_STOPPED;
	return ok;
}

bool sync_take_hints(struct syncs *syncs, struct arena *arena, struct str environment_id,
		     struct str account_id, const struct sync_hint *hints, size_t count,
		     const struct store_statement *more, size_t more_count, size_t *taken,
		     struct error *err)
{
	struct store_statement *all = arena_array(arena, count + more_count + 1, sizeof *all);
	bool has;

	*taken = 0;
	for (size_t i = 0; i < count; i++) {
		if (hints[i].resource.len == 0 ||
		    (hints[i].id.len == 0 && hints[i].filter_name.len == 0))
			continue;
		if (!has_job(syncs, arena, environment_id, account_id, hints[i].resource, &has,
			     err))
			return false;
		if (has)
			all[(*taken)++] = keep(syncs, arena, environment_id, account_id, &hints[i]);
	}
	for (size_t i = 0; i < more_count; i++)
		all[*taken + i] = more[i];
	if (*taken + more_count > 0 &&
	    !store_write(syncs->options.store, all, *taken + more_count, err))
		return false;
	if (*taken > 0)
		sync_ring(syncs);
	return true;
}

/* --- following ------------------------------------------------------------------------------- */

/* The hints of one account, while they are followed. */
struct trail {
	struct sync_task task;
	struct sync_runner *runner;
	struct syncs *syncs;
	struct sync_claim *claim;
	struct node_duty duty;
	struct arena arena;
	struct str environment_id;
	struct str account_id;
	struct account account;
};

struct known_hint {
	struct sync_hint hint;
	int64_t generation;
	int64_t tries;
	int64_t told_ms; /* last */
};

/* One of them. */
struct step {
	struct trail *trail;
	const struct known_hint *known;
	struct arena *arena;
	const struct unified_resource *resource;
	struct copy_place place;
	struct store_statement done; /* the hint is no more */
	struct error err;
};

/* Who is alone needs none. In the step's arena. */
static struct sync_guard guard_of(struct step *step, const struct store_statement *also)
{
	struct node *node = step->trail->syncs->options.node;
	struct store_statement *list = arena_array(step->arena, 2, sizeof *list);
	size_t count = 0;

	if (also != NULL)
		list[count++] = *also;
	if (!node_is_alone(node))
		list[count++] = node_duty_statement(node, step->arena, &step->trail->duty);
	return (struct sync_guard){list, count};
}

static struct store_statement forget(struct step *step)
{
	const struct trail *trail = step->trail;
	const struct sync_hint *hint = &step->known->hint;
	const struct store_value values[] = {
		store_text(trail->environment_id),  store_text(trail->account_id),
		store_text(hint->resource),	    store_text(hint->id),
		store_text(hint->filter_name),	    store_text(hint->filter_value),
		store_int(step->known->generation),
	};

	return store_keep(
		step->arena,
		"DELETE FROM sync_hint WHERE environment_id = ?1 AND account_id = ?2"
		" AND resource = ?3 AND id = ?4 AND filter_name = ?5 AND filter_value = ?6"
		" AND generation = ?7",
		values, sizeof values / sizeof *values, -1);
}

static bool write_alone(struct step *step, const struct store_statement *statement)
{
	struct sync_guard all = guard_of(step, statement);

	return store_write(step->trail->syncs->options.store, all.list, all.count, &step->err);
}

static bool ask(struct step *step, struct operation *operation, struct operation_result *result)
{
	const struct operation_services *services = step->trail->runner->services;

	operation->account = &step->trail->account;
	operation->resource = step->known->hint.resource;
	operation->deadline_ns = clock_monotonic_ns(services->clock) + (int64_t)ASK_MS * 1000000;
	return operation_run(services, step->arena, operation, result, &step->err);
}

static bool follow_id(struct step *step)
{
	struct copies *copies = step->trail->syncs->options.copies;
	struct operation operation = {
		.method = OPERATION_GET, .id = step->known->hint.id, .limit = 1};
	struct sync_guard guard = guard_of(step, &step->done);
	struct copy_write write = {
		.place = step->place,
		.read_ms = sync_now_ms(step->trail->syncs),
		.more = guard.list,
		.more_count = guard.count,
		/* A list that is under way may show it still. */
		.notes_absent = true,
	};
	struct operation_result result;
	struct copy_counts counts;

	if (ask(step, &operation, &result)) {
		write.is_rough = result.is_rough;
		return copy_put(copies, step->arena, &write, &result.item, 1, result.is_partial,
				NULL, &counts, &step->err);
	}
	if (step->err.code != ERROR_NOT_FOUND || strcmp(step->err.field, "id") != 0)
		return false;
	return copy_remove(copies, step->arena, &write, &operation.id, 1, &counts, &step->err);
}

static bool take_page(struct step *step, const struct operation_result *result, int64_t read_ms,
		      struct seen *seen)
{
	struct sync_guard guard = guard_of(step, NULL);
	const struct copy_write write = {.place = step->place,
					 .read_ms = read_ms,
					 .is_rough = result->is_rough,
					 .more = guard.list,
					 .more_count = guard.count};
	int64_t *numbers = arena_array(step->arena, result->items.count + 1, sizeof *numbers);
	struct copy_counts counts;

	if (!copy_put(step->trail->syncs->options.copies, step->arena, &write, result->items.items,
		      result->items.count, result->is_partial, numbers, &counts, &step->err))
		return false;
	for (size_t i = 0; i < result->items.count; i++)
		if (numbers[i] > 0)
			seen_mark(seen, numbers[i]);
	return true;
}

/* The whole list by the filter; *is_gone: what the filter names is not there. */
static bool take_list(struct step *step, struct seen *seen)
{
	const struct sync_hint *hint = &step->known->hint;
	const struct operation_filter filter = {hint->filter_name, hint->filter_value};
	struct operation operation = {.method = OPERATION_LIST,
				      .filters = &filter,
				      .filter_count = 1,
				      .limit = LIST_LIMIT};
	struct operation_result result;

	for (int i = 0; i < PAGES_MAX; i++) {
		int64_t read_ms = sync_now_ms(step->trail->syncs);

		if (!ask(step, &operation, &result))
			return step->err.code == ERROR_NOT_FOUND;
		if (!take_page(step, &result, read_ms, seen))
			return false;
		operation.cursor = result.next_cursor;
		if (operation.cursor.len == 0)
			return true;
	}
	return error_set(&step->err, ERROR_LIMIT, "the list is too long for a hint");
}

/* Of the hint's account and resource, from before the hint. */
#define RUN_IS_ON(told_ms)                                                                      \
	"EXISTS (SELECT 1 FROM sync_job j JOIN sync_run r"                                      \
	" ON r.environment_id = j.environment_id AND r.job_id = j.id"                           \
	" WHERE j.environment_id = ?1 AND j.account_id = ?2 AND j.resource = ?3"                \
	" AND r.ended_ms = 0 AND r.started_ms <= " told_ms ")"

static bool find_run(struct step *step, bool *is_on)
{
	const struct store_value values[] = {store_text(step->place.environment_id),
					     store_text(step->place.account_id),
					     store_text(step->place.resource),
					     store_int(step->known->told_ms)};
	struct store_rows rows;

	if (!store_query(step->trail->syncs->options.store, step->arena,
			 "SELECT " RUN_IS_ON("?4"), values, 4, &rows, &step->err))
		return false;
	*is_on = store_cell(&rows, 0, 0)->integer != 0;
	return true;
}

/* A run may have read before, and be about to write, what the hint's list has no more and the copy
 * never had. Then the list is asked for once more when that run is over. */
static struct store_statement keep_for_later(struct step *step)
{
	int64_t now_ms = sync_now_ms(step->trail->syncs);
	struct store_value values[10];

	memcpy(values, step->done.parameters, 7 * sizeof *values);
	values[7] = store_int(now_ms + RUN_OVER_MS);
	values[8] = store_int(now_ms + AGAIN_MS);
	values[9] = store_int(step->known->told_ms);
	return store_keep(step->arena,
			  "UPDATE sync_hint SET next_ms = CASE WHEN " RUN_IS_ON("?10")
			  " THEN ?8 ELSE ?9 END WHERE environment_id = ?1 AND account_id = ?2"
			  " AND resource = ?3 AND id = ?4 AND filter_name = ?5"
			  " AND filter_value = ?6 AND generation = ?7",
			  values, 10, -1);
}

static bool follow_filter(struct step *step)
{
	const struct sync_hint *hint = &step->known->hint;
	int64_t read_ms = sync_now_ms(step->trail->syncs);
	struct copy_counts counts = {0};
	struct seen seen = {0};
	bool is_run_on;

	if (!find_run(step, &is_run_on))
		return false;
	bool ok = take_list(step, &seen) &&
		  sync_drop_rest(step->trail->syncs, step->arena, &step->place, step->resource,
				 hint->filter_name, hint->filter_value, &seen, read_ms,
				 guard_of(step, NULL), &counts, &step->err);
	if (ok) {
		const struct store_statement end = is_run_on ? keep_for_later(step) : step->done;
		ok = write_alone(step, &end);
	}
	seen_finish(&seen);
	return ok;
}

/* Later, or not at all: the next sweep finds it in any case. */
static void give_way(struct step *step)
{
	const struct known_hint *known = step->known;
	int64_t wait_ms = known->tries < 7 ? BACKOFF_MS << known->tries : BACKOFF_MAX_MS;
	bool is_passing = step->err.code == ERROR_RATE_LIMITED ||
			  step->err.code == ERROR_UPSTREAM || step->err.code == ERROR_TIMEOUT ||
			  step->err.code == ERROR_UNAVAILABLE ||
			  step->err.code == ERROR_UNAUTHORIZED;
	struct store_statement statement = step->done;

	if (step->err.retry_after_ms > wait_ms)
		wait_ms = step->err.retry_after_ms;
	if (is_passing && known->tries < TRIES_MAX) {
		struct store_value *values = arena_array(step->arena, 8, sizeof *values);

		memcpy(values, step->done.parameters, 7 * sizeof *values);
		values[7] = store_int(sync_now_ms(step->trail->syncs) + wait_ms);
		statement.parameters = values;
		statement.parameter_count = 8;
		statement.sql = "UPDATE sync_hint SET tries = tries + 1, next_ms = ?8"
				" WHERE environment_id = ?1 AND account_id = ?2 AND resource = ?3"
				" AND id = ?4 AND filter_name = ?5 AND filter_value = ?6"
				" AND generation = ?7";
	} else {
		LOG(LOG_WARNING, "sync_hint_dropped", LOG_S(account_id, step->trail->account_id),
		    LOG_S(resource, known->hint.resource),
		    LOG_C(error, error_name(step->err.code)));
	}
	if (!write_alone(step, &statement))
		LOG(LOG_WARNING, "sync_hint_not_kept", LOG_C(error, error_name(step->err.code)));
}

static bool is_ours(const struct trail *trail)
{
	return !trail->runner->is_stopping &&
	       node_has(trail->syncs->options.node, trail->duty.term.number);
}

static void follow(struct trail *trail, const struct known_hint *known)
{
	struct step step = {.trail = trail, .known = known};
	struct arena arena;

	arena_init(&arena, HINT_BYTES_MAX);
	step.arena = &arena;
	step.place =
		(struct copy_place){trail->environment_id, trail->account_id, known->hint.resource};
	step.done = forget(&step);
	bool ok = sync_find_resource(trail->syncs, &trail->account, known->hint.resource,
				     &step.resource, &step.err);
	ok = ok && (known->hint.id.len > 0 ? follow_id(&step) : follow_filter(&step));
	if (!ok && is_ours(trail))
		give_way(&step);
	arena_finish(&arena);
}

/* --- the trail ------------------------------------------------------------------------------- */

static void read_hint(const struct store_rows *rows, size_t row, struct known_hint *known)
{
	*known = (struct known_hint){
		.hint = {.resource = store_cell(rows, row, 0)->bytes,
			 .id = store_cell(rows, row, 1)->bytes,
			 .filter_name = store_cell(rows, row, 2)->bytes,
			 .filter_value = store_cell(rows, row, 3)->bytes},
		.generation = store_cell(rows, row, 4)->integer,
		.tries = store_cell(rows, row, 5)->integer,
		.told_ms = store_cell(rows, row, 6)->integer,
	};
}

static bool find_hints(struct trail *trail, struct arena *arena, struct store_rows *rows)
{
	const struct store_value values[] = {
		store_text(trail->environment_id), store_text(trail->account_id),
		store_int(sync_now_ms(trail->syncs)), store_int(PORTION)};
	struct error err;

	return store_query(trail->syncs->options.store, arena,
			   "SELECT resource, id, filter_name, filter_value, generation, tries,"
			   " made_ms FROM sync_hint WHERE environment_id = ?1 AND account_id = ?2"
			   " AND next_ms <= ?3 ORDER BY made_ms, filter_name, id LIMIT ?4",
			   values, 4, rows, &err);
}

/* Some hints, several at once: none is about what another is about. */
struct portion {
	struct trail *trail;
	struct store_rows rows;
	size_t next;
	bool is_of_lists;
	struct loop_group group;
};

static void follow_next(void *context)
{
	struct portion *portion = context;
	struct trail *trail = portion->trail;
	struct known_hint known;

	while (portion->next < portion->rows.count && is_ours(trail)) {
		read_hint(&portion->rows, portion->next++, &known);
		if ((known.hint.id.len == 0) == portion->is_of_lists)
			follow(trail, &known);
	}
	loop_group_done(&portion->group);
}

static void follow_kind(struct portion *portion, bool is_of_lists)
{
	portion->next = 0;
	portion->is_of_lists = is_of_lists;
	portion->group = (struct loop_group){0};
	for (size_t i = 0; i < AT_ONCE && i < portion->rows.count; i++)
		loop_group_spawn(&portion->group, follow_next, portion);
	loop_group_join(&portion->group);
}

/* Parents before their children: a hint of a whole list comes after those of records. False: there
 * was none left. */
static bool follow_some(struct trail *trail)
{
	struct portion portion = {.trail = trail};
	struct arena arena;

	arena_init(&arena, SYNC_RUN_BYTES_MAX);
	bool has_some = find_hints(trail, &arena, &portion.rows) && portion.rows.count > 0;
	if (has_some) {
		follow_kind(&portion, false);
		follow_kind(&portion, true);
	}
	arena_finish(&arena);
	return has_some;
}

/* Of an account that cannot be called hints wait, a little at a time. */
static void put_off(struct trail *trail)
{
	const struct store_value values[] = {store_text(trail->environment_id),
					     store_text(trail->account_id),
					     store_int(sync_now_ms(trail->syncs) + BACKOFF_MAX_MS)};
	const struct store_statement statement = {
		.sql = "UPDATE sync_hint SET next_ms = ?3 WHERE environment_id = ?1"
		       " AND account_id = ?2 AND next_ms < ?3",
		.parameters = values,
		.parameter_count = 3,
		.changes_expected = -1,
	};
	struct error err;

	if (!store_write(trail->syncs->options.store, &statement, 1, &err))
		LOG(LOG_WARNING, "sync_hint_not_kept", LOG_C(error, error_name(err.code)));
}

static void follow_all(struct trail *trail)
{
	struct error err;

	if (!account_find(trail->syncs->options.accounts, &trail->arena, trail->environment_id,
			  trail->account_id, &trail->account, &err) ||
	    (trail->account.status != ACCOUNT_ACTIVE &&
	     trail->account.status != ACCOUNT_POST_INSTALL_ERROR))
		put_off(trail);
	else
		while (is_ours(trail) && follow_some(trail))
			;
}

static void run(void *context)
{
	struct trail *trail = context;
	struct sync_runner *runner = trail->runner;
	struct node *node = trail->syncs->options.node;
	struct error err;
	bool is_ours = false;

	(void)store_enter(trail->environment_id);
	sync_task_begin(&trail->task, runner);
	if (!node_take_duty(node, trail->claim->key, &trail->duty, &is_ours, &err)) {
		LOG(LOG_WARNING, "sync_hints_not_taken", LOG_C(error, err.message));
	} else if (is_ours) {
		follow_all(trail);
		node_end_duty(node, &trail->duty);
	}
	sync_claim_drop(trail->syncs, trail->claim);
	if (is_ours)
		sync_ring(trail->syncs); /* one may have come while nobody could take it */
	sync_task_end(&trail->task);
	free(trail->claim);
	arena_finish(&trail->arena);
	free(trail);
}

void sync_hints_start(struct sync_runner *runner, struct str environment_id, struct str account_id,
		      struct sync_claim *claim)
{
	struct trail *trail = calloc(1, sizeof *trail);

	if (trail == NULL)
		die("out of memory for a sync run");
	trail->runner = runner;
	trail->syncs = runner->syncs;
	trail->claim = claim;
	arena_init(&trail->arena, SYNC_RUN_BYTES_MAX);
	trail->environment_id = arena_str(&trail->arena, environment_id);
	trail->account_id = arena_str(&trail->arena, account_id);
	loop_spawn(runner->loop, run, trail);
}

/* --- what is not in a list any more ---------------------------------------------------------- */

/* Where the records tell the filter's value; empty: nowhere, or in lists. */
static struct str find_path(const struct unified_resource *resource, struct str name)
{
	const struct model_filter *filter = model_find_filter(resource->model, name);
	struct str rest, path = {NULL, 0};

	if (filter == NULL || filter->operator!= MODEL_EQ)
		return path;
	path = filter->path;
	rest = path;
	const struct model_field *fields = resource->model->fields;
	size_t count = resource->model->field_count;
	while (rest.len > 0) {
		const struct model_field *field =
			model_find_among(fields, count, str_cut(&rest, '.'));

		if (field == NULL || field->is_list)
			return (struct str){NULL, 0};
		fields = field->fields;
		count = field->field_count;
	}
	return path;
}

bool sync_drop_rest(struct syncs *syncs, struct arena *arena, const struct copy_place *place,
		    const struct unified_resource *resource, struct str filter, struct str value,
		    const struct seen *seen, int64_t read_ms, struct sync_guard guard,
		    struct copy_counts *counts, struct error *err)
{
	const struct copy_write write = {.place = *place,
					 .read_ms = read_ms,
					 .more = guard.list,
					 .more_count = guard.count};
	struct str path = find_path(resource, filter);
	struct copy_missing *list;
	struct str ids[PORTION];
	int64_t after = 0;
	size_t count = 0;

	if (path.len == 0)
		return true;
	do {
		struct copy_counts some = {0};
		size_t gone = 0;

		if (!copy_find_by(syncs->options.copies, arena, place, path, value, after, read_ms,
				  PORTION, &list, &count, err))
			return false;
		for (size_t i = 0; i < count; i++) {
			after = list[i].number;
			if (!seen_has(seen, after))
				ids[gone++] = list[i].id;
		}
		if (gone > 0 &&
		    !copy_remove(syncs->options.copies, arena, &write, ids, gone, &some, err))
			return false;
		counts->deleted += some.deleted;
	} while (count == PORTION);
	return true;
}
