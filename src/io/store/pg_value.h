/* Rows as PostgreSQL sends them, in binary. Private to the store. */
#ifndef IO_STORE_PG_VALUE_H
#define IO_STORE_PG_VALUE_H

#include <libpq-fe.h>

#include "io/store/engine.h"

/* The bytes are copied to the arena. ERROR_INTERNAL: a type that has no place in the store. */
bool pg_value_read(struct arena *arena, const PGresult *result, int row, int column,
		   struct store_value *value, struct error *err) MUST_CHECK;

#endif
