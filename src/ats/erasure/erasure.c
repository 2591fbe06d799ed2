#include "ats/erasure/parts.h"

#include <stdlib.h>

enum { PASSES_MAX = 20, SEARCH_BYTES_MAX = 256 * 1024 * 1024, DIGESTS_AT_ONCE = 100 };

struct erasures *erasures_create(const struct erasures_options *options, struct error *err)
{
	struct erasures *erasures = calloc(1, sizeof *erasures);

	if (erasures == NULL)
		die("no memory");
	erasures->options = *options;
	arena_init(&erasures->arena, 1024 * 1024);
	pthread_rwlock_init(&erasures->lock, NULL);
	erasure_links_init(erasures);
	if (erasures_load(erasures, err))
		return erasures;
	erasures_destroy(erasures);
	return NULL;
}

void erasures_destroy(struct erasures *erasures)
{
	if (erasures == NULL)
		return;
	pthread_rwlock_destroy(&erasures->lock);
	arena_finish(&erasures->arena);
	free(erasures->digests);
	free(erasures);
}

/* --- counts ----------------------------------------------------------------------------------- */

static const struct {
	const char *name;
	size_t offset;
} members[] = {
	{"records", offsetof(struct erasure_counts, records)},
	{"records_changed", offsetof(struct erasure_counts, records_changed)},
	{"events", offsetof(struct erasure_counts, events)},
	{"inbound_deliveries", offsetof(struct erasure_counts, inbound_deliveries)},
	{"webhook_deliveries", offsetof(struct erasure_counts, webhook_deliveries)},
	{"replies", offsetof(struct erasure_counts, replies)},
};
enum { MEMBERS = sizeof members / sizeof members[0] };

static int64_t *count_at(struct erasure_counts *counts, size_t i)
{
	return (int64_t *)(void *)((char *)counts + members[i].offset);
}

static struct str print_counts(struct arena *arena, struct erasure_counts counts)
{
	struct json_builder out;

	json_builder_init(&out, arena);
	for (size_t i = 0; i < MEMBERS; i++)
		json_builder_set(&out, str_from_c(members[i].name),
				 json_int(*count_at(&counts, i)));
	return json_text(arena, json_builder_object(&out));
}

/* --- keeping ---------------------------------------------------------------------------------- */

static bool insert(struct erasures *erasures, const struct erasure *erasure, struct error *err)
{
	const struct store_value values[] = {
		store_text(erasure->environment_id), store_text(erasure->id),
		store_text(erasure->account_id), store_int(erasure->created_ms)};
	const struct store_statement statement = {
		.sql = "INSERT INTO erasure (environment_id, id, account_id, created_ms, counts)"
		       " VALUES (?1, ?2, ?3, ?4, '{}')",
		.parameters = values,
		.parameter_count = 4,
		.changes_expected = 1,
	};

	return store_write(erasures->options.store, &statement, 1, err);
}

static bool note_counts(struct erasures *erasures, struct arena *arena,
			const struct erasure *erasure, struct error *err)
{
	const struct store_value values[] = {store_text(erasure->environment_id),
					     store_text(erasure->id),
					     store_text(print_counts(arena, erasure->counts))};
	const struct store_statement statement = {
		.sql = "UPDATE erasure SET counts = ?3 WHERE environment_id = ?1 AND id = ?2",
		.parameters = values,
		.parameter_count = 3,
		.changes_expected = 1,
	};

	return store_write(erasures->options.store, &statement, 1, err);
}

static bool keep_digests(struct person *person, const struct erasure *erasure,
			 const struct erased_digest *digests, size_t count, struct error *err)
{
	struct store_statement statements[DIGESTS_AT_ONCE];
	struct store_value values[DIGESTS_AT_ONCE][3];

	for (size_t i = 0; i < count; i++) {
		values[i][0] = store_text(erasure->environment_id);
		values[i][1] = store_text(erasure->id);
		values[i][2] = store_blob(
			str_make((const char *)digests[i].bytes, VAULT_DIGEST_BYTES));
		statements[i] = (struct store_statement){
			.sql = "INSERT INTO erased_record (environment_id, erasure_id,"
			       " digest) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING",
			.parameters = values[i],
			.parameter_count = 3,
			.changes_expected = -1,
		};
	}
	return store_write(person->erasures->options.store, statements, count, err);
}

/* Of all that is known to be the person's so far, and the account's own. */
static bool keep_person(struct person *person, const struct erasure *erasure, struct error *err)
{
	struct erased_digest digests[DIGESTS_AT_ONCE];
	const struct str nothing = {"", 0};
	size_t at = 0, count = 0;
	struct str key;
	void *value;
	bool ok = true;

	digests[count++] = erasure_digest(person->erasures, person->environment_id,
					  person->account_id, nothing, nothing);
	while (ok && map_next(&person->gone, &at, &key, &value)) {
		struct str id = key;
		struct str resource = str_cut(&id, '\0');

		digests[count++] =
			erasure_digest(person->erasures, person->environment_id,
				       person->account_id, resource, id);
		if (count < DIGESTS_AT_ONCE)
			continue;
		ok = keep_digests(person, erasure, digests, count, err);
		count = 0;
	}
	return ok && (count == 0 || keep_digests(person, erasure, digests, count, err)) &&
	       erasures_load(person->erasures, err);
}

/* --- erasing ---------------------------------------------------------------------------------- */

static bool find_person(struct person *person, const struct erasure_request *request,
			struct error *err)
{
	if (request->candidate_id.len > 0)
		person_add_record(person, STR("candidates"), request->candidate_id);
	else if (!erasure_find_email(person, request->email, err))
		return false;
	return person->gone.count > 0 ||
	       error_set_field(err, ERROR_NOT_FOUND, "email", "the address of a copied candidate",
			       "the copy has no candidate with this address");
}

/* What is found makes more be found. */
static bool search(struct person *person, struct error *err)
{
	bool is_changed = true, ok = true;

	while (ok && is_changed)
		ok = erasure_search(person, &is_changed, err) && arena_check(person->arena, err);
	return ok;
}

/* What is known is kept out of the copy from then on, so that the last pass finds nothing. */
static bool erase(struct person *person, struct erasure *erasure, struct error *err)
{
	bool is_changed = true, ok = true;

	for (int i = 0; ok && is_changed && i < PASSES_MAX; i++)
		ok = search(person, err) && keep_person(person, erasure, err) &&
		     erasure_pass(person, erasure, &erasure->counts, &is_changed, err);
	if (ok && is_changed)
		return error_set(err, ERROR_CONFLICT,
				 "records of the person kept coming; ask for the erasure again");
	return ok;
}

bool erasure_run(struct erasures *erasures, struct arena *arena,
		 const struct erasure_request *request, struct erasure *out, struct error *err)
{
	const struct account *account = request->account;
	struct person person;
	struct arena search;

	*out = (struct erasure){
		.id = id_make(erasures->options.accounts, arena, "era_"),
		.environment_id = account->environment_id,
		.account_id = account->id,
		.created_ms = clock_unix_ms(erasures->options.clock),
	};
	const struct vault_binding binding = {
		.environment = out->environment_id, .subject = out->account_id, .field = out->id};

	arena_init(&search, SEARCH_BYTES_MAX);
	person_init(&person, erasures, &search, account);
	bool ok = find_person(&person, request, err) &&
		  vault_note(erasures->options.vault, "erase", &binding, err) &&
		  insert(erasures, out, err) && erase(&person, out, err) &&
		  erasure_tidy(erasures, err) && note_counts(erasures, arena, out, err);
	person_finish(&person);
	arena_finish(&search);
	return ok;
}

/* --- looking and lifting ---------------------------------------------------------------------- */

#define COLUMNS "id, environment_id, account_id, created_ms, counts"

static bool read_row(struct arena *arena, const struct store_rows *rows, size_t row,
		     struct erasure *out, struct error *err)
{
	struct json counts;

	*out = (struct erasure){
		.id = store_cell(rows, row, 0)->bytes,
		.environment_id = store_cell(rows, row, 1)->bytes,
		.account_id = store_cell(rows, row, 2)->bytes,
		.created_ms = store_cell(rows, row, 3)->integer,
	};
	if (!json_parse(arena, store_cell(rows, row, 4)->bytes, &json_limits_default, &counts, err))
		return error_set(err, ERROR_INTERNAL, "the row of an erasure is damaged");
	for (size_t i = 0; i < MEMBERS; i++)
		if (!json_to_int64(json_get_c(counts, members[i].name),
				   count_at(&out->counts, i)))
			*count_at(&out->counts, i) = 0;
	return true;
}

bool erasure_list(struct erasures *erasures, struct arena *arena, struct str environment_id,
		  struct str after, size_t limit, struct erasure **list, size_t *count,
		  struct error *err)
{
	const struct store_value values[] = {store_text(environment_id), store_text(after),
					     store_int((int64_t)limit)};
	struct store_rows rows;

	if (!store_query(erasures->options.store, arena,
			 "SELECT " COLUMNS " FROM erasure WHERE environment_id = ?1 AND id > ?2"
			 " ORDER BY id LIMIT ?3",
			 values, 3, &rows, err))
		return false;
	*list = arena_array(arena, rows.count + 1, sizeof **list);
	*count = rows.count;
	for (size_t i = 0; i < rows.count; i++)
		if (!read_row(arena, &rows, i, &(*list)[i], err))
			return false;
	return true;
}

static bool fail_missing(struct error *err)
{
	return error_set_field(err, ERROR_NOT_FOUND, "id", NULL, "there is no such erasure");
}

bool erasure_find(struct erasures *erasures, struct arena *arena, struct str environment_id,
		  struct str id, struct erasure *out, struct error *err)
{
	const struct store_value values[] = {store_text(environment_id), store_text(id)};
	struct store_rows rows;

	if (!store_query(erasures->options.store, arena,
			 "SELECT " COLUMNS " FROM erasure WHERE environment_id = ?1 AND id = ?2",
			 values, 2, &rows, err))
		return false;
	return rows.count > 0 ? read_row(arena, &rows, 0, out, err) : fail_missing(err);
}

bool erasure_lift(struct erasures *erasures, struct str environment_id, struct str id,
		  struct error *err)
{
	const struct store_value values[] = {store_text(environment_id), store_text(id)};
	const struct store_statement statement = {
		.sql = "DELETE FROM erasure WHERE environment_id = ?1 AND id = ?2",
		.parameters = values,
		.parameter_count = 2,
		.changes_expected = 1,
	};

	if (!store_write(erasures->options.store, &statement, 1, err))
		return err->code == ERROR_CONFLICT ? fail_missing(err) : false;
	return erasures_load(erasures, err);
}
