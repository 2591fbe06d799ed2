/* The log of calls: one record for each call that a door took, kept for a set time and asked for
 * by account, status, resource and time. A record says what was asked in the words of the model
 * and the connectors, never in the caller's: no body, no name and no secret can get into it. Only
 * the name and version of an MCP client are its own words.
 *
 * Taking a record costs a copy. They queue in memory, and a thread writes them in batches; when
 * the queue is full, records are dropped and counted, and no call waits. A crash loses those of
 * the last half second or so. */
#ifndef ATS_CALLS_CALLS_H
#define ATS_CALLS_CALLS_H

#include "ats/node/node.h"
#include "base/error.h"
#include "base/random.h"
#include "io/store/store.h"

enum { CALLS_DAYS_DEFAULT = 30, CALLS_DAYS_MAX = 3650, CALLS_LIMIT_MAX = 1000 };

struct calls;

/* `days`: how long records are kept; 0: none is taken, and what there is goes. Starts the thread.
 * Everything is borrowed. One for the whole process. */
struct calls *calls_create(struct store *store, struct node *node, const struct clock *clock,
			   const struct random *random, int64_t days, struct error *err) MUST_CHECK;
/* Writes what is queued, then ends the thread. NULL is accepted. */
void calls_destroy(struct calls *calls);

enum calls_door { CALLS_UNIFIED, CALLS_PROXY, CALLS_CUSTOM, CALLS_MCP, CALLS_DOORS };
/* "unified", … */
const char *calls_door_name(enum calls_door door);

struct call_record {
	int64_t id; /* given when it is taken; tells the time and the order */
	struct str environment_id;
	struct str account_id; /* empty: none was found */
	/* These three are kept by their address until they are written: names of definitions. Empty
	 * where what was asked for is not among them. */
	struct str connector;
	struct str resource;
	struct str method;
	struct str door; /* when read; when taken: */
	enum calls_door which_door;
	int64_t status;
	struct str error; /* empty: none. A name of base/error.h, kept by its address */
	int64_t duration_ms;
	int64_t upstream_ms;
	int64_t wait_ms;
	int64_t calls;
	int64_t retries;
	int64_t result_count; /* -1: there is nothing to count */
	struct str request_id;
	/* Of a call of a tool: by which MCP server (empty: a local caller), and which. The tool is
	 * kept by its address. */
	struct str mcp_server_id;
	struct str tool;
	/* What the client says it is: the first 64 bytes of it that can be printed are kept. */
	struct str client_name;
	struct str client_version;
};
/* Unix time in milliseconds. */
int64_t call_record_time_ms(const struct call_record *record);

/* The first CALLS_CLIENT_BYTES bytes of a caller's own words that can be printed; how many. */
enum { CALLS_CLIENT_BYTES = 64 };
size_t calls_keep_client(char room[CALLS_CLIENT_BYTES], struct str words);

/* From any thread; never waits. */
void calls_take(struct calls *calls, const struct call_record *record);
/* Waits until what was taken before is on the disk, or lost. In a fiber: suspends it. */
void calls_flush(struct calls *calls);

struct calls_counts {
	uint64_t written;
	uint64_t dropped; /* queue full, or the store refused them */
};
void calls_count(struct calls *calls, struct calls_counts *counts);

/* Texts that are empty (data NULL) and numbers that are -1 ask for nothing. */
struct calls_query {
	struct str environment_id;
	struct str account_id;
	struct str connector;
	struct str door;
	struct str resource;
	struct str method;
	struct str error;
	struct str request_id;
	struct str mcp_server_id;
	struct str tool;
	struct str client_name;
	int64_t status_min; /* 0: any */
	int64_t status_max; /* 999: any */
	int64_t from_ms;    /* at or after; 0: from the start */
	int64_t before_ms;  /* INT64_MAX: to the end */
	int64_t before_id;  /* goes on behind a page; 0: the first */
	int64_t limit;
};
/* The newest first. *next_id: go on with records before it; 0: that was the end. Looks at so many
 * records only in one go: a page may have fewer than its limit, or none, and others after it. */
bool calls_list(struct calls *calls, struct arena *arena, const struct calls_query *query,
		struct call_record **records, size_t *count, int64_t *next_id,
		struct error *err) MUST_CHECK;

#endif
