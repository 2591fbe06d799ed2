/* Data keys: made, wrapped by the newest master key, kept in the store, and in locked memory once
 * they were needed. */
#include <stdatomic.h>

#include "ats/vault/parts.h"

enum {
	WRAPPED_HEAD = 2 + KEY_ID_BYTES, /* version, suite, master key id */
	WRAPPED_BYTES = WRAPPED_HEAD + ENVELOPE_OVERHEAD + ENVELOPE_KEY_BYTES,
	ENVIRONMENT_MAX = 64,
	WRAP_ROWS = 64,
};

static const char *const purpose_names[KEY_PURPOSES] = {"sealing", "tokens", "digests", "audit"};

const char *key_purpose_name(enum key_purpose purpose)
{
	return purpose_names[purpose];
}

void data_keys_init(struct vault *vault)
{
	struct data_keys *keys = &vault->keys;

	pthread_rwlock_init(&keys->lock, NULL);
	keys->slab = slab_create();
	map_init(&keys->by_id, vault->options.random);
	map_init(&keys->current, vault->options.random);
}

static void forget_all(struct vault *vault)
{
	struct data_keys *keys = &vault->keys;
	struct str id;
	void *key;

	for (size_t at = 0; map_next(&keys->by_id, &at, &id, &key);)
		slab_give(key);
	map_finish(&keys->by_id);
	map_finish(&keys->current);
}

void data_keys_finish(struct vault *vault)
{
	forget_all(vault);
	slab_destroy(vault->keys.slab);
	pthread_rwlock_destroy(&vault->keys.lock);
}

/* --- wrapping ------------------------------------------------------------------------------- */

static struct str id_str(const unsigned char *id)
{
	return str_make((const char *)id, DATA_KEY_ID_BYTES);
}

/* A key moved to another environment or purpose, or under another id, does not open there. */
static struct vault_binding wrap_binding(struct str environment, struct str id, struct str purpose)
{
	return (struct vault_binding){environment, id, purpose, 0};
}

static struct str wrap(struct vault *vault, struct arena *arena,
		       const struct vault_binding *binding, const unsigned char *bytes)
{
	unsigned char *out = arena_alloc(arena, WRAPPED_BYTES);

	pthread_rwlock_rdlock(&vault->master_lock);
	const struct key *master = &vault->keyring->keys[0];
	out[0] = SECOND_FORMAT;
	out[1] = SUITE_XCHACHA20_POLY1305;
	memcpy(out + 2, master->id, KEY_ID_BYTES);
	envelope_seal(master->uses[KEY_FOR_WRAPPING], vault->options.random, WRAPPED_HEAD, binding,
		      str_make((const char *)bytes, ENVELOPE_KEY_BYTES), out);
	pthread_rwlock_unlock(&vault->master_lock);
	return str_make((char *)out, WRAPPED_BYTES);
}

static bool unwrap(struct vault *vault, const struct vault_binding *binding, struct str wrapped,
		   unsigned char bytes[ENVELOPE_KEY_BYTES])
{
	if (wrapped.len != WRAPPED_BYTES || wrapped.data[0] != SECOND_FORMAT ||
	    wrapped.data[1] != SUITE_XCHACHA20_POLY1305)
		return false;
	pthread_rwlock_rdlock(&vault->master_lock);
	const struct key *master =
		keyring_find(vault->keyring, (const unsigned char *)wrapped.data + 2);
	bool ok = master != NULL && envelope_open(master->uses[KEY_FOR_WRAPPING], WRAPPED_HEAD,
						  binding, wrapped, bytes);
	pthread_rwlock_unlock(&vault->master_lock);
	return ok;
}

/* --- in memory ------------------------------------------------------------------------------ */

static struct str current_name(enum key_purpose purpose, struct str environment,
			       char text[ENVIRONMENT_MAX + 1])
{
	size_t len = environment.len <= ENVIRONMENT_MAX ? environment.len : ENVIRONMENT_MAX;

	text[0] = (char)('0' + purpose);
	if (len > 0)
		memcpy(text + 1, environment.data, len);
	return str_make(text, len + 1);
}

static bool copy_from(struct data_keys *keys, const struct map *map, struct str name,
		      struct data_key *out)
{
	pthread_rwlock_rdlock(&keys->lock);
	const struct data_key *key = map_get(map, name);
	if (key != NULL)
		*out = *key;
	pthread_rwlock_unlock(&keys->lock);
	return key != NULL;
}

/* `name`: as the current one, unless it has been replaced since `generation`. */
static void keep(struct vault *vault, const struct data_key *key, struct str name,
		 uint64_t generation)
{
	struct data_keys *keys = &vault->keys;

	pthread_rwlock_wrlock(&keys->lock);
	struct data_key *kept = map_get(&keys->by_id, id_str(key->id));
	if (kept == NULL) {
		kept = slab_take(keys->slab, sizeof *kept);
		*kept = *key;
		map_put(&keys->by_id, id_str(key->id), kept);
	}
	if (name.len > 0 && keys->generation == generation)
		map_put(&keys->current, name, kept);
	pthread_rwlock_unlock(&keys->lock);
}

void data_keys_forget_current(struct vault *vault, struct str environment)
{
	char text[ENVIRONMENT_MAX + 1];

	pthread_rwlock_wrlock(&vault->keys.lock);
	vault->keys.generation++;
	map_remove(&vault->keys.current, current_name(KEY_SEALING, environment, text));
	pthread_rwlock_unlock(&vault->keys.lock);
}

void vault_forget_keys(struct vault *vault)
{
	pthread_rwlock_wrlock(&vault->keys.lock);
	vault->keys.generation++;
	forget_all(vault);
	map_init(&vault->keys.by_id, vault->options.random);
	map_init(&vault->keys.current, vault->options.random);
	pthread_rwlock_unlock(&vault->keys.lock);
}

void data_keys_forget(struct vault *vault, const struct store_rows *ids)
{
	pthread_rwlock_wrlock(&vault->keys.lock);
	for (size_t i = 0; i < ids->count; i++) {
		struct data_key *key =
			map_remove(&vault->keys.by_id, store_cell(ids, i, 0)->bytes);
		if (key != NULL)
			slab_give(key);
	}
	pthread_rwlock_unlock(&vault->keys.lock);
}

void data_keys_retire(struct vault *vault, const struct store_rows *ids)
{
	int64_t ends_ms =
		clock_monotonic_ms(vault->options.clock) + vault->options.key_grace_ms;

	pthread_rwlock_wrlock(&vault->keys.lock);
	for (size_t i = 0; i < ids->count; i++) {
		struct data_key *key = map_get(&vault->keys.by_id, store_cell(ids, i, 0)->bytes);
		if (key != NULL)
			key->ends_ms = ends_ms;
	}
	pthread_rwlock_unlock(&vault->keys.lock);
}

static struct data_key *find_ended(struct data_keys *keys, int64_t now_ms)
{
	struct str id;
	void *key;

	for (size_t at = 0; map_next(&keys->by_id, &at, &id, &key);)
		if (((struct data_key *)key)->ends_ms > 0 &&
		    ((struct data_key *)key)->ends_ms <= now_ms)
			return key;
	return NULL;
}

void vault_tend(struct vault *vault)
{
	struct data_keys *keys = &vault->keys;
	int64_t now_ms = clock_monotonic_ms(vault->options.clock);
	struct data_key *key;

	pthread_rwlock_wrlock(&keys->lock);
	while ((key = find_ended(keys, now_ms)) != NULL) {
		map_remove(&keys->by_id, id_str(key->id));
		slab_give(key);
	}
	pthread_rwlock_unlock(&keys->lock);
}

/* --- in the store --------------------------------------------------------------------------- */

/* A row of: environment_id, id, purpose, wrapped. */
static bool read_row(struct vault *vault, const struct store_rows *rows, struct data_key *out)
{
	struct str environment = store_cell(rows, 0, 0)->bytes, id = store_cell(rows, 0, 1)->bytes;
	struct str purpose = store_cell(rows, 0, 2)->bytes;
	struct vault_binding binding = wrap_binding(environment, id, purpose);

	if (id.len != DATA_KEY_ID_BYTES)
		return false;
	for (unsigned i = 0; i < KEY_PURPOSES; i++)
		if (str_equal_c(purpose, purpose_names[i]))
			out->purpose = (enum key_purpose)i;
	memcpy(out->id, id.data, DATA_KEY_ID_BYTES);
	out->ends_ms = 0;
	return unwrap(vault, &binding, store_cell(rows, 0, 3)->bytes, out->bytes);
}

bool data_key_find(struct vault *vault, enum key_purpose purpose, const unsigned char *id,
		   struct data_key *out)
{
	struct store_value by_id = store_blob(id_str(id));
	struct store_rows rows;
	struct arena arena;
	struct error ignored;

	if (copy_from(&vault->keys, &vault->keys.by_id, id_str(id), out))
		return out->purpose == purpose;
	arena_init(&arena, 65536);
	/* The text tells its key; whether it is for its environment's eyes the binding shows. */
	bool ok = store_query_all(vault->options.store, &arena,
				  "SELECT environment_id, id, purpose, wrapped FROM data_key"
				  " WHERE id = ?1", &by_id, 1, &rows, &ignored) &&
		  rows.count == 1 && read_row(vault, &rows, out);
	if (ok)
		keep(vault, out, (struct str){NULL, 0}, 0);
	arena_finish(&arena);
	return ok && out->purpose == purpose;
}

static uint64_t read_generation(struct data_keys *keys)
{
	pthread_rwlock_rdlock(&keys->lock);
	uint64_t generation = keys->generation;
	pthread_rwlock_unlock(&keys->lock);
	return generation;
}

/* *is_there tells whether there is one. */
static bool load_current(struct vault *vault, enum key_purpose purpose, struct str environment,
			 struct str name, bool *is_there, struct data_key *out, struct error *err)
{
	uint64_t generation = read_generation(&vault->keys);
	struct store_value values[] = {store_text(environment),
				       store_text(str_from_c(purpose_names[purpose]))};
	struct store_rows rows;
	struct arena arena;

	arena_init(&arena, 65536);
	/* Some are the installation's. */
	bool ok = store_query_all(vault->options.store, &arena,
				  "SELECT environment_id, id, purpose, wrapped FROM data_key"
				  " WHERE environment_id = ?1 AND purpose = ?2 AND is_current = 1",
				  values, 2, &rows, err);
	*is_there = ok && rows.count > 0;
	if (*is_there && !read_row(vault, &rows, out))
		ok = error_set(err, ERROR_INTERNAL,
			       "the master key does not fit what the data folder holds");
	else if (*is_there)
		keep(vault, out, name, generation);
	arena_finish(&arena);
	return ok;
}

struct store_statement data_key_insert(struct vault *vault, struct arena *arena,
				       struct str environment, enum key_purpose purpose,
				       const unsigned char *bytes)
{
	struct store_value *values = arena_array(arena, 5, sizeof *values);
	unsigned char *id = arena_alloc(arena, DATA_KEY_ID_BYTES), made[ENVELOPE_KEY_BYTES];
	struct str name = str_from_c(purpose_names[purpose]);
	struct vault_binding binding = wrap_binding(environment, id_str(id), name);

	random_fill(vault->options.random, id, DATA_KEY_ID_BYTES);
	random_fill(vault->options.random, made, sizeof made);
	values[0] = store_text(environment);
	values[1] = store_blob(id_str(id));
	values[2] = store_text(name);
	values[3] = store_int(clock_unix_ms(vault->options.clock));
	values[4] = store_blob(wrap(vault, arena, &binding, bytes == NULL ? made : bytes));
	sodium_memzero(made, sizeof made);
	/* Of two who find none, one makes it. */
	return (struct store_statement){
		.sql = "INSERT INTO data_key (environment_id, id, purpose, is_current, is_closing,"
		       " created_ms, wrapped) VALUES (?1, ?2, ?3, 1, 0, ?4, ?5)"
		       " ON CONFLICT DO NOTHING",
		.parameters = values,
		.parameter_count = 5,
		.changes_expected = -1,
	};
}

static bool make(struct vault *vault, enum key_purpose purpose, struct str environment,
		 const unsigned char *bytes, struct error *err)
{
	struct arena arena;

	arena_init(&arena, 65536);
	atomic_fetch_add(&vault->wrapping, 1);
	struct store_statement statement =
		data_key_insert(vault, &arena, environment, purpose, bytes);
	bool ok = store_write_all(vault->options.store, &statement, 1, err);
	atomic_fetch_sub(&vault->wrapping, 1);
	arena_finish(&arena);
	return ok;
}

bool data_key_current(struct vault *vault, enum key_purpose purpose, struct str environment,
		      const unsigned char *bytes, struct data_key *out, struct error *err)
{
	char text[ENVIRONMENT_MAX + 1];
	struct str name = current_name(purpose, environment, text);
	bool is_there;

	if (environment.len > ENVIRONMENT_MAX)
		return error_set(err, ERROR_INTERNAL, "an environment's id is too long");
	if (copy_from(&vault->keys, &vault->keys.current, name, out))
		return true;
	if (!load_current(vault, purpose, environment, name, &is_there, out, err))
		return false;
	if (is_there)
		return true;
	if (!make(vault, purpose, environment, bytes, err) ||
	    !load_current(vault, purpose, environment, name, &is_there, out, err))
		return false;
	return is_there || error_set(err, ERROR_UNAVAILABLE, "a data key was just destroyed");
}

bool data_key_replace(struct vault *vault, struct str environment, struct error *err)
{
	struct store_value by_environment = store_text(environment);
	struct arena arena;

	arena_init(&arena, 65536);
	atomic_fetch_add(&vault->wrapping, 1);
	struct store_statement statements[] = {
		{.sql = "UPDATE data_key SET is_current = 0 WHERE environment_id = ?1"
			" AND purpose = 'sealing' AND is_current = 1",
		 .parameters = &by_environment,
		 .parameter_count = 1,
		 .changes_expected = -1},
		data_key_insert(vault, &arena, environment, KEY_SEALING, NULL),
	};
	bool ok = store_write(vault->options.store, statements, 2, err);
	atomic_fetch_sub(&vault->wrapping, 1);
	data_keys_forget_current(vault, environment);
	arena_finish(&arena);
	return ok;
}

/* --- under another master key --------------------------------------------------------------- */

/* Only if it is still wrapped as it was read. */
static struct store_statement replace_wrapped(struct arena *arena, const struct store_rows *rows,
					      size_t row, struct str wrapped)
{
	const struct store_value values[] = {
		*store_cell(rows, row, 0),
		*store_cell(rows, row, 1),
		*store_cell(rows, row, 3),
		store_blob(wrapped),
	};

	return store_keep(arena,
			  "UPDATE data_key SET wrapped = ?4 WHERE environment_id = ?1 AND id = ?2"
			  " AND wrapped = ?3",
			  values, 4, -1);
}

static bool wrap_rows(struct vault *vault, struct arena *arena, const struct store_rows *rows,
		      struct error *err)
{
	struct store_statement statements[WRAP_ROWS];

	for (size_t i = 0; i < rows->count; i++) {
		struct vault_binding binding =
			wrap_binding(store_cell(rows, i, 0)->bytes, store_cell(rows, i, 1)->bytes,
				     store_cell(rows, i, 2)->bytes);
		unsigned char bytes[ENVELOPE_KEY_BYTES];
		if (!unwrap(vault, &binding, store_cell(rows, i, 3)->bytes, bytes))
			return error_set(err, ERROR_INTERNAL,
					 "a data key does not open under any master key");
		statements[i] =
			replace_wrapped(arena, rows, i, wrap(vault, arena, &binding, bytes));
		sodium_memzero(bytes, sizeof bytes);
	}
	return store_write(vault->options.store, statements, rows->count, err);
}

static bool wrap_step(struct vault *vault, size_t *count, struct error *err)
{
	unsigned char head[WRAPPED_HEAD] = {SECOND_FORMAT, SUITE_XCHACHA20_POLY1305};
	struct store_rows rows;
	struct arena arena;

	pthread_rwlock_rdlock(&vault->master_lock);
	memcpy(head + 2, vault->keyring->keys[0].id, KEY_ID_BYTES);
	pthread_rwlock_unlock(&vault->master_lock);
	struct store_value values[] = {store_blob(str_make((char *)head, sizeof head)),
				       store_int(WRAP_ROWS)};
	arena_init(&arena, 1024 * 1024);
	bool ok = store_query(vault->options.store, &arena,
			      "SELECT environment_id, id, purpose, wrapped FROM data_key"
			      " WHERE substr(wrapped, 1, 6) <> ?1 LIMIT ?2",
			      values, 2, &rows, err);
	*count = ok ? rows.count : 0;
	if (ok && rows.count > 0)
		ok = wrap_rows(vault, &arena, &rows, err);
	arena_finish(&arena);
	return ok;
}

bool data_keys_wrap_anew(struct vault *vault, size_t *count, struct error *err)
{
	size_t some;

	*count = 0;
	do {
		if (!wrap_step(vault, &some, err))
			return false;
		*count += some;
	} while (some > 0);
	return true;
}
