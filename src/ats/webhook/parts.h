/* Private to this room. */
#ifndef ATS_WEBHOOK_PARTS_H
#define ATS_WEBHOOK_PARTS_H

#include <pthread.h>
#include <stdatomic.h>

#include "ats/webhook/webhook.h"

enum { RUNNERS_MAX = 256 };

struct webhooks {
	struct webhooks_options options;
	int64_t *delays_ms;
	struct webhook_counts counts;
	pthread_mutex_t lock; /* of what follows */
	struct webhook_runner *runners[RUNNERS_MAX];
	size_t runner_count;
	_Atomic int64_t surplus; /* endpoints that its runners are to give back */
	_Atomic int64_t leaving; /* those that are about to be */
	_Atomic bool is_ending;
};

/* --- endpoints and secrets as rows ------------------------------------------------------------ */

/* Of all environments: those that a node has, or all (empty). */
bool webhook_read_all(struct webhooks *webhooks, struct arena *arena, struct str owner,
		      struct webhook **list, size_t *count, struct error *err) MUST_CHECK;
struct str webhook_config_text(struct arena *arena, const struct webhook *webhook);
bool webhook_config_parse(struct arena *arena, struct str text, struct webhook *webhook,
			  struct error *err) MUST_CHECK;
/* The filter of an endpoint, as a query of events. */
void webhook_filter(struct arena *arena, const struct webhook *webhook,
		    struct event_query *query);

/* The statements which store one new secret, or two, numbered behind those that there are. */
bool secret_make(struct webhooks *webhooks, struct arena *arena, const struct webhook *webhook,
		 bool is_asymmetric, int64_t now_ms, struct webhook_secret *told,
		 struct store_statement statements[2], size_t *count,
		 struct error *err) MUST_CHECK;
/* The keys that sign now, the newest first, and until when they are all of them (INT64_MAX: for
 * good). The caller finishes each. */
bool secret_open_all(struct webhooks *webhooks, const struct webhook *webhook, int64_t now_ms,
		     struct webhook_key keys[WEBHOOK_SECRETS_MAX], size_t *count,
		     int64_t *until_ms, struct error *err) MUST_CHECK;
void secret_close_all(struct webhook_key *keys, size_t count);
bool secret_has_asymmetric(struct webhooks *webhooks, struct arena *arena,
			   const struct webhook *webhook, bool *has, struct error *err) MUST_CHECK;
void secret_register(struct vault *vault);
struct str webhook_base64(struct arena *arena, const char *prefix, const unsigned char *bytes,
			  size_t len);

/* --- schedules -------------------------------------------------------------------------------- */

struct schedule {
	const int64_t *delays_ms;
	size_t count;
};
extern const struct schedule schedule_standard;
/* When the next attempt is due after `attempts` that failed; 0: there is none. */
int64_t schedule_next_ms(const struct schedule *schedule, int64_t attempts, int64_t first_ms,
			 int64_t now_ms, const struct random *random);

/* --- one attempt ------------------------------------------------------------------------------ */

struct attempt {
	bool is_delivered;
	bool is_gone;	     /* 410 */
	bool is_throttled;   /* 429, 502, 504: fewer, please */
	int status;	     /* 0: no answer */
	int64_t retry_after_ms; /* 0: not said */
	int64_t duration_ms;
	struct str error;    /* empty: delivered */
	struct str reply;    /* its beginning, as text */
};
/* In a fiber. Everything in *out lives in the arena. */
void attempt_make(struct webhooks *webhooks, struct http_client *client, struct arena *arena,
		  struct str url, const struct webhook_key *keys, size_t key_count, struct str id,
		  struct str body, struct attempt *out);

#endif
