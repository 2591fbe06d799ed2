/* Tokens of one account, for a browser that may call on its behalf for a quarter of an hour. */
#include "ats/link/links.h"

#include <assert.h>

static const char purpose[] = "account_token", prefix[] = "tacct_";

bool account_token_is(struct str text)
{
	return str_starts_with(text, str_from_c(prefix));
}

bool account_token_create(struct links *links, struct arena *arena, const struct account *account,
			  struct str *text, int64_t *expires_ms, struct error *err)
{
	int64_t now_ms = clock_unix_ms(links->clock);

	assert(links->magic == LINKS_MAGIC);
	*text = token_text_make(links->random, arena, prefix);
	*expires_ms = now_ms + (int64_t)ACCOUNT_TOKEN_SECONDS * 1000;
	struct store_value values[] = {
		store_text(account->environment_id),
		store_text(account->id),
		link_digest(links, arena, purpose, *text),
		store_int(*expires_ms),
	};
	struct store_value over[] = {values[0], values[1], store_int(now_ms)};
	const struct store_statement statements[] = {
		{
			.sql = "DELETE FROM account_token WHERE environment_id = ?1 AND"
			       " account_id = ?2 AND expires_ms <= ?3",
			.parameters = over,
			.parameter_count = 3,
			.changes_expected = -1,
		},
		{
			.sql = "INSERT INTO account_token (environment_id, account_id, digest,"
			       " expires_ms) VALUES (?1, ?2, ?3, ?4)",
			.parameters = values,
			.parameter_count = 4,
			.changes_expected = 1,
		},
	};
	return store_write(links->store, statements, 2, err);
}

bool account_token_authorise(struct links *links, struct arena *arena, struct str text,
			     struct str *environment_id, struct str *account_id, struct error *err)
{
	struct store_rows rows;

	assert(links->magic == LINKS_MAGIC);
	rows.count = 0;
	if (token_text_check(text, prefix)) {
		struct store_value values[] = {link_digest(links, arena, purpose, text),
					       store_int(clock_unix_ms(links->clock))};
		if (!store_query(links->store, arena,
				 "SELECT environment_id, account_id FROM account_token"
				 " WHERE digest = ?1 AND expires_ms > ?2",
				 values, 2, &rows, err))
			return false;
	}
	if (rows.count == 0)
		return error_set(err, ERROR_UNAUTHORIZED,
				 "the account's token is not valid: unknown, mistyped or expired");
	*environment_id = store_cell(&rows, 0, 0)->bytes;
	*account_id = store_cell(&rows, 0, 1)->bytes;
	return true;
}
