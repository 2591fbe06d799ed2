/* Filters on what a partial list does not tell: its records are fetched whole before they are held
 * against them, some at a time, and no more than one operation may. */
#include "ats/operation/list.h"

#include <assert.h>

enum { BATCH_MAX = 16 };

/* A unified record of a native one, or the end of a native one that gave none. */
struct entry {
	size_t item; /* of the window */
	size_t child;
	bool is_end; /* the last one of its native record */
	enum match match;
	struct json unified;
};

struct batch {
	struct entry *entries;
	size_t count;
	/* Those which nobody knows yet, and what became of them. */
	struct json unknown[BATCH_MAX];
	enum expanded told[BATCH_MAX];
	size_t unknown_count;
};

bool sift_is_needed(const struct mapping *mapping)
{
	const struct run *run = mapping->run;

	for (size_t i = 0; i < run->filter_count && mapping->is_absent != NULL; i++)
		if (run->filters[i].is_checked && !run->filters[i].is_asked &&
		    mapping->is_absent[run->filters[i].model->root])
			return true;
	return false;
}

static void add_entry(struct batch *batch, struct arena *arena, const struct entry *entry)
{
	size_t bytes = batch->count * sizeof *entry;

	batch->entries = arena_grow(arena, batch->entries, bytes, bytes + sizeof *entry);
	batch->entries[batch->count++] = *entry;
}

static struct json native_record(const struct window *window, size_t item)
{
	return window->records.items[window->items[item]];
}

/* One native record's; false when the batch is full before its end. */
static bool gather_record(struct listing *listing, struct mapping *mapping,
			  const struct window *window, size_t item, size_t first,
			  struct batch *batch)
{
	struct run *run = listing->run;
	struct json record = native_record(window, item);
	struct json children = mapping_unwind(mapping, record);
	struct entry entry = {.item = item, .is_end = true, .match = MATCH_NO};
	const struct run_filter *lacking;

	if (children.count <= first)
		add_entry(batch, run->arena, &entry);
	for (size_t i = first; i < children.count; i++) {
		entry.child = i;
		entry.is_end = i + 1 == children.count;
		entry.unified = mapping_record(mapping, record, json_at(children, i));
		entry.match = filters_match(run, entry.unified, &lacking);
		if (entry.match == MATCH_UNKNOWN) {
			if (batch->unknown_count == BATCH_MAX || run->sift_calls == 0)
				return false;
			run->sift_calls--;
			batch->unknown[batch->unknown_count++] = entry.unified;
		}
		add_entry(batch, run->arena, &entry);
	}
	return true;
}

static void gather(struct listing *listing, struct mapping *mapping, const struct window *window,
		   size_t item, struct batch *batch)
{
	*batch = (struct batch){.entries = NULL};
	for (size_t i = item; i < window->count; i++) {
		size_t first = i == item ? list_first_child(listing, native_record(window, i)) : 0;

		if (!gather_record(listing, mapping, window, i, first, batch))
			return;
	}
}

/* What an entry is now that it was fetched whole. */
static bool settle(const struct run *run, struct batch *batch, size_t *next, struct entry *entry,
		   struct error *err)
{
	const struct run_filter *lacking = NULL;
	size_t i = *next;

	if (entry->match != MATCH_UNKNOWN)
		return true;
	*next = i + 1;
	entry->unified = batch->unknown[i];
	entry->match = batch->told[i] == EXPANDED_GONE
			       ? MATCH_NO
			       : filters_match(run, entry->unified, &lacking);
	return entry->match != MATCH_UNKNOWN || list_refuse(run, lacking, err);
}

/* The place behind an entry. */
static void pass(struct listing *listing, const struct mapping *mapping,
		 const struct window *window, const struct entry *entry)
{
	struct place *place = &listing->place;

	listing->has_moved = true;
	if (!entry->is_end) {
		place->parent = place_member(native_record(window, entry->item), STR("id"));
		place->children = (int64_t)entry->child + 1;
		return;
	}
	place->parent = json_undefined();
	place->children = 0;
	page_pass(mapping->call->method, place, window, entry->item);
}

/* Takes what fits of a batch. *taken goes on with each native record. */
static bool take(struct listing *listing, const struct mapping *mapping,
		 const struct window *window, struct batch *batch, size_t *taken, struct error *err)
{
	size_t next = 0;

	for (size_t i = 0; i < batch->count; i++) {
		struct entry *entry = &batch->entries[i];
		bool was_unknown = entry->match == MATCH_UNKNOWN;

		if (!settle(listing->run, batch, &next, entry, err))
			return false;
		if (entry->match == MATCH_YES && list_is_full(listing))
			return true;
		if (entry->match == MATCH_YES) {
			budget_note(listing->run, &listing->place);
			json_builder_add(&listing->items, entry->unified);
			listing->whole += was_unknown;
		}
		pass(listing, mapping, window, entry);
		*taken += entry->is_end;
	}
	return true;
}

bool sift_window(struct listing *listing, struct mapping *mapping, const struct window *window,
		 size_t *taken, struct error *err)
{
	struct run *run = listing->run;
	struct batch batch;

	assert(sift_is_needed(mapping));
	while (*taken < window->count && !list_is_full(listing)) {
		gather(listing, mapping, window, *taken, &batch);
		*err = (struct error){.code = ERROR_NONE};
		if (batch.count == 0 || !list_has_memory(run))
			return false;
		if (!expand_items(run, batch.unknown, batch.told, batch.unknown_count, err) ||
		    !take(listing, mapping, window, &batch, taken, err) ||
		    !arena_check(run->arena, err))
			return false;
	}
	return true;
}
