/* A call answered from the copy where that is fresh enough, else by the ATS, which then refreshes
 * it. */
#include "ats/copy/parts.h"
#include "base/log.h"

enum { AGE_SECONDS_MAX = 315360000 /* ten years */ };

/* The copy as operations go through it. */
struct keeper {
	struct operation_keeper base;
	struct copies *copies;
	struct str environment_id;
	int64_t copy;
	struct str query; /* for the index of words; data NULL: none */
	bool with_deleted;
};

struct asking {
	struct copies *copies;
	const struct operation_services *services;
	struct arena *arena;
	const struct operation *operation;
	const struct copy_wish *wish;
	struct copy_place place;
	struct copy_row row;
	int64_t now_ms;
	bool is_recalled; /* the row is, as it was a moment ago */
};

/* --- the keeper ------------------------------------------------------------------------------ */

/* All that an operation looks at. */
#define KEPT "r.number, r.body, r.is_partial, r.deleted_ms"
enum { KEPT_COLUMNS = 4 };

static bool read_kept(struct arena *arena, const struct store_rows *rows, size_t row,
		      struct operation_kept *kept, struct error *err)
{
	int64_t deleted_ms = store_cell(rows, row, 3)->integer;
	struct json_builder out;

	kept->number = copy_own_number(store_cell(rows, row, 0)->integer);
	kept->is_partial = store_cell(rows, row, 2)->integer != 0;
	if (!json_parse(arena, store_cell(rows, row, 1)->bytes, &json_limits_default, &kept->record,
			err))
		return error_set(err, ERROR_INTERNAL, "the row of a record is damaged");
	if (deleted_ms == 0)
		return true;
	json_builder_init(&out, arena);
	json_builder_set_others(&out, kept->record, json_undefined());
	json_builder_set(&out, STR("deleted_at"), json_string(clock_format_ms(arena, deleted_ms)));
	kept->record = json_builder_object(&out);
	return true;
}

#define SEARCH(is_found)                                                                          \
	"SELECT " KEPT " FROM record_text t CROSS JOIN record r"            \
	" WHERE r.number = t.rowid AND " is_found " AND t.rowid > ?1 AND t.rowid < ?2"            \
	" AND r.environment_id = ?5 AND r.deleted_ms BETWEEN 0 AND ?3 ORDER BY t.rowid LIMIT ?4"

static bool query_walk(struct keeper *keeper, struct arena *arena, int64_t after, size_t limit,
		       struct store_rows *rows, struct error *err)
{
	const struct store_value values[] = {
		store_int(copy_number(keeper->copy, after)),
		store_int(copy_number(keeper->copy + 1, 0)),
		store_int(copy_deleted_max(keeper->with_deleted)),
		store_int((int64_t)limit),
		store_text(keeper->environment_id),
		store_text(keeper->query),
	};

	if (keeper->query.data == NULL)
		return store_query(keeper->copies->store, arena,
				   "SELECT " KEPT " FROM record r"
				   " WHERE r.environment_id = ?5 AND r.number > ?1 AND r.number < ?2"
				   " AND r.deleted_ms BETWEEN 0 AND ?3 ORDER BY r.number LIMIT ?4",
				   values, 5, rows, err);
	return store_query(keeper->copies->store, arena,
			   STORE_TEXTS(SEARCH("record_text MATCH ?6"),
				       SEARCH("t.lexemes @@ words_query(?6)")),
			   values, 6, rows, err);
}

static bool walk(struct operation_keeper *base, struct arena *arena, int64_t after, size_t limit,
		 struct operation_kept **list, size_t *count, struct error *err)
{
	struct keeper *keeper = (struct keeper *)base;
	struct store_rows rows;

	if (!query_walk(keeper, arena, after, limit, &rows, err))
		return false;
	*list = arena_array(arena, rows.count + 1, sizeof **list);
	*count = rows.count;
	for (size_t i = 0; i < rows.count; i++)
		if (!read_kept(arena, &rows, i, &(*list)[i], err))
			return false;
	return true;
}

static bool fetch(struct operation_keeper *base, struct arena *arena, const int64_t *numbers,
		  size_t count, struct operation_kept *list, struct error *err)
{
	struct keeper *keeper = (struct keeper *)base;
	struct json *items = arena_array(arena, count + 1, sizeof *items);
	struct store_rows rows;

	for (size_t i = 0; i < count; i++) {
		items[i] = json_int(copy_number(keeper->copy, numbers[i]));
		list[i] = (struct operation_kept){numbers[i], json_undefined(), false};
	}
	const struct store_value values[] = {
		store_text(json_text(arena, json_array(items, count))),
		store_int(copy_deleted_max(keeper->with_deleted)),
		store_text(keeper->environment_id)};
	if (!store_query(keeper->copies->store, arena,
			 COPY_NUMBERED(KEPT ", j.key", "?3", " AND r.deleted_ms BETWEEN 0 AND ?2"),
			 values, 3, &rows, err))
		return false;
	for (size_t i = 0; i < rows.count; i++)
		if (!read_kept(arena, &rows, i,
			       &list[store_cell(&rows, i, KEPT_COLUMNS)->integer], err))
			return false;
	return true;
}

static bool find(struct operation_keeper *base, struct arena *arena, struct str id,
		 struct operation_kept *kept, struct error *err)
{
	struct keeper *keeper = (struct keeper *)base;
	const struct store_value values[] = {store_int(keeper->copy), store_text(id),
					     store_int(copy_deleted_max(keeper->with_deleted)),
					     store_text(keeper->environment_id)};
	struct store_rows rows;

	if (!store_query(keeper->copies->store, arena,
			 "SELECT " KEPT " FROM record r WHERE r.copy = ?1" COPY_SPAN("?1")
			 " AND r.environment_id = ?4 AND r.id = ?2"
			 " AND r.deleted_ms BETWEEN 0 AND ?3",
			 values, 4, &rows, err))
		return false;
	if (rows.count == 0)
		return error_set_field(err, ERROR_NOT_FOUND, "id", NULL,
				       "there is no such record in the copy");
	return read_kept(arena, &rows, 0, kept, err);
}

static struct keeper make_keeper(const struct asking *asking, struct str query)
{
	const struct copy_wish *wish = asking->wish;

	return (struct keeper){
		.base = {.walk = walk,
			 .fetch = fetch,
			 .find = find,
			 .wants_total = wish->wants_total,
			 .known = query.data == NULL && !wish->wants_deleted
					  ? asking->row.state.record_count
					  : -1},
		.copies = asking->copies,
		.environment_id = asking->place.environment_id,
		.copy = asking->row.number,
		.query = query,
		.with_deleted = wish->wants_deleted,
	};
}

/* --- which of the two ------------------------------------------------------------------------ */

/* What only the copy can do; NULL: nothing of it is wanted. */
static const char *find_special(const struct copy_wish *wish)
{
	if (wish->search.data != NULL)
		return "search";
	if (wish->wants_total)
		return "count";
	return wish->wants_deleted ? "include_deleted" : NULL;
}

/* What only the ATS can do. */
static const char *find_live(const struct operation *operation)
{
	if (operation->remote_data)
		return "remote_data";
	if (operation->remote_query_count > 0)
		return "remote_query";
	if (operation->is_raw || operation->is_traced)
		return "response_format";
	return operation->cursor.len > 0 ? "next_cursor" : NULL;
}

static int64_t find_age(const struct asking *asking)
{
	int64_t whole_ms = asking->row.state.whole_ms;

	return whole_ms == 0 || whole_ms > asking->now_ms ? INT64_MAX : asking->now_ms - whole_ms;
}

/* A record may have been read since the copy was whole. */
static bool find_age_of(struct asking *asking, int64_t *age_ms, bool *is_there, struct error *err)
{
	struct copy_record record;

	*age_ms = find_age(asking);
	*is_there = copy_get(asking->copies, asking->arena, &asking->place, asking->operation->id,
			     &record, err);
	if (!*is_there)
		return err->code == ERROR_NOT_FOUND;
	/* What has gone may have come back: only the ATS knows. */
	*is_there = record.deleted_ms == 0 || asking->wish->wants_deleted;
	if (asking->now_ms >= record.read_ms && asking->now_ms - record.read_ms < *age_ms)
		*age_ms = asking->now_ms - record.read_ms;
	return true;
}

static bool refuse_old(const struct asking *asking, const char *special, struct error *err)
{
	return error_set_field(
		err, ERROR_INVALID, special, "with a sync job, and a max_age which its copy keeps",
		"%s is for the local copy, and there is none of %.*s that is fresh enough", special,
		STR_ARGS(asking->place.resource));
}

static bool refuse_together(const char *special, const char *live, struct error *err)
{
	return error_set_field(err, ERROR_INVALID, live, NULL,
			       "%s is for the local copy, which cannot do %s", special, live);
}

/* --- from the copy --------------------------------------------------------------------------- */

static bool prepare_search(const struct asking *asking, struct str *query, struct error *err)
{
	*query = (struct str){NULL, 0};
	if (asking->wish->search.data == NULL)
		return true;
	*query = copy_text_query(asking->arena, asking->wish->search);
	if (query->data == NULL)
		return error_set_field(err, ERROR_INVALID, "search", "words",
				       "search has no word to look for");
	return copy_take_texts(asking->copies, &asking->place, asking->operation->deadline_ns, err);
}

/* *is_told: nothing is left to be asked of the ATS. */
static bool answer_kept(const struct asking *asking, int64_t age_ms, bool *is_told,
			struct operation_result *result, struct copy_answer *answer,
			struct error *err)
{
	struct str query;

	*is_told = true;
	if (!prepare_search(asking, &query, err))
		return false;
	struct keeper keeper = make_keeper(asking, query);
	bool ok = operation_run_kept(asking->services, asking->arena, asking->operation,
				     &keeper.base, result, err);
	/* Get: all of it is wanted. */
	if (ok && asking->operation->method == OPERATION_GET && result->is_partial)
		*is_told = find_special(asking->wish) != NULL;
	if (ok && asking->operation->expand && result->is_partial)
		*is_told = false;
	if (!ok && err->code == ERROR_NOT_SUPPORTED) {
		*is_told = find_special(asking->wish) != NULL ||
			   operation_is_kept_cursor(asking->operation->cursor);
		err->code = ERROR_INVALID;
	}
	*answer = (struct copy_answer){
		.is_from_copy = ok && *is_told,
		.age_ms = age_ms == INT64_MAX ? 0 : age_ms,
		.has_total = ok && asking->wish->wants_total,
		.total = keeper.base.total,
	};
	return ok;
}

/* --- from the ATS ---------------------------------------------------------------------------- */

/* As the copy has it: all fields, and no others. */
static bool is_for_copy(const struct asking *asking)
{
	const struct operation *operation = asking->operation;

	return asking->row.state.whole_ms != 0 && asking->wish->max_age_ms > 0 &&
	       operation->fields.len == 0 && operation->exclude_fields.len == 0 &&
	       operation->remote_query_count == 0 && operation->overriding == NULL &&
	       !operation->is_raw;
}

/* What cannot be kept was answered all the same. */
static void refresh(const struct asking *asking, int64_t read_ms, const struct json *records,
		    size_t count, const struct operation_result *result)
{
	const struct copy_write write = {
		.place = asking->place, .read_ms = read_ms, .is_rough = result->is_rough};
	struct copy_counts counts;
	struct error err;

	if (!copy_put(asking->copies, asking->arena, &write, records, count,
		      result->is_partial, NULL, &counts, &err))
		LOG(LOG_WARNING, "copy_refresh_failed", LOG_S(account_id, asking->place.account_id),
		    LOG_C(error, err.message));
}

static void refresh_gone(const struct asking *asking, int64_t read_ms)
{
	const struct copy_write write = {.place = asking->place, .read_ms = read_ms};
	struct copy_counts counts;
	struct error err;

	if (!copy_remove(asking->copies, asking->arena, &write, &asking->operation->id, 1, &counts,
			 &err))
		LOG(LOG_WARNING, "copy_refresh_failed", LOG_S(account_id, asking->place.account_id),
		    LOG_C(error, err.message));
}

static bool answer_live(const struct asking *asking, struct operation_result *result,
			struct copy_answer *answer, struct error *err)
{
	const struct operation *operation = asking->operation;
	int64_t read_ms = clock_unix_ms(asking->copies->clock);

	*answer = (struct copy_answer){.is_from_copy = false};
	bool ok = operation_run(asking->services, asking->arena, operation, result, err);

	if (!is_for_copy(asking))
		return ok;
	if (!ok && err->code == ERROR_NOT_FOUND && operation->method == OPERATION_GET &&
	    str_equal_c(STR("id"), err->field))
		refresh_gone(asking, read_ms);
	else if (ok && operation->method == OPERATION_GET)
		refresh(asking, read_ms, &result->item, 1, result);
	else if (ok && result->items.count > 0)
		refresh(asking, read_ms, result->items.items, result->items.count, result);
	return ok;
}

/* --- both ------------------------------------------------------------------------------------ */

/* *is_told: an answer or a refusal is there. */
static bool try_copy(struct asking *asking, bool *is_told, struct operation_result *result,
		     struct copy_answer *answer, struct error *err)
{
	const struct operation *operation = asking->operation;
	const char *special = find_special(asking->wish), *live = find_live(operation);
	bool is_there = true, goes_on = operation_is_kept_cursor(operation->cursor);
	int64_t age_ms = find_age(asking);

	*is_told = true;
	if (goes_on)
		live = operation->remote_data ? "remote_data" : NULL;
	if (live != NULL && (special != NULL || goes_on))
		return refuse_together(special == NULL ? "next_cursor" : special, live, err);
	*is_told = false;
	if (live != NULL)
		return true;
	if (operation->method == OPERATION_GET && !find_age_of(asking, &age_ms, &is_there, err)) {
		*is_told = true;
		return false;
	}
	bool is_fresh = age_ms != INT64_MAX && age_ms <= asking->wish->max_age_ms;
	if (asking->row.number != 0 && is_there && (goes_on || is_fresh))
		return answer_kept(asking, age_ms, is_told, result, answer, err);
	*is_told = special != NULL || goes_on;
	return !*is_told || refuse_old(asking, special == NULL ? "next_cursor" : special, err);
}

bool copy_wish_read_age(struct copy_wish *wish, struct str seconds, struct error *err)
{
	int64_t number;

	if (!str_to_int64(seconds, &number) || number < 0 || number > AGE_SECONDS_MAX)
		return error_set_field(err, ERROR_INVALID, "max_age", "0 to 315360000 seconds",
				       "max_age must be a number of seconds, not \"%.*s\"",
				       STR_ARGS(str_slice(seconds, 0, 64)));
	wish->max_age_ms = number * 1000;
	wish->has_age = true;
	return true;
}

void copy_wish_settle(struct copy_wish *wish)
{
	bool is_of_copy = wish->search.data != NULL || wish->wants_total || wish->wants_deleted;

	if (is_of_copy && !wish->has_age)
		wish->max_age_ms = INT64_MAX;
}

/* How many records there are is in the row alone. */
static bool find_row(struct asking *asking, struct error *err)
{
	if (asking->wish->wants_total)
		return copy_find_row(asking->copies, asking->arena, &asking->place, &asking->row,
				     err);
	return copy_recall_row(asking->copies, asking->arena, &asking->place, &asking->row,
			       &asking->is_recalled, err);
}

static bool is_nothing(const struct asking *asking, bool ok, const struct operation_result *result,
		       const struct error *err)
{
	if (!ok)
		return err->code == ERROR_NOT_FOUND;
	return asking->operation->method == OPERATION_LIST && result->items.count == 0;
}

/* *is_other: what was remembered is of a copy that has been dropped. The refusal stays. */
static bool find_row_again(struct asking *asking, bool *is_other, struct error *err)
{
	int64_t before = asking->row.number;
	struct error why;

	copies_forget(asking->copies, &asking->place);
	if (!copy_find_row(asking->copies, asking->arena, &asking->place, &asking->row, &why)) {
		*err = why;
		return false;
	}
	*is_other = asking->row.number != before;
	return true;
}

/* Where nothing is found in a copy that is remembered, it may be another by now. */
static bool try_known(struct asking *asking, bool *is_told, struct operation_result *result,
		      struct copy_answer *answer, struct error *err)
{
	bool ok = try_copy(asking, is_told, result, answer, err), is_other;

	if (!*is_told || !asking->is_recalled || !is_nothing(asking, ok, result, err))
		return ok;
	if (!find_row_again(asking, &is_other, err))
		return false;
	return is_other ? try_copy(asking, is_told, result, answer, err) : ok;
}

bool copy_answer(struct copies *copies, const struct operation_services *services,
		 struct arena *arena, const struct operation *operation,
		 const struct copy_wish *wish, struct operation_result *result,
		 struct copy_answer *answer, struct error *err)
{
	struct asking asking = {
		.copies = copies,
		.services = services,
		.arena = arena,
		.operation = operation,
		.wish = wish,
		.place = {operation->account->environment_id, operation->account->id,
			  operation->resource},
		.now_ms = clock_unix_ms(copies->clock),
	};
	bool is_told = false;

	*result = (struct operation_result){
		.items = json_array(NULL, 0), .item = json_undefined(), .keyed = json_undefined()};
	*answer = (struct copy_answer){.is_from_copy = false};
	if (!find_row(&asking, err))
		return false;
	bool ok = try_known(&asking, &is_told, result, answer, err);
	return is_told ? ok : answer_live(&asking, result, answer, err);
}
