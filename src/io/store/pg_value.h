/* Rows as PostgreSQL sends them, in binary. Private to the store. */
#ifndef IO_STORE_PG_VALUE_H
#define IO_STORE_PG_VALUE_H

#include <libpq-fe.h>

#include "io/store/engine.h"

/* All rows, with their bytes, copied to the arena. ERROR_LIMIT: more than rows_max, or than the
 * arena takes; ERROR_INTERNAL: a type that has no place in the store. */
bool pg_value_rows(struct arena *arena, const PGresult *result, size_t rows_max,
		   struct store_rows *rows, struct error *err) MUST_CHECK;

#endif
