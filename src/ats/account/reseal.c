/* What the vault must know of the table credential to rotate keys and to destroy them, and the
 * revocation of an environment. */
#include <assert.h>

#include "ats/account/held.h"

enum { PLACE_ENVIRONMENT = 1, PLACE_ACCOUNT, PLACE_FIELD, PLACE_VERSION };

/* Versions came with the second format. */
static void place(struct arena *arena, const struct store_value *row, bool is_first,
		  struct vault_binding *out)
{
	*out = held_binding(arena, row[PLACE_ENVIRONMENT].bytes, row[PLACE_ACCOUNT].bytes,
			    row[PLACE_FIELD].bytes, is_first ? 0 : row[PLACE_VERSION].integer);
}

static void changed(void *context, const struct store_value *key)
{
	held_forget(context, key[0].bytes, key[1].bytes);
}

void reseal_register(struct accounts *accounts)
{
	const struct vault_column column = {
		.name = "credential",
		.walk = "SELECT sealed, environment_id, account_id, field, version FROM credential"
			" WHERE (environment_id, account_id, field) > (?1, ?2, ?3)"
			" ORDER BY environment_id, account_id, field LIMIT ?4",
		.replace = "UPDATE credential SET sealed = ?2 WHERE sealed = ?1"
			   " AND environment_id = ?3 AND account_id = ?4 AND field = ?5",
		.count = "SELECT iif(substr(sealed, 1, 1) = x'02', substr(sealed, 3, 8), x''),"
			 " count(*) FROM credential WHERE environment_id = ?1 GROUP BY 1",
		.revoke = "DELETE FROM credential WHERE environment_id = ?1",
		.keys = 3,
		.place = place,
		.changed = changed,
		.context = accounts,
	};

	/* A token which is being got while the others are destroyed is of no version any more, and
	 * no other is asked for. */
	const struct vault_column tokens = {
		.name = "account_token_version",
		.revoke = "UPDATE account SET token_version = token_version + 1,"
			  " token_expires_ms = 1, token_refresh_ms = 0, token_refused = 1"
			  " WHERE environment_id = ?1",
	};

	vault_add_column(accounts->vault, &column);
	vault_add_column(accounts->vault, &tokens);
}

/* --- revocation ----------------------------------------------------------------------------- */

static bool take_active(struct accounts *accounts, const struct account *list, size_t count,
			size_t *moved, struct error *err)
{
	for (size_t i = 0; i < count; i++) {
		if (list[i].status == ACCOUNT_NEEDS_REAUTH)
			continue;
		struct error late;
		/* Moved or removed by somebody else meanwhile: that is as well. */
		if (account_set_status(accounts, &list[i], ACCOUNT_NEEDS_REAUTH,
				       STR("the credential was revoked"), &late))
			++*moved;
		else if (late.code != ERROR_CONFLICT && late.code != ERROR_NOT_FOUND) {
			*err = late;
			return false;
		}
	}
	return true;
}

bool accounts_revoke(struct accounts *accounts, struct str environment_id, size_t *count,
		     struct error *err)
{
	struct account *list;
	size_t some = LIST_MAX;
	char after[ID_LEN] = {0};
	size_t after_len = 0;
	bool ok = true;

	assert(accounts->magic == ACCOUNTS_MAGIC);
	*count = 0;
	if (!vault_revoke(accounts->vault, environment_id, err))
		return false;
	cache_clear(&accounts->accounts);
	while (ok && some == LIST_MAX) {
		struct arena arena;
		arena_init(&arena, 256L * 1024 * 1024);
		ok = account_list(accounts, &arena, environment_id, str_make(after, after_len),
				  LIST_MAX, &list, &some, err) &&
		     take_active(accounts, list, some, count, err);
		if (ok && some > 0 && list[some - 1].id.len == ID_LEN) {
			memcpy(after, list[some - 1].id.data, ID_LEN);
			after_len = ID_LEN;
		}
		arena_finish(&arena);
	}
	return ok;
}
