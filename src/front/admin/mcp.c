/* MCP servers of accounts: made (the token is told this once), listed, shown, changed, removed. */
#include "ats/mcp/mcp.h"
#include "front/admin/routes.h"

/* --- showing ---------------------------------------------------------------------------------- */

/* Where clients reach it; `name` is its id, or its token. */
static struct json make_url(const struct door *door, const struct http_exchange *exchange,
			    struct str name)
{
	struct str base = door_base_url(door, exchange);

	return json_string(arena_format(exchange->arena, "%.*s/mcp/%.*s", STR_ARGS(base),
					STR_ARGS(name)));
}

static void build(const struct door *door, const struct http_exchange *exchange,
		  const struct mcp_server *server, struct json_builder *item)
{
	struct arena *arena = exchange->arena;
	struct json config = mcp_config_show(arena, server);

	json_builder_init(item, arena);
	json_builder_set(item, STR("id"), json_string(server->id));
	json_builder_set(item, STR("integrated_account_id"), json_string(server->account_id));
	json_builder_set(item, STR("name"), json_string_or_null(server->name));
	json_builder_set(item, STR("url"), make_url(door, exchange, server->id));
	for (size_t i = 0; i < config.count; i++)
		json_builder_set(item, json_name(&config.members[i]), config.members[i].value);
	json_builder_set(item, STR("created_by"), json_string_or_null(server->created_by));
	json_builder_set(item, STR("created_at"), json_time(arena, server->created_ms));
	json_builder_set(item, STR("updated_at"), json_time(arena, server->updated_ms));
	json_builder_set(item, STR("expires_at"), json_time(arena, server->expires_ms));
}

static struct json show(const struct door *door, const struct http_exchange *exchange,
			const struct mcp_server *server)
{
	struct json_builder item;

	build(door, exchange, server, &item);
	return json_builder_object(&item);
}

/* --- reading a body --------------------------------------------------------------------------- */

static const char allowed_members[] =
	"name, methods, tags, mode, confirm, structured, token_in_path, require_api_key, "
	"output_bytes, mask, rate_limit, oauth, expires_at, config";

static bool check_members(struct json body, struct error *err)
{
	static const char *const known[] = {
		"name",		 "methods",	    "tags",	    "mode", "confirm",
		"structured",	 "token_in_path",   "require_api_key", "output_bytes", "mask",
		"rate_limit",	 "oauth",	    "expires_at",   "config"};

	return admin_check_members(body, known, sizeof known / sizeof known[0], allowed_members,
				   err);
}

/* Another shape of three members: {"config": {"methods", "tags", "require_api_token_auth"}}. They
 * become members of the body, unless it has them itself. */
static bool unfold_config(struct arena *arena, struct json *body, struct error *err)
{
	static const char *const names[][2] = {
		{"methods", "methods"},
		{"tags", "tags"},
		{"require_api_token_auth", "require_api_key"}};
	struct json config = json_get_c(*body, "config");
	size_t taken = 0;
	struct json_builder out;

	if (json_is(config, JSON_UNDEFINED))
		return true;
	json_builder_init(&out, arena);
	for (size_t i = 0; i < body->count; i++)
		if (!str_equal_c(json_name(&body->members[i]), "config"))
			json_builder_set(&out, json_name(&body->members[i]),
					 body->members[i].value);
	for (size_t i = 0; i < 3 && json_is(config, JSON_OBJECT); i++) {
		struct json value = json_get_c(config, names[i][0]);

		if (json_is(value, JSON_UNDEFINED) ||
		    !json_is(json_get_c(*body, names[i][1]), JSON_UNDEFINED))
			continue;
		json_builder_set(&out, str_from_c(names[i][1]), value);
		taken++;
	}
	if (!json_is(config, JSON_OBJECT) || taken != config.count)
		return error_set_field(err, ERROR_INVALID, "config",
				       "methods, tags, require_api_token_auth",
				       "config must be an object of methods, tags and "
				       "require_api_token_auth which are not given beside it");
	*body = json_builder_object(&out);
	return true;
}

static bool read_end(struct json body, struct mcp_server *server, struct error *err)
{
	struct json value = json_get_c(body, "expires_at");
	int64_t ns;

	if (json_is(value, JSON_UNDEFINED))
		return true;
	server->expires_ms = 0;
	if (json_is(value, JSON_NULL))
		return true;
	if (!json_is(value, JSON_STRING) || !clock_parse(json_str(value), &ns) || ns < 1000000)
		return error_set_field(err, ERROR_INVALID, "expires_at",
				       "a time at least 60 seconds from now, or null",
				       "expires_at must be a time, such as 2030-01-31T00:00:00Z, "
				       "or null");
	server->expires_ms = ns / 1000000;
	return true;
}

static bool read_name(struct json body, struct mcp_server *server, struct error *err)
{
	return json_is(json_get_c(body, "name"), JSON_UNDEFINED) ||
	       admin_read_text(body, "name", MCP_NAME_BYTES_MAX, &server->name, err);
}

/* Over what *server has. */
static bool read_server(struct http_exchange *exchange, struct mcp_server *server,
			struct error *err)
{
	struct json body;

	return door_parse_body(exchange, &body, err) && check_members(body, err) &&
	       unfold_config(exchange->arena, &body, err) && read_name(body, server, err) &&
	       read_end(body, server, err) &&
	       mcp_config_read(exchange->arena, body, server, err);
}

/* --- requests --------------------------------------------------------------------------------- */

static bool find_account(const struct door *door, struct http_exchange *exchange, struct str id,
			 struct caller *caller, struct account *account, struct error *err)
{
	return door_authorise(door, exchange, KEY_SCOPE_ADMIN, caller, err) &&
	       door_find_account(door, exchange->arena, caller, id, account, err);
}

static bool create(const struct door *door, struct http_exchange *exchange, struct str id,
		   struct error *err)
{
	struct mcp_server server;
	struct account account;
	struct caller caller;
	struct json_builder item;
	struct str token;

	mcp_server_init(&server);
	if (!find_account(door, exchange, id, &caller, &account, err) ||
	    !read_server(exchange, &server, err))
		return false;
	server.created_by = caller.key_id;
	if (!mcp_server_create(door->mcp_servers, exchange->arena, &account, &server, &token, err))
		return false;
	build(door, exchange, &server, &item);
	json_builder_set(&item, STR("token"), json_string(token));
	if (server.has_path_token)
		json_builder_set(&item, STR("url_with_token"), make_url(door, exchange, token));
	http_exchange_set_header(exchange, "Cache-Control", STR("no-store"));
	door_reply(exchange, 201, json_builder_object(&item));
	return true;
}

static bool list(const struct door *door, struct http_exchange *exchange, struct str id,
		 struct error *err)
{
	struct str before, next = {NULL, 0};
	struct mcp_server *servers;
	struct json_builder items;
	struct account account;
	struct caller caller;
	int64_t limit;
	size_t count;

	if (!find_account(door, exchange, id, &caller, &account, err) ||
	    !admin_read_page(exchange, &before, &limit, err) ||
	    !mcp_server_list(door->mcp_servers, exchange->arena, &account, before, (size_t)limit,
			     &servers, &count, err))
		return false;
	json_builder_init(&items, exchange->arena);
	for (size_t i = 0; i < count; i++)
		json_builder_add(&items, show(door, exchange, &servers[i]));
	if (count == (size_t)limit)
		next = servers[count - 1].id;
	admin_reply_list(exchange, &items, next);
	return true;
}

static bool find(const struct door *door, struct http_exchange *exchange,
		 const struct http_match *match, struct account *account,
		 struct mcp_server *server, struct error *err)
{
	struct caller caller;

	return find_account(door, exchange, match->parts[0], &caller, account, err) &&
	       mcp_server_show(door->mcp_servers, exchange->arena, account, match->parts[1],
			       server, err);
}

static bool change(const struct door *door, struct http_exchange *exchange,
		   const struct http_match *match, struct error *err)
{
	struct mcp_server before, after;
	struct account account;

	if (!find(door, exchange, match, &account, &before, err))
		return false;
	after = before;
	if (!read_server(exchange, &after, err) ||
	    !mcp_server_change(door->mcp_servers, exchange->arena, &account, &before, &after, err))
		return false;
	door_reply(exchange, 200, show(door, exchange, &after));
	return true;
}

static bool remove_one(const struct door *door, struct http_exchange *exchange,
		       const struct http_match *match, struct error *err)
{
	struct json_builder item;
	struct account account;
	struct caller caller;

	if (!find_account(door, exchange, match->parts[0], &caller, &account, err) ||
	    !mcp_server_remove(door->mcp_servers, exchange->arena, &account, match->parts[1], err))
		return false;
	json_builder_init(&item, exchange->arena);
	json_builder_set(&item, STR("id"), json_string(match->parts[1]));
	door_reply(exchange, 200, json_builder_object(&item));
	return true;
}

void admin_create_mcp_server(void *context, struct http_exchange *exchange,
			     const struct http_match *match)
{
	struct error err;

	if (!create(context, exchange, match->parts[0], &err))
		door_reply_error(exchange, &err, NULL);
}

void admin_list_mcp_servers(void *context, struct http_exchange *exchange,
			    const struct http_match *match)
{
	struct error err;

	if (!list(context, exchange, match->parts[0], &err))
		door_reply_error(exchange, &err, NULL);
}

void admin_show_mcp_server(void *context, struct http_exchange *exchange,
			   const struct http_match *match)
{
	struct mcp_server server;
	struct account account;
	struct error err;

	if (find(context, exchange, match, &account, &server, &err))
		door_reply(exchange, 200, show(context, exchange, &server));
	else
		door_reply_error(exchange, &err, NULL);
}

void admin_change_mcp_server(void *context, struct http_exchange *exchange,
			     const struct http_match *match)
{
	struct error err;

	if (!change(context, exchange, match, &err))
		door_reply_error(exchange, &err, NULL);
}

void admin_remove_mcp_server(void *context, struct http_exchange *exchange,
			     const struct http_match *match)
{
	struct error err;

	if (!remove_one(context, exchange, match, &err))
		door_reply_error(exchange, &err, NULL);
}
