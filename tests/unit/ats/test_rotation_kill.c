/* Data keys and the master key are rotated again and again while credentials are read and accounts are
 * linked, and the process is killed at random moments: nothing is lost, and the old keys are needed
 * for nothing. TENON_ROTATION_CREDENTIALS=100000 and TENON_ROTATION_KILLS=100 for the long run. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>

#include "../folder.h"
#include "ats/account/account.h"
#include "ats/schema/schema.h"
#include "base/log.h"

enum { FIELDS = 16, READERS = 2 };

struct test {
	char folder[PATH_MAX], data[PATH_MAX + 8], key_file[PATH_MAX + 8];
	int accounts_count, kills;
	struct arena arena;
	struct error err;
	struct store *store;
	struct vault *vault;
	struct accounts *accounts;
	struct str environment;
	struct account *list;
};

static void open_all(struct test *test)
{
	struct store_options options = {.folder = test->data};

	options.migrations = schema_migrations(&options.migration_count);
	test->store = store_open(&options, &test->err);
	if (test->store == NULL)
		die("%s", test->err.message);
	struct vault_options vault = {
		.disk = disk_system(),
		.key_file = test->key_file,
		.owns_key_file = true,
		.store = test->store,
		.clock = clock_system(),
		.random = random_system(),
	};
	test->vault = vault_create(&vault, &test->err);
	if (test->vault == NULL)
		die("%s", test->err.message);
	test->accounts = accounts_create(test->store, test->vault, clock_system(), random_system());
}

static void close_all(struct test *test)
{
	accounts_destroy(test->accounts);
	vault_destroy(test->vault);
	store_close(test->store);
}

static int number_from(const char *name, int otherwise)
{
	const char *text = getenv(name);

	return text == NULL ? otherwise : (int)strtol(text, NULL, 10);
}

static struct json make_credential(struct arena *arena, int account)
{
	struct json_builder credential;

	json_builder_init(&credential, arena);
	for (int field = 0; field < FIELDS; field++)
		json_builder_set(&credential, arena_format(arena, "field_%d", field),
				 json_string(arena_format(arena, "secret %d %d", account, field)));
	return json_builder_object(&credential);
}

static bool link_one(struct test *test, struct arena *arena, int number, struct account *account)
{
	struct error err;

	*account = (struct account){.environment_id = test->environment,
				    .connector = STR("kiln"),
				    .tenant_id = STR("t"),
				    .status = ACCOUNT_ACTIVE};
	return account_create(test->accounts, arena, account, make_credential(arena, number), &err);
}

static bool is_there(struct test *test, int account, int field)
{
	struct secret secret;
	struct error err;
	char name[32], wanted[64];

	snprintf(name, sizeof name, "field_%d", field);
	snprintf(wanted, sizeof wanted, "secret %d %d", account, field);
	if (!account_open_credential(test->accounts, &test->list[account], str_from_c(name),
				     &secret, &err))
		return false;
	bool ok = str_equal_c(secret_str(&secret), wanted);
	secret_finish(&secret);
	return ok;
}

/* --- the process that is killed ------------------------------------------------------------- */

static void *read_all_the_time(void *context)
{
	struct test *test = context;

	for (unsigned turn = 0;; turn++)
		if (!is_there(test, (int)(turn * 7919 % (unsigned)test->accounts_count),
			      (int)turn % FIELDS))
			die("a credential was lost under way");
	return NULL;
}

static void *link_all_the_time(void *context)
{
	struct test *test = context;

	for (;;) {
		struct arena arena;
		struct account account;
		arena_init(&arena, 1 << 20);
		if (!link_one(test, &arena, 0, &account))
			die("an account could not be linked");
		arena_finish(&arena);
	}
	return NULL;
}

/* Ends by being killed. A byte goes to `pipe` for each rotation that is done. */
static void rotate_all_the_time(struct test *test, int pipe)
{
	pthread_t thread;
	size_t count;

	log_set_level(LOG_SILENT);
	open_all(test);
	for (int i = 0; i < READERS; i++)
		pthread_create(&thread, NULL, read_all_the_time, test);
	pthread_create(&thread, NULL, link_all_the_time, test);
	for (;;) {
		struct vault_master_rotation rotation;
		if (!vault_rotate(test->vault, test->environment, &count, &test->err))
			die("rotate: %s", test->err.message);
		if (write(pipe, "d", 1) != 1)
			die("pipe");
		if (!vault_rotate_master(test->vault, &rotation, &test->err) &&
		    test->err.code != ERROR_CONFLICT)
			die("rotate master: %s", test->err.message);
		if (write(pipe, "m", 1) != 1)
			die("pipe");
	}
}

/* --- the test ------------------------------------------------------------------------------- */

static int set_up(void **state)
{
	struct test *test = calloc(1, sizeof *test);
	struct environment environment;

	test->accounts_count = number_from("TENON_ROTATION_CREDENTIALS", 1600) / FIELDS;
	test->kills = number_from("TENON_ROTATION_KILLS", 8);
	folder_make(test->folder);
	snprintf(test->data, sizeof test->data, "%s/data", test->folder);
	snprintf(test->key_file, sizeof test->key_file, "%s/key", test->folder);
	arena_init(&test->arena, (size_t)1 << 30);
	assert_true(disk_create(disk_system(), test->key_file,
				vault_make_key_file(&test->arena, random_system()), 0400, &test->err));
	test->list = arena_array(&test->arena, (size_t)test->accounts_count, sizeof *test->list);
	open_all(test);
	assert_true(environment_find(test->accounts, &test->arena, STR("production"), true,
				     &environment, &test->err));
	test->environment = environment.id;
	for (int i = 0; i < test->accounts_count; i++)
		assert_true(link_one(test, &test->arena, i, &test->list[i]));
	close_all(test);
	*state = test;
	return 0;
}

static int tear_down(void **state)
{
	struct test *test = *state;

	arena_finish(&test->arena);
	folder_remove(test->folder);
	free(test);
	return 0;
}

static int run_and_kill(struct test *test, int64_t after_us)
{
	int pipes[2], done = 0, status;
	char byte;

	assert_int_equal(pipe(pipes), 0);
	pid_t child = fork();
	assert_true(child >= 0);
	if (child == 0)
		rotate_all_the_time(test, pipes[1]);
	close(pipes[1]);
	usleep((useconds_t)after_us);
	kill(child, SIGKILL);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	while (read(pipes[0], &byte, 1) == 1)
		done++;
	close(pipes[0]);
	return done;
}

static void check_all(struct test *test)
{
	for (int i = 0; i < test->accounts_count; i++)
		for (int field = 0; field < FIELDS; field++)
			assert_true(is_there(test, i, field));
}

static void nothing_is_lost_wherever_it_is_killed(void **state)
{
	struct test *test = *state;
	struct vault_master_rotation rotation;
	struct vault_status status;
	struct str before, after;
	size_t count;
	int done = 0;

	for (int i = 0; i < test->kills; i++)
		done += run_and_kill(test, 50000 + (int64_t)random_below(random_system(), 1200000));
	assert_true(disk_read(disk_system(), &test->arena, test->key_file, 4096, &before, &test->err));
	open_all(test);
	check_all(test);
	/* What was broken off is finished; then one more of each, measured. */
	assert_true(vault_rotate(test->vault, test->environment, &count, &test->err));
	assert_true(vault_rotate_master(test->vault, &rotation, &test->err));
	assert_true(vault_rotate_master(test->vault, &rotation, &test->err));
	int64_t began = clock_monotonic_ms(clock_system());
	assert_true(vault_rotate(test->vault, test->environment, &count, &test->err));
	int64_t took = clock_monotonic_ms(clock_system()) - began;
	print_message("%d kills, %d rotations between them; %zu texts sealed anew in %lld ms: %lld/s\n",
		      test->kills, done, count, (long long)took,
		      (long long)(1000 * (int64_t)count / (took > 0 ? took : 1)));
	assert_true(vault_read_status(test->vault, &test->arena, test->environment, &status,
				      &test->err));
	assert_int_equal(status.count, 1);
	assert_int_equal(status.other_masters, 0);
	close_all(test);
	/* The file has one key, none of those before, and it opens everything. */
	assert_true(disk_read(disk_system(), &test->arena, test->key_file, 4096, &after, &test->err));
	assert_int_equal(after.len, 8 + 1 + 64 + 1);
	assert_null(strstr(arena_c(&test->arena, before), arena_c(&test->arena, after)));
	open_all(test);
	check_all(test);
	close_all(test);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(nothing_is_lost_wherever_it_is_killed, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
