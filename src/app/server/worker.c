#include "app/server/worker.h"

#include <signal.h>
#include <stdatomic.h>

#include "base/log.h"

enum { DRAIN_MS = 30000, DRAIN_STEP_MS = 20 };

/* Every reply says where its time went; a door which asked an ATS has done so itself. */
static void time_reply(struct worker *worker, struct http_exchange *exchange)
{
	static const struct operation_result no_upstream = {0};

	for (size_t i = 0; i < exchange->reply_header_count; i++)
		if (str_equal(exchange->reply_headers[i].name, STR("Server-Timing")))
			return;
	door_set_timing(&worker->door, exchange, &no_upstream);
}

/* Who looks whether it is well looks often, and is not worth a trace. */
static bool is_probe(const struct http_route *route)
{
	return route != NULL && (strcmp(route->pattern, "/healthz") == 0 ||
				 strcmp(route->pattern, "/readyz") == 0 ||
				 strcmp(route->pattern, "/metrics") == 0);
}

static void begin_span(struct span *span, struct worker *worker,
		       const struct http_exchange *exchange, const struct http_route *route)
{
	const char *method = exchange->method == HTTP_METHODS ? "_OTHER"
							      : http_method_name(exchange->method);
	struct tracer *tracer = worker->server->tracer;
	struct str parent = {NULL, 0};

	if (tracer != NULL && is_probe(route))
		tracer = NULL;
	if (tracer != NULL)
		parent = http_exchange_header(exchange, "traceparent");
	span_begin_trace(span, tracer, parent, SPAN_SERVER, method);
	if (!span_is_on(span))
		return;
	if (route != NULL)
		span_name(span, "%s %s", method, route->pattern);
	span_text(span, "http.request.method", str_from_c(method));
	if (route != NULL)
		span_text(span, "http.route", str_from_c(route->pattern));
	span_text(span, "url.scheme", worker->server->tls != NULL ? STR("https") : STR("http"));
	span_text(span, "tenon.request_id", exchange->request_id);
}

static void end_span(struct span *span, const struct http_exchange *exchange)
{
	if (!span_is_on(span))
		return;
	span_number(span, "http.response.status_code", exchange->status);
	if (exchange->status >= 500)
		span_fail(span, arena_format(exchange->arena, "%d", exchange->status));
	span_end(span);
}

void worker_handle(struct http_handler *handler, struct http_exchange *exchange)
{
	struct worker *worker = handler->context;
	const struct http_route *route = NULL;
	struct http_match match;
	struct span span;
	struct error err;

	worker->server->door_counts.in_flight++;
	http_exchange_set_header(exchange, "X-Request-Id", exchange->request_id);
	if (worker->server->tls != NULL && !exchange->is_local)
		http_exchange_set_header(exchange, "Strict-Transport-Security",
					 STR("max-age=31536000"));
	/* A HEAD is answered as the GET that it stands for; the server leaves the body out. */
	enum http_method method = exchange->method == HTTP_HEAD ? HTTP_GET : exchange->method;

	bool is_found = http_router_find(worker->server->router, method, exchange->path,
					 exchange->arena, &route, &match, &err);
	begin_span(&span, worker, exchange, is_found ? route : NULL);
	if (is_found)
		route->handle(&worker->door, exchange, &match);
	else
		door_reply_error(exchange, &err, NULL);
	time_reply(worker, exchange);
	end_span(&span, exchange);
	door_finish(&worker->door, exchange, route == NULL ? "" : route->pattern);
	worker->server->door_counts.in_flight--;
}

static void refuse(struct http_handler *handler, struct http_exchange *exchange,
		   const struct error *err)
{
	struct worker *worker = handler->context;

	if (mcp_is_ours(exchange))
		mcp_refuse(exchange, err);
	else
		door_reply_error(exchange, err, NULL);
	time_reply(worker, exchange);
	door_finish(&worker->door, exchange, "");
}

static size_t stream_max(struct http_handler *handler, const struct http_exchange *exchange)
{
	const struct worker *worker = handler->context;

	return http_router_stream_max(worker->server->router, exchange);
}

/* The door is a member of its worker. */
static void dispatch(const struct door *door, struct http_exchange *exchange)
{
	const char *place = (const char *)door - offsetof(struct worker, door);
	struct worker *worker = (struct worker *)(uintptr_t)place;

	worker_handle(&worker->handler, exchange);
}

static void init_doors(struct worker *worker)
{
	struct server *server = worker->server;

	worker->services = (struct operation_services){
		.accounts = server->accounts,
		.vault = server->vault,
		.connectors = &server->connectors,
		.model = server->model,
		.limiters = server->limiters,
		.client = worker->client,
		.clock = clock_system(),
		.random = random_system(),
		.base_urls = server->base_urls,
		.public_url = server->public_url,
		.version = STR(TENON_VERSION),
		.counts = &server->operation_counts,
		.overrides = server->overrides,
		.oauth = server->oauth,
		.tracer = server->tracer,
	};
	worker->door = (struct door){
		.services = &worker->services,
		.aliases = &server->aliases,
		.discovery = server->discovery,
		.store = server->store,
		.node = server->node,
		.idempotency = server->idempotency,
		.calls = server->calls,
		.links = server->links,
		.link_files = server->link_files,
		.mcp_servers = server->mcp_servers,
		.mcp = server->mcp,
		.copies = server->copies,
		.syncs = server->syncs,
		.inbounds = server->inbounds,
		.bell = server->bell,
		.webhooks = server->webhooks,
		.hook_client = worker->hook_client,
		.erasures = server->erasures,
		.counts = &server->door_counts,
		.tallies = server->tallies,
		.workers = server->worker_count,
		.version = TENON_VERSION,
		.started_ms = server->started_ms,
		.call_timeout_ms = server->call_timeout_ms,
		.is_draining = &server->is_draining,
		.has_tls = server->tls != NULL,
		.dispatch = dispatch,
	};
	worker->handler = (struct http_handler){worker_handle, refuse, worker, stream_max};
}

static bool open_hook_client(struct worker *worker, struct error *err)
{
	const struct http_client_options options = {
		.user_agent = "tenon/" TENON_VERSION,
		.calls_max = worker->server->hooks_max,
		.reach = &worker->server->reach,
	};

	worker->hook_client = http_client_create(worker->loop, &options, err);
	worker->hooks = (struct webhook_runner){
		.webhooks = worker->server->webhooks,
		.loop = worker->loop,
		.client = worker->hook_client,
		.index = worker->index,
		.of = worker->server->worker_count,
	};
	return worker->hook_client != NULL;
}

bool worker_init(struct worker *worker, struct server *server, size_t index, struct error *err)
{
	const struct http_client_options options = {
		.user_agent = "tenon/" TENON_VERSION,
		.calls_max = server->calls_max,
		.reach = &server->reach,
	};

	*worker = (struct worker){.server = server, .index = index};
	worker->loop = loop_create(clock_system(), random_system(), err);
	if (worker->loop == NULL)
		return false;
	worker->client = http_client_create(worker->loop, &options, err);
	if (worker->client == NULL || !open_hook_client(worker, err))
		return false;
	init_doors(worker);
	return true;
}

void worker_finish(struct worker *worker)
{
	if (worker->is_stuck)
		return;
	http_server_destroy(worker->listener);
	http_server_destroy(worker->local);
	webhook_runner_finish(&worker->hooks);
	http_client_destroy(worker->hook_client);
	http_client_destroy(worker->client);
	loop_destroy(worker->loop);
	worker->listener = NULL;
	worker->local = NULL;
	worker->hook_client = NULL;
	worker->client = NULL;
	worker->loop = NULL;
}

static void *run(void *context)
{
	struct worker *worker = context;
	sigset_t all;

	/* Signals are the main thread's matter. */
	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, NULL);
	loop_run(worker->loop);
	return NULL;
}

bool worker_start(struct worker *worker, int fd, int local_fd, struct error *err)
{
	const struct server *server = worker->server;

	if (fd >= 0)
		worker->listener =
			server->tls == NULL
				? http_server_create(worker->loop, fd, false, &server->limits,
						     &worker->handler, err)
				: http_server_create_tls(worker->loop, fd, server->tls,
							 &server->limits, &worker->handler, err);
	if (fd >= 0 && worker->listener == NULL)
		return false;
	if (local_fd >= 0) {
		worker->local = http_server_create(worker->loop, local_fd, true, &server->limits,
						   &worker->handler, err);
		if (worker->local == NULL)
			return false;
	}
	worker->sweep = (struct oauth_sweep){.oauth = server->oauth, .client = worker->client};
	worker->retention =
		(struct retention_sweep){.store = server->store,
					 .node = server->node,
					 .clock = clock_system()};
	if (worker->index == 0) {
		oauth_sweep_start(&worker->sweep, worker->loop);
		retention_sweep_start(&worker->retention, worker->loop);
	}
	worker->runner = (struct sync_runner){
		.syncs = server->syncs, .services = &worker->services, .loop = worker->loop};
	sync_runner_start(&worker->runner);
	webhook_runner_start(&worker->hooks);
	if (pthread_create(&worker->thread, NULL, run, worker) != 0)
		return error_set(err, ERROR_UNAVAILABLE, "no thread for a worker is to be had");
	return true;
}

/* Called by a fiber. Any other that is alive counts: a write that nobody waits for is one, too. */
static size_t count_active(const struct worker *worker)
{
	size_t active = oauth_active(worker->server->oauth) + worker->sweep.is_running +
			worker->retention.is_running + limiters_telling(worker->server->limiters) +
			worker->runner.active +
			webhook_runner_active(&worker->hooks) +
			(loop_fiber_count(worker->loop) - 1);

	if (worker->listener != NULL)
		active += http_server_active(worker->listener);
	return worker->local == NULL ? active : active + http_server_active(worker->local);
}

static void drain(void *context)
{
	struct worker *worker = context;
	int64_t end_ns = loop_now_ns(worker->loop) + (int64_t)DRAIN_MS * 1000000;

	if (worker->listener != NULL)
		http_server_quiesce(worker->listener);
	if (worker->local != NULL)
		http_server_quiesce(worker->local);
	oauth_sweep_stop(&worker->sweep);
	retention_sweep_stop(&worker->retention);
	sync_runner_stop(&worker->runner);
	webhook_runner_stop(&worker->hooks);
	while (count_active(worker) > 0 && loop_now_ns(worker->loop) < end_ns)
		loop_sleep_ms(DRAIN_STEP_MS);
	worker->is_stuck = count_active(worker) > 0;
	if (worker->is_stuck)
		LOG(LOG_WARNING, "drain_incomplete", LOG_N(worker, (int64_t)worker->index),
		    LOG_N(count, (int64_t)count_active(worker)));
	loop_stop(worker->loop);
}

void worker_stop(struct worker *worker)
{
	loop_post(worker->loop, drain, worker);
}

void worker_join(struct worker *worker)
{
	pthread_join(worker->thread, NULL);
}
