/* Sync jobs: each keeps the local copy of one resource of one account fresh, at a polling interval.
 * Runs are full (a sweep over the whole list, which alone finds deletions) or incremental (what
 * has changed since, where the ATS can be asked so). A run's place is in the store with what it
 * has written: after a crash it goes on there. This room owns the tables sync_*. */
#ifndef ATS_SYNC_SYNC_H
#define ATS_SYNC_SYNC_H

#include "ats/copy/copy.h"

struct syncs;
/* Everything borrowed. Shared by all workers. */
struct syncs *syncs_create(struct store *store, struct copies *copies,
			   const struct operation_services *services);
void syncs_destroy(struct syncs *syncs);

/* One per worker: runs jobs that are due on this loop, by this worker's client. */
struct sync_runner {
	struct syncs *syncs;
	const struct operation_services *services;
	struct loop *loop;
	size_t active;	  /* runs under way, for the drain */
	bool is_stopping;
	void *state; /* the room's own */
};
void sync_runner_start(struct sync_runner *runner);
/* Runs end at their next checkpoint. */
void sync_runner_stop(struct sync_runner *runner);

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
