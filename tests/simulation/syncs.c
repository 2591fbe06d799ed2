/* Sync jobs over an ATS that lives, fails and slows down, in a program that is killed again and
 * again. Afterwards the copy is the ATS, the events tell the copy, and a run over what has not
 * changed changes nothing. */
#include "simulation.h"

static const char *const resources[] = {"candidates", "applications", "jobs", "tags"};
enum { RESOURCES = sizeof resources / sizeof resources[0], RUNS_MAX = 100 };

static void must(struct world *world, bool ok, const char *what, const struct error *err)
{
	if (world->network.is_dead)
		stop_here();
	if (!ok)
		broken("%s: %s %s", what, err->field, err->message);
}

static void draw_job(struct world *world, struct sync_job *job)
{
	struct random_seeded *seeded = &world->chance;

	sync_job_init(job);
	job->interval_ms = between(seeded, 10, 60) * 1000;
	job->full_interval_ms = chance(seeded, 2) ? job->interval_ms : between(seeded, 60, 600) * 1000;
	job->is_expanded = chance(seeded, 4);
	job->tells_first = true;
	job->share_percent = between(seeded, 20, 100);
}

/* In the first program that lives long enough. */
static void make_jobs(void *context)
{
	struct world *world = context;
	struct sync_job wanted, jobs[RESOURCES];
	struct arena arena;
	struct error err;

	for (size_t i = 0; i < RESOURCES; i++) {
		struct str resource = str_from_c(resources[i]);

		draw_job(world, &wanted);
		arena_init(&arena, 8 * MIB);
		bool ok = sync_job_create(world->program->syncs, &arena, &world->account, &wanted,
					  &resource, 1, jobs, &err);
		must(world, ok || err.code == ERROR_CONFLICT, "sync_job_create", &err);
		arena_finish(&arena);
	}
}

static void begin(struct world *world)
{
	ats_step(world, (size_t)between(&world->chance, 0, 12));
}

static void start(struct world *world)
{
	struct program *program = world->program;

	program->runner = (struct sync_runner){
		.syncs = program->syncs, .services = &program->services, .loop = program->loop};
	sync_runner_start(&program->runner);
	loop_spawn(program->loop, make_jobs, world);
}

/* --- the end --------------------------------------------------------------------------------- */

static bool is_done(struct world *world, const struct sync_job *job, int64_t since_ms)
{
	struct sync_run *list;
	struct arena arena;
	struct error err;
	size_t count;
	bool found = false;

	arena_init(&arena, 16 * MIB);
	must(world,
	     sync_run_list(world->program->syncs, &arena, job, 0, RUNS_MAX, &list, &count, &err),
	     "sync_run_list", &err);
	for (size_t i = 0; i < count && !found; i++) {
		found = list[i].is_full && list[i].started_ms >= since_ms && list[i].ended_ms > 0;
		if (found && !str_equal_c(list[i].status, "completed"))
			broken("a run of %.*s is %.*s when all is calm: %.*s",
			       STR_ARGS(job->resource), STR_ARGS(list[i].status),
			       STR_ARGS(list[i].error));
	}
	arena_finish(&arena);
	return found;
}

/* One after the other, as some look at the records of others. */
static void run_all(struct world *world)
{
	struct sync_query query = {.environment_id = world->environment.id, .limit = 100};
	struct sync_job *jobs;
	struct arena arena;
	struct error err;
	size_t count;

	arena_init(&arena, 16 * MIB);
	must(world, sync_job_list(world->program->syncs, &arena, &query, &jobs, &count, &err),
	     "sync_job_list", &err);
	if (count != RESOURCES)
		broken("there are %zu jobs", count);
	for (size_t k = 0; k < RESOURCES; k++) {
		size_t i = 0;

		while (!str_equal_c(jobs[i].resource, resources[k]))
			i++;
		/* Of runs that began in the storm nothing is asked. */
		int64_t since_ms = clock_unix_ms(&world->time.clock);
		unsigned wishes = SYNC_WISH_RUN | SYNC_WISH_FULL | SYNC_WISH_DELETIONS;

		must(world, sync_job_wish(world->program->syncs, &jobs[i], wishes, &err),
		     "sync_job_wish", &err);
		for (int s = 0; !is_done(world, &jobs[i], since_ms); s++) {
			if (s > 7200)
				broken("no full run of %s ends within two hours", resources[k]);
			loop_sleep_ms(1000);
		}
	}
	arena_finish(&arena);
}

static void check_all(struct world *world)
{
	struct sync_query query = {.environment_id = world->environment.id, .limit = 100};
	struct sync_job *jobs;
	struct arena arena;
	struct error err;
	size_t count;

	arena_init(&arena, 256 * MIB);
	must(world, sync_job_list(world->program->syncs, &arena, &query, &jobs, &count, &err),
	     "sync_job_list", &err);
	for (size_t i = 0; i < count; i++) {
		const char *resource = arena_c(&arena, jobs[i].resource);

		struct json live = read_live(world, &arena, resource, false);
		struct json whole = json_undefined();

		/* What a list does not tell of a record may be as it was when the list last had
		 * something new of it. */
		if (jobs[i].is_expanded)
			whole = read_live(world, &arena, resource, true);
		check_copy(world, resource, live, whole);
	}
	arena_finish(&arena);
	check_events(world);
}

static void finish(struct world *world)
{
	loop_sleep_ms(300000);
	run_all(world);
	run_all(world);
	check_all(world);
	/* Nothing changes any more, and nothing is told. */
	uint64_t told = world->record_events;
	run_all(world);
	check_events(world);
	if (world->record_events != told)
		broken("%llu events tell of records that have not changed",
		       (unsigned long long)(world->record_events - told));
}

const struct scenario scenario_syncs = {
	.name = "syncs", .storm_s = 400, .begin = begin, .start = start, .finish = finish};
