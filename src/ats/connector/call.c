/* One native call of a unified method: which, with what arguments, and what is taken from it. */
#include "ats/connector/unified.h"

#include <assert.h>

/* The native calls whose arguments are being gathered. */
struct arguments {
	const struct unified_file *file;
	const struct unified_alternative *alternative;
	const struct native_method *method;
	struct call_argument *items;
	size_t count;
};

static struct str list_parameters(const struct arguments *arguments)
{
	const struct native_method *method = arguments->method;
	struct arena *arena = arguments->file->definition->arena;
	struct str *names = arena_array(arena, method->query_count + 1, sizeof *names);

	for (size_t i = 0; i < method->query_count; i++)
		names[i] = method->query[i].name;
	return definition_names(arena, names, method->query_count);
}

static const struct native_parameter *find_parameter(const struct arguments *arguments,
						     uint32_t line, struct str name)
{
	const struct native_method *method = arguments->method;
	struct str names;

	for (size_t i = 0; i < method->query_count; i++)
		if (str_equal(method->query[i].name, name))
			return &method->query[i];
	names = list_parameters(arguments);
	definition_fault(arguments->file->definition, line,
			 "%.*s.%.*s has no query parameter `%.*s`; allowed: %.*s",
			 STR_ARGS(method->resource), STR_ARGS(method->name), STR_ARGS(name),
			 STR_ARGS(names));
	return NULL;
}

static const struct call_argument *find_argument(const struct arguments *arguments, struct str name,
						 bool is_path)
{
	for (size_t i = 0; i < arguments->count; i++)
		if (arguments->items[i].is_path == is_path &&
		    str_equal(arguments->items[i].name, name))
			return &arguments->items[i];
	return NULL;
}

static void add_argument(struct arguments *arguments, uint32_t line, struct call_argument argument)
{
	if (find_argument(arguments, argument.name, argument.is_path) != NULL) {
		definition_fault(arguments->file->definition, line,
				 "`%.*s` is already given by another filter or constant",
				 STR_ARGS(argument.name));
		return;
	}
	arguments->items[arguments->count++] = argument;
}

/* --- with: path parameter to filter ----------------------------------------------------------- */

/* Only what is certainly given can fill a path. */
static bool is_given(const struct arguments *arguments, struct str filter)
{
	const struct unified_alternative *alternative = arguments->alternative;

	if (arguments->file->is_get && str_equal(filter, STR("id")))
		return true;
	for (size_t i = 0; i < alternative->when_count; i++)
		if (str_equal(alternative->when[i], filter))
			return true;
	return false;
}

/* The short form is the text alone; the long one a mapping with `value`, and the text under
 * `key`. */
static bool read_pair(const struct arguments *arguments, const struct yaml_node *node,
		      const char *what, const char *key, struct str *text,
		      const struct jsonata **value)
{
	const char *const keys[] = {key, "value", NULL};
	struct definition *definition = arguments->file->definition;

	if (node->kind == YAML_SCALAR)
		return definition_scalar(definition, node, what, text);
	return definition_check_mapping(definition, node, what, keys) &&
	       definition_require(definition, node, what, key) &&
	       definition_text(definition, node, key, text) &&
	       expression_read(definition, node, "value", value);
}

static void read_path_argument(struct arguments *arguments, const struct yaml_entry *entry)
{
	const struct unified_file *file = arguments->file;
	struct call_argument argument = {.name = entry->key, .is_path = true};

	if (!natives_has_path(file->connector, arguments->method, entry->key)) {
		definition_fault(file->definition, entry->line,
				 "the path of %.*s.%.*s has no {%.*s}",
				 STR_ARGS(arguments->method->resource),
				 STR_ARGS(arguments->method->name), STR_ARGS(entry->key));
		return;
	}
	if (!read_pair(arguments, &entry->value, "an argument", "filter", &argument.filter,
		       &argument.value) ||
	    !unified_check_filter(file, entry->line, argument.filter))
		return;
	if (!is_given(arguments, argument.filter))
		definition_fault(file->definition, entry->line,
				 "`%.*s` may not be given: name it in `when`",
				 STR_ARGS(argument.filter));
	add_argument(arguments, entry->line, argument);
}

/* --- filters: filter to query parameter, and query: constants --------------------------------- */

static void read_filter(struct arguments *arguments, const struct yaml_entry *entry)
{
	struct call_argument argument = {.filter = entry->key};

	if (!unified_check_filter(arguments->file, entry->line, entry->key) ||
	    !read_pair(arguments, &entry->value, "a filter", "query", &argument.name,
		       &argument.value) ||
	    find_parameter(arguments, entry->value.line, argument.name) == NULL)
		return;
	add_argument(arguments, entry->line, argument);
}

static bool is_constant_of(enum native_type type, struct json value)
{
	switch (type) {
	case NATIVE_INTEGER:
		return json_is(value, JSON_INT);
	case NATIVE_NUMBER:
		return json_is_number(value);
	case NATIVE_BOOLEAN:
		return json_is(value, JSON_BOOL);
	case NATIVE_TEXT:
	case NATIVE_DATE_TIME:
		return json_is(value, JSON_STRING) || json_is_number(value);
	}
	return false;
}

static void read_constant(struct arguments *arguments, const struct yaml_entry *entry)
{
	struct definition *definition = arguments->file->definition;
	const struct native_parameter *parameter =
		find_parameter(arguments, entry->line, entry->key);
	struct call_argument argument = {
		.name = entry->key,
		.constant = yaml_to_json(definition->arena, &entry->value),
	};
	bool ok = true;

	if (parameter == NULL)
		return;
	if (json_is(argument.constant, JSON_ARRAY))
		for (size_t i = 0; i < argument.constant.count; i++)
			ok = ok && is_constant_of(parameter->type, json_at(argument.constant, i));
	else
		ok = is_constant_of(parameter->type, argument.constant);
	if (!ok)
		definition_fault(definition, entry->value.line,
				 "`%.*s` has a value of another type than its parameter",
				 STR_ARGS(entry->key));
	add_argument(arguments, entry->line, argument);
}

/* --- all of them ------------------------------------------------------------------------------ */

static void read_entries(struct arguments *arguments, const struct yaml_node *node, const char *key,
			 void (*read)(struct arguments *arguments, const struct yaml_entry *entry))
{
	const struct yaml_node *mapping = yaml_get(node, key);

	if (mapping == NULL)
		return;
	if (mapping->kind != YAML_MAPPING) {
		definition_fault(arguments->file->definition, mapping->line,
				 "`%s` must be a mapping", key);
		return;
	}
	for (size_t i = 0; i < mapping->count; i++)
		read(arguments, &mapping->entries[i]);
}

static size_t count_entries(const struct yaml_node *node, const char *key)
{
	const struct yaml_node *mapping = yaml_get(node, key);

	return mapping == NULL || mapping->kind != YAML_MAPPING ? 0 : mapping->count;
}

static void refuse_missing(const struct arguments *arguments, uint32_t line)
{
	const struct native_method *method = arguments->method;
	const struct unified_file *file = arguments->file;

	for (size_t i = 0; i < method->path.count; i++) {
		const struct template_part *part = &method->path.parts[i];

		if (part->is_name && natives_has_path(file->connector, method, part->text) &&
		    find_argument(arguments, part->text, true) == NULL)
			definition_fault(file->definition, line,
					 "`with` must say what {%.*s} of %.*s.%.*s is",
					 STR_ARGS(part->text), STR_ARGS(method->resource),
					 STR_ARGS(method->name));
	}
	for (size_t i = 0; i < method->query_count; i++) {
		const struct call_argument *argument =
			find_argument(arguments, method->query[i].name, false);

		if (method->query[i].is_required &&
		    (argument == NULL ||
		     (argument->filter.len > 0 && !is_given(arguments, argument->filter))))
			definition_fault(file->definition, line, "%.*s.%.*s requires `%.*s`",
					 STR_ARGS(method->resource), STR_ARGS(method->name),
					 STR_ARGS(method->query[i].name));
	}
}

const struct unified_map *unified_find_map(const struct unified_file *file,
					  const struct yaml_node *node)
{
	struct definition *definition = file->definition;
	const struct yaml_node *said = yaml_get(node, "map");
	struct str name = STR("map");
	struct str *names;

	if (!definition_text(definition, node, "map", &name))
		return NULL;
	for (size_t i = 0; i < file->map_count; i++) {
		if (!str_equal(file->maps[i].name, name))
			continue;
		file->is_used[i] = true;
		return &file->maps[i];
	}
	if (said == NULL) {
		definition_fault(definition, node->line, "there is no field table `map`");
		return NULL;
	}
	names = arena_array(definition->arena, file->map_count + 1, sizeof *names);
	for (size_t i = 0; i < file->map_count; i++)
		names[i] = file->maps[i].name;
	definition_fault(definition, said->line, "there is no field table `%.*s`; allowed: %.*s",
			 STR_ARGS(name),
			 STR_ARGS(definition_names(definition->arena, names, file->map_count)));
	return NULL;
}

const struct call_argument *unified_read_arguments(const struct unified_file *file,
						   const struct yaml_node *node,
						   const struct unified_alternative *alternative,
						   const struct native_method *method,
						   size_t *argument_count)
{
	size_t count = count_entries(node, "with") + count_entries(node, "filters") +
		       count_entries(node, "query");
	struct arguments arguments = {
		.file = file,
		.alternative = alternative,
		.method = method,
		.items = arena_zero(file->definition->arena,
				    (count + 1) * sizeof *arguments.items),
	};

	read_entries(&arguments, node, "with", read_path_argument);
	read_entries(&arguments, node, "filters", read_filter);
	read_entries(&arguments, node, "query", read_constant);
	refuse_missing(&arguments, node->line);
	*argument_count = arguments.count;
	return arguments.items;
}

/* --- detail: a call for each listed record ---------------------------------------------------- */

static bool has_detail_argument(const struct unified_detail *detail, struct str name)
{
	for (size_t i = 0; i < detail->argument_count; i++)
		if (str_equal(detail->arguments[i].name, name))
			return true;
	return false;
}

static void read_detail_arguments(const struct unified_file *file, const struct yaml_node *with,
				  struct unified_detail *detail)
{
	const struct native_method *method = detail->method;
	struct definition *definition = file->definition;
	struct detail_argument *arguments;

	if (with->kind != YAML_MAPPING) {
		definition_fault(definition, with->line, "`with` must be a mapping");
		return;
	}
	arguments = arena_array(definition->arena, with->count + 1, sizeof *arguments);
	for (size_t i = 0; i < with->count; i++) {
		const struct yaml_entry *entry = &with->entries[i];

		arguments[i].name = entry->key;
		arguments[i].value = expression_compile(definition, &entry->value, "with");
		if (!natives_has_path(file->connector, method, entry->key))
			definition_fault(definition, entry->line,
					 "the path of %.*s.%.*s has no {%.*s}",
					 STR_ARGS(method->resource), STR_ARGS(method->name),
					 STR_ARGS(entry->key));
	}
	detail->arguments = arguments;
	detail->argument_count = with->count;
}

static void read_detail(const struct unified_file *file, const struct yaml_node *node,
			struct unified_detail *detail)
{
	static const char *const keys[] = {"call", "with", NULL};
	struct definition *definition = file->definition;
	const struct yaml_node *said = yaml_get(node, "detail");

	if (said == NULL || !definition_check_mapping(definition, said, "a detail", keys) ||
	    !definition_require(definition, said, "a detail", "call") ||
	    !definition_require(definition, said, "a detail", "with"))
		return;
	detail->method = natives_find(definition, file->connector, yaml_get(said, "call"));
	if (detail->method == NULL)
		return;
	if (detail->method->verb != HTTP_GET || detail->method->is_list)
		definition_fault(definition, said->line, "a detail must be a get of one record");
	read_detail_arguments(file, yaml_get(said, "with"), detail);
	for (size_t i = 0; i < detail->method->path.count; i++) {
		const struct template_part *part = &detail->method->path.parts[i];

		if (part->is_name &&
		    natives_has_path(file->connector, detail->method, part->text) &&
		    !has_detail_argument(detail, part->text))
			definition_fault(definition, said->line,
					 "`with` must say what {%.*s} of the detail is",
					 STR_ARGS(part->text));
	}
}

void unified_read_call(const struct unified_file *file, const struct yaml_node *node,
		       const struct unified_alternative *alternative, struct unified_call *call)
{
	struct definition *definition = file->definition;

	call->map = unified_find_map(file, node);
	expression_read(definition, node, "each", &call->each);
	call->is_pure = call->map != NULL && call->map->is_pure &&
			(call->each == NULL || expression_is_pure(call->each));
	definition_boolean(definition, node, "optional", &call->is_optional);
	read_detail(file, node, &call->detail);
	call->method = natives_find(definition, file->connector, yaml_get(node, "call"));
	if (call->method == NULL)
		return;
	if (call->method->verb != HTTP_GET)
		definition_fault(definition, yaml_get(node, "call")->line,
				 "%.*s.%.*s changes something: it cannot answer a list or get",
				 STR_ARGS(call->method->resource), STR_ARGS(call->method->name));
	call->arguments = unified_read_arguments(file, node, alternative, call->method,
						 &call->argument_count);
}
