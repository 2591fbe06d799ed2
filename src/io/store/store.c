#include "io/store/engine.h"
#include "io/store/pg_migration.h"

#include <assert.h>
#include <stdatomic.h>

#include "io/trace/trace.h"

enum {
	ROWS_MAX = 100000,
	QUEUE_MAX = 10000,
};

const double store_bucket_bounds_ms[STORE_BUCKETS - 1] = {1, 2.5, 5, 10, 25, 100, 500, 2500};

struct store *store_open(const struct store_options *options, struct error *err)
{
	struct store_options filled = *options;

	assert(options->folder != NULL);
	if (filled.queue_max == 0)
		filled.queue_max = QUEUE_MAX;
	if (filled.rows_max == 0)
		filled.rows_max = ROWS_MAX;
	struct store *store =
		filled.database == NULL ? sqlite_open(&filled, err) : pg_open(&filled, err);
	if (store != NULL)
		store->is_postgresql = filled.database != NULL;
	return store;
}

bool store_look(const struct store_options *options, size_t *applied, struct error *err)
{
	return options->database == NULL ? sqlite_look(options, applied, err)
					 : pg_look(options, applied, err);
}

bool store_migrate(const struct store_options *options, struct error *err)
{
	if (options->database != NULL)
		return pg_migrate(options->database, options, err);
	struct store *store = store_open(options, err);
	store_close(store);
	return store != NULL;
}

void store_close(struct store *store)
{
	if (store == NULL)
		return;
	assert(store->magic == STORE_MAGIC);
	store->engine->close(store);
}

static void begin_span(struct span *span, const struct store *store, const char *name)
{
	span_begin(span, SPAN_CLIENT, name);
	span_text(span, "db.system.name",
		  store->is_postgresql ? STR("postgresql") : STR("sqlite"));
}

static void end_span(struct span *span, bool ok, const struct error *err)
{
	if (!ok)
		span_fail(span, str_from_c(error_name(err->code)));
	span_end(span);
}

/* --- whose rows ------------------------------------------------------------------------------ */

static struct store_scope enter(const char *text, size_t len)
{
	struct store_scope before;
	char *scope = loop_scope();

	assert(len > 0 && len < sizeof before.text);
	memcpy(before.text, scope, sizeof before.text);
	memset(scope, 0, sizeof before.text);
	memcpy(scope, text, len);
	return before;
}

struct store_scope store_enter(struct str environment)
{
	return enter(environment.data, environment.len);
}

struct store_scope store_enter_all(void)
{
	return enter(STORE_SCOPE_ALL, 1);
}

void store_leave(const struct store_scope *before)
{
	memcpy(loop_scope(), before->text, sizeof before->text);
}

/* --- reading and writing --------------------------------------------------------------------- */

bool store_query(struct store *store, struct arena *arena, const char *sql,
		 const struct store_value *parameters, size_t parameter_count,
		 struct store_rows *rows, struct error *err)
{
	assert(store->magic == STORE_MAGIC);
	struct span span;

	*rows = (struct store_rows){0};
	store->queries++;
	begin_span(&span, store, "store query");
	bool ok = store->engine->query(store, arena, sql, parameters, parameter_count, rows, err);
	store->failures += !ok && err->code == ERROR_UNAVAILABLE;
	end_span(&span, ok, err);
	return ok;
}

static void count_write(struct store *store, int64_t took_ns)
{
	size_t bucket = 0;

	while (bucket < STORE_BUCKETS - 1 && (double)took_ns > store_bucket_bounds_ms[bucket] * 1e6)
		bucket++;
	atomic_fetch_add_explicit(&store->buckets[bucket], 1, memory_order_relaxed);
	atomic_fetch_add_explicit(&store->duration_us, (uint64_t)took_ns / 1000,
				  memory_order_relaxed);
}

static int64_t begin_write(struct span *span, const struct store *store)
{
	begin_span(span, store, "store write");
	return clock_monotonic_ns(clock_system());
}

static bool end_write(struct span *span, struct store *store, int64_t began_ns, bool ok,
		      const struct error *err)
{
	if (ok)
		count_write(store, clock_monotonic_ns(clock_system()) - began_ns);
	else
		store->failures += err->code == ERROR_UNAVAILABLE;
	end_span(span, ok, err);
	return ok;
}

bool store_write(struct store *store, const struct store_statement *statements, size_t count,
		 struct error *err)
{
	assert(store->magic == STORE_MAGIC && count > 0);
	struct span span;
	int64_t began_ns = begin_write(&span, store);

	return end_write(&span, store, began_ns,
			 store->engine->write(store, statements, count, err), err);
}

bool store_change(struct store *store, struct arena *arena, const struct store_statement *statement,
		  struct store_rows *rows, struct error *err)
{
	assert(store->magic == STORE_MAGIC);
	struct span span;
	int64_t began_ns = begin_write(&span, store);

	*rows = (struct store_rows){0};
	return end_write(&span, store, began_ns,
			 store->engine->change(store, arena, statement, rows, err), err);
}

bool store_query_all(struct store *store, struct arena *arena, const char *sql,
		     const struct store_value *parameters, size_t parameter_count,
		     struct store_rows *rows, struct error *err)
{
	struct store_scope before = store_enter_all();
	bool ok = store_query(store, arena, sql, parameters, parameter_count, rows, err);

	store_leave(&before);
	return ok;
}

bool store_write_all(struct store *store, const struct store_statement *statements, size_t count,
		     struct error *err)
{
	struct store_scope before = store_enter_all();
	bool ok = store_write(store, statements, count, err);

	store_leave(&before);
	return ok;
}

bool store_change_all(struct store *store, struct arena *arena,
		      const struct store_statement *statement, struct store_rows *rows,
		      struct error *err)
{
	struct store_scope before = store_enter_all();
	bool ok = store_change(store, arena, statement, rows, err);

	store_leave(&before);
	return ok;
}

struct store_statement store_keep(struct arena *arena, const char *sql,
				  const struct store_value *values, size_t count,
				  int64_t changes_expected)
{
	struct store_value *kept = arena_array(arena, count, sizeof *kept);

	memcpy(kept, values, count * sizeof *kept);
	return (struct store_statement){
		.sql = sql,
		.parameters = kept,
		.parameter_count = count,
		.changes_expected = changes_expected,
	};
}

bool store_write_later(struct store *store, const struct store_statement *statement,
		       struct error *err)
{
	assert(store->magic == STORE_MAGIC);
	return store->engine->write_later(store, statement, err);
}

bool store_backup(struct store *store, const char *path, struct error *err)
{
	assert(store->magic == STORE_MAGIC);
	return store->engine->backup(store, path, err);
}

void store_watch(struct store *store, void (*tell)(void *context), void *context)
{
	store->engine->watch(store, tell, context);
}

void store_hear(struct store *store, void (*hear)(void *context, struct str what), void *context)
{
	if (store->engine->hear != NULL)
		store->engine->hear(store, hear, context);
}

bool store_is_current(const struct store *store)
{
	return store->engine->is_current == NULL || store->engine->is_current(store);
}

void store_count(struct store *store, struct store_counts *counts)
{
	assert(store->magic == STORE_MAGIC);
	*counts = (struct store_counts){.queries = store->queries,
					.failures = store->failures,
					.duration_us = store->duration_us};
	for (size_t i = 0; i < STORE_BUCKETS; i++)
		counts->buckets[i] = store->buckets[i];
	store->engine->count(store, counts);
}

bool store_is_postgresql(const struct store *store)
{
	return store->is_postgresql;
}

bool store_is_bound(const struct store *store)
{
	return !store->is_unbound;
}

/* --- for the engines ------------------------------------------------------------------------- */

bool store_too_many(size_t rows_max, struct error *err)
{
	return error_set(err, ERROR_LIMIT, "the query finds more than %zu rows", rows_max);
}

void *store_copy_statement(size_t head_bytes, const struct store_statement *from,
			   struct store_statement *to)
{
	size_t head = (head_bytes + ARENA_ALIGNMENT - 1) / ARENA_ALIGNMENT * ARENA_ALIGNMENT;
	size_t bytes = head + from->parameter_count * sizeof(struct store_value);

	for (size_t i = 0; i < from->parameter_count; i++)
		bytes += from->parameters[i].bytes.len;
	char *made = calloc(1, bytes);
	if (made == NULL)
		die("out of memory for a write");
	struct store_value *values = (struct store_value *)(void *)(made + head);
	char *at = (char *)&values[from->parameter_count];
	for (size_t i = 0; i < from->parameter_count; i++) {
		struct str text = from->parameters[i].bytes;
		values[i] = from->parameters[i];
		if (text.len == 0)
			continue;
		values[i].bytes.data = memcpy(at, text.data, text.len);
		at += text.len;
	}
	*to = *from;
	to->parameters = values;
	return made;
}
