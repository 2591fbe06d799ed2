/* What happened to an environment's accounts. */
#include "app/cli/commands.h"

static const struct cli_option options[] = {
	CLI_OPTION_ENVIRONMENT,
	{"after", "NUMBER", false, "the last event that was seen (default: none)"},
	{"limit", "N", false, "how many at most"},
	{"account", "ID", false, "of this account only"},
	{"type", "NAME", false, "only of this name, such as integrated_account:active"},
	CLI_OPTIONS_ADMIN,
};

static struct str event_line(struct cli *cli, struct json event)
{
	return arena_format(&cli->arena, "%.*s  %.*s  %.*s  %.*s",
			    STR_ARGS(admin_json(cli, json_get_c(event, "number"))),
			    STR_ARGS(json_get_str(event, "created_at")),
			    STR_ARGS(json_get_str(event, "event")),
			    STR_ARGS(json_get_str(event, "integrated_account_id")));
}

static int run(struct cli *cli)
{
	if (cli->word_count != 1 || strcmp(cli->words[0], "list") != 0)
		return cli_fail_usage(cli, "say list");
	if (admin_lacks_environment(cli))
		return cli_fail_usage(cli, "--environment NAME is missing");
	struct str target = admin_target(cli, "/events", NULL, NULL);
	target = admin_filter(cli, target, "after", "after");
	target = admin_filter(cli, target, "limit", "limit");
	target = admin_filter(cli, target, "account", "integrated_account_id");
	target = admin_filter(cli, target, "type", "type");
	return admin_list(cli, target, event_line, "--after");
}

const struct cli_command cmd_event = {
	.name = "event",
	.arguments = "list",
	.summary = "list what happened to accounts",
	.details = "Numbers are the environment's own, without a gap: with --after and the last number\n"
		   "that was seen, nothing is missed and nothing comes twice.",
	.options = options,
	.option_count = sizeof options / sizeof options[0],
	.run = run,
};
