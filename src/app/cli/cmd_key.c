#include "app/cli/commands.h"

static const struct cli_option options[] = {
	CLI_OPTION_ENVIRONMENT,
	{"name", "TEXT", false, "what to call the key"},
	{"scope", "SCOPE", true, "call (default) or admin"},
	{"expires", "TIME", false, "when it ends, as 2030-01-31T00:00:00Z (default: never)"},
	CLI_OPTIONS_ADMIN,
};

static struct str make_body(struct cli *cli)
{
	struct json_builder body;

	json_builder_init(&body, &cli->arena);
	admin_put_text(cli, &body, "name", "name");
	admin_put_text(cli, &body, "expires", "expires_at");
	admin_put_list(cli, &body, "scope", "scopes");
	return admin_json(cli, json_builder_object(&body));
}

static int create(struct cli *cli)
{
	struct json reply;
	struct error err;

	if (admin_lacks_environment(cli))
		return cli_fail_usage(cli, "--environment NAME is missing");
	if (!admin_call(cli, HTTP_POST, admin_target(cli, "/api-token", NULL, NULL), make_body(cli),
			&reply, &err))
		return cli_fail(&err);
	if (cli_flag(cli, "json"))
		cli_print(admin_json(cli, reply));
	else
		cli_print(arena_format(&cli->arena, "%.*s\nThis is shown once; its id is %.*s.",
				       STR_ARGS(json_get_str(reply, "key")),
				       STR_ARGS(json_get_str(reply, "id"))));
	return 0;
}

static struct str time_or_never(struct json key, const char *name)
{
	struct str text = json_get_str(key, name);

	return text.len == 0 ? STR("never") : text;
}

static struct str key_line(struct cli *cli, struct json key)
{
	bool is_revoked = json_is(json_get_c(key, "revoked_at"), JSON_STRING);
	struct json scopes = json_get_c(key, "scopes");
	struct buffer names;

	buffer_init(&names, &cli->arena, 1024);
	for (size_t i = 0; i < scopes.count; i++) {
		buffer_append_c(&names, i == 0 ? "" : ",");
		buffer_append(&names, json_str(json_at(scopes, i)));
	}
	return arena_format(&cli->arena, "%.*s  %.*s…  %.*s  %s  %.*s  ends %.*s  used %.*s",
			    STR_ARGS(json_get_str(key, "id")), STR_ARGS(json_get_str(key, "hint")),
			    STR_ARGS(json_get_str(key, "created_at")),
			    is_revoked ? "revoked" : "valid", STR_ARGS(buffer_str(&names)),
			    STR_ARGS(time_or_never(key, "expires_at")),
			    STR_ARGS(time_or_never(key, "last_used_at")));
}

static int revoke(struct cli *cli)
{
	if (cli->word_count != 2)
		return cli_fail_usage(cli, "revoke wants the id of a key");
	return admin_do(cli, HTTP_DELETE, admin_target(cli, "/api-token/", cli->words[1], NULL),
			(struct str){NULL, 0}, STR("revoked"));
}

static int run(struct cli *cli)
{
	const char *what = cli->word_count == 0 ? "" : cli->words[0];

	if (strcmp(what, "create") == 0 && cli->word_count == 1)
		return create(cli);
	if (strcmp(what, "list") == 0 && cli->word_count == 1)
		return admin_list(cli, admin_target(cli, "/api-token", NULL, NULL), key_line, "");
	if (strcmp(what, "revoke") == 0)
		return revoke(cli);
	return cli_fail_usage(cli, "say create, list or revoke ID");
}

const struct cli_command cmd_key = {
	.name = "key",
	.arguments = "create|list|revoke ID",
	.summary = "make, list and revoke API keys",
	.options = options,
	.option_count = sizeof options / sizeof options[0],
	.run = run,
};
