/* The twin of the HTTP client: calls take a while each way, and go wrong as the weather is. */
#include "simulation.h"

enum fault { NO_FAULT, RATE_LIMIT, SERVER_ERROR, REFUSED, RESET, STALL, TRUNCATE, GARBAGE };

void stop_here(void)
{
	for (;;)
		fiber_yield();
}

bool chance(struct random_seeded *seeded, uint64_t one_in)
{
	return one_in > 0 && random_seeded_next(seeded) % one_in == 0;
}

int64_t between(struct random_seeded *seeded, int64_t least, int64_t most)
{
	return least + (int64_t)(random_seeded_next(seeded) % (uint64_t)(most - least + 1));
}

/* Until then; false when the deadline, or an interruption, came first. */
static bool wait_until(struct network *network, int64_t until_ns, int64_t deadline_ns)
{
	struct loop_wait wait;

	loop_wait_init(&wait);
	(void)loop_wait(&wait, until_ns < deadline_ns ? until_ns : deadline_ns);
	if (network->is_dead)
		stop_here();
	return until_ns < deadline_ns && !loop_is_interrupted();
}

static bool travel(struct network *network, int64_t deadline_ns)
{
	int64_t us = between(&network->seeded, 100, network->weather.latency_ms * 1000 + 200);

	return wait_until(network, network->time->now_ns + us * 1000, deadline_ns);
}

static enum fault draw_fault(struct network *network)
{
	const struct weather *weather = &network->weather;
	const uint64_t odds[] = {weather->rate_limit, weather->server_error, weather->refused,
				 weather->reset,      weather->stall,	     weather->truncate,
				 weather->garbage};

	for (size_t i = 0; i < sizeof odds / sizeof odds[0]; i++)
		if (chance(&network->seeded, odds[i])) {
			network->faults++;
			return (enum fault)(i + 1);
		}
	return NO_FAULT;
}

/* --- one call -------------------------------------------------------------------------------- */

static bool fail(struct http_response *response, enum http_outcome outcome, struct error *err)
{
	static const enum error_code codes[] = {
		[HTTP_NOT_SENT] = ERROR_UPSTREAM,
		[HTTP_BROKEN] = ERROR_UPSTREAM,
		[HTTP_TIMED_OUT] = ERROR_TIMEOUT,
		[HTTP_TOO_LARGE] = ERROR_LIMIT,
		[HTTP_REFUSED] = ERROR_INVALID,
	};

	response->outcome = outcome;
	return error_set(err, codes[outcome], "simulated: outcome %d", (int)outcome);
}

static struct peer *find_peer(const struct network *network, struct str url, struct str *target)
{
	ptrdiff_t at = str_find(url, STR("://"));
	struct str rest = at < 0 ? url : str_slice(url, (size_t)at + 3, url.len);
	size_t end = 0;

	while (end < rest.len && rest.data[end] != '/' && rest.data[end] != '?')
		end++;
	*target = str_slice(rest, end, rest.len);
	for (struct peer *peer = network->peers; peer != NULL; peer = peer->next)
		if (str_equal(peer->host, str_slice(rest, 0, end)))
			return peer;
	return NULL;
}

static struct http_exchange *make_exchange(struct arena *arena, const struct http_request *request,
					   const struct peer *peer, struct str target)
{
	struct http_exchange *exchange = arena_zero(arena, sizeof *exchange);
	struct http_header *headers =
		arena_array(arena, request->header_count + 1, sizeof *headers);
	struct http_field *fields = NULL;
	struct error err;
	struct str rest = target, path = str_cut(&rest, '?');

	headers[0] = (struct http_header){STR("host"), peer->host};
	for (size_t i = 0; i < request->header_count; i++) {
		struct str name = arena_str(arena, request->headers[i].name);

		for (size_t k = 0; k < name.len; k++)
			if (name.data[k] >= 'A' && name.data[k] <= 'Z')
				((char *)(uintptr_t)name.data)[k] |= 0x20;
		headers[i + 1] = (struct http_header){name, request->headers[i].value};
	}
	*exchange = (struct http_exchange){
		.arena = arena, .method = request->method, .path = path, .headers = headers,
		.header_count = request->header_count + 1, .body = request->body, .status = 200,
		.content_type = STR("application/json")};
	if (rest.len > 0 && !url_parse_query(arena, rest, 100, &fields, &exchange->query_count, &err))
		broken("a bad query: %.*s: %s", STR_ARGS(target), err.message);
	exchange->query = fields;
	return exchange;
}

static void take_reply(struct arena *arena, const struct http_exchange *exchange,
		       struct http_response *response)
{
	size_t count = exchange->reply_header_count;

	response->status = exchange->status;
	response->body = arena_str(arena, exchange->reply);
	response->headers = arena_array(arena, count + 1, sizeof *response->headers);
	response->headers[0] = (struct http_header){STR("content-type"), exchange->content_type};
	response->header_count = count + 1;
	for (size_t i = 0; i < count; i++) {
		struct str name = arena_str(arena, exchange->reply_headers[i].name);

		for (size_t k = 0; k < name.len; k++)
			if (name.data[k] >= 'A' && name.data[k] <= 'Z')
				((char *)(uintptr_t)name.data)[k] |= 0x20;
		response->headers[i + 1] = (struct http_header){name,
								exchange->reply_headers[i].value};
	}
}

/* What stands in for the peer's own answer, if anything. True when it was not heard at all. */
static bool spoil_before(struct network *network, enum fault fault, struct http_exchange *exchange)
{
	if (fault == RATE_LIMIT) {
		exchange->status = 429;
		exchange->reply = STR("{\"error\":[\"Too many requests\"]}");
		if (chance(&network->seeded, 2))
			http_exchange_set_header(exchange, "Retry-After",
						 chance(&network->seeded, 2) ? STR("1") : STR("4"));
		return true;
	}
	if (fault == SERVER_ERROR) {
		exchange->status = chance(&network->seeded, 2) ? 500 : 503;
		exchange->reply = STR("{\"error\":[\"Server internal error\"]}");
		return true;
	}
	return false;
}

static void spoil_after(struct network *network, enum fault fault, struct http_exchange *exchange)
{
	if (fault != GARBAGE)
		return;
	exchange->status = 200;
	exchange->reply_header_count = 0;
	if (chance(&network->seeded, 2)) {
		exchange->reply = STR("{\"meta\": {\"page\": 1, \"tot\xff");
		return;
	}
	exchange->content_type = STR("text/html");
	exchange->reply = STR("<!DOCTYPE html><html><body>Please sign in.</body></html>");
}

static bool exchange_with(struct network *network, struct arena *arena, struct peer *peer,
			  const struct http_request *request, struct str target,
			  struct http_response *response, struct error *err)
{
	enum fault fault = draw_fault(network);
	bool is_late = chance(&network->seeded, 2);

	trace("%lld call %llu %s %.*s%.*s fault %d", (long long)network->time->now_ns,
	      (unsigned long long)network->calls, http_method_name(request->method),
	      STR_ARGS(peer->host), STR_ARGS(target), (int)fault);
	if (!travel(network, request->deadline_ns))
		return fail(response, HTTP_TIMED_OUT, err);
	if (fault == REFUSED || (fault == RESET && !is_late))
		return fail(response, fault == REFUSED ? HTTP_NOT_SENT : HTTP_BROKEN, err);
	if (fault == STALL && !is_late) {
		(void)wait_until(network, INT64_MAX - 2, request->deadline_ns);
		return fail(response, HTTP_TIMED_OUT, err);
	}
	struct http_exchange *exchange = make_exchange(arena, request, peer, target);
	if (!spoil_before(network, fault, exchange))
		peer->serve(peer, exchange);
	if (peer->answers_json)
		spoil_after(network, fault, exchange);
	if (fault == STALL) {
		(void)wait_until(network, INT64_MAX - 2, request->deadline_ns);
		return fail(response, HTTP_TIMED_OUT, err);
	}
	if (!travel(network, request->deadline_ns))
		return fail(response, HTTP_TIMED_OUT, err);
	if (fault == RESET || fault == TRUNCATE || exchange->is_cut)
		return fail(response, HTTP_BROKEN, err);
	take_reply(arena, exchange, response);
	if (request->response_bytes_max > 0 && response->body.len > request->response_bytes_max)
		return fail(response, HTTP_TOO_LARGE, err);
	return true;
}

static bool twin_send(struct http_client *client, struct arena *arena,
		      const struct http_request *request, struct http_response *response,
		      struct error *err)
{
	struct network *network = (struct network *)client;
	int64_t start_ns = network->time->now_ns;
	struct str target;

	*response = (struct http_response){.body_length = HTTP_LENGTH_UNKNOWN};
	if (network->is_dead)
		stop_here();
	network->calls++;
	struct peer *peer = find_peer(network, request->url, &target);
	if (peer != NULL)
		peer->under_way++;
	bool ok = peer == NULL ? fail(response, HTTP_NOT_SENT, err)
			       : exchange_with(network, arena, peer, request, target, response, err);
	if (peer != NULL)
		peer->under_way--;
	if (ok && peer->answered != NULL)
		peer->answered(peer, response);
	response->duration_ns = network->time->now_ns - start_ns;
	trace("%lld answer %d %d %zu", (long long)network->time->now_ns, (int)response->outcome,
	      response->status, response->body.len);
	return ok;
}

/* --- streams --------------------------------------------------------------------------------- */

struct sim_call {
	struct http_call call; /* first */
	struct str rest;
};

static struct http_call *twin_open(struct http_client *client, struct arena *arena,
				   const struct http_request *request,
				   struct http_response *response, struct error *err)
{
	struct sim_call *call = arena_zero(arena, sizeof *call);

	if (!twin_send(client, arena, request, response, err))
		return NULL;
	call->call.client = client;
	call->rest = response->body;
	response->body_length = (int64_t)response->body.len;
	response->body = (struct str){0};
	return &call->call;
}

static ssize_t twin_read(struct http_call *base, void *bytes, size_t max, struct error *err)
{
	struct sim_call *call = (struct sim_call *)base;
	size_t len = call->rest.len < max ? call->rest.len : max;

	(void)err;
	if (len > 0)
		memcpy(bytes, call->rest.data, len);
	call->rest = str_slice(call->rest, len, call->rest.len);
	return (ssize_t)len;
}

static void twin_close(struct http_call *call)
{
	(void)call;
}

void network_init(struct network *network, struct simulated_time *time)
{
	*network = (struct network){
		.client = {twin_send, twin_open, twin_read, twin_close},
		.time = time,
		.weather = {.latency_ms = 20},
	};
}

void network_add(struct network *network, struct peer *peer)
{
	peer->next = network->peers;
	network->peers = peer;
}
