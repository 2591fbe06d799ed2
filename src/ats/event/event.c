#include "ats/event/event.h"

#include <assert.h>

enum { LIST_MAX = 1000 };

/* One thread alone commits, so nobody takes a number between the look-up and the row. */
struct store_statement event_statement(struct arena *arena, const struct event_new *event)
{
	const struct store_value values[] = {
		store_text(event->environment_id), store_text(event->type),
		store_text(event->account_id),	   store_text(event->payload),
		store_int(event->created_ms),	   store_text(event->resource),
		store_text(event->record_id),	   store_int(event->version),
	};
	const size_t count = sizeof values / sizeof *values;
	struct store_value *kept = arena_array(arena, count, sizeof *kept);

	memcpy(kept, values, sizeof values);
	return (struct store_statement){
		.sql = "INSERT INTO event (environment_id, number, type, account_id, payload,"
		       " created_ms, resource, record_id, version) SELECT ?1, coalesce((SELECT"
		       " max(number) FROM event WHERE environment_id = ?1), 0) + 1, ?2, ?3, ?4, ?5,"
		       " ?6, ?7, ?8",
		.parameters = kept,
		.parameter_count = count,
		.changes_expected = 1,
		.is_news = true,
	};
}

#define COLUMNS "number, type, account_id, payload, created_ms, resource, record_id, version"

static bool read_row(struct arena *arena, const struct store_rows *rows, size_t row,
		     struct event *out, struct error *err)
{
	out->number = store_cell(rows, row, 0)->integer;
	out->type = store_cell(rows, row, 1)->bytes;
	out->account_id = store_cell(rows, row, 2)->bytes;
	out->created_ms = store_cell(rows, row, 4)->integer;
	out->resource = store_cell(rows, row, 5)->bytes;
	out->record_id = store_cell(rows, row, 6)->bytes;
	out->version = store_cell(rows, row, 7)->integer;
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
			? "SELECT " COLUMNS " FROM event"
			  " WHERE environment_id = ?1 AND number > ?2 AND (?4 = '' OR type = ?4)"
			  " ORDER BY number LIMIT ?3"
			: "SELECT " COLUMNS " FROM event"
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

struct str event_id(struct arena *arena, struct str environment_id, int64_t number)
{
	return arena_format(arena, "evt_%.*s_%lld", (int)environment_id.len, environment_id.data,
			    (long long)number);
}

struct json event_json(struct arena *arena, struct str environment_id, const struct event *event)
{
	struct json_builder out;

	json_builder_init(&out, arena);
	json_builder_set(&out, STR("id"),
			 json_string(event_id(arena, environment_id, event->number)));
	json_builder_set(&out, STR("number"), json_int(event->number));
	json_builder_set(&out, STR("event"), json_string(event->type));
	json_builder_set(&out, STR("environment_id"), json_string(environment_id));
	json_builder_set(&out, STR("integrated_account_id"), json_string(event->account_id));
	if (event->resource.len > 0) {
		json_builder_set(&out, STR("resource"), json_string(event->resource));
		json_builder_set(&out, STR("record_id"), json_string(event->record_id));
		json_builder_set(&out, STR("version"), json_int(event->version));
	}
	json_builder_set(&out, STR("payload"), event->payload);
	json_builder_set(&out, STR("created_at"),
			 json_string(clock_format_ms(arena, event->created_ms)));
	return json_builder_object(&out);
}
