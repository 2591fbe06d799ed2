/* Errors: one table for all doors, texts that are cut and never run over. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/error.h"
#include "dying.h"

/* Names and exit codes tell errors apart; every status is one of HTTP's for errors. */
static void test_the_table_tells_errors_apart(void **state)
{
	(void)state;
	assert_string_equal(error_name(ERROR_NONE), "none");
	assert_int_equal(error_exit_code(ERROR_NONE), 0);
	for (int i = 1; i < ERROR_CODES; i++) {
		enum error_code code = (enum error_code)i;
		assert_in_range(error_http_status(code), 400, 599);
		/* 126 and above mean other things to a shell. */
		assert_in_range(error_exit_code(code), 2, 125);
		for (int k = 0; k < i; k++) {
			assert_string_not_equal(error_name(code), error_name((enum error_code)k));
			assert_int_not_equal(error_exit_code(code),
					     error_exit_code((enum error_code)k));
		}
	}
}

/* Scripts and clients rely on these. */
static void test_the_contract(void **state)
{
	(void)state;
	assert_string_equal(error_name(ERROR_NOT_FOUND), "not_found");
	assert_int_equal(error_http_status(ERROR_NOT_FOUND), 404);
	assert_int_equal(error_http_status(ERROR_INVALID), 400);
	assert_int_equal(error_exit_code(ERROR_INVALID), 2);
	assert_int_equal(error_http_status(ERROR_LIMIT), 413);
	assert_int_equal(error_http_status(ERROR_RATE_LIMITED), 429);
	assert_int_equal(error_http_status(ERROR_UPSTREAM), 502);
	assert_int_equal(error_http_status(ERROR_TIMEOUT), 504);
}

/* A later error replaces an earlier one whole, and each call answers false. */
static void test_set(void **state)
{
	struct error err = {.retry_after_ms = 5, .remote_status = 500};

	(void)state;
	assert_false(error_set_field(&err, ERROR_INVALID, "limit", "1 to 10", "not %d", 11));
	assert_int_equal(err.code, ERROR_INVALID);
	assert_string_equal(err.field, "limit");
	assert_string_equal(err.allowed, "1 to 10");
	assert_string_equal(err.message, "not 11");
	assert_int_equal(err.retry_after_ms, 0);
	assert_int_equal(err.remote_status, 0);
	assert_false(error_set_field(&err, ERROR_INVALID, "x", NULL, "no"));
	assert_string_equal(err.allowed, "");
	assert_false(error_set(&err, ERROR_UPSTREAM, "%s", "the peer closed"));
	assert_string_equal(err.field, "");
	assert_string_equal(err.message, "the peer closed");
}

/* An error often tells of the one before it: its own texts may be arguments. */
static void test_own_texts_as_arguments(void **state)
{
	struct error err;

	(void)state;
	error_set_field(&err, ERROR_INVALID, "name", "a-z", "no name");
	error_set_field(&err, err.code, err.field, err.allowed, "line 3: %s", err.message);
	assert_string_equal(err.message, "line 3: no name");
	assert_string_equal(err.field, "name");
	assert_string_equal(err.allowed, "a-z");
	error_set(&err, ERROR_UPSTREAM, "again: %s", err.message);
	assert_string_equal(err.message, "again: line 3: no name");
}

static void test_long_texts_are_cut(void **state)
{
	char text[1000];
	struct error err;

	(void)state;
	memset(text, 'x', sizeof text - 1);
	text[sizeof text - 1] = '\0';
	error_set_field(&err, ERROR_INVALID, text, text, "%s", text);
	assert_int_equal(strlen(err.message), sizeof err.message - 1);
	assert_int_equal(strlen(err.field), sizeof err.field - 1);
	assert_int_equal(strlen(err.allowed), sizeof err.allowed - 1);
	error_set(&err, ERROR_INVALID, "%.*s", (int)sizeof err.message - 1, text);
	assert_int_equal(strlen(err.message), sizeof err.message - 1);
}

static void set_none(void *context)
{
	error_set(context, ERROR_NONE, "nothing");
}

static void name_nothing(void *context)
{
	(void)context;
	error_name(ERROR_CODES);
}

static void say_and_die(void *context)
{
	(void)context;
	die("out of %s", "wood");
}

static void test_bugs_end_the_process(void **state)
{
	struct error err;

	(void)state;
	assert_int_equal(dies_by(set_none, &err), SIGABRT);
	assert_int_equal(dies_by(name_nothing, NULL), SIGABRT);
	assert_int_equal(dies_by(say_and_die, NULL), SIGABRT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_table_tells_errors_apart),
		cmocka_unit_test(test_the_contract),
		cmocka_unit_test(test_set),
		cmocka_unit_test(test_own_texts_as_arguments),
		cmocka_unit_test(test_long_texts_are_cut),
		cmocka_unit_test(test_bugs_end_the_process),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
