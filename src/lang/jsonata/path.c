/* Paths: steps, predicates, wildcards. A step over one item that is no array builds no sequence;
 * only when an array comes along do the items go to the scratch stack. */
#include <math.h>

#include "lang/jsonata/evaluate.h"

/* --- fields -------------------------------------------------------------------------------- */

static bool push_member(struct evaluation *e, struct json value, struct str key, uint32_t hash,
			uint32_t depth)
{
	if (value.type == JSON_OBJECT) {
		struct json found = jsonata_member(e, value, key, hash);
		if (value_is_undefined(found))
			return true;
		if (found.type == JSON_ARRAY)
			return jsonata_push_all(e, found.items, found.count);
		return jsonata_push(e, found);
	}
	if (value.type != JSON_ARRAY)
		return true;
	if (depth > DATA_DEPTH_MAX)
		return jsonata_too_deep(e);
	for (uint32_t i = 0; i < value.count; i++)
		if (!jsonata_spend(e) || !push_member(e, value.items[i], key, hash, depth + 1))
			return false;
	return true;
}

struct json jsonata_lookup(struct evaluation *e, struct json value, struct str key, uint32_t hash)
{
	uint32_t base = e->top;

	if (value.type == JSON_OBJECT)
		return jsonata_member(e, value, key, hash);
	if (value.type != JSON_ARRAY)
		return json_undefined();
	if (!push_member(e, value, key, hash, 0))
		return value_failed();
	return jsonata_finish_array(e, base, MARK_SEQUENCE);
}

struct json jsonata_run_name(struct evaluation *e, const struct node *node, struct json input,
			     struct frame *frame)
{
	(void)frame;
	return jsonata_lookup(e, input, node->name.key, node->name.hash);
}

/* A step's answer to one item, as an array that a next step reads; see walk_list(). */
static struct json finish_field(struct evaluation *e, uint32_t base, uint32_t defined,
				struct json only)
{
	if (defined == 1 && only.type == JSON_ARRAY && (only.extension & MARK_SEQUENCE) == 0) {
		e->top = base;
		return only;
	}
	return jsonata_finish_sequence(e, base);
}

static APART struct json field_of_items(struct evaluation *e, const struct node *node,
					struct json input)
{
	uint32_t base = e->top, defined = 0;
	struct json only = json_undefined();

	for (uint32_t i = 0; i < input.count; i++) {
		struct json item = input.items[i], found;
		if (!jsonata_spend(e))
			return value_failed();
		found = jsonata_lookup(e, item, node->name.key, node->name.hash);
		if (value_is_sequence(found))
			found = jsonata_settle(found, false);
		if (value_is_failed(found))
			return found;
		if (value_is_undefined(found))
			continue;
		defined++;
		only = found;
		bool is_pushed = found.type == JSON_ARRAY && (found.extension & MARK_CONS) == 0
					 ? jsonata_push_all(e, found.items, found.count)
					 : jsonata_push(e, found);
		if (!is_pushed)
			return value_failed();
	}
	return finish_field(e, base, defined, only);
}

/* A path of one name. */
struct json jsonata_run_field(struct evaluation *e, const struct node *node, struct json input,
			      struct frame *frame)
{
	(void)frame;
	if (input.type == JSON_OBJECT) {
		struct json found = jsonata_member(e, input, node->name.key, node->name.hash);
		/* A sequence that an object constructor stored is one of its own here. */
		if (value_is_sequence(found))
			found.extension = MARK_SEQUENCE;
		return found;
	}
	return input.type == JSON_ARRAY ? field_of_items(e, node, input) : json_undefined();
}

/* --- predicates ---------------------------------------------------------------------------- */

static struct json item_at(struct json input, struct json index)
{
	double at = floor(value_double(index));
	struct json item;

	if (at < 0)
		at += input.count;
	if (!(at >= 0 && at < input.count))
		return VALUE_SEQUENCE_EMPTY;
	item = input.items[(uint32_t)at];
	return value_is_undefined(item) ? VALUE_SEQUENCE_EMPTY : item;
}

static bool index_is(struct json index, uint32_t position, uint32_t count)
{
	double at = floor(value_double(index));

	return at == position || (at < 0 && at + count == position);
}

/* How often the item at `position` is selected; -1 for a failure. */
static int selects(struct evaluation *e, struct json verdict, uint32_t position, uint32_t count)
{
	bool fails = false;
	int times = 0;

	if (verdict.type == JSON_BOOL)
		return verdict.boolean;
	if (jsonata_is_numeric(e, verdict, &fails))
		return index_is(verdict, position, count);
	if (fails)
		return -1;
	if (verdict.type != JSON_ARRAY)
		return jsonata_truth(e, verdict);
	if (!jsonata_spend_many(e, verdict.count / 4))
		return -1;
	for (uint32_t i = 0; i < verdict.count; i++) {
		if (!jsonata_is_numeric(e, verdict.items[i], &fails))
			return fails ? -1 : jsonata_truth(e, verdict);
	}
	for (uint32_t i = 0; i < verdict.count; i++)
		times += index_is(verdict.items[i], position, count);
	return times;
}

/* What selected a missing item is a sequence of one missing item, which may still count. */
static APART struct json selected_missing(struct evaluation *e)
{
	uint32_t base = e->top;

	if (!jsonata_push(e, json_undefined()))
		return value_failed();
	return jsonata_finish_array(e, base, MARK_SEQUENCE);
}

static struct json filter_one(struct evaluation *e, const struct node *filter, struct json item,
			      struct frame *frame)
{
	if (!jsonata_spend(e))
		return value_failed();
	if (filter->is_index_literal) {
		double at = floor(value_double(filter->literal));
		return (at == 0 || at == -1) && !value_is_undefined(item) ? item
									  : VALUE_SEQUENCE_EMPTY;
	}
	struct json verdict = jsonata_run(e, filter, item, frame);
	if (value_is_failed(verdict))
		return verdict;
	int times = selects(e, verdict, 0, 1);
	if (times < 0)
		return value_failed();
	if (times == 0)
		return VALUE_SEQUENCE_EMPTY;
	if (times == 1)
		return value_is_undefined(item) ? selected_missing(e) : item;
	uint32_t base = e->top;
	for (int i = 0; i < times; i++)
		if (!jsonata_push(e, item))
			return value_failed();
	return jsonata_finish_array(e, base, MARK_SEQUENCE);
}

struct json jsonata_filter(struct evaluation *e, const struct node *filter, struct json input,
			   struct frame *frame)
{
	uint32_t base = e->top;

	if (input.type != JSON_ARRAY)
		return filter_one(e, filter, input, frame);
	if (filter->is_index_literal)
		return item_at(input, filter->literal);
	for (uint32_t i = 0; i < input.count; i++) {
		struct json item = input.items[i];
		if (!jsonata_spend(e))
			return value_failed();
		struct json verdict = jsonata_run(e, filter, item, frame);
		if (value_is_failed(verdict))
			return verdict;
		int times = selects(e, verdict, i, input.count);
		if (times < 0)
			return value_failed();
		for (; times > 0; times--)
			if (!jsonata_push(e, item))
				return value_failed();
	}
	if (e->top == base + 1 && e->scratch[base].type != JSON_ARRAY &&
	    !value_is_undefined(e->scratch[base])) {
		e->top = base;
		return e->scratch[base];
	}
	return jsonata_finish_array(e, base, MARK_SEQUENCE);
}

/* a[]: the answer stays an array. `wraps_cons`: even an array constructor becomes an item. */
static struct json keep_singleton(struct evaluation *e, struct json value, bool wraps_cons)
{
	if (value.type == JSON_ARRAY && (value.extension & MARK_SEQUENCE) != 0) {
		value.extension |= MARK_KEEP;
		return value;
	}
	if (value.type == JSON_ARRAY && ((value.extension & MARK_CONS) == 0 || !wraps_cons))
		return value;
	if (value_is_undefined(value))
		return VALUE_SEQUENCE_EMPTY;
	struct json *items = jsonata_take_items(e, 1);
	if (items == NULL)
		return value_failed();
	items[0] = value;
	return (struct json){.type = JSON_ARRAY,
			     .extension = MARK_SEQUENCE | MARK_KEEP,
			     .count = 1,
			     .items = items};
}

struct json jsonata_run_filtered(struct evaluation *e, const struct node *node, struct json input,
				 struct frame *frame)
{
	const struct scope *scope = node->filtered.tuple_scope;

	if (!jsonata_enter(e))
		return value_failed();
	struct json value = node->filtered.base->run(e, node->filtered.base, input, frame);
	for (uint32_t i = 0; i < node->filtered.count && !value_is_failed(value); i++)
		value = scope == NULL ? jsonata_filter(e, node->filtered.filters[i], value, frame)
				      : jsonata_filter_tuples(e, node->filtered.filters[i], value,
							      frame, scope);
	if (node->keeps_array && node->filtered.count > 0 && !value_is_failed(value))
		value = keep_singleton(e, value, false);
	if (node->filtered.group != NULL && !value_is_failed(value))
		value = jsonata_group(e, node->filtered.group, node->filtered.group_position, value,
				      frame, scope);
	jsonata_leave(e);
	return value;
}

/* --- steps --------------------------------------------------------------------------------- */

static inline struct json step_plainly(struct evaluation *e, const struct step *step,
				       struct json item, struct frame *frame)
{
	struct json value;

	if (!step->is_name || item.type != JSON_OBJECT)
		return jsonata_run(e, step->node, item, frame);
	value = jsonata_member(e, item, step->node->name.key, step->node->name.hash);
	return value_is_sequence(value) ? jsonata_settle(value, false) : value;
}

static struct json run_step(struct evaluation *e, const struct step *step, struct json item,
			    struct frame *frame)
{
	struct json value = step_plainly(e, step, item, frame);

	for (uint32_t i = 0; i < step->stage_count && !value_is_failed(value); i++)
		value = jsonata_filter(e, step->stages[i].filter, value, frame);
	return value;
}

/* The items which the next step reads: an array's, or a part of the scratch stack. */
struct items {
	const struct json *outside; /* NULL: on the stack from `base` */
	uint32_t base;
	uint32_t count;
};

static struct json item_of(const struct evaluation *e, const struct items *items, uint32_t i)
{
	return items->outside != NULL ? items->outside[i] : e->scratch[items->base + i];
}

static bool push_flat(struct evaluation *e, struct json value)
{
	if (value.type == JSON_ARRAY && (value.extension & MARK_CONS) == 0)
		return jsonata_push_all(e, value.items, value.count);
	return jsonata_push(e, value);
}

/* Runs one step over all items and puts the flattened results in their place. For the last step,
 * where one item alone gave a plain array, *whole is that array. */
static bool walk_items(struct evaluation *e, const struct step *step, bool is_last,
		       struct items *items, struct frame *frame, struct json *whole)
{
	uint32_t start = e->top, base = items->outside != NULL ? start : items->base;
	uint32_t defined = 0;
	struct json only = json_undefined();

	for (uint32_t i = 0; i < items->count; i++) {
		if (!jsonata_spend(e))
			return false;
		struct json value = run_step(e, step, item_of(e, items, i), frame);
		if (value_is_failed(value))
			return false;
		if (value_is_undefined(value))
			continue;
		defined++;
		only = value;
		if (!push_flat(e, value))
			return false;
	}
	*items = (struct items){.base = base, .count = e->top - start};
	if (is_last && defined == 1 && only.type == JSON_ARRAY &&
	    (only.extension & MARK_SEQUENCE) == 0) {
		*whole = only;
		e->top = base;
		return true;
	}
	if (start != base && items->count > 0)
		memmove(e->scratch + base, e->scratch + start, items->count * sizeof *e->scratch);
	e->top = base + items->count;
	return true;
}

/* Sorting takes the whole list. */
static APART struct json sort_items(struct evaluation *e, const struct step *step,
				    const struct items *items, struct frame *frame)
{
	struct json input;

	if (items->outside == NULL) {
		input = jsonata_finish_array(e, items->base, 0);
	} else if (items->count > 1) {
		input = json_array(items->outside, items->count);
	} else {
		/* It may stand in the C stack, and it is the answer. */
		uint32_t base = e->top;
		if (!jsonata_push_all(e, items->outside, items->count))
			return value_failed();
		input = jsonata_finish_array(e, base, 0);
	}
	if (value_is_failed(input))
		return input;
	struct json value = jsonata_sort_by(e, step->node, input, frame, NULL);
	for (uint32_t i = 0; i < step->stage_count && !value_is_failed(value); i++)
		value = jsonata_filter(e, step->stages[i].filter, value, frame);
	return value;
}

/* From step `at` on, over many items. */
static struct json walk_list(struct evaluation *e, const struct path *path, uint32_t at,
			     struct items items, struct frame *frame)
{
	uint32_t base = e->top;
	struct json whole = json_undefined(), single;

	for (; at < path->count; at++) {
		bool is_last = at + 1 == path->count && !path->is_head;
		const struct step *step = &path->steps[at];
		if (step->node->kind == NODE_SORT) {
			single = sort_items(e, step, &items, frame);
			if (is_last || value_is_failed(single) || value_is_undefined(single))
				return single;
			items = (struct items){.outside = &single, .count = 1};
			if (single.type == JSON_ARRAY)
				items = (struct items){single.items, 0, single.count};
			if (items.count == 0)
				return json_undefined();
			continue;
		}
		if (!walk_items(e, step, is_last, &items, frame, &whole))
			return value_failed();
		if (whole.type == JSON_ARRAY)
			return whole;
		if (items.count == 0)
			break;
	}
	/* The one that was sorted stands here. */
	if (items.outside == &single)
		return jsonata_push(e, single) ? jsonata_finish_array(e, base, MARK_SEQUENCE)
					       : value_failed();
	if (items.outside != NULL)
		return (struct json){.type = JSON_ARRAY,
				     .extension = MARK_SEQUENCE,
				     .count = items.count,
				     .items = items.outside};
	/* Whoever still needs to know that one item was a sequence gets it raw. */
	if (path->wants_sequence)
		return jsonata_finish_array(e, base, MARK_SEQUENCE);
	return jsonata_finish_sequence(e, base);
}

/* From behind step `at`, which gave an array for one item. */
static APART struct json walk_array(struct evaluation *e, const struct path *path, uint32_t at,
				    struct json array, struct frame *frame)
{
	bool is_last = at + 1 == path->count && !path->is_head;

	if ((array.extension & MARK_SEQUENCE) == 0 && is_last)
		return array;
	if (array.count == 0)
		return json_undefined();
	return walk_list(e, path, at + 1, (struct items){array.items, 0, array.count}, frame);
}

/* What an array constructor gave is one item, although it is an array. */
static inline bool is_list(struct json value)
{
	return value.type == JSON_ARRAY && (value.extension & MARK_CONS) == 0;
}

/* One item goes along the path as long as no step gives an array. */
static struct json walk(struct evaluation *e, const struct path *path, uint32_t at,
			struct json item, struct frame *frame)
{
	for (; at < path->count; at++) {
		const struct step *step = &path->steps[at];

		if (step->node->kind == NODE_SORT)
			return walk_list(e, path, at, (struct items){&item, 0, 1}, frame);
		item = run_step(e, step, item, frame);
		if (value_is_failed(item) || value_is_undefined(item))
			return item;
		if (is_list(item))
			return walk_array(e, path, at, item, frame);
	}
	return item;
}

/* The same along a plain path. */
static inline struct json walk_plainly(struct evaluation *e, const struct path *path,
				       struct json item, struct frame *frame)
{
	for (uint32_t at = 0; at < path->count; at++) {
		item = step_plainly(e, &path->steps[at], item, frame);
		if (value_is_failed(item) || value_is_undefined(item))
			return item;
		if (is_list(item))
			return walk_array(e, path, at, item, frame);
	}
	return item;
}

static struct json wrap_input(struct evaluation *e, struct json input)
{
	struct json *items;

	if (input.type == JSON_ARRAY)
		return input;
	items = jsonata_take_items(e, 1);
	if (items == NULL)
		return value_failed();
	items[0] = input;
	return (struct json){
		.type = JSON_ARRAY, .extension = MARK_SEQUENCE, .count = 1, .items = items};
}

/* Nothing but sorting comes from step `at` on: that leaves what is no array as it is. */
static bool only_sorted(const struct path *path, uint32_t at)
{
	for (; at < path->count; at++)
		if (path->steps[at].node->kind != NODE_SORT || path->steps[at].stage_count > 0)
			return false;
	return true;
}

static struct json walk_from_input(struct evaluation *e, const struct path *path, struct json input,
				   struct frame *frame)
{
	if (path->steps[0].is_cons) {
		/* An array constructor at the front is evaluated once, not per item. */
		struct json first = wrap_input(e, input);
		if (!value_is_failed(first))
			first = jsonata_run(e, path->steps[0].node, first, frame);
		if (value_is_failed(first) || path->count == 1 || value_is_undefined(first))
			return first;
		if (first.type != JSON_ARRAY)
			return only_sorted(path, 1) ? first : json_undefined();
		if (first.count == 0)
			return first;
		return walk_list(e, path, 1, (struct items){first.items, 0, first.count}, frame);
	}
	if (input.type == JSON_ARRAY && !path->steps[0].is_variable) {
		if (input.count == 0)
			return json_undefined();
		return walk_list(e, path, 0, (struct items){input.items, 0, input.count}, frame);
	}
	return walk(e, path, 0, input, frame);
}

struct json jsonata_run_path(struct evaluation *e, const struct node *node, struct json input,
			     struct frame *frame)
{
	const struct path *path = &node->path;

	if (!jsonata_enter(e))
		return value_failed();
	struct json value = walk_from_input(e, path, input, frame);
	if ((path->keeps_singleton || node->keeps_array) && !value_is_failed(value))
		value = keep_singleton(e, value, path->keeps_singleton);
	if (path->group != NULL && !value_is_failed(value)) {
		if (value_is_undefined(value))
			value = VALUE_SEQUENCE_EMPTY;
		value = jsonata_group(e, path->group, path->group_position, value, frame, NULL);
	}
	jsonata_leave(e);
	return value;
}

/* A plain path: of the commonest, nothing else need be asked. */
struct json jsonata_run_plain_path(struct evaluation *e, const struct node *node, struct json input,
				   struct frame *frame)
{
	struct json value;

	if (!jsonata_enter(e))
		return value_failed();
	value = input.type == JSON_ARRAY ? walk_from_input(e, &node->path, input, frame)
					 : walk_plainly(e, &node->path, input, frame);
	jsonata_leave(e);
	return value;
}

/* --- wildcards ----------------------------------------------------------------------------- */

static bool push_flattened(struct evaluation *e, struct json value, uint32_t depth)
{
	if (value.type != JSON_ARRAY)
		return jsonata_push(e, value);
	if (depth > DATA_DEPTH_MAX)
		return jsonata_too_deep(e);
	for (uint32_t i = 0; i < value.count; i++)
		if (!jsonata_spend(e) || !push_flattened(e, value.items[i], depth + 1))
			return false;
	return true;
}

struct json jsonata_run_wildcard(struct evaluation *e, const struct node *node, struct json input,
				 struct frame *frame)
{
	uint32_t base = e->top;
	uint16_t marks = MARK_SEQUENCE;

	(void)node, (void)frame;
	if (input.type == JSON_ARRAY && (input.extension & MARK_OUTER) != 0)
		input = input.items[0];
	if (input.type != JSON_OBJECT && input.type != JSON_ARRAY)
		return VALUE_SEQUENCE_EMPTY;
	input = jsonata_in_order(e, input);
	bool is_sequence = value_is_sequence(input);
	for (uint32_t i = 0; i < input.count; i++) {
		struct json value =
			input.type == JSON_OBJECT ? input.members[i].value : input.items[i];
		if (!jsonata_spend(e) || !push_flattened(e, value, 0))
			return value_failed();
		/* Appending an array makes a plain array of the sequence, in the reference. */
		if (value.type == JSON_ARRAY)
			marks = 0;
	}
	/* The marks of a sequence are members of its array there, and true. */
	if (is_sequence && !jsonata_push(e, json_bool(true)))
		return value_failed();
	if (is_sequence && (input.extension & MARK_KEEP) != 0 && !jsonata_push(e, json_bool(true)))
		return value_failed();
	return jsonata_finish_array(e, base, marks);
}

static bool push_descendants(struct evaluation *e, struct json value, uint32_t depth)
{
	if (depth > DATA_DEPTH_MAX)
		return jsonata_too_deep(e);
	if (!jsonata_spend(e))
		return false;
	if (value.type != JSON_ARRAY && !jsonata_push(e, value))
		return false;
	if (value.type != JSON_ARRAY && value.type != JSON_OBJECT)
		return true;
	value = jsonata_in_order(e, value);
	for (uint32_t i = 0; i < value.count; i++) {
		struct json item =
			value.type == JSON_OBJECT ? value.members[i].value : value.items[i];
		if (!push_descendants(e, item, depth + 1))
			return false;
	}
	return true;
}

struct json jsonata_run_descendant(struct evaluation *e, const struct node *node, struct json input,
				   struct frame *frame)
{
	uint32_t base = e->top;

	(void)node, (void)frame;
	if (value_is_undefined(input))
		return input;
	if (!push_descendants(e, input, 0))
		return value_failed();
	return jsonata_finish_sequence(e, base);
}
