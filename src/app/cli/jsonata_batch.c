/* `tenon jsonata --batch`: a line {"expr", "data"?, "bindings"?, "limits"?} is answered with a line
 * {"result"}, {"undefined": true} or {"error"}. */
#include <stdio.h>

#include "app/cli/jsonata_input.h"
#include "app/cli/jsonata_run.h"

enum { LINE_BYTES_MAX = 256 * 1024 * 1024, ANSWER_BYTES_MAX = 1024 * 1024 * 1024 };
#define ARENA_BYTES_MAX ((size_t)4 * 1024 * 1024 * 1024)

static const struct json_limits line_limits = {LINE_BYTES_MAX, 500, UINT32_MAX};

/* Cases of the reference go as deep and have sequences as long as it allows; time is held by the
 * steps. */
enum {
	DEPTH_MAX = 2000, /* fits the stack of the main thread */
	SEQUENCE_MAX = 10000000,
	BYTES_MAX = 512 * 1024 * 1024,
};

/* --- limits by name ------------------------------------------------------------------------ */

bool jsonata_run_limit(struct jsonata_limits *limits, struct str name, struct json value,
		       struct error *err)
{
	static const struct {
		const char *name;
		int64_t max;
	} known[] = {
		{"steps", INT64_MAX},
		{"depth", DEPTH_MAX},
		{"sequence", 50000000},
		{"bytes", (int64_t)4 << 30},
		{"time_ms", INT64_MAX / 2000000},
		{"regex_matches", UINT32_MAX / 2},
	};
	enum { COUNT = sizeof known / sizeof known[0] };
	int64_t number;
	size_t i = 0;

	while (i < COUNT && !str_equal(name, str_from_c(known[i].name)))
		i++;
	if (i == COUNT)
		return error_set(err, ERROR_INVALID,
				 "there is no limit \"%.*s\"; there are steps, depth, sequence, "
				 "bytes, time_ms and regex_matches",
				 STR_ARGS(name));
	if (!json_to_int64(value, &number) || number < 1 || number > known[i].max)
		return error_set(err, ERROR_INVALID,
				 "the limit %s must be a whole number from 1 to %lld",
				 known[i].name, (long long)known[i].max);
	switch (i) {
	case 0:
		limits->steps_max = (uint64_t)number;
		break;
	case 1:
		limits->depth_max = (uint32_t)number;
		break;
	case 2:
		limits->sequence_max = (uint32_t)number;
		break;
	case 3:
		limits->bytes_max = (size_t)number;
		break;
	case 4:
		limits->time_ms_max = number;
		break;
	default:
		limits->regex_matches_max = (uint32_t)number;
		break;
	}
	return true;
}

/* --- a case -------------------------------------------------------------------------------- */

static struct json wrap_error(struct arena *arena, struct json error)
{
	struct json_builder outer;

	json_builder_init(&outer, arena);
	json_builder_set(&outer, STR("error"), error);
	return json_builder_object(&outer);
}

static struct json fault_to_json(struct arena *arena, const struct jsonata_error *error)
{
	struct json_builder inner;

	json_builder_init(&inner, arena);
	json_builder_set(&inner, STR("code"), json_string_c(error->code));
	if (error->has_position)
		json_builder_set(&inner, STR("position"), json_int((int64_t)error->position));
	json_builder_set(&inner, STR("token"), error->token);
	json_builder_set(&inner, STR("value"), error->value);
	json_builder_set(&inner, STR("message"), json_string(error->message));
	return wrap_error(arena, json_builder_object(&inner));
}

/* The line itself is wrong. */
static struct json refusal_to_json(struct arena *arena, const struct error *err)
{
	struct json_builder inner;

	json_builder_init(&inner, arena);
	json_builder_set(&inner, STR("code"), json_string_c("INPUT"));
	json_builder_set(&inner, STR("message"),
			 json_string(arena_str(arena, str_from_c(err->message))));
	return wrap_error(arena, json_builder_object(&inner));
}

static bool is_missing_or(struct json value, enum json_type type)
{
	return value.type == JSON_UNDEFINED || value.type == type;
}

static bool check_line(struct json line, struct error *err)
{
	if (line.type != JSON_OBJECT)
		return error_set(err, ERROR_INVALID, "a line must be an object with \"expr\"");
	if (json_get_c(line, "expr").type != JSON_STRING)
		return error_set(err, ERROR_INVALID, "\"expr\" must be a text");
	if (!is_missing_or(json_get_c(line, "bindings"), JSON_OBJECT))
		return error_set(err, ERROR_INVALID, "\"bindings\" must be an object");
	if (!is_missing_or(json_get_c(line, "limits"), JSON_OBJECT))
		return error_set(err, ERROR_INVALID, "\"limits\" must be an object");
	return true;
}

static struct variables read_bindings(struct arena *arena, struct json bindings)
{
	struct variables variables = {.count = bindings.type == JSON_OBJECT ? bindings.count : 0};

	variables.names = arena_array(arena, variables.count, sizeof *variables.names);
	variables.values = arena_array(arena, variables.count, sizeof *variables.values);
	for (size_t i = 0; i < variables.count; i++) {
		const struct json_member *m = &bindings.members[i];
		variables.names[i] = json_name(m);
		variables.values[i] = m->value;
	}
	return variables;
}

static bool read_limits(struct json given, struct jsonata_limits *limits, struct error *err)
{
	*limits = jsonata_limits_default;
	limits->depth_max = DEPTH_MAX;
	limits->sequence_max = SEQUENCE_MAX;
	limits->bytes_max = BYTES_MAX;
	for (uint32_t i = 0; given.type == JSON_OBJECT && i < given.count; i++) {
		const struct json_member *m = &given.members[i];
		if (!jsonata_run_limit(limits, json_name(m), m->value, err))
			return false;
	}
	return true;
}

static struct json run_case(struct arena *arena, struct json line)
{
	struct jsonata_error error = {0};
	struct jsonata_limits limits;
	struct json_builder answer;
	struct json result;
	struct error err;

	if (!check_line(line, &err) || !read_limits(json_get_c(line, "limits"), &limits, &err))
		return refusal_to_json(arena, &err);
	struct variables variables = read_bindings(arena, json_get_c(line, "bindings"));
	const struct jsonata *expression =
		jsonata_run_compile(arena, json_get_str(line, "expr"), &variables, &error);
	if (expression == NULL || !jsonata_run(arena, expression, &limits, &variables,
					       json_get_c(line, "data"), &result, &error))
		return fault_to_json(arena, &error);
	json_builder_init(&answer, arena);
	if (json_is(result, JSON_UNDEFINED))
		json_builder_set(&answer, STR("undefined"), json_bool(true));
	else
		json_builder_set(&answer, STR("result"), result);
	return json_builder_object(&answer);
}

/* --- lines --------------------------------------------------------------------------------- */

static void answer_line(struct str line)
{
	struct arena arena;
	struct buffer out;
	struct json value;
	struct error err;

	arena_init(&arena, ARENA_BYTES_MAX);
	bool is_read = json_parse(&arena, line, &line_limits, &value, &err);
	value = is_read ? run_case(&arena, value) : refusal_to_json(&arena, &err);
	buffer_init(&out, &arena, ANSWER_BYTES_MAX);
	json_print(&out, value);
	fwrite(out.data, 1, out.len, stdout);
	putc('\n', stdout);
	arena_finish(&arena);
}

static void flush_answers(void)
{
	fflush(stdout);
}

int jsonata_run_batch(void)
{
	struct input input;
	struct error err;
	struct str line;

	if (!input_open(&input, NULL, flush_answers, &err))
		return error_exit_code(err.code);
	while (input_next_line(&input, LINE_BYTES_MAX, &line, &err) && ferror(stdout) == 0)
		if (str_trim(line).len > 0)
			answer_line(line);
	flush_answers();
	input_close(&input);
	if (err.code != ERROR_NONE)
		fprintf(stderr, "tenon: %s\n", err.message);
	return ferror(stdout) != 0 ? error_exit_code(ERROR_INTERNAL) : error_exit_code(err.code);
}
