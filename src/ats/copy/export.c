/* Records in the order of accounts and ids, some at a time. */
#include "ats/copy/parts.h"

enum { PLACE_BYTES_MAX = 65536 };

void copy_export_init(struct copy_export *export, struct arena *arena)
{
	*export = (struct copy_export){0};
	buffer_init(&export->after_account, arena, PLACE_BYTES_MAX);
	buffer_init(&export->after_id, arena, PLACE_BYTES_MAX);
}

static void place(struct buffer *buffer, struct str text)
{
	buffer->len = 0;
	buffer_append(buffer, text);
}

/* The copy to read from: of the account where the last record was, or of the next one. */
static bool find_copy(struct store *store, struct arena *arena, struct copy_export *export,
		      int64_t *number, bool *is_end, struct error *err)
{
	struct str before = arena_str(arena, buffer_str(&export->after_account));
	const struct store_value values[] = {
		store_text(export->environment_id), store_text(export->resource->name),
		store_text(before), store_int(export->is_account_done),
		store_text(export->account_id)};
	struct store_rows rows;

	if (!store_query(store, arena,
			 "SELECT number, account_id FROM copy WHERE environment_id = ?1"
			 " AND resource = ?2 AND account_id >= ?3 AND (account_id > ?3 OR ?4 = 0)"
			 " AND (?5 = '' OR account_id = ?5) ORDER BY account_id LIMIT 1",
			 values, 5, &rows, err))
		return false;
	*is_end = rows.count == 0;
	if (*is_end)
		return true;
	*number = store_cell(&rows, 0, 0)->integer;
	struct str found = store_cell(&rows, 0, 1)->bytes;
	if (!str_equal(found, before)) {
		place(&export->after_account, found);
		export->after_id.len = 0;
	}
	export->is_account_done = false;
	return true;
}

static void read_rows(struct arena *arena, const struct store_rows *found,
		      const struct copy_export *export, struct copy_export_row **rows,
		      size_t *count)
{
	struct str account_id = arena_str(arena, buffer_str(&export->after_account));

	*rows = arena_array(arena, found->count + 1, sizeof **rows);
	*count = 0;
	for (size_t i = 0; i < found->count; i++)
		if (store_cell(found, i, 2)->type == STORE_TEXT)
			(*rows)[(*count)++] = (struct copy_export_row){
				.account_id = account_id,
				.id = store_cell(found, i, 0)->bytes,
				.body = store_cell(found, i, 2)->bytes,
				.is_deleted = store_cell(found, i, 1)->integer != 0,
			};
}

bool copy_export_next(struct store *store, struct arena *arena, struct copy_export *export,
		      size_t limit, struct copy_export_row **rows, size_t *count, bool *is_end,
		      struct error *err)
{
	struct store_rows found;
	int64_t number;

	*count = 0;
	if (!find_copy(store, arena, export, &number, is_end, err))
		return false;
	if (*is_end)
		return true;
	const struct store_value values[] = {
		store_int(number), store_text(arena_str(arena, buffer_str(&export->after_id))),
		store_int((int64_t)limit), store_int(copy_deleted_max(export->with_deleted)),
		store_int(export->since_ms), store_text(export->environment_id)};
	if (!store_query(store, arena,
			 "SELECT id, deleted_ms, CASE WHEN deleted_ms BETWEEN 0 AND ?4 AND"
			 " changed_ms >= ?5 THEN body END FROM record r INDEXED BY record_known"
			 " WHERE r.copy = ?1 AND r.environment_id = ?6 AND id > ?2"
			 " ORDER BY id LIMIT ?3",
			 values, 6, &found, err))
		return false;
	read_rows(arena, &found, export, rows, count);
	export->is_account_done = found.count < limit;
	if (found.count > 0)
		place(&export->after_id, store_cell(&found, found.count - 1, 0)->bytes);
	return true;
}

bool copy_export_count(struct store *store, struct arena *arena, const struct copy_export *export,
		       int64_t *count, struct error *err)
{
	const struct store_value values[] = {store_text(export->environment_id),
					     store_text(export->resource->name),
					     store_text(export->account_id)};
	struct store_rows rows;

	if (!store_query(store, arena,
			 "SELECT CAST(coalesce(sum(record_count), 0) AS BIGINT) FROM copy WHERE environment_id = ?1"
			 " AND resource = ?2 AND (?3 = '' OR account_id = ?3)",
			 values, 3, &rows, err))
		return false;
	*count = store_cell(&rows, 0, 0)->integer;
	return true;
}
