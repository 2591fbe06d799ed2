/* Who may call. */
#include "front/mcp/parts.h"

bool mcp_admit(const struct door *door, struct http_exchange *exchange, enum mcp_address address,
	       struct str name, struct mcp_caller *caller)
{
	(void)door;
	(void)name;
	*caller = (struct mcp_caller){.is_fixture = address == MCP_BY_FIXTURE};
	if (caller->is_fixture)
		return true;
	mcp_reply_error(exchange, 401, json_undefined(), -32600, "no token of a server was sent",
			json_undefined());
	return false;
}

void mcp_leave(const struct door *door, struct mcp_caller *caller)
{
	(void)door;
	(void)caller;
}
