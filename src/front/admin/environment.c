/* Environments. All of them are seen by the operator of the machine only: a key knows no other than
 * its own. */
#include "ats/link/link.h"
#include "ats/retention/retention.h"
#include "front/admin/routes.h"

enum { LOGO_BYTES_MAX = 64 * 1024, THEME_BYTES_MAX = 4096 };

/* `link` and `retention` are undefined in a list. */
static struct json show(struct arena *arena, const struct environment *environment,
			struct json link, struct json retention)
{
	struct json_builder item;

	json_builder_init(&item, arena);
	json_builder_set(&item, STR("id"), json_string(environment->id));
	json_builder_set(&item, STR("name"), json_string(environment->name));
	json_builder_set(&item, STR("link"), link);
	json_builder_set(&item, STR("retention"), retention);
	json_builder_set(&item, STR("created_at"), json_time(arena, environment->created_ms));
	return json_builder_object(&item);
}

static bool check_local(const struct http_exchange *exchange, const char *what, struct error *err)
{
	if (!exchange->is_local)
		return error_set(err, ERROR_FORBIDDEN,
				 "environments are %s over the server's own socket only", what);
	(void)store_enter_all();
	return true;
}

static bool list(const struct door *door, struct http_exchange *exchange, struct error *err)
{
	struct environment *environments;
	struct json_builder items;
	size_t count;

	if (!check_local(exchange, "listed", err) ||
	    !environment_list(door->services->accounts, exchange->arena, &environments, &count,
			      err))
		return false;
	json_builder_init(&items, exchange->arena);
	for (size_t i = 0; i < count; i++)
		json_builder_add(&items,
				 show(exchange->arena, &environments[i], json_undefined(),
				      json_undefined()));
	admin_reply_list(exchange, &items, (struct str){NULL, 0});
	return true;
}

static bool show_one(const struct door *door, struct http_exchange *exchange, int status,
		     const struct environment *environment, struct json link, struct error *err)
{
	struct json retention;

	if (!retention_show(door->store, exchange->arena, environment->id, &retention, err))
		return false;
	door_reply(exchange, status, show(exchange->arena, environment, link, retention));
	return true;
}

static bool create(const struct door *door, struct http_exchange *exchange, struct error *err)
{
	static const char *const known[] = {"name"};
	struct accounts *accounts = door->services->accounts;
	struct environment environment;
	struct json body;
	struct str name;

	if (!check_local(exchange, "made", err) || !door_parse_body(exchange, &body, err) ||
	    !admin_check_members(body, known, 1, "name", err) ||
	    !admin_read_text(body, "name", 64, &name, err))
		return false;
	if (environment_find(accounts, exchange->arena, name, false, &environment, err))
		return error_set_field(err, ERROR_CONFLICT, "name", NULL,
				       "there is an environment of this name already");
	if (err->code != ERROR_NOT_FOUND ||
	    !environment_find(accounts, exchange->arena, name, true, &environment, err))
		return false;
	return show_one(door, exchange, 201, &environment, json_object(NULL, 0), err);
}

/* --- one -------------------------------------------------------------------------------------- */

/* Whoever has a key of it, and the operator of the machine. */
static bool find(const struct door *door, struct http_exchange *exchange, struct str id,
		 struct environment *environment, struct json *link, struct error *err)
{
	struct caller caller;

	if (!door_authorise(door, exchange, KEY_SCOPE_ADMIN, &caller, err))
		return false;
	if (!exchange->is_local && !str_equal(id, caller.environment_id))
		return error_set_field(err, ERROR_NOT_FOUND, "environment", NULL,
				       "there is no such environment");
	return environment_show(door->services->accounts, exchange->arena, id, environment, link,
				err);
}

static bool check_origins(struct json origins, struct error *err)
{
	bool is_good = json_is(origins, JSON_ARRAY) && origins.count <= LINK_ORIGINS_MAX;

	for (size_t i = 0; is_good && i < origins.count; i++)
		is_good = json_is(json_at(origins, i), JSON_STRING) &&
			  link_is_origin(json_str(json_at(origins, i)));
	return is_good || error_set_field(err, ERROR_INVALID, "allowed_origins",
					  "at most 50 texts like \"https://customer.example\"",
					  "allowed_origins must be a list of origins");
}

/* A picture in the text itself: the page asks nobody else for anything. */
static bool check_logo(struct json logo, struct error *err)
{
	bool is_text = json_is(logo, JSON_STRING) && logo.count <= LOGO_BYTES_MAX;

	if (is_text && str_starts_with(json_str(logo), STR("data:image/")) &&
	    !http_has_control_byte(json_str(logo)))
		return true;
	return error_set_field(err, ERROR_INVALID, "logo", "a data:image/ URL of at most 64 KiB",
			       "logo must be a picture as a data: URL of at most 64 KiB");
}

static bool check_theme(struct arena *arena, struct json theme, struct error *err)
{
	struct buffer text;

	buffer_init(&text, arena, THEME_BYTES_MAX);
	json_print(&text, theme);
	return (json_is(theme, JSON_OBJECT) && !text.is_over) ||
	       error_set_field(err, ERROR_INVALID, "theme", "an object of at most 4096 bytes",
			       "theme must be an object of at most 4096 bytes");
}

static bool check_member(struct arena *arena, struct str name, struct json value, struct error *err)
{
	if (json_is(value, JSON_NULL))
		return true;
	if (str_equal(name, STR("allowed_origins")))
		return check_origins(value, err);
	return str_equal(name, STR("logo")) ? check_logo(value, err)
					    : check_theme(arena, value, err);
}

/* What is named takes the place of what was there; null removes it. */
static bool change_link(struct arena *arena, struct json changes, struct json *link,
			struct error *err)
{
	static const char *const known[] = {"allowed_origins", "theme", "logo"};
	struct json_builder out;

	if (json_is(changes, JSON_UNDEFINED))
		return true;
	if (!json_is(changes, JSON_OBJECT))
		return error_set_field(err, ERROR_INVALID, "link", "an object",
				       "link must be an object");
	if (!admin_check_members(changes, known, 3, "allowed_origins, theme, logo", err))
		return false;
	json_builder_init(&out, arena);
	for (size_t i = 0; i < 3; i++) {
		struct str name = str_from_c(known[i]);
		struct json value = json_get(changes, name);

		if (json_is(value, JSON_UNDEFINED))
			value = json_get(*link, name);
		else if (!check_member(arena, name, value, err))
			return false;
		if (!json_is(value, JSON_NULL))
			json_builder_set(&out, name, value);
	}
	*link = json_builder_object(&out);
	return true;
}

static bool change(const struct door *door, struct http_exchange *exchange, struct str id,
		   struct error *err)
{
	static const char *const known[] = {"name", "link", "retention"};
	struct environment environment;
	struct environment_owned before, after;
	struct json body, link, retention;
	struct str name;

	if (!find(door, exchange, id, &environment, &link, err))
		return false;
	before = (struct environment_owned){environment.name, link};
	if (!door_parse_body(exchange, &body, err) ||
	    !admin_check_members(body, known, 3, "name, link, retention", err) ||
	    !admin_read_text(body, "name", 64, &name, err) ||
	    !retention_check(json_get_c(body, "retention"), err) ||
	    !change_link(exchange->arena, json_get_c(body, "link"), &link, err))
		return false;
	if (name.len > 0)
		environment.name = name;
	after = (struct environment_owned){environment.name, link};
	if (!environment_change(door->services->accounts, exchange->arena, id, &before, &after,
				err))
		return false;
	retention = json_get_c(body, "retention");
	if (!json_is(retention, JSON_UNDEFINED) &&
	    !retention_change(door->store, exchange->arena, id, retention, err))
		return false;
	return show_one(door, exchange, 200, &environment, link, err);
}

/* --- handlers --------------------------------------------------------------------------------- */

void admin_list_environments(void *context, struct http_exchange *exchange,
			     const struct http_match *match)
{
	struct error err;

	(void)match;
	if (!list(context, exchange, &err))
		door_reply_error(exchange, &err, NULL);
}

void admin_create_environment(void *context, struct http_exchange *exchange,
			      const struct http_match *match)
{
	struct error err;

	(void)match;
	if (!create(context, exchange, &err))
		door_reply_error(exchange, &err, NULL);
}

void admin_show_environment(void *context, struct http_exchange *exchange,
			    const struct http_match *match)
{
	struct environment environment;
	struct json link;
	struct error err;

	if (!find(context, exchange, match->parts[0], &environment, &link, &err) ||
	    !show_one(context, exchange, 200, &environment, link, &err))
		door_reply_error(exchange, &err, NULL);
}

void admin_change_environment(void *context, struct http_exchange *exchange,
			      const struct http_match *match)
{
	struct error err;
	bool ok;
	int tries = 0;

	do
		ok = change(context, exchange, match->parts[0], &err);
	while (!ok && err.code == ERROR_CONFLICT && ++tries < ACCOUNT_UPDATE_TRIES);
	if (!ok)
		door_reply_error(exchange, &err, NULL);
}
