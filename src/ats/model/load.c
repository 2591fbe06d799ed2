/* models/<model>/<resource>.yaml into a struct model, with the fields that every resource has. */
#include <assert.h>

#include "ats/definition/definition.h"
#include "ats/model/model.h"

enum {
	FIELDS_MAX = 200,
	DEPTH_MAX = 6, /* of objects within objects */
};

/* What `type:` may be; a reference is an object with id and name. */
static const char *const type_names[] = {"text", "integer", "number",    "boolean",
					 "date-time", "date", "enum", "object",
					 "any", "reference", NULL};
enum { TYPE_REFERENCE = MODEL_ANY + 1 };
static const char *const filter_type_names[] = {"text", "integer", "number", "boolean",
						"date-time", "date", "enum", NULL};
static const char *const pii_names[] = {"none", "name", "contact", "document", "sensitive",
					"free_text", NULL};

/* --- fields ---------------------------------------------------------------------------------- */

struct field_list {
	struct definition *definition;
	struct model_field *items;
	size_t count;
};

static bool has_field(const struct field_list *list, struct str name)
{
	for (size_t i = 0; i < list->count; i++)
		if (str_equal(list->items[i].name, name))
			return true;
	return false;
}

static struct model_field *add_field(struct field_list *list, struct str name, enum model_type type,
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

static void add_remote_word(struct field_list *list, const struct model_field *of)
{
	struct arena *arena = list->definition->arena;
	struct str name = arena_format(arena, "remote_%.*s", STR_ARGS(of->name));
	struct model_field *field =
		add_field(list, name, MODEL_TEXT,
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

static void read_values(struct definition *definition, const struct yaml_node *node,
			struct model_field *field)
{
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
	for (size_t i = 0; i < field->value_count; i++)
		if (!definition_is_name(values[i]))
			definition_fault(definition, yaml_get(node, "values")->line,
					 "the value \"%.*s\" must be in lower_snake_case",
					 STR_ARGS(values[i]));
}

static void read_fields(struct field_list *list, const struct yaml_node *mapping,
			enum model_pii above, int depth);

static void read_object(struct definition *definition, const struct yaml_node *node,
			struct model_field *field, bool is_reference, int depth)
{
	const struct yaml_node *fields = yaml_get(node, "fields");
	struct field_list list = {.definition = definition};

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
		add_field(&list, STR("id"), MODEL_TEXT, "Its identifier in the ATS.");
		add_field(&list, STR("name"), MODEL_TEXT, "Its name, where known.")->pii = field->pii;
	}
	if (fields != NULL)
		read_fields(&list, fields, field->pii, depth + 1);
	field->fields = list.items;
	field->field_count = list.count;
}

static void read_field(struct field_list *list, const struct yaml_entry *entry,
		       enum model_pii above, int depth)
{
	static const char *const keys[] = {"type", "list",   "pii",    "describe",
					   "values", "fields", "remote", NULL};
	struct definition *definition = list->definition;
	const struct yaml_node *node = &entry->value;
	size_t type = MODEL_TEXT, pii;
	bool has_remote = true;

	if (!definition_is_name(entry->key) || has_field(list, entry->key)) {
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
	struct model_field *field = add_field(
		list, entry->key, type == TYPE_REFERENCE ? MODEL_OBJECT : (enum model_type)type, "");
	pii = inherit_pii(field, above);
	definition_text(definition, node, "describe", &field->describe);
	definition_boolean(definition, node, "list", &field->is_list);
	definition_boolean(definition, node, "remote", &has_remote);
	definition_choice(definition, node, "pii", pii_names, &pii);
	field->pii = (enum model_pii)pii;
	read_values(definition, node, field);
	read_object(definition, node, field, type == TYPE_REFERENCE, depth);
	if (field->type == MODEL_ENUM && has_remote)
		add_remote_word(list, field);
}

static void read_fields(struct field_list *list, const struct yaml_node *mapping,
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

/* --- what every resource has ----------------------------------------------------------------- */

static const struct str custom_field_types[] = {
	STR_INIT("text"),   STR_INIT("number"),	    STR_INIT("boolean"), STR_INIT("date"),
	STR_INIT("select"), STR_INIT("multi_select"), STR_INIT("file"),	 STR_INIT("other"),
};

static void add_custom_fields(struct field_list *list)
{
	struct arena *arena = list->definition->arena;
	struct model_field *field =
		add_field(list, STR("custom_fields"), MODEL_OBJECT,
			  "Fields which the company defined itself and the model does not have.");
	struct field_list inner = {.definition = list->definition,
				   .items = arena_array(arena, 5, sizeof *inner.items)};

	field->is_list = true;
	field->pii = MODEL_PII_FREE_TEXT;
	add_field(&inner, STR("id"), MODEL_TEXT, "Its identifier in the ATS.");
	add_field(&inner, STR("name"), MODEL_TEXT, "Its label in the ATS.");
	struct model_field *type =
		add_field(&inner, STR("type"), MODEL_ENUM, "Tells how to read the value.");
	type->values = custom_field_types;
	type->value_count = sizeof custom_field_types / sizeof *custom_field_types;
	add_remote_word(&inner, type);
	add_field(&inner, STR("value"), MODEL_ANY, "The value, typed as the type says.")->pii =
		MODEL_PII_FREE_TEXT;
	field->fields = inner.items;
	field->field_count = inner.count;
}

static void add_first(struct field_list *list)
{
	add_field(list, STR("id"), MODEL_TEXT, "Identifier of the record in the ATS.");
}

static void add_last(struct field_list *list)
{
	add_custom_fields(list);
	add_field(list, STR("remote_url"), MODEL_TEXT, "Where a person opens the record in the ATS.");
	add_field(list, STR("created_at"), MODEL_DATE_TIME, "When the record was made in the ATS.");
	add_field(list, STR("updated_at"), MODEL_DATE_TIME,
		  "When the record was last changed in the ATS.");
}

/* The names of add_last are taken from the start (that of add_first is there to be found). */
static void refuse_own_names(struct definition *definition, const struct yaml_node *fields)
{
	static const char *const own[] = {"custom_fields", "remote_url", "created_at",
					  "updated_at", "remote_data"};

	for (size_t i = 0; i < sizeof own / sizeof *own; i++)
		if (yaml_get(fields, own[i]) != NULL)
			definition_fault(definition, yaml_get(fields, own[i])->line,
					 "`%s` is a field of every resource and not said", own[i]);
}

/* --- filters --------------------------------------------------------------------------------- */

/* "job_id", or "created_at[gt]". */
static bool is_filter_name(struct str name)
{
	static const char *const operators[] = {"gt", "gte", "lt", "lte", "in"};
	ptrdiff_t open = str_find_byte(name, '[');

	if (open < 0)
		return definition_is_name(name);
	if (!str_ends_with(name, STR("]")) || !definition_is_name(str_slice(name, 0, (size_t)open)))
		return false;
	struct str word = str_slice(name, (size_t)open + 1, name.len - 1);
	for (size_t i = 0; i < sizeof operators / sizeof *operators; i++)
		if (str_equal_c(word, operators[i]))
			return true;
	return false;
}

static void read_filter(struct definition *definition, const struct yaml_entry *entry,
			struct model_filter *filter)
{
	static const char *const keys[] = {"type", "describe", NULL};
	size_t type = MODEL_TEXT;

	filter->name = entry->key;
	if (!is_filter_name(entry->key))
		definition_fault(definition, entry->line,
				 "`%.*s` is no name for a filter; allowed: name, name[gt], "
				 "name[gte], name[lt], name[lte], name[in]",
				 STR_ARGS(entry->key));
	definition_check_mapping(definition, &entry->value, "a filter", keys);
	definition_require(definition, &entry->value, "a filter", "type");
	definition_require(definition, &entry->value, "a filter", "describe");
	definition_choice(definition, &entry->value, "type", filter_type_names, &type);
	definition_text(definition, &entry->value, "describe", &filter->describe);
	filter->type = (enum model_type)type;
}

static void read_filters(struct definition *definition, const struct yaml_node *root,
			 struct model_resource *resource)
{
	const struct yaml_node *mapping = yaml_get(root, "filters");
	struct model_filter *filters;

	if (mapping == NULL)
		return;
	if (mapping->kind != YAML_MAPPING || mapping->count > FIELDS_MAX) {
		definition_fault(definition, mapping->line,
				 "`filters` must be a mapping of at most %d", FIELDS_MAX);
		return;
	}
	filters = arena_zero(definition->arena, (mapping->count + 1) * sizeof *filters);
	for (size_t i = 0; i < mapping->count; i++)
		read_filter(definition, &mapping->entries[i], &filters[i]);
	resource->filters = filters;
	resource->filter_count = mapping->count;
}

/* --- files ----------------------------------------------------------------------------------- */

static bool load_resource(struct arena *arena, const struct disk *disk, struct str path,
			  struct buffer *faults, struct model_resource *resource)
{
	static const char *const keys[] = {"describe", "fields", "filters", NULL};
	struct definition definition;
	struct yaml_node root;

	if (!definition_open(&definition, arena, disk, path, faults, &root))
		return false;
	definition_check_mapping(&definition, &root, "a resource", keys);
	definition_require(&definition, &root, "a resource", "describe");
	definition_require(&definition, &root, "a resource", "fields");
	definition_text(&definition, &root, "describe", &resource->describe);
	const struct yaml_node *fields = yaml_get(&root, "fields");
	if (fields != NULL) {
		struct field_list list = {.definition = &definition};

		list.items = arena_array(arena, fields->count * 2 + 5, sizeof *list.items);
		refuse_own_names(&definition, fields);
		add_first(&list);
		read_fields(&list, fields, MODEL_PII_NONE, 0);
		add_last(&list);
		resource->fields = list.items;
		resource->field_count = list.count;
	}
	read_filters(&definition, &root, resource);
	return definition.fault_count == 0;
}

static bool load_file(struct arena *arena, const struct disk *disk, const char *folder,
		      struct str file, struct buffer *faults, struct model_resource *resource)
{
	struct str path = arena_format(arena, "%s/%.*s", folder, STR_ARGS(file));

	resource->name = str_slice(file, 0, file.len - 5);
	if (str_ends_with(file, STR(".yaml")) && definition_is_name(resource->name))
		return load_resource(arena, disk, path, faults, resource);
	buffer_append_format(faults, "%.*s:1: a file here must be named <resource>.yaml\n",
			     STR_ARGS(path));
	return false;
}

const struct model *model_load(struct arena *arena, const struct disk *disk, const char *folder,
			       struct buffer *faults)
{
	struct model *model = arena_zero(arena, sizeof *model);
	struct model_resource *resources;
	struct str *files;
	struct error err;
	bool ok = true;

	assert(disk != NULL && folder != NULL && faults != NULL);
	if (!disk_list(disk, arena, folder, &files, &model->resource_count, &err)) {
		buffer_append_format(faults, "%s:1: %s\n", folder, err.message);
		return NULL;
	}
	resources = arena_zero(arena, (model->resource_count + 1) * sizeof *resources);
	for (size_t i = 0; i < model->resource_count; i++)
		ok = load_file(arena, disk, folder, files[i], faults, &resources[i]) && ok;
	if (ok && model->resource_count == 0) {
		buffer_append_format(faults, "%s:1: there is no <resource>.yaml here\n", folder);
		ok = false;
	}
	model->name = definition_folder_name(arena, folder);
	model->resources = resources;
	return ok ? model : NULL;
}
