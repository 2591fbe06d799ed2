/* The arguments of a tool: what its method takes, by plain names, and what every tool has. */
#include "ats/tool/parts.h"

static bool has_name(const struct maker *maker, struct str name)
{
	for (size_t i = 0; i < maker->count; i++)
		if (str_equal(maker->parameters[i].name, name))
			return true;
	return false;
}

static const char *any_type(const struct maker *maker)
{
	/* A value of the model, as of a custom field, is most often a text; what an ATS leaves
	 * open has members. */
	return maker->tool->is_unified ? "string" : "object";
}

static void make_room(struct maker *maker)
{
	struct tool_parameter *old = maker->parameters;

	if (maker->count < maker->room)
		return;
	maker->room = maker->room == 0 ? 16 : 2 * maker->room;
	maker->parameters = arena_array(maker->arena, maker->room, sizeof *maker->parameters);
	if (maker->count > 0)
		memcpy(maker->parameters, old, maker->count * sizeof *old);
}

/* "Only those of this job." of an argument is "Of this job.": a filter is what it is. */
static struct json shortened(struct arena *arena, struct json schema)
{
	static const struct str prefix = STR_INIT("Only those ");
	struct str text = json_get_str(schema, "description");
	struct json_builder out;
	char *copy;

	if (!str_starts_with(text, prefix) || text.len == prefix.len)
		return schema;
	text = str_slice(text, prefix.len, text.len);
	copy = arena_alloc(arena, text.len);
	memcpy(copy, text.data, text.len);
	if (copy[0] >= 'a' && copy[0] <= 'z')
		copy[0] = (char)(copy[0] - 'a' + 'A');
	json_builder_init(&out, arena);
	for (size_t i = 0; i < schema.count; i++)
		json_builder_set(&out, json_name(&schema.members[i]), schema.members[i].value);
	json_builder_set(&out, STR("description"), json_string(str_make(copy, text.len)));
	return json_builder_object(&out);
}

struct tool_parameter *maker_add(struct maker *maker, enum tool_place place, struct str target,
				 bool is_required, struct json schema)
{
	struct str name = tool_word(maker->arena, target);

	if (has_name(maker, name))
		name = arena_format(maker->arena, "%s_%.*s", place == PLACE_BODY ? "body" : "query",
				    STR_ARGS(name));
	make_room(maker);
	maker->parameters[maker->count] = (struct tool_parameter){
		.name = name,
		.place = place,
		.target = target,
		.is_required = is_required,
		.schema = schema_plain(maker->arena, shortened(maker->arena, schema),
				       any_type(maker)),
	};
	return &maker->parameters[maker->count++];
}

static struct json make_schema(struct arena *arena, const char *type, struct str description,
			       struct json items)
{
	struct json_builder out;

	json_builder_init(&out, arena);
	json_builder_set(&out, STR("type"), json_string_c(type));
	json_builder_set(&out, STR("description"), json_string(description));
	json_builder_set(&out, STR("items"), items);
	return json_builder_object(&out);
}

void maker_add_plain(struct maker *maker, enum tool_place place, const char *target,
		     bool is_required, const char *type, const char *description)
{
	struct json_builder items;

	json_builder_init(&items, maker->arena);
	json_builder_set(&items, STR("type"), json_string(STR("string")));
	maker_add(maker, place, str_from_c(target), is_required,
		  make_schema(maker->arena, type, str_from_c(description),
			      strcmp(type, "array") == 0 ? json_builder_object(&items)
							 : json_undefined()));
}

/* --- what every tool has ---------------------------------------------------------------------- */

static void add_context(struct maker *maker)
{
	const struct connector *connector = maker->connector;

	for (size_t i = 0; i < connector->context_count; i++)
		maker_add_plain(maker, PLACE_CONTEXT,
				arena_c(maker->arena, connector->context[i].name),
				false, "string", "Leave it out.");
}

/* What a local copy can do. */
static void add_wish(struct maker *maker)
{
	maker_add_plain(maker, PLACE_AGE, "max_age", false, "integer",
			"Seconds: a copy this old will do.");
	if (!maker->tool->is_list)
		return;
	maker_add_plain(maker, PLACE_WORDS, "search", false, "string", "Words in the copy.");
	maker_add_plain(maker, PLACE_COUNT, "count", false, "boolean", "Total, of the copy.");
}

static void add_reading(struct maker *maker)
{
	const struct tool *tool = maker->tool;

	if (tool->is_list) {
		maker_add_plain(maker, PLACE_LIMIT, "limit", false, "integer",
				"1 to 1000; 25 without it.");
		maker_add_plain(maker, PLACE_CURSOR, "cursor", false, "string",
				"next_cursor of the page before.");
	}
	maker_add_plain(maker, PLACE_FIELDS, "fields", false, "string",
			"As id,name,job.id.");
	if (tool->is_list && tool->is_unified)
		maker_add_plain(maker, PLACE_SORT, "sort", false, "string",
				"As name or -created_at.");
	if (tool->is_unified)
		add_wish(maker);
}

static void add_writing(struct maker *maker)
{
	maker_add_plain(maker, PLACE_DRY_RUN, "dry_run", false, "boolean",
			"Only show what is sent.");
	maker_add_plain(maker, PLACE_KEY, "idempotency_key", false, "string",
			"With the same key it is done once.");
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

static void add_member(struct maker *maker, struct str parent, struct json schema,
		       const struct json_member *member, bool can_be_missing)
{
	struct str name = json_name(member);
	bool must = is_required(schema, name) && !can_be_missing;

	maker_add(maker, PLACE_BODY, name, must, member->value)->parent = parent;
}

/* The members of the one object that a body has, as {"candidate": {…}, "offers": […]}, are
 * arguments by themselves. */
static void add_native_body(struct maker *maker)
{
	struct json body = contract_native_body(maker->arena, maker->tool->native);
	struct json properties = json_get_c(body, "properties");
	struct json inner = json_get(properties, maker->parent);
	struct json members = json_get_c(inner, "properties");
	bool can_be_missing = !is_required(body, maker->parent);

	for (size_t i = 0; json_is(members, JSON_OBJECT) && i < members.count; i++)
		add_member(maker, maker->parent, inner, &members.members[i], can_be_missing);
	for (size_t i = 0; json_is(properties, JSON_OBJECT) && i < properties.count; i++)
		if (!str_equal(json_name(&properties.members[i]), maker->parent))
			add_member(maker, STR(""), body, &properties.members[i], false);
}

static struct str find_parent(const struct native_method *method)
{
	struct str found = STR("");

	for (size_t i = 0; i < method->body_count; i++) {
		const struct model_field *field = &method->body[i];

		if (field->type != MODEL_OBJECT || field->is_list || field->field_count == 0)
			continue;
		if (found.len > 0)
			return STR("");
		found = field->name;
	}
	return found;
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

/* The list that needs nothing and gives such ids. */
static const struct native_method *find_list(const struct maker *maker, struct str resource)
{
	const struct native_method *method =
		connector_find_method(maker->connector, resource, STR("list"));

	for (size_t i = 0; method != NULL && i < method->path.count; i++)
		if (method->path.parts[i].is_name &&
		    !connector_has_context(maker->connector, method->path.parts[i].text))
			return NULL;
	return method;
}

static const struct native_method *find_source(const struct maker *maker, struct str name,
					       struct str owner)
{
	const struct native_method *method = NULL;

	if (str_ends_with(name, STR("_id")))
		method = find_list(maker, arena_format(maker->arena, "%.*ss", (int)name.len - 3,
						       name.data));
	if (method == NULL)
		method = find_list(maker, arena_format(maker->arena, "%.*ss", STR_ARGS(owner)));
	if (method == NULL && str_equal(name, STR("id")))
		method = find_list(maker, maker->tool->native->resource);
	return method;
}

static struct str describe_id(const struct maker *maker, struct str name, struct str owner)
{
	const struct native_method *source = find_source(maker, name, owner);
	struct str what = str_ends_with(name, STR("_id")) ? str_slice(name, 0, name.len - 3) : owner;

	what = tool_spaced(maker->arena, what);
	if (source == NULL)
		return arena_format(maker->arena, "Id of the %.*s.", STR_ARGS(what));
	return arena_format(maker->arena, "Id of the %.*s, from %.*s.", STR_ARGS(what),
			    STR_ARGS(tool_name_native(maker, source)));
}

static void add_path(struct maker *maker)
{
	const struct template *path = &maker->tool->native->path;

	for (size_t i = 0; i < path->count; i++) {
		struct str name = path->parts[i].text;

		if (!path->parts[i].is_name || connector_has_context(maker->connector, name))
			continue;
		struct str text = describe_id(maker, name, owner_of(maker->arena, path, i));
		maker_add_plain(maker, PLACE_QUERY, arena_c(maker->arena, name), true, "string",
				arena_c(maker->arena, text));
	}
}

static void add_native_query(struct maker *maker)
{
	const struct native_method *method = maker->tool->native;
	struct json schema = contract_native_query(maker->arena, maker->connector, method);
	struct json properties = json_get_c(schema, "properties");

	for (size_t i = 0; i < method->query_count; i++) {
		struct str name = method->query[i].name;
		bool is_limit = str_equal(name, STR("limit"));

		if (!native_is_paging(method, name) && !(is_limit && method->is_list))
			maker_add(maker, PLACE_QUERY, name, method->query[i].is_required,
				  json_get(properties, name));
	}
}

static void add_native(struct maker *maker)
{
	maker->parent = find_parent(maker->tool->native);
	add_path(maker);
	if (maker->tool->kind & TOOL_READ)
		add_reading(maker);
	else
		add_writing(maker);
	add_native_query(maker);
	add_native_body(maker);
	add_context(maker);
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

static enum operation_filtering filtering(const struct maker *maker,
					  const struct model_filter *filter)
{
	const struct unified_resource *resource = maker->tool->unified;

	if (filter == NULL)
		return FILTERING_NOT;
	if (maker->tool->is_list)
		return operation_filtering(resource, &resource->list, filter);
	return is_asked(&resource->get, filter->name) ? FILTERING_ASKED : FILTERING_NOT;
}

/* x[operator] of the same resource; NULL: there is none. */
static const struct model_filter *find_beside(const struct maker *maker,
					      const struct model_filter *filter,
					      const char *operator)
{
	struct str name = filter->name;
	ptrdiff_t bracket = str_find_byte(name, '[');

	if (filter->operator!= MODEL_EQ && bracket > 0)
		name.len = (size_t)bracket;
	return model_find_filter(maker->tool->unified->model,
				 arena_format(maker->arena, "%.*s[%s]", STR_ARGS(name), operator));
}

/* Of "after" and "at or after" one is enough: that which the ATS is asked, or else the latter;
 * of "before" and "until" likewise. */
static bool is_spare(const struct maker *maker, const struct model_filter *filter)
{
	switch (filter->operator) {
	case MODEL_IN:
		return true;
	case MODEL_GT:
		return filtering(maker, filter) <=
		       filtering(maker, find_beside(maker, filter, "gte"));
	case MODEL_GTE:
		return filtering(maker, filter) <
		       filtering(maker, find_beside(maker, filter, "gt"));
	case MODEL_LT:
		return filtering(maker, filter) <
		       filtering(maker, find_beside(maker, filter, "lte"));
	case MODEL_LTE:
		return filtering(maker, filter) <=
		       filtering(maker, find_beside(maker, filter, "lt"));
	case MODEL_EQ:
		break;
	}
	return false;
}

static struct json with_note(struct arena *arena, struct json schema, const char *note)
{
	struct json_builder out;

	json_builder_init(&out, arena);
	for (size_t i = 0; i < schema.count; i++)
		json_builder_set(&out, json_name(&schema.members[i]), schema.members[i].value);
	json_builder_set(&out, STR("description"),
			 json_string(arena_format(arena, "%.*s%s",
						  STR_ARGS(json_get_str(schema, "description")),
						  note)));
	return json_builder_object(&out);
}

/* A filter x whose x[in] is there too is a list of one or several values. */
static void add_filter(struct maker *maker, const struct model_filter *filter)
{
	const struct unified_resource *resource = maker->tool->unified;
	const struct model_filter *in =
		filter->operator== MODEL_EQ && maker->tool->is_list
			? find_beside(maker, filter, "in")
			: NULL;
	bool is_several = filtering(maker, in) != FILTERING_NOT;
	struct model_filter shown = *filter;
	struct json schema;

	if (is_several)
		shown.operator= MODEL_IN;
	schema = contract_filter(maker->arena, &shown);
	if (filtering(maker, filter) == FILTERING_EXPANDED)
		schema = with_note(maker->arena, schema, " Slow.");
	struct tool_parameter *parameter =
		maker_add(maker, PLACE_QUERY, filter->name,
			  contract_wants(maker->tool->is_list ? &resource->list : &resource->get,
					 filter->name),
			  schema);
	if (is_several)
		parameter->several =
			arena_format(maker->arena, "%.*s[]", STR_ARGS(in->name));
}

static void add_filters(struct maker *maker)
{
	const struct model_resource *model = maker->tool->unified->model;

	for (size_t i = 0; i < model->filter_count; i++)
		if (filtering(maker, &model->filters[i]) != FILTERING_NOT &&
		    !is_spare(maker, &model->filters[i]))
			add_filter(maker, &model->filters[i]);
}

static void add_id(struct maker *maker)
{
	struct str name = maker->tool->unified->model->name;
	struct str text = STR("Its id.");

	if (maker->tool->unified->list.count > 0)
		text = arena_format(maker->arena, "Its id, from %.*s.",
				    STR_ARGS(tool_name_unified(maker, name, STR("list"))));
	maker_add_plain(maker, PLACE_ID, "id", true, "string", arena_c(maker->arena, text));
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
		if (str_equal_c(tool->method, "update"))
			maker_add_plain(maker, PLACE_CLEAR, "clear", false, "array",
					"Names of arguments whose fields are to be emptied.");
		return;
	}
	if (!tool->is_list)
		add_id(maker);
	add_reading(maker);
	add_filters(maker);
	if (tool->is_list && unified_has_partial_list(tool->unified))
		maker_add_plain(maker, PLACE_EXPAND, "expand", false, "boolean",
				"Fetch what the list leaves out. Slow.");
}

void maker_add_all(struct maker *maker)
{
	if (maker->tool->is_unified)
		add_unified(maker);
	else
		add_native(maker);
}
