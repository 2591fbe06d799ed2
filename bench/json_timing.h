/* What the programs of `bench/run json` share: the file and the clock. Also for C++. */
#ifndef BENCH_JSON_TIMING_H
#define BENCH_JSON_TIMING_H

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

/* Processor time of the whole process: on one core that is the time it takes, and what else runs
 * on the machine does not count. */
static inline double seconds_used(void)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* Never NULL; the caller frees. */
static inline char *read_file(const char *path, size_t *len)
{
	FILE *file = fopen(path, "rb");
	char *data = NULL;

	if (file != NULL && fseek(file, 0, SEEK_END) == 0) {
		*len = (size_t)ftell(file);
		data = (char *)malloc(*len + 1);
		rewind(file);
	}
	if (data == NULL || fread(data, 1, *len, file) != *len) {
		fprintf(stderr, "cannot read %s\n", path);
		exit(1);
	}
	fclose(file);
	return data;
}

/* The best speed, in MB of input a second, at which turn(context) was done. */
static inline double best_speed(double seconds, size_t len, void (*turn)(void *), void *context)
{
	size_t turns = 1 + 1000000 / (len + 1);
	double best = 0;

	turn(context); /* what is new to the memory the first time is not counted */
	for (double end = seconds_used() + seconds; seconds_used() < end;) {
		double start = seconds_used();

		for (size_t i = 0; i < turns; i++)
			turn(context);
		double speed = (double)(len * turns) / (seconds_used() - start) / 1e6;

		best = speed > best ? speed : best;
	}
	return best;
}

#endif
