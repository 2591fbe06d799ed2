/* What was kept is sealed: each is opened to see whether it tells of somebody. */
#include "ats/idempotency/rows.h"

enum { ROWS_AT_ONCE = 50, BATCH_BYTES_MAX = 256 * 1024 * 1024, REPLY = -1 };

struct walk {
	struct idempotency *idempotency;
	struct str environment_id;
	struct str account_id;
	bool (*tells)(void *context, struct arena *arena, struct str text);
	void *context;
	int64_t *count;
};

static bool open_row(const struct walk *walk, struct arena *arena, struct str key_hash,
		     int64_t number, struct str sealed, struct str *plain, struct error *err)
{
	const struct idempotency_attempt attempt = {
		.idempotency = walk->idempotency,
		.arena = arena,
		.environment_id = walk->environment_id,
		.account_id = walk->account_id,
		.key_hash = key_hash,
	};

	return rows_open(&attempt, number, sealed, plain, err);
}

/* One that was kept anew meanwhile is left for the next look. */
static bool replace(const struct walk *walk, const char *sql, const struct store_value *values,
		    size_t count, struct error *err)
{
	const struct store_statement statement = {sql, values, count, 1};

	if (store_write(walk->idempotency->store, &statement, 1, err)) {
		++*walk->count;
		return true;
	}
	return err->code == ERROR_CONFLICT;
}

/* A record without anything but an id is a reply that callers can read. */
static struct str blank(struct arena *arena, struct str plain)
{
	struct json reply;
	struct error ignored;
	struct json_member id;

	if (!json_parse(arena, plain, &json_limits_default, &reply, &ignored) ||
	    json_get_str(reply, "id").len == 0)
		return STR("{}");
	id = json_member(STR("id"), json_get_c(reply, "id"));
	return json_text(arena, json_object(&id, 1));
}

static bool erase_reply(const struct walk *walk, struct arena *arena, const struct store_value *row,
			struct error *err)
{
	struct vault_binding binding = rows_binding(arena, walk->environment_id, walk->account_id,
						    row[1].bytes, REPLY);
	struct str plain, sealed, left;

	if (!open_row(walk, arena, row[1].bytes, REPLY, row[0].bytes, &plain, err))
		return false;
	left = blank(arena, plain);
	if (str_equal(left, plain) || !walk->tells(walk->context, arena, plain))
		return true;
	if (!vault_seal(walk->idempotency->vault, arena, &binding, left, &sealed, err))
		return false;
	const struct store_value values[] = {store_text(walk->environment_id),
					     store_text(walk->account_id), row[1], row[0],
					     store_blob(sealed)};
	return replace(walk,
		       "UPDATE idempotency SET reply = ?5 WHERE environment_id = ?1"
		       " AND account_id = ?2 AND key_hash = ?3 AND reply = ?4",
		       values, 5, err);
}

static bool erase_call(const struct walk *walk, struct arena *arena, const struct store_value *row,
		       struct error *err)
{
	struct str plain;

	if (!open_row(walk, arena, row[1].bytes, row[2].integer, row[0].bytes, &plain, err))
		return false;
	if (!walk->tells(walk->context, arena, plain))
		return true;
	const struct store_value values[] = {store_text(walk->environment_id),
					     store_text(walk->account_id), row[1], row[2], row[0]};
	return replace(walk,
		       "UPDATE idempotency_call SET result = NULL WHERE environment_id = ?1"
		       " AND account_id = ?2 AND key_hash = ?3 AND number = ?4 AND result = ?5",
		       values, 5, err);
}

static bool walk_all(const struct walk *walk, const char *sql,
		     bool (*erase)(const struct walk *walk, struct arena *arena,
				   const struct store_value *row, struct error *err),
		     struct error *err)
{
	unsigned char hash[HASH_BYTES] = {0};
	struct store_value values[] = {store_text(walk->environment_id),
				       store_text(walk->account_id), store_blob(STR("")),
				       store_int(-1)};
	struct store_rows rows;
	struct arena arena;
	bool ok = true;

	do {
		arena_init(&arena, BATCH_BYTES_MAX);
		ok = store_query(walk->idempotency->store, &arena, sql, values, 4, &rows, err);
		for (size_t i = 0; ok && i < rows.count; i++) {
			ok = erase(walk, &arena, store_cell(&rows, i, 0), err);
			struct str key = store_cell(&rows, i, 1)->bytes;
			memcpy(hash, key.data, key.len < sizeof hash ? key.len : sizeof hash);
			values[2] = store_blob(str_make((const char *)hash, key.len));
			values[3] = *store_cell(&rows, i, 2);
		}
		arena_finish(&arena);
		loop_sleep_ms(0);
	} while (ok && rows.count == ROWS_AT_ONCE);
	return ok;
}

bool idempotency_erase(struct idempotency *idempotency, struct str environment_id,
		       struct str account_id,
		       bool (*tells)(void *context, struct arena *arena, struct str text),
		       void *context, int64_t *count, struct error *err)
{
	const struct walk walk = {idempotency, environment_id, account_id, tells, context, count};

	return walk_all(&walk,
			"SELECT reply, key_hash, 0 FROM idempotency WHERE environment_id = ?1"
			" AND account_id = ?2 AND (key_hash, 0) > (?3, ?4) AND reply IS NOT NULL"
			" ORDER BY key_hash LIMIT 50",
			erase_reply, err) &&
	       walk_all(&walk,
			"SELECT result, key_hash, number FROM idempotency_call WHERE"
			" environment_id = ?1 AND account_id = ?2 AND (key_hash, number) > (?3, ?4)"
			" AND result IS NOT NULL ORDER BY key_hash, number LIMIT 50",
			erase_call, err);
}
