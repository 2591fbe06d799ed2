/* What a connector can do: unified methods, filters and fields, and native methods. */
#include "ats/contract/parts.h"

/* --- methods wanted -------------------------------------------------------------------------- */

/* "read", "write" and "custom" stand for the methods of that kind. */
static bool is_of_kind(struct str kind, struct str method)
{
	bool is_read = str_equal(method, STR("list")) || str_equal(method, STR("get"));
	bool is_write = str_equal(method, STR("create")) || str_equal(method, STR("update")) ||
			str_equal(method, STR("delete"));

	return (is_read && str_equal(kind, STR("read"))) ||
	       (is_write && str_equal(kind, STR("write"))) ||
	       (!is_read && !is_write && str_equal(kind, STR("custom")));
}

static bool is_wanted(const struct contract_query *query, struct str method)
{
	struct str rest = query->methods;

	while (rest.len > 0) {
		struct str name = str_trim(str_cut(&rest, ','));

		if (str_equal(name, method) || is_of_kind(name, method))
			return true;
	}
	return query->methods.len == 0;
}

static bool is_wanted_resource(const struct contract_query *query, struct str resource)
{
	return query->resource.len == 0 || str_equal(query->resource, resource);
}

static struct json wanted_methods(struct arena *arena, const struct contract_query *query,
				  const struct unified_resource *resource)
{
	struct json all = contract_methods(arena, resource->model, resource);
	struct json_builder names;

	json_builder_init(&names, arena);
	for (size_t i = 0; i < all.count; i++)
		if (is_wanted(query, json_str(all.items[i])))
			json_builder_add(&names, all.items[i]);
	return json_builder_array(&names);
}

/* --- unified --------------------------------------------------------------------------------- */

static const char *const filtering_names[] = {
	[FILTERING_NOT] = NULL,
	[FILTERING_EXPANDED] = "tenon_record_by_record",
	[FILTERING_CHECKED] = "tenon",
	[FILTERING_ASKED] = "ats",
};

bool contract_wants(const struct unified_method *method, struct str filter)
{
	for (size_t i = 0; i < method->count; i++) {
		const struct unified_alternative *alternative = &method->alternatives[i];
		size_t k = 0;

		while (k < alternative->when_count && !str_equal(alternative->when[k], filter))
			k++;
		if (k == alternative->when_count)
			return false;
	}
	return method->count > 0;
}

static bool has_item(const struct json_builder *items, struct json item)
{
	for (size_t i = 0; i < items->count; i++)
		if (json_equal(((const struct json *)items->items)[i], item))
			return true;
	return false;
}

static struct json show_filters(struct arena *arena, const struct unified_resource *resource)
{
	const struct model_resource *model = resource->model;
	struct json_builder items;

	json_builder_init(&items, arena);
	for (size_t i = 0; i < model->filter_count; i++) {
		const struct model_filter *filter = &model->filters[i];
		enum operation_filtering filtering =
			operation_filtering(resource, &resource->list, filter);
		struct json_builder item;

		if (filtering == FILTERING_NOT)
			continue;
		json_builder_init(&item, arena);
		put_text(&item, "name", filter->name);
		put_text(&item, "description", filter->describe);
		put_c(&item, "applied_by", filtering_names[filtering]);
		json_builder_set(&item, STR("required"),
				 json_bool(contract_wants(&resource->list, filter->name)));
		json_builder_set(&item, STR("schema"), contract_filter(arena, filter));
		json_builder_add(&items, json_builder_object(&item));
	}
	return json_builder_array(&items);
}

/* Can a record of the alternative have it? */
static bool has_field(const struct unified_alternative *alternative, size_t field)
{
	for (size_t i = 0; i < alternative->call_count; i++) {
		const struct unified_map *map = alternative->calls[i].map;

		for (size_t k = 0; k < map->count; k++)
			if (map->entries[k].field == field)
				return alternative->is_absent == NULL ||
				       !alternative->is_absent[field];
	}
	return false;
}

static bool method_has(const struct unified_method *method, size_t field, bool all)
{
	for (size_t i = 0; i < method->count; i++)
		if (has_field(&method->alternatives[i], field) != all)
			return !all;
	return all && method->count > 0;
}

/* Orders in which the ATS itself gives its lists. */
static struct json show_orders(struct arena *arena, const struct unified_resource *resource)
{
	struct json_builder items;

	json_builder_init(&items, arena);
	for (size_t i = 0; i < resource->list.count; i++) {
		const struct unified_alternative *alternative = &resource->list.alternatives[i];

		for (size_t k = 0; k < alternative->sort_count; k++) {
			const struct unified_sort *sort = &alternative->sorts[k];
			struct json_builder item;

			json_builder_init(&item, arena);
			put_text(&item, "field", sort->path);
			put_c(&item, "direction", sort->is_descending ? "desc" : "asc");
			if (!has_item(&items, json_builder_object(&item)))
				json_builder_add(&items, json_builder_object(&item));
		}
	}
	return json_builder_array(&items);
}

/* Has each record one value of it, which can be put in order? */
static bool is_single(const struct model_field *field)
{
	return !field->is_list && field->type != MODEL_OBJECT && field->type != MODEL_ANY;
}

/* Fields of a record with where they are known: in lists, or only in one whole record. */
static struct json show_fields(struct arena *arena, const struct unified_resource *resource)
{
	const struct model_resource *model = resource->model;
	struct json_builder items;

	json_builder_init(&items, arena);
	for (size_t i = 0; i < model->field_count; i++) {
		struct json_builder item;
		/* remote_x comes from x where the mapping has none of its own. */
		size_t at = model->fields[i].is_remote_word ? i - 1 : i;
		bool in_list = method_has(&resource->list, at, true) ||
			       method_has(&resource->list, i, true);
		bool in_get = method_has(&resource->get, at, false) ||
			      method_has(&resource->get, i, false);

		if (!in_list && !in_get && !method_has(&resource->list, at, false))
			continue;
		json_builder_init(&item, arena);
		put_text(&item, "name", model->fields[i].name);
		json_builder_set(&item, STR("list"), json_bool(in_list));
		json_builder_set(&item, STR("get"), json_bool(in_get));
		json_builder_set(&item, STR("sort"),
				 json_bool(in_list && is_single(&model->fields[i])));
		json_builder_add(&items, json_builder_object(&item));
	}
	return json_builder_array(&items);
}

static struct json show_writes(struct arena *arena, const struct contract_query *query,
			       const struct unified_resource *resource)
{
	struct json_builder items;

	json_builder_init(&items, arena);
	for (size_t i = 0; i < resource->write_count; i++) {
		const struct unified_write *write = &resource->writes[i];
		struct json_builder item;

		if (!is_wanted(query, write->model->name))
			continue;
		json_builder_init(&item, arena);
		put_text(&item, "method", write->model->name);
		put_text(&item, "description", write->model->describe);
		json_builder_set(&item, STR("body_schema"),
				 contract_body(arena, write->model, write));
		json_builder_add(&items, json_builder_object(&item));
	}
	return json_builder_array(&items);
}

static void add_unified(struct json_builder *items, const struct model *model,
			const struct contract_query *query, const struct unified_resource *resource)
{
	struct arena *arena = items->arena;
	struct json methods = wanted_methods(arena, query, resource);
	struct json_builder item;

	if (methods.count == 0 || !is_wanted_resource(query, resource->model->name))
		return;
	json_builder_init(&item, arena);
	put_text(&item, "model", model->name);
	put_text(&item, "resource", resource->model->name);
	put_text(&item, "description", resource->model->describe);
	json_builder_set(&item, STR("methods"), methods);
	json_builder_set(&item, STR("is_partial_list"), json_bool(unified_has_partial_list(resource)));
	json_builder_set(&item, STR("filters"), show_filters(arena, resource));
	json_builder_set(&item, STR("orders"), show_orders(arena, resource));
	json_builder_set(&item, STR("fields"), show_fields(arena, resource));
	json_builder_set(&item, STR("writes"), show_writes(arena, query, resource));
	json_builder_add(items, json_builder_object(&item));
}

/* --- native ---------------------------------------------------------------------------------- */

static struct str spell(struct arena *arena, const struct template *path)
{
	struct buffer out;

	buffer_init(&out, arena, SIZE_MAX);
	for (size_t i = 0; i < path->count; i++)
		buffer_append_format(&out, path->parts[i].is_name ? "{%.*s}" : "%.*s",
				     STR_ARGS(path->parts[i].text));
	return buffer_str(&out);
}

static struct json show_native(struct arena *arena, const struct connector *connector,
			       const struct contract_query *query,
			       const struct native_method *method)
{
	struct json parameters = contract_native_query(arena, connector, method);
	struct json body = contract_native_body(arena, method);
	struct json_builder item;

	json_builder_init(&item, arena);
	put_text(&item, "method", method->name);
	put_text(&item, "description", method->describe);
	put_c(&item, "http_method", http_method_name(method->verb));
	put_text(&item, "path", spell(arena, &method->path));
	json_builder_set(&item, STR("is_list"), json_bool(method->is_list));
	json_builder_set(&item, STR("is_form"), json_bool(method->is_form));
	json_builder_set(&item, STR("has_description"), json_bool(method->describe.len > 0));
	json_builder_set(&item, STR("has_query_schema"),
			 json_bool(!json_is(parameters, JSON_UNDEFINED)));
	json_builder_set(&item, STR("has_body_schema"), json_bool(!json_is(body, JSON_UNDEFINED)));
	if (query->schemas) {
		json_builder_set(&item, STR("query_schema"), parameters);
		json_builder_set(&item, STR("body_schema"), body);
	}
	return json_builder_object(&item);
}

/* The native methods of one resource stand together in the definition. */
static size_t add_native(struct json_builder *items, const struct connector *connector,
			 const struct contract_query *query, size_t first)
{
	struct str resource = connector->methods[first].resource;
	struct json_builder item, methods;
	size_t i = first;

	json_builder_init(&methods, items->arena);
	for (; i < connector->method_count && str_equal(connector->methods[i].resource, resource);
	     i++)
		if (is_wanted(query, connector->methods[i].name))
			json_builder_add(&methods, show_native(items->arena, connector, query,
							       &connector->methods[i]));
	if (methods.count > 0 && is_wanted_resource(query, resource)) {
		json_builder_init(&item, items->arena);
		put_text(&item, "resource", resource);
		json_builder_set(&item, STR("methods"), json_builder_array(&methods));
		json_builder_add(items, json_builder_object(&item));
	}
	return i;
}

void contract_capabilities(struct json_builder *out, const struct model *model,
			   const struct connector *connector, const struct contract_query *query)
{
	struct json_builder unified, proxy;

	json_builder_init(&unified, out->arena);
	for (size_t i = 0; query->unified && i < connector->resource_count; i++)
		add_unified(&unified, model, query, &connector->resources[i]);
	json_builder_init(&proxy, out->arena);
	for (size_t i = 0; query->proxy && i < connector->method_count;)
		i = add_native(&proxy, connector, query, i);
	json_builder_set(out, STR("unified"), json_builder_array(&unified));
	json_builder_set(out, STR("proxy"), json_builder_array(&proxy));
}
