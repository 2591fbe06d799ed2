/* The ATS in its own terms: native methods in pages and as they answer, paths below its base URL,
 * writes whose answer is lost, and what the ATS tells of its rate limit. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "world.h"

/* An operation with what it borrows. */
struct asked {
	struct operation operation;
	struct operation_native native;
	struct operation_filter filters[8];
};

static void add_query(struct asked *asked, const char *name, const char *value)
{
	asked->filters[asked->operation.filter_count++] =
		(struct operation_filter){str_from_c(name), str_from_c(value)};
}

/* Names, ids and texts may be NULL. */
static void ask(struct world *world, struct asked *asked, enum http_method verb,
		const char *resource, const char *id, const char *name, const char *body)
{
	*asked = (struct asked){.operation = world_operation(world, resource)};
	asked->operation.method = OPERATION_PROXY;
	asked->operation.id = str_from_c(id);
	asked->operation.native = &asked->native;
	asked->operation.filters = asked->filters;
	asked->native = (struct operation_native){.verb = verb, .name = str_from_c(name),
						  .body = str_from_c(body)};
}

static void ask_custom(struct world *world, struct asked *asked, enum http_method verb,
		       const char *path, const char *body)
{
	ask(world, asked, verb, NULL, NULL, NULL, body);
	asked->operation.method = OPERATION_CUSTOM;
	asked->native.path = str_from_c(path);
}

static void must(struct world *world, struct asked *asked)
{
	world_must(world, &asked->operation);
}

static void must_fail(struct world *world, struct asked *asked, enum error_code code,
		      const char *field)
{
	size_t calls = world->kiln.calls;

	assert_false(world_call(world, &asked->operation));
	assert_int_equal(world->err.code, code);
	assert_string_equal(world->err.field, field);
	assert_int_equal(world->kiln.calls, calls);
}

static const char *body_of(struct world *world)
{
	return arena_c(&world->arena, world->result.body);
}

static void item_is(struct world *world, const char *wanted)
{
	struct buffer text;

	buffer_init(&text, &world->arena, SIZE_MAX);
	json_print(&text, world->result.item);
	assert_string_equal(arena_c(&world->arena, buffer_str(&text)), wanted);
}

/* --- lists ----------------------------------------------------------------------------------- */

/* To the end, in pages of 7: each pot once, in order. */
static void list_in_pages(struct world *world)
{
	static const char *const styles[] = {"offsets", "plains", "numbers", "cursors", "links",
					     "wholes", "searches"};

	for (size_t i = 0; i < sizeof styles / sizeof styles[0]; i++) {
		struct str cursor = {NULL, 0};
		int64_t id = 0, expected = 100;

		do {
			struct asked asked;

			ask(world, &asked, HTTP_GET, styles[i], NULL, NULL, NULL);
			asked.operation.limit = 7;
			asked.operation.cursor = cursor;
			must(world, &asked);
			assert_int_equal(world->result.status, 0);
			for (size_t k = 0; k < world->result.items.count; k++) {
				struct json pot = json_at(world->result.items, k);

				assert_true(json_to_int64(json_get_c(pot, "id"), &id));
				assert_int_equal(id, expected--);
				assert_true(json_source(pot).len > 0);
			}
			cursor = world->result.next_cursor;
		} while (cursor.len > 0);
		assert_int_equal(expected, 0);
	}
}

static void refuse_cursors(struct world *world)
{
	struct asked asked;

	ask(world, &asked, HTTP_GET, "offsets", NULL, NULL, NULL);
	add_query(&asked, "shelf", "s1");
	must(world, &asked);
	struct str cursor = world->result.next_cursor;

	assert_true(cursor.len > 0);
	/* The same with another filter, another list, the unified list of the same records. */
	ask(world, &asked, HTTP_GET, "offsets", NULL, NULL, NULL);
	add_query(&asked, "shelf", "s2");
	asked.operation.cursor = cursor;
	must_fail(world, &asked, ERROR_INVALID, "next_cursor");
	ask(world, &asked, HTTP_GET, "plains", NULL, NULL, NULL);
	add_query(&asked, "shelf", "s1");
	asked.operation.cursor = cursor;
	must_fail(world, &asked, ERROR_INVALID, "next_cursor");
	ask(world, &asked, HTTP_GET, "offsets", NULL, "list", NULL);
	add_query(&asked, "shelf", "s1");
	asked.operation.cursor = cursor;
	must(world, &asked);
}

/* --- methods and parameters ------------------------------------------------------------------ */

static void find_methods(struct world *world)
{
	struct asked asked;

	ask(world, &asked, HTTP_GET, "offsets", "5", NULL, NULL);
	must(world, &asked);
	assert_int_equal(world->result.status, 200);
	assert_non_null(strstr(body_of(world), "{\"pot\":{\"id\":5,"));
	assert_non_null(strstr(world->kiln.last_url, "/c/acme/pots/5"));
	ask(world, &asked, HTTP_GET, "offsets", "get", NULL, NULL);
	add_query(&asked, "id", "6");
	add_query(&asked, "odd[]", "a b");
	add_query(&asked, "odd[]", "&");
	must(world, &asked);
	assert_string_equal(world->kiln.last_url, "https://api.kiln.example/c/acme/pots/6"
						  "?odd%5B%5D=a%20b&odd%5B%5D=%26");
	/* What is there once, and a method by name after the id. */
	ask(world, &asked, HTTP_GET, "me", NULL, NULL, NULL);
	must(world, &asked);
	assert_string_equal(body_of(world), "{\"me\":{\"id\":1}}");
	ask(world, &asked, HTTP_POST, "pots", "5", "stamp", "{ \"stamp\" : \"x\" }");
	must(world, &asked);
	assert_int_equal(world->result.status, 201);
	assert_string_equal(world->kiln.last_body, "{ \"stamp\" : \"x\" }");
	assert_string_equal(world->kiln.last_type, "application/json");
	assert_int_equal(world->kiln.stampings, 1);
}

/* What would be sent is told, and nothing is sent; what is refused otherwise is refused then. */
static void show_what_would_be_sent(struct world *world)
{
	struct asked asked;

	ask(world, &asked, HTTP_PATCH, "pots", "5", NULL, "{\"pot\":{\"name\":\"b\"}}");
	asked.operation.dry_run = true;
	add_query(&asked, "odd", "1");
	must(world, &asked);
	assert_int_equal(world->kiln.calls, 0);
	assert_int_equal(world->result.status, 0);
	item_is(world,
		"{\"dry_run\":true,\"calls\":[{\"method\":\"PATCH\",\"path\":\"/pots/5\","
		"\"query\":{\"odd\":\"1\"},\"body\":{\"pot\":{\"name\":\"b\"}}}],"
		"\"missing\":[]}");
	ask(world, &asked, HTTP_DELETE, "pots", "5", NULL, NULL);
	asked.operation.dry_run = true;
	must(world, &asked);
	item_is(world,
		"{\"dry_run\":true,\"calls\":[{\"method\":\"DELETE\",\"path\":\"/pots/5\","
		"\"query\":{},\"body\":null}],\"missing\":[]}");
	ask(world, &asked, HTTP_PATCH, "pots", "5", NULL, "{\"pot\"");
	asked.operation.dry_run = true;
	must_fail(world, &asked, ERROR_INVALID, "body");
	/* A read is no write. */
	ask(world, &asked, HTTP_GET, "offsets", "5", NULL, NULL);
	asked.operation.dry_run = true;
	must(world, &asked);
	assert_int_equal(world->kiln.calls, 1);
}

static void refuse_what_is_not_there(struct world *world)
{
	struct asked asked;

	ask(world, &asked, HTTP_GET, "kettles", NULL, NULL, NULL);
	must_fail(world, &asked, ERROR_NOT_FOUND, "resource");
	assert_string_equal(world->err.allowed, "me, offsets, pots, plains, numbers, cursors, "
						"links, wholes, shelves, searches");
	ask(world, &asked, HTTP_GET, "pots", "5", NULL, NULL);
	must_fail(world, &asked, ERROR_NOT_SUPPORTED, "method");
	assert_string_equal(world->err.allowed, "create, update, delete, stamp");
	ask(world, &asked, HTTP_POST, "pots", "5", "fire", NULL);
	must_fail(world, &asked, ERROR_NOT_SUPPORTED, "method");
	ask(world, &asked, HTTP_GET, "pots", "5", "stamp", NULL);
	must_fail(world, &asked, ERROR_METHOD, "method");
	assert_string_equal(world->err.allowed, "POST");
	ask(world, &asked, HTTP_PUT, "pots", "5", "delete", NULL);
	must_fail(world, &asked, ERROR_METHOD, "method");
	assert_string_equal(world->err.allowed, "DELETE, POST");
}

static void refuse_parameters(struct world *world)
{
	struct asked asked;

	ask(world, &asked, HTTP_GET, "offsets", "get", NULL, NULL);
	must_fail(world, &asked, ERROR_INVALID, "id");
	ask(world, &asked, HTTP_GET, "offsets", "..", NULL, NULL);
	must_fail(world, &asked, ERROR_INVALID, "id");
	ask(world, &asked, HTTP_GET, "offsets", "1", "list", NULL);
	must_fail(world, &asked, ERROR_INVALID, "id");
	ask(world, &asked, HTTP_GET, "offsets", "get", NULL, NULL);
	add_query(&asked, "id", "1");
	add_query(&asked, "id", "2");
	must_fail(world, &asked, ERROR_INVALID, "id");
	ask(world, &asked, HTTP_GET, "offsets", NULL, NULL, NULL);
	add_query(&asked, "offset", "3");
	must_fail(world, &asked, ERROR_INVALID, "offset");
	ask(world, &asked, HTTP_GET, "offsets", NULL, NULL, NULL);
	add_query(&asked, "odd", "a\r\nb");
	must_fail(world, &asked, ERROR_INVALID, "odd");
	ask(world, &asked, HTTP_GET, "offsets", "5", NULL, "{}");
	must_fail(world, &asked, ERROR_INVALID, "body");
	ask(world, &asked, HTTP_POST, "pots", NULL, NULL, "{\"pot\":");
	must_fail(world, &asked, ERROR_INVALID, "body");
	ask(world, &asked, HTTP_GET, "offsets", NULL, NULL, NULL);
	asked.operation.limit = 1001;
	must_fail(world, &asked, ERROR_INVALID, "limit");
}

/* --- answers --------------------------------------------------------------------------------- */

/* A page for people where JSON was asked for is some server's between: asked again. Bytes of
 * another kind are the answer; of a custom path whatever comes is. */
static void judge_answers(struct world *world)
{
	struct kiln *kiln = &world->kiln;
	struct asked asked;

	kiln->faults[0] = (struct fault){.type = "text/html", .body = "<p>Back soon"};
	kiln->faults[1] = (struct fault){.cut = 9};
	kiln->fault_count = 2;
	ask(world, &asked, HTTP_GET, "offsets", "5", NULL, NULL);
	must(world, &asked);
	assert_int_equal(kiln->calls, 3);
	kiln->faults[3] = (struct fault){.type = "application/pdf", .body = "%PDF-1.7"};
	kiln->faults[4] = (struct fault){.type = "text/html", .body = "<p>Hello"};
	kiln->fault_count = 5;
	must(world, &asked);
	assert_string_equal(body_of(world), "%PDF-1.7");
	assert_true(str_equal(world->result.content_type, STR("application/pdf")));
	ask_custom(world, &asked, HTTP_GET, "pots/5", NULL);
	must(world, &asked);
	assert_string_equal(body_of(world), "<p>Hello");
	assert_int_equal(kiln->calls, 5);
}

static void tell_errors(struct world *world)
{
	struct asked asked;

	ask(world, &asked, HTTP_GET, "offsets", "5000", NULL, NULL);
	assert_false(world_call(world, &asked.operation));
	assert_int_equal(world->err.code, ERROR_NOT_FOUND);
	assert_int_equal(world->result.remote_status, 404);
	assert_int_equal(world->result.status, 0);
	world->kiln.faults[1] = (struct fault){.status = 401};
	world->kiln.fault_count = 2;
	ask_custom(world, &asked, HTTP_GET, "pots/5", NULL);
	assert_false(world_call(world, &asked.operation));
	assert_int_equal(world->err.code, ERROR_UNAUTHORIZED);
	struct account account;

	assert_true(account_find(world->accounts, &world->arena, world->environment.id,
				 world->account.id, &account, &world->err));
	assert_int_equal(account.status, ACCOUNT_NEEDS_REAUTH);
}

/* --- writes whose answer is lost -------------------------------------------------------------- */

static void lose_answers(struct world *world)
{
	struct kiln *kiln = &world->kiln;
	struct asked asked;

	kiln->faults[0] = (struct fault){.outcome = HTTP_BROKEN, .is_applied = true};
	kiln->fault_count = 1;
	ask(world, &asked, HTTP_POST, "pots", NULL, NULL, "{\"pot\":{\"name\":\"a\"}}");
	assert_false(world_call(world, &asked.operation));
	assert_int_equal(world->err.code, ERROR_OUTCOME_UNKNOWN);
	assert_int_equal(kiln->creations, 1);
	/* Nothing reached the ATS: sent again. */
	kiln->faults[1] = (struct fault){.outcome = HTTP_NOT_SENT};
	kiln->fault_count = 2;
	must(world, &asked);
	assert_int_equal(kiln->creations, 2);
	/* Twice does what once does. */
	kiln->faults[3] = (struct fault){.outcome = HTTP_BROKEN, .is_applied = true};
	kiln->fault_count = 4;
	ask(world, &asked, HTTP_PATCH, "pots", "5", NULL, "{\"pot\":{\"name\":\"b\"}}");
	must(world, &asked);
	assert_non_null(strstr(body_of(world), "\"name\":\"b\""));
	/* And what is gone when it is deleted the second time was deleted by the first. */
	kiln->faults[5] = (struct fault){.outcome = HTTP_BROKEN, .is_applied = true};
	kiln->fault_count = 6;
	ask(world, &asked, HTTP_DELETE, "pots", "5", NULL, NULL);
	must(world, &asked);
	assert_int_equal(world->result.status, 204);
	kiln->faults[7] = (struct fault){.outcome = HTTP_BROKEN, .is_applied = true};
	kiln->fault_count = 8;
	ask_custom(world, &asked, HTTP_POST, "pots", "{\"pot\":{\"name\":\"c\"}}");
	assert_false(world_call(world, &asked.operation));
	assert_int_equal(world->err.code, ERROR_OUTCOME_UNKNOWN);
	assert_int_equal(kiln->calls, 8);
	/* One that says JSON and is none was broken on its way, whatever was asked. */
	kiln->faults[8] = (struct fault){.body = "{\"pot\": {"};
	kiln->fault_count = 9;
	assert_false(world_call(world, &asked.operation));
	assert_int_equal(world->err.code, ERROR_OUTCOME_UNKNOWN);
	kiln->faults[9] = kiln->faults[8];
	kiln->fault_count = 10;
	ask_custom(world, &asked, HTTP_GET, "pots/6", NULL);
	must(world, &asked);
	assert_non_null(strstr(body_of(world), "\"id\":6"));
}

/* A journal of one call. */
struct notes {
	struct operation_journal journal;
	enum journal_state state;
	struct json result;
	struct arena *arena;
};

static enum journal_state find_note(struct operation_journal *journal, size_t number,
				    struct arena *arena, struct json *result, int64_t *sent_ms)
{
	struct notes *notes = (struct notes *)journal;

	(void)arena;
	assert_int_equal(number, 0);
	*sent_ms = 0;
	*result = notes->result;
	return notes->state;
}

static bool begin_note(struct operation_journal *journal, size_t number, int64_t now_ms,
		       struct error *err)
{
	(void)number, (void)now_ms, (void)err;
	((struct notes *)journal)->state = JOURNAL_UNKNOWN;
	return true;
}

static bool end_note(struct operation_journal *journal, size_t number, struct json result,
		     struct error *err)
{
	struct notes *notes = (struct notes *)journal;

	(void)number, (void)err;
	notes->state = json_is(result, JSON_UNDEFINED) ? JOURNAL_NONE : JOURNAL_DONE;
	notes->result = json_copy(notes->arena, result);
	return true;
}

static void take_up(struct world *world)
{
	struct notes notes = {.journal = {find_note, begin_note, end_note},
			      .arena = &world->arena};
	struct kiln *kiln = &world->kiln;
	struct asked asked;

	ask(world, &asked, HTTP_POST, "pots", NULL, NULL, "{\"pot\":{\"name\":\"a\"}}");
	asked.operation.journal = &notes.journal;
	kiln->faults[0] = (struct fault){.status = 422};
	kiln->faults[2] = (struct fault){.outcome = HTTP_BROKEN, .is_applied = true};
	kiln->fault_count = 3;
	assert_false(world_call(world, &asked.operation));
	assert_int_equal(notes.state, JOURNAL_NONE);
	must(world, &asked);
	const char *first = body_of(world);

	assert_int_equal(notes.state, JOURNAL_DONE);
	must(world, &asked);
	assert_int_equal(world->result.status, 201);
	assert_string_equal(body_of(world), first);
	assert_int_equal(kiln->creations, 1);
	/* One whose answer is lost stays unknown; nothing is sent any more. */
	notes.state = JOURNAL_NONE;
	for (int i = 0; i < 2; i++) {
		assert_false(world_call(world, &asked.operation));
		assert_int_equal(world->err.code, ERROR_OUTCOME_UNKNOWN);
		assert_int_equal(notes.state, JOURNAL_UNKNOWN);
	}
	assert_int_equal(kiln->calls, 3);
	/* Unless twice does what once does. */
	ask(world, &asked, HTTP_PATCH, "pots", "5", NULL, "{\"pot\":{\"name\":\"b\"}}");
	asked.operation.journal = &notes.journal;
	must(world, &asked);
	assert_int_equal(notes.state, JOURNAL_DONE);
	/* A refusal then tells nothing of the first time, but that it is gone does. */
	notes.state = JOURNAL_UNKNOWN;
	kiln->calls = 0;
	kiln->fault_count = 1;
	assert_false(world_call(world, &asked.operation));
	assert_int_equal(world->err.code, ERROR_OUTCOME_UNKNOWN);
	assert_int_equal(notes.state, JOURNAL_UNKNOWN);
	ask(world, &asked, HTTP_DELETE, "pots", "4711", NULL, NULL);
	asked.operation.journal = &notes.journal;
	must(world, &asked);
	assert_int_equal(world->result.status, 204);
}

/* --- custom paths ---------------------------------------------------------------------------- */

static void pass_paths(struct world *world)
{
	struct asked asked;

	ask_custom(world, &asked, HTTP_GET, "pots/5", NULL);
	add_query(&asked, "a", "1 2");
	must(world, &asked);
	assert_string_equal(world->kiln.last_url, "https://api.kiln.example/c/acme/pots/5?a=1%202");
	assert_string_equal(world->kiln.last_authorization, "Bearer kiln-secret-token");
	ask_custom(world, &asked, HTTP_GET, "odd/100%25/a%20b/%C3%A9/x.y/...:@;v=1/", NULL);
	must(world, &asked);
	assert_string_equal(world->kiln.last_url, "https://api.kiln.example/c/acme/"
						  "odd/100%25/a%20b/%C3%A9/x.y/...:@;v=1/");
	ask_custom(world, &asked, HTTP_POST, "pots", "name=x");
	asked.native.content_type = STR("application/x-www-form-urlencoded");
	must(world, &asked);
	assert_string_equal(world->kiln.last_body, "name=x");
	assert_string_equal(world->kiln.last_type, "application/x-www-form-urlencoded");
}

static void refuse_paths(struct world *world)
{
	static const char *const paths[] = {
		"", "/", "/x", "x//y", "..", ".", "../x", "x/..", "x/../y", "x/./y", "%2e%2e/x",
		"%2E./x", ".%2e", "%2e", "%252e%252e/x", "%25252e%25252e", "x%2fy", "x%2Fy",
		"x%252fy", "x%5cy", "x%255Cy", "x\\y", "..;/x", "..;a=b/x", "%2e%2e%3bx/y",
		"http://evil.example/", "//evil.example/", "\\\\evil.example", "x%00", "x%0d%0ay",
		"x%7f", "x\ny", "x y", "x#y", "x?y", "x%", "x%zz", "x%2", "%c0%ae%c0%ae/x",
		"%e0%80%ae/x", "%f0%80%80%ae", "\xc3\xa9", "x\"y", "x<y", "x{y}", "x|y", "x^y",
		"x`y",
	};
	struct asked asked;

	for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
		ask_custom(world, &asked, HTTP_GET, paths[i], NULL);
		must_fail(world, &asked, ERROR_INVALID, "path");
	}
	ask_custom(world, &asked, HTTP_GET, "x", NULL);
	add_query(&asked, "a", "b\r\nc");
	must_fail(world, &asked, ERROR_INVALID, "query");
}

/* --- rate limits ----------------------------------------------------------------------------- */

static void tell_rate_limits(struct world *world)
{
	static const struct {
		struct http_header told[3];
		const char *limit, *remaining, *reset;
	} cases[] = {
		{{{{0}, {0}}}, "", "", ""},
#define HEADER(name, value) {STR_INIT(name), STR_INIT(value)}
		{{HEADER("x-ratelimit-limit", "100"), HEADER("x-ratelimit-remaining", "99"),
		  HEADER("x-ratelimit-reset", "7")},
		 "100", "99", "7"},
		{{HEADER("ratelimit-limit", "110;w=10"), HEADER("ratelimit-remaining", " 0 "),
		  HEADER("ratelimit-reset", "0")},
		 "110;w=10", "0", "0"},
		{{HEADER("x-rate-limit-limit", "40, 40;w=5"), HEADER("x-rate-limit-remaining", "3"),
		  HEADER("x-rate-limit-reset", "2.5")},
		 "40", "3", "3"},
		{{HEADER("ratelimit", "limit=50, remaining=20, reset=30")}, "50", "20", "30"},
		{{HEADER("ratelimit", "\"default\";r=12;t=4")}, "", "12", "4"},
		{{HEADER("x-ratelimit-limit", "many"), HEADER("x-ratelimit-remaining", "-1")}, "",
		 "", ""},
		{{HEADER("x-ratelimit-remaining", "5"), HEADER("x-ratelimit-reset", "soon")}, "",
		 "5", ""},
		{{HEADER("x-ratelimit-remaining", "5"), HEADER("x-ratelimit-reset", "999999999")},
		 "", "5", "0"},
#undef HEADER
	};

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		const struct rate_limit *told = &world->result.rate_limit;
		struct asked asked;

		world->kiln.told_count = 0;
		for (size_t k = 0; k < 3 && cases[i].told[k].name.len > 0; k++)
			world->kiln.told[world->kiln.told_count++] = cases[i].told[k];
		ask(world, &asked, HTTP_GET, "offsets", "5", NULL, NULL);
		must(world, &asked);
		assert_true(str_equal_c(told->limit, cases[i].limit));
		assert_true(str_equal_c(told->remaining, cases[i].remaining));
		assert_true(str_equal_c(told->reset, cases[i].reset));
		struct operation list = world_operation(world, "offsets");

		world_must(world, &list);
		assert_true(str_equal_c(told->remaining, cases[i].remaining));
	}
}

/* A reset told as a moment, in seconds, in milliseconds and as a date. */
static void tell_moments(struct world *world)
{
	int64_t now_ms = clock_unix_ms(&world->time.clock);
	const char *texts[] = {
		arena_format(&world->arena, "%lld%c", (long long)(now_ms / 1000 + 90), 0).data,
		arena_format(&world->arena, "%lld%c", (long long)(now_ms + 90000), 0).data,
	};

	for (size_t i = 0; i < 2; i++) {
		struct asked asked;
		int64_t seconds;

		world->kiln.told[0] =
			(struct http_header){STR("x-ratelimit-remaining"), STR("1")};
		world->kiln.told[1] =
			(struct http_header){STR("x-ratelimit-reset"), str_from_c(texts[i])};
		world->kiln.told_count = 2;
		ask(world, &asked, HTTP_GET, "offsets", "5", NULL, NULL);
		must(world, &asked);
		assert_true(str_to_int64(world->result.rate_limit.reset, &seconds));
		assert_in_range(seconds, 89, 91);
	}
}

#define TEST(name)                           \
	static void test_##name(void **state) \
	{                                     \
		(void)state;                  \
		world_run(name);              \
	}
TEST(list_in_pages)
TEST(refuse_cursors)
TEST(find_methods)
TEST(show_what_would_be_sent)
TEST(refuse_what_is_not_there)
TEST(refuse_parameters)
TEST(judge_answers)
TEST(tell_errors)
TEST(lose_answers)
TEST(take_up)
TEST(pass_paths)
TEST(refuse_paths)
TEST(tell_rate_limits)
TEST(tell_moments)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_list_in_pages),
		cmocka_unit_test(test_refuse_cursors),
		cmocka_unit_test(test_find_methods),
		cmocka_unit_test(test_show_what_would_be_sent),
		cmocka_unit_test(test_refuse_what_is_not_there),
		cmocka_unit_test(test_refuse_parameters),
		cmocka_unit_test(test_judge_answers),
		cmocka_unit_test(test_tell_errors),
		cmocka_unit_test(test_lose_answers),
		cmocka_unit_test(test_take_up),
		cmocka_unit_test(test_pass_paths),
		cmocka_unit_test(test_refuse_paths),
		cmocka_unit_test(test_tell_rate_limits),
		cmocka_unit_test(test_tell_moments),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
