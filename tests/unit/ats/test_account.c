/* Integrated accounts and their credentials. */
#include "account_testing.h"

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
	assert_true(account_count(test->accounts, test->staging, counts, &test->err));
	assert_int_equal(counts[ACCOUNT_ACTIVE], 1);
	assert_true(account_count(test->accounts, STR(""), counts, &test->err));
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
	assert_true(account_update(test->accounts, &test->arena, account, &now,
				   "integrated_account:updated", &test->err));
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

/* What was changed since it was read is not written over. */
static void changes_do_not_undo_one_another(void **state)
{
	struct test *test = *state;
	struct account mine = link_account(test, test->production), before = mine, theirs = mine;

	theirs.context = parse(test, "{\"company_id\": \"42\", \"plan\": \"gold\"}");
	assert_true(account_update(test->accounts, &test->arena, &before, &theirs,
				   "integrated_account:updated", &test->err));
	mine.context = parse(test, "{\"company_id\": \"42\", \"seats\": 3}");
	assert_false(account_update(test->accounts, &test->arena, &before, &mine,
				    "integrated_account:updated", &test->err));
	assert_int_equal(test->err.code, ERROR_CONFLICT);
	assert_true(account_update(test->accounts, &test->arena, &theirs, &mine,
				   "integrated_account:updated", &test->err));
	mine.id = STR("acc_00000000000000000000000000");
	assert_false(account_update(test->accounts, &test->arena, &theirs, &mine,
				    "integrated_account:updated", &test->err));
	assert_int_equal(test->err.code, ERROR_NOT_FOUND);
}

static void linking_anew_does_not_undo_a_change(void **state)
{
	static const struct account_beside nothing = {NULL, 0};
	struct test *test = *state;
	struct account mine = link_account(test, test->production), theirs = mine, again = mine;
	struct json credential = parse(test, "{\"api_token\": \"another\"}");

	theirs.context = parse(test, "{\"company_id\": \"42\", \"plan\": \"gold\"}");
	assert_true(account_update(test->accounts, &test->arena, &mine, &theirs,
				   "integrated_account:updated", &test->err));
	assert_false(account_reconnect(test->accounts, &test->arena, mine.context, &again,
				       ACCOUNT_ACTIVE, credential, &nothing, &test->err));
	assert_int_equal(test->err.code, ERROR_CONFLICT);
	assert_string_equal(test->err.field, "integrated_account_id");
	assert_true(credential_is(test, &mine, "api_token", canary));
	assert_true(account_reconnect(test->accounts, &test->arena, theirs.context, &theirs,
				      ACCOUNT_ACTIVE, credential, &nothing, &test->err));
	assert_true(credential_is(test, &mine, "api_token", "another"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
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
		TEST(ids_sort_by_time),
		TEST(a_refusal_is_written_once_a_minute),
		TEST(changes_do_not_undo_one_another),
		TEST(linking_anew_does_not_undo_a_change),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
