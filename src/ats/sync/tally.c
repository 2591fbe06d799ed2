/* How the jobs stand, for the operator. */
#include "ats/sync/parts.h"

enum { TALLY_BYTES_MAX = 64 * 1024 };

#define OF_ENVIRONMENT "(CAST(?1 AS TEXT) = '' OR environment_id = ?1)"

static bool tally_jobs(struct syncs *syncs, struct arena *arena, const struct store_value *values,
		       struct sync_tally *tally, struct error *err)
{
	struct store_rows rows;

	if (!store_query(syncs->options.store, arena,
			 "SELECT state, count(*), count(*) FILTER (WHERE owner <> ''),"
			 " count(*) FILTER (WHERE owner = '' AND next_ms <= ?2),"
			 " count(*) FILTER (WHERE failures > 0),"
			 " min(next_ms) FILTER (WHERE owner = '' AND next_ms <= ?2)"
			 " FROM sync_job WHERE " OF_ENVIRONMENT " GROUP BY state",
			 values, 2, &rows, err))
		return false;
	for (size_t i = 0; i < rows.count; i++) {
		int64_t state = store_cell(&rows, i, 0)->integer;
		tally->jobs[state] = store_cell(&rows, i, 1)->integer;
		tally->running += store_cell(&rows, i, 2)->integer;
		if (state != SYNC_ACTIVE)
			continue;
		tally->due = store_cell(&rows, i, 3)->integer;
		tally->failing = store_cell(&rows, i, 4)->integer;
		tally->due_ms = tally->due > 0 ? store_cell(&rows, i, 5)->integer : 0;
	}
	return true;
}

bool sync_tally(struct syncs *syncs, struct str environment_id, struct sync_tally *tally,
		struct error *err)
{
	const struct store_value values[] = {store_text(environment_id),
					     store_int(sync_now_ms(syncs))};
	struct store_rows rows;
	struct arena arena;

	*tally = (struct sync_tally){0};
	arena_init(&arena, TALLY_BYTES_MAX);
	bool ok = tally_jobs(syncs, &arena, values, tally, err) &&
		  store_query(syncs->options.store, &arena,
			      "SELECT count(*) FROM sync_hint WHERE " OF_ENVIRONMENT, values, 1,
			      &rows, err);
	if (ok)
		tally->hints = store_cell(&rows, 0, 0)->integer;
	arena_finish(&arena);
	return ok;
}

bool sync_failing(struct syncs *syncs, struct arena *arena, struct str environment_id, size_t limit,
		  struct sync_job **list, size_t *count, struct error *err)
{
	const struct store_value values[] = {store_text(environment_id), store_int((int64_t)limit)};
	struct store_rows rows;

	if (!store_query(syncs->options.store, arena,
			 "SELECT" SYNC_JOB_COLUMNS "FROM sync_job WHERE state = 0 AND failures > 0"
			 " AND " OF_ENVIRONMENT " ORDER BY failures DESC, id LIMIT ?2",
			 values, 2, &rows, err))
		return false;
	*list = arena_array(arena, rows.count + 1, sizeof **list);
	*count = rows.count;
	for (size_t i = 0; i < rows.count; i++)
		if (!sync_read_job(arena, &rows, i, &(*list)[i], err))
			return false;
	return true;
}

const struct sync_counts *sync_counts(const struct syncs *syncs)
{
	return &syncs->counts;
}
