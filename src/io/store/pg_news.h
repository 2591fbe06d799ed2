/* The connection that a process has for as long as it runs: it owns the database, so that no other
 * process takes up what this one does, and it hears and tells of news (events were written):
 * who watches in this process at once, others by LISTEN and NOTIFY. Private to the store. */
#ifndef IO_STORE_PG_NEWS_H
#define IO_STORE_PG_NEWS_H

#include <pthread.h>

#include "io/store/engine.h"

struct pg_news {
	const char *database;
	pthread_t thread;
	int bell; /* an eventfd: there is something to tell the others, or the end */
	void *conn; /* the first, until the thread has it */
	_Atomic bool is_owner;
	_Atomic bool is_ending;
	_Atomic bool is_due; /* the others are to be told */
	void (*_Atomic tell)(void *context);
	void *context;
};

/* Connects, becomes the database's owner, and starts the thread that listens; that connects again
 * whenever it must. ERROR_CONFLICT: another process has the database. */
bool pg_news_start(struct pg_news *news, const char *database, struct error *err) MUST_CHECK;
void pg_news_stop(struct pg_news *news);
/* Who is told: store_watch(). */
void pg_news_watch(struct pg_news *news, void (*tell)(void *context), void *context);
/* False while the connection is lost, and another process may have the database: nothing is to be
 * written then. */
bool pg_news_is_owner(const struct pg_news *news);
/* After a commit, from any thread. */
void pg_news_tell(struct pg_news *news);

#endif
