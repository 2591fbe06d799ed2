/* Expressions: what faults say and where, natives and variables, every budget at and past its
 * limit, hostile expressions, the clock and chance, big numbers, the stack of a fiber. What the
 * language means is the matter of test_jsonata_suite.c. */
#include "json_testing.h"

#include "base/fiber.h"
#include "lang/jsonata/jsonata.h"

#if defined(__SANITIZE_ADDRESS__)
#define HAS_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define HAS_SANITIZER 1
#endif
#endif
#ifndef HAS_SANITIZER
#define HAS_SANITIZER 0
#endif

/* A run of one expression and all that may be set around it. */
struct run {
	struct arena *arena;
	struct jsonata_options options;
	struct jsonata_context context;
	struct jsonata_limits limits;
	struct jsonata_error error;
	struct json input;
};

static int64_t frozen_unix_ns(void *context)
{
	int64_t *ns = context;

	return *ns;
}

/* Every look takes a millisecond. */
static int64_t ticking_ns(void *context)
{
	int64_t *ns = context;

	*ns += 1000000;
	return *ns;
}

static int64_t clock_ns;
static const struct clock test_clock = {ticking_ns, frozen_unix_ns, &clock_ns};
static struct random_seeded seed = {42};
static struct random test_random;

static struct run run_with(void **state)
{
	struct run run = {.arena = *state, .limits = jsonata_limits_default};

	clock_ns = 1700000000000000000;
	test_random = random_from_seed(&seed);
	run.limits.time_ms_max = 0;
	run.context = (struct jsonata_context){
		.arena = run.arena, .clock = &test_clock, .random = &test_random};
	return run;
}

static bool evaluate(struct run *run, const char *text, struct json *out)
{
	const struct jsonata *expression =
		jsonata_compile(run->arena, str_from_c(text), &run->options, &run->error);

	run->context.limits = &run->limits;
	return expression != NULL &&
	       jsonata_evaluate(expression, &run->context, run->input, out, &run->error);
}

static void assert_result(struct run *run, const char *text, const char *json)
{
	struct json out;
	struct buffer printed;

	if (!evaluate(run, text, &out))
		fail_msg("%s: %s at %zu: %.*s", text, run->error.code, run->error.position,
			 STR_ARGS(run->error.message));
	buffer_init(&printed, run->arena, 1 << 20);
	if (out.type == JSON_UNDEFINED)
		buffer_append_c(&printed, "undefined");
	else
		json_print(&printed, out);
	if (!str_equal_c(buffer_str(&printed), json))
		fail_msg("%s: %.*s, not %s", text, STR_ARGS(buffer_str(&printed)), json);
}

static void assert_fault(struct run *run, const char *text, const char *code)
{
	struct json out;

	if (evaluate(run, text, &out))
		fail_msg("%s was evaluated", text);
	if (strcmp(run->error.code, code) != 0)
		fail_msg("%s: %s, not %s", text, run->error.code, code);
}

/* --- faults -------------------------------------------------------------------------------- */

static void says_where_an_expression_is_wrong(void **state)
{
	struct run run = run_with(state);
	static const struct {
		const char *text;
		const char *code;
		size_t position;
		const char *token;
		const char *message;
	} faults[] = {
		{"a +", "S0207", 3, "(end)", "Unexpected end of expression"},
		{"(a", "S0203", 2, "(end)", "Expected \")\" before end of expression"},
		{"[1, 2", "S0203", 5, "(end)", "Expected \"]\" before end of expression"},
		{"a b", "S0201", 3, "b", "Syntax error: \"b\""},
		{"+ 1", "S0211", 1, "+", "The symbol \"+\" cannot be used as a unary operator"},
		{"5 := 1", "S0212", 1, "",
		 "The left side of := must be a variable name (start with $)"},
		{"\"abc", "S0101", 4, "", "String literal must be terminated by a matching quote"},
		{"\"\\q\"", "S0103", 2, "q", "Unsupported escape sequence: \\\"q\""},
		{"\"a\\u0", "S0101", 8, "", "String literal must be terminated by a matching quote"},
		{"1e999", "S0102", 0, "1e999", "Number out of range: \"1e999\""},
		{"/* x", "S0106", 0, "", "Comment has no closing tag"},
		{"a.1", "S0213", 3, "",
		 "The literal value 1 cannot be used as a step within a path "
		 "expression"},
		{"a ! b", "S0204", 3, "!", "Unknown operator: \"!\""},
		{"/ab", "S0302", 3, "", "No terminating / in regular expression"},
		{"%", "S0217", 0, "parent",
		 "The object representing the 'parent' cannot be derived from "
		 "this expression"},
		/* positions are UTF-16 units: é is one, the clef two */
		{"\"é𝄞\" +", "S0207", 7, "(end)", "Unexpected end of expression"},
	};

	for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
		assert_fault(&run, faults[i].text, faults[i].code);
		if (run.error.position != faults[i].position)
			fail_msg("%s: at %zu", faults[i].text, run.error.position);
		assert_true(str_equal_c(json_str(run.error.token), faults[i].token));
		if (!str_equal_c(run.error.message, faults[i].message))
			fail_msg("%s: %.*s", faults[i].text, STR_ARGS(run.error.message));
	}
}

static void says_where_an_evaluation_failed(void **state)
{
	struct run run = run_with(state);

	assert_fault(&run, "1 + \"a\"", "T2002");
	assert_int_equal(run.error.position, 3);
	assert_true(str_equal_c(json_str(run.error.token), "+"));
	assert_true(str_equal_c(json_str(run.error.value), "a"));
	assert_fault(&run, "$sum([1, \"a\"])", "T0412");
	assert_int_equal(run.error.position, 5);
	assert_true(str_equal_c(json_str(run.error.token), "sum"));
	assert_true(str_equal_c(run.error.message,
				"Argument 1 of function \"sum\" must be an array of \"numbers\""));
	/* within a function the place is that of the call, as the reference has it */
	assert_fault(&run, "($f := function($x) { $x + 1 }; $f(\"a\"))", "T2001");
	assert_int_equal(run.error.position, 35);
	assert_fault(&run, "$error(\"no such thing\")", "D3137");
	assert_true(str_equal_c(run.error.message, "no such thing"));
	assert_fault(&run, "1/0", "D1001");
}

static void turns_a_fault_into_an_error(void **state)
{
	struct run run = run_with(state);
	struct error err;

	assert_fault(&run, "a b", "S0201");
	assert_false(jsonata_error_to_error(&run.error, &err));
	assert_int_equal(err.code, ERROR_INVALID);
	assert_string_equal(err.message, "S0201 at 3: Syntax error: \"b\"");
}

/* --- what the host adds -------------------------------------------------------------------- */

static bool reference(void *context, struct arena *arena, const struct json *arguments,
		      struct json *out, struct jsonata_error *error)
{
	(void)error;
	(*(int *)context)++;
	struct str text = arena_format(arena, "%.*s %s", STR_ARGS(json_str(arguments[0])),
				       arguments[1].type == JSON_UNDEFINED ? "missing" : "given");
	*out = json_string(text);
	return true;
}

static bool refuse(void *context, struct arena *arena, const struct json *arguments,
		   struct json *out, struct jsonata_error *error)
{
	(void)context, (void)arena, (void)arguments, (void)out;
	*error = (struct jsonata_error){.code = "D3141", .message = STR("it will not")};
	return false;
}

static void calls_the_functions_of_the_host(void **state)
{
	static const struct jsonata_native natives[] = {{"reference", 2, reference},
							{"refuse", 0, refuse}};
	struct run run = run_with(state);
	int calls = 0;

	run.options = (struct jsonata_options){.natives = natives, .native_count = 2};
	run.context.native_context = &calls;
	assert_result(&run, "$reference(\"a\", 1)", "\"a given\"");
	assert_result(&run, "$reference(\"a\")", "\"a missing\"");
	assert_result(&run, "\"b\" ~> $reference(2)", "\"b given\"");
	assert_result(&run, "$map([\"x\", \"y\"], $reference)", "[\"x given\",\"y given\"]");
	assert_result(&run, "[\"x\"].$reference($, 1)", "\"x given\"");
	assert_int_equal(calls, 6);
	assert_result(&run, "$type($reference)", "\"function\"");
	assert_result(&run, "($reference := function($x) { $x }; $reference(5))", "5");
	assert_fault(&run, "1 + $refuse()", "D3141");
	assert_true(str_equal_c(run.error.message, "it will not"));
	assert_int_equal(run.error.position, 12);
}

/* With places kept, whatever objects come after one another. */
static void finds_members_wherever_they_are(void **state)
{
	struct run run = run_with(state);
	static struct jsonata_places places;
	static const char *const records[][2] = {
		{"{\"a\":1,\"b\":2,\"c\":{\"a\":3}}", "[1,[2],3]"},
		{"{\"c\":{\"x\":0,\"a\":3},\"b\":2,\"a\":1}", "[1,[2],3]"},
		{"{\"b\":2}", "[[2]]"},
		{"{}", "[[]]"},
		{"{\"d\":0,\"a\":[5],\"b\":4,\"c\":{}}", "[5,[4]]"},
		{"{\"a\":1,\"b\":2,\"c\":{\"a\":3}}", "[1,[2],3]"},
	};
	struct json out;

	const struct jsonata *name = jsonata_compile(run.arena, STR("b"), NULL, &run.error);
	const struct jsonata *all =
		jsonata_compile(run.arena, STR("[a, [b], c.a]"), NULL, &run.error);
	run.context.places = &places;
	for (size_t i = 0; i < sizeof records / sizeof *records; i++) {
		struct json record = parse(run.arena, records[i][0]);
		assert_true(jsonata_evaluate(all, &run.context, record, &out, &run.error));
		assert_str(json_text(run.arena, out), str_from_c(records[i][1]));
		assert_true(jsonata_evaluate(name, &run.context, record, &out, &run.error));
		assert_true(json_equal(out, json_get_c(record, "b")));
	}
}

static void binds_the_variables_of_the_host(void **state)
{
	struct run run = run_with(state);
	struct str names[] = {STR("page"), STR("mode")};
	struct json values[] = {parse(run.arena, "{\"size\": 3}"), json_undefined()};

	run.options = (struct jsonata_options){.variables = names, .variable_count = 2};
	run.context.variables = values;
	assert_result(&run, "$page.size + 1", "4");
	assert_result(&run, "$exists($mode)", "false");
	assert_result(&run, "($page := 1; $page)", "1");
	assert_result(&run, "[1..$page.size].($ * $page.size)", "[3,6,9]");
	assert_result(&run, "$eval(\"$page.size\")", "3");
}

/* --- budgets ------------------------------------------------------------------------------- */

/* The least value of a limit with which the expression is evaluated; one less fails with `code`. */
static void assert_edge(struct run *run, const char *text, void (*set)(struct run *, uint64_t),
			const char *code)
{
	struct json out;
	uint64_t low = 0, high = 1 << 24;

	while (low < high) {
		uint64_t middle = (low + high) / 2;
		set(run, middle);
		if (evaluate(run, text, &out))
			high = middle;
		else
			low = middle + 1;
	}
	if (low < 2 || low == 1 << 24)
		fail_msg("%s has its edge at %llu", text, (unsigned long long)low);
	set(run, low - 1);
	assert_fault(run, text, code);
	set(run, low);
	assert_true(evaluate(run, text, &out));
}

static void set_steps(struct run *run, uint64_t value)
{
	run->limits.steps_max = value;
}

static void set_depth(struct run *run, uint64_t value)
{
	run->limits.depth_max = value > 100000 ? 100000 : (uint32_t)value;
}

static void set_sequence(struct run *run, uint64_t value)
{
	run->limits.sequence_max = (uint32_t)value;
}

static void set_bytes(struct run *run, uint64_t value)
{
	run->limits.bytes_max = value;
}

static void holds_every_budget_at_its_limit(void **state)
{
	struct run run = run_with(state);

	assert_edge(&run, "[1..50].($ * 2)", set_steps, "U1001");
	run.limits.steps_max = jsonata_limits_default.steps_max;
	assert_edge(&run, "($f := function($n) { $n = 0 ? 0 : 1 + $f($n - 1) }; $f(20))", set_depth,
		    "D1011");
	run.limits.depth_max = jsonata_limits_default.depth_max;
	assert_edge(&run, "[1..77]", set_sequence, "D2015");
	assert_edge(&run, "$map([1..77], function($x) { [$x, $x] })", set_sequence, "D2015");
	assert_edge(&run, "$pad(\"a\", 1600)", set_sequence, "D2015");
	run.limits.sequence_max = jsonata_limits_default.sequence_max;
	assert_edge(&run, "[1..100].{\"a\": $}", set_bytes, "D1013");
	assert_edge(&run, "$join([1..100].$string(), \"-\")", set_bytes, "D1013");
}

static void set_matches(struct run *run, uint64_t value)
{
	run->limits.regex_matches_max = (uint32_t)value;
}

/* The clock of these tests goes on by 1 ms a look. */
static void set_time(struct run *run, uint64_t value)
{
	run->limits.time_ms_max = value > 100000 ? 100000 : (int64_t)value;
}

static void set_nesting(struct run *run, uint64_t value)
{
	run->options.depth_max = value > 190 ? 190 : value;
}

static void set_length(struct run *run, uint64_t value)
{
	run->options.bytes_max = value;
}

static void holds_tries_time_and_texts_at_their_limits(void **state)
{
	struct run run = run_with(state);

	assert_edge(&run, "$contains(\"aaaaaaaaaaaab\", /(a|b)*[cd]/)", set_matches, "D1014");
	run.limits.regex_matches_max = jsonata_limits_default.regex_matches_max;
	assert_edge(&run, "$count([1..100000].($ + 1))", set_time, "D1012");
	run.limits.time_ms_max = 0;
	assert_edge(&run, "((((((((1))))))))", set_nesting, "U1002");
	run.options.depth_max = 0;
	assert_edge(&run, "1 + 2 + 3", set_length, "U1002");
	assert_int_equal(run.options.bytes_max, strlen("1 + 2 + 3"));
}

/* The output: 200 levels below the outermost are a result, one more is refused. */
static void holds_results_at_their_limit(void **state)
{
	struct run run = run_with(state);
	struct json out;

	run.limits.depth_max = 1000;
	assert_true(evaluate(&run,
			     "($f := function($x, $n) { $n = 0 ? $x : $f([[$x]], $n - 1) }; "
			     "$f([], 200))",
			     &out));
	assert_fault(&run,
		     "($f := function($x, $n) { $n = 0 ? $x : $f([[$x]], $n - 1) }; "
		     "$f([], 201))",
		     "D1011");
}

static void sequence_max_is_exact(void **state)
{
	struct run run = run_with(state);

	run.limits.sequence_max = 5;
	assert_result(&run, "[1..5]", "[1,2,3,4,5]");
	assert_fault(&run, "[1..6]", "D2015");
	assert_fault(&run, "$append([1..4], [1..4])", "D2015");
	assert_result(&run, "$length($pad(\"\", 80))", "80");
	assert_fault(&run, "$pad(\"\", 97)", "D2015");
}

static void ends_in_time(void **state)
{
	struct run run = run_with(state);

	run.limits.steps_max = UINT64_MAX / 2;
	run.limits.time_ms_max = 50;
	assert_fault(&run, "($f := function($n) { $f($n + 1) }; $f(0))", "D1012");
	/* each look at the clock is a millisecond here, so 50 looks were made */
	assert_in_range((uint64_t)(clock_ns - 1700000000000000000) / 1000000, 50, 60);
	run.limits.time_ms_max = 100000;
	assert_result(&run, "$count([1..100000].($ + 1))", "100000");
}

static void holds_regular_expressions(void **state)
{
	struct run run = run_with(state);

	assert_fault(&run,
		     "$contains(\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!\", /^(a+)+$/)",
		     "D1014");
	assert_fault(&run, "$replace($pad(\"\", 2000, \"a\") & \"!\", /^(a|aa)+$/, \"\")", "D1014");
	run.limits.regex_matches_max = 3;
	assert_fault(&run, "$contains(\"aaaaaaaaaaaaab\", /(a|b)*[cd]/)", "D1014");
	assert_fault(&run, "/(?i)a/", "S0303");
	assert_fault(&run, "/a++/", "S0303");
	assert_fault(&run, "/(?R)/", "S0303");
	assert_fault(&run, "/(*LIMIT_MATCH=1)a/", "S0303");
	assert_fault(&run, "/a(/", "S0302");
	/* Runs over characters of one byte and of more, in turn. */
	assert_result(&run, "$replace(\"aéb1é\", /[^0-9]{2,3}/, \"-\")", "\"-1é\"");
	assert_result(&run, "$replace(\"aéb1é\", /[^0-9]{2}/, \"-\")", "\"-b1é\"");
	assert_result(&run, "$match(\"aé\\nbcéd\", /.{3}/).match", "\"bcé\"");
	assert_result(&run, "$replace(\"xÇy é z\", /^.* /, \"\")", "\"z\"");
	assert_result(&run, "$replace(\"é é z\", / [^ ]*$/, \"\")", "\"é é\"");
	assert_result(&run, "$contains(\"éABéab\", /(éab)\\1/i)", "true");
	assert_result(&run, "$contains(\"abAC\", /(ab)\\1/i)", "false");
	assert_result(&run, "$replace(\"abc\", /(?<=[ab]+)c/, \"\")", "\"ab\"");
	assert_result(&run, "$replace(\"a.b\", /[.]/, \"$$\")", "\"a$b\"");
	assert_result(&run, "$trim(\"é  b\")", "\"é b\"");
	assert_result(&run, "$trim(\"\\té\")", "\"é\"");
}

static char *repeat(struct arena *arena, const char *text, size_t count)
{
	size_t len = strlen(text);
	char *out = arena_alloc(arena, count * len + 1);

	for (size_t i = 0; i < count; i++)
		memcpy(out + i * len, text, len);
	out[count * len] = '\0';
	return out;
}

static struct str wrap(struct arena *arena, const char *open, size_t count, const char *middle,
		       const char *close)
{
	return arena_format(arena, "%s%s%s", repeat(arena, open, count), middle,
			    repeat(arena, close, count));
}

static void limits_the_nesting_of_expressions(void **state)
{
	struct run run = run_with(state);
	struct json out;

	run.options.depth_max = 50;
	run.limits.depth_max = 1000;
	assert_true(evaluate(&run, wrap(run.arena, "(", 48, "1", ")").data, &out));
	assert_fault(&run, wrap(run.arena, "(", 51, "1", ")").data, "U1002");
	assert_fault(&run, wrap(run.arena, "[", 51, "1", "]").data, "U1002");
	assert_fault(&run, wrap(run.arena, "{\"a\":", 51, "1", "}").data, "U1002");
	assert_fault(&run, wrap(run.arena, "-", 60, "a", "").data, "U1002");
	assert_fault(&run, repeat(run.arena, "(", 60), "U1002");
}

static void limits_the_length_of_expressions(void **state)
{
	struct run run = run_with(state);
	struct json out;

	run.options.bytes_max = 100;
	assert_true(evaluate(&run, repeat(run.arena, " ", 99), &out) ||
		    strcmp(run.error.code, "S0207") == 0);
	assert_fault(&run, repeat(run.arena, "1", 101), "U1002");
	run.options.bytes_max = 0;
	assert_fault(&run, repeat(run.arena, " ", 48 * 1024 + 1), "U1002");
}

static void takes_utf8_alone(void **state)
{
	struct run run = run_with(state);

	assert_result(&run, "\"\xf0\x9d\x92\xb3\xed\xa0\x80\" = 1", "false");
	assert_fault(&run, "\"a\xff\"", "U1004");
	assert_fault(&run, "\"a\xc3", "U1004");
	assert_fault(&run, "\"\xc0\x80\"", "U1004");
	assert_fault(&run, "\"\xf5\x80\x80\x80\"", "U1004");
}

/* Long chains are no nesting. */
static void takes_long_chains(void **state)
{
	struct run run = run_with(state);

	run.input = parse(run.arena, "{\"a\": 1}");
	assert_result(&run, arena_format(run.arena, "a%s", repeat(run.arena, ".a", 20000)).data,
		      "undefined");
	assert_result(&run,
		      arena_format(run.arena, "$length(a%s)", repeat(run.arena, "&a", 20000)).data,
		      "20001");
	assert_result(&run, arena_format(run.arena, "a%s", repeat(run.arena, " and a", 8000)).data,
		      "true");
}

/* --- hostile expressions ------------------------------------------------------------------- */

static void survives_hostile_expressions(void **state)
{
	struct run run = run_with(state);
	static const struct {
		const char *text;
		const char *code;
	} hostile[] = {
		{"$map([1..1e9], function($x) { $x })", "D2014"},
		{"[1..9e6]", "D2015"},
		{"($f := function($n) { 1 + $f($n) }; $f(0))", "D1011"},
		{"($f := function($n) { $f($n) }; $f(0))", "U1001"},
		{"($f := function($s) { $f($s & $s) }; $f(\"ab\"))", "D2015"},
		{"($f := function($a) { $f($append($a, $a)) }; $f([1]))", "D2015"},
		{"$pad(\"x\", 3e8)", "D2015"},
		{"$pad(\"x\", 1e308)", "D2015"},
		{"($f := function($x, $n) { $n = 0 ? $x : $f([[$x]], $n - 1) }; $f(1, 10000))",
		 "D1011"},
		{"($f := function($x, $n) { $n = 0 ? $x : $f([[$x], [$x]], $n - 1) }; $f(1, 60))",
		 "U1001"},
		{"($f := function($x, $n) { $n = 0 ? $x : $f([[$x], [$x]], $n - 1) }; "
		 "$string($f(1, 60)))",
		 "U1001"},
		{"($f := function($x, $n) { $n = 0 ? $x : $f([[$x], [$x]], $n - 1) }; "
		 "$f(1, 60) = $f(1, 60))",
		 "U1001"},
		{"($f := function($x, $n) { $n = 0 ? $x : $f([[$x], [$x]], $n - 1) }; "
		 "$count($f(1, 60).**))",
		 "U1001"},
		{"$eval(\"($f := function($n) { $f($n) }; $f(0))\")", "U1001"},
		{"($f := function($s) { $eval($s) }; $f(\"$f(\\\"$f(1\\\")\"))", "D3121"},
		{"$formatInteger(1e300, \"I\")", "D2015"},
		{"$map([1..1000], function($x) { [1..1000] }) ~> $reduce($append) ~> $map($string) "
		 "~> "
		 "$join(\"\")",
		 "D1013"},
		{"$sort([1..3000], function($a, $b) { $count([1..1000]) > 0 })", "D1013"},
		{"($x := {\"a\": 1}; $f := function($o, $n) { $n = 0 ? $o : $f($merge([$o, "
		 "{$string($n): "
		 "$o}]), $n - 1) }; $string($f($x, 100)))",
		 "D1013"},
	};

	for (size_t i = 0; i < sizeof hostile / sizeof hostile[0]; i++) {
		struct json out;
		if (evaluate(&run, hostile[i].text, &out))
			fail_msg("%s was evaluated", hostile[i].text);
		/* Which budget ends it is not the point, that one does is. */
		static const char *const budgets[] = {"U1001", "D1011", "D1012",
						      "D1013", "D2014", "D2015"};
		bool is_budget = strcmp(run.error.code, hostile[i].code) == 0;
		for (size_t k = 0; k < sizeof budgets / sizeof budgets[0]; k++)
			is_budget |= strcmp(run.error.code, budgets[k]) == 0;
		if (!is_budget)
			fail_msg("%s: %s", hostile[i].text, run.error.code);
	}
}

/* What is sorted alone, before tuples are made of it. */
static void sorts_a_single_item(void **state)
{
	struct run run = run_with(state);

	run.input = parse(run.arena, "{\"o\": {\"a\": 5}, \"l\": [{\"a\": 5}]}");
	assert_result(&run, "o^(a).a@$x.$x", "5");
	assert_result(&run, "l^(a).a@$x.{\"x\": $x}", "{\"x\":5}");
}

static void sorts_a_sorted_list_in_few_steps(void **state)
{
	struct run run = run_with(state);

	run.limits.steps_max = 400000;
	assert_result(&run, "$count($sort([1..20000]))", "20000");
}

/* --- clock and chance ---------------------------------------------------------------------- */

static void asks_the_clock_once_an_evaluation(void **state)
{
	struct run run = run_with(state);

	assert_result(&run, "$now()", "\"2023-11-14T22:13:20.000Z\"");
	assert_result(&run, "$millis() = $toMillis($now())", "true");
	assert_result(&run, "$now(\"[Y]/[M]/[D] [H]:[m] [Z]\", \"+0130\")",
		      "\"2023/11/14 23:43 +01:30\"");
}

static void draws_from_the_given_chance(void **state)
{
	struct run run = run_with(state);

	assert_result(&run, "$random() ~> function($r) { $r >= 0 and $r < 1 }", "true");
	assert_result(&run, "$sort($shuffle([1..20])) = [1..20]", "true");
	seed.state = 7;
	assert_true(evaluate(&run, "$shuffle([1..9])", &run.input));
	struct json first = run.input;
	seed.state = 7;
	assert_true(evaluate(&run, "$shuffle([1..9])", &run.input));
	assert_true(json_equal(first, run.input));
}

/* --- values -------------------------------------------------------------------------------- */

static void keeps_big_integers_exact(void **state)
{
	struct run run = run_with(state);

	run.input = parse(run.arena, "{\"id\": 123456789012345678, \"big\": 12345678901234567890}");
	assert_result(&run, "id", "123456789012345678");
	assert_result(&run, "$string(id)", "\"123456789012345678\"");
	assert_result(&run, "\"c-\" & id", "\"c-123456789012345678\"");
	assert_result(&run, "big", "12345678901234567890");
	assert_result(&run, "$string(big)", "\"12345678901234567890\"");
	assert_result(&run, "id = 123456789012345678", "true");
	assert_result(&run, "$number(\"123456789012345678\")", "123456789012345678");
}

static void spells_numbers_as_javascript_does(void **state)
{
	struct run run = run_with(state);

	assert_result(&run, "$string(0.1 + 0.2)", "\"0.3\"");
	assert_result(&run, "0.1 + 0.2", "0.30000000000000004");
	assert_result(&run, "$string(1e21)", "\"1e+21\"");
	assert_result(&run, "$string(1e20)", "\"100000000000000000000\"");
	assert_result(&run, "$string(-0)", "\"0\"");
	assert_result(&run, "$string(1/3)", "\"0.333333333333333\"");
	assert_result(&run, "5 / 2 * 2", "5");
	assert_result(&run, "9007199254740992 + 1", "9007199254740992");
}

static void tells_undefined_from_null(void **state)
{
	struct run run = run_with(state);

	run.input = parse(run.arena, "{\"n\": null, \"e\": [], \"l\": [null]}");
	assert_result(&run, "missing", "undefined");
	assert_result(&run, "n", "null");
	assert_result(&run, "[n, missing]", "[null]");
	assert_result(&run, "{\"a\": n, \"b\": missing}", "{\"a\":null}");
	assert_result(&run, "n ?? 1", "null");
	assert_result(&run, "missing ?? 1", "1");
	assert_result(&run, "n ?: 1", "1");
	assert_result(&run, "e", "[]");
	assert_result(&run, "l", "[null]");
}

/* A fault's token is the literal itself, its position may be missing, and both come from the call
 * that the reference blames. */
static void blames_the_call_that_the_reference_blames(void **state)
{
	struct run run = run_with(state);

	assert_fault(&run, "[1 2]", "S0202");
	assert_true(json_equal(run.error.token, json_int(2)));
	assert_fault(&run, "{} ~> $uppercase", "T0410");
	assert_false(run.error.has_position);
	assert_true(json_equal(run.error.token, json_undefined()));
	assert_fault(&run, "%.a", "S0217");
	assert_false(run.error.has_position);
	assert_fault(&run, "true and 1 + \"a\"", "T2002");
	assert_int_equal(run.error.position, 8);
	assert_fault(&run, "(function($v){$v > 1} ~> $count)([])", "T2010");
	assert_int_equal(run.error.position, 39); /* of the chain's own text */
	assert_fault(&run, "($f := function(){$min(2, 3)}; $f())", "T0410");
	assert_int_equal(run.error.position, 22);
	/* What is no function was not called before. */
	assert_fault(&run, "$split(\"ab\", function($s) {{\"start\": 0}})", "T1006");
	assert_str(json_str(run.error.token), STR("split"));
}

/* := within $eval binds where $eval stands. */
static void binds_around_an_eval(void **state)
{
	struct run run = run_with(state);

	assert_result(&run, "($x := 1; $eval(\"$x := 5\"); $x)", "5");
	assert_result(&run, "($eval(\"$x := 5\"); $x)", "5");
	assert_result(&run, "($x := 1; ($eval(\"$x := 5\"); $x) + $x)", "6");
	assert_result(&run, "($eval(\"($x := 5)\"); $exists($x))", "false");
}

static void keeps_the_order_of_keys(void **state)
{
	struct run run = run_with(state);

	run.input = parse(run.arena, "{\"z\": 1, \"a\": 2, \"2\": 3, \"1\": 4}");
	/* What goes through is as it was; what is gone through is in JavaScript's order. */
	assert_result(&run, "$", "{\"z\": 1, \"a\": 2, \"2\": 3, \"1\": 4}");
	assert_result(&run, "$keys($)", "[\"1\",\"2\",\"z\",\"a\"]");
	assert_result(&run, "*", "[4,3,1,2]");
	assert_result(&run, "$each($, function($v) { $v })", "[4,3,1,2]");
	assert_result(&run, "$keys({\"01\": 1, \"4294967295\": 2, \"0\": 3})",
		      "[\"0\",\"01\",\"4294967295\"]");
	assert_result(&run, "$merge([{\"z\": 1, \"a\": 2}, {\"z\": 3}])", "{\"z\":3,\"a\":2}");
}

/* A result is a plain value: fed back, it behaves as if it had been read. */
static void gives_results_that_can_be_fed_back(void **state)
{
	struct run run = run_with(state);

	run.input = parse(run.arena, "[{\"a\": 1}]");
	assert_true(evaluate(&run, "a[]", &run.input));
	assert_result(&run, "$", "[1]");
	assert_result(&run, "$count($)", "1");
	run.input = parse(run.arena, "[{\"a\": 1}]");
	assert_true(evaluate(&run, "{\"l\": a[]}", &run.input));
	assert_result(&run, "l", "[1]");
}

/* Containers that were read remember their text; a transformation that takes some in from the
 * document must not mistake its own copies for them. */
static void transforms_with_parts_of_the_document(void **state)
{
	struct run run = run_with(state);

	run.input = parse(run.arena, "{\"a\": {\"b\": 1}, \"l\": [ 7 ], \"o\": { \"p\" : 2 }}");
	assert_result(
		&run, "$ ~> |a|{\"z\": $$.l, \"y\": $$.o}|",
		"{\"a\":{\"b\":1,\"z\":[ 7 ],\"y\":{ \"p\" : 2 }},\"l\":[7],\"o\":{\"p\":2}}");
}

/* A match within another match is changed, too, even though the outer one is another object then. */
static void transforms_matches_within_matches(void **state)
{
	struct run run = run_with(state);

	run.input = parse(run.arena,
			  "{\"a\": {\"h\": 1, \"k\": {\"h\": 2, \"a\": [{\"h\": 3}]}}}");
	assert_result(&run, "$ ~> |**[$exists(h)]|{\"n\": h}, \"h\"|",
		      "{\"a\":{\"k\":{\"a\":[{\"n\":3}],\"n\":2},\"n\":1}}");
	assert_result(&run, "$ ~> |a|{\"k\": k}| ~> |**[h = 2]|{}, [\"a\", \"h\"]|",
		      "{\"a\":{\"h\":1,\"k\":{}}}");
}

static void transforms_by_the_clone_in_scope(void **state)
{
	struct run run = run_with(state);

	run.input = parse(run.arena, "{\"a\": {\"b\": 1}}");
	assert_fault(&run, "($clone := 5; $ ~> |a|{\"c\": 2}|)", "T2013");
	assert_result(&run, "($clone := function($x) { {\"a\": {}} }; $ ~> |a|{\"c\": 2}|)",
		      "{\"a\":{\"c\":2}}");
	assert_result(&run, "($clone := function($x) { $x }; [$ ~> |a|{\"c\": 2}|, a.c])",
		      "[{\"a\":{\"b\":1,\"c\":2}}]");
}

/* --- for connectors ------------------------------------------------------------------------ */

static void tells_the_fields_it_reads(void **state)
{
	struct run run = run_with(state);
	size_t count;
	const struct jsonata *expression = jsonata_compile(
		run.arena, STR("name & owner.first_name ~> $f(`e mail`[kind = \"x\"])"), NULL,
		&run.error);
	static const char *const names[] = {"name", "owner", "first_name", "e mail", "kind"};

	assert_non_null(expression);
	const struct str *fields = jsonata_input_fields(expression, &count);
	assert_int_equal(count, 5);
	for (size_t i = 0; i < count; i++)
		assert_true(str_equal_c(fields[i], names[i]));
}

static void explains_itself(void **state)
{
	struct run run = run_with(state);
	struct buffer out;
	const struct jsonata *expression =
		jsonata_compile(run.arena, STR("a.b[c > 1] & $string(d)"), NULL, &run.error);

	buffer_init(&out, run.arena, 4096);
	jsonata_explain(expression, &out);
	assert_true(str_equal_c(buffer_str(&out), "chain &\n"
						  "  path\n"
						  "    name a\n"
						  "    name b\n"
						  "      binary >\n"
						  "        field c\n"
						  "        literal 1\n"
						  "  call string (builtin)\n"
						  "    field d\n"));
}

/* The compiled form of an expression, as text. */
static struct str explained(struct run *run, const char *text)
{
	struct buffer out;
	const struct jsonata *expression =
		jsonata_compile(run->arena, str_from_c(text), NULL, &run->error);

	assert_non_null(expression);
	buffer_init(&out, run->arena, 4096);
	jsonata_explain(expression, &out);
	return buffer_str(&out);
}

static void works_out_constants_once(void **state)
{
	struct run run = run_with(state);
	static const char *const cases[][2] = {
		{"1 + 2 * 3", "literal 7\n"},
		{"\"a\" & 1 & $uppercase(\"b\")", "literal \"a1B\"\n"},
		{"(2 > 1) and $not(false)", "literal true\n"},
		{"-($length(\"abc\"))", "literal -3\n"},
		{"1 = 1 ? $round(2.346, 2) : 0", "literal 2.35\n"},
		{"a[1 + 1]", "path\n  name a\n    literal 2\n"},
		/* the branch that is left */
		{"1 = 2 ? a : b", "condition\n  literal false\n  field b\n"},
		/* a table that is only looked into */
		{"$lookup({\"a\": 1, \"b\": \"x\"}, c)",
		 "call lookup (builtin)\n  literal {\"a\":1,\"b\":\"x\"}\n  field c\n"},
		/* not what fails, what is no number, what a context might complete */
		{"1 / 0", "binary /\n  literal 1\n  literal 0\n"},
		{"\"a\" + 1", "binary +\n  literal \"a\"\n  literal 1\n"},
		{"$number(\"x\")", "call number (builtin)\n  literal \"x\"\n"},
		{"$contains(\"x\")", "call contains (builtin)\n  literal \"x\"\n"},
		{"$pad(\"x\", 9)", "call pad (builtin)\n  literal \"x\"\n  literal 9\n"},
	};

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct str got = explained(&run, cases[i][0]);
		if (!str_equal_c(got, cases[i][1]))
			fail_msg("%s: %.*s", cases[i][0], STR_ARGS(got));
	}
}

static void keeps_the_meaning_of_constants(void **state)
{
	struct run run = run_with(state);

	/* An error comes only where it is evaluated. */
	assert_result(&run, "false and 1/0 = \"a\" + 1 ? 1 : 2", "2");
	assert_fault(&run, "true ? \"a\" + 1", "T2001");
	assert_result(&run, "[\"a\", \"c\"].$lookup({\"a\": 1, \"b\": null}, $)", "1");
	assert_result(&run, "$lookup({\"a\": 1, \"b\": null}, \"b\")", "null");
	assert_result(&run, "$lookup({\"a\": x, \"b\": 2}, \"b\")", "2");
	assert_fault(&run, "$lookup({\"a\": 1, \"a\": 2}, \"a\")", "D1009");
	/* Objects are themselves alone. */
	assert_result(&run, "($f := function() { {\"a\": 1} }; $f() in [$f()])", "false");
	/* A name may mean something else. */
	assert_result(&run, "($lookup := function($x, $k) {$x}; $lookup({\"a\": 1}, 0))",
		      "{\"a\":1}");
	assert_result(&run, "($length := function($x) {7}; $length(\"a\"))", "7");
	/* What is flattened goes by the spelling. */
	assert_result(&run, "[true ? [1, 2] : 3]", "[1,2]");
	assert_result(&run, "[1..2].(1 + 1)", "[2,2]");
	assert_result(&run, "[[1], [2]][0 + 0]", "[1]");
}

static bool read_shared(struct arena *arena, const char *name, struct str *out)
{
	const char *shared = getenv("TENON_SHARED");
	struct str path =
		arena_format(arena, "%s/jsonata-bench/%s%c", shared == NULL ? "" : shared, name, 0);
	FILE *file = fopen(path.data, "rb");

	if (file == NULL)
		return false;
	char *data = arena_alloc(arena, 1 << 20);
	*out = str_make(data, fread(data, 1, 1 << 20, file));
	fclose(file);
	return true;
}

static void assert_mapping(struct run *run, const char *mapping, const char *input,
			   const char *expected)
{
	struct str text = {0}, document = {0}, wanted = {0};
	struct json out;

	if (!read_shared(run->arena, mapping, &text) ||
	    !read_shared(run->arena, input, &document) ||
	    !read_shared(run->arena, expected, &wanted))
		skip();
	run->input = parse_str(run->arena, document);
	text = str_make(arena_c(run->arena, text), text.len);
	if (!evaluate(run, text.data, &out))
		fail_msg("%s: %.*s", run->error.code, STR_ARGS(run->error.message));
	assert_true(json_equal(out, parse_str(run->arena, wanted)));
}

static void maps_a_record_as_the_reference_does(void **state)
{
	struct run run = run_with(state);

	assert_mapping(&run, "mapping.jsonata", "record.json", "expected-record.json");
	assert_mapping(&run, "mapping-list.jsonata", "page100.json", "expected-page100.json");
}

/* --- the stack of a fiber ------------------------------------------------------------------ */

static uintptr_t stack_top, stack_deepest;

static bool here(void *context, struct arena *arena, const struct json *arguments, struct json *out,
		 struct jsonata_error *error)
{
	uintptr_t at = (uintptr_t)__builtin_frame_address(0);

	(void)context, (void)arena, (void)error;
	if (at < stack_deepest)
		stack_deepest = at;
	*out = arguments[0];
	return true;
}

/* Recursions of all kinds, each as deep as the depth allows. */
static const char *const deep[] = {
	"($f := function($n) { 1 + $f($here($n)) }; $f(0))",
	"($f := function($n) { $map([$here($n)], $f) }; $f(0))",
	"($f := function($n) { [$map([$here($n)], $f)] }; $f(0))",
	"($f := function($n) { {\"a\": [$filter([$here($n)], $f)]}.a[0] }; $f(0))",
	"($f := function($n) { [$here($n)].($f($)) }; $f(0))",
	"($f := function($n) { {\"a\": $here($n)}.{\"b\": $f(a)} }; $f(0))",
	"($f := function($n) { [$here($n)][$f($)] }; $f(0))",
	"($f := function($n) { [1, 2]^($f($here($n))) }; $f(0))",
	"($f := function($n) { $here({\"a\": $n}) ~> |$|{\"b\": $f($n)}| }; $f(0))",
	"($f := function($n) { $replace(\"a\", /a/, function($m) { $f($here($n)) }) }; $f(0))",
	"($f := function($n) { $eval(\"1 + $f($here(0))\") }; $f(0))",
	"($f := function($n)<n:n> { 1 + $f($here($n)) }; $f(0))",
	"($f := function($n) { ($g := $f(?); 1 + $g($here($n))) }; $f(0))",
	"($f := function($n) { ($g := $here ~> $f; [$g(1)]) }; $f(0))",
	"($f := function($n) { $reduce([1, $here($n)], function($a, $b) { $f($b) }) }; $f(0))",
	"($f := function($n) { $sift({\"a\": $here($n)}, $f) }; $f(0))",
	"($f := function($n) { {\"a\": [$here(1), 2]}.a@$x.(%.$f(1)) }; $f(0))",
	"($f := function($n) { [{\"a\": 1}].a#$i[$f($here($i))] }; $f(0))",
	"($f := function($n) { $sort([1, 2], function($a, $b) { $f($here($a)) }) }; $f(0))",
};

struct fiber_work {
	struct arena *arena;
	size_t index;
};

static void recurse(void *context)
{
	static const struct jsonata_native native = {"here", 1, here};
	struct fiber_work *work = context;
	void *state = work->arena;
	struct run run = run_with(&state);
	struct json out;

	stack_top = stack_deepest = (uintptr_t)__builtin_frame_address(0);
	run.options = (struct jsonata_options){.natives = &native, .native_count = 1};
	evaluate(&run, deep[work->index], &out);
}

static void fits_the_stack_of_a_fiber(void **state)
{
	struct fiber_pool pool;

	/* Sanitizers make frames many times as large. */
	fiber_pool_init(&pool, HAS_SANITIZER ? 8 << 20 : 0);
	for (size_t i = 0; i < sizeof deep / sizeof deep[0]; i++) {
		struct fiber_work work = {.arena = *state, .index = i};
		fiber_resume(fiber_create(&pool, recurse, &work));
		if (!HAS_SANITIZER && stack_top - stack_deepest > 160 * 1024)
			fail_msg("%s takes %zu bytes", deep[i],
				 (size_t)(stack_top - stack_deepest));
		if (getenv("JSONATA_STACK_PRINT") != NULL)
			printf("%7zu %s\n", (size_t)(stack_top - stack_deepest), deep[i]);
	}
	fiber_pool_finish(&pool);
}

static void compile_deep(void *context)
{
	struct fiber_work *work = context;
	void *state = work->arena;
	struct run run = run_with(&state);
	struct json out;

	evaluate(&run, wrap(work->arena, "(", 198, "1", ")").data, &out);
	evaluate(&run, wrap(work->arena, "[", 198, "1", "]").data, &out);
	evaluate(&run, wrap(work->arena, "{\"a\":", 198, "1", "}").data, &out);
	evaluate(&run, wrap(work->arena, "function($x){", 198, "1", "}").data, &out);
	evaluate(&run, wrap(work->arena, "$f(", 198, "1", ")").data, &out);
	evaluate(&run, wrap(work->arena, "a[", 198, "1", "]").data, &out);
	evaluate(&run, wrap(work->arena, "|a|{}|~>", 60, "1", "").data, &out);
	evaluate(&run, wrap(work->arena, "a?1:", 198, "1", "").data, &out);
	evaluate(&run, wrap(work->arena, "a.(", 198, "%", ")").data, &out);
}

static void compiles_within_the_stack_of_a_fiber(void **state)
{
	struct fiber_pool pool;
	struct fiber_work work = {.arena = *state};

	fiber_pool_init(&pool, HAS_SANITIZER ? 8 << 20 : 0);
	fiber_resume(fiber_create(&pool, compile_deep, &work));
	fiber_pool_finish(&pool);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, arena_setup, arena_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(says_where_an_expression_is_wrong),
		TEST(says_where_an_evaluation_failed),
		TEST(turns_a_fault_into_an_error),
		TEST(calls_the_functions_of_the_host),
		TEST(finds_members_wherever_they_are),
		TEST(binds_the_variables_of_the_host),
		TEST(holds_every_budget_at_its_limit),
		TEST(holds_tries_time_and_texts_at_their_limits),
		TEST(holds_results_at_their_limit),
		TEST(sequence_max_is_exact),
		TEST(ends_in_time),
		TEST(holds_regular_expressions),
		TEST(limits_the_nesting_of_expressions),
		TEST(limits_the_length_of_expressions),
		TEST(takes_utf8_alone),
		TEST(takes_long_chains),
		TEST(survives_hostile_expressions),
		TEST(sorts_a_single_item),
		TEST(sorts_a_sorted_list_in_few_steps),
		TEST(asks_the_clock_once_an_evaluation),
		TEST(draws_from_the_given_chance),
		TEST(keeps_big_integers_exact),
		TEST(spells_numbers_as_javascript_does),
		TEST(tells_undefined_from_null),
		TEST(keeps_the_order_of_keys),
		TEST(blames_the_call_that_the_reference_blames),
		TEST(binds_around_an_eval),
		TEST(gives_results_that_can_be_fed_back),
		TEST(transforms_with_parts_of_the_document),
		TEST(transforms_matches_within_matches),
		TEST(transforms_by_the_clone_in_scope),
		TEST(tells_the_fields_it_reads),
		TEST(explains_itself),
		TEST(works_out_constants_once),
		TEST(keeps_the_meaning_of_constants),
		TEST(maps_a_record_as_the_reference_does),
		TEST(fits_the_stack_of_a_fiber),
		TEST(compiles_within_the_stack_of_a_fiber),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
