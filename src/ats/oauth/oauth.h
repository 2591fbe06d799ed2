/* OAuth: the apps that an environment has registered with ATSs, authorizations under way, and the
 * tokens of accounts, which are replaced before they run out and when the ATS refuses them.
 *
 * One new token per old one, whoever asks for it: fibers and workers wait for one flight; a lease
 * with a fence in the store keeps other processes away; what is about to be sent is noted first,
 * and what came is on the disk before it is used, in place of the very version that it was made
 * of. docs/decisions/0008-token-refresh.md says why. This room owns the tables oauth_app,
 * oauth_state and credential_lease. */
#ifndef ATS_OAUTH_OAUTH_H
#define ATS_OAUTH_OAUTH_H

#include "ats/account/account.h"
#include "ats/connector/connector.h"
#include "ats/node/node.h"

struct oauth;

struct oauth_options {
	struct store *store;
	struct accounts *accounts;
	struct vault *vault;
	const struct connectors *connectors;
	const struct clock *clock;
	const struct random *random;
	struct node *node;
	struct str folder;   /* the data folder's name, by which its leases are known */
	int64_t deadline_ms; /* of one request to a provider; 0: 30 s */
};
/* Everything is borrowed. One for the whole process, which alone has its data folder: leases that
 * a dead one left behind are ended. */
struct oauth *oauth_create(const struct oauth_options *options, struct error *err) MUST_CHECK;
/* While a refresh is under way it is left as it is. NULL is accepted. */
void oauth_destroy(struct oauth *oauth);
/* Fibers which get tokens, in all workers: a loop must not end while there are some. */
size_t oauth_active(struct oauth *oauth);
/* Tokens that were to be replaced: how that ended. */
struct oauth_counts {
	_Atomic uint64_t given;
	_Atomic uint64_t refused; /* by the ATS */
	_Atomic uint64_t failed;  /* no answer, or none that can be read */
};
const struct oauth_counts *oauth_counts(const struct oauth *oauth);

/* --- apps --------------------------------------------------------------------------------- */

struct oauth_app {
	struct str environment_id;
	struct str connector;
	struct str client_id;
	bool has_secret;
	struct str scopes;	  /* parted by blanks; empty: the connector's */
	struct str authorize_url; /* empty: the connector's */
	struct str token_url;
	int64_t created_ms;
	int64_t updated_ms;
};
/* Makes or replaces the app; times are filled in. `secret` empty: it has none. ERROR_INVALID and
 * ERROR_LIMIT name the field. */
bool oauth_app_put(struct oauth *oauth, struct arena *arena, struct oauth_app *app,
		   struct str secret, struct error *err) MUST_CHECK;
/* ERROR_NOT_FOUND (field "connector"). */
bool oauth_app_find(struct oauth *oauth, struct arena *arena, struct str environment_id,
		    struct str connector, struct oauth_app *out, struct error *err) MUST_CHECK;
bool oauth_app_list(struct oauth *oauth, struct arena *arena, struct str environment_id,
		    struct oauth_app **list, size_t *count, struct error *err) MUST_CHECK;
bool oauth_app_remove(struct oauth *oauth, struct str environment_id, struct str connector,
		      struct error *err) MUST_CHECK;

/* --- authorizations ----------------------------------------------------------------------- */

enum { OAUTH_BROWSER_BYTES = 32 };

struct oauth_begin {
	struct str environment_id;
	struct str connector;
	struct str format; /* empty: the connector's first of OAuth with a code */
	struct json context;
	struct str redirect_uri; /* compared by the provider, byte by byte */
	struct str browser;	 /* OAUTH_BROWSER_BYTES: a hash of what only this browser knows */
	struct str session_id;	 /* whatever the caller wants to find again */
};
/* Keeps a state that is good for one callback within ten minutes, and gives the address to send
 * the browser to. ERROR_NOT_SUPPORTED where the connector has no such format, ERROR_NOT_FOUND where
 * the environment has no app for it. */
bool oauth_begin(struct oauth *oauth, struct arena *arena, const struct oauth_begin *begin,
		 struct str *url, struct error *err) MUST_CHECK;

struct oauth_callback {
	struct str state;
	struct str browser; /* as at the beginning */
	struct str code;
	struct str iss;	  /* data NULL: there was none */
	struct str error; /* "access_denied"; empty: none */
};
struct oauth_grant {
	struct str environment_id;
	struct str connector;
	struct str format;
	struct str session_id; /* filled as soon as the state was found, also when it fails then */
	struct json context;
	struct json credential; /* access_token and, where one was given, refresh_token */
	struct str scopes;	/* parted by blanks */
	struct account_token token;
	struct str secrets[2]; /* bytes to be wiped */
};
/* Takes the state (of two callbacks one gets it), checks browser and issuer, and exchanges the code
 * for tokens. In a fiber. ERROR_INVALID (field "state", "iss", "code"): unknown, used or overdue,
 * of another browser or provider, refused. ERROR_FORBIDDEN: the person has declined. The caller
 * must oauth_grant_wipe(), also when it fails. */
bool oauth_complete(struct oauth *oauth, struct http_client *client, struct arena *arena,
		    const struct oauth_callback *callback, struct oauth_grant *out,
		    struct error *err) MUST_CHECK;
/* Puts what was granted into an account that is to be created; its credential goes apart. */
void oauth_grant_apply(const struct oauth_grant *grant, struct account *account);
void oauth_grant_wipe(struct oauth_grant *grant);

/* --- tokens ------------------------------------------------------------------------------- */

/* A token for a credential which is not stored yet (client credentials), as in a grant. */
bool oauth_obtain(struct oauth *oauth, struct http_client *client, struct arena *arena,
		  const struct account *account, struct json credential, struct oauth_grant *out,
		  struct error *err) MUST_CHECK;

/* Before a call: sees to it that the account's token has not run out, and tells its version. One
 * that is soon to be replaced is so without waiting. ERROR_UNAUTHORIZED: its provider gives no
 * other, the account must be linked anew and is told so; ERROR_UPSTREAM, ERROR_TIMEOUT: the
 * provider does not answer. */
bool oauth_ready(struct oauth *oauth, struct http_client *client, const struct account *account,
		 const struct connector_format *format, int64_t deadline_ns, int64_t *version,
		 struct error *err) MUST_CHECK;
/* A token in place of the one with this version, which was refused or is to be replaced. True also
 * when there is another by now. Errors as before. */
bool oauth_refresh(struct oauth *oauth, struct http_client *client, const struct account *account,
		   int64_t version, int64_t deadline_ns, struct error *err) MUST_CHECK;

/* Replaces tokens of accounts that nobody calls, a few at a time, before they run out: a fiber of
 * this loop, until oauth_sweep_stop(). */
struct oauth_sweep {
	struct oauth *oauth;
	struct http_client *client;
	struct loop_wait *wait;
	bool is_stopping;
	bool is_running;
};
void oauth_sweep_start(struct oauth_sweep *sweep, struct loop *loop);
/* On the loop's thread. */
void oauth_sweep_stop(struct oauth_sweep *sweep);

#endif
