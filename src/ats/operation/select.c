/* Which fields of its records an operation gives, and therefore maps. */
#include <assert.h>
#include <stdio.h>

#include "ats/operation/run.h"

enum { NAMES_MAX = 200 };

/* Of the fields of a record or an object, one entry each: NULL leaves it out, another selection
 * takes parts of it. */
struct selection {
	const struct selection **parts; /* NULL: all of it */
};

static const struct selection all_of_it;

/* --- making one ------------------------------------------------------------------------------ */

static struct selection *make(struct arena *arena, size_t count, const struct selection *each)
{
	struct selection *selection = arena_zero(arena, sizeof *selection);

	selection->parts = arena_array(arena, count + 1, sizeof *selection->parts);
	for (size_t i = 0; i < count; i++)
		selection->parts[i] = each;
	return selection;
}

static size_t find(const struct model_field *fields, size_t count, struct str name)
{
	size_t i = 0;

	while (i < count && !str_equal(fields[i].name, name))
		i++;
	return i;
}

/* Adds or takes away what is at the path, which is there. */
static void mark(struct arena *arena, struct selection *selection, const struct model_field *fields,
		 size_t count, struct str path, bool is_taken)
{
	struct str name = str_cut(&path, '.');
	size_t i = find(fields, count, name);

	assert(i < count);
	const struct selection *old = selection->parts[i];
	if (path.len == 0) {
		selection->parts[i] = is_taken ? &all_of_it : NULL;
		return;
	}
	/* To all nothing is to be added; from nothing, nothing is to be taken away. */
	if (old == (is_taken ? &all_of_it : NULL))
		return;
	struct selection *inner = make(arena, fields[i].field_count, is_taken ? NULL : &all_of_it);

	if (old != NULL && old->parts != NULL)
		memcpy(inner->parts, old->parts, fields[i].field_count * sizeof *inner->parts);
	selection->parts[i] = inner;
	mark(arena, inner, fields[i].fields, fields[i].field_count, path, is_taken);
}

static bool refuse(const struct run *run, const char *parameter, struct str name, struct error *err)
{
	const struct model_resource *model = run->resource->model;
	struct name_list names = {0};

	for (size_t i = 0; i < model->field_count; i++)
		name_list_add(&names, model->fields[i].name);
	return error_set_field(err, ERROR_INVALID, parameter, names.text,
			       "%.*s have no field \"%.*s\"", STR_ARGS(model->name),
			       STR_ARGS(str_slice(name, 0, 64)));
}

/* "a,b.c" of the parameter, marked one by one. */
static bool mark_all(struct run *run, struct selection *selection, const char *parameter,
		     struct str list, bool is_taken, struct error *err)
{
	const struct model_resource *model = run->resource->model;
	size_t count = 0;

	while (list.len > 0) {
		struct str name = str_trim(str_cut(&list, ','));

		if (++count > NAMES_MAX)
			return error_set_field(err, ERROR_INVALID, parameter, "at most 200 names",
					       "%s has too many names", parameter);
		if (str_equal(name, STR("remote_data")))
			run->gives_remote = is_taken && run->operation->remote_data;
		else if (model_find_path(model, name, NULL) == NULL)
			return refuse(run, parameter, name, err);
		else
			mark(run->arena, selection, model->fields, model->field_count, name,
			     is_taken);
	}
	return true;
}

/* --- what has to be mapped ------------------------------------------------------------------- */

static void need_path(struct run *run, bool *is_wanted, struct str path)
{
	size_t root;

	if (model_find_path(run->resource->model, path, &root) != NULL)
		is_wanted[root] = true;
}

/* Beside what is given: what filters compare, what finds the record again, what it is keyed by,
 * and x for remote_x. */
static void find_wanted(struct run *run)
{
	const struct model_resource *model = run->resource->model;
	bool *is_wanted = arena_zero(run->arena, model->field_count + 1);

	for (size_t i = 0; i < model->field_count; i++)
		is_wanted[i] = run->selection->parts[i] != NULL;
	for (size_t i = 0; i < run->filter_count; i++)
		if (run->filters[i].is_checked)
			is_wanted[run->filters[i].model->root] = true;
	for (size_t i = 0; i < run->plan->expand_count; i++)
		need_path(run, is_wanted, run->plan->expands[i].path);
	need_path(run, is_wanted, run->operation->key_by);
	for (size_t i = 0; i < run->operation->sort_count; i++)
		need_path(run, is_wanted, run->operation->sorts[i].path);
	need_path(run, is_wanted, STR("id"));
	for (size_t i = 1; i < model->field_count; i++)
		if (model->fields[i].is_remote_word && is_wanted[i])
			is_wanted[i - 1] = true;
	run->is_wanted = is_wanted;
}

bool select_lacks(const struct run *run, const bool *is_absent)
{
	for (size_t i = 0; is_absent != NULL && i < run->resource->model->field_count; i++)
		if (is_absent[i] && (run->selection == NULL || run->selection->parts[i] != NULL))
			return true;
	return false;
}

bool select_lacks_of(const struct run *run, struct json record)
{
	const struct model_resource *model = run->resource->model;

	for (size_t i = 0; i < model->field_count; i++)
		if ((run->selection == NULL || run->selection->parts[i] != NULL) &&
		    json_is(json_get_hashed(record, model->fields[i].name, model->fields[i].hash),
			    JSON_UNDEFINED))
			return true;
	return false;
}

bool select_check_single(const struct run *run, const char *parameter, struct str path,
			 struct error *err)
{
	const struct model_resource *model = run->resource->model;
	const struct model_field *fields = model->fields, *field = NULL;
	size_t count = model->field_count;
	struct str rest = path;

	if (run->operation->method != OPERATION_LIST)
		return error_set_field(err, ERROR_INVALID, parameter, "a list", "%s is for lists",
				       parameter);
	do {
		size_t i = find(fields, count, str_cut(&rest, '.'));

		if (i == count)
			return refuse(run, parameter, path, err);
		field = &fields[i];
		fields = field->fields;
		count = field->field_count;
	} while (rest.len > 0 && !field->is_list && field->type == MODEL_OBJECT);
	if (rest.len == 0 && !field->is_list && field->type != MODEL_OBJECT &&
	    field->type != MODEL_ANY)
		return true;
	return error_set_field(err, ERROR_INVALID, parameter, "a field with one value, such as id",
			       "\"%.*s\" is not one value of each record",
			       STR_ARGS(str_slice(path, 0, 64)));
}

bool select_make(struct run *run, struct error *err)
{
	const struct operation *operation = run->operation;
	struct selection *selection;

	if (operation->key_by.len > 0 &&
	    !select_check_single(run, "key_by", operation->key_by, err))
		return false;
	if (operation->fields.len == 0 && operation->exclude_fields.len == 0)
		return true;
	if (operation->fields.len > 0)
		run->gives_remote = false;
	selection = make(run->arena, run->resource->model->field_count,
			 operation->fields.len > 0 ? NULL : &all_of_it);
	if (!mark_all(run, selection, "fields", operation->fields, true, err) ||
	    !mark_all(run, selection, "exclude_fields", operation->exclude_fields, false, err))
		return false;
	run->selection = selection;
	find_wanted(run);
	return true;
}

/* --- records --------------------------------------------------------------------------------- */

static struct json apply(struct arena *arena, const struct selection *selection,
			 const struct model_field *fields, size_t count, struct json value)
{
	struct json_member *members;
	size_t kept = 0, field = 0;

	if (selection->parts == NULL)
		return value;
	if (json_is(value, JSON_ARRAY)) {
		struct json *items = arena_array(arena, value.count + 1, sizeof *items);

		for (size_t i = 0; i < value.count; i++)
			items[i] = apply(arena, selection, fields, count, json_at(value, i));
		return json_array(items, value.count);
	}
	if (!json_is(value, JSON_OBJECT))
		return value;
	members = arena_array(arena, value.count + 1, sizeof *members);
	for (size_t i = 0; i < value.count; i++) {
		struct json_member member = value.members[i];
		struct str key = str_make(member.key, member.key_len);

		/* Members stand in the model's order. */
		while (field < count && !str_equal(fields[field].name, key))
			field++;
		if (field == count) /* remote_data, the last one */
			members[kept++] = member;
		else if (selection->parts[field] != NULL) {
			member.value = apply(arena, selection->parts[field], fields[field].fields,
					     fields[field].field_count, member.value);
			members[kept++] = member;
		}
	}
	return json_object(members, kept);
}

static struct json select_apply(const struct run *run, struct json record)
{
	const struct model_resource *model = run->resource->model;

	if (run->selection == NULL)
		return record;
	return apply(run->arena, run->selection, model->fields, model->field_count, record);
}

/* Nothing is dropped: two records of one key, or one without, are told. */
static bool add_keyed(const struct run *run, struct json_builder *out, struct json record,
		      struct error *err)
{
	struct str key, path = run->operation->key_by;

	if (!native_text(run->arena, json_get_path(record, path), &key))
		return error_set_field(err, ERROR_INVALID, "key_by", "id",
				       "a record has no \"%.*s\" to be keyed by", STR_ARGS(path));
	if (!json_is(json_get(json_builder_object(out), key), JSON_UNDEFINED))
		return error_set_field(err, ERROR_INVALID, "key_by", "id",
				       "two records of this page have the same \"%.*s\"",
				       STR_ARGS(path));
	json_builder_set(out, key, select_apply(run, record));
	return true;
}

bool select_records(struct run *run, struct error *err)
{
	struct operation_result *result = run->result;
	struct json *items = arena_array(run->arena, result->items.count + 1, sizeof *items);
	struct json_builder keyed;

	result->item = select_apply(run, result->item);
	json_builder_init(&keyed, run->arena);
	for (size_t i = 0; i < result->items.count; i++) {
		if (run->operation->key_by.len > 0 &&
		    !add_keyed(run, &keyed, json_at(result->items, i), err))
			return false;
		items[i] = select_apply(run, json_at(result->items, i));
	}
	result->items = json_array(items, result->items.count);
	result->keyed = json_undefined();
	if (run->operation->key_by.len > 0)
		result->keyed = json_builder_object(&keyed);
	return true;
}
