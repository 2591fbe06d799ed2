/* The administration door: environments, API keys and integrated accounts. The command line goes
 * through it too. */
#ifndef FRONT_ADMIN_ADMIN_H
#define FRONT_ADMIN_ADMIN_H

#include "front/door/door.h"

/* Routes for the server's router; the handlers' context is a struct door. */
extern const struct http_route admin_routes[];
extern const size_t admin_route_count;

#endif
