/* Private to this room: a credential that is tried, and what becomes of it. */
#ifndef FRONT_LINK_ATTEMPT_H
#define FRONT_LINK_ATTEMPT_H

#include "front/link/routes.h"

struct attempt {
	const struct door *door;
	struct http_exchange *exchange;
	struct link_session session;
	const struct connector *connector;
	struct account account; /* what it becomes */
	struct json before;     /* the context of the account that is linked anew, as it was read */
	struct json given;      /* context as filled in */
	struct json credential;
	bool is_again; /* the account is there, and linked anew */
	const char *reason;
};

/* Connector, format, context and credentials of the body, of attempt->session. */
bool attempt_read(struct attempt *attempt, struct error *err) MUST_CHECK;
/* The account that the token is for, or that this session has made of this connector and that the
 * ATS has not taken yet; else a new one. */
bool attempt_find_account(struct attempt *attempt, struct str connector,
			  struct error *err) MUST_CHECK;
/* The token's connector of this name, or the account's that is linked anew. */
bool attempt_find_connector(struct attempt *attempt, struct str name, struct error *err) MUST_CHECK;
bool attempt_find_format(struct attempt *attempt, struct str name, struct error *err) MUST_CHECK;
/* What the connector asks for: the token's words go over what was filled in. */
struct json attempt_context(const struct attempt *attempt);
/* That, and what else the token puts into the account. */
struct json attempt_whole_context(const struct attempt *attempt, struct json for_ats);
/* One call to the ATS, which tells whether the credential is good. */
bool attempt_try(struct attempt *attempt, struct error *err) MUST_CHECK;
/* Active, the account and the session's end are one: of two that are tried at once one is kept.
 * Connecting, it is yet to be tried and the session is open. */
bool attempt_keep(struct attempt *attempt, enum account_status status,
		  struct error *err) MUST_CHECK;
int64_t attempt_deadline_ns(const struct attempt *attempt);

#endif
