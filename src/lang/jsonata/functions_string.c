#include <math.h>

#include "lang/jsonata/builtin.h"
#include "lang/jsonata/text.h"

/* Where the second argument is in the first; -1 for nowhere. Both come back in units where half of
 * a character is looked for; a missing text is spelt as JavaScript would. */
static ptrdiff_t find_argument(struct evaluation *e, struct json *text, struct json *what)
{
	if (what->type != JSON_STRING)
		*what = json_string_c("undefined");
	if (jsonata_has_loose_end(json_str(*what))) {
		*text = jsonata_split_astral(e, *text);
		if (!value_is_failed(*text))
			*what = jsonata_split_astral(e, *what);
		if (value_is_failed(*text) || value_is_failed(*what))
			return -1;
	}
	jsonata_charge(e, text->count / 64);
	return str_find(json_str(*text), json_str(*what));
}

static struct json finish_part(struct evaluation *e, struct json text, size_t start, size_t end)
{
	return jsonata_join_astral(e, jsonata_text_part(text, start, end));
}

struct json jsonata_builtin_string(struct evaluation *e, const struct json *a,
				   const struct call_site *site)
{
	(void)site;
	return jsonata_to_text(e, a[0], a[1].type == JSON_BOOL && a[1].boolean);
}

/* Code points are counted byte by byte where not all of them are one. */
static void charge_points(struct evaluation *e, struct json text)
{
	if ((text.flags & JSON_ASCII) == 0)
		jsonata_charge(e, text.count / 16);
}

struct json jsonata_builtin_length(struct evaluation *e, const struct json *a,
				   const struct call_site *site)
{
	(void)site;
	if (a[0].type != JSON_STRING)
		return json_undefined();
	charge_points(e, a[0]);
	return json_int((int64_t)jsonata_points(a[0]));
}

/* Array.prototype.slice over code points: negative counts from the end. */
static struct json slice(struct json text, double from, double to)
{
	double len = (double)jsonata_points(text);

	from = isnan(from) ? 0 : trunc(from);
	to = isnan(to) ? 0 : trunc(to);
	from = from < 0 ? fmax(len + from, 0) : fmin(from, len);
	to = to < 0 ? fmax(len + to, 0) : fmin(to, len);
	if (to <= from)
		return jsonata_text_part(text, 0, 0);
	size_t start = jsonata_point_offset(text, (size_t)from);
	return jsonata_text_part(text, start, jsonata_point_offset(text, (size_t)to));
}

struct json jsonata_builtin_substring(struct evaluation *e, const struct json *a,
				      const struct call_site *site)
{
	(void)site;
	if (a[0].type != JSON_STRING)
		return json_undefined();
	charge_points(e, a[0]);
	double len = (double)jsonata_points(a[0]);
	double start = value_is_number(a[1]) ? value_double(a[1]) : NAN;

	if (len + start < 0)
		start = 0;
	if (!value_is_number(a[2]))
		return slice(a[0], start, len);
	double count = value_double(a[2]);
	if (count <= 0)
		return jsonata_text_part(a[0], 0, 0);
	return slice(a[0], start, start >= 0 ? start + count : len + start + count);
}

struct json jsonata_builtin_substring_before(struct evaluation *e, const struct json *a,
					     const struct call_site *site)
{
	struct json text = a[0], what = a[1];

	(void)site;
	if (text.type != JSON_STRING)
		return json_undefined();
	ptrdiff_t at = find_argument(e, &text, &what);
	if (value_is_failed(text) || value_is_failed(what))
		return value_failed();
	return at < 0 ? a[0] : finish_part(e, text, 0, (size_t)at);
}

struct json jsonata_builtin_substring_after(struct evaluation *e, const struct json *a,
					    const struct call_site *site)
{
	struct json text = a[0], what = a[1];

	(void)site;
	if (text.type != JSON_STRING)
		return json_undefined();
	ptrdiff_t at = find_argument(e, &text, &what);
	if (value_is_failed(text) || value_is_failed(what))
		return value_failed();
	return at < 0 ? a[0] : finish_part(e, text, (size_t)at + what.count, text.count);
}

struct json jsonata_builtin_lowercase(struct evaluation *e, const struct json *a,
				      const struct call_site *site)
{
	(void)site;
	return a[0].type == JSON_STRING ? jsonata_lower(e, a[0]) : json_undefined();
}

struct json jsonata_builtin_uppercase(struct evaluation *e, const struct json *a,
				      const struct call_site *site)
{
	(void)site;
	return a[0].type == JSON_STRING ? jsonata_upper(e, a[0]) : json_undefined();
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* Whether no blank is at an end, behind another, or any but a space. */
static bool is_trimmed(struct str text)
{
	bool was_blank = true;

	for (size_t i = 0; i < text.len; i++) {
		unsigned char c = (unsigned char)text.data[i];
		if (c <= ' ' && is_blank(text.data[i]) && (was_blank || c != ' '))
			return false;
		was_blank = c == ' ';
	}
	return text.len == 0 || !was_blank;
}

/* Runs of blanks become one, those at the ends none. */
struct json jsonata_builtin_trim(struct evaluation *e, const struct json *a,
				 const struct call_site *site)
{
	struct json text = a[0];
	size_t len = 0;

	(void)site;
	if (text.type != JSON_STRING)
		return json_undefined();
	jsonata_charge(e, text.count / 16);
	if (jsonata_is_text_length(e, text.count) && is_trimmed(json_str(text)))
		return text;
	char *out = jsonata_take_text(e, text.count);
	if (out == NULL)
		return value_failed();
	for (uint32_t i = 0; i < text.count; i++) {
		if (!is_blank(text.text[i]))
			out[len++] = text.text[i];
		else if (len > 0 && out[len - 1] != ' ')
			out[len++] = ' ';
	}
	if (len > 0 && out[len - 1] == ' ')
		len--;
	struct str s = str_make(out, len);
	return value_text(s, text.flags | (jsonata_text_flags(s) & JSON_PLAIN));
}

/* `count` code points of the repeated filler, whose ends may make one character together. */
static struct json make_padding(struct evaluation *e, struct json filler, double count)
{
	bool is_loose = jsonata_has_loose_end(json_str(filler));
	double repeats = is_loose ? count : ceil(count / (double)jsonata_points(filler));
	size_t len = 0;

	if (repeats * filler.count > 4e9)
		return jsonata_fail(e, "D2015", json_int(e->sequence_max));
	char *out = jsonata_take_text(e, (size_t)repeats * filler.count);
	if (out == NULL || !jsonata_spend_many(e, (uint32_t)(repeats / 8)))
		return value_failed();
	for (size_t i = 0; i < (size_t)repeats; i++)
		len = jsonata_append_text(out, len, json_str(filler));
	struct json all = value_text(str_make(out, len), filler.flags);
	return jsonata_text_part(all, 0, jsonata_point_offset(all, (size_t)count));
}

struct json jsonata_builtin_pad(struct evaluation *e, const struct json *a,
				const struct call_site *site)
{
	struct json filler = a[2];

	(void)site;
	if (a[0].type != JSON_STRING)
		return json_undefined();
	if (filler.type != JSON_STRING || filler.count == 0)
		filler = value_text(STR(" "), JSON_PLAIN | JSON_ASCII);
	charge_points(e, a[0]);
	charge_points(e, filler);
	double width = value_is_number(a[1]) ? trunc(value_double(a[1])) : 0;
	double missing = fabs(width) - (double)jsonata_points(a[0]);
	if (!(missing > 0))
		return a[0];
	struct json padding = make_padding(e, filler, missing);
	if (value_is_failed(padding))
		return padding;
	struct json parts[2] = {width > 0 ? a[0] : padding, width > 0 ? padding : a[0]};
	return jsonata_concat(e, parts, 2);
}

struct json jsonata_builtin_join(struct evaluation *e, const struct json *a,
				 const struct call_site *site)
{
	uint32_t base = e->top;
	struct json text;

	(void)site;
	if (a[0].type != JSON_ARRAY)
		return json_undefined();
	for (uint32_t i = 0; i < a[0].count; i++) {
		if (!jsonata_spend(e))
			return value_failed();
		if (i > 0 && a[1].type == JSON_STRING && !jsonata_push(e, a[1]))
			return value_failed();
		if (a[0].items[i].type == JSON_STRING && !jsonata_push(e, a[0].items[i]))
			return value_failed();
	}
	text = jsonata_concat(e, e->scratch + base, e->top - base);
	e->top = base;
	return text;
}
