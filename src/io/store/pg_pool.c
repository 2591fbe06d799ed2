#include "io/store/pg_pool.h"

enum {
	CONNECT_MS = 5000,
	WAIT_MS = 20000,
	PAUSE_FIRST_MS = 50,
	PAUSE_MAX_MS = 1000,
};

struct waiter {
	struct loop_wait wait;
	struct waiter *next;
	struct pg_link *link; /* NULL when woken: there is room to open one */
};

struct pg_pool {
	struct pg_pool *next;
	struct pg_link *idle;
	struct pg_link *blocking; /* of the thread itself, outside of fibers */
	_Atomic size_t count; /* open or being opened, of fibers */
	_Atomic size_t busy;  /* of them */
	struct waiter *first, **last;
	int64_t not_before_ns; /* the database was away: the next try */
	int64_t pause_ms;
	struct error why;
};

/* The thread ends; whoever closes the store closes its connections. */
static void let_go(void *pool)
{
	(void)pool;
}

bool pg_pools_init(struct pg_pools *pools, const char *database, size_t links_max,
		   struct error *err)
{
	*pools = (struct pg_pools){.database = database, .links_max = links_max};
	if (pthread_key_create(&pools->key, let_go) != 0)
		return error_set(err, ERROR_UNAVAILABLE, "too many stores are open");
	pthread_mutex_init(&pools->lock, NULL);
	return true;
}

static void close_pool(struct pg_pool *pool)
{
	while (pool->idle != NULL) {
		struct pg_link *link = pool->idle;
		pool->idle = link->next;
		link->watched = 0; /* its loop may be gone */
		pg_link_close(link);
	}
	if (pool->blocking != NULL)
		pg_link_close(pool->blocking);
	free(pool);
}

void pg_pools_finish(struct pg_pools *pools)
{
	pthread_key_delete(pools->key);
	while (pools->all != NULL) {
		struct pg_pool *pool = pools->all;
		pools->all = pool->next;
		close_pool(pool);
	}
	pthread_mutex_destroy(&pools->lock);
}

static struct pg_pool *own_pool(struct pg_pools *pools)
{
	struct pg_pool *pool = pthread_getspecific(pools->key);

	if (pool != NULL)
		return pool;
	pool = calloc(1, sizeof *pool);
	if (pool == NULL)
		die("out of memory for connections");
	pool->last = &pool->first;
	pthread_mutex_lock(&pools->lock);
	pool->next = pools->all;
	pools->all = pool;
	pthread_mutex_unlock(&pools->lock);
	pthread_setspecific(pools->key, pool);
	return pool;
}

/* While the database is away only one try in a while is made; all others are told at once. */
static struct pg_link *open_link(struct pg_pools *pools, struct pg_pool *pool, struct error *err)
{
	int64_t now_ns = clock_monotonic_ns(clock_system());

	if (now_ns < pool->not_before_ns) {
		*err = pool->why;
		return NULL;
	}
	if (pool->pause_ms > 0) /* the others wait for how this one ends */
		pool->not_before_ns = now_ns + CONNECT_MS * 1000000LL;
	struct pg_link *link = pg_link_open(pools->database, CONNECT_MS, err);
	if (link != NULL) {
		pool->pause_ms = 0;
		pool->not_before_ns = 0;
		return link;
	}
	pool->pause_ms = pool->pause_ms == 0 ? PAUSE_FIRST_MS : pool->pause_ms * 2;
	if (pool->pause_ms > PAUSE_MAX_MS)
		pool->pause_ms = PAUSE_MAX_MS;
	pool->not_before_ns = clock_monotonic_ns(clock_system()) + pool->pause_ms * 1000000;
	pool->why = *err;
	return NULL;
}

/* The first that sees what is asked for, else the first. */
static struct pg_link *unlist_idle(struct pg_pool *pool, const char *scope)
{
	struct pg_link **at = &pool->idle;

	while (*at != NULL && strcmp((*at)->scope, scope) != 0)
		at = &(*at)->next;
	if (*at == NULL)
		at = &pool->idle;
	struct pg_link *link = *at;
	*at = link->next;
	return link;
}

static struct pg_link *take_idle(struct pg_pool *pool, const char *scope)
{
	while (pool->idle != NULL) {
		struct pg_link *link = unlist_idle(pool, scope);
		if (!link->is_broken)
			return link;
		pool->count--;
		pg_link_close(link);
	}
	return NULL;
}

static struct waiter *shift(struct pg_pool *pool)
{
	struct waiter *waiter = pool->first;

	if (waiter != NULL) {
		pool->first = waiter->next;
		if (pool->first == NULL)
			pool->last = &pool->first;
	}
	return waiter;
}

static void unlist(struct pg_pool *pool, struct waiter *waiter)
{
	struct waiter **at = &pool->first;

	while (*at != NULL && *at != waiter)
		at = &(*at)->next;
	if (*at == NULL)
		return;
	*at = waiter->next;
	if (waiter->next == NULL)
		pool->last = at;
}

/* Somebody's place is free. */
static void wake_next(struct pg_pool *pool, struct pg_link *link)
{
	struct waiter *waiter = shift(pool);

	if (waiter == NULL) {
		if (link != NULL) {
			link->next = pool->idle;
			pool->idle = link;
		}
		return;
	}
	waiter->link = link;
	if (link == NULL)
		pool->count++; /* kept for it */
	loop_wake(&waiter->wait);
}

static struct pg_link *open_kept(struct pg_pools *pools, struct pg_pool *pool, struct error *err)
{
	struct pg_link *link = open_link(pools, pool, err);

	if (link != NULL)
		return link;
	pool->count--;
	/* Who waits is told the same, one after the other. */
	wake_next(pool, NULL);
	return NULL;
}

static struct pg_link *wait_for_link(struct pg_pools *pools, struct pg_pool *pool,
				     struct error *err)
{
	struct waiter waiter = {.next = NULL};

	loop_wait_init(&waiter.wait);
	*pool->last = &waiter;
	pool->last = &waiter.next;
	int64_t began_ns = clock_monotonic_ns(clock_system());
	bool was_woken = loop_wait(&waiter.wait, began_ns + WAIT_MS * 1000000LL);
	pools->waits++;
	pools->wait_us += (uint64_t)(clock_monotonic_ns(clock_system()) - began_ns) / 1000;
	if (!was_woken) {
		unlist(pool, &waiter);
		error_set(err, ERROR_UNAVAILABLE, "no connection to the database was free in time");
		err->retry_after_ms = PAUSE_MAX_MS;
		return NULL;
	}
	return waiter.link != NULL ? waiter.link : open_kept(pools, pool, err);
}

static struct pg_link *take_in_fiber(struct pg_pools *pools, struct pg_pool *pool,
				     const char *scope, struct error *err)
{
	struct pg_link *link = take_idle(pool, scope);

	if (link != NULL)
		return link;
	if (pool->count >= pools->links_max)
		return wait_for_link(pools, pool, err);
	pool->count++;
	return open_kept(pools, pool, err);
}

static struct pg_link *take_in_thread(struct pg_pools *pools, struct pg_pool *pool,
				      struct error *err)
{
	if (pool->blocking != NULL && pool->blocking->is_broken) {
		pg_link_close(pool->blocking);
		pool->blocking = NULL;
	}
	if (pool->blocking == NULL)
		pool->blocking = open_link(pools, pool, err);
	return pool->blocking;
}

struct pg_link *pg_pool_take(struct pg_pools *pools, const char *scope, struct error *err)
{
	struct pg_pool *pool = own_pool(pools);

	if (fiber_current() == NULL || loop_current() == NULL)
		return take_in_thread(pools, pool, err);
	struct pg_link *link = take_in_fiber(pools, pool, scope, err);
	pool->busy += link != NULL;
	return link;
}

void pg_pools_count(struct pg_pools *pools, size_t *open, size_t *busy)
{
	*open = *busy = 0;
	pthread_mutex_lock(&pools->lock);
	for (struct pg_pool *pool = pools->all; pool != NULL; pool = pool->next) {
		*open += pool->count;
		*busy += pool->busy;
	}
	pthread_mutex_unlock(&pools->lock);
}

void pg_pool_give(struct pg_pools *pools, struct pg_link *link)
{
	struct pg_pool *pool = own_pool(pools);

	if (link == pool->blocking)
		return;
	pool->busy--;
	if (!link->is_broken) {
		wake_next(pool, link);
		return;
	}
	pg_link_close(link);
	pool->count--;
	if (pool->first != NULL)
		wake_next(pool, NULL);
}
