/* Indexes over the made fields of a collection's living records. One is built when it is first
 * asked for; records that came since are added to it, and any other change makes it anew. */
#include "app/sandbox/company.h"

struct bucket {
	struct record **records;
	size_t count;
	size_t capacity;
};

struct index {
	struct index *next;
	const struct collection *collection;
	struct str member;
	struct arena arena;
	struct map buckets; /* by the value as JSON text */
	size_t covered;     /* so many of the collection's records */
	bool is_stale;
};

/* Texts and whole numbers can be looked for; the key of all else is empty. */
static struct str index_key(struct json value, char room[32])
{
	if (json_is(value, JSON_STRING))
		return json_str(value);
	if (!json_is(value, JSON_INT))
		return str_make("", 0);
	snprintf(room, 32, "%lld", (long long)value.integer);
	return str_from_c(room);
}

static void add_to_index(struct index *index, struct record *record, struct json value)
{
	struct arena *arena = &index->arena;
	char room[32];
	struct str key = index_key(value, room);

	for (uint32_t i = 0; json_is(value, JSON_ARRAY) && i < value.count; i++)
		add_to_index(index, record, value.items[i]);
	if (key.len == 0)
		return;
	struct bucket *bucket = map_get(&index->buckets, key);
	if (bucket == NULL) {
		bucket = arena_zero(arena, sizeof *bucket);
		map_put(&index->buckets, key, bucket);
	}
	if (bucket->count == bucket->capacity) {
		size_t capacity = bucket->capacity == 0 ? 4 : bucket->capacity * 2;
		bucket->records = arena_grow(arena, bucket->records,
					     bucket->capacity * sizeof(struct record *),
					     capacity * sizeof(struct record *));
		bucket->capacity = capacity;
	}
	bucket->records[bucket->count++] = record;
}

static void begin(struct index *index)
{
	arena_init(&index->arena, SIZE_MAX);
	map_init(&index->buckets, random_system());
	index->covered = 0;
	index->is_stale = false;
}

static void end(struct index *index)
{
	map_finish(&index->buckets);
	arena_finish(&index->arena);
}

void company_drop_indexes(struct company *company)
{
	while (company->indexes != NULL) {
		struct index *index = company->indexes;
		company->indexes = index->next;
		end(index);
		free(index);
	}
}

void company_member_changed(struct company *company, const struct collection *collection,
			    struct str member)
{
	for (struct index *index = company->indexes; index != NULL; index = index->next)
		if (index->collection == collection && str_equal(index->member, member))
			index->is_stale = true;
}

void company_record_gone(struct company *company, const struct collection *collection)
{
	for (struct index *index = company->indexes; index != NULL; index = index->next) {
		const struct collection_definition *at = index->collection->definition;
		while (at != NULL && at != collection->definition)
			at = at->parent;
		index->is_stale |= at != NULL;
	}
}

static struct index *find_index(struct company *company, const struct collection *collection,
				struct str member)
{
	struct index *index;

	for (index = company->indexes; index != NULL; index = index->next)
		if (index->collection == collection && str_equal(index->member, member))
			return index;
	index = calloc(1, sizeof *index);
	if (index == NULL)
		die("out of memory");
	index->collection = collection;
	index->member = arena_str(&company->arena, member);
	begin(index);
	index->next = company->indexes;
	company->indexes = index;
	return index;
}

static bool refresh(struct company *company, struct index *index, struct error *err)
{
	const struct collection *collection = index->collection;
	size_t count = collection->count;

	/* One that a write is just making may ask for those before it. */
	if (count > 0 && collection->records[count - 1]->is_written &&
	    collection->records[count - 1]->is_being_made)
		count--;
	if (index->is_stale) {
		end(index);
		begin(index);
	}
	/* Making a record may ask for indexes, this one too, so that all are made first. */
	for (size_t i = index->covered; i < count; i++)
		if (!record_make(company, collection->records[i], err))
			return false;
	for (; index->covered < count; index->covered++) {
		struct record *record = collection->records[index->covered];
		if (record_is_alive(record))
			add_to_index(index, record, json_get(record->made, index->member));
	}
	return true;
}

bool company_where(struct company *company, struct collection *collection, struct str member,
		   struct json value, struct record ***out, size_t *count, struct error *err)
{
	struct index *index = find_index(company, collection, member);
	char room[32];

	*out = NULL;
	*count = 0;
	if (!refresh(company, index, err))
		return false;
	struct bucket *bucket = map_get(&index->buckets, index_key(value, room));
	if (bucket == NULL)
		return true;
	*out = bucket->records;
	*count = bucket->count;
	return true;
}
