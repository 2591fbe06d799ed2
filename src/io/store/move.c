/* From SQLite in a data folder to an empty PostgreSQL database: batch by batch, each with a note of
 * how far it goes in the same transaction, so that whenever it is broken off it goes on there. */
#include "io/store/move.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <sys/stat.h>

#include "io/store/folder.h"
#include "io/store/migration.h"
#include "io/store/pg_migration.h"

enum { CONNECT_MS = 10000, SOURCE_LEN = 128 };

/* "tenom": one move at a time has the database. Whose process was killed gives it back as soon as
 * PostgreSQL notices. */
static const char lock_sql[] = "SELECT pg_advisory_lock(499917942637)";

/* --- asking PostgreSQL ----------------------------------------------------------------------- */

PGresult *move_ask(struct move *move, const char *sql, const char *const *parameters, size_t count,
		   struct error *err)
{
	PGresult *result = PQexecParams(move->link->conn, sql, (int)count, NULL, parameters, NULL,
					NULL, 0);
	ExecStatusType status = PQresultStatus(result);

	if (status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK)
		return result;
	(void)pg_link_fail(move->link, result, err);
	PQclear(result);
	return NULL;
}

bool move_do(struct move *move, const char *sql, struct error *err)
{
	PGresult *result = move_ask(move, sql, NULL, 0, err);

	PQclear(result);
	return result != NULL;
}

/* --- the source ------------------------------------------------------------------------------ */

/* What changes whenever somebody writes to the database: SQLite's files themselves. An empty log
 * may come and go. */
static bool describe_source(const char *path, char source[SOURCE_LEN], struct error *err)
{
	char log_path[PATH_MAX];
	struct stat database, log = {0};

	snprintf(log_path, sizeof log_path, "%s-wal", path);
	if (stat(path, &database) != 0)
		return error_set(err, errno == ENOENT ? ERROR_NOT_FOUND : ERROR_UNAVAILABLE,
				 "cannot look at %s: %s", path, strerror(errno));
	if (stat(log_path, &log) != 0 || log.st_size == 0)
		log = (struct stat){0};
	snprintf(source, SOURCE_LEN, "%jd %jd.%09ld %jd %jd.%09ld", (intmax_t)database.st_size,
		 (intmax_t)database.st_mtim.tv_sec, database.st_mtim.tv_nsec,
		 (intmax_t)log.st_size, (intmax_t)log.st_mtim.tv_sec, log.st_mtim.tv_nsec);
	return true;
}

/* One snapshot for all of it. */
static bool check_source(struct move *move, struct error *err)
{
	const struct store_options *store = move->options->store;
	size_t applied;

	if (!connection_run(&move->source, "BEGIN", err) ||
	    !migration_count_applied(&move->source, store, &applied, err))
		return false;
	return applied == store->migration_count ||
	       error_set(err, ERROR_CONFLICT,
			 "the data folder %s lacks %zu migrations: run `tenon migrate --data %s` "
			 "first", store->folder, store->migration_count - applied, store->folder);
}

/* --- the target ------------------------------------------------------------------------------ */

/* A blocking connection, on which COPY can be said, and the lock. */
static bool take_target(struct move *move, struct error *err)
{
	struct error why;

	move->link = pg_link_open(move->options->store->database, CONNECT_MS, err);
	if (move->link == NULL)
		return false;
	if (PQexitPipelineMode(move->link->conn) != 1 || PQsetnonblocking(move->link->conn, 0) != 0)
		return pg_link_fail(move->link, NULL, err);
	/* A batch that a crash of PostgreSQL loses goes with its note. */
	if (!move_do(move, PG_SEE_ALL, err) || !move_do(move, "SET statement_timeout = 0", err) ||
	    !move_do(move, "SET idle_in_transaction_session_timeout = 0", err) ||
	    !move_do(move, "SET synchronous_commit = off", err))
		return false;
	if (move_do(move, lock_sql, &why))
		return move_do(move, "SET lock_timeout = 0", err);
	*err = why;
	if (why.code == ERROR_UNAVAILABLE && !move->link->is_broken)
		error_set(err, ERROR_CONFLICT, "another move into this database is under way");
	return false;
}

/* While rows are copied their triggers are off: their work was done when the rows were first
 * written, numbers of events above all. (Those of the foreign keys stay.) And the tables' owner is
 * not bound to environments: COPY is refused to who is. */
static bool change_tables(struct move *move, const char *what, struct error *err)
{
	struct buffer sql;

	buffer_init(&sql, move->arena, SIZE_MAX / 4);
	for (size_t i = 0; i < move->table_count; i++) {
		sql.len = 0;
		buffer_append_format(&sql, "ALTER TABLE \"%s\" %s%c",
				     move->tables[i]->moved.name, what, '\0');
		if (!move_do(move, sql.data, err))
			return false;
	}
	return true;
}

/* --- where it stands ------------------------------------------------------------------------- */

static bool read_after(struct move *move, struct move_table *table, const char *escaped,
		       struct error *err)
{
	size_t len;
	unsigned char *bytes = PQunescapeBytea((const unsigned char *)escaped, &len);

	if (bytes == NULL)
		return error_set(err, ERROR_INTERNAL, "what was noted of the move is damaged");
	table->after = arena_str(move->arena, str_make((const char *)bytes, len));
	PQfreemem(bytes);
	return true;
}

static int64_t read_number(const PGresult *result, int row, int column)
{
	int64_t number = 0;

	return str_to_int64(str_from_c(PQgetvalue(result, row, column)), &number) ? number : 0;
}

static bool read_note(struct move *move, const PGresult *result, int row, struct error *err)
{
	struct move_table *table = move_find_table(move, PQgetvalue(result, row, 0));

	if (table == NULL) /* all of it */
		return true;
	table->state = read_number(result, row, 1);
	table->moved.rows = read_number(result, row, 2);
	snprintf(table->moved.sum, sizeof table->moved.sum, "%s", PQgetvalue(result, row, 3));
	return PQgetisnull(result, row, 4) ||
	       read_after(move, table, PQgetvalue(result, row, 4), err);
}

static bool read_notes(struct move *move, struct error *err)
{
	static const char sql[] =
		"SELECT name, state, row_count, sum, after FROM " PG_MOVE_TABLE;
	PGresult *result = move_ask(move, sql, NULL, 0, err);
	bool ok = result != NULL;

	for (int i = 0; ok && i < PQntuples(result); i++)
		ok = read_note(move, result, i, err);
	PQclear(result);
	return ok;
}

/* The move that the database knows of is this one; *done: to its end. */
static bool read_mark(struct move *move, const char *source, bool *done, struct error *err)
{
	PGresult *result = move_ask(move, "SELECT state, sum FROM " PG_MOVE_TABLE
					  " WHERE name = ''", NULL, 0, err);

	if (result == NULL)
		return false;
	bool is_there = PQntuples(result) == 1;
	bool is_same = is_there && strcmp(PQgetvalue(result, 0, 1), source) == 0;
	*done = is_there && read_number(result, 0, 0) == PG_MOVE_DONE;
	PQclear(result);
	if (is_same)
		return true;
	if (*done)
		return error_set(err, ERROR_CONFLICT,
				 "a data folder was moved into the database already; it was another "
				 "one, or has been used since");
	return error_set(err, ERROR_CONFLICT,
			 "the move into the database was begun from another data folder, or that has "
			 "been used since: give an empty database");
}

/* --- the end --------------------------------------------------------------------------------- */

/* Where the next number comes from. */
static bool set_sequence(struct move *move, const char *table, const char *column,
			 struct error *err)
{
	struct str sql = arena_format(move->arena,
				      "SELECT setval(pg_get_serial_sequence('\"%s\"', '%s'),"
				      " greatest(max(\"%s\"), 1), max(\"%s\") IS NOT NULL) FROM \"%s\"",
				      table, column, column, column, table);

	return move_do(move, sql.data, err);
}

static bool set_sequences(struct move *move, struct error *err)
{
	PGresult *result = move_ask(
		move,
		"SELECT c.relname, a.attname FROM pg_class AS c"
		" JOIN pg_namespace AS n ON n.oid = c.relnamespace AND n.nspname = current_schema()"
		" JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attidentity <> ''"
		" WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition",
		NULL, 0, err);
	bool ok = result != NULL;

	for (int i = 0; ok && i < PQntuples(result); i++)
		ok = set_sequence(move, PQgetvalue(result, i, 0), PQgetvalue(result, i, 1), err);
	PQclear(result);
	return ok;
}

static bool do_finish(struct move *move, struct error *err)
{
	const struct store_move_options *options = move->options;

	if (options->finish == NULL)
		return true;
	PGresult *result = move_ask(move, options->finish, &options->finish_text, 1, err);
	PQclear(result);
	return result != NULL;
}

/* One transaction, after which the database may be opened. */
static bool finish(struct move *move, struct error *err)
{
	if (!move_do(move, "BEGIN", err) ||
	    !move_do(move, "SET LOCAL synchronous_commit = on", err) ||
	    !change_tables(move, "ENABLE TRIGGER USER", err) ||
	    !change_tables(move, "FORCE ROW LEVEL SECURITY", err) || !set_sequences(move, err))
		return false;
	for (size_t i = 0; i < move->options->derived_count; i++)
		if (!move_do(move, move->options->derived[i].rebuild, err))
			return false;
	if (!do_finish(move, err))
		return false;
	/* What is known of the tables for the planner, which otherwise learns it in a minute. */
	return move_do(move, "ANALYZE", err) &&
	       move_do(move, "UPDATE " PG_MOVE_TABLE " SET state = 2 WHERE name = ''", err) &&
	       move_do(move, "COMMIT", err);
}

/* --- all of it ------------------------------------------------------------------------------- */

static bool move_tables(struct move *move, struct error *err)
{
	for (size_t i = 0; i < move->table_count; i++)
		if (move->tables[i]->state == PG_MOVE_COPYING &&
		    !move_copy(move, move->tables[i], err))
			return false;
	for (size_t i = 0; i < move->table_count; i++)
		if (move->tables[i]->state != PG_MOVE_DONE &&
		    !move_compare(move, move->tables[i], err))
			return false;
	return finish(move, err);
}

static bool run(struct move *move, const char *source, struct error *err)
{
	const struct store_options *store = move->options->store;
	bool done;

	if (!check_source(move, err) || !take_target(move, err) ||
	    !pg_migrate_to_move(store->database, store, source, err) ||
	    !read_mark(move, source, &done, err) || !move_plan(move, err) ||
	    !read_notes(move, err))
		return false;
	return done || (change_tables(move, "DISABLE TRIGGER USER", err) &&
			change_tables(move, "NO FORCE ROW LEVEL SECURITY", err) &&
			move_tables(move, err));
}

static bool open_source(struct move *move, char source[SOURCE_LEN], struct error *err)
{
	char path[PATH_MAX];
	const char *folder = move->options->store->folder;

	if (snprintf(path, sizeof path, "%s/tenon.db", folder) >= (int)sizeof path)
		return error_set(err, ERROR_INVALID, "the data folder's path is too long");
	return describe_source(path, source, err) &&
	       connection_open(&move->source, path, NULL, false, err);
}

static bool run_locked(struct move *move, struct error *err)
{
	char source[SOURCE_LEN];

	if (!open_source(move, source, err))
		return false;
	bool ok = run(move, source, err);
	if (move->link != NULL)
		pg_link_close(move->link);
	/* Its statements are of texts in the arena. */
	connection_close(&move->source);
	return ok;
}

bool store_move(const struct store_move_options *options, struct arena *arena,
		struct store_moved_table **tables, size_t *count, struct error *err)
{
	struct move move = {.options = options, .arena = arena};
	struct stat folder;

	/* Taking the lock would make it. */
	if (stat(options->store->folder, &folder) != 0)
		return error_set(err, ERROR_NOT_FOUND, "there is no data folder %s",
				 options->store->folder);
	int lock = folder_lock(options->store->folder, err);
	if (lock < 0)
		return false;
	bool ok = run_locked(&move, err);
	folder_unlock(lock);
	*tables = arena_array(arena, move.table_count + 1, sizeof **tables);
	*count = move.table_count;
	for (size_t i = 0; i < move.table_count; i++)
		(*tables)[i] = move.tables[i]->moved;
	return ok;
}
