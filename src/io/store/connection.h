/* One connection to SQLite: its settings, its prepared statements, its errors in our words.
 * Private to the store. A connection is used by one thread at a time. */
#ifndef IO_STORE_CONNECTION_H
#define IO_STORE_CONNECTION_H

#include <sqlite3.h>

#include "io/store/store.h"

enum { STATEMENTS_MAX = 512 }; /* a power of two */

struct connection {
	sqlite3 *db;
	struct {
		const char *sql;
		sqlite3_stmt *statement;
	} statements[STATEMENTS_MAX];
	size_t statement_count;
};

/* Opens the file, which must exist. The writer is the first to open and the last to close.
 * On failure there is nothing to close. */
bool connection_open(struct connection *connection, const char *path, const char *vfs,
		     bool is_writer, struct error *err) MUST_CHECK;
void connection_close(struct connection *connection);

/* Runs statements that give nothing back (any text). */
bool connection_run(struct connection *connection, const char *sql, struct error *err) MUST_CHECK;

/* The prepared statement of a literal, with its parameters bound; the bytes are borrowed until
 * connection_reset(). */
sqlite3_stmt *connection_prepare(struct connection *connection, const char *sql,
				 const struct store_value *parameters, size_t count,
				 struct error *err) MUST_CHECK;
/* Runs it to its end; the rows are put into the arena. ERROR_LIMIT past rows_max. */
bool connection_rows(struct connection *connection, sqlite3_stmt *statement, struct arena *arena,
		     size_t rows_max, struct store_rows *rows, struct error *err) MUST_CHECK;
/* Ends the statement's read and lets go of the bytes that were bound. */
void connection_reset(struct connection *connection, const char *sql, sqlite3_stmt *statement);

/* What the last call on the connection failed with. Returns false. */
bool connection_fail(const struct connection *connection, struct error *err);

#endif
