/* Whatever the bytes are, reading ends without a fault; and what was read, spelt anew without its
 * sources, reads as an equal value and is spelt the same again. Every way of finding the stops of
 * a text finds the same ones. */
#include <assert.h>

#include "lang/json/json.h"
#include "lang/json/stops.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static struct str print(struct arena *arena, struct json value)
{
	struct buffer out;

	buffer_init(&out, arena, (size_t)1 << 28);
	json_print(&out, value);
	assert(!out.is_over);
	return buffer_str(&out);
}

static struct json parse_again(struct arena *arena, struct str text)
{
	struct json value;
	struct error err;
	bool is_read = json_parse(arena, text, &json_limits_default, &value, &err);

	assert(is_read);
	return value;
}

static void check_value(struct arena *arena, struct json value)
{
	struct json copy = json_copy(arena, value);
	struct str anew = print(arena, copy), source = print(arena, value);
	struct json again = parse_again(arena, anew);

	assert(json_equal(value, copy));
	assert(json_equal(value, again) && json_equal(again, value));
	assert(json_equal(parse_again(arena, source), value));
	assert(str_equal(print(arena, json_copy(arena, again)), anew));
}

static void check_stops(const char *text, size_t len)
{
	static uint32_t wanted[STOPS_ROOM], got[STOPS_ROOM];

	if (len > STOPS_WINDOW)
		len = STOPS_WINDOW;
	size_t count = stops_methods[0].find(text, len, 0, wanted);

	for (int i = 1; i < STOPS_METHODS_MAX && stops_methods[i].find != NULL; i++) {
		if (!stops_methods[i].is_supported())
			continue;
		size_t found = stops_methods[i].find(text, len, 0, got);

		assert(found == count && memcmp(got, wanted, count * sizeof *got) == 0);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct arena arena;
	struct json value;
	struct error err;

	check_stops((const char *)data, len);
	arena_init(&arena, (size_t)1 << 30);
	if (json_parse(&arena, str_make((const char *)data, len), &json_limits_default, &value,
		       &err))
		check_value(&arena, value);
	else
		assert(err.code == ERROR_INVALID || err.code == ERROR_LIMIT);
	arena_finish(&arena);
	return 0;
}
