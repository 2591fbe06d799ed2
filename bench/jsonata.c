/* How fast expressions are evaluated: us per record. bench_jsonata [-e] [-t SECONDS] FOLDER
 * -e: the evaluation only, for profiles.
 *
 * FOLDER holds mapping.jsonata and record.json, mapping-list.jsonata and page100.json (one large
 * mapping over one record, over a page of 100). Besides those: a table of small expressions, one a
 * field, each evaluated for each record of the page, which is what a connector does. */
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "lang/jsonata/jsonata.h"

enum { FIELDS_MAX = 64 };

static double seconds_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static struct str read_file(const char *folder, const char *name)
{
	char path[4096];

	snprintf(path, sizeof path, "%s/%s", folder, name);
	FILE *file = fopen(path, "rb");
	if (file == NULL || fseek(file, 0, SEEK_END) != 0)
		die("cannot read %s", path);
	size_t len = (size_t)ftell(file);
	char *data = malloc(len + 1);
	rewind(file);
	if (data == NULL || fread(data, 1, len, file) != len)
		die("cannot read %s", path);
	fclose(file);
	return str_make(data, len);
}

static struct json parse(struct arena *arena, struct str text)
{
	struct json value;
	struct error err;

	if (!json_parse(arena, text, &json_limits_default, &value, &err))
		die("%s", err.message);
	return value;
}

static const struct jsonata *compile(struct arena *arena, struct str text,
				     const struct jsonata_options *options)
{
	struct jsonata_error error;
	const struct jsonata *compiled = jsonata_compile(arena, text, options, &error);

	if (compiled == NULL)
		die("%s at %zu: %.*s in %.*s", error.code, error.position, STR_ARGS(error.message),
		    STR_ARGS(text));
	return compiled;
}

static struct json evaluate(const struct jsonata *expression, const struct jsonata_context *context,
			    struct json input)
{
	struct jsonata_error error;
	struct json out;

	if (!jsonata_evaluate(expression, context, input, &out, &error))
		die("%s at %zu: %.*s", error.code, error.position, STR_ARGS(error.message));
	return out;
}

static struct jsonata_context context_over(struct arena *arena)
{
	return (struct jsonata_context){.arena = arena,
					.limits = &jsonata_limits_default,
					.clock = clock_system(),
					.random = random_system()};
}

/* --- the table of fields ------------------------------------------------------------------- */

static const char *const fields[] = {
	"$string(id)",
	"name",
	"$substringBefore(name, \" \")",
	"$contains(name, \" \") ? $substringAfter(name, \" \") : null",
	"emails.{\"email\": $, \"type\": \"other\"}",
	"phones.{\"number\": $, \"type\": \"mobile\"}",
	"social_links.{\"url\": $, \"type\": \"other\"}",
	"links.{\"url\": $, \"type\": \"website\"}",
	"fields[kind = \"address\"].values.(city & \", \" & country)",
	"fields[kind = \"skills\"].values.text",
	"fields[kind = \"experience\"].values[end_date = null][0].title",
	"fields[kind = \"experience\"].values[end_date = null][0].company",
	"tags.{\"id\": $, \"name\": $}",
	"$join(sources, \" / \")",
	"source = \"career_site\" ? \"applied\" : source = \"manual\" ? \"sourced\" : \"other\"",
	"referrer",
	"$reference(\"Admin\", admin_id).{\"id\": $string(id), \"name\": first_name & \" \" & "
	"last_name}",
	"$round(rating, 1)",
	"attachments_count > 0",
	"placements.{\"id\": $string(id), \"job\": {\"id\": $string(offer_id), \"name\": "
	"$reference(\"Offer\", offer_id).title}, \"current_stage\": {\"id\": $string(stage_id), "
	"\"name\": $reference(\"Stage\", stage_id).name}, \"status\": hired_at ? \"hired\" : "
	"disqualified_at ? \"rejected\" : \"active\", \"applied_at\": created_at}",
	"placements[hired_at != null] ? \"hired\" : placements[disqualified_at = null] ? "
	"\"active\" : "
	"\"archived\"",
	"gdpr_status != \"no_consent\" and $count(emails) > 0",
	"photo_thumb_url",
	"adminapp_url",
	"created_at",
};
enum { FIELD_COUNT = sizeof fields / sizeof fields[0] };

/* $reference(type, id): the sideloaded object. */
static bool reference(void *context, struct arena *arena, const struct json *arguments,
		      struct json *out, struct jsonata_error *error)
{
	const struct json *references = context;

	(void)arena, (void)error;
	*out = json_undefined();
	for (uint32_t i = 0; i < references->count; i++) {
		struct json item = references->items[i];
		if (json_equal(json_get_c(item, "id"), arguments[1]) &&
		    json_equal(json_get_c(item, "type"), arguments[0])) {
			*out = item;
			return true;
		}
	}
	return true;
}

static void map_page(const struct jsonata *const *table, const struct jsonata_context *context,
		     struct json page, struct buffer *out)
{
	struct json records = json_get_c(page, "candidates");

	for (uint32_t i = 0; i < records.count; i++) {
		struct json_member members[FIELD_COUNT];
		for (int k = 0; k < FIELD_COUNT; k++)
			members[k] = json_member(STR("field"),
						 evaluate(table[k], context, records.items[i]));
		if (out != NULL)
			json_print(out, json_object(members, FIELD_COUNT));
	}
}

/* --- measuring ----------------------------------------------------------------------------- */

enum way { WHOLE, ALONE, COMPILE };

struct work {
	const char *name;
	struct str text; /* of the expression */
	struct str document;
	uint32_t records;
	bool is_table;
};

struct prepared {
	const struct jsonata *expression;
	const struct jsonata *table[FIELD_COUNT];
	struct json input;
	struct json references;
};

static void compile_table(struct arena *arena, const struct jsonata **table)
{
	static const struct jsonata_native native = {"reference", 2, reference};
	struct jsonata_options options = {.natives = &native, .native_count = 1};

	for (int i = 0; i < FIELD_COUNT; i++)
		table[i] = compile(arena, str_from_c(fields[i]), &options);
}

static size_t turn(const struct work *work, struct prepared *prepared, enum way way)
{
	struct arena arena;
	struct buffer out;
	struct json input = prepared->input;

	arena_init(&arena, (size_t)1 << 30);
	buffer_init(&out, &arena, (size_t)1 << 28);
	struct jsonata_context context = context_over(&arena);
	if (way == WHOLE)
		input = parse(&arena, work->document);
	struct json references = json_get_c(input, "references");
	context.native_context = &references;
	if (way == COMPILE && work->is_table) {
		const struct jsonata *table[FIELD_COUNT];
		compile_table(&arena, table);
	} else if (way == COMPILE) {
		compile(&arena, work->text, NULL);
	} else if (work->is_table) {
		map_page(prepared->table, &context, input, way == WHOLE ? &out : NULL);
	} else {
		struct json value = evaluate(prepared->expression, &context, input);
		if (way == WHOLE)
			json_print(&out, value);
	}
	size_t made = out.len;
	arena_finish(&arena);
	return made;
}

/* The best of many rounds: us for each record. */
static double measure(const struct work *work, struct prepared *prepared, enum way way,
		      double seconds)
{
	double best = 1e9;
	size_t turns = work->records > 1 ? 1 : 50;

	for (double end = seconds_now() + seconds; seconds_now() < end;) {
		double start = seconds_now();
		for (size_t i = 0; i < turns; i++)
			turn(work, prepared, way);
		double us = (seconds_now() - start) * 1e6 / (double)turns;
		best = us < best ? us : best;
	}
	return best / (way == COMPILE ? 1 : work->records);
}

static void report(const struct work *work, double seconds, bool is_alone)
{
	struct arena arena;
	struct prepared prepared;

	arena_init(&arena, (size_t)1 << 30);
	prepared.input = parse(&arena, work->document);
	if (work->is_table)
		compile_table(&arena, prepared.table);
	else
		prepared.expression = compile(&arena, work->text, NULL);
	if (is_alone) {
		printf("%-24s %8.2f us evaluate\n", work->name,
		       measure(work, &prepared, ALONE, seconds));
		arena_finish(&arena);
		return;
	}
	printf("%-24s %8.2f us parse+evaluate+print  %8.2f us evaluate  %8.1f us compile\n",
	       work->name, measure(work, &prepared, WHOLE, seconds),
	       measure(work, &prepared, ALONE, seconds),
	       measure(work, &prepared, COMPILE, seconds));
	arena_finish(&arena);
}

int main(int argc, char **argv)
{
	double seconds = 1;
	bool is_alone = argc > 1 && strcmp(argv[1], "-e") == 0;
	int at = is_alone ? 2 : 1;

	if (argc > at + 2 && strcmp(argv[at], "-t") == 0) {
		seconds = strtod(argv[at + 1], NULL);
		at += 2;
	}
	if (at + 1 != argc)
		die("bench_jsonata [-e] [-t SECONDS] FOLDER");
	/* Arenas come and go: what they gave back stays in the process. */
	mallopt(M_MMAP_THRESHOLD, 64 << 20);
	mallopt(M_TRIM_THRESHOLD, 256 << 20);
	struct str page = read_file(argv[at], "page100.json");
	struct work works[] = {
		{"mapping, one record", read_file(argv[at], "mapping.jsonata"),
		 read_file(argv[at], "record.json"), 1, false},
		{"mapping, page of 100", read_file(argv[at], "mapping-list.jsonata"), page, 100,
		 false},
		{"25 fields, page of 100", STR(""), page, 100, true},
	};
	for (size_t i = 0; i < sizeof works / sizeof works[0]; i++)
		report(&works[i], seconds, is_alone);
	return 0;
}
