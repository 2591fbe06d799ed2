/* One request to a provider's token endpoint. It is sent once: what it sends is good for one use,
 * and whoever repeats it is taken for a thief. */
#include <assert.h>
#include <sodium.h>

#include "ats/oauth/parts.h"

enum {
	BODY_MAX = 48 * 1024,
	HEADER_MAX = 16 * 1024,
	RESPONSE_MAX = 256 * 1024,
	LIFE_MAX_S = 10 * 365 * 24 * 3600,
	MARGIN_MS = 5 * 60 * 1000,
};

/* --- the request --------------------------------------------------------------------------- */

static void add_field(struct buffer *body, struct str name, struct str value)
{
	if (body->len > 0)
		buffer_append_byte(body, '&');
	url_encode(body, name);
	buffer_append_byte(body, '=');
	url_encode(body, value);
}

/* Buffers with secrets in them do not grow, which would leave copies behind. */
static void init_fixed(struct buffer *buffer, struct arena *arena, size_t bytes)
{
	buffer_init(buffer, arena, bytes);
	(void)buffer_room(buffer, bytes - 1);
}

static bool is_in_body(const struct provider *provider)
{
	return provider->format->oauth.is_client_in_body || provider->client_secret.len == 0;
}

static bool make_body(const struct provider *provider, const struct http_field *fields,
		      size_t count, struct buffer *body, struct error *err)
{
	const struct connector_oauth *settings = &provider->format->oauth;

	for (size_t i = 0; i < count; i++)
		if (fields[i].value.len > 0)
			add_field(body, fields[i].name, fields[i].value);
	for (size_t i = 0; i < settings->token_param_count; i++)
		add_field(body, settings->token_params[i].name, settings->token_params[i].value);
	if (is_in_body(provider)) {
		add_field(body, STR("client_id"), provider->client_id);
		if (provider->client_secret.len > 0)
			add_field(body, STR("client_secret"),
				  secret_str(&provider->client_secret));
	}
	return buffer_check(body, "the request for a token", err);
}

/* RFC 6749, 2.3.1: both are encoded as form fields first. */
static bool make_header(const struct provider *provider, struct buffer *plain,
			struct buffer *header, struct error *err)
{
	url_encode(plain, provider->client_id);
	buffer_append_byte(plain, ':');
	url_encode(plain, secret_str(&provider->client_secret));
	size_t len = sodium_base64_ENCODED_LEN(plain->len, sodium_base64_VARIANT_ORIGINAL);

	buffer_append_c(header, "Basic ");
	char *room = buffer_room(header, len);
	if (plain->is_over || room == NULL)
		return error_set(err, ERROR_LIMIT, "the client's secret is too long");
	sodium_bin2base64(room, len, (const unsigned char *)plain->data, plain->len,
			  sodium_base64_VARIANT_ORIGINAL);
	header->len += len - 1;
	return true;
}

/* --- the answer ---------------------------------------------------------------------------- */

static int64_t read_life_s(struct json body)
{
	struct json told = json_get_c(body, "expires_in");
	int64_t life;

	if (json_is(told, JSON_STRING) ? !str_to_int64(json_str(told), &life)
				       : !json_to_int64(told, &life))
		return 0;
	return life > LIFE_MAX_S ? LIFE_MAX_S : life;
}

/* It is replaced when five minutes or a tenth of its life are left, whichever is more, but never
 * in the first half; a fifth earlier or later, so that accounts that were linked together do not
 * all ask at once. */
static void set_times(struct oauth *oauth, int64_t life_ms, struct token_answer *answer)
{
	int64_t now_ms = clock_unix_ms(oauth->options.clock);
	int64_t margin = life_ms / 10 > MARGIN_MS ? life_ms / 10 : MARGIN_MS;

	if (margin > life_ms / 2)
		margin = life_ms / 2;
	if (life_ms <= 0)
		return;
	margin = margin * 4 / 5 +
		 (int64_t)random_below(oauth->options.random, (uint64_t)(margin * 2 / 5) + 1);
	answer->expires_ms = now_ms + life_ms;
	answer->refresh_ms = answer->expires_ms - margin;
}

static bool is_token(struct json text)
{
	return json_is(text, JSON_STRING) && text.count > 0 && text.count <= OAUTH_TOKEN_MAX &&
	       !http_has_control_byte(json_str(text));
}

static enum token_outcome read_tokens(struct oauth *oauth, struct arena *arena, struct json body,
				      struct token_answer *answer, struct error *err)
{
	struct json access = json_get_c(body, "access_token");
	struct json refresh = json_get_c(body, "refresh_token");
	struct json scope = json_get_c(body, "scope");

	if (!is_token(access)) {
		error_set(err, ERROR_UPSTREAM, "the provider's answer has no access_token");
		return TOKEN_FAILED;
	}
	answer->access_token = json_str(access);
	if (is_token(refresh))
		answer->refresh_token = json_str(refresh);
	if (json_is(scope, JSON_STRING) && scope.count <= OAUTH_URL_MAX &&
	    !http_has_control_byte(json_str(scope)))
		answer->scopes = provider_tidy_scopes(arena, json_str(scope));
	set_times(oauth, read_life_s(body) * 1000, answer);
	return TOKEN_GIVEN;
}

/* What a provider says of itself goes into messages as far as it is a plain word. */
static bool is_word(struct str text)
{
	for (size_t i = 0; i < text.len; i++) {
		char c = text.data[i];

		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'))
			return false;
	}
	return text.len > 0 && text.len <= 64;
}

static enum token_outcome read_refusal(const struct http_response *response, struct json body,
				       struct error *err)
{
	struct str code = json_get_str(body, "error");
	int status = response->status;
	bool is_passing = status >= 500 || status == 429 || status == 408 || status < 400;

	error_set(err, ERROR_UPSTREAM, "the provider of tokens answered %d%s%.*s", status,
		  is_word(code) ? ": " : "", STR_ARGS(is_word(code) ? code : STR("")));
	err->remote_status = status;
	if (str_equal(code, STR("invalid_grant")) && status >= 400 && status < 500)
		return TOKEN_DEAD;
	return is_passing ? TOKEN_FAILED : TOKEN_REFUSED;
}

static enum token_outcome read_answer(struct oauth *oauth, struct arena *arena,
				      const struct http_response *response,
				      struct token_answer *answer, struct error *err)
{
	struct json body = json_undefined();
	struct error fault;
	bool is_json =
		json_parse(arena, response->body, &json_limits_default, &body, &fault) &&
		json_is(body, JSON_OBJECT);

	answer->body = response->body;
	if (!is_json)
		body = json_object(NULL, 0);
	if (response->status < 200 || response->status > 299)
		return read_refusal(response, body, err);
	return read_tokens(oauth, arena, body, answer, err);
}

/* --- both ---------------------------------------------------------------------------------- */

static bool send(struct oauth *oauth, struct http_client *client, struct arena *arena,
		 const struct provider *provider, const struct buffer *body,
		 const struct buffer *header, struct http_response *response, struct error *err)
{
	struct http_header headers[] = {
		{STR("Content-Type"), STR("application/x-www-form-urlencoded")},
		{STR("Accept"), STR("application/json")},
		{STR("Authorization"), buffer_str(header)},
	};
	struct http_request request = {
		.method = HTTP_POST,
		.url = provider->token_url,
		.headers = headers,
		.header_count = is_in_body(provider) ? 2 : 3,
		.body = buffer_str(body),
		.has_body = true,
		.is_sent_once = true,
		.deadline_ns = clock_monotonic_ns(oauth->options.clock) +
			       oauth->options.deadline_ms * 1000000,
		.response_bytes_max = RESPONSE_MAX,
	};

	return http_client_send(client, arena, &request, response, err);
}

static void wipe_buffer(struct buffer *buffer)
{
	if (buffer->data != NULL)
		secret_wipe(buffer->data, buffer->len);
}

enum token_outcome token_request(struct oauth *oauth, struct http_client *client,
				 struct arena *arena, const struct provider *provider,
				 const struct http_field *fields, size_t count,
				 struct token_answer *answer, struct error *err)
{
	enum token_outcome outcome = TOKEN_FAILED;
	struct http_response response = {0};
	struct buffer body, header, plain;

	*answer = (struct token_answer){0};
	init_fixed(&body, arena, BODY_MAX);
	init_fixed(&header, arena, HEADER_MAX);
	init_fixed(&plain, arena, HEADER_MAX);
	if (make_body(provider, fields, count, &body, err) &&
	    (is_in_body(provider) || make_header(provider, &plain, &header, err)) &&
	    send(oauth, client, arena, provider, &body, &header, &response, err))
		outcome = read_answer(oauth, arena, &response, answer, err);
	wipe_buffer(&body);
	wipe_buffer(&header);
	wipe_buffer(&plain);
	return outcome;
}

static void wipe(struct str text)
{
	if (text.len > 0)
		secret_wipe((void *)(uintptr_t)text.data, text.len);
}

/* Texts with escapes are copies beside the body. */
void token_wipe(struct token_answer *answer)
{
	wipe(answer->access_token);
	wipe(answer->refresh_token);
	wipe(answer->body);
	*answer = (struct token_answer){0};
}

struct json token_credential(struct arena *arena, const struct token_answer *answer)
{
	struct json_builder out;

	json_builder_init(&out, arena);
	json_builder_set(&out, STR(CONNECTOR_ACCESS_TOKEN), json_string(answer->access_token));
	if (answer->refresh_token.len > 0)
		json_builder_set(&out, STR(CONNECTOR_REFRESH_TOKEN),
				 json_string(answer->refresh_token));
	return json_builder_object(&out);
}
