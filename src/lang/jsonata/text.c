#include "lang/jsonata/text.h"

#include "lang/jsonata/case_table.h"

uint32_t jsonata_point(const char *text, size_t size)
{
	const unsigned char *u = (const unsigned char *)text;

	switch (size) {
	case 1:
		return u[0];
	case 2:
		return (u[0] & 0x1fu) << 6 | (u[1] & 0x3fu);
	case 3:
		return (u[0] & 0x0fu) << 12 | (u[1] & 0x3fu) << 6 | (u[2] & 0x3fu);
	default:
		return (u[0] & 0x07u) << 18 | (u[1] & 0x3fu) << 12 | (u[2] & 0x3fu) << 6 |
		       (u[3] & 0x3fu);
	}
}

size_t jsonata_put_point(char *out, uint32_t point)
{
	if (point < 0x10000)
		return jsonata_append_unit(out, 0, point);
	out[0] = (char)(0xf0 | point >> 18);
	out[1] = (char)(0x80 | (point >> 12 & 0x3f));
	out[2] = (char)(0x80 | (point >> 6 & 0x3f));
	out[3] = (char)(0x80 | (point & 0x3f));
	return 4;
}

size_t jsonata_points(struct json text)
{
	size_t count = 0;

	if ((text.flags & JSON_ASCII) != 0)
		return text.count;
	for (uint32_t i = 0; i < text.count; i++)
		count += ((unsigned char)text.text[i] & 0xc0) != 0x80;
	return count;
}

size_t jsonata_units(struct json text)
{
	size_t count = 0;

	if ((text.flags & JSON_ASCII) != 0)
		return text.count;
	for (uint32_t i = 0; i < text.count; i++) {
		unsigned char c = (unsigned char)text.text[i];
		count += (c & 0xc0) != 0x80;
		count += c >= 0xf0;
	}
	return count;
}

size_t jsonata_utf16_offset(struct str text, size_t at)
{
	return jsonata_units(json_string(str_slice(text, 0, at)));
}

size_t jsonata_point_offset(struct json text, size_t index)
{
	size_t at = 0;

	if ((text.flags & JSON_ASCII) != 0)
		return index < text.count ? index : text.count;
	for (; at < text.count && index > 0; index--)
		at += jsonata_point_size(text.text + at, text.count - at);
	return at;
}

/* --- order --------------------------------------------------------------------------------- */

/* The first UTF-16 unit of the code point around byte `at`, and the second for astral ones. */
static void units_at(struct str s, size_t at, uint32_t units[2])
{
	while (at > 0 && ((unsigned char)s.data[at] & 0xc0) == 0x80)
		at--;
	uint32_t point = jsonata_point(s.data + at, jsonata_point_size(s.data + at, s.len - at));

	units[0] = point;
	units[1] = 0;
	if (point >= 0x10000) {
		units[0] = 0xd800 + ((point - 0x10000) >> 10);
		units[1] = 0xdc00 + ((point - 0x10000) & 0x3ff);
	}
}

int jsonata_compare_text(struct str a, struct str b)
{
	size_t shared = a.len < b.len ? a.len : b.len, at = 0;

	if (shared > 0 && memcmp(a.data, b.data, shared) == 0)
		at = shared;
	while (at < shared && a.data[at] == b.data[at])
		at++;
	if (at == shared)
		return (a.len > b.len) - (a.len < b.len);
	unsigned char x = (unsigned char)a.data[at], y = (unsigned char)b.data[at];
	if (x < 0x80 || y < 0x80)
		return x < y ? -1 : 1;
	uint32_t left[2], right[2];
	units_at(a, at, left);
	units_at(b, at, right);
	if (left[0] != right[0])
		return left[0] < right[0] ? -1 : 1;
	return left[1] < right[1] ? -1 : 1;
}

/* --- case ---------------------------------------------------------------------------------- */

struct casing {
	const struct case_row *rows;
	size_t count;
};

/* NULL: the code point stays as it is. */
static const struct case_row *find_case(const struct casing *casing, uint32_t point)
{
	size_t low = 0, high = casing->count;

	while (low < high) {
		size_t middle = (low + high) / 2;
		if (casing->rows[middle].from == point)
			return &casing->rows[middle];
		if (casing->rows[middle].from < point)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

static bool is_cased(uint32_t point)
{
	static const struct casing upper = {case_upper, sizeof case_upper / sizeof case_upper[0]};
	static const struct casing lower = {case_lower, sizeof case_lower / sizeof case_lower[0]};

	return find_case(&upper, point) != NULL || find_case(&lower, point) != NULL;
}

/* A capital sigma becomes a final one behind a letter and before none. */
static bool is_final_sigma(struct json text, size_t at)
{
	size_t before = at, after = at + 2;

	if (before == 0)
		return false;
	do
		before--;
	while (before > 0 && ((unsigned char)text.text[before] & 0xc0) == 0x80);
	if (!is_cased(jsonata_point(text.text + before, at - before)))
		return false;
	if (after >= text.count)
		return true;
	size_t size = jsonata_point_size(text.text + after, text.count - after);
	return !is_cased(jsonata_point(text.text + after, size));
}

static struct json change_ascii(struct evaluation *e, struct json text, bool is_upper)
{
	char first = is_upper ? 'a' : 'A', last = is_upper ? 'z' : 'Z';
	uint32_t i = 0;

	while (i < text.count && (text.text[i] < first || text.text[i] > last))
		i++;
	if (i == text.count)
		return text;
	char *out = jsonata_take_text(e, text.count);
	if (out == NULL)
		return value_failed();
	for (i = 0; i < text.count; i++) {
		char c = text.text[i];
		out[i] = c >= first && c <= last ? (char)(c ^ 0x20) : c;
	}
	return value_text(str_make(out, text.count), text.flags);
}

static struct json change_case(struct evaluation *e, struct json text, const struct casing *casing,
			       bool is_upper)
{
	/* One code point of 2 bytes becomes 3 of 2 at most. */
	char *out = jsonata_take_text(e, (size_t)text.count * 3);
	size_t len = 0, size;

	if (out == NULL)
		return value_failed();
	for (size_t at = 0; at < text.count; at += size) {
		size = jsonata_point_size(text.text + at, text.count - at);
		uint32_t point = jsonata_point(text.text + at, size);
		const struct case_row *row = find_case(casing, point);
		if (!is_upper && point == 0x3a3 && is_final_sigma(text, at)) {
			len += jsonata_put_point(out + len, 0x3c2);
		} else if (row == NULL) {
			memcpy(out + len, text.text + at, size);
			len += size;
		} else {
			for (size_t k = 0; k < 3 && row->to[k] != 0; k++)
				len += jsonata_put_point(out + len, row->to[k]);
		}
	}
	struct str s = str_make(out, len);
	return value_text(s, jsonata_text_flags(s));
}

struct json jsonata_upper(struct evaluation *e, struct json text)
{
	static const struct casing upper = {case_upper, sizeof case_upper / sizeof case_upper[0]};

	return (text.flags & JSON_ASCII) != 0 ? change_ascii(e, text, true)
					      : change_case(e, text, &upper, true);
}

struct json jsonata_lower(struct evaluation *e, struct json text)
{
	static const struct casing lower = {case_lower, sizeof case_lower / sizeof case_lower[0]};

	return (text.flags & JSON_ASCII) != 0 ? change_ascii(e, text, false)
					      : change_case(e, text, &lower, false);
}
