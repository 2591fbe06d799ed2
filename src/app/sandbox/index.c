/* Indexes over the made fields of a collection's living records. One is built when it is first
 * asked for; records that came since are added to it when it is asked again, those that change or
 * go at once. */
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

/* Where the record stands in the bucket, or would. */
static size_t place_in(const struct bucket *bucket, const struct record *record)
{
	size_t low = 0, high = bucket->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (bucket->records[middle]->index < record->index)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static void add_to_bucket(struct arena *arena, struct bucket *bucket, struct record *record)
{
	if (bucket->count == bucket->capacity) {
		size_t capacity = bucket->capacity == 0 ? 4 : bucket->capacity * 2;
		bucket->records = arena_grow(arena, bucket->records,
					     bucket->capacity * sizeof(struct record *),
					     capacity * sizeof(struct record *));
		bucket->capacity = capacity;
	}
	size_t at = place_in(bucket, record);
	memmove(bucket->records + at + 1, bucket->records + at,
		(bucket->count - at) * sizeof *bucket->records);
	bucket->records[at] = record;
	bucket->count++;
}

static void take_from_bucket(struct bucket *bucket, const struct record *record)
{
	size_t at = place_in(bucket, record);

	while (at < bucket->count && bucket->records[at] == record) {
		bucket->count--;
		memmove(bucket->records + at, bucket->records + at + 1,
			(bucket->count - at) * sizeof *bucket->records);
	}
}

static void add_to_index(struct index *index, struct record *record, struct json value)
{
	char room[32];
	struct str key = index_key(value, room);

	for (uint32_t i = 0; json_is(value, JSON_ARRAY) && i < value.count; i++)
		add_to_index(index, record, value.items[i]);
	if (key.len == 0)
		return;
	struct bucket *bucket = map_get(&index->buckets, key);
	if (bucket == NULL) {
		bucket = arena_zero(&index->arena, sizeof *bucket);
		map_put(&index->buckets, key, bucket);
	}
	add_to_bucket(&index->arena, bucket, record);
}

static void take_from_index(struct index *index, const struct record *record, struct json value)
{
	char room[32];
	struct str key = index_key(value, room);

	for (uint32_t i = 0; json_is(value, JSON_ARRAY) && i < value.count; i++)
		take_from_index(index, record, value.items[i]);
	struct bucket *bucket = key.len == 0 ? NULL : map_get(&index->buckets, key);
	if (bucket != NULL)
		take_from_bucket(bucket, record);
}

void company_drop_indexes(struct company *company)
{
	while (company->indexes != NULL) {
		struct index *index = company->indexes;
		company->indexes = index->next;
		map_finish(&index->buckets);
		arena_finish(&index->arena);
		free(index);
	}
}

static bool covers(const struct index *index, const struct record *record)
{
	return index->collection == record->collection && record->index < index->covered;
}

void company_member_changed(struct company *company, struct record *record, struct str member,
			    struct json before, struct json after)
{
	for (struct index *index = company->indexes; index != NULL; index = index->next) {
		if (!covers(index, record) || !str_equal(index->member, member))
			continue;
		take_from_index(index, record, before);
		if (record_is_alive(record))
			add_to_index(index, record, after);
	}
}

void company_record_gone(struct company *company, const struct record *record)
{
	const struct collection_definition *definition = record->collection->definition;

	for (struct index *index = company->indexes; index != NULL; index = index->next)
		if (covers(index, record))
			take_from_index(index, record, json_get(record->made, index->member));
	for (size_t i = 0; i < definition->child_count; i++)
		for (struct record *child = record->first_child[i]; child != NULL;
		     child = child->next_sibling)
			company_record_gone(company, child);
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
	arena_init(&index->arena, SIZE_MAX);
	map_init(&index->buckets, random_system());
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
