/* How a connector's tokens are got: what `credentials:` says of the two kinds of OAuth. */
#include "ats/connector/loader.h"

enum { PARAMS_MAX = 16 };

/* What tenon says itself in these requests. */
static const char *const reserved[] = {
	"response_type", "client_id",     "client_secret", "redirect_uri",  "scope",
	"state",	 "code",	  "code_challenge", "code_challenge_method",
	"code_verifier", "grant_type", "refresh_token", NULL};

static bool is_reserved(struct str name)
{
	for (size_t i = 0; reserved[i] != NULL; i++)
		if (str_equal_c(name, reserved[i]))
			return true;
	return false;
}

static void read_params(struct definition *definition, const struct yaml_node *node,
			const char *key, const struct http_field **out, size_t *count)
{
	const struct yaml_node *mapping = yaml_get(node, key);
	struct http_field *params;

	if (mapping == NULL)
		return;
	if (mapping->kind != YAML_MAPPING || mapping->count > PARAMS_MAX) {
		definition_fault(definition, mapping->line, "`%s` must be a mapping of at most %d",
				 key, PARAMS_MAX);
		return;
	}
	params = arena_zero(definition->arena, (mapping->count + 1) * sizeof *params);
	for (size_t i = 0; i < mapping->count; i++) {
		const struct yaml_entry *entry = &mapping->entries[i];

		params[i].name = entry->key;
		definition_scalar(definition, &entry->value, key, &params[i].value);
		if (is_reserved(entry->key) || http_has_control_byte(entry->key))
			definition_fault(definition, entry->line, "`%.*s` is for tenon to say",
					 STR_ARGS(entry->key));
	}
	*out = params;
	*count = mapping->count;
}

static void read_scopes(struct definition *definition, const struct yaml_node *node,
			struct connector_oauth *oauth)
{
	struct str *scopes = NULL;

	definition_texts(definition, node, "scopes", &scopes, &oauth->scope_count);
	oauth->scopes = scopes;
	oauth->scope_separator = STR(" ");
	definition_text(definition, node, "scope_separator", &oauth->scope_separator);
}

void oauth_read(struct definition *definition, const struct yaml_node *node,
		const struct connector *connector, struct connector_format *format)
{
	static const char *const places[] = {"header", "body", NULL};
	struct connector_oauth *oauth = &format->oauth;
	size_t place = 0;

	definition_require(definition, node, "this format", "token_url");
	if (format->kind == CREDENTIAL_OAUTH2)
		definition_require(definition, node, "this format", "authorize_url");
	address_read(definition, node, "authorize_url", connector, &oauth->authorize_url);
	address_read(definition, node, "token_url", connector, &oauth->token_url);
	definition_text(definition, node, "issuer", &oauth->issuer);
	definition_choice(definition, node, "client_auth", places, &place);
	oauth->is_client_in_body = place == 1;
	read_scopes(definition, node, oauth);
	read_params(definition, node, "authorize_params", &oauth->authorize_params,
		    &oauth->authorize_param_count);
	read_params(definition, node, "token_params", &oauth->token_params,
		    &oauth->token_param_count);
}
