/* How new copies are is remembered where the store tells of changes: a page of the copy is one
 * question then instead of two, each of which is a way to the database and back. SQLite is asked in
 * no time. */
#include "ats/copy/parts.h"

#include <stdlib.h>

enum { REMEMBERED_MAX = 65536, PLACE_BYTES_MAX = 192 };

struct remembered {
	int64_t number;
	int64_t whole_ms;
	int64_t swept_ms;
};

void copy_recall_init(struct copies *copies)
{
	cache_init(&copies->remembered, REMEMBERED_MAX, random_system());
}

void copy_recall_finish(struct copies *copies)
{
	cache_finish(&copies->remembered);
}

/* Empty where it has no room; no id has a blank in it. */
static struct str name_place(const struct copy_place *place, char text[PLACE_BYTES_MAX])
{
	const struct str parts[] = {place->environment_id, place->account_id, place->resource};
	size_t len = 0;

	for (size_t i = 0; i < 3; i++) {
		if (len + parts[i].len + 1 > PLACE_BYTES_MAX)
			return (struct str){text, 0};
		memcpy(text + len, parts[i].data, parts[i].len);
		len += parts[i].len;
		text[len++] = ' ';
	}
	return str_make(text, len);
}

static bool recall(struct copies *copies, struct str name, struct copy_row *row)
{
	const struct remembered *found = cache_lock(&copies->remembered, name);

	if (found == NULL)
		return false;
	*row = (struct copy_row){.number = found->number,
				 .state = {.is_there = true,
					   .whole_ms = found->whole_ms,
					   .swept_ms = found->swept_ms}};
	cache_unlock(&copies->remembered);
	return true;
}

static void remember(struct copies *copies, struct str name, const struct copy_row *row,
		     uint64_t generation)
{
	struct remembered *made = malloc(sizeof *made);

	if (made == NULL)
		die("out of memory for what is remembered of copies");
	*made = (struct remembered){row->number, row->state.whole_ms, row->state.swept_ms};
	cache_put(&copies->remembered, name, made, generation);
}

bool copy_recall_row(struct copies *copies, struct arena *arena, const struct copy_place *place,
		     struct copy_row *row, bool *is_recalled, struct error *err)
{
	char text[PLACE_BYTES_MAX];
	struct str name = name_place(place, text);
	uint64_t generation = copies->remembered.generation;
	bool is_told = name.len > 0 && store_is_postgresql(copies->store) &&
		       store_is_current(copies->store);

	*is_recalled = is_told && recall(copies, name, row);
	if (*is_recalled)
		return true;
	if (!copy_find_row(copies, arena, place, row, err))
		return false;
	if (is_told && row->number != 0)
		remember(copies, name, row, generation);
	return true;
}

void copies_forget(struct copies *copies, const struct copy_place *place)
{
	char text[PLACE_BYTES_MAX];

	if (place == NULL)
		cache_clear(&copies->remembered);
	else
		cache_remove(&copies->remembered, name_place(place, text));
}
