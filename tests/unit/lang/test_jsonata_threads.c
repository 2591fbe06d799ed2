/* One compiled expression, evaluated by twelve threads at once: each gets the same answer. Built
 * and run under ThreadSanitizer as well (`make tsan`), which sees what no answer shows. */
#include "json_testing.h"

#include <pthread.h>

#include "lang/jsonata/jsonata.h"

enum { THREADS = 12, TURNS = 40 };

/* All that a compiled expression shares: constants, names, regular expressions, pictures,
 * lambdas, builtins as values, natives, and what $eval compiles beside it. */
static const char text[] =
	"($double := function($x)<n:n> { $x * $factor };"
	" $fact := function($n) { $n < 2 ? 1 : $n * $fact($n - 1) };"
	" $loop := function($n, $sum) { $n = 0 ? $sum : $loop($n - 1, $sum + $n) };"
	" {"
	"  \"names\": $map(people.name, $uppercase) ~> $join(\", \"),"
	"  \"first\": people.name.$match(/([a-z]+) ?(\\w*)/i).groups[0],"
	"  \"masked\": $replace(people[0].mail, /(\\w)\\w*@/, \"$1*@\"),"
	"  \"computed\": $replace(\"a1b22\", /[0-9]+/, function($m) { \"<\" & $m.match & \">\" }),"
	"  \"parts\": $split(\"a, b;c\", /[,;] ?/),"
	"  \"when\": people.$fromMillis($toMillis(since), \"[D1o] [MNn] [Y0001] [H01]:[m01]\"),"
	"  \"parsed\": $toMillis(\"12 March 2018\", \"[D] [MNn] [Y]\"),"
	"  \"pay\": people.$formatNumber(pay, \"#,##0.00\"),"
	"  \"words\": $formatInteger(1994, \"w\") & $formatInteger(1994, \"I\"),"
	"  \"doubled\": people.$double(pay),"
	"  \"fact\": $fact(10), \"loop\": $loop(100, 0),"
	"  \"native\": people.$twice(name),"
	"  \"eval\": $eval(\"people^(>pay).(name & /b/(name).match)\"),"
	"  \"grouped\": people{team: $sum(pay)},"
	"  \"sorted\": people^(>pay, name).name,"
	"  \"tuples\": people@$p#$i.skills.{\"n\": $p.name, \"i\": $i, \"s\": $},"
	"  \"parent\": people.skills.(%.name & \":\" & $),"
	"  \"changed\": $ ~> |people|{\"pay\": pay + 1}, [\"mail\"]|,"
	"  \"partial\": $map([1..3], $append(?, 7)),"
	"  \"composed\": (\"  x y \" ~> $trim ~> $uppercase),"
	"  \"now\": $now() = $now() and $type($millis()) = \"number\","
	"  \"chance\": $random() < 1"
	" })";

static const char document[] =
	"{\"people\":[{\"name\":\"Bob Ray\",\"mail\":\"bob@example.org\",\"team\":\"a\","
	"\"pay\":1234.5,\"since\":\"2018-03-12T10:11:12.000Z\",\"skills\":[\"c\",\"sql\"]},"
	"{\"name\":\"Ann\",\"mail\":\"ann@example.org\",\"team\":\"b\",\"pay\":99,"
	"\"since\":\"2020-01-01T00:00:00.000Z\",\"skills\":[\"go\"]},"
	"{\"name\":\"Zo\\u00eb\",\"mail\":\"z@example.org\",\"team\":\"a\",\"pay\":7,"
	"\"since\":\"1999-12-31T23:59:59.000Z\",\"skills\":[]}]}";

/* What the threads share, and may only read. */
struct shared {
	const struct jsonata *expression;
	struct json input;
	struct json variables[1];
	struct str wanted;
	pthread_barrier_t start;
};

static bool twice(void *context, struct arena *arena, const struct json *arguments,
		  struct json *out, struct jsonata_error *error)
{
	(void)context, (void)error;
	struct str s = json_str(arguments[0]);

	*out = json_string(arena_format(arena, "%.*s%.*s", STR_ARGS(s), STR_ARGS(s)));
	return true;
}

static struct str evaluate(struct arena *arena, const struct shared *shared)
{
	struct jsonata_context context = {.arena = arena,
					  .limits = &jsonata_limits_default,
					  .variables = shared->variables,
					  .clock = clock_system(),
					  .random = random_system()};
	struct jsonata_error error;
	struct buffer out;
	struct json value;

	if (!jsonata_evaluate(shared->expression, &context, shared->input, &value, &error))
		die("%s at %zu: %.*s", error.code, error.position, STR_ARGS(error.message));
	buffer_init(&out, arena, 1024 * 1024);
	json_print(&out, value);
	return buffer_str(&out);
}

static void *work(void *context)
{
	struct shared *shared = context;
	uintptr_t wrong = 0;

	pthread_barrier_wait(&shared->start);
	for (int i = 0; i < TURNS; i++) {
		struct arena arena;
		arena_init(&arena, 64 * 1024 * 1024);
		wrong += !str_equal(evaluate(&arena, shared), shared->wanted);
		arena_finish(&arena);
	}
	return (void *)wrong;
}

static void answers_the_same_to_twelve_threads(void **state)
{
	struct arena *arena = *state;
	static const struct jsonata_native natives[] = {{"twice", 1, twice}};
	struct str name = STR("factor");
	struct jsonata_options options = {
		.natives = natives, .native_count = 1, .variables = &name, .variable_count = 1};
	struct jsonata_error error;
	struct shared shared = {.variables = {json_int(2)}, .input = parse(arena, document)};
	pthread_t threads[THREADS];

	shared.expression = jsonata_compile(arena, str_from_c(text), &options, &error);
	if (shared.expression == NULL)
		fail_msg("%s at %zu: %.*s", error.code, error.position, STR_ARGS(error.message));
	shared.wanted = evaluate(arena, &shared);
	assert_true(shared.wanted.len > 800);
	pthread_barrier_init(&shared.start, NULL, THREADS);
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, work, &shared), 0);
	for (int i = 0; i < THREADS; i++) {
		void *wrong;
		assert_int_equal(pthread_join(threads[i], &wrong), 0);
		assert_null(wrong);
	}
	pthread_barrier_destroy(&shared.start);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(answers_the_same_to_twelve_threads, arena_setup,
						arena_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
