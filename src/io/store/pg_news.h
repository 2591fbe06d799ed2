/* The connection that a process has for as long as it runs. It holds a shared lock of the database,
 * so that nobody moves it meanwhile; it hears and tells of news (events were written): who watches
 * in this process at once, others by LISTEN and NOTIFY; and it hears what others have changed.
 * Asked something every quarter of a second, it is known to have heard all from before.
 * Private to the store. */
#ifndef IO_STORE_PG_NEWS_H
#define IO_STORE_PG_NEWS_H

#include <pthread.h>

#include "io/store/engine.h"

struct pg_news {
	const char *database;
	pthread_t thread;
	int bell; /* an eventfd: there is something to tell the others, or the end */
	void *conn; /* the first, until the thread has it */
	_Atomic bool is_member;
	_Atomic bool is_ending;
	_Atomic bool is_due; /* the others are to be told */
	void (*_Atomic tell)(void *context);
	void *context;
	void (*_Atomic hear)(void *context, struct str what);
	void *hear_context;
	_Atomic int64_t current_until_ns;
};

/* Connects, takes its share of the database, and starts the thread that listens; that connects
 * again whenever it must. ERROR_CONFLICT: the database is being moved. */
bool pg_news_start(struct pg_news *news, const char *database, struct error *err) MUST_CHECK;
void pg_news_stop(struct pg_news *news);
/* Who is told: store_watch(). */
void pg_news_watch(struct pg_news *news, void (*tell)(void *context), void *context);
/* store_hear() and store_is_current(). */
void pg_news_hear(struct pg_news *news, void (*hear)(void *context, struct str what),
		  void *context);
bool pg_news_is_current(const struct pg_news *news);
/* False while the connection is lost, and another process may have the database for itself: nothing
 * is to be written then. */
bool pg_news_is_member(const struct pg_news *news);
/* After a commit, from any thread. */
void pg_news_tell(struct pg_news *news);

#endif
