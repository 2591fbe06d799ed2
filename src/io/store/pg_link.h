/* One connection to PostgreSQL, used by one fiber or thread at a time: libpq, never blocking, in
 * pipeline mode. In a fiber waiting suspends it; elsewhere it blocks the thread.
 * Private to the store. */
#ifndef IO_STORE_PG_LINK_H
#define IO_STORE_PG_LINK_H

#include <libpq-fe.h>

#include "io/store/engine.h"

enum { PG_STATEMENTS_MAX = 1024 }; /* a power of two */

struct pg_statement {
	const char *sql; /* the literal; NULL: free */
	char *text;      /* what it was when it was prepared */
	uint64_t types;  /* of its parameters, and whether it is checked */
	bool is_prepared;
};

struct pg_link {
	PGconn *conn;
	struct pg_link *next; /* in its pool's list of idle ones */
	struct loop *loop;    /* whose fibers use it; NULL: a thread does */
	struct loop_watch watch;
	uint32_t watched;
	struct loop_timer timer;
	struct loop_wait *waiting; /* NULL: nobody */
	bool is_used; /* by a fiber, which need not wait at the moment */
	bool is_late;
	bool is_broken; /* not to be used again */
	char scope[LOOP_SCOPE_BYTES]; /* whose rows the session sees; empty: not known */
	size_t statement_count;
	struct pg_statement statements[PG_STATEMENTS_MAX];
};

/* What one call does: statements in one implicit transaction and one round trip. */
struct pg_command {
	const char *sql;
	const struct store_value *parameters;
	size_t parameter_count;
	int64_t changes_expected; /* < 0: not checked */
};

/* Reads the rows of command `index`; false with *err: nothing more is read. */
typedef bool pg_take(void *context, size_t index, const PGresult *result, struct error *err);

/* Connects and sets what each connection has set. NULL: ERROR_UNAVAILABLE. */
struct pg_link *pg_link_open(const char *database, int64_t timeout_ms,
			     struct error *err) MUST_CHECK;
void pg_link_close(struct pg_link *link);

/* ERROR_CONFLICT: a constraint, or other numbers of rows than were expected; ERROR_UNAVAILABLE:
 * the database is away (is_broken; whether it was done is then not known) or could not do it now.
 * *again: it was undone for the sake of another, and may be tried at once. `scope`: an environment,
 * or STORE_SCOPE_ALL; that is said in front where the session has another. */
bool pg_link_run(struct pg_link *link, const char *scope, const struct pg_command *commands,
		 size_t count, pg_take *take, void *context, bool *again,
		 struct error *err) MUST_CHECK;

/* Outside of pipelines: any text, nothing given back. For migrations, on a thread's link. */
bool pg_link_script(struct pg_link *link, const char *sql, struct error *err) MUST_CHECK;

/* Outside of pipelines, on a thread's link: from now on all environments' rows are seen. */
#define PG_SEE_ALL "SET tenon.environment = '" STORE_SCOPE_ALL "'"

/* What the database said, in our words. Returns false. */
bool pg_link_fail(struct pg_link *link, const PGresult *result, struct error *err);

#endif
