/* Records that come, change and go. */
#include "app/sandbox/company.h"

enum {
	SCRATCH_BYTES_MAX = 64 * 1024 * 1024,
	RECORDS_MAX = 50 * 1000 * 1000,
	CHILDREN_MAX = 10000,
};

/* --- what is noted -------------------------------------------------------------------------- */

static void note_one(struct touched *touched, struct record *record)
{
	for (size_t i = 0; i < touched->count; i++)
		if (touched->records[i] == record)
			return;
	if (touched->count == touched->capacity) {
		size_t capacity = touched->capacity == 0 ? 16 : touched->capacity * 2;
		touched->records = arena_grow(touched->arena, touched->records,
					      touched->capacity * sizeof(struct record *),
					      capacity * sizeof(struct record *));
		touched->capacity = capacity;
	}
	touched->records[touched->count++] = record;
}

static void note_touched(struct company *company, struct record *record)
{
	for (; company->touched != NULL && record != NULL; record = record->parent)
		note_one(company->touched, record);
}

/* --- at the start --------------------------------------------------------------------------- */

static void give_to_parent(struct record *record, struct record *parent)
{
	size_t number = record->collection->definition->child_number;

	record->parent = parent;
	parent->child_counts[number]++;
	if (parent->last_child[number] != NULL)
		parent->last_child[number]->next_sibling = record;
	else
		parent->first_child[number] = record;
	parent->last_child[number] = record;
}

static struct record *add_slot(struct company *company, struct collection *collection,
			       struct record *parent)
{
	size_t children = collection->definition->child_count;
	struct record *record = arena_zero(&company->arena, sizeof *record);

	if (collection->count == collection->capacity) {
		size_t capacity = collection->capacity == 0 ? 64 : collection->capacity * 2;
		struct record **grown = realloc(collection->records, capacity * sizeof *grown);
		if (grown == NULL)
			die("out of memory");
		collection->records = grown;
		collection->capacity = capacity;
	}
	record->collection = collection;
	record->index = (uint32_t)collection->count;
	collection->records[collection->count++] = record;
	if (children > 0) {
		record->first_child = arena_zero(&company->arena, children * sizeof(void *));
		record->last_child = arena_zero(&company->arena, children * sizeof(void *));
		record->child_counts = arena_zero(&company->arena, children * sizeof(size_t));
	}
	if (parent == NULL)
		return record;
	record->nth = (uint32_t)parent->child_counts[collection->definition->child_number];
	give_to_parent(record, parent);
	return record;
}

static bool count_slots(struct company *company, struct collection *collection,
			const struct record *parent, size_t max, size_t *out, struct error *err)
{
	const struct expression *count = &collection->definition->count;
	struct json variables[VARIABLES], value;
	struct arena scratch;
	int64_t number = 0;

	memcpy(variables, company->variables, sizeof variables);
	if (parent != NULL) {
		variables[VARIABLE_INDEX] = json_int(parent->index);
		variables[VARIABLE_NTH] = json_int(parent->nth);
		variables[VARIABLE_SIZE] = json_int((int64_t)parent->collection->initial_count);
	}
	arena_init(&scratch, SCRATCH_BYTES_MAX);
	struct scope back = company_enter(
		company, (struct scope){collection, NULL, parent == NULL ? 0 : parent->index});
	bool ok = company_evaluate(company, count, variables, &scratch, json_null(), &value, err);
	company_leave(company, back);
	if (ok && (!json_to_int64(value, &number) || number < 0 || (uint64_t)number > max))
		ok = error_set(err, ERROR_INVALID,
			       "sandbox.yaml:%u: count must give a whole number from 0 to %zu",
			       count->line, max);
	arena_finish(&scratch);
	*out = (size_t)number;
	return ok;
}

static bool add_slots(struct company *company, struct collection *collection,
		      struct record *parent, struct error *err)
{
	size_t wanted;

	if (!count_slots(company, collection, parent, parent == NULL ? RECORDS_MAX : CHILDREN_MAX,
			 &wanted, err))
		return false;
	for (size_t i = 0; i < wanted; i++)
		add_slot(company, collection, parent);
	return true;
}

static bool fill_collection(struct company *company, struct collection *collection,
			    struct error *err)
{
	const struct collection_definition *definition = collection->definition;

	collection->hash = hash_text(definition->name);
	if (definition->parent == NULL) {
		if (!add_slots(company, collection, NULL, err))
			return false;
	} else {
		struct collection *parents = company_collection_of(company, definition->parent);
		for (size_t i = 0; i < parents->count; i++)
			if (!add_slots(company, collection, parents->records[i], err))
				return false;
	}
	collection->initial_count = collection->count;
	return true;
}

bool company_fill(struct company *company, struct error *err)
{
	for (size_t i = 0; i < company->definition->collection_count; i++) {
		company->collections[i].definition = &company->definition->collections[i];
		if (!fill_collection(company, &company->collections[i], err))
			return false;
	}
	return true;
}

/* --- one that comes ------------------------------------------------------------------------- */

static bool add_children(struct company *company, struct record *parent, struct error *err)
{
	const struct definition *definition = company->definition;

	for (size_t i = 0; i < definition->collection_count; i++) {
		struct collection *children = &company->collections[i];
		if (children->definition->parent != parent->collection->definition)
			continue;
		size_t before = children->count;
		if (!add_slots(company, children, parent, err))
			return false;
		for (size_t k = before; k < children->count; k++)
			if (!add_children(company, children->records[k], err))
				return false;
	}
	return true;
}

bool company_create(struct company *company, struct collection *collection, struct record *parent,
		    struct json overrides, struct record **out, struct error *err)
{
	struct record *record = add_slot(company, collection, parent);

	record->overrides = overrides;
	record_forget_texts(company, record);
	*out = record;
	return add_children(company, record, err) && record_make(company, record, err);
}

/* --- changes -------------------------------------------------------------------------------- */

static bool is_among(struct str key, const struct str *names, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (str_equal(key, names[i]))
			return true;
	return false;
}

static void mark_changed(struct company *company, struct record *record, struct json before)
{
	struct json after = record->made;

	for (uint32_t i = 0; i < before.count; i++) {
		const struct json_member *member = &before.members[i];
		struct json value = json_get_hashed(after, json_name(member), member->key_hash);
		if (!json_equal(member->value, value))
			company_member_changed(company, record, json_name(member), member->value,
					       value);
	}
	for (uint32_t i = 0; i < after.count; i++) {
		const struct json_member *member = &after.members[i];
		if (json_is(json_get_hashed(before, json_name(member), member->key_hash),
			    JSON_UNDEFINED))
			company_member_changed(company, record, json_name(member),
					       json_undefined(), member->value);
	}
	if (record->collection->definition->is_shared)
		company->shared_version = ++company->version;
}

/* `fields` over the made fields; a field keeps its place. */
static void merge_made(struct company *company, struct record *record, struct json fields,
		       const struct str *removed, size_t removed_count)
{
	struct json before = record->made;
	struct json_builder merged;

	json_builder_init(&merged, &company->arena);
	for (uint32_t i = 0; i < record->made.count; i++) {
		const struct json_member *member = &record->made.members[i];
		struct str key = json_name(member);
		struct json given = json_get_hashed(fields, key, member->key_hash);
		if (!json_is(given, JSON_UNDEFINED))
			json_builder_set(&merged, key, json_copy(&company->arena, given));
		else if (!is_among(key, removed, removed_count))
			json_builder_set(&merged, key, member->value);
	}
	for (uint32_t i = 0; i < fields.count; i++) {
		const struct json_member *member = &fields.members[i];
		struct str key = json_name(member);
		if (json_is(json_get_hashed(record->made, key, member->key_hash), JSON_UNDEFINED))
			json_builder_set(&merged, arena_str(&company->arena, key),
					 json_copy(&company->arena, member->value));
	}
	record->made = json_builder_object(&merged);
	mark_changed(company, record, before);
}

static bool touch(struct company *company, struct record *record, struct error *err)
{
	const struct field_table *fields = &record->collection->definition->touch;
	struct json_builder touched;
	struct arena scratch;
	bool ok = true;

	if (fields->count == 0)
		return true;
	if (!record_make(company, record, err))
		return false;
	arena_init(&scratch, SCRATCH_BYTES_MAX);
	json_builder_init(&touched, &scratch);
	for (size_t i = 0; i < fields->count && ok; i++) {
		struct json value;
		ok = record_evaluate(company, record, &fields->items[i].value, NULL, &scratch,
				     &value, err);
		if (ok)
			json_builder_set(&touched, fields->items[i].name, value);
	}
	if (ok)
		merge_made(company, record, json_builder_object(&touched), NULL, 0);
	arena_finish(&scratch);
	return ok;
}

static bool touch_all(struct company *company, struct record *record, struct error *err)
{
	for (; record != NULL; record = record->parent)
		if (!touch(company, record, err))
			return false;
	return true;
}

bool company_add(struct company *company, struct collection *collection, struct record *parent,
		 struct json fields, struct record **out, struct error *err)
{
	struct record *record = add_slot(company, collection, parent);

	record->overrides = fields;
	record->is_written = true;
	record_forget_texts(company, record);
	note_touched(company, record);
	*out = record;
	return record_make(company, record, err) && touch_all(company, parent, err);
}

bool company_update(struct company *company, struct record *record, struct json fields,
		    const struct str *removed, size_t removed_count, struct error *err)
{
	if (!record_make(company, record, err) || !touch_all(company, record, err))
		return false;
	merge_made(company, record, fields, removed, removed_count);
	record_forget_texts(company, record);
	note_touched(company, record);
	return true;
}

static void take_from_parent(struct record *record)
{
	struct record *parent = record->parent, *previous = NULL;
	size_t number = record->collection->definition->child_number;

	if (parent == NULL)
		return;
	for (struct record *at = parent->first_child[number]; at != record; at = at->next_sibling)
		previous = at;
	if (previous != NULL)
		previous->next_sibling = record->next_sibling;
	else
		parent->first_child[number] = record->next_sibling;
	if (parent->last_child[number] == record)
		parent->last_child[number] = previous;
	record->next_sibling = NULL;
	parent->child_counts[number]--;
}

bool company_move(struct company *company, struct record *record, struct record *parent,
		  struct error *err)
{
	if (!record_make(company, record, err))
		return false;
	record_forget_texts(company, record);
	note_touched(company, record);
	take_from_parent(record);
	give_to_parent(record, parent);
	note_touched(company, record);
	record_forget_texts(company, record);
	return touch_all(company, parent, err);
}

bool company_delete(struct company *company, struct record *record, struct error *err)
{
	struct json_builder fields;

	if (!record_make(company, record, err))
		return false;
	json_builder_init(&fields, &company->arena);
	json_builder_set(&fields, STR("deleted_at"),
			 json_string(format_us(&company->arena, company_clock_us(company))));
	merge_made(company, record, json_builder_object(&fields), NULL, 0);
	record->is_deleted = true;
	if (record->parent != NULL)
		record->parent->child_counts[record->collection->definition->child_number]--;
	company_record_gone(company, record);
	record_forget_texts(company, record);
	note_touched(company, record);
	return touch_all(company, record->parent, err);
}
