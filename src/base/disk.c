#include "base/disk.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/random.h"

static bool fail(struct error *err, const char *what, const char *path)
{
	enum error_code code = errno == ENOENT ? ERROR_NOT_FOUND : ERROR_UNAVAILABLE;

	return error_set(err, code, "cannot %s %s: %s", what, path, strerror(errno));
}

static bool read_all(int fd, char *bytes, size_t len, size_t *got)
{
	*got = 0;
	while (*got < len) {
		ssize_t step = read(fd, bytes + *got, len - *got);
		if (step < 0 && errno == EINTR)
			continue;
		if (step < 0)
			return false;
		if (step == 0)
			break;
		*got += (size_t)step;
	}
	return true;
}

static bool system_read(void *context, struct arena *arena, const char *path, size_t bytes_max,
			struct str *out, struct error *err)
{
	struct stat status;
	/* Not to be held up by a pipe, which is refused below. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	bool ok = false;

	(void)context;
	if (fd < 0)
		return fail(err, "open", path);
	if (fstat(fd, &status) != 0) {
		fail(err, "read", path);
		goto done;
	}
	if (!S_ISREG(status.st_mode)) {
		error_set(err, ERROR_INVALID, "%s is not a file", path);
		goto done;
	}
	if ((uint64_t)status.st_size > bytes_max) {
		error_set(err, ERROR_LIMIT, "%s is larger than %zu bytes", path, bytes_max);
		goto done;
	}
	char *bytes = arena_alloc(arena, (size_t)status.st_size + 1);
	size_t got;
	if (!read_all(fd, bytes, (size_t)status.st_size, &got)) {
		fail(err, "read", path);
		goto done;
	}
	bytes[got] = '\0';
	*out = str_make(bytes, got);
	ok = true;
done:
	close(fd);
	return ok;
}

static bool write_all(int fd, struct str bytes)
{
	while (bytes.len > 0) {
		ssize_t step = write(fd, bytes.data, bytes.len);
		if (step < 0 && errno == EINTR)
			continue;
		if (step < 0)
			return false;
		bytes = str_slice(bytes, (size_t)step, bytes.len);
	}
	return true;
}

/* A new name survives a power cut only when its folder was synced too. */
static bool sync_folder_of(const char *path)
{
	char copy[PATH_MAX];

	snprintf(copy, sizeof copy, "%s", path);
	int fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return false;
	bool ok = fsync(fd) == 0;

	close(fd);
	return ok;
}

static bool system_create(void *context, const char *path, struct str bytes, unsigned mode,
			  struct error *err)
{
	char part[PATH_MAX];
	uint64_t unique;

	(void)context;
	/* Written aside and linked, so that a torn file never bears the name. No other thread,
	 * process or container that shares the folder writes to the same part. */
	random_fill(random_system(), &unique, sizeof unique);
	if (snprintf(part, sizeof part, "%s.part.%016llx", path, (unsigned long long)unique) >=
	    (int)sizeof part)
		return error_set(err, ERROR_INVALID, "the path %s is too long", path);
	int fd = open(part, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
	if (fd < 0)
		return fail(err, "create", path);
	bool ok = write_all(fd, bytes) && fsync(fd) == 0;
	if (close(fd) != 0)
		ok = false;
	if (!ok)
		fail(err, "write", path);
	else if (link(part, path) != 0) {
		ok = errno == EEXIST ? error_set(err, ERROR_CONFLICT, "%s exists already", path)
				     : fail(err, "create", path);
	} else if (!sync_folder_of(path)) {
		ok = fail(err, "sync the folder of", path);
	}
	unlink(part);
	return ok;
}

static int compare_names(const void *a, const void *b)
{
	return str_compare(*(const struct str *)a, *(const struct str *)b);
}

/* False with errno. */
static bool read_names(DIR *folder, struct arena *arena, struct str **names, size_t *count)
{
	struct dirent *entry;
	size_t capacity = 0;

	while (errno = 0, (entry = readdir(folder)) != NULL) {
		if (entry->d_name[0] == '.')
			continue;
		if (*count == capacity) {
			size_t wanted = capacity == 0 ? 16 : capacity * 2;
			*names = arena_grow(arena, *names, capacity * sizeof **names,
					    wanted * sizeof **names);
			capacity = wanted;
		}
		(*names)[(*count)++] = arena_str(arena, str_from_c(entry->d_name));
	}
	return errno == 0;
}

static bool system_list(void *context, struct arena *arena, const char *path, struct str **names,
			size_t *count, struct error *err)
{
	DIR *folder = opendir(path);
	struct str *found = NULL;
	size_t n = 0;

	(void)context;
	if (folder == NULL)
		return fail(err, "list", path);
	bool ok = read_names(folder, arena, &found, &n) || fail(err, "list", path);
	closedir(folder);
	if (!ok)
		return false;
	if (n > 1)
		qsort(found, n, sizeof *found, compare_names);
	*names = found;
	*count = n;
	return true;
}

/* False with errno. */
static bool is_folder(const char *path)
{
	struct stat status;

	if (stat(path, &status) != 0)
		return false;
	errno = ENOTDIR;
	return S_ISDIR(status.st_mode);
}

static bool system_make_folder(void *context, const char *path, unsigned mode, struct error *err)
{
	char part[PATH_MAX];

	(void)context;
	if (path[0] == '\0')
		return error_set(err, ERROR_INVALID, "the path of a folder is empty");
	if (snprintf(part, sizeof part, "%s", path) >= (int)sizeof part)
		return error_set(err, ERROR_INVALID, "the path %s is too long", path);
	for (char *at = part + 1;; at++) {
		if (*at != '/' && *at != '\0')
			continue;
		char kept = *at;
		*at = '\0';
		if (mkdir(part, mode) != 0 && (errno != EEXIST || !is_folder(part)))
			return fail(err, "make the folder", part);
		*at = kept;
		if (kept == '\0')
			return true;
	}
}

const struct disk *disk_system(void)
{
	static const struct disk system = {system_read, system_create, system_list,
					   system_make_folder, NULL};

	return &system;
}
