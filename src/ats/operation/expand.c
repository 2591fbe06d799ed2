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
	const struct unified_alternative *plan;
	struct json *items;
	size_t count;
	size_t next;
	size_t kept;          /* deleted meanwhile: they stay as the list had them */
	struct json *lookups; /* shared by all */
	struct loop_group group;
	bool has_failed;
	struct error err;
};

/* What a call of one record took goes to the account of the whole. */
static void add_result(struct operation_result *sum, const struct operation_result *one)
{
	sum->upstream_ns += one->upstream_ns;
	sum->wait_ns += one->wait_ns;
	sum->calls += one->calls;
	sum->retries += one->retries;
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
}

static void expand_one(struct expansion *expansion, struct json *item)
{
	struct operation operation = *expansion->run->operation;
	struct operation_result result = {.item = json_undefined()};
	struct run run = *expansion->run;
	struct error err;

	operation.method = OPERATION_GET;
	if (!native_text(run.arena, json_get_c(*item, "id"), &operation.id)) {
		expansion->kept++;
		return;
	}
	run.operation = &operation;
	run.plan = expansion->plan;
	run.result = &result;
	run.lookups = expansion->lookups;
	run.page_calls = PAGE_CALLS_MAX;
	if (get_run(&run, &err))
		*item = result.item;
	else if (err.code == ERROR_NOT_FOUND)
		expansion->kept++;
	else
		fail(expansion, &result, &err);
	if (result.is_partial)
		expansion->kept++;
	add_result(expansion->run->result, &result);
}

static void expand_some(void *context)
{
	struct expansion *expansion = context;

	while (!expansion->has_failed && expansion->next < expansion->count)
		expand_one(expansion, &expansion->items[expansion->next++]);
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

bool expand_run(struct run *run, struct error *err)
{
	struct expansion expansion = {.run = run, .count = run->result->items.count};

	expansion.plan = plan_find_get(run);
	if (!run->plan->is_partial || expansion.plan == NULL)
		return true;
	expansion.items = arena_array(run->arena, expansion.count + 1, sizeof *expansion.items);
	if (expansion.count > 0)
		memcpy(expansion.items, run->result->items.items,
		       expansion.count * sizeof *expansion.items);
	expansion.lookups = arena_zero(run->arena, (expansion.plan->lookup_count + 1) *
							   sizeof *expansion.lookups);
	for (size_t i = find_parallel(run, expansion.count); i > 0; i--) {
		loop_group_add(&expansion.group);
		loop_spawn(loop_current(), expand_some, &expansion);
	}
	loop_group_join(&expansion.group);
	if (expansion.has_failed) {
		*err = expansion.err;
		return false;
	}
	run->result->items = json_array(expansion.items, expansion.count);
	run->result->is_partial = expansion.kept > 0;
	return true;
}
