/* What has come for an account in the last days. */
#include <assert.h>
#include <sodium.h>

#include "ats/inbound/inbounds.h"

enum { LIST_MAX = 1000 };

static const struct str id_prefix = STR_INIT("ind_");

static struct str show_id(struct arena *arena, struct str digest)
{
	char hex[2 * INBOUND_DIGEST_BYTES + 1] = "";

	if (digest.len == INBOUND_DIGEST_BYTES)
		sodium_bin2hex(hex, sizeof hex, (const unsigned char *)digest.data, digest.len);
	return arena_format(arena, "ind_%s", hex);
}

/* Of an id that is none, the digest that stands before all. */
static struct str read_id(struct arena *arena, struct str id)
{
	unsigned char *digest = arena_zero(arena, INBOUND_DIGEST_BYTES);
	size_t len;

	if (str_starts_with(id, id_prefix) &&
	    sodium_hex2bin(digest, INBOUND_DIGEST_BYTES, id.data + id_prefix.len,
			   id.len - id_prefix.len, NULL, &len, NULL) == 0)
		return str_make((char *)digest, len);
	return str_make((char *)digest, 0);
}

static bool read_row(struct arena *arena, const struct store_rows *rows, size_t row,
		     struct inbound_delivery *out, struct error *err)
{
	*out = (struct inbound_delivery){
		.id = show_id(arena, store_cell(rows, row, 0)->bytes),
		.received_ms = store_cell(rows, row, 1)->integer,
		.repeated = store_cell(rows, row, 2)->integer,
		.remote_id = store_cell(rows, row, 3)->bytes,
		.event = store_cell(rows, row, 4)->bytes,
		.body = store_cell(rows, row, 5)->bytes,
		.hint_count = store_cell(rows, row, 7)->integer,
		.taken = store_cell(rows, row, 8)->integer,
		.error = store_cell(rows, row, 9)->bytes,
	};
	return json_parse(arena, store_cell(rows, row, 6)->bytes, &json_limits_default, &out->hints,
			  err) ||
	       error_set(err, ERROR_INTERNAL, "the row of a notification is damaged");
}

bool inbound_list(struct inbounds *inbounds, struct arena *arena, const struct account *account,
		  const struct inbound_query *query, struct inbound_delivery **list, size_t *count,
		  struct error *err)
{
	struct store_value values[] = {
		store_text(account->environment_id),
		store_text(account->id),
		store_int(query->before_ms == 0 ? INT64_MAX : query->before_ms),
		store_blob(read_id(arena, query->before_id)),
		store_int((int64_t)query->limit),
	};
	struct store_rows rows;

	assert(query->limit >= 1 && query->limit <= LIST_MAX);
	if (!store_query(inbounds->options.store, arena,
			 "SELECT digest, received_ms, repeated, remote_id, event, body, hints,"
			 " hint_count, taken, error FROM inbound_delivery WHERE environment_id = ?1"
			 " AND account_id = ?2 AND (received_ms, digest) < (?3, ?4)"
			 " ORDER BY received_ms DESC, digest DESC LIMIT ?5",
			 values, 5, &rows, err))
		return false;
	*list = arena_array(arena, rows.count + 1, sizeof **list);
	*count = rows.count;
	for (size_t i = 0; i < rows.count; i++)
		if (!read_row(arena, &rows, i, &(*list)[i], err))
			return false;
	return true;
}
