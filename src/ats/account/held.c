#include "ats/account/held.h"

#include <stdlib.h>

struct sealed_field {
	struct str name;
	struct str sealed;
	int64_t version;
};

enum { COLUMNS = 15, TEXTS = 9, NUMBERS = COLUMNS - TEXTS };

/* All texts stand behind it, in the same allocation. */
struct held_account {
	struct str texts[TEXTS]; /* the first columns of HELD_COLUMNS */
	int64_t numbers[NUMBERS];
	size_t field_count;
	struct sealed_field fields[CREDENTIAL_FIELDS_MAX];
	char bytes[];
};

bool held_missing(struct error *err)
{
	return error_set_field(err, ERROR_NOT_FOUND, "integrated_account_id", NULL,
			       "there is no such integrated account");
}

struct vault_binding held_binding(struct arena *arena, struct str environment_id, struct str id,
				  struct str field, int64_t version)
{
	return (struct vault_binding){
		.environment = environment_id,
		.subject = id,
		.field = arena_format(arena, "credential.%.*s", STR_ARGS(field)),
		.version = version,
	};
}

/* --- reading rows --------------------------------------------------------------------------- */

static enum account_status read_status(struct str name)
{
	for (unsigned i = 0; i <= ACCOUNT_POST_INSTALL_ERROR; i++)
		if (str_equal_c(name, account_status_name((enum account_status)i)))
			return (enum account_status)i;
	/* From a newer program: nothing may be called with it. */
	return ACCOUNT_VALIDATION_ERROR;
}

static bool read_object(struct arena *arena, struct str text, struct json *out, struct error *err)
{
	if (json_parse(arena, text, &json_limits_default, out, err))
		return true;
	return error_set(err, ERROR_INTERNAL, "an integrated account's row is damaged");
}

static void fill_token(const int64_t numbers[NUMBERS], struct account_token *token)
{
	token->version = numbers[2];
	token->expires_ms = numbers[3];
	token->refresh_ms = numbers[4];
	token->is_refused = numbers[5] != 0;
}

static bool fill(struct arena *arena, const struct str texts[TEXTS],
		 const int64_t numbers[NUMBERS], struct account *out, struct error *err)
{
	out->environment_id = texts[0];
	out->id = texts[1];
	out->connector = texts[2];
	out->tenant_id = texts[3];
	out->status = read_status(texts[4]);
	out->authentication_method = texts[7];
	out->scopes = texts[8];
	out->created_ms = numbers[0];
	out->updated_ms = numbers[1];
	fill_token(numbers, &out->token);
	return read_object(arena, texts[5], &out->context, err) &&
	       read_object(arena, texts[6], &out->limits, err);
}

bool held_read_row(struct arena *arena, const struct store_rows *rows, size_t row,
		   struct account *out, struct error *err)
{
	struct str texts[TEXTS];
	int64_t numbers[NUMBERS];

	for (size_t i = 0; i < TEXTS; i++)
		texts[i] = store_cell(rows, row, i)->bytes;
	for (size_t i = 0; i < NUMBERS; i++)
		numbers[i] = store_cell(rows, row, TEXTS + i)->integer;
	return fill(arena, texts, numbers, out, err);
}

bool held_read(const struct held_account *account, struct arena *arena, struct account *out,
	       struct error *err)
{
	struct str texts[TEXTS];

	for (size_t i = 0; i < TEXTS; i++)
		texts[i] = arena_str(arena, account->texts[i]);
	return fill(arena, texts, account->numbers, out, err);
}

void held_token(const struct held_account *account, struct account_token *token)
{
	fill_token(account->numbers, token);
}

/* --- loading -------------------------------------------------------------------------------- */

static size_t measure(const struct store_rows *rows)
{
	size_t bytes = 0;

	for (size_t i = 0; i < TEXTS; i++)
		bytes += store_cell(rows, 0, i)->bytes.len;
	for (size_t row = 0; row < rows->count; row++)
		bytes += store_cell(rows, row, COLUMNS)->bytes.len +
			 store_cell(rows, row, COLUMNS + 1)->bytes.len;
	return bytes;
}

static struct str put(char **at, struct str s)
{
	struct str copy = str_make(*at, s.len);

	if (s.len > 0)
		memcpy(*at, s.data, s.len);
	*at += s.len;
	return copy;
}

/* Each row is the account with one field of its credential; an account without one has a row with
 * nulls there. */
static struct held_account *pack(const struct store_rows *rows)
{
	struct held_account *account = malloc(sizeof *account + measure(rows));

	if (account == NULL)
		die("out of memory for an account");
	char *at = account->bytes;
	for (size_t i = 0; i < TEXTS; i++)
		account->texts[i] = put(&at, store_cell(rows, 0, i)->bytes);
	for (size_t i = 0; i < NUMBERS; i++)
		account->numbers[i] = store_cell(rows, 0, TEXTS + i)->integer;
	account->field_count = 0;
	for (size_t row = 0; row < rows->count && row < CREDENTIAL_FIELDS_MAX; row++) {
		struct sealed_field *field = &account->fields[account->field_count];
		if (store_cell(rows, row, COLUMNS)->type == STORE_NULL)
			break;
		field->name = put(&at, store_cell(rows, row, COLUMNS)->bytes);
		field->sealed = put(&at, store_cell(rows, row, COLUMNS + 1)->bytes);
		field->version = store_cell(rows, row, COLUMNS + 2)->integer;
		account->field_count++;
	}
	return account;
}

static struct held_account *load(struct accounts *accounts, struct str environment_id,
				 struct str id, struct error *err)
{
	struct store_value values[] = {store_text(environment_id), store_text(id)};
	struct held_account *account = NULL;
	struct store_rows rows;
	struct arena arena;

	arena_init(&arena, QUERY_BYTES_MAX);
	/* One statement, one snapshot: never an account with another's or half a credential. */
	bool ok = store_query(accounts->store, &arena,
			      "SELECT " HELD_COLUMNS ", c.field, c.sealed, c.version FROM account a"
			      " LEFT JOIN credential c ON c.environment_id = a.environment_id"
			      " AND c.account_id = a.id"
			      " WHERE a.environment_id = ?1 AND a.id = ?2",
			      values, 2, &rows, err);
	if (ok && rows.count > 0)
		account = pack(&rows);
	else if (ok)
		held_missing(err);
	arena_finish(&arena);
	return account;
}

/* --- the cache ------------------------------------------------------------------------------ */

enum { CACHE_KEY_MAX = 2 * ID_LEN };

/* Both ids have one length, so that no two pairs give the same text. */
static bool cache_key(struct str environment_id, struct str id, char text[CACHE_KEY_MAX])
{
	if (!id_check(environment_id, "env_") || !id_check(id, "acc_"))
		return false;
	memcpy(text, environment_id.data, ID_LEN);
	memcpy(text + ID_LEN, id.data, ID_LEN);
	return true;
}

bool held_take(struct accounts *accounts, struct str environment_id, struct str id,
	       struct held *held, struct error *err)
{
	char key[CACHE_KEY_MAX];

	if (!cache_key(environment_id, id, key))
		return held_missing(err);
	*held = (struct held){0};
	if (store_is_current(accounts->store))
		held->account = cache_lock(&accounts->accounts, str_make(key, sizeof key));
	if (held->account != NULL)
		return true;
	held->is_loaded = true;
	held->generation = accounts->accounts.generation;
	held->account = load(accounts, environment_id, id, err);
	return held->account != NULL;
}

void held_release(struct accounts *accounts, struct held *held)
{
	char key[CACHE_KEY_MAX];

	if (!held->is_loaded)
		cache_unlock(&accounts->accounts);
	else if (cache_key(held->account->texts[0], held->account->texts[1], key))
		cache_put(&accounts->accounts, str_make(key, sizeof key), held->account,
			  held->generation);
	else
		free(held->account);
	held->account = NULL;
}

void held_forget(struct accounts *accounts, struct str environment_id, struct str id)
{
	char key[CACHE_KEY_MAX];

	if (cache_key(environment_id, id, key))
		cache_remove(&accounts->accounts, str_make(key, sizeof key));
}

bool held_sealed(const struct held_account *account, struct arena *arena, struct str field,
		 struct str *sealed, int64_t *version, struct error *err)
{
	for (size_t i = 0; i < account->field_count; i++) {
		if (!str_equal(account->fields[i].name, field))
			continue;
		*sealed = arena_str(arena, account->fields[i].sealed);
		*version = account->fields[i].version;
		return true;
	}
	return error_set_field(err, ERROR_NOT_FOUND, "credential", NULL,
			       "the account's credential has no such field");
}
