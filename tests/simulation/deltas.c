/* Incremental runs alone, of an ATS whose machines each have a clock of their own: a record is
 * sometimes as of half a minute before one that was there earlier. Who is new is in the copy after
 * the next run, before any full one mends it. */
#include "simulation.h"

enum { NEW_MAX = 4000, APART_S = 25 };

struct newcomer {
	int64_t id;
	int64_t at_ms; /* since when it is in the lists */
};

static struct {
	struct newcomer waiting[NEW_MAX]; /* for a run */
	size_t count;
	int64_t skew_s;
	bool has_equal_times;
	int64_t interval_ms;
} deltas;

/* The next change is made by another machine. */
static void set_clock(struct world *world)
{
	struct arena arena;
	struct json reply;

	arena_init(&arena, MIB);
	struct str body = arena_format(
		&arena, "{\"skew\":%lld,\"equal_timestamps\":%s}",
		(long long)(deltas.skew_s + between(&world->chance, -APART_S, APART_S)),
		deltas.has_equal_times ? "true" : "false");
	if (ats_ask(world, &arena, HTTP_PUT, "/sandbox/clock", body, &reply) != 200)
		die("the clock of the sandbox cannot be set");
	arena_finish(&arena);
}

static void live(struct world *world)
{
	set_clock(world);
	if (chance(&world->chance, 3)) {
		ats_live(world, 1);
		return;
	}
	int64_t id = ats_change(world, HTTP_POST, "/candidates",
				STR("{\"candidate\":{\"name\":\"New\",\"emails\":[]}}"));
	if (id == 0 || deltas.count == NEW_MAX)
		die("no candidate was made");
	deltas.waiting[deltas.count++] =
		(struct newcomer){id, clock_unix_ms(&world->time.clock)};
}

/* A run that began at `started_ms` is over. */
static void check_new(struct world *world, int64_t started_ms)
{
	struct copy_place place = place_of(world, "candidates");
	struct copy_record record;
	struct error err;
	size_t kept = 0;

	for (size_t i = 0; i < deltas.count; i++) {
		const struct newcomer *one = &deltas.waiting[i];
		struct arena arena;

		if (one->at_ms >= started_ms) {
			deltas.waiting[kept++] = *one;
			continue;
		}
		arena_init(&arena, 4 * MIB);
		struct str id = arena_format(&arena, "%lld", (long long)one->id);
		if (!copy_get(world->program->copies, &arena, &place, id, &record, &err) &&
		    ats_has(world, "candidates", id))
			broken("a run has not brought candidate %lld: %s", (long long)one->id,
			       err.message);
		arena_finish(&arena);
	}
	deltas.count = kept;
}

static void watch(void *context)
{
	struct world *world = context;
	struct sync_job wanted;
	int64_t seen = 0;

	sync_job_init(&wanted);
	wanted.interval_ms = deltas.interval_ms;
	wanted.mode = SYNC_INCREMENTAL;
	wanted.tells_first = true;
	jobs_make(world, &wanted, "candidates");
	while (!world->is_calm && !world->network.is_dead) {
		struct arena arena;
		size_t count;

		arena_init(&arena, 16 * MIB);
		const struct sync_run *runs = jobs_runs(
			world, &arena, jobs_find(world, &arena, "candidates"), &count);
		for (size_t i = count; i-- > 0;)
			if (runs[i].number > seen && str_equal_c(runs[i].status, "completed")) {
				seen = runs[i].number;
				check_new(world, runs[i].started_ms);
			}
		arena_finish(&arena);
		loop_sleep_ms(1000);
	}
}

static void begin(struct world *world)
{
	deltas.skew_s = chance(&world->chance, 2) ? between(&world->chance, -90, 90) : 0;
	deltas.has_equal_times = chance(&world->chance, 3);
	deltas.interval_ms = between(&world->chance, 10, 25) * 1000;
	world->page_records = chance(&world->chance, 3) ? 0 : between(&world->chance, 2, 12);
	world->life.gap_ms = between(&world->chance, 1000, 12000);
	world->kills_left = (uint64_t)between(&world->chance, 0, 4);
}

static void start(struct world *world)
{
	jobs_start_runners(world);
	loop_spawn(world->program->loop, watch, world);
}

static void finish(struct world *world)
{
	loop_sleep_ms(1000);
	jobs_run(world, "candidates", SYNC_WISH_RUN);
	check_new(world, INT64_MAX);
	check_events(world);
	jobs_run(world, "candidates", SYNC_WISH_RUN | SYNC_WISH_FULL | SYNC_WISH_DELETIONS);
	jobs_run(world, "candidates", SYNC_WISH_RUN | SYNC_WISH_FULL | SYNC_WISH_DELETIONS);
	jobs_check(world, "candidates");
}

const struct scenario scenario_deltas = {
	.name = "deltas",
	.storm_s = 400,
	.share = 50,
	.begin = begin,
	.start = start,
	.finish = finish,
	.live = live,
};
