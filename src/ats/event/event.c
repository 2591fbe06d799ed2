#include "ats/event/event.h"

#include <assert.h>

enum { LIST_MAX = 1000, PAYLOAD_BYTES_MAX = 64 * 1024 };

/* One thread alone commits, so nobody takes a number between the look-up and the row. */
struct store_statement event_statement(struct arena *arena, struct str environment_id,
				       struct str account_id, const char *type,
				       struct json payload, int64_t now_ms)
{
	struct store_value *values = arena_array(arena, 5, sizeof *values);
	struct buffer text;

	buffer_init(&text, arena, PAYLOAD_BYTES_MAX);
	json_print(&text, payload);
	assert(!text.is_over); /* an account is a quarter of that at most */
	values[0] = store_text(environment_id);
	values[1] = store_text(str_from_c(type));
	values[2] = store_text(account_id);
	values[3] = store_text(buffer_str(&text));
	values[4] = store_int(now_ms);
	return (struct store_statement){
		.sql = "INSERT INTO event (environment_id, number, type, account_id, payload,"
		       " created_ms) SELECT ?1, coalesce((SELECT max(number) FROM event"
		       " WHERE environment_id = ?1), 0) + 1, ?2, ?3, ?4, ?5",
		.parameters = values,
		.parameter_count = 5,
		.changes_expected = 1,
	};
}

static bool read_row(struct arena *arena, const struct store_rows *rows, size_t row,
		     struct event *out, struct error *err)
{
	out->number = store_cell(rows, row, 0)->integer;
	out->type = store_cell(rows, row, 1)->bytes;
	out->account_id = store_cell(rows, row, 2)->bytes;
	out->created_ms = store_cell(rows, row, 4)->integer;
	return json_parse(arena, store_cell(rows, row, 3)->bytes, &json_limits_default,
			  &out->payload, err) ||
	       error_set(err, ERROR_INTERNAL, "the row of an event is damaged");
}

bool event_list(struct store *store, struct arena *arena, const struct event_query *query,
		struct event **list, size_t *count, struct error *err)
{
	struct store_value values[] = {
		store_text(query->environment_id), store_int(query->after),
		store_int((int64_t)query->limit),  store_text(query->type),
		store_text(query->account_id),
	};
	struct store_rows rows;
	/* Of one account by its own index. */
	const char *sql =
		query->account_id.len == 0
			? "SELECT number, type, account_id, payload, created_ms FROM event"
			  " WHERE environment_id = ?1 AND number > ?2 AND (?4 = '' OR type = ?4)"
			  " ORDER BY number LIMIT ?3"
			: "SELECT number, type, account_id, payload, created_ms FROM event"
			  " WHERE environment_id = ?1 AND account_id = ?5 AND number > ?2"
			  " AND (?4 = '' OR type = ?4) ORDER BY number LIMIT ?3";

	assert(query->limit >= 1 && query->limit <= LIST_MAX);
	if (!store_query(store, arena, sql, values, query->account_id.len == 0 ? 4 : 5, &rows, err))
		return false;
	*list = arena_array(arena, rows.count + 1, sizeof **list);
	*count = rows.count;
	for (size_t i = 0; i < rows.count; i++)
		if (!read_row(arena, &rows, i, &(*list)[i], err))
			return false;
	return true;
}
