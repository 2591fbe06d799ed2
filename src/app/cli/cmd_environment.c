#include "app/cli/commands.h"

static const struct cli_option options[] = {
	CLI_OPTION_JSON,
	CLI_OPTION_DATA,
	CLI_OPTION_MASTER_KEY,
	CLI_OPTION_SHARE,
};

static struct str print(struct cli *cli, struct json value)
{
	struct buffer text;

	buffer_init(&text, &cli->arena, SIZE_MAX / 4);
	json_print(&text, value);
	return buffer_str(&text);
}

static int create(struct cli *cli)
{
	struct json_builder body;
	struct json reply;
	struct error err;

	if (cli->word_count != 2)
		return cli_fail_usage(cli, "create wants a name");
	json_builder_init(&body, &cli->arena);
	json_builder_set(&body, STR("name"), json_string_c(cli->words[1]));
	if (!admin_call(cli, HTTP_POST, STR("/environment"),
			print(cli, json_builder_object(&body)), &reply, &err))
		return cli_fail(&err);
	cli_print(cli_flag(cli, "json") ? print(cli, reply) : json_get_str(reply, "id"));
	return 0;
}

static int list(struct cli *cli)
{
	struct json reply, items;
	struct error err;

	if (!admin_call(cli, HTTP_GET, STR("/environment"), (struct str){NULL, 0}, &reply, &err))
		return cli_fail(&err);
	if (cli_flag(cli, "json")) {
		cli_print(print(cli, reply));
		return 0;
	}
	items = json_get_c(reply, "result");
	for (size_t i = 0; i < items.count; i++)
		cli_print(arena_format(&cli->arena, "%.*s  %.*s  %.*s",
				       STR_ARGS(json_get_str(json_at(items, i), "id")),
				       STR_ARGS(json_get_str(json_at(items, i), "created_at")),
				       STR_ARGS(json_get_str(json_at(items, i), "name"))));
	return 0;
}

static int run(struct cli *cli)
{
	const char *what = cli->word_count == 0 ? "" : cli->words[0];

	if (strcmp(what, "create") == 0)
		return create(cli);
	if (strcmp(what, "list") == 0 && cli->word_count == 1)
		return list(cli);
	return cli_fail_usage(cli, "say create NAME or list");
}

const struct cli_command cmd_environment = {
	.name = "environment",
	.arguments = "create NAME|list",
	.summary = "make and list environments",
	.options = options,
	.option_count = sizeof options / sizeof options[0],
	.run = run,
};
