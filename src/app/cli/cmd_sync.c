/* Sync jobs. */
#include "app/cli/commands.h"

#include <stdlib.h>

static const struct cli_option options[] = {
	CLI_OPTION_ENVIRONMENT,
	{"account", "ID", false, "create: whose records to keep; list: of this account only"},
	{"resource", "NAME", true, "create: what to keep (several times: several); list: only these"},
	{"interval", "SECONDS", false, "from one run to the next, 10 or more (default: 300)"},
	{"full-interval", "SECONDS", false, "from one full run to the next (default: 21600)"},
	{"mode", "MODE", false, "auto, full or incremental (default: auto)"},
	{"expand", "BOOLEAN", false, "true: fetch whole what a list tells in part only"},
	{"details-interval", "SECONDS", false, "with expand: whole again after it (default: 604800)"},
	{"initial-events", "BOOLEAN", false, "true: events of the first load, too"},
	{"window", "FROM-TO", false, "only at this time of day, as 22:00-06:00; always: at any"},
	{"time-zone", "ZONE", false, "of the window: UTC, +02:00, Europe/Amsterdam …"},
	{"rate-share", "SHARE", false, "of the account's rate limit, 0.05 to 1 (default: 0.5)"},
	{"full", NULL, false, "run: over the whole list, which finds deletions"},
	{"allow-deletions", NULL, false, "run: delete all that is missing, however much it is"},
	{"delete-records", NULL, false, "remove: the copy goes, too"},
	{"cursor", "TEXT", false, "list, runs: go on from there"},
	CLI_OPTIONS_ADMIN,
};

/* --- the body -------------------------------------------------------------------------------- */

static bool put_share(struct cli *cli, struct json_builder *body, struct error *err)
{
	const char *value = cli_value(cli, "rate-share");
	char *end;

	if (value == NULL)
		return true;
	double share = strtod(value, &end);
	if (end == value || *end != '\0')
		return error_set_field(err, ERROR_INVALID, "rate-share", "0.05 to 1",
				       "--rate-share wants a number from 0.05 to 1");
	json_builder_set(body, STR("rate_share"), json_number(share));
	return true;
}

static bool put_window(struct cli *cli, struct json_builder *body, struct error *err)
{
	struct str rest = str_from_c(cli_value(cli, "window"));
	struct json_builder window;

	if (rest.data == NULL)
		return cli_value(cli, "time-zone") == NULL ||
		       error_set_field(err, ERROR_INVALID, "window", "FROM-TO",
				       "--time-zone wants --window beside it");
	if (str_equal_c(rest, "always")) {
		json_builder_set(body, STR("window"), json_null());
		return true;
	}
	json_builder_init(&window, &cli->arena);
	json_builder_set(&window, STR("from"), json_string(str_cut(&rest, '-')));
	json_builder_set(&window, STR("to"), json_string(rest));
	admin_put_text(cli, &window, "time-zone", "time_zone");
	json_builder_set(body, STR("window"), json_builder_object(&window));
	return true;
}

static bool put_wanted(struct cli *cli, struct json_builder *body, struct error *err)
{
	admin_put_text(cli, body, "mode", "mode");
	return admin_put_int(cli, body, "interval", "interval_s", 10, 2592000, err) &&
	       admin_put_int(cli, body, "full-interval", "full_interval_s", 10, 2592000, err) &&
	       admin_put_flag(cli, body, "expand", "expand", err) &&
	       admin_put_int(cli, body, "details-interval", "details_interval_s", 10, 2592000, err) &&
	       admin_put_flag(cli, body, "initial-events", "initial_events", err) &&
	       put_share(cli, body, err) && put_window(cli, body, err);
}

/* --- what is shown --------------------------------------------------------------------------- */

static struct str job_line(struct cli *cli, struct json job)
{
	struct json progress = json_get_c(json_get_c(job, "last_run"), "progress");
	struct json count = json_get_c(job, "record_count");
	struct json read = json_get_c(progress, "records");
	struct str whole = json_get_str(job, "whole_at");

	return arena_format(&cli->arena, "%.*s  %.*s  %.*s  %.*s  %.*s  %lld records  %lld read  %.*s",
			    STR_ARGS(json_get_str(job, "id")),
			    STR_ARGS(json_get_str(job, "integrated_account_id")),
			    STR_ARGS(json_get_str(job, "resource")),
			    STR_ARGS(json_get_str(job, "state")),
			    STR_ARGS(json_get_str(job, "status")),
			    (long long)(json_is(count, JSON_INT) ? count.integer : 0),
			    (long long)(json_is(read, JSON_INT) ? read.integer : 0),
			    STR_ARGS(whole.len > 0 ? whole : STR("-")));
}

static struct str run_line(struct cli *cli, struct json run)
{
	struct json counts = json_get_c(run, "counts");
	struct str end = json_get_str(run, "ended_at");

	return arena_format(&cli->arena, "%.*s  %.*s  %.*s  %.*s  %.*s  %.*s%s%.*s",
			    STR_ARGS(json_get_str(run, "id")), STR_ARGS(json_get_str(run, "kind")),
			    STR_ARGS(json_get_str(run, "status")),
			    STR_ARGS(json_get_str(run, "started_at")),
			    STR_ARGS(end.len > 0 ? end : STR("-")),
			    STR_ARGS(json_text(&cli->arena, counts)),
			    json_is(json_get_c(run, "error"), JSON_OBJECT) ? "  " : "",
			    STR_ARGS(json_get_str(json_get_c(run, "error"), "message")));
}

/* --- what is done ---------------------------------------------------------------------------- */

static struct str job_target(struct cli *cli, const char *rest)
{
	return admin_target(cli, "/sync-job/", cli->words[1], rest);
}

static int print_job(struct cli *cli, struct json job)
{
	cli_print(cli_flag(cli, "json") ? admin_json(cli, job) : job_line(cli, job));
	return 0;
}

static int create(struct cli *cli)
{
	struct json_builder body;
	struct json reply, jobs;
	struct error err;

	if (cli_value(cli, "account") == NULL || cli_value(cli, "resource") == NULL)
		return cli_fail_usage(cli, "create wants --account ID and --resource NAME");
	json_builder_init(&body, &cli->arena);
	admin_put_text(cli, &body, "account", "integrated_account_id");
	admin_put_list(cli, &body, "resource", "resources");
	if (!put_wanted(cli, &body, &err) ||
	    !admin_call(cli, HTTP_POST, admin_target(cli, "/sync-job", NULL, NULL),
			admin_json(cli, json_builder_object(&body)), &reply, &err))
		return cli_fail(&err);
	jobs = json_get_c(reply, "result");
	if (cli_flag(cli, "json")) {
		cli_print(admin_json(cli, reply));
		return 0;
	}
	for (size_t i = 0; i < jobs.count; i++)
		cli_print(job_line(cli, jobs.items[i]));
	return 0;
}

static int list(struct cli *cli)
{
	struct str target = admin_target(cli, "/sync-job", NULL, NULL);

	target = admin_filter(cli, target, "account", "integrated_account_id");
	target = admin_filter(cli, target, "resource", "resource");
	target = admin_filter(cli, target, "cursor", "next_cursor");
	return admin_list(cli, target, job_line, "--cursor");
}

static int list_runs(struct cli *cli)
{
	struct buffer target;

	buffer_init(&target, &cli->arena, 4096);
	buffer_append(&target, admin_target(cli, "/sync-job-run", NULL, NULL));
	buffer_append_c(&target, str_find_byte(buffer_str(&target), '?') < 0 ? "?" : "&");
	buffer_append_c(&target, "sync_job_id=");
	url_encode(&target, str_from_c(cli->words[1]));
	return admin_list(cli,
			  admin_filter(cli, buffer_str(&target), "cursor", "next_cursor"),
			  run_line, "--cursor");
}

/* A request whose answer is the job. */
static int ask(struct cli *cli, enum http_method method, const char *rest, struct str body)
{
	struct json reply;
	struct error err;

	if (!admin_call(cli, method, job_target(cli, rest), body, &reply, &err))
		return cli_fail(&err);
	return print_job(cli, reply);
}

static int change(struct cli *cli)
{
	struct json_builder body;
	struct error err;

	json_builder_init(&body, &cli->arena);
	if (!put_wanted(cli, &body, &err))
		return cli_fail(&err);
	return ask(cli, HTTP_PATCH, NULL, admin_json(cli, json_builder_object(&body)));
}

static int run_now(struct cli *cli)
{
	struct json_builder body;

	json_builder_init(&body, &cli->arena);
	if (cli_flag(cli, "full"))
		json_builder_set(&body, STR("full"), json_bool(true));
	if (cli_flag(cli, "allow-deletions"))
		json_builder_set(&body, STR("allow_deletions"), json_bool(true));
	return ask(cli, HTTP_POST, "/run", admin_json(cli, json_builder_object(&body)));
}

static int remove_job(struct cli *cli)
{
	struct str target = job_target(cli, NULL);

	if (cli_flag(cli, "delete-records"))
		target = arena_format(&cli->arena, "%.*s%cdelete_records=true", STR_ARGS(target),
				      str_find_byte(target, '?') < 0 ? '?' : '&');
	return admin_do(cli, HTTP_DELETE, target, (struct str){NULL, 0}, STR("removed"));
}

static int run(struct cli *cli)
{
	const char *what = cli->word_count == 0 ? "" : cli->words[0];

	if (strcmp(what, "create") == 0 && cli->word_count == 1)
		return create(cli);
	if (strcmp(what, "list") == 0 && cli->word_count == 1)
		return list(cli);
	if (cli->word_count != 2)
		return cli_fail_usage(cli, "say create, list, or show, change, run, pause, start, stop, "
					   "remove, runs and the id of a job");
	if (strcmp(what, "show") == 0)
		return admin_show(cli, HTTP_GET, job_target(cli, NULL), (struct str){NULL, 0});
	if (strcmp(what, "change") == 0)
		return change(cli);
	if (strcmp(what, "run") == 0)
		return run_now(cli);
	if (strcmp(what, "pause") == 0)
		return ask(cli, HTTP_POST, "/pause", (struct str){NULL, 0});
	if (strcmp(what, "start") == 0)
		return ask(cli, HTTP_POST, "/start", (struct str){NULL, 0});
	if (strcmp(what, "stop") == 0)
		return ask(cli, HTTP_POST, "/stop", (struct str){NULL, 0});
	if (strcmp(what, "remove") == 0)
		return remove_job(cli);
	if (strcmp(what, "runs") == 0)
		return list_runs(cli);
	return cli_fail_usage(cli, "a sync job is not to be had so");
}

const struct cli_command cmd_sync = {
	.name = "sync",
	.arguments = "create|list|show ID|change ID|run ID|pause ID|start ID|stop ID|remove ID|runs ID",
	.summary = "keep local copies of accounts' records fresh",
	.options = options,
	.option_count = sizeof options / sizeof options[0],
	.run = run,
};
