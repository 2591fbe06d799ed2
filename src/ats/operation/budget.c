/* A list that ends where its caller has no more room. Whether a record has room is told only when
 * it is as the caller gets it: so each notes the place before it, and the list is cut then. */
#include "ats/operation/list.h"

void budget_note(struct run *run, const struct place *place)
{
	size_t bytes = run->note_count * sizeof *run->notes;
	struct place *note;

	if (run->operation->budget == NULL)
		return;
	run->notes = arena_grow(run->arena, run->notes, bytes, bytes + sizeof *run->notes);
	note = &run->notes[run->note_count++];
	*note = *place;
	/* The ids go on being shifted. */
	if (note->id_count == 0)
		return;
	note->ids = arena_array(run->arena, note->id_count, sizeof *note->ids);
	memcpy(note->ids, place->ids, note->id_count * sizeof *note->ids);
}

static size_t count_room(const struct run *run)
{
	struct operation_budget *budget = run->operation->budget;
	struct json items = run->result->items;
	size_t count = 0;

	while (count < items.count &&
	       (budget->has_room(budget, json_at(items, count)) || count == 0))
		count++;
	return count;
}

void budget_apply(struct run *run)
{
	struct json items = run->result->items;
	size_t count;

	if (run->operation->budget == NULL || run->operation->key_by.len > 0 ||
	    !json_is(items, JSON_ARRAY))
		return;
	count = count_room(run);
	if (count == items.count)
		return;
	run->result->items = json_array(items.items, count);
	run->result->next_cursor = run->sorted != NULL ? sort_seal(run, run->sorted[count - 1])
						       : cursor_seal(run, &run->notes[count]);
}
