/* What is strange about a full run against the one before: fields that nearly all records had and
 * nearly none has now, and a count that has dropped. */
#include "ats/sync/flight.h"

static bool find_before(struct sync_flight *flight, struct arena *arena, struct sync_run *run,
			bool *is_there, struct error *err)
{
	const struct store_value values[] = {store_text(flight->job.environment_id),
					     store_text(flight->job.id),
					     store_int(flight->run.number)};
	struct store_rows rows;

	if (!store_query(flight->syncs->options.store, arena,
			 "SELECT" SYNC_RUN_COLUMNS "FROM sync_run WHERE environment_id = ?1"
			 " AND job_id = ?2 AND number < ?3 AND is_full = 1"
			 " AND status = 'completed' ORDER BY number DESC LIMIT 1",
			 values, 3, &rows, err))
		return false;
	*is_there = rows.count == 1;
	if (*is_there)
		sync_read_run(&rows, 0, run);
	return true;
}

static int64_t share_of(const struct shares *shares, struct str name, int64_t records)
{
	for (size_t i = 0; i < shares->count; i++)
		if (str_equal(shares->names[i], name))
			return shares->counts[i] * 100 / records;
	return 0;
}

static struct json find_lost(struct sync_flight *flight, struct arena *arena,
			     const struct sync_run *before)
{
	struct json_builder lost;
	struct shares shares;

	json_builder_init(&lost, arena);
	if (flight->job.field_percent > 0 && before->records > 0 && flight->run.records > 0 &&
	    shares_read(arena, before->shares, &shares))
		for (size_t i = 0; i < shares.count; i++)
			if (shares.counts[i] * 100 / before->records >= flight->job.field_percent &&
			    share_of(&flight->shares, shares.names[i], flight->run.records) <=
				    100 - flight->job.field_percent)
				json_builder_add(&lost, json_string(shares.names[i]));
	return json_builder_array(&lost);
}

static bool has_dropped(const struct sync_flight *flight, const struct sync_run *before)
{
	return flight->job.drop_percent > 0 && before->records > 0 &&
	       (before->records - flight->run.records) * 100 >
		       before->records * flight->job.drop_percent;
}

bool flight_drift(struct sync_flight *flight, struct arena *arena,
		  struct store_statement *statements, size_t *count, struct error *err)
{
	struct sync_run before;
	struct json_builder payload;
	bool is_there;

	if (!find_before(flight, arena, &before, &is_there, err))
		return false;
	if (!is_there)
		return true;
	struct json lost = find_lost(flight, arena, &before);
	bool is_less = has_dropped(flight, &before);
	if (lost.count == 0 && !is_less)
		return true;
	json_builder_init(&payload, arena);
	json_builder_set(&payload, STR("sync_job_id"), json_string(flight->job.id));
	json_builder_set(&payload, STR("sync_job_run_id"), json_string(flight->run.id));
	json_builder_set(&payload, STR("resource"), json_string(flight->job.resource));
	json_builder_set(&payload, STR("fields"), lost);
	json_builder_set(&payload, STR("records_before"), json_int(before.records));
	json_builder_set(&payload, STR("records"), json_int(flight->run.records));
	json_builder_set(&payload, STR("has_dropped"), json_bool(is_less));
	statements[(*count)++] = event_statement(
		arena, &(struct event_new){
			       .environment_id = flight->job.environment_id,
			       .account_id = flight->job.account_id,
			       .type = STR("sync_job:drift"),
			       .payload = json_text(arena, json_builder_object(&payload)),
			       .created_ms = sync_now_ms(flight->syncs),
		       });
	return true;
}
