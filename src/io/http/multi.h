/* libcurl's multi handles on the loop. There are several for one client: libcurl looks at every
 * connection of a handle for each call, so that thousands of calls on one would spend their time
 * on that. Calls fill the first handle, and overflow into further ones, which go again. */
#ifndef IO_HTTP_MULTI_H
#define IO_HTTP_MULTI_H

#include <curl/curl.h>

#include "io/http/http.h"

enum {
	MULTI_CALLS = 128, /* at once, on one handle */
	MULTI_COUNT_MAX = 256,
};

struct socket_watch;
struct multi_set;

struct multi {
	struct multi_set *set;
	CURLM *handle;
	struct loop_timer timer;
	size_t active;
	int64_t since_ns; /* of the last call that ended */
	bool has_new;	  /* transfers were added in this turn */
};

struct multi_set {
	struct loop *loop;
	CURLSH *shared; /* addresses and TLS sessions, known to all handles */
	struct multi *multis[MULTI_COUNT_MAX];
	size_t count;
	size_t connections_kept;
	struct loop_hook hook;
	struct loop_timer sweep;
	struct socket_watch **watches; /* by descriptor */
	size_t watch_count;
	struct socket_watch *idle_watches;
	/* Called on the loop's stack when a transfer has ended. */
	void (*ended)(CURL *easy, CURLcode result);
};

/* False when libcurl does not start. */
bool multi_set_init(struct multi_set *set, struct loop *loop, size_t connections_kept,
		    void (*ended)(CURL *easy, CURLcode result)) MUST_CHECK;
/* No transfer may be under way; their handles must be gone. */
void multi_set_finish(struct multi_set *set);
/* A new easy handle is made known to the set once. Its sockets are opened by the next one. */
void multi_set_adopt(struct multi_set *set, CURL *easy);
curl_socket_t multi_open_socket(struct multi_set *set, const struct curl_sockaddr *address);

/* Starts a transfer at the end of this turn; returns where it runs. */
struct multi *multi_begin(struct multi_set *set, CURL *easy);
/* After it has ended. */
void multi_end(struct multi *multi, CURL *easy);

#endif
