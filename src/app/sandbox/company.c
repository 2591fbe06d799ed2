#include "app/sandbox/company.h"

#include <assert.h>

enum {
	SCRATCH_BYTES_MAX = 64 * 1024 * 1024,
	VIEW_BYTES_MAX = 4 * 1024 * 1024,
	RECORDS_MAX = 50 * 1000 * 1000,
	CHILDREN_MAX = 10000,
	DEPTH_MAX = 16,
};

static const struct jsonata_limits evaluation_limits = {
	.steps_max = 20 * 1000 * 1000, .depth_max = 100, .sequence_max = 2 * 1000 * 1000,
	.bytes_max = 512 * 1024 * 1024, .regex_matches_max = 100000};

/* --- numbers, times ------------------------------------------------------------------------- */

static uint64_t mix(uint64_t z)
{
	z += 0x9e3779b97f4a7c15;
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
	return z ^ (z >> 31);
}

static uint64_t hash_text(struct str text)
{
	uint64_t hash = 0xcbf29ce484222325;

	for (size_t i = 0; i < text.len; i++)
		hash = (hash ^ (unsigned char)text.data[i]) * 0x100000001b3;
	return hash;
}

uint64_t company_draw(const struct company *company, struct str salt)
{
	uint64_t place = company->scope_collection == NULL ? 0 : company->scope_collection->hash;

	return mix(mix(mix(company->seed ^ place) + company->scope_index) ^ hash_text(salt));
}

struct str format_us(struct arena *arena, int64_t us)
{
	struct str text = clock_format_ms(arena, us >= 0 ? us / 1000 : (us - 999) / 1000);
	int64_t rest = us % 1000 < 0 ? us % 1000 + 1000 : us % 1000;

	/* "…T09:15:22.481Z": three more digits go before the Z. */
	return arena_format(arena, "%.*s%03dZ", (int)text.len - 1, text.data, (int)rest);
}

bool parse_us(struct str text, int64_t *us)
{
	int64_t ns;

	if (!clock_parse(text, &ns))
		return false;
	*us = ns / 1000;
	return true;
}

int64_t company_clock_us(struct company *company)
{
	int64_t us = company->clock->unix_ns(company->clock->context) / 1000;

	company->last_us = us > company->last_us ? us : company->last_us + 1;
	return company->last_us;
}

/* --- finding -------------------------------------------------------------------------------- */

struct collection *company_collection(struct company *company, struct str name)
{
	const struct collection_definition *definition =
		definition_collection(company->definition, name);

	return definition == NULL ? NULL : company_collection_of(company, definition);
}

/* Ids rise with the place, with gaps that look random but give the place back. */
static int64_t id_at(const struct collection *collection, size_t index)
{
	const struct collection_definition *definition = collection->definition;
	uint64_t gap = mix(collection->hash + index) % (uint64_t)definition->id_step;

	return definition->first_id + (int64_t)index * definition->id_step + (int64_t)gap;
}

int64_t record_id(const struct record *record)
{
	return id_at(record->collection, record->index);
}

struct record *collection_find(const struct collection *collection, int64_t id)
{
	int64_t index = (id - collection->definition->first_id) / collection->definition->id_step;

	if (id < collection->definition->first_id || (uint64_t)index >= collection->count)
		return NULL;
	struct record *record = collection->records[index];
	return record_id(record) == id ? record : NULL;
}

bool record_is_alive(const struct record *record)
{
	for (; record != NULL; record = record->parent)
		if (record->is_deleted)
			return false;
	return true;
}

/* --- evaluating ----------------------------------------------------------------------------- */

/* What natives see is set for one evaluation and put back after it, since one may cause another. */
struct scope {
	const struct collection *collection;
	struct record *record;
	uint64_t index;
};

static struct scope enter_scope(struct company *company, struct scope to)
{
	struct scope from = {company->scope_collection, company->scope_record,
			     company->scope_index};

	company->scope_collection = to.collection;
	company->scope_record = to.record;
	company->scope_index = to.index;
	company->depth++;
	return from;
}

static void leave_scope(struct company *company, struct scope back)
{
	enter_scope(company, back);
	company->depth -= 2;
}

static bool run(struct company *company, const struct expression *expression,
		const struct json *variables, struct arena *arena, struct json input,
		struct json *out, struct error *err)
{
	const struct jsonata_context context = {
		.arena = arena, .limits = &evaluation_limits,
		.variables = variables == NULL ? company->variables : variables,
		.native_context = company, .clock = company->clock,
		.random = random_system()};
	struct jsonata_error error = {0};
	struct error shown;

	if (company->depth > DEPTH_MAX)
		return error_set(err, ERROR_INTERNAL, "sandbox.yaml:%u: views nest too deeply",
				 expression->line);
	if (jsonata_evaluate(expression->code, &context, input, out, &error))
		return true;
	jsonata_error_to_error(&error, &shown);
	return error_set(err, ERROR_INTERNAL, "sandbox.yaml:%u: %s", expression->line,
			 shown.message);
}

bool company_evaluate(struct company *company, const struct expression *expression,
		      const struct json *variables, struct arena *arena, struct json input,
		      struct json *out, struct error *err)
{
	*out = json_undefined();
	switch (expression->kind) {
	case EXPRESSION_NONE:
		return true;
	case EXPRESSION_CONSTANT:
		*out = expression->constant;
		return true;
	case EXPRESSION_MEMBER:
		*out = json_get_hashed(input, expression->text, expression->member_hash);
		return true;
	case EXPRESSION_CODE:
		return run(company, expression, variables, arena, input, out, err);
	}
	return true;
}

static void fill_variables(struct company *company, const struct record *record,
			   struct json *variables)
{
	memcpy(variables, company->variables, sizeof company->variables);
	variables[VARIABLE_ID] = json_int(record_id(record));
	variables[VARIABLE_INDEX] = json_int(record->index);
	variables[VARIABLE_NTH] = json_int(record->nth);
	variables[VARIABLE_SIZE] = json_int((int64_t)record->collection->initial_count);
	if (record->parent != NULL)
		variables[VARIABLE_PARENT] = record->parent->made;
}

/* --- making --------------------------------------------------------------------------------- */

/* To the company's arena, with the names from the definition. */
static struct json keep_fields(struct company *company, const struct field_table *fields,
			       struct json all)
{
	struct json_member *members = arena_array(&company->arena, fields->count, sizeof *members);
	size_t count = 0;

	for (size_t i = 0; i < fields->count; i++) {
		const struct field *field = &fields->items[i];
		struct json value = json_get_hashed(all, field->name, field->name_hash);
		if (!field->is_working && !json_is(value, JSON_UNDEFINED))
			members[count++] = json_member(field->name,
						       json_copy(&company->arena, value));
	}
	return json_object(members, count);
}

static bool make_fields(struct company *company, struct record *record, struct arena *scratch,
			struct json *out, struct error *err)
{
	const struct field_table *fields = &record->collection->definition->made;
	struct json variables[VARIABLES];
	struct json_builder all;

	json_builder_init(&all, scratch);
	fill_variables(company, record, variables);
	for (size_t i = 0; i < fields->count; i++) {
		const struct field *field = &fields->items[i];
		struct json value = json_get_hashed(record->overrides, field->name,
						    field->name_hash);
		if (json_is(value, JSON_UNDEFINED) &&
		    !company_evaluate(company, &field->value, variables, scratch,
				      json_builder_object(&all), &value, err))
			return false;
		json_builder_set(&all, field->name, value);
	}
	*out = keep_fields(company, fields, json_builder_object(&all));
	return true;
}

bool record_make(struct company *company, struct record *record, struct error *err)
{
	struct arena scratch;

	if (!json_is(record->made, JSON_UNDEFINED))
		return true;
	if (record->is_being_made)
		return error_set(err, ERROR_INTERNAL, "sandbox.yaml: %.*s are made of themselves",
				 STR_ARGS(record->collection->definition->name));
	if (record->parent != NULL && !record_make(company, record->parent, err))
		return false;
	record->is_being_made = true;
	arena_init(&scratch, SCRATCH_BYTES_MAX);
	struct scope back = enter_scope(
		company, (struct scope){record->collection, record, record->index});
	bool ok = make_fields(company, record, &scratch, &record->made, err);
	leave_scope(company, back);
	arena_finish(&scratch);
	record->is_being_made = false;
	return ok;
}

bool record_evaluate(struct company *company, struct record *record,
		     const struct expression *expression, const struct json *variables,
		     struct arena *arena, struct json *out, struct error *err)
{
	if (!record_make(company, record, err))
		return false;
	struct scope back = enter_scope(
		company, (struct scope){record->collection, record, record->index});
	bool ok = company_evaluate(company, expression, variables, arena, record->made, out, err);
	leave_scope(company, back);
	return ok;
}

/* --- views ---------------------------------------------------------------------------------- */

static int compare_members(const void *a, const void *b)
{
	const struct json_member *left = a, *right = b;

	return str_compare(str_make(left->key, left->key_len),
			   str_make(right->key, right->key_len));
}

static bool show_fields(struct company *company, struct record *record, const struct view *view,
			struct arena *arena, struct json_builder *shown, struct error *err)
{
	struct json variables[VARIABLES];
	struct json_builder known;

	fill_variables(company, record, variables);
	json_builder_init(&known, arena);
	for (size_t i = 0; i < record->made.count; i++)
		json_builder_set(&known,
				 str_make(record->made.members[i].key,
					  record->made.members[i].key_len),
				 record->made.members[i].value);
	for (size_t i = 0; i < view->fields.count; i++) {
		const struct field *field = &view->fields.items[i];
		struct json value;
		if (!company_evaluate(company, &field->value, variables, arena,
				      json_builder_object(&known), &value, err))
			return false;
		if (!field->is_hiding)
			json_builder_set(&known, field->name, value);
		if (!field->is_working)
			json_builder_set(shown, field->name, value);
	}
	return true;
}

bool record_view(struct company *company, struct record *record, const struct view *view,
		 struct arena *arena, struct json *out, struct error *err)
{
	struct json_builder shown;

	if (!record_make(company, record, err))
		return false;
	json_builder_init(&shown, arena);
	struct scope back = enter_scope(
		company, (struct scope){record->collection, record, record->index});
	bool ok = show_fields(company, record, view, arena, &shown, err);
	leave_scope(company, back);
	if (!ok)
		return false;
	if (view->is_sorted)
		qsort(shown.items, shown.count, sizeof(struct json_member), compare_members);
	*out = json_builder_object(&shown);
	return true;
}

bool company_read_references(struct company *company, struct arena *arena, struct json value,
			     struct record ***out, size_t *count, struct error *err)
{
	for (size_t i = 0; json_is(value, JSON_ARRAY) && i < value.count; i++)
		if (!company_read_references(company, arena, value.items[i], out, count, err))
			return false;
	if (!json_is(value, JSON_STRING))
		return true;
	struct str id_text = json_str(value);
	struct collection *collection = company_collection(company, str_cut(&id_text, '/'));
	int64_t id;
	if (collection == NULL || !str_to_int64(id_text, &id))
		return error_set(err, ERROR_INTERNAL, "sandbox.yaml: %.*s is no reference",
				 STR_ARGS(json_str(value)));
	struct record *record = collection_find(collection, id);
	if (record == NULL)
		return true;
	*out = arena_grow(arena, *out, *count * sizeof **out, (*count + 1) * sizeof **out);
	(*out)[(*count)++] = record;
	return true;
}

static void *copy_bytes(const void *bytes, size_t len)
{
	void *copy = malloc(len == 0 ? 1 : len);

	if (copy == NULL)
		die("out of memory");
	if (len > 0)
		memcpy(copy, bytes, len);
	return copy;
}

static bool render(struct company *company, struct record *record, const struct view *view,
		   struct arena *scratch, struct rendering *rendering, struct error *err)
{
	struct record **references = NULL;
	size_t count = 0;
	struct json value, referred;
	struct buffer text;

	buffer_init(&text, scratch, VIEW_BYTES_MAX);
	if (!record_view(company, record, view, scratch, &value, err) ||
	    !company_evaluate(company, &view->references, NULL, scratch, value, &referred, err) ||
	    !company_read_references(company, scratch, referred, &references, &count, err))
		return false;
	json_print(&text, value);
	if (!buffer_check(&text, "a record", err))
		return false;
	*rendering = (struct rendering){
		.text = copy_bytes(text.data, text.len), .len = text.len,
		.references = copy_bytes(references, count * sizeof *references),
		.reference_count = count, .version = company->version,
		.host_version = company->host_version};
	return true;
}

static void drop_rendering(struct rendering *rendering)
{
	free(rendering->text);
	free(rendering->references);
	*rendering = (struct rendering){0};
}

const struct rendering *record_render(struct company *company, struct record *record,
				      const struct view *view, struct error *err)
{
	const struct collection_definition *definition = record->collection->definition;
	struct arena scratch;

	assert(view->number < definition->view_count);
	if (record->renderings == NULL)
		record->renderings = arena_zero(
			&company->arena, definition->view_count * sizeof *record->renderings);
	struct rendering *rendering = &record->renderings[view->number];
	bool is_fresh = rendering->text != NULL &&
			rendering->host_version == company->host_version &&
			(!view->is_volatile || rendering->version == company->version);
	if (is_fresh)
		return rendering;
	drop_rendering(rendering);
	arena_init(&scratch, SCRATCH_BYTES_MAX);
	bool ok = render(company, record, view, &scratch, rendering, err);
	arena_finish(&scratch);
	return ok ? rendering : NULL;
}

void company_set_base(struct company *company, struct str base)
{
	if (str_equal(json_str(company->variables[VARIABLE_BASE]), base))
		return;
	company->variables[VARIABLE_BASE] = json_string(arena_str(&company->arena, base));
	company->host_version++;
}

/* --- indexes -------------------------------------------------------------------------------- */

struct bucket {
	struct record **records;
	size_t count;
	size_t capacity;
};

struct index {
	struct index *next;
	const struct collection *collection;
	struct str member;
	struct map buckets; /* by the value as JSON text */
};

/* Texts and whole numbers can be looked for; the key of all else is empty. */
static struct str index_key(struct json value, char room[32])
{
	if (json_is(value, JSON_STRING))
		return json_str(value);
	if (!json_is(value, JSON_INT))
		return str_make("", 0);
	snprintf(room, 32, "%lld", (long long)value.integer);
	return str_from_c(room);
}

static void add_to_index(struct company *company, struct index *index, struct record *record,
			 struct json value)
{
	struct arena *arena = &company->index_arena;
	char room[32];
	struct str key = index_key(value, room);

	for (uint32_t i = 0; json_is(value, JSON_ARRAY) && i < value.count; i++)
		add_to_index(company, index, record, value.items[i]);
	if (key.len == 0)
		return;
	struct bucket *bucket = map_get(&index->buckets, key);
	if (bucket == NULL) {
		bucket = arena_zero(arena, sizeof *bucket);
		map_put(&index->buckets, key, bucket);
	}
	if (bucket->count == bucket->capacity) {
		size_t capacity = bucket->capacity == 0 ? 4 : bucket->capacity * 2;
		bucket->records = arena_grow(arena, bucket->records,
					     bucket->capacity * sizeof(struct record *),
					     capacity * sizeof(struct record *));
		bucket->capacity = capacity;
	}
	bucket->records[bucket->count++] = record;
}

static void drop_indexes(struct company *company)
{
	for (struct index *index = company->indexes; index != NULL; index = index->next)
		map_finish(&index->buckets);
	company->indexes = NULL;
	arena_finish(&company->index_arena);
	arena_init(&company->index_arena, SIZE_MAX);
}

static struct index *build_index(struct company *company, struct collection *collection,
				 struct str member, struct error *err)
{
	/* Making a record may ask for other indexes, so that all are made first. */
	for (size_t i = 0; i < collection->count; i++)
		if (!record_make(company, collection->records[i], err))
			return NULL;
	struct index *index = arena_zero(&company->index_arena, sizeof *index);
	index->collection = collection;
	index->member = arena_str(&company->index_arena, member);
	map_init(&index->buckets, random_system());
	for (size_t i = 0; i < collection->count; i++)
		if (record_is_alive(collection->records[i]))
			add_to_index(company, index, collection->records[i],
				     json_get(collection->records[i]->made, member));
	index->next = company->indexes;
	company->indexes = index;
	return index;
}

bool company_where(struct company *company, struct collection *collection, struct str member,
		   struct json value, struct record ***out, size_t *count, struct error *err)
{
	struct index *index;
	char room[32];

	*out = NULL;
	*count = 0;
	if (company->indexes_version != company->version) {
		drop_indexes(company);
		company->indexes_version = company->version;
	}
	for (index = company->indexes; index != NULL; index = index->next)
		if (index->collection == collection && str_equal(index->member, member))
			break;
	if (index == NULL)
		index = build_index(company, collection, member, err);
	if (index == NULL)
		return false;
	struct bucket *bucket = map_get(&index->buckets, index_key(value, room));
	if (bucket == NULL)
		return true;
	*out = bucket->records;
	*count = bucket->count;
	return true;
}

/* --- records that come and go --------------------------------------------------------------- */

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
	size_t number = collection->definition->child_number;
	record->parent = parent;
	record->nth = (uint32_t)parent->child_counts[number]++;
	if (parent->last_child[number] != NULL)
		parent->last_child[number]->next_sibling = record;
	else
		parent->first_child[number] = record;
	parent->last_child[number] = record;
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
	struct scope back = enter_scope(
		company, (struct scope){collection, NULL, parent == NULL ? 0 : parent->index});
	bool ok = company_evaluate(company, count, variables, &scratch, json_null(), &value, err);
	leave_scope(company, back);
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

/* A view may show what hangs on the record, so that those above it are stale as well. */
static void forget_texts(struct company *company, struct record *record)
{
	company->version++;
	for (; record != NULL; record = record->parent)
		for (size_t i = 0; record->renderings != NULL &&
				   i < record->collection->definition->view_count; i++)
			drop_rendering(&record->renderings[i]);
}

bool company_create(struct company *company, struct collection *collection, struct record *parent,
		    struct json overrides, struct record **out, struct error *err)
{
	struct record *record = add_slot(company, collection, parent);

	record->overrides = overrides;
	forget_texts(company, record);
	*out = record;
	return add_children(company, record, err) && record_make(company, record, err);
}

static void replace_member(struct company *company, struct record *record, struct str key,
			   struct json value)
{
	struct json_builder builder;

	json_builder_init(&builder, &company->arena);
	for (size_t i = 0; i < record->made.count; i++) {
		const struct json_member *member = &record->made.members[i];
		struct str name = str_make(member->key, member->key_len);
		if (!str_equal(name, key))
			json_builder_set(&builder, name, member->value);
	}
	json_builder_set(&builder, key, value);
	record->made = json_builder_object(&builder);
}

bool company_delete(struct company *company, struct record *record, struct error *err)
{
	if (!record_make(company, record, err))
		return false;
	struct str now = format_us(&company->arena, company_clock_us(company));
	replace_member(company, record, STR("deleted_at"), json_string(now));
	record->is_deleted = true;
	if (record->parent != NULL)
		record->parent->child_counts[record->collection->definition->child_number]--;
	forget_texts(company, record);
	return true;
}

/* --- the company ---------------------------------------------------------------------------- */

bool company_init(struct company *company, const struct definition *definition,
		  const struct sandbox_options *options, struct error *err)
{
	*company = (struct company){.definition = definition, .clock = options->clock,
				    .seed = mix(options->seed), .version = 1, .host_version = 1};
	arena_init(&company->arena, SIZE_MAX);
	arena_init(&company->index_arena, SIZE_MAX);
	company->variables[VARIABLE_DATA] = definition->data;
	company->variables[VARIABLE_SHAPE] = json_string(definition->shape);
	company->variables[VARIABLE_COMPANY] = definition->company;
	company->variables[VARIABLE_CANDIDATES] = json_int((int64_t)options->candidates);
	company->variables[VARIABLE_BASE] = json_string_c("http://localhost");
	company->collections = arena_zero(&company->arena, definition->collection_count *
							   sizeof *company->collections);
	for (size_t i = 0; i < definition->collection_count; i++) {
		company->collections[i].definition = &definition->collections[i];
		if (!fill_collection(company, &company->collections[i], err))
			return false;
	}
	return true;
}

static void finish_collection(struct collection *collection)
{
	for (size_t i = 0; i < collection->count; i++) {
		struct record *record = collection->records[i];
		for (size_t k = 0; record->renderings != NULL &&
				   k < collection->definition->view_count; k++)
			drop_rendering(&record->renderings[k]);
	}
	free(collection->records);
}

void company_finish(struct company *company)
{
	for (size_t i = 0; company->collections != NULL &&
			   i < company->definition->collection_count; i++)
		finish_collection(&company->collections[i]);
	drop_indexes(company);
	arena_finish(&company->index_arena);
	arena_finish(&company->arena);
}
