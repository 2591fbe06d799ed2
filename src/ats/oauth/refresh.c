/* The protocol by which an account gets a token in place of one that has run out. Each step is
 * safe to die after, but one: when the provider has answered and the answer is not on the disk.
 * That it happened is known afterwards, as what was sent was noted before. */
#include "ats/oauth/parts.h"
#include "base/log.h"

enum {
	ARENA_MAX = 4 * 1024 * 1024,
	LEASE_STEP_MS = 250, /* between two looks at a lease that another process has */
	STORE_STEP_MS = 250,
	AGAIN_MS = 2000, /* before invalid_grant is believed */
	CONFLICTS_MAX = 5,
	POSTPONE_MS = 60 * 1000,
};

struct refresh {
	struct oauth *oauth;
	struct http_client *client;
	const struct account *account;
	const struct connector *connector;
	const struct connector_format *format;
	struct arena arena;
	struct lease lease;
	int64_t version; /* of the token that is to be replaced */
};

static int64_t now_ms(const struct refresh *refresh)
{
	return clock_unix_ms(refresh->oauth->options.clock);
}

/* Somebody has replaced it meanwhile. */
static bool has_moved(const struct refresh *refresh)
{
	struct account_token token;
	struct error ignored;

	return account_token(refresh->oauth->options.accounts, refresh->account, &token,
			     &ignored) &&
	       token.version != refresh->version;
}

/* --- what is sent -------------------------------------------------------------------------- */

static bool open_field(const struct refresh *refresh, const char *name, struct secret *secret,
		       struct error *err)
{
	return account_open_credential(refresh->oauth->options.accounts, refresh->account,
				       str_from_c(name), secret, err);
}

/* Client credentials: who asks is in the account's own credential. */
static bool open_client(const struct refresh *refresh, struct provider *provider,
			struct error *err)
{
	struct secret id;

	if (!open_field(refresh, "client_id", &id, err))
		return false;
	provider->client_id = arena_str(
		(struct arena *)(uintptr_t)&refresh->arena, secret_str(&id));
	secret_finish(&id);
	return open_field(refresh, "client_secret", &provider->client_secret, err);
}

static enum token_outcome ask_as_client(struct refresh *refresh, struct provider *provider,
					struct token_answer *answer, struct error *err)
{
	const struct http_field fields[] = {
		{STR("grant_type"), STR("client_credentials")},
		{STR("scope"), provider->scopes},
	};

	if (!open_client(refresh, provider, err))
		return TOKEN_FAILED;
	return token_request(refresh->oauth, refresh->client, &refresh->arena, provider, fields, 2,
			     answer, err);
}

static enum token_outcome ask_with_token(struct refresh *refresh, struct provider *provider,
					 struct token_answer *answer, struct error *err)
{
	struct secret token;

	if (!open_field(refresh, CONNECTOR_REFRESH_TOKEN, &token, err))
		return err->code == ERROR_NOT_FOUND ? TOKEN_DEAD : TOKEN_FAILED;
	const struct http_field fields[] = {
		{STR("grant_type"), STR("refresh_token")},
		{STR("refresh_token"), secret_str(&token)},
	};
	enum token_outcome outcome = token_request(refresh->oauth, refresh->client,
						   &refresh->arena, provider, fields, 2, answer,
						   err);
	secret_finish(&token);
	return outcome;
}

static enum token_outcome ask(struct refresh *refresh, struct token_answer *answer,
			      struct error *err)
{
	enum token_outcome outcome = TOKEN_FAILED;
	struct provider provider;

	*answer = (struct token_answer){0};
	if (provider_open(refresh->oauth, &refresh->arena, refresh->account->environment_id,
			  refresh->connector, refresh->format, refresh->account->context, &provider,
			  err))
		outcome = refresh->format->kind == CREDENTIAL_OAUTH2
				  ? ask_with_token(refresh, &provider, answer, err)
				  : ask_as_client(refresh, &provider, answer, err);
	provider_finish(&provider);
	return outcome;
}

/* --- what became of it --------------------------------------------------------------------- */

/* The token and the end of the lease in one transaction. A store that cannot write now may do so
 * in a moment, and this token exists nowhere else. */
static bool keep(struct refresh *refresh, const struct token_answer *answer, struct error *err)
{
	struct arena *arena = &refresh->arena;
	struct credential_change change = {
		.version = refresh->version,
		.credential = token_credential(arena, answer),
		.scopes = answer->scopes,
		.expires_ms = answer->expires_ms,
		.refresh_ms = answer->refresh_ms,
		.also = lease_end_statement(arena, refresh->account, &refresh->lease),
	};

	for (int conflicts = 0;;) {
		if (credential_replace(refresh->oauth->options.accounts, arena, refresh->account,
				       &change, err))
			break;
		if (has_moved(refresh))
			return true;
		/* A conflict may be that of a data key which was rotated out between the sealing
		 * and the write: it is sealed again. */
		bool may_pass = err->code == ERROR_UNAVAILABLE ||
				(err->code == ERROR_CONFLICT && ++conflicts < CONFLICTS_MAX);
		if (!may_pass || now_ms(refresh) >= refresh->lease.until_ms) {
			LOG(LOG_ERROR, "token_lost", LOG_S(account_id, refresh->account->id),
			    LOG_C(error, error_name(err->code)));
			return false;
		}
		loop_sleep_ms(STORE_STEP_MS);
	}
	LOG(LOG_INFO, "token_replaced", LOG_S(account_id, refresh->account->id),
	    LOG_N(version, refresh->version + 1));
	return true;
}

static bool mark_dead(struct refresh *refresh, struct error *err)
{
	struct accounts *accounts = refresh->oauth->options.accounts;
	struct account now;
	struct error ignored;

	if (refresh->lease.lost_version == refresh->version)
		LOG(LOG_ERROR, "token_answer_was_lost", LOG_S(account_id, refresh->account->id),
		    LOG_N(version, refresh->version));
	if (!credential_refuse(accounts, refresh->account, refresh->version, err))
		return false;
	if (account_find(accounts, &refresh->arena, refresh->account->environment_id,
			 refresh->account->id, &now, &ignored) &&
	    now.token.version == refresh->version && now.status != ACCOUNT_NEEDS_REAUTH &&
	    !account_set_status(accounts, &now, ACCOUNT_NEEDS_REAUTH,
				STR("the token has run out, and its provider gives no other"),
				&ignored))
		LOG(LOG_WARNING, "account_status_not_set", LOG_S(account_id, now.id),
		    LOG_C(error, error_name(ignored.code)));
	LOG(LOG_WARNING, "token_refused", LOG_S(account_id, refresh->account->id),
	    LOG_N(version, refresh->version));
	return error_set(err, ERROR_UNAUTHORIZED,
			 "the account's token has run out, and its provider gives no other: it must "
			 "be linked again");
}

static void postpone(struct refresh *refresh)
{
	struct error ignored;

	if (!credential_postpone(refresh->oauth->options.accounts, refresh->account,
				 refresh->version, now_ms(refresh) + POSTPONE_MS, &ignored))
		LOG(LOG_WARNING, "token_not_postponed", LOG_S(account_id, refresh->account->id),
		    LOG_C(error, error_name(ignored.code)));
}

/* The provider may have lost its mind for a moment, or have another's answer not stored yet. */
static enum token_outcome ask_twice(struct refresh *refresh, struct token_answer *answer,
				    bool *has_other, struct error *err)
{
	enum token_outcome outcome = ask(refresh, answer, err);

	*has_other = false;
	if (outcome != TOKEN_DEAD)
		return outcome;
	token_wipe(answer);
	*has_other = has_moved(refresh);
	if (*has_other)
		return outcome;
	loop_sleep_ms(AGAIN_MS);
	*has_other = has_moved(refresh);
	return *has_other ? outcome : ask(refresh, answer, err);
}

static bool replace(struct refresh *refresh, struct error *err)
{
	struct token_answer answer;
	bool has_other, ok = false;
	enum token_outcome outcome = ask_twice(refresh, &answer, &has_other, err);

	refresh->oauth->counts.given += outcome == TOKEN_GIVEN;
	refresh->oauth->counts.refused += outcome == TOKEN_DEAD || outcome == TOKEN_REFUSED;
	refresh->oauth->counts.failed += outcome == TOKEN_FAILED;
	if (outcome == TOKEN_GIVEN)
		ok = keep(refresh, &answer, err);
	else
		ok = has_other || (outcome == TOKEN_DEAD && mark_dead(refresh, err));
	token_wipe(&answer);
	if (outcome == TOKEN_FAILED || outcome == TOKEN_REFUSED)
		postpone(refresh);
	/* An answer that did not come may have been given all the same. */
	if (outcome != TOKEN_GIVEN)
		lease_end(refresh->oauth, refresh->account, &refresh->lease,
			  outcome != TOKEN_FAILED);
	return ok;
}

/* --- the lease ----------------------------------------------------------------------------- */

/* Its last holder may have stored another just before, of which this process has not heard yet: to
 * show the old one again would end both. So what is remembered here does not count. */
static bool look_under_lease(struct refresh *refresh, bool *is_done, struct error *err)
{
	struct accounts *accounts = refresh->oauth->options.accounts;
	struct account_token token;

	accounts_forget(accounts, refresh->account->environment_id, refresh->account->id);
	bool ok = account_token(accounts, refresh->account, &token, err);
	*is_done = ok && token.version != refresh->version;
	/* Nothing was sent; what another may have sent before stays told. */
	if (!ok || *is_done)
		lease_end(refresh->oauth, refresh->account, &refresh->lease,
			  *is_done || refresh->lease.lost_version < 0);
	return ok;
}

/* True with *is_done when there is nothing to do any more. */
static bool take_lease(struct refresh *refresh, bool *is_done, struct error *err)
{
	int64_t until_ms = now_ms(refresh) + 3 * refresh->oauth->options.deadline_ms;

	for (*is_done = false;;) {
		if (lease_take(refresh->oauth, refresh->account, refresh->version, &refresh->lease,
			       err))
			break;
		if (err->code != ERROR_CONFLICT || now_ms(refresh) >= until_ms)
			return false;
		loop_sleep_ms(LEASE_STEP_MS);
		*is_done = has_moved(refresh);
		if (*is_done)
			return true;
	}
	return look_under_lease(refresh, is_done, err);
}

static bool find_format(struct refresh *refresh, struct error *err)
{
	refresh->connector = connectors_find(refresh->oauth->options.connectors,
					     refresh->account->connector, err);
	if (refresh->connector == NULL)
		return false;
	refresh->format = connector_find_format(refresh->connector,
						refresh->account->authentication_method, err);
	return refresh->format != NULL &&
	       (connector_is_oauth(refresh->format) ||
		error_set(err, ERROR_NOT_SUPPORTED,
			  "the account's credential is no token that could be replaced"));
}

bool refresh_run(struct oauth *oauth, struct http_client *client, const struct account *account,
		 int64_t version, struct error *err)
{
	struct refresh refresh = {
		.oauth = oauth, .client = client, .account = account, .version = version};
	bool is_done = false, ok;

	if (has_moved(&refresh))
		return true;
	arena_init(&refresh.arena, ARENA_MAX);
	ok = find_format(&refresh, err) && take_lease(&refresh, &is_done, err) &&
	     (is_done || replace(&refresh, err));
	arena_finish(&refresh.arena);
	return ok;
}
