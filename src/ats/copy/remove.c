/* Records that the ATS has no more. */
#include "ats/copy/parts.h"

struct removal {
	struct copies *copies;
	struct arena *arena;
	const struct copy_write *write;
	const struct str *ids;
	size_t count;
	struct copy_known *known;
	struct json *bodies;
};

static bool is_gone(const struct removal *removal, size_t i)
{
	const struct copy_known *known = &removal->known[i];

	if (known->number == 0 || known->deleted_ms != 0 ||
	    known->read_ms > removal->write->read_ms)
		return false;
	for (size_t before = 0; before < i; before++)
		if (removal->known[before].number == known->number)
			return false;
	return true;
}

static bool look(struct removal *removal, struct copy_row *row, struct error *err)
{
	struct arena *arena = removal->arena;
	int64_t *numbers = arena_array(arena, removal->count + 1, sizeof *numbers);

	removal->known = arena_array(arena, removal->count + 1, sizeof *removal->known);
	removal->bodies = arena_array(arena, removal->count + 1, sizeof *removal->bodies);
	if (!copy_find_row(removal->copies, arena, &removal->write->place, row, err) ||
	    !copy_find_known(removal->copies, arena, row->number, removal->ids, removal->count,
			     removal->known, err))
		return false;
	for (size_t i = 0; i < removal->count; i++)
		numbers[i] = is_gone(removal, i) ? removal->known[i].number : 0;
	return copy_find_bodies(removal->copies, arena, numbers, removal->count, removal->bodies,
				err);
}

static void write_removed(struct copy_batch *batch, const struct copy_known *known)
{
	const struct store_value values[] = {
		store_int(known->number),	   store_int(known->version),
		store_int(known->read_ms),	   store_blob(known->hash),
		store_int(!batch->write->is_silent), store_int(batch->write->read_ms),
		store_int(batch->now_ms),
	};

	copy_batch_add(batch,
		       "UPDATE record SET version = version + ?5, read_ms = ?6, changed_ms = ?7,"
		       " deleted_ms = ?7, missing_ms = 0 WHERE number = ?1 AND version = ?2"
		       " AND read_ms = ?3 AND hash = ?4 AND deleted_ms = 0",
		       values, sizeof values / sizeof *values);
}

static void remove_one(struct copy_batch *batch, const struct removal *removal, size_t i)
{
	const struct copy_known *known = &removal->known[i];
	const struct copy_change change = {
		.type = "record:deleted",
		.id = removal->ids[i],
		.version = known->version + 1,
		.differences = {json_array(NULL, 0), json_array(NULL, 0)},
		.before = removal->bodies[i],
		.after = removal->bodies[i],
		.is_deleted = true,
	};

	write_removed(batch, known);
	copy_batch_tell(batch, &change);
	batch->counts.deleted++;
	batch->alive--;
}

static bool has_moved(const struct removal *removal, const struct copy_known *before)
{
	for (size_t i = 0; before != NULL && i < removal->count; i++)
		if (before[i].version != removal->known[i].version ||
		    before[i].read_ms != removal->known[i].read_ms ||
		    before[i].deleted_ms != removal->known[i].deleted_ms ||
		    !str_equal(before[i].hash, removal->known[i].hash))
			return true;
	return false;
}

static bool try(struct removal *removal, const struct copy_row *row, struct copy_counts *counts,
		struct error *err)
{
	struct copy_batch batch;

	copy_batch_begin(&batch, removal->copies, removal->arena, removal->write, row);
	for (size_t i = 0; i < removal->count; i++)
		if (is_gone(removal, i))
			remove_one(&batch, removal, i);
	*counts = batch.counts;
	return copy_batch_commit(&batch, NULL, 0, err);
}

bool copy_remove(struct copies *copies, struct arena *arena, const struct copy_write *write,
		 const struct str *ids, size_t count, struct copy_counts *counts,
		 struct error *err)
{
	struct removal removal = {.copies = copies,
				  .arena = arena,
				  .write = write,
				  .ids = ids,
				  .count = count};
	const struct copy_known *before = NULL;
	struct copy_row row;
	struct error lost = {.code = ERROR_NONE};

	for (int i = 0; i < COPY_TRIES_MAX; i++) {
		if (!look(&removal, &row, err))
			return false;
		if (i > 0 && !has_moved(&removal, before)) {
			*err = lost;
			return false;
		}
		if (try(&removal, &row, counts, err))
			return true;
		if (err->code != ERROR_CONFLICT)
			return false;
		before = removal.known;
		lost = *err;
	}
	return error_set(err, ERROR_UNAVAILABLE, "others write the same records all the time");
}
