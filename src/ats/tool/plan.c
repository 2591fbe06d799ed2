/* The arguments of a call become an operation. */
#include "ats/tool/parts.h"

/* A call that is read. */
struct reading {
	const struct tool *tool;
	const struct connector *connector;
	struct arena *arena;
	struct tool_call *call;
	struct operation_filter *filters;
	struct json_builder body;
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

static struct str print(struct arena *arena, struct json value)
{
	struct buffer text;

	buffer_init(&text, arena, SIZE_MAX);
	json_print(&text, value);
	return buffer_str(&text);
}

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
		*text = print(reading->arena, value);
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
	return !json_is(value, JSON_ARRAY);
}

static bool read_value(const struct reading *reading, const struct tool_parameter *parameter,
		       struct json value, struct str *text, struct error *err)
{
	return (read_text(reading, value, text) && fits(parameter, value, *text)) ||
	       refuse(reading, parameter->name, type_of(parameter), "cannot be that", err);
}

/* --- where they go ---------------------------------------------------------------------------- */

static bool check_context(const struct reading *reading, const struct tool_parameter *parameter,
			  struct str text, struct error *err)
{
	struct json ours = json_get(reading->call->operation.account->context, parameter->target);

	if (json_is(ours, JSON_STRING) ? str_equal(json_str(ours), text)
				       : str_equal(print(reading->arena, ours), text))
		return true;
	return error_set_field(err, ERROR_FORBIDDEN, arena_c(reading->arena, parameter->name),
			       "nothing, it is taken from the account",
			       "the argument %.*s is another's, not this account's",
			       STR_ARGS(parameter->name));
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
		return check_context(reading, parameter, text, err);
	case PLACE_ID:
		operation->id = text;
		return text.len > 0 || refuse(reading, parameter->name, "an id", "is empty", err);
	case PLACE_QUERY:
		reading->filters[operation->filter_count++] =
			(struct operation_filter){parameter->target, text};
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
	case PLACE_DRY_RUN:
		operation->dry_run = str_equal(text, STR("true"));
		return true;
	case PLACE_KEY:
		reading->call->idempotency_key = text;
		return true;
	case PLACE_BODY:
		break;
	}
	return true;
}

static bool take(struct reading *reading, const struct json_member *member, struct error *err)
{
	struct str name = json_name(member);
	const struct tool_parameter *parameter = find(reading->tool, name);

	if (parameter == NULL)
		return refuse_unknown(reading, name, err);
	if (parameter->place == PLACE_BODY) {
		json_builder_set(&reading->body, parameter->target, member->value);
		return true;
	}
	/* Models that fill in everything write null for nothing. */
	return json_is(member->value, JSON_NULL) || take_text(reading, parameter, member->value, err);
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

static void begin(struct tool_call *call, const struct tool *tool, const struct account *account)
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

/* What the ATS is sent is judged here: the proxy passes a body on as it came. */
static bool end_native(struct reading *reading, struct error *err)
{
	const struct native_method *method = reading->tool->native;
	struct json body = json_builder_object(&reading->body), checked;

	if (method->body_count == 0)
		return true;
	if (!model_check(reading->arena, method->body, method->body_count, "the arguments", body,
			 NULL, &checked, err))
		return false;
	reading->call->native.body = print(reading->arena, checked);
	reading->call->native.content_type = STR("application/json");
	return true;
}

bool tool_plan(const struct tool *tool, struct arena *arena, const struct connector *connector,
	       const struct account *account, struct json arguments, struct tool_call *call,
	       struct error *err)
{
	struct reading reading = {
		.tool = tool, .connector = connector, .arena = arena, .call = call};

	begin(call, tool, account);
	reading.filters = arena_array(arena, tool->parameter_count + 1, sizeof *reading.filters);
	call->operation.filters = reading.filters;
	json_builder_init(&reading.body, arena);
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
	if (call->operation.method == OPERATION_WRITE)
		call->operation.body = json_builder_object(&reading.body);
	return true;
}
