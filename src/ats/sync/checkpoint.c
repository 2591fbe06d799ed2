/* A run's place in the store: so that after a crash it goes on where it was. */
#include <stdlib.h>

#include "ats/sync/flight.h"

/* --- what was seen --------------------------------------------------------------------------- */

bool seen_has(const struct seen *seen, int64_t number)
{
	size_t byte = (size_t)(number / 8);

	return byte < seen->bytes && (seen->bits[byte] >> (number % 8) & 1) != 0;
}

static void grow(struct seen *seen, size_t chunks)
{
	size_t room = seen->chunks == 0 ? 1 : seen->chunks;

	while (room < chunks)
		room *= 2;
	seen->bits = realloc(seen->bits, room * SEEN_CHUNK_BYTES);
	seen->is_dirty = realloc(seen->is_dirty, room * sizeof *seen->is_dirty);
	if (seen->bits == NULL || seen->is_dirty == NULL)
		die("out of memory for what a sync run has seen");
	memset(seen->bits + seen->bytes, 0, room * SEEN_CHUNK_BYTES - seen->bytes);
	memset(seen->is_dirty + seen->chunks, 0, (room - seen->chunks) * sizeof *seen->is_dirty);
	seen->chunks = room;
	seen->bytes = room * SEEN_CHUNK_BYTES;
}

void seen_mark(struct seen *seen, int64_t number)
{
	size_t byte = (size_t)(number / 8), chunk = byte / SEEN_CHUNK_BYTES;

	if (chunk >= seen->chunks)
		grow(seen, chunk + 1);
	if (seen_has(seen, number))
		return;
	seen->bits[byte] |= (unsigned char)(1 << (number % 8));
	seen->is_dirty[chunk] = true;
}

bool seen_load(struct syncs *syncs, struct arena *arena, const struct sync_job *job,
	       struct seen *seen, struct error *err)
{
	const struct store_value values[] = {store_text(job->environment_id), store_text(job->id)};
	struct store_rows rows;

	if (!store_query(syncs->options.store, arena,
			 "SELECT chunk, bits FROM sync_seen WHERE environment_id = ?1"
			 " AND job_id = ?2 ORDER BY chunk",
			 values, 2, &rows, err))
		return false;
	for (size_t i = 0; i < rows.count; i++) {
		size_t chunk = (size_t)store_cell(&rows, i, 0)->integer;
		struct str bits = store_cell(&rows, i, 1)->bytes;

		if (bits.len != SEEN_CHUNK_BYTES)
			return error_set(err, ERROR_INTERNAL, "the row of a sync run is damaged");
		if (chunk >= seen->chunks)
			grow(seen, chunk + 1);
		memcpy(seen->bits + chunk * SEEN_CHUNK_BYTES, bits.data, bits.len);
	}
	return true;
}

void seen_finish(struct seen *seen)
{
	free(seen->bits);
	free(seen->is_dirty);
	*seen = (struct seen){0};
}

static struct store_statement keep_chunk(struct arena *arena, const struct sync_flight *flight,
					 size_t chunk)
{
	const char *bits = (const char *)flight->seen.bits + chunk * SEEN_CHUNK_BYTES;
	const struct store_value values[] = {
		store_text(flight->job.environment_id),
		store_text(flight->job.id),
		store_int((int64_t)chunk),
		store_blob(arena_str(arena, str_make(bits, SEEN_CHUNK_BYTES))),
	};

	return store_keep(arena,
			  "INSERT INTO sync_seen (environment_id, job_id, chunk, bits)"
			  " VALUES (?1, ?2, ?3, ?4) ON CONFLICT (environment_id, job_id, chunk)"
			  " DO UPDATE SET bits = excluded.bits",
			  values, 4, 1);
}

/* --- what was told of each field ------------------------------------------------------------- */

static bool tells(struct json value)
{
	switch (value.type) {
	case JSON_UNDEFINED:
	case JSON_NULL:
		return false;
	case JSON_ARRAY:
	case JSON_STRING:
		return value.count > 0;
	default:
		return true;
	}
}

/* Records have their fields in the same order, mostly: *at is where the last one was. */
static void count_share(struct arena *arena, struct shares *shares, size_t *at, struct str name,
			int64_t count)
{
	size_t k = 0;

	while (k < shares->count && !str_equal(shares->names[(*at + k) % shares->count], name))
		k++;
	if (k < shares->count) {
		*at = (*at + k) % shares->count;
	} else {
		if (shares->count == SHARES_MAX)
			return;
		*at = shares->count++;
		shares->names[*at] = arena_str(arena, name);
		shares->counts[*at] = 0;
	}
	shares->counts[*at] += count;
}

void shares_count(struct arena *arena, struct shares *shares, struct json record)
{
	size_t at = 0;

	for (size_t i = 0; i < record.count; i++)
		if (tells(record.members[i].value))
			count_share(arena, shares, &at, json_name(&record.members[i]), 1);
}

void shares_add(struct arena *arena, struct shares *shares, const struct shares *more)
{
	size_t at = 0;

	for (size_t i = 0; i < more->count; i++)
		count_share(arena, shares, &at, more->names[i], more->counts[i]);
}

struct str shares_print(struct arena *arena, const struct shares *shares)
{
	struct json_builder out;

	json_builder_init(&out, arena);
	for (size_t i = 0; i < shares->count; i++)
		json_builder_set(&out, shares->names[i], json_int(shares->counts[i]));
	return json_text(arena, json_builder_object(&out));
}

bool shares_read(struct arena *arena, struct str text, struct shares *shares)
{
	struct json value;
	struct error unused;

	*shares = (struct shares){0};
	if (text.len == 0)
		return true;
	if (!json_parse(arena, text, &json_limits_default, &value, &unused) ||
	    !json_is(value, JSON_OBJECT) || value.count > SHARES_MAX)
		return false;
	for (size_t i = 0; i < value.count; i++) {
		shares->names[i] = arena_str(arena, json_name(&value.members[i]));
		if (!json_to_int64(value.members[i].value, &shares->counts[i]))
			return false;
	}
	shares->count = value.count;
	return true;
}

/* --- where it is ----------------------------------------------------------------------------- */

static struct str print_whereabouts(struct arena *arena, const struct whereabouts *at)
{
	struct json_builder out;

	json_builder_init(&out, arena);
	json_builder_set(&out, STR("phase"), json_int(at->phase));
	json_builder_set(&out, STR("parent"), json_int(at->parent));
	json_builder_set(&out, STR("after"), json_int(at->after));
	json_builder_set(&out, STR("checked"), json_int(at->checked));
	json_builder_set(&out, STR("page"), json_int(at->page));
	json_builder_set(&out, STR("is_cut"), json_bool(at->is_cut));
	json_builder_set(&out, STR("cursor"), json_string(str_make(at->cursor, at->cursor_len)));
	return json_text(arena, json_builder_object(&out));
}

bool whereabouts_read(struct json value, struct whereabouts *at)
{
	struct str cursor = json_get_str(value, "cursor");
	int64_t phase;

	/* It had not come to its first page. */
	if (json_is(value, JSON_OBJECT) && value.count == 0)
		return true;
	if (!json_to_int64(json_get_c(value, "phase"), &phase) ||
	    !json_to_int64(json_get_c(value, "parent"), &at->parent) ||
	    !json_to_int64(json_get_c(value, "after"), &at->after) ||
	    !json_to_int64(json_get_c(value, "checked"), &at->checked) ||
	    cursor.len > SYNC_CURSOR_BYTES_MAX)
		return false;
	at->phase = (enum flight_phase)phase;
	if (!json_to_int64(json_get_c(value, "page"), &at->page))
		at->page = 0; /* kept by a program that did not count them */
	at->is_cut = json_get_c(value, "is_cut").boolean;
	at->cursor_len = cursor.len;
	if (cursor.len > 0)
		memcpy(at->cursor, cursor.data, cursor.len);
	return true;
}

/* --- the statements -------------------------------------------------------------------------- */

/* `is_early`: of a page that is not kept yet nothing is told. */
static struct store_statement keep_run(struct arena *arena, const struct sync_flight *flight,
				       bool is_early, int64_t records,
				       const struct copy_counts *counts)
{
	const struct sync_run *run = &flight->run;
	const struct whereabouts *at = is_early ? &flight->page_at : &flight->at;
	const struct shares *shares = is_early ? &flight->page_shares : &flight->shares;
	const struct store_value values[] = {
		store_text(run->job_id),
		store_int(run->number),
		store_int(run->fence),
		store_text(run->status),
		store_text(print_whereabouts(arena, at)),
		store_text(shares_print(arena, shares)),
		store_int(run->records + records),
		store_int(run->counts.created + counts->created),
		store_int(run->counts.updated + counts->updated),
		store_int(run->counts.deleted + counts->deleted),
		store_int(run->counts.unchanged + counts->unchanged + counts->stale),
		store_int(run->calls),
		store_int(run->retries),
		store_int(run->wait_ms),
		store_int(run->ended_ms),
		store_text(run->error),
		store_text(run->environment_id),
	};

	return store_keep(
		arena,
		"UPDATE sync_run SET status = ?4, place = ?5, shares = ?6, records = ?7,"
		" created = ?8, updated = ?9, deleted = ?10, unchanged = ?11, calls = ?12,"
		" retries = ?13, wait_ms = ?14, ended_ms = ?15, error = ?16"
		" WHERE environment_id = ?17 AND job_id = ?1 AND number = ?2 AND fence = ?3"
		" AND ended_ms = 0",
		values, sizeof values / sizeof *values, 1);
}

static struct store_statement *add_seen(struct sync_flight *flight, struct arena *arena,
					struct store_statement run, size_t *count)
{
	struct store_statement *all = arena_array(arena, flight->seen.chunks + 1, sizeof *all);

	*count = 0;
	all[(*count)++] = run;
	for (size_t i = 0; i < flight->seen.chunks; i++)
		if (flight->seen.is_dirty[i])
			all[(*count)++] = keep_chunk(arena, flight, i);
	return all;
}

void flight_statements(struct sync_flight *flight, struct arena *arena, int64_t records,
		       const struct copy_counts *counts, const struct store_statement **list,
		       size_t *count)
{
	*list = add_seen(flight, arena, keep_run(arena, flight, false, records, counts), count);
}

struct sync_guard flight_guard(const struct sync_flight *flight, struct arena *arena)
{
	const struct store_value values[] = {store_text(flight->job.id),
					     store_int(flight->run.fence),
					     store_text(flight->job.environment_id)};
	struct store_statement *guard = arena_alloc(arena, sizeof *guard);

	*guard = store_keep(arena,
			    "UPDATE sync_job SET fence = ?2 WHERE environment_id = ?3 AND id = ?1"
			    " AND fence = ?2",
			    values, 3, 1);
	return (struct sync_guard){guard, 1};
}

void flight_told(struct sync_flight *flight)
{
	if (flight->seen.chunks > 0)
		memset(flight->seen.is_dirty, 0,
		       flight->seen.chunks * sizeof *flight->seen.is_dirty);
	flight->told_ms = sync_now_ms(flight->syncs);
}

bool flight_checkpoint(struct sync_flight *flight, enum flight_end *end)
{
	const struct store_statement *statements;
	struct arena arena;
	size_t count;

	arena_init(&arena, SYNC_PAGE_BYTES_MAX);
	statements = add_seen(flight, &arena,
			      keep_run(&arena, flight, flight->is_keeping, 0,
				       &(struct copy_counts){0}),
			      &count);
	bool ok = store_write(flight->syncs->options.store, statements, count, &flight->err);
	arena_finish(&arena);
	if (ok)
		flight_told(flight);
	else
		*end = flight->err.code == ERROR_CONFLICT ? FLIGHT_GONE : FLIGHT_FAILED;
	return ok;
}
