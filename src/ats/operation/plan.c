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
			       run->operation->method == OPERATION_LIST ? "list" : "get one of",
			       STR_ARGS(run->operation->resource));
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

static bool method_takes(const struct run *run, const struct unified_method *method,
			 const struct model_filter *filter)
{
	for (size_t i = 0; i < method->count; i++)
		if (filter_taking(run, method, &method->alternatives[i], filter) != TAKES_NOT)
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
		if (method_takes(run, method, &model->filters[i]))
			name_list_add(&names, model->filters[i].name);
	if (model_find_filter(model, name) == NULL)
		return error_set_field(err, ERROR_INVALID, c_name(name, field), names.text,
				       "%.*s have no filter \"%.*s\"", STR_ARGS(model->name),
				       STR_ARGS(name));
	return error_set_field(err, ERROR_INVALID, c_name(name, field), names.text,
			       "%.*s cannot filter %.*s by \"%.*s\"",
			       STR_ARGS(run->connector->label), STR_ARGS(model->name),
			       STR_ARGS(name));
}

static void make_query(struct run *run)
{
	struct json_builder query;

	json_builder_init(&query, run->arena);
	for (size_t i = 0; i < run->filter_count; i++)
		json_builder_set(&query, run->filters[i].name, json_string(run->filters[i].value));
	run->query = json_builder_object(&query);
}

static bool read_filters(struct run *run, const struct unified_method *method, struct error *err)
{
	const struct operation *operation = run->operation;

	if (operation->filter_count > FILTERS_MAX)
		return error_set(err, ERROR_INVALID, "more than %d filters", FILTERS_MAX);
	run->filters = arena_array(run->arena, operation->filter_count + 1, sizeof *run->filters);
	for (size_t i = 0; i < operation->filter_count; i++) {
		const struct operation_filter *given = &operation->filters[i];
		struct str name = given->name;

		if (str_ends_with(name, STR("[in][]")))
			name.len -= 2;
		const struct model_filter *known = model_find_filter(run->resource->model, name);
		if (known == NULL || !method_takes(run, method, known))
			return refuse_filter(run, method, name, err);
		if (!filter_read(run, known, given, err))
			return false;
	}
	make_query(run);
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

/* The worst of how the alternative takes the filters given; *untaken is one which it does not. */
static enum taking find_taking(const struct run *run, const struct unified_method *method,
			       const struct unified_alternative *alternative,
			       const struct run_filter **untaken)
{
	enum taking worst = TAKES_ASKED;

	for (size_t i = 0; i < run->filter_count; i++) {
		enum taking one = filter_taking(run, method, alternative, run->filters[i].model);

		if (one == TAKES_NOT && untaken != NULL && worst != TAKES_NOT)
			*untaken = &run->filters[i];
		if (one < worst)
			worst = one;
	}
	return worst;
}

/* Each filter is fit for some alternative, and yet none takes them together. */
static bool refuse_all(const struct run *run, const struct unified_method *method,
		       struct error *err)
{
	const struct run_filter *untaken = NULL;
	char field[sizeof err->field];

	for (size_t i = 0; i < method->count; i++) {
		const struct unified_alternative *alternative = &method->alternatives[i];
		const struct str *missing = find_missing(run, alternative);

		if (missing == NULL) {
			find_taking(run, method, alternative, untaken == NULL ? &untaken : NULL);
		} else if (find_taking(run, method, alternative, NULL) != TAKES_NOT) {
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

/* The first of those that do best, or NULL. */
static const struct unified_alternative *choose(const struct run *run,
						const struct unified_method *method)
{
	const struct unified_alternative *best = NULL;
	enum taking most = TAKES_NOT;

	for (size_t i = 0; i < method->count; i++) {
		const struct unified_alternative *alternative = &method->alternatives[i];
		enum taking taking = find_taking(run, method, alternative, NULL);

		if (find_missing(run, alternative) != NULL || taking <= most)
			continue;
		most = taking;
		best = alternative;
	}
	return best;
}

bool plan_resource(struct run *run, struct error *err)
{
	run->resource = connector_find_resource(run->connector, run->operation->resource);
	if (run->resource == NULL)
		return refuse_resource(run, err);
	run->result->is_rough = run->resource->sync.is_rough;
	return true;
}

bool plan_make(struct run *run, struct error *err)
{
	if (!plan_resource(run, err))
		return false;
	const struct unified_method *method = run->operation->method == OPERATION_LIST
						      ? &run->resource->list
						      : &run->resource->get;
	if (method->count == 0)
		return refuse_method(run, err);
	if (!read_filters(run, method, err))
		return false;
	run->plan = choose(run, method);
	if (run->plan == NULL)
		return refuse_all(run, method, err);
	filters_settle(run);
	return true;
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
	struct run_filter *filters = arena_array(run->arena, count + 1, sizeof *filters);
	const struct run_filter *old = run->filters;
	size_t old_count = run->filter_count;
	struct str text;

	run->filters = filters;
	run->filter_count = 0;
	for (size_t i = 0; i < alternative->expand_count; i++) {
		const struct unified_path *expand = &alternative->expands[i];
		struct json *value = arena_alloc(run->arena, sizeof *value);

		if (!find_text(run->arena, record, expand->path, &text))
			return false;
		*value = json_string(text);
		filters[run->filter_count++] = (struct run_filter){
			.name = expand->filter, .value = text, .values = value, .count = 1};
	}
	for (size_t i = 0; i < old_count; i++)
		if (!plan_filter(run, old[i].name, &text))
			filters[run->filter_count++] = old[i];
	make_query(run);
	return true;
}

/* A method that not even the model knows is no question of this ATS. */
static bool refuse_write(const struct run *run, struct error *err)
{
	const struct model_resource *model = run->resource->model;
	struct str wanted = run->operation->write;
	struct name_list names = {0};

	if (model_find_method(model, wanted) == NULL) {
		name_list_add(&names, STR("list"));
		name_list_add(&names, STR("get"));
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
	if (!plan_resource(run, err))
		return false;
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
