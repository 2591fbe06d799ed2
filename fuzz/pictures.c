/* Whatever a picture and a value are: the functions that read and write numbers and dates end with
 * a text or number, or with a fault that has a code. What $formatInteger writes is read again by
 * $parseInteger without a fault.
 * Input: which of the calls, a digit (anything else: all of them); the value; behind a newline, the
 * picture; behind another, options or a time zone. */
#include <assert.h>
#include <stdlib.h>

#include "lang/jsonata/jsonata.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

enum { MEMORY_MAX = 64 * 1024 * 1024, CALLS = 8 };

static const char *const calls[CALLS] = {
	"$formatInteger($number, $picture)",
	"$parseInteger($text, $picture)",
	"$parseInteger($formatInteger($number, $picture), $picture)",
	"$formatNumber($number, $picture)",
	"$formatNumber($number, $picture, {\"decimal-separator\": $more, \"digit\": $text})",
	"$fromMillis($number, $picture, $more)",
	"$toMillis($text, $picture)",
	"$toMillis($fromMillis($number, $picture, $more), $picture)",
};

static int64_t stopped(void *context)
{
	(void)context;
	return 1700000000000000000;
}

/* They live as long as the process: an input costs evaluations alone. */
static const struct jsonata *const *compiled(void)
{
	static const struct jsonata *expressions[CALLS];
	static struct arena arena;
	struct str names[4] = {STR("number"), STR("text"), STR("picture"), STR("more")};
	struct jsonata_options options = {.variables = names, .variable_count = 4};
	struct jsonata_error error;

	if (expressions[0] != NULL)
		return expressions;
	arena_init(&arena, MEMORY_MAX);
	for (int i = 0; i < CALLS; i++) {
		expressions[i] = jsonata_compile(&arena, str_from_c(calls[i]), &options, &error);
		assert(expressions[i] != NULL);
	}
	return expressions;
}

/* A number where the value is one, else one made of its first bytes. */
static struct json number_of(struct arena *arena, struct str text)
{
	struct json number;
	struct error err;
	int64_t bits = 0;

	if (json_parse(arena, text, &json_limits_default, &number, &err) && json_is_number(number))
		return number;
	memcpy(&bits, text.data, text.len < sizeof bits ? text.len : sizeof bits);
	return json_number((double)bits);
}

static void evaluate(struct arena *arena, const struct jsonata *expression,
		     const struct json *variables)
{
	static const struct clock clock = {stopped, stopped, NULL};
	struct jsonata_limits limits = jsonata_limits_default;
	struct jsonata_context context = {
		.arena = arena, .limits = &limits, .variables = variables, .clock = &clock};
	struct jsonata_error error;
	struct json out;

	/* A number of a million M is no better a test than one of a thousand. */
	limits.bytes_max = 64 * 1024;
	limits.steps_max = 10000;
	if (jsonata_evaluate(expression, &context, json_undefined(), &out, &error)) {
		assert(out.type == JSON_STRING || json_is_number(out) ||
		       out.type == JSON_UNDEFINED);
		return;
	}
	assert(error.code[0] != '\0');
	assert(error.message.len > 0);
}

/* Only what is sound UTF-8 is ever a text. */
static bool is_text(struct arena *arena, struct str text)
{
	struct buffer quoted;
	struct json value;
	struct error err;

	buffer_init(&quoted, arena, MEMORY_MAX);
	json_print(&quoted, json_string(text));
	return json_parse(arena, buffer_str(&quoted), &json_limits_default, &value, &err);
}

/* An input that names its call costs no more than that. */
static void evaluate_some(struct arena *arena, char which, const struct json *variables)
{
	for (int i = 0; i < CALLS; i++)
		if (which == '0' + i || which < '0' || which >= '0' + CALLS)
			evaluate(arena, compiled()[i], variables);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct arena arena;
	struct str picture = str_slice(str_make((const char *)data, len), 1, len);
	struct str text = str_cut(&picture, '\n');
	struct str rest = picture, shown = str_cut(&rest, '\n');

	if (len == 0 || len > 4096)
		return 0;
	arena_init(&arena, MEMORY_MAX);
	if (is_text(&arena, text) && is_text(&arena, shown) && is_text(&arena, rest)) {
		struct json variables[4] = {number_of(&arena, text), json_string(text),
					    json_string(shown), json_string(rest)};
		evaluate_some(&arena, (char)data[0], variables);
	}
	arena_finish(&arena);
	return 0;
}
