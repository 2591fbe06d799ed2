/* The embedded engine: SQLite in the data folder. */
#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <unistd.h>

#include "io/store/engine.h"
#include "io/store/folder.h"
#include "io/store/migration.h"
#include "io/store/reader.h"
#include "io/store/writer.h"

struct sqlite_store {
	struct store base;
	int lock_fd;
	char path[PATH_MAX];
	char *vfs;
	struct writer writer;
	struct reader_register readers;
};

static struct sqlite_store *own(struct store *store)
{
	return (struct sqlite_store *)store;
}

static const struct store_engine engine;

static struct sqlite_store *make_store(const struct store_options *options)
{
	struct sqlite_store *store = calloc(1, sizeof *store);

	if (store == NULL)
		die("out of memory for a store");
	store->base = (struct store){
		.magic = STORE_MAGIC, .engine = &engine, .rows_max = options->rows_max};
	store->lock_fd = -1;
	store->vfs = options->vfs == NULL ? NULL : strdup(options->vfs);
	/* A longer path has failed when the lock was taken. */
	snprintf(store->path, sizeof store->path, "%s/tenon.db", options->folder);
	return store;
}

static void free_store(struct sqlite_store *store)
{
	if (store->lock_fd >= 0)
		folder_unlock(store->lock_fd);
	free(store->vfs);
	store->base.magic = 0;
	free(store);
}

static bool open_parts(struct sqlite_store *store, const struct store_options *options,
		       struct error *err)
{
	if (!options->is_inline) {
		store->lock_fd = folder_lock(options->folder, err);
		if (store->lock_fd < 0 || !folder_make_database(options->folder, err))
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

struct store *sqlite_open(const struct store_options *options, struct error *err)
{
	struct store_options filled = *options;
	struct sqlite_store *store = make_store(options);

	filled.vfs = store->vfs;
	if (open_parts(store, &filled, err))
		return &store->base;
	free_store(store);
	return NULL;
}

/* No folder, no file, or an empty one: none is applied. */
bool sqlite_look(const struct store_options *options, size_t *applied, struct error *err)
{
	struct connection connection;
	char path[PATH_MAX];

	*applied = 0;
	if (snprintf(path, sizeof path, "%s/tenon.db", options->folder) >= (int)sizeof path)
		return error_set(err, ERROR_INVALID, "the data folder's path is too long");
	if (access(path, F_OK) != 0 && (errno == ENOENT || errno == ENOTDIR))
		return true;
	if (!connection_open(&connection, path, options->vfs, false, err))
		return false;
	bool ok = migration_count_applied(&connection, options, applied, err);
	connection_close(&connection);
	return ok;
}

static void close_store(struct store *base)
{
	struct sqlite_store *store = own(base);

	writer_stop(&store->writer);
	/* The writer closes last: no other connection may ever be the one that tidies the log. */
	reader_register_finish(&store->readers);
	writer_close(&store->writer);
	free_store(store);
}

/* --- reading -------------------------------------------------------------------------------- */

static bool query(struct store *store, struct arena *arena, const char *sql,
		  const struct store_value *parameters, size_t parameter_count,
		  struct store_rows *rows, struct error *err)
{
	struct connection *connection = reader_connection(&own(store)->readers, err);
	if (connection == NULL)
		return false;
	sqlite3_stmt *statement =
		connection_prepare(connection, sql, parameters, parameter_count, err);
	if (statement == NULL)
		return false;
	bool ok = connection_rows(connection, statement, arena, store->rows_max, rows, err);
	/* This also ends the snapshot: the next query sees what was committed since. */
	connection_reset(connection, sql, statement);
	return ok;
}

/* --- writing -------------------------------------------------------------------------------- */

static bool write_now(struct store *store, const struct store_statement *statements, size_t count,
		      struct error *err)
{
	struct pending pending = {.statements = statements, .count = count};

	return writer_ask(&own(store)->writer, &pending, err);
}

static bool change(struct store *store, struct arena *arena,
		   const struct store_statement *statement, struct store_rows *rows,
		   struct error *err)
{
	struct pending pending = {.statements = statement,
				  .count = 1,
				  .arena = arena,
				  .rows = rows,
				  .rows_max = store->rows_max};

	return writer_ask(&own(store)->writer, &pending, err);
}

/* A write that nobody waits for. */
struct later {
	struct pending pending; /* first: freeing it frees all */
	struct error err;
	struct store_statement statement;
};

static bool write_later(struct store *store, const struct store_statement *statement,
			struct error *err)
{
	struct store_statement copy;
	struct later *later = store_copy_statement(sizeof *later, statement, &copy);

	later->statement = copy;
	later->pending.statements = &later->statement;
	later->pending.count = 1;
	later->pending.err = &later->err;
	if (writer_ask_later(&own(store)->writer, &later->pending, err))
		return true;
	free(later);
	return false;
}

static bool backup(struct store *store, const char *path, struct error *err)
{
	struct pending pending = {.backup_path = path};

	if (strlen(path) >= PATH_MAX - sizeof ".part")
		return error_set(err, ERROR_INVALID, "the backup's path is too long");
	return writer_ask(&own(store)->writer, &pending, err);
}

static void count(struct store *base, struct store_counts *counts)
{
	struct writer *writer = &own(base)->writer;

	counts->commits = writer->commits;
	counts->writes = writer->writes;
	pthread_mutex_lock(&writer->lock);
	counts->queue_length = writer->length;
	pthread_mutex_unlock(&writer->lock);
}

static void watch(struct store *store, void (*tell)(void *context), void *context)
{
	own(store)->writer.tell = tell;
	own(store)->writer.tell_context = context;
}

static const struct store_engine engine = {
	.query = query,
	.write = write_now,
	.change = change,
	.write_later = write_later,
	.backup = backup,
	.watch = watch,
	.count = count,
	.close = close_store,
};
