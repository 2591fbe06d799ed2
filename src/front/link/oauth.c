/* Signing in at the ATS: the browser is sent there and comes back with a code. A cookie, which only
 * the callback gets to see, tells that it is the same browser. */
#include "base/log.h"
#include "front/link/attempt.h"

enum { COOKIE_SECONDS = 600 };

static const char cookie_name[] = "tenon_link=";

/* --- going ------------------------------------------------------------------------------------ */

static struct str read_cookie(const struct http_exchange *exchange)
{
	struct str rest = http_exchange_header(exchange, "cookie");

	while (rest.len > 0) {
		struct str one = str_trim(str_cut(&rest, ';'));

		if (str_starts_with(one, str_from_c(cookie_name)))
			return str_slice(one, sizeof cookie_name - 1, one.len);
	}
	return (struct str){NULL, 0};
}

/* The path under which the server is reached from outside, behind its host. */
static struct str path_of(struct str url)
{
	ptrdiff_t at = str_find(url, STR("://"));
	struct str rest = at < 0 ? url : str_slice(url, (size_t)at + 3, url.len);

	at = str_find_byte(rest, '/');
	return at < 0 ? STR("") : str_slice(rest, (size_t)at, rest.len);
}

/* A browser that signs in twice at once keeps one name. */
static struct str name_browser(struct attempt *attempt, struct str base)
{
	struct http_exchange *exchange = attempt->exchange;
	struct links *links = attempt->door->links;
	struct str name = read_cookie(exchange), path = path_of(base), digest;

	if (!link_browser_digest(links, exchange->arena, name, &digest)) {
		name = link_browser_make(links, exchange->arena);
		if (!link_browser_digest(links, exchange->arena, name, &digest))
			return digest;
	}
	http_exchange_set_header(
		exchange, "Set-Cookie",
		arena_format(exchange->arena,
			     "%s%.*s; Path=%.*s/link; Max-Age=%d; HttpOnly; SameSite=Lax%s",
			     cookie_name, STR_ARGS(name), STR_ARGS(path), COOKIE_SECONDS,
			     str_starts_with(base, STR("https://")) ? "; Secure" : ""));
	return digest;
}

static bool is_signed_in(const struct attempt *attempt, struct error *err)
{
	const struct connector_format *format = connector_find_format(
		attempt->connector, attempt->account.authentication_method, err);

	if (format != NULL && format->kind == CREDENTIAL_OAUTH2)
		return true;
	return error_set_field(err, ERROR_INVALID, "format", "oauth2",
			       "nobody signs in at the ATS for this format of credentials");
}

static bool start(struct attempt *attempt, struct error *err)
{
	const struct door *door = attempt->door;
	struct arena *arena = attempt->exchange->arena;
	struct str base = door_base_url(door, attempt->exchange), url;
	struct json_builder out;
	struct account trial;

	if (!link_find_session(door, attempt->exchange, &attempt->session, &attempt->reason, err) ||
	    !attempt_read(attempt, err) || !is_signed_in(attempt, err) ||
	    !link_session_try(door->links, &attempt->session, err))
		return false;
	trial = attempt->account;
	trial.context = attempt_context(attempt);
	if (!operation_check_context(door->services, arena, &trial, err))
		return false;
	const struct oauth_begin begin = {
		.environment_id = attempt->session.token.environment_id,
		.connector = attempt->connector->name,
		.format = attempt->account.authentication_method,
		.context = trial.context,
		.redirect_uri = arena_format(arena, "%.*s/link/callback", STR_ARGS(base)),
		.browser = name_browser(attempt, base),
		.session_id = attempt->session.id,
	};
	if (!oauth_begin(door->services->oauth, arena, &begin, &url, err))
		return false;
	json_builder_init(&out, arena);
	json_builder_set(&out, STR("authorize_url"), json_string(url));
	door_reply(attempt->exchange, 200, json_builder_object(&out));
	return true;
}

void link_start_oauth(void *context, struct http_exchange *exchange, const struct http_match *match)
{
	struct attempt attempt = {.door = context, .exchange = exchange};
	struct error err;

	(void)match;
	http_exchange_set_header(exchange, "Cache-Control", STR("no-store"));
	if (!start(&attempt, &err))
		link_reply_error(exchange, &err, attempt.reason);
}

/* --- coming back ------------------------------------------------------------------------------ */

static struct oauth_callback read_callback(const struct door *door, struct http_exchange *exchange)
{
	struct oauth_callback callback = {.iss = {NULL, 0}};

	http_exchange_query(exchange, "state", &callback.state);
	http_exchange_query(exchange, "code", &callback.code);
	http_exchange_query(exchange, "error", &callback.error);
	if (!http_exchange_query(exchange, "iss", &callback.iss))
		callback.iss = (struct str){NULL, 0};
	/* Without the cookie it is nobody's browser, and that is no one's digest. */
	if (!link_browser_digest(door->links, exchange->arena, read_cookie(exchange),
				 &callback.browser))
		callback.browser = (struct str){arena_zero(exchange->arena, OAUTH_BROWSER_BYTES),
						OAUTH_BROWSER_BYTES};
	return callback;
}

static bool take_grant(struct attempt *attempt, const struct oauth_grant *grant, struct error *err)
{
	if (!link_session_find_by_id(attempt->door->links, attempt->exchange->arena,
				     grant->environment_id, grant->session_id, &attempt->session,
				     &attempt->reason, err))
		return false;
	attempt->given = grant->context;
	attempt->credential = grant->credential;
	if (!attempt_find_account(attempt, grant->connector, err) ||
	    !attempt_find_connector(attempt, grant->connector, err) ||
	    !attempt_find_format(attempt, grant->format, err))
		return false;
	int64_t version = attempt->account.token.version;

	oauth_grant_apply(grant, &attempt->account);
	attempt->account.token.version = version;
	attempt->account.context = attempt_whole_context(attempt, attempt_context(attempt));
	return true;
}

/* What the check has shown counts, whatever the account was brought to meanwhile. */
static void move(struct attempt *attempt, enum account_status status, struct str why)
{
	struct accounts *accounts = attempt->door->services->accounts;
	struct account *account = &attempt->account;
	struct error err;

	if (!account_set_status(accounts, account, status, why, &err) &&
	    (err.code != ERROR_CONFLICT ||
	     !account_find(accounts, attempt->exchange->arena, account->environment_id, account->id,
			   account, &err) ||
	     !account_set_status(accounts, account, status, why, &err)))
		LOG(LOG_WARNING, "account_status_not_set", LOG_S(account_id, account->id),
		    LOG_C(error, error_name(err.code)));
	account->status = status;
}

/* The tokens are kept before anything else: a provider may not give them twice. */
static bool check_account(struct attempt *attempt, struct error *err)
{
	struct links *links = attempt->door->links;
	struct error ignored;

	if (!attempt_try(attempt, err)) {
		move(attempt, ACCOUNT_VALIDATION_ERROR, str_from_c(err->message));
		if (!link_session_refuse(links, &attempt->session, attempt->reason, &ignored))
			LOG(LOG_WARNING, "link_session_not_written",
			    LOG_C(error, error_name(ignored.code)));
		return false;
	}
	move(attempt, ACCOUNT_ACTIVE, STR(""));
	operation_install(attempt->door->services, attempt->exchange->arena, &attempt->account,
			  attempt_deadline_ns(attempt));
	return link_session_finish(links, &attempt->session, err);
}

static bool complete(struct attempt *attempt, struct error *err)
{
	const struct door *door = attempt->door;
	struct http_exchange *exchange = attempt->exchange;
	struct oauth_callback callback = read_callback(door, exchange);
	struct oauth_grant grant;
	bool ok = oauth_complete(door->services->oauth, door->services->client, exchange->arena,
				 &callback, &grant, err);

	if (!ok && err->code == ERROR_FORBIDDEN)
		attempt->reason = "sign_in_declined";
	ok = ok && take_grant(attempt, &grant, err) &&
	     attempt_keep(attempt, ACCOUNT_CONNECTING, err) && check_account(attempt, err);
	oauth_grant_wipe(&grant);
	return ok;
}

/* The page with the outcome in its one empty attribute. */
static void reply_page(const struct door *door, struct http_exchange *exchange, const char *outcome)
{
	const struct str mark = STR_INIT("name=\"tenon-callback\" content=\"");
	struct str page = link_page(door, exchange, "callback.html");
	ptrdiff_t at = str_find(page, mark);
	struct error err;

	if (at < 0) {
		error_set(&err, ERROR_NOT_FOUND, "the link page is not installed");
		door_reply_error(exchange, &err, NULL);
		return;
	}
	size_t end = (size_t)at + mark.len;
	exchange->status = 200;
	exchange->reply = arena_format(exchange->arena, "%.*s%s%.*s",
				       STR_ARGS(str_slice(page, 0, end)), outcome,
				       STR_ARGS(str_slice(page, end, page.len)));
}

void link_end_oauth(void *context, struct http_exchange *exchange, const struct http_match *match)
{
	struct attempt attempt = {.door = context, .exchange = exchange};
	struct error err;

	(void)match;
	if (complete(&attempt, &err))
		reply_page(context, exchange, "connected");
	else
		reply_page(context, exchange, attempt.reason == NULL ? "sign_in_failed" : attempt.reason);
}
