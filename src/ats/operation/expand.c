/* Filling up a partial list: each record is fetched by its id, some at a time, in fibers of this
 * loop, all of them under the account's rate limit. */
#include <assert.h>

#include "ats/operation/run.h"

enum {
	PARALLEL_DEFAULT = 4,
	PARALLEL_MAX = 16,
};

struct expansion {
	struct run *run;
	const struct unified_alternative *plan; /* of the first record: nearly always of all */
	struct json *items;
	size_t count;
	size_t next;
	enum expanded *told;  /* per item */
	struct json *lookups; /* shared by all */
	struct loop_group group;
	bool has_failed;
	struct error err;
};

void operation_result_add(struct operation_result *sum, const struct operation_result *one)
{
	sum->upstream_ns += one->upstream_ns;
	sum->wait_ns += one->wait_ns;
	sum->calls += one->calls;
	sum->retries += one->retries;
	if (one->rate_limit.limit.len > 0 || one->rate_limit.remaining.len > 0)
		sum->rate_limit = one->rate_limit;
}

static void fail(struct expansion *expansion, const struct operation_result *result,
		 const struct error *err)
{
	if (expansion->has_failed)
		return;
	expansion->has_failed = true;
	expansion->err = *err;
	expansion->run->result->remote_status = result->remote_status;
	expansion->run->result->remote_body = result->remote_body;
	expansion->run->result->remote_insight = result->remote_insight;
}

/* Side lists which need nothing are the same for all records. */
static struct json *find_lookups(struct expansion *expansion,
				 const struct unified_alternative *plan)
{
	for (size_t i = 0; i < plan->lookup_count; i++)
		for (size_t j = 0; j < plan->lookups[i].argument_count; j++)
			if (plan->lookups[i].arguments[j].filter.len > 0)
				return NULL;
	if (expansion->plan == NULL) {
		expansion->plan = plan;
		expansion->lookups = arena_zero(expansion->run->arena,
						(plan->lookup_count + 1) *
							sizeof *expansion->lookups);
	}
	return plan == expansion->plan ? expansion->lookups : NULL;
}

static enum expanded expand_one(struct expansion *expansion, struct json *item)
{
	struct operation operation = *expansion->run->operation;
	struct operation_result result = {.item = json_undefined()};
	struct run run = *expansion->run;
	enum expanded told = EXPANDED_WHOLE;
	struct error err;

	operation.method = OPERATION_GET;
	operation.remote_query_count = 0; /* that was for the list */
	/* Several run at once, and none of them alone is what the caller waits for. */
	operation.budget = NULL;
	operation.progress = NULL;
	if (!native_text(run.arena, json_get_c(*item, "id"), &operation.id))
		return EXPANDED_NOT;
	run.operation = &operation;
	run.result = &result;
	if (!plan_refine(&run, expansion->run->plan, *item) ||
	    (run.plan = plan_find_get(&run)) == NULL)
		return EXPANDED_NOT;
	run.lookups = find_lookups(expansion, run.plan);
	run.page_calls = PAGE_CALLS_MAX;
	if (get_run(&run, &err)) {
		*item = result.item;
	} else if (err.code == ERROR_NOT_FOUND) {
		told = EXPANDED_GONE;
	} else {
		fail(expansion, &result, &err);
		told = EXPANDED_NOT;
	}
	operation_result_add(expansion->run->result, &result);
	return told == EXPANDED_WHOLE && result.is_partial ? EXPANDED_PARTLY : told;
}

static void expand_some(void *context)
{
	struct expansion *expansion = context;

	while (!expansion->has_failed && expansion->next < expansion->count) {
		size_t i = expansion->next++;

		expansion->told[i] = expand_one(expansion, &expansion->items[i]);
	}
	loop_group_done(&expansion->group);
}

static size_t find_parallel(const struct run *run, size_t count)
{
	int64_t parallel = run->connector->limits.concurrent;

	if (parallel <= 0)
		parallel = PARALLEL_DEFAULT;
	if (parallel > PARALLEL_MAX)
		parallel = PARALLEL_MAX;
	return (size_t)parallel < count ? (size_t)parallel : count;
}

bool expand_items(struct run *run, struct json *items, enum expanded *told, size_t count,
		  struct error *err)
{
	struct expansion expansion = {.run = run, .items = items, .told = told, .count = count};

	for (size_t i = find_parallel(run, count); i > 0; i--)
		loop_group_spawn(&expansion.group, expand_some, &expansion);
	loop_group_join(&expansion.group);
	if (expansion.has_failed)
		*err = expansion.err;
	return !expansion.has_failed;
}

bool expand_run(struct run *run, struct error *err)
{
	size_t count = run->result->items.count;
	enum expanded *told;
	struct json *items;
	bool is_partial = false;

	if (!run->lacks_fields || run->resource->get.count == 0)
		return true;
	items = arena_array(run->arena, count + 1, sizeof *items);
	told = arena_zero(run->arena, (count + 1) * sizeof *told);
	if (count > 0)
		memcpy(items, run->result->items.items, count * sizeof *items);
	if (!expand_items(run, items, told, count, err))
		return false;
	/* What was deleted meanwhile stays as the list had it. */
	for (size_t i = 0; i < count; i++)
		is_partial |= told[i] != EXPANDED_WHOLE;
	run->result->items = json_array(items, count);
	run->result->is_partial = is_partial;
	return true;
}
