/* URLs, routes and the small readers of header values. */
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "io/http/http.h"

static struct arena arena;

static int open_arena(void **state)
{
	(void)state;
	arena_init(&arena, 1024 * 1024);
	return 0;
}

static int close_arena(void **state)
{
	(void)state;
	arena_finish(&arena);
	return 0;
}

/* --- URLs ---------------------------------------------------------------------------------- */

static void encoding_leaves_only_the_unreserved(void **state)
{
	struct buffer out;
	struct str decoded;
	char all[256];

	(void)state;
	buffer_init(&out, &arena, 1000);
	url_encode(&out, STR("aZ09-._~ /+%?&=#\xc3\xa4"));
	assert_true(str_equal_c(buffer_str(&out), "aZ09-._~%20%2F%2B%25%3F%26%3D%23%C3%A4"));
	for (size_t i = 1; i < 256; i++)
		all[i - 1] = (char)i;
	buffer_init(&out, &arena, 1000);
	url_encode(&out, str_make(all, 255));
	for (int is_form = 0; is_form < 2; is_form++) {
		assert_true(url_decode(&arena, buffer_str(&out), is_form, &decoded));
		assert_true(str_equal(decoded, str_make(all, 255)));
	}
}

static void decoding_refuses_bad_escapes(void **state)
{
	static const char *const bad[] = {"%",	 "%2",	"a%2",	 "%zz", "%2g",
					  "%g2", "%00", "a%00b", "%%"};
	struct str out;

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		assert_false(url_decode(&arena, str_from_c(bad[i]), false, &out));
	assert_false(url_decode(&arena, STR("a\0b"), false, &out));
	assert_true(url_decode(&arena, STR("a+b%2bc%2Fd"), false, &out));
	assert_true(str_equal_c(out, "a+b+c/d"));
	assert_true(url_decode(&arena, STR("a+b%2bc"), true, &out));
	assert_true(str_equal_c(out, "a b+c"));
	assert_true(url_decode(&arena, STR(""), true, &out));
	assert_int_equal(out.len, 0);
}

static void queries_keep_order_and_repeats(void **state)
{
	struct http_field *fields;
	struct error err;
	size_t count;

	(void)state;
	assert_true(url_parse_query(&arena, STR("&b=2&a=1&&b=3=4&c&=d&e%5B%5D=%26+x&"), 6, &fields,
				    &count, &err));
	static const char *const wanted[][2] = {{"b", "2"}, {"a", "1"}, {"b", "3=4"},
						{"c", ""},  {"", "d"},	{"e[]", "& x"}};
	assert_int_equal(count, 6);
	for (size_t i = 0; i < 6; i++) {
		assert_true(str_equal_c(fields[i].name, wanted[i][0]));
		assert_true(str_equal_c(fields[i].value, wanted[i][1]));
	}
	assert_true(url_parse_query(&arena, (struct str){NULL, 0}, 0, &fields, &count, &err));
	assert_int_equal(count, 0);
	assert_true(url_parse_query(&arena, STR("&&&"), 0, &fields, &count, &err));
	assert_int_equal(count, 0);
}

static void queries_have_limits_and_name_the_field(void **state)
{
	struct http_field *fields;
	struct error err;
	size_t count;

	(void)state;
	assert_true(url_parse_query(&arena, STR("a&b"), 2, &fields, &count, &err));
	assert_false(url_parse_query(&arena, STR("a&b&c"), 2, &fields, &count, &err));
	assert_int_equal(err.code, ERROR_LIMIT);
	assert_string_equal(err.field, "query");
	assert_false(url_parse_query(&arena, STR("ok=1&limit=%zz"), 2, &fields, &count, &err));
	assert_int_equal(err.code, ERROR_INVALID);
	assert_string_equal(err.field, "limit");
	assert_false(url_parse_query(&arena, STR("%zz=1"), 2, &fields, &count, &err));
	assert_string_equal(err.field, "query");
}

/* --- routes -------------------------------------------------------------------------------- */

static void handle(void *context, struct http_exchange *exchange, const struct http_match *match)
{
	(void)context, (void)exchange, (void)match;
}

static const struct http_route routes[] = {
	{HTTP_GET, "/", handle},
	{HTTP_GET, "/unified/{model}/{resource}", handle},
	{HTTP_POST, "/unified/{model}/{resource}", handle},
	{HTTP_GET, "/unified/{model}/{resource}/{id}", handle},
	{HTTP_DELETE, "/unified/{model}/{resource}/{id}", handle},
	{HTTP_GET, "/unified/{model}/meta", handle},
	{HTTP_GET, "/unified/ats/{resource}", handle},
	{HTTP_GET, "/proxy/{path...}", handle},
	{HTTP_GET, "/proxy/one/{thing}", handle},
	{HTTP_POST, "/a/{x}", handle},
	{HTTP_GET, "/a/b", handle},
};

static const char *find(enum http_method method, const char *path, struct http_match *match,
			struct error *err)
{
	const struct http_router *router =
		http_router_create(&arena, routes, sizeof routes / sizeof *routes);
	const struct http_route *route = NULL;

	if (!http_router_find(router, method, str_from_c(path), &arena, &route, match, err))
		return NULL;
	return route->pattern;
}

static void the_most_particular_route_wins(void **state)
{
	static const struct {
		const char *path;
		const char *pattern;
		const char *parts[3];
	} cases[] = {
		{"/", "/", {NULL}},
		{"/unified/crm/jobs", "/unified/{model}/{resource}", {"crm", "jobs"}},
		{"/unified/ats/jobs", "/unified/ats/{resource}", {"jobs"}},
		{"/unified/crm/meta", "/unified/{model}/meta", {"crm"}},
		/* The leftmost constant decides. */
		{"/unified/ats/meta", "/unified/ats/{resource}", {"meta"}},
		{"/unified/ats/jobs/7", "/unified/{model}/{resource}/{id}", {"ats", "jobs", "7"}},
		{"/unified/ats/jobs/a%2Fb",
		 "/unified/{model}/{resource}/{id}",
		 {"ats", "jobs", "a/b"}},
		{"/unified/ats/jobs/..", "/unified/{model}/{resource}/{id}", {"ats", "jobs", ".."}},
		{"/unified/ats/jobs/%2e", "/unified/{model}/{resource}/{id}", {"ats", "jobs", "."}},
		{"/unified/ats/jobs/a+b%20c",
		 "/unified/{model}/{resource}/{id}",
		 {"ats", "jobs", "a+b c"}},
		{"/proxy/a", "/proxy/{path...}", {"a"}},
		{"/proxy/a/b//c/", "/proxy/{path...}", {"a/b//c/"}},
		{"/proxy/one/x", "/proxy/one/{thing}", {"x"}},
		{"/proxy/one/x/y", "/proxy/{path...}", {"one/x/y"}},
		{"/a/b", "/a/b", {NULL}},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct http_match match;
		struct error err;
		const char *pattern = find(HTTP_GET, cases[i].path, &match, &err);

		assert_non_null(pattern);
		assert_string_equal(pattern, cases[i].pattern);
		for (size_t part = 0; part < 3; part++)
			assert_true(str_equal(match.parts[part], str_from_c(cases[i].parts[part])));
	}
}

static void what_fits_no_route_is_not_found(void **state)
{
	static const char *const paths[] = {
		"",
		"*",
		"x",
		"//",
		"/unified",
		"/unified/",
		"/unified//jobs",
		"/unified/ats/jobs/",
		"/unified/ats/jobs/7/8",
		"/proxy",
		"/proxy/",
		"/Proxy/x",
		"/proxy%2Fx",
		"/un%69fied/a/b",
		"/a/b/",
		"unified/ats/jobs",
	};

	(void)state;
	for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
		struct http_match match;
		struct error err = {0};

		assert_null(find(HTTP_GET, paths[i], &match, &err));
		assert_int_equal(err.code, ERROR_NOT_FOUND);
	}
}

static void a_method_that_is_not_there_lists_those_that_are(void **state)
{
	struct http_match match;
	struct error err;

	(void)state;
	assert_null(find(HTTP_PATCH, "/unified/crm/jobs", &match, &err));
	assert_int_equal(err.code, ERROR_METHOD);
	assert_string_equal(err.allowed, "GET, POST");
	assert_null(find(HTTP_METHODS, "/", &match, &err));
	assert_int_equal(err.code, ERROR_METHOD);
	assert_string_equal(err.allowed, "GET");
	/* A less particular route with the method is better than none. */
	assert_string_equal(find(HTTP_POST, "/a/b", &match, &err), "/a/{x}");
}

static void a_bad_escape_in_the_path_is_invalid(void **state)
{
	struct http_match match;
	struct error err;

	(void)state;
	assert_null(find(HTTP_GET, "/unified/ats/jobs/%zz", &match, &err));
	assert_int_equal(err.code, ERROR_INVALID);
	assert_string_equal(err.field, "path");
	assert_null(find(HTTP_GET, "/proxy/a%00b", &match, &err));
	assert_int_equal(err.code, ERROR_INVALID);
}

static void a_router_without_routes_finds_nothing(void **state)
{
	const struct http_router *router = http_router_create(&arena, NULL, 0);
	const struct http_route *route;
	struct http_match match;
	struct error err;

	(void)state;
	assert_false(http_router_find(router, HTTP_GET, STR("/"), &arena, &route, &match, &err));
	assert_int_equal(err.code, ERROR_NOT_FOUND);
}

/* --- values -------------------------------------------------------------------------------- */

static void retry_after_is_seconds_or_a_date(void **state)
{
	/* Sun, 06 Nov 1994 08:49:37 GMT */
	int64_t then_ms = (int64_t)784111777 * 1000, day_ms = 24 * 3600 * 1000;
	static const struct {
		const char *value;
		int64_t before_ms; /* now is that much before the date */
		int64_t wanted_ms;
	} cases[] = {
		{"0", 0, 0},
		{"7", 0, 7000},
		{" 7 ", 0, 7000},
		{"-5", 0, 0},
		{"86400", 0, 86400000},
		{"86401", 0, 86400000},
		{"9223372036854775807", 0, 86400000},
		{"99999999999999999999999", 0, 86400000},
		{"Sun, 06 Nov 1994 08:49:37 GMT", 5000, 5000},
		{"Sun, 06 Nov 1994 08:49:37 GMT", -5000, 0},
		{"Sun, 06 Nov 1994 08:49:37 GMT", 90000000, 86400000},
		{"", 0, -1},
		{"soon", 0, -1},
		{"7s", 0, -1},
		{"1.5", 0, -1},
		{"-", 0, -1},
		{"Sun, 06 Nov 1994 08:49:37 CET", 0, -1},
		{"Sun, 06 Foo 1994 08:49:37 GMT", 0, -1},
	};

	(void)state;
	assert_int_equal(day_ms, 86400000);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		assert_int_equal(http_parse_retry_after_ms(str_from_c(cases[i].value),
							   then_ms - cases[i].before_ms),
				 cases[i].wanted_ms);
}

static void methods_have_names(void **state)
{
	(void)state;
	for (int i = 0; i < HTTP_METHODS; i++) {
		const char *name = http_method_name((enum http_method)i);
		assert_int_equal(http_method_from(str_from_c(name)), i);
	}
	assert_int_equal(http_method_from(STR("get")), HTTP_METHODS);
	assert_int_equal(http_method_from(STR("")), HTTP_METHODS);
	assert_int_equal(http_method_from(STR("GET ")), HTTP_METHODS);
}

static void control_bytes_are_found(void **state)
{
	(void)state;
	assert_false(http_has_control_byte(STR("")));
	assert_false(http_has_control_byte(STR(" ~\x80\xff")));
	assert_true(http_has_control_byte(STR("a\0")));
	assert_true(http_has_control_byte(STR("\x1f")));
	assert_true(http_has_control_byte(STR("\x7f")));
	assert_true(http_has_control_byte(STR("\t")));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, open_arena, close_arena)
	const struct CMUnitTest tests[] = {
		TEST(encoding_leaves_only_the_unreserved),
		TEST(decoding_refuses_bad_escapes),
		TEST(queries_keep_order_and_repeats),
		TEST(queries_have_limits_and_name_the_field),
		TEST(the_most_particular_route_wins),
		TEST(what_fits_no_route_is_not_found),
		TEST(a_method_that_is_not_there_lists_those_that_are),
		TEST(a_bad_escape_in_the_path_is_invalid),
		TEST(a_router_without_routes_finds_nothing),
		TEST(retry_after_is_seconds_or_a_date),
		TEST(methods_have_names),
		TEST(control_bytes_are_found),
	};
#undef TEST

	return cmocka_run_group_tests(tests, NULL, NULL);
}
