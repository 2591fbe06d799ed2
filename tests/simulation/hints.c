/* The ATS tells by itself what it changes: its notices come late, twice, out of their order or not
 * at all, several of one record while the first is still followed, to programs that are killed
 * between storing and answering. No job runs but for its first load: what was answered with 200 is
 * in the copy soon, by its hints alone. */
#include <sodium.h>

#include "simulation.h"

enum { NOTICES_MAX = 4000, LOOK_MS = 1000, TRAVEL_MS = 40, SETTLE_MS = 300000 };

struct notice {
	int64_t number; /* its id; the same when it is sent again */
	int64_t candidate;
	int64_t due_ns;
	bool is_sent_again; /* although it was answered */
	bool is_over;
	bool is_under_way;
};

static const struct str secret = STR_INIT("a secret of the ATS, and ours");
static struct {
	struct notice list[NOTICES_MAX];
	size_t count, first; /* all before `first` are over */
	int64_t untold[NOTICES_MAX]; /* candidates whose notice was lost */
	size_t untold_count;
	uint64_t lost, repeated; /* one in so many */
	int64_t delay_ms;
} post;

/* --- the ATS tells --------------------------------------------------------------------------- */

static struct str make_body(struct arena *arena, const struct notice *notice)
{
	return arena_format(arena,
			    "{\"id\":%lld,\"event_type\":\"candidate_changed\","
			    "\"payload\":{\"candidate\":{\"id\":%lld}}}",
			    (long long)notice->number, (long long)notice->candidate);
}

static struct str sign(struct arena *arena, struct str body)
{
	unsigned char mac[crypto_auth_hmacsha256_BYTES];
	crypto_auth_hmacsha256_state state;
	char *hex = arena_alloc(arena, 2 * sizeof mac + 1);

	crypto_auth_hmacsha256_init(&state, (const unsigned char *)secret.data, secret.len);
	crypto_auth_hmacsha256_update(&state, (const unsigned char *)body.data, body.len);
	crypto_auth_hmacsha256_final(&state, mac);
	return str_from_c(sodium_bin2hex(hex, 2 * sizeof mac + 1, mac, sizeof mac));
}

static void travel(struct world *world)
{
	loop_sleep_ms(between(&world->chance, 0, TRAVEL_MS));
	if (world->network.is_dead)
		stop_here();
}

/* True: the ATS has heard that it was taken. */
static bool send(struct world *world, const struct notice *notice)
{
	enum inbound_outcome outcome;
	struct arena arena;
	struct error err;

	arena_init(&arena, 16 * MIB);
	struct str body = make_body(&arena, notice);
	const struct http_header header = {STR("x-recruitee-signature"), sign(&arena, body)};
	const struct inbound_notification notification = {.account_id = world->account.id,
							  .headers = &header,
							  .header_count = 1,
							  .body = body};

	travel(world);
	bool ok = inbound_receive(world->program->inbounds, &arena, &notification, &outcome, &err);
	must(world, ok || err.code == ERROR_RATE_LIMITED || err.code == ERROR_UNAVAILABLE,
	     "inbound_receive", &err);
	trace("%lld notice %lld of %lld: %d", (long long)world->time.now_ns,
	      (long long)notice->number, (long long)notice->candidate, ok ? (int)outcome : -1);
	arena_finish(&arena);
	travel(world);
	return ok && !chance(&world->network.seeded, world->network.weather.reset);
}

static void deliver(void *context)
{
	struct world *world = &the_world;
	struct notice *notice = context;

	loop_sleep_ms((notice->due_ns - world->time.now_ns) / MS_NS);
	if (world->network.is_dead)
		return;
	bool is_heard = send(world, notice);
	notice->is_over = is_heard && !notice->is_sent_again;
	notice->is_sent_again = notice->is_sent_again && !is_heard;
	notice->due_ns = world->time.now_ns + between(&world->chance, 100, 5000) * MS_NS;
	notice->is_under_way = false;
}

static void set_off(struct world *world, struct notice *notice)
{
	notice->is_under_way = true;
	loop_spawn(world->program->loop, deliver, notice);
}

static void tell(struct world *world, int64_t candidate)
{
	if (chance(&world->chance, post.lost)) {
		post.untold[post.untold_count++] = candidate;
		return;
	}
	if (post.count == NOTICES_MAX)
		die("too many notices");
	int64_t delay_ms = between(&world->chance, 0, post.delay_ms);
	post.list[post.count] = (struct notice){
		.number = (int64_t)post.count + 1,
		.candidate = candidate,
		.due_ns = world->time.now_ns + delay_ms * MS_NS,
		.is_sent_again = chance(&world->chance, post.repeated),
	};
	set_off(world, &post.list[post.count++]);
}

/* What is to be sent again, and what was under way to a program that is dead. */
static void carry_post(void *context)
{
	struct world *world = context;

	while (!world->network.is_dead) {
		while (post.first < post.count && post.list[post.first].is_over)
			post.first++;
		for (size_t i = post.first; i < post.count; i++)
			if (!post.list[i].is_over && !post.list[i].is_under_way)
				set_off(world, &post.list[i]);
		loop_sleep_ms(LOOK_MS);
	}
}

/* --- life ------------------------------------------------------------------------------------ */

static int64_t any_of(struct world *world, const char *collection)
{
	struct arena arena;

	arena_init(&arena, 4 * MIB);
	struct json ids = ats_ids(world, &arena, collection, "ids");
	/* Most happens to the same few. */
	size_t among = chance(&world->chance, 4) ? ids.count : ids.count / 6 + 1;
	int64_t id = ids.count == 0 ? 0
				    : to_int(json_at(ids, random_seeded_next(&world->chance) %
							     among));
	arena_finish(&arena);
	return id;
}

static void change_candidate(struct world *world, int64_t id)
{
	unsigned number = (unsigned)(random_seeded_next(&world->chance) % 1000000);
	uint64_t dice = random_seeded_next(&world->chance) % 10;
	char path[100], body[200];

	snprintf(path, sizeof path, "/candidates/%lld%s", (long long)id, dice < 3 ? "/tags" : "");
	snprintf(body, sizeof body,
		 dice < 3 ? "{\"tags\":[\"tag %u\"]}" : "{\"candidate\":{\"name\":\"Renamed %u\"}}",
		 number);
	if (dice == 9)
		(void)ats_change(world, HTTP_DELETE, path, STR(""));
	else
		(void)ats_change(world, dice < 3 ? HTTP_POST : HTTP_PATCH, path, str_from_c(body));
	tell(world, id);
}

static void change_placement(struct world *world)
{
	char path[100];

	snprintf(path, sizeof path, "/placements/%lld/%s", (long long)any_of(world, "placements"),
		 chance(&world->chance, 2) ? "disqualify" : "requalify");
	int64_t id = ats_change(world, HTTP_PATCH, path, STR("{}"));
	if (id != 0)
		tell(world, id);
}

static void create_one(struct world *world)
{
	char body[200];
	long long number = (long long)post.count;

	snprintf(body, sizeof body,
		 "{\"candidate\":{\"name\":\"New %lld\",\"emails\":[\"n%lld@example.com\"]},"
		 "\"offers\":[%lld]}",
		 number, number, (long long)any_of(world, "offers"));
	int64_t id = ats_change(world, HTTP_POST, "/candidates", str_from_c(body));
	if (id != 0)
		tell(world, id);
}

/* Often several of one, at short intervals. */
static void live(struct world *world)
{
	uint64_t dice = random_seeded_next(&world->chance) % 10;
	int64_t id = any_of(world, "candidates");

	if (dice < 2 || id == 0) {
		create_one(world);
	} else if (dice < 4) {
		change_placement(world);
	} else {
		for (int64_t left = between(&world->chance, 1, 5); left > 0; left--) {
			change_candidate(world, id);
			loop_sleep_ms(between(&world->chance, 0, 400));
			if (world->network.is_dead || world->is_calm)
				return;
		}
	}
}

/* --- the program ----------------------------------------------------------------------------- */

static void prepare(struct world *world)
{
	struct arena arena;
	struct error err;

	arena_init(&arena, 4 * MIB);
	if (!inbound_set(world->program->inbounds, &arena, &world->account, secret, 0, &err))
		die("the secret of the notices: %s", err.message);
	arena_finish(&arena);
}

static void begin(struct world *world)
{
	post.lost = chance(&world->chance, 3) ? 10 : 0;
	post.repeated = chance(&world->chance, 2) ? 5 : 0;
	post.delay_ms = chance(&world->chance, 2) ? 50 : 8000;
	world->page_records = between(&world->chance, 4, 20);
	world->life.gap_ms = between(&world->chance, 2000, 12000);
	world->network.weather.latency_ms = between(&world->chance, 20, 1500);
	world->kill_ms = 60000;
}

static void make_jobs(void *context)
{
	struct world *world = context;
	static const char *const resources[] = {"candidates", "applications"};
	struct sync_job wanted;

	for (size_t i = 0; i < sizeof resources / sizeof *resources; i++) {
		sync_job_init(&wanted);
		wanted.interval_ms = (int64_t)SYNC_INTERVAL_SECONDS_MAX * 1000;
		wanted.tells_first = true;
		jobs_make(world, &wanted, resources[i]);
	}
}

static void start(struct world *world)
{
	for (size_t i = post.first; i < post.count; i++)
		post.list[i].is_under_way = false;
	jobs_start_runners(world);
	loop_spawn(world->program->loop, make_jobs, world);
	loop_spawn(world->program->loop, carry_post, world);
	loop_spawn(world->program->loop, jobs_watch_deletions, world);
}

static void finish(struct world *world)
{
	struct arena arena;

	make_jobs(world);
	post.lost = 0;
	for (size_t i = 0; i < post.untold_count; i++)
		tell(world, post.untold[i]);
	for (int s = 0; post.first < post.count; s++) {
		if (s > 3600)
			broken("%zu notices are not taken", post.count - post.first);
		loop_sleep_ms(1000);
	}
	loop_sleep_ms(SETTLE_MS);
	arena_init(&arena, 256 * MIB);
	check_copy(world, "candidates", read_live(world, &arena, "candidates", false),
		   read_live(world, &arena, "candidates", true));
	arena_finish(&arena);
	jobs_check(world, "applications");
}

const struct scenario scenario_hints = {
	.name = "hints",
	.storm_s = 300,
	.share = 40,
	.prepare = prepare,
	.begin = begin,
	.start = start,
	.finish = finish,
	.live = live,
	.has_notices = true,
};
