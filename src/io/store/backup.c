#include "io/store/writer.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdlib.h>
#include <unistd.h>

/* A backup is made by the writer thread on the writer's connection, some pages between two
 * commits: SQLite then puts what is committed meanwhile into the copy too, and nobody waits for
 * longer than one step. */
enum { STEP_PAGES = 256 };

static void finish(struct writer *writer, bool ok)
{
	struct backup *backup = &writer->backup;
	struct pending *asker = backup->asker;

	sqlite3_backup_finish(backup->copy);
	sqlite3_close(backup->to);
	if (backup->part != NULL)
		unlink(backup->part);
	free(backup->part);
	*backup = (struct backup){0};
	writer_answer(writer, asker, ok);
}

static bool fail(struct backup *backup, const char *what)
{
	return error_set(backup->asker->err, ERROR_UNAVAILABLE, "cannot %s the backup %s: %s", what,
			 backup->asker->backup_path, strerror(errno));
}

/* SQLite would make the file readable to all. */
static bool create_file(struct backup *backup)
{
	size_t len = strlen(backup->asker->backup_path) + sizeof ".part";
	int fd;

	if (access(backup->asker->backup_path, F_OK) == 0)
		return error_set(backup->asker->err, ERROR_CONFLICT, "%s exists already",
				 backup->asker->backup_path);
	backup->part = malloc(len);
	if (backup->part == NULL)
		die("out of memory for a path");
	snprintf(backup->part, len, "%s.part", backup->asker->backup_path);
	unlink(backup->part);
	fd = open(backup->part, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return fail(backup, "create");
	close(fd);
	return true;
}

static bool open_copy(struct writer *writer)
{
	struct backup *backup = &writer->backup;

	/* No journal: a copy that is not finished is thrown away. It is synced once, at the end. */
	if (sqlite3_open_v2(backup->part, &backup->to, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX,
			    writer->vfs) == SQLITE_OK &&
	    sqlite3_exec(backup->to, "PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF;"
				     "PRAGMA cache_size=-1024",
			 NULL, NULL, NULL) == SQLITE_OK)
		backup->copy = sqlite3_backup_init(backup->to, "main", writer->connection.db, "main");
	if (backup->copy != NULL)
		return true;
	return error_set(backup->asker->err, ERROR_UNAVAILABLE, "cannot begin the backup %s: %s",
			 backup->asker->backup_path, sqlite3_errmsg(backup->to));
}

void backup_begin(struct writer *writer, struct pending *asker)
{
	writer->backup.asker = asker;
	if (!create_file(&writer->backup) || !open_copy(writer))
		finish(writer, false);
}

static bool sync_path(const char *path, int flags)
{
	int fd = open(path, flags | O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return false;
	bool ok = fsync(fd) == 0;
	close(fd);
	return ok;
}

/* The name appears when the file is whole and on the disk; an existing one is left alone. */
static bool publish(struct backup *backup)
{
	char folder[PATH_MAX];

	snprintf(folder, sizeof folder, "%s", backup->asker->backup_path);
	if (!sync_path(backup->part, 0))
		return fail(backup, "write");
	if (link(backup->part, backup->asker->backup_path) != 0)
		return fail(backup, "name");
	if (!sync_path(dirname(folder), O_DIRECTORY))
		return fail(backup, "sync the folder of");
	return true;
}

void backup_step(struct writer *writer)
{
	struct backup *backup = &writer->backup;
	int result = sqlite3_backup_step(backup->copy, STEP_PAGES);

	if (result == SQLITE_OK)
		return;
	if (result != SQLITE_DONE) {
		error_set(backup->asker->err, ERROR_UNAVAILABLE, "the backup %s failed: %s",
			  backup->asker->backup_path, sqlite3_errstr(result));
		finish(writer, false);
		return;
	}
	sqlite3_backup_finish(backup->copy);
	backup->copy = NULL;
	bool ok = sqlite3_close(backup->to) == SQLITE_OK;
	backup->to = NULL;
	if (!ok)
		error_set(backup->asker->err, ERROR_UNAVAILABLE, "the backup %s could not be closed",
			  backup->asker->backup_path);
	finish(writer, ok && publish(backup));
}

void backup_abandon(struct writer *writer)
{
	error_set(writer->backup.asker->err, ERROR_UNAVAILABLE,
		  "the store closed before the backup was whole");
	finish(writer, false);
}
