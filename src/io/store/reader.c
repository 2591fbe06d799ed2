#include "io/store/reader.h"

#include <stdlib.h>

struct reader {
	struct reader_register *readers;
	struct reader *next;
	struct reader *next_idle;
	struct connection connection;
};

/* Called when a thread ends that had a reader. */
static void release(void *thing)
{
	struct reader *reader = thing;
	struct reader_register *readers = reader->readers;

	pthread_mutex_lock(&readers->lock);
	reader->next_idle = readers->idle;
	readers->idle = reader;
	pthread_mutex_unlock(&readers->lock);
}

bool reader_register_init(struct reader_register *readers, const char *path, const char *vfs,
			  struct error *err)
{
	*readers = (struct reader_register){.path = path, .vfs = vfs};
	if (pthread_key_create(&readers->key, release) != 0)
		return error_set(err, ERROR_UNAVAILABLE, "too many stores are open");
	pthread_mutex_init(&readers->lock, NULL);
	return true;
}

void reader_register_finish(struct reader_register *readers)
{
	pthread_key_delete(readers->key);
	while (readers->all != NULL) {
		struct reader *reader = readers->all;
		readers->all = reader->next;
		connection_close(&reader->connection);
		free(reader);
	}
	pthread_mutex_destroy(&readers->lock);
}

static struct reader *take_idle(struct reader_register *readers)
{
	pthread_mutex_lock(&readers->lock);
	struct reader *reader = readers->idle;
	if (reader != NULL)
		readers->idle = reader->next_idle;
	pthread_mutex_unlock(&readers->lock);
	return reader;
}

static struct reader *open_reader(struct reader_register *readers, struct error *err)
{
	struct reader *reader = calloc(1, sizeof *reader);

	if (reader == NULL)
		die("out of memory for a store's connection");
	if (!connection_open(&reader->connection, readers->path, readers->vfs, false, err)) {
		free(reader);
		return NULL;
	}
	reader->readers = readers;
	pthread_mutex_lock(&readers->lock);
	reader->next = readers->all;
	readers->all = reader;
	pthread_mutex_unlock(&readers->lock);
	return reader;
}

struct connection *reader_connection(struct reader_register *readers, struct error *err)
{
	struct reader *reader = pthread_getspecific(readers->key);

	if (reader == NULL) {
		reader = take_idle(readers);
		if (reader == NULL)
			reader = open_reader(readers, err);
		if (reader == NULL)
			return NULL;
		pthread_setspecific(readers->key, reader);
	}
	return &reader->connection;
}
