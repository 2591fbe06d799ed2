/* Link tokens: made for one customer (and told this once), listed, revoked. */
#include "ats/link/link.h"
#include "front/admin/routes.h"

static const char *status_of(const struct link_token *token, int64_t now_ms)
{
	if (token->revoked_ms != 0)
		return "revoked";
	if (token->used_ms != 0)
		return "used";
	return token->expires_ms <= now_ms ? "expired" : "valid";
}

static struct json show(struct arena *arena, const struct link_token *token, int64_t now_ms)
{
	struct json_builder item;

	json_builder_init(&item, arena);
	json_builder_set(&item, STR("id"), json_string(token->id));
	json_builder_set(&item, STR("status"), json_string_c(status_of(token, now_ms)));
	json_builder_set(&item, STR("tenant_id"), json_string_or_null(token->tenant_id));
	json_builder_set(&item, STR("integrated_account_id"),
			 json_string_or_null(token->account_id));
	json_builder_set(&item, STR("connectors"), token->connectors);
	json_builder_set(&item, STR("context"), token->context);
	json_builder_set(&item, STR("redirect_uri"), json_string_or_null(token->redirect_uri));
	json_builder_set(&item, STR("allowed_origins"), token->allowed_origins);
	json_builder_set(&item, STR("theme"), token->theme);
	json_builder_set(&item, STR("language"), json_string_or_null(token->language));
	json_builder_set(&item, STR("created_at"), json_time(arena, token->created_ms));
	json_builder_set(&item, STR("expires_at"), json_time(arena, token->expires_ms));
	json_builder_set(&item, STR("used_at"), json_time(arena, token->used_ms));
	json_builder_set(&item, STR("revoked_at"), json_time(arena, token->revoked_ms));
	return json_builder_object(&item);
}

/* --- making ---------------------------------------------------------------------------------- */

/* A member that is of this type, or null, or not there. */
static bool read_typed(struct json body, const char *name, enum json_type type, const char *allowed,
		       struct json *out, struct error *err)
{
	*out = json_get_c(body, name);
	if (json_is(*out, JSON_NULL))
		*out = json_undefined();
	return json_is(*out, JSON_UNDEFINED) || json_is(*out, type) ||
	       error_set_field(err, ERROR_INVALID, name, allowed, "%s must be %s", name, allowed);
}

static bool check_connectors(const struct door *door, struct json names, struct error *err)
{
	for (size_t i = 0; i < names.count; i++) {
		struct json name = json_at(names, i);

		if (names.count > LINK_CONNECTORS_MAX || !json_is(name, JSON_STRING))
			return error_set_field(err, ERROR_INVALID, "connectors",
					       "a list of names of connectors",
					       "connectors must be a list of names of connectors");
		if (connectors_find(door->services->connectors, json_str(name), err) == NULL) {
			err->code = ERROR_INVALID;
			snprintf(err->field, sizeof err->field, "connectors");
			return false;
		}
	}
	return true;
}

static bool read_seconds(struct json body, int64_t *seconds, struct error *err)
{
	struct json value = json_get_c(body, "expires_in");

	*seconds = LINK_SECONDS_DEFAULT;
	return json_is(value, JSON_UNDEFINED) || json_is(value, JSON_NULL) ||
	       json_to_int64(value, seconds) ||
	       error_set_field(err, ERROR_INVALID, "expires_in", "seconds, 60 to 86400",
			       "expires_in must be a whole number of seconds");
}

static bool read_token(const struct door *door, struct http_exchange *exchange,
		       struct link_token *token, int64_t *seconds, struct error *err)
{
	static const char *const known[] = {
		"tenant_id",	   "integrated_account_id", "connectors", "context", "redirect_uri",
		"allowed_origins", "expires_in",	    "theme",	  "language"};
	struct json body;

	return door_parse_body(exchange, &body, err) &&
	       admin_check_members(body, known, sizeof known / sizeof known[0],
				   "tenant_id, integrated_account_id, connectors, context, "
				   "redirect_uri, allowed_origins, expires_in, theme, language",
				   err) &&
	       admin_read_text(body, "tenant_id", 256, &token->tenant_id, err) &&
	       admin_read_text(body, "integrated_account_id", 64, &token->account_id, err) &&
	       admin_read_text(body, "redirect_uri", 2048, &token->redirect_uri, err) &&
	       admin_read_text(body, "language", 16, &token->language, err) &&
	       read_typed(body, "connectors", JSON_ARRAY, "a list of names of connectors",
			  &token->connectors, err) &&
	       read_typed(body, "context", JSON_OBJECT, "an object", &token->context, err) &&
	       read_typed(body, "allowed_origins", JSON_ARRAY, "a list of origins",
			  &token->allowed_origins, err) &&
	       read_typed(body, "theme", JSON_OBJECT, "an object", &token->theme, err) &&
	       read_seconds(body, seconds, err) && check_connectors(door, token->connectors, err);
}

/* The address of the page with the token where no server sees it: behind the #. */
static struct str make_url(const struct door *door, const struct http_exchange *exchange,
			   struct str text)
{
	struct str base = door_base_url(door, exchange);

	return arena_format(exchange->arena, "%.*s/link#token=%.*s", STR_ARGS(base), STR_ARGS(text));
}

static bool create(const struct door *door, struct http_exchange *exchange, struct error *err)
{
	struct link_token token = {0};
	struct json_builder out;
	struct caller caller;
	struct str text;
	int64_t seconds;

	if (!admin_authorise(door, exchange, &caller, err) ||
	    !read_token(door, exchange, &token, &seconds, err))
		return false;
	token.environment_id = caller.environment_id;
	if (!link_token_create(door->links, exchange->arena, &token, seconds, &text, err))
		return false;
	json_builder_init(&out, exchange->arena);
	json_builder_set(&out, STR("id"), json_string(token.id));
	json_builder_set(&out, STR("link_token"), json_string(text));
	json_builder_set(&out, STR("link_url"), json_string(make_url(door, exchange, text)));
	json_builder_set(&out, STR("expires_at"), json_time(exchange->arena, token.expires_ms));
	http_exchange_set_header(exchange, "Cache-Control", STR("no-store"));
	door_reply(exchange, 201, json_builder_object(&out));
	return true;
}

/* --- looking and revoking --------------------------------------------------------------------- */

static bool list(const struct door *door, struct http_exchange *exchange, struct error *err)
{
	struct link_token *tokens;
	struct json_builder items;
	struct str before, next = {NULL, 0};
	struct caller caller;
	int64_t limit;
	size_t count;

	if (!admin_authorise(door, exchange, &caller, err) ||
	    !admin_read_page(exchange, &before, &limit, err) ||
	    !link_token_list(door->links, exchange->arena, caller.environment_id, before,
			     (size_t)limit, &tokens, &count, err))
		return false;
	json_builder_init(&items, exchange->arena);
	for (size_t i = 0; i < count; i++)
		json_builder_add(&items, show(exchange->arena, &tokens[i],
					      clock_unix_ms(door->services->clock)));
	if (count == (size_t)limit)
		next = tokens[count - 1].id;
	admin_reply_list(exchange, &items, next);
	return true;
}

static bool revoke(const struct door *door, struct http_exchange *exchange, struct str id,
		   struct error *err)
{
	struct json_builder item;
	struct caller caller;

	if (!admin_authorise(door, exchange, &caller, err) ||
	    !link_token_revoke(door->links, caller.environment_id, id, err))
		return false;
	json_builder_init(&item, exchange->arena);
	json_builder_set(&item, STR("id"), json_string(id));
	door_reply(exchange, 200, json_builder_object(&item));
	return true;
}

void admin_create_link_token(void *context, struct http_exchange *exchange,
			     const struct http_match *match)
{
	struct error err;

	(void)match;
	if (!create(context, exchange, &err))
		door_reply_error(exchange, &err, NULL);
}

void admin_list_link_tokens(void *context, struct http_exchange *exchange,
			    const struct http_match *match)
{
	struct error err;

	(void)match;
	if (!list(context, exchange, &err))
		door_reply_error(exchange, &err, NULL);
}

void admin_revoke_link_token(void *context, struct http_exchange *exchange,
			     const struct http_match *match)
{
	struct error err;

	if (!revoke(context, exchange, match->parts[0], &err))
		door_reply_error(exchange, &err, NULL);
}
