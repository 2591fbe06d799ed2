/* A store, a vault and the account room on it, for tests of that room. The clock stands still. */
#ifndef TESTS_UNIT_ATS_ACCOUNT_TESTING_H
#define TESTS_UNIT_ATS_ACCOUNT_TESTING_H

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

static inline int64_t read_clock(void *context)
{
	const struct test *test = context;

	return test->now_ms * 1000000;
}

static inline void close_all(struct test *test)
{
	accounts_destroy(test->accounts);
	vault_destroy(test->vault);
	store_close(test->store);
}

static inline void open_all(struct test *test, const char *keys)
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

static inline struct str make_environment(struct test *test, const char *name)
{
	struct environment environment;

	assert_true(environment_find(test->accounts, &test->arena, str_from_c(name), true,
				     &environment, &test->err));
	return environment.id;
}

static inline int set_up(void **state)
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

static inline int tear_down(void **state)
{
	struct test *test = *state;

	close_all(test);
	arena_finish(&test->arena);
	folder_remove(test->folder);
	free(test);
	return 0;
}

static inline struct json parse(struct test *test, const char *text)
{
	struct json value;

	if (!json_parse(&test->arena, str_from_c(text), &json_limits_default, &value, &test->err))
		fail_msg("%s", test->err.message);
	return value;
}

static inline bool try_link(struct test *test, struct str environment, struct account *account,
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

static inline struct account link_account(struct test *test, struct str environment)
{
	struct account account;

	assert_true(try_link(test, environment, &account,
			     "{\"api_token\": \"canary-zq7-in-a-coal-mine\", \"other\": \"two\"}"));
	return account;
}

static inline struct str create_key(struct test *test, struct str environment, struct api_key *key)
{
	struct str text;

	assert_true(api_key_create(test->accounts, &test->arena, environment, STR("a name"),
				   KEY_SCOPE_CALL, 0, &text, key, &test->err));
	return text;
}

static inline bool is_let_in(struct test *test, struct str text, struct api_key *key)
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

static inline uint64_t count_queries(struct test *test)
{
	struct store_counts counts;

	store_count(test->store, &counts);
	return counts.queries;
}

static inline int64_t number(struct test *test, const char *sql)
{
	struct store_rows rows;

	assert_true(store_query(test->store, &test->arena, sql, NULL, 0, &rows, &test->err));
	return store_cell(&rows, 0, 0)->integer;
}

/* Waits for what was written without waiting: it stands before this in the queue. */
static inline void flush(struct test *test)
{
	struct store_statement nothing = {"DELETE FROM credential WHERE field = ''", NULL, 0, 0};

	assert_true(store_write(test->store, &nothing, 1, &test->err));
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

#endif
