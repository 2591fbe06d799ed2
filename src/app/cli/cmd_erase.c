/* Erasing a person. */
#include "app/cli/commands.h"

static const struct cli_option options[] = {
	CLI_OPTION_ENVIRONMENT,
	{"account", "ID", false, "the integrated account"},
	{"candidate", "ID", false, "the candidate's id in the ATS"},
	{"email", "ADDRESS", false, "or an e-mail address of a candidate that was copied"},
	{"cursor", "TEXT", false, "go on from there (list)"},
	CLI_OPTIONS_ADMIN,
};

static struct str erasure_line(struct cli *cli, struct json erasure)
{
	return arena_format(&cli->arena, "%.*s  %.*s  %.*s  %.*s",
			    STR_ARGS(json_get_str(erasure, "id")),
			    STR_ARGS(json_get_str(erasure, "created_at")),
			    STR_ARGS(json_get_str(erasure, "integrated_account_id")),
			    STR_ARGS(admin_json(cli, json_get_c(erasure, "counts"))));
}

static int erase(struct cli *cli)
{
	struct json_builder body;
	struct json reply;
	struct error err;

	if (cli_value(cli, "account") == NULL)
		return cli_fail_usage(cli, "--account ID is missing");
	if ((cli_value(cli, "candidate") == NULL) == (cli_value(cli, "email") == NULL))
		return cli_fail_usage(cli, "say --candidate ID or --email ADDRESS");
	json_builder_init(&body, &cli->arena);
	admin_put_text(cli, &body, "account", "integrated_account_id");
	admin_put_text(cli, &body, "candidate", "candidate_id");
	admin_put_text(cli, &body, "email", "email");
	if (!admin_call(cli, HTTP_POST, admin_target(cli, "/erasure", NULL, NULL),
			admin_json(cli, json_builder_object(&body)), &reply, &err))
		return cli_fail(&err);
	cli_print(cli_flag(cli, "json") ? admin_json(cli, reply) : erasure_line(cli, reply));
	return 0;
}

static int run(struct cli *cli)
{
	const char *what = cli->word_count == 0 ? "" : cli->words[0];

	if (admin_lacks_environment(cli))
		return cli_fail_usage(cli, "--environment NAME is missing");
	if (cli->word_count == 0)
		return erase(cli);
	if (strcmp(what, "list") == 0 && cli->word_count == 1)
		return admin_list(cli,
				  admin_filter(cli, admin_target(cli, "/erasure", NULL, NULL),
					       "cursor", "next_cursor"),
				  erasure_line, "--cursor");
	if (strcmp(what, "lift") == 0 && cli->word_count == 2)
		return admin_do(cli, HTTP_DELETE,
				admin_target(cli, "/erasure/", cli->words[1], NULL),
				(struct str){NULL, 0}, STR("lifted"));
	return cli_fail_usage(cli, "say nothing, list or lift ID");
}

const struct cli_command cmd_erase = {
	.name = "erase",
	.arguments = "[list|lift ID]",
	.summary = "erase a person from everything that is kept",
	.details = "The candidate's records in the local copy, and what tells of them elsewhere; the ATS is\n"
		   "not asked. `lift` allows the person to be copied again (docs/analysis.md).",
	.options = options,
	.option_count = sizeof options / sizeof options[0],
	.run = run,
};
