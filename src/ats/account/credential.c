/* Storing credentials. Each takes the place of one that the caller has seen: of two that are made
 * of the same one, only the first is kept. */
#include <assert.h>

#include "ats/account/held.h"

bool credential_put(struct accounts *accounts, struct arena *arena, const struct account *account,
		    const struct json_member *member, int64_t version,
		    struct store_statement *statement, struct error *err)
{
	struct str field = json_name(member);
	struct vault_binding binding =
		held_binding(arena, account->environment_id, account->id, field, version);
	struct store_value *values = arena_array(arena, 5, sizeof *values);
	struct str sealed;

	if (!vault_seal(accounts->vault, arena, &binding, json_str(member->value), &sealed, err))
		return false;
	values[0] = store_text(account->environment_id);
	values[1] = store_text(account->id);
	values[2] = store_text(field);
	values[3] = store_blob(sealed);
	values[4] = store_int(version);
	*statement = (struct store_statement){
		.sql = "INSERT INTO credential (environment_id, account_id, field, sealed, version)"
		       " VALUES (?1, ?2, ?3, ?4, ?5)"
		       " ON CONFLICT (environment_id, account_id, field)"
		       " DO UPDATE SET sealed = excluded.sealed, version = excluded.version",
		.parameters = values,
		.parameter_count = 5,
		.changes_expected = 1,
	};
	return true;
}

static struct store_statement move_version(struct arena *arena, const struct accounts *accounts,
					   const struct account *account,
					   const struct credential_change *change)
{
	const struct store_value values[] = {
		store_text(account->environment_id),
		store_text(account->id),
		store_int(change->version),
		change->scopes.data == NULL ? store_null() : store_text(change->scopes),
		store_int(change->expires_ms),
		store_int(change->refresh_ms),
		store_int(clock_unix_ms(accounts->clock)),
	};

	return store_keep(arena,
			  "UPDATE account SET token_version = token_version + 1,"
			  " scopes = coalesce(?4, scopes), token_expires_ms = ?5,"
			  " token_refresh_ms = ?6, token_refused = 0, updated_ms = ?7"
			  " WHERE environment_id = ?1 AND id = ?2 AND token_version = ?3",
			  values, 7, 1);
}

struct store_statement credential_clear(struct arena *arena, const struct account *account)
{
	const struct store_value values[] = {
		store_text(account->environment_id),
		store_text(account->id),
	};

	return store_keep(arena,
			  "DELETE FROM credential WHERE environment_id = ?1 AND account_id = ?2",
			  values, 2, -1);
}

bool credential_replace(struct accounts *accounts, struct arena *arena,
			const struct account *account, const struct credential_change *change,
			struct error *err)
{
	struct store_statement statements[3 + CREDENTIAL_FIELDS_MAX];
	const struct json *credential = &change->credential;
	size_t count = 0;

	assert(accounts->magic == ACCOUNTS_MAGIC);
	if (!input_check_credential(*credential, err) ||
	    !input_check_text(change->scopes, SCOPES_BYTES_MAX, "scopes", err))
		return false;
	statements[count++] = move_version(arena, accounts, account, change);
	if (change->is_whole)
		statements[count++] = credential_clear(arena, account);
	for (size_t i = 0; json_is(*credential, JSON_OBJECT) && i < credential->count; i++)
		if (!credential_put(accounts, arena, account, &credential->members[i],
				    change->version + 1, &statements[count++], err))
			return false;
	if (change->also.sql != NULL)
		statements[count++] = change->also;
	bool ok = store_write(accounts->store, statements, count, err);
	held_forget(accounts, account->environment_id, account->id);
	return ok;
}

/* --- what is known of tokens ---------------------------------------------------------------- */

bool account_token(struct accounts *accounts, const struct account *account,
		   struct account_token *token, struct error *err)
{
	struct held held;

	assert(accounts->magic == ACCOUNTS_MAGIC);
	if (!held_take(accounts, account->environment_id, account->id, &held, err))
		return false;
	held_token(held.account, token);
	held_release(accounts, &held);
	return true;
}

static bool update_version(struct accounts *accounts, const struct account *account,
			   const char *sql, int64_t version, int64_t value, struct error *err)
{
	struct store_value values[] = {
		store_text(account->environment_id),
		store_text(account->id),
		store_int(version),
		store_int(value),
	};
	struct store_statement statement = {
		.sql = sql,
		.parameters = values,
		.parameter_count = 4,
		.changes_expected = -1,
	};

	bool ok = store_write(accounts->store, &statement, 1, err);
	held_forget(accounts, account->environment_id, account->id);
	return ok;
}

bool credential_refuse(struct accounts *accounts, const struct account *account, int64_t version,
		       struct error *err)
{
	return update_version(accounts, account,
			      "UPDATE account SET token_refused = ?4 WHERE environment_id = ?1"
			      " AND id = ?2 AND token_version = ?3",
			      version, 1, err);
}

bool credential_postpone(struct accounts *accounts, const struct account *account, int64_t version,
			 int64_t refresh_ms, struct error *err)
{
	return update_version(accounts, account,
			      "UPDATE account SET token_refresh_ms = ?4 WHERE environment_id = ?1"
			      " AND id = ?2 AND token_version = ?3 AND token_refresh_ms > 0",
			      version, refresh_ms, err);
}

bool credential_due(struct accounts *accounts, struct arena *arena,
		    struct str authentication_method, int64_t now_ms, size_t limit,
		    struct account **list, size_t *count,
		    struct error *err)
{
	struct store_value values[] = {
		store_int(now_ms),
		store_text(authentication_method),
		store_int((int64_t)limit),
	};
	struct store_rows rows;

	if (!store_query(accounts->store, arena,
			 "SELECT " HELD_COLUMNS " FROM account a WHERE token_refresh_ms > 0"
			 " AND token_refresh_ms <= ?1 AND authentication_method = ?2"
			 " AND token_refused = 0 AND status <> 'needs_reauth'"
			 " ORDER BY token_refresh_ms LIMIT ?3",
			 values, 3, &rows, err))
		return false;
	*list = arena_array(arena, rows.count + 1, sizeof **list);
	*count = rows.count;
	for (size_t i = 0; i < rows.count; i++)
		if (!held_read_row(arena, &rows, i, &(*list)[i], err))
			return false;
	return true;
}
