/* The ATS's own webhooks: signed notices of writes and of what happens by itself. */
#include <sodium.h>

#include "wire.h"
#include "writing.h"

enum { HEARD_MAX = 400 };

/* Somebody's server, which keeps what it is told. */
struct receiver {
	struct wire wire;
	struct http_handler handler;
	struct http_server *server;
	struct str url;
	struct heard {
		struct str body, signature, agent;
	} heard[HEARD_MAX];
	size_t count;
	size_t refusals; /* so many are answered with 500 */
};

static void hear(struct http_handler *handler, struct http_exchange *exchange)
{
	struct receiver *receiver = handler->context;

	assert_true(receiver->count < HEARD_MAX);
	receiver->heard[receiver->count++] = (struct heard){
		arena_str(&arena, exchange->body),
		arena_str(&arena, http_exchange_header(exchange, "x-recruitee-signature")),
		arena_str(&arena, http_exchange_header(exchange, "user-agent"))};
	if (receiver->refusals > 0) {
		receiver->refusals--;
		exchange->status = 500;
	}
}

static void refuse(struct http_handler *handler, struct http_exchange *exchange,
		   const struct error *err)
{
	(void)handler;
	(void)exchange;
	(void)err;
}

static void open_receiver(struct receiver *receiver, const struct sandbox_options *options)
{
	struct error err;
	struct str bound;
	int fd;

	wire_init(&receiver->wire, options);
	receiver->handler = (struct http_handler){hear, refuse, receiver, NULL};
	assert_true(http_listen(&arena, STR("127.0.0.1:0"), &fd, 1, &bound, &err));
	receiver->url = arena_format(&arena, "http://%.*s/hooks", STR_ARGS(bound));
	receiver->server = http_server_create(receiver->wire.loop, fd, false,
					      &http_server_limits_default, &receiver->handler, &err);
	assert_non_null(receiver->server);
}

static void close_receiver(struct receiver *receiver)
{
	http_server_quiesce(receiver->server);
	sandbox_release(receiver->wire.sandbox);
	assert_true(loop_drain(receiver->wire.loop, 10000));
	http_server_destroy(receiver->server);
	wire_finish(&receiver->wire);
}

/* Over the wire, as all that sends needs the loop. */
static struct fetch ask_control(struct receiver *receiver, enum http_method method,
				const char *path, const char *body)
{
	struct fetch fetch = {.wire = &receiver->wire, .timeout_ms = 30000, .is_last = true,
			      .method = method, .content_type = STR("application/json"),
			      .body = str_from_c(body),
			      .url = arena_format(&arena, "%.*s/sandbox/%s",
						  STR_ARGS(receiver->wire.address), path)};

	loop_spawn(receiver->wire.loop, run_fetch, &fetch);
	loop_run(receiver->wire.loop);
	return fetch;
}

/* Until nothing is on its way any more. */
static struct json settled(struct receiver *receiver)
{
	for (int i = 0; i < 100000; i++) {
		struct fetch fetch = ask_control(receiver, HTTP_GET, "webhook", NULL);
		if (id_of(body_of(&fetch), "pending") == 0)
			return body_of(&fetch);
	}
	fail_msg("webhooks are still under way");
	return json_undefined();
}

static void listen_to(struct receiver *receiver, const char *more)
{
	struct fetch fetch = ask_control(receiver, HTTP_PUT, "webhook",
					 at("{\"url\":\"%.*s\",\"secret\":\"s3cret\"%s}",
					    STR_ARGS(receiver->url), more));

	assert_int_equal(fetch.response.status, 200);
}

static struct json heard(const struct receiver *receiver, size_t which)
{
	struct error err;
	struct json value;

	assert_true(which < receiver->count);
	assert_true(json_parse(&arena, receiver->heard[which].body, &json_limits_default, &value, &err));
	return value;
}

static void assert_signed(const struct heard *heard, const char *secret)
{
	unsigned char mac[crypto_auth_hmacsha256_BYTES];
	crypto_auth_hmacsha256_state state;
	char hex[2 * sizeof mac + 1];

	crypto_auth_hmacsha256_init(&state, (const unsigned char *)secret, strlen(secret));
	crypto_auth_hmacsha256_update(&state, (const unsigned char *)heard->body.data, heard->body.len);
	crypto_auth_hmacsha256_final(&state, mac);
	sodium_bin2hex(hex, sizeof hex, mac, sizeof mac);
	assert_string_equal(arena_c(&arena, heard->signature), hex);
}

static void test_an_address_is_tried_before_it_is_taken(void **state)
{
	struct sandbox_options options = make_options();
	struct receiver receiver = {.refusals = 1};
	(void)state;

	open_receiver(&receiver, &options);
	const char *body = at("{\"url\":\"%.*s\",\"secret\":\"s3cret\"}", STR_ARGS(receiver.url));
	struct fetch fetch = ask_control(&receiver, HTTP_PUT, "webhook", body);
	assert_int_equal(fetch.response.status, 422);
	assert_int_equal(receiver.count, 1);
	assert_string_equal(arena_c(&arena, receiver.heard[0].body), "{\"test\":true}");
	assert_string_equal(arena_c(&arena, receiver.heard[0].agent), "Recruitee-Webhooks");
	assert_int_equal(receiver.heard[0].signature.len, 0);
	assert_true(is_null(settled(&receiver), "url"));
	listen_to(&receiver, "");
	assert_int_equal(receiver.count, 2);
	assert_string_equal(text_of(settled(&receiver), "url"), arena_c(&arena, receiver.url));
	close_receiver(&receiver);
}

static void test_a_write_is_told_with_what_it_was(void **state)
{
	struct sandbox_options options = make_options();
	struct receiver receiver = {.count = 0};
	(void)state;

	open_receiver(&receiver, &options);
	struct sandbox *sandbox = receiver.wire.sandbox;
	listen_to(&receiver, ",\"untested\":true");
	int64_t job = some_offer(sandbox, "job", 0), phone = stage_of(sandbox, job, "phone_screen");
	struct fetch made = send_path(&receiver.wire, HTTP_POST, "/candidates", "application/json",
				      str_from_c(at("{\"candidate\":{\"name\":\"Told\",\"emails\":[\"t@x.example\"]},"
						    "\"offers\":[%lld]}", (long long)job)));
	int64_t candidate = id_of(body_of(&made), "candidate.id");
	int64_t placement = id_of(body_of(&made), "candidate.placements.0.id");
	(void)settled(&receiver);
	(void)send_path(&receiver.wire, HTTP_PATCH,
			at("/placements/%lld/change_stage", (long long)placement), "application/json",
			str_from_c(at("{\"stage_id\":%lld}", (long long)phone)));
	struct json counts = settled(&receiver);
	assert_int_equal(id_of(counts, "sent"), 2);
	assert_int_equal(receiver.count, 2);
	for (size_t i = 0; i < 2; i++)
		assert_signed(&receiver.heard[i], "s3cret");
	struct json first = heard(&receiver, 0), second = heard(&receiver, 1);
	assert_string_equal(keys_of(first), "id event_type event_subtype attempt_count created_at payload");
	assert_string_equal(text_of(first, "event_type"), "new_candidate");
	assert_int_equal(id_of(first, "payload.candidate.id"), candidate);
	assert_string_equal(shown(first, "payload.candidate.emails"), "[\"t@x.example\"]");
	assert_int_equal(id_of(first, "payload.offers.0.id"), job);
	assert_int_equal(id_of(first, "payload.company.id"), 41207);
	assert_string_equal(text_of(second, "event_type"), "candidate_moved");
	assert_string_equal(text_of(second, "event_subtype"), "stage_changed");
	assert_string_equal(text_of(second, "payload.details.from_stage.name"), "Applied");
	assert_int_equal(id_of(second, "payload.details.to_stage.id"), phone);
	assert_true(id_of(second, "id") > id_of(first, "id"));
	/* One that is moved to where it is has not been moved. */
	(void)send_path(&receiver.wire, HTTP_PATCH,
			at("/placements/%lld/change_stage", (long long)placement), "application/json",
			str_from_c(at("{\"stage_id\":%lld}", (long long)phone)));
	assert_int_equal(id_of(settled(&receiver), "notices"), 2);
	(void)send_path(&receiver.wire, HTTP_DELETE, at("/candidates/%lld", (long long)candidate),
			"application/json", str_from_c(""));
	(void)settled(&receiver);
	assert_string_equal(text_of(heard(&receiver, 2), "event_type"), "candidate_deleted");
	assert_int_equal(id_of(heard(&receiver, 2), "payload.candidate.id"), candidate);
	close_receiver(&receiver);
}

static void test_a_failure_is_tried_again_and_the_attempt_is_told(void **state)
{
	struct sandbox_options options = make_options();
	struct receiver receiver = {.refusals = 1};
	(void)state;

	open_receiver(&receiver, &options);
	listen_to(&receiver, ",\"untested\":true");
	(void)send_path(&receiver.wire, HTTP_POST, "/candidates", "application/json",
			STR("{\"candidate\":{\"name\":\"Told\"}}"));
	struct json counts = settled(&receiver);
	assert_int_equal(id_of(counts, "failed"), 1);
	assert_int_equal(id_of(counts, "sent"), 1);
	assert_int_equal(receiver.count, 2);
	assert_int_equal(id_of(heard(&receiver, 0), "attempt_count"), 1);
	assert_int_equal(id_of(heard(&receiver, 1), "attempt_count"), 2);
	assert_int_equal(id_of(heard(&receiver, 0), "id"), id_of(heard(&receiver, 1), "id"));
	assert_signed(&receiver.heard[1], "s3cret");
	close_receiver(&receiver);
}

static void test_what_happens_by_itself_is_told_and_some_is_lost_or_comes_twice(void **state)
{
	struct sandbox_options options = make_options();
	struct receiver receiver = {.count = 0};
	(void)state;

	open_receiver(&receiver, &options);
	listen_to(&receiver, ",\"untested\":true");
	struct fetch fetch = ask_control(&receiver, HTTP_POST, "step", "{\"changes\":100}");
	assert_int_equal(look(body_of(&fetch), "changes").count, 100);
	struct json counts = settled(&receiver);
	assert_true(id_of(counts, "notices") > 30);
	assert_int_equal(id_of(counts, "sent"), id_of(counts, "notices"));
	assert_int_equal(receiver.count, id_of(counts, "notices"));
	listen_to(&receiver, ",\"untested\":true,\"lost\":0.3,\"repeated\":0.3");
	size_t before = receiver.count;
	int64_t told = id_of(counts, "notices");
	(void)ask_control(&receiver, HTTP_POST, "step", "{\"changes\":100}");
	counts = settled(&receiver);
	told = id_of(counts, "notices") - told;
	int64_t lost = id_of(counts, "dropped");
	assert_true(lost > 0 && lost < told);
	assert_true((int64_t)(receiver.count - before) > told - lost);
	/* An address of nothing ends it. */
	assert_int_equal(ask_control(&receiver, HTTP_PUT, "webhook", "{}").response.status, 200);
	before = receiver.count;
	(void)ask_control(&receiver, HTTP_POST, "step", "{\"changes\":50}");
	(void)settled(&receiver);
	assert_int_equal(receiver.count, before);
	assert_int_equal(ask_control(&receiver, HTTP_PUT, "webhook", "{\"lost\":2}").response.status, 400);
	close_receiver(&receiver);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		EACH_TEST(test_an_address_is_tried_before_it_is_taken),
		EACH_TEST(test_a_write_is_told_with_what_it_was),
		EACH_TEST(test_a_failure_is_tried_again_and_the_attempt_is_told),
		EACH_TEST(test_what_happens_by_itself_is_told_and_some_is_lost_or_comes_twice),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
