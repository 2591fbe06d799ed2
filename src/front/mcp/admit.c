/* Who may call: the token of a server, an API key beside it, a token of an outside authorization
 * server, or the operator over the socket of the machine. */
#include "front/mcp/parts.h"

enum { ALL_KINDS = TOOL_READ | TOOL_WRITE | TOOL_CUSTOM };

/* One request's way in. */
struct entry {
	const struct door *door;
	struct http_exchange *exchange;
	struct mcp_held *held;
	struct mcp_caller *caller;
	struct str bearer; /* empty: none was sent */
};

struct str mcp_url(const struct door *door, const struct http_exchange *exchange, struct str id)
{
	return arena_format(exchange->arena, "%.*s/mcp/%.*s",
			    STR_ARGS(door_base_url(door, exchange)), STR_ARGS(id));
}

/* --- refusals --------------------------------------------------------------------------------- */

/* Where clients read who gives tokens; `id` empty: of no one server. */
static struct str metadata_url(const struct entry *entry, struct str id)
{
	struct str base = door_base_url(entry->door, entry->exchange);

	return arena_format(entry->exchange->arena, "%.*s" MCP_METADATA_PATH "%s%.*s",
			    STR_ARGS(base), id.len > 0 ? "/mcp/" : "", STR_ARGS(id));
}

static void set_challenge(const struct entry *entry, struct str id, const char *error)
{
	const char *before = error[0] == '\0' ? "" : ", error=\"";
	const char *after = error[0] == '\0' ? "" : "\"";

	http_exchange_set_header(
		entry->exchange, "WWW-Authenticate",
		arena_format(entry->exchange->arena,
			     "Bearer resource_metadata=\"%.*s\", scope=\"" MCP_SCOPES "\"%s%s%s",
			     STR_ARGS(metadata_url(entry, id)), before, error, after));
}

static bool refuse(const struct entry *entry, int status, const char *message)
{
	mcp_reply_error(entry->exchange, status, json_undefined(), MCP_INVALID_REQUEST, message,
			json_undefined());
	return false;
}

/* The same for an id that is made up as for one whose token is another. A token in the path stands
 * for no id: it must not come back. */
static bool refuse_token(const struct entry *entry, struct str id, const char *message)
{
	set_challenge(entry, id, entry->bearer.len > 0 ? "invalid_token" : "");
	return refuse(entry, 401, message);
}

/* What is no matter of tokens: the store, or an authorization server that is away. */
static bool refuse_error(const struct entry *entry, const struct error *err)
{
	if (err->retry_after_ms > 0)
		http_exchange_set_header(entry->exchange, "Retry-After",
					 arena_format(entry->exchange->arena, "%lld",
						      (long long)(err->retry_after_ms + 999) /
							      1000));
	return refuse(entry, error_http_status(err->code), err->message);
}

static void set_scope_challenge(const struct entry *entry, struct str id, const char *scopes)
{
	http_exchange_set_header(
		entry->exchange, "WWW-Authenticate",
		arena_format(entry->exchange->arena,
			     "Bearer error=\"insufficient_scope\", scope=\"%s\", "
			     "resource_metadata=\"%.*s\"",
			     scopes, STR_ARGS(metadata_url(entry, id))));
}

static bool refuse_scopes(const struct entry *entry, struct str id)
{
	set_scope_challenge(entry, id, MCP_SCOPES);
	return refuse(entry, 403, "the token has neither of the scopes mcp:read and mcp:write");
}

void mcp_refuse_scope(const struct door *door, struct http_exchange *exchange,
		      const struct mcp_caller *caller, const struct tool *tool, struct json id)
{
	const struct entry entry = {.door = door, .exchange = exchange};
	bool is_read = (tool->kind & TOOL_READ) != 0;

	set_scope_challenge(&entry, caller->held->server.id, is_read ? "mcp:read" : MCP_SCOPES);
	mcp_reply_error(exchange, 403, id, MCP_INVALID_REQUEST,
			is_read ? "the token's scopes do not reach for this tool: it wants mcp:read"
				: "the token's scopes do not reach for this tool: it wants mcp:write",
			json_undefined());
}

/* --- the token -------------------------------------------------------------------------------- */

static const char no_audience[] =
	"this server does not know its own address, for which the token would have to be: start it with "
	"--public-url, or give the MCP server an oauth.audience";

/* The caller's word for this server's address (Host) counts on its own machine only: elsewhere a
 * token for another server of the same issuer could be passed off so. */
static struct str find_audience(const struct entry *entry)
{
	const struct door *door = entry->door;
	const struct mcp_server *server = &entry->held->server;

	if (server->audience.len > 0)
		return server->audience;
	if (door->services->public_url.len == 0 && !door->mcp->options.is_loopback)
		return (struct str){NULL, 0};
	return mcp_url(door, entry->exchange, server->id);
}

/* What was asked for is told only to those whose token the issuer has signed: until then it is
 * refused as any other. */
static bool admit_jwt(const struct entry *entry, const char *message)
{
	const struct door *door = entry->door;
	const struct mcp_server *server = &entry->held->server;
	struct arena *arena = entry->exchange->arena;
	const struct mcp_jwt_wanted wanted = {
		.issuer = server->issuer,
		.audience = find_audience(entry),
		.subjects = server->subjects,
		.subject_count = server->subject_count,
		.now_ms = clock_unix_ms(door->services->clock),
	};
	struct mcp_jwt jwt;
	struct error err;

	if (wanted.audience.len == 0)
		return refuse(entry, 503, no_audience);
	if (!mcp_jwt_read(arena, entry->bearer, &jwt, &err) ||
	    !str_equal(json_get_str(jwt.claims, "iss"), server->issuer))
		return refuse_token(entry, server->id, message);
	if (!mcp_keys_verify(door->mcp->keys, door->services->client, arena, server->issuer, &jwt,
			     &err))
		return err.code == ERROR_UNAUTHORIZED ? refuse_token(entry, server->id, message)
						      : refuse_error(entry, &err);
	if (!mcp_jwt_check(&jwt, &wanted, &err))
		return refuse_token(entry, server->id, err.message);
	entry->caller->kinds = mcp_jwt_kinds(&jwt);
	entry->caller->subject = json_get_str(jwt.claims, "sub");
	return entry->caller->kinds != 0 || refuse_scopes(entry, server->id);
}

/* The second factor of a server that wants one. */
static bool admit_key(const struct entry *entry, struct str id)
{
	struct api_key key;
	struct error err;
	const struct mcp_server *server = &entry->held->server;

	if (entry->bearer.len > 0 &&
	    api_key_authorise(entry->door->services->accounts, entry->exchange->arena,
			      entry->bearer, &key, &err) &&
	    (key.scopes & KEY_SCOPE_CALL) && str_equal(key.environment_id, server->environment_id))
		return true;
	return refuse_token(entry, id,
			    "this MCP server wants an API key of its environment, with the scope "
			    "call, as the bearer token, and its own token in the header X-MCP-Token "
			    "or in the path");
}

static bool admit_bearer(const struct entry *entry)
{
	static const char message[] = "the MCP server does not know this token, or there is no such "
				      "server; send its token in the header Authorization: Bearer TOKEN";
	const struct mcp_server *server = &entry->held->server;
	struct str own = server->wants_api_key
				 ? http_exchange_header(entry->exchange, "x-mcp-token")
				 : entry->bearer;

	if (server->issuer.len > 0 && !server->wants_api_key && mcp_jwt_is(entry->bearer))
		return admit_jwt(entry, message);
	if (mcp_server_is_token(entry->door->mcp_servers, entry->held, own))
		return !server->wants_api_key || admit_key(entry, server->id);
	return refuse_token(entry, server->id, message);
}

static bool admit_id(struct entry *entry, struct str id)
{
	struct error err;

	if (!mcp_server_find(entry->door->mcp_servers, entry->exchange->arena, id,
			     entry->held, &entry->caller->account, &err)) {
		if (err.code != ERROR_NOT_FOUND)
			return refuse_error(entry, &err);
		/* It is refused below, as the token of any other server would be. */
		mcp_server_init(&entry->held->server);
		memset(entry->held->digest, 0, sizeof entry->held->digest);
		entry->held->server.id = id;
	}
	return admit_bearer(entry);
}

static bool admit_path(struct entry *entry, struct str token)
{
	static const struct str nowhere = {NULL, 0};
	struct error err;

	if (!mcp_server_find_by_token(entry->door->mcp_servers, entry->exchange->arena,
				      token, entry->held, &entry->caller->account, &err)) {
		if (err.code != ERROR_UNAUTHORIZED)
			return refuse_error(entry, &err);
		return refuse_token(entry, nowhere, "the token in the path opens no MCP server");
	}
	if (!entry->held->server.has_path_token)
		return refuse_token(entry, nowhere, "the token in the path opens no MCP server");
	return !entry->held->server.wants_api_key || admit_key(entry, nowhere);
}

/* --- over the socket of the machine ----------------------------------------------------------- */

/* "read,write" as a list of strings. */
static struct json read_list(struct arena *arena, struct str text)
{
	struct json *items = arena_array(arena, SETTING_LIST_MAX + 2, sizeof *items);
	size_t count = 0;

	while (text.len > 0 && count <= SETTING_LIST_MAX)
		items[count++] = json_string(str_trim(str_cut(&text, ',')));
	return json_array(items, count);
}

/* The query says what the body of a server's making would. */
static bool read_filters(const struct entry *entry, struct error *err)
{
	static const char *const lists[] = {"methods", "tags", "mask"};
	const struct http_exchange *exchange = entry->exchange;
	struct json_builder body;
	struct str text;
	int64_t number;

	json_builder_init(&body, exchange->arena);
	for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++)
		if (http_exchange_query(exchange, lists[i], &text))
			json_builder_set(&body, str_from_c(lists[i]),
					 read_list(exchange->arena, text));
	if (http_exchange_query(exchange, "mode", &text))
		json_builder_set(&body, STR("mode"), json_string(text));
	if (http_exchange_query(exchange, "confirm", &text))
		json_builder_set(&body, STR("confirm"), json_string(text));
	if (http_exchange_query(exchange, "structured", &text))
		json_builder_set(&body, STR("structured"), json_bool(str_equal(text, STR("true"))));
	if (http_exchange_query(exchange, "output_bytes", &text))
		json_builder_set(&body, STR("output_bytes"),
				 str_to_int64(text, &number) ? json_int(number)
							     : json_string(text));
	return mcp_config_read(exchange->arena, json_builder_object(&body), &entry->held->server,
			       err);
}

static bool admit_local(struct entry *entry, struct str id)
{
	const struct door *door = entry->door;
	struct account *account = &entry->caller->account;
	struct caller caller;
	struct error err;

	if (!entry->exchange->is_local)
		return refuse(entry, 404, "there is nothing at this path");
	mcp_server_init(&entry->held->server);
	if (!door_authorise(door, entry->exchange, KEY_SCOPE_CALL, &caller, &err) ||
	    !door_find_account(door, entry->exchange->arena, &caller, id, account, &err) ||
	    !read_filters(entry, &err))
		return refuse_error(entry, &err);
	entry->held->server.environment_id = account->environment_id;
	entry->held->server.account_id = account->id;
	return mcp_held_fill(door->mcp_servers, entry->exchange->arena, account,
			     entry->held, &err) ||
	       refuse_error(entry, &err);
}

/* --- the door --------------------------------------------------------------------------------- */

static bool admit(struct entry *entry, enum mcp_address address, struct str name)
{
	switch (address) {
	case MCP_BY_ID:
		return admit_id(entry, name);
	case MCP_BY_TOKEN:
		return admit_path(entry, name);
	case MCP_BY_ACCOUNT:
		return admit_local(entry, name);
	case MCP_BY_FIXTURE:
		break;
	}
	entry->caller->is_fixture = true;
	return entry->door->mcp->options.fixtures != NULL ||
	       refuse(entry, 404, "there is nothing at this path");
}

bool mcp_admit(const struct door *door, struct http_exchange *exchange, enum mcp_address address,
	       struct str name, struct mcp_caller *caller)
{
	struct mcp_held *held = arena_zero(exchange->arena, sizeof *held);
	struct entry entry = {
		.door = door,
		.exchange = exchange,
		.held = held,
		.caller = caller,
		.bearer = door_bearer(exchange),
	};

	*caller = (struct mcp_caller){.held = held, .kinds = ALL_KINDS};
	if (!mcp_check_origin(door, exchange))
		return false;
	mcp_allow_origin(door, exchange);
	struct store_scope before = store_enter_all();
	bool is_in = admit(&entry, address, name);
	store_leave(&before);
	if (is_in && !caller->is_fixture)
		(void)store_enter(caller->account.environment_id);
	return is_in;
}

void mcp_leave(const struct door *door, struct mcp_caller *caller)
{
	(void)door;
	*caller = (struct mcp_caller){0};
}
