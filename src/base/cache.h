/* A bounded, read-mostly map of things that rows were made of..
 *
 * Exactness: who fills it notes the generation before it reads the rows; who changes the rows
 * moves the generation after the commit. A thing read before a change can so never be put in
 * after it. */
#ifndef BASE_CACHE_H
#define BASE_CACHE_H

#include <pthread.h>

#include "base/map.h"

struct cache {
	pthread_rwlock_t lock;
	struct map map; /* to things of one malloc() each */
	const struct random *random;
	size_t count_max;
	_Atomic uint64_t generation;
};

void cache_init(struct cache *cache, size_t count_max, const struct random *random);
void cache_finish(struct cache *cache);
/* The thing, to be read until cache_unlock(); NULL (and nothing locked) when there is none. */
void *cache_lock(struct cache *cache, struct str key);
void cache_unlock(struct cache *cache);
/* Takes the thing over: keeps it, or frees it when the generation has moved. */
void cache_put(struct cache *cache, struct str key, void *thing, uint64_t generation);
/* After a change of what the thing was made of. */
void cache_remove(struct cache *cache, struct str key);
void cache_clear(struct cache *cache);

#endif
