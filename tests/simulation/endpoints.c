/* A week of five endpoints: one whose secret is changed now and then, one that says when to come
 * again, one that is gone some day, one that is down for days, one that fails at times. What is sent
 * to each is what its owner asked for, in programs that are killed. */
#include <sodium.h>

#include "simulation.h"

enum {
	ENDPOINTS = 5,
	STEADY = 0,
	BUSY = 1,
	GONE = 2,
	DOWN = 3,
	SHAKY = 4,
	EVENTS_MAX = 1000,
	SECRETS_MAX = 100,
	RECORDS = 6,
	SLACK_S = 30,
	SECRET_BYTES = 32,
};
#define HOUR_NS (3600 * SECOND_NS)

struct known_secret {
	unsigned char bytes[SECRET_BYTES];
	int64_t from_ms, until_ms; /* 0: the present one */
};

struct told {
	struct str body; /* as it was heard first */
	bool is_taken;
	bool is_passed; /* the next one of its record has come: it must have been given up */
	uint64_t times, times_wanted;
};

struct endpoint {
	struct peer peer;
	char host[32];
	struct str webhook_id;
	struct known_secret secrets[SECRETS_MAX];
	size_t secret_count;
	bool has_unknown_secret; /* of a change that was killed before it was told */
	struct told told[EVENTS_MAX];
	int64_t latest[RECORDS]; /* number of the last event of each record that was heard */
	int64_t quiet_from_ns, quiet_until_ns; /* it has asked for that, and may not have been heard */
	uint64_t quiet_kills;
	int64_t heard_ns;    /* the last call */
	int64_t ends_ns;     /* from when on nothing may come any more */
	int64_t down_until_ns;
};

static struct endpoint endpoints[ENDPOINTS];
static int64_t versions[RECORDS];

/* --- hearing --------------------------------------------------------------------------------- */

static bool has_signature(struct str list, const char *wanted)
{
	while (list.len > 0)
		if (str_equal_c(str_cut(&list, ' '), wanted))
			return true;
	return false;
}

static void sign(const struct known_secret *secret, struct str text, char out[64])
{
	unsigned char mac[crypto_auth_hmacsha256_BYTES];
	crypto_auth_hmacsha256_state state;

	crypto_auth_hmacsha256_init(&state, secret->bytes, sizeof secret->bytes);
	crypto_auth_hmacsha256_update(&state, (const unsigned char *)text.data, text.len);
	crypto_auth_hmacsha256_final(&state, mac);
	snprintf(out, 64, "v1,");
	sodium_bin2base64(out + 3, 60, mac, sizeof mac, sodium_base64_VARIANT_ORIGINAL);
}

/* Under each secret that is good at the time, and none that is not any more. */
static void check_signature(const struct endpoint *endpoint, const struct http_exchange *exchange)
{
	struct str id = http_exchange_header(exchange, "webhook-id");
	struct str stamp = http_exchange_header(exchange, "webhook-timestamp");
	struct str given = http_exchange_header(exchange, "webhook-signature");
	struct str text = arena_format(exchange->arena, "%.*s.%.*s.%.*s", STR_ARGS(id),
				       STR_ARGS(stamp), STR_ARGS(exchange->body));
	int64_t seconds, slack_ms = SLACK_S * 1000;
	char wanted[64];

	if (!str_to_int64(stamp, &seconds))
		broken("%.*s is of %.*s", STR_ARGS(id), STR_ARGS(stamp));
	for (size_t i = 0; i < endpoint->secret_count && !endpoint->has_unknown_secret; i++) {
		const struct known_secret *secret = &endpoint->secrets[i];

		sign(secret, text, wanted);
		bool is_signed = has_signature(given, wanted);
		int64_t at_ms = seconds * 1000;
		if (!is_signed && at_ms > secret->from_ms + slack_ms &&
		    (secret->until_ms == 0 || at_ms < secret->until_ms - slack_ms))
			broken("%.*s is not signed under secret %zu of %s", STR_ARGS(id), i,
			       endpoint->host);
		if (is_signed && secret->until_ms > 0 && at_ms > secret->until_ms + slack_ms)
			broken("%.*s is signed under secret %zu of %s, which is over", STR_ARGS(id),
			       i, endpoint->host);
	}
}

static struct told *find_told(struct endpoint *endpoint, const struct http_exchange *exchange)
{
	int64_t number;

	if (!event_read_id(the_world.environment.id, http_exchange_header(exchange, "webhook-id"),
			   &number) ||
	    number < 1 || number >= EVENTS_MAX)
		broken("%s hears a message that is none", endpoint->host);
	return &endpoint->told[number];
}

/* Of one record in their order. */
static void check_order(struct endpoint *endpoint, const struct told *told,
			const struct http_exchange *exchange)
{
	int64_t number = told - endpoint->told, record;
	struct json event;
	struct error err;

	if (!json_parse(exchange->arena, exchange->body, &json_limits_default, &event, &err))
		broken("a message that is none: %.*s", STR_ARGS(exchange->body));
	if (!str_to_int64(json_get_str(event, "record_id"), &record))
		return;
	struct told *before = &endpoint->told[endpoint->latest[record]];
	if (endpoint->latest[record] > number)
		broken("%s hears event %lld after %lld", endpoint->host, (long long)number,
		       (long long)endpoint->latest[record]);
	if (endpoint->latest[record] > 0)
		before->is_passed |= !before->is_taken;
	endpoint->latest[record] = number;
}

static void hear(struct endpoint *endpoint, struct told *told, const struct http_exchange *exchange)
{
	int64_t now_ns = the_world.time.now_ns;

	if (endpoint->ends_ns > 0 && now_ns > endpoint->ends_ns + SLACK_S * SECOND_NS)
		broken("%s is called, although it is over", endpoint->host);
	if (now_ns > endpoint->quiet_from_ns && now_ns < endpoint->quiet_until_ns &&
	    endpoint->quiet_kills == the_world.kills)
		broken("%s is called %.1f s before it wants to be", endpoint->host,
		       (double)(endpoint->quiet_until_ns - now_ns) / 1e9);
	check_signature(endpoint, exchange);
	if (told->times == 0) {
		told->body = arena_str(&the_world.arena, exchange->body);
		check_order(endpoint, told, exchange);
	} else if (!str_equal(told->body, exchange->body)) {
		broken("event %zu was %.*s, and is %.*s", (size_t)(told - endpoint->told),
		       STR_ARGS(told->body), STR_ARGS(exchange->body));
	}
	told->times++;
	endpoint->heard_ns = now_ns;
}

static void ask_for_quiet(struct http_exchange *exchange)
{
	struct world *world = &the_world;
	int64_t seconds = between(&world->chance, 5, chance(&world->chance, 2) ? 60 : 7200);

	exchange->status = chance(&world->chance, 2) ? 429 : 503;
	http_exchange_set_header(exchange, "Retry-After",
				 arena_format(exchange->arena, "%lld", (long long)seconds));
}

static int choose_status(struct endpoint *endpoint, struct http_exchange *exchange)
{
	struct world *world = &the_world;
	size_t which = (size_t)(endpoint - endpoints);

	if (which == GONE && world->time.now_ns > endpoint->down_until_ns)
		return 410;
	if (world->is_calm)
		return 200;
	if (which == DOWN && world->time.now_ns < endpoint->down_until_ns)
		return chance(&world->chance, 2) ? 500 : 404;
	if (which == SHAKY && chance(&world->chance, 2))
		return 500;
	if (which == BUSY && chance(&world->chance, 3)) {
		ask_for_quiet(exchange);
		return exchange->status;
	}
	return chance(&world->chance, 20) ? 500 : 200;
}

static void serve(struct peer *peer, struct http_exchange *exchange)
{
	struct endpoint *endpoint = peer->context;
	struct told *told = find_told(endpoint, exchange);

	hear(endpoint, told, exchange);
	exchange->status = choose_status(endpoint, exchange);
	exchange->reply = STR("{}");
	told->is_taken |= exchange->status == 200;
	trace("%lld %s hears %zu: %d", (long long)the_world.time.now_ns, endpoint->host,
	      (size_t)(told - endpoint->told), exchange->status);
}

/* Its answer is there: what it asks for goes from now on. */
static void answered(struct peer *peer, const struct http_response *response)
{
	struct endpoint *endpoint = peer->context;
	struct str after = http_response_header(response, "retry-after");
	int64_t seconds, now_ns = the_world.time.now_ns;

	if (response->status == 410 && endpoint->ends_ns == 0)
		endpoint->ends_ns = now_ns;
	if (!str_to_int64(after, &seconds))
		return;
	/* A program does not know what the one before it was asked. */
	if (endpoint->quiet_kills != the_world.kills)
		endpoint->quiet_until_ns = 0;
	endpoint->quiet_kills = the_world.kills;
	/* What was on its way is not called back. */
	if (endpoint->quiet_until_ns < now_ns)
		endpoint->quiet_from_ns = now_ns + 2 * SECOND_NS;
	if (endpoint->quiet_until_ns < now_ns + seconds * SECOND_NS)
		endpoint->quiet_until_ns = now_ns + seconds * SECOND_NS - 5 * MS_NS;
}

/* --- their owner ----------------------------------------------------------------------------- */

static void learn(struct endpoint *endpoint, struct str text, int64_t from_ms)
{
	struct known_secret *secret = &endpoint->secrets[endpoint->secret_count];
	size_t len;

	if (endpoint->secret_count++ == SECRETS_MAX ||
	    sodium_base642bin(secret->bytes, sizeof secret->bytes, text.data + strlen("whsec_"),
			      text.len - strlen("whsec_"), NULL, &len, NULL,
			      sodium_base64_VARIANT_ORIGINAL) != 0)
		die("the secret of %s", endpoint->host);
	secret->from_ms = from_ms;
}

static void find(struct world *world, struct arena *arena, const struct endpoint *endpoint,
		 struct webhook *webhook)
{
	struct error err;

	must(world,
	     webhook_find(world->program->webhooks, arena, world->environment.id,
			  endpoint->webhook_id, webhook, &err),
	     "webhook_find", &err);
}

static void rotate(struct world *world, struct endpoint *endpoint)
{
	int64_t overlap_ms = chance(&world->chance, 3) ? 0 : between(&world->chance, 1, 72) * 600000;
	struct webhook_secret secret;
	struct webhook webhook;
	struct arena arena;
	struct error err;

	if (endpoint->secret_count == SECRETS_MAX)
		return;
	arena_init(&arena, 4 * MIB);
	find(world, &arena, endpoint, &webhook);
	/* Until it is known what has come of it. */
	endpoint->has_unknown_secret = true;
	bool ok = webhook_rotate(world->program->webhooks, &arena, &webhook, overlap_ms, &secret,
				 &err);
	must(world, ok || err.code == ERROR_LIMIT || err.code == ERROR_CONFLICT, "webhook_rotate",
	     &err);
	endpoint->has_unknown_secret = false;
	int64_t now_ms = clock_unix_ms(&world->time.clock);
	for (size_t i = 0; ok && i < endpoint->secret_count; i++) {
		int64_t *until_ms = &endpoint->secrets[i].until_ms;

		if (*until_ms == 0 || *until_ms > now_ms + overlap_ms)
			*until_ms = now_ms + overlap_ms;
	}
	if (ok)
		learn(endpoint, secret.secret, now_ms);
	arena_finish(&arena);
}

static int64_t newest(struct world *world)
{
	struct arena arena;
	struct error err;
	int64_t number;

	arena_init(&arena, MIB);
	must(world,
	     event_newest(world->program->store, &arena, world->environment.id, &number, &err),
	     "event_newest", &err);
	arena_finish(&arena);
	return number;
}

/* One, or a range: each is heard again. */
static void replay(struct world *world, struct endpoint *endpoint, int64_t after, int64_t until)
{
	uint64_t before[EVENTS_MAX];
	struct webhook webhook;
	struct arena arena;
	struct error err;
	int64_t last;
	size_t count;

	arena_init(&arena, 16 * MIB);
	find(world, &arena, endpoint, &webhook);
	for (int64_t n = after + 1; n <= until; n++)
		before[n] = endpoint->told[n].times;
	must(world,
	     webhook_replay(world->program->webhooks, &arena, &webhook, after, until, &count, &last,
			    &err),
	     "webhook_replay", &err);
	if ((int64_t)count != until - after || last != until)
		broken("%zu events of %lld to %lld are sent again, up to %lld", count,
		       (long long)after + 1, (long long)until, (long long)last);
	for (int64_t n = after + 1; n <= until; n++)
		endpoint->told[n].times_wanted = before[n] + 1;
	trace("%lld replay %s %lld to %lld", (long long)world->time.now_ns, endpoint->host,
	      (long long)after, (long long)until);
	arena_finish(&arena);
}

static void look_after(void *context)
{
	struct world *world = context;
	struct endpoint *endpoint = &endpoints[STEADY];

	if (endpoint->has_unknown_secret)
		rotate(world, endpoint);
	while (!world->is_calm && !world->network.is_dead) {
		loop_sleep_ms(between(&world->chance, 1, 600) * 60000);
		if (world->is_calm || world->network.is_dead)
			return;
		int64_t until = newest(world);
		int64_t after = until == 0 ? 0 : between(&world->chance, 0, until - 1);
		if (chance(&world->chance, 2))
			rotate(world, endpoint);
		else if (until > 0)
			replay(world, endpoint, after,
			       chance(&world->chance, 2) ? after + 1 : until);
	}
}

/* --- what happens ---------------------------------------------------------------------------- */

static void live(struct world *world)
{
	struct error err;
	struct arena arena;

	arena_init(&arena, MIB);
	for (int64_t left = between(&world->chance, 1, 3); left > 0; left--) {
		int64_t record = between(&world->chance, 0, RECORDS - 1);
		const struct event_new event = {
			.environment_id = world->environment.id,
			.account_id = world->account.id,
			.type = STR("record:updated"),
			.resource = STR("candidates"),
			.record_id = arena_format(&arena, "%lld", (long long)record),
			.version = versions[record] + 1,
			.payload = STR("{}"),
			.created_ms = clock_unix_ms(&world->time.clock),
		};
		const struct store_statement statement = event_statement(&arena, &event);

		must(world, store_write(world->program->store, &statement, 1, &err), "store_write",
		     &err);
		versions[record]++;
	}
	arena_finish(&arena);
}

static void create(struct world *world, struct endpoint *endpoint)
{
	struct arena *arena = &world->arena;
	struct webhook webhook = {.environment_id = world->environment.id, .state = STR("active")};
	struct webhook_secret secret;
	struct json body;
	struct error err;
	struct str text =
		arena_format(arena, "{\"target_url\":\"https://%s/in\"}", endpoint->host);
	struct webhooks *webhooks = world->program->webhooks;

	if (!json_parse(arena, text, &json_limits_default, &body, &err) ||
	    !webhook_read(webhooks, arena, body, &webhook, &err) ||
	    !webhook_create(webhooks, arena, &webhook, 0, false, &secret, &err))
		die("the webhook: %s %s", err.field, err.message);
	endpoint->webhook_id = webhook.id;
	learn(endpoint, secret.secret, clock_unix_ms(&world->time.clock));
}

static void prepare(struct world *world)
{
	for (size_t i = 0; i < ENDPOINTS; i++) {
		struct endpoint *endpoint = &endpoints[i];

		snprintf(endpoint->host, sizeof endpoint->host, "hooks-%zu.example.com", i);
		endpoint->peer = (struct peer){.host = str_from_c(endpoint->host), .serve = serve,
					       .answered = answered, .context = endpoint};
		network_add(&world->network, &endpoint->peer);
		create(world, endpoint);
	}
}

static void begin(struct world *world)
{
	struct random_seeded *seeded = &world->chance;

	world->storm_ends_ns = world->time.now_ns + between(seeded, 168, 190) * HOUR_NS;
	world->life.gap_ms = between(seeded, 1, 4) * 3600000;
	world->kill_ms = 48 * 3600000;
	endpoints[GONE].down_until_ns = world->time.now_ns + between(seeded, 1, 100) * HOUR_NS;
	/* For good, or almost as long as may be. */
	endpoints[DOWN].down_until_ns = chance(seeded, 2) ? INT64_MAX
							   : between(seeded, 30, 118) * HOUR_NS;
}

static void start(struct world *world)
{
	struct program *program = world->program;

	for (size_t i = 0; i < 2; i++) {
		program->hooks[i] = (struct webhook_runner){.webhooks = program->webhooks,
							    .loop = program->loop,
							    .client = &world->network.client,
							    .index = i,
							    .of = 2};
		webhook_runner_start(&program->hooks[i]);
	}
	loop_spawn(program->loop, look_after, world);
}

/* --- the end --------------------------------------------------------------------------------- */

/* The event that tells of its end; 0: there is none. */
static int64_t find_end(struct world *world, struct arena *arena, const struct endpoint *endpoint,
			const char *type)
{
	struct event_query query = {.environment_id = world->environment.id,
				    .limit = 1000,
				    .types = arena_format(arena, "[\"%s\"]", type)};
	struct event_page page;
	struct error err;
	int64_t at_ms = 0;

	must(world, event_read(world->program->store, arena, &query, &page, &err), "event_read",
	     &err);
	for (size_t i = 0; i < page.count; i++) {
		if (!str_equal(json_get_str(page.items[i].payload, "id"), endpoint->webhook_id))
			continue;
		if (at_ms > 0)
			broken("%s is told twice of %s", type, endpoint->host);
		at_ms = page.items[i].created_ms;
	}
	return at_ms;
}

static void check_ends(struct world *world)
{
	struct webhook gone, down;
	struct arena arena;

	arena_init(&arena, 16 * MIB);
	find(world, &arena, &endpoints[GONE], &gone);
	find(world, &arena, &endpoints[DOWN], &down);
	if (!str_equal_c(gone.state, "gone") ||
	    find_end(world, &arena, &endpoints[GONE], "webhook:gone") == 0)
		broken("an endpoint that is gone is %.*s", STR_ARGS(gone.state));
	bool is_down = endpoints[DOWN].down_until_ns == INT64_MAX;
	int64_t at_ms = find_end(world, &arena, &endpoints[DOWN], "webhook:paused");
	int64_t down_ms = at_ms - (clock_unix_ms(&world->time.clock) -
				   (world->time.now_ns - SECOND_NS) / MS_NS);
	if (str_equal_c(down.state, is_down ? "active" : "paused") || (at_ms > 0) != is_down)
		broken("an endpoint that was down %s is %.*s", is_down ? "all the time" : "for a while",
		       STR_ARGS(down.state));
	if (is_down && (down_ms < 5 * 24 * 3600000 || down_ms > 159 * 3600000))
		broken("an endpoint is paused %.1f hours after the beginning",
		       (double)down_ms / 3600000);
	if (is_down && endpoints[DOWN].heard_ns / MS_NS > down_ms + SLACK_S * 1000)
		broken("an endpoint that is paused is called");
	arena_finish(&arena);
}

static void resume(struct world *world, struct endpoint *endpoint)
{
	const struct json_member member = json_member(STR("is_active"), json_bool(true));
	struct webhooks *webhooks = world->program->webhooks;
	struct webhook webhook;
	struct arena arena;
	struct error err;

	arena_init(&arena, 4 * MIB);
	find(world, &arena, endpoint, &webhook);
	must(world,
	     str_equal_c(webhook.state, "active") ||
		     (webhook_read(webhooks, &arena, json_object(&member, 1), &webhook, &err) &&
		      webhook_change(webhooks, &arena, &webhook, &err)),
	     "webhook_change", &err);
	arena_finish(&arena);
}

/* What was given up after all that time, and nothing else, is not told. */
static bool is_given_up(struct world *world, const struct endpoint *endpoint, int64_t number)
{
	struct webhook_delivery_query query = {.state = STR("failed"), .number = number, .limit = 1};
	struct webhook_delivery *list;
	struct webhook webhook;
	struct arena arena;
	struct error err;
	size_t count;

	arena_init(&arena, 4 * MIB);
	find(world, &arena, endpoint, &webhook);
	must(world,
	     webhook_deliveries(world->program->webhooks, &arena, &webhook, &query, &list, &count,
				&err),
	     "webhook_deliveries", &err);
	if (count > 0 && list->last_ms - list->first_ms < 75 * (int64_t)3600000)
		broken("event %lld is given up after %.1f hours", (long long)number,
		       (double)(list->last_ms - list->first_ms) / 3600000);
	arena_finish(&arena);
	return count > 0;
}

static void check_passed(struct world *world, const struct endpoint *endpoint)
{
	for (int64_t n = 1; n < EVENTS_MAX; n++)
		if (endpoint->told[n].is_passed && !endpoint->told[n].is_taken &&
		    !is_given_up(world, endpoint, n))
			broken("%s has heard a later event of the record before it took %lld",
			       endpoint->host, (long long)n);
}

static size_t count_missing(struct world *world, const struct endpoint *endpoint, int64_t until)
{
	size_t missing = 0;

	for (int64_t n = 1; n <= until; n++) {
		const struct told *told = &endpoint->told[n];

		missing += (!told->is_taken || told->times < told->times_wanted) &&
			   !is_given_up(world, endpoint, n);
	}
	return missing;
}

static void wait_for(struct world *world, const struct endpoint *endpoint, int64_t hours)
{
	int64_t until = newest(world);

	for (int64_t i = 0; count_missing(world, endpoint, until) > 0; i++) {
		if (i > hours * 60)
			broken("%zu of %lld messages were never delivered to %s",
			       count_missing(world, endpoint, until), (long long)until,
			       endpoint->host);
		loop_sleep_ms(60000);
	}
}

static void finish(struct world *world)
{
	struct endpoint *down = &endpoints[DOWN];

	loop_sleep_ms(120000);
	check_ends(world);
	for (size_t i = 0; i < ENDPOINTS; i++)
		check_passed(world, &endpoints[i]);
	resume(world, down);
	for (size_t i = 0; i < ENDPOINTS; i++)
		if (i != GONE)
			wait_for(world, &endpoints[i], 100);
	/* Also what was given up, if it is asked for. */
	int64_t until = newest(world);
	replay(world, down, 0, until);
	wait_for(world, down, 1);
	for (int64_t n = 1; n <= until; n++)
		if (!down->told[n].is_taken)
			broken("event %lld was sent again, and not taken", (long long)n);
	for (size_t i = 0; i < ENDPOINTS; i++)
		for (int64_t n = 1; n <= until; n++)
			world->deliveries += endpoints[i].told[n].times;
	world->events = (uint64_t)until;
}

const struct scenario scenario_endpoints = {
	.name = "endpoints",
	.storm_s = 31,
	.share = 30,
	.prepare = prepare,
	.begin = begin,
	.start = start,
	.finish = finish,
	.live = live,
};
