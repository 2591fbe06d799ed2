#include "app/cli/commands.h"

#include "front/discovery/discovery.h"

static const struct cli_option options[] = {
	{"pretty", NULL, false, "indent it"},
	CLI_OPTION_SHARE,
};

/* What a server that starts here would serve; none is asked. */
static const struct discovery *load(struct cli *cli, struct error *err)
{
	const struct disk *disk = disk_system();
	struct arena *arena = &cli->arena;
	struct connectors *connectors = arena_zero(arena, sizeof *connectors);
	struct model_aliases *aliases = arena_zero(arena, sizeof *aliases);
	struct buffer faults;
	const char *share;

	if (!server_find_share(arena, disk, cli_value(cli, "share"), &share, err))
		return NULL;
	buffer_init(&faults, arena, 1024 * 1024);
	const struct model *model =
		model_load(arena, disk, arena_format(arena, "%s/models/ats", share).data, &faults);
	if (model != NULL &&
	    connectors_load(arena, disk, arena_format(arena, "%s/connectors", share).data, model,
			    connectors, &faults) &&
	    model_load_aliases(arena, disk,
			       arena_format(arena, "%s/models/aliases.yaml", share).data, aliases,
			       &faults))
		return discovery_create(arena, model, connectors, aliases, TENON_VERSION, err);
	error_set(err, ERROR_INVALID, "the definitions have faults:\n%.*s",
		  STR_ARGS(str_trim(buffer_str(&faults))));
	return NULL;
}

static int run(struct cli *cli)
{
	const struct discovery *discovery;
	struct error err;

	if (cli->word_count != 0)
		return cli_fail_usage(cli, "no argument is wanted");
	discovery = load(cli, &err);
	if (discovery == NULL)
		return cli_fail(&err);
	struct str text = discovery_openapi(discovery);
	cli_print(cli_flag(cli, "pretty") ? cli_indent(cli, text) : text);
	return 0;
}

const struct cli_command cmd_openapi = {
	.name = "openapi",
	.arguments = "",
	.summary = "print the OpenAPI document",
	.details = "It is what a server answers at /openapi.json.",
	.options = options,
	.option_count = sizeof options / sizeof options[0],
	.run = run,
};
