/* Secrets of endpoints: made, told once, sealed, opened for signing. */
#include <sodium.h>

#include "ats/webhook/parts.h"

enum { SHARED_BYTES = 32 };

static struct vault_binding binding_of(struct arena *arena, struct str environment_id,
				       struct str webhook_id, int64_t number)
{
	return (struct vault_binding){
		.environment = environment_id,
		.subject = arena_format(arena, "%.*s/%lld", STR_ARGS(webhook_id),
					(long long)number),
		.field = STR("webhook_secret.secret"),
	};
}

/* --- for the vault ---------------------------------------------------------------------------- */

static void place(struct arena *arena, const struct store_value *row, bool is_first,
		  struct vault_binding *out)
{
	int64_t number = 0;

	(void)is_first;
	if (row[3].type == STORE_INT)
		number = row[3].integer;
	*out = binding_of(arena, row[1].bytes, row[2].bytes, number);
}

static const struct vault_column column = {
	.name = "webhook_secret",
	.walk = "SELECT secret, environment_id, webhook_id, number FROM webhook_secret"
		" WHERE (environment_id, webhook_id, number) > (?1, ?2, ?3)"
		" ORDER BY environment_id, webhook_id, number LIMIT ?4",
	.replace = "UPDATE webhook_secret SET secret = ?2 WHERE secret = ?1 AND environment_id = ?3"
		   " AND webhook_id = ?4 AND number = ?5",
	.count = "SELECT iif(substr(secret, 1, 1) = x'02', substr(secret, 3, 8), x''), count(*)"
		 " FROM webhook_secret WHERE environment_id = ?1 GROUP BY 1",
	.revoke = "DELETE FROM webhook_secret WHERE environment_id = ?1",
	.keys = 3,
	.types = {[2] = STORE_INT},
	.place = place,
};

void secret_register(struct vault *vault)
{
	vault_add_column(vault, &column);
}

/* --- making ----------------------------------------------------------------------------------- */

struct made {
	unsigned char bytes[crypto_sign_SECRETKEYBYTES];
	size_t len;
	struct str public_key;
};

static bool find_number(struct webhooks *webhooks, struct arena *arena,
			const struct webhook *webhook, int64_t *number, struct error *err)
{
	struct store_value values[] = {store_text(webhook->environment_id),
				       store_text(webhook->id)};
	struct store_rows rows;

	if (!store_query(webhooks->options.store, arena,
			 "SELECT coalesce(max(number), 0) + 1 FROM webhook_secret"
			 " WHERE environment_id = ?1 AND webhook_id = ?2",
			 values, 2, &rows, err))
		return false;
	*number = store_cell(&rows, 0, 0)->integer;
	return true;
}

static bool make_row(struct webhooks *webhooks, struct arena *arena, const struct webhook *webhook,
		     const struct made *made, int64_t number, int64_t now_ms,
		     struct store_statement *statement, struct error *err)
{
	struct vault_binding binding =
		binding_of(arena, webhook->environment_id, webhook->id, number);
	struct str plain = str_make((const char *)made->bytes, made->len), sealed;
	struct store_value *values = arena_array(arena, 7, sizeof *values);

	if (!vault_seal(webhooks->options.vault, arena, &binding, plain, &sealed, err))
		return false;
	values[0] = store_text(webhook->environment_id);
	values[1] = store_text(webhook->id);
	values[2] = store_int(number);
	values[3] = store_text(made->public_key.len > 0 ? STR("v1a") : STR("v1"));
	values[4] = store_blob(sealed);
	values[5] = store_text(made->public_key);
	values[6] = store_int(now_ms);
	*statement = (struct store_statement){
		.sql = "INSERT INTO webhook_secret (environment_id, webhook_id, number, kind,"
		       " secret, public_key, created_ms, expires_ms)"
		       " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 0)",
		.parameters = values,
		.parameter_count = 7,
		.changes_expected = 1,
	};
	return true;
}

static void make_pair(const struct random *random, struct arena *arena, struct made *made)
{
	unsigned char seed[crypto_sign_SEEDBYTES], public_key[crypto_sign_PUBLICKEYBYTES];

	random_fill(random, seed, sizeof seed);
	crypto_sign_seed_keypair(public_key, made->bytes, seed);
	secret_wipe(seed, sizeof seed);
	made->len = sizeof made->bytes;
	made->public_key = webhook_base64(arena, "whpk_", public_key, sizeof public_key);
}

bool secret_make(struct webhooks *webhooks, struct arena *arena, const struct webhook *webhook,
		 bool is_asymmetric, int64_t now_ms, struct webhook_secret *told,
		 struct store_statement statements[2], size_t *count, struct error *err)
{
	struct made made = {.len = SHARED_BYTES};
	int64_t number;
	bool ok;

	*count = 1;
	if (!find_number(webhooks, arena, webhook, &number, err))
		return false;
	random_fill(webhooks->options.random, made.bytes, SHARED_BYTES);
	*told = (struct webhook_secret){
		.secret = webhook_base64(arena, "whsec_", made.bytes, SHARED_BYTES)};
	ok = make_row(webhooks, arena, webhook, &made, number, now_ms, &statements[0], err);
	if (ok && is_asymmetric) {
		make_pair(webhooks->options.random, arena, &made);
		told->public_key = made.public_key;
		*count = 2;
		ok = make_row(webhooks, arena, webhook, &made, number + 1, now_ms, &statements[1],
			      err);
	}
	secret_wipe(made.bytes, sizeof made.bytes);
	return ok;
}

/* --- opening ---------------------------------------------------------------------------------- */

bool secret_has_asymmetric(struct webhooks *webhooks, struct arena *arena,
			   const struct webhook *webhook, bool *has, struct error *err)
{
	struct store_value values[] = {store_text(webhook->environment_id),
				       store_text(webhook->id)};
	struct store_rows rows;

	if (!store_query(webhooks->options.store, arena,
			 "SELECT count(*) FROM webhook_secret WHERE environment_id = ?1"
			 " AND webhook_id = ?2 AND kind = 'v1a' AND expires_ms = 0",
			 values, 2, &rows, err))
		return false;
	*has = store_cell(&rows, 0, 0)->integer > 0;
	return true;
}

void secret_close_all(struct webhook_key *keys, size_t count)
{
	for (size_t i = 0; i < count; i++)
		secret_finish(&keys[i].bytes);
}

static bool open_rows(struct webhooks *webhooks, struct arena *arena,
		      const struct webhook *webhook, const struct store_rows *rows,
		      struct webhook_key *keys, size_t *count, int64_t *until_ms,
		      struct error *err)
{
	for (size_t i = 0; i < rows->count; i++) {
		struct vault_binding binding = binding_of(arena, webhook->environment_id,
							  webhook->id,
							  store_cell(rows, i, 0)->integer);
		int64_t expires_ms = store_cell(rows, i, 3)->integer;

		keys[i] = (struct webhook_key){
			.is_asymmetric = str_equal(store_cell(rows, i, 1)->bytes, STR("v1a"))};
		if (!vault_open_sealed(webhooks->options.vault, &binding,
				       store_cell(rows, i, 2)->bytes, &keys[i].bytes, err))
			return false;
		*count = i + 1;
		if (expires_ms > 0 && expires_ms < *until_ms)
			*until_ms = expires_ms;
	}
	return true;
}

bool secret_open_all(struct webhooks *webhooks, const struct webhook *webhook, int64_t now_ms,
		     struct webhook_key keys[WEBHOOK_SECRETS_MAX], size_t *count,
		     int64_t *until_ms, struct error *err)
{
	struct store_value values[] = {
		store_text(webhook->environment_id),
		store_text(webhook->id),
		store_int(now_ms),
		store_int(WEBHOOK_SECRETS_MAX),
	};
	struct store_rows rows;
	struct arena arena;

	*count = 0;
	*until_ms = INT64_MAX;
	arena_init(&arena, 1024 * 1024);
	bool ok = store_query(webhooks->options.store, &arena,
			      "SELECT number, kind, secret, expires_ms FROM webhook_secret"
			      " WHERE environment_id = ?1 AND webhook_id = ?2"
			      " AND (expires_ms = 0 OR expires_ms > ?3)"
			      " ORDER BY number DESC LIMIT ?4",
			      values, 4, &rows, err) &&
		  (rows.count > 0 ||
		   error_set(err, ERROR_NOT_FOUND, "the endpoint has no secret: rotate it")) &&
		  open_rows(webhooks, &arena, webhook, &rows, keys, count, until_ms, err);
	arena_finish(&arena);
	if (!ok) {
		secret_close_all(keys, *count);
		*count = 0;
	}
	return ok;
}
