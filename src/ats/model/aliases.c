/* models/aliases.yaml: other names of parameters. */
#include "ats/model/model.h"

static void read_alias(struct definition *definition, const struct yaml_entry *entry,
		       struct model_alias *alias)
{
	static const char *const keys[] = {"parameter", "negate", "value", NULL};

	alias->name = entry->key;
	if (!definition_is_name(entry->key))
		definition_fault(definition, entry->line, "`%.*s` is no name for a parameter",
				 STR_ARGS(entry->key));
	definition_check_mapping(definition, &entry->value, "an alias", keys);
	definition_require(definition, &entry->value, "an alias", "parameter");
	definition_text(definition, &entry->value, "parameter", &alias->parameter);
	definition_boolean(definition, &entry->value, "negate", &alias->is_negated);
	definition_text(definition, &entry->value, "value", &alias->value);
}

bool model_load_aliases(struct arena *arena, const struct disk *disk, const char *path,
			struct model_aliases *out, struct buffer *faults)
{
	struct definition definition;
	struct model_alias *items;
	struct yaml_node root;

	if (!definition_open(&definition, arena, disk, str_from_c(path), faults, &root))
		return false;
	items = arena_zero(arena, (root.count + 1) * sizeof *items);
	for (size_t i = 0; i < root.count; i++)
		read_alias(&definition, &root.entries[i], &items[i]);
	out->items = items;
	out->count = root.count;
	return definition_close(&definition);
}

const struct model_alias *model_find_alias(const struct model_aliases *aliases, struct str name)
{
	for (size_t i = 0; aliases != NULL && i < aliases->count; i++)
		if (str_equal(aliases->items[i].name, name))
			return &aliases->items[i];
	return NULL;
}
