/* MCP servers of accounts: who may call which tools of an account, and how results are given. This
 * room owns the table mcp_server. A server's token is told once; the store has a keyed digest of
 * it. Found servers are kept in memory, so that a call with a known token costs no SQL. */
#ifndef ATS_MCP_MCP_H
#define ATS_MCP_MCP_H

#include "ats/account/account.h"
#include "ats/settings/settings.h"
#include "ats/tool/tool.h"

enum {
	MCP_NAME_BYTES_MAX = 64,
	MCP_SERVERS_MAX = 1000, /* of an account */
	MCP_OUTPUT_BYTES_MIN = 4 * 1024,
	MCP_OUTPUT_BYTES_MAX = 1024 * 1024,
	MCP_OUTPUT_BYTES_DEFAULT = 60 * 1024,
	MCP_EXPIRES_SECONDS_MIN = 60,
	MCP_RATE_REQUESTS_DEFAULT = 600,
	MCP_RATE_SECONDS_DEFAULT = 60,
};

/* When a write is confirmed by the person at the client, where the client can ask. */
enum mcp_confirm { MCP_CONFIRM_DESTRUCTIVE, MCP_CONFIRM_WRITES, MCP_CONFIRM_NEVER };
enum mcp_mode {
	MCP_MODE_ALL,	 /* tools/list shows all tools */
	MCP_MODE_SEARCH, /* two tools: search_tools and call_tool */
};

struct mcp_server {
	struct str id; /* "mcp_…" */
	struct str environment_id;
	struct str account_id;
	struct str name;
	const struct str *methods; /* as of struct tool_filter */
	size_t method_count;
	const struct str *tags;
	size_t tag_count;
	enum mcp_mode mode;
	enum mcp_confirm confirm;
	bool is_structured;	 /* results are structuredContent besides */
	bool has_path_token;	 /* the token may stand in the path */
	bool wants_api_key;	 /* second factor: an API key of the environment as bearer token */
	int64_t output_bytes_max; /* of one result */
	const struct str *masks; /* kinds of personal data ("contact"), or names of fields */
	size_t mask_count;
	int64_t rate_requests; /* calls of tools, within rate_seconds */
	int64_t rate_seconds;
	/* Tokens of an outside authorization server, RFC 9068: who issues them, for which
	 * audience (empty: the server's URL), to whom. Empty issuer: none is taken. */
	struct str issuer;
	struct str audience;
	const struct str *subjects; /* none: whomever the issuer gives one */
	size_t subject_count;
	int64_t created_ms;
	int64_t updated_ms;
	int64_t expires_ms; /* 0: never */
	struct str created_by; /* id of an API key; empty: a local caller */
};

/* With everything as it is where nothing is said. */
void mcp_server_init(struct mcp_server *server);
/* Reads what a body says over what *server has: members that are not there stay. ERROR_INVALID
 * names the member and what is allowed. Members: methods, tags, mode, confirm, structured,
 * token_in_path, require_api_key, output_bytes, mask, rate_limit, oauth. */
bool mcp_config_read(struct arena *arena, struct json body, struct mcp_server *server,
		     struct error *err) MUST_CHECK;
/* The same members, as an object. */
struct json mcp_config_show(struct arena *arena, const struct mcp_server *server);
/* The filter that methods and tags make. */
struct tool_filter mcp_filter(const struct mcp_server *server);

struct mcp_servers;
/* Everything must outlive it. */
struct mcp_servers *mcp_servers_create(struct store *store, struct vault *vault,
				       struct accounts *accounts, const struct toolsets *toolsets,
				       const struct clock *clock, const struct random *random);
/* NULL is accepted. */
void mcp_servers_destroy(struct mcp_servers *servers);
/* After a change, here or in another process: what is in memory of it (empty: of any) is read
 * anew. */
void mcp_forget(struct mcp_servers *servers, struct str id);

/* Stores a server of what *server has; id and times are filled in. `*token`, "tmcp_…", is told
 * this once. ERROR_INVALID (field "methods") where no tool of the account's connector passes,
 * ERROR_LIMIT past MCP_SERVERS_MAX. Servers that have expired are removed on the way. */
bool mcp_server_create(struct mcp_servers *servers, struct arena *arena,
		       const struct account *account, struct mcp_server *server, struct str *token,
		       struct error *err) MUST_CHECK;
/* Of one account, newest first, those before `before` (empty: from the newest). */
bool mcp_server_list(struct mcp_servers *servers, struct arena *arena,
		     const struct account *account, struct str before, size_t limit,
		     struct mcp_server **list, size_t *count, struct error *err) MUST_CHECK;
/* ERROR_NOT_FOUND, also for one of another account, and for an expired one. */
bool mcp_server_show(struct mcp_servers *servers, struct arena *arena,
		     const struct account *account, struct str id, struct mcp_server *server,
		     struct error *err) MUST_CHECK;
/* Puts `after` (same id) in place of `before`; ERROR_CONFLICT when it is not as `before` any more;
 * else as mcp_server_create(). */
bool mcp_server_change(struct mcp_servers *servers, struct arena *arena,
		       const struct account *account, const struct mcp_server *before,
		       struct mcp_server *after, struct error *err) MUST_CHECK;
/* ERROR_NOT_FOUND. From then on its token opens nothing. */
bool mcp_server_remove(struct mcp_servers *servers, struct arena *arena,
		       const struct account *account, struct str id, struct error *err) MUST_CHECK;
/* All servers of an environment's accounts: who lost a credential may have lost a token, too. */
bool mcp_servers_revoke(struct mcp_servers *servers, struct str environment_id,
			struct error *err) MUST_CHECK;

/* A server as calls find it. */
struct mcp_held {
	struct mcp_server server;
	unsigned char digest[VAULT_DIGEST_BYTES]; /* of its token */
	/* Which of the connector's tools it has: bits by a tool's place in the toolset. */
	const struct toolset *toolset;
	const uint64_t *passes;
	size_t tool_count;
};
/* By its id alone, from anyone: what is asked next is whether the caller's token is good for it.
 * Everything is in the arena. ERROR_NOT_FOUND (also expired, or without its account). */
bool mcp_server_find(struct mcp_servers *servers, struct arena *arena, struct str id,
		     struct mcp_held *held, struct account *account, struct error *err) MUST_CHECK;
/* The server whose token it is. ERROR_UNAUTHORIZED. */
bool mcp_server_find_by_token(struct mcp_servers *servers, struct arena *arena, struct str token,
			      struct mcp_held *held, struct account *account,
			      struct error *err) MUST_CHECK;
/* Is it that server's token? */
bool mcp_server_is_token(struct mcp_servers *servers, const struct mcp_held *held,
			 struct str token) MUST_CHECK;
bool mcp_is_token(struct str text) MUST_CHECK;
/* Fills in toolset, passes and tool_count of a server that is in no store. False as for create. */
bool mcp_held_fill(struct mcp_servers *servers, struct arena *arena, const struct account *account,
		   struct mcp_held *held, struct error *err) MUST_CHECK;
static inline bool mcp_has(const struct mcp_held *held, const struct tool *tool)
{
	size_t place = (size_t)(tool - held->toolset->tools);

	return (held->passes[place / 64] >> (place % 64)) & 1;
}

/* One call of a tool. False with *retry_after_ms when there were too many. */
bool mcp_server_take(struct mcp_servers *servers, const struct mcp_held *held,
		     int64_t *retry_after_ms) MUST_CHECK;
/* Of clients that say who they are only once (initialize): what was said last on this server by a
 * client of this User-Agent. Texts are cut at 64 bytes. */
void mcp_server_note_client(struct mcp_servers *servers, const struct mcp_held *held,
			    struct str user_agent, struct str name, struct str version);
/* Empty texts where nothing is known. */
void mcp_server_recall_client(struct mcp_servers *servers, const struct mcp_held *held,
			      struct arena *arena, struct str user_agent, struct str *name,
			      struct str *version);

#endif
