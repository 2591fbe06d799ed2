/* Webhooks: what the copy tells is sent to receivers that fail in ways of their own, by programs
 * that are killed. Each event is heard at least once, with the same bytes whenever it is sent, and
 * those of one record in their order. */
#include <sodium.h>

#include "base/map.h"
#include "simulation.h"

enum { RECEIVERS = 3, SECRET_BYTES_MAX = 64, WAIT_HOURS_MAX = 100 };

struct message {
	struct str body;
	int64_t number;
	struct str record; /* resource and id; empty: of none */
	bool is_taken;	   /* it was answered with 200 */
	uint64_t times;
	struct message *before; /* of the same record, the one heard before it */
};

struct receiver {
	struct peer peer;
	char host[32];
	const char *config; /* what it wants to be told */
	struct str webhook_id;
	unsigned char secret[SECRET_BYTES_MAX];
	size_t secret_len;
	/* How it behaves: one call in so many. */
	uint64_t fails, throttles;
	int64_t down_until_ns;
	struct map messages; /* by id */
	struct map records;  /* the latest message of each */
	struct message **by_number;
	size_t room;
};

static struct receiver receivers[RECEIVERS];

/* --- hearing --------------------------------------------------------------------------------- */

static void check_signature(const struct receiver *receiver, const struct http_exchange *exchange,
			    struct str id)
{
	struct str stamp = http_exchange_header(exchange, "webhook-timestamp");
	struct str given = http_exchange_header(exchange, "webhook-signature");
	struct str text = arena_format(exchange->arena, "%.*s.%.*s.%.*s", STR_ARGS(id),
				       STR_ARGS(stamp), STR_ARGS(exchange->body));
	unsigned char mac[crypto_auth_hmacsha256_BYTES];
	crypto_auth_hmacsha256_state state;
	char wanted[64] = "v1,";
	int64_t seconds = 0;

	crypto_auth_hmacsha256_init(&state, receiver->secret, receiver->secret_len);
	crypto_auth_hmacsha256_update(&state, (const unsigned char *)text.data, text.len);
	crypto_auth_hmacsha256_final(&state, mac);
	sodium_bin2base64(wanted + 3, sizeof wanted - 3, mac, sizeof mac,
			  sodium_base64_VARIANT_ORIGINAL);
	if (!str_equal_c(given, wanted))
		broken("%.*s is signed %.*s, not %s", STR_ARGS(id), STR_ARGS(given), wanted);
	int64_t now_s = clock_unix_ms(&the_world.time.clock) / 1000;
	if (!str_to_int64(stamp, &seconds) || seconds > now_s || seconds < now_s - 20)
		broken("%.*s is of %.*s; it is %lld", STR_ARGS(id), STR_ARGS(stamp),
		       (long long)now_s);
}

static struct str keep(struct str text)
{
	return arena_str(&the_world.arena, text);
}

static struct message *read_message(const struct http_exchange *exchange)
{
	struct message *message = arena_zero(&the_world.arena, sizeof *message);
	struct json event;
	struct error err;

	if (!json_parse(exchange->arena, exchange->body, &json_limits_default, &event, &err) ||
	    !json_to_int64(json_get_c(event, "number"), &message->number))
		broken("a message that is none: %.*s", STR_ARGS(exchange->body));
	struct str record = json_get_str(event, "record_id");
	if (record.len > 0)
		record = arena_format(exchange->arena, "%.*s/%.*s",
				      STR_ARGS(json_get_str(event, "resource")), STR_ARGS(record));
	message->record = keep(record);
	message->body = keep(exchange->body);
	return message;
}

static void note_number(struct receiver *receiver, struct message *message)
{
	size_t at = (size_t)message->number;

	if (at >= receiver->room) {
		size_t room = at * 2 + 64;

		receiver->by_number =
			realloc(receiver->by_number, room * sizeof *receiver->by_number);
		if (receiver->by_number == NULL)
			die("out of memory");
		memset(receiver->by_number + receiver->room, 0,
		       (room - receiver->room) * sizeof *receiver->by_number);
		receiver->room = room;
	}
	if (receiver->by_number[at] != NULL)
		broken("event %lld has two ids", (long long)message->number);
	receiver->by_number[at] = message;
}

/* For the first time: after all that was told of its record before. */
static struct message *hear_first(struct receiver *receiver, const struct http_exchange *exchange,
				  struct str id)
{
	struct message *message = read_message(exchange), *before = NULL;

	map_put(&receiver->messages, id, message);
	note_number(receiver, message);
	if (message->record.len > 0)
		before = map_put(&receiver->records, message->record, message);
	message->before = before;
	if (before != NULL && (before->number > message->number || !before->is_taken))
		broken("%s hears event %lld of %.*s before it has %s event %lld", receiver->host,
		       (long long)message->number, STR_ARGS(message->record),
		       before->is_taken ? "heard" : "taken", (long long)before->number);
	return message;
}

static int choose_status(struct receiver *receiver)
{
	struct world *world = &the_world;

	if (world->is_calm)
		return 200;
	if (world->time.now_ns < receiver->down_until_ns)
		return 503;
	if (chance(&world->chance, 400))
		receiver->down_until_ns =
			world->time.now_ns + between(&world->chance, 1, 60) * SECOND_NS;
	if (chance(&world->chance, receiver->throttles))
		return 429;
	return chance(&world->chance, receiver->fails) ? 500 : 200;
}

static void serve(struct peer *peer, struct http_exchange *exchange)
{
	struct receiver *receiver = peer->context;
	struct str id = http_exchange_header(exchange, "webhook-id");
	struct message *message = map_get(&receiver->messages, id);

	check_signature(receiver, exchange, id);
	if (message == NULL)
		message = hear_first(receiver, exchange, id);
	else if (!str_equal(message->body, exchange->body))
		broken("%.*s was %.*s and is %.*s", STR_ARGS(id), STR_ARGS(message->body),
		       STR_ARGS(exchange->body));
	message->times++;
	exchange->status = choose_status(receiver);
	exchange->reply = STR("{}");
	message->is_taken |= exchange->status == 200;
	if (exchange->status == 429)
		http_exchange_set_header(exchange, "Retry-After", STR("3"));
	trace("%lld %s hears %lld: %d", (long long)the_world.time.now_ns, receiver->host,
	      (long long)message->number, exchange->status);
}

/* --- the endpoints --------------------------------------------------------------------------- */

static void create_endpoint(struct world *world, struct receiver *receiver)
{
	struct arena *arena = &world->arena;
	struct webhook webhook = {.environment_id = world->environment.id, .state = STR("active")};
	struct webhook_secret secret;
	struct json body;
	struct error err;
	struct str text = arena_format(arena, "{\"target_url\":\"https://%s/in\"%s}", receiver->host,
				       receiver->config);
	struct webhooks *webhooks = world->program->webhooks;

	if (!json_parse(arena, text, &json_limits_default, &body, &err) ||
	    !webhook_read(webhooks, arena, body, &webhook, &err) ||
	    !webhook_create(webhooks, arena, &webhook, 0, false, &secret, &err))
		die("the webhook: %s %s", err.field, err.message);
	receiver->webhook_id = webhook.id;
	if (sodium_base642bin(receiver->secret, sizeof receiver->secret,
			      secret.secret.data + strlen("whsec_"),
			      secret.secret.len - strlen("whsec_"), NULL, &receiver->secret_len, NULL,
			      sodium_base64_VARIANT_ORIGINAL) != 0)
		die("the webhook's secret: %.*s", STR_ARGS(secret.secret));
}

static void prepare(struct world *world)
{
	static const char *const configs[RECEIVERS] = {
		"",
		",\"payload\":\"thin\",\"event_types\":[\"record:*\"]",
		",\"event_types\":[\"record:created\",\"record:deleted\"],\"resources\":[\"candidates\"]",
	};

	for (size_t i = 0; i < RECEIVERS; i++) {
		struct receiver *receiver = &receivers[i];

		snprintf(receiver->host, sizeof receiver->host, "hooks-%zu.example.com", i);
		receiver->config = configs[i];
		map_init(&receiver->messages, &world->program_random);
		map_init(&receiver->records, &world->program_random);
		receiver->peer = (struct peer){.host = str_from_c(receiver->host), .serve = serve,
					       .context = receiver};
		network_add(&world->network, &receiver->peer);
		create_endpoint(world, receiver);
	}
}

static void begin(struct world *world)
{
	scenario_copies.begin(world);
	world->has_short_delays = chance(&world->chance, 2);
	for (size_t i = 0; i < RECEIVERS; i++) {
		receivers[i].fails =
			chance(&world->chance, 2) ? (uint64_t)between(&world->chance, 2, 20) : 0;
		receivers[i].throttles = chance(&world->chance, 3) ? 20 : 0;
	}
}

static void start(struct world *world)
{
	struct program *program = world->program;

	scenario_copies.start(world);
	for (size_t i = 0; i < 2; i++) {
		program->hooks[i] = (struct webhook_runner){.webhooks = program->webhooks,
							    .loop = program->loop,
							    .client = &world->network.client,
							    .index = i,
							    .of = 2};
		webhook_runner_start(&program->hooks[i]);
	}
}

/* --- the end --------------------------------------------------------------------------------- */

static bool is_for(const struct event *event, size_t receiver)
{
	if (receiver == 0)
		return true;
	if (!str_starts_with(event->type, STR("record:")))
		return false;
	return receiver == 1 || !str_equal_c(event->type, "record:updated");
}

static bool has_taken(const struct receiver *receiver, int64_t number)
{
	return (size_t)number < receiver->room && receiver->by_number[number] != NULL &&
	       receiver->by_number[number]->is_taken;
}

/* How many events are still to be taken by whom they are for. */
static size_t count_missing(struct world *world, bool checks_bytes)
{
	struct event_query query = {.environment_id = world->environment.id, .limit = 1000};
	struct event_page page;
	struct arena arena;
	struct error err;
	size_t missing = 0;

	arena_init(&arena, 256 * MIB);
	do {
		if (!event_read(world->program->store, &arena, &query, &page, &err))
			broken("the events: %s", err.message);
		query.after = page.seen;
		for (size_t i = 0; i < page.count; i++) {
			const struct event *event = &page.items[i];

			for (size_t k = 0; k < RECEIVERS; k++)
				missing += is_for(event, k) &&
					   !has_taken(&receivers[k], event->number);
			if (!checks_bytes)
				continue;
			struct str told = receivers[0].by_number[event->number]->body;
			if (!str_equal(told,
				       json_text(&arena, event_json(&arena, query.environment_id,
								    event))))
				broken("event %lld was told as %.*s", (long long)event->number,
				       STR_ARGS(told));
		}
	} while (!page.is_end);
	arena_finish(&arena);
	return missing;
}

/* What nobody wants to be told is not told. */
static void check_filters(struct world *world)
{
	for (size_t k = 0; k < RECEIVERS; k++)
		for (size_t n = 1; n < receivers[k].room; n++) {
			struct arena arena;
			struct event event;
			struct error err;

			if (receivers[k].by_number[n] == NULL)
				continue;
			arena_init(&arena, 4 * MIB);
			if (!event_get(world->program->store, &arena, world->environment.id,
				       (int64_t)n, &event, &err))
				broken("%s has heard event %zu: %s", receivers[k].host, n,
				       err.message);
			if (!is_for(&event, k))
				broken("%s has heard event %zu, a %.*s", receivers[k].host, n,
				       STR_ARGS(event.type));
			world->deliveries += receivers[k].by_number[n]->times;
			arena_finish(&arena);
		}
}

static void finish(struct world *world)
{
	scenario_copies.finish(world);
	for (int i = 0; count_missing(world, false) > 0; i++) {
		if (i > WAIT_HOURS_MAX * 60)
			broken("%zu messages were never delivered", count_missing(world, false));
		loop_sleep_ms(60000);
	}
	trace("%lld all delivered", (long long)world->time.now_ns);
	count_missing(world, true);
	check_filters(world);
}

const struct scenario scenario_webhooks = {
	.name = "webhooks",
	.storm_s = 400,
	.share = 40,
	.prepare = prepare,
	.begin = begin,
	.start = start,
	.finish = finish,
};
