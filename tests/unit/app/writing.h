/* How the tests of writes ask the sandbox, and look at what is there afterwards. */
#ifndef TESTS_UNIT_APP_WRITING_H
#define TESTS_UNIT_APP_WRITING_H

#include "asking.h"

/* The path is a format: "/candidates/%lld". */
static inline PRINTF_LIKE(1, 2) const char *at(const char *format, ...)
{
	char text[400];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof text, format, arguments);
	va_end(arguments);
	return arena_c(&arena, str_from_c(text));
}

static inline struct reply write_to(struct sandbox *sandbox, enum http_method method,
				    const char *path, const char *body)
{
	return call(sandbox, method, at("/c/41207%s", path), "Bearer sandbox-token", body);
}

/* The answer of a write that must have this status. */
static inline struct json done(struct sandbox *sandbox, enum http_method method, const char *path,
			       int status, const char *body)
{
	struct reply reply = write_to(sandbox, method, path, body);

	if (reply.status != status || json_is(reply.json, JSON_UNDEFINED))
		fail_msg("%s %s: %d %.*s", http_method_name(method), path, reply.status,
			 (int)(reply.body.len < 600 ? reply.body.len : 600), reply.body.data);
	return reply.json;
}

/* "a.b" of a value; numbers in the path are places in a list. */
static inline struct json look(struct json value, const char *path)
{
	struct str rest = str_from_c(path);

	while (rest.data != NULL) {
		struct str key = str_cut(&rest, '.');
		int64_t place;
		value = str_to_int64(key, &place) ? json_at(value, (size_t)place)
						  : json_get(value, key);
	}
	return value;
}

static inline int64_t id_of(struct json value, const char *path)
{
	return integer(look(value, path));
}

static inline const char *text_of(struct json value, const char *path)
{
	struct json text = look(value, path);

	if (!json_is(text, JSON_STRING))
		fail_msg("%s is no text but of type %d", path, text.type);
	return arena_c(&arena, json_str(text));
}

static inline bool is_null(struct json value, const char *path)
{
	return json_is(look(value, path), JSON_NULL);
}

/* As JSON, for a comparison at a glance. */
static inline const char *shown(struct json value, const char *path)
{
	struct buffer text;

	buffer_init(&text, &arena, 1 << 20);
	json_print(&text, look(value, path));
	return arena_c(&arena, buffer_str(&text));
}

/* The made fields of a record, living or dead. */
static inline struct json record_of(struct sandbox *sandbox, const char *collection, int64_t id)
{
	struct reply reply = call(sandbox, HTTP_GET,
				  at("/sandbox/record?collection=%s&id=%lld", collection,
				     (long long)id),
				  NULL, NULL);

	assert_int_equal(reply.status, 200);
	return json_get_c(reply.json, "record");
}

static inline size_t count_of(struct sandbox *sandbox, const char *collection)
{
	struct reply reply = call(sandbox, HTTP_GET, at("/sandbox/truth?collection=%s", collection),
				  NULL, NULL);

	return json_get_c(reply.json, "ids").count;
}

/* The record of this id in a list, or undefined. */
static inline struct json find_id(struct json list, int64_t id)
{
	for (uint32_t i = 0; i < list.count; i++) {
		struct json value = json_get_c(list.items[i], "id");
		if (json_is(value, JSON_INT) && value.integer == id)
			return list.items[i];
	}
	return json_undefined();
}

static inline bool list_has(struct json list, const char *text)
{
	for (uint32_t i = 0; i < list.count; i++)
		if (json_equal(list.items[i], json_string_c(text)))
			return true;
	return false;
}

/* The event of the newest activity of a candidate, "" when there is none. */
static inline const char *last_event(struct sandbox *sandbox, int64_t candidate)
{
	struct json activities = json_get_c(
		good(sandbox, at("/tracking/candidates/%lld/activities?limit=1",
				 (long long)candidate)),
		"activities");

	return activities.count == 0 ? "" : text_of(activities, "0.event");
}

static inline int64_t make_candidate(struct sandbox *sandbox, const char *name)
{
	return id_of(done(sandbox, HTTP_POST, "/candidates", 201,
			  at("{\"candidate\":{\"name\":\"%s\"}}", name)),
		     "candidate.id");
}

/* An offer of this kind that people can be placed on. */
static inline int64_t some_offer(struct sandbox *sandbox, const char *kind, size_t which)
{
	struct json offers = json_get_c(good(sandbox, at("/offers?kind=%s&view_mode=brief", kind)),
					"offers");

	assert_true(offers.count > which);
	return id_of(offers.items[which], "id");
}

/* The id of an offer's stage of this category. */
static inline int64_t stage_of(struct sandbox *sandbox, int64_t offer, const char *category)
{
	struct json stages = look(good(sandbox, at("/offers/%lld", (long long)offer)),
				  "offer.pipeline_template.stages");

	for (uint32_t i = 0; i < stages.count; i++)
		if (strcmp(text_of(stages.items[i], "category"), category) == 0)
			return id_of(stages.items[i], "id");
	fail_msg("no stage of the category %s", category);
	return 0;
}

#define EACH_TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

#endif
