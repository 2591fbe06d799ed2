#include "app/server/server.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "app/server/worker.h"
#include "base/log.h"
#include "ats/inbound/inbound.h"
#include "ats/erasure/erasure.h"
#include "ats/link/link.h"
#include "ats/schema/schema.h"
#include "front/admin/admin.h"
#include "front/batch/batch.h"
#include "front/discovery/discovery.h"
#include "front/hooks/hooks.h"
#include "front/link/link.h"
#include "front/proxy/proxy.h"
#include "front/rest/rest.h"
#include "front/status/status.h"

enum {
	SHARED_BYTES_MAX = 256 * 1024 * 1024,
	CALL_TIMEOUT_MS = 60000,
	DISPATCH_STEP_MS = 20,
	WORKERS_MAX = 256,
	DESCRIPTORS_OWN = 128,
	FIBERS_MAX = 28000,
};

/* --- what is loaded ------------------------------------------------------------------------- */

static bool fail_with_faults(const struct buffer *faults, struct error *err)
{
	return error_set(err, ERROR_INVALID, "the definitions have faults:\n%.*s",
			 STR_ARGS(str_trim(buffer_str(faults))));
}

static bool load_definitions(struct server *server, const struct server_options *options,
			     struct error *err)
{
	const struct disk *disk = disk_system();
	struct buffer faults;
	const char *share;

	buffer_init(&faults, &server->arena, 1024 * 1024);
	if (!server_find_share(&server->arena, disk, options->share_folder, &share, err))
		return false;
	const char *models = arena_format(&server->arena, "%s/models/ats", share).data;
	const char *connectors = arena_format(&server->arena, "%s/connectors", share).data;
	server->model = model_load(&server->arena, disk, models, &faults);
	if (server->model == NULL)
		return fail_with_faults(&faults, err);
	if (!connectors_load(&server->arena, disk, connectors, server->model, &server->connectors,
			     &faults))
		return fail_with_faults(&faults, err);
	if (!toolsets_create(&server->arena, server->model, &server->connectors, &server->toolsets,
			     &faults))
		return fail_with_faults(&faults, err);
	const char *aliases = arena_format(&server->arena, "%s/models/aliases.yaml", share).data;
	if (!model_load_aliases(&server->arena, disk, aliases, &server->aliases, &faults))
		return fail_with_faults(&faults, err);
	server->link_files =
		link_files_read(&server->arena, disk, share, &server->connectors, err);
	return server->link_files != NULL;
}

static bool set_public_url(struct server *server, struct str url, struct error *err)
{
	bool is_url = str_starts_with(url, STR("http://")) || str_starts_with(url, STR("https://"));

	if (url.len > 0 && (!is_url || http_has_control_byte(url)))
		return error_set_field(err, ERROR_INVALID, "public-url", "https://HOST[:PORT]",
				       "the public URL must begin with http:// or https://");
	while (str_ends_with(url, STR("/")))
		url.len--;
	server->public_url = arena_str(&server->arena, url);
	return true;
}

static bool set_base_urls(struct server *server, const struct server_options *options,
			  struct error *err)
{
	server->base_urls =
		arena_zero(&server->arena, (server->connectors.count + 1) * sizeof(struct str));
	for (size_t i = 0; i < options->base_url_count; i++) {
		const struct server_base_url *given = &options->base_urls[i];
		const struct connector *connector =
			connectors_find(&server->connectors, given->connector, err);
		if (connector == NULL)
			return false;
		if (!str_starts_with(given->url, STR("http://")) &&
		    !str_starts_with(given->url, STR("https://")))
			return error_set_field(err, ERROR_INVALID, "connector-base-url",
					       "NAME=http://HOST[:PORT]",
					       "the base URL must begin with http:// or https://");
		for (size_t k = 0; k < server->connectors.count; k++)
			if (server->connectors.items[k] == connector)
				server->base_urls[k] = arena_str(&server->arena, given->url);
	}
	return true;
}

/* The origin of a URL: all before its path. */
static struct str origin_of(struct str url)
{
	ptrdiff_t scheme = str_find(url, STR("://"));
	size_t end = (size_t)scheme + 3;

	while (end < url.len && strchr("/?#", url.data[end]) == NULL)
		end++;
	return str_slice(url, 0, end);
}

/* What a base URL names is allowed with it. */
static void set_reach(struct server *server, const struct server_options *options)
{
	struct str *origins = arena_array(&server->arena, options->base_url_count + 1,
					  sizeof *origins);
	struct http_range *ranges =
		arena_array(&server->arena, options->allowed_count + 1, sizeof *ranges);

	for (size_t i = 0; i < options->base_url_count; i++)
		origins[i] = arena_str(&server->arena, origin_of(options->base_urls[i].url));
	for (size_t i = 0; i < options->allowed_count; i++)
		ranges[i] = options->allowed[i];
	server->reach = (struct http_reach){
		.ranges = ranges,
		.range_count = options->allowed_count,
		.origins = origins,
		.origin_count = options->base_url_count,
		.allows_http = options->allows_http,
	};
}

/* --- keys ----------------------------------------------------------------------------------- */

/* The file given, or the systemd credential, or one in the data folder, made at the first start. */
static const char *find_key_file(struct server *server, const struct server_options *options,
				 bool *may_make)
{
	const char *credentials = getenv("CREDENTIALS_DIRECTORY");

	*may_make = false;
	if (options->master_key_file != NULL)
		return options->master_key_file;
	if (credentials != NULL) {
		const char *path =
			arena_format(&server->arena, "%s/tenon-master-key", credentials).data;
		if (access(path, R_OK) == 0)
			return path;
	}
	*may_make = true;
	return arena_format(&server->arena, "%s/master.key", options->data_folder).data;
}

static bool make_key_file(const char *path, struct error *err)
{
	struct arena arena;

	arena_init(&arena, 65536);
	struct str text = vault_make_key_file(&arena, random_system());
	bool made = disk_create(disk_system(), path, text, 0400, err);
	secret_wipe((void *)(uintptr_t)text.data, text.len);
	arena_finish(&arena);
	if (made)
		LOG(LOG_INFO, "master_key_made", LOG_C(path, path));
	return made;
}

static bool open_vault(struct server *server, const struct server_options *options,
		       struct error *err)
{
	bool may_make, is_empty;
	const char *path = find_key_file(server, options, &may_make);

	if (!accounts_is_empty(server->store, &is_empty, err))
		return false;
	if (may_make && access(path, F_OK) != 0) {
		if (!is_empty)
			return error_set(err, ERROR_NOT_FOUND,
					 "the master key %s is missing, and without it what the data "
					 "folder holds cannot be opened; say --master-key FILE",
					 path);
		if (!make_key_file(path, err))
			return false;
	}
	struct vault_options vault = {
		.disk = disk_system(),
		.key_file = path,
		.owns_key_file = may_make,
		.keeps_digests = !is_empty,
		.folder = server->folder,
		.audit_folder = arena_format(&server->arena, "%s/audit", options->data_folder).data,
		.store = server->store,
		.clock = clock_system(),
		.random = random_system(),
		.key_grace_ms = 2 * server->call_timeout_ms,
	};
	server->vault = vault_create(&vault, err);
	return server->vault != NULL;
}

/* --- opening and closing -------------------------------------------------------------------- */

const struct http_route *server_routes(struct arena *arena, size_t *count)
{
	const struct {
		const struct http_route *routes;
		size_t count;
	} doors[] = {{rest_routes, rest_route_count},
		     {proxy_routes, proxy_route_count},
		     {batch_routes, batch_route_count},
		     {admin_routes, admin_route_count},
		     {hooks_routes, hooks_route_count},
		     {discovery_routes, discovery_route_count},
		     {link_routes, link_route_count},
		     {mcp_routes, mcp_route_count},
		     {status_routes, status_route_count}};
	struct http_route *all;
	size_t room = 0;

	for (size_t i = 0; i < sizeof doors / sizeof doors[0]; i++)
		room += doors[i].count;
	all = arena_array(arena, room, sizeof *all);
	*count = 0;
	for (size_t i = 0; i < sizeof doors / sizeof doors[0]; i++) {
		memcpy(all + *count, doors[i].routes, doors[i].count * sizeof *all);
		*count += doors[i].count;
	}
	return all;
}

static const struct http_router *make_router(struct arena *arena)
{
	size_t count;
	const struct http_route *routes = server_routes(arena, &count);

	return http_router_create(arena, routes, count);
}

static bool open_tls(struct server *server, const struct server_options *options,
		     struct error *err)
{
	const char *certificate = options->tls_certificate, *key = options->tls_key;

	if (certificate == NULL && key == NULL)
		return true;
	if (certificate == NULL || key == NULL)
		return error_set_field(err, ERROR_INVALID,
				       certificate == NULL ? "tls-certificate" : "tls-key",
				       "a PEM file", "--tls-certificate and --tls-key go together");
	server->tls = http_tls_create(certificate, key, err);
	return server->tls != NULL;
}

void server_reload_tls(struct server *server, bool always)
{
	struct error err;

	if (server->tls == NULL || (!always && !http_tls_has_changed(server->tls)))
		return;
	if (!http_tls_reload(server->tls, &err))
		LOG(LOG_ERROR, "tls_certificate_not_read", LOG_C(message, err.message));
}

static bool is_loopback(struct str address)
{
	return str_starts_with(address, STR("127.")) || str_starts_with(address, STR("[::1]:")) ||
	       str_starts_with(address, STR("localhost:"));
}

static void open_mcp(struct server *server, const struct server_options *options)
{
	server->mcp_servers =
		mcp_servers_create(server->store, server->vault, server->accounts,
				   &server->toolsets, clock_system(), random_system());
	const struct mcp_door_options mcp = {
		.servers = server->mcp_servers,
		.toolsets = &server->toolsets,
		.origins = options->mcp_origins,
		.origin_count = options->mcp_origin_count,
		.issuer = options->mcp_issuer,
		.is_loopback = is_loopback(options->listen),
		.fixtures = options->mcp_fixtures,
		.clock = clock_system(),
	};

	server->mcp = mcp_door_create(&mcp);
}

static void open_syncs(struct server *server)
{
	server->copies = copies_create(server->store, server->model, clock_system());
	server->syncs = syncs_create(&(struct sync_options){
		.store = server->store,
		.node = server->node,
		.copies = server->copies,
		.accounts = server->accounts,
		.connectors = &server->connectors,
		.model = server->model,
		.clock = clock_system(),
		.random = random_system(),
	});
}

static void open_webhooks(struct server *server, const struct server_options *options)
{
	const struct webhooks_options webhooks = {
		.store = server->store,
		.node = server->node,
		.vault = server->vault,
		.accounts = server->accounts,
		.model = server->model,
		.bell = server->bell,
		.clock = clock_system(),
		.random = random_system(),
		.delays_ms = options->webhook_delays_ms,
		.delay_count = options->webhook_delay_count,
		.timeout_ms = options->webhook_timeout_ms,
		.allows_http = server->reach.allows_http || server->reach.range_count > 0,
	};

	server->webhooks = webhooks_create(&webhooks);
}

static void open_inbounds(struct server *server)
{
	const struct inbounds_options options = {
		.store = server->store,
		.vault = server->vault,
		.connectors = &server->connectors,
		.syncs = server->syncs,
		.clock = clock_system(),
		.random = random_system(),
	};

	server->inbounds = inbounds_create(&options);
}

/* Before anything is put into the copy. */
static bool open_erasures(struct server *server, struct error *err)
{
	const struct erasures_options options = {
		.store = server->store,
		.vault = server->vault,
		.accounts = server->accounts,
		.idempotency = server->idempotency,
		.model = server->model,
		.clock = clock_system(),
	};

	server->erasures = erasures_create(&options, err);
	if (server->erasures == NULL)
		return false;
	copies_leave_out(server->copies, erasures_has, server->erasures);
	return true;
}

/* What one process alone can have needs no name. */
static bool open_node(struct server *server, const struct server_options *options,
		      struct error *err)
{
	bool is_alone = options->database == NULL;

	if (!is_alone && !node_folder(&server->arena, options->data_folder, random_system(),
				      &server->folder, err))
		return false;
	server->node = node_create(
		&(struct node_options){
			.store = server->store,
			.clock = clock_system(),
			.random = random_system(),
			.folder = server->folder,
			.is_alone = is_alone,
			.version = TENON_VERSION,
		},
		err);
	return server->node != NULL;
}

static bool open_parts(struct server *server, const struct server_options *options,
		       struct error *err)
{
	struct store_options store = {
		.folder = options->data_folder,
		.database = options->database,
		.functions = schema_functions(),
	};
	struct store_view *views;

	if (!open_tls(server, options, err) || !load_definitions(server, options, err) ||
	    !set_base_urls(server, options, err) ||
	    !set_public_url(server, options->public_url, err))
		return false;
	set_reach(server, options);
	server->operation_counts.of_connector = arena_zero(
		&server->arena, (server->connectors.count + 1) * sizeof(struct connector_counts));
	store.migrations = schema_migrations(&store.migration_count);
	if (!copy_views(&server->arena, server->model, options->database != NULL, &views,
			&store.view_count, err))
		return false;
	store.views = views;
	server->store = store_open(&store, err);
	if (server->store == NULL)
		return false;
	server->bell = event_bell_create(server->store);
	if (!open_node(server, options, err) || !open_vault(server, options, err))
		return false;
	server->accounts =
		accounts_create(server->store, server->vault, clock_system(), random_system());
	const struct oauth_options oauth = {
		.store = server->store,
		.accounts = server->accounts,
		.vault = server->vault,
		.connectors = &server->connectors,
		.clock = clock_system(),
		.random = random_system(),
		.node = server->node,
		.folder = server->folder,
	};
	server->oauth = oauth_create(&oauth, err);
	if (server->oauth == NULL)
		return false;
	server->limiters = limiters_create(clock_system(), random_system());
	if (!node_is_alone(server->node))
		limiters_share(server->limiters, server->store, server->node);
	open_syncs(server);
	server->idempotency = idempotency_create(server->store, server->vault, server->node,
						 clock_system(), random_system());
	server->overrides = overrides_create(server->store, &server->connectors, clock_system(),
					     random_system());
	server->links = links_create(server->accounts, server->store, server->vault,
				     clock_system(), random_system());
	server->calls = calls_create(server->store, server->node, clock_system(),
				     random_system(), options->log_days, err);
	if (server->calls == NULL || !open_erasures(server, err))
		return false;
	open_mcp(server, options);
	open_webhooks(server, options);
	open_inbounds(server);
	server->tallies = tallies_create();
	server->router = make_router(&server->arena);
	server->discovery = discovery_create(&server->arena, server->model, &server->connectors,
					     &server->aliases, TENON_VERSION, err);
	if (server->discovery == NULL)
		return false;
	store_hear(server->store, server_hear, server);
	/* What was read before may have changed before anybody heard of it. */
	if (!node_is_alone(server->node))
		server_hear(server, STR(""));
	server->workers =
		arena_zero(&server->arena, server->worker_count * sizeof *server->workers);
	return true;
}

/* Last: nothing is told before a worker is there. */
static bool open_tracer(struct server *server, const struct server_options *options,
			struct error *err)
{
	const struct tracer_options tracer = {
		.endpoint = options->otlp_endpoint,
		.headers = options->otlp_headers,
		.service = options->trace_service,
		.ratio_millionths = options->trace_ratio_millionths,
		.version = TENON_VERSION,
		.clock = clock_system(),
		.random = random_system(),
	};

	if (options->otlp_endpoint.len == 0)
		return true;
	server->tracer = tracer_create(&tracer, err);
	return server->tracer != NULL;
}

static size_t count_workers(size_t wanted)
{
	long cores = sysconf(_SC_NPROCESSORS_ONLN);

	if (wanted == 0)
		wanted = cores < 1 ? 1 : (size_t)cores;
	return wanted > WORKERS_MAX ? WORKERS_MAX : wanted;
}

/* Descriptors are shared out at the start, so that a crowd waits instead of failing: some for the
 * store and the listeners, then evenly to callers and to calls to ATSs. */
static void share_descriptors(struct server *server)
{
	struct rlimit limit = {0};
	size_t half;

	getrlimit(RLIMIT_NOFILE, &limit);
	if (limit.rlim_cur < limit.rlim_max) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
	half = limit.rlim_cur > 1000000 ? 500000 : (size_t)limit.rlim_cur / 2;
	server->limits = http_server_limits_default;
	/* A request under way takes a fiber, a fiber two memory maps, and the kernel gives a
	 * process 65,530 of those. */
	if (server->limits.connections_max > FIBERS_MAX / server->worker_count)
		server->limits.connections_max = FIBERS_MAX / server->worker_count;
	if (half < DESCRIPTORS_OWN * 2)
		return;
	/* The listeners share callers unevenly, so each may take nearly all of that half; calls out
	 * are what gives way. */
	if (server->limits.connections_max > half + DESCRIPTORS_OWN)
		server->limits.connections_max = half + DESCRIPTORS_OWN;
	server->calls_max = (half - DESCRIPTORS_OWN * 2) / server->worker_count;
	server->hooks_max = server->calls_max / 4 + 1;
	server->calls_max -= server->hooks_max - 1;
}

struct server *server_open(const struct server_options *options, struct error *err)
{
	struct server *server = calloc(1, sizeof *server);

	if (server == NULL)
		die("out of memory");
	arena_init(&server->arena, SHARED_BYTES_MAX);
	server->worker_count = count_workers(options->workers);
	server->data_folder = options->data_folder;
	share_descriptors(server);
	server->listen = options->listen;
	server->call_timeout_ms =
		options->call_timeout_ms > 0 ? options->call_timeout_ms : CALL_TIMEOUT_MS;
	server->started_ms = clock_unix_ms(clock_system());
	if (open_parts(server, options, err) && open_tracer(server, options, err))
		return server;
	server_close(server);
	return NULL;
}

bool server_start(struct server *server, struct error *err)
{
	int *fds = arena_array(&server->arena, server->worker_count, sizeof *fds);
	int local_fd;
	struct str ignored;
	struct str local = arena_format(&server->arena, "unix:%s/tenon.sock", server->data_folder);

	for (size_t i = 0; i < server->worker_count; i++)
		fds[i] = -1;
	if (server->listen.len > 0 && !http_listen(&server->arena, server->listen, fds,
						   server->worker_count, &server->address, err))
		return false;
	if (!http_listen(&server->arena, local, &local_fd, 1, &ignored, err))
		return false;
	server->is_started = true;
	if (fds[0] >= 0)
		http_reach_note_listener(&server->reach, fds[0]);
	worker_finish(&server->workers[0]); /* server_dispatch() may have made it, on this thread */
	for (size_t i = 0; i < server->worker_count; i++)
		if (!worker_init(&server->workers[i], server, i, err) ||
		    !worker_start(&server->workers[i], fds[i], i == 0 ? local_fd : -1, err))
			return false;
	if (!store_is_bound(server->store))
		LOG(LOG_WARNING, "store_not_bound",
		    LOG_C(message, "the database's role is a superuser or has BYPASSRLS: PostgreSQL "
				   "does not keep environments apart"));
	LOG(LOG_INFO, "listening", LOG_S(address, server->address),
	    LOG_N(workers, (int64_t)server->worker_count), LOG_C(version, TENON_VERSION));
	return true;
}

struct str server_url(const struct server *server, struct arena *arena)
{
	return arena_format(arena, "http%s://%.*s", server->tls == NULL ? "" : "s",
			    STR_ARGS(server->address));
}

struct str server_address(const struct server *server)
{
	return server->address;
}

size_t server_workers(const struct server *server)
{
	return server->worker_count;
}

void server_begin_drain(struct server *server)
{
	atomic_store(&server->is_draining, true);
}

void server_stop(struct server *server)
{
	if (!server->is_started)
		return;
	atomic_store(&server->is_draining, true);
	limiters_stop(server->limiters);
	idempotency_stop(server->idempotency);
	for (size_t i = 0; i < server->worker_count; i++)
		if (server->workers[i].thread != 0)
			worker_stop(&server->workers[i]);
	for (size_t i = 0; i < server->worker_count; i++)
		if (server->workers[i].thread != 0)
			worker_join(&server->workers[i]);
	unlink(arena_format(&server->arena, "%s/tenon.sock", server->data_folder).data);
	server->is_started = false;
}

void server_close(struct server *server)
{
	if (server == NULL)
		return;
	server_stop(server);
	for (size_t i = 0; server->workers != NULL && i < server->worker_count; i++)
		worker_finish(&server->workers[i]);
	tracer_destroy(server->tracer);
	http_tls_destroy(server->tls);
	syncs_destroy(server->syncs);
	copies_destroy(server->copies);
	calls_destroy(server->calls);
	links_destroy(server->links);
	mcp_door_destroy(server->mcp);
	mcp_servers_destroy(server->mcp_servers);
	inbounds_destroy(server->inbounds);
	tallies_destroy(server->tallies);
	limiters_destroy(server->limiters);
	erasures_destroy(server->erasures);
	idempotency_destroy(server->idempotency);
	overrides_destroy(server->overrides);
	oauth_destroy(server->oauth);
	accounts_destroy(server->accounts);
	vault_destroy(server->vault);
	node_destroy(server->node);
	store_close(server->store);
	webhooks_destroy(server->webhooks);
	event_bell_destroy(server->bell);
	arena_finish(&server->arena);
	free(server);
}

/* --- without a socket ----------------------------------------------------------------------- */

struct dispatch {
	struct worker *worker;
	struct http_exchange *exchange;
};

static void run_dispatch(void *context)
{
	struct dispatch *dispatch = context;

	worker_handle(&dispatch->worker->handler, dispatch->exchange);
	/* A token that is got without anybody waiting for it is got to the end, and what is written
	 * so is written; but nobody waits for a database that is away. */
	limiters_stop(dispatch->worker->server->limiters);
	idempotency_stop(dispatch->worker->server->idempotency);
	while (loop_fiber_count(dispatch->worker->loop) > 1)
		loop_sleep_ms(DISPATCH_STEP_MS);
	loop_stop(dispatch->worker->loop);
}

bool server_dispatch(struct server *server, struct arena *arena, enum http_method method,
		     struct str target, struct str body, int *status, struct str *reply,
		     struct error *err)
{
	struct worker *worker = &server->workers[0];
	struct http_field *query;
	size_t query_count;
	struct str rest = target;
	struct str path = str_cut(&rest, '?');

	assert(!server->is_started);
	if (!url_parse_query(arena, rest, 100, &query, &query_count, err))
		return false;
	if (worker->loop == NULL && !worker_init(worker, server, 0, err))
		return false;
	struct http_exchange exchange = {
		.arena = arena,
		.method = method,
		.method_name = str_from_c(http_method_name(method)),
		.path = path,
		.query = query,
		.query_count = query_count,
		.body = body,
		.request_id = STR("local"),
		.peer = STR("local"),
		.is_local = true,
		.started_ns = clock_monotonic_ns(clock_system()),
		.status = 200,
		.content_type = STR("application/json"),
	};
	struct dispatch dispatch = {worker, &exchange};
	loop_post(worker->loop, run_dispatch, &dispatch);
	loop_run(worker->loop);
	*status = exchange.status;
	*reply = exchange.reply;
	return true;
}
