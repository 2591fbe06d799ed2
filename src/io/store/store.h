/* The one door to what is kept: SQL texts with parameters, the same for each engine behind it.
 * This room knows no table.
 *
 * SQLite: one process owns the data folder (a lock file), one writer thread alone commits and
 * checkpoints, what has queued up is one transaction (group commit, synchronous=FULL), readers
 * are read-only.
 * PostgreSQL: several processes, each with a data folder for its keys; every worker has a few
 * connections; a write is one transaction in one round trip (READ COMMITTED), so that what must
 * not be written twice at once says so by its `changes_expected` or a constraint. What a process
 * remembers of rows it must forget when it hears of their change (store_hear).
 *
 * SQL texts are SQLite's, in so far as PostgreSQL can be taught them: ?1 is a parameter, x'00' is
 * bytes, and iif(), ifnull(), instr(), max(a, b), min(a, b), json_each() and json_extract() are
 * made there (db/postgresql/functions.sql). Where that is not enough a text has both, in one
 * literal: STORE_TEXTS(of SQLite, of PostgreSQL).
 *
 * A write is a list of statements that are done together or not at all. The calling fiber waits
 * for the commit; when store_write() returns true, the rows are on the disk. */
#ifndef IO_STORE_STORE_H
#define IO_STORE_STORE_H

#include "base/disk.h"
#include "io/loop/loop.h"

struct store;

enum store_type { STORE_NULL, STORE_INT, STORE_TEXT, STORE_BLOB };

struct store_value {
	enum store_type type;
	int64_t integer;
	struct str bytes; /* text or blob */
};

static inline struct store_value store_null(void)
{
	return (struct store_value){.type = STORE_NULL};
}
static inline struct store_value store_int(int64_t integer)
{
	return (struct store_value){.type = STORE_INT, .integer = integer};
}
static inline struct store_value store_text(struct str text)
{
	return (struct store_value){.type = STORE_TEXT, .bytes = text};
}
static inline struct store_value store_blob(struct str bytes)
{
	return (struct store_value){.type = STORE_BLOB, .bytes = bytes};
}

#define STORE_TEXTS(sqlite, postgresql) sqlite " -- postgresql: " postgresql

struct store_rows {
	size_t count;
	size_t columns;
	const struct store_value *values; /* count * columns, row by row */
};
static inline const struct store_value *store_cell(const struct store_rows *rows, size_t row,
						   size_t column)
{
	return &rows->values[row * rows->columns + column];
}

/* Parameters are written ?1, ?2 … in the SQL text, which must be a literal (prepared statements
 * are kept by its address). */
struct store_statement {
	const char *sql;
	const struct store_value *parameters;
	size_t parameter_count;
	/* When >= 0 the statement must change exactly so many rows, else the whole write is undone
	 * and answers ERROR_CONFLICT (a lost race, a missing row). */
	int64_t changes_expected;
	bool is_news; /* who watches the store is told once it is committed */
};
/* A statement that outlives `values`: they are copied into the arena (their bytes are not). */
struct store_statement store_keep(struct arena *arena, const char *sql,
				  const struct store_value *values, size_t count,
				  int64_t changes_expected);

struct store_migration {
	const char *name; /* "0001_first" */
	const char *sql;  /* several statements */
	const char *postgresql; /* the same for PostgreSQL */
	/* A program that knows so many of the migrations may run on PostgreSQL beside one that has
	 * this one, too; 0: only one that has it. */
	size_t runs_with;
	/* `postgresql` is a question whose rows are statements. Each is done by itself, outside of
	 * a transaction, until no row is left; what is killed between two of them goes on there. */
	bool is_beside;
};

struct store_view {
	const char *name;
	const char *sql; /* CREATE VIEW "name" AS ..., no semicolon */
};

struct store_options {
	const char *folder; /* made when missing, mode 0700; nobody else may write to it */
	/* NULL: SQLite, in the folder. Else PostgreSQL: a connection URL or string as libpq takes
	 * it (https://www.postgresql.org/docs/15/libpq-connect.html#LIBPQ-CONNSTRING). */
	const char *database;
	const char *functions; /* PostgreSQL: made anew where their text differs; NULL: none */
	size_t connections_max; /* PostgreSQL: of one worker; 0: 8 */
	const struct store_migration *migrations; /* in order; only appended to, never changed */
	size_t migration_count;
	/* Told of each that is applied, after its commit; NULL: nobody is. */
	void (*tell_applied)(void *context, const char *migration);
	void *tell_context;
	/* The views that there are; others are dropped. Made anew where their text differs. */
	const struct store_view *views;
	size_t view_count;
	size_t rows_max;    /* of one query; 0: 100,000 */
	/* Writes that wait: for SQLite's writer, or later writes to PostgreSQL; past it
	 * ERROR_UNAVAILABLE; 0: 10,000. */
	size_t queue_max;
	const char *vfs;    /* name of the file layer registered with SQLite; NULL: the system's */
	/* For simulations: no thread, no folder and no lock. What is queued is committed by the
	 * calling loop a moment later (outside of loops: at once), and the file layer makes its
	 * files itself. */
	bool is_inline;
};

/* Takes the folder's lock (ERROR_CONFLICT, naming the owner's process id, when another process
 * has it), opens the database, applies what is missing of the migrations in one transaction
 * each (ERROR_CONFLICT when the database is of a newer version or an applied one differs),
 * starts the writer thread. */
struct store *store_open(const struct store_options *options, struct error *err) MUST_CHECK;
/* Commits what is queued, checkpoints, ends the writer, gives the lock back. NULL is accepted. */
void store_close(struct store *store);

/* How many of the migrations the database has (the first ones; none where there is no database).
 * Changes nothing and takes no lock. Of the options' only what names the database and its
 * migrations is read. ERROR_CONFLICT as store_open() has it. */
bool store_look(const struct store_options *options, size_t *applied,
		struct error *err) MUST_CHECK;
/* Applies what is missing as store_open() does (functions and views, too), and no more: in a data
 * folder that nobody uses, in PostgreSQL also beside those who do. */
bool store_migrate(const struct store_options *options, struct error *err) MUST_CHECK;

/* --- whose rows ------------------------------------------------------------------------------ */

/* Rows belong to environments, and PostgreSQL shows and takes only those of the one that the
 * calling fiber works for (db/postgresql/0020_tenancy.sql): a text that forgets to name the
 * environment finds nothing of another's. Each fiber begins with none, but for those of a group
 * (loop_group_spawn), and so does each thread; without one nothing is asked at all
 * (ERROR_INTERNAL). SQLite leaves all to the texts. What the functions give back is what it was
 * before. */
struct store_scope {
	char text[LOOP_SCOPE_BYTES];
};
/* From now on for this environment, of which the caller is sure: who calls has shown that he may,
 * or the work was taken from a row of it. */
struct store_scope store_enter(struct str environment);
/* From now on for all environments: who calls is still to be found out, or the work is not one
 * environment's. */
struct store_scope store_enter_all(void);
/* As it was before. */
void store_leave(const struct store_scope *before);

/* --- reading and writing --------------------------------------------------------------------- */

/* Reads. SQLite: on the calling thread, on a read-only connection of that thread's own. PostgreSQL:
 * in a fiber it suspends, so no lock may be held meanwhile. Rows live in the
 * arena. A write that store_write() acknowledged is seen. ERROR_LIMIT past rows_max. */
bool store_query(struct store *store, struct arena *arena, const char *sql,
		 const struct store_value *parameters, size_t parameter_count,
		 struct store_rows *rows, struct error *err) MUST_CHECK;

/* Does the statements in one transaction. In a fiber: suspends it until the commit; outside of
 * fibers: blocks the thread. ERROR_CONFLICT (also for a broken constraint), ERROR_UNAVAILABLE
 * (disk full, closing, queue full): then nothing of it was done. (Only when the disk fails while
 * it syncs and the machine stops right after may it be there again at the next start.) */
bool store_write(struct store *store, const struct store_statement *statements, size_t count,
		 struct error *err) MUST_CHECK;

/* One statement which changes something and gives rows back (RETURNING), as store_write() else; the
 * rows live in the arena. */
bool store_change(struct store *store, struct arena *arena,
		  const struct store_statement *statement, struct store_rows *rows,
		  struct error *err) MUST_CHECK;

/* store_query(), store_write() and store_change() for all environments, whomever the fiber works
 * for. */
bool store_query_all(struct store *store, struct arena *arena, const char *sql,
		     const struct store_value *parameters, size_t parameter_count,
		     struct store_rows *rows, struct error *err) MUST_CHECK;
bool store_write_all(struct store *store, const struct store_statement *statements, size_t count,
		     struct error *err) MUST_CHECK;
bool store_change_all(struct store *store, struct arena *arena,
		      const struct store_statement *statement, struct store_rows *rows,
		      struct error *err) MUST_CHECK;

/* Queues one statement (its bytes are copied) and does not wait: for what may be lost, such as
 * "last used at". It is done for whom the caller works for now. A failure later is logged. False when the queue is full or closing. */
bool store_write_later(struct store *store, const struct store_statement *statement,
		       struct error *err) MUST_CHECK;

/* A consistent copy into a new file (mode 0600), while everything runs. ERROR_CONFLICT when the
 * file exists. In a fiber: suspends it. */
bool store_backup(struct store *store, const char *path, struct error *err) MUST_CHECK;

/* From now on `tell` is called after each commit with a statement in it that is news: on the
 * store's own thread, and before the writers' fibers go on. It must not wait. One watcher, set
 * before other threads use the store. */
void store_watch(struct store *store, void (*tell)(void *context), void *context);

/* PostgreSQL: what other processes have changed is told by the database's triggers ("TABLE KEY"),
 * within milliseconds; empty: anything may have changed, as nobody listened for a while. On the
 * store's own thread, which must not be held up long. One hearer, set before other threads use
 * the store. SQLite has one process: nothing is told. */
void store_hear(struct store *store, void (*hear)(void *context, struct str what), void *context);
/* False while what others changed more than a second ago may not have been heard yet: what is
 * remembered of rows is not to be trusted then. */
bool store_is_current(const struct store *store);

/* --- from SQLite to PostgreSQL --------------------------------------------------------------- */

/* A table whose rows follow from those of others: it is not moved. */
struct store_derived {
	const char *table;
	const char *rebuild; /* done last, in PostgreSQL's words */
};

struct store_moved_table {
	const char *name;
	int64_t rows;
	char sum[65]; /* SHA-256 of all rows in the order of their keys, in hex */
};

struct store_move_options {
	const struct store_options *store; /* folder, database, functions, migrations */
	const struct store_derived *derived;
	size_t derived_count;
	/* Done after all rebuilding, in PostgreSQL's words, with one text as $1; NULL: nothing. */
	const char *finish;
	const char *finish_text;
	int64_t batch_rows; /* of one transaction at most; 0: 10,000 */
	/* Told after each batch, and when a table is compared (then it has a sum); NULL: nobody. */
	void (*tell)(void *context, const struct store_moved_table *table);
	void *tell_context;
};

/* Copies all tables of the folder's SQLite database into an empty PostgreSQL database. It goes on
 * where an earlier call was broken off, however that was. At the end each table is read again from
 * both; only when all are equal the database may be opened. Nothing in the folder is changed.
 * ERROR_CONFLICT: the folder is in use, or has been since the move began, or was not brought up to
 * date; the database is not empty; a table differs. ERROR_NOT_FOUND: no such folder. The tables are
 * in the arena. */
bool store_move(const struct store_move_options *options, struct arena *arena,
		struct store_moved_table **tables, size_t *count, struct error *err) MUST_CHECK;

enum { STORE_BUCKETS = 9 };
extern const double store_bucket_bounds_ms[STORE_BUCKETS - 1]; /* the last bucket has no bound */
struct store_counts {
	uint64_t commits;      /* transactions of the engine */
	uint64_t writes;       /* calls of store_write() done by them */
	uint64_t queries;
	uint64_t queue_length; /* now */
	uint64_t failures;     /* queries and writes that were not done: the store was not there */
	/* How long calls of store_write() took that were done. */
	uint64_t buckets[STORE_BUCKETS];
	uint64_t duration_us;
	/* PostgreSQL: connections of the workers, and how often and how long one was waited for. */
	size_t connections;
	size_t connections_busy;
	uint64_t waits;
	uint64_t wait_us;
};
void store_count(struct store *store, struct store_counts *counts);
bool store_is_postgresql(const struct store *store);
/* PostgreSQL: whether its role is bound to environments as said above. A superuser is not, nor who
 * has BYPASSRLS. SQLite: true, there is nothing of the kind. */
bool store_is_bound(const struct store *store);

#endif
