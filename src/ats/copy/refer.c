/* Records found by what their bodies tell; and a copy forgotten. */
#include "ats/copy/parts.h"

enum { LIMIT_MAX = 1000 };

/* Whom records are about is in an index; what else they tell is looked for in each. */
static const char *find_sql(struct str path)
{
	if (str_equal(path, STR(COPY_CANDIDATE_PATH)))
		return "SELECT number, id, missing_ms FROM record INDEXED BY record_candidate"
		       " WHERE copy = ?1 >> 32 AND candidate = ?4 AND candidate <> ''"
		       " AND number > ?1 AND number < ?2 AND deleted_ms = 0 AND read_ms < ?5"
		       " AND environment_id = ?7 ORDER BY number LIMIT ?6";
	return "SELECT number, id, missing_ms FROM record WHERE environment_id = ?7"
	       " AND number > ?1 AND number < ?2 AND deleted_ms = 0 AND read_ms < ?5"
	       " AND json_extract(body, ?3) = ?4 ORDER BY number LIMIT ?6";
}

bool copy_find_by(struct copies *copies, struct arena *arena, const struct copy_place *place,
		  struct str path, struct str value, int64_t after, int64_t read_ms, size_t limit,
		  struct copy_missing **list, size_t *count, struct error *err)
{
	struct copy_row row;
	struct store_rows rows;

	*count = 0;
	*list = NULL;
	if (!copy_find_row(copies, arena, place, &row, err))
		return false;
	if (row.number == 0)
		return true;
	const struct store_value values[] = {
		store_int(copy_number(row.number, after)),
		store_int(copy_number(row.number + 1, 0)),
		store_text(arena_format(arena, "$.%.*s", STR_ARGS(path))),
		store_text(value),
		store_int(read_ms),
		store_int((int64_t)(limit < LIMIT_MAX ? limit : LIMIT_MAX)),
		store_text(place->environment_id),
	};
	if (!store_query(copies->store, arena, find_sql(path), values, 7, &rows, err))
		return false;
	*list = arena_array(arena, rows.count + 1, sizeof **list);
	*count = rows.count;
	for (size_t i = 0; i < rows.count; i++)
		(*list)[i] = (struct copy_missing){
			.number = copy_own_number(store_cell(&rows, i, 0)->integer),
			.id = store_cell(&rows, i, 1)->bytes,
			.missing_ms = store_cell(&rows, i, 2)->integer,
		};
	return true;
}

struct store_statement copy_drop(struct arena *arena, const struct copy_place *place)
{
	const struct store_value values[] = {store_text(place->environment_id),
					     store_text(place->account_id),
					     store_text(place->resource)};

	return store_keep(arena,
			  "DELETE FROM copy WHERE environment_id = ?1 AND account_id = ?2"
			  " AND resource = ?3",
			  values, sizeof values / sizeof *values, -1);
}
