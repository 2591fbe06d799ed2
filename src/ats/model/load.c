/* models/<model>/<resource>.yaml into a struct model, with the fields that every resource has. */
#include <assert.h>

#include "ats/model/fields.h"

/* --- what every resource has ----------------------------------------------------------------- */

static const struct str custom_field_types[] = {
	STR_INIT("text"),   STR_INIT("number"),	    STR_INIT("boolean"), STR_INIT("date"),
	STR_INIT("select"), STR_INIT("multi_select"), STR_INIT("file"),	 STR_INIT("other"),
};

static void add_custom_fields(struct field_list *list)
{
	struct arena *arena = list->definition->arena;
	struct model_field *field =
		field_add(list, STR("custom_fields"), MODEL_OBJECT,
			  "Fields which the company defined itself and the model does not have.");
	struct field_list inner = {.definition = list->definition,
				   .items = arena_array(arena, 5, sizeof *inner.items)};

	field->is_list = true;
	field->pii = MODEL_PII_FREE_TEXT;
	field_add(&inner, STR("id"), MODEL_TEXT, "Its identifier in the ATS.");
	field_add(&inner, STR("name"), MODEL_TEXT, "Its label in the ATS.");
	struct model_field *type =
		field_add(&inner, STR("type"), MODEL_ENUM, "Tells how to read the value.");
	type->values = custom_field_types;
	type->value_count = sizeof custom_field_types / sizeof *custom_field_types;
	field_add_remote_word(&inner, type);
	field_add(&inner, STR("value"), MODEL_ANY, "The value, typed as the type says.")->pii =
		MODEL_PII_FREE_TEXT;
	field->fields = inner.items;
	field->field_count = inner.count;
}

static void add_first(struct field_list *list)
{
	field_add(list, STR("id"), MODEL_TEXT, "Identifier of the record in the ATS.");
}

static void add_last(struct field_list *list)
{
	add_custom_fields(list);
	field_add(list, STR("remote_url"), MODEL_TEXT,
		  "Where a person opens the record in the ATS.");
	field_add(list, STR("created_at"), MODEL_DATE_TIME, "When the record was made in the ATS.");
	field_add(list, STR("updated_at"), MODEL_DATE_TIME,
		  "When the record was last changed in the ATS.");
}

/* The names of add_last are taken from the start (that of add_first is there to be found). */
static void refuse_own_names(struct definition *definition, const struct yaml_node *fields)
{
	static const char *const own[] = {"custom_fields", "remote_url", "created_at", "updated_at",
					  "remote_data"};

	for (size_t i = 0; i < sizeof own / sizeof *own; i++)
		if (yaml_get(fields, own[i]) != NULL)
			definition_fault(definition, yaml_get(fields, own[i])->line,
					 "`%s` is a field of every resource and not said", own[i]);
}

/* --- files ----------------------------------------------------------------------------------- */

static void read_download(struct definition *definition, const struct yaml_node *root,
			  struct model_resource *resource)
{
	struct str name;

	if (yaml_get(root, "download") == NULL ||
	    !definition_text(definition, root, "download", &name))
		return;
	for (size_t i = 0; i < resource->field_count; i++) {
		if (!str_equal(resource->fields[i].name, name) ||
		    resource->fields[i].type != MODEL_TEXT)
			continue;
		resource->has_files = true;
		resource->file_field = i;
		return;
	}
	definition_fault(definition, yaml_get(root, "download")->line,
			 "%.*s have no text field `%.*s`", STR_ARGS(resource->name),
			 STR_ARGS(name));
}

static void read_tags(struct definition *definition, const struct yaml_node *root,
		      struct model_resource *resource)
{
	struct str *tags = NULL;

	definition_texts(definition, root, "tags", &tags, &resource->tag_count);
	for (size_t i = 0; i < resource->tag_count; i++)
		if (!definition_is_name(tags[i]))
			definition_fault(definition, yaml_get(root, "tags")->line,
					 "the tag `%.*s` must be named in lower_snake_case",
					 STR_ARGS(tags[i]));
	resource->tags = tags;
}

static bool load_resource(struct arena *arena, const struct disk *disk, struct str path,
			  struct buffer *faults, struct model_resource *resource)
{
	static const char *const keys[] = {"describe", "fields",	 "filters",
					  "methods",  "download", "tags", "events", NULL};
	struct definition definition;
	struct yaml_node root;

	if (!definition_open(&definition, arena, disk, path, faults, &root))
		return false;
	resource->digest = definition.digest;
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
		fields_read(&list, fields);
		add_last(&list);
		resource->fields = list.items;
		resource->field_count = list.count;
	}
	filters_read(&definition, &root, resource);
	methods_read(&definition, &root, resource);
	read_download(&definition, &root, resource);
	read_tags(&definition, &root, resource);
	events_read(&definition, &root, resource);
	return definition_close(&definition);
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
