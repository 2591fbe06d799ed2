/* Puts the OpenAPI document together: what the doors say of themselves, and what is made of the
 * model. */
#include "front/discovery/document.h"

#include "lang/yaml/yaml.h"

static const char *const kind_names[] = {"schemas",   "parameters",    "headers",
					 "responses", "requestBodies", "securitySchemes"};

/* --- small parts ----------------------------------------------------------------------------- */

void document_put(struct json_builder *out, const char *name, struct str text)
{
	if (text.len > 0)
		json_builder_set(out, str_from_c(name), json_string(text));
}

void document_put_c(struct json_builder *out, const char *name, const char *text)
{
	document_put(out, name, str_from_c(text));
}

static struct str key_of(const struct json_member *member)
{
	return json_name(member);
}

void document_copy(struct json_builder *out, struct json object)
{
	for (size_t i = 0; json_is(object, JSON_OBJECT) && i < object.count; i++)
		json_builder_set(out, key_of(&object.members[i]), object.members[i].value);
}

struct json document_ref(struct arena *arena, enum document_kind kind, struct str name)
{
	struct json_builder out;

	json_builder_init(&out, arena);
	document_put(&out, "$ref",
		     arena_format(arena, "#/components/%s/%.*s", kind_names[kind], STR_ARGS(name)));
	return json_builder_object(&out);
}

/* --- operations ------------------------------------------------------------------------------ */

/* Every answer has these, where nothing else is said. */
static struct json finish_response(struct arena *arena, struct json response)
{
	struct json_builder out, headers;

	if (!json_is(json_get_c(response, "$ref"), JSON_UNDEFINED))
		return response;
	json_builder_init(&headers, arena);
	json_builder_set(&headers, STR("X-Request-Id"),
			 document_ref(arena, DOCUMENT_HEADERS, STR("X-Request-Id")));
	json_builder_set(&headers, STR("Server-Timing"),
			 document_ref(arena, DOCUMENT_HEADERS, STR("Server-Timing")));
	document_copy(&headers, json_get_c(response, "headers"));
	json_builder_init(&out, arena);
	for (size_t i = 0; i < response.count; i++)
		if (!str_equal(key_of(&response.members[i]), STR("headers")))
			json_builder_set(&out, key_of(&response.members[i]),
					 response.members[i].value);
	json_builder_set(&out, STR("headers"), json_builder_object(&headers));
	return json_builder_object(&out);
}

static struct json finish_responses(struct arena *arena, struct json responses)
{
	struct json error = document_ref(arena, DOCUMENT_RESPONSES, STR("Error"));
	struct json_builder out;

	json_builder_init(&out, arena);
	for (size_t i = 0; i < responses.count; i++)
		json_builder_set(&out, key_of(&responses.members[i]),
				 finish_response(arena, responses.members[i].value));
	if (json_is(json_get_c(responses, "4XX"), JSON_UNDEFINED))
		json_builder_set(&out, STR("4XX"), error);
	if (json_is(json_get_c(responses, "5XX"), JSON_UNDEFINED))
		json_builder_set(&out, STR("5XX"), error);
	return json_builder_object(&out);
}

/* `method`: put before the operationId; empty: it is whole. */
static struct json finish_operation(struct arena *arena, struct json operation, struct str method)
{
	struct json_builder out;

	json_builder_init(&out, arena);
	for (size_t i = 0; i < operation.count; i++) {
		const struct json_member *member = &operation.members[i];
		struct json value = member->value;

		if (str_equal(key_of(member), STR("responses")))
			value = finish_responses(arena, value);
		else if (str_equal(key_of(member), STR("operationId")) && method.len > 0)
			value = json_string(arena_format(arena, "%.*s%.*s", STR_ARGS(method),
							 STR_ARGS(json_str(value))));
		json_builder_set(&out, key_of(member), value);
	}
	return json_builder_object(&out);
}

void document_add_path(struct document *document, struct str path, struct json item)
{
	struct arena *arena = document->arena;
	struct json_builder out;

	json_builder_init(&out, arena);
	for (size_t i = 0; i < item.count; i++) {
		struct str methods = key_of(&item.members[i]);
		struct json operation = item.members[i].value;
		bool is_one = str_find_byte(methods, ',') < 0;

		if (!json_is(operation, JSON_OBJECT)) {
			json_builder_set(&out, methods, operation);
			continue;
		}
		while (methods.len > 0) {
			struct str method = str_trim(str_cut(&methods, ','));

			json_builder_set(
				&out, method,
				finish_operation(arena, operation, is_one ? STR("") : method));
		}
	}
	json_builder_set(&document->paths, path, json_builder_object(&out));
}

/* --- fragments ------------------------------------------------------------------------------- */

static void add_components(struct document *document, struct json components)
{
	for (size_t kind = 0; kind < DOCUMENT_KINDS; kind++) {
		struct json items = json_get_c(components, kind_names[kind]);

		for (size_t i = 0; json_is(items, JSON_OBJECT) && i < items.count; i++)
			json_builder_set(
				&document->components[kind], key_of(&items.members[i]),
				kind == DOCUMENT_RESPONSES
					? finish_response(document->arena, items.members[i].value)
					: items.members[i].value);
	}
}

static void add_fragment(struct document *document, struct json fragment)
{
	for (size_t i = 0; i < fragment.count; i++) {
		struct str key = key_of(&fragment.members[i]);
		struct json value = fragment.members[i].value;

		if (str_equal(key, STR("components")))
			add_components(document, value);
		else if (str_equal(key, STR("unified")))
			document->unified = value;
		else if (str_equal(key, STR("tags")))
			for (size_t k = 0; k < value.count; k++)
				json_builder_add(&document->tags, json_at(value, k));
		else if (str_equal(key, STR("paths")))
			for (size_t k = 0; k < value.count; k++)
				document_add_path(document, key_of(&value.members[k]),
						  value.members[k].value);
		else
			json_builder_set(&document->top, key, value);
	}
}

/* The names of base/error.h. */
static void add_error_names(struct document *document)
{
	struct json_builder out, names;

	json_builder_init(&names, document->arena);
	for (int i = ERROR_NONE + 1; i < ERROR_CODES; i++)
		json_builder_add(&names, json_string_c(error_name((enum error_code)i)));
	json_builder_init(&out, document->arena);
	document_put_c(&out, "type", "string");
	document_put_c(&out, "description", "What kind of error it is; rely on this.");
	json_builder_set(&out, STR("enum"), json_builder_array(&names));
	json_builder_set(&document->components[DOCUMENT_SCHEMAS], STR("ErrorName"),
			 json_builder_object(&out));
}

bool document_read(struct document *document, struct arena *arena, struct error *err)
{
	const struct embedded_text *fragment = document_fragments;
	struct yaml_node root;
	struct error why;

	*document = (struct document){.arena = arena};
	json_builder_init(&document->top, arena);
	json_builder_init(&document->tags, arena);
	json_builder_init(&document->paths, arena);
	for (size_t i = 0; i < DOCUMENT_KINDS; i++)
		json_builder_init(&document->components[i], arena);
	document_put_c(&document->top, "openapi", "3.1.0");
	for (; fragment->name != NULL; fragment++) {
		if (!yaml_parse(arena, str_from_c(fragment->text), str_from_c(fragment->name),
				&yaml_limits_default, &root, &why))
			return error_set(err, ERROR_INTERNAL, "%s", why.message);
		add_fragment(document, yaml_to_json(arena, &root));
	}
	add_error_names(document);
	return true;
}

/* --- the end --------------------------------------------------------------------------------- */

static struct json with_version(struct arena *arena, struct json info, const char *version)
{
	struct json_builder out;

	json_builder_init(&out, arena);
	document_copy(&out, info);
	document_put_c(&out, "version", version);
	return json_builder_object(&out);
}

struct str document_print(struct document *document, const char *version)
{
	struct json top = json_builder_object(&document->top);
	struct json_builder out, components;
	struct buffer text;

	json_builder_init(&out, document->arena);
	for (size_t i = 0; i < top.count; i++)
		json_builder_set(
			&out, key_of(&top.members[i]),
			str_equal(key_of(&top.members[i]), STR("info"))
				? with_version(document->arena, top.members[i].value, version)
				: top.members[i].value);
	json_builder_set(&out, STR("tags"), json_builder_array(&document->tags));
	json_builder_set(&out, STR("paths"), json_builder_object(&document->paths));
	json_builder_init(&components, document->arena);
	for (size_t i = 0; i < DOCUMENT_KINDS; i++)
		json_builder_set(&components, str_from_c(kind_names[i]),
				 json_builder_object(&document->components[i]));
	json_builder_set(&out, STR("components"), json_builder_object(&components));
	buffer_init(&text, document->arena, SIZE_MAX / 4);
	json_print(&text, json_builder_object(&out));
	return buffer_str(&text);
}
