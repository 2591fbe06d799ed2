/* `filters:` of a resource: what each compares, and how. Beside those that the file says stand
 * x[in] for each x that is a text or an enum, and the bounds of created_at and updated_at. */
#include <assert.h>

#include "ats/model/fields.h"

static const char *const type_names[] = {"text",      "integer", "number", "boolean",
					 "date-time", "date",	 "enum",   NULL};
static const char *const operator_names[] = {"", "in", "gt", "gte", "lt", "lte"};

/* --- names ----------------------------------------------------------------------------------- */

/* "job_id", "created_at[gt]", "tags[name]" into base, member and operator. */
static bool split_name(struct str name, struct str *base, struct str *member,
		       enum model_operator *operator)
{
	ptrdiff_t open = str_find_byte(name, '[');

	*operator= MODEL_EQ;
	*member = (struct str){NULL, 0};
	*base = open < 0 ? name : str_slice(name, 0, (size_t)open);
	if (!definition_is_name(*base))
		return false;
	if (open < 0)
		return true;
	struct str word = str_slice(name, (size_t)open + 1, name.len - 1);
	if (!str_ends_with(name, STR("]")) || !definition_is_name(word))
		return false;
	for (size_t i = MODEL_IN; i <= MODEL_LTE; i++)
		if (str_equal_c(word, operator_names[i]))
			*operator=(enum model_operator) i;
	if (*operator== MODEL_EQ)
		*member = word;
	return true;
}

/* Where nothing is said: x of x and x[gt], x.id of x_id, x.y of x[y]. */
static struct str find_path(struct arena *arena, const struct model_resource *resource,
			    struct str base, struct str member)
{
	if (member.len > 0)
		return arena_format(arena, "%.*s.%.*s", STR_ARGS(base), STR_ARGS(member));
	if (model_find_path(resource, base, NULL) == NULL && str_ends_with(base, STR("_id")))
		return arena_format(arena, "%.*s.id", (int)base.len - 3, base.data);
	return base;
}

/* --- one filter ------------------------------------------------------------------------------ */

static bool is_ordered(enum model_type type)
{
	return type == MODEL_INTEGER || type == MODEL_NUMBER || type == MODEL_DATE_TIME ||
	       type == MODEL_DATE;
}

/* May a value of the filter's type be compared with the field? */
static bool is_comparable(enum model_type filter, enum model_type field)
{
	if (filter == field || (filter == MODEL_TEXT && field == MODEL_ENUM))
		return true;
	return (filter == MODEL_INTEGER || filter == MODEL_NUMBER) &&
	       (field == MODEL_INTEGER || field == MODEL_NUMBER);
}

static bool set_path(const struct model_resource *resource, struct model_filter *filter,
		     struct str path)
{
	filter->field = model_find_path(resource, path, &filter->root);
	filter->path = path;
	return filter->field != NULL && is_comparable(filter->type, filter->field->type);
}

static void read_path(struct definition *definition, const struct yaml_entry *entry,
		      const struct model_resource *resource, struct model_filter *filter)
{
	struct str base, member, path = {NULL, 0};

	if (!split_name(entry->key, &base, &member, &filter->operator)) {
		definition_fault(definition, entry->line,
				 "`%.*s` is no name for a filter; allowed: name, name[gt], "
				 "name[gte], name[lt], name[lte], name[in], name[member]",
				 STR_ARGS(entry->key));
		return;
	}
	if (filter->operator>= MODEL_GT && !is_ordered(filter->type))
		definition_fault(definition, entry->line,
				 "`%.*s` compares what has no order: its type must be integer, "
				 "number, date-time or date",
				 STR_ARGS(entry->key));
	definition_text(definition, &entry->value, "path", &path);
	if (str_equal(path, STR("none")))
		return;
	if (path.len == 0)
		path = find_path(definition->arena, resource, base, member);
	if (resource->field_count > 0 && !set_path(resource, filter, path))
		definition_fault(definition, entry->line,
				 "`%.*s` compares `%.*s`, which is no value of that type here; say "
				 "its `path`, or `path: none`",
				 STR_ARGS(entry->key), STR_ARGS(path));
}

static void read_filter(struct definition *definition, const struct yaml_entry *entry,
			const struct model_resource *resource, struct model_filter *filter)
{
	static const char *const keys[] = {"type", "describe", "path", NULL};
	size_t type = MODEL_TEXT;

	filter->name = entry->key;
	if (!definition_check_mapping(definition, &entry->value, "a filter", keys) &&
	    entry->value.kind != YAML_MAPPING)
		return;
	definition_require(definition, &entry->value, "a filter", "type");
	definition_require(definition, &entry->value, "a filter", "describe");
	definition_choice(definition, &entry->value, "type", type_names, &type);
	definition_text(definition, &entry->value, "describe", &filter->describe);
	filter->type = (enum model_type)type;
	read_path(definition, entry, resource, filter);
}

/* --- those that nobody says ------------------------------------------------------------------ */

/* *filters is made of the same resource, for those already there to be found. */
static void add_lists(struct arena *arena, struct model_resource *resource,
		      struct model_filter *filters)
{
	size_t count = resource->filter_count;

	for (size_t i = 0; i < count; i++) {
		struct model_filter filter = filters[i];

		if (filter.operator!= MODEL_EQ || filter.field == NULL ||
		    str_ends_with(filter.name, STR("]")) ||
		    (filter.type != MODEL_TEXT && filter.type != MODEL_ENUM))
			continue;
		filter.name = arena_format(arena, "%.*s[in]", STR_ARGS(filter.name));
		filter.operator= MODEL_IN;
		filter.describe =
			arena_format(arena, "Only those with one of several values of %.*s.",
				     STR_ARGS(filters[i].name));
		if (model_find_filter(resource, filter.name) == NULL)
			filters[resource->filter_count++] = filter;
	}
}

static void add_bounds(struct arena *arena, struct model_resource *resource,
		       struct model_filter *filters)
{
	static const char *const fields[] = {"created_at", "updated_at"};
	static const char *const words[] = {
		[MODEL_GT] = "after this time",
		[MODEL_GTE] = "at this time or later",
		[MODEL_LT] = "before this time",
		[MODEL_LTE] = "at this time or before",
	};

	for (size_t i = 0; i < 2; i++)
		for (size_t operator= MODEL_GT; operator<= MODEL_LTE; operator++) {
			struct model_filter filter = {.type = MODEL_DATE_TIME};

			filter.operator=(enum model_operator) operator;
			filter.name = arena_format(arena, "%s[%s]", fields[i],
						   operator_names[operator]);
			filter.describe =
				arena_format(arena, "Only those %s %s.",
					     i == 0 ? "made" : "changed last", words[operator]);
			if (model_find_filter(resource, filter.name) == NULL &&
			    set_path(resource, &filter, str_from_c(fields[i])))
				filters[resource->filter_count++] = filter;
		}
}

void filters_read(struct definition *definition, const struct yaml_node *root,
		  struct model_resource *resource)
{
	enum { BOUNDS = 8 };
	const struct yaml_node *mapping = yaml_get(root, "filters");
	size_t count = mapping == NULL ? 0 : mapping->count;
	struct model_filter *filters;

	assert(resource->filters == NULL);
	if (mapping != NULL && (mapping->kind != YAML_MAPPING || count > FIELDS_MAX)) {
		definition_fault(definition, mapping->line,
				 "`filters` must be a mapping of at most %d", FIELDS_MAX);
		return;
	}
	filters = arena_zero(definition->arena, (2 * count + BOUNDS) * sizeof *filters);
	resource->filters = filters;
	for (size_t i = 0; i < count; i++)
		read_filter(definition, &mapping->entries[i], resource, &filters[i]);
	resource->filter_count = count;
	add_lists(definition->arena, resource, filters);
	add_bounds(definition->arena, resource, filters);
}
