#include <limits.h>
#include <unistd.h>

#include "app/cli/commands.h"

static const struct cli_option options[] = {
	CLI_OPTION_JSON,
	CLI_OPTION_DATA,
	CLI_OPTION_MASTER_KEY,
	CLI_OPTION_DATABASE,
	CLI_OPTION_SHARE,
};

/* The server that writes it stands in another folder. */
static const char *absolute(struct cli *cli, const char *path)
{
	char folder[PATH_MAX];

	if (path[0] == '/' || getcwd(folder, sizeof folder) == NULL)
		return path;
	return arena_format(&cli->arena, "%s/%s", folder, path).data;
}

static int run(struct cli *cli)
{
	struct json_builder body;

	if (cli->word_count != 1)
		return cli_fail_usage(cli, "say which FILE to write");
	const char *path = absolute(cli, cli->words[0]);
	json_builder_init(&body, &cli->arena);
	json_builder_set(&body, STR("path"), json_string_c(path));
	return admin_do(cli, HTTP_POST, STR("/backup"),
			admin_json(cli, json_builder_object(&body)),
			arena_format(&cli->arena, "written to %s", path));
}

const struct cli_command cmd_backup = {
	.name = "backup",
	.arguments = "FILE",
	.summary = "copy the database into a new file, while the server runs",
	.details = "The server writes the file, as its own user. The master key and the folder audit/ are\n"
		   "not in it: docs/operating.md says how they are kept and how all is restored. A\n"
		   "PostgreSQL database is backed up by pg_dump instead.",
	.options = options,
	.option_count = sizeof options / sizeof options[0],
	.run = run,
};
