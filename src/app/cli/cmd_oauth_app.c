/* What an environment has registered with ATSs for OAuth. */
#include "app/cli/commands.h"

static const struct cli_option options[] = {
	CLI_OPTION_ENVIRONMENT,
	{"client-id", "ID", false, "set: as the ATS knows the app"},
	{"scope", "NAME", true, "set: ask for this, instead of what the connector says"},
	{"authorize-url", "URL", false, "set: instead of the connector's"},
	{"token-url", "URL", false, "set: instead of the connector's"},
	CLI_OPTIONS_ADMIN,
};

static struct str make_target(struct cli *cli, const char *connector)
{
	return admin_target(cli,
			    connector == NULL ? "/environment/oauth-apps"
					      : "/environment/oauth-apps/",
			    connector, NULL);
}

static bool make_body(struct cli *cli, struct str *out, struct error *err)
{
	struct json_builder body;
	struct json secret;

	if (!admin_read_object(cli, "a JSON object: {\"client_secret\": \"…\"}", &secret, err))
		return false;
	json_builder_init(&body, &cli->arena);
	for (size_t i = 0; i < secret.count; i++)
		json_builder_set(&body,
				 json_name(&secret.members[i]),
				 secret.members[i].value);
	admin_put_list(cli, &body, "scope", "scopes");
	admin_put_text(cli, &body, "client-id", "client_id");
	admin_put_text(cli, &body, "authorize-url", "authorize_url");
	admin_put_text(cli, &body, "token-url", "token_url");
	*out = admin_json(cli, json_builder_object(&body));
	return true;
}

static int set(struct cli *cli)
{
	struct error err;
	struct str body;

	if (cli->word_count != 2)
		return cli_fail_usage(cli, "set wants the name of a connector");
	if (admin_lacks_environment(cli))
		return cli_fail_usage(cli, "--environment NAME is missing");
	if (!make_body(cli, &body, &err))
		return cli_fail(&err);
	return admin_do(cli, HTTP_PUT, make_target(cli, cli->words[1]), body, STR("set"));
}

static struct str app_line(struct cli *cli, struct json app)
{
	return arena_format(&cli->arena, "%.*s  %.*s  %.*s",
			    STR_ARGS(json_get_str(app, "connector")),
			    STR_ARGS(json_get_str(app, "client_id")),
			    STR_ARGS(json_get_str(app, "updated_at")));
}

static int remove_app(struct cli *cli)
{
	if (cli->word_count != 2)
		return cli_fail_usage(cli, "remove wants the name of a connector");
	return admin_do(cli, HTTP_DELETE, make_target(cli, cli->words[1]), (struct str){NULL, 0},
			STR("removed"));
}

static int run(struct cli *cli)
{
	const char *what = cli->word_count == 0 ? "" : cli->words[0];

	if (strcmp(what, "set") == 0)
		return set(cli);
	if (strcmp(what, "list") == 0 && cli->word_count == 1)
		return admin_list(cli, make_target(cli, NULL), app_line, "");
	if (strcmp(what, "remove") == 0)
		return remove_app(cli);
	return cli_fail_usage(cli, "say set CONNECTOR, list or remove CONNECTOR");
}

const struct cli_command cmd_oauth_app = {
	.name = "oauth-app",
	.arguments = "set CONNECTOR|list|remove CONNECTOR",
	.summary = "set, list and remove an environment's OAuth apps",
	.details = "set reads the secret from standard input: {\"client_secret\": \"…\"}, or {} for\n"
		   "a client without one.",
	.options = options,
	.option_count = sizeof options / sizeof options[0],
	.run = run,
};
