/* simulate [--scenarios] [--scenario NAME] [--seed N | --seeds N [--everyday] [--from N]] [--jobs N]
 *          [--trace] [--source DIR]
 *
 * What all seeds have in common is made once; then each runs in a child of its own, which is a
 * copy of that: the same memory at the same places, whatever the other seeds did. */
#include <malloc.h>
#include <stdarg.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "simulation.h"

enum { JOBS_MAX = 64, CPU_SECONDS_MAX = 60, FAILURES_MAX = 20 };

struct trace the_trace = {.hash = 0xcbf29ce484222325};

void trace(const char *format, ...)
{
	char line[512];
	va_list arguments;

	va_start(arguments, format);
	int len = vsnprintf(line, sizeof line, format, arguments);
	va_end(arguments);
	if (len > (int)sizeof line - 1)
		len = (int)sizeof line - 1;
	for (int i = 0; i < len; i++)
		the_trace.hash = (the_trace.hash ^ (unsigned char)line[i]) * 0x100000001b3;
	the_trace.lines++;
	if (the_trace.is_printed)
		printf("%s\n", line);
}

void broken(const char *format, ...)
{
	va_list arguments;

	fflush(stdout);
	fprintf(stderr, "scenario %s, seed %llu, %.3f s: ", the_world.scenario->name,
		(unsigned long long)the_world.seed,
		(double)the_world.time.now_ns / (double)SECOND_NS);
	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fprintf(stderr, "\n");
	fflush(stderr);
	_exit(1);
}

/* --- one seed in a child --------------------------------------------------------------------- */

struct outcome {
	uint64_t hash;
	uint64_t lines;
	int64_t simulated_ns;
	uint64_t kills;
	uint64_t calls;
	uint64_t faults;
	uint64_t changes;
	uint64_t syncs;
	uint64_t turns;
	uint64_t events;
	uint64_t deliveries;
};

struct child {
	pid_t pid;
	int pipe;
	uint64_t seed;
};

static void report(int fd)
{
	struct world *world = &the_world;
	struct outcome outcome = {
		.hash = the_trace.hash,
		.lines = the_trace.lines,
		.simulated_ns = world->time.now_ns,
		.kills = world->kills,
		.calls = world->network.calls,
		.faults = world->network.faults,
		.changes = world->life.changes,
		.syncs = world->disk.syncs,
		.turns = world->time.turns,
		.events = world->events,
		.deliveries = world->deliveries,
	};

	if (write(fd, &outcome, sizeof outcome) != (ssize_t)sizeof outcome)
		_exit(1);
}

static struct child start_child(uint64_t seed)
{
	struct rlimit limit = {CPU_SECONDS_MAX, CPU_SECONDS_MAX};
	int ends[2];

	fflush(stdout);
	if (pipe(ends) != 0)
		die("no pipe");
	pid_t pid = fork();
	if (pid < 0)
		die("no child");
	if (pid == 0) {
		close(ends[0]);
		setrlimit(RLIMIT_CPU, &limit);
		/* Giving memory back costs more than such a short life has use for. */
		mallopt(M_MMAP_THRESHOLD, 1 << 30);
		mallopt(M_TRIM_THRESHOLD, INT32_MAX);
		world_run(&the_world, seed);
		fflush(stdout);
		report(ends[1]);
		_exit(0);
	}
	close(ends[1]);
	return (struct child){.pid = pid, .pipe = ends[0], .seed = seed};
}

static bool end_child(const struct child *child, int status, struct outcome *outcome)
{
	ssize_t len = read(child->pipe, outcome, sizeof *outcome);

	close(child->pipe);
	if (WIFSIGNALED(status))
		fprintf(stderr, "seed %llu: signal %d\n", (unsigned long long)child->seed,
			WTERMSIG(status));
	return WIFEXITED(status) && WEXITSTATUS(status) == 0 && len == (ssize_t)sizeof *outcome;
}

/* --- all of them ----------------------------------------------------------------------------- */

struct options {
	const char *source;
	const struct scenario *scenario;
	uint64_t from, count;
	size_t jobs;
	bool is_one;
	bool is_everyday;
};

struct sums {
	struct outcome total;
	uint64_t passed, failed;
};

static void add(struct sums *sums, const struct child *child, int status,
		const struct options *options)
{
	struct outcome one;

	if (!end_child(child, status, &one)) {
		sums->failed++;
		fprintf(stderr, "seed %llu failed; again: tests/simulation/run --scenario %s --seed %llu\n",
			(unsigned long long)child->seed, options->scenario->name,
			(unsigned long long)child->seed);
		return;
	}
	sums->passed++;
	sums->total.hash ^= one.hash;
	sums->total.simulated_ns += one.simulated_ns;
	sums->total.kills += one.kills;
	sums->total.calls += one.calls;
	sums->total.faults += one.faults;
	sums->total.changes += one.changes;
	sums->total.syncs += one.syncs;
	sums->total.turns += one.turns;
	sums->total.events += one.events;
	sums->total.deliveries += one.deliveries;
	if (options->is_one)
		printf("seed %llu: trace %016llx of %llu lines\n", (unsigned long long)child->seed,
		       (unsigned long long)one.hash, (unsigned long long)one.lines);
}

static void wait_for_one(struct child *children, size_t *count, struct sums *sums,
			 const struct options *options)
{
	int status;
	pid_t pid = wait(&status);

	for (size_t i = 0; i < *count; i++) {
		if (children[i].pid != pid)
			continue;
		add(sums, &children[i], status, options);
		children[i] = children[--*count];
		return;
	}
}

static double cpu_seconds(void)
{
	struct rusage usage;

	getrusage(RUSAGE_CHILDREN, &usage);
	return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
	       (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static void run_all(const struct options *options, struct sums *sums)
{
	struct child children[JOBS_MAX];
	size_t count = 0;

	for (uint64_t i = 0; i < options->count && sums->failed < FAILURES_MAX; i++) {
		if (count == options->jobs)
			wait_for_one(children, &count, sums, options);
		children[count++] = start_child(options->from + i);
	}
	while (count > 0)
		wait_for_one(children, &count, sums, options);
}

static int run(const struct options *options)
{
	struct sums sums = {0};
	int64_t start_ms = clock_monotonic_ms(clock_system());

	run_all(options, &sums);
	double real = (double)(clock_monotonic_ms(clock_system()) - start_ms) / 1e3;
	double simulated = (double)sums.total.simulated_ns / 1e9, cpu = cpu_seconds();
	const struct outcome *total = &sums.total;
	printf("%s: %.1f h simulated in %.1f s (%.0f times), %.1f ms CPU a seed; %llu kills, "
	       "%llu calls, %llu of them failed by chance, %llu changes at the ATS, %llu syncs, "
	       "%llu events, %llu deliveries, %llu turns; hash %016llx\n",
	       options->scenario->name, simulated / 3600, real, simulated / (real + 1e-3),
	       cpu * 1e3 / (double)options->count, (unsigned long long)total->kills,
	       (unsigned long long)total->calls, (unsigned long long)total->faults,
	       (unsigned long long)total->changes, (unsigned long long)total->syncs,
	       (unsigned long long)total->events,
	       (unsigned long long)total->deliveries, (unsigned long long)total->turns,
	       (unsigned long long)total->hash);
	printf("%llu passed, %llu failed, 0 skipped\n", (unsigned long long)sums.passed,
	       (unsigned long long)sums.failed);
	return sums.failed > 0 || sums.passed == 0;
}

/* --- arguments ------------------------------------------------------------------------------- */

static const struct scenario *const scenarios[] = {
	&scenario_reads,  &scenario_copies, &scenario_syncs,	 &scenario_deltas,
	&scenario_sweeps, &scenario_hints,  &scenario_sleepers, &scenario_webhooks,
	&scenario_endpoints};

static const struct scenario *find_scenario(const char *name)
{
	for (size_t i = 0; i < sizeof scenarios / sizeof scenarios[0]; i++)
		if (strcmp(scenarios[i]->name, name) == 0)
			return scenarios[i];
	die("there is no scenario %s", name);
}

_Noreturn static void list_scenarios(void)
{
	for (size_t i = 0; i < sizeof scenarios / sizeof scenarios[0]; i++)
		printf("%s\n", scenarios[i]->name);
	exit(0);
}

static uint64_t number(const char *text)
{
	int64_t value;

	if (text == NULL || !str_to_int64(str_from_c(text), &value) || value < 0)
		die("a number is missing");
	return (uint64_t)value;
}

static void read_arguments(char **arguments, struct options *options)
{
	while (*arguments != NULL) {
		const char *name = *arguments++;

		if (strcmp(name, "--trace") == 0) {
			the_trace.is_printed = true;
			continue;
		}
		if (strcmp(name, "--scenarios") == 0)
			list_scenarios();
		if (strcmp(name, "--everyday") == 0) {
			options->is_everyday = true;
			continue;
		}
		const char *value = *arguments == NULL ? NULL : *arguments++;
		if (strcmp(name, "--scenario") == 0 && value != NULL) {
			options->scenario = find_scenario(value);
		} else if (strcmp(name, "--source") == 0 && value != NULL) {
			options->source = value;
		} else if (strcmp(name, "--seed") == 0) {
			options->from = number(value);
			options->count = 1;
			options->is_one = true;
		} else if (strcmp(name, "--seeds") == 0) {
			options->count = number(value);
		} else if (strcmp(name, "--from") == 0) {
			options->from = number(value);
		} else if (strcmp(name, "--jobs") == 0) {
			options->jobs = (size_t)number(value);
		} else {
			die("what is %s?", name);
		}
	}
	if (options->is_everyday)
		options->count = options->count * options->scenario->share / 100;
	if (options->jobs < 1 || options->jobs > JOBS_MAX || options->count < 1)
		die("1 to %d jobs, at least one seed", (int)JOBS_MAX);
}

int main(int count, char **arguments)
{
	struct options options = {.source = ".", .scenario = scenarios[0], .from = 1, .count = 100,
				  .jobs = 2};

	(void)count;
	read_arguments(arguments + 1, &options);
	log_set_level(the_trace.is_printed ? LOG_WARNING : LOG_SILENT);
	world_prepare(&the_world, options.source, options.scenario);
	return run(&options);
}
