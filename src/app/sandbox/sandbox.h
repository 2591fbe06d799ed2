/* A stand-in for the API of an ATS, for tests, for the demo and for a first look without an
 * account. All that belongs to one ATS is data in a folder (`sandbox/<ats>/sandbox.yaml`); this
 * room makes a company of it from a seed, serves it, and misbehaves as it is told.
 *
 * One loop serves it, on one thread. Besides the ATS's own paths it
 * answers /files/… and, for tests, /sandbox/… (see docs/sandbox.md). */
#ifndef APP_SANDBOX_SANDBOX_H
#define APP_SANDBOX_SANDBOX_H

#include "base/disk.h"
#include "io/http/http.h"

/* Ways to misbehave, with the names that --fault and PUT /sandbox/faults know them by. */
#define SANDBOX_FAULT_TABLE(ROW)                                                              \
	ROW(SANDBOX_RATE_LIMIT, "rate_limit")     /* 429, half of them with Retry-After */    \
	ROW(SANDBOX_SERVER_ERROR, "server_error") /* 500, 502 or 503 */                       \
	ROW(SANDBOX_RESET, "reset")               /* reset before or within the answer */     \
	ROW(SANDBOX_STALL, "stall")               /* no answer for 30 s */                    \
	ROW(SANDBOX_TRUNCATE, "truncate")         /* closed before the promised length */     \
	ROW(SANDBOX_CONTENT_TYPE, "content_type") /* 200 with a page of HTML */               \
	ROW(SANDBOX_GARBAGE, "garbage")           /* 200, says JSON, is none */               \
	ROW(SANDBOX_PAGE_SHIFT, "page_shift")     /* records come and go between two pages */

enum sandbox_fault {
#define ROW(kind, name) kind,
	SANDBOX_FAULT_TABLE(ROW)
#undef ROW
		SANDBOX_FAULTS
};

/* How a rate limit of N in S seconds is counted: a bucket of N that fills within S; windows of S,
 * one after the other, with N each; or N in any S seconds. */
enum sandbox_window { SANDBOX_BUCKET, SANDBOX_FIXED, SANDBOX_SLIDING };

enum { SANDBOX_CANDIDATES_MAX = 1000000, SANDBOX_SKEW_S_MAX = 10 * 365 * 86400 };

/* What is zero or empty takes the default that is named. Borrowed until sandbox_create returns;
 * the tables (clock, disk) must outlive the sandbox. */
struct sandbox_options {
	const char *folder;     /* which holds sandbox.yaml */
	uint64_t seed;          /* the same seed makes the same company, everywhere */
	size_t candidates;      /* 200; at most SANDBOX_CANDIDATES_MAX */
	struct str company;     /* its id in paths; the definition's */
	struct str token;       /* the only one that opens; the definition's */
	struct str shape;       /* one of the definition's shapes ("new", "old", …); its first */
	double faults[SANDBOX_FAULTS]; /* a probability for each request, 0 to 1 */
	int64_t rate_requests;  /* true rate limit: so many requests … 0: none */
	int64_t rate_seconds;   /* … in so many seconds; 1 */
	enum sandbox_window rate_window; /* how that is counted; SANDBOX_BUCKET */
	int64_t delay_ms;       /* every answer waits so long; 0 */
	int64_t stall_ms;       /* how long a stalled answer takes; 30,000 */
	int64_t life_changes;   /* it lives: so many changes … 0: it stands still */
	int64_t life_seconds;   /* … in so many seconds; 1 */
	struct str webhook_url; /* where it tells what happens; empty: nowhere */
	struct str webhook_secret;
	int64_t skew_s;         /* the ATS's clock is ahead by so much, or behind; 0 */
	bool has_equal_times;   /* the ATS's clock knows whole seconds only */
	const struct clock *clock; /* the system's */
	const struct disk *disk;   /* the system's */
};

struct sandbox;

/* Reads the definition and makes the company. NULL with ERROR_NOT_FOUND (no such folder),
 * ERROR_INVALID (file, line and what is allowed; or a named option), ERROR_LIMIT. */
struct sandbox *sandbox_create(const struct sandbox_options *options, struct error *err) MUST_CHECK;
/* No request may be under way. NULL is accepted. */
void sandbox_destroy(struct sandbox *sandbox);
/* For the server that it is given to: files of 100 MB may come. */
extern const struct http_server_limits sandbox_limits;
/* Answers all requests; belongs to the sandbox. */
struct http_handler *sandbox_handler(struct sandbox *sandbox);
/* Ends every delay and stall, now and from now on, so that the loop can be drained. From any
 * thread. */
void sandbox_release(struct sandbox *sandbox);

/* Begins what happens by itself (options.life_changes), on the loop that serves the sandbox. Before
 * that loop runs, or from any thread. */
void sandbox_start(struct sandbox *sandbox, struct loop *loop);

/* What a client needs besides the address; they live as long as the sandbox. */
struct str sandbox_base_path(const struct sandbox *sandbox); /* "/c/41207" */
struct str sandbox_token(const struct sandbox *sandbox);

/* What it takes to link an account to it, as a JSON object with `context` and `credentials`. */
struct str sandbox_link(struct sandbox *sandbox);

/* "rate_limit:0.05" into options->faults. ERROR_INVALID (field "fault") names the kinds. */
bool sandbox_parse_fault(struct str text, struct sandbox_options *options,
			 struct error *err) MUST_CHECK;
/* "100/60" into rate_requests and rate_seconds. ERROR_INVALID (field "rate-limit"). */
bool sandbox_parse_rate_limit(struct str text, struct sandbox_options *options,
			      struct error *err) MUST_CHECK;
/* "fixed" into rate_window. ERROR_INVALID (field "rate-window"). */
bool sandbox_parse_window(struct str text, struct sandbox_options *options,
			  struct error *err) MUST_CHECK;
/* "10/1" into life_changes and life_seconds. ERROR_INVALID (field "life"). */
bool sandbox_parse_life(struct str text, struct sandbox_options *options,
			struct error *err) MUST_CHECK;

#endif
