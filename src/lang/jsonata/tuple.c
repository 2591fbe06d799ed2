/* Paths with @ # or %: streams of tuples. A tuple is an array of values: slot 0 the item, then one
 * slot per tuple variable of the whole expression, unbound until a step binds it. */
#include "lang/jsonata/evaluate.h"

static struct json make_tuple(struct json *slots)
{
	return value_function(VALUE_KIND_TUPLE, slots);
}

static struct json *copy_slots(struct evaluation *e, const struct json *slots, uint32_t size)
{
	struct json *copy = jsonata_take(e, size * sizeof *copy);

	if (copy != NULL)
		memcpy(copy, slots, size * sizeof *copy);
	return copy;
}

struct frame *jsonata_tuple_frame(struct evaluation *e, struct json tuple,
				  const struct scope *scope, struct frame *outer)
{
	struct frame *frame = jsonata_frame(e, outer, scope_size(scope));

	if (frame != NULL)
		memcpy(frame->slots, tuple.pointer,
		       scope_tuple_size(scope) * sizeof frame->slots[0]);
	return frame;
}

/* Outside of a stream a tuple is the object that it is in the reference, "@" being its item. */
struct json jsonata_tuple_object(struct evaluation *e, struct json tuple, const struct scope *scope)
{
	const struct json *slots = tuple.pointer;
	const struct name_list *names = scope->tuple_names;
	struct json_member *members = jsonata_take(e, (names->count + 1) * sizeof *members);
	uint32_t count = 0;

	if (members == NULL)
		return value_failed();
	for (uint32_t i = 0; i <= names->count; i++) {
		struct str key = i == 0 ? STR("@") : names->items[i - 1];
		if (slots[i].type == VALUE_UNBOUND || value_is_undefined(slots[i]))
			continue;
		members[count++] = (struct json_member){key.data, (uint32_t)key.len,
							json_key_hash(key.data, key.len), slots[i]};
	}
	return json_object(members, count);
}

static bool is_tuple_stream(struct json value)
{
	return value.type == JSON_ARRAY && (value.extension & MARK_TUPLE) != 0;
}

/* --- stages -------------------------------------------------------------------------------- */

/* The tuple or plain item that a predicate is asked about. */
static struct json ask(struct evaluation *e, const struct node *filter, struct json item,
		       bool is_tuple, struct frame *frame, const struct scope *scope)
{
	struct frame *inner = is_tuple ? jsonata_tuple_frame(e, item, scope, frame)
				       : jsonata_frame(e, frame, scope_size(scope));

	if (inner == NULL)
		return value_failed();
	if (value_is_tuple(item))
		item = is_tuple ? value_tuple_item(item) : jsonata_tuple_object(e, item, scope);
	return value_is_failed(item) ? item : jsonata_run(e, filter, item, inner);
}

static struct json index_tuples(struct json tuples, struct json index)
{
	double at = value_double(index);
	int64_t position = (int64_t)at - (at < (double)(int64_t)at);

	if (position < 0)
		position += tuples.count;
	if (position < 0 || position >= tuples.count) {
		tuples.count = 0;
		return tuples;
	}
	tuples.items += position;
	tuples.count = 1;
	tuples.flags = 0;
	return tuples;
}

static int64_t floor_index(struct json number)
{
	double value = value_double(number);

	if (!(value > -1e15 && value < 1e15))
		return INT64_MAX;
	return (int64_t)value - (value < (double)(int64_t)value);
}

static bool push_selected(struct evaluation *e, struct json verdict, struct json item,
			  uint32_t position, uint32_t count)
{
	bool fails = false, is_numeric = jsonata_is_numeric(e, verdict, &fails);
	const struct json *numbers = is_numeric ? &verdict : verdict.items;
	uint32_t number_count = is_numeric ? 1 : verdict.count;
	bool are_numbers = is_numeric || verdict.type == JSON_ARRAY;

	if (fails)
		return false;
	for (uint32_t i = 0; are_numbers && i < number_count; i++)
		are_numbers = jsonata_is_numeric(e, numbers[i], &fails);
	if (fails)
		return false;
	if (!are_numbers) {
		int truth = jsonata_truth(e, verdict);
		return truth >= 0 && (truth == 0 || jsonata_push(e, item));
	}
	for (uint32_t i = 0; i < number_count; i++) {
		int64_t at = floor_index(numbers[i]);
		if ((at < 0 ? at + count : at) == position && !jsonata_push(e, item))
			return false;
	}
	return true;
}

struct json jsonata_filter_tuples(struct evaluation *e, const struct node *filter,
				  struct json tuples, struct frame *frame,
				  const struct scope *scope)
{
	uint32_t base = e->top;
	bool is_tuple = is_tuple_stream(tuples);
	uint16_t marks = MARK_SEQUENCE | (is_tuple ? MARK_TUPLE : 0);
	struct json single = tuples;

	if (tuples.type != JSON_ARRAY)
		tuples = json_array(&single, 1);
	if (filter->is_index_literal &&
	    (is_tuple || (tuples.count > 0 && value_is_tuple(tuples.items[0]))))
		return index_tuples(tuples, filter->literal);
	if (filter->is_index_literal)
		return jsonata_filter(e, filter, single, frame);
	for (uint32_t i = 0; i < tuples.count; i++) {
		struct json item = tuples.items[i];
		if (!jsonata_spend(e))
			return value_failed();
		struct json verdict = ask(e, filter, item, is_tuple, frame, scope);
		if (value_is_failed(verdict) || !push_selected(e, verdict, item, i, tuples.count))
			return value_failed();
	}
	return jsonata_finish_array(e, base, marks);
}

static void number_tuples(struct json tuples, uint32_t slot)
{
	for (uint32_t i = 0; i < tuples.count; i++) {
		/* These tuples were made by this very step: nobody else holds them. */
		struct json *slots = (struct json *)(uintptr_t)tuples.items[i].pointer;
		slots[slot] = json_int(i);
	}
}

static struct json run_stages(struct evaluation *e, const struct step *step, struct json tuples,
			      struct frame *frame, const struct scope *scope)
{
	for (uint32_t i = 0; i < step->stage_count && !value_is_failed(tuples); i++) {
		if (step->stages[i].filter == NULL)
			number_tuples(tuples, step->stages[i].index_slot);
		else
			tuples = jsonata_filter_tuples(e, step->stages[i].filter, tuples, frame,
						       scope);
	}
	return tuples;
}

/* --- steps --------------------------------------------------------------------------------- */

struct stream {
	struct evaluation *e;
	const struct path *path;
	struct frame *frame;
	uint32_t size;	    /* slots of a tuple */
	struct json tuples; /* marked MARK_TUPLE */
};

/* The tuple that results from `from` with one item of a step's answer. */
static bool push_tuple(struct stream *s, const struct step *step, const struct json *from,
		       struct json item, bool is_tuple, uint32_t index)
{
	struct json *slots = copy_slots(s->e, from, s->size);

	if (slots == NULL)
		return false;
	if (is_tuple) {
		const struct json *inner = item.pointer;
		for (uint32_t i = 0; i < s->size; i++)
			if (inner[i].type != VALUE_UNBOUND)
				slots[i] = inner[i];
		return jsonata_push(s->e, make_tuple(slots));
	}
	slots[step->focus_slot] = item; /* slot 0 when the step binds no focus */
	if (step->index_slot != 0)
		slots[step->index_slot] = json_int(index);
	if (step->ancestor_slot != 0)
		slots[step->ancestor_slot] = from[0];
	return jsonata_push(s->e, make_tuple(slots));
}

static bool extend_tuple(struct stream *s, const struct step *step, struct json tuple)
{
	const struct json *from = tuple.pointer;
	struct frame *frame = jsonata_tuple_frame(s->e, tuple, s->path->tuple_scope, s->frame);

	if (frame == NULL || !jsonata_spend(s->e))
		return false;
	struct json value = jsonata_run(s->e, step->node, from[0], frame);
	if (value_is_failed(value))
		return false;
	if (value_is_undefined(value))
		return true;
	if (value.type != JSON_ARRAY)
		return push_tuple(s, step, from, value, false, 0);
	for (uint32_t i = 0; i < value.count; i++)
		if (!jsonata_spend(s->e) ||
		    !push_tuple(s, step, from, value.items[i], is_tuple_stream(value), i))
			return false;
	return true;
}

static bool wrap_tuples(struct stream *s, struct json items, uint32_t index_slot)
{
	uint32_t base = s->e->top;

	for (uint32_t i = 0; i < items.count; i++) {
		struct json *slots = jsonata_take(s->e, s->size * sizeof *slots);
		if (slots == NULL || !jsonata_spend(s->e))
			return false;
		for (uint32_t k = 1; k < s->size; k++)
			slots[k] = value_unbound();
		slots[0] = items.items[i];
		if (index_slot != 0)
			slots[index_slot] = json_int(i);
		if (!jsonata_push(s->e, make_tuple(slots)))
			return false;
	}
	s->tuples = jsonata_finish_array(s->e, base, MARK_SEQUENCE | MARK_TUPLE);
	return !value_is_failed(s->tuples);
}

static bool sort_stream(struct stream *s, const struct step *step, struct json items, bool is_first)
{
	const struct scope *scope = s->path->tuple_scope;

	if (!is_first) {
		s->tuples = jsonata_sort_by(s->e, step->node, s->tuples, s->frame, scope);
		return !value_is_failed(s->tuples);
	}
	struct json sorted = jsonata_sort_by(s->e, step->node, items, s->frame, scope);
	return !value_is_failed(sorted) && wrap_tuples(s, sorted, step->index_slot);
}

/* The first tuples have nothing but an item each: they are made one at a time, in the same place,
 * for what comes of them has copies. */
static bool extend_items(struct stream *s, const struct step *step, struct json items)
{
	struct json *slots = jsonata_take(s->e, s->size * sizeof *slots);

	if (slots == NULL)
		return false;
	for (uint32_t k = 1; k < s->size; k++)
		slots[k] = value_unbound();
	for (uint32_t i = 0; i < items.count; i++) {
		slots[0] = items.items[i];
		if (!jsonata_spend(s->e) || !extend_tuple(s, step, make_tuple(slots)))
			return false;
	}
	return true;
}

static bool extend_tuples(struct stream *s, const struct step *step)
{
	for (uint32_t i = 0; i < s->tuples.count; i++)
		if (!extend_tuple(s, step, s->tuples.items[i]))
			return false;
	return true;
}

static bool run_tuple_step(struct stream *s, const struct step *step, struct json items,
			   bool is_first)
{
	uint32_t base = s->e->top;

	if (step->node->kind == NODE_SORT) {
		if (!sort_stream(s, step, items, is_first))
			return false;
	} else {
		if (is_first ? !extend_items(s, step, items) : !extend_tuples(s, step))
			return false;
		s->tuples = jsonata_finish_array(s->e, base, MARK_SEQUENCE | MARK_TUPLE);
	}
	if (!value_is_failed(s->tuples))
		s->tuples = run_stages(s->e, step, s->tuples, s->frame, s->path->tuple_scope);
	return !value_is_failed(s->tuples);
}

/* The steps before the first that makes tuples, as an array of items. */
static APART struct json run_head(struct evaluation *e, const struct path *path, struct json input,
				  struct frame *frame)
{
	uint32_t base = e->top;
	struct node head = {.run = jsonata_run_path, .kind = NODE_PATH, .path = *path};

	head.path.count = head.path.tuple_from = path->tuple_from;
	head.path.group = NULL;
	head.path.keeps_singleton = false;
	head.path.is_head = true;
	head.path.wants_sequence = true;
	struct json value = head.run(e, &head, input, frame);
	if (value_is_undefined(value))
		return VALUE_SEQUENCE_EMPTY;
	if (value_is_failed(value) ||
	    (value.type == JSON_ARRAY &&
	     (path->steps[0].is_cons || (value.extension & MARK_CONS) == 0)))
		return value;
	if (!jsonata_push(e, value))
		return value_failed();
	return jsonata_finish_array(e, base, MARK_SEQUENCE);
}

static struct json wrap_alone(struct evaluation *e, struct json input)
{
	uint32_t base = e->top;

	if (!jsonata_push(e, input))
		return value_failed();
	return jsonata_finish_array(e, base, MARK_SEQUENCE);
}

/* What the first step that makes tuples is asked of: an array, or *input alone. That stands in the
 * caller's frame; an array constructor, which may pass its whole context on, gets a copy. */
static struct json first_items(struct evaluation *e, const struct path *path,
			       const struct json *input, struct frame *frame)
{
	if (path->tuple_from > 0)
		return run_head(e, path, *input, frame);
	if (input->type == JSON_ARRAY && !path->steps[0].is_variable)
		return *input;
	if (path->steps[0].is_cons)
		return wrap_alone(e, *input);
	return (struct json){
		.type = JSON_ARRAY, .extension = MARK_SEQUENCE, .count = 1, .items = input};
}

static bool run_tuple_steps(struct stream *s, struct json items)
{
	const struct path *path = s->path;
	uint32_t first = path->tuple_from;

	if (first == 0 && path->steps[0].is_cons) {
		/* An array constructor at the front is evaluated once, and makes no tuples. */
		struct frame *frame = jsonata_frame(s->e, s->frame, scope_size(path->tuple_scope));
		if (frame == NULL)
			return false;
		struct json list = jsonata_run(s->e, path->steps[0].node, items, frame);
		if (value_is_failed(list))
			return false;
		if (path->steps[0].focus_slot == 0)
			items = list.type == JSON_ARRAY ? list : VALUE_SEQUENCE_EMPTY;
		first = 1;
	}
	for (uint32_t i = first; i < path->count; i++)
		if (!run_tuple_step(s, &path->steps[i], items, i == first))
			return false;
	return first < path->count || wrap_tuples(s, items, 0);
}

static struct json unwrap(struct evaluation *e, struct json tuples)
{
	uint32_t base = e->top;

	for (uint32_t i = 0; i < tuples.count; i++)
		if (!jsonata_push(e, value_tuple_item(tuples.items[i])))
			return value_failed();
	return jsonata_finish_array(e, base, MARK_SEQUENCE);
}

/* The steps before the tuples gave nothing: the empty array of a constructor stays one. */
static struct json finish_nothing(struct evaluation *e, const struct path *path, struct json items)
{
	if (value_is_sequence(items))
		return json_undefined();
	if (!path->keeps_singleton || (items.extension & MARK_CONS) == 0)
		return items;
	uint32_t base = e->top;
	if (!jsonata_push(e, items))
		return value_failed();
	return jsonata_finish_array(e, base, MARK_SEQUENCE | MARK_KEEP);
}

static struct json as_objects(struct evaluation *e, struct json tuples, const struct scope *scope)
{
	uint32_t base = e->top;

	for (uint32_t i = 0; i < tuples.count; i++)
		if (!jsonata_spend(e) ||
		    !jsonata_push(e, jsonata_tuple_object(e, tuples.items[i], scope)))
			return value_failed();
	return jsonata_finish_array(e, base, tuples.extension);
}

static struct json hand_on(const struct stream *s)
{
	if (!s->path->hands_tuples_on)
		return unwrap(s->e, s->tuples);
	if (!is_tuple_stream(s->tuples))
		return as_objects(s->e, s->tuples, s->path->tuple_scope);
	return s->tuples;
}

struct json jsonata_run_tuple_path(struct evaluation *e, const struct node *node, struct json input,
				   struct frame *frame)
{
	const struct path *path = &node->path;
	struct stream s = {
		.e = e, .path = path, .frame = frame, .size = scope_tuple_size(path->tuple_scope)};

	if (!jsonata_enter(e))
		return value_failed();
	struct json items = first_items(e, path, &input, frame), value;
	if (value_is_failed(items))
		return items;
	if (path->tuple_from > 0 && items.count == 0) {
		jsonata_leave(e);
		if (path->group == NULL)
			return finish_nothing(e, path, items);
		return jsonata_group(e, path->group, path->group_position, items, frame,
				     path->tuple_scope);
	}
	if (!run_tuple_steps(&s, items))
		return value_failed();
	value = hand_on(&s);
	if (path->keeps_singleton && !value_is_failed(value))
		value.extension |= MARK_KEEP;
	if (path->group != NULL && !value_is_failed(value))
		value = jsonata_group(e, path->group, path->group_position, s.tuples, frame,
				      path->tuple_scope);
	jsonata_leave(e);
	return value;
}
