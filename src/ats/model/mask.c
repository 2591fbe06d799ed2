/* Records without what is masked of them: the same members, but no word of what they tell. */
#include "ats/model/model.h"

static const struct str masked = STR_INIT("[masked]");

struct walk {
	struct arena *arena;
	const struct str *masks;
	size_t mask_count;
};
/* Where in a record the walk is. */
struct place {
	const struct model_field *fields; /* NULL: not known */
	size_t count;
	bool is_masked;
};

/* The word for a kind is never a member's name: departments have a `name`, too. */
static bool is_kind(struct str mask)
{
	for (size_t i = 0; model_pii_names[i] != NULL; i++)
		if (str_equal_c(mask, model_pii_names[i]))
			return true;
	return false;
}

bool model_is_masked(const struct str *masks, size_t count, struct str name, enum model_pii kind)
{
	for (size_t i = 0; i < count; i++)
		if ((str_equal(masks[i], name) && !is_kind(masks[i])) ||
		    (kind != MODEL_PII_NONE && str_equal_c(masks[i], model_pii_names[kind])))
			return true;
	return false;
}

/* What is masked of an object is masked of all in it, but for ids: they tell nothing of a person,
 * and other calls need them. */
static struct place enter(const struct walk *walk, const struct place *place, struct str name)
{
	const struct model_field *field =
		place->fields == NULL ? NULL : model_find_among(place->fields, place->count, name);
	bool is_id = str_equal(name, STR("id"));
	enum model_pii kind = field == NULL || is_id ? MODEL_PII_NONE : field->pii;
	struct place inner = {0};

	if (field != NULL && field->type == MODEL_OBJECT) {
		inner.fields = field->fields;
		inner.count = field->field_count;
	}
	inner.is_masked = (place->is_masked && !is_id) ||
			  model_is_masked(walk->masks, walk->mask_count, name, kind);
	return inner;
}

static struct json walk_value(const struct walk *walk, const struct place *place,
			      struct json value);

static struct json walk_object(const struct walk *walk, const struct place *place,
			       struct json value)
{
	struct json_builder out;

	json_builder_init(&out, walk->arena);
	for (size_t i = 0; i < value.count; i++) {
		struct str name = json_name(&value.members[i]);
		struct place inner = enter(walk, place, name);

		/* Of the ATS's own words nobody knows which are personal. */
		if (!str_equal(name, STR("remote_data")))
			json_builder_set(&out, name,
					 walk_value(walk, &inner, value.members[i].value));
	}
	return json_builder_object(&out);
}

static struct json walk_value(const struct walk *walk, const struct place *place,
			      struct json value)
{
	struct json_builder out;

	if (json_is(value, JSON_OBJECT))
		return walk_object(walk, place, value);
	if (json_is(value, JSON_ARRAY)) {
		json_builder_init(&out, walk->arena);
		for (size_t i = 0; i < value.count; i++)
			json_builder_add(&out, walk_value(walk, place, json_at(value, i)));
		return json_builder_array(&out);
	}
	if (!place->is_masked || json_is(value, JSON_NULL))
		return value;
	return json_is(value, JSON_STRING) ? json_string(masked) : json_null();
}

struct json model_mask(struct arena *arena, const struct model_resource *resource,
		       const struct str *masks, size_t count, struct json record)
{
	const struct walk walk = {arena, masks, count};
	const struct place place = {.fields = resource == NULL ? NULL : resource->fields,
				    .count = resource == NULL ? 0 : resource->field_count};

	return count == 0 ? record : walk_value(&walk, &place, record);
}
