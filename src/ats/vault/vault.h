/* Secrets: sealing, opening, keyed hashes. Everything sealed is bound to where it belongs, so a
 * ciphertext moved to another environment, account or field does not open there.
 *
 * A sealed text: version (1 byte, = 1) | suite (1, = 1: XChaCha20-Poly1305) | key id (4) |
 * nonce (24) | ciphertext and tag. The associated data is the head, environment, subject and
 * field, each with its length before it. Keys for the uses are derived from the master key. */
#ifndef ATS_VAULT_VAULT_H
#define ATS_VAULT_VAULT_H

#include "base/disk.h"
#include "base/random.h"

struct vault;

/* Where a secret belongs. `subject` is an account's id or what else owns it. */
struct vault_binding {
	struct str environment;
	struct str subject;
	struct str field;
	int64_t version; /* of what is kept there, counted up at each change; 0: there is none */
};

/* An opened secret in locked memory which is left out of core dumps and wiped at the end. A NUL
 * that is not counted stands behind it. Finish it before its vault is destroyed. */
struct secret {
	char *bytes;
	size_t len;
};
/* Wipes and frees; an empty one is accepted. */
void secret_finish(struct secret *secret);
static inline struct str secret_str(const struct secret *secret)
{
	return str_make(secret->bytes, secret->len);
}
/* Overwrites in a way that the compiler does not leave out. */
void secret_wipe(void *bytes, size_t len);

/* Text of a master key file: one line per key, "ID HEX" (ID: 8 hex digits, HEX: 64), newest
 * first; the first seals, all open; at most 16. The caller wipes it when it is written. */
struct str vault_make_key_file(struct arena *arena, const struct random *random);
/* Reads such a file. ERROR_INVALID with the line when it is none; ERROR_FORBIDDEN when group or
 * others may read it (path given as for disk). The file's bytes are wiped. */
struct vault *vault_create(const struct disk *disk, const char *key_file,
			   const struct random *random, struct error *err) MUST_CHECK;
/* Wipes the keys. NULL is accepted. */
void vault_destroy(struct vault *vault);

/* A sealed text is so many bytes longer than the plain one. */
enum { VAULT_SEALED_OVERHEAD = 2 + 4 + 24 + 16 };
/* The sealed bytes, in the arena. Any thread. An environment's first sealing stores a key for it
 * and waits for that; it fails as store_write() does. */
bool vault_seal(struct vault *vault, struct arena *arena, const struct vault_binding *binding,
		struct str plain, struct str *sealed, struct error *err) MUST_CHECK;
/* On success the caller must secret_finish(*secret). ERROR_INTERNAL when it was altered, belongs
 * elsewhere, or its key is not known; the message does not tell which. */
bool vault_open_sealed(struct vault *vault, const struct vault_binding *binding,
		       struct str sealed, struct secret *secret, struct error *err) MUST_CHECK;

/* Sealed by a program that had no data keys yet. */
bool vault_is_first_format(struct str sealed) MUST_CHECK;
/* Whether it was sealed under the newest key: what was not is to be sealed again. */
bool vault_is_current(const struct vault *vault, struct str sealed) MUST_CHECK;

/* HMAC-SHA-256 under a key derived from the newest master key for `purpose` (a literal such as
 * "api_key", at most 31 bytes; at most 8 purposes in the program): 32 bytes. */
enum { VAULT_DIGEST_BYTES = 32 };
void vault_digest(struct vault *vault, const char *purpose, struct str text,
		  unsigned char digest[VAULT_DIGEST_BYTES]);
/* The same under an older master key (age 1: the one before the newest, and so on), to find what
 * was stored before a rotation. False when there is none so old. */
bool vault_digest_old(struct vault *vault, size_t age, const char *purpose, struct str text,
		      unsigned char digest[VAULT_DIGEST_BYTES]) MUST_CHECK;

/* Opaque, unforgeable tokens (cursors): base64url of a sealed text. */
struct str vault_seal_token(struct vault *vault, struct arena *arena,
			    const struct vault_binding *binding, struct str plain);
/* ERROR_INVALID when it is none of ours or not for this binding. The text is in the arena. */
bool vault_open_token(struct vault *vault, struct arena *arena,
		      const struct vault_binding *binding, struct str token, struct str *plain,
		      struct error *err) MUST_CHECK;

#endif
