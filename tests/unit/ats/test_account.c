#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <pthread.h>
#include <sys/stat.h>

#include "../folder.h"
#include "ats/account/account.h"

#define KEY_A "00000001 000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\n"
#define KEY_B "00000002 f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff000102030405060708090a0b0c0d0e0f\n"

static const char canary[] = "canary-zq7-in-a-coal-mine";

struct test {
	char folder[PATH_MAX];
	char key_file[PATH_MAX + 16];
	int64_t now_ms; /* the clock stands still unless moved */
	struct clock clock;
	struct store *store;
	struct vault *vault;
	struct accounts *accounts;
	struct arena arena;
	struct error err;
	struct str production, staging; /* environments */
};

static int64_t read_clock(void *context)
{
	const struct test *test = context;

	return test->now_ms * 1000000;
}

static void close_all(struct test *test)
{
	accounts_destroy(test->accounts);
	vault_destroy(test->vault);
	store_close(test->store);
}

static void open_all(struct test *test, const char *keys)
{
	char folder[PATH_MAX + 16];
	struct store_options options = {.folder = folder};

	snprintf(folder, sizeof folder, "%s/data", test->folder);
	snprintf(test->key_file, sizeof test->key_file, "%s/key", test->folder);
	unlink(test->key_file);
	assert_true(disk_create(disk_system(), test->key_file, str_from_c(keys), 0600, &test->err));
	options.migrations = schema_migrations(&options.migration_count);
	test->store = store_open(&options, &test->err);
	assert_non_null(test->store);
	struct vault_options vault = {.disk = disk_system(),
				      .key_file = test->key_file,
				      .store = test->store,
				      .clock = &test->clock,
				      .random = random_system()};
	test->vault = vault_create(&vault, &test->err);
	assert_non_null(test->vault);
	test->accounts = accounts_create(test->store, test->vault, &test->clock, random_system());
}

static struct str make_environment(struct test *test, const char *name)
{
	struct environment environment;

	assert_true(environment_find(test->accounts, &test->arena, str_from_c(name), true,
				     &environment, &test->err));
	return environment.id;
}

static int set_up(void **state)
{
	struct test *test = calloc(1, sizeof *test);

	folder_make(test->folder);
	test->now_ms = 1790000000000;
	test->clock = (struct clock){read_clock, read_clock, test};
	arena_init(&test->arena, 64 * 1024 * 1024);
	open_all(test, KEY_A);
	test->production = make_environment(test, "production");
	test->staging = make_environment(test, "staging");
	*state = test;
	return 0;
}

static int tear_down(void **state)
{
	struct test *test = *state;

	close_all(test);
	arena_finish(&test->arena);
	folder_remove(test->folder);
	free(test);
	return 0;
}

static struct json parse(struct test *test, const char *text)
{
	struct json value;

	if (!json_parse(&test->arena, str_from_c(text), &json_limits_default, &value, &test->err))
		fail_msg("%s", test->err.message);
	return value;
}

static bool try_link(struct test *test, struct str environment, struct account *account,
		     const char *credential)
{
	*account = (struct account){
		.environment_id = environment,
		.connector = STR("some-ats"),
		.tenant_id = STR("customer 7"),
		.status = ACCOUNT_ACTIVE,
		.context = parse(test, "{\"company_id\": \"42\"}"),
	};
	return account_create(test->accounts, &test->arena, account, parse(test, credential),
			      &test->err);
}

static struct account link_account(struct test *test, struct str environment)
{
	struct account account;

	assert_true(try_link(test, environment, &account,
			     "{\"api_token\": \"canary-zq7-in-a-coal-mine\", \"other\": \"two\"}"));
	return account;
}

static struct str create_key(struct test *test, struct str environment, struct api_key *key)
{
	struct str text;

	assert_true(api_key_create(test->accounts, &test->arena, environment, STR("a name"),
				   KEY_SCOPE_CALL, 0, &text, key, &test->err));
	return text;
}

static bool is_let_in(struct test *test, struct str text, struct api_key *key)
{
	static char refusal[512];
	struct api_key ignored;

	if (api_key_authorise(test->accounts, &test->arena, text, key == NULL ? &ignored : key,
			      &test->err))
		return true;
	assert_int_equal(test->err.code, ERROR_UNAUTHORIZED);
	/* The same words each time, so that nobody learns which of the reasons it was. */
	if (refusal[0] == '\0')
		snprintf(refusal, sizeof refusal, "%s", test->err.message);
	assert_string_equal(refusal, test->err.message);
	assert_int_equal(test->err.field[0], 0);
	return false;
}

static uint64_t count_queries(struct test *test)
{
	struct store_counts counts;

	store_count(test->store, &counts);
	return counts.queries;
}

static int64_t number(struct test *test, const char *sql)
{
	struct store_rows rows;

	assert_true(store_query(test->store, &test->arena, sql, NULL, 0, &rows, &test->err));
	return store_cell(&rows, 0, 0)->integer;
}

/* Waits for what was written without waiting: it stands before this in the queue. */
static void flush(struct test *test)
{
	struct store_statement nothing = {"DELETE FROM credential WHERE field = ''", NULL, 0, 0};

	assert_true(store_write(test->store, &nothing, 1, &test->err));
}

/* --- environments --------------------------------------------------------------------------- */

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

/* --- accounts ------------------------------------------------------------------------------- */

static void an_account_comes_back_as_it_was_made(void **state)
{
	struct test *test = *state;
	struct account made, found;

	made = (struct account){
		.environment_id = test->production,
		.connector = STR("some-ats"),
		.tenant_id = STR("customer 7"),
		.status = ACCOUNT_CONNECTING,
		.context = parse(test, "{\"company_id\": \"42\", \"deep\": {\"x\": [1, \"\\u0001\"]}}"),
		.limits = parse(test, "{\"requests\": 60, \"per_seconds\": 60, \"concurrent\": 4}"),
	};
	assert_true(account_create(test->accounts, &test->arena, &made, json_undefined(),
				   &test->err));
	assert_int_equal(made.id.len, 30);
	for (int i = 0; i < 2; i++) { /* from the store, then from the cache */
		struct arena arena;
		arena_init(&arena, 65536);
		uint64_t before = count_queries(test);
		assert_true(account_find(test->accounts, &arena, test->production, made.id, &found,
					 &test->err));
		assert_int_equal(count_queries(test) - before, i == 0);
		assert_true(str_equal(found.id, made.id));
		assert_true(str_equal(found.environment_id, test->production));
		assert_true(str_equal_c(found.connector, "some-ats"));
		assert_true(str_equal_c(found.tenant_id, "customer 7"));
		assert_int_equal(found.status, ACCOUNT_CONNECTING);
		assert_true(json_equal(found.context, made.context));
		assert_true(json_equal(found.limits, made.limits));
		assert_int_equal(found.created_ms, test->now_ms);
		assert_int_equal(found.updated_ms, test->now_ms);
		arena_finish(&arena);
	}
}

static void expect_missing(struct test *test, struct str environment, struct str id)
{
	struct error missing, err;
	struct account found, claimed = {.environment_id = environment, .id = id};
	struct secret secret;

	assert_false(account_find(test->accounts, &test->arena, test->production,
				  STR("acc_00000000000000000000000000"), &found, &missing));
	assert_int_equal(missing.code, ERROR_NOT_FOUND);
	assert_string_equal(missing.field, "integrated_account_id");
	assert_false(account_find(test->accounts, &test->arena, environment, id, &found, &err));
	assert_memory_equal(&err, &missing, sizeof err);
	assert_false(account_remove(test->accounts, environment, id, &err));
	assert_memory_equal(&err, &missing, sizeof err);
	assert_false(account_set_status(test->accounts, &claimed, ACCOUNT_ACTIVE, STR("why"), &err));
	assert_memory_equal(&err, &missing, sizeof err);
	assert_false(account_open_credential(test->accounts, &claimed, STR("api_token"), &secret,
					     &err));
	assert_memory_equal(&err, &missing, sizeof err);
}

static void another_environments_account_is_as_if_there_were_none(void **state)
{
	struct test *test = *state;
	struct account account = link_account(test, test->production), *list;
	size_t count;

	for (int i = 0; i < 2; i++) { /* not cached, then cached */
		expect_missing(test, test->staging, account.id);
		expect_missing(test, STR("env_"), account.id);
		expect_missing(test, STR(""), account.id);
		assert_true(account_find(test->accounts, &test->arena, test->production, account.id,
					 &account, &test->err));
	}
	static const char *const bad[] = {"", "acc_", "x", "acc_0000000000000000000000000u",
					  "acc_000000000000000000000000000"};
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		expect_missing(test, test->production, str_from_c(bad[i]));
	assert_true(account_list(test->accounts, &test->arena, test->staging, STR(""), 10, &list,
				 &count, &test->err));
	assert_int_equal(count, 0);
}

static bool credential_is(struct test *test, const struct account *account, const char *field,
			  const char *expected)
{
	struct secret secret;

	if (!account_open_credential(test->accounts, account, str_from_c(field), &secret, &test->err))
		return false;
	bool same = str_equal_c(secret_str(&secret), expected);
	secret_finish(&secret);
	return same;
}

static void credentials_open_field_by_field(void **state)
{
	struct test *test = *state;
	struct account account = link_account(test, test->production);

	for (int i = 0; i < 2; i++) {
		assert_true(credential_is(test, &account, "api_token", canary));
		assert_true(credential_is(test, &account, "other", "two"));
		assert_false(credential_is(test, &account, "none", ""));
		assert_int_equal(test->err.code, ERROR_NOT_FOUND);
		assert_string_equal(test->err.field, "credential");
	}
	uint64_t before = count_queries(test);
	assert_true(credential_is(test, &account, "api_token", canary));
	assert_int_equal(count_queries(test), before);
}

/* Who can write the database puts each sealed text in each other place; it opens in none. */
static void moved_credentials_do_not_open(void **state)
{
	struct test *test = *state;
	enum { ACCOUNTS = 3, FIELDS = 2 };
	static const char *const fields[FIELDS] = {"api_token", "other"};
	struct account accounts[ACCOUNTS] = {
		link_account(test, test->production),
		link_account(test, test->production),
		link_account(test, test->staging),
	};

	for (int from = 0; from < ACCOUNTS * FIELDS; from++) {
		for (int to = 0; to < ACCOUNTS * FIELDS; to++) {
			const struct account *source = &accounts[from / FIELDS];
			const struct account *target = &accounts[to / FIELDS];
			struct store_value values[] = {
				store_text(source->id), store_text(str_from_c(fields[from % FIELDS])),
				store_text(target->id), store_text(str_from_c(fields[to % FIELDS])),
			};
			struct store_statement keep = {"CREATE TABLE kept AS SELECT * FROM credential",
						       NULL, 0, -1};
			struct store_statement move = {
				"UPDATE credential SET sealed = (SELECT sealed FROM credential"
				" WHERE account_id = ?1 AND field = ?2) WHERE account_id = ?3 AND field = ?4",
				values, 4, 1};
			struct store_statement back[] = {
				{"UPDATE credential SET sealed = (SELECT k.sealed FROM kept k WHERE"
				 " k.account_id = credential.account_id AND k.field = credential.field)",
				 NULL, 0, -1},
				{"DROP TABLE kept", NULL, 0, -1},
			};
			assert_true(store_write(test->store, &keep, 1, &test->err));
			assert_true(store_write(test->store, &move, 1, &test->err));
			accounts_destroy(test->accounts);
			test->accounts = accounts_create(test->store, test->vault, &test->clock,
							 random_system());
			assert_int_equal(credential_is(test, target, fields[to % FIELDS],
						       to % FIELDS == 0 ? canary : "two"),
					 from == to);
			if (from != to)
				assert_int_equal(test->err.code, ERROR_INTERNAL);
			assert_true(store_write(test->store, back, 2, &test->err));
		}
	}
}

static void removing_takes_the_credential_along(void **state)
{
	struct test *test = *state;
	struct account account = link_account(test, test->production);
	struct account other = link_account(test, test->production);

	assert_true(credential_is(test, &account, "api_token", canary));
	assert_int_equal(number(test, "SELECT count(*) FROM credential"), 4);
	assert_true(account_remove(test->accounts, test->production, account.id, &test->err));
	assert_int_equal(number(test, "SELECT count(*) FROM credential"), 2);
	expect_missing(test, test->production, account.id);
	assert_true(credential_is(test, &other, "api_token", canary));
}

static void a_status_moves_from_what_was_seen(void **state)
{
	struct test *test = *state;
	struct account account = link_account(test, test->production), found;
	size_t counts[5];

	assert_true(account_find(test->accounts, &test->arena, test->production, account.id, &account,
				 &test->err));
	test->now_ms += 10;
	assert_true(account_set_status(test->accounts, &account, ACCOUNT_NEEDS_REAUTH, STR("why"), &test->err));
	/* Seen at once, although it was cached. */
	assert_true(account_find(test->accounts, &test->arena, test->production, account.id, &found,
				 &test->err));
	assert_int_equal(found.status, ACCOUNT_NEEDS_REAUTH);
	assert_int_equal(found.updated_ms, test->now_ms);
	/* Two who noticed the same: the second is content. */
	assert_true(account_set_status(test->accounts, &account, ACCOUNT_NEEDS_REAUTH, STR("why"), &test->err));
	/* One who acts on what is no longer so: refused. */
	assert_false(account_set_status(test->accounts, &account, ACCOUNT_VALIDATION_ERROR, STR("why"),
					&test->err));
	assert_int_equal(test->err.code, ERROR_CONFLICT);
	assert_true(account_set_status(test->accounts, &found, ACCOUNT_ACTIVE, STR("why"), &test->err));
	link_account(test, test->staging);
	assert_true(account_count(test->accounts, counts, &test->err));
	assert_int_equal(counts[ACCOUNT_ACTIVE], 2);
	assert_int_equal(counts[ACCOUNT_NEEDS_REAUTH], 0);
	assert_string_equal(account_status_name(ACCOUNT_POST_INSTALL_ERROR), "post_install_error");
}

static void accounts_are_listed_in_pages_by_age(void **state)
{
	struct test *test = *state;
	struct account made[5], *list;
	size_t count;

	for (int i = 0; i < 5; i++) {
		test->now_ms++;
		made[i] = link_account(test, test->production);
		link_account(test, test->staging);
	}
	struct str after = STR("");
	for (size_t at = 0; at < 5; at += count) {
		assert_true(account_list(test->accounts, &test->arena, test->production, after, 2, &list,
					 &count, &test->err));
		assert_int_equal(count, at == 4 ? 1 : 2);
		for (size_t i = 0; i < count; i++)
			assert_true(str_equal(list[i].id, made[at + i].id));
		after = list[count - 1].id;
	}
	assert_true(str_equal_c(json_get_str(list[0].context, "company_id"), "42"));
	static const size_t limits[] = {0, 1001};
	for (int i = 0; i < 2; i++) {
		assert_false(account_list(test->accounts, &test->arena, test->production, after, limits[i],
					  &list, &count, &test->err));
		assert_string_equal(test->err.field, "limit");
	}
}

static void expect_refused(struct test *test, const char *credential, const char *field,
			   enum error_code code)
{
	struct account account;

	assert_false(try_link(test, test->production, &account, credential));
	assert_int_equal(test->err.code, code);
	assert_string_equal(test->err.field, field);
	assert_true(test->err.allowed[0] != '\0');
	assert_null(strstr(test->err.message, "canary"));
	assert_null(strstr(test->err.allowed, "canary"));
}

static const char *long_credential(struct test *test, int len)
{
	return arena_c(&test->arena, arena_format(&test->arena, "{\"token\": \"%0*d\"}", len, 0));
}

static const char *many_fields(struct test *test, int count)
{
	struct buffer text;

	buffer_init(&text, &test->arena, 4096);
	buffer_append_c(&text, "{");
	for (int i = 0; i < count; i++)
		buffer_append_format(&text, "%s\"f%d\": \"x\"", i == 0 ? "" : ", ", i);
	buffer_append_c(&text, "}");
	return arena_c(&test->arena, buffer_str(&text));
}

static void what_a_credential_may_be_is_limited(void **state)
{
	struct test *test = *state;
	struct account account;

	expect_refused(test, "[\"canary\"]", "credential", ERROR_INVALID);
	expect_refused(test, "{\"token\": 5}", "credential.token", ERROR_INVALID);
	expect_refused(test, "{\"token\": \"\"}", "credential.token", ERROR_INVALID);
	expect_refused(test, "{\"token\": {\"x\": \"canary\"}}", "credential.token", ERROR_INVALID);
	expect_refused(test, "{\"token\": \"canary\\r\\nX: y\"}", "credential.token", ERROR_INVALID);
	expect_refused(test, "{\"token\": \"canary\\u0000\"}", "credential.token", ERROR_INVALID);
	expect_refused(test, "{\"\": \"x\"}", "credential", ERROR_INVALID);
	expect_refused(test, "{\"a b\": \"x\"}", "credential", ERROR_INVALID);
	assert_true(try_link(test, test->production, &account, long_credential(test, 8192)));
	expect_refused(test, long_credential(test, 8193), "credential.token", ERROR_LIMIT);
	assert_true(try_link(test, test->production, &account, many_fields(test, 16)));
	assert_true(credential_is(test, &account, "f15", "x"));
	expect_refused(test, many_fields(test, 17), "credential", ERROR_LIMIT);
	assert_true(try_link(test, test->production, &account, "{}"));
	assert_false(try_link(test, STR("env_00000000000000000000000000"), &account, "{}"));
	assert_int_equal(test->err.code, ERROR_NOT_FOUND);
}

static void expect_account_refused(struct test *test, struct account account, const char *field)
{
	account.environment_id = test->production;
	if (account.connector.len == 0)
		account.connector = STR("some-ats");
	assert_false(account_create(test->accounts, &test->arena, &account, json_undefined(),
				    &test->err));
	assert_string_equal(test->err.field, field);
	assert_true(test->err.allowed[0] != '\0');
}

static void what_an_account_may_be_is_limited(void **state)
{
	struct test *test = *state;
	char tenant[257];
	struct str large = arena_format(&test->arena, "{\"x\": \"%016384d\"}", 0);

	memset(tenant, 't', sizeof tenant);
	expect_account_refused(test, (struct account){.connector = STR("Some ATS")}, "connector");
	expect_account_refused(test, (struct account){.tenant_id = str_make(tenant, 257)},
			       "tenant_id");
	expect_account_refused(test, (struct account){.context = parse(test, "[]")}, "context");
	expect_account_refused(
		test, (struct account){.context = parse(test, arena_c(&test->arena, large))}, "context");
	static const char *const limits[] = {"5", "{\"request\": 5}", "{\"requests\": 0}",
					     "{\"requests\": \"5\"}", "{\"concurrent\": 1.5}",
					     "{\"per_seconds\": 1000001}"};
	for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++)
		expect_account_refused(test, (struct account){.limits = parse(test, limits[i])}, "limits");
	assert_int_equal(number(test, "SELECT count(*) FROM account"), 0);
}

/* --- secrets, keys, threads ----------------------------------------------------------------- */

static bool file_holds(const char *path, const char *text)
{
	struct arena arena;
	struct error err;
	struct str bytes;

	arena_init(&arena, 64 * 1024 * 1024);
	assert_true(disk_read(disk_system(), &arena, path, 64 * 1024 * 1024, &bytes, &err));
	bool found = str_find(bytes, str_from_c(text)) >= 0;
	arena_finish(&arena);
	return found;
}

static size_t count_files_with(const char *folder, const char *text)
{
	DIR *dir = opendir(folder);
	size_t count = 0;

	assert_non_null(dir);
	for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
		char path[PATH_MAX + 300];
		snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
		if (entry->d_name[0] != '.' && file_holds(path, text))
			count++;
	}
	closedir(dir);
	return count;
}

static void no_secret_is_in_the_folder(void **state)
{
	struct test *test = *state;
	char folder[PATH_MAX + 16];
	struct api_key key;
	struct str text = create_key(test, test->production, &key);

	snprintf(folder, sizeof folder, "%s/data", test->folder);
	link_account(test, test->production);
	assert_true(is_let_in(test, text, NULL));
	for (int i = 0; i < 2; i++) { /* with the log, then without */
		assert_int_equal(count_files_with(folder, canary), 0);
		assert_int_equal(count_files_with(folder, arena_c(&test->arena, str_slice(text, 12, 44))),
				 0);
		/* The search finds what is there. */
		assert_true(count_files_with(folder, "customer 7") > 0);
		close_all(test);
		open_all(test, KEY_A);
	}
}

static void a_new_master_key_takes_over(void **state)
{
	struct test *test = *state;
	struct account account = link_account(test, test->production);
	struct api_key key;
	struct str text = create_key(test, test->production, &key);
	struct vault_master_rotation rotation;

	close_all(test);
	open_all(test, KEY_B KEY_A);
	assert_true(is_let_in(test, text, NULL));
	assert_true(is_let_in(test, text, NULL));
	assert_true(credential_is(test, &account, "api_token", canary));
	assert_true(vault_rotate_master(test->vault, &rotation, &test->err));
	assert_int_equal(rotation.keys, 3); /* the environment's, and those for digests and tokens */
	assert_true(rotation.is_clean);
	assert_true(credential_is(test, &account, "api_token", canary));
	/* The old line may go. */
	close_all(test);
	open_all(test, KEY_B);
	assert_true(is_let_in(test, text, NULL));
	assert_true(credential_is(test, &account, "api_token", canary));
	assert_true(credential_is(test, &account, "other", "two"));
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

static void ids_sort_by_time(void **state)
{
	struct test *test = *state;
	struct account older = link_account(test, test->production);

	for (int shift = 0; shift < 40; shift += 3) {
		test->now_ms += (int64_t)1 << shift;
		struct account newer = link_account(test, test->production);
		assert_true(str_compare(older.id, newer.id) < 0);
		older = newer;
	}
}

/* When it was written, in ms; what is queued is written before what is written afterwards. */
static int64_t forbidden_at(struct test *test, const struct account *account, const char *what)
{
	struct account_trouble trouble;
	struct account now = *account;
	int64_t ns;

	account_note_forbidden(test->accounts, account, parse(test, what));
	assert_true(account_update(test->accounts, &test->arena, &now, "integrated_account:updated",
				   &test->err));
	assert_true(account_find_trouble(test->accounts, &test->arena, account, &trouble,
					 &test->err));
	assert_true(clock_parse(json_str(json_get_c(trouble.last_forbidden_error, "occurred_at")),
				&ns));
	return ns / 1000000;
}

static void a_refusal_is_written_once_a_minute(void **state)
{
	const char *jobs = "{\"resource\": \"jobs\", \"missing_scopes\": []}";
	const char *offers = "{\"resource\": \"offers\", \"missing_scopes\": []}";
	struct test *test = *state;
	struct account account = link_account(test, test->production);
	struct account other = link_account(test, test->production);
	int64_t first = test->now_ms;

	assert_int_equal(forbidden_at(test, &account, jobs), first);
	test->now_ms += 59999;
	assert_int_equal(forbidden_at(test, &account, jobs), first);
	assert_int_equal(forbidden_at(test, &other, jobs), first + 59999);
	assert_int_equal(forbidden_at(test, &account, offers), first + 59999);
	test->now_ms += 1;
	assert_int_equal(forbidden_at(test, &account, jobs), first + 60000);
	account.token.version++;
	test->now_ms += 1;
	assert_int_equal(forbidden_at(test, &account, jobs), first + 60001);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

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
		TEST(an_account_comes_back_as_it_was_made),
		TEST(another_environments_account_is_as_if_there_were_none),
		TEST(credentials_open_field_by_field),
		TEST(moved_credentials_do_not_open),
		TEST(removing_takes_the_credential_along),
		TEST(a_status_moves_from_what_was_seen),
		TEST(accounts_are_listed_in_pages_by_age),
		TEST(what_a_credential_may_be_is_limited),
		TEST(what_an_account_may_be_is_limited),
		TEST(no_secret_is_in_the_folder),
		TEST(a_new_master_key_takes_over),
		TEST(a_revoked_key_is_refused_in_every_thread_at_once),
		TEST(ids_sort_by_time),
		TEST(a_refusal_is_written_once_a_minute),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
