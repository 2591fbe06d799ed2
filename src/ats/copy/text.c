/* The words of records, in an index that lags behind the copy: taking them in costs more than
 * writing the records, and not everybody searches. */
#include "ats/copy/parts.h"

enum {
	BATCH = 200,
	BATCH_BYTES_MAX = 256 * 1024 * 1024,
	MERGE_STEPS_MAX = 20000,
	PARTS_BYTES_MAX = 1024 * 1024,
};

/* --- the words of a record ------------------------------------------------------------------- */

static bool is_text(const struct model_field *field)
{
	return field->type == MODEL_TEXT && !str_equal(field->name, STR("id")) &&
	       !field->is_volatile;
}

static void add_text(struct buffer *out, struct json value)
{
	if (!json_is(value, JSON_STRING) || value.count == 0)
		return;
	buffer_append(out, json_str(value));
	buffer_append_byte(out, '\n');
}

/* Of whatever an ATS's own field holds. */
static void add_any(struct buffer *out, struct json value)
{
	add_text(out, value);
	for (size_t i = 0; json_is(value, JSON_ARRAY) && i < value.count; i++)
		add_any(out, json_at(value, i));
	for (size_t i = 0; json_is(value, JSON_OBJECT) && i < value.count; i++)
		add_any(out, value.members[i].value);
}

static void add_fields(struct buffer *out, const struct model_field *fields, size_t count,
		       struct json object);

static void add_field(struct buffer *out, const struct model_field *field, struct json value)
{
	if (field->is_list && json_is(value, JSON_ARRAY)) {
		for (size_t i = 0; i < value.count; i++) {
			struct model_field one = *field;

			one.is_list = false;
			add_field(out, &one, json_at(value, i));
		}
	} else if (is_text(field)) {
		add_text(out, value);
	} else if (field->type == MODEL_OBJECT) {
		add_fields(out, field->fields, field->field_count, value);
	} else if (field->type == MODEL_ANY) {
		add_any(out, value);
	}
}

static void add_fields(struct buffer *out, const struct model_field *fields, size_t count,
		       struct json object)
{
	for (size_t i = 0; i < count; i++)
		add_field(out, &fields[i], json_get_hashed(object, fields[i].name, fields[i].hash));
}

/* --- taking them in -------------------------------------------------------------------------- */

#define AS_READ " FROM record WHERE environment_id = ?1 AND number = ?2 AND body = ?3"

static void add_statements(struct arena *arena, const struct model_resource *resource,
			   struct str environment_id, const struct store_rows *rows, size_t row,
			   struct store_statement *statements)
{
	struct store_value *values = arena_array(arena, 4, sizeof *values);
	struct json record;
	struct error ignored;
	struct buffer words;

	buffer_init(&words, arena, SIZE_MAX);
	if (json_parse(arena, store_cell(rows, row, 1)->bytes, &json_limits_default, &record,
		       &ignored))
		add_fields(&words, resource->fields, resource->field_count, record);
	values[0] = store_text(environment_id);
	values[1] = *store_cell(rows, row, 0);
	values[2] = *store_cell(rows, row, 1);
	values[3] = store_text(buffer_str(&words));
	statements[0] = (struct store_statement){COPY_DROP_WORDS, values, 2, -1};
	/* What was written since it was read, by an erasure maybe, is still due, and no old word of
	 * it is taken in. (An erasure leaves the hash as it is.) */
	statements[1] = (struct store_statement){
		STORE_TEXTS("INSERT INTO record_text (rowid, words) SELECT number, ?4" AS_READ,
			    "INSERT INTO record_text (environment_id, rowid, words)"
			    " SELECT environment_id, number, CAST(?4 AS TEXT)" AS_READ),
		values, 4, -1};
	statements[2] = (struct store_statement){
		"DELETE FROM record_text_due WHERE environment_id = ?1 AND number = ?2"
		" AND EXISTS (SELECT 1" AS_READ ")",
		values, 3, -1};
}

static bool take_some(struct copies *copies, struct arena *arena, struct str environment_id,
		      int64_t copy, const struct model_resource *resource, int64_t limit,
		      bool *is_end, struct error *err)
{
	const struct store_value values[] = {store_int(copy_number(copy, 0)),
					     store_int(copy_number(copy + 1, 0)), store_int(limit),
					     store_text(environment_id)};
	struct store_rows rows;

	if (!store_query(copies->store, arena,
			 "SELECT r.number, r.body FROM record_text_due d JOIN record r"
			 " ON r.environment_id = ?4 AND r.number = d.number"
			 " WHERE d.environment_id = ?4 AND d.number > ?1 AND d.number < ?2"
			 " ORDER BY d.number LIMIT ?3",
			 values, 4, &rows, err))
		return false;
	*is_end = rows.count < (size_t)limit;
	if (rows.count == 0)
		return true;
	struct store_statement *statements = arena_array(arena, rows.count * 3, sizeof *statements);
	for (size_t i = 0; i < rows.count; i++)
		add_statements(arena, resource, environment_id, &rows, i, &statements[i * 3]);
	return store_write(copies->store, statements, rows.count * 3, err);
}

/* --- taking them out ------------------------------------------------------------------------- */

/* Which parts the index has, and how far their merging is. */
static bool read_parts(struct store *store, struct arena *arena, struct str *parts,
		       struct error *err)
{
	struct store_rows rows;

	if (!store_query(store, arena,
			 STORE_TEXTS("SELECT block FROM record_text_data WHERE id = 10", "SELECT 1"),
			 NULL, 0, &rows, err))
		return false;
	*parts = rows.count == 0 ? STR("") : store_cell(&rows, 0, 0)->bytes;
	return true;
}

static bool merge_some(struct store *store, const char *sql, bool *is_end, struct error *err)
{
	const struct store_statement step = {.sql = sql, .changes_expected = -1};
	struct str before, after;
	struct arena arena;

	arena_init(&arena, PARTS_BYTES_MAX);
	bool ok = read_parts(store, &arena, &before, err) && store_write(store, &step, 1, err) &&
		  read_parts(store, &arena, &after, err);
	*is_end = ok && str_equal(before, after);
	arena_finish(&arena);
	return ok;
}

/* PostgreSQL's index has no parts. */
#define MERGE(sqlite) STORE_TEXTS(sqlite, "SELECT 1")

bool copy_merge_texts(struct store *store, struct error *err)
{
	/* All parts that there are now become one, some pages at a time: all at once keeps other
	 * writers waiting for seconds. What comes meanwhile does not have it begun anew. */
	static const char begin[] = MERGE("INSERT INTO record_text (record_text, rank)"
					  " VALUES ('merge', -32)");
	static const char go_on[] = MERGE("INSERT INTO record_text (record_text, rank)"
					  " VALUES ('merge', 32)");
	static const char finish[] =
		MERGE("INSERT INTO record_text (record_text) VALUES ('optimize')");
	bool is_end, ok = merge_some(store, begin, &is_end, err);

	for (int i = 0; ok && !is_end && i < MERGE_STEPS_MAX; i++)
		ok = merge_some(store, go_on, &is_end, err);
	return ok && (is_end || merge_some(store, finish, &is_end, err));
}

#define OF_NOBODY                                                                                  \
	" FROM record_text_due d WHERE NOT EXISTS (SELECT 1 FROM record r"                         \
	" WHERE r.environment_id = d.environment_id AND r.number = d.number)"

bool copies_forget_texts(struct copies *copies, struct error *err)
{
	static const struct store_statement statements[] = {
		{STORE_TEXTS("DELETE FROM record_text WHERE rowid IN (SELECT number" OF_NOBODY ")",
			     "DELETE FROM record_text WHERE (environment_id, rowid) IN"
			     " (SELECT environment_id, number" OF_NOBODY ")"),
		 NULL, 0, -1, false},
		{"DELETE FROM record_text_due WHERE NOT EXISTS (SELECT 1 FROM record r"
		 " WHERE r.environment_id = record_text_due.environment_id"
		 " AND r.number = record_text_due.number)",
		 NULL, 0, -1, false},
	};

	/* Of one environment alone the others' records would be missing, too. Until they are merged
	 * the index has the words still; no record is found by them. */
	return store_write_all(copies->store, statements,
			       sizeof statements / sizeof *statements, err) &&
	       copy_merge_texts(copies->store, err);
}

static bool try_to_take(struct copies *copies, const struct copy_place *place, int64_t limit,
			bool *is_end, struct error *err)
{
	const struct model_resource *resource = model_find(copies->model, place->resource);
	struct copy_row row;
	struct arena arena;

	*is_end = true;
	if (resource == NULL)
		return true;
	arena_init(&arena, BATCH_BYTES_MAX);
	bool ok = copy_find_row(copies, &arena, place, &row, err) &&
		  take_some(copies, &arena, place->environment_id, row.number, resource, limit,
			    is_end, err);
	arena_finish(&arena);
	return ok;
}

/* Of several nodes that take in the same words one is first; what is left is looked for again. */
bool copy_take_some_texts(struct copies *copies, const struct copy_place *place, int64_t limit,
			  bool *is_end, struct error *err)
{
	bool ok = try_to_take(copies, place, limit, is_end, err);

	for (int i = 1; !ok && err->code == ERROR_CONFLICT && i < COPY_TRIES_MAX; i++)
		ok = try_to_take(copies, place, limit, is_end, err);
	return ok;
}

bool copy_take_texts(struct copies *copies, const struct copy_place *place, int64_t deadline_ns,
		     struct error *err)
{
	bool ok = true, is_end = false;

	while (ok && !is_end) {
		if (clock_monotonic_ns(copies->clock) > deadline_ns)
			return error_set(err, ERROR_TIMEOUT,
					 "the words of the records are still being taken in");
		ok = copy_take_some_texts(copies, place, BATCH, &is_end, err);
	}
	return ok;
}

/* --- searching ------------------------------------------------------------------------------- */

/* Each word as a text of its own, so that none of its signs means anything; one that ends in a
 * star stands for all that begin so. */
struct str copy_text_query(struct arena *arena, struct str words)
{
	struct buffer out;

	buffer_init(&out, arena, SIZE_MAX);
	while (words.len > 0) {
		struct str word = str_trim(str_cut(&words, ' '));
		bool is_open = str_ends_with(word, STR("*"));

		if (is_open)
			word.len--;
		if (word.len == 0)
			continue;
		buffer_append_c(&out, out.len == 0 ? "\"" : " \"");
		for (size_t i = 0; i < word.len; i++)
			if (word.data[i] == '"')
				buffer_append_c(&out, "\"\"");
			else if (word.data[i] != '\0')
				buffer_append_byte(&out, word.data[i]);
		buffer_append_c(&out, is_open ? "\"*" : "\"");
	}
	return out.len == 0 ? (struct str){NULL, 0} : buffer_str(&out);
}
