/* A search: a list of conditions as JSON, each on one facet of the records. The facets are data;
 * the operators are these:
 *     {"field": "created_at", "gte": 1700000000}     {"field": "status", "in": ["new"]}
 *     {"filter": "jobs", "id": {"in": [1, 2]}}       {"field": "all", "query": "a AND b"}
 * An entity or an operator that is unknown is ignored, and of two conditions on one entity the
 * second counts: so do the APIs that this stands for. */
#include "app/sandbox/listing.h"

enum { CONDITIONS_MAX = 100, COUNTS_MAX = 1000 };

struct search_condition {
	struct str entity;
	const struct field *facet;
	struct str operator;
	struct json operand;
};

/* --- reading -------------------------------------------------------------------------------- */

static const struct field *find_facet(const struct search *search, struct str name)
{
	for (size_t i = 0; i < search->facets.count; i++)
		if (str_equal(search->facets.items[i].name, name))
			return &search->facets.items[i];
	return NULL;
}

static void drop_entity(struct listing *listing, struct str entity)
{
	size_t kept = 0;

	for (size_t i = 0; i < listing->condition_count; i++)
		if (!str_equal(listing->conditions[i].entity, entity))
			listing->conditions[kept++] = listing->conditions[i];
	listing->condition_count = kept;
}

static void add_condition(struct listing *listing, struct str entity, struct str facet_name,
			  const struct json_member *member)
{
	const struct field *facet = find_facet(&listing->route->search, facet_name);

	if (facet == NULL || listing->condition_count == CONDITIONS_MAX)
		return;
	listing->conditions[listing->condition_count++] = (struct search_condition){
		entity, facet, json_name(member), member->value};
}

static void read_filter(struct listing *listing, struct json filter)
{
	struct str entity = json_get_str(filter, "filter");

	if (entity.len == 0)
		entity = json_get_str(filter, "field");
	if (entity.len == 0)
		return;
	drop_entity(listing, entity);
	for (uint32_t i = 0; i < filter.count; i++) {
		const struct json_member *member = &filter.members[i];
		if (!json_is(member->value, JSON_OBJECT)) {
			add_condition(listing, entity, entity, member);
			continue;
		}
		struct str facet = arena_format(listing->arena, "%.*s.%.*s", STR_ARGS(entity),
						(int)member->key_len, member->key);
		for (uint32_t k = 0; k < member->value.count; k++)
			add_condition(listing, entity, facet, &member->value.members[k]);
	}
}

bool search_read(struct listing *listing, struct error *err)
{
	struct json filters;
	struct str text;

	if (!read_parameter(listing->exchange, listing->arena, listing->route->search.parameter,
			    &text))
		return true;
	if (!json_parse(listing->arena, text, &json_limits_default, &filters, err))
		return false;
	listing->conditions = arena_array(listing->arena, CONDITIONS_MAX,
					  sizeof *listing->conditions);
	for (uint32_t i = 0; json_is(filters, JSON_ARRAY) && i < filters.count; i++)
		if (json_is(filters.items[i], JSON_OBJECT))
			read_filter(listing, filters.items[i]);
	return true;
}

/* --- matching ------------------------------------------------------------------------------- */

/* One value is a list of one, as JSONata has it. */
static struct json as_list(struct arena *arena, struct json value)
{
	if (json_is(value, JSON_ARRAY))
		return value;
	if (json_is(value, JSON_UNDEFINED) || json_is(value, JSON_NULL))
		return json_array(NULL, 0);
	struct json *item = arena_alloc(arena, sizeof *item);
	*item = value;
	return json_array(item, 1);
}

static bool contains_nocase(struct str text, struct str what)
{
	for (size_t i = 0; i + what.len <= text.len; i++)
		if (str_equal_nocase(str_slice(text, i, i + what.len), what))
			return true;
	return false;
}

static bool any_contains(struct json values, struct str what)
{
	for (uint32_t i = 0; i < values.count; i++)
		if (json_is(values.items[i], JSON_STRING) &&
		    contains_nocase(json_str(values.items[i]), what))
			return true;
	return false;
}

static struct str cut_word(struct str *rest, struct str word)
{
	ptrdiff_t at = str_find(*rest, word);
	struct str before = *rest;

	if (at < 0) {
		*rest = (struct str){NULL, 0};
		return before;
	}
	before = str_slice(before, 0, (size_t)at);
	*rest = str_slice(*rest, (size_t)at + word.len, rest->len);
	return before;
}

/* a AND b OR c: AND binds more tightly; quotes around a term are taken off. */
static bool matches_query(struct json values, struct str query)
{
	while (query.data != NULL) {
		struct str all = cut_word(&query, STR(" OR "));
		bool matches = true;
		while (all.data != NULL && matches) {
			struct str term = str_trim(cut_word(&all, STR(" AND ")));
			if (term.len >= 2 && term.data[0] == '"')
				term = str_slice(term, 1, term.len - 1);
			matches = any_contains(values, term);
		}
		if (matches)
			return true;
	}
	return false;
}

static bool has_value(struct json values, struct json wanted)
{
	for (uint32_t i = 0; i < values.count; i++)
		if (json_equal(values.items[i], wanted))
			return true;
	return false;
}

static size_t count_common(struct json values, struct json wanted)
{
	size_t common = 0;

	for (uint32_t i = 0; i < wanted.count; i++)
		common += has_value(values, wanted.items[i]);
	return common;
}

static bool compares(struct json values, struct str operator, double bound)
{
	for (uint32_t i = 0; i < values.count; i++) {
		double value = json_to_double(values.items[i]);
		if ((str_equal_c(operator, "gte") && value >= bound) ||
		    (str_equal_c(operator, "gt") && value > bound) ||
		    (str_equal_c(operator, "lte") && value <= bound) ||
		    (str_equal_c(operator, "lt") && value < bound))
			return true;
	}
	return false;
}

static bool is_one_of(struct str word, const char *a, const char *b)
{
	return str_equal_c(word, a) || str_equal_c(word, b);
}

static bool satisfies(struct arena *arena, struct json values,
		      const struct search_condition *condition)
{
	struct str op = condition->operator;
	struct json wanted = as_list(arena, condition->operand);

	if (is_one_of(op, "gte", "gt") || is_one_of(op, "lte", "lt"))
		return compares(values, op, json_to_double(condition->operand));
	if (is_one_of(op, "in", "has_one_of"))
		return count_common(values, wanted) > 0;
	if (is_one_of(op, "not_in", "has_none_of"))
		return count_common(values, wanted) == 0;
	if (is_one_of(op, "all_in", "has_all_of"))
		return count_common(values, wanted) == wanted.count;
	if (str_equal_c(op, "has_any"))
		return values.count > 0;
	if (str_equal_c(op, "has_none"))
		return values.count == 0;
	if (str_equal_c(op, "contains") && json_is(condition->operand, JSON_STRING))
		return any_contains(values, json_str(condition->operand));
	if (str_equal_c(op, "query") && json_is(condition->operand, JSON_STRING))
		return matches_query(values, json_str(condition->operand));
	return true;
}

bool search_matches(struct company *company, const struct listing *listing, struct record *record,
		    bool *matches, struct error *err)
{
	struct json values;

	*matches = true;
	for (size_t i = 0; i < listing->condition_count && *matches; i++) {
		const struct search_condition *condition = &listing->conditions[i];
		if (!record_evaluate(company, record, &condition->facet->value, listing->variables,
				     listing->arena, &values, err))
			return false;
		*matches = satisfies(listing->arena, as_list(listing->arena, values), condition);
	}
	return true;
}

/* --- counting ------------------------------------------------------------------------------- */

struct tally {
	struct json key;
	int64_t count;
};

static void tally_values(struct tally *tallies, size_t *tally_count, struct json values)
{
	for (uint32_t i = 0; i < values.count; i++) {
		size_t at = 0;
		while (at < *tally_count && !json_equal(tallies[at].key, values.items[i]))
			at++;
		if (at == COUNTS_MAX)
			continue;
		if (at == *tally_count)
			tallies[(*tally_count)++] = (struct tally){values.items[i], 0};
		tallies[at].count++;
	}
}

static bool count_facet(struct company *company, const struct listing *listing,
			const struct field *facet, struct json *out, struct error *err)
{
	struct tally *tallies = arena_array(listing->arena, COUNTS_MAX, sizeof *tallies);
	struct json_builder list;
	size_t count = 0;

	for (size_t i = 0; i < listing->selection->count; i++) {
		struct json values;
		if (!record_evaluate(company, listing->selection->records[i], &facet->value,
				     listing->variables, listing->arena, &values, err))
			return false;
		tally_values(tallies, &count, as_list(listing->arena, values));
	}
	json_builder_init(&list, listing->arena);
	for (size_t i = 0; i < count; i++) {
		struct json_builder entry;
		json_builder_init(&entry, listing->arena);
		json_builder_set(&entry, STR("key"), tallies[i].key);
		json_builder_set(&entry, STR("count"), json_int(tallies[i].count));
		json_builder_add(&list, json_builder_object(&entry));
	}
	*out = json_builder_array(&list);
	return true;
}

bool search_count(struct company *company, const struct listing *listing, struct json *out,
		  struct error *err)
{
	const struct search *search = &listing->route->search;
	struct json_builder counts;
	struct str names = {0};

	json_builder_init(&counts, listing->arena);
	if (search->counts_parameter != NULL)
		(void)read_parameter(listing->exchange, listing->arena, search->counts_parameter,
				     &names);
	while (names.data != NULL) {
		struct str name = str_cut(&names, ',');
		struct str facet_name = name;
		struct json list;
		if (str_ends_with(name, STR(".in")))
			facet_name.len -= 3;
		const struct field *facet = find_facet(search, facet_name);
		if (facet == NULL)
			continue;
		if (!count_facet(company, listing, facet, &list, err))
			return false;
		json_builder_set(&counts, name, list);
	}
	*out = json_builder_object(&counts);
	return true;
}
