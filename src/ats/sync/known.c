/* Pages of a full run's list that are as they were the run before, to the byte, while nobody has
 * written their records since: there is nothing to be mapped, compared or written. What is kept of
 * each is the row of sync_page with its number in the list. */
#include "ats/sync/flight.h"

/* Of a list under each record of another resource a page has no number that lasts; and what is
 * fetched whole is more than the list tells. */
bool known_is_possible(const struct sync_flight *flight)
{
	return flight->run.is_full && !flight->knows_no_pages &&
	       flight->resource->sync.each.len == 0 && !flight->job.is_expanded;
}

static bool read_row(struct arena *arena, const struct store_rows *rows, struct known_page *page,
		     struct error *err)
{
	*page = (struct known_page){
		.answer = store_cell(rows, 0, 0)->bytes,
		.stand = store_cell(rows, 0, 1)->bytes,
		.ids = store_cell(rows, 0, 2)->bytes,
		.id_count = store_cell(rows, 0, 3)->integer,
		.records = store_cell(rows, 0, 4)->integer,
		.mark_ms = store_cell(rows, 0, 6)->integer,
		.next_cursor = store_cell(rows, 0, 7)->bytes,
	};
	return shares_read(arena, store_cell(rows, 0, 5)->bytes, &page->shares) ||
	       error_set(err, ERROR_INTERNAL, "the row of a sync job's page is damaged");
}

bool known_find(struct sync_flight *flight, struct arena *arena, struct known_page *page,
		struct error *err)
{
	const struct store_value values[] = {store_text(flight->job.environment_id),
					     store_text(flight->job.id),
					     store_int(flight->at.page)};
	struct store_rows rows;

	if (!store_query(flight->syncs->options.store, arena,
			 "SELECT answer, stand, ids, id_count, records, shares, mark_ms, next_cursor"
			 " FROM sync_page WHERE environment_id = ?1 AND job_id = ?2 AND page = ?3",
			 values, 3, &rows, err))
		return false;
	*page = (struct known_page){.records = 0};
	return rows.count == 0 || read_row(arena, &rows, page, err);
}

bool known_holds(struct sync_flight *flight, struct arena *arena, const struct known_page *page,
		 int64_t *numbers, struct error *err)
{
	struct str stand;

	return copy_read_stand(flight->syncs->options.copies, arena, &flight->place, page->ids,
			       (size_t)page->id_count, &stand, numbers, err) &&
	       str_equal(stand, page->stand);
}

struct store_statement known_keep(const struct sync_flight *flight, struct arena *arena,
				  const struct known_page *page)
{
	const struct store_value values[] = {
		store_text(flight->job.environment_id),
		store_text(flight->job.id),
		store_int(flight->at.page - 1), /* it is at the next one already */
		store_blob(page->answer),
		store_blob(page->stand),
		store_text(page->ids),
		store_int(page->id_count),
		store_int(page->records),
		store_text(shares_print(arena, &page->shares)),
		store_int(page->mark_ms),
		store_text(page->next_cursor),
	};

	return store_keep(
		arena,
		"INSERT INTO sync_page (environment_id, job_id, page, answer, stand, ids, id_count,"
		" records, shares, mark_ms, next_cursor) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8,"
		" ?9, ?10, ?11) ON CONFLICT (environment_id, job_id, page) DO UPDATE SET"
		" answer = excluded.answer, stand = excluded.stand, ids = excluded.ids,"
		" id_count = excluded.id_count, records = excluded.records,"
		" shares = excluded.shares, mark_ms = excluded.mark_ms,"
		" next_cursor = excluded.next_cursor",
		values, sizeof values / sizeof *values, 1);
}

struct store_statement known_forget(const struct sync_flight *flight, struct arena *arena,
				    int64_t pages)
{
	const struct store_value values[] = {store_text(flight->job.environment_id),
					     store_text(flight->job.id), store_int(pages)};

	return store_keep(arena,
			  "DELETE FROM sync_page WHERE environment_id = ?1 AND job_id = ?2"
			  " AND page >= ?3",
			  values, 3, -1);
}
