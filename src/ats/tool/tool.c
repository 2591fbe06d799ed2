#include "ats/tool/tool.h"

#include <stdlib.h>

#include "ats/tool/parts.h"

/* --- what a method does ----------------------------------------------------------------------- */

static bool is(struct str method, const char *name)
{
	return str_equal_c(method, name);
}

static unsigned find_kind(struct str method, bool changes_nothing)
{
	if (is(method, "list") || is(method, "get"))
		return TOOL_READ;
	if (is(method, "create") || is(method, "update") || is(method, "delete"))
		return TOOL_WRITE;
	return changes_nothing ? TOOL_CUSTOM | TOOL_READ : TOOL_CUSTOM;
}

/* What only adds takes nothing away. */
static bool takes_away(const struct unified_write *write)
{
	for (size_t i = 0; i < write->step_count; i++) {
		const struct native_method *method = write->steps[i].method;

		if (method != NULL && method->is_destructive)
			return true;
	}
	return false;
}

static bool is_repeatable(const struct unified_write *write)
{
	for (size_t i = 0; i < write->step_count; i++) {
		const struct native_method *method = write->steps[i].method;

		if (method != NULL && method->verb != HTTP_GET && !method->is_repeatable)
			return false;
	}
	return true;
}

static void judge_native(struct tool *tool)
{
	const struct native_method *method = tool->native;
	bool is_read = method->verb == HTTP_GET;

	tool->kind = find_kind(tool->method, is_read);
	tool->is_list = is_read && method->is_list;
	tool->is_destructive = method->is_destructive;
	tool->is_idempotent = is_read || method->is_repeatable;
}

static void judge_unified(struct tool *tool)
{
	const struct unified_write *write = connector_find_write(tool->unified, tool->method);

	tool->kind = find_kind(tool->method, false);
	tool->is_list = is(tool->method, "list");
	if (write == NULL) {
		tool->is_idempotent = true;
		return;
	}
	tool->is_destructive = !is(tool->method, "create") && takes_away(write);
	tool->is_idempotent = !is(tool->method, "create") && is_repeatable(write);
}

/* --- making ----------------------------------------------------------------------------------- */

static void add_tag(struct tool *tool, struct str *tags, struct str tag)
{
	for (size_t i = 0; i < tool->tag_count; i++)
		if (str_equal(tags[i], tag))
			return;
	tags[tool->tag_count++] = tag;
}

static bool is_among(const struct connector_tag *tag, struct str resource)
{
	for (size_t i = 0; i < tag->resource_count; i++)
		if (str_equal(tag->resources[i], resource))
			return true;
	return false;
}

static void make_tags(const struct maker *maker)
{
	struct tool *tool = maker->tool;
	const struct connector *connector = maker->connector;
	const struct model_resource *model = tool->is_unified ? tool->unified->model : NULL;
	size_t most = 2 + (model != NULL ? model->tag_count : connector->tag_count);
	struct str *tags = arena_array(maker->arena, most, sizeof *tags);

	add_tag(tool, tags, model != NULL ? STR("unified") : STR("proxy"));
	add_tag(tool, tags, tool_resource(tool));
	for (size_t i = 0; model != NULL && i < model->tag_count; i++)
		add_tag(tool, tags, model->tags[i]);
	for (size_t i = 0; model == NULL && i < connector->tag_count; i++)
		if (is_among(&connector->tags[i], tool_resource(tool)))
			add_tag(tool, tags, connector->tags[i].name);
	tool->tags = tags;
}

static void make(struct maker *maker)
{
	struct tool *tool = maker->tool;

	make_tags(maker);
	if (tool->is_unified)
		judge_unified(tool);
	else
		judge_native(tool);
	tool->is_replayable = !(tool->kind & TOOL_READ);
	maker_add_all(maker);
	maker_name(maker);
	maker_describe(maker);
	maker_print(maker);
	tool->parameters = maker->parameters;
	tool->parameter_count = maker->count;
}

/* A file is not JSON. */
static bool has_file(const struct model_field *fields, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (fields[i].type == MODEL_FILE ||
		    (fields[i].type == MODEL_OBJECT &&
		     has_file(fields[i].fields, fields[i].field_count)))
			return true;
	return false;
}

static bool is_tool(const struct native_method *method)
{
	return method->describe.len > 0 && !has_file(method->body, method->body_count);
}

/* The list that is made. */
struct list {
	struct arena *arena;
	const struct model *model;
	const struct connector *connector;
	struct tool *tools;
	size_t count;
};

static void add(struct list *list, struct tool tool)
{
	struct maker maker = {.arena = list->arena,
			      .model = list->model,
			      .connector = list->connector,
			      .tool = &list->tools[list->count++]};

	*maker.tool = tool;
	make(&maker);
}

static void add_unified(struct list *list, const struct unified_resource *resource)
{
	struct tool tool = {.is_unified = true, .unified = resource};

	if (resource->list.count > 0) {
		tool.method = STR("list");
		add(list, tool);
	}
	if (resource->get.count > 0) {
		tool.method = STR("get");
		add(list, tool);
	}
	for (size_t i = 0; i < resource->write_count; i++) {
		tool.method = resource->writes[i].model->name;
		add(list, tool);
	}
}

static size_t count_most(const struct connector *connector)
{
	size_t count = connector->method_count;

	for (size_t i = 0; i < connector->resource_count; i++)
		count += 2 + connector->resources[i].write_count;
	return count;
}

static int compare(const void *a, const void *b)
{
	return str_compare(((const struct tool *)a)->name, ((const struct tool *)b)->name);
}

static bool check_names(const struct list *list, struct buffer *faults)
{
	size_t before = faults->len;

	for (size_t i = 0; i < list->count; i++) {
		struct str name = list->tools[i].name;

		if (name.len > TOOL_NAME_BYTES_MAX)
			buffer_append_format(faults,
					     "%.*s: the tool's name \"%.*s\" is longer than %d bytes\n",
					     STR_ARGS(list->connector->name), STR_ARGS(name),
					     TOOL_NAME_BYTES_MAX);
		if (i > 0 && str_equal(name, list->tools[i - 1].name))
			buffer_append_format(faults, "%.*s: two tools are named \"%.*s\"\n",
					     STR_ARGS(list->connector->name), STR_ARGS(name));
	}
	return faults->len == before;
}

const struct toolset *toolset_create(struct arena *arena, const struct model *model,
				     const struct connector *connector, struct buffer *faults)
{
	struct list list = {.arena = arena, .model = model, .connector = connector};
	struct toolset *toolset = arena_zero(arena, sizeof *toolset);

	list.tools = arena_array(arena, count_most(connector) + 1, sizeof *list.tools);
	for (size_t i = 0; i < connector->resource_count; i++)
		add_unified(&list, &connector->resources[i]);
	for (size_t i = 0; i < connector->method_count; i++)
		if (is_tool(&connector->methods[i]))
			add(&list, (struct tool){.native = &connector->methods[i],
						 .method = connector->methods[i].name});
	qsort(list.tools, list.count, sizeof *list.tools, compare);
	if (!check_names(&list, faults))
		return NULL;
	*toolset = (struct toolset){connector, list.tools, list.count};
	return toolset;
}

bool toolsets_create(struct arena *arena, const struct model *model,
		     const struct connectors *connectors, struct toolsets *out,
		     struct buffer *faults)
{
	out->items = arena_array(arena, connectors->count + 1, sizeof *out->items);
	out->count = connectors->count;
	for (size_t i = 0; i < connectors->count; i++)
		out->items[i] = toolset_create(arena, model, connectors->items[i], faults);
	for (size_t i = 0; i < connectors->count; i++)
		if (out->items[i] == NULL)
			return false;
	return true;
}

/* --- finding ---------------------------------------------------------------------------------- */

const struct tool *toolset_find(const struct toolset *toolset, struct str name)
{
	size_t low = 0, high = toolset->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = str_compare(name, toolset->tools[middle].name);

		if (order == 0)
			return &toolset->tools[middle];
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return NULL;
}

const struct toolset *toolsets_find(const struct toolsets *toolsets, struct str connector)
{
	for (size_t i = 0; i < toolsets->count; i++)
		if (str_equal(toolsets->items[i]->connector->name, connector))
			return toolsets->items[i];
	return NULL;
}

static bool is_named(const struct tool *tool, struct str name)
{
	return (is(name, "read") && (tool->kind & TOOL_READ)) ||
	       (is(name, "write") && (tool->kind & TOOL_WRITE)) ||
	       (is(name, "custom") && (tool->kind & TOOL_CUSTOM)) ||
	       str_equal(name, tool->method) || str_equal(name, tool->name);
}

static bool has_tag(const struct tool *tool, struct str tag)
{
	for (size_t i = 0; i < tool->tag_count; i++)
		if (str_equal(tool->tags[i], tag))
			return true;
	return false;
}

bool tool_passes(const struct tool *tool, const struct tool_filter *filter)
{
	bool is_wanted = filter->method_count == 0;
	bool is_tagged = filter->tag_count == 0;

	for (size_t i = 0; !is_wanted && i < filter->method_count; i++)
		is_wanted = is_named(tool, filter->methods[i]);
	for (size_t i = 0; !is_tagged && i < filter->tag_count; i++)
		is_tagged = has_tag(tool, filter->tags[i]);
	return is_wanted && is_tagged;
}
