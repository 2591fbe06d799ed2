/* The unified REST door: /unified/{model}/{resource}[/{id}]. It turns a request into an operation
 * and prints what comes back in the envelope of the contract. */
#ifndef FRONT_REST_REST_H
#define FRONT_REST_REST_H

#include "front/door/door.h"

/* Routes for the server's router; the handlers' context is a struct door. */
extern const struct http_route rest_routes[];
extern const size_t rest_route_count;

#endif
