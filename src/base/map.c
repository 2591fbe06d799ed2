#include "base/map.h"

#include <assert.h>
#include <stdlib.h>

#include "base/error.h"

#define ROTATE(x, bits) (((x) << (bits)) | ((x) >> (64 - (bits))))

static void sip_round(uint64_t v[4])
{
	v[0] += v[1];
	v[1] = ROTATE(v[1], 13) ^ v[0];
	v[0] = ROTATE(v[0], 32);
	v[2] += v[3];
	v[3] = ROTATE(v[3], 16) ^ v[2];
	v[0] += v[3];
	v[3] = ROTATE(v[3], 21) ^ v[0];
	v[2] += v[1];
	v[1] = ROTATE(v[1], 17) ^ v[2];
	v[2] = ROTATE(v[2], 32);
}

/* SipHash with one compression and three finalisation rounds (Aumasson, Bernstein 2012). */
static uint64_t hash(const struct map *map, struct str key)
{
	uint64_t v[4] = {
		map->seed[0] ^ 0x736f6d6570736575,
		map->seed[1] ^ 0x646f72616e646f6d,
		map->seed[0] ^ 0x6c7967656e657261,
		map->seed[1] ^ 0x7465646279746573,
	};
	uint64_t last = (uint64_t)key.len << 56;
	size_t whole = key.len & ~(size_t)7;

	for (size_t i = 0; i < whole; i += 8) {
		uint64_t word;
		memcpy(&word, key.data + i, 8);
		v[3] ^= word;
		sip_round(v);
		v[0] ^= word;
	}
	for (size_t i = whole; i < key.len; i++)
		last |= (uint64_t)(unsigned char)key.data[i] << (8 * (i - whole));
	v[3] ^= last;
	sip_round(v);
	v[0] ^= last;
	v[2] ^= 0xff;
	for (int i = 0; i < 3; i++)
		sip_round(v);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

static void *must(void *memory)
{
	if (memory == NULL)
		die("out of memory in a map");
	return memory;
}

void map_init(struct map *map, const struct random *random)
{
	*map = (struct map){0};
	random_fill(random, map->seed, sizeof map->seed);
}

void map_finish(struct map *map)
{
	for (size_t i = 0; i < map->capacity; i++)
		free(map->slots[i].key);
	free(map->slots);
	*map = (struct map){0};
}

/* The slot which holds the key, or the free one where it would go. */
static struct map_slot *find(const struct map *map, struct str key)
{
	size_t mask = map->capacity - 1;
	size_t at = hash(map, key) & mask;

	for (;; at = (at + 1) & mask) {
		struct map_slot *slot = &map->slots[at];
		if (slot->key == NULL || str_equal(str_make(slot->key, slot->key_len), key))
			return slot;
	}
}

static void grow(struct map *map)
{
	struct map_slot *old = map->slots;
	size_t old_capacity = map->capacity;

	map->capacity = old_capacity == 0 ? 16 : old_capacity * 2;
	map->slots = must(calloc(map->capacity, sizeof *map->slots));
	for (size_t i = 0; i < old_capacity; i++)
		if (old[i].key != NULL)
			*find(map, str_make(old[i].key, old[i].key_len)) = old[i];
	free(old);
}

void *map_get(const struct map *map, struct str key)
{
	return map->count == 0 ? NULL : find(map, key)->value;
}

void *map_put(struct map *map, struct str key, void *value)
{
	assert(value != NULL);
	/* At most three quarters full, so that a search ends soon. */
	if ((map->count + 1) * 4 > map->capacity * 3)
		grow(map);
	struct map_slot *slot = find(map, key);
	void *old = slot->value;

	if (slot->key == NULL) {
		slot->key = must(malloc(key.len + 1));
		memcpy(slot->key, key.len == 0 ? "" : key.data, key.len);
		slot->key[key.len] = '\0';
		slot->key_len = key.len;
		map->count++;
	}
	slot->value = value;
	return old;
}

void *map_remove(struct map *map, struct str key)
{
	struct map_slot *slot = map->count == 0 ? NULL : find(map, key);
	size_t mask = map->capacity - 1;

	if (slot == NULL || slot->key == NULL)
		return NULL;
	void *value = slot->value;
	free(slot->key);
	*slot = (struct map_slot){0};
	map->count--;
	/* Those behind it in the same run may have been put there because of it. */
	size_t at = ((size_t)(slot - map->slots) + 1) & mask;
	for (; map->slots[at].key != NULL; at = (at + 1) & mask) {
		struct map_slot moved = map->slots[at];
		map->slots[at] = (struct map_slot){0};
		*find(map, str_make(moved.key, moved.key_len)) = moved;
	}
	return value;
}

bool map_next(const struct map *map, size_t *at, struct str *key, void **value)
{
	for (; *at < map->capacity; (*at)++) {
		struct map_slot *slot = &map->slots[*at];
		if (slot->key == NULL)
			continue;
		*key = str_make(slot->key, slot->key_len);
		*value = slot->value;
		(*at)++;
		return true;
	}
	return false;
}
