/* Which ATSs can be linked, what one asks for, and what works with it or with an account. */
#include "front/discovery/document.h"

enum { SCOPES = KEY_SCOPE_CALL | KEY_SCOPE_ADMIN };

/* --- integrations ---------------------------------------------------------------------------- */

static void add_fields(struct json_builder *items, const struct connector_field *fields,
		       size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct json_builder item;

		json_builder_init(&item, items->arena);
		json_builder_set(&item, STR("name"), json_string(fields[i].name));
		json_builder_set(&item, STR("label"), json_string(fields[i].label));
		json_builder_set(&item, STR("help"), json_string(fields[i].help));
		json_builder_set(&item, STR("required"), json_bool(fields[i].is_required));
		json_builder_set(&item, STR("secret"), json_bool(fields[i].is_secret));
		json_builder_add(items, json_builder_object(&item));
	}
}

static struct json show_fields(struct arena *arena, const struct connector_field *fields,
			       size_t count)
{
	struct json_builder items;

	json_builder_init(&items, arena);
	add_fields(&items, fields, count);
	return json_builder_array(&items);
}

/* Each way to show to the ATS that one may, with what is filled in for it. */
static struct json show_formats(struct arena *arena, const struct connector *connector)
{
	struct json_builder items;

	json_builder_init(&items, arena);
	for (size_t i = 0; i < connector->format_count; i++) {
		const struct connector_format *format = &connector->formats[i];
		struct json_builder item;

		json_builder_init(&item, arena);
		json_builder_set(&item, STR("format"), json_string(format->name));
		json_builder_set(&item, STR("fields"),
				 show_fields(arena, format->fields, format->field_count));
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
		struct json_builder item;

		json_builder_init(&item, arena);
		json_builder_set(&item, STR("resource"), json_string(resource->model->name));
		json_builder_set(&item, STR("methods"),
				 contract_methods(arena, resource->model, resource));
		json_builder_add(&items, json_builder_object(&item));
	}
	return json_builder_array(&items);
}

/* A connector's category is the model which it feeds. */
static void put_names(struct json_builder *item, const struct model *model,
		      const struct connector *connector)
{
	json_builder_set(item, STR("id"), json_string(connector->name));
	json_builder_set(item, STR("name"), json_string(connector->name));
	json_builder_set(item, STR("label"), json_string(connector->label));
	json_builder_set(item, STR("category"), json_string(model->name));
}

static struct json show(struct arena *arena, const struct model *model,
			const struct connector *connector)
{
	struct json_builder item;

	json_builder_init(&item, arena);
	put_names(&item, model, connector);
	json_builder_set(&item, STR("credential_format"), json_string(connector->formats[0].name));
	json_builder_set(&item, STR("context"),
			 show_fields(arena, connector->context, connector->context_count));
	json_builder_set(&item, STR("credentials"),
			 show_fields(arena, connector->formats[0].fields,
				     connector->formats[0].field_count));
	json_builder_set(&item, STR("credential_formats"), show_formats(arena, connector));
	json_builder_set(&item, STR("unified"), show_resources(arena, connector));
	return json_builder_object(&item);
}

void discovery_list_integrations(void *context, struct http_exchange *exchange,
				 const struct http_match *match)
{
	const struct door *door = context;
	struct json_builder items, envelope;
	struct caller caller;
	struct error err;

	(void)match;
	if (!door_authorise(door, exchange, SCOPES, &caller, &err)) {
		door_reply_error(exchange, &err, NULL);
		return;
	}
	json_builder_init(&items, exchange->arena);
	for (size_t i = 0; i < door->services->connectors->count; i++)
		json_builder_add(&items, show(exchange->arena, door->services->model,
					      door->services->connectors->items[i]));
	json_builder_init(&envelope, exchange->arena);
	json_builder_set(&envelope, STR("result"), json_builder_array(&items));
	json_builder_set(&envelope, STR("next_cursor"), json_null());
	json_builder_set(&envelope, STR("prev_cursor"), json_null());
	json_builder_set(&envelope, STR("result_count"), json_int((int64_t)items.count));
	door_reply(exchange, 200, json_builder_object(&envelope));
}

void discovery_show_integration(void *context, struct http_exchange *exchange,
				const struct http_match *match)
{
	const struct door *door = context;
	const struct connector *connector = NULL;
	struct caller caller;
	struct error err;

	if (door_authorise(door, exchange, SCOPES, &caller, &err))
		connector = connectors_find(door->services->connectors, match->parts[0], &err);
	if (connector == NULL)
		door_reply_error(exchange, &err, NULL);
	else
		door_reply(exchange, 200, show(exchange->arena, door->services->model, connector));
}

/* --- capabilities ---------------------------------------------------------------------------- */

static bool read_type(struct str text, struct contract_query *query, struct error *err)
{
	bool is_all = str_equal(text, STR("all"));

	query->unified = is_all || str_equal(text, STR("unified"));
	query->proxy = is_all || str_equal(text, STR("proxy"));
	return query->unified || query->proxy ||
	       error_set_field(err, ERROR_INVALID, "type", "unified, proxy, all",
			       "type must be unified, proxy or all");
}

static bool read_schemas(struct str text, struct contract_query *query, struct error *err)
{
	query->schemas = str_equal(text, STR("true")) || str_equal(text, STR("1"));
	return query->schemas || str_equal(text, STR("false")) || str_equal(text, STR("0")) ||
	       error_set_field(err, ERROR_INVALID, "schemas", "true or false",
			       "schemas must be true or false");
}

static bool read_query(const struct http_exchange *exchange, struct contract_query *query,
		       struct error *err)
{
	*query = (struct contract_query){.unified = true, .proxy = true};
	for (size_t i = 0; i < exchange->query_count; i++) {
		struct str name = exchange->query[i].name, value = exchange->query[i].value;

		if (str_equal(name, STR("type"))) {
			if (!read_type(value, query, err))
				return false;
		} else if (str_equal(name, STR("schemas"))) {
			if (!read_schemas(value, query, err))
				return false;
		} else if (str_equal(name, STR("resource"))) {
			query->resource = value;
		} else if (str_equal(name, STR("methods"))) {
			query->methods = value;
		} else if (!exchange->is_local || !str_equal(name, STR("environment"))) {
			return error_set_field(err, ERROR_INVALID, arena_c(exchange->arena, name),
					       "type, resource, methods, schemas",
					       "capabilities have no parameter \"%.*s\"",
					       STR_ARGS(str_slice(name, 0, 64)));
		}
	}
	return true;
}

static struct json show_auth(struct arena *arena, const struct connector *connector)
{
	struct json_builder out, formats, fields;

	json_builder_init(&formats, arena);
	for (size_t i = 0; i < connector->format_count; i++)
		json_builder_add(&formats, json_string(connector->formats[i].name));
	json_builder_init(&fields, arena);
	add_fields(&fields, connector->context, connector->context_count);
	add_fields(&fields, connector->formats[0].fields, connector->formats[0].field_count);
	json_builder_init(&out, arena);
	json_builder_set(&out, STR("formats"), json_builder_array(&formats));
	json_builder_set(&out, STR("fields"), json_builder_array(&fields));
	return json_builder_object(&out);
}

/* What calls of an account in this state come to. */
static const char *status_note(enum account_status status)
{
	switch (status) {
	case ACCOUNT_ACTIVE:
		return NULL;
	case ACCOUNT_NEEDS_REAUTH:
		return "The ATS refused the credential. Calls are tried all the same, and the "
		       "first "
		       "that it takes makes the account active again; else link it again.";
	case ACCOUNT_POST_INSTALL_ERROR:
		return "Linking it is not done, but calls can be made.";
	case ACCOUNT_CONNECTING:
	case ACCOUNT_VALIDATION_ERROR:
		break;
	}
	return "Linking it is not done. Calls are tried all the same, and the first that works "
	       "makes the account active.";
}

static struct json show_account(struct arena *arena, const struct account *account,
				const struct connector *connector)
{
	const char *note = status_note(account->status);
	struct json_builder out;

	json_builder_init(&out, arena);
	json_builder_set(&out, STR("id"), json_string(account->id));
	json_builder_set(&out, STR("tenant_id"),
			 account->tenant_id.len == 0 ? json_null()
						     : json_string(account->tenant_id));
	json_builder_set(&out, STR("status"), json_string_c(account_status_name(account->status)));
	json_builder_set(&out, STR("authentication_method"),
			 json_string(account->authentication_method.len > 0
					     ? account->authentication_method
					     : connector->formats[0].name));
	json_builder_set(&out, STR("is_blocked"), json_bool(false));
	json_builder_set(&out, STR("note"), note == NULL ? json_null() : json_string_c(note));
	return json_builder_object(&out);
}

/* `account` NULL: of the connector alone. */
static struct json show_capabilities(const struct door *door, struct arena *arena,
				     const struct connector *connector,
				     const struct account *account,
				     const struct contract_query *query)
{
	struct json_builder out, names;

	json_builder_init(&names, arena);
	put_names(&names, door->services->model, connector);
	json_builder_init(&out, arena);
	json_builder_set(&out, STR("integration"), json_builder_object(&names));
	if (account != NULL) {
		json_builder_set(&out, STR("environment_id"), json_string(account->environment_id));
		json_builder_set(&out, STR("account"), show_account(arena, account, connector));
	}
	json_builder_set(&out, STR("auth"), show_auth(arena, connector));
	contract_capabilities(&out, door->services->model, connector, query);
	return json_builder_object(&out);
}

void discovery_show_capabilities(void *context, struct http_exchange *exchange,
				 const struct http_match *match)
{
	const struct door *door = context;
	const struct connector *connector = NULL;
	struct contract_query query;
	struct caller caller;
	struct error err;

	if (door_authorise(door, exchange, SCOPES, &caller, &err) &&
	    read_query(exchange, &query, &err))
		connector = connectors_find(door->services->connectors, match->parts[0], &err);
	if (connector == NULL)
		door_reply_error(exchange, &err, NULL);
	else
		door_reply(exchange, 200,
			   show_capabilities(door, exchange->arena, connector, NULL, &query));
}

void discovery_show_account_capabilities(void *context, struct http_exchange *exchange,
					 const struct http_match *match)
{
	const struct door *door = context;
	const struct connector *connector = NULL;
	struct contract_query query;
	struct account account;
	struct caller caller;
	struct error err;

	if (door_authorise(door, exchange, SCOPES, &caller, &err) &&
	    read_query(exchange, &query, &err) &&
	    door_find_account(door, exchange->arena, &caller, match->parts[0], &account, &err))
		connector = connectors_find(door->services->connectors, account.connector, &err);
	if (connector == NULL)
		door_reply_error(exchange, &err, NULL);
	else
		door_reply(exchange, 200,
			   show_capabilities(door, exchange->arena, connector, &account, &query));
}
