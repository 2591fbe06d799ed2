#include "ats/account/account.h"

#include <assert.h>
#include <stdlib.h>

#include "ats/account/accounts.h"
#include "ats/account/held.h"
#include "ats/account/state.h"

enum { CACHED_MAX = 10000 };

static const char *const status_names[] = {
#define ROW(code, name) [code] = name,
	ACCOUNT_STATUS_TABLE(ROW)
#undef ROW
};
enum { STATUSES = sizeof status_names / sizeof status_names[0] };

const char *account_status_name(enum account_status status)
{
	assert((unsigned)status < STATUSES);
	return status_names[status];
}

struct accounts *accounts_create(struct store *store, struct vault *vault,
				 const struct clock *clock, const struct random *random)
{
	struct accounts *accounts = calloc(1, sizeof *accounts);

	if (accounts == NULL)
		die("out of memory for the accounts");
	accounts->magic = ACCOUNTS_MAGIC;
	accounts->store = store;
	accounts->vault = vault;
	accounts->clock = clock;
	accounts->random = random;
	cache_init(&accounts->keys, CACHED_MAX, random);
	cache_init(&accounts->accounts, CACHED_MAX, random);
	reseal_register(accounts);
	return accounts;
}

void accounts_destroy(struct accounts *accounts)
{
	if (accounts == NULL)
		return;
	assert(accounts->magic == ACCOUNTS_MAGIC);
	cache_finish(&accounts->keys);
	cache_finish(&accounts->accounts);
	accounts->magic = 0;
	free(accounts);
}

/* --- making and removing --------------------------------------------------------------------- */

bool account_check(const struct account *account, struct json credential, struct error *err)
{
	if (!input_is_word(account->connector))
		return error_set_field(err, ERROR_INVALID, "connector", "1 to 64 of a-z 0-9 - _",
				       "this cannot be the name of a connector");
	return input_check_text(account->tenant_id, TENANT_BYTES_MAX, "tenant_id", err) &&
	       input_check_text(account->authentication_method, NAME_BYTES_MAX,
				"authentication_method", err) &&
	       input_check_text(account->scopes, SCOPES_BYTES_MAX, "scopes", err) &&
	       input_check_limits(account->limits, err) && input_check_credential(credential, err);
}

static struct store_statement insert_account(struct arena *arena, const struct account *account,
					     struct str context, struct str limits)
{
	struct store_value *values = arena_array(arena, 14, sizeof *values);

	values[0] = store_text(account->environment_id);
	values[1] = store_text(account->id);
	values[2] = store_text(account->connector);
	values[3] = store_text(account->tenant_id);
	values[4] = store_text(str_from_c(account_status_name(account->status)));
	values[5] = store_text(context);
	values[6] = store_text(limits);
	values[7] = store_int(account->created_ms);
	values[8] = store_int(account->updated_ms);
	values[9] = store_text(account->authentication_method);
	values[10] = store_text(account->scopes);
	values[11] = store_int(account->token.version);
	values[12] = store_int(account->token.expires_ms);
	values[13] = store_int(account->token.refresh_ms);
	return (struct store_statement){
		.sql = "INSERT INTO account (environment_id, id, connector, tenant_id, status, context,"
		       " limits, created_ms, updated_ms, authentication_method, scopes, token_version,"
		       " token_expires_ms, token_refresh_ms) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8,"
		       " ?9, ?10, ?11, ?12, ?13, ?14)",
		.parameters = values,
		.parameter_count = 14,
		.changes_expected = 1,
	};
}

bool account_create(struct accounts *accounts, struct arena *arena, struct account *account,
		    struct json credential, struct error *err)
{
	static const struct account_beside nothing = {NULL, 0};

	return account_create_beside(accounts, arena, account, credential, &nothing, err);
}

bool account_create_beside(struct accounts *accounts, struct arena *arena, struct account *account,
			   struct json credential, const struct account_beside *beside,
			   struct error *err)
{
	struct store_statement statements[3 + CREDENTIAL_FIELDS_MAX + ACCOUNT_BESIDE_MAX];
	struct str context, limits;
	size_t count = 0;

	assert(accounts->magic == ACCOUNTS_MAGIC && beside->count <= ACCOUNT_BESIDE_MAX);
	if (!account_check(account, credential, err) ||
	    !input_print_object(arena, account->context, CONTEXT_BYTES_MAX, "context", &context, err) ||
	    !input_print_object(arena, account->limits, LIMITS_BYTES_MAX, "limits", &limits, err) ||
	    !environment_check(accounts, account->environment_id, err))
		return false;
	if (account->id.len == 0)
		account->id = id_make(accounts, arena, "acc_");
	account->created_ms = account->updated_ms = clock_unix_ms(accounts->clock);
	account->token.version = 1;
	statements[count++] = insert_account(arena, account, context, limits);
	for (size_t i = 0; json_is(credential, JSON_OBJECT) && i < credential.count; i++)
		if (!credential_put(accounts, arena, account, &credential.members[i],
				    account->token.version, &statements[count++], err))
			return false;
	for (size_t i = 0; i < beside->count; i++)
		statements[count++] = beside->statements[i];
	count += state_created(arena, account, statements + count);
	return store_write(accounts->store, statements, count, err);
}

bool account_remove(struct accounts *accounts, struct str environment_id, struct str id,
		    struct error *err)
{
	struct store_value values[] = {store_text(environment_id), store_text(id)};
	struct store_statement statements[2] = {{
		.sql = "DELETE FROM account WHERE environment_id = ?1 AND id = ?2",
		.parameters = values,
		.parameter_count = 2,
		.changes_expected = 1, /* the credential goes with it and is not counted */
	}};
	struct arena arena;

	arena_init(&arena, 65536);
	statements[1] = state_deleted(accounts, &arena, environment_id, id);
	bool ok = store_write(accounts->store, statements, 2, err);
	arena_finish(&arena);
	held_forget(accounts, environment_id, id);
	if (!ok && err->code == ERROR_CONFLICT)
		return held_missing(err);
	return ok;
}

/* --- finding --------------------------------------------------------------------------------- */

bool account_find(struct accounts *accounts, struct arena *arena, struct str environment_id,
		  struct str id, struct account *out, struct error *err)
{
	struct held held;

	assert(accounts->magic == ACCOUNTS_MAGIC);
	if (!held_take(accounts, environment_id, id, &held, err))
		return false;
	bool ok = held_read(held.account, arena, out, err);
	held_release(accounts, &held);
	return ok;
}

static bool read_list(struct arena *arena, const struct store_rows *rows, struct account *list,
		      struct error *err)
{
	for (size_t i = 0; i < rows->count; i++)
		if (!held_read_row(arena, rows, i, &list[i], err))
			return false;
	return true;
}

bool account_list(struct accounts *accounts, struct arena *arena, struct str environment_id,
		  struct str after, size_t limit, struct account **list, size_t *count,
		  struct error *err)
{
	struct store_value values[] = {
		store_text(environment_id),
		store_text(after),
		store_int((int64_t)limit),
	};
	struct store_rows rows;

	if (limit < 1 || limit > LIST_MAX)
		return error_set_field(err, ERROR_INVALID, "limit", "1 to 1000",
				       "%zu accounts cannot be listed at once", limit);
	if (!store_query(accounts->store, arena,
			 "SELECT " HELD_COLUMNS " FROM account a WHERE environment_id = ?1 AND id > ?2"
			 " ORDER BY id LIMIT ?3",
			 values, 3, &rows, err))
		return false;
	*list = arena_array(arena, rows.count, sizeof **list);
	*count = rows.count;
	return read_list(arena, &rows, *list, err);
}

static struct store_value text_or_null(struct str text)
{
	return text.data == NULL ? store_null() : store_text(text);
}

bool account_search(struct accounts *accounts, struct arena *arena,
		    const struct account_query *query, struct account **list, size_t *count,
		    struct error *err)
{
	struct store_value values[] = {
		store_text(query->environment_id), store_text(query->after),
		store_int((int64_t)query->limit),  text_or_null(query->tenant_id),
		text_or_null(query->connector),	   text_or_null(query->status),
		store_int(query->after_ms),	   store_int(query->before_ms),
	};
	struct store_rows rows;

	assert(query->limit >= 1 && query->limit <= LIST_MAX);
	if (!store_query(accounts->store, arena,
			 "SELECT " HELD_COLUMNS " FROM account a WHERE environment_id = ?1 AND id > ?2"
			 " AND (CAST(?4 AS TEXT) IS NULL OR tenant_id = ?4)"
			 " AND (CAST(?5 AS TEXT) IS NULL OR connector = ?5)"
			 " AND (CAST(?6 AS TEXT) IS NULL OR status = ?6) AND created_ms > ?7 AND created_ms < ?8"
			 " ORDER BY id LIMIT ?3",
			 values, 8, &rows, err))
		return false;
	*list = arena_array(arena, rows.count, sizeof **list);
	*count = rows.count;
	return read_list(arena, &rows, *list, err);
}

bool account_open_credential(struct accounts *accounts, const struct account *account,
			     struct str field, struct secret *secret, struct error *err)
{
	struct arena arena;
	struct str sealed;
	struct held held;
	int64_t version;

	assert(accounts->magic == ACCOUNTS_MAGIC);
	if (!held_take(accounts, account->environment_id, account->id, &held, err))
		return false;
	arena_init(&arena, 2 * CREDENTIAL_BYTES_MAX);
	bool ok = held_sealed(held.account, &arena, field, &sealed, &version, err);
	held_release(accounts, &held);
	if (ok) {
		struct vault_binding binding = held_binding(&arena, account->environment_id,
							    account->id, field, version);
		ok = vault_open_sealed(accounts->vault, &binding, sealed, secret, err);
	}
	arena_finish(&arena);
	return ok;
}

void accounts_forget(struct accounts *accounts, struct str environment_id, struct str id)
{
	if (id.len == 0)
		cache_clear(&accounts->accounts);
	else
		held_forget(accounts, environment_id, id);
}

void accounts_forget_keys(struct accounts *accounts)
{
	cache_clear(&accounts->keys);
}

/* --- counting -------------------------------------------------------------------------------- */

bool account_count(struct accounts *accounts, struct str environment_id, size_t counts[5],
		   struct error *err)
{
	const struct store_value value = store_text(environment_id);
	struct store_rows rows;
	struct arena arena;

	memset(counts, 0, STATUSES * sizeof counts[0]);
	arena_init(&arena, QUERY_BYTES_MAX);
	bool ok = store_query(accounts->store, &arena,
			      "SELECT status, count(*) FROM account WHERE CAST(?1 AS TEXT) = ''"
			      " OR environment_id = ?1 GROUP BY status",
			      &value, 1, &rows, err);
	for (size_t i = 0; ok && i < rows.count; i++)
		for (size_t status = 0; status < STATUSES; status++)
			if (str_equal_c(store_cell(&rows, i, 0)->bytes, status_names[status]))
				counts[status] = (size_t)store_cell(&rows, i, 1)->integer;
	arena_finish(&arena);
	return ok;
}
