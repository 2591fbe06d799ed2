/* Events: what happened, read from a number on: a page, the next as soon as there is one (long
 * poll), or all as they come (server-sent events). */
#include "ats/event/event.h"

#include <stdatomic.h>

#include "front/admin/routes.h"

enum {
	WAIT_SECONDS_MAX = 60,
	TURN_MS = 1000,	    /* how long nobody looks whether the server ends, or the key did */
	GATHER_MS = 20,	    /* between two looks, however often the bell rings */
	ALIVE_TURNS = 15,   /* until a caller is told that the stream is alive */
	PAGE_BYTES_MAX = 64 * 1024 * 1024,
};

/* --- what is asked for ------------------------------------------------------------------------ */

static bool read_after(const struct door *door, struct http_exchange *exchange, struct str after,
		       struct event_query *query, struct error *err)
{
	struct str last = http_exchange_header(exchange, "last-event-id"), text;

	if (http_exchange_query(exchange, "after", &text))
		after = text;
	if (last.len > 0)
		after = last;
	if (str_equal(after, STR("latest")))
		return event_newest(door->store, exchange->arena, query->environment_id,
				    &query->after, err);
	if (after.len == 0 || (str_to_int64(after, &query->after) && query->after >= 0))
		return true;
	return error_set_field(err, ERROR_INVALID, "after", "the number of an event, 0, or latest",
			       "after must be the number of an event, or latest");
}

static struct str list_of(struct http_exchange *exchange, const char *name)
{
	struct json_builder names;
	struct str rest;

	if (!http_exchange_query(exchange, name, &rest) || rest.len == 0)
		return (struct str){NULL, 0};
	json_builder_init(&names, exchange->arena);
	while (rest.len > 0)
		json_builder_add(&names, json_string(str_trim(str_cut(&rest, ','))));
	return json_text(exchange->arena, json_builder_array(&names));
}

static bool read_wait(const struct http_exchange *exchange, int64_t *seconds, struct error *err)
{
	struct str text;

	*seconds = 0;
	if (!http_exchange_query(exchange, "wait", &text) ||
	    (str_to_int64(text, seconds) && *seconds >= 0 && *seconds <= WAIT_SECONDS_MAX))
		return true;
	return error_set_field(err, ERROR_INVALID, "wait", "a whole number of seconds from 0 to 60",
			       "wait must be a whole number of seconds from 0 to 60");
}

static bool read_query(const struct door *door, struct http_exchange *exchange,
		       struct event_query *query, struct error *err)
{
	struct str after;
	int64_t limit;

	if (!admin_read_page(exchange, &after, &limit, err))
		return false;
	query->limit = (size_t)limit;
	query->types = list_of(exchange, "type");
	http_exchange_query(exchange, "integrated_account_id", &query->account_id);
	http_exchange_query(exchange, "resource", &query->resource);
	http_exchange_query(exchange, "record_id", &query->record_id);
	return read_after(door, exchange, after, query, err);
}

/* --- waiting ---------------------------------------------------------------------------------- */

static bool is_over(const struct door *door, const struct http_exchange *exchange)
{
	return http_exchange_is_gone(exchange) || loop_is_interrupted() ||
	       (door->is_draining != NULL && atomic_load(door->is_draining));
}

/* Until the bell rings, or it is time to look around. */
static void wait_for_ring(const struct door *door, uint64_t count, int64_t deadline_ns)
{
	int64_t now_ns = clock_monotonic_ns(door->services->clock);
	int64_t turn_ns = now_ns + (int64_t)TURN_MS * 1000000;

	if (event_bell_wait(door->bell, count, turn_ns < deadline_ns ? turn_ns : deadline_ns))
		loop_sleep_ms(GATHER_MS);
}

/* --- a page ----------------------------------------------------------------------------------- */

static bool find_page(const struct door *door, struct http_exchange *exchange,
		      struct event_query *query, int64_t wait_s, struct event_page *page,
		      struct error *err)
{
	const struct clock *clock = door->services->clock;
	int64_t deadline_ns = clock_monotonic_ns(clock) + wait_s * 1000000000;

	for (;;) {
		uint64_t count = wait_s == 0 ? 0 : event_bell_count(door->bell);

		if (!event_read(door->store, exchange->arena, query, page, err))
			return false;
		if (wait_s == 0 || page->count > 0 || is_over(door, exchange) ||
		    clock_monotonic_ns(clock) >= deadline_ns)
			return true;
		query->after = page->seen;
		if (page->is_end)
			wait_for_ring(door, count, deadline_ns);
	}
}

static bool list(const struct door *door, struct http_exchange *exchange,
		 struct event_query *query, struct error *err)
{
	struct json_builder items;
	struct event_page page;
	struct str next = {NULL, 0};
	int64_t wait_s;

	if (!read_wait(exchange, &wait_s, err))
		return false;
	if (wait_s > 0)
		http_exchange_end_with_caller(exchange);
	if (!find_page(door, exchange, query, wait_s, &page, err))
		return false;
	json_builder_init(&items, exchange->arena);
	for (size_t i = 0; i < page.count; i++)
		json_builder_add(&items, event_json(exchange->arena, query->environment_id,
						   &page.items[i]));
	if (!page.is_end || page.count == query->limit)
		next = arena_format(exchange->arena, "%lld", (long long)page.seen);
	admin_reply_list(exchange, &items, next);
	return true;
}

/* --- a stream --------------------------------------------------------------------------------- */

static bool tell(struct http_exchange *exchange, struct arena *arena, struct str environment_id,
		 const struct event *event)
{
	struct buffer out;
	struct error gone;

	buffer_init(&out, arena, SIZE_MAX);
	buffer_append_format(&out, "id: %lld\nevent: %.*s\ndata: ", (long long)event->number,
			     STR_ARGS(event->type));
	json_print(&out, event_json(arena, environment_id, event));
	buffer_append_c(&out, "\n\n");
	return http_exchange_write(exchange, buffer_str(&out), &gone);
}

/* False: the caller has gone, or the store does not answer. */
static bool tell_page(const struct door *door, struct http_exchange *exchange,
		      struct event_query *query, bool *is_end, bool *has_told)
{
	struct event_page page;
	struct arena arena;
	struct error err;

	arena_init(&arena, PAGE_BYTES_MAX);
	bool ok = event_read(door->store, &arena, query, &page, &err);
	for (size_t i = 0; ok && i < page.count; i++)
		ok = tell(exchange, &arena, query->environment_id, &page.items[i]);
	if (ok) {
		query->after = page.seen;
		*is_end = page.is_end;
		*has_told = page.count > 0;
	}
	arena_finish(&arena);
	return ok;
}

static bool may_still(const struct door *door, struct http_exchange *exchange)
{
	struct caller caller;
	struct error err;

	return door_authorise(door, exchange, KEY_SCOPE_ADMIN, &caller, &err);
}

static void follow(const struct door *door, struct http_exchange *exchange,
		   struct event_query *query)
{
	const struct clock *clock = door->services->clock;
	int64_t looked_ns = clock_monotonic_ns(clock);
	bool is_end = true, has_told = false;
	unsigned quiet = 0;
	struct error gone;

	while (!is_over(door, exchange)) {
		uint64_t count = event_bell_count(door->bell);

		if (!tell_page(door, exchange, query, &is_end, &has_told))
			return;
		if (is_end)
			wait_for_ring(door, count, INT64_MAX);
		quiet = has_told ? 0 : quiet;
		if (clock_monotonic_ns(clock) - looked_ns < (int64_t)TURN_MS * 1000000)
			continue;
		looked_ns = clock_monotonic_ns(clock);
		if (!may_still(door, exchange))
			return;
		if (++quiet % ALIVE_TURNS == 0 &&
		    !http_exchange_write(exchange, STR(": alive\n\n"), &gone))
			return;
	}
}

static void stream(const struct door *door, struct http_exchange *exchange,
		   struct event_query *query)
{
	struct error gone;

	exchange->content_type = STR("text/event-stream");
	http_exchange_set_header(exchange, "Cache-Control", STR("no-cache"));
	http_exchange_set_header(exchange, "X-Accel-Buffering", STR("no"));
	http_exchange_end_with_caller(exchange);
	http_exchange_begin_reply(exchange, 200, HTTP_LENGTH_UNKNOWN);
	if (http_exchange_write(exchange, STR("retry: 2000\n\n"), &gone))
		follow(door, exchange, query);
}

/* --- requests --------------------------------------------------------------------------------- */

static bool answer(const struct door *door, struct http_exchange *exchange, struct error *err)
{
	struct event_query query = {0};
	struct caller caller;

	if (!admin_authorise(door, exchange, &caller, err))
		return false;
	query.environment_id = caller.environment_id;
	if (!read_query(door, exchange, &query, err))
		return false;
	if (str_find(http_exchange_header(exchange, "accept"), STR("text/event-stream")) < 0)
		return list(door, exchange, &query, err);
	stream(door, exchange, &query);
	return true;
}

void admin_list_events(void *context, struct http_exchange *exchange,
		       const struct http_match *match)
{
	struct error err;

	(void)match;
	if (!answer(context, exchange, &err))
		door_reply_error(exchange, &err, NULL);
}
