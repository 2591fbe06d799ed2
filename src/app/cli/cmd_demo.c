/* The main job in one command: a sandbox, a server, a linked account, and what to try. */
#include <dirent.h>
#include <unistd.h>

#include "app/cli/commands.h"
#include "app/sandbox/sandbox.h"
#include "ats/calls/calls.h"
#include "base/log.h"

static const struct cli_option options[] = {
	{"listen", "HOST:PORT", false, "where the server listens (default: 127.0.0.1:8080, or any free port)"},
	{"candidates", "N", false, "how many candidates the made-up company has (default: 200)"},
	{"once", NULL, false, "show and end, instead of waiting for Ctrl-C"},
	CLI_OPTION_SHARE,
};

struct demo {
	struct cli *cli;
	char folder[64];
	const char *share;
	struct str ats; /* the first sandbox there is */
	struct sandbox *sandbox;
	struct listener *listener;
	struct str sandbox_address;
	struct server *server;
	struct str key;
	struct str account_id;
	struct str link_token;
};

static bool find_ats(struct demo *demo, struct error *err)
{
	struct arena *arena = &demo->cli->arena;
	struct str *names;
	size_t count;
	const char *folder;

	if (!server_find_share(arena, disk_system(), cli_value(demo->cli, "share"), &demo->share,
			       err))
		return false;
	folder = arena_format(arena, "%s/sandbox", demo->share).data;
	if (!disk_list(disk_system(), arena, folder, &names, &count, err))
		return false;
	if (count == 0)
		return error_set(err, ERROR_NOT_FOUND, "there is no sandbox in %s", folder);
	demo->ats = names[0];
	return true;
}

static bool start_sandbox(struct demo *demo, struct error *err)
{
	struct arena *arena = &demo->cli->arena;
	int64_t candidates;

	if (!cli_number(demo->cli, "candidates", 1, SANDBOX_CANDIDATES_MAX, 0, &candidates, err))
		return false;
	struct sandbox_options sandbox = {
		.folder = arena_format(arena, "%s/sandbox/%.*s", demo->share, STR_ARGS(demo->ats)).data,
		.seed = 1,
		.candidates = (size_t)candidates,
	};
	demo->sandbox = sandbox_create(&sandbox, err);
	if (demo->sandbox == NULL)
		return false;
	demo->listener = listener_start(arena, sandbox_handler(demo->sandbox), &sandbox_limits,
					STR("127.0.0.1:0"), &demo->sandbox_address, err);
	return demo->listener != NULL;
}

static bool open_server(struct demo *demo, struct server_base_url *base_url, struct error *err)
{
	struct arena *arena = &demo->cli->arena;

	snprintf(demo->folder, sizeof demo->folder, "/tmp/tenon-demo-XXXXXX");
	if (mkdtemp(demo->folder) == NULL)
		return error_set(err, ERROR_UNAVAILABLE, "no folder can be made in /tmp");
	*base_url = (struct server_base_url){
		demo->ats,
		arena_format(arena, "http://%.*s", STR_ARGS(demo->sandbox_address))};
	const char *listen = cli_value(demo->cli, "listen");
	struct server_options server = {
		.data_folder = demo->folder,
		.share_folder = demo->share,
		.listen = listen == NULL ? STR("127.0.0.1:8080") : str_from_c(listen),
		.base_urls = base_url,
		.base_url_count = 1,
		.log_days = CALLS_DAYS_DEFAULT,
	};
	demo->server = server_open(&server, err);
	return demo->server != NULL;
}

/* A request of the operator, which must succeed. */
static bool ask(struct demo *demo, enum http_method method, const char *target, struct str body,
		struct json *reply, struct error *err)
{
	struct arena *arena = &demo->cli->arena;
	struct str text;
	int status;

	if (!server_dispatch(demo->server, arena, method, str_from_c(target), body, &status, &text,
			     err) ||
	    !json_parse(arena, text, &json_limits_default, reply, err))
		return false;
	if (status < 400)
		return true;
	return error_set(err, ERROR_INTERNAL, "%.*s", STR_ARGS(json_get_str(*reply, "message")));
}

static bool link_account(struct demo *demo, struct error *err)
{
	struct arena *arena = &demo->cli->arena;
	struct str link = str_trim(sandbox_link(demo->sandbox));
	struct json reply;

	if (!ask(demo, HTTP_POST, "/api-token?environment=demo",
		 STR("{\"name\":\"demo\",\"scopes\":[\"call\",\"admin\"]}"), &reply, err))
		return false;
	demo->key = json_get_str(reply, "key");
	/* The object without its opening brace goes on after our own members. */
	struct str body = arena_format(arena, "{\"connector\":\"%.*s\",\"tenant_id\":\"demo-customer\",%.*s",
				       STR_ARGS(demo->ats), STR_ARGS(str_slice(link, 1, link.len)));
	if (!ask(demo, HTTP_POST, "/integrated-account?environment=demo", body, &reply, err))
		return false;
	demo->account_id = json_get_str(reply, "id");
	return true;
}

/* For the page on which somebody links an account in a browser. */
static bool make_link_token(struct demo *demo, struct error *err)
{
	struct json reply;

	if (!ask(demo, HTTP_POST, "/link-token?environment=demo",
		 STR("{\"tenant_id\":\"another-customer\",\"expires_in\":86400}"), &reply, err))
		return false;
	demo->link_token = json_get_str(reply, "link_token");
	return true;
}

static bool show_record(struct demo *demo, struct error *err)
{
	struct arena *arena = &demo->cli->arena;
	struct json reply;
	struct buffer out;

	if (!ask(demo, HTTP_GET,
		 arena_format(arena,
			      "/unified/ats/candidates?integrated_account_id=%.*s&limit=1&remote_data=false",
			      STR_ARGS(demo->account_id))
			 .data,
		 (struct str){NULL, 0}, &reply, err))
		return false;
	buffer_init(&out, arena, 1024 * 1024);
	json_print_pretty(&out, reply);
	cli_print(STR("\nThe newest candidate, in the unified schema:\n"));
	cli_print(buffer_str(&out));
	return true;
}

/* The usual port may be taken; a demo then takes any. */
static bool start_server(struct demo *demo, struct server_base_url *base_url, struct error *err)
{
	if (server_start(demo->server, err))
		return true;
	if (cli_value(demo->cli, "listen") != NULL)
		return false;
	server_close(demo->server);
	struct server_options again = {
		.data_folder = demo->folder,
		.share_folder = demo->share,
		.listen = STR("127.0.0.1:0"),
		.base_urls = base_url,
		.base_url_count = 1,
		.log_days = CALLS_DAYS_DEFAULT,
	};
	demo->server = server_open(&again, err);
	return demo->server != NULL && server_start(demo->server, err);
}

/* What to fill in there: the sandbox's own. */
static void tell_fields(struct demo *demo)
{
	struct arena *arena = &demo->cli->arena;
	struct json link;
	struct error ignored;

	if (!json_parse(arena, sandbox_link(demo->sandbox), &json_limits_default, &link, &ignored))
		return;
	for (size_t i = 0; i < link.count; i++)
		for (size_t k = 0; k < link.members[i].value.count; k++) {
			const struct json_member *field = &link.members[i].value.members[k];
			cli_print(arena_format(arena, "  %.*s: %.*s", (int)field->key_len, field->key,
					       STR_ARGS(json_str(field->value))));
		}
}

static void tell_link(struct demo *demo)
{
	struct arena *arena = &demo->cli->arena;
	struct str url = server_url(demo->server, arena);

	cli_print(arena_format(arena,
			       "Link an account in the browser, as a customer does:\n\n"
			       "  %.*s/link#token=%.*s\n",
			       STR_ARGS(url), STR_ARGS(demo->link_token)));
	tell_fields(demo);
	cli_print(STR(""));
}

static void tell(struct demo *demo)
{
	struct str address = server_address(demo->server);

	cli_print(arena_format(
		&demo->cli->arena,
		"\nThe server listens on http://%.*s, the sandbox on http://%.*s.\n\nTry:\n\n"
		"  export KEY=%.*s\n  export ACCOUNT=%.*s\n"
		"  curl -s -H \"Authorization: Bearer $KEY\" \\\n"
		"    \"http://%.*s/unified/ats/candidates?integrated_account_id=$ACCOUNT&limit=2\"\n\n"
		"Others: ats/jobs, ats/applications, ats/departments, ats/tags, ats/users.\n"
		"Metrics: http://%.*s/metrics\n\n"
		"Its tools for an AI agent, on standard input and output (docs/mcp.md):\n\n"
		"  build/tenon mcp --environment demo --data %s --account $ACCOUNT\n",
		STR_ARGS(address), STR_ARGS(demo->sandbox_address), STR_ARGS(demo->key),
		STR_ARGS(demo->account_id), STR_ARGS(address), STR_ARGS(address), demo->folder));
}

/* Only what the server made itself is removed. */
static void remove_folder(const char *folder)
{
	char path[512];
	DIR *open = folder[0] == '\0' ? NULL : opendir(folder);
	struct dirent *entry;

	if (open == NULL)
		return;
	while ((entry = readdir(open)) != NULL) {
		snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
		unlink(path);
	}
	closedir(open);
	rmdir(folder);
}

static bool run_demo(struct demo *demo, struct error *err)
{
	struct server_base_url base_url;

	cli_print(STR("Starting a sandbox, a server on an empty data folder, and linking an account …"));
	if (!find_ats(demo, err) || !start_sandbox(demo, err) ||
	    !open_server(demo, &base_url, err) || !link_account(demo, err) ||
	    !make_link_token(demo, err) || !show_record(demo, err) ||
	    !start_server(demo, &base_url, err))
		return false;
	tell(demo);
	tell_link(demo);
	if (cli_flag(demo->cli, "once"))
		return true;
	cli_print(STR("Ctrl-C ends all and removes what it made."));
	wait_for_signal();
	return true;
}

static int run(struct cli *cli)
{
	struct demo demo = {.cli = cli};
	struct error err;

	if (cli->word_count > 0)
		return cli_fail_usage(cli, "demo takes options only");
	log_set_level(LOG_ERROR);
	block_signals();
	bool ok = run_demo(&demo, &err);
	server_close(demo.server);
	if (demo.sandbox != NULL)
		sandbox_release(demo.sandbox);
	listener_stop(demo.listener);
	sandbox_destroy(demo.sandbox);
	remove_folder(demo.folder);
	return ok ? 0 : cli_fail(&err);
}

const struct cli_command cmd_demo = {
	.name = "demo",
	.arguments = "",
	.summary = "sandbox, server and a linked account at once, with something to see",
	.options = options,
	.option_count = sizeof options / sizeof options[0],
	.run = run,
};
