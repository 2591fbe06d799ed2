/* The limiters of all accounts: made when they are first held, and forgotten when there is nothing
 * to remember. */
#include <assert.h>
#include <stdlib.h>

#include "ats/operation/limiter_parts.h"

enum {
	PER_SECONDS_MAX = 7 * 86400, /* times the most waiters it fits nanoseconds in 64 bits */
	SWEEP = 4,	  /* idle limiters looked at by each hold */
	CALLS_BEFORE = 2, /* of an account's window that are taken for made when it is first met */
};
static const int64_t IDLE_NS = 60LL * 1000000000;
static const int64_t SECOND_NS = 1000000000;

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
	for (size_t i = 0; i < LIMITER_SHARDS; i++) {
		pthread_mutex_init(&limiters->shards[i].lock, NULL);
		map_init(&limiters->shards[i].limiters, random);
	}
	return limiters;
}

void limiters_destroy(struct limiters *limiters)
{
	if (limiters == NULL)
		return;
	for (size_t i = 0; i < LIMITER_SHARDS; i++) {
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

void limiters_share_by(struct limiters *limiters, const struct shared_source *source)
{
	limiters->source = *source;
}

void limiters_share(struct limiters *limiters, struct store *store, struct node *node)
{
	limiters->database = (struct shared_database){store, node};
	limiters->source = shared_source(&limiters->database);
}

void limiters_stop(struct limiters *limiters)
{
	limiters->is_ending = true;
}

size_t limiters_telling(const struct limiters *limiters)
{
	return limiters->telling;
}

size_t limiters_count(struct limiters *limiters)
{
	size_t count = 0;

	for (size_t i = 0; i < LIMITER_SHARDS; i++) {
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
	       limiter_due_ns(limiter, now_ns) == SHARED_NEVER &&
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

static struct str keep(char *to, struct str text)
{
	if (text.len > 0)
		memcpy(to, text.data, text.len);
	return str_make(to, text.len);
}

static struct limiter *add_limiter(struct limiters *limiters, struct shard *shard,
				   struct str account, struct str environment)
{
	struct limiter *limiter = calloc(1, sizeof *limiter + account.len + environment.len);

	if (limiter == NULL)
		die("out of memory for a rate limit");
	char *texts = (char *)(limiter + 1);
	limiter->account = keep(texts, account);
	limiter->environment = keep(texts + account.len, environment);
	limiter->clock = limiters->clock;
	limiter->of = limiters;
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
	limiter->is_shared = limiter->of->source.ask != NULL && limiter->environment.len > 0 &&
			     (rules->requests > 0 || rules->concurrent > 0);
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

	return &limiters->shards[(hash >> 16) % LIMITER_SHARDS];
}

struct limiter *limiter_hold(struct limiters *limiters, struct str account,
			     const struct limiter_rules *rules)
{
	struct shard *shard = find_shard(limiters, account);

	pthread_mutex_lock(&shard->lock);
	struct limiter *limiter = map_get(&shard->limiters, account);
	bool is_new = limiter == NULL;
	if (is_new)
		limiter = add_limiter(limiters, shard, account, rules->environment_id);
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
