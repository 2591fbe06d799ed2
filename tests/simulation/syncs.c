/* Sync jobs over an ATS that lives, fails and slows down, in a program that is killed again and
 * again. Afterwards the copy is the ATS, the events tell the copy, and a run over what has not
 * changed changes nothing. */
#include "simulation.h"

static const char *const resources[] = {"candidates", "applications", "jobs", "tags"};
enum { RESOURCES = sizeof resources / sizeof resources[0] };

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
static void make_jobs(struct world *world)
{
	struct sync_job wanted;

	for (size_t i = 0; i < RESOURCES; i++) {
		draw_job(world, &wanted);
		jobs_make(world, &wanted, resources[i]);
	}
}

/* --- who looks after them -------------------------------------------------------------------- */

static void hint(struct world *world, struct arena *arena, struct json ids)
{
	struct sync_hint *hints = arena_zero(arena, (ids.count + 1) * sizeof *hints);
	struct environment *environment = &world->environment;
	struct error err;
	size_t taken;

	for (size_t i = 0; i < ids.count; i++) {
		hints[i].resource = STR("candidates");
		hints[i].id = arena_format(arena, "%lld", (long long)to_int(json_at(ids, i)));
	}
	must(world,
	     ids.count == 0 ||
		     sync_take_hints(world->program->syncs, arena, environment->id,
				     world->account.id, hints, ids.count, NULL, 0, &taken, &err),
	     "sync_take_hints", &err);
}

static void hint_at_one(struct world *world, struct arena *arena)
{
	struct json ids = ats_ids(world, arena, "candidates", chance(&world->chance, 4) ? "deleted" : "ids");
	struct json *one = arena_array(arena, 1, sizeof *one);

	if (ids.count == 0)
		return;
	one[0] = json_at(ids, random_seeded_next(&world->chance) % ids.count);
	hint(world, arena, json_array(one, 1));
}

static void do_something(struct world *world, struct arena *arena)
{
	struct syncs *syncs = world->program->syncs;
	struct error err;
	size_t count;
	struct sync_job *jobs = jobs_read(world, arena, &count);

	if (count == 0)
		return;
	struct sync_job *job = &jobs[random_seeded_next(&world->chance) % count];
	switch (random_seeded_next(&world->chance) % 4) {
	case 0:
		must(world,
		     sync_job_wish(syncs, job,
				   SYNC_WISH_RUN | (chance(&world->chance, 2) ? SYNC_WISH_FULL : 0),
				   &err),
		     "sync_job_wish", &err);
		return;
	case 1:
		must(world,
		     sync_job_set_state(syncs, job,
					chance(&world->chance, 2) ? SYNC_PAUSED : SYNC_STOPPED, &err),
		     "sync_job_set_state", &err);
		loop_sleep_ms(between(&world->chance, 0, 20000));
		must(world, sync_job_set_state(syncs, job, SYNC_ACTIVE, &err), "sync_job_set_state",
		     &err);
		return;
	default:
		hint_at_one(world, arena);
	}
}

static void look_after(void *context)
{
	struct world *world = context;

	make_jobs(world);
	while (!world->is_calm && !world->network.is_dead) {
		struct arena arena;

		loop_sleep_ms(between(&world->chance, 0, 30000));
		if (world->network.is_dead)
			return;
		arena_init(&arena, 16 * MIB);
		do_something(world, &arena);
		arena_finish(&arena);
	}
}

static void begin(struct world *world)
{
	struct arena arena;
	struct json reply;

	arena_init(&arena, MIB);
	struct str body = arena_format(&arena, "{\"skew\":%lld,\"equal_timestamps\":%s}",
				       (long long)between(&world->chance, -45, 45),
				       chance(&world->chance, 3) ? "true" : "false");
	if (ats_ask(world, &arena, HTTP_PUT, "/sandbox/clock", body, &reply) != 200)
		die("the clock of the sandbox cannot be set");
	arena_finish(&arena);
	world->state = calloc(1, sizeof(bool));
	world->page_records = chance(&world->chance, 4) ? 0 : between(&world->chance, 2, 12);
	ats_step(world, (size_t)between(&world->chance, 0, 12));
}

static void start(struct world *world)
{
	jobs_start_runners(world);
	loop_spawn(world->program->loop, look_after, world);
}

/* --- the end --------------------------------------------------------------------------------- */

/* One after the other, as some look at the records of others. */
static void run_all(struct world *world)
{
	for (size_t k = 0; k < RESOURCES; k++)
		jobs_run(world, resources[k],
			 SYNC_WISH_RUN | SYNC_WISH_FULL | SYNC_WISH_DELETIONS);
}

static void check_all(struct world *world, const char *only)
{
	struct arena arena;
	size_t count;

	arena_init(&arena, 256 * MIB);
	struct sync_job *jobs = jobs_read(world, &arena, &count);
	for (size_t i = 0; i < count; i++) {
		const char *resource = arena_c(&arena, jobs[i].resource);

		if (only != NULL && strcmp(only, resource) != 0)
			continue;
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

/* What was paused by a program that was killed then. */
static void start_all(struct world *world)
{
	struct arena arena;
	struct error err;
	size_t count;

	arena_init(&arena, 16 * MIB);
	struct sync_job *jobs = jobs_read(world, &arena, &count);
	for (size_t i = 0; i < count; i++)
		if (jobs[i].state != SYNC_ACTIVE)
			must(world,
			     sync_job_set_state(world->program->syncs, &jobs[i], SYNC_ACTIVE, &err),
			     "sync_job_set_state", &err);
	arena_finish(&arena);
}

/* Whatever its mode, a run brings who is new. */
static void find_new(struct world *world)
{
	struct copy_place place = place_of(world, "candidates");
	struct copy_record record;
	struct arena arena;
	struct error err;

	jobs_run(world, "candidates", SYNC_WISH_RUN);
	arena_init(&arena, 64 * MIB);
	struct json ids = ats_ids(world, &arena, "candidates", "ids");
	for (uint32_t k = 0; k < ids.count; k++) {
		struct str id = arena_format(&arena, "%lld", (long long)to_int(json_at(ids, k)));

		if (!copy_get(world->program->copies, &arena, &place, id, &record, &err))
			broken("a run has not brought candidate %.*s: %s", STR_ARGS(id), err.message);
	}
	arena_finish(&arena);
}

/* Hints alone bring all that they are about, and outlive the program that took them. */
static void follow_hints(struct world *world)
{
	bool *has_hinted = world->state;
	struct arena arena;

	if (!*has_hinted) {
		arena_init(&arena, 64 * MIB);
		hint(world, &arena, ats_ids(world, &arena, "candidates", "ids"));
		hint(world, &arena, ats_ids(world, &arena, "candidates", "deleted"));
		arena_finish(&arena);
		*has_hinted = true;
		if (chance(&world->chance, 2)) {
			power_has_gone(world);
			stop_here();
		}
	}
	loop_sleep_ms(240000);
	check_all(world, "candidates");
}

static void finish(struct world *world)
{
	loop_sleep_ms(60000);
	start_all(world);
	find_new(world);
	follow_hints(world);
	run_all(world);
	run_all(world);
	check_all(world, NULL);
	/* Nothing changes any more, and nothing is told. */
	uint64_t told = world->record_events;
	run_all(world);
	check_events(world);
	if (world->record_events != told)
		broken("%llu events tell of records that have not changed",
		       (unsigned long long)(world->record_events - told));
}

const struct scenario scenario_syncs = {
	.name = "syncs",
	.storm_s = 400,
	.share = 30,
	.begin = begin,
	.start = start,
	.finish = finish,
};
