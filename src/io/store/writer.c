#include "io/store/writer.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>

#include "base/log.h"
#include "io/store/migration.h"

enum {
	WAL_PAGES_MAX = 1000,      /* past it the log is moved into the database */
	IDLE_CHECKPOINT_MS = 1000, /* or when nothing was written for so long */
	INLINE_NS_MAX = 40000000,  /* that a commit without a thread takes */
};

static int note_wal(void *context, sqlite3 *db, const char *name, int pages)
{
	struct writer *writer = context;

	(void)db;
	(void)name;
	writer->wal_pages = pages;
	return SQLITE_OK;
}

bool writer_open(struct writer *writer, const char *path, const struct store_options *options,
		 struct error *err)
{
	*writer = (struct writer){.length_max = options->queue_max,
				  .vfs = options->vfs,
				  .is_inline = options->is_inline};
	if (!connection_open(&writer->connection, path, options->vfs, true, err))
		return false;
	/* A log may be left from a crash: the first idle moment moves it. */
	writer->wal_pages = 1;
	sqlite3_wal_hook(writer->connection.db, note_wal, writer);
	if (!migration_apply(&writer->connection, options, err) ||
	    !view_apply(&writer->connection, options, err)) {
		connection_close(&writer->connection);
		return false;
	}
	writer->last = &writer->first;
	pthread_mutex_init(&writer->lock, NULL);
	pthread_condattr_t monotonic;
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&writer->work, &monotonic);
	pthread_condattr_destroy(&monotonic);
	return true;
}

/* --- asking --------------------------------------------------------------------------------- */

static void call_writer(struct writer *writer);
static void do_all(struct writer *writer);

static bool enqueue(struct writer *writer, struct pending *pending, struct error *err)
{
	if (writer->is_closing)
		return error_set(err, ERROR_UNAVAILABLE, "the store is closing");
	if (pending->backup_path != NULL) {
		pending->next = writer->backups;
		writer->backups = pending;
	} else if (writer->length >= writer->length_max) {
		return error_set(err, ERROR_UNAVAILABLE, "%zu writes are waiting for the disk",
				 writer->length);
	} else {
		pending->next = NULL;
		*writer->last = pending;
		writer->last = &pending->next;
		writer->length++;
	}
	if (writer->is_inline)
		call_writer(writer);
	else
		pthread_cond_signal(&writer->work);
	return true;
}

bool writer_ask_later(struct writer *writer, struct pending *pending, struct error *err)
{
	pending->is_later = true;
	pthread_mutex_lock(&writer->lock);
	bool ok = enqueue(writer, pending, err);
	pthread_mutex_unlock(&writer->lock);
	if (writer->is_inline && loop_current() == NULL)
		do_all(writer);
	return ok;
}

static bool ask_in_fiber(struct writer *writer, struct pending *pending, struct error *err)
{
	pending->in_fiber = true;
	loop_wait_init(&pending->wait);
	pthread_mutex_lock(&writer->lock);
	bool ok = enqueue(writer, pending, err);
	pthread_mutex_unlock(&writer->lock);
	if (!ok)
		return false;
	loop_wait(&pending->wait, INT64_MAX);
	return pending->ok;
}

static bool ask_in_thread(struct writer *writer, struct pending *pending, struct error *err)
{
	pthread_cond_init(&pending->done, NULL);
	pthread_mutex_lock(&writer->lock);
	bool ok = enqueue(writer, pending, err);
	if (writer->is_inline) {
		pthread_mutex_unlock(&writer->lock);
		do_all(writer);
		pthread_mutex_lock(&writer->lock);
	}
	while (ok && !pending->is_done)
		pthread_cond_wait(&pending->done, &writer->lock);
	pthread_mutex_unlock(&writer->lock);
	pthread_cond_destroy(&pending->done);
	return ok && pending->ok;
}

bool writer_ask(struct writer *writer, struct pending *pending, struct error *err)
{
	pending->err = err;
	if (fiber_current() != NULL && loop_current() != NULL)
		return ask_in_fiber(writer, pending, err);
	return ask_in_thread(writer, pending, err);
}

void writer_answer(struct writer *writer, struct pending *pending, bool ok)
{
	pending->ok = ok;
	if (pending->is_later) {
		if (!ok)
			LOG(LOG_WARNING, "store_write_lost", LOG_C(error, pending->err->message));
		free(pending);
	} else if (pending->in_fiber) {
		loop_wake(&pending->wait);
	} else {
		pthread_mutex_lock(&writer->lock);
		pending->is_done = true;
		pthread_cond_signal(&pending->done);
		pthread_mutex_unlock(&writer->lock);
	}
}

/* --- committing ----------------------------------------------------------------------------- */

/* Begin, commit and the like, compiled once. */
static bool command(struct writer *writer, const char *sql, struct error *err)
{
	sqlite3_stmt *statement = connection_prepare(&writer->connection, sql, NULL, 0, err);

	if (statement == NULL)
		return false;
	bool ok = sqlite3_step(statement) == SQLITE_DONE ||
		  connection_fail(&writer->connection, err);
	connection_reset(&writer->connection, sql, statement);
	return ok;
}

static bool run_statement(struct connection *connection, sqlite3_stmt *statement,
			  const struct pending *write, struct error *err)
{
	int step;

	if (write->rows != NULL)
		return connection_rows(connection, statement, write->arena, write->rows_max,
				       write->rows, err);
	do {
		step = sqlite3_step(statement);
	} while (step == SQLITE_ROW);
	return step == SQLITE_DONE || connection_fail(connection, err);
}

static bool do_statement(struct writer *writer, const struct pending *write,
			 const struct store_statement *what, struct error *err)
{
	struct connection *connection = &writer->connection;
	sqlite3_stmt *statement = connection_prepare(connection, what->sql, what->parameters,
						     what->parameter_count, err);

	if (statement == NULL)
		return false;
	bool ok = run_statement(connection, statement, write, err);
	if (ok && what->changes_expected >= 0) {
		int64_t changes = sqlite3_changes64(connection->db);
		if (changes != what->changes_expected)
			ok = error_set(err, ERROR_CONFLICT,
				       "%lld rows would have changed where %lld were meant",
				       (long long)changes, (long long)what->changes_expected);
	}
	connection_reset(connection, what->sql, statement);
	return ok;
}

/* One write of a batch. False only when the whole batch is lost; a write that fails alone is
 * undone alone, with ok = false and its error set. */
static bool do_write(struct writer *writer, struct pending *write, struct error *lost)
{
	if (!command(writer, "SAVEPOINT one_write", lost))
		return false;
	write->ok = true;
	for (size_t i = 0; i < write->count && write->ok; i++) {
		write->ok = do_statement(writer, write, &write->statements[i], write->err);
		writer->has_news |= write->statements[i].is_news;
	}
	if (write->ok)
		return command(writer, "RELEASE one_write", lost);
	/* A full or failing disk says nothing about this one write: nothing is to be trusted. */
	if (write->err->code == ERROR_UNAVAILABLE ||
	    sqlite3_get_autocommit(writer->connection.db)) {
		*lost = *write->err;
		return false;
	}
	return command(writer, "ROLLBACK TO one_write", lost) &&
	       command(writer, "RELEASE one_write", lost);
}

static bool do_batch(struct writer *writer, struct pending *batch, struct error *lost)
{
	if (!command(writer, "BEGIN IMMEDIATE", lost))
		return false;
	for (struct pending *write = batch; write != NULL; write = write->next)
		if (!do_write(writer, write, lost))
			return false;
	return command(writer, "COMMIT", lost);
}

static void roll_back(struct writer *writer)
{
	if (!sqlite3_get_autocommit(writer->connection.db))
		sqlite3_exec(writer->connection.db, "ROLLBACK", NULL, NULL, NULL);
}

static void commit_batch(struct writer *writer, struct pending *batch)
{
	struct error lost = {0};
	writer->has_news = false;
	bool ok = do_batch(writer, batch, &lost);

	if (!ok) {
		roll_back(writer);
		LOG(LOG_ERROR, "store_commit_failed", LOG_C(error, lost.message));
	} else {
		writer->commits++;
		if (writer->has_news && writer->tell != NULL)
			writer->tell(writer->tell_context);
	}
	for (struct pending *write = batch, *next; write != NULL; write = next) {
		next = write->next; /* the asker's stack may be gone after the answer */
		if (!ok)
			*write->err = lost;
		else if (write->ok)
			writer->writes++;
		writer_answer(writer, write, ok && write->ok);
	}
}

/* --- the thread ----------------------------------------------------------------------------- */

static void checkpoint(struct writer *writer, int mode)
{
	int left = 0, moved = 0;
	int result = sqlite3_wal_checkpoint_v2(writer->connection.db, NULL, mode, &left, &moved);

	/* Busy: a reader still needs the log, so it is tried again later. */
	if (result != SQLITE_OK && (result & 0xff) != SQLITE_BUSY) {
		struct error err;
		connection_fail(&writer->connection, &err);
		LOG(LOG_WARNING, "store_checkpoint_failed", LOG_C(error, err.message));
	}
	writer->wal_pages = 0;
}

/* Waits for work; false when the wait was long and nothing came. Called with the lock held. */
static bool wait_for_work(struct writer *writer)
{
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += IDLE_CHECKPOINT_MS / 1000;
	while (writer->first == NULL && writer->backups == NULL && !writer->is_closing) {
		if (writer->wal_pages == 0)
			pthread_cond_wait(&writer->work, &writer->lock);
		else if (pthread_cond_timedwait(&writer->work, &writer->lock, &until) == ETIMEDOUT)
			return false;
	}
	return true;
}

static struct pending *take_writes(struct writer *writer)
{
	struct pending *batch = writer->first;

	writer->first = NULL;
	writer->last = &writer->first;
	writer->length = 0;
	return batch;
}

static struct pending *take_backup(struct writer *writer)
{
	struct pending *asker = writer->backup.asker == NULL ? writer->backups : NULL;

	if (asker != NULL)
		writer->backups = asker->next;
	return asker;
}

/* One turn: the writes that have gathered, then a step of a backup, then the log. */
static bool turn(struct writer *writer)
{
	bool has_work = true;

	pthread_mutex_lock(&writer->lock);
	if (writer->is_inline)
		has_work = writer->first != NULL || writer->backups != NULL ||
			   writer->backup.asker != NULL;
	else if (writer->backup.asker == NULL)
		has_work = wait_for_work(writer);
	struct pending *batch = take_writes(writer);
	struct pending *asker = take_backup(writer);
	bool is_closing = writer->is_closing;
	pthread_mutex_unlock(&writer->lock);

	if (batch != NULL)
		commit_batch(writer, batch);
	if (asker != NULL)
		backup_begin(writer, asker);
	if (writer->backup.asker != NULL && is_closing)
		backup_abandon(writer);
	else if (writer->backup.asker != NULL)
		backup_step(writer);
	if (!has_work)
		checkpoint(writer, SQLITE_CHECKPOINT_TRUNCATE);
	else if (writer->wal_pages > WAL_PAGES_MAX)
		checkpoint(writer, SQLITE_CHECKPOINT_PASSIVE);
	return !is_closing || batch != NULL || asker != NULL;
}

static void *run(void *context)
{
	while (turn(context))
		;
	return NULL;
}

/* --- without a thread ------------------------------------------------------------------------ */

static void inline_turn(struct loop_timer *timer)
{
	struct writer *writer = timer->context;
	int64_t now_ns = clock_monotonic_ns(loop_clock(writer->loop));

	turn(writer);
	/* A turn may have been asked for by who was told meanwhile. */
	if (timer->place == 0 && writer->backup.asker != NULL)
		loop_timer_set(writer->loop, timer, now_ns);
	else if (timer->place == 0 && writer->wal_pages > 0)
		loop_timer_set(writer->loop, timer, now_ns + IDLE_CHECKPOINT_MS * 1000000LL);
}

/* With the lock held: something was queued. */
static void call_writer(struct writer *writer)
{
	struct loop *loop = loop_current();

	if (loop == NULL)
		return;
	int64_t now_ns = clock_monotonic_ns(loop_clock(loop));
	int64_t at_ns = now_ns + (int64_t)random_below(loop_random(loop), INLINE_NS_MAX);
	/* What is on its way already takes the new one along; a checkpoint may wait. */
	if (writer->timer.place == 0 || writer->timer.at_ns > now_ns + INLINE_NS_MAX) {
		writer->loop = loop;
		writer->timer.callback = inline_turn;
		writer->timer.context = writer;
		loop_timer_set(loop, &writer->timer, at_ns);
	}
}

/* Outside of loops nobody would ring. */
static void do_all(struct writer *writer)
{
	while (writer->first != NULL || writer->backups != NULL || writer->backup.asker != NULL)
		turn(writer);
}

bool writer_start(struct writer *writer, struct error *err)
{
	sigset_t all, before;

	if (writer->is_inline)
		return true;
	/* Signals are for the main thread. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	int result = pthread_create(&writer->thread, NULL, run, writer);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (result != 0)
		return error_set(err, ERROR_UNAVAILABLE, "cannot start the store's thread: %s",
				 strerror(result));
	return true;
}

void writer_stop(struct writer *writer)
{
	pthread_mutex_lock(&writer->lock);
	writer->is_closing = true;
	pthread_cond_signal(&writer->work);
	pthread_mutex_unlock(&writer->lock);
	if (!writer->is_inline) {
		pthread_join(writer->thread, NULL);
		return;
	}
	do_all(writer);
	if (writer->loop != NULL)
		loop_timer_clear(writer->loop, &writer->timer);
}

void writer_close(struct writer *writer)
{
	assert(writer->first == NULL && writer->backup.asker == NULL);
	checkpoint(writer, SQLITE_CHECKPOINT_TRUNCATE);
	connection_close(&writer->connection);
	pthread_cond_destroy(&writer->work);
	pthread_mutex_destroy(&writer->lock);
}
