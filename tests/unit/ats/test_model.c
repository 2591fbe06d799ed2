/* The model: what its loader takes and refuses, and what conforming does to every kind of value. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

#include "ats/model/model.h"

static struct arena arena;

/* Files from memory. */
struct file {
	const char *path;
	const char *text;
};
static const struct file *files;

static bool read_file(void *context, struct arena *into, const char *path, size_t bytes_max,
		      struct str *out, struct error *err)
{
	(void)context;
	(void)bytes_max;
	for (const struct file *file = files; file->path != NULL; file++) {
		if (strcmp(file->path, path) != 0)
			continue;
		*out = arena_str(into, str_from_c(file->text));
		return true;
	}
	return error_set(err, ERROR_NOT_FOUND, "%s is not there", path);
}

/* Names of the files whose paths begin with "<path>/". */
static bool list_files(void *context, struct arena *into, const char *path, struct str **names,
		       size_t *count, struct error *err)
{
	(void)context;
	(void)err;
	*names = arena_array(into, 16, sizeof **names);
	*count = 0;
	for (const struct file *file = files; file->path != NULL; file++)
		if (strncmp(file->path, path, strlen(path)) == 0)
			(*names)[(*count)++] = str_from_c(file->path + strlen(path) + 1);
	return true;
}

static const struct disk memory_disk = {.read = read_file, .list = list_files};

static int setup(void **state)
{
	(void)state;
	arena_init(&arena, 64 << 20);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	arena_finish(&arena);
	return 0;
}

static const struct model *load(const char *text, struct buffer *faults)
{
	struct file *one = arena_zero(&arena, 2 * sizeof *one);

	one->path = "models/m/things.yaml";
	one->text = text;
	files = one;
	buffer_init(faults, &arena, 1 << 20);
	return model_load(&arena, &memory_disk, "models/m", faults);
}

static const struct model_resource *load_good(const char *text)
{
	struct buffer faults;
	const struct model *model = load(text, &faults);

	if (model == NULL)
		fail_msg("%.*s", STR_ARGS(buffer_str(&faults)));
	return &model->resources[0];
}

/* --- loading ---------------------------------------------------------------------------------- */

static void test_fields_of_every_resource(void **state)
{
	(void)state;
	const struct model_resource *things =
		load_good("describe: Things.\n"
			  "fields:\n"
			  "  kind: {type: enum, values: [a, other], describe: K.}\n");
	static const char *const names[] = {"id",	   "kind",	 "remote_kind", "custom_fields",
					    "remote_url", "created_at", "updated_at"};

	assert_true(str_equal_c(things->name, "things"));
	assert_int_equal(things->field_count, 7);
	for (size_t i = 0; i < 7; i++)
		assert_true(str_equal_c(things->fields[i].name, names[i]));
	assert_true(things->fields[2].is_remote_word);
	assert_int_equal(things->fields[3].type, MODEL_OBJECT);
	assert_true(things->fields[3].is_list);
	assert_non_null(model_find_field(things, STR("updated_at")));
	assert_null(model_find_field(things, STR("other")));
}

static void test_pii_is_inherited_by_texts(void **state)
{
	(void)state;
	const struct model_resource *things = load_good(
		"describe: Things.\n"
		"fields:\n"
		"  who: {type: reference, pii: name, describe: W.}\n"
		"  mails:\n"
		"    type: object\n"
		"    pii: contact\n"
		"    describe: M.\n"
		"    fields:\n"
		"      text: {type: text, describe: T.}\n"
		"      note: {type: text, pii: free_text, describe: N.}\n"
		"      is_main: {type: boolean, describe: I.}\n");
	const struct model_field *who = model_find_field(things, STR("who"));
	const struct model_field *mails = model_find_field(things, STR("mails"));

	assert_int_equal(who->fields[0].pii, MODEL_PII_NONE);
	assert_int_equal(who->fields[1].pii, MODEL_PII_NAME);
	assert_int_equal(mails->fields[0].pii, MODEL_PII_CONTACT);
	assert_int_equal(mails->fields[1].pii, MODEL_PII_FREE_TEXT);
	assert_int_equal(mails->fields[2].pii, MODEL_PII_NONE);
}

static void assert_filter(const struct model_resource *things, const char *name, const char *path,
			  enum model_operator operator)
{
	const struct model_filter *filter = model_find_filter(things, str_from_c(name));

	if (filter == NULL)
		fail_msg("no filter %s", name);
	assert_true(str_equal_c(filter->path, path));
	assert_int_equal(filter->operator, operator);
}

static void test_filters_know_what_they_compare(void **state)
{
	(void)state;
	const struct model_resource *things = load_good(
		"describe: Things.\n"
		"fields:\n"
		"  name: {type: text, describe: N.}\n"
		"  size: {type: integer, describe: S.}\n"
		"  owner: {type: reference, describe: O.}\n"
		"  tags: {type: reference, list: true, describe: T.}\n"
		"filters:\n"
		"  name: {type: text, describe: N.}\n"
		"  size[gte]: {type: integer, describe: S.}\n"
		"  owner_id: {type: text, describe: O.}\n"
		"  tag_id: {type: text, path: tags.id, describe: T.}\n"
		"  tags[name]: {type: text, describe: T.}\n"
		"  words: {type: text, path: none, describe: W.}\n");

	assert_filter(things, "name", "name", MODEL_EQ);
	assert_filter(things, "name[in]", "name", MODEL_IN);
	assert_filter(things, "size[gte]", "size", MODEL_GTE);
	assert_filter(things, "owner_id", "owner.id", MODEL_EQ);
	assert_filter(things, "owner_id[in]", "owner.id", MODEL_IN);
	assert_filter(things, "tag_id", "tags.id", MODEL_EQ);
	assert_filter(things, "tags[name]", "tags.name", MODEL_EQ);
	assert_filter(things, "words", "", MODEL_EQ);
	assert_filter(things, "updated_at[lt]", "updated_at", MODEL_LT);
	assert_null(model_find_filter(things, STR("words[in]")));
	assert_null(model_find_filter(things, STR("size[in]")));
}

static void test_aliases(void **state)
{
	(void)state;
	struct model_aliases aliases;
	struct buffer faults;

	buffer_init(&faults, &arena, 1 << 20);
	files = (const struct file[]){{"a.yaml", "old_by: {parameter: by}\nno_data: {parameter: data, negate: true}\n"
					       "kept: {parameter: age, value: \"9\"}\n"},
				      {NULL, NULL}};
	assert_true(model_load_aliases(&arena, &memory_disk, "a.yaml", &aliases, &faults));
	assert_true(str_equal_c(model_find_alias(&aliases, STR("old_by"))->parameter, "by"));
	assert_false(model_find_alias(&aliases, STR("old_by"))->is_negated);
	assert_true(model_find_alias(&aliases, STR("no_data"))->is_negated);
	assert_true(str_equal_c(model_find_alias(&aliases, STR("kept"))->value, "9"));
	assert_null(model_find_alias(&aliases, STR("by")));
	assert_null(model_find_alias(NULL, STR("old_by")));
	files = (const struct file[]){{"a.yaml", "Old: {negate: maybe}\n"}, {NULL, NULL}};
	assert_false(model_load_aliases(&arena, &memory_disk, "a.yaml", &aliases, &faults));
	assert_true(str_equal_c(buffer_str(&faults),
				"a.yaml:1: `Old` is no name for a parameter\n"
				"a.yaml:1: an alias needs `parameter`\n"
				"a.yaml:1: `negate` must be true or false\n"));
}

static void test_all_faults_are_told(void **state)
{
	(void)state;
	struct buffer faults;

	assert_null(load("descibe: Things.\n"
			 "fields:\n"
			 "  Kind: {type: text, describe: K.}\n"
			 "  id: {type: text, describe: I.}\n"
			 "  one: {type: texts, describe: O.}\n"
			 "  two: {type: enum, describe: T.}\n"
			 "  three: {type: text, values: [a], list: maybe, describe: T.}\n"
			 "  four: {type: object, describe: F.}\n"
			 "  five: text\n"
			 "filters:\n"
			 "  created_at[]: {type: date-time, describe: C.}\n"
			 "  created_at[after]: {type: date-time, describe: C.}\n"
			 "  six[gt]: {type: text, path: one, describe: S.}\n"
			 "  one: {type: integer, describe: O.}\n"
			 "  some_id: {type: text, describe: S.}\n"
			 "  far: {type: text, path: none, describe: F.}\n",
			 &faults));
	assert_true(str_equal_c(
		buffer_str(&faults),
		"models/m/things.yaml:1: `descibe` is not known here; allowed: describe, fields, filters, "
		"methods, download, tags, events\n"
		"models/m/things.yaml:1: a resource needs `describe`\n"
		"models/m/things.yaml:3: `Kind` is no name for a field here: it must be a name in "
		"lower_snake_case which no other field has\n"
		"models/m/things.yaml:4: `id` is no name for a field here: it must be a name in "
		"lower_snake_case which no other field has\n"
		"models/m/things.yaml:5: `type` must be one of: text, integer, number, boolean, "
		"date-time, date, enum, object, any, file, reference\n"
		"models/m/things.yaml:6: an enum needs `values`\n"
		"models/m/things.yaml:7: `list` must be true or false\n"
		"models/m/things.yaml:7: `values` goes with the type enum only\n"
		"models/m/things.yaml:8: an object needs `fields`\n"
		"models/m/things.yaml:9: a field must be a mapping; allowed: type, list, pii, "
		"describe, values, fields, remote, volatile\n"
		"models/m/things.yaml:11: `created_at[]` is no name for a filter; allowed: name, "
		"name[gt], name[gte], name[lt], name[lte], name[in], name[member]\n"
		"models/m/things.yaml:12: `created_at[after]` compares `created_at.after`, which is no "
		"value of that type here; say its `path`, or `path: none`\n"
		"models/m/things.yaml:13: `six[gt]` compares what has no order: its type must be "
		"integer, number, date-time or date\n"
		"models/m/things.yaml:14: `one` compares `one`, which is no value of that type here; "
		"say its `path`, or `path: none`\n"
		"models/m/things.yaml:15: `some_id` compares `some.id`, which is no value of that type "
		"here; say its `path`, or `path: none`\n"));
}

static void test_events(void **state)
{
	(void)state;
	const char *fields = "describe: T.\nfields:\n  stage: {type: reference, describe: S.}\n"
			     "  tags: {type: reference, list: true, describe: T.}\nevents:\n";
	const struct model_resource *things = load_good(arena_c(
		&arena,
		arena_format(&arena,
			     "%s  thing:moved: {changed: stage.id, describe: M.}\n"
			     "  thing:tagged: {added: tags, describe: T.}\n"
			     "  thing:made: {set: created_at, describe: C.}\n",
			     fields)));
	struct buffer faults;

	assert_int_equal(things->event_count, 3);
	assert_true(str_equal_c(things->events[0].type, "thing:moved"));
	assert_int_equal(things->events[0].kind, MODEL_EVENT_CHANGED);
	assert_true(str_equal_c(things->fields[things->events[0].root].name, "stage"));
	assert_int_equal(things->events[1].kind, MODEL_EVENT_ADDED);
	assert_int_equal(things->events[2].kind, MODEL_EVENT_SET);
	assert_null(load(arena_c(&arena,
				 arena_format(&arena,
					      "%s  moved: {changed: stage.id, describe: M.}\n"
					      "  record:gone: {changed: stage.id, describe: M.}\n"
					      "  a:b: {changed: stage.id, set: stage.id}\n"
					      "  a:c: {describe: M., on: x}\n"
					      "  a:d: {set: state, describe: M.}\n"
					      "  a:e: {changed: tags.id, describe: M.}\n"
					      "  a:f: {added: stage, describe: M.}\n",
					      fields)),
			 &faults));
	assert_string_equal(
		arena_c(&arena, buffer_str(&faults)),
		"models/m/things.yaml:6: `moved` is no name for an event; allowed: two names in "
		"lower_snake_case joined by a colon, but record:…\n"
		"models/m/things.yaml:7: `record:gone` is no name for an event; allowed: two names in "
		"lower_snake_case joined by a colon, but record:…\n"
		"models/m/things.yaml:8: an event needs `describe`\n"
		"models/m/things.yaml:8: an event says one of `changed`, `set` and `added`\n"
		"models/m/things.yaml:9: `on` is not known here; allowed: describe, changed, set, added\n"
		"models/m/things.yaml:9: an event says one of `changed`, `set` and `added`\n"
		"models/m/things.yaml:10: things have no field `state`\n"
		"models/m/things.yaml:11: `changed` is not said of a list\n"
		"models/m/things.yaml:12: `added` is said of a list of the record itself\n");
}

static void test_real_models(void **state)
{
	(void)state;
	static const char *const names[] = {"activities", "applications", "attachments", "candidates",
					    "departments", "jobs", "tags", "users"};
	const char *folder =
		arena_format(&arena, "%s/models/ats", getenv("TENON_SOURCE")).data;
	struct buffer faults;

	buffer_init(&faults, &arena, 1 << 20);
	const struct model *model = model_load(&arena, disk_system(), folder, &faults);
	if (model == NULL)
		fail_msg("%.*s", STR_ARGS(buffer_str(&faults)));
	assert_true(str_equal_c(model->name, "ats"));
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		assert_non_null(model_find(model, str_from_c(names[i])));
	assert_null(model_find(model, STR("things")));
}

/* --- conforming ------------------------------------------------------------------------------- */

static struct json parse(const char *text)
{
	struct json value;
	struct error err;

	if (!json_parse(&arena, str_from_c(text), &json_limits_default, &value, &err))
		fail_msg("%s: %s", text, err.message);
	return value;
}

static void assert_text(struct json value, const char *expected, const char *what)
{
	struct buffer out;

	buffer_init(&out, &arena, 1 << 20);
	json_print(&out, value);
	if (!str_equal_c(buffer_str(&out), expected))
		fail_msg("%s gave %.*s, not %s", what, STR_ARGS(buffer_str(&out)), expected);
}

/* `field` is the YAML of one field `x`; `mapped` the JSON given for it, or NULL for nothing. */
static struct json conform(const char *field, const char *mapped, size_t *misfits)
{
	const struct model_resource *things = load_good(
		arena_format(&arena, "describe: T.\nfields:\n  x: {describe: X., %s}\n", field).data);
	struct json *values = arena_zero(&arena, things->field_count * sizeof *values);

	if (mapped != NULL)
		values[1] = parse(mapped);
	*misfits = 0;
	return model_conform(things, &arena, values, NULL, json_undefined(), misfits);
}

static void assert_becomes(const char *field, const char *mapped, const char *expected,
			   size_t misfits)
{
	size_t counted;
	struct json record = conform(field, mapped, &counted);

	assert_text(json_get_c(record, "x"), expected, mapped == NULL ? "nothing" : mapped);
	if (counted != misfits)
		fail_msg("%s: %zu misfits, not %zu", mapped, counted, misfits);
}

static void test_text(void **state)
{
	(void)state;
	assert_becomes("type: text", "\"a\"", "\"a\"", 0);
	assert_becomes("type: text", NULL, "null", 0);
	assert_becomes("type: text", "null", "null", 0);
	assert_becomes("type: text", "\"\"", "null", 0);
	assert_becomes("type: text", "7300412", "\"7300412\"", 0);
	assert_becomes("type: text", "-7", "\"-7\"", 0);
	assert_becomes("type: text", "123456789012345678901", "\"123456789012345678901\"", 0);
	assert_becomes("type: text", "true", "null", 1);
	assert_becomes("type: text", "{\"a\":1}", "null", 1);
	assert_becomes("type: text", "[\"a\"]", "\"a\"", 0);
	assert_becomes("type: text", "[]", "null", 0);
	assert_becomes("type: text", "[\"a\",\"b\"]", "null", 1);
}

static void test_numbers(void **state)
{
	(void)state;
	assert_becomes("type: integer", "12", "12", 0);
	assert_becomes("type: integer", "\"12\"", "12", 0);
	assert_becomes("type: integer", "\"\"", "null", 0);
	assert_becomes("type: integer", "12.0", "12", 0);
	assert_becomes("type: integer", "12.5", "null", 1);
	assert_becomes("type: integer", "\"a\"", "null", 1);
	assert_becomes("type: number", "12.50", "12.50", 0);
	assert_becomes("type: number", "\"3000.00\"", "3000.00", 0);
	assert_becomes("type: number", "\"3,5\"", "null", 1);
	assert_becomes("type: number", "\"[1]\"", "null", 1);
	assert_becomes("type: number", "true", "null", 1);
}

static void test_booleans(void **state)
{
	(void)state;
	assert_becomes("type: boolean", "true", "true", 0);
	assert_becomes("type: boolean", "\"false\"", "false", 0);
	assert_becomes("type: boolean", "1", "true", 0);
	assert_becomes("type: boolean", "0", "false", 0);
	assert_becomes("type: boolean", "2", "null", 1);
	assert_becomes("type: boolean", "\"yes\"", "null", 1);
}

static void test_date_times(void **state)
{
	(void)state;
	static const char *const cases[][2] = {
		{"2026-03-04T09:15:22.481930Z", "2026-03-04T09:15:22.481930Z"},
		{"2026-03-04T09:15:22Z", "2026-03-04T09:15:22Z"},
		{"2026-03-04T09:15:22+02:00", "2026-03-04T07:15:22Z"},
		{"2026-03-04T00:15:22.5+02:00", "2026-03-03T22:15:22.5Z"},
		{"2026-03-01T00:15:22+0130", "2026-02-28T22:45:22Z"},
		{"2024-03-01T00:15:22+01:00", "2024-02-29T23:15:22Z"},
		{"2026-12-31T23:30:00-01:00", "2027-01-01T00:30:00Z"},
		{"2026-03-04 09:15:22 UTC", "2026-03-04T09:15:22Z"},
		{"2026-03-04 09:15:22 +0000", "2026-03-04T09:15:22Z"},
		{"2026-03-04t09:15:22z", "2026-03-04T09:15:22Z"},
		{"2026-03-04", "2026-03-04T00:00:00Z"},
	};
	static const char *const wrong[] = {
		"2026-03-04T09:15:22",	   "2026-02-30T09:15:22Z", "2026-03-04T24:15:22Z",
		"2026-03-04T09:15Z",	   "04.03.2026",	   "2026-03-04T09:15:22.Z",
		"0000-01-01T00:00:00+01:00", "9999-12-31T23:59:59-01:00", "2026-03-04T09:15:22+2",
		"2026-03-04T09:15:22Zz",   "2026-3-4",		   "2026-03-04T09:15:22+02:0",
		"20x6-03-04T09:15:22Z",	   "x026-03-04",	   "2026-03-04T09:1x:22Z",
		"2026-03-04T09:15:22+0x:00",
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		assert_becomes("type: date-time",
			       arena_format(&arena, "\"%s\"", cases[i][0]).data,
			       arena_format(&arena, "\"%s\"", cases[i][1]).data, 0);
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
		assert_becomes("type: date-time", arena_format(&arena, "\"%s\"", wrong[i]).data,
			       "null", 1);
	assert_becomes("type: date-time", "1770797690", "null", 1);
	assert_becomes("type: date-time", "\"\"", "null", 0);
}

static void test_dates(void **state)
{
	(void)state;
	assert_becomes("type: date", "\"1990-02-28\"", "\"1990-02-28\"", 0);
	assert_becomes("type: date", "\"1990-02-28T00:00:00Z\"", "\"1990-02-28\"", 0);
	assert_becomes("type: date", "\"1990-02-29\"", "null", 1);
	assert_becomes("type: date", "\"1990-02-281\"", "null", 1);
	assert_becomes("type: date", "1990", "null", 1);
}

static void test_enums(void **state)
{
	(void)state;
	const char *open = "type: enum, values: [on_site, remote, other]";
	const char *closed = "type: enum, values: [on_site, remote]";
	size_t misfits;

	assert_becomes(open, "\"remote\"", "\"remote\"", 0);
	assert_becomes(open, "\"On-Site\"", "\"on_site\"", 0);
	assert_becomes(open, "\"moon\"", "\"other\"", 0);
	assert_becomes(open, "7", "\"other\"", 0);
	assert_becomes(open, "null", "null", 0);
	assert_becomes(open, "\"\"", "null", 0);
	assert_becomes(open, "{}", "null", 1);
	assert_becomes(closed, "\"moon\"", "null", 1);
	/* The word itself is kept in either case. */
	assert_text(json_get_c(conform(open, "\"moon\"", &misfits), "remote_x"), "\"moon\"", "open");
	assert_text(json_get_c(conform(closed, "\"moon\"", &misfits), "remote_x"), "\"moon\"",
		    "closed");
	assert_text(json_get_c(conform(open, NULL, &misfits), "remote_x"), "null", "nothing");
	assert_text(json_get_c(conform("type: enum, values: [a], remote: false", "\"a\"", &misfits),
			       "remote_x"),
		    "", "remote: false");
}

static void test_remote_word_of_the_mapping(void **state)
{
	(void)state;
	const struct model_resource *things =
		load_good("describe: T.\nfields:\n"
			  "  x: {type: enum, values: [open], describe: X.}\n"
			  "  y:\n    type: object\n    describe: Y.\n    fields:\n"
			  "      z: {type: enum, values: [open], describe: Z.}\n");
	struct json values[8] = {0};
	size_t misfits = 0;

	values[1] = parse("\"open\"");
	values[2] = parse("\"published\"");
	values[3] = parse("{\"remote_z\":null,\"z\":\"open\"}");
	struct json record =
		model_conform(things, &arena, values, NULL, json_undefined(), &misfits);
	assert_text(json_get_c(record, "remote_x"), "\"published\"", "x");
	assert_text(json_get_c(record, "y"), "{\"z\":\"open\",\"remote_z\":null}", "y");
	assert_int_equal(misfits, 0);
}

static void test_lists(void **state)
{
	(void)state;
	assert_becomes("type: text, list: true", NULL, "[]", 0);
	assert_becomes("type: text, list: true", "null", "[]", 0);
	assert_becomes("type: text, list: true", "\"a\"", "[\"a\"]", 0);
	assert_becomes("type: text, list: true", "[\"a\",1,null,\"\"]", "[\"a\",\"1\"]", 0);
	assert_becomes("type: text, list: true", "[\"a\",{}]", "[\"a\"]", 1);
	assert_becomes("type: any", "[1,{\"a\":null}]", "[1,{\"a\":null}]", 0);
}

static void test_objects(void **state)
{
	(void)state;
	const char *one = "type: reference";
	const char *list = "type: reference, list: true";

	assert_becomes(one, "{\"id\":7,\"name\":\"a\"}", "{\"id\":\"7\",\"name\":\"a\"}", 0);
	assert_becomes(one, "{\"name\":\"a\",\"id\":7}", "{\"id\":\"7\",\"name\":\"a\"}", 0);
	assert_becomes(one, "{\"id\":7}", "{\"id\":\"7\",\"name\":null}", 0);
	assert_becomes(one, "{\"id\":null}", "null", 0);
	assert_becomes(one, "{}", "null", 0);
	assert_becomes(one, "{\"id\":7,\"nmae\":\"a\"}", "{\"id\":\"7\",\"name\":null}", 1);
	assert_becomes(one, "7", "null", 1);
	assert_becomes(list, "{\"id\":7}", "[{\"id\":\"7\",\"name\":null}]", 0);
	assert_becomes(list, "[{\"id\":7},{\"id\":null}]", "[{\"id\":\"7\",\"name\":null}]", 0);
	assert_becomes("type: object, fields: {a: {type: reference, describe: A.}}",
		       "{\"a\":{\"id\":null}}", "null", 0);
}

static void test_absent_fields_and_remote_data(void **state)
{
	(void)state;
	const struct model_resource *things =
		load_good("describe: T.\nfields:\n  x: {type: text, describe: X.}\n");
	struct json values[6] = {0};
	bool is_absent[6] = {[1] = true};
	size_t misfits = 0;

	values[0] = json_int(12);
	values[1] = parse("\"a\"");
	/* Printed from where it was read, odd spelling and all. */
	struct json record = model_conform(things, &arena, values, is_absent,
					   parse("{\"n\": 1.00, \"n\": 2e0}"), &misfits);
	assert_text(record,
		    "{\"id\":\"12\",\"custom_fields\":[],\"remote_url\":null,\"created_at\":null,"
		    "\"updated_at\":null,\"remote_data\":{\"n\": 1.00, \"n\": 2e0}}",
		    "record");
}

static void test_custom_fields(void **state)
{
	(void)state;
	const struct model_resource *things =
		load_good("describe: T.\nfields:\n  x: {type: text, describe: X.}\n");
	struct json values[6] = {0};
	size_t misfits = 0;

	values[2] = parse("[{\"id\":1,\"name\":\"Set-up\",\"type\":\"select\",\"value\":\"Mac\"},"
			  "{\"name\":\"N\",\"type\":\"odd\",\"value\":[1,2]}]");
	struct json record =
		model_conform(things, &arena, values, NULL, json_undefined(), &misfits);
	assert_text(json_get_c(record, "custom_fields"),
		    "[{\"id\":\"1\",\"name\":\"Set-up\",\"type\":\"select\",\"remote_type\":\"select\","
		    "\"value\":\"Mac\"},{\"id\":null,\"name\":\"N\",\"type\":\"other\","
		    "\"remote_type\":\"odd\",\"value\":[1,2]}]",
		    "custom fields");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_fields_of_every_resource, setup, teardown),
		cmocka_unit_test_setup_teardown(test_pii_is_inherited_by_texts, setup, teardown),
		cmocka_unit_test_setup_teardown(test_filters_know_what_they_compare, setup, teardown),
		cmocka_unit_test_setup_teardown(test_aliases, setup, teardown),
		cmocka_unit_test_setup_teardown(test_all_faults_are_told, setup, teardown),
		cmocka_unit_test_setup_teardown(test_events, setup, teardown),
		cmocka_unit_test_setup_teardown(test_real_models, setup, teardown),
		cmocka_unit_test_setup_teardown(test_text, setup, teardown),
		cmocka_unit_test_setup_teardown(test_numbers, setup, teardown),
		cmocka_unit_test_setup_teardown(test_booleans, setup, teardown),
		cmocka_unit_test_setup_teardown(test_date_times, setup, teardown),
		cmocka_unit_test_setup_teardown(test_dates, setup, teardown),
		cmocka_unit_test_setup_teardown(test_enums, setup, teardown),
		cmocka_unit_test_setup_teardown(test_remote_word_of_the_mapping, setup, teardown),
		cmocka_unit_test_setup_teardown(test_lists, setup, teardown),
		cmocka_unit_test_setup_teardown(test_objects, setup, teardown),
		cmocka_unit_test_setup_teardown(test_absent_fields_and_remote_data, setup, teardown),
		cmocka_unit_test_setup_teardown(test_custom_fields, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
