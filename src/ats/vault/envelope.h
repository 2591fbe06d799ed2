/* Texts sealed under a given key: what is written into bytes, and nothing of where keys come from.
 * Private to the vault.
 *
 * A sealed text: head | nonce (24) | commitment (32) | ciphertext and tag (16). The head is the
 * caller's. From the key and the nonce BLAKE2b makes the key of XChaCha20-Poly1305 and the
 * commitment, which is compared first: no text opens under two keys. Authenticated with it are the
 * head, environment, subject and field, each with its length before it, and the version. */
#ifndef ATS_VAULT_ENVELOPE_H
#define ATS_VAULT_ENVELOPE_H

#include <sodium.h>

#include "ats/vault/vault.h"

enum {
	ENVELOPE_KEY_BYTES = 32,
	ENVELOPE_NONCE_BYTES = crypto_aead_xchacha20poly1305_ietf_NPUBBYTES,
	ENVELOPE_COMMITMENT_BYTES = 32,
	ENVELOPE_TAG_BYTES = crypto_aead_xchacha20poly1305_ietf_ABYTES,
	ENVELOPE_OVERHEAD = ENVELOPE_NONCE_BYTES + ENVELOPE_COMMITMENT_BYTES + ENVELOPE_TAG_BYTES,
	/* The first format: version, suite, master key id (4), nonce, ciphertext and tag. */
	FIRST_HEAD_BYTES = 6,
	FIRST_OVERHEAD = FIRST_HEAD_BYTES + ENVELOPE_NONCE_BYTES + ENVELOPE_TAG_BYTES,
};

/* `out` begins with the head already; then so many bytes follow: plain.len + ENVELOPE_OVERHEAD. */
void envelope_seal(const unsigned char key[ENVELOPE_KEY_BYTES], const struct random *random,
		   size_t head_len, const struct vault_binding *binding, struct str plain,
		   unsigned char *out);
/* Into `plain`, which has room for sealed.len - head_len - ENVELOPE_OVERHEAD bytes. */
bool envelope_open(const unsigned char key[ENVELOPE_KEY_BYTES], size_t head_len,
		   const struct vault_binding *binding, struct str sealed, void *plain) MUST_CHECK;
/* A text of the first format, which knew neither versions nor commitments; `plain` has room for
 * sealed.len - FIRST_OVERHEAD bytes. */
bool envelope_open_first(const unsigned char key[ENVELOPE_KEY_BYTES],
			 const struct vault_binding *binding, struct str sealed,
			 void *plain) MUST_CHECK;

#endif
