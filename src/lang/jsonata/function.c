#include "lang/jsonata/function.h"

#include "lang/jsonata/builtin.h"
#include "lang/jsonata/mark.h"
#include "lang/jsonata/regex.h"

uint32_t jsonata_arity(struct json function)
{
	const void *p = function.pointer;

	if (function.type != JSON_EXTENSION)
		return 1;
	switch (value_function_kind(function)) {
	case FUNCTION_LAMBDA:
		return ((const struct closure *)p)->node->lambda.parameter_count;
	case FUNCTION_BUILTIN:
		return ((const struct builtin_value *)p)->builtin->arity;
	case FUNCTION_NATIVE:
		return (uint32_t)((const struct jsonata_native *)p)->arity;
	case FUNCTION_REGEX:
		return 2;
	case FUNCTION_PARTIAL:
		return ((const struct partial *)p)->open;
	case FUNCTION_NEXT:
		return 0;
	default:
		return 1;
	}
}

/* --- applying ------------------------------------------------------------------------------ */

static struct json apply_marked(struct evaluation *e, struct json function, struct json *arguments,
				uint32_t count, struct json context, const struct call_mark *mark);

static struct json call_builtin(struct evaluation *e, const struct builtin *builtin,
				const struct json *arguments, uint32_t count,
				const struct call_site *site)
{
	struct json few[ARGUMENTS_FEW] UNINITIALIZED;
	struct call_site with_count = *site;

	with_count.count = count;
	if (count >= ARGUMENTS_FEW)
		return builtin->call(e, arguments, &with_count);
	for (uint32_t i = 0; i < ARGUMENTS_FEW; i++)
		few[i] = i < count ? arguments[i] : json_undefined();
	return builtin->call(e, few, &with_count);
}

/* Checks arguments against a signature; *arguments and *count are then those to pass. */
static bool check(struct evaluation *e, const struct signature *signature,
		  const struct json **arguments, uint32_t *count, struct json context)
{
	struct json *checked;

	if (signature == NULL)
		return true;
	/* What a signature says of items, it is asked of each. */
	for (uint32_t i = 0; i < *count; i++)
		if ((*arguments)[i].type == JSON_ARRAY)
			jsonata_charge(e, (*arguments)[i].count / 8);
	if (jsonata_signature_is_plain(signature, *arguments, *count))
		return true;
	checked = jsonata_take(e, jsonata_signature_room(signature, *count) * sizeof *checked);
	if (checked == NULL)
		return false;
	if (!jsonata_signature_check(signature, e->arena, *arguments, *count, context, checked,
				     count, &e->fault))
		return false;
	*arguments = checked;
	return true;
}

static struct json run_body(struct evaluation *e, const struct closure *closure,
			    struct frame *frame)
{
	return jsonata_run(e, closure->node->lambda.body, closure->input, frame);
}

static struct frame *open_frame(struct evaluation *e, const struct closure *closure)
{
	uint32_t size = scope_size(closure->node->lambda.scope);

	return size == 0 ? closure->frame : jsonata_frame(e, closure->frame, size);
}

static APART struct json apply_lambda(struct evaluation *e, const struct closure *closure,
				      const struct json *arguments, uint32_t count,
				      struct json context, bool is_checked)
{
	const struct lambda *lambda = &closure->node->lambda;

	if (is_checked && !check(e, lambda->signature, &arguments, &count, context))
		return value_failed();
	struct frame *frame = open_frame(e, closure);
	if (frame == NULL && scope_size(lambda->scope) > 0)
		return value_failed();
	for (uint32_t i = 0; i < lambda->parameter_count; i++)
		frame->slots[lambda->slots[i]] = i < count ? arguments[i] : json_undefined();
	return run_body(e, closure, frame);
}

/* `all` are as many arguments as it has parameters. */
static struct json run_native(struct evaluation *e, const struct jsonata_native *native,
			      const struct json *all)
{
	struct json out = json_undefined();
	struct jsonata_error error UNINITIALIZED;

	error.code[0] = '\0';
	error.value = error.token = json_undefined();
	error.message = (struct str){NULL, 0};
	if (native->call(e->context->native_context, e->arena, all, &out, &error))
		return out;
	/* The native's own code and sentence; the code must outlive this frame. */
	jsonata_fail(e, error.code[0] == '\0' ? "D3137" : arena_c(e->arena, str_from_c(error.code)),
		     error.value);
	e->fault.text = error.message;
	e->fault.token = error.token;
	return value_failed();
}

static APART struct json apply_native(struct evaluation *e, const struct jsonata_native *native,
				      const struct json *arguments, uint32_t count)
{
	struct json *all = jsonata_take(e, (native->arity + 1) * sizeof *all);

	if (all == NULL)
		return value_failed();
	for (size_t i = 0; i < native->arity; i++)
		all[i] = i < count ? arguments[i] : json_undefined();
	return run_native(e, native, all);
}

/* Builtins bear arguments of any type; what they declare too few of is left away. */
static struct json apply_unchecked(struct evaluation *e, const struct builtin_value *value,
				   const struct json *arguments, uint32_t count)
{
	struct call_site site = {.input = json_undefined()};
	uint32_t declared = value->builtin->arity == 0 ? 1 : value->builtin->arity;

	return call_builtin(e, value->builtin, arguments, count < declared ? count : declared,
			    &site);
}

static APART struct json apply_partial(struct evaluation *e, const struct partial *partial,
				       const struct json *arguments, uint32_t count)
{
	struct json *all = jsonata_take(e, partial->count * sizeof *all);
	uint32_t next = 0;

	if (all == NULL)
		return value_failed();
	for (uint32_t i = 0; i < partial->count; i++) {
		all[i] = partial->arguments[i];
		if (all[i].type == VALUE_UNBOUND) {
			all[i] = next < count ? arguments[next] : json_undefined();
			next++;
		}
	}
	/* The reference no longer checks signatures here. */
	if (value_function_kind(partial->function) == FUNCTION_LAMBDA)
		return apply_lambda(e, partial->function.pointer, all, partial->count,
				    json_undefined(), false);
	if (value_function_kind(partial->function) == FUNCTION_BUILTIN)
		return apply_unchecked(e, partial->function.pointer, all, partial->count);
	return jsonata_apply(e, partial->function, all, partial->count, json_undefined());
}

/* In the reference a chain is function($f, $g) { function($x){ $g($f($x)) } }: its faults name
 * what stands there. */
static APART struct json apply_chain(struct evaluation *e, const struct chain *chain,
				     struct json *arguments, uint32_t count)
{
	static const struct call_mark first_mark = {{.type = JSON_STRING, .count = 1, .text = "f"},
						    39 | POSITION_ELSEWHERE};
	static const struct call_mark second_mark = {{.type = JSON_STRING, .count = 1, .text = "g"},
						     35 | POSITION_ELSEWHERE};
	struct json first = count > 0 ? arguments[0] : json_undefined(), value;

	value = apply_marked(e, chain->first, &first, 1, json_null(), &first_mark);
	if (value_is_sequence(value))
		value = jsonata_settle(value, false);
	if (value_is_failed(value)) {
		place(e, &first_mark);
		return failed_before_call();
	}
	value = apply_marked(e, chain->second, &value, 1, json_null(), &second_mark);
	return value_is_failed(value) ? failed_before_call() : value;
}

static APART struct json apply_transform(struct evaluation *e, const struct closure *closure,
					 const struct json *arguments, uint32_t count,
					 struct json context)
{
	struct json value = count > 0 ? arguments[0] : json_undefined();

	(void)context;
	if (count == 1 &&
	    (value_is_undefined(value) || value.type == JSON_OBJECT || value.type == JSON_ARRAY))
		return jsonata_transform(e, closure, value);
	/* <(oa):o> */
	jsonata_fail(e, "T0410", value);
	e->fault.index = count > 1 ? 2 : 1;
	return value_failed();
}

static APART struct json apply_builtin(struct evaluation *e, const struct builtin_value *value,
				       const struct json *arguments, uint32_t count,
				       const struct call_site *outer)
{
	struct call_site site = *outer;

	if (!check(e, value->signature, &arguments, &count, site.input))
		return value_failed();
	return call_builtin(e, value->builtin, arguments, count, &site);
}

static struct json apply_once(struct evaluation *e, struct json function, struct json *arguments,
			      uint32_t count, struct json context)
{
	if (function.type != JSON_EXTENSION)
		return jsonata_fail(e, "T1006", json_undefined());
	if ((function.extension & FUNCTION_WRAPPED) != 0)
		context = json_null();
	switch (value_function_kind(function)) {
	case FUNCTION_LAMBDA:
		return apply_lambda(e, function.pointer, arguments, count, context, true);
	case FUNCTION_BUILTIN:
		return apply_builtin(e, function.pointer, arguments, count,
				     &(struct call_site){.input = context});
	case FUNCTION_NATIVE:
		return apply_native(e, function.pointer, arguments, count);
	case FUNCTION_REGEX:
		return jsonata_regex_apply(e, (struct regex_value *)(uintptr_t)function.pointer,
					   count > 0 ? arguments[0] : json_undefined(),
					   count > 1 ? arguments[1] : json_undefined());
	case FUNCTION_NEXT:
		return jsonata_regex_next(e, function.pointer);
	case FUNCTION_PARTIAL:
		return apply_partial(e, function.pointer, arguments, count);
	case FUNCTION_CHAIN:
		return apply_chain(e, function.pointer, arguments, count);
	case FUNCTION_TRANSFORM:
		return apply_transform(e, function.pointer, arguments, count, context);
	default:
		return jsonata_fail(e, "T1006", json_undefined());
	}
}

static struct json apply_and_blame(struct evaluation *e, struct json function,
				   struct json *arguments, uint32_t count, struct json context)
{
	struct json value = apply_once(e, function, arguments, count, context);

	if (value_is_failed(value)) {
		if (value.flags != BEFORE_CALL)
			blame(e, get_mark(e, function));
		return value_failed();
	}
	return value;
}

static struct json apply_eval(struct evaluation *e, const struct tail *tail, struct json context)
{
	struct call_site site = {.input = context, .frame = tail->frame, .scope = tail->scope};
	struct json value =
		apply_builtin(e, tail->function.pointer, tail->arguments, tail->count, &site);

	if (value_is_failed(value))
		blame(e, get_mark(e, tail->function));
	return value;
}

/* Calls in tail position wait here, so that they do not grow the stack. */
static struct json run_tails(struct evaluation *e, struct json value, struct json context)
{
	while (value.type == VALUE_TAIL) {
		struct tail tail = e->tail;
		if (tail.function.type == VALUE_UNBOUND)
			return tail.value;
		if (!jsonata_spend(e))
			return value_failed();
		bool is_wrapped = (tail.function.extension & FUNCTION_WRAPPED) != 0;
		if (mark_of(tail.function) == NULL) /* the arguments may have changed it */
			set_mark(e, tail.function, tail.mark);
		value = tail.scope != NULL ? apply_eval(e, &tail, context)
					   : apply_and_blame(e, tail.function, tail.arguments,
							     tail.count, context);
		if (value_is_failed(value) && is_wrapped)
			blame(e, tail.mark);
	}
	return value;
}

static struct json apply_marked(struct evaluation *e, struct json function, struct json *arguments,
				uint32_t count, struct json context, const struct call_mark *mark)
{
	struct json value;

	if (!jsonata_enter(e))
		return value_failed();
	if (is_marked(function))
		set_mark(e, function, mark);
	value = apply_and_blame(e, function, arguments, count, context);
	value = run_tails(e, value, context);
	jsonata_leave(e);
	return value;
}

struct json jsonata_apply(struct evaluation *e, struct json function, struct json *arguments,
			  uint32_t count, struct json context)
{
	struct json value;

	if (!jsonata_enter(e))
		return value_failed();
	value = apply_and_blame(e, function, arguments, count, context);
	value = run_tails(e, value, context);
	jsonata_leave(e);
	return value;
}

struct json jsonata_apply_item(struct evaluation *e, struct json function, struct json item,
			       struct json key, struct json whole)
{
	struct json arguments[3] = {item, key, whole};
	uint32_t arity = jsonata_arity(function);

	return jsonata_apply(e, function, arguments,
			     arity < 1	 ? 1
			     : arity > 3 ? 3
					 : arity,
			     json_null());
}

/* --- nodes --------------------------------------------------------------------------------- */

struct json jsonata_run_lambda(struct evaluation *e, const struct node *node, struct json input,
			       struct frame *frame)
{
	struct closure *closure = jsonata_take(e, sizeof *closure);

	if (closure == NULL)
		return value_failed();
	*closure = (struct closure){.node = node, .frame = frame, .input = input};
	return value_function(FUNCTION_LAMBDA, closure);
}

static struct json run_argument(struct evaluation *e, const struct node *node, struct json input,
				struct frame *frame)
{
	struct json value = jsonata_run(e, node, input, frame);

	if (value.type == JSON_EXTENSION)
		value.extension |= FUNCTION_WRAPPED;
	return value;
}

/* Room for the arguments: few of them stand in the caller's frame. */
static struct json *arguments_room(struct evaluation *e, struct json *few, uint32_t count)
{
	if (count <= ARGUMENTS_FEW)
		return few;
	return jsonata_take(e, count * sizeof *few);
}

/* `first` is what ~> hands over, or NULL. */
static struct json *run_arguments(struct evaluation *e, const struct call *call, struct json input,
				  struct frame *frame, const struct json *first, struct json *few,
				  uint32_t *count)
{
	uint32_t at = 0;
	struct json *arguments;

	*count = call->count + (first != NULL);
	arguments = arguments_room(e, few, *count);
	if (arguments == NULL)
		return NULL;
	if (first != NULL)
		arguments[at++] = *first;
	for (uint32_t i = 0; i < call->count; i++, at++) {
		arguments[at] = run_argument(e, call->arguments[i], input, frame);
		if (value_is_failed(arguments[at]))
			return NULL;
	}
	return arguments;
}

/* Checks the arguments of a known builtin at length; see call_known(). */
static APART struct json call_checked(struct evaluation *e, const struct node *node,
				      const struct json *arguments, uint32_t count,
				      const struct call_site *site)
{
	const struct call *call = &node->call;

	if (!check(e, call->signature, &arguments, &count, site->input))
		return locate(e, &call->mark);
	struct json value = call_builtin(e, call->builtin, arguments, count, site);
	return value_is_failed(value) ? locate(e, &call->mark) : value;
}

/* The arguments of a known builtin that takes few. *fits: they may be passed as they are. False
 * when one fails. */
static inline bool run_few(struct evaluation *e, const struct call *call, struct json input,
			   struct frame *frame, struct json *few, bool *fits)
{
	const struct signature *signature = call->signature;
	uint32_t i;

	*fits = call->count <= signature->count && call->count >= signature->least;
	for (i = 0; i < call->count; i++) {
		few[i] = run_argument(e, call->arguments[i], input, frame);
		if (value_is_failed(few[i]))
			return false;
		*fits = *fits && jsonata_signature_is_fit(&signature->parameters[i], few[i]);
	}
	for (; i < ARGUMENTS_FEW; i++)
		few[i] = json_undefined();
	return true;
}

/* What a call of a builtin is made with, but for the count of arguments. */
static inline struct call_site site_of(const struct call *call, struct json input,
				       struct frame *frame)
{
	return (struct call_site){.input = input,
				  .frame = frame,
				  .scope = call->scope,
				  .count = call->count,
				  .prepared = call->prepared};
}

static inline struct json call_builtin_at(struct evaluation *e, const struct call *call,
					  const struct json *few, const struct call_site *site)
{
	struct json value = call->builtin->call(e, few, site);

	return value_is_failed(value) ? locate(e, &call->mark) : value;
}

/* A builtin known at compile time with what ~> hands over, or with many arguments. */
static APART struct json call_known(struct evaluation *e, const struct node *node,
				    struct json input, struct frame *frame,
				    const struct json *first)
{
	const struct call *call = &node->call;
	struct json few[ARGUMENTS_FEW] UNINITIALIZED;
	struct call_site site = site_of(call, input, frame);
	struct json *arguments = run_arguments(e, call, input, frame, first, few, &site.count);

	if (arguments == NULL)
		return value_failed();
	if (site.count > ARGUMENTS_FEW ||
	    !jsonata_signature_is_plain(call->signature, arguments, site.count))
		return call_checked(e, node, arguments, site.count, &site);
	for (uint32_t i = site.count; i < ARGUMENTS_FEW; i++)
		few[i] = json_undefined();
	return call_builtin_at(e, call, few, &site);
}

/* Arguments that fit as they are need no copy. */
static inline struct json call_few(struct evaluation *e, const struct node *node, struct json input,
				   struct frame *frame)
{
	const struct call *call = &node->call;
	struct json few[ARGUMENTS_FEW] UNINITIALIZED;
	struct call_site site = site_of(call, input, frame);
	bool fits;

	if (!run_few(e, call, input, frame, few, &fits))
		return value_failed();
	if (!fits)
		return call_checked(e, node, few, call->count, &site);
	return call_builtin_at(e, call, few, &site);
}

struct json jsonata_run_builtin_call(struct evaluation *e, const struct node *node,
				     struct json input, struct frame *frame)
{
	struct json value;

	if (!jsonata_enter(e))
		return value_failed();
	value = node->call.count <= ARGUMENTS_FEW ? call_few(e, node, input, frame)
						  : call_known(e, node, input, frame, NULL);
	jsonata_leave(e);
	return value;
}

/* The function that is called; a name that lacks its dollar sign gets a hint. */
static struct json run_procedure(struct evaluation *e, const struct node *node, struct json input,
				 struct frame *frame, const char *hint_code)
{
	const struct call *call = &node->call;
	struct json function = jsonata_run(e, call->procedure, input, frame);

	if (!value_is_undefined(function) || !call->names_path)
		return function;
	struct json meant = jsonata_run(e, call->hint, input, frame);
	if (value_is_undefined(meant) || !is_truthy(meant))
		return function;
	jsonata_fail(e, hint_code, json_undefined());
	return locate(e, &call->mark);
}

/* A lambda without a signature: its arguments go straight into its frame. False when one fails. */
static APART bool bind_arguments(struct evaluation *e, const struct node *node,
				 const struct closure *closure, struct json input,
				 struct frame *frame, const struct json *first, struct frame **out)
{
	const struct lambda *lambda = &closure->node->lambda;
	uint32_t at = 0;
	struct frame *inner = open_frame(e, closure);

	if (inner == NULL && scope_size(lambda->scope) > 0)
		return false;
	*out = inner;
	if (first != NULL && lambda->parameter_count > 0)
		inner->slots[lambda->slots[0]] = *first;
	at += first != NULL;
	for (uint32_t i = 0; i < node->call.count; i++, at++) {
		struct json value = run_argument(e, node->call.arguments[i], input, frame);
		if (value_is_failed(value))
			return false;
		if (at < lambda->parameter_count)
			inner->slots[lambda->slots[at]] = value;
	}
	for (; at < lambda->parameter_count; at++)
		inner->slots[lambda->slots[at]] = json_undefined();
	return true;
}

static struct json call_lambda(struct evaluation *e, const struct node *node, struct json function,
			       struct json input, struct frame *frame, const struct json *first)
{
	const struct closure *closure = function.pointer;
	struct frame *inner;

	if (!bind_arguments(e, node, closure, input, frame, first, &inner))
		return value_failed();
	if ((function.extension & FUNCTION_WRAPPED) == 0)
		set_mark(e, function, &node->call.mark);
	struct json value = run_body(e, closure, inner);
	if (value_is_failed(value) && value.flags != BEFORE_CALL)
		blame(e, closure->mark);
	value = run_tails(e, value, input);
	return value_is_failed(value) ? place(e, &node->call.mark) : value;
}

static struct json call_any(struct evaluation *e, const struct node *node, struct json input,
			    struct frame *frame, const struct json *first)
{
	struct json function = run_procedure(e, node, input, frame, "T1005");
	struct json few[ARGUMENTS_FEW] UNINITIALIZED;
	uint32_t count;

	if (value_is_failed(function))
		return function;
	if (function.type == JSON_EXTENSION && value_function_kind(function) == FUNCTION_LAMBDA) {
		const struct closure *closure = function.pointer;
		if (closure->node->lambda.signature == NULL)
			return call_lambda(e, node, function, input, frame, first);
	}
	struct json *arguments = run_arguments(e, &node->call, input, frame, first, few, &count);
	if (arguments == NULL)
		return value_failed();
	struct json value = apply_marked(e, function, arguments, count, input, &node->call.mark);
	return value_is_failed(value) ? place(e, &node->call.mark) : value;
}

struct json jsonata_run_call(struct evaluation *e, const struct node *node, struct json input,
			     struct frame *frame)
{
	struct json value;

	if (!jsonata_enter(e))
		return value_failed();
	value = call_any(e, node, input, frame, NULL);
	jsonata_leave(e);
	return value;
}

/* As apply_marked() does it: the mark is left behind, and a fault is said to be here. */
static struct json call_native(struct evaluation *e, const struct node *node,
			       const struct jsonata_native *native, const struct json *all)
{
	const struct call_mark *mark = &node->call.mark;

	if (!jsonata_enter(e))
		return place(e, mark);
	e->marked_builtin = native;
	e->builtin_mark = mark;
	struct json value = run_native(e, native, all);
	jsonata_leave(e);
	return value_is_failed(value) ? locate(e, mark) : value;
}

/* A function of the host known at compile time, with few arguments. */
struct json jsonata_run_native_call(struct evaluation *e, const struct node *node,
				    struct json input, struct frame *frame)
{
	const struct call *call = &node->call;
	struct json few[ARGUMENTS_FEW] UNINITIALIZED;
	uint32_t i;

	if (!jsonata_enter(e))
		return value_failed();
	for (i = 0; i < call->count; i++) {
		few[i] = run_argument(e, call->arguments[i], input, frame);
		if (value_is_failed(few[i]))
			return value_failed();
	}
	for (; i < ARGUMENTS_FEW; i++)
		few[i] = json_undefined();
	struct json value = call_native(e, node, call->procedure->literal.pointer, few);
	jsonata_leave(e);
	return value;
}

/* In tail position only the arguments are evaluated; the loop around applies. */
struct json jsonata_run_tail(struct evaluation *e, const struct node *node, struct json input,
			     struct frame *frame)
{
	struct json function = jsonata_run(e, node->call.procedure, input, frame);
	const struct call *call = &node->call;

	if (value_is_failed(function))
		return failed_before_call();
	set_mark(e, function, &call->tail_mark);
	struct json *arguments = jsonata_take(e, (call->count + 1) * sizeof *arguments);
	jsonata_charge(e, 2 * call->count);
	if (arguments == NULL)
		return value_failed();
	for (uint32_t i = 0; i < call->count; i++) {
		arguments[i] = jsonata_run(e, call->arguments[i], input, frame);
		if (value_is_failed(arguments[i]))
			return failed_before_call();
	}
	e->tail = (struct tail){.function = function,
				.arguments = arguments,
				.count = call->count,
				.mark = &call->tail_mark};
	if (call->builtin != NULL && call->builtin->call == jsonata_builtin_eval) {
		for (uint32_t i = 0; i < call->hops; i++)
			frame = frame->outer;
		e->tail.scope = call->scope;
		e->tail.frame = frame;
	}
	return (struct json){.type = VALUE_TAIL};
}

/* What a builtin in tail position answers passes the nodes around it untouched, as in the reference
 * where the loop around has it: a sequence of one is still a sequence for a caller like $map. */
static struct json keep_raw(struct evaluation *e, struct json value)
{
	if (!value_is_sequence(value))
		return value;
	e->tail = (struct tail){.function = value_unbound(), .value = value};
	return (struct json){.type = VALUE_TAIL};
}

/* A builtin in tail position whose missing arguments the outer call's context would stand in for:
 * when none is missing it is called at once, for it cannot call back without end. */
struct json jsonata_run_builtin_tail(struct evaluation *e, const struct node *node,
				     struct json input, struct frame *frame)
{
	const struct call *call = &node->call;
	struct call_site site = {
		.input = input, .frame = frame, .scope = call->scope, .prepared = call->prepared};
	struct json few[ARGUMENTS_FEW] UNINITIALIZED;

	if (call->count >= ARGUMENTS_FEW)
		return jsonata_run_tail(e, node, input, frame);
	for (uint32_t i = 0; i < ARGUMENTS_FEW; i++)
		few[i] = json_undefined();
	for (uint32_t i = 0; i < call->count; i++) {
		few[i] = jsonata_run(e, call->arguments[i], input, frame);
		if (value_is_failed(few[i]))
			return failed_before_call();
	}
	if (jsonata_signature_is_plain(call->signature, few, call->count)) {
		site.count = call->count;
		if (!jsonata_enter(e))
			return value_failed();
		struct json value = call->builtin->call(e, few, &site);
		jsonata_leave(e);
		if (!value_is_failed(value))
			return keep_raw(e, value);
		locate(e, &call->tail_mark);
		return failed_before_call();
	}
	struct json *arguments = jsonata_take(e, sizeof few);
	if (arguments == NULL)
		return value_failed();
	memcpy(arguments, few, sizeof few);
	e->tail = (struct tail){.function = call->procedure->literal,
				.arguments = arguments,
				.count = call->count,
				.mark = &call->tail_mark};
	return (struct json){.type = VALUE_TAIL};
}

struct json jsonata_run_partial(struct evaluation *e, const struct node *node, struct json input,
				struct frame *frame)
{
	const struct call *call = &node->call;
	struct partial *partial =
		jsonata_take(e, sizeof *partial + call->count * sizeof partial->arguments[0]);

	if (partial == NULL || !jsonata_enter(e))
		return value_failed();
	partial->count = call->count;
	partial->open = 0;
	partial->mark = NULL;
	for (uint32_t i = 0; i < call->count; i++) {
		partial->arguments[i] = value_unbound();
		if (call->arguments[i] == NULL) {
			partial->open++;
			continue;
		}
		partial->arguments[i] = jsonata_run(e, call->arguments[i], input, frame);
		if (value_is_failed(partial->arguments[i]))
			return value_failed();
	}
	partial->function = run_procedure(e, node, input, frame, "T1007");
	if (value_is_failed(partial->function))
		return value_failed();
	if (partial->function.type != JSON_EXTENSION) {
		jsonata_fail(e, "T1008", json_undefined());
		return locate(e, &call->mark);
	}
	jsonata_leave(e);
	return value_function(FUNCTION_PARTIAL, partial);
}

static struct json make_chain(struct evaluation *e, struct json first, struct json second)
{
	struct chain *chain = jsonata_take(e, sizeof *chain);

	if (chain == NULL)
		return value_failed();
	*chain = (struct chain){.first = first, .second = second};
	return value_function(FUNCTION_CHAIN, chain);
}

static struct json apply_to(struct evaluation *e, const struct node *node, struct json left,
			    struct json input, struct frame *frame)
{
	const struct node *right = node->operands.rhs;

	if (right->kind == NODE_CALL) {
		if (right->run == jsonata_run_builtin_call)
			return call_known(e, right, input, frame, &left);
		return call_any(e, right, input, frame, &left);
	}
	struct json function = jsonata_run(e, right, input, frame);
	if (value_is_failed(function))
		return function;
	if (function.type != JSON_EXTENSION) {
		jsonata_fail_at(e, "T2006", node, function);
		e->fault.token = json_undefined();
		return value_failed();
	}
	if (left.type == JSON_EXTENSION)
		return make_chain(e, left, function);
	return jsonata_apply(e, function, &left, 1, json_null());
}

struct json jsonata_run_apply(struct evaluation *e, const struct node *node, struct json input,
			      struct frame *frame)
{
	struct json value;

	if (!jsonata_enter(e))
		return value_failed();
	value = jsonata_run(e, node->operands.lhs, input, frame);
	if (!value_is_failed(value))
		value = apply_to(e, node, value, input, frame);
	jsonata_leave(e);
	return value;
}
