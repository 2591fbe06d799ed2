/* Linking by the customer: link tokens, which a software company makes and hands to its page, and
 * the sessions they are exchanged for, in which somebody fills in a credential. This room owns the
 * tables link_token and link_session. Tokens are told once; the store has keyed digests of them. */
#ifndef ATS_LINK_LINK_H
#define ATS_LINK_LINK_H

#include "ats/operation/operation.h"

struct links;
/* Everything must outlive it. */
struct links *links_create(struct accounts *accounts, struct store *store, struct vault *vault,
			   const struct clock *clock, const struct random *random);
void links_destroy(struct links *links);

/* --- tokens --------------------------------------------------------------------------------- */

enum {
	LINK_SECONDS_MIN = 60,
	LINK_SECONDS_MAX = 86400,
	LINK_SECONDS_DEFAULT = 900,
	LINK_ORIGINS_MAX = 50,
	LINK_CONNECTORS_MAX = 500,
};

struct link_token {
	struct str id; /* "lnk_…" */
	struct str environment_id;
	struct str tenant_id;
	struct str account_id;       /* to be linked anew; empty: it makes a new one */
	struct json connectors;      /* array of names; empty: all that there are */
	struct json context;         /* object: goes over what is filled in */
	struct str redirect_uri;     /* empty: none */
	struct json allowed_origins; /* array; empty: those of the environment, else any */
	struct json theme;           /* object */
	struct str language;         /* empty: the browser's */
	int64_t created_ms;
	int64_t expires_ms;
	int64_t used_ms;    /* 0: not yet */
	int64_t revoked_ms; /* 0: valid */
};

/* Makes a token of what *token has; id and times are filled in. `*text`, "tlink_…", is told this
 * once. ERROR_INVALID names the field at fault. */
bool link_token_create(struct links *links, struct arena *arena, struct link_token *token,
		       int64_t seconds, struct str *text, struct error *err) MUST_CHECK;
/* Newest first, those before `before` (empty: from the newest), at most `limit`. */
bool link_token_list(struct links *links, struct arena *arena, struct str environment_id,
		     struct str before, size_t limit, struct link_token **list, size_t *count,
		     struct error *err) MUST_CHECK;
/* Its session ends with it. ERROR_NOT_FOUND. */
bool link_token_revoke(struct links *links, struct str environment_id, struct str id,
		       struct error *err) MUST_CHECK;

/* "https://customer.example", "http://localhost:3000": a scheme, a host and perhaps a port, as
 * browsers write an origin. */
bool link_is_origin(struct str text) MUST_CHECK;

/* All link tokens of the environment, their sessions, and all tokens of its accounts. */
bool links_revoke(struct links *links, struct str environment_id, struct error *err) MUST_CHECK;

/* --- sessions ------------------------------------------------------------------------------- */

enum { LINK_SESSION_SECONDS = 1800, LINK_TRIES_MAX = 50 };

struct link_session {
	struct str id; /* "lse_…" */
	struct link_token token;
	struct str origin; /* empty: the page is in a window of its own */
	struct str mode;   /* "iframe", "popup", "same_window" */
	struct str language;
	struct json connectors; /* array of names; empty: all that there are */
	struct str status;	/* "open", "connected", "failed", "ended" */
	struct str account_id;
	struct str error; /* a reason: why the last try failed */
	int64_t expires_ms;
	struct json defaults; /* object: what the environment has for all its links */
};

/* What is asked with a token. */
struct link_opening {
	struct str origin;
	struct str mode;
	struct str language;
	struct json connectors; /* array of names: no others; empty: all of the token's */
};

/* Exchanges a token, which is used up by that: of two at once one wins. False with *reason for
 * people's messages: link_token_used, link_token_expired (both ERROR_GONE), link_token_unknown
 * (ERROR_UNAUTHORIZED), origin_refused (ERROR_FORBIDDEN; the token is not used up); NULL: none of
 * these. */
bool link_session_begin(struct links *links, struct arena *arena, struct str token_text,
			const struct link_opening *opening, struct link_session *session,
			struct str *text, const char **reason, struct error *err) MUST_CHECK;
/* session_unknown (ERROR_UNAUTHORIZED) or session_expired (ERROR_GONE) otherwise. */
bool link_session_find(struct links *links, struct arena *arena, struct str text,
		       struct link_session *session, const char **reason,
		       struct error *err) MUST_CHECK;
/* The one with this id, whose token is not to be had: of an environment's callback. */
bool link_session_find_by_id(struct links *links, struct arena *arena, struct str environment_id,
			     struct str id, struct link_session *session, const char **reason,
			     struct error *err) MUST_CHECK;
/* What only one browser knows, kept in its cookie while somebody signs in elsewhere: a text, and
 * its digest of VAULT_DIGEST_BYTES. */
struct str link_browser_make(struct links *links, struct arena *arena);
/* False when it is none of ours. */
bool link_browser_digest(struct links *links, struct arena *arena, struct str text,
			 struct str *digest) MUST_CHECK;
/* Before a credential is tried: ERROR_RATE_LIMITED past LINK_TRIES_MAX, ERROR_CONFLICT when the
 * session is over. */
bool link_session_try(struct links *links, const struct link_session *session,
		      struct error *err) MUST_CHECK;
/* The statement which goes with the account's: from open to connected, once. It finds its row only
 * while the session has the account that *session has, or none as that. */
struct store_statement link_session_connected(struct arena *arena,
					      const struct link_session *session,
					      struct str account_id);
/* The same for an account that is yet to be checked: the session stays open. */
struct store_statement link_session_bind(struct arena *arena, const struct link_session *session,
					 struct str account_id);
/* The account has passed; or it has not, for this reason, and another try may be made. */
bool link_session_finish(struct links *links, const struct link_session *session,
			 struct error *err) MUST_CHECK;
bool link_session_refuse(struct links *links, const struct link_session *session,
			 const char *reason, struct error *err) MUST_CHECK;
/* From open to "ended". */
bool link_session_end(struct links *links, const struct link_session *session,
		      struct error *err) MUST_CHECK;

/* --- tokens of one account -------------------------------------------------------------------- */

enum { ACCOUNT_TOKEN_SECONDS = 900 };

/* "tacct_…", told this once. */
bool account_token_create(struct links *links, struct arena *arena, const struct account *account,
			  struct str *text, int64_t *expires_ms, struct error *err) MUST_CHECK;
/* Does it look like one? */
bool account_token_is(struct str text) MUST_CHECK;
/* Whose is it? ERROR_UNAUTHORIZED. */
bool account_token_authorise(struct links *links, struct arena *arena, struct str text,
			     struct str *environment_id, struct str *account_id,
			     struct error *err) MUST_CHECK;

/* --- helpers of the page ---------------------------------------------------------------------- */

/* Is it among the names, or is the array empty? */
bool link_names_connector(struct json names, struct str connector) MUST_CHECK;

/* The connector's account of why a live check failed: credential_refused, company_unknown,
 * right_missing, ats_unreachable, rate_limited, invalid_field or connector_failed. */
const char *link_reason(const struct operation_services *services, struct arena *arena,
			const struct connector *connector, const struct operation_result *result,
			const struct error *err);

#endif
