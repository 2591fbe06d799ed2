/* The tables of the whole program: db/NNNN_name.sql as the build has put them into the binary.
 * Each room's SQL lies in db/ beside the others', for their order is one; see db/README.md. */
#ifndef ATS_SCHEMA_SCHEMA_H
#define ATS_SCHEMA_SCHEMA_H

#include "io/store/store.h"

/* In the order of their numbers, for store_options. Lives as long as the program. */
const struct store_migration *schema_migrations(size_t *count);
/* What PostgreSQL is taught of SQLite's words: db/postgresql/functions.sql. */
const char *schema_functions(void);
/* Tables that a move leaves out, for their rows follow from those of others (derived.c). */
const struct store_derived *schema_derived(size_t *count);
/* What else differs once they are in PostgreSQL; $1 is the data folder's name (node_folder()). */
const char *schema_move_finish(void);

#endif
