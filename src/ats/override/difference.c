/* Where two values differ, told by the paths of members and items. */
#include "ats/override/override.h"

enum { DEPTH_MAX = 32 };

struct difference {
	struct arena *arena;
	struct json_builder items;
};

static struct json or_null(struct json value)
{
	return json_is(value, JSON_UNDEFINED) ? json_null() : value;
}

static void add(struct difference *difference, struct str path, struct json before,
		struct json after)
{
	struct json_builder members;

	json_builder_init(&members, difference->arena);
	json_builder_set(&members, STR("field"), json_string(path));
	json_builder_set(&members, STR("before"), or_null(before));
	json_builder_set(&members, STR("after"), or_null(after));
	json_builder_add(&difference->items, json_builder_object(&members));
}

static struct str join(struct arena *arena, struct str path, struct str name)
{
	return path.len == 0 ? name
			     : arena_format(arena, "%.*s.%.*s", STR_ARGS(path), STR_ARGS(name));
}

static void compare(struct difference *difference, struct str path, struct json before,
		    struct json after, int depth);

static void compare_objects(struct difference *difference, struct str path, struct json before,
			    struct json after, int depth)
{
	struct arena *arena = difference->arena;

	for (size_t i = 0; i < before.count; i++) {
		struct str key = json_name(&before.members[i]);

		compare(difference, join(arena, path, key), before.members[i].value,
			json_get(after, key), depth);
	}
	for (size_t i = 0; i < after.count; i++) {
		struct str key = json_name(&after.members[i]);

		if (json_is(json_get(before, key), JSON_UNDEFINED))
			add(difference, join(arena, path, key), json_undefined(),
			    after.members[i].value);
	}
}

static void compare(struct difference *difference, struct str path, struct json before,
		    struct json after, int depth)
{
	if (json_equal(before, after))
		return;
	if (depth < DEPTH_MAX && json_is(before, JSON_OBJECT) && json_is(after, JSON_OBJECT)) {
		compare_objects(difference, path, before, after, depth + 1);
	} else if (depth < DEPTH_MAX && json_is(before, JSON_ARRAY) && json_is(after, JSON_ARRAY) &&
		   before.count == after.count) {
		for (size_t i = 0; i < before.count; i++)
			compare(difference,
				arena_format(difference->arena, "%.*s[%zu]", STR_ARGS(path), i),
				json_at(before, i), json_at(after, i), depth + 1);
	} else {
		add(difference, path, before, after);
	}
}

struct json override_difference(struct arena *arena, struct json before, struct json after)
{
	struct difference difference = {.arena = arena};

	json_builder_init(&difference.items, arena);
	compare(&difference, (struct str){NULL, 0}, before, after, 0);
	return json_builder_array(&difference.items);
}
