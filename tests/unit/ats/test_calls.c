/* The log of calls: what is taken is there after a flush and after a start, the newest first; it
 * is found by what is asked for, by its own environment only; what is old goes, what is too much
 * is counted. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "ats/calls/calls.h"
#define WORLD_HAS_A_WRITER true /* that is waited for outside of the loop */
#include "world.h"

static struct calls *open_days(struct world *world, int64_t days)
{
	struct calls *calls =
		calls_create(world->store, world->node, &world->time.clock, &world->random, days,
			     &world->err);

	assert_non_null(calls);
	return calls;
}

static struct call_record record_of(const char *environment, const char *account, int64_t status)
{
	return (struct call_record){
		.environment_id = str_from_c(environment),
		.account_id = str_from_c(account),
		.connector = STR("kiln"),
		.resource = STR("wares"),
		.method = STR("list"),
		.which_door = CALLS_UNIFIED,
		.status = status,
		.error = status < 400 ? (struct str){NULL, 0} : STR("invalid"),
		.duration_ms = 12,
		.upstream_ms = 8,
		.wait_ms = 3,
		.calls = 2,
		.retries = 1,
		.result_count = status < 400 ? 7 : -1,
		.request_id = STR("0123456789abcdef"),
	};
}

static void take(struct calls *calls, const char *environment, const char *account, int64_t status)
{
	const struct call_record record = record_of(environment, account, status);

	calls_take(calls, &record);
}

static struct calls_query query_of(const char *environment)
{
	return (struct calls_query){.environment_id = str_from_c(environment),
				    .status_max = 999,
				    .before_ms = INT64_MAX,
				    .limit = 100};
}

static size_t list(struct world *world, struct calls *calls, const struct calls_query *query,
		   struct call_record **records, int64_t *next_id)
{
	size_t count = 0;

	if (!calls_list(calls, &world->arena, query, records, &count, next_id, &world->err))
		fail_msg("%s", world->err.message);
	return count;
}

static size_t count(struct world *world, struct calls *calls, struct calls_query query)
{
	struct call_record *records;
	int64_t next_id;

	calls_flush(calls);
	return list(world, calls, &query, &records, &next_id);
}

static void keep(struct world *world)
{
	struct calls *calls = open_days(world, 30);
	struct calls_query query = query_of("env_a");
	struct call_record *records;
	int64_t next_id, now_ms = clock_unix_ms(&world->time.clock);

	take(calls, "env_a", "acc_1", 200);
	take(calls, "env_a", "", 404);
	/* Ending writes what is queued; the next start finds it. */
	calls_destroy(calls);
	calls = open_days(world, 30);
	assert_int_equal(list(world, calls, &query, &records, &next_id), 2);
	assert_int_equal(next_id, 0);
	assert_int_equal(records[0].status, 404);
	assert_int_equal(records[0].account_id.len, 0);
	assert_int_equal(records[0].result_count, -1);
	assert_true(str_equal(records[0].error, STR("invalid")));
	assert_true(str_equal(records[1].account_id, STR("acc_1")));
	assert_true(str_equal(records[1].connector, STR("kiln")));
	assert_true(str_equal(records[1].door, STR("unified")));
	assert_true(str_equal(records[1].resource, STR("wares")));
	assert_true(str_equal(records[1].method, STR("list")));
	assert_true(str_equal(records[1].request_id, STR("0123456789abcdef")));
	assert_int_equal(records[1].error.len, 0);
	assert_int_equal(records[1].duration_ms, 12);
	assert_int_equal(records[1].upstream_ms, 8);
	assert_int_equal(records[1].wait_ms, 3);
	assert_int_equal(records[1].calls, 2);
	assert_int_equal(records[1].retries, 1);
	assert_int_equal(records[1].result_count, 7);
	assert_int_equal(call_record_time_ms(&records[1]), now_ms);
	calls_destroy(calls);
}

static void test_a_record_is_kept_whole(void **state)
{
	(void)state;
	world_run(keep);
}

static void ask(struct world *world)
{
	struct calls *calls = open_days(world, 30);
	struct calls_query query = query_of("env_a");
	struct call_record other = record_of("env_a", "acc_1", 201);

	take(calls, "env_a", "acc_1", 200);
	take(calls, "env_a", "acc_2", 200);
	take(calls, "env_a", "acc_1", 404);
	take(calls, "env_b", "acc_1", 503);
	other.which_door = CALLS_PROXY;
	other.resource = STR("kilns");
	other.method = STR("create");
	calls_take(calls, &other);
	assert_int_equal(count(world, calls, query), 4);
	assert_int_equal(count(world, calls, query_of("env_b")), 1);
	assert_int_equal(count(world, calls, query_of("env_")), 0);
	query.account_id = STR("acc_1");
	assert_int_equal(count(world, calls, query), 3);
	query.status_min = 400;
	assert_int_equal(count(world, calls, query), 1);
	query = query_of("env_a");
	query.status_max = 200;
	assert_int_equal(count(world, calls, query), 2);
	query = query_of("env_a");
	query.error = STR("invalid");
	assert_int_equal(count(world, calls, query), 1);
	query = query_of("env_a");
	query.door = STR("proxy");
	assert_int_equal(count(world, calls, query), 1);
	query.resource = STR("wares");
	assert_int_equal(count(world, calls, query), 0);
	query = query_of("env_a");
	query.method = STR("create");
	assert_int_equal(count(world, calls, query), 1);
	query = query_of("env_a");
	query.request_id = STR("0");
	assert_int_equal(count(world, calls, query), 0);
	calls_destroy(calls);
}

static void test_records_are_found_by_what_is_asked(void **state)
{
	(void)state;
	world_run(ask);
}

static void page(struct world *world)
{
	struct calls *calls = open_days(world, 30);
	struct calls_query query = query_of("env_a");
	struct call_record *records;
	int64_t next_id, seen = 0, middle_ms = 0;

	for (int64_t i = 0; i < 25; i++) {
		world->time.now_ns += 1000000;
		if (i == 10)
			middle_ms = clock_unix_ms(&world->time.clock);
		take(calls, "env_a", "acc_1", 200 + i);
	}
	calls_flush(calls);
	query.limit = 10;
	for (int pages = 0; pages < 3; pages++) {
		size_t got = list(world, calls, &query, &records, &next_id);

		assert_int_equal(got, pages < 2 ? 10 : 5);
		for (size_t i = 0; i < got; i++)
			assert_int_equal(records[i].status, 224 - seen++);
		query.before_id = next_id;
	}
	assert_int_equal(next_id, 0);
	query = query_of("env_a");
	query.from_ms = middle_ms;
	assert_int_equal(count(world, calls, query), 15);
	query.before_ms = middle_ms + 1;
	assert_int_equal(count(world, calls, query), 1);
	query.from_ms = 0;
	query.before_ms = middle_ms;
	assert_int_equal(count(world, calls, query), 10);
	calls_destroy(calls);
}

static void test_pages_go_from_the_newest_back(void **state)
{
	(void)state;
	world_run(page);
}

/* One record in many: each page looks at so many rows only, and the cursor goes on. */
static void scan(struct world *world)
{
	struct calls *calls = open_days(world, 30);
	struct calls_query query = query_of("env_a");
	struct call_record *records;
	int64_t next_id = 0;
	size_t found = 0, pages = 0;

	take(calls, "env_a", "acc_1", 500);
	for (int i = 0; i < 20500; i++) {
		take(calls, "env_a", "acc_1", 200);
		if (i % 4096 == 0)
			calls_flush(calls);
	}
	calls_flush(calls);
	query.status_min = 500;
	do {
		found += list(world, calls, &query, &records, &next_id);
		query.before_id = next_id;
		pages++;
	} while (next_id != 0);
	assert_int_equal(found, 1);
	assert_int_equal(pages, 2);
	calls_destroy(calls);
}

static void test_a_search_looks_at_so_many_records_at_once(void **state)
{
	(void)state;
	world_run(scan);
}

static void forget(struct world *world)
{
	struct calls *calls = open_days(world, 3);
	struct calls_counts counts;

	for (int i = 0; i < 5000; i++)
		take(calls, i % 2 == 0 ? "env_a" : "env_b", "acc_1", 200);
	calls_flush(calls);
	world->time.now_ns += (int64_t)2 * 24 * 3600 * 1000000000;
	take(calls, "env_a", "acc_1", 201);
	assert_int_equal(count(world, calls, query_of("env_a")), 100);
	world->time.now_ns += (int64_t)2 * 24 * 3600 * 1000000000;
	/* Some of them go each time, so that a sweep holds nobody up. */
	for (int i = 0; i < 3; i++)
		calls_flush(calls);
	assert_int_equal(count(world, calls, query_of("env_a")), 1);
	assert_int_equal(count(world, calls, query_of("env_b")), 0);
	calls_count(calls, &counts);
	assert_int_equal(counts.written, 5001);
	assert_int_equal(counts.dropped, 0);
	calls_destroy(calls);
	/* Kept for no time: nothing is taken, and what there was goes. */
	world->time.now_ns += 3600LL * 1000000000;
	calls = open_days(world, 0);
	take(calls, "env_a", "acc_1", 200);
	assert_int_equal(count(world, calls, query_of("env_a")), 0);
	calls_destroy(calls);
}

static void test_what_is_old_is_forgotten(void **state)
{
	(void)state;
	world_run(forget);
}

/* More at once than the queue holds: those that are left out are counted, nobody waits. */
static void flood(struct world *world)
{
	struct calls *calls = open_days(world, 30);
	struct calls_counts counts = {0};
	struct str wide = arena_format(&world->arena, "%0300d", 7);
	struct call_record record = record_of("env_a", "acc_1", 200);
	uint64_t taken = 0;

	/* An id that is no id is cut. */
	record.request_id = wide;
	while (counts.dropped == 0 && taken < 10000000) {
		for (int i = 0; i < 1000; i++, taken++)
			calls_take(calls, &record);
		calls_count(calls, &counts);
	}
	calls_flush(calls);
	calls_count(calls, &counts);
	assert_true(counts.dropped > 0);
	assert_int_equal(counts.written + counts.dropped, taken);
	calls_destroy(calls);
}

static void test_what_the_queue_cannot_hold_is_counted(void **state)
{
	(void)state;
	world_run(flood);
}

static struct node *make_node(struct world *world, const char *folder)
{
	const struct node_options options = {.store = world->store,
					     .clock = &world->time.clock,
					     .random = random_system(),
					     .folder = str_from_c(folder),
					     .is_alone = true,
					     .version = "0"};
	struct node *node = node_create(&options, &world->err);

	assert_non_null(node);
	return node;
}

/* Two logs on one store make no id twice, even within one millisecond, and each its own in order. */
static void share(struct world *world)
{
	struct node *node = make_node(world, "other");
	struct calls_query query = query_of("env_a");
	struct call_record *records;
	int64_t next_id;

	assert_int_not_equal(node_slot(node), node_slot(world->node));
	for (int i = 0; i < 2; i++) {
		/* With the same random number at the start. */
		struct random_seeded seeded = {.state = 1};
		struct random random = random_from_seed(&seeded);
		struct calls *calls =
			calls_create(world->store, i == 0 ? world->node : node,
				     &world->time.clock, &random, 30, &world->err);

		assert_non_null(calls);
		for (int call = 0; call < 20; call++)
			take(calls, "env_a", "acc_1", i == 0 ? 200 : 404);
		calls_destroy(calls);
	}
	struct calls *calls = open_days(world, 30);

	assert_int_equal(list(world, calls, &query, &records, &next_id), 40);
	for (int i = 1; i < 40; i++)
		assert_true(records[i].id < records[i - 1].id);
	calls_destroy(calls);
	node_destroy(node);
}

static void test_two_nodes_make_no_id_twice(void **state)
{
	(void)state;
	world_run(share);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_record_is_kept_whole),
		cmocka_unit_test(test_records_are_found_by_what_is_asked),
		cmocka_unit_test(test_pages_go_from_the_newest_back),
		cmocka_unit_test(test_a_search_looks_at_so_many_records_at_once),
		cmocka_unit_test(test_what_is_old_is_forgotten),
		cmocka_unit_test(test_what_the_queue_cannot_hold_is_counted),
		cmocka_unit_test(test_two_nodes_make_no_id_twice),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
