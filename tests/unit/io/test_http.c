/* Client and server against each other. */
#include "http_testing.h"

/* --- a server that tells what it got ------------------------------------------------------- */

static void echo(struct http_handler *handler, struct http_exchange *exchange)
{
	struct stage *stage = handler->context;
	struct buffer out;

	stage->handled++;
	if (str_equal_c(exchange->path, "/body")) {
		exchange->reply = exchange->body;
		exchange->content_type = STR("application/octet-stream");
		return;
	}
	buffer_init(&out, exchange->arena, 1024 * 1024);
	buffer_append_format(&out, "%.*s %.*s\n", STR_ARGS(exchange->method_name),
			     STR_ARGS(exchange->path));
	for (size_t i = 0; i < exchange->query_count; i++)
		buffer_append_format(&out, "?%.*s=%.*s\n", STR_ARGS(exchange->query[i].name),
				     STR_ARGS(exchange->query[i].value));
	for (size_t i = 0; i < exchange->header_count; i++)
		buffer_append_format(&out, "%.*s: %.*s\n", STR_ARGS(exchange->headers[i].name),
				     STR_ARGS(exchange->headers[i].value));
	buffer_append_format(&out, "\n%.*s", STR_ARGS(exchange->body));
	exchange->reply = buffer_str(&out);
	http_exchange_set_header(exchange, "X-Peer", exchange->peer);
	http_exchange_set_header(exchange, "X-Request-Id", exchange->request_id);
}

static bool has(struct str text, const char *part)
{
	return str_find(text, str_from_c(part)) >= 0;
}

static int open_echo(void **state)
{
	struct stage *stage = calloc(1, sizeof *stage);

	stage_open(stage);
	stage_serve(stage, echo);
	*state = stage;
	return 0;
}

static int close_stage(void **state)
{
	stage_close(*state);
	free(*state);
	return 0;
}

static void call_once(void *context)
{
	struct stage *stage = context;
	const struct http_header headers[] = {{STR("X-Thing"), STR("one, two")},
					      {STR("X-Empty"), STR("")}};
	struct http_request request = stage_request(stage, HTTP_POST, "/a%2Fb?x=1&y%5B%5D=a+b&x=2");
	struct http_response response;
	struct error err;

	request.headers = headers;
	request.header_count = 2;
	request.body = STR("{\"a\": 1}");
	assert_true(http_client_send(stage->client, &stage->arena, &request, &response, &err));
	assert_int_equal(response.outcome, HTTP_COMPLETE);
	assert_int_equal(response.status, 200);
	assert_true(has(response.body, "POST /a%2Fb\n?x=1\n?y[]=a b\n?x=2\n"));
	assert_true(has(response.body, "\nx-thing: one, two\n"));
	assert_true(has(response.body, "\nx-empty: \n"));
	assert_true(has(response.body, "\nuser-agent: test\n"));
	assert_true(has(response.body, "\naccept-encoding: gzip\n"));
	assert_true(has(response.body, "\n\n{\"a\": 1}"));
	assert_false(has(response.body, "expect"));
	assert_false(has(response.body, "content-type"));
	assert_string_equal(arena_c(&stage->arena, http_response_header(&response, "content-type")),
			    "application/json");
	assert_true(str_equal_c(http_response_header(&response, "x-peer"), "127.0.0.1"));
	assert_int_equal(http_response_header(&response, "x-request-id").len, 16);
	assert_int_equal(http_response_header(&response, "x-none").len, 0);
	assert_true(response.duration_ns > 0);
}

static void a_call_arrives_whole(void **state)
{
	stage_run(*state, call_once);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_call_arrives_whole, open_echo, close_stage),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
