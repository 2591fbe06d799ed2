/* Lists that an ATS gives only under a record of another resource: one list for each of them that
 * the copy has. */
#include "ats/sync/flight.h"

enum { PORTION = 100 };

/* What of the copy belongs to the parent and was not in its list just now is gone. */
static enum flight_end drop_rest(struct sync_flight *flight, const struct copy_record *parent,
				 int64_t read_ms)
{
	enum flight_end end = FLIGHT_DONE;
	struct copy_counts counts = {0};
	struct arena arena;

	arena_init(&arena, SYNC_PAGE_BYTES_MAX);
	if (!sync_drop_rest(flight->syncs, &arena, &flight->place, flight->resource,
			    flight->resource->sync.each, parent->id, &flight->seen, read_ms,
			    flight_guard(flight, &arena), &counts, &flight->err))
		end = flight->err.code == ERROR_CONFLICT ? FLIGHT_GONE : FLIGHT_FAILED;
	flight->run.counts.deleted += counts.deleted;
	arena_finish(&arena);
	return end;
}

static enum flight_end take_parent(struct sync_flight *flight, const struct copy_record *parent)
{
	const struct operation_filter filter = {flight->resource->sync.each, parent->id};
	int64_t read_ms = sync_now_ms(flight->syncs);
	enum flight_end end = FLIGHT_DONE;

	if (parent->deleted_ms == 0)
		end = flight_list(flight, &filter, 1);
	/* It has gone since it was read. */
	if (end == FLIGHT_FAILED && flight->err.code == ERROR_NOT_FOUND)
		end = FLIGHT_DONE;
	if (end == FLIGHT_DONE && !flight->run.is_full)
		end = drop_rest(flight, parent, read_ms);
	if (end != FLIGHT_DONE)
		return end;
	flight->at.parent = parent->number;
	flight->at.cursor_len = 0;
	return FLIGHT_DONE;
}

static enum flight_end take_portion(struct sync_flight *flight, const struct copy_record *list,
				    size_t count)
{
	enum flight_end end = FLIGHT_DONE;

	for (size_t i = 0; i < count && end == FLIGHT_DONE; i++) {
		if (!flight->run.is_full && list[i].changed_ms < flight->job.since_ms) {
			flight->at.parent = list[i].number;
			continue;
		}
		end = take_parent(flight, &list[i]);
	}
	return end;
}

enum flight_end flight_each(struct sync_flight *flight)
{
	const struct copy_place parents = {flight->place.environment_id, flight->place.account_id,
					   flight->resource->sync.parent};
	enum flight_end end = FLIGHT_DONE;
	struct copy_record *list;
	size_t count = 0;

	do {
		struct arena arena;

		arena_init(&arena, SYNC_PAGE_BYTES_MAX);
		if (!copy_walk(flight->syncs->options.copies, &arena, &parents, flight->at.parent,
			       PORTION, !flight->run.is_full, &list, &count, &flight->err))
			end = FLIGHT_FAILED;
		if (end == FLIGHT_DONE)
			end = take_portion(flight, list, count);
		arena_finish(&arena);
	} while (end == FLIGHT_DONE && count == PORTION);
	return end;
}
