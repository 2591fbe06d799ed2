/* Where texts of records lie: each table is walked some rows at a time, and what tells of the
 * person is replaced. All SQL about other rooms' tables is here, in one list. */
#include "ats/erasure/parts.h"

enum {
	ROWS_AT_ONCE = 100,
	BATCH_BYTES_MAX = 256 * 1024 * 1024,
};

/* Some rows, and what is to be written of them. */
struct batch {
	struct person *person;
	const struct erasure *erasure;
	struct erasure_counts *counts;
	bool is_changed;
	bool is_search; /* nothing is written yet */
	struct arena arena; /* of these rows */
	struct store_rows rows;
	struct store_statement statements[ROWS_AT_ONCE * 5];
	size_t count;
	int64_t touched; /* rows */
};

static struct store *store_of(const struct batch *batch)
{
	return batch->person->erasures->options.store;
}

static void write_more(struct batch *batch, const char *sql, const struct store_value *values,
		       size_t count)
{
	batch->statements[batch->count++] = store_keep(&batch->arena, sql, values, count, 1);
}

/* A row that somebody has changed meanwhile undoes the batch: the next pass finds it again. */
static bool commit(struct batch *batch, int64_t *sum, struct error *err)
{
	if (batch->count == 0)
		return true;
	batch->is_changed = true;
	if (store_write(store_of(batch), batch->statements, batch->count, err)) {
		*sum += batch->touched;
		return true;
	}
	return err->code == ERROR_CONFLICT;
}

static void begin(struct batch *batch)
{
	arena_init(&batch->arena, BATCH_BYTES_MAX);
	batch->count = 0;
	batch->touched = 0;
}

/* Others have their turn between two batches. */
static void end(struct batch *batch)
{
	arena_finish(&batch->arena);
	loop_sleep_ms(0);
}

/* --- records ---------------------------------------------------------------------------------- */

struct record_row {
	int64_t number;
	struct str id;
	struct str body;
	bool is_alive;
	int64_t version;
	struct str resource;
	int64_t copy;
};

static struct str payload_of(struct arena *arena, struct str resource, struct str id)
{
	struct json_builder out;

	json_builder_init(&out, arena);
	json_builder_set(&out, STR("id"), json_string(id));
	json_builder_set(&out, STR("resource"), json_string(resource));
	json_builder_set(&out, STR("changed"), json_array(NULL, 0));
	json_builder_set(&out, STR("record"), json_null());
	return json_text(arena, json_builder_object(&out));
}

static void tell_deleted(struct batch *batch, const struct record_row *row)
{
	const struct event_new event = {
		.environment_id = batch->person->environment_id,
		.account_id = batch->person->account_id,
		.type = STR("record:deleted"),
		.resource = row->resource,
		.record_id = row->id,
		.version = row->version + 1,
		.payload = payload_of(&batch->arena, row->resource, row->id),
		.created_ms = batch->erasure->created_ms,
	};
	const struct store_value copy[] = {store_text(event.environment_id),
					   store_text(event.account_id), store_text(event.resource),
					   store_int(row->copy)};

	batch->statements[batch->count++] = event_statement(&batch->arena, &event);
	write_more(batch,
		   "UPDATE copy SET record_count = record_count - 1 WHERE environment_id = ?1"
		   " AND account_id = ?2 AND resource = ?3 AND number = ?4",
		   copy, 4);
}

/* The words by which it is found; those that are left are taken anew. */
static void drop_words(struct batch *batch, int64_t number)
{
	const struct store_value values[] = {store_text(batch->person->environment_id),
					     store_int(number)};

	write_more(batch, COPY_DROP_WORDS, values, 2);
	batch->statements[batch->count - 1].changes_expected = -1;
	write_more(batch,
		   "INSERT INTO record_text_due (environment_id, number) VALUES (?1, ?2)"
		   " ON CONFLICT (environment_id, number) DO NOTHING",
		   values, 2);
	batch->statements[batch->count - 1].changes_expected = -1;
}

/* A tombstone with nothing but the id. */
static void blank_record(struct batch *batch, const struct record_row *row)
{
	const struct json_member id = json_member(STR("id"), json_string(row->id));
	struct str body = json_text(&batch->arena, json_object(&id, 1));
	const struct store_value values[] = {store_int(row->number), store_text(body),
					     store_int(batch->erasure->created_ms),
					     store_int(row->version),
					     store_text(batch->person->environment_id)};

	if (!row->is_alive && str_equal(body, row->body))
		return;
	write_more(batch,
		   "UPDATE record SET body = ?2, candidate = '', hash = x'', list_hash = x'', missing_ms = 0,"
		   " changed_ms = ?3, version = version + iif(deleted_ms = 0, 1, 0),"
		   " deleted_ms = iif(deleted_ms = 0, ?3, deleted_ms) WHERE environment_id = ?5"
		   " AND number = ?1 AND version = ?4",
		   values, 5);
	drop_words(batch, row->number);
	if (row->is_alive)
		tell_deleted(batch, row);
	batch->touched++;
}

static void change_record(struct batch *batch, const struct record_row *row, struct json left,
			  int64_t *changed)
{
	const struct store_value values[] = {store_int(row->number),
					     store_text(json_text(&batch->arena, left)),
					     store_int(row->version),
					     store_text(batch->person->environment_id)};

	/* Its hash stays: as long as the ATS tells the same, nothing is written over this. */
	write_more(batch,
		   "UPDATE record SET body = ?2 WHERE environment_id = ?4 AND number = ?1"
		   " AND version = ?3",
		   values, 4);
	drop_words(batch, row->number);
	++*changed;
}

static bool look_at_record(struct batch *batch, const struct record_row *row, int64_t *changed,
			   struct error *err)
{
	struct person *person = batch->person;
	struct json record;
	bool is_told = false;

	if (!json_parse(&batch->arena, row->body, &json_limits_default, &record, err))
		return error_set(err, ERROR_INTERNAL, "the row of a record is damaged");
	if (person_owns(person, row->resource, row->id, record)) {
		if (str_equal(row->resource, STR("candidates")))
			person_learn(person, record);
		/* What refers to it may stand before it. */
		if (person_add_record(person, row->resource, row->id))
			batch->is_changed = true;
		if (!batch->is_search)
			blank_record(batch, row);
		return true;
	}
	if (batch->is_search)
		return true;
	struct json left = person_redact(person, &batch->arena, record, &is_told);
	if (is_told)
		change_record(batch, row, left, changed);
	return true;
}

static bool walk_records(struct batch *batch, int64_t copy, struct str resource, int64_t *after,
			 struct error *err)
{
	const struct store_value values[] = {store_int(*after), store_int((copy + 1) << 32),
					     store_text(batch->person->environment_id)};
	int64_t changed = 0;

	if (!store_query(store_of(batch), &batch->arena,
			 "SELECT number, id, body, deleted_ms, version FROM record"
			 " WHERE environment_id = ?3 AND number > ?1 AND number < ?2"
			 " ORDER BY number LIMIT 100",
			 values, 3, &batch->rows, err))
		return false;
	for (size_t i = 0; i < batch->rows.count; i++) {
		const struct record_row row = {
			.number = store_cell(&batch->rows, i, 0)->integer,
			.id = store_cell(&batch->rows, i, 1)->bytes,
			.body = store_cell(&batch->rows, i, 2)->bytes,
			.is_alive = store_cell(&batch->rows, i, 3)->integer == 0,
			.version = store_cell(&batch->rows, i, 4)->integer,
			.resource = resource,
			.copy = copy,
		};

		if (!look_at_record(batch, &row, &changed, err))
			return false;
		*after = row.number;
	}
	if (batch->is_search)
		return true;
	batch->counts->records_changed += changed;
	return commit(batch, &batch->counts->records, err);
}

static bool walk_copy(struct batch *batch, int64_t copy, struct str resource, struct error *err)
{
	int64_t after = copy << 32;
	bool ok = true;

	do {
		begin(batch);
		ok = walk_records(batch, copy, resource, &after, err);
		end(batch);
	} while (ok && batch->rows.count == ROWS_AT_ONCE);
	return ok;
}

static bool find_copies(struct batch *batch, struct store_rows *copies, struct error *err)
{
	const struct store_value values[] = {store_text(batch->person->environment_id),
					     store_text(batch->person->account_id)};

	return store_query(store_of(batch), batch->person->arena,
			   "SELECT number, resource FROM copy WHERE environment_id = ?1"
			   " AND account_id = ?2 ORDER BY resource = 'candidates', resource",
			   values, 2, copies, err);
}

/* The candidate's own record goes last: as long as it is there, an erasure that was broken off can
 * be said again and knows what to look for. */
static bool walk_copies(struct batch *batch, struct error *err)
{
	struct store_rows copies;

	if (!find_copies(batch, &copies, err))
		return false;
	for (size_t i = 0; i < copies.count; i++)
		if (!walk_copy(batch, store_cell(&copies, i, 0)->integer,
			       store_cell(&copies, i, 1)->bytes, err))
			return false;
	return true;
}

/* --- texts of other tables -------------------------------------------------------------------- */

/* Rows of an account, each with a JSON text (or any other) that may tell of the person. */
struct text_table {
	/* SELECT key, text, resource, record_id … WHERE environment_id = ?1 AND account_id = ?2
	 * AND key > ?3 ORDER BY key LIMIT 100 */
	const char *walk;
	/* UPDATE … SET text = ?3 WHERE environment_id = ?1 AND account_id = ?2 AND key = ?4 */
	const char *replace;
	struct store_value first; /* before all keys */
	size_t counted;		  /* where in struct erasure_counts */
	bool is_whole;		  /* one that tells of the person is emptied, not changed */
};

static const struct text_table tables[] = {
	{"SELECT number, payload, resource, record_id FROM event WHERE environment_id = ?1"
	 " AND account_id = ?2 AND number > ?3 ORDER BY number LIMIT 100",
	 "UPDATE event SET payload = ?3 WHERE environment_id = ?1 AND account_id = ?2"
	 " AND number = ?4",
	 {.type = STORE_INT}, offsetof(struct erasure_counts, events), false},
	{"SELECT digest, body, '', '' FROM inbound_delivery WHERE environment_id = ?1"
	 " AND account_id = ?2 AND digest > ?3 ORDER BY digest LIMIT 100",
	 "UPDATE inbound_delivery SET body = ?3 WHERE environment_id = ?1 AND account_id = ?2"
	 " AND digest = ?4",
	 {.type = STORE_BLOB, .bytes = STR_INIT("")},
	 offsetof(struct erasure_counts, inbound_deliveries), true},
};

/* What is to stand there; false: nothing else than before. */
static bool replace_text(struct batch *batch, const struct text_table *table, struct str text,
			 struct str resource, struct str record_id, struct str *out)
{
	struct person *person = batch->person;
	struct arena *arena = &batch->arena;
	struct json value;
	struct error ignored;
	bool is_told = false;

	if (resource.len > 0 && person_has_record(person, resource, record_id)) {
		*out = payload_of(arena, resource, record_id);
		return !str_equal(*out, text);
	}
	*out = STR("{}");
	if (!json_parse(arena, text, &json_limits_default, &value, &ignored))
		return person_is_told(person, text);
	struct json left = person_redact(person, arena, value, &is_told);
	/* An ATS's own words have ids as it likes, and names beside them. */
	if (table->is_whole)
		is_told |= person_is_told(person, json_text(arena, value));
	if (is_told && !table->is_whole)
		*out = json_text(arena, left);
	return is_told;
}

static bool walk_texts(struct batch *batch, const struct text_table *table,
		       struct store_value *after, struct error *err)
{
	const struct store_value values[] = {store_text(batch->person->environment_id),
					     store_text(batch->person->account_id), *after};
	struct str text;

	if (!store_query(store_of(batch), &batch->arena, table->walk, values, 3, &batch->rows, err))
		return false;
	for (size_t i = 0; i < batch->rows.count; i++) {
		const struct store_value *key = store_cell(&batch->rows, i, 0);
		const struct store_value *old = store_cell(&batch->rows, i, 1);

		if (!replace_text(batch, table, old->bytes, store_cell(&batch->rows, i, 2)->bytes,
				  store_cell(&batch->rows, i, 3)->bytes, &text))
			continue;
		const struct store_value change[] = {
			values[0], values[1],
			{.type = old->type, .bytes = text}, *key};
		write_more(batch, table->replace, change, 4);
		batch->touched++;
	}
	if (batch->rows.count > 0) {
		*after = *store_cell(&batch->rows, batch->rows.count - 1, 0);
		after->bytes = arena_str(batch->person->arena, after->bytes);
	}
	int64_t *sum = (int64_t *)(void *)((char *)batch->counts + table->counted);
	return commit(batch, sum, err);
}

static bool walk_table(struct batch *batch, const struct text_table *table, struct error *err)
{
	struct store_value after = table->first;
	bool ok = true;

	do {
		begin(batch);
		ok = walk_texts(batch, table, &after, err);
		end(batch);
	} while (ok && batch->rows.count == ROWS_AT_ONCE);
	return ok;
}

/* --- what receivers of webhooks have said ---------------------------------------------------- */

static bool count_replies(struct batch *batch, const struct store_value values[3], int64_t *count,
			  struct error *err)
{
	struct store_rows rows;

	if (!store_query(store_of(batch), &batch->arena,
			 "SELECT count(*) FROM webhook_delivery WHERE environment_id = ?1 AND"
			 " account_id = ?2 AND reply <> '' AND instr(lower(reply), lower(?3)) > 0",
			 values, 3, &rows, err))
		return false;
	*count = store_cell(&rows, 0, 0)->integer;
	return true;
}

static bool erase_replies(struct batch *batch, struct str needle, struct error *err)
{
	const struct store_value values[] = {store_text(batch->person->environment_id),
					     store_text(batch->person->account_id),
					     store_text(needle)};
	const struct store_statement statement = {
		.sql = "UPDATE webhook_delivery SET reply = '' WHERE environment_id = ?1 AND"
		       " account_id = ?2 AND reply <> '' AND instr(lower(reply), lower(?3)) > 0",
		.parameters = values,
		.parameter_count = 3,
		.changes_expected = -1,
	};
	int64_t count = 0;

	if (!count_replies(batch, values, &count, err))
		return false;
	batch->counts->webhook_deliveries += count;
	batch->is_changed |= count > 0;
	return count == 0 || store_write(store_of(batch), &statement, 1, err);
}

/* They are short, and cut: no JSON. */
static bool erase_all_replies(struct batch *batch, struct error *err)
{
	bool ok = true;

	begin(batch);
	for (size_t i = 0; ok && i < batch->person->needle_count; i++)
		ok = erase_replies(batch, batch->person->needles[i], err);
	end(batch);
	return ok;
}

/* --- which tables there are ------------------------------------------------------------------- */

const struct erasure_table erasure_tables[] = {
	{"account", false}, /* its ids and names are the customer's own */
	{"account_override", false},
	{"account_token", false},
	{"api_key", false},
	{"audit_head", false},
	{"call_log", false}, /* names of resources, no ids */
	{"copy", false},
	{"credential", false},
	{"credential_lease", false},
	{"data_key", false},
	{"duty", false},
	{"environment", false},
	{"environment_override", false},
	{"erased_record", false}, /* digests with a key */
	{"erasure", false},
	{"event", true},
	{"idempotency", true}, /* by idempotency_erase() */
	{"idempotency_call", true},
	{"inbound_delivery", true},
	{"inbound_endpoint", false},
	{"inbound_secret", false},
	{"link_session", false},
	{"link_token", false}, /* what is said of the customer */
	{"mcp_server", false},
	{"node", false},
	{"oauth_app", false},
	{"oauth_state", false},
	{"rate_account", false},
	{"rate_ended", false},
	{"rate_node", false},
	{"record", true},
	{"record_text", true},
	{"record_text_due", false},
	{"sync_hint", false}, /* ids, for minutes */
	{"sync_job", false},
	{"sync_page", false}, /* ids, until the list does not have them any more */
	{"sync_run", false},
	{"sync_seen", false},
	{"webhook", false},
	{"webhook_delivery", true},
	{"webhook_secret", false},
};
const size_t erasure_table_count = sizeof erasure_tables / sizeof erasure_tables[0];

/* --- all of it -------------------------------------------------------------------------------- */

static bool tells(void *context, struct arena *arena, struct str text)
{
	struct person *person = context;
	struct json value;
	struct error ignored;
	bool is_told = false;

	if (!json_parse(arena, text, &json_limits_default, &value, &ignored))
		return person_is_told(person, text);
	for (size_t i = 0; i < person->id_count; i++)
		if (str_equal(json_get_str(value, "id"), person->ids[i]))
			return true;
	(void)person_redact(person, arena, value, &is_told);
	return is_told || person_is_told(person, json_text(arena, value));
}

static struct batch *make_batch(struct person *person, const struct erasure *erasure,
				struct erasure_counts *counts)
{
	struct batch *batch = arena_zero(person->arena, sizeof *batch);

	batch->person = person;
	batch->erasure = erasure;
	batch->counts = counts;
	return batch;
}

bool erasure_search(struct person *person, bool *is_changed, struct error *err)
{
	struct batch *batch = make_batch(person, NULL, NULL);

	batch->is_search = true;
	bool ok = walk_copies(batch, err);
	*is_changed = batch->is_changed;
	return ok;
}

bool erasure_pass(struct person *person, const struct erasure *erasure,
		  struct erasure_counts *counts, bool *is_changed, struct error *err)
{
	struct batch *batch = make_batch(person, erasure, counts);
	int64_t replies = 0;
	bool ok = true;

	for (size_t i = 0; ok && i < sizeof tables / sizeof tables[0]; i++)
		ok = walk_table(batch, &tables[i], err);
	ok = ok && erase_all_replies(batch, err) &&
	     idempotency_erase(person->erasures->options.idempotency, person->environment_id,
			       person->account_id, tells, person, &replies, err) &&
	     walk_copies(batch, err);
	counts->replies += replies;
	*is_changed = batch->is_changed || replies > 0;
	return ok;
}

/* The full-text index only marks what was deleted, until its parts are merged. */
bool erasure_tidy(struct erasures *erasures, struct error *err)
{
	return copy_merge_texts(erasures->options.store, err);
}

/* --- by address ------------------------------------------------------------------------------- */

static bool has_address(struct arena *arena, struct str body, struct str email)
{
	struct json record, emails;
	struct error ignored;

	if (!json_parse(arena, body, &json_limits_default, &record, &ignored))
		return false;
	emails = json_get_c(record, "emails");
	for (size_t i = 0; json_is(emails, JSON_ARRAY) && i < emails.count; i++)
		if (str_equal_nocase(json_get_str(json_at(emails, i), "email"), email))
			return true;
	return false;
}

/* In SQL: the number of the copy that they are in. */
#define CANDIDATES                                                                                 \
	"(SELECT number FROM copy WHERE environment_id = ?1 AND account_id = ?2"                   \
	" AND resource = 'candidates')"

bool erasure_find_email(struct person *person, struct str email, struct error *err)
{
	struct store *store = person->erasures->options.store;
	struct store_value values[] = {store_text(person->environment_id),
				       store_text(person->account_id), store_int(0)};
	struct store_rows rows;
	struct arena arena;
	bool ok = true;

	do {
		arena_init(&arena, BATCH_BYTES_MAX);
		ok = store_query(store, &arena,
				 "SELECT number, id, body FROM record WHERE environment_id = ?1"
				 " AND number > max(?3, " CANDIDATES " << 32)"
				 " AND number < (" CANDIDATES " + 1) << 32"
				 " ORDER BY number LIMIT 100",
				 values, 3, &rows, err);
		for (size_t i = 0; ok && i < rows.count; i++) {
			if (has_address(&arena, store_cell(&rows, i, 2)->bytes, email))
				person_add_record(person, STR("candidates"),
						  store_cell(&rows, i, 1)->bytes);
			values[2] = *store_cell(&rows, i, 0);
		}
		arena_finish(&arena);
		loop_sleep_ms(0);
	} while (ok && rows.count == ROWS_AT_ONCE);
	return ok;
}
