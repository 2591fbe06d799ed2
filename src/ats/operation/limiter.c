#include <assert.h>

#include "ats/operation/limiter_parts.h"
#include "base/log.h"

enum {
	WAITERS_MAX = 10000,
	RETRY_AFTER_MIN_MS = 1000, /* said when what is waited for has no known end */
	/* What the back leaves of its share, and when it takes more than that; percent. */
	BUCKET_LEFT = 20,
	BUCKET_SPARE = 80,
	WINDOW_LEFT = 2,
	WINDOW_SPARE = 3,
	CHUNK = 25, /* a part of the limit that is asked for at once, where it is shared */
	TELL_TRIES = 600,
	TELL_PAUSE_MS = 1000,
	PACE_AHEAD = 20, /* so far the back may be ahead of its pace, in parts of a window */
};
/* Who called so long ago is expected to call again. */
static const int64_t OTHERS_NS = 10LL * 1000000000;
static const int64_t MS_NS = 1000000;

/* --- waiting --------------------------------------------------------------------------------- */

static int64_t later(int64_t a_ns, int64_t b_ns)
{
	return a_ns > b_ns ? a_ns : b_ns;
}

/* When there is a token and `left` others besides, for the one who has `before` others in front of
 * him. */
static int64_t token_ns(const struct limiter *limiter, size_t before, int64_t left, int64_t now_ns)
{
	int64_t ready_ns = now_ns;

	if (limiter_has_window(limiter)) {
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

	if (!limiter_has_window(limiter))
		return due_ns;
	int64_t pace_ns = even_ns(limiter, before, now_ns);
	return due_ns > pace_ns ? due_ns : pace_ns;
}

/* In the back a fifth of the bucket is left alone. While there are others, so is what goes past the
 * share, unless they let nearly all of the bucket lie. */
static int64_t ready_ns(const struct limiter *limiter, const struct turn *turn, size_t before,
			int64_t now_ns)
{
	bool is_window = limiter_has_window(limiter);

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

/* As far as this process knows. */
static bool may_take(struct limiter *limiter, const struct turn *turn, int64_t now_ns)
{
	window_expire(&limiter->window, now_ns);
	return is_next(limiter, turn->lane) && has_place(limiter, turn->lane) &&
	       ready_ns(limiter, turn, 0, now_ns) <= now_ns;
}

/* What was granted ahead is the front's: the back's flow is the database's to say. */
static bool lacks_token(struct limiter *limiter, const struct lane *lane)
{
	return limiter->is_shared &&
	       ((lane->is_background && limiter->shared.ahead > 0) ||
		!shared_has_token(&limiter->shared, &limiter->of->source));
}

static bool take(struct limiter *limiter, const struct turn *turn, int64_t now_ns)
{
	struct lane *lane = turn->lane;

	if (!may_take(limiter, turn, now_ns) || lacks_token(limiter, turn->lane))
		return false;
	if (limiter->is_shared)
		shared_take(&limiter->shared, lane->is_background);
	if (limiter->interval_ns > 0 && !limiter_has_window(limiter)) {
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

static void set_pause(struct limiter *limiter, int64_t until_ns)
{
	if (until_ns > limiter->paused_until_ns)
		limiter->paused_until_ns = until_ns;
	/* Those who cannot wait that long are better told now. */
	for (struct waiter *waiter = limiter->front.first; waiter != NULL; waiter = waiter->next)
		tell(waiter);
	for (struct waiter *waiter = limiter->back.first; waiter != NULL; waiter = waiter->next)
		tell(waiter);
}

/* --- what is shared -------------------------------------------------------------------------- */

static bool counts_ended(const struct limiter *limiter)
{
	return limiter_has_window(limiter) || limiter->concurrent_max > 0;
}

static int64_t waiters(const struct limiter *limiter)
{
	return (int64_t)(limiter->front.waiters + limiter->back.waiters);
}

/* There is a pause of which the database does not know. */
static bool is_pause_news(const struct limiter *limiter, int64_t now_ns)
{
	return limiter->paused_until_ns > now_ns &&
	       limiter->paused_until_ns > limiter->shared.told_pause_ns;
}

int64_t limiter_due_ns(const struct limiter *limiter, int64_t now_ns)
{
	if (!limiter->is_shared)
		return SHARED_NEVER;
	if (is_pause_news(limiter, now_ns))
		return 0;
	return shared_due_ns(&limiter->shared, counts_ended(limiter), waiters(limiter) > 0);
}

/* A few at once, so that other nodes have theirs; of what was used since the last message twice as
 * much ahead. */
static void fill_wanted(const struct limiter *limiter, int64_t wanted, int64_t ahead,
			struct shared_message *message)
{
	int64_t most = limiter->requests > CHUNK ? limiter->requests / CHUNK : 1;

	message->wanted = wanted < most ? wanted : most;
	message->ahead = ahead < most - message->wanted ? ahead : most - message->wanted;
}

/* For those whose turn it is, and those who will be here soon. */
static void fill_wish(struct limiter *limiter, int64_t now_ns, struct shared_message *message)
{
	const struct waiter *first =
		limiter->front.first != NULL ? limiter->front.first : limiter->back.first;
	bool is_window = limiter_has_window(limiter);
	int64_t used = limiter->shared.used;

	if (limiter->shared.tokens > 0)
		return;
	/* One call makes no others likely. */
	if (first == NULL)
		return fill_wanted(limiter, 0, used > 1 ? 2 * used : 0, message);
	const struct lane *lane = first->turn->lane;
	if (limiter->shared.ask_ns[lane->is_background] > now_ns) {
		message->wanted = limiter->shared.is_awaited ? -1 : 0;
		return;
	}
	if (!may_take(limiter, first->turn, now_ns))
		return;
	fill_wanted(limiter, (int64_t)lane->waiters, lane->is_background ? 0 : 2 * used + 1,
		    message);
	message->is_background = lane->is_background;
	message->share_percent = first->turn->share_percent;
	if (lane->is_background) {
		message->left = part_of(limiter, is_window ? WINDOW_LEFT : BUCKET_LEFT, 100);
		message->spare = part_of(limiter, is_window ? WINDOW_SPARE : BUCKET_SPARE, 100);
	}
}

static void fill_limit(const struct limiter *limiter, int64_t now_ns,
		       struct shared_message *message)
{
	message->environment_id = limiter->environment;
	message->account_id = limiter->account;
	message->requests = limiter->requests;
	message->length_us = limiter->burst_ns / 1000;
	message->is_window = limiter_has_window(limiter);
	message->concurrent = limiter->concurrent_max;
	if (is_pause_news(limiter, now_ns))
		message->pause_us = (limiter->paused_until_ns - now_ns) / 1000 + 1;
}

/* Tells and asks what there is. Under the lock, which is let go meanwhile. */
static bool exchange(struct limiter *limiter, struct error *err)
{
	const struct shared_source *source = &limiter->of->source;
	struct shared *shared = &limiter->shared;
	int64_t now_ns = clock_monotonic_ns(limiter->clock);
	struct shared_message message = {0};
	struct shared_answer answer = {0};

	shared_give_ahead_back(shared);
	fill_wish(limiter, now_ns, &message);
	fill_limit(limiter, now_ns, &message);
	shared_begin(shared, source, now_ns, &message);
	pthread_mutex_unlock(&limiter->shard->lock);
	bool ok = source->ask(source->context, &message, &answer, err);
	pthread_mutex_lock(&limiter->shard->lock);
	shared_end(shared, &message, ok ? &answer : NULL, clock_monotonic_ns(limiter->clock));
	shared_give_back(shared, waiters(limiter));
	if (shared->told_pause_ns > limiter->paused_until_ns)
		set_pause(limiter, shared->told_pause_ns);
	tell_next(limiter);
	return ok;
}

/* Under the lock, which is let go meanwhile. */
static void rest(struct limiter *limiter, int64_t ms)
{
	pthread_mutex_unlock(&limiter->shard->lock);
	loop_sleep_ms(ms);
	pthread_mutex_lock(&limiter->shard->lock);
}

/* Until there is nothing left to tell, or somebody else does. */
static void tell_all(struct limiter *limiter)
{
	struct error err;
	int fails = 0;

	while (!limiter->shared.is_busy) {
		int64_t now_ns = clock_monotonic_ns(limiter->clock);
		int64_t due_ns = limiter_due_ns(limiter, now_ns);

		if (due_ns == SHARED_NEVER)
			break;
		if (due_ns > now_ns && !limiter->of->is_ending) {
			rest(limiter, (due_ns - now_ns + MS_NS - 1) / MS_NS);
		} else if (exchange(limiter, &err)) {
			fails = 0;
		} else {
			if (err.code != ERROR_UNAVAILABLE || ++fails == TELL_TRIES ||
			    limiter->of->is_ending)
				break;
			rest(limiter, TELL_PAUSE_MS);
		}
	}
}

/* A fiber: there is something that the database should know, and nobody who asks for more. */
static void tell_database(void *context)
{
	struct limiter *limiter = context;
	struct limiters *limiters = limiter->of;

	pthread_mutex_lock(&limiter->shard->lock);
	tell_all(limiter);
	limiter->shared.is_telling = false;
	pthread_mutex_unlock(&limiter->shard->lock);
	limiter_drop(limiter);
	limiters->telling--;
}

/* Whoever has a message under way sees to the rest when it is back. */
static void see_to_telling(struct limiter *limiter)
{
	struct shared *shared = &limiter->shared;

	if (shared->is_busy || shared->is_telling || loop_current() == NULL ||
	    limiter_due_ns(limiter, clock_monotonic_ns(limiter->clock)) == SHARED_NEVER)
		return;
	shared->is_telling = true;
	limiter->holders++;
	limiter->of->telling++;
	loop_spawn(loop_current(), tell_database, limiter);
}

/* --- waiting --------------------------------------------------------------------------------- */

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
	shared_give_back(&limiter->shared, waiters(limiter));
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

	if (is_next(limiter, turn->lane) && has_place(limiter, turn->lane) &&
	    !limiter->shared.is_busy)
		due_ns = later(ready_ns(limiter, turn, 0, now_ns),
			       limiter->shared.ask_ns[turn->lane->is_background]);
	return due_ns < turn->deadline_ns ? due_ns : turn->deadline_ns;
}

/* Nobody but the first of those whose turn it is asks, and he not before there is hope. */
static bool is_to_ask(struct limiter *limiter, const struct turn *turn, int64_t now_ns)
{
	return lacks_token(limiter, turn->lane) && !limiter->shared.is_busy &&
	       limiter->shared.ask_ns[turn->lane->is_background] <= now_ns &&
	       may_take(limiter, turn, now_ns);
}

static bool is_hopeless(const struct limiter *limiter, const struct turn *turn, int64_t now_ns)
{
	bool behind = turn->lane->is_background;

	return now_ns >= turn->deadline_ns || limiter->paused_until_ns > turn->deadline_ns ||
	       /* As the database has said, unless that may be old by now. */
	       (limiter->shared.due_ns[behind] > turn->deadline_ns &&
		limiter->shared.ask_ns[behind] > now_ns) ||
	       loop_is_interrupted();
}

/* Under the lock, which is let go while waiting. The clock is watched by the first alone: those
 * behind him are told when he is gone. */
static bool wait_turn(struct limiter *limiter, const struct turn *turn, bool *has_waited,
		      struct error *err)
{
	struct lane *lane = turn->lane;
	struct waiter waiter = {.turn = turn, .is_told = true}; /* until it waits */
	int64_t now_ns = clock_monotonic_ns(limiter->clock);
	bool is_taken = false, has_failed = false;

	join_queue(lane, &waiter);
	for (;;) {
		int64_t until_ns = turn->deadline_ns;

		is_taken = lane->first == &waiter && take(limiter, turn, now_ns);
		if (is_taken || has_failed || is_hopeless(limiter, turn, now_ns))
			break;
		if (lane->first == &waiter && is_to_ask(limiter, turn, now_ns)) {
			has_failed = !exchange(limiter, err);
			now_ns = clock_monotonic_ns(limiter->clock);
			continue;
		}
		if (lane->first == &waiter)
			until_ns = look_ns(limiter, turn, now_ns);
		/* What the database takes to answer is no waiting for the limit. */
		*has_waited |= !limiter->shared.is_busy;
		waiter.is_told = false;
		loop_wait_init(&waiter.wait);
		pthread_mutex_unlock(&limiter->shard->lock);
		(void)loop_wait(&waiter.wait, until_ns);
		pthread_mutex_lock(&limiter->shard->lock);
		waiter.is_told = true;
		now_ns = clock_monotonic_ns(limiter->clock);
	}
	leave_queue(limiter, lane, &waiter);
	if (is_taken || has_failed)
		return is_taken;
	return refuse(later(ready_ns(limiter, turn, lane->waiters, now_ns),
			    limiter->shared.due_ns[lane->is_background]),
		      now_ns, err);
}

static bool acquire(struct limiter *limiter, const struct turn *turn, int64_t *waited_ns,
		    struct error *err)
{
	struct lane *lane = turn->lane;
	int64_t start_ns = clock_monotonic_ns(limiter->clock);
	bool ok, has_waited = false;

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
		ok = wait_turn(limiter, turn, &has_waited, err);
		if (has_waited)
			*waited_ns += clock_monotonic_ns(limiter->clock) - start_ns;
	}
	see_to_telling(limiter);
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
	shared_release(&limiter->shared);
	window_expire(&limiter->window, now_ns);
	window_note(&limiter->window, now_ns);
	tell_next(limiter);
	see_to_telling(limiter);
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
	set_pause(limiter, until_ns);
	see_to_telling(limiter);
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
