/* A copy of the database while everything runs, for the operator of the machine. */
#include <sys/stat.h>

#include "front/admin/routes.h"

static bool back_up(const struct door *door, struct http_exchange *exchange, struct error *err)
{
	static const char *const known[] = {"path"};
	struct json_builder item;
	struct json body;
	struct str path;
	struct stat file;

	if (!exchange->is_local)
		return error_set(err, ERROR_FORBIDDEN, "this is done over the server's own socket "
						       "only, by its operator");
	if (!door_parse_body(exchange, &body, err) ||
	    !admin_check_members(body, known, 1, "path", err) ||
	    !admin_read_text(body, "path", 4000, &path, err))
		return false;
	if (path.len == 0 || path.data[0] != '/')
		return error_set_field(err, ERROR_INVALID, "path", "the absolute path of a new file",
				       "path must be the absolute path of a new file");
	const char *name = arena_c(exchange->arena, path);
	if (!store_backup(door->store, name, err))
		return false;
	json_builder_init(&item, exchange->arena);
	json_builder_set(&item, STR("path"), json_string(path));
	json_builder_set(&item, STR("bytes"),
			 json_int(stat(name, &file) == 0 ? (int64_t)file.st_size : 0));
	door_reply(exchange, 201, json_builder_object(&item));
	return true;
}

void admin_back_up(void *context, struct http_exchange *exchange, const struct http_match *match)
{
	struct error err;

	(void)match;
	if (!back_up(context, exchange, &err))
		door_reply_error(exchange, &err, NULL);
}
