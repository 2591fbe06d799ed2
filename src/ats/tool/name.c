/* What a tool is called. */
#include "ats/tool/parts.h"

struct str tool_word(struct arena *arena, struct str name)
{
	struct buffer out;

	buffer_init(&out, arena, SIZE_MAX);
	for (size_t i = 0; i < name.len; i++) {
		char c = name.data[i];
		bool is_plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
				(c >= '0' && c <= '9') || c == '_';

		if (is_plain)
			buffer_append_byte(&out, c);
		else if (c != ']')
			buffer_append_byte(&out, '_');
	}
	return buffer_str(&out);
}

static bool is(struct str method, const char *name)
{
	return str_equal_c(method, name);
}

static struct str make_name(struct arena *arena, struct str owner, struct str resource,
			    struct str method)
{
	struct str one = contract_singular(arena, resource);

	if (is(method, "list"))
		return arena_format(arena, "list_all_%.*s_%.*s", STR_ARGS(owner),
				    STR_ARGS(resource));
	if (is(method, "get"))
		return arena_format(arena, "get_single_%.*s_%.*s_by_id", STR_ARGS(owner),
				    STR_ARGS(one));
	if (is(method, "create"))
		return arena_format(arena, "create_a_%.*s_%.*s", STR_ARGS(owner), STR_ARGS(one));
	if (is(method, "update") || is(method, "delete"))
		return arena_format(arena, "%.*s_a_%.*s_%.*s_by_id", STR_ARGS(method),
				    STR_ARGS(owner), STR_ARGS(one));
	return arena_format(arena, "%.*s_%.*s_%.*s", STR_ARGS(owner), STR_ARGS(resource),
			    STR_ARGS(tool_word(arena, method)));
}

struct str tool_name_native(const struct maker *maker, const struct native_method *method)
{
	if (method->tool.len > 0)
		return method->tool;
	return make_name(maker->arena, tool_word(maker->arena, maker->connector->name),
			 method->resource, method->name);
}

struct str tool_name_unified(const struct maker *maker, struct str resource, struct str method)
{
	return make_name(maker->arena, tool_word(maker->arena, maker->model->name), resource,
			 method);
}

struct str tool_resource(const struct tool *tool)
{
	return tool->is_unified ? tool->unified->model->name : tool->native->resource;
}

/* "interview_results" is "interview results". */
struct str tool_spaced(struct arena *arena, struct str name)
{
	char *out = arena_alloc(arena, name.len + 1);

	for (size_t i = 0; i < name.len; i++)
		out[i] = name.data[i] == '_' || name.data[i] == '-' ? ' ' : name.data[i];
	return str_make(out, name.len);
}

static struct str make_title(const struct maker *maker)
{
	const struct tool *tool = maker->tool;
	struct arena *arena = maker->arena;
	struct str where = tool->is_unified ? STR("") : maker->connector->label;
	struct str all = tool_spaced(arena, tool_resource(tool));
	struct str one = tool_spaced(arena, contract_singular(arena, tool_resource(tool)));
	const char *gap = where.len > 0 ? " " : "";

	if (is(tool->method, "list"))
		return arena_format(arena, "List %.*s%s%.*s", STR_ARGS(where), gap, STR_ARGS(all));
	if (is(tool->method, "get"))
		return arena_format(arena, "Get one %.*s%s%.*s", STR_ARGS(where), gap,
				    STR_ARGS(one));
	if (is(tool->method, "create") || is(tool->method, "update") || is(tool->method, "delete"))
		return arena_format(arena, "%c%.*s a %.*s%s%.*s", tool->method.data[0] - 'a' + 'A',
				    (int)tool->method.len - 1, tool->method.data + 1,
				    STR_ARGS(where), gap, STR_ARGS(one));
	if (where.len == 0)
		return arena_format(arena, "%c%.*s: %.*s", all.data[0] - 'a' + 'A',
				    (int)all.len - 1, all.data + 1,
				    STR_ARGS(tool_spaced(arena, tool->method)));
	return arena_format(arena, "%.*s%s%.*s: %.*s", STR_ARGS(where), gap, STR_ARGS(all),
			    STR_ARGS(tool_spaced(arena, tool->method)));
}

void maker_name(struct maker *maker)
{
	struct tool *tool = maker->tool;

	tool->name = tool->is_unified
			     ? tool_name_unified(maker, tool_resource(tool), tool->method)
			     : tool_name_native(maker, tool->native);
	tool->title = make_title(maker);
}
