/* Writing JSON: spelling, sources, the buffer's limit; copies and equality. */
#include "json_testing.h"

#include <math.h>

static void test_spelling(void **state)
{
	const char *same[] = {"null", "true", "false", "0", "-1", "\"\"", "[]", "{}", "[1,[2,{}]]",
			      "{\"a\":[],\"b\":{\"c\":null}}", "\"\\\"\\\\\\b\\f\\n\\r\\t\"",
			      "\"\\u0000\\u001f\\u000b\\u000e\x7f\"", "{\"\\n\":1}",
			      "\"Jos\xc3\xa9 \xf0\x9f\x98\x80 /\"", "\"\\ud83d\"",
			      "\"a\\udc00b\\ud800\"", "\"\xed\x9f\xbf\\ud800\xee\x80\x80\"",
			      "\"\xc3\xa9\\n\\ud8ff\xc3\xa9\""};

	for (size_t i = 0; i < sizeof same / sizeof *same; i++) {
		struct json value = parse(*state, same[i]);

		assert_str(print(*state, value), str_from_c(same[i]));
		assert_str(print_anew(*state, value), str_from_c(same[i]));
	}
	/* A string that a program made has no flags. */
	assert_str(print(*state, json_string_c("a\"\xed\xa0\xbd\xed\xa0")),
		   STR("\"a\\\"\\ud83d\xed\xa0\""));
}

/* Every byte at every place relative to the steps of 16. */
static void test_escape_positions(void **state)
{
	for (size_t len = 1; len < 50; len++) {
		for (size_t at = 0; at < len; at++) {
			char *text = malloc(len);

			memset(text, 'x', len);
			text[at] = '\n';
			struct str printed = print(*state, json_string(str_make(text, len)));

			assert_int_equal(printed.len, len + 3);
			assert_memory_equal(printed.data + 1 + at, "\\n", 2);
			assert_str(json_str(parse_str(*state, printed)), str_make(text, len));
			free(text);
		}
		arena_finish(*state);
	}
}

/* Where the buffer has room already, what needs no escape is written another way: both agree. */
static void check_both_ways(struct arena *arena, struct json value, struct str wanted)
{
	struct buffer out;

	buffer_init(&out, arena, 1 << 20);
	assert_non_null(buffer_room(&out, 4096));
	json_print(&out, value);
	assert_str(buffer_str(&out), wanted);
	assert_str(print(arena, value), wanted);
	buffer_init(&out, arena, wanted.len); /* room for no byte more */
	json_print(&out, value);
	assert_false(out.is_over);
	assert_str(buffer_str(&out), wanted);
}

/* {"k":[S,S]} with a key and strings of `len` bytes, one of which is `byte`. */
static void check_string_with(struct arena *arena, size_t len, size_t at, char byte,
			      const char *escape)
{
	char text[100];

	memset(text, 'a', len);
	text[at] = byte;
	struct str s = arena_str(arena, str_make(text, len));
	struct json items[] = {json_string(s), json_string(s)};
	struct json_member member = json_member(s, json_array(items, 2));
	int before = (int)at, after = (int)(len - at - 1);
	struct str spelt = arena_format(arena, "\"%.*s%s%.*s\"", before, text, escape, after,
					text + at + 1);
	struct str wanted = arena_format(arena, "{%.*s:[%.*s,%.*s]}", STR_ARGS(spelt),
					 STR_ARGS(spelt), STR_ARGS(spelt));

	check_both_ways(arena, json_object(&member, 1), wanted);
	arena_finish(arena);
}

static void test_strings_both_ways(void **state)
{
	for (size_t len = 1; len <= 70; len++)
		for (size_t at = 0; at < len; at++) {
			check_string_with(*state, len, at, 'b', "b");
			check_string_with(*state, len, at, '"', "\\\"");
			check_string_with(*state, len, at, '\\', "\\\\");
			check_string_with(*state, len, at, '\x1f', "\\u001f");
		}
}

static void check_int(struct arena *arena, int64_t number)
{
	struct json items[] = {json_int(number), json_int(0)};
	struct str digits = arena_format(arena, "%lld", (long long)number);
	char text[20];

	check_both_ways(arena, json_array(items, 2), arena_format(arena, "[%lld,0]", (long long)number));
	assert_int_equal(json_format_int(number, text), digits.len);
	assert_memory_equal(text, digits.data, digits.len);
	arena_finish(arena);
}

static void test_ints_both_ways(void **state)
{
	check_int(*state, INT64_MAX);
	check_int(*state, INT64_MIN);
	for (int64_t power = 1; power < INT64_MAX / 10; power *= 10)
		for (int64_t near = power - 1; near <= power + 1; near++) {
			check_int(*state, near);
			check_int(*state, -near);
			check_int(*state, near * 3);
		}
	for (int i = 0; i < 63; i++)
		check_int(*state, (int64_t)1 << i);
}

static void test_scalars_both_ways(void **state)
{
	struct json items[] = {
		json_null(), json_bool(true), json_bool(false), json_number(1.5), json_number(1e300),
		json_number(-5e-324), json_number(0.0 / 0.0), parse(*state, "-0"),
		parse(*state, "123456789012345678901234567890"), json_string(STR("")),
		json_undefined(), json_string(STR("\xc3\xa9")), json_string(STR("\xed\xa0\x80")),
		json_array(NULL, 0), json_object(NULL, 0),
	};
	struct json_member members[sizeof items / sizeof items[0]];

	for (size_t i = 0; i < sizeof items / sizeof items[0]; i++)
		members[i] = json_member(STR("k"), items[i]);
	check_both_ways(*state, json_array(items, sizeof items / sizeof items[0]),
			STR("[null,true,false,1.5,1e+300,-5e-324,null,-0,"
			    "123456789012345678901234567890,\"\",null,\"\xc3\xa9\",\"\\ud800\",[],{}]"));
	check_both_ways(*state, json_object(members + 9, 4),
			STR("{\"k\":\"\",\"k\":\"\xc3\xa9\",\"k\":\"\\ud800\"}"));
}

static void test_what_is_left_out(void **state)
{
	struct json nothing = json_undefined(), function = {.type = JSON_EXTENSION};
	struct json items[] = {nothing, json_int(1), function};
	struct json_member members[] = {json_member(STR("a"), nothing),
					json_member(STR("b"), json_int(1)),
					json_member(STR("c"), function)};

	assert_str(print(*state, nothing), STR(""));
	assert_str(print(*state, function), STR(""));
	assert_str(print(*state, json_array(items, 3)), STR("[null,1,null]"));
	assert_str(print(*state, json_object(members, 3)), STR("{\"b\":1}"));
	assert_str(print(*state, json_object(members, 1)), STR("{}"));
	assert_str(print(*state, (struct json){.type = JSON_DOUBLE, .number = NAN}), STR("null"));
	assert_str(print(*state, (struct json){.type = JSON_DOUBLE, .number = -INFINITY}),
		   STR("null"));
	assert_str(print(*state, (struct json){.type = JSON_DOUBLE, .number = -0.0}), STR("0"));
}

static void test_source_is_kept(void **state)
{
	const char *text = "{ \"a\" : [ 1.0 , 2 ] }";
	struct json value = parse(*state, text);

	assert_str(print(*state, value), str_from_c(text));
	struct json_member member = json_member(STR("x"), json_get_c(value, "a"));

	assert_str(print(*state, json_object(&member, 1)), STR("{\"x\":[ 1.0 , 2 ]}"));
	assert_str(print_anew(*state, value), STR("{\"a\":[1.0,2]}"));
	struct json empty[] = {parse(*state, "[ ]"), parse(*state, "{ }"), json_array(NULL, 0)};

	check_both_ways(*state, json_array(empty, 3), STR("[[],{},[]]"));
}

static void test_pretty(void **state)
{
	struct json value = parse(*state, "{\"a\":[1,{}],\"b\":[],\"c\":{\"d\":\"e\"}}");
	struct buffer out;

	buffer_init(&out, *state, 1000);
	json_print_pretty(&out, value);
	assert_str(buffer_str(&out), STR("{\n  \"a\": [\n    1,\n    {}\n  ],\n  \"b\": [],\n"
					 "  \"c\": {\n    \"d\": \"e\"\n  }\n}"));
}

static void test_buffer_limit(void **state)
{
	struct json value = json_copy(*state, parse(*state, "{\"a\":[1,\"b\\n\"]}"));
	struct buffer out;

	buffer_init(&out, *state, 15);
	json_print(&out, value);
	assert_false(out.is_over);
	assert_int_equal(out.len, 15);
	for (size_t limit = 0; limit < 15; limit++) {
		buffer_init(&out, *state, limit);
		json_print(&out, value);
		assert_true(out.is_over);
		assert_true(out.len <= limit);
	}
}

/* Each level holds the one below it twice: in full it would be 2^100 items. */
static struct json double_many_times(struct arena *arena, size_t times)
{
	struct json value = json_int(1);

	for (; times > 0; times--) {
		struct json *items = arena_array(arena, 2, sizeof *items);

		items[0] = items[1] = value;
		value = json_array(items, 2);
	}
	return value;
}

static void test_shared_parts_end(void **state)
{
	struct json value = double_many_times(*state, 100);
	struct arena small;
	struct buffer out;

	buffer_init(&out, *state, 10000);
	json_print(&out, value);
	assert_true(out.is_over);
	arena_init(&small, 100000);
	json_copy(&small, value);
	assert_true(arena_is_over(&small));
	assert_true(small.bytes < 1000000);
	arena_finish(&small);
	assert_true(json_equal(value, value));
}

/* Deeper than any thread's stack would bear. */
static void test_deep_values(void **state)
{
	struct json value = json_int(1);

	for (size_t i = 0; i < 300000; i++) {
		struct json *item = arena_alloc(*state, sizeof *item);

		*item = value;
		value = json_array(item, 1);
	}
	assert_int_equal(print(*state, value).len, 600001);
	assert_true(json_equal(value, json_copy(*state, value)));
}

static void test_builder(void **state)
{
	struct json_builder items, members;

	json_builder_init(&items, *state);
	json_builder_init(&members, *state);
	assert_str(print(*state, json_builder_array(&items)), STR("[]"));
	assert_str(print(*state, json_builder_object(&members)), STR("{}"));
	for (int i = 0; i < 100; i++) {
		json_builder_add(&items, json_int(i));
		json_builder_set(&members, arena_format(*state, "k%d", i), json_int(i));
		json_builder_set(&members, STR("nothing"), json_undefined());
	}
	struct json array = json_builder_array(&items), object = json_builder_object(&members);

	assert_int_equal(array.count, 100);
	assert_int_equal(object.count, 100);
	assert_int_equal(json_at(array, 99).integer, 99);
	assert_int_equal(json_get_c(object, "k99").integer, 99);
	assert_true(json_equal(parse_str(*state, print(*state, object)), object));
}

static void test_copy_shares_nothing(void **state)
{
	struct arena first, second;
	struct error err;
	struct json value;
	char text[] = "{\"key\":[\"text\\n\",1.50,true,null,12]}";

	arena_init(&first, 1 << 20);
	arena_init(&second, 1 << 20);
	assert_true(json_parse(&first, str_from_c(text), &json_limits_default, &value, &err));
	struct json copy = json_copy(&second, value);

	memset(text, 'z', sizeof text);
	arena_finish(&first);
	assert_str(print(*state, copy), STR("{\"key\":[\"text\\n\",1.50,true,null,12]}"));
	arena_finish(&second);
}

static void test_equal(void **state)
{
	struct {
		const char *a;
		const char *b;
		bool is_equal;
	} cases[] = {
		{"1", "1.0", true},
		{"100", "1e2", true},
		{"0.1", "0.10", true},
		{"0", "-0", true},
		{"9007199254740993", "9007199254740992", false},
		{"9007199254740993", "9007199254740993.0", true},
		{"123456789012345678901234567890", "123456789012345678901234567890", true},
		{"1", "\"1\"", false},
		{"null", "false", false},
		{"true", "false", false},
		{"\"a\"", "\"\\u0061\"", true},
		{"[1,2]", "[2,1]", false},
		{"[1]", "[1,1]", false},
		{"[]", "{}", false},
		{"{\"a\":1,\"b\":[2]}", "{\"b\":[2.0],\"a\":1}", true},
		{"{\"a\":1,\"b\":2}", "{\"a\":1,\"c\":2}", false},
		{"{\"a\":1,\"b\":2}", "{\"b\":1,\"a\":2}", false},
		{"{\"a\":{\"b\":1,\"c\":2}}", "{\"a\":{\"c\":2,\"b\":1}}", true},
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct json a = parse(*state, cases[i].a), b = parse(*state, cases[i].b);

		if (json_equal(a, b) != cases[i].is_equal || json_equal(b, a) != cases[i].is_equal)
			fail_msg("%s and %s", cases[i].a, cases[i].b);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		arena_test(test_strings_both_ways), arena_test(test_ints_both_ways),
		arena_test(test_scalars_both_ways),
		arena_test(test_spelling),         arena_test(test_escape_positions),
		arena_test(test_what_is_left_out), arena_test(test_source_is_kept),
		arena_test(test_pretty),           arena_test(test_buffer_limit),
		arena_test(test_shared_parts_end), arena_test(test_deep_values),
		arena_test(test_builder),          arena_test(test_copy_shares_nothing),
		arena_test(test_equal),
	};

	return cmocka_run_group_tests_name("json print", tests, NULL, NULL);
}
