/* The fields that one fills in to link an account, and the texts that have them in it. */
#include "ats/connector/loader.h"

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

void inputs_read(struct definition *definition, const struct yaml_node *mapping,
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

const struct connector_field *inputs_find(const struct connector_field *fields, size_t count,
					  struct str name)
{
	for (size_t i = 0; i < count; i++)
		if (str_equal(fields[i].name, name))
			return &fields[i];
	return NULL;
}

void template_check_names(struct definition *definition, uint32_t line,
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
		    inputs_find(fields, count, template->parts[i].text) == NULL)
			definition_fault(definition, line, "there is no {%.*s}; allowed: %.*s",
					 STR_ARGS(template->parts[i].text), STR_ARGS(allowed));
}

static void check_required(struct definition *definition, uint32_t line,
			   const struct template *template, const struct connector *connector)
{
	for (size_t i = 0; i < template->count; i++) {
		const struct template_part *part = &template->parts[i];
		const struct connector_field *field =
			inputs_find(connector->context, connector->context_count, part->text);

		if (part->is_name && field != NULL && !field->is_required)
			definition_fault(definition, line,
					 "{%.*s} must be a required field of the context",
					 STR_ARGS(field->name));
	}
}

void address_read(struct definition *definition, const struct yaml_node *mapping, const char *key,
		  const struct connector *connector, struct template *out)
{
	const struct yaml_node *node = yaml_get(mapping, key);
	struct str text;

	if (node == NULL || !definition_text(definition, mapping, key, &text))
		return;
	/* Credentials go there. (A sandbox is put in its place when the server is started.) */
	if (!str_starts_with(text, STR("https://")))
		definition_fault(definition, node->line, "`%s` must begin with https://", key);
	if (!template_parse(definition, node->line, text, out))
		return;
	template_check_names(definition, node->line, out, connector->context,
			     connector->context_count);
	check_required(definition, node->line, out, connector);
}
