/* Events: numbered without a gap, told with the same words everywhere, and a bell for who waits. */
#include "account_testing.h"

#include "ats/event/event.h"
#include "io/loop/loop.h"

enum { PATIENCE_MS = 60000 };

static struct event_new record_event(struct test *test, const char *id, int64_t version)
{
	return (struct event_new){
		.environment_id = test->production,
		.account_id = STR("an-account"),
		.type = STR("record:updated"),
		.resource = STR("candidates"),
		.record_id = str_from_c(id),
		.version = version,
		.payload = STR("{\"changed\":[\"name\"]}"),
		.created_ms = 1700000000123,
	};
}

static void write_event(struct test *test, const char *id, int64_t version)
{
	const struct event_new event = record_event(test, id, version);
	const struct store_statement statement = event_statement(&test->arena, &event);

	assert_true(store_write(test->store, &statement, 1, &test->err));
}

static size_t list(struct test *test, int64_t after, struct event **events)
{
	const struct event_query query = {
		.environment_id = test->production, .after = after, .limit = 1000};
	size_t count;

	assert_true(event_list(test->store, &test->arena, &query, events, &count, &test->err));
	return count;
}

static void numbers_have_no_gap_where_a_write_was_undone(void **state)
{
	struct test *test = *state;
	struct event *events;
	const struct event_new lost = record_event(test, "7", 1);
	const struct store_statement undone[] = {
		event_statement(&test->arena, &lost),
		{.sql = "UPDATE environment SET name = name WHERE id = ''", .changes_expected = 1},
	};
	int64_t before = (int64_t)list(test, 0, &events);

	write_event(test, "7", 1);
	assert_false(store_write(test->store, undone, 2, &test->err));
	write_event(test, "8", 1);
	assert_int_equal(list(test, before, &events), 2);
	assert_int_equal(events[0].number, before + 1);
	assert_int_equal(events[1].number, before + 2);
}

static void an_event_is_told_with_the_same_words(void **state)
{
	struct test *test = *state;
	struct event *events;

	write_event(test, "7", 3);
	size_t count = list(test, 0, &events);
	const struct event *event = &events[count - 1];
	struct str told = json_text(&test->arena,
				    event_json(&test->arena, test->production, event));
	struct str meant = arena_format(
		&test->arena,
		"{\"id\":\"evt_%.*s_%lld\",\"number\":%lld,\"event\":\"record:updated\","
		"\"environment_id\":\"%.*s\",\"integrated_account_id\":\"an-account\","
		"\"resource\":\"candidates\",\"record_id\":\"7\",\"version\":3,"
		"\"payload\":{\"changed\":[\"name\"]},\"created_at\":\"2023-11-14T22:13:20.123Z\"}",
		(int)test->production.len, test->production.data, (long long)event->number,
		(long long)event->number, (int)test->production.len, test->production.data);
	assert_string_equal(arena_c(&test->arena, told), arena_c(&test->arena, meant));
}

/* --- the bell ------------------------------------------------------------------------------- */

struct listener {
	struct test *test;
	struct event_bell *bell;
	uint64_t count;
	bool has_rung;
	bool is_done;
};

static void listen_once(void *context)
{
	struct listener *listener = context;

	listener->has_rung = event_bell_wait(listener->bell, listener->count, INT64_MAX - 1);
	listener->is_done = true;
}

static void write_one(void *context)
{
	struct listener *listener = context;

	assert_false(listener->is_done);
	write_event(listener->test, "9", 1);
}

static void who_waits_hears_of_a_commit(void **state)
{
	struct test *test = *state;
	struct loop *loop = loop_create(clock_system(), random_system(), &test->err);
	struct event_bell *bell = event_bell_create(test->store);
	struct listener listener = {
		.test = test, .bell = bell, .count = event_bell_count(bell)};

	assert_non_null(loop);
	loop_spawn(loop, listen_once, &listener);
	loop_spawn(loop, write_one, &listener);
	assert_true(loop_drain(loop, PATIENCE_MS));
	assert_true(listener.has_rung);
	/* What rang before one waits is not missed. */
	listener.is_done = listener.has_rung = false;
	loop_spawn(loop, listen_once, &listener);
	assert_true(loop_drain(loop, PATIENCE_MS));
	assert_true(listener.has_rung);
	event_bell_destroy(bell);
	loop_destroy(loop);
}

static void what_is_no_event_does_not_ring(void **state)
{
	struct test *test = *state;
	struct event_bell *bell = event_bell_create(test->store);
	uint64_t before = event_bell_count(bell);
	const struct store_statement other = {
		.sql = "UPDATE environment SET name = name", .changes_expected = -1};

	assert_true(store_write(test->store, &other, 1, &test->err));
	assert_int_equal(event_bell_count(bell), before);
	write_event(test, "7", 1);
	assert_int_equal(event_bell_count(bell), before + 1);
	event_bell_destroy(bell);
}

static size_t count_of(struct test *test, struct event_query query)
{
	struct event_page page;

	query.environment_id = test->production;
	query.limit = query.limit == 0 ? 1000 : query.limit;
	assert_true(event_read(test->store, &test->arena, &query, &page, &test->err));
	return page.count;
}

/* Of each filter what it lets pass, and no more. */
static void filters_let_pass_what_they_name(void **state)
{
	struct test *test = *state;
	struct event_query query = {0};

	write_event(test, "7", 1);
	write_event(test, "8", 1);
	write_event(test, "7", 2);
	assert_int_equal(count_of(test, query), 3);
	query.types = STR("[\"record:*\"]");
	assert_int_equal(count_of(test, query), 3);
	query.types = STR("[\"a:b\",\"*\"]");
	assert_int_equal(count_of(test, query), 3);
	query.types = STR("[\"record\",\"record:creat\",\"ecord:*\",\"[r]ecord:*\"]");
	assert_int_equal(count_of(test, query), 0);
	query = (struct event_query){.resource = STR("candidates"), .record_id = STR("7")};
	assert_int_equal(count_of(test, query), 2);
	query.account_id = STR("an-account");
	assert_int_equal(count_of(test, query), 2);
	query.account_id = STR("acc_2");
	assert_int_equal(count_of(test, query), 0);
	query = (struct event_query){.resources = STR("[\"jobs\",\"offices\"]")};
	assert_int_equal(count_of(test, query), 0);
	query = (struct event_query){.accounts = STR("[\"an-account\"]"), .after = 1, .until = 2};
	assert_int_equal(count_of(test, query), 1);
}

/* Events that no filter lets pass are looked at some thousand at a time. */
static void a_page_without_events_need_not_be_the_end(void **state)
{
	struct test *test = *state;
	struct event_query query = {.environment_id = test->production, .limit = 10};
	struct event_page page;
	size_t turns = 0;
	const struct store_statement many = {
		.sql = "WITH RECURSIVE n (i) AS (SELECT 2 UNION ALL SELECT i + 1 FROM n"
		       " WHERE i < 12000) INSERT INTO event (environment_id, number, type,"
		       " account_id, payload, created_ms) SELECT environment_id, i, 'a:b', 'acc_1',"
		       " '{}', 1 FROM n, event WHERE number = 1",
		.changes_expected = -1,
	};

	write_event(test, "7", 1);
	assert_true(store_write(test->store, &many, 1, &test->err));
	query.types = STR("[\"b:c\"]");
	do {
		assert_true(event_read(test->store, &test->arena, &query, &page, &test->err));
		assert_int_equal(page.count, 0);
		assert_true(page.is_end || page.seen > query.after);
		query.after = page.seen;
		turns++;
	} while (!page.is_end);
	assert_int_equal(query.after, 12000);
	assert_in_range(turns, 2, 5);
}

static void an_id_tells_the_number_to_its_own_environment(void **state)
{
	struct test *test = *state;
	int64_t number;

	assert_true(event_read_id(test->production,
				  event_id(&test->arena, test->production, 42), &number));
	assert_int_equal(number, 42);
	assert_false(event_read_id(test->staging,
				   event_id(&test->arena, test->production, 42), &number));
	assert_false(event_read_id(test->production, STR("evt_"), &number));
	assert_false(event_read_id(test->production,
				   event_id(&test->arena, test->production, 0), &number));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(numbers_have_no_gap_where_a_write_was_undone),
		TEST(an_event_is_told_with_the_same_words),
		TEST(who_waits_hears_of_a_commit),
		TEST(what_is_no_event_does_not_ring),
		TEST(filters_let_pass_what_they_name),
		TEST(a_page_without_events_need_not_be_the_end),
		TEST(an_id_tells_the_number_to_its_own_environment),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
