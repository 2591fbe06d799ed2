/* Choosing how a connector answers an operation, and refusing what it cannot take by name. */
#include <assert.h>
#include <stdio.h>

#include "ats/operation/run.h"

/* --- lists of names for messages ------------------------------------------------------------- */

void name_list_add(struct name_list *names, struct str name)
{
	size_t left = sizeof names->text - names->len;
	int len = snprintf(names->text + names->len, left, "%s%.*s", names->len > 0 ? ", " : "",
			   STR_ARGS(name));

	if (len > 0 && (size_t)len < left)
		names->len += (size_t)len;
	else
		names->text[names->len] = '\0'; /* no half a name */
}

static const char *c_name(struct str name, char text[sizeof((struct error *)0)->field])
{
	snprintf(text, sizeof((struct error *)0)->field, "%.*s", STR_ARGS(name));
	return text;
}

/* --- resource and method --------------------------------------------------------------------- */

static bool refuse_resource(const struct run *run, struct error *err)
{
	const struct model *model = run->services->model;
	struct str wanted = run->operation->resource;
	struct name_list names = {0};

	if (model_find(model, wanted) == NULL) {
		for (size_t i = 0; i < model->resource_count; i++)
			name_list_add(&names, model->resources[i].name);
		return error_set_field(err, ERROR_NOT_FOUND, "resource", names.text,
				       "the model has no resource \"%.*s\"", STR_ARGS(wanted));
	}
	for (size_t i = 0; i < run->connector->resource_count; i++)
		name_list_add(&names, run->connector->resources[i].model->name);
	return error_set_field(err, ERROR_NOT_SUPPORTED, "resource", names.text, "%.*s has no %.*s",
			       STR_ARGS(run->connector->label), STR_ARGS(wanted));
}

static bool refuse_method(const struct run *run, struct error *err)
{
	struct name_list names = {0};

	if (run->resource->list.count > 0)
		name_list_add(&names, STR("list"));
	if (run->resource->get.count > 0)
		name_list_add(&names, STR("get"));
	for (size_t i = 0; i < run->resource->write_count; i++)
		name_list_add(&names, run->resource->writes[i].model->name);
	return error_set_field(err, ERROR_NOT_SUPPORTED, "method", names.text,
			       "%.*s cannot %s %.*s", STR_ARGS(run->connector->label),
			       run->operation->method == OPERATION_GET ? "get one of" : "list",
			       STR_ARGS(run->operation->resource));
}

/* --- values of filters ----------------------------------------------------------------------- */

static bool read_number(struct arena *arena, struct str text)
{
	struct json value;
	struct error err;

	return json_parse(arena, text, &json_limits_default, &value, &err) && json_is_number(value);
}

static struct str join(struct arena *arena, struct str text, const char *end)
{
	return arena_format(arena, "%.*s%s", STR_ARGS(text), end);
}

/* UTC in one spelling, because expressions cut it to pieces. A day alone is its beginning. What
 * is in UTC already keeps its precision. */
static bool read_date_time(struct arena *arena, struct str *value)
{
	int64_t unix_ns;

	if (value->len == 10 && clock_parse(join(arena, *value, "T00:00:00Z"), &unix_ns))
		*value = join(arena, *value, "T00:00:00Z");
	else if (!clock_parse(*value, &unix_ns))
		return false;
	if (value->data[value->len - 1] != 'Z' || value->data[10] != 'T')
		*value = clock_format_ms(arena, unix_ns >= 0 ? unix_ns / 1000000
							     : (unix_ns - 999999) / 1000000);
	return true;
}

static bool read_boolean(struct str *value)
{
	if (str_equal(*value, STR("1")))
		*value = STR("true");
	else if (str_equal(*value, STR("0")))
		*value = STR("false");
	return str_equal(*value, STR("true")) || str_equal(*value, STR("false"));
}

/* Checks the value and brings it to the one spelling. What is wrong with it, or NULL. */
static const char *read_value(struct arena *arena, enum model_type type, struct str *value)
{
	int64_t number;

	if (value->len == 0)
		return "a value";
	if (value->len > FILTER_BYTES_MAX)
		return "at most 4096 bytes";
	if (http_has_control_byte(*value))
		return "a text without control bytes";
	switch (type) {
	case MODEL_INTEGER:
		if (!str_to_int64(*value, &number))
			return "a whole number";
		*value = arena_format(arena, "%lld", (long long)number);
		return NULL;
	case MODEL_NUMBER:
		return read_number(arena, *value) ? NULL : "a number";
	case MODEL_BOOLEAN:
		return read_boolean(value) ? NULL : "true or false";
	case MODEL_DATE_TIME:
		return read_date_time(arena, value) ? NULL
						    : "a time as 2026-03-04T09:15:22Z, or a day";
	case MODEL_DATE:
		return value->len == 10 && clock_parse(join(arena, *value, "T00:00:00Z"), &number)
			       ? NULL
			       : "a day as 2026-03-04";
	case MODEL_TEXT:
	case MODEL_ENUM:
	case MODEL_OBJECT:
	case MODEL_ANY:
	case MODEL_FILE:
		return NULL;
	}
	return NULL;
}

/* --- filters and alternatives ---------------------------------------------------------------- */

bool plan_filter(const struct run *run, struct str name, struct str *value)
{
	if (run->operation != NULL && run->operation->id.len > 0 && str_equal(name, STR("id"))) {
		*value = run->operation->id;
		return true;
	}
	for (size_t i = 0; i < run->filter_count; i++) {
		if (!str_equal(run->filters[i].name, name))
			continue;
		*value = run->filters[i].value;
		return true;
	}
	return false;
}

static bool call_takes(const struct unified_call *call, struct str filter)
{
	for (size_t i = 0; i < call->argument_count; i++)
		if (str_equal(call->arguments[i].filter, filter))
			return true;
	return false;
}

/* A filter which only some of the calls know would let the records of the others through. */
static bool alternative_takes(const struct unified_alternative *alternative, struct str filter)
{
	for (size_t i = 0; i < alternative->match_count; i++)
		if (str_equal(alternative->matches[i].filter, filter))
			return true;
	for (size_t i = 0; i < alternative->call_count; i++)
		if (!call_takes(&alternative->calls[i], filter))
			return false;
	return alternative->call_count > 0;
}

static const struct model_filter *find_filter(const struct model_resource *model, struct str name)
{
	for (size_t i = 0; i < model->filter_count; i++)
		if (str_equal(model->filters[i].name, name))
			return &model->filters[i];
	return NULL;
}

static bool method_takes(const struct unified_method *method, struct str filter)
{
	for (size_t i = 0; i < method->count; i++)
		if (alternative_takes(&method->alternatives[i], filter))
			return true;
	return false;
}

/* Either the model does not know it, or this ATS cannot apply it: never dropped. */
static bool refuse_filter(const struct run *run, const struct unified_method *method,
			  struct str name, struct error *err)
{
	const struct model_resource *model = run->resource->model;
	char field[sizeof err->field];
	struct name_list names = {0};

	for (size_t i = 0; i < model->filter_count; i++)
		if (method_takes(method, model->filters[i].name))
			name_list_add(&names, model->filters[i].name);
	if (find_filter(model, name) == NULL)
		return error_set_field(err, ERROR_INVALID, c_name(name, field), names.text,
				       "%.*s have no filter \"%.*s\"", STR_ARGS(model->name),
				       STR_ARGS(name));
	return error_set_field(err, ERROR_INVALID, c_name(name, field), names.text,
			       "%.*s cannot filter %.*s by \"%.*s\"",
			       STR_ARGS(run->connector->label), STR_ARGS(model->name),
			       STR_ARGS(name));
}

static bool refuse_value(struct str name, const char *wanted, struct error *err)
{
	char field[sizeof err->field];

	return error_set_field(err, ERROR_INVALID, c_name(name, field), wanted,
			       "\"%.*s\" must be %s", STR_ARGS(name), wanted);
}

static bool read_filters(struct run *run, const struct unified_method *method, struct error *err)
{
	const struct operation *operation = run->operation;
	struct operation_filter *filters =
		arena_array(run->arena, operation->filter_count + 1, sizeof *filters);
	struct json_builder query;

	if (operation->filter_count > FILTERS_MAX)
		return error_set(err, ERROR_INVALID, "more than %d filters", FILTERS_MAX);
	json_builder_init(&query, run->arena);
	run->filters = filters;
	for (size_t i = 0; i < operation->filter_count; i++) {
		struct operation_filter filter = operation->filters[i];
		const struct model_filter *known = find_filter(run->resource->model, filter.name);
		struct str other;

		if (known == NULL || !method_takes(method, filter.name))
			return refuse_filter(run, method, filter.name, err);
		const char *wanted = read_value(run->arena, known->type, &filter.value);
		if (wanted != NULL)
			return refuse_value(filter.name, wanted, err);
		if (plan_filter(run, filter.name, &other))
			return refuse_value(filter.name, "given once", err);
		filters[run->filter_count++] = filter;
		json_builder_set(&query, filter.name, json_string(filter.value));
	}
	run->query = json_builder_object(&query);
	return true;
}

/* The first `when` filter which is not given, or NULL. */
static const struct str *find_missing(const struct run *run,
				      const struct unified_alternative *alternative)
{
	struct str value;

	for (size_t i = 0; i < alternative->when_count; i++)
		if (!plan_filter(run, alternative->when[i], &value))
			return &alternative->when[i];
	return NULL;
}

/* The first filter given which the alternative does not take, or NULL. */
static const struct operation_filter *find_untaken(const struct run *run,
						   const struct unified_alternative *alternative)
{
	for (size_t i = 0; i < run->filter_count; i++)
		if (!alternative_takes(alternative, run->filters[i].name))
			return &run->filters[i];
	return NULL;
}

/* Each filter is fit for some alternative, and yet none takes them together. */
static bool refuse_all(const struct run *run, const struct unified_method *method,
		       struct error *err)
{
	const struct operation_filter *untaken = NULL;
	char field[sizeof err->field];

	for (size_t i = 0; i < method->count; i++) {
		const struct unified_alternative *alternative = &method->alternatives[i];
		const struct str *missing = find_missing(run, alternative);

		if (missing == NULL) {
			if (untaken == NULL)
				untaken = find_untaken(run, alternative);
		} else if (find_untaken(run, alternative) == NULL) {
			return error_set_field(err, ERROR_INVALID, c_name(*missing, field), NULL,
					       "%.*s cannot do this without the filter \"%.*s\"",
					       STR_ARGS(run->connector->label), STR_ARGS(*missing));
		}
	}
	if (untaken == NULL)
		untaken = run->filter_count > 0 ? &run->filters[0] : NULL;
	if (untaken == NULL)
		return refuse_method(run, err);
	return error_set_field(err, ERROR_INVALID, c_name(untaken->name, field), NULL,
			       "%.*s cannot filter by \"%.*s\" together with the other filters",
			       STR_ARGS(run->connector->label), STR_ARGS(untaken->name));
}

bool plan_make(struct run *run, struct error *err)
{
	run->resource = connector_find_resource(run->connector, run->operation->resource);
	if (run->resource == NULL)
		return refuse_resource(run, err);
	const struct unified_method *method = run->operation->method == OPERATION_GET
						      ? &run->resource->get
						      : &run->resource->list;
	if (method->count == 0)
		return refuse_method(run, err);
	if (!read_filters(run, method, err))
		return false;
	for (size_t i = 0; i < method->count; i++) {
		const struct unified_alternative *alternative = &method->alternatives[i];

		if (find_missing(run, alternative) == NULL &&
		    find_untaken(run, alternative) == NULL) {
			run->plan = alternative;
			return true;
		}
	}
	return refuse_all(run, method, err);
}

/* The first text at a dotted path; within lists, of the first element that has one. */
static bool find_text(struct arena *arena, struct json value, struct str path, struct str *text)
{
	if (json_is(value, JSON_ARRAY)) {
		for (size_t i = 0; i < value.count; i++)
			if (find_text(arena, json_at(value, i), path, text))
				return true;
		return false;
	}
	if (path.len == 0)
		return native_text(arena, value, text);
	struct str name = str_cut(&path, '.');
	return find_text(arena, json_get(value, name), path, text);
}

bool plan_refine(struct run *run, const struct unified_alternative *alternative,
		 struct json record)
{
	size_t count = run->filter_count + alternative->expand_count;
	struct operation_filter *filters = arena_array(run->arena, count + 1, sizeof *filters);
	const struct operation_filter *old = run->filters;
	size_t old_count = run->filter_count;
	struct json_builder query;
	struct str text;

	run->filters = filters;
	run->filter_count = 0;
	for (size_t i = 0; i < alternative->expand_count; i++) {
		const struct unified_match *expand = &alternative->expands[i];

		if (!find_text(run->arena, record, expand->path, &text))
			return false;
		filters[run->filter_count++] = (struct operation_filter){expand->filter, text};
	}
	for (size_t i = 0; i < old_count; i++)
		if (!plan_filter(run, old[i].name, &text))
			filters[run->filter_count++] = old[i];
	json_builder_init(&query, run->arena);
	for (size_t i = 0; i < run->filter_count; i++)
		json_builder_set(&query, filters[i].name, json_string(filters[i].value));
	run->query = json_builder_object(&query);
	return true;
}

/* A method that not even the model knows is no question of this ATS. */
static bool refuse_write(const struct run *run, struct error *err)
{
	const struct model_resource *model = run->resource->model;
	struct str wanted = run->operation->write;
	struct name_list names = {0};

	if (model_find_method(model, wanted) == NULL) {
		for (size_t i = 0; i < model->method_count; i++)
			name_list_add(&names, model->methods[i].name);
		return error_set_field(err, ERROR_NOT_FOUND, "method", names.text,
				       "%.*s have no method \"%.*s\"", STR_ARGS(model->name),
				       STR_ARGS(wanted));
	}
	refuse_method(run, err);
	return error_set_field(err, ERROR_NOT_SUPPORTED, "method", err->allowed,
			       "%.*s cannot do \"%.*s\" with %.*s", STR_ARGS(run->connector->label),
			       STR_ARGS(wanted), STR_ARGS(model->name));
}

bool plan_write(struct run *run, const struct unified_write **write, struct error *err)
{
	const struct operation *operation = run->operation;
	char field[sizeof err->field];

	if (operation->filter_count > 0)
		return error_set_field(err, ERROR_INVALID,
				       c_name(operation->filters[0].name, field),
				       "integrated_account_id, remote_data, dry_run",
				       "a write knows no parameter \"%.*s\"",
				       STR_ARGS(operation->filters[0].name));
	run->resource = connector_find_resource(run->connector, run->operation->resource);
	if (run->resource == NULL)
		return refuse_resource(run, err);
	*write = connector_find_write(run->resource, run->operation->write);
	return *write != NULL || refuse_write(run, err);
}

const struct unified_alternative *plan_find_get(const struct run *run)
{
	for (size_t i = 0; i < run->resource->get.count; i++)
		if (find_missing(run, &run->resource->get.alternatives[i]) == NULL)
			return &run->resource->get.alternatives[i];
	return NULL;
}
