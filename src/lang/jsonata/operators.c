#include <math.h>

#include "lang/jsonata/evaluate.h"
#include "lang/jsonata/text.h"

#define WHOLE_MAX 9007199254740992 /* 2^53: beyond it doubles are no longer exact */

/* Evaluates both sides; false when one failed. */
static bool run_both(struct evaluation *e, const struct node *node, struct json input,
		     struct frame *frame, struct json *left, struct json *right)
{
	if (!jsonata_enter(e))
		return false;
	*left = jsonata_run(e, node->operands.lhs, input, frame);
	if (value_is_failed(*left))
		return false;
	*right = jsonata_run(e, node->operands.rhs, input, frame);
	jsonata_leave(e);
	return !value_is_failed(*right);
}

/* --- arithmetic ---------------------------------------------------------------------------- */

static bool is_small(struct json value)
{
	return value.type == JSON_INT && value.integer >= -WHOLE_MAX && value.integer <= WHOLE_MAX;
}

/* Whole operands that give a whole answer; false where doubles must decide. */
static bool compute_whole(enum operator op, int64_t a, int64_t b, int64_t *out)
{
	switch (op) {
	case OP_ADD:
		*out = a + b;
		break;
	case OP_SUBTRACT:
		*out = a - b;
		break;
	case OP_MULTIPLY:
		if (__builtin_mul_overflow(a, b, out))
			return false;
		break;
	case OP_DIVIDE:
		if (b == 0 || a % b != 0)
			return false;
		*out = a / b;
		break;
	default:
		if (b == 0)
			return false;
		*out = a % b;
		break;
	}
	return *out >= -WHOLE_MAX && *out <= WHOLE_MAX;
}

static double compute(enum operator op, double a, double b)
{
	switch (op) {
	case OP_ADD:
		return a + b;
	case OP_SUBTRACT:
		return a - b;
	case OP_MULTIPLY:
		return a * b;
	case OP_DIVIDE:
		return a / b;
	default:
		return fmod(a, b);
	}
}

static bool check_number(struct evaluation *e, const struct node *node, struct json value,
			 const char *code)
{
	bool fails = false;

	if (value_is_undefined(value) || jsonata_is_numeric(e, value, &fails))
		return true;
	if (fails) {
		e->fault.code = NULL;
		code = "D1001";
	}
	jsonata_fail_at(e, code, node, value);
	return false;
}

struct json jsonata_run_arithmetic(struct evaluation *e, const struct node *node, struct json input,
				   struct frame *frame)
{
	struct json left, right;
	int64_t whole;

	if (!run_both(e, node, input, frame, &left, &right))
		return value_failed();
	if (is_small(left) && is_small(right) &&
	    compute_whole(node->op, left.integer, right.integer, &whole))
		return json_int(whole);
	if (!check_number(e, node, left, "T2001") || !check_number(e, node, right, "T2002"))
		return value_failed();
	if (value_is_undefined(left) || value_is_undefined(right))
		return json_undefined();
	return jsonata_number(compute(node->op, value_double(left), value_double(right)));
}

/* --- equality and order -------------------------------------------------------------------- */

static int equal_items(struct evaluation *e, struct json a, struct json b, uint32_t depth);

/* Equal objects mostly have their members in one order. */
static struct json equal_member(struct evaluation *e, struct json b, const struct json_member *m,
				uint32_t i)
{
	const struct json_member *other = &b.members[i];
	struct str key = json_name(m);

	if (other->key_hash == m->key_hash && str_equal(json_name(other), key))
		return other->value;
	return jsonata_member(e, b, key, m->key_hash);
}

static int equal_members(struct evaluation *e, struct json a, struct json b, uint32_t depth)
{
	if (a.count != b.count)
		return 0;
	for (uint32_t i = 0; i < a.count; i++) {
		const struct json_member *m = &a.members[i];
		struct json other = equal_member(e, b, m, i);
		if (value_is_undefined(other))
			return 0;
		int equal = equal_items(e, m->value, other, depth + 1);
		if (equal != 1)
			return equal;
	}
	return 1;
}

static int equal_elements(struct evaluation *e, struct json a, struct json b, uint32_t depth)
{
	if (a.count != b.count)
		return 0;
	if (!jsonata_spend_many(e, a.count / 4))
		return -1;
	for (uint32_t i = 0; i < a.count; i++) {
		int equal = equal_items(e, a.items[i], b.items[i], depth + 1);
		if (equal != 1)
			return equal;
	}
	return 1;
}

static int equal_numbers(struct json a, struct json b)
{
	if (a.type == JSON_INT && b.type == JSON_INT)
		return a.integer == b.integer;
	return value_double(a) == value_double(b);
}

static int equal_items(struct evaluation *e, struct json a, struct json b, uint32_t depth)
{
	if (value_is_number(a) && value_is_number(b))
		return equal_numbers(a, b);
	if (a.type != b.type)
		return 0;
	switch (a.type) {
	case JSON_STRING:
		if (a.count != b.count)
			return 0;
		jsonata_charge(e, a.count / 256);
		return a.count == 0 || memcmp(a.text, b.text, a.count) == 0;
	case JSON_BOOL:
		return a.boolean == b.boolean;
	case JSON_EXTENSION:
		return a.pointer == b.pointer;
	case JSON_ARRAY:
	case JSON_OBJECT:
		break;
	default:
		return 1;
	}
	if (a.pointer == b.pointer && a.count == b.count)
		return 1;
	if (depth > DATA_DEPTH_MAX) {
		jsonata_too_deep(e);
		return -1;
	}
	if (!jsonata_spend(e))
		return -1;
	return a.type == JSON_ARRAY ? equal_elements(e, a, b, depth)
				    : equal_members(e, a, b, depth);
}

/* The commonest comparisons, without a call: of texts and of whole numbers. */
static inline int equal_values(struct evaluation *e, struct json a, struct json b)
{
	if (a.type == JSON_STRING && b.type == JSON_STRING && a.count < 256)
		return a.count == b.count && (a.count == 0 || memcmp(a.text, b.text, a.count) == 0);
	if (a.type == JSON_INT && b.type == JSON_INT)
		return a.integer == b.integer;
	return equal_items(e, a, b, 0);
}

int jsonata_equal(struct evaluation *e, struct json a, struct json b)
{
	return equal_items(e, a, b, 0);
}

struct json jsonata_run_equal(struct evaluation *e, const struct node *node, struct json input,
			      struct frame *frame)
{
	struct json left, right;

	if (!run_both(e, node, input, frame, &left, &right))
		return value_failed();
	if (value_is_undefined(left) || value_is_undefined(right))
		return json_bool(false);
	int equal = equal_values(e, left, right);
	if (equal < 0)
		return value_failed();
	return json_bool((equal == 1) == (node->op == OP_EQUAL));
}

static bool is_comparable(struct json value)
{
	return value_is_undefined(value) || value_is_number(value) || value.type == JSON_STRING;
}

static bool holds(enum operator op, bool is_less, bool is_equal, bool is_greater)
{
	switch (op) {
	case OP_LESS:
		return is_less;
	case OP_LESS_EQUAL:
		return is_less || is_equal;
	case OP_GREATER:
		return is_greater;
	default:
		return is_greater || is_equal;
	}
}

static bool compare(struct evaluation *e, enum operator op, struct json left, struct json right)
{
	if (left.type == JSON_STRING) {
		jsonata_charge(e, (left.count < right.count ? left.count : right.count) / 64);
		int order = jsonata_compare_text(json_str(left), json_str(right));
		return holds(op, order<0, order == 0, order> 0);
	}
	if (left.type == JSON_INT && right.type == JSON_INT)
		return holds(
			op, left.integer<right.integer, left.integer == right.integer, left.integer>
				    right.integer);
	double a = value_double(left), b = value_double(right);
	return holds(op, a<b, a == b, a> b);
}

struct json jsonata_run_compare(struct evaluation *e, const struct node *node, struct json input,
				struct frame *frame)
{
	struct json left, right;

	if (!run_both(e, node, input, frame, &left, &right))
		return value_failed();
	if (!is_comparable(left) || !is_comparable(right)) {
		bool is_left = value_is_undefined(left) || !is_comparable(left);
		return jsonata_fail_at(e, "T2010", node, is_left ? left : right);
	}
	if (value_is_undefined(left) || value_is_undefined(right))
		return json_undefined();
	if ((left.type == JSON_STRING) != (right.type == JSON_STRING)) {
		jsonata_fail_at(e, "T2009", node, left);
		e->fault.value2 = right;
		return value_failed();
	}
	return json_bool(compare(e, node->op, left, right));
}

/* JavaScript's ===. */
static bool is_same(struct evaluation *e, struct json a, struct json b)
{
	/* Containers are themselves alone; empty arrays have no address to tell by. */
	if (a.type == JSON_ARRAY || a.type == JSON_OBJECT)
		return a.type == b.type && a.pointer == b.pointer && a.count == b.count &&
		       (a.count > 0 || a.type == JSON_OBJECT);
	return a.type < JSON_ARRAY && b.type < JSON_ARRAY
		       ? (value_is_number(a) && value_is_number(b) ? equal_numbers(a, b)
								   : equal_items(e, a, b, 0)) == 1
		       : a.type == b.type && a.pointer == b.pointer;
}

struct json jsonata_run_in(struct evaluation *e, const struct node *node, struct json input,
			   struct frame *frame)
{
	struct json left, right;

	if (!run_both(e, node, input, frame, &left, &right))
		return value_failed();
	if (value_is_undefined(left) || value_is_undefined(right))
		return json_bool(false);
	if (right.type != JSON_ARRAY)
		return json_bool(is_same(e, left, right));
	if (!jsonata_spend_many(e, right.count / 4))
		return value_failed();
	for (uint32_t i = 0; i < right.count; i++)
		if (is_same(e, right.items[i], left))
			return json_bool(true);
	return json_bool(false);
}

/* --- and, or, & ---------------------------------------------------------------------------- */

/* A fault of a right side is said to be at the operator, whatever it was. */
static APART struct json fail_at(struct evaluation *e, const struct node *node, uint32_t item)
{
	e->fault.position = node->list.positions[item];
	e->fault.has_position = true;
	e->fault.token = json_string_c(jsonata_operator_text(node->op));
	return value_failed();
}

struct json jsonata_run_logic(struct evaluation *e, const struct node *node, struct json input,
			      struct frame *frame)
{
	bool is_or = node->op == OP_OR;

	if (!jsonata_enter(e))
		return value_failed();
	for (uint32_t i = 0; i < node->list.count; i++) {
		struct json value = jsonata_run(e, node->list.items[i], input, frame);
		int truth = value_is_failed(value) ? -1 : jsonata_truth(e, value);
		if (truth < 0)
			return i == 0 && value_is_failed(value) ? value : fail_at(e, node, i);
		if ((truth == 1) == is_or) {
			jsonata_leave(e);
			return json_bool(is_or);
		}
	}
	jsonata_leave(e);
	return json_bool(!is_or);
}

struct json jsonata_concat(struct evaluation *e, const struct json *texts, uint32_t count)
{
	size_t len = 0, at = 0;
	uint8_t flags = JSON_PLAIN | JSON_ASCII;

	if (count == 1 && jsonata_is_text_length(e, texts[0].count))
		return value_text(json_str(texts[0]), flags & texts[0].flags);
	for (uint32_t i = 0; i < count; i++) {
		len += texts[i].count;
		if (texts[i].count > 0)
			flags &= texts[i].flags;
	}
	char *out = jsonata_take_text(e, len);
	if (out == NULL)
		return value_failed();
	for (uint32_t i = 0; i < count; i++)
		at = jsonata_append_text(out, at, json_str(texts[i]));
	return value_text(str_make(out, at), flags);
}

struct json jsonata_run_concat(struct evaluation *e, const struct node *node, struct json input,
			       struct frame *frame)
{
	uint32_t base = e->top;

	if (!jsonata_enter(e))
		return value_failed();
	for (uint32_t i = 0; i < node->list.count; i++) {
		struct json value = jsonata_run(e, node->list.items[i], input, frame);
		if (value_is_failed(value))
			return value;
		if (value_is_undefined(value))
			continue;
		if (value.type != JSON_STRING)
			value = jsonata_to_text(e, value, false);
		if (value_is_failed(value))
			return fail_at(e, node, i);
		if (!jsonata_push(e, value))
			return value_failed();
	}
	jsonata_leave(e);
	struct json text = jsonata_concat(e, e->scratch + base, e->top - base);
	e->top = base;
	return text;
}

/* --- ranges -------------------------------------------------------------------------------- */

static bool is_whole(struct json value)
{
	return value.type == JSON_INT || (value_is_number(value) && isfinite(value_double(value)) &&
					  value_double(value) == trunc(value_double(value)));
}

struct json jsonata_run_range(struct evaluation *e, const struct node *node, struct json input,
			      struct frame *frame)
{
	struct json left, right;

	if (!run_both(e, node, input, frame, &left, &right))
		return value_failed();
	if (!value_is_undefined(left) && !is_whole(left))
		return jsonata_fail_at(e, "T2003", node, left);
	if (!value_is_undefined(right) && !is_whole(right))
		return jsonata_fail_at(e, "T2004", node, right);
	if (value_is_undefined(left) || value_is_undefined(right))
		return json_undefined();
	double from = value_double(left), to = value_double(right), size = to - from + 1;
	if (from > to)
		return json_undefined();
	if (size > 1e7)
		return jsonata_fail_at(e, "D2014", node, jsonata_number(size));
	if (size > e->sequence_max)
		return jsonata_fail_at(e, "D2015", node, jsonata_number(size));
	uint32_t count = (uint32_t)size;
	struct json *items = jsonata_take_items(e, count);
	if (items == NULL || !jsonata_spend_many(e, count / 16))
		return value_failed();
	for (uint32_t i = 0; i < count; i++)
		items[i] = jsonata_number(from + i);
	return (struct json){
		.type = JSON_ARRAY, .extension = MARK_SEQUENCE, .count = count, .items = items};
}
