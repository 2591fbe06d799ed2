/* Environments, their API keys and their integrated accounts: who may call, and on whose behalf.
 * This room owns the tables environment, api_key, account and credential. What requests look up
 * (keys, accounts) is cached in the process; a change made through this room is seen at once. */
#ifndef ATS_ACCOUNT_ACCOUNT_H
#define ATS_ACCOUNT_ACCOUNT_H

#include "ats/schema/schema.h"
#include "ats/vault/vault.h"
#include "io/store/store.h"
#include "lang/json/json.h"

struct accounts;

/* The tables of db/, for store_options: schema_migrations() under the name of the room that needs
 * them. */
static inline const struct store_migration *account_migrations(size_t *count)
{
	return schema_migrations(count);
}

/* `store` was opened with schema_migrations(); all must outlive it. */
struct accounts *accounts_create(struct store *store, struct vault *vault,
				 const struct clock *clock, const struct random *random);
void accounts_destroy(struct accounts *accounts);
/* Has anything been sealed or digested in this store yet? Before the first, a new master key is
 * harmless; afterwards it would shut everything out. */
bool accounts_is_empty(struct store *store, bool *is_empty, struct error *err) MUST_CHECK;

/* What is told once and found again by its digest: the prefix ("tenon_"), 32 base62 digits (over
 * 160 random bits), 6 of their CRC-32, by which a mistyped one is known without a look-up. */
struct str token_text_make(const struct random *random, struct arena *arena, const char *prefix);
bool token_text_check(struct str text, const char *prefix) MUST_CHECK;
/* A new id: a prefix of four ("acc_"), then 26 letters and digits which sort by time. */
struct str id_make(struct accounts *accounts, struct arena *arena, const char *prefix);

/* --- environments --------------------------------------------------------------------------- */

struct environment {
	struct str id;   /* "env_" and 26 letters and digits, sorted by time */
	struct str name; /* 1 to 64 of a-z 0-9 - _ */
	int64_t created_ms;
};

/* Finds it by name, or makes it when `create`. ERROR_NOT_FOUND, ERROR_INVALID (field
 * "environment"). Texts live in the arena. */
bool environment_find(struct accounts *accounts, struct arena *arena, struct str name, bool create,
		      struct environment *out, struct error *err) MUST_CHECK;
bool environment_list(struct accounts *accounts, struct arena *arena, struct environment **list,
		      size_t *count, struct error *err) MUST_CHECK;

/* By its id, with what it has for its links: {"allowed_origins"?, "theme"?, "logo"?}. */
bool environment_show(struct accounts *accounts, struct arena *arena, struct str id,
		      struct environment *out, struct json *link, struct error *err) MUST_CHECK;
enum { ENVIRONMENT_LINK_BYTES_MAX = 96 * 1024 };
/* What may be changed of one. */
struct environment_owned {
	struct str name;
	struct json link;
};
/* Stores `after` in place of `before`, as that was read. ERROR_CONFLICT: another environment has
 * the name (field "name"), or it is not as it was read any more; read it again then. */
bool environment_change(struct accounts *accounts, struct arena *arena, struct str id,
			const struct environment_owned *before,
			const struct environment_owned *after, struct error *err) MUST_CHECK;

/* --- API keys ------------------------------------------------------------------------------- */

enum key_scope { KEY_SCOPE_CALL = 1, KEY_SCOPE_ADMIN = 2 };

struct api_key {
	struct str id;             /* "key_…" */
	struct str environment_id;
	struct str name;           /* what people call it; may be empty */
	struct str hint;           /* the first 12 characters of the key */
	unsigned scopes;           /* enum key_scope bits */
	int64_t created_ms;
	int64_t expires_ms;        /* 0: never */
	int64_t used_ms;           /* to the minute or so; 0: never */
	int64_t revoked_ms;        /* 0: valid */
};

/* Makes a key: "tenon_" + 32 base62 (over 160 random bits) + 6 base62 of its CRC-32. `*text` is
 * the key itself, which is told this once; the store has a keyed hash of it. */
bool api_key_create(struct accounts *accounts, struct arena *arena, struct str environment_id,
		    struct str name, unsigned scopes, int64_t expires_ms, struct str *text,
		    struct api_key *out, struct error *err) MUST_CHECK;
bool api_key_list(struct accounts *accounts, struct arena *arena, struct str environment_id,
		  struct api_key **list, size_t *count, struct error *err) MUST_CHECK;
/* ERROR_NOT_FOUND when the environment has no such key. Refused everywhere at once. */
bool api_key_revoke(struct accounts *accounts, struct str environment_id, struct str id,
		    struct error *err) MUST_CHECK;
/* Who calls? ERROR_UNAUTHORIZED for a key that is malformed, unknown, revoked or expired: one
 * message for all. A malformed one costs no look-up. Never touches the store on a cached key. */
bool api_key_authorise(struct accounts *accounts, struct arena *arena, struct str text,
		       struct api_key *out, struct error *err) MUST_CHECK;

/* --- integrated accounts -------------------------------------------------------------------- */

/* The five states of the contract, in the order of the wire names. */
#define ACCOUNT_STATUS_TABLE(ROW)                       \
	ROW(ACCOUNT_CONNECTING, "connecting")           \
	ROW(ACCOUNT_ACTIVE, "active")                   \
	ROW(ACCOUNT_NEEDS_REAUTH, "needs_reauth")       \
	ROW(ACCOUNT_VALIDATION_ERROR, "validation_error") \
	ROW(ACCOUNT_POST_INSTALL_ERROR, "post_install_error")
enum account_status {
#define ROW(code, name) code,
	ACCOUNT_STATUS_TABLE(ROW)
#undef ROW
};
const char *account_status_name(enum account_status status);

/* Of a credential that is replaced from time to time. */
struct account_token {
	int64_t version;    /* moves with each new one */
	int64_t expires_ms; /* 0: not known */
	int64_t refresh_ms; /* it is to be replaced from then on; 0: when it is refused */
	bool is_refused;    /* its provider gives no other for it */
};

struct account {
	struct str id;             /* "acc_…" */
	struct str environment_id;
	struct str connector;      /* its name */
	struct str tenant_id;      /* the customer, in the software company's words; or empty */
	struct str authentication_method; /* the format of its credential; empty: the connector's
					   * first */
	struct str scopes;	   /* granted, parted by blanks; may be empty */
	struct account_token token;
	enum account_status status;
	struct json context;       /* object: company_id and the like; no secrets */
	struct json limits;        /* object: requests, per_seconds, concurrent; over the
				    * connector's own */
	int64_t created_ms;
	int64_t updated_ms;
};

/* A new account with its credential: an object of texts by the connector's field names (at most 16
 * of 8 KiB, without control characters; undefined: none), which is sealed field by field. The
 * fields `created_ms`, `updated_ms` of *account are filled, and `id` where it is empty. */
bool account_create(struct accounts *accounts, struct arena *arena, struct account *account,
		    struct json credential, struct error *err) MUST_CHECK;
/* Others' rows that are written together with the account's, or not at all: ERROR_CONFLICT. */
enum { ACCOUNT_BESIDE_MAX = 4 };
struct account_beside {
	const struct store_statement *statements;
	size_t count;
};
bool account_create_beside(struct accounts *accounts, struct arena *arena, struct account *account,
			   struct json credential, const struct account_beside *beside,
			   struct error *err) MUST_CHECK;
/* Other fields in place of all that the account's credential has, and *account's context; it has
 * `status` then (active, or connecting while it is yet to be checked), and the id that it had.
 * account->token.version is that of the credential whose place it takes, `before` the context that
 * the new one was made of: ERROR_CONFLICT with the field "integrated_account_id" when either has
 * been replaced meanwhile, without a field when it was for what goes beside it. */
bool account_reconnect(struct accounts *accounts, struct arena *arena, struct json before,
		       struct account *account, enum account_status status, struct json credential,
		       const struct account_beside *beside, struct error *err) MUST_CHECK;
/* ERROR_NOT_FOUND (field "integrated_account_id") when this environment has none of that id: the
 * same answer whether it exists elsewhere or not. Everything in *out lives in the arena. */
bool account_find(struct accounts *accounts, struct arena *arena, struct str environment_id,
		  struct str id, struct account *out, struct error *err) MUST_CHECK;
/* Sorted by id, those after `after` (empty: from the first), at most `limit` (1 to 1000). */
bool account_list(struct accounts *accounts, struct arena *arena, struct str environment_id,
		  struct str after, size_t limit, struct account **list, size_t *count,
		  struct error *err) MUST_CHECK;
struct account_query {
	struct str environment_id;
	struct str after; /* an id; empty: from the first */
	size_t limit;	  /* 1 to 1000 */
	/* Where data is not NULL only those that have it so. */
	struct str tenant_id, connector, status;
	int64_t after_ms, before_ms; /* of being created; both exclusive */
};
/* Sorted by id. */
bool account_search(struct accounts *accounts, struct arena *arena,
		    const struct account_query *query, struct account **list, size_t *count,
		    struct error *err) MUST_CHECK;
/* Another process has changed it (empty: any may have been), or API keys. */
void accounts_forget(struct accounts *accounts, struct str environment_id, struct str id);
void accounts_forget_keys(struct accounts *accounts);
/* Removes it with its credential. */
bool account_remove(struct accounts *accounts, struct str environment_id, struct str id,
		    struct error *err) MUST_CHECK;
/* The one function which moves an account between states: from account->status, as the caller saw
 * it, and with the event that tells of it. `why`: a sentence, or empty. True also when somebody
 * else has brought it to `status` meanwhile; ERROR_CONFLICT when to another; ERROR_NOT_FOUND as in
 * account_find(). */
bool account_set_status(struct accounts *accounts, const struct account *account,
			enum account_status status, struct str why, struct error *err) MUST_CHECK;
/* Stores tenant_id, context and limits as they are in *account, in place of those of *before, as
 * it was read: ERROR_CONFLICT when they are others by now, for what somebody else has changed
 * would be lost; read it again then. `event`: a literal, such as "integrated_account:updated".
 * ERROR_NOT_FOUND. */
enum { ACCOUNT_UPDATE_TRIES = 8 };
bool account_update(struct accounts *accounts, struct arena *arena, const struct account *before,
		    struct account *account, const char *event, struct error *err) MUST_CHECK;
/* The ATS lets the account's credential not do this: {"resource", "method", "missing_scopes"}; the
 * time is put to it. The same is written once a minute. May be lost. */
void account_note_forbidden(struct accounts *accounts, const struct account *account,
			    struct json what);
/* What the ATS last refused: objects, or null. */
struct account_trouble {
	struct json last_error;
	struct json last_forbidden_error;
};
bool account_find_trouble(struct accounts *accounts, struct arena *arena,
			  const struct account *account, struct account_trouble *out,
			  struct error *err) MUST_CHECK;

/* One field of the account's credential, opened; the caller must secret_finish() it.
 * ERROR_NOT_FOUND when it has none of that name. Sealed bytes are cached, opened ones never. */
bool account_open_credential(struct accounts *accounts, const struct account *account,
			     struct str field, struct secret *secret,
			     struct error *err) MUST_CHECK;

/* How the account's token is now, without the rest of it. */
bool account_token(struct accounts *accounts, const struct account *account,
		   struct account_token *token, struct error *err) MUST_CHECK;

/* A credential in place of another. */
struct credential_change {
	int64_t version;	/* of the one whose place it takes */
	struct json credential; /* fields by name */
	bool is_whole;		/* those which it does not name go; else they stay */
	struct str scopes;	/* data NULL: as they were */
	int64_t expires_ms;
	int64_t refresh_ms;
	struct store_statement also; /* done together with it; sql NULL: nothing */
};
/* ERROR_CONFLICT when the account's token has another version by now (or `also` did not find its
 * rows): nothing is changed then. ERROR_NOT_FOUND: there is no such account. The account has the
 * version after `version` from then on, on the disk. */
bool credential_replace(struct accounts *accounts, struct arena *arena,
			const struct account *account, const struct credential_change *change,
			struct error *err) MUST_CHECK;
/* The provider gives no other token for this version; or it is not to be asked before then. True
 * also when the version has moved. */
bool credential_refuse(struct accounts *accounts, const struct account *account, int64_t version,
		       struct error *err) MUST_CHECK;
bool credential_postpone(struct accounts *accounts, const struct account *account, int64_t version,
			 int64_t refresh_ms, struct error *err) MUST_CHECK;
/* Accounts of all environments, but those that need their owner, whose tokens of this format are
 * to be replaced by now, the longest due first. */
bool credential_due(struct accounts *accounts, struct arena *arena,
		    struct str authentication_method, int64_t now_ms, size_t limit,
		    struct account **list, size_t *count,
		    struct error *err) MUST_CHECK;

/* Destroys all credentials of the environment with the keys they are sealed under, then moves its
 * accounts to needs_reauth: *count of them. Saying it again finishes one that was broken off. */
bool accounts_revoke(struct accounts *accounts, struct str environment_id, size_t *count,
		     struct error *err) MUST_CHECK;

/* How many accounts of each status there are in an environment, or (empty) in all. */
bool account_count(struct accounts *accounts, struct str environment_id, size_t counts[5],
		   struct error *err) MUST_CHECK;

#endif
