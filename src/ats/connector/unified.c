/* connectors/<name>/<model>/<resource>.yaml: how an ATS answers one unified resource. */
#include "ats/connector/unified.h"

#include <assert.h>

enum { MAPS_MAX = 16 };

/* --- field tables ----------------------------------------------------------------------------- */

static bool find_field(const struct unified_file *file, const struct yaml_entry *entry,
		       size_t *index)
{
	const struct model_resource *model = file->model;
	struct str *names;

	for (size_t i = 0; i < model->field_count; i++) {
		if (!str_equal(model->fields[i].name, entry->key))
			continue;
		*index = i;
		return true;
	}
	names = arena_array(file->definition->arena, model->field_count + 1, sizeof *names);
	for (size_t i = 0; i < model->field_count; i++)
		names[i] = model->fields[i].name;
	return definition_fault(
		file->definition, entry->line, "%.*s have no field `%.*s`; allowed: %.*s",
		STR_ARGS(model->name), STR_ARGS(entry->key),
		STR_ARGS(definition_names(file->definition->arena, names, model->field_count)));
}

static void read_map(struct unified_file *file, struct str name, const struct yaml_node *node,
		     struct unified_map *map)
{
	struct definition *definition = file->definition;
	struct unified_map_entry *entries;

	map->name = name;
	if (node->kind != YAML_MAPPING) {
		definition_fault(definition, node->line,
				 "`%.*s` must be a mapping of fields to expressions",
				 STR_ARGS(name));
		return;
	}
	definition_require(definition, node, "a field table", "id");
	entries = arena_array(definition->arena, node->count + 1, sizeof *entries);
	map->entries = entries;
	map->is_pure = true;
	for (size_t i = 0; i < node->count; i++) {
		const struct yaml_entry *entry = &node->entries[i];
		struct unified_map_entry *out = &entries[map->count];

		if (!find_field(file, entry, &out->field))
			continue;
		out->expression = expression_compile(definition, &entry->value,
						     arena_c(definition->arena, entry->key));
		if (out->expression == NULL)
			continue;
		map->is_pure &= expression_is_pure(out->expression);
		map->count++;
	}
}

static void read_maps(struct unified_file *file, const struct yaml_node *root)
{
	const struct yaml_node *map = yaml_get(root, "map");
	const struct yaml_node *more = yaml_get(root, "maps");

	file->maps = arena_zero(file->definition->arena, (MAPS_MAX + 1) * sizeof *file->maps);
	file->is_used = arena_zero(file->definition->arena, MAPS_MAX + 1);
	if (map != NULL)
		read_map(file, STR("map"), map, &file->maps[file->map_count++]);
	if (more == NULL)
		return;
	if (more->kind != YAML_MAPPING || more->count > MAPS_MAX) {
		definition_fault(file->definition, more->line,
				 "`maps` must be a mapping of at most %d field tables", MAPS_MAX);
		return;
	}
	for (size_t i = 0; i < more->count; i++) {
		const struct yaml_entry *entry = &more->entries[i];

		if (!definition_is_name(entry->key) || str_equal(entry->key, STR("map")))
			definition_fault(file->definition, entry->line,
					 "`%.*s` is no name for a field table",
					 STR_ARGS(entry->key));
		read_map(file, entry->key, &entry->value, &file->maps[file->map_count++]);
	}
}

static void refuse_unused_maps(const struct unified_file *file, const struct yaml_node *root)
{
	const struct yaml_node *more = yaml_get(root, "maps");

	for (size_t i = 0; i < file->map_count; i++) {
		const struct yaml_node *node = yaml_get(root, "map");

		if (file->is_used[i])
			continue;
		for (size_t j = 0; more != NULL && j < more->count; j++)
			if (str_equal(more->entries[j].key, file->maps[i].name))
				node = &more->entries[j].value;
		definition_fault(file->definition, node->line, "the field table `%.*s` is not used",
				 STR_ARGS(file->maps[i].name));
	}
}

/* --- the file --------------------------------------------------------------------------------- */

bool unified_check_filter(const struct unified_file *file, uint32_t line, struct str name)
{
	const struct model_resource *model = file->model;
	struct str *names;
	size_t count = 0;

	if (file->is_get && str_equal(name, STR("id")))
		return true;
	names = arena_array(file->definition->arena, model->filter_count + 1, sizeof *names);
	if (file->is_get)
		names[count++] = STR("id");
	for (size_t i = 0; i < model->filter_count; i++) {
		if (str_equal(model->filters[i].name, name))
			return true;
		names[count++] = model->filters[i].name;
	}
	return definition_fault(file->definition, line, "%.*s have no filter `%.*s`; allowed: %.*s",
				STR_ARGS(model->name), STR_ARGS(name),
				STR_ARGS(definition_names(file->definition->arena, names, count)));
}

static void read_method(struct unified_file *file, const struct yaml_node *root, const char *key,
			struct unified_method *out)
{
	const struct yaml_node *node = yaml_get(root, key);

	file->is_get = strcmp(key, "get") == 0;
	if (node != NULL)
		unified_read_method(file, node, out);
}

static void read_download(const struct unified_file *file, const struct yaml_node *root,
			  struct unified_resource *out)
{
	static const char *const keys[] = {"address", "with", NULL};
	const struct yaml_node *node = yaml_get(root, "download");
	struct definition *definition = file->definition;

	if (node == NULL)
		return;
	if (!file->model->has_files || out->get.count == 0)
		definition_fault(definition, node->line,
				 "a `download` belongs to a resource whose records are files, and "
				 "which has a `get`");
	if (!definition_check_mapping(definition, node, "a download", keys) ||
	    !definition_require(definition, node, "a download", "address"))
		return;
	expression_read(definition, node, "address", &out->download.address);
	out->download.filters =
		unified_read_paths(file, node, "with", &out->download.filter_count);
}

/* `sync`: how a copy of it is kept. */
static void read_each(const struct unified_file *file, const struct yaml_node *node,
		      struct unified_sync *out)
{
	const struct yaml_node *each = yaml_get(node, "each");
	const struct yaml_entry *entry;

	if (each == NULL)
		return;
	if (each->kind != YAML_MAPPING || each->count != 1 ||
	    each->entries[0].value.kind != YAML_SCALAR) {
		definition_fault(file->definition, each->line,
				 "`each` must have one filter, and the resource whose ids it takes");
		return;
	}
	entry = &each->entries[0];
	if (!unified_check_filter(file, entry->line, entry->key))
		return;
	out->each = entry->key;
	out->parent = entry->value.text;
}

static void read_rough(const struct unified_file *file, const struct yaml_node *node,
		       struct unified_resource *out)
{
	bool is_partial = false;

	for (size_t i = 0; i < out->list.count; i++)
		is_partial |= out->list.alternatives[i].is_partial;
	out->sync.is_rough = unified_read_fields(file, node, "rough");
	/* A record that was listed whole is not fetched again. */
	if (out->sync.is_rough != NULL && !is_partial)
		definition_fault(file->definition, node->line,
				 "`rough` needs a list that tells records in part (`absent`)");
}

static void read_sync(struct unified_file *file, const struct yaml_node *root,
		      struct unified_resource *out)
{
	static const char *const keys[] = {"each", "since", "rough", NULL};
	const struct yaml_node *node = yaml_get(root, "sync");
	struct definition *definition = file->definition;

	file->is_get = false;
	if (node == NULL || !definition_check_mapping(definition, node, "a sync", keys))
		return;
	if (out->list.count == 0)
		definition_fault(definition, node->line, "`sync` needs a `list`");
	read_each(file, node, &out->sync);
	if (definition_text(definition, node, "since", &out->sync.since) &&
	    out->sync.since.len > 0)
		unified_check_filter(file, node->line, out->sync.since);
	read_rough(file, node, out);
}

/* What may stand in the file: reads, field tables, and the methods that the model has. */
static const char *const *list_keys(const struct unified_file *file)
{
	static const char *const fixed[] = {"list", "get", "map", "maps", "download", "sync"};
	const size_t fixed_count = sizeof fixed / sizeof *fixed;
	const struct model_resource *model = file->model;
	const char **keys = arena_array(file->definition->arena,
					fixed_count + model->method_count + 1, sizeof *keys);

	for (size_t i = 0; i < fixed_count; i++)
		keys[i] = fixed[i];
	for (size_t i = 0; i < model->method_count; i++)
		keys[fixed_count + i] = arena_c(file->definition->arena, model->methods[i].name);
	keys[fixed_count + model->method_count] = NULL;
	return keys;
}

bool unified_read(struct arena *arena, const struct disk *disk, struct str path,
		  const struct connector *connector, const struct model_resource *model,
		  struct buffer *faults, struct unified_resource *out)
{
	struct definition definition;
	struct unified_file file = {&definition, connector, model, NULL, NULL, 0, false};
	struct yaml_node root;

	out->model = model;
	if (!definition_open(&definition, arena, disk, path, faults, &root))
		return false;
	out->digest = definition_digest(
		(const uint64_t[]){connector->digest, model->digest, definition.digest}, 3);
	definition_check_mapping(&definition, &root, "a resource", list_keys(&file));
	read_maps(&file, &root);
	read_method(&file, &root, "list", &out->list);
	read_method(&file, &root, "get", &out->get);
	read_download(&file, &root, out);
	read_sync(&file, &root, out);
	unified_read_writes(&file, &root, out);
	out->maps = file.maps;
	out->map_count = file.map_count;
	/* What a fault kept from being read cannot be seen to use them. */
	if (definition.fault_count == 0)
		refuse_unused_maps(&file, &root);
	return definition_close(&definition);
}
