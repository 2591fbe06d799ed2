/* The queue and its thread. */
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>

#include "ats/calls/rows.h"
#include "base/log.h"

enum {
	QUEUE_MAX = 8192,
	GATHER_MS = 250, /* how long the first record waits for others */
	SWEEP_MS = 60000,
};
static const int64_t DAY_MS = (int64_t)24 * 3600 * 1000;

/* Somebody waits until so many records are out of the queue. Lives on the waiter's stack. */
struct flush {
	struct flush *next;
	uint64_t goal;
	bool in_fiber;
	bool is_done; /* under the lock, for threads */
	struct loop_wait wait;
};

struct calls {
	struct store *store;
	struct node *node;
	const struct clock *clock;
	int64_t days;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t work; /* for the thread */
	pthread_cond_t done; /* for flushes of threads */
	/* Under the lock. */
	struct queued *ring;
	size_t first, length;
	int64_t last_id;
	uint64_t taken;	  /* put into the queue, ever */
	uint64_t settled; /* out of it again */
	uint64_t written, dropped, dropped_told;
	struct flush *flushes;
	bool is_closing;
	/* The thread's own. */
	struct queued *batch;
	struct call_rows_room *room;
	int64_t swept_ms;
	bool is_behind; /* not all that is old is gone yet */
};

const char *calls_door_name(enum calls_door door)
{
	static const char *const names[CALLS_DOORS] = {"unified", "proxy", "custom", "mcp"};

	return names[door];
}

int64_t call_record_time_ms(const struct call_record *record)
{
	return record->id >> ROWS_ID_SHIFT;
}

/* --- taking ---------------------------------------------------------------------------------- */

static void keep(struct str *text, char *room)
{
	*text = str_slice(*text, 0, ROWS_ID_BYTES);
	if (text->len > 0)
		memcpy(room, text->data, text->len);
	text->data = room;
}

size_t calls_keep_client(char room[CALLS_CLIENT_BYTES], struct str words)
{
	size_t len = 0;

	for (size_t i = 0; i < words.len && len < CALLS_CLIENT_BYTES; i++)
		if (words.data[i] >= ' ' && words.data[i] < 0x7f)
			room[len++] = words.data[i];
	return len;
}

static void keep_client(struct str *text, char *room)
{
	*text = str_make(room, calls_keep_client(room, *text));
}

/* Ids grow, whatever the clock does; and no two nodes make the same. */
static int64_t next_id(struct calls *calls, int64_t now_ms)
{
	int64_t number = now_ms << (ROWS_ID_SHIFT - ROWS_SLOT_BITS);
	int64_t after = (calls->last_id >> ROWS_SLOT_BITS) + 1;

	number = number > after ? number : after;
	calls->last_id = number << ROWS_SLOT_BITS | node_slot(calls->node);
	return calls->last_id;
}

static void put(struct calls *calls, const struct call_record *record, int64_t now_ms)
{
	struct queued *queued = &calls->ring[(calls->first + calls->length++) % QUEUE_MAX];

	queued->record = *record;
	queued->record.id = next_id(calls, now_ms);
	keep(&queued->record.environment_id, queued->environment_id);
	keep(&queued->record.account_id, queued->account_id);
	keep(&queued->record.request_id, queued->request_id);
	keep(&queued->record.mcp_server_id, queued->mcp_server_id);
	keep_client(&queued->record.client_name, queued->client_name);
	keep_client(&queued->record.client_version, queued->client_version);
	calls->taken++;
}

void calls_take(struct calls *calls, const struct call_record *record)
{
	int64_t now_ms = clock_unix_ms(calls->clock);
	bool is_due = false;

	if (calls->days == 0)
		return;
	pthread_mutex_lock(&calls->lock);
	if (calls->length == QUEUE_MAX) {
		calls->dropped++;
	} else {
		put(calls, record, now_ms);
		is_due = calls->length == 1 || calls->length == ROWS_BATCH;
	}
	pthread_mutex_unlock(&calls->lock);
	if (is_due)
		pthread_cond_signal(&calls->work);
}

/* --- the thread ------------------------------------------------------------------------------ */

static void wait_for_work(struct calls *calls, const struct timespec *end)
{
	pthread_cond_timedwait(&calls->work, &calls->lock, end);
}

static struct timespec after_ms(int64_t ms)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	now.tv_nsec += (ms % 1000) * 1000000;
	now.tv_sec += ms / 1000 + now.tv_nsec / 1000000000;
	now.tv_nsec %= 1000000000;
	return now;
}

static bool is_before(const struct timespec *end)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec < end->tv_sec ||
	       (now.tv_sec == end->tv_sec && now.tv_nsec < end->tv_nsec);
}

/* Until there is a record, then until there are many, or somebody waits. Under the lock. */
static void gather(struct calls *calls)
{
	struct timespec end = after_ms(calls->is_behind ? GATHER_MS : SWEEP_MS);

	while (calls->length == 0 && calls->flushes == NULL && !calls->is_closing &&
	       is_before(&end))
		wait_for_work(calls, &end);
	end = after_ms(GATHER_MS);
	while (calls->length > 0 && calls->length < ROWS_BATCH && calls->flushes == NULL &&
	       !calls->is_closing && is_before(&end))
		wait_for_work(calls, &end);
}

/* Texts of a record that was copied point into the one it was copied from. */
static void move(struct queued *to, const struct queued *from)
{
	*to = *from;
	to->record.environment_id.data = to->environment_id;
	to->record.account_id.data = to->account_id;
	to->record.request_id.data = to->request_id;
	to->record.mcp_server_id.data = to->mcp_server_id;
	to->record.client_name.data = to->client_name;
	to->record.client_version.data = to->client_version;
}

static size_t take_batch(struct calls *calls)
{
	size_t count = calls->length < ROWS_BATCH ? calls->length : ROWS_BATCH;

	for (size_t i = 0; i < count; i++)
		move(&calls->batch[i], &calls->ring[(calls->first + i) % QUEUE_MAX]);
	calls->first = (calls->first + count) % QUEUE_MAX;
	calls->length -= count;
	return count;
}

static void tell_dropped(uint64_t count)
{
	LOG(LOG_WARNING, "calls_not_logged", LOG_N(count, (int64_t)count));
}

/* Whose records are out of the queue. Under the lock. */
static void answer_flushes(struct calls *calls)
{
	struct flush **at = &calls->flushes;

	while (*at != NULL) {
		struct flush *flush = *at;

		if (flush->goal > calls->settled) {
			at = &flush->next;
			continue;
		}
		*at = flush->next;
		flush->is_done = true;
		if (flush->in_fiber)
			loop_wake(&flush->wait);
	}
	pthread_cond_broadcast(&calls->done);
}

static void settle(struct calls *calls, size_t count, bool ok)
{
	pthread_mutex_lock(&calls->lock);
	calls->settled += count;
	if (ok)
		calls->written += count;
	else
		calls->dropped += count;
	uint64_t untold = calls->dropped - calls->dropped_told;
	calls->dropped_told = calls->dropped;
	answer_flushes(calls);
	pthread_mutex_unlock(&calls->lock);
	if (untold > 0)
		tell_dropped(untold);
}

static void sweep(struct calls *calls)
{
	int64_t now_ms = clock_unix_ms(calls->clock), before_ms = now_ms - calls->days * DAY_MS;
	bool is_whole = true;
	struct error err;

	if (!calls->is_behind && now_ms - calls->swept_ms < SWEEP_MS)
		return;
	calls->swept_ms = now_ms;
	if (!call_rows_tend(calls->store, now_ms, calls->days, &err))
		LOG(LOG_WARNING, "calls_not_swept", LOG_C(error, err.message));
	if (before_ms > 0 && !call_rows_expire(calls->store, before_ms, &is_whole, &err))
		LOG(LOG_WARNING, "calls_not_swept", LOG_C(error, error_name(err.code)));
	calls->is_behind = !is_whole;
}

static void *run(void *context)
{
	struct calls *calls = context;
	struct error err;
	bool is_last;

	(void)store_enter_all();
	do {
		pthread_mutex_lock(&calls->lock);
		gather(calls);
		size_t count = take_batch(calls);
		is_last = calls->is_closing && calls->length == 0;
		pthread_mutex_unlock(&calls->lock);
		bool ok = count == 0 ||
			  call_rows_insert(calls->store, calls->room, calls->batch, count, &err);
		if (!is_last)
			sweep(calls);
		settle(calls, count, ok);
	} while (!is_last);
	return NULL;
}

void calls_flush(struct calls *calls)
{
	struct flush flush = {.in_fiber = fiber_current() != NULL && loop_current() != NULL};

	if (flush.in_fiber)
		loop_wait_init(&flush.wait);
	pthread_mutex_lock(&calls->lock);
	flush.goal = calls->taken;
	flush.next = calls->flushes;
	calls->flushes = &flush;
	pthread_cond_signal(&calls->work);
	while (!flush.in_fiber && !flush.is_done)
		pthread_cond_wait(&calls->done, &calls->lock);
	pthread_mutex_unlock(&calls->lock);
	if (flush.in_fiber)
		(void)loop_wait(&flush.wait, INT64_MAX);
}

/* --- all of it ------------------------------------------------------------------------------- */

static void *allocate(size_t count, size_t size)
{
	void *room = calloc(count, size);

	if (room == NULL)
		die("no memory");
	return room;
}

static void free_parts(struct calls *calls)
{
	pthread_cond_destroy(&calls->work);
	pthread_cond_destroy(&calls->done);
	pthread_mutex_destroy(&calls->lock);
	free(calls->ring);
	free(calls->batch);
	free(calls->room);
	free(calls);
}

/* Signals are the main thread's matter. */
static bool start(struct calls *calls)
{
	sigset_t all, before;

	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &before);
	bool ok = pthread_create(&calls->thread, NULL, run, calls) == 0;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return ok;
}

struct calls *calls_create(struct store *store, struct node *node, const struct clock *clock,
			   const struct random *random, int64_t days, struct error *err)
{
	struct calls *calls = allocate(1, sizeof *calls);
	pthread_condattr_t monotonic;

	calls->store = store;
	calls->node = node;
	calls->clock = clock;
	calls->days = days;
	calls->ring = allocate(QUEUE_MAX, sizeof *calls->ring);
	calls->batch = allocate(ROWS_BATCH, sizeof *calls->batch);
	calls->room = call_rows_room_create();
	/* Where this start's numbers begin. */
	calls->last_id = (clock_unix_ms(clock) << ROWS_ID_SHIFT) +
			 (int64_t)random_below(random, 1 << (ROWS_ID_SHIFT - 1));
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&calls->work, &monotonic);
	pthread_cond_init(&calls->done, NULL);
	pthread_condattr_destroy(&monotonic);
	pthread_mutex_init(&calls->lock, NULL);
	if (start(calls))
		return calls;
	free_parts(calls);
	error_set(err, ERROR_UNAVAILABLE, "no thread for the log of calls is to be had");
	return NULL;
}

void calls_destroy(struct calls *calls)
{
	if (calls == NULL)
		return;
	pthread_mutex_lock(&calls->lock);
	calls->is_closing = true;
	pthread_cond_signal(&calls->work);
	pthread_mutex_unlock(&calls->lock);
	pthread_join(calls->thread, NULL);
	free_parts(calls);
}

void calls_count(struct calls *calls, struct calls_counts *counts)
{
	pthread_mutex_lock(&calls->lock);
	*counts = (struct calls_counts){calls->written, calls->dropped};
	pthread_mutex_unlock(&calls->lock);
}

bool calls_list(struct calls *calls, struct arena *arena, const struct calls_query *query,
		struct call_record **records, size_t *count, int64_t *next_id, struct error *err)
{
	return call_rows_list(calls->store, arena, query, records, count, next_id, err);
}
