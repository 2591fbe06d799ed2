/* What the JSON tests share: an arena for each test, and parsing where nothing may fail. */
#ifndef TESTS_UNIT_LANG_JSON_TESTING_H
#define TESTS_UNIT_LANG_JSON_TESTING_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lang/json/json.h"

static inline int arena_setup(void **state)
{
	static struct arena arena;

	arena_init(&arena, (size_t)1 << 30);
	*state = &arena;
	return 0;
}

static inline int arena_teardown(void **state)
{
	arena_finish(*state);
	return 0;
}

static inline struct json parse_str(struct arena *arena, struct str text)
{
	struct json value;
	struct error err;

	if (!json_parse(arena, text, &json_limits_default, &value, &err))
		fail_msg("%.*s: %s", STR_ARGS(text), err.message);
	return value;
}

static inline struct json parse(struct arena *arena, const char *text)
{
	return parse_str(arena, str_from_c(text));
}

static inline struct str print(struct arena *arena, struct json value)
{
	struct buffer out;

	buffer_init(&out, arena, (size_t)1 << 28);
	json_print(&out, value);
	assert_false(out.is_over);
	return buffer_str(&out);
}

/* Without the sources: every value is spelt anew. */
static inline struct str print_anew(struct arena *arena, struct json value)
{
	return print(arena, json_copy(arena, value));
}

#define assert_str(got, wanted)                                                                \
	do {                                                                                   \
		struct str got_ = (got), wanted_ = (wanted);                                   \
		if (!str_equal(got_, wanted_))                                                 \
			fail_msg("got <%.*s>, wanted <%.*s>", STR_ARGS(got_), STR_ARGS(wanted_)); \
	} while (0)

#define arena_test(name) cmocka_unit_test_setup_teardown(name, arena_setup, arena_teardown)

#endif
