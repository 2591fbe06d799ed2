#include <stdatomic.h>

#include "front/status/parts.h"

static void handle_health(void *context, struct http_exchange *exchange,
			  const struct http_match *match)
{
	(void)context;
	(void)match;
	exchange->reply = STR("{\"status\":\"ok\"}");
}

/* Ready means: not draining, and the store answers. */
static void handle_ready(void *context, struct http_exchange *exchange,
			 const struct http_match *match)
{
	const struct door *door = context;
	struct store_rows rows;
	struct error err;

	(void)match;
	if (atomic_load(door->is_draining)) {
		error_set(&err, ERROR_UNAVAILABLE, "the server is shutting down");
		door_reply_error(exchange, &err, NULL);
	} else if (!store_query_all(door->store, exchange->arena, "select 1", NULL, 0, &rows, &err)) {
		door_reply_error(exchange, &err, NULL);
	} else {
		exchange->reply = STR("{\"status\":\"ready\"}");
	}
}

const struct http_route status_routes[] = {
	{HTTP_GET, "/healthz", handle_health},
	{HTTP_GET, "/readyz", handle_ready},
	{HTTP_GET, "/metrics", status_metrics},
	{HTTP_GET, "/status", status_report},
};
const size_t status_route_count = sizeof status_routes / sizeof status_routes[0];
