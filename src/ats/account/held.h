/* Integrated accounts as the process holds them: the row's texts and the sealed credential in one
 * allocation, cached. Private to the account room. */
#ifndef ATS_ACCOUNT_HELD_H
#define ATS_ACCOUNT_HELD_H

#include "ats/account/accounts.h"

/* In the order that held_read_row() wants; of a table called "a". */
#define HELD_COLUMNS                                                                     \
	"a.environment_id, a.id, a.connector, a.tenant_id, a.status, a.context, a.limits,"   \
	" a.authentication_method, a.scopes, a.created_ms, a.updated_ms, a.token_version,"   \
	" a.token_expires_ms, a.token_refresh_ms, a.token_refused"

struct held_account;

/* An account that is being looked at: under the cache's lock, or just loaded. Nothing may be
 * waited for in between. */
struct held {
	struct held_account *account;
	bool is_loaded;
	uint64_t generation;
};

/* ERROR_NOT_FOUND (field "integrated_account_id"), or what the store says. */
bool held_take(struct accounts *accounts, struct str environment_id, struct str id,
	       struct held *held, struct error *err) MUST_CHECK;
void held_release(struct accounts *accounts, struct held *held);
/* After a change of its rows. */
void held_forget(struct accounts *accounts, struct str environment_id, struct str id);
/* The one answer for an account that is not there, whatever the cause. */
bool held_missing(struct error *err);

/* Copies into the arena. */
bool held_read(const struct held_account *account, struct arena *arena, struct account *out,
	       struct error *err) MUST_CHECK;
void held_token(const struct held_account *account, struct account_token *token);
/* Of a field of the credential, into the arena. To open it the vault may have to ask the store for
 * a key, so not before the account is released. */
bool held_sealed(const struct held_account *account, struct arena *arena, struct str field,
		 struct str *sealed, int64_t *version, struct error *err) MUST_CHECK;

/* One row of HELD_COLUMNS, borrowing from the rows. */
bool held_read_row(struct arena *arena, const struct store_rows *rows, size_t row,
		   struct account *out, struct error *err) MUST_CHECK;
/* Tells the vault of the column with the credentials. */
void reseal_register(struct accounts *accounts);
/* Where a field of a credential belongs. */
struct vault_binding held_binding(struct arena *arena, struct str environment_id, struct str id,
				  struct str field, int64_t version);

#endif
