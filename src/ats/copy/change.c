/* What is known of records, what has changed of them, and the statements that write it. */
#include "ats/copy/domain.h"
#include "ats/copy/parts.h"

#include <sodium.h>

/* --- what is known --------------------------------------------------------------------------- */

#define KNOWN                                                                                      \
	"SELECT j.key, r.number, r.version, r.read_ms, r.is_partial, r.missing_ms, r.deleted_ms,"  \
	" r.hash, r.list_hash FROM "

/* On SQLite of the index alone, which has no environment: that the copy is of it is seen once. On
 * PostgreSQL each id is looked for by itself: joined, all of a large copy is read where most are
 * small. */
static const char known_sql[] = STORE_TEXTS(
	KNOWN "copy c CROSS JOIN json_each(?1) j CROSS JOIN record r"
	      " WHERE c.number = ?2 AND c.environment_id = ?3 AND r.copy = c.number"
	      " AND r.id = j.value",
	KNOWN "json_each(?1) j CROSS JOIN LATERAL (SELECT * FROM record r WHERE r.copy = ?2"
	      " AND r.environment_id = ?3 AND r.id = j.value" COPY_SPAN("?2") " LIMIT 1) r");

struct str copy_ids(struct arena *arena, const struct str *ids, size_t count)
{
	struct json *texts = arena_array(arena, count + 1, sizeof *texts);

	for (size_t i = 0; i < count; i++)
		texts[i] = json_string(ids[i]);
	return json_text(arena, json_array(texts, count));
}

bool copy_find_known(struct copies *copies, struct arena *arena, const struct copy_place *place,
		     int64_t copy, struct str ids, size_t count, struct copy_known *known,
		     struct error *err)
{
	const struct store_value values[] = {store_text(ids), store_int(copy),
					     store_text(place->environment_id)};
	struct store_rows rows;

	memset(known, 0, count * sizeof *known);
	if (!store_query(copies->store, arena, known_sql, values, 3, &rows, err))
		return false;
	for (size_t i = 0; i < rows.count; i++)
		known[store_cell(&rows, i, 0)->integer] = (struct copy_known){
			.number = store_cell(&rows, i, 1)->integer,
			.version = store_cell(&rows, i, 2)->integer,
			.read_ms = store_cell(&rows, i, 3)->integer,
			.is_partial = store_cell(&rows, i, 4)->integer != 0,
			.missing_ms = store_cell(&rows, i, 5)->integer,
			.deleted_ms = store_cell(&rows, i, 6)->integer,
			.hash = store_cell(&rows, i, 7)->bytes,
			.list_hash = store_cell(&rows, i, 8)->bytes,
		};
	return arena_check(arena, err);
}

static void add_number(struct buffer *out, int64_t number)
{
	buffer_append(out, str_make((const char *)&number, sizeof number));
}

struct str copy_stand(struct arena *arena, const struct copy_known *known, size_t count)
{
	static const unsigned char key[crypto_shorthash_siphashx24_KEYBYTES];
	unsigned char *stand = arena_alloc(arena, crypto_shorthash_siphashx24_BYTES);
	struct buffer text;

	buffer_init(&text, arena, SIZE_MAX);
	for (size_t i = 0; i < count; i++) {
		const struct copy_known *one = &known[i];

		add_number(&text, one->number);
		add_number(&text, one->version);
		add_number(&text, one->read_ms);
		add_number(&text, one->is_partial);
		add_number(&text, one->missing_ms);
		add_number(&text, one->deleted_ms);
		add_number(&text, (int64_t)one->hash.len);
		buffer_append(&text, one->hash);
		add_number(&text, (int64_t)one->list_hash.len);
		buffer_append(&text, one->list_hash);
	}
	crypto_shorthash_siphashx24(stand, (const unsigned char *)text.data, text.len, key);
	return str_make((const char *)stand, crypto_shorthash_siphashx24_BYTES);
}

bool copy_find_bodies(struct copies *copies, struct arena *arena, struct str environment_id,
		      const int64_t *numbers, size_t count, struct json *bodies,
		      struct error *err)
{
	struct json *items = arena_array(arena, count + 1, sizeof *items);
	struct store_rows rows;

	for (size_t i = 0; i < count; i++) {
		items[i] = json_int(numbers[i]);
		bodies[i] = json_undefined();
	}
	const struct store_value values[] = {
		store_text(json_text(arena, json_array(items, count))),
		store_text(environment_id)};
	if (!store_query(copies->store, arena,
			 COPY_NUMBERED("j.key, r.body", "?2", ""), values, 2, &rows, err))
		return false;
	for (size_t i = 0; i < rows.count; i++)
		if (!json_parse(arena, store_cell(&rows, i, 1)->bytes, &json_limits_default,
				&bodies[store_cell(&rows, i, 0)->integer], err))
			return error_set(err, ERROR_INTERNAL, "the row of a record is damaged");
	return arena_check(arena, err);
}

/* --- records --------------------------------------------------------------------------------- */

void copy_hasher_init(struct copy_hasher *hasher, struct arena *arena,
		      const struct model_resource *resource, const struct copy_place *place,
		      const bool *is_rough)
{
	*hasher = (struct copy_hasher){
		.arena = arena, .resource = resource, .is_rough = is_rough};
	crypto_generichash(hasher->key, sizeof hasher->key,
			   (const unsigned char *)place->account_id.data, place->account_id.len,
			   NULL, 0);
	hasher->volatiles =
		arena_array(arena, resource->field_count + 1, sizeof(struct model_field *));
	for (size_t i = 0; i < resource->field_count; i++)
		if (resource->fields[i].is_volatile)
			hasher->volatiles[hasher->volatile_count++] = &resource->fields[i];
	buffer_init(&hasher->body, arena, SIZE_MAX);
}

static struct json keep(struct json record)
{
	/* It is the last member. */
	if (record.count > 0 &&
	    str_equal(json_name(&record.members[record.count - 1]), STR("remote_data")))
		record = json_object(record.members, record.count - 1);
	return record;
}

struct str copy_body(struct arena *arena, struct json record)
{
	return json_text(arena, keep(record));
}

/* Without what changes by itself. */
static struct json settle(const struct model_field *field, struct json value)
{
	ptrdiff_t query = field->is_volatile && json_is(value, JSON_STRING)
				  ? str_find_byte(json_str(value), '?')
				  : -1;

	return query < 0 ? value : json_string(str_slice(json_str(value), 0, (size_t)query));
}

/* Most records have nothing that does: their text is hashed as it is. */
static bool has_volatile(const struct copy_hasher *hasher, struct json record)
{
	for (size_t i = 0; i < hasher->volatile_count; i++) {
		const struct model_field *field = hasher->volatiles[i];
		struct json value = json_get_hashed(record, field->name, field->hash);

		if (json_is(value, JSON_STRING) && str_find_byte(json_str(value), '?') >= 0)
			return true;
	}
	return false;
}

static struct json settle_all(struct arena *arena, const struct model_resource *resource,
			      struct json record)
{
	struct json_builder out;

	json_builder_init(&out, arena);
	for (size_t i = 0; i < resource->field_count; i++) {
		const struct model_field *field = &resource->fields[i];

		json_builder_set(
			&out, field->name,
			settle(field, json_get_hashed(record, field->name, field->hash)));
	}
	return json_builder_object(&out);
}

static struct str hash_text(const struct copy_hasher *hasher, struct str text)
{
	unsigned char *hash = arena_alloc(hasher->arena, COPY_HASH_BYTES);

	crypto_shorthash_siphashx24(hash, (const unsigned char *)text.data, text.len, hasher->key);
	return str_make((const char *)hash, COPY_HASH_BYTES);
}

struct str copy_hash(struct copy_hasher *hasher, struct json record)
{
	struct arena *arena = hasher->arena;

	/* In the same place for each: most are not looked at again. */
	hasher->body.len = 0;
	json_print(&hasher->body, keep(record));
	if (has_volatile(hasher, record))
		return hash_text(hasher,
				 json_text(arena, settle_all(arena, hasher->resource, record)));
	return hash_text(hasher, buffer_str(&hasher->body));
}

/* Of rough fields alone. */
static struct json pick_rough(const struct copy_hasher *hasher, struct json record)
{
	struct json_builder out;

	json_builder_init(&out, hasher->arena);
	for (size_t i = 0; i < hasher->resource->field_count; i++) {
		const struct model_field *field = &hasher->resource->fields[i];

		if (hasher->is_rough[i])
			json_builder_set(&out, field->name,
					 settle(field, json_get_hashed(record, field->name,
								       field->hash)));
	}
	return json_builder_object(&out);
}

struct str copy_list_hash(struct copy_hasher *hasher, struct json record, struct str hash)
{
	char *bytes;

	if (hasher->is_rough == NULL)
		return hash;
	struct str rough =
		hash_text(hasher, json_text(hasher->arena, pick_rough(hasher, record)));
	bytes = arena_alloc(hasher->arena, COPY_HASH_BYTES + COPY_ROUGH_BYTES);
	memcpy(bytes, hash.data, COPY_HASH_BYTES);
	memcpy(bytes + COPY_HASH_BYTES, rough.data, COPY_ROUGH_BYTES);
	return str_make(bytes, COPY_HASH_BYTES + COPY_ROUGH_BYTES);
}

bool copy_is_as_rough(struct str list_hash, struct str before)
{
	return before.len <= COPY_HASH_BYTES || list_hash.len != before.len ||
	       memcmp(list_hash.data + COPY_HASH_BYTES, before.data + COPY_HASH_BYTES,
		      COPY_ROUGH_BYTES) == 0;
}

struct json copy_merge(struct arena *arena, const struct model_resource *resource,
		       struct json before, struct json partial, const bool *is_kept)
{
	struct json_builder out;

	json_builder_init(&out, arena);
	for (size_t i = 0; i < resource->field_count; i++) {
		const struct model_field *field = &resource->fields[i];
		struct json value = json_get_hashed(partial, field->name, field->hash);
		struct json known = json_get_hashed(before, field->name, field->hash);
		bool is_same = is_kept != NULL && is_kept[i] && !json_is(known, JSON_UNDEFINED);

		if (json_is(value, JSON_UNDEFINED) || is_same)
			value = known;
		json_builder_set(&out, field->name, value);
	}
	return json_builder_object(&out);
}

struct copy_differences copy_compare(struct arena *arena, const struct model_resource *resource,
				     struct json before, struct json after, bool was_partial,
				     const bool *is_better)
{
	struct json_builder changed, learned;

	json_builder_init(&changed, arena);
	json_builder_init(&learned, arena);
	for (size_t i = 0; i < resource->field_count; i++) {
		const struct model_field *field = &resource->fields[i];
		struct json was = json_get_hashed(before, field->name, field->hash);
		struct json is = json_get_hashed(after, field->name, field->hash);
		bool is_new = was_partial && (json_is(was, JSON_UNDEFINED) ||
					      (is_better != NULL && is_better[i]));

		if (!json_equal(settle(field, was), settle(field, is)))
			json_builder_add(is_new ? &learned : &changed, json_string(field->name));
	}
	return (struct copy_differences){json_builder_array(&changed),
					 json_builder_array(&learned)};
}

int64_t copy_moment(struct json record, const char *field)
{
	int64_t unix_ns;

	return clock_parse(json_get_str(record, field), &unix_ns) ? unix_ns / 1000000 : 0;
}

/* --- a write --------------------------------------------------------------------------------- */

void copy_batch_begin(struct copy_batch *batch, struct copies *copies, struct arena *arena,
		      const struct copy_write *write, const struct copy_row *row)
{
	*batch = (struct copy_batch){.copies = copies,
				     .arena = arena,
				     .write = write,
				     .now_ms = clock_unix_ms(copies->clock),
				     .row = *row};
}

static struct store_statement *add(struct copy_batch *batch)
{
	if (batch->count == batch->capacity) {
		size_t size = sizeof *batch->statements;
		size_t more = batch->capacity == 0 ? 64 : batch->capacity * 2;

		batch->statements = arena_grow(batch->arena, batch->statements,
					       batch->capacity * size, more * size);
		batch->capacity = more;
	}
	return &batch->statements[batch->count++];
}

static void add_all(struct copy_batch *batch, const struct store_statement *more, size_t count)
{
	for (size_t i = 0; i < count; i++)
		*add(batch) = more[i];
}

void copy_batch_add(struct copy_batch *batch, const char *sql, const struct store_value *values,
		    size_t count)
{
	*add(batch) = store_keep(batch->arena, sql, values, count, 1);
}

void copy_batch_add_text(struct copy_batch *batch, int64_t number)
{
	size_t count = batch->text_count, size = sizeof *batch->texts;

	/* Doubled whenever it is full. */
	if ((count & (count - 1)) == 0)
		batch->texts = arena_grow(batch->arena, batch->texts, count * size,
					  (count == 0 ? 1 : count * 2) * size);
	batch->texts[batch->text_count++] = number;
}

static void add_texts(struct copy_batch *batch)
{
	struct arena *arena = batch->arena;
	struct json *items = arena_array(arena, batch->text_count + 1, sizeof *items);

	for (size_t i = 0; i < batch->text_count; i++)
		items[i] = json_int(batch->texts[i]);
	const struct store_value values[] = {
		store_text(json_text(arena, json_array(items, batch->text_count))),
		store_text(batch->write->place.environment_id)};
	*add(batch) = store_keep(arena,
				 "INSERT INTO record_text_due (environment_id, number)"
				 " SELECT ?2, CAST(value AS BIGINT) FROM json_each(?1) WHERE true"
				 " ON CONFLICT (environment_id, number) DO NOTHING",
				 values, 2, -1);
}

static struct str make_payload(struct copy_batch *batch, const struct copy_change *change)
{
	struct json_builder out;

	json_builder_init(&out, batch->arena);
	json_builder_set(&out, STR("id"), json_string(change->id));
	json_builder_set(&out, STR("resource"), json_string(batch->write->place.resource));
	json_builder_set(&out, STR("changed"), change->differences.changed);
	if (change->differences.learned.count > 0)
		json_builder_set(&out, STR("learned"), change->differences.learned);
	json_builder_set(&out, STR("record"), change->after);
	return json_text(batch->arena, json_builder_object(&out));
}

void copy_batch_tell(struct copy_batch *batch, const struct copy_change *change)
{
	const struct copy_place *place = &batch->write->place;
	const struct model_resource *resource = model_find(batch->copies->model, place->resource);

	if (batch->write->is_silent)
		return;
	const struct event_new event = {
		.environment_id = place->environment_id,
		.account_id = place->account_id,
		.type = str_from_c(change->type),
		.resource = place->resource,
		.record_id = change->id,
		.version = change->version,
		.payload = make_payload(batch, change),
		.created_ms = batch->now_ms,
	};

	*add(batch) = event_statement(batch->arena, &event);
	if (change->is_deleted)
		return;
	struct store_statement *meant =
		arena_array(batch->arena, resource->event_count + 1, sizeof *meant);
	add_all(batch, meant,
		copy_domain_events(resource, batch->arena, change->before, change->after, &event,
				   meant));
}

/* Who gives numbers is the only one to do so, or fails. */
static void keep_row(struct copy_batch *batch)
{
	const struct copy_place *place = &batch->write->place;
	const struct store_value values[] = {
		store_int(batch->row.number),
		store_int(batch->alive),
		store_int(batch->given),
		store_int(batch->row.last_number),
		store_int(batch->updated_max_ms),
		store_text(place->environment_id),
		store_text(place->account_id),
		store_text(place->resource),
	};

	copy_batch_add(batch,
		       "UPDATE copy SET record_count = record_count + ?2,"
		       " last_number = last_number + ?3, updated_max_ms = max(updated_max_ms, ?5)"
		       " WHERE environment_id = ?6 AND account_id = ?7 AND resource = ?8"
		       " AND number = ?1 AND (?3 = 0 OR last_number = ?4)",
		       values, 8);
}

bool copy_batch_commit(struct copy_batch *batch, const struct copy_told *told, struct error *err)
{
	const struct copy_write *write = batch->write;
	struct copy_companion *companion = write->companion;
	const struct store_statement *more = NULL;
	size_t more_count = 0;

	if (batch->alive != 0 || batch->given > 0 || batch->updated_max_ms > 0)
		keep_row(batch);
	if (batch->text_count > 0)
		add_texts(batch);
	add_all(batch, write->more, write->more_count);
	if (companion != NULL &&
	    !companion->tell(companion, batch->arena, told, &more, &more_count, err))
		return false;
	add_all(batch, more, more_count);
	if (!arena_check(batch->arena, err))
		return false;
	return batch->count == 0 ||
	       store_write(batch->copies->store, batch->statements, batch->count, err);
}
