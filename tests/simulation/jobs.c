/* What scenarios with sync jobs have in common. */
#include "simulation.h"

enum { RUNS_MAX = 100, PAGE = 200 };

void must(struct world *world, bool ok, const char *what, const struct error *err)
{
	if (world->network.is_dead)
		stop_here();
	if (!ok)
		broken("%s: %s %s", what, err->field, err->message);
}

void jobs_start_runners(struct world *world)
{
	struct program *program = world->program;

	for (size_t i = 0; i < 2; i++) {
		program->runners[i] = (struct sync_runner){.syncs = program->syncs,
							   .services = &program->services,
							   .loop = program->loop};
		sync_runner_start(&program->runners[i]);
	}
}

void jobs_make(struct world *world, const struct sync_job *wanted, const char *resource)
{
	struct str name = str_from_c(resource);
	struct sync_job job;
	struct arena arena;
	struct error err;

	arena_init(&arena, 8 * MIB);
	bool ok = sync_job_create(world->program->syncs, &arena, &world->account, wanted, &name, 1,
				  &job, &err);
	must(world, ok || err.code == ERROR_CONFLICT, "sync_job_create", &err);
	arena_finish(&arena);
}

struct sync_job *jobs_read(struct world *world, struct arena *arena, size_t *count)
{
	struct sync_query query = {.environment_id = world->environment.id, .limit = 100};
	struct sync_job *jobs;
	struct error err;

	must(world, sync_job_list(world->program->syncs, arena, &query, &jobs, count, &err),
	     "sync_job_list", &err);
	return jobs;
}

struct sync_job *jobs_find(struct world *world, struct arena *arena, const char *resource)
{
	size_t count, i = 0;
	struct sync_job *jobs = jobs_read(world, arena, &count);

	while (i < count && !str_equal_c(jobs[i].resource, resource))
		i++;
	if (i == count)
		broken("%s have no job", resource);
	return &jobs[i];
}

struct sync_run *jobs_runs(struct world *world, struct arena *arena, const struct sync_job *job,
			   size_t *count)
{
	struct sync_run *list;
	struct error err;

	must(world,
	     sync_run_list(world->program->syncs, arena, job, 0, RUNS_MAX, &list, count, &err),
	     "sync_run_list", &err);
	return list;
}

static bool is_done(struct world *world, const struct sync_job *job, bool is_full, int64_t since_ms)
{
	struct arena arena;
	size_t count;
	bool found = false;

	arena_init(&arena, 16 * MIB);
	struct sync_run *list = jobs_runs(world, &arena, job, &count);
	for (size_t i = 0; i < count && !found; i++) {
		found = (list[i].is_full || !is_full) && list[i].started_ms >= since_ms &&
			list[i].ended_ms > 0;
		if (found && !str_equal_c(list[i].status, "completed"))
			broken("a run of %.*s is %.*s when all is calm: %.*s",
			       STR_ARGS(job->resource), STR_ARGS(list[i].status),
			       STR_ARGS(list[i].error));
	}
	arena_finish(&arena);
	return found;
}

void jobs_run(struct world *world, const char *resource, unsigned wishes)
{
	int64_t since_ms = clock_unix_ms(&world->time.clock);
	struct arena arena;
	struct error err;

	arena_init(&arena, 16 * MIB);
	const struct sync_job *job = jobs_find(world, &arena, resource);
	must(world, sync_job_wish(world->program->syncs, job, wishes, &err), "sync_job_wish", &err);
	for (int s = 0; !is_done(world, job, wishes & SYNC_WISH_FULL, since_ms); s++) {
		if (s > 7200)
			broken("no run of %s ends within two hours", resource);
		loop_sleep_ms(1000);
	}
	arena_finish(&arena);
}

/* Whatever became of a run, it is over before the next one begins. */
static void check_runs(struct world *world, struct arena *arena, const char *resource)
{
	size_t count;
	const struct sync_run *runs =
		jobs_runs(world, arena, jobs_find(world, arena, resource), &count);

	for (size_t i = 1; i < count; i++)
		if (runs[i].ended_ms == 0)
			broken("run %lld of %s has never ended", (long long)runs[i].number,
			       resource);
}

void jobs_check(struct world *world, const char *resource)
{
	struct arena arena;

	arena_init(&arena, 256 * MIB);
	check_runs(world, &arena, resource);
	check_copy(world, resource, read_live(world, &arena, resource, false), json_undefined());
	arena_finish(&arena);
	check_events(world);
}

/* --- who is told to be deleted --------------------------------------------------------------- */

static void judge_deletion(struct world *world, const struct event *event)
{
	static const char *const known[][2] = {{"candidates", "candidates"},
					       {"applications", "placements"}};

	for (size_t i = 0; i < sizeof known / sizeof *known; i++)
		if (str_equal_c(event->resource, known[i][0]) &&
		    ats_has(world, known[i][1], event->record_id))
			broken("event %lld tells that %.*s %.*s is deleted, which lives",
			       (long long)event->number, STR_ARGS(event->resource),
			       STR_ARGS(event->record_id));
}

void jobs_watch_deletions(void *context)
{
	struct world *world = context;
	struct event_query query = {.environment_id = world->environment.id,
				    .types = STR("[\"record:deleted\"]"),
				    .limit = PAGE};

	while (!world->network.is_dead && !world->is_calm) {
		struct event_page page;
		struct arena arena;
		struct error err;

		arena_init(&arena, 64 * MIB);
		must(world, event_read(world->program->store, &arena, &query, &page, &err),
		     "event_read", &err);
		for (size_t i = 0; i < page.count; i++)
			judge_deletion(world, &page.items[i]);
		query.after = page.seen;
		arena_finish(&arena);
		loop_sleep_ms(2000);
	}
}
