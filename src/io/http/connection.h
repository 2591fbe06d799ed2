/* Inside the server: one connection and the request that is on it. */
#ifndef IO_HTTP_CONNECTION_H
#define IO_HTTP_CONNECTION_H

#include <microhttpd.h>

#include "io/http/http.h"

/* connection_move() is the only function that changes it. */
enum connection_state {
	CONNECTION_IDLE,    /* nothing of a request, or not its whole first line */
	CONNECTION_READING, /* headers, then body */
	CONNECTION_RUNNING, /* the handler's fiber has it; suspended, or taking in a stream */
	CONNECTION_DONE,    /* there is a reply, which is still to be queued */
	CONNECTION_REPLYING,
};

/* A request's body that the handler reads as it comes. */
struct inflow {
	bool is_on;
	bool is_expected; /* the caller waits for a 100 before it sends */
	bool is_wanted;	  /* the handler has asked for it */
	bool is_passed;	  /* libmicrohttpd was told to go on with the body */
	bool is_whole;
	size_t bytes_max;
	uint64_t taken; /* so far, of which window[from..to) is still to be read */
	char *window;	/* in the arena */
	size_t from, to;
	struct loop_wait *reader;
};

/* A reply's body that the handler writes as it goes. */
struct outflow {
	bool is_on;
	bool is_over; /* the handler has returned */
	bool is_broken;
	int64_t length; /* or HTTP_LENGTH_UNKNOWN */
	uint64_t written;
	struct str piece; /* the writer's, as far as it was not taken yet */
	/* The last byte of a known length is kept back until the handler has returned: it may
	 * still break the reply off, and the request does not end before its fiber. */
	bool has_last;
	char last;
	struct loop_wait *writer;
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
	bool is_held;	  /* suspended in libmicrohttpd */
	bool has_fiber;	  /* the handler runs */
	bool is_gone;	  /* libmicrohttpd has given the request up while it ran */
	bool is_orphan;	  /* and the connection too: the fiber's end frees it */
	bool is_http10;
	/* Of a request that ends with its caller (caller.c). */
	bool ends_with_caller;
	bool is_watched;
	bool has_left; /* the caller has, and libmicrohttpd does not know it yet */
	struct loop_watch caller;
	struct fiber *fiber; /* the handler's, once it has begun */
	bool has_waited;     /* it has left libmicrohttpd's callback */
	/* --- of the request ------------------------------------------------------------------ */
	struct arena arena;
	struct http_exchange exchange;
	struct str query;
	size_t target_len;
	struct buffer body;
	struct inflow in;
	struct outflow out;
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
	size_t active;	/* not idle */
	size_t running; /* fibers */
	size_t window_peak;
	struct http_tls *tls; /* NULL: not encrypted */
	int fd;
	bool is_local;
	bool is_quiet;
	bool has_more; /* libmicrohttpd has to be run for something that no event tells of */
	unsigned char random[256]; /* drawn in one go, for request ids */
	size_t random_left;
};

void connection_move(struct connection *connection, enum connection_state state);
/* Takes the connection out of libmicrohttpd's hands, and gives it back; twice does no harm. */
void connection_hold(struct connection *connection);
void connection_let_go(struct connection *connection);
/* Ends the connection in an orderly way, once libmicrohttpd has it in its hands. */
void connection_cut(struct connection *connection);
/* What libmicrohttpd may have read ahead at most. */
size_t connection_pool_bytes(const struct http_server_limits *limits);

/* Takes the request's target, as it came: the first that is heard of a request. */
void request_begin(struct connection *connection, struct str target);
/* Method and headers. Sets a fault when the limits or the framing forbid the request. */
void request_read_head(struct connection *connection, const char *method);
/* Is the body read first although the head has told that it is too large? */
bool request_is_swallowed(const struct connection *connection);
/* A part of the body; false when the connection is to be closed at once. */
bool request_read_body(struct connection *connection, struct str bytes) MUST_CHECK;
/* Copies what libmicrohttpd has of the head, which it may now forget before the fiber does. */
void request_keep_head(struct connection *connection);

/* A part of a streamed body; false when the connection is to be closed at once. */
bool inflow_take(struct connection *connection, struct str bytes) MUST_CHECK;
/* libmicrohttpd asks what to do now, before the body or behind it: true to queue the reply. */
bool inflow_pass(struct connection *connection) MUST_CHECK;
/* The request was given up: wakes the fiber, wherever it waits. */
void stream_abandon(struct connection *connection);

/* The handler's fiber has gone out of libmicrohttpd's callback: from now on its caller may leave;
 * and it is over, or libmicrohttpd has given the request up. */
void caller_watch(struct connection *connection);
void caller_forget(struct connection *connection);

/* Sends exchange->reply, or what the handler writes; MHD_NO closes the connection. */
enum MHD_Result reply_queue(struct connection *connection) MUST_CHECK;
/* Whether a body can go with this reply. */
bool reply_has_body(const struct http_exchange *exchange);

#endif
