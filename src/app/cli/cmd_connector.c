#include "app/cli/commands.h"
#include "ats/tool/tool.h"

static const struct cli_option options[] = {CLI_OPTION_SHARE};

/* NULL: the faults were told, and *code is what to end with. */
static const struct toolset *load(struct cli *cli, const char *folder, int *code)
{
	const struct disk *disk = disk_system();
	const struct connector *connector = NULL;
	const struct toolset *toolset = NULL;
	struct buffer faults;
	struct error err;
	const char *share;

	if (!server_find_share(&cli->arena, disk, cli_value(cli, "share"), &share, &err)) {
		*code = cli_fail(&err);
		return NULL;
	}
	buffer_init(&faults, &cli->arena, 16 * 1024 * 1024);
	const char *models = arena_format(&cli->arena, "%s/models/ats", share).data;
	const struct model *model = model_load(&cli->arena, disk, models, &faults);
	if (model != NULL)
		connector = connector_load(&cli->arena, disk, folder, model, &faults);
	if (connector != NULL)
		toolset = toolset_create(&cli->arena, model, connector, &faults);
	if (toolset == NULL)
		fprintf(stderr, "%.*s\n", STR_ARGS(str_trim(buffer_str(&faults))));
	*code = error_exit_code(ERROR_INVALID);
	return toolset;
}

static int check(struct cli *cli, const char *folder)
{
	int code;
	const struct toolset *toolset = load(cli, folder, &code);

	if (toolset == NULL)
		return code;
	const struct connector *connector = toolset->connector;
	cli_print(arena_format(
		&cli->arena,
		"%.*s: no faults (%zu native methods, %zu unified resources, %zu tools)",
		STR_ARGS(connector->name), connector->method_count, connector->resource_count,
		toolset->count));
	return 0;
}

/* As tools/list has them. */
static int print_tools(struct cli *cli, const char *folder)
{
	struct buffer text;
	int code;
	const struct toolset *toolset = load(cli, folder, &code);

	if (toolset == NULL)
		return code;
	buffer_init(&text, &cli->arena, SIZE_MAX / 4);
	for (size_t i = 0; i < toolset->count; i++) {
		buffer_append_c(&text, i == 0 ? "[" : ",\n");
		buffer_append(&text, toolset->tools[i].text);
	}
	buffer_append_c(&text, toolset->count == 0 ? "[]" : "]");
	cli_print(buffer_str(&text));
	return 0;
}

static int run(struct cli *cli)
{
	if (cli->word_count == 2 && strcmp(cli->words[0], "check") == 0)
		return check(cli, cli->words[1]);
	if (cli->word_count == 2 && strcmp(cli->words[0], "tools") == 0)
		return print_tools(cli, cli->words[1]);
	return cli_fail_usage(cli, "say check DIR or tools DIR");
}

const struct cli_command cmd_connector = {
	.name = "connector",
	.arguments = "check DIR | tools DIR",
	.summary = "check the definition of a connector",
	.details = "check tells every fault with file, line and what is allowed; tools prints the tools\n"
		   "for AI agents that the connector makes, as JSON.",
	.options = options,
	.option_count = 1,
	.run = run,
};
