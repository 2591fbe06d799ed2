#include "app/cli/commands.h"
#include "app/cli/jsonata_caret.h"
#include "app/cli/jsonata_input.h"
#include "app/cli/jsonata_run.h"

enum { RESULT_BYTES_MAX = 1024 * 1024 * 1024, EXPRESSION_BYTES_MAX = 1024 * 1024 };
#define ARENA_BYTES_MAX ((size_t)4 * 1024 * 1024 * 1024)

static const struct cli_option options[] = {
	{"batch", NULL, false,
	 "read lines {\"expr\", \"data\"?, \"bindings\"?, \"limits\"?}, answer one each"},
	{"bind", "NAME=JSON", true, "bind $NAME"},
	{"compact", NULL, false, "print results on one line"},
	{"explain", NULL, false, "print the compiled form"},
	{"from-file", "PATH", false, "the expression is in a file; all words are inputs"},
	{"limit", "NAME=NUMBER", true,
	 "steps, depth, sequence, bytes, time_ms or regex_matches of one evaluation"},
	{"null-input", NULL, false, "read nothing and evaluate once"},
};

static const struct json_limits input_limits = {RESULT_BYTES_MAX, 500, UINT32_MAX};

struct task {
	struct cli *cli;
	struct str text;
	const struct jsonata *expression;
	struct variables variables;
	struct jsonata_limits limits;
	size_t first_file; /* among the words */
};

/* --- shared with --batch ------------------------------------------------------------------- */

const struct jsonata *jsonata_run_compile(struct arena *arena, struct str text,
					  const struct variables *variables,
					  struct jsonata_error *error)
{
	struct jsonata_options compile_options = {.variables = variables->names,
						  .variable_count = variables->count};

	return jsonata_compile(arena, text, &compile_options, error);
}

bool jsonata_run(struct arena *arena, const struct jsonata *expression,
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

/* --- results and faults -------------------------------------------------------------------- */

static void flush_results(void)
{
	fflush(stdout);
}

/* `input` is where the record came from, or NULL. */
static int fail_at(const struct task *task, const struct input *input,
		   const struct jsonata_error *error)
{
	struct arena arena;
	struct buffer shown;
	struct str token = STR("");

	if (error->token.type == JSON_STRING)
		token = json_str(error->token);
	flush_results();
	arena_init(&arena, EXPRESSION_BYTES_MAX);
	buffer_init(&shown, &arena, EXPRESSION_BYTES_MAX);
	if (error->has_position)
		caret_show(&shown, task->text, error->position, token);
	fprintf(stderr, "tenon: ");
	if (input != NULL)
		fprintf(stderr, "%s:%llu: ", input->name, (unsigned long long)input->line);
	fprintf(stderr, "%s: %.*s\n%.*s", error->code, STR_ARGS(error->message),
		STR_ARGS(buffer_str(&shown)));
	arena_finish(&arena);
	return error_exit_code(ERROR_INVALID);
}

/* What is passed on as it was read may have been written over many lines. */
static void print_line(struct buffer *out, struct arena *arena, struct json value)
{
	json_print(out, value);
	if (str_find_byte(buffer_str(out), '\n') < 0)
		return;
	out->len = 0;
	json_print(out, json_copy(arena, value));
}

static int run_value(const struct task *task, struct arena *arena, const struct input *input,
		     struct json value)
{
	struct jsonata_error error;
	struct json result;
	struct buffer out;

	if (!jsonata_run(arena, task->expression, &task->limits, &task->variables, value, &result,
			 &error))
		return fail_at(task, input, &error);
	if (json_is(result, JSON_UNDEFINED))
		return 0;
	buffer_init(&out, arena, RESULT_BYTES_MAX);
	if (cli_flag(task->cli, "compact"))
		print_line(&out, arena, result);
	else
		json_print_pretty(&out, result);
	fwrite(out.data, 1, out.len, stdout);
	putc('\n', stdout);
	return ferror(stdout) == 0 ? 0 : error_exit_code(ERROR_INTERNAL);
}

/* --- inputs -------------------------------------------------------------------------------- */

static int run_text(const struct task *task, const struct input *input, struct str text)
{
	struct arena arena;
	struct json value;
	struct error err, placed;
	int code;

	arena_init(&arena, ARENA_BYTES_MAX);
	if (json_parse(&arena, text, &input_limits, &value, &err)) {
		code = run_value(task, &arena, input, value);
	} else {
		flush_results();
		error_set(&placed, err.code, "%s:%llu: %s", input->name,
			  (unsigned long long)input->line, err.message);
		code = cli_fail(&placed);
	}
	arena_finish(&arena);
	return code;
}

/* JSON texts one after another. */
static int run_input(const struct task *task, const char *path)
{
	struct input input;
	struct error err;
	struct str text;
	int code = 0;

	if (!input_open(&input, path, flush_results, &err))
		return cli_fail(&err);
	while (code == 0 && input_next(&input, &text, &err))
		code = run_text(task, &input, text);
	flush_results();
	input_close(&input);
	return code == 0 && err.code != ERROR_NONE ? cli_fail(&err) : code;
}

static int run_inputs(const struct task *task)
{
	const struct cli *cli = task->cli;
	int code = 0;

	if (cli_flag(cli, "null-input")) {
		code = run_value(task, &task->cli->arena, NULL, json_undefined());
		flush_results();
		return code;
	}
	if (task->first_file == cli->word_count)
		return run_input(task, NULL);
	for (size_t i = task->first_file; i < cli->word_count && code == 0; i++)
		code = run_input(task, cli->words[i]);
	return code;
}

/* --- what is given ------------------------------------------------------------------------- */

static bool read_variables(struct task *task, struct error *err)
{
	struct arena *arena = &task->cli->arena;
	const char *given[CLI_VALUES_MAX];
	size_t count = cli_values(task->cli, "bind", given, CLI_VALUES_MAX);
	struct variables variables = {arena_array(arena, count, sizeof *variables.names),
				      arena_array(arena, count, sizeof *variables.values), count};
	struct str text;
	struct error inner;

	for (size_t i = 0; i < count; i++) {
		if (!cli_pair("bind", given[i], &variables.names[i], &text, err))
			return false;
		if (!json_parse(arena, text, &input_limits, &variables.values[i], &inner))
			return error_set(err, inner.code, "--bind %.*s is no JSON: %s",
					 STR_ARGS(variables.names[i]), inner.message);
	}
	task->variables = variables;
	return true;
}

static bool read_limits(struct task *task, struct error *err)
{
	const char *given[CLI_VALUES_MAX];
	size_t count = cli_values(task->cli, "limit", given, CLI_VALUES_MAX);
	struct str name, text;
	int64_t number;

	task->limits = jsonata_limits_default;
	for (size_t i = 0; i < count; i++) {
		if (!cli_pair("limit", given[i], &name, &text, err))
			return false;
		struct json value = str_to_int64(text, &number) ? json_int(number) : json_null();
		if (!jsonata_run_limit(&task->limits, name, value, err))
			return false;
	}
	return true;
}

static bool read_expression(struct task *task, struct error *err)
{
	struct cli *cli = task->cli;
	const char *path = cli_value(cli, "from-file");

	if (path != NULL)
		return disk_read(disk_system(), &cli->arena, path, EXPRESSION_BYTES_MAX,
				 &task->text, err);
	if (cli->word_count == 0)
		return error_set(err, ERROR_INVALID, "an expression is wanted");
	task->text = str_from_c(cli->words[0]);
	task->first_file = 1;
	return true;
}

static int explain(const struct task *task)
{
	struct buffer out;

	buffer_init(&out, &task->cli->arena, RESULT_BYTES_MAX);
	jsonata_explain(task->expression, &out);
	cli_print(buffer_str(&out));
	return 0;
}

static int run(struct cli *cli)
{
	struct task task = {.cli = cli};
	struct jsonata_error error;
	struct error err;

	if (cli_flag(cli, "batch"))
		return jsonata_run_batch();
	if (cli_value(cli, "from-file") == NULL && cli->word_count == 0)
		return cli_fail_usage(cli, "an expression is wanted");
	if (!read_expression(&task, &err) || !read_variables(&task, &err) ||
	    !read_limits(&task, &err))
		return cli_fail(&err);
	task.expression = jsonata_run_compile(&cli->arena, task.text, &task.variables, &error);
	if (task.expression == NULL)
		return fail_at(&task, NULL, &error);
	return cli_flag(cli, "explain") ? explain(&task) : run_inputs(&task);
}

const struct cli_command cmd_jsonata = {
	.name = "jsonata",
	.arguments = "EXPRESSION [FILE ...]",
	.summary = "evaluate JSONata over JSON or NDJSON",
	.details =
		"An input is one JSON text or many one after another, a line each or not; without\n"
		"files it is standard input. One text at a time is held in memory.\n",
	.options = options,
	.option_count = sizeof options / sizeof options[0],
	.run = run,
};
