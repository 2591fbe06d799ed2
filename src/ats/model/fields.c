/* The fields of resources, and of the bodies of requests, as people write them. */
#include "ats/model/fields.h"

enum { DEPTH_MAX = 6 /* of objects within objects */ };

/* What `type:` may be; a reference is an object with id and name. */
static const char *const type_names[] = {"text",      "integer", "number",    "boolean",
					 "date-time", "date",	 "enum",      "object",
					 "any",	      "file",	 "reference", NULL};
enum { TYPE_REFERENCE = MODEL_FILE + 1 };
const char *const model_pii_names[] = {"none",	     "name",	  "contact", "document",
					"sensitive", "free_text", NULL};

/* --- fields ---------------------------------------------------------------------------------- */

static bool has_field(const struct field_list *list, struct str name)
{
	for (size_t i = 0; i < list->count; i++)
		if (str_equal(list->items[i].name, name))
			return true;
	return false;
}

struct model_field *field_add(struct field_list *list, struct str name, enum model_type type,
			      const char *describe)
{
	struct model_field *field = &list->items[list->count++];

	*field = (struct model_field){
		.name = name,
		.hash = json_key_hash(name.data, name.len),
		.type = type,
		.describe = str_from_c(describe),
	};
	return field;
}

void field_add_remote_word(struct field_list *list, const struct model_field *of)
{
	struct arena *arena = list->definition->arena;
	struct str name = arena_format(arena, "remote_%.*s", STR_ARGS(of->name));
	struct model_field *field = field_add(
		list, name, MODEL_TEXT,
		arena_format(arena, "The ATS's own word for %.*s.", STR_ARGS(of->name)).data);

	field->is_list = of->is_list;
	field->pii = of->pii;
	field->is_remote_word = true;
}

/* A mark on an object holds for the texts in it which have none of their own. */
static enum model_pii inherit_pii(const struct model_field *field, enum model_pii above)
{
	bool is_open = field->type == MODEL_TEXT || field->type == MODEL_OBJECT ||
		       field->type == MODEL_ANY || field->type == MODEL_DATE;

	return is_open && !str_equal(field->name, STR("id")) ? above : MODEL_PII_NONE;
}

static void read_values(const struct field_list *list, const struct yaml_node *node,
			struct model_field *field)
{
	struct definition *definition = list->definition;
	struct str *values = NULL;

	if (field->type != MODEL_ENUM) {
		if (yaml_get(node, "values") != NULL)
			definition_fault(definition, yaml_get(node, "values")->line,
					 "`values` goes with the type enum only");
		return;
	}
	if (!definition_require(definition, node, "an enum", "values") ||
	    !definition_texts(definition, node, "values", &values, &field->value_count))
		return;
	field->values = values;
	field->is_exact = list->kind == FIELDS_NATIVE;
	for (size_t i = 0; i < field->value_count && !field->is_exact; i++)
		if (!definition_is_name(values[i]))
			definition_fault(definition, yaml_get(node, "values")->line,
					 "the value \"%.*s\" must be in lower_snake_case",
					 STR_ARGS(values[i]));
}

static void read_list(struct field_list *list, const struct yaml_node *mapping,
		      enum model_pii above, int depth);

static void read_object(const struct field_list *outer, const struct yaml_node *node,
			struct model_field *field, bool is_reference, int depth)
{
	struct definition *definition = outer->definition;
	const struct yaml_node *fields = yaml_get(node, "fields");
	struct field_list list = {.definition = definition, .kind = outer->kind};

	if (field->type != MODEL_OBJECT) {
		if (fields != NULL)
			definition_fault(definition, fields->line,
					 "`fields` goes with the types object and reference only");
		return;
	}
	if (!is_reference && !definition_require(definition, node, "an object", "fields"))
		return;
	if (depth == DEPTH_MAX) {
		definition_fault(definition, node->line, "more than %d objects in each other",
				 DEPTH_MAX);
		return;
	}
	list.items = arena_array(definition->arena, (fields == NULL ? 0 : fields->count) * 2 + 2,
				 sizeof *list.items);
	if (is_reference) {
		field_add(&list, STR("id"), MODEL_TEXT, "Its identifier in the ATS.");
		field_add(&list, STR("name"), MODEL_TEXT, "Its name, where known.")->pii =
			field->pii;
	}
	if (fields != NULL)
		read_list(&list, fields, field->pii, depth + 1);
	field->fields = list.items;
	field->field_count = list.count;
}

/* A native name is as the ATS has it. */
static bool is_field_name(const struct field_list *list, struct str name)
{
	bool is_name = list->kind == FIELDS_NATIVE ? name.len > 0 : definition_is_name(name);

	return is_name && !has_field(list, name);
}

static void read_field(struct field_list *list, const struct yaml_entry *entry,
		       enum model_pii above, int depth)
{
	static const char *const record_keys[] = {"type",   "list",   "pii",	"describe",
						  "values", "fields", "remote", "volatile", NULL};
	static const char *const body_keys[] = {"type",	  "list",   "pii",	"describe",
						"values", "fields", "required", NULL};
	const char *const *keys = list->kind == FIELDS_RECORD ? record_keys : body_keys;
	struct definition *definition = list->definition;
	const struct yaml_node *node = &entry->value;
	size_t type = MODEL_TEXT, pii;
	bool has_remote = list->kind == FIELDS_RECORD;

	if (!is_field_name(list, entry->key)) {
		definition_fault(definition, entry->line,
				 "`%.*s` is no name for a field here: it must be a name in "
				 "lower_snake_case which no other field has",
				 STR_ARGS(entry->key));
		return;
	}
	if (!definition_check_mapping(definition, node, "a field", keys) &&
	    node->kind != YAML_MAPPING)
		return;
	definition_require(definition, node, "a field", "type");
	definition_require(definition, node, "a field", "describe");
	definition_choice(definition, node, "type", type_names, &type);
	struct model_field *field =
		field_add(list, entry->key,
			  type == TYPE_REFERENCE ? MODEL_OBJECT : (enum model_type)type, "");
	pii = inherit_pii(field, above);
	definition_text(definition, node, "describe", &field->describe);
	definition_boolean(definition, node, "list", &field->is_list);
	definition_boolean(definition, node, "remote", &has_remote);
	definition_choice(definition, node, "pii", model_pii_names, &pii);
	definition_boolean(definition, node, "required", &field->is_required);
	definition_boolean(definition, node, "volatile", &field->is_volatile);
	field->pii = (enum model_pii)pii;
	if (field->type == MODEL_FILE && list->kind == FIELDS_RECORD)
		definition_fault(definition, node->line, "a record cannot have a file in it");
	read_values(list, node, field);
	read_object(list, node, field, type == TYPE_REFERENCE, depth);
	if (field->type == MODEL_ENUM && has_remote)
		field_add_remote_word(list, field);
}

static void read_list(struct field_list *list, const struct yaml_node *mapping,
		      enum model_pii above, int depth)
{
	if (mapping->kind != YAML_MAPPING || mapping->count > FIELDS_MAX) {
		definition_fault(list->definition, mapping->line,
				 "`fields` must be a mapping of at most %d", FIELDS_MAX);
		return;
	}
	for (size_t i = 0; i < mapping->count; i++)
		read_field(list, &mapping->entries[i], above, depth);
}

void fields_read(struct field_list *list, const struct yaml_node *mapping)
{
	read_list(list, mapping, MODEL_PII_NONE, 0);
}

bool model_read_body(struct definition *definition, const struct yaml_node *mapping, bool is_native,
		     const struct model_field **fields, size_t *count)
{
	struct field_list list = {.definition = definition,
				  .kind = is_native ? FIELDS_NATIVE : FIELDS_BODY};
	size_t faults = definition->fault_count;

	list.items = arena_array(definition->arena, mapping->count + 1, sizeof *list.items);
	fields_read(&list, mapping);
	*fields = list.items;
	*count = list.count;
	return definition->fault_count == faults;
}
