/* What the tables of an earlier version hold is there in those of this one, and on PostgreSQL the texts
 * of that version go on beside: whole data folders and databases, made with fewer of the migrations. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../cluster.h"
#include "ats/schema/schema.h"

struct test {
	char folder[PATH_MAX];
	const char *database;
	struct store *store;
	struct arena arena;
	struct error err;
};

static void open_with(struct test *test, size_t migrations)
{
	struct store_options options = {.folder = test->folder,
					.database = test->database,
					.functions = schema_functions()};

	options.migrations = schema_migrations(&options.migration_count);
	if (migrations > 0)
		options.migration_count = migrations;
	store_close(test->store);
	test->store = store_open(&options, &test->err);
	if (test->store == NULL)
		fail_msg("%s", test->err.message);
}

static void begin(struct test *test, const char *database, size_t migrations)
{
	*test = (struct test){.database = database};
	(void)store_enter_all();
	folder_make(test->folder);
	arena_init(&test->arena, 16 * 1024 * 1024);
	open_with(test, migrations);
}

static void end(struct test *test)
{
	store_close(test->store);
	arena_finish(&test->arena);
	folder_remove(test->folder);
}

static void do_sql(struct test *test, const char *sql)
{
	const struct store_statement statement = {sql, NULL, 0, -1, false};

	if (!store_write(test->store, &statement, 1, &test->err))
		fail_msg("%s: %s", sql, test->err.message);
}

static bool is_refused(struct test *test, const char *sql)
{
	const struct store_statement statement = {sql, NULL, 0, -1, false};

	return !store_write(test->store, &statement, 1, &test->err);
}

static int64_t number(struct test *test, const char *sql)
{
	struct store_rows rows;

	if (!store_query(test->store, &test->arena, sql, NULL, 0, &rows, &test->err))
		fail_msg("%s: %s", sql, test->err.message);
	return store_cell(&rows, 0, 0)->integer;
}

/* Two environments, with all that the version of 0022 wrote of each in the tables that have changed. */
static void fill(struct test *test)
{
	do_sql(test, "INSERT INTO environment (id, name, created_ms) VALUES ('e1', 'one', 1),"
		     " ('e2', 'two', 1)");
	do_sql(test, "INSERT INTO account (environment_id, id, connector, tenant_id, status, context,"
		     " limits, created_ms, updated_ms) VALUES ('e1', 'a1', 'x', '', 'active', '{}',"
		     " '{}', 1, 1), ('e2', 'a2', 'x', '', 'active', '{}', '{}', 1, 1)");
	do_sql(test, "INSERT INTO sync_job (environment_id, id, account_id, resource, config, state,"
		     " next_ms, full_ms, mark_ms, since_ms, wishes, failures, run_number, owner, fence,"
		     " created_ms, updated_ms) SELECT environment_id, 'j' || id, id, 'jobs', '{}', 0, 1,"
		     " 0, 0, 0, 0, 0, 2, '', 1, 1, 1 FROM account");
	do_sql(test, "INSERT INTO sync_run (job_id, number, id, environment_id, fence, is_full,"
		     " is_asked, allows_deletions, status, started_ms, ended_ms, place, shares,"
		     " expected, records, created, updated, deleted, unchanged, calls, retries,"
		     " wait_ms, error) SELECT id, n, 'r' || n || id, environment_id, 1, 1, 0, 0,"
		     " 'running', n, 0, '{}', '', 4, 5, 6, 7, 8, 9, 10, 11, 12, 'e' FROM sync_job,"
		     " (SELECT 1 AS n UNION ALL SELECT 2) AS two");
	do_sql(test, "INSERT INTO sync_seen (job_id, chunk, bits) VALUES ('ja1', 0, x'01'),"
		     " ('ja1', 1, x'02'), ('ja2', 0, x'03')");
}

/* Of each account a copy, and two records in it. */
static void fill_copies(struct test *test)
{
	do_sql(test, "INSERT INTO copy (number, environment_id, account_id, resource, whole_ms,"
		     " swept_ms, record_count, updated_max_ms, last_number) SELECT"
		     " CASE id WHEN 'a1' THEN 3 ELSE 5 END, environment_id, id, 'jobs', 6, 7, 2, 8, 2"
		     " FROM account");
	do_sql(test, "INSERT INTO record (number, copy, id, version, read_ms, is_partial, created_ms,"
		     " updated_ms, changed_ms, missing_ms, deleted_ms, hash, list_hash, body, candidate,"
		     " environment_id) SELECT copy.number * 4294967296 + n, copy.number, 'id' || n, 1,"
		     " 2, 0, 3, 4, 5, 0, 0, x'01', x'02', '{}', '', environment_id FROM copy,"
		     " (SELECT 1 AS n UNION ALL SELECT 2) AS two");
	/* One is of a copy that is gone. */
	do_sql(test, "INSERT INTO record_text_due (number) SELECT number FROM record WHERE copy = 3"
		     " UNION ALL SELECT 30064771073");
	do_sql(test, "INSERT INTO record_text (rowid, words) SELECT number, 'of it' FROM record"
		     " UNION ALL SELECT 30064771073, 'of nobody'");
	if (test->database != NULL) /* what cannot be, and would stop the step for ever */
		do_sql(test, "INSERT INTO record_text (rowid, words) VALUES (34359738369, 'lost')");
}

/* --- what belongs to a sync job --------------------------------------------------------------- */

static void look_at_runs(struct test *test)
{
	assert_int_equal(number(test, "SELECT count(*) FROM sync_run WHERE environment_id = 'e1'"
				      " AND job_id = 'ja1' AND number IN (1, 2) AND expected = 4"
				      " AND records = 5 AND wait_ms = 12 AND error = 'e'"), 2);
	assert_int_equal(number(test, "SELECT count(*) FROM sync_run"), 4);
	assert_int_equal(number(test, "SELECT count(*) FROM sync_seen WHERE environment_id = 'e1'"
				      " AND job_id = 'ja1' AND (chunk = 0 AND bits = x'01'"
				      " OR chunk = 1 AND bits = x'02')"), 2);
	assert_int_equal(number(test, "SELECT count(*) FROM sync_seen"), 3);
	/* No run and nothing that was seen is of a job of another environment. */
	assert_true(is_refused(test, "UPDATE sync_run SET environment_id = 'e2' WHERE job_id = 'ja1'"));
	assert_true(is_refused(test, "UPDATE sync_seen SET environment_id = 'e2' WHERE job_id = 'ja1'"));
	/* What belongs to a job goes with it. */
	do_sql(test, "DELETE FROM sync_job WHERE environment_id = 'e1' AND id = 'ja1'");
	assert_int_equal(number(test, "SELECT count(*) FROM sync_run"), 2);
	assert_int_equal(number(test, "SELECT count(*) FROM sync_seen WHERE environment_id = 'e2'"), 1);
	assert_int_equal(number(test, "SELECT count(*) FROM sync_seen"), 1);
}

/* --- copies ----------------------------------------------------------------------------------- */

static void look_at_copies(struct test *test)
{
	assert_int_equal(number(test, "SELECT count(*) FROM copy JOIN record"
				      " ON record.environment_id = copy.environment_id"
				      " AND record.copy = copy.number WHERE resource = 'jobs'"
				      " AND whole_ms = 6 AND swept_ms = 7 AND record_count = 2"
				      " AND updated_max_ms = 8 AND last_number = 2"
				      " AND record.number / 4294967296 = copy.number"), 4);
	assert_int_equal(number(test, "SELECT number FROM copy WHERE environment_id = 'e1'"
				      " AND account_id = 'a1' AND resource = 'jobs'"), 3);
	assert_int_equal(number(test, "SELECT count(*) FROM record_text_due"
				      " WHERE environment_id = 'e1'"), 2);
	assert_int_equal(number(test, "SELECT count(*) FROM record_text_due"), 2);
	assert_int_equal(number(test, "SELECT count(*) FROM record_text JOIN record"
				      " ON record.number = record_text.rowid"), 4);
	assert_int_equal(number(test, "SELECT count(*) FROM record_text"), 4);
	if (test->database != NULL)
		assert_int_equal(number(test, "SELECT count(*) FROM record_text JOIN record ON"
					      " record.environment_id = record_text.environment_id"
					      " AND record.number = record_text.rowid"), 4);
	assert_true(is_refused(test, "UPDATE record SET copy = 4 WHERE copy = 3"));
	if (test->database != NULL)
		assert_true(is_refused(test, "UPDATE record SET environment_id = 'e2'"
					     " WHERE copy = 3"));
	do_sql(test, "DELETE FROM account WHERE environment_id = 'e1'");
	assert_int_equal(number(test, "SELECT count(*) FROM copy"), 1);
	assert_int_equal(number(test, "SELECT count(*) FROM record WHERE environment_id = 'e2'"
				      " AND copy = 5"), 2);
	/* The words of those that are gone are due. */
	assert_int_equal(number(test, "SELECT count(*) FROM record_text_due"
				      " WHERE environment_id = 'e1'"), 2);
	assert_int_equal(number(test, "SELECT count(*) FROM record"), 2);
}

static void upgrade(struct test *test, const char *database)
{
	begin(test, database, 22);
	fill(test);
	fill_copies(test);
	open_with(test, 0);
	look_at_runs(test);
	look_at_copies(test);
	end(test);
}

static void sqlite(void **state)
{
	struct test test;

	(void)state;
	upgrade(&test, NULL);
}

/* --- PostgreSQL ------------------------------------------------------------------------------- */

#define POSTGRESQL()                                                                               \
	if (!cluster.is_there)                                                                     \
	skip()

/* Each test of a database has it for itself. */
static void empty_database(void)
{
	struct test test;

	begin(&test, cluster.database, 22);
	do_sql(&test, "DROP OWNED BY tenon");
	end(&test);
}

static void postgresql(void **state)
{
	struct test test;

	(void)state;
	POSTGRESQL();
	upgrade(&test, cluster.database);
	empty_database();
}

/* As the version before says it, with the scope of its environment. */
static void say_as_before(struct test *test)
{
	static const char seen[] =
		"INSERT INTO sync_seen (job_id, chunk, bits) VALUES ('ja1', 7, x'01')"
		" ON CONFLICT (job_id, chunk) DO UPDATE SET bits = excluded.bits";

	do_sql(test, seen);
	do_sql(test, seen);
	assert_int_equal(number(test, "SELECT count(*) FROM sync_seen WHERE environment_id = 'e1'"
				      " AND chunk = 7"), 1);
	do_sql(test, "INSERT INTO copy (environment_id, account_id, resource, whole_ms, swept_ms,"
		     " record_count, updated_max_ms, last_number) VALUES ('e1', 'a1', 'jobs', 9, 9, 0,"
		     " 0, 0) ON CONFLICT (environment_id, account_id, resource) DO UPDATE SET"
		     " whole_ms = 9");
	do_sql(test, "UPDATE copy SET record_count = record_count + 1 WHERE number = 3"
		     " AND whole_ms = 9");
	assert_int_equal(number(test, "SELECT record_count FROM copy WHERE number = 3"), 3);
	do_sql(test, "UPDATE record SET read_ms = 9 WHERE number = 12884901889 AND version = 1");
	do_sql(test, "DELETE FROM record_text WHERE rowid = 12884901889");
	do_sql(test, "INSERT INTO record_text (rowid, words) SELECT number, 'new' FROM record"
		     " WHERE number = 12884901889 AND read_ms = 9");
	assert_int_equal(number(test, "SELECT count(*) FROM record_text WHERE environment_id = 'e1'"
				      " AND words = 'new'"), 1);
	do_sql(test, "DELETE FROM record_text_due WHERE number = 12884901889"
		     " AND EXISTS (SELECT 1 FROM record WHERE number = 12884901889 AND body = '{}')");
	assert_int_equal(number(test, "SELECT count(*) FROM record_text_due"), 1);
	do_sql(test, "INSERT INTO record_text_due (number) SELECT CAST(value AS BIGINT) FROM"
		     " json_each('[12884901889, 12884901890]') WHERE true ON CONFLICT DO NOTHING");
	assert_int_equal(number(test, "SELECT count(*) FROM record_text_due"
				      " WHERE environment_id = 'e1'"), 2);
}

static void the_version_before_goes_on(void **state)
{
	struct store_scope before;
	struct test test;

	(void)state;
	POSTGRESQL();
	begin(&test, cluster.database, 22);
	fill(&test);
	fill_copies(&test);
	open_with(&test, 0);
	before = store_enter(STR("e1"));
	say_as_before(&test);
	store_leave(&before);
	end(&test);
	empty_database();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sqlite),
		cmocka_unit_test(postgresql),
		cmocka_unit_test(the_version_before_goes_on),
	};

	return cmocka_run_group_tests(tests, make_cluster, remove_cluster);
}
