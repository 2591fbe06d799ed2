/* The pages of a list, one after another. */
#include "ats/sync/flight.h"
#include "base/log.h"

enum { PAGE_RECORDS = 500 /* where nothing else is said */ };

/* Asks for the page at which the flight is. */
static void ask(struct sync_flight *flight, const struct operation_filter *filters,
		size_t filter_count, struct page *page)
{
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

	*page = (struct page){
		.companion = {page_tell}, .memory = {page_knows}, .flight = flight};
	arena_init(&page->arena, SYNC_PAGE_BYTES_MAX);
	page->end = flight_ask(flight, &page->arena, &operation, &page->result, &page->read_ms);
}

/* --- what may be done about a failure --------------------------------------------------------- */

/* A write that was refused: the job is somebody else's, or the account is gone. */
static enum flight_end judge_end(const struct sync_flight *flight, enum flight_end end)
{
	return end == FLIGHT_FAILED && flight->err.code == ERROR_CONFLICT ? FLIGHT_GONE : end;
}

/* Records so large that there is no room for as many are asked for again, in half the number. */
static bool is_too_much(struct sync_flight *flight, enum flight_end end)
{
	if (end != FLIGHT_FAILED || flight->err.code != ERROR_LIMIT || flight->page_records == 1)
		return false;
	flight->page_records /= 2;
	return true;
}

/* A cursor is good for one state of the connector's files: with another the list begins anew. */
static bool is_begun_anew(struct sync_flight *flight, enum flight_end end)
{
	if (end != FLIGHT_FAILED || flight->err.code != ERROR_INVALID ||
	    flight->at.cursor_len == 0 || strcmp(flight->err.field, "next_cursor") != 0)
		return false;
	LOG(LOG_WARNING, "sync_list_begun_anew", LOG_S(account_id, flight->job.account_id));
	flight->at.cursor_len = 0;
	flight->at.page = 0;
	flight->knows_no_pages = true;
	return true;
}

/* --- keeping --------------------------------------------------------------------------------- */

static bool move_on(struct sync_flight *flight, const struct operation_result *result)
{
	struct str cursor = result->next_cursor;

	if (cursor.len > SYNC_CURSOR_BYTES_MAX)
		return error_set(&flight->err, ERROR_INTERNAL, "the list's cursor is too long");
	flight->page_at = flight->at;
	flight->page_shares = flight->shares;
	flight->at.is_cut |= cursor.len > 0 || result->further_pages > 0;
	flight->at.cursor_len = cursor.len;
	if (cursor.len > 0)
		memcpy(flight->at.cursor, cursor.data, cursor.len);
	flight->at.page++;
	flight->is_keeping = true;
	return true;
}

/* What is not kept is not passed. */
static void keep(struct sync_flight *flight, struct page *page)
{
	page->end = page_keep(page);
	flight->is_keeping = false;
	if (page->end == FLIGHT_DONE)
		return;
	flight->at = flight->page_at;
	flight->shares = flight->page_shares;
	if (page->err.code != ERROR_NONE)
		flight->err = page->err;
	page->end = judge_end(flight, page->end);
}

/* *is_again: the page is to be asked for once more. */
static enum flight_end take(struct sync_flight *flight, struct page *page, bool *is_again)
{
	if (page->end == FLIGHT_DONE && !move_on(flight, &page->result))
		page->end = FLIGHT_FAILED;
	else if (page->end == FLIGHT_DONE)
		keep(flight, page);
	*is_again = is_begun_anew(flight, page->end) || is_too_much(flight, page->end);
	return *is_again ? FLIGHT_DONE : page->end;
}

static void begin(struct sync_flight *flight)
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

	begin(flight);
	do {
		struct page page;

		ask(flight, filters, filter_count, &page);
		end = take(flight, &page, &is_again);
		arena_finish(&page.arena);
	} while (end == FLIGHT_DONE && (is_again || flight->at.cursor_len > 0));
	return end;
}
