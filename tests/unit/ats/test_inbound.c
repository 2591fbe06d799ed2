/* Notifications of an ATS: what proves them, what is kept, what comes again, what is refused. */
#include "account_testing.h"

#include <sodium.h>
#include <stdlib.h>

#include "ats/inbound/inbounds.h"

enum { TRIES = 1000 };

static struct arena definitions;
static const struct model *model;
static struct connectors connectors;

static int load(void **state)
{
	const char *source = getenv("TENON_SOURCE");
	struct buffer faults;

	(void)state;
	arena_init(&definitions, 512 << 20);
	buffer_init(&faults, &definitions, 1 << 20);
	model = model_load(&definitions, disk_system(),
			   arena_format(&definitions, "%s/models/ats", source).data, &faults);
	return model != NULL &&
			       connectors_load(&definitions, disk_system(),
					       arena_format(&definitions, "%s/connectors", source)
						       .data,
					       model, &connectors, &faults)
		       ? 0
		       : -1;
}

static int unload(void **state)
{
	(void)state;
	arena_finish(&definitions);
	return 0;
}

/* --- what proves a body ---------------------------------------------------------------------- */

static struct str sign(struct arena *arena, struct str secret, struct str body)
{
	crypto_auth_hmacsha256_state hmac;
	unsigned char mac[32];
	char *hex = arena_alloc(arena, 65);

	crypto_auth_hmacsha256_init(&hmac, (const unsigned char *)secret.data, secret.len);
	crypto_auth_hmacsha256_update(&hmac, (const unsigned char *)body.data, body.len);
	crypto_auth_hmacsha256_final(&hmac, mac);
	sodium_bin2hex(hex, 65, mac, 32);
	return str_make(hex, 64);
}

/* RFC 4231, test case 2. */
static void test_a_signature(void **state)
{
	(void)state;
	const struct str secret = STR("Jefe"), body = STR("what do ya want for nothing?");
	const struct str hex =
		STR("5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
	const struct str upper =
		STR("5BDCC146BF60754E6A042426089575C75A003F089D2739839DEC58B964EC3843");
	const struct str base64 = STR("W9zBRr9gdU5qBCQmCJV1x1oAPwidJzmDnexYuWTsOEM=");
	struct connector_webhooks how = {.proof = CONNECTOR_PROOF_HMAC_SHA256};

	assert_true(proof_check(&how, secret, hex, body));
	assert_true(proof_check(&how, secret, upper, body));
	assert_false(proof_check(&how, secret, base64, body));
	assert_false(proof_check(&how, secret, str_slice(hex, 0, 62), body));
	assert_false(proof_check(&how, secret, STR(""), body));
	assert_false(proof_check(&how, STR("jefe"), hex, body));
	assert_false(proof_check(&how, secret, hex, STR("what do ya want for nothing? ")));
	how.is_base64 = true;
	assert_true(proof_check(&how, secret, base64, body));
	assert_false(proof_check(&how, secret, hex, body));
	how.prefix = STR("sha256=");
	assert_false(proof_check(&how, secret, base64, body));
	assert_true(proof_check(&how, secret,
				STR("sha256=W9zBRr9gdU5qBCQmCJV1x1oAPwidJzmDnexYuWTsOEM="), body));
}

static void test_no_secret_proves_nothing(void **state)
{
	struct test *test = *state;
	struct connector_webhooks how = {.proof = CONNECTOR_PROOF_HMAC_SHA256};
	const struct str body = STR("{}");

	assert_false(proof_check(&how, STR(""), sign(&test->arena, STR(""), body), body));
	how.proof = CONNECTOR_PROOF_TOKEN;
	assert_false(proof_check(&how, STR(""), STR(""), body));
	assert_true(proof_check(&how, STR("the token"), STR("the token"), body));
	assert_false(proof_check(&how, STR("the token"), STR("the tokens"), body));
	how.proof = CONNECTOR_PROOF_NONE;
	assert_true(proof_check(&how, STR(""), STR(""), body));
}

/* --- an account that takes some -------------------------------------------------------------- */

static const struct str first_secret = STR_INIT("first-secret-of-the-webhook");
static const struct str second_secret = STR_INIT("second-secret-of-the-webhook");
static const struct str moved =
	STR_INIT("{\"id\":990017,\"event_type\":\"candidate_moved\",\"event_subtype\":"
		 "\"stage_changed\",\"attempt_count\":1,\"payload\":{\"candidate\":{\"id\":7300412},"
		 "\"offer\":{\"id\":120433}}}");

struct place {
	struct test *test;
	struct copies *copies;
	struct node *node;
	struct syncs *syncs;
	struct inbounds *inbounds;
	struct account account;
};

static void open_place(struct place *place, struct test *test)
{
	*place = (struct place){.test = test};
	place->copies = copies_create(test->store, model, &test->clock);
	place->node = node_create(&(struct node_options){.store = test->store,
							 .clock = &test->clock,
							 .random = random_system(),
							 .is_alone = true,
							 .version = "0"},
				  &test->err);
	if (place->node == NULL)
		fail_msg("%s", test->err.message);
	place->syncs = syncs_create(&(struct sync_options){
		.store = test->store,
		.node = place->node,
		.copies = place->copies,
		.accounts = test->accounts,
		.connectors = &connectors,
		.model = model,
		.clock = &test->clock,
		.random = random_system(),
	});
	const struct inbounds_options options = {
		.store = test->store,
		.vault = test->vault,
		.connectors = &connectors,
		.syncs = place->syncs,
		.clock = &test->clock,
		.random = random_system(),
	};
	place->inbounds = inbounds_create(&options);
	place->account = (struct account){.environment_id = test->production,
					  .connector = STR("recruitee"),
					  .context = json_object(NULL, 0),
					  .limits = json_object(NULL, 0)};
	if (!account_create(test->accounts, &test->arena, &place->account, json_undefined(),
			    &test->err))
		fail_msg("%s", test->err.message);
}

static void close_place(struct place *place)
{
	inbounds_destroy(place->inbounds);
	syncs_destroy(place->syncs);
	node_destroy(place->node);
	copies_destroy(place->copies);
}

static void set(struct place *place, struct str secret, int64_t overlap_s)
{
	place->test->now_ms++; /* each has a time of its own */
	if (!inbound_set(place->inbounds, &place->test->arena, &place->account, secret, overlap_s,
			 &place->test->err))
		fail_msg("%s", place->test->err.message);
}

static bool send_to(struct place *place, struct str account_id, struct str signature,
		    struct str body, enum inbound_outcome *outcome)
{
	const struct http_header header = {STR("x-recruitee-signature"), signature};
	const struct inbound_notification notification = {account_id, &header, 1, body};

	return inbound_receive(place->inbounds, &place->test->arena, &notification, outcome,
			       &place->test->err);
}

static void take(struct place *place, struct str secret, struct str body,
		 enum inbound_outcome expected)
{
	enum inbound_outcome outcome;

	if (!send_to(place, place->account.id, sign(&place->test->arena, secret, body), body,
		     &outcome))
		fail_msg("%s", place->test->err.message);
	assert_int_equal(outcome, expected);
}

static void refuse(struct place *place, struct str signature, struct str body)
{
	enum inbound_outcome outcome;

	assert_false(send_to(place, place->account.id, signature, body, &outcome));
	assert_int_equal(place->test->err.code, ERROR_UNAUTHORIZED);
}

static struct inbound_delivery *deliveries(struct place *place, size_t expected)
{
	const struct inbound_query query = {.limit = 100};
	struct inbound_delivery *list;
	size_t count;

	if (!inbound_list(place->inbounds, &place->test->arena, &place->account, &query, &list,
			  &count, &place->test->err))
		fail_msg("%s", place->test->err.message);
	assert_int_equal(count, expected);
	return list;
}

static void test_stored_once_with_what_is_to_be_fetched(void **state)
{
	struct place place;
	struct str again = STR("{\"id\":990017,\"event_type\":\"candidate_moved\",\"event_subtype\":"
			       "\"stage_changed\",\"attempt_count\":2}");

	open_place(&place, *state);
	set(&place, first_secret, 0);
	take(&place, first_secret, moved, INBOUND_STORED);
	take(&place, first_secret, moved, INBOUND_REPEATED);
	take(&place, first_secret, again, INBOUND_REPEATED);
	struct inbound_delivery *one = deliveries(&place, 1);
	assert_true(str_equal(one->body, moved));
	assert_true(str_equal_c(one->remote_id, "990017"));
	assert_true(str_equal_c(one->event, "candidate_moved/stage_changed"));
	assert_int_equal(one->error.len, 0);
	assert_int_equal(one->hint_count, 3);
	assert_true(str_equal_c(
		json_text(&place.test->arena, one->hints),
		"[{\"resource\":\"candidates\",\"id\":\"7300412\"},"
		"{\"resource\":\"applications\",\"filter\":{\"candidate_id\":\"7300412\"}},"
		"{\"resource\":\"application_changes\",\"filter\":{\"candidate_id\":\"7300412\"}}]"));
	/* After seven days nobody remembers. */
	place.test->now_ms += 7 * 24 * 3600 * 1000LL + 1;
	take(&place, first_secret, again, INBOUND_STORED);
	assert_true(str_equal(deliveries(&place, 1)->body, again));
	close_place(&place);
}

static void test_of_a_body_without_an_id_all_counts(void **state)
{
	struct place place;

	open_place(&place, *state);
	set(&place, first_secret, 0);
	take(&place, first_secret, STR("{\"event_type\":\"a\"}"), INBOUND_STORED);
	take(&place, first_secret, STR("{\"event_type\":\"a\"}"), INBOUND_REPEATED);
	take(&place, first_secret, STR("{\"event_type\":\"a\" }"), INBOUND_STORED);
	/* What cannot be read is kept all the same: sending it again would not help. */
	take(&place, first_secret, STR("not JSON"), INBOUND_STORED);
	take(&place, first_secret, STR("{\"id\":1,\"event_type\":5}"), INBOUND_STORED);
	take(&place, first_secret, STR(""), INBOUND_STORED);
	struct inbound_delivery *list = deliveries(&place, 5);
	size_t faults = 0;
	for (size_t i = 0; i < 5; i++)
		faults += list[i].error.len > 0;
	assert_int_equal(faults, 3);
	close_place(&place);
}

static void test_a_forged_one_is_refused(void **state)
{
	struct place place;
	enum inbound_outcome outcome;
	struct inbound_endpoint endpoint;

	open_place(&place, *state);
	struct arena *arena = &place.test->arena;
	struct str good = sign(arena, first_secret, moved);
	refuse(&place, good, moved); /* none are taken yet */
	set(&place, first_secret, 0);
	refuse(&place, sign(arena, second_secret, moved), moved);
	refuse(&place, good, str_slice(moved, 0, moved.len - 1));
	refuse(&place, STR(""), moved);
	refuse(&place, STR(""), STR(""));
	struct error said = place.test->err;
	assert_false(send_to(&place, STR("acc_00000000000000000000000000"), good, moved, &outcome));
	assert_int_equal(place.test->err.code, said.code);
	assert_string_equal(place.test->err.message, said.message);
	deliveries(&place, 0);
	take(&place, first_secret, moved, INBOUND_STORED);
	assert_true(inbound_find(place.inbounds, arena, &place.account, &endpoint,
				 &place.test->err));
	assert_true(endpoint.is_there);
	assert_int_equal(endpoint.received, 1);
	assert_int_equal(endpoint.secret_count, 1);
	close_place(&place);
}

/* One byte of the body or of the signature is another: none of them is taken. */
static void test_no_altered_one_is_taken(void **state)
{
	struct random_seeded seeded = {.state = 7};
	struct random random = random_from_seed(&seeded);
	struct place place;

	open_place(&place, *state);
	set(&place, first_secret, 0);
	struct arena *arena = &place.test->arena;
	struct str good = sign(arena, first_secret, moved);
	for (int i = 0; i < TRIES; i++) {
		bool is_body = i % 2 == 0;
		struct str source = is_body ? moved : good;
		char *copy = arena_alloc(arena, source.len);
		size_t at = (size_t)random_below(&random, source.len);

		memcpy(copy, source.data, source.len);
		/* Not the bit in which the cases of a hex digit differ. */
		copy[at] = (char)(copy[at] ^ (is_body ? 1 << random_below(&random, 8) : 1));
		place.test->now_ms += 1000; /* as slowly as they may come */
		struct str altered = str_make(copy, source.len);
		refuse(&place, is_body ? good : altered, is_body ? altered : moved);
	}
	deliveries(&place, 0);
	close_place(&place);
}

static void test_the_address_is_tried(void **state)
{
	struct inbound_endpoint endpoint;
	enum inbound_outcome outcome;
	struct place place;

	open_place(&place, *state);
	set(&place, first_secret, 0);
	assert_true(send_to(&place, place.account.id, STR(""), STR("{\"test\":true}"), &outcome));
	assert_int_equal(outcome, INBOUND_TRIED);
	take(&place, first_secret, STR("{\"test\":true}"), INBOUND_TRIED);
	refuse(&place, STR(""), STR("{\"test\":\"true\"}"));
	assert_false(send_to(&place, STR("acc_0"), STR(""), STR("{\"test\":true}"), &outcome));
	deliveries(&place, 0);
	/* What is written later is there with the next write. */
	set(&place, first_secret, 0);
	assert_true(inbound_find(place.inbounds, &place.test->arena, &place.account, &endpoint,
				 &place.test->err));
	assert_true(endpoint.tested_ms > 0);
	assert_int_equal(endpoint.refused, 1);
	close_place(&place);
}

static void test_secrets_overlap(void **state)
{
	struct inbound_endpoint endpoint;
	struct place place;

	open_place(&place, *state);
	struct test *test = place.test;
	set(&place, first_secret, 0);
	set(&place, second_secret, 60);
	take(&place, first_secret, STR("{\"id\":1}"), INBOUND_STORED);
	take(&place, second_secret, STR("{\"id\":2}"), INBOUND_STORED);
	test->now_ms += 60000;
	refuse(&place, sign(&test->arena, first_secret, moved), moved);
	take(&place, second_secret, STR("{\"id\":3}"), INBOUND_STORED);
	set(&place, first_secret, 0);
	refuse(&place, sign(&test->arena, second_secret, moved), moved);
	for (int i = 0; i < 6; i++)
		set(&place, second_secret, 600);
	assert_true(inbound_find(place.inbounds, &test->arena, &place.account, &endpoint,
				 &test->err));
	assert_int_equal(endpoint.secret_count, INBOUND_SECRETS_MAX);
	/* Sealed anew under another key they open still; destroyed they prove nothing. */
	size_t count;
	assert_true(vault_rotate(test->vault, test->production, &count, &test->err));
	assert_int_equal(count, INBOUND_SECRETS_MAX);
	take(&place, second_secret, STR("{\"id\":4}"), INBOUND_STORED);
	assert_true(vault_revoke(test->vault, test->production, &test->err));
	refuse(&place, sign(&test->arena, second_secret, moved), moved);
	close_place(&place);
}

static void test_what_a_secret_may_be(void **state)
{
	struct place place;

	open_place(&place, *state);
	struct test *test = place.test;
	assert_false(inbound_set(place.inbounds, &test->arena, &place.account, STR("short"), 0,
				 &test->err));
	assert_string_equal(test->err.field, "secret");
	assert_false(
		inbound_set(place.inbounds, &test->arena, &place.account, STR(""), 0, &test->err));
	assert_string_equal(test->err.field, "secret");
	assert_false(inbound_set(place.inbounds, &test->arena, &place.account, first_secret,
				 604801, &test->err));
	assert_string_equal(test->err.field, "overlap_s");
	assert_false(inbound_remove(place.inbounds, &place.account, &test->err));
	assert_int_equal(test->err.code, ERROR_NOT_FOUND);
	set(&place, first_secret, 0);
	assert_true(inbound_remove(place.inbounds, &place.account, &test->err));
	refuse(&place, sign(&test->arena, first_secret, moved), moved);
	close_place(&place);
}

static void test_too_many_are_put_off(void **state)
{
	enum inbound_outcome outcome;
	struct place place;
	int refused = 0;

	open_place(&place, *state);
	set(&place, first_secret, 0);
	while (!send_to(&place, place.account.id, STR("00"), moved, &outcome) &&
	       place.test->err.code == ERROR_UNAUTHORIZED && refused < TRIES)
		refused++;
	assert_int_equal(place.test->err.code, ERROR_RATE_LIMITED);
	assert_true(place.test->err.retry_after_ms > 0);
	assert_true(refused >= 100 && refused < TRIES);
	place.test->now_ms += 1000;
	take(&place, first_secret, moved, INBOUND_STORED);
	close_place(&place);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_signature),
		TEST(test_no_secret_proves_nothing),
		TEST(test_stored_once_with_what_is_to_be_fetched),
		TEST(test_of_a_body_without_an_id_all_counts),
		TEST(test_a_forged_one_is_refused),
		TEST(test_no_altered_one_is_taken),
		TEST(test_the_address_is_tried),
		TEST(test_secrets_overlap),
		TEST(test_what_a_secret_may_be),
		TEST(test_too_many_are_put_off),
	};

	return cmocka_run_group_tests(tests, load, unload);
}
