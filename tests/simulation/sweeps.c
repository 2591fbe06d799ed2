/* Full runs, one after another, in small pages, by programs that live for seconds only. Nobody who
 * lives is ever told to be deleted, whether a list has passed over them or a run was begun by one
 * program and ended by another; and in a list that passes over nobody, nobody is asked for who is
 * in it. */
#include "simulation.h"

static const char *const resources[] = {"candidates", "applications", "tags"};
enum { RESOURCES = sizeof resources / sizeof resources[0] };

static bool passes_over;

/* By its id alone. */
static int64_t read_id(struct str target)
{
	ptrdiff_t at = str_find(target, STR("/candidates/"));
	int64_t id;

	return at >= 0 && str_to_int64(str_slice(target, (size_t)at + strlen("/candidates/"),
						 target.len), &id)
		       ? id
		       : 0;
}

static void look_at_call(struct world *world, const struct http_exchange *exchange)
{
	int64_t id = read_id(exchange->path);
	struct arena arena;

	if (passes_over || world->is_calm || id == 0)
		return;
	arena_init(&arena, KIB);
	if (ats_has(world, "candidates", arena_format(&arena, "%lld", (long long)id)))
		broken("candidate %lld is asked for, who is in the list", (long long)id);
	arena_finish(&arena);
}

static void make_jobs(void *context)
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
}

static void begin(struct world *world)
{
	passes_over = chance(&world->chance, 2);
	ats_pass_over(world, passes_over ? (uint64_t)between(&world->chance, 3, 12) : 0);
	world->ats.listens = look_at_call;
	world->page_records = between(&world->chance, 2, 8);
	world->kills_left = (uint64_t)between(&world->chance, 0, 30);
	world->kill_ms = between(&world->chance, 4000, 30000);
	world->life.gap_ms = between(&world->chance, 1000, 20000);
}

static void start(struct world *world)
{
	jobs_start_runners(world);
	loop_spawn(world->program->loop, make_jobs, world);
	loop_spawn(world->program->loop, jobs_watch_deletions, world);
}

static void finish(struct world *world)
{
	loop_sleep_ms(1000);
	make_jobs(world);
	for (size_t i = 0; i < RESOURCES; i++)
		for (int k = 0; k < 2; k++)
			jobs_run(world, resources[i],
				 SYNC_WISH_RUN | SYNC_WISH_FULL | SYNC_WISH_DELETIONS);
	for (size_t i = 0; i < RESOURCES; i++)
		jobs_check(world, resources[i]);
}

const struct scenario scenario_sweeps = {
	.name = "sweeps",
	.storm_s = 300,
	.share = 40,
	.begin = begin,
	.start = start,
	.finish = finish,
};
