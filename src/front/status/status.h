/* How the server is: /healthz (it runs), /readyz (it may be sent work), /metrics (Prometheus).
 * No key is wanted, and nothing here tells of a customer. */
#ifndef FRONT_STATUS_STATUS_H
#define FRONT_STATUS_STATUS_H

#include "front/door/door.h"

extern const struct http_route status_routes[];
extern const size_t status_route_count;

#endif
