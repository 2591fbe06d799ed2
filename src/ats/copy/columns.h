/* A record as a row: the columns that views and exported tables have. Private to this room. */
#ifndef ATS_COPY_COLUMNS_H
#define ATS_COPY_COLUMNS_H

#include "ats/copy/copy.h"

/* Objects become the columns of what is in them; lists are one column each. In the arena; how
 * many. */
size_t copy_columns(struct arena *arena, const struct model_field *fields, size_t count,
		    struct copy_column **columns);

/* "first_second"; the second where the first is empty. */
struct str copy_join(struct arena *arena, struct str first, const char *sign, struct str second);

#endif
