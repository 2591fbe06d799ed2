/* How the tests of the sandbox ask it: by its handler, without a socket. */
#ifndef TESTS_UNIT_APP_ASKING_H
#define TESTS_UNIT_APP_ASKING_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "app/sandbox/sandbox.h"
#include "lang/json/json.h"

static struct arena arena; /* of one test */

/* A clock that stands still unless a test moves it. */
static int64_t clock_ns;
static inline int64_t read_clock(void *context)
{
	(void)context;
	return INT64_C(1795176000000000000) + clock_ns;
}
static const struct clock still_clock = {read_clock, read_clock, NULL};

static inline int set_up(void **state)
{
	(void)state;
	arena_init(&arena, SIZE_MAX);
	clock_ns = 0;
	return 0;
}

static inline int tear_down(void **state)
{
	(void)state;
	arena_finish(&arena);
	return 0;
}

static inline struct sandbox_options make_options(void)
{
	const char *source = getenv("TENON_SOURCE");
	struct str folder = arena_format(&arena, "%s/sandbox/recruitee", source == NULL ? "." : source);

	return (struct sandbox_options){.folder = arena_c(&arena, folder), .seed = 7,
					.candidates = 60, .clock = &still_clock};
}

static inline struct sandbox *create(const struct sandbox_options *options)
{
	struct error err = {0};
	struct sandbox *sandbox = sandbox_create(options, &err);

	if (sandbox == NULL)
		fail_msg("%s", err.message);
	return sandbox;
}

/* --- asking without a socket ---------------------------------------------------------------- */

struct reply {
	int status;
	struct str body;
	struct str content_type;
	struct json json; /* undefined when the body is none */
	struct http_header *headers;
	size_t header_count;
	bool is_cut;
	bool cut_with_reset;
	size_t cut_after;
};

static inline struct str reply_header(const struct reply *reply, const char *name)
{
	for (size_t i = 0; i < reply->header_count; i++)
		if (str_equal_nocase(reply->headers[i].name, str_from_c(name)))
			return reply->headers[i].value;
	return (struct str){0};
}

static inline struct reply ask(struct sandbox *sandbox, enum http_method method, const char *target,
			       const char *authorization, const char *content_type, struct str body)
{
	struct str query = str_from_c(target), path = str_cut(&query, '?');
	struct http_header headers[] = {
		{STR("host"), STR("ats.example:80")},
		{STR("content-type"), str_from_c(content_type)},
		{STR("authorization"), str_from_c(authorization == NULL ? "" : authorization)}};
	struct http_exchange exchange = {
		.arena = &arena, .method = method, .path = path, .headers = headers,
		.header_count = authorization == NULL ? 2 : 3, .body = body, .status = 200,
		.content_type = STR("application/json")};
	struct http_field *fields = NULL;
	struct error err = {0};

	if (query.len > 0)
		assert_true(url_parse_query(&arena, query, 100, &fields, &exchange.query_count, &err));
	exchange.query = fields;
	struct http_handler *handler = sandbox_handler(sandbox);
	handler->handle(handler, &exchange);
	struct reply reply = {exchange.status, exchange.reply, exchange.content_type,
			      json_undefined(), exchange.reply_headers, exchange.reply_header_count,
			      exchange.is_cut, exchange.cut_with_reset, exchange.cut_after};
	struct json value;
	if (json_parse(&arena, reply.body, &json_limits_default, &value, &err))
		reply.json = value;
	return reply;
}

static inline struct reply call(struct sandbox *sandbox, enum http_method method,
				const char *target, const char *authorization, const char *body)
{
	return ask(sandbox, method, target, authorization, "application/json", str_from_c(body));
}

static inline struct reply get(struct sandbox *sandbox, const char *path)
{
	struct str target = arena_format(&arena, "/c/41207%s", path);

	return call(sandbox, HTTP_GET, arena_c(&arena, target), "Bearer sandbox-token", NULL);
}

/* The answer of a path that must be good. */
static inline struct json good(struct sandbox *sandbox, const char *path)
{
	struct reply reply = get(sandbox, path);

	if (reply.status != 200 || json_is(reply.json, JSON_UNDEFINED))
		fail_msg("%s: %d %.*s", path, reply.status, (int)(reply.body.len < 400 ? reply.body.len
										       : 400),
			 reply.body.data);
	return reply.json;
}

static inline void assert_body(struct reply reply, int status, const char *body)
{
	assert_int_equal(reply.status, status);
	assert_string_equal(arena_c(&arena, reply.body), body);
}

static inline int64_t integer(struct json value)
{
	int64_t number = -1;

	assert_true(json_to_int64(value, &number));
	return number;
}

/* The keys of an object with blanks between them, as they came. */
static inline const char *keys_of(struct json object)
{
	struct buffer keys;

	assert_int_equal(object.type, JSON_OBJECT);
	buffer_init(&keys, &arena, 16384);
	for (uint32_t i = 0; i < object.count; i++)
		buffer_append_format(&keys, "%s%.*s", i == 0 ? "" : " ",
				     (int)object.members[i].key_len, object.members[i].key);
	return arena_c(&arena, buffer_str(&keys));
}

static inline bool has_key(struct json object, const char *key)
{
	return !json_is(json_get_c(object, key), JSON_UNDEFINED);
}

static inline void assert_has_keys(struct json object, const char *keys)
{
	struct str rest = str_from_c(keys);

	while (rest.data != NULL) {
		struct str key = str_cut(&rest, ' ');
		if (json_is(json_get(object, key), JSON_UNDEFINED))
			fail_msg("no key %.*s in: %s", STR_ARGS(key), keys_of(object));
	}
	size_t wanted = 1;
	for (const char *at = keys; *at != '\0'; at++)
		wanted += *at == ' ';
	if (object.count != wanted)
		fail_msg("%u keys where %zu are described: %s", object.count, wanted, keys_of(object));
}

#define LIST_KEYS_2023                                                                            \
	"admin_id adminapp_url created_at emails example followed has_avatar id initials "        \
	"last_message_at my_last_rating my_pending_result_request my_upcoming_event name "        \
	"notes_count pending_result_request phones photo_thumb_url placements positive_ratings "  \
	"rating ratings ratings_count referrer source tasks_count unread_notifications "          \
	"upcoming_event updated_at viewed"
#define LIST_KEYS_2026                                                                            \
	LIST_KEYS_2023 " is_anonymous is_hired is_revealed rating_visible salutation title"

#endif
