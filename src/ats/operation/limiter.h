/* How fast one account's ATS may be called, by all workers together: a token bucket or a window, a
 * cap on calls under way, a pause that the ATS ordered, and the budget that retries are paid from.
 * Private to this room. Waiters are served in the order in which they came.
 *
 * A bucket lets `requests` through at once and refills within `per_seconds`: up to twice as many
 * can fall into one stretch of that length. With `is_window` no stretch of that length has more
 * than `requests`, wherever it is laid, and whenever between sending and answer the ATS counts a
 * call.
 *
 * With limiters_share() all this is so of all nodes together: what is allowed here is then asked of
 * the database, too, for as many calls as wait (shared.h). Without it nothing is sent: the call
 * ends with the database's ERROR_UNAVAILABLE. */
#ifndef ATS_OPERATION_LIMITER_H
#define ATS_OPERATION_LIMITER_H

#include "ats/operation/operation.h"

struct limiter;

/* Of a connector, overlaid by the account; 0 in `requests` or `concurrent`: no such limit. */
struct limiter_rules {
	int64_t requests;
	int64_t per_seconds;
	int64_t concurrent;
	bool is_window;
	struct str environment_id; /* whose account it is; empty: the limit is not shared */
};

enum {
	/* The retry budget, as the AWS SDKs have it. */
	RETRY_BUDGET = 500,
	RETRY_COST = 5,
	RETRY_COST_TIMEOUT = 10,
};

/* The limiter of an account, made when there is none. Whoever holds it must drop it; one that
 * nobody holds is forgotten when its bucket is full again and it was idle for a while. */
struct limiter *limiter_hold(struct limiters *limiters, struct str account,
			     const struct limiter_rules *rules);
void limiter_drop(struct limiter *limiter);

/* Waits for a token and a place; limiter_release() gives the place back. The time waited is
 * added to *waited_ns. ERROR_RATE_LIMITED with retry_after_ms when that cannot be before
 * deadline_ns (said at once where it can be foreseen). In a fiber. */
bool limiter_acquire(struct limiter *limiter, int64_t deadline_ns, int64_t *waited_ns,
		     struct error *err) MUST_CHECK;
/* The same for a call that nobody waits for. Those of limiter_acquire() go first, and find a fifth
 * of the bucket and a place left for them; while there are any, no more than `share_percent` of the
 * rate is taken, but for what they let lie. What a window leaves it never gives back, so that there
 * only a fiftieth is left, at least one call; these calls come evenly spread, and with them their
 * room again. limiter_release_background() gives the place back. */
bool limiter_acquire_background(struct limiter *limiter, int64_t share_percent,
				int64_t deadline_ns, int64_t *waited_ns,
				struct error *err) MUST_CHECK;
void limiter_release(struct limiter *limiter);
void limiter_release_background(struct limiter *limiter);
/* No call of this account before `until_ns` (monotonic). A later pause wins. */
void limiter_pause(struct limiter *limiter, int64_t until_ns);

/* Pays for a retry; false when the budget does not have it. */
bool limiter_pay_retry(struct limiter *limiter, int64_t cost) MUST_CHECK;
/* After a success: what its last retry cost, or 1. */
void limiter_refund(struct limiter *limiter, int64_t amount);

/* As limiters_share(), but by any source: for tests. */
struct shared_source;
void limiters_share_by(struct limiters *limiters, const struct shared_source *source);
/* How many limiters are in memory: for tests. */
size_t limiters_count(struct limiters *limiters);

#endif
