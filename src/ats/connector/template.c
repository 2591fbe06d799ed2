#include <assert.h>

#include "ats/connector/loader.h"

enum { PARTS_MAX = 64 };

static bool add_part(struct template_part *parts, size_t *count, struct template_part part)
{
	if (*count == PARTS_MAX)
		return false;
	parts[(*count)++] = part;
	return true;
}

static bool fail_brace(struct definition *definition, uint32_t line, struct str text)
{
	return definition_fault(definition, line,
				"\"%.*s\" must be text with {names} in lower_snake_case in it",
				STR_ARGS(text));
}

bool template_parse(struct definition *definition, uint32_t line, struct str text,
		    struct template *out)
{
	struct template_part *parts =
		arena_array(definition->arena, PARTS_MAX, sizeof *parts);
	struct str rest = text;
	size_t count = 0;

	while (rest.len > 0) {
		ptrdiff_t open = str_find_byte(rest, '{');
		size_t until = open < 0 ? rest.len : (size_t)open;
		struct template_part plain = {false, str_slice(rest, 0, until)};

		if (str_find_byte(plain.text, '}') >= 0)
			return fail_brace(definition, line, text);
		if (until > 0 && !add_part(parts, &count, plain))
			return fail_brace(definition, line, text);
		if (open < 0)
			break;
		rest = str_slice(rest, until + 1, rest.len);
		ptrdiff_t close = str_find_byte(rest, '}');
		if (close < 0)
			return fail_brace(definition, line, text);
		struct template_part name = {true, str_slice(rest, 0, (size_t)close)};
		if (!definition_is_name(name.text) ||
		    !add_part(parts, &count, name))
			return fail_brace(definition, line, text);
		rest = str_slice(rest, (size_t)close + 1, rest.len);
	}
	*out = (struct template){parts, count};
	return true;
}

bool template_expand(const struct template *template, struct buffer *out, bool encode,
		     bool (*lookup)(void *context, struct str name, struct str *value),
		     void *context, struct error *err)
{
	struct str value;

	assert(out != NULL);
	for (size_t i = 0; i < template->count; i++) {
		const struct template_part *part = &template->parts[i];

		if (!part->is_name) {
			buffer_append(out, part->text);
			continue;
		}
		if (!lookup(context, part->text, &value))
			return error_set(err, ERROR_INTERNAL, "there is no \"%.*s\" to fill in",
					 STR_ARGS(part->text));
		if (encode)
			url_encode(out, value);
		else
			buffer_append(out, value);
	}
	return true;
}
