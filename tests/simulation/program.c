/* The program: what app/server puts together, on one loop. */
#include "simulation.h"

/* What would be an orderly error anywhere else is the death that chance has dealt. */
static bool check(struct world *world, bool ok, const char *what, const struct error *err)
{
	if (!ok && !world->disk.is_dead)
		broken("%s: %s", what, err->message);
	return ok;
}

static bool open_store(struct world *world, struct program *program)
{
	struct store_options options = {.folder = "data", .vfs = SIM_VFS, .is_inline = true};
	struct error err;

	options.migrations = schema_migrations(&options.migration_count);
	program->store = store_open(&options, &err);
	return check(world, program->store != NULL, "store_open", &err);
}

static bool open_vault(struct world *world, struct program *program)
{
	struct error err;
	struct vault_options options = {.disk = &world->disk.disk,
					.key_file = "master.key",
					.store = program->store,
					.clock = &world->time.clock,
					.random = &world->program_random,
					.key_grace_ms = 120000};

	program->vault = vault_create(&options, &err);
	return check(world, program->vault != NULL, "vault_create", &err);
}

static bool open_node(struct world *world, struct program *program)
{
	struct error err;

	program->node = node_create(&(struct node_options){.store = program->store,
							   .clock = &world->time.clock,
							   .random = &world->program_random,
							   .is_alone = true,
							   .version = "0"},
				    &err);
	if (!check(world, program->node != NULL, "node_create", &err))
		return false;
	/* Of two programs the one that sleeps has lost its lease, and does not know it when it wakes:
	 * neither has ever one that others could see. */
	const struct store_statement none = {"DELETE FROM node", NULL, 0, -1, false};
	return !world->has_two_programs ||
	       check(world, store_write(program->store, &none, 1, &err), "DELETE FROM node", &err);
}

static void open_webhooks(struct world *world, struct program *program)
{
	static const int64_t delays_ms[] = {1000, 2000, 5000, 20000, 60000, 300000, 3600000};
	struct webhooks_options options = {
		.store = program->store,
		.node = program->node,
		.vault = program->vault,
		.accounts = program->accounts,
		.model = world->model,
		.bell = program->bell,
		.clock = &world->time.clock,
		.random = &world->program_random,
	};

	if (world->has_short_delays) {
		options.delays_ms = delays_ms;
		options.delay_count = sizeof delays_ms / sizeof *delays_ms;
	}
	program->webhooks = webhooks_create(&options);
}

bool program_start(struct world *world)
{
	struct program *program = calloc(1, sizeof *program);
	const struct clock *clock = &world->time.clock;
	const struct random *random = &world->program_random;

	if (program == NULL)
		die("out of memory");
	world->program = program;
	arena_init(&program->arena, 64 * MIB);
	program->loop = time_make_loop(&world->time, &program->hook, random);
	if (!open_store(world, program) || !open_vault(world, program))
		return false;
	if (!open_node(world, program))
		return false;
	program->accounts = accounts_create(program->store, program->vault, clock, random);
	program->services = (struct operation_services){
		.accounts = program->accounts,
		.vault = program->vault,
		.connectors = &world->connectors,
		.model = world->model,
		.limiters = limiters_create(clock, random),
		.client = &world->network.client,
		.clock = clock,
		.random = random,
		.counts = &program->counts,
		.overrides = overrides_create(program->store, &world->connectors, clock, random),
	};
	program->bell = event_bell_create(program->store);
	program->copies = copies_create(program->store, world->model, clock);
	program->syncs = syncs_create(&(struct sync_options){
		.store = program->store,
		.node = program->node,
		.copies = program->copies,
		.accounts = program->accounts,
		.connectors = &world->connectors,
		.model = world->model,
		.clock = clock,
		.random = random,
		.page_records = world->page_records,
	});
	if (world->scenario->has_notices)
		program->inbounds = inbounds_create(&(struct inbounds_options){
			.store = program->store,
			.vault = program->vault,
			.connectors = &world->connectors,
			.syncs = program->syncs,
			.clock = clock,
			.random = random,
		});
	open_webhooks(world, program);
	return true;
}
