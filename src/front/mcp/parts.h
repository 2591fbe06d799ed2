/* What the files of this room share. Private to it. */
#ifndef FRONT_MCP_PARTS_H
#define FRONT_MCP_PARTS_H

#include "front/mcp/mcp.h"
#include "front/mcp/shape.h"

struct mcp_door {
	struct mcp_door_options options;
	/* Of the authorization servers whose tokens are taken: their keys, kept (keys.c). */
	struct mcp_keys *keys;
};

/* --- who calls (admit.c) --------------------------------------------------------------------- */

/* A caller that was let in. */
struct mcp_caller {
	const struct mcp_held *held; /* of a local caller: made for this request */
	struct account account;
	unsigned kinds;	    /* tool_kind bits: what the token's scopes let it call */
	struct str subject; /* of an outside token; empty: the server's own */
	bool is_fixture;    /* tests: there is neither server nor account */
};
/* How the endpoint was named. */
enum mcp_address {
	MCP_BY_ID,	/* /mcp/{id}, with a bearer token */
	MCP_BY_TOKEN,	/* /mcp/{token} */
	MCP_BY_ACCOUNT, /* /mcp/account/{id}, over the unix socket only; the query has the filters */
	MCP_BY_FIXTURE, /* /mcp/fixtures */
};
/* Judges Origin and Host, then the token. False: the exchange has its answer (403, 401 with
 * WWW-Authenticate, 404, …) with a JSON-RPC error that has no id. mcp_leave() when it is over. */
bool mcp_admit(const struct door *door, struct http_exchange *exchange, enum mcp_address address,
	       struct str name, struct mcp_caller *caller) MUST_CHECK;
void mcp_leave(const struct door *door, struct mcp_caller *caller);
/* 403 insufficient_scope: the token's scopes do not reach for the tool. `id` of the request. */
void mcp_refuse_scope(const struct door *door, struct http_exchange *exchange,
		      const struct mcp_caller *caller, const struct tool *tool, struct json id);
/* "https://host/mcp/mcp_…": what clients know the server by. */
struct str mcp_url(const struct door *door, const struct http_exchange *exchange, struct str id);
/* Access-Control-* of an answer to a page that may call (origin.c). */
void mcp_allow_origin(const struct door *door, struct http_exchange *exchange);

/* --- JSON-RPC (rpc.c) ------------------------------------------------------------------------ */

/* {"jsonrpc", "id", "error": {"code", "message", "data"?}}; `id` undefined: there is none. */
void mcp_reply_error(struct http_exchange *exchange, int status, struct json id, int code,
		     const char *message, struct json data);

#endif
