#include "app/cli/commands.h"

static const struct cli_option options[] = {
	CLI_OPTION_ENVIRONMENT,
	{"set", "NAME=VALUE", true, "a context field of the connector, such as company_id=41207"},
	{"unset", "NAME", true, "change: a context field to be removed"},
	{"tenant", "ID", false, "your own name for the customer; list: of this one only"},
	{"connector", "NAME", false, "list: of this ATS only"},
	{"status", "STATE", false, "list: in this state only, such as needs_reauth"},
	{"cursor", "TEXT", false, "list: go on from there"},
	{"format", "NAME", false, "the format of the credential, where the connector has several"},
	{"limit", "NAME=N", true, "requests, per_seconds or concurrent, over the connector's own"},
	CLI_OPTIONS_ADMIN,
	CLI_OPTION_BASE_URL,
	CLI_OPTIONS_REACH,
};

static const char credential_wanted[] =
	"the credential as a JSON object, such as {\"api_token\": \"…\"}";

static bool make_body(struct cli *cli, struct str *out, struct error *err)
{
	struct json credential;
	struct json_builder body;

	json_builder_init(&body, &cli->arena);
	json_builder_set(&body, STR("connector"), json_string_c(cli->words[1]));
	admin_put_text(cli, &body, "format", "authentication_method");
	admin_put_text(cli, &body, "tenant", "tenant_id");
	if (!admin_put_context(cli, &body, err) || !admin_put_limits(cli, &body, err) ||
	    !admin_read_object(cli, credential_wanted, &credential, err))
		return false;
	json_builder_set(&body, STR("credentials"), credential);
	*out = admin_json(cli, json_builder_object(&body));
	return true;
}

static int link_account(struct cli *cli)
{
	struct json reply;
	struct str body;
	struct error err;

	if (cli->word_count != 2)
		return cli_fail_usage(cli, "link wants the name of a connector");
	if (admin_lacks_environment(cli))
		return cli_fail_usage(cli, "--environment NAME is missing");
	if (!make_body(cli, &body, &err) ||
	    !admin_call(cli, HTTP_POST, admin_target(cli, "/integrated-account", NULL, NULL), body,
			&reply, &err))
		return cli_fail(&err);
	cli_print(cli_flag(cli, "json") ? admin_json(cli, reply) : json_get_str(reply, "id"));
	return 0;
}

static struct str account_line(struct cli *cli, struct json account)
{
	return arena_format(&cli->arena, "%.*s  %.*s  %.*s  %.*s",
			    STR_ARGS(json_get_str(account, "id")),
			    STR_ARGS(json_get_str(account, "connector")),
			    STR_ARGS(json_get_str(account, "status")),
			    STR_ARGS(json_get_str(account, "tenant_id")));
}

static int list(struct cli *cli)
{
	struct str target = admin_target(cli, "/integrated-account", NULL, NULL);

	target = admin_filter(cli, target, "tenant", "tenant_id");
	target = admin_filter(cli, target, "connector", "connector");
	target = admin_filter(cli, target, "status", "status");
	target = admin_filter(cli, target, "cursor", "next_cursor");
	return admin_list(cli, target, account_line, "--cursor");
}

static int show(struct cli *cli, enum http_method method)
{
	return admin_show(cli, method,
			  admin_target(cli, "/integrated-account/", cli->words[1], NULL),
			  (struct str){NULL, 0});
}

/* Those that were there are gone, also where others were not: these make it a failure. */
static int remove_several(struct cli *cli)
{
	struct json_builder body, ids;
	struct json reply, missing;
	struct error err;

	json_builder_init(&body, &cli->arena);
	json_builder_init(&ids, &cli->arena);
	for (size_t i = 1; i < cli->word_count; i++)
		json_builder_add(&ids, json_string_c(cli->words[i]));
	json_builder_set(&body, STR("ids"), json_builder_array(&ids));
	if (!admin_call(cli, HTTP_POST,
			admin_target(cli, "/integrated-account/bulk-delete", NULL, NULL),
			admin_json(cli, json_builder_object(&body)), &reply, &err))
		return cli_fail(&err);
	missing = json_get_c(reply, "not_found");
	if (cli_flag(cli, "json"))
		cli_print(admin_json(cli, reply));
	else
		cli_print(arena_format(&cli->arena, "%zu removed",
				       (size_t)json_get_c(reply, "deleted").count));
	if (missing.count == 0)
		return 0;
	error_set(&err, ERROR_NOT_FOUND, "there is no account %.*s",
		  STR_ARGS(json_str(json_at(missing, 0))));
	return cli_fail(&err);
}

static int remove_accounts(struct cli *cli)
{
	return cli->word_count == 2 ? show(cli, HTTP_DELETE) : remove_several(cli);
}

static int refresh(struct cli *cli)
{
	return admin_do(cli, HTTP_POST,
			admin_target(cli, "/integrated-account/", cli->words[1],
				     "/refresh-credentials"),
			STR("{}"), STR("refreshed"));
}

/* --- changes -------------------------------------------------------------------------------- */

static int change(struct cli *cli)
{
	struct json_builder body;
	struct json changes;
	struct error err;

	json_builder_init(&body, &cli->arena);
	admin_put_text(cli, &body, "tenant", "tenant_id");
	if (!admin_put_context(cli, &body, &err) || !admin_put_limits(cli, &body, &err))
		return cli_fail(&err);
	changes = json_builder_object(&body);
	if (changes.count == 0)
		return cli_fail_usage(cli, "one of --tenant, --set, --unset, --limit is wanted");
	return admin_do(cli, HTTP_PATCH,
			admin_target(cli, "/integrated-account/", cli->words[1], NULL),
			admin_json(cli, changes), STR("changed"));
}

static int credentials(struct cli *cli)
{
	struct json_builder body;
	struct json credential;
	struct error err;

	if (!admin_read_object(cli, credential_wanted, &credential, &err))
		return cli_fail(&err);
	json_builder_init(&body, &cli->arena);
	json_builder_set(&body, STR("credentials"), credential);
	admin_put_text(cli, &body, "format", "authentication_method");
	return admin_do(
		cli, HTTP_PATCH,
		admin_target(cli, "/integrated-account/", cli->words[1], "/credentials"),
		admin_json(cli, json_builder_object(&body)), STR("replaced"));
}

static int token(struct cli *cli)
{
	struct json_builder body;
	struct json reply;
	struct error err;

	json_builder_init(&body, &cli->arena);
	json_builder_set(&body, STR("integrated_account_id"), json_string_c(cli->words[1]));
	if (!admin_call(cli, HTTP_POST, admin_target(cli, "/integrated-account/token", NULL, NULL),
			admin_json(cli, json_builder_object(&body)), &reply, &err))
		return cli_fail(&err);
	if (cli_flag(cli, "json"))
		cli_print(admin_json(cli, reply));
	else
		cli_print(arena_format(&cli->arena,
				       "%.*s\nThis is shown once; it is good until %.*s.",
				       STR_ARGS(json_get_str(reply, "integrated_account_token")),
				       STR_ARGS(json_get_str(reply, "expires_at"))));
	return 0;
}

static int run(struct cli *cli)
{
	const char *what = cli->word_count == 0 ? "" : cli->words[0];

	if (strcmp(what, "link") == 0)
		return link_account(cli);
	if (strcmp(what, "list") == 0 && cli->word_count == 1)
		return list(cli);
	if (strcmp(what, "remove") == 0 && cli->word_count >= 2)
		return remove_accounts(cli);
	if (cli->word_count != 2)
		return cli_fail_usage(cli, "say what to do, and the id of an account");
	if (strcmp(what, "show") == 0)
		return show(cli, HTTP_GET);
	if (strcmp(what, "change") == 0)
		return change(cli);
	if (strcmp(what, "credentials") == 0)
		return credentials(cli);
	if (strcmp(what, "token") == 0)
		return token(cli);
	if (strcmp(what, "refresh") == 0)
		return refresh(cli);
	return cli_fail_usage(cli, "there is no such thing to do");
}

const struct cli_command cmd_account = {
	.name = "account",
	.arguments = "link CONNECTOR|list|show ID|change ID|credentials ID|refresh ID|token ID"
		     "|remove ID …",
	.summary = "link ATS accounts, list, show, change and remove them",
	.details = "link and credentials read the credential from standard input, as a JSON object\n"
		   "with the connector's field names, and check it against the ATS. refresh gets a\n"
		   "new token for an account that was linked by OAuth. token prints a token with\n"
		   "which a browser may call for this account, for a quarter of an hour.",
	.options = options,
	.option_count = sizeof options / sizeof options[0],
	.run = run,
};
