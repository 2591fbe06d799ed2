/* Events: what happened to accounts, read from a number on. */
#include "ats/event/event.h"
#include "front/admin/routes.h"

static bool read_query(const struct http_exchange *exchange, struct event_query *query,
		       struct error *err)
{
	struct str after, text;
	int64_t limit;

	if (!admin_read_page(exchange, &after, &limit, err))
		return false;
	query->limit = (size_t)limit;
	http_exchange_query(exchange, "integrated_account_id", &query->account_id);
	http_exchange_query(exchange, "type", &query->type);
	if (http_exchange_query(exchange, "after", &text))
		after = text;
	if (after.len == 0 || (str_to_int64(after, &query->after) && query->after >= 0))
		return true;
	return error_set_field(err, ERROR_INVALID, "after", "the number of an event, or 0",
			       "after must be the number of an event");
}

static bool list(const struct door *door, struct http_exchange *exchange, struct error *err)
{
	struct event_query query = {0};
	struct json_builder items;
	struct str next = {NULL, 0};
	struct caller caller;
	struct event *events;
	size_t count;

	if (!admin_authorise(door, exchange, &caller, err) || !read_query(exchange, &query, err))
		return false;
	query.environment_id = caller.environment_id;
	if (!event_list(door->store, exchange->arena, &query, &events, &count, err))
		return false;
	json_builder_init(&items, exchange->arena);
	for (size_t i = 0; i < count; i++)
		json_builder_add(&items, event_json(exchange->arena, caller.environment_id,
						   &events[i]));
	if (count == query.limit)
		next = arena_format(exchange->arena, "%lld", (long long)events[count - 1].number);
	admin_reply_list(exchange, &items, next);
	return true;
}

void admin_list_events(void *context, struct http_exchange *exchange,
		       const struct http_match *match)
{
	struct error err;

	(void)match;
	if (!list(context, exchange, &err))
		door_reply_error(exchange, &err, NULL);
}
