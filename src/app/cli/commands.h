/* Private to this room: the commands, one file each, and what they share. */
#ifndef APP_CLI_COMMANDS_H
#define APP_CLI_COMMANDS_H

#include "app/cli/cli.h"
#include "app/server/server.h"

extern const struct cli_command cmd_account;
extern const struct cli_command cmd_call;
extern const struct cli_command cmd_connector;
extern const struct cli_command cmd_demo;
extern const struct cli_command cmd_environment;
extern const struct cli_command cmd_jsonata;
extern const struct cli_command cmd_key;
extern const struct cli_command cmd_link_token;
extern const struct cli_command cmd_oauth_app;
extern const struct cli_command cmd_openapi;
extern const struct cli_command cmd_override;
extern const struct cli_command cmd_sandbox;
extern const struct cli_command cmd_serve;
extern const struct cli_command cmd_vault;
extern const struct cli_command cmd_audit;

/* Fills the options which `serve` and the commands without a server share; `base_urls` is room
 * for CLI_VALUES_MAX. */
bool server_options_read(struct cli *cli, struct server_options *options,
			 struct server_base_url *base_urls, struct error *err) MUST_CHECK;

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

/* A handler served by a loop on a thread of its own: the sandbox, in `sandbox` and `demo`. */
struct listener;
struct listener *listener_start(struct arena *arena, struct http_handler *handler,
				const struct http_server_limits *limits, struct str address,
				struct str *bound, struct error *err) MUST_CHECK;
/* Ends the loop and the thread; NULL is accepted. */
void listener_stop(struct listener *listener);

/* Blocks SIGINT, SIGTERM and SIGHUP for all threads started later, so that those below get them. */
void block_signals(void);
/* SIGINT or SIGTERM. */
int wait_for_signal(void);
/* SIGINT, SIGTERM or SIGHUP; 0: none came for so many seconds. */
int wait_for_signal_or(int seconds);

#endif
