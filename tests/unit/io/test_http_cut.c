/* A server that misbehaves on purpose: its replies end early, orderly or with a reset, and the
 * connections after it are well. */
#include "http_testing.h"

static const char body[] = "0123456789";

struct cut {
	bool is_cut;
	bool with_reset;
	size_t after;
	enum http_outcome expected;
};

static const struct cut cuts[] = {
	{false, false, 0, HTTP_COMPLETE},
	{true, false, 0, HTTP_BROKEN},
	{true, true, 0, HTTP_BROKEN},
	{true, false, 5, HTTP_BROKEN},
	{true, true, 5, HTTP_BROKEN},
	{true, true, sizeof body - 2, HTTP_BROKEN},
	{true, true, sizeof body - 1, HTTP_COMPLETE}, /* nothing is left to be cut */
	{false, true, 5, HTTP_COMPLETE},
};

static void answer_cut(struct http_handler *handler, struct http_exchange *exchange)
{
	struct stage *stage = handler->context;
	const struct cut *cut = stage->extra;

	exchange->reply = str_from_c(body);
	exchange->is_cut = cut->is_cut;
	exchange->cut_with_reset = cut->with_reset;
	exchange->cut_after = cut->after;
}

static void call_each(void *context)
{
	struct stage *stage = context;

	for (size_t i = 0; i < sizeof cuts / sizeof *cuts; i++) {
		struct cut cut = cuts[i];
		struct http_request request = stage_request(stage, HTTP_POST, "/");
		struct http_response response;
		struct error err;

		stage->extra = &cut;
		(void)!http_client_send(stage->client, &stage->arena, &request, &response, &err);
		assert_int_equal(response.outcome, cut.expected);
		if (response.outcome == HTTP_COMPLETE)
			assert_true(str_equal_c(response.body, body));
	}
}

static void replies_end_where_they_are_told(void **state)
{
	struct stage stage;

	(void)state;
	stage_open(&stage);
	stage_serve(&stage, answer_cut);
	stage_run(&stage, call_each);
	stage_close(&stage);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(replies_end_where_they_are_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
