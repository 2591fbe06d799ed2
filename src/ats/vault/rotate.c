/* Keys that take the place of others while everything runs, and keys that are destroyed. */
#include <assert.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "ats/vault/parts.h"
#include "base/log.h"

enum { BATCH_ROWS = 128, KEY_COLUMNS_MAX = 4 };

void vault_add_column(struct vault *vault, const struct vault_column *column)
{
	size_t at = 0;

	assert(column->keys <= KEY_COLUMNS_MAX);
	while (at < vault->column_count && strcmp(vault->columns[at].name, column->name) != 0)
		at++;
	assert(at < COLUMNS_MAX);
	vault->columns[at] = *column;
	if (at == vault->column_count)
		vault->column_count++;
}

/* One at a time: a second would only do the same work again. */
static bool begin(struct vault *vault, struct error *err)
{
	if (!atomic_exchange(&vault->is_rotating, true))
		return true;
	return error_set(err, ERROR_CONFLICT, "another rotation is under way");
}

static void end(struct vault *vault)
{
	atomic_store(&vault->is_rotating, false);
}

/* --- walking over a column ------------------------------------------------------------------ */

struct walk {
	struct vault *vault;
	const struct vault_column *column;
	struct str environment; /* empty: all */
	/* Sealed texts that begin with it are left alone; empty: those of the second format. */
	struct str current;
	struct arena arenas[2]; /* a step's rows, and those of the one before with its last key */
	struct store_value last[KEY_COLUMNS_MAX + 1];
	size_t count;
};

static struct store_value smallest(enum store_type type)
{
	if (type == STORE_INT)
		return store_int(INT64_MIN);
	return type == STORE_BLOB ? store_blob(STR("")) : store_text(STR(""));
}

static void walk_init(struct walk *walk)
{
	for (size_t i = 0; i < 2; i++)
		arena_init(&walk->arenas[i], ROWS_BYTES_MAX);
	walk->last[0] = store_text(walk->environment);
	for (size_t i = 1; i < walk->column->keys; i++)
		walk->last[i] = smallest(walk->column->types[i]);
	walk->last[walk->column->keys] = store_int(BATCH_ROWS);
}

static bool is_current(const struct walk *walk, struct str sealed)
{
	return walk->current.len > 0 ? str_starts_with(sealed, walk->current) :
				       !vault_is_first_format(sealed);
}

/* Opens and seals; the update takes hold only if the row is still as it was read. */
static bool seal_anew(struct walk *walk, struct arena *arena, const struct store_value *row,
		      struct store_statement *statement, struct error *err)
{
	const struct vault_column *column = walk->column;
	struct store_value *values = arena_array(arena, 2 + KEY_COLUMNS_MAX, sizeof *values);
	struct vault_binding from, to;
	struct secret secret;
	struct str sealed;

	column->place(arena, row, vault_is_first_format(row[0].bytes), &from);
	column->place(arena, row, false, &to);
	if (!vault_open_for(walk->vault, "reseal", &from, row[0].bytes, &secret, err) &&
	    (!vault_is_first_format(row[0].bytes) ||
	     !vault_open_for(walk->vault, "reseal", &to, row[0].bytes, &secret, err)))
		return false;
	bool ok = vault_seal(walk->vault, arena, &to, secret_str(&secret), &sealed, err);
	secret_finish(&secret);
	values[0] = row[0];
	values[1] = store_blob(sealed);
	memcpy(values + 2, row + 1, column->keys * sizeof *row);
	*statement = (struct store_statement){.sql = column->replace,
					      .parameters = values,
					      .parameter_count = 2 + column->keys,
					      .changes_expected = -1};
	return ok;
}

static bool do_batch(struct walk *walk, struct arena *arena, const struct store_rows *rows,
		     struct error *err)
{
	struct store_statement statements[BATCH_ROWS];
	const struct store_value *keys[BATCH_ROWS];
	size_t count = 0;

	for (size_t i = 0; i < rows->count; i++) {
		const struct store_value *row = store_cell(rows, i, 0);
		memcpy(walk->last, row + 1, walk->column->keys * sizeof *row);
		if (walk->environment.len > 0 && !str_equal(row[1].bytes, walk->environment))
			break;
		if (is_current(walk, row[0].bytes))
			continue;
		if (!seal_anew(walk, arena, row, &statements[count], err))
			return false;
		keys[count++] = row + 1;
	}
	if (count == 0)
		return true;
	if (!store_write(walk->vault->options.store, statements, count, err))
		return false;
	for (size_t i = 0; i < count && walk->column->changed != NULL; i++)
		walk->column->changed(walk->column->context, keys[i]);
	walk->count += count;
	return true;
}

static bool is_past(const struct walk *walk)
{
	return walk->environment.len > 0 && !str_equal(walk->last[0].bytes, walk->environment);
}

/* From the first row to the last, a batch a transaction. */
static bool walk_column(struct walk *walk, struct error *err)
{
	const struct vault_column *column = walk->column;
	struct store_rows rows = {.count = BATCH_ROWS};
	bool ok = true;

	walk_init(walk);
	for (int turn = 0; ok && rows.count == BATCH_ROWS && !is_past(walk); turn ^= 1) {
		arena_finish(&walk->arenas[turn]);
		arena_init(&walk->arenas[turn], ROWS_BYTES_MAX);
		ok = store_query(walk->vault->options.store, &walk->arenas[turn], column->walk,
				 walk->last, column->keys + 1, &rows, err) &&
		     do_batch(walk, &walk->arenas[turn], &rows, err);
	}
	arena_finish(&walk->arenas[0]);
	arena_finish(&walk->arenas[1]);
	return ok;
}

/* Everything of the environment which does not begin with `current`. */
static bool seal_all_anew(struct vault *vault, struct str environment, struct str current,
			  size_t *count, struct error *err)
{
	for (size_t i = 0; i < vault->column_count; i++) {
		struct walk walk = {.vault = vault,
				    .column = &vault->columns[i],
				    .environment = environment,
				    .current = current};
		if (walk.column->walk != NULL && !walk_column(&walk, err))
			return false;
		*count += walk.count;
	}
	return true;
}

/* --- a data key ----------------------------------------------------------------------------- */

static bool write_one(struct vault *vault, const char *sql, struct str environment,
		      struct error *err)
{
	struct store_value value = store_text(environment);
	struct store_statement statement = {
		.sql = sql, .parameters = &value, .parameter_count = 1, .changes_expected = -1};

	return store_write(vault->options.store, &statement, 1, err);
}

static bool has_old_keys(struct vault *vault, struct str environment, bool *has,
			 struct error *err)
{
	struct store_value value = store_text(environment);
	struct store_rows rows;
	struct arena arena;

	arena_init(&arena, 65536);
	bool ok = store_query(vault->options.store, &arena,
			      "SELECT 1 FROM data_key WHERE environment_id = ?1"
			      " AND purpose = 'sealing' AND is_current = 0 LIMIT 1",
			      &value, 1, &rows, err);
	*has = ok && rows.count > 0;
	arena_finish(&arena);
	return ok;
}

/* Who has just read a text under it still finds it in memory for a while. */
static bool delete_closed(struct vault *vault, struct str environment, struct error *err)
{
	struct store_value value = store_text(environment);
	struct store_rows ids;
	struct arena arena;

	arena_init(&arena, 1024 * 1024);
	bool ok = store_query(vault->options.store, &arena,
			      "SELECT id FROM data_key WHERE environment_id = ?1"
			      " AND purpose = 'sealing' AND is_closing = 1",
			      &value, 1, &ids, err) &&
		  write_one(vault,
			    "DELETE FROM data_key WHERE environment_id = ?1"
			    " AND purpose = 'sealing' AND is_closing = 1",
			    environment, err);
	if (ok)
		data_keys_retire(vault, &ids);
	arena_finish(&arena);
	return ok;
}

/* Once over everything while texts sealed just before the change of keys may still arrive; then
 * the old key is closed, so that none can any more, and once again for those that did. */
static bool finish_rotation(struct vault *vault, struct str environment, size_t *count,
			    struct error *err)
{
	unsigned char head[HEAD_BYTES] = {SECOND_FORMAT, SUITE_XCHACHA20_POLY1305};
	struct str current = str_make((char *)head, sizeof head);
	struct data_key key;

	if (!data_key_current(vault, KEY_SEALING, environment, NULL, &key, err))
		return false;
	memcpy(head + 2, key.id, sizeof key.id);
	sodium_memzero(&key, sizeof key);
	return seal_all_anew(vault, environment, current, count, err) &&
	       write_one(vault,
			 "UPDATE data_key SET is_closing = 1 WHERE environment_id = ?1"
			 " AND purpose = 'sealing' AND is_current = 0",
			 environment, err) &&
	       seal_all_anew(vault, environment, current, count, err) &&
	       delete_closed(vault, environment, err);
}

/* Before something is done with keys as before a secret is used. */
static bool note(struct vault *vault, const char *use, struct str environment, struct error *err)
{
	const struct vault_binding binding = {.environment = environment};

	return vault->audit == NULL || audit_note(vault->audit, use, &binding, err);
}

bool vault_rotate(struct vault *vault, struct str environment, size_t *count, struct error *err)
{
	bool is_resumed;

	*count = 0;
	if (!begin(vault, err))
		return false;
	bool ok = note(vault, "rotate", environment, err) &&
		  has_old_keys(vault, environment, &is_resumed, err) &&
		  (is_resumed || data_key_replace(vault, environment, err)) &&
		  finish_rotation(vault, environment, count, err);
	end(vault);
	if (ok)
		LOG(LOG_INFO, "data_key_rotated", LOG_S(environment, environment),
		    LOG_N(count, (int64_t)*count));
	return ok;
}

bool vault_revoke(struct vault *vault, struct str environment, struct error *err)
{
	struct store_statement statements[COLUMNS_MAX + 1];
	struct store_value values[] = {store_text(environment),
				       store_int(clock_unix_ms(vault->options.clock))};
	struct store_rows ids;
	struct arena arena;
	size_t count = 0;

	if (!begin(vault, err))
		return false;
	arena_init(&arena, 1024 * 1024);
	bool ok = note(vault, "revoke", environment, err) &&
		  store_query(vault->options.store, &arena,
			      "SELECT id FROM data_key WHERE environment_id = ?1", values, 1, &ids,
			      err);
	statements[count++] = (struct store_statement){
		"DELETE FROM data_key WHERE environment_id = ?1", values, 1, -1};
	for (size_t i = 0; i < vault->column_count; i++)
		if (vault->columns[i].revoke != NULL)
			statements[count++] = (struct store_statement){
				vault->columns[i].revoke, values,
				vault->columns[i].revoke_wants_now ? 2 : 1, -1};
	ok = ok && store_write(vault->options.store, statements, count, err);
	data_keys_forget_current(vault, environment);
	if (ok)
		data_keys_forget(vault, &ids);
	arena_finish(&arena);
	end(vault);
	if (ok)
		LOG(LOG_WARNING, "environment_revoked", LOG_S(environment, environment));
	return ok;
}

/* --- the master key ------------------------------------------------------------------------- */

/* Goes over to what the file says now. It must still have the key that is the newest here. */
static bool read_keyring_anew(struct vault *vault, bool wants_old, struct error *err)
{
	struct keyring *read = keyring_read(vault->options.disk, vault->options.key_file, err);

	if (read == NULL)
		return false;
	if (wants_old && keyring_find(read, vault->keyring->keys[0].id) == NULL) {
		sodium_free(read);
		return error_set(err, ERROR_INVALID,
				 "the key file lacks the master key in use; keep its line below the new one");
	}
	pthread_rwlock_wrlock(&vault->master_lock);
	struct keyring *old = vault->keyring;
	vault->keyring = read;
	pthread_rwlock_unlock(&vault->master_lock);
	sodium_free(old);
	return true;
}

static bool has_foreign(struct vault *vault, bool *has, struct error *err)
{
	unsigned char head[2 + KEY_ID_BYTES] = {SECOND_FORMAT, SUITE_XCHACHA20_POLY1305};
	struct store_value value = store_blob(str_make((char *)head, sizeof head));
	struct store_rows rows;
	struct arena arena;

	memcpy(head + 2, vault->keyring->keys[0].id, KEY_ID_BYTES);
	arena_init(&arena, 65536);
	bool ok = store_query(vault->options.store, &arena,
			      "SELECT 1 FROM data_key WHERE substr(wrapped, 1, 6) <> ?1 LIMIT 1",
			      &value, 1, &rows, err);
	*has = ok && rows.count > 0;
	arena_finish(&arena);
	return ok;
}

/* The first line of the key file is to be the new key, and the keys before it below. */
static bool take_new_key(struct vault *vault, struct vault_master_rotation *out,
			 struct error *err)
{
	unsigned char before[KEY_ID_BYTES];
	bool has_more;

	memcpy(before, vault->keyring->keys[0].id, sizeof before);
	if (!has_foreign(vault, &has_more, err))
		return false;
	out->is_resumed = vault->keyring->count > 1 || has_more;
	if (out->is_file_ours && !out->is_resumed &&
	    !keyring_write(vault->options.disk, vault->options.key_file, true, KEYS_MAX,
			   vault->options.random, err))
		return false;
	if (!read_keyring_anew(vault, true, err))
		return false;
	if (memcmp(before, vault->keyring->keys[0].id, sizeof before) != 0)
		out->is_resumed = false;
	else if (!out->is_resumed)
		return error_set(err, ERROR_INVALID,
				 "the key file %s is its owner's: put a new key on its first line, "
				 "keep the old one on the second, and say this again",
				 vault->options.key_file);
	return true;
}

/* Wraps and seals anew until no older key is wanted; a data key that is being stored just now
 * may be wrapped by the one before. */
static bool leave_old_keys(struct vault *vault, struct vault_master_rotation *out,
			   struct error *err)
{
	struct str none = {NULL, 0};
	size_t some;

	if (!data_keys_wrap_anew(vault, &out->keys, err) ||
	    !seal_all_anew(vault, none, none, &out->texts, err))
		return false;
	bool is_quiet = atomic_load(&vault->wrapping) == 0;
	if (!data_keys_wrap_anew(vault, &some, err))
		return false;
	out->keys += some;
	out->is_clean = is_quiet;
	return is_quiet || error_set(err, ERROR_CONFLICT,
				     "a data key was being made meanwhile; say this again");
}

bool vault_rotate_master(struct vault *vault, struct vault_master_rotation *out,
			 struct error *err)
{
	struct store_scope before;

	*out = (struct vault_master_rotation){.is_file_ours = vault->options.owns_key_file};
	if (!begin(vault, err))
		return false;
	before = store_enter_all();
	bool ok = note(vault, "rotate-master", STR(""), err) && take_new_key(vault, out, err) &&
		  leave_old_keys(vault, out, err);
	if (ok && out->is_file_ours && vault->keyring->count > 1)
		ok = keyring_write(vault->options.disk, vault->options.key_file, false, 1,
				   vault->options.random, err) &&
		     read_keyring_anew(vault, true, err);
	sodium_bin2hex(out->id, sizeof out->id, vault->keyring->keys[0].id, KEY_ID_BYTES);
	store_leave(&before);
	end(vault);
	if (ok)
		LOG(LOG_INFO, "master_key_rotated", LOG_C(key_id, out->id),
		    LOG_N(count, (int64_t)out->keys));
	return ok;
}

/* --- status --------------------------------------------------------------------------------- */

static struct str hex(struct arena *arena, const void *bytes, size_t len)
{
	char *text = arena_alloc(arena, 2 * len + 1);

	sodium_bin2hex(text, 2 * len + 1, bytes, len);
	return str_make(text, 2 * len);
}

/* A row: of `count`. */
static void add_count(struct vault_status *status, const struct store_rows *ids,
		      const struct store_value *row)
{
	if (row[0].bytes.len == 0)
		status->first_format += (size_t)row[1].integer;
	for (size_t i = 0; i < status->count; i++)
		if (str_equal(store_cell(ids, i, 0)->bytes, row[0].bytes))
			status->keys[i].texts += (size_t)row[1].integer;
}

static bool count_texts(struct vault *vault, struct arena *arena, struct str environment,
			const struct store_rows *ids, struct vault_status *status,
			struct error *err)
{
	struct store_value value = store_text(environment);
	struct store_rows rows;

	for (size_t i = 0; i < vault->column_count; i++) {
		if (vault->columns[i].count == NULL)
			continue;
		if (!store_query(vault->options.store, arena, vault->columns[i].count, &value, 1,
				 &rows, err))
			return false;
		for (size_t k = 0; k < rows.count; k++)
			add_count(status, ids, store_cell(&rows, k, 0));
	}
	return true;
}

bool vault_read_status(struct vault *vault, struct arena *arena, struct str environment,
		       struct vault_status *out, struct error *err)
{
	struct store_value value = store_text(environment);
	unsigned char master[KEY_ID_BYTES];
	struct store_rows rows;

	pthread_rwlock_rdlock(&vault->master_lock);
	memcpy(master, vault->keyring->keys[0].id, sizeof master);
	pthread_rwlock_unlock(&vault->master_lock);
	if (!store_query(vault->options.store, arena,
			 "SELECT id, purpose, is_current, created_ms, substr(wrapped, 3, 4)"
			 " FROM data_key WHERE environment_id = ?1 ORDER BY created_ms, id",
			 &value, 1, &rows, err))
		return false;
	*out = (struct vault_status){.count = rows.count,
				     .master_id = hex(arena, master, sizeof master)};
	out->keys = arena_zero(arena, (rows.count + 1) * sizeof *out->keys);
	for (size_t i = 0; i < rows.count; i++) {
		struct str id = store_cell(&rows, i, 0)->bytes, by = store_cell(&rows, i, 4)->bytes;
		out->keys[i].id = hex(arena, id.data, id.len);
		out->keys[i].purpose = store_cell(&rows, i, 1)->bytes;
		out->keys[i].is_current = store_cell(&rows, i, 2)->integer == 1;
		out->keys[i].created_ms = store_cell(&rows, i, 3)->integer;
		if (by.len != sizeof master || memcmp(by.data, master, sizeof master) != 0)
			out->other_masters++;
	}
	return count_texts(vault, arena, environment, &rows, out, err);
}
