/* A page of a unified list: native pages are read until the limit, the end, or the bound of
 * calls. It may stop anywhere, also within a native record that has several records in it. */
#include "ats/operation/list.h"

#include <assert.h>
#include <stdio.h>

enum { BACKGROUND_RECORDS = 32 };

bool list_is_full(const struct listing *listing)
{
	return listing->items.count >= listing->limit;
}

bool list_has_memory(const struct run *run)
{
	return run->arena->bytes < run->arena->bytes_max / 2;
}

size_t list_first_child(const struct listing *listing, struct json record)
{
	const struct place *place = &listing->place;
	struct json id = place_member(record, STR("id"));

	if (place->children == 0)
		return 0;
	if (!json_is(place->parent, JSON_UNDEFINED) &&
	    (json_is(id, JSON_UNDEFINED) || place_compare(place->parent, id) != 0))
		return 0;
	return (size_t)place->children;
}

bool list_refuse(const struct run *run, const struct run_filter *lacking, struct error *err)
{
	char field[sizeof err->field];

	snprintf(field, sizeof field, "%.*s", STR_ARGS(lacking->name));
	return error_set_field(
		err, ERROR_INVALID, field, NULL, "%.*s does not tell of %.*s what \"%s\" compares",
		STR_ARGS(run->connector->label), STR_ARGS(run->resource->model->name), field);
}

/* One unified record, if it passes the filters. `place`: before it. */
static bool add_child(struct listing *listing, const struct place *place, struct json unified,
		      struct error *err)
{
	const struct run_filter *lacking = NULL;
	enum match match = filters_match(listing->run, unified, &lacking);

	if (match == MATCH_YES) {
		budget_note(listing->run, place);
		json_builder_add(&listing->items, unified);
	}
	return match != MATCH_UNKNOWN || list_refuse(listing->run, lacking, err);
}

/* False when the limit came within the record, or with !*ok. */
static bool add_children(struct listing *listing, struct mapping *mapping, struct json record,
			 bool *ok, struct error *err)
{
	struct json children = mapping_unwind(mapping, record);
	size_t first = list_first_child(listing, record);

	for (size_t i = first; i < children.count; i++) {
		struct place within = listing->place;

		if (i > 0) {
			within.parent = place_member(record, STR("id"));
			within.children = (int64_t)i;
		}
		if (list_is_full(listing)) {
			listing->has_moved = true;
			listing->place.parent = place_member(record, STR("id"));
			listing->place.children = (int64_t)i;
			return false;
		}
		*ok = add_child(listing, &within,
				mapping_record(mapping, record, json_at(children, i)), err);
		if (!*ok)
			return false;
	}
	if (first > 0) {
		listing->place.parent = json_undefined();
		listing->place.children = 0;
	}
	return true;
}

/* False when the limit came within the record, or, with !*ok, all of it could not be had. */
static bool add_record(struct listing *listing, struct mapping *mapping, struct json record,
		       bool *ok, struct error *err)
{
	bool is_gone = false;

	*ok = mapping->call->detail.method == NULL ||
	      mapping_fetch_detail(mapping, &record, &is_gone, err);
	return *ok && (is_gone || add_children(listing, mapping, record, ok, err));
}

/* Where nobody waits for the list others of this loop shall not wait for it either. */
static void give_way(const struct run *run, size_t taken)
{
	if (run->operation->is_background && taken % BACKGROUND_RECORDS == BACKGROUND_RECORDS - 1)
		loop_sleep_ms(0);
}

/* The window's records one after another; *taken of its items were passed. */
static bool add_records(struct listing *listing, struct mapping *mapping,
			const struct window *window, size_t *taken, struct error *err)
{
	bool ok = true;

	for (; ok && *taken < window->count; ++*taken) {
		struct json record = window->records.items[window->items[*taken]];

		if (list_is_full(listing) || !add_record(listing, mapping, record, &ok, err))
			break;
		give_way(listing->run, *taken);
		page_pass(mapping->call->method, &listing->place, window, *taken);
		listing->has_moved = true;
		ok = arena_check(listing->run->arena, err);
	}
	return ok;
}

/* *is_whole: all of the window was passed. */
static bool add_window(struct listing *listing, const struct unified_call *call,
		       const struct window *window, bool *is_whole, struct error *err)
{
	struct mapping mapping;
	size_t taken = 0;
	bool ok = mapping_init(&mapping, listing->run, call, window->body, err);

	if (ok)
		ok = call->detail.method == NULL && sift_is_needed(&mapping)
			     ? sift_window(listing, &mapping, window, &taken, err)
			     : add_records(listing, &mapping, window, &taken, err);
	*is_whole = taken == window->count;
	mapping_finish(&mapping);
	return ok;
}

/* How many native records to ask for: as many as are lacking. Where some of them may come to
 * nothing, more from the second time on, and at once where the size of pages is fixed by the
 * first. */
static int64_t find_want(const struct listing *listing, const struct connector_page *page)
{
	int64_t want = (int64_t)(listing->limit - listing->items.count);

	if (listing->is_sparse && (listing->fetches > 0 || page->style == PAGE_NUMBER) &&
	    want < page->size)
		return page->size;
	return want;
}

/* To where the next window begins; false at the end of the whole list. */
static bool move_on(struct listing *listing, const struct unified_call *call,
		    const struct window *window)
{
	listing->has_moved = true;
	if (!window->is_last) {
		listing->run->result->further_pages++;
		page_leave(call->method, &listing->place, window);
		return true;
	}
	if ((size_t)listing->place.call + 1 >= listing->run->plan->call_count)
		return false;
	place_next_call(&listing->place);
	return true;
}

/* What this credential may not see, or this account does not have, is left out and told. */
static bool is_refused(const struct listing *listing, const struct unified_call *call,
		       const struct error *err)
{
	if (!call->is_optional ||
	    (err->code != ERROR_FORBIDDEN && err->code != ERROR_NOT_FOUND))
		return false;
	listing->run->result->is_partial = true;
	listing->run->result->remote_status = 0;
	listing->run->result->remote_body = (struct str){NULL, 0};
	return true;
}

/* A list by the id of something: that is then what was not found. */
static void name_missing(const struct unified_call *call, struct error *err)
{
	for (size_t i = 0; i < call->argument_count; i++)
		if (err->code == ERROR_NOT_FOUND && err->field[0] == '\0' &&
		    call->arguments[i].is_path)
			snprintf(err->field, sizeof err->field, "%.*s",
				 STR_ARGS(call->arguments[i].filter));
}

/* The calls, or the time, are used up: what is there is a page, and its cursor tells where to go
 * on. */
static bool is_enough(const struct listing *listing, const struct error *err)
{
	if (err->code == ERROR_NONE)
		return true;
	if (!listing->has_moved || (err->code != ERROR_TIMEOUT && err->code != ERROR_RATE_LIMITED))
		return false;
	listing->run->result->remote_status = 0;
	listing->run->result->remote_body = (struct str){NULL, 0};
	return true;
}

/* One more window. *is_whole: all of it was taken; *has_more: the list goes on after it. */
static bool add_next(struct listing *listing, bool *is_whole, bool *has_more, struct error *err)
{
	struct run *run = listing->run;
	const struct unified_call *call = &run->plan->calls[listing->place.call];
	struct native_call native;
	struct window window;

	listing->is_sparse =
		call->each != NULL || call->detail.method != NULL || filters_check_some(run);
	*is_whole = false;
	*has_more = true;
	if (!native_prepare(run, call, &native, err))
		return false;
	sort_ask(run, &native);
	if (!native_add_remote(run, &native, err))
		return false;
	if (!page_fetch(run, &native, &listing->place, find_want(listing, &call->method->page),
			&window, err)) {
		name_missing(call, err);
		if (!is_refused(listing, call, err))
			return is_enough(listing, err);
		window = (struct window){.is_last = true};
		*is_whole = true;
		*has_more = move_on(listing, call, &window);
		return true;
	}
	listing->fetches++;
	if (memory_knows(listing, &window)) {
		*has_more = false;
		return true;
	}
	if (!add_window(listing, call, &window, is_whole, err)) {
		*is_whole = false;
		return is_enough(listing, err);
	}
	if (*is_whole)
		*has_more = move_on(listing, call, &window);
	return true;
}

static void begin(struct listing *listing, struct run *run, size_t limit)
{
	*listing = (struct listing){.run = run, .limit = limit};
	place_init(&listing->place, run->arena);
	json_builder_init(&listing->items, run->arena);
	run->result->is_partial = select_lacks(run, run->plan->is_absent);
}

/* Who knows pages again wants each to be made of one answer, however short. */
static bool is_enough_of_it(const struct listing *listing)
{
	return listing->is_one_answer && listing->fetches > 0;
}

/* Until the limit, the end, or a bound. */
static bool add_all(struct listing *listing, bool *has_more, struct error *err)
{
	bool is_whole = true;

	*has_more = true;
	while (is_whole && *has_more && !list_is_full(listing) && !is_enough_of_it(listing) &&
	       !run_is_overdrawn(listing->run) &&
	       (listing->fetches == 0 || list_has_memory(listing->run)))
		if (!add_next(listing, &is_whole, has_more, err))
			return false;
	return true;
}

bool list_read_whole(struct run *run, struct json *records, struct error *err)
{
	struct listing listing;
	bool has_more;

	begin(&listing, run, SORT_RECORDS_MAX);
	run->page_calls = SORT_CALLS_MAX;
	if (!add_all(&listing, &has_more, err))
		return false;
	*records = json_builder_array(&listing.items);
	return !has_more ||
	       error_set_field(err, ERROR_LIMIT, "sort_by",
			       "lists of at most 20000 records, or 50 pages of the ATS",
			       "the list is too long to be sorted: filters make it shorter");
}

bool list_run(struct run *run, struct error *err)
{
	struct listing listing;
	bool has_more;

	if (sort_is_here(run))
		return sort_list(run, err);
	begin(&listing, run, (size_t)run->operation->limit);
	listing.is_one_answer = memory_wants(run);
	if (run->operation->cursor.len > 0 &&
	    !cursor_open(run, run->operation->cursor, &listing.place, err))
		return false;
	if (!add_all(&listing, &has_more, err))
		return false;
	if (run->result->is_known)
		return true;
	run->result->items = json_builder_array(&listing.items);
	if (listing.whole > 0 && listing.whole == listing.items.count) {
		run->lacks_fields = false;
		run->result->is_partial = false;
	}
	if (has_more)
		run->result->next_cursor = cursor_seal(run, &listing.place);
	return true;
}
