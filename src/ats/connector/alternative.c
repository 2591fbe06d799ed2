/* The alternatives of a unified method: when each is used, its calls, and what is done to what
 * they give. */
#include "ats/connector/unified.h"

#include <assert.h>

enum {
	ALTERNATIVES_MAX = 16,
	CALLS_MAX = 16,
	FIND_CALLS_MAX = 1000,
};

static const char *const short_keys[] = {"when",    "call",   "with",	"filters",  "query",
					 "each",    "map",    "match",	"absent",   "lookup",
					 "find",    "expand", "detail", "optional", "maybe_absent",
					 "unknown", "sort", NULL};
static const char *const long_keys[] = {"when", "calls",  "match",	  "absent",  "lookup",
					"find", "expand", "maybe_absent", "unknown", NULL};
static const char *const call_keys[] = {"call", "with", "filters", "query",    "detail",
					"each", "map",	"optional", NULL};

static void read_when(const struct unified_file *file, const struct yaml_node *node,
		      struct unified_alternative *alternative)
{
	const struct yaml_node *when = yaml_get(node, "when");
	struct str *names = NULL;

	if (when == NULL ||
	    !definition_texts(file->definition, node, "when", &names, &alternative->when_count)) {
		alternative->when_count = 0;
		return;
	}
	alternative->when = names;
	for (size_t i = 0; i < alternative->when_count; i++)
		unified_check_filter(file, when->line, names[i]);
}

/* --- calls ------------------------------------------------------------------------------------ */

static void read_one_call(const struct unified_file *file, const struct yaml_node *node,
			  struct unified_alternative *alternative, struct unified_call *call)
{
	if (definition_require(file->definition, node, "a call", "call"))
		unified_read_call(file, node, alternative, call);
}

static void read_calls(const struct unified_file *file, const struct yaml_node *node,
		       struct unified_alternative *alternative)
{
	const struct yaml_node *items = yaml_get(node, "calls");
	size_t count = items == NULL ? 1 : items->count;
	struct unified_call *calls;

	if (items != NULL && (items->kind != YAML_SEQUENCE || count == 0 || count > CALLS_MAX)) {
		definition_fault(file->definition, items->line,
				 "`calls` must be a list of at most %d calls", CALLS_MAX);
		return;
	}
	calls = arena_zero(file->definition->arena, (count + 1) * sizeof *calls);
	alternative->calls = calls;
	alternative->call_count = count;
	if (items == NULL) {
		read_one_call(file, node, alternative, &calls[0]);
		return;
	}
	for (size_t i = 0; i < count; i++)
		if (definition_check_mapping(file->definition, &items->items[i], "a call",
					     call_keys) ||
		    items->items[i].kind == YAML_MAPPING)
			read_one_call(file, &items->items[i], alternative, &calls[i]);
}

/* --- match ------------------------------------------------------------------------------------ */

/* A dotted path of the unified record which ends at a single value. */
static bool check_path(const struct unified_file *file, uint32_t line, struct str path)
{
	const struct model_field *found = model_find_path(file->model, path, NULL);

	return (found != NULL && found->type != MODEL_OBJECT && found->type != MODEL_ANY) ||
	       definition_fault(file->definition, line, "`%.*s` is no path to a value of %.*s",
				STR_ARGS(path), STR_ARGS(file->model->name));
}

const struct unified_path *unified_read_paths(const struct unified_file *file,
					      const struct yaml_node *node, const char *key,
					      size_t *count)
{
	const struct yaml_node *mapping = yaml_get(node, key);
	struct unified_path *paths;

	*count = 0;
	if (mapping == NULL)
		return NULL;
	if (mapping->kind != YAML_MAPPING) {
		definition_fault(file->definition, mapping->line,
				 "`%s` must be a mapping of filters to paths", key);
		return NULL;
	}
	paths = arena_zero(file->definition->arena, (mapping->count + 1) * sizeof *paths);
	for (size_t i = 0; i < mapping->count; i++) {
		const struct yaml_entry *entry = &mapping->entries[i];

		paths[i].filter = entry->key;
		unified_check_filter(file, entry->line, entry->key);
		if (definition_scalar(file->definition, &entry->value, "a path", &paths[i].path))
			check_path(file, entry->value.line, paths[i].path);
	}
	*count = mapping->count;
	return paths;
}

static void read_expands(const struct unified_file *file, const struct yaml_node *node,
			 struct unified_alternative *alternative)
{
	alternative->expands =
		unified_read_paths(file, node, "expand", &alternative->expand_count);
}

static void read_matches(const struct unified_file *file, const struct yaml_node *node,
			 struct unified_alternative *alternative)
{
	const struct yaml_node *match = yaml_get(node, "match");
	struct str *names = NULL;
	size_t count = 0;

	if (match == NULL)
		return;
	if (file->is_get) {
		definition_fault(file->definition, match->line, "`match` belongs to `list`");
		return;
	}
	if (!definition_texts(file->definition, node, "match", &names, &count))
		return;
	for (size_t i = 0; i < count; i++) {
		uint32_t line = match->kind == YAML_SEQUENCE ? match->items[i].line : match->line;
		const struct model_filter *filter = model_find_filter(file->model, names[i]);

		if (unified_check_filter(file, line, names[i]) && filter != NULL &&
		    filter->field == NULL)
			definition_fault(file->definition, line,
					 "`%.*s` compares nothing of the record",
					 STR_ARGS(names[i]));
	}
	alternative->matches = names;
	alternative->match_count = count;
}

/* --- absent ----------------------------------------------------------------------------------- */

static void mark_absent(const struct unified_file *file, uint32_t line, struct str name,
			bool *is_absent)
{
	const struct model_resource *model = file->model;

	for (size_t i = 0; i < model->field_count; i++) {
		if (!str_equal(model->fields[i].name, name))
			continue;
		if (i == 0)
			definition_fault(file->definition, line, "`id` cannot be absent");
		is_absent[i] = true;
		if (i + 1 < model->field_count && model->fields[i + 1].is_remote_word)
			is_absent[i + 1] = true;
		return;
	}
	definition_fault(file->definition, line, "%.*s have no field `%.*s`",
			 STR_ARGS(model->name), STR_ARGS(name));
}

const bool *unified_read_fields(const struct unified_file *file, const struct yaml_node *node,
				const char *key)
{
	const struct yaml_node *list = yaml_get(node, key);
	struct str *names = NULL;
	size_t count = 0;
	bool *is_marked;

	if (list == NULL || !definition_texts(file->definition, node, key, &names, &count) ||
	    count == 0)
		return NULL;
	is_marked = arena_zero(file->definition->arena, file->model->field_count + 1);
	for (size_t i = 0; i < count; i++)
		mark_absent(file, list->kind == YAML_SEQUENCE ? list->items[i].line : list->line,
			    names[i], is_marked);
	return is_marked;
}

static void read_unknowns(const struct unified_file *file, const struct yaml_node *node,
			  struct unified_alternative *alternative)
{
	const struct yaml_node *unknown = yaml_get(node, "unknown");
	struct str *paths = NULL;
	size_t count = 0;

	if (unknown == NULL || !definition_texts(file->definition, node, "unknown", &paths, &count))
		return;
	for (size_t i = 0; i < count; i++)
		if (model_find_path(file->model, paths[i], NULL) == NULL)
			definition_fault(file->definition, unknown->line,
					 "%.*s have no field `%.*s`", STR_ARGS(file->model->name),
					 STR_ARGS(paths[i]));
	alternative->unknowns = paths;
	alternative->unknown_count = count;
}

static void read_absent(const struct unified_file *file, const struct yaml_node *node,
			struct unified_alternative *alternative)
{
	alternative->is_absent = unified_read_fields(file, node, "absent");
	alternative->is_partial = alternative->is_absent != NULL;
	read_unknowns(file, node, alternative);
}

static void read_maybe_absent(const struct unified_file *file, const struct yaml_node *node,
			      struct unified_alternative *alternative)
{
	static const char *const keys[] = {"when", "fields", NULL};
	struct definition *definition = file->definition;
	const struct yaml_node *maybe = yaml_get(node, "maybe_absent");
	struct str *names = NULL;
	size_t count = 0;
	bool *is_absent;

	if (maybe == NULL || !definition_check_mapping(definition, maybe, "`maybe_absent`", keys) ||
	    !definition_require(definition, maybe, "`maybe_absent`", "when") ||
	    !definition_require(definition, maybe, "`maybe_absent`", "fields") ||
	    !expression_read(definition, maybe, "when", &alternative->maybe_absent_when) ||
	    !definition_texts(definition, maybe, "fields", &names, &count))
		return;
	is_absent = arena_zero(definition->arena, file->model->field_count + 1);
	if (alternative->is_absent != NULL)
		memcpy(is_absent, alternative->is_absent, file->model->field_count);
	for (size_t i = 0; i < count; i++)
		mark_absent(file, yaml_get(maybe, "fields")->line, names[i], is_absent);
	alternative->is_maybe_absent = is_absent;
}

/* --- sort ------------------------------------------------------------------------------------- */

/* "created_at desc" */
static bool read_order(const struct unified_file *file, const struct yaml_entry *entry,
		       struct unified_sort *sort)
{
	struct str order = entry->key;

	sort->path = str_cut(&order, ' ');
	sort->is_descending = str_equal(order, STR("desc"));
	if (!check_path(file, entry->line, sort->path))
		return false;
	return sort->is_descending || str_equal(order, STR("asc")) ||
	       definition_fault(file->definition, entry->line,
				"an order is a field and `asc` or `desc`, not `%.*s`",
				STR_ARGS(entry->key));
}

static bool has_query(const struct native_method *method, struct str name)
{
	for (size_t i = 0; i < method->query_count; i++)
		if (str_equal(method->query[i].name, name))
			return true;
	return false;
}

static void read_sort_query(const struct unified_file *file, const struct yaml_node *node,
			    const struct native_method *method, struct unified_sort *sort)
{
	struct http_field *query;

	if (node->kind != YAML_MAPPING || (node->count > 0 && method->page.order_by.len > 0)) {
		definition_fault(file->definition, node->line,
				 node->kind != YAML_MAPPING
					 ? "an order is a mapping of query parameters to texts"
					 : "a list whose pages have an order has no other one");
		return;
	}
	query = arena_array(file->definition->arena, node->count + 1, sizeof *query);
	for (size_t i = 0; i < node->count; i++) {
		const struct yaml_entry *entry = &node->entries[i];

		query[i].name = entry->key;
		if (!has_query(method, entry->key))
			definition_fault(file->definition, entry->line,
					 "%.*s.%.*s has no query parameter `%.*s`",
					 STR_ARGS(method->resource), STR_ARGS(method->name),
					 STR_ARGS(entry->key));
		definition_scalar(file->definition, &entry->value, "a value", &query[i].value);
	}
	sort->query = query;
	sort->query_count = node->count;
}

static void read_sorts(const struct unified_file *file, const struct yaml_node *node,
		       struct unified_alternative *alternative)
{
	const struct yaml_node *mapping = yaml_get(node, "sort");
	struct unified_sort *sorts;

	if (mapping == NULL || alternative->calls[0].method == NULL)
		return;
	if (mapping->kind != YAML_MAPPING || file->is_get) {
		definition_fault(file->definition, mapping->line,
				 file->is_get ? "`sort` belongs to `list`"
					      : "`sort` must be a mapping of orders to queries");
		return;
	}
	sorts = arena_zero(file->definition->arena, (mapping->count + 1) * sizeof *sorts);
	for (size_t i = 0; i < mapping->count; i++)
		if (read_order(file, &mapping->entries[i], &sorts[i]))
			read_sort_query(file, &mapping->entries[i].value,
					alternative->calls[0].method, &sorts[i]);
	alternative->sorts = sorts;
	alternative->sort_count = mapping->count;
}

/* --- lookup ----------------------------------------------------------------------------------- */

static void read_lookup(const struct unified_file *file, const struct yaml_entry *entry,
			const struct unified_alternative *alternative,
			struct unified_lookup *lookup)
{
	static const char *const keys[] = {"call", "with", "query", "when", "each", "key", NULL};
	struct definition *definition = file->definition;
	const struct yaml_node *call = &entry->value;

	lookup->type = entry->key;
	lookup->key = STR("id");
	if (entry->value.kind != YAML_SCALAR) {
		definition_check_mapping(definition, &entry->value, "a lookup", keys);
		definition_require(definition, &entry->value, "a lookup", "call");
		expression_read(definition, &entry->value, "when", &lookup->when);
		expression_read(definition, &entry->value, "each", &lookup->each);
		definition_text(definition, &entry->value, "key", &lookup->key);
		call = yaml_get(&entry->value, "call");
	}
	if (call == NULL)
		return;
	lookup->method = natives_find(definition, file->connector, call);
	if (lookup->method == NULL)
		return;
	if (lookup->method->verb != HTTP_GET || (!lookup->method->is_list && lookup->each == NULL))
		definition_fault(definition, call->line,
				 "a lookup must be a list, or have `each`");
	lookup->arguments = unified_read_arguments(file, &entry->value, alternative,
						   lookup->method, &lookup->argument_count);
}

static void read_lookups(const struct unified_file *file, const struct yaml_node *node,
			 struct unified_alternative *alternative)
{
	const struct yaml_node *mapping = yaml_get(node, "lookup");
	struct unified_lookup *lookups;

	if (mapping == NULL)
		return;
	if (mapping->kind != YAML_MAPPING) {
		definition_fault(file->definition, mapping->line,
				 "`lookup` must be a mapping of types to calls");
		return;
	}
	lookups = arena_zero(file->definition->arena, (mapping->count + 1) * sizeof *lookups);
	for (size_t i = 0; i < mapping->count; i++)
		read_lookup(file, &mapping->entries[i], alternative, &lookups[i]);
	alternative->lookups = lookups;
	alternative->lookup_count = mapping->count;
}

/* --- find ------------------------------------------------------------------------------------- */

static void read_find(const struct unified_file *file, const struct yaml_node *node,
		      struct unified_alternative *alternative)
{
	const struct yaml_node *find = yaml_get(node, "find");

	if (find != NULL && !file->is_get) {
		definition_fault(file->definition, find->line, "`find` belongs to `get`");
		return;
	}
	definition_integer(file->definition, node, "find", 1, FIND_CALLS_MAX,
			   &alternative->find_calls_max);
	for (size_t i = 0; file->is_get && find == NULL && i < alternative->call_count; i++) {
		const struct native_method *method = alternative->calls[i].method;

		if (method != NULL && method->is_list)
			definition_fault(file->definition, node->line,
					 "a get from the list %.*s.%.*s needs `find`, the native "
					 "calls it may take at most",
					 STR_ARGS(method->resource), STR_ARGS(method->name));
	}
}

/* --- alternatives ----------------------------------------------------------------------------- */

static void read_alternative(const struct unified_file *file, const struct yaml_node *node,
			     struct unified_alternative *alternative)
{
	bool is_long = yaml_get(node, "calls") != NULL;

	if (!definition_check_mapping(file->definition, node, "an alternative",
				      is_long ? long_keys : short_keys) &&
	    node->kind != YAML_MAPPING)
		return;
	read_when(file, node, alternative);
	if (is_long || definition_require(file->definition, node, "an alternative", "call"))
		read_calls(file, node, alternative);
	read_expands(file, node, alternative);
	read_matches(file, node, alternative);
	read_absent(file, node, alternative);
	read_maybe_absent(file, node, alternative);
	read_sorts(file, node, alternative);
	read_lookups(file, node, alternative);
	read_find(file, node, alternative);
}

void unified_read_method(struct unified_file *file, const struct yaml_node *node,
			 struct unified_method *method)
{
	bool is_sequence = node->kind == YAML_SEQUENCE;
	size_t count = is_sequence ? node->count : 1;
	struct unified_alternative *alternatives;

	if (count == 0 || count > ALTERNATIVES_MAX) {
		definition_fault(file->definition, node->line,
				 "there must be 1 to %d alternatives", ALTERNATIVES_MAX);
		return;
	}
	alternatives = arena_zero(file->definition->arena, (count + 1) * sizeof *alternatives);
	for (size_t i = 0; i < count; i++)
		read_alternative(file, is_sequence ? &node->items[i] : node, &alternatives[i]);
	method->alternatives = alternatives;
	method->count = count;
}
