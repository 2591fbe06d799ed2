/* What a person is known by, and values without it. */
#include "ats/erasure/parts.h"

#include <strings.h>

enum { NAME_BYTES_MIN = 6, ADDRESS_BYTES_MIN = 6 };
static const struct str put_instead = STR_INIT("[erased]");

/* --- references ------------------------------------------------------------------------------- */

static bool is_reference(const struct model_field *field)
{
	return field->type == MODEL_OBJECT && field->field_count >= 2 &&
	       str_equal(field->fields[0].name, STR("id"));
}

/* "candidate" tells of candidates, and so does "candidates". */
static const struct model_resource *target_of(const struct erasures *erasures, struct arena *arena,
					      struct str name)
{
	const struct model *model = erasures->options.model;

	for (size_t i = 0; i < model->resource_count; i++)
		if (str_equal(model->resources[i].name, name) ||
		    str_equal(copy_singular(arena, model->resources[i].name), name))
			return &model->resources[i];
	return NULL;
}

void erasure_links_init(struct erasures *erasures)
{
	const struct model *model = erasures->options.model;
	struct arena *arena = &erasures->arena;

	erasures->links = arena_zero(arena, (model->resource_count + 1) * sizeof *erasures->links);
	for (size_t i = 0; i < model->resource_count; i++) {
		const struct model_resource *resource = &model->resources[i];
		struct erasure_link *link = &erasures->links[i];

		link->resource = resource;
		for (size_t k = 0; k < resource->field_count; k++) {
			const struct model_field *field = &resource->fields[k];
			const struct model_resource *target =
				target_of(erasures, arena, field->name);

			if (target == NULL || field->is_list || !is_reference(field) ||
			    link->count == sizeof link->items / sizeof link->items[0])
				continue;
			link->items[link->count].field = field;
			link->items[link->count++].target = target;
		}
	}
}

const struct erasure_link *erasure_link_of(const struct erasures *erasures, struct str resource)
{
	for (size_t i = 0; i < erasures->options.model->resource_count; i++)
		if (str_equal(erasures->links[i].resource->name, resource))
			return &erasures->links[i];
	return NULL;
}

/* --- the person ------------------------------------------------------------------------------- */

void person_init(struct person *person, struct erasures *erasures, struct arena *arena,
		 const struct account *account)
{
	*person = (struct person){
		.erasures = erasures,
		.arena = arena,
		.environment_id = account->environment_id,
		.account_id = account->id,
	};
	person->ids = arena_array(arena, PERSON_IDS_MAX, sizeof *person->ids);
	person->needles = arena_array(arena, PERSON_NEEDLES_MAX, sizeof *person->needles);
	map_init(&person->gone, random_system());
}

void person_finish(struct person *person)
{
	map_finish(&person->gone);
}

static struct str key_of(struct arena *arena, struct str resource, struct str id)
{
	struct buffer key;

	buffer_init(&key, arena, SIZE_MAX / 4);
	buffer_append(&key, resource);
	buffer_append_byte(&key, '\0');
	buffer_append(&key, id);
	return buffer_str(&key);
}

bool person_has_record(const struct person *person, struct str resource, struct str id)
{
	struct arena arena;

	if (person->gone.count == 0)
		return false;
	arena_init(&arena, 65536);
	bool has = map_get(&person->gone, key_of(&arena, resource, id)) != NULL;
	arena_finish(&arena);
	return has;
}

bool person_add_record(struct person *person, struct str resource, struct str id)
{
	if (map_put(&person->gone, key_of(person->arena, resource, id), person) != NULL)
		return false;
	if (str_equal(resource, STR("candidates")) && person->id_count < PERSON_IDS_MAX)
		person->ids[person->id_count++] = arena_str(person->arena, id);
	return true;
}

static void add_needle(struct person *person, struct str text)
{
	for (size_t i = 0; i < person->needle_count; i++)
		if (str_equal(person->needles[i], text))
			return;
	if (person->needle_count < PERSON_NEEDLES_MAX)
		person->needles[person->needle_count++] = arena_str(person->arena, text);
}

/* A first name alone, or a word such as "Li", would be found everywhere. */
static void add_name(struct person *person, struct str name)
{
	bool is_telling = str_find_byte(name, ' ') > 0;

	for (size_t i = 0; i < name.len && !is_telling; i++)
		is_telling = (unsigned char)name.data[i] >= 0x80;
	if (is_telling && name.len >= NAME_BYTES_MIN)
		add_needle(person, name);
}

void person_learn(struct person *person, struct json candidate)
{
	struct json emails = json_get_c(candidate, "emails");
	struct str first = json_get_str(candidate, "first_name");
	struct str last = json_get_str(candidate, "last_name");

	add_name(person, json_get_str(candidate, "name"));
	if (first.len > 0 && last.len > 0) {
		add_name(person, arena_format(person->arena, "%.*s %.*s", STR_ARGS(first),
					      STR_ARGS(last)));
		add_name(person, arena_format(person->arena, "%.*s, %.*s", STR_ARGS(last),
					      STR_ARGS(first)));
	}
	for (size_t i = 0; json_is(emails, JSON_ARRAY) && i < emails.count; i++) {
		struct str email = json_get_str(json_at(emails, i), "email");
		if (email.len >= ADDRESS_BYTES_MIN && str_find_byte(email, '@') > 0)
			add_needle(person, email);
	}
}

bool person_owns(const struct person *person, struct str resource, struct str id,
		 struct json record)
{
	const struct erasure_link *link = erasure_link_of(person->erasures, resource);

	if (person_has_record(person, resource, id))
		return true;
	for (size_t i = 0; link != NULL && i < link->count; i++) {
		struct json value = json_get(record, link->items[i].field->name);
		struct str other = json_get_str(value, "id");

		if (other.len > 0 && person_has_record(person, link->items[i].target->name, other))
			return true;
	}
	return false;
}

/* --- without it ------------------------------------------------------------------------------- */

/* Letters of either case are the same: addresses are written both ways. */
static ptrdiff_t find_nocase(struct str text, struct str needle)
{
	for (size_t i = 0; i + needle.len <= text.len; i++)
		if (strncasecmp(text.data + i, needle.data, needle.len) == 0)
			return (ptrdiff_t)i;
	return -1;
}

bool person_is_told(const struct person *person, struct str text)
{
	for (size_t i = 0; i < person->needle_count; i++)
		if (find_nocase(text, person->needles[i]) >= 0)
			return true;
	return false;
}

static bool is_address(struct str needle)
{
	return str_find_byte(needle, '@') >= 0;
}

/* A text that is a name and no more may be the name of somebody else: whose it is tells the id
 * beside it. */
static struct str without_needle(struct arena *arena, struct str text, struct str needle,
				 bool *is_changed)
{
	struct buffer out;
	ptrdiff_t at = find_nocase(text, needle);

	if (at < 0 || (text.len == needle.len && !is_address(needle)))
		return text;
	*is_changed = true;
	buffer_init(&out, arena, SIZE_MAX / 4);
	while (at >= 0) {
		buffer_append(&out, str_slice(text, 0, (size_t)at));
		buffer_append(&out, put_instead);
		text = str_slice(text, (size_t)at + needle.len, text.len);
		at = find_nocase(text, needle);
	}
	buffer_append(&out, text);
	return buffer_str(&out);
}

static struct json redact_text(const struct person *person, struct arena *arena, struct json value,
			       bool *is_changed)
{
	struct str text = json_str(value);
	bool is_other = false;

	for (size_t i = 0; i < person->needle_count; i++)
		text = without_needle(arena, text, person->needles[i], &is_other);
	*is_changed |= is_other;
	return is_other ? json_string(text) : value;
}

/* An object that stands for a record of the person's: under a name that says of which kind, or with
 * the person's own name beside the id. */
static bool is_the_person(const struct person *person, struct arena *arena, struct str key,
			  struct json object)
{
	struct str id = json_get_str(object, "id"), name = json_get_str(object, "name");
	const struct model_resource *target;
	bool is_candidate = false;

	if (id.len == 0)
		return false;
	target = target_of(person->erasures, arena, key);
	if (target != NULL && person_has_record(person, target->name, id))
		return true;
	for (size_t i = 0; i < person->id_count && !is_candidate; i++)
		is_candidate = str_equal(person->ids[i], id);
	if (!is_candidate)
		return false;
	for (size_t i = 0; i < person->needle_count; i++)
		if (str_equal(person->needles[i], name))
			return true;
	return str_equal(key, STR("duplicates"));
}

static struct json redact(const struct person *person, struct arena *arena, struct str key,
			  struct json value, int depth, bool *is_changed);

static struct json redact_object(const struct person *person, struct arena *arena,
				 struct json value, int depth, bool *is_changed)
{
	struct json_builder out;

	json_builder_init(&out, arena);
	for (size_t i = 0; i < value.count; i++) {
		struct str name = json_name(&value.members[i]);
		json_builder_set(&out, name,
				 redact(person, arena, name, value.members[i].value, depth + 1,
					is_changed));
	}
	return json_builder_object(&out);
}

static struct json redact_array(const struct person *person, struct arena *arena, struct str key,
				struct json value, int depth, bool *is_changed)
{
	struct json_builder out;

	json_builder_init(&out, arena);
	for (size_t i = 0; i < value.count; i++) {
		struct json item = json_at(value, i);
		struct json left = redact(person, arena, key, item, depth + 1, is_changed);

		if (!json_is(left, JSON_NULL) || json_is(item, JSON_NULL))
			json_builder_add(&out, left);
	}
	return json_builder_array(&out);
}

/* What lies deeper than any record of ours is dropped. */
static struct json redact(const struct person *person, struct arena *arena, struct str key,
			  struct json value, int depth, bool *is_changed)
{
	enum { DEPTH_MAX = 128 };

	if (json_is(value, JSON_STRING))
		return redact_text(person, arena, value, is_changed);
	if (!json_is(value, JSON_OBJECT) && !json_is(value, JSON_ARRAY))
		return value;
	if (depth == DEPTH_MAX ||
	    (json_is(value, JSON_OBJECT) && is_the_person(person, arena, key, value))) {
		*is_changed = true;
		return json_null();
	}
	return json_is(value, JSON_OBJECT)
		       ? redact_object(person, arena, value, depth, is_changed)
		       : redact_array(person, arena, key, value, depth, is_changed);
}

struct json person_redact(const struct person *person, struct arena *arena, struct json value,
			  bool *is_changed)
{
	bool is_other = false;
	struct json left = redact(person, arena, (struct str){"", 0}, value, 0, &is_other);

	*is_changed = is_other;
	return is_other ? left : value;
}
