#include "app/sandbox/definition.h"

#include <stdarg.h>
#include <stdio.h>

enum { FILE_BYTES_MAX = 1024 * 1024 };

/* --- for all parts of the reader ------------------------------------------------------------ */

bool reader_fail(struct reader *reader, uint32_t line, const char *format, ...)
{
	char text[400];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof text, format, arguments);
	va_end(arguments);
	return error_set(reader->err, ERROR_INVALID, "%.*s:%u: %s",
			 STR_ARGS(reader->definition->name), line, text);
}

static bool is_word_of(struct str word, const char *words)
{
	struct str rest = str_from_c(words);

	while (rest.data != NULL)
		if (str_equal(str_cut(&rest, ' '), word))
			return true;
	return false;
}

bool reader_check_keys(struct reader *reader, const struct yaml_node *mapping, const char *what,
		       const char *allowed)
{
	if (mapping->kind != YAML_MAPPING)
		return reader_fail(reader, mapping->line, "%s must be a mapping", what);
	for (size_t i = 0; i < mapping->count; i++)
		if (!is_word_of(mapping->entries[i].key, allowed))
			return reader_fail(reader, mapping->entries[i].line,
					   "%s has no key %.*s; allowed: %s", what,
					   STR_ARGS(mapping->entries[i].key), allowed);
	return true;
}

bool reader_text(struct reader *reader, const struct yaml_node *mapping, const char *key,
		 struct str *out)
{
	const struct yaml_node *node = yaml_get(mapping, key);

	if (node == NULL)
		return true;
	if (node->kind != YAML_SCALAR)
		return reader_fail(reader, node->line, "%s must be a text", key);
	*out = node->text;
	return true;
}

bool reader_c(struct reader *reader, const struct yaml_node *mapping, const char *key,
	      const char **out)
{
	struct str text = {0};

	if (!reader_text(reader, mapping, key, &text))
		return false;
	if (text.len > 0)
		*out = arena_c(reader->arena, text);
	return true;
}

bool reader_integer(struct reader *reader, const struct yaml_node *mapping, const char *key,
		    int64_t min, int64_t max, int64_t *out)
{
	const struct yaml_node *node = yaml_get(mapping, key);

	if (node == NULL)
		return true;
	if (node->kind != YAML_SCALAR || !str_to_int64(node->text, out) || *out < min || *out > max)
		return reader_fail(reader, node->line, "%s must be a whole number from %lld to %lld",
				   key, (long long)min, (long long)max);
	return true;
}

bool reader_integer_by_shape(struct reader *reader, const struct yaml_node *mapping,
			     const char *key, int64_t min, int64_t max, int64_t *out)
{
	const struct yaml_node *node = yaml_get(mapping, key);
	const char *shape = arena_c(reader->arena, reader->definition->shape);

	if (node == NULL || node->kind != YAML_MAPPING)
		return reader_integer(reader, mapping, key, min, max, out);
	if (yaml_get(node, shape) == NULL)
		return reader_fail(reader, node->line, "%s says nothing for the shape %s", key, shape);
	return reader_integer(reader, node, shape, min, max, out);
}

bool reader_flag(struct reader *reader, const struct yaml_node *mapping, const char *key,
		 bool *out)
{
	const struct yaml_node *node = yaml_get(mapping, key);

	if (node == NULL)
		return true;
	*out = str_equal_c(node->text, "true");
	if (node->kind != YAML_SCALAR || (!*out && !str_equal_c(node->text, "false")))
		return reader_fail(reader, node->line, "%s must be true or false", key);
	return true;
}

/* --- expressions and tables of fields ------------------------------------------------------- */

static bool is_name(struct str text)
{
	for (size_t i = 0; i < text.len; i++) {
		char c = text.data[i];
		bool is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
		if (!is_letter && (i == 0 || c < '0' || c > '9'))
			return false;
	}
	return text.len > 0;
}

static bool compile(struct reader *reader, const struct yaml_node *node, struct expression *out)
{
#define ROW(variable, name) STR_INIT(name),
	static const struct str variables[] = {VARIABLE_TABLE(ROW)};
#undef ROW
	const struct jsonata_options options = {
		.natives = natives, .native_count = native_count,
		.variables = variables, .variable_count = VARIABLES};
	struct jsonata_error error = {0};
	struct error shown;

	out->kind = EXPRESSION_CODE;
	out->code = jsonata_compile(reader->arena, node->text, &options, &error);
	if (out->code != NULL)
		return true;
	jsonata_error_to_error(&error, &shown);
	return reader_fail(reader, node->line, "%s", shown.message);
}

bool reader_expression(struct reader *reader, const struct yaml_node *node, struct expression *out)
{
	*out = (struct expression){.line = node->line, .text = node->text};
	if (node->kind != YAML_SCALAR) {
		out->kind = EXPRESSION_CONSTANT;
		out->constant = yaml_to_json(reader->arena, node);
		return true;
	}
	struct json value = yaml_to_json(reader->arena, node);
	if (node->is_plain && !json_is(value, JSON_STRING)) {
		out->kind = EXPRESSION_CONSTANT;
		out->constant = value;
		return true;
	}
	if (is_name(node->text)) {
		out->kind = EXPRESSION_MEMBER;
		out->member_hash = json_key_hash(node->text.data, node->text.len);
		return true;
	}
	return compile(reader, node, out);
}

static bool read_field(struct reader *reader, struct str name, const struct yaml_node *value,
		       struct field *out)
{
	*out = (struct field){.name = name, .name_hash = json_key_hash(name.data, name.len),
			      .is_working = name.data[0] == '_'};
	return reader_expression(reader, value, &out->value);
}

/* A mapping name -> value, or a sequence whose texts are members shown as they are. */
bool reader_fields(struct reader *reader, const struct yaml_node *node, struct field_table *out)
{
	size_t room = 0;

	for (size_t i = 0; node->kind == YAML_SEQUENCE && i < node->count; i++)
		room += node->items[i].kind == YAML_MAPPING ? node->items[i].count : 1;
	if (node->kind == YAML_MAPPING)
		room = node->count;
	*out = (struct field_table){arena_array(reader->arena, room, sizeof(struct field)), 0};
	if (node->kind == YAML_SCALAR)
		return reader_fail(reader, node->line, "a list or mapping of fields is wanted here");
	for (size_t i = 0; node->kind == YAML_MAPPING && i < node->count; i++)
		if (!read_field(reader, node->entries[i].key, &node->entries[i].value,
				&out->items[out->count++]))
			return false;
	for (size_t i = 0; node->kind == YAML_SEQUENCE && i < node->count; i++) {
		const struct yaml_node *item = &node->items[i];
		bool is_member = item->kind == YAML_SCALAR && is_name(item->text);
		if (!is_member && item->kind != YAML_MAPPING)
			return reader_fail(reader, item->line,
					   "a member's name, or a mapping of name to value, is wanted");
		if (item->kind == YAML_SCALAR &&
		    !read_field(reader, item->text, item, &out->items[out->count++]))
			return false;
		for (size_t k = 0; item->kind == YAML_MAPPING && k < item->count; k++)
			if (!read_field(reader, item->entries[k].key, &item->entries[k].value,
					&out->items[out->count++]))
				return false;
	}
	return true;
}

const struct field *find_field(const struct field_table *table, struct str name)
{
	for (size_t i = 0; i < table->count; i++)
		if (str_equal(table->items[i].name, name))
			return &table->items[i];
	return NULL;
}

/* --- collections ---------------------------------------------------------------------------- */

const struct collection_definition *definition_collection(const struct definition *definition,
							   struct str name)
{
	for (size_t i = 0; i < definition->collection_count; i++)
		if (str_equal(definition->collections[i].name, name))
			return &definition->collections[i];
	return NULL;
}

const struct view *collection_view(const struct collection_definition *collection, struct str name)
{
	for (size_t i = 0; i < collection->view_count; i++)
		if (str_equal(collection->views[i].name, name))
			return &collection->views[i];
	return NULL;
}

/* A field of a name that the base has takes its place there. */
static struct field_table join_fields(struct arena *arena, const struct field_table *base,
				      const struct field_table *own)
{
	struct field_table all = {
		arena_array(arena, base->count + own->count, sizeof(struct field)), 0};

	for (size_t i = 0; i < base->count; i++)
		all.items[all.count++] = base->items[i];
	for (size_t i = 0; i < own->count; i++) {
		size_t at = 0;
		while (at < base->count && !str_equal(base->items[at].name, own->items[i].name))
			at++;
		if (at < base->count)
			all.items[at] = own->items[i];
		else
			all.items[all.count++] = own->items[i];
	}
	return all;
}

static bool extend(struct reader *reader, const struct collection_definition *collection,
		   const struct yaml_node *node, struct view *view)
{
	struct str name = {0};

	if (!reader_text(reader, node, "extends", &name) || name.len == 0)
		return name.len == 0;
	const struct view *base = collection_view(collection, name);
	if (base == NULL)
		return reader_fail(reader, node->line, "extends %.*s, a view that does not stand above",
				   STR_ARGS(name));
	view->fields = join_fields(reader->arena, &base->fields, &view->fields);
	if (view->references.kind == EXPRESSION_NONE)
		view->references = base->references;
	view->is_volatile |= base->is_volatile;
	return true;
}

static bool check_view(struct reader *reader, const struct collection_definition *collection,
		       struct view *view)
{
	for (size_t i = 0; i < view->fields.count; i++) {
		struct field *field = &view->fields.items[i];
		bool is_copy = field->value.kind == EXPRESSION_MEMBER &&
			       str_equal(field->value.text, field->name);
		field->is_hiding = find_field(&collection->made, field->name) != NULL;
		if (!field->is_hiding && is_copy)
			return reader_fail(reader, field->value.line,
					   "there is no made field of the name %.*s",
					   STR_ARGS(field->name));
	}
	return true;
}

static bool read_view(struct reader *reader, const struct collection_definition *collection,
		      const struct yaml_entry *entry, struct view *view)
{
	const struct yaml_node *node = &entry->value;
	const struct yaml_node *fields = yaml_get(node, "fields");
	const struct yaml_node *references = yaml_get(node, "references");
	struct str keys = {0};

	*view = (struct view){.name = entry->key, .number = collection->view_count};
	if (!reader_check_keys(reader, node, "a view", "extends keys volatile alone references fields") ||
	    !reader_flag(reader, node, "volatile", &view->is_volatile) ||
	    !reader_flag(reader, node, "alone", &view->is_alone) ||
	    !reader_text(reader, node, "keys", &keys))
		return false;
	if (keys.len > 0 && !str_equal_c(keys, "sorted"))
		return reader_fail(reader, node->line, "keys can only be: sorted");
	view->is_sorted = keys.len > 0;
	if (fields != NULL && !reader_fields(reader, fields, &view->fields))
		return false;
	if (references != NULL && !reader_expression(reader, references, &view->references))
		return false;
	return extend(reader, collection, node, view) && check_view(reader, collection, view);
}

static bool read_parent(struct reader *reader, const struct yaml_node *node,
			struct collection_definition *collection)
{
	struct definition *definition = reader->definition;
	struct str name = {0};

	if (!reader_text(reader, node, "parent", &name) || name.len == 0)
		return name.len == 0;
	for (size_t i = 0; i < definition->collection_count; i++) {
		struct collection_definition *parent = &definition->collections[i];
		if (!str_equal(parent->name, name))
			continue;
		collection->parent = parent;
		collection->child_number = parent->child_count++;
		return true;
	}
	return reader_fail(reader, node->line, "parent %.*s does not stand above", STR_ARGS(name));
}

static bool read_views(struct reader *reader, const struct yaml_node *views,
		       struct collection_definition *collection)
{
	if (views == NULL)
		return true;
	if (views->kind != YAML_MAPPING)
		return reader_fail(reader, views->line, "views must be a mapping");
	collection->views = arena_array(reader->arena, views->count, sizeof(struct view));
	for (size_t i = 0; i < views->count; i++) {
		if (!read_view(reader, collection, &views->entries[i], &collection->views[i]))
			return false;
		collection->view_count++;
	}
	return true;
}

/* new: {created_at: $clock()} says what `make` does not know of a record that a write creates. */
static bool read_new(struct reader *reader, const struct yaml_node *node,
		     const struct collection_definition *collection)
{
	struct field_table fresh;

	if (node == NULL)
		return true;
	if (!reader_fields(reader, node, &fresh))
		return false;
	for (size_t i = 0; i < fresh.count; i++) {
		size_t at = 0;
		while (at < collection->made.count &&
		       !str_equal(collection->made.items[at].name, fresh.items[i].name))
			at++;
		if (at == collection->made.count)
			return reader_fail(reader, fresh.items[i].value.line,
					   "new: there is no made field of the name %.*s",
					   STR_ARGS(fresh.items[i].name));
		collection->made.items[at].fresh = &fresh.items[i].value;
	}
	return true;
}

static bool read_touch(struct reader *reader, const struct yaml_node *node,
		       struct collection_definition *collection)
{
	if (node == NULL)
		return true;
	if (!reader_fields(reader, node, &collection->touch))
		return false;
	for (size_t i = 0; i < collection->touch.count; i++)
		if (find_field(&collection->made, collection->touch.items[i].name) == NULL)
			return reader_fail(reader, node->line,
					   "touch: there is no made field of the name %.*s",
					   STR_ARGS(collection->touch.items[i].name));
	return true;
}

static bool read_collection(struct reader *reader, const struct yaml_entry *entry,
			    struct collection_definition *collection)
{
	const struct yaml_node *node = &entry->value;
	const struct yaml_node *count = yaml_get(node, "count"), *make = yaml_get(node, "make");

	*collection = (struct collection_definition){
		.name = entry->key, .number = reader->definition->collection_count,
		.first_id = 1, .id_step = 1};
	if (!reader_check_keys(reader, node, "a collection",
			       "parent count first_id id_step shifts shared make new touch views"))
		return false;
	if (count == NULL || make == NULL)
		return reader_fail(reader, entry->line, "a collection wants `count` and `make`");
	return read_parent(reader, node, collection) &&
	       reader_expression(reader, count, &collection->count) &&
	       reader_integer(reader, node, "first_id", 1, INT64_C(1) << 40, &collection->first_id) &&
	       reader_integer(reader, node, "id_step", 1, 1000, &collection->id_step) &&
	       reader_flag(reader, node, "shifts", &collection->shifts) &&
	       reader_flag(reader, node, "shared", &collection->is_shared) &&
	       reader_fields(reader, make, &collection->made) &&
	       read_new(reader, yaml_get(node, "new"), collection) &&
	       read_touch(reader, yaml_get(node, "touch"), collection) &&
	       read_views(reader, yaml_get(node, "views"), collection);
}

static bool read_collections(struct reader *reader, const struct yaml_node *node)
{
	struct definition *definition = reader->definition;

	if (node == NULL || node->kind != YAML_MAPPING)
		return reader_fail(reader, 1, "`collections` is missing");
	definition->collections = arena_array(reader->arena, node->count,
					      sizeof *definition->collections);
	for (size_t i = 0; i < node->count; i++) {
		if (!read_collection(reader, &node->entries[i], &definition->collections[i]))
			return false;
		definition->collection_count++;
	}
	return true;
}

/* --- the rest of the file ------------------------------------------------------------------- */

static bool read_disk(struct reader *reader, const struct yaml_node *node, struct str *bytes)
{
	const char *path = arena_c(reader->arena,
				   arena_format(reader->arena, "%s/%.*s", reader->folder,
						STR_ARGS(node->text)));
	struct error inner;

	if (node->kind != YAML_SCALAR)
		return reader_fail(reader, node->line, "the name of a file is wanted");
	if (!disk_read(reader->disk, reader->arena, path, FILE_BYTES_MAX, bytes, &inner))
		return reader_fail(reader, node->line, "%s", inner.message);
	return true;
}

/* data: {people: people.yaml} becomes $data.people */
static bool read_data(struct reader *reader, const struct yaml_node *node)
{
	struct json_builder members;

	json_builder_init(&members, reader->arena);
	for (size_t i = 0; node != NULL && i < node->count; i++) {
		const struct yaml_node *value = &node->entries[i].value;
		struct yaml_node tree;
		struct str text;
		if (!read_disk(reader, value, &text) ||
		    !yaml_parse(reader->arena, text, value->text, &yaml_limits_default, &tree,
				reader->err))
			return false;
		json_builder_set(&members, node->entries[i].key,
				 yaml_to_json(reader->arena, &tree));
	}
	reader->definition->data = json_builder_object(&members);
	return true;
}

static bool read_files(struct reader *reader, const struct yaml_node *node)
{
	struct definition *definition = reader->definition;
	size_t room = node == NULL ? 0 : node->count;

	definition->files = arena_array(reader->arena, room, sizeof *definition->files);
	for (size_t i = 0; i < room; i++) {
		const struct yaml_node *entry = &node->entries[i].value;
		const struct yaml_node *path = yaml_get(entry, "path");
		struct file_kind *file = &definition->files[i];
		*file = (struct file_kind){.extension = node->entries[i].key};
		if (!reader_check_keys(reader, entry, "a file", "path type") ||
		    !reader_text(reader, entry, "type", &file->content_type))
			return false;
		if (path == NULL || file->content_type.len == 0)
			return reader_fail(reader, node->entries[i].line,
					   "a file wants `path` and `type`");
		if (!read_disk(reader, path, &file->bytes))
			return false;
		definition->file_count++;
	}
	return true;
}

static bool read_headers(struct reader *reader, const struct yaml_node *node, struct answer *answer)
{
	if (node == NULL)
		return true;
	if (node->kind != YAML_MAPPING)
		return reader_fail(reader, node->line, "headers must be a mapping");
	answer->headers = arena_array(reader->arena, node->count, sizeof *answer->headers);
	for (size_t i = 0; i < node->count; i++) {
		const struct yaml_node *value = &node->entries[i].value;
		if (value->kind != YAML_SCALAR || http_has_control_byte(value->text))
			return reader_fail(reader, value->line, "a header's value is a line of text");
		answer->headers[answer->header_count++] =
			(struct http_header){node->entries[i].key, value->text};
	}
	return true;
}

static bool read_errors(struct reader *reader, const struct yaml_node *node)
{
#define ROW(kind, name) name,
	static const char *const names[] = {ANSWER_TABLE(ROW)};
#undef ROW
#define ROW(kind, name) name " "
	static const char allowed[] = ANSWER_TABLE(ROW);
#undef ROW
	if (node == NULL || !reader_check_keys(reader, node, "errors", allowed))
		return node != NULL || !reader_fail(reader, 1, "`errors` is missing");
	for (size_t i = 0; i < ANSWERS; i++) {
		const struct yaml_node *entry = yaml_get(node, names[i]);
		struct answer *answer = &reader->definition->answers[i];
		int64_t status = 500;
		if (entry == NULL)
			return reader_fail(reader, node->line, "errors wants %s", names[i]);
		if (!reader_check_keys(reader, entry, "an error", "status body headers") ||
		    !reader_integer(reader, entry, "status", 400, 599, &status) ||
		    !reader_text(reader, entry, "body", &answer->body) ||
		    !read_headers(reader, yaml_get(entry, "headers"), answer))
			return false;
		answer->status = (int)status;
	}
	return true;
}

static bool read_shapes(struct reader *reader, const struct yaml_node *node, struct str wanted)
{
	struct buffer names;

	if (node == NULL || node->kind != YAML_SEQUENCE || node->count == 0)
		return reader_fail(reader, 1, "`shapes` is missing: a list of names");
	buffer_init(&names, reader->arena, 200);
	for (size_t i = 0; i < node->count; i++) {
		struct str name = node->items[i].text;
		if (wanted.len == 0 ? i == 0 : str_equal(name, wanted))
			reader->definition->shape = name;
		buffer_append_format(&names, "%s%.*s", i == 0 ? "" : ", ", STR_ARGS(name));
	}
	if (reader->definition->shape.len > 0)
		return true;
	return error_set_field(reader->err, ERROR_INVALID, "shape",
			       arena_c(reader->arena, buffer_str(&names)),
			       "there is no shape %.*s; allowed: %.*s", STR_ARGS(wanted),
			       STR_ARGS(buffer_str(&names)));
}

static bool read_company(struct reader *reader, const struct yaml_node *root)
{
	struct definition *definition = reader->definition;
	const struct yaml_node *company = yaml_get(root, "company");
	const struct yaml_node *authorization = yaml_get(root, "authorization");
	struct str base = {0}, now = {0};
	int64_t now_ns;

	if (company == NULL || authorization == NULL)
		return reader_fail(reader, 1, "`company` or `authorization` is missing");
	if (!reader_text(reader, company, "id", &definition->company_id) ||
	    !reader_text(reader, company, "slug", &definition->company_slug) ||
	    !reader_text(reader, root, "token", &definition->token) ||
	    !reader_text(reader, root, "link", &definition->link) ||
	    !reader_check_keys(reader, authorization, "authorization", "header prefix") ||
	    !reader_text(reader, authorization, "header", &definition->header) ||
	    !reader_text(reader, authorization, "prefix", &definition->header_prefix) ||
	    !reader_text(reader, root, "base_path", &base) || !reader_text(reader, root, "now", &now))
		return false;
	if (!clock_parse(now, &now_ns))
		return reader_fail(reader, 1, "`now` must be a time such as 2026-01-31T12:00:00Z");
	if (!str_ends_with(base, STR("{company}")) || base.data[0] != '/')
		return reader_fail(reader, 1, "`base_path` must be a path that ends in {company}");
	definition->base_prefix = str_slice(base, 0, base.len - strlen("{company}"));
	definition->now_us = now_ns / 1000;
	definition->company = yaml_to_json(reader->arena, company);
	if (definition->company_id.len == 0 || definition->token.len == 0 ||
	    definition->header.len == 0)
		return reader_fail(reader, 1, "company.id, token and authorization.header are wanted");
	return true;
}

static bool read_all(struct reader *reader, const struct yaml_node *root, struct str shape)
{
	return reader_check_keys(reader, root, "the sandbox",
				 "now base_path company token owner link shapes data files authorization errors "
				 "collections webhooks routes life") &&
	       read_company(reader, root) && read_shapes(reader, yaml_get(root, "shapes"), shape) &&
	       read_data(reader, yaml_get(root, "data")) &&
	       read_files(reader, yaml_get(root, "files")) &&
	       read_errors(reader, yaml_get(root, "errors")) &&
	       read_collections(reader, yaml_get(root, "collections")) &&
	       reader_collection(reader, root, "owner", &reader->definition->owner) &&
	       reader_routes(reader, yaml_get(root, "routes")) &&
	       reader_webhook(reader, yaml_get(root, "webhooks")) &&
	       reader_changes(reader, yaml_get(root, "life"));
}

struct definition *definition_read(struct arena *arena, const struct disk *disk,
				   const char *folder, struct str shape, struct error *err)
{
	struct definition *definition = arena_zero(arena, sizeof *definition);
	struct reader reader = {arena, disk, folder, definition, err};
	struct yaml_node *root = arena_zero(arena, sizeof *root);
	struct str text;

	definition->arena = arena;
	definition->name = STR("sandbox.yaml");
	const char *path = arena_c(arena, arena_format(arena, "%s/sandbox.yaml", folder));
	if (!disk_read(disk, arena, path, FILE_BYTES_MAX, &text, err))
		return NULL;
	if (!yaml_parse(arena, text, definition->name, &yaml_limits_default, root, err))
		return NULL;
	return read_all(&reader, root, shape) ? definition : NULL;
}
