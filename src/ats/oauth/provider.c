/* Whom to ask for a token, and as whom: the connector's definition and the environment's app. */
#include "ats/oauth/parts.h"

enum { NAME_BYTES_MAX = 1024 };

static bool find_context(void *context, struct str name, struct str *value)
{
	const struct json *given = context;
	struct json found = json_get(*given, name);

	if (!json_is(found, JSON_STRING) || found.count == 0 || found.count > NAME_BYTES_MAX)
		return false;
	*value = json_str(found);
	return !http_has_control_byte(*value);
}

static bool expand(struct arena *arena, const struct template *template, struct json context,
		   struct str *url, struct error *err)
{
	struct buffer buffer;

	buffer_init(&buffer, arena, OAUTH_URL_MAX);
	if (!template_expand(template, &buffer, true, find_context, &context, err))
		return error_set_field(err, ERROR_INVALID, "context", NULL,
				       "the context lacks what the provider's address wants");
	*url = buffer_str(&buffer);
	return buffer_check(&buffer, "the provider's address", err);
}

struct str provider_tidy_scopes(struct arena *arena, struct str scopes)
{
	char *copy = arena_alloc(arena, scopes.len + 1);

	for (size_t i = 0; i < scopes.len; i++)
		copy[i] = scopes.data[i] == ',' ? ' ' : scopes.data[i];
	return str_make(copy, scopes.len);
}

static struct str join_scopes(struct arena *arena, const struct connector_oauth *oauth)
{
	struct buffer buffer;

	buffer_init(&buffer, arena, OAUTH_URL_MAX);
	for (size_t i = 0; i < oauth->scope_count; i++) {
		if (i > 0)
			buffer_append_c(&buffer, " ");
		buffer_append(&buffer, oauth->scopes[i]);
	}
	return buffer_str(&buffer);
}

/* With the separator that the provider wants. */
static struct str part_scopes(struct arena *arena, struct str scopes, struct str separator)
{
	struct buffer buffer;

	buffer_init(&buffer, arena, OAUTH_URL_MAX);
	while (scopes.len > 0) {
		struct str scope = str_cut(&scopes, ' ');

		if (scope.len > 0 && buffer.len > 0)
			buffer_append(&buffer, separator);
		buffer_append(&buffer, scope);
	}
	return buffer_str(&buffer);
}

/* What client credentials show is their own, but an app may say where to ask, and for what. */
static bool open_app(struct oauth *oauth, struct arena *arena, struct str environment_id,
		     struct provider *provider, struct oauth_app *app, struct error *err)
{
	struct str name = provider->connector->name;

	if (provider->format->kind == CREDENTIAL_OAUTH2_CLIENT)
		return oauth_app_find(oauth, arena, environment_id, name, app, err) ||
		       err->code == ERROR_NOT_FOUND;
	if (!oauth_app_open(oauth, arena, environment_id, name, app, &provider->client_secret, err))
		return false;
	provider->client_id = app->client_id;
	return true;
}

bool provider_open(struct oauth *oauth, struct arena *arena, struct str environment_id,
		   const struct connector *connector, const struct connector_format *format,
		   struct json context, struct provider *out, struct error *err)
{
	const struct connector_oauth *settings = &format->oauth;
	struct oauth_app app = {0};

	*out = (struct provider){.connector = connector, .format = format};
	if (!open_app(oauth, arena, environment_id, out, &app, err))
		return false;
	out->scopes = part_scopes(
		arena, app.scopes.len > 0 ? app.scopes : join_scopes(arena, settings),
		settings->scope_separator);
	out->token_url = app.token_url;
	out->authorize_url = app.authorize_url;
	return (out->token_url.len > 0 ||
		expand(arena, &settings->token_url, context, &out->token_url, err)) &&
	       (out->authorize_url.len > 0 || settings->authorize_url.count == 0 ||
		expand(arena, &settings->authorize_url, context, &out->authorize_url, err));
}

void provider_finish(struct provider *provider)
{
	secret_finish(&provider->client_secret);
}
