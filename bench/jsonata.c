/* How fast expressions are evaluated. bench_jsonata FOLDER [NAME COUNT]
 *
 * FOLDER holds record.json and record.jsonata, page.json and page.jsonata: one large mapping over
 * one record, and over a page of 100 (bench/run jsonata makes it). Besides those there is `fields`:
 * a table of small expressions, each evaluated for each record of the page, which is what a
 * connector does.
 *
 * With NAME and COUNT one of the lines below is run so often, for profiles. Without, lines on
 * standard input are answered: `show record` and `show page` with what is printed; and with
 * microseconds a record, as measured over so many seconds of processor time,
 *   record, page, fields SECONDS      parse, evaluate, print
 *   evaluate, evaluate-page SECONDS   of a document that was parsed before
 *   compile, compile-fields SECONDS   the mapping, the table; microseconds each
 *   threads-N SECONDS                 record, in N threads: microseconds by the clock on the
 *                                     wall, then of processor time */
#include <malloc.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "lang/jsonata/jsonata.h"

static double seconds_now(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
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

enum way { WHOLE, EVALUATE, COMPILE };

struct work {
	const struct jsonata *expression; /* NULL: the table */
	const struct jsonata *const *table;
	struct str text; /* of the expression */
	struct str document;
	struct json input;
	uint32_t records;
};

struct bench {
	struct work record, page, fields;
	const struct jsonata *table[FIELD_COUNT];
};

static void compile_table(struct arena *arena, const struct jsonata **table)
{
	static const struct jsonata_native native = {"reference", 2, reference};
	struct jsonata_options options = {.natives = &native, .native_count = 1};

	for (int i = 0; i < FIELD_COUNT; i++)
		table[i] = compile(arena, str_from_c(fields[i]), &options);
}

static void compile_again(struct arena *arena, const struct work *work)
{
	const struct jsonata *table[FIELD_COUNT];

	if (work->table != NULL)
		compile_table(arena, table);
	else
		compile(arena, work->text, NULL);
}

/* One turn in a fresh arena, as a request has one. What is printed stays in it. */
static struct str turn(struct arena *arena, const struct work *work, enum way way)
{
	struct json input = work->input;
	struct buffer out;

	buffer_init(&out, arena, (size_t)1 << 28);
	struct jsonata_context context = context_over(arena);
	if (way == COMPILE) {
		compile_again(arena, work);
		return STR("");
	}
	if (way == WHOLE)
		input = parse(arena, work->document);
	struct json references = json_get_c(input, "references");
	context.native_context = &references;
	if (work->table != NULL) {
		map_page(work->table, &context, input, way == WHOLE ? &out : NULL);
	} else {
		struct json value = evaluate(work->expression, &context, input);
		if (way == WHOLE)
			json_print(&out, value);
	}
	return str_make(out.data, out.len);
}

static void run_turns(const struct work *work, enum way way, size_t count)
{
	struct arena arena;

	arena_init(&arena, (size_t)1 << 30);
	for (size_t i = 0; i < count; i++) {
		turn(&arena, work, way);
		arena_finish(&arena);
	}
}

static double measure(const struct work *work, enum way way, double seconds)
{
	uint32_t records = way == COMPILE ? 1 : work->records;
	size_t step = work->records > 1 ? 1 : 50, turns = 0;
	double start = seconds_now(CLOCK_PROCESS_CPUTIME_ID), used;

	do {
		run_turns(work, way, step);
		turns += step;
		used = seconds_now(CLOCK_PROCESS_CPUTIME_ID) - start;
	} while (used < seconds);
	return used * 1e6 / (double)turns / records;
}

/* --- threads ------------------------------------------------------------------------------- */

struct worker {
	const struct work *work;
	double end;
	size_t turns;
};

static void *run_worker(void *argument)
{
	struct worker *worker = argument;

	while (seconds_now(CLOCK_MONOTONIC) < worker->end) {
		run_turns(worker->work, WHOLE, 50);
		worker->turns += 50;
	}
	return NULL;
}

/* All share the one compiled expression. */
static void measure_threads(const struct work *work, size_t count, double seconds)
{
	enum { THREADS_MAX = 64 };
	pthread_t threads[THREADS_MAX];
	struct worker workers[THREADS_MAX];
	double start = seconds_now(CLOCK_MONOTONIC);
	double used = seconds_now(CLOCK_PROCESS_CPUTIME_ID);
	size_t turns = 0;

	if (count == 0 || count > THREADS_MAX)
		die("at most %d threads", THREADS_MAX);
	for (size_t i = 0; i < count; i++) {
		workers[i] = (struct worker){work, start + seconds, 0};
		if (pthread_create(&threads[i], NULL, run_worker, &workers[i]) != 0)
			die("no thread");
	}
	for (size_t i = 0; i < count; i++) {
		pthread_join(threads[i], NULL);
		turns += workers[i].turns;
	}
	printf("%.3f %.3f\n", (seconds_now(CLOCK_MONOTONIC) - start) * 1e6 / (double)turns,
	       (seconds_now(CLOCK_PROCESS_CPUTIME_ID) - used) * 1e6 / (double)turns);
}

/* --- lines --------------------------------------------------------------------------------- */

static const struct work *find(const struct bench *bench, const char *name, enum way *way)
{
	const struct {
		const char *name;
		const struct work *work;
		enum way way;
	} lines[] = {
		{"record", &bench->record, WHOLE},	     {"page", &bench->page, WHOLE},
		{"fields", &bench->fields, WHOLE},	     {"evaluate", &bench->record, EVALUATE},
		{"evaluate-page", &bench->page, EVALUATE},   {"compile", &bench->record, COMPILE},
		{"compile-fields", &bench->fields, COMPILE},
	};

	for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
		*way = lines[i].way;
		if (strcmp(lines[i].name, name) == 0)
			return lines[i].work;
	}
	die("there is no %s", name);
}

static void show(const struct work *work)
{
	struct arena arena;

	arena_init(&arena, (size_t)1 << 30);
	struct str text = turn(&arena, work, WHOLE);
	printf("%.*s\n", STR_ARGS(text));
	arena_finish(&arena);
}

static void answer(const struct bench *bench, const char *name, const char *argument)
{
	double seconds = strtod(argument, NULL);
	size_t threads;
	enum way way;

	if (strcmp(name, "show") == 0) {
		show(find(bench, argument, &way));
	} else if (sscanf(name, "threads-%zu", &threads) == 1) {
		measure_threads(&bench->record, threads, seconds);
	} else {
		const struct work *work = find(bench, name, &way);
		printf("%.3f\n", measure(work, way, seconds));
	}
	fflush(stdout);
}

static struct work prepare(struct arena *arena, const char *folder, const char *expression,
			   const char *document, uint32_t records)
{
	struct work work = {.document = read_file(folder, document), .records = records};

	work.input = parse(arena, work.document);
	if (expression == NULL)
		return work;
	work.text = read_file(folder, expression);
	work.expression = compile(arena, work.text, NULL);
	return work;
}

int main(int count, char **arguments)
{
	struct arena arena;
	struct bench bench;
	char name[32], argument[32];
	enum way way;

	if (count != 2 && count != 4)
		die("bench_jsonata FOLDER [NAME COUNT]");
	/* Arenas come and go: what they gave back stays in the process. */
	mallopt(M_MMAP_THRESHOLD, 64 << 20);
	mallopt(M_TRIM_THRESHOLD, 256 << 20);
	arena_init(&arena, (size_t)1 << 30);
	bench.record = prepare(&arena, arguments[1], "record.jsonata", "record.json", 1);
	bench.page = prepare(&arena, arguments[1], "page.jsonata", "page.json", 100);
	bench.fields = prepare(&arena, arguments[1], NULL, "page.json", 100);
	bench.fields.table = bench.table;
	compile_table(&arena, bench.table);
	if (count == 4) {
		const struct work *work = find(&bench, arguments[2], &way);
		run_turns(work, way, (size_t)strtoul(arguments[3], NULL, 10));
	}
	while (count == 2 && scanf("%31s %31s", name, argument) == 2)
		answer(&bench, name, argument);
	arena_finish(&arena);
	return 0;
}
