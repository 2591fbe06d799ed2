/* `methods:` of a resource: what may be written, and what a request's body then is. */
#include "ats/model/fields.h"

enum { METHODS_MAX = 40 };

static bool is_plain_method(struct str name)
{
	return str_equal(name, STR("create")) || str_equal(name, STR("update")) ||
	       str_equal(name, STR("delete"));
}

/* "move-stage": lower-case words joined by hyphens, as they stand in a path. */
static bool is_method_name(struct str name)
{
	bool is_word = false;

	for (size_t i = 0; i < name.len; i++) {
		bool is_letter = name.data[i] >= 'a' && name.data[i] <= 'z';

		if (!is_letter && (name.data[i] != '-' || !is_word))
			return false;
		is_word = is_letter;
	}
	return is_word && name.len <= 64 && !str_equal(name, STR("list")) &&
	       !str_equal(name, STR("get")) && !str_equal(name, STR("meta"));
}

/* The fields of the record itself which the body may have, as the record has them. */
static void take_fields(struct definition *definition, const struct yaml_node *node,
			const struct model_resource *resource, struct field_list *list)
{
	struct str *names = NULL;
	size_t count = 0;

	if (yaml_get(node, "take") == NULL ||
	    !definition_texts(definition, node, "take", &names, &count))
		return;
	for (size_t i = 0; i < count && list->count < FIELDS_MAX; i++) {
		const struct model_field *field = model_find_field(resource, names[i]);

		if (field == NULL || field->is_remote_word)
			definition_fault(definition, yaml_get(node, "take")->line,
					 "%.*s have no field `%.*s` to take",
					 STR_ARGS(resource->name), STR_ARGS(names[i]));
		else
			list->items[list->count++] = *field;
	}
}

static void require_fields(struct definition *definition, const struct yaml_node *node,
			   struct field_list *list)
{
	struct str *names = NULL;
	size_t count = 0;

	if (yaml_get(node, "require") == NULL ||
	    !definition_texts(definition, node, "require", &names, &count))
		return;
	for (size_t i = 0; i < count; i++) {
		struct model_field *found = NULL;

		for (size_t k = 0; k < list->count; k++)
			if (str_equal(list->items[k].name, names[i]))
				found = &list->items[k];
		if (found == NULL)
			definition_fault(
				definition, yaml_get(node, "require")->line,
				"`%.*s` is required, but is neither in `take` nor in `body`",
				STR_ARGS(names[i]));
		else
			found->is_required = true;
	}
}

static void read_body(struct definition *definition, const struct yaml_node *node,
		      const struct model_resource *resource, struct model_method *method)
{
	const struct yaml_node *body = yaml_get(node, "body");
	struct field_list list = {.definition = definition, .kind = FIELDS_BODY};

	list.items = arena_array(definition->arena, 2 * FIELDS_MAX, sizeof *list.items);
	take_fields(definition, node, resource, &list);
	if (body != NULL)
		fields_read(&list, body);
	require_fields(definition, node, &list);
	method->fields = list.items;
	method->field_count = list.count;
}

static void read_method(struct definition *definition, const struct yaml_entry *entry,
			const struct model_resource *resource, struct model_method *method)
{
	static const char *const keys[] = {"describe", "take", "body", "require", "id", NULL};
	const struct yaml_node *node = &entry->value;

	method->name = entry->key;
	method->has_id = !str_equal(entry->key, STR("create"));
	if (!is_method_name(entry->key))
		definition_fault(definition, entry->line,
				 "`%.*s` is no name for a method; allowed: create, update, delete, "
				 "and names-like-this",
				 STR_ARGS(entry->key));
	if (!definition_check_mapping(definition, node, "a method", keys) &&
	    node->kind != YAML_MAPPING)
		return;
	definition_require(definition, node, "a method", "describe");
	definition_text(definition, node, "describe", &method->describe);
	if (yaml_get(node, "id") != NULL && is_plain_method(entry->key))
		definition_fault(definition, yaml_get(node, "id")->line,
				 "`id` is not said of create, update and delete");
	definition_boolean(definition, node, "id", &method->has_id);
	read_body(definition, node, resource, method);
}

void methods_read(struct definition *definition, const struct yaml_node *root,
		  struct model_resource *resource)
{
	const struct yaml_node *mapping = yaml_get(root, "methods");
	struct model_method *methods;

	if (mapping == NULL)
		return;
	if (mapping->kind != YAML_MAPPING || mapping->count > METHODS_MAX) {
		definition_fault(definition, mapping->line,
				 "`methods` must be a mapping of at most %d", METHODS_MAX);
		return;
	}
	methods = arena_zero(definition->arena, (mapping->count + 1) * sizeof *methods);
	for (size_t i = 0; i < mapping->count; i++)
		read_method(definition, &mapping->entries[i], resource, &methods[i]);
	resource->methods = methods;
	resource->method_count = mapping->count;
}
