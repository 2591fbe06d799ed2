/* The OpenAPI document and the router tell of the same doors. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "app/server/server.h"
#include "front/discovery/discovery.h"

static struct arena arena;
static struct json document;

static const char *source(const char *name)
{
	return arena_format(&arena, "%s/%s", getenv("TENON_SOURCE"), name).data;
}

static int load(void **state)
{
	const struct disk *disk = disk_system();
	struct connectors *connectors;
	struct model_aliases *aliases;
	struct buffer faults;
	struct error err = {0};

	(void)state;
	arena_init(&arena, 256 * 1024 * 1024);
	connectors = arena_zero(&arena, sizeof *connectors);
	aliases = arena_zero(&arena, sizeof *aliases);
	buffer_init(&faults, &arena, 65536);
	const struct model *model = model_load(&arena, disk, source("models/ats"), &faults);
	assert_non_null(model);
	assert_true(
		connectors_load(&arena, disk, source("connectors"), model, connectors, &faults));
	assert_true(
		model_load_aliases(&arena, disk, source("models/aliases.yaml"), aliases, &faults));
	const struct discovery *discovery =
		discovery_create(&arena, model, connectors, aliases, "1.2.3", &err);
	assert_non_null(discovery);
	assert_true(json_parse(&arena, discovery_openapi(discovery), &json_limits_default,
			       &document, &err));
	return 0;
}

static int unload(void **state)
{
	(void)state;
	arena_finish(&arena);
	return 0;
}

/* --- routes ---------------------------------------------------------------------------------- */

static struct str key_of(const struct json_member *member)
{
	return str_make(member->key, member->key_len);
}

/* A path as a caller would have it: a word for each {name}. */
static struct str fill_in(struct str path)
{
	struct buffer out;

	buffer_init(&out, &arena, 4096);
	path = str_slice(path, 1, path.len);
	while (path.len > 0) {
		struct str part = str_cut(&path, '/');

		buffer_append_byte(&out, '/');
		buffer_append(&out, part.data[0] == '{' ? STR("word") : part);
	}
	return buffer_str(&out);
}

static enum http_method method_of(struct str name)
{
	static const struct {
		const char *name;
		enum http_method method;
	} names[] = {{"get", HTTP_GET},	    {"post", HTTP_POST},     {"put", HTTP_PUT},
		     {"patch", HTTP_PATCH}, {"delete", HTTP_DELETE}, {"options", HTTP_OPTIONS}};

	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (str_equal_c(name, names[i].name))
			return names[i].method;
	return HTTP_METHODS;
}

static void find_operations(const struct http_router *router, const struct json_member *path,
			    const struct http_route *routes, bool *is_told)
{
	for (size_t i = 0; i < path->value.count; i++) {
		enum http_method method = method_of(key_of(&path->value.members[i]));
		const struct http_route *route;
		struct http_match match;
		struct error err = {0};

		if (method == HTTP_METHODS)
			continue; /* parameters of all of them */
		if (!http_router_find(router, method, fill_in(key_of(path)), &arena, &route, &match,
				      &err))
			fail_msg("the document has %s %.*s, the router has not",
				 http_method_name(method), STR_ARGS(key_of(path)));
		is_told[route - routes] = true;
	}
}

static void test_document_and_router_agree(void **state)
{
	size_t count;
	const struct http_route *routes = server_routes(&arena, &count);
	const struct http_router *router = http_router_create(&arena, routes, count);
	struct json paths = json_get_c(document, "paths");
	bool *is_told = arena_zero(&arena, count);

	(void)state;
	assert_true(paths.count > 50);
	for (size_t i = 0; i < paths.count; i++)
		find_operations(router, &paths.members[i], routes, is_told);
	for (size_t i = 0; i < count; i++)
		if (!is_told[i])
			fail_msg("%s %s is served, but no api.yaml has it",
				 http_method_name(routes[i].method), routes[i].pattern);
}

/* --- the document by itself ------------------------------------------------------------------ */

static void check_operation(struct json operation, struct json_builder *ids)
{
	struct json id = json_get_c(operation, "operationId");
	struct json responses = json_get_c(operation, "responses");

	assert_true(json_is(id, JSON_STRING));
	for (size_t i = 0; i < ids->count; i++)
		if (json_equal(((struct json *)ids->items)[i], id))
			fail_msg("the operationId %.*s is there twice", STR_ARGS(json_str(id)));
	json_builder_add(ids, id);
	assert_true(json_get_str(operation, "summary").len > 0);
	assert_true(json_get_c(operation, "tags").count == 1);
	assert_true(json_is(json_get_c(responses, "4XX"), JSON_OBJECT));
	assert_true(json_is(json_get_c(responses, "5XX"), JSON_OBJECT));
}

static void test_each_operation_is_whole(void **state)
{
	struct json paths = json_get_c(document, "paths");
	struct json_builder ids;

	(void)state;
	json_builder_init(&ids, &arena);
	for (size_t i = 0; i < paths.count; i++)
		for (size_t k = 0; k < paths.members[i].value.count; k++)
			if (method_of(key_of(&paths.members[i].value.members[k])) != HTTP_METHODS)
				check_operation(paths.members[i].value.members[k].value, &ids);
	assert_true(ids.count > 100);
}

/* Every $ref leads somewhere. */
static void check_references(struct json value)
{
	struct str reference = json_get_str(value, "$ref");

	if (reference.len > 0) {
		struct str path = str_slice(reference, 2, reference.len);
		struct json target = document;

		assert_true(str_starts_with(reference, STR("#/components/")));
		while (path.len > 0)
			target = json_get(target, str_cut(&path, '/'));
		if (!json_is(target, JSON_OBJECT))
			fail_msg("%.*s leads nowhere", STR_ARGS(reference));
	}
	for (size_t i = 0; json_is(value, JSON_OBJECT) && i < value.count; i++)
		check_references(value.members[i].value);
	for (size_t i = 0; json_is(value, JSON_ARRAY) && i < value.count; i++)
		check_references(value.items[i]);
}

static void test_references(void **state)
{
	(void)state;
	check_references(document);
}

static void test_it_is_made_of_the_model(void **state)
{
	struct json list = json_get_path(
		json_get(json_get_c(document, "paths"), STR("/unified/ats/job_form_fields")),
		STR("get"));
	struct json schemas = json_get_path(document, STR("components.schemas"));
	struct json status = json_get_path(schemas, STR("Job.properties.status"));
	bool has_filter = false;

	(void)state;
	assert_true(str_equal(json_get_str(document, "openapi"), STR("3.1.0")));
	assert_true(
		str_equal(json_str(json_get_path(document, STR("info.version"))), STR("1.2.3")));
	assert_true(str_equal(json_get_str(list, "operationId"), STR("listJobFormFields")));
	for (size_t i = 0; i < json_get_c(list, "parameters").count; i++)
		if (str_equal(json_get_str(json_at(json_get_c(list, "parameters"), i), "name"),
			      STR("job_id")))
			has_filter = true;
	assert_true(has_filter);
	assert_true(json_get_c(status, "enum").count > 2);
	assert_true(json_is(json_get_path(schemas, STR("ApplicationMoveStageBody")), JSON_OBJECT));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_document_and_router_agree),
		cmocka_unit_test(test_each_operation_is_whole),
		cmocka_unit_test(test_references),
		cmocka_unit_test(test_it_is_made_of_the_model),
	};

	return cmocka_run_group_tests(tests, load, unload);
}
