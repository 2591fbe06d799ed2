#include "app/cli/cli.h"

#include <ctype.h>
#include <signal.h>
#include <unistd.h>

#include "app/cli/commands.h"

static const struct cli_command *const commands[] = {
	&cmd_serve,	 &cmd_demo,    &cmd_sandbox,   &cmd_environment, &cmd_key,
	&cmd_link_token, &cmd_account, &cmd_oauth_app, &cmd_override,	 &cmd_event,
	&cmd_log,	 &cmd_webhook, &cmd_vault,   &cmd_audit,     &cmd_call,	 &cmd_jsonata,
	&cmd_connector,	 &cmd_openapi, &cmd_mcp,       &cmd_mcp_server,
	&cmd_export,	 &cmd_erase,	  &cmd_sync,    &cmd_status,  &cmd_backup,
	&cmd_migrate,	 &cmd_move,
};
enum { COMMANDS = sizeof commands / sizeof commands[0], EXIT_USAGE = 2 };

/* --- help ----------------------------------------------------------------------------------- */

static void print_help(FILE *out)
{
	fputs("tenon: a unified API for applicant tracking systems, self-hosted\n\n"
	      "usage: tenon COMMAND [OPTION ...]\n\n",
	      out);
	for (size_t i = 0; i < COMMANDS; i++)
		fprintf(out, "  %-10s %s\n", commands[i]->name, commands[i]->summary);
	fputs("\n`tenon COMMAND --help` tells a command's options.\n", out);
}

static void print_option(FILE *out, const struct cli_option *option)
{
	char left[64];

	snprintf(left, sizeof left, "--%s%s%s", option->name, option->argument == NULL ? "" : " ",
		 option->argument == NULL ? "" : option->argument);
	fprintf(out, "  %-32s %s%s\n", left, option->help,
		option->repeats ? " (may be repeated)" : "");
}

static void print_command_help(FILE *out, const struct cli_command *command)
{
	fprintf(out, "usage: tenon %s %s%s\n\n%s\n\n", command->name,
		command->arguments[0] == '\0' ? "" : command->arguments,
		command->option_count == 0 ? "" : " [OPTION ...]", command->summary);
	for (size_t i = 0; i < command->option_count; i++)
		print_option(out, &command->options[i]);
	if (command->details != NULL)
		fprintf(out, "\n%s\n", command->details);
}

static struct json describe_option(struct arena *arena, const struct cli_option *option)
{
	struct json_builder out;

	json_builder_init(&out, arena);
	json_builder_set(&out, STR("name"), json_string_c(option->name));
	json_builder_set(&out, STR("argument"),
			 option->argument == NULL ? json_null() : json_string_c(option->argument));
	json_builder_set(&out, STR("repeats"), json_bool(option->repeats));
	json_builder_set(&out, STR("help"), json_string_c(option->help));
	return json_builder_object(&out);
}

static struct json describe_command(struct arena *arena, const struct cli_command *command)
{
	struct json_builder out, options;

	json_builder_init(&options, arena);
	for (size_t i = 0; i < command->option_count; i++)
		json_builder_add(&options, describe_option(arena, &command->options[i]));
	json_builder_init(&out, arena);
	json_builder_set(&out, STR("name"), json_string_c(command->name));
	json_builder_set(&out, STR("arguments"), json_string_c(command->arguments));
	json_builder_set(&out, STR("summary"), json_string_c(command->summary));
	json_builder_set(&out, STR("details"),
			 command->details == NULL ? json_null() : json_string_c(command->details));
	json_builder_set(&out, STR("options"), json_builder_array(&options));
	return json_builder_object(&out);
}

/* The tables as JSON: tools/make-manual makes the manual and the completions of it. */
static void print_tables(void)
{
	struct json_builder out;
	struct buffer text;
	struct arena arena;

	arena_init(&arena, 16 * 1024 * 1024);
	json_builder_init(&out, &arena);
	for (size_t i = 0; i < COMMANDS; i++)
		json_builder_add(&out, describe_command(&arena, commands[i]));
	buffer_init(&text, &arena, SIZE_MAX / 4);
	json_print_pretty(&text, json_builder_array(&out));
	cli_print(buffer_str(&text));
	arena_finish(&arena);
}

/* --- reading -------------------------------------------------------------------------------- */

static const struct cli_option *find_option(const struct cli_command *command, struct str name)
{
	static const struct cli_option short_names[] = {{"query", "K=V", true, ""},
							{"body", "JSON", true, ""}};
	if (str_equal(name, STR("q")))
		name = str_from_c(short_names[0].name);
	if (str_equal(name, STR("d")))
		name = str_from_c(short_names[1].name);
	for (size_t i = 0; i < command->option_count; i++)
		if (str_equal_c(name, command->options[i].name))
			return &command->options[i];
	return NULL;
}

static bool add_option(struct cli *cli, struct str name, struct str attached, bool has_attached,
		       char ***next, struct error *err)
{
	const struct cli_option *option = find_option(cli->command, name);

	if (option == NULL)
		return error_set(err, ERROR_INVALID, "%s has no option --%.*s", cli->command->name,
				 STR_ARGS(name));
	if (option->argument == NULL && has_attached)
		return error_set(err, ERROR_INVALID, "--%s takes no value", option->name);
	if (!option->repeats && cli_flag(cli, option->name))
		return error_set(err, ERROR_INVALID, "--%s is given twice", option->name);
	if (cli->given_count == CLI_VALUES_MAX)
		return error_set(err, ERROR_LIMIT, "too many options");
	const char *value = "";
	if (option->argument != NULL && has_attached)
		value = attached.data;
	else if (option->argument != NULL && **next == NULL)
		return error_set(err, ERROR_INVALID, "--%s wants %s", option->name,
				 option->argument);
	else if (option->argument != NULL)
		value = *(*next)++;
	cli->given[cli->given_count].name = option->name;
	cli->given[cli->given_count++].value = value;
	return true;
}

static bool read_words(struct cli *cli, char **next, bool *wants_help, struct error *err)
{
	bool only_words = false;

	*wants_help = false;
	while (*next != NULL) {
		struct str word = str_from_c(*next++);
		bool is_option = word.len > 1 && word.data[0] == '-' && !only_words;
		if (is_option && str_equal(word, STR("--"))) {
			only_words = true;
		} else if (is_option &&
			   (str_equal(word, STR("--help")) || str_equal(word, STR("-h")))) {
			*wants_help = true;
			return true;
		} else if (is_option) {
			size_t dashes = word.data[1] == '-' ? 2 : 1;
			struct str value = str_slice(word, dashes, word.len);
			bool has_value = str_find_byte(value, '=') >= 0 && dashes == 2;
			struct str name = has_value ? str_cut(&value, '=') : value;
			if (!add_option(cli, name, value, has_value, &next, err))
				return false;
		} else if (cli->word_count == CLI_VALUES_MAX) {
			return error_set(err, ERROR_LIMIT, "too many arguments");
		} else {
			cli->words[cli->word_count++] = word.data;
		}
	}
	return true;
}

const char *cli_value(const struct cli *cli, const char *name)
{
	char variable[64] = "TENON_";
	size_t len = strlen(variable);

	for (size_t i = 0; i < cli->given_count; i++)
		if (strcmp(cli->given[i].name, name) == 0)
			return cli->given[i].value;
	for (size_t i = 0; name[i] != '\0' && len < sizeof variable - 1; i++)
		variable[len++] = name[i] == '-' ? '_' : (char)toupper((unsigned char)name[i]);
	variable[len] = '\0';
	const char *value = getenv(variable);
	return value == NULL || value[0] == '\0' ? NULL : value;
}

bool cli_flag(const struct cli *cli, const char *name)
{
	for (size_t i = 0; i < cli->given_count; i++)
		if (strcmp(cli->given[i].name, name) == 0)
			return true;
	return false;
}

size_t cli_values(const struct cli *cli, const char *name, const char **values, size_t max)
{
	size_t count = 0;

	for (size_t i = 0; i < cli->given_count && count < max; i++)
		if (strcmp(cli->given[i].name, name) == 0)
			values[count++] = cli->given[i].value;
	return count;
}

bool cli_number(const struct cli *cli, const char *name, int64_t min, int64_t max,
		int64_t otherwise, int64_t *out, struct error *err)
{
	const char *text = cli_value(cli, name);

	*out = otherwise;
	if (text == NULL)
		return true;
	if (str_to_int64(str_from_c(text), out) && *out >= min && *out <= max)
		return true;
	return error_set(err, ERROR_INVALID, "--%s must be a whole number from %lld to %lld", name,
			 (long long)min, (long long)max);
}

bool cli_pair(const char *option, const char *text, struct str *name, struct str *value,
	      struct error *err)
{
	*value = str_from_c(text);
	if (str_find_byte(*value, '=') <= 0)
		return error_set(err, ERROR_INVALID, "--%s wants NAME=VALUE, not \"%.64s\"", option,
				 text);
	*name = str_cut(value, '=');
	return true;
}

/* --- printing ------------------------------------------------------------------------------- */

int cli_fail(const struct error *err)
{
	fprintf(stderr, "tenon: %s\n", err->message);
	return error_exit_code(err->code);
}

int cli_fail_usage(const struct cli *cli, const char *message)
{
	fprintf(stderr, "tenon: %s\nusage: tenon %s %s\n`tenon %s --help` tells more.\n", message,
		cli->command->name, cli->command->arguments, cli->command->name);
	return EXIT_USAGE;
}

void cli_print(struct str text)
{
	fwrite(text.data, 1, text.len, stdout);
	fputc('\n', stdout);
	fflush(stdout);
}

/* --- running -------------------------------------------------------------------------------- */

static int run_command(const struct cli_command *command, char **words)
{
	struct cli cli = {.command = command};
	bool wants_help;
	struct error err;
	int code;

	arena_init(&cli.arena, 1024 * 1024 * 1024);
	if (!read_words(&cli, words, &wants_help, &err)) {
		code = cli_fail_usage(&cli, err.message);
	} else if (wants_help) {
		print_command_help(stdout, command);
		code = 0;
	} else {
		code = command->run(&cli);
	}
	arena_finish(&cli.arena);
	return code;
}

int cli_main(int argc, char **argv)
{
	signal(SIGPIPE, SIG_IGN);
	/* Who has the machine has all of it. */
	(void)store_enter_all();
	if (argc < 2) {
		print_help(stderr);
		return EXIT_USAGE;
	}
	if (strcmp(argv[1], "help") == 0 && argc == 3 && strcmp(argv[2], "--json") == 0) {
		print_tables();
		return 0;
	}
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ||
	    strcmp(argv[1], "help") == 0) {
		print_help(stdout);
		return 0;
	}
	if (strcmp(argv[1], "--version") == 0) {
		puts("tenon " TENON_VERSION);
		return 0;
	}
	for (size_t i = 0; i < COMMANDS; i++)
		if (strcmp(argv[1], commands[i]->name) == 0)
			return run_command(commands[i], argv + 2);
	fprintf(stderr, "tenon: there is no command \"%.64s\"\n\n", argv[1]);
	print_help(stderr);
	return EXIT_USAGE;
}

struct str cli_indent(struct cli *cli, struct str text)
{
	struct buffer out;
	struct json value;
	struct error ignored;

	if (!json_parse(&cli->arena, text, &json_limits_default, &value, &ignored))
		return text;
	buffer_init(&out, &cli->arena, SIZE_MAX / 4);
	json_print_pretty(&out, value);
	return buffer_str(&out);
}
