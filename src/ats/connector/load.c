/* connectors/<name>/: connector.yaml, then a file of mappings for each unified resource. */
#include <assert.h>

#include "ats/connector/loader.h"

/* --- the rest of connector.yaml --------------------------------------------------------------- */

static void read_limits(struct definition *definition, const struct yaml_node *root,
			struct connector_limits *limits)
{
	static const char *const keys[] = {"requests", "per_seconds", "counted", "concurrent", NULL};
	static const char *const ways[] = {"bucket", "window", NULL};
	const struct yaml_node *node = yaml_get(root, "limits");
	size_t way = 0;

	if (node == NULL || !definition_check_mapping(definition, node, "`limits`", keys))
		return;
	if (yaml_get(node, "requests") != NULL)
		definition_require(definition, node, "`limits`", "per_seconds");
	if (yaml_get(node, "per_seconds") != NULL)
		definition_require(definition, node, "`limits`", "requests");
	definition_integer(definition, node, "requests", 1, 1000000, &limits->requests);
	definition_integer(definition, node, "per_seconds", 1, 86400, &limits->per_seconds);
	definition_integer(definition, node, "concurrent", 1, 1000, &limits->concurrent);
	limits->is_window = definition_choice(definition, node, "counted", ways, &way) && way == 1;
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

static void read_personal(struct definition *definition, const struct yaml_node *root,
			  struct connector *connector)
{
	const struct yaml_node *node = yaml_get(root, "personal");
	struct connector_personal *list;

	if (node == NULL)
		return;
	if (node->kind != YAML_MAPPING) {
		definition_fault(definition, node->line,
				 "`personal` must be a mapping of members' names to kinds");
		return;
	}
	list = arena_array(definition->arena, node->count + 1, sizeof *list);
	for (size_t i = 0; i < node->count; i++) {
		const char *name = arena_c(definition->arena, node->entries[i].key);
		size_t kind = 0;

		if (definition_choice(definition, node, name, model_pii_names, &kind))
			list[connector->personal_count++] = (struct connector_personal){
				str_from_c(name), (enum model_pii)kind};
	}
	connector->personal = list;
}

static void read_probe(struct definition *definition, const struct yaml_node *root,
		       struct connector *connector)
{
	const struct yaml_node *node = yaml_get(root, "probe");

	if (node != NULL)
		connector->probe = natives_find_bare(definition, connector, node, "probe");
}

static bool read_connector(struct arena *arena, const struct disk *disk, struct str path,
			   struct buffer *faults, struct connector *connector)
{
	static const char *const keys[] = {"label",	"base_url", "context",	  "credentials",
					   "headers",	"probe",    "limits",	  "references",
					   "personal",
					   "error_message", "missing_fields",
					   "missing_rights", "rate_limited",
					   "link", "post_connect", "post_install",
					   "webhooks", "resources", "tags", NULL};
	static const char *const required[] = {"label", "base_url", "credentials", "resources"};
	struct definition definition;
	struct yaml_node root;

	if (!definition_open(&definition, arena, disk, path, faults, &root))
		return false;
	connector->digest = definition.digest;
	definition_check_mapping(&definition, &root, "a connector", keys);
	for (size_t i = 0; i < sizeof required / sizeof *required; i++)
		definition_require(&definition, &root, "a connector", required[i]);
	definition_text(&definition, &root, "label", &connector->label);
	inputs_read(&definition, yaml_get(&root, "context"), false, &connector->context,
		    &connector->context_count);
	credentials_read(&definition, &root, connector);
	address_read(&definition, &root, "base_url", connector, &connector->base_url);
	headers_read(&definition, &root, connector);
	read_limits(&definition, &root, &connector->limits);
	read_references(&definition, &root, connector);
	read_personal(&definition, &root, connector);
	expression_read(&definition, &root, "error_message", &connector->error_message);
	expression_read(&definition, &root, "missing_fields", &connector->missing_fields);
	expression_read(&definition, &root, "missing_rights", &connector->missing_rights);
	expression_read(&definition, &root, "rate_limited", &connector->rate_limited);
	if (yaml_get(&root, "resources") != NULL)
		natives_read(&definition, yaml_get(&root, "resources"), connector);
	tags_read(&definition, &root, connector);
	read_probe(&definition, &root, connector);
	link_read(&definition, &root, connector);
	install_read(&definition, &root, connector);
	webhooks_read(&definition, &root, connector);
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
