/* Keys in a real store: nothing opens where it does not belong, rotations lose nothing wherever they
 * are broken off, what is revoked is gone, and the audit log tells when it was touched. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>
#include <sodium.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "../folder.h"
#include "ats/account/account.h"
#include "ats/schema/schema.h"
#include "base/buffer.h"

#define KEY_A "00000001 000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\n"
#define KEY_B "00000002 f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff000102030405060708090a0b0c0d0e0f\n"

enum { ROWS = 200, FIELDS = 4, ACCOUNTS = ROWS / FIELDS };

struct test {
	char folder[PATH_MAX];
	char key_file[PATH_MAX + 16];
	char audit_folder[PATH_MAX + 16];
	bool owns_key_file, has_audit;
	struct arena arena;
	struct error err;
	struct store *store;
	struct vault *vault;
	struct accounts *accounts;
	struct str environments[2];
	struct account list[ACCOUNTS];
};

static void write_key_file(struct test *test, const char *text)
{
	unlink(test->key_file);
	assert_true(disk_create(disk_system(), test->key_file, str_from_c(text), 0600, &test->err));
}

static bool try_vault(struct test *test)
{
	struct vault_options options = {
		.disk = disk_system(),
		.key_file = test->key_file,
		.owns_key_file = test->owns_key_file,
		.audit_folder = test->has_audit ? test->audit_folder : NULL,
		.store = test->store,
		.clock = clock_system(),
		.random = random_system(),
	};

	test->vault = vault_create(&options, &test->err);
	return test->vault != NULL;
}

static void open_vault(struct test *test)
{
	if (!try_vault(test))
		fail_msg("%s", test->err.message);
	test->accounts = accounts_create(test->store, test->vault, clock_system(), random_system());
}

static void close_vault(struct test *test)
{
	accounts_destroy(test->accounts);
	vault_destroy(test->vault);
	test->accounts = NULL;
	test->vault = NULL;
}

static int set_up(void **state)
{
	struct test *test = calloc(1, sizeof *test);
	char folder[PATH_MAX + 16];
	struct store_options options = {.folder = folder};

	folder_make(test->folder);
	snprintf(folder, sizeof folder, "%s/data", test->folder);
	snprintf(test->key_file, sizeof test->key_file, "%s/key", test->folder);
	snprintf(test->audit_folder, sizeof test->audit_folder, "%s/audit", test->folder);
	arena_init(&test->arena, 256 * 1024 * 1024);
	options.migrations = schema_migrations(&options.migration_count);
	test->store = store_open(&options, &test->err);
	assert_non_null(test->store);
	write_key_file(test, KEY_A);
	open_vault(test);
	*state = test;
	return 0;
}

static int tear_down(void **state)
{
	struct test *test = *state;

	close_vault(test);
	store_close(test->store);
	arena_finish(&test->arena);
	folder_remove(test->folder);
	free(test);
	return 0;
}

/* --- accounts ------------------------------------------------------------------------------- */

static struct str field_name(struct test *test, int field)
{
	return arena_format(&test->arena, "field_%d", field);
}

static struct str secret_of(struct test *test, int account, int field)
{
	return arena_format(&test->arena, "secret %d %d", account, field);
}

static void link_all(struct test *test)
{
	static const char *const names[] = {"production", "staging"};

	for (int i = 0; i < 2; i++) {
		struct environment environment;
		assert_true(environment_find(test->accounts, &test->arena, str_from_c(names[i]),
					     true, &environment, &test->err));
		test->environments[i] = environment.id;
	}
	for (int i = 0; i < ACCOUNTS; i++) {
		struct json_builder credential;
		test->list[i] = (struct account){.environment_id = test->environments[i % 2],
						 .connector = STR("kiln"),
						 .status = ACCOUNT_ACTIVE};
		json_builder_init(&credential, &test->arena);
		for (int field = 0; field < FIELDS; field++)
			json_builder_set(&credential, field_name(test, field),
					 json_string(secret_of(test, i, field)));
		assert_true(account_create(test->accounts, &test->arena, &test->list[i],
					   json_builder_object(&credential), &test->err));
	}
}

static bool opens(struct test *test, int account, int field)
{
	struct secret secret;

	if (!account_open_credential(test->accounts, &test->list[account], field_name(test, field),
				     &secret, &test->err))
		return false;
	bool is_same = str_equal(secret_str(&secret), secret_of(test, account, field));
	secret_finish(&secret);
	assert_true(is_same);
	return true;
}

static int count_open(struct test *test)
{
	int count = 0;

	for (int row = 0; row < ROWS; row++)
		count += opens(test, row / FIELDS, row % FIELDS);
	return count;
}

static struct str *read_sealed(struct test *test)
{
	struct str *sealed = arena_array(&test->arena, ROWS, sizeof *sealed);

	for (int row = 0; row < ROWS; row++) {
		const struct account *account = &test->list[row / FIELDS];
		struct store_value values[] = {store_text(account->environment_id),
					       store_text(account->id),
					       store_text(field_name(test, row % FIELDS))};
		struct store_rows rows;
		assert_true(store_query(test->store, &test->arena,
					"SELECT sealed FROM credential WHERE environment_id = ?1"
					" AND account_id = ?2 AND field = ?3",
					values, 3, &rows, &test->err));
		assert_int_equal(rows.count, 1);
		sealed[row] = store_cell(&rows, 0, 0)->bytes;
	}
	return sealed;
}

static struct store_statement put_sealed(struct test *test, int row, struct str sealed)
{
	const struct account *account = &test->list[row / FIELDS];
	struct store_value *values = arena_array(&test->arena, 4, sizeof *values);

	values[0] = store_text(account->environment_id);
	values[1] = store_text(account->id);
	values[2] = store_text(field_name(test, row % FIELDS));
	values[3] = store_blob(sealed);
	return (struct store_statement){.sql = "UPDATE credential SET sealed = ?4 WHERE"
					       " environment_id = ?1 AND account_id = ?2 AND field = ?3",
					.parameters = values,
					.parameter_count = 4,
					.changes_expected = 1};
}

static void run_sql(struct test *test, const char *sql, int64_t changes)
{
	struct store_statement statement = {.sql = sql, .changes_expected = changes};

	if (!store_write(test->store, &statement, 1, &test->err))
		fail_msg("%s: %s", sql, test->err.message);
}

static int64_t count_rows(struct test *test, const char *sql)
{
	struct store_rows rows;

	assert_true(store_query(test->store, &test->arena, sql, NULL, 0, &rows, &test->err));
	return store_cell(&rows, 0, 0)->integer;
}

/* The caches gone, as at a restart. */
static void reopen(struct test *test)
{
	close_vault(test);
	open_vault(test);
}

/* --- nothing opens elsewhere ---------------------------------------------------------------- */

/* By each distance once: then every text has been in the place of every other. */
static void no_text_opens_in_the_place_of_another(void **state)
{
	struct test *test = *state;
	struct store_statement statements[ROWS];
	int refused = 0;

	link_all(test);
	struct str *sealed = read_sealed(test);
	assert_int_equal(count_open(test), ROWS);
	for (int distance = 1; distance < ROWS; distance++) {
		for (int row = 0; row < ROWS; row++)
			statements[row] = put_sealed(test, row, sealed[(row + distance) % ROWS]);
		assert_true(store_write(test->store, statements, ROWS, &test->err));
		accounts_destroy(test->accounts);
		test->accounts = accounts_create(test->store, test->vault, clock_system(),
						 random_system());
		refused += ROWS - count_open(test);
	}
	assert_int_equal(refused, ROWS * (ROWS - 1));
	for (int row = 0; row < ROWS; row++)
		statements[row] = put_sealed(test, row, sealed[row]);
	assert_true(store_write(test->store, statements, ROWS, &test->err));
	reopen(test);
	assert_int_equal(count_open(test), ROWS);
}

static void an_older_version_does_not_open_in_the_place_of_a_newer_one(void **state)
{
	struct test *test = *state;

	link_all(test);
	run_sql(test, "UPDATE credential SET version = version + 1", ROWS);
	reopen(test);
	assert_int_equal(count_open(test), 0);
	run_sql(test, "UPDATE credential SET version = version - 1", ROWS);
	reopen(test);
	assert_int_equal(count_open(test), ROWS);
}

static void a_data_key_does_not_open_in_another_environment(void **state)
{
	struct test *test = *state;

	link_all(test);
	assert_int_equal(count_rows(test, "SELECT count(*) FROM data_key WHERE purpose = 'sealing'"),
			 2);
	/* One's wrapped key under the other's id. */
	run_sql(test,
		"UPDATE data_key SET wrapped = (SELECT wrapped FROM data_key other WHERE"
		" other.purpose = 'sealing' AND other.id <> data_key.id) WHERE purpose = 'sealing'"
		" AND environment_id = (SELECT min(id) FROM environment)",
		-1);
	reopen(test);
	assert_int_equal(count_open(test), ROWS / 2);
}

/* --- rotation ------------------------------------------------------------------------------- */

static void a_rotation_seals_everything_anew(void **state)
{
	struct test *test = *state;
	struct vault_status status;
	size_t count;

	link_all(test);
	struct str *before = read_sealed(test);
	assert_true(vault_rotate(test->vault, test->environments[0], &count, &test->err));
	assert_int_equal(count, ROWS / 2);
	struct str *after = read_sealed(test);
	for (int row = 0; row < ROWS; row++) {
		bool is_same = memcmp(before[row].data + 2, after[row].data + 2, 8) == 0;
		assert_int_equal(is_same, row / FIELDS % 2 == 1);
	}
	assert_int_equal(count_open(test), ROWS);
	assert_true(vault_read_status(test->vault, &test->arena, test->environments[0], &status,
				      &test->err));
	assert_int_equal(status.count, 1);
	assert_true(status.keys[0].is_current);
	assert_int_equal(status.keys[0].texts, ROWS / 2);
	reopen(test);
	assert_int_equal(count_open(test), ROWS);
	/* What was sealed under the key that is gone is not taken any more. */
	struct store_statement late = put_sealed(test, 0, before[0]);
	assert_false(store_write(test->store, &late, 1, &test->err));
	assert_int_equal(test->err.code, ERROR_CONFLICT);
}

/* For who has read a text under it just before; then it is wiped. */
static void a_key_that_was_rotated_out_leaves_memory(void **state)
{
	struct test *test = *state;
	struct vault_binding binding = {.subject = STR("s"), .field = STR("f")};
	struct secret secret;
	struct str sealed;
	size_t count;

	link_all(test);
	binding.environment = test->environments[0];
	assert_true(vault_seal(test->vault, &test->arena, &binding, STR("text"), &sealed,
			       &test->err));
	assert_true(vault_rotate(test->vault, binding.environment, &count, &test->err));
	assert_true(vault_open_sealed(test->vault, &binding, sealed, &secret, &test->err));
	secret_finish(&secret);
	vault_tend(test->vault);
	assert_false(vault_open_sealed(test->vault, &binding, sealed, &secret, &test->err));
	assert_int_equal(count_open(test), ROWS);
}

static void a_rotation_that_was_broken_off_is_finished(void **state)
{
	struct test *test = *state;
	size_t count;

	link_all(test);
	struct str *before = read_sealed(test);
	assert_true(vault_rotate(test->vault, test->environments[0], &count, &test->err));
	/* The store as it was with half of it done and the old key closing. */
	(void)before;
	run_sql(test, "UPDATE data_key SET is_current = 0 WHERE purpose = 'sealing'", 2);
	reopen(test);
	assert_int_equal(count_open(test), ROWS);
	run_sql(test, "UPDATE data_key SET is_closing = 1 WHERE purpose = 'sealing'", 2);
	for (int i = 0; i < 2; i++) {
		assert_true(vault_rotate(test->vault, test->environments[i], &count, &test->err));
		assert_int_equal(count, ROWS / 2);
	}
	assert_int_equal(count_rows(test, "SELECT count(*) FROM data_key WHERE purpose = 'sealing'"),
			 2);
	reopen(test);
	assert_int_equal(count_open(test), ROWS);
}

static struct str read_key_file(struct test *test)
{
	struct str text;

	assert_true(disk_read(disk_system(), &test->arena, test->key_file, 4096, &text, &test->err));
	return text;
}

static void our_own_key_file_is_written_anew(void **state)
{
	struct test *test = *state;
	struct vault_master_rotation rotation;

	link_all(test);
	close_vault(test);
	test->owns_key_file = true;
	open_vault(test);
	assert_true(vault_rotate_master(test->vault, &rotation, &test->err));
	assert_true(rotation.is_clean && rotation.is_file_ours && !rotation.is_resumed);
	struct str text = read_key_file(test);
	assert_int_equal(text.len, sizeof KEY_A - 1);
	assert_false(str_equal_c(text, KEY_A));
	reopen(test);
	assert_int_equal(count_open(test), ROWS);
	/* The old key opens nothing. */
	close_vault(test);
	write_key_file(test, KEY_A);
	assert_false(try_vault(test));
	write_key_file(test, arena_c(&test->arena, text));
	open_vault(test);
}

/* Killed after the new key was written, and once more after half of the data keys were wrapped. */
static void a_broken_off_master_rotation_goes_on_with_the_same_key(void **state)
{
	struct test *test = *state;
	struct vault_master_rotation rotation;
	struct str text;

	link_all(test);
	close_vault(test);
	test->owns_key_file = true;
	write_key_file(test, KEY_B KEY_A);
	open_vault(test);
	assert_int_equal(count_open(test), ROWS);
	assert_true(vault_rotate_master(test->vault, &rotation, &test->err));
	assert_true(rotation.is_resumed);
	assert_string_equal(rotation.id, "00000002");
	text = read_key_file(test);
	assert_true(str_equal_c(text, KEY_B));
	reopen(test);
	assert_int_equal(count_open(test), ROWS);
}

/* As the first format had it, by libsodium alone. */
static struct str seal_first(struct test *test, int row)
{
	static const unsigned char head[] = {1, 1, 0, 0, 0, 1};
	unsigned char master[32], key[32], nonce[24];
	const struct account *account = &test->list[row / FIELDS];
	struct str plain = secret_of(test, row / FIELDS, row % FIELDS);
	struct str parts[] = {account->environment_id, account->id,
			      arena_format(&test->arena, "credential.field_%d", row % FIELDS)};
	struct buffer bound, out;
	unsigned char *text = arena_alloc(&test->arena, plain.len + 16);

	for (unsigned i = 0; i < 32; i++)
		master[i] = (unsigned char)i;
	crypto_kdf_derive_from_key(key, sizeof key, 1, "tenon-v1", master);
	randombytes_buf(nonce, sizeof nonce);
	buffer_init(&bound, &test->arena, 4096);
	buffer_append(&bound, str_make((const char *)head, sizeof head));
	for (size_t i = 0; i < 3; i++) {
		for (int shift = 0; shift < 32; shift += 8)
			buffer_append_byte(&bound, (char)(parts[i].len >> shift));
		buffer_append(&bound, parts[i]);
	}
	crypto_aead_xchacha20poly1305_ietf_encrypt(
		text, NULL, (const unsigned char *)plain.data, plain.len,
		(const unsigned char *)buffer_str(&bound).data, buffer_str(&bound).len, NULL, nonce,
		key);
	buffer_init(&out, &test->arena, 4096);
	buffer_append(&out, str_make((const char *)head, sizeof head));
	buffer_append(&out, str_make((const char *)nonce, sizeof nonce));
	buffer_append(&out, str_make((const char *)text, plain.len + 16));
	return buffer_str(&out);
}

static void texts_of_the_first_format_are_sealed_anew(void **state)
{
	struct test *test = *state;
	struct store_statement statements[ROWS];
	struct vault_master_rotation rotation;
	struct vault_status status;

	link_all(test);
	for (int row = 0; row < ROWS; row++)
		statements[row] = put_sealed(test, row, seal_first(test, row));
	assert_true(store_write(test->store, statements, ROWS, &test->err));
	run_sql(test, "UPDATE credential SET version = 0", ROWS);
	reopen(test);
	assert_int_equal(count_open(test), ROWS);
	assert_true(vault_read_status(test->vault, &test->arena, test->environments[0], &status,
				      &test->err));
	assert_int_equal(status.first_format, ROWS / 2);
	write_key_file(test, KEY_B KEY_A);
	assert_true(vault_rotate_master(test->vault, &rotation, &test->err));
	assert_int_equal(rotation.texts, ROWS);
	assert_true(rotation.is_clean);
	close_vault(test);
	write_key_file(test, KEY_B);
	open_vault(test);
	assert_int_equal(count_open(test), ROWS);
}

/* --- revocation ----------------------------------------------------------------------------- */

static void what_is_revoked_is_gone(void **state)
{
	struct test *test = *state;
	struct account now;
	size_t count;

	link_all(test);
	struct str *before = read_sealed(test);
	assert_true(accounts_revoke(test->accounts, test->environments[0], &count, &test->err));
	assert_int_equal(count, ACCOUNTS / 2);
	for (int turn = 0; turn < 2; turn++) {
		for (int i = 0; i < ACCOUNTS; i++) {
			bool is_revoked = i % 2 == 0;
			assert_true(account_find(test->accounts, &test->arena,
						 test->list[i].environment_id, test->list[i].id,
						 &now, &test->err));
			assert_int_equal(now.status, is_revoked ? ACCOUNT_NEEDS_REAUTH : ACCOUNT_ACTIVE);
			assert_int_equal(opens(test, i, 0), !is_revoked);
		}
		reopen(test);
	}
	/* Not even with the row put back, as from a file that was kept: its key is gone. */
	run_sql(test, "DROP TRIGGER credential_key_insert", -1);
	struct store_value values[] = {store_text(test->list[0].environment_id),
				       store_text(test->list[0].id), store_blob(before[0])};
	struct store_statement back = {.sql = "INSERT INTO credential (environment_id, account_id, field,"
					      " sealed, version) VALUES (?1, ?2, 'field_0', ?3, 1)",
				       .parameters = values,
				       .parameter_count = 3,
				       .changes_expected = 1};
	assert_true(store_write(test->store, &back, 1, &test->err));
	assert_false(opens(test, 0, 0));
	assert_true(accounts_revoke(test->accounts, test->environments[0], &count, &test->err));
	assert_int_equal(count, 0);
}

/* --- the audit log -------------------------------------------------------------------------- */

static struct str audit_path(struct test *test)
{
	struct str *names;
	size_t count;

	assert_true(disk_list(disk_system(), &test->arena, test->audit_folder, &names, &count,
			      &test->err));
	assert_int_equal(count, 1);
	return arena_format(&test->arena, "%s/%.*s", test->audit_folder, STR_ARGS(names[0]));
}

static void write_audit(struct test *test, struct str text)
{
	const char *path = audit_path(test).data;

	unlink(path);
	assert_true(disk_create(disk_system(), path, text, 0600, &test->err));
}

static bool is_whole(struct test *test, int64_t at)
{
	struct vault_audit_report report;

	assert_true(vault_audit_verify(test->vault, 1, &report, &test->err));
	if (!report.is_whole && at > 0)
		assert_int_equal(report.at, at);
	return report.is_whole;
}

static void open_audited(struct test *test)
{
	test->has_audit = true;
	reopen(test);
	link_all(test);
	for (int i = 0; i < 10; i++)
		assert_true(opens(test, i, i % FIELDS));
	/* The head is noted at the end. */
	reopen(test);
}

static void each_use_has_a_line(void **state)
{
	struct test *test = *state;
	struct str *lines;
	size_t count;

	open_audited(test);
	assert_true(is_whole(test, 0));
	assert_true(vault_audit_list(test->vault, &test->arena, 0, 100, &lines, &count, &test->err));
	assert_int_equal(count, 10);
	struct str wanted = arena_format(&test->arena, " use %.*s %.*s credential.field_2 1 ",
					 STR_ARGS(test->list[2].environment_id),
					 STR_ARGS(test->list[2].id));
	assert_non_null(strstr(arena_c(&test->arena, lines[2]), arena_c(&test->arena, wanted)));
	assert_null(strstr(arena_c(&test->arena, lines[2]), "secret"));
	assert_true(opens(test, 10, 0));
	assert_true(vault_audit_list(test->vault, &test->arena, 10, 100, &lines, &count, &test->err));
	assert_int_equal(count, 1);
	assert_true(is_whole(test, 0));
}

static void every_altered_byte_of_the_log_is_found(void **state)
{
	struct test *test = *state;
	struct str text;
	int line = 1;

	open_audited(test);
	assert_true(disk_read(disk_system(), &test->arena, arena_c(&test->arena, audit_path(test)),
			      1 << 20, &text, &test->err));
	for (size_t i = 0; i < text.len; i++) {
		struct str altered = arena_str(&test->arena, text);
		((char *)(uintptr_t)altered.data)[i] ^= 1;
		write_audit(test, altered);
		assert_false(is_whole(test, 0));
		line += text.data[i] == '\n';
	}
	assert_int_equal(line, 11);
	write_audit(test, text);
	assert_true(is_whole(test, 0));
}

static void every_missing_line_of_the_log_is_found(void **state)
{
	struct test *test = *state;
	struct str text, rest, lines[10];
	const char *path;

	open_audited(test);
	path = arena_c(&test->arena, audit_path(test));
	assert_true(disk_read(disk_system(), &test->arena, path, 1 << 20, &text, &test->err));
	rest = text;
	for (int i = 0; i < 10; i++)
		lines[i] = str_cut(&rest, '\n');
	/* Without one, without all behind it (of which the store's head tells), two exchanged. */
	for (int fault = 0; fault < 3; fault++)
		for (int i = 0; i < 9; i++) {
			struct buffer out;
			buffer_init(&out, &test->arena, 1 << 20);
			for (int k = 0; k < 10; k++) {
				if ((fault == 0 && k == i) || (fault == 1 && k >= i))
					continue;
				int from = fault == 2 && k == i ? i + 1 : fault == 2 && k == i + 1 ? i : k;
				buffer_append(&out, lines[from]);
				buffer_append_byte(&out, '\n');
			}
			write_audit(test, buffer_str(&out));
			assert_false(is_whole(test, i + 1));
		}
	write_audit(test, str_slice(text, 0, text.len - lines[9].len - 1));
	assert_false(is_whole(test, 10));
}

/* A crash in the middle of a line leaves half of one: it is taken off, and the chain goes on. */
static void half_a_line_at_the_end_is_mended(void **state)
{
	struct test *test = *state;
	struct str text;

	open_audited(test);
	const char *path = arena_c(&test->arena, audit_path(test));
	assert_true(disk_read(disk_system(), &test->arena, path, 1 << 20, &text, &test->err));
	close_vault(test);
	write_audit(test, arena_format(&test->arena, "%.*s11 17999", STR_ARGS(text)));
	open_vault(test);
	assert_true(opens(test, 3, 1));
	assert_true(is_whole(test, 0));
	/* A tail that was cut while nothing ran stays missing for ever. */
	close_vault(test);
	write_audit(test, str_slice(text, 0, text.len / 2));
	open_vault(test);
	assert_true(opens(test, 3, 1));
	assert_false(is_whole(test, 0));
}

static void no_secret_without_its_line(void **state)
{
	struct test *test = *state;
	struct rlimit limit, before;

	open_audited(test);
	/* No file may grow any more: the line cannot be written. */
	getrlimit(RLIMIT_FSIZE, &before);
	limit = before;
	limit.rlim_cur = 1;
	signal(SIGXFSZ, SIG_IGN);
	setrlimit(RLIMIT_FSIZE, &limit);
	bool ok = opens(test, 0, 0);
	setrlimit(RLIMIT_FSIZE, &before);
	assert_false(ok);
	assert_int_equal(test->err.code, ERROR_UNAVAILABLE);
	assert_true(opens(test, 0, 0));
	assert_true(is_whole(test, 0));
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(no_text_opens_in_the_place_of_another),
		TEST(an_older_version_does_not_open_in_the_place_of_a_newer_one),
		TEST(a_data_key_does_not_open_in_another_environment),
		TEST(a_rotation_seals_everything_anew),
		TEST(a_rotation_that_was_broken_off_is_finished),
		TEST(our_own_key_file_is_written_anew),
		TEST(a_broken_off_master_rotation_goes_on_with_the_same_key),
		TEST(texts_of_the_first_format_are_sealed_anew),
		TEST(what_is_revoked_is_gone),
		TEST(each_use_has_a_line),
		TEST(every_altered_byte_of_the_log_is_found),
		TEST(every_missing_line_of_the_log_is_found),
		TEST(half_a_line_at_the_end_is_mended),
		TEST(no_secret_without_its_line),
		TEST(a_key_that_was_rotated_out_leaves_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
