#include <math.h>

#include "lang/jsonata/evaluate.h"
#include "lang/jsonata/text.h"

enum { BYTES_MAX_DEFAULT = 48 * 1024 };

/* The bytes of the character at `at`, a lone surrogate of 3 among them; 0 for what is none. */
static size_t character_size(struct str s, size_t at)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	unsigned char c = (unsigned char)s.data[at];
	size_t size = c < 0x80 ? 1 : c < 0xc0 ? 0 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : c < 0xf8 ? 4 : 0;

	if (size <= 1 || size > s.len - at)
		return size <= 1 ? size : 0;
	for (size_t i = 1; i < size; i++)
		if (((unsigned char)s.data[at + i] & 0xc0) != 0x80)
			return 0;
	uint32_t point = jsonata_point(s.data + at, size);

	return point >= least[size] && point <= 0x10ffff ? size : 0;
}

/* What walks over texts relies on it. */
static bool is_utf8(struct str text)
{
	size_t size;

	for (size_t at = 0; at < text.len; at += size) {
		size = character_size(text, at);
		if (size == 0)
			return false;
	}
	return true;
}

const struct jsonata *jsonata_compile(struct arena *arena, struct str text,
				      const struct jsonata_options *options,
				      struct jsonata_error *error)
{
	struct fault fault = {0};
	size_t bytes_max =
		options == NULL || options->bytes_max == 0 ? BYTES_MAX_DEFAULT : options->bytes_max;

	if (text.len > bytes_max || text.len > UINT32_MAX / 2) {
		fault.code = "U1002";
		jsonata_fault_report(&fault, STR(""), arena, error);
		return NULL;
	}
	if (!is_utf8(text)) {
		fault.code = "U1004";
		jsonata_fault_report(&fault, STR(""), arena, error);
		return NULL;
	}
	const struct jsonata *program = jsonata_compile_text(arena, text, options, NULL, &fault);

	if (program == NULL)
		jsonata_fault_report(&fault, text, arena, error);
	return program;
}

/* For what an evaluation runs once, and two functions have: each with a copy of its own. */
#define INLINED inline __attribute__((always_inline))

/* --- results ------------------------------------------------------------------------------- */

/* What an expression built may be nested too deep or, by sharing, be huge when written out: both
 * are refused here, so that whoever prints or copies a result need not fear it. The marks of its
 * arrays are taken off, so that a result fed back is a value like any other. */
static bool check_result(struct evaluation *e, struct json value, uint32_t depth);

/* Only evaluations make marks, in arrays of their own arena. */
static APART bool check_container(struct evaluation *e, struct json *item, uint32_t depth)
{
	if (item->type == JSON_ARRAY && item->extension != 0)
		item->extension = 0;
	return check_result(e, *item, depth + 1);
}

static bool check_items(struct evaluation *e, struct json value, uint32_t depth)
{
	for (uint32_t i = 0; i < value.count; i++) {
		struct json *item = (struct json *)(uintptr_t)&value.items[i];
		if (item->type == JSON_UNDEFINED)
			*item = json_null(); /* as JSON.stringify does */
		if (item->type >= JSON_ARRAY && !check_container(e, item, depth))
			return false;
	}
	return true;
}

static bool check_members(struct evaluation *e, struct json value, uint32_t depth)
{
	for (uint32_t i = 0; i < value.count; i++) {
		struct json *item = (struct json *)(uintptr_t)&value.members[i].value;
		if (item->type >= JSON_ARRAY && !check_container(e, item, depth))
			return false;
	}
	return true;
}

static bool check_result(struct evaluation *e, struct json value, uint32_t depth)
{
	if ((value.type != JSON_ARRAY && value.type != JSON_OBJECT) ||
	    (value.flags & JSON_HAS_SOURCE) != 0)
		return true;
	if (depth > DATA_DEPTH_MAX)
		return jsonata_too_deep(e);
	if (!jsonata_spend_many(e, 1 + value.count / 16))
		return false;
	return value.type == JSON_ARRAY ? check_items(e, value, depth)
					: check_members(e, value, depth);
}

static INLINED bool take_result(struct evaluation *e, struct json value, struct json *out)
{
	if (value_is_failed(value))
		return false;
	if (value.type == JSON_DOUBLE && !isfinite(value.number)) {
		jsonata_fail(e, "D1001", json_undefined());
		return false;
	}
	if (value.type == JSON_ARRAY && (value.extension & MARK_OUTER) != 0)
		value = value.items[0];
	if (value.type >= JSON_ARRAY && !check_result(e, value, 0))
		return false;
	if (value.type != JSON_EXTENSION)
		value.extension = 0;
	*out = value;
	return true;
}

/* --- evaluation ---------------------------------------------------------------------------- */

static INLINED struct json run_program(struct evaluation *e, struct json input)
{
	const struct jsonata *program = e->program;
	struct json wrapped = input;
	struct frame *frame = NULL;
	uint32_t size = scope_size(program->scope);

	/* An array as the document is one item, not many. */
	if (input.type == JSON_ARRAY && (input.extension & MARK_SEQUENCE) == 0) {
		struct json *items = jsonata_take_items(e, 1);
		if (items == NULL)
			return value_failed();
		items[0] = input;
		wrapped = (struct json){.type = JSON_ARRAY,
					.extension = MARK_SEQUENCE | MARK_OUTER,
					.count = 1,
					.items = items};
	}
	if (size > 0) {
		frame = jsonata_frame(e, NULL, size);
		if (frame == NULL)
			return value_failed();
	}
	return jsonata_run(e, program->root, wrapped, frame);
}

static INLINED void start(struct evaluation *e, const struct jsonata *expression,
			  const struct jsonata_context *context)
{
	const struct jsonata_limits *limits =
		context->limits == NULL ? &jsonata_limits_default : context->limits;
	uint64_t fuel = limits->steps_max < FUEL ? limits->steps_max : FUEL;

	e->fuel = (int64_t)fuel + 1;
	e->steps_left = limits->steps_max - fuel;
	e->depth = 0;
	e->depth_max = limits->depth_max;
	e->bytes_left = limits->bytes_max > INT64_MAX ? INT64_MAX : (int64_t)limits->bytes_max;
	e->arena = context->arena;
	e->sequence_max = limits->sequence_max;
	e->program = expression;
	e->context = context;
	e->limits = limits;
	e->places = context->places;
	e->deadline_ms = 0;
	e->now_ms = -1;
	e->match_memory = NULL;
	e->has_chance = false;
	e->fault.code = NULL; /* what else there is of it comes with that */
	e->marked_builtin = NULL;
	e->builtin_mark = NULL;
}

static uint64_t steps_taken(const struct evaluation *e)
{
	uint64_t left = e->steps_left + (uint64_t)(e->fuel > 0 ? e->fuel : 0);

	return e->limits->steps_max + 1 - left;
}

static APART bool evaluate(const struct jsonata *expression, const struct jsonata_context *context,
			   struct json input, struct json *out, uint64_t *steps,
			   struct jsonata_error *error)
{
	struct evaluation e UNINITIALIZED;
	struct json scratch[SCRATCH_FIRST] UNINITIALIZED;

	start(&e, expression, context);
	e.root = input;
	e.scratch = scratch;
	e.top = 0;
	e.capacity = SCRATCH_FIRST;
	*out = json_undefined();
	bool ok = take_result(&e, run_program(&e, input), out);
	if (steps != NULL)
		*steps += steps_taken(&e);
	if (ok)
		return true;
	jsonata_fault_report(&e.fault, expression->text, context->arena, error);
	return false;
}

/* Nothing in it can be of an evaluation, or need a look. */
static inline bool is_settled(struct json value)
{
	return (value.type < JSON_ARRAY && value.type != JSON_DOUBLE) ||
	       (value.type <= JSON_OBJECT && (value.flags & JSON_HAS_SOURCE) != 0);
}

/* A name alone, as most of a map are, takes no step and cannot fail: it needs no evaluation. */
bool jsonata_evaluate(const struct jsonata *expression, const struct jsonata_context *context,
		      struct json input, struct json *out, struct jsonata_error *error)
{
	const struct node *root = expression->root;

	if (root->kind == NODE_FIELD && input.type == JSON_OBJECT) {
		struct json value =
			jsonata_find(context->places, input, root->name.key, root->name.hash);
		if (is_settled(value)) {
			value.extension = 0;
			*out = value;
			return true;
		}
	}
	return evaluate(expression, context, input, out, NULL, error);
}

bool jsonata_evaluate_counted(const struct jsonata *expression,
			      const struct jsonata_context *context, struct json input,
			      struct json *out, uint64_t *steps, struct jsonata_error *error)
{
	return evaluate(expression, context, input, out, steps, error);
}

bool jsonata_error_to_error(const struct jsonata_error *error, struct error *err)
{
	return error_set(err, ERROR_INVALID, "%s at %zu: %.*s", error->code, error->position,
			 STR_ARGS(error->message));
}

struct str jsonata_text(const struct jsonata *expression)
{
	return expression->text;
}

const struct str *jsonata_input_fields(const struct jsonata *expression, size_t *count)
{
	*count = expression->fields.count;
	return expression->fields.items;
}
