/* `credentials:` and `headers:` of connector.yaml: the formats of a credential, one or a list of
 * them, and how each is shown to the ATS. */
#include "ats/connector/loader.h"

enum {
	FORMATS_MAX = 8,
	HEADERS_MAX = 13, /* what an operation's call has room for */
};

static const char *const kinds[] = {
#define ROW(code, name) [code] = name,
	CREDENTIAL_KIND_TABLE(ROW)
#undef ROW
		NULL};

/* --- headers and parameters ----------------------------------------------------------------- */

/* What a header of this format may name. */
static size_t known_names(const struct connector_format *format,
			  struct connector_field known[FIELDS_MAX + 1])
{
	size_t count = 0;

	for (size_t i = 0; i < format->field_count && i < FIELDS_MAX; i++)
		known[count++] = format->fields[i];
	if (connector_is_oauth(format))
		known[count++] = (struct connector_field){.name = STR(CONNECTOR_ACCESS_TOKEN)};
	return count;
}

static void read_header(struct definition *definition, const struct yaml_entry *entry,
			const struct connector_format *format, struct connector_header *header)
{
	struct connector_field known[FIELDS_MAX + 1];
	size_t known_count = known_names(format, known);
	struct str text;

	header->name = entry->key;
	if (!definition_scalar(definition, &entry->value, "a header", &text) ||
	    !template_parse(definition, entry->line, text, &header->value))
		return;
	template_check_names(definition, entry->line, &header->value, known, known_count);
}

/* Adds those of a mapping to `headers`, which has `count` already. */
static bool add_headers(struct definition *definition, const struct yaml_node *node,
			const char *key, const struct connector_format *format,
			const struct connector_header **headers, size_t *count)
{
	const struct yaml_node *mapping = yaml_get(node, key);
	struct connector_header *all;

	if (mapping == NULL)
		return true;
	if (mapping->kind != YAML_MAPPING || mapping->count + *count > HEADERS_MAX)
		return definition_fault(definition, mapping->line,
					"`%s` must be a mapping of at most %d", key, HEADERS_MAX);
	all = arena_zero(definition->arena, (*count + mapping->count + 1) * sizeof *all);
	if (*count > 0)
		memcpy(all, *headers, *count * sizeof *all);
	for (size_t i = 0; i < mapping->count; i++)
		read_header(definition, &mapping->entries[i], format, &all[*count + i]);
	*headers = all;
	*count += mapping->count;
	return true;
}

static void check_header_names(struct definition *definition, const struct yaml_node *node)
{
	const struct yaml_node *mapping = yaml_get(node, "headers");

	if (mapping == NULL || mapping->kind != YAML_MAPPING)
		return;
	for (size_t i = 0; i < mapping->count; i++) {
		struct str name = mapping->entries[i].key;

		if (http_has_control_byte(name) || str_find_byte(name, ':') >= 0 ||
		    str_find_byte(name, ' ') >= 0 || name.len == 0)
			definition_fault(definition, mapping->entries[i].line,
					 "`%.*s` is no name of a header", STR_ARGS(name));
	}
}

/* --- defaults ------------------------------------------------------------------------------- */

struct preset {
	const char *name, *label;
	bool is_secret;
};

static void use_presets(struct definition *definition, const struct preset *presets, size_t count,
			struct connector_format *format)
{
	struct connector_field *fields = arena_zero(definition->arena, count * sizeof *fields);

	for (size_t i = 0; i < count; i++)
		fields[i] = (struct connector_field){
			.name = str_from_c(presets[i].name),
			.label = str_from_c(presets[i].label),
			.is_secret = presets[i].is_secret,
			.is_required = true,
		};
	format->fields = fields;
	format->field_count = count;
}

static void default_fields(struct definition *definition, const struct yaml_node *node,
			   struct connector_format *format)
{
	static const struct preset basic[] = {{"username", "User name", false},
					      {"password", "Password", true}};
	static const struct preset client[] = {{"client_id", "Client ID", false},
					       {"client_secret", "Client secret", true}};

	if (format->kind == CREDENTIAL_API_KEY)
		definition_require(definition, node, "this format", "fields");
	else if (format->kind == CREDENTIAL_BASIC)
		use_presets(definition, basic, 2, format);
	else if (format->kind == CREDENTIAL_OAUTH2_CLIENT)
		use_presets(definition, client, 2, format);
}

static void require_field(struct definition *definition, const struct yaml_node *node,
			  const struct connector_format *format, const char *name)
{
	if (inputs_find(format->fields, format->field_count, str_from_c(name)) == NULL)
		definition_fault(definition, node->line, "`fields` of %.*s must have `%s`",
				 STR_ARGS(format->name), name);
}

static void check_fields(struct definition *definition, const struct yaml_node *node,
			 const struct connector_format *format)
{
	static const char *const tokens[] = {CONNECTOR_ACCESS_TOKEN, CONNECTOR_REFRESH_TOKEN};

	if (format->kind == CREDENTIAL_BASIC)
		require_field(definition, node, format, "username");
	if (format->kind == CREDENTIAL_OAUTH2_CLIENT) {
		require_field(definition, node, format, "client_id");
		require_field(definition, node, format, "client_secret");
	}
	for (size_t i = 0; connector_is_oauth(format) && i < 2; i++)
		if (inputs_find(format->fields, format->field_count, str_from_c(tokens[i])) != NULL)
			definition_fault(definition, node->line,
					 "`%s` is got by tenon, and cannot be among `fields`",
					 tokens[i]);
}

static const struct template_part basic_with_password[] = {
	{true, STR_INIT("username")}, {false, STR_INIT(":")}, {true, STR_INIT("password")}};
static const struct template_part bearer[] = {{false, STR_INIT("Bearer ")},
					      {true, STR_INIT(CONNECTOR_ACCESS_TOKEN)}};

/* What a format is shown by where the file does not say. */
static void default_header(struct definition *definition, struct connector_format *format)
{
	struct connector_header *header = arena_zero(definition->arena, sizeof *header);
	bool has_password =
		inputs_find(format->fields, format->field_count, STR("password")) != NULL;

	header->name = STR("Authorization");
	header->is_basic = format->kind == CREDENTIAL_BASIC;
	header->value = header->is_basic ? (struct template){basic_with_password,
							     has_password ? 3 : 2}
					 : (struct template){bearer, 2};
	format->headers = header;
	format->header_count = 1;
}

/* --- formats -------------------------------------------------------------------------------- */

static const char *const plain_keys[] = {"format", "fields", "headers", "query", NULL};
static const char *const oauth_keys[] = {
	"format",    "fields",	  "headers",	     "query",	    "authorize_url",
	"token_url", "issuer",	  "scopes",	     "scope_separator", "client_auth",
	"authorize_params", "token_params", NULL};
static const char *const client_keys[] = {"format",    "fields", "headers",	      "query",
					  "token_url", "scopes", "scope_separator", "client_auth",
					  "token_params", NULL};

static const char *const *keys_of(enum credential_kind kind)
{
	switch (kind) {
	case CREDENTIAL_OAUTH2:
		return oauth_keys;
	case CREDENTIAL_OAUTH2_CLIENT:
		return client_keys;
	case CREDENTIAL_API_KEY:
	case CREDENTIAL_BASIC:
		break;
	}
	return plain_keys;
}

static void read_format(struct definition *definition, const struct yaml_node *node,
			const struct connector *connector, struct connector_format *format)
{
	size_t kind = CREDENTIAL_API_KEY;
	bool is_known = definition_choice(definition, node, "format", kinds, &kind);

	format->kind = (enum credential_kind)kind;
	format->name = str_from_c(kinds[kind]);
	if (!definition_check_mapping(definition, node, "`credentials`",
				      is_known ? keys_of(format->kind) : oauth_keys) &&
	    node->kind != YAML_MAPPING)
		return;
	definition_require(definition, node, "`credentials`", "format");
	if (yaml_get(node, "fields") == NULL)
		default_fields(definition, node, format);
	else
		inputs_read(definition, yaml_get(node, "fields"), true, &format->fields,
			    &format->field_count);
	check_fields(definition, node, format);
	if (connector_is_oauth(format))
		oauth_read(definition, node, connector, format);
	check_header_names(definition, node);
	add_headers(definition, node, "headers", format, &format->headers, &format->header_count);
	add_headers(definition, node, "query", format, &format->query, &format->query_count);
	if (format->header_count == 0 && format->query_count == 0 &&
	    format->kind != CREDENTIAL_API_KEY)
		default_header(definition, format);
}

static void check_twice(struct definition *definition, const struct yaml_node *node,
			const struct connector_format *formats, size_t at)
{
	for (size_t i = 0; i < at; i++)
		if (formats[i].kind == formats[at].kind)
			definition_fault(definition, node->line, "there is a format `%.*s` already",
					 STR_ARGS(formats[at].name));
}

void credentials_read(struct definition *definition, const struct yaml_node *root,
		      struct connector *connector)
{
	const struct yaml_node *node = yaml_get(root, "credentials");
	struct connector_format *formats;

	if (node == NULL)
		return;
	bool is_list = node->kind == YAML_SEQUENCE;
	size_t count = is_list ? node->count : 1;
	if (count == 0 || count > FORMATS_MAX) {
		definition_fault(definition, node->line,
				 "`credentials` must be a format, or a list of at most %d",
				 FORMATS_MAX);
		return;
	}
	formats = arena_zero(definition->arena, count * sizeof *formats);
	for (size_t i = 0; i < count; i++) {
		const struct yaml_node *item = is_list ? &node->items[i] : node;

		read_format(definition, item, connector, &formats[i]);
		check_twice(definition, item, formats, i);
	}
	connector->formats = formats;
	connector->format_count = count;
}

void headers_read(struct definition *definition, const struct yaml_node *root,
		  struct connector *connector)
{
	check_header_names(definition, root);
	for (size_t i = 0; i < connector->format_count; i++) {
		struct connector_format *format =
			(struct connector_format *)(uintptr_t)&connector->formats[i];

		/* A fault of a header that all formats share is told once. */
		if (!add_headers(definition, root, "headers", format, &format->headers,
				 &format->header_count))
			return;
	}
}
