/* The arguments of a tool: what its method takes, by plain names, and what every tool has. */
#include "ats/tool/parts.h"

static bool has_name(const struct maker *maker, struct str name)
{
	for (size_t i = 0; i < maker->count; i++)
		if (str_equal(maker->parameters[i].name, name))
			return true;
	return false;
}

void maker_add(struct maker *maker, enum tool_place place, struct str target, bool is_required,
	       struct json schema)
{
	struct str name = tool_word(maker->arena, target);

	if (has_name(maker, name))
		name = arena_format(maker->arena, "%s_%.*s", place == PLACE_BODY ? "body" : "query",
				    STR_ARGS(name));
	if (maker->count == maker->room) {
		struct tool_parameter *old = maker->parameters;

		maker->room = maker->room == 0 ? 16 : 2 * maker->room;
		maker->parameters =
			arena_array(maker->arena, maker->room, sizeof *maker->parameters);
		if (maker->count > 0)
			memcpy(maker->parameters, old, maker->count * sizeof *old);
	}
	maker->parameters[maker->count++] = (struct tool_parameter){
		.name = name,
		.place = place,
		.target = target,
		.is_required = is_required,
		.schema = schema_plain(maker->arena, schema),
	};
}

void maker_add_plain(struct maker *maker, enum tool_place place, const char *target,
		     bool is_required, const char *type, const char *description)
{
	struct json_builder out, items;

	json_builder_init(&out, maker->arena);
	json_builder_set(&out, STR("type"), json_string_c(type));
	json_builder_set(&out, STR("description"), json_string_c(description));
	if (strcmp(type, "array") == 0) {
		json_builder_init(&items, maker->arena);
		json_builder_set(&items, STR("type"), json_string(STR("string")));
		json_builder_set(&out, STR("items"), json_builder_object(&items));
	}
	maker_add(maker, place, str_from_c(target), is_required, json_builder_object(&out));
}

/* --- what every tool has ---------------------------------------------------------------------- */

static void add_context(struct maker *maker)
{
	const struct connector *connector = maker->connector;

	for (size_t i = 0; i < connector->context_count; i++)
		maker_add_plain(maker, PLACE_CONTEXT, arena_c(maker->arena, connector->context[i].name),
				false, "string", "The account's own; leave it out.");
}

static void add_reading(struct maker *maker)
{
	const struct tool *tool = maker->tool;

	if (tool->is_list) {
		maker_add_plain(maker, PLACE_LIMIT, "limit", false, "integer",
				"At most so many, 1 to 1000; 25 without it.");
		maker_add_plain(maker, PLACE_CURSOR, "cursor", false, "string",
				"next_cursor of the page before; the other arguments stay.");
	}
	maker_add_plain(maker, PLACE_FIELDS, "fields", false, "array",
			"Only these fields; dotted for parts of one.");
	if (tool->is_list && tool->is_unified)
		maker_add_plain(maker, PLACE_SORT, "sort", false, "string",
				"A field; - before it for descending.");
}

static void add_writing(struct maker *maker)
{
	maker_add_plain(maker, PLACE_DRY_RUN, "dry_run", false, "boolean",
			"Only tell what would be sent.");
	maker_add_plain(maker, PLACE_KEY, "idempotency_key", false, "string",
			"Sent again with the same key it is done once.");
}

/* --- of the ATS's own API --------------------------------------------------------------------- */

static bool is_required(struct json schema, struct str name)
{
	struct json required = json_get_c(schema, "required");

	for (size_t i = 0; i < required.count; i++)
		if (str_equal(json_str(json_at(required, i)), name))
			return true;
	return false;
}

static void add_properties(struct maker *maker, enum tool_place place, struct json schema)
{
	struct json properties = json_get_c(schema, "properties");

	for (size_t i = 0; json_is(properties, JSON_OBJECT) && i < properties.count; i++) {
		struct str name = json_name(&properties.members[i]);

		maker_add(maker, place, name, is_required(schema, name),
			  properties.members[i].value);
	}
}

static bool is_context(const struct connector *connector, struct str name)
{
	for (size_t i = 0; i < connector->context_count; i++)
		if (str_equal(connector->context[i].name, name))
			return true;
	return false;
}

/* "/candidates/" before {id}: "candidate". */
static struct str owner_of(struct arena *arena, const struct template *path, size_t part)
{
	struct str before = part == 0 ? STR("") : path->parts[part - 1].text;

	while (str_ends_with(before, STR("/")))
		before.len--;
	for (size_t i = before.len; i > 0; i--)
		if (before.data[i - 1] == '/') {
			before = str_slice(before, i, before.len);
			break;
		}
	return contract_singular(arena, before);
}

static void add_path(struct maker *maker)
{
	const struct template *path = &maker->tool->native->path;

	for (size_t i = 0; i < path->count; i++) {
		struct str name = path->parts[i].text;
		struct str text = arena_format(maker->arena, "Id of the %.*s.",
					       STR_ARGS(owner_of(maker->arena, path, i)));

		if (path->parts[i].is_name && !is_context(maker->connector, name))
			maker_add_plain(maker, PLACE_QUERY, arena_c(maker->arena, name), true,
					"string", arena_c(maker->arena, text));
	}
}

/* Where a list is to go on is for its cursor to say. */
static bool is_paging(const struct native_method *method, struct str name)
{
	return method->is_list && method->page.style != PAGE_NONE &&
	       (str_equal(name, method->page.limit_name) ||
		str_equal(name, method->page.position_name));
}

static void add_native_query(struct maker *maker)
{
	const struct native_method *method = maker->tool->native;
	struct json schema = contract_native_query(maker->arena, maker->connector, method);
	struct json properties = json_get_c(schema, "properties");

	for (size_t i = 0; i < method->query_count; i++) {
		struct str name = method->query[i].name;
		bool is_limit = str_equal(name, STR("limit"));

		if (!is_paging(method, name) && !(is_limit && method->is_list))
			maker_add(maker, PLACE_QUERY, name, method->query[i].is_required,
				  json_get(properties, name));
	}
}

static void add_native(struct maker *maker)
{
	const struct native_method *method = maker->tool->native;

	add_path(maker);
	if (maker->tool->kind & TOOL_READ)
		add_reading(maker);
	else
		add_writing(maker);
	add_native_query(maker);
	add_properties(maker, PLACE_BODY, contract_native_body(maker->arena, method));
}

/* --- of the unified API ----------------------------------------------------------------------- */

static bool is_asked(const struct unified_method *method, struct str filter)
{
	for (size_t i = 0; i < method->count; i++)
		for (size_t k = 0; k < method->alternatives[i].when_count; k++)
			if (str_equal(method->alternatives[i].when[k], filter))
				return true;
	return false;
}

static void add_filters(struct maker *maker, const struct unified_method *method, bool is_list)
{
	const struct unified_resource *resource = maker->tool->unified;
	const struct model_resource *model = resource->model;

	for (size_t i = 0; i < model->filter_count; i++) {
		const struct model_filter *filter = &model->filters[i];
		bool is_taken = is_list ? operation_filtering(resource, method, filter) !=
						  FILTERING_NOT
					: is_asked(method, filter->name);

		if (is_taken)
			maker_add(maker, PLACE_QUERY, filter->name,
				  contract_wants(method, filter->name),
				  contract_filter(maker->arena, filter));
	}
}

static bool is_partial(const struct unified_resource *resource)
{
	for (size_t i = 0; i < resource->list.count; i++)
		if (resource->list.alternatives[i].is_partial)
			return true;
	return false;
}

static void add_id(struct maker *maker)
{
	struct str one = contract_singular(maker->arena, maker->tool->unified->model->name);

	maker_add_plain(maker, PLACE_ID, "id", true, "string",
			arena_c(maker->arena, arena_format(maker->arena, "Id of the %.*s, as lists "
							   "give it.", STR_ARGS(one))));
}

/* What the body may have besides is the door's, or is there already. */
static void add_body(struct maker *maker, const struct unified_write *write)
{
	struct json schema = contract_body(maker->arena, write->model, write);
	struct json properties = json_get_c(schema, "properties");

	for (size_t i = 0; i < properties.count; i++) {
		struct str name = json_name(&properties.members[i]);

		if (!str_equal(name, STR("id")) && !str_equal(name, STR("remote_data")))
			maker_add(maker, PLACE_BODY, name, is_required(schema, name),
				  properties.members[i].value);
	}
}

static void add_unified(struct maker *maker)
{
	const struct tool *tool = maker->tool;
	const struct unified_write *write = connector_find_write(tool->unified, tool->method);

	if (write != NULL) {
		if (write->model->has_id)
			add_id(maker);
		add_writing(maker);
		add_body(maker, write);
		return;
	}
	if (!tool->is_list)
		add_id(maker);
	add_reading(maker);
	add_filters(maker, tool->is_list ? &tool->unified->list : &tool->unified->get,
		    tool->is_list);
	if (tool->is_list && is_partial(tool->unified))
		maker_add_plain(maker, PLACE_EXPAND, "expand", false, "boolean",
				"Fetch what the list leaves out, one by one (slow).");
}

void maker_add_all(struct maker *maker)
{
	if (maker->tool->is_unified)
		add_unified(maker);
	else
		add_native(maker);
	add_context(maker);
}
