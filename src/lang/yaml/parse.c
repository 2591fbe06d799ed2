/* libyaml's events into a tree. libyaml keeps no stack of ours; the tree is built by recursion,
 * which the limit of depth bounds. */
#include <assert.h>
#include <stdlib.h>
#include <yaml.h>

#include "lang/yaml/yaml.h"

enum { DEPTH_ALLOWED = 200 }; /* what limits may ask for at most: the stack of a fiber is small */

const struct yaml_limits yaml_limits_default = {
	.bytes_max = 1024 * 1024,
	.depth_max = 32,
	.nodes_max = 100 * 1000,
};

struct reader {
	struct arena *tree;
	struct arena *texts;
	struct str name;
	const struct yaml_limits *limits;
	yaml_parser_t parser;
	yaml_event_t event; /* the one that was read last */
	uint32_t depth;
	uint32_t nodes;
	struct error *err;
};

static bool read_node(struct reader *reader, struct yaml_node *out) MUST_CHECK;

static bool fail(struct reader *reader, enum error_code code, size_t line, const char *what)
{
	return error_set(reader->err, code, "%.*s:%zu: %s", STR_ARGS(reader->name), line, what);
}

/* About the event that was read last. */
static bool fail_here(struct reader *reader, const char *what)
{
	return fail(reader, ERROR_INVALID, reader->event.start_mark.line + 1, what);
}

static bool fail_limit(struct reader *reader, size_t line, const char *what, size_t allowed)
{
	return error_set(reader->err, ERROR_LIMIT, "%.*s:%zu: more than %zu %s",
			 STR_ARGS(reader->name), line, allowed, what);
}

/* --- events -------------------------------------------------------------------------------- */

static bool fail_as_libyaml(struct reader *reader)
{
	const yaml_parser_t *parser = &reader->parser;
	const char *problem = parser->problem == NULL ? "not YAML" : parser->problem;

	if (parser->error == YAML_MEMORY_ERROR)
		die("out of memory while reading YAML");
	if (parser->error == YAML_READER_ERROR) /* it knows no line, only an offset */
		return error_set(reader->err, ERROR_INVALID, "%.*s:%zu: %s (byte %zu)",
				 STR_ARGS(reader->name), parser->mark.line + 1, problem,
				 parser->problem_offset);
	return error_set(reader->err, ERROR_INVALID, "%.*s:%zu: %s%s%s", STR_ARGS(reader->name),
			 parser->problem_mark.line + 1, problem,
			 parser->context == NULL ? "" : " ", parser->context == NULL ? "" : parser->context);
}

static bool next_event(struct reader *reader)
{
	yaml_event_delete(&reader->event);
	return yaml_parser_parse(&reader->parser, &reader->event) != 0 || fail_as_libyaml(reader);
}

static bool refuse_properties(struct reader *reader, const yaml_char_t *anchor,
			      const yaml_char_t *tag)
{
	if (anchor != NULL)
		return fail_here(reader, "anchors (&) are not allowed");
	if (tag != NULL)
		return fail_here(reader, "tags (!) are not allowed");
	return true;
}

/* Anchors, aliases and tags, wherever they stand. */
static bool check_event(struct reader *reader)
{
	const yaml_event_t *event = &reader->event;

	switch (event->type) {
	case YAML_ALIAS_EVENT:
		return fail_here(reader, "aliases (*) are not allowed");
	case YAML_SCALAR_EVENT:
		return refuse_properties(reader, event->data.scalar.anchor, event->data.scalar.tag);
	case YAML_SEQUENCE_START_EVENT:
		return refuse_properties(reader, event->data.sequence_start.anchor,
					 event->data.sequence_start.tag);
	case YAML_MAPPING_START_EVENT:
		return refuse_properties(reader, event->data.mapping_start.anchor,
					 event->data.mapping_start.tag);
	default:
		return true;
	}
}

/* The text of the scalar that was read last. */
static struct str take_text(struct reader *reader)
{
	const yaml_event_t *event = &reader->event;

	return arena_str(reader->texts, str_make((const char *)event->data.scalar.value,
						 event->data.scalar.length));
}

/* --- repeated keys ------------------------------------------------------------------------- */

static int compare_entries(const void *a, const void *b)
{
	const struct yaml_entry *first = *(const struct yaml_entry *const *)a;
	const struct yaml_entry *second = *(const struct yaml_entry *const *)b;
	int order = str_compare(first->key, second->key);

	return order != 0 ? order : (first < second ? -1 : first > second);
}

/* Sorted, so that a mapping of many keys does not cost the square of their number. */
static bool refuse_repeated_keys(struct reader *reader, const struct yaml_entry *entries,
				 size_t count)
{
	const struct yaml_entry **sorted = malloc((count + 1) * sizeof *sorted);
	const struct yaml_entry *repeated = NULL;

	if (sorted == NULL)
		die("out of memory: a mapping of %zu keys", count);
	for (size_t i = 0; i < count; i++)
		sorted[i] = &entries[i];
	qsort(sorted, count, sizeof *sorted, compare_entries);
	for (size_t i = 1; i < count; i++)
		if (str_equal(sorted[i - 1]->key, sorted[i]->key) &&
		    (repeated == NULL || sorted[i] < repeated))
			repeated = sorted[i];
	free(sorted);
	if (repeated == NULL)
		return true;
	return error_set(reader->err, ERROR_INVALID, "%.*s:%u: the key \"%.*s\" is repeated",
			 STR_ARGS(reader->name), repeated->line, STR_ARGS(repeated->key));
}

/* --- nodes --------------------------------------------------------------------------------- */

static bool read_items(struct reader *reader, struct yaml_node *out)
{
	struct yaml_node *items = NULL;
	size_t capacity = 0;

	for (;;) {
		if (!next_event(reader))
			return false;
		if (reader->event.type == YAML_SEQUENCE_END_EVENT)
			return true;
		if (out->count == capacity) {
			size_t size = capacity * sizeof *items;

			capacity = capacity == 0 ? 4 : capacity * 2;
			items = arena_grow(reader->tree, items, size, capacity * sizeof *items);
			out->items = items;
		}
		if (!read_node(reader, &items[out->count]))
			return false;
		out->count++;
	}
}

static bool read_entry(struct reader *reader, struct yaml_entry *out)
{
	if (!check_event(reader))
		return false;
	if (reader->event.type != YAML_SCALAR_EVENT)
		return fail_here(reader, "a key must be a text, not a list or a mapping");
	out->key = take_text(reader);
	out->line = (uint32_t)reader->event.start_mark.line + 1;
	return next_event(reader) && read_node(reader, &out->value);
}

static bool read_entries(struct reader *reader, struct yaml_node *out)
{
	struct yaml_entry *entries = NULL;
	size_t capacity = 0;

	for (;;) {
		if (!next_event(reader))
			return false;
		if (reader->event.type == YAML_MAPPING_END_EVENT)
			return refuse_repeated_keys(reader, entries, out->count);
		if (out->count == capacity) {
			size_t size = capacity * sizeof *entries;

			capacity = capacity == 0 ? 4 : capacity * 2;
			entries =
				arena_grow(reader->tree, entries, size, capacity * sizeof *entries);
			out->entries = entries;
		}
		if (!read_entry(reader, &entries[out->count]))
			return false;
		out->count++;
	}
}

static bool read_children(struct reader *reader, struct yaml_node *out)
{
	if (reader->depth == reader->limits->depth_max)
		return fail_limit(reader, out->line, "levels of nesting", reader->limits->depth_max);
	reader->depth++;
	bool is_read = out->kind == YAML_MAPPING ? read_entries(reader, out) :
						   read_items(reader, out);

	reader->depth--;
	return is_read;
}

/* The node which begins with the event that was read last. */
static bool read_node(struct reader *reader, struct yaml_node *out)
{
	const yaml_event_t *event = &reader->event;

	*out = (struct yaml_node){.line = (uint32_t)event->start_mark.line + 1,
				  .column = (uint32_t)event->start_mark.column + 1};
	if (!check_event(reader) || !arena_check(reader->tree, reader->err) ||
	    !arena_check(reader->texts, reader->err))
		return false;
	if (reader->nodes == reader->limits->nodes_max)
		return fail_limit(reader, out->line, "values", reader->limits->nodes_max);
	reader->nodes++;
	switch (event->type) {
	case YAML_SCALAR_EVENT:
		out->kind = YAML_SCALAR;
		out->is_plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
		out->text = take_text(reader);
		return true;
	case YAML_SEQUENCE_START_EVENT:
		out->kind = YAML_SEQUENCE;
		return read_children(reader, out);
	case YAML_MAPPING_START_EVENT:
		out->kind = YAML_MAPPING;
		return read_children(reader, out);
	default:
		return fail_here(reader, "a value must stand here");
	}
}

/* --- the document -------------------------------------------------------------------------- */

/* One document with one value, and nothing behind it. */
static bool read_stream(struct reader *reader, struct yaml_node *out)
{
	const yaml_event_t *event = &reader->event;

	if (!next_event(reader) || !next_event(reader)) /* the stream's start, the document's */
		return false;
	if (event->type != YAML_DOCUMENT_START_EVENT)
		return fail_here(reader, "the document is empty");
	if (event->data.document_start.tag_directives.start !=
	    event->data.document_start.tag_directives.end)
		return fail_here(reader, "tags (%TAG) are not allowed");
	if (!next_event(reader) || !read_node(reader, out))
		return false;
	if (out->kind == YAML_SCALAR && out->is_plain && out->text.len == 0)
		return fail_here(reader, "the document is empty");
	if (!next_event(reader) || !next_event(reader)) /* the document's end, the stream's */
		return false;
	if (event->type != YAML_STREAM_END_EVENT)
		return fail_here(reader, "there must be one document only");
	return true;
}

bool yaml_parse(struct arena *arena, struct str text, struct str name,
		const struct yaml_limits *limits, struct yaml_node *out, struct error *err)
{
	return yaml_parse_into(arena, arena, text, name, limits, out, err);
}

bool yaml_parse_into(struct arena *nodes, struct arena *texts, struct str text, struct str name,
		     const struct yaml_limits *limits, struct yaml_node *out, struct error *err)
{
	struct reader reader = {
		.tree = nodes, .texts = texts, .name = name, .limits = limits, .err = err};
	struct yaml_node root;

	assert(nodes != NULL && texts != NULL && limits != NULL && out != NULL && err != NULL);
	assert(limits->depth_max <= DEPTH_ALLOWED);
	if (text.len > limits->bytes_max)
		return fail_limit(&reader, 1, "bytes", limits->bytes_max);
	if (yaml_parser_initialize(&reader.parser) == 0)
		die("out of memory while reading YAML");
	yaml_parser_set_encoding(&reader.parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&reader.parser,
				     (const unsigned char *)(text.data == NULL ? "" : text.data),
				     text.len);
	bool is_read = read_stream(&reader, &root);

	if (is_read)
		*out = root;
	yaml_event_delete(&reader.event);
	yaml_parser_delete(&reader.parser);
	return is_read;
}

const struct yaml_node *yaml_get(const struct yaml_node *mapping, const char *key)
{
	if (mapping == NULL || mapping->kind != YAML_MAPPING)
		return NULL;
	for (size_t i = 0; i < mapping->count; i++)
		if (str_equal_c(mapping->entries[i].key, key))
			return &mapping->entries[i].value;
	return NULL;
}
