/* connectors/<name>/: connector.yaml, then a file of mappings for each unified resource. */
#include <assert.h>

#include "ats/connector/loader.h"

enum {
	FIELDS_MAX = 32,
	HEADERS_MAX = 15, /* what an operation's call has room for, but one */
};

/* --- fields of the context and the credential ------------------------------------------------- */

static void read_field(struct definition *definition, const struct yaml_entry *entry,
		       bool is_credential, struct connector_field *field)
{
	static const char *const context_keys[] = {"label", "help", "placeholder", "pattern",
						   "required", NULL};
	static const char *const credential_keys[] = {"label", "help", "placeholder", "pattern",
						      "required", "secret", NULL};
	const struct yaml_node *node = &entry->value;

	field->name = entry->key;
	field->is_required = true;
	field->is_secret = is_credential;
	if (!definition_is_name(entry->key))
		definition_fault(definition, entry->line,
				 "the field `%.*s` must be named in lower_snake_case",
				 STR_ARGS(entry->key));
	if (!definition_check_mapping(definition, node, "a field",
				      is_credential ? credential_keys : context_keys) &&
	    node->kind != YAML_MAPPING)
		return;
	definition_require(definition, node, "a field", "label");
	definition_text(definition, node, "label", &field->label);
	definition_text(definition, node, "help", &field->help);
	definition_text(definition, node, "placeholder", &field->placeholder);
	definition_boolean(definition, node, "required", &field->is_required);
	definition_boolean(definition, node, "secret", &field->is_secret);
	if (yaml_get(node, "pattern") == NULL ||
	    !definition_text(definition, node, "pattern", &field->pattern))
		return;
	field->check = expression_compile_pattern(definition, yaml_get(node, "pattern"));
}

static void read_fields(struct definition *definition, const struct yaml_node *mapping,
			bool is_credential, const struct connector_field **out, size_t *count)
{
	struct connector_field *fields;

	if (mapping == NULL)
		return;
	if (mapping->kind != YAML_MAPPING || mapping->count > FIELDS_MAX) {
		definition_fault(definition, mapping->line, "fields must be a mapping of at most %d",
				 FIELDS_MAX);
		return;
	}
	fields = arena_zero(definition->arena, (mapping->count + 1) * sizeof *fields);
	for (size_t i = 0; i < mapping->count; i++)
		read_field(definition, &mapping->entries[i], is_credential, &fields[i]);
	*out = fields;
	*count = mapping->count;
}

static void read_credentials(struct definition *definition, const struct yaml_node *root,
			     struct connector *connector)
{
	static const char *const keys[] = {"format", "fields", NULL};
	static const char *const formats[] = {"api_key", NULL};
	const struct yaml_node *node = yaml_get(root, "credentials");
	size_t format = 0;

	if (node == NULL ||
	    (!definition_check_mapping(definition, node, "`credentials`", keys) &&
	     node->kind != YAML_MAPPING))
		return;
	definition_require(definition, node, "`credentials`", "format");
	definition_require(definition, node, "`credentials`", "fields");
	if (definition_choice(definition, node, "format", formats, &format))
		connector->credential_format = str_from_c(formats[format]);
	read_fields(definition, yaml_get(node, "fields"), true, &connector->credentials,
		    &connector->credential_count);
}

/* --- templates -------------------------------------------------------------------------------- */

static const struct connector_field *find_field(const struct connector_field *fields, size_t count,
						struct str name)
{
	for (size_t i = 0; i < count; i++)
		if (str_equal(fields[i].name, name))
			return &fields[i];
	return NULL;
}

static void check_names(struct definition *definition, uint32_t line,
			const struct template *template, const struct connector_field *fields,
			size_t count)
{
	struct str names[FIELDS_MAX];
	struct str allowed;

	for (size_t i = 0; i < count; i++)
		names[i] = fields[i].name;
	allowed = definition_names(definition->arena, names, count);
	for (size_t i = 0; i < template->count; i++)
		if (template->parts[i].is_name &&
		    find_field(fields, count, template->parts[i].text) == NULL)
			definition_fault(definition, line, "there is no {%.*s}; allowed: %.*s",
					 STR_ARGS(template->parts[i].text), STR_ARGS(allowed));
}

static void read_base_url(struct definition *definition, const struct yaml_node *root,
			  struct connector *connector)
{
	const struct yaml_node *node = yaml_get(root, "base_url");
	struct str text;

	if (node == NULL || !definition_text(definition, root, "base_url", &text))
		return;
	/* Credentials go there. (A sandbox is put in its place when the server is started.) */
	if (!str_starts_with(text, STR("https://")))
		definition_fault(definition, node->line, "`base_url` must begin with https://");
	if (!template_parse(definition, node->line, text, &connector->base_url))
		return;
	check_names(definition, node->line, &connector->base_url, connector->context,
		    connector->context_count);
	for (size_t i = 0; i < connector->base_url.count; i++) {
		const struct template_part *part = &connector->base_url.parts[i];
		const struct connector_field *field =
			find_field(connector->context, connector->context_count, part->text);

		if (part->is_name && field != NULL && !field->is_required)
			definition_fault(definition, node->line,
					 "{%.*s} must be a required field of the context",
					 STR_ARGS(field->name));
	}
}

static void read_headers(struct definition *definition, const struct yaml_node *root,
			 struct connector *connector)
{
	const struct yaml_node *mapping = yaml_get(root, "headers");
	struct connector_header *headers;
	struct str text;

	if (mapping == NULL)
		return;
	if (mapping->kind != YAML_MAPPING || mapping->count > HEADERS_MAX) {
		definition_fault(definition, mapping->line,
				 "`headers` must be a mapping of at most %d", HEADERS_MAX);
		return;
	}
	headers = arena_zero(definition->arena, (mapping->count + 1) * sizeof *headers);
	for (size_t i = 0; i < mapping->count; i++) {
		const struct yaml_entry *entry = &mapping->entries[i];

		headers[i].name = entry->key;
		if (http_has_control_byte(entry->key) || str_find_byte(entry->key, ':') >= 0 ||
		    str_find_byte(entry->key, ' ') >= 0 || entry->key.len == 0)
			definition_fault(definition, entry->line, "`%.*s` is no name of a header",
					 STR_ARGS(entry->key));
		if (!definition_scalar(definition, &entry->value, "a header", &text) ||
		    !template_parse(definition, entry->line, text, &headers[i].value))
			continue;
		check_names(definition, entry->line, &headers[i].value, connector->credentials,
			    connector->credential_count);
	}
	connector->headers = headers;
	connector->header_count = mapping->count;
}

/* --- the rest of connector.yaml --------------------------------------------------------------- */

static void read_limits(struct definition *definition, const struct yaml_node *root,
			struct connector_limits *limits)
{
	static const char *const keys[] = {"requests", "per_seconds", "concurrent", NULL};
	const struct yaml_node *node = yaml_get(root, "limits");

	if (node == NULL || !definition_check_mapping(definition, node, "`limits`", keys))
		return;
	if (yaml_get(node, "requests") != NULL)
		definition_require(definition, node, "`limits`", "per_seconds");
	if (yaml_get(node, "per_seconds") != NULL)
		definition_require(definition, node, "`limits`", "requests");
	definition_integer(definition, node, "requests", 1, 1000000, &limits->requests);
	definition_integer(definition, node, "per_seconds", 1, 86400, &limits->per_seconds);
	definition_integer(definition, node, "concurrent", 1, 1000, &limits->concurrent);
}

static void read_references(struct definition *definition, const struct yaml_node *root,
			    struct connector *connector)
{
	static const char *const keys[] = {"path", "type", NULL};
	const struct yaml_node *node = yaml_get(root, "references");

	if (node == NULL || !definition_check_mapping(definition, node, "`references`", keys))
		return;
	definition_require(definition, node, "`references`", "path");
	definition_require(definition, node, "`references`", "type");
	definition_text(definition, node, "path", &connector->references_path);
	definition_text(definition, node, "type", &connector->reference_type);
}

static void read_probe(struct definition *definition, const struct yaml_node *root,
		       struct connector *connector)
{
	const struct yaml_node *node = yaml_get(root, "probe");

	if (node == NULL)
		return;
	connector->probe = natives_find(definition, connector, node);
	if (connector->probe == NULL)
		return;
	const struct template *path = &connector->probe->path;
	for (size_t i = 0; i < path->count; i++)
		if (path->parts[i].is_name &&
		    natives_has_path(connector, connector->probe, path->parts[i].text))
			definition_fault(definition, node->line,
					 "`probe` must need nothing; its path has {%.*s}",
					 STR_ARGS(path->parts[i].text));
}

static bool read_connector(struct arena *arena, const struct disk *disk, struct str path,
			   struct buffer *faults, struct connector *connector)
{
	static const char *const keys[] = {"label",	"base_url", "context",	  "credentials",
					   "headers",	"probe",    "limits",	  "references",
					   "error_message", "missing_fields",
					   "missing_rights", "rate_limited",
					   "link", "post_connect",
					   "resources", NULL};
	static const char *const required[] = {"label", "base_url", "credentials", "resources"};
	struct definition definition;
	struct yaml_node root;

	if (!definition_open(&definition, arena, disk, path, faults, &root))
		return false;
	definition_check_mapping(&definition, &root, "a connector", keys);
	for (size_t i = 0; i < sizeof required / sizeof *required; i++)
		definition_require(&definition, &root, "a connector", required[i]);
	definition_text(&definition, &root, "label", &connector->label);
	read_fields(&definition, yaml_get(&root, "context"), false, &connector->context,
		    &connector->context_count);
	read_credentials(&definition, &root, connector);
	read_base_url(&definition, &root, connector);
	read_headers(&definition, &root, connector);
	read_limits(&definition, &root, &connector->limits);
	read_references(&definition, &root, connector);
	expression_read(&definition, &root, "error_message", &connector->error_message);
	expression_read(&definition, &root, "missing_fields", &connector->missing_fields);
	expression_read(&definition, &root, "missing_rights", &connector->missing_rights);
	expression_read(&definition, &root, "rate_limited", &connector->rate_limited);
	if (yaml_get(&root, "resources") != NULL)
		natives_read(&definition, yaml_get(&root, "resources"), connector);
	read_probe(&definition, &root, connector);
	link_read(&definition, &root, connector);
	return definition_close(&definition);
}

/* --- mappings --------------------------------------------------------------------------------- */

static bool refuse_file(struct arena *arena, const struct model *model, struct str path,
			struct buffer *faults)
{
	struct str *names = arena_array(arena, model->resource_count + 1, sizeof *names);

	for (size_t i = 0; i < model->resource_count; i++)
		names[i] = model->resources[i].name;
	buffer_append_format(faults, "%.*s:1: a file here must be named after a resource; "
				     "allowed: %.*s (.yaml)\n",
			     STR_ARGS(path),
			     STR_ARGS(definition_names(arena, names, model->resource_count)));
	return false;
}

static bool read_mapping(struct arena *arena, const struct disk *disk, struct str path,
			 struct str file, const struct model *model,
			 const struct connector *connector, struct buffer *faults,
			 struct unified_resource *out)
{
	const struct model_resource *resource = NULL;

	if (str_ends_with(file, STR(".yaml")))
		resource = model_find(model, str_slice(file, 0, file.len - 5));
	if (resource == NULL)
		return refuse_file(arena, model, path, faults);
	return unified_read(arena, disk, path, connector, resource, faults, out);
}

static bool read_mappings(struct arena *arena, const struct disk *disk, const char *folder,
			  const struct model *model, struct connector *connector,
			  struct buffer *faults)
{
	struct str inside = arena_format(arena, "%s/%.*s", folder, STR_ARGS(model->name));
	struct unified_resource *resources;
	struct str *files;
	struct error err;
	bool ok = true;

	if (!disk_list(disk, arena, arena_c(arena, inside), &files, &connector->resource_count,
		       &err)) {
		buffer_append_format(faults, "%.*s:1: %s\n", STR_ARGS(inside), err.message);
		return false;
	}
	resources = arena_zero(arena, (connector->resource_count + 1) * sizeof *resources);
	for (size_t i = 0; i < connector->resource_count; i++) {
		struct str path = arena_format(arena, "%.*s/%.*s", STR_ARGS(inside),
					       STR_ARGS(files[i]));

		ok = read_mapping(arena, disk, path, files[i], model, connector, faults,
				  &resources[i]) && ok;
	}
	connector->resources = resources;
	return ok;
}

const struct connector *connector_load(struct arena *arena, const struct disk *disk,
				       const char *folder, const struct model *model,
				       struct buffer *faults)
{
	struct connector *connector = arena_zero(arena, sizeof *connector);
	struct str path = arena_format(arena, "%s/connector.yaml", folder);
	bool ok;

	assert(disk != NULL && model != NULL && faults != NULL);
	connector->name = definition_folder_name(arena, folder);
	ok = read_connector(arena, disk, path, faults, connector);
	/* Also when that had faults: its methods are there as far as they could be read. */
	ok = read_mappings(arena, disk, folder, model, connector, faults) && ok;
	ok = link_check(arena, path, connector, faults) && ok;
	return ok ? connector : NULL;
}
