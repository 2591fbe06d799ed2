/* Brings a database to the program's version. Private to the store. */
#ifndef IO_STORE_MIGRATION_H
#define IO_STORE_MIGRATION_H

#include "io/store/connection.h"

/* Applies what is missing, each in a transaction of its own. ERROR_CONFLICT when the database is
 * not tenon's, is newer than the program, or an applied migration differs. */
bool migration_apply(struct connection *connection, const struct store_options *options,
		     struct error *err) MUST_CHECK;
/* How many there are, without applying any; errors as above. */
bool migration_count_applied(struct connection *connection, const struct store_options *options,
			     size_t *applied, struct error *err) MUST_CHECK;

/* Makes the database's views those of the options; writes nothing where they are so already. */
bool view_apply(struct connection *connection, const struct store_options *options,
		struct error *err) MUST_CHECK;
/* A table that a view reads cannot be rebuilt. */
bool view_drop_all(struct connection *connection, struct error *err) MUST_CHECK;

#endif
