/* The public cases of the reference, the differential cases made from it, and what it answered to
 * cases that tests/oracle generated (oracle/ beside this file). All of them pass. */
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <dirent.h>

#include "base/disk.h"
#include "lang/jsonata/jsonata.h"

/* How many there are at least: a folder that was not found does not pass. */
enum { SUITE_CASES = 1256, DIFF_CASES = 14783, ORACLE_CASES = 5000 };

struct run {
	const char *shared;
	struct arena arena;   /* of the whole run */
	struct json datasets; /* object: name -> value */
	size_t passed, failed;
};

static bool read_whole(struct arena *arena, const char *path, struct str *out)
{
	FILE *file = fopen(path, "rb");

	if (file == NULL)
		return false;
	fseek(file, 0, SEEK_END);
	long size = ftell(file);
	rewind(file);
	char *data = arena_alloc(arena, (size_t)size + 1);
	size_t len = fread(data, 1, (size_t)size, file);
	fclose(file);
	*out = str_make(data, len);
	return true;
}

static struct json parse(struct arena *arena, struct str text)
{
	struct json value;
	struct error err;

	if (!json_parse(arena, text, &json_limits_default, &value, &err))
		fail_msg("%s in <%.*s>", err.message, STR_ARGS(str_slice(text, 0, 80)));
	return value;
}

static void note(struct run *run, struct str name, bool passes, struct str expression,
		 struct str why)
{
	passes ? run->passed++ : run->failed++;
	if (!passes)
		printf("%.*s\t%.*s\t%.*s\n", STR_ARGS(name),
		       STR_ARGS(str_slice(expression, 0, 300)), STR_ARGS(why));
}

/* --- one case ------------------------------------------------------------------------------ */

struct outcome {
	bool is_ok;
	struct json value;
	struct jsonata_error error;
};

static struct outcome evaluate(struct arena *arena, struct str expression, struct json input,
			       struct json bindings, uint32_t depth, int64_t time_ms)
{
	struct outcome outcome = {0};
	struct str *names = arena_array(arena, bindings.count, sizeof *names);
	struct json *values = arena_array(arena, bindings.count, sizeof *values);
	struct jsonata_limits limits = jsonata_limits_default;
	struct random random = *random_system();

	for (uint32_t i = 0; i < bindings.count; i++) {
		names[i] = str_make(bindings.members[i].key, bindings.members[i].key_len);
		values[i] = bindings.members[i].value;
	}
	limits.depth_max = depth;
	limits.steps_max = 20000000;
	limits.time_ms_max = time_ms;
	limits.bytes_max = 512 * 1024 * 1024;
	limits.sequence_max = 10000000; /* what the reference's own limit is */
	struct jsonata_options options = {.variables = names, .variable_count = bindings.count};
	struct jsonata_context context = {.arena = arena,
					  .limits = &limits,
					  .variables = values,
					  .clock = clock_system(),
					  .random = &random};
	const struct jsonata *compiled =
		jsonata_compile(arena, expression, &options, &outcome.error);
	outcome.is_ok = compiled != NULL &&
			jsonata_evaluate(compiled, &context, input, &outcome.value, &outcome.error);
	return outcome;
}

static struct str print(struct arena *arena, struct json value)
{
	struct buffer out;

	buffer_init(&out, arena, 1 << 24);
	if (value.type == JSON_UNDEFINED)
		return STR("undefined");
	json_print(&out, value);
	return buffer_str(&out);
}

static struct str describe(struct arena *arena, const struct outcome *outcome)
{
	if (outcome->is_ok)
		return str_slice(print(arena, outcome->value), 0, 300);
	return arena_format(arena, "%s at %zu token <%.*s> %.*s", outcome->error.code,
			    outcome->error.position, STR_ARGS(json_str(outcome->error.token)),
			    STR_ARGS(outcome->error.message));
}

static bool has_code(const struct outcome *outcome, struct str code, bool has_limits)
{
	if (outcome->is_ok)
		return false;
	if (str_equal_c(code, outcome->error.code))
		return true;
	/* What this suite calls U1001 are the limits of depth and time. */
	return has_limits && str_equal(code, STR("U1001")) &&
	       (strcmp(outcome->error.code, "D1011") == 0 ||
		strcmp(outcome->error.code, "D1012") == 0);
}

static bool has_error(const struct outcome *outcome, struct json wanted)
{
	struct json token = json_get_c(wanted, "token"), value = json_get_c(wanted, "value");
	struct json message = json_get_c(wanted, "message");

	if (outcome->is_ok || !str_equal_c(json_get_str(wanted, "code"), outcome->error.code))
		return false;
	if (token.type == JSON_STRING && !json_equal(token, outcome->error.token))
		return false;
	if (message.type == JSON_STRING && !str_equal(json_str(message), outcome->error.message))
		return false;
	return value.type == JSON_UNDEFINED || json_equal(value, outcome->error.value);
}

static bool is_undefined_wanted(struct json wanted)
{
	return json_get_c(wanted, "undefinedResult").type == JSON_BOOL;
}

static bool matches(const struct outcome *outcome, struct json wanted, bool has_limits)
{
	struct json result = json_get_c(wanted, "result"), error = json_get_c(wanted, "error");
	struct json code = json_get_c(wanted, "code");

	if (is_undefined_wanted(wanted))
		return outcome->is_ok && outcome->value.type == JSON_UNDEFINED;
	if (result.type != JSON_UNDEFINED)
		return outcome->is_ok && json_equal(result, outcome->value);
	if (error.type == JSON_OBJECT)
		return has_error(outcome, error);
	return code.type == JSON_STRING && has_code(outcome, json_str(code), has_limits);
}

/* Texts are compared as they print, too: equality alone would not see 1e21 spelt otherwise. */
static void run_case(struct run *run, struct str name, struct json wanted, struct str expression,
		     struct json input, uint32_t depth, int64_t time_ms)
{
	struct arena arena;

	arena_init(&arena, SIZE_MAX);
	struct outcome outcome =
		evaluate(&arena, expression, input, json_get_c(wanted, "bindings"), depth, time_ms);
	bool has_limits = json_get_c(wanted, "depth").type != JSON_UNDEFINED;
	note(run, name, matches(&outcome, wanted, has_limits), expression,
	     describe(&arena, &outcome));
	arena_finish(&arena);
}

/* --- the suite ----------------------------------------------------------------------------- */

static struct json dataset(struct run *run, struct str name)
{
	struct str path, text;

	path = arena_format(&run->arena, "%s/jsonata-suite/datasets/%.*s.json%c", run->shared,
			    STR_ARGS(name), 0);
	if (!read_whole(&run->arena, path.data, &text))
		fail_msg("no dataset %.*s", STR_ARGS(name));
	return parse(&run->arena, text);
}

static uint32_t depth_of(struct json wanted)
{
	int64_t depth;

	return json_to_int64(json_get_c(wanted, "depth"), &depth) ? (uint32_t)depth : 1000;
}

static int64_t time_of(struct json wanted)
{
	int64_t time;

	/* Sanitizers and busy machines are slow; no case is about the very time. */
	return json_to_int64(json_get_c(wanted, "timelimit"), &time) ? time * 10 : 0;
}

static void run_suite_case(struct run *run, const char *group, struct str name, struct json wanted)
{
	struct json input = json_get_c(wanted, "data"), set = json_get_c(wanted, "dataset");
	struct str expression = json_get_str(wanted, "expr");

	if (input.type == JSON_UNDEFINED && set.type == JSON_STRING)
		input = dataset(run, json_str(set));
	if (json_get_c(wanted, "expr-file").type == JSON_STRING) {
		struct str path =
			arena_format(&run->arena, "%s/jsonata-suite/groups/%s/%.*s%c", run->shared,
				     group, STR_ARGS(json_get_str(wanted, "expr-file")), 0);
		if (!read_whole(&run->arena, path.data, &expression))
			fail_msg("no %s", path.data);
	}
	run_case(run, name, wanted, expression, input, depth_of(wanted), time_of(wanted));
}

static void run_file(struct run *run, const char *group, const char *file)
{
	struct str text, path = arena_format(&run->arena, "%s/jsonata-suite/groups/%s/%s%c",
					     run->shared, group, file, 0);

	if (!str_ends_with(str_from_c(file), STR(".json")))
		return;
	if (!read_whole(&run->arena, path.data, &text))
		fail_msg("no %s", path.data);
	struct json cases = parse(&run->arena, text);
	struct str stem = str_slice(str_from_c(file), 0, strlen(file) - 5);
	if (cases.type == JSON_OBJECT) {
		run_suite_case(run, group,
			       arena_format(&run->arena, "%s/%.*s", group, STR_ARGS(stem)), cases);
		return;
	}
	for (uint32_t i = 0; i < cases.count; i++)
		run_suite_case(run, group,
			       arena_format(&run->arena, "%s/%.*s:%u", group, STR_ARGS(stem), i),
			       cases.items[i]);
}

static void each_name(struct run *run, const char *folder,
		      void (*visit)(struct run *, const char *, const char *), const char *context)
{
	DIR *dir = opendir(folder);

	if (dir == NULL)
		fail_msg("no folder %s", folder);
	for (struct dirent *entry = readdir(dir); entry != NULL; entry = readdir(dir))
		if (entry->d_name[0] != '.')
			visit(run, context, entry->d_name);
	closedir(dir);
}

static void run_group(struct run *run, const char *context, const char *group)
{
	struct str folder =
		arena_format(&run->arena, "%s/jsonata-suite/groups/%s%c", run->shared, group, 0);

	(void)context;
	each_name(run, folder.data, run_file, group);
}

static bool start(struct run *run, const char *part)
{
	*run = (struct run){.shared = getenv("TENON_SHARED")};
	arena_init(&run->arena, SIZE_MAX);
	if (run->shared == NULL)
		return false;
	struct str folder = arena_format(&run->arena, "%s/%s%c", run->shared, part, 0);
	DIR *dir = opendir(folder.data);
	if (dir == NULL)
		return false;
	closedir(dir);
	return true;
}

static void finish(struct run *run, const char *what, size_t count)
{
	printf("%s: %zu pass, %zu fail\n", what, run->passed, run->failed);
	size_t passed = run->passed, failed = run->failed;
	arena_finish(&run->arena);
	assert_int_equal(failed, 0);
	assert_true(passed >= count);
}

static void runs_the_suite_of_the_reference(void **state)
{
	struct run run;

	(void)state;
	if (!start(&run, "jsonata-suite")) {
		arena_finish(&run.arena);
		skip();
	}
	struct str folder = arena_format(&run.arena, "%s/jsonata-suite/groups%c", run.shared, 0);
	each_name(&run, folder.data, run_group, NULL);
	finish(&run, "suite", SUITE_CASES);
}

/* --- the differential cases ---------------------------------------------------------------- */

static void agrees_with_the_reference_case_by_case(void **state)
{
	struct run run;
	struct str text = {0}, rest;
	unsigned number = 0;

	(void)state;
	if (!start(&run, "jsonata-diff")) {
		arena_finish(&run.arena);
		skip();
	}
	struct str path = arena_format(&run.arena, "%s/jsonata-diff/data.json%c", run.shared, 0);
	assert_true(read_whole(&run.arena, path.data, &text));
	struct json data = parse(&run.arena, text);
	path = arena_format(&run.arena, "%s/jsonata-diff/cases.ndjson%c", run.shared, 0);
	assert_true(read_whole(&run.arena, path.data, &text));
	for (rest = text; rest.len > 0;) {
		struct str line = str_cut(&rest, '\n');
		number++;
		if (line.len == 0)
			continue;
		struct json wanted = parse(&run.arena, line);
		run_case(&run, arena_format(&run.arena, "diff:%u", number), wanted,
			 json_get_str(wanted, "expr"), data, 1000, 0);
	}
	finish(&run, "differential", DIFF_CASES);
}

/* --- recorded answers ---------------------------------------------------------------------- */

/* Equal where numbers are doubles, as they are to the reference. */
static bool is_equal(struct json a, struct json b)
{
	if (json_is_number(a) && json_is_number(b))
		return json_to_double(a) == json_to_double(b);
	if (a.type != b.type || (a.type != JSON_ARRAY && a.type != JSON_OBJECT))
		return json_equal(a, b);
	for (uint32_t i = 0; i < a.count && a.count == b.count; i++) {
		const struct json_member *m = &a.members[i];
		if (a.type == JSON_ARRAY
			    ? !is_equal(a.items[i], b.items[i])
			    : !is_equal(m->value, json_get(b, str_make(m->key, m->key_len))))
			return false;
	}
	return a.count == b.count;
}

/* An error is the same down to its place, its token and its value. */
static bool is_as_recorded(const struct outcome *outcome, struct json wanted)
{
	struct json error = json_get_c(wanted, "error"), position = json_get_c(error, "position");

	if (error.type == JSON_UNDEFINED)
		return outcome->is_ok && is_equal(json_get_c(wanted, "result"), outcome->value);
	return !outcome->is_ok && str_equal_c(json_get_str(error, "code"), outcome->error.code) &&
	       outcome->error.has_position == (position.type != JSON_UNDEFINED) &&
	       (!outcome->error.has_position ||
		json_equal(position, json_int((int64_t)outcome->error.position))) &&
	       is_equal(json_get_c(error, "token"), outcome->error.token) &&
	       is_equal(json_get_c(error, "value"), outcome->error.value);
}

/* A line without an expression has the data and the bindings of the lines behind it that have
 * none of their own. */
static void run_recorded(struct run *run, const char *folder, const char *file)
{
	struct str path = arena_format(&run->arena, "%s/%s%c", folder, file, 0), rest;
	struct json input = json_undefined();
	unsigned number = 0;

	if (!read_whole(&run->arena, path.data, &rest))
		fail_msg("no %s", path.data);
	while (rest.len > 0) {
		struct arena arena;
		struct str line = str_cut(&rest, '\n');
		struct json wanted = parse(&run->arena, line);
		struct str expression = json_get_str(wanted, "expr");
		number++;
		if (json_get_c(wanted, "expr").type == JSON_UNDEFINED) {
			input = wanted;
			continue;
		}
		arena_init(&arena, SIZE_MAX);
		bool has_own = json_get_c(wanted, "data").type != JSON_UNDEFINED ||
			       json_get_c(wanted, "bindings").type != JSON_UNDEFINED;
		struct json from = has_own ? wanted : input;
		struct outcome outcome = evaluate(&arena, expression, json_get_c(from, "data"),
						  json_get_c(from, "bindings"), 1000, 0);
		note(run, arena_format(&arena, "%s:%u", file, number),
		     is_as_recorded(&outcome, wanted), expression, describe(&arena, &outcome));
		arena_finish(&arena);
	}
}

static void answers_as_the_reference_was_recorded_to(void **state)
{
	const char *source = getenv("TENON_SOURCE");
	struct run run = {0};

	(void)state;
	arena_init(&run.arena, SIZE_MAX);
	struct str folder = arena_format(&run.arena, "%s/tests/unit/lang/oracle%c",
					 source == NULL ? "." : source, 0);
	each_name(&run, folder.data, run_recorded, folder.data);
	finish(&run, "recorded", ORACLE_CASES);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(runs_the_suite_of_the_reference),
		cmocka_unit_test(agrees_with_the_reference_case_by_case),
		cmocka_unit_test(answers_as_the_reference_was_recorded_to),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
