#include "app/cli/commands.h"

static const struct cli_option options[] = {
	CLI_OPTION_ENVIRONMENT,
	{"name", "TEXT", false, "what to call the key"},
	{"scope", "SCOPE", true, "call (default) or admin"},
	CLI_OPTION_JSON,
	CLI_OPTION_DATA,
	CLI_OPTION_SERVER,
	CLI_OPTION_MASTER_KEY,
	CLI_OPTION_SHARE,
};

static struct str make_target(struct cli *cli, const char *path)
{
	struct buffer target;

	buffer_init(&target, &cli->arena, 8192);
	buffer_append_c(&target, path);
	if (cli_value(cli, "environment") != NULL)
		target_add(&target, "environment", str_from_c(cli_value(cli, "environment")));
	return buffer_str(&target);
}

static struct str make_body(struct cli *cli)
{
	const char *scopes[CLI_VALUES_MAX];
	size_t count = cli_values(cli, "scope", scopes, CLI_VALUES_MAX);
	struct json_builder body, list;
	struct buffer text;

	json_builder_init(&body, &cli->arena);
	json_builder_init(&list, &cli->arena);
	if (cli_value(cli, "name") != NULL)
		json_builder_set(&body, STR("name"), json_string_c(cli_value(cli, "name")));
	for (size_t i = 0; i < count; i++)
		json_builder_add(&list, json_string_c(scopes[i]));
	if (count > 0)
		json_builder_set(&body, STR("scopes"), json_builder_array(&list));
	buffer_init(&text, &cli->arena, 65536);
	json_print(&text, json_builder_object(&body));
	return buffer_str(&text);
}

static void print_json(struct cli *cli, struct json value)
{
	struct buffer out;

	buffer_init(&out, &cli->arena, SIZE_MAX / 4);
	json_print(&out, value);
	cli_print(buffer_str(&out));
}

static int create(struct cli *cli)
{
	struct json reply;
	struct error err;

	if (cli_value(cli, "environment") == NULL && cli_value(cli, "server") == NULL)
		return cli_fail_usage(cli, "--environment NAME is missing");
	if (!admin_call(cli, HTTP_POST, make_target(cli, "/api-token"), make_body(cli), &reply,
			&err))
		return cli_fail(&err);
	if (cli_flag(cli, "json"))
		print_json(cli, reply);
	else
		cli_print(arena_format(&cli->arena, "%.*s\nThis is shown once; its id is %.*s.",
				       STR_ARGS(json_get_str(reply, "key")),
				       STR_ARGS(json_get_str(reply, "id"))));
	return 0;
}

static int list(struct cli *cli)
{
	struct json reply;
	struct error err;

	if (!admin_call(cli, HTTP_GET, make_target(cli, "/api-token"), (struct str){NULL, 0},
			&reply, &err))
		return cli_fail(&err);
	if (cli_flag(cli, "json")) {
		print_json(cli, reply);
		return 0;
	}
	struct json keys = json_get_c(reply, "result");
	for (size_t i = 0; i < keys.count; i++) {
		struct json key = json_at(keys, i);
		bool is_revoked = json_is(json_get_c(key, "revoked_at"), JSON_STRING);
		cli_print(arena_format(&cli->arena, "%.*s  %.*s…  %.*s  %s",
				       STR_ARGS(json_get_str(key, "id")),
				       STR_ARGS(json_get_str(key, "hint")),
				       STR_ARGS(json_get_str(key, "created_at")),
				       is_revoked ? "revoked" : "valid"));
	}
	return 0;
}

static int revoke(struct cli *cli)
{
	struct json reply;
	struct buffer path;
	struct error err;

	if (cli->word_count != 2)
		return cli_fail_usage(cli, "revoke wants the id of a key");
	buffer_init(&path, &cli->arena, 8192);
	buffer_append_c(&path, "/api-token/");
	url_encode(&path, str_from_c(cli->words[1]));
	buffer_append_byte(&path, '\0');
	if (!admin_call(cli, HTTP_DELETE, make_target(cli, path.data), (struct str){NULL, 0},
			&reply, &err))
		return cli_fail(&err);
	if (cli_flag(cli, "json"))
		print_json(cli, reply);
	else
		cli_print(STR("revoked"));
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

const struct cli_command cmd_key = {
	.name = "key",
	.arguments = "create|list|revoke ID",
	.summary = "make, list and revoke API keys",
	.options = options,
	.option_count = sizeof options / sizeof options[0],
	.run = run,
};
