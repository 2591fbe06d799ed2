/* Notifications which an ATS sends by itself, of an account: proved by its secret, stored before
 * they are answered, known when they come again, and taken as a hint to fetch, never as truth. How
 * they are proved and what they are about stands in the connector (`webhooks:`). This room owns the
 * tables inbound_endpoint, inbound_secret and inbound_delivery. */
#ifndef ATS_INBOUND_INBOUND_H
#define ATS_INBOUND_INBOUND_H

#include "ats/sync/sync.h"

struct inbounds;

/* Everything borrowed. */
struct inbounds_options {
	struct store *store;
	struct vault *vault;
	const struct connectors *connectors;
	struct syncs *syncs;
	const struct clock *clock;
	const struct random *random;
};
/* Shared by all workers. */
struct inbounds *inbounds_create(const struct inbounds_options *options);
/* NULL is accepted. */
void inbounds_destroy(struct inbounds *inbounds);

/* --- what comes ------------------------------------------------------------------------------ */

struct inbound_notification {
	struct str account_id; /* as it was named; nothing is known of it */
	const struct http_header *headers; /* names in lower case */
	size_t header_count;
	struct str body; /* the bytes as they came */
};
enum inbound_outcome {
	INBOUND_STORED,
	INBOUND_REPEATED, /* it was stored before */
	INBOUND_TRIED,	  /* only the address was tried */
};
/* On the disk once it returns INBOUND_STORED, and so is what is to be fetched for it.
 * ERROR_UNAUTHORIZED: not proved, or there is no such account, or none that takes notifications,
 * which all look and last the same; ERROR_RATE_LIMITED: too many of this account, or too many that
 * were refused; ERROR_UNAVAILABLE. */
bool inbound_receive(struct inbounds *inbounds, struct arena *arena,
		     const struct inbound_notification *notification,
		     enum inbound_outcome *outcome, struct error *err) MUST_CHECK;

/* --- for the account's owner ------------------------------------------------------------------ */

enum {
	INBOUND_SECRET_BYTES_MIN = 8,
	INBOUND_SECRET_BYTES_MAX = 512,
	INBOUND_SECRETS_MAX = 4, /* at once */
	INBOUND_OVERLAP_S_MAX = 7 * 24 * 3600,
};

struct inbound_secret {
	int64_t created_ms;
	int64_t until_ms; /* 0: the present one */
};
struct inbound_endpoint {
	bool is_there; /* notifications are taken */
	int64_t created_ms, updated_ms;
	int64_t received_ms, tested_ms, refused_ms;
	int64_t received, repeated, refused;
	struct inbound_secret secrets[INBOUND_SECRETS_MAX]; /* newest first */
	size_t secret_count;
};
/* ERROR_NOT_SUPPORTED: its ATS sends none; so do the two below. */
bool inbound_find(struct inbounds *inbounds, struct arena *arena, const struct account *account,
		  struct inbound_endpoint *endpoint, struct error *err) MUST_CHECK;
/* From now on notifications under this secret are taken, and those under the former ones for
 * `overlap_s` more. Empty: where the connector wants no proof. ERROR_INVALID (fields "secret",
 * "overlap_s"). */
bool inbound_set(struct inbounds *inbounds, struct arena *arena, const struct account *account,
		 struct str secret, int64_t overlap_s, struct error *err) MUST_CHECK;
/* None are taken any more. ERROR_NOT_FOUND when none were. */
bool inbound_remove(struct inbounds *inbounds, const struct account *account,
		    struct error *err) MUST_CHECK;

struct inbound_delivery {
	struct str id; /* "ind_" and its digest in hex */
	int64_t received_ms;
	int64_t repeated;     /* how often it came again */
	struct str remote_id; /* empty: none */
	struct str event;     /* empty: not told */
	struct str body;
	struct json hints;
	int64_t hint_count;
	int64_t taken;	  /* of the hints: those of resources that have a sync job */
	struct str error; /* empty: none */
};
struct inbound_query {
	int64_t before_ms; /* those received before; 0: from the newest */
	struct str before_id;
	size_t limit; /* 1 to 1000 */
};
/* Newest first. */
bool inbound_list(struct inbounds *inbounds, struct arena *arena, const struct account *account,
		  const struct inbound_query *query, struct inbound_delivery **list, size_t *count,
		  struct error *err) MUST_CHECK;

#endif
