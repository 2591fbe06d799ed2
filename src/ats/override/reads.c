/* Lists and gets with overrides: their field tables, and what they ask the ATS for. */
#include "ats/override/effect.h"

struct reading {
	struct arena *arena;
	const struct target *targets;
	size_t count;
	const struct unified_resource *base;
	struct unified_resource *out;
	struct str method; /* list or get */
};

static bool begins_with(struct str path, struct str prefix)
{
	return str_starts_with(path, prefix) &&
	       (path.len == prefix.len || path.data[prefix.len] == '.');
}

/* Is something at the path of the record overridden? The ATS then compares, and sorts by, something
 * else, and tenon has to do it. */
static bool is_moved(const struct reading *reading, struct str path)
{
	for (size_t i = 0; path.len > 0 && i < reading->count; i++) {
		const struct target *target = &reading->targets[i];

		if (target_is_of(target, reading->base) && !target->is_request &&
		    (begins_with(path, target->override->field) ||
		     begins_with(target->override->field, path)))
			return true;
	}
	return false;
}

static bool is_filter_moved(const struct reading *reading, struct str filter)
{
	const struct model_filter *model = model_find_filter(reading->base->model, filter);

	return model != NULL && is_moved(reading, model->path);
}

static bool is_required(const struct unified_alternative *alternative, struct str filter)
{
	for (size_t i = 0; i < alternative->when_count; i++)
		if (str_equal(alternative->when[i], filter))
			return true;
	return false;
}

static bool is_query_of(const struct reading *reading, const struct target *target,
			const struct native_method *native)
{
	return target_is_of(target, reading->base) && target->is_request && target->is_query &&
	       target->native == native && str_equal(target->method, reading->method);
}

/* The last override of the parameter, so that of the latest layer; NULL: none. */
static const struct target *find_query(const struct reading *reading,
				       const struct native_method *native, struct str name)
{
	const struct target *found = NULL;

	for (size_t i = 0; i < reading->count; i++)
		if (is_query_of(reading, &reading->targets[i], native) &&
		    str_equal(reading->targets[i].path, name))
			found = &reading->targets[i];
	return found;
}

static bool is_asked_otherwise(const struct reading *reading, const struct native_method *native)
{
	for (size_t i = 0; i < reading->count; i++)
		if (is_query_of(reading, &reading->targets[i], native))
			return true;
	return false;
}

/* What a list is asked for may change its order: none is promised then, and pages are joined by
 * the records' ids. */
static const struct native_method *without_order(struct arena *arena,
						 const struct native_method *native)
{
	struct native_method *out = arena_alloc(arena, sizeof *out);

	*out = *native;
	out->page.order_by = (struct str){NULL, 0};
	return out;
}

static void make_call(const struct reading *reading, const struct unified_alternative *alternative,
		      const struct unified_call *base, struct unified_call *call)
{
	struct call_argument *arguments = arena_array(
		reading->arena, base->argument_count + reading->count + 1, sizeof *arguments);
	bool is_list = str_equal(reading->method, STR("list"));
	size_t count = 0;

	*call = *base;
	call->map = effect_map(reading->base, reading->out, base->map);
	if (is_asked_otherwise(reading, base->method))
		call->method = without_order(reading->arena, base->method);
	for (size_t i = 0; i < base->argument_count; i++) {
		const struct call_argument *argument = &base->arguments[i];
		bool is_free = !argument->is_path && argument->filter.len == 0;

		if (is_free && find_query(reading, base->method, argument->name) != NULL)
			continue;
		/* What is given with an id only helps to find it. */
		if (argument->is_path || argument->filter.len == 0 || !is_list ||
		    is_required(alternative, argument->filter) ||
		    !is_filter_moved(reading, argument->filter))
			arguments[count++] = *argument;
	}
	for (size_t i = 0; i < reading->count; i++) {
		const struct target *target = &reading->targets[i];

		if (is_query_of(reading, target, base->method) &&
		    find_query(reading, base->method, target->path) == target)
			arguments[count++] = (struct call_argument){.name = target->path,
								    .value = target->expression,
								    .origin = target->origin};
	}
	call->arguments = arguments;
	call->argument_count = count;
}

/* New fields are never absent. */
static const bool *extend(const struct reading *reading, const bool *is_absent)
{
	bool *out;

	if (is_absent == NULL)
		return NULL;
	out = arena_zero(reading->arena, reading->out->model->field_count + 1);
	memcpy(out, is_absent, reading->base->model->field_count * sizeof *out);
	return out;
}

/* A filter which an alternative is chosen for is asked of the ATS all the same; tenon applies it
 * as well where its field is overridden. */
static void add_matches(const struct reading *reading, struct unified_alternative *out)
{
	size_t count = out->match_count;
	struct str *matches =
		arena_array(reading->arena, count + out->when_count + 1, sizeof *matches);

	if (count > 0)
		memcpy(matches, out->matches, count * sizeof *matches);
	for (size_t i = 0; i < out->when_count; i++)
		if (is_filter_moved(reading, out->when[i]))
			matches[count++] = out->when[i];
	out->matches = matches;
	out->match_count = count;
}

/* Orders which the ATS still gives. */
static void keep_sorts(const struct reading *reading, struct unified_alternative *out)
{
	struct unified_sort *sorts =
		arena_array(reading->arena, out->sort_count + 1, sizeof *sorts);
	bool is_otherwise = false;
	size_t count = 0;

	for (size_t i = 0; i < out->call_count; i++)
		is_otherwise |= is_asked_otherwise(reading, out->calls[i].method);
	for (size_t i = 0; i < out->sort_count && !is_otherwise; i++)
		if (!is_moved(reading, out->sorts[i].path))
			sorts[count++] = out->sorts[i];
	out->sorts = sorts;
	out->sort_count = count;
}

static void make_method(const struct reading *reading, const struct unified_method *base,
			struct unified_method *out)
{
	struct unified_alternative *alternatives =
		arena_array(reading->arena, base->count + 1, sizeof *alternatives);

	out->alternatives = alternatives;
	out->count = base->count;
	for (size_t i = 0; i < base->count; i++) {
		struct unified_alternative *alternative = &alternatives[i];
		struct unified_call *calls;

		*alternative = base->alternatives[i];
		calls = arena_array(reading->arena, alternative->call_count + 1, sizeof *calls);
		for (size_t k = 0; k < alternative->call_count; k++)
			make_call(reading, &base->alternatives[i], &alternative->calls[k],
				  &calls[k]);
		keep_sorts(reading, alternative);
		alternative->calls = calls;
		alternative->is_absent = extend(reading, alternative->is_absent);
		alternative->is_maybe_absent = extend(reading, alternative->is_maybe_absent);
		if (str_equal(reading->method, STR("list")))
			add_matches(reading, alternative);
	}
}

void effect_make_reads(struct arena *arena, const struct target *targets, size_t count,
		       const struct unified_resource *base, struct unified_resource *out)
{
	const struct reading list = {arena, targets, count, base, out, STR("list")};
	const struct reading get = {arena, targets, count, base, out, STR("get")};

	make_method(&list, &base->list, &out->list);
	make_method(&get, &base->get, &out->get);
}
