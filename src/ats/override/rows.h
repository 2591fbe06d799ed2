/* The rows of overrides. Private to this room. */
#ifndef ATS_OVERRIDE_ROWS_H
#define ATS_OVERRIDE_ROWS_H

#include "ats/override/override.h"

/* Those of the environment's layer for the connector, then those of the account's, each sorted by
 * resource, part and field. An empty connector: of all; an empty account id: of none. */
bool rows_read(struct store *store, struct arena *arena, const struct override_layer *layer,
	       struct override **list, size_t *count, struct error *err) MUST_CHECK;
/* Has anybody overridden anything? */
bool rows_are_there(struct store *store, bool *are_there, struct error *err) MUST_CHECK;
/* In one transaction. */
bool rows_write(struct store *store, struct arena *arena, const struct override_layer *layer,
		struct str resource, const struct override *changes, size_t count,
		bool replaces_all, int64_t now_ms, struct error *err) MUST_CHECK;

#endif
