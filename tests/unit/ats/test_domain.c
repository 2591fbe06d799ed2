/* What a change of a record means: the events that the real model declares. */
#include "../definitions_testing.h"

#include "ats/copy/domain.h"

static struct json parse(const char *text)
{
	struct json value;
	struct error err;

	assert_true(json_parse(&arena, str_from_c(text), &json_limits_default, &value, &err));
	return value;
}

/* The types of the events that a change tells, one to a line, each with its payload. */
static const char *tell(const char *resource, const char *before, const char *after)
{
	const struct model_resource *things = model_find(model, str_from_c(resource));
	const struct event_new of = {
		.environment_id = STR("env_1"),
		.account_id = STR("acc_1"),
		.type = STR("record:updated"),
		.resource = str_from_c(resource),
		.record_id = STR("7"),
		.version = 3,
		.payload = STR("{}"),
		.created_ms = 5,
	};
	struct store_statement *out;
	struct buffer told;

	assert_non_null(things);
	out = arena_array(&arena, things->event_count + 1, sizeof *out);
	size_t count = copy_domain_events(things, &arena,
					  before == NULL ? json_undefined() : parse(before),
					  parse(after), &of, out);
	buffer_init(&told, &arena, 65536);
	for (size_t i = 0; i < count; i++) {
		const struct store_value *values = out[i].parameters;

		assert_true(out[i].is_news);
		assert_int_equal(values[4].integer, 5);
		assert_int_equal(values[7].integer, 3);
		buffer_append_format(&told, "%.*s %.*s\n", STR_ARGS(values[1].bytes),
				     STR_ARGS(values[3].bytes));
	}
	return arena_c(&arena, buffer_str(&told));
}

static void test_a_stage_that_changes(void **state)
{
	(void)state;
	const char *before = "{\"id\":\"7\",\"current_stage\":{\"id\":\"1\",\"name\":\"A\"}}";

	assert_string_equal(
		tell("applications", before,
		     "{\"id\":\"7\",\"current_stage\":{\"id\":\"2\",\"name\":\"B\"}}"),
		"application:stage_changed {\"id\":\"7\",\"resource\":\"applications\","
		"\"before\":{\"id\":\"1\",\"name\":\"A\"},\"after\":{\"id\":\"2\",\"name\":\"B\"},"
		"\"record\":{\"id\":\"7\",\"current_stage\":{\"id\":\"2\",\"name\":\"B\"}}}\n");
	/* Another name of the same stage, a stage that is not known, one that was not told. */
	assert_string_equal(tell("applications", before,
				 "{\"id\":\"7\",\"current_stage\":{\"id\":\"1\",\"name\":\"C\"}}"),
			    "");
	assert_string_equal(tell("applications", before, "{\"id\":\"7\",\"current_stage\":null}"),
			    "");
	assert_string_equal(tell("applications", before, "{\"id\":\"7\"}"), "");
	/* A new application has not moved. */
	assert_string_equal(tell("applications", NULL, before), "");
}

static void test_a_time_that_is_set(void **state)
{
	(void)state;
	const char *none = "{\"id\":\"7\",\"rejected_at\":null,\"hired_at\":null}";
	const char *hired = "{\"id\":\"7\",\"rejected_at\":null,\"hired_at\":\"2026-01-01\"}";
	const char *both = "{\"rejected_at\":\"2026-01-02\",\"hired_at\":\"2026-01-01\"}";
	const char *told = "application:hired {\"id\":\"7\",\"resource\":\"applications\","
			   "\"before\":null,\"after\":\"2026-01-01\",\"record\":{\"id\":\"7\","
			   "\"rejected_at\":null,\"hired_at\":\"2026-01-01\"}}\n";

	assert_string_equal(tell("applications", none, hired), told);
	/* One that comes into the copy as it is was hired all the same. */
	assert_string_equal(tell("applications", NULL, hired), told);
	assert_string_equal(tell("applications", hired, none), "");
	assert_string_equal(
		tell("applications", hired, both),
		"application:rejected {\"id\":\"7\",\"resource\":\"applications\",\"before\":null,"
		"\"after\":\"2026-01-02\",\"record\":{\"rejected_at\":\"2026-01-02\","
		"\"hired_at\":\"2026-01-01\"}}\n");
	/* Another time than before: it is the same hire. Not told before: nobody knows. */
	assert_string_equal(tell("applications", hired, "{\"hired_at\":\"2026-01-05\"}"), "");
	assert_string_equal(tell("applications", "{\"id\":\"7\"}", hired), "");
}

static void test_items_that_are_added(void **state)
{
	(void)state;
	const char *one = "{\"id\":\"7\",\"tags\":[{\"id\":\"1\",\"name\":\"a\"}]}";

	assert_string_equal(
		tell("candidates", one,
		     "{\"tags\":[{\"id\":\"2\",\"name\":\"b\"},{\"id\":\"1\",\"name\":\"a\"}]}"),
		"candidate:tagged {\"id\":\"7\",\"resource\":\"candidates\","
		"\"before\":[{\"id\":\"1\",\"name\":\"a\"}],"
		"\"after\":[{\"id\":\"2\",\"name\":\"b\"},{\"id\":\"1\",\"name\":\"a\"}],"
		"\"added\":[{\"id\":\"2\",\"name\":\"b\"}],"
		"\"record\":{\"tags\":[{\"id\":\"2\",\"name\":\"b\"},{\"id\":\"1\",\"name\":\"a\"}]}}\n");
	/* The same by its name, where one of the two tells no id; renamed; taken off; not told. */
	assert_string_equal(tell("candidates", one, "{\"tags\":[{\"id\":null,\"name\":\"a\"}]}"), "");
	assert_string_equal(tell("candidates", one, "{\"tags\":[{\"id\":\"1\",\"name\":\"z\"}]}"), "");
	assert_string_equal(tell("candidates", one, "{\"tags\":[]}"), "");
	assert_string_equal(tell("candidates", "{\"id\":\"7\"}", one), "");
	assert_string_equal(tell("candidates", one, "{\"id\":\"7\"}"), "");
	assert_string_equal(tell("jobs", one, "{\"id\":\"7\"}"), "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_stage_that_changes),
		cmocka_unit_test(test_a_time_that_is_set),
		cmocka_unit_test(test_items_that_are_added),
	};

	return cmocka_run_group_tests(tests, load_definitions, drop_definitions);
}
