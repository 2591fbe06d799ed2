/* A node that claims small jobs in batches and finishes them, as the server's own runners do with
 * theirs: for `bench/run store`, and for the test in which nodes are killed and stopped. The jobs
 * are rows of `bench_job` in a PostgreSQL that TENON_DATABASE names.
 *
 * usage: bench_jobs FOLDER BATCH FIBERS [history]
 *
 * Ends when there has been nothing to do for a while, and says how many it has finished. With
 * `history` what is done is written down beside it, in the same transaction. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "ats/node/node.h"
#include "ats/schema/schema.h"
#include "base/buffer.h"

enum { IDLE_MS = 300, LOOK_MS = 20, BATCH_BYTES_MAX = 4 * 1024 * 1024 };

static struct {
	struct store *store;
	struct node *node;
	int64_t batch;
	bool has_history;
	_Atomic int64_t done;
	_Atomic int64_t refused;
} work;

static void check(bool ok, const struct error *err)
{
	if (ok)
		return;
	fprintf(stderr, "bench_jobs: %s\n", err->message);
	exit(1);
}

static struct str list_ids(struct arena *arena, const struct store_rows *rows)
{
	struct buffer ids;

	buffer_init(&ids, arena, BATCH_BYTES_MAX);
	for (size_t i = 0; i < rows->count; i++)
		buffer_append_format(&ids, "%c%lld", i == 0 ? '[' : ',',
				     (long long)store_cell(rows, i, 0)->integer);
	buffer_append_byte(&ids, ']');
	return buffer_str(&ids);
}

/* All of them, or none: where one is another's by now. */
static bool finish(struct arena *arena, const struct node_term *term,
		   const struct store_rows *rows)
{
	const struct store_value values[] = {store_text(list_ids(arena, rows)),
					     store_text(str_from_c(term->name))};
	const struct store_statement statements[] = {
		{"INSERT INTO bench_history (job, fence, node, what) SELECT id, fence, ?2, 'done'"
		 " FROM bench_job WHERE id IN (SELECT value::bigint FROM json_each(?1))",
		 values, 2, (int64_t)rows->count, false},
		{"DELETE FROM bench_job WHERE owner = ?2 AND id = ANY"
		 " (ARRAY(SELECT value::bigint FROM json_each(?1)))",
		 values, 2, (int64_t)rows->count, false},
	};
	const struct store_statement *first = work.has_history ? statements : statements + 1;
	struct error err;

	return store_write(work.store, first, work.has_history ? 2 : 1, &err);
}

static size_t do_batch(void)
{
	const struct node_claim claim = {
		.sql = NODE_CLAIM("bench_job", "id", "id", "due_ms <= ?3", "due_ms, id",
				  "id, fence"),
		.rows_max = work.batch,
	};
	struct node_term term;
	struct store_rows rows;
	struct arena arena;
	struct error err;

	arena_init(&arena, BATCH_BYTES_MAX);
	if (!node_claim(work.node, &arena, &claim, &term, &rows, &err))
		rows.count = 0;
	if (rows.count > 0 && finish(&arena, &term, &rows))
		work.done += (int64_t)rows.count;
	else if (rows.count > 0)
		work.refused += (int64_t)rows.count;
	size_t count = rows.count;
	arena_finish(&arena);
	return count;
}

static void run(void *context)
{
	struct loop_group *group = context;

	for (int64_t idle_ms = 0; idle_ms < IDLE_MS;) {
		if (do_batch() > 0) {
			idle_ms = 0;
			continue;
		}
		loop_sleep_ms(LOOK_MS);
		idle_ms += LOOK_MS;
	}
	loop_group_done(group);
}

static void run_all(void *context)
{
	struct loop_group group = {0};
	long fibers = *(long *)context;

	(void)store_enter_all();
	for (long i = 0; i < fibers; i++)
		loop_group_spawn(&group, run, &group);
	loop_group_join(&group);
	loop_stop(loop_current());
}

static void open_all(const char *folder, long fibers)
{
	struct store_options options = {.folder = folder,
					.database = getenv("TENON_DATABASE"),
					.functions = schema_functions(),
					.connections_max = (size_t)fibers};
	struct error err = {.code = ERROR_INTERNAL};

	options.migrations = schema_migrations(&options.migration_count);
	work.store = store_open(&options, &err);
	check(work.store != NULL, &err);
	work.node = node_create(&(struct node_options){.store = work.store,
						       .clock = clock_system(),
						       .random = random_system(),
						       .folder = str_from_c(folder),
						       .version = "bench"},
				&err);
	check(work.node != NULL, &err);
}

int main(int argc, char **argv)
{
	struct error err = {.code = ERROR_INTERNAL};

	if (argc < 4 || getenv("TENON_DATABASE") == NULL) {
		fputs("usage: TENON_DATABASE=URL bench_jobs FOLDER BATCH FIBERS [history]\n", stderr);
		return 2;
	}
	long fibers = strtol(argv[3], NULL, 10);
	work.batch = strtol(argv[2], NULL, 10);
	work.has_history = argc > 4;
	signal(SIGPIPE, SIG_IGN);
	(void)store_enter_all();
	open_all(argv[1], fibers);
	struct loop *loop = loop_create(clock_system(), random_system(), &err);
	check(loop != NULL, &err);
	int64_t began_ns = clock_monotonic_ns(clock_system());
	loop_post(loop, run_all, &fibers);
	loop_run(loop);
	int64_t took_ms = (clock_monotonic_ns(clock_system()) - began_ns) / 1000000 - IDLE_MS;
	loop_destroy(loop);
	node_destroy(work.node);
	store_close(work.store);
	printf("{\"done\": %lld, \"refused\": %lld, \"ms\": %lld}\n", (long long)work.done,
	       (long long)work.refused, (long long)took_ms);
	return 0;
}
