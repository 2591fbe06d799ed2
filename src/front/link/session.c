/* What the link page is told when it opens: whose it is, how it looks, what may be linked. */
#include "front/link/routes.h"

static void put(struct json_builder *out, const char *name, struct json value)
{
	json_builder_set(out, str_from_c(name), value);
}

/* --- connectors ------------------------------------------------------------------------------ */

/* `fixed`: what the token's context, or that of the account, says already is not asked for. */
static void add_field(struct json_builder *fields, struct arena *arena,
		      const struct connector_field *field, const char *group, struct json fixed)
{
	struct json_builder item;

	if (json_is(json_get(fixed, field->name), JSON_STRING))
		return;
	json_builder_init(&item, arena);
	put(&item, "name", json_string(field->name));
	put(&item, "group", json_string_c(group));
	put(&item, "label", json_string(field->label));
	put(&item, "help", json_string_or_null(field->help));
	put(&item, "placeholder", json_string_or_null(field->placeholder));
	put(&item, "pattern", json_string_or_null(field->pattern));
	put(&item, "secret", json_bool(field->is_secret));
	put(&item, "required", json_bool(field->is_required));
	put(&item, "type", json_string_c(field->is_secret ? "password" : "text"));
	put(&item, "options", json_null());
	json_builder_add(fields, json_builder_object(&item));
}

static struct json picture_path(struct arena *arena, const struct connector *connector,
				struct str name)
{
	if (name.len == 0)
		return json_null();
	return json_string(arena_format(arena, "/link/connectors/%.*s/%.*s",
					STR_ARGS(connector->name), STR_ARGS(name)));
}

static struct json show_help(struct arena *arena, const struct connector *connector,
			     const struct connector_guide *guide)
{
	struct json_builder help;

	if (guide == NULL || (guide->help.len == 0 && guide->picture.len == 0))
		return json_null();
	json_builder_init(&help, arena);
	put(&help, "text", json_string_or_null(guide->help));
	put(&help, "picture", picture_path(arena, connector, guide->picture));
	put(&help, "url", json_string_or_null(guide->url));
	return json_builder_object(&help);
}

static struct json show_format(struct arena *arena, const struct connector *connector,
			       const struct connector_format *shown, struct json fixed)
{
	const struct connector_guide *guide = NULL;
	struct json_builder format, fields;

	for (size_t i = 0; i < connector->link.guide_count; i++)
		if (str_equal(connector->link.guides[i].format, shown->name))
			guide = &connector->link.guides[i];
	json_builder_init(&fields, arena);
	for (size_t i = 0; i < connector->context_count; i++)
		add_field(&fields, arena, &connector->context[i], "context", fixed);
	for (size_t i = 0; i < shown->field_count; i++)
		add_field(&fields, arena, &shown->fields[i], "credentials", json_undefined());
	json_builder_init(&format, arena);
	put(&format, "format", json_string(shown->name));
	put(&format, "label", guide == NULL ? json_null() : json_string_or_null(guide->label));
	put(&format, "fields", json_builder_array(&fields));
	put(&format, "help", show_help(arena, connector, guide));
	return json_builder_object(&format);
}

static struct json show_languages(struct arena *arena, const struct connector *connector)
{
	struct json_builder list;

	json_builder_init(&list, arena);
	for (size_t i = 0; i < connector->link.language_count; i++)
		json_builder_add(&list, json_string(connector->link.languages[i]));
	return json_builder_array(&list);
}

static struct json show_connector(struct arena *arena, const struct connector *connector,
				  struct json fixed)
{
	struct json_builder item, formats;

	json_builder_init(&formats, arena);
	for (size_t i = 0; i < connector->format_count; i++)
		json_builder_add(&formats,
				 show_format(arena, connector, &connector->formats[i], fixed));
	json_builder_init(&item, arena);
	put(&item, "name", json_string(connector->name));
	put(&item, "label", json_string(connector->label));
	put(&item, "logo", picture_path(arena, connector, connector->link.logo));
	put(&item, "languages", show_languages(arena, connector));
	put(&item, "formats", json_builder_array(&formats));
	return json_builder_object(&item);
}

/* --- the session ----------------------------------------------------------------------------- */

static struct json theme_of(const struct link_session *session)
{
	if (session->token.theme.count > 0)
		return session->token.theme;
	struct json theme = json_get_c(session->defaults, "theme");
	return json_is(theme, JSON_OBJECT) ? theme : json_object(NULL, 0);
}

static struct json logo_of(const struct link_session *session)
{
	struct json logo = json_get_c(session->defaults, "logo");

	return json_is(logo, JSON_STRING) ? logo : json_null();
}

struct showing {
	const struct door *door;
	struct arena *arena;
	const struct link_session *session;
	struct account account; /* of a token that links one anew */
};

static struct json show_connectors(const struct showing *showing)
{
	const struct connectors *connectors = showing->door->services->connectors;
	const struct link_session *session = showing->session;
	bool is_again = session->token.account_id.len > 0;
	struct json fixed = is_again ? showing->account.context : session->token.context;
	struct json_builder list;

	json_builder_init(&list, showing->arena);
	for (size_t i = 0; i < connectors->count; i++) {
		const struct connector *connector = connectors->items[i];
		bool is_shown = is_again ? str_equal(connector->name, showing->account.connector)
					 : link_names_connector(session->connectors,
								connector->name);

		if (is_shown)
			json_builder_add(&list, show_connector(showing->arena, connector, fixed));
	}
	return json_builder_array(&list);
}

static struct json show_reconnect(const struct showing *showing)
{
	struct json_builder item;

	if (showing->session->token.account_id.len == 0)
		return json_null();
	json_builder_init(&item, showing->arena);
	put(&item, "integrated_account_id", json_string(showing->account.id));
	put(&item, "connector", json_string(showing->account.connector));
	return json_builder_object(&item);
}

static struct json show(const struct showing *showing, struct str text)
{
	const struct link_session *session = showing->session;
	bool is_again = session->token.account_id.len > 0;
	struct str tenant = is_again ? showing->account.tenant_id : session->token.tenant_id;
	struct json_builder out;

	json_builder_init(&out, showing->arena);
	put(&out, "session", json_string(text));
	put(&out, "expires_at",
	    json_string(clock_format_ms(showing->arena, session->expires_ms)));
	put(&out, "tenant_id", json_string_or_null(tenant));
	put(&out, "redirect_uri", json_string_or_null(session->token.redirect_uri));
	put(&out, "origin", json_string_or_null(session->origin));
	put(&out, "language", json_string_or_null(session->language));
	put(&out, "theme", theme_of(session));
	put(&out, "logo", logo_of(session));
	put(&out, "reconnect", show_reconnect(showing));
	put(&out, "connectors", show_connectors(showing));
	return json_builder_object(&out);
}

/* --- opening --------------------------------------------------------------------------------- */

static bool read_connectors(const struct door *door, struct json body, struct json *out,
			    struct error *err)
{
	*out = json_get_c(body, "connectors");
	if (json_is(*out, JSON_UNDEFINED) || json_is(*out, JSON_NULL))
		*out = json_array(NULL, 0);
	if (!json_is(*out, JSON_ARRAY) || out->count > LINK_CONNECTORS_MAX)
		return error_set_field(err, ERROR_INVALID, "connectors", "a list of names",
				       "connectors must be a list of names");
	for (size_t i = 0; i < out->count; i++) {
		struct json name = json_at(*out, i);

		if (!json_is(name, JSON_STRING))
			return error_set_field(err, ERROR_INVALID, "connectors", "a list of names",
					       "connectors must be a list of names");
		if (connectors_find(door->services->connectors, json_str(name), err) == NULL) {
			snprintf(err->field, sizeof err->field, "connectors");
			err->code = ERROR_INVALID;
			return false;
		}
	}
	return true;
}

static bool read_opening(const struct door *door, struct http_exchange *exchange,
			 struct link_opening *opening, struct error *err)
{
	struct json body;

	return door_parse_body(exchange, &body, err) &&
	       link_read_text(body, "origin", 300, &opening->origin, err) &&
	       link_read_text(body, "mode", 32, &opening->mode, err) &&
	       link_read_text(body, "language", 16, &opening->language, err) &&
	       read_connectors(door, body, &opening->connectors, err);
}

/* Before the token is used up by it. */
static bool begin(const struct door *door, struct http_exchange *exchange, const char **reason,
		  struct error *err)
{
	struct link_opening opening;
	struct link_session session;
	struct str text;

	*reason = NULL;
	if (!read_opening(door, exchange, &opening, err) ||
	    !link_session_begin(door->links, exchange->arena, door_bearer(exchange), &opening,
				&session, &text, reason, err))
		return false;
	struct showing showing = {.door = door, .arena = exchange->arena, .session = &session};
	if (session.token.account_id.len > 0 &&
	    !account_find(door->services->accounts, exchange->arena, session.token.environment_id,
			  session.token.account_id, &showing.account, err))
		return false;
	door_reply(exchange, 201, show(&showing, text));
	return true;
}

void link_begin_session(void *context, struct http_exchange *exchange,
			const struct http_match *match)
{
	const char *reason;
	struct error err;

	(void)match;
	http_exchange_set_header(exchange, "Cache-Control", STR("no-store"));
	if (!begin(context, exchange, &reason, &err))
		link_reply_error(exchange, &err, reason);
}

/* --- asking how it stands --------------------------------------------------------------------- */

struct json link_show_form(struct arena *arena, const struct connector *connector)
{
	struct json_builder form, fields;

	if (connector->link.choice_count == 0)
		return json_null();
	json_builder_init(&fields, arena);
	for (size_t i = 0; i < connector->link.choice_count; i++) {
		const struct connector_choice *choice = &connector->link.choices[i];
		struct json_builder item, depends;

		json_builder_init(&depends, arena);
		for (size_t k = 0; k < choice->depend_count; k++)
			json_builder_add(&depends, json_string(choice->depends[k].field));
		json_builder_init(&item, arena);
		put(&item, "name", json_string(choice->name));
		put(&item, "label", json_string(choice->label));
		put(&item, "type", json_string_c(connector_choice_types[choice->type]));
		put(&item, "required", json_bool(choice->is_required));
		put(&item, "help", json_string_or_null(choice->help));
		put(&item, "depends_on", json_builder_array(&depends));
		json_builder_add(&fields, json_builder_object(&item));
	}
	json_builder_init(&form, arena);
	put(&form, "fields", json_builder_array(&fields));
	return json_builder_object(&form);
}

/* What is told of the account that the session has, if it has one. */
static void put_account(struct json_builder *out, const struct door *door, struct arena *arena,
			const struct link_session *session)
{
	struct json status = json_null(), form = json_null();
	const struct connector *connector = NULL;
	struct account account;
	struct error ignored;

	if (session->account_id.len > 0 &&
	    account_find(door->services->accounts, arena, session->token.environment_id,
			 session->account_id, &account, &ignored)) {
		status = json_string_c(account_status_name(account.status));
		connector = connectors_find(door->services->connectors, account.connector,
					    &ignored);
	}
	/* The questions come once it is linked. */
	if (connector != NULL && str_equal(session->status, STR("connected")))
		form = link_show_form(arena, connector);
	put(out, "account_status", status);
	put(out, "post_connect", form);
}

void link_show_session(void *context, struct http_exchange *exchange,
		       const struct http_match *match)
{
	const struct door *door = context;
	struct link_session session;
	struct json_builder out;
	const char *reason;
	struct error err;

	(void)match;
	http_exchange_set_header(exchange, "Cache-Control", STR("no-store"));
	if (!link_find_session(door, exchange, &session, &reason, &err)) {
		link_reply_error(exchange, &err, reason);
		return;
	}
	json_builder_init(&out, exchange->arena);
	put(&out, "status", json_string(session.status));
	put(&out, "integrated_account_id", json_string_or_null(session.account_id));
	put_account(&out, door, exchange->arena, &session);
	put(&out, "error", json_string_or_null(session.error));
	door_reply(exchange, 200, json_builder_object(&out));
}

void link_end_session(void *context, struct http_exchange *exchange,
		      const struct http_match *match)
{
	const struct door *door = context;
	struct link_session session;
	struct json_builder out;
	const char *reason;
	struct error err;

	(void)match;
	if (!link_find_session(door, exchange, &session, &reason, &err) ||
	    !link_session_end(door->links, &session, &err)) {
		link_reply_error(exchange, &err, reason);
		return;
	}
	json_builder_init(&out, exchange->arena);
	put(&out, "ended", json_bool(true));
	door_reply(exchange, 200, json_builder_object(&out));
}
