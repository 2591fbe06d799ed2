/* Makes the tree of nodes from the syntax tree: chooses each node's evaluator, gives variables
 * their slots, binds builtins, hashes keys. */
#include "lang/jsonata/compile.h"
#include "lang/jsonata/regex.h"
#include "lang/jsonata/syntax.h"

static struct node *compile_node(struct compiler *c, const struct syntax *syntax);

static struct node *create(struct compiler *c, const struct syntax *syntax, enum node_kind kind,
			   run_function *run)
{
	struct node *node = arena_zero(c->arena, sizeof *node);

	node->kind = (uint8_t)kind;
	node->run = run;
	node->position = syntax->position;
	node->keeps_array = syntax->keeps_array;
	node->op = (uint8_t)syntax->op;
	return node;
}

static struct str label_name(struct compiler *c, const struct ancestor *ancestor)
{
	return arena_format(c->arena, "!%d", ancestor->label);
}

static struct node *compile_variable(struct compiler *c, const struct syntax *syntax)
{
	if (syntax->text.len == 0)
		return create(c, syntax, NODE_CONTEXT, jsonata_run_context);
	struct node *node = create(c, syntax, NODE_VARIABLE, jsonata_run_variable);

	jsonata_scope_note(c, &c->references, node, syntax->text);
	return node;
}

static struct node *compile_parent(struct compiler *c, const struct syntax *syntax)
{
	struct node *node = create(c, syntax, NODE_VARIABLE, jsonata_run_variable);

	jsonata_scope_note(c, &c->references, node, label_name(c, syntax->ancestor));
	return node;
}

static struct node *compile_bind(struct compiler *c, const struct syntax *syntax)
{
	struct node *node = create(c, syntax, NODE_BIND, jsonata_run_bind);

	node->bind.name = syntax->lhs->text;
	node->bind.value = compile_node(c, syntax->rhs);
	if (node->bind.value == NULL)
		return NULL;
	if (c->scope->names.count >= 4096) {
		*c->fault = (struct fault){
			.code = "U1002", .position = syntax->position, .has_position = true};
		return NULL;
	}
	if (c->scope == c->program->scope && jsonata_scope_has(c->scope->outer, node->bind.name)) {
		node->run = jsonata_run_bind_around;
		jsonata_scope_note(c, &c->binds, node, node->bind.name);
		c->binds->scope = (struct scope *)(uintptr_t)c->scope->outer;
		return node;
	}
	jsonata_scope_name(c, &c->scope->names, node->bind.name);
	jsonata_scope_note(c, &c->binds, node, node->bind.name);
	return node;
}

/* --- lists --------------------------------------------------------------------------------- */

static const struct node **compile_items(struct compiler *c, const struct syntax_list *items)
{
	const struct node **nodes = arena_array(c->arena, items->count, sizeof *nodes);

	for (uint32_t i = 0; i < items->count; i++) {
		if (items->items[i]->kind == SYNTAX_PLACEHOLDER) {
			nodes[i] = NULL;
			continue;
		}
		nodes[i] = compile_node(c, items->items[i]);
		if (nodes[i] == NULL)
			return NULL;
	}
	return nodes;
}

static struct node *compile_array(struct compiler *c, const struct syntax *syntax)
{
	struct node *node = create(c, syntax, NODE_ARRAY, jsonata_run_array);

	node->is_cons = syntax->is_cons;
	node->is_array_syntax = true;
	node->list.items = compile_items(c, &syntax->items);
	node->list.count = syntax->items.count;
	return node->list.items == NULL ? NULL : node;
}

static struct node *compile_block(struct compiler *c, const struct syntax *syntax)
{
	struct node *node = create(c, syntax, NODE_BLOCK, jsonata_run_block);
	struct scope *scope = jsonata_scope_open(c, SCOPE_PLAIN);

	node->list.items = compile_items(c, &syntax->items);
	node->list.count = syntax->items.count;
	node->list.scope = scope;
	jsonata_scope_close(c, scope);
	return node->list.items == NULL ? NULL : node;
}

/* `a & b & c` as one node. */
static struct node *compile_chain(struct compiler *c, const struct syntax *syntax,
				  run_function *run)
{
	struct node *node = create(c, syntax, NODE_CHAIN, run);
	uint32_t count = 2, i;
	const struct syntax *at;

	for (at = syntax; at->lhs->kind == SYNTAX_BINARY && at->lhs->op == syntax->op &&
			  at->lhs->predicate == NULL && at->lhs->group == NULL;
	     at = at->lhs)
		count++;
	const struct syntax **operands = arena_array(c->arena, count, sizeof *operands);
	const struct node **items = arena_array(c->arena, count, sizeof *items);
	for (i = count, at = syntax; i-- > 1; at = at->lhs) {
		operands[i] = at->rhs;
		operands[i - 1] = at->lhs;
	}
	for (i = 0; i < count; i++) {
		items[i] = compile_node(c, operands[i]);
		if (items[i] == NULL)
			return NULL;
	}
	uint32_t *positions = arena_array(c->arena, count, sizeof *positions);
	for (i = count, at = syntax; i-- > 1; at = at->lhs)
		positions[i] = at->position;
	positions[0] = positions[1];
	node->list.items = items;
	node->list.count = count;
	node->list.positions = positions;
	return node;
}

static run_function *binary_run(enum operator op)
{
	switch (op) {
	case OP_ADD:
	case OP_SUBTRACT:
	case OP_MULTIPLY:
	case OP_DIVIDE:
	case OP_MODULO:
		return jsonata_run_arithmetic;
	case OP_EQUAL:
	case OP_UNEQUAL:
		return jsonata_run_equal;
	case OP_LESS:
	case OP_LESS_EQUAL:
	case OP_GREATER:
	case OP_GREATER_EQUAL:
		return jsonata_run_compare;
	case OP_IN:
		return jsonata_run_in;
	case OP_RANGE:
		return jsonata_run_range;
	default:
		return NULL;
	}
}

static struct node *compile_operands(struct compiler *c, const struct syntax *syntax,
				     enum node_kind kind, run_function *run)
{
	struct node *node = create(c, syntax, kind, run);

	node->operands.lhs = compile_node(c, syntax->lhs);
	if (node->operands.lhs == NULL)
		return NULL;
	if (syntax->rhs != NULL) {
		node->operands.rhs = compile_node(c, syntax->rhs);
		if (node->operands.rhs == NULL)
			return NULL;
	}
	if (syntax->third != NULL) {
		node->operands.third = compile_node(c, syntax->third);
		if (node->operands.third == NULL)
			return NULL;
	}
	return node;
}

/* A transformation copies by whatever $clone is where it stands. */
static struct node *compile_transform(struct compiler *c, const struct syntax *syntax)
{
	struct node *node = compile_operands(c, syntax, NODE_TRANSFORM, jsonata_run_transform);

	if (node == NULL)
		return NULL;
	struct node *clone = create(c, syntax, NODE_VARIABLE, jsonata_run_variable);
	jsonata_scope_note(c, &c->references, clone, STR("clone"));
	node->operands.clone = clone;
	return node;
}

static struct node *compile_binary(struct compiler *c, const struct syntax *syntax)
{
	if (syntax->op == OP_CONCAT)
		return compile_chain(c, syntax, jsonata_run_concat);
	if (syntax->op == OP_AND || syntax->op == OP_OR)
		return compile_chain(c, syntax, jsonata_run_logic);
	return compile_operands(c, syntax, NODE_BINARY, binary_run(syntax->op));
}

static bool has_equal_names(const struct object_node *object)
{
	for (uint32_t i = 0; i < object->count; i++)
		for (uint32_t k = 0; k < i; k++)
			if (json_has_key(&object->pairs[i].member,
					 json_name(&object->pairs[k].member),
					 object->pairs[k].member.key_hash))
				return true;
	return false;
}

static struct node *compile_object(struct compiler *c, const struct syntax *syntax)
{
	struct node *node = create(c, syntax, NODE_OBJECT, jsonata_run_object);
	struct object_node *object = &node->object;

	object->count = syntax->items.count / 2;
	object->pairs = arena_array(c->arena, object->count, sizeof object->pairs[0]);
	object->is_constant = true;
	for (uint32_t i = 0; i < object->count; i++) {
		struct pair *pair = &object->pairs[i];
		*pair = (struct pair){0};
		pair->key = compile_node(c, syntax->items.items[2 * i]);
		pair->value =
			pair->key == NULL ? NULL : compile_node(c, syntax->items.items[2 * i + 1]);
		if (pair->value == NULL)
			return NULL;
		if (pair->key->kind != NODE_LITERAL || pair->key->literal.type != JSON_STRING) {
			object->is_constant = false;
			continue;
		}
		pair->member = json_member(json_str(pair->key->literal), json_undefined());
		if (str_starts_with(json_name(&pair->member), STR("_jsonata_")))
			object->is_constant = false;
	}
	object->is_constant =
		object->is_constant && object->count <= 512 && !has_equal_names(object);
	return node;
}

/* --- paths --------------------------------------------------------------------------------- */

static struct node *compile_name(struct compiler *c, const struct syntax *syntax)
{
	struct node *node = create(c, syntax, NODE_NAME, jsonata_run_name);

	node->name.key = syntax->text;
	node->name.hash = json_key_hash(node->name.key.data, node->name.key.len);
	if (c->program->fields.count < 1024)
		jsonata_scope_name(c, &c->program->fields, node->name.key);
	return node;
}

static bool compile_stages(struct compiler *c, const struct stage *list, struct step *step)
{
	uint32_t count = 0, i = 0;

	for (const struct stage *stage = list; stage != NULL; stage = stage->next)
		count++;
	struct node_stage *stages = arena_array(c->arena, count, sizeof *stages);
	for (const struct stage *stage = list; stage != NULL; stage = stage->next, i++) {
		stages[i] = (struct node_stage){.index_slot =
							jsonata_scope_tuple_slot(c, stage->index)};
		if (stage->filter == NULL)
			continue;
		stages[i].filter = compile_node(c, stage->filter);
		if (stages[i].filter == NULL)
			return false;
	}
	step->stages = stages;
	step->stage_count = count;
	return true;
}

static bool compile_step(struct compiler *c, const struct syntax *syntax, struct step *step)
{
	*step = (struct step){.is_cons = syntax->is_cons};
	step->node = compile_node(c, syntax);
	if (step->node == NULL || !compile_stages(c, syntax->stages, step))
		return false;
	step->is_name = step->node->kind == NODE_NAME && !step->node->keeps_array;
	step->is_variable = syntax->kind == SYNTAX_VARIABLE;
	step->focus_slot = (uint16_t)jsonata_scope_tuple_slot(c, syntax->focus);
	step->index_slot = (uint16_t)jsonata_scope_tuple_slot(c, syntax->index);
	if (syntax->ancestor != NULL && syntax->kind != SYNTAX_PARENT)
		step->ancestor_slot =
			(uint16_t)jsonata_scope_tuple_slot(c, label_name(c, syntax->ancestor));
	return true;
}

static uint32_t find_tuple_step(const struct syntax *syntax)
{
	uint32_t i = 0;

	while (i < syntax->items.count && !syntax->items.items[i]->is_tuple)
		i++;
	return i;
}

static bool is_field(const struct path *path)
{
	return path->count == 1 && path->steps[0].is_name && path->steps[0].stage_count == 0 &&
	       !path->keeps_singleton && path->group == NULL && path->tuple_from == 1;
}

/* Without predicates, sorting, grouping, tuples, and arrays that stay such. */
static bool is_plain_path(const struct path *path)
{
	for (uint32_t i = 0; i < path->count; i++)
		if (path->steps[i].stage_count > 0 || path->steps[i].node->kind == NODE_SORT)
			return false;
	return path->tuple_from == path->count && !path->wants_sequence && !path->steps[0].is_cons;
}

static struct node *compile_path(struct compiler *c, const struct syntax *syntax)
{
	struct node *node = create(c, syntax, NODE_PATH, jsonata_run_path);
	struct path *path = &node->path;
	struct scope *scope = NULL;

	path->count = syntax->items.count;
	path->steps = arena_array(c->arena, path->count, sizeof path->steps[0]);
	path->tuple_from = find_tuple_step(syntax);
	path->keeps_singleton = syntax->keeps_singleton;
	path->hands_tuples_on = syntax->is_tuple;
	for (uint32_t i = 0; i < path->count; i++) {
		if (i == path->tuple_from)
			path->tuple_scope = scope = jsonata_scope_open(c, SCOPE_TUPLE);
		if (!compile_step(c, syntax->items.items[i], &path->steps[i]))
			return NULL;
	}
	if (syntax->group != NULL) {
		path->group = compile_object(c, syntax->group);
		path->group_position = syntax->group->position;
		if (path->group == NULL)
			return NULL;
	}
	path->wants_sequence = path->keeps_singleton || path->group != NULL || node->keeps_array;
	if (scope != NULL) {
		jsonata_scope_close(c, scope);
		node->run = jsonata_run_tuple_path;
	} else if (is_field(path) && !node->keeps_array) {
		const struct node *name = path->steps[0].node;
		node->kind = NODE_FIELD;
		node->run = jsonata_run_field;
		node->name.key = name->name.key;
		node->name.hash = name->name.hash;
	} else if (is_plain_path(path)) {
		node->run = jsonata_run_plain_path;
	}
	return node;
}

static struct node *compile_sort(struct compiler *c, const struct syntax *syntax)
{
	struct node *node = create(c, syntax, NODE_SORT, jsonata_run_sort);
	struct sort_term *terms = arena_array(c->arena, syntax->items.count, sizeof *terms);

	for (uint32_t i = 0; i < syntax->items.count; i++) {
		const struct syntax *holder = syntax->items.items[i];
		terms[i].is_descending = holder->is_descending;
		terms[i].node = compile_node(c, holder->lhs);
		if (terms[i].node == NULL)
			return NULL;
	}
	node->sort.terms = terms;
	node->sort.count = syntax->items.count;
	return node;
}

/* --- functions ----------------------------------------------------------------------------- */

static struct node *compile_lambda(struct compiler *c, const struct syntax *syntax)
{
	struct node *node = create(c, syntax, NODE_LAMBDA, jsonata_run_lambda);
	struct scope *scope = jsonata_scope_open(c, SCOPE_PLAIN);
	scope->is_lambda = true;
	uint16_t *slots = arena_array(c->arena, syntax->items.count, sizeof *slots);
	struct signature *signature = NULL;

	for (uint32_t i = 0; i < syntax->items.count; i++)
		slots[i] = (uint16_t)jsonata_scope_name(c, &scope->names,
							syntax->items.items[i]->text);
	if (syntax->signature != NULL) {
		uint32_t offset;
		signature = jsonata_signature_parse(
			c->arena, arena_str(c->arena, syntax->signature->text), c->fault, &offset);
	}
	node->lambda = (struct lambda){.slots = slots,
				       .parameter_count = syntax->items.count,
				       .signature = signature,
				       .scope = scope,
				       .body = compile_node(c, syntax->lhs)};
	jsonata_scope_close(c, scope);
	return node->lambda.body == NULL ? NULL : node;
}

/* What the reference calls the procedure of a call: the value of its node. */
static struct json name_of(struct compiler *c, const struct syntax *named)
{
	switch (named->kind) {
	case SYNTAX_NUMBER:
	case SYNTAX_VALUE:
		return json_copy(c->arena, named->value);
	case SYNTAX_NAME:
	case SYNTAX_STRING:
	case SYNTAX_VARIABLE:
		return json_string(arena_str(c->arena, named->text));
	case SYNTAX_BINARY:
	case SYNTAX_BIND:
	case SYNTAX_APPLY:
	case SYNTAX_MINUS:
	case SYNTAX_ARRAY:
	case SYNTAX_OBJECT:
	case SYNTAX_CALL:
	case SYNTAX_PARTIAL:
	case SYNTAX_WILDCARD:
	case SYNTAX_DESCENDANT:
		return json_string(arena_str(c->arena, named->text));
	default:
		return json_undefined();
	}
}

static void name_call(struct compiler *c, struct node *node, const struct syntax *procedure)
{
	const struct syntax *named = procedure;

	if (procedure->kind == SYNTAX_PATH) {
		named = procedure->items.items[0];
		struct node *hint = create(c, named, NODE_VARIABLE, jsonata_run_variable);
		jsonata_scope_note(c, &c->references, hint, named->text);
		node->call.names_path = true;
		node->call.hint = hint;
	}
	node->call.mark = (struct call_mark){name_of(c, named), node->position};
	node->call.tail_mark = (struct call_mark){
		procedure->kind == SYNTAX_VARIABLE ? node->call.mark.token : json_undefined(),
		procedure->position};
}

static struct node *compile_call(struct compiler *c, const struct syntax *syntax)
{
	bool is_partial = syntax->kind == SYNTAX_PARTIAL;
	struct node *node = create(c, syntax, is_partial ? NODE_PARTIAL : NODE_CALL,
				   is_partial	     ? jsonata_run_partial
				   : syntax->is_tail ? jsonata_run_tail
						     : jsonata_run_call);

	node->call.procedure = compile_node(c, syntax->lhs);
	if (node->call.procedure == NULL)
		return NULL;
	node->call.arguments = compile_items(c, &syntax->items);
	if (node->call.arguments == NULL)
		return NULL;
	node->call.count = syntax->items.count;
	node->call.scope = c->scope;
	name_call(c, node, syntax->lhs);
	if (!is_partial && syntax->lhs->kind == SYNTAX_VARIABLE && syntax->lhs->predicate == NULL) {
		jsonata_scope_note(c, &c->calls, node, json_str(node->call.mark.token));
		c->calls->is_tail = syntax->is_tail;
	}
	return node;
}

static struct node *compile_apply(struct compiler *c, const struct syntax *syntax)
{
	struct node *node = create(c, syntax, NODE_APPLY, jsonata_run_apply);

	node->operands.lhs = compile_node(c, syntax->lhs);
	if (node->operands.lhs == NULL)
		return NULL;
	/* The reference ignores a predicate behind a call here. */
	node->operands.rhs = syntax->rhs->kind == SYNTAX_CALL ? compile_call(c, syntax->rhs)
							      : compile_node(c, syntax->rhs);
	node->operands.third = node->operands.rhs;
	return node->operands.rhs == NULL ? NULL : node;
}

static struct node *compile_regex(struct compiler *c, const struct syntax *syntax)
{
	struct node *node = create(c, syntax, NODE_REGEX, jsonata_run_regex);

	node->regex = jsonata_regex_compile(c->arena, syntax->text, syntax->ignores_case,
					    syntax->is_multiline, syntax->position, c->fault);
	if (node->regex != NULL)
		return node;
	c->fault->position = syntax->position;
	c->fault->has_position = true;
	return NULL;
}

/* --- all ----------------------------------------------------------------------------------- */

static struct node *compile_literal(struct compiler *c, const struct syntax *syntax)
{
	struct node *node = create(c, syntax, NODE_LITERAL, jsonata_run_literal);

	node->literal = syntax->value;
	node->is_index_literal = syntax->kind == SYNTAX_NUMBER;
	return node;
}

static struct node *compile_bare(struct compiler *c, const struct syntax *syntax)
{
	switch (syntax->kind) {
	case SYNTAX_STRING:
	case SYNTAX_NUMBER:
	case SYNTAX_VALUE:
		return compile_literal(c, syntax);
	case SYNTAX_NAME:
		return compile_name(c, syntax);
	case SYNTAX_VARIABLE:
		return compile_variable(c, syntax);
	case SYNTAX_REGEX:
		return compile_regex(c, syntax);
	case SYNTAX_WILDCARD:
		return create(c, syntax, NODE_WILDCARD, jsonata_run_wildcard);
	case SYNTAX_DESCENDANT:
		return create(c, syntax, NODE_DESCENDANT, jsonata_run_descendant);
	case SYNTAX_PARENT:
		return compile_parent(c, syntax);
	case SYNTAX_BINARY:
		return compile_binary(c, syntax);
	case SYNTAX_MINUS:
		return compile_operands(c, syntax, NODE_NEGATE, jsonata_run_negate);
	case SYNTAX_ARRAY:
		return compile_array(c, syntax);
	case SYNTAX_OBJECT:
		return compile_object(c, syntax);
	case SYNTAX_CALL:
	case SYNTAX_PARTIAL:
		return compile_call(c, syntax);
	case SYNTAX_LAMBDA:
		return compile_lambda(c, syntax);
	case SYNTAX_CONDITION:
		return compile_operands(c, syntax, NODE_CONDITION, jsonata_run_condition);
	case SYNTAX_DEFAULT:
		return compile_operands(c, syntax, NODE_CONDITION, jsonata_run_default);
	case SYNTAX_COALESCE:
		return compile_operands(c, syntax, NODE_CONDITION, jsonata_run_coalesce);
	case SYNTAX_BLOCK:
		return compile_block(c, syntax);
	case SYNTAX_TRANSFORM:
		return compile_transform(c, syntax);
	case SYNTAX_BIND:
		return compile_bind(c, syntax);
	case SYNTAX_APPLY:
		return compile_apply(c, syntax);
	case SYNTAX_PATH:
		return compile_path(c, syntax);
	case SYNTAX_SORT:
		return compile_sort(c, syntax);
	case SYNTAX_OPERATOR:
	case SYNTAX_PLACEHOLDER:
	case SYNTAX_END:
		break;
	}
	*c->fault = (struct fault){.code = "S0201",
				   .position = syntax->position,
				   .has_position = true,
				   .token = json_string(syntax->text)};
	return NULL;
}

static struct node *compile_filtered(struct compiler *c, const struct syntax *syntax,
				     struct node *base)
{
	struct node *node = create(c, syntax, NODE_FILTERED, jsonata_run_filtered);
	struct scope *scope = syntax->is_tuple ? jsonata_scope_open(c, SCOPE_TUPLE) : NULL;
	struct step step;

	node->is_array_syntax = base->is_array_syntax;
	if (!compile_stages(c, syntax->predicate, &step))
		return NULL;
	const struct node **filters = arena_array(c->arena, step.stage_count, sizeof *filters);
	for (uint32_t i = 0; i < step.stage_count; i++)
		filters[i] = step.stages[i].filter;
	node->filtered.base = base;
	node->filtered.filters = filters;
	node->filtered.count = step.stage_count;
	node->filtered.tuple_scope = scope;
	if (syntax->group != NULL && syntax->kind != SYNTAX_PATH) {
		node->filtered.group = compile_object(c, syntax->group);
		node->filtered.group_position = syntax->group->position;
		if (node->filtered.group == NULL)
			return NULL;
	}
	if (scope != NULL)
		jsonata_scope_close(c, scope);
	return node;
}

static struct node *compile_node(struct compiler *c, const struct syntax *syntax)
{
	struct node *node = compile_bare(c, syntax);

	if (node == NULL)
		return NULL;
	jsonata_fold_note(c, node);
	if (syntax->predicate != NULL || (syntax->group != NULL && syntax->kind != SYNTAX_PATH))
		return compile_filtered(c, syntax, node);
	return node;
}

static const struct jsonata *compile_tree(struct compiler *c, const struct syntax *tree,
					  const struct scope *outer)
{
	c->tuple_names = arena_zero(c->arena, sizeof *c->tuple_names);
	struct scope *scope = jsonata_scope_open(c, SCOPE_PLAIN);

	scope->outer = outer;
	c->program->scope = scope;
	c->program->root = compile_node(c, tree);
	if (c->program->root == NULL)
		return NULL;
	jsonata_scope_resolve(c);
	jsonata_fold(c);
	return c->program;
}

const struct jsonata *jsonata_compile_text(struct arena *arena, struct str text,
					   const struct jsonata_options *options,
					   const struct scope *outer, struct fault *fault)
{
	struct arena scratch;
	struct jsonata *program = arena_zero(arena, sizeof *program);
	struct compiler c = {
		.arena = arena, .scratch = &scratch, .program = program, .fault = fault};
	const struct jsonata *result = NULL;

	c.foldings_end = &c.foldings;
	uint32_t depth_max =
		options == NULL || options->depth_max == 0 ? 200 : (uint32_t)options->depth_max;

	if (options != NULL) {
		program->natives = options->natives;
		program->native_count = options->native_count;
		program->variables = options->variables;
		program->variable_count = options->variable_count;
	}
	program->text = arena_str(arena, text);
	arena_init(&scratch, SIZE_MAX);
	struct parser parser = {
		.arena = &scratch, .text_arena = arena, .fault = fault, .depth_max = depth_max};
	struct syntax *tree = jsonata_parse(&parser, program->text);
	if (tree != NULL)
		tree = jsonata_analyse(&parser, tree);
	if (tree != NULL)
		result = compile_tree(&c, tree, outer);
	if (result == NULL) {
		fault->token = json_copy(arena, fault->token);
		fault->value = json_copy(arena, fault->value);
	}
	arena_finish(&scratch);
	return result;
}
