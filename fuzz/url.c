/* Input: a request's target. Whatever the bytes are, path and query are read without a fault; what
 * was decoded, encoded anew and read again, is the same. */
#include <assert.h>

#include "io/http/http.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

enum { FIELDS_MAX = 50 };

static void handle(void *context, struct http_exchange *exchange, const struct http_match *match)
{
	(void)context, (void)exchange, (void)match;
}

static const struct http_route routes[] = {
	{HTTP_GET, "/", handle},
	{HTTP_GET, "/unified/{model}/{resource}", handle},
	{HTTP_GET, "/unified/{model}/{resource}/{id}", handle},
	{HTTP_POST, "/unified/{model}/{resource}", handle},
	{HTTP_GET, "/unified/{model}/meta", handle},
	{HTTP_GET, "/proxy/{path...}", handle},
};

static void check_decoded(struct arena *arena, struct str text)
{
	struct buffer out;
	struct str again;

	buffer_init(&out, arena, text.len * 3);
	url_encode(&out, text);
	bool is_read = url_decode(arena, buffer_str(&out), true, &again);
	assert(is_read && str_equal(again, text));
}

static void check_query(struct arena *arena, struct str query)
{
	struct http_field *fields;
	struct error err;
	size_t count;

	if (!url_parse_query(arena, query, FIELDS_MAX, &fields, &count, &err)) {
		assert(err.code == ERROR_INVALID || err.code == ERROR_LIMIT);
		return;
	}
	assert(count <= FIELDS_MAX);
	for (size_t i = 0; i < count; i++) {
		check_decoded(arena, fields[i].name);
		check_decoded(arena, fields[i].value);
	}
}

static void check_path(struct arena *arena, struct str path, enum http_method method)
{
	const struct http_router *router =
		http_router_create(arena, routes, sizeof routes / sizeof *routes);
	const struct http_route *route;
	struct http_match match;
	struct error err;

	if (!http_router_find(router, method, path, arena, &route, &match, &err)) {
		assert(err.code != ERROR_METHOD || err.allowed[0] != '\0');
		return;
	}
	assert(route->method == method);
	for (size_t i = 0; i < HTTP_ROUTE_PARTS; i++)
		check_decoded(arena, match.parts[i]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct str query = str_make((const char *)data, len);
	struct str path = str_cut(&query, '?');
	struct arena arena;

	if (len > 16 * 1024)
		return 0;
	arena_init(&arena, 1024 * 1024);
	check_query(&arena, query);
	for (int method = 0; method <= HTTP_METHODS; method++)
		check_path(&arena, path, (enum http_method)method);
	(void)http_parse_retry_after_ms(query, 0);
	arena_finish(&arena);
	return 0;
}
