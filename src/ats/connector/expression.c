/* Expressions of a definition: compiled with what a connector's expressions may use, and faults
 * told with their place in the file. */
#include <assert.h>

#include "ats/connector/loader.h"

/* The line of the expression's character at `position` (UTF-16 units). Line breaks are those of
 * the file in a block (|) alone, which begins on the line after its mark. */
static uint32_t find_line(const struct yaml_node *node, size_t position)
{
	uint32_t line = node->line;
	size_t units = 0;

	if (node->is_plain || str_find_byte(node->text, '\n') < 0)
		return line;
	line++;
	for (size_t i = 0; i < node->text.len && units < position; i++) {
		unsigned char byte = (unsigned char)node->text.data[i];

		units += (byte & 0xc0) != 0x80;
		units += byte >= 0xf0;
		line += byte == '\n' && i + 1 < node->text.len;
	}
	return line;
}

static const struct jsonata *compile(struct definition *definition, const struct yaml_node *node,
				     struct str text, const char *what)
{
	const struct jsonata_options options = {
		.natives = connector_natives,
		.native_count = connector_native_count,
		.variables = connector_variables,
		.variable_count = CONNECTOR_VARIABLES,
	};
	struct jsonata_error fault;
	const struct jsonata *compiled =
		jsonata_compile(definition->arena, text, &options, &fault);

	if (compiled == NULL)
		definition_fault(definition, find_line(node, fault.position),
				 "`%s`: %s at %zu: %.*s", what, fault.code, fault.position,
				 STR_ARGS(fault.message));
	return compiled;
}

const struct jsonata *expression_compile(struct definition *definition,
					 const struct yaml_node *node, const char *what)
{
	struct str text;

	if (!definition_scalar(definition, node, what, &text))
		return NULL;
	return compile(definition, node, text, what);
}

bool expression_read(struct definition *definition, const struct yaml_node *mapping,
		     const char *key, const struct jsonata **out)
{
	const struct yaml_node *node = yaml_get(mapping, key);

	if (node == NULL)
		return true;
	*out = expression_compile(definition, node, key);
	return *out != NULL;
}

/* A name within a text is taken for one that is used: no harm is done. */
bool expression_is_pure(const struct jsonata *expression)
{
	static const struct str names[] = {
		STR_INIT("$now"),     STR_INIT("$millis"), STR_INIT("$toMillis"), STR_INIT("$random"),
		STR_INIT("$shuffle"), STR_INIT("$eval"),   STR_INIT("$body"),
	};
	struct str text = jsonata_text(expression);

	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (str_find(text, names[i]) >= 0)
			return false;
	return true;
}

const struct jsonata *expression_compile_pattern(struct definition *definition,
						 const struct yaml_node *node)
{
	struct buffer text;

	buffer_init(&text, definition->arena, 4096);
	buffer_append_c(&text, "$contains($, /");
	for (size_t i = 0; i < node->text.len; i++) {
		bool is_escaped = node->text.data[i] == '\\' && i + 1 < node->text.len;

		/* A slash would end the expression's regular expression. */
		if (node->text.data[i] == '/')
			buffer_append_byte(&text, '\\');
		buffer_append_byte(&text, node->text.data[i]);
		if (is_escaped)
			buffer_append_byte(&text, node->text.data[++i]);
	}
	buffer_append_c(&text, "/)");
	if (text.is_over) {
		definition_fault(definition, node->line, "`pattern` is too long");
		return NULL;
	}
	return compile(definition, node, buffer_str(&text), "pattern");
}
