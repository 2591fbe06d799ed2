/* Servers of two tools, for clients that drown in lists: one finds tools, the other calls them. */
#include "front/mcp/parts.h"

enum { FOUND_DEFAULT = 5, FOUND_MAX = 20 };

static const char search_tool[] =
	"{\"name\":\"search_tools\",\"title\":\"Search tools\",\"description\":\"Finds tools of "
	"this account at its applicant tracking system by words (candidates, interviews, notes, "
	"jobs, create, delete ...). Returns names, descriptions and schemas of arguments, best "
	"first. Call one with call_tool.\",\"inputSchema\":{\"type\":\"object\",\"properties\":{"
	"\"query\":{\"type\":\"string\",\"description\":\"Words to look for; empty: all, by "
	"name\"},\"limit\":{\"type\":\"integer\",\"minimum\":1,\"maximum\":20,\"description\":"
	"\"How many tools, 5 where it is not said\"}},\"required\":[\"query\"],"
	"\"additionalProperties\":false},\"annotations\":{\"readOnlyHint\":true,"
	"\"destructiveHint\":false,\"idempotentHint\":true,\"openWorldHint\":false}}";

static const char call_tool[] =
	"{\"name\":\"call_tool\",\"title\":\"Call a tool\",\"description\":\"Calls a tool that "
	"search_tools found. Requires its name, and its arguments as its schema has them. Returns "
	"what the tool returns.\",\"inputSchema\":{\"type\":\"object\",\"properties\":{\"name\":{"
	"\"type\":\"string\",\"description\":\"Name of the tool, as search_tools gave it\"},"
	"\"arguments\":{\"type\":\"object\",\"description\":\"Its arguments\"}},\"required\":["
	"\"name\"],\"additionalProperties\":false},\"annotations\":{\"readOnlyHint\":%s,"
	"\"destructiveHint\":%s,\"idempotentHint\":%s,\"openWorldHint\":true}}";

static const char *spell(bool value)
{
	return value ? "true" : "false";
}

void mcp_list_search(const struct mcp_request *request, struct buffer *text)
{
	const struct mcp_held *held = request->caller.held;
	bool is_read = true, is_destructive = false, is_idempotent = true;

	/* What can be called through it is what it says of itself. */
	for (size_t i = 0; i < held->toolset->count; i++) {
		const struct tool *tool = &held->toolset->tools[i];

		if (!mcp_has(held, tool) || !mcp_may_call(&request->caller, tool))
			continue;
		is_read = is_read && (tool->kind & TOOL_READ);
		is_destructive = is_destructive || tool->is_destructive;
		is_idempotent = is_idempotent && tool->is_idempotent;
	}
	buffer_append_c(text, "\"tools\":[");
	buffer_append_format(text, call_tool, spell(is_read), spell(is_destructive),
			     spell(is_idempotent));
	buffer_append_byte(text, ',');
	buffer_append_c(text, search_tool);
	buffer_append_byte(text, ']');
}

static struct json show(struct arena *arena, const struct tool *tool)
{
	struct json_builder shown;

	json_builder_init(&shown, arena);
	json_builder_set(&shown, STR("name"), json_string(tool->name));
	json_builder_set(&shown, STR("description"), json_string(tool->description));
	json_builder_set(&shown, STR("inputSchema"), tool->schema);
	return json_builder_object(&shown);
}

/* Those that the caller may call, too. */
static struct str find_tools(struct mcp_request *request, struct str words, size_t limit)
{
	const struct mcp_held *held = request->caller.held;
	struct arena *arena = request->exchange->arena;
	const struct tool **found = arena_array(arena, held->toolset->count + 1, sizeof *found);
	size_t count =
		toolset_search(held->toolset, held->passes, words, found, held->toolset->count);
	struct json_builder tools, result;

	json_builder_init(&tools, arena);
	for (size_t i = 0; i < count && tools.count < limit; i++)
		if (mcp_may_call(&request->caller, found[i]))
			json_builder_add(&tools, show(arena, found[i]));
	json_builder_init(&result, arena);
	json_builder_set(&result, STR("tools"), json_builder_array(&tools));
	if (tools.count == 0)
		json_builder_set(&result, STR("note"),
				 json_string_c("No tool fits. Try fewer or other words; an empty "
					       "query lists the first by name."));
	return json_text(arena, json_builder_object(&result));
}

static void search(struct mcp_request *request, struct json arguments)
{
	struct json query = json_get_c(arguments, "query"), limit = json_get_c(arguments, "limit");
	int64_t count = FOUND_DEFAULT;
	bool is_good = json_is(limit, JSON_UNDEFINED) ||
		       (json_is_number(limit) && json_to_int64(limit, &count));

	if (!json_is(query, JSON_STRING))
		mcp_reply_text(request, STR("query must be a text: words to look for"), true);
	else if (!is_good || count < 1 || count > FOUND_MAX)
		mcp_reply_text(request, STR("limit must be a whole number from 1 to 20"), true);
	else
		mcp_reply_text(request, find_tools(request, json_str(query), (size_t)count), false);
}

static void call(struct mcp_request *request, struct json arguments)
{
	const struct mcp_held *held = request->caller.held;
	struct str name = json_get_str(arguments, "name");
	struct json inner = json_get_c(arguments, "arguments");
	const struct tool *tool = toolset_find(held->toolset, name);

	if (tool == NULL || !mcp_has(held, tool))
		mcp_reply_text(request,
			       STR("name is not the name of a tool; find one with search_tools"),
			       true);
	else if (!json_is(inner, JSON_UNDEFINED) && !json_is(inner, JSON_OBJECT))
		mcp_reply_text(request, STR("arguments must be an object"), true);
	else
		mcp_run_tool(request, tool, inner);
}

void mcp_call_search(struct mcp_request *request, struct str name, struct json arguments)
{
	if (str_equal(name, STR("search_tools")))
		search(request, arguments);
	else if (str_equal(name, STR("call_tool")))
		call(request, arguments);
	else
		mcp_fail(request, 200, MCP_INVALID_PARAMS,
			 "there is no such tool: this server has search_tools and call_tool",
			 json_undefined());
}
