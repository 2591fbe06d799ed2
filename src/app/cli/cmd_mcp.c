/* `tenon mcp`: the tools of an account on standard input and output, for programs beside it. */
#include "app/cli/commands.h"
#include "app/cli/mcp_relay.h"
#include "base/log.h"

enum { TARGET_BYTES_MAX = 16384 };

static const struct cli_option options[] = {
	{"account", "ID", false, "the integrated account whose tools it has"},
	CLI_OPTION_ENVIRONMENT,
	{"methods", "NAMES", false,
	 "only these, by comma: read, write, custom, or names of methods"},
	{"tags", "NAMES", false, "only tools with one of these tags, by comma"},
	{"search", NULL, false, "two tools instead of all: one finds tools, one calls them"},
	{"mask", "NAMES", false, "personal data to be masked, by comma: name, contact, …"},
	{"output-bytes", "N", false, "how large a result may be"},
	{"url", "URL", false,
	 "a server's endpoint instead of an account, with the token in TENON_MCP_TOKEN"},
	CLI_OPTION_DATA,
	CLI_OPTION_MASTER_KEY, CLI_OPTION_DATABASE,
	CLI_OPTION_SHARE,
	CLI_OPTION_BASE_URL,
	CLI_OPTIONS_REACH,
};

/* Options of the command as parameters of the endpoint. */
static const struct {
	const char *option;
	const char *parameter;
} parameters[] = {
	{"environment", "environment"},
	{"methods", "methods"},
	{"tags", "tags"},
	{"mask", "mask"},
	{"output-bytes", "output_bytes"},
};

static bool make_url(struct cli *cli, struct str *url, struct error *err)
{
	struct buffer target;

	buffer_init(&target, &cli->arena, TARGET_BYTES_MAX);
	buffer_append_c(&target, "http://localhost/mcp/account/");
	url_encode(&target, str_from_c(cli_value(cli, "account")));
	for (size_t i = 0; i < sizeof parameters / sizeof parameters[0]; i++) {
		const char *value = cli_value(cli, parameters[i].option);

		if (value != NULL)
			target_add(&target, parameters[i].parameter, str_from_c(value));
	}
	if (cli_flag(cli, "search"))
		target_add(&target, "mode", STR("search"));
	*url = buffer_str(&target);
	return buffer_check(&target, "the options", err);
}

/* A server of this process's own, on the data folder's socket only: other commands, and further
 * clients' `tenon mcp`, find it there. */
static struct server *open_folder(struct server_options *folder, struct error *err)
{
	folder->listen = (struct str){NULL, 0};
	folder->workers = 1;
	struct server *server = server_open(folder, err);

	if (server == NULL || server_start(server, err))
		return server;
	server_close(server);
	return NULL;
}

static bool relay_account(struct cli *cli, struct error *err)
{
	struct server_base_url base_urls[CLI_VALUES_MAX];
	struct server_options folder;
	struct server *server = NULL;
	struct mcp_relay_options relay = {0};

	if (!make_url(cli, &relay.url, err) || !server_options_read(cli, &folder, base_urls, err))
		return false;
	relay.unix_socket = arena_format(&cli->arena, "%s/tenon.sock", folder.data_folder).data;
	if (!admin_is_served(relay.unix_socket)) {
		server = open_folder(&folder, err);
		if (server == NULL)
			return false;
	}
	bool ok = mcp_relay_run(&relay, err);
	server_close(server);
	return ok;
}

static bool relay_url(const char *url, struct error *err)
{
	const char *token = getenv("TENON_MCP_TOKEN");
	const struct mcp_relay_options relay = {.url = str_from_c(url), .token = str_from_c(token)};

	return mcp_relay_run(&relay, err);
}

static int run(struct cli *cli)
{
	const char *url = cli_value(cli, "url");
	struct error err;

	if (cli->word_count > 0)
		return cli_fail_usage(cli, "mcp takes options only");
	if ((url == NULL) == (cli_value(cli, "account") == NULL))
		return cli_fail_usage(cli, "either --account ID or --url URL is wanted");
	log_set_level(LOG_WARNING);
	if (!(url == NULL ? relay_account(cli, &err) : relay_url(url, &err)))
		return cli_fail(&err);
	return 0;
}

const struct cli_command cmd_mcp = {
	.name = "mcp",
	.arguments = "",
	.summary = "an account's tools for an AI agent, on standard input and output",
	.details = "One JSON-RPC message a line, of the Model Context Protocol; it ends with its "
		   "input.\n"
		   "It goes through the server that runs on the data folder, or opens the folder "
		   "itself.",
	.options = options,
	.option_count = sizeof options / sizeof options[0],
	.run = run,
};
