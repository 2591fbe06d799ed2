/* What the files of the limiter share (limiters.c: which there are; limiter.c: whose turn it is).
 * Private to them. */
#ifndef ATS_OPERATION_LIMITER_PARTS_H
#define ATS_OPERATION_LIMITER_PARTS_H

#include <pthread.h>

#include "ats/operation/limiter.h"
#include "ats/operation/shared.h"
#include "ats/operation/window.h"
#include "base/map.h"

enum { LIMITER_SHARDS = 16 };

struct shard {
	pthread_mutex_t lock; /* over all that is in the shard, its limiters too */
	struct map limiters;  /* account -> struct limiter */
	struct limiter *idle_first; /* held by nobody, longest idle first */
	struct limiter *idle_last;
};

struct limiters {
	const struct clock *clock;
	struct shard shards[LIMITER_SHARDS];
	struct shared_source source; /* no functions: limits are this process's own */
	struct shared_database database;
	_Atomic bool is_ending;
	_Atomic size_t telling; /* fibers */
};

struct turn;

struct waiter {
	struct loop_wait wait;
	struct waiter *next;
	const struct turn *turn;
	bool is_told; /* woken since it last looked */
};

/* A queue, and the calls that went through it. */
struct lane {
	bool is_background;
	int64_t under_way;
	struct waiter *first;
	struct waiter *last;
	size_t waiters;
};

/* What one who comes wants. */
struct turn {
	struct lane *lane;
	int64_t share_percent;
	int64_t deadline_ns;
};

struct limiter {
	const struct clock *clock;
	struct limiters *of;
	struct shard *shard;
	struct str account;
	struct str environment;
	size_t holders;
	/* The bucket, kept as the time at which it will be full (the generic cell rate algorithm):
	 * each call moves that by one interval, and may not move it past now + burst. */
	int64_t full_ns;
	int64_t interval_ns; /* 0: no limit */
	int64_t burst_ns;
	int64_t requests;
	struct window window; /* instead of the bucket, where it has a length */
	bool is_shared; /* what this process counts is not all: each call needs a token besides */
	struct shared shared;
	int64_t paused_until_ns;
	int64_t concurrent_max; /* 0: no limit */
	int64_t budget;
	struct lane front; /* somebody waits for them */
	struct lane back;  /* nobody does */
	int64_t front_ns;  /* when somebody last came to the front */
	int64_t share_ns;  /* when the back may take the next of its share */
	int64_t pace_ns;   /* to when the back has taken the even flow of a window */
	/* While idle. */
	int64_t idle_since_ns;
	struct limiter *idle_next;
	struct limiter *idle_previous;
};

static inline bool limiter_has_window(const struct limiter *limiter)
{
	return limiter->window.requests > 0;
}

/* Under the lock. When the database is to be told what it should know; SHARED_NEVER: it does. */
int64_t limiter_due_ns(const struct limiter *limiter, int64_t now_ns);

#endif
