/* What a call did whose answer was lost: looked for in the ATS's own lists. */
#include <assert.h>

#include "ats/operation/place.h"

/* Clocks differ: what was made may bear an earlier time than ours. */
static const int64_t CLOCK_DIFFERENCE_MS = 60000;

struct search {
	struct write *write;
	const struct write_search *plan;
	struct json found;
	size_t count;
};

static bool search_record(struct search *search, struct json record, struct error *err)
{
	struct write *write = search->write;
	struct json child = record, children, matches;

	if (search->plan->each != NULL &&
	    !write_evaluate(write, search->plan->each, record, STR(""), &child, err))
		return false;
	children = json_is(child, JSON_ARRAY) ? child : json_array(&child, 1);
	for (size_t i = 0; i < children.count; i++) {
		if (!write_evaluate(write, search->plan->match, children.items[i], STR(""),
				    &matches, err))
			return false;
		if (!json_is(matches, JSON_BOOL) || !matches.boolean)
			continue;
		search->found = children.items[i];
		search->count++;
	}
	return true;
}

static bool search_window(struct search *search, const struct window *window, struct error *err)
{
	for (size_t i = 0; i < window->count; i++)
		if (!search_record(search, window->records.items[window->items[i]], err))
			return false;
	return arena_check(search->write->run->arena, err);
}

/* *is_whole: to the end of the list. */
static bool search_pages(struct search *search, const struct native_call *call, bool *is_whole,
			 struct error *err)
{
	struct run *run = search->write->run;
	struct window window = {.is_last = false};
	struct place place;

	place_init(&place, run->arena);
	run->page_calls = PAGE_CALLS_MAX;
	while (!window.is_last) {
		*err = (struct error){.code = ERROR_NONE};
		if (!page_fetch(run, call, &place, OPERATION_LIMIT_MAX, &window, err)) {
			*is_whole = false;
			return err->code == ERROR_NONE;
		}
		if (!search_window(search, &window, err))
			return false;
		for (size_t i = 0; i < window.count; i++)
			page_pass(call->method, &place, &window, i);
		if (!window.is_last)
			page_leave(call->method, &place, &window);
	}
	*is_whole = true;
	return true;
}

bool search_made(struct write *write, const struct write_step *step, struct json input,
		 struct json sent, int64_t sent_ms, struct json *found, bool *is_certain,
		 struct error *err)
{
	struct search search = {.write = write, .plan = step->search, .found = json_undefined()};
	struct native_call call = {.method = step->search->method};
	bool is_whole = false;

	assert(step->search != NULL);
	*found = json_undefined();
	*is_certain = false;
	write->variables[CONNECTOR_VARIABLE_SENT] = sent;
	write->variables[CONNECTOR_VARIABLE_SINCE] =
		json_string(clock_format_ms(write->run->arena, sent_ms - CLOCK_DIFFERENCE_MS));
	if (!write_arguments(write, step->search->arguments, step->search->argument_count, input,
			     &call, err) ||
	    !search_pages(&search, &call, &is_whole, err))
		return false;
	/* Of two that look alike it cannot be said which one this was. */
	if (search.count == 1)
		*found = search.found;
	*is_certain = search.count == 1 || (search.count == 0 && is_whole);
	return true;
}
