#include "io/store/store.h"

#include <assert.h>
#include <limits.h>
#include <stdlib.h>

#include "io/store/folder.h"
#include "io/store/reader.h"
#include "io/store/writer.h"

enum {
	MAGIC = 0x53746f72,
	ROWS_MAX = 100000,
	QUEUE_MAX = 10000,
	ROWS_FIRST = 16,
};

struct store {
	unsigned magic;
	int lock_fd;
	char path[PATH_MAX];
	char *vfs;
	size_t rows_max;
	struct writer writer;
	struct reader_register readers;
	_Atomic uint64_t queries;
};

static struct store *make_store(const struct store_options *options)
{
	struct store *store = calloc(1, sizeof *store);

	if (store == NULL)
		die("out of memory for a store");
	store->magic = MAGIC;
	store->lock_fd = -1;
	store->rows_max = options->rows_max == 0 ? ROWS_MAX : options->rows_max;
	store->vfs = options->vfs == NULL ? NULL : strdup(options->vfs);
	/* A longer path has failed when the lock was taken. */
	snprintf(store->path, sizeof store->path, "%s/tenon.db", options->folder);
	return store;
}

static void free_store(struct store *store)
{
	if (store->lock_fd >= 0)
		folder_unlock(store->lock_fd);
	free(store->vfs);
	store->magic = 0;
	free(store);
}

static bool open_parts(struct store *store, const struct store_options *options,
		       struct error *err)
{
	if (!options->is_inline) {
		store->lock_fd = folder_lock(options->folder, err);
		if (store->lock_fd < 0)
			return false;
	}
	if (!writer_open(&store->writer, store->path, options, err))
		return false;
	if (!reader_register_init(&store->readers, store->path, store->vfs, err)) {
		writer_close(&store->writer);
		return false;
	}
	if (!writer_start(&store->writer, err)) {
		reader_register_finish(&store->readers);
		writer_close(&store->writer);
		return false;
	}
	return true;
}

struct store *store_open(const struct store_options *options, struct error *err)
{
	struct store_options filled = *options;

	assert(options->folder != NULL);
	struct store *store = make_store(options);
	filled.vfs = store->vfs;
	if (filled.queue_max == 0)
		filled.queue_max = QUEUE_MAX;
	if (open_parts(store, &filled, err))
		return store;
	free_store(store);
	return NULL;
}

void store_close(struct store *store)
{
	if (store == NULL)
		return;
	assert(store->magic == MAGIC);
	writer_stop(&store->writer);
	/* The writer closes last: no other connection may ever be the one that tidies the log. */
	reader_register_finish(&store->readers);
	writer_close(&store->writer);
	free_store(store);
}

/* --- reading -------------------------------------------------------------------------------- */

/* The length must be asked for after the bytes: fetching them may convert. */
static struct str copy_cell(struct arena *arena, sqlite3_stmt *statement, int column,
			    const void *bytes)
{
	return arena_str(arena, str_make(bytes, (size_t)sqlite3_column_bytes(statement, column)));
}

static bool read_cell(struct arena *arena, sqlite3_stmt *statement, int column,
		      struct store_value *cell, struct error *err)
{
	switch (sqlite3_column_type(statement, column)) {
	case SQLITE_NULL:
		*cell = store_null();
		return true;
	case SQLITE_INTEGER:
		*cell = store_int(sqlite3_column_int64(statement, column));
		return true;
	case SQLITE_TEXT:
		*cell = store_text(copy_cell(arena, statement, column,
					     sqlite3_column_text(statement, column)));
		return true;
	case SQLITE_BLOB:
		*cell = store_blob(copy_cell(arena, statement, column,
					     sqlite3_column_blob(statement, column)));
		return true;
	default:
		return error_set(err, ERROR_INTERNAL, "column %d holds a fraction, which has no type here",
				 column);
	}
}

static bool read_row(struct store *store, struct arena *arena, sqlite3_stmt *statement,
		     struct store_rows *rows, size_t *room, struct error *err)
{
	if (rows->count >= store->rows_max)
		return error_set(err, ERROR_LIMIT, "the query finds more than %zu rows",
				 store->rows_max);
	if (rows->count == *room) {
		size_t more = *room == 0 ? ROWS_FIRST : *room * 2;
		size_t row_bytes = rows->columns * sizeof(struct store_value);
		rows->values = arena_grow(arena, (void *)(uintptr_t)rows->values, *room * row_bytes,
					  more * row_bytes);
		*room = more;
	}
	struct store_value *cells =
		(struct store_value *)(uintptr_t)&rows->values[rows->count * rows->columns];
	for (size_t i = 0; i < rows->columns; i++)
		if (!read_cell(arena, statement, (int)i, &cells[i], err))
			return false;
	rows->count++;
	return arena_check(arena, err);
}

bool store_query(struct store *store, struct arena *arena, const char *sql,
		 const struct store_value *parameters, size_t parameter_count,
		 struct store_rows *rows, struct error *err)
{
	size_t room = 0;
	int step;
	bool ok = true;

	assert(store->magic == MAGIC);
	*rows = (struct store_rows){0};
	store->queries++;
	struct connection *connection = reader_connection(&store->readers, err);
	if (connection == NULL)
		return false;
	sqlite3_stmt *statement =
		connection_prepare(connection, sql, parameters, parameter_count, err);
	if (statement == NULL)
		return false;
	rows->columns = (size_t)sqlite3_column_count(statement);
	while (ok && (step = sqlite3_step(statement)) == SQLITE_ROW)
		ok = read_row(store, arena, statement, rows, &room, err);
	if (ok && step != SQLITE_DONE)
		ok = connection_fail(connection, err);
	/* This also ends the snapshot: the next query sees what was committed since. */
	connection_reset(connection, sql, statement);
	return ok;
}

/* --- writing -------------------------------------------------------------------------------- */

bool store_write(struct store *store, const struct store_statement *statements, size_t count,
		 struct error *err)
{
	struct pending pending = {.statements = statements, .count = count};

	assert(store->magic == MAGIC && count > 0);
	return writer_ask(&store->writer, &pending, err);
}

/* A write whose bytes nobody keeps alive: all of it in one allocation. */
struct later {
	struct pending pending; /* first: freeing it frees all */
	struct error err;
	struct store_statement statement;
	struct store_value values[];
};

static struct later *copy_later(const struct store_statement *statement)
{
	size_t bytes = statement->parameter_count * sizeof(struct store_value);

	for (size_t i = 0; i < statement->parameter_count; i++)
		bytes += statement->parameters[i].bytes.len;
	struct later *later = calloc(1, sizeof *later + bytes);
	if (later == NULL)
		die("out of memory for a write");
	char *at = (char *)&later->values[statement->parameter_count];
	for (size_t i = 0; i < statement->parameter_count; i++) {
		struct str from = statement->parameters[i].bytes;
		later->values[i] = statement->parameters[i];
		if (from.len == 0)
			continue;
		memcpy(at, from.data, from.len);
		later->values[i].bytes.data = at;
		at += from.len;
	}
	later->statement = *statement;
	later->statement.parameters = later->values;
	later->pending.statements = &later->statement;
	later->pending.count = 1;
	later->pending.err = &later->err;
	return later;
}

bool store_write_later(struct store *store, const struct store_statement *statement,
		       struct error *err)
{
	assert(store->magic == MAGIC);
	struct later *later = copy_later(statement);

	if (writer_ask_later(&store->writer, &later->pending, err))
		return true;
	free(later);
	return false;
}

bool store_backup(struct store *store, const char *path, struct error *err)
{
	struct pending pending = {.backup_path = path};

	assert(store->magic == MAGIC);
	if (strlen(path) >= PATH_MAX - sizeof ".part")
		return error_set(err, ERROR_INVALID, "the backup's path is too long");
	return writer_ask(&store->writer, &pending, err);
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

void store_count(struct store *store, struct store_counts *counts)
{
	assert(store->magic == MAGIC);
	*counts = (struct store_counts){
		.commits = store->writer.commits,
		.writes = store->writer.writes,
		.queries = store->queries,
	};
	pthread_mutex_lock(&store->writer.lock);
	counts->queue_length = store->writer.length;
	pthread_mutex_unlock(&store->writer.lock);
}

void store_watch(struct store *store, void (*tell)(void *context), void *context)
{
	store->writer.tell = tell;
	store->writer.tell_context = context;
}
