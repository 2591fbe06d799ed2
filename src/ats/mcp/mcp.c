/* Servers as rows: made, listed, changed, removed. */
#include "ats/mcp/mcp.h"

#include <stdlib.h>

#include "ats/mcp/servers.h"

static const char prefix[] = "tmcp_";

struct mcp_servers *mcp_servers_create(struct store *store, struct vault *vault,
				       struct accounts *accounts, const struct toolsets *toolsets,
				       const struct clock *clock, const struct random *random)
{
	struct mcp_servers *servers = calloc(1, sizeof *servers);

	if (servers == NULL)
		die("out of memory");
	servers->store = store;
	servers->vault = vault;
	servers->accounts = accounts;
	servers->toolsets = toolsets;
	servers->clock = clock;
	servers->random = random;
	cache_init(&servers->by_id, SERVERS_HELD_MAX, random);
	cache_init(&servers->by_digest, SERVERS_HELD_MAX, random);
	pthread_mutex_init(&servers->lock, NULL);
	return servers;
}

void mcp_servers_destroy(struct mcp_servers *servers)
{
	if (servers == NULL)
		return;
	cache_finish(&servers->by_id);
	cache_finish(&servers->by_digest);
	pthread_mutex_destroy(&servers->lock);
	free(servers);
}

bool mcp_is_token(struct str text)
{
	return token_text_check(text, prefix);
}

struct str mcp_digest(struct mcp_servers *servers, struct arena *arena, struct str token)
{
	unsigned char *digest = arena_alloc(arena, VAULT_DIGEST_BYTES);

	vault_digest(servers->vault, "mcp_token", token, digest);
	return str_make((const char *)digest, VAULT_DIGEST_BYTES);
}

void mcp_forget(struct mcp_servers *servers, struct str id)
{
	if (id.len == 0)
		cache_clear(&servers->by_id);
	else
		cache_remove(&servers->by_id, id);
	/* A digest leads to an id, which is then not found: it may stay. */
}

/* --- rows ------------------------------------------------------------------------------------- */

bool mcp_parse_config(struct arena *arena, struct str config, struct mcp_server *server,
		      struct error *err)
{
	struct json value;

	return json_parse(arena, config, &json_limits_default, &value, err) &&
	       mcp_config_read(arena, value, server, err);
}

bool mcp_read_row(struct arena *arena, const struct store_rows *rows, size_t row,
		  struct mcp_server *server, struct error *err)
{
	mcp_server_init(server);
	server->environment_id = store_cell(rows, row, 0)->bytes;
	server->account_id = store_cell(rows, row, 1)->bytes;
	server->id = store_cell(rows, row, 2)->bytes;
	server->name = store_cell(rows, row, 4)->bytes;
	server->created_by = store_cell(rows, row, 6)->bytes;
	server->created_ms = store_cell(rows, row, 7)->integer;
	server->updated_ms = store_cell(rows, row, 8)->integer;
	server->expires_ms = store_cell(rows, row, 9)->integer;
	return mcp_parse_config(arena, store_cell(rows, row, 5)->bytes, server, err);
}

static struct str print_config(struct arena *arena, const struct mcp_server *server)
{
	return json_text(arena, mcp_config_show(arena, server));
}

/* --- making ----------------------------------------------------------------------------------- */

static bool check(struct mcp_servers *servers, struct arena *arena, const struct account *account,
		  const struct mcp_server *server, struct error *err)
{
	struct mcp_held held = {.server = *server};

	if (server->expires_ms != 0 &&
	    server->expires_ms <
		    clock_unix_ms(servers->clock) + (int64_t)MCP_EXPIRES_SECONDS_MIN * 1000)
		return error_set_field(err, ERROR_INVALID, "expires_at",
				       "a time at least 60 seconds from now, or null",
				       "expires_at is too soon");
	return mcp_held_fill(servers, arena, account, &held, err);
}

static struct store_statement insert(struct arena *arena, const struct mcp_server *server,
				     struct str digest)
{
	struct store_value *values = arena_array(arena, 9, sizeof *values);

	values[0] = store_text(server->environment_id);
	values[1] = store_text(server->account_id);
	values[2] = store_text(server->id);
	values[3] = store_blob(digest);
	values[4] = store_text(server->name);
	values[5] = store_text(print_config(arena, server));
	values[6] = store_text(server->created_by);
	values[7] = store_int(server->created_ms);
	values[8] = store_int(server->expires_ms);
	return (struct store_statement){
		.sql = "INSERT INTO mcp_server (environment_id, account_id, id, digest, name, config,"
		       " created_by, created_ms, updated_ms, expires_ms)"
		       " SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?8, ?9"
		       " WHERE (SELECT count(*) FROM mcp_server WHERE environment_id = ?1"
		       " AND account_id = ?2) < 1000",
		.parameters = values,
		.parameter_count = 9,
		.changes_expected = 1,
	};
}

static struct store_statement sweep(struct arena *arena, int64_t now_ms)
{
	struct store_value *value = arena_array(arena, 1, sizeof *value);

	*value = store_int(now_ms);
	return (struct store_statement){
		.sql = "DELETE FROM mcp_server WHERE expires_ms > 0 AND expires_ms < ?1",
		.parameters = value,
		.parameter_count = 1,
		.changes_expected = -1,
	};
}

bool mcp_server_create(struct mcp_servers *servers, struct arena *arena,
		       const struct account *account, struct mcp_server *server, struct str *token,
		       struct error *err)
{
	struct store_statement statements[2];

	if (!check(servers, arena, account, server, err))
		return false;
	*token = token_text_make(servers->random, arena, prefix);
	server->id = id_make(servers->accounts, arena, "mcp_");
	server->environment_id = account->environment_id;
	server->account_id = account->id;
	server->created_ms = server->updated_ms = clock_unix_ms(servers->clock);
	statements[0] = sweep(arena, server->created_ms);
	statements[1] = insert(arena, server, mcp_digest(servers, arena, *token));
	/* Those that have expired go, whosever they are. */
	if (store_write_all(servers->store, statements, 2, err))
		return true;
	if (err->code != ERROR_CONFLICT)
		return false;
	return error_set_field(err, ERROR_LIMIT, "id", "at most 1000 of an account",
			       "the account has too many MCP servers, or is gone");
}

/* --- reading ---------------------------------------------------------------------------------- */

bool mcp_server_list(struct mcp_servers *servers, struct arena *arena,
		     const struct account *account, struct str before, size_t limit,
		     struct mcp_server **list, size_t *count, struct error *err)
{
	struct store_value values[] = {
		store_text(account->environment_id),
		store_text(account->id),
		store_text(before.len > 0 ? before : STR("~")),
		store_int(clock_unix_ms(servers->clock)),
		store_int((int64_t)limit),
	};
	struct store_rows rows;

	if (!store_query(servers->store, arena,
			 "SELECT" MCP_COLUMNS "FROM mcp_server WHERE environment_id = ?1"
			 " AND account_id = ?2 AND id < ?3 AND (expires_ms = 0 OR expires_ms > ?4)"
			 " ORDER BY id DESC LIMIT ?5",
			 values, 5, &rows, err))
		return false;
	*list = arena_array(arena, rows.count + 1, sizeof **list);
	*count = rows.count;
	for (size_t i = 0; i < rows.count; i++)
		if (!mcp_read_row(arena, &rows, i, &(*list)[i], err))
			return false;
	return true;
}

static bool not_found(struct error *err)
{
	return error_set_field(err, ERROR_NOT_FOUND, "mcp_id", NULL,
			       "the account has no such MCP server");
}

bool mcp_server_show(struct mcp_servers *servers, struct arena *arena,
		     const struct account *account, struct str id, struct mcp_server *server,
		     struct error *err)
{
	struct store_value values[] = {
		store_text(account->environment_id),
		store_text(account->id),
		store_text(id),
		store_int(clock_unix_ms(servers->clock)),
	};
	struct store_rows rows;

	if (!store_query(servers->store, arena,
			 "SELECT" MCP_COLUMNS "FROM mcp_server WHERE environment_id = ?1"
			 " AND account_id = ?2 AND id = ?3 AND (expires_ms = 0 OR expires_ms > ?4)",
			 values, 4, &rows, err))
		return false;
	return rows.count == 1 ? mcp_read_row(arena, &rows, 0, server, err) : not_found(err);
}

/* --- changing --------------------------------------------------------------------------------- */

bool mcp_server_change(struct mcp_servers *servers, struct arena *arena,
		       const struct account *account, const struct mcp_server *before,
		       struct mcp_server *after, struct error *err)
{
	bool is_same_end = before->expires_ms == after->expires_ms;

	if (!is_same_end && !check(servers, arena, account, after, err))
		return false;
	struct mcp_held held = {.server = *after};
	if (is_same_end && !mcp_held_fill(servers, arena, account, &held, err))
		return false;
	after->updated_ms = clock_unix_ms(servers->clock);
	struct store_value values[] = {
		store_text(account->environment_id),
		store_text(account->id),
		store_text(before->id),
		store_text(before->name),
		store_text(print_config(arena, before)),
		store_int(before->expires_ms),
		store_text(after->name),
		store_text(print_config(arena, after)),
		store_int(after->expires_ms),
		store_int(after->updated_ms),
	};
	struct store_statement statement = {
		.sql = "UPDATE mcp_server SET name = ?7, config = ?8, expires_ms = ?9,"
		       " updated_ms = ?10 WHERE environment_id = ?1 AND account_id = ?2"
		       " AND id = ?3 AND name = ?4 AND config = ?5 AND expires_ms = ?6",
		.parameters = values,
		.parameter_count = 10,
		.changes_expected = 1,
	};
	bool ok = store_write(servers->store, &statement, 1, err);

	mcp_forget(servers, before->id);
	return ok;
}

bool mcp_server_remove(struct mcp_servers *servers, struct arena *arena,
		       const struct account *account, struct str id, struct error *err)
{
	struct store_value values[] = {
		store_text(account->environment_id),
		store_text(account->id),
		store_text(id),
	};
	struct store_statement statement = {
		.sql = "DELETE FROM mcp_server WHERE environment_id = ?1 AND account_id = ?2"
		       " AND id = ?3",
		.parameters = values,
		.parameter_count = 3,
		.changes_expected = 1,
	};
	struct mcp_server server;

	if (!mcp_server_show(servers, arena, account, id, &server, err))
		return false;
	bool ok = store_write(servers->store, &statement, 1, err);
	mcp_forget(servers, id);
	return ok || (err->code == ERROR_CONFLICT && not_found(err));
}

bool mcp_servers_revoke(struct mcp_servers *servers, struct str environment_id, struct error *err)
{
	struct store_value value = store_text(environment_id);
	struct store_statement statement = {
		.sql = "DELETE FROM mcp_server WHERE environment_id = ?1",
		.parameters = &value,
		.parameter_count = 1,
		.changes_expected = -1,
	};
	bool ok = store_write(servers->store, &statement, 1, err);

	cache_clear(&servers->by_id);
	return ok;
}
