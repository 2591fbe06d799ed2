/* A list or a get over records that somebody keeps: the same filters, order, fields and envelope as
 * over those of the ATS. It goes through all of them where it must, a few at a time; what it holds
 * is never more than a page. */
#include "ats/operation/list.h"

#include <stdio.h>
#include <stdlib.h>

enum { CHUNK = 200, CHUNK_BYTES_MAX = 256 * 1024 * 1024 };

/* A list under way. */
struct gathering {
	struct run *run;
	struct operation_keeper *keeper;
	struct arena *scratch; /* of a chunk */
	size_t limit;
	int64_t after; /* of the page before: the number of its last record */
	bool counts_all;
	bool has_more;
	int64_t total;
	struct json_builder items;
	int64_t last; /* number of the last item */
	bool is_partial;
	/* Sorted: the first of what was seen so far, not yet all in order. */
	struct sort_entry *entries;
	size_t count;
	bool has_cursor;
	struct sort_entry from;	 /* behind this one */
	struct sort_entry bound; /* what is not before it is no longer wanted */
	bool has_bound;
};

/* --- filters ---------------------------------------------------------------------------------- */

static bool refuse(const struct run *run, struct str name, struct error *err)
{
	const struct model_resource *model = run->resource->model;
	struct name_list names = {0};
	char field[sizeof err->field];

	for (size_t i = 0; i < model->filter_count; i++)
		if (model->filters[i].path.len > 0)
			name_list_add(&names, model->filters[i].name);
	snprintf(field, sizeof field, "%.*s", STR_ARGS(name));
	return error_set_field(err, ERROR_NOT_SUPPORTED, field, names.text,
			       "what is kept of %.*s cannot be filtered by \"%s\"",
			       STR_ARGS(model->name), field);
}

static bool read_filters(struct run *run, struct error *err)
{
	const struct operation *operation = run->operation;

	if (operation->filter_count > FILTERS_MAX)
		return error_set(err, ERROR_INVALID, "more than %d filters", FILTERS_MAX);
	run->filters = arena_array(run->arena, operation->filter_count + 1, sizeof *run->filters);
	for (size_t i = 0; i < operation->filter_count; i++) {
		struct str name = operation->filters[i].name;

		if (str_ends_with(name, STR("[in][]")))
			name.len -= 2;
		const struct model_filter *known = model_find_filter(run->resource->model, name);
		if (known == NULL || known->path.len == 0 || operation->method == OPERATION_GET)
			return refuse(run, name, err);
		if (!filter_read(run, known, &operation->filters[i], err))
			return false;
	}
	for (size_t i = 0; i < run->filter_count; i++)
		run->filters[i].is_checked = true;
	return true;
}

/* --- one record ------------------------------------------------------------------------------- */

/* The numbers are the order. */
static void take(struct gathering *gathering, const struct operation_kept *kept)
{
	struct run *run = gathering->run;
	struct place before;

	if (kept->number <= gathering->after)
		return;
	if (gathering->items.count == gathering->limit) {
		gathering->has_more = true;
		return;
	}
	place_init(&before, run->arena);
	before.offset = kept->number - 1;
	budget_note(run, &before);
	json_builder_add(&gathering->items, json_copy(run->arena, kept->record));
	gathering->last = kept->number;
	gathering->is_partial |= kept->is_partial;
}

/* The first limit + 1 of them in order, as many of the others as there is room for. */
static void cut(struct gathering *gathering)
{
	size_t wanted = gathering->limit + 1;

	qsort(gathering->entries, gathering->count, sizeof *gathering->entries, sort_compare);
	if (gathering->count < wanted)
		return;
	gathering->count = wanted;
	gathering->bound = gathering->entries[wanted - 1];
	gathering->has_bound = true;
}

static bool take_sorted(struct gathering *gathering, const struct operation_kept *kept,
			struct error *err)
{
	struct run *run = gathering->run;
	struct sort_entry entry;

	if (!sort_read(run, kept->record, &entry, err)) {
		err->code = ERROR_NOT_SUPPORTED;
		return false;
	}
	if ((gathering->has_cursor && sort_compare(&entry, &gathering->from) <= 0) ||
	    (gathering->has_bound && sort_compare(&entry, &gathering->bound) >= 0))
		return true;
	for (size_t i = 0; i <= run->operation->sort_count; i++)
		entry.keys[i].text = arena_str(run->arena, entry.keys[i].text);
	entry.record = json_undefined();
	entry.number = kept->number;
	gathering->entries[gathering->count++] = entry;
	if (gathering->count == 2 * (gathering->limit + 1))
		cut(gathering);
	return true;
}

static bool add(struct gathering *gathering, const struct operation_kept *kept, struct error *err)
{
	struct run *run = gathering->run;
	const struct run_filter *lacking = NULL;
	struct arena *home = run->arena;

	run->arena = gathering->scratch;
	enum match match = filters_match(run, kept->record, &lacking);
	run->arena = home;
	if (match == MATCH_UNKNOWN)
		return refuse(run, lacking->name, err);
	if (match == MATCH_NO)
		return true;
	gathering->total++;
	if (gathering->entries != NULL)
		return take_sorted(gathering, kept, err);
	take(gathering, kept);
	return true;
}

/* --- all of them ----------------------------------------------------------------------------- */

static bool may_stop(const struct gathering *gathering)
{
	return gathering->has_more && !gathering->counts_all;
}

/* Where each record is one of the page no more are read than that has, and one to see whether there
 * are others. */
static size_t chunk_rows(const struct gathering *gathering)
{
	bool takes_each = gathering->entries == NULL && !gathering->counts_all &&
			  gathering->run->filter_count == 0;

	return takes_each && gathering->limit + 1 < CHUNK ? gathering->limit + 1 : CHUNK;
}

static bool add_chunk(struct gathering *gathering, struct arena *chunk, int64_t *after,
		      bool *is_end, struct error *err)
{
	struct run *run = gathering->run;
	struct operation_kept *list;
	size_t rows = chunk_rows(gathering), count;
	bool ok = true;

	gathering->scratch = chunk;
	if (!gathering->keeper->walk(gathering->keeper, chunk, *after, rows, &list, &count, err))
		return false;
	for (size_t i = 0; ok && i < count && !may_stop(gathering); i++) {
		*after = list[i].number;
		ok = add(gathering, &list[i], err);
	}
	*is_end = count < rows || may_stop(gathering);
	return ok && arena_check(run->arena, err);
}

/* The loop's other fibers have their turn after each chunk. */
static bool add_all(struct gathering *gathering, int64_t after, struct error *err)
{
	const struct run *run = gathering->run;
	bool ok = true, is_end = false;

	while (ok && !is_end) {
		struct arena chunk;

		arena_init(&chunk, CHUNK_BYTES_MAX);
		ok = add_chunk(gathering, &chunk, &after, &is_end, err);
		arena_finish(&chunk);
		if (ok && !is_end && clock_monotonic_ns(run->services->clock) > run->deadline_ns)
			ok = error_set(err, ERROR_TIMEOUT,
				       "there was no time to look through all that is kept");
		if (ok && !is_end && fiber_current() != NULL)
			loop_sleep_ms(0);
	}
	return ok;
}

static bool fetch_sorted(struct gathering *gathering, struct error *err)
{
	struct run *run = gathering->run;
	struct operation_kept *list;
	int64_t *numbers;
	size_t count;

	cut(gathering);
	gathering->has_more = gathering->count > gathering->limit;
	count = gathering->has_more ? gathering->limit : gathering->count;
	numbers = arena_array(run->arena, count + 1, sizeof *numbers);
	list = arena_array(run->arena, count + 1, sizeof *list);
	for (size_t i = 0; i < count; i++)
		numbers[i] = gathering->entries[i].number;
	if (!gathering->keeper->fetch(gathering->keeper, run->arena, numbers, count, list, err))
		return false;
	for (size_t i = 0; i < count; i++) {
		if (json_is(list[i].record, JSON_UNDEFINED))
			continue;
		json_builder_add(&gathering->items, list[i].record);
		gathering->is_partial |= list[i].is_partial;
	}
	run->sorted = gathering->items.items;
	if (gathering->items.count == 0)
		gathering->has_more = false;
	return true;
}

static bool begin(struct gathering *gathering, struct run *run, struct operation_keeper *keeper,
		  struct error *err)
{
	const struct operation *operation = run->operation;
	struct place place;

	*gathering = (struct gathering){
		.run = run,
		.keeper = keeper,
		.limit = (size_t)operation->limit,
		.counts_all = keeper->wants_total && (keeper->known < 0 || run->filter_count > 0),
		.has_cursor = operation->cursor.len > 0,
	};
	json_builder_init(&gathering->items, run->arena);
	if (operation->sort_count > 0) {
		gathering->entries = arena_array(run->arena, 2 * (gathering->limit + 1),
						 sizeof *gathering->entries);
		return !gathering->has_cursor || sort_open(run, &gathering->from, err);
	}
	if (gathering->has_cursor && !cursor_open(run, operation->cursor, &place, err))
		return false;
	gathering->after = gathering->has_cursor ? place.offset : 0;
	return true;
}

static struct str seal(const struct gathering *gathering)
{
	struct run *run = gathering->run;
	struct place place;

	if (gathering->entries != NULL)
		return sort_seal(run, run->sorted[gathering->items.count - 1]);
	place_init(&place, run->arena);
	place.offset = gathering->last;
	return cursor_seal(run, &place);
}

static bool list_kept(struct run *run, struct operation_keeper *keeper, struct error *err)
{
	struct gathering gathering;

	if (!sort_plan(run, err) || !select_make(run, err) ||
	    !begin(&gathering, run, keeper, err) ||
	    !add_all(&gathering, gathering.counts_all ? 0 : gathering.after, err) ||
	    (gathering.entries != NULL && !fetch_sorted(&gathering, err)))
		return false;
	run->result->items = json_builder_array(&gathering.items);
	run->result->is_partial = gathering.is_partial;
	if (gathering.has_more)
		run->result->next_cursor = seal(&gathering);
	keeper->total = !keeper->wants_total    ? -1
			: gathering.counts_all ? gathering.total
					       : keeper->known;
	return true;
}

static bool get_kept(struct run *run, struct operation_keeper *keeper, struct error *err)
{
	struct operation_kept kept;

	if (!select_make(run, err) ||
	    !keeper->find(keeper, run->arena, run->operation->id, &kept, err))
		return false;
	run->result->item = kept.record;
	run->result->is_partial = kept.is_partial;
	return true;
}

/* Where only such fields are wanted as are there, nothing is lacking. */
static void settle_partial(struct run *run)
{
	struct operation_result *result = run->result;
	bool lacks = run->selection == NULL;

	if (!result->is_partial)
		return;
	if (json_is(result->item, JSON_OBJECT))
		lacks |= select_lacks_of(run, result->item);
	for (size_t i = 0; i < result->items.count && !lacks; i++)
		lacks = select_lacks_of(run, json_at(result->items, i));
	result->is_partial = lacks;
}

static bool run_kept(struct run *run, struct operation_keeper *keeper, struct error *err)
{
	static const struct unified_alternative nothing;
	bool is_list = run->operation->method == OPERATION_LIST;

	run->is_kept = true;
	run->plan = &nothing;
	if (!plan_resource(run, err) || !read_filters(run, err) ||
	    !(is_list ? list_kept(run, keeper, err) : get_kept(run, keeper, err)))
		return false;
	settle_partial(run);
	if (!select_records(run, err))
		return false;
	budget_apply(run);
	return true;
}

bool operation_run_kept(const struct operation_services *services, struct arena *arena,
			const struct operation *operation, struct operation_keeper *keeper,
			struct operation_result *result, struct error *err)
{
	struct run run;

	*result = (struct operation_result){
		.items = json_array(NULL, 0), .item = json_undefined(), .keyed = json_undefined()};
	services->counts->operations++;
	if (!run_check(operation, err) ||
	    !run_init(&run, services, arena, operation->account, result, operation->deadline_ns,
		      err))
		return false;
	run.operation = operation;
	bool ok = run_kept(&run, keeper, err);
	run_finish(&run);
	return ok;
}
