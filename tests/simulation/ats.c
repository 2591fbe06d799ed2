/* The ATS: the sandbox of the program, called without a network. */
#include "simulation.h"

static void answer(struct world *world, struct http_exchange *exchange)
{
	struct http_handler *handler = sandbox_handler(world->sandbox);

	handler->handle(handler, exchange);
}

/* Calls that went out in time may come in a bunch. */
static void check_allowance(struct world *world)
{
	struct allowance *allowance = &world->allowance;

	/* Each of two programs keeps to it for itself. */
	if (world->has_two_programs)
		return;
	double rate = (double)LIMIT_REQUESTS / LIMIT_SECONDS;
	double late_s = (double)world->network.weather.latency_ms / 1e3;

	allowance->left += (double)(world->time.now_ns - allowance->filled_ns) / 1e9 * rate;
	if (allowance->left > LIMIT_REQUESTS)
		allowance->left = LIMIT_REQUESTS;
	allowance->filled_ns = world->time.now_ns;
	allowance->left -= 1;
	if (allowance->left < -(1 + rate * late_s))
		broken("the ATS is called more often than the account allows");
	if (world->ats.under_way > LIMIT_CONCURRENT)
		broken("%zu calls to the ATS at once", world->ats.under_way);
}

/* --- a list that passes over a record -------------------------------------------------------- */

/* While others move, some lists do; no record twice, as an ATS that keeps one from its lists for
 * good has deleted it. What a merge gives to another candidate, lists that are being read may have
 * passed over already. */
enum { PASSED_MAX = 4000 };
static struct {
	uint64_t one_in;
	int64_t ids[PASSED_MAX];
	size_t count;
} passed;

void ats_pass_over(struct world *world, uint64_t one_in)
{
	(void)world;
	passed.one_in = one_in;
}

static bool was_passed(int64_t id)
{
	for (size_t i = 0; i < passed.count; i++)
		if (passed.ids[i] == id)
			return true;
	return false;
}

static void note_merged(struct json changes)
{
	for (uint32_t i = 0; i < changes.count; i++) {
		struct json change = json_at(changes, i);
		struct json candidates =
			json_get_c(json_get_c(change, "touched"), "candidates");

		if (!str_equal(json_get_str(change, "change"), STR("merged")))
			continue;
		for (uint32_t k = 0; k < candidates.count && passed.count < PASSED_MAX; k++)
			passed.ids[passed.count++] = to_int(json_at(candidates, k));
	}
}

static struct json without(struct arena *arena, struct json list, size_t at)
{
	struct json_builder out;

	json_builder_init(&out, arena);
	for (uint32_t i = 0; i < list.count; i++)
		if (i != at)
			json_builder_add(&out, json_at(list, i));
	return json_builder_array(&out);
}

/* Asks for one more than the caller does; 0: not of this list. */
static int64_t ask_for_more(struct world *world, struct http_exchange *exchange)
{
	struct http_field *fields = arena_array(exchange->arena, exchange->query_count + 1,
						sizeof *fields);
	int64_t limit = 0;

	if (passed.one_in == 0 || world->is_calm || exchange->method != HTTP_GET ||
	    !str_ends_with(exchange->path, STR("/candidates")) ||
	    !chance(&world->chance, passed.one_in) || passed.count == PASSED_MAX)
		return 0;
	for (size_t i = 0; i < exchange->query_count; i++) {
		fields[i] = exchange->query[i];
		if (!str_equal_c(fields[i].name, "limit") || !str_to_int64(fields[i].value, &limit))
			continue;
		fields[i].value = arena_format(exchange->arena, "%lld", (long long)limit + 1);
	}
	exchange->query = fields;
	return limit;
}

/* Takes one out of a page that another follows, which is as full as it would be. */
static void pass_over(struct world *world, struct http_exchange *exchange, int64_t limit)
{
	struct json reply, list;
	struct json_builder out;
	struct error err;

	if (!json_parse(exchange->arena, exchange->reply, &json_limits_default, &reply, &err))
		return;
	list = json_get_c(reply, "candidates");
	if (list.count == 0)
		return;
	size_t at = (size_t)between(&world->chance, 0, list.count - 1);
	int64_t id = to_int(json_get_c(json_at(list, at), "id"));
	if ((int64_t)list.count <= limit || was_passed(id))
		at = list.count - 1;
	else
		passed.ids[passed.count++] = id;
	if ((int64_t)list.count <= limit)
		return;
	trace("%lld passes over %lld", (long long)world->time.now_ns, (long long)id);
	json_builder_init(&out, exchange->arena);
	for (uint32_t i = 0; i < reply.count; i++) {
		struct str name = json_name(&reply.members[i]);

		json_builder_set(&out, name,
				 str_equal_c(name, "candidates")
					 ? without(exchange->arena, list, at)
					 : reply.members[i].value);
	}
	exchange->reply = json_text(exchange->arena, json_builder_object(&out));
}

static void serve(struct peer *peer, struct http_exchange *exchange)
{
	check_allowance(peer->context);
	if (peer->listens != NULL)
		peer->listens(peer->context, exchange);
	int64_t limit = ask_for_more(peer->context, exchange);
	answer(peer->context, exchange);
	if (limit > 0)
		pass_over(peer->context, exchange, limit);
}

void ats_init(struct world *world, const char *source)
{
	struct error err;
	const char *folder = arena_c(&world->arena,
				     arena_format(&world->arena, "%s/sandbox/recruitee", source));
	struct sandbox_options options = {.folder = folder, .seed = 7, .candidates = 20,
					  .clock = &world->time.clock};

	world->sandbox = sandbox_create(&options, &err);
	if (world->sandbox == NULL)
		die("the sandbox: %s", err.message);
	world->token = sandbox_token(world->sandbox);
	world->company_id = str_slice(sandbox_base_path(world->sandbox), strlen("/c/"), SIZE_MAX);
	world->ats = (struct peer){.host = STR("api.recruitee.com"), .serve = serve,
				   .context = world, .answers_json = true};
	network_add(&world->network, &world->ats);
}

int ats_ask(struct world *world, struct arena *arena, enum http_method method, const char *target,
	    struct str body, struct json *reply)
{
	struct str query = str_from_c(target), path = str_cut(&query, '?');
	struct http_field *fields = NULL;
	struct error err;
	struct http_header headers[] = {
		{STR("host"), world->ats.host},
		{STR("content-type"), STR("application/json")},
		{STR("authorization"), arena_format(arena, "Bearer %.*s", STR_ARGS(world->token))}};
	struct http_exchange exchange = {
		.arena = arena, .method = method, .path = path, .headers = headers,
		.header_count = 3, .body = body, .status = 200,
		.content_type = STR("application/json")};

	if (query.len > 0 && !url_parse_query(arena, query, 100, &fields, &exchange.query_count, &err))
		die("a bad query: %s", target);
	exchange.query = fields;
	answer(world, &exchange);
	*reply = json_undefined();
	if (exchange.reply.len > 0 &&
	    !json_parse(arena, exchange.reply, &json_limits_default, reply, &err))
		*reply = json_undefined();
	return exchange.status;
}

int64_t to_int(struct json value)
{
	int64_t number;

	return json_to_int64(value, &number) ? number : 0;
}

/* --- life ------------------------------------------------------------------------------------ */

struct json ats_ids(struct world *world, struct arena *arena, const char *collection,
		    const char *which)
{
	struct json reply;
	struct str target = arena_format(arena, "/sandbox/truth?collection=%s", collection);

	ats_ask(world, arena, HTTP_GET, arena_c(arena, target), STR(""), &reply);
	return json_get_c(reply, which);
}

bool ats_has(struct world *world, const char *collection, struct str id)
{
	struct json reply;
	struct arena arena;

	arena_init(&arena, MIB);
	struct str target = arena_format(&arena, "/sandbox/record?collection=%s&id=%.*s&fields=id",
					 collection, STR_ARGS(id));
	int status = ats_ask(world, &arena, HTTP_GET, arena_c(&arena, target), STR(""), &reply);
	bool has = status == 200 && !json_get_c(reply, "deleted").boolean;
	arena_finish(&arena);
	return has;
}

static int64_t any_id(struct world *world, struct arena *arena, const char *collection)
{
	struct json ids = ats_ids(world, arena, collection, "ids");
	int64_t id = 0;

	if (ids.count > 0)
		id = to_int(json_at(ids, random_seeded_next(&world->chance) % ids.count));
	return id;
}

static struct json change(struct world *world, struct arena *arena, enum http_method method,
			  const char *path, struct str body)
{
	struct json reply;
	struct str target = arena_format(arena, "/c/%.*s%s", STR_ARGS(world->company_id), path);
	int status = ats_ask(world, arena, method, arena_c(arena, target), body, &reply);

	trace("%lld life %s %s %.*s: %d", (long long)world->time.now_ns, http_method_name(method),
	      path, STR_ARGS(body), status);
	if (status >= 500)
		die("%s %s: %d", http_method_name(method), path, status);
	world->life.changes++;
	return reply;
}

int64_t ats_change(struct world *world, enum http_method method, const char *path, struct str body)
{
	struct arena arena;

	arena_init(&arena, 64 * MIB);
	struct json reply = change(world, &arena, method, path, body);
	int64_t id = to_int(json_get_c(json_get_c(reply, "candidate"), "id"));
	if (id == 0)
		id = to_int(json_get_c(json_get_c(reply, "placement"), "candidate_id"));
	arena_finish(&arena);
	return id;
}

static void change_one(struct world *world, struct arena *arena)
{
	uint64_t dice = random_seeded_next(&world->chance) % 100;
	unsigned number = (unsigned)(random_seeded_next(&world->chance) % 1000);
	const char *const path = arena_zero(arena, 100);
	char *at = (char *)(uintptr_t)path;
	long long candidate = any_id(world, arena, "candidates");

	if (dice < 20 || candidate == 0) {
		change(world, arena, HTTP_POST, "/candidates",
		       arena_format(arena, "{\"candidate\":{\"name\":\"New %u\",\"emails\":"
					   "[\"new%u@example.com\"]}}", number, number));
	} else if (dice < 55) {
		snprintf(at, 100, "/candidates/%lld", candidate);
		change(world, arena, HTTP_PATCH, path,
		       arena_format(arena, "{\"candidate\":{\"name\":\"Renamed %u\"}}", number));
	} else if (dice < 65) {
		snprintf(at, 100, "/candidates/%lld", candidate);
		change(world, arena, HTTP_DELETE, path, STR(""));
	} else if (dice < 80) {
		snprintf(at, 100, "/candidates/%lld/tags", candidate);
		change(world, arena, HTTP_POST, path,
		       arena_format(arena, "{\"tags\":[\"tag %u\"]}", number % 7));
	} else {
		snprintf(at, 100, "/placements/%lld/%s", (long long)any_id(world, arena, "placements"),
			 dice < 90 ? "disqualify" : "requalify");
		change(world, arena, HTTP_PATCH, path, STR("{}"));
	}
}

void ats_step(struct world *world, size_t changes)
{
	struct arena arena;
	struct json reply;

	arena_init(&arena, 256 * MIB);
	struct str body = arena_format(&arena, "{\"changes\":%zu}", changes);
	int status = ats_ask(world, &arena, HTTP_POST, "/sandbox/step", body, &reply);
	trace("%lld step: %.*s", (long long)world->time.now_ns, STR_ARGS(json_text(&arena, reply)));
	if (status != 200)
		die("the sandbox makes no step: %d", status);
	note_merged(json_get_c(reply, "changes"));
	world->life.changes += changes;
	arena_finish(&arena);
}

void ats_live(struct world *world, size_t changes)
{
	struct arena arena;

	for (size_t i = 0; i < changes; i++) {
		if (chance(&world->chance, 2)) {
			ats_step(world, 1);
			continue;
		}
		arena_init(&arena, 64 * MIB);
		change_one(world, &arena);
		arena_finish(&arena);
	}
}

/* So that no seed has to make what all have. */
void ats_warm(struct world *world)
{
	static const char *const paths[] = {"candidates?limit=1000", "offers", "tags", "sources",
					    "departments", "locations"};
	struct arena arena;
	struct json reply, candidates;

	arena_init(&arena, 256 * MIB);
	for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
		struct str target = arena_format(&arena, "/c/%.*s/%s", STR_ARGS(world->company_id),
						 paths[i]);

		ats_ask(world, &arena, HTTP_GET, arena_c(&arena, target), STR(""), &reply);
		if (i == 0)
			candidates = json_get_c(reply, "candidates");
	}
	for (size_t i = 0; i < candidates.count; i++) {
		int64_t id = to_int(json_get_c(json_at(candidates, i), "id"));
		struct str target = arena_format(&arena, "/c/%.*s/candidates/%lld",
						 STR_ARGS(world->company_id), (long long)id);
		ats_ask(world, &arena, HTTP_GET, arena_c(&arena, target), STR(""), &reply);
	}
	arena_finish(&arena);
}
