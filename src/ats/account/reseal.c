#include <assert.h>

#include "ats/account/held.h"

/* Sealing anew under the newest master key. Rows are walked by their key, so that it can be broken
 * off and begun again, and runs beside everything else. */
enum { STEP_ROWS = 100 };

struct place {
	struct str environment_id;
	struct str account_id;
	struct str field;
	int64_t version;
};

static bool query_after(struct accounts *accounts, struct arena *arena, const struct place *after,
			struct store_rows *rows, struct error *err)
{
	struct store_value values[] = {
		store_text(after->environment_id),
		store_text(after->account_id),
		store_text(after->field),
		store_int(STEP_ROWS),
	};

	return store_query(accounts->store, arena,
			   "SELECT environment_id, account_id, field, sealed, version FROM credential"
			   " WHERE (environment_id, account_id, field) > (?1, ?2, ?3)"
			   " ORDER BY environment_id, account_id, field LIMIT ?4",
			   values, 4, rows, err);
}

static bool replace(struct accounts *accounts, struct arena *arena, const struct place *place,
		    struct str old, struct error *err)
{
	struct vault_binding binding =
		held_binding(arena, place->environment_id, place->account_id, place->field,
			     place->version);
	struct secret secret;
	struct str sealed;

	if (!vault_open_sealed(accounts->vault, &binding, old, &secret, err))
		return false;
	bool is_sealed = vault_seal(accounts->vault, arena, &binding, secret_str(&secret), &sealed,
				    err);
	secret_finish(&secret);
	if (!is_sealed)
		return false;
	struct store_value values[] = {
		store_text(place->environment_id), store_text(place->account_id),
		store_text(place->field), store_blob(old), store_blob(sealed),
	};
	/* Only if it is still the one that was read; else it has just been sealed anew. */
	struct store_statement statement = {
		.sql = "UPDATE credential SET sealed = ?5 WHERE environment_id = ?1"
		       " AND account_id = ?2 AND field = ?3 AND sealed = ?4",
		.parameters = values,
		.parameter_count = 5,
		.changes_expected = -1,
	};
	bool ok = store_write(accounts->store, &statement, 1, err);
	held_forget(accounts, place->environment_id, place->account_id);
	return ok;
}

static bool do_step(struct accounts *accounts, struct arena *arena, const struct store_rows *rows,
		    struct place *last, size_t *count, struct error *err)
{
	for (size_t i = 0; i < rows->count; i++) {
		struct str sealed = store_cell(rows, i, 3)->bytes;
		*last = (struct place){
			.environment_id = store_cell(rows, i, 0)->bytes,
			.account_id = store_cell(rows, i, 1)->bytes,
			.field = store_cell(rows, i, 2)->bytes,
			.version = store_cell(rows, i, 4)->integer,
		};
		if (vault_is_current(accounts->vault, sealed))
			continue;
		if (!replace(accounts, arena, last, sealed, err))
			return false;
		++*count;
	}
	return true;
}

bool accounts_reseal(struct accounts *accounts, size_t *count, struct error *err)
{
	struct arena arenas[2]; /* a step's rows, and those of the one before with its last place */
	struct place last = {0};
	struct store_rows rows;
	bool ok = true;

	assert(accounts->magic == ACCOUNTS_MAGIC);
	*count = 0;
	arena_init(&arenas[0], QUERY_BYTES_MAX);
	arena_init(&arenas[1], QUERY_BYTES_MAX);
	for (int turn = 0; ok; turn ^= 1) {
		arena_finish(&arenas[turn]);
		ok = query_after(accounts, &arenas[turn], &last, &rows, err);
		if (!ok || rows.count == 0)
			break;
		ok = do_step(accounts, &arenas[turn], &rows, &last, count, err);
	}
	arena_finish(&arenas[0]);
	arena_finish(&arenas[1]);
	return ok;
}
