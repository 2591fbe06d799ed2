/* The arguments of a call become an operation. */
#include <stdio.h>

#include "ats/tool/parts.h"

/* A call that is read. */
struct reading {
	const struct tool *tool;
	const struct connector *connector;
	struct arena *arena;
	struct tool_call *call;
	struct operation_filter *filters;
	size_t filter_room;
	struct json_builder body;  /* of a native method: what is not in `inner` */
	struct json_builder inner; /* members of the body's one object */
};

static const struct tool_parameter *find(const struct tool *tool, struct str name)
{
	for (size_t i = 0; i < tool->parameter_count; i++)
		if (str_equal(tool->parameters[i].name, name))
			return &tool->parameters[i];
	return NULL;
}

static bool refuse(const struct reading *reading, struct str name, const char *allowed,
		   const char *why, struct error *err)
{
	return error_set_field(err, ERROR_INVALID, arena_c(reading->arena, str_slice(name, 0, 64)),
			       allowed, "the argument %.*s %s", STR_ARGS(str_slice(name, 0, 64)),
			       why);
}

static bool refuse_unknown(const struct reading *reading, struct str name, struct error *err)
{
	struct buffer names;

	buffer_init(&names, reading->arena, SIZE_MAX);
	for (size_t i = 0; i < reading->tool->parameter_count; i++)
		buffer_append_format(&names, "%s%.*s", i > 0 ? ", " : "",
				     STR_ARGS(reading->tool->parameters[i].name));
	return refuse(reading, name, arena_c(reading->arena, buffer_str(&names)),
		      "is not one of this tool", err);
}

/* --- values ----------------------------------------------------------------------------------- */

/* A text, or a number or a boolean as it is written; a list is its items parted by commas. */
static bool read_text(const struct reading *reading, struct json value, struct str *text)
{
	struct buffer list;
	struct str item;

	if (json_is(value, JSON_STRING)) {
		*text = json_str(value);
		return true;
	}
	if (json_is_number(value) || json_is(value, JSON_BOOL)) {
		*text = json_text(reading->arena, value);
		return true;
	}
	if (!json_is(value, JSON_ARRAY))
		return false;
	buffer_init(&list, reading->arena, SIZE_MAX);
	for (size_t i = 0; i < value.count; i++) {
		if (json_is(json_at(value, i), JSON_ARRAY) ||
		    !read_text(reading, json_at(value, i), &item))
			return false;
		buffer_append_c(&list, i > 0 ? "," : "");
		buffer_append(&list, item);
	}
	*text = buffer_str(&list);
	return true;
}

static const char *type_of(const struct tool_parameter *parameter)
{
	struct str type = json_get_str(parameter->schema, "type");

	if (str_equal(type, STR("array")))
		return "a list";
	if (str_equal(type, STR("integer")))
		return "a whole number";
	if (str_equal(type, STR("boolean")))
		return "true or false";
	return str_equal(type, STR("number")) ? "a number" : "a text";
}

static bool fits(const struct tool_parameter *parameter, struct json value, struct str text)
{
	struct str type = json_get_str(parameter->schema, "type");
	int64_t number;

	if (str_equal(type, STR("integer")))
		return str_to_int64(text, &number);
	if (str_equal(type, STR("boolean")))
		return str_equal(text, STR("true")) || str_equal(text, STR("false"));
	if (str_equal(type, STR("array")))
		return true;
	return !json_is(value, JSON_ARRAY) || parameter->place == PLACE_FIELDS;
}

static bool read_value(const struct reading *reading, const struct tool_parameter *parameter,
		       struct json value, struct str *text, struct error *err)
{
	return (read_text(reading, value, text) && fits(parameter, value, *text)) ||
	       refuse(reading, parameter->name, type_of(parameter), "cannot be that", err);
}

/* --- where they go ---------------------------------------------------------------------------- */

static void add_filter(struct reading *reading, struct str name, struct str value)
{
	struct operation *operation = &reading->call->operation;

	if (operation->filter_count == reading->filter_room) {
		struct operation_filter *old = reading->filters;

		reading->filter_room = 2 * reading->filter_room + 8;
		reading->filters =
			arena_array(reading->arena, reading->filter_room, sizeof *reading->filters);
		if (old != NULL)
			memcpy(reading->filters, old, operation->filter_count * sizeof *old);
		operation->filters = reading->filters;
	}
	reading->filters[operation->filter_count++] = (struct operation_filter){name, value};
}

/* A list; also one that was written as a text, "[1, 2]"; else a value is a list of itself. */
static struct json list_of(struct arena *arena, struct json value)
{
	struct json *items;
	struct json parsed;
	struct error ignored;

	if (json_is(value, JSON_STRING) && str_starts_with(json_str(value), STR("[")) &&
	    json_parse(arena, json_str(value), &json_limits_default, &parsed, &ignored))
		value = parsed;
	if (json_is(value, JSON_ARRAY))
		return value;
	items = arena_array(arena, 1, sizeof *items);
	items[0] = value;
	return json_array(items, 1);
}

static bool check_context(const struct reading *reading, struct str name, struct str text,
			  struct error *err)
{
	struct json ours = json_get(reading->call->operation.account->context, name);

	if (json_is(ours, JSON_STRING) ? str_equal(json_str(ours), text)
				       : str_equal(json_text(reading->arena, ours), text))
		return true;
	return error_set_field(err, ERROR_FORBIDDEN, arena_c(reading->arena, name),
			       "nothing, it is taken from the account",
			       "the argument %.*s is another's, not this account's",
			       STR_ARGS(name));
}

static bool read_limit(const struct reading *reading, struct str text, struct error *err)
{
	struct operation *operation = &reading->call->operation;

	if (str_to_int64(text, &operation->limit) && operation->limit >= 1 &&
	    operation->limit <= OPERATION_LIMIT_MAX)
		return true;
	return refuse(reading, STR("limit"), "a whole number from 1 to 1000", "cannot be that",
		      err);
}

static bool read_sort(const struct reading *reading, struct str text, struct error *err)
{
	struct operation *operation = &reading->call->operation;

	while (text.len > 0) {
		struct str path = str_trim(str_cut(&text, ','));
		bool is_descending = str_starts_with(path, STR("-"));

		path = str_slice(path, is_descending, path.len);
		if (path.len == 0 || operation->sort_count == OPERATION_SORTS_MAX)
			return refuse(reading, STR("sort"), "at most 4 fields, as -created_at",
				      "cannot be that", err);
		operation->sorts[operation->sort_count++] =
			(struct operation_sort){path, is_descending};
	}
	return true;
}

static void take_fields(struct reading *reading, struct str text)
{
	if (reading->tool->is_unified)
		reading->call->operation.fields = text;
	else
		reading->call->fields = text;
}

static bool take_text(struct reading *reading, const struct tool_parameter *parameter,
		      struct json value, struct error *err)
{
	struct operation *operation = &reading->call->operation;
	struct str text;

	if (!read_value(reading, parameter, value, &text, err))
		return false;
	switch (parameter->place) {
	case PLACE_CONTEXT:
		return check_context(reading, parameter->target, text, err);
	case PLACE_ID:
		operation->id = text;
		return text.len > 0 || refuse(reading, parameter->name, "an id", "is empty", err);
	case PLACE_QUERY:
		add_filter(reading, parameter->target, text);
		return true;
	case PLACE_LIMIT:
		return read_limit(reading, text, err);
	case PLACE_CURSOR:
		operation->cursor = text;
		return true;
	case PLACE_FIELDS:
		take_fields(reading, text);
		return true;
	case PLACE_SORT:
		return read_sort(reading, text, err);
	case PLACE_EXPAND:
		operation->expand = str_equal(text, STR("true"));
		return true;
	case PLACE_AGE:
		return copy_wish_read_age(&reading->call->wish, text, err);
	case PLACE_WORDS:
		reading->call->wish.search = text;
		return text.len > 0 || refuse(reading, parameter->name, "words", "is empty", err);
	case PLACE_COUNT:
		reading->call->wish.wants_total = str_equal(text, STR("true"));
		return true;
	case PLACE_DRY_RUN:
		operation->dry_run = str_equal(text, STR("true"));
		return true;
	case PLACE_KEY:
		reading->call->idempotency_key = text;
		return true;
	case PLACE_BODY:
	case PLACE_CLEAR:
		break;
	}
	return true;
}

/* The values of a list, each by itself; or one, as if it were no list. */
static bool take_several(struct reading *reading, const struct tool_parameter *parameter,
			 struct json value, struct error *err)
{
	struct json list = list_of(reading->arena, value);

	for (size_t i = 0; i < list.count; i++) {
		struct json item = json_at(list, i);
		struct str text;

		if (json_is(item, JSON_ARRAY) || !read_text(reading, item, &text))
			return refuse(reading, parameter->name, "a list of texts",
				      "cannot be that", err);
		add_filter(reading, list.count == 1 ? parameter->target : parameter->several, text);
	}
	return true;
}

/* Names of arguments whose members of the body are to be null. */
static bool take_clear(struct reading *reading, struct json value, struct error *err)
{
	struct json list = list_of(reading->arena, value);

	for (size_t i = 0; i < list.count; i++) {
		const struct tool_parameter *other =
			find(reading->tool, json_str(json_at(list, i)));

		if (other == NULL || other->place != PLACE_BODY)
			return refuse(reading, STR("clear"), "names of what the tool can change",
				      "names something else", err);
		json_builder_set(&reading->body, other->target, json_null());
	}
	return true;
}

/* A unified tool does not speak of an ATS's own words, but an agent that has just called others of
 * its tools may: what is so anyway does no harm. */
static bool take_unknown(const struct reading *reading, const struct json_member *member,
			 struct error *err)
{
	struct str name = json_name(member), text;

	if (!connector_has_context(reading->connector, name) ||
	    !read_text(reading, member->value, &text))
		return refuse_unknown(reading, name, err);
	return check_context(reading, name, text, err);
}

static bool take(struct reading *reading, const struct json_member *member, struct error *err)
{
	struct str name = json_name(member);
	const struct tool_parameter *parameter = find(reading->tool, name);

	if (parameter == NULL)
		return take_unknown(reading, member, err);
	/* Models that fill in everything write null for nothing. */
	if (json_is(member->value, JSON_NULL))
		return true;
	if (parameter->place == PLACE_BODY) {
		json_builder_set(parameter->parent.len > 0 ? &reading->inner : &reading->body,
				 parameter->target, member->value);
		return true;
	}
	if (parameter->place == PLACE_CLEAR)
		return take_clear(reading, member->value, err);
	if (parameter->several.len > 0)
		return take_several(reading, parameter, member->value, err);
	return take_text(reading, parameter, member->value, err);
}

static bool check_required(const struct reading *reading, struct json arguments, struct error *err)
{
	for (size_t i = 0; i < reading->tool->parameter_count; i++) {
		const struct tool_parameter *parameter = &reading->tool->parameters[i];
		struct json value = json_get(arguments, parameter->name);
		bool is_there = !json_is(value, JSON_UNDEFINED) && !json_is(value, JSON_NULL);

		if (parameter->is_required && !is_there)
			return refuse(reading, parameter->name, type_of(parameter), "is missing",
				      err);
	}
	return true;
}

/* --- the operation ---------------------------------------------------------------------------- */

void tool_begin(const struct tool *tool, const struct account *account, struct tool_call *call)
{
	*call = (struct tool_call){.operation = {.account = account, .limit = TOOL_LIMIT_DEFAULT}};
	struct operation *operation = &call->operation;

	operation->body = json_undefined();
	if (!tool->is_unified) {
		operation->method = OPERATION_PROXY;
		operation->resource = tool->native->resource;
		call->native = (struct operation_native){.verb = tool->native->verb,
							 .name = tool->native->name};
		operation->native = &call->native;
		return;
	}
	operation->resource = tool->unified->model->name;
	operation->method = tool->is_list		 ? OPERATION_LIST
			    : tool->kind & TOOL_READ ? OPERATION_GET
						     : OPERATION_WRITE;
	if (operation->method == OPERATION_WRITE)
		operation->write = tool->method;
}

/* --- the body of a native method -------------------------------------------------------------- */

/* "emails[0]" of the body is the argument emails, whatever it had to be called here. */
static void rename_field(const struct reading *reading, struct str parent, struct error *err)
{
	struct str path = arena_str(reading->arena, str_from_c(err->field)), rest = path;
	struct str first;
	size_t end = 0;

	while (end < path.len && path.data[end] != '.' && path.data[end] != '[')
		end++;
	first = str_slice(path, 0, end);
	rest = str_slice(path, end, path.len);
	for (size_t i = 0; i < reading->tool->parameter_count; i++) {
		const struct tool_parameter *parameter = &reading->tool->parameters[i];

		if (parameter->place == PLACE_BODY && str_equal(parameter->target, first) &&
		    str_equal(parameter->parent, parent))
			snprintf(err->field, sizeof err->field, "%.*s%.*s",
				 STR_ARGS(parameter->name), STR_ARGS(rest));
	}
}

/* What is missing within a list's items; the arguments themselves were looked at before. */
static bool refuse_missing(const struct reading *reading, const struct json_builder *missing,
			   struct str parent, struct error *err)
{
	struct json paths = json_builder_array((struct json_builder *)(uintptr_t)missing);

	for (size_t i = 0; i < paths.count; i++) {
		struct str path = json_str(json_at(paths, i));

		if (str_find_byte(path, '.') < 0 && str_find_byte(path, '[') < 0)
			continue;
		error_set_field(err, ERROR_INVALID, arena_c(reading->arena, path), NULL,
				"the arguments want \"%.*s\"", STR_ARGS(path));
		rename_field(reading, parent, err);
		return false;
	}
	return true;
}

static bool check_body(const struct reading *reading, const struct model_field *fields,
		       size_t count, struct str parent, struct json *body, struct error *err)
{
	struct json_builder missing;

	json_builder_init(&missing, reading->arena);
	if (model_check(reading->arena, fields, count, "the arguments", *body, &missing, body, err))
		return refuse_missing(reading, &missing, parent, err);
	rename_field(reading, parent, err);
	return false;
}

static const struct tool_parameter *first_inner(const struct tool *tool)
{
	for (size_t i = 0; i < tool->parameter_count; i++)
		if (tool->parameters[i].parent.len > 0)
			return &tool->parameters[i];
	return NULL;
}

/* Puts the one object into the body. */
static bool end_inner(struct reading *reading, struct error *err)
{
	const struct native_method *method = reading->tool->native;
	const struct tool_parameter *any = first_inner(reading->tool);
	struct json inner = json_builder_object(&reading->inner);
	const struct model_field *field;

	if (any == NULL)
		return true;
	field = model_find_among(method->body, method->body_count, any->parent);
	if (inner.count == 0 && field->is_required)
		return refuse(reading, any->name, "at least one of what the tool can set",
			      "is missing, and all others", err);
	if (inner.count == 0)
		return true;
	if (!check_body(reading, field->fields, field->field_count, any->parent, &inner, err))
		return false;
	json_builder_set(&reading->body, any->parent, inner);
	return true;
}

/* What the ATS is sent is judged here: the proxy passes a body on as it came. */
static bool end_native(struct reading *reading, struct error *err)
{
	const struct native_method *method = reading->tool->native;
	struct json body;

	if (method->body_count == 0)
		return true;
	if (!end_inner(reading, err))
		return false;
	body = json_builder_object(&reading->body);
	if (!check_body(reading, method->body, method->body_count, STR(""), &body, err))
		return false;
	reading->call->native.body = json_text(reading->arena, body);
	reading->call->native.content_type = STR("application/json");
	return true;
}

bool tool_plan(const struct tool *tool, struct arena *arena, const struct connector *connector,
	       const struct account *account, struct json arguments, struct tool_call *call,
	       struct error *err)
{
	struct reading reading = {
		.tool = tool, .connector = connector, .arena = arena, .call = call};

	tool_begin(tool, account, call);
	json_builder_init(&reading.body, arena);
	json_builder_init(&reading.inner, arena);
	if (!json_is(arguments, JSON_OBJECT) && !json_is(arguments, JSON_UNDEFINED))
		return error_set_field(err, ERROR_INVALID, "arguments", "an object",
				       "the arguments are no object");
	for (size_t i = 0; json_is(arguments, JSON_OBJECT) && i < arguments.count; i++)
		if (!take(&reading, &arguments.members[i], err))
			return false;
	if (!check_required(&reading, arguments, err))
		return false;
	if (!tool->is_unified)
		return end_native(&reading, err);
	copy_wish_settle(&call->wish);
	if (call->operation.method == OPERATION_WRITE)
		call->operation.body = json_builder_object(&reading.body);
	return true;
}
