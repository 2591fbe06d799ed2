/* Plain files come through this table only (the store has SQLite's own such table), so that a
 * simulated disk can fail, tear and forget. */
#ifndef BASE_DISK_H
#define BASE_DISK_H

#include "base/arena.h"

struct disk {
	/* The whole file into the arena; ERROR_NOT_FOUND, ERROR_LIMIT past bytes_max, else
	 * ERROR_UNAVAILABLE. */
	bool (*read)(void *context, struct arena *arena, const char *path, size_t bytes_max,
		     struct str *out, struct error *err);
	/* Writes a new file with this mode and syncs it and its folder; an existing file is left
	 * alone: ERROR_CONFLICT. */
	bool (*create)(void *context, const char *path, struct str bytes, unsigned mode,
		       struct error *err);
	/* Names in a folder, sorted bytewise, without those that begin with a dot. */
	bool (*list)(void *context, struct arena *arena, const char *path, struct str **names,
		     size_t *count, struct error *err);
	/* Makes the folder and those above it; an existing one is no error. */
	bool (*make_folder)(void *context, const char *path, unsigned mode, struct error *err);
	void *context;
};

const struct disk *disk_system(void);

static inline bool disk_read(const struct disk *disk, struct arena *arena, const char *path,
			     size_t bytes_max, struct str *out, struct error *err)
{
	return disk->read(disk->context, arena, path, bytes_max, out, err);
}
static inline bool disk_create(const struct disk *disk, const char *path, struct str bytes,
			       unsigned mode, struct error *err)
{
	return disk->create(disk->context, path, bytes, mode, err);
}
static inline bool disk_list(const struct disk *disk, struct arena *arena, const char *path,
			     struct str **names, size_t *count, struct error *err)
{
	return disk->list(disk->context, arena, path, names, count, err);
}
static inline bool disk_make_folder(const struct disk *disk, const char *path, unsigned mode,
				    struct error *err)
{
	return disk->make_folder(disk->context, path, mode, err);
}

#endif
