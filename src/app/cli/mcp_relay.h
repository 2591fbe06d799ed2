/* Messages of the Model Context Protocol, one a line on standard input and output, carried to a
 * server's HTTP door and back. Several are under way at once; answers go out as they come. */
#ifndef APP_CLI_MCP_RELAY_H
#define APP_CLI_MCP_RELAY_H

#include "base/error.h"
#include "base/str.h"

enum { MCP_LINE_BYTES_MAX = 4 * 1024 * 1024 };

struct mcp_relay_options {
	const char *unix_socket; /* NULL: over the network */
	struct str url;		 /* of the endpoint */
	struct str token;	 /* sent as bearer token; empty: none */
};
/* Until standard input ends and what is under way has been answered. False when the relay cannot
 * be set up, or nobody reads standard output any more. */
bool mcp_relay_run(const struct mcp_relay_options *options, struct error *err) MUST_CHECK;

#endif
