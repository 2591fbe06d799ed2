/* The ways in which ATSs cut their lists into pages, and how to go on in a list which changed
 * since: no record that was there all the time is left out or given twice.
 *
 * PAGE_OFFSET with a stable order: the next stretch is asked for from some records before the
 * place. It is good when it begins before the last record passed (or at the list's beginning):
 * then nothing can lie between, whatever was created or deleted in front of it. What of it was
 * passed already is known by the order key, and among equal keys by the ids. When it begins
 * later, so much was deleted that more has to be read again, and the step back is doubled. */
#include "ats/operation/place.h"

#include <assert.h>

enum {
	SIZE_DEFAULT = 100,
	STEP_BACK_MIN = 16,
	ORDERED_SIZE_MIN = 4,
	BLIND_STEPS_MAX = 3, /* in a list without an order, where nothing tells how far is enough */
};

static int64_t size_max(const struct connector_page *page)
{
	if (page->size_max > 0)
		return page->size_max;
	return page->size > 0 ? page->size : SIZE_DEFAULT;
}

static int64_t least(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static int64_t most(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

/* What is read again must leave room in the page for something new: pages of a few records have
 * none, and are taken as they come. */
static bool is_ordered(const struct connector_page *page, const struct place *place)
{
	return page->order_by.len > 0 && size_max(page) >= ORDERED_SIZE_MIN &&
	       !json_is(place->key, JSON_UNDEFINED);
}

static int64_t overlap_of(const struct connector_page *page)
{
	return size_max(page) < ORDERED_SIZE_MIN ? 0 : least(page->overlap, size_max(page) / 2);
}

static size_t ties_max(const struct connector_page *page)
{
	if (page->style != PAGE_OFFSET)
		return PLACE_IDS_MIN;
	return (size_t)most(1, least(PLACE_IDS_MAX, (size_max(page) - overlap_of(page)) / 2));
}

/* --- one native page ------------------------------------------------------------------------- */

static bool find_records(const struct run *run, const struct native_method *method,
			 struct window *window, struct error *err)
{
	struct str path = method->is_list ? method->items : method->item;
	struct json found = path.len > 0 ? json_get_path(window->body, path) : window->body;

	if (json_is(found, JSON_NULL)) {
		window->records = json_array(NULL, 0);
	} else if (!method->is_list && !json_is(found, JSON_UNDEFINED)) {
		struct json *one = arena_alloc(run->arena, sizeof *one);

		*one = found;
		window->records = json_array(one, 1);
	} else if (json_is(found, JSON_ARRAY)) {
		window->records = found;
	} else {
		return error_set(err, ERROR_UPSTREAM, "the ATS's answer has no %s \"%.*s\"",
				 method->is_list ? "list" : "record", STR_ARGS(path));
	}
	window->items = arena_array(run->arena, window->records.count + 1, sizeof *window->items);
	window->count = 0;
	return true;
}

static bool ask(struct run *run, const struct native_call *call, int64_t size,
		struct str position, struct window *window, struct native_reply *reply,
		struct error *err)
{
	const struct connector_page *page = &call->method->page;
	struct native_call paged = *call;

	if (run->page_calls <= 0) {
		*err = (struct error){.code = ERROR_NONE};
		return false;
	}
	run->page_calls--;
	paged.is_page = true;
	if (page->style != PAGE_NONE && page->limit_name.len > 0)
		native_add_query(run, &paged, page->limit_name,
				 arena_format(run->arena, "%lld", (long long)size));
	if (position.len > 0 && page->style == PAGE_LINK)
		paged.link = position;
	else if (position.len > 0)
		native_add_query(run, &paged, page->position_name, position);
	if (!native_send(run, &paged, reply, err) || !arena_check(run->arena, err))
		return false;
	window->body = reply->body;
	return find_records(run, call->method, window, err);
}

/* Without a parameter for the size, only an empty page tells the end. */
static bool is_short(const struct connector_page *page, const struct window *window, int64_t size)
{
	return page->limit_name.len > 0 ? window->records.count < size
					: window->records.count == 0;
}

/* --- finding the place again ----------------------------------------------------------------- */

static struct json id_of(struct json record)
{
	return place_member(record, STR("id"));
}

static void add_item(struct window *window, uint32_t index)
{
	window->items[window->count++] = index;
}

/* Index of the record passed last that is still there, or -1. */
static int64_t find_recent(const struct place *place, const struct window *window)
{
	for (size_t i = place->id_count; i-- > 0;)
		for (uint32_t j = 0; j < window->records.count; j++)
			if (place_compare(place->ids[i], id_of(window->records.items[j])) == 0)
				return j;
	return -1;
}

/* In a list whose order is only hoped to be stable: go on after the last record known, or after
 * `passed` records when none is left. */
static void pick_after(const struct place *place, struct window *window, int64_t passed)
{
	int64_t recent = find_recent(place, window);

	if (recent >= 0)
		passed = recent + 1;
	for (uint32_t i = 0; i < window->records.count; i++)
		if (i >= passed && !place_has_id(place, id_of(window->records.items[i])))
			add_item(window, i);
}

static bool is_before(const struct connector_page *page, struct json a, struct json b)
{
	int order = place_compare(a, b);

	return page->is_descending ? order > 0 : order < 0;
}

static struct json key_at(const struct connector_page *page, const struct window *window,
			  size_t index)
{
	return place_member(window->records.items[index], page->order_by);
}

/* Does the ATS keep the order that its connector promises? */
static bool is_sorted(const struct connector_page *page, const struct window *window)
{
	struct json key = json_undefined();

	for (size_t i = 0; i < window->records.count; i++) {
		struct json next = key_at(page, window, i);

		if (json_is(next, JSON_UNDEFINED) || (i > 0 && is_before(page, next, key)))
			return false;
		key = next;
	}
	return true;
}

/* The place among more equal keys than ids are kept: behind the last one known. */
static int64_t find_tie(const struct connector_page *page, const struct place *place,
			const struct window *window)
{
	int64_t found = place->offset - window->start - 1;

	for (uint32_t i = 0; i < window->records.count; i++)
		if (place_compare(key_at(page, window, i), place->key) == 0 &&
		    place_has_id(place, id_of(window->records.items[i])))
			found = i;
	return found;
}

static bool pick_ordered(const struct connector_page *page, const struct place *place,
			 struct window *window)
{
	bool is_whole = window->start == 0;
	int64_t tie = place->has_more_ties ? find_tie(page, place, window) : -1;

	if (!is_whole && window->records.count > 0)
		is_whole = is_before(page, key_at(page, window, 0), place->key) ||
			   (place->has_more_ties &&
			    place_has_id(place, id_of(window->records.items[0])));
	if (!is_whole)
		return false;
	for (uint32_t i = 0; i < window->records.count; i++) {
		struct json key = key_at(page, window, i);
		struct json id = id_of(window->records.items[i]);

		if (is_before(page, key, place->key))
			continue;
		/* A record without an id can be told apart by its key alone. */
		if (place_compare(key, place->key) == 0 &&
		    (i <= tie || json_is(id, JSON_UNDEFINED) || place_has_id(place, id)))
			continue;
		add_item(window, i);
	}
	return true;
}

/* --- the styles ------------------------------------------------------------------------------ */

static bool fetch_all(struct run *run, const struct native_call *call, struct place *place,
		      struct window *window, struct error *err)
{
	struct native_reply reply;

	if (!ask(run, call, 0, (struct str){NULL, 0}, window, &reply, err))
		return false;
	window->is_last = true;
	pick_after(place, window, place->offset);
	return true;
}

static int64_t first_overlap(const struct connector_page *page, const struct place *place)
{
	if (place->id_count == 0 && !is_ordered(page, place))
		return 0;
	if (!is_ordered(page, place) || place->has_more_ties)
		return overlap_of(page);
	return most(overlap_of(page), (int64_t)place->tie_count + 1);
}

/* True when the window is known to follow on what was passed; its items are then picked. */
static bool pick_offset(const struct connector_page *page, const struct place *place,
			struct window *window, int steps)
{
	if (is_ordered(page, place) && is_sorted(page, window))
		return pick_ordered(page, place, window);
	if (window->start > 0 && window->start < place->offset && steps < BLIND_STEPS_MAX &&
	    find_recent(place, window) < 0)
		return false;
	pick_after(place, window, place->offset - window->start);
	return true;
}

static bool fetch_offset(struct run *run, const struct native_call *call, struct place *place,
			 int64_t want, struct window *window, struct error *err)
{
	const struct connector_page *page = &call->method->page;
	int64_t back = first_overlap(page, place);
	struct native_reply reply;

	for (int steps = 0;; steps++) {
		window->start = most(0, place->offset - back);
		int64_t size = least(size_max(page), want + place->offset - window->start);
		struct str position =
			arena_format(run->arena, "%lld", (long long)window->start);

		if (!ask(run, call, size, position, window, &reply, err))
			return false;
		window->is_last = is_short(page, window, size);
		if (pick_offset(page, place, window, steps))
			return true;
		back = 2 * back + STEP_BACK_MIN;
	}
}

static bool fetch_number(struct run *run, const struct native_call *call, struct place *place,
			 int64_t want, struct window *window, struct error *err)
{
	const struct connector_page *page = &call->method->page;
	struct native_reply reply;

	if (place->size == 0) {
		place->size = least(size_max(page), want);
		place->offset = page->first;
	}
	if (!ask(run, call, place->size, arena_format(run->arena, "%lld", (long long)place->offset),
		 window, &reply, err))
		return false;
	window->is_last = is_short(page, window, place->size);
	pick_after(place, window, place->passed);
	return true;
}

/* The target of `rel="next"` in a Link header (RFC 8288), or an empty text. */
static struct str find_next_link(struct str header)
{
	while (header.len > 0) {
		ptrdiff_t from = str_find_byte(header, '<');
		ptrdiff_t to = str_find_byte(header, '>');

		if (from < 0 || to < from)
			break;
		struct str target = str_slice(header, (size_t)from + 1, (size_t)to);
		header = str_slice(header, (size_t)to + 1, header.len);
		ptrdiff_t end = str_find_byte(header, '<');
		struct str parameters = str_slice(header, 0, end < 0 ? header.len : (size_t)end);
		if (str_find(parameters, STR("rel=\"next\"")) >= 0 ||
		    str_find(parameters, STR("rel=next")) >= 0)
			return target;
	}
	return (struct str){NULL, 0};
}

static struct str find_next(const struct run *run, const struct connector_page *page,
			    const struct native_reply *reply)
{
	struct str next = {NULL, 0};

	if (page->cursor_path.len == 0)
		return page->style == PAGE_LINK ? find_next_link(reply->link_header) : next;
	if (!native_text(run->arena, json_get_path(reply->body, page->cursor_path), &next))
		return (struct str){NULL, 0};
	return next;
}

static bool fetch_token(struct run *run, const struct native_call *call, struct place *place,
			int64_t want, struct window *window, struct error *err)
{
	const struct connector_page *page = &call->method->page;
	struct native_reply reply;

	if (place->size == 0)
		place->size = least(size_max(page), want);
	if (!ask(run, call, place->size, place->token, window, &reply, err))
		return false;
	window->next = find_next(run, page, &reply);
	window->is_last = window->next.len == 0;
	if (window->next.len > 0 && str_equal(window->next, place->token))
		return error_set(err, ERROR_UPSTREAM,
				 "the ATS's list does not end: its next page is the same page");
	pick_after(place, window, place->passed);
	return true;
}

bool page_fetch(struct run *run, const struct native_call *call, struct place *place, int64_t want,
		struct window *window, struct error *err)
{
	*window = (struct window){0};
	assert(want > 0);
	if (!call->method->is_list)
		return fetch_all(run, call, place, window, err);
	switch (call->method->page.style) {
	case PAGE_OFFSET:
		return fetch_offset(run, call, place, want, window, err);
	case PAGE_NUMBER:
		return fetch_number(run, call, place, want, window, err);
	case PAGE_CURSOR:
	case PAGE_LINK:
		return fetch_token(run, call, place, want, window, err);
	case PAGE_NONE:
		break;
	}
	return fetch_all(run, call, place, window, err);
}

void page_pass(const struct native_method *method, struct place *place,
	       const struct window *window, size_t item)
{
	const struct connector_page *page = &method->page;
	uint32_t index = window->items[item];
	struct json record = window->records.items[index];
	struct json key = page->order_by.len > 0 ? place_member(record, page->order_by)
						 : json_undefined();

	place_pass(place, key, id_of(record), ties_max(page));
	if (page->style == PAGE_OFFSET || page->style == PAGE_NONE || !method->is_list)
		place->offset = window->start + index + 1;
	else
		place->passed = index + 1;
}

void page_leave(const struct native_method *method, struct place *place,
		const struct window *window)
{
	place->passed = 0;
	switch (method->page.style) {
	case PAGE_OFFSET:
		place->offset = window->start + window->records.count;
		break;
	case PAGE_NUMBER:
		place->offset++;
		break;
	case PAGE_CURSOR:
	case PAGE_LINK:
		place->token = window->next;
		break;
	case PAGE_NONE:
		break;
	}
}
