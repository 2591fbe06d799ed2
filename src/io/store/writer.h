/* The one thread that commits and checkpoints. Private to the store.
 *
 * SQLite before 3.51.3 can lose commits when one connection starts a checkpoint while another
 * commits and resets the log. Here both are done by this thread on one connection, no other
 * connection may do either, and this one closes last: the two can never meet. */
#ifndef IO_STORE_WRITER_H
#define IO_STORE_WRITER_H

#include <pthread.h>

#include "io/store/connection.h"

/* What somebody asked of the writer: a write, or a backup. Lives on the asker's stack (who waits
 * until is_done), or was allocated for a write that nobody waits for. */
struct pending {
	struct pending *next;
	const struct store_statement *statements;
	size_t count;
	struct arena *arena; /* of the one statement's rows, if the asker wants them; or NULL */
	struct store_rows *rows;
	size_t rows_max;
	const char *backup_path; /* NULL: a write */
	struct error *err;
	bool ok;
	bool is_later;  /* nobody waits: the writer frees it */
	bool in_fiber;
	bool is_done;   /* under the writer's lock, for threads */
	pthread_cond_t done;
	struct loop_wait wait;
};

struct backup {
	struct pending *asker; /* NULL: none is running */
	sqlite3 *to;
	sqlite3_backup *copy;
	char *part; /* the file's name until it is whole */
};

struct writer {
	struct connection connection;
	const char *vfs;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t work;
	struct pending *first;
	struct pending **last;
	struct pending *backups;
	size_t length;
	size_t length_max;
	bool is_closing;
	bool is_inline; /* the asking loop's timer stands in for the thread */
	struct loop *loop;
	struct loop_timer timer;
	void (*tell)(void *context); /* of news; NULL: nobody */
	void *tell_context;
	/* The writer thread's own. */
	bool has_news; /* in the batch that is being done */
	struct backup backup;
	int wal_pages;
	_Atomic uint64_t commits;
	_Atomic uint64_t writes;
};

/* Opens the database and migrates it; on failure there is nothing to close. */
bool writer_open(struct writer *writer, const char *path, const struct store_options *options,
		 struct error *err) MUST_CHECK;
bool writer_start(struct writer *writer, struct error *err) MUST_CHECK;
/* Does what is queued and ends the thread. */
void writer_stop(struct writer *writer);
/* Moves the log into the database and closes it. All other connections must be closed. */
void writer_close(struct writer *writer);

/* Queues it and waits until it is done. */
bool writer_ask(struct writer *writer, struct pending *pending, struct error *err) MUST_CHECK;
/* Queues a write that the writer frees when it is done. */
bool writer_ask_later(struct writer *writer, struct pending *pending,
		      struct error *err) MUST_CHECK;

/* Tells the asker. The pending may be gone when this returns. */
void writer_answer(struct writer *writer, struct pending *pending, bool ok);

/* backup.c: begins the asked one; does a step of the running one, and ends it. */
void backup_begin(struct writer *writer, struct pending *asker);
void backup_step(struct writer *writer);
void backup_abandon(struct writer *writer);

#endif
