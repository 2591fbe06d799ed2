/* `link:` and `post_connect:` of connector.yaml: what the link page shows and asks. */
#include "ats/connector/loader.h"

enum { REASONS_MAX = 16, LANGUAGES_MAX = 64, GUIDES_MAX = 8, CHOICES_MAX = 16, DEPENDS_MAX = 4 };

const char *const connector_reasons[] = {"credential_refused", "company_unknown", "right_missing",
					 "ats_unreachable",    "rate_limited",    "invalid_field",
					 "connector_failed",   NULL};
const char *const connector_choice_types[] = {"single_select", "multi_select", "text", "boolean",
					      NULL};

/* A file's name goes into a path and an address: "token.svg". */
static bool is_file_name(struct str name)
{
	if (name.len == 0 || name.len > 64 || name.data[0] == '.')
		return false;
	for (size_t i = 0; i < name.len; i++) {
		char c = name.data[i];

		if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_' ||
		      c == '.'))
			return false;
	}
	return true;
}

static void read_file(struct definition *definition, const struct yaml_node *node, const char *key,
		      struct str *out)
{
	const struct yaml_node *said = yaml_get(node, key);

	if (said != NULL && definition_text(definition, node, key, out) && !is_file_name(*out))
		definition_fault(definition, said->line,
				 "`%s` must be the name of a file in link/: a-z 0-9 - _ .", key);
}

/* Unknown keys are told, and the others read. */
static bool is_mapping(struct definition *definition, const struct yaml_node *node,
		       const char *what, const char *const *keys)
{
	return definition_check_mapping(definition, node, what, keys) ||
	       node->kind == YAML_MAPPING;
}

static bool open_mapping(struct definition *definition, const struct yaml_node *node,
			 const char *what, size_t max)
{
	if (node->kind == YAML_MAPPING && node->count <= max)
		return true;
	return definition_fault(definition, node->line, "`%s` must be a mapping of at most %zu",
				what, max);
}

/* --- link ------------------------------------------------------------------------------------ */

static void read_guide(struct definition *definition, const struct yaml_entry *entry,
		       struct connector_guide *guide)
{
	static const char *const keys[] = {"label", "help", "picture", "url", NULL};
	const struct yaml_node *node = &entry->value, *url;

	guide->format = entry->key;
	if (!is_mapping(definition, node, "a format of `link`", keys))
		return;
	definition_text(definition, node, "label", &guide->label);
	definition_text(definition, node, "help", &guide->help);
	definition_text(definition, node, "url", &guide->url);
	read_file(definition, node, "picture", &guide->picture);
	url = yaml_get(node, "url");
	if (url != NULL && !str_starts_with(guide->url, STR("https://")))
		definition_fault(definition, url->line, "`url` must begin with https://");
}

static void read_guides(struct definition *definition, const struct yaml_node *node,
			struct connector_link *link)
{
	const struct yaml_node *mapping = yaml_get(node, "formats");
	struct connector_guide *guides;

	if (mapping == NULL || !open_mapping(definition, mapping, "formats", GUIDES_MAX))
		return;
	guides = arena_zero(definition->arena, (mapping->count + 1) * sizeof *guides);
	for (size_t i = 0; i < mapping->count; i++)
		read_guide(definition, &mapping->entries[i], &guides[i]);
	link->guides = guides;
	link->guide_count = mapping->count;
}

static const char *find_reason(struct definition *definition, const struct yaml_entry *entry)
{
	for (size_t i = 0; connector_reasons[i] != NULL; i++)
		if (str_equal_c(entry->key, connector_reasons[i]))
			return connector_reasons[i];
	definition_fault(definition, entry->line,
			 "`%.*s` is no reason; allowed: credential_refused, company_unknown, "
			 "right_missing, ats_unreachable, rate_limited, invalid_field, connector_failed",
			 STR_ARGS(entry->key));
	return NULL;
}

static void read_reasons(struct definition *definition, const struct yaml_node *node,
			 struct connector_link *link)
{
	const struct yaml_node *mapping = yaml_get(node, "reasons");
	struct connector_reason *reasons;

	if (mapping == NULL || !open_mapping(definition, mapping, "reasons", REASONS_MAX))
		return;
	reasons = arena_zero(definition->arena, (mapping->count + 1) * sizeof *reasons);
	for (size_t i = 0; i < mapping->count; i++) {
		reasons[i].reason = find_reason(definition, &mapping->entries[i]);
		reasons[i].when =
			expression_compile(definition, &mapping->entries[i].value, "reasons");
	}
	link->reasons = reasons;
	link->reason_count = mapping->count;
}

static bool is_language(struct str name)
{
	if (name.len < 2 || name.len > 8)
		return false;
	for (size_t i = 0; i < name.len; i++)
		if (!(name.data[i] >= 'a' && name.data[i] <= 'z') && (name.data[i] != '-' || i < 2))
			return false;
	return true;
}

static void read_languages(struct definition *definition, const struct yaml_node *node,
			   struct connector_link *link)
{
	const struct yaml_node *list = yaml_get(node, "languages");
	struct str *languages;

	if (list == NULL)
		return;
	if (list->kind != YAML_SEQUENCE || list->count > LANGUAGES_MAX) {
		definition_fault(definition, list->line, "`languages` must be a list: [de, nl]");
		return;
	}
	languages = arena_zero(definition->arena, (list->count + 1) * sizeof *languages);
	for (size_t i = 0; i < list->count; i++)
		if (definition_scalar(definition, &list->items[i], "a language", &languages[i]) &&
		    !is_language(languages[i]))
			definition_fault(definition, list->items[i].line,
					 "a language is a short code in small letters: de, nl, pt-br");
	link->languages = languages;
	link->language_count = list->count;
}

/* --- post_connect ---------------------------------------------------------------------------- */

static void read_depends(struct definition *definition, const struct yaml_node *node,
			 struct connector_choice *choice)
{
	const struct yaml_node *mapping = yaml_get(node, "filters");
	struct connector_depends *depends;

	if (mapping == NULL || !open_mapping(definition, mapping, "filters", DEPENDS_MAX))
		return;
	depends = arena_zero(definition->arena, (mapping->count + 1) * sizeof *depends);
	for (size_t i = 0; i < mapping->count; i++) {
		depends[i].filter = mapping->entries[i].key;
		definition_scalar(definition, &mapping->entries[i].value, "a filter",
				  &depends[i].field);
	}
	choice->depends = depends;
	choice->depend_count = mapping->count;
}

static void read_options(struct definition *definition, const struct yaml_node *node,
			 struct connector_choice *choice)
{
	static const char *const keys[] = {"list", "value", "label", "filters", NULL};
	const struct yaml_node *options = yaml_get(node, "options");
	bool is_select = choice->type == FORM_SINGLE_SELECT || choice->type == FORM_MULTI_SELECT;

	if ((options != NULL) != is_select)
		definition_fault(definition, node->line,
				 "a select needs `options`, and nothing else has them");
	if (options == NULL || !is_mapping(definition, options, "`options`", keys))
		return;
	definition_require(definition, options, "`options`", "list");
	choice->value_path = STR("id");
	choice->label_path = STR("name");
	choice->line = options->line;
	definition_text(definition, options, "list", &choice->resource);
	definition_text(definition, options, "value", &choice->value_path);
	definition_text(definition, options, "label", &choice->label_path);
	read_depends(definition, options, choice);
}

static void read_choice(struct definition *definition, const struct yaml_entry *entry,
			struct connector_choice *choice)
{
	static const char *const keys[] = {"label", "help", "type", "required", "options", NULL};
	const struct yaml_node *node = &entry->value;
	size_t type = FORM_TEXT;

	choice->name = entry->key;
	if (!definition_is_name(entry->key))
		definition_fault(definition, entry->line,
				 "the field `%.*s` must be named in lower_snake_case",
				 STR_ARGS(entry->key));
	if (!is_mapping(definition, node, "a field of `post_connect`", keys))
		return;
	definition_require(definition, node, "a field of `post_connect`", "label");
	definition_require(definition, node, "a field of `post_connect`", "type");
	definition_text(definition, node, "label", &choice->label);
	definition_text(definition, node, "help", &choice->help);
	definition_boolean(definition, node, "required", &choice->is_required);
	if (definition_choice(definition, node, "type", connector_choice_types, &type))
		choice->type = (enum connector_choice_type)type;
	read_options(definition, node, choice);
}

/* Each may only depend on those before it, so that they can be filled in from top to bottom. */
static void check_depends(struct definition *definition, const struct connector_choice *choices,
			  size_t at)
{
	for (size_t k = 0; k < choices[at].depend_count; k++) {
		struct str field = choices[at].depends[k].field;
		size_t i = 0;

		while (i < at && !str_equal(choices[i].name, field))
			i++;
		if (i == at)
			definition_fault(definition, choices[at].line,
					 "there is no field `%.*s` before this one",
					 STR_ARGS(field));
	}
}

static void read_form(struct definition *definition, const struct yaml_node *root,
		      struct connector *connector)
{
	static const char *const keys[] = {"fields", NULL};
	const struct yaml_node *node = yaml_get(root, "post_connect"), *fields;
	struct connector_choice *choices;

	if (node == NULL || !is_mapping(definition, node, "`post_connect`", keys) ||
	    !definition_require(definition, node, "`post_connect`", "fields"))
		return;
	fields = yaml_get(node, "fields");
	if (!open_mapping(definition, fields, "fields", CHOICES_MAX))
		return;
	choices = arena_zero(definition->arena, (fields->count + 1) * sizeof *choices);
	for (size_t i = 0; i < fields->count; i++) {
		read_choice(definition, &fields->entries[i], &choices[i]);
		check_depends(definition, choices, i);
		for (size_t k = 0; k < connector->context_count; k++)
			if (str_equal(connector->context[k].name, choices[i].name))
				definition_fault(definition, fields->entries[i].line,
						 "`%.*s` is a field of the context already",
						 STR_ARGS(choices[i].name));
	}
	connector->link.choices = choices;
	connector->link.choice_count = fields->count;
}

struct json connector_asked_context(struct arena *arena, const struct connector *connector,
				    struct json context)
{
	struct json_builder out;

	json_builder_init(&out, arena);
	for (size_t i = 0; i < connector->context_count; i++) {
		struct str name = connector->context[i].name;

		json_builder_set(&out, name, json_get(context, name));
	}
	return json_builder_object(&out);
}

/* --- both ------------------------------------------------------------------------------------ */

void link_read(struct definition *definition, const struct yaml_node *root,
	       struct connector *connector)
{
	static const char *const keys[] = {"logo", "languages", "formats", "reasons", NULL};
	const struct yaml_node *node = yaml_get(root, "link");

	read_form(definition, root, connector);
	if (node == NULL || !is_mapping(definition, node, "`link`", keys))
		return;
	read_file(definition, node, "logo", &connector->link.logo);
	read_languages(definition, node, &connector->link);
	read_guides(definition, node, &connector->link);
	read_reasons(definition, node, &connector->link);
}

bool link_check(struct arena *arena, struct str path, const struct connector *connector,
		struct buffer *faults)
{
	struct str *names = arena_array(arena, connector->resource_count + 1, sizeof *names);
	size_t count = 0;
	bool ok = true;

	for (size_t i = 0; i < connector->resource_count; i++)
		if (connector->resources[i].model != NULL && connector->resources[i].list.count > 0)
			names[count++] = connector->resources[i].model->name;
	for (size_t i = 0; i < connector->link.choice_count; i++) {
		const struct connector_choice *choice = &connector->link.choices[i];
		size_t k = 0;

		while (k < count && !str_equal(names[k], choice->resource))
			k++;
		if (choice->resource.len == 0 || k < count)
			continue;
		buffer_append_format(faults,
				     "%.*s:%u: there is no list of `%.*s`; allowed: %.*s\n",
				     STR_ARGS(path), choice->line, STR_ARGS(choice->resource),
				     STR_ARGS(definition_names(arena, names, count)));
		ok = false;
	}
	return ok;
}
