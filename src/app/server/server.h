/* The server: what all workers share (models, connectors, store, keys), and the workers, each a
 * thread with its own loop, listener and upstream connections. The command line uses the same
 * without sockets when no server runs on a data folder. */
#ifndef APP_SERVER_SERVER_H
#define APP_SERVER_SERVER_H

#include "ats/operation/operation.h"

#define TENON_VERSION "0.1.0"

/* Where a connector's calls go instead of its base_url's host: for sandboxes. */
struct server_base_url {
	struct str connector;
	struct str url; /* http(s)://HOST[:PORT] */
};

struct mcp_fixtures; /* front/mcp */
struct server_options {
	const char *data_folder;
	const char *database;        /* PostgreSQL's; NULL: SQLite in the data folder */
	const char *share_folder;    /* with models/ and connectors/; NULL: see server_find_share */
	const char *master_key_file; /* NULL: as docs/operating.md says */
	struct str listen;           /* "127.0.0.1:8080"; empty: the data folder's socket only */
	size_t workers;              /* 0: one per core */
	const struct server_base_url *base_urls;
	size_t base_url_count;
	const char *tls_certificate; /* PEM files; both NULL: not encrypted */
	const char *tls_key;
	const struct http_range *allowed; /* addresses which calls may go to beside public ones */
	size_t allowed_count;
	bool allows_http;            /* calls to public addresses without TLS */
	struct str public_url;       /* "https://ats.example.com", for links; empty: they are paths */
	int64_t call_timeout_ms;     /* 0: 60 s */
	int64_t log_days;            /* how long calls are remembered; 0: not at all */
	const struct str *mcp_origins; /* of web pages that may call the MCP servers */
	size_t mcp_origin_count;
	struct str mcp_issuer; /* who gives tokens for them; empty: nobody is told */
	const struct mcp_fixtures *mcp_fixtures; /* tests only; NULL */
	const int64_t *webhook_delays_ms; /* until a message is sent again; none: standard */
	size_t webhook_delay_count;
	int64_t webhook_timeout_ms; /* of one attempt; 0: 15 s */
	struct str otlp_endpoint; /* of a collector that is told of traces; empty: none */
	struct str otlp_headers;
	struct str trace_service;
	int64_t trace_ratio_millionths; /* of traces that begin here */
};

struct server;

/* Loads the data, takes the data folder, opens the keys: no socket yet, no thread but the
 * store's. NULL with *err; a fault in models or connectors is told with file and line. */
struct server *server_open(const struct server_options *options, struct error *err) MUST_CHECK;
/* Listens and starts the workers. */
bool server_start(struct server *server, struct error *err) MUST_CHECK;
/* Where the certificate's files have changed, or `always`: reads them anew. What is wrong with them
 * is logged, and the old certificate stays in use. */
void server_reload_tls(struct server *server, bool always);
/* "http://127.0.0.1:8080", once started. */
struct str server_url(const struct server *server, struct arena *arena);
/* "127.0.0.1:8080", once started. */
struct str server_address(const struct server *server);
size_t server_workers(const struct server *server);
/* /readyz says 503 from now on; all else goes on. */
void server_begin_drain(struct server *server);
/* Takes no new request, lets those under way end (at most 30 s), ends the workers. */
void server_stop(struct server *server);
/* Stops first where it was started. NULL is accepted. */
void server_close(struct server *server);

/* One request of a local caller, handled on this thread without a socket; the server must not be
 * started. `target` is a path with its query. The reply lives in the arena. */
bool server_dispatch(struct server *server, struct arena *arena, enum http_method method,
		     struct str target, struct str body, int *status, struct str *reply,
		     struct error *err) MUST_CHECK;

/* The routes of all doors, in the arena. */
const struct http_route *server_routes(struct arena *arena, size_t *count);

/* The folder which has models/ and connectors/ in it: the one given, or $TENON_SHARE, or
 * ../share/tenon beside the program's folder, or the folder above the program's (a build tree). */
bool server_find_share(struct arena *arena, const struct disk *disk, const char *given,
		       const char **folder, struct error *err) MUST_CHECK;

#endif
