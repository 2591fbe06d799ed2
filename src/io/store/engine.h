/* What an engine behind the store's door does; store.c hands the calls on. Private to the store. */
#ifndef IO_STORE_ENGINE_H
#define IO_STORE_ENGINE_H

#include <stdlib.h>

#include "io/store/store.h"

enum { STORE_MAGIC = 0x53746f72 };

#define STORE_SCOPE_ALL "*" /* of no environment: of all */

/* Each as the function of that name in store.h. */
struct store_engine {
	bool (*query)(struct store *store, struct arena *arena, const char *sql,
		      const struct store_value *parameters, size_t parameter_count,
		      struct store_rows *rows, struct error *err);
	bool (*write)(struct store *store, const struct store_statement *statements, size_t count,
		      struct error *err);
	bool (*change)(struct store *store, struct arena *arena,
		       const struct store_statement *statement, struct store_rows *rows,
		       struct error *err);
	bool (*write_later)(struct store *store, const struct store_statement *statement,
			    struct error *err);
	bool (*backup)(struct store *store, const char *path, struct error *err);
	void (*watch)(struct store *store, void (*tell)(void *context), void *context);
	/* NULL: there is one process only. */
	void (*hear)(struct store *store, void (*hear)(void *context, struct str what),
		     void *context);
	bool (*is_current)(const struct store *store);
	void (*count)(struct store *store, struct store_counts *counts);
	void (*close)(struct store *store);
};

/* The head of each engine's own struct. */
struct store {
	unsigned magic;
	const struct store_engine *engine;
	size_t rows_max;
	bool is_postgresql;
	bool is_unbound;
	_Atomic uint64_t queries;
	_Atomic uint64_t failures;
	_Atomic uint64_t buckets[STORE_BUCKETS];
	_Atomic uint64_t duration_us;
};

/* ERROR_LIMIT: the query finds more than `rows_max` rows. Returns false. */
bool store_too_many(size_t rows_max, struct error *err);

/* A statement whose bytes nobody keeps alive, in one allocation after `head_bytes` of the
 * engine's own: free() of the result frees all. */
void *store_copy_statement(size_t head_bytes, const struct store_statement *from,
			   struct store_statement *to);

/* Both fill what the options leave at 0. */
struct store *sqlite_open(const struct store_options *options, struct error *err) MUST_CHECK;
struct store *pg_open(const struct store_options *options, struct error *err) MUST_CHECK;

/* store_look() and, of PostgreSQL, store_migrate(). */
bool sqlite_look(const struct store_options *options, size_t *applied,
		 struct error *err) MUST_CHECK;
bool pg_look(const struct store_options *options, size_t *applied, struct error *err) MUST_CHECK;

#endif
