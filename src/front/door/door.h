/* What every door needs and none should do its own way: who calls, how an answer and an error
 * look, where the time went. Doors know this room and ats/, and not one another. */
#ifndef FRONT_DOOR_DOOR_H
#define FRONT_DOOR_DOOR_H

#include "ats/calls/calls.h"
#include "ats/copy/copy.h"
#include "ats/idempotency/idempotency.h"
#include "ats/node/node.h"

/* Shown by /metrics; shared by all workers. */
struct door_counts {
	_Atomic uint64_t requests[6];        /* by hundreds of the status */
	_Atomic uint64_t in_flight;          /* now */
	_Atomic uint64_t duration_us_total;
	_Atomic uint64_t duration_buckets[12]; /* see door_bucket_bounds_ms */
};
extern const double door_bucket_bounds_ms[11]; /* the twelfth bucket has no bound */

struct discovery;  /* front/discovery's own */
struct link_files; /* front/link's own */
struct links;	   /* ats/link */
struct mcp_servers; /* ats/mcp */
struct mcp_door;   /* front/mcp's own */
struct syncs;	   /* ats/sync */
struct inbounds;   /* ats/inbound */
struct event_bell; /* ats/event */
struct webhooks;   /* ats/webhook */
struct erasures;   /* ats/erasure */
struct tallies;	   /* front/status's own */

/* One per worker, borrowed by its doors for as long as the worker lives. */
struct door {
	const struct operation_services *services;
	const struct model_aliases *aliases; /* of parameters of unified requests; may be NULL */
	const struct discovery *discovery;
	struct store *store;
	struct node *node;
	struct idempotency *idempotency;
	struct calls *calls;
	struct links *links;
	const struct link_files *link_files;
	struct mcp_servers *mcp_servers;
	struct mcp_door *mcp;
	struct copies *copies;
	struct syncs *syncs;
	struct inbounds *inbounds;
	struct event_bell *bell;
	struct webhooks *webhooks;
	struct http_client *hook_client; /* for calls of webhooks' endpoints */
	struct erasures *erasures;
	struct door_counts *counts;
	struct tallies *tallies; /* NULL: nothing is kept of them */
	size_t workers;
	const char *version;
	int64_t started_ms;         /* unix */
	int64_t call_timeout_ms;    /* of one operation */
	const _Atomic bool *is_draining;
	bool has_tls; /* it is reached over https */
	/* Answers a request through the server's routes, for a door whose requests hold others; in
	 * a fiber, and the exchange need have no connection. */
	void (*dispatch)(const struct door *door, struct http_exchange *exchange);
};

/* Who calls: an environment, and what they may do. */
struct caller {
	struct str environment_id; /* empty: a local caller who named none */
	struct str key_id;         /* empty: local, or by the token of an account */
	struct str account_id;     /* of such a token: no other account is to be had */
	unsigned scopes;
};

/* By the token of one account only calls of that account are made, which need not name it.
 * A caller over the unix socket is trusted, and names the environment in the query
 * (`environment=NAME`) where one is wanted; all others show an API key as a bearer token with
 * one of the scopes. ERROR_UNAUTHORIZED or ERROR_FORBIDDEN. */
bool door_authorise(const struct door *door, struct http_exchange *exchange, unsigned scopes,
		    struct caller *caller, struct error *err) MUST_CHECK;

/* The token of the header Authorization: Bearer; empty: there is none. */
struct str door_bearer(const struct http_exchange *exchange);

/* The account that `id` names in the caller's environment; a local caller without an environment
 * finds those of all. */
bool door_find_account(const struct door *door, struct arena *arena, const struct caller *caller,
		       struct str id, struct account *account, struct error *err) MUST_CHECK;

/* The body as a JSON object. ERROR_INVALID (field "body"). */
bool door_parse_body(struct http_exchange *exchange, struct json *out, struct error *err) MUST_CHECK;

/* The text of the parameter `limit`, 1 to OPERATION_LIMIT_MAX. */
bool door_read_limit(struct str text, int64_t *limit, struct error *err) MUST_CHECK;

/* Where callers reach this server: as the operator said, or as this one did. */
struct str door_base_url(const struct door *door, const struct http_exchange *exchange);

void door_reply(struct http_exchange *exchange, int status, struct json value);
/* The same for a large value whose printed length is about known. */
void door_reply_sized(struct http_exchange *exchange, int status, struct json value,
		      size_t bytes_about);
/* {"statusCode", "error", "message", "field"?, "allowed"?, "request_id", "insight"?, "remote"?}.
 * `remote` is {"status", "headers", "body"}: what the ATS said, kept apart from what tenon says;
 * NULL where it did not come to that. `insight`: {"missing_fields"?, "missing_rights"?,
 * "rate_limit"?}. The status is the error's own, unless the exchange has one of 400 or more
 * already: the server may know a more fitting one than the table (414, 431, 408). */
void door_reply_error(struct http_exchange *exchange, const struct error *err,
		      const struct operation_result *remote);
/* The same with one member more. */
void door_reply_error_with(struct http_exchange *exchange, const struct error *err,
			   const struct operation_result *remote, const char *name,
			   struct json value);
/* Server-Timing: upstream (waiting for the ATS), wait (for a rate limit), tenon (all the rest). */
void door_set_timing(const struct door *door, struct http_exchange *exchange,
		     const struct operation_result *result);

/* ratelimit-limit, ratelimit-remaining, ratelimit-reset (seconds): what the ATS told of its own,
 * where it did. */
void door_set_rate_limit(struct http_exchange *exchange, const struct operation_result *result);

/* A write under an Idempotency-Key. */
struct door_attempt {
	struct idempotency_attempt *note; /* NULL: without a key, or done before */
	struct idempotency_reply before;  /* what an earlier request of the same key was answered */
};
/* What is asked for beside verb, path and query: the same body and bytes of the source. */
struct door_asked {
	struct str body;
	struct http_source **source; /* NULL: none; is replaced by what is to be read instead */
};
/* Looks up the note of the request's Idempotency-Key, if it has one, or begins one: the operation,
 * whose account is known, then has its journal. */
bool door_begin_attempt(const struct door *door, struct http_exchange *exchange,
			struct operation *operation, const struct door_asked *what,
			struct door_attempt *attempt, struct error *err) MUST_CHECK;
void door_reply_again(struct http_exchange *exchange, const struct door_attempt *attempt);
/* Keeps the exchange's reply for the next time. */
void door_end_attempt(struct http_exchange *exchange, struct door_attempt *attempt);

/* operation_run(), or from the local copy where the caller wishes for that (a read). `wish` may be
 * all zero. */
bool door_run(const struct door *door, struct arena *arena, const struct operation *operation,
	      const struct copy_wish *wish, struct operation_result *result,
	      struct copy_answer *answer, struct error *err) MUST_CHECK;
/* X-Tenon-Source: copy or live; Age in seconds, of what came from the copy. */
void door_set_source(struct http_exchange *exchange, const struct copy_answer *answer);

/* A call of an account through one of the doors, for the log of calls. */
struct door_call {
	enum calls_door door;
	struct str environment_id; /* of the caller; empty: not known */
	const struct operation *operation;
	const struct operation_result *result;
	const struct error *err; /* NULL: it went well */
	bool is_replay;          /* answered from an earlier request of the same Idempotency-Key */
	/* Of a call of a tool, as in struct call_record. */
	struct str mcp_server_id;
	struct str tool;
	struct str client_name;
	struct str client_version;
};
/* When the exchange has its reply. */
void door_take_call(const struct door *door, const struct http_exchange *exchange,
		    const struct door_call *call);

/* --- files ---------------------------------------------------------------------------------- */

/* The reply's body as a sink: status, headers, the ATS's rate limit and the times so far are told
 * when it begins. */
struct door_sink {
	struct operation_sink base;
	const struct door *door;
	struct http_exchange *exchange;
	const struct operation_result *result;
};
void door_sink_init(struct door_sink *sink, const struct door *door,
		    struct http_exchange *exchange, const struct operation_result *result);
/* The operation failed: an error, or, when a part of a file is out, a reply that breaks off, so
 * that nobody takes it for a whole one. */
void door_fail(struct door_sink *sink, const struct error *err);
/* What is said of every reply, but for one that a sink began. */
void door_set_headers(struct door_sink *sink);

/* What a request's body may be at most where it is a stream: a file of 100 MiB, and a form
 * around it. */
enum { DOOR_FILE_BYTES_MAX = 100 * 1024 * 1024 };
enum { DOOR_STREAM_BYTES_MAX = DOOR_FILE_BYTES_MAX + 2 * 1024 * 1024 };

/* Whether the body is multipart/form-data, and how much of it is taken as a stream. */
bool door_is_form(const struct http_exchange *exchange);
size_t door_form_stream_max(const struct http_exchange *exchange);
/* Reads a form as the body of a write: parts of text, or of application/json, are members of the
 * body, of which "body" has all at once; the file must be the last part, and takes the place in
 * the body that the method has for one. Its bytes are left for the operation to read;
 * upload->source stays NULL when there is none. ERROR_INVALID, ERROR_LIMIT. */
bool door_read_form(struct http_exchange *exchange, const struct model_method *method,
		    struct json *body, struct operation_upload *upload,
		    struct error *err) MUST_CHECK;
/* What stands for them in the body. */
extern const struct str door_file_token;

/* Counts and logs the finished request. `route` is the pattern, never the path with its ids. */
void door_finish(const struct door *door, const struct http_exchange *exchange,
		 const char *route);

#endif
