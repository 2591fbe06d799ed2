/* Order-by and the merge sort under it and under $sort. The sort takes halves and compares in the
 * order of the reference, because an expression's comparator can show it. */
#include "lang/jsonata/evaluate.h"

struct merge {
	struct evaluation *e;
	sort_function *is_after;
	void *context;
	uint32_t *spare;
};

static bool merge_halves(struct merge *m, uint32_t *order, uint32_t middle, uint32_t count)
{
	uint32_t left = 0, right = middle, at = 0;

	memcpy(m->spare, order, count * sizeof *order);
	while (left < middle && right < count) {
		if (!jsonata_spend(m->e))
			return false;
		int after = m->is_after(m->e, m->context, m->spare[left], m->spare[right]);
		if (after < 0)
			return false;
		order[at++] = after ? m->spare[right++] : m->spare[left++];
	}
	while (left < middle)
		order[at++] = m->spare[left++];
	while (right < count)
		order[at++] = m->spare[right++];
	return true;
}

static bool sort_range(struct merge *m, uint32_t *order, uint32_t count)
{
	uint32_t middle = count / 2;

	if (count <= 1)
		return true;
	return sort_range(m, order, middle) && sort_range(m, order + middle, count - middle) &&
	       merge_halves(m, order, middle, count);
}

bool jsonata_sort(struct evaluation *e, uint32_t *order, uint32_t count, sort_function *is_after,
		  void *context)
{
	struct merge m = {.e = e, .is_after = is_after, .context = context};

	m.spare = jsonata_take(e, count * sizeof *m.spare);
	if (m.spare == NULL)
		return false;
	for (uint32_t i = 0; i < count; i++)
		order[i] = i;
	return sort_range(&m, order, count);
}

/* --- order-by ------------------------------------------------------------------------------ */

struct ordering {
	const struct node *node;
	struct json input;
	struct frame *frame;
	const struct scope *tuple_scope; /* what the terms were compiled in; NULL: no tuples */
	bool is_stream;			 /* of tuples */
	struct json *keys;		 /* item x term; VALUE_UNBOUND: not evaluated yet */
};

/* The value of a term for an item; each is evaluated once, when first compared. */
static bool get_key(struct evaluation *e, struct ordering *o, uint32_t item, uint32_t term,
		    struct json *out)
{
	struct json *key = &o->keys[item * o->node->sort.count + term];
	struct json context = o->input.items[item];
	struct frame *frame = o->frame;

	if (key->type == VALUE_UNBOUND) {
		if (o->is_stream) {
			frame = jsonata_tuple_frame(e, context, o->tuple_scope, o->frame);
			if (frame == NULL)
				return false;
			context = value_tuple_item(context);
		} else if (value_is_tuple(context)) {
			context = jsonata_tuple_object(e, context, o->tuple_scope);
			if (value_is_failed(context))
				return false;
		}
		*key = jsonata_run(e, o->node->sort.terms[term].node, context, frame);
	}
	*out = *key;
	return !value_is_failed(*key);
}

static bool is_orderable(struct json value)
{
	return value.type == JSON_STRING || value_is_number(value);
}

static int compare_keys(struct evaluation *e, const struct node *node, struct json a, struct json b,
			bool *fails)
{
	if (!is_orderable(a) || !is_orderable(b)) {
		jsonata_fail_at(e, "T2008", node, is_orderable(a) ? b : a);
		e->fault.token = json_undefined();
		*fails = true;
		return 0;
	}
	if ((a.type == JSON_STRING) != (b.type == JSON_STRING)) {
		jsonata_fail_at(e, "T2007", node, a);
		e->fault.token = json_undefined();
		e->fault.value2 = b;
		*fails = true;
		return 0;
	}
	if (a.type == JSON_STRING) {
		jsonata_charge(e, (a.count < b.count ? a.count : b.count) / 64);
		return jsonata_compare_text(json_str(a), json_str(b));
	}
	if (a.type == JSON_INT && b.type == JSON_INT)
		return (a.integer > b.integer) - (a.integer < b.integer);
	double x = value_double(a), y = value_double(b);
	return x == y ? 0 : x < y ? -1 : 1;
}

static int is_after(struct evaluation *e, void *context, uint32_t a, uint32_t b)
{
	struct ordering *o = context;
	struct json x, y;
	bool fails = false;

	for (uint32_t term = 0; term < o->node->sort.count; term++) {
		if (!get_key(e, o, a, term, &x) || !get_key(e, o, b, term, &y))
			return -1;
		/* What is missing comes last, in either direction. */
		if (value_is_undefined(x) || value_is_undefined(y)) {
			if (value_is_undefined(x) && value_is_undefined(y))
				continue;
			return value_is_undefined(x);
		}
		int order = compare_keys(e, o->node, x, y, &fails);
		if (fails)
			return -1;
		if (order != 0)
			return (order > 0) != o->node->sort.terms[term].is_descending;
	}
	return 0;
}

struct json jsonata_sort_by(struct evaluation *e, const struct node *node, struct json input,
			    struct frame *frame, const struct scope *tuple_scope)
{
	struct ordering o = {
		.node = node, .input = input, .frame = frame, .tuple_scope = tuple_scope};
	uint32_t count = input.count;
	size_t key_count = (size_t)count * node->sort.count;
	uint16_t tuple_mark = input.extension & MARK_TUPLE;

	if (count <= 1) {
		input.extension = MARK_SEQUENCE | tuple_mark;
		return input;
	}
	o.is_stream = tuple_mark != 0;
	if (tuple_scope != NULL && !o.is_stream) {
		/* The terms were compiled to find a tuple's frame around them. */
		o.frame = jsonata_frame(e, frame, scope_size(tuple_scope));
		if (o.frame == NULL)
			return value_failed();
	}
	uint32_t *order = jsonata_take(e, count * sizeof *order);
	struct json *items = order == NULL ? NULL : jsonata_take_items(e, count);
	o.keys = items == NULL ? NULL : jsonata_take(e, key_count * sizeof *o.keys);
	if (o.keys == NULL)
		return value_failed();
	for (size_t i = 0; i < key_count; i++)
		o.keys[i] = value_unbound();
	if (!jsonata_sort(e, order, count, is_after, &o))
		return value_failed();
	for (uint32_t i = 0; i < count; i++)
		items[i] = input.items[order[i]];
	return (struct json){.type = JSON_ARRAY, .count = count, .items = items};
}

/* A sort alone; paths sort their whole list themselves. */
struct json jsonata_run_sort(struct evaluation *e, const struct node *node, struct json input,
			     struct frame *frame)
{
	if (input.type != JSON_ARRAY)
		return input;
	return jsonata_sort_by(e, node, input, frame, NULL);
}
