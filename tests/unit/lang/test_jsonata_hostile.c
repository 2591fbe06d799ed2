/* Hostile expressions on the default limits: each ends within the memory that an expression may
 * have, whatever its text; the steps, which bound its time, are those of the limits. What they cost
 * in time `bench/run hostile` tells. Besides: keys and texts chosen to be dear, and the stack. */
#include "json_testing.h"

#include "base/fiber.h"
#include "jsonata_hostile.h"

enum { MEMORY_MAX = 16 * 1024 * 1024, STEPS_FEW = 100000 };

static bool evaluate(struct arena *arena, struct str text, uint64_t steps_max, struct json input,
		     struct json *out, struct jsonata_error *error)
{
	struct jsonata_limits limits = jsonata_limits_default;
	struct jsonata_context context = {
		.arena = arena, .limits = &limits, .random = random_system()};
	const struct jsonata *expression = jsonata_compile(arena, text, NULL, error);

	*out = json_undefined();
	limits.steps_max = steps_max;
	return expression != NULL && jsonata_evaluate(expression, &context, input, out, error);
}

/* By itself or by a fault of its own, but within its memory. */
static void check(const struct hostile *hostile)
{
	struct jsonata_error error = {.code = ""};
	struct arena texts, arena;
	struct json out;

	arena_init(&texts, SIZE_MAX);
	arena_init(&arena, SIZE_MAX);
	bool ok = evaluate(&arena, hostile_text(&texts, hostile), jsonata_limits_default.steps_max,
			   json_undefined(), &out, &error);

	if (!ok && (error.code[0] == '\0' || error.message.len == 0))
		fail_msg("%s failed without saying why", hostile->name);
	if (arena.bytes > MEMORY_MAX)
		fail_msg("%s took %zu bytes (%s)", hostile->name, arena.bytes, error.code);
	arena_finish(&arena);
	arena_finish(&texts);
}

static void stays_within_its_memory(void **state)
{
	(void)state;
	for (size_t i = 0; i < HOSTILE_COUNT; i++)
		check(&hostile_expressions[i]);
}

/* --- in a fiber ---------------------------------------------------------------------------- */

static void run_all(void *context)
{
	(void)context;
	for (size_t i = 0; i < HOSTILE_COUNT; i++)
		if (hostile_expressions[i].count > 0)
			check(&hostile_expressions[i]);
}

/* On the stack that a request has: 256 KiB and a guard page behind. */
static void fits_the_stack_of_a_fiber(void **state)
{
	struct fiber_pool pool;

	(void)state;
	fiber_pool_init(&pool, 0);
	fiber_resume(fiber_create(&pool, run_all, NULL));
	assert_int_equal(pool.alive, 0);
	fiber_pool_finish(&pool);
}

/* --- chosen keys --------------------------------------------------------------------------- */

enum { KEYS = 4000 };

/* Keys with one hash: of keys of 17 bytes the one in the middle is not looked at, so two bytes
 * there make as many as are wanted. */
static struct json colliding(struct arena *arena, size_t count)
{
	struct json_builder object;

	json_builder_init(&object, arena);
	for (size_t i = 0; i < count; i++) {
		struct str key = arena_format(arena, "aaaaaaaa%06zubbbbbbbb", i);
		json_builder_set(&object, key, json_int((int64_t)i));
	}
	return json_builder_object(&object);
}

static void assert_ends(struct arena *arena, const char *text, struct json input)
{
	struct jsonata_error error = {.code = ""};
	struct json out;

	if (!evaluate(arena, str_from_c(text), STEPS_FEW, input, &out, &error))
		assert_true(strcmp(error.code, "U1001") == 0 || strcmp(error.code, "D1013") == 0);
}

static void bounds_keys_of_one_hash(void **state)
{
	struct arena *arena = *state;
	struct json object = colliding(arena, KEYS);

	assert_int_equal(object.members[0].key_hash, object.members[KEYS - 1].key_hash);
	assert_ends(arena, "$merge([$, $])", object);
	assert_ends(arena, "$keys([$, $])", object);
	assert_ends(arena, "$keys($){$: 1}", object);
	assert_ends(arena, "$distinct($keys($))", object);
	assert_ends(arena, "$ = $merge($reverse($spread($)))", object);
	assert_ends(arena, "$keys($).$lookup($$, $)", object);
	assert_ends(arena, "$sift($, function($v, $k) { $lookup($$, $k) = $v })", object);
}

static void costs_steps_to_find_keys_of_one_hash(void **state)
{
	struct arena *arena = *state;
	struct jsonata_error error = {.code = ""};
	struct json out;

	assert_false(evaluate(arena, STR("$merge([$, $])"), STEPS_FEW, colliding(arena, KEYS), &out,
			      &error));
	assert_string_equal(error.code, "U1001");
	assert_true(evaluate(arena, STR("$count($keys($merge([$, $])))"), STEPS_FEW,
			     colliding(arena, 100), &out, &error));
	assert_int_equal(out.integer, 100);
}

/* --- work that is no node ------------------------------------------------------------------ */

/* Long texts and lists are paid for, so that a loop around them has its end. */
static void charges_for_what_builtins_walk_over(void **state)
{
	struct arena *arena = *state;
	static const char *const loops[] = {
		"$length($t)",
		"$substring($t, 5, 1)",
		"$substringBefore($t, \"x\")",
		"$substringAfter($t, \"x\")",
		"$contains($t, \"x\")",
		"$lowercase($t)",
		"($t = $u)",
		"($t < $u)",
		"($l = $m)",
		"$sum($l)",
		"$max($l)",
		"($o.nothing)",
		"$lookup($o, \"nothing\")",
		"$count($l[$l])",
		"$number($d)",
		"$parseInteger($d, \"0\")",
	};

	for (size_t i = 0; i < sizeof loops / sizeof loops[0]; i++) {
		struct jsonata_error error = {.code = ""};
		struct json out;
		struct str text = arena_format(
			arena,
			"($t := $pad(\"\", 50000, \"\xc3\xa4\"); $u := $t & \"\"; $d := $pad(\"\", "
			"30000, \"1\"); $l := [1..20000]; $m := [1..20000]; $o := "
			"$merge([1..9000].{\"k\" & $: 1}); $count([1..3000].(%s; 1)))",
			loops[i]);
		if (evaluate(arena, text, STEPS_FEW, json_undefined(), &out, &error))
			fail_msg("%s costs too little", loops[i]);
		if (strcmp(error.code, "U1001") != 0 && strcmp(error.code, "D1013") != 0 &&
		    strcmp(error.code, "D3030") != 0)
			fail_msg("%s: %s", loops[i], error.code);
	}
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, arena_setup, arena_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(stays_within_its_memory),
		TEST(fits_the_stack_of_a_fiber),
		TEST(bounds_keys_of_one_hash),
		TEST(costs_steps_to_find_keys_of_one_hash),
		TEST(charges_for_what_builtins_walk_over),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
