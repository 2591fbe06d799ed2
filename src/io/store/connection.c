#include "io/store/connection.h"

#include <assert.h>
#include <pthread.h>

#include "io/store/engine.h"

enum {
	VALUE_BYTES_MAX = 64 * 1024 * 1024,
	ROWS_FIRST = 16,
	BUSY_MS = 2000, /* only a stranger (a person with the sqlite3 shell) makes us wait */
};

static void configure_library(void)
{
	/* The statistics cost a global lock at each allocation. Refused when somebody has started
	 * the library already, which does no harm. */
	sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
}

static enum error_code code_of(int result)
{
	switch (result & 0xff) {
	case SQLITE_CONSTRAINT:
		return ERROR_CONFLICT;
	case SQLITE_TOOBIG:
		return ERROR_LIMIT;
	case SQLITE_FULL:
	case SQLITE_IOERR:
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
	case SQLITE_CANTOPEN:
	case SQLITE_READONLY:
	case SQLITE_NOMEM:
		return ERROR_UNAVAILABLE;
	default:
		return ERROR_INTERNAL;
	}
}

bool connection_fail(const struct connection *connection, struct error *err)
{
	int result = sqlite3_extended_errcode(connection->db);

	return error_set(err, code_of(result), "the store: %s (SQLite %d)",
			 sqlite3_errmsg(connection->db), result);
}

bool connection_run(struct connection *connection, const char *sql, struct error *err)
{
	if (sqlite3_exec(connection->db, sql, NULL, NULL, NULL) == SQLITE_OK)
		return true;
	return connection_fail(connection, err);
}

static bool set_switches(struct connection *connection, bool is_writer, struct error *err)
{
	sqlite3 *db = connection->db;

	sqlite3_extended_result_codes(db, 1);
	sqlite3_busy_timeout(db, BUSY_MS);
	sqlite3_limit(db, SQLITE_LIMIT_LENGTH, VALUE_BYTES_MAX);
	sqlite3_limit(db, SQLITE_LIMIT_ATTACHED, 0);
	/* Closing never checkpoints by itself: the writer does that, and alone (see writer.c). */
	if (sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL) != SQLITE_OK ||
	    sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL) != SQLITE_OK)
		return connection_fail(connection, err);
	if (!connection_run(connection,
			    "PRAGMA trusted_schema=OFF; PRAGMA cell_size_check=ON;"
			    "PRAGMA foreign_keys=ON; PRAGMA secure_delete=ON;"
			    "PRAGMA cache_size=-1024; PRAGMA mmap_size=0; PRAGMA temp_store=MEMORY;",
			    err))
		return false;
	if (!is_writer)
		return connection_run(connection, "PRAGMA query_only=ON;", err);
	/* Rows of a kilobyte: pages twice as large as usual are half as many writes. Of a new
	 * database alone. */
	return connection_run(connection,
			      "PRAGMA page_size=8192; PRAGMA journal_mode=WAL;"
			      "PRAGMA synchronous=FULL;"
			      "PRAGMA wal_autocheckpoint=0; PRAGMA journal_size_limit=16777216;",
			      err);
}

/* "PRAGMA journal_mode=WAL" fails without an error where the file system has no shared memory. */
static bool check_wal(struct connection *connection, struct error *err)
{
	static const char sql[] = "PRAGMA journal_mode";
	sqlite3_stmt *statement = connection_prepare(connection, sql, NULL, 0, err);
	bool is_wal;

	if (statement == NULL)
		return false;
	is_wal = sqlite3_step(statement) == SQLITE_ROW &&
		 str_equal_c(STR("wal"), (const char *)sqlite3_column_text(statement, 0));
	connection_reset(connection, sql, statement);
	if (is_wal)
		return true;
	return error_set(err, ERROR_UNAVAILABLE,
			 "the data folder's file system cannot hold a write-ahead log; it must be "
			 "a local disk");
}

/* The database's clock is ours here: what stands for it is given back. */
static void now_ms(sqlite3_context *context, int count, sqlite3_value **values)
{
	(void)count;
	sqlite3_result_value(context, values[0]);
}

bool connection_open(struct connection *connection, const char *path, const char *vfs,
		     bool is_writer, struct error *err)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	int flags = is_writer ? SQLITE_OPEN_READWRITE : SQLITE_OPEN_READONLY;

	pthread_once(&once, configure_library);
	*connection = (struct connection){0};
	if (sqlite3_open_v2(path, &connection->db, flags | SQLITE_OPEN_NOMUTEX, vfs) != SQLITE_OK) {
		connection_fail(connection, err);
		connection_close(connection);
		return false;
	}
	sqlite3_create_function(connection->db, "now_ms", 1, SQLITE_UTF8 | SQLITE_DETERMINISTIC,
				NULL, now_ms, NULL, NULL);
	if (set_switches(connection, is_writer, err) && (!is_writer || check_wal(connection, err)))
		return true;
	connection_close(connection);
	return false;
}

void connection_close(struct connection *connection)
{
	for (size_t i = 0; i < STATEMENTS_MAX; i++)
		sqlite3_finalize(connection->statements[i].statement);
	int result = sqlite3_close(connection->db);
	assert(result == SQLITE_OK);
	*connection = (struct connection){0};
}

/* Where the literal's statement is or may be put; the table is never full. */
static size_t find_slot(const struct connection *connection, const char *sql)
{
	size_t at = (size_t)(((uintptr_t)sql * 0x9e3779b97f4a7c15) >> 32) % STATEMENTS_MAX;

	while (connection->statements[at].sql != NULL && connection->statements[at].sql != sql)
		at = (at + 1) % STATEMENTS_MAX;
	return at;
}

static sqlite3_stmt *compile(struct connection *connection, const char *sql, struct error *err)
{
	sqlite3_stmt *statement = NULL;
	const char *rest = "";

	if (sqlite3_prepare_v3(connection->db, sql, -1, SQLITE_PREPARE_PERSISTENT, &statement,
			       &rest) != SQLITE_OK) {
		connection_fail(connection, err);
		return NULL;
	}
	/* A second statement in the text would be left undone without a word. */
	assert(statement != NULL && str_trim(str_from_c(rest)).len == 0);
	return statement;
}

static sqlite3_stmt *find_or_compile(struct connection *connection, const char *sql,
				     struct error *err)
{
	size_t at = find_slot(connection, sql);
	sqlite3_stmt *statement = connection->statements[at].statement;

	if (statement != NULL) {
		/* Not a literal when the bytes at this address have changed. */
		assert(strcmp(sqlite3_sql(statement), sql) == 0);
		return statement;
	}
	statement = compile(connection, sql, err);
	/* At most three quarters full; what comes after that is compiled each time. */
	if (statement != NULL && connection->statement_count < STATEMENTS_MAX / 4 * 3) {
		connection->statements[at].sql = sql;
		connection->statements[at].statement = statement;
		connection->statement_count++;
	}
	return statement;
}

static int bind_one(sqlite3_stmt *statement, int place, const struct store_value *value)
{
	const char *bytes = value->bytes.data == NULL ? "" : value->bytes.data;

	switch (value->type) {
	case STORE_NULL:
		return sqlite3_bind_null(statement, place);
	case STORE_INT:
		return sqlite3_bind_int64(statement, place, value->integer);
	case STORE_TEXT:
		return sqlite3_bind_text64(statement, place, bytes, value->bytes.len, SQLITE_STATIC,
					   SQLITE_UTF8);
	case STORE_BLOB:
		return sqlite3_bind_blob64(statement, place, bytes, value->bytes.len,
					   SQLITE_STATIC);
	}
	die("a store value of no type");
}

sqlite3_stmt *connection_prepare(struct connection *connection, const char *sql,
				 const struct store_value *parameters, size_t count,
				 struct error *err)
{
	sqlite3_stmt *statement = find_or_compile(connection, sql, err);

	if (statement == NULL)
		return NULL;
	assert((size_t)sqlite3_bind_parameter_count(statement) == count);
	for (size_t i = 0; i < count; i++) {
		if (bind_one(statement, (int)i + 1, &parameters[i]) == SQLITE_OK)
			continue;
		connection_fail(connection, err);
		connection_reset(connection, sql, statement);
		return NULL;
	}
	return statement;
}

void connection_reset(struct connection *connection, const char *sql, sqlite3_stmt *statement)
{
	size_t at = find_slot(connection, sql);

	if (connection->statements[at].statement != statement) {
		sqlite3_finalize(statement);
		return;
	}
	sqlite3_reset(statement);
	sqlite3_clear_bindings(statement);
}

/* --- rows ----------------------------------------------------------------------------------- */

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

static bool read_row(struct arena *arena, sqlite3_stmt *statement, size_t rows_max,
		     struct store_rows *rows, size_t *room, struct error *err)
{
	if (rows->count >= rows_max)
		return store_too_many(rows_max, err);
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

bool connection_rows(struct connection *connection, sqlite3_stmt *statement, struct arena *arena,
		     size_t rows_max, struct store_rows *rows, struct error *err)
{
	size_t room = 0;
	bool ok = true;
	int step;

	*rows = (struct store_rows){.columns = (size_t)sqlite3_column_count(statement)};
	while (ok && (step = sqlite3_step(statement)) == SQLITE_ROW)
		ok = read_row(arena, statement, rows_max, rows, &room, err);
	return ok && (step == SQLITE_DONE || connection_fail(connection, err));
}
