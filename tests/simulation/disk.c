/* Files in memory, as SQLite sees them. What was written but not synced is at chance's mercy when
 * the power goes: each write stays, goes, or is torn in the middle, whatever the order. */
#include <sqlite3.h>

#include "simulation.h"

enum { REGIONS_MAX = 16 };

struct sim_shm {
	char *regions[REGIONS_MAX];
	int shared[SQLITE_SHM_NLOCK];
	bool is_exclusive[SQLITE_SHM_NLOCK];
};

/* An open file. */
struct handle {
	sqlite3_file base; /* first */
	struct disk_twin *disk;
	struct sim_file *file;
	uint64_t boot;
	unsigned shared, exclusive; /* locks of the shared memory, as bits */
};

static struct disk_twin *the_disk;

static bool is_dead(const struct handle *handle)
{
	return handle->disk->is_dead || handle->boot != handle->disk->boot;
}

/* A step at which the power may go. */
static bool step(struct handle *handle)
{
	struct disk_twin *disk = handle->disk;

	if (is_dead(handle))
		return false;
	if (++disk->steps != disk->dies_at)
		return true;
	disk->is_dead = true;
	disk->died(disk->context);
	return false;
}

/* --- bytes ----------------------------------------------------------------------------------- */

static void make_room(char **bytes, size_t *capacity, size_t wanted)
{
	if (wanted <= *capacity)
		return;
	size_t grown = *capacity == 0 ? 64 * KIB : *capacity;
	while (grown < wanted)
		grown *= 2;
	*bytes = realloc(*bytes, grown);
	if (*bytes == NULL)
		die("out of memory for a simulated file");
	memset(*bytes + *capacity, 0, grown - *capacity);
	*capacity = grown;
}

static void put_bytes(char **bytes, size_t *len, size_t *capacity, int64_t at, const void *from,
		      size_t count)
{
	make_room(bytes, capacity, (size_t)at + count);
	memcpy(*bytes + at, from, count);
	if ((size_t)at + count > *len)
		*len = (size_t)at + count;
}

static void cut_bytes(char **bytes, size_t *len, size_t *capacity, size_t at)
{
	make_room(bytes, capacity, at);
	if (at < *len)
		memset(*bytes + at, 0, *len - at);
	*len = at;
}

static void note_unsynced(struct sim_file *file, int64_t at, const void *bytes, size_t len)
{
	struct unsynced *piece = malloc(sizeof *piece + len);

	if (piece == NULL)
		die("out of memory for a simulated write");
	*piece = (struct unsynced){.at = at, .len = len, .is_cut = bytes == NULL};
	if (bytes != NULL)
		memcpy(piece->bytes, bytes, len);
	*file->last = piece;
	file->last = &piece->next;
}

static void make_durable(struct sim_file *file, const struct unsynced *piece, size_t len)
{
	if (piece->is_cut)
		cut_bytes(&file->durable, &file->durable_len, &file->durable_capacity,
			  (size_t)piece->at);
	else
		put_bytes(&file->durable, &file->durable_len, &file->durable_capacity, piece->at,
			  piece->bytes, len);
}

static void drop_unsynced(struct sim_file *file)
{
	for (struct unsynced *piece = file->first, *next; piece != NULL; piece = next) {
		next = piece->next;
		free(piece);
	}
	file->first = NULL;
	file->last = &file->first;
}

static void sync_file(struct sim_file *file)
{
	for (const struct unsynced *piece = file->first; piece != NULL; piece = piece->next)
		make_durable(file, piece, piece->len);
	drop_unsynced(file);
}

static void lose_power(struct sim_file *file, struct random_seeded *seeded)
{
	for (const struct unsynced *piece = file->first; piece != NULL; piece = piece->next) {
		uint64_t fate = random_seeded_next(seeded) % 4;

		if (fate < 2)
			make_durable(file, piece, piece->len);
		else if (fate == 2 && !piece->is_cut)
			make_durable(file, piece, random_seeded_next(seeded) % (piece->len + 1));
	}
	drop_unsynced(file);
	cut_bytes(&file->bytes, &file->len, &file->capacity, 0);
	put_bytes(&file->bytes, &file->len, &file->capacity, 0, file->durable, file->durable_len);
}

/* --- methods of a file ----------------------------------------------------------------------- */

static int file_close(sqlite3_file *base)
{
	(void)base;
	return SQLITE_OK;
}

static int file_read(sqlite3_file *base, void *out, int len, sqlite3_int64 at)
{
	struct handle *handle = (struct handle *)base;
	struct sim_file *file = handle->file;
	size_t there = (size_t)at < file->len ? file->len - (size_t)at : 0;

	if (is_dead(handle))
		return SQLITE_IOERR_READ;
	if (there > (size_t)len)
		there = (size_t)len;
	if (there > 0)
		memcpy(out, file->bytes + at, there);
	memset((char *)out + there, 0, (size_t)len - there);
	return there == (size_t)len ? SQLITE_OK : SQLITE_IOERR_SHORT_READ;
}

static int file_write(sqlite3_file *base, const void *bytes, int len, sqlite3_int64 at)
{
	struct handle *handle = (struct handle *)base;
	struct sim_file *file = handle->file;

	if (is_dead(handle))
		return SQLITE_IOERR_WRITE;
	put_bytes(&file->bytes, &file->len, &file->capacity, at, bytes, (size_t)len);
	note_unsynced(file, at, bytes, (size_t)len);
	return step(handle) ? SQLITE_OK : SQLITE_IOERR_WRITE;
}

static int file_truncate(sqlite3_file *base, sqlite3_int64 size)
{
	struct handle *handle = (struct handle *)base;
	struct sim_file *file = handle->file;

	if (is_dead(handle))
		return SQLITE_IOERR_TRUNCATE;
	cut_bytes(&file->bytes, &file->len, &file->capacity, (size_t)size);
	note_unsynced(file, size, NULL, 0);
	return step(handle) ? SQLITE_OK : SQLITE_IOERR_TRUNCATE;
}

static int file_sync(sqlite3_file *base, int flags)
{
	struct handle *handle = (struct handle *)base;

	(void)flags;
	if (!step(handle))
		return SQLITE_IOERR_FSYNC;
	handle->disk->syncs++;
	sync_file(handle->file);
	return SQLITE_OK;
}

static int file_size(sqlite3_file *base, sqlite3_int64 *size)
{
	*size = (sqlite3_int64)((struct handle *)base)->file->len;
	return SQLITE_OK;
}

/* One process has the folder: file locks never meet. */
static int file_lock(sqlite3_file *base, int level)
{
	(void)level;
	return is_dead((struct handle *)base) ? SQLITE_IOERR_LOCK : SQLITE_OK;
}

static int file_check_reserved(sqlite3_file *base, int *is_reserved)
{
	(void)base;
	*is_reserved = 0;
	return SQLITE_OK;
}

static int file_control(sqlite3_file *base, int what, void *argument)
{
	(void)base;
	(void)what;
	(void)argument;
	return SQLITE_NOTFOUND;
}

static int file_sector(sqlite3_file *base)
{
	(void)base;
	return 4096;
}

static int file_traits(sqlite3_file *base)
{
	(void)base;
	return SQLITE_IOCAP_POWERSAFE_OVERWRITE;
}

/* --- shared memory --------------------------------------------------------------------------- */

static int shm_map(sqlite3_file *base, int region, int size, int extend, void volatile **out)
{
	struct handle *handle = (struct handle *)base;
	struct sim_shm *shm = handle->disk->shm;

	*out = NULL;
	if (is_dead(handle))
		return SQLITE_IOERR_SHMMAP;
	if (region >= REGIONS_MAX)
		return SQLITE_FULL;
	if (shm->regions[region] == NULL && extend)
		shm->regions[region] = calloc(1, (size_t)size);
	*out = shm->regions[region];
	return SQLITE_OK;
}

static bool may_lock(const struct sim_shm *shm, const struct handle *handle, int i, bool shared)
{
	unsigned bit = 1u << i;

	if (shm->is_exclusive[i] && !(handle->exclusive & bit))
		return false;
	return shared || shm->shared[i] == ((handle->shared & bit) ? 1 : 0);
}

static void set_lock(struct sim_shm *shm, struct handle *handle, int i, int flags)
{
	unsigned bit = 1u << i;
	bool is_lock = flags & SQLITE_SHM_LOCK;

	if (flags & SQLITE_SHM_SHARED) {
		if (!(handle->shared & bit) == is_lock)
			shm->shared[i] += is_lock ? 1 : -1;
		handle->shared = is_lock ? handle->shared | bit : handle->shared & ~bit;
	} else {
		shm->is_exclusive[i] = is_lock;
		handle->exclusive = is_lock ? handle->exclusive | bit : handle->exclusive & ~bit;
	}
}

static int shm_lock(sqlite3_file *base, int first, int count, int flags)
{
	struct handle *handle = (struct handle *)base;
	struct sim_shm *shm = handle->disk->shm;

	if (is_dead(handle))
		return SQLITE_IOERR_SHMLOCK;
	for (int i = first; flags & SQLITE_SHM_LOCK && i < first + count; i++)
		if (!may_lock(shm, handle, i, flags & SQLITE_SHM_SHARED))
			return SQLITE_BUSY;
	for (int i = first; i < first + count; i++)
		set_lock(shm, handle, i, flags);
	return SQLITE_OK;
}

static void shm_barrier(sqlite3_file *base)
{
	(void)base;
}

static int shm_unmap(sqlite3_file *base, int deletes)
{
	(void)base;
	(void)deletes;
	return SQLITE_OK;
}

static const sqlite3_io_methods methods = {
	.iVersion = 2,
	.xClose = file_close,
	.xRead = file_read,
	.xWrite = file_write,
	.xTruncate = file_truncate,
	.xSync = file_sync,
	.xFileSize = file_size,
	.xLock = file_lock,
	.xUnlock = file_lock,
	.xCheckReservedLock = file_check_reserved,
	.xFileControl = file_control,
	.xSectorSize = file_sector,
	.xDeviceCharacteristics = file_traits,
	.xShmMap = shm_map,
	.xShmLock = shm_lock,
	.xShmBarrier = shm_barrier,
	.xShmUnmap = shm_unmap,
};

/* --- the folder ------------------------------------------------------------------------------ */

static struct sim_file *find_file(struct disk_twin *disk, const char *name, bool make)
{
	struct sim_file *free_place = NULL;

	for (size_t i = 0; i < SIM_FILES; i++) {
		if (disk->files[i].name[0] == 0)
			free_place = free_place == NULL ? &disk->files[i] : free_place;
		else if (strcmp(disk->files[i].name, name) == 0)
			return &disk->files[i];
	}
	if (!make)
		return NULL;
	if (free_place == NULL || strlen(name) >= sizeof free_place->name)
		die("no place for the simulated file %s", name);
	snprintf(free_place->name, sizeof free_place->name, "%s", name);
	free_place->last = &free_place->first;
	return free_place;
}

static int vfs_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *base, int flags, int *out)
{
	struct handle *handle = (struct handle *)base;
	struct sim_file *file = find_file(the_disk, name == NULL ? "temporary" : name, true);

	(void)vfs;
	*handle = (struct handle){.base.pMethods = &methods, .disk = the_disk, .file = file,
				  .boot = the_disk->boot};
	if (out != NULL)
		*out = flags;
	return SQLITE_OK;
}

/* At once and for good: what goes wrong with names is the file system's own affair. */
static int vfs_delete(sqlite3_vfs *vfs, const char *name, int syncs)
{
	struct sim_file *file = find_file(the_disk, name, false);

	(void)vfs;
	(void)syncs;
	if (the_disk->is_dead)
		return SQLITE_IOERR_DELETE;
	if (file == NULL)
		return SQLITE_OK;
	drop_unsynced(file);
	file->name[0] = 0;
	cut_bytes(&file->bytes, &file->len, &file->capacity, 0);
	cut_bytes(&file->durable, &file->durable_len, &file->durable_capacity, 0);
	return SQLITE_OK;
}

static int vfs_access(sqlite3_vfs *vfs, const char *name, int flags, int *out)
{
	(void)vfs;
	(void)flags;
	*out = find_file(the_disk, name, false) != NULL;
	return SQLITE_OK;
}

static int vfs_full_path(sqlite3_vfs *vfs, const char *name, int max, char *out)
{
	(void)vfs;
	snprintf(out, (size_t)max, "%s", name);
	return SQLITE_OK;
}

static int vfs_random(sqlite3_vfs *vfs, int count, char *out)
{
	(void)vfs;
	for (int i = 0; i < count; i++)
		out[i] = (char)random_seeded_next(&the_disk->seeded);
	return count;
}

static int vfs_sleep(sqlite3_vfs *vfs, int us)
{
	(void)vfs;
	(void)us;
	broken("the store waits for a lock that nobody holds");
}

static int vfs_time(sqlite3_vfs *vfs, sqlite3_int64 *ms)
{
	(void)vfs;
	*ms = clock_unix_ms(&the_disk->time->clock) + INT64_C(210866760000000);
	return SQLITE_OK;
}

static int vfs_last_error(sqlite3_vfs *vfs, int len, char *out)
{
	(void)vfs;
	(void)len;
	(void)out;
	return 0;
}

static sqlite3_vfs the_vfs = {
	.iVersion = 2,
	.szOsFile = sizeof(struct handle),
	.mxPathname = 60,
	.zName = SIM_VFS,
	.xOpen = vfs_open,
	.xDelete = vfs_delete,
	.xAccess = vfs_access,
	.xFullPathname = vfs_full_path,
	.xRandomness = vfs_random,
	.xSleep = vfs_sleep,
	.xCurrentTimeInt64 = vfs_time,
	.xGetLastError = vfs_last_error,
};

/* --- plain files ----------------------------------------------------------------------------- */

static bool plain_read(void *context, struct arena *arena, const char *path, size_t max,
		       struct str *out, struct error *err)
{
	struct disk_twin *disk = context;

	if (strcmp(path, "master.key") != 0 || disk->key.len > max)
		return error_set(err, ERROR_NOT_FOUND, "there is no file %s", path);
	*out = arena_str(arena, disk->key);
	return true;
}

void disk_init(struct disk_twin *disk, const struct simulated_time *time)
{
	*disk = (struct disk_twin){.time = time, .disk = {.read = plain_read, .context = disk}};
	disk->shm = calloc(1, sizeof *disk->shm);
	if (disk->shm == NULL)
		die("out of memory");
	the_disk = disk;
	sqlite3_vfs_register(&the_vfs, 0);
}

void disk_crash(struct disk_twin *disk)
{
	for (size_t i = 0; i < SIM_FILES; i++)
		if (disk->files[i].name[0] != 0)
			lose_power(&disk->files[i], &disk->seeded);
	disk->shm = calloc(1, sizeof *disk->shm);
	if (disk->shm == NULL)
		die("out of memory");
	disk->boot++;
	disk->is_dead = false;
	disk->dies_at = 0;
}
