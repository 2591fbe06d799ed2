/* A page of a list, into the copy. */
#include "ats/sync/flight.h"

enum {
	CHECKPOINT_MS = 2000, /* while nothing changes */
	DETAILS_AT_ONCE = 16, /* and as the limiter lets them */
};

/* --- what is written -------------------------------------------------------------------------- */

static bool is_due(const struct sync_flight *flight)
{
	return sync_now_ms(flight->syncs) - flight->told_ms >= CHECKPOINT_MS;
}

static void mark_seen(struct sync_flight *flight, const int64_t *numbers, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (numbers[i] > 0)
			seen_mark(&flight->seen, numbers[i]);
}

/* Is the page to be known the next time, and not as it is kept already? */
static bool is_news(struct page *page, const struct copy_told *told)
{
	struct known_page *now = &page->now;

	now->stand = told->stand;
	now->ids = told->ids;
	now->id_count = (int64_t)told->id_count;
	return now->answer.len > 0 && now->stand.len > 0 &&
	       (!str_equal(now->answer, page->before.answer) ||
		!str_equal(now->stand, page->before.stand));
}

static void add_known(struct page *page, struct arena *arena,
		      const struct store_statement **more, size_t *more_count)
{
	struct store_statement *all = arena_array(arena, *more_count + 1, sizeof *all);

	memcpy(all, *more, *more_count * sizeof *all);
	all[(*more_count)++] = known_keep(page->flight, arena, &page->now);
	*more = all;
}

/* The place of the run is written with whatever has changed, and now and then. */
bool page_tell(struct copy_companion *companion, struct arena *arena, const struct copy_told *told,
	       const struct store_statement **more, size_t *more_count, struct error *err)
{
	struct page *page = (struct page *)companion;
	struct sync_flight *flight = page->flight;
	const struct copy_counts *counts = told->counts;
	bool has_changed = counts->created + counts->updated + counts->deleted > 0;
	bool has_news = is_news(page, told);

	(void)err;
	mark_seen(flight, told->numbers, told->count);
	page->is_told = has_changed || has_news || is_due(flight);
	if (page->is_told)
		flight_statements(flight, arena, page->records, counts, more, more_count);
	if (has_news)
		add_known(page, arena, more, more_count);
	return true;
}

static void add_counts(struct sync_flight *flight, const struct page *page)
{
	flight->run.records += page->records;
	flight->run.counts.created += page->counts.created;
	flight->run.counts.updated += page->counts.updated;
	flight->run.counts.deleted += page->counts.deleted;
	flight->run.counts.unchanged += page->counts.unchanged + page->counts.stale;
}

static bool put(struct page *page, const struct json *records, size_t count, bool is_partial,
		const struct json *listed)
{
	struct sync_flight *flight = page->flight;
	const struct copy_write write = {
		.place = flight->place,
		.read_ms = page->read_ms,
		.is_silent = flight->before.whole_ms == 0 && !flight->job.tells_first,
		.gives_way = true,
		.companion = &page->companion,
		.listed = listed,
		.is_rough = page->result.is_rough,
	};

	page->records = (int64_t)count;
	page->counts = (struct copy_counts){0};
	page->is_told = false;
	if (!copy_put(flight->syncs->options.copies, &page->arena, &write, records, count,
		      is_partial, NULL, &page->counts, &page->err))
		return false;
	add_counts(flight, page);
	if (page->is_told)
		flight_told(flight);
	return true;
}

/* The latest moment of the records, by the ATS's clock; 0: they tell none. */
static int64_t find_mark(const struct sync_flight *flight, struct json items)
{
	const char *field = flight->is_by_creation ? "created_at" : "updated_at";
	struct str latest = {NULL, 0};
	int64_t ns;

	/* All are of one spelling, in which the order is that of the texts. */
	for (size_t i = 0; i < items.count; i++) {
		struct str at = json_get_str(items.items[i], field);

		if (str_compare(at, latest) > 0)
			latest = at;
	}
	return latest.len > 0 && clock_parse(latest, &ns) ? ns / 1000000 : 0;
}

/* What the page tells besides its records. */
static void note(struct sync_flight *flight, const struct known_page *page)
{
	if (page->mark_ms > flight->mark_ms)
		flight->mark_ms = page->mark_ms;
	if (flight->run.is_full)
		shares_add(&flight->arena, &flight->shares, &page->shares);
}

/* --- records whole --------------------------------------------------------------------------- */

struct details {
	struct page *page;
	const struct json *items; /* as listed */
	struct json *whole;	  /* undefined: gone */
	size_t count;
	size_t next;
	enum flight_end end;
	struct loop_group group;
};

static enum flight_end fetch_whole(struct details *details, size_t i)
{
	struct sync_flight *flight = details->page->flight;
	struct operation operation = {
		.account = &flight->account,
		.resource = flight->job.resource,
		.method = OPERATION_GET,
		.id = json_get_str(details->items[i], "id"),
		.limit = 1,
	};
	struct operation_result result;
	struct arena arena;
	int64_t read_ms;

	arena_init(&arena, SYNC_PAGE_BYTES_MAX);
	enum flight_end end = flight_ask(flight, &arena, &operation, &result, &read_ms);
	if (end == FLIGHT_DONE)
		details->whole[i] = json_copy(&details->page->arena, result.item);
	else if (end == FLIGHT_FAILED && flight->err.code == ERROR_NOT_FOUND)
		end = FLIGHT_DONE;
	arena_finish(&arena);
	return end;
}

static void fetch_some(void *context)
{
	struct details *details = context;

	while (details->end == FLIGHT_DONE && details->next < details->count) {
		enum flight_end end = fetch_whole(details, details->next++);

		if (end != FLIGHT_DONE)
			details->end = end;
	}
	loop_group_done(&details->group);
}

static enum flight_end fetch_details(struct details *details)
{
	struct page *page = details->page;

	details->whole = arena_zero(&page->arena, (details->count + 1) * sizeof *details->whole);
	for (size_t i = 0; i < DETAILS_AT_ONCE && i < details->count; i++)
		loop_group_spawn(&details->group, fetch_some, details);
	loop_group_join(&details->group);
	return details->end;
}

/* What a list does not tell of may change without it: on full runs some are fetched again. */
static bool is_old(const struct sync_flight *flight, int64_t number)
{
	return flight->run.is_full && flight->before.swept_ms > 0 &&
	       sync_is_turn(number, flight->job.details_ms, flight->before.swept_ms,
			    flight->run.started_ms);
}

/* Those that the list tells otherwise than the last time are fetched whole. */
static enum flight_end put_expanded(struct page *page)
{
	struct sync_flight *flight = page->flight;
	struct json items = page->result.items;
	bool *is_changed = arena_zero(&page->arena, items.count + 1);
	int64_t *numbers = arena_array(&page->arena, items.count + 1, sizeof *numbers);
	struct json *same = arena_array(&page->arena, items.count + 1, sizeof *same);
	struct json *listed = arena_array(&page->arena, items.count + 1, sizeof *listed);
	struct details details = {.page = page, .items = listed};
	size_t same_count = 0, whole_count = 0;

	if (!copy_find_changed(flight->syncs->options.copies, &page->arena, &flight->place,
			       page->result.is_rough, items.items, items.count, is_changed, numbers,
			       &page->err))
		return FLIGHT_FAILED;
	for (size_t i = 0; i < items.count; i++)
		if (is_changed[i] || is_old(flight, numbers[i]))
			listed[details.count++] = items.items[i];
		else
			same[same_count++] = items.items[i];
	enum flight_end end = fetch_details(&details);
	if (end != FLIGHT_DONE)
		return end;
	for (size_t i = 0; i < details.count; i++) {
		if (!json_is(details.whole[i], JSON_OBJECT))
			continue;
		details.whole[whole_count] = details.whole[i];
		listed[whole_count++] = listed[i];
	}
	if (!put(page, same, same_count, true, NULL) ||
	    !put(page, details.whole, whole_count, false, listed))
		return FLIGHT_FAILED;
	return FLIGHT_DONE;
}

/* --- known pages ----------------------------------------------------------------------------- */

bool page_knows(struct operation_memory *memory, struct arena *arena, struct str answer,
		struct str *next_cursor)
{
	struct page *page = (struct page *)((char *)memory - offsetof(struct page, memory));
	struct sync_flight *flight = page->flight;
	struct error err;

	/* Where it cannot be read it is taken for a new one. */
	if (!known_find(flight, arena, &page->before, &err))
		page->before.answer.len = 0;
	if (!str_equal(page->before.answer, answer))
		return false;
	page->numbers =
		arena_array(arena, (size_t)page->before.id_count + 1, sizeof *page->numbers);
	*next_cursor = page->before.next_cursor;
	return known_holds(flight, arena, &page->before, page->numbers, &err);
}

/* As if it had been put, and nothing had changed. */
static enum flight_end keep_known(struct page *page)
{
	struct sync_flight *flight = page->flight;
	const struct known_page *before = &page->before;
	enum flight_end end = FLIGHT_DONE;

	flight->syncs->counts.pages_known++;
	mark_seen(flight, page->numbers, (size_t)before->id_count);
	note(flight, before);
	flight->run.records += before->records;
	flight->run.counts.unchanged += before->id_count;
	copy_note_unchanged(flight->syncs->options.copies, before->id_count);
	flight->is_keeping = false;
	if (is_due(flight))
		(void)flight_checkpoint(flight, &end);
	return end;
}

static void look_at_items(struct page *page)
{
	struct sync_flight *flight = page->flight;
	struct operation_result *result = &page->result;
	struct json items = result->items;

	page->now = (struct known_page){
		.answer = result->answer,
		.records = (int64_t)items.count,
		.mark_ms = find_mark(flight, items),
		.next_cursor = result->next_cursor,
	};
	for (size_t i = 0; flight->run.is_full && i < items.count; i++)
		shares_count(&page->arena, &page->now.shares, items.items[i]);
}

/* --- keeping it ------------------------------------------------------------------------------- */

enum flight_end page_keep(struct page *page)
{
	struct sync_flight *flight = page->flight;
	struct json items = page->result.items;

	if (page->result.is_known)
		return keep_known(page);
	flight->syncs->counts.pages_read++;
	look_at_items(page);
	note(flight, &page->now);
	if (flight->job.is_expanded && page->result.is_partial)
		return put_expanded(page);
	return put(page, items.items, items.count, page->result.is_partial, NULL)
		       ? FLIGHT_DONE
		       : FLIGHT_FAILED;
}
