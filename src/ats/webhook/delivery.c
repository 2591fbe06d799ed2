/* Deliveries as rows: listed, shown, ordered again. */
#include "ats/webhook/parts.h"

enum { REPLAY_PAGE = 500 };

#define COLUMNS                                                                             \
	" number, type, account_id, resource, record_id, state, attempts, first_ms, last_ms," \
	" next_ms, status, error, reply, duration_ms "

static void read_row(const struct store_rows *rows, size_t row, struct webhook_delivery *out)
{
	*out = (struct webhook_delivery){
		.number = store_cell(rows, row, 0)->integer,
		.type = store_cell(rows, row, 1)->bytes,
		.account_id = store_cell(rows, row, 2)->bytes,
		.resource = store_cell(rows, row, 3)->bytes,
		.record_id = store_cell(rows, row, 4)->bytes,
		.state = store_cell(rows, row, 5)->bytes,
		.attempts = store_cell(rows, row, 6)->integer,
		.first_ms = store_cell(rows, row, 7)->integer,
		.last_ms = store_cell(rows, row, 8)->integer,
		.next_ms = store_cell(rows, row, 9)->integer,
		.status = store_cell(rows, row, 10)->integer,
		.error = store_cell(rows, row, 11)->bytes,
		.reply = store_cell(rows, row, 12)->bytes,
		.duration_ms = store_cell(rows, row, 13)->integer,
	};
}

bool webhook_deliveries(struct webhooks *webhooks, struct arena *arena,
			const struct webhook *webhook, const struct webhook_delivery_query *query,
			struct webhook_delivery **list, size_t *count, struct error *err)
{
	struct store_value values[] = {
		store_text(webhook->environment_id),
		store_text(webhook->id),
		store_text(query->state),
		store_int(query->number),
		store_int(query->before > 0 ? query->before : INT64_MAX),
		store_int((int64_t)query->limit),
	};
	struct store_rows rows;

	if (!store_query(webhooks->options.store, arena,
			 "SELECT" COLUMNS "FROM webhook_delivery WHERE environment_id = ?1"
			 " AND webhook_id = ?2 AND (?3 = '' OR state = ?3)"
			 " AND (?4 = 0 OR number = ?4) AND number < ?5 ORDER BY number DESC LIMIT ?6",
			 values, 6, &rows, err))
		return false;
	*list = arena_array(arena, rows.count + 1, sizeof **list);
	*count = rows.count;
	for (size_t i = 0; i < rows.count; i++)
		read_row(&rows, i, &(*list)[i]);
	return true;
}

/* --- showing ---------------------------------------------------------------------------------- */

struct json webhook_delivery_show(struct arena *arena, const struct webhook *webhook,
				  const struct webhook_delivery *delivery)
{
	struct json_builder out;

	json_builder_init(&out, arena);
	json_builder_set(&out, STR("event_id"),
			 json_string(event_id(arena, webhook->environment_id, delivery->number)));
	json_builder_set(&out, STR("number"), json_int(delivery->number));
	json_builder_set(&out, STR("event"), json_string(delivery->type));
	json_builder_set(&out, STR("integrated_account_id"),
			 json_string_or_null(delivery->account_id));
	json_builder_set(&out, STR("resource"), json_string_or_null(delivery->resource));
	json_builder_set(&out, STR("record_id"), json_string_or_null(delivery->record_id));
	json_builder_set(&out, STR("state"), json_string(delivery->state));
	json_builder_set(&out, STR("attempts"), json_int(delivery->attempts));
	json_builder_set(&out, STR("first_attempt_at"), json_time(arena, delivery->first_ms));
	json_builder_set(&out, STR("last_attempt_at"), json_time(arena, delivery->last_ms));
	json_builder_set(&out, STR("next_attempt_at"), json_time(arena, delivery->next_ms));
	json_builder_set(&out, STR("status"), delivery->status > 0 ? json_int(delivery->status)
								   : json_null());
	json_builder_set(&out, STR("error"), json_string_or_null(delivery->error));
	json_builder_set(&out, STR("response"), json_string_or_null(delivery->reply));
	json_builder_set(&out, STR("duration_ms"), json_int(delivery->duration_ms));
	return json_builder_object(&out);
}

/* --- again ------------------------------------------------------------------------------------ */

static struct store_statement order(struct arena *arena, const struct webhook *webhook,
				    const struct event *event, int64_t now_ms)
{
	const struct store_value values[] = {
		store_text(webhook->environment_id),
		store_text(webhook->id),
		store_int(event->number),
		store_text(event->type),
		store_text(event->account_id),
		store_text(event->resource),
		store_text(event->record_id),
		store_int(now_ms),
	};

	/* One that is pending keeps its place; what lies before it is told in its turn anyway. */
	return store_keep(arena,
			  "INSERT INTO webhook_delivery (environment_id, webhook_id, number, type,"
			  " account_id, resource, record_id, state, attempts, first_ms, last_ms,"
			  " next_ms, status, error, reply, duration_ms)"
			  " SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, 'pending', 0, 0, 0, ?8, 0, '', '', 0"
			  " FROM webhook WHERE environment_id = ?1 AND id = ?2 AND seen >= ?3"
			  " ON CONFLICT (environment_id, webhook_id, number) DO UPDATE SET"
			  " state = 'pending', attempts = 0, first_ms = 0, next_ms = ?8"
			  " WHERE webhook_delivery.state <> 'pending'",
			  values, sizeof values / sizeof *values, -1);
}

static bool order_page(struct webhooks *webhooks, struct arena *arena,
		       const struct webhook *webhook, const struct event_page *page,
		       struct error *err)
{
	struct store_statement *statements =
		arena_array(arena, page->count + 1, sizeof *statements);
	int64_t now_ms = clock_unix_ms(webhooks->options.clock);

	for (size_t i = 0; i < page->count; i++)
		statements[i] = order(arena, webhook, &page->items[i], now_ms);
	if (page->count == 0)
		return true;
	statements[page->count] = (struct store_statement){
		.sql = "UPDATE webhook SET version = version + 1"
		       " WHERE environment_id = ?1 AND id = ?2",
		.parameters = statements[0].parameters,
		.parameter_count = 2,
		.changes_expected = -1,
	};
	return store_write(webhooks->options.store, statements, page->count + 1, err);
}

bool webhook_replay(struct webhooks *webhooks, struct arena *arena, const struct webhook *webhook,
		    int64_t after, int64_t until, size_t *count, int64_t *last, struct error *err)
{
	struct event_query query = {.after = after, .until = until, .limit = REPLAY_PAGE};
	struct event_page page;
	struct arena one;
	bool ok = true;

	*count = 0;
	webhook_filter(arena, webhook, &query);
	do {
		arena_init(&one, 256 * 1024 * 1024);
		ok = event_read(webhooks->options.store, &one, &query, &page, err) &&
		     order_page(webhooks, &one, webhook, &page, err);
		arena_finish(&one);
		if (ok) {
			*count += page.count;
			query.after = page.seen;
		}
	} while (ok && !page.is_end && *count + REPLAY_PAGE <= WEBHOOK_REPLAY_MAX);
	*last = query.after;
	webhooks_tell(webhooks);
	return ok;
}
