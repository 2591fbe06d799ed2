#include "ats/vault/vault.h"

#include <assert.h>
#include <pthread.h>
#include <sodium.h>
#include <stdlib.h>

#include "ats/vault/keyring.h"
#include "ats/vault/slab.h"

enum {
	MAGIC = 0x7661756c,
	VERSION = 1,
	SUITE_XCHACHA20_POLY1305 = 1,
	NONCE_BYTES = crypto_aead_xchacha20poly1305_ietf_NPUBBYTES,
	TAG_BYTES = crypto_aead_xchacha20poly1305_ietf_ABYTES,
	HEAD_BYTES = 2 + KEY_ID_BYTES, /* version, suite, key id */
	SEALED_BYTES_MIN = HEAD_BYTES + NONCE_BYTES + TAG_BYTES,
	TOKEN_BYTES_MAX = 16 * 1024,
	BINDING_ON_STACK = 512,
	PURPOSES_MAX = 8,
	PURPOSE_LEN_MAX = 31,
};
_Static_assert(SEALED_BYTES_MIN == (int)VAULT_SEALED_OVERHEAD, "the header tells");

/* The hash after its key block, ready to be copied: half of the cost of a short text's digest. */
struct purpose {
	char name[PURPOSE_LEN_MAX + 1];
	crypto_auth_hmacsha256_state state;
};

struct vault {
	unsigned magic;
	const struct random *random;
	struct keyring *keyring;
	struct slab *slab;
	pthread_mutex_t lock; /* for adding a purpose */
	struct purpose *purposes; /* sodium_malloc(); filled once each, never changed */
	_Atomic size_t purpose_count;
};

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

struct vault *vault_create(const struct disk *disk, const char *key_file,
			   const struct random *random, struct error *err)
{
	start_sodium();
	struct keyring *keyring = keyring_read(disk, key_file, err);
	if (keyring == NULL)
		return NULL;
	struct vault *vault = calloc(1, sizeof *vault);
	struct purpose *purposes = sodium_malloc(PURPOSES_MAX * sizeof *purposes);
	if (vault == NULL || purposes == NULL)
		die("out of memory for a vault");
	vault->magic = MAGIC;
	vault->random = random;
	vault->keyring = keyring;
	vault->slab = slab_create();
	vault->purposes = purposes;
	pthread_mutex_init(&vault->lock, NULL);
	return vault;
}

void vault_destroy(struct vault *vault)
{
	if (vault == NULL)
		return;
	assert(vault->magic == MAGIC);
	sodium_free(vault->purposes);
	sodium_free(vault->keyring);
	slab_destroy(vault->slab);
	pthread_mutex_destroy(&vault->lock);
	vault->magic = 0;
	free(vault);
}

/* --- sealing -------------------------------------------------------------------------------- */

/* The associated data: head, then environment, subject and field, each after its length, so that
 * no two bindings give the same bytes. On the stack unless it is unusually long. */
struct bound {
	unsigned char short_bytes[BINDING_ON_STACK];
	unsigned char *bytes;
	size_t len;
};

static void append_part(struct bound *bound, struct str part)
{
	for (int shift = 0; shift < 32; shift += 8)
		bound->bytes[bound->len++] = (unsigned char)(part.len >> shift);
	if (part.len > 0)
		memcpy(bound->bytes + bound->len, part.data, part.len);
	bound->len += part.len;
}

static void bound_init(struct bound *bound, const unsigned char *head,
		       const struct vault_binding *binding)
{
	size_t size = HEAD_BYTES + 3 * 4 + 8 + binding->environment.len + binding->subject.len +
		      binding->field.len;

	assert(size < UINT32_MAX);
	bound->bytes = size <= BINDING_ON_STACK ? bound->short_bytes : malloc(size);
	if (bound->bytes == NULL)
		die("out of memory for a binding");
	memcpy(bound->bytes, head, HEAD_BYTES);
	bound->len = HEAD_BYTES;
	append_part(bound, binding->environment);
	append_part(bound, binding->subject);
	append_part(bound, binding->field);
	for (int shift = 0; binding->version != 0 && shift < 64; shift += 8)
		bound->bytes[bound->len++] = (unsigned char)(binding->version >> shift);
}

static void bound_finish(struct bound *bound)
{
	if (bound->bytes != bound->short_bytes)
		free(bound->bytes);
}

/* Writes plain.len + VAULT_SEALED_OVERHEAD bytes. */
static void seal(struct vault *vault, enum key_use use, const struct vault_binding *binding,
		 struct str plain, unsigned char *out)
{
	const struct key *key = &vault->keyring->keys[0];
	unsigned char *nonce = out + HEAD_BYTES;
	unsigned long long len;
	struct bound bound;

	assert(vault->magic == MAGIC);
	out[0] = VERSION;
	out[1] = SUITE_XCHACHA20_POLY1305;
	memcpy(out + 2, key->id, KEY_ID_BYTES);
	random_fill(vault->random, nonce, NONCE_BYTES);
	bound_init(&bound, out, binding);
	crypto_aead_xchacha20poly1305_ietf_encrypt(
		nonce + NONCE_BYTES, &len, (const unsigned char *)plain.data, plain.len,
		bound.bytes, bound.len, NULL, nonce, key->uses[use]);
	assert(len == plain.len + TAG_BYTES);
	bound_finish(&bound);
}

/* Into `plain`, which has room for sealed.len - VAULT_SEALED_OVERHEAD bytes. */
static bool unseal(struct vault *vault, enum key_use use, const struct vault_binding *binding,
		   struct str sealed, void *plain)
{
	const unsigned char *bytes = (const unsigned char *)sealed.data;
	const unsigned char *nonce = bytes + HEAD_BYTES;
	const struct key *key;
	struct bound bound;

	assert(vault->magic == MAGIC);
	if (sealed.len < SEALED_BYTES_MIN || bytes[0] != VERSION ||
	    bytes[1] != SUITE_XCHACHA20_POLY1305)
		return false;
	key = keyring_find(vault->keyring, bytes + 2);
	if (key == NULL)
		return false;
	bound_init(&bound, bytes, binding);
	int result = crypto_aead_xchacha20poly1305_ietf_decrypt(
		plain, NULL, NULL, nonce + NONCE_BYTES, sealed.len - HEAD_BYTES - NONCE_BYTES,
		bound.bytes, bound.len, nonce, key->uses[use]);
	bound_finish(&bound);
	return result == 0;
}

bool vault_seal(struct vault *vault, struct arena *arena, const struct vault_binding *binding,
		struct str plain, struct str *sealed, struct error *err)
{
	size_t len = plain.len + VAULT_SEALED_OVERHEAD;
	unsigned char *out = arena_alloc(arena, len);

	(void)err;
	seal(vault, KEY_FOR_SEALING, binding, plain, out);
	*sealed = str_make((char *)out, len);
	return true;
}

bool vault_open_sealed(struct vault *vault, const struct vault_binding *binding,
		       struct str sealed, struct secret *secret, struct error *err)
{
	struct secret opened = {0};

	if (sealed.len >= SEALED_BYTES_MIN) {
		opened.len = sealed.len - SEALED_BYTES_MIN;
		opened.bytes = slab_take(vault->slab, opened.len + 1);
		if (unseal(vault, KEY_FOR_SEALING, binding, sealed, opened.bytes)) {
			/* For libraries that want C strings; not counted. */
			opened.bytes[opened.len] = '\0';
			*secret = opened;
			return true;
		}
	}
	secret_finish(&opened);
	return error_set(err, ERROR_INTERNAL, "a sealed secret does not open");
}

bool vault_is_first_format(struct str sealed)
{
	return sealed.len > 0 && sealed.data[0] == VERSION;
}

bool vault_is_current(const struct vault *vault, struct str sealed)
{
	return sealed.len >= SEALED_BYTES_MIN &&
	       memcmp(sealed.data + 2, vault->keyring->keys[0].id, KEY_ID_BYTES) == 0;
}

/* --- tokens --------------------------------------------------------------------------------- */

struct str vault_seal_token(struct vault *vault, struct arena *arena,
			    const struct vault_binding *binding, struct str plain)
{
	size_t len = plain.len + VAULT_SEALED_OVERHEAD;
	unsigned char *sealed = arena_alloc(arena, len);
	size_t room = sodium_base64_ENCODED_LEN(len, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
	char *text = arena_alloc(arena, room);

	seal(vault, KEY_FOR_TOKENS, binding, plain, sealed);
	sodium_bin2base64(text, room, sealed, len, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
	return str_make(text, room - 1);
}

static bool open_token(struct vault *vault, struct arena *arena,
		       const struct vault_binding *binding, struct str token, struct str *plain)
{
	size_t room = token.len / 4 * 3 + 3, len;

	if (token.len == 0 || token.len > TOKEN_BYTES_MAX)
		return false;
	unsigned char *sealed = arena_alloc(arena, room);
	if (sodium_base642bin(sealed, room, token.data, token.len, NULL, &len, NULL,
			      sodium_base64_VARIANT_URLSAFE_NO_PADDING) != 0 ||
	    len < SEALED_BYTES_MIN)
		return false;
	char *out = arena_alloc(arena, len - SEALED_BYTES_MIN);
	if (!unseal(vault, KEY_FOR_TOKENS, binding, str_make((char *)sealed, len), out))
		return false;
	*plain = str_make(out, len - SEALED_BYTES_MIN);
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

static void start_purpose(const struct key *key, const char *name,
			  crypto_auth_hmacsha256_state *state)
{
	unsigned char derived[crypto_auth_hmacsha256_BYTES];
	crypto_auth_hmacsha256_state by_name;

	crypto_auth_hmacsha256_init(&by_name, key->uses[KEY_FOR_DIGESTS],
				    sizeof key->uses[KEY_FOR_DIGESTS]);
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
		start_purpose(&vault->keyring->keys[0], name, &added->state);
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

	assert(vault->magic == MAGIC);
	if (found == NULL)
		found = add_purpose(vault, purpose);
	crypto_auth_hmacsha256_state state = found->state;
	end_digest(&state, text, digest);
}

bool vault_digest_old(struct vault *vault, size_t age, const char *purpose, struct str text,
		      unsigned char digest[VAULT_DIGEST_BYTES])
{
	crypto_auth_hmacsha256_state state;

	assert(vault->magic == MAGIC && age > 0);
	if (age >= vault->keyring->count)
		return false;
	start_purpose(&vault->keyring->keys[age], purpose, &state);
	end_digest(&state, text, digest);
	return true;
}
