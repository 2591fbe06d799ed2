#include "ats/vault/envelope.h"

#include <assert.h>
#include <stdlib.h>

enum { BINDING_ON_STACK = 512, DERIVED_BYTES = ENVELOPE_KEY_BYTES + ENVELOPE_COMMITMENT_BYTES };

/* The associated data. On the stack unless it is unusually long. */
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

/* No two bindings give the same bytes. */
static void bound_init(struct bound *bound, const unsigned char *head, size_t head_len,
		       const struct vault_binding *binding)
{
	size_t size = head_len + 3 * 4 + 8 + binding->environment.len + binding->subject.len +
		      binding->field.len;

	assert(size < UINT32_MAX);
	bound->bytes = size <= BINDING_ON_STACK ? bound->short_bytes : malloc(size);
	if (bound->bytes == NULL)
		die("out of memory for a binding");
	memcpy(bound->bytes, head, head_len);
	bound->len = head_len;
	append_part(bound, binding->environment);
	append_part(bound, binding->subject);
	append_part(bound, binding->field);
}

static void append_version(struct bound *bound, int64_t version)
{
	for (int shift = 0; shift < 64; shift += 8)
		bound->bytes[bound->len++] = (unsigned char)((uint64_t)version >> shift);
}

static void bound_finish(struct bound *bound)
{
	if (bound->bytes != bound->short_bytes)
		free(bound->bytes);
}

/* The personal text is sixteen bytes and may never change. */
static void derive(const unsigned char *key, const unsigned char *nonce,
		   unsigned char derived[DERIVED_BYTES])
{
	static const unsigned char personal[crypto_generichash_blake2b_PERSONALBYTES + 1] =
		"tenon-envelope-2";

	crypto_generichash_blake2b_salt_personal(derived, DERIVED_BYTES, nonce,
						 ENVELOPE_NONCE_BYTES, key, ENVELOPE_KEY_BYTES,
						 NULL, personal);
}

void envelope_seal(const unsigned char key[ENVELOPE_KEY_BYTES], const struct random *random,
		   size_t head_len, const struct vault_binding *binding, struct str plain,
		   unsigned char *out)
{
	unsigned char derived[DERIVED_BYTES], *nonce = out + head_len;
	unsigned char *commitment = nonce + ENVELOPE_NONCE_BYTES;
	struct bound bound;

	random_fill(random, nonce, ENVELOPE_NONCE_BYTES);
	derive(key, nonce, derived);
	memcpy(commitment, derived + ENVELOPE_KEY_BYTES, ENVELOPE_COMMITMENT_BYTES);
	bound_init(&bound, out, head_len, binding);
	append_version(&bound, binding->version);
	crypto_aead_xchacha20poly1305_ietf_encrypt(
		commitment + ENVELOPE_COMMITMENT_BYTES, NULL, (const unsigned char *)plain.data,
		plain.len, bound.bytes, bound.len, NULL, nonce, derived);
	bound_finish(&bound);
	sodium_memzero(derived, sizeof derived);
}

bool envelope_open(const unsigned char key[ENVELOPE_KEY_BYTES], size_t head_len,
		   const struct vault_binding *binding, struct str sealed, void *plain)
{
	const unsigned char *bytes = (const unsigned char *)sealed.data;
	const unsigned char *nonce = bytes + head_len;
	const unsigned char *commitment = nonce + ENVELOPE_NONCE_BYTES;
	const unsigned char *text = commitment + ENVELOPE_COMMITMENT_BYTES;
	unsigned char derived[DERIVED_BYTES];
	struct bound bound;

	if (sealed.len < head_len + ENVELOPE_OVERHEAD)
		return false;
	derive(key, nonce, derived);
	bool ok = sodium_memcmp(commitment, derived + ENVELOPE_KEY_BYTES,
				ENVELOPE_COMMITMENT_BYTES) == 0;
	if (ok) {
		bound_init(&bound, bytes, head_len, binding);
		append_version(&bound, binding->version);
		ok = crypto_aead_xchacha20poly1305_ietf_decrypt(
			     plain, NULL, NULL, text, (size_t)(bytes + sealed.len - text),
			     bound.bytes, bound.len, nonce, derived) == 0;
		bound_finish(&bound);
	}
	sodium_memzero(derived, sizeof derived);
	return ok;
}

bool envelope_open_first(const unsigned char key[ENVELOPE_KEY_BYTES],
			 const struct vault_binding *binding, struct str sealed, void *plain)
{
	const unsigned char *bytes = (const unsigned char *)sealed.data;
	const unsigned char *nonce = bytes + FIRST_HEAD_BYTES;
	struct bound bound;

	if (sealed.len < FIRST_OVERHEAD || binding->version != 0)
		return false;
	bound_init(&bound, bytes, FIRST_HEAD_BYTES, binding);
	int result = crypto_aead_xchacha20poly1305_ietf_decrypt(
		plain, NULL, NULL, nonce + ENVELOPE_NONCE_BYTES,
		sealed.len - FIRST_HEAD_BYTES - ENVELOPE_NONCE_BYTES, bound.bytes, bound.len, nonce,
		key);
	bound_finish(&bound);
	return result == 0;
}
