/* A text in SQLite's words put into PostgreSQL's. Private to the store. */
#ifndef IO_STORE_PG_TEXT_H
#define IO_STORE_PG_TEXT_H

#include "base/buffer.h"

/* Appends the text: of two (STORE_TEXTS) PostgreSQL's; ?1 becomes $1, x'00' a bytea, INDEXED BY
 * is left out. What is quoted stays. */
void pg_text_append(struct buffer *out, const char *sql);

#endif
