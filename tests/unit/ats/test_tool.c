/* Tools for AI agents: what is made of the real connector and of small ones, that every schema is
 * one which clients take, and what the arguments of calls come to. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

#include "ats/tool/tool.h"

static struct arena arena;
static const struct model *model;
static const struct connector *connector;
static const struct toolset *toolset;
static struct account account;

static const char *in_source(const char *path)
{
	return arena_format(&arena, "%s/%s", getenv("TENON_SOURCE"), path).data;
}

static const struct toolset *make(const char *models, const char *folder, struct buffer *faults)
{
	buffer_init(faults, &arena, 1 << 20);
	model = model_load(&arena, disk_system(), in_source(models), faults);
	connector = model == NULL ? NULL
				  : connector_load(&arena, disk_system(), in_source(folder), model,
						   faults);
	if (connector == NULL)
		fail_msg("%.*s", STR_ARGS(buffer_str(faults)));
	return toolset_create(&arena, model, connector, faults);
}

static struct json parse(const char *text)
{
	struct json value;
	struct error err;

	if (!json_parse(&arena, str_from_c(text), &json_limits_default, &value, &err))
		fail_msg("%s", err.message);
	return value;
}

static int setup(void **state)
{
	struct buffer faults;

	(void)state;
	arena_init(&arena, 256 << 20);
	toolset = make("models/ats", "connectors/recruitee", &faults);
	if (toolset == NULL)
		fail_msg("%.*s", STR_ARGS(buffer_str(&faults)));
	account = (struct account){.id = STR("acc_1"), .connector = STR("recruitee"),
				   .context = parse("{\"company_id\": \"acme\"}")};
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	arena_finish(&arena);
	return 0;
}

static const struct tool *find(const char *name)
{
	const struct tool *tool = toolset_find(toolset, str_from_c(name));

	if (tool == NULL)
		fail_msg("there is no tool %s", name);
	return tool;
}

static void assert_str(struct str text, const char *expected)
{
	if (!str_equal_c(text, expected))
		fail_msg("\"%.*s\" is not \"%s\"", STR_ARGS(text), expected);
}

static bool has_tag(const struct tool *tool, const char *tag)
{
	for (size_t i = 0; i < tool->tag_count; i++)
		if (str_equal_c(tool->tags[i], tag))
			return true;
	return false;
}

/* --- what there is ---------------------------------------------------------------------------- */

static void test_the_five_tools_are_there(void **state)
{
	static const char *const names[] = {
		"list_all_recruitee_interview_results", "list_all_recruitee_notes",
		"list_all_recruitee_locations", "list_all_recruitee_offer_notes",
		"list_all_recruitee_admins"};

	(void)state;
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		const struct tool *tool = find(names[i]);

		assert_int_equal(tool->kind, TOOL_READ);
		assert_true(tool->is_list);
		assert_false(tool->is_unified);
		assert_true(has_tag(tool, "proxy"));
	}
}

static bool has_file(const struct model_field *fields, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (fields[i].type == MODEL_FILE ||
		    has_file(fields[i].fields, fields[i].field_count))
			return true;
	return false;
}

static bool has_tool(struct str resource, struct str method, bool is_unified)
{
	for (size_t i = 0; i < toolset->count; i++) {
		const struct tool *tool = &toolset->tools[i];
		struct str name = is_unified && tool->is_unified  ? tool->unified->model->name
				  : !is_unified && !tool->is_unified ? tool->native->resource
								     : STR("");

		if (str_equal(name, resource) && str_equal(tool->method, method))
			return true;
	}
	return false;
}

static void test_every_method_without_a_file_is_a_tool(void **state)
{
	size_t count = 0;

	(void)state;
	for (size_t i = 0; i < connector->method_count; i++) {
		const struct native_method *method = &connector->methods[i];
		bool is_wanted = !has_file(method->body, method->body_count);

		count += is_wanted;
		assert_int_equal(has_tool(method->resource, method->name, false), is_wanted);
	}
	for (size_t i = 0; i < connector->resource_count; i++) {
		const struct unified_resource *resource = &connector->resources[i];
		struct str name = resource->model->name;

		count += resource->write_count;
		count += resource->list.count > 0;
		count += resource->get.count > 0;
		assert_int_equal(has_tool(name, STR("list"), true), resource->list.count > 0);
		assert_int_equal(has_tool(name, STR("get"), true), resource->get.count > 0);
		for (size_t k = 0; k < resource->write_count; k++)
			assert_true(has_tool(name, resource->writes[k].model->name, true));
	}
	assert_int_equal(toolset->count, count);
}

static void test_names_are_short_plain_and_in_order(void **state)
{
	(void)state;
	for (size_t i = 0; i < toolset->count; i++) {
		struct str name = toolset->tools[i].name;

		assert_in_range(name.len, 1, TOOL_NAME_BYTES_MAX);
		for (size_t k = 0; k < name.len; k++)
			assert_true((name.data[k] >= 'a' && name.data[k] <= 'z') ||
				    (name.data[k] >= '0' && name.data[k] <= '9') ||
				    name.data[k] == '_');
		assert_true(i == 0 || str_compare(toolset->tools[i - 1].name, name) < 0);
		assert_ptr_equal(toolset_find(toolset, name), &toolset->tools[i]);
	}
	assert_null(toolset_find(toolset, STR("list_all_recruitee")));
	find("ats_applications_move_stage");
	find("create_a_ats_application");
	find("get_single_ats_reject_reason_by_id");
	find("update_a_recruitee_pipeline_stage_by_id");
	find("recruitee_placements_change_stage");
}

static void test_the_same_definitions_make_the_same_bytes(void **state)
{
	const struct toolset *first = toolset;
	const struct model *old_model = model;
	const struct connector *old_connector = connector;
	struct buffer faults;
	const struct toolset *second = make("models/ats", "connectors/recruitee", &faults);

	(void)state;
	model = old_model;
	connector = old_connector;
	assert_int_equal(first->count, second->count);
	for (size_t i = 0; i < first->count; i++) {
		assert_true(str_equal(first->tools[i].text, second->tools[i].text));
		assert_true(str_equal(first->tools[i].text_structured,
				      second->tools[i].text_structured));
	}
}

static struct str print(struct json value)
{
	struct buffer out;

	buffer_init(&out, &arena, 1 << 20);
	json_print(&out, value);
	return buffer_str(&out);
}

/* --- schemas ---------------------------------------------------------------------------------- */

static bool is_one_of(struct str text, const char *const *names)
{
	for (size_t i = 0; names[i] != NULL; i++)
		if (str_equal_c(text, names[i]))
			return true;
	return false;
}

/* One type and nothing which a client could stumble over. */
static void assert_plain(const struct tool *tool, struct json schema)
{
	static const char *const keys[] = {"type", "description", "format", "enum", "items",
					   "properties", "required", "additionalProperties", NULL};
	static const char *const types[] = {"string", "integer", "number", "boolean",
					    "object", "array", NULL};
	struct json properties = json_get_c(schema, "properties");
	struct json required = json_get_c(schema, "required"), values = json_get_c(schema, "enum");

	for (size_t i = 0; i < schema.count; i++)
		if (!is_one_of(json_name(&schema.members[i]), keys))
			fail_msg("%.*s: %.*s", STR_ARGS(tool->name),
				 STR_ARGS(json_name(&schema.members[i])));
	assert_true(json_is(json_get_c(schema, "type"), JSON_STRING));
	assert_true(is_one_of(json_get_str(schema, "type"), types));
	assert_int_equal(str_equal_c(json_get_str(schema, "type"), "array"),
			 json_is(json_get_c(schema, "items"), JSON_OBJECT));
	if (json_is(json_get_c(schema, "items"), JSON_OBJECT))
		assert_plain(tool, json_get_c(schema, "items"));
	for (size_t i = 0; json_is(values, JSON_ARRAY) && i < values.count; i++)
		assert_true(json_is(json_at(values, i), JSON_STRING));
	for (size_t i = 0; json_is(properties, JSON_OBJECT) && i < properties.count; i++)
		assert_plain(tool, properties.members[i].value);
	for (size_t i = 0; json_is(required, JSON_ARRAY) && i < required.count; i++)
		assert_true(json_is(json_get(properties, json_str(json_at(required, i))),
				    JSON_OBJECT));
}

static bool is_argument_name(struct str name)
{
	for (size_t i = 0; i < name.len; i++) {
		char c = name.data[i];

		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
		      c == '_' || c == '.' || c == '-'))
			return false;
	}
	return name.len > 0 && name.len <= 64;
}

static void test_schemas_are_flat_and_plain(void **state)
{
	(void)state;
	for (size_t i = 0; i < toolset->count; i++) {
		const struct tool *tool = &toolset->tools[i];
		struct json properties = json_get_c(tool->schema, "properties");

		assert_plain(tool, tool->schema);
		assert_str(json_get_str(tool->schema, "type"), "object");
		assert_str(json_get_str(tool->output, "type"), "object");
		assert_true(json_is(json_get_c(tool->schema, "additionalProperties"), JSON_BOOL));
		for (size_t k = 0; json_is(properties, JSON_OBJECT) && k < properties.count; k++) {
			if (!is_argument_name(json_name(&properties.members[k])) ||
			    json_get_str(properties.members[k].value, "description").len == 0)
				fail_msg("%.*s: %.*s", STR_ARGS(tool->name),
					 STR_ARGS(json_name(&properties.members[k])));
		}
	}
}

/* Nothing is required, and no values or formats are promised that a mask would break. */
static void test_outputs_are_open_objects(void **state)
{
	struct json properties, record;

	(void)state;
	for (size_t i = 0; i < toolset->count; i++) {
		struct str text = print(toolset->tools[i].output);

		assert_int_equal(json_is(json_get_c(json_get_c(toolset->tools[i].output,
							       "properties"), "result"),
					 JSON_OBJECT),
				 toolset->tools[i].is_list);
		assert_true(str_find(text, STR("\"required\"")) < 0);
		assert_true(str_find(text, STR("\"format\"")) < 0);
		assert_true(str_find(text, STR("\"enum\"")) < 0);
		assert_true(str_find(text, STR("additionalProperties")) < 0);
	}
	properties = json_get_c(find("list_all_ats_candidates")->output, "properties");
	record = json_get_c(json_get_c(properties, "result"), "items");
	assert_str(json_get_str(json_get_c(json_get_c(record, "properties"), "emails"), "type"),
		   "array");
	properties = json_get_c(find("get_single_ats_job_by_id")->output, "properties");
	assert_str(json_get_str(json_get_c(properties, "openings"), "type"), "integer");
	assert_true(str_find(find("get_single_ats_job_by_id")->text, STR("outputSchema")) < 0);
	assert_true(str_find(find("get_single_ats_job_by_id")->text_structured,
			     STR("\"outputSchema\":{\"type\":\"object\"")) > 0);
}

static void test_every_tool_has_what_all_have(void **state)
{
	(void)state;
	for (size_t i = 0; i < toolset->count; i++) {
		const struct tool *tool = &toolset->tools[i];
		struct json properties = json_get_c(tool->schema, "properties");
		bool is_read = tool->kind & TOOL_READ;
		bool is_dry = json_is(json_get_c(properties, "dry_run"), JSON_OBJECT);
		bool has_key = json_is(json_get_c(properties, "idempotency_key"), JSON_OBJECT);
		bool has_context = json_is(json_get_c(properties, "company_id"), JSON_OBJECT);

		assert_int_equal(is_dry, !is_read);
		assert_int_equal(has_key, !is_read);
		assert_int_equal(tool->is_replayable, !is_read);
		assert_int_equal(has_context, !tool->is_unified);
		assert_int_equal(json_is(json_get_c(properties, "fields"), JSON_OBJECT), is_read);
		assert_int_equal(json_is(json_get_c(properties, "limit"), JSON_OBJECT),
				 tool->is_list);
		assert_int_equal(json_is(json_get_c(properties, "cursor"), JSON_OBJECT),
				 tool->is_list);
		assert_int_equal(json_is(json_get_c(properties, "max_age"), JSON_OBJECT),
				 is_read && tool->is_unified);
		assert_int_equal(json_is(json_get_c(properties, "count"), JSON_OBJECT),
				 tool->is_list && tool->is_unified);
		if (tool->title.len == 0 || str_find(tool->description, STR("Requires ")) < 0 ||
		    str_find(tool->description, STR("Returns ")) < 0)
			fail_msg("%.*s: %.*s", STR_ARGS(tool->name), STR_ARGS(tool->description));
	}
}

static void assert_hints(const char *name, bool is_read, bool is_destructive, bool is_idempotent)
{
	struct json text = parse(arena_c(&arena, find(name)->text));
	struct json hints = json_get_c(text, "annotations");

	assert_int_equal(json_get_c(hints, "readOnlyHint").boolean, is_read);
	assert_int_equal(json_get_c(hints, "destructiveHint").boolean, is_destructive);
	assert_int_equal(json_get_c(hints, "idempotentHint").boolean, is_idempotent);
	assert_true(json_get_c(hints, "openWorldHint").boolean);
	assert_int_equal(hints.count, 4);
}

static void test_annotations_are_true(void **state)
{
	(void)state;
	assert_hints("list_all_recruitee_notes", true, false, true);
	assert_hints("get_single_ats_candidate_by_id", true, false, true);
	assert_hints("recruitee_reports_funnel", true, false, true);
	assert_hints("create_a_ats_candidate", false, false, false);
	assert_hints("create_a_recruitee_task", false, false, false);
	assert_hints("recruitee_mailbox_send", false, false, false);
	assert_hints("create_a_recruitee_candidate_tag", false, false, true);
	assert_hints("update_a_ats_job_by_id", false, true, true);
	assert_hints("delete_a_recruitee_note_by_id", false, true, true);
	assert_hints("recruitee_candidates_merge", false, true, false);
	assert_hints("recruitee_offers_duplicate", false, false, false);
	assert_hints("ats_candidates_add_tag", false, false, true);
}

static void test_words_that_choose(void **state)
{
	const struct tool *tool = find("list_all_recruitee_interview_results");
	struct str read = STR("read"), custom = STR("custom"), interviews = STR("interviews");
	struct str name = STR("recruitee_reports_funnel"), pools = STR("talent_pools");

	(void)state;
	assert_true(tool_passes(tool, &(struct tool_filter){0}));
	assert_true(tool_passes(tool, &(struct tool_filter){&read, 1, &interviews, 1}));
	assert_false(tool_passes(tool, &(struct tool_filter){&read, 1, &pools, 1}));
	assert_false(tool_passes(tool, &(struct tool_filter){&custom, 1, NULL, 0}));
	assert_true(tool_passes(find("recruitee_reports_funnel"),
				&(struct tool_filter){&name, 1, NULL, 0}));
	assert_true(tool_passes(find("recruitee_reports_funnel"),
				&(struct tool_filter){&read, 1, NULL, 0}));
	assert_true(tool_passes(find("recruitee_reports_funnel"),
				&(struct tool_filter){&custom, 1, NULL, 0}));
	assert_true(has_tag(find("list_all_ats_scorecards"), "interviews"));
	assert_true(has_tag(find("list_all_recruitee_departments"), "settings"));
}

/* --- calls ------------------------------------------------------------------------------------ */

static struct tool_call plan(const char *name, const char *arguments)
{
	struct tool_call call;
	struct error err;

	if (!tool_plan(find(name), &arena, connector, &account, parse(arguments), &call, &err))
		fail_msg("%s: %s: %s", name, err.field, err.message);
	return call;
}

static void assert_refused(const char *name, const char *arguments, enum error_code code,
			   const char *field, const char *allowed)
{
	struct tool_call call;
	struct error err;

	if (tool_plan(find(name), &arena, connector, &account, parse(arguments), &call, &err))
		fail_msg("%s takes %s", name, arguments);
	assert_int_equal(err.code, code);
	assert_string_equal(err.field, field);
	if (strstr(err.allowed, allowed) == NULL)
		fail_msg("\"%s\" is not in \"%s\"", allowed, err.allowed);
}

static void assert_filter(const struct tool_call *call, size_t index, const char *name,
			  const char *value)
{
	assert_true(index < call->operation.filter_count);
	assert_str(call->operation.filters[index].name, name);
	assert_str(call->operation.filters[index].value, value);
}

static void test_a_native_list(void **state)
{
	struct tool_call call = plan("list_all_recruitee_notes",
				     "{\"id\": 12, \"limit\": \"7\", \"cursor\": \"c\", \"fields\": "
				     "[\"id\", \"text\"], \"company_id\": \"acme\"}");

	(void)state;
	assert_int_equal(call.operation.method, OPERATION_PROXY);
	assert_str(call.operation.resource, "notes");
	assert_str(call.native.name, "list");
	assert_ptr_equal(call.operation.account, &account);
	assert_int_equal(call.operation.limit, 7);
	assert_str(call.operation.cursor, "c");
	assert_str(call.fields, "id,text");
	assert_int_equal(call.operation.filter_count, 1);
	assert_filter(&call, 0, "id", "12");
	assert_int_equal(plan("list_all_recruitee_admins", "{}").operation.limit,
			 TOOL_LIMIT_DEFAULT);
}

static void test_a_unified_list(void **state)
{
	struct tool_call call =
		plan("list_all_ats_candidates",
		     "{\"job_id\": [\"5\", 6], \"email\": \"a@b.c\", \"created_at_gt\": "
		     "\"2026-01-01T00:00:00Z\", \"sort\": \"name,-created_at\", \"expand\": true, "
		     "\"tags_name\": \"glass\", \"fields\": \"id,name\"}");

	(void)state;
	assert_int_equal(call.operation.method, OPERATION_LIST);
	assert_int_equal(call.operation.filter_count, 5);
	assert_filter(&call, 0, "job_id[in][]", "5");
	assert_filter(&call, 1, "job_id[in][]", "6");
	assert_filter(&call, 2, "email", "a@b.c");
	assert_filter(&call, 3, "created_at[gt]", "2026-01-01T00:00:00Z");
	assert_filter(&call, 4, "tags[name]", "glass");
	assert_int_equal(call.operation.sort_count, 2);
	assert_true(call.operation.sorts[1].is_descending);
	assert_str(call.operation.sorts[1].path, "created_at");
	assert_true(call.operation.expand);
	assert_str(call.operation.fields, "id,name");
	assert_filter(&(struct tool_call){.operation =
						  plan("list_all_ats_candidates",
						       "{\"job_id\": \"[\\\"5\\\"]\"}")
							  .operation},
		      0, "job_id", "5");
}

static void test_a_native_write(void **state)
{
	struct tool_call call =
		plan("create_a_recruitee_candidate",
		     "{\"name\": \"Ann\", \"emails\": [\"a@b.c\"], \"cover_letter\": null, "
		     "\"offers\": [\"5\"], \"dry_run\": true, \"idempotency_key\": \"k\"}");

	(void)state;
	assert_str(call.native.body, "{\"offers\":[5],\"candidate\":{\"name\":\"Ann\","
				     "\"emails\":[\"a@b.c\"]}}");
	assert_str(call.native.content_type, "application/json");
	assert_int_equal(call.native.verb, HTTP_POST);
	assert_true(call.operation.dry_run);
	assert_str(call.idempotency_key, "k");
	call = plan("recruitee_placements_change_stage", "{\"id\": \"3\", \"stage_id\": 8}");
	assert_str(call.native.body, "{\"stage_id\":8}");
	call = plan("delete_a_recruitee_note_by_id", "{\"id\": 3}");
	assert_int_equal(call.native.body.len, 0);
	assert_filter(&call, 0, "id", "3");
}

static void test_a_unified_write(void **state)
{
	struct tool_call call = plan("update_a_ats_candidate_by_id",
				     "{\"id\": 4, \"name\": \"Ann\", \"phones\": null, "
				     "\"clear\": [\"cover_letter\"]}");

	(void)state;
	assert_int_equal(call.operation.method, OPERATION_WRITE);
	assert_str(call.operation.write, "update");
	assert_str(call.operation.id, "4");
	assert_str(print(call.operation.body), "{\"name\":\"Ann\",\"cover_letter\":null}");
	call = plan("ats_applications_move_stage", "{\"id\": \"4\", \"stage_id\": \"9\"}");
	assert_str(call.operation.write, "move-stage");
	assert_str(print(call.operation.body), "{\"stage_id\":\"9\"}");
}

static void test_the_copy_can_be_asked_for(void **state)
{
	struct tool_call call;

	(void)state;
	call = plan("list_all_ats_jobs", "{}");
	assert_int_equal(call.wish.max_age_ms, 0);
	call = plan("list_all_ats_jobs", "{\"max_age\": \"60\", \"count\": true}");
	assert_int_equal(call.wish.max_age_ms, 60000);
	assert_true(call.wish.wants_total);
	/* What only the copy can do is taken however old that is. */
	call = plan("list_all_ats_jobs", "{\"search\": \"glass\"}");
	assert_true(call.wish.max_age_ms == INT64_MAX);
	assert_str(call.wish.search, "glass");
	call = plan("get_single_ats_job_by_id", "{\"id\": 1, \"max_age\": 5}");
	assert_int_equal(call.wish.max_age_ms, 5000);
}

static void test_wrong_arguments_are_told_by_name(void **state)
{
	(void)state;
	assert_refused("list_all_recruitee_notes", "{}", ERROR_INVALID, "id", "a text");
	assert_refused("list_all_recruitee_notes", "{\"id\": null}", ERROR_INVALID, "id", "");
	assert_refused("list_all_recruitee_notes", "{\"id\": 1, \"page\": 2}", ERROR_INVALID, "page",
		       "cursor, fields");
	assert_refused("list_all_recruitee_notes", "{\"id\": {}}", ERROR_INVALID, "id", "a text");
	assert_refused("list_all_recruitee_notes", "{\"id\": 1, \"company_id\": \"other\"}",
		       ERROR_FORBIDDEN, "company_id", "");
	/* Of a unified tool it is no argument, and is taken all the same where it is true. */
	plan("list_all_ats_candidates", "{\"company_id\": \"acme\"}");
	assert_refused("list_all_ats_candidates", "{\"company_id\": \"other\"}", ERROR_FORBIDDEN,
		       "company_id", "");
	assert_refused("list_all_recruitee_admins", "{\"limit\": 1001}", ERROR_INVALID, "limit",
		       "1 to 1000");
	assert_refused("list_all_recruitee_admins", "{\"limit\": 0}", ERROR_INVALID, "limit", "1 to");
	assert_refused("list_all_recruitee_admins", "{\"limit\": \"many\"}", ERROR_INVALID, "limit",
		       "whole number");
	assert_refused("list_all_recruitee_admins", "[]", ERROR_INVALID, "arguments", "object");
	assert_refused("list_all_ats_jobs", "{\"max_age\": -1}", ERROR_INVALID, "max_age",
		       "0 to 315360000 seconds");
	assert_refused("get_single_ats_job_by_id", "{\"id\": 1, \"max_age\": \"soon\"}",
		       ERROR_INVALID, "max_age", "whole number");
	assert_refused("get_single_ats_job_by_id", "{\"id\": 1, \"count\": true}", ERROR_INVALID,
		       "count", "max_age");
	assert_refused("list_all_ats_jobs", "{\"search\": \"\"}", ERROR_INVALID, "search", "words");
	assert_refused("list_all_ats_jobs", "{\"count\": \"maybe\"}", ERROR_INVALID, "count",
		       "true or false");
	assert_refused("list_all_recruitee_candidates", "{\"qualified\": \"maybe\"}", ERROR_INVALID,
		       "qualified", "true or false");
	assert_refused("create_a_ats_application", "{\"job_id\": \"1\"}", ERROR_INVALID,
		       "candidate_id", "");
	assert_refused("create_a_recruitee_candidate", "{\"name\": \"A\", \"emails\": [{}]}",
		       ERROR_INVALID, "emails[0]", "a text");
	assert_refused("recruitee_mailbox_send", "{\"subject\": \"S\", \"to\": [{}]}",
		       ERROR_INVALID, "to[0].candidate_id", "");
	assert_refused("update_a_recruitee_candidate_by_id", "{\"id\": 1}", ERROR_INVALID, "name",
		       "at least one");
	assert_refused("create_a_recruitee_interview_result",
		       "{\"candidate_id\": 1, \"stage_id\": 2, \"rating\": \"great\"}", ERROR_INVALID,
		       "rating", "strong_yes");
	assert_refused("update_a_ats_job_by_id", "{\"id\": 1, \"clear\": [\"id\"]}", ERROR_INVALID,
		       "clear", "");
}

/* --- search ----------------------------------------------------------------------------------- */

static void assert_found(const char *words, const char *first)
{
	const struct tool *found[5];
	size_t count = toolset_search(toolset, NULL, str_from_c(words), found, 5);

	assert_in_range(count, 1, 5);
	for (size_t i = 0; i < count; i++)
		if (str_equal_c(found[i]->name, first))
			return;
	fail_msg("\"%s\" finds \"%.*s\" first", words, STR_ARGS(found[0]->name));
}

static void test_words_find_tools(void **state)
{
	uint64_t passes[8] = {0};
	const struct tool *found[300];

	(void)state;
	assert_found("list candidates", "list_all_ats_candidates");
	assert_found("notes on a candidate", "list_all_recruitee_candidate_notes");
	assert_found("move application to another stage", "ats_applications_move_stage");
	assert_found("interview results", "list_all_recruitee_interview_results");
	assert_found("reject", "ats_applications_reject");
	assert_found("send e-mail", "recruitee_mailbox_send");
	assert_int_equal(toolset_search(toolset, NULL, STR("zzz"), found, 5), 0);
	assert_int_equal(toolset_search(toolset, NULL, STR(""), found, 3), 3);
	assert_ptr_equal(found[2], &toolset->tools[2]);
	assert_int_equal(toolset_search(toolset, passes, STR("candidates"), found, 5), 0);
	passes[0] = 1;
	assert_int_equal(toolset_search(toolset, passes, STR(""), found, 5), 1);
}

/* --- small definitions ------------------------------------------------------------------------ */

static void assert_faults(const char *name, const char *expected)
{
	const struct model *old_model = model;
	const struct connector *old_connector = connector;
	struct buffer faults;
	const struct toolset *made = make(
		"tests/unit/ats/models/ats",
		arena_format(&arena, "tests/unit/ats/connectors/%s", name).data, &faults);

	model = old_model;
	connector = old_connector;
	if (expected == NULL)
		assert_non_null(made);
	else
		assert_null(made);
	if (expected != NULL)
		assert_str(buffer_str(&faults), expected);
}

static void test_names_that_will_not_do_are_faults(void **state)
{
	(void)state;
	assert_faults("good", NULL);
	assert_faults("tools",
		      "tools: two tools are named \"list_all_ats_things\"\n"
		      "tools: the tool's name \"tools_things_made_for_a_very_long_time_turn_around\" "
		      "is longer than 48 bytes\n");
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_the_five_tools_are_there),
	cmocka_unit_test(test_every_method_without_a_file_is_a_tool),
	cmocka_unit_test(test_names_are_short_plain_and_in_order),
	cmocka_unit_test(test_the_same_definitions_make_the_same_bytes),
	cmocka_unit_test(test_schemas_are_flat_and_plain),
	cmocka_unit_test(test_outputs_are_open_objects),
	cmocka_unit_test(test_every_tool_has_what_all_have),
	cmocka_unit_test(test_annotations_are_true),
	cmocka_unit_test(test_words_that_choose),
	cmocka_unit_test(test_a_native_list),
	cmocka_unit_test(test_a_unified_list),
	cmocka_unit_test(test_a_native_write),
	cmocka_unit_test(test_a_unified_write),
	cmocka_unit_test(test_the_copy_can_be_asked_for),
	cmocka_unit_test(test_wrong_arguments_are_told_by_name),
	cmocka_unit_test(test_words_find_tools),
	cmocka_unit_test(test_names_that_will_not_do_are_faults),
};

int main(void)
{
	return cmocka_run_group_tests(tests, setup, teardown);
}
