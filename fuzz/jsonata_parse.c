/* Whatever the text is: compiling it ends with an expression that can be explained, or with a
 * fault that has a code, a sentence and a place within the text. Input: the expression. */
#include <assert.h>

#include "lang/jsonata/jsonata.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

enum { MEMORY_MAX = 64 * 1024 * 1024 };

static void check_fault(const struct jsonata_error *error, size_t len)
{
	assert(error->code[0] != '\0');
	assert(error->message.len > 0);
	assert(error->position <= len);
}

static void check_expression(struct arena *arena, const struct jsonata *expression)
{
	struct buffer explained;
	size_t count;

	buffer_init(&explained, arena, MEMORY_MAX);
	jsonata_explain(expression, &explained);
	(void)jsonata_input_fields(expression, &count);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct arena arena;
	struct jsonata_error error;

	arena_init(&arena, MEMORY_MAX);
	const struct jsonata *expression =
		jsonata_compile(&arena, str_make((const char *)data, len), NULL, &error);

	if (expression == NULL)
		check_fault(&error, len);
	else
		check_expression(&arena, expression);
	assert(!arena_is_over(&arena));
	arena_finish(&arena);
	return 0;
}
