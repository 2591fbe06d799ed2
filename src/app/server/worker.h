/* Private to this room. A worker: one thread, one loop, its listener, its upstream connections. */
#ifndef APP_SERVER_WORKER_H
#define APP_SERVER_WORKER_H

#include <pthread.h>

#include "app/server/server.h"
#include "ats/node/node.h"
#include "ats/webhook/webhook.h"
#include "ats/retention/retention.h"
#include "ats/sync/sync.h"
#include "front/mcp/mcp.h"

struct server {
	struct arena arena; /* of the process */
	struct store *store;
	struct node *node;
	struct vault *vault;
	struct accounts *accounts;
	struct limiters *limiters;
	struct idempotency *idempotency;
	struct overrides *overrides;
	struct oauth *oauth;
	struct calls *calls;
	struct connectors connectors;
	const struct model *model;
	struct model_aliases aliases;
	const struct discovery *discovery;
	struct links *links;
	struct toolsets toolsets;
	struct mcp_servers *mcp_servers;
	struct mcp_door *mcp;
	struct event_bell *bell;
	struct erasures *erasures;
	struct copies *copies;
	struct syncs *syncs;
	struct webhooks *webhooks;
	struct inbounds *inbounds;
	const struct link_files *link_files;
	const struct http_router *router;
	struct operation_counts operation_counts;
	struct door_counts door_counts;
	struct tallies *tallies;
	struct tracer *tracer; /* NULL: nobody is told */
	struct str public_url;
	struct str *base_urls; /* as connectors.items; empty: as defined */
	struct http_reach reach;
	const char *data_folder;
	struct str folder; /* its name among several; empty: it is the only one */
	struct str listen;
	struct str address;
	struct worker *workers;
	size_t worker_count;
	int64_t call_timeout_ms;
	size_t calls_max;       /* to ATSs at once, per worker */
	size_t hooks_max;       /* to endpoints of webhooks */
	struct http_tls *tls; /* NULL: not encrypted */
	struct http_server_limits limits;
	int64_t started_ms;
	_Atomic bool is_draining;
	bool is_started;
};

struct worker {
	struct server *server;
	size_t index;
	pthread_t thread;
	struct loop *loop;
	struct http_client *client;
	struct http_client *hook_client; /* for webhooks: no call to an ATS waits for them */
	struct http_server *listener;
	struct http_server *local; /* the unix socket, first worker only */
	struct http_handler handler;
	struct operation_services services;
	struct door door;
	struct oauth_sweep sweep; /* first worker only */
	struct retention_sweep retention; /* so is this */
	struct sync_runner runner;
	struct webhook_runner hooks;
	bool is_stuck; /* requests outlived the drain: what they use is left to the process's end */
};

/* store_hear(): the context is the server. */
void server_hear(void *context, struct str what);

/* Loop, client and doors; no thread, no socket. */
bool worker_init(struct worker *worker, struct server *server, size_t index,
		 struct error *err) MUST_CHECK;
void worker_finish(struct worker *worker);
/* Serves the descriptors (-1: there is none) and starts the thread. */
bool worker_start(struct worker *worker, int fd, int local_fd, struct error *err) MUST_CHECK;
/* From another thread: drain, then end; worker_join waits for it. */
void worker_stop(struct worker *worker);
void worker_join(struct worker *worker);
/* Finds the route and calls its handler; in a fiber. */
void worker_handle(struct http_handler *handler, struct http_exchange *exchange);

#endif
