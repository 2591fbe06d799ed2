/* Parts of webhooks: signatures, schedules, what an endpoint may want, the queue of one. */
#include "account_testing.h"

#include <sodium.h>

#include "ats/webhook/queue.h"
#include "ats/webhook/runner.h"

/* --- signatures ------------------------------------------------------------------------------- */

/* The example of the Standard Webhooks' own libraries. */
static void test_a_known_message_has_the_known_signature(void **state)
{
	struct test *test = *state;
	unsigned char bytes[64];
	size_t len;
	struct str signature;

	sodium_base642bin(bytes, sizeof bytes, "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", 32, NULL, &len,
			  NULL, sodium_base64_VARIANT_ORIGINAL);
	const struct webhook_key key = {.bytes = {(char *)bytes, len}};
	signature = webhook_sign(&test->arena, &key, 1, STR("msg_p5jXN8AQM9LWM0D4loKWxJek"),
				 1614265330, STR("{\"test\": 2432232314}"));
	assert_true(str_equal_c(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="));
}

static void test_each_key_signs(void **state)
{
	struct test *test = *state;
	unsigned char public_key[crypto_sign_PUBLICKEYBYTES], private[crypto_sign_SECRETKEYBYTES];
	unsigned char signature[crypto_sign_BYTES];
	struct str text, rest;
	size_t len;

	crypto_sign_keypair(public_key, private);
	const struct webhook_key keys[] = {
		{.is_asymmetric = true, .bytes = {(char *)private, sizeof private}},
		{.bytes = {(char *)public_key, sizeof public_key}}};
	rest = webhook_sign(&test->arena, keys, 2, STR("evt_1"), 7, STR("{}"));
	text = str_cut(&rest, ' ');
	assert_true(str_starts_with(rest, STR("v1,")));
	assert_true(str_starts_with(text, STR("v1a,")));
	sodium_base642bin(signature, sizeof signature, text.data + 4, text.len - 4, NULL, &len,
			  NULL, sodium_base64_VARIANT_ORIGINAL);
	assert_int_equal(crypto_sign_verify_detached(
				 signature, (const unsigned char *)"evt_1.7.{}", 10, public_key),
			 0);
}

/* --- schedules -------------------------------------------------------------------------------- */

/* An endpoint that is dead, and attempts that are made just when they are due. */
static void test_the_standard_schedule_lasts_75_hours(void **state)
{
	static const int64_t standard_s[] = {5,	    300,   1800,  7200, 18000,
					     36000, 50400, 72000, 86400};
	struct random_seeded seeded = {7};
	struct random random = random_from_seed(&seeded);

	(void)state;
	for (int round = 0; round < 100; round++) {
		int64_t now_ms = 1000, next_ms;
		int attempts = 1;

		while ((next_ms = schedule_next_ms(&schedule_standard, attempts, 1000, now_ms,
						   &random)) != 0) {
			int64_t wanted_ms = standard_s[attempts - 1] * 1000;

			assert_in_range(next_ms - now_ms, wanted_ms, wanted_ms + wanted_ms / 10);
			now_ms = next_ms;
			attempts++;
		}
		assert_int_equal(attempts, 10);
		assert_true(now_ms - 1000 >= (int64_t)75 * 3600 * 1000);
	}
}

static void test_early_attempts_do_not_end_it(void **state)
{
	struct random_seeded seeded = {7};
	struct random random = random_from_seed(&seeded);
	int64_t day_ms = (int64_t)24 * 3600 * 1000;

	(void)state;
	assert_in_range(schedule_next_ms(&schedule_standard, 30, 0, 3600 * 1000, &random),
			3600 * 1000 + day_ms, 3600 * 1000 + day_ms * 11 / 10);
	assert_int_equal(schedule_next_ms(&schedule_standard, 10, 0, 4 * day_ms, &random), 0);
}

static void test_an_endpoint_that_is_down_is_asked_seldom(void **state)
{
	const struct attempt bad = {.status = 500}, good = {.is_delivered = true};
	struct random_seeded seeded = {7};
	struct random random = random_from_seed(&seeded);
	struct pace pace;

	(void)state;
	pace_init(&pace);
	for (int i = 0; i < 9; i++)
		assert_false(pace_note(&pace, &bad, 1000, &random));
	assert_int_equal(pace.fresh_from_ms, 0);
	for (int i = 0; i < 30; i++)
		assert_false(pace_note(&pace, &bad, 1000, &random));
	assert_in_range(pace.fresh_from_ms, 1000 + 225000, 1000 + 300000);
	assert_true(pace.allowed <= 2);
	/* The first success opens it again, and tells that it had been down. */
	assert_true(pace_note(&pace, &good, 1000, &random));
	assert_int_equal(pace.fresh_from_ms, 0);
	assert_false(pace_note(&pace, &good, 1000, &random));
}

static void test_retry_after_holds_for_the_whole_endpoint(void **state)
{
	const struct attempt busy = {
		.status = 429, .is_throttled = true, .retry_after_ms = 7200000};
	const struct attempt good = {.is_delivered = true};
	struct random_seeded seeded = {7};
	struct random random = random_from_seed(&seeded);
	struct pace pace;

	(void)state;
	pace_init(&pace);
	pace_note(&pace, &busy, 1000, &random);
	assert_int_equal(pace.quiet_until_ms, 7201000);
	assert_int_equal(pace.allowed, 4);
	/* A call that was under way before says nothing of it. */
	pace_note(&pace, &good, 1000, &random);
	assert_int_equal(pace.quiet_until_ms, 7201000);
}

/* --- what an endpoint may want ---------------------------------------------------------------- */

static void expect_refused(struct test *test, const struct webhooks *webhooks, const char *body,
			   const char *field)
{
	struct webhook webhook = {.state = STR("active"),
				  .target_url = STR("https://a.example/hooks")};

	assert_false(webhook_read(webhooks, &test->arena, parse(test, body), &webhook,
				  &test->err));
	assert_int_equal(test->err.code, ERROR_INVALID);
	assert_string_equal(test->err.field, field);
	assert_true(test->err.allowed[0] != '\0');
}

static void test_what_makes_no_sense_is_refused_by_name(void **state)
{
	static const struct {
		const char *body, *field;
	} cases[] = {
		{"{\"target_url\": \"http://a.example/\"}", "target_url"},
		{"{\"target_url\": \"https://\"}", "target_url"},
		{"{\"target_url\": \"https:///path\"}", "target_url"},
		{"{\"target_url\": \"https://:443/\"}", "target_url"},
		{"{\"target_url\": \"https://me:secret@a.example/\"}", "target_url"},
		{"{\"target_url\": \"https://a.example/#part\"}", "target_url"},
		{"{\"target_url\": \"https://a.example/a b\"}", "target_url"},
		{"{\"target_url\": \"https://a.example/\\u0000\"}", "target_url"},
		{"{\"target_url\": \"file:///etc/passwd\"}", "target_url"},
		{"{\"target_url\": null}", "target_url"},
		{"{\"url\": 7}", "target_url"},
		{"{\"event_types\": [\"*:created\"]}", "event_types"},
		{"{\"event_types\": [\"\"]}", "event_types"},
		{"{\"event_types\": \"record:*\"}", "event_types"},
		{"{\"resources\": [7]}", "resources"},
		{"{\"payload\": \"half\"}", "payload"},
		{"{\"mask\": [\"a\\nb\"]}", "mask"},
		{"{\"retry_schedule\": []}", "retry_schedule"},
		{"{\"retry_schedule\": [0]}", "retry_schedule"},
		{"{\"retry_schedule\": [604801]}", "retry_schedule"},
		{"{\"retry_schedule\": [1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1]}",
		 "retry_schedule"},
		{"{\"is_active\": 1}", "is_active"},
		{"{\"description\": 7}", "description"},
	};
	const struct webhooks webhooks = {0};

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
		expect_refused(*state, &webhooks, cases[i].body, cases[i].field);
}

static void test_a_url_has_a_limit(void **state)
{
	struct test *test = *state;
	char url[WEBHOOK_URL_BYTES_MAX + 2];
	const struct webhooks webhooks = {0};

	memset(url, 'a', sizeof url);
	memcpy(url, "https://a/", 10);
	for (size_t len = WEBHOOK_URL_BYTES_MAX; len <= WEBHOOK_URL_BYTES_MAX + 1; len++) {
		const struct json_member member =
			json_member(STR("target_url"), json_string(str_make(url, len)));
		struct webhook webhook = {.state = STR("active")};

		assert_int_equal(webhook_read(&webhooks, &test->arena, json_object(&member, 1),
					      &webhook, &test->err),
				 len == WEBHOOK_URL_BYTES_MAX);
	}
}

static void test_what_is_stored_reads_back(void **state)
{
	struct test *test = *state;
	const char *body = "{\"url\": \"https://a.example/hooks?x=1\", \"event_types\": "
			   "[\"record:*\", \"*\"], \"resources\": [\"candidates\"], \"payload\": "
			   "\"thin\", \"mask\": [\"contact\"], \"retry_schedule\": [1, 604800], "
			   "\"description\": \"mine\", \"integrated_account_ids\": [\"acc_7\"]}";
	struct webhook webhook = {.state = STR("active")}, again = {.state = STR("active")};
	const struct webhooks webhooks = {0};
	struct str text;

	assert_true(webhook_read(&webhooks, &test->arena, parse(test, body), &webhook,
				 &test->err));
	text = webhook_config_text(&test->arena, &webhook);
	assert_true(webhook_config_parse(&test->arena, text, &again, &test->err));
	assert_true(str_equal(webhook_config_text(&test->arena, &again), text));
	assert_true(again.is_thin && again.delay_count == 2 && again.delays_s[1] == 604800);
}

/* --- what is sent ----------------------------------------------------------------------------- */

static const struct model_field email_fields[] = {
	{.name = STR_INIT("email"), .pii = MODEL_PII_CONTACT}};
static const struct model_field fields[] = {
	{.name = STR_INIT("id")},
	{.name = STR_INIT("name"), .pii = MODEL_PII_NAME},
	{.name = STR_INIT("emails"), .type = MODEL_OBJECT, .is_list = true,
	 .pii = MODEL_PII_CONTACT, .fields = email_fields, .field_count = 1},
	{.name = STR_INIT("age"), .pii = MODEL_PII_SENSITIVE},
	{.name = STR_INIT("stage")},
};
static const struct model_event happenings[] = {
	{.type = STR_INIT("people:moved"), .kind = MODEL_EVENT_CHANGED, .root = 4},
	{.type = STR_INIT("people:reached"), .kind = MODEL_EVENT_ADDED, .root = 2},
	{.type = STR_INIT("people:named"), .kind = MODEL_EVENT_CHANGED, .root = 1},
};
static const struct model_resource resources[] = {{.name = STR_INIT("people"),
						   .fields = fields,
						   .field_count = 5,
						   .events = happenings,
						   .event_count = 3}};
static const struct model model = {.resources = resources, .resource_count = 1};

static struct event make_event(struct test *test)
{
	return (struct event){
		.number = 7,
		.type = STR("record:updated"),
		.account_id = STR("acc_1"),
		.resource = STR("people"),
		.record_id = STR("42"),
		.version = 3,
		.payload = parse(test, "{\"id\": \"42\", \"resource\": \"people\", \"changed\": "
				       "[\"name\"], \"record\": {\"id\": \"42\", \"name\": "
				       "\"Ada\", \"emails\": [{\"email\": \"ada@a.example\"}], "
				       "\"age\": 36, \"stage\": \"Hired\", \"remote_data\": "
				       "{\"phone\": \"1\"}}}"),
		.created_ms = 1790000000000,
	};
}

static struct json body_of(struct test *test, const struct webhook *webhook)
{
	struct event event = make_event(test);
	struct str text = webhook_body(&test->arena, &model, webhook, &event);

	return parse(test, arena_c(&test->arena, text));
}

static void test_a_full_message_is_the_event_to_the_byte(void **state)
{
	struct test *test = *state;
	struct event event = make_event(test);
	const struct webhook webhook = {.environment_id = STR("env_1")};

	assert_true(str_equal(
		webhook_body(&test->arena, &model, &webhook, &event),
		json_text(&test->arena, event_json(&test->arena, STR("env_1"), &event))));
}

static void test_masked_fields_are_not_told(void **state)
{
	struct test *test = *state;
	const struct str masks[] = {STR("contact"), STR("sensitive"), STR("name"), STR("stage")};
	const struct webhook webhook = {
		.environment_id = STR("env_1"), .masks = masks, .mask_count = 4};
	struct json payload = json_get_c(body_of(test, &webhook), "payload");

	/* "name" is a kind of personal data here, "stage" the name of a field. */
	assert_true(json_equal(json_get_c(payload, "record"),
			       parse(test, "{\"id\": \"42\", \"name\": \"[masked]\", \"emails\": "
					   "[{\"email\": \"[masked]\"}], \"age\": null, "
					   "\"stage\": \"[masked]\"}")));
	assert_true(str_equal_c(json_get_str(payload, "id"), "42"));
}

/* What the payload tells under `name` of an event of this type, with these masks. */
static struct json told(struct test *test, const char *type, const char *payload,
			const struct str *masks, size_t count, const char *name)
{
	const struct webhook webhook = {
		.environment_id = STR("env_1"), .masks = masks, .mask_count = count};
	struct event event = make_event(test);

	event.type = str_from_c(type);
	event.payload = parse(test, payload);
	struct str text = webhook_body(&test->arena, &model, &webhook, &event);
	return json_get_c(json_get_c(parse(test, arena_c(&test->arena, text)), "payload"), name);
}

static void test_what_happened_does_not_tell_what_is_masked(void **state)
{
	struct test *test = *state;
	const struct str stage = STR("stage"), contact = STR("contact"), name = STR("name");
	const char *moved = "{\"before\": \"Screen\", \"after\": \"Hired\"}";
	const char *reached = "{\"before\": [], \"after\": [{\"email\": \"a@b.example\"}],"
			      " \"added\": [{\"email\": \"a@b.example\"}]}";

	assert_true(str_equal_c(json_str(told(test, "people:moved", moved, &stage, 1, "before")),
				"[masked]"));
	assert_true(str_equal_c(json_str(told(test, "people:moved", moved, &stage, 1, "after")),
				"[masked]"));
	assert_true(str_equal_c(json_str(told(test, "people:named", moved, &name, 1, "after")),
				"[masked]"));
	/* What is not masked is told. */
	assert_true(str_equal_c(json_str(told(test, "people:moved", moved, &contact, 1, "after")),
				"Hired"));
	for (size_t i = 0; i < 2; i++)
		assert_true(json_equal(told(test, "people:reached", reached, &contact, 1,
					    i == 0 ? "after" : "added"),
				       parse(test, "[{\"email\": \"[masked]\"}]")));
	/* Nobody knows what it is about: it may be anything. */
	assert_true(json_is(told(test, "people:gone", moved, &contact, 1, "after"), JSON_NULL));
}

static void test_a_thin_message_has_ids_only(void **state)
{
	struct test *test = *state;
	const struct webhook webhook = {.environment_id = STR("env_1"), .is_thin = true};
	struct json body = body_of(test, &webhook);

	assert_true(json_equal(json_get_c(body, "payload"),
			       parse(test, "{\"id\": \"42\", \"resource\": \"people\"}")));
	assert_true(str_equal_c(json_get_str(body, "id"), "evt_env_1_7"));
}

/* --- the queue -------------------------------------------------------------------------------- */

enum { SUBJECTS = 5, EVENTS = 400 };

/* A receiver that fails at random, a disk that fails at random, and the end at any time. */
struct play {
	struct random_seeded seeded;
	struct random random;
	struct queue queue;
	struct item *flying[EVENTS];
	size_t flying_count;
	int64_t now_ms;
	int64_t told[SUBJECTS]; /* the last event that was delivered or given up */
	size_t settled;
	bool has_row[EVENTS + 1];
};

static struct str subject_of(int64_t number)
{
	static const char *const names[SUBJECTS] = {"a", "b", "c", "d", "e"};

	return str_from_c(names[(number * number) % SUBJECTS]);
}

static bool chance(struct play *play, unsigned percent)
{
	return random_below(&play->random, 100) < percent;
}

static void add_one(struct play *play)
{
	const struct item like = {.number = play->queue.read_to + 1,
				  .type = STR("record:updated"),
				  .account_id = STR("acc"),
				  .resource = STR("things"),
				  .record_id = subject_of(play->queue.read_to + 1)};

	if (play->queue.read_to == EVENTS)
		return;
	queue_add(&play->queue, &like, false, STR("{}"));
	play->queue.read_to++;
}

static void take_one(struct play *play)
{
	struct item *item = queue_take(&play->queue, true);

	if (item != NULL)
		play->flying[play->flying_count++] = item;
}

static void land_one(struct play *play)
{
	if (play->flying_count == 0)
		return;
	size_t at = (size_t)random_below(&play->random, play->flying_count);
	struct item *item = play->flying[at];
	int64_t *told = &play->told[item->record_id.data[0] - 'a'];

	play->flying[at] = play->flying[--play->flying_count];
	item->attempts++;
	if (chance(play, 30)) {
		queue_postpone(&play->queue, item,
			       play->now_ms + (int64_t)random_below(&play->random, 50));
		return;
	}
	/* In order for each thing. */
	assert_true(*told < item->number);
	*told = item->number;
	play->settled++;
	queue_settle(&play->queue, item, chance(play, 90));
}

static void store_some(struct play *play)
{
	struct item *batch[8], *item;
	size_t count = 0;

	while (count < 8 && (item = queue_take_dirty(&play->queue)) != NULL)
		batch[count++] = item;
	int64_t seen = queue_seen(&play->queue);
	bool ok = chance(play, 80);
	for (size_t i = 0; i < count && ok; i++)
		play->has_row[batch[i]->number] = true;
	while (count-- > 0)
		queue_stored(&play->queue, batch[count], ok);
	/* Were it to end now, nothing would be lost: all before its place has a row. */
	for (int64_t number = 1; ok && number <= seen; number++)
		assert_true(play->has_row[number]);
}

static void step(struct play *play)
{
	switch (random_below(&play->random, 5)) {
	case 0:
		add_one(play);
		break;
	case 1:
		take_one(play);
		break;
	case 2:
		land_one(play);
		break;
	case 3:
		store_some(play);
		break;
	default:
		play->now_ms += 5;
		queue_wake(&play->queue, play->now_ms);
		if (chance(play, 2))
			queue_hurry(&play->queue, play->now_ms, play->now_ms + 10,
				    &play->random);
		break;
	}
}

static void test_order_is_kept_and_nothing_is_lost(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 50; seed++) {
		struct play *play = calloc(1, sizeof *play);

		play->seeded.state = seed;
		play->random = random_from_seed(&play->seeded);
		queue_init(&play->queue, 0, random_system());
		for (int i = 0; i < 200000 && (play->settled < EVENTS || play->queue.count > 0);
		     i++)
			step(play);
		assert_int_equal(play->settled, EVENTS);
		assert_int_equal(play->queue.count, 0);
		assert_int_equal(play->queue.body_bytes, 0);
		assert_int_equal(queue_seen(&play->queue), EVENTS);
		queue_finish(&play->queue);
		free(play);
	}
}

/* One record that is refused for days holds back nothing but itself. */
static void test_what_waits_holds_back_its_own_only(void **state)
{
	struct random_seeded seeded = {7};
	struct random random = random_from_seed(&seeded);
	struct item like = {.number = 1, .type = STR("t"), .record_id = STR("bad")};
	struct queue queue;
	struct item *bad;

	(void)state;
	queue_init(&queue, 0, &random);
	queue_add(&queue, &like, false, STR("1"));
	like.number = 2;
	queue_add(&queue, &like, false, STR("2"));
	like.number = 3;
	like.record_id = STR("good");
	queue_add(&queue, &like, false, STR("3"));
	queue.read_to = 3;
	bad = queue_take(&queue, true);
	bad->attempts = 1;
	queue_postpone(&queue, bad, 1000);
	struct item *good = queue_take(&queue, true);
	assert_int_equal(good->number, 3);
	queue_settle(&queue, good, true);
	assert_null(queue_take(&queue, true));
	/* All three have rows, and the place moves past them. */
	for (int i = 1; i <= 3; i++)
		assert_int_equal(queue_take_dirty(&queue)->number, i);
	assert_int_equal(queue_seen(&queue), 3);
	for (int64_t i = 3; i >= 1; i--)
		queue_stored(&queue, queue_find(&queue, i), true);
	assert_int_equal(queue.count, 2);
	assert_int_equal(queue_wake(&queue, 999), 1000);
	assert_int_equal(queue_wake(&queue, 1000), INT64_MAX);
	assert_ptr_equal(queue_take(&queue, false), bad);
	queue_settle(&queue, bad, false);
	assert_int_equal(queue_take(&queue, true)->number, 2);
	queue_finish(&queue);
}

#define WITH_STORE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_STORE(test_a_known_message_has_the_known_signature),
		WITH_STORE(test_each_key_signs),
		cmocka_unit_test(test_the_standard_schedule_lasts_75_hours),
		cmocka_unit_test(test_early_attempts_do_not_end_it),
		cmocka_unit_test(test_an_endpoint_that_is_down_is_asked_seldom),
		cmocka_unit_test(test_retry_after_holds_for_the_whole_endpoint),
		WITH_STORE(test_what_makes_no_sense_is_refused_by_name),
		WITH_STORE(test_a_url_has_a_limit),
		WITH_STORE(test_what_is_stored_reads_back),
		WITH_STORE(test_a_full_message_is_the_event_to_the_byte),
		WITH_STORE(test_masked_fields_are_not_told),
		WITH_STORE(test_what_happened_does_not_tell_what_is_masked),
		WITH_STORE(test_a_thin_message_has_ids_only),
		cmocka_unit_test(test_order_is_kept_and_nothing_is_lost),
		cmocka_unit_test(test_what_waits_holds_back_its_own_only),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
