/* What must be so when all is calm. */
#include "base/map.h"
#include "simulation.h"

enum { PAGE = 1000 };

struct copy_place place_of(const struct world *world, const char *resource)
{
	return (struct copy_place){world->environment.id, world->account.id,
				   str_from_c(resource)};
}

struct json read_live(struct world *world, struct arena *arena, const char *resource, bool expand)
{
	struct operation operation = {.account = &world->account,
				      .resource = str_from_c(resource),
				      .expand = expand,
				      .limit = expand ? 20 : PAGE};
	struct operation_result result;
	struct json_builder all;
	struct error err;

	json_builder_init(&all, arena);
	do {
		operation.deadline_ns = world->time.now_ns + 120 * SECOND_NS;
		if (!operation_run(&world->program->services, arena, &operation, &result, &err))
			broken("%s cannot be read: %s", resource, err.message);
		for (uint32_t i = 0; i < result.items.count; i++)
			json_builder_add(&all, json_at(result.items, i));
		operation.cursor = result.next_cursor;
	} while (operation.cursor.len > 0);
	return json_builder_array(&all);
}

/* --- events ---------------------------------------------------------------------------------- */

/* What the events tell of one record. */
struct tale {
	struct str resource, id;
	int64_t version;
	bool is_alive;
	bool was_deleted;
	struct str body;
};

struct telling {
	struct world *world;
	struct arena arena;
	struct map tales;
	int64_t number;
};

static struct tale *find_tale(struct telling *telling, const struct event *event)
{
	struct arena *arena = &telling->arena;
	struct str key = arena_format(arena, "%.*s/%.*s", STR_ARGS(event->resource),
				      STR_ARGS(event->record_id));
	struct tale *tale = map_get(&telling->tales, key);

	if (tale != NULL)
		return tale;
	tale = arena_zero(arena, sizeof *tale);
	tale->resource = event->resource;
	tale->id = event->record_id;
	map_put(&telling->tales, key, tale);
	return tale;
}

static void hear(struct telling *telling, const struct event *event)
{
	struct tale *tale = find_tale(telling, event);
	bool is_record = str_starts_with(event->type, STR("record:"));
	bool is_created = str_equal_c(event->type, "record:created");

	/* What a change means is told with it. */
	if (event->version != tale->version + is_record)
		broken("event %lld: %.*s of %.*s %.*s has version %lld after %lld",
		       (long long)event->number, STR_ARGS(event->type), STR_ARGS(event->resource),
		       STR_ARGS(event->record_id), (long long)event->version,
		       (long long)tale->version);
	tale->version = event->version;
	telling->world->record_events++;
	if (!is_record)
		return;
	if (is_created == tale->is_alive)
		broken("event %lld: %.*s of %.*s %.*s, which is %s", (long long)event->number,
		       STR_ARGS(event->type), STR_ARGS(event->resource),
		       STR_ARGS(event->record_id), tale->is_alive ? "alive" : "not there");
	/* No ATS gives an id twice: who comes back was never gone. */
	if (is_created && tale->was_deleted)
		broken("event %lld: %.*s %.*s was told to be deleted while it was not",
		       (long long)event->number, STR_ARGS(event->resource),
		       STR_ARGS(event->record_id));
	tale->is_alive = !str_equal_c(event->type, "record:deleted");
	tale->was_deleted |= !tale->is_alive;
	tale->body = json_text(&telling->arena, json_get_c(event->payload, "record"));
}

static void hear_all(struct telling *telling)
{
	struct event_query query = {.environment_id = telling->world->environment.id,
				    .limit = PAGE};
	struct event_page page;
	struct error err;

	do {
		query.after = telling->number;
		if (!event_read(telling->world->program->store, &telling->arena, &query, &page,
				&err))
			broken("the events: %s", err.message);
		for (size_t i = 0; i < page.count; i++) {
			const struct event *event = &page.items[i];

			if (event->number != ++telling->number)
				broken("event %lld comes where %lld is due",
				       (long long)event->number, (long long)telling->number);
			if (event->resource.len > 0)
				hear(telling, event);
			telling->world->steps += str_equal_c(event->type, "simulation:step");
		}
	} while (!page.is_end);
}

static void compare_tale(struct telling *telling, const struct tale *tale)
{
	struct copy_place place = {telling->world->environment.id, telling->world->account.id,
				   tale->resource};
	struct copy_record record;
	struct error err;

	if (!copy_get(telling->world->program->copies, &telling->arena, &place, tale->id, &record,
		      &err))
		broken("events tell of %.*s %.*s, and the copy does not: %s",
		       STR_ARGS(tale->resource), STR_ARGS(tale->id), err.message);
	if (record.version != tale->version || (record.deleted_ms == 0) != tale->is_alive)
		broken("%.*s %.*s has version %lld, deleted %lld; its events end with %lld, %s",
		       STR_ARGS(tale->resource), STR_ARGS(tale->id), (long long)record.version,
		       (long long)record.deleted_ms, (long long)tale->version,
		       tale->is_alive ? "alive" : "gone");
	if (tale->is_alive && !str_equal(tale->body, record.body))
		broken("%.*s %.*s is %.*s; its events end with %.*s", STR_ARGS(tale->resource),
		       STR_ARGS(tale->id), STR_ARGS(record.body), STR_ARGS(tale->body));
}

void check_events(struct world *world)
{
	struct telling telling = {.world = world};
	struct str key;
	size_t at = 0;
	void *tale;

	arena_init(&telling.arena, 512 * MIB);
	map_init(&telling.tales, &world->program_random);
	world->record_events = world->steps = 0;
	hear_all(&telling);
	while (map_next(&telling.tales, &at, &key, &tale))
		compare_tale(&telling, tale);
	trace("%lld events of %zu records", (long long)telling.number, telling.tales.count);
	world->events = (uint64_t)telling.number;
	map_finish(&telling.tales);
	arena_finish(&telling.arena);
}

/* --- the copy -------------------------------------------------------------------------------- */

/* A list has another picture of a person than their record has. Who hired is told by name where
 * another record of the page refers to them, too. What a job counts changes without the job, and
 * may be again what it was when the list was read: then the list does not tell that the whole
 * record has to be fetched anew. */
static bool is_moody(struct str name, bool is_whole)
{
	return str_equal_c(name, "photo_url") || str_equal_c(name, "hired_by") ||
	       (is_whole && str_equal_c(name, "counts"));
}

static void compare_record(struct arena *arena, const char *resource, struct json live,
			   struct json whole, const struct copy_record *copied)
{
	struct json body;
	struct error err;

	if (!json_parse(arena, copied->body, &json_limits_default, &body, &err))
		broken("%s %.*s: %s", resource, STR_ARGS(copied->id), err.message);
	for (uint32_t i = 0; i < live.count; i++) {
		struct str name = json_name(&live.members[i]);

		if (is_moody(name, json_is(whole, JSON_OBJECT)))
			continue;
		if (!json_equal(live.members[i].value, json_get(body, name)) &&
		    !json_equal(json_get(whole, name), json_get(body, name)))
			broken("%s %.*s: %.*s is %.*s, in the copy %.*s", resource,
			       STR_ARGS(copied->id), STR_ARGS(name),
			       STR_ARGS(json_text(arena, live.members[i].value)),
			       STR_ARGS(json_text(arena, json_get(body, name))));
	}
}

static struct json find_live(struct json live, struct str id)
{
	for (uint32_t i = 0; i < live.count; i++)
		if (str_equal(json_get_str(json_at(live, i), "id"), id))
			return json_at(live, i);
	return json_undefined();
}

void check_copy(struct world *world, const char *resource, struct json live, struct json whole)
{
	struct copy_place place = place_of(world, resource);
	struct copy_record *list;
	struct copy_state state;
	struct arena arena;
	struct error err;
	size_t count;

	arena_init(&arena, 256 * MIB);
	if (!copy_walk(world->program->copies, &arena, &place, 0, PAGE, false, &list, &count,
		       &err) ||
	    !copy_read_state(world->program->copies, &arena, &place, &state, &err))
		broken("the copy of %s: %s", resource, err.message);
	for (size_t i = 0; i < count; i++) {
		struct json record = find_live(live, list[i].id);

		if (json_is(record, JSON_UNDEFINED))
			broken("%s %.*s is in the copy, and gone", resource, STR_ARGS(list[i].id));
		compare_record(&arena, resource, record, find_live(whole, list[i].id), &list[i]);
	}
	if (count != live.count || state.record_count != (int64_t)count)
		broken("the copy has %zu %s and says %lld; the ATS has %u", count, resource,
		       (long long)state.record_count, live.count);
	arena_finish(&arena);
}
