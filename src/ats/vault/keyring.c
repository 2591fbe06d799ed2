#include "ats/vault/keyring.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MASTER_BYTES = crypto_kdf_KEYBYTES, ID_HEX = 2 * KEY_ID_BYTES, LINE = ID_HEX + 1 + 64 };
_Static_assert(MASTER_BYTES == 32, "64 hex digits a key");

static bool read_hex(struct str text, unsigned char *bytes, size_t len)
{
	size_t got;

	return text.len == 2 * len &&
	       sodium_hex2bin(bytes, len, text.data, text.len, NULL, &got, NULL) == 0 && got == len;
}

static void derive(struct key *key, const unsigned char master[MASTER_BYTES])
{
	/* The context is eight bytes. Neither it nor the numbers may ever change: what is stored
	 * hangs on them. */
	for (unsigned use = 0; use < KEY_USES; use++)
		crypto_kdf_derive_from_key(key->uses[use], sizeof key->uses[use], use + 1, "tenon-v1",
					   master);
}

static bool read_line(struct str line, struct key *key)
{
	unsigned char *master = sodium_malloc(MASTER_BYTES);

	if (master == NULL)
		die("no locked memory for a key");
	bool ok = line.len == LINE && line.data[ID_HEX] == ' ' &&
		  read_hex(str_slice(line, 0, ID_HEX), key->id, KEY_ID_BYTES) &&
		  read_hex(str_slice(line, ID_HEX + 1, LINE), master, MASTER_BYTES);
	if (ok)
		derive(key, master);
	sodium_free(master);
	return ok;
}

static bool read_lines(struct keyring *keyring, struct str text, const char *path,
		       struct error *err)
{
	for (int number = 1; text.len > 0; number++) {
		struct str line = str_trim(str_cut(&text, '\n'));
		struct key *key = &keyring->keys[keyring->count];
		if (line.len == 0)
			continue;
		if (keyring->count == KEYS_MAX)
			return error_set(err, ERROR_INVALID, "%s has more than %d keys", path, KEYS_MAX);
		if (!read_line(line, key))
			return error_set(err, ERROR_INVALID,
					 "%s, line %d: a master key is 8 hex digits, a blank and 64 hex digits",
					 path, number);
		if (keyring_find(keyring, key->id) != NULL)
			return error_set(err, ERROR_INVALID, "%s, line %d: this key id is there already",
					 path, number);
		keyring->count++;
	}
	if (keyring->count > 0)
		return true;
	return error_set(err, ERROR_INVALID, "%s has no master key", path);
}

/* Looked at before the bytes are read. A disk that is not the system's has no modes. */
static bool check_mode(const struct disk *disk, const char *path, struct error *err)
{
	mode_t forbidden = S_IRWXG | S_IRWXO;
	struct stat status;

	if (disk != disk_system() || stat(path, &status) != 0)
		return true;
	/* A service manager lends its file by an access list, of which the group bits are the mask.
	 */
	if (status.st_uid == 0 && geteuid() != 0)
		forbidden &= ~(mode_t)S_IRGRP;
	if ((status.st_mode & forbidden) == 0)
		return true;
	return error_set(err, ERROR_FORBIDDEN,
			 "others than its owner may use the key file %s (mode %03o); chmod 600 it",
			 path, (unsigned)status.st_mode & 0777);
}

struct keyring *keyring_read(const struct disk *disk, const char *path, struct error *err)
{
	struct arena arena;
	struct str text = {0};
	struct keyring *keyring = sodium_malloc(sizeof *keyring);

	if (keyring == NULL)
		die("no locked memory for the keys");
	sodium_memzero(keyring, sizeof *keyring);
	arena_init(&arena, 4L * KEY_FILE_BYTES_MAX);
	bool ok = check_mode(disk, path, err) &&
		  disk_read(disk, &arena, path, KEY_FILE_BYTES_MAX, &text, err) &&
		  read_lines(keyring, text, path, err);
	if (text.len > 0)
		sodium_memzero((void *)(uintptr_t)text.data, text.len);
	arena_finish(&arena);
	if (ok) {
		sodium_mprotect_readonly(keyring);
		return keyring;
	}
	sodium_free(keyring);
	return NULL;
}

/* --- writing it ----------------------------------------------------------------------------- */

static bool sync_folder_of(struct arena *arena, const char *path)
{
	struct str folder = str_from_c(path);

	while (folder.len > 0 && folder.data[folder.len - 1] != '/')
		folder.len--;
	int fd = open(folder.len == 0 ? "." : arena_c(arena, folder), O_RDONLY | O_CLOEXEC);
	bool ok = fd >= 0 && fsync(fd) == 0;
	if (fd >= 0)
		close(fd);
	return ok;
}

/* Its first lines, as they are. */
static struct str first_lines(struct str text, size_t count)
{
	struct str rest = text;

	while (count > 0 && rest.len > 0)
		if (str_trim(str_cut(&rest, '\n')).len > 0)
			count--;
	return str_slice(text, 0, text.len - rest.len);
}

static bool put_in_place(struct arena *arena, const struct disk *disk, const char *path,
			 struct str text, struct error *err)
{
	const char *draft = arena_format(arena, "%s.new", path).data;

	unlink(draft); /* of a rotation that was killed */
	if (!disk_create(disk, draft, text, 0400, err))
		return false;
	if (rename(draft, path) == 0 && sync_folder_of(arena, path))
		return true;
	return error_set(err, ERROR_UNAVAILABLE, "the key file %s cannot be written", path);
}

bool keyring_write(const struct disk *disk, const char *path, bool add, size_t keep,
		   const struct random *random, struct error *err)
{
	struct arena arena;
	struct str old = {0}, added = STR(""), text = {0};

	arena_init(&arena, 8L * KEY_FILE_BYTES_MAX);
	bool ok = disk_read(disk, &arena, path, KEY_FILE_BYTES_MAX, &old, err);
	if (ok) {
		if (add)
			added = vault_make_key_file(&arena, random);
		text = arena_format(&arena, "%.*s%.*s", STR_ARGS(added),
				    STR_ARGS(first_lines(old, keep)));
		ok = put_in_place(&arena, disk, path, text, err);
	}
	secret_wipe((void *)(uintptr_t)old.data, old.len);
	if (added.len > 0)
		secret_wipe((void *)(uintptr_t)added.data, added.len);
	secret_wipe((void *)(uintptr_t)text.data, text.len);
	arena_finish(&arena);
	return ok;
}

const struct key *keyring_find(const struct keyring *keyring, const unsigned char *id)
{
	for (size_t i = 0; i < keyring->count; i++)
		if (memcmp(keyring->keys[i].id, id, KEY_ID_BYTES) == 0)
			return &keyring->keys[i];
	return NULL;
}
