#include "io/store/pg_news.h"

#include <libpq-fe.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum {
	PAUSE_MS = 500,
	TRIES_MAX = 8, /* for the lock, at the start: who had it may be about to be found dead */
	TRY_MS = 250,
	PING_MS = 250,
	CURRENT_MS = 1000, /* so long what was heard is good, from when it was asked for */
	/* NOTIFY takes a lock of the whole database when it commits: one for all that came. */
	GATHER_MS = 5,
};

/* "tenow": for as long as the connection lives. Who moves the database has it alone. */
static const char share_sql[] = "SELECT pg_try_advisory_lock_shared(500429973623)";

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

void pg_news_hear(struct pg_news *news, void (*hear)(void *context, struct str what), void *context)
{
	news->hear_context = context;
	news->hear = hear;
}

bool pg_news_is_current(const struct pg_news *news)
{
	return clock_monotonic_ns(clock_system()) < news->current_until_ns;
}

static void hand_on(struct pg_news *news, const char *what)
{
	void (*hear)(void *, struct str) = news->hear;

	if (hear != NULL)
		hear(news->hear_context, str_from_c(what));
}

/* Own news have been told already. */
static void take_notifications(struct pg_news *news, PGconn *conn)
{
	PGnotify *notify;
	bool is_news = false;

	while ((notify = PQnotifies(conn)) != NULL) {
		if (strcmp(notify->relname, "tenon_told") == 0)
			hand_on(news, notify->extra);
		else
			is_news |= notify->be_pid != PQbackendPID(conn);
		PQfreemem(notify);
	}
	void (*tell)(void *) = news->tell;
	if (is_news && tell != NULL)
		tell(news->context);
}

static bool take_share(struct pg_news *news, PGconn *conn)
{
	PGresult *result = PQexec(conn, share_sql);
	bool ok = PQresultStatus(result) == PGRES_TUPLES_OK &&
		  strcmp(PQgetvalue(result, 0, 0), "t") == 0;

	PQclear(result);
	news->is_member = ok;
	return ok;
}

bool pg_news_is_member(const struct pg_news *news)
{
	return news->is_member;
}

static bool tell_others(struct pg_news *news, PGconn *conn)
{
	if (!atomic_exchange(&news->is_due, false))
		return true;
	poll(NULL, 0, GATHER_MS);
	if (command(conn, "NOTIFY tenon_news"))
		return true;
	news->is_due = true;
	return false;
}

/* What was committed before the question is heard before its answer. */
static bool ping(struct pg_news *news, PGconn *conn, int64_t *due_ns)
{
	int64_t now_ns = clock_monotonic_ns(clock_system());

	if (now_ns < *due_ns)
		return true;
	if (!command(conn, "SET application_name = 'tenon news'"))
		return false;
	take_notifications(news, conn);
	news->current_until_ns = now_ns + CURRENT_MS * INT64_C(1000000);
	*due_ns = now_ns + PING_MS * INT64_C(1000000);
	return true;
}

/* Until the connection is lost or the end. */
static void listen_on(struct pg_news *news, PGconn *conn)
{
	int64_t due_ns = 0;

	if (!command(conn, "LISTEN tenon_news") || !command(conn, "LISTEN tenon_told"))
		return;
	/* Something may have been told while nobody listened. */
	void (*tell)(void *) = news->tell;
	if (tell != NULL)
		tell(news->context);
	hand_on(news, "");
	while (!news->is_ending) {
		if (!tell_others(news, conn) || !PQconsumeInput(conn))
			return;
		take_notifications(news, conn);
		if (!ping(news, conn, &due_ns))
			return;
		if (!news->is_due)
			wait_for(news, conn, PING_MS);
	}
}

/* It would be written to standard error. */
static void ignore_notice(void *context, const PGresult *result)
{
	(void)context;
	(void)result;
}

static PGconn *connect_to(const struct pg_news *news)
{
	static const char *const keywords[] = {"dbname",	   "application_name",
					       "connect_timeout",  "keepalives_idle",
					       "tcp_user_timeout", NULL};
	const char *const values[] = {news->database, "tenon news", "5", "10", "20000", NULL};
	PGconn *conn = PQconnectdbParams(keywords, values, 1);

	if (conn == NULL)
		die("out of memory for a connection");
	PQsetNoticeReceiver(conn, ignore_notice, NULL);
	return conn;
}

static void *run(void *context)
{
	struct pg_news *news = context;
	PGconn *conn = news->conn;

	for (;;) {
		if (news->is_member)
			listen_on(news, conn);
		news->is_member = false;
		PQfinish(conn);
		if (news->is_ending)
			return NULL;
		wait_for(news, NULL, PAUSE_MS);
		conn = connect_to(news);
		if (PQstatus(conn) == CONNECTION_OK)
			(void)take_share(news, conn);
	}
}

static bool join_database(struct pg_news *news, struct error *err)
{
	news->conn = connect_to(news);
	if (PQstatus(news->conn) != CONNECTION_OK)
		return error_set(err, ERROR_UNAVAILABLE, "the database is away: %s",
				 PQerrorMessage(news->conn));
	for (int i = 0; i < TRIES_MAX; i++) {
		if (take_share(news, news->conn))
			return true;
		poll(NULL, 0, TRY_MS);
	}
	return error_set(err, ERROR_CONFLICT, "the database is being moved");
}

bool pg_news_start(struct pg_news *news, const char *database, struct error *err)
{
	sigset_t all, before;

	news->database = database;
	news->bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (news->bell < 0)
		return error_set(err, ERROR_UNAVAILABLE, "no descriptor is left for the store");
	if (!join_database(news, err)) {
		PQfinish(news->conn);
		close(news->bell);
		return false;
	}
	/* Signals are for the main thread. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	int result = pthread_create(&news->thread, NULL, run, news);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (result == 0)
		return true;
	PQfinish(news->conn);
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
