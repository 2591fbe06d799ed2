/* The OAuth apps of an environment, and tokens of accounts on demand. A client's secret goes in and
 * never comes out. */
#include "front/admin/routes.h"

enum { URL_MAX = 4096, SECRET_MAX = 4096, ID_MAX = 512, SCOPES_MAX = 64 };

static struct json show_scopes(struct arena *arena, struct str scopes)
{
	struct json_builder items;

	json_builder_init(&items, arena);
	while (scopes.len > 0)
		json_builder_add(&items, json_string(str_cut(&scopes, ' ')));
	return json_builder_array(&items);
}

static struct json show(struct arena *arena, const struct oauth_app *app)
{
	struct json_builder item;

	json_builder_init(&item, arena);
	json_builder_set(&item, STR("connector"), json_string(app->connector));
	json_builder_set(&item, STR("client_id"), json_string(app->client_id));
	json_builder_set(&item, STR("has_client_secret"), json_bool(app->has_secret));
	json_builder_set(&item, STR("scopes"),
			 app->scopes.len == 0 ? json_null() : show_scopes(arena, app->scopes));
	json_builder_set(&item, STR("authorize_url"), json_string_or_null(app->authorize_url));
	json_builder_set(&item, STR("token_url"), json_string_or_null(app->token_url));
	json_builder_set(&item, STR("created_at"), json_time(arena, app->created_ms));
	json_builder_set(&item, STR("updated_at"), json_time(arena, app->updated_ms));
	return json_builder_object(&item);
}

/* A list of texts without blanks, kept as one text. */
static bool read_scopes(struct arena *arena, struct json body, struct str *out, struct error *err)
{
	struct json list = json_get_c(body, "scopes");
	struct buffer text;

	*out = STR("");
	if (json_is(list, JSON_UNDEFINED) || json_is(list, JSON_NULL))
		return true;
	buffer_init(&text, arena, URL_MAX);
	bool ok = json_is(list, JSON_ARRAY) && list.count <= SCOPES_MAX;
	for (size_t i = 0; ok && i < list.count; i++) {
		struct json scope = json_at(list, i);

		ok = json_is(scope, JSON_STRING) && scope.count > 0 &&
		     str_find_byte(json_str(scope), ' ') < 0;
		if (ok && i > 0)
			buffer_append_byte(&text, ' ');
		if (ok)
			buffer_append(&text, json_str(scope));
	}
	*out = buffer_str(&text);
	return (ok && !text.is_over) ||
	       error_set_field(err, ERROR_INVALID, "scopes", "a list of at most 64 texts",
			       "scopes must be a list of texts without blanks");
}

static bool read_app(struct http_exchange *exchange, struct oauth_app *app, struct str *secret,
		     struct error *err)
{
	static const char *const known[] = {"client_id", "client_secret", "scopes",
					    "authorize_url", "token_url"};
	struct json body;

	return door_parse_body(exchange, &body, err) &&
	       admin_check_members(body, known, 5,
				   "client_id, client_secret, scopes, authorize_url, token_url",
				   err) &&
	       admin_read_text(body, "client_id", ID_MAX, &app->client_id, err) &&
	       admin_read_text(body, "client_secret", SECRET_MAX, secret, err) &&
	       read_scopes(exchange->arena, body, &app->scopes, err) &&
	       admin_read_text(body, "authorize_url", URL_MAX, &app->authorize_url, err) &&
	       admin_read_text(body, "token_url", URL_MAX, &app->token_url, err);
}

static bool put(const struct door *door, struct http_exchange *exchange, struct str connector,
		struct error *err)
{
	struct oauth_app app = {.connector = connector};
	struct str secret = {NULL, 0};
	struct caller caller;

	if (!admin_authorise(door, exchange, &caller, err) ||
	    !read_app(exchange, &app, &secret, err))
		return false;
	app.environment_id = caller.environment_id;
	if (!oauth_app_put(door->services->oauth, exchange->arena, &app, secret, err))
		return false;
	door_reply(exchange, 200, show(exchange->arena, &app));
	return true;
}

void admin_put_oauth_app(void *context, struct http_exchange *exchange,
			 const struct http_match *match)
{
	struct error err;

	if (!put(context, exchange, match->parts[0], &err))
		door_reply_error(exchange, &err, NULL);
	/* The secret came in the body; its memory may be kept for other requests. */
	secret_wipe((void *)(uintptr_t)exchange->body.data, exchange->body.len);
}

void admin_list_oauth_apps(void *context, struct http_exchange *exchange,
			   const struct http_match *match)
{
	const struct door *door = context;
	struct json_builder items;
	struct oauth_app *apps;
	struct caller caller;
	struct error err;
	size_t count;

	(void)match;
	if (!admin_authorise(door, exchange, &caller, &err) ||
	    !oauth_app_list(door->services->oauth, exchange->arena, caller.environment_id, &apps,
			    &count, &err)) {
		door_reply_error(exchange, &err, NULL);
		return;
	}
	json_builder_init(&items, exchange->arena);
	for (size_t i = 0; i < count; i++)
		json_builder_add(&items, show(exchange->arena, &apps[i]));
	admin_reply_list(exchange, &items, (struct str){NULL, 0});
}

void admin_show_oauth_app(void *context, struct http_exchange *exchange,
			  const struct http_match *match)
{
	const struct door *door = context;
	struct oauth_app app;
	struct caller caller;
	struct error err;

	if (admin_authorise(door, exchange, &caller, &err) &&
	    oauth_app_find(door->services->oauth, exchange->arena, caller.environment_id,
			   match->parts[0], &app, &err))
		door_reply(exchange, 200, show(exchange->arena, &app));
	else
		door_reply_error(exchange, &err, NULL);
}

void admin_remove_oauth_app(void *context, struct http_exchange *exchange,
			    const struct http_match *match)
{
	const struct door *door = context;
	struct json_builder item;
	struct caller caller;
	struct error err;

	if (!admin_authorise(door, exchange, &caller, &err) ||
	    !oauth_app_remove(door->services->oauth, caller.environment_id, match->parts[0],
			      &err)) {
		door_reply_error(exchange, &err, NULL);
		return;
	}
	json_builder_init(&item, exchange->arena);
	json_builder_set(&item, STR("connector"), json_string(match->parts[0]));
	door_reply(exchange, 200, json_builder_object(&item));
}

/* --- tokens ----------------------------------------------------------------------------------- */

static bool refresh(const struct door *door, struct http_exchange *exchange, struct str id,
		    struct error *err)
{
	const struct operation_services *services = door->services;
	const struct connector *connector;
	const struct connector_format *format = NULL;
	struct account account;
	struct caller caller;
	int64_t deadline_ns = exchange->started_ns + door->call_timeout_ms * 1000000;

	if (!door_authorise(door, exchange, KEY_SCOPE_ADMIN, &caller, err) ||
	    !door_find_account(door, exchange->arena, &caller, id, &account, err))
		return false;
	connector = connectors_find(services->connectors, account.connector, err);
	if (connector != NULL)
		format = connector_find_format(connector, account.authentication_method, err);
	if (format == NULL)
		return false;
	if (!connector_is_oauth(format))
		return error_set(err, ERROR_NOT_SUPPORTED,
				 "the account's credential is no token that could be replaced");
	if (!oauth_refresh(services->oauth, services->client, &account, account.token.version,
			   deadline_ns, err) ||
	    !account_find(services->accounts, exchange->arena, account.environment_id, account.id,
			  &account, err) ||
	    !operation_check_again(services, exchange->arena, &account, deadline_ns, err))
		return false;
	door_reply(exchange, 200, admin_show_of(door, exchange->arena, &account));
	return true;
}

void admin_refresh_credentials(void *context, struct http_exchange *exchange,
			       const struct http_match *match)
{
	struct error err;

	if (!refresh(context, exchange, match->parts[0], &err))
		door_reply_error(exchange, &err, NULL);
}
