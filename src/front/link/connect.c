/* A credential that somebody filled in on the link page: tried on the ATS, then kept. */
#include "front/link/attempt.h"

static bool read_object(struct json body, const char *name, struct json *out, struct error *err)
{
	*out = json_get_c(body, name);
	if (json_is(*out, JSON_UNDEFINED) || json_is(*out, JSON_NULL))
		*out = json_object(NULL, 0);
	return json_is(*out, JSON_OBJECT) ||
	       error_set_field(err, ERROR_INVALID, name, "an object", "%s must be an object", name);
}

bool attempt_find_account(struct attempt *attempt, struct str connector, struct error *err)
{
	const struct link_session *session = &attempt->session;
	bool is_told = session->token.account_id.len > 0;
	struct str id = is_told ? session->token.account_id : session->account_id;

	attempt->is_again = id.len > 0 && account_find(attempt->door->services->accounts,
						       attempt->exchange->arena,
						       session->token.environment_id, id,
						       &attempt->account, err);
	if (attempt->is_again)
		attempt->before = attempt->account.context;
	if (is_told || !attempt->is_again)
		return attempt->is_again || id.len == 0 ||
		       (!is_told && err->code == ERROR_NOT_FOUND);
	/* Another ATS was chosen meanwhile: that one stays as it is. */
	if (connector.len > 0 && !str_equal(connector, attempt->account.connector)) {
		attempt->account = (struct account){0};
		attempt->is_again = false;
	}
	return true;
}

/* Of several connectors the page says which; it must be one that the token is for. */
bool attempt_find_connector(struct attempt *attempt, struct str name, struct error *err)
{
	const struct door *door = attempt->door;
	const struct link_session *session = &attempt->session;

	if (attempt->is_again && name.len == 0)
		name = attempt->account.connector;
	attempt->connector = connectors_find(door->services->connectors, name, err);
	if (attempt->connector == NULL)
		return false;
	if (attempt->is_again ? !str_equal(name, attempt->account.connector)
			      : !link_names_connector(session->connectors, name))
		return error_set_field(err, ERROR_FORBIDDEN, "connector", NULL,
				       "the link token is not for this connector");
	attempt->account.connector = attempt->connector->name;
	return true;
}

bool attempt_find_format(struct attempt *attempt, struct str name, struct error *err)
{
	const struct connector_format *format =
		connector_find_format(attempt->connector, name, err);

	if (format == NULL) {
		snprintf(err->field, sizeof err->field, "format");
		return false;
	}
	attempt->account.authentication_method = format->name;
	attempt->account.scopes = STR("");
	attempt->account.token.expires_ms = connector_expires_ms(format);
	attempt->account.token.refresh_ms = 0;
	return true;
}

bool attempt_read(struct attempt *attempt, struct error *err)
{
	struct http_exchange *exchange = attempt->exchange;
	struct str connector, format;
	struct json body;

	return door_parse_body(exchange, &body, err) &&
	       link_read_text(body, "connector", 64, &connector, err) &&
	       link_read_text(body, "format", 64, &format, err) &&
	       read_object(body, "context", &attempt->given, err) &&
	       read_object(body, "credentials", &attempt->credential, err) &&
	       attempt_find_account(attempt, connector, err) &&
	       attempt_find_connector(attempt, connector, err) &&
	       attempt_find_format(attempt, format, err);
}

/* --- the context ----------------------------------------------------------------------------- */

static bool is_asked(const struct connector *connector, struct str name)
{
	for (size_t i = 0; i < connector->context_count; i++)
		if (str_equal(connector->context[i].name, name))
			return true;
	return false;
}

/* Members of `object` that are not in `over`; `asked`: only those the connector asks for, or only
 * the others. */
static void add_members(struct json_builder *out, struct json object, struct json over,
			const struct connector *connector, bool asked)
{
	for (size_t i = 0; i < object.count; i++) {
		struct str key = json_name(&object.members[i]);

		if (is_asked(connector, key) == asked &&
		    json_is(json_get(over, key), JSON_UNDEFINED))
			json_builder_set(out, key, object.members[i].value);
	}
}

/* What the software company fixed goes over what the customer filled in, and may hold more than
 * the connector asks for: that is the company's own and not for the ATS. */
static struct json fixed_context(const struct attempt *attempt)
{
	return attempt->session.token.account_id.len > 0 ? attempt->account.context
							  : attempt->session.token.context;
}

struct json attempt_context(const struct attempt *attempt)
{
	struct json fixed = fixed_context(attempt);
	struct json_builder out;

	json_builder_init(&out, attempt->exchange->arena);
	add_members(&out, fixed, json_undefined(), attempt->connector, true);
	add_members(&out, attempt->given, fixed, attempt->connector, true);
	/* What nobody asked for is left in, to be refused by name. */
	add_members(&out, attempt->given, fixed, attempt->connector, false);
	return json_builder_object(&out);
}

struct json attempt_whole_context(const struct attempt *attempt, struct json for_ats)
{
	struct json_builder out;

	json_builder_init(&out, attempt->exchange->arena);
	add_members(&out, for_ats, json_undefined(), attempt->connector, true);
	add_members(&out, fixed_context(attempt), json_undefined(), attempt->connector, false);
	return json_builder_object(&out);
}

/* --- trying and keeping ---------------------------------------------------------------------- */

int64_t attempt_deadline_ns(const struct attempt *attempt)
{
	return attempt->exchange->started_ns + attempt->door->call_timeout_ms * 1000000;
}

bool attempt_try(struct attempt *attempt, struct error *err)
{
	const struct door *door = attempt->door;
	struct arena *arena = attempt->exchange->arena;
	struct account trial = attempt->account;
	struct operation_result result;

	trial.environment_id = attempt->session.token.environment_id;
	/* Rate limits are kept by it: one who tries too often is in nobody else's way. */
	if (trial.id.len == 0)
		trial.id = attempt->session.id;
	trial.context = attempt_context(attempt);
	bool is_good = operation_validate(door->services, arena, &trial, attempt->credential,
					  attempt_deadline_ns(attempt), &result, err);
	door_set_timing(door, attempt->exchange, &result);
	if (!is_good)
		attempt->reason =
			link_reason(door->services, arena, attempt->connector, &result, err);
	attempt->account.context = attempt_whole_context(attempt, trial.context);
	return is_good;
}

bool attempt_keep(struct attempt *attempt, enum account_status status, struct error *err)
{
	struct accounts *accounts = attempt->door->services->accounts;
	struct arena *arena = attempt->exchange->arena;
	struct link_session *session = &attempt->session;
	struct account *account = &attempt->account;

	if (!attempt->is_again) {
		account->id = id_make(accounts, arena, "acc_");
		account->environment_id = session->token.environment_id;
		account->tenant_id = session->token.tenant_id;
		account->status = status;
	}
	struct store_statement linked =
		status == ACCOUNT_ACTIVE ? link_session_connected(arena, session, account->id)
					 : link_session_bind(arena, session, account->id);
	const struct account_beside beside = {&linked, 1};
	bool ok = attempt->is_again ? account_reconnect(accounts, arena, attempt->before, account,
							status, attempt->credential, &beside, err)
				    : account_create_beside(accounts, arena, account,
							    attempt->credential, &beside, err);
	if (!ok && err->code == ERROR_CONFLICT && err->field[0] == '\0')
		return error_set(err, ERROR_CONFLICT, "this session of the link page is over");
	if (ok)
		session->account_id = account->id;
	return ok;
}

static bool run(struct attempt *attempt, struct error *err)
{
	struct json_builder out;

	if (!link_find_session(attempt->door, attempt->exchange, &attempt->session,
			       &attempt->reason, err) ||
	    !attempt_read(attempt, err) ||
	    !link_session_try(attempt->door->links, &attempt->session, err) ||
	    !attempt_try(attempt, err) || !attempt_keep(attempt, ACCOUNT_ACTIVE, err))
		return false;
	operation_install(attempt->door->services, attempt->exchange->arena, &attempt->account,
			  attempt_deadline_ns(attempt));
	json_builder_init(&out, attempt->exchange->arena);
	json_builder_set(&out, STR("integrated_account_id"), json_string(attempt->account.id));
	json_builder_set(&out, STR("status"),
			 json_string_c(account_status_name(attempt->account.status)));
	json_builder_set(&out, STR("post_connect"),
			 link_show_form(attempt->exchange->arena, attempt->connector));
	door_reply(attempt->exchange, 200, json_builder_object(&out));
	return true;
}

void link_connect(void *context, struct http_exchange *exchange, const struct http_match *match)
{
	struct attempt attempt = {.door = context, .exchange = exchange};
	struct error err;

	(void)match;
	http_exchange_set_header(exchange, "Cache-Control", STR("no-store"));
	if (!run(&attempt, &err))
		link_reply_error(exchange, &err, attempt.reason);
	/* The credential came in the body; its memory may be kept for other requests. */
	secret_wipe((void *)(uintptr_t)exchange->body.data, exchange->body.len);
}
