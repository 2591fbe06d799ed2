/* `post_install:` of connector.yaml: one call once an account is linked. */
#include "ats/connector/loader.h"

enum { MEMBERS_MAX = 16 };

static void read_member(struct definition *definition, const struct yaml_entry *entry,
			const struct connector *connector, struct connector_install_member *member)
{
	member->name = entry->key;
	if (!definition_is_name(entry->key))
		definition_fault(definition, entry->line,
				 "the member `%.*s` must be named in lower_snake_case",
				 STR_ARGS(entry->key));
	if (inputs_find(connector->context, connector->context_count, entry->key) != NULL)
		definition_fault(definition, entry->line,
				 "`%.*s` is a field of the context already", STR_ARGS(entry->key));
	member->value = expression_compile(definition, &entry->value, "context");
}

static void read_members(struct definition *definition, const struct yaml_node *mapping,
			 struct connector *connector)
{
	struct connector_install_member *members;

	if (mapping->kind != YAML_MAPPING || mapping->count > MEMBERS_MAX) {
		definition_fault(definition, mapping->line,
				 "`context` must be a mapping of at most %d", MEMBERS_MAX);
		return;
	}
	members = arena_zero(definition->arena, (mapping->count + 1) * sizeof *members);
	for (size_t i = 0; i < mapping->count; i++)
		read_member(definition, &mapping->entries[i], connector, &members[i]);
	connector->install.members = members;
	connector->install.member_count = mapping->count;
}

void install_read(struct definition *definition, const struct yaml_node *root,
		  struct connector *connector)
{
	static const char *const keys[] = {"call", "context", NULL};
	const struct yaml_node *node = yaml_get(root, "post_install");

	if (node == NULL ||
	    (!definition_check_mapping(definition, node, "`post_install`", keys) &&
	     node->kind != YAML_MAPPING) ||
	    !definition_require(definition, node, "`post_install`", "call"))
		return;
	connector->install.method = natives_find_bare(definition, connector,
						      yaml_get(node, "call"), "post_install");
	if (yaml_get(node, "context") != NULL)
		read_members(definition, yaml_get(node, "context"), connector);
}
