/* Reading JSON: what is JSON and what is not, what values come of it, and every limit. */
#include "json_testing.h"
#include "lang/json/stops.h"

#include <dirent.h>

static bool parses(struct arena *arena, struct str text, struct error *err)
{
	struct json value;

	return json_parse(arena, text, &json_limits_default, &value, err);
}

static void assert_invalid(struct arena *arena, struct str text)
{
	struct error err;

	if (parses(arena, text, &err))
		fail_msg("<%.*s> was read", STR_ARGS(text));
	assert_int_equal(err.code, ERROR_INVALID);
}

/* --- the published suites ------------------------------------------------------------------ */

static const char *shared_folder(const char *name, char path[512])
{
	const char *shared = getenv("TENON_SHARED");

	snprintf(path, 512, "%s/%s", shared == NULL ? "" : shared, name);
	return path;
}

/* The bytes of a file in memory of exactly their size, so that a sanitizer sees a step too far. */
static struct str read_exactly(const char *folder, const char *name)
{
	char path[1024], *data = malloc(1 << 20);

	snprintf(path, sizeof path, "%s/%s", folder, name);
	FILE *file = fopen(path, "rb");

	assert_non_null(file);
	size_t len = fread(data, 1, 1 << 20, file);
	fclose(file);
	return str_make(realloc(data, len == 0 ? 1 : len), len);
}

/* What was read prints as it came, and anew as something that reads as an equal value. */
static void check_round_trip(struct arena *arena, struct json value)
{
	struct str anew = print_anew(arena, value);
	struct json again = parse_str(arena, anew);

	assert_true(json_equal(value, again));
	assert_true(json_equal(again, value));
	assert_str(print_anew(arena, again), anew);
}

static void check_suite_file(struct arena *arena, const char *folder, const char *name)
{
	struct str text = read_exactly(folder, name);
	struct json value;
	struct error err;
	bool is_read = json_parse(arena, text, &json_limits_default, &value, &err);

	if (name[0] == 'y' && !is_read)
		fail_msg("%s was refused: %s", name, err.message);
	if (name[0] == 'n' && name[1] == '_' && is_read)
		fail_msg("%s was read", name);
	if (is_read)
		check_round_trip(arena, value);
	arena_finish(arena);
	free((void *)(uintptr_t)text.data);
}

static size_t check_suite(struct arena *arena, const char *name)
{
	char path[512];
	DIR *folder = opendir(shared_folder(name, path));
	size_t count = 0;

	if (folder == NULL)
		skip();
	for (struct dirent *entry; (entry = readdir(folder)) != NULL;) {
		if (!str_ends_with(str_from_c(entry->d_name), STR(".json")))
			continue;
		check_suite_file(arena, path, entry->d_name);
		count++;
	}
	closedir(folder);
	return count;
}

static void test_suite_parsing(void **state)
{
	assert_int_equal(check_suite(*state, "json-suite/test_parsing"), 318);
}

static void test_suite_transform(void **state)
{
	assert_true(check_suite(*state, "json-suite/test_transform") >= 20);
}

/* A long string or much white space, then some of everything. */
static void check_behind(struct arena *arena, char filler, size_t count)
{
	struct buffer text;

	buffer_init(&text, arena, (size_t)1 << 20);
	buffer_append(&text, filler == ' ' ? STR("{\"a\":[") : STR("{\"a\":[\""));
	for (size_t i = 0; i < count; i++)
		buffer_append_byte(&text, filler);
	buffer_append(&text, filler == ' ' ? STR("]") : STR("\"]"));
	buffer_append(&text, STR(",\"q\\\"\":[\"\xc3\xa9\",12,\"\",\"b\\n\"]}"));
	struct json value = parse_str(arena, buffer_str(&text));
	struct json first = json_get_c(value, "a"), last = json_get(value, STR("q\""));

	assert_int_equal(value.count, 2);
	assert_int_equal(first.count, filler == ' ' ? 0 : 1);
	assert_int_equal(json_at(first, 0).count, filler == ' ' ? 0 : count);
	assert_int_equal(last.count, 4);
	assert_str(json_str(json_at(last, 0)), STR("\xc3\xa9"));
	assert_int_equal(json_at(last, 1).integer, 12);
	assert_int_equal(json_at(last, 2).count, 0);
	assert_str(json_str(json_at(last, 3)), STR("b\n"));
	arena_finish(arena);
}

/* The parser looks ahead a window at a time: what lies on the border of two reads the same. */
static void test_window_borders(void **state)
{
	for (size_t count = STOPS_WINDOW - 80; count < 2 * STOPS_WINDOW + 80; count++) {
		check_behind(*state, 'x', count);
		check_behind(*state, ' ', count);
	}
}

/* --- values -------------------------------------------------------------------------------- */

static void test_scalars(void **state)
{
	assert_int_equal(parse(*state, " null ").type, JSON_NULL);
	assert_true(parse(*state, "true").boolean);
	assert_int_equal(parse(*state, "false").type, JSON_BOOL);
	assert_false(parse(*state, "false").boolean);
	assert_str(json_str(parse(*state, "\"a b\"")), STR("a b"));
	assert_int_equal(parse(*state, "\"\"").count, 0);
	assert_invalid(*state, STR(""));
	assert_invalid(*state, str_make(NULL, 0));
	assert_invalid(*state, STR("nul"));
	assert_invalid(*state, STR("nullx"));
	assert_invalid(*state, STR("1 2"));
	assert_invalid(*state, STR("\xef\xbb\xbf{}"));
	assert_invalid(*state, STR("[1]\0"));
	assert_invalid(*state, STR("[1,]"));
	assert_invalid(*state, STR("{\"a\":1,}"));
	assert_invalid(*state, STR("[1}"));
	assert_invalid(*state, STR("{\"a\":1]"));
	assert_invalid(*state, STR("{,}"));
}

static void test_numbers(void **state)
{
	struct json value = parse(*state, "999999999999999999");

	assert_int_equal(value.type, JSON_INT);
	assert_int_equal(value.integer, 999999999999999999);
	value = parse(*state, "-999999999999999999");
	assert_int_equal(value.type, JSON_INT);
	assert_int_equal(value.integer, -999999999999999999);
	assert_int_equal(parse(*state, "0").type, JSON_INT);
	const char *kept[] = {"1000000000000000000", "-0", "1.0", "1e5", "1E+5", "-0.0", "0e-1",
			      "123456789012345678901234567890", "1.000000000000000000005"};

	for (size_t i = 0; i < sizeof kept / sizeof *kept; i++) {
		value = parse(*state, kept[i]);
		assert_int_equal(value.type, JSON_NUMBER_TEXT);
		assert_str(json_str(value), str_from_c(kept[i]));
		assert_str(print_anew(*state, value), str_from_c(kept[i]));
	}
	const char *wrong[] = {"01", "-", "-01", "1.", ".5", "1e", "1e+", "+1", "0x1", "1.e1",
			       "--1", "NaN", "Infinity", "-Infinity", "1_000", "00"};

	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
		assert_invalid(*state, str_from_c(wrong[i]));
}

static void test_string_flags(void **state)
{
	struct {
		const char *text;
		const char *value;
		uint8_t flags;
	} cases[] = {
		{"\"plain\"", "plain", JSON_PLAIN | JSON_ASCII},
		{"\"Jos\xc3\xa9\"", "Jos\xc3\xa9", JSON_PLAIN},
		{"\"a\\/b\"", "a/b", JSON_PLAIN | JSON_ASCII},
		{"\"\\u0041\"", "A", JSON_PLAIN | JSON_ASCII},
		{"\"\\u00e9\"", "\xc3\xa9", JSON_PLAIN},
		{"\"\\n\"", "\n", JSON_ASCII},
		{"\"\\u0001\"", "\x01", JSON_ASCII},
		{"\"\\u0022\"", "\"", JSON_ASCII},
		{"\"\\\"\\\\\\b\\f\\n\\r\\t\"", "\"\\\b\f\n\r\t", JSON_ASCII},
		{"\"\\uD83D\\uDE00\"", "\xf0\x9f\x98\x80", JSON_PLAIN},
		{"\"\\ud83d\"", "\xed\xa0\xbd", 0},
		{"\"\\ude00x\"", "\xed\xb8\x80x", 0},
		{"\"\\ud83d\\u0041\"", "\xed\xa0\xbd" "A", 0},
		{"\"\\ud83d\\ud83d\\ude00\"", "\xed\xa0\xbd\xf0\x9f\x98\x80", 0},
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct json value = parse(*state, cases[i].text);

		assert_str(json_str(value), str_from_c(cases[i].value));
		assert_int_equal(value.flags, cases[i].flags);
	}
	assert_int_equal(parse(*state, "\"\\u0000\"").count, 1);
}

/* A string is walked in steps of 16 bytes and then byte by byte: whatever stands in it must be
 * seen at every distance from its begin and from the end of the text. */
static void test_string_positions(void **state)
{
	for (size_t len = 0; len < 70; len++) {
		for (size_t at = 0; at < len; at++) {
			char *text = malloc(len + 2);

			memset(text, 'x', len + 2);
			text[0] = text[len + 1] = '"';
			assert_int_equal(parse_str(*state, str_make(text, len + 2)).count, len);
			text[1 + at] = '\x1f';
			assert_invalid(*state, str_make(text, len + 2));
			text[1 + at] = (char)0x80;
			assert_invalid(*state, str_make(text, len + 2));
			text[1 + at] = '"';
			assert_invalid(*state, str_make(text, len + 2));
			text[1 + at] = '\\';
			assert_invalid(*state, str_make(text, len + 2));
			if (at + 1 < len) {
				memcpy(text + 1 + at, "\\n", 2);
				struct json value = parse_str(*state, str_make(text, len + 2));

				assert_int_equal(value.count, len - 1);
				assert_int_equal(value.text[at], '\n');
				memcpy(text + 1 + at, "\xc3\xa9", 2);
				value = parse_str(*state, str_make(text, len + 2));
				assert_int_equal(value.flags, JSON_PLAIN);
			}
			free(text);
		}
		arena_finish(*state);
	}
}

/* White space is walked in steps of 16 bytes too. */
static void test_space_positions(void **state)
{
	for (size_t len = 0; len < 50; len++) {
		for (size_t at = 0; at < len; at++) {
			char *text = malloc(len + 2);

			for (size_t i = 0; i < len; i++)
				text[1 + i] = " \n\r\t"[i % 4];
			text[0] = '[';
			text[len + 1] = ']';
			assert_int_equal(parse_str(*state, str_make(text, len + 2)).count, 0);
			text[1 + at] = '7';
			assert_int_equal(parse_str(*state, str_make(text, len + 2)).count, 1);
			text[1 + at] = '\v';
			assert_invalid(*state, str_make(text, len + 2));
			text[1 + at] = '\0';
			assert_invalid(*state, str_make(text, len + 2));
			text[0] = '1';
			assert_invalid(*state, str_make(text, len + 1));
			free(text);
		}
	}
}

static void test_utf8(void **state)
{
	const char *right[] = {"\xc2\x80", "\xdf\xbf", "\xe0\xa0\x80", "\xed\x9f\xbf",
			       "\xee\x80\x80", "\xef\xbf\xbf", "\xf0\x90\x80\x80",
			       "\xf4\x8f\xbf\xbf", "abcdefghijklmnop\xc3\xa9"};
	const char *wrong[] = {"\x80", "\xbf", "\xc0\x80", "\xc1\xbf", "\xc2", "\xc2\x41",
			       "\xe0\x9f\xbf", "\xed\xa0\x80", "\xed\xbf\xbf", "\xe2\x82",
			       "\xe2\x82\x41", "\xf0\x8f\xbf\xbf", "\xf4\x90\x80\x80",
			       "\xf5\x80\x80\x80", "\xf0\x9f\x98", "\xff", "\xfe",
			       "abcdefghijklmnop\xc3"};

	for (size_t i = 0; i < sizeof right / sizeof *right; i++) {
		struct str quoted = arena_format(*state, "[\"%s\",{\"%s\":1}]", right[i], right[i]);

		assert_str(json_str(json_at(parse_str(*state, quoted), 0)), str_from_c(right[i]));
	}
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		assert_invalid(*state, arena_format(*state, "[\"%s\"]", wrong[i]));
		assert_invalid(*state, arena_format(*state, "[\"\\n%s\"]", wrong[i]));
		assert_invalid(*state, arena_format(*state, "{\"%s\":1}", wrong[i]));
	}
	assert_invalid(*state, STR("\"\\\xc3\xa9\""));
}

static void test_lookup(void **state)
{
	struct json value = parse(*state, "{\"a\":{\"b\":{\"c\":\"deep\"}},\"list\":[1,2],"
					  "\"\\u0062\":7,\"\":8,\"long key of many bytes\":9}");

	assert_str(json_str(json_get_path(value, STR("a.b.c"))), STR("deep"));
	assert_int_equal(json_get_path(value, STR("a.x.c")).type, JSON_UNDEFINED);
	assert_int_equal(json_get_path(value, STR("list.b")).type, JSON_UNDEFINED);
	assert_int_equal(json_get_c(value, "b").integer, 7);
	assert_int_equal(json_get_c(value, "").integer, 8);
	assert_int_equal(json_get_c(value, "long key of many bytes").integer, 9);
	assert_int_equal(json_get_c(value, "long key 0f many bytes").type, JSON_UNDEFINED);
	assert_int_equal(json_get_c(json_int(1), "b").type, JSON_UNDEFINED);
	assert_int_equal(json_at(json_get_c(value, "list"), 1).integer, 2);
	assert_int_equal(json_at(json_get_c(value, "list"), 2).type, JSON_UNDEFINED);
	assert_int_equal(json_at(value, 0).type, JSON_UNDEFINED);
	assert_str(json_get_str(json_get_path(value, STR("a.b")), "c"), STR("deep"));
	assert_str(json_get_str(value, "a"), STR(""));
}

static void test_source(void **state)
{
	struct json value = parse(*state, " { \"a\" : [ 1 , 2 ] , \"b\":[],\"c\":{\"d\":{}} } ");

	assert_str(json_source(value), STR("{ \"a\" : [ 1 , 2 ] , \"b\":[],\"c\":{\"d\":{}} }"));
	assert_str(json_source(json_get_c(value, "a")), STR("[ 1 , 2 ]"));
	assert_str(json_source(json_get_c(value, "c")), STR("{\"d\":{}}"));
	assert_null(json_source(json_int(1)).data);
	assert_null(json_source(json_copy(*state, value)).data);
	assert_null(json_source(json_array(value.items, 0)).data);
}

/* --- repeated keys ------------------------------------------------------------------------- */

/* An object of `count` keys key(i) with the value i, then the keys `repeated` ones once more. */
static struct str write_object(struct arena *arena, size_t count, size_t repeated,
			       const char *format)
{
	struct buffer out;

	buffer_init(&out, arena, 1 << 28);
	buffer_append_byte(&out, '{');
	for (size_t i = 0; i < count + repeated; i++) {
		if (i > 0)
			buffer_append_byte(&out, ',');
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
		buffer_append_format(&out, format, i % count);
#pragma GCC diagnostic pop
		buffer_append_int(&out, (int64_t)i);
	}
	buffer_append_byte(&out, '}');
	return buffer_str(&out);
}

static void check_unique(struct arena *arena, size_t count, size_t repeated, const char *format)
{
	struct json value = parse_str(arena, write_object(arena, count, repeated, format));

	assert_int_equal(value.count, count);
	for (size_t i = 0; i < count; i++)
		assert_int_equal(value.members[i].value.integer, i < repeated ? i + count : i);
	arena_finish(arena);
}

static void test_repeated_keys(void **state)
{
	struct json value = parse(*state, "{\"a\":1,\"b\":2,\"\\u0061\":3,\"b\":4,\"a\":5}");

	assert_int_equal(value.count, 2);
	assert_str(print_anew(*state, value), STR("{\"a\":5,\"b\":4}"));
	/* On both sides of each way to find them. */
	size_t counts[] = {1, 7, 8, 9, 31, 63, 64, 65, 66, 500, 5000};

	for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
		check_unique(*state, counts[i], 0, "\"key%zu\":");
		check_unique(*state, counts[i], 1, "\"key%zu\":");
		check_unique(*state, counts[i], counts[i], "\"key%zu\":");
	}
}

/* The hash sees the first and last 8 bytes only, so that these all collide: with the square of
 * 100,000 string compares this test would not end. */
static void test_colliding_keys(void **state)
{
	const char *format = "\"the same begin %08zu the same end\":";

	check_unique(*state, 8, 3, format);
	check_unique(*state, 64, 30, format);
	check_unique(*state, 65, 65, format);
	check_unique(*state, 100000, 5000, format);
}

/* --- limits -------------------------------------------------------------------------------- */

static void assert_over(struct arena *arena, struct str text, struct json_limits limits)
{
	struct json value;
	struct error err;

	assert_false(json_parse(arena, text, &limits, &value, &err));
	assert_int_equal(err.code, ERROR_LIMIT);
}

static void assert_within(struct arena *arena, struct str text, struct json_limits limits)
{
	struct json value;
	struct error err;

	if (!json_parse(arena, text, &limits, &value, &err))
		fail_msg("%s", err.message);
}

static void test_bytes_limit(void **state)
{
	struct json_limits limits = json_limits_default;

	limits.bytes_max = 7;
	assert_within(*state, STR("[1,2,3]"), limits);
	assert_over(*state, STR("[1,2,3] "), limits);
}

static void test_depth_limit(void **state)
{
	struct json_limits limits = json_limits_default;

	limits.depth_max = 3;
	assert_within(*state, STR("[{\"a\":[]},[[]]]"), limits);
	assert_over(*state, STR("[{\"a\":[{}]}]"), limits);
	assert_over(*state, STR("[[[[]]]]"), limits);
	limits.depth_max = 0;
	assert_within(*state, STR("1"), limits);
	assert_over(*state, STR("[]"), limits);

	char *text = malloc(100000);
	memset(text, '[', 100000);
	assert_over(*state, str_make(text, 100000), json_limits_default);
	/* With a limit that allows it, depth costs memory but never the stack. */
	memset(text + 50000, ']', 50000);
	limits.depth_max = 50000;
	assert_within(*state, str_make(text, 100000), limits);
	limits.depth_max = 49999;
	assert_over(*state, str_make(text, 100000), limits);
	free(text);
}

static void test_nodes_limit(void **state)
{
	struct json_limits limits = json_limits_default;

	limits.nodes_max = 5;
	assert_within(*state, STR("[1,{\"a\":2,\"b\":[]}]"), limits);
	assert_over(*state, STR("[1,{\"a\":2,\"b\":[1]}]"), limits);
	assert_within(*state, STR("[1,1,1,1]"), limits);
	assert_over(*state, STR("[1,1,1,1,1]"), limits);
}

static void test_arena_limit(void **state)
{
	struct arena arena;
	struct buffer out;

	buffer_init(&out, *state, 1 << 20);
	buffer_append_byte(&out, '[');
	for (size_t i = 0; i < 1000; i++)
		buffer_append(&out, STR("[1],"));
	buffer_append(&out, STR("0]"));
	arena_init(&arena, 16384);
	assert_over(&arena, buffer_str(&out), json_limits_default);
	assert_true(arena.bytes < 65536);
	arena_finish(&arena);
}

static void test_messages(void **state)
{
	struct error err;

	assert_false(parses(*state, STR("[1, 2 3]"), &err));
	assert_string_equal(err.message, "not JSON at byte 6: a comma or ] must follow the value");
	assert_false(parses(*state, STR("{\"a\":\"\\x\"}"), &err));
	assert_string_equal(err.message, "not JSON at byte 6: a backslash with no meaning");
}

static void assert_message(struct arena *arena, struct str text, const char *wanted)
{
	struct error err;

	assert_false(parses(arena, text, &err));
	assert_string_equal(err.message, wanted);
}

/* With and without a closing bracket at the end, on which the parser relies. */
static void test_messages_at_the_end(void **state)
{
	assert_message(*state, STR(""), "not JSON at byte 0: a value must stand here");
	assert_message(*state, STR(" \n"), "not JSON at byte 2: a value must stand here");
	assert_message(*state, STR("[[] "), "not JSON at byte 4: the text ends too early");
	assert_message(*state, STR("[1 "), "not JSON at byte 3: the text ends too early");
	assert_message(*state, STR("[1,"), "not JSON at byte 3: a value must stand here");
	assert_message(*state, STR("{\"a\""), "not JSON at byte 4: a colon must follow the key");
	assert_message(*state, STR("[\"a]"), "not JSON at byte 1: a string without an end");
	assert_message(*state, STR("[\"a\\]"), "not JSON at byte 1: a string without an end");
	assert_message(*state, STR("[\"a]\n"),
		       "not JSON at byte 4: a control byte in a string must be escaped");
	assert_message(*state, STR("[-]"), "not JSON at byte 2: a digit must follow the minus sign");
	assert_message(*state, STR("-"), "not JSON at byte 1: a digit must follow the minus sign");
	assert_message(*state, STR("[]\0"), "not JSON at byte 2: something follows the value");
	assert_message(*state, STR("1]"), "not JSON at byte 1: something follows the value");
}

/* A scalar that is all of the text borrows from it too, escapes apart. */
static void test_scalar_borrows(void **state)
{
	static const char string[] = " \"abc\" ", number[] = "1.50";

	struct json value = parse_str(*state, str_make(string, sizeof string - 1));

	assert_ptr_equal(value.text, string + 2);
	value = parse_str(*state, str_make(number, sizeof number - 1));
	assert_ptr_equal(value.text, number);
	assert_str(json_str(parse(*state, "\"a\\nb\"")), STR("a\nb"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		arena_test(test_suite_parsing),   arena_test(test_suite_transform),
		arena_test(test_scalars),         arena_test(test_numbers),
		arena_test(test_string_flags),    arena_test(test_string_positions),
		arena_test(test_space_positions),
		arena_test(test_utf8),            arena_test(test_lookup),
		arena_test(test_source),          arena_test(test_repeated_keys),
		arena_test(test_colliding_keys),  arena_test(test_bytes_limit),
		arena_test(test_depth_limit),     arena_test(test_nodes_limit),
		arena_test(test_arena_limit),     arena_test(test_messages),
		arena_test(test_window_borders),  arena_test(test_messages_at_the_end),
		arena_test(test_scalar_borrows),
	};

	return cmocka_run_group_tests_name("json", tests, NULL, NULL);
}
