/* {{expressions}} in what a part asks for. */
#include "front/batch/parts.h"

enum { VARIABLE_RESULTS, VARIABLE_ARGS, VARIABLES };

enum { FILL_DEPTH_MAX = 32 };

struct filling {
	const struct batch *batch;
	const char *name;
	struct json record;
};

static bool evaluate(const struct filling *filling, struct str text, struct json *out,
		     struct error *err)
{
	static const struct str names[] = {STR_INIT("results"), STR_INIT("args")};
	const struct jsonata_options options = {.variables = names, .variable_count = VARIABLES};
	struct arena *arena = filling->batch->exchange->arena;
	struct jsonata_error fault;
	const struct jsonata *expression = jsonata_compile(arena, text, &options, &fault);
	const struct jsonata_context context = {
		.arena = arena,
		.limits = &jsonata_limits_default,
		.variables = (const struct json[VARIABLES]){filling->batch->results,
							    filling->batch->args},
		.clock = filling->batch->door->services->clock,
		.random = filling->batch->door->services->random,
	};

	if (expression != NULL &&
	    jsonata_evaluate(expression, &context, filling->record, out, &fault))
		return true;
	return error_set_field(err, ERROR_INVALID, filling->name, "a JSONata expression",
			       "{{%.*s}}: %s at %zu: %.*s", STR_ARGS(str_slice(text, 0, 64)),
			       fault.code, fault.position, STR_ARGS(fault.message));
}

static void append_text(struct buffer *out, struct json value)
{
	if (json_is(value, JSON_STRING))
		buffer_append(out, json_str(value));
	else if (!json_is(value, JSON_UNDEFINED) && !json_is(value, JSON_NULL))
		json_print(out, value);
}

static bool fill_text(const struct filling *filling, struct json value, struct json *out,
		      struct error *err)
{
	struct str rest = json_str(value);
	struct buffer text;
	struct json part;
	ptrdiff_t open, close;

	*out = value;
	if (str_find(rest, STR("{{")) < 0)
		return true;
	buffer_init(&text, filling->batch->exchange->arena, SIZE_MAX);
	while ((open = str_find(rest, STR("{{"))) >= 0) {
		struct str after = str_slice(rest, (size_t)open + 2, rest.len);

		close = str_find(after, STR("}}"));
		if (close < 0)
			break;
		if (!evaluate(filling, str_slice(after, 0, (size_t)close), &part, err))
			return false;
		if (open == 0 && text.len == 0 && (size_t)close + 2 == after.len) {
			*out = part;
			return true;
		}
		buffer_append(&text, str_slice(rest, 0, (size_t)open));
		append_text(&text, part);
		rest = str_slice(after, (size_t)close + 2, after.len);
	}
	buffer_append(&text, rest);
	*out = json_string(buffer_str(&text));
	return true;
}

static bool fill(const struct filling *filling, struct json value, int depth, struct json *out,
		 struct error *err);

/* Elements that come to nothing are left out. */
static bool fill_array(const struct filling *filling, struct json value, int depth,
		       struct json *out, struct error *err)
{
	struct json_builder items;
	struct json item;

	json_builder_init(&items, filling->batch->exchange->arena);
	for (size_t i = 0; i < value.count; i++) {
		if (!fill(filling, json_at(value, i), depth, &item, err))
			return false;
		if (!json_is(item, JSON_UNDEFINED))
			json_builder_add(&items, item);
	}
	*out = json_builder_array(&items);
	return true;
}

static bool fill_object(const struct filling *filling, struct json value, int depth,
			struct json *out, struct error *err)
{
	struct json_builder members;
	struct json item;

	json_builder_init(&members, filling->batch->exchange->arena);
	for (size_t i = 0; i < value.count; i++) {
		if (!fill(filling, value.members[i].value, depth, &item, err))
			return false;
		if (!json_is(item, JSON_UNDEFINED))
			json_builder_set(&members,
					 json_name(&value.members[i]),
					 item);
	}
	*out = json_builder_object(&members);
	return true;
}

static bool fill(const struct filling *filling, struct json value, int depth, struct json *out,
		 struct error *err)
{
	*out = value;
	if (depth > FILL_DEPTH_MAX)
		return error_set_field(err, ERROR_INVALID, filling->name, "32 levels at most",
				       "%s is nested too deep", filling->name);
	if (json_is(value, JSON_STRING))
		return fill_text(filling, value, out, err);
	if (json_is(value, JSON_ARRAY))
		return fill_array(filling, value, depth + 1, out, err);
	if (json_is(value, JSON_OBJECT))
		return fill_object(filling, value, depth + 1, out, err);
	return true;
}

bool parts_fill(const struct batch *batch, const char *name, struct json record, struct json value,
		struct json *out, struct error *err)
{
	const struct filling filling = {batch, name, record};

	return fill(&filling, value, 0, out, err);
}
