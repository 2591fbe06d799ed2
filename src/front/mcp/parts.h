/* What the files of this room share. Private to it. */
#ifndef FRONT_MCP_PARTS_H
#define FRONT_MCP_PARTS_H

#include <pthread.h>

#include "front/mcp/mcp.h"
#include "front/mcp/shape.h"

struct mcp_door {
	struct mcp_door_options options;
	struct arena arena;
	struct mcp_lists *lists; /* as options.toolsets->items (list.c) */
	/* Calls of the older era that are under way in all workers, under the lock (cancel.c). */
	pthread_mutex_t lock;
	struct mcp_running *running;
	uint64_t last_number;
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
	MCP_BY_ACCOUNT, /* /mcp/account/{id}, over the unix socket; the query has the filters */
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

/* Of tokens of an outside authorization server; and where clients read who gives them. */
#define MCP_SCOPES "mcp:read mcp:write"
#define MCP_METADATA_PATH "/.well-known/oauth-protected-resource"

/* --- web pages (origin.c) -------------------------------------------------------------------- */

/* Judges Origin and Host, as mcp_admit() does. False: the exchange has its answer, 403. */
bool mcp_check_origin(const struct door *door, struct http_exchange *exchange) MUST_CHECK;
/* Access-Control-* of an answer to a page that may call; mcp_admit() has set them. */
void mcp_allow_origin(const struct door *door, struct http_exchange *exchange);
/* What browsers ask before they send a page's request. */
void mcp_answer_options(void *context, struct http_exchange *exchange,
			const struct http_match *match);
void mcp_answer_metadata_options(void *context, struct http_exchange *exchange,
				 const struct http_match *match);

/* --- metadata (wellknown.c) ------------------------------------------------------------------ */

void mcp_show_metadata(void *context, struct http_exchange *exchange,
		       const struct http_match *match);
void mcp_show_root_metadata(void *context, struct http_exchange *exchange,
			    const struct http_match *match);

/* --- tokens of outside authorization servers (jwt.c) ------------------------------------------ */

/* A JSON Web Token, read but not verified. */
struct mcp_jwt {
	const struct mcp_algorithm *algorithm;
	struct str signed_text; /* the first two parts, as they came */
	struct str signature;	/* its bytes */
	struct str kid;		/* empty: not told */
	struct json claims;
};
/* A key of a set, as bytes: n and e, or x and y. */
struct mcp_jwk {
	struct str kid;
	struct str kty, crv, alg; /* empty: not told */
	struct str first, second;
};
/* What is asked of a token. */
struct mcp_jwt_wanted {
	struct str issuer, audience;
	const struct str *subjects; /* none: anybody */
	size_t subject_count;
	int64_t now_ms;
};
/* Three parts, as JWTs have? */
bool mcp_jwt_is(struct str text) MUST_CHECK;
/* ERROR_UNAUTHORIZED, also for an algorithm that is not taken. */
bool mcp_jwt_read(struct arena *arena, struct str text, struct mcp_jwt *jwt,
		  struct error *err) MUST_CHECK;
/* Could the key have signed it? */
bool mcp_jwt_fits(const struct mcp_jwt *jwt, const struct mcp_jwk *key) MUST_CHECK;
bool mcp_jwt_verify(const struct mcp_jwt *jwt, const struct mcp_jwk *key) MUST_CHECK;
/* Of a verified one. ERROR_UNAUTHORIZED says what is wrong with it. */
bool mcp_jwt_check(const struct mcp_jwt *jwt, const struct mcp_jwt_wanted *wanted,
		   struct error *err) MUST_CHECK;
/* tool_kind bits that its scopes give. */
unsigned mcp_jwt_kinds(const struct mcp_jwt *jwt);
/* The keys of a JWK set that are for signatures, those that can be read. ERROR_UPSTREAM. */
bool mcp_jwks_read(struct arena *arena, struct str text, struct mcp_jwk **keys, size_t *count,
		   struct error *err) MUST_CHECK;

/* --- keys of authorization servers, kept (keys.c) -------------------------------------------- */

struct mcp_keys *mcp_keys_create(const struct clock *clock);
/* NULL is accepted. */
void mcp_keys_destroy(struct mcp_keys *keys);
/* Verifies the signature with a key of the issuer's. ERROR_UNAUTHORIZED; ERROR_UPSTREAM,
 * ERROR_TIMEOUT or ERROR_UNAVAILABLE where the keys are not to be had. */
bool mcp_keys_verify(struct mcp_keys *keys, struct http_client *client, struct arena *arena,
		     struct str issuer, const struct mcp_jwt *jwt, struct error *err) MUST_CHECK;

/* --- JSON-RPC (rpc.c) ------------------------------------------------------------------------ */

enum mcp_code {
	MCP_PARSE_ERROR = -32700,
	MCP_INVALID_REQUEST = -32600,
	MCP_METHOD_NOT_FOUND = -32601,
	MCP_INVALID_PARAMS = -32602,
	MCP_INTERNAL_ERROR = -32603,
	/* Of the era of 2026-07-28. */
	MCP_HEADER_MISMATCH = -32020,
	MCP_MISSING_CAPABILITY = -32021,
	MCP_UNSUPPORTED_VERSION = -32022,
};

/* A message of a caller who was let in, and what became of it. */
struct mcp_request {
	const struct door *door;
	struct http_exchange *exchange;
	struct mcp_caller caller;
	struct json message;
	struct json id; /* undefined: a notification, or an answer */
	struct str method;
	struct json params; /* object or undefined */
	struct json meta;   /* params._meta: object or undefined */
	bool is_modern;	    /* 2026-07-28: each request says all there is to know */
	bool is_streaming;  /* the reply has begun as a stream of events */
};

/* Reads the exchange's body. False: the exchange has its answer. */
bool mcp_read(struct mcp_request *request) MUST_CHECK;
/* {"jsonrpc", "id", "error": {"code", "message", "data"?}}; `id` undefined: there is none. */
void mcp_reply_error(struct http_exchange *exchange, int status, struct json id, int code,
		     const char *message, struct json data);
/* The same for a request, whose reply may be a stream already. Returns false. */
bool mcp_fail(struct mcp_request *request, int status, int code, const char *message,
	      struct json data);
/* The result, an object. In the modern era it says that it is complete, unless it says otherwise
 * itself, and who answers. */
void mcp_reply(struct mcp_request *request, struct json result);
/* The same of printed members, `"tools":[…]`, of a complete result. */
void mcp_reply_members(struct mcp_request *request, struct str members);

/* --- the two eras (era.c) -------------------------------------------------------------------- */

/* Which era's rules hold for the message, by its _meta and the header MCP-Protocol-Version. */
bool mcp_is_modern(const struct mcp_request *request) MUST_CHECK;
/* Versions and headers of a request. False: the exchange has its answer. */
bool mcp_check(struct mcp_request *request) MUST_CHECK;
void mcp_discover(struct mcp_request *request);
void mcp_initialize(struct mcp_request *request);
/* Members of _meta: "io.modelcontextprotocol/" before the name. */
struct json mcp_meta(const struct mcp_request *request, const char *name);

/* --- streams (stream.c) ---------------------------------------------------------------------- */

/* Notifications go to those only who asked for them and take a stream of events; for all others
 * this does nothing. The first one begins the stream. */
void mcp_notify(struct mcp_request *request, const char *method, struct json params);
/* A message as an event of the stream. */
void mcp_send(struct mcp_request *request, struct str message);

/* --- methods --------------------------------------------------------------------------------- */

void mcp_list_tools(struct mcp_request *request); /* list.c */
/* Members of a result of tools/list, for servers that have all tools of a connector. */
struct mcp_lists {
	struct str plain, structured;
};
void mcp_lists_init(struct mcp_door *mcp);
/* Which of a server's tools a caller may call: the scopes of a token may reach for fewer. */
bool mcp_may_call(const struct mcp_caller *caller, const struct tool *tool);

void mcp_call_tool(struct mcp_request *request);  /* call.c */
/* A result of one text; is_error: the model is told what to do about it. */
void mcp_reply_text(struct mcp_request *request, struct str text, bool is_error);
/* One tool of the server with its arguments, an object or undefined. */
void mcp_run_tool(struct mcp_request *request, const struct tool *tool, struct json arguments);

/* --- calls that are called off (cancel.c) ---------------------------------------------------- */

struct mcp_running {
	struct mcp_request *request;
	struct loop *loop;
	struct fiber *fiber;
	bool is_read;
	uint64_t number; /* 0: it is on no list */
	struct mcp_running *next;
};
/* Around the work of a call: from now on it ends when its client calls it off. */
void mcp_running_begin(struct mcp_running *running, struct mcp_request *request, bool is_read);
void mcp_running_end(struct mcp_running *running);
/* notifications/cancelled */
void mcp_cancel(struct mcp_request *request);

/* --- servers of two tools (search.c) --------------------------------------------------------- */

void mcp_list_search(const struct mcp_request *request, struct buffer *text);
void mcp_call_search(struct mcp_request *request, struct str name, struct json arguments);

/* --- writes are confirmed (confirm.c) -------------------------------------------------------- */

/* Asks the person at the client, where the server wants that and the client can, or reads what was
 * answered. False: the exchange has its answer. `*nonce` is of this one confirmation; empty: none
 * was wanted. */
bool mcp_confirm(struct mcp_request *request, const struct tool *tool, struct json arguments,
		 bool is_dry, struct str *nonce) MUST_CHECK;
/* BLAKE2b-256 in hex. */
struct str mcp_digest_text(struct arena *arena, struct str text);
void mcp_call_fixture(struct mcp_request *request, struct str name); /* fixture.c */

#endif
