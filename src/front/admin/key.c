/* API keys: made (and told this once), listed, revoked. */
#include "front/admin/routes.h"

static struct json show_scopes(struct arena *arena, unsigned scopes)
{
	struct json_builder names;

	json_builder_init(&names, arena);
	if (scopes & KEY_SCOPE_CALL)
		json_builder_add(&names, json_string(STR("call")));
	if (scopes & KEY_SCOPE_ADMIN)
		json_builder_add(&names, json_string(STR("admin")));
	return json_builder_array(&names);
}

/* `text` is the key itself, only where it was just made. */
static struct json show(struct arena *arena, const struct api_key *key, struct str text)
{
	struct json_builder item;

	json_builder_init(&item, arena);
	json_builder_set(&item, STR("id"), json_string(key->id));
	if (text.len > 0)
		json_builder_set(&item, STR("key"), json_string(text));
	json_builder_set(&item, STR("hint"), json_string(key->hint));
	json_builder_set(&item, STR("name"), json_string(key->name));
	json_builder_set(&item, STR("environment_id"), json_string(key->environment_id));
	json_builder_set(&item, STR("scopes"), show_scopes(arena, key->scopes));
	json_builder_set(&item, STR("created_at"), json_time(arena, key->created_ms));
	json_builder_set(&item, STR("expires_at"), json_time(arena, key->expires_ms));
	json_builder_set(&item, STR("last_used_at"), json_time(arena, key->used_ms));
	json_builder_set(&item, STR("revoked_at"), json_time(arena, key->revoked_ms));
	return json_builder_object(&item);
}

static bool read_scopes(struct json scopes, unsigned *out, struct error *err)
{
	*out = 0;
	if (json_is(scopes, JSON_UNDEFINED) || json_is(scopes, JSON_NULL)) {
		*out = KEY_SCOPE_CALL;
		return true;
	}
	for (size_t i = 0; json_is(scopes, JSON_ARRAY) && i < scopes.count; i++) {
		struct json name = scopes.items[i];
		if (json_is(name, JSON_STRING) && str_equal(json_str(name), STR("call")))
			*out |= KEY_SCOPE_CALL;
		else if (json_is(name, JSON_STRING) && str_equal(json_str(name), STR("admin")))
			*out |= KEY_SCOPE_ADMIN;
		else
			*out = UINT32_MAX;
	}
	if (*out != 0 && *out <= (KEY_SCOPE_CALL | KEY_SCOPE_ADMIN))
		return true;
	return error_set_field(err, ERROR_INVALID, "scopes", "a list of: call, admin",
			       "scopes must be a list of \"call\" and \"admin\"");
}

static bool read_expiry(const struct door *door, struct json value, int64_t *out,
			struct error *err)
{
	int64_t ns;

	*out = 0;
	if (json_is(value, JSON_UNDEFINED) || json_is(value, JSON_NULL))
		return true;
	if (json_is(value, JSON_STRING) && clock_parse(json_str(value), &ns) &&
	    ns / 1000000 > clock_unix_ms(door->services->clock)) {
		*out = ns / 1000000;
		return true;
	}
	return error_set_field(err, ERROR_INVALID, "expires_at", "a later time, as RFC 3339 has it",
			       "expires_at must be a later time, such as 2030-01-31T00:00:00Z");
}

static bool create(const struct door *door, struct http_exchange *exchange, struct error *err)
{
	static const char *const known[] = {"name", "scopes", "expires_at"};
	struct caller caller;
	struct api_key key;
	struct json body;
	struct str name, text;
	unsigned scopes;
	int64_t expires_ms;

	if (!admin_authorise(door, exchange, &caller, err) ||
	    !door_parse_body(exchange, &body, err) ||
	    !admin_check_members(body, known, 3, "name, scopes, expires_at", err) ||
	    !admin_read_text(body, "name", 100, &name, err) ||
	    !read_scopes(json_get_c(body, "scopes"), &scopes, err) ||
	    !read_expiry(door, json_get_c(body, "expires_at"), &expires_ms, err) ||
	    !api_key_create(door->services->accounts, exchange->arena, caller.environment_id, name,
			    scopes, expires_ms, &text, &key, err))
		return false;
	door_reply(exchange, 201, show(exchange->arena, &key, text));
	return true;
}

static bool list(const struct door *door, struct http_exchange *exchange, struct error *err)
{
	struct caller caller;
	struct api_key *keys;
	struct json_builder items;
	size_t count;

	if (!admin_authorise(door, exchange, &caller, err) ||
	    !api_key_list(door->services->accounts, exchange->arena, caller.environment_id, &keys,
			  &count, err))
		return false;
	json_builder_init(&items, exchange->arena);
	for (size_t i = 0; i < count; i++)
		json_builder_add(&items, show(exchange->arena, &keys[i], (struct str){NULL, 0}));
	admin_reply_list(exchange, &items, (struct str){NULL, 0});
	return true;
}

static bool revoke(const struct door *door, struct http_exchange *exchange, struct str id,
		   struct error *err)
{
	struct json_builder item;
	struct caller caller;

	if (!admin_authorise(door, exchange, &caller, err) ||
	    !api_key_revoke(door->services->accounts, caller.environment_id, id, err))
		return false;
	json_builder_init(&item, exchange->arena);
	json_builder_set(&item, STR("id"), json_string(id));
	door_reply(exchange, 200, json_builder_object(&item));
	return true;
}

void admin_create_key(void *context, struct http_exchange *exchange, const struct http_match *match)
{
	struct error err;

	(void)match;
	if (!create(context, exchange, &err))
		door_reply_error(exchange, &err, NULL);
}

void admin_list_keys(void *context, struct http_exchange *exchange, const struct http_match *match)
{
	struct error err;

	(void)match;
	if (!list(context, exchange, &err))
		door_reply_error(exchange, &err, NULL);
}

void admin_revoke_key(void *context, struct http_exchange *exchange, const struct http_match *match)
{
	struct error err;

	if (!revoke(context, exchange, match->parts[0], &err))
		door_reply_error(exchange, &err, NULL);
}
