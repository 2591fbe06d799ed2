/* MCP servers of accounts. */
#include "app/cli/commands.h"

static const struct cli_option options[] = {
	CLI_OPTION_ENVIRONMENT,
	{"account", "ID", false, "whose tools they are"},
	{"name", "TEXT", false, "your own name for it"},
	{"method", "NAME", true, "only tools of this: read, write, custom, list …, or a tool's name"},
	{"tag", "NAME", true, "and of this tag: unified, proxy, or a resource such as notes"},
	{"mode", "MODE", false, "all (the list has all tools) or search (it has two that find them)"},
	{"confirm", "WHEN", false, "ask before destructive calls, writes, or never"},
	{"structured", "BOOLEAN", false, "true: results are structured content besides"},
	{"token-in-path", "BOOLEAN", false, "true: for clients that can send no header"},
	{"require-api-key", "BOOLEAN", false, "true: an API key is wanted besides the token"},
	{"output-bytes", "N", false, "how long a result may be, 4096 to 1048576"},
	{"mask", "NAME", true, "mask name, contact, document, sensitive, free_text, or this field"},
	{"rate", "REQUESTS/SECONDS", false, "how many calls it takes (default: 600/60)"},
	{"issuer", "URL", false, "take tokens of this authorization server, too"},
	{"audience", "TEXT", false, "which are for this (default: the server's URL)"},
	{"subject", "TEXT", true, "and given to this one only"},
	{"expires-at", "TIME", false, "as 2030-01-31T00:00:00Z, or never"},
	{"clear", "MEMBER", true, "change: empty methods, tags, mask, rate_limit or oauth"},
	{"cursor", "TEXT", false, "list: go on from there"},
	CLI_OPTIONS_ADMIN,
};

/* "/integrated-account/ID/mcp", then "/" and the server's id if there is one. */
static struct str make_target(struct cli *cli, const char *id)
{
	struct buffer rest;

	buffer_init(&rest, &cli->arena, 4096);
	buffer_append_c(&rest, "/mcp");
	if (id != NULL) {
		buffer_append_c(&rest, "/");
		url_encode(&rest, str_from_c(id));
	}
	return admin_target(cli, "/integrated-account/", cli_value(cli, "account"),
			    arena_c(&cli->arena, buffer_str(&rest)));
}

/* --- the body --------------------------------------------------------------------------------- */

static bool put_rate(struct cli *cli, struct json_builder *body, struct error *err)
{
	struct str rest = str_from_c(cli_value(cli, "rate"));
	struct str requests = str_cut(&rest, '/');
	struct json_builder rate;
	int64_t number, seconds;

	if (cli_value(cli, "rate") == NULL)
		return true;
	if (!str_to_int64(requests, &number) || !str_to_int64(rest, &seconds))
		return error_set_field(err, ERROR_INVALID, "rate", "REQUESTS/SECONDS",
				       "--rate wants two whole numbers, such as 600/60");
	json_builder_init(&rate, &cli->arena);
	json_builder_set(&rate, STR("requests"), json_int(number));
	json_builder_set(&rate, STR("per_seconds"), json_int(seconds));
	json_builder_set(body, STR("rate_limit"), json_builder_object(&rate));
	return true;
}

static bool put_oauth(struct cli *cli, struct json_builder *body, struct error *err)
{
	struct json_builder oauth;

	if (cli_value(cli, "issuer") == NULL &&
	    (cli_value(cli, "audience") != NULL || cli_value(cli, "subject") != NULL))
		return error_set_field(err, ERROR_INVALID, "issuer", "the URL of one",
				       "--audience and --subject want --issuer beside them");
	if (cli_value(cli, "issuer") == NULL)
		return true;
	json_builder_init(&oauth, &cli->arena);
	admin_put_text(cli, &oauth, "issuer", "issuer");
	admin_put_text(cli, &oauth, "audience", "audience");
	admin_put_list(cli, &oauth, "subject", "subjects");
	json_builder_set(body, STR("oauth"), json_builder_object(&oauth));
	return true;
}

static void put_end(struct cli *cli, struct json_builder *body)
{
	const char *end = cli_value(cli, "expires-at");

	if (end != NULL)
		json_builder_set(body, STR("expires_at"),
				 strcmp(end, "never") == 0 ? json_null() : json_string_c(end));
}

static bool make_body(struct cli *cli, struct str *out, struct error *err)
{
	struct json_builder body;

	json_builder_init(&body, &cli->arena);
	admin_put_cleared(cli, &body);
	admin_put_text(cli, &body, "name", "name");
	admin_put_list(cli, &body, "method", "methods");
	admin_put_list(cli, &body, "tag", "tags");
	admin_put_text(cli, &body, "mode", "mode");
	admin_put_text(cli, &body, "confirm", "confirm");
	admin_put_list(cli, &body, "mask", "mask");
	put_end(cli, &body);
	if (!admin_put_int(cli, &body, "output-bytes", "output_bytes", 4096, 1048576, err) ||
	    !admin_put_flag(cli, &body, "structured", "structured", err) ||
	    !admin_put_flag(cli, &body, "token-in-path", "token_in_path", err) ||
	    !admin_put_flag(cli, &body, "require-api-key", "require_api_key", err) ||
	    !put_rate(cli, &body, err) || !put_oauth(cli, &body, err))
		return false;
	*out = admin_json(cli, json_builder_object(&body));
	return true;
}

/* --- what is done ----------------------------------------------------------------------------- */

static int create(struct cli *cli)
{
	struct json reply;
	struct error err;
	struct str body, url;

	if (!make_body(cli, &body, &err) ||
	    !admin_call(cli, HTTP_POST, make_target(cli, NULL), body, &reply, &err))
		return cli_fail(&err);
	if (cli_flag(cli, "json")) {
		cli_print(admin_json(cli, reply));
		return 0;
	}
	url = json_get_str(reply, "url_with_token");
	cli_print(arena_format(&cli->arena,
			       "%.*s\n%.*s%s%.*s\nThe token is shown once; the server's id is %.*s.",
			       STR_ARGS(json_get_str(reply, "token")),
			       STR_ARGS(json_get_str(reply, "url")), url.len > 0 ? "\n" : "",
			       STR_ARGS(url), STR_ARGS(json_get_str(reply, "id"))));
	return 0;
}

static struct str server_line(struct cli *cli, struct json server)
{
	struct str end = json_get_str(server, "expires_at");

	return arena_format(&cli->arena, "%.*s  %.*s  %.*s  %.*s",
			    STR_ARGS(json_get_str(server, "id")),
			    STR_ARGS(json_get_str(server, "created_at")),
			    STR_ARGS(end.len > 0 ? end : STR("-")),
			    STR_ARGS(json_get_str(server, "name")));
}

static int list(struct cli *cli)
{
	struct str target = admin_filter(cli, make_target(cli, NULL), "cursor", "next_cursor");

	return admin_list(cli, target, server_line, "--cursor");
}

static int change(struct cli *cli)
{
	struct error err;
	struct str body;

	if (!make_body(cli, &body, &err))
		return cli_fail(&err);
	return admin_do(cli, HTTP_PATCH, make_target(cli, cli->words[1]), body, STR("changed"));
}

static int run(struct cli *cli)
{
	const char *what = cli->word_count == 0 ? "" : cli->words[0];

	if (cli_value(cli, "account") == NULL)
		return cli_fail_usage(cli, "--account ID is missing");
	if (strcmp(what, "create") == 0 && cli->word_count == 1)
		return create(cli);
	if (strcmp(what, "list") == 0 && cli->word_count == 1)
		return list(cli);
	if (strcmp(what, "show") == 0 && cli->word_count == 2)
		return admin_show(cli, HTTP_GET, make_target(cli, cli->words[1]),
				  (struct str){NULL, 0});
	if (strcmp(what, "change") == 0 && cli->word_count == 2)
		return change(cli);
	if (strcmp(what, "remove") == 0 && cli->word_count == 2)
		return admin_do(cli, HTTP_DELETE, make_target(cli, cli->words[1]),
				(struct str){NULL, 0}, STR("removed"));
	return cli_fail_usage(cli, "say create, list, show ID, change ID or remove ID");
}

const struct cli_command cmd_mcp_server = {
	.name = "mcp-server",
	.arguments = "create|list|show ID|change ID|remove ID",
	.summary = "make and manage an account's MCP servers, which AI agents call",
	.options = options,
	.option_count = sizeof options / sizeof options[0],
	.run = run,
};
