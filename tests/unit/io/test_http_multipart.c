/* The reader of multipart/form-data: whatever the pieces, the parts are the same. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "io/http/http.h"

static struct arena arena;

static int set_up(void **state)
{
	(void)state;
	arena_init(&arena, SIZE_MAX);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	arena_finish(&arena);
	return 0;
}

/* "name|filename|type|bytes\n" of each part. */
struct seen {
	struct buffer text;
	size_t begun;
	size_t ended;
	bool stops;
};

static bool begin(void *context, const struct http_part *part, struct error *err)
{
	struct seen *seen = context;

	(void)err;
	assert_int_equal(seen->begun, seen->ended);
	seen->begun++;
	buffer_append(&seen->text, part->name);
	buffer_append_byte(&seen->text, '|');
	buffer_append(&seen->text, part->is_file ? part->filename : STR("-"));
	buffer_append_byte(&seen->text, '|');
	buffer_append(&seen->text, part->content_type);
	buffer_append_byte(&seen->text, '|');
	return true;
}

static bool bytes(void *context, struct str bytes, struct error *err)
{
	struct seen *seen = context;

	assert_true(bytes.len > 0);
	assert_int_equal(seen->begun, seen->ended + 1);
	if (seen->stops)
		return error_set(err, ERROR_LIMIT, "enough");
	buffer_append(&seen->text, bytes);
	return true;
}

static bool end(void *context, struct error *err)
{
	struct seen *seen = context;

	(void)err;
	seen->ended++;
	buffer_append_byte(&seen->text, '\n');
	return true;
}

static bool read_in_pieces(const char *type, struct str body, size_t piece, struct seen *seen,
			   struct error *err)
{
	struct http_part_handler handler = {begin, bytes, end, seen};
	struct multipart *multipart;

	buffer_init(&seen->text, &arena, 1 << 24);
	seen->begun = seen->ended = 0;
	multipart = multipart_create(&arena, str_from_c(type), &handler, err);
	if (multipart == NULL)
		return false;
	for (size_t at = 0; at < body.len; at += piece)
		if (!multipart_feed(multipart, str_slice(body, at, at + piece), err))
			return false;
	return multipart_finish(multipart, err);
}

#define TYPE "multipart/form-data; boundary=xYz"

static const char *read_all(struct str body)
{
	struct seen seen = {.stops = false};
	struct error err = {0};
	const char *whole = NULL;

	for (size_t piece = 1; piece <= body.len; piece++) {
		if (!read_in_pieces(TYPE, body, piece, &seen, &err))
			fail_msg("in pieces of %zu: %s", piece, err.message);
		assert_int_equal(seen.begun, seen.ended);
		const char *text = arena_c(&arena, buffer_str(&seen.text));
		if (whole != NULL)
			assert_string_equal(text, whole);
		whole = text;
	}
	return whole;
}

static void assert_malformed(const char *body, const char *message)
{
	struct seen seen = {.stops = false};
	struct error err = {0};

	for (size_t piece = 1; piece < 40; piece++) {
		err = (struct error){0};
		if (read_in_pieces(TYPE, str_from_c(body), piece, &seen, &err))
			fail_msg("was read: %s", body);
		assert_int_equal(err.code, ERROR_INVALID);
		if (str_find(str_from_c(err.message), str_from_c(message)) < 0)
			fail_msg("%s\nwanted: %s", err.message, message);
	}
}

#define HEAD(rest) "--xYz\r\nContent-Disposition: form-data; " rest "\r\n\r\n"

static void test_fields_and_files(void **state)
{
	(void)state;

	assert_string_equal(
		read_all(STR(HEAD("name=\"a\"") "one\r\n" HEAD("name=b") "\r\n"
			     "--xYz\r\ncontent-type: application/pdf\r\nX-Else: 1\r\n"
			     "CONTENT-DISPOSITION:form-data; name=\"c[d]\"; filename=\"C:\\dir\\e f.pdf\"\r\n"
			     "\r\n%PDF\r\n--xYz--\r\n")),
		"a|-|text/plain|one\nb|-|text/plain|\nc[d]|e f.pdf|application/pdf|%PDF\n");
	/* No part at all; no line's end after the last boundary. */
	assert_string_equal(read_all(STR("--xYz--")), "");
	assert_string_equal(read_all(STR("--xYz--\r\n")), "");
}

static void test_names_are_read_as_browsers_write_them(void **state)
{
	static const char *const cases[][2] = {
		{"name=\"a%22b\"", "a\"b|-"},
		{"name=\"a\\\"b\"", "a\"b|-"},
		{"name=\"a\\\\b\"", "a\\b|-"},
		{"name=\"a\"; filename=\"\"", "a|"},
		{"name=\"a\"; filename=\"/etc/passwd\"", "a|passwd"},
		{"name=\"a\"; filename=\"Zeugnis f\xc3\xbcr \xc3\x84.pdf\"", "a|Zeugnis f\xc3\xbcr \xc3\x84.pdf"},
		{"name=\"a\"; filename=\"x.pdf\"; filename*=UTF-8''%C3%84.pdf", "a|\xc3\x84.pdf"},
		{"name=\"a\"; filename*=UTF-8''%C3%84.pdf; filename=\"x.pdf\"", "a|\xc3\x84.pdf"},
		{"name=\"a;b=c\"", "a;b=c|-"},
	};
	(void)state;

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct str body = arena_format(
			&arena, "--xYz\r\nContent-Disposition: form-data; %s\r\n\r\nv\r\n--xYz--", cases[i][0]);
		struct str wanted = arena_format(&arena, "%s|text/plain|v\n", cases[i][1]);
		assert_string_equal(read_all(body), arena_c(&arena, wanted));
	}
}

/* What looks like a boundary but is none belongs to the part. */
static void test_bytes_that_look_like_the_boundary(void **state)
{
	static const char *const contents[] = {
		"\r\n", "\r", "\n", "\r\r\n", "\r\n-", "\r\n--", "\r\n--x", "\r\n--xY", "\r\n--xy",
		"--xYz", "\n--xYz", "\r\n--xY\r\n--xYa", "\r\n\r\n--x\r\n-\r\n--", "\r\r\r\r\n\r\n--xY"};
	(void)state;

	for (size_t i = 0; i < sizeof contents / sizeof contents[0]; i++) {
		struct str body = arena_format(&arena, HEAD("name=a") "%s\r\n--xYz--", contents[i]);
		struct str wanted = arena_format(&arena, "a|-|text/plain|%s\n", contents[i]);
		assert_string_equal(read_all(body), arena_c(&arena, wanted));
	}
}

static void test_malformed_bodies(void **state)
{
	(void)state;

	assert_malformed("", "ends before");
	assert_malformed("preamble\r\n--xYz--", "does not begin");
	assert_malformed("--xYw--", "does not begin");
	assert_malformed("--xYz", "ends before");
	assert_malformed("--xYz-", "ends before");
	assert_malformed("--xYz\n\n", "not followed by a line's end");
	assert_malformed("--xYzz\r\n", "not followed by a line's end");
	assert_malformed(HEAD("name=a") "v", "ends before");
	assert_malformed(HEAD("name=a") "v\r\n--xYz\r\n", "ends before");
	assert_malformed(HEAD("name=a") "v\r\n--xYz--epilogue", "follows the last boundary");
	assert_malformed("--xYz--\r\n\r\n", "follows the last boundary");
	assert_malformed("--xYz\r\n\r\nv\r\n--xYz--", "no Content-Disposition");
	assert_malformed("--xYz\r\nContent-Type: a\r\n\r\nv\r\n--xYz--", "no Content-Disposition");
	assert_malformed("--xYz\r\nnonsense\r\n\r\nv\r\n--xYz--", "malformed header");
	assert_malformed("--xYz\r\nA: b\r\n folded\r\n\r\nv\r\n--xYz--", "malformed header");
	assert_malformed("--xYz\r\nA: b\x01\r\n\r\nv\r\n--xYz--", "malformed header");
	assert_malformed("--xYz\r\nContent-Transfer-Encoding: base64\r\n\r\nv\r\n--xYz--", "encoded");
	assert_malformed(HEAD("filename=a") "v\r\n--xYz--", "wants form-data and a name");
	assert_malformed(HEAD("name=\"a") "v\r\n--xYz--", "wants form-data and a name");
	assert_malformed(HEAD("name=\"a\" b") "v\r\n--xYz--", "wants form-data and a name");
	assert_malformed(HEAD("name=\"a\nb\"") "v\r\n--xYz--", "control character");
	assert_malformed("--xYz\r\nContent-Disposition: attachment; name=a\r\n\r\nv\r\n--xYz--",
			 "wants form-data and a name");
	assert_malformed("--xYz\r\nContent-Disposition: form-data; name=a\r\n"
			 "Content-Disposition: form-data; name=b\r\n\r\nv\r\n--xYz--",
			 "two Content-Dispositions");
}

static void test_limits(void **state)
{
	struct seen seen = {.stops = false};
	struct error err = {0};
	struct buffer body;
	(void)state;

	/* 8 KiB of a head, blank line and all, then one byte more. */
	for (size_t more = 0; more < 2; more++) {
		const char *start = "Content-Disposition: form-data; name=a\r\nX: ";
		buffer_init(&body, &arena, 1 << 20);
		buffer_append_c(&body, "--xYz\r\n");
		buffer_append_c(&body, start);
		for (size_t i = strlen(start) + 4; i < 8192 + more; i++)
			buffer_append_byte(&body, 'x');
		buffer_append_c(&body, "\r\n\r\nv\r\n--xYz--");
		assert_true(read_in_pieces(TYPE, buffer_str(&body), 1000, &seen, &err) == (more == 0));
	}
	assert_int_equal(err.code, ERROR_LIMIT);
	for (size_t count = 1000; count < 1002; count++) {
		buffer_init(&body, &arena, 1 << 20);
		for (size_t i = 0; i < count; i++)
			buffer_append_c(&body, HEAD("name=a") "\r\n");
		buffer_append_c(&body, "--xYz--");
		assert_true(read_in_pieces(TYPE, buffer_str(&body), 4096, &seen, &err) == (count == 1000));
	}
	assert_int_equal(err.code, ERROR_LIMIT);
}

static void test_the_handler_can_end_it(void **state)
{
	struct seen seen = {.stops = true};
	struct error err = {0};
	(void)state;

	assert_false(read_in_pieces(TYPE, STR(HEAD("name=a") "v\r\n--xYz--"), 1, &seen, &err));
	assert_string_equal(err.message, "enough");
}

static void test_content_types(void **state)
{
	static const char *const good[] = {
		"multipart/form-data; boundary=xYz", "Multipart/Form-Data;boundary=\"xYz\"",
		"multipart/form-data; charset=utf-8; Boundary=xYz ;"};
	static const char *const bad[] = {
		"multipart/form-data", "multipart/form-data; boundary=", "multipart/form-data; boundary=\"\"",
		"multipart/form-data; boundary=\"a\tb\"", "multipart/form-data; boundary=\"a \"",
		"multipart/form-data; boundary",
		"multipart/form-data; boundary=aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeee"
		"ffffffffffgggggggggg1"};
	struct seen seen = {.stops = false};
	(void)state;

	for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
		struct error err = {0};
		assert_true(multipart_is(str_from_c(good[i])));
		assert_true(read_in_pieces(good[i], STR("--xYz--"), 3, &seen, &err));
	}
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		struct error err = {0};
		assert_false(read_in_pieces(bad[i], STR("--xYz--"), 3, &seen, &err));
		assert_string_equal(err.field, "content-type");
	}
	assert_false(multipart_is(STR("multipart/mixed; boundary=a")));
	assert_false(multipart_is(STR("application/json")));
	assert_false(multipart_is(STR("")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_fields_and_files, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_names_are_read_as_browsers_write_them, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_bytes_that_look_like_the_boundary, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_malformed_bodies, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_limits, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_the_handler_can_end_it, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_content_types, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
