/* A folder of its own for each test, removed with all that is in it. */
#ifndef TESTS_FOLDER_H
#define TESTS_FOLDER_H

#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static inline void folder_make(char path[PATH_MAX])
{
	const char *parent = getenv("TMPDIR");

	snprintf(path, PATH_MAX, "%s/tenon-test-XXXXXX", parent == NULL ? "/tmp" : parent);
	if (mkdtemp(path) == NULL)
		abort();
}

static inline int folder_remove_one(const char *path, const struct stat *status, int type,
				    struct FTW *place)
{
	(void)status;
	(void)type;
	(void)place;
	return remove(path);
}

static inline void folder_remove(const char *path)
{
	nftw(path, folder_remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

#endif
