/* A hash map from texts to pointers. It copies its keys; the values are the caller's. The hash
 * is SipHash-1-3 under a key drawn at init, so that no stranger can pile keys on one slot. */
#ifndef BASE_MAP_H
#define BASE_MAP_H

#include "base/random.h"

struct map_slot {
	char *key; /* NULL: free */
	size_t key_len;
	void *value;
};

struct map {
	struct map_slot *slots;
	size_t capacity; /* a power of two, or 0 */
	size_t count;
	uint64_t seed[2];
};

void map_init(struct map *map, const struct random *random);
/* Frees the map, not the values. */
void map_finish(struct map *map);
/* NULL when there is none. */
void *map_get(const struct map *map, struct str key);
/* value must not be NULL; returns the value that it replaces, or NULL. */
void *map_put(struct map *map, struct str key, void *value);
/* Returns the value that was there, or NULL. */
void *map_remove(struct map *map, struct str key);
/* Walks in no order: start with *at = 0; false at the end. The map must not change meanwhile. */
bool map_next(const struct map *map, size_t *at, struct str *key, void **value);

#endif
