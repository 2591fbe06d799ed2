/* Functions for the expressions of a definition. Those that draw take a salt: the same seed,
 * collection, place and salt draw the same, on every machine. */
#include <math.h>
#include <stdio.h>

#include "app/sandbox/company.h"

static bool fail(struct arena *arena, struct jsonata_error *error, const char *message)
{
	*error = (struct jsonata_error){.message = arena_str(arena, str_from_c(message))};
	snprintf(error->code, sizeof error->code, "D3137");
	return false;
}

static bool fail_with(struct arena *arena, struct jsonata_error *error, const struct error *err)
{
	return fail(arena, error, err->message);
}

static struct str text_of(struct json value)
{
	return json_is(value, JSON_STRING) ? json_str(value) : STR("");
}

static double draw_unit(const struct company *company, struct json salt)
{
	return (double)(company_draw(company, text_of(salt)) >> 11) * 0x1p-53;
}

/* From 0 to `range`. Rounded here: where the machine multiplies and adds in one step, a sum with
 * it would come out otherwise, and the company would not be the same everywhere. */
static double draw_within(const struct company *company, double range, struct json salt)
{
	volatile double drawn = range * draw_unit(company, salt);

	return drawn;
}

/* --- drawing -------------------------------------------------------------------------------- */

/* $int(from, to, salt): a whole number, both ends included */
static bool native_int(void *context, struct arena *arena, const struct json *arguments,
		       struct json *out, struct jsonata_error *error)
{
	int64_t from, to;

	if (!json_to_int64(arguments[0], &from) || !json_to_int64(arguments[1], &to) || from > to)
		return fail(arena, error, "$int(from, to, salt) wants whole numbers, from <= to");
	uint64_t draw = company_draw(context, text_of(arguments[2]));
	*out = json_int(from + (int64_t)(draw % (uint64_t)(to - from + 1)));
	return true;
}

/* $real(from, to, salt) */
static bool native_real(void *context, struct arena *arena, const struct json *arguments,
			struct json *out, struct jsonata_error *error)
{
	double from = json_to_double(arguments[0]), to = json_to_double(arguments[1]);

	if (isnan(from) || isnan(to))
		return fail(arena, error, "$real(from, to, salt) wants numbers");
	*out = json_number(from + draw_within(context, to - from, arguments[2]));
	return true;
}

/* $chance(probability, salt) */
static bool native_chance(void *context, struct arena *arena, const struct json *arguments,
			  struct json *out, struct jsonata_error *error)
{
	if (!json_is_number(arguments[0]))
		return fail(arena, error, "$chance(probability, salt) wants a number");
	*out = json_bool(draw_unit(context, arguments[1]) < json_to_double(arguments[0]));
	return true;
}

static bool pick(void *context, struct arena *arena, struct json list, struct json salt,
		 struct json *out, struct jsonata_error *error)
{
	if (!json_is(list, JSON_ARRAY) || list.count == 0)
		return fail(arena, error, "there is no list to draw from");
	*out = list.items[company_draw(context, text_of(salt)) % list.count];
	return true;
}

/* $pick(list, salt) */
static bool native_pick(void *context, struct arena *arena, const struct json *arguments,
			struct json *out, struct jsonata_error *error)
{
	return pick(context, arena, arguments[0], arguments[1], out, error);
}

/* $from(path, salt): one of a list in the data files, without copying the list */
static bool native_from(void *context, struct arena *arena, const struct json *arguments,
			struct json *out, struct jsonata_error *error)
{
	struct company *company = context;
	struct json list = json_get_path(company->definition->data, text_of(arguments[0]));

	return pick(context, arena, list, arguments[1], out, error);
}

/* $some(list, count, salt): `count` different ones of the list, in its order */
static bool native_some(void *context, struct arena *arena, const struct json *arguments,
			struct json *out, struct jsonata_error *error)
{
	struct json list = arguments[0];
	struct random_seeded draw = {company_draw(context, text_of(arguments[2]))};
	struct json_builder some;
	int64_t wanted;

	if (!json_is(list, JSON_ARRAY) || !json_to_int64(arguments[1], &wanted))
		return fail(arena, error, "$some(list, count, salt) wants a list and a number");
	json_builder_init(&some, arena);
	for (uint32_t i = 0; i < list.count && wanted > 0; i++) {
		if (random_seeded_next(&draw) % (list.count - i) >= (uint64_t)wanted)
			continue;
		json_builder_add(&some, list.items[i]);
		wanted--;
	}
	*out = json_builder_array(&some);
	return true;
}

/* $weighted({"published": 5, "draft": 1}, salt): one of the keys */
static bool native_weighted(void *context, struct arena *arena, const struct json *arguments,
			    struct json *out, struct jsonata_error *error)
{
	struct json weights = arguments[0];
	double total = 0, at;

	if (!json_is(weights, JSON_OBJECT) || weights.count == 0)
		return fail(arena, error, "$weighted(weights, salt) wants an object of numbers");
	for (uint32_t i = 0; i < weights.count; i++)
		total += json_to_double(weights.members[i].value);
	at = draw_within(context, total, arguments[1]);
	for (uint32_t i = 0; i < weights.count; i++) {
		const struct json_member *member = &weights.members[i];
		*out = json_string(json_name(member));
		at -= json_to_double(member->value);
		if (at < 0)
			break;
	}
	return true;
}

/* $base36(length, salt) */
static bool native_base36(void *context, struct arena *arena, const struct json *arguments,
			  struct json *out, struct jsonata_error *error)
{
	struct random_seeded draw = {company_draw(context, text_of(arguments[1]))};
	int64_t len;

	if (!json_to_int64(arguments[0], &len) || len < 1 || len > 100)
		return fail(arena, error, "$base36(length, salt) wants a length from 1 to 100");
	char *text = arena_alloc(arena, (size_t)len);
	for (int64_t i = 0; i < len; i++)
		text[i] = "0123456789abcdefghijklmnopqrstuvwxyz"[random_seeded_next(&draw) % 36];
	*out = json_string(str_make(text, (size_t)len));
	return true;
}

/* --- times ---------------------------------------------------------------------------------- */

static bool shift_time(struct arena *arena, int64_t us, struct json seconds, int64_t latest_us,
		       struct json *out, struct jsonata_error *error)
{
	double shift = json_to_double(seconds) * 1e6;

	if (!(fabs(shift) < 1e16))
		return fail(arena, error, "a number of seconds is wanted");
	us += (int64_t)llround(shift);
	*out = json_string(format_us(arena, us < latest_us ? us : latest_us));
	return true;
}

/* $ago(seconds): before the moment at which the company was made */
static bool native_ago(void *context, struct arena *arena, const struct json *arguments,
		       struct json *out, struct jsonata_error *error)
{
	struct company *company = context;
	struct json back = json_number(-json_to_double(arguments[0]));

	return shift_time(arena, company->definition->now_us, back, INT64_MAX, out, error);
}

/* $later(time, seconds): something that has happened, so at the latest when all was made */
static bool native_later(void *context, struct arena *arena, const struct json *arguments,
			 struct json *out, struct jsonata_error *error)
{
	struct company *company = context;
	int64_t us, latest = company->definition->now_us;

	if (!parse_us(text_of(arguments[0]), &us))
		return fail(arena, error, "$later(time, seconds) wants a time");
	return shift_time(arena, us, arguments[1], us > latest ? us : latest, out, error);
}

/* $plus(time, seconds): may lie ahead */
static bool native_plus(void *context, struct arena *arena, const struct json *arguments,
			struct json *out, struct jsonata_error *error)
{
	int64_t us;

	(void)context;
	if (!parse_us(text_of(arguments[0]), &us))
		return fail(arena, error, "$plus(time, seconds) wants a time");
	return shift_time(arena, us, arguments[1], INT64_MAX, out, error);
}

/* $clock(): the time now, with microseconds */
static bool native_clock(void *context, struct arena *arena, const struct json *arguments,
			 struct json *out, struct jsonata_error *error)
{
	(void)arguments;
	(void)error;
	*out = json_string(format_us(arena, company_clock_us(context)));
	return true;
}

/* $seconds(time): since 1970; of what is no time nothing */
static bool native_seconds(void *context, struct arena *arena, const struct json *arguments,
			   struct json *out, struct jsonata_error *error)
{
	int64_t us;

	(void)context;
	(void)arena;
	(void)error;
	*out = json_undefined();
	if (parse_us(text_of(arguments[0]), &us))
		*out = json_number((double)us / 1e6);
	return true;
}

/* --- what comes with a request -------------------------------------------------------------- */

/* $whole(value): a whole number, also from its digits; of all else nothing */
static bool native_whole(void *context, struct arena *arena, const struct json *arguments,
			 struct json *out, struct jsonata_error *error)
{
	int64_t number;

	(void)context;
	(void)arena;
	(void)error;
	*out = json_undefined();
	if (json_to_int64(arguments[0], &number) ||
	    (json_is(arguments[0], JSON_STRING) && str_to_int64(json_str(arguments[0]), &number)))
		*out = json_int(number);
	return true;
}

/* $flag(value): true of true, "true" and "1"; nothing of null and of what is not there */
static bool native_flag(void *context, struct arena *arena, const struct json *arguments,
			struct json *out, struct jsonata_error *error)
{
	struct str text = text_of(arguments[0]);

	(void)context;
	(void)arena;
	(void)error;
	*out = json_undefined();
	if (json_is(arguments[0], JSON_BOOL))
		*out = arguments[0];
	else if (json_is(arguments[0], JSON_STRING))
		*out = json_bool(str_equal_c(text, "true") || str_equal_c(text, "1"));
	return true;
}

/* $given(value, other): the value, be it null; the other where there is none */
static bool native_given(void *context, struct arena *arena, const struct json *arguments,
			 struct json *out, struct jsonata_error *error)
{
	(void)context;
	(void)arena;
	(void)error;
	*out = json_is(arguments[0], JSON_UNDEFINED) ? arguments[1] : arguments[0];
	return true;
}

/* --- other records -------------------------------------------------------------------------- */

static struct collection *find_collection(struct company *company, struct arena *arena,
					  struct json name, struct jsonata_error *error)
{
	struct collection *collection = company_collection(company, text_of(name));

	if (collection == NULL)
		fail(arena, error, "there is no collection of this name");
	return collection;
}

static bool give_made(struct company *company, struct arena *arena, struct record *record,
		      struct json *out, struct jsonata_error *error)
{
	struct error err;

	if (!record_make(company, record, &err))
		return fail_with(arena, error, &err);
	*out = record->made;
	return true;
}

/* $one(collection, salt): of those which were there at the start */
static bool native_one(void *context, struct arena *arena, const struct json *arguments,
		       struct json *out, struct jsonata_error *error)
{
	struct collection *collection = find_collection(context, arena, arguments[0], error);

	*out = json_undefined();
	if (collection == NULL || collection->initial_count == 0)
		return collection != NULL;
	uint64_t draw = company_draw(context, text_of(arguments[1]));
	return give_made(context, arena, collection->records[draw % collection->initial_count], out,
			 error);
}

/* $one_id(collection, salt): its id alone, without making the record */
static bool native_one_id(void *context, struct arena *arena, const struct json *arguments,
			  struct json *out, struct jsonata_error *error)
{
	struct collection *collection = find_collection(context, arena, arguments[0], error);

	*out = json_undefined();
	if (collection == NULL || collection->initial_count == 0)
		return collection != NULL;
	uint64_t draw = company_draw(context, text_of(arguments[1]));
	*out = json_int(record_id(collection->records[draw % collection->initial_count]));
	return true;
}

/* $living(collection, salt): of those which are there now */
static bool native_living(void *context, struct arena *arena, const struct json *arguments,
			  struct json *out, struct jsonata_error *error)
{
	struct collection *collection = find_collection(context, arena, arguments[0], error);

	*out = json_undefined();
	if (collection == NULL)
		return false;
	uint64_t draw = company_draw(context, text_of(arguments[1]));
	for (size_t i = 0; i < collection->count; i++) {
		struct record *record = collection->records[(draw + i) % collection->count];
		if (record_is_alive(record))
			return give_made(context, arena, record, out, error);
	}
	return true;
}

/* $find(collection, id) */
static bool native_find(void *context, struct arena *arena, const struct json *arguments,
			struct json *out, struct jsonata_error *error)
{
	struct collection *collection = find_collection(context, arena, arguments[0], error);
	int64_t id;

	*out = json_undefined();
	if (collection == NULL || !json_to_int64(arguments[1], &id))
		return collection != NULL;
	struct record *record = collection_find(collection, id);
	if (record == NULL || !record_is_alive(record))
		return true;
	return give_made(context, arena, record, out, error);
}

/* $all(collection) */
static bool native_all(void *context, struct arena *arena, const struct json *arguments,
		       struct json *out, struct jsonata_error *error)
{
	struct collection *collection = find_collection(context, arena, arguments[0], error);
	struct json_builder all;
	struct json made;

	if (collection == NULL)
		return false;
	json_builder_init(&all, arena);
	for (size_t i = 0; i < collection->count; i++) {
		if (!record_is_alive(collection->records[i]))
			continue;
		if (!give_made(context, arena, collection->records[i], &made, error))
			return false;
		json_builder_add(&all, made);
	}
	*out = json_builder_array(&all);
	return true;
}

/* The first of those that hang on `parent`, in the collection that is named. */
static bool find_children(struct company *company, struct arena *arena, struct json name,
			  const struct record *parent, struct record **first, size_t *count,
			  struct jsonata_error *error)
{
	struct collection *children = find_collection(company, arena, name, error);

	if (children == NULL)
		return false;
	if (parent == NULL || children->definition->parent != parent->collection->definition)
		return fail(arena, error, "that collection does not hang on this record");
	*first = parent->first_child[children->definition->child_number];
	*count = parent->child_counts[children->definition->child_number];
	return true;
}

static bool give_children(struct company *company, struct arena *arena, struct json name,
			  const struct record *parent, struct json *out,
			  struct jsonata_error *error)
{
	struct json_builder items;
	struct record *record;
	struct json made;
	size_t count;

	if (!find_children(company, arena, name, parent, &record, &count, error))
		return false;
	json_builder_init(&items, arena);
	for (; record != NULL; record = record->next_sibling) {
		if (record->is_deleted)
			continue;
		if (!give_made(company, arena, record, &made, error))
			return false;
		json_builder_add(&items, made);
	}
	*out = json_builder_array(&items);
	return true;
}

/* $children(collection): those of this record, as they were made */
static bool native_children(void *context, struct arena *arena, const struct json *arguments,
			    struct json *out, struct jsonata_error *error)
{
	struct company *company = context;

	return give_children(company, arena, arguments[0], company->scope_record, out, error);
}

/* $siblings(collection): those which hang on the same parent as this record does */
static bool native_siblings(void *context, struct arena *arena, const struct json *arguments,
			    struct json *out, struct jsonata_error *error)
{
	struct company *company = context;
	const struct record *record = company->scope_record;

	return give_children(company, arena, arguments[0], record == NULL ? NULL : record->parent,
			     out, error);
}

/* $children_count(collection) */
static bool native_children_count(void *context, struct arena *arena,
				  const struct json *arguments, struct json *out,
				  struct jsonata_error *error)
{
	struct company *company = context;
	struct record *record;
	size_t count;

	if (!find_children(company, arena, arguments[0], company->scope_record, &record, &count,
			   error))
		return false;
	*out = json_int((int64_t)count);
	return true;
}

static bool give_view(struct company *company, struct arena *arena, struct record *record,
		      struct json name, struct json *out, struct jsonata_error *error)
{
	const struct view *view = collection_view(record->collection->definition, text_of(name));
	struct error err;

	if (view == NULL)
		return fail(arena, error, "there is no view of this name");
	return record_view(company, record, view, arena, out, &err) ||
	       fail_with(arena, error, &err);
}

/* $children_view(collection, view): those of this record, as the view shows them */
static bool native_children_view(void *context, struct arena *arena, const struct json *arguments,
				 struct json *out, struct jsonata_error *error)
{
	struct company *company = context;
	struct json_builder items;
	struct record *record;
	struct json shown;
	size_t count;

	if (!find_children(company, arena, arguments[0], company->scope_record, &record, &count,
			   error))
		return false;
	json_builder_init(&items, arena);
	for (; record != NULL; record = record->next_sibling) {
		if (record->is_deleted)
			continue;
		if (!give_view(context, arena, record, arguments[1], &shown, error))
			return false;
		json_builder_add(&items, shown);
	}
	*out = json_builder_array(&items);
	return true;
}

/* $view(collection, id, view) */
static bool native_view(void *context, struct arena *arena, const struct json *arguments,
			struct json *out, struct jsonata_error *error)
{
	struct collection *collection = find_collection(context, arena, arguments[0], error);
	int64_t id;

	*out = json_undefined();
	if (collection == NULL || !json_to_int64(arguments[1], &id))
		return collection != NULL;
	struct record *record = collection_find(collection, id);
	return record == NULL || !record_is_alive(record) ||
	       give_view(context, arena, record, arguments[2], out, error);
}

/* $where(collection, member, value): the records whose made field has this value */
static bool native_where(void *context, struct arena *arena, const struct json *arguments,
			 struct json *out, struct jsonata_error *error)
{
	struct collection *collection = find_collection(context, arena, arguments[0], error);
	struct json_builder items;
	struct record **records;
	struct error err;
	size_t count;

	if (collection == NULL)
		return false;
	if (!company_where(context, collection, text_of(arguments[1]), arguments[2], &records,
			   &count, &err))
		return fail_with(arena, error, &err);
	json_builder_init(&items, arena);
	for (size_t i = 0; i < count; i++)
		json_builder_add(&items, records[i]->made);
	*out = json_builder_array(&items);
	return true;
}

/* $ref(collection, id): for `references`; of null nothing */
static bool native_ref(void *context, struct arena *arena, const struct json *arguments,
		       struct json *out, struct jsonata_error *error)
{
	int64_t id;

	(void)context;
	(void)error;
	*out = json_undefined();
	if (json_to_int64(arguments[1], &id))
		*out = json_string(arena_format(arena, "%.*s/%lld",
						STR_ARGS(text_of(arguments[0])), (long long)id));
	return true;
}

/* $file_size(extension): of what /files/ answers */
static bool native_file_size(void *context, struct arena *arena, const struct json *arguments,
			     struct json *out, struct jsonata_error *error)
{
	struct company *company = context;
	const struct definition *definition = company->definition;

	for (size_t i = 0; i < definition->file_count; i++) {
		if (!str_equal(definition->files[i].extension, text_of(arguments[0])))
			continue;
		*out = json_int((int64_t)definition->files[i].bytes.len);
		return true;
	}
	return fail(arena, error, "there is no file of this extension");
}

const struct jsonata_native natives[] = {
	{"int", 3, native_int},
	{"real", 3, native_real},
	{"chance", 2, native_chance},
	{"pick", 2, native_pick},
	{"from", 2, native_from},
	{"some", 3, native_some},
	{"weighted", 2, native_weighted},
	{"base36", 2, native_base36},
	{"ago", 1, native_ago},
	{"later", 2, native_later},
	{"plus", 2, native_plus},
	{"clock", 0, native_clock},
	{"seconds", 1, native_seconds},
	{"whole", 1, native_whole},
	{"flag", 1, native_flag},
	{"given", 2, native_given},
	{"one", 2, native_one},
	{"one_id", 2, native_one_id},
	{"living", 2, native_living},
	{"find", 2, native_find},
	{"all", 1, native_all},
	{"children", 1, native_children},
	{"siblings", 1, native_siblings},
	{"children_count", 1, native_children_count},
	{"children_view", 2, native_children_view},
	{"view", 3, native_view},
	{"where", 3, native_where},
	{"ref", 2, native_ref},
	{"file_size", 1, native_file_size},
};
const size_t native_count = sizeof natives / sizeof natives[0];
