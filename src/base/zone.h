/* Time zones by their names, as the machine has them (/usr/share/zoneinfo, files of RFC 8536). */
#ifndef BASE_ZONE_H
#define BASE_ZONE_H

#include "base/arena.h"
#include "base/disk.h"

struct zone;

/* The zone of this name, such as Europe/Amsterdam: read once, kept until the process ends. From any
 * thread. ERROR_NOT_FOUND: the machine has none of this name. */
const struct zone *zone_find(const struct disk *disk, struct str name, struct error *err);
struct str zone_name(const struct zone *zone);
/* How many seconds its clocks are ahead of UTC at this moment. */
int64_t zone_offset_s(const struct zone *zone, int64_t unix_s);

/* The bytes of a file, version 2 or later; in the arena, which keeps them. ERROR_INVALID. */
struct zone *zone_parse(struct arena *arena, struct str name, struct str bytes,
			struct error *err) MUST_CHECK;

#endif
