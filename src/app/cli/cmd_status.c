/* One screen: how is it? */
#include "app/cli/commands.h"

enum { SCREEN_BYTES_MAX = 1024 * 1024 };

static const struct cli_option options[] = {
	CLI_OPTION_ENVIRONMENT,
	CLI_OPTION_JSON,
	CLI_OPTION_DATA,
	CLI_OPTION_SERVER,
};

static long long number(struct json item, const char *name)
{
	int64_t value;

	return json_to_int64(json_get_c(item, name), &value) ? (long long)value : 0;
}

/* "3 d 4 h", "12 min 5 s" */
static void put_time(struct buffer *out, long long s)
{
	if (s >= 86400)
		buffer_append_format(out, "%lld d %lld h", s / 86400, s % 86400 / 3600);
	else if (s >= 3600)
		buffer_append_format(out, "%lld h %lld min", s / 3600, s % 3600 / 60);
	else if (s >= 60)
		buffer_append_format(out, "%lld min %lld s", s / 60, s % 60);
	else
		buffer_append_format(out, "%lld s", s);
}

static void put_server(struct buffer *out, struct json status)
{
	struct str host = json_get_str(status, "host");

	buffer_append_format(out, "tenon %.*s", STR_ARGS(json_get_str(status, "version")));
	if (host.len > 0)
		buffer_append_format(out, " on %.*s (process %lld, %lld workers)", STR_ARGS(host),
				     number(status, "process_id"), number(status, "workers"));
	buffer_append_format(out, ": %.*s, up ", STR_ARGS(json_get_str(status, "state")));
	put_time(out, number(status, "uptime_s"));
	buffer_append_format(out, " (since %.*s)\n", STR_ARGS(json_get_str(status, "started_at")));
}

static void put_store(struct buffer *out, struct json store)
{
	bool is_postgresql = str_equal_c(json_get_str(store, "kind"), "postgresql");
	struct json up = json_get_c(store, "is_up");
	bool is_up = json_is(up, JSON_BOOL) && up.boolean;

	buffer_append_format(out, "store     %s: %s, %lld waiting, %lld writes in %lld commits",
			     is_postgresql ? "PostgreSQL" : "SQLite", is_up ? "up" : "AWAY",
			     number(store, "queue_length"), number(store, "writes"),
			     number(store, "commits"));
	if (is_postgresql)
		buffer_append_format(out, ", %lld of %lld connections in use",
				     number(store, "connections_busy"), number(store, "connections"));
	buffer_append_format(out, ", %lld failures\n", number(store, "failures"));
	if (is_postgresql && !json_get_c(store, "is_bound").boolean)
		buffer_append_c(out, "  its role is a superuser or has BYPASSRLS: PostgreSQL does not "
				     "keep environments apart\n");
	if (!is_up)
		buffer_append_format(out, "  %.*s\n", STR_ARGS(json_get_str(store, "error")));
}

static void put_nodes(struct buffer *out, struct json nodes)
{
	if (!json_is(nodes, JSON_ARRAY))
		return;
	buffer_append_format(out, "nodes     %zu\n", (size_t)nodes.count);
	for (size_t i = 0; i < nodes.count; i++)
		buffer_append_format(out, "  %.*s  tenon %.*s  since %.*s%s\n",
				     STR_ARGS(json_get_str(nodes.items[i], "id")),
				     STR_ARGS(json_get_str(nodes.items[i], "version")),
				     STR_ARGS(json_get_str(nodes.items[i], "started_at")),
				     json_get_c(nodes.items[i], "is_this").boolean ? "  (this one)"
										   : "");
}

static void put_requests(struct buffer *out, struct json requests)
{
	buffer_append_format(out, "requests  %lld answered, %lld of them 5xx; %lld under way\n",
			     number(requests, "answered"), number(requests, "failed"),
			     number(requests, "in_flight"));
}

static void put_accounts(struct buffer *out, struct json accounts)
{
	const char *between = "";

	buffer_append_c(out, "accounts  ");
	for (size_t i = 0; i < accounts.count; i++) {
		struct str name = json_name(&accounts.members[i]);
		int64_t count;
		if (!json_to_int64(accounts.members[i].value, &count) || count == 0)
			continue;
		buffer_append_format(out, "%s%lld %.*s", between, (long long)count, STR_ARGS(name));
		between = ", ";
	}
	buffer_append_c(out, *between == '\0' ? "none\n" : "\n");
}

static void put_sync(struct buffer *out, struct json sync)
{
	struct json jobs = json_get_c(sync, "failing_jobs");

	buffer_append_format(out,
			     "sync      %lld active, %lld paused, %lld stopped; %lld running, %lld due, "
			     "%lld failing, %lld hints",
			     number(sync, "active"), number(sync, "paused"), number(sync, "stopped"),
			     number(sync, "running"), number(sync, "due"), number(sync, "failing"),
			     number(sync, "hints"));
	if (!json_is(json_get_c(sync, "behind_s"), JSON_NULL)) {
		buffer_append_c(out, "; behind by ");
		put_time(out, number(sync, "behind_s"));
	}
	buffer_append_c(out, "\n");
	for (size_t i = 0; i < jobs.count; i++)
		buffer_append_format(
			out, "  %.*s  %.*s  %.*s  failed %lld times: %.*s\n",
			STR_ARGS(json_get_str(jobs.items[i], "id")),
			STR_ARGS(json_get_str(jobs.items[i], "integrated_account_id")),
			STR_ARGS(json_get_str(jobs.items[i], "resource")),
			number(jobs.items[i], "failures"),
			STR_ARGS(json_get_str(json_get_c(jobs.items[i], "error"), "message")));
}

static void put_webhooks(struct buffer *out, struct json webhooks)
{
	struct json list = json_get_c(webhooks, "troubled");

	buffer_append_format(out,
			     "webhooks  %lld active, %lld paused, %lld gone; %lld failing, %lld events "
			     "waiting (%lld for paused ones)",
			     number(webhooks, "active"), number(webhooks, "paused"),
			     number(webhooks, "gone"), number(webhooks, "failing"),
			     number(webhooks, "waiting"), number(webhooks, "waiting_for_paused"));
	if (!json_is(json_get_c(webhooks, "oldest_s"), JSON_NULL)) {
		buffer_append_c(out, "; the oldest for ");
		put_time(out, number(webhooks, "oldest_s"));
	}
	buffer_append_c(out, "\n");
	for (size_t i = 0; i < list.count; i++) {
		struct str since = json_get_str(list.items[i], "failing_since");
		buffer_append_format(out, "  %.*s  %.*s%s%.*s",
				     STR_ARGS(json_get_str(list.items[i], "id")),
				     STR_ARGS(json_get_str(list.items[i], "state")),
				     since.len > 0 ? ", failing since " : "", STR_ARGS(since));
		struct str reason = json_get_str(list.items[i], "reason");
		buffer_append_format(out, "%s%.*s\n", reason.len > 0 ? ": " : "", STR_ARGS(reason));
	}
}

/* As in the log, but for what each line has. */
static void put_messages(struct cli *cli, struct buffer *out, struct json status)
{
	struct json lines = json_get_c(status, "messages");

	if (!json_is(lines, JSON_ARRAY))
		return;
	buffer_append_format(out, "log       %lld errors, %lld warnings%s\n", number(status, "errors"),
			     number(status, "warnings"), lines.count > 0 ? "; the last:" : "");
	for (size_t i = 0; i < lines.count; i++) {
		struct json line = lines.items[i];
		buffer_append_format(out, "  %.*s  %.*s  %.*s",
				     STR_ARGS(json_get_str(line, "time")),
				     STR_ARGS(json_get_str(line, "level")),
				     STR_ARGS(json_get_str(line, "event")));
		for (size_t k = 0; k < line.count; k++) {
			struct str name = json_name(&line.members[k]);
			if (!str_equal_c(name, "time") && !str_equal_c(name, "level") &&
			    !str_equal_c(name, "event"))
				buffer_append_format(
					out, "  %.*s=%.*s", STR_ARGS(name),
					STR_ARGS(admin_json(cli, line.members[k].value)));
		}
		buffer_append_c(out, "\n");
	}
}

static struct str screen(struct cli *cli, struct json status)
{
	struct buffer out;

	buffer_init(&out, &cli->arena, SCREEN_BYTES_MAX);
	put_server(&out, status);
	put_store(&out, json_get_c(status, "store"));
	put_nodes(&out, json_get_c(status, "nodes"));
	put_requests(&out, json_get_c(status, "requests"));
	if (json_is(json_get_c(status, "accounts"), JSON_OBJECT))
		put_accounts(&out, json_get_c(status, "accounts"));
	if (json_is(json_get_c(status, "sync"), JSON_OBJECT))
		put_sync(&out, json_get_c(status, "sync"));
	if (json_is(json_get_c(status, "webhooks"), JSON_OBJECT))
		put_webhooks(&out, json_get_c(status, "webhooks"));
	put_messages(cli, &out, status);
	return str_trim(buffer_str(&out));
}

/* It is the server that is asked, not the data folder. */
static bool find_server(struct cli *cli, struct error *err)
{
	const char *data = cli_value(cli, "data");

	data = data == NULL ? "tenon-data" : data;
	return cli_value(cli, "server") != NULL ||
	       admin_is_served(arena_format(&cli->arena, "%s/tenon.sock", data).data) ||
	       error_set(err, ERROR_UNAVAILABLE, "no server runs on %s", data);
}

static int run(struct cli *cli)
{
	struct json status;
	struct error err;

	if (cli->word_count > 0)
		return cli_fail_usage(cli, "status takes options only");
	if (!find_server(cli, &err) ||
	    !admin_call(cli, HTTP_GET, admin_target(cli, "/status", NULL, NULL), STR(""), &status,
			&err))
		return cli_fail(&err);
	cli_print(cli_flag(cli, "json") ? admin_json(cli, status) : screen(cli, status));
	return str_equal_c(json_get_str(status, "state"), "ready")
		       ? 0
		       : error_exit_code(ERROR_UNAVAILABLE);
}

const struct cli_command cmd_status = {
	.name = "status",
	.arguments = "",
	.summary = "how the server is: store, accounts, sync jobs, webhooks, errors",
	.details = "Asks the running server, of all environments; with --server and an admin key of the\n"
		   "key's environment. The exit code is 13 where the server is not ready.",
	.options = options,
	.option_count = sizeof options / sizeof options[0],
	.run = run,
};
