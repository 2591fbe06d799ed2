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
	/* The true rate limit, as a bucket that fills. */
	int64_t requests;
	int64_t seconds;
	double tokens;
	int64_t filled_ns;
	bool has_begun;
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

/* answer.c: the ATS's own paths and /files/. */
void answer_request(struct sandbox *sandbox, struct http_exchange *exchange);
void answer_fixed(struct sandbox *sandbox, struct http_exchange *exchange, enum answer_kind kind,
		  const char *message);
void answer_file(struct sandbox *sandbox, struct http_exchange *exchange);
bool answer_make_router(struct sandbox *sandbox, struct error *err) MUST_CHECK;

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

/* control.c: /sandbox/… */
void answer_control(struct sandbox *sandbox, struct http_exchange *exchange);

/* sandbox.c: suspends the fiber, unless the sandbox is released. */
void pause_ms(struct sandbox *sandbox, int64_t ms);

#endif
