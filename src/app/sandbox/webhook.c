/* Tells somebody else's server what happened: each notice in a fiber of its own, signed, and tried
 * again a few times. Nobody promises an order. */
#include <sodium.h>

#include "app/sandbox/serve.h"
#include "base/log.h"

enum {
	PENDING_MAX = 10000,
	CALLS_MAX = 16,
	CALL_MS = 10000,
	RESPONSE_BYTES_MAX = 64 * 1024,
	NOTICE_BYTES_MAX = 16 * 1024 * 1024,
};

struct notice {
	struct sandbox *sandbox;
	struct arena arena;
	struct json value;
	int64_t number;
	struct json at;
};

/* --- settings ------------------------------------------------------------------------------- */

static void keep(struct str *place, struct str text)
{
	char *copy = malloc(text.len + 1);

	if (copy == NULL)
		die("out of memory");
	if (text.len > 0)
		memcpy(copy, text.data, text.len);
	free((void *)place->data);
	*place = str_make(copy, text.len);
}

void webhook_set(struct webhook *webhook, struct str url, struct str secret)
{
	keep(&webhook->url, url);
	keep(&webhook->secret, secret);
}

bool webhook_init(struct sandbox *sandbox, const struct sandbox_options *options,
		  struct error *err)
{
	struct webhook *webhook = &sandbox->webhook;

	if (options->webhook_url.len > 0 && sandbox->definition->webhook.header == NULL)
		return error_set_field(err, ERROR_INVALID, "webhook", NULL,
				       "sandbox.yaml says nothing of webhooks");
	*webhook = (struct webhook){.draw = {options->seed ^ 0x3eb400c}};
	webhook_set(webhook, options->webhook_url, options->webhook_secret);
	return true;
}

void webhook_finish(struct webhook *webhook)
{
	http_client_destroy(webhook->client);
	free((void *)webhook->url.data);
	free((void *)webhook->secret.data);
}

/* --- one call ------------------------------------------------------------------------------- */

static struct http_client *find_client(struct sandbox *sandbox)
{
	struct webhook *webhook = &sandbox->webhook;
	const struct http_client_options options = {
		.calls_max = CALLS_MAX, .user_agent = sandbox->definition->webhook.user_agent};
	struct error err;

	if (webhook->client == NULL)
		webhook->client = http_client_create(loop_current(), &options, &err);
	return webhook->client;
}

static struct str sign(struct arena *arena, struct str secret, struct str body)
{
	unsigned char mac[crypto_auth_hmacsha256_BYTES];
	crypto_auth_hmacsha256_state state;
	char *hex = arena_alloc(arena, 2 * sizeof mac + 1);

	crypto_auth_hmacsha256_init(&state, (const unsigned char *)secret.data, secret.len);
	crypto_auth_hmacsha256_update(&state, (const unsigned char *)body.data, body.len);
	crypto_auth_hmacsha256_final(&state, mac);
	return str_from_c(sodium_bin2hex(hex, 2 * sizeof mac + 1, mac, sizeof mac));
}

/* The status of the answer, 0 when none came. */
static int send_body(struct sandbox *sandbox, struct arena *arena, struct str url, struct str body,
		     bool is_signed)
{
	struct http_client *client = find_client(sandbox);
	struct http_header headers[] = {
		{STR("Content-Type"), STR("application/json")},
		{str_from_c(sandbox->definition->webhook.header), {0}}};
	struct http_request request = {.method = HTTP_POST, .url = url, .headers = headers,
				       .header_count = is_signed ? 2 : 1, .body = body,
				       .has_body = true,
				       .response_bytes_max = RESPONSE_BYTES_MAX};
	struct http_response response;
	struct error err;

	if (client == NULL)
		return 0;
	if (is_signed)
		headers[1].value = sign(arena, sandbox->webhook.secret, body);
	request.deadline_ns = loop_now_ns(loop_current()) + CALL_MS * INT64_C(1000000);
	return http_client_send(client, arena, &request, &response, &err) ? response.status : 0;
}

int webhook_try(struct sandbox *sandbox, struct arena *arena, struct str url)
{
	if (loop_current() == NULL)
		return 0;
	return send_body(sandbox, arena, url, sandbox->definition->webhook.test, false);
}

/* --- notices -------------------------------------------------------------------------------- */

static bool make_body(struct notice *notice, int64_t attempt, struct str *out, struct error *err)
{
	struct sandbox *sandbox = notice->sandbox;
	struct json variables[VARIABLES], value;
	struct json_builder members;
	struct buffer body;

	json_builder_init(&members, &notice->arena);
	json_builder_set(&members, STR("number"), json_int(notice->number));
	json_builder_set(&members, STR("at"), notice->at);
	json_builder_set(&members, STR("attempt"), json_int(attempt));
	json_builder_set(&members, STR("value"), notice->value);
	memcpy(variables, sandbox->company.variables, sizeof variables);
	variables[VARIABLE_NOTICE] = json_builder_object(&members);
	if (!company_evaluate(&sandbox->company, &sandbox->definition->webhook.body, variables,
			      &notice->arena, json_null(), &value, err))
		return false;
	buffer_init(&body, &notice->arena, NOTICE_BYTES_MAX);
	json_print(&body, value);
	*out = buffer_str(&body);
	return buffer_check(&body, "a webhook", err);
}

static bool send_once(struct notice *notice, int64_t attempt)
{
	struct sandbox *sandbox = notice->sandbox;
	struct error err;
	struct str body;

	if (!webhook_is_on(sandbox))
		return true;
	if (!make_body(notice, attempt, &body, &err)) {
		LOG(LOG_ERROR, "sandbox", LOG_C(message, err.message));
		return true;
	}
	bool ok = send_body(sandbox, &notice->arena, sandbox->webhook.url, body, true) == 200;
	if (ok)
		sandbox->webhook.sent++;
	else
		sandbox->webhook.failed++;
	return ok;
}

static bool is_drawn(struct webhook *webhook, double probability)
{
	return (double)(random_seeded_next(&webhook->draw) >> 11) * 0x1p-53 < probability;
}

static void deliver(void *context)
{
	struct notice *notice = context;
	struct sandbox *sandbox = notice->sandbox;
	const struct webhook_definition *definition = &sandbox->definition->webhook;
	size_t attempt = 0;
	bool ok;

	while (!(ok = send_once(notice, (int64_t)attempt + 1)) &&
	       attempt < definition->retry_count && !sandbox_is_released(sandbox))
		pause_ms(sandbox, definition->retry_s[attempt++] * 1000);
	if (!ok)
		sandbox->webhook.given_up++;
	else if (is_drawn(&sandbox->webhook, sandbox->webhook.repeated))
		(void)send_once(notice, (int64_t)attempt + 2);
	sandbox->webhook.pending--;
	arena_finish(&notice->arena);
	free(notice);
}

void webhook_tell(struct sandbox *sandbox, struct json value)
{
	struct webhook *webhook = &sandbox->webhook;
	struct company *company = &sandbox->company;
	struct loop *loop = loop_current();

	webhook->notices++;
	if (loop == NULL || webhook->pending >= PENDING_MAX || is_drawn(webhook, webhook->lost)) {
		webhook->dropped++;
		return;
	}
	struct notice *notice = calloc(1, sizeof *notice);
	if (notice == NULL)
		die("out of memory");
	arena_init(&notice->arena, NOTICE_BYTES_MAX);
	notice->sandbox = sandbox;
	notice->number = (int64_t)webhook->notices;
	notice->value = json_copy(&notice->arena, value);
	notice->at = json_string(format_us(&notice->arena, company_clock_us(company)));
	webhook->pending++;
	loop_spawn(loop, deliver, notice);
}
