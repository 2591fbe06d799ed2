/* How long an environment keeps things, in days: events, deliveries of webhooks, tombstones of
 * records, the log of calls. What is not said is kept as long as the room that owns it keeps it.
 * What is older goes in small batches, once an hour and at the start. The newest event always
 * stays, so that numbers go on, and so does one that an active webhook still has to be told; a
 * tombstone stays as long as there is an event of its record, for the next one must count on. What
 * was gone before the copy had it is forgotten after a day, whatever is said.
 *
 * On PostgreSQL blocks of events and deliveries in which all is older go first, each as a whole,
 * and the next blocks of these and of records are made (db/postgresql/functions.sql).
 *
 * Has SQL about tables of other rooms: those which it deletes from. */
#ifndef ATS_RETENTION_RETENTION_H
#define ATS_RETENTION_RETENTION_H

#include "ats/node/node.h"
#include "lang/json/json.h"

enum { RETENTION_DAYS_MAX = 36500 };

/* As the API has it: {"events_days", "deliveries_days", "tombstones_days", "log_days"}, null where
 * nothing is said. */
bool retention_show(struct store *store, struct arena *arena, struct str environment_id,
		    struct json *out, struct error *err) MUST_CHECK;
/* Whether retention_change() would take them; `changes` may be undefined. ERROR_INVALID names the
 * member. */
bool retention_check(struct json changes, struct error *err) MUST_CHECK;
/* Members that are named take the place of what was there; null: nothing is said. Errors as of
 * retention_check(). */
bool retention_change(struct store *store, struct arena *arena, struct str environment_id,
		      struct json changes, struct error *err) MUST_CHECK;

/* Deletes what is old: of all environments, to the end. In a fiber. */
bool retention_apply(struct store *store, const struct clock *clock, struct error *err) MUST_CHECK;

/* Does so by itself, in a fiber of the loop. */
struct retention_sweep {
	struct store *store;
	struct node *node;
	const struct clock *clock;
	struct loop_wait *wait;
	bool is_stopping;
	bool is_running;
};
void retention_sweep_start(struct retention_sweep *sweep, struct loop *loop);
/* On the loop's thread. */
void retention_sweep_stop(struct retention_sweep *sweep);

#endif
