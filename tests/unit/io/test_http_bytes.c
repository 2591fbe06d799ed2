/* Every byte at every place of what a caller puts into a request: it is refused and nothing is
 * sent, or it arrives as it was, in its place. */
#include "http_testing.h"

enum { PLACES = 5, BYTES = 256 };

struct trial {
	struct str name, value, path; /* as they are to arrive */
	size_t exact;
	size_t refused;
	bool must_refuse;
};

/* "abcd" with the byte before, in and behind it. */
static struct str insert(struct arena *arena, const char *before, int place, unsigned char byte)
{
	struct buffer out;

	buffer_init(&out, arena, 64);
	buffer_append_c(&out, before);
	buffer_append(&out, str_make("abcd", (size_t)place));
	buffer_append_byte(&out, (char)byte);
	buffer_append(&out, str_make(&"abcd"[place], (size_t)(4 - place)));
	return buffer_str(&out);
}

static bool is_control(unsigned char byte)
{
	return byte < 0x20 || byte == 0x7f;
}

static void look_at_target(const struct http_exchange *exchange, struct str target)
{
	struct http_field *fields;
	size_t count;
	struct error err;
	struct str path = str_cut(&target, '?');

	assert_true(str_equal(exchange->path, path));
	assert_true(url_parse_query(exchange->arena, target, 10, &fields, &count, &err));
	assert_int_equal(exchange->query_count, count);
	for (size_t i = 0; i < count; i++)
		assert_true(str_equal(exchange->query[i].value, fields[i].value));
}

/* Host, User-Agent, Accept, Accept-Encoding and ours: there is no other. */
static void look(struct http_handler *handler, struct http_exchange *exchange)
{
	struct stage *stage = handler->context;
	struct trial *trial = stage->extra;
	bool has_ours = false;

	stage->handled++;
	for (size_t i = 0; i < exchange->header_count; i++) {
		const struct http_header *header = &exchange->headers[i];

		has_ours |= str_equal_nocase(header->name, trial->name) &&
			    str_equal(header->value, trial->value);
	}
	assert_true(has_ours);
	assert_int_equal(exchange->header_count, 5);
	assert_int_equal(exchange->body.len, 0);
	assert_int_equal(exchange->method, HTTP_GET);
	look_at_target(exchange, trial->path);
	exchange->reply = STR("seen");
}

static void try_one(struct stage *stage, struct http_header header, struct str path)
{
	struct trial *trial = stage->extra;
	size_t handled = stage->handled, refused = stage->refused;
	struct http_response response;
	struct error err = {0};
	struct http_request request = {
		.method = HTTP_GET,
		.url = arena_format(&stage->arena, "http://%.*s", STR_ARGS(stage->bound)),
		.headers = &header,
		.header_count = 1,
		.deadline_ns = soon(),
		.response_bytes_max = 10000,
	};
	struct buffer url;

	buffer_init(&url, &stage->arena, 256);
	buffer_append(&url, request.url);
	buffer_append(&url, path);
	request.url = buffer_str(&url);
	trial->name = header.name;
	trial->value = str_trim(header.value);
	trial->path = path;
	if (http_client_send(stage->client, &stage->arena, &request, &response, &err)) {
		assert_false(trial->must_refuse);
		/* The server may refuse what is no path: then nobody has seen anything. */
		assert_int_equal(stage->handled, handled + (response.status == 200));
		trial->exact += response.status == 200;
		return;
	}
	if (response.outcome != HTTP_REFUSED)
		fail_msg("%s", err.message);
	assert_int_equal(err.code, ERROR_INVALID);
	assert_int_equal(stage->handled, handled);
	assert_int_equal(stage->refused, refused);
	trial->refused++;
}

static void try_all(void *context)
{
	struct stage *stage = context;
	struct trial *trial = stage->extra;
	const struct http_header plain = {STR("X-Plain"), STR("abcd")};

	for (int byte = 0; byte < BYTES; byte++) {
		unsigned char b = (unsigned char)byte;

		for (int place = 0; place < PLACES; place++) {
			struct str value = insert(&stage->arena, "", place, b);

			trial->must_refuse = is_control(b);
			try_one(stage, (struct http_header){STR("X-Value"), value}, STR("/"));
			trial->must_refuse = is_control(b) || b == ' ' || b == ':' || b >= 0x80;
			try_one(stage, (struct http_header){value, STR("abcd")}, STR("/"));
			trial->must_refuse = is_control(b) || b == ' ' || b == '#' || b >= 0x80;
			try_one(stage, plain, insert(&stage->arena, "/", place, b));
			try_one(stage, plain, insert(&stage->arena, "/?q=", place, b));
		}
	}
}

static void every_byte_is_refused_or_arrives(void **state)
{
	struct trial trial = {0};
	struct stage stage;

	(void)state;
	stage_open(&stage);
	stage.extra = &trial;
	stage_serve(&stage, look);
	stage_run(&stage, try_all);
	assert_true(trial.exact > 1000);
	assert_true(trial.refused > 1000);
	stage_close(&stage);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_byte_is_refused_or_arrives),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
