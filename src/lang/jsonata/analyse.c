/* The analysis, in the order of the reference because its order shows: paths become lists of
 * steps, predicates go to the step they stand behind, % finds the step whose input it names, and
 * calls in tail position are marked. Recursion is as deep as the parser allowed. */
#include "lang/jsonata/syntax.h"

enum { SEEKS_MAX = 200000 };

static struct syntax *analyse(struct parser *parser, struct syntax *node);

static bool fail(struct parser *parser, const char *code, const struct syntax *node)
{
	*parser->fault = (struct fault){.code = code,
					.position = node->position,
					.has_position = node->kind != SYNTAX_PATH &&
							node->kind != SYNTAX_PARENT};
	return false;
}

/* --- % ------------------------------------------------------------------------------------- */

static void add_ancestor(struct parser *parser, struct ancestor_list **list,
			 struct ancestor *ancestor)
{
	if (*list == NULL)
		*list = arena_zero(parser->arena, sizeof **list);
	struct ancestor_list *l = *list;

	if (l->count == l->capacity) {
		uint32_t capacity = l->capacity == 0 ? 4 : l->capacity * 2;
		l->items = arena_grow(parser->arena, l->items, l->count * sizeof l->items[0],
				      capacity * sizeof l->items[0]);
		l->capacity = capacity;
	}
	l->items[l->count++] = ancestor;
}

static const char *kind_name(const struct syntax *node)
{
	switch (node->kind) {
	case SYNTAX_STRING:
		return "string";
	case SYNTAX_NUMBER:
		return "number";
	case SYNTAX_VALUE:
		return "value";
	case SYNTAX_VARIABLE:
		return "variable";
	case SYNTAX_REGEX:
		return "regex";
	case SYNTAX_WILDCARD:
		return "wildcard";
	case SYNTAX_DESCENDANT:
		return "descendant";
	case SYNTAX_PARENT:
		return "parent";
	case SYNTAX_BINARY:
		return "binary";
	case SYNTAX_MINUS:
	case SYNTAX_ARRAY:
	case SYNTAX_OBJECT:
		return "unary";
	case SYNTAX_CALL:
		return "function";
	case SYNTAX_PARTIAL:
		return "partial";
	case SYNTAX_LAMBDA:
		return "lambda";
	case SYNTAX_CONDITION:
	case SYNTAX_DEFAULT:
	case SYNTAX_COALESCE:
		return "condition";
	case SYNTAX_TRANSFORM:
		return "transform";
	case SYNTAX_BIND:
		return "bind";
	case SYNTAX_APPLY:
		return "apply";
	case SYNTAX_SORT:
		return "sort";
	case SYNTAX_PATH:
		return "path";
	case SYNTAX_BLOCK:
		return "block";
	default:
		return "name";
	}
}

static bool fail_parent(struct parser *parser, const struct syntax *node)
{
	fail(parser, "S0217", node);
	parser->fault->token = json_string_c(kind_name(node));
	return false;
}

/* Looks for the step which the % means, in `node`; ancestor->level is 0 once it is found. */
static bool seek_parent(struct parser *parser, struct syntax *node, struct ancestor *ancestor)
{
	/* Many a % in one path looks at many a step. */
	if (++parser->seeks > SEEKS_MAX)
		return fail(parser, "U1002", node);
	switch (node->kind) {
	case SYNTAX_NAME:
	case SYNTAX_WILDCARD:
		if (--ancestor->level == 0) {
			if (node->ancestor != NULL)
				ancestor->label = node->ancestor->label;
			node->ancestor = ancestor;
			node->is_tuple = true;
		}
		return true;
	case SYNTAX_PARENT:
		ancestor->level++;
		return true;
	case SYNTAX_BLOCK:
		if (node->items.count == 0)
			return true;
		node->is_tuple = true;
		return seek_parent(parser, node->items.items[node->items.count - 1], ancestor);
	case SYNTAX_PATH: {
		uint32_t index = node->items.count;
		node->is_tuple = true;
		do {
			if (!seek_parent(parser, node->items.items[--index], ancestor))
				return false;
		} while (ancestor->level > 0 && index > 0);
		return true;
	}
	default:
		return fail_parent(parser, node);
	}
}

/* A % within `value` that found no step is sought by the expression around it. */
static void push_ancestry(struct parser *parser, struct syntax *result, struct syntax *value)
{
	if (value->seeking == NULL && value->kind != SYNTAX_PARENT)
		return;
	struct ancestor_list *slots = value->seeking;

	if (value->kind == SYNTAX_PARENT)
		add_ancestor(parser, &slots, value->ancestor);
	if (result->seeking == NULL) {
		result->seeking = slots;
		return;
	}
	for (uint32_t i = 0, count = slots->count; i < count; i++)
		add_ancestor(parser, &result->seeking, slots->items[i]);
}

static bool resolve_slot(struct parser *parser, struct syntax *path, struct ancestor *slot)
{
	int64_t index = (int64_t)path->items.count - 2;

	while (slot->level > 0) {
		if (index < 0) {
			add_ancestor(parser, &path->seeking, slot);
			return true;
		}
		struct syntax *step = path->items.items[index--];
		/* Contiguous steps that bind the focus count as one. */
		while (index >= 0 && step->focus.data != NULL &&
		       path->items.items[index]->focus.data != NULL)
			step = path->items.items[index--];
		if (!seek_parent(parser, step, slot))
			return false;
	}
	return true;
}

static bool resolve_ancestry(struct parser *parser, struct syntax *path)
{
	struct syntax *last = path->items.items[path->items.count - 1];

	if (last->seeking == NULL && last->kind != SYNTAX_PARENT)
		return true;
	struct ancestor_list *slots = last->seeking;

	if (last->kind == SYNTAX_PARENT)
		add_ancestor(parser, &slots, last->ancestor);
	for (uint32_t i = 0; i < slots->count; i++)
		if (!resolve_slot(parser, path, slots->items[i]))
			return false;
	return true;
}

/* --- paths --------------------------------------------------------------------------------- */

static struct syntax *create_path(struct parser *parser, struct syntax *step)
{
	struct syntax *path = jsonata_syntax_create(parser, SYNTAX_PATH);

	jsonata_syntax_add(parser, &path->items, step);
	return path;
}

static bool check_step(struct parser *parser, struct syntax *path, struct syntax *step)
{
	if (step->kind == SYNTAX_NUMBER || step->kind == SYNTAX_VALUE) {
		fail(parser, "S0213", step);
		parser->fault->value = step->value;
		return false;
	}
	if (step->kind == SYNTAX_STRING)
		step->kind = SYNTAX_NAME;
	path->keeps_singleton |= step->keeps_array;
	return true;
}

/* The first may come from # or ^, which do not check it; others before `from` are known. */
static bool check_steps(struct parser *parser, struct syntax *path, uint32_t from)
{
	if (from > 0 && !check_step(parser, path, path->items.items[0]))
		return false;
	for (uint32_t i = from; i < path->items.count; i++)
		if (!check_step(parser, path, path->items.items[i]))
			return false;
	return true;
}

static struct syntax *analyse_dot(struct parser *parser, struct syntax *node, struct syntax *left)
{
	struct syntax *path = left;
	uint32_t from = 0;

	if (left->kind == SYNTAX_PATH) {
		from = left->items.count;
	} else {
		path = create_path(parser, left);
		if (left->kind == SYNTAX_PARENT)
			add_ancestor(parser, &path->seeking, left->ancestor);
	}
	struct syntax *rest = analyse(parser, node->rhs);
	if (rest == NULL)
		return NULL;
	if (rest->kind == SYNTAX_PATH) {
		for (uint32_t i = 0; i < rest->items.count; i++)
			jsonata_syntax_add(parser, &path->items, rest->items.items[i]);
	} else {
		if (rest->predicate != NULL) {
			rest->stages = rest->predicate;
			rest->predicate = NULL;
		}
		jsonata_syntax_add(parser, &path->items, rest);
	}
	if (!check_steps(parser, path, from))
		return NULL;
	struct syntax *first = path->items.items[0];
	struct syntax *last = path->items.items[path->items.count - 1];
	first->is_cons |= first->kind == SYNTAX_ARRAY;
	last->is_cons |= last->kind == SYNTAX_ARRAY;
	if (!resolve_ancestry(parser, path))
		return NULL;
	path->keeps_array |= node->keeps_array;
	return path;
}

/* Dots chain to the left: walked in a loop, from the innermost. */
static struct syntax *analyse_dots(struct parser *parser, struct syntax *node)
{
	struct syntax_list spine = {0};
	struct syntax *left = node;

	for (; left->kind == SYNTAX_BINARY && left->op == OP_DOT; left = left->lhs)
		jsonata_syntax_add(parser, &spine, left);
	left = analyse(parser, left);
	while (left != NULL && spine.count > 0)
		left = analyse_dot(parser, spine.items[--spine.count], left);
	return left;
}

static void add_stage(struct parser *parser, struct stage **list, struct stage stage)
{
	while (*list != NULL)
		list = &(*list)->next;
	*list = arena_alloc(parser->arena, sizeof **list);
	**list = stage;
}

static struct syntax *analyse_predicate(struct parser *parser, struct syntax *node)
{
	struct syntax *result = analyse(parser, node->lhs), *step = result;

	if (result == NULL)
		return NULL;
	bool is_path = result->kind == SYNTAX_PATH;
	if (is_path)
		step = result->items.items[result->items.count - 1];
	if (step->group != NULL) {
		fail(parser, "S0209", node);
		return NULL;
	}
	struct syntax *filter = analyse(parser, node->rhs);
	if (filter == NULL)
		return NULL;
	for (uint32_t i = 0; filter->seeking != NULL && i < filter->seeking->count; i++) {
		struct ancestor *slot = filter->seeking->items[i];
		if (slot->level != 1)
			slot->level--;
		else if (!seek_parent(parser, step, slot))
			return NULL;
	}
	if (filter->seeking != NULL)
		push_ancestry(parser, step, filter);
	add_stage(parser, is_path ? &step->stages : &step->predicate,
		  (struct stage){.filter = filter, .position = node->position});
	return result;
}

static struct syntax *analyse_order(struct parser *parser, struct syntax *node)
{
	struct syntax *result = analyse(parser, node->lhs);

	if (result == NULL)
		return NULL;
	if (result->kind != SYNTAX_PATH)
		result = create_path(parser, result);
	struct syntax *sort = jsonata_syntax_create(parser, SYNTAX_SORT);
	sort->position = node->position;
	for (uint32_t i = 0; i < node->items.count; i++) {
		bool is_descending = node->items.items[i]->is_descending;
		struct syntax *term = analyse(parser, node->items.items[i]);
		if (term == NULL)
			return NULL;
		/* The direction goes to a node of its own: the term may be shared. */
		struct syntax *holder = jsonata_syntax_create(parser, SYNTAX_SORT);
		holder->lhs = term;
		holder->is_descending = is_descending;
		push_ancestry(parser, sort, term);
		jsonata_syntax_add(parser, &sort->items, holder);
	}
	jsonata_syntax_add(parser, &result->items, sort);
	return resolve_ancestry(parser, result) ? result : NULL;
}

static struct syntax *last_step(struct syntax *node)
{
	return node->kind == SYNTAX_PATH ? node->items.items[node->items.count - 1] : node;
}

static struct syntax *analyse_focus(struct parser *parser, struct syntax *node)
{
	struct syntax *result = analyse(parser, node->lhs);

	if (result == NULL)
		return NULL;
	struct syntax *step = last_step(result);
	if (step->stages != NULL || step->predicate != NULL) {
		fail(parser, "S0215", node);
		return NULL;
	}
	if (step->kind == SYNTAX_SORT) {
		fail(parser, "S0216", node);
		return NULL;
	}
	step->keeps_array |= node->keeps_array;
	step->focus = node->rhs->text;
	step->is_tuple = true;
	return result;
}

static struct syntax *analyse_index(struct parser *parser, struct syntax *node)
{
	struct syntax *result = analyse(parser, node->lhs);

	if (result == NULL)
		return NULL;
	struct syntax *step = last_step(result);
	if (result->kind != SYNTAX_PATH) {
		result = create_path(parser, result);
		if (step->predicate != NULL) {
			step->stages = step->predicate;
			step->predicate = NULL;
		}
	}
	if (step->stages == NULL)
		step->index = node->rhs->text;
	else
		add_stage(parser, &step->stages,
			  (struct stage){.index = node->rhs->text, .position = node->position});
	step->is_tuple = true;
	return result;
}

/* --- the rest ------------------------------------------------------------------------------ */

static bool analyse_items(struct parser *parser, struct syntax *node, bool pushes)
{
	for (uint32_t i = 0; i < node->items.count; i++) {
		struct syntax *item = analyse(parser, node->items.items[i]);
		if (item == NULL)
			return false;
		node->items.items[i] = item;
		if (pushes)
			push_ancestry(parser, node, item);
	}
	return true;
}

static struct syntax *analyse_group(struct parser *parser, struct syntax *node)
{
	struct syntax *result = analyse(parser, node->lhs);

	if (result == NULL)
		return NULL;
	if (result->group != NULL) {
		fail(parser, "S0210", node);
		return NULL;
	}
	if (!analyse_items(parser, node->rhs, false))
		return NULL;
	result->group = node->rhs;
	return result;
}

static bool analyse_child(struct parser *parser, struct syntax *node, struct syntax **child)
{
	if (*child == NULL)
		return true;
	*child = analyse(parser, *child);
	if (*child == NULL)
		return false;
	push_ancestry(parser, node, *child);
	return true;
}

/* Chains of & and of `and`, `or` lean to the left without end: walked in a loop. */
static struct syntax *analyse_chain(struct parser *parser, struct syntax *node)
{
	struct syntax *first = node;

	while (first->lhs->kind == SYNTAX_BINARY && first->lhs->op == node->op)
		first = first->lhs;
	first->lhs = analyse(parser, first->lhs);
	if (first->lhs == NULL)
		return NULL;
	/* Down the spine once more, innermost last; pushes go outwards afterwards. */
	struct syntax_list spine = {0};
	for (struct syntax *at = node; at != first; at = at->lhs)
		jsonata_syntax_add(parser, &spine, at);
	jsonata_syntax_add(parser, &spine, first);
	while (spine.count > 0) {
		struct syntax *at = spine.items[--spine.count];
		push_ancestry(parser, at, at->lhs);
		if (!analyse_child(parser, at, &at->rhs))
			return NULL;
	}
	return node;
}

static struct syntax *analyse_binary(struct parser *parser, struct syntax *node)
{
	switch (node->op) {
	case OP_DOT:
		return analyse_dots(parser, node);
	case OP_BRACKET:
		return analyse_predicate(parser, node);
	case OP_BRACE:
		return analyse_group(parser, node);
	case OP_ORDER:
		return analyse_order(parser, node);
	case OP_FOCUS:
		return analyse_focus(parser, node);
	case OP_INDEX:
		return analyse_index(parser, node);
	case OP_CONCAT:
	case OP_AND:
	case OP_OR:
		return analyse_chain(parser, node);
	case OP_BIND:
		node->kind = SYNTAX_BIND;
		return analyse_child(parser, node, &node->rhs) ? node : NULL;
	case OP_APPLY:
		node->kind = SYNTAX_APPLY;
		node->lhs = analyse(parser, node->lhs);
		node->rhs = node->lhs == NULL ? NULL : analyse(parser, node->rhs);
		if (node->rhs == NULL)
			return NULL;
		node->keeps_array |= node->lhs->keeps_array || node->rhs->keeps_array;
		return node;
	default:
		return analyse_child(parser, node, &node->lhs) &&
				       analyse_child(parser, node, &node->rhs)
			       ? node
			       : NULL;
	}
}

static struct json negate_literal(struct json value)
{
	if (value.type == JSON_INT && value.integer != 0)
		return json_int(-value.integer);
	return (struct json){.type = JSON_DOUBLE, .number = -json_to_double(value)};
}

static struct syntax *analyse_minus(struct parser *parser, struct syntax *node)
{
	node->lhs = analyse(parser, node->lhs);
	if (node->lhs == NULL)
		return NULL;
	if (node->lhs->kind == SYNTAX_NUMBER) {
		struct syntax *number = node->lhs;
		number->value = negate_literal(number->value);
		number->keeps_array |= node->keeps_array;
		return number;
	}
	push_ancestry(parser, node, node->lhs);
	return node;
}

/* Marks the calls whose answer is the lambda's answer: they do not grow the stack. */
static void mark_tail(struct syntax *node)
{
	for (;;) {
		switch (node->kind) {
		case SYNTAX_CALL:
			node->is_tail = node->predicate == NULL;
			return;
		case SYNTAX_CONDITION:
			mark_tail(node->rhs);
			if (node->third == NULL)
				return;
			node = node->third;
			break;
		case SYNTAX_DEFAULT:
		case SYNTAX_COALESCE:
			node = node->rhs;
			break;
		case SYNTAX_BLOCK:
			if (node->items.count == 0 || node->predicate != NULL ||
			    node->group != NULL)
				return;
			node = node->items.items[node->items.count - 1];
			break;
		default:
			return;
		}
	}
}

static struct syntax *analyse_lambda(struct parser *parser, struct syntax *node)
{
	node->lhs = analyse(parser, node->lhs);
	if (node->lhs == NULL)
		return NULL;
	mark_tail(node->lhs);
	return node;
}

static struct syntax *analyse_name(struct parser *parser, struct syntax *node)
{
	struct syntax *path = create_path(parser, node);

	path->keeps_singleton = node->keeps_array;
	path->keeps_array = node->keeps_array;
	return path;
}

static struct syntax *analyse_parent(struct parser *parser, struct syntax *node)
{
	struct ancestor *ancestor = arena_alloc(parser->arena, sizeof *ancestor);

	*ancestor = (struct ancestor){.label = parser->label_count++, .level = 1};
	node->ancestor = ancestor;
	return node;
}

static struct syntax *analyse_block(struct parser *parser, struct syntax *node)
{
	if (!analyse_items(parser, node, true))
		return NULL;
	for (uint32_t i = 0; i < node->items.count; i++) {
		const struct syntax *item = node->items.items[i];
		if (item->is_cons || (item->kind == SYNTAX_PATH && item->items.items[0]->is_cons))
			node->is_cons = true;
	}
	return node;
}

static struct syntax *analyse_compound(struct parser *parser, struct syntax *node)
{
	switch (node->kind) {
	case SYNTAX_ARRAY:
	case SYNTAX_OBJECT:
		return analyse_items(parser, node, true) ? node : NULL;
	case SYNTAX_CALL:
	case SYNTAX_PARTIAL:
		if (!analyse_items(parser, node, true))
			return NULL;
		node->lhs = analyse(parser, node->lhs);
		return node->lhs == NULL ? NULL : node;
	case SYNTAX_TRANSFORM:
		node->lhs = analyse(parser, node->lhs);
		node->rhs = node->lhs == NULL ? NULL : analyse(parser, node->rhs);
		if (node->rhs == NULL)
			return NULL;
		if (node->third != NULL)
			node->third = analyse(parser, node->third);
		return node->third == NULL && parser->fault->code != NULL ? NULL : node;
	default: /* conditions */
		return analyse_child(parser, node, &node->lhs) &&
				       analyse_child(parser, node, &node->rhs) &&
				       analyse_child(parser, node, &node->third)
			       ? node
			       : NULL;
	}
}

static struct syntax *analyse_kind(struct parser *parser, struct syntax *node)
{
	switch (node->kind) {
	case SYNTAX_BINARY:
		return analyse_binary(parser, node);
	case SYNTAX_MINUS:
		return analyse_minus(parser, node);
	case SYNTAX_LAMBDA:
		return analyse_lambda(parser, node);
	case SYNTAX_BLOCK:
		return analyse_block(parser, node);
	case SYNTAX_OPERATOR:
		node->kind = SYNTAX_NAME;
		return analyse_name(parser, node);
	case SYNTAX_NAME:
		return analyse_name(parser, node);
	case SYNTAX_PARENT:
		return analyse_parent(parser, node);
	case SYNTAX_END:
		fail(parser, "S0207", node);
		parser->fault->token = json_string(node->text);
		return NULL;
	case SYNTAX_STRING:
	case SYNTAX_NUMBER:
	case SYNTAX_VALUE:
	case SYNTAX_VARIABLE:
	case SYNTAX_REGEX:
	case SYNTAX_WILDCARD:
	case SYNTAX_DESCENDANT:
	case SYNTAX_PLACEHOLDER:
		return node;
	default:
		return analyse_compound(parser, node);
	}
}

static struct syntax *analyse(struct parser *parser, struct syntax *node)
{
	struct syntax *result = analyse_kind(parser, node);

	if (result != NULL && node->keeps_array)
		result->keeps_array = true;
	return result;
}

struct syntax *jsonata_analyse(struct parser *parser, struct syntax *tree)
{
	struct syntax *result = analyse(parser, tree);

	if (result == NULL)
		return NULL;
	if (result->kind == SYNTAX_PARENT || result->seeking != NULL) {
		fail_parent(parser, result);
		return NULL;
	}
	return result;
}
