#include "ats/operation/limiter.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>

#include "ats/operation/window.h"
#include "base/map.h"

enum {
	SHARDS = 16,
	WAITERS_MAX = 10000,
	PER_SECONDS_MAX = 7 * 86400, /* times WAITERS_MAX it fits nanoseconds in 64 bits */
	SWEEP = 4,             /* idle limiters looked at by each hold */
	RETRY_AFTER_MIN_MS = 1000, /* said when what is waited for has no known end */
	/* What the back leaves of its share, and when it takes more than that; percent. */
	BUCKET_LEFT = 20,
	BUCKET_SPARE = 80,
	WINDOW_LEFT = 2,
	WINDOW_SPARE = 3,
	CALLS_BEFORE = 2, /* of an account's window that are taken for made when it is first met */
	PACE_AHEAD = 20,       /* so far the back may be ahead of its pace, in parts of a window */
};
static const int64_t IDLE_NS = 60LL * 1000000000;
static const int64_t SECOND_NS = 1000000000;
/* Who called so long ago is expected to call again. */
static const int64_t OTHERS_NS = 10LL * 1000000000;

struct shard {
	pthread_mutex_t lock; /* over all that is in the shard, its limiters too */
	struct map limiters;  /* account -> struct limiter */
	struct limiter *idle_first; /* held by nobody, longest idle first */
	struct limiter *idle_last;
};

struct limiters {
	const struct clock *clock;
	struct shard shards[SHARDS];
};

struct waiter {
	struct loop_wait wait;
	struct waiter *next;
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
	struct shard *shard;
	struct str account;
	size_t holders;
	/* The bucket, kept as the time at which it will be full (the generic cell rate algorithm):
	 * each call moves that by one interval, and may not move it past now + burst. */
	int64_t full_ns;
	int64_t interval_ns; /* 0: no limit */
	int64_t burst_ns;
	int64_t requests;
	struct window window; /* instead of the bucket, where it has a length */
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

static void free_limiter(struct limiter *limiter)
{
	window_finish(&limiter->window);
	free(limiter);
}

struct limiters *limiters_create(const struct clock *clock, const struct random *random)
{
	struct limiters *limiters = calloc(1, sizeof *limiters);

	if (limiters == NULL)
		die("out of memory for the rate limits");
	limiters->clock = clock;
	for (size_t i = 0; i < SHARDS; i++) {
		pthread_mutex_init(&limiters->shards[i].lock, NULL);
		map_init(&limiters->shards[i].limiters, random);
	}
	return limiters;
}

void limiters_destroy(struct limiters *limiters)
{
	if (limiters == NULL)
		return;
	for (size_t i = 0; i < SHARDS; i++) {
		struct shard *shard = &limiters->shards[i];
		struct str account;
		size_t at = 0;
		void *limiter;

		while (map_next(&shard->limiters, &at, &account, &limiter)) {
			assert(((struct limiter *)limiter)->holders == 0);
			free_limiter(limiter);
		}
		map_finish(&shard->limiters);
		pthread_mutex_destroy(&shard->lock);
	}
	free(limiters);
}

size_t limiters_count(struct limiters *limiters)
{
	size_t count = 0;

	for (size_t i = 0; i < SHARDS; i++) {
		pthread_mutex_lock(&limiters->shards[i].lock);
		count += limiters->shards[i].limiters.count;
		pthread_mutex_unlock(&limiters->shards[i].lock);
	}
	return count;
}

/* --- holding and forgetting ------------------------------------------------------------------ */

static void add_idle(struct shard *shard, struct limiter *limiter)
{
	limiter->idle_next = NULL;
	limiter->idle_previous = shard->idle_last;
	if (shard->idle_last == NULL)
		shard->idle_first = limiter;
	else
		shard->idle_last->idle_next = limiter;
	shard->idle_last = limiter;
}

static void take_idle(struct shard *shard, struct limiter *limiter)
{
	if (limiter->idle_previous == NULL)
		shard->idle_first = limiter->idle_next;
	else
		limiter->idle_previous->idle_next = limiter->idle_next;
	if (limiter->idle_next == NULL)
		shard->idle_last = limiter->idle_previous;
	else
		limiter->idle_next->idle_previous = limiter->idle_previous;
}

/* A limiter that has nothing to remember: one made anew would be the same. Only the retry budget
 * differs, which an idle minute heals. */
static bool is_forgettable(struct limiter *limiter, int64_t now_ns)
{
	window_expire(&limiter->window, now_ns);
	return limiter->window.calls == 0 && limiter->full_ns <= now_ns &&
	       limiter->paused_until_ns <= now_ns &&
	       now_ns - limiter->idle_since_ns >= IDLE_NS;
}

/* A few at each hold, those which stay go to the end: the list is walked over time, and no call
 * pays for all of it. */
static void sweep(struct shard *shard, int64_t now_ns)
{
	for (int i = 0; i < SWEEP && shard->idle_first != NULL; i++) {
		struct limiter *limiter = shard->idle_first;

		take_idle(shard, limiter);
		if (is_forgettable(limiter, now_ns)) {
			map_remove(&shard->limiters, limiter->account);
			free_limiter(limiter);
		} else {
			add_idle(shard, limiter);
		}
	}
}

static struct limiter *add_limiter(struct limiters *limiters, struct shard *shard,
				   struct str account)
{
	struct limiter *limiter = calloc(1, sizeof *limiter + account.len);

	if (limiter == NULL)
		die("out of memory for a rate limit");
	if (account.len > 0)
		memcpy(limiter + 1, account.data, account.len);
	limiter->account = str_make((const char *)(limiter + 1), account.len);
	limiter->clock = limiters->clock;
	limiter->shard = shard;
	limiter->budget = RETRY_BUDGET;
	limiter->back.is_background = true;
	limiter->front_ns = INT64_MIN / 2;
	map_put(&shard->limiters, limiter->account, limiter);
	return limiter;
}

static void set_rules(struct limiter *limiter, const struct limiter_rules *rules)
{
	int64_t seconds = rules->per_seconds > 0 ? rules->per_seconds : 1;

	if (seconds > PER_SECONDS_MAX)
		seconds = PER_SECONDS_MAX;

	limiter->concurrent_max = rules->concurrent;
	limiter->burst_ns = seconds * SECOND_NS;
	limiter->interval_ns = 0;
	if (rules->requests > 0)
		limiter->interval_ns =
			(limiter->burst_ns + rules->requests - 1) / rules->requests;
	if (limiter->interval_ns > limiter->burst_ns)
		limiter->burst_ns = limiter->interval_ns;
	limiter->requests = rules->requests;
	window_set(&limiter->window, rules->is_window ? rules->requests : 0,
		   seconds * SECOND_NS);
}

/* An account that is new was tried before it had an id. */
static void count_earlier(struct limiter *limiter)
{
	int64_t calls = limiter->window.requests / 10;

	for (int64_t i = 0; i < calls && i < CALLS_BEFORE; i++)
		window_note(&limiter->window, clock_monotonic_ns(limiter->clock));
}

static struct shard *find_shard(struct limiters *limiters, struct str account)
{
	uint32_t hash = json_key_hash(account.data == NULL ? "" : account.data, account.len);

	return &limiters->shards[(hash >> 16) % SHARDS];
}

struct limiter *limiter_hold(struct limiters *limiters, struct str account,
			     const struct limiter_rules *rules)
{
	struct shard *shard = find_shard(limiters, account);

	pthread_mutex_lock(&shard->lock);
	struct limiter *limiter = map_get(&shard->limiters, account);
	bool is_new = limiter == NULL;
	if (is_new)
		limiter = add_limiter(limiters, shard, account);
	else if (limiter->holders == 0)
		take_idle(shard, limiter);
	limiter->holders++;
	set_rules(limiter, rules);
	if (is_new)
		count_earlier(limiter);
	sweep(shard, clock_monotonic_ns(limiters->clock));
	pthread_mutex_unlock(&shard->lock);
	return limiter;
}

void limiter_drop(struct limiter *limiter)
{
	if (limiter == NULL)
		return;
	struct shard *shard = limiter->shard;

	pthread_mutex_lock(&shard->lock);
	assert(limiter->holders > 0);
	if (--limiter->holders == 0) {
		assert(limiter->front.first == NULL && limiter->front.under_way == 0);
		assert(limiter->back.first == NULL && limiter->back.under_way == 0);
		limiter->idle_since_ns = clock_monotonic_ns(limiter->clock);
		add_idle(shard, limiter);
	}
	pthread_mutex_unlock(&shard->lock);
}

/* --- waiting --------------------------------------------------------------------------------- */

static bool has_window(const struct limiter *limiter)
{
	return limiter->window.requests > 0;
}

/* When there is a token and `left` others besides, for the one who has `before` others in front of
 * him. */
static int64_t token_ns(const struct limiter *limiter, size_t before, int64_t left, int64_t now_ns)
{
	int64_t ready_ns = now_ns;

	if (has_window(limiter)) {
		ready_ns = window_ready_ns(&limiter->window,
					   limiter->front.under_way + limiter->back.under_way,
					   (int64_t)before + left, now_ns);
	} else if (limiter->interval_ns > 0) {
		int64_t full_ns = limiter->full_ns > now_ns ? limiter->full_ns : now_ns;

		full_ns += ((int64_t)before + 1 + left) * limiter->interval_ns;
		ready_ns = full_ns - limiter->burst_ns;
	}
	return ready_ns > limiter->paused_until_ns ? ready_ns : limiter->paused_until_ns;
}

/* A part of all tokens; at least one, where there is another. */
static int64_t part_of(const struct limiter *limiter, int64_t numerator, int64_t denominator)
{
	int64_t most = limiter->requests > 0 ? limiter->requests - 1 : 0;
	int64_t part = limiter->requests * numerator / denominator;

	if (part < 1)
		part = 1;
	return part < most ? part : most;
}

static bool has_others(const struct limiter *limiter, int64_t now_ns)
{
	return limiter->front.under_way > 0 || now_ns - limiter->front_ns < OTHERS_NS;
}

/* When the back, which may be a little ahead of an even flow, is there. */
static int64_t even_ns(const struct limiter *limiter, size_t before, int64_t now_ns)
{
	int64_t pace_ns = limiter->pace_ns > now_ns ? limiter->pace_ns : now_ns;
	int64_t ahead_ns = limiter->burst_ns / PACE_AHEAD;

	if (ahead_ns < limiter->interval_ns)
		ahead_ns = limiter->interval_ns;
	return pace_ns + ((int64_t)before + 1) * limiter->interval_ns - ahead_ns;
}

/* When the back has a token, and so many percent of all besides. */
static int64_t back_ns(const struct limiter *limiter, size_t before, int64_t left_percent,
		       int64_t now_ns)
{
	int64_t due_ns = token_ns(limiter, before, part_of(limiter, left_percent, 100), now_ns);

	if (!has_window(limiter))
		return due_ns;
	int64_t pace_ns = even_ns(limiter, before, now_ns);
	return due_ns > pace_ns ? due_ns : pace_ns;
}

/* In the back a fifth of the bucket is left alone. While there are others, so is what goes past the
 * share, unless they let nearly all of the bucket lie. */
static int64_t ready_ns(const struct limiter *limiter, const struct turn *turn, size_t before,
			int64_t now_ns)
{
	bool is_window = has_window(limiter);

	if (!turn->lane->is_background)
		return token_ns(limiter, before, 0, now_ns);
	int64_t due_ns = back_ns(limiter, before, is_window ? WINDOW_LEFT : BUCKET_LEFT, now_ns);

	if (limiter->interval_ns == 0 || turn->share_percent >= 100 ||
	    !has_others(limiter, now_ns) || limiter->share_ns <= due_ns)
		return due_ns;
	int64_t spare_ns =
		back_ns(limiter, before, is_window ? WINDOW_SPARE : BUCKET_SPARE, now_ns);
	return spare_ns < limiter->share_ns ? spare_ns : limiter->share_ns;
}

/* One place is kept for the front. */
static bool has_place(const struct limiter *limiter, const struct lane *lane)
{
	int64_t under_way = limiter->front.under_way + limiter->back.under_way;
	int64_t most = limiter->concurrent_max;

	if (most <= 0)
		return true;
	return under_way < (lane->is_background && most > 1 ? most - 1 : most);
}

static bool is_next(const struct limiter *limiter, const struct lane *lane)
{
	return !lane->is_background || limiter->front.first == NULL;
}

static void spend_share(struct limiter *limiter, int64_t share_percent, int64_t now_ns)
{
	int64_t percent = share_percent > 0 ? share_percent : 1;

	if (limiter->share_ns < now_ns)
		limiter->share_ns = now_ns;
	limiter->share_ns += limiter->interval_ns * 100 / percent;
	if (limiter->pace_ns < now_ns)
		limiter->pace_ns = now_ns;
	limiter->pace_ns += limiter->interval_ns;
}

static bool take(struct limiter *limiter, const struct turn *turn, int64_t now_ns)
{
	struct lane *lane = turn->lane;

	window_expire(&limiter->window, now_ns);
	if (!is_next(limiter, lane) || !has_place(limiter, lane) ||
	    ready_ns(limiter, turn, 0, now_ns) > now_ns)
		return false;
	if (limiter->interval_ns > 0 && !has_window(limiter)) {
		if (limiter->full_ns < now_ns)
			limiter->full_ns = now_ns;
		limiter->full_ns += limiter->interval_ns;
	}
	if (lane->is_background)
		spend_share(limiter, turn->share_percent, now_ns);
	else
		limiter->front_ns = now_ns;
	lane->under_way++;
	return true;
}

static void tell(struct waiter *waiter)
{
	if (waiter != NULL && !waiter->is_told) {
		waiter->is_told = true;
		loop_wake(&waiter->wait);
	}
}

/* Whose turn it is. */
static void tell_next(struct limiter *limiter)
{
	tell(limiter->front.first != NULL ? limiter->front.first : limiter->back.first);
}

static void join_queue(struct lane *lane, struct waiter *waiter)
{
	waiter->next = NULL;
	if (lane->last == NULL)
		lane->first = waiter;
	else
		lane->last->next = waiter;
	lane->last = waiter;
	lane->waiters++;
}

/* Whoever is then first must look for himself: only the first one watches the clock. */
static void leave_queue(struct limiter *limiter, struct lane *lane, struct waiter *waiter)
{
	struct waiter **at = &lane->first;
	struct waiter *before = NULL;

	while (*at != waiter) {
		before = *at;
		at = &(*at)->next;
	}
	*at = waiter->next;
	if (lane->last == waiter)
		lane->last = before;
	lane->waiters--;
	if (before == NULL)
		tell_next(limiter);
}

static bool refuse(int64_t due_ns, int64_t now_ns, struct error *err)
{
	int64_t wait_ms = (due_ns - now_ns + 999999) / 1000000;

	error_set(err, ERROR_RATE_LIMITED,
		  "the account's rate limit leaves no call within the time that this one has");
	err->retry_after_ms = wait_ms > 0 ? wait_ms : RETRY_AFTER_MIN_MS;
	return false;
}

/* When the first of a queue looks again if nobody tells him. */
static int64_t look_ns(const struct limiter *limiter, const struct turn *turn, int64_t now_ns)
{
	int64_t due_ns = turn->deadline_ns;

	if (is_next(limiter, turn->lane) && has_place(limiter, turn->lane))
		due_ns = ready_ns(limiter, turn, 0, now_ns);
	return due_ns < turn->deadline_ns ? due_ns : turn->deadline_ns;
}

/* Under the lock, which is let go while waiting. The clock is watched by the first alone: those
 * behind him are told when he is gone. */
static bool wait_turn(struct limiter *limiter, const struct turn *turn, struct error *err)
{
	struct lane *lane = turn->lane;
	struct waiter waiter = {0};
	int64_t now_ns = clock_monotonic_ns(limiter->clock);
	bool is_taken = false;

	join_queue(lane, &waiter);
	for (;;) {
		int64_t until_ns = turn->deadline_ns;

		if (lane->first == &waiter) {
			is_taken = take(limiter, turn, now_ns);
			if (is_taken)
				break;
			until_ns = look_ns(limiter, turn, now_ns);
		}
		if (now_ns >= turn->deadline_ns || limiter->paused_until_ns > turn->deadline_ns ||
		    loop_is_interrupted())
			break;
		waiter.is_told = false;
		loop_wait_init(&waiter.wait);
		pthread_mutex_unlock(&limiter->shard->lock);
		(void)loop_wait(&waiter.wait, until_ns);
		pthread_mutex_lock(&limiter->shard->lock);
		now_ns = clock_monotonic_ns(limiter->clock);
	}
	leave_queue(limiter, lane, &waiter);
	return is_taken || refuse(ready_ns(limiter, turn, lane->waiters, now_ns), now_ns, err);
}

static bool acquire(struct limiter *limiter, const struct turn *turn, int64_t *waited_ns,
		    struct error *err)
{
	struct lane *lane = turn->lane;
	int64_t start_ns = clock_monotonic_ns(limiter->clock);
	bool ok;

	pthread_mutex_lock(&limiter->shard->lock);
	if (!lane->is_background)
		limiter->front_ns = start_ns;
	int64_t due_ns = ready_ns(limiter, turn, lane->waiters, start_ns);
	if (lane->first == NULL && take(limiter, turn, start_ns)) {
		ok = true;
	} else if (due_ns >= turn->deadline_ns || start_ns >= turn->deadline_ns ||
		   lane->waiters >= WAITERS_MAX) {
		ok = refuse(due_ns, start_ns, err);
	} else {
		ok = wait_turn(limiter, turn, err);
		*waited_ns += clock_monotonic_ns(limiter->clock) - start_ns;
	}
	pthread_mutex_unlock(&limiter->shard->lock);
	return ok;
}

bool limiter_acquire(struct limiter *limiter, int64_t deadline_ns, int64_t *waited_ns,
		     struct error *err)
{
	const struct turn turn = {&limiter->front, 100, deadline_ns};

	return acquire(limiter, &turn, waited_ns, err);
}

bool limiter_acquire_background(struct limiter *limiter, int64_t share_percent, int64_t deadline_ns,
				int64_t *waited_ns, struct error *err)
{
	const struct turn turn = {&limiter->back, share_percent, deadline_ns};

	return acquire(limiter, &turn, waited_ns, err);
}

static void release(struct limiter *limiter, struct lane *lane)
{
	pthread_mutex_lock(&limiter->shard->lock);
	int64_t now_ns = clock_monotonic_ns(limiter->clock);
	assert(lane->under_way > 0);
	lane->under_way--;
	window_expire(&limiter->window, now_ns);
	window_note(&limiter->window, now_ns);
	tell_next(limiter);
	pthread_mutex_unlock(&limiter->shard->lock);
}

void limiter_release(struct limiter *limiter)
{
	release(limiter, &limiter->front);
}

void limiter_release_background(struct limiter *limiter)
{
	release(limiter, &limiter->back);
}

void limiter_pause(struct limiter *limiter, int64_t until_ns)
{
	pthread_mutex_lock(&limiter->shard->lock);
	if (until_ns > limiter->paused_until_ns)
		limiter->paused_until_ns = until_ns;
	/* Those who cannot wait that long are better told now. */
	for (struct waiter *waiter = limiter->front.first; waiter != NULL; waiter = waiter->next)
		tell(waiter);
	for (struct waiter *waiter = limiter->back.first; waiter != NULL; waiter = waiter->next)
		tell(waiter);
	pthread_mutex_unlock(&limiter->shard->lock);
}

/* --- the retry budget ------------------------------------------------------------------------ */

bool limiter_pay_retry(struct limiter *limiter, int64_t cost)
{
	pthread_mutex_lock(&limiter->shard->lock);
	bool has_enough = limiter->budget >= cost;
	if (has_enough)
		limiter->budget -= cost;
	pthread_mutex_unlock(&limiter->shard->lock);
	return has_enough;
}

void limiter_refund(struct limiter *limiter, int64_t amount)
{
	pthread_mutex_lock(&limiter->shard->lock);
	limiter->budget += amount;
	if (limiter->budget > RETRY_BUDGET)
		limiter->budget = RETRY_BUDGET;
	pthread_mutex_unlock(&limiter->shard->lock);
}
