/* `resources:` of connector.yaml: what an ATS can do, in its own words. */
#include <assert.h>

#include "ats/connector/loader.h"

enum {
	METHODS_MAX = 1000,
	PARAMETERS_MAX = 100,
	PAGE_RECORDS_MAX = 10000,
	TAGS_MAX = 100,
};

/* --- the request ------------------------------------------------------------------------------ */

bool natives_has_path(const struct connector *connector, const struct native_method *method,
		      struct str name)
{
	for (size_t i = 0; i < method->path.count; i++)
		if (method->path.parts[i].is_name && str_equal(method->path.parts[i].text, name))
			return !connector_has_context(connector, name);
	return false;
}

static bool read_request(struct definition *definition, const struct yaml_node *node,
			 struct native_method *method)
{
	const struct yaml_node *request = yaml_get(node, "request");
	struct str path;

	if (!definition_require(definition, node, "a method", "request") || request == NULL ||
	    !definition_text(definition, node, "request", &path))
		return false;
	struct str verb = str_cut(&path, ' ');
	method->verb = http_method_from(verb);
	path = str_trim(path);
	if (method->verb >= HTTP_OPTIONS || !str_starts_with(path, STR("/")) ||
	    str_find_byte(path, '?') >= 0 || str_find_byte(path, ' ') >= 0)
		return definition_fault(definition, request->line,
					"`request` must be a method and a path without query, as "
					"\"GET /candidates/{id}\"");
	return template_parse(definition, request->line, path, &method->path);
}

/* --- pages ------------------------------------------------------------------------------------ */

static const char *const page_keys_offset[] = {"style", "limit", "offset",  "size",
					       "max",	"order", "overlap", NULL};
static const char *const page_keys_number[] = {"style", "limit", "page", "first",
					       "size",	"max",	 NULL};
static const char *const page_keys_cursor[] = {"style", "limit", "cursor", "path",
					       "size",	"max",	 NULL};
static const char *const page_keys_link[] = {"style", "limit", "size", "max", NULL};

static const struct page_form {
	enum page_style style;
	const char *position; /* key of the parameter that tells the place */
	const char *const *keys;
} page_forms[] = {
	{PAGE_OFFSET, "offset", page_keys_offset},
	{PAGE_NUMBER, "page", page_keys_number},
	{PAGE_CURSOR, "cursor", page_keys_cursor},
	{PAGE_LINK, NULL, page_keys_link},
};
static const char *const page_names[] = {"offset", "page", "cursor", "link", NULL};

static void read_order(struct definition *definition, const struct yaml_node *node,
		       struct connector_page *page)
{
	static const char *const keys[] = {"by", "direction", NULL};
	static const char *const directions[] = {"asc", "desc", NULL};
	const struct yaml_node *order = yaml_get(node, "order");
	size_t direction = 0;

	if (order == NULL || !definition_check_mapping(definition, order, "`order`", keys))
		return;
	definition_require(definition, order, "`order`", "by");
	definition_require(definition, order, "`order`", "direction");
	definition_text(definition, order, "by", &page->order_by);
	definition_choice(definition, order, "direction", directions, &direction);
	page->is_descending = direction == 1;
}

static void read_page(struct definition *definition, const struct yaml_node *method,
		      struct connector_page *page)
{
	const struct yaml_node *node = yaml_get(method, "page");
	size_t form = 0;

	if (node == NULL)
		return;
	if (!definition_require(definition, node, "`page`", "style") ||
	    !definition_choice(definition, node, "style", page_names, &form))
		return;
	page->style = page_forms[form].style;
	definition_check_mapping(definition, node, "`page`", page_forms[form].keys);
	definition_require(definition, node, "`page`", "size");
	definition_text(definition, node, "limit", &page->limit_name);
	if (page_forms[form].position != NULL) {
		definition_require(definition, node, "`page`", page_forms[form].position);
		definition_text(definition, node, page_forms[form].position, &page->position_name);
	}
	if (page->style == PAGE_CURSOR)
		definition_require(definition, node, "`page`", "path");
	definition_text(definition, node, "path", &page->cursor_path);
	page->first = 1;
	definition_integer(definition, node, "first", 0, 1, &page->first);
	definition_integer(definition, node, "size", 1, PAGE_RECORDS_MAX, &page->size);
	page->size_max = page->size;
	definition_integer(definition, node, "max", page->size, PAGE_RECORDS_MAX, &page->size_max);
	definition_integer(definition, node, "overlap", 0, page->size - 1, &page->overlap);
	read_order(definition, node, page);
}

/* --- query parameters ------------------------------------------------------------------------- */

static void read_parameter(struct definition *definition, const struct yaml_entry *entry,
			   struct native_parameter *parameter)
{
	static const char *const keys[] = {"type", "required", "describe", NULL};
	static const char *const types[] = {"text",    "integer",   "number",
					    "boolean", "date-time", NULL};
	size_t type = NATIVE_TEXT;

	parameter->name = entry->key;
	definition_check_mapping(definition, &entry->value, "a query parameter", keys);
	definition_require(definition, &entry->value, "a query parameter", "type");
	definition_require(definition, &entry->value, "a query parameter", "describe");
	definition_choice(definition, &entry->value, "type", types, &type);
	definition_boolean(definition, &entry->value, "required", &parameter->is_required);
	definition_text(definition, &entry->value, "describe", &parameter->describe);
	parameter->type = (enum native_type)type;
	if (entry->key.len == 0 || http_has_control_byte(entry->key))
		definition_fault(definition, entry->line, "a query parameter needs a name");
}

static void read_query(struct definition *definition, const struct yaml_node *node,
		       struct native_method *method)
{
	const struct yaml_node *query = yaml_get(node, "query");
	struct native_parameter *parameters;

	if (query == NULL)
		return;
	if (query->kind != YAML_MAPPING || query->count > PARAMETERS_MAX) {
		definition_fault(definition, query->line, "`query` must be a mapping of at most %d",
				 PARAMETERS_MAX);
		return;
	}
	parameters = arena_zero(definition->arena, (query->count + 1) * sizeof *parameters);
	for (size_t i = 0; i < query->count; i++)
		read_parameter(definition, &query->entries[i], &parameters[i]);
	method->query = parameters;
	method->query_count = query->count;
}

static void refuse_page_parameters(struct definition *definition, const struct yaml_node *node,
				   const struct native_method *method)
{
	const struct yaml_node *query = yaml_get(node, "query");

	for (size_t i = 0; i < method->query_count; i++) {
		struct str name = method->query[i].name;

		if (name.len > 0 && (str_equal(name, method->page.limit_name) ||
				     str_equal(name, method->page.position_name)))
			definition_fault(definition, query->entries[i].line,
					 "`%.*s` belongs to `page`, which sends it",
					 STR_ARGS(name));
	}
}

/* --- bodies ----------------------------------------------------------------------------------- */

static bool has_file(const struct model_field *fields, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (fields[i].type == MODEL_FILE ||
		    has_file(fields[i].fields, fields[i].field_count))
			return true;
	return false;
}

static void read_body(struct definition *definition, const struct yaml_node *node,
		      struct native_method *method)
{
	static const char *const forms[] = {"json", "multipart", NULL};
	const struct yaml_node *body = yaml_get(node, "body");
	bool is_read = method->verb == HTTP_GET || method->verb == HTTP_HEAD;
	size_t form = 0;

	definition_choice(definition, node, "form", forms, &form);
	method->is_form = form == 1;
	method->is_repeatable = is_read;
	definition_boolean(definition, node, "repeat", &method->is_repeatable);
	method->is_destructive = !is_read && method->verb != HTTP_POST;
	definition_boolean(definition, node, "destructive", &method->is_destructive);
	if (body != NULL && is_read)
		definition_fault(definition, body->line, "a %s has no body",
				 http_method_name(method->verb));
	else if (body != NULL)
		model_read_body(definition, body, true, &method->body, &method->body_count);
	else if (method->is_form)
		definition_fault(definition, node->line, "`form` goes with `body` only");
	if (!method->is_form && has_file(method->body, method->body_count))
		definition_fault(definition, body->line, "a file needs `form: multipart`");
}

/* --- methods ---------------------------------------------------------------------------------- */

static void read_method(struct definition *definition, const struct yaml_entry *entry,
			struct native_method *method)
{
	static const char *const keys[] = {"request", "page", "items",	"item",	    "query",
					   "body",    "form", "repeat", "destructive", "describe",
					   "tool",    NULL};
	const struct yaml_node *node = &entry->value;

	if (!definition_is_name(entry->key))
		definition_fault(definition, entry->line,
				 "the method `%.*s` must be named in lower_snake_case",
				 STR_ARGS(entry->key));
	method->name = entry->key;
	if (!definition_check_mapping(definition, node, "a method", keys) &&
	    node->kind != YAML_MAPPING)
		return;
	definition_require(definition, node, "a method", "describe");
	definition_text(definition, node, "describe", &method->describe);
	definition_text(definition, node, "tool", &method->tool);
	if (method->tool.len > 0 && !definition_is_name(method->tool))
		definition_fault(definition, node->line,
				 "`tool` must be a name in lower_snake_case");
	read_request(definition, node, method);
	method->is_list = yaml_get(node, "items") != NULL;
	if (method->is_list == (yaml_get(node, "item") != NULL))
		definition_fault(definition, node->line,
				 "a method needs either `items` or `item`: where its list or its "
				 "record stands in the body ('' when it is the body itself)");
	definition_text(definition, node, "items", &method->items);
	definition_text(definition, node, "item", &method->item);
	read_page(definition, node, &method->page);
	if (method->page.style != PAGE_NONE && !method->is_list)
		definition_fault(definition, yaml_get(node, "page")->line,
				 "`page` goes with `items` only");
	read_query(definition, node, method);
	refuse_page_parameters(definition, node, method);
	read_body(definition, node, method);
}

static size_t count_methods(struct definition *definition, const struct yaml_node *resources)
{
	size_t count = 0;

	for (size_t i = 0; i < resources->count; i++) {
		const struct yaml_entry *entry = &resources->entries[i];

		if (entry->value.kind != YAML_MAPPING || entry->value.count == 0)
			definition_fault(definition, entry->line,
					 "`%.*s` must be a mapping of methods",
					 STR_ARGS(entry->key));
		else
			count += entry->value.count;
		if (!definition_is_name(entry->key))
			definition_fault(definition, entry->line,
					 "the resource `%.*s` must be named in lower_snake_case",
					 STR_ARGS(entry->key));
	}
	return count;
}

void natives_read(struct definition *definition, const struct yaml_node *resources,
		  struct connector *connector)
{
	struct native_method *methods;
	size_t count;

	if (resources->kind != YAML_MAPPING) {
		definition_fault(definition, resources->line, "`resources` must be a mapping");
		return;
	}
	count = count_methods(definition, resources);
	if (count > METHODS_MAX) {
		definition_fault(definition, resources->line, "more than %d methods", METHODS_MAX);
		return;
	}
	methods = arena_zero(definition->arena, (count + 1) * sizeof *methods);
	connector->methods = methods;
	for (size_t i = 0; i < resources->count; i++) {
		const struct yaml_entry *entry = &resources->entries[i];

		if (entry->value.kind != YAML_MAPPING)
			continue;
		for (size_t j = 0; j < entry->value.count; j++) {
			struct native_method *method = &methods[connector->method_count++];

			method->resource = entry->key;
			read_method(definition, &entry->value.entries[j], method);
		}
	}
}

static void read_tag(struct definition *definition, const struct yaml_node *tags, size_t index,
		     const struct connector *connector, struct connector_tag *tag)
{
	const struct yaml_entry *entry = &tags->entries[index];
	struct str *resources = NULL;

	tag->name = entry->key;
	if (!definition_is_name(entry->key))
		definition_fault(definition, entry->line,
				 "the tag `%.*s` must be named in lower_snake_case",
				 STR_ARGS(entry->key));
	definition_texts(definition, tags, arena_c(definition->arena, entry->key), &resources,
			 &tag->resource_count);
	tag->resources = resources;
	for (size_t i = 0; i < tag->resource_count; i++) {
		bool is_known = false;

		for (size_t k = 0; !is_known && k < connector->method_count; k++)
			is_known = str_equal(connector->methods[k].resource, resources[i]);
		if (!is_known)
			definition_fault(definition, entry->line, "there is no resource `%.*s`",
					 STR_ARGS(resources[i]));
	}
}

void tags_read(struct definition *definition, const struct yaml_node *root,
	       struct connector *connector)
{
	const struct yaml_node *node = yaml_get(root, "tags");
	struct connector_tag *tags;

	if (node == NULL)
		return;
	if (node->kind != YAML_MAPPING || node->count > TAGS_MAX) {
		definition_fault(definition, node->line,
				 "`tags` must be a mapping of at most %d tags to resources",
				 TAGS_MAX);
		return;
	}
	tags = arena_zero(definition->arena, (node->count + 1) * sizeof *tags);
	for (size_t i = 0; i < node->count; i++)
		read_tag(definition, node, i, connector, &tags[i]);
	connector->tags = tags;
	connector->tag_count = node->count;
}

const struct native_method *natives_find(struct definition *definition,
					 const struct connector *connector,
					 const struct yaml_node *node)
{
	struct str name, rest;

	if (!definition_scalar(definition, node, "call", &rest))
		return NULL;
	name = rest;
	struct str resource = str_cut(&rest, '.');
	const struct native_method *method = connector_find_method(connector, resource, rest);
	if (method != NULL)
		return method;
	struct buffer names;
	buffer_init(&names, definition->arena, 16 * 1024);
	for (size_t i = 0; i < connector->method_count; i++)
		buffer_append_format(&names, "%s%.*s.%.*s", i > 0 ? ", " : "",
				     STR_ARGS(connector->methods[i].resource),
				     STR_ARGS(connector->methods[i].name));
	definition_fault(definition, node->line, "there is no call `%.*s`; allowed: %.*s",
			 STR_ARGS(name), STR_ARGS(buffer_str(&names)));
	return NULL;
}

const struct native_method *natives_find_bare(struct definition *definition,
					      const struct connector *connector,
					      const struct yaml_node *node, const char *what)
{
	const struct native_method *method = natives_find(definition, connector, node);

	for (size_t i = 0; method != NULL && i < method->path.count; i++)
		if (method->path.parts[i].is_name &&
		    natives_has_path(connector, method, method->path.parts[i].text))
			definition_fault(definition, node->line,
					 "`%s` must need nothing; its path has {%.*s}", what,
					 STR_ARGS(method->path.parts[i].text));
	return method;
}
