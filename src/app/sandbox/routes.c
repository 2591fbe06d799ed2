/* Reads the routes of a definition. */
#include "app/sandbox/definition.h"

bool reader_collection(struct reader *reader, const struct yaml_node *node, const char *key,
		       const struct collection_definition **out)
{
	struct str name = {0};

	if (!reader_text(reader, node, key, &name) || name.len == 0)
		return name.len == 0;
	*out = definition_collection(reader->definition, name);
	if (*out == NULL)
		return reader_fail(reader, node->line, "%s: there is no collection %.*s", key,
				   STR_ARGS(name));
	return true;
}

/* A name, or a list of names. */
static bool read_choices(struct reader *reader, const struct yaml_node *mapping, const char *key,
			 struct choices *out)
{
	const struct yaml_node *node = yaml_get(mapping, key);
	size_t count = node == NULL ? 0 : node->kind == YAML_SEQUENCE ? node->count : 1;

	if (count > ROUTE_CHOICES)
		return reader_fail(reader, node->line, "%s: at most %d collections", key,
				   ROUTE_CHOICES);
	for (size_t i = 0; i < count; i++) {
		const struct yaml_node *item = node->kind == YAML_SEQUENCE ? &node->items[i] : node;
		out->items[i] = definition_collection(reader->definition, item->text);
		if (out->items[i] == NULL)
			return reader_fail(reader, item->line, "%s: there is no collection %.*s",
					   key, STR_ARGS(item->text));
	}
	out->count = count;
	return true;
}

static bool read_type(struct reader *reader, const struct yaml_node *node,
		      enum parameter_type *type)
{
	static const char *const names[] = {"text", "flag", "integer", "list", "integers", "time"};
	struct str name = STR("text");

	if (!reader_text(reader, node, "type", &name))
		return false;
	for (size_t i = 0; i < PARAMETER_TYPES; i++) {
		*type = (enum parameter_type)i;
		if (str_equal_c(name, names[i]))
			return true;
	}
	return reader_fail(reader, node->line,
			   "type must be text, flag, integer, list, integers or time");
}

static bool read_filters(struct reader *reader, const struct yaml_node *node,
			 struct route_definition *route)
{
	if (node == NULL)
		return true;
	if (node->kind != YAML_MAPPING)
		return reader_fail(reader, node->line, "filters must be a mapping");
	route->filters = arena_array(reader->arena, node->count, sizeof(struct filter));
	for (size_t i = 0; i < node->count; i++) {
		const struct yaml_node *value = &node->entries[i].value;
		const struct yaml_node *where = yaml_get(value, "where");
		struct filter *filter = &route->filters[i];
		*filter = (struct filter){.parameter = arena_c(reader->arena,
							       node->entries[i].key)};
		if (!reader_check_keys(reader, value, "a filter", "type where") ||
		    !read_type(reader, value, &filter->type))
			return false;
		if (where == NULL)
			return reader_fail(reader, value->line, "a filter wants `where`");
		if (!reader_expression(reader, where, &filter->where))
			return false;
		route->filter_count++;
	}
	return true;
}

static bool read_sort_key(struct reader *reader, const struct yaml_entry *entry,
			  struct sort_key *key)
{
	const struct yaml_node *value = &entry->value;

	*key = (struct sort_key){.name = entry->key};
	if (value->kind == YAML_MAPPING) {
		if (!reader_check_keys(reader, value, "a sort key", "value descending") ||
		    !reader_flag(reader, value, "descending", &key->is_descending))
			return false;
		value = yaml_get(value, "value");
	}
	if (value == NULL)
		return reader_fail(reader, entry->line, "a sort key wants `value`");
	return reader_expression(reader, value, &key->value);
}

static bool read_sorting(struct reader *reader, const struct yaml_node *node,
			 struct sorting *sorting)
{
	const struct yaml_node *keys = node == NULL ? NULL : yaml_get(node, "keys");
	struct str initial = {0};

	if (node == NULL)
		return true;
	if (!reader_check_keys(reader, node, "sort", "parameter order default keys") ||
	    !reader_c(reader, node, "parameter", &sorting->parameter) ||
	    !reader_c(reader, node, "order", &sorting->order_parameter) ||
	    !reader_text(reader, node, "default", &initial))
		return false;
	if (sorting->parameter == NULL || keys == NULL || keys->kind != YAML_MAPPING)
		return reader_fail(reader, node->line, "sort wants `parameter` and `keys`");
	sorting->keys = arena_array(reader->arena, keys->count, sizeof(struct sort_key));
	for (size_t i = 0; i < keys->count; i++) {
		if (!read_sort_key(reader, &keys->entries[i], &sorting->keys[i]))
			return false;
		sorting->key_count++;
		if (str_equal(keys->entries[i].key, initial))
			sorting->initial = &sorting->keys[i];
	}
	if (initial.len > 0 && sorting->initial == NULL)
		return reader_fail(reader, node->line, "default is none of the keys");
	return true;
}

static bool read_search(struct reader *reader, const struct yaml_node *node, struct search *search)
{
	const struct yaml_node *facets = node == NULL ? NULL : yaml_get(node, "facets");

	if (node == NULL)
		return true;
	if (!reader_check_keys(reader, node, "search", "parameter counts facets") ||
	    !reader_c(reader, node, "parameter", &search->parameter) ||
	    !reader_c(reader, node, "counts", &search->counts_parameter))
		return false;
	if (search->parameter == NULL || facets == NULL)
		return reader_fail(reader, node->line, "search wants `parameter` and `facets`");
	return reader_fields(reader, facets, &search->facets);
}

static bool read_paging(struct reader *reader, const struct yaml_node *node, struct paging *paging)
{
	int64_t initial = 0, max = 0;
	struct str over = STR("clamp");

	if (node == NULL)
		return true;
	paging->is_on = true;
	if (!reader_check_keys(reader, node, "page", "limit offset page default max over") ||
	    !reader_c(reader, node, "limit", &paging->limit) ||
	    !reader_c(reader, node, "offset", &paging->offset) ||
	    !reader_c(reader, node, "page", &paging->page) ||
	    !reader_integer_by_shape(reader, node, "default", 0, 1000000, &initial) ||
	    !reader_integer(reader, node, "max", 0, 1000000, &max) ||
	    !reader_text(reader, node, "over", &over))
		return false;
	paging->initial = (size_t)initial;
	paging->max = (size_t)max;
	paging->is_error_over = str_equal_c(over, "error");
	if (paging->limit == NULL || (!paging->is_error_over && !str_equal_c(over, "clamp")))
		return reader_fail(reader, node->line,
				   "page wants `limit`, and `over` can be clamp or error");
	return true;
}

static bool read_pattern(struct reader *reader, const struct yaml_entry *entry,
			 struct route_definition *route)
{
	struct str pattern = entry->key;
	struct str method = str_cut(&pattern, ' ');

	route->method = http_method_from(method);
	if (route->method == HTTP_METHODS || pattern.len == 0 || pattern.data[0] != '/')
		return reader_fail(reader, entry->line, "a route is METHOD /path");
	route->pattern = arena_c(reader->arena, pattern);
	while (pattern.data != NULL) {
		struct str part = str_cut(&pattern, '/');
		if (part.len < 3 || part.data[0] != '{')
			continue;
		if (route->part_count == ROUTE_PART_MAX)
			return reader_fail(reader, entry->line, "too many {parts} in a route");
		route->parts[route->part_count++] =
			arena_c(reader->arena, str_slice(part, 1, part.len - 1));
	}
	return true;
}

static bool read_references(struct reader *reader, const struct yaml_node *node,
			    struct route_definition *route)
{
	if (node == NULL)
		return true;
	route->has_references = !str_equal_c(node->text, "false");
	if (str_equal_c(node->text, "true") || !route->has_references)
		return true;
	return reader_expression(reader, node, &route->references);
}

bool reader_optional(struct reader *reader, const struct yaml_node *mapping, const char *key,
		     struct expression *out)
{
	const struct yaml_node *node = yaml_get(mapping, key);

	return node == NULL || reader_expression(reader, node, out);
}

static bool check_view_of(struct reader *reader, uint32_t line,
			  const struct route_definition *route,
			  const struct collection_definition *shown)
{
	if (route->envelope.len == 0 || route->view.kind == EXPRESSION_NONE)
		return reader_fail(reader, line, "list and get want `envelope` and `view`");
	if (route->view.kind == EXPRESSION_MEMBER &&
	    collection_view(shown, route->view.text) == NULL)
		return reader_fail(reader, line, "%.*s has no view %.*s", STR_ARGS(shown->name),
				   STR_ARGS(route->view.text));
	return true;
}

static bool check_route(struct reader *reader, const struct yaml_entry *entry,
			const struct route_definition *route)
{
	int kinds = (route->list != NULL) + (route->get.count > 0) +
		    (route->answer.kind != EXPRESSION_NONE);

	if (kinds != 1)
		return reader_fail(reader, entry->line,
				   "a route wants exactly one of list, get and answer");
	if ((route->get.count > 0 || route->record.count > 0) && route->part_count == 0 &&
	    !route->creates_what_it_gets)
		return reader_fail(reader, entry->line, "the path has no {part} that names the record");
	if (route->list != NULL && !check_view_of(reader, entry->line, route, route->list))
		return false;
	for (size_t i = 0; i < route->get.count; i++)
		if (!check_view_of(reader, entry->line, route, route->get.items[i]))
			return false;
	return true;
}

static bool read_route(struct reader *reader, const struct yaml_entry *entry,
		       const struct yaml_node *node, struct route_definition *route)
{
	const struct yaml_node *extra = yaml_get(node, "extra");
	struct str order = STR("oldest");
	int64_t status = 200;

	*route = (struct route_definition){.line = entry->line};
	if (!reader_check_keys(reader, node, "a route",
			       "list get record answer status envelope view where order references "
			       "deleted filters sort search page extra fetch let check do notify") ||
	    !read_pattern(reader, entry, route) ||
	    !reader_collection(reader, node, "list", &route->list) ||
	    !read_choices(reader, node, "get", &route->get) ||
	    !read_choices(reader, node, "record", &route->record) ||
	    !reader_optional(reader, node, "answer", &route->answer) ||
	    !reader_optional(reader, node, "view", &route->view) ||
	    !reader_optional(reader, node, "where", &route->where) ||
	    !reader_integer(reader, node, "status", 200, 299, &status) ||
	    !reader_text(reader, node, "envelope", &route->envelope) ||
	    !reader_text(reader, node, "order", &order) ||
	    !reader_c(reader, node, "deleted", &route->deleted) ||
	    !read_references(reader, yaml_get(node, "references"), route) ||
	    !read_filters(reader, yaml_get(node, "filters"), route) ||
	    !read_sorting(reader, yaml_get(node, "sort"), &route->sorting) ||
	    !read_search(reader, yaml_get(node, "search"), &route->search) ||
	    !read_paging(reader, yaml_get(node, "page"), &route->paging) ||
	    (extra != NULL && !reader_fields(reader, extra, &route->extra)))
		return false;
	route->status = (int)status;
	route->is_newest_first = str_equal_c(order, "newest");
	if (!route->is_newest_first && !str_equal_c(order, "oldest"))
		return reader_fail(reader, entry->line, "order can be newest or oldest");
	return reader_write(reader, node, route) && check_route(reader, entry, route);
}

/* `PUT /things/{id}: PATCH /things/{id}` is the other route under one more name. */
static const struct yaml_node *find_body(const struct yaml_node *routes,
					 const struct yaml_node *node)
{
	for (size_t i = 0; node->kind == YAML_SCALAR && i < routes->count; i++)
		if (str_equal(routes->entries[i].key, node->text))
			return &routes->entries[i].value;
	return node;
}

bool reader_routes(struct reader *reader, const struct yaml_node *node)
{
	struct definition *definition = reader->definition;

	if (node == NULL || node->kind != YAML_MAPPING)
		return reader_fail(reader, 1, "`routes` is missing");
	definition->routes = arena_array(reader->arena, node->count, sizeof *definition->routes);
	for (size_t i = 0; i < node->count; i++) {
		const struct yaml_node *body = find_body(node, &node->entries[i].value);
		if (!read_route(reader, &node->entries[i], body, &definition->routes[i]))
			return false;
		definition->route_count++;
	}
	return true;
}
