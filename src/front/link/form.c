/* The questions after an account is linked: their choices come from the account itself, the answers
 * go into its context. */
#include "front/link/routes.h"

enum { OPTIONS_MAX = 1000, TEXT_BYTES_MAX = 1000, CHOSEN_MAX = 500 };

struct filling {
	const struct door *door;
	struct http_exchange *exchange;
	struct account account;
	const struct connector *connector;
	const char *reason;
};

static bool open_filling(struct filling *filling, struct error *err)
{
	const struct door *door = filling->door;
	struct arena *arena = filling->exchange->arena;
	struct link_session session;

	if (!link_find_session(door, filling->exchange, &session, &filling->reason, err))
		return false;
	if (session.account_id.len == 0 || !str_equal(session.status, STR("connected")))
		return error_set(err, ERROR_CONFLICT, "no account is linked yet in this session");
	if (!account_find(door->services->accounts, arena, session.token.environment_id,
			  session.account_id, &filling->account, err))
		return false;
	filling->connector =
		connectors_find(door->services->connectors, filling->account.connector, err);
	return filling->connector != NULL;
}

static const struct connector_choice *find_choice(const struct connector *connector,
						  struct str name, struct error *err)
{
	for (size_t i = 0; i < connector->link.choice_count; i++)
		if (str_equal(connector->link.choices[i].name, name))
			return &connector->link.choices[i];
	error_set_field(err, ERROR_INVALID, "field", NULL, "the form has no field \"%.*s\"",
			STR_ARGS(str_slice(name, 0, 64)));
	return NULL;
}

/* --- options ---------------------------------------------------------------------------------- */

static bool read_filters(const struct filling *filling, const struct connector_choice *choice,
			 struct operation_filter *filters, struct error *err)
{
	for (size_t i = 0; i < choice->depend_count; i++) {
		struct str field = choice->depends[i].field;

		filters[i].name = choice->depends[i].filter;
		if (!http_exchange_query(filling->exchange,
					 arena_format(filling->exchange->arena, "%.*s%c",
						      STR_ARGS(field), '\0')
						 .data,
					 &filters[i].value))
			return error_set_field(err, ERROR_INVALID,
					       arena_c(filling->exchange->arena, field), NULL,
					       "the choice depends on \"%.*s\", which is not given",
					       STR_ARGS(field));
	}
	return true;
}

static struct json show_options(struct arena *arena, const struct connector_choice *choice,
				struct json items)
{
	struct json_builder list, out;

	json_builder_init(&list, arena);
	for (size_t i = 0; i < items.count; i++) {
		struct json value = json_get_path(json_at(items, i), choice->value_path);
		struct json label = json_get_path(json_at(items, i), choice->label_path);
		struct json_builder option;

		if (!json_is(value, JSON_STRING))
			continue;
		json_builder_init(&option, arena);
		json_builder_set(&option, STR("value"), value);
		json_builder_set(&option, STR("label"), json_is(label, JSON_STRING) ? label : value);
		json_builder_add(&list, json_builder_object(&option));
	}
	json_builder_init(&out, arena);
	json_builder_set(&out, STR("options"), json_builder_array(&list));
	return json_builder_object(&out);
}

static bool list_options(struct filling *filling, struct error *err)
{
	const struct door *door = filling->door;
	struct http_exchange *exchange = filling->exchange;
	struct operation_filter *filters;
	const struct connector_choice *choice;
	struct operation_result result = {0};
	struct str name = {NULL, 0};

	if (!open_filling(filling, err))
		return false;
	http_exchange_query(exchange, "field", &name);
	choice = find_choice(filling->connector, name, err);
	if (choice == NULL)
		return false;
	if (choice->resource.len == 0)
		return error_set_field(err, ERROR_INVALID, "field", NULL,
				       "this field has no options to choose from");
	filters = arena_array(exchange->arena, choice->depend_count + 1, sizeof *filters);
	if (!read_filters(filling, choice, filters, err))
		return false;
	const struct operation operation = {
		.account = &filling->account,
		.resource = choice->resource,
		.method = OPERATION_LIST,
		.filters = filters,
		.filter_count = choice->depend_count,
		.limit = OPTIONS_MAX,
		.deadline_ns = exchange->started_ns + door->call_timeout_ms * 1000000,
	};
	bool ok = operation_run(door->services, exchange->arena, &operation, &result, err);
	door_set_timing(door, exchange, &result);
	if (!ok) {
		filling->reason = link_reason(door->services, exchange->arena, filling->connector,
					      &result, err);
		return false;
	}
	door_reply(exchange, 200, show_options(exchange->arena, choice, result.items));
	return true;
}

void link_list_options(void *context, struct http_exchange *exchange, const struct http_match *match)
{
	struct filling filling = {.door = context, .exchange = exchange};
	struct error err;

	(void)match;
	http_exchange_set_header(exchange, "Cache-Control", STR("no-store"));
	if (!list_options(&filling, &err))
		link_reply_error(exchange, &err, filling.reason);
}

/* --- answers ---------------------------------------------------------------------------------- */

static bool is_text(struct json value)
{
	return json_is(value, JSON_STRING) && value.count <= TEXT_BYTES_MAX &&
	       !http_has_control_byte(json_str(value));
}

static bool fits(const struct connector_choice *choice, struct json value)
{
	switch (choice->type) {
	case FORM_BOOLEAN:
		return json_is(value, JSON_BOOL);
	case FORM_MULTI_SELECT:
		if (!json_is(value, JSON_ARRAY) || value.count > CHOSEN_MAX)
			return false;
		for (size_t i = 0; i < value.count; i++)
			if (!is_text(json_at(value, i)))
				return false;
		return true;
	case FORM_SINGLE_SELECT:
	case FORM_TEXT:
		return is_text(value);
	}
	return false;
}

static bool is_empty(struct json value)
{
	return json_is(value, JSON_UNDEFINED) || json_is(value, JSON_NULL) ||
	       ((json_is(value, JSON_STRING) || json_is(value, JSON_ARRAY)) && value.count == 0);
}

static bool check_answer(struct arena *arena, const struct connector_choice *choice,
			 struct json value, struct error *err)
{
	static const char *const allowed[] = {"the value of an option",
					      "a list of values of options", "a text",
					      "true or false"};

	if (is_empty(value) ? !choice->is_required : fits(choice, value))
		return true;
	return error_set_field(err, ERROR_INVALID, arena_c(arena, choice->name),
			       allowed[choice->type], "\"%.*s\" must be %s",
			       STR_ARGS(choice->label), allowed[choice->type]);
}

static bool check_answers(const struct filling *filling, struct json values, struct error *err)
{
	const struct connector_link *link = &filling->connector->link;

	for (size_t i = 0; i < values.count; i++)
		if (find_choice(filling->connector,
				json_name(&values.members[i]),
				err) == NULL)
			return false;
	for (size_t i = 0; i < link->choice_count; i++)
		if (!check_answer(filling->exchange->arena, &link->choices[i],
				  json_get(values, link->choices[i].name), err))
			return false;
	return true;
}

/* Over what is there; what was left empty goes. */
static struct json merge(struct arena *arena, struct json context, struct json values)
{
	struct json_builder out;

	json_builder_init(&out, arena);
	json_builder_set_others(&out, context, values);
	for (size_t i = 0; i < values.count; i++)
		if (!is_empty(values.members[i].value))
			json_builder_set(&out, json_name(&values.members[i]),
					 values.members[i].value);
	return json_builder_object(&out);
}

static bool save_form(struct filling *filling, struct error *err)
{
	struct http_exchange *exchange = filling->exchange;
	struct json_builder out;
	struct json body, values;
	struct account before;

	if (!open_filling(filling, err) || !door_parse_body(exchange, &body, err))
		return false;
	before = filling->account;
	values = json_get_c(body, "values");
	if (!json_is(values, JSON_OBJECT))
		return error_set_field(err, ERROR_INVALID, "values", "an object",
				       "values must be an object");
	if (!check_answers(filling, values, err))
		return false;
	filling->account.context = merge(exchange->arena, filling->account.context, values);
	if (!account_update(filling->door->services->accounts, exchange->arena, &before,
			    &filling->account, "integrated_account:post_connect_form_submitted", err))
		return false;
	json_builder_init(&out, exchange->arena);
	json_builder_set(&out, STR("integrated_account_id"), json_string(filling->account.id));
	door_reply(exchange, 200, json_builder_object(&out));
	return true;
}

void link_save_form(void *context, struct http_exchange *exchange, const struct http_match *match)
{
	struct filling filling = {.door = context, .exchange = exchange};
	struct error err;
	bool ok;
	int tries = 0;

	(void)match;
	do
		ok = save_form(&filling, &err);
	while (!ok && err.code == ERROR_CONFLICT && ++tries < ACCOUNT_UPDATE_TRIES);
	if (!ok)
		link_reply_error(exchange, &err, filling.reason);
}
