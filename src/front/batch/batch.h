/* The batch door: POST /batch-request runs several unified and native calls of one request side by
 * side, those that depend on others behind them, each through the same routes as alone. */
#ifndef FRONT_BATCH_BATCH_H
#define FRONT_BATCH_BATCH_H

#include "front/door/door.h"

/* Routes for the server's router; the handlers' context is a struct door. */
extern const struct http_route batch_routes[];
extern const size_t batch_route_count;

#endif
