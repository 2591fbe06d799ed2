/* What a change of a record means beside its being changed: the events that the model declares
 * (`events:` of a resource). Private to this room. */
#ifndef ATS_COPY_DOMAIN_H
#define ATS_COPY_DOMAIN_H

#include "ats/event/event.h"
#include "ats/model/model.h"

/* Puts the statements of the domain events of one change into `out`, which has room for
 * resource->event_count of them; returns how many. `before` is JSON_UNDEFINED of a record that is
 * new; both are unified records. A member that one of the two does not have was not told, and
 * tells nothing. `of` is the record's own event, whose place, version and time they share; all it
 * points at must live as long as the statements. */
size_t copy_domain_events(const struct model_resource *resource, struct arena *arena,
			  struct json before, struct json after, const struct event_new *of,
			  struct store_statement *out);

#endif
