/* Environments are seen by the operator of the machine only: a key knows no other than its own. */
#include "front/admin/routes.h"

static bool list(const struct door *door, struct http_exchange *exchange, struct error *err)
{
	struct environment *environments;
	struct json_builder items;
	size_t count;

	if (!exchange->is_local)
		return error_set(err, ERROR_FORBIDDEN,
				 "environments are listed over the server's own socket only");
	if (!environment_list(door->services->accounts, exchange->arena, &environments, &count,
			      err))
		return false;
	json_builder_init(&items, exchange->arena);
	for (size_t i = 0; i < count; i++) {
		struct json_builder item;
		json_builder_init(&item, exchange->arena);
		json_builder_set(&item, STR("id"), json_string(environments[i].id));
		json_builder_set(&item, STR("name"), json_string(environments[i].name));
		json_builder_set(&item, STR("created_at"),
				 admin_time(exchange->arena, environments[i].created_ms));
		json_builder_add(&items, json_builder_object(&item));
	}
	admin_reply_list(exchange, &items, (struct str){NULL, 0});
	return true;
}

void admin_list_environments(void *context, struct http_exchange *exchange,
			     const struct http_match *match)
{
	struct error err;

	(void)match;
	if (!list(context, exchange, &err))
		door_reply_error(exchange, &err, NULL);
}
