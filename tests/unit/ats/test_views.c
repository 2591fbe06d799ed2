/* The SQL views of the model: of each resource and list, with what is in the records and no more,
 * made anew when the model's text differs, and not otherwise. */
#include "../definitions_testing.h"

#include <sqlite3.h>

#include "../folder.h"
#include "ats/copy/copy.h"
#include "ats/schema/schema.h"

struct test {
	char folder[PATH_MAX];
	struct store *store;
	struct store_view *views;
	size_t count;
	struct error err;
};

static void open_store(struct test *test)
{
	struct store_options options = {.folder = test->folder,
					.views = test->views,
					.view_count = test->count};

	options.migrations = schema_migrations(&options.migration_count);
	test->store = store_open(&options, &test->err);
	if (test->store == NULL)
		fail_msg("%s", test->err.message);
}

static void begin(struct test *test)
{
	folder_make(test->folder);
	if (!copy_views(&arena, model, false, &test->views, &test->count, &test->err))
		fail_msg("%s", test->err.message);
	open_store(test);
}

static void end(struct test *test)
{
	store_close(test->store);
	folder_remove(test->folder);
}

/* The rows as "a|b\nc|d\n", as a stranger reads them. */
static const char *ask(struct test *test, const char *sql)
{
	char path[PATH_MAX + 16];
	sqlite3 *db;
	sqlite3_stmt *statement;
	struct buffer out;

	buffer_init(&out, &arena, 1 << 20);
	snprintf(path, sizeof path, "%s/tenon.db", test->folder);
	assert_int_equal(sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
	if (sqlite3_prepare_v2(db, sql, -1, &statement, NULL) != SQLITE_OK)
		fail_msg("%s", sqlite3_errmsg(db));
	while (sqlite3_step(statement) == SQLITE_ROW)
		for (int i = 0, n = sqlite3_column_count(statement); i < n; i++) {
			const char *text = (const char *)sqlite3_column_text(statement, i);
			buffer_append_c(&out, text == NULL ? "NULL" : text);
			buffer_append_c(&out, i + 1 < n ? "|" : "\n");
		}
	sqlite3_finalize(statement);
	sqlite3_close(db);
	return arena_c(&arena, buffer_str(&out));
}

static void put(struct test *test, int64_t number, const char *id, bool is_deleted,
		const char *body)
{
	const struct store_value of_record[] = {store_int(((int64_t)1 << 32) + number),
						store_text(str_from_c(id)), store_int(is_deleted),
						store_text(str_from_c(body))};
	const struct store_statement statements[] = {
		{"INSERT OR IGNORE INTO environment (id, name, created_ms)"
		 " VALUES ('env_1', 'one', 0)",
		 NULL, 0, -1},
		{"INSERT OR IGNORE INTO account (environment_id, id, connector, tenant_id, status,"
		 " context, limits, created_ms, updated_ms) VALUES ('env_1', 'acc_1', 'kiln', '',"
		 " 'active', '{}', '{}', 0, 0)",
		 NULL, 0, -1},
		{"INSERT OR IGNORE INTO copy (number, environment_id, account_id, resource,"
		 " whole_ms, swept_ms, record_count, updated_max_ms, last_number) VALUES (1,"
		 " 'env_1', 'acc_1', 'applications', 0, 0, 0, 0, 0)",
		 NULL, 0, -1},
		{"INSERT INTO record (number, copy, id, version, read_ms, is_partial, created_ms,"
		 " updated_ms, changed_ms, missing_ms, deleted_ms, hash, list_hash, body,"
		 " environment_id) VALUES (?1, 1, ?2, 1, 0, 0, 0, 0, 0, 0, ?3, x'00', x'', ?4,"
		 " 'env_1')",
		 of_record, 4, 1},
	};

	if (!store_write(test->store, statements, 4, &test->err))
		fail_msg("%s", test->err.message);
}

static void test_columns(void **state)
{
	struct test test = {0};

	(void)state;
	begin(&test);
	put(&test, 1, "7", false,
	    "{\"id\":\"7\",\"job\":{\"id\":\"3\",\"name\":\"Smith\"},\"current_stage\":null,"
	    "\"is_overdue\":true,\"rating\":{\"average\":0.25,\"counts\":{\"yes\":2}},"
	    "\"offers\":[{\"id\":\"o1\",\"name\":null},{\"id\":\"o2\",\"name\":\"second\"}],"
	    "\"custom_fields\":[{\"id\":\"c\",\"value\":[1,2]}],\"shirt\":\"XL\"}");
	put(&test, 2, "8", true, "{\"id\":\"8\",\"offers\":[{\"id\":\"o3\"}]}");
	assert_string_equal(
		ask(&test, "SELECT environment_id, integrated_account_id, id, job_id, job_name,"
			   " current_stage_id, is_overdue, rating_average, rating_counts_yes,"
			   " offers, json_extract(record, '$.shirt') FROM applications"),
		"env_1|acc_1|7|3|Smith|NULL|1|0.25|2|"
		"[{\"id\":\"o1\",\"name\":null},{\"id\":\"o2\",\"name\":\"second\"}]|XL\n");
	assert_string_equal(ask(&test, "SELECT * FROM application_offers"),
			    "env_1|acc_1|7|o1|NULL|0\nenv_1|acc_1|7|o2|second|1\n");
	assert_string_equal(ask(&test, "SELECT value FROM application_custom_fields"), "[1,2]\n");
	assert_string_equal(ask(&test, "SELECT count(*) FROM candidates"), "0\n");
	end(&test);
}

/* Each of them can be asked, and none has a name that a table has. */
static void test_each_view_is_sound(void **state)
{
	struct test test = {0};

	(void)state;
	begin(&test);
	assert_true(test.count > model->resource_count * 2);
	for (size_t i = 0; i < test.count; i++)
		assert_string_equal(ask(&test, arena_format(&arena, "SELECT count(*) FROM \"%s\"",
							    test.views[i].name)
						       .data),
				    "0\n");
	end(&test);
}

static void test_made_anew_where_they_differ(void **state)
{
	static const char version[] = "PRAGMA schema_version";
	struct test test = {0};
	const char *before;

	(void)state;
	begin(&test);
	before = ask(&test, version);
	store_close(test.store);
	open_store(&test);
	assert_string_equal(ask(&test, version), before);
	store_close(test.store);
	test.views[0].sql = arena_format(&arena, "CREATE VIEW \"%s\" AS SELECT 1 AS one",
					 test.views[0].name)
				    .data;
	test.count--;
	open_store(&test);
	assert_string_equal(ask(&test, arena_format(&arena, "SELECT * FROM %s",
						    test.views[0].name)
					       .data),
			    "1\n");
	assert_string_equal(ask(&test, arena_format(&arena,
						    "SELECT count(*) FROM sqlite_schema WHERE"
						    " name = '%s'",
						    test.views[test.count].name)
					       .data),
			    "0\n");
	end(&test);
}

static void test_a_name_twice_is_refused(void **state)
{
	const struct model_field fields[] = {
		{.name = STR("id")},
		{.name = STR("job_id"), .type = MODEL_TEXT},
		{.name = STR("job"),
		 .type = MODEL_OBJECT,
		 .fields = &(const struct model_field){.name = STR("id"), .type = MODEL_TEXT},
		 .field_count = 1},
	};
	const struct model_resource resource = {.name = STR("wares"),
						.fields = fields,
						.field_count = 3};
	const struct model twice = {.resources = &resource, .resource_count = 1};
	struct test test = {0};

	(void)state;
	assert_false(copy_views(&arena, &twice, false, &test.views, &test.count, &test.err));
	assert_non_null(strstr(test.err.message, "job_id"));
}

static void test_singular(void **state)
{
	(void)state;
	assert_true(str_equal(copy_singular(&arena, STR("activities")), STR("activity")));
	assert_true(str_equal(copy_singular(&arena, STR("offices")), STR("office")));
	assert_true(str_equal(copy_singular(&arena, STR("staff")), STR("staff")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_columns),
		cmocka_unit_test(test_each_view_is_sound),
		cmocka_unit_test(test_made_anew_where_they_differ),
		cmocka_unit_test(test_a_name_twice_is_refused),
		cmocka_unit_test(test_singular),
	};

	return cmocka_run_group_tests(tests, load_definitions, drop_definitions);
}
