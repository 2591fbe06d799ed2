/* Two programs on one disk, of which one only seems to be dead: it sleeps in the middle of whatever
 * it was at, the other takes its runs over, and it wakes up with its old fence. What it does then
 * is refused: a run's progress never goes back, and nobody reads on in a run that has gone. */
#include "simulation.h"

static const char *const resources[] = {"candidates", "applications"};
enum { RESOURCES = sizeof resources / sizeof resources[0] };

/* The furthest that was seen of the latest run of each. */
static struct {
	int64_t number, records, calls;
	bool is_over;
} seen[RESOURCES];

static void look_at(struct world *world, size_t i)
{
	struct arena arena;
	size_t count;

	arena_init(&arena, 16 * MIB);
	const struct sync_run *run =
		jobs_runs(world, &arena, jobs_find(world, &arena, resources[i]), &count);
	if (count > 0 && run->number == seen[i].number &&
	    (run->records < seen[i].records || run->calls < seen[i].calls ||
	     (seen[i].is_over && run->ended_ms == 0)))
		broken("run %lld of %s goes back: %lld records after %lld, %lld calls after %lld",
		       (long long)run->number, resources[i], (long long)run->records,
		       (long long)seen[i].records, (long long)run->calls,
		       (long long)seen[i].calls);
	if (count > 0 && run->number < seen[i].number)
		broken("run %lld of %s comes after %lld", (long long)run->number, resources[i],
		       (long long)seen[i].number);
	if (count > 0) {
		seen[i].number = run->number;
		seen[i].records = run->records;
		seen[i].calls = run->calls;
		seen[i].is_over = run->ended_ms > 0;
	}
	arena_finish(&arena);
}

static void watch(void *context)
{
	struct world *world = context;
	struct sync_job wanted;

	for (size_t i = 0; i < RESOURCES; i++) {
		sync_job_init(&wanted);
		wanted.interval_ms = 10000;
		wanted.mode = SYNC_FULL;
		wanted.tells_first = true;
		jobs_make(world, &wanted, resources[i]);
	}
	while (!world->is_calm && !world->network.is_dead) {
		for (size_t i = 0; i < RESOURCES; i++)
			look_at(world, i);
		loop_sleep_ms(300);
	}
}

static void begin(struct world *world)
{
	world->has_two_programs = true;
	world->nap_ms = between(&world->chance, 1000, 15000);
	world->network.weather.latency_ms = between(&world->chance, 20, 500);
	world->page_records = between(&world->chance, 2, 6);
	world->kills_left = chance(&world->chance, 2) ? 0 : (uint64_t)between(&world->chance, 1, 3);
	world->life.gap_ms = between(&world->chance, 2000, 20000);
}

static void start(struct world *world)
{
	jobs_start_runners(world);
	loop_spawn(world->program->loop, watch, world);
	loop_spawn(world->program->loop, jobs_watch_deletions, world);
}

static void finish(struct world *world)
{
	loop_sleep_ms(1000);
	for (size_t i = 0; i < RESOURCES; i++)
		for (int k = 0; k < 2; k++)
			jobs_run(world, resources[i],
				 SYNC_WISH_RUN | SYNC_WISH_FULL | SYNC_WISH_DELETIONS);
	for (size_t i = 0; i < RESOURCES; i++)
		jobs_check(world, resources[i]);
}

const struct scenario scenario_sleepers = {
	.name = "sleepers",
	.storm_s = 300,
	.share = 40,
	.begin = begin,
	.start = start,
	.finish = finish,
};
