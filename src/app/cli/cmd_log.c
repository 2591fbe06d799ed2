/* What was called. */
#include "app/cli/commands.h"

static const struct cli_option options[] = {
	CLI_OPTION_ENVIRONMENT,
	{"account", "ID", false, "of this account only"},
	{"connector", "NAME", false, "of this connector only"},
	{"door", "NAME", false, "through this door only: unified, proxy, custom or mcp"},
	{"resource", "NAME", false, "of this resource only"},
	{"method", "NAME", false, "of this method only, such as list"},
	{"status", "STATUS", false, "answered so, such as 404 or 5xx"},
	{"error", "NAME", false, "failed so, such as rate_limited"},
	{"request-id", "ID", false, "the one with this X-Request-Id"},
	{"mcp-server", "ID", false, "through this MCP server only"},
	{"tool", "NAME", false, "of this tool only"},
	{"client", "NAME", false, "by MCP clients of this name only"},
	{"from", "TIME", false, "then or after, as 2030-01-31T00:00:00Z"},
	{"until", "TIME", false, "before this time"},
	{"limit", "N", false, "how many at most"},
	{"cursor", "TEXT", false, "go on from there"},
	CLI_OPTIONS_ADMIN,
};

/* Option, parameter. */
static const char *const filters[][2] = {
	{"account", "integrated_account_id"},
	{"connector", "connector"},
	{"door", "door"},
	{"resource", "resource"},
	{"method", "method"},
	{"status", "status"},
	{"error", "error"},
	{"request-id", "request_id"},
	{"mcp-server", "mcp_server_id"},
	{"tool", "tool"},
	{"client", "client_name"},
	{"from", "created_at[gte]"},
	{"until", "created_at[lt]"},
	{"limit", "limit"},
	{"cursor", "next_cursor"},
};

static struct str text_or_dash(struct json record, const char *name)
{
	struct str text = json_get_str(record, name);

	return text.len == 0 ? STR("-") : text;
}

static struct str call_line(struct cli *cli, struct json call)
{
	return arena_format(&cli->arena, "%.*s  %.*s  %.*s  %.*s  %.*s/%.*s  %.*s ms  %.*s",
			    STR_ARGS(json_get_str(call, "created_at")),
			    STR_ARGS(admin_json(cli, json_get_c(call, "status"))),
			    STR_ARGS(text_or_dash(call, "error")),
			    STR_ARGS(text_or_dash(call, "integrated_account_id")),
			    STR_ARGS(text_or_dash(call, "resource")),
			    STR_ARGS(text_or_dash(call, "method")),
			    STR_ARGS(admin_json(cli, json_get_c(call, "duration_ms"))),
			    STR_ARGS(json_get_str(call, "request_id")));
}

static int run(struct cli *cli)
{
	if (cli->word_count != 1 || strcmp(cli->words[0], "list") != 0)
		return cli_fail_usage(cli, "say list");
	if (admin_lacks_environment(cli))
		return cli_fail_usage(cli, "--environment NAME is missing");
	struct str target = admin_target(cli, "/log", NULL, NULL);
	for (size_t i = 0; i < sizeof filters / sizeof filters[0]; i++)
		target = admin_filter(cli, target, filters[i][0], filters[i][1]);
	return admin_list(cli, target, call_line, "--cursor");
}

const struct cli_command cmd_log = {
	.name = "log",
	.arguments = "list",
	.summary = "list what was called, the newest first",
	.options = options,
	.option_count = sizeof options / sizeof options[0],
	.run = run,
};
