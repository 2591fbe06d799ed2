#include "base/cache.h"

#include <assert.h>
#include <stdlib.h>

void cache_init(struct cache *cache, size_t count_max, const struct random *random)
{
	assert(count_max > 0);
	*cache = (struct cache){.count_max = count_max, .random = random};
	map_init(&cache->map, random);
	/* Else readers that overlap without end would keep a revoked key alive. */
	pthread_rwlockattr_t attributes;
	pthread_rwlockattr_init(&attributes);
	pthread_rwlockattr_setkind_np(&attributes, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
	pthread_rwlock_init(&cache->lock, &attributes);
	pthread_rwlockattr_destroy(&attributes);
}

static void free_things(struct cache *cache)
{
	struct str key;
	void *thing;

	for (size_t at = 0; map_next(&cache->map, &at, &key, &thing);)
		free(thing);
	map_finish(&cache->map);
}

void cache_finish(struct cache *cache)
{
	free_things(cache);
	pthread_rwlock_destroy(&cache->lock);
}

void *cache_lock(struct cache *cache, struct str key)
{
	pthread_rwlock_rdlock(&cache->lock);
	void *thing = map_get(&cache->map, key);
	if (thing == NULL)
		pthread_rwlock_unlock(&cache->lock);
	return thing;
}

void cache_unlock(struct cache *cache)
{
	pthread_rwlock_unlock(&cache->lock);
}

/* A random one: nobody has to note what was used when, and no pattern of use defeats it. */
static void evict_one(struct cache *cache)
{
	size_t at = (size_t)random_below(cache->random, cache->map.capacity);
	struct str key;
	void *thing;

	if (!map_next(&cache->map, &at, &key, &thing)) {
		at = 0;
		if (!map_next(&cache->map, &at, &key, &thing))
			return;
	}
	free(map_remove(&cache->map, key));
}

void cache_put(struct cache *cache, struct str key, void *thing, uint64_t generation)
{
	pthread_rwlock_wrlock(&cache->lock);
	if (cache->generation != generation) {
		free(thing);
	} else {
		if (cache->map.count >= cache->count_max)
			evict_one(cache);
		free(map_put(&cache->map, key, thing));
	}
	pthread_rwlock_unlock(&cache->lock);
}

void cache_remove(struct cache *cache, struct str key)
{
	pthread_rwlock_wrlock(&cache->lock);
	cache->generation++;
	free(map_remove(&cache->map, key));
	pthread_rwlock_unlock(&cache->lock);
}

void cache_clear(struct cache *cache)
{
	pthread_rwlock_wrlock(&cache->lock);
	cache->generation++;
	free_things(cache);
	map_init(&cache->map, cache->random);
	pthread_rwlock_unlock(&cache->lock);
}
