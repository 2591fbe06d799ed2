/* What a mapping gave becomes a record as the model says. Runs for every field of every record:
 * nothing here looks up by name but the members of objects, by hash, which most often stand in
 * the model's own order. */
#include <assert.h>

#include "ats/model/model.h"
#include "ats/model/moment.h"

struct conformer {
	struct arena *arena;
	size_t misfits;
};

static bool is_nothing(struct json value)
{
	return json_is(value, JSON_UNDEFINED) || json_is(value, JSON_NULL);
}

/* --- single values: false when the value does not fit ---------------------------------------- */

/* Ids are numbers in many ATSs, several to a record. */
static struct json integer_text(struct arena *arena, int64_t integer)
{
	char digits[24];
	char *at = digits + sizeof digits;
	uint64_t rest = integer < 0 ? -(uint64_t)integer : (uint64_t)integer;
	struct json text;

	do
		*--at = (char)('0' + rest % 10);
	while ((rest /= 10) > 0);
	if (integer < 0)
		*--at = '-';
	text = json_string(arena_str(arena, str_make(at, (size_t)(digits + sizeof digits - at))));
	text.flags = JSON_PLAIN | JSON_ASCII;
	return text;
}

static bool to_text(struct conformer *conformer, struct json value, struct json *out)
{
	char digits[32];

	switch (value.type) {
	case JSON_STRING:
		*out = value.count == 0 ? json_null() : value;
		return true;
	case JSON_NUMBER_TEXT:
		*out = json_string(json_str(value));
		return true;
	case JSON_INT:
		*out = integer_text(conformer->arena, value.integer);
		return true;
	case JSON_DOUBLE:
		*out = json_string(arena_str(
			conformer->arena,
			str_make(digits, json_format_double(value.number, digits))));
		return true;
	default:
		return false;
	}
}

static bool to_integer(struct json value, struct json *out)
{
	int64_t number;

	if (json_is(value, JSON_STRING) && value.count == 0)
		return true;
	if (json_is(value, JSON_STRING) ? !str_to_int64(json_str(value), &number)
					: !json_to_int64(value, &number))
		return false;
	*out = json_int(number);
	return true;
}

static bool to_number(struct conformer *conformer, struct json value, struct json *out)
{
	struct json number;
	struct error err;

	if (json_is(value, JSON_DOUBLE) && value.number - value.number != 0.0)
		return false; /* no JSON number: infinite, or none at all */
	if (json_is_number(value)) {
		*out = value;
		return true;
	}
	if (!json_is(value, JSON_STRING))
		return false;
	if (value.count == 0)
		return true;
	if (!json_parse(conformer->arena, json_str(value), &json_limits_default, &number, &err) ||
	    !json_is_number(number))
		return false;
	*out = number;
	return true;
}

static bool to_boolean(struct json value, struct json *out)
{
	if (json_is(value, JSON_BOOL)) {
		*out = value;
		return true;
	}
	if (json_is(value, JSON_INT) && (value.integer == 0 || value.integer == 1)) {
		*out = json_bool(value.integer == 1);
		return true;
	}
	if (!json_is(value, JSON_STRING))
		return false;
	if (value.count == 0)
		return true;
	bool is_true = str_equal(json_str(value), STR("true"));
	*out = json_bool(is_true);
	return is_true || str_equal(json_str(value), STR("false"));
}

static bool to_date_time(struct conformer *conformer, struct json value, struct json *out)
{
	struct str text;

	if (!json_is(value, JSON_STRING))
		return false;
	if (value.count == 0)
		return true;
	if (!moment_to_utc(conformer->arena, json_str(value), &text))
		return false;
	*out = text.data == value.text ? value : json_string(text);
	out->flags |= JSON_PLAIN | JSON_ASCII;
	return true;
}

static bool to_date(struct json value, struct json *out)
{
	struct str text;

	if (!json_is(value, JSON_STRING))
		return false;
	if (value.count == 0)
		return true;
	if (!moment_to_date(json_str(value), &text))
		return false;
	*out = json_string(text);
	out->flags = JSON_PLAIN | JSON_ASCII;
	return true;
}

/* --- enums ----------------------------------------------------------------------------------- */

/* "On site", "on-site" and "ON_SITE" are on_site: people spell, ATSs too. */
static bool is_same_word(struct str text, struct str word)
{
	if (text.len != word.len)
		return false;
	for (size_t i = 0; i < text.len; i++) {
		char c = text.data[i];

		if (c >= 'A' && c <= 'Z')
			c = (char)(c - 'A' + 'a');
		else if (c == ' ' || c == '-')
			c = '_';
		if (c != word.data[i])
			return false;
	}
	return true;
}

static struct json enum_value(struct str word)
{
	struct json value = json_string(word);

	value.flags = JSON_PLAIN | JSON_ASCII;
	return value;
}

static bool to_enum(const struct model_field *field, struct json value, struct json *out)
{
	const struct str *other = NULL;

	if (!json_is(value, JSON_STRING) && !json_is_number(value))
		return false;
	for (size_t i = 0; i < field->value_count; i++) {
		if (json_is(value, JSON_STRING) &&
		    is_same_word(json_str(value), field->values[i])) {
			*out = enum_value(field->values[i]);
			return true;
		}
		if (str_equal(field->values[i], STR("other")))
			other = &field->values[i];
	}
	if (json_is(value, JSON_STRING) && value.count == 0)
		return true;
	if (other != NULL)
		*out = enum_value(*other);
	return other != NULL;
}

/* --- objects and lists ----------------------------------------------------------------------- */

static struct json conform_field(struct conformer *conformer, const struct model_field *field,
				 struct json value);

static bool is_member(const struct json_member *member, const struct model_field *field)
{
	return member->key_hash == field->hash && member->key_len == field->name.len &&
	       memcmp(member->key, field->name.data, field->name.len) == 0;
}

/* *at is where the field before it was found: most objects are in the model's order. */
static struct json find_member(struct json object, const struct model_field *field, uint32_t *at)
{
	for (uint32_t n = 0, i = *at; n < object.count; n++, i++) {
		if (i >= object.count)
			i = 0;
		if (!is_member(&object.members[i], field))
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
	struct conformer quiet = {.arena = conformer->arena};

	if (!json_is(value, JSON_UNDEFINED))
		return conform_field(conformer, field, value);
	return conform_field(&quiet, field, of);
}

static bool to_object(struct conformer *conformer, const struct model_field *field,
		      struct json value, struct json *out)
{
	struct json_member *members;
	struct json of = json_undefined();
	bool has_known = false;
	uint32_t at = 0;
	size_t found = 0;

	if (!json_is(value, JSON_OBJECT))
		return false;
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
	if (has_known)
		*out = json_object(members, field->field_count);
	return true;
}

/* One value, not nothing. *out is null before. */
static bool convert(struct conformer *conformer, const struct model_field *field,
		    struct json value, struct json *out)
{
	switch (field->type) {
	case MODEL_TEXT:
		return to_text(conformer, value, out);
	case MODEL_INTEGER:
		return to_integer(value, out);
	case MODEL_NUMBER:
		return to_number(conformer, value, out);
	case MODEL_BOOLEAN:
		return to_boolean(value, out);
	case MODEL_DATE_TIME:
		return to_date_time(conformer, value, out);
	case MODEL_DATE:
		return to_date(value, out);
	case MODEL_ENUM:
		return to_enum(field, value, out);
	case MODEL_OBJECT:
		return to_object(conformer, field, value, out);
	case MODEL_ANY:
		*out = value;
		return !json_is(value, JSON_EXTENSION);
	}
	return false;
}

static struct json conform_one(struct conformer *conformer, const struct model_field *field,
			       struct json value)
{
	struct json out = json_null();

	if (is_nothing(value) || convert(conformer, field, value, &out))
		return out;
	conformer->misfits++;
	return json_null();
}

static struct json conform_list(struct conformer *conformer, const struct model_field *field,
				struct json value)
{
	const struct json *given = &value;
	size_t given_count = 1, count = 0;
	struct json *items;

	if (is_nothing(value))
		return json_array(NULL, 0);
	if (json_is(value, JSON_ARRAY)) {
		given = value.items;
		given_count = value.count;
	}
	items = arena_array(conformer->arena, given_count + 1, sizeof *items);
	for (size_t i = 0; i < given_count; i++) {
		struct json item = conform_one(conformer, field, given[i]);

		if (!json_is(item, JSON_NULL))
			items[count++] = item;
	}
	return json_array(items, count);
}

/* A sequence of one is that one, and an empty one nothing: as JSONata has it. */
static struct json conform_field(struct conformer *conformer, const struct model_field *field,
				 struct json value)
{
	if (field->is_list)
		return conform_list(conformer, field, value);
	if (json_is(value, JSON_ARRAY) && field->type != MODEL_ANY && value.count < 2)
		value = value.count == 0 ? json_undefined() : value.items[0];
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
		struct json value = field->is_remote_word
					    ? conform_remote_word(&conformer, field, mapped[i],
								  mapped[i - 1])
					    : conform_field(&conformer, field, mapped[i]);
		put_member(&members[count++], field, value);
	}
	if (!json_is(remote, JSON_UNDEFINED))
		members[count++] = json_member(STR("remote_data"), remote);
	*misfits += conformer.misfits;
	return json_object(members, count);
}
