#include "ats/event/event.h"

#include <assert.h>

enum { LIST_MAX = 1000, LOOKED_AT_MAX = 5000 };

/* One thread alone commits, so nobody takes a number between the look-up and the row. */
struct store_statement event_statement(struct arena *arena, const struct event_new *event)
{
	const struct store_value values[] = {
		store_text(event->environment_id), store_text(event->type),
		store_text(event->account_id),	   store_text(event->payload),
		store_int(event->created_ms),	   store_text(event->resource),
		store_text(event->record_id),	   store_int(event->version),
	};
	struct store_statement statement = store_keep(
		arena,
		"INSERT INTO event (environment_id, number, type, account_id, payload, created_ms,"
		" resource, record_id, version) SELECT ?1, coalesce((SELECT max(number) FROM event"
		" WHERE environment_id = ?1), 0) + 1, ?2, ?3, ?4, ?5, ?6, ?7, ?8",
		values, sizeof values / sizeof *values, 1);

	statement.is_news = true;
	return statement;
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

/* Numbers have no gaps but where old events were thrown away, at the beginning: a range of numbers
 * is a bound for what is looked at. */
static bool find_range(struct store *store, struct arena *arena, const struct event_query *query,
		       int64_t *first, int64_t *last, struct error *err)
{
	struct store_value values[] = {store_text(query->environment_id), store_int(query->after)};
	struct store_rows rows;

	if (!store_query(store, arena,
			 "SELECT (SELECT min(number) FROM event WHERE environment_id = ?1"
			 " AND number > ?2), (SELECT max(number) FROM event"
			 " WHERE environment_id = ?1)",
			 values, 2, &rows, err))
		return false;
	bool is_there = store_cell(&rows, 0, 0)->type == STORE_INT;
	*first = is_there ? store_cell(&rows, 0, 0)->integer : 0;
	*last = is_there ? store_cell(&rows, 0, 1)->integer : 0;
	if (query->until > 0 && query->until < *last)
		*last = query->until;
	if (*first > *last)
		*first = *last = 0;
	return true;
}

/* GLOB would give [ and ? a meaning, which no name has in it. */
#define PASSES                                                                            \
	" AND (?5 = '' OR EXISTS (SELECT 1 FROM json_each(?5) WHERE event.type = value"    \
	" OR value = '*' OR (value LIKE '%*'"                                              \
	" AND substr(event.type, 1, length(value) - 1) = substr(value, 1, length(value) - 1))))" \
	" AND (?6 = '' OR resource = ?6) AND (?7 = '' OR record_id = ?7)"                  \
	" AND (?8 = '' OR resource = '' OR resource IN (SELECT value FROM json_each(?8)))" \
	" AND (?9 = '' OR account_id IN (SELECT value FROM json_each(?9)))"                \
	" AND (?10 = '' OR account_id = ?10)"                                              \
	" ORDER BY number LIMIT ?4"
#define FROM_RANGE " FROM event WHERE environment_id = ?1 AND number >= ?2 AND number <= ?3"

static const char by_number[] = "SELECT " COLUMNS FROM_RANGE PASSES;
static const char by_account[] = "SELECT " COLUMNS FROM_RANGE " AND account_id = ?10" PASSES;
static const char by_record[] =
	"SELECT " COLUMNS FROM_RANGE
	" AND account_id = ?10 AND resource = ?6 AND resource <> '' AND record_id = ?7" PASSES;

static const char *choose(const struct event_query *query)
{
	if (query->account_id.len == 0)
		return by_number;
	return query->resource.len > 0 && query->record_id.len > 0 ? by_record : by_account;
}

static bool read_range(struct store *store, struct arena *arena, const struct event_query *query,
		       int64_t first, int64_t last, struct store_rows *rows, struct error *err)
{
	struct store_value values[] = {
		store_text(query->environment_id), store_int(first),
		store_int(last),		   store_int((int64_t)query->limit),
		store_text(query->types),	   store_text(query->resource),
		store_text(query->record_id),	   store_text(query->resources),
		store_text(query->accounts),	   store_text(query->account_id),
	};

	return store_query(store, arena, choose(query), values, sizeof values / sizeof *values,
			   rows, err);
}

bool event_read(struct store *store, struct arena *arena, const struct event_query *query,
		struct event_page *page, struct error *err)
{
	int64_t first, last, end;
	struct store_rows rows = {0};

	assert(query->limit >= 1 && query->limit <= LIST_MAX);
	*page = (struct event_page){.seen = query->after, .is_end = true};
	if (!find_range(store, arena, query, &first, &last, err))
		return false;
	if (first == 0)
		return true;
	end = first + LOOKED_AT_MAX - 1;
	if (end > last || choose(query) != by_number)
		end = last;
	if (!read_range(store, arena, query, first, end, &rows, err))
		return false;
	page->items = arena_array(arena, rows.count + 1, sizeof *page->items);
	page->count = rows.count;
	for (size_t i = 0; i < rows.count; i++)
		if (!read_row(arena, &rows, i, &page->items[i], err))
			return false;
	page->seen = rows.count == query->limit ? page->items[rows.count - 1].number : end;
	page->is_end = page->seen >= last;
	return true;
}

bool event_list(struct store *store, struct arena *arena, const struct event_query *query,
		struct event **list, size_t *count, struct error *err)
{
	struct event_page page;

	if (!event_read(store, arena, query, &page, err))
		return false;
	*list = page.items;
	*count = page.count;
	return true;
}

bool event_get(struct store *store, struct arena *arena, struct str environment_id,
	       int64_t number, struct event *out, struct error *err)
{
	struct store_value values[] = {store_text(environment_id), store_int(number)};
	struct store_rows rows;

	if (!store_query(store, arena,
			 "SELECT " COLUMNS " FROM event WHERE environment_id = ?1 AND number = ?2",
			 values, 2, &rows, err))
		return false;
	if (rows.count == 1)
		return read_row(arena, &rows, 0, out, err);
	return error_set_field(err, ERROR_NOT_FOUND, "event_id", NULL, "there is no such event");
}

bool event_newest(struct store *store, struct arena *arena, struct str environment_id,
		  int64_t *number, struct error *err)
{
	struct store_value value = store_text(environment_id);
	struct store_rows rows;

	if (!store_query(store, arena, "SELECT max(number) FROM event WHERE environment_id = ?1",
			 &value, 1, &rows, err))
		return false;
	*number = store_cell(&rows, 0, 0)->type == STORE_INT ? store_cell(&rows, 0, 0)->integer : 0;
	return true;
}

struct str event_id(struct arena *arena, struct str environment_id, int64_t number)
{
	return arena_format(arena, "evt_%.*s_%lld", (int)environment_id.len, environment_id.data,
			    (long long)number);
}

bool event_read_id(struct str environment_id, struct str id, int64_t *number)
{
	struct str rest = id;

	if (!str_starts_with(rest, STR("evt_")))
		return false;
	rest = str_slice(rest, 4, rest.len);
	if (!str_starts_with(rest, environment_id))
		return false;
	rest = str_slice(rest, environment_id.len, rest.len);
	return rest.len > 1 && rest.data[0] == '_' &&
	       str_to_int64(str_slice(rest, 1, rest.len), number) && *number > 0;
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
	json_builder_set(&out, STR("integrated_account_id"),
			 event->account_id.len > 0 ? json_string(event->account_id) : json_null());
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
