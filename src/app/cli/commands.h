/* Private to this room: the commands, one file each, and what they share. */
#ifndef APP_CLI_COMMANDS_H
#define APP_CLI_COMMANDS_H

#include "app/cli/cli.h"
#include "app/server/server.h"

extern const struct cli_command cmd_account;
extern const struct cli_command cmd_backup;
extern const struct cli_command cmd_call;
extern const struct cli_command cmd_connector;
extern const struct cli_command cmd_demo;
extern const struct cli_command cmd_environment;
extern const struct cli_command cmd_erase;
extern const struct cli_command cmd_event;
extern const struct cli_command cmd_export;
extern const struct cli_command cmd_jsonata;
extern const struct cli_command cmd_key;
extern const struct cli_command cmd_link_token;
extern const struct cli_command cmd_log;
extern const struct cli_command cmd_mcp;
extern const struct cli_command cmd_mcp_server;
extern const struct cli_command cmd_migrate;
extern const struct cli_command cmd_move;
extern const struct cli_command cmd_oauth_app;
extern const struct cli_command cmd_openapi;
extern const struct cli_command cmd_override;
extern const struct cli_command cmd_sandbox;
extern const struct cli_command cmd_serve;
extern const struct cli_command cmd_status;
extern const struct cli_command cmd_sync;
extern const struct cli_command cmd_vault;
extern const struct cli_command cmd_webhook;
extern const struct cli_command cmd_audit;

/* Fills the options which `serve` and the commands without a server share; `base_urls` is room
 * for CLI_VALUES_MAX. */
bool server_options_read(struct cli *cli, struct server_options *options,
			 struct server_base_url *base_urls, struct error *err) MUST_CHECK;

/* A PostgreSQL database: the option's value or its variable's, NULL when neither is given.
 * ERROR_INVALID: the option holds a password. */
bool database_option_read(const struct cli *cli, const char *option, const char *variable,
			  const char **database, struct error *err) MUST_CHECK;

/* Does a server run on the data folder whose socket this is? */
bool admin_is_served(const char *socket_path);

/* One administrative request: through the server given by --server, or the one that runs on the
 * data folder, or on the data folder itself. The body may be empty. A reply with a status of 400
 * or more becomes an error. */
bool admin_call(struct cli *cli, enum http_method method, struct str target, struct str body,
		struct json *reply, struct error *err) MUST_CHECK;
/* The same, but hands over the reply's text and status as they are. */
bool admin_call_raw(struct cli *cli, enum http_method method, struct str target, struct str body,
		    int *status, struct str *reply, struct error *err) MUST_CHECK;
/* Appends "name=value", encoded, with ? or & before it. */
void target_add(struct buffer *target, const char *name, struct str value);

/* --- requests which administrative commands share (admin_request.c) ------------------------- */

/* Where an administrative command finds its server. */
#define CLI_OPTIONS_ADMIN                                                                  \
	CLI_OPTION_JSON, CLI_OPTION_DATA, CLI_OPTION_SERVER, CLI_OPTION_MASTER_KEY,         \
	CLI_OPTION_DATABASE,                                                                \
		CLI_OPTION_SHARE

/* The value as JSON text, on one line. */
struct str admin_json(struct cli *cli, struct json value);
/* The path, then `id` encoded and `rest` (either may be NULL), then the environment if given. */
struct str admin_target(struct cli *cli, const char *path, const char *id, const char *rest);
/* Adds an option's value to the target as the parameter `name`, where it is given. */
struct str admin_filter(struct cli *cli, struct str target, const char *option, const char *name);
/* Puts options into a body where they are given: a text, all values of one that repeats, true or
 * false, a whole number, null for each member named by --clear, NAME=VALUE pairs of --set (and
 * null for --unset) as `context`, whole numbers of --limit. */
void admin_put_text(struct cli *cli, struct json_builder *body, const char *option,
		    const char *member);
void admin_put_list(struct cli *cli, struct json_builder *body, const char *option,
		    const char *member);
bool admin_put_flag(struct cli *cli, struct json_builder *body, const char *option,
		    const char *member, struct error *err) MUST_CHECK;
bool admin_put_int(struct cli *cli, struct json_builder *body, const char *option,
		   const char *member, int64_t min, int64_t max, struct error *err) MUST_CHECK;
void admin_put_cleared(struct cli *cli, struct json_builder *body);
bool admin_put_context(struct cli *cli, struct json_builder *body, struct error *err) MUST_CHECK;
bool admin_put_limits(struct cli *cli, struct json_builder *body, struct error *err) MUST_CHECK;
/* A JSON object from standard input; `wanted` says what it must have. Never quotes it. */
bool admin_read_object(struct cli *cli, const char *wanted, struct json *out,
		       struct error *err) MUST_CHECK;
/* Whether --environment is missing, which over the network the key tells. */
bool admin_lacks_environment(const struct cli *cli);
/* One request; prints the reply with --json, else `done`. Returns the exit code. */
int admin_do(struct cli *cli, enum http_method method, struct str target, struct str body,
	     struct str done);
/* One request; prints the reply, indented without --json. Returns the exit code. */
int admin_show(struct cli *cli, enum http_method method, struct str target, struct str body);
/* One GET of a list: prints the reply with --json, else each item as `line` makes it and that
 * there are more, with the option that goes on. Returns the exit code. */
int admin_list(struct cli *cli, struct str target,
	       struct str (*line)(struct cli *cli, struct json item), const char *onward);

/* A handler served by a loop on a thread of its own: the sandbox, in `sandbox` and `demo`. */
struct listener;
struct listener *listener_start(struct arena *arena, struct http_handler *handler,
				const struct http_server_limits *limits, struct str address,
				struct str *bound, struct error *err) MUST_CHECK;
struct loop *listener_loop(const struct listener *listener);
/* Ends the loop and the thread; NULL is accepted. */
void listener_stop(struct listener *listener);

/* Blocks SIGINT, SIGTERM and SIGHUP for all threads started later, so that those below get them. */
void block_signals(void);
/* SIGINT or SIGTERM. */
int wait_for_signal(void);
/* SIGINT, SIGTERM or SIGHUP; 0: none came for so many seconds. */
int wait_for_signal_or(int seconds);

#endif
