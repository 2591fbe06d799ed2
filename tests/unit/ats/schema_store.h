/* A store with the tables of db/: in the folder (database NULL), or in PostgreSQL. */
#ifndef TESTS_UNIT_ATS_SCHEMA_STORE_H
#define TESTS_UNIT_ATS_SCHEMA_STORE_H

#include "ats/schema/schema.h"

static inline struct store *schema_store(const char *folder, const char *database,
					 struct error *err)
{
	struct store_options options = {
		.folder = folder, .database = database, .functions = schema_functions()};

	options.migrations = schema_migrations(&options.migration_count);
	return store_open(&options, err);
}

#endif
