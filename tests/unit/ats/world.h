/* Everything an operation needs, real but for the ATS and the time: a store and a vault in a
 * folder of their own, the made-up connector from tests/unit/ats/kiln, a linked account. */
#ifndef TESTS_UNIT_ATS_WORLD_H
#define TESTS_UNIT_ATS_WORLD_H

#include <ftw.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ats/node/node.h"
#include "ats/operation/operation.h"
#include "ats/schema/schema.h"
#include "kiln.h"
#include "simulated_time.h"

struct world {
	struct simulated_time time;
	struct random_seeded seeded;
	struct random random;
	char folder[64];
	struct arena setup;  /* lives as long as the world */
	struct arena arena;  /* of the operations of one test */
	struct loop *loop;
	struct store *store;
	struct node *node;
	struct vault *vault;
	struct accounts *accounts;
	const struct model *model;
	struct connectors connectors;
	struct operation_counts counts;
	struct operation_services services;
	struct kiln kiln;
	struct environment environment;
	struct account account;
	void (*test)(struct world *world);
	bool is_done;
	/* Of the last operation. */
	struct operation_result result;
	struct error err;
};

#define WORLD_CHECK(condition, err) \
	do {                        \
		if (!(condition))   \
			die("%s:%d: %s: %s %s", __FILE__, __LINE__, #condition, (err).field, (err).message); \
	} while (0)

static inline void world_load(struct world *world)
{
	struct str source = str_from_c(getenv("TENON_SOURCE"));
	struct buffer faults;

	buffer_init(&faults, &world->setup, 65536);
	struct str base = arena_format(&world->setup, "%.*s/tests/unit/ats/kiln", STR_ARGS(source));
	const char *models = arena_c(
		&world->setup, arena_format(&world->setup, "%.*s/models/ats", STR_ARGS(base)));
	const char *connectors = arena_c(
		&world->setup, arena_format(&world->setup, "%.*s/connectors", STR_ARGS(base)));
	world->model = model_load(&world->setup, disk_system(), models, &faults);
	if (world->model == NULL)
		die("the model: %.*s", STR_ARGS(buffer_str(&faults)));
	if (!connectors_load(&world->setup, disk_system(), connectors, world->model,
			     &world->connectors, &faults))
		die("the connector: %.*s", STR_ARGS(buffer_str(&faults)));
}

/* Without a writer the loop writes: while a thread of its own does, hours pass in here where a disk
 * is slow. */
#ifndef WORLD_HAS_A_WRITER
#define WORLD_HAS_A_WRITER false
#endif

static inline void world_do_without_writer(struct world *world, struct store_options *options)
{
	struct arena *arena = &world->setup;
	const char *file = arena_c(arena, arena_format(arena, "%s/tenon.db", options->folder));
	struct error err;

	options->is_inline = true;
	if (mkdir(options->folder, 0700) != 0 ||
	    !disk_create(disk_system(), file, STR(""), 0600, &err))
		die("no folder");
}

static inline void world_open(struct world *world)
{
	struct error err;
	struct store_options options = {0};
	struct arena *arena = &world->setup;

	snprintf(world->folder, sizeof world->folder, "/tmp/tenon-operation-XXXXXX");
	if (mkdtemp(world->folder) == NULL)
		die("no folder");
	struct str folder = str_from_c(world->folder);
	options.folder = arena_c(arena, arena_format(arena, "%.*s/data", STR_ARGS(folder)));
	options.migrations = schema_migrations(&options.migration_count);
	if (!WORLD_HAS_A_WRITER)
		world_do_without_writer(world, &options);
	world->store = store_open(&options, &err);
	WORLD_CHECK(world->store != NULL, err);
	const struct node_options node = {.store = world->store,
					  .clock = &world->time.clock,
					  .random = random_system(),
					  .is_alone = true,
					  .version = "0"};
	world->node = node_create(&node, &err);
	WORLD_CHECK(world->node != NULL, err);
	const char *key = arena_c(arena, arena_format(arena, "%.*s/master.key", STR_ARGS(folder)));
	bool ok = disk_create(disk_system(), key, vault_make_key_file(arena, random_system()), 0600,
			      &err);
	WORLD_CHECK(ok, err);
	struct vault_options vault = {.disk = disk_system(),
				      .key_file = key,
				      .store = world->store,
				      .clock = clock_system(),
				      .random = random_system()};
	world->vault = vault_create(&vault, &err);
	WORLD_CHECK(world->vault != NULL, err);
	world->accounts = accounts_create(world->store, world->vault, &world->time.clock,
					  random_system());
}

/* The account acme with the token "kiln-secret-token". */
static inline struct account world_link(struct world *world, const char *limits)
{
	struct account account = {.environment_id = world->environment.id,
				  .connector = STR("kiln"),
				  .status = ACCOUNT_ACTIVE};
	struct json credential;
	struct error err;
	bool ok = json_parse(&world->setup, STR("{\"company_id\":\"acme\"}"), &json_limits_default,
			     &account.context, &err) &&
		  json_parse(&world->setup, STR("{\"api_token\":\"kiln-secret-token\"}"),
			     &json_limits_default, &credential, &err) &&
		  json_parse(&world->setup, str_from_c(limits), &json_limits_default,
			     &account.limits, &err) &&
		  account_create(world->accounts, &world->setup, &account, credential, &err);
	WORLD_CHECK(ok, err);
	return account;
}

static void begin_test(void *context)
{
	struct world *world = context;
	struct error err;
	bool ok = environment_find(world->accounts, &world->setup, STR("test"), true,
				   &world->environment, &err);

	WORLD_CHECK(ok, err);
	world->account = world_link(world, "{}");
	world->test(world);
	world->is_done = true;
}

static inline void world_init(struct world *world)
{
	struct error err;

	memset(world, 0, sizeof *world);
	simulated_time_init(&world->time);
	world->seeded.state = 42;
	world->random = random_from_seed(&world->seeded);
	arena_init(&world->setup, 64 * 1024 * 1024);
	arena_init(&world->arena, 256 * 1024 * 1024);
	world->loop = loop_create(&world->time.clock, &world->random, &err);
	WORLD_CHECK(world->loop != NULL, err);
	loop_hook_add(world->loop, &world->time.hook);
	world_load(world);
	world_open(world);
	kiln_init(&world->kiln, &world->time.clock);
	kiln_fill(&world->kiln, 100);
	world->services = (struct operation_services){
		.accounts = world->accounts,
		.vault = world->vault,
		.connectors = &world->connectors,
		.model = world->model,
		.limiters = limiters_create(&world->time.clock, &world->random),
		.client = &world->kiln.client,
		.clock = &world->time.clock,
		.random = &world->random,
		.counts = &world->counts,
		.overrides = overrides_create(world->store, &world->connectors, &world->time.clock,
					      &world->random),
	};
}

static int remove_entry(const char *path, const struct stat *stat, int kind, struct FTW *ftw)
{
	(void)stat;
	(void)kind;
	(void)ftw;
	return remove(path);
}

static inline void world_finish(struct world *world)
{
	limiters_destroy(world->services.limiters);
	overrides_destroy(world->services.overrides);
	accounts_destroy(world->accounts);
	vault_destroy(world->vault);
	node_destroy(world->node);
	store_close(world->store);
	loop_hook_remove(world->loop, &world->time.hook);
	loop_destroy(world->loop);
	arena_finish(&world->arena);
	arena_finish(&world->setup);
	nftw(world->folder, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

/* Runs the test in a fiber, with a world of its own. */
static inline void world_run(void (*test)(struct world *world))
{
	struct world *world = malloc(sizeof *world);

	if (world == NULL)
		die("no memory");
	world_init(world);
	world->test = test;
	loop_spawn(world->loop, begin_test, world);
	if (!loop_drain(world->loop, 30 * 24 * 3600 * 1000LL) || !world->is_done)
		die("the test did not end");
	world_finish(world);
	free(world);
}

/* --- operations ------------------------------------------------------------------------------ */

static inline struct operation world_operation(struct world *world, const char *resource)
{
	return (struct operation){
		.account = &world->account,
		.resource = str_from_c(resource),
		.limit = 10,
		.deadline_ns = clock_monotonic_ns(&world->time.clock) + 60LL * 1000000000,
	};
}

static inline bool world_call(struct world *world, const struct operation *operation)
{
	return operation_run(&world->services, &world->arena, operation, &world->result, &world->err);
}

/* Runs one that must succeed. */
static inline void world_must(struct world *world, const struct operation *operation)
{
	bool ok = world_call(world, operation);

	WORLD_CHECK(ok, world->err);
}

static inline struct str world_id(const struct world *world, size_t index)
{
	return json_get_str(json_at(world->result.items, index), "id");
}

/* The items' ids as "3 2 1". */
static inline const char *world_ids(struct world *world)
{
	struct buffer out;

	buffer_init(&out, &world->arena, 1 << 20);
	for (size_t i = 0; i < world->result.items.count; i++) {
		if (i > 0)
			buffer_append_c(&out, " ");
		buffer_append(&out, world_id(world, i));
	}
	return arena_c(&world->arena, buffer_str(&out));
}

#endif
