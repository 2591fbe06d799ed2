/* $eval: an expression in a text, evaluated where it stands and on the same budgets. */
#include "lang/jsonata/builtin.h"

/* Compiling takes stack, too, and evaluation may be deep already. */
enum { EVAL_BYTES_MAX = 48 * 1024, EVAL_DEPTH_MAX = 60 };

/* The fault of the inner expression becomes the value of D3120 or D3121. */
static struct json wrap_fault(struct evaluation *e, const char *code, const struct fault *inner,
			      struct str text)
{
	struct jsonata_error error;

	jsonata_fault_report(inner, text, e->arena, &error);
	e->fault = (struct fault){.code = code, .value = json_string(error.message)};
	return value_failed();
}

/* Budgets are no faults of the inner expression: they end everything. */
static bool is_budget(const struct fault *fault)
{
	static const char *const codes[] = {"U1001", "D1011", "D1012", "D1013", "D2015", "D1014"};

	for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++)
		if (strcmp(fault->code, codes[i]) == 0)
			return true;
	return false;
}

static struct json run_program(struct evaluation *e, const struct jsonata *program,
			       struct json input, struct frame *frame, bool has_scope)
{
	uint32_t size = scope_size(program->scope);

	if (!has_scope)
		frame = NULL;
	if (size > 0) {
		frame = jsonata_frame(e, frame, size);
		if (frame == NULL)
			return value_failed();
	}
	if (!jsonata_enter(e))
		return value_failed();
	struct json value = jsonata_run(e, program->root, input, frame);
	jsonata_leave(e);
	return value;
}

struct json jsonata_builtin_eval(struct evaluation *e, const struct json *a,
				 const struct call_site *site)
{
	struct fault fault = {0};
	struct json input = site->input;
	const struct jsonata *outer = e->program;
	struct jsonata_options options = {.natives = outer->natives,
					  .native_count = outer->native_count,
					  .variables = outer->variables,
					  .variable_count = outer->variable_count,
					  .depth_max = EVAL_DEPTH_MAX};

	if (a[0].type != JSON_STRING)
		return json_undefined();
	if (a[0].count > EVAL_BYTES_MAX)
		return jsonata_fail(e, "U1002", json_undefined());
	/* What compiling costs, in steps and bytes, with something to spare. */
	if (!jsonata_spend_many(e, a[0].count * 8 + 64))
		return value_failed();
	e->bytes_left -= (int64_t)a[0].count * 512;
	const struct jsonata *program =
		jsonata_compile_text(e->arena, json_str(a[0]), &options, site->scope, &fault);
	if (program == NULL)
		return wrap_fault(e, "D3120", &fault, json_str(a[0]));
	if (!value_is_undefined(a[1])) {
		input = a[1];
		if (input.type == JSON_ARRAY && (input.extension & MARK_SEQUENCE) == 0) {
			struct json *items = jsonata_take_items(e, 1);
			if (items == NULL)
				return value_failed();
			items[0] = input;
			input = (struct json){.type = JSON_ARRAY,
					      .extension = MARK_SEQUENCE | MARK_OUTER,
					      .count = 1,
					      .items = items};
		}
	}
	struct json value = run_program(e, program, input, site->frame, site->scope != NULL);
	if (!value_is_failed(value) || is_budget(&e->fault))
		return value;
	fault = e->fault;
	return wrap_fault(e, "D3121", &fault, program->text);
}
