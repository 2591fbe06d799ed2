/* Views: texts that the program makes anew with each version of itself, unlike tables, which its
 * migrations change. */
#include "io/store/migration.h"

#include <stdlib.h>

static bool is_wanted(const struct store_options *options, const char *name, const char *sql)
{
	for (size_t i = 0; i < options->view_count; i++)
		if (strcmp(options->views[i].name, name) == 0)
			return strcmp(options->views[i].sql, sql) == 0;
	return false;
}

static bool drop(struct connection *connection, const char *name, struct error *err)
{
	char *sql = sqlite3_mprintf("DROP VIEW \"%w\"", name);
	bool ok = sql != NULL ? connection_run(connection, sql, err)
			      : error_set(err, ERROR_UNAVAILABLE, "no memory for a view");

	sqlite3_free(sql);
	return ok;
}

/* The name of one that the program does not make, or not so; NULL (and ok) when there is none. */
static char *find_unwanted(struct connection *connection, const struct store_options *options,
			   bool *ok, struct error *err)
{
	static const char sql[] = "SELECT name, sql FROM sqlite_schema WHERE type = 'view'";
	sqlite3_stmt *statement = connection_prepare(connection, sql, NULL, 0, err);
	char *found = NULL;
	int step = SQLITE_DONE;

	*ok = statement != NULL;
	if (!*ok)
		return NULL;
	while (found == NULL && (step = sqlite3_step(statement)) == SQLITE_ROW) {
		const char *name = (const char *)sqlite3_column_text(statement, 0);
		if (!is_wanted(options, name, (const char *)sqlite3_column_text(statement, 1)))
			found = strdup(name);
	}
	*ok = step == SQLITE_ROW || step == SQLITE_DONE || connection_fail(connection, err);
	connection_reset(connection, sql, statement);
	return found;
}

static bool drop_unwanted(struct connection *connection, const struct store_options *options,
			  struct error *err)
{
	char *name;
	bool ok;

	while ((name = find_unwanted(connection, options, &ok, err)) != NULL) {
		ok = drop(connection, name, err);
		free(name);
		if (!ok)
			return false;
	}
	return ok;
}

bool view_drop_all(struct connection *connection, struct error *err)
{
	const struct store_options none = {0};

	return drop_unwanted(connection, &none, err);
}

static bool exists(struct connection *connection, const char *name, bool *is_there,
		   struct error *err)
{
	static const char sql[] =
		"SELECT 1 FROM sqlite_schema WHERE type = 'view' AND name = ?1";
	struct store_value value = store_text(str_from_c(name));
	sqlite3_stmt *statement = connection_prepare(connection, sql, &value, 1, err);

	if (statement == NULL)
		return false;
	int step = sqlite3_step(statement);
	*is_there = step == SQLITE_ROW;
	bool ok = step == SQLITE_ROW || step == SQLITE_DONE || connection_fail(connection, err);
	connection_reset(connection, sql, statement);
	return ok;
}

static bool create_missing(struct connection *connection, const struct store_options *options,
			   struct error *err)
{
	struct error why;

	for (size_t i = 0; i < options->view_count; i++) {
		const struct store_view *view = &options->views[i];
		bool is_there;

		if (!exists(connection, view->name, &is_there, err))
			return false;
		if (!is_there && !connection_run(connection, view->sql, &why))
			return error_set(err, why.code, "the view %s cannot be made: %s",
					 view->name, why.message);
	}
	return true;
}

bool view_apply(struct connection *connection, const struct store_options *options,
		struct error *err)
{
	bool ok = connection_run(connection, "BEGIN IMMEDIATE", err) &&
		  drop_unwanted(connection, options, err) &&
		  create_missing(connection, options, err) &&
		  connection_run(connection, "COMMIT", err);

	if (!ok && !sqlite3_get_autocommit(connection->db))
		sqlite3_exec(connection->db, "ROLLBACK", NULL, NULL, NULL);
	return ok;
}
