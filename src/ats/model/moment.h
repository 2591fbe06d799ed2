/* Date-times as ATSs write them, to UTC. */
#ifndef ATS_MODEL_MOMENT_H
#define ATS_MODEL_MOMENT_H

#include "base/arena.h"

/* RFC 3339 with any offset and any fraction (also "+0200", and a blank for the T), or a day alone,
 * which is its beginning. *out is in UTC with the digits of the fraction kept; it is `text` itself
 * where that is so already. False when it is no time, or its zone is not told. */
bool moment_to_utc(struct arena *arena, struct str text, struct str *out) MUST_CHECK;
/* yyyy-mm-dd, alone or before a time; *out is a slice of `text`. */
bool moment_to_date(struct str text, struct str *out) MUST_CHECK;

#endif
