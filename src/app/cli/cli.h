/* The command line: one table of commands, one table of options each; help, environment
 * variables and the checks of what is given come from the tables. */
#ifndef APP_CLI_CLI_H
#define APP_CLI_CLI_H

#include "base/disk.h"

enum { CLI_VALUES_MAX = 64 };

/* An option `--name ARGUMENT`; a flag where `argument` is NULL. Unless it repeats, the variable
 * TENON_NAME (upper case, _ for -) stands in where it is not given. */
struct cli_option {
	const char *name;
	const char *argument;
	bool repeats;
	const char *help;
};

struct cli;

struct cli_command {
	const char *name;
	const char *arguments; /* "create|list|revoke", for the usage line */
	const char *summary;
	const char *details; /* shown by --help below the options; may be NULL */
	const struct cli_option *options;
	size_t option_count;
	/* Returns the exit code. */
	int (*run)(struct cli *cli);
};

struct cli {
	struct arena arena;
	const struct cli_command *command;
	const char *words[CLI_VALUES_MAX]; /* what is no option, behind the command's name */
	size_t word_count;
	struct {
		const char *name;
		const char *value;
	} given[CLI_VALUES_MAX];
	size_t given_count;
};

/* Runs the program; the exit code. */
int cli_main(int argc, char **argv);

/* The value of an option, of its environment variable, or NULL. */
const char *cli_value(const struct cli *cli, const char *name);
bool cli_flag(const struct cli *cli, const char *name);
/* All values of an option that repeats. */
size_t cli_values(const struct cli *cli, const char *name, const char **values, size_t max);
/* A whole number in [min, max], or `otherwise` when not given. */
bool cli_number(const struct cli *cli, const char *name, int64_t min, int64_t max,
		int64_t otherwise, int64_t *out, struct error *err) MUST_CHECK;
/* "name=value" cut in two; ERROR_INVALID names the option. */
bool cli_pair(const char *option, const char *text, struct str *name, struct str *value,
	      struct error *err) MUST_CHECK;

/* Prints "tenon: message" on standard error; returns the exit code. */
int cli_fail(const struct error *err);
/* Says how the command is used, on standard error; returns the exit code for bad use. */
int cli_fail_usage(const struct cli *cli, const char *message);
/* One line (or text) on standard output, at once. */
void cli_print(struct str text);

/* Rows which several commands have. */
#define CLI_OPTION_DATA {"data", "DIR", false, "the data folder (default: tenon-data)"}
#define CLI_OPTION_SHARE {"share", "DIR", false, "the folder with models/ and connectors/"}
#define CLI_OPTION_MASTER_KEY \
	{"master-key", "FILE", false, "the master key file (default: made in the data folder)"}
#define CLI_OPTION_DATABASE                                                                       \
	{"database", "URL", false,                                                               \
	 "a PostgreSQL database: postgresql://HOST/NAME (default: TENON_DATABASE, else SQLite "  \
	 "in the data folder)"}
#define CLI_OPTION_BASE_URL                          \
	{"connector-base-url", "NAME=URL", true,     \
	 "send a connector's calls to another host, such as a sandbox"}
#define CLI_OPTIONS_REACH                                                                \
	{"allow-address", "ADDRESS[/BITS][:PORT]", true,                                  \
	 "let calls go to addresses that are not public, for an ATS in your own network"}, \
	{"allow-http", NULL, false, "let calls go to public addresses without TLS"}
#define CLI_OPTION_SERVER \
	{"server", "URL", false, "go through this server, with the key in TENON_API_KEY"}
#define CLI_OPTION_JSON {"json", NULL, false, "print one JSON object"}
#define CLI_OPTION_ENVIRONMENT {"environment", "NAME", false, "the environment, such as production"}

/* JSON with its members on lines of their own, in the command's arena; what is no JSON as it is. */
struct str cli_indent(struct cli *cli, struct str text);

#endif
