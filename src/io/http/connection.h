/* Inside the server: one connection and the request that is on it. */
#ifndef IO_HTTP_CONNECTION_H
#define IO_HTTP_CONNECTION_H

#include <microhttpd.h>

#include "io/http/http.h"

/* connection_move() is the only function that changes it. */
enum connection_state {
	CONNECTION_IDLE,    /* nothing of a request, or not its whole first line */
	CONNECTION_READING, /* headers, then body */
	CONNECTION_RUNNING, /* suspended; the handler's fiber has it */
	CONNECTION_DONE,    /* the handler is done, the reply is still to be queued */
	CONNECTION_REPLYING,
};

struct connection {
	struct http_server *server;
	struct MHD_Connection *mhd;
	struct connection *next, **link; /* in the server's list */
	enum connection_state state;
	int64_t since_ns; /* in this state; of reading and idle the sweep looks at it */
	bool has_head;	  /* the headers were looked at */
	bool must_close;  /* after this reply */
	bool is_cut;	  /* shut down; libmicrohttpd will notice */
	/* --- of the request ------------------------------------------------------------------ */
	struct arena arena;
	struct http_exchange exchange;
	struct str query;
	size_t target_len;
	struct buffer body;
	size_t surplus; /* bytes of body past the limit, read and thrown away */
	struct error fault;
	int fault_status; /* 0: none */
	char request_id[17];
	char peer[64];
};

struct http_server {
	struct loop *loop;
	struct MHD_Daemon *daemon;
	const struct http_server_limits *limits;
	struct http_handler *handler;
	struct loop_watch watch;
	struct loop_hook hook;
	struct loop_timer sweep;
	struct connection *connections;
	size_t count;
	size_t active; /* not idle */
	size_t running;
	int fd;
	bool is_local;
	bool is_quiet;
	bool has_more; /* libmicrohttpd has to be run for something that no event tells of */
	unsigned char random[256]; /* drawn in one go, for request ids */
	size_t random_left;
};

void connection_move(struct connection *connection, enum connection_state state);

/* Takes the request's target, as it came: the first that is heard of a request. */
void request_begin(struct connection *connection, struct str target);
/* Method and headers. Sets a fault when the limits or the framing forbid the request. */
void request_read_head(struct connection *connection, const char *method);
/* A part of the body; false when the connection is to be closed at once. */
bool request_read_body(struct connection *connection, struct str bytes) MUST_CHECK;

#endif
