/* The ATS in its own terms: /proxy, its native methods, and /custom, any path below its base
 * URL. */
#ifndef FRONT_PROXY_PROXY_H
#define FRONT_PROXY_PROXY_H

#include "front/door/door.h"

/* Their context is a struct door. */
extern const struct http_route proxy_routes[];
extern const size_t proxy_route_count;

#endif
