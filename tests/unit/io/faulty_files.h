/* A file layer for SQLite that is the system's, but whose writes and syncs can be told to fail and
 * whose syncs can be held up: for tests that want a full disk, a broken one, or a slow one. */
#ifndef TESTS_FAULTY_FILES_H
#define TESTS_FAULTY_FILES_H

#include <pthread.h>
#include <sqlite3.h>
#include <stdbool.h>

/* The system has a table of methods for databases and one for logs. */
struct faulty_methods {
	sqlite3_io_methods methods; /* first: a file points to it */
	const sqlite3_io_methods *real;
};

static struct {
	sqlite3_vfs vfs;
	struct faulty_methods tables[4];
	_Atomic int write_result; /* what each write answers; SQLITE_OK: the truth */
	_Atomic int sync_result;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool is_shut;      /* syncs wait at the gate */
	bool is_anyone_at_gate;
} faulty = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

static const sqlite3_io_methods *faulty_real(const sqlite3_file *file)
{
	return ((const struct faulty_methods *)(const void *)file->pMethods)->real;
}

static int faulty_write(sqlite3_file *file, const void *bytes, int len, sqlite3_int64 at)
{
	if (faulty.write_result != SQLITE_OK)
		return faulty.write_result;
	return faulty_real(file)->xWrite(file, bytes, len, at);
}

static int faulty_sync(sqlite3_file *file, int flags)
{
	pthread_mutex_lock(&faulty.lock);
	while (faulty.is_shut) {
		faulty.is_anyone_at_gate = true;
		pthread_cond_broadcast(&faulty.changed);
		pthread_cond_wait(&faulty.changed, &faulty.lock);
	}
	pthread_mutex_unlock(&faulty.lock);
	if (faulty.sync_result != SQLITE_OK)
		return faulty.sync_result;
	return faulty_real(file)->xSync(file, flags);
}

static int faulty_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *out)
{
	sqlite3_vfs *system = sqlite3_vfs_find("unix");
	int result = system->xOpen(vfs, name, file, flags, out);

	if (result != SQLITE_OK || file->pMethods == NULL)
		return result;
	pthread_mutex_lock(&faulty.lock);
	struct faulty_methods *table = faulty.tables;
	while (table->real != NULL && table->real != file->pMethods)
		table++;
	if (table->real == NULL) {
		table->real = file->pMethods;
		table->methods = *file->pMethods;
		table->methods.xWrite = faulty_write;
		table->methods.xSync = faulty_sync;
	}
	file->pMethods = &table->methods;
	pthread_mutex_unlock(&faulty.lock);
	return result;
}

/* Its name, for store_options. */
static const char *faulty_files(void)
{
	faulty.write_result = faulty.sync_result = SQLITE_OK;
	faulty.is_shut = faulty.is_anyone_at_gate = false;
	if (faulty.vfs.zName == NULL) {
		faulty.vfs = *sqlite3_vfs_find("unix");
		faulty.vfs.zName = "faulty";
		faulty.vfs.xOpen = faulty_open;
		sqlite3_vfs_register(&faulty.vfs, 0);
	}
	return "faulty";
}

static void faulty_shut_gate(void)
{
	pthread_mutex_lock(&faulty.lock);
	faulty.is_shut = true;
	faulty.is_anyone_at_gate = false;
	pthread_mutex_unlock(&faulty.lock);
}

static void faulty_wait_at_gate(void)
{
	pthread_mutex_lock(&faulty.lock);
	while (!faulty.is_anyone_at_gate)
		pthread_cond_wait(&faulty.changed, &faulty.lock);
	pthread_mutex_unlock(&faulty.lock);
}

static void faulty_open_gate(void)
{
	pthread_mutex_lock(&faulty.lock);
	faulty.is_shut = false;
	pthread_cond_broadcast(&faulty.changed);
	pthread_mutex_unlock(&faulty.lock);
}

#endif
