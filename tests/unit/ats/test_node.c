/* Processes that share a store: each piece of work has one owner, and a lease that is lost is lost. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <poll.h>
#include <pthread.h>

#include "../cluster.h"
#include "ats/node/node.h"
#include "schema_store.h"

enum { JOBS = 4000, THREADS = 6, BATCH = 20, WAIT_MS = 20000 };

struct test {
	char folder[PATH_MAX];
	struct store *store;
	struct arena arena;
	struct error err;
};

static void do_sql(struct test *test, const char *sql)
{
	const struct store_statement statement = {sql, NULL, 0, -1, false};

	if (!store_write(test->store, &statement, 1, &test->err))
		fail_msg("%s: %s", sql, test->err.message);
}

static int64_t number(struct test *test, const char *sql)
{
	struct store_rows rows;

	if (!store_query(test->store, &test->arena, sql, NULL, 0, &rows, &test->err))
		fail_msg("%s: %s", sql, test->err.message);
	return store_cell(&rows, 0, 0)->integer;
}

static void begin(struct test *test, const char *database)
{
	*test = (struct test){.store = NULL};
	folder_make(test->folder);
	arena_init(&test->arena, 64 * 1024 * 1024);
	test->store = schema_store(test->folder, database, &test->err);
	if (test->store == NULL)
		fail_msg("%s", test->err.message);
	do_sql(test, "DELETE FROM node");
	do_sql(test, "DROP TABLE IF EXISTS job");
	do_sql(test, "CREATE TABLE job (id INTEGER PRIMARY KEY, due_ms BIGINT NOT NULL,"
		     " done BIGINT NOT NULL DEFAULT 0, owner TEXT NOT NULL DEFAULT '',"
		     " fence BIGINT NOT NULL DEFAULT 0)");
}

static void end(struct test *test)
{
	store_close(test->store);
	arena_finish(&test->arena);
	folder_remove(test->folder);
}

static struct node *make_node(struct test *test, const char *folder, bool is_alone)
{
	const struct node_options options = {.store = test->store,
					     .clock = clock_system(),
					     .random = random_system(),
					     .folder = str_from_c(folder),
					     .is_alone = is_alone,
					     .version = "0"};
	struct node *node = node_create(&options, &test->err);

	if (node == NULL)
		fail_msg("%s", test->err.message);
	return node;
}

static size_t claim(struct node *node, struct arena *arena, int64_t most, struct node_term *term,
		    struct store_rows *rows)
{
	const struct node_claim jobs = {.sql = NODE_CLAIM("job", "id", "id",
							  "done = 0 AND due_ms <= ?3", "due_ms",
							  "id, fence"),
					.rows_max = most};
	struct error err;

	if (!node_claim(node, arena, &jobs, term, rows, &err))
		fail_msg("%s", err.message);
	return rows->count;
}

static size_t claim_some(struct test *test, struct node *node, int64_t most)
{
	struct node_term term;
	struct store_rows rows;

	return claim(node, &test->arena, most, &term, &rows);
}

static void add_jobs(struct test *test, int64_t count)
{
	const struct store_value value = store_int(count);
	const struct store_statement statement = {
		STORE_TEXTS("WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n"
			    " WHERE i < ?1) INSERT INTO job (id, due_ms) SELECT i, i FROM n",
			    "INSERT INTO job (id, due_ms) SELECT i, i FROM generate_series(1, ?1) i"),
		&value, 1, -1, false};

	if (!store_write(test->store, &statement, 1, &test->err))
		fail_msg("%s", test->err.message);
}

/* --- both engines ---------------------------------------------------------------------------- */

static void claims(const char *database)
{
	struct test test;

	begin(&test, database);
	struct node *one = make_node(&test, "one", database == NULL);
	struct node *two = make_node(&test, "two", database == NULL);
	assert_int_not_equal(node_slot(one), node_slot(two));
	add_jobs(&test, 30);
	do_sql(&test, "UPDATE job SET due_ms = 9000000000000000 WHERE id > 25");
	assert_int_equal(claim_some(&test, one, 10), 10);
	assert_int_equal(number(&test, "SELECT sum(id) FROM job WHERE owner <> ''"), 55);
	assert_int_equal(claim_some(&test, two, 100), 15);
	assert_int_equal(claim_some(&test, one, 100), 0);
	assert_int_equal(number(&test, "SELECT count(*) FROM job WHERE fence = 1"), 25);
	/* What one had is free when it has gone. */
	node_destroy(one);
	assert_int_equal(claim_some(&test, two, 100), 10);
	assert_int_equal(number(&test, "SELECT count(*) FROM job WHERE fence = 2"), 10);
	/* And when its folder has another process: the one before must be dead. */
	struct node *again = make_node(&test, "two", database == NULL);
	assert_int_equal(claim_some(&test, again, 100), 25);
	node_destroy(again);
	node_destroy(two);
	end(&test);
}

static void each_job_has_one_owner(void **state)
{
	(void)state;
	claims(NULL);
}

/* --- several processes ----------------------------------------------------------------------- */

#define NEEDS_CLUSTER                                                                            \
	(void)state;                                                                              \
	if (!cluster.is_there)                                                                    \
	skip()

static void each_job_has_one_owner_on_postgresql(void **state)
{
	NEEDS_CLUSTER;
	claims(cluster.database);
}

static void duties(void **state)
{
	NEEDS_CLUSTER;
	struct test test;
	struct node_duty first, second, third;
	bool is_ours;

	begin(&test, cluster.database);
	struct node *one = make_node(&test, "one", false), *two = make_node(&test, "two", false);
	assert_true(node_take_duty(one, STR("x"), &first, &is_ours, &test.err) && is_ours);
	assert_true(node_take_duty(two, STR("x"), &second, &is_ours, &test.err) && !is_ours);
	struct store_statement guard = node_duty_statement(one, &test.arena, &first);
	assert_true(store_write(test.store, &guard, 1, &test.err));
	node_end_duty(one, &first);
	assert_true(node_take_duty(two, STR("x"), &second, &is_ours, &test.err) && is_ours);
	assert_false(store_write(test.store, &guard, 1, &test.err));
	assert_int_equal(test.err.code, ERROR_CONFLICT);
	/* The row has gone in between, and the fence is the same number again. */
	node_end_duty(two, &second);
	assert_true(node_take_duty(two, STR("x"), &third, &is_ours, &test.err) && is_ours);
	assert_false(store_write(test.store, &guard, 1, &test.err));
	node_end_duty(two, &third);
	node_destroy(one);
	node_destroy(two);
	end(&test);
}

static void a_lost_lease_is_lost(void **state)
{
	NEEDS_CLUSTER;
	struct test test;
	struct node_term before, now;
	struct store_rows rows;

	begin(&test, cluster.database);
	add_jobs(&test, 2);
	struct node *one = make_node(&test, "one", false), *two = make_node(&test, "two", false);
	assert_int_equal(claim(one, &test.arena, 10, &before, &rows), 2);
	assert_true(node_has(one, before.number));
	do_sql(&test, "UPDATE node SET until_ms = 1 WHERE folder = 'one'");
	assert_int_equal(claim_some(&test, two, 10), 2);
	/* It finds out by itself, and goes on under another name. */
	for (int ms = 0; ms < WAIT_MS && node_has(one, before.number); ms += 10)
		poll(NULL, 0, 10);
	assert_false(node_has(one, before.number));
	for (int ms = 0; ms < WAIT_MS; ms += 10) {
		node_now(one, &now);
		if (now.number != before.number)
			break;
		poll(NULL, 0, 10);
	}
	assert_true(node_has(one, now.number));
	assert_string_not_equal(now.name, before.name);
	assert_int_equal(claim_some(&test, one, 10), 0);
	node_destroy(two);
	assert_int_equal(claim_some(&test, one, 10), 2);
	node_destroy(one);
	end(&test);
}

/* Each with a store, a folder and a node of its own. */
struct process {
	pthread_t thread;
	char folder[PATH_MAX];
	char name[16];
	int64_t done;
	const char *fault;
};

/* Refused where another has it. */
static bool finish_jobs(struct store *store, struct arena *arena, const struct store_rows *rows)
{
	struct store_statement *all = arena_array(arena, rows->count, sizeof *all);
	struct error err;

	for (size_t i = 0; i < rows->count; i++)
		all[i] = store_keep(arena,
				    "UPDATE job SET done = done + 1, owner = '' WHERE id = ?1"
				    " AND fence = ?2",
				    store_cell(rows, i, 0), 2, 1);
	return store_write(store, all, rows->count, &err);
}

static void *work(void *context)
{
	struct process *process = context;
	struct test test = {.err = {.code = ERROR_INTERNAL}};

	(void)store_enter_all();
	test.store = schema_store(process->folder, cluster.database, &test.err);
	if (test.store == NULL) {
		process->fault = "the store does not open";
		return NULL;
	}
	struct node *node = make_node(&test, process->name, false);
	for (;;) {
		struct node_term term;
		struct store_rows rows;

		arena_init(&test.arena, 1024 * 1024);
		size_t count = claim(node, &test.arena, BATCH, &term, &rows);
		if (count > 0 && !finish_jobs(test.store, &test.arena, &rows))
			process->fault = "jobs were not ours";
		process->done += (int64_t)count;
		arena_finish(&test.arena);
		if (count == 0)
			break;
	}
	node_destroy(node);
	store_close(test.store);
	return NULL;
}

static void many_processes_do_each_job_once(void **state)
{
	NEEDS_CLUSTER;
	struct process processes[THREADS] = {0};
	struct test test;
	int64_t done = 0;

	begin(&test, cluster.database);
	add_jobs(&test, JOBS);
	for (size_t i = 0; i < THREADS; i++) {
		folder_make(processes[i].folder);
		snprintf(processes[i].name, sizeof processes[i].name, "f%zu", i);
		assert_int_equal(pthread_create(&processes[i].thread, NULL, work, &processes[i]), 0);
	}
	for (size_t i = 0; i < THREADS; i++) {
		pthread_join(processes[i].thread, NULL);
		folder_remove(processes[i].folder);
		if (processes[i].fault != NULL)
			fail_msg("%s", processes[i].fault);
		done += processes[i].done;
	}
	assert_int_equal(done, JOBS);
	assert_int_equal(number(&test, "SELECT count(*) FROM job WHERE done = 1 AND fence = 1"),
			 JOBS);
	assert_int_equal(number(&test, "SELECT count(*) FROM node"), 0);
	end(&test);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_job_has_one_owner),
		cmocka_unit_test(each_job_has_one_owner_on_postgresql),
		cmocka_unit_test(duties),
		cmocka_unit_test(a_lost_lease_is_lost),
		cmocka_unit_test(many_processes_do_each_job_once),
	};

	return cmocka_run_group_tests(tests, make_cluster, remove_cluster);
}
