/* What the files of this room share. Private to it. */
#ifndef ATS_SYNC_PARTS_H
#define ATS_SYNC_PARTS_H

#include <pthread.h>

#include "ats/settings/settings.h"
#include "ats/sync/sync.h"

enum {
	SYNC_PAGE_BYTES_MAX = 32 * 1024 * 1024,
	SYNC_RUN_BYTES_MAX = 4 * 1024 * 1024,
	SYNC_CURSOR_BYTES_MAX = 24 * 1024,
};

/* What this process is at: nothing is done twice at once. Under the lock of the syncs but for what
 * its fiber alone looks at. */
struct sync_claim {
	struct str key;	       /* a job's id, or "hints/" and an account's */
	struct str account_id;
	int64_t term; /* of the node: when it is over others may have taken it */
	struct sync_waiter *waiters;
	_Atomic bool is_nudged; /* somebody changed the job: look at it again */
	struct sync_claim *next;
};

struct syncs {
	struct sync_options options;
	pthread_mutex_t lock;
	struct sync_runner *runners;
	struct sync_claim *claims;
	struct sync_counts counts;
	uint64_t rings; /* how often runners were told to look again */
};

static inline int64_t sync_now_ms(const struct syncs *syncs)
{
	return clock_unix_ms(syncs->options.clock);
}

/* False when it is taken, or the account has its share already. */
bool sync_claim_take(struct syncs *syncs, struct sync_claim *claim, size_t account_max) MUST_CHECK;
void sync_claim_drop(struct syncs *syncs, struct sync_claim *claim);
/* Until the deadline, or a nudge, or an interruption. */
void sync_claim_wait(struct syncs *syncs, struct sync_claim *claim, int64_t deadline_ns);
/* While the node still has what it has claimed. */
static inline bool sync_claim_holds(const struct syncs *syncs, const struct sync_claim *claim)
{
	return node_has(syncs->options.node, claim->term);
}
/* All runners look at what is due. */
void sync_ring(struct syncs *syncs);

/* A fiber of a runner. */
struct sync_task {
	struct sync_runner *runner;
	struct fiber *fiber;
	struct sync_task *next;
};
void sync_task_begin(struct sync_task *task, struct sync_runner *runner);
void sync_task_end(struct sync_task *task);

/* --- rows ------------------------------------------------------------------------------------ */

#define SYNC_JOB_COLUMNS                                                                           \
	" id, environment_id, account_id, resource, config, state, next_ms, full_ms, mark_ms,"     \
	" since_ms, wishes, failures, run_number, fence, created_ms, updated_ms "
bool sync_read_job(struct arena *arena, const struct store_rows *rows, size_t row,
		   struct sync_job *job, struct error *err) MUST_CHECK;
#define SYNC_RUN_COLUMNS                                                                           \
	" job_id, number, id, environment_id, fence, is_full, is_asked, allows_deletions, status," \
	" started_ms, ended_ms, place, shares, expected, records, created, updated, deleted,"      \
	" unchanged, calls, retries, wait_ms, error "
void sync_read_run(const struct store_rows *rows, size_t row, struct sync_run *run);
/* ERROR_NOT_FOUND. */
bool sync_find_run(struct syncs *syncs, struct arena *arena, const struct sync_job *job,
		   int64_t number, struct sync_run *run, struct error *err) MUST_CHECK;
struct json sync_job_config(struct arena *arena, const struct sync_job *job);

/* The resource as the account's connector has it. ERROR_NOT_SUPPORTED (field "resource"). */
bool sync_find_resource(struct syncs *syncs, const struct account *account, struct str name,
			const struct unified_resource **out, struct error *err) MUST_CHECK;

/* Is `at_ms` within the job's window? *opens_ms: when it next is, not before at_ms. */
bool sync_window_is_open(const struct sync_window *window, int64_t at_ms, int64_t *opens_ms);

/* Which filter asks the ATS for what has changed; NULL: none can. *by_creation: it finds new
 * records only. */
const struct model_filter *sync_find_since(const struct unified_resource *resource,
					   bool *by_creation);

/* Was it this record's turn in the time behind from_ms, up to to_ms? Each has one turn in a period,
 * and about as many have theirs at any time. */
bool sync_is_turn(int64_t number, int64_t period_ms, int64_t from_ms, int64_t to_ms);

/* What goes with each write, and is refused where another node has the work meanwhile. */
struct sync_guard {
	const struct store_statement *list;
	size_t count;
};
struct seen;
/* What of the copy has the filter's value and is not among those seen, nor was read since read_ms,
 * is gone: tombstones. Where no record tells the value nothing is done. */
bool sync_drop_rest(struct syncs *syncs, struct arena *arena, const struct copy_place *place,
		    const struct unified_resource *resource, struct str filter, struct str value,
		    const struct seen *seen, int64_t read_ms, struct sync_guard guard,
		    struct copy_counts *counts, struct error *err) MUST_CHECK;

/* Begins a run of the job, or goes on with one, in a fiber of the runner: the claim is taken. */
void sync_flight_start(struct sync_runner *runner, const struct sync_job *job,
		       struct sync_claim *claim);
/* The same for the hints of an account. */
void sync_hints_start(struct sync_runner *runner, struct str environment_id,
		      struct str account_id, struct sync_claim *claim);

#endif
