/* The MCP door: tools of a linked account for AI agents, after the Model Context Protocol in both
 * of its eras (2026-07-28, and 2025-11-25 and before) on one endpoint without sessions. It reads
 * JSON-RPC, finds out who calls, gives the call to ats/tool and ats/operation, and prints. */
#ifndef FRONT_MCP_MCP_H
#define FRONT_MCP_MCP_H

#include "ats/mcp/mcp.h"
#include "front/door/door.h"

/* Routes for the server's router; the handlers' context is a struct door. */
extern const struct http_route mcp_routes[];
extern const size_t mcp_route_count;

/* What the door has beside what all doors have; one for the whole process. */
struct mcp_door;
struct mcp_door_options {
	struct mcp_servers *servers;
	const struct toolsets *toolsets;
	const struct str *origins; /* of web pages that may call, beside the server's own */
	size_t origin_count;
	struct str issuer; /* told at the root: who gives tokens; empty: nobody is told */
	bool is_loopback; /* the server listens on this machine only: its Host must say so, too */
	const struct mcp_fixtures *fixtures; /* tests only; NULL */
	const struct clock *clock;
};
/* Answers a request to this door that was refused before it was whole (too large, malformed): in
 * JSON-RPC, too, which is all that its clients read. */
bool mcp_is_ours(const struct http_exchange *exchange);
void mcp_refuse(struct http_exchange *exchange, const struct error *err);

struct mcp_door *mcp_door_create(const struct mcp_door_options *options);
/* NULL is accepted. */
void mcp_door_destroy(struct mcp_door *mcp);

/* --- for tests only ------------------------------------------------------------------------- */

/* Tools of a conformance suite, which the program itself does not have: a test's own executable
 * gives them to a server that serves them at /mcp/fixtures without authentication. */
struct mcp_fixture_call {
	struct http_exchange *exchange;
	struct json arguments;
	struct json meta;	   /* params._meta */
	struct json capabilities;  /* of the client */
	struct json responses;	   /* params.inputResponses, params.requestState opened */
	struct json state;
	/* Sends a notification on the stream, where there is one. */
	void (*notify)(struct mcp_fixture_call *call, const char *method, struct json params);
};
struct mcp_fixtures {
	struct json (*list)(struct arena *arena); /* array of tools */
	/* The result of a call, or undefined with *error (code, message, data). */
	struct json (*call)(struct mcp_fixture_call *call, struct str name, struct json *error);
};

#endif
