/* How fast JSON is read and written. bench_json SECONDS FILE
 *
 * Four ways, each in MB of input a second: read alone; read and written, where a container that
 * was read is written from its source; read, and written from a copy without sources, which is
 * what a value costs that the program made; and that writing alone. Each turn reads into an arena
 * of its own, as a request does. The memory written to is there already. */
#include <malloc.h>

#include "json_timing.h"
#include "lang/json/json.h"

enum way { PARSE, PARSE_PRINT, PARSE_PRINT_ANEW, PRINT_ANEW, WAYS };

static const char *const way_names[WAYS] = {"parse", "parse+print", "parse+print-anew",
					    "print-anew"};

struct work {
	enum way way;
	struct str text;
	struct json copy;
	struct buffer out;
};

static struct json parse(struct arena *arena, struct str text)
{
	struct json value;
	struct error err;

	if (!json_parse(arena, text, &json_limits_default, &value, &err))
		die("%s", err.message);
	return value;
}

static void turn(void *context)
{
	struct work *work = context;
	struct arena arena;
	struct json value = work->copy;

	arena_init(&arena, (size_t)1 << 30);
	if (work->way != PRINT_ANEW)
		value = parse(&arena, work->text);
	if (work->way != PARSE) {
		work->out.len = 0;
		json_print(&work->out, work->way == PARSE_PRINT ? value : work->copy);
	}
	arena_finish(&arena);
}

int main(int count, char **arguments)
{
	struct work work = {0};
	struct arena arena;
	size_t len;

	if (count != 3)
		die("usage: bench_json SECONDS FILE");
	/* A process that lives long keeps the memory that it will need again at once; else this
	 * measures the kernel's clearing of pages. */
	mallopt(M_TRIM_THRESHOLD, 512 * 1024 * 1024);
	mallopt(M_MMAP_THRESHOLD, 32 * 1024 * 1024);
	char *text = read_file(arguments[2], &len);

	arena_init(&arena, (size_t)1 << 30);
	buffer_init(&work.out, &arena, (size_t)1 << 30);
	work.text = str_make(text, len);
	work.copy = json_copy(&arena, parse(&arena, work.text));
	for (int way = 0; way < WAYS; way++) {
		work.way = (enum way)way;
		printf("%s %.1f\n", way_names[way],
		       best_speed(strtod(arguments[1], NULL), len, turn, &work));
	}
	arena_finish(&arena);
	free(text);
	return 0;
}
