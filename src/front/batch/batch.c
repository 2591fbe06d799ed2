#include "front/batch/parts.h"

enum { DEADLINE_CALLS = 10 };

/* A member for each name, in the order of the request. */
static struct json gather(const struct batch *batch, bool of_errors)
{
	struct json_builder out;

	json_builder_init(&out, batch->exchange->arena);
	for (size_t i = 0; i < batch->part_count; i++) {
		const struct part *part = &batch->parts[i];
		struct json items = json_builder_array(of_errors ? &part->errors : &part->records);

		if (!of_errors || items.count > 0)
			json_builder_set(&out, part->name, items);
	}
	return json_builder_object(&out);
}

static struct json gather_cursors(const struct batch *batch)
{
	struct json_builder out;

	json_builder_init(&out, batch->exchange->arena);
	for (size_t i = 0; i < batch->part_count; i++)
		if (batch->parts[i].next_cursor.len > 0)
			json_builder_set(&out, batch->parts[i].name,
					 json_string(batch->parts[i].next_cursor));
	return json_builder_object(&out);
}

static void reply(const struct batch *batch)
{
	struct json_builder out;

	json_builder_init(&out, batch->exchange->arena);
	json_builder_set(&out, STR("result"), gather(batch, false));
	json_builder_set(&out, STR("errors"), gather(batch, true));
	json_builder_set(&out, STR("next_cursors"), gather_cursors(batch));
	door_reply(batch->exchange, 200, json_builder_object(&out));
}

static void handle(void *context, struct http_exchange *exchange, const struct http_match *match)
{
	struct batch batch = {.door = context, .exchange = exchange, .calls_left = CALLS_MAX};
	struct caller caller;
	struct error err;
	struct json body;

	(void)match;
	batch.deadline_ns =
		exchange->started_ns + batch.door->call_timeout_ms * 1000000 * DEADLINE_CALLS;
	if (!door_authorise(batch.door, exchange, KEY_SCOPE_CALL, &caller, &err) ||
	    !door_parse_body(exchange, &body, &err) || !parts_read(&batch, body, &err)) {
		door_reply_error(exchange, &err, NULL);
		return;
	}
	parts_run(&batch);
	reply(&batch);
}

const struct http_route batch_routes[] = {
	{HTTP_POST, "/batch-request", handle},
};
const size_t batch_route_count = sizeof batch_routes / sizeof batch_routes[0];
