/* Schemas as clients take them, and a tool's text as tools/list shows it. */
#include "ats/tool/parts.h"

/* "string" of ["string", "null"]. */
static struct json plain_type(struct json type)
{
	for (size_t i = 0; json_is(type, JSON_ARRAY) && i < type.count; i++)
		if (!str_equal(json_str(json_at(type, i)), STR("null")))
			return json_at(type, i);
	return type;
}

static struct json without_null(struct arena *arena, struct json values)
{
	struct json_builder out;

	json_builder_init(&out, arena);
	for (size_t i = 0; i < values.count; i++)
		if (!json_is(json_at(values, i), JSON_NULL))
			json_builder_add(&out, json_at(values, i));
	return json_builder_array(&out);
}

/* What an object's id or name is needs no words. */
static bool speaks_for_itself(struct str name)
{
	return str_equal_c(name, "id") || str_equal_c(name, "name");
}

static struct json without_description(struct arena *arena, struct json schema)
{
	struct json_builder out;

	json_builder_init(&out, arena);
	for (size_t i = 0; i < schema.count; i++)
		if (!str_equal_c(json_name(&schema.members[i]), "description"))
			json_builder_set(&out, json_name(&schema.members[i]),
					 schema.members[i].value);
	return json_builder_object(&out);
}

static struct json plain_members(struct arena *arena, struct json properties, const char *any)
{
	struct json_builder out;

	json_builder_init(&out, arena);
	for (size_t i = 0; i < properties.count; i++) {
		struct str name = json_name(&properties.members[i]);
		struct json member = schema_plain(arena, properties.members[i].value, any);

		json_builder_set(&out, name,
				 speaks_for_itself(name) ? without_description(arena, member)
							 : member);
	}
	return json_builder_object(&out);
}

struct json schema_plain(struct arena *arena, struct json schema, const char *any)
{
	struct json type = plain_type(json_get_c(schema, "type"));
	struct json values = json_get_c(schema, "enum"), items = json_get_c(schema, "items");
	struct json properties = json_get_c(schema, "properties");
	struct str format = json_get_str(schema, "format");
	struct json_builder out;

	json_builder_init(&out, arena);
	json_builder_set(&out, STR("type"),
			 json_is(type, JSON_UNDEFINED) ? json_string_c(any) : type);
	json_builder_set(&out, STR("description"), json_get_c(schema, "description"));
	if (str_starts_with(format, STR("date")))
		json_builder_set(&out, STR("format"), json_string(format));
	if (json_is(values, JSON_ARRAY))
		json_builder_set(&out, STR("enum"), without_null(arena, values));
	if (json_is(items, JSON_OBJECT))
		json_builder_set(&out, STR("items"), schema_plain(arena, items, any));
	if (json_is(properties, JSON_OBJECT)) {
		json_builder_set(&out, STR("properties"), plain_members(arena, properties, any));
		json_builder_set(&out, STR("required"), json_get_c(schema, "required"));
	}
	return json_builder_object(&out);
}

/* --- what a tool takes and gives -------------------------------------------------------------- */

static struct json input_schema(const struct maker *maker)
{
	struct json_builder out, properties, required;

	json_builder_init(&out, maker->arena);
	json_builder_init(&properties, maker->arena);
	json_builder_init(&required, maker->arena);
	for (size_t i = 0; i < maker->count; i++) {
		const struct tool_parameter *parameter = &maker->parameters[i];

		json_builder_set(&properties, parameter->name, parameter->schema);
		if (parameter->is_required)
			json_builder_add(&required, json_string(parameter->name));
	}
	json_builder_set(&out, STR("type"), json_string(STR("object")));
	if (properties.count > 0)
		json_builder_set(&out, STR("properties"), json_builder_object(&properties));
	if (required.count > 0)
		json_builder_set(&out, STR("required"), json_builder_array(&required));
	json_builder_set(&out, STR("additionalProperties"), json_bool(false));
	return json_builder_object(&out);
}

static struct json of_type(struct arena *arena, const char *type, const char *description)
{
	struct json_builder out;

	json_builder_init(&out, arena);
	json_builder_set(&out, STR("type"), json_string_c(type));
	if (description != NULL)
		json_builder_set(&out, STR("description"), json_string_c(description));
	return json_builder_object(&out);
}

/* A list of such; undefined: of anything. */
static struct json of_items(struct arena *arena, struct json items)
{
	struct json_builder out;

	json_builder_init(&out, arena);
	json_builder_set(&out, STR("type"), json_string(STR("array")));
	json_builder_set(&out, STR("items"), items);
	return json_builder_object(&out);
}

static const char *record_type(const struct model_field *field)
{
	static const char *const names[] = {
		[MODEL_TEXT] = "string",      [MODEL_INTEGER] = "integer",
		[MODEL_NUMBER] = "number",    [MODEL_BOOLEAN] = "boolean",
		[MODEL_DATE_TIME] = "string", [MODEL_DATE] = "string",
		[MODEL_ENUM] = "string",      [MODEL_OBJECT] = "object",
	};

	if (field->is_list)
		return "array";
	return field->type == MODEL_ANY || field->type == MODEL_FILE ? NULL : names[field->type];
}

/* What a unified record's fields are, as far as masks, cuts and marks leave them so: neither
 * values nor formats. Which are there depends on the ATS and on what was asked for. */
static void put_record(const struct maker *maker, struct json_builder *properties)
{
	const struct model_resource *model = maker->tool->unified->model;

	for (size_t i = 0; i < model->field_count; i++) {
		const char *type = record_type(&model->fields[i]);
		struct json schema;

		if (type == NULL)
			continue;
		schema = model->fields[i].is_list ? of_items(maker->arena, json_undefined())
						  : of_type(maker->arena, type, NULL);
		json_builder_set(properties, model->fields[i].name, schema);
	}
}

static struct json record_schema(const struct maker *maker)
{
	struct json_builder out, properties;

	json_builder_init(&out, maker->arena);
	json_builder_init(&properties, maker->arena);
	json_builder_set(&out, STR("type"), json_string(STR("object")));
	if (maker->tool->is_unified && (maker->tool->kind & TOOL_READ)) {
		put_record(maker, &properties);
		json_builder_set(&out, STR("properties"), json_builder_object(&properties));
	}
	return json_builder_object(&out);
}

/* Of what came from the local copy. */
static void put_source(const struct maker *maker, struct json_builder *properties)
{
	if (maker->tool->is_list)
		json_builder_set(properties, STR("total_count"),
				 of_type(maker->arena, "integer", NULL));
	json_builder_set(properties, STR("age"),
			 of_type(maker->arena, "integer", "Seconds, of a copy."));
}

/* Of a list the page, else the record, or what a dry run or an ATS's own answer tells: open. */
static struct json output_schema(const struct maker *maker)
{
	struct arena *arena = maker->arena;
	struct json record = record_schema(maker);
	struct json own = json_get_c(record, "properties");
	struct json_builder out, properties;

	json_builder_init(&properties, arena);
	if (maker->tool->is_list) {
		json_builder_set(&properties, STR("result"), of_items(arena, record));
		json_builder_set(&properties, STR("next_cursor"),
				 of_type(arena, "string", "Not there on the last page."));
	} else {
		for (size_t i = 0; json_is(own, JSON_OBJECT) && i < own.count; i++)
			json_builder_set(&properties, json_name(&own.members[i]),
					 own.members[i].value);
	}
	if (maker->tool->is_unified && (maker->tool->kind & TOOL_READ))
		put_source(maker, &properties);
	json_builder_set(&properties, STR("note"),
			 of_type(arena, "string", "What is missing, and how to get it."));
	json_builder_init(&out, arena);
	json_builder_set(&out, STR("type"), json_string(STR("object")));
	json_builder_set(&out, STR("properties"), json_builder_object(&properties));
	return json_builder_object(&out);
}

/* All four, for what is left out means the worst. */
static struct json annotations(const struct maker *maker)
{
	const struct tool *tool = maker->tool;
	bool is_read = tool->kind & TOOL_READ;
	struct json_builder out;

	json_builder_init(&out, maker->arena);
	json_builder_set(&out, STR("readOnlyHint"), json_bool(is_read));
	json_builder_set(&out, STR("destructiveHint"), json_bool(tool->is_destructive));
	json_builder_set(&out, STR("idempotentHint"), json_bool(tool->is_idempotent));
	json_builder_set(&out, STR("openWorldHint"), json_bool(true));
	return json_builder_object(&out);
}

static struct str print(const struct maker *maker, struct json output)
{
	const struct tool *tool = maker->tool;
	struct json_builder out;
	struct buffer text;

	json_builder_init(&out, maker->arena);
	json_builder_set(&out, STR("name"), json_string(tool->name));
	json_builder_set(&out, STR("title"), json_string(tool->title));
	json_builder_set(&out, STR("description"), json_string(tool->description));
	json_builder_set(&out, STR("inputSchema"), tool->schema);
	json_builder_set(&out, STR("outputSchema"), output);
	json_builder_set(&out, STR("annotations"), annotations(maker));
	buffer_init(&text, maker->arena, SIZE_MAX);
	json_print(&text, json_builder_object(&out));
	return buffer_str(&text);
}

void maker_print(struct maker *maker)
{
	struct tool *tool = maker->tool;

	tool->schema = input_schema(maker);
	tool->output = output_schema(maker);
	tool->text = print(maker, json_undefined());
	tool->text_structured = print(maker, tool->output);
}
