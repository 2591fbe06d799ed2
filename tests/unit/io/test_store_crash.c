/* Kills a process that writes, again and again, and looks for what it was told is written.
 * TENON_CRASH_ROUNDS says how often (50). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../folder.h"
#include "base/random.h"
#include "io/store/store.h"

enum { WRITERS = 4, ACKS_MAX = 300, BACKLOG_MAX = 100000 };

/* A record, its outbox row and the cursor go together, as a sync has them. */
static const struct store_migration migrations[] = {
	{"0001_crash",
	 "CREATE TABLE record (id INTEGER PRIMARY KEY, text TEXT NOT NULL) STRICT;"
	 "CREATE TABLE outbox (id INTEGER PRIMARY KEY REFERENCES record (id)) STRICT;"
	 "CREATE TABLE cursor (writer INTEGER PRIMARY KEY, id INTEGER NOT NULL) STRICT;"},
};

static struct store *open_store(const char *folder)
{
	struct store_options options = {
		.folder = folder, .migrations = migrations, .migration_count = 1};
	struct error err;
	struct store *store = store_open(&options, &err);

	if (store == NULL)
		print_error("%s\n", err.message);
	return store;
}

static int64_t number(struct store *store, const char *sql, const struct store_value *value)
{
	struct store_rows rows;
	struct arena arena;
	struct error err;
	int64_t result = -1;

	arena_init(&arena, 4096);
	if (store_query(store, &arena, sql, value, value == NULL ? 0 : 1, &rows, &err))
		result = store_cell(&rows, 0, 0)->integer;
	arena_finish(&arena);
	return result;
}

/* --- the process that is killed ------------------------------------------------------------- */

struct writer {
	pthread_t thread;
	struct store *store;
	int number;
	int64_t next_id;
	int acks;
};

static bool write_one(struct store *store, int writer, int64_t id)
{
	struct str text = STR("a record with some text, so that pages fill and the log grows");
	struct store_value values[] = {store_int(id), store_text(text)};
	struct store_value cursor[] = {store_int(writer), store_int(id)};
	struct store_statement statements[] = {
		{"INSERT INTO record VALUES (?1, ?2)", values, 2, 1},
		{"INSERT INTO outbox VALUES (?1)", values, 1, 1},
		{"INSERT INTO cursor VALUES (?1, ?2) ON CONFLICT (writer) DO UPDATE SET id = ?2", cursor,
		 2, 1},
	};
	struct error err;

	return store_write(store, statements, 3, &err);
}

static void *write_for_ever(void *context)
{
	struct writer *writer = context;

	for (;; writer->next_id += WRITERS) {
		if (!write_one(writer->store, writer->number, writer->next_id))
			_exit(1);
		if (write(writer->acks, &writer->next_id, sizeof writer->next_id) < 0)
			_exit(1);
	}
	return NULL;
}

static _Noreturn void be_the_victim(const char *folder, int acks)
{
	struct store *store = open_store(folder);
	struct writer writers[WRITERS];

	if (store == NULL)
		_exit(1);
	int64_t first = number(store, "SELECT coalesce(max(id), 0) + 1 FROM record", NULL);
	for (int i = 0; i < WRITERS; i++) {
		writers[i] = (struct writer){
			.store = store, .number = i, .next_id = first + i, .acks = acks};
		pthread_create(&writers[i].thread, NULL, write_for_ever, &writers[i]);
	}
	for (;;)
		pause();
}

/* --- the one who kills ---------------------------------------------------------------------- */

/* Reads acknowledgements until there are `enough`, kills, and reads the rest. */
static size_t kill_after(pid_t victim, int acks, size_t enough, int64_t *ids)
{
	size_t bytes = 0;

	for (;;) {
		ssize_t got = read(acks, (char *)ids + bytes, BACKLOG_MAX * sizeof *ids - bytes);
		if (got <= 0)
			break;
		bytes += (size_t)got;
		if (bytes / sizeof *ids >= enough)
			kill(victim, SIGKILL);
	}
	return bytes / sizeof *ids;
}

static void check(const char *folder, const int64_t *ids, size_t count, bool is_thorough)
{
	struct store *store = open_store(folder);
	size_t lost = 0;

	assert_non_null(store);
	for (size_t i = 0; i < count; i++) {
		struct store_value id = store_int(ids[i]);
		if (number(store, "SELECT count(*) FROM record WHERE id = ?1", &id) != 1)
			lost++;
	}
	assert_int_equal(lost, 0);
	assert_int_equal(number(store, "SELECT (SELECT count(*) FROM record)"
				       " - (SELECT count(*) FROM outbox)", NULL), 0);
	assert_int_equal(number(store, "SELECT (SELECT max(id) FROM record)"
				       " - (SELECT max(id) FROM cursor)", NULL), 0);
	if (is_thorough)
		assert_int_equal(number(store, "SELECT count(*) FROM pragma_integrity_check"
					       " WHERE integrity_check <> 'ok'", NULL), 0);
	store_close(store);
}

static void what_was_acknowledged_outlives_a_kill(void **state)
{
	const char *rounds_text = getenv("TENON_CRASH_ROUNDS");
	int64_t rounds = 50, *ids = malloc(BACKLOG_MAX * sizeof *ids);
	char folder[PATH_MAX];
	size_t acknowledged = 0;

	(void)state;
	if (rounds_text != NULL && !str_to_int64(str_from_c(rounds_text), &rounds))
		fail_msg("TENON_CRASH_ROUNDS is no number");
	folder_make(folder);
	for (int64_t i = 0; i < rounds; i++) {
		int ends[2];
		assert_int_equal(pipe(ends), 0);
		pid_t victim = fork();
		if (victim == 0)
			be_the_victim(folder, ends[1]);
		close(ends[1]);
		size_t enough = (size_t)random_below(random_system(), ACKS_MAX) + 1;
		size_t count = kill_after(victim, ends[0], enough, ids);
		close(ends[0]);
		waitpid(victim, NULL, 0);
		/* Fewer: it did not die by our hand. */
		assert_true(count >= enough);
		acknowledged += count;
		check(folder, ids, count, i % 10 == 9);
	}
	print_message("%lld kills, %zu acknowledged writes, none lost\n", (long long)rounds,
		      acknowledged);
	free(ids);
	folder_remove(folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_acknowledged_outlives_a_kill),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
