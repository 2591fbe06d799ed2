/* How fast JSON is read and written. bench_json [-t SECONDS] FILE…
 *
 * Three ways, each in MB of input a second: read alone; read and written (a container that was
 * read is written from its source); and written anew from a copy without sources, which is what a
 * value costs that the program made. */
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "lang/json/json.h"

enum way { PARSE, PARSE_PRINT, PRINT_ANEW, WAYS };

static const char *const way_names[WAYS] = {"parse", "parse+print", "print anew"};

static double seconds_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static struct str read_file(const char *path)
{
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

/* One turn as a request would do it: with an arena of its own. */
static size_t turn(enum way way, struct str text, struct json copy)
{
	struct arena arena;
	struct buffer out;

	arena_init(&arena, (size_t)1 << 30);
	buffer_init(&out, &arena, (size_t)1 << 30);
	struct json value = way == PRINT_ANEW ? copy : parse(&arena, text);

	if (way != PARSE)
		json_print(&out, value);
	size_t made = out.len + value.count;

	arena_finish(&arena);
	return made;
}

static double measure(enum way way, struct str text, struct json copy, double seconds)
{
	double best = 0;
	size_t turns = 1 + 1000000 / (text.len + 1);

	for (double end = seconds_now() + seconds; seconds_now() < end;) {
		double start = seconds_now();
		size_t made = 0;

		for (size_t i = 0; i < turns; i++)
			made += turn(way, text, copy);
		double speed = (double)(text.len * turns) / (seconds_now() - start) / 1e6;

		if (made > 0 && speed > best)
			best = speed;
	}
	return best;
}

int main(int count, char **arguments)
{
	double seconds = 1;
	int first = 1;

	/* A process that lives long keeps the memory that it will need again at once; else this
	 * measures the kernel's clearing of pages. */
	mallopt(M_TRIM_THRESHOLD, 64 * 1024 * 1024);
	mallopt(M_MMAP_THRESHOLD, 32 * 1024 * 1024);

	if (count > 2 && strcmp(arguments[1], "-t") == 0) {
		seconds = strtod(arguments[2], NULL);
		first = 3;
	}
	if (first >= count)
		die("usage: bench_json [-t SECONDS] FILE…");
	for (int i = first; i < count; i++) {
		struct str text = read_file(arguments[i]);
		struct arena arena;

		arena_init(&arena, (size_t)1 << 30);
		struct json copy = json_copy(&arena, parse(&arena, text));

		for (int way = 0; way < WAYS; way++)
			printf("%-12s %8.0f MB/s  %s\n", way_names[way],
			       measure((enum way)way, text, copy, seconds), arguments[i]);
		arena_finish(&arena);
		free((void *)(uintptr_t)text.data);
	}
	return 0;
}
