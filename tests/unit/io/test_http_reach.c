/* Where calls may go: kinds of addresses, ranges as they are given, and connections that are
 * opened or used again. */
#include "base/log.h"
#include "http_testing.h"

/* --- kinds --------------------------------------------------------------------------------- */

static const char *kind_of(const char *text)
{
	struct sockaddr_in in = {.sin_family = AF_INET};
	struct sockaddr_in6 in6 = {.sin6_family = AF_INET6};

	if (inet_pton(AF_INET, text, &in.sin_addr) == 1)
		return http_address_kind((struct sockaddr *)&in);
	assert_int_equal(inet_pton(AF_INET6, text, &in6.sin6_addr), 1);
	return http_address_kind((struct sockaddr *)&in6);
}

static void addresses_are_public_or_not(void **state)
{
	static const char *const open[] = {
		"1.1.1.1",	   "9.255.255.255",   "11.0.0.0",	  "100.63.255.255",
		"100.128.0.0",	   "172.15.255.255",  "172.32.0.0",	  "192.167.255.255",
		"192.169.0.0",	   "198.17.255.255",  "198.20.0.0",	  "223.255.255.255",
		"2606:4700::1111", "2001:4860::8888", "::ffff:1.1.1.1",	  "64:ff9b::1.1.1.1",
		"2a00:1450::1",	   "2001:200::1",     "3ffe:ffff::1",	  "168.63.129.15",
	};
	static const struct {
		const char *address;
		const char *kind;
	} closed[] = {
		{"0.0.0.0", "unspecified"},	  {"10.0.0.1", "private"},
		{"100.64.0.1", "shared"},	  {"127.0.0.1", "loopback"},
		{"127.255.255.254", "loopback"},  {"169.254.169.254", "metadata"},
		{"169.254.0.1", "link-local"},	  {"168.63.129.16", "metadata"},
		{"172.16.0.1", "private"},	  {"172.31.255.255", "private"},
		{"192.168.1.1", "private"},	  {"192.0.2.1", "documentation"},
		{"198.18.0.1", "reserved"},	  {"198.51.100.1", "documentation"},
		{"203.0.113.9", "documentation"}, {"224.0.0.1", "multicast"},
		{"239.255.255.255", "multicast"}, {"255.255.255.255", "reserved"},
		{"192.0.0.8", "reserved"},	  {"240.0.0.1", "reserved"},
		{"::", "unspecified"},		  {"::1", "loopback"},
		{"::2", "reserved"},		  {"::127.0.0.1", "reserved"},
		{"fe80::1", "link-local"},	  {"fec0::1", "private"},
		{"fd00::1", "private"},		  {"fc00::1", "private"},
		{"ff02::1", "multicast"},	  {"::ffff:10.0.0.1", "private"},
		{"::ffff:127.0.0.1", "loopback"}, {"64:ff9b::7f00:1", "loopback"},
		{"64:ff9b::a9fe:a9fe", "metadata"}, {"64:ff9b:1::1", "reserved"},
		{"2002:7f00:1::", "tunnel"},	  {"2001::1", "tunnel"},
		{"2001:10::1", "reserved"},	  {"2001:db8::1", "documentation"},
		{"3fff::1", "documentation"},	  {"4000::1", "reserved"},
		{"fd00:ec2::254", "private"},	  {"::ffff:0:7f00:1", "reserved"},
	};
	const struct sockaddr local = {.sa_family = AF_UNIX};

	(void)state;
	for (size_t i = 0; i < sizeof open / sizeof *open; i++)
		if (kind_of(open[i]) != NULL)
			fail_msg("%s is public, not %s", open[i], kind_of(open[i]));
	for (size_t i = 0; i < sizeof closed / sizeof *closed; i++) {
		const char *kind = kind_of(closed[i].address);

		if (kind == NULL || strstr(kind, closed[i].kind) == NULL)
			fail_msg("%s is %s", closed[i].address, kind == NULL ? "public" : kind);
	}
	assert_non_null(http_address_kind(&local));
}

/* --- ranges -------------------------------------------------------------------------------- */

static void ranges_are_read(void **state)
{
	static const struct {
		const char *text;
		unsigned len, bits, port;
	} good[] = {
		{"10.0.0.0/8", 4, 8, 0},       {"10.1.2.3", 4, 32, 0},
		{"10.1.2.3:8443", 4, 32, 8443}, {"10.0.0.0/8:443", 4, 8, 443},
		{"0.0.0.0/0", 4, 0, 0},	       {"fd00::/8", 16, 8, 0},
		{"[fd00::/8]:443", 16, 8, 443}, {"[::1]", 16, 128, 0},
		{"::1", 16, 128, 0},	       {"::/0", 16, 0, 0},
	};
	static const char *const bad[] = {
		"",	       "/8",	       "10.0.0.0/33",	"10.0.0.0/-1",	"10.0.0.0/",
		"10.0.0.0/8:", "10.0.0.1:0",   "10.0.0.1:65536", "10.0.0.1:x",	"10.0.0.1/8",
		"host",	       "host:80",      "127.1",		"0x7f.0.0.1",	"[fd00::/8",
		"[fd00::]443", "[fd00::]:",    "fd00::1/129",	"fd00::1/64",	"10.0.0.0/8/8",
		"[10.0.0.1",   "10.0.0.1]",    " 10.0.0.1",	"[]",		"[::1]:80]",
	};
	struct http_range range;
	struct error err;

	(void)state;
	for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
		if (!http_range_read(str_from_c(good[i].text), &range, &err))
			fail_msg("%s: %s", good[i].text, err.message);
		assert_int_equal(range.len, good[i].len);
		assert_int_equal(range.bits, good[i].bits);
		assert_int_equal(range.port, good[i].port);
	}
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		if (http_range_read(str_from_c(bad[i]), &range, &err))
			fail_msg("\"%s\" is taken", bad[i]);
		assert_int_equal(err.code, ERROR_INVALID);
		assert_string_equal(err.field, "allow-address");
	}
}

/* --- calls --------------------------------------------------------------------------------- */

static void count(struct http_handler *handler, struct http_exchange *exchange)
{
	((struct stage *)handler->context)->handled++;
	exchange->reply = STR("here");
}

static void play(fiber_function *script)
{
	struct stage stage;

	stage_open(&stage);
	stage_serve(&stage, count);
	stage_run(&stage, script);
	stage_close(&stage);
}

static struct http_client *reaching(struct stage *stage, const struct http_reach *reach)
{
	const struct http_client_options options = {.reach = reach};
	struct error err;
	struct http_client *client = http_client_create(stage->loop, &options, &err);

	assert_non_null(client);
	return client;
}

static bool call(struct stage *stage, struct http_client *client, struct http_request request,
		 struct error *err)
{
	struct http_response response;
	size_t handled = stage->handled;
	bool ok = http_client_send(client, &stage->arena, &request, &response, err);

	assert_int_equal(response.outcome, ok ? HTTP_COMPLETE : HTTP_REFUSED);
	assert_int_equal(stage->handled, ok ? handled + 1 : handled);
	if (!ok && err->code != ERROR_FORBIDDEN)
		fail_msg("%s", err->message);
	return ok;
}

static unsigned port_of(const struct stage *stage)
{
	struct str port = stage->bound;
	int64_t number = 0;

	str_cut(&port, ':');
	assert_true(str_to_int64(port, &number));
	return (unsigned)number;
}

static struct http_range range_of(struct stage *stage, const char *format, unsigned port)
{
	struct http_range range;
	struct error err;
	struct str text = arena_format(&stage->arena, "%s:%u", format, port);

	assert_true(http_range_read(text, &range, &err));
	return range;
}

static void call_allowed(void *context)
{
	struct stage *stage = context;
	struct http_request request = stage_request(stage, HTTP_GET, "/");
	struct http_range ranges[1];
	struct http_reach reach = {.ranges = ranges, .allows_http = true};
	struct http_client *client = reaching(stage, &reach);
	struct error err;

	assert_false(call(stage, client, request, &err));
	assert_non_null(strstr(err.message, "a loopback address"));
	assert_non_null(strstr(err.message, "--allow-address"));
	reach.range_count = 1;
	ranges[0] = range_of(stage, "127.0.0.0/8", port_of(stage) ^ 1);
	assert_false(call(stage, client, request, &err));
	ranges[0] = range_of(stage, "126.0.0.0/8", port_of(stage));
	assert_false(call(stage, client, request, &err));
	ranges[0] = range_of(stage, "127.0.0.0/8", port_of(stage));
	assert_true(call(stage, client, request, &err));
	http_client_destroy(client);
}

static void calls_go_to_allowed_ranges(void **state)
{
	(void)state;
	play(call_allowed);
}

/* libcurl keeps one connection for all spellings of an address. */
static void call_again(void *context)
{
	struct stage *stage = context;
	struct http_request request = stage_request(stage, HTTP_GET, "/");
	struct str origin = str_slice(request.url, 0, request.url.len - 1);
	struct http_reach reach = {.origins = &origin, .origin_count = 1, .allows_http = true};
	struct http_client *client = reaching(stage, &reach);
	const char *const spellings[] = {"127.1", "2130706433", "0x7f.1", "0177.0.0.1"};
	struct error err;

	for (size_t i = 0; i < sizeof spellings / sizeof *spellings; i++) {
		struct http_request other = request;

		assert_true(call(stage, client, request, &err));
		other.url = arena_format(&stage->arena, "http://%s:%u/", spellings[i],
					 port_of(stage));
		assert_false(call(stage, client, other, &err));
	}
	origin.len--; /* as of another port, whose digits are the first of this one's */
	assert_false(call(stage, client, request, &err));
	http_client_destroy(client);
}

static void a_named_origin_opens_no_way_for_others(void **state)
{
	(void)state;
	play(call_again);
}

static void call_self(void *context)
{
	struct stage *stage = context;
	struct http_request request = stage_request(stage, HTTP_GET, "/");
	struct http_range everything = range_of(stage, "0.0.0.0/0", port_of(stage));
	struct http_reach reach = {.ranges = &everything, .range_count = 1, .allows_http = true};
	struct http_client *client = reaching(stage, &reach);
	struct error err;

	assert_true(call(stage, client, request, &err));
	reach.listener = range_of(stage, "127.0.0.1", port_of(stage));
	assert_false(call(stage, client, request, &err));
	assert_non_null(strstr(err.message, "this server itself"));
	reach.listener = range_of(stage, "0.0.0.0", port_of(stage));
	assert_false(call(stage, client, request, &err));
	reach.listener = range_of(stage, "127.0.0.2", port_of(stage));
	assert_true(call(stage, client, request, &err));
	http_client_destroy(client);
}

static void nothing_calls_the_server_itself(void **state)
{
	(void)state;
	play(call_self);
}

static void call_public(void *context)
{
	struct stage *stage = context;
	struct http_request request = stage_request(stage, HTTP_GET, "/");
	struct http_range everything = range_of(stage, "0.0.0.0/0", port_of(stage));
	struct str origin = str_slice(request.url, 0, request.url.len - 1);
	struct http_reach reach = {.ranges = &everything,
				   .range_count = 1,
				   .origins = &origin,
				   .origin_count = 1,
				   .allows_http = true};
	struct http_client *client = reaching(stage, &reach);
	struct http_response response;
	struct error err;

	assert_true(call(stage, client, request, &err));
	request.to_public_only = true;
	assert_false(http_client_send(client, &stage->arena, &request, &response, &err));
	assert_int_equal(response.outcome, HTTP_REFUSED);
	assert_non_null(strstr(err.message, "https://"));
	request.url = arena_format(&stage->arena, "https%.*s",
				   STR_ARGS(str_slice(request.url, 4, request.url.len)));
	assert_false(call(stage, client, request, &err));
	assert_non_null(strstr(err.message, "public addresses only"));
	assert_false(call(stage, stage->client, request, &err));
	http_client_destroy(client);
}

/* Streams have smaller buffers than whole calls, and the handle is the same. */
static void call_badly(void *context)
{
	struct stage *stage = context;
	struct http_request request = stage_request(stage, HTTP_GET, "/");
	struct http_request bad = request;
	struct http_response response;
	struct error err;

	bad.url = STR("http://127.0.0.1:port/");
	bad.response_bytes_max = 0;
	assert_null(http_client_open(stage->client, &stage->arena, &bad, &response, &err));
	assert_int_equal(response.outcome, HTTP_REFUSED);
	assert_true(call(stage, stage->client, request, &err));
}

static void a_bad_url_spoils_no_other_call(void **state)
{
	(void)state;
	play(call_badly);
}

static void what_others_link_to_is_public_whatever_is_allowed(void **state)
{
	(void)state;
	play(call_public);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses_are_public_or_not),
		cmocka_unit_test(ranges_are_read),
		cmocka_unit_test(calls_go_to_allowed_ranges),
		cmocka_unit_test(a_named_origin_opens_no_way_for_others),
		cmocka_unit_test(nothing_calls_the_server_itself),
		cmocka_unit_test(a_bad_url_spoils_no_other_call),
		cmocka_unit_test(what_others_link_to_is_public_whatever_is_allowed),
	};

	log_set_level(LOG_SILENT);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
