#include "app/cli/commands.h"

static const struct cli_option options[] = {
	CLI_OPTION_ENVIRONMENT,
	{"tenant", "ID", false, "your own name for the customer whose account it will be"},
	{"account", "ID", false, "an account to be linked anew, instead of --tenant"},
	{"connector", "NAME", true, "which may be linked; without it all"},
	{"set", "NAME=VALUE", true, "goes into the account's context"},
	{"origin", "ORIGIN", true, "which pages may have the dialog, as https://customer.example"},
	{"redirect-uri", "URL", false, "where the browser goes back to in the same window"},
	{"expires-in", "SECONDS", false, "60 to 86400 (default: 900)"},
	{"cursor", "TEXT", false, "list: go on from there"},
	{"language", "TAG", false, "of the page; without it the browser's"},
	CLI_OPTIONS_ADMIN,
};

static bool make_body(struct cli *cli, struct str *out, struct error *err)
{
	struct json_builder body;
	int64_t seconds;

	if (!cli_number(cli, "expires-in", 60, 86400, 900, &seconds, err))
		return false;
	json_builder_init(&body, &cli->arena);
	admin_put_text(cli, &body, "tenant", "tenant_id");
	admin_put_text(cli, &body, "account", "integrated_account_id");
	admin_put_text(cli, &body, "redirect-uri", "redirect_uri");
	admin_put_text(cli, &body, "language", "language");
	admin_put_list(cli, &body, "connector", "connectors");
	admin_put_list(cli, &body, "origin", "allowed_origins");
	json_builder_set(&body, STR("expires_in"), json_int(seconds));
	if (!admin_put_context(cli, &body, err))
		return false;
	*out = admin_json(cli, json_builder_object(&body));
	return true;
}

static int create(struct cli *cli)
{
	struct json reply;
	struct error err;
	struct str body;

	if (admin_lacks_environment(cli))
		return cli_fail_usage(cli, "--environment NAME is missing");
	if (!make_body(cli, &body, &err) ||
	    !admin_call(cli, HTTP_POST, admin_target(cli, "/link-token", NULL, NULL), body, &reply,
			&err))
		return cli_fail(&err);
	if (cli_flag(cli, "json"))
		cli_print(admin_json(cli, reply));
	else
		cli_print(arena_format(&cli->arena,
				       "%.*s\n%.*s\nThis is shown once, and opens the page once; its id is "
				       "%.*s.",
				       STR_ARGS(json_get_str(reply, "link_token")),
				       STR_ARGS(json_get_str(reply, "link_url")),
				       STR_ARGS(json_get_str(reply, "id"))));
	return 0;
}

static struct str token_line(struct cli *cli, struct json token)
{
	return arena_format(&cli->arena, "%.*s  %.*s  %.*s  %.*s%.*s",
			    STR_ARGS(json_get_str(token, "id")),
			    STR_ARGS(json_get_str(token, "status")),
			    STR_ARGS(json_get_str(token, "expires_at")),
			    STR_ARGS(json_get_str(token, "tenant_id")),
			    STR_ARGS(json_get_str(token, "integrated_account_id")));
}

static int list(struct cli *cli)
{
	struct str target = admin_target(cli, "/link-token", NULL, NULL);

	target = admin_filter(cli, target, "cursor", "next_cursor");
	return admin_list(cli, target, token_line, "--cursor");
}

static int revoke(struct cli *cli)
{
	if (cli->word_count != 2)
		return cli_fail_usage(cli, "revoke wants the id of a link token");
	return admin_do(cli, HTTP_DELETE, admin_target(cli, "/link-token/", cli->words[1], NULL),
			(struct str){NULL, 0}, STR("revoked"));
}

static int run(struct cli *cli)
{
	const char *what = cli->word_count == 0 ? "" : cli->words[0];

	if (strcmp(what, "create") == 0 && cli->word_count == 1)
		return create(cli);
	if (strcmp(what, "list") == 0 && cli->word_count == 1)
		return list(cli);
	if (strcmp(what, "revoke") == 0)
		return revoke(cli);
	return cli_fail_usage(cli, "say create, list or revoke ID");
}

const struct cli_command cmd_link_token = {
	.name = "link-token",
	.arguments = "create|list|revoke ID",
	.summary = "make, list and revoke tokens with which customers link accounts",
	.options = options,
	.option_count = sizeof options / sizeof options[0],
	.run = run,
};
