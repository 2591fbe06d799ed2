/* The pages of a list, one after another, into the copy. */
#include "ats/sync/flight.h"
#include "base/log.h"

enum {
	TRIES_MAX = 6,	       /* of one page, each of them with the tries of its calls */
	BACKOFF_MS = 1000,
	BACKOFF_MAX_MS = 30000,
	ASK_MS = 120000,       /* for one page */
	PAGE_RECORDS = 500, /* where nothing else is said */
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
	struct operation_memory memory;
	struct sync_flight *flight;
	struct arena arena;
	struct operation_result result;
	int64_t read_ms;
	int64_t records; /* of the page that are in this write */
	struct copy_counts counts;
	bool is_told;
	struct known_page before; /* answer empty: nothing is kept of it */
	struct known_page now;
	int64_t *numbers; /* of before.ids */
};

/* The place of the run is written with whatever has changed, and now and then. */
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

static bool tell(struct copy_companion *companion, struct arena *arena,
		 const struct copy_told *told, const struct store_statement **more,
		 size_t *more_count, struct error *err)
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
		      is_partial, NULL, &page->counts, &flight->err))
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
	flight->at.page++;
	return true;
}

static bool knows(struct operation_memory *memory, struct arena *arena, struct str answer,
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

static enum flight_end keep_page(struct page *page)
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
	const struct operation operation = {
		.account = &flight->account,
		.resource = flight->job.resource,
		.method = OPERATION_LIST,
		.filters = filters,
		.filter_count = filter_count,
		.limit = flight->page_records,
		.cursor = str_make(flight->at.cursor, flight->at.cursor_len),
		.memory = known_is_possible(flight) ? &page->memory : NULL,
	};
	enum flight_end end =
		flight_ask(flight, &page->arena, &operation, &page->result, &page->read_ms);

	if (end == FLIGHT_FAILED && is_cursor_refused(flight)) {
		LOG(LOG_WARNING, "sync_list_begun_anew", LOG_S(account_id, flight->job.account_id));
		flight->at.cursor_len = 0;
		flight->at.page = 0;
		flight->knows_no_pages = true;
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

/* Records so large that there is no room for as many are asked for again, in half the number. */
static bool is_too_much(struct sync_flight *flight, enum flight_end *end)
{
	if (*end != FLIGHT_FAILED || flight->err.code != ERROR_LIMIT || flight->page_records == 1)
		return false;
	flight->page_records /= 2;
	flight->at = flight->page_at;
	flight->shares = flight->page_shares;
	*end = FLIGHT_DONE;
	return true;
}

static void begin_list(struct sync_flight *flight)
{
	int64_t said = flight->syncs->options.page_records;

	if (flight->page_records == 0)
		flight->page_records = said > 0 ? said : PAGE_RECORDS;
	if (flight->at.cursor_len == 0)
		flight->at.page = 0;
}

enum flight_end flight_list(struct sync_flight *flight, const struct operation_filter *filters,
			    size_t filter_count)
{
	enum flight_end end;
	bool is_again;

	begin_list(flight);
	do {
		struct page page = {.companion = {tell}, .memory = {knows}, .flight = flight};

		arena_init(&page.arena, SYNC_PAGE_BYTES_MAX);
		flight->page_at = flight->at;
		flight->page_shares = flight->shares;
		end = judge_end(flight, read_page(&page, filters, filter_count));
		arena_finish(&page.arena);
		is_again = is_too_much(flight, &end);
	} while (end == FLIGHT_DONE && (is_again || flight->at.cursor_len > 0));
	return end;
}
