/* Jobs as rows: made, listed, changed, removed. */
#include "ats/sync/parts.h"

#include <stdio.h>

static const char *const states[] = {"active", "paused", "stopped"};

/* --- rows ------------------------------------------------------------------------------------ */

bool sync_read_job(struct arena *arena, const struct store_rows *rows, size_t row,
		   struct sync_job *job, struct error *err)
{
	struct json config;

	sync_job_init(job);
	job->id = store_cell(rows, row, 0)->bytes;
	job->environment_id = store_cell(rows, row, 1)->bytes;
	job->account_id = store_cell(rows, row, 2)->bytes;
	job->resource = store_cell(rows, row, 3)->bytes;
	job->state = (enum sync_state)store_cell(rows, row, 5)->integer;
	job->next_ms = store_cell(rows, row, 6)->integer;
	job->full_ms = store_cell(rows, row, 7)->integer;
	job->mark_ms = store_cell(rows, row, 8)->integer;
	job->since_ms = store_cell(rows, row, 9)->integer;
	job->wishes = (unsigned)store_cell(rows, row, 10)->integer;
	job->failures = store_cell(rows, row, 11)->integer;
	job->run_number = store_cell(rows, row, 12)->integer;
	job->fence = store_cell(rows, row, 13)->integer;
	job->created_ms = store_cell(rows, row, 14)->integer;
	job->updated_ms = store_cell(rows, row, 15)->integer;
	return json_parse(arena, store_cell(rows, row, 4)->bytes, &json_limits_default, &config,
			  err) &&
	       sync_job_recall(config, job, err);
}

static bool not_found(struct error *err)
{
	return error_set_field(err, ERROR_NOT_FOUND, "id", NULL, "there is no such sync job");
}

static struct store_statement insert(struct arena *arena, const struct sync_job *job)
{
	const struct store_value values[] = {
		store_text(job->id),
		store_text(job->environment_id),
		store_text(job->account_id),
		store_text(job->resource),
		store_text(json_text(arena, sync_job_config(arena, job))),
		store_int(job->next_ms),
		store_int(job->created_ms),
	};

	return store_keep(
		arena,
		"INSERT INTO sync_job (id, environment_id, account_id, resource, config, state,"
		" next_ms, full_ms, mark_ms, since_ms, wishes, failures, run_number, owner,"
		" fence, created_ms, updated_ms)"
		" VALUES (?1, ?2, ?3, ?4, ?5, 0, ?6, 0, 0, 0, 0, 0, 0, '', 0, ?7, ?7)",
		values, sizeof values / sizeof *values, 1);
}

/* --- making ---------------------------------------------------------------------------------- */

bool sync_find_resource(struct syncs *syncs, const struct account *account, struct str name,
			const struct unified_resource **out, struct error *err)
{
	const struct connector *connector =
		connectors_find(syncs->options.connectors, account->connector, err);
	char allowed[sizeof err->allowed] = "";
	size_t len = 0;

	if (connector == NULL)
		return false;
	*out = connector_find_resource(connector, name);
	if (*out != NULL && (*out)->list.count > 0)
		return true;
	for (size_t i = 0; i < connector->resource_count && len < sizeof allowed; i++)
		if (connector->resources[i].list.count > 0)
			len += (size_t)snprintf(allowed + len, sizeof allowed - len, "%s%.*s",
						len > 0 ? ", " : "",
						STR_ARGS(connector->resources[i].model->name));
	return error_set_field(err, ERROR_NOT_SUPPORTED, "resource", allowed,
			       "%.*s gives no list of %.*s", STR_ARGS(connector->label),
			       STR_ARGS(str_slice(name, 0, 64)));
}

static bool is_alone(const struct sync_job *jobs, size_t count, struct str resource)
{
	for (size_t i = 0; i < count; i++)
		if (str_equal(jobs[i].resource, resource))
			return false;
	return true;
}

static bool make(struct syncs *syncs, struct arena *arena, const struct account *account,
		 const struct sync_job *wanted, struct str resource, struct sync_job *job,
		 struct error *err)
{
	const struct unified_resource *found;
	bool by_creation;

	if (!sync_find_resource(syncs, account, resource, &found, err))
		return false;
	if (wanted->mode == SYNC_INCREMENTAL && found->sync.each.len == 0 &&
	    sync_find_since(found, &by_creation) == NULL)
		return error_set_field(err, ERROR_NOT_SUPPORTED, "mode", "auto, full",
				       "this ATS cannot be asked what has changed of its %.*s",
				       STR_ARGS(resource));
	*job = *wanted;
	job->id = id_make(syncs->options.accounts, arena, "job_");
	job->environment_id = account->environment_id;
	job->account_id = account->id;
	job->resource = resource;
	job->created_ms = job->updated_ms = job->next_ms = sync_now_ms(syncs);
	return true;
}

bool sync_job_create(struct syncs *syncs, struct arena *arena, const struct account *account,
		     const struct sync_job *wanted, const struct str *resources, size_t count,
		     struct sync_job *jobs, struct error *err)
{
	struct store_statement *statements = arena_array(arena, count + 1, sizeof *statements);

	for (size_t i = 0; i < count; i++) {
		if (!is_alone(jobs, i, resources[i]))
			return error_set_field(err, ERROR_INVALID, "resources", "each once",
					       "%.*s stands there twice", STR_ARGS(resources[i]));
		if (!make(syncs, arena, account, wanted, resources[i], &jobs[i], err))
			return false;
		statements[i] = insert(arena, &jobs[i]);
	}
	if (!store_write(syncs->options.store, statements, count, err)) {
		if (err->code != ERROR_CONFLICT)
			return false;
		return error_set_field(err, ERROR_CONFLICT, "resource", NULL,
				       "the account has a sync job for this resource already, or is "
				       "gone");
	}
	sync_ring(syncs);
	return true;
}

/* --- reading --------------------------------------------------------------------------------- */

bool sync_job_list(struct syncs *syncs, struct arena *arena, const struct sync_query *query,
		   struct sync_job **list, size_t *count, struct error *err)
{
	const struct store_value values[] = {
		store_text(query->environment_id),
		store_text(query->before.len > 0 ? query->before : STR("~")),
		store_text(query->account_id),
		store_text(query->resource),
		store_int((int64_t)query->limit),
	};
	struct store_rows rows;

	if (!store_query(syncs->options.store, arena,
			 "SELECT" SYNC_JOB_COLUMNS "FROM sync_job WHERE environment_id = ?1"
			 " AND id < ?2 AND (?3 = '' OR account_id = ?3)"
			 " AND (?4 = '' OR resource = ?4) ORDER BY id DESC LIMIT ?5",
			 values, 5, &rows, err))
		return false;
	*list = arena_array(arena, rows.count + 1, sizeof **list);
	*count = rows.count;
	for (size_t i = 0; i < rows.count; i++)
		if (!sync_read_job(arena, &rows, i, &(*list)[i], err))
			return false;
	return true;
}

bool sync_job_show(struct syncs *syncs, struct arena *arena, struct str environment_id,
		   struct str id, struct sync_job *job, struct error *err)
{
	const struct store_value values[] = {store_text(environment_id), store_text(id)};
	struct store_rows rows;

	if (!store_query(syncs->options.store, arena,
			 "SELECT" SYNC_JOB_COLUMNS "FROM sync_job WHERE environment_id = ?1 AND id = ?2",
			 values, 2, &rows, err))
		return false;
	return rows.count == 1 ? sync_read_job(arena, &rows, 0, job, err) : not_found(err);
}

/* --- changing -------------------------------------------------------------------------------- */

static bool write_one(struct syncs *syncs, const struct sync_job *job,
		      const struct store_statement *statement, struct error *err)
{
	if (!store_write(syncs->options.store, statement, 1, err))
		return err->code == ERROR_CONFLICT ? not_found(err) : false;
	sync_nudge(syncs, job->id);
	return true;
}

bool sync_job_change(struct syncs *syncs, struct arena *arena, struct sync_job *job,
		     struct error *err)
{
	job->updated_ms = sync_now_ms(syncs);
	const struct store_value values[] = {
		store_text(job->environment_id),
		store_text(job->id),
		store_text(json_text(arena, sync_job_config(arena, job))),
		store_int(job->updated_ms),
		store_int(job->updated_ms + job->interval_ms),
	};
	/* A shorter interval holds from now on. */
	const struct store_statement statement = {
		.sql = "UPDATE sync_job SET config = ?3, updated_ms = ?4, next_ms = min(next_ms, ?5)"
		       " WHERE environment_id = ?1 AND id = ?2",
		.parameters = values,
		.parameter_count = 5,
		.changes_expected = 1,
	};

	return write_one(syncs, job, &statement, err);
}

bool sync_job_wish(struct syncs *syncs, const struct sync_job *job, unsigned wishes,
		   struct error *err)
{
	const struct store_value values[] = {
		store_text(job->environment_id),
		store_text(job->id),
		store_int(wishes | SYNC_WISH_RUN),
		store_int(sync_now_ms(syncs)),
	};
	const struct store_statement statement = {
		.sql = "UPDATE sync_job SET wishes = wishes | ?3, next_ms = min(next_ms, ?4)"
		       " WHERE environment_id = ?1 AND id = ?2",
		.parameters = values,
		.parameter_count = 4,
		.changes_expected = 1,
	};

	return write_one(syncs, job, &statement, err);
}

bool sync_job_set_state(struct syncs *syncs, const struct sync_job *job, enum sync_state state,
			struct error *err)
{
	const struct store_value values[] = {
		store_text(job->environment_id),
		store_text(job->id),
		store_int(state),
		store_int(sync_now_ms(syncs)),
	};
	const struct store_statement statements[] = {
		{
			.sql = "UPDATE sync_job SET state = ?3, updated_ms = ?4, next_ms = CASE WHEN ?3"
			       " = 0 AND state <> 0 THEN ?4 ELSE next_ms END"
			       " WHERE environment_id = ?1 AND id = ?2",
			.parameters = values,
			.parameter_count = 4,
			.changes_expected = 1,
		},
		/* The run that was left is ended where nobody is at it to do so. */
		{
			.sql = "UPDATE sync_run SET status = 'stopped', ended_ms = CASE ?3 WHEN 2 THEN ?4"
			       " ELSE 0 END WHERE environment_id = ?1 AND job_id = ?2"
			       " AND ended_ms = 0 AND ?3 <> 0 AND EXISTS (SELECT 1 FROM sync_job"
			       " WHERE environment_id = ?1 AND id = ?2 AND "
			       NODE_IS_FREE("sync_job.owner", "?4") ")",
			.parameters = values,
			.parameter_count = 4,
			.changes_expected = -1,
		},
	};

	if (!store_write(syncs->options.store, statements, 2, err))
		return err->code == ERROR_CONFLICT ? not_found(err) : false;
	sync_nudge(syncs, job->id);
	return true;
}

bool sync_job_remove(struct syncs *syncs, struct arena *arena, const struct sync_job *job,
		     bool with_records, struct error *err)
{
	const struct copy_place place = {job->environment_id, job->account_id, job->resource};
	const struct store_value values[] = {store_text(job->environment_id), store_text(job->id)};
	struct store_statement statements[] = {
		{
			.sql = "DELETE FROM sync_job WHERE environment_id = ?1 AND id = ?2",
			.parameters = values,
			.parameter_count = 2,
			.changes_expected = 1,
		},
		{0},
	};

	if (with_records)
		statements[1] = copy_drop(arena, &place);
	if (!store_write(syncs->options.store, statements, with_records ? 2 : 1, err))
		return err->code == ERROR_CONFLICT ? not_found(err) : false;
	if (with_records)
		copies_forget(syncs->options.copies, &place);
	sync_nudge(syncs, job->id);
	return true;
}

/* --- showing --------------------------------------------------------------------------------- */

static bool find_last(struct syncs *syncs, struct arena *arena, const struct sync_job *job,
		      struct json *out, struct error *err)
{
	struct sync_run run;

	*out = json_null();
	if (job->run_number == 0)
		return true;
	if (!sync_find_run(syncs, arena, job, job->run_number, &run, err))
		return err->code == ERROR_NOT_FOUND;
	*out = sync_run_json(syncs, arena, &run);
	return true;
}

bool sync_job_json(struct syncs *syncs, struct arena *arena, const struct sync_job *job,
		   struct json *out, struct error *err)
{
	const struct copy_place place = {job->environment_id, job->account_id, job->resource};
	struct json config = sync_job_config(arena, job);
	struct copy_state state;
	struct json_builder item;
	struct json last;

	if (!find_last(syncs, arena, job, &last, err) ||
	    !copy_read_state(syncs->options.copies, arena, &place, &state, err))
		return false;
	json_builder_init(&item, arena);
	json_builder_set(&item, STR("id"), json_string(job->id));
	json_builder_set(&item, STR("integrated_account_id"), json_string(job->account_id));
	json_builder_set(&item, STR("resource"), json_string(job->resource));
	json_builder_set(&item, STR("state"), json_string_c(states[job->state]));
	json_builder_set(&item, STR("status"),
			 json_is(last, JSON_NULL) ? json_string_c("created")
						  : json_get_c(last, "status"));
	for (size_t i = 0; i < config.count; i++)
		json_builder_set(&item, json_name(&config.members[i]), config.members[i].value);
	json_builder_set(&item, STR("next_run_at"),
			 json_time(arena, job->state == SYNC_ACTIVE ? job->next_ms : 0));
	json_builder_set(&item, STR("next_full_at"), json_time(arena, job->full_ms));
	json_builder_set(&item, STR("failures"), json_int(job->failures));
	json_builder_set(&item, STR("record_count"), json_int(state.record_count));
	json_builder_set(&item, STR("whole_at"), json_time(arena, state.whole_ms));
	json_builder_set(&item, STR("swept_at"), json_time(arena, state.swept_ms));
	json_builder_set(&item, STR("last_run"), last);
	json_builder_set(&item, STR("created_at"), json_time(arena, job->created_ms));
	json_builder_set(&item, STR("updated_at"), json_time(arena, job->updated_ms));
	*out = json_builder_object(&item);
	return true;
}
