/* The order of a list: asked of the ATS where it has it, else made here of the whole list. A page
 * then begins behind the last record of the one before, whatever came or went since. */
#include "ats/operation/list.h"

#include <stdlib.h>

/* --- who sorts -------------------------------------------------------------------------------- */

static const struct unified_sort *find_asked(const struct run *run)
{
	const struct operation_sort *wanted = &run->operation->sorts[0];

	/* What else the caller tells the ATS may be another order. */
	if (run->operation->sort_count != 1 || run->operation->remote_query_count > 0)
		return NULL;
	for (size_t i = 0; i < run->plan->sort_count; i++)
		if (str_equal(run->plan->sorts[i].path, wanted->path) &&
		    run->plan->sorts[i].is_descending == wanted->is_descending)
			return &run->plan->sorts[i];
	return NULL;
}

static bool refuse_untold(const struct run *run, struct str path, struct error *err)
{
	struct arena *arena = run->arena;

	return error_set_field(err, ERROR_INVALID,
			       arena_c(arena, arena_format(arena, "sort_by[%.*s]", STR_ARGS(path))),
			       NULL, "%.*s does not tell \"%.*s\" in its list of %.*s",
			       STR_ARGS(run->connector->label), STR_ARGS(path),
			       STR_ARGS(run->resource->model->name));
}

bool sort_plan(struct run *run, struct error *err)
{
	const struct operation *operation = run->operation;

	for (size_t i = 0; i < operation->sort_count; i++) {
		struct str path = operation->sorts[i].path;
		size_t root;

		if (!select_check_single(run, "sort_by", path, err))
			return false;
		if (model_find_path(run->resource->model, path, &root) != NULL &&
		    run->plan->is_absent != NULL && run->plan->is_absent[root])
			return refuse_untold(run, path, err);
	}
	if (operation->sort_count > 0)
		run->asked_sort = find_asked(run);
	return true;
}

bool sort_is_here(const struct run *run)
{
	return run->operation->sort_count > 0 && run->asked_sort == NULL;
}

void sort_ask(const struct run *run, struct native_call *call)
{
	const struct unified_sort *sort = run->asked_sort;

	for (size_t i = 0; sort != NULL && i < sort->query_count; i++)
		native_add_query(run, call, sort->query[i].name, sort->query[i].value);
}

/* --- keys ------------------------------------------------------------------------------------- */

static struct sort_key make_key(enum model_type type, struct json value)
{
	struct sort_key key = {.kind = SORT_NOTHING};

	if (json_is_number(value) || json_is(value, JSON_BOOL)) {
		key.kind = SORT_NUMBER;
		key.number = json_is(value, JSON_BOOL) ? value.boolean : json_to_double(value);
		if (json_is(value, JSON_BOOL) || !json_to_int64(value, &key.integer))
			key.integer = 0;
	} else if (json_is(value, JSON_STRING)) {
		key.kind = SORT_TEXT;
		key.text = json_str(value);
		if (type == MODEL_DATE_TIME && clock_parse(key.text, &key.integer)) {
			key.kind = SORT_NUMBER;
			key.number = (double)key.integer;
		}
	}
	return key;
}

static int compare_keys(const struct sort_key *a, const struct sort_key *b)
{
	if (a->kind != b->kind)
		return a->kind < b->kind ? -1 : 1;
	if (a->kind == SORT_TEXT)
		return str_compare(a->text, b->text);
	if (a->number != b->number)
		return a->number < b->number ? -1 : 1;
	return a->integer < b->integer ? -1 : a->integer > b->integer;
}

/* What has no value comes last, in either direction. */
int sort_compare(const void *left, const void *right)
{
	const struct sort_entry *a = left, *b = right;
	size_t count = a->operation->sort_count;

	for (size_t i = 0; i < count; i++) {
		int order = compare_keys(&a->keys[i], &b->keys[i]);
		bool is_last = a->keys[i].kind == SORT_NOTHING || b->keys[i].kind == SORT_NOTHING;

		if (order != 0)
			return a->operation->sorts[i].is_descending && !is_last ? -order : order;
	}
	return compare_keys(&a->keys[count], &b->keys[count]);
}

static enum model_type type_of(const struct run *run, size_t i)
{
	return model_find_path(run->resource->model, run->operation->sorts[i].path, NULL)->type;
}

bool sort_read(const struct run *run, struct json record, struct sort_entry *entry,
	       struct error *err)
{
	const struct operation *operation = run->operation;

	*entry = (struct sort_entry){.operation = operation, .record = record};
	for (size_t i = 0; i < operation->sort_count; i++) {
		struct str path = operation->sorts[i].path, rest = path;
		struct json value = json_get_path(record, path);

		if (json_is(json_get(record, str_cut(&rest, '.')), JSON_UNDEFINED))
			return refuse_untold(run, path, err);
		entry->keys[i] = make_key(type_of(run, i), value);
	}
	entry->keys[operation->sort_count] =
		make_key(MODEL_TEXT, json_get(record, STR("id")));
	return true;
}

/* --- the cursor ------------------------------------------------------------------------------- */

/* The values by which the record is sorted, as a JSON array. */
struct str sort_seal(const struct run *run, struct json record)
{
	const struct operation *operation = run->operation;
	struct json values[OPERATION_SORTS_MAX + 1];
	struct buffer text;
	struct place place;

	for (size_t i = 0; i < operation->sort_count; i++) {
		values[i] = json_get_path(record, operation->sorts[i].path);
		if (json_is(values[i], JSON_UNDEFINED))
			values[i] = json_null();
	}
	values[operation->sort_count] = json_get(record, STR("id"));
	buffer_init(&text, run->arena, SIZE_MAX);
	json_print(&text, json_array(values, operation->sort_count + 1));
	place_init(&place, run->arena);
	place.token = buffer_str(&text);
	return cursor_seal(run, &place);
}

bool sort_open(const struct run *run, struct sort_entry *entry, struct error *err)
{
	const struct operation *operation = run->operation;
	struct json values;
	struct place place;

	if (!cursor_open(run, operation->cursor, &place, err))
		return false;
	if (!json_parse(run->arena, place.token, &json_limits_default, &values, err) ||
	    values.count != operation->sort_count + 1)
		return error_set_field(err, ERROR_INVALID, "next_cursor",
				       "what the page before answered, with the same filters",
				       "next_cursor is not one of this list");
	*entry = (struct sort_entry){.operation = operation};
	for (size_t i = 0; i < operation->sort_count; i++)
		entry->keys[i] = make_key(type_of(run, i), json_at(values, i));
	entry->keys[operation->sort_count] =
		make_key(MODEL_TEXT, json_at(values, operation->sort_count));
	return true;
}

/* --- the page --------------------------------------------------------------------------------- */

static struct sort_entry *read_entries(struct run *run, size_t *count, struct error *err)
{
	struct json records;

	if (!list_read_whole(run, &records, err))
		return NULL;
	struct sort_entry *entries = arena_array(run->arena, records.count + 1, sizeof *entries);
	for (size_t i = 0; i < records.count; i++)
		if (!sort_read(run, json_at(records, i), &entries[i], err))
			return NULL;
	*count = records.count;
	qsort(entries, *count, sizeof *entries, sort_compare);
	return entries;
}

bool sort_list(struct run *run, struct error *err)
{
	size_t limit = (size_t)run->operation->limit, count, first = 0;
	bool has_cursor = run->operation->cursor.len > 0;
	struct json_builder page;
	struct sort_entry last;

	if (has_cursor && !sort_open(run, &last, err))
		return false;
	struct sort_entry *entries = read_entries(run, &count, err);
	if (entries == NULL)
		return false;
	while (has_cursor && first < count && sort_compare(&entries[first], &last) <= 0)
		first++;
	json_builder_init(&page, run->arena);
	for (size_t i = first; i < count && i < first + limit; i++)
		json_builder_add(&page, entries[i].record);
	run->result->items = json_builder_array(&page);
	run->sorted = page.items;
	if (first + limit < count)
		run->result->next_cursor = sort_seal(run, entries[first + limit - 1].record);
	return arena_check(run->arena, err);
}
