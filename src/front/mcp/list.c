/* tools/list: one page, the same bytes each time. */
#include "front/mcp/parts.h"

/* In the modern era a client may keep the list for five minutes; what it has hangs on the token. */
#define HINTS "\"ttlMs\":300000,\"cacheScope\":\"private\","

static bool has_all(const struct mcp_caller *caller)
{
	const unsigned all = TOOL_READ | TOOL_WRITE | TOOL_CUSTOM;

	return caller->held->tool_count == caller->held->toolset->count &&
	       (caller->kinds & all) == all;
}

bool mcp_may_call(const struct mcp_caller *caller, const struct tool *tool)
{
	return tool->kind & TOOL_READ ? (caller->kinds & TOOL_READ) != 0
				      : (tool->kind & ~caller->kinds) == 0;
}

/* `caller` NULL: all tools. */
static void print_tools(struct buffer *text, const struct toolset *toolset,
			const struct mcp_caller *caller, bool is_structured)
{
	const char *before = "";

	buffer_append_c(text, "\"tools\":[");
	for (size_t i = 0; i < toolset->count; i++) {
		const struct tool *tool = &toolset->tools[i];

		if (caller != NULL && (!mcp_has(caller->held, tool) || !mcp_may_call(caller, tool)))
			continue;
		buffer_append_c(text, before);
		buffer_append(text, is_structured ? tool->text_structured : tool->text);
		before = ",";
	}
	buffer_append_byte(text, ']');
}

static struct str print_all(struct arena *arena, const struct toolset *toolset, bool is_structured)
{
	struct buffer text;

	buffer_init(&text, arena, SIZE_MAX);
	buffer_append_c(&text, HINTS);
	print_tools(&text, toolset, NULL, is_structured);
	return buffer_str(&text);
}

void mcp_lists_init(struct mcp_door *mcp)
{
	const struct toolsets *toolsets = mcp->options.toolsets;

	mcp->lists = arena_array(&mcp->arena, toolsets->count + 1, sizeof *mcp->lists);
	for (size_t i = 0; i < toolsets->count; i++)
		mcp->lists[i] = (struct mcp_lists){
			.plain = print_all(&mcp->arena, toolsets->items[i], false),
			.structured = print_all(&mcp->arena, toolsets->items[i], true),
		};
}

static struct str find_list(const struct mcp_request *request)
{
	const struct mcp_door *mcp = request->door->mcp;
	const struct mcp_held *held = request->caller.held;

	for (size_t i = 0; i < mcp->options.toolsets->count; i++)
		if (mcp->options.toolsets->items[i] == held->toolset)
			return held->server.is_structured ? mcp->lists[i].structured
							  : mcp->lists[i].plain;
	return STR("");
}

static bool check_cursor(struct mcp_request *request)
{
	if (json_is(json_get_c(request->params, "cursor"), JSON_UNDEFINED))
		return true;
	return mcp_fail(request, request->is_modern ? 400 : 200, MCP_INVALID_PARAMS,
			"the list has one page: cursor is not one that was given",
			json_undefined());
}

static void print_list(struct mcp_request *request, struct buffer *text)
{
	const struct mcp_caller *caller = &request->caller;

	if (caller->is_fixture) {
		buffer_append_c(text, "\"tools\":");
		json_print(text, request->door->mcp->options.fixtures->list(
					 request->exchange->arena));
	} else if (caller->held->server.mode == MCP_MODE_SEARCH) {
		mcp_list_search(request, text);
	} else {
		print_tools(text, caller->held->toolset, caller,
			    caller->held->server.is_structured);
	}
}

void mcp_list_tools(struct mcp_request *request)
{
	const struct mcp_caller *caller = &request->caller;
	struct buffer text;
	struct str list;

	if (!check_cursor(request))
		return;
	if (!caller->is_fixture && caller->held->server.mode == MCP_MODE_ALL && has_all(caller)) {
		list = find_list(request);
		mcp_reply_members(request, request->is_modern
						   ? list
						   : str_slice(list, sizeof HINTS - 1, list.len));
		return;
	}
	buffer_init(&text, request->exchange->arena, SIZE_MAX);
	if (request->is_modern)
		buffer_append_c(&text, HINTS);
	print_list(request, &text);
	mcp_reply_members(request, buffer_str(&text));
}
