/* Scopes and slots: where each name lives, and which names need no frame at all. */
#include "lang/jsonata/builtin.h"
#include "lang/jsonata/compile.h"
#include "lang/jsonata/picture.h"

/* --- scopes -------------------------------------------------------------------------------- */

static int64_t find_name(const struct name_list *names, struct str name)
{
	for (uint32_t i = 0; i < names->count; i++)
		if (str_equal(names->items[i], name))
			return i;
	return -1;
}

uint32_t jsonata_scope_name(struct compiler *c, struct name_list *names, struct str name)
{
	int64_t found = find_name(names, name);

	if (found >= 0)
		return (uint32_t)found;
	if (names->count == names->capacity) {
		uint32_t capacity = names->capacity == 0 ? 4 : names->capacity * 2;
		names->items =
			arena_grow(c->arena, names->items, names->count * sizeof names->items[0],
				   capacity * sizeof names->items[0]);
		names->capacity = capacity;
	}
	names->items[names->count] = name; /* it lives in the text of the program */
	return names->count++;
}

struct scope *jsonata_scope_open(struct compiler *c, enum scope_kind kind)
{
	struct scope *scope = arena_zero(c->arena, sizeof *scope);

	scope->outer = c->scope;
	scope->kind = kind;
	scope->tuple_names = c->tuple_names;
	c->scope = scope;
	return scope;
}

void jsonata_scope_close(struct compiler *c, const struct scope *scope)
{
	c->scope = (struct scope *)(uintptr_t)scope->outer;
}

uint32_t jsonata_scope_tuple_slot(struct compiler *c, struct str name)
{
	return name.data == NULL ? 0 : 1 + jsonata_scope_name(c, c->tuple_names, name);
}

void jsonata_scope_note(struct compiler *c, struct pending **list, struct node *node,
			struct str name)
{
	struct pending *pending = arena_alloc(c->scratch, sizeof *pending);

	*pending = (struct pending){.node = node, .scope = c->scope, .name = name, .next = *list};
	*list = pending;
}

/* --- variables ----------------------------------------------------------------------------- */

static bool scope_slot(const struct scope *scope, struct str name, uint32_t *slot)
{
	int64_t found = find_name(&scope->names, name);

	if (found >= 0) {
		*slot = (uint32_t)found +
			(scope->kind == SCOPE_TUPLE ? scope_tuple_size(scope) : 0);
		return true;
	}
	if (scope->kind != SCOPE_TUPLE)
		return false;
	found = find_name(scope->tuple_names, name);
	*slot = 1 + (uint32_t)found;
	return found >= 0;
}

bool jsonata_scope_has(const struct scope *scope, struct str name)
{
	uint32_t slot;

	return scope != NULL && scope_slot(scope, name, &slot);
}

static uint32_t find_candidates(const struct scope *scope, struct str name, struct candidate *out,
				uint32_t max)
{
	uint32_t count = 0, hops = 0, slot;

	for (; scope != NULL && count < max; scope = scope->outer) {
		if (scope_slot(scope, name, &slot))
			out[count++] = (struct candidate){(uint16_t)hops, (uint16_t)slot};
		hops += scope_size(scope) > 0;
	}
	return count;
}

static struct node *create_function_value(struct compiler *c, const struct pending *pending,
					  struct json function)
{
	struct node *node = arena_zero(c->arena, sizeof *node);

	node->kind = NODE_LITERAL;
	node->run = jsonata_run_literal;
	node->position = pending->node->position;
	node->literal = function;
	return node;
}

/* What the name means when no frame has it: a variable or function of the host, a builtin. */
static const struct node *find_global(struct compiler *c, const struct pending *pending)
{
	const struct jsonata *program = c->program;
	struct node *node;

	for (size_t i = 0; i < program->variable_count; i++) {
		if (!str_equal(program->variables[i], pending->name))
			continue;
		node = arena_zero(c->arena, sizeof *node);
		node->kind = NODE_HOST_VARIABLE;
		node->run = jsonata_run_host_variable;
		node->variable.index = (uint32_t)i;
		return node;
	}
	if (str_equal(pending->name, STR("$"))) {
		node = arena_zero(c->arena, sizeof *node);
		node->kind = NODE_ROOT;
		node->run = jsonata_run_root;
		return node;
	}
	for (size_t i = 0; i < program->native_count; i++) {
		if (!str_equal_c(pending->name, program->natives[i].name))
			continue;
		return create_function_value(c, pending,
					     value_function(FUNCTION_NATIVE, &program->natives[i]));
	}
	const struct builtin_value *value = jsonata_builtin_find(pending->name);
	return value == NULL
		       ? NULL
		       : create_function_value(c, pending, value_function(FUNCTION_BUILTIN, value));
}

static void resolve_reference(struct compiler *c, const struct pending *pending)
{
	struct candidate found[64];
	uint32_t count = find_candidates(pending->scope, pending->name, found, 64);
	struct node *node = pending->node;
	const struct node *global = find_global(c, pending);
	bool keeps_array = node->keeps_array;

	if (count == 0 && global != NULL) {
		*node = *global;
		node->keeps_array = keeps_array;
		node->position = pending->node->position;
		return;
	}
	struct candidate *candidates = arena_array(c->arena, count, sizeof *candidates);
	if (count > 0)
		memcpy(candidates, found, count * sizeof *candidates);
	node->variable.candidates = candidates;
	node->variable.count = count;
	node->variable.fallback = global;
	node->variable.name = pending->name;
	if (count == 1 && found[0].hops == 0)
		node->run = jsonata_run_local;
	else if (count == 1 && found[0].hops == 1)
		node->run = jsonata_run_outer;
}

/* In tail position $eval runs where the function was called, after it has ended: it sees none of
 * its names. What is around the function stands for what is around the call. */
static void leave_lambda(struct call *call, const struct scope *scope)
{
	bool is_outside = false;

	for (; scope != NULL && !is_outside; scope = scope->outer) {
		call->hops = (uint16_t)(call->hops + (scope_size(scope) > 0));
		is_outside = scope->is_lambda;
	}
	call->scope = scope;
}

static void resolve_native(const struct pending *pending)
{
	const struct call *call = &pending->node->call;
	const struct jsonata_native *native = call->procedure->literal.pointer;

	if (!pending->is_tail && call->count <= ARGUMENTS_FEW && native->arity <= ARGUMENTS_FEW)
		pending->node->run = jsonata_run_native_call;
}

/* A call of a function that nothing shadows goes to it directly. */
static void resolve_call(struct compiler *c, const struct pending *pending)
{
	const struct node *procedure = pending->node->call.procedure;
	struct call *call = &pending->node->call;

	if (procedure->kind != NODE_LITERAL || procedure->literal.type != JSON_EXTENSION)
		return;
	if (value_function_kind(procedure->literal) == FUNCTION_NATIVE)
		resolve_native(pending);
	if (value_function_kind(procedure->literal) != FUNCTION_BUILTIN)
		return;
	const struct builtin_value *value = procedure->literal.pointer;
	call->builtin = value->builtin;
	call->signature = value->signature;
	if (call->count >= 2 && call->arguments[1]->kind == NODE_LITERAL &&
	    call->arguments[1]->literal.type == JSON_STRING)
		call->prepared = jsonata_prepare(c->arena, call->builtin,
						 json_str(call->arguments[1]->literal));
	/* In tail position a missing argument falls back to the context of the outer call, and
	 * a fault is said to be elsewhere. */
	pending->node->run = pending->is_tail ? jsonata_run_builtin_tail : jsonata_run_builtin_call;
	if (pending->is_tail && call->builtin->call == jsonata_builtin_eval) {
		pending->node->run = jsonata_run_tail;
		leave_lambda(call, pending->scope);
	}
}

static bool is_within(const struct scope *scope, const struct scope *outer)
{
	while (scope != NULL && scope != outer)
		scope = scope->outer;
	return scope != NULL;
}

/* The text of an $eval may bind any variable where it is called: those that are asked for there
 * get a place, even if nothing in sight binds them. */
static void make_room_for_eval(struct compiler *c, struct scope *scope)
{
	for (const struct pending *p = c->references; p != NULL; p = p->next) {
		bool is_special = p->name.len == 0 || p->name.data[0] == '!' ||
				  p->name.data[0] == '$' || jsonata_builtin_find(p->name) != NULL;
		if (!is_special && scope->names.count < 4096 && is_within(p->scope, scope))
			jsonata_scope_name(c, &scope->names, p->name);
	}
}

void jsonata_scope_resolve(struct compiler *c)
{
	for (struct pending *p = c->references; p != NULL; p = p->next)
		if (str_equal(p->name, STR("eval")))
			make_room_for_eval(c, p->scope);
	for (struct pending *p = c->binds; p != NULL; p = p->next) {
		uint32_t slot = 0;
		if (scope_slot(p->scope, p->name, &slot))
			p->node->bind.slot = (uint16_t)slot;
		/* From within an $eval to the frame around it. */
		p->node->bind.hops =
			p->scope != c->program->scope && scope_size(c->program->scope) > 0;
	}
	for (struct pending *p = c->references; p != NULL; p = p->next)
		resolve_reference(c, p);
	for (struct pending *p = c->calls; p != NULL; p = p->next)
		resolve_call(c, p);
}
