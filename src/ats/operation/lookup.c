/* Side lists which mappings refer to: fetched when a page needs them, once per operation. */
#include "ats/operation/place.h"

#include <assert.h>

#include "base/log.h"

static bool is_wanted(const struct run *run, const struct unified_lookup *lookup,
		      struct json body)
{
	struct json value;

	if (lookup->when == NULL)
		return true;
	/* Where it cannot be told, the list is fetched: a call too many harms less than a name
	 * too few. */
	if (!run_evaluate(run, lookup->when, body, &value))
		return true;
	return json_is(value, JSON_BOOL) && value.boolean;
}

/* The records in those of a page. One of which that cannot be told has none. */
static struct json unwind(const struct run *run, const struct unified_lookup *lookup,
			  struct json records)
{
	struct json_builder children;
	struct json value;

	if (lookup->each == NULL)
		return records;
	json_builder_init(&children, run->arena);
	for (size_t i = 0; i < records.count; i++) {
		if (!run_evaluate(run, lookup->each, json_at(records, i), &value) ||
		    json_is(value, JSON_UNDEFINED))
			continue;
		if (!json_is(value, JSON_ARRAY))
			json_builder_add(&children, value);
		else
			for (size_t j = 0; j < value.count; j++)
				json_builder_add(&children, json_at(value, j));
	}
	return json_builder_array(&children);
}

static bool fetch_pages(struct run *run, const struct unified_lookup *lookup,
			struct json_builder *pages, struct error *err)
{
	const struct unified_call unified = {.method = lookup->method,
					     .arguments = lookup->arguments,
					     .argument_count = lookup->argument_count};
	const struct native_method *method = lookup->method;
	struct native_call call;
	struct place place;
	struct window window;

	place_init(&place, run->arena);
	if (!native_prepare(run, &unified, &call, err))
		return false;
	do {
		if (!page_fetch(run, &call, &place, OPERATION_LIMIT_MAX, &window, err))
			return false;
		json_builder_add(pages, unwind(run, lookup, window.records));
		for (size_t i = 0; i < window.count; i++)
			page_pass(method, &place, &window, i);
		if (!window.is_last)
			page_leave(method, &place, &window);
	} while (!window.is_last);
	return true;
}

/* A list which this credential may not see leaves the names in it unknown: the reply is then
 * marked as partial, not refused. */
static bool fetch(struct run *run, const struct unified_lookup *lookup, struct json *out,
		  struct error *err)
{
	int64_t page_calls = run->page_calls;
	struct arena *arena = run->arena;
	struct json_builder pages;

	run->arena = run->home; /* it is kept for the pages after this one */
	json_builder_init(&pages, run->arena);
	run->page_calls = PAGE_CALLS_MAX;
	bool ok = fetch_pages(run, lookup, &pages, err);
	run->page_calls = page_calls;
	run->arena = arena;
	*out = json_builder_array(&pages);
	if (ok)
		return true;
	if (err->code == ERROR_NONE)
		return error_set(err, ERROR_LIMIT, "the ATS's list of %.*s has too many pages",
				 STR_ARGS(lookup->method->resource));
	if (err->code != ERROR_FORBIDDEN && err->code != ERROR_NOT_FOUND)
		return false;
	LOG(LOG_INFO, "lookup_refused", LOG_S(account_id, run->account->id),
	    LOG_S(resource, lookup->method->resource), LOG_N(remote_status, err->remote_status));
	run->result->is_partial = true;
	run->result->remote_status = 0;
	run->result->remote_body = (struct str){NULL, 0};
	*out = json_array(NULL, 0);
	return true;
}

bool lookup_fill(struct run *run, struct json body, struct reference_index *index,
		 struct error *err)
{
	const struct unified_alternative *plan = run->plan;

	if (plan->lookup_count == 0)
		return true;
	if (run->lookups == NULL)
		run->lookups = arena_zero(run->home, plan->lookup_count * sizeof *run->lookups);
	for (size_t i = 0; i < plan->lookup_count; i++) {
		const struct unified_lookup *lookup = &plan->lookups[i];
		struct json *pages = &run->lookups[i];

		if (!is_wanted(run, lookup, body))
			continue;
		if (json_is(*pages, JSON_UNDEFINED) && !fetch(run, lookup, pages, err))
			return false;
		for (size_t j = 0; j < pages->count; j++)
			reference_index_add_by(index, json_at(*pages, j), lookup->type,
					       lookup->key);
	}
	return true;
}
