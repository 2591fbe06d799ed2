/* Rival of bench/run jsonata: libjq with an equivalent filter. bench_libjq FOLDER
 *
 * Answers the same lines on standard input as rivals.js does. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <jq.h>
#include <jv.h>

struct work {
	const char *name;
	char *program;
	char *text;
	unsigned records;
	jq_state *jq;
};

static double seconds_used(void)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static char *read_file(const char *folder, const char *name, const char *ending)
{
	char path[4096];

	snprintf(path, sizeof path, "%s/%s.%s", folder, name, ending);
	FILE *file = fopen(path, "rb");
	if (file == NULL || fseek(file, 0, SEEK_END) != 0)
		exit(1);
	size_t len = (size_t)ftell(file);
	char *data = malloc(len + 1);
	rewind(file);
	if (data == NULL || fread(data, 1, len, file) != len)
		exit(1);
	fclose(file);
	data[len] = '\0';
	return data;
}

static jv map(const struct work *work)
{
	jq_start(work->jq, jv_parse(work->text), 0);
	jv value = jq_next(work->jq);

	if (!jv_is_valid(value))
		exit(1);
	return jv_dump_string(value, 0);
}

static void turn(const struct work *work, int compiles)
{
	if (!compiles) {
		jv_free(map(work));
		return;
	}
	jq_state *jq = jq_init();

	if (jq == NULL || !jq_compile(jq, work->program))
		exit(1);
	jq_teardown(&jq);
}

static double measure(const struct work *work, int compiles, double seconds)
{
	double start = seconds_used(), used;
	unsigned turns = 0;

	do {
		turn(work, compiles);
		turns++;
		used = seconds_used() - start;
	} while (used < seconds);
	return used * 1e6 / turns / (compiles ? 1 : work->records);
}

int main(int count, char **arguments)
{
	struct work works[] = {{"record", NULL, NULL, 1, NULL}, {"page", NULL, NULL, 100, NULL}};
	char name[32], argument[32];

	if (count != 2)
		return 2;
	for (int i = 0; i < 2; i++) {
		works[i].program = read_file(arguments[1], works[i].name, "jq");
		works[i].text = read_file(arguments[1], works[i].name, "json");
		works[i].jq = jq_init();
		if (works[i].jq == NULL || !jq_compile(works[i].jq, works[i].program))
			return 1;
	}
	while (scanf("%31s %31s", name, argument) == 2) {
		if (strcmp(name, "show") == 0) {
			jv text = map(&works[strcmp(argument, "page") == 0]);
			puts(jv_string_value(text));
			jv_free(text);
		} else {
			printf("%.3f\n",
			       measure(&works[strcmp(name, "page") == 0],
				       strcmp(name, "compile") == 0, strtod(argument, NULL)));
		}
		fflush(stdout);
	}
	return 0;
}
