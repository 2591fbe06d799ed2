/* Records as a model should read them: compact, without nulls, HTML as text, personal fields
 * masked, other people's text marked as data, within a budget of bytes. Private to this room; no
 * network, no store: values in, JSON text out. */
#ifndef FRONT_MCP_SHAPE_H
#define FRONT_MCP_SHAPE_H

#include "ats/mcp/mcp.h"

struct shape {
	struct operation_budget base; /* for the operation whose records these are */
	/* What the room fills; the rest is private to shape.c. */
	struct arena *arena;
	const struct tool *tool;
	const struct connector *connector;
	const struct mcp_server *server; /* masks, output_bytes_max, is_structured */
	struct str fields;		 /* of native records: which are wanted; empty: all */
	struct shape_state *state;
};
void shape_init(struct shape *shape, struct arena *arena, const struct tool *tool,
		const struct connector *connector, const struct mcp_server *server,
		struct str fields);

/* The result of a tool that went well. */
struct shape_result {
	struct str text;	/* JSON, an object */
	struct json structured; /* the same, where the server wants structured results */
};
/* Of lists, single records, writes, dry runs, raw answers of custom methods, whatever the
 * operation gave. Of what came from the local copy its age is told. */
void shape_result(struct shape *shape, const struct operation *operation,
		  const struct operation_result *result, const struct copy_answer *source,
		  struct shape_result *out);
/* What a model should know of an error: what was wrong, which argument, what is allowed, what the
 * ATS said (without what the server masks), whether to try again and when. One text. */
struct str shape_error(struct arena *arena, const struct connector *connector,
		       const struct mcp_server *server, const struct error *err,
		       const struct operation_result *result);

#endif
