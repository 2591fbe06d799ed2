/* Integrated accounts: linked with a live check of the credential, listed, shown, removed. A
 * credential goes in and never comes out. */
#include "base/log.h"
#include "front/admin/routes.h"

static struct json show_scopes(struct arena *arena, struct str scopes)
{
	struct json_builder items;

	json_builder_init(&items, arena);
	while (scopes.len > 0) {
		struct str scope = str_cut(&scopes, ' ');

		if (scope.len > 0)
			json_builder_add(&items, json_string(scope));
	}
	return json_builder_array(&items);
}

struct json admin_show_of(const struct door *door, struct arena *arena,
			  const struct account *account)
{
	struct account_trouble trouble;
	struct error ignored;
	struct json_builder item;

	json_builder_init(&item, arena);
	json_builder_set(&item, STR("id"), json_string(account->id));
	json_builder_set(&item, STR("environment_id"), json_string(account->environment_id));
	json_builder_set(&item, STR("tenant_id"), json_string_or_null(account->tenant_id));
	json_builder_set(&item, STR("connector"), json_string(account->connector));
	json_builder_set(&item, STR("status"), json_string_c(account_status_name(account->status)));
	json_builder_set(&item, STR("authentication_method"),
			 json_string_or_null(account->authentication_method));
	json_builder_set(&item, STR("scopes"), show_scopes(arena, account->scopes));
	json_builder_set(&item, STR("credentials_expire_at"),
			 json_time(arena, account->token.expires_ms));
	json_builder_set(&item, STR("context"), account->context);
	json_builder_set(&item, STR("limits"), account->limits);
	if (!account_find_trouble(door->services->accounts, arena, account, &trouble, &ignored))
		trouble = (struct account_trouble){json_null(), json_null()};
	json_builder_set(&item, STR("last_error"), trouble.last_error);
	json_builder_set(&item, STR("last_forbidden_error"), trouble.last_forbidden_error);
	json_builder_set(&item, STR("created_at"), json_time(arena, account->created_ms));
	json_builder_set(&item, STR("updated_at"), json_time(arena, account->updated_ms));
	return json_builder_object(&item);
}

/* --- linking -------------------------------------------------------------------------------- */

static bool read_object(struct json body, const char *name, struct json *out, struct error *err)
{
	*out = json_get_c(body, name);
	if (json_is(*out, JSON_UNDEFINED) || json_is(*out, JSON_NULL))
		*out = json_object(NULL, 0);
	if (json_is(*out, JSON_OBJECT))
		return true;
	return error_set_field(err, ERROR_INVALID, name, "an object", "%s must be an object", name);
}

/* Limits of one account go over those of its connector. */
static bool check_limits(struct json limits, struct error *err)
{
	static const char *const known[] = {"requests", "per_seconds", "concurrent"};
	int64_t number;

	for (size_t i = 0; i < limits.count; i++) {
		struct str key = json_name(&limits.members[i]);
		size_t k = 0;
		while (k < 3 && !str_equal_c(key, known[k]))
			k++;
		if (k == 3)
			return error_set_field(err, ERROR_INVALID, "limits",
					       "requests, per_seconds, concurrent",
					       "limits has a member \"%.*s\" which is not known here",
					       STR_ARGS(str_slice(key, 0, 64)));
		if (!json_to_int64(limits.members[i].value, &number) || number < 1 ||
		    number > 1000000)
			return error_set_field(err, ERROR_INVALID, "limits",
					       "whole numbers from 1 to 1000000",
					       "limits.%s must be a whole number from 1 to 1000000",
					       known[k]);
	}
	return true;
}

/* The account keeps which format it has, also when that is the connector's usual one. */
bool admin_find_format(const struct door *door, struct account *account, struct error *err)
{
	const struct connector *connector =
		connectors_find(door->services->connectors, account->connector, err);
	const struct connector_format *format = NULL;

	if (connector != NULL)
		format = connector_find_format(connector, account->authentication_method, err);
	if (format == NULL)
		return false;
	account->authentication_method = format->name;
	account->token.expires_ms = connector_expires_ms(format);
	return true;
}

static bool read_account(const struct door *door, struct http_exchange *exchange,
			 struct account *account, struct json *credential, struct error *err)
{
	static const char *const known[] = {"connector", "tenant_id",	"authentication_method",
					    "context",	 "credentials", "limits"};
	struct json body;

	return door_parse_body(exchange, &body, err) &&
	       admin_check_members(body, known, 6,
				   "connector, tenant_id, authentication_method, context, "
				   "credentials, limits",
				   err) &&
	       admin_read_text(body, "authentication_method", 64, &account->authentication_method,
			       err) &&
	       admin_read_text(body, "connector", 64, &account->connector, err) &&
	       admin_read_text(body, "tenant_id", 200, &account->tenant_id, err) &&
	       read_object(body, "context", &account->context, err) &&
	       read_object(body, "credentials", credential, err) &&
	       read_object(body, "limits", &account->limits, err) &&
	       check_limits(account->limits, err) && admin_find_format(door, account, err);
}

static bool create(const struct door *door, struct http_exchange *exchange, struct error *err)
{
	struct account account = {.status = ACCOUNT_ACTIVE};
	struct caller caller;
	struct json credential;
	int64_t deadline_ns = exchange->started_ns + door->call_timeout_ms * 1000000;

	if (!admin_authorise(door, exchange, &caller, err) ||
	    !read_account(door, exchange, &account, &credential, err))
		return false;
	account.environment_id = caller.environment_id;
	struct operation_result result;
	bool is_valid = operation_validate(door->services, exchange->arena, &account, credential,
					   deadline_ns, &result, err);
	door_set_timing(door, exchange, &result);
	if (!is_valid ||
	    !account_create(door->services->accounts, exchange->arena, &account, credential, err))
		return false;
	operation_install(door->services, exchange->arena, &account, deadline_ns);
	door_reply(exchange, 201, admin_show_of(door, exchange->arena, &account));
	return true;
}

/* --- looking -------------------------------------------------------------------------------- */

/* "created_at[gt]" and the like. */
static bool read_time(const struct http_exchange *exchange, const char *name, int64_t *out,
		      struct error *err)
{
	struct str text;
	int64_t ns;

	if (!http_exchange_query(exchange, name, &text))
		return true;
	if (!clock_parse(text, &ns))
		return error_set_field(err, ERROR_INVALID, name, "a time, as RFC 3339 has it",
				       "%s must be a time, such as 2026-01-31T00:00:00Z", name);
	*out = ns / 1000000;
	return true;
}

static bool read_filters(const struct http_exchange *exchange, struct account_query *query,
			 struct error *err)
{
	struct str status;

	http_exchange_query(exchange, "tenant_id", &query->tenant_id);
	http_exchange_query(exchange, "connector", &query->connector);
	query->before_ms = INT64_MAX;
	query->after_ms = INT64_MIN;
	if (!read_time(exchange, "created_at[gt]", &query->after_ms, err) ||
	    !read_time(exchange, "created_at[lt]", &query->before_ms, err))
		return false;
	if (!http_exchange_query(exchange, "status", &status))
		return true;
	for (int i = 0; i <= ACCOUNT_POST_INSTALL_ERROR; i++)
		if (str_equal_c(status, account_status_name((enum account_status)i)))
			query->status = status;
	return query->status.data != NULL ||
	       error_set_field(err, ERROR_INVALID, "status",
			       "connecting, active, needs_reauth, validation_error, "
			       "post_install_error",
			       "there is no status \"%.*s\"", STR_ARGS(str_slice(status, 0, 64)));
}

static bool list(const struct door *door, struct http_exchange *exchange, struct error *err)
{
	struct caller caller;
	struct account *accounts;
	struct json_builder items;
	struct account_query query = {0};
	struct str next = {NULL, 0};
	int64_t limit;
	size_t count;

	if (!admin_authorise(door, exchange, &caller, err) ||
	    !admin_read_page(exchange, &query.after, &limit, err) ||
	    !read_filters(exchange, &query, err))
		return false;
	query.environment_id = caller.environment_id;
	query.limit = (size_t)limit;
	if (!account_search(door->services->accounts, exchange->arena, &query, &accounts, &count,
			    err))
		return false;
	json_builder_init(&items, exchange->arena);
	for (size_t i = 0; i < count; i++)
		json_builder_add(&items, admin_show_of(door, exchange->arena, &accounts[i]));
	if (count == (size_t)limit)
		next = accounts[count - 1].id;
	admin_reply_list(exchange, &items, next);
	return true;
}

static bool show_one(const struct door *door, struct http_exchange *exchange, struct str id,
		     struct error *err)
{
	struct account account;
	struct caller caller;

	if (!door_authorise(door, exchange, KEY_SCOPE_ADMIN, &caller, err) ||
	    !door_find_account(door, exchange->arena, &caller, id, &account, err))
		return false;
	door_reply(exchange, 200, admin_show_of(door, exchange->arena, &account));
	return true;
}

/* The account is gone whatever comes of it; the next one that goes takes them along, too. */
static void forget_texts(const struct door *door)
{
	struct error err;

	if (door->copies != NULL && !copies_forget_texts(door->copies, &err))
		LOG(LOG_WARNING, "copy_texts_left", LOG_C(error, err.message));
}

bool admin_remove(const struct door *door, const struct account *account, struct error *err)
{
	if (!account_remove(door->services->accounts, account->environment_id, account->id, err))
		return false;
	override_forget(door->services->overrides,
			&(struct override_layer){account->environment_id, account->connector,
						 account->id});
	forget_texts(door);
	return true;
}

static bool remove_one(const struct door *door, struct http_exchange *exchange, struct str id,
		       struct error *err)
{
	struct json_builder item;
	struct account account;
	struct caller caller;

	if (!door_authorise(door, exchange, KEY_SCOPE_ADMIN, &caller, err) ||
	    !door_find_account(door, exchange->arena, &caller, id, &account, err) ||
	    !admin_remove(door, &account, err))
		return false;
	json_builder_init(&item, exchange->arena);
	json_builder_set(&item, STR("id"), json_string(account.id));
	door_reply(exchange, 200, json_builder_object(&item));
	return true;
}

void admin_create_account(void *context, struct http_exchange *exchange,
			  const struct http_match *match)
{
	struct error err;

	(void)match;
	if (!create(context, exchange, &err))
		door_reply_error(exchange, &err, NULL);
	/* The credential came in the body; its memory may be kept for other requests. */
	secret_wipe((void *)(uintptr_t)exchange->body.data, exchange->body.len);
}

void admin_list_accounts(void *context, struct http_exchange *exchange,
			 const struct http_match *match)
{
	struct error err;

	(void)match;
	if (!list(context, exchange, &err))
		door_reply_error(exchange, &err, NULL);
}

void admin_show_account(void *context, struct http_exchange *exchange,
			const struct http_match *match)
{
	struct error err;

	if (!show_one(context, exchange, match->parts[0], &err))
		door_reply_error(exchange, &err, NULL);
}

void admin_remove_account(void *context, struct http_exchange *exchange,
			  const struct http_match *match)
{
	struct error err;

	if (!remove_one(context, exchange, match->parts[0], &err))
		door_reply_error(exchange, &err, NULL);
}
