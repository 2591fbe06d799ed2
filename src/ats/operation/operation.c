#include "ats/operation/operation.h"

#include <assert.h>

#include "ats/operation/list.h"

static int64_t read_limit(struct json limits, const char *name, int64_t otherwise)
{
	int64_t value;

	if (!json_to_int64(json_get_c(limits, name), &value) || value < 0)
		return otherwise;
	return value;
}

/* The account's own numbers win over the connector's, one by one. */
static struct limiter_rules find_rules(const struct connector *connector,
				       const struct account *account)
{
	const struct connector_limits *limits = &connector->limits;

	return (struct limiter_rules){
		.requests = read_limit(account->limits, "requests", limits->requests),
		.per_seconds = read_limit(account->limits, "per_seconds", limits->per_seconds),
		.concurrent = read_limit(account->limits, "concurrent", limits->concurrent),
		.is_window = limits->is_window,
	};
}

/* What goes with the connector's place among all. */
static void find_place(struct run *run)
{
	const struct operation_services *services = run->services;

	for (size_t i = 0; i < services->connectors->count; i++) {
		if (services->connectors->items[i] != run->connector)
			continue;
		if (services->base_urls != NULL)
			run->base_url = services->base_urls[i];
		if (services->counts->of_connector != NULL)
			run->counts = &services->counts->of_connector[i];
	}
}

bool run_init(struct run *run, const struct operation_services *services, struct arena *arena,
	      const struct account *account, struct operation_result *result, int64_t deadline_ns,
	      struct error *err)
{
	*run = (struct run){
		.services = services,
		.account = account,
		.arena = arena,
		.home = arena,
		.result = result,
		.deadline_ns = deadline_ns,
		.page_calls = PAGE_CALLS_MAX,
		.sift_calls = SIFT_CALLS_MAX,
	};
	run->connector = connectors_find(services->connectors, account->connector, err);
	if (run->connector == NULL)
		return false;
	run->format = connector_find_format(run->connector, account->authentication_method, err);
	if (run->format == NULL)
		return false;
	find_place(run);
	struct limiter_rules rules = find_rules(run->connector, account);
	struct str key = account->id;
	/* One that is only being checked may have no id yet; the database does not know it. */
	if (account->created_ms > 0)
		rules.environment_id = account->environment_id;
	if (key.len == 0)
		key = arena_format(arena, "%.*s/%.*s", STR_ARGS(account->environment_id),
				   STR_ARGS(account->connector));
	run->limiter = limiter_hold(services->limiters, key, &rules);
	return true;
}

void run_finish(struct run *run)
{
	limiter_drop(run->limiter);
	run->limiter = NULL;
}

/* Of a page as it came nothing can be left out. */
static bool check_raw(const struct run *run, struct error *err)
{
	for (size_t i = 0; run->operation->is_raw && i < run->filter_count; i++)
		if (run->filters[i].is_checked && !run->filters[i].is_asked)
			return error_set_field(
				err, ERROR_INVALID, arena_c(run->arena, run->filters[i].name), NULL,
				"%.*s cannot filter by \"%.*s\" itself, and raw answers are its "
				"own",
				STR_ARGS(run->connector->label), STR_ARGS(run->filters[i].name));
	return true;
}

static bool run_list(struct run *run, struct error *err)
{
	if (!plan_make(run, err) || !check_raw(run, err) || !sort_plan(run, err) ||
	    !select_make(run, err) || !list_run(run, err) ||
	    (run->operation->expand && !expand_run(run, err)) || !select_records(run, err))
		return false;
	budget_apply(run);
	return true;
}

static bool run_method(struct run *run, struct error *err)
{
	switch (run->operation->method) {
	case OPERATION_WRITE:
		return write_run(run, err);
	case OPERATION_PROXY:
		return proxy_run(run, err);
	case OPERATION_CUSTOM:
		return custom_run(run, err);
	case OPERATION_DOWNLOAD:
		return plan_make(run, err) && download_run(run, err);
	case OPERATION_GET:
		return plan_make(run, err) && select_make(run, err) && get_run(run, err) &&
		       select_records(run, err);
	case OPERATION_LIST:
		break;
	}
	return run_list(run, err);
}

static bool is_unified(const struct operation *operation)
{
	return operation->method != OPERATION_PROXY && operation->method != OPERATION_CUSTOM;
}

/* Unified methods go by the account's overrides. One that takes more than it may ends the call. */
static bool run_overridden(struct run *run, struct error *err)
{
	if (is_unified(run->operation) && !run_override(run, err))
		return false;
	bool ok = run->preview != NULL && !json_is(run->preview->record, JSON_UNDEFINED)
			  ? preview_given(run, err)
			  : run_method(run, err);
	/* Who tries drafts does so because of what is there. */
	if (!run_is_overdrawn(run) || run->preview != NULL)
		return ok;
	*err = run->toll->err;
	return false;
}

bool run_check(const struct operation *operation, struct error *err)
{
	if ((operation->method == OPERATION_LIST || operation->method == OPERATION_PROXY) &&
	    (operation->limit < 1 || operation->limit > OPERATION_LIMIT_MAX))
		return error_set_field(err, ERROR_INVALID, "limit", "1 to 1000",
				       "limit must be between 1 and %d", OPERATION_LIMIT_MAX);
	if ((operation->method == OPERATION_GET || operation->method == OPERATION_DOWNLOAD) &&
	    operation->id.len == 0)
		return error_set_field(err, ERROR_INVALID, "id", NULL, "the id is empty");
	return true;
}

bool run_evaluate(const struct run *run, const struct jsonata *expression, struct json body,
		  struct json *value)
{
	const struct jsonata_context context = {
		.arena = run->arena,
		.limits = &jsonata_limits_default,
		.variables =
			(const struct json[CONNECTOR_VARIABLES]){
			[CONNECTOR_VARIABLE_RECORD] = body,
			[CONNECTOR_VARIABLE_CONTEXT] = run->account->context,
			[CONNECTOR_VARIABLE_QUERY] = run->query,
			[CONNECTOR_VARIABLE_BODY] = body,
		},
		.clock = run->services->clock,
		.random = run->services->random,
	};
	struct jsonata_error fault;

	return jsonata_evaluate(expression, &context, body, value, &fault);
}

bool operation_run(const struct operation_services *services, struct arena *arena,
		   const struct operation *operation, struct operation_result *result,
		   struct error *err)
{
	struct run run;

	assert(operation->account != NULL && arena != NULL);
	*result = (struct operation_result){
		.items = json_array(NULL, 0), .item = json_undefined(), .keyed = json_undefined()};
	services->counts->operations++;
	if (!run_check(operation, err) ||
	    !run_init(&run, services, arena, operation->account, result, operation->deadline_ns,
		      err))
		return false;
	run.operation = operation;
	run.gives_remote = operation->remote_data;
	bool ok = run_overridden(&run, err);
	run_finish(&run);
	return ok;
}

bool operation_preview(const struct operation_services *services, struct arena *arena,
		       const struct operation *operation, struct operation_preview *preview,
		       struct operation_result *result, struct error *err)
{
	struct run run;

	assert(operation->account != NULL && preview->draft != NULL);
	*result = (struct operation_result){.item = json_undefined()};
	services->counts->operations++;
	if (!run_init(&run, services, arena, operation->account, result, operation->deadline_ns,
		      err))
		return false;
	run.operation = operation;
	run.preview = preview;
	bool ok = run_overridden(&run, err);
	run_finish(&run);
	return ok;
}
