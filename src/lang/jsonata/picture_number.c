/* $formatNumber: XPath's format-number, with the reference's way where it differs. Pictures and
 * results are arrays of UTF-16 units here, because they are cut and joined at single ones. */
#include <math.h>

#include "lang/jsonata/builtin.h"
#include "lang/jsonata/text.h"

enum { NUMBER_PICTURE_MAX = 1024, NUMBER_UNITS_MAX = 16 * 1024 };

struct units {
	uint32_t *items;
	size_t len;
};

enum property {
	DECIMAL_SEPARATOR,
	GROUPING_SEPARATOR,
	EXPONENT_SEPARATOR,
	MINUS_SIGN,
	PERCENT,
	PER_MILLE,
	ZERO_DIGIT,
	DIGIT,
	PATTERN_SEPARATOR,
	PROPERTIES,
};

static const struct {
	const char *name;
	const char *value;
} defaults[PROPERTIES] = {
	[DECIMAL_SEPARATOR] = {"decimal-separator", "."},
	[GROUPING_SEPARATOR] = {"grouping-separator", ","},
	[EXPONENT_SEPARATOR] = {"exponent-separator", "e"},
	[MINUS_SIGN] = {"minus-sign", "-"},
	[PERCENT] = {"percent", "%"},
	[PER_MILLE] = {"per-mille", "\u2030"},
	[ZERO_DIGIT] = {"zero-digit", "0"},
	[DIGIT] = {"digit", "#"},
	[PATTERN_SEPARATOR] = {"pattern-separator", ";"},
};

struct format {
	struct evaluation *e;
	struct units properties[PROPERTIES];
	bool is_text[PROPERTIES]; /* one that is none is found in pictures, but is no character */
	bool has_digits;	  /* without a zero-digit there are none, as in the reference */
	uint32_t zero;
};

/* A sub-picture and what it says. */
struct subpicture {
	struct units text, prefix, suffix, active, mantissa, exponent, integer, fraction;
	bool has_exponent;
	size_t min_integer, scaling, min_fraction, max_fraction, min_exponent;
	size_t *groups; /* digits to the right of each separator of the integer part */
	size_t group_count;
	size_t regular;
	size_t *fraction_groups;
	size_t fraction_group_count;
};

/* --- UTF-16 units -------------------------------------------------------------------------- */

static bool to_units(struct evaluation *e, struct json text, struct units *out)
{
	size_t size;

	out->items = jsonata_take(e, (text.count + 1u) * sizeof *out->items);
	out->len = 0;
	if (out->items == NULL)
		return false;
	for (size_t at = 0; at < text.count; at += size) {
		size = jsonata_point_size(text.text + at, text.count - at);
		uint32_t point = jsonata_point(text.text + at, size);
		if (point >= 0x10000) {
			out->items[out->len++] = 0xd7c0 + (point >> 10);
			point = 0xdc00 | (point & 0x3ff);
		}
		out->items[out->len++] = point;
	}
	return true;
}

static struct units cut(struct units p, size_t from, size_t to)
{
	if (to > p.len)
		to = p.len;
	if (from > to)
		from = to;
	return (struct units){p.items + from, to - from};
}

/* Place of `what` at or behind `from`; -1 for none. Nothing is found at `from`. */
static ptrdiff_t find(struct units p, struct units what, size_t from)
{
	for (size_t at = from; at + what.len <= p.len; at++)
		if (what.len == 0 ||
		    memcmp(p.items + at, what.items, what.len * sizeof *p.items) == 0)
			return (ptrdiff_t)at;
	return -1;
}

static ptrdiff_t find_last(struct units p, struct units what)
{
	ptrdiff_t last = -1;

	for (ptrdiff_t at = find(p, what, 0); at >= 0; at = find(p, what, (size_t)at + 1))
		last = at;
	return last;
}

static bool is_unit(const struct format *f, enum property property, uint32_t unit)
{
	return f->is_text[property] && f->properties[property].len == 1 &&
	       f->properties[property].items[0] == unit;
}

static bool is_digit(const struct format *f, uint32_t unit)
{
	return f->has_digits && unit >= f->zero && unit < f->zero + 10;
}

static bool is_digit_sign(const struct format *f, uint32_t unit)
{
	return is_digit(f, unit) || is_unit(f, DIGIT, unit);
}

static bool is_active(const struct format *f, uint32_t unit)
{
	return is_digit(f, unit) || is_unit(f, DECIMAL_SEPARATOR, unit) ||
	       is_unit(f, EXPONENT_SEPARATOR, unit) || is_unit(f, GROUPING_SEPARATOR, unit) ||
	       is_unit(f, DIGIT, unit) || is_unit(f, PATTERN_SEPARATOR, unit);
}

static size_t count_digits(const struct format *f, struct units p)
{
	size_t count = 0;

	for (size_t i = 0; i < p.len; i++)
		count += is_digit(f, p.items[i]);
	return count;
}

static size_t count_signs(const struct format *f, struct units p)
{
	size_t count = 0;

	for (size_t i = 0; i < p.len; i++)
		count += is_digit_sign(f, p.items[i]);
	return count;
}

/* --- splitting a sub-picture --------------------------------------------------------------- */

static bool is_core(const struct format *f, uint32_t unit)
{
	return is_active(f, unit) && !is_unit(f, EXPONENT_SEPARATOR, unit);
}

static void split_affixes(const struct format *f, struct subpicture *s)
{
	size_t first = 0, last = s->text.len;

	while (first < s->text.len && !is_core(f, s->text.items[first]))
		first++;
	if (first == s->text.len)
		first = 0;
	while (last > 0 && !is_core(f, s->text.items[last - 1]))
		last--;
	if (last == 0)
		last = s->text.len;
	s->prefix = cut(s->text, 0, first);
	s->suffix = cut(s->text, last, s->text.len);
	s->active = cut(s->text, first, last);
}

static void split(const struct format *f, struct subpicture *s)
{
	split_affixes(f, s);
	ptrdiff_t exponent = find(s->text, f->properties[EXPONENT_SEPARATOR], s->prefix.len);

	s->mantissa = s->active;
	s->has_exponent = exponent >= 0 && (size_t)exponent <= s->text.len - s->suffix.len;
	if (s->has_exponent) {
		/* The reference takes a place in the whole picture as one in its active part. */
		s->mantissa = cut(s->active, 0, (size_t)exponent);
		s->exponent = cut(s->active, (size_t)exponent + 1, s->active.len);
	}
	ptrdiff_t decimal = find(s->mantissa, f->properties[DECIMAL_SEPARATOR], 0);
	s->integer = s->mantissa;
	s->fraction = s->suffix;
	if (decimal >= 0) {
		s->integer = cut(s->mantissa, 0, (size_t)decimal);
		s->fraction = cut(s->mantissa, (size_t)decimal + 1, s->mantissa.len);
	}
}

/* --- what is wrong with it ----------------------------------------------------------------- */

static bool occurs_twice(const struct format *f, const struct subpicture *s, enum property property)
{
	return find(s->text, f->properties[property], 0) !=
	       find_last(s->text, f->properties[property]);
}

static bool has(const struct format *f, const struct subpicture *s, enum property property)
{
	return find(s->text, f->properties[property], 0) >= 0;
}

static bool has_passive(const struct format *f, struct units p)
{
	for (size_t i = 0; i < p.len; i++)
		if (!is_active(f, p.items[i]))
			return true;
	return false;
}

/* The place of a grouping separator: not beside the decimal one, not last, not doubled. */
static const char *check_grouping(const struct format *f, const struct subpicture *s)
{
	struct units grouping = f->properties[GROUPING_SEPARATOR];
	ptrdiff_t decimal = find(s->text, f->properties[DECIMAL_SEPARATOR], 0);
	const char *code = NULL;

	if (decimal >= 0) {
		size_t at = (size_t)decimal;
		if ((at > 0 && is_unit(f, GROUPING_SEPARATOR, s->text.items[at - 1])) ||
		    (at + 1 < s->text.len && is_unit(f, GROUPING_SEPARATOR, s->text.items[at + 1])))
			code = "D3087";
	} else if (s->integer.len > 0 &&
		   is_unit(f, GROUPING_SEPARATOR, s->integer.items[s->integer.len - 1])) {
		code = "D3088";
	}
	for (ptrdiff_t at = find(s->text, grouping, 0); at >= 0;
	     at = find(s->text, grouping, (size_t)at + 1))
		if (find(s->text, grouping, (size_t)at + grouping.len) ==
		    at + (ptrdiff_t)grouping.len)
			code = "D3089";
	return code;
}

static const char *check_digits(const struct format *f, const struct subpicture *s)
{
	struct units digit = f->properties[DIGIT];
	ptrdiff_t optional = find(s->integer, digit, 0);
	const char *code = NULL;

	if (optional >= 0 && count_digits(f, cut(s->integer, 0, (size_t)optional)) > 0)
		code = "D3090";
	optional = find_last(s->fraction, digit);
	if (optional >= 0 &&
	    count_digits(f, cut(s->fraction, (size_t)optional, s->fraction.len)) > 0)
		code = "D3091";
	return code;
}

static const char *check_exponent(const struct format *f, const struct subpicture *s)
{
	const char *code = NULL;

	if (!s->has_exponent)
		return NULL;
	if (s->exponent.len > 0 && (has(f, s, PERCENT) || has(f, s, PER_MILLE)))
		code = "D3092";
	if (s->exponent.len == 0 || count_digits(f, s->exponent) < s->exponent.len)
		code = "D3093";
	return code;
}

/* The last fault counts, as in the reference. */
static const char *check(const struct format *f, const struct subpicture *s)
{
	const char *code = NULL, *found;

	if (occurs_twice(f, s, DECIMAL_SEPARATOR))
		code = "D3081";
	if (occurs_twice(f, s, PERCENT))
		code = "D3082";
	if (occurs_twice(f, s, PER_MILLE))
		code = "D3083";
	if (has(f, s, PERCENT) && has(f, s, PER_MILLE))
		code = "D3084";
	if (count_signs(f, s->mantissa) == 0)
		code = "D3085";
	if (has_passive(f, s->active))
		code = "D3086";
	if ((found = check_grouping(f, s)) != NULL)
		code = found;
	if ((found = check_digits(f, s)) != NULL)
		code = found;
	if ((found = check_exponent(f, s)) != NULL)
		code = found;
	return code;
}

/* --- what it says -------------------------------------------------------------------------- */

/* Digit signs beside each grouping separator of a part. */
static bool find_groups(const struct format *f, const struct subpicture *s, struct units part,
			bool to_left, size_t **groups, size_t *count)
{
	struct units grouping = f->properties[GROUPING_SEPARATOR];

	*count = 0;
	*groups = jsonata_take(f->e, (part.len + s->integer.len + 2) * sizeof **groups);
	if (*groups == NULL)
		return false;
	if (grouping.len == 0)
		return true;
	for (ptrdiff_t at = find(part, grouping, 0); at >= 0;
	     /* the reference goes on in the integer part, whichever part it began in */
	     at = find(s->integer, grouping, (size_t)at + 1))
		(*groups)[(*count)++] = count_signs(f, to_left ? cut(part, 0, (size_t)at)
							       : cut(part, (size_t)at, part.len));
	return true;
}

static size_t greatest_divisor(size_t a, size_t b)
{
	while (b != 0) {
		size_t rest = a % b;
		a = b;
		b = rest;
	}
	return a;
}

static bool has_group(const size_t *groups, size_t count, size_t wanted)
{
	for (size_t i = 0; i < count; i++)
		if (groups[i] == wanted)
			return true;
	return false;
}

/* Digits of a group when all groups are alike, else 0. */
static size_t regular_group(const size_t *groups, size_t count)
{
	size_t factor = 0;

	for (size_t i = 0; i < count; i++)
		factor = i == 0 ? groups[0] : greatest_divisor(factor, groups[i]);
	for (size_t i = 1; i <= count; i++)
		if (!has_group(groups, count, i * factor))
			return 0;
	return factor;
}

static bool analyse(const struct format *f, struct subpicture *s)
{
	if (!find_groups(f, s, s->integer, false, &s->groups, &s->group_count) ||
	    !find_groups(f, s, s->fraction, true, &s->fraction_groups, &s->fraction_group_count))
		return false;
	s->regular = regular_group(s->groups, s->group_count);
	s->min_integer = s->scaling = count_digits(f, s->integer);
	s->min_fraction = count_digits(f, s->fraction);
	s->max_fraction = count_signs(f, s->fraction);
	if (s->min_integer == 0 && s->max_fraction == 0) {
		if (s->has_exponent)
			s->min_fraction = s->max_fraction = 1;
		else
			s->min_integer = 1;
	}
	if (s->has_exponent && s->min_integer == 0 &&
	    find(s->integer, f->properties[DIGIT], 0) >= 0)
		s->min_integer = 1;
	if (s->min_integer == 0 && s->min_fraction == 0)
		s->min_fraction = 1;
	s->min_exponent = s->has_exponent ? count_digits(f, s->exponent) : 0;
	return true;
}

/* --- writing the number -------------------------------------------------------------------- */

/* Units with room to grow. */
struct line {
	uint32_t items[NUMBER_UNITS_MAX];
	size_t len;
};

static void insert(struct line *line, size_t at, struct units what)
{
	if (at > line->len)
		at = line->len;
	if (line->len + what.len > NUMBER_UNITS_MAX)
		return;
	memmove(line->items + at + what.len, line->items + at,
		(line->len - at) * sizeof *line->items);
	memcpy(line->items + at, what.items, what.len * sizeof *line->items);
	line->len += what.len;
}

static struct units units_of(const struct line *line)
{
	return (struct units){(uint32_t *)(uintptr_t)line->items, line->len};
}

static void insert_zeros(const struct format *f, struct line *line, size_t at, size_t count)
{
	for (; count > 0; count--)
		insert(line, at, f->properties[ZERO_DIGIT]);
}

/* Whether a number is just between two with so many places; `exact` has them and more. */
static bool is_tie(const char *exact, int places)
{
	const char *rest = strchr(exact, '.') + 1 + places;

	return *rest == '5' && strspn(rest + 1, "0") == strlen(rest + 1);
}

/* The digits of a number made those of the next one up; there is room for one more. */
static int count_up(char *text, int len)
{
	int at = len;

	while (at > 0 && (text[at - 1] == '9' || text[at - 1] == '.'))
		if (text[--at] == '9')
			text[at] = '0';
	if (at > 0) {
		text[at - 1]++;
		return len;
	}
	memmove(text + 1, text, (size_t)len);
	text[0] = '1';
	return len + 1;
}

/* JavaScript's toFixed: printf's, but a tie goes away from zero. */
static int to_fixed(double value, int places, char *text, size_t size)
{
	enum { BEYOND = 60 }; /* no double this near to a tie is none */
	double moved = ldexp(value, places + 1);

	if (moved == floor(moved) && value != floor(value)) {
		int len = snprintf(text, size, "%.*f", places + BEYOND, value);
		if (is_tie(text, places))
			return count_up(text, len - BEYOND - (places == 0));
	}
	return snprintf(text, size, "%.*f", places, value);
}

/* A number in the digits of the picture. */
static void write_digits(const struct format *f, double value, size_t places, struct line *line)
{
	char text[512];
	int len;

	/* Beyond 1e21 toFixed gives up and spells the number as ever. */
	if (isnan(value))
		len = snprintf(text, sizeof text, "NaN");
	else if (fabs(value) >= 1e21)
		len = (int)json_format_double(fabs(value), text);
	else
		len = to_fixed(fabs(value), places > 100 ? 100 : (int)places, text, sizeof text);
	line->len = 0;
	for (int i = 0; i < len && i < (int)sizeof text; i++) {
		uint32_t unit = (unsigned char)text[i];
		bool is_figure = unit >= '0' && unit <= '9';
		if (is_figure)
			unit = (unit - '0' + f->zero) & 0xffff;
		if (!is_figure || f->has_digits)
			line->items[line->len++] = unit;
	}
}

/* -1 where a separator that is also the zero was trimmed away. */
static ptrdiff_t decimal_at(const struct format *f, const struct line *line)
{
	return find(units_of(line), f->properties[DECIMAL_SEPARATOR], 0);
}

/* The decimal separator of the picture, and no zeros at either end. */
static void trim(const struct format *f, struct line *line)
{
	struct units dot = {(uint32_t[]){'.'}, 1};
	ptrdiff_t at = find(units_of(line), dot, 0);
	size_t start = 0;

	if (at >= 0) {
		memmove(line->items + at, line->items + at + 1,
			(line->len - (size_t)at - 1) * sizeof *line->items);
		line->len--;
		insert(line, (size_t)at, f->properties[DECIMAL_SEPARATOR]);
	} else {
		insert(line, line->len, f->properties[DECIMAL_SEPARATOR]);
	}
	while (start < line->len && is_unit(f, ZERO_DIGIT, line->items[start]))
		start++;
	memmove(line->items, line->items + start, (line->len - start) * sizeof *line->items);
	line->len -= start;
	while (line->len > 0 && is_unit(f, ZERO_DIGIT, line->items[line->len - 1]))
		line->len--;
}

/* Where JavaScript's slice() cuts: in front of the text it counts from the end. */
static size_t slice_at(const struct line *line, ptrdiff_t at)
{
	if (at < 0)
		at += (ptrdiff_t)line->len;
	return at < 0 ? 0 : (size_t)at;
}

static void group(const struct format *f, const struct subpicture *s, struct line *line)
{
	struct units separator = f->properties[GROUPING_SEPARATOR];
	ptrdiff_t decimal = decimal_at(f, line), regular = (ptrdiff_t)s->regular;

	if (regular > 0) {
		for (ptrdiff_t i = 1, count = (decimal - 1) / regular; i <= count; i++)
			insert(line, slice_at(line, decimal - i * regular), separator);
	} else {
		for (size_t i = 0; i < s->group_count; i++, decimal++)
			insert(line, slice_at(line, decimal - (ptrdiff_t)s->groups[i]), separator);
	}
	decimal = decimal_at(f, line);
	for (size_t i = 0; i < s->fraction_group_count; i++)
		insert(line, s->fraction_groups[i] + (size_t)(decimal + 1), separator);
}

static void pad(const struct format *f, const struct subpicture *s, struct line *line)
{
	ptrdiff_t decimal = decimal_at(f, line);
	ptrdiff_t places = (ptrdiff_t)line->len - decimal - 1;

	if ((ptrdiff_t)s->min_integer > decimal)
		insert_zeros(f, line, 0, (size_t)((ptrdiff_t)s->min_integer - decimal));
	if ((ptrdiff_t)s->min_fraction > places)
		insert_zeros(f, line, line->len, (size_t)((ptrdiff_t)s->min_fraction - places));
}

static void write_exponent(const struct format *f, const struct subpicture *s, double exponent,
			   struct line *line, struct line *scratch)
{
	write_digits(f, exponent, 0, scratch);
	if (s->min_exponent > scratch->len)
		insert_zeros(f, scratch, 0, s->min_exponent - scratch->len);
	insert(line, line->len, f->properties[EXPONENT_SEPARATOR]);
	if (exponent < 0)
		insert(line, line->len, f->properties[MINUS_SIGN]);
	insert(line, line->len, units_of(scratch));
}

/* The mantissa, its size as the picture has it, and the exponent that makes up for it. */
static double scale(const struct subpicture *s, double number, double *exponent)
{
	double max = pow(10, (double)s->scaling), min = pow(10, (double)s->scaling - 1);

	*exponent = 0;
	if (s->min_exponent == 0 || number == 0)
		return number;
	for (; fabs(number) < min; *exponent -= 1)
		number *= 10;
	for (; fabs(number) > max; *exponent += 1)
		number /= 10;
	return number;
}

static double round_to(struct evaluation *e, double number, size_t places)
{
	struct json arguments[4] = {{.type = JSON_DOUBLE, .number = number},
				    json_int((int64_t)places)};

	return value_double(jsonata_builtin_round(e, arguments, NULL));
}

static struct json to_text(struct evaluation *e, const struct line *line)
{
	char *out = jsonata_take_text(e, line->len * 3);
	size_t len = 0;

	if (out == NULL)
		return value_failed();
	for (size_t i = 0; i < line->len; i++)
		len = jsonata_append_unit(out, len, line->items[i]);
	struct str text = str_make(out, len);
	return value_text(text, jsonata_text_flags(text));
}

static struct json write_number(struct format *f, const struct subpicture *s, double number,
				bool is_negated)
{
	struct line *line = jsonata_take(f->e, sizeof *line);
	struct line *scratch = line == NULL ? NULL : jsonata_take(f->e, sizeof *scratch);
	double exponent;

	if (scratch == NULL)
		return value_failed();
	if (has(f, s, PERCENT))
		number *= 100;
	else if (has(f, s, PER_MILLE))
		number *= 1000;
	number = scale(s, number, &exponent);
	write_digits(f, round_to(f->e, number, s->max_fraction), s->max_fraction, line);
	trim(f, line);
	pad(f, s, line);
	group(f, s, line);
	if (!has(f, s, DECIMAL_SEPARATOR) || decimal_at(f, line) + 1 == (ptrdiff_t)line->len)
		line->len -= line->len > 0;
	if (s->min_exponent > 0)
		write_exponent(f, s, exponent, line, scratch);
	insert(line, 0, s->prefix);
	if (is_negated)
		insert(line, 0, f->properties[MINUS_SIGN]);
	insert(line, line->len, s->suffix);
	return to_text(f->e, line);
}

/* --- the function -------------------------------------------------------------------------- */

static bool refuse_options(struct format *f, struct json options)
{
	jsonata_fail(f->e, "T0410", options);
	f->e->fault.index = 3;
	return false;
}

static bool read_properties(struct format *f, struct json options)
{
	for (size_t i = 0; i < PROPERTIES; i++) {
		struct json value = json_get_c(options, defaults[i].name);
		if (value_is_undefined(value))
			value = json_string_c(defaults[i].value);
		f->is_text[i] = value.type == JSON_STRING;
		/* What JavaScript throws its own errors at. */
		if (!f->is_text[i] && (i == ZERO_DIGIT || value.type == JSON_OBJECT ||
				       value.type == JSON_ARRAY || value_is_function(value)))
			return refuse_options(f, options);
		value = jsonata_to_text(f->e, value, false);
		if (value_is_failed(value))
			return false;
		if (value.count > 64) {
			jsonata_fail(f->e, "U1002", json_undefined());
			return false;
		}
		if (!to_units(f->e, value, &f->properties[i]))
			return false;
	}
	f->has_digits = f->properties[ZERO_DIGIT].len > 0;
	f->zero = f->has_digits ? f->properties[ZERO_DIGIT].items[0] : '0';
	return true;
}

/* The two sub-pictures; by an empty separator JavaScript splits between all characters. */
static bool split_picture(struct format *f, struct units picture, struct units *first,
			  struct units *second, bool *has_second)
{
	struct units separator = f->properties[PATTERN_SEPARATOR];
	ptrdiff_t at = separator.len > 0 ? find(picture, separator, 0) : picture.len > 1 ? 1 : -1;
	size_t rest = (size_t)at + separator.len;

	*has_second = at >= 0;
	*first = at < 0 ? picture : cut(picture, 0, (size_t)at);
	if (at < 0)
		return true;
	*second = cut(picture, rest, picture.len);
	if (separator.len > 0 ? find(picture, separator, rest) < 0 : picture.len == 2)
		return true;
	jsonata_fail(f->e, "D3080", json_undefined());
	return false;
}

static bool read_subpicture(struct format *f, struct units text, struct subpicture *s)
{
	*s = (struct subpicture){.text = text};
	split(f, s);
	const char *code = check(f, s);

	if (code != NULL) {
		jsonata_fail(f->e, code, json_undefined());
		return false;
	}
	return analyse(f, s);
}

struct json jsonata_builtin_format_number(struct evaluation *e, const struct json *a,
					  const struct call_site *site)
{
	struct format f = {.e = e};
	struct units picture, first, second;
	struct subpicture positive, negative;
	bool has_second;

	(void)site;
	if (!value_is_number(a[0]))
		return json_undefined();
	if (a[1].type != JSON_STRING || a[1].count > NUMBER_PICTURE_MAX) {
		jsonata_fail(e, a[1].type == JSON_STRING ? "U1002" : "T0410", a[1]);
		e->fault.index = 2;
		return value_failed();
	}
	if (!jsonata_spend_many(e, 64 + a[1].count) || !read_properties(&f, a[2]) ||
	    !to_units(e, a[1], &picture))
		return value_failed();
	if (!split_picture(&f, picture, &first, &second, &has_second) ||
	    !read_subpicture(&f, first, &positive) ||
	    (has_second && !read_subpicture(&f, second, &negative)))
		return value_failed();
	double number = value_double(a[0]);
	if (!isfinite(number))
		return jsonata_fail(e, "D3001", a[0]);
	bool is_negative = !(number >= 0);
	return write_number(&f, is_negative && has_second ? &negative : &positive, number,
			    is_negative && !has_second);
}
