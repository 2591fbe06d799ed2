/* What a mapping gave becomes a record as the model says. Runs for every field of every record:
 * nothing here looks up by name but the members of objects, by hash, which most often stand in
 * the model's own order. */
#include <assert.h>

#include "ats/model/model.h"
#include "ats/model/value.h"

/* Kept out of its caller, which most often has no need of such a frame. */
#define APART __attribute__((noinline))

struct conformer {
	struct arena *arena;
	size_t misfits;
};

static bool is_nothing(struct json value)
{
	return json_is(value, JSON_UNDEFINED) || json_is(value, JSON_NULL);
}

/* --- objects and lists ----------------------------------------------------------------------- */

static inline struct json conform_field(struct conformer *conformer,
					const struct model_field *field, struct json value);

/* *at is where the field before it was found: most objects are in the model's order. */
static struct json find_member(struct json object, const struct model_field *field, uint32_t *at)
{
	for (uint32_t n = 0, i = *at; n < object.count; n++, i++) {
		if (i >= object.count)
			i = 0;
		if (!json_has_key(&object.members[i], field->name, field->hash))
			continue;
		*at = i + 1;
		return object.members[i].value;
	}
	return json_undefined();
}

static void put_member(struct json_member *member, const struct model_field *field,
		       struct json value)
{
	*member = (struct json_member){field->name.data, (uint32_t)field->name.len, field->hash,
				       value};
}

static bool is_known(struct json value)
{
	return !json_is(value, JSON_NULL) && !(json_is(value, JSON_ARRAY) && value.count == 0);
}

/* remote_x: as the mapping has it, or else the word that x was read from. */
static struct json conform_remote_word(struct conformer *conformer, const struct model_field *field,
				       struct json value, struct json of)
{
	size_t misfits = conformer->misfits;

	if (!json_is(value, JSON_UNDEFINED))
		return conform_field(conformer, field, value);
	value = conform_field(conformer, field, of);
	conformer->misfits = misfits;
	return value;
}

/* Null when nothing of it is known, undefined for what is no object. */
static APART struct json to_object(struct conformer *conformer, const struct model_field *field,
				   struct json value)
{
	struct json_member *members;
	struct json of = json_undefined();
	bool has_known = false;
	uint32_t at = 0;
	size_t found = 0;

	if (!json_is(value, JSON_OBJECT))
		return json_undefined();
	members = arena_array(conformer->arena, field->field_count + 1, sizeof *members);
	for (size_t i = 0; i < field->field_count; i++) {
		const struct model_field *inner = &field->fields[i];
		struct json given = find_member(value, inner, &at);
		struct json known = inner->is_remote_word
					    ? conform_remote_word(conformer, inner, given, of)
					    : conform_field(conformer, inner, given);

		found += !json_is(given, JSON_UNDEFINED);
		has_known |= is_known(known);
		put_member(&members[i], inner, known);
		of = given;
	}
	if (found < value.count)
		conformer->misfits++;
	return has_known ? json_object(members, field->field_count) : json_null();
}

/* Not nothing. */
static struct json conform_one(struct conformer *conformer, const struct model_field *field,
			       struct json value)
{
	struct json out = field->type == MODEL_OBJECT
				  ? to_object(conformer, field, value)
				  : value_convert(conformer->arena, field, value);

	if (!json_is(out, JSON_UNDEFINED))
		return out;
	conformer->misfits++;
	return json_null();
}

static struct json conform_items(struct conformer *conformer, const struct model_field *field,
				 const struct json *given, size_t given_count)
{
	struct json *items = arena_array(conformer->arena, given_count + 1, sizeof *items);
	size_t count = 0;

	for (size_t i = 0; i < given_count; i++) {
		struct json item = is_nothing(given[i]) ? json_null()
							: conform_one(conformer, field, given[i]);

		if (!json_is(item, JSON_NULL))
			items[count++] = item;
	}
	return json_array(items, count);
}

static APART struct json conform_list(struct conformer *conformer, const struct model_field *field,
				      struct json value)
{
	if (is_nothing(value))
		return json_array(NULL, 0);
	if (json_is(value, JSON_ARRAY))
		return conform_items(conformer, field, value.items, value.count);
	return conform_items(conformer, field, &value, 1);
}

/* A sequence of one is that one, and an empty one nothing: as JSONata has it. */
static APART struct json conform_array(struct conformer *conformer, const struct model_field *field,
				       struct json value)
{
	if (value.count >= 2 || field->type == MODEL_ANY)
		return conform_one(conformer, field, value);
	if (value.count == 0 || is_nothing(value.items[0]))
		return json_null();
	return conform_one(conformer, field, value.items[0]);
}

static inline struct json conform_field(struct conformer *conformer,
					const struct model_field *field, struct json value)
{
	if (field->is_list)
		return conform_list(conformer, field, value);
	if (is_nothing(value))
		return json_null();
	if (json_is(value, JSON_ARRAY))
		return conform_array(conformer, field, value);
	return conform_one(conformer, field, value);
}

/* --- records --------------------------------------------------------------------------------- */

struct json model_conform(const struct model_resource *resource, struct arena *arena,
			  const struct json *mapped, const bool *is_absent, struct json remote,
			  size_t *misfits)
{
	struct conformer conformer = {.arena = arena};
	struct json_member *members =
		arena_array(arena, resource->field_count + 1, sizeof *members);
	size_t count = 0;

	for (size_t i = 0; i < resource->field_count; i++) {
		const struct model_field *field = &resource->fields[i];

		if (is_absent != NULL && is_absent[i])
			continue;
		struct json value =
			field->is_remote_word
				? conform_remote_word(&conformer, field, mapped[i], mapped[i - 1])
				: conform_field(&conformer, field, mapped[i]);
		put_member(&members[count++], field, value);
	}
	if (!json_is(remote, JSON_UNDEFINED))
		members[count++] = json_member(STR("remote_data"), remote);
	*misfits += conformer.misfits;
	return json_object(members, count);
}
