/* The unified API in the OpenAPI document: for each resource of the model its schemas, and one
 * operation for each method. */
#include "front/discovery/document.h"

/* --- what a method is over HTTP -------------------------------------------------------------- */

const char *unified_verb(struct str method)
{
	if (str_equal(method, STR("list")) || str_equal(method, STR("get")))
		return "GET";
	if (str_equal(method, STR("update")))
		return "PATCH";
	return str_equal(method, STR("delete")) ? "DELETE" : "POST";
}

static bool is_custom(struct str method)
{
	return !str_equal(method, STR("list")) && !str_equal(method, STR("get")) &&
	       !str_equal(method, STR("create")) && !str_equal(method, STR("update")) &&
	       !str_equal(method, STR("delete"));
}

struct str unified_path(struct arena *arena, const struct model *model, struct str resource,
			const struct model_method *method, struct str name)
{
	bool has_id = method == NULL ? str_equal(name, STR("get")) : method->has_id;

	return arena_format(arena, "/unified/%.*s/%.*s%s%s%.*s", STR_ARGS(model->name),
			    STR_ARGS(resource), has_id ? "/{id}" : "", is_custom(name) ? "/" : "",
			    is_custom(name) ? (int)name.len : 0, name.data);
}

bool unified_has(const struct unified_resource *resource, struct str method)
{
	if (resource == NULL)
		return false;
	if (str_equal(method, STR("list")))
		return resource->list.count > 0;
	if (str_equal(method, STR("get")))
		return resource->get.count > 0;
	if (str_equal(method, STR("download")))
		return resource->download.address != NULL;
	return connector_find_write(resource, method) != NULL;
}

struct json unified_integrations(struct arena *arena, const struct connectors *connectors,
				 struct str resource, struct str method)
{
	struct json_builder names;

	json_builder_init(&names, arena);
	for (size_t i = 0; i < connectors->count; i++)
		if (unified_has(connector_find_resource(connectors->items[i], resource), method))
			json_builder_add(&names, json_string(connectors->items[i]->name));
	return json_builder_array(&names);
}

/* --- schemas --------------------------------------------------------------------------------- */

static struct json typed(struct arena *arena, const char *json, struct str describe)
{
	struct json_builder out;
	struct json type = json_undefined();
	struct error ignored;

	if (!json_parse(arena, str_from_c(json), &json_limits_default, &type, &ignored))
		die("%s is no JSON", json);
	json_builder_init(&out, arena);
	json_builder_set(&out, STR("type"), type);
	json_builder_set(&out, STR("description"), json_string(describe));
	return json_builder_object(&out);
}

static struct json one_of(struct arena *arena, const struct json *choices, size_t count,
			  const char *describe)
{
	struct json_builder out;

	json_builder_init(&out, arena);
	json_builder_set(&out, STR("anyOf"), json_array(choices, count));
	document_put_c(&out, "description", describe);
	return json_builder_object(&out);
}

static struct json result_schema(struct arena *arena, struct json record)
{
	struct json *choices = arena_array(arena, 2, sizeof *choices);
	struct json_builder list, keyed;

	json_builder_init(&list, arena);
	document_put_c(&list, "type", "array");
	json_builder_set(&list, STR("items"), record);
	choices[0] = json_builder_object(&list);
	json_builder_init(&keyed, arena);
	document_put_c(&keyed, "type", "object");
	document_put_c(&keyed, "description", "With key_by.");
	json_builder_set(&keyed, STR("additionalProperties"), record);
	choices[1] = json_builder_object(&keyed);
	return one_of(arena, choices, 2, "The records.");
}

struct json unified_list_schema(struct arena *arena, struct json record, struct json debug)
{
	static const struct str required[] = {STR_INIT("result"), STR_INIT("next_cursor"),
					      STR_INIT("prev_cursor"), STR_INIT("result_count"),
					      STR_INIT("is_partial_response")};
	struct json_builder out, properties, names;

	json_builder_init(&properties, arena);
	json_builder_set(&properties, STR("result"), result_schema(arena, record));
	json_builder_set(
		&properties, STR("next_cursor"),
		typed(arena, "[\"string\",\"null\"]", STR("For the next page; null at the end.")));
	json_builder_set(&properties, STR("prev_cursor"),
			 typed(arena, "\"null\"", STR("Always null.")));
	json_builder_set(&properties, STR("result_count"),
			 typed(arena, "\"integer\"", STR("How many records this page has.")));
	json_builder_set(
		&properties, STR("is_partial_response"),
		typed(arena, "\"boolean\"",
		      STR("Does the ATS's list leave fields out, which one whole record has?")));
	json_builder_set(&properties, STR("total_count"),
			 typed(arena, "\"integer\"",
			       STR("With count: how many records the filters leave, on all pages.")));
	json_builder_set(&properties, STR("debug"), debug);
	json_builder_init(&names, arena);
	for (size_t i = 0; i < sizeof required / sizeof *required; i++)
		json_builder_add(&names, json_string(required[i]));
	json_builder_init(&out, arena);
	document_put_c(&out, "type", "object");
	document_put_c(&out, "description", "One page of records.");
	json_builder_set(&out, STR("properties"), json_builder_object(&properties));
	json_builder_set(&out, STR("required"), json_builder_array(&names));
	return json_builder_object(&out);
}

/* --- parameters ------------------------------------------------------------------------------ */

static void add_own_parameters(struct json_builder *out, const struct document *document,
			       const char *kind)
{
	struct json names = json_get_c(document->unified, kind);

	for (size_t i = 0; i < names.count; i++)
		json_builder_add(out, document_ref(document->arena, DOCUMENT_PARAMETERS,
						   json_str(json_at(names, i))));
}

static struct json filter_parameter(struct arena *arena, const struct model_filter *filter)
{
	struct model_filter bare = *filter;
	struct json_builder out;

	bare.describe = STR("");
	json_builder_init(&out, arena);
	document_put(&out, "name", filter->name);
	document_put_c(&out, "in", "query");
	document_put(&out, "description", filter->describe);
	if (filter->operator== MODEL_IN) {
		document_put_c(&out, "style", "form");
		json_builder_set(&out, STR("explode"), json_bool(false));
	}
	json_builder_set(&out, STR("schema"), contract_filter(arena, &bare));
	return json_builder_object(&out);
}

/* --- operations ------------------------------------------------------------------------------ */

/* One resource, while its operations are made. */
struct part {
	struct document *document;
	const struct model *model;
	const struct connectors *connectors;
	const struct model_resource *resource;
	struct str name;  /* "JobFormField" */
	struct str words; /* "job form fields" */
};

static struct json schema_ref(const struct part *part, const char *end)
{
	return document_ref(
		part->document->arena, DOCUMENT_SCHEMAS,
		arena_format(part->document->arena, "%.*s%s", STR_ARGS(part->name), end));
}

static struct json debug_ref(struct arena *arena)
{
	return document_ref(arena, DOCUMENT_SCHEMAS, STR("Debug"));
}

/* What is answered with response_format=debug, but for lists. */
static struct json debug_schema(struct arena *arena, struct json result)
{
	struct json_builder out, properties, required;

	json_builder_init(&properties, arena);
	json_builder_set(&properties, STR("result"), result);
	json_builder_set(&properties, STR("debug"), debug_ref(arena));
	json_builder_init(&required, arena);
	json_builder_add(&required, json_string(STR("result")));
	json_builder_add(&required, json_string(STR("debug")));
	json_builder_init(&out, arena);
	document_put_c(&out, "type", "object");
	json_builder_set(&out, STR("properties"), json_builder_object(&properties));
	json_builder_set(&out, STR("required"), json_builder_array(&required));
	return json_builder_object(&out);
}

enum response_kind { RESPONSE_LIST, RESPONSE_RECORD, RESPONSE_WRITE };

/* Schemas of the other forms of an answer. They stand beside the schema and not in it, for else
 * nothing could be said of the usual form. */
static struct json other_formats(struct arena *arena, enum response_kind kind, struct json schema)
{
	struct json any = json_object(NULL, 0);
	struct json own =
		kind == RESPONSE_LIST ? unified_list_schema(arena, any, json_undefined()) : any;
	struct json_builder out;

	json_builder_init(&out, arena);
	if (kind != RESPONSE_WRITE) {
		json_builder_set(&out, STR("raw"), own);
		json_builder_set(&out, STR("normalized"), own);
	}
	json_builder_set(&out, STR("debug"),
			 kind == RESPONSE_LIST ? schema : debug_schema(arena, schema));
	return json_builder_object(&out);
}

static struct json media_type(struct arena *arena, struct json schema)
{
	struct json_builder out;

	json_builder_init(&out, arena);
	json_builder_set(&out, STR("schema"), schema);
	return json_builder_object(&out);
}

/* One record a line. */
static struct json stream_schema(const struct part *part)
{
	struct json_builder out;

	json_builder_init(&out, part->document->arena);
	document_put_c(&out, "type", "string");
	document_put_c(&out, "description", "With response_format=stream, one record a line.");
	json_builder_set(&out, STR("contentSchema"), schema_ref(part, ""));
	return json_builder_object(&out);
}

static struct json response_headers(struct arena *arena, enum response_kind kind)
{
	static const struct str names[] = {
		STR_INIT("ratelimit-limit"), STR_INIT("ratelimit-remaining"),
		STR_INIT("ratelimit-reset"), STR_INIT("Idempotency-Replayed"),
		STR_INIT("X-Tenon-Source"), STR_INIT("Age")};
	enum { FIRST_OF_WRITES = 3, FIRST_OF_READS = 4 };
	struct json_builder headers;

	json_builder_init(&headers, arena);
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (i < FIRST_OF_WRITES ||
		    (kind == RESPONSE_WRITE) == (i < FIRST_OF_READS))
			json_builder_set(&headers, names[i],
					 document_ref(arena, DOCUMENT_HEADERS, names[i]));
	return json_builder_object(&headers);
}

static struct json response(const struct part *part, enum response_kind kind, const char *describe,
			    struct json schema)
{
	struct arena *arena = part->document->arena;
	struct json_builder out, content;

	json_builder_init(&content, arena);
	json_builder_set(&content, STR("application/json"), media_type(arena, schema));
	if (kind == RESPONSE_LIST)
		json_builder_set(&content, STR("application/x-ndjson"),
				 media_type(arena, stream_schema(part)));
	json_builder_init(&out, arena);
	document_put_c(&out, "description", describe);
	json_builder_set(&out, STR("headers"), response_headers(arena, kind));
	json_builder_set(&out, STR("content"), json_builder_object(&content));
	json_builder_set(&out, STR("x-response-formats"), other_formats(arena, kind, schema));
	return json_builder_object(&out);
}

/* "add-tag" of candidates is "candidateAddTag", "create" is "createCandidate". */
static struct str operation_id(const struct part *part, struct str method, const char *end)
{
	struct arena *arena = part->document->arena;
	struct str name = str_equal(method, STR("list"))
				  ? contract_camel(arena, part->resource->name)
				  : part->name;

	if (!is_custom(method))
		return arena_format(arena, "%.*s%.*s", STR_ARGS(method), STR_ARGS(name));
	return arena_format(arena, "%c%.*s%.*s%s", name.data[0] - 'A' + 'a', (int)name.len - 1,
			    name.data + 1, STR_ARGS(contract_camel(arena, method)), end);
}

/* What all operations begin with. */
static void begin_operation(const struct part *part, struct json_builder *out, struct str method,
			    struct str summary, const char *end)
{
	struct json_builder tags;

	json_builder_init(out, part->document->arena);
	document_put(out, "operationId", operation_id(part, method, end));
	json_builder_init(&tags, part->document->arena);
	json_builder_add(&tags, json_string(part->resource->name));
	json_builder_set(out, STR("tags"), json_builder_array(&tags));
	document_put(out, "summary", summary);
	json_builder_set(out, STR("x-integrations"),
			 unified_integrations(part->document->arena, part->connectors,
					      part->resource->name, method));
}

static struct json list_operation(const struct part *part)
{
	struct arena *arena = part->document->arena;
	struct json_builder out, parameters, responses;

	begin_operation(part, &out, STR("list"),
			arena_format(arena, "List %.*s.", STR_ARGS(part->words)), "");
	json_builder_init(&parameters, arena);
	add_own_parameters(&parameters, part->document, "list");
	for (size_t i = 0; i < part->resource->filter_count; i++)
		json_builder_add(&parameters, filter_parameter(arena, &part->resource->filters[i]));
	json_builder_set(&out, STR("parameters"), json_builder_array(&parameters));
	json_builder_init(&responses, arena);
	json_builder_set(
		&responses, STR("200"),
		response(part, RESPONSE_LIST, "One page of records.", schema_ref(part, "List")));
	json_builder_set(&out, STR("responses"), json_builder_object(&responses));
	return json_builder_object(&out);
}

static struct json id_parameter(const struct part *part)
{
	return document_ref(part->document->arena, DOCUMENT_PARAMETERS, STR("id"));
}

/* A get takes those which some ATS is asked for, to find the record by. */
static bool is_get_filter(const struct part *part, const struct model_filter *filter)
{
	for (size_t i = 0; i < part->connectors->count; i++) {
		const struct unified_resource *resource =
			connector_find_resource(part->connectors->items[i], part->resource->name);

		if (resource != NULL &&
		    operation_filtering(resource, &resource->get, filter) != FILTERING_NOT)
			return true;
	}
	return false;
}

static void add_filters_of_get(const struct part *part, struct json_builder *parameters)
{
	for (size_t i = 0; i < part->resource->filter_count; i++)
		if (is_get_filter(part, &part->resource->filters[i]))
			json_builder_add(parameters,
					 filter_parameter(part->document->arena,
							  &part->resource->filters[i]));
}

static struct json get_operation(const struct part *part)
{
	struct arena *arena = part->document->arena;
	struct str one = contract_singular(arena, part->words);
	struct json_builder out, parameters, responses;

	begin_operation(part, &out, STR("get"), arena_format(arena, "Get one %.*s.", STR_ARGS(one)),
			"");
	json_builder_init(&parameters, arena);
	json_builder_add(&parameters, id_parameter(part));
	add_own_parameters(&parameters, part->document, "get");
	add_filters_of_get(part, &parameters);
	json_builder_set(&out, STR("parameters"), json_builder_array(&parameters));
	json_builder_init(&responses, arena);
	json_builder_set(&responses, STR("200"),
			 response(part, RESPONSE_RECORD, "The record.", schema_ref(part, "")));
	json_builder_set(&out, STR("responses"), json_builder_object(&responses));
	return json_builder_object(&out);
}

/* The bytes of a file, of whatever type. */
static struct json file_response(const struct part *part)
{
	struct arena *arena = part->document->arena;
	struct json_builder out, content;

	json_builder_init(&content, arena);
	json_builder_set(&content, STR("*/*"),
			 media_type(arena, typed(arena, "\"string\"", STR("Its bytes."))));
	json_builder_init(&out, arena);
	document_put_c(&out, "description", "The file, as it comes from the ATS.");
	json_builder_set(&out, STR("headers"), response_headers(arena, RESPONSE_RECORD));
	json_builder_set(&out, STR("content"), json_builder_object(&content));
	return json_builder_object(&out);
}

static struct json download_operation(const struct part *part)
{
	struct arena *arena = part->document->arena;
	struct str one = contract_singular(arena, part->words);
	struct json_builder out, parameters, responses;

	begin_operation(part, &out, STR("download"),
			arena_format(arena, "Get the file of one %.*s.", STR_ARGS(one)), "");
	json_builder_init(&parameters, arena);
	json_builder_add(&parameters, id_parameter(part));
	add_own_parameters(&parameters, part->document, "download");
	add_filters_of_get(part, &parameters);
	json_builder_set(&out, STR("parameters"), json_builder_array(&parameters));
	json_builder_init(&responses, arena);
	json_builder_set(&responses, STR("200"), file_response(part));
	json_builder_set(&out, STR("responses"), json_builder_object(&responses));
	return json_builder_object(&out);
}

static struct json body_of(const struct part *part, const struct model_method *method,
			   bool wants_id)
{
	struct arena *arena = part->document->arena;
	struct str name = arena_format(arena, "%.*s%.*sBody", STR_ARGS(part->name),
				       STR_ARGS(contract_camel(arena, method->name)));
	struct json_builder out, content, json;

	json_builder_init(&json, arena);
	json_builder_set(&json, STR("schema"), document_ref(arena, DOCUMENT_SCHEMAS, name));
	json_builder_init(&content, arena);
	json_builder_set(&content, STR("application/json"), json_builder_object(&json));
	json_builder_init(&out, arena);
	if (wants_id)
		json_builder_set(&out, STR("required"), json_bool(true));
	json_builder_set(&out, STR("content"), json_builder_object(&content));
	return json_builder_object(&out);
}

/* What a write answers: the record, or what it would have done. */
static struct json write_responses(const struct part *part, const struct model_method *method)
{
	struct arena *arena = part->document->arena;
	bool is_delete = str_equal(method->name, STR("delete"));
	struct json dry = document_ref(arena, DOCUMENT_SCHEMAS, STR("DryRun"));
	struct json *choices = arena_array(arena, 2, sizeof *choices);
	struct json_builder out;

	choices[0] = is_delete ? document_ref(arena, DOCUMENT_SCHEMAS, STR("Deleted"))
			       : schema_ref(part, "");
	choices[1] = dry;
	json_builder_init(&out, arena);
	if (str_equal(method->name, STR("create"))) {
		json_builder_set(
			&out, STR("201"),
			response(part, RESPONSE_WRITE, "The record that was made.", choices[0]));
		json_builder_set(&out, STR("200"),
				 response(part, RESPONSE_WRITE, "With dry_run.", dry));
		return json_builder_object(&out);
	}
	json_builder_set(&out, STR("200"),
			 response(part, RESPONSE_WRITE,
				  is_delete ? "It is gone." : "The record as it is now.",
				  one_of(arena, choices, 2, NULL)));
	return json_builder_object(&out);
}

/* `has_id`: the id is in the path. */
static struct json write_operation(const struct part *part, const struct model_method *method,
				   bool has_id)
{
	struct arena *arena = part->document->arena;
	bool is_short = is_custom(method->name) && method->has_id && !has_id;
	struct json_builder out, parameters;

	begin_operation(part, &out, method->name, method->describe, is_short ? "OfBody" : "");
	if (is_short)
		document_put_c(&out, "description", "The record is told by the `id` in the body.");
	json_builder_init(&parameters, arena);
	if (has_id)
		json_builder_add(&parameters, id_parameter(part));
	add_own_parameters(&parameters, part->document, "write");
	json_builder_set(&out, STR("parameters"), json_builder_array(&parameters));
	if (!str_equal(method->name, STR("delete")))
		json_builder_set(&out, STR("requestBody"), body_of(part, method, !has_id));
	json_builder_set(&out, STR("responses"), write_responses(part, method));
	return json_builder_object(&out);
}

/* --- paths ----------------------------------------------------------------------------------- */

static struct str path_of(const struct part *part, bool has_id, struct str end)
{
	return arena_format(part->document->arena, "/unified/%.*s/%.*s%s%s%.*s",
			    STR_ARGS(part->model->name), STR_ARGS(part->resource->name),
			    has_id ? "/{id}" : "", end.len > 0 ? "/" : "", STR_ARGS(end));
}

/* With the id in the path, and with the id in the body. */
static void add_custom(const struct part *part, const struct model_method *method)
{
	for (int has_id = method->has_id ? 1 : 0; has_id >= 0; has_id--) {
		struct json_builder item;

		json_builder_init(&item, part->document->arena);
		json_builder_set(&item, STR("post"), write_operation(part, method, has_id));
		document_add_path(part->document, path_of(part, has_id, method->name),
				  json_builder_object(&item));
	}
}

static void add_write(const struct part *part, struct json_builder *item, const char *verb,
		      struct str name, bool has_id)
{
	const struct model_method *method = model_find_method(part->resource, name);

	if (method != NULL)
		json_builder_set(item, str_from_c(verb), write_operation(part, method, has_id));
}

static void add_paths(const struct part *part)
{
	const struct model_resource *resource = part->resource;
	struct json_builder all, one;

	json_builder_init(&all, part->document->arena);
	json_builder_set(&all, STR("get"), list_operation(part));
	add_write(part, &all, "post", STR("create"), false);
	document_add_path(part->document, path_of(part, false, STR("")), json_builder_object(&all));
	json_builder_init(&one, part->document->arena);
	json_builder_set(&one, STR("get"), get_operation(part));
	add_write(part, &one, "patch", STR("update"), true);
	add_write(part, &one, "delete", STR("delete"), true);
	document_add_path(part->document, path_of(part, true, STR("")), json_builder_object(&one));
	if (resource->has_files) {
		json_builder_init(&one, part->document->arena);
		json_builder_set(&one, STR("get"), download_operation(part));
		document_add_path(part->document, path_of(part, true, STR("download")),
				  json_builder_object(&one));
	}
	for (size_t i = 0; i < resource->method_count; i++)
		if (is_custom(resource->methods[i].name))
			add_custom(part, &resource->methods[i]);
}

static void add_schemas(const struct part *part)
{
	struct document *document = part->document;
	struct json_builder *schemas = &document->components[DOCUMENT_SCHEMAS];
	struct arena *arena = document->arena;

	json_builder_set(schemas, part->name, contract_record(arena, part->resource));
	json_builder_set(schemas, arena_format(arena, "%.*sList", STR_ARGS(part->name)),
			 unified_list_schema(arena, schema_ref(part, ""), debug_ref(arena)));
	for (size_t i = 0; i < part->resource->method_count; i++) {
		const struct model_method *method = &part->resource->methods[i];

		if (!str_equal(method->name, STR("delete")))
			json_builder_set(
				schemas,
				arena_format(arena, "%.*s%.*sBody", STR_ARGS(part->name),
					     STR_ARGS(contract_camel(arena, method->name))),
				contract_body(arena, method, NULL));
	}
}

static void add_tag(const struct part *part)
{
	struct json_builder tag;

	json_builder_init(&tag, part->document->arena);
	document_put(&tag, "name", part->resource->name);
	document_put(&tag, "description", part->resource->describe);
	json_builder_add(&part->document->tags, json_builder_object(&tag));
}

/* "job_form_fields" is "job form fields". */
static struct str words_of(struct arena *arena, struct str name)
{
	char *words = arena_c(arena, name);

	for (size_t i = 0; i < name.len; i++)
		if (words[i] == '_')
			words[i] = ' ';
	return str_make(words, name.len);
}

void unified_add(struct document *document, const struct model *model,
		 const struct connectors *connectors)
{
	struct arena *arena = document->arena;

	for (size_t i = 0; i < model->resource_count; i++) {
		const struct model_resource *resource = &model->resources[i];
		const struct part part = {
			.document = document,
			.model = model,
			.connectors = connectors,
			.resource = resource,
			.name = contract_camel(arena, contract_singular(arena, resource->name)),
			.words = words_of(arena, resource->name),
		};

		add_tag(&part);
		add_schemas(&part);
		add_paths(&part);
	}
}
