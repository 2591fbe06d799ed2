/* A native method of the connector, one to one: which one is meant, its parameters out of the
 * query, a list in pages with its records untouched, everything else as the ATS answers it. */
#include <assert.h>
#include <stdio.h>

#include "ats/operation/list.h"

/* --- which method is meant ------------------------------------------------------------------- */

static bool has_resource(const struct run *run)
{
	for (size_t i = 0; i < run->connector->method_count; i++)
		if (str_equal(run->connector->methods[i].resource, run->operation->resource))
			return true;
	return false;
}

static bool refuse_resource(const struct run *run, struct error *err)
{
	const struct connector *connector = run->connector;
	struct name_list names = {0};

	for (size_t i = 0; i < connector->method_count; i++)
		if (i == 0 ||
		    !str_equal(connector->methods[i].resource, connector->methods[i - 1].resource))
			name_list_add(&names, connector->methods[i].resource);
	return error_set_field(err, ERROR_NOT_FOUND, "resource", names.text,
			       "%.*s has no native resource \"%.*s\"", STR_ARGS(connector->label),
			       STR_ARGS(run->operation->resource));
}

static bool refuse_method(const struct run *run, struct str wanted, struct error *err)
{
	const struct connector *connector = run->connector;
	struct name_list names = {0};

	for (size_t i = 0; i < connector->method_count; i++)
		if (str_equal(connector->methods[i].resource, run->operation->resource))
			name_list_add(&names, connector->methods[i].name);
	return error_set_field(err, ERROR_NOT_SUPPORTED, "method", names.text,
			       "%.*s has no native method \"%.*s\" of %.*s",
			       STR_ARGS(connector->label), STR_ARGS(wanted),
			       STR_ARGS(run->operation->resource));
}

static const struct native_method *find(const struct run *run, struct str name)
{
	return connector_find_method(run->connector, run->operation->resource, name);
}

/* By its name a method is called with its own verb, or with POST. */
static bool check_verb(const struct run *run, const struct native_method *method, struct error *err)
{
	enum http_method verb = run->operation->native->verb;
	char allowed[32];

	if (verb == method->verb || verb == HTTP_POST)
		return true;
	snprintf(allowed, sizeof allowed, "%s%s", http_method_name(method->verb),
		 method->verb == HTTP_POST ? "" : ", POST");
	return error_set_field(err, ERROR_METHOD, "method", allowed,
			       "\"%.*s\" of %.*s does not take that method", STR_ARGS(method->name),
			       STR_ARGS(method->resource));
}

static struct str standard_name(const struct operation *operation)
{
	switch (operation->native->verb) {
	case HTTP_GET:
		return operation->id.len > 0 ? STR("get") : STR("list");
	case HTTP_POST:
		return operation->id.len > 0 ? operation->id : STR("create");
	case HTTP_DELETE:
		return STR("delete");
	default:
		return STR("update");
	}
}

/* *id: what is left of the path for a parameter. */
static const struct native_method *find_method(const struct run *run, struct str *id,
					       struct error *err)
{
	const struct operation *operation = run->operation;
	struct str name = operation->native->name;
	const struct native_method *method;

	*id = operation->id;
	if (!has_resource(run)) {
		refuse_resource(run, err);
		return NULL;
	}
	if (name.len == 0 && id->len > 0 && find(run, *id) != NULL) {
		name = *id;
		id->len = 0;
	}
	if (name.len > 0) {
		method = find(run, name);
		if (method == NULL)
			refuse_method(run, name, err);
		return method != NULL && check_verb(run, method, err) ? method : NULL;
	}
	name = standard_name(operation);
	method = find(run, name);
	/* What is there once has no list. */
	if (method == NULL && str_equal(name, STR("list")))
		method = find(run, STR("get"));
	if (method == NULL)
		refuse_method(run, name, err);
	return method;
}

const struct native_method *operation_native(const struct operation_services *services,
					     const struct operation *operation)
{
	struct run run = {.services = services, .operation = operation};
	struct error ignored;
	struct str id;

	if (operation->account == NULL)
		return NULL;
	run.connector =
		connectors_find(services->connectors, operation->account->connector, &ignored);
	return run.connector == NULL ? NULL : find_method(&run, &id, &ignored);
}

/* --- its parameters -------------------------------------------------------------------------- */

static const struct run_filter *find_given(const struct run *run, struct str name)
{
	for (size_t i = 0; i < run->filter_count; i++)
		if (str_equal(run->filters[i].name, name))
			return &run->filters[i];
	return NULL;
}

static bool is_path_parameter(const struct run *run, const struct native_method *method,
			      struct str name)
{
	for (size_t i = 0; i < method->path.count; i++)
		if (method->path.parts[i].is_name && str_equal(method->path.parts[i].text, name))
			return !connector_has_context(run->connector, name);
	return false;
}

static bool refuse(struct str name, const char *allowed, const char *why, struct error *err)
{
	char field[sizeof err->field];

	snprintf(field, sizeof field, "%.*s", STR_ARGS(name));
	return error_set_field(err, ERROR_INVALID, field, allowed, "\"%s\" %s", field, why);
}

/* The parameter that the id in the path is meant for: "id", or the last one which the query does
 * not give. */
static struct str find_target(const struct run *run, const struct native_method *method)
{
	struct str target = {NULL, 0};

	for (size_t i = 0; i < method->path.count; i++) {
		struct str name = method->path.parts[i].text;

		if (!method->path.parts[i].is_name || connector_has_context(run->connector, name) ||
		    find_given(run, name) != NULL)
			continue;
		if (str_equal(name, STR("id")))
			return name;
		target = name;
	}
	return target;
}

static bool add_path(const struct run *run, struct native_call *call, struct str id,
		     struct error *err)
{
	const struct native_method *method = call->method;
	struct str target = find_target(run, method);

	if (id.len > 0 && target.len == 0)
		return refuse(STR("id"), "nothing", "has no place in this method", err);
	for (size_t i = 0; i < method->path.count; i++) {
		struct str name = method->path.parts[i].text;
		const struct run_filter *given = find_given(run, name);
		struct str value = id;

		if (!method->path.parts[i].is_name || connector_has_context(run->connector, name))
			continue;
		if (given != NULL)
			value = given->value;
		else if (id.len == 0 || !str_equal(name, target))
			return refuse(name, "given in the query", "is missing", err);
		if (!native_is_path_part(value))
			return refuse(name, NULL, "cannot be that", err);
		native_add_path(run, call, name, value);
	}
	return true;
}

static bool add_query(const struct run *run, struct native_call *call, struct error *err)
{
	const struct native_method *method = call->method;

	for (size_t i = 0; i < run->filter_count; i++) {
		struct str name = run->filters[i].name, value = run->filters[i].value;
		const char *allowed = native_check_type(method, name, value);

		if (is_path_parameter(run, method, name)) {
			if (find_given(run, name) != &run->filters[i])
				return refuse(name, "given once", "is given twice", err);
			continue;
		}
		if (native_is_paging(method, name))
			return refuse(name, "limit, next_cursor", "is for tenon to say", err);
		if (allowed != NULL)
			return refuse(name, allowed, "cannot be that", err);
		if (http_has_control_byte(name) || http_has_control_byte(value))
			return refuse(name, "text", "has a control byte in it", err);
		native_add_query(run, call, name, value);
	}
	for (size_t i = 0; i < method->query_count; i++)
		if (method->query[i].is_required && find_given(run, method->query[i].name) == NULL)
			return refuse(method->query[i].name, "given in the query", "is missing",
				      err);
	return true;
}

/* Forms of fields alone are what some programs call JSON by default. */
static bool is_json(struct str content_type)
{
	return content_type.len == 0 || str_find(content_type, STR("json")) >= 0 ||
	       str_starts_with(content_type, STR("text/")) ||
	       str_starts_with(content_type, STR("application/x-www-form-urlencoded"));
}

/* JSON is read, for a fault in it is better told here; all else is the ATS's to judge. *body: as
 * it is shown. */
static bool add_body(const struct run *run, struct native_call *call, struct json *body,
		     struct error *err)
{
	static const struct json_limits limits = {
		.bytes_max = 16 * 1024 * 1024, .depth_max = 64, .nodes_max = 1000000};
	const struct operation_native *native = run->operation->native;
	struct error inner;

	*body = json_undefined();
	if (native->body.len == 0 && native->source == NULL)
		return true;
	if (call->method->verb == HTTP_GET)
		return error_set_field(err, ERROR_INVALID, "body", "nothing",
				       "this method takes no body");
	call->content_type = native->content_type;
	if (native->source != NULL) {
		call->source = resend_create(run->arena, native->source);
		return true;
	}
	call->body = native->body;
	*body = json_string(native->body);
	if (!is_json(native->content_type))
		return true;
	if (str_find(native->content_type, STR("json")) < 0)
		call->content_type = STR("application/json");
	return json_parse(run->arena, native->body, &limits, body, &inner) ||
	       error_set_field(err, inner.code, "body", "JSON, or multipart/form-data",
			       "the body is not JSON: %s", inner.message);
}

/* --- a list ---------------------------------------------------------------------------------- */

struct pages {
	struct run *run;
	const struct native_call *call;
	struct place place;
	struct json_builder items;
	bool has_more;
};

/* The native calls, or the time, are used up: what is there is a page. */
static bool is_enough(const struct pages *pages, const struct error *err)
{
	if (err->code == ERROR_NONE)
		return true;
	if (pages->items.count == 0 ||
	    (err->code != ERROR_TIMEOUT && err->code != ERROR_RATE_LIMITED))
		return false;
	pages->run->result->remote_status = 0;
	pages->run->result->remote_body = (struct str){NULL, 0};
	return true;
}

/* *is_over: no more is to be asked for now. */
static bool add_page(struct pages *pages, size_t limit, bool *is_over, struct error *err)
{
	struct run *run = pages->run;
	const struct native_method *method = pages->call->method;
	struct window window;
	size_t i = 0;

	*is_over = true;
	if (!page_fetch(run, pages->call, &pages->place, (int64_t)(limit - pages->items.count),
			&window, err))
		return is_enough(pages, err);
	for (; i < window.count && pages->items.count < limit; i++) {
		budget_note(run, &pages->place);
		json_builder_add(&pages->items, window.records.items[window.items[i]]);
		page_pass(method, &pages->place, &window, i);
	}
	if (i == window.count) {
		pages->has_more = !window.is_last;
		*is_over = window.is_last;
		if (pages->has_more)
			page_leave(method, &pages->place, &window);
	}
	return arena_check(run->arena, err);
}

static bool run_list(struct run *run, const struct native_call *call, struct error *err)
{
	struct pages pages = {.run = run, .call = call, .has_more = true};
	size_t limit = (size_t)run->operation->limit;
	bool is_over = false;

	run->native = call->method;
	place_init(&pages.place, run->arena);
	json_builder_init(&pages.items, run->arena);
	if (run->operation->cursor.len > 0 &&
	    !cursor_open(run, run->operation->cursor, &pages.place, err))
		return false;
	while (!is_over && pages.items.count < limit &&
	       run->arena->bytes < run->arena->bytes_max / 2)
		if (!add_page(&pages, limit, &is_over, err))
			return false;
	run->result->items = json_builder_array(&pages.items);
	if (pages.has_more)
		run->result->next_cursor = cursor_seal(run, &pages.place);
	budget_apply(run);
	return true;
}

/* A parameter of this name that is no paging is the ATS's as well. */
static void add_limit(const struct run *run, struct native_call *call)
{
	const struct native_method *method = call->method;

	for (size_t i = 0; i < method->query_count; i++)
		if (str_equal(method->query[i].name, STR("limit")))
			native_add_query(
				run, call, STR("limit"),
				arena_format(run->arena, "%lld", (long long)run->operation->limit));
}

static void show(struct run *run, const struct native_call *call, struct json body)
{
	struct json *calls = arena_alloc(run->arena, sizeof *calls);

	*calls = native_describe(run, call, body);
	run->result->item = native_dry_run(run, json_array(calls, 1), json_array(NULL, 0));
}

bool proxy_run(struct run *run, struct error *err)
{
	const struct operation *operation = run->operation;
	struct native_call call = {0};
	struct json body;
	struct str id;

	assert(operation->native != NULL);
	if (operation->filter_count > FILTERS_MAX)
		return error_set(err, ERROR_LIMIT, "more than %d parameters", FILTERS_MAX);
	filters_take(run);
	call.method = find_method(run, &id, err);
	run->result->native = call.method;
	if (call.method == NULL || !add_path(run, &call, id, err) || !add_query(run, &call, err) ||
	    !add_body(run, &call, &body, err))
		return false;
	if (operation->dry_run && call.method->verb != HTTP_GET) {
		show(run, &call, body);
		return true;
	}
	add_limit(run, &call);
	if (call.method->is_list && call.method->verb == HTTP_GET)
		return run_list(run, &call, err);
	call.answer = ANSWER_FILE;
	return raw_send(run, &call, err);
}
