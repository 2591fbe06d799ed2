/* HTTP/1.1: messages, the client, the server and the router. Blocking to look at: each call
 * suspends only the fiber that makes it. */
#ifndef IO_HTTP_HTTP_H
#define IO_HTTP_HTTP_H

#include "base/arena.h"
#include "base/buffer.h"
#include "io/loop/loop.h"

enum http_method {
	HTTP_GET,
	HTTP_POST,
	HTTP_PUT,
	HTTP_PATCH,
	HTTP_DELETE,
	HTTP_HEAD,
	HTTP_OPTIONS,
	HTTP_METHODS /* also: unknown */
};
const char *http_method_name(enum http_method method);
/* HTTP_METHODS when it is none of them; case matters. */
enum http_method http_method_from(struct str name);

struct http_header {
	struct str name;
	struct str value;
};

/* Name and value of a query or form field, decoded. */
struct http_field {
	struct str name;
	struct str value;
};

/* --- URLs ---------------------------------------------------------------------------------- */

/* Percent-encodes everything but RFC 3986's unreserved characters. */
void url_encode(struct buffer *out, struct str text);
/* False on a bad escape or an encoded NUL; '+' becomes a blank when is_form. */
bool url_decode(struct arena *arena, struct str text, bool is_form, struct str *out) MUST_CHECK;
/* "a=1&b[c]=2" to its fields, in order; at most fields_max of them. ERROR_INVALID, ERROR_LIMIT. */
bool url_parse_query(struct arena *arena, struct str query, size_t fields_max,
		     struct http_field **fields, size_t *count, struct error *err) MUST_CHECK;
/* A control byte (below 0x20, or 0x7f) anywhere: not to be let into a header or a URL. */
bool http_has_control_byte(struct str text);
/* An HTTP date or a number of seconds, as Retry-After has them; -1 when it is neither. Negative
 * and past ones give 0; anything over 24 h gives 24 h. */
int64_t http_parse_retry_after_ms(struct str value, int64_t unix_now_ms);

/* --- bodies as streams --------------------------------------------------------------------- */

enum { HTTP_LENGTH_UNKNOWN = -1 };

/* Where the bytes of a body come from. */
struct http_source {
	/* Up to `max` (at least 1) bytes to `bytes`; may suspend the fiber. How many came; 0 at the
	 * end, and only there; -1 with *err. */
	ssize_t (*read)(void *context, void *bytes, size_t max, struct error *err);
	void *context;
	int64_t length; /* of all that it will give, or HTTP_LENGTH_UNKNOWN */
};

/* The one part of a form that is a file. */
struct http_form_file {
	struct str name; /* of the form's field */
	struct str filename;
	struct str content_type; /* empty: application/octet-stream */
	const struct http_source *bytes;
	/* The bytes may be two fewer than their length says, as where a line's end may follow them
	 * or not. The form has one length either way. */
	bool has_slack;
};
/* A body of multipart/form-data, made as it is read: the fields in order, then the file. It lives
 * in the arena and reads from file->bytes, whose length, when known, makes its own known.
 * *content_type gets the header that must go with it; the boundary is drawn from `random`. */
struct http_source *http_form_source(struct arena *arena, const struct random *random,
				     const struct http_field *fields, size_t count,
				     const struct http_form_file *file, struct str *content_type);

/* --- the client ---------------------------------------------------------------------------- */

struct http_request {
	enum http_method method;
	struct str url;
	const struct http_header *headers; /* values with a control byte are refused */
	size_t header_count;
	struct str body; /* empty: none, unless has_body */
	bool has_body;
	/* NULL, or what the body is read from instead, in the fiber of the call. Known lengths go
	 * out as Content-Length, others chunked. A source that fails, or that gives less or more
	 * than its length, breaks the request off before it is whole: HTTP_REFUSED. Such a request
	 * goes over a connection of its own, as it cannot be sent twice. */
	const struct http_source *source;
	/* Monotonic, for everything including the body; where a body is streamed see below. */
	int64_t deadline_ns;
	/* Of streams: how long nothing may move; 0: 30 s. */
	int64_t idle_timeout_ms;
	/* To public addresses only, whatever the client's reach, and over https: for URLs that
	 * somebody else has made up. HTTP_REFUSED when the host has no such. */
	bool to_public_only;
	/* Never again over another connection, not even when the first was closed before it could
	 * be heard: it goes over a connection of its own. Its answer is taken up to a second after
	 * the deadline, so that one which came while the process was stopped is not lost. */
	bool is_sent_once;
	/* Of open(): a content coding may be asked for, and is undone; the length of such a body is
	 * not known. */
	bool takes_coding;
	size_t response_bytes_max; /* of the body, decoded; 0 with open(): no limit */
};

/* How far a call came that did not end in a whole response. What a retry may do hangs on it. */
enum http_outcome {
	HTTP_COMPLETE,	/* a whole response is there */
	HTTP_NOT_SENT,	/* certainly nothing reached the peer (no address, refused, TLS) */
	HTTP_BROKEN,	/* reset, closed or cut: the peer may have acted on it */
	HTTP_TIMED_OUT, /* the deadline came: the peer may have acted on it */
	HTTP_TOO_LARGE, /* the response passed response_bytes_max */
	HTTP_REFUSED,	/* the request itself was not fit to be sent */
};

struct http_response {
	enum http_outcome outcome;
	int status;
	struct http_header *headers; /* names in lower case */
	size_t header_count;
	struct str body;     /* in the arena given to the call */
	int64_t body_length; /* as promised, or HTTP_LENGTH_UNKNOWN; of open() only */
	int64_t duration_ns; /* from the call to its end; of open(): to the headers */
};

/* A call whose response is read piece by piece. */
struct http_call {
	struct http_client *client;
};

/* The network as the rest of the program sees it; a simulated twin fills the same table. */
struct http_client {
	/* Always fills *response; header values in it have no control bytes. True when outcome is
	 * HTTP_COMPLETE, whatever the status; else false with *err (ERROR_UPSTREAM, ERROR_TIMEOUT,
	 * ERROR_LIMIT, ERROR_INVALID, or ERROR_FORBIDDEN for an address out of reach). The message
	 * names host and reason, never a header or a query. Redirects are not followed. */
	bool (*send)(struct http_client *client, struct arena *arena,
		     const struct http_request *request, struct http_response *response,
		     struct error *err);
	struct http_call *(*open)(struct http_client *client, struct arena *arena,
				  const struct http_request *request,
				  struct http_response *response, struct error *err);
	ssize_t (*read)(struct http_call *call, void *bytes, size_t max, struct error *err);
	void (*close)(struct http_call *call);
};

static inline bool http_client_send(struct http_client *client, struct arena *arena,
				    const struct http_request *request,
				    struct http_response *response, struct error *err)
{
	return client->send(client, arena, request, response, err);
}

/* Sends the request and returns with the response's status and headers; response->body stays
 * empty. NULL, and all as with send(), when there is no response. The deadline is for the headers;
 * while a source is read it gives way to the idle timeout, and begins anew at the source's end.
 * The body comes as it was sent: no content coding is asked for, and none is undone, unless
 * takes_coding says otherwise. Request, source and arena must live until the call is closed. */
static inline struct http_call *http_client_open(struct http_client *client, struct arena *arena,
						 const struct http_request *request,
						 struct http_response *response, struct error *err)
{
	return client->open(client, arena, request, response, err);
}
/* Up to `max` (at least 1) bytes of the body; suspends until some are there. How many; 0 at the
 * whole body's end; -1 with *err (ERROR_UPSTREAM: it broke off, ERROR_TIMEOUT: nothing came for
 * the idle timeout, ERROR_LIMIT: more than response_bytes_max). While nobody reads, no more than a
 * small window is taken from the peer. A peer that answers before it has heard all is given the
 * rest of the source meanwhile, as far as the source still gives. */
static inline ssize_t http_client_read(struct http_call *call, void *bytes, size_t max,
				       struct error *err)
{
	return call->client->read(call, bytes, max, err);
}
/* Once for each call that was opened. Before the body's end it breaks the transfer off. */
static inline void http_client_close(struct http_call *call)
{
	call->client->close(call);
}
/* An empty str when there is none; the name in lower case. */
struct str http_response_header(const struct http_response *response, const char *name);

/* NULL for an address (IPv4 or IPv6) of the public internet; else what it is: "a private address",
 * of this machine, of a shared network, for documentation, for many at once, or one of these in
 * disguise (IPv4 inside of IPv6). */
struct sockaddr;
const char *http_address_kind(const struct sockaddr *address);

/* Addresses that begin with the same bits; port 0: any. */
struct http_range {
	unsigned char address[16];
	unsigned char len; /* of an address: 4 or 16 bytes */
	unsigned bits;
	uint16_t port;
};
/* "10.0.0.0/8", "10.1.2.3:8443", "fd00::/8", "[fd00::1]:443". ERROR_INVALID. */
bool http_range_read(struct str text, struct http_range *range, struct error *err) MUST_CHECK;

/* Where a client's calls may go: to public addresses (over https, unless allows_http), to the
 * ranges, and to whatever address the origins lead to. Never to the listener, which is the server
 * itself. Judged by the address of each connection, when it is opened and when it is used again. */
struct http_reach {
	const struct http_range *ranges;
	size_t range_count;
	const struct str *origins; /* "http://127.0.0.1:9700", as URLs begin */
	size_t origin_count;
	bool allows_http;
	/* The listener's, as a range of one address; len 0: none. */
	struct http_range listener;
};
/* `fd` is a socket that this server listens on. */
void http_reach_note_listener(struct http_reach *reach, int fd);

struct http_client_options {
	size_t connections_max;	 /* kept open when at rest; 0: 256 */
	size_t calls_max;	 /* at once; more wait their turn; 0: no limit */
	const char *unix_socket; /* NULL, or the path which every call goes through */
	const char *user_agent;
	int64_t connect_timeout_ms; /* finding the host's address is part of it; 0: 10 s */
	const struct http_reach *reach; /* outlives the client; NULL: anywhere */
};
/* A client on libcurl's multi interface, on this loop; used from its fibers only. */
struct http_client *http_client_create(struct loop *loop, const struct http_client_options *options,
				       struct error *err) MUST_CHECK;
/* No call may be under way. NULL is accepted. */
void http_client_destroy(struct http_client *client);
/* The most bytes that one streamed body ever had waiting in this (not a twin's) client. */
size_t http_client_window_peak(const struct http_client *client);

/* --- the server ---------------------------------------------------------------------------- */

struct http_server_limits {
	size_t url_bytes_max;	  /* 6 KiB; past it 414 */
	size_t headers_bytes_max; /* first line and headers together, 16 KiB; past it 431 */
	size_t body_bytes_max;	  /* 1 MiB; past it 413 */
	size_t fields_max;	  /* of a query: 100 */
	size_t connections_max;	  /* per listener: 12,000 */
	unsigned idle_timeout_s;  /* 60 */
	/* For a whole request to come: 15, then the connection is closed. For a body that is a
	 * stream: between two bytes that the handler waits for. */
	unsigned read_timeout_s;
	size_t arena_bytes_max; /* of the arena of one request: 64 MiB */
};
extern const struct http_server_limits http_server_limits_default;

/* One request and its reply: what a handler gets. Everything in it lives in `arena`, which ends
 * after the reply is out. */
struct http_exchange {
	struct arena *arena;
	enum http_method method;
	struct str method_name;
	struct str path;		/* as it came, undecoded, without the query */
	const struct http_field *query; /* decoded */
	size_t query_count;
	const struct http_header *headers; /* names in lower case */
	size_t header_count;
	struct str body;       /* empty when it is a stream */
	int64_t body_length;   /* as promised, or HTTP_LENGTH_UNKNOWN (chunked) */
	bool is_stream;	       /* the body is there for http_exchange_read() only */
	struct str request_id; /* made by the server: 16 hex digits */
	struct str peer;       /* address of the other side, for the log */
	bool is_local;	       /* came over the unix socket */
	int64_t started_ns;
	/* What a handler answers. */
	int status;		 /* 200 at the start */
	struct str reply;	 /* body, in the arena */
	struct str content_type; /* "application/json" at the start */
	struct http_header *reply_headers;
	size_t reply_header_count;
	/* For stand-ins that misbehave on purpose: the connection ends after so many bytes of the
	 * reply's body (whose length has been promised), orderly or with a reset; at 0 nothing of
	 * the reply is sent, not even the status line. */
	bool is_cut;
	bool cut_with_reset;
	size_t cut_after;
	void *state;		       /* free for the handler */
	struct connection *connection; /* the server's own; NULL where no server made it */
	size_t body_read;	       /* http_exchange_read()'s place in `body` */
	uint64_t written;	       /* by http_exchange_write() */
};

struct str http_exchange_header(const struct http_exchange *exchange, const char *name);
/* The first query field of that name; false when there is none. */
bool http_exchange_query(const struct http_exchange *exchange, const char *name, struct str *value);
/* Both are copied into the arena. A control byte in the value is a bug (assert). */
void http_exchange_set_header(struct http_exchange *exchange, const char *name, struct str value);

/* Up to `max` (at least 1) bytes of the request's body, whether it is a stream or not; suspends
 * until some are there. How many; 0 at the end; -1 with *err: ERROR_LIMIT (more than the handler's
 * limit for this stream), ERROR_TIMEOUT (nothing for read_timeout_s), ERROR_INVALID (the caller has
 * gone, or the body is not HTTP). While nobody reads, no more than a small window is taken from
 * the caller. What a handler has not read when it answers is read and thrown away, within
 * the limits; a caller that asks first (Expect: 100-continue) is only told to go on at the first
 * read, so that a refusal before it costs no body. */
ssize_t http_exchange_read(struct http_exchange *exchange, void *bytes, size_t max,
			   struct error *err) MUST_CHECK;
/* The same as a source, in the exchange's arena. */
struct http_source *http_exchange_source(struct http_exchange *exchange);
/* Answers piece by piece instead of with `reply`: status, content_type and headers are final now,
 * the body's bytes follow with http_exchange_write(), and the handler's return ends it. Known
 * lengths go out as Content-Length, others chunked. Once the first bytes are written (or the
 * request's body was whole before) that body cannot be read any more: the rest is thrown away, and
 * the reply goes out behind it. Once for each exchange. */
void http_exchange_begin_reply(struct http_exchange *exchange, int status, int64_t length);
/* Suspends until the server has taken the bytes, which is as fast as the caller reads. False with
 * ERROR_UNAVAILABLE when the caller has gone (or read nothing for idle_timeout_s): what is then
 * written goes nowhere; ERROR_INTERNAL for more bytes than were promised, which breaks the reply
 * off. To HEAD nothing is sent. */
bool http_exchange_write(struct http_exchange *exchange, struct str bytes,
			 struct error *err) MUST_CHECK;
/* The reply cannot be finished: the connection is cut when the handler returns, so that the
 * caller does not take what came for a whole body. So it is too when bytes are missing. */
void http_exchange_break(struct http_exchange *exchange);

/* From now on the exchange's work ends when its caller closes the connection, or its sending side
 * of it: the handler's fiber is interrupted (loop_interrupt()), http_exchange_is_gone() is true, and
 * nothing is sent any more. Otherwise a request is carried out to its end although nobody waits for
 * the answer. Called in the handler's fiber. */
void http_exchange_end_with_caller(struct http_exchange *exchange);
bool http_exchange_is_gone(const struct http_exchange *exchange);

/* Runs in a fiber of its own for each request. When limits or framing refuse a request before it
 * is whole, `refuse` is called instead, outside of a fiber, to give the same error shape; the
 * exchange then has the status that fits best (400, 413, 414, 431), which it may keep. What
 * libmicrohttpd cannot read as HTTP at all, or has no memory for (a head far past the limits), it
 * answers with a page of its own. */
struct http_handler {
	void (*handle)(struct http_handler *handler, struct http_exchange *exchange);
	void (*refuse)(struct http_handler *handler, struct http_exchange *exchange,
		       const struct error *err);
	void *context;
	/* NULL, or asked when the headers of a request with a body are there: how many bytes of it
	 * the handler takes as a stream; 0: it is to come whole, within body_bytes_max. A handler
	 * that takes a stream runs at once, before the body. Asked outside of a fiber. */
	size_t (*stream_max)(struct http_handler *handler, const struct http_exchange *exchange);
};

struct http_server;

/* Opens listening sockets. `address` is "HOST:PORT" (IPv6 in brackets, port 0: any free one) or
 * "unix:PATH" (mode 0600; a stale socket file is replaced). Fills fds[0..count-1], all on the
 * same address by SO_REUSEPORT (unix: count must be 1), and *bound with the real address
 * ("127.0.0.1:41873"). */
bool http_listen(struct arena *arena, struct str address, int *fds, size_t count, struct str *bound,
		 struct error *err) MUST_CHECK;
/* Serves the listening socket `fd` (which it then owns) on this loop. Handler and limits must
 * outlive it. */
struct http_server *http_server_create(struct loop *loop, int fd, bool is_local,
				       const struct http_server_limits *limits,
				       struct http_handler *handler, struct error *err) MUST_CHECK;
/* What an encrypted listener shows its callers: PEM files of a certificate with those above it, and
 * of its key, as the file stands when it is read. Shared by all workers, any thread. */
struct http_tls;
/* ERROR_INVALID or ERROR_FORBIDDEN (fields "tls-certificate", "tls-key") when a file cannot be
 * read, the two do not belong together, or everybody may read the key. */
struct http_tls *http_tls_create(const char *certificate_file, const char *key_file,
				 struct error *err) MUST_CHECK;
/* No server that uses it may be there any more. NULL is accepted. */
void http_tls_destroy(struct http_tls *tls);
/* Reads the files anew, for connections to come; those that are there go on. When it fails the
 * old certificate stays in use. One thread at a time. */
bool http_tls_reload(struct http_tls *tls, struct error *err) MUST_CHECK;
/* Whether a file is another one than at the last reading, also one that failed. */
bool http_tls_has_changed(const struct http_tls *tls) MUST_CHECK;
/* As http_server_create(), with TLS 1.2 or 1.3 (never local). `tls` must outlive it. */
struct http_server *http_server_create_tls(struct loop *loop, int fd, struct http_tls *tls,
					   const struct http_server_limits *limits,
					   struct http_handler *handler,
					   struct error *err) MUST_CHECK;
/* Takes no new connection any more and closes idle ones; requests under way are finished. */
void http_server_quiesce(struct http_server *server);
/* No request may be under way. NULL is accepted. */
void http_server_destroy(struct http_server *server);
size_t http_server_active(const struct http_server *server);
/* The most bytes that one streamed request body ever had waiting here. */
size_t http_server_window_peak(const struct http_server *server);

/* --- multipart/form-data ------------------------------------------------------------------- */

struct http_part {
	struct str name;         /* of the form field */
	struct str filename;     /* without a folder; empty when the part is no file */
	bool is_file;            /* a filename was given, be it empty */
	struct str content_type; /* "text/plain" when the part does not say */
};

/* What a body's parts are given to, in order; false with *err ends the reading. Texts of a part
 * live in the reader's arena, bytes only during the call. */
struct http_part_handler {
	bool (*begin)(void *context, const struct http_part *part, struct error *err);
	bool (*bytes)(void *context, struct str bytes, struct error *err);
	bool (*end)(void *context, struct error *err);
	void *context;
};

/* Reads a body that comes in pieces of any size (RFC 7578, strictly), holding back no more than
 * the head of a part: what stands in a part is handed on as it comes. */
struct multipart;
/* Whether this Content-Type says multipart/form-data. */
bool multipart_is(struct str content_type);
/* NULL with ERROR_INVALID when the Content-Type has no good boundary. */
struct multipart *multipart_create(struct arena *arena, struct str content_type,
				   const struct http_part_handler *handler,
				   struct error *err) MUST_CHECK;
/* ERROR_INVALID, ERROR_LIMIT (1,000 parts, 8 KiB for the head of one), or the handler's. */
bool multipart_feed(struct multipart *multipart, struct str bytes, struct error *err) MUST_CHECK;
/* How many bytes the last delimiter takes behind the last part, without the line's end which may
 * follow it. */
size_t multipart_tail_bytes(const struct multipart *multipart);
/* The body is over: false when it is not whole. */
bool multipart_finish(struct multipart *multipart, struct error *err) MUST_CHECK;
/* The parameters of a Content-Disposition: `form-data; name="a"; filename="b.pdf"`. Missing ones
 * are {NULL, 0}. False when it is malformed. */
bool http_read_disposition(struct arena *arena, struct str value, struct str *type,
			   struct str *name, struct str *filename) MUST_CHECK;

/* --- the router ---------------------------------------------------------------------------- */

enum { HTTP_ROUTE_PARTS = 8 };

struct http_match {
	struct str parts[HTTP_ROUTE_PARTS]; /* what stood at each {…}, decoded */
};
struct http_route {
	enum http_method method;
	const char *pattern; /* "/unified/{model}/{resource}/{id}": constant parts and {names};
			      * a last part "{path...}" takes all the rest, slashes too */
	void (*handle)(void *context, struct http_exchange *exchange,
		       const struct http_match *match);
	/* NULL: the body comes whole; else as http_handler's stream_max says. */
	size_t (*stream_max)(const struct http_exchange *exchange);
};

struct http_router;
/* Compiled into the arena; `routes` must outlive it. Constant parts win over {names}. */
struct http_router *http_router_create(struct arena *arena, const struct http_route *routes,
				       size_t count);
/* Finds the route. False with ERROR_NOT_FOUND, or ERROR_METHOD (allowed: the methods that there
 * are), or ERROR_INVALID for a bad escape in the path. */
bool http_router_find(const struct http_router *router, enum http_method method, struct str path,
		      struct arena *arena, const struct http_route **route,
		      struct http_match *match, struct error *err) MUST_CHECK;
/* What http_handler's stream_max asks, of the route's own; 0 where there is no route. */
size_t http_router_stream_max(const struct http_router *router,
			      const struct http_exchange *exchange);

#endif
