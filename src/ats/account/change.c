/* Changes of an account that its owner makes: its name for the customer, context and limits, or
 * another credential. */
#include <assert.h>

#include "ats/account/held.h"
#include "ats/account/state.h"

enum { NEWS_MAX = 2 };

static struct store_statement update_account(struct arena *arena, const struct account *account,
					     struct str known, struct str context)
{
	struct store_value *values = arena_array(arena, 11, sizeof *values);

	values[0] = store_text(account->environment_id);
	values[1] = store_text(account->id);
	values[2] = store_text(str_from_c(account_status_name(account->status)));
	values[3] = store_text(context);
	values[4] = store_int(account->updated_ms);
	values[5] = store_text(account->authentication_method);
	values[6] = store_text(account->scopes);
	values[7] = store_int(account->token.version);
	values[8] = store_int(account->token.expires_ms);
	values[9] = store_int(account->token.refresh_ms);
	values[10] = store_text(known);
	/* Not if the token was replaced meanwhile: what is sealed is bound to the next version. Nor
	 * over a context that is not the one which this one was made of. */
	return (struct store_statement){
		.sql = "UPDATE account SET status = ?3, context = ?4, updated_ms = ?5,"
		       " authentication_method = ?6, scopes = ?7, token_version = ?8,"
		       " token_expires_ms = ?9, token_refresh_ms = ?10, token_refused = 0,"
		       " last_error = 'null', last_forbidden_error = 'null'"
		       " WHERE environment_id = ?1 AND id = ?2 AND token_version = ?8 - 1"
		       " AND context = ?11",
		.parameters = values,
		.parameter_count = 11,
		.changes_expected = 1,
	};
}

/* What the owner says of it, as it stands in the row. */
struct owned {
	struct str tenant_id, context, limits;
};

static bool print_owned(struct arena *arena, const struct account *account, struct owned *out,
			struct error *err)
{
	out->tenant_id = account->tenant_id;
	return input_print_object(arena, account->context, CONTEXT_BYTES_MAX, "context",
				  &out->context, err) &&
	       input_print_object(arena, account->limits, LIMITS_BYTES_MAX, "limits", &out->limits,
				  err);
}

/* Its state is not the owner's to say. JSON that was read is printed as it stood. */
static struct store_statement update_owned(struct arena *arena, const struct account *account,
					   const struct owned *before, const struct owned *after)
{
	struct store_value *values = arena_array(arena, 9, sizeof *values);

	values[0] = store_text(account->environment_id);
	values[1] = store_text(account->id);
	values[2] = store_text(after->tenant_id);
	values[3] = store_text(after->context);
	values[4] = store_text(after->limits);
	values[5] = store_int(account->updated_ms);
	values[6] = store_text(before->tenant_id);
	values[7] = store_text(before->context);
	values[8] = store_text(before->limits);
	return (struct store_statement){
		.sql = "UPDATE account SET tenant_id = ?3, context = ?4, limits = ?5,"
		       " updated_ms = ?6 WHERE environment_id = ?1 AND id = ?2"
		       " AND tenant_id = ?7 AND context = ?8 AND limits = ?9",
		.parameters = values,
		.parameter_count = 9,
		.changes_expected = 1,
	};
}

/* Whether it was the account that is another by now, and not what goes beside it. */
static bool explain_reconnect(struct accounts *accounts, struct arena *arena,
			      const struct account *account, struct str known, struct error *err)
{
	struct error conflict = *err;
	struct account now;
	struct str context;

	if (!account_find(accounts, arena, account->environment_id, account->id, &now, err) ||
	    !input_print_object(arena, now.context, CONTEXT_BYTES_MAX, "context", &context, err))
		return false;
	if (now.token.version + 1 != account->token.version || !str_equal(context, known))
		return error_set_field(err, ERROR_CONFLICT, "integrated_account_id", NULL,
				       "the account was changed meanwhile; try again");
	*err = conflict;
	return false;
}

bool account_reconnect(struct accounts *accounts, struct arena *arena, struct json before,
		       struct account *account, enum account_status status, struct json credential,
		       const struct account_beside *beside, struct error *err)
{
	struct store_statement
		statements[2 + CREDENTIAL_FIELDS_MAX + ACCOUNT_BESIDE_MAX + 1 + NEWS_MAX];
	enum account_status from = account->status;
	struct str known, context;
	size_t count = 0;

	assert(accounts->magic == ACCOUNTS_MAGIC && beside->count <= ACCOUNT_BESIDE_MAX);
	if (!account_check(account, credential, err) ||
	    !input_print_object(arena, before, CONTEXT_BYTES_MAX, "context", &known, err) ||
	    !input_print_object(arena, account->context, CONTEXT_BYTES_MAX, "context", &context, err))
		return false;
	account->status = status;
	account->updated_ms = clock_unix_ms(accounts->clock);
	account->token.version++;
	statements[count++] = update_account(arena, account, known, context);
	statements[count++] = credential_clear(arena, account);
	for (size_t i = 0; json_is(credential, JSON_OBJECT) && i < credential.count; i++)
		if (!credential_put(accounts, arena, account, &credential.members[i],
				    account->token.version, &statements[count++], err))
			return false;
	for (size_t i = 0; i < beside->count; i++)
		statements[count++] = beside->statements[i];
	count += state_changed(arena, account, "integrated_account:updated", statements + count);
	count += state_moved(arena, account, from, json_undefined(), statements + count);
	bool ok = store_write(accounts->store, statements, count, err);
	held_forget(accounts, account->environment_id, account->id);
	if (!ok && err->code == ERROR_CONFLICT)
		return explain_reconnect(accounts, arena, account, known, err);
	return ok;
}

static bool explain_conflict(struct accounts *accounts, struct arena *arena,
			     const struct account *account, struct error *err)
{
	struct account now;

	return account_find(accounts, arena, account->environment_id, account->id, &now, err) &&
	       error_set(err, ERROR_CONFLICT, "the account was changed meanwhile; ask again");
}

bool account_update(struct accounts *accounts, struct arena *arena, const struct account *before,
		    struct account *account, const char *event, struct error *err)
{
	struct store_statement statements[1 + NEWS_MAX];
	struct owned was, is;

	assert(accounts->magic == ACCOUNTS_MAGIC);
	if (!account_check(account, json_undefined(), err) ||
	    !print_owned(arena, before, &was, err) || !print_owned(arena, account, &is, err))
		return false;
	account->updated_ms = clock_unix_ms(accounts->clock);
	statements[0] = update_owned(arena, account, &was, &is);
	size_t count = 1 + state_changed(arena, account, event, statements + 1);
	bool ok = store_write(accounts->store, statements, count, err);
	held_forget(accounts, account->environment_id, account->id);
	if (!ok && err->code == ERROR_CONFLICT)
		return explain_conflict(accounts, arena, account, err);
	return ok;
}
