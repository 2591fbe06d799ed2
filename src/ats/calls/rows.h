/* The rows of the log. Private to this room. */
#ifndef ATS_CALLS_ROWS_H
#define ATS_CALLS_ROWS_H

#include "ats/calls/calls.h"

enum {
	ROWS_BATCH = 512,
	ROWS_ID_BYTES = 32,
	/* An id is a time in milliseconds with so many bits of a number after it, of which the last
	 * say which node made it. */
	ROWS_ID_SHIFT = 20,
	ROWS_SLOT_BITS = 6,
};

/* A record that waits: what is not kept elsewhere is copied. */
struct queued {
	struct call_record record;
	char environment_id[ROWS_ID_BYTES];
	char account_id[ROWS_ID_BYTES];
	char request_id[ROWS_ID_BYTES];
	char mcp_server_id[ROWS_ID_BYTES];
	char client_name[CALLS_CLIENT_BYTES];
	char client_version[CALLS_CLIENT_BYTES];
};

/* All of them or none. `count` at most ROWS_BATCH. From the log's own thread, with the room for
 * its parameters. */
struct call_rows_room;
struct call_rows_room *call_rows_room_create(void);
bool call_rows_insert(struct store *store, struct call_rows_room *room,
		      const struct queued *records, size_t count, struct error *err) MUST_CHECK;

/* PostgreSQL: makes the partitions of the next days, and drops those of days that ended `days` ago
 * (0: all). To be called several times a day. */
bool call_rows_tend(struct store *store, int64_t now_ms, int64_t days,
		    struct error *err) MUST_CHECK;
/* Deletes records from before then, some of each environment; *is_whole: there are no more.
 * PostgreSQL: of those that have no partition. */
bool call_rows_expire(struct store *store, int64_t before_ms, bool *is_whole,
		      struct error *err) MUST_CHECK;

/* As calls_list(). */
bool call_rows_list(struct store *store, struct arena *arena, const struct calls_query *query,
		    struct call_record **records, size_t *count, int64_t *next_id,
		    struct error *err) MUST_CHECK;

#endif
