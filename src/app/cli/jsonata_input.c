#include "app/cli/jsonata_input.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

enum { READ_BYTES = 64 * 1024, TEXT_BYTES_MAX = 1024 * 1024 * 1024 };

bool input_open(struct input *input, const char *path, void (*before_wait)(void), struct error *err)
{
	*input = (struct input){.file = STDIN_FILENO, .name = "input", .before_wait = before_wait};
	if (path == NULL || strcmp(path, "-") == 0)
		return true;
	input->name = path;
	input->file = open(path, O_RDONLY | O_CLOEXEC);
	if (input->file >= 0)
		return true;
	return error_set(err, errno == ENOENT ? ERROR_NOT_FOUND : ERROR_FORBIDDEN,
			 "%s cannot be opened: %m", path);
}

void input_close(struct input *input)
{
	if (input->file > STDIN_FILENO)
		close(input->file);
	free(input->bytes);
	input->bytes = NULL;
}

/* --- reading ------------------------------------------------------------------------------- */

static void make_room(struct input *input)
{
	if (input->start > 0) {
		memmove(input->bytes, input->bytes + input->start, input->len - input->start);
		input->len -= input->start;
		input->start = 0;
	}
	if (input->capacity - input->len >= READ_BYTES)
		return;
	input->capacity = input->capacity * 2 + READ_BYTES;
	input->bytes = realloc(input->bytes, input->capacity);
	if (input->bytes == NULL)
		die("out of memory: %zu bytes of input", input->capacity);
}

/* Reads on; false at the end or for what cannot be read. */
static bool read_more(struct input *input, struct error *err)
{
	ssize_t got;

	if (input->len - input->start > TEXT_BYTES_MAX)
		return error_set(err, ERROR_LIMIT, "%s:%llu: a JSON text of more than %d bytes",
				 input->name, (unsigned long long)input->line, TEXT_BYTES_MAX);
	make_room(input);
	input->before_wait();
	do
		got = read(input->file, input->bytes + input->len, READ_BYTES);
	while (got < 0 && errno == EINTR);
	if (got < 0)
		return error_set(err, ERROR_INTERNAL, "%s cannot be read: %m", input->name);
	input->is_at_end = got == 0;
	input->len += (size_t)got;
	return got > 0;
}

/* --- where a text ends --------------------------------------------------------------------- */

struct scan {
	size_t at; /* behind input->start */
	uint32_t depth;
	bool is_in_string;
	bool is_escaped;
	bool is_in_word; /* a number, true, false, null or what is nothing */
};

static bool is_space(char c)
{
	return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

/* True when the text ends before this byte (*takes false) or with it. */
static bool scan_outside(struct scan *scan, char c, bool *takes)
{
	bool opens = c == '{' || c == '[' || c == '"';

	*takes = true;
	if (scan->depth == 0 && scan->is_in_word && (is_space(c) || opens)) {
		*takes = false;
		return true;
	}
	if (c == '"')
		scan->is_in_string = true;
	else if (opens)
		scan->depth++;
	else if (c == '}' || c == ']')
		return scan->depth <= 1 || --scan->depth == 0;
	else if (scan->depth == 0)
		scan->is_in_word = true;
	return false;
}

static bool scan_inside(struct scan *scan, char c)
{
	if (scan->is_escaped)
		scan->is_escaped = false;
	else if (c == '\\')
		scan->is_escaped = true;
	else if (c == '"')
		scan->is_in_string = false;
	return !scan->is_in_string && scan->depth == 0;
}

/* Goes on over what was read; true at the end of the text. */
static bool scan_on(struct input *input, struct scan *scan)
{
	while (input->start + scan->at < input->len) {
		char c = input->bytes[input->start + scan->at];
		bool takes = true;
		bool ends =
			scan->is_in_string ? scan_inside(scan, c) : scan_outside(scan, c, &takes);

		scan->at += takes;
		input->lines_passed += takes && c == '\n';
		if (ends)
			return true;
	}
	return false;
}

static void skip_spaces(struct input *input)
{
	while (input->start < input->len && is_space(input->bytes[input->start]))
		input->lines_passed += input->bytes[input->start++] == '\n';
}

bool input_next(struct input *input, struct str *text, struct error *err)
{
	struct scan scan = {0};

	err->code = ERROR_NONE;
	for (skip_spaces(input); input->start == input->len; skip_spaces(input))
		if (input->is_at_end || !read_more(input, err))
			return false;
	input->line = input->lines_passed + 1;
	while (!scan_on(input, &scan))
		if (input->is_at_end || !read_more(input, err))
			break;
	if (err->code != ERROR_NONE)
		return false;
	*text = str_make(input->bytes + input->start, scan.at);
	input->start += scan.at;
	return true;
}

bool input_next_line(struct input *input, size_t max, struct str *line, struct error *err)
{
	size_t passed = 0;
	const char *end = NULL;

	err->code = ERROR_NONE;
	input->line = ++input->lines_passed;
	for (;;) {
		size_t held = input->len - input->start;
		if (held > passed)
			end = memchr(input->bytes + input->start + passed, '\n', held - passed);
		if (end != NULL || (input->is_at_end && held > 0))
			break;
		if (held > max)
			return error_set(err, ERROR_LIMIT, "line %llu is longer than %zu bytes",
					 (unsigned long long)input->line, max);
		passed = held;
		if (input->is_at_end || (!read_more(input, err) && err->code != ERROR_NONE))
			return false;
	}
	size_t len = end != NULL ? (size_t)(end - input->bytes) - input->start
				 : input->len - input->start;
	*line = str_make(input->bytes + input->start, len);
	input->start += len + (end != NULL);
	return true;
}
