/* The body of a request against the fields that it may have. People wrote it, so that everything
 * which is not understood is told, with the place where it stands. */
#include <assert.h>
#include <stdio.h>

#include "ats/model/value.h"

enum { DEPTH_MAX = 12 };

/* Where in the body something stands: written only when it is to be told. */
struct place {
	const struct place *outer;
	struct str name;
	size_t index; /* of a list's item, from 1; 0: none */
};

struct checker {
	struct arena *arena;
	const char *what;
	struct json_builder *missing; /* or NULL */
	struct error *err;
};

static void write_place(const struct place *place, char *path, size_t size)
{
	size_t len;

	if (place->outer != NULL)
		write_place(place->outer, path, size);
	len = strlen(path);
	if (place->index > 0)
		snprintf(path + len, size - len, "[%zu]", place->index - 1);
	else
		snprintf(path + len, size - len, "%s%.*s", len > 0 ? "." : "",
			 STR_ARGS(place->name));
}

static const char *type_name(const struct model_field *field)
{
	static const char *const names[] = {
		[MODEL_TEXT] = "a text",
		[MODEL_INTEGER] = "a whole number",
		[MODEL_NUMBER] = "a number",
		[MODEL_BOOLEAN] = "true or false",
		[MODEL_DATE_TIME] = "a date-time as 2026-03-04T09:15:00Z",
		[MODEL_DATE] = "a date as 2026-03-04",
		[MODEL_ENUM] = "one of its values",
		[MODEL_OBJECT] = "an object",
		[MODEL_ANY] = "any value",
		[MODEL_FILE] = "a file",
	};

	return names[field->type];
}

static struct str list_values(struct arena *arena, const struct model_field *field)
{
	return field->type == MODEL_ENUM
		       ? definition_names(arena, field->values, field->value_count)
		       : str_from_c(type_name(field));
}

static bool refuse_value(const struct checker *checker, const struct place *place,
			 const struct model_field *field)
{
	char path[sizeof checker->err->field] = "";
	struct str allowed = list_values(checker->arena, field);

	write_place(place, path, sizeof path);
	return error_set_field(checker->err, ERROR_INVALID, path, arena_c(checker->arena, allowed),
			       "%s must be %s%.*s", path,
			       field->type == MODEL_ENUM ? "one of " : "", STR_ARGS(allowed));
}

static bool refuse_unknown(const struct checker *checker, const struct place *place,
			   const struct model_field *fields, size_t count)
{
	char path[sizeof checker->err->field] = "";
	struct str *names = arena_array(checker->arena, count + 1, sizeof *names);
	size_t known = 0;

	for (size_t i = 0; i < count; i++)
		if (!fields[i].is_remote_word)
			names[known++] = fields[i].name;
	write_place(place, path, sizeof path);
	return error_set_field(
		checker->err, ERROR_INVALID, path,
		arena_c(checker->arena, definition_names(checker->arena, names, known)),
		"%s does not know \"%s\"", checker->what, path);
}

static bool note_missing(const struct checker *checker, const struct place *place,
			 const struct model_field *field)
{
	char path[sizeof checker->err->field] = "";

	write_place(place, path, sizeof path);
	if (checker->missing == NULL)
		return error_set_field(checker->err, ERROR_INVALID, path,
				       arena_c(checker->arena, list_values(checker->arena, field)),
				       "%s wants \"%s\"", checker->what, path);
	json_builder_add(checker->missing,
			 json_string(arena_str(checker->arena, str_from_c(path))));
	return true;
}

/* --- values ---------------------------------------------------------------------------------- */

static bool check_object(const struct checker *checker, const struct place *place, int depth,
			 const struct model_field *fields, size_t count, struct json value,
			 struct json *out);

/* As to_enum() takes it: an ATS's own words to the letter, ours as people spell them. */
static bool is_value(const struct model_field *field, struct json given, struct json converted)
{
	if (field->type != MODEL_ENUM)
		return true;
	if (!field->is_exact)
		/* What fits none becomes "other" in a record; here it must have been meant. */
		return !json_is(converted, JSON_STRING) ||
		       !str_equal(json_str(converted), STR("other")) ||
		       str_equal_nocase(json_str(given), STR("other"));
	for (size_t i = 0; i < field->value_count; i++)
		if (str_equal(field->values[i], json_str(given)))
			return true;
	return false;
}

static bool check_one(const struct checker *checker, const struct place *place, int depth,
		      const struct model_field *field, struct json value, struct json *out)
{
	*out = json_null();
	if (json_is(value, JSON_NULL))
		return true;
	if (field->type == MODEL_OBJECT)
		return json_is(value, JSON_OBJECT)
			       ? check_object(checker, place, depth + 1, field->fields,
					      field->field_count, value, out)
			       : refuse_value(checker, place, field);
	if (field->type == MODEL_ENUM && !json_is(value, JSON_STRING))
		return refuse_value(checker, place, field);
	if (field->type == MODEL_ENUM && field->is_exact)
		*out = value;
	else
		*out = value_convert(checker->arena, field, value);
	if (json_is(*out, JSON_UNDEFINED))
		return refuse_value(checker, place, field);
	/* An empty text empties a field; of another type it is none. */
	if (json_is(*out, JSON_NULL) && field->type == MODEL_TEXT)
		*out = value;
	return !json_is(*out, JSON_NULL) && is_value(field, value, *out)
		       ? true
		       : refuse_value(checker, place, field);
}

static bool check_list(const struct checker *checker, const struct place *place, int depth,
		       const struct model_field *field, struct json value, struct json *out)
{
	const struct json *given = &value;
	size_t count = 1;
	struct json *items;

	*out = json_null();
	if (json_is(value, JSON_NULL))
		return true;
	if (json_is(value, JSON_ARRAY)) {
		given = value.items;
		count = value.count;
	}
	items = arena_array(checker->arena, count + 1, sizeof *items);
	for (size_t i = 0; i < count; i++) {
		struct place at = {place, {NULL, 0}, i + 1};

		if (json_is(given[i], JSON_NULL))
			return refuse_value(checker, &at, field);
		if (!check_one(checker, &at, depth, field, given[i], &items[i]))
			return false;
	}
	*out = json_array(items, count);
	return true;
}

static const struct model_field *find_field(const struct model_field *fields, size_t count,
					    const struct json_member *member)
{
	for (size_t i = 0; i < count; i++)
		if (fields[i].hash == member->key_hash && !fields[i].is_remote_word &&
		    str_equal(fields[i].name, json_name(member)))
			return &fields[i];
	return NULL;
}

static bool check_required(const struct checker *checker, const struct place *place,
			   const struct model_field *fields, size_t count, struct json value)
{
	for (size_t i = 0; i < count; i++) {
		struct place at = {place, fields[i].name, 0};
		struct json given = json_get_hashed(value, fields[i].name, fields[i].hash);
		bool is_there = !json_is(given, JSON_UNDEFINED) && !json_is(given, JSON_NULL) &&
				!(fields[i].type == MODEL_TEXT && json_is(given, JSON_STRING) &&
				  str_trim(json_str(given)).len == 0) &&
				!(json_is(given, JSON_ARRAY) && given.count == 0);

		if (fields[i].is_required && !is_there && !note_missing(checker, &at, &fields[i]))
			return false;
	}
	return true;
}

static bool check_object(const struct checker *checker, const struct place *place, int depth,
			 const struct model_field *fields, size_t count, struct json value,
			 struct json *out)
{
	struct json_member *members = arena_array(checker->arena, value.count + 1, sizeof *members);

	if (depth > DEPTH_MAX)
		return error_set(checker->err, ERROR_LIMIT, "%s is nested too deeply",
				 checker->what);
	for (size_t i = 0; i < value.count; i++) {
		const struct json_member *member = &value.members[i];
		const struct model_field *field = find_field(fields, count, member);
		struct place at = {place, json_name(member), 0};

		if (field == NULL)
			return refuse_unknown(checker, &at, fields, count);
		members[i] = *member;
		if (!(field->is_list ? check_list(checker, &at, depth, field, member->value,
						  &members[i].value)
				     : check_one(checker, &at, depth, field, member->value,
						 &members[i].value)))
			return false;
	}
	*out = json_object(members, value.count);
	return check_required(checker, place, fields, count, value);
}

bool model_check(struct arena *arena, const struct model_field *fields, size_t count,
		 const char *what, struct json value, struct json_builder *missing,
		 struct json *out, struct error *err)
{
	const struct checker checker = {arena, what, missing, err};

	assert(json_is(value, JSON_OBJECT));
	return check_object(&checker, NULL, 0, fields, count, value, out);
}
