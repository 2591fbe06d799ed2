/* Constant folding: what literals alone decide is worked out once, at compile time, by the same
 * evaluators. Whatever fails, or is no plain value, stays as it is, so that errors come when and
 * where the expression is evaluated. */
#include <math.h>

#include "lang/jsonata/builtin.h"
#include "lang/jsonata/compile.h"

enum { FOLD_BYTES_MAX = 4096, FOLD_STEPS_MAX = 1000, FOLD_DEPTH_MAX = 60 };

/* Builtins that depend on their arguments alone. */
static builtin_function *const pure[] = {
	jsonata_builtin_string,
	jsonata_builtin_substring,
	jsonata_builtin_substring_before,
	jsonata_builtin_substring_after,
	jsonata_builtin_lowercase,
	jsonata_builtin_uppercase,
	jsonata_builtin_length,
	jsonata_builtin_trim,
	jsonata_builtin_contains,
	jsonata_builtin_replace,
	jsonata_builtin_format_number,
	jsonata_builtin_format_base,
	jsonata_builtin_format_integer,
	jsonata_builtin_parse_integer,
	jsonata_builtin_number,
	jsonata_builtin_floor,
	jsonata_builtin_ceil,
	jsonata_builtin_round,
	jsonata_builtin_abs,
	jsonata_builtin_sqrt,
	jsonata_builtin_power,
	jsonata_builtin_boolean,
	jsonata_builtin_not,
	jsonata_builtin_base64_encode,
	jsonata_builtin_base64_decode,
	jsonata_builtin_encode_url_component,
	jsonata_builtin_encode_url,
	jsonata_builtin_decode_url_component,
	jsonata_builtin_decode_url,
	jsonata_builtin_from_millis,
};

/* --- while nodes are made ------------------------------------------------------------------ */

static bool may_be_constant(const struct node *node)
{
	return node->kind == NODE_LITERAL || node->may_fold;
}

static bool all_may_be(const struct node *const *items, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		if (items[i] == NULL || !may_be_constant(items[i]))
			return false;
	return true;
}

static bool is_candidate(const struct node *node)
{
	switch (node->kind) {
	case NODE_BINARY:
		return node->op != OP_RANGE && may_be_constant(node->operands.lhs) &&
		       may_be_constant(node->operands.rhs);
	case NODE_NEGATE:
	case NODE_CONDITION:
		return may_be_constant(node->operands.lhs);
	case NODE_CHAIN:
		return all_may_be(node->list.items, node->list.count);
	case NODE_BLOCK:
		return node->list.count == 1 && may_be_constant(node->list.items[0]);
	case NODE_CALL:
		return node->call.procedure->kind == NODE_VARIABLE && node->call.count > 0 &&
		       all_may_be(node->call.arguments, node->call.count);
	default:
		return false;
	}
}

/* A function of an object that is written out, as $lookup({"a": 1, …}, b). */
static bool may_have_table(const struct node *node)
{
	return node->kind == NODE_CALL && node->call.count > 0 && node->call.arguments[0] != NULL &&
	       node->call.arguments[0]->kind == NODE_OBJECT;
}

void jsonata_fold_note(struct compiler *c, struct node *node)
{
	bool may_fold = is_candidate(node);

	if (node->keeps_array || (!may_fold && !may_have_table(node)))
		return;
	struct folding *folding = arena_alloc(c->scratch, sizeof *folding);

	node->may_fold = may_fold;
	*folding = (struct folding){.node = node};
	*c->foldings_end = folding;
	c->foldings_end = &folding->next;
}

/* --- when names are resolved --------------------------------------------------------------- */

static bool all_literals(const struct node *const *items, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		if (items[i]->kind != NODE_LITERAL)
			return false;
	return true;
}

/* Arguments that a context would stand in for when missing are no constants. */
static bool is_pure_call(const struct call *call)
{
	struct json arguments[4];
	bool is_pure = false;

	if (call->builtin == NULL || call->count > 4 || !all_literals(call->arguments, call->count))
		return false;
	for (size_t i = 0; i < sizeof pure / sizeof pure[0] && !is_pure; i++)
		is_pure = pure[i] == call->builtin->call;
	for (uint32_t i = 0; i < call->count; i++)
		arguments[i] = call->arguments[i]->literal;
	return is_pure && jsonata_signature_is_plain(call->signature, arguments, call->count);
}

/* All that it is made of is constant by now. */
static bool is_constant(const struct node *node)
{
	switch (node->kind) {
	case NODE_BINARY:
		return node->operands.lhs->kind == NODE_LITERAL &&
		       node->operands.rhs->kind == NODE_LITERAL;
	case NODE_NEGATE:
		return node->operands.lhs->kind == NODE_LITERAL;
	case NODE_CONDITION:
		return node->operands.lhs->kind == NODE_LITERAL &&
		       node->operands.rhs->kind == NODE_LITERAL &&
		       (node->operands.third == NULL || node->operands.third->kind == NODE_LITERAL);
	case NODE_CHAIN:
		return all_literals(node->list.items, node->list.count);
	case NODE_BLOCK:
		return scope_size(node->list.scope) == 0 && all_literals(node->list.items, 1);
	default:
		return is_pure_call(&node->call);
	}
}

static bool is_plain_value(struct json value)
{
	if (value.type == JSON_DOUBLE)
		return isfinite(value.number);
	return value.type >= JSON_NULL && value.type <= JSON_STRING;
}

static void start(struct evaluation *e, struct compiler *c, const struct jsonata_context *context,
		  const struct jsonata_limits *limits)
{
	*e = (struct evaluation){.fuel = FOLD_STEPS_MAX,
				 .depth_max = FOLD_DEPTH_MAX,
				 .bytes_left = FOLD_BYTES_MAX,
				 .arena = c->arena,
				 .sequence_max = FOLD_BYTES_MAX,
				 .program = c->program,
				 .context = context,
				 .limits = limits,
				 .now_ms = -1};
}

static void fold(struct compiler *c, struct node *node)
{
	static const struct jsonata_limits limits = {.regex_matches_max = FOLD_STEPS_MAX};
	struct jsonata_context context = {.arena = c->arena, .limits = &limits};
	struct evaluation e UNINITIALIZED;
	struct json scratch[SCRATCH_FIRST] UNINITIALIZED;

	start(&e, c, &context, &limits);
	e.scratch = scratch;
	e.capacity = SCRATCH_FIRST;
	struct json value = node->run(&e, node, json_undefined(), NULL);
	if (!is_plain_value(value))
		return;
	/* What is an index and what an array constructor is a matter of spelling. */
	node->kind = NODE_LITERAL;
	node->run = jsonata_run_literal;
	node->literal = value;
}

/* A condition that is known leaves one branch; the branch itself may be anything. */
static void choose_branch(struct node *node)
{
	struct json value = node->operands.lhs->literal;

	if (node->run != jsonata_run_condition || !is_plain_value(value) ||
	    value.type == JSON_DOUBLE || value.type == JSON_NUMBER_TEXT)
		return;
	if (jsonata_truth_slow(NULL, value, 0) == 0)
		node->operands.rhs = node->operands.third;
	node->operands.third = NULL;
	node->run = jsonata_run_chosen;
}

static bool is_table(const struct node *node)
{
	if (node->kind != NODE_OBJECT || !node->object.is_constant || node->keeps_array)
		return false;
	for (uint32_t i = 0; i < node->object.count; i++)
		if (node->object.pairs[i].value->kind != NODE_LITERAL ||
		    !is_plain_value(node->object.pairs[i].value->literal))
			return false;
	return true;
}

/* The table of a $lookup, which only looks into it, is made once. */
static void fold_table(struct compiler *c, const struct call *call)
{
	struct node *node = (struct node *)(uintptr_t)call->arguments[0];

	if (call->builtin == NULL || call->builtin->call != jsonata_builtin_lookup ||
	    !is_table(node))
		return;
	const struct object_node *object = &node->object;
	struct json_member *members = arena_array(c->arena, object->count + 1, sizeof *members);
	for (uint32_t i = 0; i < object->count; i++) {
		members[i] = object->pairs[i].member;
		members[i].value = object->pairs[i].value->literal;
	}
	struct json table = json_object(members, object->count);
	node->kind = NODE_LITERAL;
	node->run = jsonata_run_literal;
	node->literal = table;
}

void jsonata_fold(struct compiler *c)
{
	for (struct folding *at = c->foldings; at != NULL; at = at->next) {
		if (is_constant(at->node))
			fold(c, at->node);
		else if (at->node->kind == NODE_CONDITION &&
			 at->node->operands.lhs->kind == NODE_LITERAL)
			choose_branch(at->node);
		else if (may_have_table(at->node))
			fold_table(c, &at->node->call);
	}
}
