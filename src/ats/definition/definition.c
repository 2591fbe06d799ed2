#include "ats/definition/definition.h"

#include <sodium.h>
#include <stdio.h>

enum { NAME_BYTES_MAX = 64 };

bool definition_fault(struct definition *definition, uint32_t line, const char *format, ...)
{
	char text[1024];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof text, format, arguments);
	va_end(arguments);
	definition->fault_count++;
	buffer_append_format(definition->faults, "%.*s:%u: %s\n", STR_ARGS(definition->path), line,
			     text);
	return false;
}

static uint64_t digest(const void *bytes, size_t len)
{
	static const unsigned char key[crypto_shorthash_KEYBYTES];
	uint64_t out;

	crypto_shorthash((unsigned char *)&out, bytes, len, key);
	return out;
}

uint64_t definition_digest(const uint64_t *digests, size_t count)
{
	return digest(digests, count * sizeof *digests);
}

static bool parse(struct definition *definition, const struct disk *disk, struct str path,
		  struct buffer *faults, struct yaml_node *root)
{
	struct arena *arena = definition->arena;
	struct error err;
	struct str text;

	if (!disk_read(disk, &definition->nodes, arena_c(arena, path),
		       yaml_limits_default.bytes_max, &text, &err))
		return definition_fault(definition, 1, "%s", err.message);
	definition->digest = digest(text.data, text.len);
	if (!yaml_parse_into(&definition->nodes, arena, text, path, &yaml_limits_default, root,
			     &err)) {
		definition->fault_count++;
		buffer_append_format(faults, "%s\n", err.message);
		return false;
	}
	if (root->kind != YAML_MAPPING)
		return definition_fault(definition, root->line, "the file must be a mapping");
	return true;
}

bool definition_open(struct definition *definition, struct arena *arena, const struct disk *disk,
		     struct str path, struct buffer *faults, struct yaml_node *root)
{
	*definition = (struct definition){.arena = arena, .path = path, .faults = faults};
	arena_init(&definition->nodes, arena->bytes_max);
	if (parse(definition, disk, path, faults, root))
		return true;
	definition_close(definition);
	return false;
}

bool definition_close(struct definition *definition)
{
	arena_finish(&definition->nodes);
	return definition->fault_count == 0;
}

struct str definition_names(struct arena *arena, const struct str *names, size_t count)
{
	struct buffer buffer;

	buffer_init(&buffer, arena, 16 * 1024);
	for (size_t i = 0; i < count; i++) {
		if (i > 0)
			buffer_append_c(&buffer, ", ");
		buffer_append(&buffer, names[i]);
	}
	return buffer_str(&buffer);
}

static struct str join_names(struct arena *arena, const char *const *names)
{
	struct buffer buffer;

	buffer_init(&buffer, arena, 16 * 1024);
	for (size_t i = 0; names[i] != NULL; i++) {
		if (i > 0)
			buffer_append_c(&buffer, ", ");
		buffer_append_c(&buffer, names[i]);
	}
	return buffer_str(&buffer);
}

static bool is_among(struct str text, const char *const *names, size_t *index)
{
	for (size_t i = 0; names[i] != NULL; i++) {
		if (!str_equal_c(text, names[i]))
			continue;
		*index = i;
		return true;
	}
	return false;
}

bool definition_check_mapping(struct definition *definition, const struct yaml_node *node,
			      const char *what, const char *const *allowed)
{
	bool ok = true;
	size_t index;

	if (node->kind != YAML_MAPPING)
		return definition_fault(definition, node->line, "%s must be a mapping; allowed: %.*s",
					what, STR_ARGS(join_names(definition->arena, allowed)));
	for (size_t i = 0; i < node->count; i++)
		if (!is_among(node->entries[i].key, allowed, &index))
			ok = definition_fault(definition, node->entries[i].line,
					      "`%.*s` is not known here; allowed: %.*s",
					      STR_ARGS(node->entries[i].key),
					      STR_ARGS(join_names(definition->arena, allowed)));
	return ok;
}

static bool is_null(const struct yaml_node *node)
{
	return node->kind == YAML_SCALAR && node->is_plain &&
	       (node->text.len == 0 || str_equal(node->text, STR("null")) ||
		str_equal(node->text, STR("~")));
}

bool definition_scalar(struct definition *definition, const struct yaml_node *node,
		       const char *what, struct str *out)
{
	if (node->kind != YAML_SCALAR || is_null(node))
		return definition_fault(definition, node->line, "`%s` must be a text", what);
	*out = node->text;
	return true;
}

bool definition_text(struct definition *definition, const struct yaml_node *mapping,
		     const char *key, struct str *out)
{
	const struct yaml_node *node = yaml_get(mapping, key);

	return node == NULL || definition_scalar(definition, node, key, out);
}

bool definition_boolean(struct definition *definition, const struct yaml_node *mapping,
			const char *key, bool *out)
{
	const struct yaml_node *node = yaml_get(mapping, key);

	if (node == NULL)
		return true;
	*out = str_equal(node->text, STR("true"));
	if (node->kind == YAML_SCALAR && node->is_plain &&
	    (*out || str_equal(node->text, STR("false"))))
		return true;
	return definition_fault(definition, node->line, "`%s` must be true or false", key);
}

bool definition_integer(struct definition *definition, const struct yaml_node *mapping,
			const char *key, int64_t min, int64_t max, int64_t *out)
{
	const struct yaml_node *node = yaml_get(mapping, key);

	if (node == NULL)
		return true;
	if (node->kind == YAML_SCALAR && node->is_plain && str_to_int64(node->text, out) &&
	    *out >= min && *out <= max)
		return true;
	return definition_fault(definition, node->line,
				"`%s` must be a whole number from %lld to %lld", key,
				(long long)min, (long long)max);
}

bool definition_choice(struct definition *definition, const struct yaml_node *mapping,
		       const char *key, const char *const *names, size_t *out)
{
	const struct yaml_node *node = yaml_get(mapping, key);

	if (node == NULL)
		return true;
	if (node->kind == YAML_SCALAR && is_among(node->text, names, out))
		return true;
	return definition_fault(definition, node->line, "`%s` must be one of: %.*s", key,
				STR_ARGS(join_names(definition->arena, names)));
}

bool definition_texts(struct definition *definition, const struct yaml_node *mapping,
		      const char *key, struct str **out, size_t *count)
{
	const struct yaml_node *node = yaml_get(mapping, key);
	bool ok = true;

	if (node == NULL)
		return true;
	if (node->kind == YAML_MAPPING)
		return definition_fault(definition, node->line,
					"`%s` must be a text or a list of texts", key);
	*count = node->kind == YAML_SCALAR ? 1 : node->count;
	*out = arena_array(definition->arena, *count + 1, sizeof **out);
	if (node->kind == YAML_SCALAR)
		return definition_scalar(definition, node, key, &(*out)[0]);
	for (size_t i = 0; i < *count; i++) {
		(*out)[i] = (struct str){NULL, 0};
		ok = definition_scalar(definition, &node->items[i], key, &(*out)[i]) && ok;
	}
	return ok;
}

bool definition_require(struct definition *definition, const struct yaml_node *mapping,
			const char *what, const char *key)
{
	if (mapping->kind != YAML_MAPPING || yaml_get(mapping, key) != NULL)
		return true;
	return definition_fault(definition, mapping->line, "%s needs `%s`", what, key);
}

bool definition_is_name(struct str name)
{
	if (name.len == 0 || name.len > NAME_BYTES_MAX || name.data[0] < 'a' || name.data[0] > 'z')
		return false;
	for (size_t i = 0; i < name.len; i++) {
		char c = name.data[i];

		if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_'))
			return false;
	}
	return true;
}

struct str definition_folder_name(struct arena *arena, const char *folder)
{
	struct str name = str_from_c(folder);

	while (str_ends_with(name, STR("/")))
		name.len--;
	for (size_t i = name.len; i > 0; i--)
		if (name.data[i - 1] == '/')
			return arena_str(arena, str_slice(name, i, name.len));
	return arena_str(arena, name);
}
