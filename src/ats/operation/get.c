/* One record by its id: what a native call gives, or looked for in what calls list. */
#include "ats/operation/mapping.h"
#include "ats/operation/place.h"

#include <assert.h>

/* A call that gives one native record, without records in it, was asked by the id: whatever it
 * gives is the record. */
static bool is_the_one(const struct run *run, const struct unified_call *call)
{
	return run->plan->find_calls_max == 0 && !call->method->is_list && call->each == NULL;
}

/* False when all of the record could not be had. */
static bool find_child(struct mapping *mapping, struct json record, struct json *found,
		       struct error *err)
{
	struct run *run = mapping->run;
	bool is_gone = false;

	if (mapping->call->detail.method != NULL &&
	    !mapping_fetch_detail(mapping, &record, &is_gone, err))
		return false;
	struct json children = is_gone ? json_array(NULL, 0) : mapping_unwind(mapping, record);
	for (size_t i = 0; i < children.count; i++) {
		struct json child = json_at(children, i);

		if (!is_the_one(run, mapping->call) &&
		    !str_equal(mapping_id(mapping, record, child), run->operation->id))
			continue;
		*found = mapping_record(mapping, record, child);
		if (run->preview != NULL)
			preview_note(mapping, child, *found);
		return true;
	}
	return true;
}

static bool search_window(struct run *run, const struct unified_call *call,
			  const struct window *window, struct json *found, struct error *err)
{
	struct mapping mapping;
	bool ok = mapping_init(&mapping, run, call, window->body, err);

	for (size_t i = 0; ok && i < window->count && json_is(*found, JSON_UNDEFINED); i++)
		ok = find_child(&mapping, window->records.items[window->items[i]], found, err) &&
		     arena_check(run->arena, err);
	mapping_finish(&mapping);
	return ok;
}

/* A window's worth of search; *is_last at the end of the call's list. */
static bool search_next(struct run *run, const struct unified_call *call,
			const struct native_call *native, struct place *place, struct json *found,
			bool *is_last, struct error *err)
{
	struct window window;

	if (!page_fetch(run, native, place, OPERATION_LIMIT_MAX, &window, err) ||
	    !search_window(run, call, &window, found, err))
		return false;
	for (size_t i = 0; i < window.count; i++)
		page_pass(call->method, place, &window, i);
	*is_last = window.is_last;
	if (!window.is_last)
		page_leave(call->method, place, &window);
	return true;
}

/* A search may go through more pages than the operation has memory for: each has an arena of its
 * own, which ends when the next one was read. */
static bool search_list(struct run *run, const struct unified_call *call,
			const struct native_call *native, struct json *found, struct error *err)
{
	struct arena arenas[2];
	struct place place;
	bool ok = true, is_last = false;

	place_init(&place, run->home);
	for (size_t i = 0; i < 2; i++)
		arena_init(&arenas[i], run->home->bytes_max);
	for (size_t i = 0; ok && !is_last && json_is(*found, JSON_UNDEFINED); i++) {
		run->arena = &arenas[i % 2];
		ok = search_next(run, call, native, &place, found, &is_last, err);
		place_keep(&place, run->arena);
		arena_finish(&arenas[(i + 1) % 2]);
	}
	*found = json_copy(run->home, *found);
	run->result->remote_body = arena_str(run->home, run->result->remote_body);
	run->arena = run->home;
	for (size_t i = 0; i < 2; i++)
		arena_finish(&arenas[i]);
	return ok;
}

static bool search_call(struct run *run, const struct unified_call *call, struct json *found,
			struct error *err)
{
	struct native_call native;
	struct place place;
	bool is_last;

	place_init(&place, run->arena);
	if (!native_prepare(run, call, &native, err) || !native_add_remote(run, &native, err))
		return false;
	if (is_the_one(run, call))
		return search_next(run, call, &native, &place, found, &is_last, err);
	return search_list(run, call, &native, found, err);
}

static bool refuse_id(const struct run *run, struct error *err)
{
	struct error before = *err;

	error_set_field(err, ERROR_NOT_FOUND, "id", NULL, "there is no such record in %.*s",
			STR_ARGS(run->resource->model->name));
	if (before.code == ERROR_NOT_FOUND)
		err->remote_status = before.remote_status;
	return false;
}

/* A record which a search found, but not whole, is asked for again by what it tells of itself. */
static bool fill_up(struct run *run, struct error *err)
{
	struct operation_result result = {.item = json_undefined()};
	struct run other = *run;

	if (run->plan->expand_count == 0 || !plan_refine(&other, run->plan, run->result->item))
		return true;
	other.plan = plan_find_get(&other);
	if (other.plan == NULL || other.plan->expand_count > 0)
		return true;
	other.lookups = NULL;
	other.page_calls = PAGE_CALLS_MAX;
	other.result = &result;
	bool ok = get_run(&other, err);
	operation_result_add(run->result, &result);
	if (ok) {
		run->result->item = result.item;
		run->result->is_partial = result.is_partial;
	} else if (err->code != ERROR_NOT_FOUND) {
		run->result->remote_status = result.remote_status;
		run->result->remote_body = result.remote_body;
		run->result->remote_insight = result.remote_insight;
	}
	return ok || err->code == ERROR_NOT_FOUND;
}

bool get_run(struct run *run, struct error *err)
{
	const struct unified_alternative *plan = run->plan;
	struct json found = json_undefined();

	*err = (struct error){.code = ERROR_NONE};
	run->result->is_partial = select_lacks(run, plan->is_absent);
	if (plan->find_calls_max > 0)
		run->page_calls = plan->find_calls_max;
	for (size_t i = 0; i < plan->call_count && json_is(found, JSON_UNDEFINED); i++) {
		if (search_call(run, &plan->calls[i], &found, err))
			continue;
		if (plan->calls[i].is_optional &&
		    (err->code == ERROR_NOT_FOUND || err->code == ERROR_FORBIDDEN)) {
			run->result->remote_status = 0;
			run->result->remote_body = (struct str){NULL, 0};
			continue;
		}
		if (err->code == ERROR_NOT_FOUND)
			return refuse_id(run, err);
		if (err->code == ERROR_NONE) /* not "there is none": that could be taken for gone */
			return error_set_field(err, ERROR_LIMIT, "id", NULL,
					       "this ATS can only be searched for it, and it is not "
					       "among the first");
		return false;
	}
	if (json_is(found, JSON_UNDEFINED))
		return refuse_id(run, err);
	run->result->item = found;
	return fill_up(run, err);
}
