/* Where the data that tenon is made of lies: models, connectors, sandboxes. */
#include <limits.h>
#include <stdlib.h>
#include <unistd.h>

#include "app/server/server.h"

static bool has_models(struct arena *arena, const struct disk *disk, const char *folder)
{
	struct str *names;
	size_t count;
	struct error ignored;
	const char *models = arena_format(arena, "%s/models", folder).data;

	return disk_list(disk, arena, models, &names, &count, &ignored) && count > 0;
}

bool server_find_share(struct arena *arena, const struct disk *disk, const char *given,
		       const char **folder, struct error *err)
{
	char program[PATH_MAX];
	const char *from_environment = getenv("TENON_SHARE");

	if (given == NULL)
		given = from_environment;
	if (given != NULL) {
		*folder = given;
		return has_models(arena, disk, given) ||
		       error_set_field(err, ERROR_INVALID, "share",
				       "a folder with models/ and connectors/",
				       "there are no models in %s", given);
	}
	ssize_t len = readlink("/proc/self/exe", program, sizeof program - 1);
	if (len < 0)
		return error_set(err, ERROR_INTERNAL, "the program does not find itself");
	program[len] = '\0';
	char *slash = strrchr(program, '/');
	*slash = '\0';
	*folder = arena_format(arena, "%s/../share/tenon", program).data;
	if (has_models(arena, disk, *folder))
		return true;
	*folder = arena_format(arena, "%s/..", program).data;
	return has_models(arena, disk, *folder) ||
	       error_set(err, ERROR_NOT_FOUND,
			 "models/ and connectors/ are not found beside the program; say --share FOLDER");
}
