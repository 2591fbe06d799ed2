/* One operation from its filters to its records: plans, mappings, side lists, expansion, the
 * check of what somebody filled in, and the whole over real sockets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "world.h"

static void refuse(struct world *world, const struct operation *operation, enum error_code code,
		   const char *field, const char *allowed)
{
	size_t calls = world->kiln.calls;

	if (world_call(world, operation))
		fail_msg("not refused: %s", field);
	assert_int_equal(world->err.code, code);
	assert_string_equal(world->err.field, field);
	if (allowed != NULL && strstr(world->err.allowed, allowed) == NULL)
		fail_msg("allowed is \"%s\"", world->err.allowed);
	assert_int_equal(world->kiln.calls, calls);
}

static struct operation with_filter(struct world *world, const char *resource,
				    struct operation_filter *filter, const char *name,
				    const char *value)
{
	struct operation operation = world_operation(world, resource);

	*filter = (struct operation_filter){str_from_c(name), str_from_c(value)};
	operation.filters = filter;
	operation.filter_count = 1;
	return operation;
}

/* --- plans ----------------------------------------------------------------------------------- */

static void refuse_plans(struct world *world)
{
	struct operation operation = world_operation(world, "spoons");
	struct operation_filter filter;

	refuse(world, &operation, ERROR_NOT_FOUND, "resource", "offsets");
	operation = world_operation(world, "orphans"); /* of the model, but not of this ATS */
	refuse(world, &operation, ERROR_NOT_SUPPORTED, "resource", "offsets");
	operation = world_operation(world, "plains");
	operation.method = OPERATION_GET;
	operation.id = STR("1");
	refuse(world, &operation, ERROR_NOT_SUPPORTED, "method", "list");
	operation = with_filter(world, "handles", &filter, "colour", "red");
	refuse(world, &operation, ERROR_INVALID, "colour", "pot_id, name, size");
	/* Known to the model, but this ATS cannot apply it: refused, never dropped. */
	operation = with_filter(world, "handles", &filter, "is_round", "true");
	refuse(world, &operation, ERROR_INVALID, "is_round", "pot_id, name, size");
	operation = with_filter(world, "lookups", &filter, "updated_at[gt]", "2026-01-01");
	refuse(world, &operation, ERROR_INVALID, "updated_at[gt]", "shelf");
	struct operation_filter twice[] = {{STR("name"), STR("a")}, {STR("name"), STR("b")}};
	operation = world_operation(world, "handles");
	operation.filters = twice;
	operation.filter_count = 2;
	refuse(world, &operation, ERROR_INVALID, "name", "once");
	/* What a method cannot do without. */
	operation = world_operation(world, "handles");
	operation.method = OPERATION_GET;
	operation.id = STR("1-0");
	refuse(world, &operation, ERROR_INVALID, "pot_id", NULL);
}

static void test_what_cannot_be_answered_is_refused_by_name(void **state)
{
	(void)state;
	world_run(refuse_plans);
}

static void refuse_values(struct world *world)
{
	static const struct {
		const char *resource, *name, *value;
	} cases[] = {
		{"handles", "size", "large"},
		{"handles", "size", "1.5"},
		{"handles", "size", ""},
		{"handles", "size", "99999999999999999999"},
		{"handles", "name", "a\nb"},
		{"offsets", "created_at[gt]", "yesterday"},
		{"offsets", "created_at[gt]", "2026-02-30"},
		{"handles", "pot_id", "."},
		{"handles", "pot_id", ".."},
	};
	struct operation_filter filter;
	struct operation operation;

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		operation = with_filter(world, cases[i].resource, &filter, cases[i].name,
					cases[i].value);
		refuse(world, &operation, ERROR_INVALID, cases[i].name, NULL);
	}
	char *flood = arena_alloc(&world->arena, 5000);
	memset(flood, 'a', 5000);
	operation = with_filter(world, "handles", &filter, "name", "x");
	filter.value = str_make(flood, 4097);
	refuse(world, &operation, ERROR_INVALID, "name", "4096");
	filter.value = str_make(flood, 4096);
	world_must(world, &operation);
	struct operation_filter many[65] = {{STR("name"), STR("a")}};
	operation = world_operation(world, "handles");
	operation.filters = many;
	operation.filter_count = 65;
	refuse(world, &operation, ERROR_INVALID, "", NULL);
	operation = world_operation(world, "offsets");
	operation.limit = 0;
	refuse(world, &operation, ERROR_INVALID, "limit", "1 to 1000");
	operation.limit = 1001;
	refuse(world, &operation, ERROR_INVALID, "limit", "1 to 1000");
}

static void test_values_are_checked_by_their_type(void **state)
{
	(void)state;
	world_run(refuse_values);
}

static void send_filters(struct world *world)
{
	struct operation_filter filter;
	struct operation operation = with_filter(world, "offsets", &filter, "shelf", "a&b c/d?#é");

	world_must(world, &operation);
	assert_string_equal(world->kiln.last_url,
			    "https://api.kiln.example/c/acme/offset"
			    "?shelf=a%26b%20c%2Fd%3F%23%C3%A9&scope=all&limit=10&offset=0");
	/* Any offset becomes UTC; a day is its beginning. */
	operation = with_filter(world, "offsets", &filter, "created_at[gt]",
				"2026-03-04T01:15:22.5+02:00");
	world_must(world, &operation);
	assert_non_null(strstr(world->kiln.last_url, "created_after=2026-03-03T23%3A15%3A22&"));
	operation = with_filter(world, "offsets", &filter, "created_at[gt]", "2026-03-04");
	world_must(world, &operation);
	assert_non_null(strstr(world->kiln.last_url, "created_after=2026-03-04T00%3A00%3A00&"));
	operation = with_filter(world, "handles", &filter, "pot_id", "../me?x=1");
	assert_false(world_call(world, &operation));
	assert_string_equal(world->kiln.last_url,
			    "https://api.kiln.example/c/acme/pots/..%2Fme%3Fx%3D1");
	assert_int_equal(world->err.code, ERROR_NOT_FOUND);
	assert_string_equal(world->err.field, "pot_id");
}

static void test_filters_reach_the_ats_encoded(void **state)
{
	(void)state;
	world_run(send_filters);
}

static void override_base(struct world *world)
{
	struct str base = STR("http://127.0.0.1:9700/");
	struct operation operation = world_operation(world, "links");

	world->services.base_urls = &base;
	operation.limit = 60; /* a second page, by a link */
	world_must(world, &operation);
	assert_string_equal(world->kiln.last_url,
			    "http://127.0.0.1:9700/c/acme/link?limit=40&after=61");
}

static void test_another_base_url_keeps_the_path(void **state)
{
	(void)state;
	world_run(override_base);
}

static void follow_links(struct world *world)
{
	static const char *const bodies[] = {"https://evil.example/c/acme/link?after=1",
					     "//evil.example/c/acme", "ftp://api.kiln.example/",
					     "https://api.kiln.example.evil.example/", "x y"};
	struct operation operation = world_operation(world, "links");

	operation.limit = 60;
	for (size_t i = 0; i < 5; i++) {
		world->kiln.foreign_link = bodies[i];
		world->kiln.calls = 0;
		assert_false(world_call(world, &operation));
		assert_int_equal(world->err.code, ERROR_UPSTREAM);
		assert_int_equal(world->kiln.calls, 1);
	}
}

static void test_a_link_to_another_host_never_gets_the_credential(void **state)
{
	(void)state;
	world_run(follow_links);
}

/* --- records --------------------------------------------------------------------------------- */

static void map_records(struct world *world)
{
	struct operation operation = world_operation(world, "offsets");

	operation.limit = 2;
	operation.remote_data = true;
	world_must(world, &operation);
	struct json item = json_at(world->result.items, 0);
	assert_true(str_equal(json_get_str(item, "id"), STR("100")));
	assert_true(str_equal(json_get_str(item, "created_at"), STR("2026-01-01T01:40:00Z")));
	assert_true(json_is(json_get_c(item, "size"), JSON_NULL));
	assert_true(json_equal(json_get_path(item, STR("remote_data.id")), json_int(100)));
	assert_false(world->result.is_partial);
	operation.remote_data = false;
	world_must(world, &operation);
	item = json_at(world->result.items, 0);
	assert_true(json_is(json_get_c(item, "remote_data"), JSON_UNDEFINED));
}

static void test_records_are_mapped(void **state)
{
	(void)state;
	world_run(map_records);
}

static void map_badly(struct world *world)
{
	/* $number(name) fails where the name is no number: null there, and counted. */
	struct operation operation = world_operation(world, "lookups");

	const char *body = "{\"pots\":[{\"id\":1,\"name\":\"12\"},{\"id\":2,\"name\":\"jug\"}]}";
	world->kiln.faults[0] = (struct fault){.body = body};
	world->kiln.fault_count = 1;
	world_must(world, &operation);
	assert_int_equal(world->result.items.count, 2);
	assert_true(json_equal(json_get_c(json_at(world->result.items, 0), "size"), json_int(12)));
	assert_true(json_is(json_get_c(json_at(world->result.items, 1), "size"), JSON_NULL));
	assert_true(str_equal(json_get_str(json_at(world->result.items, 1), "name"), STR("jug")));
	assert_int_equal(world->counts.mapping_misfits, 1);
}

static void test_an_expression_that_fails_costs_its_field_only(void **state)
{
	(void)state;
	world_run(map_badly);
}

static void answer_oddly(struct world *world)
{
	static const char *const bodies[] = {"{}", "[]", "{\"pots\":{}}", "{\"pots\":7}", "7"};
	struct operation operation = world_operation(world, "offsets");

	for (size_t i = 0; i < 5; i++) {
		world->kiln.calls = 0;
		world->kiln.faults[0] = (struct fault){.body = bodies[i]};
		world->kiln.fault_count = 1;
		assert_false(world_call(world, &operation));
		assert_int_equal(world->err.code, ERROR_UPSTREAM);
		assert_non_null(strstr(world->err.message, "pots"));
	}
	world->kiln.calls = 0;
	world->kiln.faults[0] = (struct fault){.body = "{\"pots\":null}"};
	world_must(world, &operation);
	assert_int_equal(world->result.items.count, 0);
}

static void test_an_answer_without_its_list_is_no_empty_list(void **state)
{
	(void)state;
	world_run(answer_oddly);
}

/* --- get ------------------------------------------------------------------------------------- */

static struct operation get(struct world *world, const char *resource, const char *id)
{
	struct operation operation = world_operation(world, resource);

	operation.method = OPERATION_GET;
	operation.id = str_from_c(id);
	return operation;
}

static void get_one(struct world *world)
{
	struct operation operation = get(world, "details", "43");

	world_must(world, &operation);
	assert_true(str_equal(json_get_str(world->result.item, "id"), STR("43")));
	assert_true(json_equal(json_get_c(world->result.item, "size"), json_int(7)));
	/* 43 % 3 = 1, which stands in the references. */
	assert_true(str_equal(json_get_str(world->result.item, "shelf"), STR("top")));
	operation = get(world, "details", "4300");
	assert_false(world_call(world, &operation));
	assert_int_equal(world->err.code, ERROR_NOT_FOUND);
	assert_string_equal(world->err.field, "id");
	assert_int_equal(world->err.remote_status, 404);
	operation = get(world, "details", "");
	refuse(world, &operation, ERROR_INVALID, "id", NULL);
	operation = get(world, "details", "..");
	refuse(world, &operation, ERROR_INVALID, "id", NULL);
}

static void test_get_gives_one_record(void **state)
{
	(void)state;
	world_run(get_one);
}

static void find_one(struct world *world)
{
	/* In three native pages of 40 there are 120. */
	kiln_fill(&world->kiln, 130);
	struct operation operation = get(world, "offsets", "60");
	world_must(world, &operation);
	assert_true(str_equal(json_get_str(world->result.item, "name"), STR("60")));
	assert_int_equal(world->kiln.calls, 2);
	/* Not "not found": that would be taken for deleted. */
	operation = get(world, "offsets", "5");
	assert_false(world_call(world, &operation));
	assert_int_equal(world->err.code, ERROR_LIMIT);
	kiln_fill(&world->kiln, 100);
	operation = get(world, "offsets", "777");
	assert_false(world_call(world, &operation));
	assert_int_equal(world->err.code, ERROR_NOT_FOUND);
}

static void test_get_looks_through_a_list_where_there_is_no_other_way(void **state)
{
	(void)state;
	world_run(find_one);
}

static void find_in_little_memory(struct world *world)
{
	struct operation operation = get(world, "offsets", "5");
	struct operation_result result;
	struct arena arena;
	struct error err;

	/* Enough for a page or two, not for three. */
	arena_init(&arena, 120 * 1024);
	bool ok = operation_run(&world->services, &arena, &operation, &result, &err);
	WORLD_CHECK(ok, err);
	assert_true(str_equal(json_get_str(result.item, "name"), STR("5")));
	assert_true(arena.bytes < 64 * 1024);
	arena_finish(&arena);
}

static void test_a_search_holds_a_page_at_a_time(void **state)
{
	(void)state;
	world_run(find_in_little_memory);
}

static void get_inner(struct world *world)
{
	struct operation_filter filter = {STR("pot_id"), STR("42")};
	struct operation operation = get(world, "handles", "42-1");

	operation.filters = &filter;
	operation.filter_count = 1;
	world_must(world, &operation);
	assert_true(str_equal(json_get_str(world->result.item, "name"), STR("wire")));
	operation.id = STR("42-2");
	assert_false(world_call(world, &operation));
	assert_int_equal(world->err.code, ERROR_NOT_FOUND);
}

static void test_get_finds_a_record_within_a_record(void **state)
{
	(void)state;
	world_run(get_inner);
}

/* --- side lists ------------------------------------------------------------------------------ */

static void look_up(struct world *world)
{
	struct operation operation = world_operation(world, "lookups");

	/* Two native pages, one side list; 2 and "2" are the same id. */
	operation.limit = 50;
	world_must(world, &operation);
	assert_int_equal(world->kiln.shelf_calls, 1);
	assert_true(str_equal(json_get_str(json_at(world->result.items, 0), "shelf"), STR("top")));
	assert_true(json_is(json_get_c(json_at(world->result.items, 1), "shelf"), JSON_NULL));
	assert_true(str_equal(json_get_str(json_at(world->result.items, 2), "shelf"), STR("low")));
	assert_false(world->result.is_partial);
	/* Not fetched where nothing needs it. */
	world->kiln.calls = 0;
	world->kiln.faults[0] = (struct fault){.body = "{\"pots\":[{\"id\":1,\"name\":\"1\"}]}"};
	world->kiln.fault_count = 1;
	operation.limit = 10;
	world_must(world, &operation);
	assert_int_equal(world->kiln.shelf_calls, 1);
	/* Where it may not be seen, its names are unknown: the reply says so. */
	world->kiln.fault_count = 0;
	world->kiln.forbids_shelves = true;
	world_must(world, &operation);
	assert_int_equal(world->result.items.count, 10);
	assert_true(world->result.is_partial);
	assert_int_equal(world->result.remote_status, 0);
}

static void test_side_lists_are_fetched_once_where_needed(void **state)
{
	(void)state;
	world_run(look_up);
}

/* --- expansion ------------------------------------------------------------------------------- */

static struct fault slow(struct kiln *kiln)
{
	(void)kiln;
	return (struct fault){.takes_ms = 20};
}

static void expand(struct world *world)
{
	struct operation operation = world_operation(world, "details");

	world_must(world, &operation);
	assert_true(world->result.is_partial);
	assert_true(json_is(json_get_c(json_at(world->result.items, 0), "size"), JSON_UNDEFINED));
	operation.expand = true;
	operation.limit = 30;
	world->kiln.next_fault = slow;
	world->kiln.calls = 0;
	world_must(world, &operation);
	assert_false(world->result.is_partial);
	assert_int_equal(world->result.items.count, 30);
	assert_int_equal(world->result.calls, 31);
	assert_int_equal(world->kiln.under_way_most, 4);
	for (size_t i = 0; i < 30; i++) {
		struct json item = json_at(world->result.items, i);
		struct str id = arena_format(&world->arena, "%zu", 100 - i);

		assert_true(str_equal(json_get_str(item, "id"), id));
		assert_true(json_equal(json_get_c(item, "size"), json_int(7)));
	}
}

static void test_a_partial_list_is_filled_up_some_at_a_time(void **state)
{
	(void)state;
	world_run(expand);
}

static void expand_badly(struct world *world)
{
	struct operation operation = world_operation(world, "details");

	/* Deleted between list and get: the list's record stays, and the reply says so. */
	operation.expand = true;
	world->kiln.pots[3].is_lost = true;
	world_must(world, &operation);
	assert_int_equal(world->result.items.count, 10);
	assert_true(world->result.is_partial);
	assert_true(str_equal(world_id(world, 3), STR("97")));
	assert_true(json_is(json_get_c(json_at(world->result.items, 3), "size"), JSON_UNDEFINED));
	assert_true(json_equal(json_get_c(json_at(world->result.items, 4), "size"), json_int(7)));
	assert_int_equal(world->result.remote_status, 0);
	/* Any other error is one of the whole. */
	world->kiln.calls = 0;
	world->kiln.fault_count = 6;
	world->kiln.faults[5] = (struct fault){.status = 403};
	assert_false(world_call(world, &operation));
	assert_int_equal(world->err.code, ERROR_FORBIDDEN);
	assert_int_equal(world->result.remote_status, 403);
}

static void test_what_goes_wrong_in_an_expansion(void **state)
{
	(void)state;
	world_run(expand_badly);
}

/* --- validation ------------------------------------------------------------------------------ */

static bool validate(struct world *world, const char *context, const char *credential)
{
	struct account account = {.environment_id = world->environment.id,
				  .connector = STR("kiln")};
	struct json secrets = json_undefined();
	struct operation_result result;
	struct error err;
	bool ok = json_parse(&world->arena, str_from_c(context), &json_limits_default,
			     &account.context, &err) &&
		  json_parse(&world->arena, str_from_c(credential), &json_limits_default, &secrets,
			     &err);

	WORLD_CHECK(ok, err);
	return operation_validate(&world->services, &world->arena, &account, secrets,
				  world->time.now_ns + 30LL * 1000000000, &result, &world->err);
}

static void validate_fields(struct world *world)
{
	static const struct {
		const char *context, *credential, *field;
	} cases[] = {
		{"{}", "{\"api_token\":\"x\"}", "company_id"},
		{"{\"company_id\":\"\"}", "{\"api_token\":\"x\"}", "company_id"},
		{"{\"company_id\":\"A B\"}", "{\"api_token\":\"x\"}", "company_id"},
		{"{\"company_id\":7}", "{\"api_token\":\"x\"}", "company_id"},
		{"{\"company_id\":\"acme\",\"colour\":\"red\"}", "{\"api_token\":\"x\"}", "colour"},
		{"{\"company_id\":\"acme\"}", "{\"api_token\":\"a\\nb\"}", "api_token"},
		{"{\"company_id\":\"acme\"}", "{\"api_token\":{}}", "api_token"},
		{"{\"company_id\":\"acme\"}", "{\"token\":\"x\"}", "token"},
		{"[]", "{\"api_token\":\"x\"}", "context"},
		{"{\"company_id\":\"acme\"}", "7", "credential"},
	};

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		assert_false(validate(world, cases[i].context, cases[i].credential));
		assert_int_equal(world->err.code, ERROR_INVALID);
		assert_string_equal(world->err.field, cases[i].field);
	}
	assert_int_equal(world->kiln.calls, 0);
	assert_true(validate(world, "{\"company_id\":\"acme\"}", "{\"api_token\":\"fresh-token\"}"));
	assert_int_equal(world->kiln.calls, 1);
	assert_string_equal(world->kiln.last_url, "https://api.kiln.example/c/acme/me");
	assert_string_equal(world->kiln.last_authorization, "Bearer fresh-token");
}

static void test_what_somebody_filled_in_is_checked_field_by_field(void **state)
{
	(void)state;
	world_run(validate_fields);
}

static void probe_badly(struct world *world)
{
	static const struct {
		int status;
		const char *field;
	} cases[] = {{401, "api_token"}, {403, "company_id"}, {404, "company_id"}};
	const char *context = "{\"company_id\":\"acme\"}";

	for (size_t i = 0; i < 3; i++) {
		world->kiln.calls = 0;
		world->kiln.fault_count = 1;
		world->kiln.faults[0] = (struct fault){
			.status = cases[i].status, .body = "{\"error\":[\"no fresh-token here\"]}"};
		assert_false(validate(world, context, "{\"api_token\":\"fresh-token\"}"));
		assert_int_equal(world->err.code, ERROR_INVALID);
		assert_string_equal(world->err.field, cases[i].field);
		assert_int_equal(world->err.remote_status, cases[i].status);
		assert_null(strstr(world->err.message, "fresh-token"));
	}
}

static void test_a_probe_that_fails_says_which_field_to_look_at(void **state)
{
	(void)state;
	world_run(probe_badly);
}

/* --- over real sockets ----------------------------------------------------------------------- */

static void serve_pots(struct http_handler *handler, struct http_exchange *exchange)
{
	struct world *world = handler->context;
	struct str url = arena_format(exchange->arena, "http://127.0.0.1%.*s",
				      STR_ARGS(exchange->path));
	struct http_request request = {.method = exchange->method};
	struct buffer query;
	struct http_response response;
	struct error err;

	buffer_init(&query, exchange->arena, 4096);
	buffer_append(&query, url);
	for (size_t i = 0; i < exchange->query_count; i++) {
		buffer_append_byte(&query, i == 0 ? '?' : '&');
		url_encode(&query, exchange->query[i].name);
		buffer_append_byte(&query, '=');
		url_encode(&query, exchange->query[i].value);
	}
	request.url = buffer_str(&query);
	request.deadline_ns = INT64_MAX;
	struct http_header authorization = {STR("Authorization"),
					    http_exchange_header(exchange, "authorization")};
	request.headers = &authorization;
	request.header_count = 1;
	if (!http_client_send(&world->kiln.client, exchange->arena, &request, &response, &err))
		die("the stand-in failed: %s", err.message);
	exchange->status = response.status;
	exchange->reply = response.body;
	struct str retry_after = http_response_header(&response, "retry-after");
	if (retry_after.len > 0)
		http_exchange_set_header(exchange, "Retry-After", retry_after);
}

static void refuse_request(struct http_handler *handler, struct http_exchange *exchange,
			   const struct error *err)
{
	(void)handler;
	exchange->status = error_http_status(err->code);
}

static void call_over_sockets(struct world *world)
{
	struct http_handler handler = {serve_pots, refuse_request, world};
	struct http_client_options options = {.user_agent = "tenon-test"};
	struct str address;
	struct error err;
	int fd;

	world->time.is_real = true;
	bool ok = http_listen(&world->setup, STR("127.0.0.1:0"), &fd, 1, &address, &err);
	WORLD_CHECK(ok, err);
	struct http_server *server = http_server_create(world->loop, fd, false,
							&http_server_limits_default, &handler, &err);
	WORLD_CHECK(server != NULL, err);
	struct http_client *client = http_client_create(world->loop, &options, &err);
	WORLD_CHECK(client != NULL, err);
	struct str base = arena_format(&world->setup, "http://%.*s", STR_ARGS(address));
	world->services.base_urls = &base;
	world->services.client = client;
	world->kiln.fault_count = 1;
	world->kiln.faults[0] = (struct fault){.body = "{\"pots\":[{\"id\":1"};
	struct operation operation = world_operation(world, "details");
	operation.expand = true;
	operation.limit = 12;
	world_must(world, &operation);
	assert_int_equal(world->result.items.count, 12);
	assert_false(world->result.is_partial);
	assert_string_equal(world->kiln.last_authorization, "Bearer kiln-secret-token");
	http_client_destroy(client);
	http_server_quiesce(server);
	http_server_destroy(server);
}

static void test_the_whole_over_real_sockets(void **state)
{
	(void)state;
	world_run(call_over_sockets);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_cannot_be_answered_is_refused_by_name),
		cmocka_unit_test(test_values_are_checked_by_their_type),
		cmocka_unit_test(test_filters_reach_the_ats_encoded),
		cmocka_unit_test(test_another_base_url_keeps_the_path),
		cmocka_unit_test(test_a_link_to_another_host_never_gets_the_credential),
		cmocka_unit_test(test_records_are_mapped),
		cmocka_unit_test(test_an_expression_that_fails_costs_its_field_only),
		cmocka_unit_test(test_an_answer_without_its_list_is_no_empty_list),
		cmocka_unit_test(test_get_gives_one_record),
		cmocka_unit_test(test_get_looks_through_a_list_where_there_is_no_other_way),
		cmocka_unit_test(test_a_search_holds_a_page_at_a_time),
		cmocka_unit_test(test_get_finds_a_record_within_a_record),
		cmocka_unit_test(test_side_lists_are_fetched_once_where_needed),
		cmocka_unit_test(test_a_partial_list_is_filled_up_some_at_a_time),
		cmocka_unit_test(test_what_goes_wrong_in_an_expansion),
		cmocka_unit_test(test_what_somebody_filled_in_is_checked_field_by_field),
		cmocka_unit_test(test_a_probe_that_fails_says_which_field_to_look_at),
		cmocka_unit_test(test_the_whole_over_real_sockets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
