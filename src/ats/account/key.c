#include <assert.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "ats/account/accounts.h"

enum { HINT_LEN = 12, TOUCH_MS = 60000 };

static const char purpose[] = "api_key", prefix[] = "tenon_";

#define KEY_COLUMNS \
	"id, environment_id, name, hint, scopes, created_ms, expires_ms, used_ms, revoked_ms"

/* The texts stand behind it, in the same allocation. */
struct cached_key {
	struct api_key key;
	_Atomic int64_t used_ms;
	char bytes[];
};

static struct api_key read_key(const struct store_rows *rows, size_t row)
{
	return (struct api_key){
		.id = store_cell(rows, row, 0)->bytes,
		.environment_id = store_cell(rows, row, 1)->bytes,
		.name = store_cell(rows, row, 2)->bytes,
		.hint = store_cell(rows, row, 3)->bytes,
		.scopes = (unsigned)store_cell(rows, row, 4)->integer,
		.created_ms = store_cell(rows, row, 5)->integer,
		.expires_ms = store_cell(rows, row, 6)->integer,
		.used_ms = store_cell(rows, row, 7)->integer,
		.revoked_ms = store_cell(rows, row, 8)->integer,
	};
}

/* --- making, listing, revoking -------------------------------------------------------------- */

static bool check_new(struct accounts *accounts, struct str environment_id, struct str name,
		      unsigned scopes, int64_t expires_ms, struct error *err)
{
	if (!input_check_text(name, NAME_BYTES_MAX, "name", err))
		return false;
	if (scopes == 0 || (scopes & ~(unsigned)(KEY_SCOPE_CALL | KEY_SCOPE_ADMIN)) != 0)
		return error_set_field(err, ERROR_INVALID, "scopes", "call, admin",
				       "an API key needs a scope");
	if (expires_ms != 0 && expires_ms <= clock_unix_ms(accounts->clock))
		return error_set_field(err, ERROR_INVALID, "expires", "a time to come, or none",
				       "the key would have expired already");
	return environment_check(accounts, environment_id, err);
}

static bool insert(struct accounts *accounts, const struct api_key *key, struct str text,
		   struct error *err)
{
	unsigned char digest[VAULT_DIGEST_BYTES];

	vault_digest(accounts->vault, purpose, text, digest);
	struct store_value values[] = {
		store_text(key->environment_id),
		store_text(key->id),
		store_blob(str_make((char *)digest, sizeof digest)),
		store_text(key->name),
		store_text(key->hint),
		store_int(key->scopes),
		store_int(key->created_ms),
		store_int(key->expires_ms),
		store_int(KEYS_MAX),
	};
	struct store_statement statement = {
		.sql = "INSERT INTO api_key (environment_id, id, digest, name, hint, scopes, created_ms,"
		       " expires_ms, used_ms, revoked_ms) SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, 0, 0"
		       " WHERE (SELECT count(*) FROM api_key WHERE environment_id = ?1"
		       " AND revoked_ms = 0) < ?9",
		.parameters = values,
		.parameter_count = 9,
		.changes_expected = 1,
	};
	if (store_write(accounts->store, &statement, 1, err))
		return true;
	if (err->code != ERROR_CONFLICT)
		return false;
	return error_set_field(err, ERROR_LIMIT, "environment", "at most 1000 valid keys",
			       "the environment has too many API keys");
}

bool api_key_create(struct accounts *accounts, struct arena *arena, struct str environment_id,
		    struct str name, unsigned scopes, int64_t expires_ms, struct str *text,
		    struct api_key *out, struct error *err)
{
	assert(accounts->magic == ACCOUNTS_MAGIC);
	if (!check_new(accounts, environment_id, name, scopes, expires_ms, err))
		return false;
	*text = token_text_make(accounts->random, arena, prefix);
	*out = (struct api_key){
		.id = id_make(accounts, arena, "key_"),
		.environment_id = arena_str(arena, environment_id),
		.name = arena_str(arena, name),
		.hint = arena_str(arena, str_slice(*text, 0, HINT_LEN)),
		.scopes = scopes,
		.created_ms = clock_unix_ms(accounts->clock),
		.expires_ms = expires_ms,
	};
	return insert(accounts, out, *text, err);
}

bool api_key_list(struct accounts *accounts, struct arena *arena, struct str environment_id,
		  struct api_key **list, size_t *count, struct error *err)
{
	struct store_value environment = store_text(environment_id);
	struct store_rows rows;

	if (!store_query(accounts->store, arena,
			 "SELECT " KEY_COLUMNS " FROM api_key WHERE environment_id = ?1 ORDER BY id",
			 &environment, 1, &rows, err))
		return false;
	*list = arena_array(arena, rows.count, sizeof **list);
	for (size_t i = 0; i < rows.count; i++)
		(*list)[i] = read_key(&rows, i);
	*count = rows.count;
	return true;
}

bool api_key_revoke(struct accounts *accounts, struct str environment_id, struct str id,
		    struct error *err)
{
	struct store_value values[] = {
		store_text(environment_id),
		store_text(id),
		store_int(clock_unix_ms(accounts->clock)),
	};
	/* Revoking it again keeps the first time. */
	struct store_statement statement = {
		.sql = "UPDATE api_key SET revoked_ms = iif(revoked_ms = 0, ?3, revoked_ms)"
		       " WHERE environment_id = ?1 AND id = ?2",
		.parameters = values,
		.parameter_count = 3,
		.changes_expected = 1,
	};

	bool ok = store_write(accounts->store, &statement, 1, err);
	/* Rare enough that nothing more precise is worth it; also after a failure, which may have
	 * come too late. */
	cache_clear(&accounts->keys);
	if (!ok && err->code == ERROR_CONFLICT)
		return error_set_field(err, ERROR_NOT_FOUND, "id", NULL,
				       "the environment has no such API key");
	return ok;
}

/* --- who calls? ----------------------------------------------------------------------------- */

static bool refuse(struct error *err)
{
	return error_set(err, ERROR_UNAUTHORIZED,
			 "the API key is missing or not valid: unknown, mistyped, revoked or expired");
}

static bool is_valid(const struct api_key *key, int64_t now_ms)
{
	return key->revoked_ms == 0 && (key->expires_ms == 0 || now_ms < key->expires_ms);
}

/* Nobody waits for it and nothing hangs on it: it may be lost. */
static void note_use(struct accounts *accounts, const struct api_key *key, int64_t now_ms)
{
	struct error err;
	struct store_value values[] = {
		store_text(key->environment_id),
		store_text(key->id),
		store_int(now_ms),
		store_int(now_ms - TOUCH_MS),
	};
	struct store_statement statement = {
		.sql = "UPDATE api_key SET used_ms = ?3 WHERE environment_id = ?1 AND id = ?2"
		       " AND used_ms <= ?4",
		.parameters = values,
		.parameter_count = 4,
		.changes_expected = -1,
	};

	if (!store_write_later(accounts->store, &statement, &err))
		return;
}

/* A key that was stored before the master key was changed: from now on it is found under the new
 * one, so that the old master key can go when all keys have been used. */
static void renew_digest(struct accounts *accounts, const struct api_key *key, struct str digest)
{
	struct error err;
	struct store_value values[] = {
		store_text(key->environment_id),
		store_text(key->id),
		store_blob(digest),
	};
	struct store_statement statement = {
		.sql = "UPDATE api_key SET digest = ?3 WHERE environment_id = ?1 AND id = ?2",
		.parameters = values,
		.parameter_count = 3,
		.changes_expected = -1,
	};

	if (!store_write_later(accounts->store, &statement, &err))
		return;
}

static bool query_by_digest(struct accounts *accounts, struct arena *arena, struct str digest,
			    struct store_rows *rows, struct error *err)
{
	struct store_value by_digest = store_blob(digest);

	return store_query(accounts->store, arena,
			   "SELECT " KEY_COLUMNS " FROM api_key WHERE digest = ?1", &by_digest, 1, rows,
			   err);
}

static char *put_text(char *at, struct str *s)
{
	if (s->len > 0)
		memcpy(at, s->data, s->len);
	s->data = at;
	return at + s->len;
}

static void put_in_cache(struct accounts *accounts, struct str digest, const struct api_key *key,
			 uint64_t generation)
{
	struct cached_key *cached = malloc(sizeof *cached + key->id.len + key->environment_id.len +
					   key->name.len + key->hint.len);

	if (cached == NULL)
		die("out of memory for an API key");
	cached->key = *key;
	cached->used_ms = key->used_ms;
	char *at = put_text(cached->bytes, &cached->key.id);
	at = put_text(at, &cached->key.environment_id);
	at = put_text(at, &cached->key.name);
	put_text(at, &cached->key.hint);
	cache_put(&accounts->keys, digest, cached, generation);
}

/* From the store, by the digest under the newest master key, else under older ones. Unknown keys
 * are not remembered: a flood of them costs a look-up each, and no memory. */
static bool load(struct accounts *accounts, struct arena *arena, struct str text,
		 struct str digest, struct api_key *out, struct error *err)
{
	unsigned char old[VAULT_DIGEST_BYTES];
	uint64_t generation = accounts->keys.generation;
	int64_t now_ms = clock_unix_ms(accounts->clock);
	struct store_rows rows;
	size_t age = 0;

	if (!query_by_digest(accounts, arena, digest, &rows, err))
		return false;
	while (rows.count == 0) {
		if (!vault_digest_old(accounts->vault, ++age, purpose, text, old))
			return refuse(err);
		struct str by_old = str_make((char *)old, sizeof old);
		if (!query_by_digest(accounts, arena, by_old, &rows, err))
			return false;
	}
	*out = read_key(&rows, 0);
	if (age > 0)
		renew_digest(accounts, out, digest);
	if (is_valid(out, now_ms) && now_ms - out->used_ms >= TOUCH_MS) {
		out->used_ms = now_ms;
		note_use(accounts, out, now_ms);
	}
	put_in_cache(accounts, digest, out, generation);
	return true;
}

/* The digest is compared by a plain memcmp(): who guesses digests byte by byte would have to make
 * texts for them, without the key under which they are made. */
static bool find_cached(struct accounts *accounts, struct arena *arena, struct str digest,
			struct api_key *out)
{
	struct cached_key *cached =
		store_is_current(accounts->store) ? cache_lock(&accounts->keys, digest) : NULL;
	int64_t now_ms = clock_unix_ms(accounts->clock);

	if (cached == NULL)
		return false;
	int64_t used_ms = cached->used_ms;
	*out = cached->key;
	out->id = arena_str(arena, out->id);
	out->environment_id = arena_str(arena, out->environment_id);
	out->name = arena_str(arena, out->name);
	out->hint = arena_str(arena, out->hint);
	/* Of several threads that see it due, one writes. */
	bool is_due = is_valid(out, now_ms) && now_ms - used_ms >= TOUCH_MS &&
		      atomic_compare_exchange_strong(&cached->used_ms, &used_ms, now_ms);
	out->used_ms = is_due ? now_ms : used_ms;
	cache_unlock(&accounts->keys);
	if (is_due)
		note_use(accounts, out, now_ms);
	return true;
}

bool api_key_authorise(struct accounts *accounts, struct arena *arena, struct str text,
		       struct api_key *out, struct error *err)
{
	unsigned char bytes[VAULT_DIGEST_BYTES];
	struct str digest = str_make((char *)bytes, sizeof bytes);

	assert(accounts->magic == ACCOUNTS_MAGIC);
	if (!token_text_check(text, prefix))
		return refuse(err);
	vault_digest(accounts->vault, purpose, text, bytes);
	if (!find_cached(accounts, arena, digest, out) &&
	    !load(accounts, arena, text, digest, out, err))
		return false;
	return is_valid(out, clock_unix_ms(accounts->clock)) || refuse(err);
}
