#include "ats/operation/mapping.h"
#include "ats/operation/place.h"

#include <assert.h>

#include "base/log.h"

/* What is absent, and what nobody wants. */
static void leave_out(struct mapping *mapping)
{
	const struct run *run = mapping->run;
	size_t count = run->resource->model->field_count;
	bool *is_left_out;

	mapping->is_left_out = mapping->is_absent;
	if (run->is_wanted == NULL)
		return;
	is_left_out = arena_array(run->arena, count + 1, sizeof *is_left_out);
	for (size_t i = 0; i < count; i++)
		is_left_out[i] =
			!run->is_wanted[i] || (mapping->is_absent != NULL && mapping->is_absent[i]);
	mapping->is_left_out = is_left_out;
}

/* Where it cannot be told whether the body has them, they are taken for there. */
static void find_absent(struct mapping *mapping, struct json body)
{
	struct run *run = mapping->run;
	const struct unified_alternative *plan = run->plan;
	struct json value;

	mapping->is_absent = plan->is_absent;
	if (plan->maybe_absent_when != NULL &&
	    run_evaluate(run, plan->maybe_absent_when, body, &value) &&
	    json_is(value, JSON_BOOL) && value.boolean) {
		mapping->is_absent = plan->is_maybe_absent;
		run->result->is_partial |= select_lacks(run, mapping->is_absent);
	}
	run->lacks_fields = run->lacks_fields || select_lacks(run, mapping->is_absent);
	leave_out(mapping);
}

bool mapping_init(struct mapping *mapping, struct run *run, const struct unified_call *call,
		  struct json body, struct error *err)
{
	const struct connector *connector = run->connector;
	struct reference_index *index = reference_index_create(run->arena);

	*mapping = (struct mapping){.run = run, .call = call};
	if (connector->references_path.len > 0)
		reference_index_add(index, json_get_path(body, connector->references_path),
				    (struct str){NULL, 0}, connector->reference_type);
	if (!lookup_fill(run, body, index, err))
		return false;
	mapping->variables[CONNECTOR_VARIABLE_CONTEXT] = run->account->context;
	mapping->variables[CONNECTOR_VARIABLE_QUERY] = run->query;
	mapping->variables[CONNECTOR_VARIABLE_BODY] = body;
	mapping->context = (struct jsonata_context){
		.arena = run->arena,
		.limits = &jsonata_limits_default,
		.variables = mapping->variables,
		.native_context = index,
		.clock = run->services->clock,
		.random = run->services->random,
		.places = &mapping->places,
	};
	find_absent(mapping, body);
	mapping->mapped = arena_array(run->arena, run->resource->model->field_count + 1,
				      sizeof *mapping->mapped);
	return true;
}

void mapping_finish(struct mapping *mapping)
{
	if (mapping->misfits > 0)
		mapping->run->services->counts->mapping_misfits += mapping->misfits;
	mapping->misfits = 0;
}

/* A field that cannot be computed is null: one odd record must not cost the whole page. */
struct json mapping_evaluate(struct mapping *mapping, const struct jsonata *expression,
			     struct json input)
{
	struct jsonata_error fault;
	struct json value;

	if (jsonata_evaluate(expression, &mapping->context, input, &value, &fault))
		return value;
	mapping->misfits++;
	/* The code alone: a message may quote the record. */
	if (log_is_on(LOG_DEBUG))
		LOG(LOG_DEBUG, "mapping_failed", LOG_S(account_id, mapping->run->account->id),
		    LOG_S(resource, mapping->run->resource->model->name), LOG_C(error, fault.code));
	return json_undefined();
}

struct json mapping_unwind(struct mapping *mapping, struct json record)
{
	struct json *one;

	if (mapping->call->each != NULL) {
		mapping->variables[CONNECTOR_VARIABLE_RECORD] = record;
		struct json records = mapping_evaluate(mapping, mapping->call->each, record);

		if (json_is(records, JSON_ARRAY))
			return records;
		if (json_is(records, JSON_UNDEFINED) || json_is(records, JSON_NULL))
			return json_array(NULL, 0);
		record = records;
	}
	one = arena_alloc(mapping->run->arena, sizeof *one);
	*one = record;
	return json_array(one, 1);
}

bool mapping_fetch_detail(struct mapping *mapping, struct json *record, bool *is_gone,
			  struct error *err)
{
	const struct unified_call *call = mapping->call;
	struct run *run = mapping->run;
	size_t misfits = mapping->misfits;
	struct native_call native;
	struct window window;
	struct place place;

	place_init(&place, run->arena);
	*is_gone = false;
	if (!native_prepare_detail(run, &call->detail, *record, &native, err))
		return false;
	if (!page_fetch(run, &native, &place, 1, &window, err)) {
		*is_gone = err->code == ERROR_NOT_FOUND;
		return *is_gone;
	}
	*is_gone = window.records.count == 0;
	if (*is_gone)
		return true;
	*record = json_at(window.records, 0);
	if (!mapping_init(mapping, run, call, window.body, err))
		return false;
	mapping->misfits = misfits;
	return true;
}

static bool begins_with(struct str path, struct str name)
{
	return str_equal(str_cut(&path, '.'), name);
}

/* Fields that nobody wants, but for the link; they are left out all the same. */
static void map_for_link(struct mapping *mapping, struct json child, struct json *mapped)
{
	const struct run *run = mapping->run;
	const struct unified_download *download = &run->resource->download;
	const struct unified_map *map = mapping->call->map;

	for (size_t i = 0; i < map->count; i++) {
		const struct unified_map_entry *entry = &map->entries[i];
		struct json *value = &mapped[entry->field];

		for (size_t k = 0; k < download->filter_count; k++)
			if (json_is(*value, JSON_UNDEFINED) &&
			    begins_with(download->filters[k].path,
					run->resource->model->fields[entry->field].name))
				*value = mapping_evaluate(mapping, entry->expression, child);
	}
}

void mapping_add_link(struct mapping *mapping, struct json child, struct json *mapped)
{
	const struct run *run = mapping->run;
	const struct model_resource *model = run->resource->model;

	if (run->resource->download.address == NULL ||
	    (mapping->is_left_out != NULL && mapping->is_left_out[model->file_field]))
		return;
	if (run->is_wanted != NULL)
		map_for_link(mapping, child, mapped);
	struct json record = mapping->variables[CONNECTOR_VARIABLE_RECORD];

	mapped[model->file_field] =
		download_link(run, mapping_id(mapping, record, child), mapped);
}

struct json mapping_record(struct mapping *mapping, struct json record, struct json child)
{
	const struct run *run = mapping->run;
	const struct unified_map *map = mapping->call->map;
	const bool *is_left_out = mapping->is_left_out;

	mapping->variables[CONNECTOR_VARIABLE_RECORD] = record;
	if (map->is_overridden)
		return mapping_record_overridden(mapping, child);
	memset(mapping->mapped, 0, run->resource->model->field_count * sizeof *mapping->mapped);
	for (size_t i = 0; i < map->count; i++) {
		const struct unified_map_entry *entry = &map->entries[i];

		if (is_left_out == NULL || !is_left_out[entry->field])
			mapping->mapped[entry->field] =
				mapping_evaluate(mapping, entry->expression, child);
	}
	mapping_add_link(mapping, child, mapping->mapped);
	return model_conform(run->resource->model, run->arena, mapping->mapped, is_left_out,
			     run->gives_remote ? child : json_undefined(), &mapping->misfits);
}

struct str mapping_id(struct mapping *mapping, struct json record, struct json child)
{
	const struct unified_map *map = mapping->call->map;
	struct str text = {NULL, 0};

	mapping->variables[CONNECTOR_VARIABLE_RECORD] = record;
	for (size_t i = 0; i < map->count; i++) {
		struct str name = mapping->run->resource->model->fields[map->entries[i].field].name;

		if (!str_equal(name, STR("id")))
			continue;
		if (!native_text(mapping->run->arena,
				 mapping_evaluate(mapping, map->entries[i].expression, child),
				 &text))
			return (struct str){NULL, 0};
	}
	return text;
}
