/* Inside the client: what whole and streamed calls share. */
#ifndef IO_HTTP_CLIENT_H
#define IO_HTTP_CLIENT_H

#include "io/http/multi.h"
#include "io/http/transfer.h"

struct client {
	struct http_client base;
	struct loop *loop;
	struct http_client_options options;
	struct multi_set multis;
	struct transfer *idle;
	size_t idle_count;
	size_t active;
	struct turn *first_turn; /* calls that wait for one of the active to end */
	struct turn **last_turn;
	size_t window_peak;
};

/* A handle for one call, once the call may have a connection; NULL with ERROR_TIMEOUT when it may
 * not before the deadline. */
struct transfer *client_take(struct client *client, int64_t deadline_ns,
			     struct error *err) MUST_CHECK;
void client_give_back(struct client *client, struct transfer *transfer);
/* What a read may bring. */
long client_buffer_bytes(const struct client *client);

/* --- calls whose bodies are streams (call.c) ----------------------------------------------- */

struct http_call *call_open(struct http_client *base, struct arena *arena,
			    const struct http_request *request, struct http_response *response,
			    struct error *err);
ssize_t call_read(struct http_call *base, void *bytes, size_t max, struct error *err);
void call_close(struct http_call *base);
/* send() for a request with a source. */
bool call_send(struct http_client *base, struct arena *arena, const struct http_request *request,
	       struct http_response *response, struct error *err) MUST_CHECK;
/* The transfer has ended. */
void call_end(struct call *call);

#endif
