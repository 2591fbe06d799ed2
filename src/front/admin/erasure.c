/* Erasing one person, for the laws on personal data. */
#include "ats/erasure/erasure.h"
#include "front/admin/routes.h"

static struct json show(struct arena *arena, const struct erasure *erasure)
{
	const struct erasure_counts *counts = &erasure->counts;
	struct json_builder item, told;

	json_builder_init(&told, arena);
	json_builder_set(&told, STR("records"), json_int(counts->records));
	json_builder_set(&told, STR("records_changed"), json_int(counts->records_changed));
	json_builder_set(&told, STR("events"), json_int(counts->events));
	json_builder_set(&told, STR("inbound_deliveries"), json_int(counts->inbound_deliveries));
	json_builder_set(&told, STR("webhook_deliveries"), json_int(counts->webhook_deliveries));
	json_builder_set(&told, STR("replies"), json_int(counts->replies));
	json_builder_init(&item, arena);
	json_builder_set(&item, STR("id"), json_string(erasure->id));
	json_builder_set(&item, STR("integrated_account_id"), json_string(erasure->account_id));
	json_builder_set(&item, STR("created_at"), json_time(arena, erasure->created_ms));
	json_builder_set(&item, STR("counts"), json_builder_object(&told));
	return json_builder_object(&item);
}

static bool read_body(struct http_exchange *exchange, struct str *account_id,
		      struct erasure_request *request, struct error *err)
{
	static const char *const known[] = {"integrated_account_id", "candidate_id", "email"};
	struct json body;

	if (!door_parse_body(exchange, &body, err) ||
	    !admin_check_members(body, known, 3, "integrated_account_id, candidate_id, email",
				 err) ||
	    !admin_read_text(body, "integrated_account_id", 64, account_id, err) ||
	    !admin_read_text(body, "candidate_id", 1024, &request->candidate_id, err) ||
	    !admin_read_text(body, "email", 320, &request->email, err))
		return false;
	if ((request->candidate_id.len > 0) != (request->email.len > 0))
		return true;
	return error_set_field(err, ERROR_INVALID, "candidate_id", "candidate_id or email",
			       "say candidate_id or email, one of the two");
}

static bool create(const struct door *door, struct http_exchange *exchange, struct error *err)
{
	struct erasure_request request = {0};
	struct account account;
	struct erasure erasure;
	struct str account_id;
	struct caller caller;

	if (!admin_authorise(door, exchange, &caller, err) ||
	    !read_body(exchange, &account_id, &request, err) ||
	    !door_find_account(door, exchange->arena, &caller, account_id, &account, err))
		return false;
	request.account = &account;
	if (!erasure_run(door->erasures, exchange->arena, &request, &erasure, err))
		return false;
	door_reply(exchange, 201, show(exchange->arena, &erasure));
	return true;
}

static bool list(const struct door *door, struct http_exchange *exchange, struct error *err)
{
	struct erasure *erasures;
	struct json_builder items;
	struct str after, next = {NULL, 0};
	struct caller caller;
	int64_t limit;
	size_t count;

	if (!admin_authorise(door, exchange, &caller, err) ||
	    !admin_read_page(exchange, &after, &limit, err) ||
	    !erasure_list(door->erasures, exchange->arena, caller.environment_id, after,
			  (size_t)limit, &erasures, &count, err))
		return false;
	json_builder_init(&items, exchange->arena);
	for (size_t i = 0; i < count; i++)
		json_builder_add(&items, show(exchange->arena, &erasures[i]));
	if (count == (size_t)limit)
		next = erasures[count - 1].id;
	admin_reply_list(exchange, &items, next);
	return true;
}

static bool find(const struct door *door, struct http_exchange *exchange, struct str id,
		 struct error *err)
{
	struct erasure erasure;
	struct caller caller;

	if (!admin_authorise(door, exchange, &caller, err) ||
	    !erasure_find(door->erasures, exchange->arena, caller.environment_id, id, &erasure,
			  err))
		return false;
	door_reply(exchange, 200, show(exchange->arena, &erasure));
	return true;
}

static bool lift(const struct door *door, struct http_exchange *exchange, struct str id,
		 struct error *err)
{
	struct json_builder item;
	struct caller caller;

	if (!admin_authorise(door, exchange, &caller, err) ||
	    !erasure_lift(door->erasures, caller.environment_id, id, err))
		return false;
	json_builder_init(&item, exchange->arena);
	json_builder_set(&item, STR("id"), json_string(id));
	door_reply(exchange, 200, json_builder_object(&item));
	return true;
}

void admin_create_erasure(void *context, struct http_exchange *exchange,
			  const struct http_match *match)
{
	struct error err;

	(void)match;
	if (!create(context, exchange, &err))
		door_reply_error(exchange, &err, NULL);
}

void admin_list_erasures(void *context, struct http_exchange *exchange,
			 const struct http_match *match)
{
	struct error err;

	(void)match;
	if (!list(context, exchange, &err))
		door_reply_error(exchange, &err, NULL);
}

void admin_show_erasure(void *context, struct http_exchange *exchange,
			const struct http_match *match)
{
	struct error err;

	if (!find(context, exchange, match->parts[0], &err))
		door_reply_error(exchange, &err, NULL);
}

void admin_lift_erasure(void *context, struct http_exchange *exchange,
			const struct http_match *match)
{
	struct error err;

	if (!lift(context, exchange, match->parts[0], &err))
		door_reply_error(exchange, &err, NULL);
}
