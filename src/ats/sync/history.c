/* Runs as rows. */
#include "ats/sync/parts.h"

void sync_read_run(const struct store_rows *rows, size_t row, struct sync_run *run)
{
	const struct store_value *cell = store_cell(rows, row, 0);

	*run = (struct sync_run){
		.job_id = cell[0].bytes,
		.number = cell[1].integer,
		.id = cell[2].bytes,
		.environment_id = cell[3].bytes,
		.fence = cell[4].integer,
		.is_full = cell[5].integer != 0,
		.is_asked = cell[6].integer != 0,
		.allows_deletions = cell[7].integer != 0,
		.status = cell[8].bytes,
		.started_ms = cell[9].integer,
		.ended_ms = cell[10].integer,
		.place = cell[11].bytes,
		.shares = cell[12].bytes,
		.expected = cell[13].integer,
		.records = cell[14].integer,
		.counts = {.created = cell[15].integer,
			   .updated = cell[16].integer,
			   .deleted = cell[17].integer,
			   .unchanged = cell[18].integer},
		.calls = cell[19].integer,
		.retries = cell[20].integer,
		.wait_ms = cell[21].integer,
		.error = cell[22].bytes,
	};
}

static bool not_found(struct error *err)
{
	return error_set_field(err, ERROR_NOT_FOUND, "id", NULL, "there is no such sync run");
}

bool sync_find_run(struct syncs *syncs, struct arena *arena, const struct sync_job *job,
		   int64_t number, struct sync_run *run, struct error *err)
{
	const struct store_value values[] = {store_text(job->environment_id), store_text(job->id),
					     store_int(number)};
	struct store_rows rows;

	if (!store_query(syncs->options.store, arena,
			 "SELECT" SYNC_RUN_COLUMNS "FROM sync_run WHERE environment_id = ?1"
			 " AND job_id = ?2 AND number = ?3",
			 values, 3, &rows, err))
		return false;
	if (rows.count == 0)
		return not_found(err);
	sync_read_run(&rows, 0, run);
	return true;
}

bool sync_run_show(struct syncs *syncs, struct arena *arena, struct str environment_id,
		   struct str id, struct sync_run *run, struct error *err)
{
	const struct store_value values[] = {store_text(id), store_text(environment_id)};
	struct store_rows rows;

	if (!store_query(syncs->options.store, arena,
			 "SELECT" SYNC_RUN_COLUMNS
			 "FROM sync_run WHERE id = ?1 AND environment_id = ?2",
			 values, 2, &rows, err))
		return false;
	if (rows.count == 0)
		return not_found(err);
	sync_read_run(&rows, 0, run);
	return true;
}

bool sync_run_list(struct syncs *syncs, struct arena *arena, const struct sync_job *job,
		   int64_t before, size_t limit, struct sync_run **list, size_t *count,
		   struct error *err)
{
	const struct store_value values[] = {
		store_text(job->environment_id),
		store_text(job->id),
		store_int(before > 0 ? before : INT64_MAX),
		store_int((int64_t)limit),
	};
	struct store_rows rows;

	if (!store_query(syncs->options.store, arena,
			 "SELECT" SYNC_RUN_COLUMNS "FROM sync_run WHERE environment_id = ?1"
			 " AND job_id = ?2 AND number < ?3 ORDER BY number DESC LIMIT ?4",
			 values, 4, &rows, err))
		return false;
	*list = arena_array(arena, rows.count + 1, sizeof **list);
	*count = rows.count;
	for (size_t i = 0; i < rows.count; i++)
		sync_read_run(&rows, i, &(*list)[i]);
	return true;
}

/* --- showing --------------------------------------------------------------------------------- */

/* When it will be over, if it goes on as it went. */
static int64_t find_end(struct syncs *syncs, const struct sync_run *run)
{
	int64_t now_ms = sync_now_ms(syncs);
	int64_t left = run->expected - run->records;

	if (run->ended_ms > 0 || !run->is_full || run->records == 0 || run->expected == 0)
		return 0;
	if (left <= 0)
		return now_ms;
	return now_ms + (int64_t)((double)(now_ms - run->started_ms) * (double)left /
				  (double)run->records);
}

static struct json show_progress(struct syncs *syncs, struct arena *arena,
				 const struct sync_run *run)
{
	struct json_builder out;

	json_builder_init(&out, arena);
	json_builder_set(&out, STR("records"), json_int(run->records));
	json_builder_set(&out, STR("expected"),
			 run->expected > 0 ? json_int(run->expected) : json_null());
	json_builder_set(&out, STR("ends_at"), json_time(arena, find_end(syncs, run)));
	return json_builder_object(&out);
}

static struct json show_counts(struct arena *arena, const struct copy_counts *counts)
{
	struct json_builder out;

	json_builder_init(&out, arena);
	json_builder_set(&out, STR("created"), json_int(counts->created));
	json_builder_set(&out, STR("updated"), json_int(counts->updated));
	json_builder_set(&out, STR("deleted"), json_int(counts->deleted));
	json_builder_set(&out, STR("unchanged"), json_int(counts->unchanged));
	return json_builder_object(&out);
}

struct json sync_run_json(struct syncs *syncs, struct arena *arena, const struct sync_run *run)
{
	struct json error = json_null();
	struct json_builder out;
	struct error unused;

	if (run->error.len > 0 &&
	    !json_parse(arena, run->error, &json_limits_default, &error, &unused))
		error = json_null();
	json_builder_init(&out, arena);
	json_builder_set(&out, STR("id"), json_string(run->id));
	json_builder_set(&out, STR("sync_job_id"), json_string(run->job_id));
	json_builder_set(&out, STR("number"), json_int(run->number));
	json_builder_set(&out, STR("kind"), json_string_c(run->is_full ? "full" : "incremental"));
	json_builder_set(&out, STR("reason"), json_string_c(run->is_asked ? "asked" : "interval"));
	json_builder_set(&out, STR("status"), json_string(run->status));
	json_builder_set(&out, STR("progress"), show_progress(syncs, arena, run));
	json_builder_set(&out, STR("counts"), show_counts(arena, &run->counts));
	json_builder_set(&out, STR("calls"), json_int(run->calls));
	json_builder_set(&out, STR("retries"), json_int(run->retries));
	json_builder_set(&out, STR("wait_ms"), json_int(run->wait_ms));
	json_builder_set(&out, STR("error"), error);
	json_builder_set(&out, STR("started_at"), json_time(arena, run->started_ms));
	json_builder_set(&out, STR("ended_at"), json_time(arena, run->ended_ms));
	return json_builder_object(&out);
}
