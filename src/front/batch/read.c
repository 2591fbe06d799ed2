/* The body of a batch. */
#include <stdio.h>

#include "front/batch/parts.h"

enum { NAME_MAX_BYTES = 100 };

static const char *const batch_members[] = {"integrated_account_id", "resources", "args"};
static const char *const part_members[] = {"name",
					   "resource",
					   "method",
					   "id",
					   "query",
					   "body",
					   "depends_on",
					   "loop_on",
					   "integrated_account_id",
					   "idempotency_key"};

static const char *spell(const struct batch *batch, size_t number, const char *member)
{
	return arena_c(batch->exchange->arena,
		       arena_format(batch->exchange->arena, "resources[%zu]%s%s", number,
				    member[0] == '\0' ? "" : ".", member));
}

static bool is_known(struct str name, const char *const *known, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (str_equal_c(name, known[i]))
			return true;
	return false;
}

static bool check_members(const struct batch *batch, struct json object, const char *const *known,
			  size_t count, const char *allowed, size_t number, struct error *err)
{
	for (size_t i = 0; i < object.count; i++) {
		struct str name = json_name(&object.members[i]);
		const char *c_name = arena_c(batch->exchange->arena, str_slice(name, 0, 64));

		if (!is_known(name, known, count))
			return error_set_field(err, ERROR_INVALID,
					       known == part_members ? spell(batch, number, c_name)
								     : c_name,
					       allowed, "\"%s\" is not known here", c_name);
	}
	return true;
}

/* A text that may be missing; then *out stays. */
static bool read_text(const struct batch *batch, struct json object, size_t number,
		      const char *member, struct str *out, struct error *err)
{
	struct json value = json_get_c(object, member);

	if (json_is(value, JSON_UNDEFINED) || json_is(value, JSON_NULL))
		return true;
	if (!json_is(value, JSON_STRING) || value.count == 0 || value.count > 255)
		return error_set_field(err, ERROR_INVALID, spell(batch, number, member),
				       "a text of 1 to 255 bytes", "%s must be a text", member);
	*out = json_str(value);
	return true;
}

/* It becomes a part of a path. */
static bool check_resource(const struct batch *batch, const struct part *part, struct error *err)
{
	size_t slashes = 0;

	for (size_t i = 0; i < part->resource.len; i++) {
		char c = part->resource.data[i];

		slashes += c == '/';
		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
		      c == '_' || c == '-' || c == '/'))
			slashes = 9;
	}
	return (part->resource.len > 0 && slashes <= 1) ||
	       error_set_field(
		       err, ERROR_INVALID, spell(batch, part->number, "resource"),
		       "a resource of a model, such as ats/candidates, or of the ATS itself",
		       "\"%.*s\" is no resource", STR_ARGS(str_slice(part->resource, 0, 64)));
}

static const struct part *find_part(const struct batch *batch, struct str name)
{
	for (size_t i = 0; i < batch->part_count; i++)
		if (str_equal(batch->parts[i].name, name))
			return &batch->parts[i];
	return NULL;
}

static bool read_one(struct batch *batch, struct json object, struct part *part, struct error *err)
{
	size_t number = part->number;

	if (!json_is(object, JSON_OBJECT))
		return error_set_field(err, ERROR_INVALID, spell(batch, number, ""), "an object",
				       "each of the resources must be an object");
	part->method = STR("list");
	if (!check_members(batch, object, part_members,
			   sizeof part_members / sizeof part_members[0],
			   "name, resource, method, id, query, body, depends_on, loop_on, "
			   "integrated_account_id, idempotency_key",
			   number, err) ||
	    !read_text(batch, object, number, "resource", &part->resource, err) ||
	    !check_resource(batch, part, err) ||
	    !read_text(batch, object, number, "method", &part->method, err) ||
	    !read_text(batch, object, number, "integrated_account_id", &part->account_id, err) ||
	    !read_text(batch, object, number, "idempotency_key", &part->key, err))
		return false;
	part->name = part->resource;
	if (!read_text(batch, object, number, "name", &part->name, err))
		return false;
	part->id = json_get_c(object, "id");
	part->query = json_get_c(object, "query");
	part->body = json_get_c(object, "body");
	if (!json_is(part->query, JSON_UNDEFINED) && !json_is(part->query, JSON_OBJECT))
		return error_set_field(err, ERROR_INVALID, spell(batch, number, "query"),
				       "an object", "query must be an object");
	if (find_part(batch, part->name) != NULL)
		return error_set_field(
			err, ERROR_INVALID, spell(batch, number, "name"), "a name of its own",
			"another of the resources has the name \"%.*s\"", STR_ARGS(part->name));
	json_builder_init(&part->records, batch->exchange->arena);
	json_builder_init(&part->errors, batch->exchange->arena);
	return true;
}

static bool refuse_name(const struct batch *batch, const struct part *part, const char *member,
			struct error *err)
{
	return error_set_field(err, ERROR_INVALID, spell(batch, part->number, member),
			       "names of resources before this one",
			       "%s names no part of the batch that comes before", member);
}

/* Only on what comes before: so there are no circles. */
static bool read_dependencies(struct batch *batch, struct json object, struct part *part,
			      struct error *err)
{
	struct json names = json_get_c(object, "depends_on"), loop = json_get_c(object, "loop_on");
	size_t room = json_is(names, JSON_ARRAY) ? names.count : 0, count = 0;
	const struct part **after = arena_array(batch->exchange->arena, room + 2, sizeof *after);

	if (!json_is(names, JSON_UNDEFINED) && !json_is(names, JSON_ARRAY))
		return refuse_name(batch, part, "depends_on", err);
	for (size_t i = 0; i < room; i++) {
		struct json name = json_at(names, i);
		after[count] = json_is(name, JSON_STRING) ? find_part(batch, json_str(name)) : NULL;
		if (after[count++] == NULL)
			return refuse_name(batch, part, "depends_on", err);
	}
	if (!json_is(loop, JSON_UNDEFINED) && !json_is(loop, JSON_NULL)) {
		part->loop_on =
			json_is(loop, JSON_STRING) ? find_part(batch, json_str(loop)) : NULL;
		if (part->loop_on == NULL)
			return refuse_name(batch, part, "loop_on", err);
		after[count++] = part->loop_on;
	}
	after[count] = NULL;
	part->after = after;
	return true;
}

bool parts_read(struct batch *batch, struct json body, struct error *err)
{
	struct json items = json_get_c(body, "resources");
	struct json account = json_get_c(body, "integrated_account_id");

	batch->args = json_get_c(body, "args");
	if (!check_members(batch, body, batch_members,
			   sizeof batch_members / sizeof batch_members[0],
			   "integrated_account_id, resources, args", 0, err))
		return false;
	if (!json_is(items, JSON_ARRAY) || items.count == 0 || items.count > PARTS_MAX)
		return error_set_field(err, ERROR_INVALID, "resources", "a list of 1 to 50",
				       "resources must be a list of 1 to %d", PARTS_MAX);
	batch->parts = arena_zero(batch->exchange->arena, items.count * sizeof *batch->parts);
	for (size_t i = 0; i < items.count; i++) {
		struct part *part = &batch->parts[i];

		part->number = i;
		if (json_is(account, JSON_STRING))
			part->account_id = json_str(account);
		if (!read_one(batch, json_at(items, i), part, err) ||
		    !read_dependencies(batch, json_at(items, i), part, err))
			return false;
		batch->part_count = i + 1;
	}
	return true;
}
