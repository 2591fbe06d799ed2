/* POST …/overrides/test: what drafts would make of one record, or of one write, beside what is now.
 * Nothing is saved, and nothing is written in the ATS. */
#include "front/admin/routes.h"

enum { FILTERS_MAX = 32, TEXT_BYTES_MAX = 500 };

struct test {
	const struct door *door;
	struct http_exchange *exchange;
	struct account account;
	struct operation operation;
	struct str table;
	struct json record;
	const struct overriding *draft;
	struct operation_result result;
	struct override_fault fault;
};

/* --- reading --------------------------------------------------------------------------------- */

static bool read_query(struct test *test, struct json query, struct error *err)
{
	struct operation_filter *filters =
		arena_array(test->exchange->arena, query.count + 1, sizeof *filters);

	if (json_is(query, JSON_UNDEFINED) || json_is(query, JSON_NULL))
		return true;
	if (!json_is(query, JSON_OBJECT) || query.count > FILTERS_MAX)
		return error_set_field(err, ERROR_INVALID, "query", "an object of filters",
				       "query must be an object of filters");
	for (size_t i = 0; i < query.count; i++) {
		const struct json_member *member = &query.members[i];

		if (!json_is(member->value, JSON_STRING))
			return error_set_field(err, ERROR_INVALID, "query", "texts",
					       "the filters in query must be texts");
		filters[i] = (struct operation_filter){json_name(member),
						       json_str(member->value)};
	}
	test->operation.filters = filters;
	test->operation.filter_count = query.count;
	return true;
}

static void set_method(struct test *test, struct str method)
{
	struct operation *operation = &test->operation;

	operation->method = OPERATION_WRITE;
	if (method.len == 0 || str_equal(method, STR("get")))
		operation->method = OPERATION_GET;
	else if (str_equal(method, STR("list")))
		operation->method = OPERATION_LIST;
	else
		operation->write = method;
}

/* A write is tried with its body; a read with a record, or with the id of one to be got. */
static bool check_subject(const struct test *test, struct error *err)
{
	bool is_given = !json_is(test->record, JSON_UNDEFINED);
	enum operation_method method = test->operation.method;

	if (method == OPERATION_WRITE)
		return !is_given ||
		       error_set_field(err, ERROR_INVALID, "record", "body, and id",
				       "a write is tried with a body, not with a record");
	if (is_given && !json_is(test->record, JSON_OBJECT))
		return error_set_field(err, ERROR_INVALID, "record", "an object of the ATS's own",
				       "record must be an object");
	if (is_given || (method == OPERATION_GET && test->operation.id.len > 0))
		return true;
	return error_set_field(err, ERROR_INVALID, method == OPERATION_GET ? "id" : "record",
			       "record, or id with the method get",
			       "there must be a record, or the id of one to get");
}

static bool read_test(struct test *test, struct override **drafts, size_t *count, struct error *err)
{
	static const char *const known[] = {"resource", "method", "id",	  "record",
					    "table",	"query",  "body", "overrides"};
	struct operation *operation = &test->operation;
	struct json body;
	struct str method;

	if (!door_parse_body(test->exchange, &body, err) ||
	    !admin_check_members(body, known, sizeof known / sizeof known[0],
				 "resource, method, id, record, table, query, body, overrides",
				 err) ||
	    !admin_read_text(body, "resource", TEXT_BYTES_MAX, &operation->resource, err) ||
	    !admin_read_text(body, "method", TEXT_BYTES_MAX, &method, err) ||
	    !admin_read_text(body, "id", TEXT_BYTES_MAX, &operation->id, err) ||
	    !admin_read_text(body, "table", TEXT_BYTES_MAX, &test->table, err) ||
	    !read_query(test, json_get_c(body, "query"), err) ||
	    !override_read(test->exchange->arena, operation->resource,
			   json_get_c(body, "overrides"), drafts, count, err))
		return false;
	set_method(test, method);
	test->record = json_get_c(body, "record");
	operation->body = json_get_c(body, "body");
	operation->dry_run = operation->method == OPERATION_WRITE;
	operation->limit = 1;
	operation->account = &test->account;
	operation->deadline_ns = test->exchange->started_ns + test->door->call_timeout_ms * 1000000;
	return check_subject(test, err);
}

/* --- trying ---------------------------------------------------------------------------------- */

static void reply(const struct test *test, struct json before, struct json after,
		  struct json errors, struct json record)
{
	struct arena *arena = test->exchange->arena;
	struct json_builder item;

	json_builder_init(&item, arena);
	json_builder_set(&item, STR("before"), before);
	json_builder_set(&item, STR("after"), after);
	json_builder_set(&item, STR("difference"), override_difference(arena, before, after));
	json_builder_set(&item, STR("errors"), errors);
	json_builder_set(&item, STR("record"), record);
	door_reply(test->exchange, 200, json_builder_object(&item));
}

static bool try_read(struct test *test, struct error *err)
{
	struct operation_preview preview = {
		.draft = test->draft, .table = test->table, .record = test->record};

	if (!operation_preview(test->door->services, test->exchange->arena, &test->operation,
			       &preview, &test->result, err))
		return false;
	reply(test, preview.before, preview.after, preview.errors, preview.record);
	return true;
}

/* The request that is sent now, and the one that would be sent. */
static bool try_write(struct test *test, struct error *err)
{
	const struct operation_services *services = test->door->services;
	struct arena *arena = test->exchange->arena;
	struct json before;

	if (!operation_run(services, arena, &test->operation, &test->result, err))
		return false;
	before = test->result.item;
	test->operation.overriding = test->draft;
	if (!operation_run(services, arena, &test->operation, &test->result, err))
		return false;
	reply(test, before, test->result.item, json_array(NULL, 0), json_null());
	return true;
}

/* Whoever may change overrides need not be allowed to read the ATS. */
static bool check_scope(const struct caller *caller, const struct test *test, struct error *err)
{
	if (!json_is(test->record, JSON_UNDEFINED) || (caller->scopes & KEY_SCOPE_CALL) != 0)
		return true;
	return error_set_field(err, ERROR_FORBIDDEN, "record", "a record",
			       "this API key may not ask the ATS; it wants the scope call");
}

static bool try_drafts(struct test *test, struct str account_id, struct error *err)
{
	const struct door *door = test->door;
	struct http_exchange *exchange = test->exchange;
	struct override_layer layer;
	struct override *drafts;
	struct caller caller;
	size_t count;

	if (!door_authorise(door, exchange, KEY_SCOPE_ADMIN, &caller, err) ||
	    !door_find_account(door, exchange->arena, &caller, account_id, &test->account, err) ||
	    !read_test(test, &drafts, &count, err) || !check_scope(&caller, test, err))
		return false;
	layer = (struct override_layer){test->account.environment_id, test->account.connector,
					test->account.id};
	if (!overriding_make(door->services->overrides, exchange->arena, &layer, NULL, 0,
			     &test->operation.overriding, &test->fault, err) ||
	    !overriding_make(door->services->overrides, exchange->arena, &layer, drafts, count,
			     &test->draft, &test->fault, err))
		return false;
	return test->operation.method == OPERATION_WRITE ? try_write(test, err)
							 : try_read(test, err);
}

void admin_test_overrides(void *context, struct http_exchange *exchange,
			  const struct http_match *match)
{
	struct test test = {.door = context, .exchange = exchange};
	struct error err;

	if (!try_drafts(&test, match->parts[0], &err))
		admin_reply_fault(exchange, &err, &test.fault, &test.result);
	door_set_timing(context, exchange, &test.result);
}
