#include "app/cli/commands.h"

static const struct cli_option options[] = {
	{"account", "ID", false, "the integrated account"},
	{"query", "NAME=VALUE", true, "a query parameter; -q for short"},
	{"body", "JSON", false, "the body; -d for short"},
	{"pretty", NULL, false, "indent the reply"},
	CLI_OPTION_ENVIRONMENT,
	CLI_OPTION_DATA,
	CLI_OPTION_SERVER,
	CLI_OPTION_MASTER_KEY, CLI_OPTION_DATABASE,
	CLI_OPTION_SHARE,
	CLI_OPTION_BASE_URL,
	CLI_OPTIONS_REACH,
};

static bool make_target(struct cli *cli, struct str *out, struct error *err)
{
	const char *given[CLI_VALUES_MAX];
	size_t count = cli_values(cli, "query", given, CLI_VALUES_MAX);
	struct buffer target;
	struct str name, value;

	buffer_init(&target, &cli->arena, 65536);
	buffer_append_c(&target, "/unified/");
	buffer_append_c(&target, cli->words[1]);
	if (cli_value(cli, "account") != NULL)
		target_add(&target, "integrated_account_id", str_from_c(cli_value(cli, "account")));
	if (cli_value(cli, "environment") != NULL)
		target_add(&target, "environment", str_from_c(cli_value(cli, "environment")));
	for (size_t i = 0; i < count; i++) {
		if (!cli_pair("query", given[i], &name, &value, err))
			return false;
		target_add(&target, arena_c(&cli->arena, name), value);
	}
	*out = buffer_str(&target);
	return buffer_check(&target, "the query", err);
}

/* The name of the error in a reply decides the exit code, as for every other command. */
static int exit_code(struct cli *cli, int status, struct str text)
{
	struct json reply;
	struct error ignored;

	if (status < 400)
		return 0;
	if (json_parse(&cli->arena, text, &json_limits_default, &reply, &ignored))
		for (int i = 1; i < ERROR_CODES; i++)
			if (str_equal_c(json_get_str(reply, "error"), error_name((enum error_code)i)))
				return error_exit_code((enum error_code)i);
	return error_exit_code(ERROR_INTERNAL);
}

static int run(struct cli *cli)
{
	struct str target, reply, body = str_from_c(cli_value(cli, "body"));
	struct error err;
	int status;

	if (cli->word_count != 2)
		return cli_fail_usage(cli, "a method and a resource are wanted, such as GET ats/candidates");
	enum http_method method = http_method_from(str_from_c(cli->words[0]));
	if (method >= HTTP_OPTIONS)
		return cli_fail_usage(cli, "the method must be GET, POST, PUT, PATCH or DELETE");
	if (!make_target(cli, &target, &err) ||
	    !admin_call_raw(cli, method, target, body, &status, &reply, &err))
		return cli_fail(&err);
	cli_print(cli_flag(cli, "pretty") ? cli_indent(cli, reply) : reply);
	return exit_code(cli, status, reply);
}

const struct cli_command cmd_call = {
	.name = "call",
	.arguments = "METHOD MODEL/RESOURCE[/ID]",
	.summary = "call the unified API from a shell",
	.details = "tenon call GET ats/candidates --account acc_… -q limit=5",
	.options = options,
	.option_count = sizeof options / sizeof options[0],
	.run = run,
};
