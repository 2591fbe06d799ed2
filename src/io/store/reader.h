/* Read-only connections, one per thread that reads; kept in a register, so that all are closed
 * with the store and one whose thread has ended serves another. Private to the store. */
#ifndef IO_STORE_READER_H
#define IO_STORE_READER_H

#include <pthread.h>

#include "io/store/connection.h"

struct reader;

struct reader_register {
	pthread_mutex_t lock;
	pthread_key_t key;    /* the calling thread's reader */
	struct reader *all;
	struct reader *idle;
	const char *path;
	const char *vfs;
};

bool reader_register_init(struct reader_register *readers, const char *path, const char *vfs,
			  struct error *err) MUST_CHECK;
/* Closes all. No thread may be reading. */
void reader_register_finish(struct reader_register *readers);
/* The calling thread's connection. */
struct connection *reader_connection(struct reader_register *readers,
				     struct error *err) MUST_CHECK;

#endif
