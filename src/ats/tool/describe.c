/* What is said of a tool: what it does. Requires …. Returns …. */
#include "ats/tool/parts.h"

static bool is(const struct tool *tool, const char *method)
{
	return str_equal_c(tool->method, method);
}

static void append_name(struct buffer *out, size_t *count, struct str name)
{
	buffer_append_c(out, (*count)++ == 0 ? "" : ", ");
	buffer_append(out, name);
}

/* --- of the unified API ----------------------------------------------------------------------- */

static void append_required(const struct maker *maker, struct buffer *out)
{
	size_t count = 0;

	buffer_append_c(out, " Requires ");
	for (size_t i = 0; i < maker->count; i++)
		if (maker->parameters[i].is_required)
			append_name(out, &count, maker->parameters[i].name);
	buffer_append_c(out, count == 0 ? "nothing." : ".");
}

static bool has_entry(const struct unified_alternative *alternative, size_t field)
{
	for (size_t i = 0; i < alternative->call_count; i++)
		for (size_t k = 0; k < alternative->calls[i].map->count; k++)
			if (alternative->calls[i].map->entries[k].field == field)
				return true;
	return false;
}

/* Does this ATS fill it in, in some way to answer the method? */
static bool is_given(const struct unified_method *method, size_t field)
{
	for (size_t i = 0; i < method->count; i++) {
		const struct unified_alternative *alternative = &method->alternatives[i];
		bool is_absent = alternative->is_absent != NULL && alternative->is_absent[field];

		if (!is_absent && has_entry(alternative, field))
			return true;
	}
	return false;
}

/* The fields that the method gives; with `known` only those that the other one does not. */
static size_t append_fields(const struct maker *maker, struct buffer *out,
			    const struct unified_method *method,
			    const struct unified_method *known)
{
	const struct model_resource *model = maker->tool->unified->model;
	size_t count = 0;

	for (size_t i = 0; i < model->field_count; i++)
		if (!model->fields[i].is_remote_word && is_given(method, i) &&
		    (known == NULL || !is_given(known, i)))
			append_name(out, &count, model->fields[i].name);
	return count;
}

/* "A person who applied." within a sentence. */
static struct str lower_first(struct arena *arena, struct str text)
{
	char *copy = arena_alloc(arena, text.len + 1);

	memcpy(copy, text.data, text.len);
	if (text.len > 1 && copy[0] >= 'A' && copy[0] <= 'Z' &&
	    !(copy[1] >= 'A' && copy[1] <= 'Z'))
		copy[0] |= 0x20;
	return str_make(copy, text.len);
}

static bool has_more(const struct unified_resource *resource)
{
	for (size_t i = 0; i < resource->model->field_count; i++)
		if (!resource->model->fields[i].is_remote_word && is_given(&resource->get, i) &&
		    !is_given(&resource->list, i))
			return true;
	return false;
}

static void describe_list(const struct maker *maker, struct buffer *out)
{
	const struct unified_resource *resource = maker->tool->unified;
	struct str name = resource->model->name;

	buffer_append_format(out, "List %.*s: %.*s",
			     STR_ARGS(tool_spaced(maker->arena, name)),
			     STR_ARGS(lower_first(maker->arena, resource->model->describe)));
	append_required(maker, out);
	buffer_append_c(out, " Returns ");
	append_fields(maker, out, &resource->list, NULL);
	buffer_append_c(out, ".");
	if (resource->get.count > 0 && has_more(resource))
		buffer_append_format(out, " %.*s has more.",
				     STR_ARGS(tool_name_unified(maker, name, STR("get"))));
}

static void describe_get(const struct maker *maker, struct buffer *out)
{
	const struct unified_resource *resource = maker->tool->unified;
	struct str name = resource->model->name;
	struct str one = tool_spaced(maker->arena, contract_singular(maker->arena, name));

	buffer_append_format(out, "Show all of one %.*s.", STR_ARGS(one));
	append_required(maker, out);
	if (resource->list.count == 0) {
		buffer_append_c(out, " Returns ");
		append_fields(maker, out, &resource->get, NULL);
	} else {
		buffer_append_format(out, " Returns what %.*s has",
				     STR_ARGS(tool_name_unified(maker, name, STR("list"))));
		if (has_more(resource)) {
			buffer_append_c(out, ", and ");
			append_fields(maker, out, &resource->get, &resource->list);
		}
	}
	buffer_append_c(out, ".");
}

/* Arguments are not null here: what empties a field has a name of its own. */
static void append_without_null(struct buffer *out, struct str text)
{
	static const struct str phrase = STR_INIT(", null empties a field");
	ptrdiff_t at = str_find(text, phrase);

	if (at < 0) {
		buffer_append(out, text);
		return;
	}
	buffer_append(out, str_slice(text, 0, (size_t)at));
	buffer_append_c(out, ", clear empties fields");
	buffer_append(out, str_slice(text, (size_t)at + phrase.len, text.len));
}

static void describe_write(const struct maker *maker, struct buffer *out)
{
	const struct tool *tool = maker->tool;
	const struct unified_write *write = connector_find_write(tool->unified, tool->method);
	struct str one = tool_spaced(maker->arena,
				     contract_singular(maker->arena, tool_resource(tool)));

	append_without_null(out, write->model->describe);
	append_required(maker, out);
	if (is(tool, "delete"))
		buffer_append_c(out, " Returns its id.");
	else
		buffer_append_format(out, " Returns the %.*s.", STR_ARGS(one));
}

/* --- of the ATS's own API --------------------------------------------------------------------- */

static bool is_word(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
}

static size_t word_at(struct str text, size_t at)
{
	size_t end = at;

	while (end < text.len && is_word(text.data[end]))
		end++;
	return end;
}

/* "candidates.get" is a tool; the members of "candidate.name" are arguments by themselves. */
static bool append_dotted(const struct maker *maker, struct buffer *out, struct str first,
			  struct str second)
{
	const struct native_method *method =
		connector_find_method(maker->connector, first, second);

	if (method != NULL)
		buffer_append(out, tool_name_native(maker, method));
	else if (first.len > 0 && str_equal(first, maker->parent))
		buffer_append(out, second);
	return method != NULL || (first.len > 0 && str_equal(first, maker->parent));
}

static void describe_native(const struct maker *maker, struct buffer *out)
{
	struct str text = maker->tool->native->describe;

	for (size_t at = 0; at < text.len;) {
		size_t end = word_at(text, at);
		size_t next = end + 1 < text.len && text.data[end] == '.' ? word_at(text, end + 1)
									  : end + 1;

		if (end == at) {
			buffer_append_byte(out, text.data[at++]);
		} else if (next > end + 1 &&
			   append_dotted(maker, out, str_slice(text, at, end),
					 str_slice(text, end + 1, next))) {
			at = next;
		} else {
			buffer_append(out, str_slice(text, at, end));
			at = end;
		}
	}
}

void maker_describe(struct maker *maker)
{
	struct buffer out;

	buffer_init(&out, maker->arena, SIZE_MAX);
	if (!maker->tool->is_unified)
		describe_native(maker, &out);
	else if (is(maker->tool, "list"))
		describe_list(maker, &out);
	else if (is(maker->tool, "get"))
		describe_get(maker, &out);
	else
		describe_write(maker, &out);
	maker->tool->description = buffer_str(&out);
}
