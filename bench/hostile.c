/* What hostile expressions cost on the default limits: the CPU time and the memory of compiling and
 * evaluating each, and how it ended. bench_hostile [-a] [NAME-PART]; without -a the dearest only.
 */
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "tests/unit/lang/jsonata_hostile.h"

enum { TURNS = 3, SHOWN = 12 };

struct cost {
	const char *name;
	double ms;
	double mb;
	char code[8];
};

static double ms_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

static double evaluate(struct arena *arena, struct str text, char code[8])
{
	struct jsonata_context context = {.arena = arena,
					  .limits = &jsonata_limits_default,
					  .clock = clock_system(),
					  .random = random_system()};
	struct jsonata_error error = {.code = ""};
	struct json out;
	double start = ms_now();
	const struct jsonata *expression = jsonata_compile(arena, text, NULL, &error);

	if (expression == NULL ||
	    !jsonata_evaluate(expression, &context, json_undefined(), &out, &error))
		memcpy(code, error.code, sizeof error.code);
	return ms_now() - start;
}

/* The least time of some turns, for the machine has other things to do, too. */
static struct cost measure(const struct hostile *hostile)
{
	struct cost cost = {.name = hostile->name, .ms = 1e9, .code = "value"};
	struct arena texts, arena;

	arena_init(&texts, SIZE_MAX);
	struct str text = hostile_text(&texts, hostile);

	for (int i = 0; i < TURNS; i++) {
		arena_init(&arena, SIZE_MAX);
		double ms = evaluate(&arena, text, cost.code);
		if (ms < cost.ms)
			cost.ms = ms;
		cost.mb = (double)arena.bytes / 1048576;
		arena_finish(&arena);
	}
	arena_finish(&texts);
	return cost;
}

static int compare_ms(const void *a, const void *b)
{
	const struct cost *x = a, *y = b;

	return (x->ms < y->ms) - (x->ms > y->ms);
}

static void show(const struct cost *cost)
{
	printf("%-24s %9.2f ms %8.2f MB  %s\n", cost->name, cost->ms, cost->mb, cost->code);
}

int main(int count, char **arguments)
{
	static struct cost costs[HOSTILE_COUNT];
	bool shows_all = count > 1 && strcmp(arguments[1], "-a") == 0;
	const char *part = count > 1 + shows_all ? arguments[1 + shows_all] : "";
	size_t measured = 0;
	double mb = 0;

	for (size_t i = 0; i < HOSTILE_COUNT; i++) {
		if (strstr(hostile_expressions[i].name, part) == NULL)
			continue;
		costs[measured] = measure(&hostile_expressions[i]);
		mb = costs[measured].mb > mb ? costs[measured].mb : mb;
		measured++;
	}
	qsort(costs, measured, sizeof *costs, compare_ms);
	for (size_t i = 0; i < measured && (shows_all || i < SHOWN); i++)
		show(&costs[i]);
	printf("hostile: %zu expressions, at most %.2f ms and %.2f MB\n", measured,
	       measured > 0 ? costs[0].ms : 0, mb);
	return measured == 0;
}
