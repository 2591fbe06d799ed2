/* Sync jobs: each keeps the local copy of one resource of one account fresh, at a polling interval.
 * Runs are full (a sweep over the whole list, which alone finds deletions) or incremental (what has
 * changed since, where the ATS can be asked so). A run's place is in the store with what it has
 * written: after a crash it goes on there. This room owns the tables sync_job, sync_run, sync_seen
 * and sync_hint. */
#ifndef ATS_SYNC_SYNC_H
#define ATS_SYNC_SYNC_H

#include "ats/copy/copy.h"
#include "ats/node/node.h"
#include "base/zone.h"

struct sync_options {
	struct store *store;
	struct node *node;
	struct copies *copies;
	struct accounts *accounts;
	const struct connectors *connectors;
	const struct model *model;
	const struct clock *clock;
	const struct random *random;
	int64_t page_records; /* that are asked of a list at once; 0: 500 */
};
struct syncs;
/* Everything borrowed. Shared by all workers. */
struct syncs *syncs_create(const struct sync_options *options);
/* NULL is accepted. */
void syncs_destroy(struct syncs *syncs);
/* A job has been changed (empty: any may have been), or hints have come, here or in another
 * process: its run, if there is one, looks at it again, and all runners at what is due. */
void sync_nudge(struct syncs *syncs, struct str job_id);

/* One per worker: runs jobs that are due on this loop, by this worker's client. All zero but for
 * the first three. */
struct sync_runner {
	struct syncs *syncs;
	const struct operation_services *services;
	struct loop *loop;
	size_t active;	  /* fibers under way, for the drain */
	size_t runs;	  /* of them, runs */
	bool is_stopping;
	struct sync_task *tasks; /* the room's own */
	struct loop_wait *wait;
	struct sync_runner *next;
};
/* From any thread, before the loop ends. */
void sync_runner_start(struct sync_runner *runner);
/* Runs end at their next checkpoint. On the runner's loop. */
void sync_runner_stop(struct sync_runner *runner);

/* --- jobs ------------------------------------------------------------------------------------ */

enum sync_mode { SYNC_AUTO, SYNC_FULL, SYNC_INCREMENTAL };
enum sync_state {
	SYNC_ACTIVE,
	SYNC_PAUSED,  /* a run that is under way goes on when it is started again */
	SYNC_STOPPED, /* it was given up */
};
enum sync_wish { SYNC_WISH_RUN = 1, SYNC_WISH_FULL = 2, SYNC_WISH_DELETIONS = 4 };

enum {
	SYNC_INTERVAL_SECONDS_MIN = 10,
	SYNC_INTERVAL_SECONDS_MAX = 30 * 86400,
	SYNC_INTERVAL_SECONDS = 300,
	SYNC_FULL_SECONDS = 6 * 3600,
	SYNC_DETAILS_SECONDS = 604800,
	SYNC_RUNS_KEPT = 100, /* of each job */
	SYNC_JOBS_MAX = 100,  /* of an account: one for each resource */
};

/* The time of day in which a job may run; both ends equal: always. */
struct sync_window {
	int64_t from_minute;
	int64_t to_minute;
	int64_t offset_minutes; /* of its clock from UTC */
	const struct zone *zone; /* its clock; NULL: offset_minutes tells */
};

struct sync_job {
	struct str id; /* "job_…" */
	struct str environment_id;
	struct str account_id;
	struct str resource;
	enum sync_state state;
	/* What is wanted. */
	int64_t interval_ms;
	int64_t full_interval_ms;
	enum sync_mode mode;
	bool is_expanded; /* records of a partial list are fetched whole */
	int64_t details_ms; /* and again after so long, whatever lists tell */
	bool tells_first; /* events of the first load, too */
	struct sync_window window;
	int64_t share_percent; /* of the account's rate limit, while others call, too */
	int64_t drop_percent; /* fewer records by so many percent: told; 0: never */
	int64_t field_percent; /* fields lost from so many percent of the records: told; 0: never */
	/* How it stands. */
	int64_t next_ms;    /* when the next run is due */
	int64_t full_ms;    /* from when on it is a full one */
	int64_t mark_ms;    /* the latest change that the ATS has told, by its clock; 0: none */
	int64_t since_ms;   /* what an incremental run asks from, by that clock; 0: it cannot */
	unsigned wishes;    /* of the next run: sync_wish bits */
	int64_t failures;   /* in a row */
	int64_t run_number; /* of the last run; 0: none yet */
	int64_t fence;	    /* counts who has had the job: who has an older one writes no more */
	int64_t created_ms;
	int64_t updated_ms;
};

void sync_job_init(struct sync_job *job);
/* Reads what a body says over what *job has: members that are not there stay. ERROR_INVALID names
 * the member. Members: interval_s, full_interval_s, mode, expand, details_interval_s, window,
 * rate_share,
 * initial_events, drift. */
bool sync_job_read(struct json body, struct sync_job *job, struct error *err) MUST_CHECK;
/* The same of what was stored: a time zone that the machine knows no more is UTC. */
bool sync_job_recall(struct json body, struct sync_job *job, struct error *err) MUST_CHECK;

/* A job for each of the resources, all or none; *jobs (as many) is filled in. ERROR_NOT_SUPPORTED
 * (field "resource") where the connector cannot list it, ERROR_CONFLICT where there is one already. */
bool sync_job_create(struct syncs *syncs, struct arena *arena, const struct account *account,
		     const struct sync_job *wanted, const struct str *resources, size_t count,
		     struct sync_job *jobs, struct error *err) MUST_CHECK;
struct sync_query {
	struct str environment_id;
	struct str account_id; /* empty: of all */
	struct str resource;
	struct str before; /* an id; empty: from the newest */
	size_t limit;
};
/* Newest first. */
bool sync_job_list(struct syncs *syncs, struct arena *arena, const struct sync_query *query,
		   struct sync_job **list, size_t *count, struct error *err) MUST_CHECK;
/* ERROR_NOT_FOUND. */
bool sync_job_show(struct syncs *syncs, struct arena *arena, struct str environment_id,
		   struct str id, struct sync_job *job, struct error *err) MUST_CHECK;
/* What is wanted of `job`, in place of what was. ERROR_NOT_FOUND, here and below: it is gone. */
bool sync_job_change(struct syncs *syncs, struct arena *arena, struct sync_job *job,
		     struct error *err) MUST_CHECK;
/* `with_records`: the copy goes with it. */
bool sync_job_remove(struct syncs *syncs, struct arena *arena, const struct sync_job *job,
		     bool with_records, struct error *err) MUST_CHECK;
/* `wishes` for the next run, which comes at once unless one is under way. */
bool sync_job_wish(struct syncs *syncs, const struct sync_job *job, unsigned wishes,
		   struct error *err) MUST_CHECK;
/* A run that is under way ends at its next page; with SYNC_STOPPED it is given up. */
bool sync_job_set_state(struct syncs *syncs, const struct sync_job *job, enum sync_state state,
			struct error *err) MUST_CHECK;

/* How the jobs of an environment, or (empty) of all, stand. */
struct sync_tally {
	int64_t jobs[3]; /* by enum sync_state */
	int64_t running;
	int64_t due;	 /* and wait for their turn */
	int64_t failing; /* whose last run failed, of those that are active */
	int64_t due_ms;	 /* since when the first of those that are due is; 0: none is */
	int64_t hints;	 /* records that are to be fetched, since something told of a change */
};
bool sync_tally(struct syncs *syncs, struct str environment_id, struct sync_tally *tally,
		struct error *err) MUST_CHECK;
/* Active jobs whose last run failed, those that failed most often first. */
bool sync_failing(struct syncs *syncs, struct arena *arena, struct str environment_id, size_t limit,
		  struct sync_job **list, size_t *count, struct error *err) MUST_CHECK;

/* How runs of this process ended. */
struct sync_counts {
	_Atomic uint64_t completed, failed, stopped;
	_Atomic uint64_t pages_read;  /* of lists, and taken in */
	_Atomic uint64_t pages_known; /* as they were: there was nothing to be done */
};
const struct sync_counts *sync_counts(const struct syncs *syncs);

/* --- runs ------------------------------------------------------------------------------------ */

struct sync_run {
	struct str id; /* "run_…" */
	struct str environment_id;
	struct str job_id;
	int64_t number;
	bool is_full;
	bool is_asked;
	bool allows_deletions;
	struct str status; /* running, rate_limited, completed, failed, stopped */
	int64_t started_ms;
	int64_t ended_ms;
	int64_t expected;
	int64_t records;
	struct copy_counts counts;
	int64_t calls;
	int64_t retries;
	int64_t wait_ms;
	struct str error; /* JSON; empty: none */
	/* The room's own: where it is, and what it has seen. */
	int64_t fence;
	struct str place;
	struct str shares;
};
/* Newest first, those before number `before` (0: from the newest). */
bool sync_run_list(struct syncs *syncs, struct arena *arena, const struct sync_job *job,
		   int64_t before, size_t limit, struct sync_run **list, size_t *count,
		   struct error *err) MUST_CHECK;
/* ERROR_NOT_FOUND. */
bool sync_run_show(struct syncs *syncs, struct arena *arena, struct str environment_id,
		   struct str id, struct sync_run *run, struct error *err) MUST_CHECK;

/* As the API and events show them. */
struct json sync_run_json(struct syncs *syncs, struct arena *arena, const struct sync_run *run);
/* With its latest run, and the state of the copy. */
bool sync_job_json(struct syncs *syncs, struct arena *arena, const struct sync_job *job,
		   struct json *out, struct error *err) MUST_CHECK;

/* --- hints ----------------------------------------------------------------------------------- */

/* Something has changed at the ATS, or may have: these records are fetched again soon, through the
 * jobs of the account. Durable once it returns: after a crash it is fetched all the same.
 * Resources without a job are left out; *taken tells how many were not. */
struct sync_hint {
	struct str resource;
	struct str id;		 /* a get; a record that is gone becomes a tombstone */
	struct str filter_name;	 /* or a list with this one filter: all that it gives */
	struct str filter_value; /* and what of the copy matches and is not in it is gone */
};
bool sync_take_hints(struct syncs *syncs, struct arena *arena, struct str environment_id,
		     struct str account_id, const struct sync_hint *hints, size_t count,
		     const struct store_statement *more, size_t more_count, size_t *taken,
		     struct error *err) MUST_CHECK;

#endif
