/* Copies and records of several environments in one store, on both engines: what has another's number
 * is not found. All is asked with the scope of all environments, so that what keeps them apart is
 * the texts alone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../cluster.h"
#include "ats/copy/parts.h"
#include "schema_store.h"

struct test {
	char folder[PATH_MAX];
	struct store *store;
	struct arena arena;
	struct error err;
	struct copies *copies;
	struct copy_place ours, theirs;
};

static void check(struct test *test, bool ok)
{
	if (!ok)
		fail_msg("%s", test->err.message);
}

static void do_sql(struct test *test, const char *sql)
{
	const struct store_statement statement = {sql, NULL, 0, -1, false};

	check(test, store_write(test->store, &statement, 1, &test->err));
}

static int64_t number(struct test *test, const char *sql)
{
	struct store_rows rows;

	check(test, store_query(test->store, &test->arena, sql, NULL, 0, &rows, &test->err));
	return store_cell(&rows, 0, 0)->integer;
}

static const struct model *load_model(struct test *test)
{
	const char *source = getenv("TENON_SOURCE");
	struct str path = arena_format(&test->arena, "%s/models/ats", source == NULL ? "." : source);
	struct buffer faults;

	buffer_init(&faults, &test->arena, 65536);
	const struct model *model =
		model_load(&test->arena, disk_system(), arena_c(&test->arena, path), &faults);
	if (model == NULL)
		fail_msg("%.*s", STR_ARGS(buffer_str(&faults)));
	return model;
}

static void begin(struct test *test, const char *database)
{
	*test = (struct test){.ours = {STR("e1"), STR("a1"), STR("candidates")},
			      .theirs = {STR("e2"), STR("a2"), STR("candidates")}};
	(void)store_enter_all();
	folder_make(test->folder);
	arena_init(&test->arena, 64 * 1024 * 1024);
	test->store = schema_store(test->folder, database, &test->err);
	check(test, test->store != NULL);
	test->copies = copies_create(test->store, load_model(test), clock_system());
	do_sql(test, "INSERT INTO environment (id, name, created_ms) VALUES ('e1', 'one', 1),"
		     " ('e2', 'two', 1)");
	do_sql(test, "INSERT INTO account (environment_id, id, connector, tenant_id, status, context,"
		     " limits, created_ms, updated_ms) VALUES ('e1', 'a1', 'x', '', 'active', '{}',"
		     " '{}', 1, 1), ('e2', 'a2', 'x', '', 'active', '{}', '{}', 1, 1)");
}

/* Each test of a database has it for itself. */
static void end(struct test *test, const char *database)
{
	if (database != NULL)
		do_sql(test, "DROP OWNED BY tenon");
	copies_destroy(test->copies);
	store_close(test->store);
	arena_finish(&test->arena);
	folder_remove(test->folder);
}

/* --- the number of a copy --------------------------------------------------------------------- */

static int64_t note(struct test *test, const struct copy_place *place, int64_t whole_ms)
{
	const struct store_statement statement =
		copy_note_state(&test->arena, place, whole_ms, 0);
	struct copy_row row;

	check(test, store_write(test->store, &statement, 1, &test->err));
	check(test, copy_find_row(test->copies, &test->arena, place, &row, &test->err));
	assert_int_equal(row.state.whole_ms, whole_ms);
	return row.number;
}

/* What is noted of a copy uses up no numbers: there are 2^31. */
static void give_numbers(const char *database)
{
	struct test test;

	begin(&test, database);
	int64_t first = note(&test, &test.ours, 1);
	assert_int_equal(note(&test, &test.ours, 2), first);
	assert_int_equal(note(&test, &test.ours, 3), first);
	assert_int_equal(note(&test, &test.theirs, 1), first + 1);
	assert_int_equal(number(&test, "SELECT count(*) FROM copy"), 2);
	end(&test, database);
}

/* --------------------------------------------------------------------------------------------- */

#define ON_BOTH(name, body)                      \
	static void name##_sqlite(void **state)  \
	{                                        \
		(void)state;                     \
		body(NULL);                      \
	}                                        \
	static void name##_postgresql(void **state) \
	{                                        \
		(void)state;                     \
		if (!cluster.is_there)           \
			skip();                  \
		body(cluster.database);          \
	}
ON_BOTH(a_copy_has_one_number, give_numbers)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_copy_has_one_number_sqlite),
		cmocka_unit_test(a_copy_has_one_number_postgresql),
	};

	return cmocka_run_group_tests(tests, make_cluster, remove_cluster);
}
