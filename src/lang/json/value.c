/* Looking into values and gathering new ones. */
#include <assert.h>

#include "base/clock.h"
#include "lang/json/json.h"

/* The first at which to look closer: with this hash, or among the last few. */
static inline const struct json_member *skip_others(const struct json_member *at,
						    const struct json_member *end, uint32_t hash)
{
	while (end - at >= 4 && at[0].key_hash != hash && at[1].key_hash != hash &&
	       at[2].key_hash != hash && at[3].key_hash != hash)
		at += 4;
	return at;
}

/* NULL when there is none. */
static inline const struct json_member *find_member(struct json object, struct str key,
						    uint32_t hash)
{
	const struct json_member *end = object.members + object.count;
	const struct json_member *at = skip_others(object.members, end, hash);

	while (at < end && !json_has_key(at, key, hash))
		at++;
	return at < end ? at : NULL;
}

struct json json_get_hashed(struct json object, struct str key, uint32_t hash)
{
	if (object.type != JSON_OBJECT)
		return json_undefined();
	const struct json_member *found = find_member(object, key, hash);

	return found == NULL ? json_undefined() : found->value;
}

static __attribute__((noinline)) struct json find_anew(struct json object, struct str key,
						       uint32_t hash, uint16_t *place)
{
	const struct json_member *found = find_member(object, key, hash);

	if (found == NULL)
		return json_undefined();
	*place = (uint16_t)(found - object.members);
	return found->value;
}

struct json json_get_near(struct json object, struct str key, uint32_t hash, uint16_t *place)
{
	if (object.type != JSON_OBJECT)
		return json_undefined();
	uint16_t likely = *place;

	if (likely < object.count && json_has_key(&object.members[likely], key, hash))
		return object.members[likely].value;
	return find_anew(object, key, hash, place);
}

struct json json_get_path(struct json object, struct str path)
{
	while (path.data != NULL && object.type != JSON_UNDEFINED)
		object = json_get(object, str_cut(&path, '.'));
	return object;
}

struct str json_get_str(struct json object, const char *key)
{
	struct json value = json_get_c(object, key);

	return value.type == JSON_STRING ? json_str(value) : str_make(NULL, 0);
}

struct json json_at(struct json array, size_t index)
{
	if (array.type != JSON_ARRAY || index >= array.count)
		return json_undefined();
	return array.items[index];
}

struct str json_source(struct json container)
{
	if ((container.type != JSON_ARRAY && container.type != JSON_OBJECT) ||
	    (container.flags & JSON_HAS_SOURCE) == 0)
		return str_make(NULL, 0);
	const struct json_source *source = (const struct json_source *)container.pointer - 1;

	return str_make(source->text, source->len);
}

struct json json_time(struct arena *arena, int64_t unix_ms)
{
	return unix_ms == 0 ? json_null() : json_string(clock_format_ms(arena, unix_ms));
}

void json_builder_init(struct json_builder *builder, struct arena *arena)
{
	assert(arena != NULL);
	*builder = (struct json_builder){.arena = arena};
}

static void *add_place(struct json_builder *builder, size_t size)
{
	if (builder->count == builder->capacity) {
		size_t capacity = builder->capacity == 0 ? 8 : builder->capacity * 2;

		builder->items = arena_grow(builder->arena, builder->items,
					    builder->capacity * size, capacity * size);
		builder->capacity = capacity;
	}
	return (char *)builder->items + builder->count++ * size;
}

void json_builder_add(struct json_builder *builder, struct json item)
{
	struct json *place = add_place(builder, sizeof *place);

	*place = item;
}

void json_builder_set(struct json_builder *builder, struct str key, struct json value)
{
	if (value.type == JSON_UNDEFINED)
		return;
	struct json_member *place = add_place(builder, sizeof *place);

	*place = json_member(key, value);
}

void json_builder_set_others(struct json_builder *builder, struct json object, struct json but)
{
	for (size_t i = 0; i < object.count; i++) {
		struct str name = json_name(&object.members[i]);

		if (json_is(json_get(but, name), JSON_UNDEFINED))
			json_builder_set(builder, name, object.members[i].value);
	}
}

struct json json_builder_array(const struct json_builder *builder)
{
	return json_array(builder->items, builder->count);
}

struct json json_builder_object(const struct json_builder *builder)
{
	return json_object(builder->items, builder->count);
}
