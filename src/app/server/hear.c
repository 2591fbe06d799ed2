/* What other processes on the database have changed is forgotten here. */
#include "app/server/worker.h"
#include "ats/erasure/erasure.h"
#include "base/log.h"

static void hear_keys(struct server *server, struct str one, struct str two)
{
	(void)one;
	(void)two;
	accounts_forget_keys(server->accounts);
}

static void hear_account(struct server *server, struct str environment_id, struct str id)
{
	accounts_forget(server->accounts, environment_id, id);
}

static void hear_data_key(struct server *server, struct str one, struct str two)
{
	(void)one;
	(void)two;
	vault_forget_keys(server->vault);
}

static void hear_override(struct server *server, struct str one, struct str two)
{
	(void)one;
	(void)two;
	overrides_forget(server->overrides);
}

static void hear_mcp_server(struct server *server, struct str id, struct str two)
{
	(void)two;
	mcp_forget(server->mcp_servers, id);
}

static void hear_copy(struct server *server, struct str environment_id, struct str keys)
{
	struct copy_place place = {.environment_id = environment_id};

	place.account_id = str_cut(&keys, ' ');
	place.resource = keys;
	copies_forget(server->copies, environment_id.len == 0 ? NULL : &place);
}

static void hear_erased(struct server *server, struct str one, struct str two)
{
	struct error err;

	(void)one;
	(void)two;
	if (!erasures_load(server->erasures, &err))
		LOG(LOG_WARNING, "erasures_not_read", LOG_C(error, err.message));
}

static void hear_job(struct server *server, struct str id, struct str two)
{
	(void)two;
	sync_nudge(server->syncs, id);
}

static void hear_webhook(struct server *server, struct str id, struct str two)
{
	(void)id;
	(void)two;
	webhooks_tell(server->webhooks);
}

/* By the tables whose triggers tell (db/postgresql/0018_node.sql), with the first columns of the
 * row's key. */
static const struct {
	const char *table;
	void (*hear)(struct server *server, struct str one, struct str two);
} places[] = {
	{"environment", hear_keys},
	{"api_key", hear_keys},
	{"account", hear_account},
	{"credential", hear_account},
	{"data_key", hear_data_key},
	{"environment_override", hear_override},
	{"account_override", hear_override},
	{"copy", hear_copy},
	{"mcp_server", hear_mcp_server},
	{"erased_record", hear_erased},
	{"sync_job", hear_job},
	{"sync_hint", hear_job},
	{"webhook", hear_webhook},
};

void server_hear(void *context, struct str what)
{
	struct server *server = context;
	struct str keys = what, none = {NULL, 0};
	struct str table = str_cut(&keys, ' ');
	struct str one = str_cut(&keys, ' ');

	for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
		if (what.len == 0)
			places[i].hear(server, none, none);
		else if (str_equal_c(table, places[i].table))
			places[i].hear(server, one, keys);
	}
}
