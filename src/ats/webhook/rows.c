/* Endpoints as rows: made, listed, changed, removed. */
#include "ats/webhook/parts.h"

#include <assert.h>

#define COLUMNS                                                                              \
	" environment_id, id, config, state, reason, seen, failing_ms, delivered_ms, created_ms," \
	" updated_ms, version, fence "

static bool read_row(struct arena *arena, const struct store_rows *rows, size_t row,
		     struct webhook *out, struct error *err)
{
	*out = (struct webhook){
		.environment_id = store_cell(rows, row, 0)->bytes,
		.id = store_cell(rows, row, 1)->bytes,
		.state = store_cell(rows, row, 3)->bytes,
		.reason = store_cell(rows, row, 4)->bytes,
		.seen = store_cell(rows, row, 5)->integer,
		.failing_ms = store_cell(rows, row, 6)->integer,
		.delivered_ms = store_cell(rows, row, 7)->integer,
		.created_ms = store_cell(rows, row, 8)->integer,
		.updated_ms = store_cell(rows, row, 9)->integer,
		.version = store_cell(rows, row, 10)->integer,
		.fence = store_cell(rows, row, 11)->integer,
	};
	return webhook_config_parse(arena, store_cell(rows, row, 2)->bytes, out, err);
}

static bool read_rows(struct arena *arena, const struct store_rows *rows, struct webhook **list,
		      size_t *count, struct error *err)
{
	*list = arena_array(arena, rows->count + 1, sizeof **list);
	*count = rows->count;
	for (size_t i = 0; i < rows->count; i++)
		if (!read_row(arena, rows, i, &(*list)[i], err))
			return false;
	return true;
}

static bool not_found(struct error *err)
{
	return error_set_field(err, ERROR_NOT_FOUND, "id", NULL, "there is no such webhook");
}

/* --- reading ---------------------------------------------------------------------------------- */

bool webhook_find(struct webhooks *webhooks, struct arena *arena, struct str environment_id,
		  struct str id, struct webhook *out, struct error *err)
{
	struct store_value values[] = {store_text(environment_id), store_text(id)};
	struct store_rows rows;

	if (!store_query(webhooks->options.store, arena,
			 "SELECT" COLUMNS "FROM webhook WHERE environment_id = ?1 AND id = ?2",
			 values, 2, &rows, err))
		return false;
	return rows.count == 1 ? read_row(arena, &rows, 0, out, err) : not_found(err);
}

bool webhook_list(struct webhooks *webhooks, struct arena *arena, struct str environment_id,
		  struct str after, size_t limit, struct webhook **list, size_t *count,
		  struct error *err)
{
	struct store_value values[] = {store_text(environment_id), store_text(after),
				       store_int((int64_t)limit)};
	struct store_rows rows;

	return store_query(webhooks->options.store, arena,
			   "SELECT" COLUMNS "FROM webhook WHERE environment_id = ?1 AND id > ?2"
			   " ORDER BY id LIMIT ?3",
			   values, 3, &rows, err) &&
	       read_rows(arena, &rows, list, count, err);
}

bool webhook_read_all(struct webhooks *webhooks, struct arena *arena, struct str owner,
		      struct webhook **list, size_t *count, struct error *err)
{
	const struct store_value value = store_text(owner);
	struct store_rows rows;

	return store_query(webhooks->options.store, arena,
			   "SELECT" COLUMNS "FROM webhook WHERE ?1 = '' OR owner = ?1"
			   " ORDER BY environment_id, id",
			   &value, 1, &rows, err) &&
	       read_rows(arena, &rows, list, count, err);
}

bool webhook_troubled(struct webhooks *webhooks, struct arena *arena, struct str environment_id,
		      size_t limit, struct webhook **list, size_t *count, struct error *err)
{
	const struct store_value values[] = {store_text(environment_id), store_int((int64_t)limit)};
	struct store_rows rows;

	return store_query(webhooks->options.store, arena,
			   "SELECT" COLUMNS "FROM webhook WHERE (state <> 'active' OR failing_ms > 0)"
			   " AND (CAST(?1 AS TEXT) = '' OR environment_id = ?1)"
			   " ORDER BY state DESC, updated_ms DESC, id LIMIT ?2",
			   values, 2, &rows, err) &&
	       read_rows(arena, &rows, list, count, err);
}

/* --- making ----------------------------------------------------------------------------------- */

static struct store_statement insert(struct arena *arena, const struct webhook *webhook)
{
	const struct store_value values[] = {
		store_text(webhook->environment_id),
		store_text(webhook->id),
		store_text(webhook_config_text(arena, webhook)),
		store_text(webhook->state),
		store_text(webhook->reason),
		store_int(webhook->seen),
		store_int(webhook->created_ms),
		store_int(WEBHOOKS_MAX),
	};

	return store_keep(arena,
			  "INSERT INTO webhook (environment_id, id, config, state, reason, seen,"
			  " failing_ms, delivered_ms, created_ms, updated_ms, version)"
			  " SELECT ?1, ?2, ?3, ?4, ?5, ?6, 0, 0, ?7, ?7, 1 WHERE (SELECT count(*)"
			  " FROM webhook WHERE environment_id = ?1) < ?8",
			  values, sizeof values / sizeof *values, 1);
}

bool webhook_create(struct webhooks *webhooks, struct arena *arena, struct webhook *webhook,
		    int64_t after, bool is_asymmetric, struct webhook_secret *secret,
		    struct error *err)
{
	struct store_statement statements[3];
	size_t count;

	webhook->seen = after;
	if (after < 0 && !event_newest(webhooks->options.store, arena, webhook->environment_id,
				       &webhook->seen, err))
		return false;
	webhook->id = id_make(webhooks->options.accounts, arena, "whk_");
	webhook->created_ms = webhook->updated_ms = clock_unix_ms(webhooks->options.clock);
	webhook->version = 1;
	statements[0] = insert(arena, webhook);
	if (!secret_make(webhooks, arena, webhook, is_asymmetric, webhook->created_ms, secret,
			 statements + 1, &count, err))
		return false;
	if (!store_write(webhooks->options.store, statements, 1 + count, err))
		return err->code != ERROR_CONFLICT
			       ? false
			       : error_set_field(err, ERROR_LIMIT, "target_url",
						 "at most 1000 webhooks of an environment",
						 "the environment has too many webhooks");
	webhooks_tell(webhooks);
	return true;
}

/* --- changing --------------------------------------------------------------------------------- */

static struct store_statement update(struct arena *arena, const struct webhook *webhook)
{
	const struct store_value values[] = {
		store_text(webhook->environment_id),
		store_text(webhook->id),
		store_text(webhook_config_text(arena, webhook)),
		store_text(webhook->state),
		store_text(webhook->reason),
		store_int(webhook->updated_ms),
		store_int(webhook->version),
	};

	/* What was failing begins anew when it is made active again. */
	return store_keep(
		arena,
		"UPDATE webhook SET config = ?3, failing_ms = iif(state = ?4, failing_ms, 0),"
		" state = ?4, reason = ?5, updated_ms = ?6, version = version + 1"
		" WHERE environment_id = ?1 AND id = ?2 AND version = ?7",
		values, sizeof values / sizeof *values, 1);
}

bool webhook_change(struct webhooks *webhooks, struct arena *arena, struct webhook *webhook,
		    struct error *err)
{
	webhook->updated_ms = clock_unix_ms(webhooks->options.clock);
	struct store_statement statement = update(arena, webhook);

	if (!store_write(webhooks->options.store, &statement, 1, err))
		return err->code != ERROR_CONFLICT
			       ? false
			       : error_set_field(err, ERROR_CONFLICT, "id", NULL,
						 "the webhook has changed meanwhile");
	webhook->version++;
	webhooks_tell(webhooks);
	return true;
}

bool webhook_remove(struct webhooks *webhooks, struct str environment_id, struct str id,
		    struct error *err)
{
	struct store_value values[] = {store_text(environment_id), store_text(id)};
	struct store_statement statement = {
		.sql = "DELETE FROM webhook WHERE environment_id = ?1 AND id = ?2",
		.parameters = values,
		.parameter_count = 2,
		.changes_expected = 1,
	};

	if (!store_write(webhooks->options.store, &statement, 1, err))
		return err->code == ERROR_CONFLICT ? not_found(err) : false;
	webhooks_tell(webhooks);
	return true;
}

static struct store_statement end_secrets(struct arena *arena, const struct webhook *webhook,
					  int64_t now_ms, int64_t overlap_ms)
{
	const struct store_value values[] = {
		store_text(webhook->environment_id),
		store_text(webhook->id),
		store_int(now_ms),
		store_int(now_ms + overlap_ms),
	};

	/* One that is to end sooner does; 1 stands for long ago. */
	return store_keep(arena,
			  "UPDATE webhook_secret SET expires_ms = iif(expires_ms = 0,"
			  " max(?4, 1), min(expires_ms, max(?4, 1)))"
			  " WHERE environment_id = ?1 AND webhook_id = ?2"
			  " AND (expires_ms = 0 OR expires_ms > ?3)",
			  values, 4, -1);
}

static struct store_statement sweep_secrets(struct arena *arena, const struct webhook *webhook,
					    int64_t now_ms)
{
	const struct store_value values[] = {
		store_text(webhook->environment_id),
		store_text(webhook->id),
		store_int(now_ms),
	};

	return store_keep(arena,
			  "DELETE FROM webhook_secret WHERE environment_id = ?1 AND webhook_id = ?2"
			  " AND expires_ms > 0 AND expires_ms <= ?3",
			  values, 3, -1);
}

static struct store_statement move_on(struct arena *arena, const struct webhook *webhook,
				      int64_t now_ms)
{
	const struct store_value values[] = {
		store_text(webhook->environment_id),
		store_text(webhook->id),
		store_int(now_ms),
	};

	return store_keep(arena,
			  "UPDATE webhook SET version = version + 1, updated_ms = ?3"
			  " WHERE environment_id = ?1 AND id = ?2",
			  values, 3, 1);
}

bool webhook_rotate(struct webhooks *webhooks, struct arena *arena, const struct webhook *webhook,
		    int64_t overlap_ms, struct webhook_secret *secret, struct error *err)
{
	int64_t now_ms = clock_unix_ms(webhooks->options.clock);
	struct store_statement statements[5];
	bool has_asymmetric;
	size_t count;

	if (!secret_has_asymmetric(webhooks, arena, webhook, &has_asymmetric, err) ||
	    !secret_make(webhooks, arena, webhook, has_asymmetric, now_ms, secret, statements + 3,
			 &count, err))
		return false;
	statements[0] = end_secrets(arena, webhook, now_ms, overlap_ms);
	statements[1] = sweep_secrets(arena, webhook, now_ms);
	statements[2] = move_on(arena, webhook, now_ms);
	if (!store_write(webhooks->options.store, statements, 3 + count, err))
		return err->code != ERROR_CONFLICT
			       ? false
			       : error_set_field(err, ERROR_CONFLICT, "id", NULL,
						 "the webhook's secret is being rotated already");
	webhooks_tell(webhooks);
	return true;
}

bool webhooks_revoke(struct webhooks *webhooks, struct str environment_id, struct error *err)
{
	struct store_value values[] = {store_text(environment_id),
				       store_int(clock_unix_ms(webhooks->options.clock))};
	struct store_statement statement = {
		.sql = "UPDATE webhook SET state = 'paused', reason = 'its secret was revoked:"
		       " rotate it, then resume', updated_ms = ?2, version = version + 1"
		       " WHERE environment_id = ?1 AND state = 'active'",
		.parameters = values,
		.parameter_count = 2,
		.changes_expected = -1,
	};

	if (!store_write(webhooks->options.store, &statement, 1, err))
		return false;
	webhooks_tell(webhooks);
	return true;
}
