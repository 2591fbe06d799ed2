/* The overrides of an environment and of an account: listed, shown with what they make of a
 * resource, changed field by field or as a whole. */
#include "front/admin/routes.h"

void admin_reply_fault(struct http_exchange *exchange, const struct error *err,
		       const struct override_fault *fault, const struct operation_result *remote)
{
	struct json_builder members;

	if (!fault->is_expression) {
		door_reply_error(exchange, err, remote);
		return;
	}
	json_builder_init(&members, exchange->arena);
	json_builder_set(&members, STR("code"), json_string_c(fault->error.code));
	json_builder_set(&members, STR("message"), json_string(fault->error.message));
	json_builder_set(&members, STR("position"),
			 fault->error.has_position ? json_int((int64_t)fault->error.position)
						   : json_null());
	json_builder_set(&members, STR("token"),
			 json_is(fault->error.token, JSON_UNDEFINED) ? json_null()
								     : fault->error.token);
	door_reply_error_with(exchange, err, remote, "expression", json_builder_object(&members));
}

/* --- the layer that a request is about ------------------------------------------------------- */

/* Of an environment's connector, or, with an account's id, of that account. */
static bool find_layer(const struct door *door, struct http_exchange *exchange,
		       struct str connector, struct str account_id, struct override_layer *layer,
		       struct error *err)
{
	struct caller caller;
	struct account account;

	if (account_id.len > 0) {
		if (!door_authorise(door, exchange, KEY_SCOPE_ADMIN, &caller, err) ||
		    !door_find_account(door, exchange->arena, &caller, account_id, &account, err))
			return false;
		*layer = (struct override_layer){account.environment_id, account.connector,
						 account.id};
		return true;
	}
	if (!admin_authorise(door, exchange, &caller, err))
		return false;
	*layer = (struct override_layer){caller.environment_id, connector, {NULL, 0}};
	return connector.len == 0 ||
	       connectors_find(door->services->connectors, connector, err) != NULL;
}

/* --- lists ----------------------------------------------------------------------------------- */

static bool is_shadowed(const struct override *list, size_t count, const struct override *one)
{
	for (size_t i = 0; i < count; i++)
		if (list[i].is_account && !one->is_account &&
		    str_equal(list[i].resource, one->resource) &&
		    str_equal(list[i].part, one->part) && str_equal(list[i].field, one->field))
			return true;
	return false;
}

/* What keeps it from being used, or null. */
static struct json show_fault(const struct door *door, struct arena *arena,
			      const struct override *override, struct str connector)
{
	struct error err;

	if (override_check(door->services->overrides, arena, connector, override, &err))
		return json_null();
	return json_string(arena_str(arena, str_from_c(err.message)));
}

static struct json show_override(const struct door *door, struct arena *arena,
				 const struct override *override, struct str connector,
				 bool shadowed)
{
	struct str part = override->part;
	struct str side = str_cut(&part, '/');
	bool is_request = str_equal(side, STR("request"));
	struct str method = is_request ? str_cut(&part, '/') : (struct str){NULL, 0};
	struct json_builder item;

	json_builder_init(&item, arena);
	json_builder_set(&item, STR("layer"),
			 json_string_c(override->is_account ? "account" : "environment"));
	json_builder_set(&item, STR("connector"), json_string(connector));
	json_builder_set(&item, STR("resource"), json_string(override->resource));
	json_builder_set(&item, STR("side"), json_string(is_request ? side : STR("response")));
	json_builder_set(&item, STR("table"), is_request ? json_null() : json_string_or_null(part));
	json_builder_set(&item, STR("method"), json_string_or_null(method));
	json_builder_set(&item, STR("call"), is_request ? json_string_or_null(part) : json_null());
	json_builder_set(&item, STR("field"), json_string(override->field));
	json_builder_set(&item, STR("expression"), json_string(override->expression));
	json_builder_set(&item, STR("is_shadowed"), json_bool(shadowed));
	json_builder_set(&item, STR("fault"), show_fault(door, arena, override, connector));
	json_builder_set(&item, STR("created_at"), json_time(arena, override->created_ms));
	json_builder_set(&item, STR("updated_at"), json_time(arena, override->updated_ms));
	return json_builder_object(&item);
}

static bool list(const struct door *door, struct http_exchange *exchange, struct str connector,
		 struct str account_id, struct error *err)
{
	struct overrides *overrides = door->services->overrides;
	struct override_layer layer;
	struct override *all;
	struct json_builder items;
	size_t count;

	if (!find_layer(door, exchange, connector, account_id, &layer, err) ||
	    !override_list(overrides, exchange->arena, &layer, true, &all, &count, err))
		return false;
	json_builder_init(&items, exchange->arena);
	for (size_t i = 0; i < count; i++) {
		struct str name = all[i].connector.len > 0 ? all[i].connector : layer.connector;

		json_builder_add(&items, show_override(door, exchange->arena, &all[i], name,
						       is_shadowed(all, count, &all[i])));
	}
	admin_reply_list(exchange, &items, (struct str){NULL, 0});
	return true;
}

/* --- one resource ---------------------------------------------------------------------------- */

static void add_field(struct json_builder *fields, struct str table, struct str field,
		      const struct jsonata *expression, const char *layer)
{
	struct json_builder item;

	json_builder_init(&item, fields->arena);
	json_builder_set(&item, STR("field"), json_string(field));
	json_builder_set(&item, STR("table"), json_string(table));
	json_builder_set(&item, STR("layer"), layer == NULL ? json_null() : json_string_c(layer));
	json_builder_set(&item, STR("expression"),
			 expression == NULL ? json_null() : json_string(jsonata_text(expression)));
	json_builder_add(fields, json_builder_object(&item));
}

/* Each field of the model, with the expression that makes it, then what is overridden within. */
static void add_table(struct json_builder *fields, const struct model_resource *model,
		      const struct unified_map *map)
{
	for (size_t i = 0; i < model->field_count; i++) {
		const struct unified_map_entry *found = NULL;

		for (size_t k = 0; k < map->count; k++)
			if (map->entries[k].field == i)
				found = &map->entries[k];
		add_field(fields, map->name, model->fields[i].name,
			  found == NULL ? NULL : found->expression,
			  found == NULL ? NULL : override_layer_name(found->origin));
	}
	for (size_t i = 0; i < map->part_count; i++) {
		const struct unified_map_part *part = &map->parts[i];
		struct str name = arena_format(fields->arena, "%.*s.%.*s",
					       STR_ARGS(model->fields[part->field].name),
					       STR_ARGS(part->path));

		add_field(fields, map->name, name, part->expression,
			  override_layer_name(part->origin));
	}
}

static bool refuse_resource(const struct connector *connector, struct arena *arena,
			    struct str wanted, struct error *err)
{
	struct str *names = arena_array(arena, connector->resource_count + 1, sizeof *names);

	for (size_t i = 0; i < connector->resource_count; i++)
		names[i] = connector->resources[i].model->name;
	return error_set_field(
		err, ERROR_NOT_FOUND, "resource",
		arena_c(arena, definition_names(arena, names, connector->resource_count)),
		"%.*s has no %.*s", STR_ARGS(connector->label), STR_ARGS(str_slice(wanted, 0, 64)));
}

static bool show(const struct door *door, struct http_exchange *exchange,
		 const struct override_layer *layer, struct str name, struct error *err)
{
	struct overrides *overrides = door->services->overrides;
	struct arena *arena = exchange->arena;
	const struct overriding *overriding;
	struct override_fault fault;
	struct override *all;
	struct json_builder item, fields;
	size_t count;

	if (!overriding_make(overrides, arena, layer, NULL, 0, &overriding, &fault, err) ||
	    !override_list(overrides, arena, layer, false, &all, &count, err))
		return false;
	const struct unified_resource *resource =
		connector_find_resource(overriding->connector, name);
	if (resource == NULL)
		return refuse_resource(overriding->base, arena, name, err);
	json_builder_init(&item, arena);
	json_builder_init(&fields, arena);
	for (size_t i = 0; i < resource->map_count; i++)
		add_table(&fields, resource->model, &resource->maps[i]);
	json_builder_set(&item, STR("connector"), json_string(layer->connector));
	json_builder_set(&item, STR("resource"), json_string(name));
	json_builder_set(&item, STR("overrides"),
			 override_print(arena, all, count, name, layer->account_id.len > 0));
	json_builder_set(&item, STR("fields"), json_builder_array(&fields));
	door_reply(exchange, 200, json_builder_object(&item));
	return true;
}

static bool change(const struct door *door, struct http_exchange *exchange,
		   const struct override_layer *layer, struct str resource,
		   struct override_fault *fault, struct error *err)
{
	struct override *changes = NULL;
	struct json body;
	size_t count = 0;
	bool is_removal = exchange->method == HTTP_DELETE;

	if (!is_removal && (!door_parse_body(exchange, &body, err) ||
			    !override_read(exchange->arena, resource, body, &changes, &count, err)))
		return false;
	return override_save(door->services->overrides, exchange->arena, layer, resource, changes,
			     count, exchange->method != HTTP_PATCH, fault, err) &&
	       show(door, exchange, layer, resource, err);
}

/* --- handlers -------------------------------------------------------------------------------- */

static void answer_list(const struct door *door, struct http_exchange *exchange,
			struct str connector, struct str account_id)
{
	struct error err;

	if (!list(door, exchange, connector, account_id, &err))
		door_reply_error(exchange, &err, NULL);
}

static void answer(const struct door *door, struct http_exchange *exchange, struct str connector,
		   struct str account_id, struct str resource)
{
	struct override_fault fault = {.is_expression = false};
	struct override_layer layer;
	struct error err;
	bool ok = find_layer(door, exchange, connector, account_id, &layer, &err);

	if (ok)
		ok = exchange->method == HTTP_GET || exchange->method == HTTP_HEAD
			     ? show(door, exchange, &layer, resource, &err)
			     : change(door, exchange, &layer, resource, &fault, &err);
	if (!ok)
		admin_reply_fault(exchange, &err, &fault, NULL);
}

void admin_list_environment_overrides(void *context, struct http_exchange *exchange,
				      const struct http_match *match)
{
	(void)match;
	answer_list(context, exchange, (struct str){NULL, 0}, (struct str){NULL, 0});
}

void admin_list_connector_overrides(void *context, struct http_exchange *exchange,
				    const struct http_match *match)
{
	answer_list(context, exchange, match->parts[0], (struct str){NULL, 0});
}

void admin_list_account_overrides(void *context, struct http_exchange *exchange,
				  const struct http_match *match)
{
	answer_list(context, exchange, (struct str){NULL, 0}, match->parts[0]);
}

void admin_show_environment_overrides(void *context, struct http_exchange *exchange,
				      const struct http_match *match)
{
	answer(context, exchange, match->parts[0], (struct str){NULL, 0}, match->parts[1]);
}

void admin_change_environment_overrides(void *context, struct http_exchange *exchange,
					const struct http_match *match)
{
	answer(context, exchange, match->parts[0], (struct str){NULL, 0}, match->parts[1]);
}

void admin_show_account_overrides(void *context, struct http_exchange *exchange,
				  const struct http_match *match)
{
	answer(context, exchange, (struct str){NULL, 0}, match->parts[0], match->parts[1]);
}

void admin_change_account_overrides(void *context, struct http_exchange *exchange,
				    const struct http_match *match)
{
	answer(context, exchange, (struct str){NULL, 0}, match->parts[0], match->parts[1]);
}
