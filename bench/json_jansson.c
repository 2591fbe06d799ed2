/* Rival of `bench/run json`: jansson reads and prints. json_jansson SECONDS FILE
 *
 * As its user would at best: json_loadb; json_dumpb, compact, into memory that is there already. */
#include <malloc.h>

#include <jansson.h>

#include "json_timing.h"

struct work {
	char *text;
	size_t len;
	char *out; /* NULL: parse only */
	size_t room;
};

static void turn(void *context)
{
	struct work *work = context;
	json_t *value = json_loadb(work->text, work->len, 0, NULL);

	if (value == NULL ||
	    (work->out != NULL && json_dumpb(value, work->out, work->room, JSON_COMPACT) == 0)) {
		fprintf(stderr, "jansson cannot do it\n");
		exit(1);
	}
	json_decref(value);
}

int main(int count, char **arguments)
{
	struct work work = {0};

	if (count != 3)
		return 2;
	/* As in bench_json: memory that will be needed again at once is kept. */
	mallopt(M_TRIM_THRESHOLD, 512 * 1024 * 1024);
	mallopt(M_MMAP_THRESHOLD, 32 * 1024 * 1024);
	double seconds = strtod(arguments[1], NULL);

	work.text = read_file(arguments[2], &work.len);
	printf("parse %.1f\n", best_speed(seconds, work.len, turn, &work));
	work.room = 2 * work.len;
	work.out = malloc(work.room);
	printf("parse+print %.1f\n", best_speed(seconds, work.len, turn, &work));
	free(work.text);
	free(work.out);
	return 0;
}
