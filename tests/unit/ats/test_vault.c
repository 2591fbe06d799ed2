#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <sys/stat.h>

#include "../folder.h"
#include "ats/vault/vault.h"
#include "ats/schema/schema.h"
#include "base/buffer.h"

#define KEY_A "00000001 000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\n"
#define KEY_B "00000002 f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff000102030405060708090a0b0c0d0e0f\n"

enum { STORES_MAX = 32 };

struct test {
	char folder[PATH_MAX];
	char file[PATH_MAX + 16];
	struct arena arena;
	struct error err;
	struct store *stores[STORES_MAX]; /* the last is the one in use */
	size_t store_count;
	struct vault *vault;
};

static void write_file(struct test *test, const char *text, unsigned mode)
{
	unlink(test->file);
	assert_true(disk_create(disk_system(), test->file, str_from_c(text), 0600, &test->err));
	chmod(test->file, mode);
}

static void add_store(struct test *test)
{
	char folder[PATH_MAX + 32];
	struct store_options options = {.folder = folder};

	assert_true(test->store_count < STORES_MAX);
	snprintf(folder, sizeof folder, "%s/data%zu", test->folder, test->store_count);
	options.migrations = schema_migrations(&options.migration_count);
	struct store *store = store_open(&options, &test->err);
	assert_non_null(store);
	test->stores[test->store_count++] = store;
}

/* On the store in use, with the key file as it is. */
static struct vault *create_vault(struct test *test)
{
	struct vault_options options = {
		.disk = disk_system(),
		.key_file = test->file,
		.store = test->stores[test->store_count - 1],
		.clock = clock_system(),
		.random = random_system(),
	};

	return vault_create(&options, &test->err);
}

static struct vault *open_vault(struct test *test, const char *text)
{
	write_file(test, text, 0600);
	return create_vault(test);
}

/* Another installation. */
static struct vault *open_other(struct test *test, const char *text)
{
	add_store(test);
	return open_vault(test, text);
}

static int set_up(void **state)
{
	struct test *test = calloc(1, sizeof *test);

	folder_make(test->folder);
	snprintf(test->file, sizeof test->file, "%s/master.key", test->folder);
	arena_init(&test->arena, 64 * 1024 * 1024);
	test->vault = open_other(test, KEY_A);
	*state = test;
	return test->vault == NULL;
}

static int tear_down(void **state)
{
	struct test *test = *state;

	vault_destroy(test->vault);
	for (size_t i = 0; i < test->store_count; i++)
		store_close(test->stores[i]);
	arena_finish(&test->arena);
	folder_remove(test->folder);
	free(test);
	return 0;
}

static const struct vault_binding here = {STR_INIT("env_1"), STR_INIT("acc_1"), STR_INIT("token"), 0};

static struct str seal(struct vault *vault, struct arena *arena,
		       const struct vault_binding *binding, struct str plain)
{
	struct error err;
	struct str sealed;

	assert_true(vault_seal(vault, arena, binding, plain, &sealed, &err));
	return sealed;
}

static bool opens_to(struct vault *vault, const struct vault_binding *binding, struct str sealed,
		     struct str plain)
{
	struct secret secret = {0};
	struct error err;

	if (!vault_open_sealed(vault, binding, sealed, &secret, &err)) {
		assert_int_equal(err.code, ERROR_INTERNAL);
		assert_string_equal(err.message, "a sealed secret does not open");
		assert_null(secret.bytes);
		return false;
	}
	bool same = str_equal(secret_str(&secret), plain) && secret.bytes[secret.len] == '\0';
	secret_finish(&secret);
	assert_null(secret.bytes);
	return same;
}

/* --- key files ------------------------------------------------------------------------------ */

static void a_made_key_file_is_read(void **state)
{
	struct test *test = *state;
	struct str text = vault_make_key_file(&test->arena, random_system());
	struct str again = vault_make_key_file(&test->arena, random_system());
	struct vault *vault = open_other(test, arena_c(&test->arena, text));

	assert_int_equal(text.len, 8 + 1 + 64 + 1);
	assert_false(str_equal(text, again));
	assert_non_null(vault);
	vault_destroy(vault);
}

static void a_key_file_that_others_may_use_is_refused(void **state)
{
	struct test *test = *state;
	static const unsigned bad[] = {0640, 0604, 0620, 0660, 0644, 0601, 0410};
	static const unsigned good[] = {0600, 0400};

	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		write_file(test, KEY_A, bad[i]);
		assert_null(create_vault(test));
		assert_int_equal(test->err.code, ERROR_FORBIDDEN);
	}
	for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
		write_file(test, KEY_A, good[i]);
		struct vault *vault =
			create_vault(test);
		assert_non_null(vault);
		vault_destroy(vault);
	}
}

static void a_key_file_that_is_none_is_refused_with_its_line(void **state)
{
	struct test *test = *state;
	static const struct {
		const char *text;
		const char *says;
	} cases[] = {
		{"", "no master key"},
		{"\n\n", "no master key"},
		{"hello\n", "line 1"},
		{KEY_A "0000000g 0001\n", "line 2"},
		{"00000001000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f0\n", "line 1"},
		{KEY_A "\n00000002 000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e\n",
		 "line 3"},
		{KEY_A "00000002 0:0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\n",
		 "line 2"},
		{KEY_A KEY_B KEY_A, "line 3"},
	};

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		assert_null(open_vault(test, cases[i].text));
		assert_int_equal(test->err.code, ERROR_INVALID);
		if (strstr(test->err.message, cases[i].says) == NULL)
			fail_msg("case %zu: '%s'", i, test->err.message);
		/* No part of a key in what is said. */
		assert_null(strstr(test->err.message, "0c0d0e"));
	}
	unlink(test->file);
	assert_null(create_vault(test));
	assert_int_equal(test->err.code, ERROR_NOT_FOUND);
}

static void sixteen_keys_are_the_most(void **state)
{
	struct test *test = *state;
	struct buffer text;

	buffer_init(&text, &test->arena, 8192);
	for (int i = 0; i < 16; i++)
		buffer_append_format(&text, "%08x %064x\n", i, i);
	struct vault *vault = open_other(test, arena_c(&test->arena, buffer_str(&text)));
	assert_non_null(vault);
	vault_destroy(vault);
	buffer_append_format(&text, "%08x %064x\n", 16, 16);
	assert_null(open_vault(test, arena_c(&test->arena, buffer_str(&text))));
	assert_int_equal(test->err.code, ERROR_INVALID);
}

/* --- sealing -------------------------------------------------------------------------------- */

static void what_is_sealed_opens_where_it_belongs(void **state)
{
	struct test *test = *state;
	static const size_t lengths[] = {0, 1, 31, 239, 240, 241, 4079, 4080, 4081, 70000};

	for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
		char *bytes = arena_alloc(&test->arena, lengths[i]);
		memset(bytes, 'p', lengths[i]);
		struct str plain = str_make(bytes, lengths[i]);
		struct str sealed = seal(test->vault, &test->arena, &here, plain);
		assert_int_equal(sealed.len, lengths[i] + VAULT_SEALED_OVERHEAD);
		assert_true(opens_to(test->vault, &here, sealed, plain));
	}
}

/* Bindings that differ in one part, in the border between two parts, in length. */
static const struct vault_binding places[] = {
	{STR_INIT("env_1"), STR_INIT("acc_1"), STR_INIT("token"), 0},
	{STR_INIT("env_2"), STR_INIT("acc_1"), STR_INIT("token"), 0},
	{STR_INIT("env_1"), STR_INIT("acc_2"), STR_INIT("token"), 0},
	{STR_INIT("env_1"), STR_INIT("acc_1"), STR_INIT("secret"), 0},
	{STR_INIT("env_1a"), STR_INIT("cc_1"), STR_INIT("token"), 0},
	{STR_INIT("env_1"), STR_INIT("acc_1t"), STR_INIT("oken"), 0},
	{STR_INIT(""), STR_INIT("env_1acc_1"), STR_INIT("token"), 0},
	{STR_INIT("env_1acc_1token"), STR_INIT(""), STR_INIT(""), 0},
	{STR_INIT(""), STR_INIT(""), STR_INIT(""), 0},
	{STR_INIT("token"), STR_INIT("acc_1"), STR_INIT("env_1"), 0},
	{STR_INIT("env_1"), STR_INIT("acc_1"), STR_INIT("token"), 1},
	{STR_INIT("env_1"), STR_INIT("acc_1"), STR_INIT("token"), 256},
	{STR_INIT("env_1"), STR_INIT("acc_1"), STR_INIT("token"), -1},
};
enum { PLACES = sizeof places / sizeof places[0] };

static void nothing_opens_in_another_place(void **state)
{
	struct test *test = *state;
	struct str plain = STR("the secret");

	for (size_t from = 0; from < PLACES; from++) {
		struct str sealed = seal(test->vault, &test->arena, &places[from], plain);
		struct str token = vault_seal_token(test->vault, &test->arena, &places[from], plain);
		for (size_t to = 0; to < PLACES; to++) {
			struct str out;
			assert_int_equal(opens_to(test->vault, &places[to], sealed, plain), from == to);
			assert_int_equal(vault_open_token(test->vault, &test->arena, &places[to],
							  token, &out, &test->err),
					 from == to);
		}
	}
}

static void a_long_binding_counts_to_its_last_byte(void **state)
{
	struct test *test = *state;
	char *text = arena_alloc(&test->arena, 5000);

	memset(text, 's', 5000);
	struct vault_binding binding = {STR("env_1"), str_make(text, 5000), STR("token"), 0};
	struct str sealed = seal(test->vault, &test->arena, &binding, STR("plain"));
	assert_true(opens_to(test->vault, &binding, sealed, STR("plain")));
	text[4999] = 't';
	assert_false(opens_to(test->vault, &binding, sealed, STR("plain")));
}

static void every_altered_bit_is_noticed(void **state)
{
	struct test *test = *state;
	struct str plain = STR("the secret");
	struct str sealed = seal(test->vault, &test->arena, &here, plain);

	for (size_t bit = 0; bit < sealed.len * 8; bit++) {
		struct str altered = arena_str(&test->arena, sealed);
		((char *)(uintptr_t)altered.data)[bit / 8] ^= (char)(1 << bit % 8);
		assert_false(opens_to(test->vault, &here, altered, plain));
	}
	for (size_t len = 0; len < sealed.len; len++)
		assert_false(opens_to(test->vault, &here, str_slice(sealed, 0, len), plain));
	struct str longer = arena_format(&test->arena, "%.*sx", STR_ARGS(sealed));
	assert_false(opens_to(test->vault, &here, longer, plain));
	assert_true(opens_to(test->vault, &here, sealed, plain));
}

static void the_format_is_the_documented_one(void **state)
{
	struct test *test = *state;
	struct str sealed = seal(test->vault, &test->arena, &here, STR("plain"));
	struct str again = seal(test->vault, &test->arena, &here, STR("plain"));

	assert_int_equal(sealed.data[0], 2);
	assert_int_equal(sealed.data[1], 1);
	/* One data key, a new nonce each time. */
	assert_memory_equal(sealed.data, again.data, 10);
	assert_memory_not_equal(sealed.data + 10, again.data + 10, 24);
	assert_memory_not_equal(sealed.data + 34, again.data + 34, 32);
}


static void every_environment_has_a_data_key_of_its_own(void **state)
{
	struct test *test = *state;
	struct vault_binding there = here;

	there.environment = STR("env_2");
	struct str sealed = seal(test->vault, &test->arena, &here, STR("plain"));
	struct str other = seal(test->vault, &test->arena, &there, STR("plain"));
	assert_memory_not_equal(sealed.data + 2, other.data + 2, 8);
	/* The same after a restart. */
	vault_destroy(test->vault);
	test->vault = create_vault(test);
	assert_memory_equal(sealed.data, seal(test->vault, &test->arena, &here, STR("x")).data, 10);
	assert_true(opens_to(test->vault, &here, sealed, STR("plain")));
	assert_true(opens_to(test->vault, &there, other, STR("plain")));
}

static void a_second_line_rotates_the_key(void **state)
{
	struct test *test = *state;
	struct str old = seal(test->vault, &test->arena, &here, STR("plain"));
	struct str token = vault_seal_token(test->vault, &test->arena, &here, STR("plain"));
	unsigned char before[VAULT_DIGEST_BYTES], now[VAULT_DIGEST_BYTES];
	struct vault_master_rotation rotation;
	struct str out;

	vault_digest(test->vault, "api_key", STR("text"), before);
	/* The file is its owner's: nothing is done without a new line in it. */
	assert_false(vault_rotate_master(test->vault, &rotation, &test->err));
	assert_int_equal(test->err.code, ERROR_INVALID);
	write_file(test, KEY_B, 0600);
	assert_false(vault_rotate_master(test->vault, &rotation, &test->err));
	assert_true(opens_to(test->vault, &here, old, STR("plain")));
	write_file(test, KEY_B KEY_A, 0600);
	assert_true(vault_rotate_master(test->vault, &rotation, &test->err));
	assert_string_equal(rotation.id, "00000002");
	assert_int_equal(rotation.keys, 3);
	assert_true(rotation.is_clean && !rotation.is_file_ours);

	/* The old key gone: nothing else is. */
	vault_destroy(test->vault);
	test->vault = open_vault(test, KEY_B);
	assert_non_null(test->vault);
	assert_true(opens_to(test->vault, &here, old, STR("plain")));
	assert_true(vault_open_token(test->vault, &test->arena, &here, token, &out, &test->err));
	vault_digest(test->vault, "api_key", STR("text"), now);
	assert_memory_equal(before, now, sizeof now);
	/* Neither the old key nor the same id with another one opens the store. */
	vault_destroy(test->vault);
	test->vault = NULL;
	assert_null(open_vault(test, KEY_A));
	assert_int_equal(test->err.code, ERROR_INTERNAL);
	assert_null(open_vault(
		test, "00000002 00000000000000000000000000000000000000000000000000000000000000ff\n"));
}

/* What was stored by this version must open in all later ones: these bytes never change. */
static void what_was_sealed_long_ago_still_opens(void **state)
{
	struct test *test = *state;
	static const unsigned char sealed[] = {
		0x01, 0x01, 0x00, 0x00, 0x00, 0x01, 0x94, 0x22, 0xaa, 0x95, 0xf2, 0xdb,
		0xcc, 0x84, 0x5c, 0x3e, 0x82, 0x7d, 0xf0, 0xf9, 0x39, 0x1d, 0x29, 0xa6,
		0x0d, 0x4c, 0x72, 0xb9, 0x12, 0xd3, 0x1f, 0x9f, 0x06, 0x1a, 0x33, 0x83,
		0xa6, 0x49, 0x5c, 0xeb, 0x90, 0x5d, 0xb9, 0x6d, 0xe3, 0x0d, 0x73, 0xed,
		0x57, 0xd8, 0xc3, 0x40, 0x53, 0x75, 0x65, 0x82, 0xf6, 0x2b, 0xad, 0xd4,
	};

	assert_true(opens_to(test->vault, &here, str_make((const char *)sealed, sizeof sealed),
			     STR("sealed in 2026")));
}

/* --- tokens --------------------------------------------------------------------------------- */

static bool token_opens(struct test *test, struct str token)
{
	struct str out = {0};

	if (vault_open_token(test->vault, &test->arena, &here, token, &out, &test->err))
		return true;
	assert_int_equal(test->err.code, ERROR_INVALID);
	return false;
}

static void tokens_are_plain_text_and_cannot_be_forged(void **state)
{
	struct test *test = *state;
	struct str token = vault_seal_token(test->vault, &test->arena, &here, STR("page=2")), out;

	assert_true(vault_open_token(test->vault, &test->arena, &here, token, &out, &test->err));
	assert_true(str_equal_c(out, "page=2"));
	for (size_t i = 0; i < token.len; i++) {
		assert_non_null(strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_",
				       token.data[i]));
		struct str forged = arena_str(&test->arena, token);
		((char *)(uintptr_t)forged.data)[i] = token.data[i] == 'A' ? 'B' : 'A';
		assert_false(token_opens(test, forged));
	}
	static const char *const foreign[] = {"", "x", "====", "not a token", "AQEAAAAB", "\n"};
	for (size_t i = 0; i < sizeof foreign / sizeof foreign[0]; i++)
		assert_false(token_opens(test, str_from_c(foreign[i])));
	char *huge = arena_alloc(&test->arena, 1000000);
	memset(huge, 'A', 1000000);
	assert_false(token_opens(test, str_make(huge, 1000000)));
	/* Another installation's. */
	struct vault *theirs = open_other(test, KEY_B);
	assert_false(token_opens(test, vault_seal_token(theirs, &test->arena, &here, STR("page=2"))));
	vault_destroy(theirs);
}

/* A credential's bytes shown to us as a token must not open: other uses, other keys. */
static void a_sealed_credential_is_no_token(void **state)
{
	struct test *test = *state;
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
	struct str sealed = seal(test->vault, &test->arena, &here, STR("12345678"));
	char *text = arena_alloc(&test->arena, sealed.len / 3 * 4);

	assert_int_equal(sealed.len % 3, 0);
	for (size_t i = 0; i < sealed.len / 3; i++) {
		const unsigned char *in = (const unsigned char *)sealed.data + 3 * i;
		unsigned bits = (unsigned)(in[0] << 16 | in[1] << 8 | in[2]);
		for (int digit = 0; digit < 4; digit++)
			text[4 * i + (size_t)digit] = digits[bits >> (18 - 6 * digit) & 63];
	}
	assert_false(token_opens(test, str_make(text, sealed.len / 3 * 4)));
}

/* --- digests and secrets -------------------------------------------------------------------- */

static void digests_depend_on_purpose_text_and_key(void **state)
{
	struct test *test = *state;
	unsigned char a[VAULT_DIGEST_BYTES], b[VAULT_DIGEST_BYTES];
	struct vault *other = open_other(test, KEY_B);

	vault_digest(test->vault, "api_key", STR("text"), a);
	vault_digest(test->vault, "api_key", STR("text"), b);
	assert_memory_equal(a, b, sizeof a);
	vault_digest(test->vault, "link", STR("text"), b);
	assert_memory_not_equal(a, b, sizeof a);
	vault_digest(test->vault, "api_key", STR("texu"), b);
	assert_memory_not_equal(a, b, sizeof a);
	vault_digest(other, "api_key", STR("text"), b);
	assert_memory_not_equal(a, b, sizeof a);
	vault_destroy(other);
}

enum { HELD = 700 };

/* More than there are slots: what finds none is as good. */
static void many_secrets_are_open_at_once(void **state)
{
	struct test *test = *state;
	struct secret *secrets = arena_array(&test->arena, HELD, sizeof *secrets);

	for (int round = 0; round < 2; round++) {
		for (int i = 0; i < HELD; i++) {
			struct str plain = arena_format(&test->arena, "secret %d", i);
			struct str sealed = seal(test->vault, &test->arena, &here, plain);
			assert_true(vault_open_sealed(test->vault, &here, sealed, &secrets[i],
						      &test->err));
		}
		for (int i = 0; i < HELD; i++) {
			struct str plain = arena_format(&test->arena, "secret %d", i);
			assert_true(str_equal(secret_str(&secrets[i]), plain));
			secret_finish(&secrets[i]);
		}
	}
	struct secret empty = {0};
	secret_finish(&empty);
}

static void *open_many(void *context)
{
	struct vault *vault = context;
	struct arena arena;
	intptr_t faults = 0;

	arena_init(&arena, 1 << 20);
	for (int i = 0; i < 500; i++) {
		struct str plain = arena_format(&arena, "%d of %p", i, (void *)&arena);
		struct str sealed = seal(vault, &arena, &here, plain);
		unsigned char digest[VAULT_DIGEST_BYTES];
		vault_digest(vault, i % 2 == 0 ? "one" : "two", plain, digest);
		if (!opens_to(vault, &here, sealed, plain))
			faults++;
	}
	arena_finish(&arena);
	return (void *)faults;
}

static void threads_share_a_vault(void **state)
{
	struct test *test = *state;
	pthread_t threads[4];
	void *faults;

	for (int i = 0; i < 4; i++)
		pthread_create(&threads[i], NULL, open_many, test->vault);
	for (int i = 0; i < 4; i++) {
		pthread_join(threads[i], &faults);
		assert_null(faults);
	}
}

static void wiping_leaves_nothing(void **state)
{
	char bytes[64];

	(void)state;
	memset(bytes, 'x', sizeof bytes);
	secret_wipe(bytes, sizeof bytes);
	for (size_t i = 0; i < sizeof bytes; i++)
		assert_int_equal(bytes[i], 0);
	secret_wipe(NULL, 0);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_made_key_file_is_read),
		TEST(a_key_file_that_others_may_use_is_refused),
		TEST(a_key_file_that_is_none_is_refused_with_its_line),
		TEST(sixteen_keys_are_the_most),
		TEST(what_is_sealed_opens_where_it_belongs),
		TEST(nothing_opens_in_another_place),
		TEST(a_long_binding_counts_to_its_last_byte),
		TEST(every_altered_bit_is_noticed),
		TEST(the_format_is_the_documented_one),
		TEST(every_environment_has_a_data_key_of_its_own),
		TEST(a_second_line_rotates_the_key),
		TEST(what_was_sealed_long_ago_still_opens),
		TEST(tokens_are_plain_text_and_cannot_be_forged),
		TEST(a_sealed_credential_is_no_token),
		TEST(digests_depend_on_purpose_text_and_key),
		TEST(many_secrets_are_open_at_once),
		TEST(threads_share_a_vault),
		TEST(wiping_leaves_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
