/* The master keys and what is derived from them. Private to the vault. */
#ifndef ATS_VAULT_KEYRING_H
#define ATS_VAULT_KEYRING_H

#include <sodium.h>

#include "ats/vault/vault.h"

enum { KEY_ID_BYTES = 4, KEYS_MAX = 16, KEY_FILE_BYTES_MAX = 4096 };

/* One use, one key: a text sealed for one use cannot be opened as another. */
enum key_use { KEY_FOR_SEALING, KEY_FOR_TOKENS, KEY_FOR_DIGESTS, KEY_USES };

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
/* NULL when there is none. */
const struct key *keyring_find(const struct keyring *keyring, const unsigned char *id);

#endif
