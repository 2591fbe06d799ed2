/* Records by type and id, for $reference(): open addressing, made once per page. */
#include <assert.h>

#include "ats/connector/connector.h"

struct reference {
	uint32_t hash;
	struct str type;
	struct str id;
	struct json record;
};

struct reference_index {
	struct arena *arena;
	struct reference *slots; /* type.data NULL: free */
	size_t capacity;         /* a power of two, or 0 */
	size_t count;
};

enum { ID_BYTES_MAX = 24 };

struct reference_index *reference_index_create(struct arena *arena)
{
	struct reference_index *index = arena_zero(arena, sizeof *index);

	index->arena = arena;
	return index;
}

/* Numbers and texts alike, as text; digits go to `space`. */
static bool id_text(struct json id, char space[ID_BYTES_MAX], struct str *text)
{
	if (json_is(id, JSON_STRING) || json_is(id, JSON_NUMBER_TEXT)) {
		*text = json_str(id);
		return id.count > 0;
	}
	if (!json_is(id, JSON_INT))
		return false;
	*text = str_make(space, json_format_int(id.integer, space));
	return true;
}

/* All of the bytes count: long ids may have their ends in common. */
static uint64_t mix(struct str text)
{
	uint64_t hash = 0xcbf29ce484222325;

	if (text.len <= 16)
		return json_key_hash(text.data, text.len);
	for (size_t i = 0; i < text.len; i++)
		hash = (hash ^ (unsigned char)text.data[i]) * 0x100000001b3;
	return hash;
}

static uint32_t hash_of(struct str type, struct str id)
{
	uint64_t hash = (mix(type) * 31 + mix(id)) * 0x9e3779b97f4a7c15;

	return (uint32_t)(hash >> 32);
}

static bool is_same(struct str a, struct str b)
{
	return a.len == b.len && json_is_same_key(a.data, b.data, a.len);
}

/* The slot that has it, or the free one where it belongs. */
static struct reference *find_slot(const struct reference_index *index, uint32_t hash,
				   struct str type, struct str id)
{
	size_t mask = index->capacity - 1;

	for (size_t i = hash & mask;; i = (i + 1) & mask) {
		struct reference *slot = &index->slots[i];

		if (slot->type.data == NULL ||
		    (slot->hash == hash && is_same(slot->id, id) && is_same(slot->type, type)))
			return slot;
	}
}

/* Room for `more` with half of the slots free. */
static void reserve(struct reference_index *index, size_t more)
{
	struct reference_index old = *index;

	if ((index->count + more) * 2 <= index->capacity)
		return;
	if (index->capacity == 0)
		index->capacity = 16;
	while ((index->count + more) * 2 > index->capacity)
		index->capacity *= 2;
	index->slots = arena_zero(index->arena, index->capacity * sizeof *index->slots);
	for (size_t i = 0; i < old.capacity; i++)
		if (old.slots[i].type.data != NULL)
			*find_slot(index, old.slots[i].hash, old.slots[i].type, old.slots[i].id) =
				old.slots[i];
}

static void add(struct reference_index *index, struct str type, struct json record,
		struct json key)
{
	char space[ID_BYTES_MAX];
	struct str id;

	if (type.len == 0 || !id_text(key, space, &id))
		return;
	uint32_t hash = hash_of(type, id);
	struct reference *slot = find_slot(index, hash, type, id);
	if (slot->type.data != NULL)
		return; /* what came with the body itself goes before a side list */
	if (json_is(key, JSON_INT))
		id = arena_str(index->arena, id);
	*slot = (struct reference){hash, type, id, record};
	index->count++;
}

void reference_index_add(struct reference_index *index, struct json records, struct str type,
			 struct str type_member)
{
	assert(index != NULL);
	if (!json_is(records, JSON_ARRAY))
		return;
	reserve(index, records.count);
	for (size_t i = 0; i < records.count; i++) {
		struct str own = type;

		if (type.len == 0) {
			struct json told = json_get(records.items[i], type_member);

			if (!json_is(told, JSON_STRING))
				continue;
			own = json_str(told);
		}
		add(index, own, records.items[i], json_get_c(records.items[i], "id"));
	}
}

void reference_index_add_by(struct reference_index *index, struct json records, struct str type,
			    struct str key)
{
	assert(index != NULL);
	if (!json_is(records, JSON_ARRAY))
		return;
	reserve(index, records.count);
	for (size_t i = 0; i < records.count; i++)
		add(index, type, records.items[i], json_get(records.items[i], key));
}

struct json reference_index_find(const struct reference_index *index, struct str type,
				 struct json id)
{
	char space[ID_BYTES_MAX];
	struct str text;

	assert(index != NULL);
	if (index->capacity == 0 || !id_text(id, space, &text))
		return json_undefined();
	/* A free slot's record is undefined: the slots were zeroed. */
	return find_slot(index, hash_of(type, text), type, text)->record;
}
