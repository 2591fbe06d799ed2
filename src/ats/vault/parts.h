/* What the files of the vault share. Private to it. */
#ifndef ATS_VAULT_PARTS_H
#define ATS_VAULT_PARTS_H

#include <pthread.h>
#include <sodium.h>

#include "ats/vault/audit.h"
#include "ats/vault/envelope.h"
#include "ats/vault/keyring.h"
#include "ats/vault/slab.h"
#include "base/map.h"

enum {
	VAULT_MAGIC = 0x7661756c,
	FIRST_FORMAT = 1,
	SECOND_FORMAT = 2,
	SUITE_XCHACHA20_POLY1305 = 1,
	DATA_KEY_ID_BYTES = 8,
	HEAD_BYTES = 2 + DATA_KEY_ID_BYTES, /* version, suite, data key id */
	SEALED_BYTES_MIN = HEAD_BYTES + ENVELOPE_OVERHEAD,
	PURPOSES_MAX = 16,
	PURPOSE_LEN_MAX = 31,
	COLUMNS_MAX = 16,
	ROWS_BYTES_MAX = 64 * 1024 * 1024, /* of one look-up */
};

/* What a data key is for: a text sealed under one cannot be opened as another. */
enum key_purpose { KEY_SEALING, KEY_TOKENS, KEY_DIGESTS, KEY_AUDIT, KEY_PURPOSES };

struct data_key {
	unsigned char id[DATA_KEY_ID_BYTES];
	unsigned char bytes[ENVELOPE_KEY_BYTES];
	enum key_purpose purpose;
	int64_t ends_ms; /* rotated out: then it may be wiped; 0: it is in use */
};

/* Those that were needed so far, in locked memory. Under the lock; who looks for one copies it. */
struct data_keys {
	pthread_rwlock_t lock;
	struct slab *slab;
	struct map by_id;
	struct map current;  /* by purpose and environment, to the same keys */
	uint64_t generation; /* moves when `current` does: what was read before is not put in */
};

/* The hash after its key block, ready to be copied: half of the cost of a short text's digest. */
struct purpose {
	char name[PURPOSE_LEN_MAX + 1];
	crypto_auth_hmacsha256_state state;
};

struct vault {
	unsigned magic;
	struct vault_options options; /* key_file: a copy */
	pthread_rwlock_t master_lock; /* over `keyring`, which a rotation exchanges */
	struct keyring *keyring;
	_Atomic int wrapping;         /* keys being wrapped and stored just now */
	_Atomic bool is_rotating;
	struct slab *slab;
	struct data_keys keys;
	struct data_key *digest_key;  /* sodium_malloc() */
	struct audit *audit;          /* NULL: nothing is noted */
	pthread_mutex_t lock;         /* for adding a purpose */
	struct purpose *purposes;     /* sodium_malloc(); filled once each, never changed */
	_Atomic size_t purpose_count;
	struct vault_column columns[COLUMNS_MAX];
	size_t column_count;
};

/* --- data keys (datakey.c) ------------------------------------------------------------------ */

void data_keys_init(struct vault *vault);
void data_keys_finish(struct vault *vault);
/* A copy of the key which seals now for a purpose of an environment; it is made when there is
 * none, of `bytes` where that is not NULL. The caller wipes it. */
bool data_key_current(struct vault *vault, enum key_purpose purpose, struct str environment,
		      const unsigned char *bytes, struct data_key *out,
		      struct error *err) MUST_CHECK;
/* The one of that id, if it is for this purpose. */
bool data_key_find(struct vault *vault, enum key_purpose purpose, const unsigned char *id,
		   struct data_key *out) MUST_CHECK;
/* A new one takes the place of the environment's key for sealing, which stays to be opened with. */
bool data_key_replace(struct vault *vault, struct str environment, struct error *err) MUST_CHECK;
/* After its row changed or went. */
void data_keys_forget_current(struct vault *vault, struct str environment);
void data_keys_forget(struct vault *vault, const struct store_rows *ids);
/* To be wiped by and by. */
void data_keys_retire(struct vault *vault, const struct store_rows *ids);
/* Wraps those anew which another than the newest master key has wrapped. */
bool data_keys_wrap_anew(struct vault *vault, size_t *count, struct error *err) MUST_CHECK;
struct store_statement data_key_insert(struct vault *vault, struct arena *arena,
				       struct str environment, enum key_purpose purpose,
				       const unsigned char *bytes);
const char *key_purpose_name(enum key_purpose purpose);

/* --- opening (vault.c) ---------------------------------------------------------------------- */

/* As vault_open_sealed(), with what it is done for. */
bool vault_open_for(struct vault *vault, const char *use, const struct vault_binding *binding,
		    struct str sealed, struct secret *secret, struct error *err) MUST_CHECK;

#endif
