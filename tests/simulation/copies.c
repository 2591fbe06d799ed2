/* Several who read the ATS and write what they have read into one copy, each as it likes: pages of
 * lists, single records, records that are gone. */
#include "base/map.h"
#include "simulation.h"

enum { READERS = 5 };

static const char candidates[] = "candidates";

struct copied {
	/* Of the events that go with pages. */
	uint64_t asked;
	uint64_t acknowledged;
	struct map read; /* by record: struct copy_record, as it was last seen */
};

static bool run(struct world *world, struct arena *arena, struct operation *operation,
		struct operation_result *result, struct error *err)
{
	operation->account = &world->account;
	operation->resource = str_from_c(candidates);
	operation->deadline_ns = world->time.now_ns + 60 * SECOND_NS;
	bool ok = operation_run(&world->program->services, arena, operation, result, err);
	if (world->network.is_dead)
		stop_here();
	return ok;
}

/* Something that is to be kept in step. */
static struct store_statement make_step(struct world *world, struct arena *arena)
{
	const struct event_new event = {
		.environment_id = world->environment.id,
		.account_id = world->account.id,
		.type = STR("simulation:step"),
		.payload = STR("{}"),
		.created_ms = clock_unix_ms(&world->time.clock),
	};

	return event_statement(arena, &event);
}

/* What was read from the ATS earlier never comes back. */
static void check_order(struct world *world, struct arena *arena, struct str id)
{
	struct copied *copied = world->state;
	struct copy_record *seen = map_get(&copied->read, id), now;
	struct copy_place place = place_of(world, candidates);
	struct error err;

	if (id.len == 0 ||
	    !copy_get(world->program->copies, arena, &place, id, &now, &err))
		return;
	if (seen == NULL) {
		seen = calloc(1, sizeof *seen);
		if (seen == NULL)
			die("out of memory");
		map_put(&copied->read, id, seen);
	}
	if (now.read_ms < seen->read_ms || now.version < seen->version)
		broken("candidate %.*s was version %lld, read at %lld, and is %lld of %lld",
		       STR_ARGS(id), (long long)seen->version, (long long)seen->read_ms,
		       (long long)now.version, (long long)now.read_ms);
	seen->read_ms = now.read_ms;
	seen->version = now.version;
}

static void put(struct world *world, struct arena *arena, int64_t read_ms, struct json items,
		bool is_partial)
{
	struct store_statement step = make_step(world, arena);
	struct copy_write write = {.place = place_of(world, candidates),
				   .read_ms = read_ms,
				   .more = &step,
				   .more_count = chance(&world->chance, 3)};
	int64_t *numbers = arena_array(arena, items.count + 1, sizeof *numbers);
	struct copied *copied = world->state;
	struct copy_counts counts;
	struct error err;

	copied->asked += write.more_count;
	bool ok = copy_put(world->program->copies, arena, &write, items.items, items.count,
			   is_partial, numbers, &counts, &err);

	must(world, ok, "copy_put", &err);
	copied->acknowledged += write.more_count;
	for (uint32_t i = 0; i < items.count; i++) {
		if (numbers[i] <= 0)
			broken("a record of the copy has number %lld", (long long)numbers[i]);
		check_order(world, arena, json_get_str(json_at(items, i), "id"));
	}
	trace("%lld put %u: created %lld updated %lld unchanged %lld stale %lld",
	      (long long)world->time.now_ns, items.count, (long long)counts.created,
	      (long long)counts.updated, (long long)counts.unchanged, (long long)counts.stale);
}

static void sweep(struct world *world)
{
	struct operation operation = {.limit = between(&world->chance, 1, 60)};
	char cursor[4096];
	bool ok = true;

	while (ok) {
		struct operation_result result;
		struct arena arena;
		struct error err = {0};
		int64_t read_ms = clock_unix_ms(&world->time.clock);

		arena_init(&arena, 64 * MIB);
		ok = run(world, &arena, &operation, &result, &err);
		if (ok && !json_is(result.items, JSON_ARRAY))
			broken("a page that is none");
		if (ok)
			put(world, &arena, read_ms, result.items, result.is_partial);
		ok = ok && result.next_cursor.len > 0 && result.next_cursor.len <= sizeof cursor;
		if (ok)
			memcpy(cursor, result.next_cursor.data, result.next_cursor.len);
		operation.cursor = str_make(cursor, ok ? result.next_cursor.len : 0);
		arena_finish(&arena);
	}
}

static void fetch(struct world *world, struct arena *arena, struct str id)
{
	struct copy_write write = {.place = place_of(world, candidates),
				   .read_ms = clock_unix_ms(&world->time.clock)};
	struct operation operation = {.method = OPERATION_GET, .id = id};
	struct operation_result result;
	struct copy_counts counts;
	struct error err = {0};

	if (run(world, arena, &operation, &result, &err)) {
		struct json *items = arena_array(arena, 1, sizeof *items);

		items[0] = result.item;
		put(world, arena, write.read_ms, json_array(items, 1), result.is_partial);
	} else if (err.code == ERROR_NOT_FOUND) {
		bool ok = copy_remove(world->program->copies, arena, &write, &id, 1, &counts, &err);

		must(world, ok, "copy_remove", &err);
		trace("%lld remove %.*s: %lld", (long long)world->time.now_ns, STR_ARGS(id),
		      (long long)counts.deleted);
	}
}

static void fetch_any(struct world *world)
{
	struct json truth, ids;
	struct arena arena;

	arena_init(&arena, 64 * MIB);
	ats_ask(world, &arena, HTTP_GET, "/sandbox/truth?collection=candidates", STR(""), &truth);
	ids = json_get_c(truth, chance(&world->chance, 3) ? "deleted" : "ids");
	if (ids.count > 0) {
		/* Most look at the same few. */
		size_t among = chance(&world->chance, 3) ? ids.count : ids.count / 8 + 1;
		struct json id = json_at(ids, random_seeded_next(&world->chance) % among);

		fetch(world, &arena, arena_format(&arena, "%lld", (long long)to_int(id)));
	}
	arena_finish(&arena);
}

static void read_and_write(void *context)
{
	struct world *world = context;

	while (!world->is_calm && !world->network.is_dead) {
		if (chance(&world->chance, 6))
			sweep(world);
		else
			fetch_any(world);
		loop_sleep_ms(between(&world->chance, 0, 15000));
	}
}

static void begin(struct world *world)
{
	struct copied *copied = calloc(1, sizeof *copied);

	if (copied == NULL)
		die("out of memory");
	map_init(&copied->read, &world->program_random);
	world->state = copied;
}

static void start(struct world *world)
{
	for (int i = 0; i < READERS; i++)
		loop_spawn(world->program->loop, read_and_write, world);
}

/* All that the copy has and a list has not is asked for by its id. */
static void find_gone(struct world *world, struct json live)
{
	struct copy_place place = place_of(world, candidates);
	struct copy_record *list;
	struct arena arena;
	struct error err;
	size_t count;

	arena_init(&arena, 64 * MIB);
	bool ok = copy_walk(world->program->copies, &arena, &place, 0, 1000, false, &list, &count,
			    &err);
	must(world, ok, "copy_walk", &err);
	for (size_t i = 0; i < count; i++) {
		bool is_there = false;

		for (uint32_t k = 0; k < live.count && !is_there; k++)
			is_there = str_equal(json_get_str(json_at(live, k), "id"), list[i].id);
		if (!is_there)
			fetch(world, &arena, list[i].id);
	}
	arena_finish(&arena);
}

/* What was acknowledged is there, and nothing that was not asked for. */
static void check_steps(const struct world *world)
{
	const struct copied *copied = world->state;

	if (world->steps < copied->acknowledged || world->steps > copied->asked)
		broken("%llu pages have left their event; %llu were acknowledged, %llu asked for",
		       (unsigned long long)world->steps, (unsigned long long)copied->acknowledged,
		       (unsigned long long)copied->asked);
}

static void finish(struct world *world)
{
	struct arena arena;

	/* Who is at it ends first. */
	loop_sleep_ms(300000);
	arena_init(&arena, 256 * MIB);
	sweep(world);
	find_gone(world, read_live(world, &arena, candidates, false));
	check_copy(world, candidates, read_live(world, &arena, candidates, false),
		   json_undefined());
	check_events(world);
	check_steps(world);
	arena_finish(&arena);
}

const struct scenario scenario_copies = {
	.name = "copies",
	.storm_s = 400,
	.share = 50,
	.begin = begin,
	.start = start,
	.finish = finish,
};
