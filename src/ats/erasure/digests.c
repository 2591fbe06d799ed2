/* Keyed hashes of what was erased, in memory: each record that comes into a copy is held against
 * them. */
#include <stdlib.h>

#include "ats/erasure/parts.h"

enum { ROWS_AT_ONCE = 1000 };

struct erased_digest erasure_digest(struct erasures *erasures, struct str environment_id,
				    struct str account_id, struct str resource, struct str id)
{
	const struct str parts[] = {environment_id, account_id, resource, id};
	struct erased_digest digest;
	struct buffer text;
	struct arena arena;

	arena_init(&arena, SIZE_MAX / 4);
	buffer_init(&text, &arena, SIZE_MAX / 4);
	for (size_t i = 0; i < 4; i++) {
		buffer_append(&text, parts[i]);
		buffer_append_byte(&text, '\0');
	}
	vault_digest(erasures->options.vault, "erased", buffer_str(&text), digest.bytes);
	arena_finish(&arena);
	return digest;
}

static int compare(const void *a, const void *b)
{
	return memcmp(a, b, VAULT_DIGEST_BYTES);
}

struct digest_list {
	struct erased_digest *items;
	size_t count, room;
};

static void add(struct digest_list *list, const void *bytes)
{
	if (list->count == list->room) {
		list->room = list->room * 2 + 64;
		list->items = realloc(list->items, list->room * sizeof *list->items);
		if (list->items == NULL)
			die("no memory for what was erased");
	}
	memcpy(list->items[list->count++].bytes, bytes, VAULT_DIGEST_BYTES);
}

static bool load_rows(struct erasures *erasures, struct digest_list *list, struct error *err)
{
	struct store_value after[] = {store_text(STR("")), store_text(STR("")), store_blob(STR(""))};
	struct store_rows rows;
	struct arena arena;
	bool ok = true;

	arena_init(&arena, SIZE_MAX / 4);
	do {
		ok = store_query_all(
			erasures->options.store, &arena,
			"SELECT environment_id, erasure_id, digest FROM erased_record WHERE"
			" (environment_id, erasure_id, digest) > (?1, ?2, ?3) ORDER BY"
			" environment_id, erasure_id, digest LIMIT 1000",
			after, 3, &rows, err);
		for (size_t i = 0; ok && i < rows.count; i++) {
			add(list, store_cell(&rows, i, 2)->bytes.data);
			memcpy(after, store_cell(&rows, i, 0), sizeof after);
		}
	} while (ok && rows.count == ROWS_AT_ONCE);
	arena_finish(&arena);
	return ok;
}

static uint64_t begin_load(struct erasures *erasures)
{
	pthread_rwlock_wrlock(&erasures->lock);
	uint64_t number = ++erasures->loads_begun;
	pthread_rwlock_unlock(&erasures->lock);
	return number;
}

/* Of several loads the one that began last has seen the most; what it takes the place of goes. */
static void keep(struct erasures *erasures, struct digest_list *list, uint64_t number)
{
	pthread_rwlock_wrlock(&erasures->lock);
	if (number > erasures->load_kept) {
		struct erased_digest *old = erasures->digests;
		erasures->digests = list->items;
		erasures->count = list->count;
		erasures->load_kept = number;
		list->items = old;
	}
	pthread_rwlock_unlock(&erasures->lock);
	free(list->items);
}

/* The store is waited for, so not under the lock. */
bool erasures_load(struct erasures *erasures, struct error *err)
{
	struct digest_list list = {.items = NULL};
	uint64_t number = begin_load(erasures);

	if (!load_rows(erasures, &list, err)) {
		free(list.items);
		return false;
	}
	if (list.count > 0)
		qsort(list.items, list.count, sizeof *list.items, compare);
	keep(erasures, &list, number);
	return true;
}

static bool has(struct erasures *erasures, const struct copy_place *place, struct str resource,
		struct str id)
{
	const struct erased_digest digest = erasure_digest(
		erasures, place->environment_id, place->account_id, resource, id);

	pthread_rwlock_rdlock(&erasures->lock);
	bool found = erasures->count > 0 && bsearch(&digest, erasures->digests, erasures->count,
						    sizeof digest, compare) != NULL;
	pthread_rwlock_unlock(&erasures->lock);
	return found;
}

static bool is_empty(struct erasures *erasures)
{
	pthread_rwlock_rdlock(&erasures->lock);
	bool none = erasures->count == 0;
	pthread_rwlock_unlock(&erasures->lock);
	return none;
}

bool erasures_has(void *context, const struct copy_place *place, struct json record)
{
	struct erasures *erasures = context;
	const struct erasure_link *link;
	const struct str nothing = {"", 0};

	/* An account's own entry tells that it has others. */
	if (is_empty(erasures) || !has(erasures, place, nothing, nothing))
		return false;
	if (has(erasures, place, place->resource, json_get_str(record, "id")))
		return true;
	link = erasure_link_of(erasures, place->resource);
	for (size_t i = 0; link != NULL && i < link->count; i++) {
		struct str id =
			json_get_str(json_get(record, link->items[i].field->name), "id");
		if (id.len > 0 && has(erasures, place, link->items[i].target->name, id))
			return true;
	}
	return false;
}
