/* Brings a PostgreSQL database to the program's version. Private to the store. */
#ifndef IO_STORE_PG_MIGRATION_H
#define IO_STORE_PG_MIGRATION_H

#include "io/store/engine.h"

/* Under a lock, so that of several nodes that start at once one does it; each migration in a
 * transaction of its own, so that being killed at any time loses nothing. Errors as
 * migration_apply() has them, and ERROR_UNAVAILABLE. */
bool pg_migrate(const char *database, const struct store_options *options,
		struct error *err) MUST_CHECK;

#endif
