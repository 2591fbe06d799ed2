#include <unistd.h>

#include "app/cli/commands.h"
#include "lang/jsonata/jsonata.h"

enum { INPUT_BYTES_MAX = 1024 * 1024 * 1024, LINE_ARENA_BYTES_MAX = 256 * 1024 * 1024 };

static const struct cli_option options[] = {
	{"batch", NULL, false, "read lines {\"expr\", \"data\"?, \"bindings\"?, \"limits\"?}, answer one each"},
	{"bind", "NAME=JSON", true, "bind $NAME"},
	{"compact", NULL, false, "print results on one line"},
	{"explain", NULL, false, "print the compiled form"},
};

static const struct json_limits input_limits = {INPUT_BYTES_MAX, 500, UINT32_MAX};

/* --- one evaluation ------------------------------------------------------------------------- */

struct variables {
	struct str names[CLI_VALUES_MAX];
	struct json values[CLI_VALUES_MAX];
	size_t count;
};

static const struct jsonata *compile(struct arena *arena, struct str text,
				     const struct variables *variables,
				     struct jsonata_error *error)
{
	struct jsonata_options compile_options = {.variables = variables->names,
						  .variable_count = variables->count};

	return jsonata_compile(arena, text, &compile_options, error);
}

static bool evaluate(struct arena *arena, const struct jsonata *expression,
		     const struct jsonata_limits *limits, const struct variables *variables,
		     struct json input, struct json *out, struct jsonata_error *error)
{
	struct jsonata_context context = {
		.arena = arena,
		.limits = limits,
		.variables = variables->values,
		.clock = clock_system(),
		.random = random_system(),
	};

	return jsonata_evaluate(expression, &context, input, out, error);
}

/* --- lines of cases ------------------------------------------------------------------------- */

static struct json error_to_json(struct arena *arena, const struct jsonata_error *error)
{
	struct json_builder inner, outer;

	json_builder_init(&inner, arena);
	json_builder_set(&inner, STR("code"), json_string_c(error->code));
	json_builder_set(&inner, STR("position"), json_int((int64_t)error->position));
	if (error->token.len > 0)
		json_builder_set(&inner, STR("token"), json_string(error->token));
	json_builder_set(&inner, STR("value"), error->value);
	json_builder_set(&inner, STR("message"), json_string(error->message));
	json_builder_init(&outer, arena);
	json_builder_set(&outer, STR("error"), json_builder_object(&inner));
	return json_builder_object(&outer);
}

static void read_bindings(struct json bindings, struct variables *variables)
{
	for (size_t i = 0; json_is(bindings, JSON_OBJECT) && i < bindings.count; i++) {
		if (variables->count == CLI_VALUES_MAX)
			return;
		variables->names[variables->count] =
			str_make(bindings.members[i].key, bindings.members[i].key_len);
		variables->values[variables->count++] = bindings.members[i].value;
	}
}

static void read_limits(struct json given, struct jsonata_limits *limits)
{
	int64_t number;

	*limits = jsonata_limits_default;
	if (json_to_int64(json_get_c(given, "time_ms"), &number) && number > 0)
		limits->time_ms_max = number;
	if (json_to_int64(json_get_c(given, "depth"), &number) && number > 0 &&
	    number < limits->depth_max)
		limits->depth_max = (uint32_t)number;
	if (json_to_int64(json_get_c(given, "steps"), &number) && number > 0)
		limits->steps_max = (uint64_t)number;
	if (json_to_int64(json_get_c(given, "sequence"), &number) && number > 0)
		limits->sequence_max = (uint32_t)number;
	if (json_to_int64(json_get_c(given, "bytes"), &number) && number > 0)
		limits->bytes_max = (size_t)number;
}

static struct json run_case(struct arena *arena, struct json line)
{
	struct variables variables = {.count = 0};
	struct jsonata_error error = {0};
	struct jsonata_limits limits;
	struct json_builder answer;
	struct json result;

	read_bindings(json_get_c(line, "bindings"), &variables);
	read_limits(json_get_c(line, "limits"), &limits);
	const struct jsonata *expression =
		compile(arena, json_get_str(line, "expr"), &variables, &error);
	if (expression == NULL || !evaluate(arena, expression, &limits, &variables,
					    json_get_c(line, "data"), &result, &error))
		return error_to_json(arena, &error);
	json_builder_init(&answer, arena);
	if (json_is(result, JSON_UNDEFINED))
		json_builder_set(&answer, STR("undefined"), json_bool(true));
	else
		json_builder_set(&answer, STR("result"), result);
	return json_builder_object(&answer);
}

static void print_line(struct arena *arena, struct json value)
{
	struct buffer out;

	buffer_init(&out, arena, INPUT_BYTES_MAX);
	json_print(&out, value);
	cli_print(buffer_str(&out));
}

static int run_batch(void)
{
	char *line = NULL;
	size_t capacity = 0;
	ssize_t len;

	while ((len = getline(&line, &capacity, stdin)) > 0) {
		struct arena arena;
		struct json value;
		struct error err;
		arena_init(&arena, LINE_ARENA_BYTES_MAX);
		if (json_parse(&arena, str_make(line, (size_t)len), &input_limits, &value, &err)) {
			print_line(&arena, run_case(&arena, value));
		} else {
			struct jsonata_error error = {.code = "INPUT",
						      .message = str_from_c(err.message)};
			print_line(&arena, error_to_json(&arena, &error));
		}
		arena_finish(&arena);
	}
	free(line);
	return 0;
}

/* --- one expression over inputs ------------------------------------------------------------- */

static int fail_at(struct cli *cli, struct str text, const struct jsonata_error *error)
{
	size_t column = error->position < text.len ? error->position : text.len;

	fprintf(stderr, "tenon: %s: %.*s\n", error->code, STR_ARGS(error->message));
	if (str_find_byte(text, '\n') < 0)
		fprintf(stderr, "  %.*s\n  %*s^\n", STR_ARGS(text), (int)column, "");
	(void)cli;
	return error_exit_code(ERROR_INVALID);
}

struct task {
	struct cli *cli;
	struct str text;
	const struct jsonata *expression;
	struct variables variables;
};

static int run_value(struct task *task, struct arena *arena, struct json input)
{
	struct jsonata_error error;
	struct json result;
	struct buffer out;

	if (!evaluate(arena, task->expression, &jsonata_limits_default, &task->variables, input,
		      &result, &error))
		return fail_at(task->cli, task->text, &error);
	if (json_is(result, JSON_UNDEFINED))
		return 0;
	buffer_init(&out, arena, INPUT_BYTES_MAX);
	if (cli_flag(task->cli, "compact"))
		json_print(&out, result);
	else
		json_print_pretty(&out, result);
	cli_print(buffer_str(&out));
	return 0;
}

/* One JSON text, or a JSON text a line. */
static int run_input(struct task *task, struct str input)
{
	struct arena arena;
	struct json value;
	struct error err;
	int code = 0;

	arena_init(&arena, LINE_ARENA_BYTES_MAX * 8ull);
	if (json_parse(&arena, input, &input_limits, &value, &err)) {
		code = run_value(task, &arena, value);
		arena_finish(&arena);
		return code;
	}
	arena_finish(&arena);
	while (code == 0 && input.len > 0) {
		struct str line = str_trim(str_cut(&input, '\n'));
		if (line.len == 0)
			continue;
		arena_init(&arena, LINE_ARENA_BYTES_MAX);
		if (json_parse(&arena, line, &input_limits, &value, &err))
			code = run_value(task, &arena, value);
		else
			code = cli_fail(&err);
		arena_finish(&arena);
	}
	return code;
}

static struct str read_stdin(struct cli *cli)
{
	struct buffer input;
	ssize_t got;

	buffer_init(&input, &cli->arena, INPUT_BYTES_MAX);
	for (;;) {
		char *room = buffer_room(&input, 65536);
		if (room == NULL)
			break;
		got = read(STDIN_FILENO, room, 65536);
		if (got <= 0)
			break;
		input.len += (size_t)got;
	}
	return buffer_str(&input);
}

static bool read_variables(struct cli *cli, struct variables *variables, struct error *err)
{
	const char *given[CLI_VALUES_MAX];
	size_t count = cli_values(cli, "bind", given, CLI_VALUES_MAX);
	struct str text;

	for (size_t i = 0; i < count; i++) {
		if (!cli_pair("bind", given[i], &variables->names[i], &text, err) ||
		    !json_parse(&cli->arena, text, &input_limits, &variables->values[i], err))
			return false;
		variables->count++;
	}
	return true;
}

static int run_files(struct task *task)
{
	struct cli *cli = task->cli;
	struct error err;
	struct str input;
	int code = 0;

	if (cli->word_count == 1)
		return run_input(task, read_stdin(cli));
	for (size_t i = 1; i < cli->word_count && code == 0; i++) {
		if (!disk_read(disk_system(), &cli->arena, cli->words[i], INPUT_BYTES_MAX, &input,
			       &err))
			return cli_fail(&err);
		code = run_input(task, input);
	}
	return code;
}

static int run(struct cli *cli)
{
	struct task task = {.cli = cli};
	struct jsonata_error error;
	struct error err;

	if (cli_flag(cli, "batch"))
		return run_batch();
	if (cli->word_count == 0)
		return cli_fail_usage(cli, "an expression is wanted");
	if (!read_variables(cli, &task.variables, &err))
		return cli_fail(&err);
	task.text = str_from_c(cli->words[0]);
	task.expression = compile(&cli->arena, task.text, &task.variables, &error);
	if (task.expression == NULL)
		return fail_at(cli, task.text, &error);
	if (cli_flag(cli, "explain")) {
		struct buffer out;
		buffer_init(&out, &cli->arena, INPUT_BYTES_MAX);
		jsonata_explain(task.expression, &out);
		cli_print(buffer_str(&out));
		return 0;
	}
	return run_files(&task);
}

const struct cli_command cmd_jsonata = {
	.name = "jsonata",
	.arguments = "EXPRESSION [FILE ...]",
	.summary = "evaluate JSONata over JSON or NDJSON",
	.options = options,
	.option_count = sizeof options / sizeof options[0],
	.run = run,
};
