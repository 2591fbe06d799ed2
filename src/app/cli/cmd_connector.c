#include "app/cli/commands.h"

static const struct cli_option options[] = {CLI_OPTION_SHARE};

static int check(struct cli *cli, const char *folder)
{
	const struct disk *disk = disk_system();
	struct buffer faults;
	struct error err;
	const char *share;

	if (!server_find_share(&cli->arena, disk, cli_value(cli, "share"), &share, &err))
		return cli_fail(&err);
	buffer_init(&faults, &cli->arena, 16 * 1024 * 1024);
	const char *models = arena_format(&cli->arena, "%s/models/ats", share).data;
	const struct model *model = model_load(&cli->arena, disk, models, &faults);
	const struct connector *connector = NULL;
	if (model != NULL)
		connector = connector_load(&cli->arena, disk, folder, model, &faults);
	if (connector == NULL) {
		fprintf(stderr, "%.*s\n", STR_ARGS(str_trim(buffer_str(&faults))));
		return error_exit_code(ERROR_INVALID);
	}
	cli_print(arena_format(&cli->arena,
			       "%.*s: no faults (%zu native methods, %zu unified resources)",
			       STR_ARGS(connector->name), connector->method_count,
			       connector->resource_count));
	return 0;
}

static int run(struct cli *cli)
{
	if (cli->word_count != 2 || strcmp(cli->words[0], "check") != 0)
		return cli_fail_usage(cli, "say check DIR");
	return check(cli, cli->words[1]);
}

const struct cli_command cmd_connector = {
	.name = "connector",
	.arguments = "check DIR",
	.summary = "check the definition of a connector",
	.details = "Every fault is told with file, line and what is allowed.",
	.options = options,
	.option_count = 1,
	.run = run,
};
