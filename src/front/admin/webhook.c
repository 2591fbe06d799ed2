/* Webhooks: endpoints of an environment, their secrets, what they were sent, what is sent again. */
#include "ats/webhook/webhook.h"
#include "front/admin/routes.h"

enum { OVERLAP_S_DEFAULT = 24 * 3600, OVERLAP_S_MAX = 30 * 24 * 3600, CHANGE_TRIES = 8 };

/* --- reading a body --------------------------------------------------------------------------- */

static const char allowed_members[] =
	"target_url, description, event_types, resources, integrated_account_ids, payload, mask, "
	"retry_schedule, is_active";

static bool check_members(struct json body, bool is_new, struct error *err)
{
	static const char *const known[] = {"target_url", "url",	    "description",
					    "event_types", "resources",
					    "integrated_account_ids", "payload", "mask",
					    "retry_schedule", "is_active", "after", "asymmetric"};
	const size_t count = sizeof known / sizeof known[0];

	return admin_check_members(body, known, is_new ? count : count - 2, allowed_members, err);
}

/* "after": events behind this number are told, too; "latest", or nothing: those to come. */
static bool read_after(struct json body, int64_t *after, struct error *err)
{
	struct json value = json_get_c(body, "after");

	*after = -1;
	if (json_is(value, JSON_UNDEFINED) || json_is(value, JSON_NULL) ||
	    (json_is(value, JSON_STRING) && str_equal(json_str(value), STR("latest"))))
		return true;
	return (json_to_int64(value, after) && *after >= 0) ||
	       error_set_field(err, ERROR_INVALID, "after", "the number of an event, 0, or latest",
			       "after must be the number of an event, or latest");
}

/* Without a body where there need be none. */
static bool parse_if_given(struct http_exchange *exchange, struct json *body, struct error *err)
{
	*body = json_object(NULL, 0);
	return exchange->body.len == 0 || door_parse_body(exchange, body, err);
}

/* --- requests --------------------------------------------------------------------------------- */

static bool find(const struct door *door, struct http_exchange *exchange, struct str id,
		 struct webhook *webhook, struct error *err)
{
	struct caller caller;

	return admin_authorise(door, exchange, &caller, err) &&
	       webhook_find(door->webhooks, exchange->arena, caller.environment_id, id, webhook,
			    err);
}

static struct json with_secret(struct arena *arena, const struct webhook *webhook,
			       const struct webhook_secret *secret)
{
	struct json_builder out;

	json_builder_init(&out, arena);
	json_builder_set_others(&out, webhook_show(arena, webhook), json_undefined());
	json_builder_set(&out, STR("secret"), json_string(secret->secret));
	json_builder_set(&out, STR("public_key"), secret->public_key.len > 0
							  ? json_string(secret->public_key)
							  : json_null());
	return json_builder_object(&out);
}

static bool create(const struct door *door, struct http_exchange *exchange, struct str id,
		   struct error *err)
{
	struct webhook webhook = {.state = STR("active")};
	struct webhook_secret secret;
	bool is_asymmetric = false;
	struct caller caller;
	struct json body;
	int64_t after;

	(void)id;
	if (!admin_authorise(door, exchange, &caller, err) ||
	    !door_parse_body(exchange, &body, err) || !check_members(body, true, err) ||
	    !read_after(body, &after, err) ||
	    !setting_read_flag(body, "asymmetric", &is_asymmetric, err) ||
	    !webhook_read(door->webhooks, exchange->arena, body, &webhook, err))
		return false;
	webhook.environment_id = caller.environment_id;
	if (!webhook_create(door->webhooks, exchange->arena, &webhook, after, is_asymmetric,
			    &secret, err))
		return false;
	door_reply(exchange, 201, with_secret(exchange->arena, &webhook, &secret));
	return true;
}

static bool list(const struct door *door, struct http_exchange *exchange, struct str id,
		 struct error *err)
{
	struct json_builder items;
	struct str after, next = {NULL, 0};
	struct webhook *webhooks;
	struct caller caller;
	int64_t limit;
	size_t count;

	(void)id;
	if (!admin_authorise(door, exchange, &caller, err) ||
	    !admin_read_page(exchange, &after, &limit, err) ||
	    !webhook_list(door->webhooks, exchange->arena, caller.environment_id, after,
			  (size_t)limit, &webhooks, &count, err))
		return false;
	json_builder_init(&items, exchange->arena);
	for (size_t i = 0; i < count; i++)
		json_builder_add(&items, webhook_show(exchange->arena, &webhooks[i]));
	if (count == (size_t)limit)
		next = webhooks[count - 1].id;
	admin_reply_list(exchange, &items, next);
	return true;
}

static bool show(const struct door *door, struct http_exchange *exchange, struct str id,
		 struct error *err)
{
	struct webhook webhook;

	if (!find(door, exchange, id, &webhook, err))
		return false;
	door_reply(exchange, 200, webhook_show(exchange->arena, &webhook));
	return true;
}

/* Deliveries and others may change it between the reading and the writing. */
static bool change_to(const struct door *door, struct http_exchange *exchange, struct str id,
		      struct json body, struct error *err)
{
	struct webhook webhook;

	for (int tries = 0;; tries++) {
		if (!find(door, exchange, id, &webhook, err) ||
		    !webhook_read(door->webhooks, exchange->arena, body, &webhook, err))
			return false;
		if (webhook_change(door->webhooks, exchange->arena, &webhook, err))
			break;
		if (err->code != ERROR_CONFLICT || tries == CHANGE_TRIES)
			return false;
	}
	return show(door, exchange, id, err);
}

static bool change(const struct door *door, struct http_exchange *exchange, struct str id,
		   struct error *err)
{
	struct webhook webhook;
	struct json body;

	return find(door, exchange, id, &webhook, err) && door_parse_body(exchange, &body, err) &&
	       check_members(body, false, err) && change_to(door, exchange, id, body, err);
}

static bool set_active(const struct door *door, struct http_exchange *exchange, struct str id,
		       bool is_active, struct error *err)
{
	const struct json_member member = json_member(STR("is_active"), json_bool(is_active));

	return change_to(door, exchange, id, json_object(&member, 1), err);
}

static bool pause_one(const struct door *door, struct http_exchange *exchange, struct str id,
		      struct error *err)
{
	return set_active(door, exchange, id, false, err);
}

static bool resume(const struct door *door, struct http_exchange *exchange, struct str id,
		   struct error *err)
{
	return set_active(door, exchange, id, true, err);
}

static bool remove_one(const struct door *door, struct http_exchange *exchange, struct str id,
		       struct error *err)
{
	struct json_builder item;
	struct caller caller;

	if (!admin_authorise(door, exchange, &caller, err) ||
	    !webhook_remove(door->webhooks, caller.environment_id, id, err))
		return false;
	json_builder_init(&item, exchange->arena);
	json_builder_set(&item, STR("id"), json_string(id));
	door_reply(exchange, 200, json_builder_object(&item));
	return true;
}

static bool rotate(const struct door *door, struct http_exchange *exchange, struct str id,
		   struct error *err)
{
	static const char *const known[] = {"overlap_s"};
	int64_t overlap_s = OVERLAP_S_DEFAULT;
	struct webhook_secret secret;
	struct webhook webhook;
	struct json body;

	if (!find(door, exchange, id, &webhook, err) || !parse_if_given(exchange, &body, err) ||
	    !admin_check_members(body, known, 1, "overlap_s", err) ||
	    !setting_read_int(body, "overlap_s", 0, OVERLAP_S_MAX, &overlap_s, err) ||
	    !webhook_rotate(door->webhooks, exchange->arena, &webhook, overlap_s * 1000, &secret,
			    err))
		return false;
	door_reply(exchange, 200, with_secret(exchange->arena, &webhook, &secret));
	return true;
}

static bool test(const struct door *door, struct http_exchange *exchange, struct str id,
		 struct error *err)
{
	struct webhook webhook;
	struct json result;

	if (!find(door, exchange, id, &webhook, err) ||
	    !webhook_test(door->webhooks, exchange->arena, &webhook, door->hook_client, &result,
			  err))
		return false;
	door_reply(exchange, 200, result);
	return true;
}

/* --- deliveries ------------------------------------------------------------------------------- */

/* An event by its id or number. */
static bool read_event(const struct webhook *webhook, struct str text, const char *field,
		       int64_t *number, struct error *err)
{
	if (event_read_id(webhook->environment_id, text, number) ||
	    (str_to_int64(text, number) && *number > 0))
		return true;
	return error_set_field(err, ERROR_NOT_FOUND, field, NULL, "there is no such event");
}

static bool read_range(struct json body, const struct webhook *webhook, int64_t *after,
		       int64_t *until, struct error *err)
{
	static const char *const known[] = {"event_id", "after", "until"};
	struct json event = json_get_c(body, "event_id");
	bool has_range = !json_is(json_get_c(body, "after"), JSON_UNDEFINED) ||
			 !json_is(json_get_c(body, "until"), JSON_UNDEFINED);

	*after = *until = 0;
	if (!admin_check_members(body, known, 3, "event_id, or after and until", err))
		return false;
	if (json_is(event, JSON_UNDEFINED) == !has_range)
		return error_set_field(err, ERROR_INVALID, "event_id",
				       "the id of an event; or after and until",
				       "either event_id or a range is wanted");
	if (has_range)
		return setting_read_int(body, "after", 0, INT64_MAX, after, err) &&
		       setting_read_int(body, "until", 0, INT64_MAX, until, err);
	if (!json_is(event, JSON_STRING))
		return error_set_field(err, ERROR_INVALID, "event_id", "the id of an event",
				       "event_id must be a text");
	if (!read_event(webhook, json_str(event), "event_id", until, err))
		return false;
	*after = *until - 1;
	return true;
}

static bool replay(const struct door *door, struct http_exchange *exchange, struct str id,
		   struct error *err)
{
	int64_t after, until, last;
	struct json_builder out;
	struct webhook webhook;
	struct event event;
	struct json body;
	size_t count;

	if (!find(door, exchange, id, &webhook, err) || !door_parse_body(exchange, &body, err) ||
	    !read_range(body, &webhook, &after, &until, err))
		return false;
	if (until > 0 && after == until - 1 &&
	    !event_get(door->store, exchange->arena, webhook.environment_id, until, &event, err))
		return false;
	if (!webhook_replay(door->webhooks, exchange->arena, &webhook, after, until, &count, &last,
			    err))
		return false;
	json_builder_init(&out, exchange->arena);
	json_builder_set(&out, STR("count"), json_int((int64_t)count));
	json_builder_set(&out, STR("last_event_number"), json_int(last));
	door_reply(exchange, 202, json_builder_object(&out));
	return true;
}

static bool read_delivery_query(const struct http_exchange *exchange,
				const struct webhook *webhook,
				struct webhook_delivery_query *query, struct error *err)
{
	struct str after, event;
	int64_t limit;

	if (!admin_read_page(exchange, &after, &limit, err))
		return false;
	query->limit = (size_t)limit;
	if (http_exchange_query(exchange, "state", &query->state) &&
	    !str_equal(query->state, STR("pending")) &&
	    !str_equal(query->state, STR("delivered")) && !str_equal(query->state, STR("failed")))
		return error_set_field(err, ERROR_INVALID, "state", "pending, delivered or failed",
				       "state must be pending, delivered or failed");
	if (after.len > 0 && (!str_to_int64(after, &query->before) || query->before < 1))
		return error_set_field(err, ERROR_INVALID, "next_cursor", NULL,
				       "next_cursor is none of this list");
	return !http_exchange_query(exchange, "event_id", &event) ||
	       read_event(webhook, event, "event_id", &query->number, err);
}

static bool list_deliveries(const struct door *door, struct http_exchange *exchange,
			    struct str id, struct error *err)
{
	struct webhook_delivery_query query = {0};
	struct webhook_delivery *deliveries;
	struct json_builder items;
	struct str next = {NULL, 0};
	struct webhook webhook;
	size_t count;

	if (!find(door, exchange, id, &webhook, err) ||
	    !read_delivery_query(exchange, &webhook, &query, err) ||
	    !webhook_deliveries(door->webhooks, exchange->arena, &webhook, &query, &deliveries,
				&count, err))
		return false;
	json_builder_init(&items, exchange->arena);
	for (size_t i = 0; i < count; i++)
		json_builder_add(&items, webhook_delivery_show(exchange->arena, &webhook,
							      &deliveries[i]));
	if (count == query.limit)
		next = arena_format(exchange->arena, "%lld",
				    (long long)deliveries[count - 1].number);
	admin_reply_list(exchange, &items, next);
	return true;
}

/* --- handlers --------------------------------------------------------------------------------- */

#define HANDLER(name, function)                                                              \
	void name(void *context, struct http_exchange *exchange, const struct http_match *match) \
	{                                                                                      \
		struct error err;                                                              \
                                                                                               \
		if (!function(context, exchange, match->parts[0], &err))                       \
			door_reply_error(exchange, &err, NULL);                                \
	}

HANDLER(admin_create_webhook, create)
HANDLER(admin_list_webhooks, list)
HANDLER(admin_show_webhook, show)
HANDLER(admin_change_webhook, change)
HANDLER(admin_remove_webhook, remove_one)
HANDLER(admin_pause_webhook, pause_one)
HANDLER(admin_resume_webhook, resume)
HANDLER(admin_rotate_webhook, rotate)
HANDLER(admin_test_webhook, test)
HANDLER(admin_replay_webhook, replay)
HANDLER(admin_list_deliveries, list_deliveries)
