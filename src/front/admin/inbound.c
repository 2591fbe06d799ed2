/* The notifications that an account's ATS sends: where, under which secret, and what has come. The
 * secret goes in and never comes out. */
#include "ats/inbound/inbound.h"
#include "front/admin/routes.h"

enum { TEXT_MAX = 4096, BODY_SHOWN_MAX = 64 * 1024 };

/* --- showing --------------------------------------------------------------------------------- */

static struct json show_secrets(struct arena *arena, const struct inbound_endpoint *endpoint)
{
	struct json_builder list;

	json_builder_init(&list, arena);
	for (size_t i = 0; i < endpoint->secret_count; i++) {
		struct json_builder item;

		json_builder_init(&item, arena);
		json_builder_set(&item, STR("created_at"),
				 json_time(arena, endpoint->secrets[i].created_ms));
		json_builder_set(&item, STR("expires_at"),
				 json_time(arena, endpoint->secrets[i].until_ms));
		json_builder_add(&list, json_builder_object(&item));
	}
	return json_builder_array(&list);
}

static struct json show_signature(struct arena *arena, const struct connector_webhooks *webhooks)
{
	struct json_builder item;

	json_builder_init(&item, arena);
	json_builder_set(&item, STR("algorithm"),
			 json_string_c(connector_proofs[webhooks->proof]));
	json_builder_set(&item, STR("header"), json_string_or_null(webhooks->header));
	return json_builder_object(&item);
}

static struct json show(const struct door *door, const struct http_exchange *exchange,
			const struct account *account, const struct connector *connector,
			const struct inbound_endpoint *endpoint)
{
	struct arena *arena = exchange->arena;
	struct str base = door_base_url(door, exchange);
	struct json_builder item;

	json_builder_init(&item, arena);
	json_builder_set(&item, STR("integrated_account_id"), json_string(account->id));
	json_builder_set(&item, STR("url"),
			 json_string(arena_format(arena, "%.*s/integrated-account-webhook/%.*s",
						  STR_ARGS(base), STR_ARGS(account->id))));
	json_builder_set(&item, STR("help"), json_string_or_null(connector->webhooks.help));
	json_builder_set(&item, STR("signature"), show_signature(arena, &connector->webhooks));
	json_builder_set(&item, STR("is_active"), json_bool(endpoint->is_there));
	json_builder_set(&item, STR("secrets"), show_secrets(arena, endpoint));
	json_builder_set(&item, STR("received_count"), json_int(endpoint->received));
	json_builder_set(&item, STR("repeated_count"), json_int(endpoint->repeated));
	json_builder_set(&item, STR("refused_count"), json_int(endpoint->refused));
	json_builder_set(&item, STR("last_received_at"), json_time(arena, endpoint->received_ms));
	json_builder_set(&item, STR("last_tried_at"), json_time(arena, endpoint->tested_ms));
	json_builder_set(&item, STR("last_refused_at"), json_time(arena, endpoint->refused_ms));
	json_builder_set(&item, STR("created_at"), json_time(arena, endpoint->created_ms));
	json_builder_set(&item, STR("updated_at"), json_time(arena, endpoint->updated_ms));
	return json_builder_object(&item);
}

/* --- one account's --------------------------------------------------------------------------- */

static bool find_account(const struct door *door, struct http_exchange *exchange, struct str id,
			 struct account *account, struct error *err)
{
	struct caller caller;

	return door_authorise(door, exchange, KEY_SCOPE_ADMIN, &caller, err) &&
	       door_find_account(door, exchange->arena, &caller, id, account, err);
}

static bool reply(const struct door *door, struct http_exchange *exchange,
		  const struct account *account, struct error *err)
{
	const struct connector *connector;
	struct inbound_endpoint endpoint;

	if (!inbound_find(door->inbounds, exchange->arena, account, &endpoint, err))
		return false;
	connector = connectors_find(door->services->connectors, account->connector, err);
	if (connector == NULL)
		return false;
	door_reply(exchange, 200, show(door, exchange, account, connector, &endpoint));
	return true;
}

void admin_show_inbound(void *context, struct http_exchange *exchange,
			const struct http_match *match)
{
	struct account account;
	struct error err;

	if (!find_account(context, exchange, match->parts[0], &account, &err) ||
	    !reply(context, exchange, &account, &err))
		door_reply_error(exchange, &err, NULL);
}

static bool read_overlap(struct json body, int64_t *overlap_s, struct error *err)
{
	struct json value = json_get_c(body, "overlap_s");

	*overlap_s = 0;
	return json_is(value, JSON_UNDEFINED) || json_is(value, JSON_NULL) ||
	       json_to_int64(value, overlap_s) ||
	       error_set_field(err, ERROR_INVALID, "overlap_s", "a whole number from 0 to 604800",
			       "overlap_s must be a whole number from 0 to 604800");
}

static bool put(const struct door *door, struct http_exchange *exchange, struct str id,
		struct error *err)
{
	static const char *const known[] = {"secret", "overlap_s"};
	struct account account;
	struct json body;
	struct str secret;
	int64_t overlap_s;

	return find_account(door, exchange, id, &account, err) &&
	       door_parse_body(exchange, &body, err) &&
	       admin_check_members(body, known, 2, "secret, overlap_s", err) &&
	       admin_read_text(body, "secret", TEXT_MAX, &secret, err) &&
	       read_overlap(body, &overlap_s, err) &&
	       inbound_set(door->inbounds, exchange->arena, &account, secret, overlap_s, err) &&
	       reply(door, exchange, &account, err);
}

void admin_put_inbound(void *context, struct http_exchange *exchange,
		       const struct http_match *match)
{
	struct error err;

	if (!put(context, exchange, match->parts[0], &err))
		door_reply_error(exchange, &err, NULL);
	/* The secret came in the body; its memory may be kept for other requests. */
	secret_wipe((void *)(uintptr_t)exchange->body.data, exchange->body.len);
}

void admin_remove_inbound(void *context, struct http_exchange *exchange,
			  const struct http_match *match)
{
	const struct door *door = context;
	struct account account;
	struct error err;

	if (!find_account(door, exchange, match->parts[0], &account, &err) ||
	    !inbound_remove(door->inbounds, &account, &err) ||
	    !reply(door, exchange, &account, &err))
		door_reply_error(exchange, &err, NULL);
}

/* --- what has come --------------------------------------------------------------------------- */

/* As JSON where it is some, and not too much to be shown. */
static struct json show_body(struct arena *arena, struct str body)
{
	struct error ignored;
	struct json value;

	if (body.len > BODY_SHOWN_MAX ||
	    !json_parse(arena, body, &json_limits_default, &value, &ignored))
		return json_null();
	return value;
}

static struct json show_delivery(struct arena *arena, const struct inbound_delivery *delivery)
{
	struct json_builder item;

	json_builder_init(&item, arena);
	json_builder_set(&item, STR("id"), json_string(delivery->id));
	json_builder_set(&item, STR("remote_id"), json_string_or_null(delivery->remote_id));
	json_builder_set(&item, STR("event"), json_string_or_null(delivery->event));
	json_builder_set(&item, STR("hints"), delivery->hints);
	json_builder_set(&item, STR("hint_count"), json_int(delivery->hint_count));
	json_builder_set(&item, STR("taken_count"), json_int(delivery->taken));
	json_builder_set(&item, STR("repeated_count"), json_int(delivery->repeated));
	json_builder_set(&item, STR("error"), json_string_or_null(delivery->error));
	json_builder_set(&item, STR("body_bytes"), json_int((int64_t)delivery->body.len));
	json_builder_set(&item, STR("body"), show_body(arena, delivery->body));
	json_builder_set(&item, STR("received_at"), json_time(arena, delivery->received_ms));
	return json_builder_object(&item);
}

/* "1764150000000_ind_…": behind which one a page goes on. */
static bool read_cursor(struct str cursor, struct inbound_query *query, struct error *err)
{
	struct str before = str_cut(&cursor, '_');

	if (before.len == 0 && cursor.len == 0)
		return true;
	query->before_id = cursor;
	return (str_to_int64(before, &query->before_ms) && query->before_ms > 0 &&
		cursor.len > 0) ||
	       error_set_field(err, ERROR_INVALID, "next_cursor", "a cursor that a page gave",
			       "next_cursor is none of this list");
}

static bool list(const struct door *door, struct http_exchange *exchange, struct str id,
		 struct error *err)
{
	struct inbound_delivery *deliveries;
	struct inbound_query query = {0};
	struct json_builder items;
	struct account account;
	struct str after, next = {NULL, 0};
	int64_t limit;
	size_t count;

	if (!find_account(door, exchange, id, &account, err) ||
	    !admin_read_page(exchange, &after, &limit, err) || !read_cursor(after, &query, err))
		return false;
	query.limit = (size_t)limit;
	if (!inbound_list(door->inbounds, exchange->arena, &account, &query, &deliveries, &count,
			  err))
		return false;
	json_builder_init(&items, exchange->arena);
	for (size_t i = 0; i < count; i++)
		json_builder_add(&items, show_delivery(exchange->arena, &deliveries[i]));
	if (count == query.limit)
		next = arena_format(exchange->arena, "%lld_%.*s",
				    (long long)deliveries[count - 1].received_ms,
				    STR_ARGS(deliveries[count - 1].id));
	admin_reply_list(exchange, &items, next);
	return true;
}

void admin_list_inbound(void *context, struct http_exchange *exchange,
			const struct http_match *match)
{
	struct error err;

	if (!list(context, exchange, match->parts[0], &err))
		door_reply_error(exchange, &err, NULL);
}
