/* From the first start of the program to the last check. */
#include "simulation.h"

struct world the_world;

static void load_definitions(struct world *world, const char *source)
{
	struct arena *arena = &world->arena;
	const char *models = arena_c(arena, arena_format(arena, "%s/models/ats", source));
	const char *connectors = arena_c(arena, arena_format(arena, "%s/connectors", source));
	struct buffer faults;

	buffer_init(&faults, arena, MIB);
	world->model = model_load(arena, disk_system(), models, &faults);
	if (world->model == NULL ||
	    !connectors_load(arena, disk_system(), connectors, world->model, &world->connectors,
			     &faults))
		die("%.*s", STR_ARGS(buffer_str(&faults)));
}

static void link_account(struct world *world)
{
	struct program *program = world->program;
	struct arena *arena = &world->arena;
	struct json credential;
	struct error err;
	struct account *account = &world->account;
	bool ok = environment_find(program->accounts, arena, STR("production"), true,
				   &world->environment, &err);

	*account = (struct account){.environment_id = world->environment.id,
				    .connector = STR("recruitee"),
				    .status = ACCOUNT_ACTIVE};
	struct str context = arena_format(arena, "{\"company_id\":\"%.*s\"}",
					  STR_ARGS(world->company_id));
	struct str limits = arena_format(
		arena, "{\"requests\":%d,\"per_seconds\":%d,\"concurrent\":%d}",
		(int)LIMIT_REQUESTS, (int)LIMIT_SECONDS, (int)LIMIT_CONCURRENT);
	struct str token = arena_format(arena, "{\"api_token\":\"%.*s\"}", STR_ARGS(world->token));
	ok = ok && json_parse(arena, context, &json_limits_default, &account->context, &err) &&
	     json_parse(arena, token, &json_limits_default, &credential, &err) &&
	     json_parse(arena, limits, &json_limits_default, &account->limits, &err) &&
	     account_create(program->accounts, arena, account, credential, &err);
	if (!ok)
		die("the account: %s", err.message);
}

static void prepare(void *context)
{
	struct world *world = context;

	link_account(world);
	if (world->scenario->prepare != NULL)
		world->scenario->prepare(world);
	world->is_done = true;
	loop_stop(world->program->loop);
}

void power_has_gone(void *context)
{
	struct world *world = context;

	world->is_killed = true;
	world->network.is_dead = true;
	loop_stop(world->program->loop);
}

/* What the one before left goes with the process: nothing is taken apart. */
static void forget_program(struct world *world)
{
	world->program = NULL;
	world->sleeper = NULL;
	world->is_killed = world->is_asleep = false;
}

void world_prepare(struct world *world, const char *source, const struct scenario *scenario)
{
	*world = (struct world){.scenario = scenario};
	arena_init(&world->arena, 512 * MIB);
	time_init(&world->time);
	disk_init(&world->disk, &world->time);
	world->disk.died = power_has_gone;
	world->disk.context = world;
	network_init(&world->network, &world->time);
	world->program_random = random_from_seed(&world->program_seeded);
	world->disk.key = vault_make_key_file(&world->arena, &world->program_random);
	load_definitions(world, source);
	ats_init(world, source);
	ats_warm(world);
	if (!program_start(world))
		die("the program does not start");
	loop_spawn(world->program->loop, prepare, world);
	loop_run(world->program->loop);
	if (!world->is_done)
		die("the world was not prepared");
	world->is_done = false;
	store_close(world->program->store);
	forget_program(world);
}

/* --- one seed -------------------------------------------------------------------------------- */

static void kill_now(struct loop_timer *timer)
{
	power_has_gone(timer->context);
}

static void arm_kill(struct world *world)
{
	struct random_seeded *seeded = &world->chance;

	if (world->kills_left == 0 || world->is_calm)
		return;
	if (chance(seeded, 2)) {
		world->disk.dies_at = world->disk.steps + (uint64_t)between(seeded, 1, 400);
		return;
	}
	world->program->kill = (struct loop_timer){.callback = kill_now, .context = world};
	loop_timer_set(world->program->loop, &world->program->kill,
		       world->time.now_ns + between(seeded, 1, world->kill_ms) * MS_NS);
}

static void live(void *context)
{
	struct world *world = context;
	struct life *life = &world->life;

	while (!world->is_calm) {
		if (life->next_ns > world->time.now_ns)
			loop_sleep_ms((life->next_ns - world->time.now_ns) / MS_NS + 1);
		if (world->is_calm || world->network.is_dead)
			return;
		if (world->scenario->live != NULL)
			world->scenario->live(world);
		else
			ats_live(world, (size_t)between(&world->chance, 1, 3));
		life->next_ns += between(&world->chance, 0, 2 * life->gap_ms) * MS_NS;
	}
}

static void calm_down(void *context)
{
	struct world *world = context;

	if (world->storm_ends_ns > world->time.now_ns)
		loop_sleep_ms((world->storm_ends_ns - world->time.now_ns) / MS_NS + 1);
	if (world->network.is_dead)
		return;
	trace("%lld calm", (long long)world->time.now_ns);
	world->is_calm = true;
	world->disk.dies_at = 0;
	loop_timer_clear(world->program->loop, &world->program->kill);
	world->network.weather = (struct weather){.latency_ms = 20};
	world->scenario->finish(world);
	world->is_done = true;
	loop_stop(world->program->loop);
}

static void draw_weather(struct world *world)
{
	struct random_seeded *seeded = &world->chance;
	struct weather *weather = &world->network.weather;
	uint64_t *odds[] = {&weather->rate_limit, &weather->server_error, &weather->refused,
			    &weather->reset, &weather->stall, &weather->truncate,
			    &weather->garbage};

	/* Each kind is there in every second seed only: some things happen only without others. */
	for (size_t i = 0; i < sizeof odds / sizeof odds[0]; i++)
		*odds[i] = chance(seeded, 2) ? (uint64_t)between(seeded, 15, 200) : 0;
	weather->latency_ms = chance(seeded, 4) ? 800 : 40;
}

/* --- two programs ---------------------------------------------------------------------------- */

static void fall_asleep(struct loop_timer *timer)
{
	struct world *world = timer->context;

	world->is_asleep = true;
	loop_stop(world->program->loop);
}

static void set_alarm(struct world *world)
{
	int64_t at_ns = world->time.now_ns + between(&world->chance, 1, world->nap_ms) * MS_NS;

	/* Who is awake when the storm ends stays so. */
	world->program->nap = (struct loop_timer){.callback = fall_asleep, .context = world};
	if (at_ns < world->storm_ends_ns)
		loop_timer_set(world->program->loop, &world->program->nap, at_ns);
}

static void wake(struct world *world, struct program *program)
{
	world->program = program;
	world->time.loop = program->loop;
}

static bool run_program(struct world *world);

/* The other one goes on where it was, as if no time had passed; at first it begins. */
static bool change_programs(struct world *world)
{
	struct program *other = world->sleeper;

	world->is_asleep = false;
	world->sleeper = world->program;
	trace("%lld falls asleep", (long long)world->time.now_ns);
	if (other == NULL)
		return run_program(world);
	wake(world, other);
	set_alarm(world);
	loop_run(world->program->loop);
	return world->is_done;
}

static bool run_program(struct world *world)
{
	/* A new program knows nothing of what the one before has called. */
	world->allowance = (struct allowance){LIMIT_REQUESTS, world->time.now_ns};
	world->ats.under_way = 0;
	if (!program_start(world))
		return false;
	if (world->time.now_ns < world->storm_ends_ns)
		arm_kill(world);
	loop_spawn(world->program->loop, live, world);
	loop_spawn(world->program->loop, calm_down, world);
	world->scenario->start(world);
	if (world->has_two_programs)
		set_alarm(world);
	loop_run(world->program->loop);
	return world->is_done;
}

void world_run(struct world *world, uint64_t seed)
{
	world->seed = seed;
	world->chance.state = seed * 0x9e3779b97f4a7c15 + 1;
	world->program_seeded.state = random_seeded_next(&world->chance);
	world->network.seeded.state = random_seeded_next(&world->chance);
	world->disk.seeded.state = random_seeded_next(&world->chance);
	draw_weather(world);
	world->kills_left = (uint64_t)between(&world->chance, 0, 8);
	world->kill_ms = 240000;
	world->life.gap_ms = between(&world->chance, 2000, 60000);
	world->life.next_ns = world->time.now_ns;
	world->storm_ends_ns =
		world->time.now_ns +
		between(&world->chance, 30, world->scenario->storm_s) * SECOND_NS;
	world->scenario->begin(world);
	bool is_over = run_program(world);
	while (!is_over) {
		if (world->is_asleep && !world->is_killed) {
			is_over = change_programs(world);
			continue;
		}
		trace("%lld killed at step %llu", (long long)world->time.now_ns,
		      (unsigned long long)world->disk.steps);
		if (!world->is_killed)
			broken("the program ended by itself");
		forget_program(world);
		world->kills++;
		world->kills_left -= world->kills_left > 0;
		disk_crash(&world->disk);
		world->network.is_dead = false;
		world->time.now_ns += between(&world->chance, 0, 30000) * MS_NS;
		is_over = run_program(world);
	}
}
