/* One override held against the connector and the model: is there such a place, and is this an
 * expression? */
#include <stdarg.h>
#include <stdio.h>

#include "ats/override/effect.h"

enum { CUSTOM_ID_BYTES_MAX = 100 };

struct check {
	struct arena *arena;
	const struct connector *connector;
	const struct override *override;
	struct target *target;
	struct override_fault *fault;
	struct error *err;
};

bool target_is_new(const struct target *target)
{
	return !target->is_request &&
	       model_find_field(target->resource->model, target->name) == NULL;
}

/* What names are there instead. */
struct names {
	struct str *items;
	size_t count;
};

static struct names begin_names(struct arena *arena, size_t count)
{
	return (struct names){.items = arena_array(arena, count + 1, sizeof(struct str))};
}

static bool refuse(const struct check *check, const struct names *names, const char *format, ...)
	PRINTF_LIKE(3, 4);

static bool refuse(const struct check *check, const struct names *names, const char *format, ...)
{
	struct arena *arena = check->arena;
	char message[sizeof check->err->message];
	const char *allowed = NULL;
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(message, sizeof message, format, arguments);
	va_end(arguments);
	if (names != NULL && names->count > 0)
		allowed = arena_c(arena, definition_names(arena, names->items, names->count));
	return error_set_field(check->err, ERROR_INVALID, arena_c(arena, check->fault->path),
			       allowed, "%.*s: %s", STR_ARGS(check->fault->path), message);
}

/* --- the response ---------------------------------------------------------------------------- */

static struct names list_fields(const struct check *check, const struct model_field *fields,
				size_t count)
{
	struct names names = begin_names(check->arena, count);

	for (size_t i = 0; i < count; i++)
		names.items[names.count++] = fields[i].name;
	return names;
}

static bool find_table(const struct check *check, struct str name)
{
	const struct unified_resource *resource = check->target->resource;
	struct names names = begin_names(check->arena, resource->map_count);

	for (size_t i = 0; i < resource->map_count; i++) {
		names.items[names.count++] = resource->maps[i].name;
		if (str_equal(resource->maps[i].name, name)) {
			check->target->table = (int)i;
			return true;
		}
	}
	return refuse(check, &names, "there is no field table \"%.*s\"", STR_ARGS(name));
}

/* Into objects, down to a member; what stands in a list has no place of its own. */
static bool check_path(const struct check *check, const struct model_field *field, struct str path)
{
	while (path.len > 0) {
		struct str name = str_cut(&path, '.');
		const struct model_field *inner = NULL;

		if (field->is_list || field->type != MODEL_OBJECT)
			return refuse(check, NULL, "\"%.*s\" is %s: override the whole of it",
				      STR_ARGS(field->name),
				      field->is_list ? "a list" : "no object");
		for (size_t i = 0; i < field->field_count && inner == NULL; i++)
			if (str_equal(field->fields[i].name, name))
				inner = &field->fields[i];
		if (inner == NULL) {
			struct names names = list_fields(check, field->fields, field->field_count);
			return refuse(check, &names, "there is no member \"%.*s\" there",
				      STR_ARGS(name));
		}
		field = inner;
	}
	return true;
}

static bool check_new(const struct check *check, struct str name)
{
	const struct model_resource *model = check->target->resource->model;

	if (check->target->path.len > 0) {
		struct names names = list_fields(check, model->fields, model->field_count);
		return refuse(check, &names, "there is no field \"%.*s\"", STR_ARGS(name));
	}
	if (!definition_is_name(name) || str_starts_with(name, STR("remote_")))
		return refuse(
			check, NULL,
			"\"%.*s\" is no name for a field: a-z, 0-9 and _ from a letter on, and "
			"not remote_…",
			STR_ARGS(name));
	return true;
}

static bool check_response(const struct check *check)
{
	const struct model_resource *model = check->target->resource->model;
	struct str rest = check->override->field;
	struct str name = str_cut(&rest, '.');
	const struct model_field *field = model_find_field(model, name);

	check->target->name = name;
	check->target->path = rest;
	if (check->override->field.len > name.len && rest.len == 0)
		return refuse(check, NULL, "\"%.*s\" ends in a dot",
			      STR_ARGS(check->override->field));
	if (str_equal(name, STR("id")))
		return refuse(check, NULL,
			      "\"%.*s\" finds the record again: it cannot be overridden",
			      STR_ARGS(name));
	if (field == NULL)
		return check_new(check, name);
	if (!str_equal(name, STR("custom_fields")))
		return check_path(check, field, rest);
	if (rest.len > CUSTOM_ID_BYTES_MAX || http_has_control_byte(rest))
		return refuse(check, NULL, "\"%.*s\" is no id of a custom field", STR_ARGS(rest));
	return true;
}

/* --- requests -------------------------------------------------------------------------------- */

static bool check_query(const struct check *check)
{
	const struct native_method *native = check->target->native;
	struct names names = begin_names(check->arena, native->query_count);

	for (size_t i = 0; i < native->query_count; i++) {
		names.items[names.count++] = native->query[i].name;
		if (str_equal(native->query[i].name, check->target->path))
			return true;
	}
	return refuse(check, &names, "this call has no query parameter \"%.*s\"",
		      STR_ARGS(check->target->path));
}

/* Does one expression, or constant, make something that the path leads into? Then the rest of it
 * could not stay as it is. */
static bool check_members(const struct check *check, const struct write_value *values, size_t count,
			  struct str path)
{
	struct str name = str_cut(&path, '.');

	for (size_t i = 0; i < count && path.len > 0; i++) {
		if (!str_equal(values[i].name, name))
			continue;
		if (values[i].member_count == 0)
			return refuse(check, NULL,
				      "\"%.*s\" is made as a whole: override the whole of it",
				      STR_ARGS(name));
		return check_members(check, values[i].members, values[i].member_count, path);
	}
	return true;
}

static bool check_bodies(const struct check *check)
{
	const struct target *target = check->target;
	const struct unified_write *write = connector_find_write(target->resource, target->method);

	for (size_t i = 0; write != NULL && i < write->step_count; i++)
		if (write->steps[i].method == target->native &&
		    !check_members(check, write->steps[i].body, write->steps[i].body_count,
				   target->path))
			return false;
	return true;
}

static bool check_body(const struct check *check)
{
	const struct model_field whole = {.name = STR("body"),
					  .type = MODEL_OBJECT,
					  .fields = check->target->native->body,
					  .field_count = check->target->native->body_count};

	return check_path(check, &whole, check->target->path) && check_bodies(check);
}

static bool is_called(const struct target *target, const struct native_method *native)
{
	const struct unified_write *write = connector_find_write(target->resource, target->method);
	const struct unified_method *reads = str_equal(target->method, STR("list"))
						     ? &target->resource->list
						     : &target->resource->get;

	for (size_t i = 0; write != NULL && i < write->step_count; i++)
		if (write->steps[i].method == native && write->steps[i].as.len == 0)
			return true;
	for (size_t i = 0; write == NULL && i < reads->count; i++)
		for (size_t k = 0; k < reads->alternatives[i].call_count; k++)
			if (reads->alternatives[i].calls[k].method == native)
				return true;
	return false;
}

static bool find_method(const struct check *check)
{
	const struct unified_resource *resource = check->target->resource;
	struct names names = begin_names(check->arena, resource->write_count + 2);
	struct str wanted = check->target->method;

	if (resource->list.count > 0)
		names.items[names.count++] = STR("list");
	if (resource->get.count > 0)
		names.items[names.count++] = STR("get");
	for (size_t i = 0; i < resource->write_count; i++)
		names.items[names.count++] = resource->writes[i].model->name;
	for (size_t i = 0; i < names.count; i++)
		if (str_equal(names.items[i], wanted))
			return true;
	return refuse(check, &names, "this ATS has no method \"%.*s\" here", STR_ARGS(wanted));
}

static bool find_call(const struct check *check, struct str call)
{
	const struct connector *connector = check->connector;
	struct names names = begin_names(check->arena, connector->method_count);

	for (size_t i = 0; i < connector->method_count; i++) {
		const struct native_method *native = &connector->methods[i];
		struct str name = arena_format(check->arena, "%.*s.%.*s",
					       STR_ARGS(native->resource), STR_ARGS(native->name));

		if (!is_called(check->target, native))
			continue;
		names.items[names.count++] = name;
		if (str_equal(name, call)) {
			check->target->native = native;
			return true;
		}
	}
	return refuse(check, &names, "this method does not call \"%.*s\"", STR_ARGS(call));
}

/* A parameter that carries a filter, or an argument of the path, stays what it is. */
static bool check_free(const struct check *check)
{
	const struct target *target = check->target;
	const struct unified_method *method = str_equal(target->method, STR("list"))
						      ? &target->resource->list
						      : &target->resource->get;

	if (connector_find_write(target->resource, target->method) != NULL)
		return true;
	for (size_t i = 0; i < method->count; i++)
		for (size_t k = 0; k < method->alternatives[i].call_count; k++) {
			const struct unified_call *call = &method->alternatives[i].calls[k];

			for (size_t n = 0; n < call->argument_count; n++)
				if (call->method == target->native &&
				    call->arguments[n].filter.len > 0 &&
				    str_equal(call->arguments[n].name, target->path))
					return refuse(check, NULL,
						      "the parameter carries the filter \"%.*s\": "
						      "give that instead",
						      STR_ARGS(call->arguments[n].filter));
		}
	return true;
}

static bool check_request(const struct check *check, struct str part)
{
	struct target *target = check->target;
	struct str rest = check->override->field;
	struct str place = str_cut(&rest, '.');

	target->is_request = true;
	target->method = str_cut(&part, '/');
	target->path = rest;
	target->is_query = str_equal(place, STR("query"));
	if (!find_method(check) || !find_call(check, part))
		return false;
	if (rest.len == 0 || (!target->is_query && !str_equal(place, STR("body"))))
		return refuse(check, NULL,
			      "\"%.*s\" is no place in a request: say body.NAME or query.NAME",
			      STR_ARGS(check->override->field));
	return target->is_query ? check_query(check) && check_free(check) : check_body(check);
}

/* --- the whole ------------------------------------------------------------------------------- */

static bool compile(const struct check *check)
{
	const struct jsonata_options options = {
		.natives = connector_natives,
		.native_count = connector_native_count,
		.variables = connector_variables,
		.variable_count = CONNECTOR_VARIABLES,
		.bytes_max = OVERRIDE_BYTES_MAX,
	};
	struct override_fault *fault = check->fault;

	check->target->expression =
		jsonata_compile(check->arena, check->override->expression, &options, &fault->error);
	if (check->target->expression != NULL)
		return true;
	fault->is_expression = true;
	return error_set_field(check->err, ERROR_INVALID, arena_c(check->arena, fault->path), NULL,
			       "%.*s is no expression: %s at %zu: %.*s", STR_ARGS(fault->path),
			       fault->error.code, fault->error.position,
			       STR_ARGS(fault->error.message));
}

static bool find_resource(const struct check *check)
{
	const struct connector *connector = check->connector;
	struct names names = begin_names(check->arena, connector->resource_count);
	struct str wanted = check->override->resource;

	check->target->resource = connector_find_resource(connector, wanted);
	if (check->target->resource != NULL)
		return true;
	for (size_t i = 0; i < connector->resource_count; i++)
		names.items[names.count++] = connector->resources[i].model->name;
	return error_set_field(
		check->err, ERROR_NOT_FOUND, "resource",
		arena_c(check->arena, definition_names(check->arena, names.items, names.count)),
		"%.*s has no %.*s", STR_ARGS(connector->label), STR_ARGS(str_slice(wanted, 0, 64)));
}

static const char of_account[] = "the account's override";
static const char of_environment[] = "the environment's override";

const char *override_layer_name(const char *origin)
{
	if (origin == NULL)
		return "connector";
	return origin == of_account ? "account" : "environment";
}

bool target_make(struct arena *arena, const struct connector *connector,
		 const struct override *override, struct target *target,
		 struct override_fault *fault, struct error *err)
{
	const struct check check = {arena, connector, override, target, fault, err};
	struct str part = override->part;
	struct str kind = str_cut(&part, '/');
	bool ok;

	*fault = (struct override_fault){.path = override_path(arena, override)};
	*target = (struct target){
		.override = override,
		.table = ALL_TABLES,
		.origin = override->is_account ? of_account : of_environment,
	};
	if (!find_resource(&check))
		return false;
	if (str_equal(kind, STR("request")))
		ok = check_request(&check, part);
	else
		ok = (!str_equal(kind, STR("tables")) || find_table(&check, part)) &&
		     check_response(&check);
	return ok && compile(&check);
}
