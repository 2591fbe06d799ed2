/* The door for ATSs: POST /integrated-account-webhook/{id} takes what an ATS tells by itself of an
 * account. No API key is wanted, the signature is the proof. */
#ifndef FRONT_HOOKS_HOOKS_H
#define FRONT_HOOKS_HOOKS_H

#include "front/door/door.h"

/* Routes for the server's router; the handlers' context is a struct door. */
extern const struct http_route hooks_routes[];
extern const size_t hooks_route_count;

#endif
