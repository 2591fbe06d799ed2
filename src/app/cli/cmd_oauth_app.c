/* What an environment has registered with ATSs for OAuth. */
#include <unistd.h>

#include "app/cli/commands.h"

enum { SECRET_BYTES_MAX = 16384 };

static const struct cli_option options[] = {
	CLI_OPTION_ENVIRONMENT,
	{"client-id", "ID", false, "set: as the ATS knows the app"},
	{"scope", "NAME", true, "set: ask for this, instead of what the connector says"},
	{"authorize-url", "URL", false, "set: instead of the connector's"},
	{"token-url", "URL", false, "set: instead of the connector's"},
	CLI_OPTION_JSON,
	CLI_OPTION_DATA,
	CLI_OPTION_SERVER,
	CLI_OPTION_MASTER_KEY,
	CLI_OPTION_SHARE,
};

static struct str make_target(struct cli *cli, const char *connector)
{
	struct buffer target;

	buffer_init(&target, &cli->arena, 8192);
	buffer_append_c(&target, "/environment/oauth-apps");
	if (connector != NULL) {
		buffer_append_c(&target, "/");
		url_encode(&target, str_from_c(connector));
	}
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

/* Standard input: {"client_secret": "…"}, or {} where there is none. */
static bool read_secret(struct cli *cli, struct json *out, struct error *err)
{
	char *text = arena_alloc(&cli->arena, SECRET_BYTES_MAX);
	size_t len = 0;
	ssize_t got;

	while (len < SECRET_BYTES_MAX &&
	       (got = read(STDIN_FILENO, text + len, SECRET_BYTES_MAX - len)) > 0)
		len += (size_t)got;
	if (json_parse(&cli->arena, str_make(text, len), &json_limits_default, out, err) &&
	    json_is(*out, JSON_OBJECT))
		return true;
	return error_set(err, ERROR_INVALID,
			 "standard input must have a JSON object: {\"client_secret\": \"…\"}");
}

static void set_text(struct cli *cli, struct json_builder *body, const char *option,
		     const char *name)
{
	if (cli_value(cli, option) != NULL)
		json_builder_set(body, str_from_c(name), json_string_c(cli_value(cli, option)));
}

static bool make_body(struct cli *cli, struct str *out, struct error *err)
{
	const char *scopes[CLI_VALUES_MAX];
	size_t count = cli_values(cli, "scope", scopes, CLI_VALUES_MAX);
	struct json_builder body, list;
	struct json secret;

	if (!read_secret(cli, &secret, err))
		return false;
	json_builder_init(&body, &cli->arena);
	json_builder_init(&list, &cli->arena);
	for (size_t i = 0; i < secret.count; i++)
		json_builder_set(&body,
				 str_make(secret.members[i].key, secret.members[i].key_len),
				 secret.members[i].value);
	for (size_t i = 0; i < count; i++)
		json_builder_add(&list, json_string_c(scopes[i]));
	if (count > 0)
		json_builder_set(&body, STR("scopes"), json_builder_array(&list));
	set_text(cli, &body, "client-id", "client_id");
	set_text(cli, &body, "authorize-url", "authorize_url");
	set_text(cli, &body, "token-url", "token_url");
	*out = print(cli, json_builder_object(&body));
	return true;
}

static int set(struct cli *cli)
{
	struct json reply;
	struct error err;
	struct str body;

	if (cli->word_count != 2)
		return cli_fail_usage(cli, "set wants the name of a connector");
	if (cli_value(cli, "environment") == NULL && cli_value(cli, "server") == NULL)
		return cli_fail_usage(cli, "--environment NAME is missing");
	if (!make_body(cli, &body, &err) ||
	    !admin_call(cli, HTTP_PUT, make_target(cli, cli->words[1]), body, &reply, &err))
		return cli_fail(&err);
	cli_print(cli_flag(cli, "json") ? print(cli, reply) : STR("set"));
	return 0;
}

static int list(struct cli *cli)
{
	struct json reply;
	struct error err;

	if (!admin_call(cli, HTTP_GET, make_target(cli, NULL), (struct str){NULL, 0}, &reply, &err))
		return cli_fail(&err);
	if (cli_flag(cli, "json")) {
		cli_print(print(cli, reply));
		return 0;
	}
	struct json apps = json_get_c(reply, "result");
	for (size_t i = 0; i < apps.count; i++) {
		struct json app = json_at(apps, i);

		cli_print(arena_format(&cli->arena, "%.*s  %.*s  %.*s",
				       STR_ARGS(json_get_str(app, "connector")),
				       STR_ARGS(json_get_str(app, "client_id")),
				       STR_ARGS(json_get_str(app, "updated_at"))));
	}
	return 0;
}

static int remove_app(struct cli *cli)
{
	struct json reply;
	struct error err;

	if (cli->word_count != 2)
		return cli_fail_usage(cli, "remove wants the name of a connector");
	if (!admin_call(cli, HTTP_DELETE, make_target(cli, cli->words[1]), (struct str){NULL, 0},
			&reply, &err))
		return cli_fail(&err);
	cli_print(cli_flag(cli, "json") ? print(cli, reply) : STR("removed"));
	return 0;
}

static int run(struct cli *cli)
{
	const char *what = cli->word_count == 0 ? "" : cli->words[0];

	if (strcmp(what, "set") == 0)
		return set(cli);
	if (strcmp(what, "list") == 0 && cli->word_count == 1)
		return list(cli);
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
