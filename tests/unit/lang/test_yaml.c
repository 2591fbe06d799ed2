/* Reading YAML: what is taken and what is refused, where, and every limit. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lang/yaml/yaml.h"

static int arena_setup(void **state)
{
	static struct arena arena;

	arena_init(&arena, 1 << 26);
	*state = &arena;
	return 0;
}

static int arena_teardown(void **state)
{
	arena_finish(*state);
	return 0;
}

static bool read_with(struct arena *arena, struct str text, struct yaml_limits limits,
		      struct yaml_node *out, struct error *err)
{
	return yaml_parse(arena, text, STR("file.yaml"), &limits, out, err);
}

static struct yaml_node parse(struct arena *arena, const char *text)
{
	struct yaml_node node;
	struct error err;

	if (!read_with(arena, str_from_c(text), yaml_limits_default, &node, &err))
		fail_msg("%s", err.message);
	return node;
}

static void assert_refused(struct arena *arena, const char *text, const char *message)
{
	struct yaml_node node;
	struct error err;

	if (read_with(arena, str_from_c(text), yaml_limits_default, &node, &err))
		fail_msg("<%s> was read", text);
	assert_int_equal(err.code, ERROR_INVALID);
	assert_string_equal(err.message, message);
}

static void assert_json(struct arena *arena, const char *yaml, const char *json)
{
	struct yaml_node node = parse(arena, yaml);
	struct buffer out;

	buffer_init(&out, arena, 1 << 20);
	json_print(&out, yaml_to_json(arena, &node));
	if (!str_equal_c(buffer_str(&out), json))
		fail_msg("<%s> became %.*s", yaml, STR_ARGS(buffer_str(&out)));
}

static void test_tree(void **state)
{
	struct yaml_node node = parse(*state, "# what it is\nname: Ada\nlist:\n  - 1\n  - 'two'\n"
					      "  - {a: b}\nblock: |\n  line\n  line\n");

	assert_int_equal(node.kind, YAML_MAPPING);
	assert_int_equal(node.count, 3);
	assert_int_equal(node.line, 2);
	const struct yaml_node *name = yaml_get(&node, "name");

	assert_true(str_equal_c(name->text, "Ada"));
	assert_true(name->is_plain);
	assert_int_equal(name->line, 2);
	assert_int_equal(name->column, 7);
	const struct yaml_node *list = yaml_get(&node, "list");

	assert_int_equal(list->kind, YAML_SEQUENCE);
	assert_int_equal(list->count, 3);
	assert_int_equal(list->line, 4);
	assert_false(list->items[1].is_plain);
	assert_int_equal(list->items[1].line, 5);
	assert_int_equal(list->items[1].column, 5);
	assert_true(str_equal_c(yaml_get(&list->items[2], "a")->text, "b"));
	assert_int_equal(node.entries[2].line, 7);
	assert_true(str_equal_c(node.entries[2].value.text, "line\nline\n"));
	assert_false(node.entries[2].value.is_plain);
	assert_null(yaml_get(&node, "nothing"));
	assert_null(yaml_get(list, "nothing"));
	assert_null(yaml_get(NULL, "nothing"));
}

static void test_many_items(void **state)
{
	struct buffer text;

	buffer_init(&text, *state, 1 << 20);
	for (int i = 0; i < 3000; i++)
		buffer_append_format(&text, "key%d: [%d, {a: %d}]\n", i, i, i);
	buffer_append_byte(&text, '\0');
	struct yaml_node node = parse(*state, text.data);

	assert_int_equal(node.count, 3000);
	for (int i = 0; i < 3000; i++)
		assert_int_equal(node.entries[i].line, i + 1);
	assert_true(str_equal_c(yaml_get(&node, "key2999")->items[0].text, "2999"));
}

static void test_what_is_refused(void **state)
{
	assert_refused(*state, "", "file.yaml:1: the document is empty");
	assert_refused(*state, "# nothing\n", "file.yaml:2: the document is empty");
	assert_refused(*state, "---\n", "file.yaml:2: the document is empty");
	assert_refused(*state, "a: 1\nb: &x 2\n", "file.yaml:2: anchors (&) are not allowed");
	assert_refused(*state, "a: &x [1]\n", "file.yaml:1: anchors (&) are not allowed");
	assert_refused(*state, "&x a: 1\n", "file.yaml:1: anchors (&) are not allowed");
	assert_refused(*state, "a: 1\nb:\n  - *x\n", "file.yaml:3: aliases (*) are not allowed");
	assert_refused(*state, "*x : 1\n", "file.yaml:1: aliases (*) are not allowed");
	assert_refused(*state, "a: !!str 1\n", "file.yaml:1: tags (!) are not allowed");
	assert_refused(*state, "a: ! 1\n", "file.yaml:1: tags (!) are not allowed");
	assert_refused(*state, "a: !!set {b: 1}\n", "file.yaml:1: tags (!) are not allowed");
	assert_refused(*state, "!a b: 1\n", "file.yaml:1: tags (!) are not allowed");
	assert_refused(*state, "%TAG !e! tag:e:\n---\na: 1\n",
		       "file.yaml:1: tags (%TAG) are not allowed");
	assert_refused(*state, "a: 1\n---\nb: 1\n",
		       "file.yaml:2: there must be one document only");
	assert_refused(*state, "a: 1\nb: 2\nc: 3\na: 4\nb: 5\n",
		       "file.yaml:4: the key \"a\" is repeated");
	assert_refused(*state, "- {\"a\": 1, 'a': 2}\n", "file.yaml:1: the key \"a\" is repeated");
	assert_refused(*state, "a: 1\n? [b]\n: 1\n",
		       "file.yaml:2: a key must be a text, not a list or a mapping");
	assert_refused(*state, "? {b: 1}\n: 1\n",
		       "file.yaml:1: a key must be a text, not a list or a mapping");
}

static void test_syntax_errors_name_the_line(void **state)
{
	const char *wrong[] = {"a: 1\nb: [1\n", "a: 1\n\tb: 2\n", "a: 1\n b: 2\n", "a: 1\nb: 'x\n",
			       "a: 1\nb: \xff\n", "a: 1\nb: \x01\n", "a: 1\nb: \"\\q\"\n"};

	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		struct yaml_node node;
		struct error err;

		assert_false(read_with(*state, str_from_c(wrong[i]), yaml_limits_default, &node,
				       &err));
		assert_int_equal(err.code, ERROR_INVALID);
		assert_memory_equal(err.message, "file.yaml:", 10);
		assert_in_range(err.message[10], '1', '3');
		assert_memory_equal(err.message + 11, ": ", 2);
	}
}

static void test_core_schema(void **state)
{
	assert_json(*state, "[null, Null, NULL, ~, 'null', \"~\"]",
		    "[null,null,null,null,\"null\",\"~\"]");
	assert_json(*state, "[true, True, TRUE, false, False, FALSE, yes, no, on, off, y, tRUE]",
		    "[true,true,true,false,false,false,\"yes\",\"no\",\"on\",\"off\",\"y\",\"tRUE\"]");
	assert_json(*state, "[0, -7, +7, 007, -0, 0x1F, 0xff, 0o17, 0o8, 0xg, 0x, -0x1, 1_000]",
		    "[0,-7,7,7,-0,31,255,15,\"0o8\",\"0xg\",\"0x\",\"-0x1\",\"1_000\"]");
	assert_json(*state, "[999999999999999999, 1000000000000000000, +00123456789012345678901]",
		    "[999999999999999999,1000000000000000000,123456789012345678901]");
	assert_json(*state, "[0x7fffffffffffffff, 0xffffffffffffffff, 0x10000000000000000]",
		    "[9223372036854775807,18446744073709551615,\"0x10000000000000000\"]");
	assert_json(*state, "[1.5, 1., .5, +.5, -.5e3, 1e5, 1E+5, 01.50, 1e, ., 1.2.3, -, 12:30]",
		    "[1.5,1,0.5,0.5,-0.5e3,1e5,1e+5,1.50,\"1e\",\".\",\"1.2.3\",\"-\",\"12:30\"]");
	assert_json(*state, "[.inf, -.Inf, +.INF, .nan, .NaN]", "[null,null,null,null,null]");
	assert_json(*state, "a:\nb: |\n  1\nc: >-\n  x\n  y\nd: '1'\ne: {}\nf: []\n2: 2020-01-01\n",
		    "{\"a\":null,\"b\":\"1\\n\",\"c\":\"x y\",\"d\":\"1\",\"e\":{},\"f\":[],"
		    "\"2\":\"2020-01-01\"}");
}

static void assert_over(struct arena *arena, const char *text, struct yaml_limits limits,
			const char *message)
{
	struct yaml_node node;
	struct error err;

	assert_false(read_with(arena, str_from_c(text), limits, &node, &err));
	assert_int_equal(err.code, ERROR_LIMIT);
	assert_string_equal(err.message, message);
}

static void test_limits(void **state)
{
	struct yaml_limits limits = yaml_limits_default;
	struct yaml_node node;
	struct error err;

	limits.bytes_max = 4;
	assert_true(read_with(*state, STR("a: 1"), limits, &node, &err));
	assert_over(*state, "a: 12", limits, "file.yaml:1: more than 4 bytes");
	limits = yaml_limits_default;
	limits.depth_max = 2;
	assert_true(read_with(*state, STR("a:\n  - 1\n  - 2\nb: [3]"), limits, &node, &err));
	assert_over(*state, "a:\n  - 1\n  - []\n", limits,
		    "file.yaml:3: more than 2 levels of nesting");
	limits = yaml_limits_default;
	limits.nodes_max = 4;
	assert_true(read_with(*state, STR("a: 1\nb: [2]"), limits, &node, &err));
	assert_over(*state, "a: 1\nb: [2,\n3]", limits, "file.yaml:3: more than 4 values");

	char deep[10001];
	memset(deep, '[', 10000);
	deep[10000] = '\0';
	assert_over(*state, deep, yaml_limits_default,
		    "file.yaml:1: more than 32 levels of nesting");
}

int main(void)
{
#define arena_test(name) cmocka_unit_test_setup_teardown(name, arena_setup, arena_teardown)
	const struct CMUnitTest tests[] = {
		arena_test(test_tree),
		arena_test(test_many_items),
		arena_test(test_what_is_refused),
		arena_test(test_syntax_errors_name_the_line),
		arena_test(test_core_schema),
		arena_test(test_limits),
	};

	return cmocka_run_group_tests_name("yaml", tests, NULL, NULL);
}
