/* An authorization under way: a browser is sent to the provider and comes back with a code. The
 * state it brings is good once, for ten minutes, for this browser, and the code is worth nothing
 * without the verifier that never left here. */
#include <assert.h>
#include <sodium.h>

#include "ats/oauth/parts.h"

enum {
	RANDOM_BYTES = 32,
	TEXT_BYTES = 43, /* of so many, in base64url */
	STATE_LIFE_MS = 10 * 60 * 1000,
	CONTEXT_MAX = 16 * 1024,
	URI_MAX = 2048,
	SESSION_MAX = 256,
};
_Static_assert(OAUTH_BROWSER_BYTES == crypto_hash_sha256_BYTES, "a hash");

static struct str to_text(struct arena *arena, const unsigned char *bytes)
{
	char *text = arena_alloc(arena, TEXT_BYTES + 1);

	sodium_bin2base64(text, TEXT_BYTES + 1, bytes, RANDOM_BYTES,
			  sodium_base64_VARIANT_URLSAFE_NO_PADDING);
	return str_make(text, TEXT_BYTES);
}

static struct str make_random(struct oauth *oauth, struct arena *arena)
{
	unsigned char bytes[RANDOM_BYTES];

	random_fill(oauth->options.random, bytes, sizeof bytes);
	struct str text = to_text(arena, bytes);
	sodium_memzero(bytes, sizeof bytes);
	return text;
}

/* What is at rest does not let its reader finish somebody's authorization. */
static struct str digest_state(struct oauth *oauth, struct arena *arena, struct str state)
{
	unsigned char *digest = arena_alloc(arena, VAULT_DIGEST_BYTES);

	vault_digest(oauth->options.vault, "oauth_state", state, digest);
	return str_make((char *)digest, VAULT_DIGEST_BYTES);
}

/* --- the beginning ------------------------------------------------------------------------- */

static const struct connector_format *find_format(const struct connector *connector,
						  struct str name, struct error *err)
{
	for (size_t i = 0; i < connector->format_count; i++)
		if (connector->formats[i].kind == CREDENTIAL_OAUTH2 &&
		    (name.len == 0 || str_equal(name, connector->formats[i].name)))
			return &connector->formats[i];
	error_set_field(err, ERROR_NOT_SUPPORTED, "format", NULL,
			"%.*s is not linked by OAuth this way", STR_ARGS(connector->label));
	return NULL;
}

static bool check_begin(const struct oauth_begin *begin, struct error *err)
{
	assert(begin->browser.len == OAUTH_BROWSER_BYTES);
	if (begin->session_id.len > SESSION_MAX)
		return error_set(err, ERROR_LIMIT, "the session's id is too long");
	return (begin->redirect_uri.len > 0 && begin->redirect_uri.len <= URI_MAX &&
		!http_has_control_byte(begin->redirect_uri)) ||
	       error_set_field(err, ERROR_INVALID, "redirect_uri", "https://HOST…",
			       "the redirect URI is no address");
}

static bool keep_state(struct oauth *oauth, struct arena *arena, const struct oauth_begin *begin,
		       const struct connector_format *format, struct str state,
		       struct str verifier, struct error *err)
{
	struct str digest = digest_state(oauth, arena, state);
	struct vault_binding binding = state_binding(arena, begin->environment_id, digest);
	int64_t now_ms = clock_unix_ms(oauth->options.clock);
	struct buffer context;

	buffer_init(&context, arena, CONTEXT_MAX);
	json_print(&context, begin->context);
	struct str sealed;
	if (!buffer_check(&context, "the context", err) ||
	    !vault_seal(oauth->options.vault, arena, &binding, verifier, &sealed, err))
		return false;
	struct store_value now = store_int(now_ms);
	struct store_value values[] = {
		store_text(begin->environment_id),
		store_blob(digest),
		store_text(begin->connector),
		store_text(format->name),
		store_text(buffer_str(&context)),
		store_text(begin->redirect_uri),
		store_blob(begin->browser),
		store_text(begin->session_id),
		store_blob(sealed),
		store_int(now_ms + STATE_LIFE_MS),
	};
	struct store_statement statements[] = {
		{.sql = "DELETE FROM oauth_state WHERE expires_ms < ?1",
		 .parameters = &now,
		 .parameter_count = 1,
		 .changes_expected = -1},
		{.sql = "INSERT INTO oauth_state (environment_id, digest, connector,"
			" authentication_method, context, redirect_uri, browser, session_id,"
			" verifier, expires_ms) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
		 .parameters = values,
		 .parameter_count = 10,
		 .changes_expected = 1},
	};
	/* Those that have expired go, whosever they are. */
	return store_write_all(oauth->options.store, statements, 2, err);
}

static void add(struct buffer *url, const char *name, struct str value)
{
	buffer_append_byte(url, str_find_byte(buffer_str(url), '?') < 0 ? '?' : '&');
	buffer_append_c(url, name);
	buffer_append_byte(url, '=');
	url_encode(url, value);
}

static bool make_url(struct arena *arena, const struct provider *provider,
		     const struct oauth_begin *begin, struct str state, struct str verifier,
		     struct str *url, struct error *err)
{
	const struct connector_oauth *settings = &provider->format->oauth;
	unsigned char challenge[crypto_hash_sha256_BYTES];
	struct buffer buffer;

	crypto_hash_sha256(challenge, (const unsigned char *)verifier.data, verifier.len);
	buffer_init(&buffer, arena, 4 * OAUTH_URL_MAX);
	buffer_append(&buffer, provider->authorize_url);
	add(&buffer, "response_type", STR("code"));
	add(&buffer, "client_id", provider->client_id);
	add(&buffer, "redirect_uri", begin->redirect_uri);
	if (provider->scopes.len > 0)
		add(&buffer, "scope", provider->scopes);
	add(&buffer, "state", state);
	add(&buffer, "code_challenge", to_text(arena, challenge));
	add(&buffer, "code_challenge_method", STR("S256"));
	for (size_t i = 0; i < settings->authorize_param_count; i++) {
		buffer_append_byte(&buffer, '&');
		url_encode(&buffer, settings->authorize_params[i].name);
		buffer_append_byte(&buffer, '=');
		url_encode(&buffer, settings->authorize_params[i].value);
	}
	*url = buffer_str(&buffer);
	return buffer_check(&buffer, "the provider's address", err);
}

bool oauth_begin(struct oauth *oauth, struct arena *arena, const struct oauth_begin *begin,
		 struct str *url, struct error *err)
{
	const struct connector *connector =
		connectors_find(oauth->options.connectors, begin->connector, err);
	const struct connector_format *format;
	struct provider provider;

	assert(oauth->magic == OAUTH_MAGIC);
	if (connector == NULL || !check_begin(begin, err))
		return false;
	format = find_format(connector, begin->format, err);
	if (format == NULL)
		return false;
	struct str state = make_random(oauth, arena);
	struct str verifier = make_random(oauth, arena);
	bool ok = provider_open(oauth, arena, begin->environment_id, connector, format,
				begin->context, &provider, err) &&
		  make_url(arena, &provider, begin, state, verifier, url, err) &&
		  keep_state(oauth, arena, begin, format, state, verifier, err);
	provider_finish(&provider);
	secret_wipe((void *)(uintptr_t)verifier.data, verifier.len);
	return ok;
}

/* --- the end ------------------------------------------------------------------------------- */

struct state {
	struct str redirect_uri;
	struct str browser;
	struct str verifier; /* sealed */
	struct str environment_id;
	struct str digest; /* of the row */
	int64_t expires_ms;
};

static bool refuse_state(struct error *err)
{
	return error_set_field(err, ERROR_INVALID, "state", NULL,
			       "this way to link an account has been used, or is too old, or is of "
			       "another browser");
}

static bool read_state(struct oauth *oauth, struct arena *arena, struct str digest,
		       struct state *state, struct oauth_grant *out, struct error *err)
{
	struct store_value value = store_blob(digest);
	struct store_rows rows;

	if (!store_query_all(oauth->options.store, arena,
			     "SELECT environment_id, connector, authentication_method, context,"
			     " redirect_uri, browser, session_id, verifier, expires_ms"
			     " FROM oauth_state WHERE digest = ?1",
			     &value, 1, &rows, err))
		return false;
	if (rows.count == 0)
		return refuse_state(err);
	out->environment_id = store_cell(&rows, 0, 0)->bytes;
	(void)store_enter(out->environment_id);
	out->connector = store_cell(&rows, 0, 1)->bytes;
	out->format = store_cell(&rows, 0, 2)->bytes;
	state->redirect_uri = store_cell(&rows, 0, 4)->bytes;
	state->browser = store_cell(&rows, 0, 5)->bytes;
	out->session_id = store_cell(&rows, 0, 6)->bytes;
	state->verifier = store_cell(&rows, 0, 7)->bytes;
	state->expires_ms = store_cell(&rows, 0, 8)->integer;
	state->digest = digest;
	return json_parse(arena, store_cell(&rows, 0, 3)->bytes, &json_limits_default,
			  &out->context, err);
}

/* Of two that bring the same state, one removes its row. */
static bool take_state(struct oauth *oauth, struct arena *arena, struct str text,
		       struct state *state, struct oauth_grant *out, struct error *err)
{
	struct str digest = digest_state(oauth, arena, text);
	struct store_value value = store_blob(digest);
	struct store_statement statement = {
		.sql = "DELETE FROM oauth_state WHERE digest = ?1",
		.parameters = &value,
		.parameter_count = 1,
		.changes_expected = 1,
	};

	if (text.len != TEXT_BYTES)
		return refuse_state(err);
	if (!read_state(oauth, arena, digest, state, out, err))
		return false;
	if (store_write(oauth->options.store, &statement, 1, err))
		return true;
	return err->code == ERROR_CONFLICT ? refuse_state(err) : false;
}

/* A provider that says who it is must be the one that was asked (RFC 9207). */
static bool check_issuer(const struct connector_format *format, struct str iss, struct error *err)
{
	struct str issuer = format->oauth.issuer;

	return issuer.len == 0 || iss.data == NULL || str_equal(issuer, iss) ||
	       error_set_field(err, ERROR_INVALID, "iss", NULL,
			       "the answer is of another provider than the one that was asked");
}

static bool check_callback(struct oauth *oauth, const struct state *state,
			   const struct oauth_callback *callback,
			   const struct connector_format *format, struct error *err)
{
	if (callback->browser.len != OAUTH_BROWSER_BYTES ||
	    sodium_memcmp(callback->browser.data, state->browser.data, OAUTH_BROWSER_BYTES) != 0 ||
	    clock_unix_ms(oauth->options.clock) > state->expires_ms)
		return refuse_state(err);
	if (!check_issuer(format, callback->iss, err))
		return false;
	if (callback->error.len > 0)
		return error_set(err, ERROR_FORBIDDEN, "the provider did not give the right: %s",
				 str_equal(callback->error, STR("access_denied"))
					 ? "it was declined"
					 : "it refused the request");
	return callback->code.len > 0 ||
	       error_set_field(err, ERROR_INVALID, "code", NULL, "the answer has no code");
}

static enum token_outcome exchange_code(struct oauth *oauth, struct http_client *client,
					struct arena *arena, const struct provider *provider,
					const struct state *state, struct str code,
					struct token_answer *answer, struct error *err)
{
	struct vault_binding binding;
	struct secret verifier;

	binding = state_binding(arena, state->environment_id, state->digest);
	if (!vault_open_sealed(oauth->options.vault, &binding, state->verifier, &verifier, err))
		return TOKEN_FAILED;
	const struct http_field fields[] = {
		{STR("grant_type"), STR("authorization_code")},
		{STR("code"), code},
		{STR("redirect_uri"), state->redirect_uri},
		{STR("code_verifier"), secret_str(&verifier)},
	};
	enum token_outcome outcome =
		token_request(oauth, client, arena, provider, fields, 4, answer, err);
	secret_finish(&verifier);
	return outcome;
}

/* The answer's bytes are the grant's now. */
static void fill_grant(struct arena *arena, const struct token_answer *answer,
		       struct str asked_scopes, struct oauth_grant *out)
{
	out->credential = token_credential(arena, answer);
	/* Nothing said of scopes: those that were asked for (RFC 6749, 5.1). */
	out->scopes = answer->scopes.data != NULL ? answer->scopes
						  : provider_tidy_scopes(arena, asked_scopes);
	out->token = (struct account_token){
		.expires_ms = answer->expires_ms,
		.refresh_ms = answer->refresh_token.len > 0 ? answer->refresh_ms : 0,
	};
}

static bool finish_exchange(struct arena *arena, enum token_outcome outcome,
			    const struct token_answer *answer, const struct provider *provider,
			    struct oauth_grant *out, struct error *err)
{
	out->secrets[0] = answer->body;
	if (outcome == TOKEN_GIVEN) {
		fill_grant(arena, answer, provider->scopes, out);
		return true;
	}
	if (outcome == TOKEN_DEAD)
		error_set_field(err, ERROR_INVALID, "code", NULL,
				"the provider does not take the code any more");
	return false;
}

bool oauth_complete(struct oauth *oauth, struct http_client *client, struct arena *arena,
		    const struct oauth_callback *callback, struct oauth_grant *out,
		    struct error *err)
{
	const struct connector *connector;
	const struct connector_format *format = NULL;
	struct token_answer answer = {0};
	struct provider provider;
	struct state state = {0};

	assert(oauth->magic == OAUTH_MAGIC);
	*out = (struct oauth_grant){.context = json_undefined(), .credential = json_undefined()};
	if (!take_state(oauth, arena, callback->state, &state, out, err))
		return false;
	connector = connectors_find(oauth->options.connectors, out->connector, err);
	if (connector != NULL)
		format = find_format(connector, out->format, err);
	if (format == NULL || !check_callback(oauth, &state, callback, format, err))
		return false;
	state.environment_id = out->environment_id;
	bool ok = provider_open(oauth, arena, out->environment_id, connector, format, out->context,
				&provider, err);
	if (ok) {
		enum token_outcome outcome = exchange_code(oauth, client, arena, &provider, &state,
							   callback->code, &answer, err);
		ok = finish_exchange(arena, outcome, &answer, &provider, out, err);
	}
	provider_finish(&provider);
	return ok;
}

void oauth_grant_apply(const struct oauth_grant *grant, struct account *account)
{
	account->authentication_method = grant->format;
	account->scopes = grant->scopes;
	account->token = grant->token;
}

void oauth_grant_wipe(struct oauth_grant *grant)
{
	for (size_t i = 0; i < 2; i++)
		if (grant->secrets[i].len > 0)
			secret_wipe((void *)(uintptr_t)grant->secrets[i].data,
				    grant->secrets[i].len);
	grant->credential = json_undefined();
}
