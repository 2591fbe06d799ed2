/* What the files of this room share. Private to it. */
#ifndef ATS_OAUTH_PARTS_H
#define ATS_OAUTH_PARTS_H

#include <pthread.h>

#include "ats/oauth/oauth.h"
#include "base/map.h"

enum {
	OAUTH_MAGIC = 0x6f617574,
	OAUTH_URL_MAX = 4096,
	OAUTH_TOKEN_MAX = 8 * 1024,
	OAUTH_ROWS_MAX = 1024 * 1024,
};

struct oauth {
	unsigned magic;
	struct oauth_options options;
	pthread_mutex_t lock; /* over the flights */
	struct map flights;   /* environment and account -> struct flight */
	_Atomic size_t active;
	struct oauth_counts counts;
};

/* --- provider.c: whom to ask, and as whom ----------------------------------------------- */

struct provider {
	const struct connector *connector;
	const struct connector_format *format;
	struct str authorize_url;
	struct str token_url;
	struct str client_id;
	struct secret client_secret; /* empty: none */
	struct str scopes;	     /* as they are asked for */
};
/* What of an app and the connector together; provider_finish() it in any case. */
bool provider_open(struct oauth *oauth, struct arena *arena, struct str environment_id,
		   const struct connector *connector, const struct connector_format *format,
		   struct json context, struct provider *out, struct error *err) MUST_CHECK;
void provider_finish(struct provider *provider);
/* The app with its secret opened; ERROR_NOT_FOUND. */
bool oauth_app_open(struct oauth *oauth, struct arena *arena, struct str environment_id,
		    struct str connector, struct oauth_app *app, struct secret *secret,
		    struct error *err) MUST_CHECK;
/* Scopes parted by blanks or commas, to blanks. */
struct str provider_tidy_scopes(struct arena *arena, struct str scopes);

/* --- token.c: one request to a token endpoint --------------------------------------------- */

enum token_outcome {
	TOKEN_GIVEN,
	TOKEN_DEAD,    /* invalid_grant */
	TOKEN_REFUSED, /* the client or the request is at fault */
	TOKEN_FAILED,  /* no answer, or none that can be read */
};
struct token_answer {
	struct str access_token;
	struct str refresh_token; /* empty: none */
	struct str scopes;	  /* data NULL: not told */
	int64_t expires_ms;	  /* 0: not told */
	int64_t refresh_ms;
	struct str body;
};
/* `fields`: grant_type and what goes with it. *err is set but for TOKEN_GIVEN. */
enum token_outcome token_request(struct oauth *oauth, struct http_client *client,
				 struct arena *arena, const struct provider *provider,
				 const struct http_field *fields, size_t count,
				 struct token_answer *answer, struct error *err);
void token_wipe(struct token_answer *answer);
/* {"access_token", "refresh_token"?} */
struct json token_credential(struct arena *arena, const struct token_answer *answer);

/* --- lease.c ----------------------------------------------------------------------------- */

struct lease {
	int64_t fence;
	int64_t until_ms;
	int64_t lost_version; /* the last holder sent it, and what came is not known; or -1 */
};
/* Takes the lease and notes that `version` is about to be sent. ERROR_CONFLICT: another has it. */
bool lease_take(struct oauth *oauth, const struct account *account, int64_t version,
		struct lease *lease, struct error *err) MUST_CHECK;
/* Only while it is still ours. The statement for a transaction, in the arena. */
struct store_statement lease_end_statement(struct arena *arena, const struct account *account,
					   const struct lease *lease);
/* `is_known`: what came of what was sent. */
void lease_end(struct oauth *oauth, const struct account *account, const struct lease *lease,
	       bool is_known);
bool lease_end_all(struct oauth *oauth, struct error *err) MUST_CHECK;

/* --- refresh.c --------------------------------------------------------------------------- */

/* The protocol, for one flight. */
bool refresh_run(struct oauth *oauth, struct http_client *client, const struct account *account,
		 int64_t version, struct error *err) MUST_CHECK;

/* --- flight.c ---------------------------------------------------------------------------- */

/* Sees to it that a refresh of this version is under way, on this loop if on none. */
void flight_start(struct oauth *oauth, struct http_client *client, const struct account *account,
		  int64_t version);

/* Tells the vault of the columns with sealed texts (columns.c). */
void columns_register(struct vault *vault);
/* Where the verifier of an authorization under way belongs; `digest` is its row's. */
struct vault_binding state_binding(struct arena *arena, struct str environment_id,
				   struct str digest);

#endif
