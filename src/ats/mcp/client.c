/* What is counted and remembered of a server's callers. */
#include "ats/mcp/servers.h"

/* A bucket that holds one window's calls and refills evenly. Time is what is counted: a call costs
 * its share of the window. */
bool mcp_server_take(struct mcp_servers *servers, const struct mcp_held *held,
		     int64_t *retry_after_ms)
{
	const struct mcp_server *server = &held->server;
	int64_t window_ns = server->rate_seconds * 1000000000;
	int64_t cost_ns = window_ns / server->rate_requests;
	int64_t now_ns = clock_monotonic_ns(servers->clock);
	struct entry *entry = cache_lock(&servers->by_id, server->id);
	bool ok;

	*retry_after_ms = 0;
	if (entry == NULL)
		return true;
	pthread_mutex_lock(&servers->lock);
	if (entry->filled_ns < 0)
		entry->calls_left_ns = window_ns;
	else
		entry->calls_left_ns += now_ns - entry->filled_ns;
	if (entry->calls_left_ns > window_ns)
		entry->calls_left_ns = window_ns;
	entry->filled_ns = now_ns;
	ok = entry->calls_left_ns >= cost_ns;
	if (ok)
		entry->calls_left_ns -= cost_ns;
	else
		*retry_after_ms = (cost_ns - entry->calls_left_ns) / 1000000 + 1;
	pthread_mutex_unlock(&servers->lock);
	cache_unlock(&servers->by_id);
	return ok;
}

/* FNV-1a: to tell clients apart, not to keep anybody out. */
static uint64_t hash(struct str text)
{
	uint64_t value = 0xcbf29ce484222325;

	for (size_t i = 0; i < text.len; i++)
		value = (value ^ (unsigned char)text.data[i]) * 0x100000001b3;
	return value;
}

static void keep(char out[CALLS_CLIENT_BYTES + 1], struct str text)
{
	out[calls_keep_client(out, text)] = '\0';
}

void mcp_server_note_client(struct mcp_servers *servers, const struct mcp_held *held,
			    struct str user_agent, struct str name, struct str version)
{
	struct entry *entry = cache_lock(&servers->by_id, held->server.id);

	if (entry == NULL)
		return;
	pthread_mutex_lock(&servers->lock);
	entry->user_agent = hash(user_agent);
	keep(entry->client_name, name);
	keep(entry->client_version, version);
	pthread_mutex_unlock(&servers->lock);
	cache_unlock(&servers->by_id);
}

void mcp_server_recall_client(struct mcp_servers *servers, const struct mcp_held *held,
			      struct arena *arena, struct str user_agent, struct str *name,
			      struct str *version)
{
	struct entry *entry = cache_lock(&servers->by_id, held->server.id);

	*name = *version = (struct str){NULL, 0};
	if (entry == NULL)
		return;
	pthread_mutex_lock(&servers->lock);
	if (entry->user_agent == hash(user_agent)) {
		*name = arena_str(arena, str_from_c(entry->client_name));
		*version = arena_str(arena, str_from_c(entry->client_version));
	}
	pthread_mutex_unlock(&servers->lock);
	cache_unlock(&servers->by_id);
}
