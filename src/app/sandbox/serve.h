/* The parts of a running sandbox that answer requests, and what they share. */
#ifndef APP_SANDBOX_SERVE_H
#define APP_SANDBOX_SERVE_H

#include <pthread.h>

#include "app/sandbox/listing.h"

/* One fiber that waits on purpose. */
struct pause {
	struct loop_wait wait;
	struct pause *next;
	struct pause *previous;
};

struct faults {
	double probability[SANDBOX_FAULTS];
	uint64_t given[SANDBOX_FAULTS];
	struct random_seeded draw;
};

enum { RATE_WINDOWS = 1000 };

/* The true rate limit. */
struct rate {
	int64_t requests; /* so many … 0: none */
	int64_t seconds;  /* … in so many seconds, which is a window */
	enum sandbox_window window;
	bool has_begun;
	int64_t begun_ns;
	int64_t number; /* of the window that is now, from 0 */
	int64_t passed[RATE_WINDOWS]; /* requests in the last windows, by their numbers */
	int64_t total;
	double tokens; /* of a bucket */
	int64_t filled_ns;
	int64_t *taken_ns; /* when the last ones passed, where any window counts; malloc */
};

/* A file that came with a write. */
struct upload {
	size_t number; /* from 1 */
	struct str filename;
	struct str content_type;
	char *bytes; /* malloc */
	size_t len;
	size_t capacity;
};

struct uploads {
	struct upload **items;
	size_t count;
	size_t capacity;
};

/* What happens by itself. */
struct life {
	int64_t changes; /* so many … 0: nothing */
	int64_t seconds; /* … in so many seconds */
	uint64_t run;    /* goes up when the two change: a fiber of an older run ends */
	uint64_t tries;  /* what a change draws hangs on its number */
	uint64_t total;
	uint64_t *counts; /* how often each kind of change happened */
	struct collection scope; /* for draws: as if changes were records */
};

/* Where the ATS tells what happened. */
struct webhook {
	struct str url; /* malloc; empty: nowhere */
	struct str secret; /* malloc */
	double lost;       /* so many of the notices never come */
	double repeated;   /* so many come twice */
	struct random_seeded draw;
	struct http_client *client; /* of the loop; NULL until the first call */
	uint64_t notices; /* the number of the last one */
	size_t pending;
	uint64_t sent;    /* calls that were answered with 200 */
	uint64_t failed;  /* calls that were not */
	uint64_t given_up;
	uint64_t dropped; /* lost on purpose, or too many at once */
};

enum { STATUS_MAX = 600 };

struct sandbox {
	struct http_handler handler;
	struct arena arena; /* of the definition */
	const struct definition *definition;
	struct company company;
	struct selections selections;
	struct http_router *router;
	struct http_route *routes; /* as definition->routes */
	const struct clock *clock;
	struct faults faults;
	struct rate rate;
	struct life life;
	struct webhook webhook;
	struct uploads uploads;
	uint64_t *calls;  /* how many came, for each route */
	uint64_t *writes; /* how many were carried out, for each route */
	struct str company_id;
	struct str token;
	struct str base_path;
	int64_t delay_ms;
	int64_t stall_ms;
	pthread_mutex_t lock; /* of the next two: sandbox_release comes from any thread */
	bool is_released;
	struct pause *pauses;
	size_t active;
	size_t active_max;
	uint64_t total;
	uint64_t statuses[STATUS_MAX];
};

/* One request for the ATS's own paths. */
struct request {
	struct sandbox *sandbox;
	struct http_exchange *exchange;
	const struct route_definition *route;
	struct http_match match;
	struct record *record; /* named by the path, where the route wants one */
	struct json variables[VARIABLES];
	/* Of a write. */
	struct json body;
	struct json fetched;
	struct record *shown; /* by `get`: created, or named by the path */
	struct record **done; /* what the steps created and changed */
	size_t done_count;
	size_t done_capacity;
	bool is_answered;
};

/* answer.c: the ATS's own paths and /files/. */
void answer_request(struct sandbox *sandbox, struct http_exchange *exchange);
void answer_fixed(struct sandbox *sandbox, struct http_exchange *exchange, enum answer_kind kind,
		  const char *message);
/* The answer `invalid`: a list of texts, and the messages of each field. */
void answer_invalid(struct sandbox *sandbox, struct http_exchange *exchange, struct json messages,
		    struct json fields);
/* With the record (or null) as $, and as the one whose children natives find. */
bool request_evaluate(struct request *request, struct record *record,
		      const struct expression *expression, struct json *out,
		      struct error *err) MUST_CHECK;
void answer_file(struct sandbox *sandbox, struct http_exchange *exchange);
bool answer_make_router(struct sandbox *sandbox, struct error *err) MUST_CHECK;

/* Carries out a write that nobody has sent: route, parts of the path and body are given, and the
 * exchange has an arena only. When it is refused the request is answered. */
bool request_perform(struct request *request, struct error *err) MUST_CHECK;
void request_set_variables(struct request *request);

/* write.c: rules and steps of the route. When a rule is broken the request is answered. */
bool write_apply(struct request *request, struct error *err) MUST_CHECK;
/* Values with names, one after the other, as $let. */
bool request_let(struct request *request, const struct field_table *let,
		 struct error *err) MUST_CHECK;
/* Not true, unless it is not there. */
bool request_when(struct request *request, const struct expression *when, bool *is_so,
		  struct error *err) MUST_CHECK;

/* upload.c: a body as one value, its files kept. ERROR_INVALID, ERROR_LIMIT. */
bool read_body_value(struct sandbox *sandbox, struct http_exchange *exchange, struct json *out,
		     struct error *err) MUST_CHECK;
/* Gets what stands at an address, and keeps it; undefined when it cannot be had. Waits. */
struct json fetch_file(struct sandbox *sandbox, struct arena *arena, struct str url);
/* `rest` is what follows /files/uploads/; false when there is no such file. */
bool answer_upload(struct sandbox *sandbox, struct http_exchange *exchange, struct str rest);
void uploads_finish(struct uploads *uploads);

/* rate.c */
void rate_init(struct rate *rate, const struct sandbox_options *options);
void rate_finish(struct rate *rate);
/* 0 when a request may pass, which is then counted; else how long to wait. */
int64_t rate_take_ns(struct rate *rate, int64_t now_ns);
/* How many passed in each window, the oldest first; the last is not over. */
struct json rate_windows(const struct rate *rate, struct arena *arena);

/* fault.c */
void faults_init(struct faults *faults, const struct sandbox_options *options);
/* Answers with faults where they are due, else as answer_request does. */
void answer_or_fail(struct sandbox *sandbox, struct http_exchange *exchange);
/* Whether this fault is due now; counts it when it is. */
bool fault_is_due(struct faults *faults, enum sandbox_fault kind);
const char *fault_name(enum sandbox_fault kind);
bool fault_from_name(struct str name, enum sandbox_fault *kind, struct error *err) MUST_CHECK;
/* Between two pages of a list of this collection: one comes, one goes, or both. */
void shift_page(struct sandbox *sandbox, struct collection *collection);

/* life.c: something happens, drawn from what the definition has. *change stays NULL when, after
 * many tries, there was nothing that could; a definition that is broken gives *err. `touched` gets
 * the records that it changed. */
bool life_step(struct sandbox *sandbox, struct touched *touched, const struct change **change,
	       struct error *err) MUST_CHECK;
void life_init(struct sandbox *sandbox, const struct sandbox_options *options);
/* From now on so many changes in so many seconds, on this loop. */
void life_go_on(struct sandbox *sandbox, struct loop *loop, int64_t changes, int64_t seconds);

/* webhook.c */
bool webhook_init(struct sandbox *sandbox, const struct sandbox_options *options,
		  struct error *err) MUST_CHECK;
void webhook_finish(struct webhook *webhook);
static inline bool webhook_is_on(const struct sandbox *sandbox)
{
	return sandbox->webhook.url.len > 0;
}
/* Sends a notice in the background; `value` is copied. */
void webhook_tell(struct sandbox *sandbox, struct json value);
/* Another address and secret; an empty one ends it. */
void webhook_set(struct webhook *webhook, struct str url, struct str secret);
/* The call that tries an address: the status of the answer, 0 when none came. Waits. */
int webhook_try(struct sandbox *sandbox, struct arena *arena, struct str url);

/* control.c: /sandbox/… */
void answer_control(struct sandbox *sandbox, struct http_exchange *exchange);

/* sandbox.c: texts that are made from now on name the host as this request does. */
void set_base(struct sandbox *sandbox, const struct http_exchange *exchange);
/* Nothing is to go on any more; see sandbox_release(). */
bool sandbox_is_released(struct sandbox *sandbox);
/* Suspends the fiber, unless the sandbox is released. */
void pause_ms(struct sandbox *sandbox, int64_t ms);

#endif
