#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <libpq-fe.h>
#include <poll.h>
#include <pthread.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../cluster.h"
#include "io/store/pg_text.h"
#include "io/store/store.h"

/* A real PostgreSQL, for this file's tests. */

#define FIRST                                                                                      \
	{"0001_thing", "",                                                                         \
	 "CREATE TABLE thing (id BIGINT PRIMARY KEY, text TEXT COLLATE \"C\", bytes BYTEA,"         \
	 " CHECK (id < 1000000));"                                                                 \
	 "CREATE TABLE part (thing BIGINT NOT NULL REFERENCES thing (id), text TEXT)"}
static const struct store_migration first[] = {FIRST};

static const char functions[] =
	"CREATE OR REPLACE FUNCTION store_expect(changed bigint, expected bigint) RETURNS void"
	" LANGUAGE plpgsql AS $$ BEGIN IF changed <> expected THEN RAISE EXCEPTION USING"
	" ERRCODE = 'TN001', MESSAGE = changed || ' rows'; END IF; END $$";

struct test {
	char folder[PATH_MAX];
	struct store *store;
	struct arena arena;
	struct error err;
};

static struct store *open_store(struct test *test, const struct store_migration *migrations,
				size_t count)
{
	const struct store_options options = {
		.folder = test->folder,
		.database = cluster.database,
		.functions = functions,
		.migrations = migrations,
		.migration_count = count,
		.connections_max = 2,
		.rows_max = 1000,
	};

	return store_open(&options, &test->err);
}

static int set_up(void **state)
{
	struct test *test = calloc(1, sizeof *test);

	*state = test;
	folder_make(test->folder);
	arena_init(&test->arena, 64 * 1024 * 1024);
	if (!cluster.is_there)
		return 0;
	test->store = open_store(test, first, 1);
	if (test->store == NULL)
		print_error("%s\n", test->err.message);
	return test->store == NULL;
}

static bool do_sql(struct test *test, const char *sql)
{
	const struct store_statement statement = {sql, NULL, 0, -1, false};

	return store_write(test->store, &statement, 1, &test->err);
}

static int tear_down(void **state)
{
	struct test *test = *state;

	if (test->store != NULL) {
		(void)do_sql(test, "DELETE FROM part");
		(void)do_sql(test, "DELETE FROM thing");
	}
	store_close(test->store);
	arena_finish(&test->arena);
	folder_remove(test->folder);
	free(test);
	return 0;
}

#define NEEDS_CLUSTER                   \
	struct test *test = *state;     \
	do {                            \
		if (!cluster.is_there)  \
			skip();         \
	} while (0)

static struct store_statement insert(const struct store_value *values, int64_t expected)
{
	return (struct store_statement){"INSERT INTO thing (id, text, bytes) VALUES (?1, ?2, ?3)",
					values, 3, expected, false};
}

static bool put(struct test *test, int64_t id, const char *text)
{
	const struct store_value values[] = {store_int(id), store_text(str_from_c(text)),
					     store_null()};
	const struct store_statement statement = insert(values, 1);

	return store_write(test->store, &statement, 1, &test->err);
}

static int64_t number(struct test *test, const char *sql)
{
	struct store_rows rows;

	if (!store_query(test->store, &test->arena, sql, NULL, 0, &rows, &test->err))
		fail_msg("%s", test->err.message);
	return store_cell(&rows, 0, 0)->integer;
}

/* --- values ---------------------------------------------------------------------------------- */

static void what_is_written_is_read(void **state)
{
	NEEDS_CLUSTER;
	const struct store_value values[] = {store_int(-5), store_text(STR("ä \"quoted\" 'x'")),
					     store_blob(str_make("\0\1\xff", 3))};
	const struct store_statement statement = insert(values, 1);
	struct store_rows rows;

	assert_true(store_write(test->store, &statement, 1, &test->err));
	assert_true(store_query(test->store, &test->arena,
				"SELECT id, text, bytes, NULL, id < 0, count(*) OVER () FROM thing"
				" WHERE id = ?1 AND bytes = x'0001ff' AND text = ?2",
				values, 2, &rows, &test->err));
	assert_int_equal(rows.count, 1);
	assert_int_equal(store_cell(&rows, 0, 0)->integer, -5);
	assert_true(str_equal(store_cell(&rows, 0, 1)->bytes, values[1].bytes));
	assert_int_equal(store_cell(&rows, 0, 2)->type, STORE_BLOB);
	assert_true(str_equal(store_cell(&rows, 0, 2)->bytes, values[2].bytes));
	assert_int_equal(store_cell(&rows, 0, 3)->type, STORE_NULL);
	assert_int_equal(store_cell(&rows, 0, 4)->integer, 1);
	assert_int_equal(store_cell(&rows, 0, 5)->integer, 1);
}

static void too_many_rows_are_refused(void **state)
{
	NEEDS_CLUSTER;
	struct store_rows rows;

	assert_false(store_query(test->store, &test->arena, "SELECT generate_series(1, 1001)", NULL,
				 0, &rows, &test->err));
	assert_int_equal(test->err.code, ERROR_LIMIT);
	assert_int_equal(number(test, "SELECT 7"), 7);
}

/* --- writes ---------------------------------------------------------------------------------- */

static void a_write_is_done_whole_or_not_at_all(void **state)
{
	NEEDS_CLUSTER;
	const struct store_value one[] = {store_int(1), store_text(STR("a")), store_null()};
	const struct store_value two[] = {store_int(2), store_text(STR("b")), store_null()};
	struct store_statement both[] = {insert(one, 1), insert(two, 1)};

	both[1].changes_expected = 2;
	assert_false(store_write(test->store, both, 2, &test->err));
	assert_int_equal(test->err.code, ERROR_CONFLICT);
	assert_int_equal(number(test, "SELECT count(*) FROM thing"), 0);
	both[1].changes_expected = 1;
	assert_true(store_write(test->store, both, 2, &test->err));
	assert_int_equal(number(test, "SELECT count(*) FROM thing"), 2);
	/* A constraint, and the statements before it. */
	const struct store_value three[] = {store_int(3), store_text(STR("c")), store_null()};
	const struct store_statement broken[] = {insert(three, 1), insert(two, 1)};
	assert_false(store_write(test->store, broken, 2, &test->err));
	assert_int_equal(test->err.code, ERROR_CONFLICT);
	assert_int_equal(number(test, "SELECT count(*) FROM thing"), 2);
}

static void a_text_that_is_wrong_spoils_no_other(void **state)
{
	NEEDS_CLUSTER;

	for (int i = 0; i < 3; i++) {
		assert_false(do_sql(test, "UPDATE nothing SET a = 1"));
		assert_int_equal(test->err.code, ERROR_INTERNAL);
		assert_true(put(test, 10 + i, "x"));
	}
}

/* Two that take the same rows in opposite order, again and again: each is done in the end. */
static void *swap(void *context)
{
	struct test *test = context;
	struct error err;

	(void)store_enter_all();
	for (int i = 0; i < 40; i++) {
		const struct store_statement down[] = {
			{"UPDATE thing SET text = text || '-' WHERE id = 1", NULL, 0, 1, false},
			{"UPDATE thing SET text = text || '-' WHERE id = 2", NULL, 0, 1, false},
		};
		if (!store_write(test->store, down, 2, &err))
			fail_msg("%s", err.message);
	}
	return NULL;
}

static void writes_that_stand_in_each_others_way_are_done_again(void **state)
{
	NEEDS_CLUSTER;
	pthread_t thread;

	assert_true(put(test, 1, "") && put(test, 2, ""));
	assert_int_equal(pthread_create(&thread, NULL, swap, test), 0);
	for (int i = 0; i < 40; i++) {
		const struct store_statement up[] = {
			{"UPDATE thing SET text = text || '+' WHERE id = 2", NULL, 0, 1, false},
			{"UPDATE thing SET text = text || '+' WHERE id = 1", NULL, 0, 1, false},
		};
		assert_true(store_write(test->store, up, 2, &test->err));
	}
	pthread_join(thread, NULL);
	assert_int_equal(number(test, "SELECT sum(length(text))::bigint FROM thing"), 160);
}

/* --- the database goes and comes ------------------------------------------------------------- */

static void what_was_acknowledged_outlives_a_crash(void **state)
{
	NEEDS_CLUSTER;

	assert_true(put(test, 1, "kept"));
	assert_int_equal(run_cluster("stop", "fast"), 0);
	assert_false(put(test, 2, "not"));
	assert_int_equal(test->err.code, ERROR_UNAVAILABLE);
	assert_true(test->err.retry_after_ms > 0);
	assert_int_equal(run_cluster("start", ""), 0);
	/* By itself, once the pause between tries is over. */
	struct error err = {.code = ERROR_UNAVAILABLE};
	for (int i = 0; i < 1000 && err.code == ERROR_UNAVAILABLE; i++) {
		const struct store_value values[] = {store_int(3), store_text(STR("new")),
						     store_null()};
		const struct store_statement statement = insert(values, 1);
		if (store_write(test->store, &statement, 1, &err))
			break;
		poll(NULL, 0, 10);
	}
	assert_int_equal(number(test, "SELECT sum(id)::bigint FROM thing"), 4);
}

/* --- several processes ------------------------------------------------------------------------ */

static void who_wants_the_database_alone_gets_it_alone(void **state)
{
	NEEDS_CLUSTER;
	struct test other = {.store = NULL};
	struct store_rows rows;

	folder_make(other.folder);
	other.store = open_store(&other, first, 1);
	assert_non_null(other.store);
	assert_true(put(test, 1, "of one"));
	assert_true(put(&other, 2, "of the other"));
	store_close(other.store);
	/* On a connection that lives on in the pool. */
	assert_false(store_query(test->store, &test->arena,
				 "SELECT 1 / pg_try_advisory_lock(500429973623)::int", NULL, 0,
				 &rows, &test->err));
	store_close(test->store);
	test->store = NULL;
	PGconn *mover = PQconnectdb(cluster.database);
	PQclear(PQexec(mover, "SELECT pg_advisory_lock(500429973623)"));
	other.store = open_store(&other, first, 1);
	assert_null(other.store);
	assert_int_equal(other.err.code, ERROR_CONFLICT);
	PQfinish(mover);
	folder_remove(other.folder);
	test->store = open_store(test, first, 1);
	assert_non_null(test->store);
}

struct hearing {
	_Atomic int all;
	_Atomic int things;
};

static void hear(void *context, struct str what)
{
	struct hearing *hearing = context;

	hearing->all += what.len == 0;
	hearing->things += str_equal_c(what, "thing 7");
}

static void wait_until(_Atomic int *count, int at_least)
{
	for (int i = 0; i < 1000 && *count < at_least; i++)
		poll(NULL, 0, 10);
	assert_true(*count >= at_least);
}

static void what_others_change_is_heard(void **state)
{
	NEEDS_CLUSTER;
	struct hearing hearing = {0};
	struct test other = {.store = NULL};

	store_hear(test->store, hear, &hearing);
	folder_make(other.folder);
	other.store = open_store(&other, first, 1);
	assert_non_null(other.store);
	assert_true(do_sql(&other, "SELECT pg_notify('tenon_told', 'thing 7')"));
	wait_until(&hearing.things, 1);
	assert_true(store_is_current(test->store));
	/* What was said while nobody listened is made up for by: anything may have changed. */
	int all = hearing.all;
	assert_int_equal(run_cluster("stop", "immediate"), 0);
	for (int i = 0; i < 1000 && store_is_current(test->store); i++)
		poll(NULL, 0, 10);
	assert_false(store_is_current(test->store));
	assert_int_equal(run_cluster("start", ""), 0);
	wait_until(&hearing.all, all + 1);
	for (int i = 0; i < 1000 && !store_is_current(test->store); i++)
		poll(NULL, 0, 10);
	assert_true(store_is_current(test->store));
	store_close(other.store);
	folder_remove(other.folder);
}

/* --- in fibers ------------------------------------------------------------------------------- */

struct crowd {
	struct test *test;
	struct loop *loop;
	int left;
	int64_t next;
};

static void one_of_many(void *context)
{
	struct crowd *crowd = context;
	struct arena arena;
	struct store_rows rows;
	struct error err;
	const struct store_value values[] = {store_int(crowd->next++), store_text(STR("f")),
					     store_null()};
	const struct store_statement statement = insert(values, 1);

	(void)store_enter_all();
	arena_init(&arena, 65536);
	assert_true(store_write(crowd->test->store, &statement, 1, &err));
	assert_true(store_query(crowd->test->store, &arena, "SELECT id FROM thing WHERE id = ?1",
				values, 1, &rows, &err));
	assert_int_equal(rows.count, 1);
	assert_int_equal(store_cell(&rows, 0, 0)->integer, values[0].integer);
	arena_finish(&arena);
	if (--crowd->left == 0)
		loop_stop(crowd->loop);
}

static void many_fibers_share_few_connections(void **state)
{
	NEEDS_CLUSTER;
	struct crowd crowd = {.test = test, .left = 100, .next = 1};

	crowd.loop = loop_create(clock_system(), random_system(), &test->err);
	assert_non_null(crowd.loop);
	for (int i = 0; i < 100; i++)
		loop_spawn(crowd.loop, one_of_many, &crowd);
	loop_run(crowd.loop);
	/* Its connections are closed with the store, after the loop. */
	loop_destroy(crowd.loop);
	assert_int_equal(number(test, "SELECT count(*) FROM thing"), 100);
	assert_true(number(test, "SELECT count(*) FROM pg_stat_activity"
				 " WHERE application_name = 'tenon'") <= 3);
}

/* --- whose rows ------------------------------------------------------------------------------ */

static void enter_or_nobody(struct str environment)
{
	static const struct store_scope nobody;

	if (environment.len > 0)
		(void)store_enter(environment);
	else
		store_leave(&nobody);
}

/* A table with rows of two environments, guarded as the program's are. */
static void make_owned(struct test *test)
{
	assert_true(do_sql(test, "CREATE TABLE owned (environment_id TEXT, n BIGINT CHECK (n < 1000))"));
	assert_true(do_sql(test, "CREATE POLICY environment ON owned USING (environment_id ="
				 " current_setting('tenon.environment')"
				 " OR current_setting('tenon.environment') = '*')"));
	assert_true(do_sql(test, "ALTER TABLE owned ENABLE ROW LEVEL SECURITY"));
	assert_true(do_sql(test, "ALTER TABLE owned FORCE ROW LEVEL SECURITY"));
	assert_true(do_sql(test, "INSERT INTO owned VALUES ('env_a', 1), ('env_b', 10)"));
}

#define SUM "SELECT coalesce(sum(n), 0)::bigint FROM owned"

static void a_text_without_an_environment_finds_only_its_own(void **state)
{
	NEEDS_CLUSTER;
	struct store_rows rows;

	make_owned(test);
	(void)store_enter(STR("env_a"));
	assert_int_equal(number(test, SUM), 1);
	assert_true(do_sql(test, "UPDATE owned SET n = n + 1"));
	assert_false(do_sql(test, "INSERT INTO owned VALUES ('env_b', 5)"));
	assert_false(do_sql(test, "UPDATE owned SET environment_id = 'env_b'"));
	assert_true(do_sql(test, "DELETE FROM owned WHERE environment_id = 'env_b'"));
	(void)store_enter(STR("env_b"));
	assert_int_equal(number(test, SUM), 10);
	/* What is undone takes back what it said of the scope. */
	(void)store_enter(STR("env_a"));
	assert_false(do_sql(test, "UPDATE owned SET n = 5000"));
	assert_int_equal(number(test, SUM), 2);
	(void)store_enter(STR("env_c"));
	assert_int_equal(number(test, SUM), 0);
	(void)store_enter_all();
	assert_int_equal(number(test, SUM), 12);
	enter_or_nobody(STR(""));
	assert_false(store_query(test->store, &test->arena, SUM, NULL, 0, &rows, &test->err));
	assert_int_equal(test->err.code, ERROR_INTERNAL);
	assert_true(store_query_all(test->store, &test->arena, SUM, NULL, 0, &rows, &test->err));
	assert_false(do_sql(test, "UPDATE owned SET n = 0"));
	(void)store_enter_all();
	assert_true(store_is_bound(test->store));
	assert_true(do_sql(test, "DROP TABLE owned"));
}

struct worker {
	struct test *test;
	struct loop *loop;
	struct loop_group group;
	int64_t sum;
};

static void sum_up(void *context)
{
	struct worker *worker = context;

	worker->sum = number(worker->test, SUM);
	loop_group_done(&worker->group);
}

static int64_t sum_in_group(struct worker *worker)
{
	loop_group_spawn(&worker->group, sum_up, worker);
	loop_group_join(&worker->group);
	return worker->sum;
}

static void work_for_one_after_the_other(void *context)
{
	struct worker *worker = context;
	const struct store_statement later = {"UPDATE owned SET n = n + 100", NULL, 0, -1, false};
	struct store_rows rows;
	struct error err;

	assert_false(store_query(worker->test->store, &worker->test->arena, SUM, NULL, 0, &rows, &err));
	(void)store_enter(STR("env_a"));
	assert_int_equal(sum_in_group(worker), 1);
	assert_true(store_write_later(worker->test->store, &later, &err));
	struct store_scope before = store_enter(STR("env_b"));
	assert_int_equal(sum_in_group(worker), 10);
	store_leave(&before);
	while (number(worker->test, SUM) == 1)
		loop_sleep_ms(0);
	assert_int_equal(number(worker->test, SUM), 101);
	(void)store_enter_all();
	assert_int_equal(sum_in_group(worker), 111);
	loop_stop(worker->loop);
}

static void a_fiber_has_its_own_and_its_group_the_same(void **state)
{
	NEEDS_CLUSTER;
	struct worker worker = {.test = test};

	make_owned(test);
	worker.loop = loop_create(clock_system(), random_system(), &test->err);
	assert_non_null(worker.loop);
	loop_spawn(worker.loop, work_for_one_after_the_other, &worker);
	loop_run(worker.loop);
	loop_destroy(worker.loop);
	assert_true(do_sql(test, "DROP TABLE owned"));
}

/* --- migrations ------------------------------------------------------------------------------ */

static void another_databases_are_refused(void **state)
{
	NEEDS_CLUSTER;
	const struct store_migration other[] = {{"0001_other", "", "CREATE TABLE other (a BIGINT)"}};
	const struct store_migration broken[] = {FIRST, {"0002_broken", "", "CREATE TABLE ("}};
	const struct store_migration more[] = {FIRST,
					       {"0002_more", "", "CREATE TABLE more (a BIGINT)"}};

	store_close(test->store);
	test->store = open_store(test, other, 1);
	assert_null(test->store);
	assert_int_equal(test->err.code, ERROR_CONFLICT);
	assert_non_null(strstr(test->err.message, "0001_thing"));
	test->store = open_store(test, broken, 2);
	assert_null(test->store);
	assert_non_null(strstr(test->err.message, "0002_broken failed and was undone"));
	test->store = open_store(test, more, 2);
	assert_non_null(test->store);
	store_close(test->store);
	test->store = open_store(test, first, 1);
	assert_null(test->store);
	assert_non_null(strstr(test->err.message, "newer tenon"));
	test->store = open_store(test, more, 2);
	assert_non_null(test->store);
	assert_true(do_sql(test, "DROP TABLE more"));
	assert_true(do_sql(test, "DELETE FROM store_migration WHERE position = 2"));
}

/* What N adds and N-1 can live with lets N-1 go on, and start. */
static void an_older_program_runs_on_what_was_made_for_it(void **state)
{
	NEEDS_CLUSTER;
	const struct store_migration next[] = {
		FIRST, {"0002_next", "", "ALTER TABLE thing ADD COLUMN more BIGINT", 1}};
	const struct store_migration far[] = {
		FIRST, {"0002_next", "", "ALTER TABLE thing ADD COLUMN more BIGINT", 1},
		{"0003_far", "", "ALTER TABLE thing DROP COLUMN more", 2}};
	struct test newer = *test;

	assert_true(do_sql(test, "INSERT INTO thing (id, text) VALUES (1, 'before')"));
	newer.store = NULL;
	folder_make(newer.folder);
	newer.store = open_store(&newer, next, 2);
	assert_non_null(newer.store);
	assert_true(do_sql(test, "INSERT INTO thing (id, text) VALUES (2, 'beside')"));
	store_close(test->store);
	test->store = open_store(test, first, 1);
	assert_non_null(test->store);
	assert_true(do_sql(test, "INSERT INTO thing (id, text) VALUES (3, 'anew')"));
	/* That of before the last is none of its neighbours. */
	store_close(newer.store);
	newer.store = open_store(&newer, far, 3);
	assert_non_null(newer.store);
	store_close(test->store);
	test->store = open_store(test, first, 1);
	assert_null(test->store);
	assert_non_null(strstr(test->err.message, "newer tenon"));
	test->store = open_store(test, next, 2);
	assert_non_null(test->store);
	assert_true(do_sql(test, "DELETE FROM store_migration WHERE position > 1 OR position = -1"));
	store_close(newer.store);
	folder_remove(newer.folder);
}

struct opening {
	struct test test;
	_Atomic bool is_done;
};

static void *open_next(void *context)
{
	static const struct store_migration next[] = {
		FIRST, {"0002_next", "", "ALTER TABLE thing ADD COLUMN more BIGINT", 1}};
	struct opening *opening = context;

	opening->test.store = open_store(&opening->test, next, 2);
	opening->is_done = true;
	return NULL;
}

static bool is_waited_for(PGconn *conn)
{
	PGresult *result = PQexec(conn, "SELECT 1 FROM pg_locks WHERE NOT granted"
					" AND relation = 'thing'::regclass");
	bool is_so = PQntuples(result) > 0;

	PQclear(result);
	return is_so;
}

/* A backup has a table for as long as it takes; a migration that wants it lets others pass. */
static void a_migration_that_waits_holds_nobody_up(void **state)
{
	NEEDS_CLUSTER;
	struct opening opening = {.test = *test};
	PGconn *backup = PQconnectdb(cluster.database);
	pthread_t thread;

	folder_make(opening.test.folder);
	PQclear(PQexec(backup, "BEGIN; LOCK TABLE thing IN ACCESS SHARE MODE"));
	assert_int_equal(pthread_create(&thread, NULL, open_next, &opening), 0);
	while (!is_waited_for(backup) && !opening.is_done)
		poll(NULL, 0, 1);
	assert_true(do_sql(test, "INSERT INTO thing (id, text) VALUES (1, 'meanwhile')"));
	assert_false(opening.is_done);
	PQclear(PQexec(backup, "COMMIT"));
	pthread_join(thread, NULL);
	PQfinish(backup);
	assert_non_null(opening.test.store);
	assert_true(do_sql(test, "ALTER TABLE thing DROP COLUMN more"));
	assert_true(do_sql(test, "DELETE FROM store_migration WHERE position > 1 OR position = -1"));
	store_close(opening.test.store);
	folder_remove(opening.test.folder);
}

/* --- beside what runs ------------------------------------------------------------------------ */

/* Index thing_text, and what is done before. */
#define BESIDE(before)                                                                             \
	"SELECT statement FROM (SELECT 1 AS place, 'DROP INDEX CONCURRENTLY thing_text' AS"        \
	" statement FROM pg_index WHERE indexrelid = to_regclass('thing_text') AND NOT indisvalid" \
	" UNION ALL SELECT place, statement FROM (VALUES " before "(3, 'CREATE UNIQUE INDEX"       \
	" CONCURRENTLY thing_text ON thing (text)')) AS wanted (place, statement)"                 \
	" WHERE NOT EXISTS (SELECT FROM pg_index WHERE indexrelid = to_regclass('thing_text')"     \
	" AND indisvalid)) AS each ORDER BY place"

static int64_t count_valid(struct test *test)
{
	struct store_rows rows;

	assert_true(store_query(test->store, &test->arena,
				"SELECT count(*) FROM pg_index WHERE indexrelid ="
				" to_regclass('thing_text') AND indisvalid AND indisunique",
				NULL, 0, &rows, &test->err));
	return store_cell(&rows, 0, 0)->integer;
}

static void forget_beside(struct test *test)
{
	assert_true(do_sql(test, "DROP INDEX thing_text"));
	assert_true(do_sql(test, "DELETE FROM store_migration WHERE position > 1 OR position = -1"));
}

static void what_is_done_beside_is_done_outside_of_a_transaction(void **state)
{
	NEEDS_CLUSTER;
	static const struct store_migration next[] = {FIRST,
						      {"0002_beside", "", BESIDE(""), 1, true}};

	/* Of a try that failed half way, as two rows have the same text, an index is left. */
	assert_true(do_sql(test, "INSERT INTO thing (id, text) VALUES (1, 'a'), (2, 'a')"));
	store_close(test->store);
	test->store = open_store(test, next, 2);
	assert_null(test->store);
	assert_non_null(strstr(test->err.message, "0002_beside is not done to its end"));
	test->store = open_store(test, first, 1);
	assert_non_null(test->store);
	assert_int_equal(count_valid(test), 0);
	assert_true(do_sql(test, "DELETE FROM thing WHERE id = 2"));
	store_close(test->store);
	test->store = open_store(test, next, 2);
	assert_non_null(test->store);
	assert_int_equal(count_valid(test), 1);
	/* It was done, and whoever did it ended before it was noted. */
	assert_true(do_sql(test, "DELETE FROM store_migration WHERE position > 1"));
	store_close(test->store);
	test->store = open_store(test, next, 2);
	assert_non_null(test->store);
	assert_int_equal(count_valid(test), 1);
	forget_beside(test);
}

static void what_comes_to_no_end_is_refused(void **state)
{
	NEEDS_CLUSTER;
	static const struct store_migration next[] = {
		FIRST, {"0002_endless", "", "SELECT 'SELECT 1'", 1, true}};

	store_close(test->store);
	test->store = open_store(test, next, 2);
	assert_null(test->store);
	assert_non_null(strstr(test->err.message, "does not come to an end"));
	test->store = open_store(test, first, 1);
	assert_non_null(test->store);
}

static void *open_beside(void *context)
{
	static const struct store_migration next[] = {
		FIRST, {"0002_beside", "", BESIDE("(2, 'SELECT pg_advisory_lock(7)'), "), 1, true}};
	struct opening *opening = context;

	opening->test.store = open_store(&opening->test, next, 2);
	opening->is_done = true;
	return NULL;
}

static void wait_for_waiting(PGconn *conn, const char *lock)
{
	char sql[128];
	bool is_so = false;

	snprintf(sql, sizeof sql, "SELECT 1 FROM pg_locks WHERE NOT granted"
				  " AND locktype = 'advisory' AND objid = %s", lock);
	while (!is_so) {
		PGresult *result = PQexec(conn, sql);
		is_so = PQntuples(result) > 0;
		PQclear(result);
	}
}

/* A node of the version before that starts meanwhile, and waits for the lock within a question. */
static void the_version_before_starts_beside(void **state)
{
	NEEDS_CLUSTER;
	struct opening opening = {.test = *test};
	PGconn *held = PQconnectdb(cluster.database), *older = PQconnectdb(cluster.database);
	pthread_t thread;

	folder_make(opening.test.folder);
	PQclear(PQexec(held, "SELECT pg_advisory_lock(7)"));
	assert_int_equal(pthread_create(&thread, NULL, open_beside, &opening), 0);
	wait_for_waiting(held, "7");
	PGresult *result = PQexec(older, "SELECT pg_advisory_lock(1952804463)");
	assert_int_equal(PQresultStatus(result), PGRES_TUPLES_OK);
	PQclear(result);
	assert_false(opening.is_done);
	PQclear(PQexec(held, "SELECT pg_advisory_unlock(7)"));
	wait_for_waiting(held, "1952804463"); /* the index is there, which is to be noted */
	assert_false(opening.is_done);
	PQfinish(older);
	pthread_join(thread, NULL);
	PQfinish(held);
	assert_non_null(opening.test.store);
	assert_int_equal(count_valid(test), 1);
	forget_beside(test);
	store_close(opening.test.store);
	folder_remove(opening.test.folder);
}

/* --- texts ----------------------------------------------------------------------------------- */

static void expect_text(const char *sqlite, const char *postgresql)
{
	struct arena arena;
	struct buffer out;

	arena_init(&arena, 65536);
	buffer_init(&out, &arena, 65536);
	pg_text_append(&out, sqlite);
	assert_string_equal(arena_c(&arena, buffer_str(&out)), postgresql);
	arena_finish(&arena);
}

static void texts_are_put_into_its_words(void **state)
{
	(void)state;
	expect_text("SELECT a FROM b WHERE c = ?1 AND d > ?12", "SELECT a FROM b WHERE c = $1 AND d > $12");
	expect_text("x'02', max'02', x''", "'\\x02'::bytea, max'02', '\\x'::bytea");
	expect_text("'?1 x''02''' || \"x'?\" || ?1", "'?1 x''02''' || \"x'?\" || $1");
	expect_text("FROM record INDEXED BY record_known WHERE ?1", "FROM record  WHERE $1");
	expect_text(STORE_TEXTS("SELECT ?1 MATCH", "SELECT ?1 @@"), "SELECT $1 @@");
	expect_text("'not ended", "'not ended");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(texts_are_put_into_its_words),
		cmocka_unit_test_setup_teardown(what_is_written_is_read, set_up, tear_down),
		cmocka_unit_test_setup_teardown(too_many_rows_are_refused, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_write_is_done_whole_or_not_at_all, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(a_text_that_is_wrong_spoils_no_other, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(
			writes_that_stand_in_each_others_way_are_done_again, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_was_acknowledged_outlives_a_crash, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(who_wants_the_database_alone_gets_it_alone, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(what_others_change_is_heard, set_up, tear_down),
		cmocka_unit_test_setup_teardown(many_fibers_share_few_connections, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(a_text_without_an_environment_finds_only_its_own,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_fiber_has_its_own_and_its_group_the_same, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(another_databases_are_refused, set_up, tear_down),
		cmocka_unit_test_setup_teardown(an_older_program_runs_on_what_was_made_for_it, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(what_is_done_beside_is_done_outside_of_a_transaction,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_comes_to_no_end_is_refused, set_up, tear_down),
		cmocka_unit_test_setup_teardown(the_version_before_starts_beside, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_migration_that_waits_holds_nobody_up, set_up,
						tear_down),
	};

	return cmocka_run_group_tests(tests, make_cluster, remove_cluster);
}
