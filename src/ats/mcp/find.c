/* Servers as calls find them: kept in memory, so that a known one costs no SQL. */
#include <stdlib.h>

#include "ats/mcp/servers.h"

/* --- in memory -------------------------------------------------------------------------------- */

static struct str put(struct entry *entry, size_t *at, struct str text)
{
	char *place = entry->texts + *at;

	if (text.len > 0)
		memcpy(place, text.data, text.len);
	*at += text.len;
	return str_make(place, text.len);
}

static size_t count_words(const struct toolset *toolset)
{
	return toolset->count / 64 + 1;
}

static struct entry *make_entry(const struct store_rows *rows, const struct mcp_held *held)
{
	static const int columns[] = {0, 1, 2, 4, 5, 6};
	size_t bytes = 0, at = 0;

	for (size_t i = 0; i < sizeof columns / sizeof columns[0]; i++)
		bytes += store_cell(rows, 0, (size_t)columns[i])->bytes.len;
	size_t words = count_words(held->toolset), room = (bytes + 7) / 8 * 8;
	struct entry *entry = calloc(1, sizeof *entry + room + words * sizeof *entry->passes);
	if (entry == NULL)
		die("out of memory");
	entry->toolset = held->toolset;
	entry->tool_count = held->tool_count;
	entry->passes = (uint64_t *)(void *)((char *)entry + sizeof *entry + room);
	memcpy(entry->passes, held->passes, words * sizeof *entry->passes);
	entry->environment_id = put(entry, &at, store_cell(rows, 0, 0)->bytes);
	entry->account_id = put(entry, &at, store_cell(rows, 0, 1)->bytes);
	entry->id = put(entry, &at, store_cell(rows, 0, 2)->bytes);
	entry->name = put(entry, &at, store_cell(rows, 0, 4)->bytes);
	entry->config = put(entry, &at, store_cell(rows, 0, 5)->bytes);
	entry->created_by = put(entry, &at, store_cell(rows, 0, 6)->bytes);
	entry->created_ms = store_cell(rows, 0, 7)->integer;
	entry->updated_ms = store_cell(rows, 0, 8)->integer;
	entry->expires_ms = store_cell(rows, 0, 9)->integer;
	if (store_cell(rows, 0, 3)->bytes.len == VAULT_DIGEST_BYTES)
		memcpy(entry->digest, store_cell(rows, 0, 3)->bytes.data, VAULT_DIGEST_BYTES);
	/* It may be read only after the bucket was filled. */
	entry->filled_ns = -1;
	return entry;
}

/* Out of the cache, whose lock is held. */
static bool copy_out(const struct entry *entry, struct arena *arena, struct mcp_held *held,
		     struct error *err)
{
	struct mcp_server *server = &held->server;
	size_t words = count_words(entry->toolset);
	uint64_t *passes;

	mcp_server_init(server);
	server->environment_id = arena_str(arena, entry->environment_id);
	server->account_id = arena_str(arena, entry->account_id);
	server->id = arena_str(arena, entry->id);
	server->name = arena_str(arena, entry->name);
	server->created_by = arena_str(arena, entry->created_by);
	server->created_ms = entry->created_ms;
	server->updated_ms = entry->updated_ms;
	server->expires_ms = entry->expires_ms;
	memcpy(held->digest, entry->digest, sizeof held->digest);
	held->toolset = entry->toolset;
	held->tool_count = entry->tool_count;
	passes = arena_array(arena, words, sizeof *passes);
	memcpy(passes, entry->passes, words * sizeof *passes);
	held->passes = passes;
	return mcp_parse_config(arena, arena_str(arena, entry->config), server, err);
}

static bool not_found(struct error *err)
{
	return error_set_field(err, ERROR_NOT_FOUND, "mcp_id", NULL, "there is no such MCP server");
}

/* --- its tools -------------------------------------------------------------------------------- */

static bool refuse_filter(const struct mcp_server *server, struct error *err)
{
	const char *field = server->method_count > 0 || server->tag_count == 0 ? "methods" : "tags";

	return error_set_field(err, ERROR_INVALID, field,
			       "methods: read, write, custom, names of methods or tools; tags: "
			       "unified, proxy, names of resources",
			       "no tool is left: what methods and tags name has nothing in common");
}

bool mcp_held_fill(struct mcp_servers *servers, struct arena *arena, const struct account *account,
		   struct mcp_held *held, struct error *err)
{
	const struct toolset *toolset = toolsets_find(servers->toolsets, account->connector);
	struct tool_filter filter = mcp_filter(&held->server);

	if (toolset == NULL)
		return error_set_field(err, ERROR_NOT_FOUND, "connector", NULL,
				       "the account's connector is not there any more");
	uint64_t *passes = arena_zero(arena, count_words(toolset) * sizeof *passes);
	held->toolset = toolset;
	held->passes = passes;
	held->tool_count = 0;
	for (size_t i = 0; i < toolset->count; i++) {
		if (!tool_passes(&toolset->tools[i], &filter))
			continue;
		passes[i / 64] |= (uint64_t)1 << (i % 64);
		held->tool_count++;
	}
	return held->tool_count > 0 || refuse_filter(&held->server, err);
}

/* --- from the store --------------------------------------------------------------------------- */

/* Its row, with the tools that it comes to. */
static bool read_row(struct mcp_servers *servers, struct arena *arena,
		     const struct store_rows *rows, struct mcp_held *held, struct error *err)
{
	struct account account;

	if (!mcp_read_row(arena, rows, 0, &held->server, err))
		return false;
	if (!account_find(servers->accounts, arena, held->server.environment_id,
			  held->server.account_id, &account, err))
		return err->code == ERROR_NOT_FOUND ? not_found(err) : false;
	return mcp_held_fill(servers, arena, &account, held, err);
}

/* A change meanwhile keeps it out of memory, but the call goes on with what was read. */
static bool load(struct mcp_servers *servers, struct arena *arena, struct str id,
		 struct mcp_held *held, struct error *err)
{
	uint64_t generation = servers->by_id.generation;
	struct store_value value = store_text(id);
	struct store_rows rows;
	struct entry *entry;

	if (!store_query(servers->store, arena,
			 "SELECT" MCP_COLUMNS "FROM mcp_server WHERE id = ?1", &value, 1, &rows,
			 err))
		return false;
	if (rows.count != 1)
		return not_found(err);
	if (!read_row(servers, arena, &rows, held, err))
		return false;
	entry = make_entry(&rows, held);
	memcpy(held->digest, entry->digest, sizeof held->digest);
	cache_put(&servers->by_id, id, entry, generation);
	return true;
}

/* *is_there: it was in memory. */
static bool read_entry(struct mcp_servers *servers, struct arena *arena, struct str id,
		       struct mcp_held *held, bool *is_there, struct error *err)
{
	const struct entry *entry =
		store_is_current(servers->store) ? cache_lock(&servers->by_id, id) : NULL;
	bool ok;

	*is_there = entry != NULL;
	if (entry == NULL)
		return true;
	ok = copy_out(entry, arena, held, err);
	cache_unlock(&servers->by_id);
	return ok;
}

/* --- finding ---------------------------------------------------------------------------------- */

static bool find_entry(struct mcp_servers *servers, struct arena *arena, struct str id,
		       struct mcp_held *held, struct error *err)
{
	bool is_there;

	return read_entry(servers, arena, id, held, &is_there, err) &&
	       (is_there || load(servers, arena, id, held, err));
}

bool mcp_server_find(struct mcp_servers *servers, struct arena *arena, struct str id,
		     struct mcp_held *held, struct account *account, struct error *err)
{
	int64_t now_ms = clock_unix_ms(servers->clock);

	if (!find_entry(servers, arena, id, held, err))
		return false;
	if (held->server.expires_ms != 0 && held->server.expires_ms <= now_ms)
		return not_found(err);
	if (account_find(servers->accounts, arena, held->server.environment_id,
			 held->server.account_id, account, err))
		return true;
	return err->code == ERROR_NOT_FOUND ? not_found(err) : false;
}

static bool unknown_token(struct error *err)
{
	return error_set_field(err, ERROR_UNAUTHORIZED, "authorization", "the token of an MCP server",
			       "there is no MCP server of this token, or it has expired");
}

static bool find_id(struct mcp_servers *servers, struct arena *arena, struct str digest,
		    struct str *id, struct error *err)
{
	uint64_t generation = servers->by_digest.generation;
	struct store_value value = store_blob(digest);
	const char *known = cache_lock(&servers->by_digest, digest);
	struct store_rows rows;

	if (known != NULL) {
		*id = arena_str(arena, str_from_c(known));
		cache_unlock(&servers->by_digest);
		return true;
	}
	if (!store_query(servers->store, arena, "SELECT id FROM mcp_server WHERE digest = ?1",
			 &value, 1, &rows, err))
		return false;
	if (rows.count != 1)
		return unknown_token(err);
	*id = store_cell(&rows, 0, 0)->bytes;
	char *copy = strndup(id->data, id->len);
	if (copy == NULL)
		die("out of memory");
	cache_put(&servers->by_digest, digest, copy, generation);
	return true;
}

bool mcp_server_find_by_token(struct mcp_servers *servers, struct arena *arena, struct str token,
			      struct mcp_held *held, struct account *account, struct error *err)
{
	struct str digest, id;

	if (!mcp_is_token(token))
		return unknown_token(err);
	digest = mcp_digest(servers, arena, token);
	if (!find_id(servers, arena, digest, &id, err))
		return false;
	if (mcp_server_find(servers, arena, id, held, account, err))
		return memcmp(held->digest, digest.data, sizeof held->digest) == 0 ||
		       unknown_token(err);
	return err->code == ERROR_NOT_FOUND ? unknown_token(err) : false;
}

/* Digests are compared: how long that takes tells nothing of the token. */
bool mcp_server_is_token(struct mcp_servers *servers, const struct mcp_held *held, struct str token)
{
	unsigned char digest[VAULT_DIGEST_BYTES];

	if (!mcp_is_token(token))
		return false;
	vault_digest(servers->vault, "mcp_token", token, digest);
	return memcmp(held->digest, digest, sizeof digest) == 0;
}
