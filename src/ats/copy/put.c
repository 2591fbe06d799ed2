/* Records as the ATS gives them, held against what is known of them: what has not changed writes
 * nothing. */
#include "ats/copy/parts.h"
#include "io/loop/loop.h"

enum { GIVE_WAY_RECORDS = 32 };

enum fate {
	FATE_UNCHANGED,
	FATE_STALE,
	FATE_QUIET, /* the record is as it was; what is kept beside it is not */
	FATE_CREATED,
	FATE_UPDATED,
};

/* A record, as given or as it is to be in the copy. */
struct form {
	struct json record;
	struct str body; /* once it is to be written */
	struct str hash;
	bool is_partial;
};

struct entry {
	struct str id;
	struct form given;
	struct form now;
	struct json listed;
	struct str list_hash; /* data NULL: as it was */
	struct copy_known known;
	enum fate fate;
	struct json before;
	struct copy_differences differences;
	int64_t number;	     /* in the store */
};

struct put {
	struct copies *copies;
	struct arena *arena;
	const struct copy_write *write;
	const struct model_resource *resource;
	struct copy_hasher hasher;
	bool is_partial;
	struct entry *entries; /* one of each id */
	size_t count;
	struct str *ids;	   /* theirs */
	struct str id_list;	   /* the same, as copy_find_known() wants them */
	size_t *entry_of; /* per record given; SIZE_MAX: left out */
	size_t given;
};

/* --- what was given -------------------------------------------------------------------------- */

/* An open table of entries by their ids. */
struct table {
	uint32_t *slots; /* 0: free; else the entry's index + 1 */
	size_t mask;
};

static void table_init(struct table *table, struct arena *arena, size_t count)
{
	size_t capacity = 16;

	while (capacity < count * 2)
		capacity *= 2;
	table->slots = arena_zero(arena, capacity * sizeof *table->slots);
	table->mask = capacity - 1;
}

/* The entry of this id, or a new one at the end. */
static size_t table_take(struct table *table, struct put *put, struct str id)
{
	size_t at = json_key_hash(id.data, id.len) & table->mask;

	for (; table->slots[at] != 0; at = (at + 1) & table->mask)
		if (str_equal(put->ids[table->slots[at] - 1], id))
			return table->slots[at] - 1;
	table->slots[at] = (uint32_t)++put->count;
	put->ids[put->count - 1] = id;
	return put->count - 1;
}

static bool is_wanted(const struct put *put, struct json record, struct str id)
{
	struct copies *copies = put->copies;

	if (id.len == 0)
		return false;
	return copies->is_erased == NULL ||
	       !copies->is_erased(copies->erased_context, &put->write->place, record);
}

static struct str hash_listed(struct copy_hasher *hasher, struct json listed)
{
	return copy_list_hash(hasher, listed, copy_hash(hasher, listed));
}

/* Its body stands in the hasher afterwards. */
static void hash_given(struct put *put, struct entry *entry)
{
	struct form *given = &entry->given;

	if (!put->is_partial && json_is(entry->listed, JSON_OBJECT))
		entry->list_hash = hash_listed(&put->hasher, entry->listed);
	given->hash = copy_hash(&put->hasher, given->record);
	if (put->is_partial)
		entry->list_hash = copy_list_hash(&put->hasher, given->record, given->hash);
}

static void take_records(struct put *put, const struct json *records, size_t count)
{
	const struct json *listed = put->write->listed;
	struct table table;

	table_init(&table, put->arena, count);
	put->given = count;
	for (size_t i = 0; i < count; i++) {
		struct str id = json_get_str(records[i], "id");

		put->entry_of[i] = SIZE_MAX;
		if (!is_wanted(put, records[i], id))
			continue;
		put->entry_of[i] = table_take(&table, put, id);
		put->entries[put->entry_of[i]] = (struct entry){
			.id = id,
			.given = {.record = records[i], .is_partial = put->is_partial},
			.listed = listed == NULL ? json_undefined() : listed[i],
		};
	}
}

/* A page takes milliseconds, which others of the loop shall not wait. */
static void give_way(bool gives_way, size_t done)
{
	if (gives_way && done % GIVE_WAY_RECORDS == GIVE_WAY_RECORDS - 1)
		loop_sleep_ms(0);
}

/* --- what becomes of it ---------------------------------------------------------------------- */

static bool is_same(struct str hash, struct str known)
{
	return hash.data == NULL || str_equal(hash, known);
}

/* As it was, to the letter. */
static bool is_known(const struct entry *entry)
{
	const struct copy_known *known = &entry->known;

	if (known->number == 0 || known->deleted_ms != 0 || known->missing_ms != 0 ||
	    !is_same(entry->list_hash, known->list_hash))
		return false;
	return entry->given.is_partial ||
	       (!known->is_partial && str_equal(entry->given.hash, known->hash));
}

static enum fate judge(const struct put *put, const struct entry *entry)
{
	if (is_known(entry))
		return FATE_UNCHANGED;
	if (entry->known.number == 0)
		return FATE_CREATED;
	if (put->write->read_ms < entry->known.read_ms)
		return FATE_STALE;
	return entry->known.deleted_ms != 0 ? FATE_CREATED : FATE_UPDATED;
}

/* Of one that has changed: what it was, and what it is now. */
static void compare(struct put *put, struct entry *entry)
{
	struct arena *arena = put->arena;
	struct form *now = &entry->now;

	const bool *is_rough = put->write->is_rough;

	if (now->is_partial) {
		bool is_kept = copy_is_as_rough(entry->list_hash, entry->known.list_hash);

		now->record = copy_merge(arena, put->resource, entry->before, now->record,
					 is_kept ? is_rough : NULL);
		now->hash = copy_hash(&put->hasher, now->record);
		now->body = arena_str(arena, buffer_str(&put->hasher.body));
	}
	entry->differences = copy_compare(arena, put->resource, entry->before, now->record,
					  entry->known.is_partial,
					  entry->given.is_partial ? NULL : is_rough);
	if (entry->differences.changed.count + entry->differences.learned.count > 0)
		return;
	entry->fate = FATE_QUIET;
	/* The list tells nothing new: what else is known of the record still holds. */
	now->is_partial = now->is_partial && entry->known.is_partial;
}

static bool find_before(struct put *put, struct error *err)
{
	size_t *which = arena_array(put->arena, put->count + 1, sizeof *which);
	int64_t *numbers = arena_array(put->arena, put->count + 1, sizeof *numbers);
	struct json *bodies = arena_array(put->arena, put->count + 1, sizeof *bodies);
	size_t count = 0;

	for (size_t i = 0; i < put->count; i++) {
		struct entry *entry = &put->entries[i];

		entry->before = json_undefined();
		entry->differences.changed = json_array(NULL, 0);
		entry->differences.learned = json_array(NULL, 0);
		if (entry->fate != FATE_UPDATED)
			continue;
		which[count] = i;
		numbers[count++] = entry->known.number;
	}
	if (count == 0)
		return true;
	if (!copy_find_bodies(put->copies, put->arena, put->write->place.environment_id, numbers,
			      count, bodies, err))
		return false;
	for (size_t i = 0; i < count; i++) {
		put->entries[which[i]].before = bodies[i];
		compare(put, &put->entries[which[i]]);
		give_way(put->write->gives_way, i);
	}
	return true;
}

/* --- what is written ------------------------------------------------------------------------- */

/* Whom it is about: an index finds it by that. */
static struct store_value find_candidate(struct json record)
{
	struct json id = json_get_path(record, STR(COPY_CANDIDATE_PATH));

	return store_text(json_is(id, JSON_STRING) ? json_str(id) : STR(""));
}

/* A re-created record has its number already. */
static void write_created(struct copy_batch *batch, struct entry *entry)
{
	const struct store_value values[] = {
		store_int(entry->number),
		store_int(batch->row.number),
		store_text(entry->id),
		store_int(!batch->write->is_silent),
		store_int(batch->write->read_ms),
		store_int(entry->now.is_partial),
		store_int(copy_moment(entry->now.record, "created_at")),
		store_int(copy_moment(entry->now.record, "updated_at")),
		store_int(batch->now_ms),
		store_blob(entry->now.hash),
		store_blob(entry->list_hash),
		store_text(entry->now.body),
		find_candidate(entry->now.record),
		store_text(batch->write->place.environment_id),
	};

	copy_batch_add(batch,
		       "INSERT INTO record (number, copy, id, version, read_ms, is_partial,"
		       " created_ms, updated_ms, changed_ms, missing_ms, deleted_ms, hash,"
		       " list_hash, body, candidate, environment_id) VALUES (?1, ?2, ?3, ?4, ?5,"
		       " ?6, ?7, ?8, ?9, 0, 0, ?10, ?11, ?12, ?13, ?14)",
		       values, sizeof values / sizeof *values);
}

/* What was read meanwhile is not overwritten: then nothing matches, and all is looked at anew. */
#define AS_KNOWN " WHERE number = ?1 AND version = ?2 AND read_ms = ?3 AND hash = ?4" \
		 " AND deleted_ms = ?5 AND environment_id = ?6"

enum { AS_KNOWN_VALUES = 6 };

static void put_known(struct store_value *values, const struct copy_batch *batch,
		      const struct copy_known *known)
{
	values[0] = store_int(known->number);
	values[1] = store_int(known->version);
	values[2] = store_int(known->read_ms);
	values[3] = store_blob(known->hash);
	values[4] = store_int(known->deleted_ms);
	values[5] = store_text(batch->write->place.environment_id);
}

static struct str list_hash_now(const struct entry *entry)
{
	return entry->list_hash.data == NULL ? entry->known.list_hash : entry->list_hash;
}

static void write_updated(struct copy_batch *batch, struct entry *entry)
{
	struct store_value values[] = {
		[AS_KNOWN_VALUES] = store_int(!batch->write->is_silent),
		store_int(batch->write->read_ms),
		store_int(entry->now.is_partial),
		store_int(copy_moment(entry->now.record, "created_at")),
		store_int(copy_moment(entry->now.record, "updated_at")),
		store_int(batch->now_ms),
		store_blob(entry->now.hash),
		store_blob(list_hash_now(entry)),
		store_text(entry->now.body),
		find_candidate(entry->now.record),
	};

	put_known(values, batch, &entry->known);
	copy_batch_add(batch,
		       "UPDATE record SET version = version + ?7, read_ms = ?8, is_partial = ?9,"
		       " created_ms = ?10, updated_ms = ?11, changed_ms = ?12, missing_ms = 0,"
		       " deleted_ms = 0, hash = ?13, list_hash = ?14, body = ?15,"
		       " candidate = ?16" AS_KNOWN,
		       values, sizeof values / sizeof *values);
}

static void write_quiet(struct copy_batch *batch, struct entry *entry)
{
	struct store_value values[] = {
		[AS_KNOWN_VALUES] = store_int(batch->write->read_ms),
		store_int(entry->now.is_partial),
		store_blob(entry->now.hash),
		store_blob(list_hash_now(entry)),
	};

	put_known(values, batch, &entry->known);
	copy_batch_add(batch,
		       "UPDATE record SET read_ms = ?7, is_partial = ?8, missing_ms = 0, hash = ?9,"
		       " list_hash = ?10" AS_KNOWN,
		       values, sizeof values / sizeof *values);
}

static void tell(struct copy_batch *batch, const struct entry *entry, const char *type)
{
	const struct copy_change change = {
		.type = type,
		.id = entry->id,
		.version = entry->known.version + 1,
		.differences = entry->differences,
		.before = entry->before,
		.after = entry->now.record,
	};
	int64_t updated_ms = copy_moment(entry->now.record, "updated_at");

	if (updated_ms > batch->updated_max_ms)
		batch->updated_max_ms = updated_ms;
	copy_batch_tell(batch, &change);
}

static void write_entry(struct copy_batch *batch, struct entry *entry)
{
	entry->number = entry->known.number;
	switch (entry->fate) {
	case FATE_UNCHANGED:
		batch->counts.unchanged++;
		return;
	case FATE_STALE:
		batch->counts.stale++;
		return;
	case FATE_QUIET:
		batch->counts.unchanged++;
		write_quiet(batch, entry);
		return;
	case FATE_CREATED:
		batch->counts.created++;
		batch->alive++;
		if (entry->number == 0) {
			entry->number = copy_number(batch->row.number,
						    batch->row.last_number + ++batch->given);
			write_created(batch, entry);
		} else {
			write_updated(batch, entry);
		}
		copy_batch_add_text(batch, entry->number);
		tell(batch, entry, "record:created");
		return;
	case FATE_UPDATED:
		batch->counts.updated++;
		write_updated(batch, entry);
		copy_batch_add_text(batch, entry->number);
		tell(batch, entry, "record:updated");
		return;
	}
}

static void find_numbers(const struct put *put, int64_t *numbers)
{
	for (size_t i = 0; i < put->given; i++) {
		size_t entry = put->entry_of[i];

		numbers[i] = entry == SIZE_MAX
				     ? 0
				     : copy_own_number(put->entries[entry].number);
	}
}

/* What will be known of it once this is written. */
static struct copy_known foresee(const struct put *put, const struct entry *entry)
{
	const struct copy_write *write = put->write;
	bool is_told = entry->fate != FATE_QUIET && !write->is_silent;

	if (entry->fate == FATE_UNCHANGED)
		return entry->known;
	return (struct copy_known){
		.number = entry->number,
		.version = entry->known.version + is_told,
		.read_ms = write->read_ms,
		.is_partial = entry->now.is_partial,
		.hash = entry->now.hash,
		.list_hash = list_hash_now(entry),
	};
}

static void find_stand(const struct put *put, struct copy_told *told)
{
	struct copy_known *known = arena_array(put->arena, put->count + 1, sizeof *known);

	for (size_t i = 0; i < put->count; i++) {
		if (put->entries[i].fate == FATE_STALE)
			return;
		known[i] = foresee(put, &put->entries[i]);
	}
	told->stand = copy_stand(put->arena, known, put->count);
	told->ids = put->id_list;
	told->id_count = put->count;
}

/* --- trying ---------------------------------------------------------------------------------- */

static bool has_moved(const struct copy_known *then, const struct copy_known *now)
{
	return then->number != now->number || then->version != now->version ||
	       then->read_ms != now->read_ms || then->deleted_ms != now->deleted_ms ||
	       !str_equal(then->hash, now->hash);
}

/* Only what is to be written needs its body; most are as they were. */
static void decide(struct put *put, struct entry *entry)
{
	bool is_first = entry->given.hash.data == NULL;

	if (is_first)
		hash_given(put, entry);
	entry->now = entry->given;
	entry->fate = judge(put, entry);
	/* Of a partial one it is made when it is joined to what was known. */
	if (entry->fate == FATE_CREATED ||
	    (entry->fate == FATE_UPDATED && !entry->given.is_partial))
		entry->now.body =
			is_first ? arena_str(put->arena, buffer_str(&put->hasher.body))
				 : copy_body(put->arena, entry->given.record);
}

/* What is known now. *moved: somebody has written since the look before. */
static bool look(struct put *put, struct copy_row *row, bool *moved, struct error *err)
{
	struct copy_known *known = arena_array(put->arena, put->count + 1, sizeof *known);
	struct copy_row before = *row;

	if (!copy_make_row(put->copies, put->arena, &put->write->place, row, err) ||
	    !copy_find_known(put->copies, put->arena, &put->write->place, row->number, put->id_list,
			     put->count, known, err))
		return false;
	*moved = before.number != row->number || before.last_number != row->last_number;
	for (size_t i = 0; i < put->count; i++) {
		struct entry *entry = &put->entries[i];

		*moved |= has_moved(&entry->known, &known[i]);
		entry->known = known[i];
		decide(put, entry);
		give_way(put->write->gives_way, i);
	}
	return find_before(put, err);
}

static bool try(struct put *put, const struct copy_row *row, int64_t *numbers,
		struct copy_counts *counts, struct error *err)
{
	struct copy_batch batch;

	copy_batch_begin(&batch, put->copies, put->arena, put->write, row);
	for (size_t i = 0; i < put->count; i++) {
		write_entry(&batch, &put->entries[i]);
		give_way(put->write->gives_way, i);
	}
	if (copy_own_number(row->last_number + batch.given) < row->last_number)
		return error_set(err, ERROR_LIMIT, "the copy has no more numbers for records");
	find_numbers(put, numbers);
	*counts = batch.counts;
	struct copy_told told = {.numbers = numbers, .count = put->given, .counts = counts};
	if (put->write->companion != NULL)
		find_stand(put, &told);
	return copy_batch_commit(&batch, &told, err);
}

static bool try_all(struct put *put, int64_t *numbers, struct copy_counts *counts,
		    struct error *err)
{
	struct copy_row row = {.number = 0};
	struct error lost = {.code = ERROR_NONE};
	bool moved;

	for (int i = 0; i < COPY_TRIES_MAX; i++) {
		if (!look(put, &row, &moved, err))
			return false;
		if (i > 0 && !moved) {
			/* Not a race for a record: what goes with them was refused. */
			*err = lost;
			return false;
		}
		if (try(put, &row, numbers, counts, err))
			return true;
		if (err->code != ERROR_CONFLICT)
			return false;
		lost = *err;
	}
	return error_set(err, ERROR_UNAVAILABLE, "others write the same records all the time");
}

bool copy_put(struct copies *copies, struct arena *arena, const struct copy_write *write,
	      const struct json *records, size_t count, bool is_partial, int64_t *numbers,
	      struct copy_counts *counts, struct error *err)
{
	struct put put = {
		.copies = copies,
		.arena = arena,
		.write = write,
		.resource = model_find(copies->model, write->place.resource),
		.is_partial = is_partial,
		.entries = arena_array(arena, count + 1, sizeof *put.entries),
		.ids = arena_array(arena, count + 1, sizeof *put.ids),
		.entry_of = arena_array(arena, count + 1, sizeof *put.entry_of),
	};

	if (put.resource == NULL)
		return error_set_field(err, ERROR_INVALID, "resource", NULL,
				       "the model has no resource \"%.*s\"",
				       STR_ARGS(write->place.resource));
	if (numbers == NULL)
		numbers = arena_array(arena, count + 1, sizeof *numbers);
	copy_hasher_init(&put.hasher, arena, put.resource, &write->place, write->is_rough);
	take_records(&put, records, count);
	put.id_list = copy_ids(arena, put.ids, put.count);
	if (!arena_check(arena, err) || !try_all(&put, numbers, counts, err))
		return false;
	copy_count(copies, counts);
	return true;
}

/* --- partial lists --------------------------------------------------------------------------- */

bool copy_find_changed(struct copies *copies, struct arena *arena, const struct copy_place *place,
		       const bool *is_rough, const struct json *listed, size_t count,
		       bool *is_changed, int64_t *numbers, struct error *err)
{
	const struct model_resource *resource = model_find(copies->model, place->resource);
	struct str *ids = arena_array(arena, count + 1, sizeof *ids);
	struct copy_known *known = arena_array(arena, count + 1, sizeof *known);
	struct copy_hasher hasher;
	struct copy_row row;

	copy_hasher_init(&hasher, arena, resource, place, is_rough);
	for (size_t i = 0; i < count; i++)
		ids[i] = json_get_str(listed[i], "id");
	if (!copy_find_row(copies, arena, place, &row, err) ||
	    !copy_find_known(copies, arena, place, row.number, copy_ids(arena, ids, count), count,
			     known, err))
		return false;
	for (size_t i = 0; i < count; i++) {
		struct str hash = hash_listed(&hasher, listed[i]);

		if (numbers != NULL)
			numbers[i] = copy_own_number(known[i].number);
		is_changed[i] = known[i].number == 0 || known[i].deleted_ms != 0 ||
				known[i].is_partial || !str_equal(hash, known[i].list_hash);
		give_way(true, i);
	}
	return arena_check(arena, err);
}

/* --- known pages ----------------------------------------------------------------------------- */

bool copy_read_stand(struct copies *copies, struct arena *arena, const struct copy_place *place,
		     struct str ids, size_t count, struct str *stand, int64_t *numbers,
		     struct error *err)
{
	struct copy_known *known = arena_array(arena, count + 1, sizeof *known);
	struct copy_row row;

	if (!copy_find_row(copies, arena, place, &row, err) ||
	    !copy_find_known(copies, arena, place, row.number, ids, count, known, err))
		return false;
	for (size_t i = 0; i < count; i++)
		numbers[i] = copy_own_number(known[i].number);
	*stand = copy_stand(arena, known, count);
	return arena_check(arena, err);
}

void copy_note_unchanged(struct copies *copies, int64_t count)
{
	copy_count(copies, &(struct copy_counts){.unchanged = count});
}
