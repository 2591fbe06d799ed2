/* Sessions of the link page: one for each token, short, over as soon as an account is connected. */
#include "ats/link/links.h"

#include <assert.h>

static const char session_purpose[] = "link_session", session_prefix[] = "tsess_",
		  browser_prefix[] = "tbrow_";

/* --- exchanging a token ----------------------------------------------------------------------- */

static bool refuse(const char *reason, const char **out, enum error_code code, const char *message,
		   struct error *err)
{
	*out = reason;
	return error_set(err, code, "%s", message);
}

static bool refuse_unknown(const char **reason, struct error *err)
{
	return refuse("link_token_unknown", reason, ERROR_UNAUTHORIZED,
		      "the link token is missing or not valid: unknown, mistyped or revoked", err);
}

static bool refuse_used(const char **reason, struct error *err)
{
	return refuse("link_token_used", reason, ERROR_GONE,
		      "the link token has been used already; each opens the link page once", err);
}

static bool find_token(struct links *links, struct arena *arena, struct str text,
		       struct link_session *session, const char **reason, struct error *err)
{
	struct store_rows rows;

	if (!token_text_check(text, link_token_prefix))
		return refuse_unknown(reason, err);
	struct store_value digest = link_digest(links, arena, link_token_purpose, text);
	if (!store_query_all(links->store, arena,
			     "SELECT " TOKEN_COLUMNS ", e.link FROM link_token t"
			     " JOIN environment e ON e.id = t.environment_id WHERE t.digest = ?1",
			     &digest, 1, &rows, err))
		return false;
	if (rows.count == 0 || store_cell(&rows, 0, TOKEN_COLUMN_COUNT - 1)->integer != 0)
		return refuse_unknown(reason, err);
	if (!link_read_token(arena, &rows, 0, &session->token, err) ||
	    !link_read_json(arena, store_cell(&rows, 0, TOKEN_COLUMN_COUNT), &session->defaults,
			    err))
		return false;
	if (session->token.used_ms != 0)
		return refuse_used(reason, err);
	if (session->token.expires_ms <= clock_unix_ms(links->clock))
		return refuse("link_token_expired", reason, ERROR_GONE,
			      "the link token has expired; ask for a new one", err);
	(void)store_enter(session->token.environment_id);
	return true;
}

/* An iframe or popup tells whose page is around it; the token, or its environment, may say which
 * those are. Without a page around it there is nobody to be told anything. */
static bool check_origin(const struct link_session *session, const char **reason,
			 struct error *err)
{
	struct json allowed = session->token.allowed_origins;

	if (allowed.count == 0)
		allowed = json_get_c(session->defaults, "allowed_origins");
	if (session->origin.len == 0 || !json_is(allowed, JSON_ARRAY) || allowed.count == 0)
		return true;
	for (size_t i = 0; i < allowed.count; i++)
		if (str_equal(json_str(json_at(allowed, i)), session->origin))
			return true;
	*reason = "origin_refused";
	return error_set_field(err, ERROR_FORBIDDEN, "origin", NULL,
			       "the link token is not for pages of %.*s",
			       STR_ARGS(session->origin));
}

static bool check_opening(const struct link_opening *opening, struct error *err)
{
	bool is_alone = str_equal(opening->mode, STR("same_window"));

	if (!is_alone && !str_equal(opening->mode, STR("iframe")) &&
	    !str_equal(opening->mode, STR("popup")))
		return error_set_field(err, ERROR_INVALID, "mode", "iframe, popup, same_window",
				       "mode must be iframe, popup or same_window");
	if (is_alone ? opening->origin.len > 0 : !link_is_origin(opening->origin))
		return error_set_field(err, ERROR_INVALID, "origin",
				       "the origin of the page around it; null in the same window",
				       "origin must be that of the page around the dialog");
	return true;
}

/* Those of the token's connectors which the page was asked to show. */
static bool intersect(struct arena *arena, struct json names, struct json wanted, struct json *out,
		      struct error *err)
{
	struct json_builder both;

	*out = names;
	if (wanted.count == 0)
		return true;
	json_builder_init(&both, arena);
	for (size_t i = 0; i < wanted.count; i++)
		if (link_names_connector(names, json_str(json_at(wanted, i))))
			json_builder_add(&both, json_at(wanted, i));
	*out = json_builder_array(&both);
	return both.count > 0 ||
	       error_set_field(err, ERROR_INVALID, "connectors", NULL,
			       "the link token is for none of these connectors");
}

static struct store_statement use_token(struct arena *arena, const struct link_token *token,
					int64_t now_ms)
{
	const struct store_value values[] = {
		store_text(token->environment_id),
		store_text(token->id),
		store_int(now_ms),
	};

	return store_keep(arena,
			  "UPDATE link_token SET used_ms = ?3 WHERE environment_id = ?1 AND id = ?2"
			  " AND used_ms = 0 AND revoked_ms = 0 AND expires_ms > ?3",
			  values, 3, 1);
}

static struct store_statement insert(struct links *links, struct arena *arena,
				     const struct link_session *session, struct str text,
				     int64_t now_ms)
{
	const struct store_value values[] = {
		store_text(session->token.environment_id),
		store_text(session->id),
		store_text(session->token.id),
		link_digest(links, arena, session_purpose, text),
		store_text(session->origin),
		store_text(session->mode),
		store_text(session->language),
		link_print(arena, session->connectors),
		store_int(now_ms),
		store_int(session->expires_ms),
	};

	return store_keep(
		arena,
		"INSERT INTO link_session (environment_id, id, token_id, digest, origin, mode,"
		" language, connectors, status, account_id, error, tries, created_ms, expires_ms)"
		" VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, 'open', '', '', 0, ?9, ?10)",
		values, 10, 1);
}

bool link_session_begin(struct links *links, struct arena *arena, struct str token_text,
			const struct link_opening *opening, struct link_session *session,
			struct str *text, const char **reason, struct error *err)
{
	struct store_statement statements[2];
	int64_t now_ms = clock_unix_ms(links->clock);

	assert(links->magic == LINKS_MAGIC);
	*reason = NULL;
	*session = (struct link_session){.origin = opening->origin,
					 .mode = opening->mode,
					 .language = opening->language,
					 .status = STR("open")};
	if (!check_opening(opening, err) ||
	    !find_token(links, arena, token_text, session, reason, err) ||
	    !check_origin(session, reason, err) ||
	    !intersect(arena, session->token.connectors, opening->connectors,
		       &session->connectors, err))
		return false;
	if (session->token.language.len > 0)
		session->language = session->token.language;
	session->id = id_make(links->accounts, arena, "lse_");
	session->expires_ms = now_ms + (int64_t)LINK_SESSION_SECONDS * 1000;
	*text = token_text_make(links->random, arena, session_prefix);
	statements[0] = use_token(arena, &session->token, now_ms);
	statements[1] = insert(links, arena, session, *text, now_ms);
	if (store_write(links->store, statements, 2, err))
		return true;
	/* It was good a moment ago: somebody else was first. */
	return err->code == ERROR_CONFLICT ? refuse_used(reason, err) : false;
}

/* --- afterwards ------------------------------------------------------------------------------- */

static bool refuse_session(const char **reason, struct error *err)
{
	return refuse("session_unknown", reason, ERROR_UNAUTHORIZED,
		      "the link page's session is missing or not valid", err);
}

static bool read_session(struct arena *arena, const struct store_rows *rows,
			 struct link_session *out, struct error *err)
{
	const size_t at = TOKEN_COLUMN_COUNT;

	*out = (struct link_session){
		.id = store_cell(rows, 0, at)->bytes,
		.origin = store_cell(rows, 0, at + 1)->bytes,
		.mode = store_cell(rows, 0, at + 2)->bytes,
		.language = store_cell(rows, 0, at + 3)->bytes,
		.status = store_cell(rows, 0, at + 5)->bytes,
		.account_id = store_cell(rows, 0, at + 6)->bytes,
		.error = store_cell(rows, 0, at + 7)->bytes,
		.expires_ms = store_cell(rows, 0, at + 8)->integer,
	};
	return link_read_token(arena, rows, 0, &out->token, err) &&
	       link_read_json(arena, store_cell(rows, 0, at + 4), &out->connectors, err) &&
	       link_read_json(arena, store_cell(rows, 0, at + 9), &out->defaults, err);
}

#define SESSION_COLUMNS                                                                    \
	"SELECT " TOKEN_COLUMNS ", s.id, s.origin, s.mode, s.language, s.connectors, s.status," \
	" s.account_id, s.error, s.expires_ms, e.link FROM link_session s"                     \
	" JOIN link_token t ON t.environment_id = s.environment_id AND t.id = s.token_id"      \
	" JOIN environment e ON e.id = s.environment_id"

static bool take_session(struct links *links, struct arena *arena, const struct store_rows *rows,
			 struct link_session *session, const char **reason, struct error *err)
{
	if (rows->count == 0)
		return refuse_session(reason, err);
	if (!read_session(arena, rows, session, err))
		return false;
	if (session->token.revoked_ms != 0)
		return refuse_session(reason, err);
	if (session->expires_ms <= clock_unix_ms(links->clock))
		return refuse("session_expired", reason, ERROR_GONE,
			      "the link page was open for too long; begin again", err);
	(void)store_enter(session->token.environment_id);
	return true;
}

bool link_session_find(struct links *links, struct arena *arena, struct str text,
		       struct link_session *session, const char **reason, struct error *err)
{
	struct store_rows rows;

	assert(links->magic == LINKS_MAGIC);
	*reason = NULL;
	if (!token_text_check(text, session_prefix))
		return refuse_session(reason, err);
	struct store_value digest = link_digest(links, arena, session_purpose, text);
	return store_query_all(links->store, arena, SESSION_COLUMNS " WHERE s.digest = ?1",
			       &digest, 1, &rows, err) &&
	       take_session(links, arena, &rows, session, reason, err);
}

bool link_session_find_by_id(struct links *links, struct arena *arena, struct str environment_id,
			     struct str id, struct link_session *session, const char **reason,
			     struct error *err)
{
	struct store_value values[] = {store_text(environment_id), store_text(id)};
	struct store_rows rows;

	*reason = NULL;
	return store_query(links->store, arena,
			   SESSION_COLUMNS " WHERE s.environment_id = ?1 AND s.id = ?2", values, 2,
			   &rows, err) &&
	       take_session(links, arena, &rows, session, reason, err);
}

/* --- browsers --------------------------------------------------------------------------------- */

struct str link_browser_make(struct links *links, struct arena *arena)
{
	return token_text_make(links->random, arena, browser_prefix);
}

bool link_browser_digest(struct links *links, struct arena *arena, struct str text,
			 struct str *digest)
{
	if (!token_text_check(text, browser_prefix))
		return false;
	*digest = link_digest(links, arena, session_purpose, text).bytes;
	return true;
}

/* --- trying ----------------------------------------------------------------------------------- */

static bool refuse_over(struct error *err)
{
	return error_set(err, ERROR_CONFLICT, "this session of the link page is over");
}

/* A try was not counted: for there were too many, or because the session has ended meanwhile. */
static bool explain_try(struct links *links, const struct link_session *session, struct error *err)
{
	struct store_value values[] = {store_text(session->token.environment_id),
				       store_text(session->id)};
	struct store_rows rows;
	struct arena arena;

	arena_init(&arena, 65536);
	bool ok = store_query(links->store, &arena,
			      "SELECT 1 FROM link_session WHERE environment_id = ?1 AND id = ?2"
			      " AND status = 'open'",
			      values, 2, &rows, err);
	if (ok && rows.count == 0)
		refuse_over(err);
	else if (ok)
		error_set(err, ERROR_RATE_LIMITED, "too many credentials were tried on this page");
	arena_finish(&arena);
	return false;
}

bool link_session_try(struct links *links, const struct link_session *session, struct error *err)
{
	struct store_value values[] = {
		store_text(session->token.environment_id),
		store_text(session->id),
		store_int(LINK_TRIES_MAX),
	};
	struct store_statement statement = {
		.sql = "UPDATE link_session SET tries = tries + 1, error = '' WHERE environment_id = ?1"
		       " AND id = ?2 AND status = 'open' AND tries < ?3",
		.parameters = values,
		.parameter_count = 3,
		.changes_expected = 1,
	};

	if (!str_equal(session->status, STR("open")))
		return refuse_over(err);
	if (store_write(links->store, &statement, 1, err))
		return true;
	return err->code == ERROR_CONFLICT ? explain_try(links, session, err) : false;
}

/* From open to `status`, by one that has seen it with this account. */
static struct store_statement take_account(struct arena *arena, const struct link_session *session,
					   struct str account_id, struct str status)
{
	const struct store_value values[] = {
		store_text(session->token.environment_id),
		store_text(session->id),
		store_text(account_id),
		store_text(session->account_id),
		store_text(status),
	};

	return store_keep(arena,
			  "UPDATE link_session SET status = ?5, account_id = ?3, error = ''"
			  " WHERE environment_id = ?1 AND id = ?2 AND status = 'open'"
			  " AND account_id = ?4",
			  values, 5, 1);
}

struct store_statement link_session_connected(struct arena *arena,
					      const struct link_session *session,
					      struct str account_id)
{
	return take_account(arena, session, account_id, STR("connected"));
}

struct store_statement link_session_bind(struct arena *arena, const struct link_session *session,
					 struct str account_id)
{
	return take_account(arena, session, account_id, STR("open"));
}

bool link_session_finish(struct links *links, const struct link_session *session,
			 struct error *err)
{
	struct arena arena;

	arena_init(&arena, 65536);
	struct store_statement statement =
		link_session_connected(&arena, session, session->account_id);
	bool ok = store_write(links->store, &statement, 1, err);
	arena_finish(&arena);
	return ok;
}

bool link_session_refuse(struct links *links, const struct link_session *session,
			 const char *reason, struct error *err)
{
	struct store_value values[] = {
		store_text(session->token.environment_id),
		store_text(session->id),
		store_text(str_from_c(reason)),
	};
	struct store_statement statement = {
		.sql = "UPDATE link_session SET error = ?3 WHERE environment_id = ?1 AND id = ?2"
		       " AND status = 'open'",
		.parameters = values,
		.parameter_count = 3,
		.changes_expected = -1,
	};

	return store_write(links->store, &statement, 1, err);
}

bool link_session_end(struct links *links, const struct link_session *session, struct error *err)
{
	struct store_value values[] = {store_text(session->token.environment_id),
				       store_text(session->id)};
	struct store_statement statement = {
		.sql = "UPDATE link_session SET status = 'ended' WHERE environment_id = ?1"
		       " AND id = ?2 AND status = 'open'",
		.parameters = values,
		.parameter_count = 2,
		.changes_expected = -1,
	};

	return store_write(links->store, &statement, 1, err);
}
