#include "io/store/pg_migration.h"

#include <poll.h>

#include "base/buffer.h"
#include "base/log.h"

#include "io/store/migration_sum.h"
#include "io/store/pg_link.h"
#include "io/store/pg_value.h"

enum {
	CONNECT_MS = 10000,
	SCRIPT_BYTES_MAX = 4 * 1024 * 1024,
	ROWS_BYTES_MAX = 4 * 1024 * 1024,
	ROWS_MAX = 10000, /* migrations, views */
	LOCK_LOOK_MS = 20,
	LOCK_PAUSE_MS = 1000,
	LOCK_TRIES_MAX = 1800, /* an hour, about */
};
#define LOCK_TIMEOUT "'1s'" /* less than those of nodes */

/* Where it is noted which programs may run on the tables: a number, see find_oldest(). */
#define OLDEST "-1"

/* Held by whoever migrates; freed when the connection ends, however it does. Who waited for it
 * within a question would be waited for by CREATE INDEX CONCURRENTLY. */
#define TURN "SELECT CAST(pg_try_advisory_lock(1952804464) AS INTEGER)"
/* "teno": what programs that do not know of TURN wait for, within a question. So it is held while
 * there is a transaction that changes the schema. */
#define LOCK "SELECT pg_advisory_lock(1952804463)"
#define UNLOCK "SELECT pg_advisory_unlock(1952804463)"

struct migrating {
	struct pg_link *link;
	struct arena arena;
	const struct store_options *options;
	const char *source;	/* of a move into this database; NULL: nobody moves */
	bool may_be_older;	/* than what has made the tables */
	struct store_rows rows; /* of the last question */
};

static bool take(void *context, size_t index, const PGresult *result, struct error *err)
{
	struct migrating *migrating = context;

	(void)index;
	return pg_value_rows(&migrating->arena, result, ROWS_MAX, &migrating->rows, err);
}

static bool ask(struct migrating *migrating, const char *sql, const struct store_value *parameters,
		size_t count, struct error *err)
{
	struct pg_command command = {sql, parameters, count, -1};
	bool again;

	return pg_link_run(migrating->link, STORE_SCOPE_ALL, &command, 1, take, migrating, &again,
			   err);
}

/* Of what was answered so far nothing is read any more. */
static void let_go(struct migrating *migrating)
{
	arena_finish(&migrating->arena);
	arena_init(&migrating->arena, ROWS_BYTES_MAX);
}

static struct str cell(const struct migrating *migrating, size_t row, size_t column)
{
	return store_cell(&migrating->rows, row, column)->bytes;
}

/* --- tables ---------------------------------------------------------------------------------- */

static bool has_table(struct migrating *migrating, const char *name, bool *is_there,
		      struct error *err)
{
	const struct store_value parameter = store_text(str_from_c(name));

	if (!ask(migrating, "SELECT count(*) FROM pg_tables WHERE schemaname = current_schema()"
			    " AND (?1 = '' OR tablename = ?1)", &parameter, 1, err))
		return false;
	*is_there = store_cell(&migrating->rows, 0, 0)->integer > 0;
	return true;
}

/* What a move has begun only that move goes on with. */
static bool check_move(struct migrating *migrating, struct error *err)
{
	bool is_there;

	if (!has_table(migrating, PG_MOVE_TABLE, &is_there, err))
		return false;
	if (migrating->source != NULL)
		return is_there ||
		       error_set(err, ERROR_CONFLICT,
				 "the database has tables already; a move wants an empty one");
	if (!is_there)
		return true;
	if (!ask(migrating, "SELECT state FROM " PG_MOVE_TABLE " WHERE name = ''", NULL, 0, err))
		return false;
	return (migrating->rows.count == 1 &&
		store_cell(&migrating->rows, 0, 0)->integer == PG_MOVE_DONE) ||
	       error_set(err, ERROR_CONFLICT,
			 "a data folder is being moved into the database, and not all of it is there "
			 "yet: run `tenon move` again until it is done, or give an empty database");
}

static bool make_tables(struct migrating *migrating, struct error *err)
{
	struct buffer script;

	buffer_init(&script, &migrating->arena, SCRIPT_BYTES_MAX);
	buffer_append_c(&script, "BEGIN; CREATE TABLE store_migration (position BIGINT PRIMARY KEY,"
				 " name TEXT NOT NULL, checksum TEXT NOT NULL);");
	if (migrating->source != NULL)
		buffer_append_format(&script,
				     "CREATE TABLE " PG_MOVE_TABLE " (name TEXT PRIMARY KEY,"
				     " state BIGINT NOT NULL, after BYTEA, row_count BIGINT NOT NULL,"
				     " sum TEXT NOT NULL);"
				     "INSERT INTO " PG_MOVE_TABLE " VALUES ('', %d, NULL, 0, '%s');",
				     PG_MOVE_COPYING, migrating->source);
	buffer_append_format(&script, "COMMIT%c", '\0');
	return pg_link_script(migrating->link, script.data, err);
}

/* Whether there is anything of ours yet, which is fit for what is meant. */
static bool is_begun(struct migrating *migrating, bool *begun, struct error *err)
{
	bool has_tables;

	if (!has_table(migrating, "store_migration", begun, err))
		return false;
	if (*begun)
		return check_move(migrating, err);
	if (!has_table(migrating, "", &has_tables, err))
		return false;
	return !has_tables || error_set(err, ERROR_CONFLICT,
					"the database has tables that tenon did not make; give it "
					"one of its own");
}

static bool prepare_table(struct migrating *migrating, struct error *err)
{
	bool begun;

	return is_begun(migrating, &begun, err) && (begun || make_tables(migrating, err));
}

/* The program with the fewest migrations that may run on what the first `count` make. */
static size_t find_oldest(const struct store_options *options, size_t count)
{
	size_t oldest = 0;

	for (size_t i = 0; i < count; i++) {
		size_t least = options->migrations[i].runs_with;

		if (least == 0)
			least = i + 1;
		if (least > oldest)
			oldest = least;
	}
	return oldest;
}

/* Who waits for a table has all behind him that come later, nodes that run among them: so he waits
 * for a moment only, and comes again, while others (a backup) have it for long. */
static bool run_patiently(struct pg_link *link, const char *script, struct error *err)
{
	struct error ignored;

	for (int tries = 1;; tries++) {
		if (pg_link_script(link, script, err))
			return true;
		if (link->is_broken)
			return false;
		(void)!pg_link_script(link, "ROLLBACK", &ignored);
		if (err->code != ERROR_UNAVAILABLE || tries == LOCK_TRIES_MAX)
			return false;
		if (tries == 1)
			LOG(LOG_WARNING, "migration_waits", LOG_C(error, err->message));
		poll(NULL, 0, LOCK_PAUSE_MS);
	}
}

/* As a part of a script: no quote may stand in them. */
static bool apply(struct migrating *migrating, const struct store_migration *migration,
		  size_t position, const char *sum, struct error *err)
{
	struct buffer script;
	struct error why;

	buffer_init(&script, &migrating->arena, SCRIPT_BYTES_MAX);
	buffer_append_c(&script, "BEGIN; SET LOCAL statement_timeout = 0;"
				 "SET LOCAL lock_timeout = " LOCK_TIMEOUT ";");
	buffer_append_c(&script, migration->postgresql);
	buffer_append_format(&script,
			     ";INSERT INTO store_migration (position, name, checksum)"
			     " VALUES (%zu, '%s', '%s'), (" OLDEST ", 'oldest', '%zu')"
			     " ON CONFLICT (position) DO UPDATE SET checksum = excluded.checksum"
			     " WHERE excluded.position = " OLDEST "; COMMIT%c",
			     position, migration->name, sum,
			     find_oldest(migrating->options, position), '\0');
	if (!buffer_check(&script, "a migration", err))
		return false;
	if (run_patiently(migrating->link, script.data, &why))
		return true;
	return error_set(err, why.code, "the migration %s failed and was undone: %s",
			 migration->name, why.message);
}

/* --- beside what runs ------------------------------------------------------------------------ */

static bool do_each(struct migrating *migrating, struct error *err)
{
	for (size_t i = 0; i < migrating->rows.count; i++) {
		char *sql = arena_c(&migrating->arena, cell(migrating, i, 0));

		if (!pg_link_script(migrating->link, sql, err))
			return false;
	}
	return true;
}

static bool do_all(struct migrating *migrating, const char *question, struct error *err)
{
	char before[MIGRATION_SUM_LEN + 1] = "", now[MIGRATION_SUM_LEN + 1];

	for (;;) {
		let_go(migrating);
		if (!ask(migrating, question, NULL, 0, err))
			return false;
		if (migrating->rows.count == 0)
			return true;
		migration_sum(arena_c(&migrating->arena, cell(migrating, 0, 0)), now);
		if (strcmp(now, before) == 0)
			return error_set(err, ERROR_INTERNAL, "it does not come to an end");
		memcpy(before, now, sizeof now);
		if (!do_each(migrating, err))
			return false;
	}
}

static bool apply_beside(struct migrating *migrating, const struct store_migration *migration,
			 size_t position, const char *sum, struct error *err)
{
	/* That it is done is noted as of one that does nothing else. */
	const struct store_migration done = {.name = migration->name, .postgresql = ""};
	struct error why;

	if (ask(migrating, UNLOCK, NULL, 0, &why) &&
	    do_all(migrating, migration->postgresql, &why) && ask(migrating, LOCK, NULL, 0, &why))
		return apply(migrating, &done, position, sum, err);
	return error_set(err, why.code, "the migration %s is not done to its end: %s",
			 migration->name, why.message);
}

/* --- all of them ----------------------------------------------------------------------------- */

static bool check_applied(const struct migrating *migrating, const char *name, const char *sum,
			  size_t row, struct error *err)
{
	if (str_equal_c(cell(migrating, row, 0), name) && str_equal_c(cell(migrating, row, 1), sum))
		return true;
	return error_set(err, ERROR_CONFLICT,
			 "the database was made with another migration %zu (%.*s) than this "
			 "program's %s; start the version of tenon that made it",
			 row + 1, STR_ARGS(cell(migrating, row, 0)), name);
}

/* A newer program has made the tables, and has noted that this one may run on them. */
static bool check_oldest(struct migrating *migrating, size_t applied, struct error *err)
{
	size_t count = migrating->options->migration_count;
	int64_t oldest;

	if (!ask(migrating, "SELECT checksum FROM store_migration WHERE position = " OLDEST, NULL, 0,
		 err))
		return false;
	return (migrating->may_be_older && migrating->rows.count == 1 &&
		str_to_int64(cell(migrating, 0, 0), &oldest) && oldest <= (int64_t)count) ||
	       error_set(err, ERROR_CONFLICT,
			 "the database was made by a newer tenon (it has migration %zu, this program "
			 "knows %zu); start that version, or restore a backup",
			 applied, count);
}

/* How many there are, and that those which the program knows are its own. */
static bool check_all_applied(struct migrating *migrating, size_t *applied, struct error *err)
{
	const struct store_options *options = migrating->options;

	if (!ask(migrating, "SELECT name, checksum FROM store_migration WHERE position > 0"
			    " ORDER BY position", NULL, 0, err))
		return false;
	*applied = migrating->rows.count;
	for (size_t i = 0; i < *applied && i < options->migration_count; i++) {
		char sum[MIGRATION_SUM_LEN + 1];
		migration_sum(options->migrations[i].postgresql, sum);
		if (!check_applied(migrating, options->migrations[i].name, sum, i, err))
			return false;
	}
	return *applied <= options->migration_count || check_oldest(migrating, *applied, err);
}

static bool apply_missing(struct migrating *migrating, size_t applied, struct error *err)
{
	const struct store_options *options = migrating->options;

	for (size_t i = applied; i < options->migration_count; i++) {
		const struct store_migration *migration = &options->migrations[i];
		char sum[MIGRATION_SUM_LEN + 1];
		migration_sum(migration->postgresql, sum);
		if (!(migration->is_beside ? apply_beside : apply)(migrating, migration, i + 1, sum,
								   err))
			return false;
		if (options->tell_applied != NULL)
			options->tell_applied(options->tell_context, migration->name);
	}
	return true;
}

/* --- functions and views --------------------------------------------------------------------- */

static bool make_functions(struct migrating *migrating, struct error *err)
{
	const char *functions = migrating->options->functions;
	char sum[MIGRATION_SUM_LEN + 1];
	struct buffer script;

	if (functions == NULL)
		return true;
	migration_sum(functions, sum);
	struct store_value parameter = store_text(str_from_c(sum));
	if (!ask(migrating, "SELECT 1 FROM store_migration WHERE position = 0 AND checksum = ?1",
		 &parameter, 1, err))
		return false;
	if (migrating->rows.count > 0)
		return true;
	buffer_init(&script, &migrating->arena, SCRIPT_BYTES_MAX);
	buffer_append_format(&script,
			     "BEGIN; %s; INSERT INTO store_migration (position, name, checksum)"
			     " VALUES (0, 'functions', '%s') ON CONFLICT (position) DO UPDATE"
			     " SET checksum = excluded.checksum; COMMIT%c",
			     functions, sum, '\0');
	return buffer_check(&script, "the functions", err) &&
	       pg_link_script(migrating->link, script.data, err);
}

/* Who analyses reads the views and nothing else, by this role where somebody has made it. One that
 * is made anew has lost what was granted on it. */
static const char let_read[] =
	"DO $$ DECLARE view name; BEGIN"
	" IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'tenon_reader') THEN RETURN; END IF;"
	" FOR view IN SELECT c.relname FROM pg_class c WHERE c.relkind = 'v'"
	" AND c.relnamespace = current_schema()::regnamespace"
	" AND NOT has_table_privilege('tenon_reader', c.oid, 'SELECT') LOOP"
	" EXECUTE format('GRANT SELECT ON %I TO tenon_reader', view); END LOOP; END $$;";

/* Each view's comment is its text's checksum: made anew where that differs, dropped where none is
 * meant to be. */
static bool list_views(struct migrating *migrating, struct error *err)
{
	return ask(migrating,
		   "SELECT c.relname, coalesce(obj_description(c.oid, 'pg_class'), '') FROM pg_class c"
		   " JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind = 'v'"
		   " AND n.nspname = current_schema()", NULL, 0, err);
}

static bool has_view(const struct migrating *migrating, const char *name, const char *sum)
{
	for (size_t i = 0; i < migrating->rows.count; i++)
		if (str_equal_c(cell(migrating, i, 0), name))
			return str_equal_c(cell(migrating, i, 1), sum);
	return false;
}

static bool is_meant(const struct migrating *migrating, struct str name)
{
	for (size_t i = 0; i < migrating->options->view_count; i++)
		if (str_equal_c(name, migrating->options->views[i].name))
			return true;
	return false;
}

static bool make_views(struct migrating *migrating, struct error *err)
{
	struct buffer script;

	if (!list_views(migrating, err))
		return false;
	buffer_init(&script, &migrating->arena, SCRIPT_BYTES_MAX);
	buffer_append_c(&script, "BEGIN;");
	for (size_t i = 0; i < migrating->rows.count; i++)
		if (!is_meant(migrating, cell(migrating, i, 0)))
			buffer_append_format(&script, "DROP VIEW \"%.*s\";",
					     STR_ARGS(cell(migrating, i, 0)));
	for (size_t i = 0; i < migrating->options->view_count; i++) {
		const struct store_view *view = &migrating->options->views[i];
		char sum[MIGRATION_SUM_LEN + 1];
		migration_sum(view->sql, sum);
		if (!has_view(migrating, view->name, sum))
			buffer_append_format(&script,
					     "DROP VIEW IF EXISTS \"%s\"; %s;"
					     "COMMENT ON VIEW \"%s\" IS '%s';",
					     view->name, view->sql, view->name, sum);
	}
	buffer_append_c(&script, let_read);
	buffer_append_format(&script, "COMMIT%c", '\0');
	return buffer_check(&script, "the views", err) &&
	       pg_link_script(migrating->link, script.data, err);
}

/* A table that a view reads cannot be changed. */
static bool drop_views(struct migrating *migrating, struct error *err)
{
	const struct store_options none = {0};
	const struct store_options *options = migrating->options;

	migrating->options = &none;
	bool ok = make_views(migrating, err);
	migrating->options = options;
	return ok;
}

static bool lock(struct migrating *migrating, struct error *err)
{
	for (;;) {
		if (!ask(migrating, TURN, NULL, 0, err))
			return false;
		if (store_cell(&migrating->rows, 0, 0)->integer != 0)
			return ask(migrating, LOCK, NULL, 0, err);
		let_go(migrating);
		poll(NULL, 0, LOCK_LOOK_MS);
	}
}

/* What the database has is looked at first: an older program does not touch a newer one's. */
static bool migrate(struct migrating *migrating, struct error *err)
{
	size_t applied;

	if (!pg_link_script(migrating->link, "SET lock_timeout = 0; SET statement_timeout = 0;"
					   PG_SEE_ALL, err) ||
	    !lock(migrating, err) || !prepare_table(migrating, err) ||
	    !check_all_applied(migrating, &applied, err))
		return false;
	/* Functions and views are the newer program's as well. */
	if (applied > migrating->options->migration_count) {
		LOG(LOG_WARNING, "database_is_newer", LOG_N(count, (int64_t)applied));
		return true;
	}
	return (applied == migrating->options->migration_count || drop_views(migrating, err)) &&
	       make_functions(migrating, err) && apply_missing(migrating, applied, err) &&
	       make_views(migrating, err);
}

static bool look(struct migrating *migrating, size_t *applied, struct error *err)
{
	bool begun;

	*applied = 0;
	return is_begun(migrating, &begun, err) &&
	       (!begun || check_all_applied(migrating, applied, err));
}

/* Looks when `applied` is given, else migrates. */
static bool run(const char *database, struct migrating *migrating, size_t *applied,
		struct error *err)
{
	migrating->link = pg_link_open(database, CONNECT_MS, err);
	if (migrating->link == NULL)
		return false;
	arena_init(&migrating->arena, ROWS_BYTES_MAX);
	bool ok = applied == NULL ? migrate(migrating, err) : look(migrating, applied, err);
	arena_finish(&migrating->arena);
	pg_link_close(migrating->link);
	return ok;
}

bool pg_migrate(const char *database, const struct store_options *options, struct error *err)
{
	struct migrating migrating = {.options = options, .may_be_older = true};

	return run(database, &migrating, NULL, err);
}

bool pg_migrate_to_move(const char *database, const struct store_options *options,
			const char *source, struct error *err)
{
	struct migrating migrating = {.options = options, .source = source};

	return run(database, &migrating, NULL, err);
}

bool pg_look(const struct store_options *options, size_t *applied, struct error *err)
{
	struct migrating migrating = {.options = options};

	return run(options->database, &migrating, applied, err);
}
