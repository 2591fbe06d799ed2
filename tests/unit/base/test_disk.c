/* Plain files: whole or not there, never replaced, within limits, names in order. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../folder.h"
#include "base/disk.h"

struct test {
	char folder[PATH_MAX];
	struct arena arena;
	struct error err;
};

static int set_up(void **state)
{
	static struct test test;

	folder_make(test.folder);
	arena_init(&test.arena, 64 * 1024 * 1024);
	*state = &test;
	return 0;
}

static int tear_down(void **state)
{
	struct test *test = *state;

	folder_remove(test->folder);
	arena_finish(&test->arena);
	return 0;
}

static const char *path_of(struct test *test, const char *name)
{
	return arena_format(&test->arena, "%s/%s", test->folder, name).data;
}

static size_t count_entries(const char *folder)
{
	DIR *open = opendir(folder);
	size_t count = 0;

	assert_non_null(open);
	while (readdir(open) != NULL)
		count++;
	closedir(open);
	return count - 2;
}

static bool create(struct test *test, const char *path, struct str bytes, unsigned mode)
{
	return disk_create(disk_system(), path, bytes, mode, &test->err);
}

static struct str read_back(struct test *test, const char *path)
{
	struct str bytes = {NULL, 0};

	assert_true(
		disk_read(disk_system(), &test->arena, path, 64 * 1024 * 1024, &bytes, &test->err));
	return bytes;
}

/* --- create --------------------------------------------------------------------------------- */

static void test_create_and_read(void **state)
{
	struct test *test = *state;
	const char *path = path_of(test, "key");
	struct stat status;

	assert_true(create(test, path, STR("bytes\0with\nall"), 0400));
	assert_true(str_equal(read_back(test, path), STR("bytes\0with\nall")));
	assert_int_equal(stat(path, &status), 0);
	assert_int_equal(status.st_mode & 07777, 0400);
	assert_int_equal(status.st_nlink, 1);
	assert_int_equal(count_entries(test->folder), 1);
	assert_true(create(test, path_of(test, "empty"), (struct str){NULL, 0}, 0600));
	assert_int_equal(read_back(test, path_of(test, "empty")).len, 0);
}

static void test_create_never_replaces(void **state)
{
	struct test *test = *state;
	const char *path = path_of(test, "key"), *link = path_of(test, "link");

	assert_true(create(test, path, STR("first"), 0600));
	assert_false(create(test, path, STR("second"), 0600));
	assert_int_equal(test->err.code, ERROR_CONFLICT);
	assert_true(str_equal(read_back(test, path), STR("first")));
	/* Nor through a link that leads nowhere, nor a folder. */
	assert_int_equal(symlink(path_of(test, "nowhere"), link), 0);
	assert_false(create(test, link, STR("third"), 0600));
	assert_int_equal(test->err.code, ERROR_CONFLICT);
	assert_int_not_equal(access(path_of(test, "nowhere"), F_OK), 0);
	assert_false(create(test, test->folder, STR("fourth"), 0600));
	assert_int_equal(count_entries(test->folder), 2);
}

static void test_create_fails_without_a_trace(void **state)
{
	struct test *test = *state;
	char name[PATH_MAX];

	assert_false(create(test, path_of(test, "no/folder"), STR("x"), 0600));
	assert_int_equal(test->err.code, ERROR_NOT_FOUND);
	assert_non_null(strstr(test->err.message, "no/folder"));
	memset(name, 'n', sizeof name - 1);
	name[sizeof name - 1] = '\0';
	assert_false(create(test, name, STR("x"), 0600));
	assert_int_equal(count_entries(test->folder), 0);
}

enum { RACERS = 4, RACE_BYTES = 200 * 1024 };

struct racer {
	pthread_t thread;
	pthread_barrier_t *start;
	const char *path;
	char *bytes;
	struct error err;
	bool has_won;
};

static void *race(void *context)
{
	struct racer *racer = context;

	pthread_barrier_wait(racer->start);
	racer->has_won = disk_create(disk_system(), racer->path, str_make(racer->bytes, RACE_BYTES),
				     0600, &racer->err);
	return NULL;
}

static void run_race(struct test *test, const char *path)
{
	struct racer racers[RACERS];
	pthread_barrier_t start;
	size_t winner = RACERS;

	pthread_barrier_init(&start, NULL, RACERS);
	for (size_t i = 0; i < RACERS; i++) {
		racers[i] = (struct racer){.start = &start, .path = path};
		racers[i].bytes = arena_alloc(&test->arena, RACE_BYTES);
		memset(racers[i].bytes, (int)('a' + i), RACE_BYTES);
		pthread_create(&racers[i].thread, NULL, race, &racers[i]);
	}
	for (size_t i = 0; i < RACERS; i++)
		pthread_join(racers[i].thread, NULL);
	pthread_barrier_destroy(&start);
	for (size_t i = 0; i < RACERS; i++) {
		if (!racers[i].has_won) {
			assert_int_equal(racers[i].err.code, ERROR_CONFLICT);
			continue;
		}
		assert_int_equal(winner, RACERS);
		winner = i;
	}
	assert_in_range(winner, 0, RACERS - 1);
	struct str there = read_back(test, path);
	assert_int_equal(there.len, RACE_BYTES);
	assert_memory_equal(there.data, racers[winner].bytes, RACE_BYTES);
}

/* Threads that create one name at once: one of them wins, and its bytes are there whole. */
static void test_one_creator_wins(void **state)
{
	struct test *test = *state;

	for (size_t i = 0; i < 20; i++) {
		char name[16];
		snprintf(name, sizeof name, "race-%zu", i);
		run_race(test, path_of(test, name));
	}
	assert_int_equal(count_entries(test->folder), 20);
}

enum { LARGE_BYTES = 4 * 1024 * 1024 };

static void create_on_and_on(struct test *test, int tell)
{
	char *bytes = arena_zero(&test->arena, LARGE_BYTES);

	for (size_t i = 0;; i++) {
		char name[16];
		snprintf(name, sizeof name, "whole-%zu", i);
		if (!create(test, path_of(test, name), str_make(bytes, LARGE_BYTES), 0600) ||
		    write(tell, "x", 1) != 1)
			_exit(1);
	}
}

static void expect_whole_files(struct test *test)
{
	struct str *names;
	size_t count, whole = 0;

	assert_true(
		disk_list(disk_system(), &test->arena, test->folder, &names, &count, &test->err));
	for (size_t i = 0; i < count; i++) {
		if (str_find(names[i], STR(".part")) >= 0)
			continue;
		assert_int_equal(
			read_back(test, path_of(test, arena_c(&test->arena, names[i]))).len,
			LARGE_BYTES);
		whole++;
	}
	assert_true(whole >= 3);
}

/* A process killed while it creates files leaves no torn one under its name. */
static void test_a_killed_creator_leaves_whole_files(void **state)
{
	struct test *test = *state;
	char heard;
	int fds[2];

	assert_int_equal(pipe(fds), 0);
	pid_t child = fork();
	if (child == 0)
		create_on_and_on(test, fds[1]);
	assert_true(child > 0);
	for (int i = 0; i < 3; i++)
		assert_int_equal(read(fds[0], &heard, 1), 1);
	kill(child, SIGKILL);
	assert_int_equal(waitpid(child, NULL, 0), child);
	close(fds[0]);
	close(fds[1]);
	expect_whole_files(test);
}

/* --- read ----------------------------------------------------------------------------------- */

static void test_read_at_the_limit_and_one_past(void **state)
{
	struct test *test = *state;
	const char *path = path_of(test, "file");
	struct str bytes;

	assert_true(create(test, path, STR("12345678"), 0600));
	assert_true(disk_read(disk_system(), &test->arena, path, 8, &bytes, &test->err));
	assert_true(str_equal(bytes, STR("12345678")));
	assert_int_equal(bytes.data[8], '\0');
	assert_false(disk_read(disk_system(), &test->arena, path, 7, &bytes, &test->err));
	assert_int_equal(test->err.code, ERROR_LIMIT);
	assert_non_null(strstr(test->err.message, path));
	assert_true(create(test, path_of(test, "empty"), STR(""), 0600));
	assert_true(disk_read(disk_system(), &test->arena, path_of(test, "empty"), 0, &bytes,
			      &test->err));
	assert_int_equal(bytes.len, 0);
}

/* A pipe would hold the reader up for ever: it is refused like a folder. */
static void test_only_files_are_read(void **state)
{
	struct test *test = *state;
	const char *fifo = path_of(test, "fifo");
	struct str bytes;

	assert_false(disk_read(disk_system(), &test->arena, path_of(test, "none"), 10, &bytes,
			       &test->err));
	assert_int_equal(test->err.code, ERROR_NOT_FOUND);
	assert_false(disk_read(disk_system(), &test->arena, test->folder, 10, &bytes, &test->err));
	assert_int_equal(test->err.code, ERROR_INVALID);
	assert_int_equal(mkfifo(fifo, 0600), 0);
	assert_false(disk_read(disk_system(), &test->arena, fifo, 10, &bytes, &test->err));
	assert_int_equal(test->err.code, ERROR_INVALID);
}

static void test_no_descriptor_is_left_open(void **state)
{
	struct test *test = *state;
	size_t before = count_entries("/proc/self/fd"), count;
	struct str bytes, *names;

	assert_true(create(test, path_of(test, "a"), STR("a"), 0600));
	assert_false(create(test, path_of(test, "a"), STR("a"), 0600));
	read_back(test, path_of(test, "a"));
	assert_false(disk_read(disk_system(), &test->arena, test->folder, 1, &bytes, &test->err));
	assert_false(
		disk_read(disk_system(), &test->arena, path_of(test, "a"), 0, &bytes, &test->err));
	assert_true(
		disk_list(disk_system(), &test->arena, test->folder, &names, &count, &test->err));
	assert_int_equal(count_entries("/proc/self/fd"), before);
}

/* --- list and make_folder ------------------------------------------------------------------- */

static void touch(struct test *test, const char *name)
{
	int fd = open(path_of(test, name), O_WRONLY | O_CREAT, 0600);

	assert_true(fd >= 0);
	close(fd);
}

static void test_list_is_sorted_bytewise(void **state)
{
	static const char *const made[] = {"b", "a10",	    ".hidden", "a2",
					   "B", "\xc3\xa4", "a",       "a.b"};
	static const char *const sorted[] = {"B", "a", "a.b", "a10", "a2", "b", "\xc3\xa4"};
	struct test *test = *state;
	struct str *names;
	size_t count;

	assert_true(
		disk_list(disk_system(), &test->arena, test->folder, &names, &count, &test->err));
	assert_int_equal(count, 0);
	for (size_t i = 0; i < sizeof made / sizeof made[0]; i++)
		touch(test, made[i]);
	assert_true(
		disk_list(disk_system(), &test->arena, test->folder, &names, &count, &test->err));
	assert_int_equal(count, sizeof sorted / sizeof sorted[0]);
	for (size_t i = 0; i < count; i++)
		assert_true(str_equal_c(names[i], sorted[i]));
}

/* 5,000 names cost the memory of 5,000 names, not of their square. */
static void test_a_long_list(void **state)
{
	struct test *test = *state;
	struct arena names_arena;
	struct str *names;
	size_t count;

	for (int i = 0; i < 5000; i++) {
		char name[16];
		snprintf(name, sizeof name, "%05d", (i * 7919) % 5000);
		touch(test, name);
	}
	arena_init(&names_arena, 2 * 1024 * 1024);
	assert_true(
		disk_list(disk_system(), &names_arena, test->folder, &names, &count, &test->err));
	assert_int_equal(count, 5000);
	assert_true(str_equal(names[0], STR("00000")));
	assert_true(str_equal(names[4999], STR("04999")));
	assert_true(arena_check(&names_arena, &test->err));
	arena_finish(&names_arena);
}

static void test_list_fails(void **state)
{
	struct test *test = *state;
	struct str *names;
	size_t count;

	touch(test, "file");
	assert_false(disk_list(disk_system(), &test->arena, path_of(test, "none"), &names, &count,
			       &test->err));
	assert_int_equal(test->err.code, ERROR_NOT_FOUND);
	assert_false(disk_list(disk_system(), &test->arena, path_of(test, "file"), &names, &count,
			       &test->err));
	assert_int_equal(test->err.code, ERROR_UNAVAILABLE);
}

static bool make_folder(struct test *test, const char *path)
{
	return disk_make_folder(disk_system(), path, 0700, &test->err);
}

static void test_make_folder(void **state)
{
	struct test *test = *state;
	struct stat status;

	assert_true(make_folder(test, path_of(test, "a/b//c/")));
	assert_true(make_folder(test, path_of(test, "a/b/c")));
	assert_true(make_folder(test, "/"));
	assert_true(make_folder(test, "."));
	assert_int_equal(stat(path_of(test, "a/b/c"), &status), 0);
	assert_true(S_ISDIR(status.st_mode));
	assert_int_equal(status.st_mode & 07777, 0700);
}

static void test_make_folder_fails(void **state)
{
	struct test *test = *state;
	char long_path[PATH_MAX + 1];

	touch(test, "file");
	assert_false(make_folder(test, path_of(test, "file")));
	assert_int_equal(test->err.code, ERROR_UNAVAILABLE);
	assert_false(make_folder(test, path_of(test, "file/below")));
	assert_int_equal(test->err.code, ERROR_UNAVAILABLE);
	assert_false(make_folder(test, ""));
	assert_int_equal(test->err.code, ERROR_INVALID);
	memset(long_path, 'x', sizeof long_path - 1);
	long_path[sizeof long_path - 1] = '\0';
	assert_false(make_folder(test, long_path));
	assert_int_equal(test->err.code, ERROR_INVALID);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(test_create_and_read),
		TEST(test_create_never_replaces),
		TEST(test_create_fails_without_a_trace),
		TEST(test_one_creator_wins),
		TEST(test_a_killed_creator_leaves_whole_files),
		TEST(test_read_at_the_limit_and_one_past),
		TEST(test_only_files_are_read),
		TEST(test_no_descriptor_is_left_open),
		TEST(test_list_is_sorted_bytewise),
		TEST(test_a_long_list),
		TEST(test_list_fails),
		TEST(test_make_folder),
		TEST(test_make_folder_fails),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
