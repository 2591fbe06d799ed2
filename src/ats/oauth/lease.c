/* Who may ask for a new token of an account, over all processes. */
#include "ats/oauth/parts.h"
#include "base/log.h"

static void put_place(struct store_value *values, const struct account *account)
{
	values[0] = store_text(account->environment_id);
	values[1] = store_text(account->id);
}

static bool read_lease(struct oauth *oauth, struct arena *arena, const struct account *account,
		       struct store_rows *rows, struct error *err)
{
	struct store_value values[3];

	put_place(values, account);
	values[2] = store_int(clock_unix_ms(oauth->options.clock));
	return store_query(oauth->options.store, arena,
			   "SELECT fence, until_ms >= now_ms(?3), intent_version, intent_ms"
			   " FROM credential_lease"
			   " WHERE environment_id = ?1 AND account_id = ?2",
			   values, 3, rows, err);
}

/* The end of a lease is by the database's clock. It stands by itself, not on that of its node: an
 * answer that is on its way to a node which was stopped for a while must find its lease there. */
static bool write_lease(struct oauth *oauth, const struct account *account, int64_t version,
			int64_t now_ms, const struct lease *lease, struct error *err)
{
	struct store_value values[8];
	struct store_statement statement = {
		.sql = "INSERT INTO credential_lease (environment_id, account_id, fence, until_ms,"
		       " intent_version, intent_ms, owner)"
		       " VALUES (?1, ?2, ?3, now_ms(?6) + ?4, ?5, ?6, ?8)"
		       " ON CONFLICT (environment_id, account_id) DO UPDATE SET fence = ?3,"
		       " until_ms = now_ms(?6) + ?4, intent_version = ?5, intent_ms = ?6, owner = ?8"
		       " WHERE credential_lease.fence = ?7"
		       " AND credential_lease.until_ms < now_ms(?6)",
		.parameters = values,
		.parameter_count = 8,
		.changes_expected = 1,
	};

	put_place(values, account);
	values[2] = store_int(lease->fence);
	values[3] = store_int(lease->until_ms - now_ms);
	values[4] = store_int(version);
	values[5] = store_int(now_ms);
	values[6] = store_int(lease->fence - 1);
	values[7] = store_text(oauth->options.folder);
	return store_write(oauth->options.store, &statement, 1, err);
}

bool lease_take(struct oauth *oauth, const struct account *account, int64_t version,
		struct lease *lease, struct error *err)
{
	int64_t now_ms = clock_unix_ms(oauth->options.clock);
	struct store_rows rows;
	struct arena arena;

	/* Twice as long as its holder may take: it has given up well before it ends. */
	*lease = (struct lease){.fence = 1,
				.until_ms = now_ms + 2 * oauth->options.deadline_ms,
				.lost_version = -1};
	arena_init(&arena, OAUTH_ROWS_MAX);
	bool ok = read_lease(oauth, &arena, account, &rows, err);
	if (ok && rows.count > 0) {
		lease->fence = store_cell(&rows, 0, 0)->integer + 1;
		if (store_cell(&rows, 0, 3)->integer > 0)
			lease->lost_version = store_cell(&rows, 0, 2)->integer;
		if (store_cell(&rows, 0, 1)->integer != 0)
			ok = error_set(err, ERROR_CONFLICT, "another process gets this token");
	}
	arena_finish(&arena);
	return ok && write_lease(oauth, account, version, now_ms, lease, err);
}

struct store_statement lease_end_statement(struct arena *arena, const struct account *account,
					   const struct lease *lease)
{
	struct store_value *values = arena_array(arena, 3, sizeof *values);

	put_place(values, account);
	values[2] = store_int(lease->fence);
	return (struct store_statement){
		.sql = "UPDATE credential_lease SET until_ms = 0, intent_ms = 0"
		       " WHERE environment_id = ?1 AND account_id = ?2 AND fence = ?3",
		.parameters = values,
		.parameter_count = 3,
		.changes_expected = 1,
	};
}

void lease_end(struct oauth *oauth, const struct account *account, const struct lease *lease,
	       bool is_known)
{
	struct store_value values[4];
	struct store_statement statement = {
		.sql = "UPDATE credential_lease SET until_ms = 0, intent_ms = intent_ms * ?4"
		       " WHERE environment_id = ?1 AND account_id = ?2 AND fence = ?3",
		.parameters = values,
		.parameter_count = 4,
		.changes_expected = -1,
	};
	struct error err;

	put_place(values, account);
	values[2] = store_int(lease->fence);
	values[3] = store_int(is_known ? 0 : 1);
	if (!store_write(oauth->options.store, &statement, 1, &err))
		LOG(LOG_WARNING, "token_lease_not_ended", LOG_S(account_id, account->id),
		    LOG_C(error, error_name(err.code)));
}

bool lease_end_all(struct oauth *oauth, struct error *err)
{
	const struct store_value value = store_text(oauth->options.folder);
	struct store_statement statement = {
		.sql = "UPDATE credential_lease SET until_ms = 0 WHERE until_ms > 0 AND owner = ?1",
		.parameters = &value,
		.parameter_count = 1,
		.changes_expected = -1,
	};

	return store_write(oauth->options.store, &statement, 1, err);
}
