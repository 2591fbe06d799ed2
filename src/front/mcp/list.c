/* tools/list: one page, the same bytes each time. */
#include "front/mcp/parts.h"

static bool check_cursor(struct mcp_request *request)
{
	if (json_is(json_get_c(request->params, "cursor"), JSON_UNDEFINED))
		return true;
	return mcp_fail(request, request->is_modern ? 400 : 200, MCP_INVALID_PARAMS,
			"the list has one page: cursor is not one that was given",
			json_undefined());
}

static void print_fixtures(struct mcp_request *request, struct buffer *text)
{
	json_print(text,
		   request->door->mcp->options.fixtures->list(request->exchange->arena));
}

void mcp_list_tools(struct mcp_request *request)
{
	struct buffer text;

	if (!check_cursor(request))
		return;
	buffer_init(&text, request->exchange->arena, SIZE_MAX);
	if (request->is_modern)
		buffer_append_c(&text, "\"ttlMs\":300000,\"cacheScope\":\"private\",");
	buffer_append_c(&text, "\"tools\":");
	print_fixtures(request, &text);
	mcp_reply_members(request, buffer_str(&text));
}
