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

enum fate {
	FATE_LEFT,
	FATE_REMOVED,
	FATE_ABSENT, /* it was not there, and is not to come of what was read before */
	FATE_STILL_GONE,
};

static bool is_told_twice(const struct removal *removal, size_t i)
{
	for (size_t before = 0; before < i; before++)
		if (str_equal(removal->ids[before], removal->ids[i]))
			return true;
	return false;
}

static enum fate judge(const struct removal *removal, size_t i)
{
	const struct copy_known *known = &removal->known[i];
	bool notes_absent = removal->write->notes_absent;

	if (known->read_ms > removal->write->read_ms || is_told_twice(removal, i))
		return FATE_LEFT;
	if (known->number == 0)
		return notes_absent ? FATE_ABSENT : FATE_LEFT;
	if (known->deleted_ms == 0)
		return FATE_REMOVED;
	return notes_absent && known->read_ms < removal->write->read_ms ? FATE_STILL_GONE
									: FATE_LEFT;
}

static bool find_row(struct removal *removal, struct copy_row *row, struct error *err)
{
	const struct copy_place *place = &removal->write->place;

	return removal->write->notes_absent
		       ? copy_make_row(removal->copies, removal->arena, place, row, err)
		       : copy_find_row(removal->copies, removal->arena, place, row, err);
}

static bool look(struct removal *removal, struct copy_row *row, struct error *err)
{
	const struct copy_place *place = &removal->write->place;
	struct arena *arena = removal->arena;
	int64_t *numbers = arena_array(arena, removal->count + 1, sizeof *numbers);

	removal->known = arena_array(arena, removal->count + 1, sizeof *removal->known);
	removal->bodies = arena_array(arena, removal->count + 1, sizeof *removal->bodies);
	if (!find_row(removal, row, err) ||
	    !copy_find_known(removal->copies, arena, place, row->number,
			     copy_ids(arena, removal->ids, removal->count), removal->count,
			     removal->known, err))
		return false;
	for (size_t i = 0; i < removal->count; i++)
		numbers[i] =
			judge(removal, i) == FATE_REMOVED ? removal->known[i].number : 0;
	return copy_find_bodies(removal->copies, arena, place->environment_id, numbers,
				removal->count, removal->bodies, err);
}

static void write_removed(struct copy_batch *batch, const struct copy_known *known)
{
	const struct store_value values[] = {
		store_int(known->number),	   store_int(known->version),
		store_int(known->read_ms),	   store_blob(known->hash),
		store_int(!batch->write->is_silent), store_int(batch->write->read_ms),
		store_int(batch->now_ms),
		store_text(batch->write->place.environment_id),
	};

	copy_batch_add(batch,
		       "UPDATE record SET version = version + ?5, read_ms = ?6, changed_ms = ?7,"
		       " deleted_ms = ?7, missing_ms = 0 WHERE environment_id = ?8 AND number = ?1"
		       " AND version = ?2 AND read_ms = ?3 AND hash = ?4 AND deleted_ms = 0",
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

/* Its number is given as to any other, so that all of them are one order of writes. */
static void note_absent(struct copy_batch *batch, struct str id)
{
	const struct json_member member = json_member(STR("id"), json_string(id));
	const struct store_value values[] = {
		store_int(copy_number(batch->row.number, batch->row.last_number + ++batch->given)),
		store_int(batch->row.number),
		store_text(id),
		store_int(batch->write->read_ms),
		store_int(batch->now_ms),
		store_int(-batch->now_ms),
		store_text(json_text(batch->arena, json_object(&member, 1))),
		store_text(batch->write->place.environment_id),
	};

	copy_batch_add(batch,
		       "INSERT INTO record (number, copy, id, version, read_ms, is_partial,"
		       " created_ms, updated_ms, changed_ms, missing_ms, deleted_ms, hash,"
		       " list_hash, body, candidate, environment_id) VALUES (?1, ?2, ?3, 0, ?4, 0,"
		       " 0, 0, ?5, 0, ?6, x'', x'', ?7, '', ?8)",
		       values, sizeof values / sizeof *values);
}

static void note_still_gone(struct copy_batch *batch, const struct copy_known *known)
{
	const struct store_value values[] = {
		store_int(known->number),     store_int(known->version),
		store_int(known->read_ms),    store_int(batch->write->read_ms),
		store_int(known->deleted_ms),
		store_int(known->deleted_ms < 0 ? -batch->now_ms : known->deleted_ms),
		store_text(batch->write->place.environment_id),
	};

	copy_batch_add(batch,
		       "UPDATE record SET read_ms = ?4, deleted_ms = ?6 WHERE environment_id = ?7"
		       " AND number = ?1 AND version = ?2 AND read_ms = ?3 AND deleted_ms = ?5",
		       values, sizeof values / sizeof *values);
}

static void write_one(struct copy_batch *batch, const struct removal *removal, size_t i)
{
	switch (judge(removal, i)) {
	case FATE_LEFT:
		return;
	case FATE_REMOVED:
		remove_one(batch, removal, i);
		return;
	case FATE_ABSENT:
		note_absent(batch, removal->ids[i]);
		return;
	case FATE_STILL_GONE:
		note_still_gone(batch, &removal->known[i]);
		return;
	}
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
		write_one(&batch, removal, i);
	if (copy_own_number(row->last_number + batch.given) < row->last_number)
		return error_set(err, ERROR_LIMIT, "the copy has no more numbers for records");
	*counts = batch.counts;
	return copy_batch_commit(&batch, &(struct copy_told){.counts = counts}, err);
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
	struct copy_row row = {.number = 0};
	struct error lost = {.code = ERROR_NONE};

	for (int i = 0; i < COPY_TRIES_MAX; i++) {
		int64_t last_number = row.last_number;

		if (!look(&removal, &row, err))
			return false;
		if (i > 0 && row.last_number == last_number && !has_moved(&removal, before)) {
			*err = lost;
			return false;
		}
		if (try(&removal, &row, counts, err)) {
			copy_count(copies, counts);
			return true;
		}
		if (err->code != ERROR_CONFLICT)
			return false;
		before = removal.known;
		lost = *err;
	}
	return error_set(err, ERROR_UNAVAILABLE, "others write the same records all the time");
}
