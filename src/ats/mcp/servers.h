/* Private to this room. */
#ifndef ATS_MCP_SERVERS_H
#define ATS_MCP_SERVERS_H

#include "ats/calls/calls.h"
#include "ats/mcp/mcp.h"
#include "base/cache.h"

enum { SERVERS_HELD_MAX = 20000 };

struct mcp_servers {
	struct store *store;
	struct vault *vault;
	struct accounts *accounts;
	const struct toolsets *toolsets;
	const struct clock *clock;
	const struct random *random;
	struct cache by_id;	/* to struct entry */
	struct cache by_digest; /* the ids: texts ended by NUL */
	pthread_mutex_t lock;	/* of what changes within the entries */
};

/* A server in memory, one malloc(). */
struct entry {
	/* A bucket of calls (under the lock). */
	int64_t calls_left_ns; /* what is left, as time: a call costs its share of the window */
	int64_t filled_ns;
	/* Who initialized last (under the lock). */
	uint64_t user_agent;
	char client_name[CALLS_CLIENT_BYTES + 1];
	char client_version[CALLS_CLIENT_BYTES + 1];
	/* The row, as it was read: texts behind one another. */
	int64_t created_ms, updated_ms, expires_ms;
	unsigned char digest[VAULT_DIGEST_BYTES];
	struct str environment_id, account_id, id, name, config, created_by;
	/* Which tools it has, found out when it was read. */
	const struct toolset *toolset;
	size_t tool_count;
	uint64_t *passes;
	char texts[];
};

#define MCP_COLUMNS                                                                                \
	" environment_id, account_id, id, digest, name, config, created_by, created_ms, updated_ms,"       \
	" expires_ms "
/* A row of these columns; everything lives in the arena. */
bool mcp_read_row(struct arena *arena, const struct store_rows *rows, size_t row,
		  struct mcp_server *server, struct error *err) MUST_CHECK;
/* A config that was stored. */
bool mcp_parse_config(struct arena *arena, struct str config, struct mcp_server *server,
		      struct error *err) MUST_CHECK;
struct str mcp_digest(struct mcp_servers *servers, struct arena *arena, struct str token);

#endif
