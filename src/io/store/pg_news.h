/* Tells all nodes that there is news (events were written): those of this process at once, the
 * others by LISTEN and NOTIFY. Private to the store. */
#ifndef IO_STORE_PG_NEWS_H
#define IO_STORE_PG_NEWS_H

#include <pthread.h>

#include "io/store/engine.h"

struct pg_news {
	const char *database;
	pthread_t thread;
	int bell; /* an eventfd: there is something to tell the others, or the end */
	_Atomic bool is_ending;
	_Atomic bool is_due; /* the others are to be told */
	void (*_Atomic tell)(void *context);
	void *context;
};

/* Starts the thread that listens. It connects by itself, and again whenever it must. */
bool pg_news_start(struct pg_news *news, const char *database, struct error *err) MUST_CHECK;
void pg_news_stop(struct pg_news *news);
/* Who is told: store_watch(). */
void pg_news_watch(struct pg_news *news, void (*tell)(void *context), void *context);
/* After a commit, from any thread. */
void pg_news_tell(struct pg_news *news);

#endif
