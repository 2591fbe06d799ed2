/* Brings a PostgreSQL database to the program's version. Private to the store. */
#ifndef IO_STORE_PG_MIGRATION_H
#define IO_STORE_PG_MIGRATION_H

#include "io/store/engine.h"

/* What a move notes in the database as it goes (move.h): the row named '' is of all of it, the
 * others of a table each. A database in which that row is not done is refused. */
#define PG_MOVE_TABLE "store_move"
enum { PG_MOVE_COPYING, PG_MOVE_COPIED, PG_MOVE_DONE };

/* Under a lock, so that of several nodes that start at once one does it; each migration in a
 * transaction of its own, so that being killed at any time loses nothing. Where a newer program
 * has made the tables, and noted that this one may run on them, nothing is touched. Errors as
 * migration_apply() has them, and ERROR_UNAVAILABLE. */
bool pg_migrate(const char *database, const struct store_options *options,
		struct error *err) MUST_CHECK;

/* For a move: the database must be empty, and is marked with the source from its first table on; or
 * it must have a mark already, of whichever source. */
bool pg_migrate_to_move(const char *database, const struct store_options *options,
			const char *source, struct error *err) MUST_CHECK;

#endif
