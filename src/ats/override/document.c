/* Overrides of one resource as callers write them, and back. */
#include <assert.h>
#include <stdio.h>

#include "ats/override/override.h"

enum { FIELD_BYTES_MAX = 200, PART_BYTES_MAX = 200 };

struct reader {
	struct arena *arena;
	struct str resource;
	struct override *list;
	size_t count;
	struct error *err;
};

static struct str dotted(struct arena *arena, struct str part)
{
	char *text = arena_c(arena, part);

	for (size_t i = 0; i < part.len; i++)
		if (text[i] == '/')
			text[i] = '.';
	return str_make(text, part.len);
}

struct str override_path(struct arena *arena, const struct override *override)
{
	return arena_format(arena, "%.*s.%.*s", STR_ARGS(dotted(arena, override->part)),
			    STR_ARGS(override->field));
}

static struct str member_key(const struct json_member *member)
{
	return json_name(member);
}

static bool refuse(struct reader *reader, struct str place, const char *allowed)
{
	return error_set_field(reader->err, ERROR_INVALID, arena_c(reader->arena, place), allowed,
			       "%.*s must be %s", STR_ARGS(str_slice(place, 0, 200)), allowed);
}

static bool read_field(struct reader *reader, struct str part, const struct json_member *member)
{
	struct override *override = &reader->list[reader->count];
	struct json value = member->value;

	*override = (struct override){
		.resource = reader->resource, .part = part, .field = member_key(member)};
	struct str place = override_path(reader->arena, override);

	if (override->field.len == 0 || override->field.len > FIELD_BYTES_MAX ||
	    http_has_control_byte(override->field))
		return refuse(reader, place, "the name of a field, of at most 200 bytes");
	if (json_is(value, JSON_STRING))
		override->expression = json_str(value);
	else if (!json_is(value, JSON_NULL))
		return refuse(reader, place, "an expression, or null for none");
	if (json_is(value, JSON_STRING) && str_trim(override->expression).len == 0)
		return refuse(reader, place, "an expression, or null for none");
	if (override->expression.len > OVERRIDE_BYTES_MAX)
		return refuse(reader, place, "at most 16384 bytes long");
	reader->count++;
	return true;
}

static bool read_fields(struct reader *reader, struct str part, struct json fields)
{
	if (part.len > PART_BYTES_MAX || http_has_control_byte(part))
		return refuse(reader, str_slice(part, 0, 80), "a shorter name");
	if (!json_is(fields, JSON_OBJECT))
		return refuse(reader, dotted(reader->arena, part),
			      "an object of fields and expressions");
	if (fields.count + reader->count > OVERRIDES_MAX)
		return refuse(reader, dotted(reader->arena, part), "one of at most 500 overrides");
	for (size_t i = 0; i < fields.count; i++)
		if (!read_field(reader, part, &fields.members[i]))
			return false;
	return true;
}

/* `depth` more names stand before the fields; none of them may have the mark that parts them. */
static bool read_part(struct reader *reader, struct str part, int depth, struct json value)
{
	if (depth == 0)
		return read_fields(reader, part, value);
	if (!json_is(value, JSON_OBJECT))
		return refuse(reader, dotted(reader->arena, part), "an object");
	for (size_t i = 0; i < value.count; i++) {
		struct str key = member_key(&value.members[i]);
		struct str inner = arena_format(reader->arena, "%.*s/%.*s", STR_ARGS(part),
						STR_ARGS(str_slice(key, 0, 100)));

		if (key.len == 0 || key.len > 64 || str_find_byte(key, '/') >= 0)
			return refuse(reader, dotted(reader->arena, part), "an object of names");
		if (!read_part(reader, inner, depth - 1, value.members[i].value))
			return false;
	}
	return true;
}

bool override_read(struct arena *arena, struct str resource, struct json document,
		   struct override **list, size_t *count, struct error *err)
{
	struct reader reader = {.arena = arena, .resource = resource, .err = err};

	reader.list = arena_array(arena, OVERRIDES_MAX + 1, sizeof *reader.list);
	if (!json_is(document, JSON_OBJECT))
		return error_set_field(err, ERROR_INVALID, "overrides", "an object",
				       "overrides must be an object");
	for (size_t i = 0; i < document.count; i++) {
		struct str key = member_key(&document.members[i]);
		struct json value = document.members[i].value;
		bool ok;

		if (str_equal(key, STR("response")))
			ok = read_part(&reader, key, 0, value);
		else if (str_equal(key, STR("tables")))
			ok = read_part(&reader, key, 1, value);
		else if (str_equal(key, STR("request")))
			ok = read_part(&reader, key, 2, value);
		else
			ok = error_set_field(
				err, ERROR_INVALID, arena_c(arena, str_slice(key, 0, 64)),
				"response, tables, request", "overrides have no member \"%.*s\"",
				STR_ARGS(str_slice(key, 0, 64)));
		if (!ok)
			return false;
	}
	*list = reader.list;
	*count = reader.count;
	return true;
}

/* --- back ------------------------------------------------------------------------------------ */

/* The object at the names of the part, all of them from the overrides which share it: these stand
 * together, for the list is sorted. */
static struct json print_level(struct arena *arena, const struct override *list, size_t count,
			       size_t prefix)
{
	struct json_builder members;

	json_builder_init(&members, arena);
	for (size_t i = 0; i < count;) {
		struct str part = list[i].part;
		struct str rest = str_slice(part, prefix, part.len);
		struct str name = str_cut(&rest, '/');
		size_t end = i + 1, next = prefix + name.len + 1;

		if (name.len == 0) {
			json_builder_set(&members, list[i].field, json_string(list[i].expression));
			i = end;
			continue;
		}
		while (end < count &&
		       str_equal(str_slice(list[end].part, 0, prefix + name.len),
				 str_slice(part, 0, prefix + name.len)) &&
		       (list[end].part.len == prefix + name.len ||
			list[end].part.data[prefix + name.len] == '/'))
			end++;
		json_builder_set(&members, name, print_level(arena, list + i, end - i, next));
		i = end;
	}
	return json_builder_object(&members);
}

struct json override_print(struct arena *arena, const struct override *list, size_t count,
			   struct str resource, bool is_account)
{
	struct override *own = arena_array(arena, count + 1, sizeof *own);
	size_t own_count = 0;

	for (size_t i = 0; i < count; i++)
		if (list[i].is_account == is_account && str_equal(list[i].resource, resource))
			own[own_count++] = list[i];
	return print_level(arena, own, own_count, 0);
}
