/* Changes of an account by its owner: its context and limits, another credential, many removed at
 * once, and tokens with which a browser may call for it. */
#include "ats/link/link.h"
#include "front/admin/routes.h"

enum { BULK_MAX = 1000 };

/* --- the context ----------------------------------------------------------------------------- */

/* Shallow: a member takes the place of what was there, null removes it. */
static struct json merge(struct arena *arena, struct json old, struct json changes)
{
	struct json_builder out;

	json_builder_init(&out, arena);
	json_builder_set_others(&out, old, changes);
	for (size_t i = 0; i < changes.count; i++)
		if (!json_is(changes.members[i].value, JSON_NULL))
			json_builder_set(&out, json_name(&changes.members[i]),
					 changes.members[i].value);
	return json_builder_object(&out);
}

/* What the connector asks for must still be good; the rest is the owner's own. */
static bool change_context(const struct door *door, struct http_exchange *exchange,
			   struct json changes, struct account *account, struct error *err)
{
	const struct connector *connector =
		connectors_find(door->services->connectors, account->connector, err);
	struct account trial = *account;

	if (json_is(changes, JSON_UNDEFINED) || json_is(changes, JSON_NULL))
		return true;
	if (!json_is(changes, JSON_OBJECT))
		return error_set_field(err, ERROR_INVALID, "context", "an object",
				       "context must be an object");
	if (connector == NULL)
		return false;
	account->context = merge(exchange->arena, account->context, changes);
	trial.context = connector_asked_context(exchange->arena, connector, account->context);
	return operation_check_context(door->services, exchange->arena, &trial, err);
}

static bool change_limits(struct json limits, struct account *account, struct error *err)
{
	if (json_is(limits, JSON_UNDEFINED))
		return true;
	if (json_is(limits, JSON_NULL))
		limits = json_object(NULL, 0);
	if (!json_is(limits, JSON_OBJECT))
		return error_set_field(err, ERROR_INVALID, "limits", "an object",
				       "limits must be an object");
	account->limits = limits;
	return true;
}

static bool save(const struct door *door, struct http_exchange *exchange,
		 const struct account *before, struct account *account, struct error *err)
{
	if (!account_update(door->services->accounts, exchange->arena, before, account,
			    "integrated_account:updated", err))
		return false;
	door_reply(exchange, 200, admin_show_of(door, exchange->arena, account));
	return true;
}

static bool change(const struct door *door, struct http_exchange *exchange, struct str id,
		   struct error *err)
{
	static const char *const known[] = {"tenant_id", "context", "limits"};
	struct account before, account;
	struct caller caller;
	struct json body;
	struct str tenant;

	if (!door_authorise(door, exchange, KEY_SCOPE_ADMIN, &caller, err) ||
	    !door_find_account(door, exchange->arena, &caller, id, &before, err))
		return false;
	account = before;
	if (!door_parse_body(exchange, &body, err) ||
	    !admin_check_members(body, known, 3, "tenant_id, context, limits", err) ||
	    !admin_read_text(body, "tenant_id", 200, &tenant, err) ||
	    !change_context(door, exchange, json_get_c(body, "context"), &account, err) ||
	    !change_limits(json_get_c(body, "limits"), &account, err))
		return false;
	if (!json_is(json_get_c(body, "tenant_id"), JSON_UNDEFINED))
		account.tenant_id = tenant;
	return save(door, exchange, &before, &account, err);
}

/* --- another credential ---------------------------------------------------------------------- */

static bool replace(const struct door *door, struct http_exchange *exchange, struct str id,
		    struct error *err)
{
	static const char *const known[] = {"authentication_method", "credentials"};
	static const struct account_beside nothing = {NULL, 0};
	const struct operation_services *services = door->services;
	int64_t deadline_ns = exchange->started_ns + door->call_timeout_ms * 1000000;
	struct operation_result result;
	struct account account, trial;
	struct json body, credential;
	struct caller caller;
	struct str method;

	if (!door_authorise(door, exchange, KEY_SCOPE_ADMIN, &caller, err) ||
	    !door_find_account(door, exchange->arena, &caller, id, &account, err) ||
	    !door_parse_body(exchange, &body, err) ||
	    !admin_check_members(body, known, 2, "authentication_method, credentials", err) ||
	    !admin_read_text(body, "authentication_method", 64, &method, err))
		return false;
	credential = json_get_c(body, "credentials");
	if (!json_is(credential, JSON_OBJECT))
		return error_set_field(err, ERROR_INVALID, "credentials", "an object",
				       "credentials must be an object");
	if (method.len > 0)
		account.authentication_method = method;
	if (!admin_find_format(door, &account, err))
		return false;
	trial = account;
	trial.context = connector_asked_context(
		exchange->arena, connectors_find(services->connectors, account.connector, err),
		account.context);
	bool is_good = operation_validate(services, exchange->arena, &trial, credential,
					  deadline_ns, &result, err);
	door_set_timing(door, exchange, &result);
	if (!is_good || !account_reconnect(services->accounts, exchange->arena,
					   account.context, &account,
					   ACCOUNT_ACTIVE, credential, &nothing, err))
		return false;
	operation_install(services, exchange->arena, &account, deadline_ns);
	door_reply(exchange, 200, admin_show_of(door, exchange->arena, &account));
	return true;
}

/* --- many at once ---------------------------------------------------------------------------- */

static bool remove_listed(const struct door *door, struct http_exchange *exchange,
			  const struct caller *caller, struct json ids, struct error *err)
{
	struct json_builder removed, missing, out;
	struct account account;

	json_builder_init(&removed, exchange->arena);
	json_builder_init(&missing, exchange->arena);
	for (size_t i = 0; i < ids.count; i++) {
		struct json id = json_at(ids, i);

		if (account_find(door->services->accounts, exchange->arena, caller->environment_id,
				 json_str(id), &account, err) &&
		    admin_remove(door, &account, err))
			json_builder_add(&removed, id);
		else if (err->code == ERROR_NOT_FOUND)
			json_builder_add(&missing, id);
		else
			return false;
	}
	json_builder_init(&out, exchange->arena);
	json_builder_set(&out, STR("deleted"), json_builder_array(&removed));
	json_builder_set(&out, STR("not_found"), json_builder_array(&missing));
	door_reply(exchange, 200, json_builder_object(&out));
	return true;
}

static bool remove_many(const struct door *door, struct http_exchange *exchange, struct error *err)
{
	static const char *const known[] = {"ids"};
	struct caller caller;
	struct json body, ids;

	if (!admin_authorise(door, exchange, &caller, err) ||
	    !door_parse_body(exchange, &body, err) ||
	    !admin_check_members(body, known, 1, "ids", err))
		return false;
	ids = json_get_c(body, "ids");
	bool is_list = json_is(ids, JSON_ARRAY) && ids.count > 0 && ids.count <= BULK_MAX;
	for (size_t i = 0; is_list && i < ids.count; i++)
		is_list = json_is(json_at(ids, i), JSON_STRING);
	if (!is_list)
		return error_set_field(err, ERROR_INVALID, "ids", "a list of 1 to 1000 ids",
				       "ids must be a list of 1 to 1000 ids of accounts");
	return remove_listed(door, exchange, &caller, ids, err);
}

/* --- tokens ---------------------------------------------------------------------------------- */

static bool make_token(const struct door *door, struct http_exchange *exchange, struct error *err)
{
	static const char *const known[] = {"integrated_account_id"};
	struct json_builder out;
	struct account account;
	struct caller caller;
	struct json body;
	struct str id, text;
	int64_t expires_ms;

	if (!door_authorise(door, exchange, KEY_SCOPE_ADMIN, &caller, err) ||
	    !door_parse_body(exchange, &body, err) ||
	    !admin_check_members(body, known, 1, "integrated_account_id", err) ||
	    !admin_read_text(body, "integrated_account_id", 64, &id, err) ||
	    !door_find_account(door, exchange->arena, &caller, id, &account, err) ||
	    !account_token_create(door->links, exchange->arena, &account, &text, &expires_ms, err))
		return false;
	json_builder_init(&out, exchange->arena);
	json_builder_set(&out, STR("integrated_account_token"), json_string(text));
	json_builder_set(&out, STR("expires_at"), json_time(exchange->arena, expires_ms));
	http_exchange_set_header(exchange, "Cache-Control", STR("no-store"));
	door_reply(exchange, 201, json_builder_object(&out));
	return true;
}

/* By such a token: the account itself. */
static bool find_own(const struct door *door, struct http_exchange *exchange,
		     struct account *account, struct error *err)
{
	struct caller caller;

	if (!door_authorise(door, exchange, KEY_SCOPE_CALL, &caller, err))
		return false;
	if (caller.account_id.len == 0)
		return error_set(err, ERROR_FORBIDDEN,
				 "this is for the token of one account; an API key names it by its id");
	return door_find_account(door, exchange->arena, &caller, caller.account_id, account, err);
}

static bool change_own(const struct door *door, struct http_exchange *exchange, struct error *err)
{
	static const char *const known[] = {"context"};
	struct account before, account;
	struct json body;

	if (!find_own(door, exchange, &before, err))
		return false;
	account = before;
	return door_parse_body(exchange, &body, err) &&
	       admin_check_members(body, known, 1, "context", err) &&
	       change_context(door, exchange, json_get_c(body, "context"), &account, err) &&
	       save(door, exchange, &before, &account, err);
}

/* --- handlers -------------------------------------------------------------------------------- */

void admin_change_account(void *context, struct http_exchange *exchange,
			  const struct http_match *match)
{
	struct error err;
	bool ok;
	int tries = 0;

	do
		ok = change(context, exchange, match->parts[0], &err);
	while (!ok && err.code == ERROR_CONFLICT && ++tries < ACCOUNT_UPDATE_TRIES);
	if (!ok)
		door_reply_error(exchange, &err, NULL);
}

void admin_replace_credentials(void *context, struct http_exchange *exchange,
			       const struct http_match *match)
{
	struct error err;

	if (!replace(context, exchange, match->parts[0], &err))
		door_reply_error(exchange, &err, NULL);
	/* The credential came in the body; its memory may be kept for other requests. */
	secret_wipe((void *)(uintptr_t)exchange->body.data, exchange->body.len);
}

void admin_remove_accounts(void *context, struct http_exchange *exchange,
			   const struct http_match *match)
{
	struct error err;

	(void)match;
	if (!remove_many(context, exchange, &err))
		door_reply_error(exchange, &err, NULL);
}

void admin_make_account_token(void *context, struct http_exchange *exchange,
			      const struct http_match *match)
{
	struct error err;

	(void)match;
	if (!make_token(context, exchange, &err))
		door_reply_error(exchange, &err, NULL);
}

void admin_show_own_account(void *context, struct http_exchange *exchange,
			    const struct http_match *match)
{
	const struct door *door = context;
	struct account account;
	struct error err;

	(void)match;
	if (find_own(door, exchange, &account, &err))
		door_reply(exchange, 200, admin_show_of(door, exchange->arena, &account));
	else
		door_reply_error(exchange, &err, NULL);
}

void admin_change_own_account(void *context, struct http_exchange *exchange,
			      const struct http_match *match)
{
	struct error err;

	bool ok;
	int tries = 0;

	(void)match;
	do
		ok = change_own(context, exchange, &err);
	while (!ok && err.code == ERROR_CONFLICT && ++tries < ACCOUNT_UPDATE_TRIES);
	if (!ok)
		door_reply_error(exchange, &err, NULL);
}
