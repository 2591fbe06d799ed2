#include "io/store/pg_news.h"

#include <libpq-fe.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum {
	PAUSE_MS = 500,
	/* NOTIFY takes a lock of the whole database at its commit: one for all that came meanwhile. */
	GATHER_MS = 5,
};

void pg_news_tell(struct pg_news *news)
{
	void (*tell)(void *) = news->tell;

	if (tell != NULL)
		tell(news->context);
	if (!atomic_exchange(&news->is_due, true))
		(void)!eventfd_write(news->bell, 1);
}

void pg_news_watch(struct pg_news *news, void (*tell)(void *context), void *context)
{
	news->context = context;
	news->tell = tell;
}

static void wait_for(struct pg_news *news, PGconn *conn, int timeout_ms)
{
	struct pollfd at[2] = {{.fd = news->bell, .events = POLLIN},
			       {.fd = conn == NULL ? -1 : PQsocket(conn), .events = POLLIN}};
	eventfd_t count;

	if (poll(at, 2, timeout_ms) > 0 && at[0].revents != 0)
		(void)!eventfd_read(news->bell, &count);
}

static bool command(PGconn *conn, const char *sql)
{
	PGresult *result = PQexec(conn, sql);
	bool ok = PQresultStatus(result) == PGRES_COMMAND_OK;

	PQclear(result);
	return ok;
}

/* Own ones have been told already. */
static void hear(struct pg_news *news, PGconn *conn)
{
	PGnotify *notify;
	bool is_news = false;

	while ((notify = PQnotifies(conn)) != NULL) {
		is_news |= notify->be_pid != PQbackendPID(conn);
		PQfreemem(notify);
	}
	void (*tell)(void *) = news->tell;
	if (is_news && tell != NULL)
		tell(news->context);
}

/* Until the connection is lost or the end. */
static void listen_on(struct pg_news *news, PGconn *conn)
{
	if (!command(conn, "LISTEN tenon_news"))
		return;
	/* Something may have been told while nobody listened. */
	void (*tell)(void *) = news->tell;
	if (tell != NULL)
		tell(news->context);
	while (!news->is_ending) {
		if (!news->is_due)
			wait_for(news, conn, -1);
		if (atomic_exchange(&news->is_due, false)) {
			poll(NULL, 0, GATHER_MS);
			if (!command(conn, "NOTIFY tenon_news")) {
				news->is_due = true;
				return;
			}
		}
		if (!PQconsumeInput(conn))
			return;
		hear(news, conn);
	}
}

/* It would be written to standard error. */
static void ignore_notice(void *context, const PGresult *result)
{
	(void)context;
	(void)result;
}

static void *run(void *context)
{
	static const char *const keywords[] = {"dbname",	  "application_name",
					       "connect_timeout", "keepalives_idle",
					       "tcp_user_timeout", NULL};
	struct pg_news *news = context;
	const char *const values[] = {news->database, "tenon news", "5", "10", "20000", NULL};

	while (!news->is_ending) {
		PGconn *conn = PQconnectdbParams(keywords, values, 1);
		PQsetNoticeReceiver(conn, ignore_notice, NULL);
		if (PQstatus(conn) == CONNECTION_OK)
			listen_on(news, conn);
		PQfinish(conn);
		if (!news->is_ending)
			wait_for(news, NULL, PAUSE_MS);
	}
	return NULL;
}

bool pg_news_start(struct pg_news *news, const char *database, struct error *err)
{
	sigset_t all, before;

	news->database = database;
	news->bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (news->bell < 0)
		return error_set(err, ERROR_UNAVAILABLE, "no descriptor is left for the store");
	/* Signals are for the main thread. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	int result = pthread_create(&news->thread, NULL, run, news);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (result == 0)
		return true;
	close(news->bell);
	return error_set(err, ERROR_UNAVAILABLE, "cannot start the store's thread: %s",
			 strerror(result));
}

void pg_news_stop(struct pg_news *news)
{
	news->is_ending = true;
	(void)!eventfd_write(news->bell, 1);
	pthread_join(news->thread, NULL);
	close(news->bell);
}
