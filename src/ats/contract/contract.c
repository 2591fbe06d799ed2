/* Fields of the model as JSON Schema. */
#include "ats/contract/contract.h"

#include "ats/contract/parts.h"

void put_text(struct json_builder *out, const char *name, struct str text)
{
	if (text.len > 0)
		json_builder_set(out, str_from_c(name), json_string(text));
}

void put_c(struct json_builder *out, const char *name, const char *text)
{
	put_text(out, name, str_from_c(text));
}

/* --- single values --------------------------------------------------------------------------- */

/* "string", or ["string", "null"] */
static void put_type(struct json_builder *out, const char *type, bool is_nullable)
{
	struct json_builder names;

	if (!is_nullable) {
		put_c(out, "type", type);
		return;
	}
	json_builder_init(&names, out->arena);
	json_builder_add(&names, json_string_c(type));
	json_builder_add(&names, json_string(STR("null")));
	json_builder_set(out, STR("type"), json_builder_array(&names));
}

static void put_values(struct json_builder *out, const struct model_field *field, bool is_nullable)
{
	struct json_builder values;

	json_builder_init(&values, out->arena);
	for (size_t i = 0; i < field->value_count; i++)
		json_builder_add(&values, json_string(field->values[i]));
	if (is_nullable)
		json_builder_add(&values, json_null());
	json_builder_set(out, STR("enum"), json_builder_array(&values));
}

/* How JSON has a type of the model; NULL: any value. */
static const char *type_name(enum model_type type)
{
	static const char *const names[] = {
		[MODEL_TEXT] = "string",      [MODEL_INTEGER] = "integer",
		[MODEL_NUMBER] = "number",    [MODEL_BOOLEAN] = "boolean",
		[MODEL_DATE_TIME] = "string", [MODEL_DATE] = "string",
		[MODEL_ENUM] = "string",      [MODEL_OBJECT] = "object",
		[MODEL_ANY] = NULL,	      [MODEL_FILE] = "string",
	};

	return names[type];
}

static const char *format_name(enum model_type type)
{
	return type == MODEL_DATE_TIME ? "date-time"
	       : type == MODEL_DATE    ? "date"
	       : type == MODEL_INTEGER ? "int64"
				       : NULL;
}

static void put_value(struct json_builder *out, enum schema_kind kind,
		      const struct model_field *field, bool is_nullable)
{
	if (type_name(field->type) != NULL)
		put_type(out, type_name(field->type), is_nullable);
	put_c(out, "format", format_name(field->type));
	if (field->type == MODEL_ENUM)
		put_values(out, field, is_nullable);
	if (field->type == MODEL_FILE)
		put_c(out, "contentMediaType", "application/octet-stream");
	if (field->type == MODEL_OBJECT)
		schema_put_members(out, kind, field->fields, field->field_count, NULL, NULL);
}

/* --- fields ---------------------------------------------------------------------------------- */

static struct json field_schema(struct arena *arena, enum schema_kind kind,
				const struct model_field *field, bool is_required)
{
	struct json_builder out, items;
	bool is_nullable = !is_required;

	json_builder_init(&out, arena);
	if (field->is_list) {
		/* A record's list is there, be it empty. */
		put_type(&out, "array", is_nullable && kind == SCHEMA_REQUEST);
		json_builder_init(&items, arena);
		put_value(&items, kind, field, false);
		json_builder_set(&out, STR("items"), json_builder_object(&items));
	} else {
		put_value(&out, kind, field, is_nullable);
	}
	put_text(&out, "description", field->describe);
	if (field->pii != MODEL_PII_NONE)
		put_c(&out, "x-pii", model_pii_names[field->pii]);
	return json_builder_object(&out);
}

void schema_put_members(struct json_builder *out, enum schema_kind kind,
			const struct model_field *fields, size_t count, const bool *is_taken,
			const bool *required)
{
	struct json_builder properties, names;

	json_builder_init(&properties, out->arena);
	json_builder_init(&names, out->arena);
	for (size_t i = 0; i < count; i++) {
		const struct model_field *field = &fields[i];
		bool is_required = kind == SCHEMA_REQUEST &&
				   (field->is_required || (required != NULL && required[i]));

		if ((is_taken != NULL && !is_taken[i]) ||
		    (kind == SCHEMA_REQUEST && field->is_remote_word))
			continue;
		json_builder_set(&properties, field->name,
				 field_schema(out->arena, kind, field, is_required));
		if (is_required)
			json_builder_add(&names, json_string(field->name));
	}
	json_builder_set(out, STR("properties"), json_builder_object(&properties));
	if (names.count > 0)
		json_builder_set(out, STR("required"), json_builder_array(&names));
}

/* --- records --------------------------------------------------------------------------------- */

struct json contract_record(struct arena *arena, const struct model_resource *resource)
{
	struct json_builder out, properties, remote;
	struct json own;

	json_builder_init(&out, arena);
	put_c(&out, "type", "object");
	put_text(&out, "description", resource->describe);
	schema_put_members(&out, SCHEMA_RECORD, resource->fields, resource->field_count, NULL,
			   NULL);
	own = json_get_c(json_builder_object(&out), "properties");

	json_builder_init(&properties, arena);
	for (size_t i = 0; i < own.count; i++)
		json_builder_set(&properties, json_name(&own.members[i]),
				 own.members[i].value);
	json_builder_init(&remote, arena);
	put_c(&remote, "type", "object");
	put_c(&remote, "description", "The ATS's own record, as it came.");
	json_builder_set(&remote, STR("additionalProperties"), json_bool(true));
	json_builder_set(&properties, STR("remote_data"), json_builder_object(&remote));

	json_builder_init(&out, arena);
	put_c(&out, "type", "object");
	put_text(&out, "description", resource->describe);
	json_builder_set(&out, STR("properties"), json_builder_object(&properties));
	return json_builder_object(&out);
}

static char upper(char c)
{
	return (char)(c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c);
}

struct str contract_singular(struct arena *arena, struct str resource)
{
	if (str_ends_with(resource, STR("ies")))
		return arena_format(arena, "%.*sy", (int)resource.len - 3, resource.data);
	return str_ends_with(resource, STR("s")) ? str_slice(resource, 0, resource.len - 1)
						 : resource;
}

struct str contract_camel(struct arena *arena, struct str name)
{
	struct buffer out;
	bool begins = true;

	buffer_init(&out, arena, SIZE_MAX);
	for (size_t i = 0; i < name.len; i++) {
		bool is_mark = name.data[i] == '_' || name.data[i] == '-';

		if (!is_mark)
			buffer_append_byte(&out, begins ? upper(name.data[i]) : name.data[i]);
		begins = is_mark;
	}
	return buffer_str(&out);
}

struct json contract_filter(struct arena *arena, const struct model_filter *filter)
{
	struct model_field field = {.type = filter->type,
				    .is_list = filter->operator== MODEL_IN,
				    .describe = filter->describe};

	if (filter->type == MODEL_ENUM && filter->field != NULL &&
	    filter->field->type == MODEL_ENUM) {
		field.values = filter->field->values;
		field.value_count = filter->field->value_count;
	} else if (filter->type == MODEL_ENUM) {
		field.type = MODEL_TEXT;
	}
	return field_schema(arena, SCHEMA_REQUEST, &field, true);
}

struct json contract_methods(struct arena *arena, const struct model_resource *model,
			     const struct unified_resource *resource)
{
	struct json_builder names;

	json_builder_init(&names, arena);
	if (resource == NULL || resource->list.count > 0)
		json_builder_add(&names, json_string(STR("list")));
	if (resource == NULL || resource->get.count > 0)
		json_builder_add(&names, json_string(STR("get")));
	for (size_t i = 0; i < (resource == NULL ? model->method_count : resource->write_count);
	     i++)
		json_builder_add(&names,
				 json_string(resource == NULL ? model->methods[i].name
							      : resource->writes[i].model->name));
	return json_builder_array(&names);
}
