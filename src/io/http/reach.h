/* Inside the client: where a call may go. */
#ifndef IO_HTTP_REACH_H
#define IO_HTTP_REACH_H

#include <sys/socket.h>

#include "io/http/http.h"

/* NULL when a call of `request` may go to this address, else what kind of address it is. Any when
 * `reach` is NULL and the request does not itself ask for public ones. */
const char *reach_judge(const struct http_reach *reach, const struct http_request *request,
			const struct sockaddr *address);
/* The same for the peer of a connection that stands, as libcurl tells it. */
const char *reach_judge_peer(const struct http_reach *reach, const struct http_request *request,
			     const char *peer, int port);

#endif
