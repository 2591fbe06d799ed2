/* What a tool is called, and what is said of it. */
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

static bool is(const struct tool *tool, const char *method)
{
	return str_equal_c(tool->method, method);
}

static struct str resource_of(const struct tool *tool)
{
	return tool->is_unified ? tool->unified->model->name : tool->native->resource;
}

static struct str make_name(const struct maker *maker)
{
	const struct tool *tool = maker->tool;
	struct str owner = tool->is_unified ? maker->model->name : maker->connector->name;
	struct str resource = resource_of(tool);
	struct str one = contract_singular(maker->arena, resource);

	if (is(tool, "list"))
		return arena_format(maker->arena, "list_all_%.*s_%.*s", STR_ARGS(owner),
				    STR_ARGS(resource));
	if (is(tool, "get"))
		return arena_format(maker->arena, "get_single_%.*s_%.*s_by_id", STR_ARGS(owner),
				    STR_ARGS(one));
	if (is(tool, "create"))
		return arena_format(maker->arena, "create_a_%.*s_%.*s", STR_ARGS(owner),
				    STR_ARGS(one));
	if (is(tool, "update") || is(tool, "delete"))
		return arena_format(maker->arena, "%.*s_a_%.*s_%.*s_by_id", STR_ARGS(tool->method),
				    STR_ARGS(owner), STR_ARGS(one));
	return arena_format(maker->arena, "%.*s_%.*s_%.*s", STR_ARGS(owner), STR_ARGS(resource),
			    STR_ARGS(tool_word(maker->arena, tool->method)));
}

/* "interview_results" is "interview results". */
static struct str spaced(struct arena *arena, struct str name)
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
	struct str all = spaced(arena, resource_of(tool));
	struct str one = spaced(arena, contract_singular(arena, resource_of(tool)));
	const char *gap = where.len > 0 ? " " : "";

	if (is(tool, "list"))
		return arena_format(arena, "List %.*s%s%.*s", STR_ARGS(where), gap, STR_ARGS(all));
	if (is(tool, "get"))
		return arena_format(arena, "Get one %.*s%s%.*s", STR_ARGS(where), gap,
				    STR_ARGS(one));
	if (is(tool, "create") || is(tool, "update") || is(tool, "delete"))
		return arena_format(arena, "%c%.*s a %.*s%s%.*s", tool->method.data[0] - 'a' + 'A',
				    (int)tool->method.len - 1, tool->method.data + 1,
				    STR_ARGS(where), gap, STR_ARGS(one));
	return arena_format(arena, "%.*s%s%.*s: %.*s", STR_ARGS(where), gap, STR_ARGS(all),
			    STR_ARGS(spaced(arena, tool->method)));
}

/* --- descriptions ----------------------------------------------------------------------------- */

static void append_list(struct buffer *out, size_t *count, struct str name)
{
	buffer_append_c(out, (*count)++ == 0 ? "" : ", ");
	buffer_append(out, name);
}

static void append_required(const struct maker *maker, struct buffer *out)
{
	size_t count = 0;

	buffer_append_c(out, " Requires ");
	for (size_t i = 0; i < maker->count; i++)
		if (maker->parameters[i].is_required)
			append_list(out, &count, maker->parameters[i].name);
	buffer_append_c(out, count == 0 ? "nothing." : ".");
}

static bool is_mapped(const struct unified_method *method, size_t field)
{
	for (size_t i = 0; i < method->count; i++) {
		const struct unified_alternative *alternative = &method->alternatives[i];

		for (size_t k = 0; k < alternative->call_count; k++)
			for (size_t e = 0; e < alternative->calls[k].map->count; e++)
				if (alternative->calls[k].map->entries[e].field == field)
					return true;
	}
	return false;
}

/* The fields that this ATS fills in. */
static void append_fields(const struct maker *maker, struct buffer *out)
{
	const struct unified_resource *resource = maker->tool->unified;
	const struct unified_method *method =
		resource->get.count > 0 ? &resource->get : &resource->list;
	size_t count = 0;

	buffer_append_c(out, " Returns ");
	for (size_t i = 0; i < resource->model->field_count; i++)
		if (is_mapped(method, i))
			append_list(out, &count, resource->model->fields[i].name);
	buffer_append_c(out, ".");
}

static bool is_partial(const struct unified_resource *resource)
{
	for (size_t i = 0; i < resource->list.count; i++)
		if (resource->list.alternatives[i].is_partial)
			return true;
	return false;
}

/* "A person who applied." within a sentence. */
static struct str lower_first(struct arena *arena, struct str text)
{
	struct str copy = arena_str(arena, text);

	if (copy.len > 1 && copy.data[0] >= 'A' && copy.data[0] <= 'Z' &&
	    copy.data[1] >= 'a' && copy.data[1] <= 'z')
		((char *)(uintptr_t)copy.data)[0] |= 0x20;
	return copy;
}

static struct str describe_unified(const struct maker *maker)
{
	const struct tool *tool = maker->tool;
	const struct unified_resource *resource = tool->unified;
	const struct unified_write *write = connector_find_write(resource, tool->method);
	struct str all = spaced(maker->arena, resource->model->name);
	struct buffer out;

	buffer_init(&out, maker->arena, SIZE_MAX);
	if (is(tool, "list"))
		buffer_append_format(&out, "List %.*s in the unified schema. Each is %.*s",
				     STR_ARGS(all),
				     STR_ARGS(lower_first(maker->arena, resource->model->describe)));
	else if (is(tool, "get"))
		buffer_append_format(&out, "Show one of the %.*s with all that the ATS tells of it.",
				     STR_ARGS(all));
	else
		buffer_append(&out, write->model->describe);
	append_required(maker, &out);
	if (write == NULL)
		append_fields(maker, &out);
	else
		buffer_append_format(&out, " Returns the %.*s as it then is.",
				     STR_ARGS(spaced(maker->arena,
						     contract_singular(maker->arena,
								       resource->model->name))));
	if (is(tool, "list") && is_partial(resource) && resource->get.count > 0)
		buffer_append_format(&out, " The list leaves some of these out; get_single_%.*s_%.*s"
					   "_by_id, or expand, has them all.",
				     STR_ARGS(maker->model->name),
				     STR_ARGS(contract_singular(maker->arena,
								resource->model->name)));
	return buffer_str(&out);
}

void maker_name(struct maker *maker)
{
	struct tool *tool = maker->tool;

	tool->name = make_name(maker);
	tool->title = make_title(maker);
	tool->description = tool->is_unified ? describe_unified(maker) : tool->native->describe;
}
