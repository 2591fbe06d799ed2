#include "ats/copy/parts.h"

#include <stdlib.h>

struct copies *copies_create(struct store *store, const struct model *model,
			     const struct clock *clock)
{
	struct copies *copies = calloc(1, sizeof *copies);

	if (copies == NULL)
		die("out of memory for the copies");
	copies->store = store;
	copies->model = model;
	copies->clock = clock;
	copy_recall_init(copies);
	return copies;
}

void copies_destroy(struct copies *copies)
{
	if (copies == NULL)
		return;
	copy_recall_finish(copies);
	free(copies);
}

const struct copies_counts *copies_counts(const struct copies *copies)
{
	return &copies->counts;
}

void copy_count(struct copies *copies, const struct copy_counts *counts)
{
	copies->counts.created += (uint64_t)counts->created;
	copies->counts.updated += (uint64_t)counts->updated;
	copies->counts.deleted += (uint64_t)counts->deleted;
	copies->counts.unchanged += (uint64_t)(counts->unchanged + counts->stale);
}

void copies_leave_out(struct copies *copies,
		      bool (*is_erased)(void *context, const struct copy_place *place,
					struct json record),
		      void *context)
{
	copies->is_erased = is_erased;
	copies->erased_context = context;
}

/* --- the row of a copy ----------------------------------------------------------------------- */

bool copy_find_row(struct copies *copies, struct arena *arena, const struct copy_place *place,
		   struct copy_row *row, struct error *err)
{
	const struct store_value values[] = {store_text(place->environment_id),
					     store_text(place->account_id),
					     store_text(place->resource)};
	struct store_rows rows;

	*row = (struct copy_row){.number = 0};
	if (!store_query(copies->store, arena,
			 "SELECT number, last_number, whole_ms, swept_ms, record_count,"
			 " updated_max_ms FROM copy WHERE environment_id = ?1 AND account_id = ?2"
			 " AND resource = ?3",
			 values, 3, &rows, err))
		return false;
	if (rows.count == 0)
		return true;
	row->number = store_cell(&rows, 0, 0)->integer;
	row->last_number = store_cell(&rows, 0, 1)->integer;
	row->state = (struct copy_state){
		.is_there = true,
		.whole_ms = store_cell(&rows, 0, 2)->integer,
		.swept_ms = store_cell(&rows, 0, 3)->integer,
		.record_count = store_cell(&rows, 0, 4)->integer,
		.updated_max_ms = store_cell(&rows, 0, 5)->integer,
	};
	return true;
}

bool copy_make_row(struct copies *copies, struct arena *arena, const struct copy_place *place,
		   struct copy_row *row, struct error *err)
{
	struct store_statement make = copy_note_state(arena, place, 0, 0);

	if (!copy_find_row(copies, arena, place, row, err))
		return false;
	if (row->number != 0)
		return true;
	if (!store_write(copies->store, &make, 1, err))
		return err->code == ERROR_CONFLICT
			       ? error_set_field(err, ERROR_NOT_FOUND, "integrated_account_id",
						 NULL, "there is no such account")
			       : false;
	return copy_find_row(copies, arena, place, row, err);
}

bool copy_read_state(struct copies *copies, struct arena *arena, const struct copy_place *place,
		     struct copy_state *state, struct error *err)
{
	struct copy_row row;

	if (!copy_find_row(copies, arena, place, &row, err))
		return false;
	*state = row.state;
	return true;
}

/* --- statements for others ------------------------------------------------------------------- */

#define COLUMNS                                                                                    \
	"environment_id, account_id, resource, whole_ms, swept_ms, record_count, updated_max_ms,"  \
	" last_number"
#define NOTE                                                                                       \
	" SET whole_ms = CASE ?4 WHEN 0 THEN copy.whole_ms ELSE ?4 END,"                           \
	" swept_ms = CASE ?5 WHEN 0 THEN copy.swept_ms ELSE ?5 END"
#define OR_NOTE " ON CONFLICT (environment_id, account_id, resource) DO UPDATE" NOTE

/* On PostgreSQL a sequence gives the numbers, as those of other environments are not seen there. It
 * gives one for each row that might be new: so the row is looked for first, or notes would use the
 * numbers up. */
static const char note_sql[] = STORE_TEXTS(
	"INSERT INTO copy (number, " COLUMNS ") SELECT ifnull(max(number), 0) + 1, ?1, ?2, ?3, ?4,"
	" ?5, 0, 0, 0 FROM copy WHERE true" OR_NOTE,
	"WITH noted AS (UPDATE copy" NOTE " WHERE environment_id = ?1 AND account_id = ?2"
	" AND resource = ?3 RETURNING number) INSERT INTO copy (" COLUMNS ")"
	" SELECT ?1, ?2, ?3, ?4, ?5, 0, 0, 0 WHERE NOT EXISTS (SELECT 1 FROM noted)" OR_NOTE);

struct store_statement copy_note_state(struct arena *arena, const struct copy_place *place,
				       int64_t whole_ms, int64_t swept_ms)
{
	const struct store_value values[] = {
		store_text(place->environment_id), store_text(place->account_id),
		store_text(place->resource), store_int(whole_ms), store_int(swept_ms),
	};

	return store_keep(arena, note_sql, values, 5, -1);
}

struct store_statement copy_note_missing(struct arena *arena, const struct copy_place *place,
					 int64_t number, int64_t at_ms)
{
	const struct store_value values[] = {
		store_text(place->environment_id), store_text(place->account_id),
		store_text(place->resource), store_int(number), store_int(at_ms),
	};

	return store_keep(
		arena,
		"UPDATE record SET missing_ms = ?5 WHERE environment_id = ?1"
		" AND number = (SELECT number FROM copy"
		" WHERE environment_id = ?1 AND account_id = ?2 AND resource = ?3)"
		" * 4294967296 + ?4",
		values, 5, -1);
}
