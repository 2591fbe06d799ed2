/* What the ATS does wrong, and what a caller sees of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "world.h"

static const int64_t MS_NS = 1000000;

static void script(struct world *world, const struct fault *faults, size_t count)
{
	world->kiln.calls = 0;
	world->kiln.fault_count = count;
	memcpy(world->kiln.faults, faults, count * sizeof *faults);
}

/* The same fault at every call. */
static void script_all(struct world *world, struct fault fault)
{
	world->kiln.calls = 0;
	world->kiln.fault_count = FAULTS_MAX;
	for (size_t i = 0; i < FAULTS_MAX; i++)
		world->kiln.faults[i] = fault;
}

static const struct fault GOOD = {0};

/* --- reading --------------------------------------------------------------------------------- */

static const struct fault passing[] = {
	{.status = 408},
	{.status = 425},
	{.status = 429},
	{.status = 500},
	{.status = 502},
	{.status = 503},
	{.status = 504},
	{.outcome = HTTP_NOT_SENT},
	{.outcome = HTTP_BROKEN},
	{.outcome = HTTP_TIMED_OUT},
	{.cut = 9},
	{.body = ""},
	{.body = "<html>down for maintenance</html>"},
	{.type = "text/html"},
};
enum { PASSING = sizeof passing / sizeof passing[0] };

static void read_through_faults(struct world *world)
{
	for (size_t i = 0; i < PASSING; i++) {
		const struct fault faults[] = {passing[i], passing[i], GOOD};
		struct operation operation = world_operation(world, "offsets");

		script(world, faults, 3);
		world_must(world, &operation);
		assert_int_equal(world->result.items.count, 10);
		assert_int_equal(world->kiln.calls, 3);
		assert_int_equal(world->result.calls, 3);
		assert_int_equal(world->result.retries, 2);
		assert_int_equal(world->result.remote_status, 0);
		assert_true(world->result.wait_ns > 0);
	}
	assert_int_equal(world->counts.upstream_retries, 2 * PASSING);
	assert_int_equal(world->counts.upstream_calls, 3 * PASSING);
	assert_int_equal(world->counts.upstream_rate_limited, 2);
	assert_int_equal(world->counts.upstream_failures, 0);
}

static void test_a_read_is_tried_again_where_that_may_help(void **state)
{
	(void)state;
	world_run(read_through_faults);
}

static const struct {
	int status;
	enum error_code code;
} lasting[] = {
	{400, ERROR_INVALID},	{403, ERROR_FORBIDDEN}, {404, ERROR_NOT_FOUND},
	{409, ERROR_CONFLICT},	{422, ERROR_INVALID},	{405, ERROR_UPSTREAM},
	{302, ERROR_UPSTREAM},	{501, ERROR_UPSTREAM},
};

static void read_lasting_faults(struct world *world)
{
	for (size_t i = 0; i < sizeof lasting / sizeof lasting[0]; i++) {
		struct operation operation = world_operation(world, "offsets");

		script_all(world, (struct fault){.status = lasting[i].status});
		assert_false(world_call(world, &operation));
		assert_int_equal(world->kiln.calls, 1);
		assert_int_equal(world->err.code, lasting[i].code);
		assert_int_equal(world->err.remote_status, lasting[i].status);
		assert_non_null(strstr(world->err.message, "Scripted"));
		assert_int_equal(world->result.remote_status, lasting[i].status);
		assert_true(str_equal(world->result.remote_body,
				      STR("{\"error\":[\"Scripted\"]}")));
	}
}

static void test_what_will_not_change_is_told_at_once(void **state)
{
	(void)state;
	world_run(read_lasting_faults);
}

static struct fault now_and_then(struct kiln *kiln)
{
	uint64_t dice = random_seeded_next(&kiln->seeded) % 100;

	if (dice < 5)
		return (struct fault){.status = 429, .retry_after = dice < 2 ? "1" : NULL};
	if (dice < 7)
		return (struct fault){.status = 503};
	if (dice < 8)
		return (struct fault){.outcome = HTTP_BROKEN};
	if (dice < 9)
		return (struct fault){.cut = 20};
	return GOOD;
}

static void read_much(struct world *world)
{
	world->kiln.next_fault = now_and_then;
	for (int i = 0; i < 2000; i++) {
		struct operation operation = world_operation(world, "offsets");

		world_must(world, &operation);
		assert_int_equal(world->result.items.count, 10);
		arena_finish(&world->arena);
	}
	assert_true(world->counts.upstream_retries > 100);
}

static void test_a_caller_of_a_shaky_ats_sees_only_success(void **state)
{
	(void)state;
	world_run(read_much);
}

static void read_hopeless(struct world *world)
{
	struct operation operation = world_operation(world, "offsets");

	script_all(world, (struct fault){.status = 503});
	operation.deadline_ns += 3600LL * 1000000000;
	assert_false(world_call(world, &operation));
	assert_int_equal(world->err.code, ERROR_UPSTREAM);
	assert_int_equal(world->err.remote_status, 503);
	assert_int_equal(world->kiln.calls, 8);
	assert_int_equal(world->result.retries, 7);
	assert_int_equal(world->counts.upstream_failures, 1);
	/* Each wait may be twice as long as the one before. */
	for (size_t i = 1; i < 8; i++)
		assert_in_range(world->kiln.call_ms[i] - world->kiln.call_ms[i - 1], 0,
				(100 << (i - 1)) + 5);
	script_all(world, (struct fault){.outcome = HTTP_BROKEN});
	assert_false(world_call(world, &operation));
	assert_int_equal(world->err.code, ERROR_UPSTREAM);
	assert_int_equal(world->err.remote_status, 0);
}

static void test_tries_are_bounded_and_wait_longer_each(void **state)
{
	(void)state;
	world_run(read_hopeless);
}

static void exhaust_budget(struct world *world)
{
	/* All operations fail: the first ones spend what there is, the later ones try once. */
	for (int i = 0; i < 40; i++) {
		struct operation operation = world_operation(world, "offsets");

		operation.deadline_ns += 3600LL * 1000000000;
		script_all(world, (struct fault){.status = 500});
		assert_false(world_call(world, &operation));
	}
	assert_int_equal(world->counts.upstream_retries, 100);
	assert_int_equal(world->kiln.calls, 1);
	/* Another account has its own. */
	struct account other = world_link(world, "{}");
	struct operation operation = world_operation(world, "offsets");
	operation.account = &other;
	script_all(world, (struct fault){.status = 500});
	assert_false(world_call(world, &operation));
	assert_int_equal(world->kiln.calls, 8);
	/* Successes fill it again. */
	world->kiln.fault_count = 0;
	for (int i = 0; i < 5; i++) {
		operation = world_operation(world, "offsets");
		world_must(world, &operation);
	}
	const struct fault faults[] = {{.status = 500}, GOOD};
	script(world, faults, 2);
	operation = world_operation(world, "offsets");
	world_must(world, &operation);
}

static void test_retries_of_an_account_have_a_budget(void **state)
{
	(void)state;
	world_run(exhaust_budget);
}

/* --- time ------------------------------------------------------------------------------------ */

static void stall(struct world *world)
{
	const struct fault faults[] = {{.stalls = true}, {.stalls = true}, GOOD};
	struct operation operation = world_operation(world, "offsets");

	/* One stalled connection takes its share of the time, not all of it. */
	script(world, faults, 3);
	world_must(world, &operation);
	assert_int_equal(world->kiln.calls, 3);
	assert_in_range(world->kiln.call_ms[1] - world->kiln.call_ms[0], 5000, 5200);
	assert_in_range(world->kiln.call_ms[2] - world->kiln.call_ms[1], 10000, 10300);
	assert_true(world->result.upstream_ns >= 15000 * MS_NS);
	/* Where all stall, the deadline ends it. */
	script_all(world, (struct fault){.stalls = true});
	operation = world_operation(world, "offsets");
	operation.deadline_ns = world->time.now_ns + 20000 * MS_NS;
	assert_false(world_call(world, &operation));
	assert_int_equal(world->err.code, ERROR_TIMEOUT);
	assert_true(world->time.now_ns <= operation.deadline_ns + 100 * MS_NS);
	assert_true(world->kiln.calls >= 3);
}

static void test_a_stalled_try_does_not_eat_the_whole_deadline(void **state)
{
	(void)state;
	world_run(stall);
}

static void pass_deadline(struct world *world)
{
	struct operation operation = world_operation(world, "offsets");

	operation.deadline_ns = world->time.now_ns - 1;
	assert_false(world_call(world, &operation));
	assert_int_equal(world->err.code, ERROR_TIMEOUT);
	assert_int_equal(world->kiln.calls, 0);
}

static void test_nothing_is_sent_after_the_deadline(void **state)
{
	(void)state;
	world_run(pass_deadline);
}

/* --- 429 ------------------------------------------------------------------------------------- */

static void obey_seconds(struct world *world)
{
	const struct fault faults[] = {{.status = 429, .retry_after = "7"}, GOOD};
	struct operation operation = world_operation(world, "offsets");

	script(world, faults, 2);
	world_must(world, &operation);
	assert_in_range(world->kiln.call_ms[1] - world->kiln.call_ms[0], 7000, 7100);
	assert_true(world->result.wait_ns >= 7000 * MS_NS);
}

static void obey_date(struct world *world)
{
	char date[64] = "Wed, 04 Mar 2026 09:15:40 GMT"; /* the world began at 09:15:22 */
	const struct fault faults[] = {{.status = 429, .retry_after = date}, GOOD};
	struct operation operation = world_operation(world, "offsets");
	int64_t until_ms = (1772615740 - 1772615722) * 1000;

	operation.deadline_ns += 60000 * MS_NS;
	script(world, faults, 2);
	world_must(world, &operation);
	assert_true(world->kiln.call_ms[1] >= until_ms);
}

static void test_retry_after_is_obeyed_in_both_forms(void **state)
{
	(void)state;
	world_run(obey_seconds);
	world_run(obey_date);
}

static void ignore_nonsense(struct world *world)
{
	static const char *const values[] = {"soon", "-5", "", "Tue, 01 Jan 2002 00:00:00 GMT"};

	for (size_t i = 0; i < 4; i++) {
		const struct fault faults[] = {{.status = 429, .retry_after = values[i]}, GOOD};
		struct operation operation = world_operation(world, "offsets");

		script(world, faults, 2);
		world_must(world, &operation);
		assert_in_range(world->kiln.call_ms[1] - world->kiln.call_ms[0], 0, 110);
	}
}

static void test_a_retry_after_of_no_use_is_a_backoff(void **state)
{
	(void)state;
	world_run(ignore_nonsense);
}

static void pause_account(struct world *world)
{
	struct operation operation = world_operation(world, "offsets");
	struct account other = world_link(world, "{}");

	script_all(world, (struct fault){.status = 429, .retry_after = "600"});
	assert_false(world_call(world, &operation));
	assert_int_equal(world->err.code, ERROR_RATE_LIMITED);
	assert_int_equal(world->err.remote_status, 429);
	assert_in_range(world->err.retry_after_ms, 599000, 600000);
	assert_int_equal(world->kiln.calls, 1);
	/* All further calls of the account are refused here, without troubling the ATS. */
	world->kiln.fault_count = 0;
	assert_false(world_call(world, &operation));
	assert_int_equal(world->err.code, ERROR_RATE_LIMITED);
	assert_in_range(world->err.retry_after_ms, 590000, 600000);
	assert_int_equal(world->kiln.calls, 1);
	/* Another account is not. */
	operation.account = &other;
	world_must(world, &operation);
	/* And it ends. */
	world->time.now_ns += 600000 * MS_NS;
	operation = world_operation(world, "offsets");
	world_must(world, &operation);
}

static void test_a_429_pauses_the_whole_account(void **state)
{
	(void)state;
	world_run(pause_account);
}

static void keep_limits(struct world *world)
{
	struct account slow = world_link(world, "{\"requests\": 2, \"per_seconds\": 10}");
	struct operation operation = world_operation(world, "cursors");

	/* The account's own numbers over the connector's: three calls for one page. */
	operation.account = &slow;
	operation.limit = 100;
	world_must(world, &operation);
	assert_int_equal(world->result.items.count, 100);
	assert_int_equal(world->result.calls, 3);
	assert_in_range(world->kiln.call_ms[2] - world->kiln.call_ms[0], 4990, 5100);
	assert_int_equal(world->counts.limiter_waits, 1);
	/* Too little time for the third: what there is comes, and the cursor goes on from there. */
	world->time.now_ns += 20000 * MS_NS;
	operation = world_operation(world, "cursors");
	operation.account = &slow;
	operation.limit = 100;
	operation.deadline_ns = world->time.now_ns + 3000 * MS_NS;
	world_must(world, &operation);
	assert_int_equal(world->result.items.count, 80);
	assert_true(world->result.next_cursor.len > 0);
	/* And none at all is an error which says when. */
	assert_false(world_call(world, &operation));
	assert_int_equal(world->err.code, ERROR_RATE_LIMITED);
	assert_in_range(world->err.retry_after_ms, 4000, 5000);
}

static void test_the_accounts_own_limits_are_kept(void **state)
{
	(void)state;
	world_run(keep_limits);
}

/* --- writing --------------------------------------------------------------------------------- */

/* Lists are read, so a connector's file cannot say this: a call that changes something. */
static void make_write(const struct world *world)
{
	const struct native_method *read = connector_find_method(
		world->connectors.items[0], STR("searches"), STR("list"));
	struct native_method *method = (struct native_method *)(uintptr_t)read;

	method->verb = HTTP_POST;
	method->is_repeatable = false;
}

static void write_once(struct world *world)
{
	static const struct {
		struct fault fault;
		bool is_repeated;
	} cases[] = {
		{{.outcome = HTTP_NOT_SENT}, true},   {{.status = 429}, true},
		{{.outcome = HTTP_BROKEN}, false},    {{.outcome = HTTP_TIMED_OUT}, false},
		{{.status = 500}, false},	      {{.status = 502}, false},
		{{.status = 503}, false},	      {{.status = 504}, false},
		{{.status = 408}, false},	      {{.cut = 5}, false},
		{{.type = "text/html"}, false},
	};

	make_write(world);
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		const struct fault faults[] = {cases[i].fault, GOOD};
		struct operation operation = world_operation(world, "searches");

		script(world, faults, 2);
		assert_int_equal(world_call(world, &operation), cases[i].is_repeated);
		assert_int_equal(world->kiln.calls, cases[i].is_repeated ? 2 : 1);
		assert_int_equal(world->kiln.last_method, HTTP_POST);
	}
}

static void test_a_write_is_never_repeated_when_it_may_have_been_done(void **state)
{
	(void)state;
	world_run(write_once);
}

/* --- the account ----------------------------------------------------------------------------- */

static enum account_status find_status(struct world *world)
{
	struct account account;
	struct error err;
	bool ok = account_find(world->accounts, &world->arena, world->environment.id,
			       world->account.id, &account, &err);

	WORLD_CHECK(ok, err);
	return account.status;
}

static void lose_credential(struct world *world)
{
	struct operation operation = world_operation(world, "offsets");

	script_all(world, (struct fault){
		.status = 401, .body = "{\"error\":\"Token kiln-secret-token not found\"}"});
	assert_false(world_call(world, &operation));
	assert_int_equal(world->err.code, ERROR_UNAUTHORIZED);
	assert_int_equal(world->err.remote_status, 401);
	assert_int_equal(world->kiln.calls, 1);
	assert_int_equal(find_status(world), ACCOUNT_NEEDS_REAUTH);
	/* The ATS repeated the token: nobody else shall. */
	assert_non_null(strstr(world->err.message, "not found"));
	assert_null(strstr(world->err.message, "kiln-secret-token"));
	assert_true(str_find(world->result.remote_body, STR("kiln-secret-token")) < 0);
	assert_true(str_find(world->result.remote_body, STR("not found")) >= 0);
	/* It works again. */
	world->kiln.fault_count = 0;
	world->account.status = find_status(world);
	operation = world_operation(world, "offsets");
	world_must(world, &operation);
	assert_int_equal(find_status(world), ACCOUNT_ACTIVE);
}

static void test_a_refused_credential_asks_for_its_owner_until_it_works(void **state)
{
	(void)state;
	world_run(lose_credential);
}

static void tell_header(struct world *world, const char *name, const char *value)
{
	world->kiln.told[world->kiln.told_count++] =
		(struct http_header){str_from_c(name), str_from_c(value)};
}

static void expect_json(struct json value, const char *text)
{
	struct arena arena;
	struct buffer out;

	arena_init(&arena, 1 << 20);
	buffer_init(&out, &arena, 1 << 20);
	json_print(&out, value);
	assert_string_equal(arena_c(&arena, buffer_str(&out)), text);
	arena_finish(&arena);
}

static void fail_with(struct world *world, int status, const char *body)
{
	struct operation operation = world_operation(world, "offsets");

	script_all(world, (struct fault){.status = status, .body = body});
	assert_false(world_call(world, &operation));
	assert_int_equal(world->result.remote_status, status);
}

static void explain(struct world *world)
{
	const struct remote_insight *insight = &world->result.remote_insight;

	fail_with(world, 422, "{\"missing\":[\"name\",7,\"\",\"size\"]}");
	expect_json(insight->missing_fields, "[\"name\",\"size\"]");
	assert_true(json_is(insight->missing_rights, JSON_UNDEFINED));
	fail_with(world, 400, "{\"missing\":\"name\"}");
	expect_json(insight->missing_fields, "[\"name\"]");
	/* Nothing is missing, or the error is another one, or it is no JSON. */
	fail_with(world, 422, "{\"error\":\"too large\"}");
	assert_true(json_is(insight->missing_fields, JSON_UNDEFINED));
	fail_with(world, 409, "{\"missing\":\"name\"}");
	assert_true(json_is(insight->missing_fields, JSON_UNDEFINED));
	fail_with(world, 422, "missing");
	assert_true(json_is(insight->missing_fields, JSON_UNDEFINED));
	fail_with(world, 403, "{\"rights\":[{\"name\":\"pots.read\"}]}");
	expect_json(insight->missing_rights, "[\"pots.read\"]");
	fail_with(world, 403, "{}");
	expect_json(insight->missing_rights, "[]");
}

static void test_an_error_tells_what_is_missing(void **state)
{
	(void)state;
	world_run(explain);
}

static void tell_headers(struct world *world)
{
	tell_header(world, "x-request-id", "7f kiln-secret-token \xff");
	tell_header(world, "set-cookie", "session=1");
	tell_header(world, "x-request-id", "another");
	fail_with(world, 404, "{}");
	expect_json(json_get_c(world->result.remote_insight.headers, "x-request-id"),
		    "\"7f ***************** ?\"");
	assert_true(json_is(json_get_c(world->result.remote_insight.headers, "set-cookie"),
			    JSON_UNDEFINED));
	assert_int_equal(world->result.remote_insight.headers.count, 2);
}

static void test_some_headers_of_an_error_are_told_without_secrets(void **state)
{
	(void)state;
	world_run(tell_headers);
}

static void cut_body(struct world *world)
{
	static char huge[200000];

	memset(huge, 'x', sizeof huge - 1);
	fail_with(world, 404, huge);
	assert_true(world->result.remote_body.len > 64 * 1024);
	assert_true(world->result.remote_body.len < 70 * 1024);
}

static void test_the_body_of_an_error_is_bounded(void **state)
{
	(void)state;
	world_run(cut_body);
}

static void tell_scopes(struct world *world)
{
	tell_header(world, "www-authenticate",
		    "Bearer realm=\"x\", error=\"insufficient_scope\", scope=\"pots lids\"");
	fail_with(world, 403, "{}");
	expect_json(world->result.remote_insight.missing_rights, "[\"pots\",\"lids\"]");
	/* What the connector finds is more to the point. */
	fail_with(world, 403, "{\"rights\":[{\"name\":\"pots.read\"}]}");
	expect_json(world->result.remote_insight.missing_rights, "[\"pots.read\"]");
	world->kiln.told_count = 0;
	tell_header(world, "www-authenticate", "Bearer scope=\"pots\", error=\"invalid_token\"");
	fail_with(world, 403, "{}");
	expect_json(world->result.remote_insight.missing_rights, "[]");
}

static void test_scopes_that_a_token_lacks_are_rights(void **state)
{
	(void)state;
	world_run(tell_scopes);
}

static void pass_limit(struct world *world)
{
	const struct fault faults[] = {{.status = 403, .body = "{\"code\":\"too_fast\"}"}, GOOD};
	struct operation operation = world_operation(world, "offsets");

	script(world, faults, 2);
	world_must(world, &operation);
	assert_int_equal(world->result.retries, 1);
	assert_int_equal(world->counts.upstream_rate_limited, 1);
	fail_with(world, 403, "{\"code\":\"too_fast\"}");
	assert_int_equal(world->err.code, ERROR_RATE_LIMITED);
	assert_int_equal(world->err.remote_status, 403);
	assert_true(world->err.retry_after_ms > 0);
	assert_true(json_is(world->result.remote_insight.missing_rights, JSON_UNDEFINED));
	fail_with(world, 403, "{\"code\":\"no\"}");
	assert_int_equal(world->err.code, ERROR_FORBIDDEN);
}

static void test_an_ats_may_tell_a_rate_limit_by_another_status(void **state)
{
	(void)state;
	world_run(pass_limit);
}

static void wipe_header(struct world *world)
{
	struct operation operation = world_operation(world, "offsets");

	world_must(world, &operation);
	assert_string_equal(world->kiln.last_authorization, "Bearer kiln-secret-token");
	struct str left = str_make(world->kiln.authorization_at, world->kiln.authorization_len);
	assert_true(str_find(left, STR("secret")) < 0);
}

static void test_the_opened_credential_is_wiped_after_the_call(void **state)
{
	(void)state;
	world_run(wipe_header);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_read_is_tried_again_where_that_may_help),
		cmocka_unit_test(test_what_will_not_change_is_told_at_once),
		cmocka_unit_test(test_a_caller_of_a_shaky_ats_sees_only_success),
		cmocka_unit_test(test_tries_are_bounded_and_wait_longer_each),
		cmocka_unit_test(test_retries_of_an_account_have_a_budget),
		cmocka_unit_test(test_a_stalled_try_does_not_eat_the_whole_deadline),
		cmocka_unit_test(test_nothing_is_sent_after_the_deadline),
		cmocka_unit_test(test_retry_after_is_obeyed_in_both_forms),
		cmocka_unit_test(test_a_retry_after_of_no_use_is_a_backoff),
		cmocka_unit_test(test_a_429_pauses_the_whole_account),
		cmocka_unit_test(test_the_accounts_own_limits_are_kept),
		cmocka_unit_test(test_a_write_is_never_repeated_when_it_may_have_been_done),
		cmocka_unit_test(test_a_refused_credential_asks_for_its_owner_until_it_works),
		cmocka_unit_test(test_an_error_tells_what_is_missing),
		cmocka_unit_test(test_some_headers_of_an_error_are_told_without_secrets),
		cmocka_unit_test(test_the_body_of_an_error_is_bounded),
		cmocka_unit_test(test_scopes_that_a_token_lacks_are_rights),
		cmocka_unit_test(test_an_ats_may_tell_a_rate_limit_by_another_status),
		cmocka_unit_test(test_the_opened_credential_is_wiped_after_the_call),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
