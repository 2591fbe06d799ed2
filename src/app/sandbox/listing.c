#include "app/sandbox/listing.h"

enum { SELECTIONS_MAX = 256, KEY_BYTES_MAX = 16 * 1024, LIST_ITEMS_MAX = 1000 };

/* --- parameters ----------------------------------------------------------------------------- */

static bool is_parameter(struct str name, const char *wanted)
{
	if (str_ends_with(name, STR("[]")))
		name.len -= 2;
	return str_equal_c(name, wanted);
}

bool read_parameter(const struct http_exchange *exchange, struct arena *arena, const char *name,
		    struct str *out)
{
	struct buffer joined;
	size_t found = 0;

	buffer_init(&joined, arena, KEY_BYTES_MAX);
	for (size_t i = 0; i < exchange->query_count; i++) {
		if (!is_parameter(exchange->query[i].name, name))
			continue;
		*out = exchange->query[i].value;
		if (found++ > 0)
			buffer_append_byte(&joined, ',');
		buffer_append(&joined, *out);
	}
	if (found > 1)
		*out = buffer_str(&joined);
	return found > 0;
}

static bool is_true(struct str text)
{
	return str_equal_c(text, "true") || str_equal_c(text, "1");
}

static struct json read_list(struct arena *arena, struct str text, bool is_integer)
{
	struct json_builder items;
	int64_t number;

	json_builder_init(&items, arena);
	while (text.data != NULL && items.count < LIST_ITEMS_MAX) {
		struct str item = str_trim(str_cut(&text, ','));
		if (!is_integer)
			json_builder_add(&items, json_string(item));
		else if (str_to_int64(item, &number))
			json_builder_add(&items, json_int(number));
	}
	return json_builder_array(&items);
}

/* Also without a zone, without seconds, or a day alone. */
static struct json read_time(struct arena *arena, struct str text)
{
	static const char *const endings[] = {"", "Z", ":00Z", "T00:00:00Z"};
	int64_t us;

	for (size_t i = 0; i < sizeof endings / sizeof endings[0]; i++)
		if (parse_us(arena_format(arena, "%.*s%s", STR_ARGS(text), endings[i]), &us))
			return json_string(format_us(arena, us));
	return json_undefined();
}

/* Undefined: the filter is not to be applied. */
static struct json read_value(struct arena *arena, enum parameter_type type, struct str text)
{
	int64_t number;

	switch (type) {
	case PARAMETER_TEXT:
		return json_string(text);
	case PARAMETER_FLAG:
		return is_true(text) ? json_bool(true) : json_undefined();
	case PARAMETER_INTEGER:
		return str_to_int64(text, &number) ? json_int(number) : json_undefined();
	case PARAMETER_LIST:
		return read_list(arena, text, false);
	case PARAMETER_INTEGERS:
		return read_list(arena, text, true);
	case PARAMETER_TIME:
		return read_time(arena, text);
	case PARAMETER_TYPES:
		break;
	}
	return json_undefined();
}

/* --- what is kept --------------------------------------------------------------------------- */

void selections_init(struct selections *selections)
{
	map_init(&selections->kept, random_system());
	selections->version = 0;
}

static void drop_all(struct selections *selections)
{
	struct str key;
	void *value;
	size_t at = 0;

	while (map_next(&selections->kept, &at, &key, &value)) {
		struct selection *selection = value;
		free(selection->records);
		free(selection);
	}
	map_finish(&selections->kept);
}

void selections_finish(struct selections *selections)
{
	drop_all(selections);
}

static bool is_paging(const struct paging *paging, struct str name)
{
	return paging->is_on && (str_equal_c(name, paging->limit) ||
				 (paging->offset != NULL && str_equal_c(name, paging->offset)) ||
				 (paging->page != NULL && str_equal_c(name, paging->page)));
}

/* All of the query may count, for `where` may look at it; but the pages of a walk are one. */
static struct str make_key(const struct listing *listing)
{
	const struct http_exchange *exchange = listing->exchange;
	struct buffer key;

	buffer_init(&key, listing->arena, KEY_BYTES_MAX);
	buffer_append_format(&key, "%u %lld", listing->route->line,
			     listing->owner == NULL ? 0LL : (long long)record_id(listing->owner));
	for (size_t i = 0; i < exchange->query_count; i++) {
		if (is_paging(&listing->route->paging, exchange->query[i].name))
			continue;
		buffer_append_byte(&key, '\n');
		buffer_append(&key, exchange->query[i].name);
		buffer_append_byte(&key, '=');
		buffer_append(&key, exchange->query[i].value);
	}
	return buffer_str(&key);
}

/* --- choosing ------------------------------------------------------------------------------- */

static bool passes(struct company *company, const struct listing *listing, struct record *record,
		   const struct expression *where, struct json value, bool *passed,
		   struct error *err)
{
	struct json result;

	listing->variables[VARIABLE_VALUE] = value;
	if (!record_evaluate(company, record, where, listing->variables, listing->arena, &result,
			     err))
		return false;
	*passed = json_is(result, JSON_BOOL) && result.boolean;
	return true;
}

static bool keep_passing(struct company *company, const struct listing *listing,
			 const struct expression *where, struct json value,
			 struct selection *selection, struct error *err)
{
	size_t kept = 0;

	for (size_t i = 0; i < selection->count; i++) {
		bool passed;
		if (!passes(company, listing, selection->records[i], where, value, &passed, err))
			return false;
		if (passed)
			selection->records[kept++] = selection->records[i];
	}
	selection->count = kept;
	return true;
}

static bool apply_filters(struct company *company, const struct listing *listing,
			  struct selection *selection, struct error *err)
{
	const struct route_definition *route = listing->route;

	if (route->where.kind != EXPRESSION_NONE &&
	    !keep_passing(company, listing, &route->where, json_undefined(), selection, err))
		return false;
	for (size_t i = 0; i < route->filter_count; i++) {
		const struct filter *filter = &route->filters[i];
		struct str text;
		if (!read_parameter(listing->exchange, listing->arena, filter->parameter, &text))
			continue;
		struct json value = read_value(listing->arena, filter->type, text);
		if (!json_is(value, JSON_UNDEFINED) &&
		    !keep_passing(company, listing, &filter->where, value, selection, err))
			return false;
	}
	return true;
}

static bool apply_search(struct company *company, struct listing *listing,
			 struct selection *selection, struct error *err)
{
	size_t kept = 0;

	if (listing->condition_count == 0)
		return true;
	for (size_t i = 0; i < selection->count; i++) {
		bool matches;
		if (!search_matches(company, listing, selection->records[i], &matches, err))
			return false;
		if (matches)
			selection->records[kept++] = selection->records[i];
	}
	selection->count = kept;
	return true;
}

/* --- ordering ------------------------------------------------------------------------------- */

struct ranked {
	struct record *record;
	struct json value;
	size_t place; /* before the sort, which keeps it among equals */
	bool is_descending;
};

/* What has no value comes last, whichever the direction. */
static int compare_ranked(const void *a, const void *b)
{
	const struct ranked *left = a, *right = b;
	bool has_left = left->value.type > JSON_NULL, has_right = right->value.type > JSON_NULL;
	int order = 0;

	if (has_left != has_right)
		return has_left ? -1 : 1;
	if (has_left && json_is(left->value, JSON_STRING) && json_is(right->value, JSON_STRING))
		order = str_compare(json_str(left->value), json_str(right->value));
	else if (has_left) {
		double x = json_to_double(left->value), y = json_to_double(right->value);
		order = (x > y) - (x < y);
	}
	if (order != 0)
		return left->is_descending ? -order : order;
	return left->place < right->place ? -1 : 1;
}

static const struct sort_key *find_sort_key(const struct listing *listing, bool *is_descending)
{
	const struct sorting *sorting = &listing->route->sorting;
	const struct sort_key *key = sorting->initial;
	struct str name, order;

	if (sorting->parameter == NULL)
		return NULL;
	if (read_parameter(listing->exchange, listing->arena, sorting->parameter, &name))
		for (size_t i = 0; i < sorting->key_count; i++)
			if (str_equal(sorting->keys[i].name, name))
				key = &sorting->keys[i];
	*is_descending = key != NULL && key->is_descending;
	if (sorting->order_parameter != NULL &&
	    read_parameter(listing->exchange, listing->arena, sorting->order_parameter, &order))
		*is_descending = str_equal_c(order, "desc");
	return key;
}

static bool sort_selection(struct company *company, const struct listing *listing,
			   struct selection *selection, struct error *err)
{
	bool is_descending = false;
	const struct sort_key *key = find_sort_key(listing, &is_descending);
	struct ranked *ranked;

	if (key == NULL)
		return true;
	ranked = arena_array(listing->arena, selection->count, sizeof *ranked);
	for (size_t i = 0; i < selection->count; i++) {
		ranked[i] = (struct ranked){selection->records[i], json_undefined(), i,
					    is_descending};
		if (!record_evaluate(company, selection->records[i], &key->value,
				     listing->variables, listing->arena, &ranked[i].value, err))
			return false;
	}
	qsort(ranked, selection->count, sizeof *ranked, compare_ranked);
	for (size_t i = 0; i < selection->count; i++)
		selection->records[i] = ranked[i].record;
	return true;
}

/* --- selecting ------------------------------------------------------------------------------ */

static bool wants_deleted(const struct listing *listing)
{
	struct str value;

	return listing->route->deleted != NULL &&
	       read_parameter(listing->exchange, listing->arena, listing->route->deleted, &value) &&
	       is_true(value);
}

static void gather(struct company *company, const struct listing *listing,
		   struct selection *selection)
{
	const struct route_definition *route = listing->route;
	struct collection *collection = company_collection_of(company, route->list);
	bool is_of_owner = listing->owner != NULL && route->where.kind == EXPRESSION_NONE &&
			   route->list->parent == listing->owner->collection->definition;
	bool is_deleted = wants_deleted(listing);

	selection->records = malloc((collection->count + 1) * sizeof(struct record *));
	if (selection->records == NULL)
		die("out of memory");
	if (is_of_owner) {
		struct record *child = listing->owner->first_child[route->list->child_number];
		for (; child != NULL; child = child->next_sibling)
			if (child->is_deleted == is_deleted)
				selection->records[selection->count++] = child;
	} else {
		for (size_t i = 0; i < collection->count; i++)
			if (record_is_alive(collection->records[i]) != is_deleted)
				selection->records[selection->count++] = collection->records[i];
	}
	for (size_t i = 0; route->is_newest_first && i < selection->count / 2; i++) {
		struct record *other = selection->records[selection->count - 1 - i];
		selection->records[selection->count - 1 - i] = selection->records[i];
		selection->records[i] = other;
	}
}

static bool select_records(struct company *company, struct listing *listing,
			   struct selection *selection, struct error *err)
{
	gather(company, listing, selection);
	bool ok = apply_filters(company, listing, selection, err) &&
		  apply_search(company, listing, selection, err) &&
		  sort_selection(company, listing, selection, err);
	if (!ok) {
		free(selection->records);
		return false;
	}
	struct record **fitted = realloc(selection->records,
					 (selection->count + 1) * sizeof *fitted);
	if (fitted != NULL)
		selection->records = fitted;
	return true;
}

bool listing_select(struct selections *selections, struct company *company,
		    struct listing *listing, struct error *err)
{
	struct selection selection = {0};
	struct str key = make_key(listing);

	if (selections->version != company->version || selections->kept.count >= SELECTIONS_MAX) {
		drop_all(selections);
		selections_init(selections);
		selections->version = company->version;
	}
	if (listing->route->search.parameter != NULL && !search_read(listing, err))
		return false;
	listing->selection = map_get(&selections->kept, key);
	if (listing->selection != NULL)
		return true;
	if (!select_records(company, listing, &selection, err))
		return false;
	struct selection *kept = malloc(sizeof *kept);
	if (kept == NULL)
		die("out of memory");
	*kept = selection;
	map_put(&selections->kept, key, kept);
	listing->selection = kept;
	return true;
}
