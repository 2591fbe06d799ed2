/* Webhooks: endpoints that are told events. */
#include "app/cli/commands.h"

static const struct cli_option options[] = {
	CLI_OPTION_ENVIRONMENT,
	{"url", "URL", false, "where messages go"},
	{"description", "TEXT", false, "your own words for it"},
	{"type", "NAME", true, "only events of this name: record:updated, record:*, *"},
	{"resource", "NAME", true, "of records only those of this resource"},
	{"account", "ID", true, "only events of this account"},
	{"payload", "KIND", false, "full, or thin (ids only)"},
	{"mask", "NAME", true, "mask name, contact, document, sensitive, free_text, or this field"},
	{"retry-schedule", "SECONDS,…", false, "from one attempt to the next"},
	{"asymmetric", NULL, false, "create: sign with a private key, too"},
	{"after", "NUMBER", false, "create, replay: events behind this number"},
	{"until", "NUMBER", false, "replay: and up to this one"},
	{"event", "ID", false, "replay, deliveries: this event"},
	{"overlap", "SECONDS", false, "rotate: how long the old secret still signs (default: 86400)"},
	{"state", "STATE", false, "deliveries: pending, delivered or failed"},
	{"clear", "MEMBER", true, "change: empty event_types, resources, mask, retry_schedule …"},
	{"cursor", "TEXT", false, "list, deliveries: go on from there"},
	CLI_OPTIONS_ADMIN,
};

static const struct str no_body = {NULL, 0};

static struct str target_of(struct cli *cli, const char *rest)
{
	return admin_target(cli, "/webhook/", cli->words[1], rest);
}

/* --- bodies ----------------------------------------------------------------------------------- */

static bool put_schedule(struct cli *cli, struct json_builder *body, struct error *err)
{
	struct str rest = str_from_c(cli_value(cli, "retry-schedule"));
	struct json_builder delays;
	int64_t seconds;

	if (rest.len == 0)
		return true;
	json_builder_init(&delays, &cli->arena);
	while (rest.len > 0) {
		if (!str_to_int64(str_trim(str_cut(&rest, ',')), &seconds))
			return error_set_field(err, ERROR_INVALID, "retry-schedule", "SECONDS,…",
					       "--retry-schedule wants whole numbers by comma");
		json_builder_add(&delays, json_int(seconds));
	}
	json_builder_set(body, STR("retry_schedule"), json_builder_array(&delays));
	return true;
}

static bool make_body(struct cli *cli, bool is_new, struct str *out, struct error *err)
{
	struct json_builder body;

	json_builder_init(&body, &cli->arena);
	admin_put_cleared(cli, &body);
	admin_put_text(cli, &body, "url", "target_url");
	admin_put_text(cli, &body, "description", "description");
	admin_put_list(cli, &body, "type", "event_types");
	admin_put_list(cli, &body, "resource", "resources");
	admin_put_list(cli, &body, "account", "integrated_account_ids");
	admin_put_text(cli, &body, "payload", "payload");
	admin_put_list(cli, &body, "mask", "mask");
	if (!put_schedule(cli, &body, err))
		return false;
	if (is_new && cli_flag(cli, "asymmetric"))
		json_builder_set(&body, STR("asymmetric"), json_bool(true));
	if (is_new && !admin_put_int(cli, &body, "after", "after", 0, INT64_MAX, err))
		return false;
	*out = admin_json(cli, json_builder_object(&body));
	return true;
}

static bool make_replay(struct cli *cli, struct str *out, struct error *err)
{
	struct json_builder body;

	json_builder_init(&body, &cli->arena);
	admin_put_text(cli, &body, "event", "event_id");
	if (!admin_put_int(cli, &body, "after", "after", 0, INT64_MAX, err) ||
	    !admin_put_int(cli, &body, "until", "until", 0, INT64_MAX, err))
		return false;
	*out = admin_json(cli, json_builder_object(&body));
	return true;
}

/* --- what is done ----------------------------------------------------------------------------- */

static int show_secret(struct cli *cli, struct str target, struct str body)
{
	struct json reply;
	struct error err;
	struct str public_key;

	if (!admin_call(cli, HTTP_POST, target, body, &reply, &err))
		return cli_fail(&err);
	if (cli_flag(cli, "json")) {
		cli_print(admin_json(cli, reply));
		return 0;
	}
	public_key = json_get_str(reply, "public_key");
	cli_print(arena_format(&cli->arena,
			       "%.*s%s%.*s\nThe secret is shown once; the webhook's id is %.*s.",
			       STR_ARGS(json_get_str(reply, "secret")),
			       public_key.len > 0 ? "\n" : "", STR_ARGS(public_key),
			       STR_ARGS(json_get_str(reply, "id"))));
	return 0;
}

static int create(struct cli *cli)
{
	struct error err;
	struct str body;

	if (!make_body(cli, true, &body, &err))
		return cli_fail(&err);
	return show_secret(cli, admin_target(cli, "/webhook", NULL, NULL), body);
}

static int rotate(struct cli *cli)
{
	struct json_builder body;
	struct error err;

	json_builder_init(&body, &cli->arena);
	if (!admin_put_int(cli, &body, "overlap", "overlap_s", 0, INT64_MAX, &err))
		return cli_fail(&err);
	return show_secret(cli, target_of(cli, "/rotate-secret"),
			   admin_json(cli, json_builder_object(&body)));
}

static struct str webhook_line(struct cli *cli, struct json webhook)
{
	return arena_format(&cli->arena, "%.*s  %.*s  %.*s", STR_ARGS(json_get_str(webhook, "id")),
			    STR_ARGS(json_get_str(webhook, "status")),
			    STR_ARGS(json_get_str(webhook, "target_url")));
}

static int list(struct cli *cli)
{
	struct str target = admin_target(cli, "/webhook", NULL, NULL);

	return admin_list(cli, admin_filter(cli, target, "cursor", "next_cursor"), webhook_line,
			  "--cursor");
}

static struct str delivery_line(struct cli *cli, struct json delivery)
{
	return arena_format(&cli->arena, "%.*s  %.*s  %.*s  attempts %.*s  %.*s",
			    STR_ARGS(json_get_str(delivery, "event_id")),
			    STR_ARGS(json_get_str(delivery, "event")),
			    STR_ARGS(json_get_str(delivery, "state")),
			    STR_ARGS(admin_json(cli, json_get_c(delivery, "attempts"))),
			    STR_ARGS(json_get_str(delivery, "error")));
}

static int deliveries(struct cli *cli)
{
	struct str target = target_of(cli, "/deliveries");

	target = admin_filter(cli, target, "cursor", "next_cursor");
	target = admin_filter(cli, target, "state", "state");
	target = admin_filter(cli, target, "event", "event_id");
	return admin_list(cli, target, delivery_line, "--cursor");
}

static int change(struct cli *cli)
{
	struct error err;
	struct str body;

	if (!make_body(cli, false, &body, &err))
		return cli_fail(&err);
	return admin_do(cli, HTTP_PATCH, target_of(cli, NULL), body, STR("changed"));
}

static int replay(struct cli *cli)
{
	struct error err;
	struct str body;

	if (!make_replay(cli, &body, &err))
		return cli_fail(&err);
	return admin_show(cli, HTTP_POST, target_of(cli, "/replay"), body);
}

static int run_on_one(struct cli *cli, const char *what)
{
	if (strcmp(what, "show") == 0)
		return admin_show(cli, HTTP_GET, target_of(cli, NULL), no_body);
	if (strcmp(what, "change") == 0)
		return change(cli);
	if (strcmp(what, "remove") == 0)
		return admin_do(cli, HTTP_DELETE, target_of(cli, NULL), no_body, STR("removed"));
	if (strcmp(what, "pause") == 0)
		return admin_do(cli, HTTP_POST, target_of(cli, "/pause"), no_body, STR("paused"));
	if (strcmp(what, "resume") == 0)
		return admin_do(cli, HTTP_POST, target_of(cli, "/resume"), no_body,
				STR("resumed"));
	if (strcmp(what, "rotate") == 0)
		return rotate(cli);
	if (strcmp(what, "test") == 0)
		return admin_show(cli, HTTP_POST, target_of(cli, "/test"), no_body);
	if (strcmp(what, "replay") == 0)
		return replay(cli);
	if (strcmp(what, "deliveries") == 0)
		return deliveries(cli);
	return -1;
}

static int run(struct cli *cli)
{
	const char *what = cli->word_count == 0 ? "" : cli->words[0];
	int code = -1;

	if (admin_lacks_environment(cli))
		return cli_fail_usage(cli, "--environment NAME is missing");
	if (strcmp(what, "create") == 0 && cli->word_count == 1)
		return create(cli);
	if (strcmp(what, "list") == 0 && cli->word_count == 1)
		return list(cli);
	if (cli->word_count == 2)
		code = run_on_one(cli, what);
	return code >= 0 ? code
			 : cli_fail_usage(cli, "say create, list, or one of show, change, remove, "
					       "pause, resume, rotate, test, replay, deliveries "
					       "with an ID");
}

const struct cli_command cmd_webhook = {
	.name = "webhook",
	.arguments = "create|list|show ID|change ID|remove ID|pause ID|resume ID|rotate ID|test ID|"
		     "replay ID|deliveries ID",
	.summary = "make and manage webhooks, which are told events",
	.details = "Messages are signed as Standard Webhooks has it (docs/webhooks.md).",
	.options = options,
	.option_count = sizeof options / sizeof options[0],
	.run = run,
};
