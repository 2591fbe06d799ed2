/* The master keys and what is derived from them. Private to the vault. */
#ifndef ATS_VAULT_KEYRING_H
#define ATS_VAULT_KEYRING_H

#include <sodium.h>

#include "ats/vault/vault.h"

enum { KEY_ID_BYTES = 4, KEYS_MAX = 16, KEY_FILE_BYTES_MAX = 4096 };

/* One use, one key. The first three are of the first format, and only open; now a master key wraps
 * data keys and does nothing else. */
enum key_use { KEY_FOR_SEALING, KEY_FOR_TOKENS, KEY_FOR_DIGESTS, KEY_FOR_WRAPPING, KEY_USES };

struct key {
	unsigned char id[KEY_ID_BYTES];
	unsigned char uses[KEY_USES][32];
};

struct keyring {
	size_t count;
	struct key keys[KEYS_MAX]; /* newest first */
};

/* In memory of sodium_malloc(), read-only; free with sodium_free(). */
struct keyring *keyring_read(const struct disk *disk, const char *path,
			     struct error *err) MUST_CHECK;
/* Writes the file anew: a new key, where `add`, and then the first `keep` lines of what it is
 * now. The bytes are on the disk under another name before they take the place of the old ones. */
bool keyring_write(const struct disk *disk, const char *path, bool add, size_t keep,
		   const struct random *random, struct error *err) MUST_CHECK;
/* NULL when there is none. */
const struct key *keyring_find(const struct keyring *keyring, const unsigned char *id);

#endif
