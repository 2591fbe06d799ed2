/* Secrets: sealing, opening, keyed hashes. Everything sealed is bound to where it belongs, so a
 * ciphertext moved to another environment, account, field or version does not open there.
 *
 * Each environment has a data key of its own, under which its texts are sealed; the installation
 * has some more for tokens, digests and the audit log. They stand in the store (this room owns the
 * tables data_key and audit_head), wrapped by the newest master key of the key file.
 *
 * A sealed text: version (1 byte, = 2) | suite (1, = 1: XChaCha20-Poly1305) | data key id (8) |
 * nonce (24) | key commitment (32) | ciphertext and tag (16). Texts of the first version, sealed
 * under keys derived from a master key, still open. docs/vault.md tells more. */
#ifndef ATS_VAULT_VAULT_H
#define ATS_VAULT_VAULT_H

#include "base/clock.h"
#include "base/disk.h"
#include "base/random.h"
#include "io/store/store.h"

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

struct vault_options {
	const struct disk *disk;
	const char *key_file;     /* path as given for the disk */
	bool owns_key_file;       /* a rotation may write it */
	bool keeps_digests;       /* the store has digests from before there were data keys */
	const char *audit_folder; /* made when missing; NULL: nothing is noted */
	struct str folder;        /* by which the audit log's head is known in the store */
	struct store *store;      /* with the tables of db/ */
	const struct clock *clock;
	const struct random *random;
	/* How long a data key that was rotated out stays in memory, for who has just read a text
	 * under it: longer than a call. */
	int64_t key_grace_ms;
};

/* ERROR_INVALID with the line when the key file is none; ERROR_FORBIDDEN when group or others may
 * read it; ERROR_INTERNAL when it does not fit the store. The file's bytes are wiped. What the
 * options point at must outlive the vault. */
struct vault *vault_create(const struct vault_options *options, struct error *err) MUST_CHECK;
/* Wipes the keys. NULL is accepted. */
void vault_destroy(struct vault *vault);

/* A sealed text is so many bytes longer than the plain one. */
enum { VAULT_SEALED_OVERHEAD = 2 + 8 + 24 + 32 + 16 };
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
/* HMAC-SHA-256 under a key derived from the installation's digest key for `purpose` (a literal such
 * as "api_key", at most 31 bytes; at most 16 purposes in the program): 32 bytes. */
enum { VAULT_DIGEST_BYTES = 32 };
void vault_digest(struct vault *vault, const char *purpose, struct str text,
		  unsigned char digest[VAULT_DIGEST_BYTES]);
/* The same as it was under an older master key (age 1: the one before the newest, and so on) before
 * there was a digest key, to find what was stored then. False when there is none so old. */
bool vault_digest_old(struct vault *vault, size_t age, const char *purpose, struct str text,
		      unsigned char digest[VAULT_DIGEST_BYTES]) MUST_CHECK;

/* Opaque, unforgeable tokens (cursors): base64url of a sealed text. */
struct str vault_seal_token(struct vault *vault, struct arena *arena,
			    const struct vault_binding *binding, struct str plain);
/* ERROR_INVALID when it is none of ours or not for this binding. The text is in the arena. */
bool vault_open_token(struct vault *vault, struct arena *arena,
		      const struct vault_binding *binding, struct str token, struct str *plain,
		      struct error *err) MUST_CHECK;

/* --- rotation and revocation (docs/vault.md) ------------------------------------------------- */

/* A column with sealed texts, told by the room that owns it: so that keys can be rotated and
 * destroyed without this room knowing the table. All SQL texts are literals. */
struct vault_column {
	const char *name; /* "credential" */
	/* SELECT sealed, environment_id, KEY…, what else `place` wants … WHERE sealed is there AND
	 * (environment_id, KEY…) > (?1, ?2 …) ORDER BY environment_id, KEY… LIMIT ?(keys + 1).
	 * NULL: nothing is sealed there, but there is something to be revoked. */
	const char *walk;
	/* UPDATE … SET sealed = ?2 WHERE sealed = ?1 AND environment_id = ?3 AND KEY = ?4 … */
	const char *replace;
	/* SELECT iif(substr(sealed, 1, 1) = x'02', substr(sealed, 3, 8), x''), count(*) … WHERE
	 * sealed is there AND environment_id = ?1 GROUP BY 1 */
	const char *count;
	const char *revoke; /* WHERE environment_id = ?1; ?2 is now in milliseconds, if wanted */
	bool revoke_wants_now;
	size_t keys; /* how many columns the key has, environment_id counted; at most 4 */
	enum store_type types[4]; /* of each; what is left out (STORE_NULL) is a text */
	/* Where a row of `walk` belongs (`is_first`: in the first format). */
	void (*place)(struct arena *arena, const struct store_value *row, bool is_first,
		      struct vault_binding *out);
	/* A row was sealed anew; `key` is environment_id, KEY… May be NULL. */
	void (*changed)(void *context, const struct store_value *key);
	void *context;
};
/* At the start, before other threads use the vault. One of the same name is replaced. */
void vault_add_column(struct vault *vault, const struct vault_column *column);

struct vault_key_status {
	struct str id;      /* 16 hex digits */
	struct str purpose; /* "sealing" and so on */
	bool is_current;
	int64_t created_ms;
	size_t texts;       /* sealed under it; of "sealing" only */
};
struct vault_status {
	struct vault_key_status *keys;
	size_t count;
	size_t first_format;   /* texts not yet under a data key */
	struct str master_id;  /* 8 hex digits: of the newest master key */
	size_t other_masters;  /* keys of this environment that an older one wraps */
};
/* Of an environment, or the installation's own keys (empty). In the arena. */
bool vault_read_status(struct vault *vault, struct arena *arena, struct str environment,
		       struct vault_status *out, struct error *err) MUST_CHECK;

/* A new data key for the environment; everything is sealed anew under it, then the old one is
 * deleted. Safe to break off: saying it again goes on where it was. ERROR_CONFLICT when another
 * rotation runs. `*count` texts were sealed anew. */
bool vault_rotate(struct vault *vault, struct str environment, size_t *count,
		  struct error *err) MUST_CHECK;

/* Another process has made data keys, or destroyed some: they are wiped, and read when needed. */
void vault_forget_keys(struct vault *vault);
/* Wipes from memory data keys that were rotated out and whose time is over. Every now and then. */
void vault_tend(struct vault *vault);

struct vault_master_rotation {
	char id[9];        /* the newest master key's */
	bool is_resumed;   /* one that was broken off has been finished */
	size_t keys;       /* wrapped anew */
	size_t texts;      /* of the first format, sealed anew */
	bool is_file_ours; /* the old keys are out of the file; else its owner may take them out */
	bool is_clean;     /* nothing wants an older master key any more */
};
/* Goes over to a new master key: one that is made, where the key file is ours, or else the one that
 * its owner has put on the file's first line. The old one is then needed for nothing. */
bool vault_rotate_master(struct vault *vault, struct vault_master_rotation *out,
			 struct error *err) MUST_CHECK;

/* Destroys the environment's data keys and, in the same transaction, what is sealed under them.
 * Nothing brings that back but a backup with the master key. */
bool vault_revoke(struct vault *vault, struct str environment, struct error *err) MUST_CHECK;

/* --- the audit log (docs/vault.md) ----------------------------------------------------------- */

/* A line about something that is no use of a secret, such as an erasure; `use` is one word. */
bool vault_note(struct vault *vault, const char *use, const struct vault_binding *binding,
		struct error *err) MUST_CHECK;

struct vault_audit_report {
	int64_t first, last; /* lines that were looked at; 0: there are none */
	int64_t head;        /* the latest line that the store knows of */
	bool is_whole;
	int64_t at;          /* the line where it is not */
	char problem[96];
};
/* Whether no line was altered, added, moved or taken out since line `from` (1: the first). */
bool vault_audit_verify(struct vault *vault, int64_t from, struct vault_audit_report *out,
			struct error *err) MUST_CHECK;
/* Lines behind that number, as they are in the files. */
bool vault_audit_list(struct vault *vault, struct arena *arena, int64_t after, size_t limit,
		      struct str **lines, size_t *count, struct error *err) MUST_CHECK;

#endif
