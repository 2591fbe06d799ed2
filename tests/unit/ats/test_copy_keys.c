/* Copies and records of several environments in one store, on both engines: what has another's number
 * is not found. All is asked with the scope of all environments, so that what keeps them apart is
 * the texts alone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>

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

/* --- a record of another environment ---------------------------------------------------------- */

static struct copy_write write_to(const struct copy_place *place, int64_t read_ms)
{
	return (struct copy_write){.place = *place, .read_ms = read_ms};
}

static void put(struct test *test, const struct copy_place *place)
{
	const struct json_member members[] = {json_member(STR("id"), json_string(STR("c1"))),
					      json_member(STR("name"), json_string(STR("Ada")))};
	const struct json record = json_object(members, 2);
	const struct copy_write write = write_to(place, 1000);
	struct copy_counts counts;

	check(test, copy_put(test->copies, &test->arena, &write, &record, 1, false, NULL, &counts,
			     &test->err));
	assert_int_equal(counts.created, 1);
}

static int64_t row_number(struct test *test, const struct copy_place *place)
{
	struct copy_row row;

	check(test, copy_find_row(test->copies, &test->arena, place, &row, &test->err));
	return row.number;
}

/* The number of their copy, and of their record, asked for as ours. */
static void look_for_theirs(struct test *test)
{
	const struct str ids = STR("[\"c1\"]");
	int64_t copy = row_number(test, &test->theirs), record = copy_number(copy, 1);
	struct copy_known known;
	struct json body;

	check(test, copy_find_known(test->copies, &test->arena, &test->theirs, copy, ids, 1, &known,
				    &test->err));
	assert_int_equal(known.number, record);
	check(test, copy_find_known(test->copies, &test->arena, &test->ours, copy, ids, 1, &known,
				    &test->err));
	assert_int_equal(known.number, 0);
	check(test, copy_find_bodies(test->copies, &test->arena, STR("e2"), &record, 1, &body,
				     &test->err));
	assert_true(json_is(body, JSON_OBJECT));
	check(test, copy_find_bodies(test->copies, &test->arena, STR("e1"), &record, 1, &body,
				     &test->err));
	assert_true(json_is(body, JSON_UNDEFINED));
}

static int64_t drop_words(struct test *test, struct str environment_id, int64_t record)
{
	const struct store_value values[] = {store_text(environment_id), store_int(record)};
	const struct store_statement statement = {COPY_DROP_WORDS, values, 2, -1, false};

	check(test, store_write(test->store, &statement, 1, &test->err));
	return number(test, "SELECT count(*) FROM record_text");
}

static void look_for_words(struct test *test)
{
	int64_t record = copy_number(row_number(test, &test->theirs), 1);
	bool is_end;

	check(test, copy_take_some_texts(test->copies, &test->theirs, 10, &is_end, &test->err));
	assert_int_equal(drop_words(test, STR("e1"), record), 1);
	assert_int_equal(drop_words(test, STR("e2"), record), 0);
}

/* A record that stands in our copy, and says that it is theirs. */
static void find_nothing_by_place(struct test *test)
{
	const struct copy_place *ours = &test->ours;
	struct copy_record record, *records;
	struct copy_missing *missing;
	size_t count;

	assert_false(copy_get(test->copies, &test->arena, ours, STR("c1"), &record, &test->err));
	assert_int_equal(test->err.code, ERROR_NOT_FOUND);
	check(test, copy_walk(test->copies, &test->arena, ours, 0, 10, true, &records, &count,
			      &test->err));
	assert_int_equal(count, 0);
	check(test, copy_find_missing(test->copies, &test->arena, ours, NULL, 0, 0, INT64_MAX, 10,
				      &missing, &count, &test->err));
	assert_int_equal(count, 0);
	check(test, copy_find_by(test->copies, &test->arena, ours, STR("name"), STR("Ada"), 0,
				 INT64_MAX, 10, &missing, &count, &test->err));
	assert_int_equal(count, 0);
}

static void export_nothing(struct test *test)
{
	struct copy_export export;
	struct copy_export_row *rows;
	size_t count;
	bool is_end;

	copy_export_init(&export, &test->arena);
	export.environment_id = test->ours.environment_id;
	export.resource = model_find(test->copies->model, test->ours.resource);
	check(test, copy_export_next(test->store, &test->arena, &export, 10, &rows, &count, &is_end,
				     &test->err));
	assert_int_equal(count, 0);
}

static void write_nothing(struct test *test)
{
	const struct copy_write write = write_to(&test->ours, 2000);
	const struct store_statement note =
		copy_note_missing(&test->arena, &test->ours, 1, 3000);
	const struct str id = STR("c1");
	struct copy_counts counts;
	bool is_end;

	check(test, store_write(test->store, &note, 1, &test->err));
	check(test, copy_take_some_texts(test->copies, &test->ours, 10, &is_end, &test->err));
	/* SQLite's index of what is known tells of it; then it is not found, and nothing is written. */
	(void)!copy_remove(test->copies, &test->arena, &write, &id, 1, &counts, &test->err);
	assert_int_equal(number(test, "SELECT count(*) FROM record WHERE version = 1 AND read_ms = 1000"
				      " AND missing_ms = 0 AND deleted_ms = 0"), 2);
	assert_int_equal(number(test, "SELECT count(*) FROM record_text"), 0);
}

static void keep_apart(const char *database)
{
	struct test test;

	begin(&test, database);
	put(&test, &test.ours);
	put(&test, &test.theirs);
	look_for_theirs(&test);
	look_for_words(&test);
	if (database != NULL) /* it would not have what follows */
		do_sql(&test, "ALTER TABLE record DROP CONSTRAINT record_of_copy");
	do_sql(&test, "UPDATE record SET environment_id = 'e2' WHERE environment_id = 'e1'");
	find_nothing_by_place(&test);
	export_nothing(&test);
	write_nothing(&test);
	end(&test, database);
}

/* --- several who take in words ---------------------------------------------------------------- */

enum { TAKERS = 3, ROUNDS = 20, WORDY = 150 };

struct taker {
	char folder[PATH_MAX];
	const struct test *test;
	pthread_barrier_t *barrier;
	struct error err;
	bool ok;
};

static bool take_all(struct taker *taker, struct copies *copies)
{
	bool ok = true, is_end = false;

	while (ok && !is_end)
		ok = copy_take_some_texts(copies, &taker->test->ours, 50, &is_end, &taker->err);
	return ok;
}

/* As a node of its own. */
static void *take_in(void *context)
{
	struct taker *taker = context;

	(void)store_enter_all();
	struct store *store = schema_store(taker->folder, cluster.database, &taker->err);
	struct copies *copies =
		copies_create(store, taker->test->copies->model, clock_system());
	taker->ok = store != NULL;
	for (int i = 0; i < ROUNDS; i++) {
		if (pthread_barrier_wait(taker->barrier) == PTHREAD_BARRIER_SERIAL_THREAD && store)
			taker->ok &= store_write(
				store,
				&(struct store_statement){
					"INSERT INTO record_text_due (environment_id, number)"
					" SELECT environment_id, number FROM record WHERE true"
					" ON CONFLICT (environment_id, number) DO NOTHING",
					NULL, 0, -1, false},
				1, &taker->err);
		pthread_barrier_wait(taker->barrier);
		taker->ok = taker->ok && take_all(taker, copies);
	}
	copies_destroy(copies);
	store_close(store);
	return NULL;
}

static void put_wordy(struct test *test)
{
	const struct copy_write write = write_to(&test->ours, 1000);
	struct json records[WORDY];
	struct copy_counts counts;

	for (int i = 0; i < WORDY; i++) {
		struct json_builder out;

		json_builder_init(&out, &test->arena);
		json_builder_set(&out, STR("id"),
				 json_string(arena_format(&test->arena, "c%d", i)));
		json_builder_set(&out, STR("name"), json_string_c("Ada Lovelace"));
		records[i] = json_builder_object(&out);
	}
	check(test, copy_put(test->copies, &test->arena, &write, records, WORDY, false, NULL, &counts,
			     &test->err));
}

/* Nodes that search at the same time take in the same words. */
static void several_take_in_the_same_words(void **state)
{
	struct taker takers[TAKERS];
	pthread_t threads[TAKERS];
	pthread_barrier_t barrier;
	struct test test;

	(void)state;
	if (!cluster.is_there)
		skip();
	begin(&test, cluster.database);
	put_wordy(&test);
	pthread_barrier_init(&barrier, NULL, TAKERS);
	for (int i = 0; i < TAKERS; i++) {
		takers[i] = (struct taker){.test = &test, .barrier = &barrier};
		folder_make(takers[i].folder);
		assert_int_equal(pthread_create(&threads[i], NULL, take_in, &takers[i]), 0);
	}
	for (int i = 0; i < TAKERS; i++)
		pthread_join(threads[i], NULL);
	for (int i = 0; i < TAKERS; i++) {
		folder_remove(takers[i].folder);
		if (!takers[i].ok)
			fail_msg("%s", takers[i].err.message);
	}
	assert_int_equal(number(&test, "SELECT count(*) FROM record_text"), WORDY);
	assert_int_equal(number(&test, "SELECT count(*) FROM record_text_due"), 0);
	pthread_barrier_destroy(&barrier);
	end(&test, cluster.database);
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
ON_BOTH(what_is_another_s_is_not_found, keep_apart)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_copy_has_one_number_sqlite),
		cmocka_unit_test(a_copy_has_one_number_postgresql),
		cmocka_unit_test(what_is_another_s_is_not_found_sqlite),
		cmocka_unit_test(what_is_another_s_is_not_found_postgresql),
		cmocka_unit_test(several_take_in_the_same_words),
	};

	return cmocka_run_group_tests(tests, make_cluster, remove_cluster);
}
