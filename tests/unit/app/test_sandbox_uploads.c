/* Files that come with writes: as a part of a form, or from an address. */
#include "wire.h"
#include "writing.h"

#define FORM "multipart/form-data; boundary=B"
#define PART(rest) "--B\r\nContent-Disposition: form-data; " rest "\r\n\r\n"

static struct reply send_form(struct sandbox *sandbox, enum http_method method, const char *path,
			      struct str body)
{
	return ask(sandbox, method, at("/c/41207%s", path), "Bearer sandbox-token", FORM, body);
}

/* What stands behind an address of the sandbox. */
static struct reply file_at(struct sandbox *sandbox, const char *url)
{
	struct str path = str_from_c(url);

	assert_true(str_starts_with(path, STR("http://ats.example:80/files/")));
	path = str_slice(path, strlen("http://ats.example:80"), path.len);
	return call(sandbox, HTTP_GET, arena_c(&arena, path), NULL, NULL);
}

/* Every byte there is, and more than fits into one reading. */
static struct str make_bytes(size_t len)
{
	char *bytes = arena_alloc(&arena, len);
	struct random_seeded draw = {7};

	for (size_t i = 0; i < len; i++)
		bytes[i] = (char)random_seeded_next(&draw);
	return str_make(bytes, len);
}

static struct str form_with_file(const char *name, const char *filename, struct str bytes,
				 const char *more)
{
	struct buffer body;

	buffer_init(&body, &arena, SIZE_MAX);
	buffer_append_format(&body, "--B\r\nContent-Disposition: form-data; name=\"%s\"; filename=\"%s\"\r\n"
				    "Content-Type: application/pdf\r\n\r\n", name, filename);
	buffer_append(&body, bytes);
	buffer_append_format(&body, "\r\n%s--B--\r\n", more);
	return buffer_str(&body);
}

static void test_an_attachment_comes_back_byte_for_byte(void **state)
{
	struct sandbox_options options = make_options();
	struct sandbox *sandbox = create(&options);
	long long candidate = make_candidate(sandbox, "With file");
	struct str bytes = make_bytes(300000);
	(void)state;

	struct reply reply = send_form(
		sandbox, HTTP_POST, "/attachments",
		form_with_file("attachment[file]", "Zeugnis f\xc3\xbcr \xc3\x84.PDF", bytes,
			       at(PART("name=\"attachment[candidate_id]\"") "%lld\r\n", candidate)));
	assert_int_equal(reply.status, 201);
	struct json list = look(good(sandbox, at("/candidates/%lld/attachments", candidate)),
				"attachments");
	assert_int_equal(list.count, 1);
	struct json read = list.items[0];
	assert_true(json_equal(read, json_get_c(reply.json, "attachment")));
	assert_string_equal(text_of(read, "filename"), "Zeugnis f\xc3\xbcr \xc3\x84.PDF");
	assert_string_equal(text_of(read, "extension"), "pdf");
	assert_int_equal(id_of(read, "file_size"), bytes.len);
	assert_int_equal(id_of(read, "admin_id"), id_of(good(sandbox, "/admin"), "admin.id"));
	struct reply file = file_at(sandbox, text_of(read, "file_url"));
	assert_int_equal(file.status, 200);
	assert_true(str_equal(file.body, bytes));
	assert_true(str_equal_c(file.content_type, "application/pdf"));
	assert_int_equal(id_of(good(sandbox, at("/candidates/%lld", candidate)),
			       "candidate.attachments_count"), 1);
	long long id = id_of(read, "id");
	(void)done(sandbox, HTTP_DELETE, at("/attachments/%lld", id), 200, "");
	assert_int_equal(get(sandbox, at("/attachments/%lld", id)).status, 404);
	assert_int_equal(look(good(sandbox, at("/candidates/%lld/attachments", candidate)),
			      "attachments").count, 0);
	sandbox_destroy(sandbox);
}

static void test_attachments_that_go_astray(void **state)
{
	struct sandbox_options options = make_options();
	struct sandbox *sandbox = create(&options);
	long long candidate = make_candidate(sandbox, "Without"), job = some_offer(sandbox, "job", 0);
	(void)state;

	/* A part of the name `file` is too much for the API. */
	assert_int_equal(send_form(sandbox, HTTP_POST, "/attachments",
				   form_with_file("file", "a.pdf", STR("x"), "")).status, 500);
	/* Named in the query alone, the candidate is not seen. */
	struct reply reply = send_form(sandbox, HTTP_POST,
				       at("/attachments?candidate_id=%lld", candidate),
				       form_with_file("attachment[file]", "a.pdf", STR("x"), ""));
	assert_int_equal(reply.status, 201);
	assert_true(is_null(reply.json, "attachment.candidate_id"));
	assert_int_equal(look(good(sandbox, at("/candidates/%lld/attachments", candidate)),
			      "attachments").count, 0);
	reply = send_form(sandbox, HTTP_POST, "/attachments",
			  form_with_file("attachment[file]", "a.txt", STR(""),
					 at(PART("name=\"attachment[offer_id]\"") "%lld\r\n", job)));
	assert_int_equal(reply.status, 201);
	assert_int_equal(id_of(reply.json, "attachment.file_size"), 0);
	assert_int_equal(id_of(look(good(sandbox, at("/offers/%lld/attachments", job)), "attachments"),
			       "0.id"), id_of(reply.json, "attachment.id"));
	assert_body(write_to(sandbox, HTTP_POST, "/attachments", "{\"attachment\":{}}"), 422,
		    "{\"error\":[\"File can't be blank\"],\"error_fields\":{\"file\":[\"can't be blank\"]}}");
	assert_int_equal(send_form(sandbox, HTTP_POST, "/attachments",
				   form_with_file("attachment[file]", "a.pdf", STR("x"),
						  PART("name=\"attachment[candidate_id]\"") "1\r\n")).status,
			 422);
	assert_int_equal(send_form(sandbox, HTTP_POST, "/attachments", STR("--B\r\nnonsense")).status, 400);
	assert_int_equal(send_form(sandbox, HTTP_POST, "/attachments",
				   form_with_file("attachment[file]", "\xff.pdf", STR("x"), "")).status, 400);
	assert_int_equal(call(sandbox, HTTP_GET, "/files/uploads/99/a.pdf", NULL, NULL).status, 404);
	sandbox_destroy(sandbox);
}

static void test_a_cv_in_a_form(void **state)
{
	struct sandbox_options options = make_options();
	struct sandbox *sandbox = create(&options);
	struct str first = make_bytes(1000), second = make_bytes(2000);
	(void)state;

	struct reply reply = send_form(
		sandbox, HTTP_POST, "/candidates",
		form_with_file("candidate[cv]", "cv.pdf", first,
			       PART("name=\"candidate[name]\"") "Form Er\r\n"
			       PART("name=\"candidate[emails][]\"") "a@b.example\r\n"
			       PART("name=\"candidate[emails][]\"") "c@d.example\r\n"));
	assert_int_equal(reply.status, 201);
	long long candidate = id_of(reply.json, "candidate.id");
	struct json read = look(good(sandbox, at("/candidates/%lld", candidate)), "candidate");
	assert_string_equal(text_of(read, "name"), "Form Er");
	assert_string_equal(shown(read, "emails"), "[\"a@b.example\",\"c@d.example\"]");
	assert_true(str_equal(file_at(sandbox, text_of(read, "cv_original_url")).body, first));
	assert_string_equal(text_of(read, "cv_url"), text_of(read, "cv_original_url"));
	reply = send_form(sandbox, HTTP_PATCH, at("/candidates/%lld/update_cv", candidate),
			  form_with_file("candidate[cv]", "new.docx", second, ""));
	assert_int_equal(reply.status, 200);
	read = look(good(sandbox, at("/candidates/%lld", candidate)), "candidate");
	assert_true(str_equal(file_at(sandbox, text_of(read, "cv_original_url")).body, second));
	assert_true(str_ends_with(str_from_c(text_of(read, "cv_url")), STR("pdf_cv.pdf")));
	assert_string_equal(text_of(read, "cv_parse_status"), "in progress");
	assert_int_equal(id_of(read, "attachments_count"), 0);
	assert_int_equal(write_to(sandbox, HTTP_PATCH, at("/candidates/%lld/update_cv", candidate),
				  "{}").status, 422);
	sandbox_destroy(sandbox);
}

static void test_an_attachment_becomes_the_cv(void **state)
{
	struct sandbox_options options = make_options();
	struct sandbox *sandbox = create(&options);
	struct str old = make_bytes(100), new = make_bytes(200);
	struct reply reply = send_form(sandbox, HTTP_POST, "/candidates",
				       form_with_file("candidate[cv]", "old.pdf", old,
						      PART("name=\"candidate[name]\"") "A\r\n"));
	long long candidate = id_of(reply.json, "candidate.id");
	(void)state;

	reply = send_form(sandbox, HTTP_POST, "/attachments",
			  form_with_file("attachment[file]", "new.pdf", new,
					 at(PART("name=\"attachment[candidate_id]\"") "%lld\r\n", candidate)));
	long long attachment = id_of(reply.json, "attachment.id");
	(void)done(sandbox, HTTP_PATCH, at("/candidates/%lld/set_as_cv/%lld", candidate, attachment), 200, "");
	struct json read = look(good(sandbox, at("/candidates/%lld", candidate)), "candidate");
	assert_true(str_equal(file_at(sandbox, text_of(read, "cv_original_url")).body, new));
	struct json list = look(good(sandbox, at("/candidates/%lld/attachments", candidate)), "attachments");
	assert_int_equal(list.count, 1);
	assert_string_equal(text_of(list, "0.filename"), "old.pdf");
	assert_true(str_equal(file_at(sandbox, text_of(list, "0.file_url")).body, old));
	assert_int_equal(write_to(sandbox, HTTP_PATCH,
				  at("/candidates/%lld/set_as_cv/%lld", candidate, attachment), "").status,
			 404);
	sandbox_destroy(sandbox);
}

static void test_a_form_without_a_file(void **state)
{
	struct sandbox_options options = make_options();
	struct sandbox *sandbox = create(&options);
	(void)state;

	struct reply reply = ask(sandbox, HTTP_POST, "/c/41207/candidates", "Bearer sandbox-token",
				 "application/x-www-form-urlencoded",
				 STR("candidate[name]=Url+Encoded&candidate[phones][]=1&candidate[phones][]=2"
				     "&odd]=x&deep[a][b][c]=1&%5B=2"));
	assert_int_equal(reply.status, 201);
	assert_string_equal(text_of(reply.json, "candidate.name"), "Url Encoded");
	assert_string_equal(shown(reply.json, "candidate.phones"), "[\"1\",\"2\"]");
	sandbox_destroy(sandbox);
}

/* --- over a real socket --------------------------------------------------------------------- */

/* The sandbox fetches what an address points to: here, a file of its own. */
static void test_files_by_their_address(void **state)
{
	struct sandbox_options options = make_options();
	struct str bytes = make_bytes(200000);
	struct wire wire;
	(void)state;

	wire_init(&wire, &options);
	struct fetch sent = send_path(&wire, HTTP_POST, "/attachments", FORM,
				      form_with_file("attachment[file]", "mine.pdf", bytes, ""));
	const char *url = text_of(body_of(&sent), "attachment.file_url");
	sent = send_path(&wire, HTTP_POST, "/candidates", "application/json",
			 arena_format(&arena, "{\"candidate\":{\"name\":\"A\",\"remote_cv_url\":\"%s\"}}", url));
	assert_int_equal(sent.response.status, 201);
	long long candidate = id_of(body_of(&sent), "candidate.id");
	struct fetch file = fetch_url(&wire, str_from_c(text_of(body_of(&sent), "candidate.cv_original_url")),
				      10000);
	assert_true(str_equal(file.response.body, bytes));
	sent = send_path(&wire, HTTP_POST, "/attachments", "application/json",
			 arena_format(&arena, "{\"attachment\":{\"candidate_id\":%lld,\"remote_file_url\":"
					      "\"%s?signed=1\"}}", candidate, url));
	assert_int_equal(sent.response.status, 201);
	assert_string_equal(text_of(body_of(&sent), "attachment.filename"), "mine.pdf");
	file = fetch_url(&wire, str_from_c(text_of(body_of(&sent), "attachment.file_url")), 10000);
	assert_true(str_equal(file.response.body, bytes));
	/* What cannot be had is said so, and nothing is written. */
	sent = send_path(&wire, HTTP_POST, "/candidates", "application/json",
			 arena_format(&arena, "{\"candidate\":{\"name\":\"B\",\"remote_cv_url\":"
					      "\"%.*s/files/uploads/99/x\"}}", STR_ARGS(wire.address)));
	assert_int_equal(sent.response.status, 422);
	assert_string_equal(shown(body_of(&sent), "error"), "[\"Remote cv url could not be downloaded\"]");
	sent = send_path(&wire, HTTP_PATCH, at("/candidates/%lld/update_cv", candidate), "application/json",
			 STR("{\"candidate\":{\"remote_cv_url\":\"http://127.0.0.1:1/x\"}}"));
	assert_int_equal(sent.response.status, 422);
	wire_finish(&wire);
}

static void test_a_large_file(void **state)
{
	struct sandbox_options options = make_options();
	struct str bytes = make_bytes(12 * 1024 * 1024);
	struct wire wire;
	(void)state;

	wire_init(&wire, &options);
	struct fetch sent = send_path(&wire, HTTP_POST, "/attachments", FORM,
				      form_with_file("attachment[file]", "large.pdf", bytes, ""));
	assert_int_equal(sent.response.status, 201);
	struct fetch file = fetch_url(&wire, str_from_c(text_of(body_of(&sent), "attachment.file_url")),
				      30000);
	assert_true(str_equal(file.response.body, bytes));
	wire_finish(&wire);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		EACH_TEST(test_an_attachment_comes_back_byte_for_byte),
		EACH_TEST(test_attachments_that_go_astray),
		EACH_TEST(test_a_cv_in_a_form),
		EACH_TEST(test_an_attachment_becomes_the_cv),
		EACH_TEST(test_a_form_without_a_file),
		EACH_TEST(test_files_by_their_address),
		EACH_TEST(test_a_large_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
