#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "ats/event/event.h"

struct waiter {
	struct loop_wait wait;
	struct waiter *next, **link; /* NULL: it was taken off */
};

struct event_bell {
	pthread_mutex_t lock;
	_Atomic uint64_t count;
	struct waiter *waiters;
};

static void take_off(struct waiter *waiter)
{
	*waiter->link = waiter->next;
	if (waiter->next != NULL)
		waiter->next->link = waiter->link;
	waiter->link = NULL;
}

static void ring(void *context)
{
	struct event_bell *bell = context;

	pthread_mutex_lock(&bell->lock);
	bell->count++;
	while (bell->waiters != NULL) {
		struct waiter *waiter = bell->waiters;

		take_off(waiter);
		loop_wake(&waiter->wait);
	}
	pthread_mutex_unlock(&bell->lock);
}

struct event_bell *event_bell_create(struct store *store)
{
	struct event_bell *bell = calloc(1, sizeof *bell);

	if (bell == NULL)
		abort();
	pthread_mutex_init(&bell->lock, NULL);
	store_watch(store, ring, bell);
	return bell;
}

void event_bell_destroy(struct event_bell *bell)
{
	if (bell == NULL)
		return;
	assert(bell->waiters == NULL);
	pthread_mutex_destroy(&bell->lock);
	free(bell);
}

uint64_t event_bell_count(const struct event_bell *bell)
{
	return bell->count;
}

bool event_bell_wait(struct event_bell *bell, uint64_t count, int64_t deadline_ns)
{
	struct waiter waiter;

	loop_wait_init(&waiter.wait);
	pthread_mutex_lock(&bell->lock);
	if (bell->count != count) {
		pthread_mutex_unlock(&bell->lock);
		return true;
	}
	waiter.next = bell->waiters;
	waiter.link = &bell->waiters;
	if (waiter.next != NULL)
		waiter.next->link = &waiter.next;
	bell->waiters = &waiter;
	pthread_mutex_unlock(&bell->lock);

	loop_wait(&waiter.wait, deadline_ns);
	pthread_mutex_lock(&bell->lock);
	bool has_rung = waiter.link == NULL;
	if (!has_rung)
		take_off(&waiter);
	pthread_mutex_unlock(&bell->lock);
	return has_rung;
}
