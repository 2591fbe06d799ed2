/* A token for client credentials that are not stored yet: to find out whether they are good. */
#include <assert.h>

#include "ats/oauth/parts.h"

static bool give_client(struct json credential, struct provider *provider, struct error *err)
{
	struct str secret = json_get_str(credential, "client_secret");

	provider->client_id = json_get_str(credential, "client_id");
	if (provider->client_id.len == 0 || secret.len == 0)
		return error_set_field(err, ERROR_INVALID, "client_secret", "given",
				       "client_id and client_secret are wanted");
	/* Borrowed: it is the caller's, and not in locked memory. */
	provider->client_secret = (struct secret){(char *)(uintptr_t)secret.data, secret.len};
	return true;
}

static bool explain(enum token_outcome outcome, struct error *err)
{
	int status = err->remote_status;

	if (outcome == TOKEN_REFUSED || outcome == TOKEN_DEAD) {
		error_set_field(err, ERROR_INVALID, "client_secret", NULL,
				"the provider does not accept this credential");
		err->remote_status = status;
	}
	return false;
}

bool oauth_obtain(struct oauth *oauth, struct http_client *client, struct arena *arena,
		  const struct account *account, struct json credential, struct oauth_grant *out,
		  struct error *err)
{
	const struct connector *connector =
		connectors_find(oauth->options.connectors, account->connector, err);
	const struct connector_format *format = NULL;
	struct token_answer answer;
	struct provider provider;

	assert(oauth->magic == OAUTH_MAGIC);
	*out = (struct oauth_grant){.context = account->context, .credential = json_undefined()};
	if (connector != NULL)
		format = connector_find_format(connector, account->authentication_method, err);
	if (format == NULL || !provider_open(oauth, arena, account->environment_id, connector,
					     format, account->context, &provider, err) ||
	    !give_client(credential, &provider, err))
		return false;
	const struct http_field fields[] = {
		{STR("grant_type"), STR("client_credentials")},
		{STR("scope"), provider.scopes},
	};
	enum token_outcome outcome =
		token_request(oauth, client, arena, &provider, fields, 2, &answer, err);
	out->secrets[0] = answer.body;
	if (outcome != TOKEN_GIVEN)
		return explain(outcome, err);
	out->credential = token_credential(arena, &answer);
	out->scopes = answer.scopes;
	out->token = (struct account_token){.expires_ms = answer.expires_ms,
					    .refresh_ms = answer.refresh_ms};
	return true;
}
