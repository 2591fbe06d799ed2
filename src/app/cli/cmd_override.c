/* The overrides of an account, or of an environment for a connector. */
#include "app/cli/commands.h"

static const struct cli_option options[] = {
	CLI_OPTION_ENVIRONMENT,
	{"account", "ID", false, "of this account"},
	{"connector", "NAME", false, "or: of an environment's accounts of this connector"},
	{"field", "NAME=EXPRESSION", true, "a field of the record; an empty expression removes"},
	{"id", "ID", false, "test: the record to try the fields on"},
	CLI_OPTION_JSON,
	CLI_OPTION_DATA,
	CLI_OPTION_SERVER,
	CLI_OPTION_MASTER_KEY, CLI_OPTION_DATABASE,
	CLI_OPTION_SHARE,
	CLI_OPTION_BASE_URL,
	CLI_OPTIONS_REACH,
};

/* The layer's path, with `resource` behind it where there is one. */
static struct str make_target(struct cli *cli, const char *resource)
{
	const char *account = cli_value(cli, "account");
	struct buffer target;

	buffer_init(&target, &cli->arena, 8192);
	buffer_append_c(&target,
			account != NULL ? "/integrated-account/" : "/environment/overrides/");
	url_encode(&target, str_from_c(account != NULL ? account : cli_value(cli, "connector")));
	if (account != NULL)
		buffer_append_c(&target, "/overrides");
	if (resource != NULL) {
		buffer_append_c(&target, "/");
		url_encode(&target, str_from_c(resource));
	}
	if (cli_value(cli, "environment") != NULL)
		target_add(&target, "environment", str_from_c(cli_value(cli, "environment")));
	return buffer_str(&target);
}

/* {"response": {field: expression or null}} */
static bool make_document(struct cli *cli, struct json *out, struct error *err)
{
	const char *given[CLI_VALUES_MAX];
	size_t count = cli_values(cli, "field", given, CLI_VALUES_MAX);
	struct json_builder fields, document;
	struct str name, value;

	json_builder_init(&fields, &cli->arena);
	json_builder_init(&document, &cli->arena);
	for (size_t i = 0; i < count; i++) {
		if (!cli_pair("field", given[i], &name, &value, err))
			return false;
		json_builder_set(&fields, name, value.len == 0 ? json_null() : json_string(value));
	}
	json_builder_set(&document, STR("response"), json_builder_object(&fields));
	*out = json_builder_object(&document);
	return true;
}

static struct str print(struct cli *cli, struct json value, bool is_pretty)
{
	struct buffer text;

	buffer_init(&text, &cli->arena, SIZE_MAX / 4);
	if (is_pretty)
		json_print_pretty(&text, value);
	else
		json_print(&text, value);
	return buffer_str(&text);
}

static int list(struct cli *cli)
{
	struct json reply;
	struct error err;

	if (!admin_call(cli, HTTP_GET, make_target(cli, NULL), (struct str){NULL, 0}, &reply, &err))
		return cli_fail(&err);
	if (cli_flag(cli, "json")) {
		cli_print(print(cli, reply, false));
		return 0;
	}
	struct json rows = json_get_c(reply, "result");
	for (size_t i = 0; i < rows.count; i++) {
		struct json row = json_at(rows, i);
		struct json shadowed = json_get_c(row, "is_shadowed");

		cli_print(arena_format(&cli->arena, "%.*s  %.*s  %.*s %.*s  %.*s%s",
				       STR_ARGS(json_get_str(row, "layer")),
				       STR_ARGS(json_get_str(row, "resource")),
				       STR_ARGS(json_get_str(row, "side")),
				       STR_ARGS(json_get_str(row, "field")),
				       STR_ARGS(json_get_str(row, "expression")),
				       json_is(shadowed, JSON_BOOL) && shadowed.boolean
					       ? "  (the account says otherwise)"
					       : ""));
	}
	return 0;
}

/* What the layer has for the resource, also after a change. */
static int call(struct cli *cli, enum http_method method, struct str body)
{
	struct json reply;
	struct error err;

	if (!admin_call(cli, method, make_target(cli, cli->words[1]), body, &reply, &err))
		return cli_fail(&err);
	if (cli_flag(cli, "json"))
		cli_print(print(cli, reply, false));
	else
		cli_print(print(cli, json_get_c(reply, "overrides"), true));
	return 0;
}

static int set(struct cli *cli)
{
	struct json document;
	struct error err;

	if (!make_document(cli, &document, &err))
		return cli_fail(&err);
	return call(cli, HTTP_PATCH, print(cli, document, false));
}

static int test(struct cli *cli)
{
	struct json document, reply;
	struct json_builder body;
	struct error err;

	if (cli_value(cli, "account") == NULL || cli_value(cli, "id") == NULL)
		return cli_fail_usage(cli, "test wants --account ID and --id ID");
	if (!make_document(cli, &document, &err))
		return cli_fail(&err);
	json_builder_init(&body, &cli->arena);
	json_builder_set(&body, STR("resource"), json_string_c(cli->words[1]));
	json_builder_set(&body, STR("id"), json_string_c(cli_value(cli, "id")));
	json_builder_set(&body, STR("overrides"), document);
	if (!admin_call(cli, HTTP_POST, make_target(cli, "test"),
			print(cli, json_builder_object(&body), false), &reply, &err))
		return cli_fail(&err);
	if (cli_flag(cli, "json")) {
		cli_print(print(cli, reply, false));
		return 0;
	}
	cli_print(print(cli, json_get_c(reply, "difference"), true));
	if (json_get_c(reply, "errors").count > 0)
		cli_print(print(cli, json_get_c(reply, "errors"), true));
	return 0;
}

static int run(struct cli *cli)
{
	const char *what = cli->word_count == 0 ? "" : cli->words[0];
	bool is_account = cli_value(cli, "account") != NULL;

	if (is_account == (cli_value(cli, "connector") != NULL))
		return cli_fail_usage(cli, "say --account ID, or --connector NAME");
	if (!is_account && cli_value(cli, "environment") == NULL &&
	    cli_value(cli, "server") == NULL)
		return cli_fail_usage(cli, "--environment NAME is missing");
	if (strcmp(what, "list") == 0)
		return list(cli);
	if (cli->word_count != 2)
		return cli_fail_usage(cli,
				      "say list, or show, set, remove or test with a resource");
	if (strcmp(what, "show") == 0)
		return call(cli, HTTP_GET, (struct str){NULL, 0});
	if (strcmp(what, "set") == 0)
		return set(cli);
	if (strcmp(what, "remove") == 0)
		return call(cli, HTTP_DELETE, (struct str){NULL, 0});
	if (strcmp(what, "test") == 0)
		return test(cli);
	return cli_fail_usage(cli, "say list, show, set, remove or test");
}

const struct cli_command cmd_override = {
	.name = "override",
	.arguments = "list|show RESOURCE|set RESOURCE|remove RESOURCE|test RESOURCE",
	.summary = "expressions over a connector's own, per field",
	.details = "set changes the fields named by --field and leaves all others; remove takes "
		   "all of\n"
		   "the resource's away; test shows what the fields would be on a live record.",
	.options = options,
	.option_count = sizeof options / sizeof options[0],
	.run = run,
};
