/* What there is, for those who call: the ATSs that can be linked and what works with each, JSON
 * Schemas of the unified methods, and an OpenAPI document of every door. All is made of the models,
 * the connectors and what each door's api.yaml says of its routes. */
#ifndef FRONT_DISCOVERY_DISCOVERY_H
#define FRONT_DISCOVERY_DISCOVERY_H

#include "ats/contract/contract.h"
#include "front/door/door.h"

/* Immutable, shared by all workers: struct door has it. */
struct discovery;

/* Borrows everything, for as long as the arena lives. ERROR_INTERNAL: an api.yaml has a fault. */
const struct discovery *discovery_create(struct arena *arena, const struct model *model,
					 const struct connectors *connectors,
					 const struct model_aliases *aliases, const char *version,
					 struct error *err) MUST_CHECK;
/* The OpenAPI document, as JSON. */
struct str discovery_openapi(const struct discovery *discovery);

extern const struct http_route discovery_routes[];
extern const size_t discovery_route_count;

#endif
