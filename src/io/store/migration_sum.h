/* The checksum of a migration's text. Private to the store. */
#ifndef IO_STORE_MIGRATION_SUM_H
#define IO_STORE_MIGRATION_SUM_H

#include <inttypes.h>
#include <stdio.h>

enum { MIGRATION_SUM_LEN = 16 };

/* FNV-1a: it tells a slip from the original; who wants to deceive could change the row as well. */
static inline void migration_sum(const char *sql, char text[MIGRATION_SUM_LEN + 1])
{
	uint64_t hash = 0xcbf29ce484222325;

	for (; *sql != '\0'; sql++)
		hash = (hash ^ (unsigned char)*sql) * 0x100000001b3;
	snprintf(text, MIGRATION_SUM_LEN + 1, "%016" PRIx64, hash);
}

#endif
