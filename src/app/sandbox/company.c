#include "app/sandbox/company.h"

#include <assert.h>

enum {
	SCRATCH_BYTES_MAX = 64 * 1024 * 1024,
	VIEW_BYTES_MAX = 4 * 1024 * 1024,
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

uint64_t hash_text(struct str text)
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
	int64_t us = company->clock->unix_ns(company->clock->context) / 1000 + company->skew_us;

	if (company->has_equal_times)
		return us - us % 1000000;
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

struct scope company_enter(struct company *company, struct scope to)
{
	struct scope from = {company->scope_collection, company->scope_record,
			     company->scope_index};

	company->scope_collection = to.collection;
	company->scope_record = to.record;
	company->scope_index = to.index;
	company->depth++;
	return from;
}

void company_leave(struct company *company, struct scope back)
{
	company_enter(company, back);
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
	variables[VARIABLE_SET] = record->overrides;
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
		const struct expression *expression = record->is_written && field->fresh != NULL
							      ? field->fresh
							      : &field->value;
		if (json_is(value, JSON_UNDEFINED) &&
		    !company_evaluate(company, expression, variables, scratch,
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
	struct scope back = company_enter(
		company, (struct scope){record->collection, record, record->index});
	bool ok = make_fields(company, record, &scratch, &record->made, err);
	company_leave(company, back);
	arena_finish(&scratch);
	record->is_being_made = false;
	if (ok)
		record->overrides = json_undefined();
	return ok;
}

bool record_evaluate(struct company *company, struct record *record,
		     const struct expression *expression, const struct json *variables,
		     struct arena *arena, struct json *out, struct error *err)
{
	if (!record_make(company, record, err))
		return false;
	struct scope back = company_enter(
		company, (struct scope){record->collection, record, record->index});
	bool ok = company_evaluate(company, expression, variables, arena, record->made, out, err);
	company_leave(company, back);
	return ok;
}

/* --- views ---------------------------------------------------------------------------------- */

static int compare_members(const void *a, const void *b)
{
	const struct json_member *left = a, *right = b;

	return str_compare(json_name(left),
			   json_name(right));
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
				 json_name(&record->made.members[i]),
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
	struct scope back = company_enter(
		company, (struct scope){record->collection, record, record->index});
	bool ok = show_fields(company, record, view, arena, &shown, err);
	company_leave(company, back);
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
		.epoch = company->epoch};
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
	bool is_fresh = rendering->text != NULL && rendering->epoch == company->epoch &&
			(view->is_alone || rendering->version >= company->shared_version) &&
			(!view->is_volatile || rendering->version == company->version);
	if (is_fresh)
		return rendering;
	drop_rendering(rendering);
	arena_init(&scratch, SCRATCH_BYTES_MAX);
	bool ok = render(company, record, view, &scratch, rendering, err);
	arena_finish(&scratch);
	return ok ? rendering : NULL;
}

/* A view may show what hangs on the record, so that those above it are stale as well. */
void record_forget_texts(struct company *company, struct record *record)
{
	company->version++;
	for (; record != NULL; record = record->parent)
		for (size_t i = 0; record->renderings != NULL &&
				   i < record->collection->definition->view_count; i++)
			drop_rendering(&record->renderings[i]);
}

void company_set_base(struct company *company, struct str base)
{
	if (str_equal(json_str(company->variables[VARIABLE_BASE]), base))
		return;
	company->variables[VARIABLE_BASE] = json_string(arena_str(&company->arena, base));
	company->epoch++;
}

/* --- the company ---------------------------------------------------------------------------- */

bool company_init(struct company *company, const struct definition *definition,
		  const struct sandbox_options *options, struct error *err)
{
	*company = (struct company){.definition = definition, .clock = options->clock,
				    .seed = mix(options->seed), .version = 1, .epoch = 1,
				    .skew_us = options->skew_s * 1000000,
				    .has_equal_times = options->has_equal_times};
	arena_init(&company->arena, SIZE_MAX);
	company->variables[VARIABLE_DATA] = definition->data;
	company->variables[VARIABLE_SHAPE] = json_string(definition->shape);
	company->variables[VARIABLE_COMPANY] = definition->company;
	company->variables[VARIABLE_CANDIDATES] = json_int((int64_t)options->candidates);
	company->variables[VARIABLE_BASE] = json_string_c("http://localhost");
	company->collections = arena_zero(&company->arena, definition->collection_count *
							   sizeof *company->collections);
	if (!company_fill(company, err))
		return false;
	if (definition->owner != NULL)
		company->variables[VARIABLE_OWNER] = json_int(
			record_id(company_collection_of(company, definition->owner)->records[0]));
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
	company_drop_indexes(company);
	arena_finish(&company->arena);
}
