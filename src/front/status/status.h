/* How the server is: /healthz (it runs), /readyz (it may be sent work), /metrics (Prometheus),
 * /status (for its operator, and for the administrators of an environment). But for the last no key
 * is wanted, and nothing there tells of a customer. */
#ifndef FRONT_STATUS_STATUS_H
#define FRONT_STATUS_STATUS_H

#include "front/door/door.h"

extern const struct http_route status_routes[];
extern const size_t status_route_count;

/* What is counted in the store for /metrics, kept so that asking often costs little. Shared by all
 * workers. */
struct tallies;
struct tallies *tallies_create(void);
/* NULL is accepted. */
void tallies_destroy(struct tallies *tallies);

#endif
