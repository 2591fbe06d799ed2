/* Environments and their API keys. */
#include "account_testing.h"

static void environments_are_made_once(void **state)
{
	struct test *test = *state;
	struct environment found, *list;
	size_t count;

	assert_true(environment_find(test->accounts, &test->arena, STR("production"), false, &found,
				     &test->err));
	assert_true(str_equal(found.id, test->production));
	assert_int_equal(found.id.len, 30);
	assert_true(str_starts_with(found.id, STR("env_")));
	assert_int_equal(found.created_ms, test->now_ms);
	assert_true(str_equal(make_environment(test, "production"), test->production));
	assert_false(environment_find(test->accounts, &test->arena, STR("other"), false, &found,
				      &test->err));
	assert_int_equal(test->err.code, ERROR_NOT_FOUND);
	assert_string_equal(test->err.field, "environment");
	assert_true(environment_list(test->accounts, &test->arena, &list, &count, &test->err));
	assert_int_equal(count, 2);
	assert_true(str_equal_c(list[0].name, "production"));
	assert_true(str_equal_c(list[1].name, "staging"));
}

static void names_of_environments_are_limited(void **state)
{
	struct test *test = *state;
	struct environment found;
	char name[66];
	static const char *const bad[] = {"", "A", "a b", "a/b", "\xc3\xa4", "a\n"};

	memset(name, 'a', sizeof name);
	assert_true(environment_find(test->accounts, &test->arena, str_make(name, 64), true, &found,
				     &test->err));
	assert_false(environment_find(test->accounts, &test->arena, str_make(name, 65), true, &found,
				      &test->err));
	assert_int_equal(test->err.code, ERROR_INVALID);
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		assert_false(environment_find(test->accounts, &test->arena, str_from_c(bad[i]), true,
					      &found, &test->err));
		assert_int_equal(test->err.code, ERROR_INVALID);
		assert_string_equal(test->err.field, "environment");
		assert_true(test->err.allowed[0] != '\0');
	}
}

static void environments_are_counted(void **state)
{
	struct test *test = *state;
	struct environment found;
	char name[16];
	struct store_statement many = {
		"WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 997)"
		" INSERT INTO environment (id, name, created_ms)"
		" SELECT 'env_' || i, 'name' || i, 0 FROM n",
		NULL, 0, 997};

	assert_true(store_write(test->store, &many, 1, &test->err));
	for (int i = 0; i < 2; i++) {
		snprintf(name, sizeof name, "late%d", i);
		assert_int_equal(environment_find(test->accounts, &test->arena, str_from_c(name), true,
						  &found, &test->err),
				 i == 0);
	}
	assert_int_equal(test->err.code, ERROR_LIMIT);
}

/* --- API keys ------------------------------------------------------------------------------- */

static void a_key_lets_its_owner_in(void **state)
{
	struct test *test = *state;
	struct api_key made, found;
	struct str text = create_key(test, test->production, &made);

	assert_int_equal(text.len, 44);
	assert_true(str_starts_with(text, STR("tenon_")));
	assert_true(str_equal(made.hint, str_slice(text, 0, 12)));
	assert_true(is_let_in(test, text, &found));
	assert_true(str_equal(found.id, made.id));
	assert_true(str_equal(found.environment_id, test->production));
	assert_true(str_equal_c(found.name, "a name"));
	assert_true(str_equal(found.hint, made.hint));
	assert_int_equal(found.scopes, KEY_SCOPE_CALL);
	struct str other = create_key(test, test->staging, &made);
	assert_false(str_equal(other, text));
	assert_true(is_let_in(test, other, &found));
	assert_true(str_equal(found.environment_id, test->staging));
}

static void a_mistyped_key_costs_no_look_up(void **state)
{
	struct test *test = *state;
	struct api_key made;
	struct str text = create_key(test, test->production, &made);
	uint64_t before = count_queries(test);

	for (size_t i = 0; i < text.len; i++) {
		struct str typo = arena_str(&test->arena, text);
		((char *)(uintptr_t)typo.data)[i] = text.data[i] == 'x' ? 'y' : 'x';
		assert_false(is_let_in(test, typo, NULL));
	}
	assert_false(is_let_in(test, STR(""), NULL));
	assert_false(is_let_in(test, str_make(NULL, 0), NULL));
	assert_false(is_let_in(test, str_slice(text, 0, 43), NULL));
	assert_false(is_let_in(test, arena_format(&test->arena, "%.*sx", STR_ARGS(text)), NULL));
	assert_int_equal(count_queries(test), before);
}

static void unknown_revoked_and_expired_keys_are_refused_alike(void **state)
{
	struct test *test = *state;
	struct api_key revoked, expiring;
	struct str text, late;

	/* Well formed, of another installation: a CRC of zlib's over the first 38 bytes. */
	assert_false(is_let_in(test, STR("tenon_000000000000000000000000000000002NUmhM"), NULL));

	text = create_key(test, test->production, &revoked);
	assert_true(is_let_in(test, text, NULL));
	assert_true(api_key_revoke(test->accounts, test->production, revoked.id, &test->err));
	assert_false(is_let_in(test, text, NULL));
	assert_false(is_let_in(test, text, NULL));

	assert_true(api_key_create(test->accounts, &test->arena, test->production, STR(""),
				   KEY_SCOPE_CALL, test->now_ms + 1000, &late, &expiring, &test->err));
	test->now_ms += 999;
	assert_true(is_let_in(test, late, NULL));
	test->now_ms += 1;
	assert_false(is_let_in(test, late, NULL));
}

static void another_environment_cannot_revoke(void **state)
{
	struct test *test = *state;
	struct api_key key, *list;
	size_t count;
	struct str text = create_key(test, test->production, &key);

	assert_false(api_key_revoke(test->accounts, test->staging, key.id, &test->err));
	assert_int_equal(test->err.code, ERROR_NOT_FOUND);
	assert_true(is_let_in(test, text, NULL));
	assert_true(api_key_list(test->accounts, &test->arena, test->staging, &list, &count,
				 &test->err));
	assert_int_equal(count, 0);
	assert_true(api_key_revoke(test->accounts, test->production, key.id, &test->err));
	int64_t revoked_ms = test->now_ms;
	test->now_ms += 5000;
	assert_true(api_key_revoke(test->accounts, test->production, key.id, &test->err));
	assert_true(api_key_list(test->accounts, &test->arena, test->production, &list, &count,
				 &test->err));
	assert_int_equal(count, 1);
	assert_int_equal(list[0].revoked_ms, revoked_ms);
}

static void a_cached_key_never_touches_the_store(void **state)
{
	struct test *test = *state;
	struct api_key key;
	struct store_counts before, after;
	struct str text = create_key(test, test->production, &key);

	assert_true(is_let_in(test, text, NULL));
	flush(test);
	store_count(test->store, &before);
	for (int i = 0; i < 100; i++)
		assert_true(is_let_in(test, text, NULL));
	flush(test);
	store_count(test->store, &after);
	assert_int_equal(after.queries, before.queries);
	assert_int_equal(after.writes, before.writes + 1);
}

static void use_is_noted_once_a_minute(void **state)
{
	struct test *test = *state;
	struct api_key key, found;
	struct str text = create_key(test, test->production, &key);
	int64_t first_ms = test->now_ms;
	static const char sql[] = "SELECT used_ms FROM api_key";

	assert_int_equal(number(test, sql), 0);
	assert_true(is_let_in(test, text, &found));
	assert_int_equal(found.used_ms, first_ms);
	flush(test);
	assert_int_equal(number(test, sql), first_ms);
	test->now_ms += 59999;
	assert_true(is_let_in(test, text, &found));
	flush(test);
	assert_int_equal(number(test, sql), first_ms);
	test->now_ms += 1;
	assert_true(is_let_in(test, text, &found));
	flush(test);
	assert_int_equal(number(test, sql), first_ms + 60000);
}

static void what_a_key_may_be_is_limited(void **state)
{
	struct test *test = *state;
	struct api_key key;
	struct str text;
	char name[65];

	memset(name, 'n', sizeof name);
	assert_true(api_key_create(test->accounts, &test->arena, test->production, str_make(name, 64),
				   3, 0, &text, &key, &test->err));
	assert_false(api_key_create(test->accounts, &test->arena, test->production,
				    str_make(name, 65), 3, 0, &text, &key, &test->err));
	assert_string_equal(test->err.field, "name");
	assert_false(api_key_create(test->accounts, &test->arena, test->production, STR("a\nb"), 3, 0,
				    &text, &key, &test->err));
	assert_string_equal(test->err.field, "name");
	for (unsigned scopes = 0; scopes <= 4; scopes += 4) {
		assert_false(api_key_create(test->accounts, &test->arena, test->production, STR(""),
					    scopes, 0, &text, &key, &test->err));
		assert_string_equal(test->err.field, "scopes");
	}
	assert_false(api_key_create(test->accounts, &test->arena, test->production, STR(""), 1,
				    test->now_ms, &text, &key, &test->err));
	assert_string_equal(test->err.field, "expires");
	assert_false(api_key_create(test->accounts, &test->arena,
				    STR("env_00000000000000000000000000"), STR(""), 1, 0, &text, &key,
				    &test->err));
	assert_int_equal(test->err.code, ERROR_NOT_FOUND);
}

static void valid_keys_of_an_environment_are_counted(void **state)
{
	struct test *test = *state;
	struct api_key key;
	struct str text;
	struct store_value environment = store_text(test->production);
	struct store_statement many = {
		"WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 999)"
		" INSERT INTO api_key SELECT ?1, 'key_' || i, CAST(i AS BLOB), '', '', 1, 0, 0, 0, 0 FROM n",
		&environment, 1, 999};

	assert_true(store_write(test->store, &many, 1, &test->err));
	create_key(test, test->production, &key);
	assert_false(api_key_create(test->accounts, &test->arena, test->production, STR(""), 1, 0,
				    &text, &key, &test->err));
	assert_int_equal(test->err.code, ERROR_LIMIT);
	assert_true(api_key_revoke(test->accounts, test->production, STR("key_1"), &test->err));
	create_key(test, test->production, &key);
	create_key(test, test->staging, &key);
}

struct rusher {
	pthread_t thread;
	struct test *test;
	struct str text;
	struct str account_id;
	_Atomic bool *is_revoked; /* set after api_key_revoke() has returned */
	int faults;
	int let_in;
};

static void *rush(void *context)
{
	struct rusher *rusher = context;
	struct test *test = rusher->test;

	for (int i = 0; i < 300; i++) {
		struct arena arena;
		struct error err;
		struct api_key key;
		struct account account;
		arena_init(&arena, 65536);
		bool was_revoked = *rusher->is_revoked;
		bool ok = api_key_authorise(test->accounts, &arena, rusher->text, &key, &err);
		if (ok && was_revoked)
			rusher->faults++;
		rusher->let_in += ok;
		if (!account_find(test->accounts, &arena, test->production, rusher->account_id, &account,
				  &err))
			rusher->faults++;
		arena_finish(&arena);
	}
	return NULL;
}

static void a_revoked_key_is_refused_in_every_thread_at_once(void **state)
{
	struct test *test = *state;
	struct account account = link_account(test, test->production);

	for (int round = 0; round < 5; round++) {
		struct rusher rushers[3];
		_Atomic bool is_revoked = false;
		struct api_key key;
		struct str text = create_key(test, test->production, &key);
		for (int i = 0; i < 3; i++) {
			rushers[i] = (struct rusher){.test = test, .text = text,
						     .account_id = account.id, .is_revoked = &is_revoked};
			pthread_create(&rushers[i].thread, NULL, rush, &rushers[i]);
		}
		assert_true(account_set_status(test->accounts, &account, ACCOUNT_NEEDS_REAUTH, STR("why"), &test->err));
		account.status = ACCOUNT_NEEDS_REAUTH;
		assert_true(account_set_status(test->accounts, &account, ACCOUNT_ACTIVE, STR("why"), &test->err));
		account.status = ACCOUNT_ACTIVE;
		assert_true(api_key_revoke(test->accounts, test->production, key.id, &test->err));
		is_revoked = true;
		for (int i = 0; i < 3; i++) {
			pthread_join(rushers[i].thread, NULL);
			assert_int_equal(rushers[i].faults, 0);
		}
		assert_false(is_let_in(test, text, NULL));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(environments_are_made_once),
		TEST(names_of_environments_are_limited),
		TEST(environments_are_counted),
		TEST(a_key_lets_its_owner_in),
		TEST(a_mistyped_key_costs_no_look_up),
		TEST(unknown_revoked_and_expired_keys_are_refused_alike),
		TEST(another_environment_cannot_revoke),
		TEST(a_cached_key_never_touches_the_store),
		TEST(use_is_noted_once_a_minute),
		TEST(what_a_key_may_be_is_limited),
		TEST(valid_keys_of_an_environment_are_counted),
		TEST(a_revoked_key_is_refused_in_every_thread_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
