#include "lang/jsonata/evaluate.h"

#include <assert.h>
#include <math.h>

const struct jsonata_limits jsonata_limits_default = {
	.steps_max = 1000000,
	.depth_max = 200,
	.sequence_max = 500000,
	.bytes_max = 10 * 1024 * 1024,
	.time_ms_max = 1000,
	.regex_matches_max = 100000,
};

/* --- faults and budgets -------------------------------------------------------------------- */

struct json jsonata_fail(struct evaluation *e, const char *code, struct json value)
{
	if (e->fault.code == NULL) {
		e->fault = (struct fault){.code = code};
		/* A function or a tuple means nothing outside. */
		if (value.type < JSON_EXTENSION)
			e->fault.value = value;
	}
	return value_failed();
}

struct json jsonata_fail_at(struct evaluation *e, const char *code, const struct node *node,
			    struct json value)
{
	bool is_first = e->fault.code == NULL;

	jsonata_fail(e, code, value);
	if (is_first) {
		e->fault.position = node->position;
		e->fault.has_position = true;
		const char *token = jsonata_operator_text(node->op);
		e->fault.token = token[0] == '\0' ? json_undefined() : json_string_c(token);
	}
	return value_failed();
}

static bool look_at_clock(struct evaluation *e)
{
	if (e->limits->time_ms_max <= 0 || e->context->clock == NULL)
		return true;
	int64_t now = clock_monotonic_ms(e->context->clock);

	/* The first look comes after 4096 steps: what is shorter never asks. */
	if (e->deadline_ms == 0)
		e->deadline_ms = now + e->limits->time_ms_max;
	if (now <= e->deadline_ms)
		return true;
	jsonata_fail(e, "D1012", json_int(e->limits->time_ms_max));
	return false;
}

bool jsonata_refuel(struct evaluation *e)
{
	uint64_t used = (uint64_t)(-e->fuel);

	if (e->fault.code != NULL)
		return false;
	if (used >= e->steps_left) {
		e->steps_left = 0;
		e->fuel = 0;
		jsonata_fail(e, "U1001", json_undefined());
		return false;
	}
	uint64_t left = e->steps_left - used;
	uint64_t more = left < FUEL ? left : FUEL;
	e->steps_left = left - more;
	e->fuel = (int64_t)more;
	if (e->bytes_left < 0 || arena_is_over(e->arena)) {
		jsonata_fail(e, "D1013", json_undefined());
		return false;
	}
	return look_at_clock(e);
}

bool jsonata_too_deep(struct evaluation *e)
{
	jsonata_fail(e, "D1011", json_int(e->depth_max));
	return false;
}

/* --- memory -------------------------------------------------------------------------------- */

void *jsonata_take_nothing(struct evaluation *e)
{
	jsonata_fail(e, "D1013", json_undefined());
	return NULL;
}

char *jsonata_take_text(struct evaluation *e, size_t len)
{
	if (!jsonata_is_text_length(e, len)) {
		jsonata_fail(e, "D2015", json_int(e->sequence_max));
		return NULL;
	}
	return jsonata_take(e, len);
}

struct json *jsonata_take_items(struct evaluation *e, size_t count)
{
	if (count > e->sequence_max) {
		jsonata_fail(e, "D2015", json_int(e->sequence_max));
		return NULL;
	}
	return jsonata_take(e, count * sizeof(struct json));
}

struct frame *jsonata_frame(struct evaluation *e, struct frame *outer, uint32_t size)
{
	struct frame *frame = jsonata_take(e, sizeof *frame + size * sizeof frame->slots[0]);

	if (frame == NULL)
		return NULL;
	/* So that endless recursion runs out of steps before it has taken much memory. */
	jsonata_charge(e, 4 + 2 * size);
	frame->outer = outer;
	for (uint32_t i = 0; i < size; i++)
		frame->slots[i] = value_unbound();
	return frame;
}

bool jsonata_scratch_grow(struct evaluation *e)
{
	uint64_t capacity = (uint64_t)e->capacity * 2;

	/* Several sequences may be open at once, hence the factor. */
	if (e->capacity / 4 > e->sequence_max) {
		jsonata_fail(e, "D2015", json_int(e->sequence_max));
		return false;
	}
	struct json *grown = jsonata_take(e, capacity * sizeof *grown);
	if (grown == NULL)
		return false;
	memcpy(grown, e->scratch, e->top * sizeof *grown);
	e->scratch = grown;
	e->capacity = (uint32_t)capacity;
	return true;
}

bool jsonata_push_all(struct evaluation *e, const struct json *items, uint32_t count)
{
	jsonata_charge(e, count / 8);
	for (uint32_t i = 0; i < count; i++)
		if (!jsonata_push(e, items[i]))
			return false;
	return true;
}

struct json jsonata_finish_array(struct evaluation *e, uint32_t base, uint16_t marks)
{
	uint32_t count = e->top - base;
	struct json *items = NULL;

	assert(e->top >= base);
	if (count > 0) {
		items = jsonata_take_items(e, count);
		if (items == NULL)
			return value_failed();
		jsonata_charge(e, count / 16);
		memcpy(items, e->scratch + base, count * sizeof *items);
	}
	e->top = base;
	return (struct json){
		.type = JSON_ARRAY, .extension = marks, .count = count, .items = items};
}

struct json jsonata_finish_sequence(struct evaluation *e, uint32_t base)
{
	uint32_t count = e->top - base;

	if (count > 1)
		return jsonata_finish_array(e, base, MARK_SEQUENCE);
	e->top = base;
	return count == 0 ? json_undefined() : e->scratch[base];
}

/* --- values -------------------------------------------------------------------------------- */

struct json jsonata_settle(struct json sequence, bool keeps_array)
{
	if ((sequence.extension & MARK_TUPLE) != 0)
		return sequence;
	if (keeps_array)
		sequence.extension |= MARK_KEEP;
	if (sequence.count == 0)
		return json_undefined();
	if (sequence.count == 1 && (sequence.extension & MARK_KEEP) == 0)
		return sequence.items[0];
	return sequence;
}

struct json jsonata_number(double number)
{
	if (number >= -9007199254740992.0 && number <= 9007199254740992.0) {
		int64_t whole = (int64_t)number;
		if ((double)whole == number && (whole != 0 || !signbit(number)))
			return json_int(whole);
	}
	return (struct json){.type = JSON_DOUBLE, .number = number};
}

bool jsonata_is_numeric(struct evaluation *e, struct json value, bool *fails)
{
	if (value.type != JSON_DOUBLE)
		return value_is_number(value);
	if (isinf(value.number)) {
		jsonata_fail(e, "D1001", value);
		*fails = true;
		return false;
	}
	return !isnan(value.number);
}

static int truth_of_array(struct evaluation *e, struct json value, uint32_t depth)
{
	for (uint32_t i = 0; i < value.count; i++) {
		if (!jsonata_spend(e))
			return -1;
		int truth = jsonata_truth_slow(e, value.items[i], depth + 1);
		if (truth != 0)
			return truth;
	}
	return 0;
}

int jsonata_truth_slow(struct evaluation *e, struct json value, uint32_t depth)
{
	bool fails = false;

	switch (value.type) {
	case JSON_BOOL:
		return value.boolean;
	case JSON_STRING:
		return value.count > 0;
	case JSON_INT:
		return value.integer != 0;
	case JSON_DOUBLE:
	case JSON_NUMBER_TEXT:
		if (!jsonata_is_numeric(e, value, &fails))
			return fails ? -1 : 0;
		return value_double(value) != 0;
	case JSON_OBJECT:
		return value.count > 0;
	case JSON_ARRAY:
		if (depth > DATA_DEPTH_MAX) {
			jsonata_too_deep(e);
			return -1;
		}
		return truth_of_array(e, value, depth);
	default:
		return 0;
	}
}

/* --- nodes --------------------------------------------------------------------------------- */

struct json jsonata_run_literal(struct evaluation *e, const struct node *node, struct json input,
				struct frame *frame)
{
	(void)e, (void)input, (void)frame;
	return node->literal;
}

struct json jsonata_run_context(struct evaluation *e, const struct node *node, struct json input,
				struct frame *frame)
{
	(void)e, (void)node, (void)frame;
	if (input.type == JSON_ARRAY && (input.extension & MARK_OUTER) != 0)
		return input.items[0];
	return input;
}

struct json jsonata_run_root(struct evaluation *e, const struct node *node, struct json input,
			     struct frame *frame)
{
	(void)node, (void)input, (void)frame;
	return e->root;
}

struct json jsonata_run_host_variable(struct evaluation *e, const struct node *node,
				      struct json input, struct frame *frame)
{
	(void)input, (void)frame;
	return e->context->variables[node->variable.index];
}

struct json jsonata_run_variable(struct evaluation *e, const struct node *node, struct json input,
				 struct frame *frame)
{
	uint32_t hops = 0;
	struct frame *at = frame;

	for (uint32_t i = 0; i < node->variable.count; i++) {
		const struct candidate *candidate = &node->variable.candidates[i];
		for (; hops < candidate->hops; hops++)
			at = at->outer;
		if (at->slots[candidate->slot].type != VALUE_UNBOUND)
			return at->slots[candidate->slot];
	}
	if (node->variable.fallback == NULL)
		return json_undefined();
	return node->variable.fallback->run(e, node->variable.fallback, input, frame);
}

/* The only place is this frame. */
struct json jsonata_run_local(struct evaluation *e, const struct node *node, struct json input,
			      struct frame *frame)
{
	struct json value = frame->slots[node->variable.candidates[0].slot];

	if (value.type == VALUE_UNBOUND)
		return jsonata_run_variable(e, node, input, frame);
	return value;
}

/* The only place is the frame around this one. */
struct json jsonata_run_outer(struct evaluation *e, const struct node *node, struct json input,
			      struct frame *frame)
{
	struct json value = frame->outer->slots[node->variable.candidates[0].slot];

	if (value.type == VALUE_UNBOUND)
		return jsonata_run_variable(e, node, input, frame);
	return value;
}

struct json jsonata_run_bind(struct evaluation *e, const struct node *node, struct json input,
			     struct frame *frame)
{
	struct json value = jsonata_run(e, node->bind.value, input, frame);

	if (!value_is_failed(value))
		frame->slots[node->bind.slot] = value;
	return value;
}

/* := of an $eval: it binds where that was called. */
struct json jsonata_run_bind_around(struct evaluation *e, const struct node *node,
				    struct json input, struct frame *frame)
{
	struct json value = jsonata_run(e, node->bind.value, input, frame);

	if (!value_is_failed(value))
		(node->bind.hops > 0 ? frame->outer : frame)->slots[node->bind.slot] = value;
	return value;
}

struct json jsonata_run_block(struct evaluation *e, const struct node *node, struct json input,
			      struct frame *frame)
{
	struct json value = json_undefined();
	uint32_t size = scope_size(node->list.scope);

	if (!jsonata_enter(e))
		return value_failed();
	if (size > 0) {
		frame = jsonata_frame(e, frame, size);
		if (frame == NULL)
			return value_failed();
	}
	for (uint32_t i = 0; i < node->list.count; i++) {
		value = jsonata_run(e, node->list.items[i], input, frame);
		if (value_is_failed(value))
			return value;
	}
	jsonata_leave(e);
	return value;
}

struct json jsonata_run_condition(struct evaluation *e, const struct node *node, struct json input,
				  struct frame *frame)
{
	const struct node *branch;

	if (!jsonata_enter(e))
		return value_failed();
	struct json value = jsonata_run(e, node->operands.lhs, input, frame);
	if (value_is_failed(value))
		return value;
	int truth = jsonata_truth(e, value);
	if (truth < 0)
		return value_failed();
	branch = truth ? node->operands.rhs : node->operands.third;
	value = branch == NULL ? json_undefined() : jsonata_run(e, branch, input, frame);
	jsonata_leave(e);
	return value;
}

/* A condition that was decided at compile time. */
struct json jsonata_run_chosen(struct evaluation *e, const struct node *node, struct json input,
			       struct frame *frame)
{
	struct json value = json_undefined();

	if (!jsonata_enter(e))
		return value_failed();
	if (node->operands.rhs != NULL)
		value = jsonata_run(e, node->operands.rhs, input, frame);
	jsonata_leave(e);
	return value;
}

/* a ?: b */
struct json jsonata_run_default(struct evaluation *e, const struct node *node, struct json input,
				struct frame *frame)
{
	if (!jsonata_enter(e))
		return value_failed();
	struct json value = jsonata_run(e, node->operands.lhs, input, frame);
	if (value_is_failed(value))
		return value;
	int truth = jsonata_truth(e, value);
	if (truth < 0)
		return value_failed();
	if (truth == 0)
		value = jsonata_run(e, node->operands.rhs, input, frame);
	jsonata_leave(e);
	return value;
}

/* a ?? b */
struct json jsonata_run_coalesce(struct evaluation *e, const struct node *node, struct json input,
				 struct frame *frame)
{
	if (!jsonata_enter(e))
		return value_failed();
	struct json value = jsonata_run(e, node->operands.lhs, input, frame);
	if (value_is_undefined(value))
		value = jsonata_run(e, node->operands.rhs, input, frame);
	jsonata_leave(e);
	return value;
}

struct json jsonata_run_negate(struct evaluation *e, const struct node *node, struct json input,
			       struct frame *frame)
{
	bool fails = false;

	if (!jsonata_enter(e))
		return value_failed();
	struct json value = jsonata_run(e, node->operands.lhs, input, frame);
	jsonata_leave(e);
	if (value_is_failed(value) || value_is_undefined(value))
		return value;
	if (!jsonata_is_numeric(e, value, &fails))
		return fails ? value_failed() : jsonata_fail_at(e, "D1002", node, value);
	if (value.type == JSON_INT && value.integer != 0)
		return json_int(-value.integer);
	return jsonata_number(-value_double(value));
}

/* Adds what an item of an array constructor gave. */
static bool push_item(struct evaluation *e, const struct node *item, struct json value)
{
	if (value_is_undefined(value))
		return true;
	if (value.type == JSON_ARRAY && !item->is_array_syntax)
		return jsonata_push_all(e, value.items, value.count);
	return jsonata_push(e, value);
}

struct json jsonata_run_array(struct evaluation *e, const struct node *node, struct json input,
			      struct frame *frame)
{
	uint32_t base = e->top;

	if (!jsonata_enter(e))
		return value_failed();
	for (uint32_t i = 0; i < node->list.count; i++) {
		struct json value = jsonata_run(e, node->list.items[i], input, frame);
		if (value_is_failed(value))
			return value;
		if (node->list.count == 1 && value.type == JSON_ARRAY && value.count > 0 &&
		    !node->list.items[0]->is_array_syntax) {
			/* [ a.b ]: the sequence is the array. */
			jsonata_leave(e);
			value.extension = node->is_cons ? MARK_CONS : 0;
			return value;
		}
		if (!push_item(e, node->list.items[i], value))
			return value_failed();
	}
	jsonata_leave(e);
	return jsonata_finish_array(e, base, node->is_cons ? MARK_CONS : 0);
}
