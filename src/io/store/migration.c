#include "io/store/migration.h"

#include "io/store/migration_sum.h"

enum {
	APPLICATION_ID = 0x74656e6f, /* "teno" in the file's head: what file(1) and we know it by */
};

static const char create_sql[] =
	"CREATE TABLE store_migration (position INTEGER PRIMARY KEY, name TEXT NOT NULL,"
	" checksum TEXT NOT NULL) STRICT;"
	"PRAGMA application_id = 1952804463;";
_Static_assert(APPLICATION_ID == 1952804463, "the number in create_sql");

static bool read_number(struct connection *connection, const char *sql, int64_t *number,
			struct error *err)
{
	sqlite3_stmt *statement = connection_prepare(connection, sql, NULL, 0, err);

	if (statement == NULL)
		return false;
	bool ok = sqlite3_step(statement) == SQLITE_ROW;
	if (ok)
		*number = sqlite3_column_int64(statement, 0);
	else
		connection_fail(connection, err);
	connection_reset(connection, sql, statement);
	return ok;
}

/* Whether there is anything of ours yet. */
static bool is_begun(struct connection *connection, bool *begun, struct error *err)
{
	int64_t id, tables;

	if (!read_number(connection, "PRAGMA application_id", &id, err) ||
	    !read_number(connection, "SELECT count(*) FROM sqlite_schema", &tables, err))
		return false;
	*begun = id == APPLICATION_ID;
	if (*begun || (id == 0 && tables == 0))
		return true;
	return error_set(err, ERROR_CONFLICT,
			 "the database was made by another program, not by tenon");
}

static bool prepare_table(struct connection *connection, struct error *err)
{
	bool begun;

	if (!is_begun(connection, &begun, err))
		return false;
	if (begun)
		return true;
	return connection_run(connection, "BEGIN IMMEDIATE", err) &&
	       connection_run(connection, create_sql, err) &&
	       connection_run(connection, "COMMIT", err);
}

/* Sets *found when the database has this migration, and checks that it is the same one. */
static bool check_applied(struct connection *connection, const struct store_migration *migration,
			  size_t position, bool *found, struct error *err)
{
	static const char sql[] = "SELECT name, checksum FROM store_migration WHERE position = ?1";
	struct store_value place = store_int((int64_t)position);
	char expected[MIGRATION_SUM_LEN + 1];
	sqlite3_stmt *statement = connection_prepare(connection, sql, &place, 1, err);

	if (statement == NULL)
		return false;
	int step = sqlite3_step(statement);
	bool ok = step == SQLITE_ROW || step == SQLITE_DONE;

	*found = step == SQLITE_ROW;
	migration_sum(migration->sql, expected);
	if (!ok) {
		connection_fail(connection, err);
	} else if (*found) {
		const char *name = (const char *)sqlite3_column_text(statement, 0);
		const char *sum = (const char *)sqlite3_column_text(statement, 1);
		if (strcmp(name, migration->name) != 0 || strcmp(sum, expected) != 0)
			ok = error_set(err, ERROR_CONFLICT,
				       "the database was made with another migration %zu (%s) than this "
				       "program's %s; start the version of tenon that made it",
				       position, name, migration->name);
	}
	connection_reset(connection, sql, statement);
	return ok;
}

static bool check_newer(struct connection *connection, size_t count, struct error *err)
{
	int64_t last;

	if (!read_number(connection, "SELECT coalesce(max(position), 0) FROM store_migration",
			 &last, err))
		return false;
	if (last <= (int64_t)count)
		return true;
	return error_set(err, ERROR_CONFLICT,
			 "the database was made by a newer tenon (it has migration %lld, this program "
			 "knows %zu); start that version, or restore a backup",
			 (long long)last, count);
}

static bool remember(struct connection *connection, const struct store_migration *migration,
		     size_t position, struct error *err)
{
	static const char sql[] =
		"INSERT INTO store_migration (position, name, checksum) VALUES (?1, ?2, ?3)";
	char sum[MIGRATION_SUM_LEN + 1];

	migration_sum(migration->sql, sum);
	struct store_value values[] = {
		store_int((int64_t)position),
		store_text(str_from_c(migration->name)),
		store_text(str_from_c(sum)),
	};
	sqlite3_stmt *statement = connection_prepare(connection, sql, values, 3, err);
	if (statement == NULL)
		return false;
	bool ok = sqlite3_step(statement) == SQLITE_DONE || connection_fail(connection, err);
	connection_reset(connection, sql, statement);
	return ok;
}

/* Foreign keys are off while tables may be rebuilt, so they are checked before the commit. */
static bool check_foreign_keys(struct connection *connection, struct error *err)
{
	static const char sql[] = "PRAGMA foreign_key_check";
	sqlite3_stmt *statement = connection_prepare(connection, sql, NULL, 0, err);

	if (statement == NULL)
		return false;
	int step = sqlite3_step(statement);
	bool ok = step == SQLITE_DONE;
	if (step == SQLITE_ROW)
		error_set(err, ERROR_CONFLICT, "it leaves rows of %s that point nowhere",
			  (const char *)sqlite3_column_text(statement, 0));
	else if (!ok)
		connection_fail(connection, err);
	connection_reset(connection, sql, statement);
	return ok;
}

static bool apply(struct connection *connection, const struct store_migration *migration,
		  size_t position, struct error *err)
{
	struct error why = {0};
	bool ok = connection_run(connection, "BEGIN IMMEDIATE", &why) &&
		  view_drop_all(connection, &why) &&
		  connection_run(connection, migration->sql, &why);

	if (ok && sqlite3_get_autocommit(connection->db))
		ok = error_set(&why, ERROR_CONFLICT, "it ends the transaction that it runs in");
	ok = ok && check_foreign_keys(connection, &why) &&
	     remember(connection, migration, position, &why) &&
	     connection_run(connection, "COMMIT", &why);
	if (ok)
		return true;
	if (!sqlite3_get_autocommit(connection->db))
		sqlite3_exec(connection->db, "ROLLBACK", NULL, NULL, NULL);
	return error_set(err, why.code, "the migration %s failed and was undone: %s",
			 migration->name, why.message);
}

bool migration_apply(struct connection *connection, const struct store_options *options,
		     struct error *err)
{
	if (!prepare_table(connection, err) ||
	    !check_newer(connection, options->migration_count, err) ||
	    !connection_run(connection, "PRAGMA foreign_keys=OFF", err))
		return false;
	for (size_t i = 0; i < options->migration_count; i++) {
		const struct store_migration *migration = &options->migrations[i];
		bool found;
		if (!check_applied(connection, migration, i + 1, &found, err))
			return false;
		if (found)
			continue;
		if (!apply(connection, migration, i + 1, err))
			return false;
		if (options->tell_applied != NULL)
			options->tell_applied(options->tell_context, migration->name);
	}
	return connection_run(connection, "PRAGMA foreign_keys=ON", err);
}

bool migration_count_applied(struct connection *connection, const struct store_options *options,
			     size_t *applied, struct error *err)
{
	bool begun, found = true;

	*applied = 0;
	if (!is_begun(connection, &begun, err))
		return false;
	if (!begun)
		return true;
	if (!check_newer(connection, options->migration_count, err))
		return false;
	while (*applied < options->migration_count) {
		if (!check_applied(connection, &options->migrations[*applied], *applied + 1, &found,
				   err))
			return false;
		if (!found)
			break;
		++*applied;
	}
	return true;
}
