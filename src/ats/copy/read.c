/* What is in the copy. */
#include "ats/copy/parts.h"

#include <assert.h>

enum { WALK_MAX = 1000, PROBE = 500 };

#define COLUMNS                                                                                    \
	"r.number, r.id, r.body, r.is_partial, r.version, r.read_ms, r.changed_ms, r.deleted_ms"

static void read_record(const struct store_rows *rows, size_t row, struct copy_record *record)
{
	*record = (struct copy_record){
		.number = copy_own_number(store_cell(rows, row, 0)->integer),
		.id = store_cell(rows, row, 1)->bytes,
		.body = store_cell(rows, row, 2)->bytes,
		.is_partial = store_cell(rows, row, 3)->integer != 0,
		.version = store_cell(rows, row, 4)->integer,
		.read_ms = store_cell(rows, row, 5)->integer,
		.changed_ms = store_cell(rows, row, 6)->integer,
		.deleted_ms = store_cell(rows, row, 7)->integer,
	};
}

bool copy_get(struct copies *copies, struct arena *arena, const struct copy_place *place,
	      struct str id, struct copy_record *record, struct error *err)
{
	const struct store_value values[] = {store_text(place->environment_id),
					     store_text(place->account_id),
					     store_text(place->resource), store_text(id)};
	struct store_rows rows;

	if (!store_query(copies->store, arena,
			 "SELECT " COLUMNS " FROM copy c CROSS JOIN record r"
			 " WHERE c.environment_id = ?1 AND c.account_id = ?2 AND c.resource = ?3"
			 " AND r.environment_id = ?1 AND r.copy = c.number" COPY_SPAN("c.number")
			 " AND r.id = ?4 AND r.deleted_ms >= 0",
			 values, 4, &rows, err))
		return false;
	if (rows.count == 0)
		return error_set_field(err, ERROR_NOT_FOUND, "id", NULL,
				       "there is no such record in the copy of %.*s",
				       STR_ARGS(place->resource));
	read_record(&rows, 0, record);
	return true;
}

bool copy_walk(struct copies *copies, struct arena *arena, const struct copy_place *place,
	       int64_t after, size_t limit, bool with_deleted, struct copy_record **list,
	       size_t *count, struct error *err)
{
	struct copy_row row;
	struct store_rows rows;

	assert(limit >= 1 && limit <= WALK_MAX);
	*count = 0;
	*list = NULL;
	if (!copy_find_row(copies, arena, place, &row, err))
		return false;
	if (row.number == 0)
		return true;
	const struct store_value values[] = {store_int(copy_number(row.number, after)),
					     store_int(copy_number(row.number + 1, 0)),
					     store_int(copy_deleted_max(with_deleted)),
					     store_int((int64_t)limit),
					     store_text(place->environment_id)};
	if (!store_query(copies->store, arena,
			 "SELECT " COLUMNS " FROM record r WHERE r.environment_id = ?5"
			 " AND r.number > ?1 AND r.number < ?2 AND r.deleted_ms BETWEEN 0 AND ?3"
			 " ORDER BY r.number LIMIT ?4",
			 values, 5, &rows, err))
		return false;
	*list = arena_array(arena, rows.count + 1, sizeof **list);
	*count = rows.count;
	for (size_t i = 0; i < rows.count; i++)
		read_record(&rows, i, &(*list)[i]);
	return true;
}

/* --- what a sweep did not see ---------------------------------------------------------------- */

struct probe {
	struct copies *copies;
	struct arena *arena;
	struct str environment_id;
	int64_t copy;
	int64_t read_ms;
	struct buffer numbers; /* a JSON array, open at its end */
	size_t count;
	struct copy_missing *list;
	size_t found;
	size_t limit;
};

static void probe_clear(struct probe *probe)
{
	buffer_init(&probe->numbers, probe->arena, SIZE_MAX);
	buffer_append_byte(&probe->numbers, '[');
	probe->count = 0;
}

static bool probe_ask(struct probe *probe, struct error *err)
{
	struct store_rows rows;

	buffer_append_byte(&probe->numbers, ']');
	const struct store_value values[] = {store_text(buffer_str(&probe->numbers)),
					     store_int(probe->read_ms),
					     store_int((int64_t)(probe->limit - probe->found)),
					     store_text(probe->environment_id)};
	if (!store_query(probe->copies->store, probe->arena,
			 COPY_NUMBERED("r.number, r.id, r.missing_ms", "?4",
				       " AND r.deleted_ms = 0 AND r.read_ms < ?2"
				       " ORDER BY j.key LIMIT ?3"),
			 values, 4, &rows, err))
		return false;
	for (size_t i = 0; i < rows.count; i++)
		probe->list[probe->found++] = (struct copy_missing){
			.number = copy_own_number(store_cell(&rows, i, 0)->integer),
			.id = store_cell(&rows, i, 1)->bytes,
			.missing_ms = store_cell(&rows, i, 2)->integer,
		};
	probe_clear(probe);
	return true;
}

static void probe_add(struct probe *probe, int64_t number)
{
	if (probe->count++ > 0)
		buffer_append_byte(&probe->numbers, ',');
	buffer_append_int(&probe->numbers, copy_number(probe->copy, number));
}

static bool is_marked(const unsigned char *bitmap, size_t bytes, int64_t number)
{
	size_t at = (size_t)number / 8;

	return at < bytes && (bitmap[at] >> (number % 8) & 1) != 0;
}

bool copy_find_missing(struct copies *copies, struct arena *arena, const struct copy_place *place,
		       const unsigned char *bitmap, size_t bitmap_bytes, int64_t after,
		       int64_t read_ms, size_t limit, struct copy_missing **list, size_t *count,
		       struct error *err)
{
	struct copy_row row;

	*count = 0;
	*list = arena_array(arena, limit + 1, sizeof **list);
	if (!copy_find_row(copies, arena, place, &row, err))
		return false;
	struct probe probe = {.copies = copies,
			      .arena = arena,
			      .environment_id = place->environment_id,
			      .copy = row.number,
			      .read_ms = read_ms,
			      .list = *list,
			      .limit = limit};
	probe_clear(&probe);
	for (int64_t number = after + 1; number <= row.last_number; number++) {
		if (is_marked(bitmap, bitmap_bytes, number))
			continue;
		probe_add(&probe, number);
		if (probe.count == PROBE && !probe_ask(&probe, err))
			return false;
		if (probe.found == limit)
			break;
	}
	if (probe.count > 0 && probe.found < limit && !probe_ask(&probe, err))
		return false;
	*count = probe.found;
	return arena_check(arena, err);
}
