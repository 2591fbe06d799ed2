#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../folder.h"
#include "faulty_files.h"
#include "io/store/store.h"

#define FIRST                                                                        \
	{"0001_thing",                                                               \
	 "CREATE TABLE thing (id INTEGER PRIMARY KEY, text TEXT, bytes BLOB) STRICT;" \
	 "CREATE TABLE part (thing INTEGER NOT NULL REFERENCES thing (id), text TEXT) STRICT;"}
static const struct store_migration first[] = {FIRST};

struct test {
	char folder[PATH_MAX];
	struct store *store;
	struct arena arena;
	struct error err;
};

static void open_store(struct test *test, struct store_options options)
{
	options.folder = test->folder;
	if (options.migrations == NULL) {
		options.migrations = first;
		options.migration_count = 1;
	}
	test->store = store_open(&options, &test->err);
}

static void reopen(struct test *test, struct store_options options)
{
	store_close(test->store);
	open_store(test, options);
	if (test->store == NULL)
		print_error("%s\n", test->err.message);
	assert_non_null(test->store);
}

static int set_up(void **state)
{
	struct test *test = calloc(1, sizeof *test);

	folder_make(test->folder);
	arena_init(&test->arena, 64 * 1024 * 1024);
	open_store(test, (struct store_options){.vfs = faulty_files()});
	*state = test;
	return test->store == NULL;
}

static int tear_down(void **state)
{
	struct test *test = *state;

	faulty_open_gate();
	store_close(test->store);
	arena_finish(&test->arena);
	folder_remove(test->folder);
	free(test);
	return 0;
}

static const char insert_sql[] = "INSERT INTO thing (id, text, bytes) VALUES (?1, ?2, ?3)";

static bool insert(struct store *store, int64_t id, const char *text, struct error *err)
{
	struct store_value values[] = {store_int(id), store_text(str_from_c(text)), store_null()};
	struct store_statement statement = {insert_sql, values, 3, 1};

	return store_write(store, &statement, 1, err);
}

static int64_t number(struct store *store, const char *sql)
{
	struct store_rows rows;
	struct arena arena;
	struct error err;

	arena_init(&arena, 4096);
	if (!store_query(store, &arena, sql, NULL, 0, &rows, &err))
		fail_msg("%s", err.message);
	int64_t result = store_cell(&rows, 0, 0)->integer;
	arena_finish(&arena);
	return result;
}

static int64_t count_things(struct store *store)
{
	return number(store, "SELECT count(*) FROM thing");
}

static unsigned mode_of(const char *folder, const char *name)
{
	char path[PATH_MAX + 16];
	struct stat status;

	snprintf(path, sizeof path, "%s/%s", folder, name);
	assert_int_equal(stat(path, &status), 0);
	return status.st_mode & 0777;
}

static off_t size_of(const char *folder, const char *name)
{
	char path[PATH_MAX + 16];
	struct stat status;

	snprintf(path, sizeof path, "%s/%s", folder, name);
	return stat(path, &status) == 0 ? status.st_size : -1;
}

/* --- folder and lock ------------------------------------------------------------------------ */

static void only_the_owner_may_look(void **state)
{
	struct test *test = *state;
	char deep[PATH_MAX + 8];
	struct store_options options = {.folder = deep, .migrations = first, .migration_count = 1};
	mode_t before = umask(0);

	snprintf(deep, sizeof deep, "%s/a/b", test->folder);
	struct store *store = store_open(&options, &test->err);
	assert_non_null(store);
	assert_true(insert(store, 1, "x", &test->err));
	assert_int_equal(mode_of(deep, "."), 0700);
	assert_int_equal(mode_of(deep, "tenon.db"), 0600);
	assert_int_equal(mode_of(deep, "tenon.db-wal"), 0600);
	assert_int_equal(mode_of(deep, "tenon.lock"), 0600);
	store_close(store);
	umask(before);
}

static void a_folder_that_others_may_write_to_is_refused(void **state)
{
	struct test *test = *state;

	store_close(test->store);
	chmod(test->folder, 0770);
	open_store(test, (struct store_options){0});
	assert_null(test->store);
	assert_int_equal(test->err.code, ERROR_FORBIDDEN);
	assert_non_null(strstr(test->err.message, "chmod 700"));
}

static void two_owners_in_one_process_are_refused(void **state)
{
	struct test *test = *state;
	struct store_options options = {
		.folder = test->folder, .migrations = first, .migration_count = 1};
	char owner[32];

	assert_null(store_open(&options, &test->err));
	assert_int_equal(test->err.code, ERROR_CONFLICT);
	snprintf(owner, sizeof owner, "process %ld", (long)getpid());
	assert_non_null(strstr(test->err.message, owner));
	/* The one who was there is not disturbed. */
	assert_true(insert(test->store, 1, "x", &test->err));
}

static void own_until_killed(const char *folder, int ready)
{
	struct store_options options = {.folder = folder, .migrations = first, .migration_count = 1};
	struct error err;
	struct store *store = store_open(&options, &err);

	if (store == NULL || write(ready, "r", 1) != 1)
		_exit(1);
	for (;;)
		pause();
}

static void another_process_is_named_and_its_death_frees_the_folder(void **state)
{
	struct test *test = *state;
	char owner[32], byte;
	int ends[2];

	store_close(test->store);
	assert_int_equal(pipe(ends), 0);
	pid_t child = fork();
	if (child == 0)
		own_until_killed(test->folder, ends[1]);
	assert_int_equal(read(ends[0], &byte, 1), 1);
	open_store(test, (struct store_options){0});
	assert_null(test->store);
	assert_int_equal(test->err.code, ERROR_CONFLICT);
	snprintf(owner, sizeof owner, "process %ld", (long)child);
	assert_non_null(strstr(test->err.message, owner));
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	open_store(test, (struct store_options){0});
	assert_non_null(test->store);
	close(ends[0]);
	close(ends[1]);
}

/* --- values and limits ---------------------------------------------------------------------- */

static void values_come_back_as_they_went(void **state)
{
	struct test *test = *state;
	char bytes[] = {0, 1, (char)0xff, 0};
	struct store_value values[] = {
		store_int(INT64_MIN), store_text(str_make("a\0b", 3)),
		store_blob(str_make(bytes, sizeof bytes)),
		store_int(INT64_MAX), store_text(str_make(NULL, 0)), store_blob(str_make(NULL, 0)),
	};
	struct store_statement statements[] = {{insert_sql, values, 3, 1}, {insert_sql, values + 3, 3, 1}};
	struct store_rows rows;

	assert_true(store_write(test->store, statements, 2, &test->err));
	assert_true(store_query(test->store, &test->arena,
				"SELECT id, text, bytes, NULL FROM thing ORDER BY id", NULL, 0, &rows,
				&test->err));
	assert_int_equal(rows.count, 2);
	assert_int_equal(rows.columns, 4);
	for (size_t i = 0; i < 6; i++) {
		const struct store_value *cell = store_cell(&rows, i / 3, i % 3);
		assert_int_equal(cell->type, values[i].type);
		assert_int_equal(cell->integer, values[i].integer);
		assert_true(str_equal(cell->bytes, values[i].bytes));
	}
	assert_int_equal(store_cell(&rows, 1, 3)->type, STORE_NULL);
}

static void rows_and_memory_are_limited(void **state)
{
	struct test *test = *state;
	struct store_rows rows;
	struct arena small;
	static const char sql[] = "SELECT id FROM thing";

	reopen(test, (struct store_options){.rows_max = 3});
	for (int i = 1; i <= 3; i++)
		assert_true(insert(test->store, i, "x", &test->err));
	assert_true(store_query(test->store, &test->arena, sql, NULL, 0, &rows, &test->err));
	assert_int_equal(rows.count, 3);
	assert_true(insert(test->store, 4, "x", &test->err));
	assert_false(store_query(test->store, &test->arena, sql, NULL, 0, &rows, &test->err));
	assert_int_equal(test->err.code, ERROR_LIMIT);
	arena_init(&small, 16);
	assert_false(store_query(test->store, &small, sql, NULL, 0, &rows, &test->err));
	assert_int_equal(test->err.code, ERROR_LIMIT);
	arena_finish(&small);
	/* A query that was cut off does not hold its old snapshot. */
	assert_true(insert(test->store, 5, "x", &test->err));
	assert_int_equal(count_things(test->store), 5);
}

static void readers_cannot_write(void **state)
{
	struct test *test = *state;
	struct store_rows rows;

	assert_false(store_query(test->store, &test->arena, "DELETE FROM thing", NULL, 0, &rows,
				 &test->err));
	assert_int_equal(test->err.code, ERROR_UNAVAILABLE);
}

/* --- writes --------------------------------------------------------------------------------- */

static void a_write_is_done_whole_or_not_at_all(void **state)
{
	struct test *test = *state;
	struct store_value one[] = {store_int(1), store_null(), store_null()};
	struct store_value gone[] = {store_int(77)};
	struct store_statement statements[] = {
		{insert_sql, one, 3, 1},
		{"UPDATE thing SET text = 'x' WHERE id = ?1", gone, 1, 1},
	};

	assert_false(store_write(test->store, statements, 2, &test->err));
	assert_int_equal(test->err.code, ERROR_CONFLICT);
	assert_int_equal(count_things(test->store), 0);
	statements[1].changes_expected = 0;
	assert_true(store_write(test->store, statements, 2, &test->err));
	/* A broken constraint: the same. */
	assert_false(insert(test->store, 1, "again", &test->err));
	assert_int_equal(test->err.code, ERROR_CONFLICT);
	/* A foreign key too: they are on. */
	struct store_statement orphan = {"INSERT INTO part VALUES (99, 'x')", NULL, 0, -1};
	assert_false(store_write(test->store, &orphan, 1, &test->err));
	assert_int_equal(test->err.code, ERROR_CONFLICT);
	assert_int_equal(count_things(test->store), 1);
}

struct writer_thread {
	pthread_t thread;
	struct store *store;
	int64_t id;
	bool ok;
	struct error err;
};

static void *insert_one(void *context)
{
	struct writer_thread *thread = context;

	thread->ok = insert(thread->store, thread->id, "x", &thread->err);
	return NULL;
}

static void wait_for_queue(struct store *store, uint64_t length)
{
	struct store_counts counts;

	for (;;) {
		store_count(store, &counts);
		if (counts.queue_length >= length)
			return;
		sched_yield();
	}
}

static void start(struct writer_thread *thread, struct store *store, int64_t id)
{
	*thread = (struct writer_thread){.store = store, .id = id};
	pthread_create(&thread->thread, NULL, insert_one, thread);
}

/* The first write is held at the disk; the others gather behind it and are one transaction. One of
 * them breaks a constraint and fails alone. */
static void what_queues_up_is_one_commit_and_a_failing_one_fails_alone(void **state)
{
	struct test *test = *state;
	enum { THREADS = 20, FAILS = 7 };
	struct writer_thread threads[THREADS];
	struct store_counts before, after;

	assert_true(insert(test->store, 1000, "x", &test->err));
	store_count(test->store, &before);
	faulty_shut_gate();
	start(&threads[0], test->store, 1);
	faulty_wait_at_gate();
	for (int i = 1; i < THREADS; i++)
		start(&threads[i], test->store, i == FAILS ? 1000 : i + 1);
	wait_for_queue(test->store, THREADS - 1);
	/* Nothing of it is acknowledged or seen yet. */
	assert_int_equal(count_things(test->store), 1);
	faulty_open_gate();
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i].thread, NULL);
	store_count(test->store, &after);
	assert_int_equal(after.commits - before.commits, 2);
	assert_int_equal(after.writes - before.writes, THREADS - 1);
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(threads[i].ok, i != FAILS);
	assert_int_equal(threads[FAILS].err.code, ERROR_CONFLICT);
	assert_int_equal(count_things(test->store), THREADS);
}

static void a_full_queue_refuses(void **state)
{
	struct test *test = *state;
	struct writer_thread threads[3];

	reopen(test, (struct store_options){.vfs = faulty_files(), .queue_max = 2});
	assert_true(insert(test->store, 1000, "x", &test->err));
	faulty_shut_gate();
	start(&threads[0], test->store, 1);
	faulty_wait_at_gate();
	start(&threads[1], test->store, 2);
	start(&threads[2], test->store, 3);
	wait_for_queue(test->store, 2);
	assert_false(insert(test->store, 4, "x", &test->err));
	assert_int_equal(test->err.code, ERROR_UNAVAILABLE);
	faulty_open_gate();
	for (int i = 0; i < 3; i++) {
		pthread_join(threads[i].thread, NULL);
		assert_true(threads[i].ok);
	}
	assert_true(insert(test->store, 4, "x", &test->err));
	assert_int_equal(count_things(test->store), 5);
}

static void later_writes_copy_their_bytes_and_survive_the_close(void **state)
{
	struct test *test = *state;

	for (int i = 0; i < 50; i++) {
		char text[16];
		snprintf(text, sizeof text, "text %d", i);
		struct store_value values[] = {store_int(i), store_text(str_from_c(text)), store_null()};
		struct store_statement statement = {insert_sql, values, 3, 1};
		assert_true(store_write_later(test->store, &statement, &test->err));
		memset(text, 'x', sizeof text);
	}
	reopen(test, (struct store_options){0});
	assert_int_equal(number(test->store, "SELECT count(*) FROM thing WHERE text = 'text ' || id"),
			 50);
}

/* --- threads and fibers --------------------------------------------------------------------- */

enum { PEERS = 4, ROUNDS = 60 };

struct peer {
	pthread_t thread;
	struct store *store;
	int number;
	_Atomic int64_t *newest; /* shared: the newest acknowledged id of all */
	int faults;
};

static void raise_to(_Atomic int64_t *newest, int64_t id)
{
	int64_t seen = *newest;

	while (seen < id && !__atomic_compare_exchange_n((int64_t *)newest, &seen, id, false,
							 __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
		;
}

/* Writes its own ids, and looks for what any of the others was told to be written. */
static void *write_and_look(void *context)
{
	struct peer *peer = context;
	struct error err;

	for (int i = 0; i < ROUNDS; i++) {
		int64_t id = (int64_t)i * PEERS + peer->number + 1;
		if (!insert(peer->store, id, "x", &err))
			peer->faults++;
		raise_to(peer->newest, id);
		struct store_value newest = store_int(*peer->newest);
		struct store_rows rows;
		struct arena arena;
		arena_init(&arena, 4096);
		if (!store_query(peer->store, &arena, "SELECT 1 FROM thing WHERE id = ?1", &newest, 1,
				 &rows, &err) ||
		    rows.count != 1)
			peer->faults++;
		arena_finish(&arena);
	}
	return NULL;
}

static void reads_see_what_was_acknowledged_to_any_thread(void **state)
{
	struct test *test = *state;
	struct peer peers[PEERS];
	_Atomic int64_t newest = 0;

	for (int turn = 0; turn < 2; turn++) {
		/* The second turn's threads take over the connections of the first one's. */
		struct store_statement clean = {"DELETE FROM thing", NULL, 0, -1};
		assert_true(store_write(test->store, &clean, 1, &test->err));
		newest = 0;
		for (int i = 0; i < PEERS; i++) {
			peers[i] = (struct peer){
				.store = test->store, .number = i, .newest = &newest};
			if (i == 0)
				assert_true(insert(test->store, 0, "x", &test->err));
			pthread_create(&peers[i].thread, NULL, write_and_look, &peers[i]);
		}
		for (int i = 0; i < PEERS; i++) {
			pthread_join(peers[i].thread, NULL);
			assert_int_equal(peers[i].faults, 0);
		}
		assert_int_equal(count_things(test->store), PEERS * ROUNDS + 1);
	}
}

struct fiber_test {
	struct loop *loop;
	struct store *store;
	struct loop_group group;
	int64_t next_id;
	int faults;
};

static void write_in_fiber(void *context)
{
	struct fiber_test *test = context;
	struct error err;

	for (int i = 0; i < 5; i++) {
		int64_t id = ++test->next_id;
		if (!insert(test->store, id, "x", &err))
			test->faults++;
		/* Each fiber breaks a constraint once. */
		if (i == 2 && (insert(test->store, id, "x", &err) || err.code != ERROR_CONFLICT))
			test->faults++;
	}
	loop_group_done(&test->group);
}

static void run_fibers(void *context)
{
	struct fiber_test *test = context;

	for (int i = 0; i < 200; i++) {
		loop_group_add(&test->group);
		loop_spawn(test->loop, write_in_fiber, test);
	}
	loop_group_join(&test->group);
	loop_stop(test->loop);
}

static void *run_loop(void *context)
{
	struct fiber_test *test = context;
	struct error err;

	test->loop = loop_create(clock_system(), random_system(), &err);
	loop_post(test->loop, run_fibers, test);
	loop_run(test->loop);
	loop_destroy(test->loop);
	return NULL;
}

static void fibers_of_several_loops_wait_without_blocking_their_threads(void **state)
{
	struct test *test = *state;
	struct fiber_test loops[2] = {{.store = test->store},
				      {.store = test->store, .next_id = 1000000}};
	pthread_t threads[2];
	struct store_counts before, after;

	store_count(test->store, &before);
	for (int i = 0; i < 2; i++)
		pthread_create(&threads[i], NULL, run_loop, &loops[i]);
	for (int i = 0; i < 2; i++) {
		pthread_join(threads[i], NULL);
		assert_int_equal(loops[i].faults, 0);
	}
	store_count(test->store, &after);
	assert_int_equal(count_things(test->store), 2000);
	assert_int_equal(after.writes - before.writes, 2000);
	/* Had a fiber blocked its thread, no more than two writes could ever have met. */
	assert_true(after.commits - before.commits < 1000);
}

/* --- migrations ----------------------------------------------------------------------------- */

#define SECOND           \
	{"0002_more",    \
	 "CREATE TABLE more (id INTEGER PRIMARY KEY) STRICT; INSERT INTO more VALUES (7);"}
static const struct store_migration second[] = {
	FIRST,
	SECOND,
};
static const struct store_migration broken[] = {
	FIRST,
	SECOND,
	{"0003_bad", "CREATE TABLE bad (id INTEGER PRIMARY KEY) STRICT; INSERT INTO nowhere VALUES (1);"},
};
static const struct store_migration altered[] = {
	{"0001_thing", "CREATE TABLE thing (id INTEGER PRIMARY KEY) STRICT;"},
};
static const struct store_migration orphaning[] = {
	FIRST,
	{"0002_orphan", "INSERT INTO part VALUES (5, 'x');"},
};
static const struct store_migration committing[] = {
	FIRST,
	{"0002_commit", "CREATE TABLE a (id INTEGER) STRICT; COMMIT;"},
};

static void refuse(struct test *test, const struct store_migration *migrations, size_t count,
		   const char *reason)
{
	store_close(test->store);
	open_store(test, (struct store_options){.migrations = migrations, .migration_count = count});
	assert_null(test->store);
	assert_int_equal(test->err.code == ERROR_CONFLICT || test->err.code == ERROR_INTERNAL, 1);
	if (strstr(test->err.message, reason) == NULL)
		fail_msg("'%s' does not say '%s'", test->err.message, reason);
}

static void migrations_upgrade_and_keep_what_is_there(void **state)
{
	struct test *test = *state;

	assert_true(insert(test->store, 1, "kept", &test->err));
	reopen(test, (struct store_options){.migrations = second, .migration_count = 2});
	assert_int_equal(count_things(test->store), 1);
	assert_int_equal(number(test->store, "SELECT id FROM more"), 7);
	/* Once only. */
	reopen(test, (struct store_options){.migrations = second, .migration_count = 2});
	assert_int_equal(number(test->store, "SELECT count(*) FROM more"), 1);
}

static void newer_and_altered_databases_are_refused(void **state)
{
	struct test *test = *state;

	reopen(test, (struct store_options){.migrations = second, .migration_count = 2});
	refuse(test, first, 1, "newer tenon");
	refuse(test, altered, 1, "newer tenon");
	const struct store_migration both[] = {altered[0], second[1]};
	refuse(test, both, 2, "another migration 1");
	const struct store_migration renamed[] = {{"0001_things", first[0].sql}, second[1]};
	refuse(test, renamed, 2, "0001_things");
	open_store(test, (struct store_options){.migrations = second, .migration_count = 2});
	assert_non_null(test->store);
}

static void a_migration_that_fails_leaves_nothing_of_itself(void **state)
{
	struct test *test = *state;

	refuse(test, broken, 3, "0003_bad");
	refuse(test, broken, 3, "nowhere");
	/* The one before it stands, the half of it that worked does not. */
	open_store(test, (struct store_options){.migrations = second, .migration_count = 2});
	assert_non_null(test->store);
	assert_int_equal(number(test->store, "SELECT count(*) FROM more"), 1);
	assert_int_equal(number(test->store, "SELECT count(*) FROM sqlite_schema WHERE name = 'bad'"), 0);
}

static void a_migration_may_not_leave_orphans_or_commit(void **state)
{
	struct test *test = *state;

	refuse(test, orphaning, 2, "point nowhere");
	refuse(test, committing, 2, "ends the transaction");
}

static void another_programs_database_is_refused(void **state)
{
	struct test *test = *state;
	char path[PATH_MAX + 16];
	sqlite3 *db;

	store_close(test->store);
	snprintf(path, sizeof path, "%s/tenon.db", test->folder);
	unlink(path);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	sqlite3_exec(db, "CREATE TABLE theirs (id)", NULL, NULL, NULL);
	sqlite3_close(db);
	test->store = NULL;
	refuse(test, first, 1, "another program");
	FILE *file = fopen(path, "w");
	fputs("This is a letter, not a database, and it is long enough to be looked at. It is not "
	      "a database at all, whatever the name of the file may say about it.\n", file);
	fclose(file);
	refuse(test, first, 1, "not a database");
}

/* --- disk ----------------------------------------------------------------------------------- */

static void expect_lost(struct test *test, int64_t id)
{
	assert_false(insert(test->store, id, "lost", &test->err));
	assert_int_equal(test->err.code, ERROR_UNAVAILABLE);
	assert_int_equal(count_things(test->store), 1);
}

static void a_failing_disk_acknowledges_nothing_and_can_recover(void **state)
{
	struct test *test = *state;

	assert_true(insert(test->store, 1, "kept", &test->err));
	faulty.write_result = SQLITE_FULL;
	expect_lost(test, 2);
	faulty.write_result = SQLITE_IOERR_WRITE;
	expect_lost(test, 3);
	faulty.write_result = SQLITE_OK;
	faulty.sync_result = SQLITE_IOERR_FSYNC;
	expect_lost(test, 4);
	faulty.sync_result = SQLITE_OK;
	assert_true(insert(test->store, 5, "kept", &test->err));
	reopen(test, (struct store_options){0});
	assert_int_equal(number(test->store, "SELECT count(*) FROM thing WHERE text = 'kept'"), 2);
	assert_int_equal(count_things(test->store), 2);
}

static void all_of_a_batch_is_lost_with_the_disk(void **state)
{
	struct test *test = *state;
	enum { THREADS = 8 };
	struct writer_thread threads[THREADS];

	assert_true(insert(test->store, 1000, "x", &test->err));
	faulty_shut_gate();
	start(&threads[0], test->store, 1);
	faulty_wait_at_gate();
	for (int i = 1; i < THREADS; i++)
		start(&threads[i], test->store, i + 1);
	wait_for_queue(test->store, THREADS - 1);
	faulty.sync_result = SQLITE_IOERR_FSYNC;
	faulty_open_gate();
	for (int i = 0; i < THREADS; i++) {
		pthread_join(threads[i].thread, NULL);
		assert_false(threads[i].ok);
		assert_int_equal(threads[i].err.code, ERROR_UNAVAILABLE);
	}
	faulty.sync_result = SQLITE_OK;
	assert_int_equal(count_things(test->store), 1);
}

static void the_log_is_moved_before_it_grows_large(void **state)
{
	struct test *test = *state;
	char *bytes = arena_alloc(&test->arena, 65536);

	memset(bytes, 'b', 65536);
	for (int i = 0; i < 400; i++) {
		struct store_value values[] = {store_int(i), store_null(),
					       store_blob(str_make(bytes, 65536))};
		struct store_statement statement = {insert_sql, values, 3, 1};
		assert_true(store_write(test->store, &statement, 1, &test->err));
	}
	assert_in_range(size_of(test->folder, "tenon.db-wal"), 1, 8 * 1024 * 1024);
	assert_in_range(size_of(test->folder, "tenon.db"), 16 * 1024 * 1024, 64 * 1024 * 1024);
	store_close(test->store);
	test->store = NULL;
	assert_in_range(size_of(test->folder, "tenon.db-wal") + 1, 0, 1);
}

/* --- backup --------------------------------------------------------------------------------- */

struct busy {
	struct store *store;
	_Atomic bool is_over;
	int64_t written;
};

static void *write_pairs(void *context)
{
	struct busy *busy = context;
	struct error err;

	while (!busy->is_over) {
		struct store_value values[] = {store_int(++busy->written), store_null(), store_null()};
		struct store_statement statements[] = {
			{insert_sql, values, 3, 1},
			{"INSERT INTO part VALUES (?1, 'x')", values, 1, 1},
		};
		if (!store_write(busy->store, statements, 2, &err))
			break;
	}
	return NULL;
}

static void fill(struct test *test, int count)
{
	char *bytes = arena_alloc(&test->arena, 65536);

	memset(bytes, 'b', 65536);
	for (int i = 1; i <= count; i++) {
		struct store_value values[] = {store_int(-i), store_null(),
					       store_blob(str_make(bytes, 65536))};
		struct store_statement statement = {insert_sql, values, 3, 1};
		assert_true(store_write_later(test->store, &statement, &test->err));
	}
}

/* Each write is a thing and its part: a copy with one and not the other would be torn. */
static void a_backup_is_whole_while_others_write(void **state)
{
	struct test *test = *state;
	struct busy busy = {.store = test->store};
	char copies[PATH_MAX + 8], file[PATH_MAX + 32];
	pthread_t thread;

	fill(test, 100);
	pthread_create(&thread, NULL, write_pairs, &busy);
	snprintf(copies, sizeof copies, "%s/copy", test->folder);
	mkdir(copies, 0700);
	snprintf(file, sizeof file, "%s/tenon.db", copies);
	assert_true(store_backup(test->store, file, &test->err));
	assert_false(store_backup(test->store, file, &test->err));
	assert_int_equal(test->err.code, ERROR_CONFLICT);
	busy.is_over = true;
	pthread_join(thread, NULL);
	assert_int_equal(mode_of(copies, "tenon.db"), 0600);
	struct store_options options = {.folder = copies, .migrations = first, .migration_count = 1};
	struct store *copy = store_open(&options, &test->err);
	assert_non_null(copy);
	assert_true(count_things(copy) >= 100);
	assert_int_equal(number(copy, "SELECT (SELECT count(*) FROM thing WHERE id > 0)"
				      " - (SELECT count(*) FROM part)"), 0);
	assert_int_equal(number(copy, "SELECT count(*) FROM pragma_integrity_check"
				      " WHERE integrity_check <> 'ok'"), 0);
	store_close(copy);
}

static void a_backup_to_nowhere_says_so(void **state)
{
	struct test *test = *state;

	assert_false(store_backup(test->store, "/nonexistent/folder/copy.db", &test->err));
	assert_int_equal(test->err.code, ERROR_UNAVAILABLE);
	assert_true(insert(test->store, 1, "x", &test->err));
}

/* --- without a thread ----------------------------------------------------------------------- */

struct two {
	struct test *test;
	int64_t next_id;
	int done;
};

static void write_one(void *context)
{
	struct two *two = context;
	struct error err;

	assert_true(insert(two->test->store, two->next_id++, "inline", &err));
	two->done++;
}

static void a_store_without_a_thread_commits_on_the_loop(void **state)
{
	struct test *test = *state;
	struct two two = {.test = test, .next_id = 2};
	struct store_counts before, after;
	struct error err;

	reopen(test, (struct store_options){.is_inline = true});
	assert_true(insert(test->store, 1, "outside of loops", &err));
	struct loop *loop = loop_create(clock_system(), random_system(), &err);
	assert_non_null(loop);
	store_count(test->store, &before);
	loop_spawn(loop, write_one, &two);
	loop_spawn(loop, write_one, &two);
	assert_true(loop_drain(loop, 60000));
	store_count(test->store, &after);
	assert_int_equal(two.done, 2);
	assert_int_equal(after.commits, before.commits + 1);
	assert_int_equal(after.writes, before.writes + 2);
	assert_int_equal(number(test->store, "SELECT count(*) FROM thing"), 3);
	reopen(test, (struct store_options){0});
	assert_int_equal(number(test->store, "SELECT count(*) FROM thing"), 3);
	loop_destroy(loop);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(only_the_owner_may_look),
		TEST(a_folder_that_others_may_write_to_is_refused),
		TEST(two_owners_in_one_process_are_refused),
		TEST(another_process_is_named_and_its_death_frees_the_folder),
		TEST(values_come_back_as_they_went),
		TEST(rows_and_memory_are_limited),
		TEST(readers_cannot_write),
		TEST(a_write_is_done_whole_or_not_at_all),
		TEST(what_queues_up_is_one_commit_and_a_failing_one_fails_alone),
		TEST(a_full_queue_refuses),
		TEST(later_writes_copy_their_bytes_and_survive_the_close),
		TEST(reads_see_what_was_acknowledged_to_any_thread),
		TEST(fibers_of_several_loops_wait_without_blocking_their_threads),
		TEST(migrations_upgrade_and_keep_what_is_there),
		TEST(newer_and_altered_databases_are_refused),
		TEST(a_migration_that_fails_leaves_nothing_of_itself),
		TEST(a_migration_may_not_leave_orphans_or_commit),
		TEST(another_programs_database_is_refused),
		TEST(a_failing_disk_acknowledges_nothing_and_can_recover),
		TEST(all_of_a_batch_is_lost_with_the_disk),
		TEST(the_log_is_moved_before_it_grows_large),
		TEST(a_backup_is_whole_while_others_write),
		TEST(a_backup_to_nowhere_says_so),
		TEST(a_store_without_a_thread_commits_on_the_loop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
