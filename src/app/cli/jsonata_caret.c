#include "app/cli/jsonata_caret.h"

enum { COLUMNS_MAX = 72, COLUMNS_BEFORE = 48 };

/* --- characters ---------------------------------------------------------------------------- */

/* The bytes of the character at `at`: what is no UTF-8 stands for itself. */
static size_t size_at(struct str s, size_t at)
{
	unsigned char c = (unsigned char)s.data[at];
	size_t size = c < 0xc0 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;

	return size <= s.len - at ? size : 1;
}

static uint32_t point_at(struct str s, size_t at, size_t size)
{
	uint32_t point = (unsigned char)s.data[at];

	if (size == 1)
		return point;
	point &= 0x7fu >> size;
	for (size_t i = 1; i < size; i++)
		point = point << 6 | ((unsigned char)s.data[at + i] & 0x3f);
	return point;
}

/* How many columns of a terminal it takes: wide ones two, marks that combine none. */
static size_t width_of(uint32_t point)
{
	static const struct {
		uint32_t first, last;
		size_t width;
	} ranges[] = {
		{0x300, 0x36f, 0},     {0x1100, 0x115f, 2},   {0x200b, 0x200f, 0},
		{0x2e80, 0xa4cf, 2},   {0xac00, 0xd7a3, 2},   {0xf900, 0xfaff, 2},
		{0xfe00, 0xfe0f, 0},   {0xfe30, 0xfe6f, 2},   {0xff00, 0xff60, 2},
		{0xffe0, 0xffe6, 2},   {0x1f300, 0x1faff, 2}, {0x20000, 0x3fffd, 2},
		{0xe0100, 0xe01ef, 0},
	};

	for (size_t i = 0; i < sizeof ranges / sizeof ranges[0]; i++)
		if (point >= ranges[i].first && point <= ranges[i].last)
			return ranges[i].width;
	return 1;
}

/* --- places -------------------------------------------------------------------------------- */

static size_t offset_of(struct str s, size_t units)
{
	size_t at = 0;

	while (at < s.len && units > 0) {
		size_t size = size_at(s, at);
		size_t taken = size == 4 ? 2 : 1;
		units -= taken < units ? taken : units;
		at += size;
	}
	return at;
}

/* Where the token begins that ends at `at`. */
static size_t start_of(struct str s, size_t at, struct str token)
{
	if (token.len == 0 || token.len > at)
		return at;
	return str_equal(str_slice(s, at - token.len, at), token) ? at - token.len : at;
}

static struct str line_around(struct str s, size_t at, size_t *start)
{
	size_t end = at;

	*start = at;
	while (*start > 0 && s.data[*start - 1] != '\n')
		--*start;
	while (end < s.len && s.data[end] != '\n' && s.data[end] != '\r')
		end++;
	return str_slice(s, *start, end);
}

/* --- showing ------------------------------------------------------------------------------- */

/* Appends characters until `columns` are full; control bytes, tabs among them, as one blank. */
static size_t append_columns(struct buffer *out, struct str line, size_t at, size_t columns)
{
	for (size_t used = 0; at < line.len;) {
		size_t size = size_at(line, at);
		uint32_t point = point_at(line, at, size);
		used += width_of(point);
		if (used > columns)
			break;
		if (point < 0x20 || point == 0x7f || (size == 1 && point >= 0x80))
			buffer_append_byte(out, ' ');
		else
			buffer_append(out, str_slice(line, at, at + size));
		at += size;
	}
	return at;
}

static size_t width_between(struct str line, size_t from, size_t to)
{
	size_t width = 0;

	for (size_t size; from < to; from += size) {
		size = size_at(line, from);
		width += width_of(point_at(line, from, size));
	}
	return width;
}

void caret_show(struct buffer *out, struct str expression, size_t position, struct str token)
{
	size_t line_start, from = 0;
	size_t at = start_of(expression, offset_of(expression, position), token);
	struct str line = line_around(expression, at, &line_start);

	at -= line_start;
	for (size_t before = width_between(line, 0, at), size; before > COLUMNS_BEFORE;
	     from += size) {
		size = size_at(line, from);
		before -= width_of(point_at(line, from, size));
	}
	buffer_append(out, from > 0 ? STR("  …") : STR("  "));
	size_t end = append_columns(out, line, from, COLUMNS_MAX);
	buffer_append(out, end < line.len ? STR("…\n  ") : STR("\n  "));
	for (size_t i = (from > 0) + width_between(line, from, at); i > 0; i--)
		buffer_append_byte(out, ' ');
	buffer_append(out, STR("^\n"));
}
