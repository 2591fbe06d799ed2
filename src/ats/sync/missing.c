/* After a sweep: records of the copy that it has not met. One that the ATS has no more is asked for
 * by its id where there is a way; else it must be missing in two sweeps in a row, for a list may
 * pass over a record while others move. */
#include "ats/sync/flight.h"
#include "base/log.h"

enum {
	PORTION = 500,
	CHECKS_MAX = 200,    /* of a run: asked for one by one */
	GUARD_RECORDS = 50,  /* more of them missing than this, */
	GUARD_PERCENT = 10,  /* and than so many percent of the copy: nothing is believed */
};

struct search {
	struct copy_companion companion;
	struct sync_flight *flight;
	struct arena arena;
	const struct copy_missing *list;
	size_t count;
	struct str *gone;
	size_t gone_count;
	struct store_statement *notes;
	size_t note_count;
};

static bool find(struct sync_flight *flight, struct arena *arena, int64_t after,
		 struct copy_missing **list, size_t *count)
{
	return copy_find_missing(flight->syncs->options.copies, arena, &flight->place,
				 flight->seen.bits, flight->seen.bytes, after,
				 flight->run.started_ms, PORTION, list, count, &flight->err);
}

/* --- the guard ------------------------------------------------------------------------------- */

static bool count_all(struct sync_flight *flight, int64_t *total)
{
	struct copy_missing *list;
	int64_t after = 0;
	size_t count = 0;
	bool ok = true;

	*total = 0;
	do {
		struct arena arena;

		arena_init(&arena, SYNC_PAGE_BYTES_MAX);
		ok = find(flight, &arena, after, &list, &count);
		if (ok && count > 0)
			after = list[count - 1].number;
		*total += ok ? (int64_t)count : 0;
		arena_finish(&arena);
	} while (ok && count == PORTION);
	return ok;
}

static enum flight_end guard(struct sync_flight *flight)
{
	struct copy_state state;
	int64_t total;

	if (!count_all(flight, &total) ||
	    !copy_read_state(flight->syncs->options.copies, &flight->arena, &flight->place, &state,
			     &flight->err))
		return FLIGHT_FAILED;
	if (flight->run.allows_deletions || total <= GUARD_RECORDS ||
	    total * 100 <= state.record_count * GUARD_PERCENT)
		return FLIGHT_DONE;
	flight->reason = "deletion_guard";
	error_set(&flight->err, ERROR_CONFLICT,
		  "%lld of %lld records are not in the list any more: nothing was deleted; if that "
		  "is right, run the job with allow_deletions",
		  (long long)total, (long long)state.record_count);
	return FLIGHT_FAILED;
}

/* --- one by one ------------------------------------------------------------------------------ */

/* A record can be asked for by its id alone, without a search through lists. */
static bool can_ask(const struct unified_resource *resource)
{
	for (size_t i = 0; i < resource->get.count; i++)
		if (resource->get.alternatives[i].when_count == 0)
			return resource->get.alternatives[i].find_calls_max == 0;
	return false;
}

static bool tell(struct copy_companion *companion, struct arena *arena,
		 const struct copy_told *told, const struct store_statement **more,
		 size_t *more_count, struct error *err)
{
	struct search *search = (struct search *)companion;

	(void)err;
	flight_statements(search->flight, arena, 0, told->counts, more, more_count);
	return true;
}

static enum flight_end remove_some(struct search *search, struct copy_write *write,
				   const struct str *ids, size_t count)
{
	struct sync_flight *flight = search->flight;
	struct copy_counts counts = {0};

	write->place = flight->place;
	write->companion = &search->companion;
	if (!copy_remove(flight->syncs->options.copies, &search->arena, write, ids, count, &counts,
			 &flight->err))
		return flight->err.code == ERROR_CONFLICT ? FLIGHT_GONE : FLIGHT_FAILED;
	flight->run.counts.deleted += counts.deleted;
	flight_told(flight);
	return FLIGHT_DONE;
}

/* What a get tells is written as of the time of the get: a list that was asked before it does not
 * bring the record back. */
static enum flight_end ask(struct search *search, const struct copy_missing *missing)
{
	struct sync_flight *flight = search->flight;
	const struct operation operation = {
		.account = &flight->account,
		.resource = flight->job.resource,
		.method = OPERATION_GET,
		.id = missing->id,
		.limit = 1,
	};
	struct copy_write write = {.place = flight->place};
	struct operation_result result;
	struct copy_counts counts;
	struct arena arena;

	arena_init(&arena, SYNC_PAGE_BYTES_MAX);
	enum flight_end end = flight_ask(flight, &arena, &operation, &result, &write.read_ms);
	flight->at.checked++;
	if (end == FLIGHT_DONE)
		write.is_rough = result.is_rough;
	if (end == FLIGHT_FAILED && flight->err.code == ERROR_NOT_FOUND) {
		end = remove_some(search, &write, &missing->id, 1);
	} else if (end == FLIGHT_DONE &&
		   !copy_put(flight->syncs->options.copies, &arena, &write, &result.item, 1,
			     result.is_partial, NULL, &counts, &flight->err)) {
		end = FLIGHT_FAILED;
	} else if (end == FLIGHT_DONE) {
		flight->run.counts.created += counts.created;
		flight->run.counts.updated += counts.updated;
	}
	arena_finish(&arena);
	return end;
}

/* Each list was one answer: nothing can have moved past it. But one without any record is not
 * taken at its word. */
static bool is_certain(const struct sync_flight *flight)
{
	return !flight->at.is_cut && flight->run.records > 0;
}

static enum flight_end judge(struct search *search, const struct copy_missing *missing)
{
	struct sync_flight *flight = search->flight;

	if (is_certain(flight) || missing->missing_ms != 0)
		search->gone[search->gone_count++] = missing->id;
	else if (flight->at.checked < CHECKS_MAX && can_ask(flight->resource))
		return ask(search, missing);
	else
		search->notes[search->note_count++] =
			copy_note_missing(&search->arena, &flight->place, missing->number,
					  sync_now_ms(flight->syncs));
	return FLIGHT_DONE;
}

/* --- a portion ------------------------------------------------------------------------------- */

static enum flight_end write_portion(struct search *search)
{
	struct sync_flight *flight = search->flight;
	struct copy_write write = {
		/* What was read since the sweep began is not missing. */
		.read_ms = flight->run.started_ms,
		.more = search->notes,
		.more_count = search->note_count,
	};

	flight->at.after = search->list[search->count - 1].number;
	return remove_some(search, &write, search->gone, search->gone_count);
}

static enum flight_end take_portion(struct search *search)
{
	enum flight_end end = FLIGHT_DONE;

	search->gone = arena_array(&search->arena, search->count, sizeof *search->gone);
	search->notes = arena_array(&search->arena, search->count, sizeof *search->notes);
	for (size_t i = 0; i < search->count && end == FLIGHT_DONE; i++)
		end = judge(search, &search->list[i]);
	return end == FLIGHT_DONE ? write_portion(search) : end;
}

enum flight_end flight_missing(struct sync_flight *flight)
{
	enum flight_end end = guard(flight);
	bool is_last = false;

	while (end == FLIGHT_DONE && !is_last) {
		struct search search = {.companion = {tell}, .flight = flight};
		struct copy_missing *list;

		arena_init(&search.arena, SYNC_PAGE_BYTES_MAX);
		if (!find(flight, &search.arena, flight->at.after, &list, &search.count))
			end = FLIGHT_FAILED;
		search.list = list;
		is_last = search.count < PORTION;
		if (end == FLIGHT_DONE && search.count > 0)
			end = take_portion(&search);
		arena_finish(&search.arena);
	}
	return end;
}
