/* Which ATSs can be linked, and what one asks for. */
#include "front/admin/routes.h"

static struct json show_fields(struct arena *arena, const struct connector_field *fields,
			       size_t count)
{
	struct json_builder items;

	json_builder_init(&items, arena);
	for (size_t i = 0; i < count; i++) {
		struct json_builder item;
		json_builder_init(&item, arena);
		json_builder_set(&item, STR("name"), json_string(fields[i].name));
		json_builder_set(&item, STR("label"), json_string(fields[i].label));
		json_builder_set(&item, STR("help"), json_string(fields[i].help));
		json_builder_set(&item, STR("required"), json_bool(fields[i].is_required));
		json_builder_set(&item, STR("secret"), json_bool(fields[i].is_secret));
		json_builder_add(&items, json_builder_object(&item));
	}
	return json_builder_array(&items);
}

static struct json show_resources(struct arena *arena, const struct connector *connector)
{
	struct json_builder items;

	json_builder_init(&items, arena);
	for (size_t i = 0; i < connector->resource_count; i++) {
		const struct unified_resource *resource = &connector->resources[i];
		struct json_builder item, methods;
		json_builder_init(&methods, arena);
		if (resource->list.count > 0)
			json_builder_add(&methods, json_string(STR("list")));
		if (resource->get.count > 0)
			json_builder_add(&methods, json_string(STR("get")));
		for (size_t k = 0; k < resource->write_count; k++)
			json_builder_add(&methods, json_string(resource->writes[k].model->name));
		json_builder_init(&item, arena);
		json_builder_set(&item, STR("resource"), json_string(resource->model->name));
		json_builder_set(&item, STR("methods"), json_builder_array(&methods));
		json_builder_add(&items, json_builder_object(&item));
	}
	return json_builder_array(&items);
}

static struct json show(struct arena *arena, const struct connector *connector)
{
	struct json_builder item;

	json_builder_init(&item, arena);
	json_builder_set(&item, STR("name"), json_string(connector->name));
	json_builder_set(&item, STR("label"), json_string(connector->label));
	json_builder_set(&item, STR("credential_format"), json_string(connector->credential_format));
	json_builder_set(&item, STR("context"),
			 show_fields(arena, connector->context, connector->context_count));
	json_builder_set(&item, STR("credentials"),
			 show_fields(arena, connector->credentials, connector->credential_count));
	json_builder_set(&item, STR("unified"), show_resources(arena, connector));
	return json_builder_object(&item);
}

void admin_list_integrations(void *context, struct http_exchange *exchange,
			     const struct http_match *match)
{
	const struct door *door = context;
	struct json_builder items;
	struct caller caller;
	struct error err;

	(void)match;
	if (!door_authorise(door, exchange, KEY_SCOPE_CALL | KEY_SCOPE_ADMIN, &caller,
			    &err)) {
		door_reply_error(exchange, &err, NULL);
		return;
	}
	json_builder_init(&items, exchange->arena);
	for (size_t i = 0; i < door->services->connectors->count; i++)
		json_builder_add(&items,
				 show(exchange->arena, door->services->connectors->items[i]));
	admin_reply_list(exchange, &items, (struct str){NULL, 0});
}

void admin_show_integration(void *context, struct http_exchange *exchange,
			    const struct http_match *match)
{
	const struct door *door = context;
	const struct connector *connector = NULL;
	struct caller caller;
	struct error err;

	if (door_authorise(door, exchange, KEY_SCOPE_CALL | KEY_SCOPE_ADMIN, &caller,
			    &err))
		connector = connectors_find(door->services->connectors, match->parts[0], &err);
	if (connector == NULL)
		door_reply_error(exchange, &err, NULL);
	else
		door_reply(exchange, 200, show(exchange->arena, connector));
}
