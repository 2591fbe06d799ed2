/* Webhooks: events are sent to endpoints of an environment's choice, signed as Standard Webhooks
 * 1.0.0 says, at least once, and in order for each record. This room owns the tables webhook,
 * webhook_secret and webhook_delivery.
 *
 * Each endpoint has a place in the environment's events: all before it are delivered, given up, or
 * pending in a row of their own. What is behind it waits in the table of events, so that an
 * endpoint that is down costs nothing but a call now and then. */
#ifndef ATS_WEBHOOK_WEBHOOK_H
#define ATS_WEBHOOK_WEBHOOK_H

#include "ats/account/account.h"
#include "ats/event/event.h"
#include "ats/model/model.h"
#include "ats/node/node.h"
#include "ats/settings/settings.h"
#include "io/http/http.h"

enum {
	WEBHOOKS_MAX = 1000,	     /* of an environment */
	WEBHOOK_URL_BYTES_MAX = 2048,
	WEBHOOK_DESCRIPTION_BYTES_MAX = 1024,
	WEBHOOK_ATTEMPTS_MAX = 20,
	WEBHOOK_DELAY_S_MAX = 7 * 24 * 3600,
	WEBHOOK_SECRETS_MAX = 10,    /* that sign at once */
	WEBHOOK_REPLAY_MAX = 10000,  /* events of one request */
	WEBHOOK_REPLY_BYTES_KEPT = 512,
};

struct webhooks;

struct webhooks_options {
	struct store *store;
	struct node *node;
	struct vault *vault;
	struct accounts *accounts;
	const struct model *model; /* whose fields are personal; NULL: none are known */
	struct event_bell *bell;
	const struct clock *clock;
	const struct random *random;
	/* When a message is sent again, in milliseconds after the attempt before it; count 0: as
	 * Standard Webhooks has it, over 75 hours. */
	const int64_t *delays_ms;
	size_t delay_count;
	int64_t timeout_ms;	   /* of one attempt; 0: 15 s */
	bool allows_http;	   /* the server may call other addresses than public ones over https */
};
/* Everything is borrowed but the delays. Shared by all workers. */
struct webhooks *webhooks_create(const struct webhooks_options *options);
/* No runner may be there any more. NULL is accepted. */
void webhooks_destroy(struct webhooks *webhooks);
/* Something about endpoints or their deliveries has been written, here or in another process:
 * runners look again. */
void webhooks_tell(struct webhooks *webhooks);

/* --- endpoints -------------------------------------------------------------------------------- */

struct webhook {
	struct str environment_id;
	struct str id; /* "whk_…" */
	struct str target_url;
	struct str description;
	const struct str *types; /* "record:*", "*"; none: all */
	size_t type_count;
	const struct str *resources; /* none: all */
	size_t resource_count;
	const struct str *accounts; /* none: all */
	size_t account_count;
	const struct str *masks; /* kinds of personal data ("contact"), or names of fields */
	size_t mask_count;
	bool is_thin;		 /* ids only */
	const int64_t *delays_s; /* of its own; none: the server's */
	size_t delay_count;
	struct str state;	 /* active, paused, gone */
	struct str reason;	 /* of a pause or an end; empty */
	int64_t seen;		 /* its place: the number of the last event it is past */
	int64_t failing_ms;	 /* since when nothing but failures; 0: not failing */
	int64_t delivered_ms;	 /* last success; 0: none yet */
	int64_t created_ms;
	int64_t updated_ms;
	int64_t version;
	int64_t fence; /* of the node that sends to it */
};
/* Reads the members that a body has over what *webhook has: target_url or url, description,
 * event_types, resources, integrated_account_ids, payload (full, thin), mask, retry_schedule,
 * is_active. ERROR_INVALID with the field. */
bool webhook_read(const struct webhooks *webhooks, struct arena *arena, struct json body,
		  struct webhook *webhook, struct error *err) MUST_CHECK;
/* As the API shows it, without secrets. */
struct json webhook_show(struct arena *arena, const struct webhook *webhook);

/* A secret, told once; the text is to be wiped. */
struct webhook_secret {
	struct str secret;     /* "whsec_…" */
	struct str public_key; /* of v1a: "whpk_…" */
};
/* The fields id, times, seen of *webhook are filled in. It is told events behind `after`; -1: from
 * now on. `is_asymmetric`: messages carry signatures of both kinds. ERROR_LIMIT: the environment
 * has WEBHOOKS_MAX. */
bool webhook_create(struct webhooks *webhooks, struct arena *arena, struct webhook *webhook,
		    int64_t after, bool is_asymmetric, struct webhook_secret *secret,
		    struct error *err) MUST_CHECK;
/* ERROR_NOT_FOUND (field "id"). */
bool webhook_find(struct webhooks *webhooks, struct arena *arena, struct str environment_id,
		  struct str id, struct webhook *out, struct error *err) MUST_CHECK;
/* Sorted by id, from after `after` on. */
bool webhook_list(struct webhooks *webhooks, struct arena *arena, struct str environment_id,
		  struct str after, size_t limit, struct webhook **list, size_t *count,
		  struct error *err) MUST_CHECK;
/* In place of what *webhook was when it was read: ERROR_CONFLICT when it has changed since. */
bool webhook_change(struct webhooks *webhooks, struct arena *arena, struct webhook *webhook,
		    struct error *err) MUST_CHECK;
/* With its secrets and deliveries. ERROR_NOT_FOUND (field "id"). */
bool webhook_remove(struct webhooks *webhooks, struct str environment_id, struct str id,
		    struct error *err) MUST_CHECK;
/* A new secret; those that there are go on signing for overlap_ms. ERROR_CONFLICT: somebody else
 * rotates it at this moment. */
bool webhook_rotate(struct webhooks *webhooks, struct arena *arena, const struct webhook *webhook,
		    int64_t overlap_ms, struct webhook_secret *secret,
		    struct error *err) MUST_CHECK;
/* The secrets of an environment are gone (the vault's revocation): its endpoints are paused. */
bool webhooks_revoke(struct webhooks *webhooks, struct str environment_id,
		     struct error *err) MUST_CHECK;

/* --- deliveries ------------------------------------------------------------------------------- */

/* Sends events again, in the order of their numbers, whether they were delivered before or not:
 * those behind `after` and up to `until` that the endpoint's filter lets pass. At most
 * WEBHOOK_REPLAY_MAX: *last is the number of the last that was looked at. */
bool webhook_replay(struct webhooks *webhooks, struct arena *arena, const struct webhook *webhook,
		    int64_t after, int64_t until, size_t *count, int64_t *last,
		    struct error *err) MUST_CHECK;

struct webhook_delivery {
	int64_t number;
	struct str type;
	struct str account_id, resource, record_id;
	struct str state; /* pending, delivered, failed */
	int64_t attempts;
	int64_t first_ms, last_ms, next_ms; /* Unix times of attempts; 0: none */
	int64_t status;	  /* of the last; 0: no answer */
	struct str error; /* empty: none */
	struct str reply; /* its first WEBHOOK_REPLY_BYTES_KEPT bytes */
	int64_t duration_ms;
};
struct webhook_delivery_query {
	struct str state;  /* empty: any */
	int64_t number;	   /* of the event; 0: any */
	int64_t before;	   /* numbers below that; 0: from the newest */
	size_t limit;	   /* 1 to 1000 */
};
/* What was sent or is to be sent again, newest event first. */
bool webhook_deliveries(struct webhooks *webhooks, struct arena *arena,
			const struct webhook *webhook, const struct webhook_delivery_query *query,
			struct webhook_delivery **list, size_t *count,
			struct error *err) MUST_CHECK;
struct json webhook_delivery_show(struct arena *arena, const struct webhook *webhook,
				  const struct webhook_delivery *delivery);

/* One message of the type webhook:test, sent at once and once; it is no event. True when it was
 * sent, however that went: {"id", "status", "error", "duration_ms", "response"}. */
bool webhook_test(struct webhooks *webhooks, struct arena *arena, const struct webhook *webhook,
		  struct http_client *client, struct json *result, struct error *err) MUST_CHECK;

/* --- how it stands ---------------------------------------------------------------------------- */

enum webhook_state { WEBHOOK_ACTIVE, WEBHOOK_PAUSED, WEBHOOK_GONE, WEBHOOK_STATES };
extern const char *const webhook_states[WEBHOOK_STATES];

/* Of the endpoints of an environment, or (empty) of all. */
struct webhook_tally {
	int64_t endpoints[WEBHOOK_STATES];
	int64_t failing; /* of those that are active: nothing but failures since a while */
	/* Events that an endpoint has not been told yet, those among them that it does not want
	 * included, by its state. */
	int64_t waiting[WEBHOOK_STATES];
	int64_t oldest_ms; /* when the first of those of active endpoints came; 0: none waits */
};
bool webhook_tally(struct webhooks *webhooks, struct str environment_id,
		   struct webhook_tally *tally, struct error *err) MUST_CHECK;
/* Endpoints that are not active, or are failing. */
bool webhook_troubled(struct webhooks *webhooks, struct arena *arena, struct str environment_id,
		      size_t limit, struct webhook **list, size_t *count,
		      struct error *err) MUST_CHECK;

/* What the runners of this process have done. */
struct webhook_counts {
	_Atomic uint64_t delivered;
	_Atomic uint64_t postponed; /* attempts that failed and are made again */
	_Atomic uint64_t given_up;  /* and those that are not */
};
const struct webhook_counts *webhook_counts(const struct webhooks *webhooks);

/* --- sending ---------------------------------------------------------------------------------- */

/* One per worker. An endpoint is one node's, which claims its share of them, and there one
 * runner's. */
struct webhook_runner {
	struct webhooks *webhooks;
	struct loop *loop;
	struct http_client *client; /* for nothing else: no other call waits for these */
	size_t index, of;	    /* which of how many */
	void *state;		    /* the room's own */
};
/* Before the loop runs, or on its thread. */
void webhook_runner_start(struct webhook_runner *runner);
/* On the loop's thread: nothing is sent any more; calls under way end, and what they brought is
 * written down. */
void webhook_runner_stop(struct webhook_runner *runner);
/* What is under way, for the drain; 0: all is written. */
size_t webhook_runner_active(const struct webhook_runner *runner);
/* When the loop runs no more. One that was never started is accepted. */
void webhook_runner_finish(struct webhook_runner *runner);

/* --- the parts that stand alone --------------------------------------------------------------- */

/* The value of the header webhook-signature: of `<id>.<seconds>.<body>`, under each secret. */
struct webhook_key {
	bool is_asymmetric;
	struct secret bytes; /* of Ed25519: seed and public key, 64 bytes */
};
struct str webhook_sign(struct arena *arena, const struct webhook_key *keys, size_t count,
			struct str id, int64_t seconds, struct str body);
/* What is sent of an event: event_json() as it is told elsewhere, or with ids only, or masked. */
struct str webhook_body(struct arena *arena, const struct model *model,
			const struct webhook *webhook, const struct event *event);

#endif
