/* Walks over lists, page by page, while records come and go, calls fail and the program dies:
 * who was there all the time is seen once, nobody is seen twice. A cursor outlives its program. */
#include "simulation.h"

enum { WALKERS = 3, SEEN_MAX = 4000 };

struct walk {
	const char *resource;
	const char *collection;
	struct json before; /* ids at the start */
	char cursor[4096];
	size_t cursor_len;
	int64_t seen[SEEN_MAX];
	size_t seen_count;
	int64_t limit;
	bool is_under_way;
	struct arena arena; /* of `before` */
};

struct reads {
	struct walk walks[WALKERS];
	uint64_t finished;
};

static struct json all_ids(struct world *world, struct arena *arena, const char *collection)
{
	struct json reply;
	struct str target = arena_format(arena, "/sandbox/truth?collection=%s", collection);

	ats_ask(world, arena, HTTP_GET, arena_c(arena, target), STR(""), &reply);
	return json_get_c(reply, "ids");
}

static size_t count_seen(const struct walk *walk, int64_t id)
{
	size_t count = 0;

	for (size_t i = 0; i < walk->seen_count; i++)
		count += walk->seen[i] == id;
	return count;
}

static bool has_id(struct json ids, int64_t id)
{
	int64_t other;

	for (uint32_t i = 0; i < ids.count; i++)
		if (json_to_int64(json_at(ids, i), &other) && other == id)
			return true;
	return false;
}

static void begin_walk(struct world *world, struct walk *walk)
{
	arena_init(&walk->arena, 16 * MIB);
	walk->is_under_way = true;
	walk->seen_count = 0;
	walk->cursor_len = 0;
	walk->limit = between(&world->chance, 1, 60);
	walk->before = all_ids(world, &walk->arena, walk->collection);
}

static void end_walk(struct world *world, struct walk *walk)
{
	struct json after = all_ids(world, &walk->arena, walk->collection);

	for (uint32_t i = 0; i < walk->before.count; i++) {
		int64_t id = to_int(json_at(walk->before, i));

		if (has_id(after, id) && count_seen(walk, id) == 0)
			broken("a walk over %s has missed %lld", walk->resource, (long long)id);
	}
	for (size_t i = 0; i < walk->seen_count; i++)
		if (count_seen(walk, walk->seen[i]) != 1)
			broken("a walk over %s has seen %lld twice", walk->resource,
			       (long long)walk->seen[i]);
	trace("%lld walked %s: %zu", (long long)world->time.now_ns, walk->resource,
	      walk->seen_count);
	walk->is_under_way = false;
	((struct reads *)world->state)->finished++;
	arena_finish(&walk->arena);
}

static void take_page(struct walk *walk, const struct operation_result *result)
{
	for (uint32_t i = 0; i < result->items.count; i++) {
		int64_t id;

		if (!str_to_int64(json_get_str(json_at(result->items, i), "id"), &id))
			broken("a record of %s has no id", walk->resource);
		if (walk->seen_count == SEEN_MAX)
			broken("a walk over %s does not end", walk->resource);
		walk->seen[walk->seen_count++] = id;
		trace("%s limit %lld: %lld", walk->resource, (long long)walk->limit, (long long)id);
	}
	if (result->items.count > (size_t)walk->limit)
		broken("%u records where %lld were asked for", result->items.count,
		       (long long)walk->limit);
	if (result->next_cursor.len > sizeof walk->cursor)
		broken("a cursor of %zu bytes", result->next_cursor.len);
	memcpy(walk->cursor, result->next_cursor.data, result->next_cursor.len);
	walk->cursor_len = result->next_cursor.len;
}

static void step_walk(struct world *world, struct walk *walk)
{
	struct operation operation = {
		.account = &world->account,
		.resource = str_from_c(walk->resource),
		.limit = walk->limit,
		.cursor = str_make(walk->cursor, walk->cursor_len),
		.deadline_ns = world->time.now_ns + 60 * SECOND_NS,
	};
	struct operation_result result;
	struct arena arena;
	struct error err = {0};

	arena_init(&arena, 64 * MIB);
	bool ok = operation_run(&world->program->services, &arena, &operation, &result, &err);
	if (world->network.is_dead)
		stop_here();
	if (world->time.now_ns > operation.deadline_ns + SECOND_NS)
		broken("a call ended %lld ms after its deadline",
		       (long long)(world->time.now_ns - operation.deadline_ns) / MS_NS);
	if (ok)
		take_page(walk, &result);
	else if (world->is_calm || (err.code != ERROR_RATE_LIMITED && err.code != ERROR_TIMEOUT &&
				    err.code != ERROR_UPSTREAM))
		broken("a page of %s: %s", walk->resource, err.message);
	arena_finish(&arena);
	if (ok && walk->cursor_len == 0)
		end_walk(world, walk);
	if (!ok)
		loop_sleep_ms(1000);
}

static void walk_on(void *context)
{
	struct world *world = &the_world;
	struct walk *walk = context;

	for (;;) {
		if (world->network.is_dead)
			return;
		if (!walk->is_under_way && world->is_calm)
			return;
		if (!walk->is_under_way)
			begin_walk(world, walk);
		step_walk(world, walk);
		loop_sleep_ms(between(&world->chance, 0, walk->is_under_way ? 3000 : 60000));
	}
}

static void begin(struct world *world)
{
	static const char *const resources[][2] = {
		{"candidates", "candidates"}, {"candidates", "candidates"}, {"tags", "tags"}};
	struct reads *reads = calloc(1, sizeof *reads);

	if (reads == NULL)
		die("out of memory");
	world->state = reads;
	for (size_t i = 0; i < WALKERS; i++) {
		reads->walks[i].resource = resources[i][0];
		reads->walks[i].collection = resources[i][1];
	}
}

static void start(struct world *world)
{
	struct reads *reads = world->state;

	for (size_t i = 0; i < WALKERS; i++)
		loop_spawn(world->program->loop, walk_on, &reads->walks[i]);
}

static void finish(struct world *world)
{
	struct reads *reads = world->state;

	for (size_t i = 0; i < WALKERS; i++)
		while (reads->walks[i].is_under_way)
			loop_sleep_ms(1000);
	if (reads->finished == 0)
		broken("no walk was finished");
}

const struct scenario scenario_reads = {
	.name = "reads",
	.storm_s = 1200,
	.share = 50,
	.begin = begin,
	.start = start,
	.finish = finish,
};
