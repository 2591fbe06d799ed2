/* Routes, sorted once so that the first which fits is the most particular one. */
#include <assert.h>

#include "io/http/http.h"

enum { PARTS_MAX = 16 };

/* Their order is the order of preference. */
enum part_kind { PART_CONSTANT, PART_NAME, PART_REST, PART_NONE };

struct shape {
	const struct http_route *route;
	size_t count;
	unsigned char kinds[PARTS_MAX]; /* enum part_kind, PART_NONE after the last */
	struct str parts[PARTS_MAX];
};

struct http_router {
	struct shape *shapes;
	size_t count;
};

static enum part_kind kind_of(struct str part)
{
	if (part.len < 2 || part.data[0] != '{' || part.data[part.len - 1] != '}')
		return PART_CONSTANT;
	return str_ends_with(part, STR("...}")) ? PART_REST : PART_NAME;
}

static void compile(struct shape *shape, const struct http_route *route)
{
	struct str rest = str_from_c(route->pattern);
	size_t names = 0;

	assert(rest.len > 0 && rest.data[0] == '/');
	rest = str_slice(rest, 1, rest.len);
	*shape = (struct shape){.route = route};
	memset(shape->kinds, PART_NONE, sizeof shape->kinds);
	while (rest.len > 0) {
		struct str part = str_cut(&rest, '/');
		enum part_kind kind = kind_of(part);

		assert(part.len > 0 && shape->count < PARTS_MAX);
		assert(kind != PART_REST || rest.len == 0);
		names += kind != PART_CONSTANT;
		shape->kinds[shape->count] = (unsigned char)kind;
		shape->parts[shape->count++] = part;
	}
	assert(names <= HTTP_ROUTE_PARTS);
}

static int compare(const void *a, const void *b)
{
	const struct shape *left = a, *right = b;

	return memcmp(left->kinds, right->kinds, sizeof left->kinds);
}

struct http_router *http_router_create(struct arena *arena, const struct http_route *routes,
				       size_t count)
{
	struct http_router *router = arena_alloc(arena, sizeof *router);

	router->shapes = arena_array(arena, count, sizeof *router->shapes);
	router->count = count;
	for (size_t i = 0; i < count; i++)
		compile(&router->shapes[i], &routes[i]);
	if (count > 0)
		qsort(router->shapes, count, sizeof *router->shapes, compare);
	return router;
}

/* `path` without its first slash. Fills raw[] with what stands at the names. */
static bool fits(const struct shape *shape, struct str path, struct str *raw)
{
	bool has_more = path.len > 0;

	for (size_t i = 0; i < shape->count; i++) {
		if (!has_more)
			return false;
		if (shape->kinds[i] == PART_REST) {
			*raw = path;
			return path.len > 0;
		}
		has_more = str_find_byte(path, '/') >= 0;
		struct str part = str_cut(&path, '/');
		if (part.len == 0)
			return false;
		if (shape->kinds[i] == PART_NAME)
			*raw++ = part;
		else if (!str_equal(part, shape->parts[i]))
			return false;
	}
	return !has_more;
}

/* Adds a method to the list in `allowed`, once. */
static void allow(char *allowed, size_t size, enum http_method method)
{
	const char *name = http_method_name(method);
	size_t len = strlen(allowed);

	for (struct str rest = str_make(allowed, len); rest.len > 0;) {
		if (str_equal_c(str_trim(str_cut(&rest, ',')), name))
			return;
	}
	snprintf(allowed + len, size - len, "%s%s", len == 0 ? "" : ", ", name);
}

static bool decode_parts(const struct shape *shape, struct arena *arena, const struct str *raw,
			 struct http_match *match, struct error *err)
{
	size_t at = 0;

	for (size_t i = 0; i < shape->count; i++) {
		if (shape->kinds[i] == PART_CONSTANT)
			continue;
		if (!url_decode(arena, raw[at], false, &match->parts[at]))
			return error_set_field(err, ERROR_INVALID, "path", NULL,
					       "the path has a bad percent escape");
		at++;
	}
	return true;
}

bool http_router_find(const struct http_router *router, enum http_method method, struct str path,
		      struct arena *arena, const struct http_route **route,
		      struct http_match *match, struct error *err)
{
	struct str rest = str_slice(path, 1, path.len);
	bool is_absolute = path.len > 0 && path.data[0] == '/';
	char allowed[sizeof err->allowed] = "";

	*match = (struct http_match){0};
	for (size_t i = 0; is_absolute && i < router->count; i++) {
		const struct shape *shape = &router->shapes[i];
		struct str raw[HTTP_ROUTE_PARTS];

		if (!fits(shape, rest, raw))
			continue;
		if (shape->route->method != method) {
			allow(allowed, sizeof allowed, shape->route->method);
			continue;
		}
		*route = shape->route;
		return decode_parts(shape, arena, raw, match, err);
	}
	if (allowed[0] != '\0')
		return error_set_field(err, ERROR_METHOD, "method", allowed,
				       "this path does not take that method");
	return error_set(err, ERROR_NOT_FOUND, "there is nothing at this path");
}

size_t http_router_stream_max(const struct http_router *router,
			      const struct http_exchange *exchange)
{
	const struct http_route *route;
	struct http_match match;
	struct error err;

	if (!http_router_find(router, exchange->method, exchange->path, exchange->arena, &route,
			      &match, &err))
		return 0;
	return route->stream_max == NULL ? 0 : route->stream_max(exchange);
}
