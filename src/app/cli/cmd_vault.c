/* Keys at rest: `tenon vault`; and the log of their uses: `tenon audit`. */
#include "app/cli/commands.h"

static const struct cli_option vault_options[] = {
	CLI_OPTION_ENVIRONMENT,
	{"master", NULL, false, "rotate: the master key, not an environment's data key"},
	CLI_OPTION_JSON,
	CLI_OPTION_DATA,
	CLI_OPTION_SERVER,
	CLI_OPTION_MASTER_KEY, CLI_OPTION_DATABASE,
	CLI_OPTION_SHARE,
};

static const struct cli_option audit_options[] = {
	{"from", "NUMBER", false, "verify: from this line on (default: the first)"},
	{"after", "NUMBER", false, "list: the lines behind this one"},
	{"limit", "N", false, "list: how many at most (default: 100)"},
	CLI_OPTION_JSON,
	CLI_OPTION_DATA,
	CLI_OPTION_MASTER_KEY, CLI_OPTION_DATABASE,
	CLI_OPTION_SHARE,
};

static struct str make_target(struct cli *cli, const char *path, const char *const *names,
			      size_t count)
{
	struct buffer target;

	buffer_init(&target, &cli->arena, 8192);
	buffer_append_c(&target, path);
	for (size_t i = 0; i < count; i++)
		if (cli_value(cli, names[i]) != NULL)
			target_add(&target, names[i], str_from_c(cli_value(cli, names[i])));
	return buffer_str(&target);
}

static int print_json(struct cli *cli, struct json value)
{
	struct buffer out;

	buffer_init(&out, &cli->arena, SIZE_MAX / 4);
	json_print(&out, value);
	cli_print(buffer_str(&out));
	return 0;
}

static long long number(struct json object, const char *name)
{
	struct json value = json_get_c(object, name);
	int64_t integer = 0;

	return json_to_int64(value, &integer) ? (long long)integer : 0;
}

static bool is_true(struct json object, const char *name)
{
	struct json value = json_get_c(object, name);

	return json_is(value, JSON_BOOL) && value.boolean;
}

/* --- vault ---------------------------------------------------------------------------------- */

static bool ask(struct cli *cli, enum http_method method, const char *path, struct json *reply,
		struct error *err)
{
	static const char *const names[] = {"environment"};

	return admin_call(cli, method, make_target(cli, path, names, 1), (struct str){NULL, 0},
			  reply, err);
}

static int show_status(struct cli *cli, struct json reply)
{
	struct json keys = json_get_c(reply, "data_keys");

	for (size_t i = 0; i < keys.count; i++) {
		struct json key = json_at(keys, i);
		cli_print(arena_format(&cli->arena, "%.*s  %.*s  %s  %lld texts",
				       STR_ARGS(json_get_str(key, "id")),
				       STR_ARGS(json_get_str(key, "created_at")),
				       is_true(key, "is_current") ? "current" : "being rotated out",
				       number(key, "text_count")));
	}
	if (number(reply, "first_format_count") > 0)
		cli_print(arena_format(&cli->arena,
				       "%lld texts from before there were data keys: rotate",
				       number(reply, "first_format_count")));
	cli_print(arena_format(&cli->arena, "master key %.*s%s",
			       STR_ARGS(json_get_str(reply, "master_key_id")),
			       number(reply, "older_master_count") > 0 ?
				       "; an older one is still wanted: rotate --master" :
				       ""));
	return 0;
}

static int show_master(struct cli *cli, struct json reply)
{
	cli_print(arena_format(&cli->arena,
			       "the master key is %.*s now: %lld data keys wrapped anew, %lld texts "
			       "sealed anew; %s",
			       STR_ARGS(json_get_str(reply, "master_key_id")),
			       number(reply, "data_key_count"), number(reply, "text_count"),
			       is_true(reply, "is_file_written") ?
				       "the old key is out of the key file" :
				       "take the lines below the first out of the key file"));
	return 0;
}

static int rotate(struct cli *cli)
{
	bool is_master = cli_flag(cli, "master");
	struct json reply;
	struct error err;

	if (is_master && cli_value(cli, "environment") != NULL)
		return cli_fail_usage(cli, "say --master or --environment NAME");
	if (!ask(cli, HTTP_POST, is_master ? "/vault/rotate-master" : "/vault/rotate", &reply, &err))
		return cli_fail(&err);
	if (cli_flag(cli, "json"))
		return print_json(cli, reply);
	if (is_master)
		return show_master(cli, reply);
	cli_print(arena_format(&cli->arena, "%lld texts sealed anew; the old data key is deleted",
			       number(reply, "text_count")));
	return 0;
}

static int revoke(struct cli *cli)
{
	struct json reply;
	struct error err;

	if (!ask(cli, HTTP_POST, "/vault/revoke", &reply, &err))
		return cli_fail(&err);
	if (cli_flag(cli, "json"))
		return print_json(cli, reply);
	cli_print(arena_format(&cli->arena,
			       "all credentials are destroyed; %lld accounts are to be linked again",
			       number(reply, "account_count")));
	return 0;
}

static int status(struct cli *cli)
{
	struct json reply;
	struct error err;

	if (!ask(cli, HTTP_GET, "/vault", &reply, &err))
		return cli_fail(&err);
	return cli_flag(cli, "json") ? print_json(cli, reply) : show_status(cli, reply);
}

static int run_vault(struct cli *cli)
{
	const char *what = cli->word_count == 1 ? cli->words[0] : "";

	if (strcmp(what, "rotate") != 0 && strcmp(what, "revoke") != 0 &&
	    strcmp(what, "status") != 0)
		return cli_fail_usage(cli, "say status, rotate or revoke");
	if (cli_value(cli, "environment") == NULL && cli_value(cli, "server") == NULL &&
	    !cli_flag(cli, "master"))
		return cli_fail_usage(cli, "--environment NAME is missing");
	if (strcmp(what, "rotate") == 0)
		return rotate(cli);
	return strcmp(what, "revoke") == 0 ? revoke(cli) : status(cli);
}

const struct cli_command cmd_vault = {
	.name = "vault",
	.arguments = "status|rotate|revoke",
	.summary = "the keys under which credentials are kept",
	.details = "rotate seals everything anew while the server runs; revoke destroys all credentials "
		   "of\nthe environment, and cannot be undone.",
	.options = vault_options,
	.option_count = sizeof vault_options / sizeof vault_options[0],
	.run = run_vault,
};

/* --- audit ---------------------------------------------------------------------------------- */

static int list(struct cli *cli)
{
	static const char *const names[] = {"after", "limit"};
	struct json reply;
	struct error err;

	if (!admin_call(cli, HTTP_GET, make_target(cli, "/audit", names, 2), (struct str){NULL, 0},
			&reply, &err))
		return cli_fail(&err);
	if (cli_flag(cli, "json"))
		return print_json(cli, reply);
	struct json lines = json_get_c(reply, "result");
	for (size_t i = 0; i < lines.count; i++) {
		struct json line = json_at(lines, i);
		cli_print(arena_format(&cli->arena, "%lld  %.*s  %.*s  %.*s  %.*s",
				       number(line, "number"),
				       STR_ARGS(json_get_str(line, "created_at")),
				       STR_ARGS(json_get_str(line, "use")),
				       STR_ARGS(json_get_str(line, "subject")),
				       STR_ARGS(json_get_str(line, "field"))));
	}
	return 0;
}

static int verify(struct cli *cli)
{
	static const char *const names[] = {"from"};
	struct json reply;
	struct error err;

	if (!admin_call(cli, HTTP_GET, make_target(cli, "/audit/verify", names, 1),
			(struct str){NULL, 0}, &reply, &err))
		return cli_fail(&err);
	bool is_whole = is_true(reply, "is_whole");
	if (cli_flag(cli, "json"))
		print_json(cli, reply);
	else if (is_whole)
		cli_print(arena_format(&cli->arena, "lines %lld to %lld are whole",
				       number(reply, "first"), number(reply, "last")));
	if (is_whole)
		return 0;
	error_set(&err, ERROR_CONFLICT, "the audit log is not whole at line %lld: %.*s",
		  number(reply, "at"), STR_ARGS(json_get_str(reply, "problem")));
	return cli_fail(&err);
}

static int run_audit(struct cli *cli)
{
	const char *what = cli->word_count == 1 ? cli->words[0] : "";

	if (strcmp(what, "list") == 0)
		return list(cli);
	if (strcmp(what, "verify") == 0)
		return verify(cli);
	return cli_fail_usage(cli, "say list or verify");
}

const struct cli_command cmd_audit = {
	.name = "audit",
	.arguments = "list|verify",
	.summary = "which secret was used when, and whether that log is whole",
	.options = audit_options,
	.option_count = sizeof audit_options / sizeof audit_options[0],
	.run = run_audit,
};
