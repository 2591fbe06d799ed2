/* Whatever the text is: compiling it ends with an expression or a fault that has a code and a
 * sentence, and evaluating it over a document ends within its budgets with a value that prints, or
 * with such a fault. Input: the expression; behind a zero byte, the document as JSON. */
#include <assert.h>

#include "lang/jsonata/jsonata.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static int64_t stopped(void *context)
{
	(void)context;
	return 1700000000000000000;
}

static const char document[] =
	"{\"a\":{\"b\":[1,2.5,{\"c\":\"x y\"}]},\"s\":\"Zo\\u00eb "
	"\\ud835\\udcb3\",\"n\":7,\"t\":true,"
	"\"nul\":null,\"e\":[],\"d\":\"2026-03-04T09:15:22.481Z\",\"l\":[{\"k\":\"u\",\"v\":1},"
	"{\"k\":\"w\",\"v\":[2,3]}]}";

static void check_fault(const struct jsonata_error *error)
{
	assert(error->code[0] != '\0');
	assert(error->message.len > 0);
}

static void print(struct arena *arena, struct json value)
{
	struct buffer out;

	buffer_init(&out, arena, (size_t)1 << 26);
	json_print(&out, value);
}

static void evaluate(struct arena *arena, const struct jsonata *expression, struct json input)
{
	static const struct clock clock = {stopped, stopped, NULL};
	struct random_seeded seed = {1};
	struct random random = random_from_seed(&seed);
	struct jsonata_limits limits = jsonata_limits_default;
	struct jsonata_context context = {
		.arena = arena, .limits = &limits, .clock = &clock, .random = &random};
	struct jsonata_error error;
	struct json out;

	limits.steps_max = 20000;
	limits.bytes_max = 4 << 20;
	limits.sequence_max = 20000;
	limits.regex_matches_max = 2000;
	if (jsonata_evaluate(expression, &context, input, &out, &error))
		print(arena, out);
	else
		check_fault(&error);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct arena arena;
	struct jsonata_error error;
	struct json input;
	struct error err;
	struct buffer explained;
	struct str rest = str_make((const char *)data, len), text = str_cut(&rest, '\0');

	arena_init(&arena, (size_t)1 << 30);
	if (rest.len == 0)
		rest = str_from_c(document);
	if (!json_parse(&arena, rest, &json_limits_default, &input, &err))
		input = json_undefined();
	const struct jsonata *expression = jsonata_compile(&arena, text, NULL, &error);
	if (expression == NULL) {
		check_fault(&error);
	} else {
		buffer_init(&explained, &arena, 1 << 20);
		jsonata_explain(expression, &explained);
		evaluate(&arena, expression, input);
	}
	arena_finish(&arena);
	return 0;
}
