/* Bodies and queries of requests as JSON Schema. */
#include "ats/contract/parts.h"

/* --- what an ATS requires of a unified body -------------------------------------------------- */

static size_t find_field(const struct model_field *fields, size_t count, struct str name)
{
	size_t i = 0;

	while (i < count && !str_equal(fields[i].name, name))
		i++;
	return i;
}

/* Marks the members of the unified body which alone a native member is made of that the native
 * call requires. Where an expression has a choice of several, none of them is required. */
static void mark_required(const struct model_method *method, const struct model_field *native,
			  size_t native_count, const struct write_value *values, size_t count,
			  bool *required)
{
	for (size_t i = 0; i < count; i++) {
		size_t at = find_field(native, native_count, values[i].name);
		const struct model_field *field = at < native_count ? &native[at] : NULL;

		if (field == NULL || !field->is_required)
			continue;
		if (values[i].member_count > 0) {
			mark_required(method, field->fields, field->field_count, values[i].members,
				      values[i].member_count, required);
			continue;
		}
		if (!values[i].is_field)
			continue;
		at = find_field(method->fields, method->field_count, values[i].field);
		if (at < method->field_count)
			required[at] = true;
	}
}

static const bool *find_required(struct arena *arena, const struct unified_write *write)
{
	const struct model_method *method = write->model;
	bool *required = arena_zero(arena, method->field_count + 1);

	for (size_t i = 0; i < write->step_count; i++) {
		const struct write_step *step = &write->steps[i];

		if (step->method != NULL && step->when == NULL && step->each == NULL)
			mark_required(method, step->method->body, step->method->body_count,
				      step->body, step->body_count, required);
	}
	return required;
}

/* --- unified --------------------------------------------------------------------------------- */

static struct json plain(struct arena *arena, const char *type, const char *describe)
{
	struct json_builder out;

	json_builder_init(&out, arena);
	put_c(&out, "type", type);
	put_c(&out, "description", describe);
	return json_builder_object(&out);
}

/* What every body of a write may have besides. */
static void add_own(struct json_builder *properties, const struct model_method *method)
{
	struct arena *arena = properties->arena;

	if (method->has_id)
		json_builder_set(
			properties, STR("id"),
			plain(arena, "string", "Which record, where the path does not tell."));
	json_builder_set(properties, STR("remote_data"),
			 plain(arena, "object",
			       "Goes into the ATS's own request as it is, over what tenon makes."));
}

struct json contract_body(struct arena *arena, const struct model_method *method,
			  const struct unified_write *write)
{
	struct json_builder out, properties;
	struct json fields, required;

	json_builder_init(&out, arena);
	schema_put_members(&out, SCHEMA_REQUEST, method->fields, method->field_count,
			   write == NULL ? NULL : write->is_taken,
			   write == NULL ? NULL : find_required(arena, write));
	fields = json_get_c(json_builder_object(&out), "properties");
	required = json_get_c(json_builder_object(&out), "required");

	json_builder_init(&properties, arena);
	for (size_t i = 0; i < fields.count; i++)
		json_builder_set(&properties,
				 json_name(&fields.members[i]),
				 fields.members[i].value);
	add_own(&properties, method);
	json_builder_init(&out, arena);
	put_c(&out, "type", "object");
	put_text(&out, "description", method->describe);
	json_builder_set(&out, STR("properties"), json_builder_object(&properties));
	json_builder_set(&out, STR("required"), required);
	json_builder_set(&out, STR("additionalProperties"), json_bool(false));
	return json_builder_object(&out);
}

/* --- native ---------------------------------------------------------------------------------- */

static struct json parameter_schema(struct arena *arena, struct str name, enum model_type type,
				    struct str describe)
{
	const struct model_field field = {
		.name = name, .type = type, .describe = describe, .is_required = true};
	struct json_builder out;

	json_builder_init(&out, arena);
	schema_put_members(&out, SCHEMA_REQUEST, &field, 1, NULL, NULL);
	return json_get(json_get_c(json_builder_object(&out), "properties"), name);
}

static enum model_type model_type_of(enum native_type type)
{
	static const enum model_type types[] = {
		[NATIVE_TEXT] = MODEL_TEXT,	      [NATIVE_INTEGER] = MODEL_INTEGER,
		[NATIVE_NUMBER] = MODEL_NUMBER,	      [NATIVE_BOOLEAN] = MODEL_BOOLEAN,
		[NATIVE_DATE_TIME] = MODEL_DATE_TIME,
	};

	return types[type];
}

static void put_parameter(struct json_builder *properties, struct json_builder *required,
			  struct str name, enum model_type type, struct str describe,
			  bool is_required)
{
	json_builder_set(properties, name,
			 parameter_schema(properties->arena, name, type, describe));
	if (is_required)
		json_builder_add(required, json_string(name));
}

struct json contract_native_query(struct arena *arena, const struct connector *connector,
				  const struct native_method *method)
{
	struct json_builder out, properties, required;

	json_builder_init(&out, arena);
	json_builder_init(&properties, arena);
	json_builder_init(&required, arena);
	for (size_t i = 0; i < method->path.count; i++)
		if (method->path.parts[i].is_name &&
		    !connector_has_context(connector, method->path.parts[i].text))
			put_parameter(&properties, &required, method->path.parts[i].text,
				      MODEL_TEXT, STR("Of the path."), true);
	for (size_t i = 0; i < method->query_count; i++)
		put_parameter(&properties, &required, method->query[i].name,
			      model_type_of(method->query[i].type), method->query[i].describe,
			      method->query[i].is_required);
	if (properties.count == 0)
		return json_undefined();
	put_c(&out, "type", "object");
	json_builder_set(&out, STR("properties"), json_builder_object(&properties));
	if (required.count > 0)
		json_builder_set(&out, STR("required"), json_builder_array(&required));
	return json_builder_object(&out);
}

struct json contract_native_body(struct arena *arena, const struct native_method *method)
{
	struct json_builder out;

	if (method->body_count == 0)
		return json_undefined();
	json_builder_init(&out, arena);
	put_c(&out, "type", "object");
	schema_put_members(&out, SCHEMA_REQUEST, method->body, method->body_count, NULL, NULL);
	return json_builder_object(&out);
}
