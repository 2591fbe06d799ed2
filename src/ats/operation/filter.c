/* Values of filters, and records held against them. */
#include "ats/operation/filter.h"

#include <assert.h>
#include <stdio.h>

#include "ats/operation/run.h"

/* --- values ---------------------------------------------------------------------------------- */

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

static const char *read_enum(struct arena *arena, const struct model_field *field, struct str value)
{
	if (field == NULL || field->type != MODEL_ENUM)
		return NULL;
	for (size_t i = 0; i < field->value_count; i++)
		if (str_equal(field->values[i], value))
			return NULL;
	return arena_c(arena, definition_names(arena, field->values, field->value_count));
}

/* Checks the value and brings it to the one spelling. What is allowed instead, or NULL. */
static const char *read_value(struct arena *arena, const struct model_filter *filter,
			      struct str *value)
{
	int64_t number;

	if (value->len == 0)
		return "a value";
	if (value->len > FILTER_BYTES_MAX)
		return "at most 4096 bytes";
	if (http_has_control_byte(*value))
		return "a text without control bytes";
	switch (filter->type) {
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
	case MODEL_ENUM:
		return read_enum(arena, filter->field, *value);
	case MODEL_TEXT:
	case MODEL_OBJECT:
	case MODEL_ANY:
	case MODEL_FILE:
		return NULL;
	}
	return NULL;
}

static bool refuse_value(struct str name, const char *wanted, struct error *err)
{
	char field[sizeof err->field];

	snprintf(field, sizeof field, "%.*s", STR_ARGS(name));
	return error_set_field(err, ERROR_INVALID, field, wanted, "\"%.*s\" must be %s",
			       STR_ARGS(name), wanted);
}

static bool add_value(struct run *run, struct run_filter *filter, struct str value,
		      struct error *err)
{
	size_t bytes = filter->count * sizeof *filter->values;
	struct json *values;
	const char *wanted = read_value(run->arena, filter->model, &value);

	if (wanted != NULL)
		return refuse_value(filter->name, wanted, err);
	if (filter->count == FILTER_VALUES_MAX)
		return refuse_value(filter->name, "at most 200 values", err);
	values = arena_array(run->arena, filter->count + 1, sizeof *values);
	if (filter->count > 0)
		memcpy(values, filter->values, bytes);
	values[filter->count++] = json_string(value);
	filter->values = values;
	filter->value = filter->count == 1 ? value
					   : arena_format(run->arena, "%.*s,%.*s",
							  STR_ARGS(filter->value), STR_ARGS(value));
	return true;
}

/* "a,b" of x[in]. */
static bool add_values(struct run *run, struct run_filter *filter, struct str list,
		       struct error *err)
{
	if (list.len > FILTER_BYTES_MAX)
		return refuse_value(filter->name, "at most 4096 bytes", err);
	if (filter->model->operator!= MODEL_IN || filter->is_array || list.len == 0)
		return add_value(run, filter, list, err);
	while (list.len > 0) {
		bool has_more = str_find_byte(list, ',') >= 0;
		struct str value = str_trim(str_cut(&list, ','));

		if (!add_value(run, filter, value, err))
			return false;
		if (has_more && list.len == 0)
			return refuse_value(filter->name, "values between single commas", err);
	}
	return true;
}

bool filter_read(struct run *run, const struct model_filter *model,
		 const struct operation_filter *given, struct error *err)
{
	bool is_array = given->name.len > model->name.len;

	assert(run->filter_count < FILTERS_MAX);
	for (size_t i = 0; i < run->filter_count; i++) {
		struct run_filter *filter = &run->filters[i];

		if (!str_equal(filter->name, model->name))
			continue;
		return is_array && filter->is_array ? add_values(run, filter, given->value, err)
						    : refuse_value(model->name, "given once", err);
	}
	struct run_filter *filter = &run->filters[run->filter_count];

	*filter = (struct run_filter){.name = model->name, .model = model, .is_array = is_array};
	if (!add_values(run, filter, given->value, err))
		return false;
	run->filter_count++;
	return true;
}

void filters_take(struct run *run)
{
	const struct operation *operation = run->operation;
	struct json *values = arena_array(run->arena, operation->filter_count + 1, sizeof *values);

	run->filters = arena_array(run->arena, operation->filter_count + 1, sizeof *run->filters);
	run->filter_count = operation->filter_count;
	for (size_t i = 0; i < operation->filter_count; i++) {
		struct str value = operation->filters[i].value;

		values[i] = json_string(value);
		run->filters[i] = (struct run_filter){.name = operation->filters[i].name,
						      .value = value,
						      .values = &values[i],
						      .count = 1};
	}
}

/* --- who applies it -------------------------------------------------------------------------- */

static bool call_takes(const struct unified_call *call, struct str filter)
{
	for (size_t i = 0; i < call->argument_count; i++)
		if (str_equal(call->arguments[i].filter, filter))
			return true;
	return false;
}

/* A filter which only some of the calls know would let the records of the others through. */
static bool is_asked(const struct unified_alternative *alternative, struct str filter)
{
	for (size_t i = 0; i < alternative->call_count; i++)
		if (!call_takes(&alternative->calls[i], filter))
			return false;
	return alternative->call_count > 0;
}

static bool has_field(const struct unified_alternative *alternative, size_t field)
{
	for (size_t i = 0; i < alternative->call_count; i++)
		for (size_t k = 0; k < alternative->calls[i].map->count; k++)
			if (alternative->calls[i].map->entries[k].field == field)
				return true;
	return false;
}

/* "tags" and "tags.id" are about tags.id. */
static bool is_unknown(const struct unified_alternative *alternative, struct str path)
{
	for (size_t i = 0; i < alternative->unknown_count; i++) {
		struct str unknown = alternative->unknowns[i];

		if (str_starts_with(path, unknown) &&
		    (path.len == unknown.len || path.data[unknown.len] == '.'))
			return true;
	}
	return false;
}

enum taking filter_taking(const struct run *run, const struct unified_method *method,
			  const struct unified_alternative *alternative,
			  const struct model_filter *filter)
{
	if (is_asked(alternative, filter->name))
		return TAKES_ASKED;
	if (method != &run->resource->list || filter->field == NULL ||
	    !has_field(alternative, filter->root) || is_unknown(alternative, filter->path))
		return TAKES_NOT;
	if (alternative->is_absent == NULL || !alternative->is_absent[filter->root])
		return TAKES_CHECKED;
	return run->resource->get.count > 0 ? TAKES_EXPANDED : TAKES_NOT;
}

enum operation_filtering operation_filtering(const struct unified_resource *resource,
					     const struct unified_method *method,
					     const struct model_filter *filter)
{
	static const enum operation_filtering names[] = {
		[TAKES_NOT] = FILTERING_NOT,
		[TAKES_EXPANDED] = FILTERING_EXPANDED,
		[TAKES_CHECKED] = FILTERING_CHECKED,
		[TAKES_ASKED] = FILTERING_ASKED,
	};
	const struct run run = {.resource = resource};
	enum operation_filtering best = FILTERING_NOT;

	for (size_t i = 0; i < method->count; i++) {
		enum taking one = filter_taking(&run, method, &method->alternatives[i], filter);

		if (names[one] > best)
			best = names[one];
	}
	return best;
}

void filters_settle(struct run *run)
{
	const struct unified_alternative *plan = run->plan;

	for (size_t i = 0; i < run->filter_count; i++) {
		struct run_filter *filter = &run->filters[i];

		filter->is_asked = is_asked(plan, filter->name);
		filter->is_checked = !filter->is_asked;
		for (size_t k = 0; k < plan->match_count; k++)
			if (str_equal(plan->matches[k], filter->name))
				filter->is_checked = true;
	}
}

bool filters_check_some(const struct run *run)
{
	for (size_t i = 0; i < run->filter_count; i++)
		if (run->filters[i].is_checked)
			return true;
	return false;
}

/* --- records --------------------------------------------------------------------------------- */

static int compare_numbers(double a, double b)
{
	return a < b ? -1 : a > b;
}

/* Moments, days and numbers by what they are, all else as texts. False: they cannot be compared. */
static bool compare(struct arena *arena, enum model_type type, struct json value, struct str wanted,
		    int *order)
{
	int64_t left, right;
	struct json number;
	struct error err;
	struct str text;

	if (type == MODEL_DATE_TIME) {
		if (!json_is(value, JSON_STRING) || !clock_parse(json_str(value), &left) ||
		    !clock_parse(wanted, &right))
			return false;
		*order = left < right ? -1 : left > right;
		return true;
	}
	if ((type == MODEL_INTEGER || type == MODEL_NUMBER) && json_is_number(value)) {
		if (!json_parse(arena, wanted, &json_limits_default, &number, &err))
			return false;
		*order = json_to_int64(value, &left) && json_to_int64(number, &right)
				 ? (left < right ? -1 : left > right)
				 : compare_numbers(json_to_double(value), json_to_double(number));
		return true;
	}
	if (!native_text(arena, value, &text))
		return false;
	*order = str_compare(text, wanted);
	return true;
}

static bool is_in(enum model_operator operator, int order)
{
	switch (operator) {
	case MODEL_EQ:
	case MODEL_IN:
		return order == 0;
	case MODEL_GT:
		return order > 0;
	case MODEL_GTE:
		return order >= 0;
	case MODEL_LT:
		return order < 0;
	case MODEL_LTE:
		return order <= 0;
	}
	return false;
}

static bool value_matches(struct arena *arena, const struct run_filter *filter, struct json value)
{
	int order;

	if (json_is(value, JSON_NULL) || json_is(value, JSON_UNDEFINED))
		return false;
	for (size_t i = 0; i < filter->count; i++)
		if (compare(arena, filter->model->type, value, json_str(filter->values[i]),
			    &order) &&
		    is_in(filter->model->operator, order))
			return true;
	return false;
}

/* A list on the way matches when one of its elements does. */
static bool matches_at(struct arena *arena, const struct run_filter *filter, struct json value,
		       struct str path)
{
	if (json_is(value, JSON_ARRAY)) {
		for (size_t i = 0; i < value.count; i++)
			if (matches_at(arena, filter, json_at(value, i), path))
				return true;
		return false;
	}
	if (path.len == 0)
		return value_matches(arena, filter, value);
	struct str name = str_cut(&path, '.');
	return matches_at(arena, filter, json_get(value, name), path);
}

enum match filters_match(const struct run *run, struct json record,
			 const struct run_filter **lacking)
{
	const struct model_resource *model = run->resource->model;
	enum match match = MATCH_YES;

	for (size_t i = 0; i < run->filter_count; i++) {
		const struct run_filter *filter = &run->filters[i];

		if (!filter->is_checked)
			continue;
		const struct model_field *root = &model->fields[filter->model->root];
		if (json_is(json_get_hashed(record, root->name, root->hash), JSON_UNDEFINED)) {
			/* What the ATS was asked for is taken as it comes. */
			if (!filter->is_asked) {
				match = MATCH_UNKNOWN;
				*lacking = filter;
			}
		} else if (!matches_at(run->arena, filter, record, filter->model->path)) {
			return MATCH_NO;
		}
	}
	return match;
}
