#include "front/hooks/hooks.h"

#include "ats/inbound/inbound.h"

static void reply(struct http_exchange *exchange, enum inbound_outcome outcome)
{
	static const char *const names[] = {
		[INBOUND_STORED] = "stored",
		[INBOUND_REPEATED] = "repeated",
		[INBOUND_TRIED] = "tried",
	};
	struct json_builder out;

	json_builder_init(&out, exchange->arena);
	json_builder_set(&out, STR("result"), json_string_c(names[outcome]));
	door_reply(exchange, 200, json_builder_object(&out));
}

static void receive(void *context, struct http_exchange *exchange, const struct http_match *match)
{
	const struct door *door = context;
	const struct inbound_notification notification = {
		.account_id = match->parts[0],
		.headers = exchange->headers,
		.header_count = exchange->header_count,
		.body = exchange->body,
	};
	enum inbound_outcome outcome;
	struct error err;

	if (inbound_receive(door->inbounds, exchange->arena, &notification, &outcome, &err))
		reply(exchange, outcome);
	else
		door_reply_error(exchange, &err, NULL);
}

const struct http_route hooks_routes[] = {
	{HTTP_POST, "/integrated-account-webhook/{id}", receive},
};
const size_t hooks_route_count = sizeof hooks_routes / sizeof hooks_routes[0];
