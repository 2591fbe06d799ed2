#include "ats/vault/vault.h"

#include <assert.h>
#include <pthread.h>
#include <sodium.h>
#include <stdlib.h>

#include "ats/vault/parts.h"

enum { TOKEN_BYTES_MAX = 16 * 1024 };
_Static_assert(SEALED_BYTES_MIN == (int)VAULT_SEALED_OVERHEAD, "the header tells");

void secret_wipe(void *bytes, size_t len)
{
	if (len > 0)
		sodium_memzero(bytes, len);
}

void secret_finish(struct secret *secret)
{
	if (secret->bytes != NULL)
		slab_give(secret->bytes);
	*secret = (struct secret){0};
}

static void start_sodium(void)
{
	if (sodium_init() < 0)
		die("libsodium does not start");
}

struct str vault_make_key_file(struct arena *arena, const struct random *random)
{
	unsigned char id[KEY_ID_BYTES], master[32];
	char id_hex[2 * sizeof id + 1], master_hex[2 * sizeof master + 1];

	random_fill(random, id, sizeof id);
	random_fill(random, master, sizeof master);
	sodium_bin2hex(id_hex, sizeof id_hex, id, sizeof id);
	sodium_bin2hex(master_hex, sizeof master_hex, master, sizeof master);
	struct str text = arena_format(arena, "%s %s\n", id_hex, master_hex);
	sodium_memzero(master, sizeof master);
	sodium_memzero(master_hex, sizeof master_hex);
	return text;
}

static struct vault *make_vault(const struct vault_options *options, struct keyring *keyring)
{
	struct vault *vault = calloc(1, sizeof *vault);

	if (vault == NULL)
		die("out of memory for a vault");
	vault->magic = VAULT_MAGIC;
	vault->options = *options;
	vault->options.key_file = strdup(options->key_file);
	vault->keyring = keyring;
	vault->slab = slab_create();
	vault->purposes = sodium_malloc(PURPOSES_MAX * sizeof *vault->purposes);
	vault->digest_key = sodium_malloc(sizeof *vault->digest_key);
	if (vault->purposes == NULL || vault->digest_key == NULL || vault->options.key_file == NULL)
		die("out of memory for a vault");
	sodium_memzero(vault->digest_key, sizeof *vault->digest_key);
	pthread_mutex_init(&vault->lock, NULL);
	pthread_rwlock_init(&vault->master_lock, NULL);
	data_keys_init(vault);
	return vault;
}

/* The keys that everything wants. Here it is found out, too, whether the master key fits. */
static bool open_own_keys(struct vault *vault, struct error *err)
{
	const unsigned char *kept = vault->options.keeps_digests ?
					    vault->keyring->keys[0].uses[KEY_FOR_DIGESTS] :
					    NULL;
	struct data_key key;
	bool ok = data_key_current(vault, KEY_DIGESTS, STR(""), kept, vault->digest_key, err) &&
		  data_key_current(vault, KEY_TOKENS, STR(""), NULL, &key, err);

	if (ok && vault->options.audit_folder != NULL) {
		ok = data_key_current(vault, KEY_AUDIT, STR(""), NULL, &key, err);
		vault->audit = ok ? audit_open(&vault->options, key.bytes, err) : NULL;
		ok = vault->audit != NULL;
	}
	sodium_memzero(&key, sizeof key);
	return ok;
}

struct vault *vault_create(const struct vault_options *options, struct error *err)
{
	start_sodium();
	struct keyring *keyring = keyring_read(options->disk, options->key_file, err);
	if (keyring == NULL)
		return NULL;
	struct vault *vault = make_vault(options, keyring);
	if (open_own_keys(vault, err))
		return vault;
	vault_destroy(vault);
	return NULL;
}

void vault_destroy(struct vault *vault)
{
	if (vault == NULL)
		return;
	assert(vault->magic == VAULT_MAGIC);
	audit_close(vault->audit);
	sodium_free(vault->purposes);
	sodium_free(vault->digest_key);
	sodium_free(vault->keyring);
	data_keys_finish(vault);
	slab_destroy(vault->slab);
	pthread_mutex_destroy(&vault->lock);
	pthread_rwlock_destroy(&vault->master_lock);
	free((void *)(uintptr_t)vault->options.key_file);
	vault->magic = 0;
	free(vault);
}

/* --- sealing -------------------------------------------------------------------------------- */

/* Writes plain.len + VAULT_SEALED_OVERHEAD bytes. */
static bool seal(struct vault *vault, enum key_purpose purpose, struct str environment,
		 const struct vault_binding *binding, struct str plain, unsigned char *out,
		 struct error *err)
{
	struct data_key key;

	assert(vault->magic == VAULT_MAGIC);
	if (!data_key_current(vault, purpose, environment, NULL, &key, err))
		return false;
	out[0] = SECOND_FORMAT;
	out[1] = SUITE_XCHACHA20_POLY1305;
	memcpy(out + 2, key.id, DATA_KEY_ID_BYTES);
	envelope_seal(key.bytes, vault->options.random, HEAD_BYTES, binding, plain, out);
	sodium_memzero(&key, sizeof key);
	return true;
}

static bool unseal_first(struct vault *vault, enum key_use use,
			 const struct vault_binding *binding, struct str sealed, void *plain)
{
	if (sealed.len < FIRST_OVERHEAD)
		return false;
	pthread_rwlock_rdlock(&vault->master_lock);
	const unsigned char *id = (const unsigned char *)sealed.data + 2;
	const struct key *key = keyring_find(vault->keyring, id);
	bool ok = key != NULL && envelope_open_first(key->uses[use], binding, sealed, plain);
	pthread_rwlock_unlock(&vault->master_lock);
	return ok;
}

/* How long the plain text is; -1: this was never sealed. */
static int64_t plain_len(struct str sealed)
{
	if (sealed.len < FIRST_OVERHEAD || sealed.data[1] != SUITE_XCHACHA20_POLY1305)
		return -1;
	if (sealed.data[0] == FIRST_FORMAT)
		return (int64_t)sealed.len - FIRST_OVERHEAD;
	if (sealed.data[0] != SECOND_FORMAT || sealed.len < SEALED_BYTES_MIN)
		return -1;
	return (int64_t)sealed.len - SEALED_BYTES_MIN;
}

/* Into `plain`, which has room for plain_len(sealed) bytes. */
static bool unseal(struct vault *vault, enum key_purpose purpose,
		   const struct vault_binding *binding, struct str sealed, void *plain)
{
	struct data_key key;

	assert(vault->magic == VAULT_MAGIC);
	if (sealed.data[0] == FIRST_FORMAT)
		return unseal_first(vault,
				    purpose == KEY_TOKENS ? KEY_FOR_TOKENS : KEY_FOR_SEALING,
				    binding, sealed, plain);
	bool ok = data_key_find(vault, purpose, (const unsigned char *)sealed.data + 2, &key) &&
		  envelope_open(key.bytes, HEAD_BYTES, binding, sealed, plain);
	sodium_memzero(&key, sizeof key);
	return ok;
}

bool vault_seal(struct vault *vault, struct arena *arena, const struct vault_binding *binding,
		struct str plain, struct str *sealed, struct error *err)
{
	size_t len = plain.len + VAULT_SEALED_OVERHEAD;
	unsigned char *out = arena_alloc(arena, len);

	if (!seal(vault, KEY_SEALING, binding->environment, binding, plain, out, err))
		return false;
	*sealed = str_make((char *)out, len);
	return true;
}

bool vault_open_for(struct vault *vault, const char *use, const struct vault_binding *binding,
		    struct str sealed, struct secret *secret, struct error *err)
{
	struct secret opened = {0};
	int64_t len = plain_len(sealed);

	/* First the line, then the secret. */
	if (vault->audit != NULL && !audit_note(vault->audit, use, binding, err))
		return false;
	if (len >= 0) {
		opened.len = (size_t)len;
		opened.bytes = slab_take(vault->slab, opened.len + 1);
		if (unseal(vault, KEY_SEALING, binding, sealed, opened.bytes)) {
			/* For libraries that want C strings; not counted. */
			opened.bytes[opened.len] = '\0';
			*secret = opened;
			return true;
		}
	}
	secret_finish(&opened);
	return error_set(err, ERROR_INTERNAL, "a sealed secret does not open");
}

bool vault_open_sealed(struct vault *vault, const struct vault_binding *binding,
		       struct str sealed, struct secret *secret, struct error *err)
{
	return vault_open_for(vault, "use", binding, sealed, secret, err);
}

bool vault_is_first_format(struct str sealed)
{
	return sealed.len > 0 && sealed.data[0] == FIRST_FORMAT;
}

/* --- tokens --------------------------------------------------------------------------------- */

struct str vault_seal_token(struct vault *vault, struct arena *arena,
			    const struct vault_binding *binding, struct str plain)
{
	size_t len = plain.len + VAULT_SEALED_OVERHEAD;
	unsigned char *sealed = arena_alloc(arena, len);
	size_t room = sodium_base64_ENCODED_LEN(len, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
	char *text = arena_alloc(arena, room);
	struct error err;

	/* Its key has been there since the start. */
	if (!seal(vault, KEY_TOKENS, STR(""), binding, plain, sealed, &err))
		die("the key for tokens is gone");
	sodium_bin2base64(text, room, sealed, len, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
	return str_make(text, room - 1);
}

static bool open_token(struct vault *vault, struct arena *arena,
		       const struct vault_binding *binding, struct str token, struct str *plain)
{
	size_t room = token.len / 4 * 3 + 3, len;
	int64_t out_len;

	if (token.len == 0 || token.len > TOKEN_BYTES_MAX)
		return false;
	unsigned char *sealed = arena_alloc(arena, room);
	if (sodium_base642bin(sealed, room, token.data, token.len, NULL, &len, NULL,
			      sodium_base64_VARIANT_URLSAFE_NO_PADDING) != 0 ||
	    (out_len = plain_len(str_make((char *)sealed, len))) < 0)
		return false;
	char *out = arena_alloc(arena, (size_t)out_len);
	if (!unseal(vault, KEY_TOKENS, binding, str_make((char *)sealed, len), out))
		return false;
	*plain = str_make(out, (size_t)out_len);
	return true;
}

bool vault_open_token(struct vault *vault, struct arena *arena,
		      const struct vault_binding *binding, struct str token, struct str *plain,
		      struct error *err)
{
	if (open_token(vault, arena, binding, token, plain))
		return true;
	return error_set(err, ERROR_INVALID, "this is no token that was given out for this");
}

/* --- digests -------------------------------------------------------------------------------- */

static void start_purpose(const unsigned char key[ENVELOPE_KEY_BYTES], const char *name,
			  crypto_auth_hmacsha256_state *state)
{
	unsigned char derived[crypto_auth_hmacsha256_BYTES];
	crypto_auth_hmacsha256_state by_name;

	crypto_auth_hmacsha256_init(&by_name, key, ENVELOPE_KEY_BYTES);
	crypto_auth_hmacsha256_update(&by_name, (const unsigned char *)name, strlen(name));
	crypto_auth_hmacsha256_final(&by_name, derived);
	crypto_auth_hmacsha256_init(state, derived, sizeof derived);
	sodium_memzero(derived, sizeof derived);
	sodium_memzero(&by_name, sizeof by_name);
}

static const struct purpose *find_purpose(const struct vault *vault, const char *name)
{
	size_t count = vault->purpose_count;

	for (size_t i = 0; i < count; i++)
		if (strcmp(vault->purposes[i].name, name) == 0)
			return &vault->purposes[i];
	return NULL;
}

static const struct purpose *add_purpose(struct vault *vault, const char *name)
{
	pthread_mutex_lock(&vault->lock);
	const struct purpose *found = find_purpose(vault, name);
	size_t count = vault->purpose_count;
	if (found == NULL) {
		/* Purposes are literals of the program: that many are not there by accident. */
		assert(count < PURPOSES_MAX && strlen(name) <= PURPOSE_LEN_MAX);
		struct purpose *added = &vault->purposes[count];
		snprintf(added->name, sizeof added->name, "%s", name);
		start_purpose(vault->digest_key->bytes, name, &added->state);
		vault->purpose_count = count + 1;
		found = added;
	}
	pthread_mutex_unlock(&vault->lock);
	return found;
}

static void end_digest(crypto_auth_hmacsha256_state *state, struct str text, unsigned char *digest)
{
	crypto_auth_hmacsha256_update(state, (const unsigned char *)text.data, text.len);
	crypto_auth_hmacsha256_final(state, digest);
	sodium_memzero(state, sizeof *state);
}

void vault_digest(struct vault *vault, const char *purpose, struct str text,
		  unsigned char digest[VAULT_DIGEST_BYTES])
{
	const struct purpose *found = find_purpose(vault, purpose);

	assert(vault->magic == VAULT_MAGIC);
	if (found == NULL)
		found = add_purpose(vault, purpose);
	crypto_auth_hmacsha256_state state = found->state;
	end_digest(&state, text, digest);
}

bool vault_digest_old(struct vault *vault, size_t age, const char *purpose, struct str text,
		      unsigned char digest[VAULT_DIGEST_BYTES])
{
	crypto_auth_hmacsha256_state state;

	assert(vault->magic == VAULT_MAGIC && age > 0);
	pthread_rwlock_rdlock(&vault->master_lock);
	bool is_there = age < vault->keyring->count;
	if (is_there)
		start_purpose(vault->keyring->keys[age].uses[KEY_FOR_DIGESTS], purpose, &state);
	pthread_rwlock_unlock(&vault->master_lock);
	if (is_there)
		end_digest(&state, text, digest);
	return is_there;
}

/* --- the audit log -------------------------------------------------------------------------- */

static bool check_audit(const struct vault *vault, struct error *err)
{
	return vault->audit != NULL || error_set(err, ERROR_NOT_FOUND, "there is no audit log");
}

bool vault_audit_verify(struct vault *vault, int64_t from, struct vault_audit_report *out,
			struct error *err)
{
	return check_audit(vault, err) && audit_verify(vault->audit, from, out, err);
}

bool vault_note(struct vault *vault, const char *use, const struct vault_binding *binding,
		struct error *err)
{
	return vault->audit == NULL || audit_note(vault->audit, use, binding, err);
}

bool vault_audit_list(struct vault *vault, struct arena *arena, int64_t after, size_t limit,
		      struct str **lines, size_t *count, struct error *err)
{
	return check_audit(vault, err) &&
	       audit_list(vault->audit, arena, after, limit, lines, count, err);
}
