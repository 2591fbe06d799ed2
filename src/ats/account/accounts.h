/* What the files of the account room share. Private to it. */
#ifndef ATS_ACCOUNT_ACCOUNTS_H
#define ATS_ACCOUNT_ACCOUNTS_H

#include "ats/account/account.h"
#include "base/cache.h"

enum {
	ACCOUNTS_MAGIC = 0x61636374,
	ID_LEN = 30, /* prefix of four and 26 letters and digits */
	ENVIRONMENTS_MAX = 1000,
	KEYS_MAX = 1000,             /* of one environment, those revoked not counted */
	NAME_BYTES_MAX = 64,
	TENANT_BYTES_MAX = 256,
	SCOPES_BYTES_MAX = 4 * 1024,
	CONTEXT_BYTES_MAX = 16 * 1024,
	LIMITS_BYTES_MAX = 1024,
	CREDENTIAL_FIELDS_MAX = 16,
	CREDENTIAL_BYTES_MAX = 8 * 1024, /* of one field */
	LIST_MAX = 1000,
	REFUSALS = 1024,
	REFUSAL_EACH_MS = 60 * 1000,
	QUERY_BYTES_MAX = 4 * 1024 * 1024, /* for the rows of one look-up */
};

struct accounts {
	unsigned magic;
	struct store *store;
	struct vault *vault;
	const struct clock *clock;
	const struct random *random;
	struct cache keys;     /* by digest */
	struct cache accounts; /* by environment and id */
	/* What was refused of late, by a digest of it: when it was written last. Two that fall on
	 * one place are written more often than need be. */
	struct refusal {
		_Atomic uint64_t digest;
		_Atomic int64_t written_ms;
	} refusals[REFUSALS];
};

/* Of id_make(): 48 bits of time and 80 random ones in lower-case Crockford base32. */
bool id_check(struct str id, const char *prefix) MUST_CHECK;

/* Whether the environment exists; ERROR_NOT_FOUND (field "environment") when not. */
bool environment_check(struct accounts *accounts, struct str id, struct error *err) MUST_CHECK;

/* Removes all fields of the account's credential (credential.c). */
struct store_statement credential_clear(struct arena *arena, const struct account *account);
/* Storing one field of a credential, which the account has or has not yet, bound to the version
 * that the account's token gets by it (credential.c). */
bool credential_put(struct accounts *accounts, struct arena *arena, const struct account *account,
		    const struct json_member *member, int64_t version,
		    struct store_statement *statement, struct error *err) MUST_CHECK;

/* What a new account must be (account.c). */
bool account_check(const struct account *account, struct json credential,
		   struct error *err) MUST_CHECK;

/* Checks of inputs (input.c). Each sets ERROR_INVALID or ERROR_LIMIT with the field's name. */
bool input_is_word(struct str s); /* 1 to 64 of a-z 0-9 - _ */
bool input_check_text(struct str s, size_t bytes_max, const char *field,
		      struct error *err) MUST_CHECK;
/* The object as text; an undefined one is {}. */
bool input_print_object(struct arena *arena, struct json object, size_t bytes_max,
			const char *field, struct str *text, struct error *err) MUST_CHECK;
bool input_check_limits(struct json limits, struct error *err) MUST_CHECK;
bool input_check_credential(struct json credential, struct error *err) MUST_CHECK;

#endif
