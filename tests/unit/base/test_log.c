/* Log lines: one JSON object each, with the fields of the table alone, whatever the texts are. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <pthread.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"

enum { LINE_BYTES_MAX = 4096 };

/* --- what comes out of descriptor 2 --------------------------------------------------------- */

struct capture {
	int kept;
	int fds[2];
	char bytes[65536];
	size_t len;
};

static void begin(struct capture *capture)
{
	assert_int_equal(pipe(capture->fds), 0);
	capture->kept = dup(STDERR_FILENO);
	dup2(capture->fds[1], STDERR_FILENO);
	close(capture->fds[1]);
}

static struct str end(struct capture *capture)
{
	ssize_t got;

	dup2(capture->kept, STDERR_FILENO);
	close(capture->kept);
	capture->len = 0;
	while ((got = read(capture->fds[0], capture->bytes + capture->len,
			   sizeof capture->bytes - capture->len)) > 0)
		capture->len += (size_t)got;
	close(capture->fds[0]);
	return str_make(capture->bytes, capture->len);
}

/* --- a strict reader of flat JSON objects --------------------------------------------------- */

struct member {
	struct str name;
	struct str value; /* as written, quotes too */
};

struct line {
	struct member members[64];
	size_t count;
};

static bool is_known(struct str name)
{
	static const char *const names[] = {"time", "level", "event", "cut",
#define ROW(name) #name,
					    LOG_FIELDS(ROW)
#undef ROW
	};

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		if (str_equal_c(name, names[i]))
			return true;
	return false;
}

static bool take(struct str *rest, const char *what)
{
	struct str s = str_from_c(what);

	if (!str_starts_with(*rest, s))
		return false;
	*rest = str_slice(*rest, s.len, rest->len);
	return true;
}

static size_t text_length(struct str s)
{
	size_t i = 1;

	if (s.len == 0 || s.data[0] != '"')
		return 0;
	for (; i < s.len && s.data[i] != '"'; i++) {
		unsigned char c = (unsigned char)s.data[i];
		if (c < 0x20 || c > 0x7e)
			return 0;
		if (c != '\\')
			continue;
		if (i + 5 >= s.len || s.data[i + 1] != 'u' ||
		    strspn(s.data + i + 2, "0123456789abcdef") < 4)
			return 0;
		i += 5;
	}
	return i < s.len ? i + 1 : 0;
}

static size_t value_length(struct str s)
{
	size_t i = s.len > 0 && s.data[0] == '-' ? 1 : 0;

	if (str_starts_with(s, STR("true")))
		return 4;
	if (s.len > 0 && s.data[0] == '"')
		return text_length(s);
	while (i < s.len && s.data[i] >= '0' && s.data[i] <= '9')
		i++;
	return i;
}

/* One line, with its line end, or the test fails. */
static struct str parse(struct str text, struct line *line)
{
	struct str rest = text;

	line->count = 0;
	if (!take(&rest, "{"))
		fail_msg("no object: %.*s", STR_ARGS(text));
	do {
		struct member *member = &line->members[line->count++];
		size_t len = text_length(rest);
		member->name = str_slice(rest, 1, len - 1);
		rest = str_slice(rest, len, rest.len);
		if (len < 3 || !is_known(member->name) || !take(&rest, ":"))
			fail_msg("no name at \"%.*s\"", STR_ARGS(rest));
		len = value_length(rest);
		member->value = str_slice(rest, 0, len);
		rest = str_slice(rest, len, rest.len);
		if (len == 0)
			fail_msg("no value at \"%.*s\"", STR_ARGS(rest));
	} while (take(&rest, ","));
	if (!take(&rest, "}\n"))
		fail_msg("no end at \"%.*s\"", STR_ARGS(rest));
	assert_in_range(text.len - rest.len, 1, LINE_BYTES_MAX);
	return rest;
}

static struct str value_of(const struct line *line, const char *name)
{
	for (size_t i = 0; i < line->count; i++)
		if (str_equal_c(line->members[i].name, name))
			return line->members[i].value;
	return (struct str){NULL, 0};
}

/* --- tests ---------------------------------------------------------------------------------- */

static struct capture capture;

static void test_a_line(void **state)
{
	struct line line;
	int64_t ns;

	(void)state;
	begin(&capture);
	LOG(LOG_INFO, "request", LOG_S(method, STR("GET")), LOG_N(status, 200),
	    LOG_N(duration_us, INT64_MIN), LOG_C(route, "/a/{b}"), LOG_C(error, NULL));
	assert_int_equal(parse(end(&capture), &line).len, 0);
	assert_int_equal(line.count, 8);
	assert_true(str_equal(value_of(&line, "level"), STR("\"info\"")));
	assert_true(str_equal(value_of(&line, "event"), STR("\"request\"")));
	assert_true(str_equal(value_of(&line, "method"), STR("\"GET\"")));
	assert_true(str_equal(value_of(&line, "status"), STR("200")));
	assert_true(str_equal(value_of(&line, "duration_us"), STR("-9223372036854775808")));
	assert_true(str_equal(value_of(&line, "route"), STR("\"/a/{b}\"")));
	assert_true(str_equal(value_of(&line, "error"), STR("\"\"")));
	struct str time = value_of(&line, "time");
	assert_int_equal(time.len, 2 + 24);
	assert_true(clock_parse(str_slice(time, 1, 25), &ns));
}

/* Every byte there is: none breaks the line, none but plain ASCII stands as it is. */
static void test_all_bytes_are_escaped(void **state)
{
	char bytes[256];
	struct line line;

	(void)state;
	for (size_t i = 0; i < sizeof bytes; i++)
		bytes[i] = (char)i;
	begin(&capture);
	LOG(LOG_ERROR, "odd", LOG_S(message, str_make(bytes, sizeof bytes)));
	assert_int_equal(parse(end(&capture), &line).len, 0);
	struct str message = value_of(&line, "message");
	assert_true(str_starts_with(message, STR("\"\\u0000\\u0001")));
	assert_true(str_find(message, STR(" !\\u0022#$")) > 0);
	assert_true(str_find(message, STR("[\\u005c]")) > 0);
	assert_true(str_find(message, STR("~\\u007f\\u0080")) > 0);
	assert_true(str_ends_with(message, STR("\\u00ff\"")));
}

static size_t logged_length(size_t len)
{
	char text[600];
	struct line line;

	memset(text, 'x', sizeof text);
	begin(&capture);
	LOG(LOG_INFO, "long", LOG_S(message, str_make(text, len)));
	parse(end(&capture), &line);
	return value_of(&line, "message").len - 2;
}

static void test_texts_are_cut_at_512(void **state)
{
	(void)state;
	assert_int_equal(logged_length(511), 511);
	assert_int_equal(logged_length(512), 512);
	assert_int_equal(logged_length(513), 512);
	assert_int_equal(logged_length(600), 512);
}

/* What does not fit into a line is left out whole, and the line says so; what fits stays. */
static void test_a_full_line_is_still_json(void **state)
{
	char odd[512];
	struct line line;

	(void)state;
	memset(odd, '\n', sizeof odd);
	struct str text = str_make(odd, sizeof odd);
	begin(&capture);
	LOG(LOG_INFO, "full", LOG_S(message, text), LOG_S(error, text), LOG_S(path, text),
	    LOG_N(count, 7));
	assert_int_equal(parse(end(&capture), &line).len, 0);
	assert_int_equal(value_of(&line, "message").len, 2 + 6 * 512);
	assert_int_equal(value_of(&line, "error").len, 0);
	assert_int_equal(value_of(&line, "path").len, 0);
	assert_true(str_equal(value_of(&line, "count"), STR("7")));
	assert_true(str_equal(value_of(&line, "cut"), STR("true")));
}

/* Lines of every length around the limit: valid, and never longer than one write may be whole. */
static void test_around_the_limit(void **state)
{
	char odd[512], plain[512];
	size_t cut = 0;

	(void)state;
	memset(odd, 1, sizeof odd);
	memset(plain, 'p', sizeof plain);
	for (size_t len = 300; len <= 512; len++) {
		struct line line;
		begin(&capture);
		LOG(LOG_INFO, "near", LOG_S(message, str_make(odd, sizeof odd)),
		    LOG_S(error, str_make(plain, 512)), LOG_S(path, str_make(plain, len)));
		assert_int_equal(parse(end(&capture), &line).len, 0);
		bool is_whole = value_of(&line, "path").len == len + 2;
		assert_true(is_whole || value_of(&line, "path").len == 0);
		assert_int_equal(value_of(&line, "cut").len > 0, !is_whole);
		cut += !is_whole;
	}
	assert_in_range(cut, 1, 212);
}

static void test_levels(void **state)
{
	struct line line;

	(void)state;
	assert_true(log_is_on(LOG_INFO));
	assert_false(log_is_on(LOG_DEBUG));
	begin(&capture);
	LOG(LOG_DEBUG, "unheard", LOG_N(count, 1));
	log_set_level(LOG_WARNING);
	LOG(LOG_INFO, "unheard", LOG_N(count, 1));
	LOG(LOG_WARNING, "heard", LOG_N(count, 1));
	log_set_level(LOG_SILENT);
	LOG(LOG_ERROR, "unheard", LOG_N(count, 1));
	LOG(LOG_SILENT, "unheard", LOG_N(count, 1));
	log_set_level(LOG_INFO);
	assert_int_equal(parse(end(&capture), &line).len, 0);
	assert_true(str_equal(value_of(&line, "level"), STR("\"warning\"")));
}

enum { THREADS = 4, LINES = 500 };

static void *log_lines(void *context)
{
	char text[400];

	memset(text, *(char *)context, sizeof text);
	for (int i = 0; i < LINES; i++)
		LOG(LOG_INFO, "busy", LOG_S(message, str_make(text, sizeof text)), LOG_N(count, i));
	return NULL;
}

static void log_from_threads(void)
{
	char letters[THREADS] = {'a', 'b', 'c', 'd'};
	pthread_t threads[THREADS];

	for (size_t i = 0; i < THREADS; i++)
		pthread_create(&threads[i], NULL, log_lines, &letters[i]);
	for (size_t i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
}

/* Lines of several threads come whole, one after the other. */
static void test_threads_do_not_mix(void **state)
{
	enum { BYTES = THREADS * LINES * 600 };
	FILE *file = tmpfile();
	int kept = dup(STDERR_FILENO);
	char *bytes = malloc(BYTES);
	size_t count = 0;

	(void)state;
	assert_true(file != NULL && bytes != NULL && kept >= 0);
	fcntl(fileno(file), F_SETFL, O_APPEND | O_RDWR);
	dup2(fileno(file), STDERR_FILENO);
	log_from_threads();
	dup2(kept, STDERR_FILENO);
	close(kept);
	rewind(file);
	struct str rest = str_make(bytes, fread(bytes, 1, BYTES, file));
	for (; rest.len > 0; count++) {
		struct line line;
		rest = parse(rest, &line);
		struct str message = value_of(&line, "message");
		for (size_t i = 2; i + 1 < message.len; i++)
			assert_int_equal(message.data[i], message.data[1]);
	}
	assert_int_equal(count, THREADS * LINES);
	free(bytes);
	fclose(file);
}

/* Whatever is written: the last ones, the oldest first. */
static void test_the_latest_are_kept(void **state)
{
	char *bytes = malloc(LOG_KEPT * LOG_LINE_BYTES);
	uint64_t before = log_count(LOG_WARNING);
	int64_t n = 0;

	(void)state;
	log_set_level(LOG_SILENT);
	for (int64_t i = 0; i < 3 * LOG_KEPT; i++)
		LOG(LOG_WARNING, "kept", LOG_N(count, i));
	LOG(LOG_INFO, "not_kept", LOG_N(count, 1));
	log_set_level(LOG_INFO);
	assert_int_equal(log_count(LOG_WARNING) - before, 3 * LOG_KEPT);
	struct str rest = str_make(bytes, log_recent(bytes));
	for (; rest.len > 0; n++) {
		char end[32];
		snprintf(end, sizeof end, "\"count\":%d}", (int)(2 * LOG_KEPT + n));
		assert_true(str_ends_with(str_cut(&rest, '\n'), str_from_c(end)));
	}
	assert_int_equal(n, LOG_KEPT);
	free(bytes);
}

/* A log that nobody takes any more stops nothing. */
static void test_a_closed_descriptor(void **state)
{
	int kept = dup(STDERR_FILENO);

	(void)state;
	close(STDERR_FILENO);
	LOG(LOG_ERROR, "lost", LOG_N(count, 1));
	dup2(kept, STDERR_FILENO);
	close(kept);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_line),
		cmocka_unit_test(test_all_bytes_are_escaped),
		cmocka_unit_test(test_texts_are_cut_at_512),
		cmocka_unit_test(test_a_full_line_is_still_json),
		cmocka_unit_test(test_around_the_limit),
		cmocka_unit_test(test_levels),
		cmocka_unit_test(test_threads_do_not_mix),
		cmocka_unit_test(test_the_latest_are_kept),
		cmocka_unit_test(test_a_closed_descriptor),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
