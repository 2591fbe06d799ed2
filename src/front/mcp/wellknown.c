/* Where clients read who gives tokens for a server: RFC 9728, at the path of the server and at the
 * root. */
#include "front/mcp/parts.h"

enum { ID_BYTES_MAX = 64 };

/* What might be the id of a server. A token, which may stand where the id does, is never told. */
static bool is_id(struct str text)
{
	if (!str_starts_with(text, STR("mcp_")) || text.len > ID_BYTES_MAX)
		return false;
	for (size_t i = 0; i < text.len; i++) {
		char c = text.data[i];

		if (!(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') && !(c >= '0' && c <= '9') &&
		    c != '_')
			return false;
	}
	return true;
}

static void reply(struct http_exchange *exchange, struct str resource, struct str issuer)
{
	struct json_builder out, list;

	json_builder_init(&out, exchange->arena);
	json_builder_set(&out, STR("resource"), json_string(resource));
	if (issuer.len > 0) {
		json_builder_init(&list, exchange->arena);
		json_builder_add(&list, json_string(issuer));
		json_builder_set(&out, STR("authorization_servers"), json_builder_array(&list));
	}
	json_builder_init(&list, exchange->arena);
	for (struct str rest = STR(MCP_SCOPES); rest.len > 0;)
		json_builder_add(&list, json_string(str_cut(&rest, ' ')));
	json_builder_set(&out, STR("scopes_supported"), json_builder_array(&list));
	json_builder_init(&list, exchange->arena);
	json_builder_add(&list, json_string(STR("header")));
	json_builder_set(&out, STR("bearer_methods_supported"), json_builder_array(&list));
	door_reply(exchange, 200, json_builder_object(&out));
}

/* Where none is told, the server takes its own tokens only. A made-up id is answered like that of
 * such a server, so that nobody finds out which there are. */
static bool find_issuer(const struct door *door, struct http_exchange *exchange, struct str id,
			struct str *issuer, struct error *err)
{
	struct store_scope before = store_enter_all();
	struct mcp_held held;
	struct account account;

	*issuer = (struct str){NULL, 0};
	bool is_there =
		mcp_server_find(door->mcp_servers, exchange->arena, id, &held, &account, err);
	store_leave(&before);
	if (!is_there)
		return err->code == ERROR_NOT_FOUND;
	*issuer = held.server.issuer;
	return true;
}

void mcp_show_metadata(void *context, struct http_exchange *exchange,
		       const struct http_match *match)
{
	const struct door *door = context;
	struct str id = match->parts[0], issuer;
	struct error err;

	if (!mcp_check_origin(door, exchange))
		return;
	mcp_allow_origin(door, exchange);
	if (!is_id(id)) {
		error_set(&err, ERROR_NOT_FOUND, "there is no such MCP server");
		door_reply_error(exchange, &err, NULL);
	} else if (!find_issuer(door, exchange, id, &issuer, &err)) {
		door_reply_error(exchange, &err, NULL);
	} else {
		reply(exchange, mcp_url(door, exchange, id), issuer);
	}
}

void mcp_show_root_metadata(void *context, struct http_exchange *exchange,
			    const struct http_match *match)
{
	const struct door *door = context;

	(void)match;
	if (!mcp_check_origin(door, exchange))
		return;
	mcp_allow_origin(door, exchange);
	reply(exchange, door_base_url(door, exchange), door->mcp->options.issuer);
}
