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

size_t jsonata_put_units(char *out, uint32_t point)
{
	if (point < 0x10000)
		return jsonata_append_unit(out, 0, point);
	jsonata_append_unit(out, 0, 0xd7c0 + (point >> 10));
	jsonata_append_unit(out + 3, 0, 0xdc00 | (point & 0x3ff));
	return 6;
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

size_t jsonata_unit_offset(struct json text, size_t index)
{
	return jsonata_point_offset(text, index);
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

/* --- cutting and joining -------------------------------------------------------------------- */

size_t jsonata_append_text(char *out, size_t len, struct str text)
{
	const unsigned char *u = (const unsigned char *)text.data;

	if (text.len == 0)
		return len;
	if (text.len >= 3 && u[0] == 0xed && u[1] >= 0xb0) {
		len = jsonata_append_unit(out, len, jsonata_point(text.data, 3));
		text = str_slice(text, 3, text.len);
	}
	memcpy(out + len, text.data, text.len);
	return len + text.len;
}

/* Whether some byte begins with four ones, eight bytes at a time. */
static bool has_astral(struct str text)
{
	uint64_t word;
	size_t at = 0;

	for (; text.len - at >= sizeof word; at += sizeof word) {
		memcpy(&word, text.data + at, sizeof word);
		if ((word & word << 1 & word << 2 & word << 3 & 0x8080808080808080) != 0)
			return true;
	}
	for (; at < text.len; at++)
		if ((unsigned char)text.data[at] >= 0xf0)
			return true;
	return false;
}

static size_t count_astral(struct json text)
{
	size_t count = 0;

	if ((text.flags & JSON_ASCII) != 0 || !has_astral(json_str(text)))
		return 0;
	for (uint32_t i = 0; i < text.count; i++)
		count += (unsigned char)text.text[i] >= 0xf0;
	return count;
}

struct json jsonata_split_astral(struct evaluation *e, struct json text)
{
	size_t astral = count_astral(text), len = 0, size;

	if (astral == 0)
		return text;
	char *out = jsonata_take_text(e, text.count + 2 * astral);
	if (out == NULL || !jsonata_spend_many(e, text.count / 64))
		return value_failed();
	for (size_t at = 0; at < text.count; at += size) {
		size = jsonata_point_size(text.text + at, text.count - at);
		if (size < 4) {
			memcpy(out + len, text.text + at, size);
			len += size;
			continue;
		}
		len += jsonata_put_units(out + len, jsonata_point(text.text + at, size));
	}
	return value_text(str_make(out, len), text.flags & (uint8_t)~JSON_PLAIN);
}

/* The first two surrogates side by side that are one character. */
static const char *find_pair(const char *text, const char *end)
{
	const unsigned char *u;

	for (; end - text >= 6; text++) {
		text = memchr(text, 0xed, (size_t)(end - text));
		if (text == NULL || end - text < 6)
			return NULL;
		u = (const unsigned char *)text;
		if (u[1] >= 0xa0 && u[1] < 0xb0 && u[3] == 0xed && u[4] >= 0xb0)
			return text;
	}
	return NULL;
}

struct json jsonata_join_astral(struct evaluation *e, struct json text)
{
	const char *at = text.text, *end, *pair;
	size_t len = 0;

	if ((text.flags & JSON_ASCII) != 0 || text.count < 6)
		return text;
	end = at + text.count;
	pair = find_pair(at, end);
	if (pair == NULL)
		return text;
	char *out = jsonata_take_text(e, text.count);
	if (out == NULL || !jsonata_spend_many(e, text.count / 64))
		return value_failed();
	for (; pair != NULL; pair = find_pair(at, end)) {
		memcpy(out + len, at, (size_t)(pair + 3 - at));
		len = jsonata_append_unit(out, len + (size_t)(pair + 3 - at),
					  jsonata_point(pair + 3, 3));
		at = pair + 6;
	}
	memcpy(out + len, at, (size_t)(end - at));
	return value_text(str_make(out, len + (size_t)(end - at)), text.flags);
}

bool jsonata_has_loose_end(struct str text)
{
	const unsigned char *u = (const unsigned char *)text.data;

	return text.len >= 3 &&
	       ((u[0] == 0xed && u[1] >= 0xb0) ||
		(u[text.len - 3] == 0xed && u[text.len - 2] >= 0xa0 && u[text.len - 2] < 0xb0));
}

static bool is_space_point(uint32_t point)
{
	return point == ' ' || (point >= '\t' && point <= '\r') || point == 0xa0 ||
	       point == 0xfeff || point == 0x1680 || (point >= 0x2000 && point <= 0x200a) ||
	       point == 0x2028 || point == 0x2029 || point == 0x202f || point == 0x205f ||
	       point == 0x3000;
}

size_t jsonata_space_size(const char *text, size_t left)
{
	size_t size = left == 0 ? 0 : jsonata_point_size(text, left);

	return size > 0 && is_space_point(jsonata_point(text, size)) ? size : 0;
}

struct str jsonata_trim_spaces(struct str text)
{
	size_t start = 0, end, size;

	while ((size = jsonata_space_size(text.data + start, text.len - start)) > 0)
		start += size;
	for (end = text.len; end > start; end -= size) {
		size = 1;
		while (size < end - start && ((unsigned char)text.data[end - size] & 0xc0) == 0x80)
			size++;
		if (jsonata_space_size(text.data + end - size, size) == 0)
			break;
	}
	return str_slice(text, start, end);
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

	jsonata_charge(e, text.count / 16);
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
	jsonata_charge(e, text.count / 2);
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

static const struct casing upper = {case_upper, sizeof case_upper / sizeof case_upper[0]};

uint32_t jsonata_canonical_unit(uint32_t unit)
{
	if (unit < 0x80)
		return unit >= 'a' && unit <= 'z' ? unit - 0x20 : unit;
	const struct case_row *row = find_case(&upper, unit);
	/* Neither several letters nor a letter of ASCII stand for one that is none. */
	return row == NULL || row->to[1] != 0 || row->to[0] < 0x80 ? unit : row->to[0];
}

bool jsonata_upper_row(size_t row, uint32_t *from, uint32_t *to)
{
	if (row >= upper.count || upper.rows[row].from > 0xffff)
		return false;
	*from = upper.rows[row].from;
	*to = upper.rows[row].to[0];
	return true;
}

struct json jsonata_upper(struct evaluation *e, struct json text)
{
	return (text.flags & JSON_ASCII) != 0 ? change_ascii(e, text, true)
					      : change_case(e, text, &upper, true);
}

struct json jsonata_lower(struct evaluation *e, struct json text)
{
	static const struct casing lower = {case_lower, sizeof case_lower / sizeof case_lower[0]};

	return (text.flags & JSON_ASCII) != 0 ? change_ascii(e, text, false)
					      : change_case(e, text, &lower, false);
}
