/* The connections of each thread: a worker's fibers share a few; a thread without a loop has one.
 * Private to the store. */
#ifndef IO_STORE_PG_POOL_H
#define IO_STORE_PG_POOL_H

#include <pthread.h>

#include "io/store/pg_link.h"

struct pg_pool;

struct pg_pools {
	const char *database;
	size_t links_max;
	pthread_key_t key; /* the calling thread's pool */
	pthread_mutex_t lock;
	struct pg_pool *all;
	_Atomic uint64_t waits; /* for a connection */
	_Atomic uint64_t wait_us;
};

bool pg_pools_init(struct pg_pools *pools, const char *database, size_t links_max,
		   struct error *err) MUST_CHECK;
/* Closes all. Nobody may be using one. */
void pg_pools_finish(struct pg_pools *pools);

/* A connection, for the caller alone until it is given back; of several one whose session has the
 * scope already. In a fiber waits for one of the
 * worker's. ERROR_UNAVAILABLE: the database is away; while it is that is said at once, and a new
 * connection is tried after a pause that grows to a second. */
struct pg_link *pg_pool_take(struct pg_pools *pools, const char *scope,
			     struct error *err) MUST_CHECK;
/* Connections of fibers, and how many of them are in use. */
void pg_pools_count(struct pg_pools *pools, size_t *open, size_t *busy);
/* A broken one is closed. */
void pg_pool_give(struct pg_pools *pools, struct pg_link *link);

#endif
