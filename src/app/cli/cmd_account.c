#include <unistd.h>

#include "app/cli/commands.h"

enum { CREDENTIAL_BYTES_MAX = 65536 };

static const struct cli_option options[] = {
	CLI_OPTION_ENVIRONMENT,
	{"set", "NAME=VALUE", true, "a context field of the connector, such as company_id=41207"},
	{"tenant", "ID", false, "your own name for the customer"},
	{"format", "NAME", false, "the format of the credential, where the connector has several"},
	{"limit", "NAME=N", true, "requests, per_seconds or concurrent, over the connector's own"},
	CLI_OPTION_JSON,
	CLI_OPTION_DATA,
	CLI_OPTION_SERVER,
	CLI_OPTION_MASTER_KEY,
	CLI_OPTION_SHARE,
	CLI_OPTION_BASE_URL,
	CLI_OPTIONS_REACH,
};

static struct str print(struct cli *cli, struct json value)
{
	struct buffer text;

	buffer_init(&text, &cli->arena, SIZE_MAX / 4);
	json_print(&text, value);
	return buffer_str(&text);
}

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

/* Standard input: a JSON object with the connector's credential fields. */
static bool read_credential(struct cli *cli, struct json *credential, struct error *err)
{
	char *text = arena_alloc(&cli->arena, CREDENTIAL_BYTES_MAX);
	size_t len = 0;
	ssize_t got;

	while ((got = read(STDIN_FILENO, text + len, CREDENTIAL_BYTES_MAX - len)) > 0)
		len += (size_t)got;
	if (len == CREDENTIAL_BYTES_MAX)
		return error_set(err, ERROR_LIMIT, "the credential is larger than %d bytes",
				 CREDENTIAL_BYTES_MAX - 1);
	if (json_parse(&cli->arena, str_make(text, len), &json_limits_default, credential, err) &&
	    json_is(*credential, JSON_OBJECT))
		return true;
	/* The parser's own words could quote a secret. */
	return error_set(err, ERROR_INVALID,
			 "standard input must have the credential as a JSON object, such as {\"api_token\": \"…\"}");
}

static bool make_context(struct cli *cli, struct json *out, struct error *err)
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
	*out = json_builder_object(&context);
	return true;
}

static bool make_limits(struct cli *cli, struct json *out, struct error *err)
{
	const char *given[CLI_VALUES_MAX];
	size_t count = cli_values(cli, "limit", given, CLI_VALUES_MAX);
	struct json_builder limits;
	struct str name, value;
	int64_t number;

	json_builder_init(&limits, &cli->arena);
	for (size_t i = 0; i < count; i++) {
		if (!cli_pair("limit", given[i], &name, &value, err))
			return false;
		if (!str_to_int64(value, &number))
			return error_set(err, ERROR_INVALID, "--limit %.*s wants a whole number",
					 STR_ARGS(name));
		json_builder_set(&limits, name, json_int(number));
	}
	*out = json_builder_object(&limits);
	return true;
}

static bool make_body(struct cli *cli, struct str *out, struct error *err)
{
	struct json credential, context, limits;
	struct json_builder body;

	if (!make_context(cli, &context, err) || !make_limits(cli, &limits, err) ||
	    !read_credential(cli, &credential, err))
		return false;
	json_builder_init(&body, &cli->arena);
	json_builder_set(&body, STR("connector"), json_string_c(cli->words[1]));
	json_builder_set(&body, STR("context"), context);
	json_builder_set(&body, STR("credentials"), credential);
	json_builder_set(&body, STR("limits"), limits);
	if (cli_value(cli, "format") != NULL)
		json_builder_set(&body, STR("authentication_method"),
				 json_string_c(cli_value(cli, "format")));
	if (cli_value(cli, "tenant") != NULL)
		json_builder_set(&body, STR("tenant_id"), json_string_c(cli_value(cli, "tenant")));
	*out = print(cli, json_builder_object(&body));
	return true;
}

static int link_account(struct cli *cli)
{
	struct json reply;
	struct str body;
	struct error err;

	if (cli->word_count != 2)
		return cli_fail_usage(cli, "link wants the name of a connector");
	if (cli_value(cli, "environment") == NULL && cli_value(cli, "server") == NULL)
		return cli_fail_usage(cli, "--environment NAME is missing");
	if (!make_body(cli, &body, &err) ||
	    !admin_call(cli, HTTP_POST, make_target(cli, "/integrated-account", NULL), body, &reply,
			&err))
		return cli_fail(&err);
	cli_print(cli_flag(cli, "json") ? print(cli, reply) : json_get_str(reply, "id"));
	return 0;
}

static int list(struct cli *cli)
{
	struct json reply;
	struct error err;

	if (!admin_call(cli, HTTP_GET, make_target(cli, "/integrated-account", NULL),
			(struct str){NULL, 0}, &reply, &err))
		return cli_fail(&err);
	if (cli_flag(cli, "json")) {
		cli_print(print(cli, reply));
		return 0;
	}
	struct json accounts = json_get_c(reply, "result");
	for (size_t i = 0; i < accounts.count; i++) {
		struct json account = json_at(accounts, i);
		cli_print(arena_format(&cli->arena, "%.*s  %.*s  %.*s  %.*s",
				       STR_ARGS(json_get_str(account, "id")),
				       STR_ARGS(json_get_str(account, "connector")),
				       STR_ARGS(json_get_str(account, "status")),
				       STR_ARGS(json_get_str(account, "tenant_id"))));
	}
	if (json_is(json_get_c(reply, "next_cursor"), JSON_STRING))
		cli_print(STR("(there are more: see --json)"));
	return 0;
}

static int show_or_remove(struct cli *cli, enum http_method method)
{
	struct json reply;
	struct buffer text;
	struct error err;

	if (cli->word_count != 2)
		return cli_fail_usage(cli, "the id of an account is wanted");
	if (!admin_call(cli, method, make_target(cli, "/integrated-account/", cli->words[1]),
			(struct str){NULL, 0}, &reply, &err))
		return cli_fail(&err);
	buffer_init(&text, &cli->arena, SIZE_MAX / 4);
	if (cli_flag(cli, "json"))
		json_print(&text, reply);
	else
		json_print_pretty(&text, reply);
	cli_print(buffer_str(&text));
	return 0;
}

static int refresh(struct cli *cli)
{
	struct json reply;
	struct buffer path;
	struct error err;

	if (cli->word_count != 2)
		return cli_fail_usage(cli, "the id of an account is wanted");
	buffer_init(&path, &cli->arena, 8192);
	buffer_append_c(&path, "/integrated-account/");
	url_encode(&path, str_from_c(cli->words[1]));
	buffer_append_c(&path, "/refresh-credentials");
	buffer_append_byte(&path, '\0');
	if (!admin_call(cli, HTTP_POST, make_target(cli, path.data, NULL), STR("{}"), &reply, &err))
		return cli_fail(&err);
	cli_print(cli_flag(cli, "json") ? print(cli, reply) : STR("refreshed"));
	return 0;
}

static int run(struct cli *cli)
{
	const char *what = cli->word_count == 0 ? "" : cli->words[0];

	if (strcmp(what, "link") == 0)
		return link_account(cli);
	if (strcmp(what, "list") == 0)
		return list(cli);
	if (strcmp(what, "show") == 0)
		return show_or_remove(cli, HTTP_GET);
	if (strcmp(what, "remove") == 0)
		return show_or_remove(cli, HTTP_DELETE);
	if (strcmp(what, "refresh") == 0)
		return refresh(cli);
	return cli_fail_usage(cli, "say link CONNECTOR, list, show ID, refresh ID or remove ID");
}

const struct cli_command cmd_account = {
	.name = "account",
	.arguments = "link CONNECTOR|list|show ID|refresh ID|remove ID",
	.summary = "link ATS accounts, list, show and remove them",
	.details = "link reads the credential from standard input, as a JSON object with the\n"
		   "connector's field names, and checks it against the ATS. refresh gets a new token\n"
		   "for an account that was linked by OAuth.",
	.options = options,
	.option_count = sizeof options / sizeof options[0],
	.run = run,
};
