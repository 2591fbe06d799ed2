/* JSON Schemas of one unified method: of its query, its body, and its answer. */
#include "front/discovery/document.h"

/* What is asked about. */
struct meta {
	const struct discovery *discovery;
	struct arena *arena;
	const struct model_resource *resource;
	struct str method;
	const struct model_method *write;	  /* NULL: list or get */
	const struct connector *connector;	  /* NULL: of any ATS */
	const struct unified_resource *connected; /* the connector's; NULL with it */
};

/* --- finding it ------------------------------------------------------------------------------ */

static struct str join(struct arena *arena, struct json names)
{
	struct str *texts = arena_array(arena, names.count + 1, sizeof *texts);

	for (size_t i = 0; i < names.count; i++)
		texts[i] = json_str(json_at(names, i));
	return definition_names(arena, texts, names.count);
}

static bool find_resource(struct meta *meta, struct str model, struct str name, struct error *err)
{
	const struct model *ours = meta->discovery->model;
	struct str *names = arena_array(meta->arena, ours->resource_count + 1, sizeof *names);

	if (!str_equal(model, ours->name))
		return error_set_field(
			err, ERROR_NOT_FOUND, "model", arena_c(meta->arena, ours->name),
			"there is no unified model \"%.*s\"", STR_ARGS(str_slice(model, 0, 64)));
	meta->resource = model_find(ours, name);
	if (meta->resource != NULL)
		return true;
	for (size_t i = 0; i < ours->resource_count; i++)
		names[i] = ours->resources[i].name;
	struct str allowed = definition_names(meta->arena, names, ours->resource_count);
	return error_set_field(err, ERROR_NOT_FOUND, "resource", arena_c(meta->arena, allowed),
			       "the model has no resource \"%.*s\"",
			       STR_ARGS(str_slice(name, 0, 64)));
}

static bool find_method(struct meta *meta, struct str name, struct error *err)
{
	meta->method = name;
	meta->write = model_find_method(meta->resource, name);
	if (meta->write != NULL || str_equal(name, STR("list")) || str_equal(name, STR("get")))
		return true;
	struct json methods = contract_methods(meta->arena, meta->resource, NULL);
	return error_set_field(err, ERROR_NOT_FOUND, "method",
			       arena_c(meta->arena, join(meta->arena, methods)),
			       "%.*s have no method \"%.*s\"", STR_ARGS(meta->resource->name),
			       STR_ARGS(str_slice(name, 0, 64)));
}

/* The ATS must have it. */
static bool check_connector(struct meta *meta, struct error *err)
{
	const struct connector *connector = meta->connector;

	if (connector == NULL)
		return true;
	meta->connected = connector_find_resource(connector, meta->resource->name);
	if (unified_has(meta->connected, meta->method))
		return true;
	if (meta->connected == NULL)
		return error_set_field(err, ERROR_NOT_SUPPORTED, "resource", NULL,
				       "%.*s has no %.*s", STR_ARGS(connector->label),
				       STR_ARGS(meta->resource->name));
	struct json methods = contract_methods(meta->arena, meta->resource, meta->connected);
	return error_set_field(err, ERROR_NOT_SUPPORTED, "method",
			       arena_c(meta->arena, join(meta->arena, methods)),
			       "%.*s cannot do \"%.*s\" with %.*s", STR_ARGS(connector->label),
			       STR_ARGS(meta->method), STR_ARGS(meta->resource->name));
}

/* --- showing it ------------------------------------------------------------------------------ */

static const char *kind_of(const struct meta *meta)
{
	if (meta->write != NULL)
		return "write";
	return str_equal(meta->method, STR("list")) ? "list" : "get";
}

static bool takes_filter(const struct meta *meta, const struct model_filter *filter)
{
	const struct unified_resource *resource = meta->connected;
	bool is_list = str_equal(meta->method, STR("list"));

	if (meta->write != NULL)
		return false;
	if (resource == NULL)
		return is_list;
	return operation_filtering(resource, is_list ? &resource->list : &resource->get, filter) !=
	       FILTERING_NOT;
}

/* Does every way to answer the method want it? */
static bool wants_filter(const struct meta *meta, struct str name)
{
	const struct unified_resource *resource = meta->connected;

	if (resource == NULL)
		return false;
	return contract_wants(
		str_equal(meta->method, STR("list")) ? &resource->list : &resource->get, name);
}

static struct json query_schema(const struct meta *meta)
{
	struct json names = json_get_c(meta->discovery->unified, kind_of(meta));
	struct json_builder out, properties, required;

	json_builder_init(&properties, meta->arena);
	json_builder_init(&required, meta->arena);
	json_builder_add(&required, json_string(STR("integrated_account_id")));
	for (size_t i = 0; i < names.count; i++) {
		struct str name = json_str(json_at(names, i));

		document_copy(&properties, json_get(meta->discovery->parameters, name));
	}
	for (size_t i = 0; i < meta->resource->filter_count; i++) {
		const struct model_filter *filter = &meta->resource->filters[i];

		if (!takes_filter(meta, filter))
			continue;
		json_builder_set(&properties, filter->name, contract_filter(meta->arena, filter));
		if (wants_filter(meta, filter->name))
			json_builder_add(&required, json_string(filter->name));
	}
	json_builder_init(&out, meta->arena);
	document_put_c(&out, "type", "object");
	json_builder_set(&out, STR("properties"), json_builder_object(&properties));
	json_builder_set(&out, STR("required"), json_builder_array(&required));
	json_builder_set(&out, STR("additionalProperties"), json_bool(false));
	return json_builder_object(&out);
}

static struct json body_schema(const struct meta *meta)
{
	if (meta->write == NULL || str_equal(meta->method, STR("delete")))
		return json_null();
	return contract_body(meta->arena, meta->write,
			     meta->connected == NULL
				     ? NULL
				     : connector_find_write(meta->connected, meta->method));
}

static struct json answer_schema(const struct meta *meta)
{
	struct json record = contract_record(meta->arena, meta->resource);

	if (str_equal(meta->method, STR("list")))
		return unified_list_schema(meta->arena, record, json_undefined());
	return str_equal(meta->method, STR("delete")) ? meta->discovery->deleted : record;
}

static struct str describe(const struct meta *meta)
{
	return meta->write != NULL ? meta->write->describe : meta->resource->describe;
}

static struct json show(const struct meta *meta)
{
	const struct model *model = meta->discovery->model;
	struct json_builder out;

	json_builder_init(&out, meta->arena);
	document_put(&out, "model", model->name);
	document_put(&out, "resource", meta->resource->name);
	document_put(&out, "method", meta->method);
	document_put(&out, "description", describe(meta));
	document_put_c(&out, "http_method", unified_verb(meta->method));
	document_put(
		&out, "path",
		unified_path(meta->arena, model, meta->resource->name, meta->write, meta->method));
	json_builder_set(&out, STR("integration"),
			 meta->connector == NULL ? json_null()
						 : json_string(meta->connector->name));
	json_builder_set(&out, STR("integrations"),
			 unified_integrations(meta->arena, meta->discovery->connectors,
					      meta->resource->name, meta->method));
	json_builder_set(&out, STR("query_schema"), query_schema(meta));
	json_builder_set(&out, STR("request_body_schema"), body_schema(meta));
	json_builder_set(&out, STR("response_schema"), answer_schema(meta));
	return json_builder_object(&out);
}

/* --- the handlers ---------------------------------------------------------------------------- */

/* `integrated_account_id` is all that may be asked besides. */
static bool read_query(const struct http_exchange *exchange, struct str *account_id,
		       struct error *err)
{
	*account_id = (struct str){NULL, 0};
	for (size_t i = 0; i < exchange->query_count; i++) {
		struct str name = exchange->query[i].name;

		if (str_equal(name, STR("integrated_account_id")))
			*account_id = exchange->query[i].value;
		else if (!exchange->is_local || !str_equal(name, STR("environment")))
			return error_set_field(err, ERROR_INVALID, arena_c(exchange->arena, name),
					       "integrated_account_id",
					       "meta has no parameter \"%.*s\"",
					       STR_ARGS(str_slice(name, 0, 64)));
	}
	return true;
}

/* `integration` empty: that of the account, if one is given. */
static bool find_connector(const struct door *door, struct http_exchange *exchange,
			   const struct caller *caller, struct str integration, struct meta *meta,
			   struct error *err)
{
	struct account account;
	struct str account_id;

	if (!read_query(exchange, &account_id, err))
		return false;
	if (account_id.data != NULL) {
		if (!door_find_account(door, exchange->arena, caller, account_id, &account, err))
			return false;
		if (integration.len == 0)
			integration = account.connector;
	}
	if (integration.len == 0)
		return true;
	meta->connector = connectors_find(door->services->connectors, integration, err);
	return meta->connector != NULL;
}

static void answer(const struct door *door, struct http_exchange *exchange,
		   const struct http_match *match, struct str integration, struct str method)
{
	struct meta meta = {.discovery = door->discovery, .arena = exchange->arena};
	struct caller caller;
	struct error err;

	if (!door_authorise(door, exchange, KEY_SCOPE_CALL | KEY_SCOPE_ADMIN, &caller, &err) ||
	    !find_resource(&meta, match->parts[0], match->parts[1], &err) ||
	    !find_method(&meta, method, &err) ||
	    !find_connector(door, exchange, &caller, integration, &meta, &err) ||
	    !check_connector(&meta, &err))
		door_reply_error(exchange, &err, NULL);
	else
		door_reply(exchange, 200, show(&meta));
}

void discovery_show_meta(void *context, struct http_exchange *exchange,
			 const struct http_match *match)
{
	answer(context, exchange, match, STR(""), match->parts[2]);
}

void discovery_show_integration_meta(void *context, struct http_exchange *exchange,
				     const struct http_match *match)
{
	answer(context, exchange, match, match->parts[2], match->parts[3]);
}
