/* The recorded cases of every connector: connectors/<name>/cases/<case>.json has a body as the ATS
 * gives it and the unified records that must come of it, whole, without remote_data:
 *   {"resource", "method", "query", "body", "expected"}
 * and, where needed, "call" ("notes.list": which of several calls the body answers), "lookups"
 * ({"Department": […]}: what $reference() finds besides the body's own references) and "context"
 * (that of the account). */
#include <stdio.h>
#include <stdlib.h>

#include "../definitions_testing.h"

/* --- one case --------------------------------------------------------------------------------- */

struct testing {
	const char *name;
	struct json written; /* the file */
	const struct unified_resource *resource;
	const struct unified_alternative *alternative;
	const struct unified_call *call;
	const bool *is_absent;
	struct json variables[CONNECTOR_VARIABLES];
	struct jsonata_context context;
	size_t misfits;
};

static bool is_whole(const struct testing *testing, const struct unified_alternative *alternative)
{
	for (size_t i = 0; i < alternative->when_count; i++)
		if (json_is(json_get(json_get_c(testing->written, "query"), alternative->when[i]),
			    JSON_UNDEFINED))
			return false;
	return true;
}

static void find_call(struct testing *testing)
{
	struct str wanted = json_get_str(testing->written, "call");

	for (size_t i = 0; i < testing->alternative->call_count; i++) {
		const struct unified_call *call = &testing->alternative->calls[i];
		struct str name = arena_format(&arena, "%.*s.%.*s",
					       STR_ARGS(call->method->resource),
					       STR_ARGS(call->method->name));

		if (wanted.len == 0 || str_equal(name, wanted)) {
			testing->call = call;
			return;
		}
	}
	fail_msg("%s: no call %.*s", testing->name, STR_ARGS(wanted));
}

static void find_alternative(struct testing *testing, const struct connector *connector)
{
	bool is_get = str_equal(json_get_str(testing->written, "method"), STR("get"));

	testing->resource =
		connector_find_resource(connector, json_get_str(testing->written, "resource"));
	if (testing->resource == NULL)
		fail_msg("%s: no such resource", testing->name);
	const struct unified_method *method =
		is_get ? &testing->resource->get : &testing->resource->list;
	for (size_t i = 0; i < method->count && testing->alternative == NULL; i++)
		if (is_whole(testing, &method->alternatives[i]))
			testing->alternative = &method->alternatives[i];
	if (testing->alternative == NULL)
		fail_msg("%s: no alternative", testing->name);
	find_call(testing);
}

static void add_lookup(const struct testing *testing, struct reference_index *index,
		       struct str type, struct json records)
{
	const struct unified_alternative *alternative = testing->alternative;

	for (size_t i = 0; i < alternative->lookup_count; i++)
		if (str_equal(alternative->lookups[i].type, type)) {
			reference_index_add_by(index, records, type, alternative->lookups[i].key);
			return;
		}
	fail_msg("%s: no lookup %.*s", testing->name, STR_ARGS(type));
}

static struct reference_index *gather_references(const struct testing *testing,
						 const struct connector *connector)
{
	struct reference_index *index = reference_index_create(&arena);
	struct json lookups = json_get_c(testing->written, "lookups");
	struct json body = json_get_c(testing->written, "body");

	reference_index_add(index, json_get_path(body, connector->references_path),
			    (struct str){NULL, 0}, connector->reference_type);
	for (size_t i = 0; json_is(lookups, JSON_OBJECT) && i < lookups.count; i++)
		add_lookup(testing, index,
			   str_make(lookups.members[i].key, lookups.members[i].key_len),
			   lookups.members[i].value);
	return index;
}

static struct json evaluate(struct testing *testing, const struct jsonata *expression,
			    struct json input, struct str what)
{
	struct jsonata_error fault;
	struct json value;

	if (!jsonata_evaluate(expression, &testing->context, input, &value, &fault))
		fail_msg("%s: %.*s: %s %.*s", testing->name, STR_ARGS(what), fault.code,
			 STR_ARGS(fault.message));
	return value;
}

static struct json map(struct testing *testing, struct json child)
{
	const struct model_resource *resource = testing->resource->model;
	const struct unified_map *table = testing->call->map;
	struct json *mapped = arena_zero(&arena, resource->field_count * sizeof *mapped);
	const bool *is_absent = testing->is_absent;

	for (size_t i = 0; i < table->count; i++) {
		size_t field = table->entries[i].field;

		if (is_absent == NULL || !is_absent[field])
			mapped[field] = evaluate(testing, table->entries[i].expression, child,
						 resource->fields[field].name);
	}
	return model_conform(resource, &arena, mapped, is_absent, json_undefined(),
			     &testing->misfits);
}

static void map_record(struct testing *testing, struct json record, struct json_builder *out)
{
	struct json children = record;

	testing->variables[CONNECTOR_VARIABLE_RECORD] = record;
	if (testing->call->each != NULL)
		children = evaluate(testing, testing->call->each, record, STR("each"));
	if (json_is(children, JSON_UNDEFINED))
		return;
	if (!json_is(children, JSON_ARRAY))
		json_builder_add(out, map(testing, children));
	else
		for (size_t i = 0; i < children.count; i++)
			json_builder_add(out, map(testing, json_at(children, i)));
}

static struct json map_body(struct testing *testing)
{
	const struct native_method *method = testing->call->method;
	struct json body = json_get_c(testing->written, "body");
	struct str path = method->is_list ? method->items : method->item;
	struct json records = path.len > 0 ? json_get_path(body, path) : body;
	struct json_builder out;

	json_builder_init(&out, &arena);
	if (!method->is_list)
		map_record(testing, records, &out);
	else
		for (size_t i = 0; i < records.count; i++)
			map_record(testing, json_at(records, i), &out);
	return json_builder_array(&out);
}

static void find_absent(struct testing *testing)
{
	const struct unified_alternative *alternative = testing->alternative;

	testing->is_absent = alternative->is_absent;
	if (alternative->maybe_absent_when != NULL &&
	    evaluate(testing, alternative->maybe_absent_when,
		     json_get_c(testing->written, "body"), STR("maybe_absent"))
		    .boolean)
		testing->is_absent = alternative->is_maybe_absent;
}

static struct str print(struct json value)
{
	struct buffer out;

	buffer_init(&out, &arena, 16 << 20);
	json_print_pretty(&out, value);
	return buffer_str(&out);
}

static void run_case(const struct connector *connector, const char *path)
{
	struct testing testing = {.name = path};
	struct str text;
	struct error err;

	if (!disk_read(disk_system(), &arena, path, 16 << 20, &text, &err) ||
	    !json_parse(&arena, text, &json_limits_default, &testing.written, &err))
		fail_msg("%s: %s", path, err.message);
	find_alternative(&testing, connector);
	testing.variables[CONNECTOR_VARIABLE_CONTEXT] = json_get_c(testing.written, "context");
	testing.variables[CONNECTOR_VARIABLE_QUERY] = json_get_c(testing.written, "query");
	testing.variables[CONNECTOR_VARIABLE_BODY] = json_get_c(testing.written, "body");
	testing.context = (struct jsonata_context){
		.arena = &arena,
		.limits = &jsonata_limits_default,
		.variables = testing.variables,
		.native_context = gather_references(&testing, connector),
		.clock = clock_system(),
		.random = random_system(),
	};
	find_absent(&testing);
	struct json found = map_body(&testing);
	struct json expected = json_get_c(testing.written, "expected");
	if (!json_equal(found, expected)) {
		/* fail_msg cuts. */
		fprintf(stderr, "%s gave\n%.*s\n", path, STR_ARGS(print(found)));
		fail();
	}
	if (testing.misfits > 0)
		fail_msg("%s: %zu values did not fit the model", path, testing.misfits);
}

static void run_cases(const struct connector *connector, const char *only)
{
	struct str folder = arena_format(&arena, "%s/%.*s/cases", in_source("connectors"),
					 STR_ARGS(connector->name));
	struct str *names;
	struct error err;
	size_t count;

	if (!disk_list(disk_system(), &arena, folder.data, &names, &count, &err))
		fail_msg("%s", err.message);
	assert_true(count > 0);
	for (size_t i = 0; i < count; i++)
		if (only == NULL || str_find(names[i], str_from_c(only)) >= 0)
			run_case(connector, arena_format(&arena, "%.*s/%.*s", STR_ARGS(folder),
							 STR_ARGS(names[i]))
						    .data);
}

/* TENON_CASE: only the cases whose names have this in them. */
static void test_cases(void **state)
{
	(void)state;
	for (size_t i = 0; i < connectors.count; i++)
		run_cases(connectors.items[i], getenv("TENON_CASE"));
}

static void test_finding_connectors(void **state)
{
	struct error err;

	(void)state;
	assert_true(connectors.count > 0);
	assert_ptr_equal(connectors_find(&connectors, connectors.items[0]->name, &err),
			 connectors.items[0]);
	assert_null(connectors_find(&connectors, STR("nowhere"), &err));
	assert_int_equal(err.code, ERROR_NOT_FOUND);
	assert_string_equal(err.field, "connector");
	assert_non_null(strstr(err.allowed, arena_c(&arena, connectors.items[0]->name)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cases),
		cmocka_unit_test(test_finding_connectors),
	};

	return cmocka_run_group_tests(tests, load_definitions, drop_definitions);
}
