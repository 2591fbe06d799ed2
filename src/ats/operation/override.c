/* Operations of accounts with overrides: what they go by, what their expressions may take in all,
 * and how a value gets into the middle of a field. */
#include "ats/operation/mapping.h"

#include <assert.h>
#include <stdio.h>

#include "base/log.h"

bool run_override(struct run *run, struct error *err)
{
	const struct operation *operation = run->operation;
	struct overrides *overrides = run->services->overrides;
	const struct overriding *overriding = operation->overriding;

	run->base = run->connector;
	if (overriding == NULL && overrides != NULL &&
	    !overriding_hold(overrides, run->home, run->account, operation->resource, &overriding,
			     err))
		return false;
	if (overriding != NULL)
		run->connector = overriding->connector;
	if (run->connector != run->base)
		run->toll = arena_zero(run->arena, sizeof *run->toll);
	return true;
}

bool run_is_overdrawn(const struct run *run)
{
	return run->toll != NULL && run->toll->has_failed;
}

/* --- what they may take ---------------------------------------------------------------------- */

/* Budgets of JSONata, as against faults of the data: the next record would end the same way. */
static bool is_budget(const char *code)
{
	static const char *const codes[] = {"U1001", "D1011", "D1012", "D1013", "D1014", "D2015"};

	for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++)
		if (strcmp(code, codes[i]) == 0)
			return true;
	return false;
}

bool toll_take(struct toll *toll, const struct toll_call *call,
	       const struct jsonata_context *context, struct json input, struct json *value,
	       struct jsonata_error *fault)
{
	bool ok = jsonata_evaluate_counted(call->expression, context, input, value, &toll->steps,
					   fault);

	if (ok && toll->steps > OVERRIDE_STEPS_MAX) {
		*fault = (struct jsonata_error){
			.code = "U1001",
			.message =
				STR("the overrides of one call need more steps than they may have"),
		};
		ok = false;
	}
	if (ok || toll->has_failed || !is_budget(fault->code))
		return ok;
	toll->has_failed = true;
	char field[sizeof toll->err.field];
	snprintf(field, sizeof field, "%.*s", STR_ARGS(call->field));
	error_set_field(&toll->err, ERROR_LIMIT, field, "an override that takes less",
			"%s of %.*s.%.*s went past its budget: %s: %.*s", call->origin,
			STR_ARGS(call->resource), STR_ARGS(call->field), fault->code,
			STR_ARGS(fault->message));
	return false;
}

/* --- within a field -------------------------------------------------------------------------- */

static struct json put_member(struct arena *arena, struct json object, struct str name,
			      struct json value)
{
	struct json_member *members = arena_array(arena, object.count + 1, sizeof *members);
	size_t count = 0, at;

	if (!json_is(object, JSON_OBJECT))
		object = json_object(NULL, 0);
	if (object.count > 0)
		memcpy(members, object.members, object.count * sizeof *members);
	count = object.count;
	for (at = 0; at < count; at++)
		if (str_equal(str_make(members[at].key, members[at].key_len), name))
			break;
	members[at] = json_member(name, value);
	return json_object(members, at == count ? count + 1 : count);
}

/* The member at the path gets the value; remote_x goes on to tell what x was read from. */
static struct json put_at(struct arena *arena, const struct model_field *field, struct json object,
			  struct str path, struct json value)
{
	struct str name = str_cut(&path, '.');
	size_t i = 0;

	/* One of a sequence of one is that one. */
	if (json_is(object, JSON_ARRAY) && object.count == 1)
		object = object.items[0];
	while (i < field->field_count && !str_equal(field->fields[i].name, name))
		i++;
	assert(i < field->field_count);
	const struct model_field *inner = &field->fields[i];
	struct json old = json_get_hashed(object, inner->name, inner->hash);

	if (path.len > 0)
		return put_member(arena, object, name, put_at(arena, inner, old, path, value));
	if (i + 1 < field->field_count && inner[1].is_remote_word &&
	    json_is(json_get_hashed(object, inner[1].name, inner[1].hash), JSON_UNDEFINED))
		object = put_member(arena, object, inner[1].name,
				    json_is(old, JSON_UNDEFINED) ? json_null() : old);
	return put_member(arena, object, name,
			  json_is(value, JSON_UNDEFINED) ? json_null() : value);
}

static struct json custom_type(struct json value)
{
	switch (value.type) {
	case JSON_STRING:
		return json_string(STR("text"));
	case JSON_INT:
	case JSON_DOUBLE:
	case JSON_NUMBER_TEXT:
		return json_string(STR("number"));
	case JSON_BOOL:
		return json_string(STR("boolean"));
	case JSON_ARRAY:
		return json_string(STR("multi_select"));
	default:
		return json_string(STR("other"));
	}
}

static struct json custom_item(struct arena *arena, struct str id, struct json value)
{
	struct json_builder members;

	json_builder_init(&members, arena);
	json_builder_set(&members, STR("id"), json_string(id));
	json_builder_set(&members, STR("name"), json_string(id));
	json_builder_set(&members, STR("type"), custom_type(value));
	json_builder_set(&members, STR("remote_type"), json_null());
	json_builder_set(&members, STR("value"), value);
	return json_builder_object(&members);
}

static bool is_named(struct arena *arena, struct json item, const char *member, struct str id)
{
	struct str text;

	return native_text(arena, json_get_c(item, member), &text) && str_equal(text, id);
}

/* The value of the custom field of this id or name, which is added where there is none. */
static struct json put_custom(struct arena *arena, struct json list, struct str id,
			      struct json value)
{
	struct json one = list;
	struct json *items;
	size_t count;

	if (json_is(list, JSON_UNDEFINED) || json_is(list, JSON_NULL))
		list = json_array(NULL, 0);
	else if (!json_is(list, JSON_ARRAY))
		list = json_array(&one, 1);
	count = list.count;
	items = arena_array(arena, count + 1, sizeof *items);
	for (size_t i = 0; i < count; i++) {
		items[i] = list.items[i];
		if (!is_named(arena, items[i], "id", id) && !is_named(arena, items[i], "name", id))
			continue;
		items[i] = put_member(arena, items[i], STR("value"),
				      json_is(value, JSON_UNDEFINED) ? json_null() : value);
		id = (struct str){NULL, 0};
	}
	if (id.len > 0 && !json_is(value, JSON_UNDEFINED) && !json_is(value, JSON_NULL))
		items[count++] = custom_item(arena, id, value);
	return json_array(items, count);
}

/* --- a record -------------------------------------------------------------------------------- */

/* A record under way: by whose expressions, and who is told of faults. */
struct overridden {
	struct mapping *mapping;
	const struct model_resource *model;
	struct toll *toll;
	struct json_builder *faults; /* NULL: nobody */
};

static struct json describe_fault(struct arena *arena, const struct toll_call *call,
				  const struct jsonata_error *fault)
{
	struct json_builder members;

	json_builder_init(&members, arena);
	json_builder_set(&members, STR("field"), json_string(call->field));
	json_builder_set(&members, STR("layer"), json_string_c(override_layer_name(call->origin)));
	json_builder_set(&members, STR("code"),
			 json_string(arena_str(arena, str_from_c(fault->code))));
	json_builder_set(&members, STR("message"), json_string(fault->message));
	json_builder_set(&members, STR("position"),
			 fault->has_position ? json_int((int64_t)fault->position) : json_null());
	json_builder_set(&members, STR("token"),
			 json_is(fault->token, JSON_UNDEFINED) ? json_null() : fault->token);
	return json_builder_object(&members);
}

/* A value that cannot be computed is null, as in any mapping; past a budget the call ends. */
static struct json evaluate(const struct overridden *overridden, const struct toll_call *call,
			    struct json input)
{
	struct mapping *mapping = overridden->mapping;
	struct jsonata_error fault;
	struct json value;

	if (overridden->toll->has_failed)
		return json_undefined();
	if (toll_take(overridden->toll, call, &mapping->context, input, &value, &fault))
		return value;
	mapping->misfits++;
	if (overridden->faults != NULL)
		json_builder_add(overridden->faults,
				 describe_fault(mapping->run->arena, call, &fault));
	else if (log_is_on(LOG_DEBUG))
		LOG(LOG_DEBUG, "override_failed", LOG_S(account_id, mapping->run->account->id),
		    LOG_S(resource, call->resource), LOG_C(error, fault.code));
	return json_undefined();
}

static void map_entry(const struct overridden *overridden, const struct unified_map_entry *entry,
		      struct json child, struct json *out)
{
	const struct toll_call call = {
		.expression = entry->expression,
		.origin = entry->origin,
		.resource = overridden->model->name,
		.field = overridden->model->fields[entry->field].name,
	};

	*out = entry->origin == NULL
		       ? mapping_evaluate(overridden->mapping, entry->expression, child)
		       : evaluate(overridden, &call, child);
}

static void map_part(const struct overridden *overridden, const struct unified_map_part *part,
		     struct json child, struct json *field)
{
	const struct model_field *model = &overridden->model->fields[part->field];
	struct arena *arena = overridden->mapping->run->arena;
	const struct toll_call call = {
		.expression = part->expression,
		.origin = part->origin,
		.resource = overridden->model->name,
		.field = arena_format(arena, "%.*s.%.*s", STR_ARGS(model->name),
				      STR_ARGS(part->path)),
	};
	struct json value = evaluate(overridden, &call, child);

	*field = model->type == MODEL_OBJECT && !model->is_list
			 ? put_at(arena, model, *field, part->path, value)
			 : put_custom(arena, *field, part->path, value);
}

static struct json map_record(const struct overridden *overridden, const struct unified_map *map,
			      const bool *is_left_out, struct json *mapped, struct json child)
{
	struct mapping *mapping = overridden->mapping;
	const struct model_resource *model = overridden->model;

	memset(mapped, 0, model->field_count * sizeof *mapped);
	for (size_t i = 0; i < map->count; i++)
		if (is_left_out == NULL || !is_left_out[map->entries[i].field])
			map_entry(overridden, &map->entries[i], child,
				  &mapped[map->entries[i].field]);
	for (size_t i = 0; i < map->part_count; i++)
		if (is_left_out == NULL || !is_left_out[map->parts[i].field])
			map_part(overridden, &map->parts[i], child, &mapped[map->parts[i].field]);
	mapping_add_link(mapping, child, mapped);
	return model_conform(model, mapping->run->arena, mapped, is_left_out,
			     mapping->run->gives_remote ? child : json_undefined(),
			     &mapping->misfits);
}

struct json mapping_record_overridden(struct mapping *mapping, struct json child)
{
	const struct overridden overridden = {.mapping = mapping,
					      .model = mapping->run->resource->model,
					      .toll = mapping->run->toll};

	return map_record(&overridden, mapping->call->map, mapping->is_left_out, mapping->mapped,
			  child);
}

/* --- what drafts would make of it ------------------------------------------------------------ */

void preview_note(struct mapping *mapping, struct json child, struct json unified)
{
	const struct run *run = mapping->run;
	struct operation_preview *preview = run->preview;
	struct str resource = run->resource->model->name;
	const struct unified_resource *draft =
		connector_find_resource(preview->draft->connector, resource);
	size_t known = connector_find_resource(run->base, resource)->model->field_count;
	const struct unified_map *map = draft->maps + (mapping->call->map - run->resource->maps);
	size_t count = draft->model->field_count;
	bool *is_left_out = arena_zero(run->arena, count + 1);
	struct json *mapped = arena_array(run->arena, count + 1, sizeof *mapped);
	struct toll toll = {0};
	struct json_builder faults;
	struct overridden overridden = {mapping, draft->model, &toll, &faults};

	if (mapping->is_left_out != NULL)
		memcpy(is_left_out, mapping->is_left_out, known * sizeof *is_left_out);
	json_builder_init(&faults, run->arena);
	struct json after = map_record(&overridden, map, is_left_out, mapped, child);

	/* A search gives back the memory of its pages. */
	preview->record = json_copy(run->home, child);
	preview->before = json_copy(run->home, unified);
	preview->after = json_copy(run->home, after);
	preview->errors = json_copy(run->home, json_builder_array(&faults));
}

/* The call of the method by whose field table a given record is read. */
static const struct unified_call *find_call(const struct run *run, struct str table)
{
	const struct unified_method *method = run->operation->method == OPERATION_LIST
						      ? &run->resource->list
						      : &run->resource->get;

	for (size_t i = 0; i < method->count; i++)
		for (size_t k = 0; k < method->alternatives[i].call_count; k++) {
			const struct unified_call *call = &method->alternatives[i].calls[k];

			if (table.len == 0 || str_equal(call->map->name, table))
				return call;
		}
	return NULL;
}

bool preview_given(struct run *run, struct error *err)
{
	struct operation_preview *preview = run->preview;
	struct json record = preview->record;
	struct mapping mapping;

	if (!plan_resource(run, err))
		return false;
	const struct unified_call *found = find_call(run, preview->table);
	if (found == NULL)
		return error_set_field(err, ERROR_INVALID, "table", NULL,
				       "%.*s reads no %.*s by that method and field table",
				       STR_ARGS(run->connector->label),
				       STR_ARGS(run->resource->model->name));
	const struct unified_call call = {.map = found->map};
	const struct unified_alternative alternative = {.calls = &call, .call_count = 1};

	run->plan = &alternative;
	run->query = json_object(NULL, 0);
	bool ok = mapping_init(&mapping, run, &call, record, err);
	if (ok)
		preview_note(&mapping, record, mapping_record(&mapping, record, record));
	mapping.misfits = 0; /* a try, not a mapping that went wrong */
	mapping_finish(&mapping);
	return ok;
}
