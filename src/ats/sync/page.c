/* The pages of a list, one after another, into the copy. */
#include "ats/sync/flight.h"
#include "base/log.h"

enum {
	TRIES_MAX = 6,	       /* of one page, each of them with the tries of its calls */
	BACKOFF_MS = 1000,
	BACKOFF_MAX_MS = 30000,
	ASK_MS = 120000,       /* for one page */
	PAGE_RECORDS = 500,    /* where nothing else is said */
	CHECKPOINT_MS = 2000,  /* while nothing changes */
	DETAILS_AT_ONCE = 16, /* and as the limiter lets them */
	TOLD_WAIT_MS = 2000,   /* a wait for the rate limit that is worth telling */
};

/* --- looking around -------------------------------------------------------------------------- */

static enum flight_end look_at_job(struct sync_flight *flight)
{
	struct sync_job job;
	struct arena arena;
	struct error err;
	enum flight_end end = FLIGHT_DONE;

	flight->claim->is_nudged = false;
	arena_init(&arena, SYNC_RUN_BYTES_MAX);
	if (!sync_job_show(flight->syncs, &arena, flight->job.environment_id, flight->job.id, &job,
			   &err)) {
		if (err.code == ERROR_NOT_FOUND)
			end = FLIGHT_GONE;
	} else if (job.fence != flight->run.fence) {
		end = FLIGHT_GONE;
	} else if (job.state != SYNC_ACTIVE) {
		end = job.state == SYNC_PAUSED ? FLIGHT_LEFT : FLIGHT_STOPPED;
	} else {
		flight->job.share_percent = job.share_percent;
		flight->job.window = job.window;
		flight->job.interval_ms = job.interval_ms;
		flight->job.full_interval_ms = job.full_interval_ms;
		flight->job.details_ms = job.details_ms;
	}
	arena_finish(&arena);
	return end;
}

enum flight_end flight_look(struct sync_flight *flight)
{
	int64_t opens_ms;

	if (flight->runner->is_stopping || loop_is_interrupted())
		return FLIGHT_LEFT;
	if (!sync_claim_holds(flight->syncs, flight->claim))
		return FLIGHT_GONE;
	if (flight->claim->is_nudged) {
		enum flight_end end = look_at_job(flight);

		if (end != FLIGHT_DONE)
			return end;
	}
	return sync_window_is_open(&flight->job.window, sync_now_ms(flight->syncs), &opens_ms)
		       ? FLIGHT_DONE
		       : FLIGHT_LEFT;
}

/* --- asking ---------------------------------------------------------------------------------- */

static bool is_passing(const struct error *err)
{
	return err->code == ERROR_UPSTREAM || err->code == ERROR_TIMEOUT ||
	       err->code == ERROR_UNAVAILABLE || err->code == ERROR_OUTCOME_UNKNOWN;
}

static int64_t find_wait(struct sync_flight *flight, int tries)
{
	int64_t most = BACKOFF_MAX_MS;

	if (flight->err.code == ERROR_RATE_LIMITED)
		return flight->err.retry_after_ms > 0 ? flight->err.retry_after_ms : BACKOFF_MS;
	if (tries < 5)
		most = BACKOFF_MS << tries;
	most = most / 2 + (int64_t)random_below(flight->services->random, (uint64_t)most / 2 + 1);
	return flight->err.retry_after_ms > most ? flight->err.retry_after_ms : most;
}

/* What the ATS says of how long to wait is obeyed to the end; who looks sees why it takes long. */
static enum flight_end wait_ms(struct sync_flight *flight, int64_t ms)
{
	struct loop *loop = flight->runner->loop;
	int64_t end_ns = clock_monotonic_ns(flight->services->clock) + ms * 1000000;
	bool is_told = ms >= TOLD_WAIT_MS && flight->err.code == ERROR_RATE_LIMITED;
	enum flight_end end = FLIGHT_DONE;

	if (is_told) {
		flight->run.status = STR("rate_limited");
		if (!flight_checkpoint(flight, &end))
			return end;
	}
	while (end == FLIGHT_DONE && clock_monotonic_ns(loop_clock(loop)) < end_ns) {
		sync_claim_wait(flight->syncs, flight->claim, end_ns);
		end = flight_look(flight);
	}
	flight->run.wait_ms += ms;
	if (is_told)
		flight->run.status = STR("running");
	return end;
}

static void add_costs(struct sync_flight *flight, const struct operation_result *result)
{
	flight->run.calls += result->calls;
	flight->run.retries += result->retries;
	flight->run.wait_ms += result->wait_ns / 1000000;
}

enum flight_end flight_ask(struct sync_flight *flight, struct arena *arena,
			   const struct operation *operation, struct operation_result *result,
			   int64_t *read_ms)
{
	struct operation asked = *operation;

	asked.is_background = true;
	asked.share_percent = flight->job.share_percent;
	for (int tries = 0;;) {
		enum flight_end end = flight_look(flight);

		if (end != FLIGHT_DONE)
			return end;
		asked.deadline_ns = clock_monotonic_ns(flight->services->clock) +
				    (int64_t)ASK_MS * 1000000;
		*read_ms = sync_now_ms(flight->syncs);
		bool ok = operation_run(flight->services, arena, &asked, result, &flight->err);
		add_costs(flight, result);
		if (ok)
			return FLIGHT_DONE;
		end = flight_look(flight);
		if (end != FLIGHT_DONE)
			return end;
		flight->remote = arena_str(&flight->arena, str_slice(result->remote_body, 0, 2000));
		if (flight->err.code != ERROR_RATE_LIMITED &&
		    (!is_passing(&flight->err) || ++tries == TRIES_MAX))
			return FLIGHT_FAILED;
		arena_finish(arena);
		end = wait_ms(flight, find_wait(flight, tries));
		if (end != FLIGHT_DONE)
			return end;
	}
}

/* --- one page -------------------------------------------------------------------------------- */

struct page {
	struct copy_companion companion;
	struct sync_flight *flight;
	struct arena arena;
	struct operation_result result;
	int64_t read_ms;
	int64_t records; /* of the page that are in this write */
	struct copy_counts counts;
	bool is_told;
};

/* The place of the run is written with whatever has changed, and now and then. */
static bool tell(struct copy_companion *companion, struct arena *arena, const int64_t *numbers,
		 size_t count, const struct copy_counts *counts,
		 const struct store_statement **more, size_t *more_count, struct error *err)
{
	struct page *page = (struct page *)companion;
	struct sync_flight *flight = page->flight;
	bool has_changed = counts->created + counts->updated + counts->deleted > 0;

	(void)err;
	for (size_t i = 0; i < count; i++)
		if (numbers[i] > 0)
			seen_mark(&flight->seen, numbers[i]);
	page->is_told = has_changed ||
			sync_now_ms(flight->syncs) - flight->told_ms >= CHECKPOINT_MS;
	if (page->is_told)
		flight_statements(flight, arena, page->records, counts, more, more_count);
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
		      is_partial, NULL, &page->counts, &flight->err))
		return false;
	add_counts(flight, page);
	if (page->is_told)
		flight_told(flight);
	return true;
}

/* The latest moment of the records, by the ATS's clock. */
static void note_marks(struct sync_flight *flight, struct json items)
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
	if (latest.len > 0 && clock_parse(latest, &ns) && ns / 1000000 > flight->mark_ms)
		flight->mark_ms = ns / 1000000;
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
			       &flight->err))
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

/* --- the list -------------------------------------------------------------------------------- */

static bool move_on(struct sync_flight *flight, struct str cursor)
{
	if (cursor.len > SYNC_CURSOR_BYTES_MAX)
		return error_set(&flight->err, ERROR_LIMIT, "the list's cursor is too long");
	flight->at.cursor_len = cursor.len;
	if (cursor.len > 0)
		memcpy(flight->at.cursor, cursor.data, cursor.len);
	return true;
}

static enum flight_end keep_page(struct page *page)
{
	struct sync_flight *flight = page->flight;
	struct json items = page->result.items;

	if (flight->run.is_full)
		for (size_t i = 0; i < items.count; i++)
			shares_count(&flight->arena, &flight->shares, items.items[i]);
	note_marks(flight, items);
	if (flight->job.is_expanded && page->result.is_partial)
		return put_expanded(page);
	return put(page, items.items, items.count, page->result.is_partial, NULL)
		       ? FLIGHT_DONE
		       : FLIGHT_FAILED;
}

/* A cursor is good for one state of the connector's files: with another the list begins anew. */
static bool is_cursor_refused(const struct sync_flight *flight)
{
	return flight->err.code == ERROR_INVALID && flight->at.cursor_len > 0 &&
	       strcmp(flight->err.field, "next_cursor") == 0;
}

static enum flight_end read_page(struct page *page, const struct operation_filter *filters,
				 size_t filter_count)
{
	struct sync_flight *flight = page->flight;
	int64_t page_records = flight->syncs->options.page_records;
	const struct operation operation = {
		.account = &flight->account,
		.resource = flight->job.resource,
		.method = OPERATION_LIST,
		.filters = filters,
		.filter_count = filter_count,
		.limit = page_records > 0 ? page_records : PAGE_RECORDS,
		.cursor = str_make(flight->at.cursor, flight->at.cursor_len),
	};
	enum flight_end end =
		flight_ask(flight, &page->arena, &operation, &page->result, &page->read_ms);

	if (end == FLIGHT_FAILED && is_cursor_refused(flight)) {
		LOG(LOG_WARNING, "sync_list_begun_anew", LOG_S(account_id, flight->job.account_id));
		flight->at.cursor_len = 0;
		return read_page(page, filters, filter_count);
	}
	if (end != FLIGHT_DONE)
		return end;
	flight->at.is_cut |= page->result.next_cursor.len > 0 || page->result.further_pages > 0;
	if (!move_on(flight, page->result.next_cursor))
		return FLIGHT_FAILED;
	return keep_page(page);
}

/* A write that was refused: the job is somebody else's, or the account is gone. */
static enum flight_end judge_end(const struct sync_flight *flight, enum flight_end end)
{
	return end == FLIGHT_FAILED && flight->err.code == ERROR_CONFLICT ? FLIGHT_GONE : end;
}

enum flight_end flight_list(struct sync_flight *flight, const struct operation_filter *filters,
			    size_t filter_count)
{
	enum flight_end end;

	do {
		struct page page = {.companion = {tell}, .flight = flight};

		arena_init(&page.arena, SYNC_PAGE_BYTES_MAX);
		end = judge_end(flight, read_page(&page, filters, filter_count));
		arena_finish(&page.arena);
	} while (end == FLIGHT_DONE && flight->at.cursor_len > 0);
	return end;
}
