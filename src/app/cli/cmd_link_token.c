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
	{"language", "TAG", false, "of the page; without it the browser's"},
	CLI_OPTION_JSON,
	CLI_OPTION_DATA,
	CLI_OPTION_SERVER,
	CLI_OPTION_MASTER_KEY,
	CLI_OPTION_SHARE,
};

static struct str make_target(struct cli *cli, const char *path, const char *id)
{
	struct buffer target;

	buffer_init(&target, &cli->arena, 8192);
	buffer_append_c(&target, path);
	if (id != NULL)
		url_encode(&target, str_from_c(id));
	if (cli_value(cli, "environment") != NULL)
		target_add(&target, "environment", str_from_c(cli_value(cli, "environment")));
	return buffer_str(&target);
}

static struct str print(struct cli *cli, struct json value)
{
	struct buffer text;

	buffer_init(&text, &cli->arena, SIZE_MAX / 4);
	json_print(&text, value);
	return buffer_str(&text);
}

static void put_text(struct cli *cli, struct json_builder *body, const char *option,
		     const char *member)
{
	if (cli_value(cli, option) != NULL)
		json_builder_set(body, str_from_c(member), json_string_c(cli_value(cli, option)));
}

static void put_list(struct cli *cli, struct json_builder *body, const char *option,
		     const char *member)
{
	const char *given[CLI_VALUES_MAX];
	size_t count = cli_values(cli, option, given, CLI_VALUES_MAX);
	struct json_builder list;

	json_builder_init(&list, &cli->arena);
	for (size_t i = 0; i < count; i++)
		json_builder_add(&list, json_string_c(given[i]));
	if (count > 0)
		json_builder_set(body, str_from_c(member), json_builder_array(&list));
}

static bool put_context(struct cli *cli, struct json_builder *body, struct error *err)
{
	const char *given[CLI_VALUES_MAX];
	size_t count = cli_values(cli, "set", given, CLI_VALUES_MAX);
	struct json_builder context;
	struct str name, value;

	json_builder_init(&context, &cli->arena);
	for (size_t i = 0; i < count; i++) {
		if (!cli_pair("set", given[i], &name, &value, err))
			return false;
		json_builder_set(&context, name, json_string(value));
	}
	if (count > 0)
		json_builder_set(body, STR("context"), json_builder_object(&context));
	return true;
}

static bool make_body(struct cli *cli, struct str *out, struct error *err)
{
	struct json_builder body;
	int64_t seconds;

	if (!cli_number(cli, "expires-in", 60, 86400, 900, &seconds, err))
		return false;
	json_builder_init(&body, &cli->arena);
	put_text(cli, &body, "tenant", "tenant_id");
	put_text(cli, &body, "account", "integrated_account_id");
	put_text(cli, &body, "redirect-uri", "redirect_uri");
	put_text(cli, &body, "language", "language");
	put_list(cli, &body, "connector", "connectors");
	put_list(cli, &body, "origin", "allowed_origins");
	json_builder_set(&body, STR("expires_in"), json_int(seconds));
	if (!put_context(cli, &body, err))
		return false;
	*out = print(cli, json_builder_object(&body));
	return true;
}

static int create(struct cli *cli)
{
	struct json reply;
	struct error err;
	struct str body;

	if (cli_value(cli, "environment") == NULL && cli_value(cli, "server") == NULL)
		return cli_fail_usage(cli, "--environment NAME is missing");
	if (!make_body(cli, &body, &err) ||
	    !admin_call(cli, HTTP_POST, make_target(cli, "/link-token", NULL), body, &reply, &err))
		return cli_fail(&err);
	if (cli_flag(cli, "json"))
		cli_print(print(cli, reply));
	else
		cli_print(arena_format(&cli->arena,
				       "%.*s\n%.*s\nThis is shown once, and opens the page once; its id is "
				       "%.*s.",
				       STR_ARGS(json_get_str(reply, "link_token")),
				       STR_ARGS(json_get_str(reply, "link_url")),
				       STR_ARGS(json_get_str(reply, "id"))));
	return 0;
}

static int list(struct cli *cli)
{
	struct json reply, tokens;
	struct error err;

	if (!admin_call(cli, HTTP_GET, make_target(cli, "/link-token", NULL),
			(struct str){NULL, 0}, &reply, &err))
		return cli_fail(&err);
	if (cli_flag(cli, "json")) {
		cli_print(print(cli, reply));
		return 0;
	}
	tokens = json_get_c(reply, "result");
	for (size_t i = 0; i < tokens.count; i++) {
		struct json token = json_at(tokens, i);

		cli_print(arena_format(&cli->arena, "%.*s  %.*s  %.*s  %.*s%.*s",
				       STR_ARGS(json_get_str(token, "id")),
				       STR_ARGS(json_get_str(token, "status")),
				       STR_ARGS(json_get_str(token, "expires_at")),
				       STR_ARGS(json_get_str(token, "tenant_id")),
				       STR_ARGS(json_get_str(token, "integrated_account_id"))));
	}
	if (json_is(json_get_c(reply, "next_cursor"), JSON_STRING))
		cli_print(STR("(there are more: see --json)"));
	return 0;
}

static int revoke(struct cli *cli)
{
	struct json reply;
	struct error err;

	if (cli->word_count != 2)
		return cli_fail_usage(cli, "revoke wants the id of a link token");
	if (!admin_call(cli, HTTP_DELETE, make_target(cli, "/link-token/", cli->words[1]),
			(struct str){NULL, 0}, &reply, &err))
		return cli_fail(&err);
	cli_print(cli_flag(cli, "json") ? print(cli, reply) : STR("revoked"));
	return 0;
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
