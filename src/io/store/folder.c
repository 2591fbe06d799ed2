#include "io/store/folder.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/disk.h"

enum { PID_TRIES = 5, PID_PAUSE_MS = 10 };

static bool check_folder(const char *folder, struct error *err)
{
	struct stat status;

	if (!disk_make_folder(disk_system(), folder, 0700, err))
		return false;
	if (stat(folder, &status) != 0)
		return error_set(err, ERROR_UNAVAILABLE, "cannot look at the data folder %s: %s",
				 folder, strerror(errno));
	/* Whoever may write here can put another database in our place. */
	if (status.st_mode & (S_IWGRP | S_IWOTH))
		return error_set(err, ERROR_FORBIDDEN,
				 "others may write to the data folder %s; chmod 700 it", folder);
	return true;
}

static int open_file(const char *folder, const char *name, struct error *err)
{
	char path[PATH_MAX];
	int fd;

	if (snprintf(path, sizeof path, "%s/%s", folder, name) >= (int)sizeof path) {
		error_set(err, ERROR_INVALID, "the data folder's path is too long");
		return -1;
	}
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		error_set(err, ERROR_UNAVAILABLE, "cannot open %s: %s", path, strerror(errno));
	return fd;
}

/* A lock of the open file, not of the process: two stores in one process exclude each other too,
 * and closing some other descriptor of the file does not lose it. */
static bool try_lock(int fd)
{
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};

	return fcntl(fd, F_OFD_SETLK, &lock) == 0;
}

static bool write_pid(int fd, struct error *err)
{
	char text[24];
	int len = snprintf(text, sizeof text, "%ld\n", (long)getpid());

	if (ftruncate(fd, 0) == 0 && pwrite(fd, text, (size_t)len, 0) == len)
		return true;
	return error_set(err, ERROR_UNAVAILABLE, "cannot write the lock file: %s", strerror(errno));
}

static int64_t read_pid(int fd)
{
	char text[24];
	ssize_t len = pread(fd, text, sizeof text, 0);
	int64_t pid;

	if (len <= 0 || !str_to_int64(str_trim(str_make(text, (size_t)len)), &pid))
		return 0;
	return pid;
}

/* The owner may have locked the file this very moment and not have written its id yet. */
static bool lock_or_name_owner(int fd, const char *folder, struct error *err)
{
	int64_t pid = 0;

	for (int i = 0; i < PID_TRIES; i++) {
		if (try_lock(fd))
			return write_pid(fd, err);
		if (errno != EAGAIN && errno != EACCES)
			return error_set(err, ERROR_UNAVAILABLE, "cannot lock the data folder %s: %s",
					 folder, strerror(errno));
		pid = read_pid(fd);
		if (pid != 0)
			break;
		poll(NULL, 0, PID_PAUSE_MS);
	}
	if (pid == 0)
		return error_set(err, ERROR_CONFLICT,
				 "the data folder %s is in use by another process", folder);
	return error_set(err, ERROR_CONFLICT, "the data folder %s is in use by process %lld",
			 folder, (long long)pid);
}

int folder_lock(const char *folder, struct error *err)
{
	int fd;

	if (!check_folder(folder, err))
		return -1;
	fd = open_file(folder, "tenon.lock", err);
	if (fd < 0)
		return -1;
	if (!lock_or_name_owner(fd, folder, err)) {
		close(fd);
		return -1;
	}
	return fd;
}

bool folder_make_database(const char *folder, struct error *err)
{
	int database = open_file(folder, "tenon.db", err);

	if (database >= 0)
		close(database);
	return database >= 0;
}

void folder_unlock(int fd)
{
	/* Emptied, so that nobody is told of a process that has long ended. */
	if (ftruncate(fd, 0) != 0)
		(void)errno;
	close(fd);
}
