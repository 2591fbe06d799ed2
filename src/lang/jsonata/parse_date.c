/* $toMillis: ISO 8601 as JavaScript's Date.parse reads it, or by a picture. */
#include <math.h>

#include "lang/jsonata/builtin.h"
#include "lang/jsonata/picture.h"
#include "lang/jsonata/regex.h"
#include "lang/jsonata/text.h"

/* --- ISO 8601 ------------------------------------------------------------------------------ */

struct iso {
	struct str text;
	size_t at;
};

static bool is_at(const struct iso *iso, char c)
{
	return iso->at < iso->text.len && iso->text.data[iso->at] == c;
}

static bool skip(struct iso *iso, char c)
{
	if (!is_at(iso, c))
		return false;
	iso->at++;
	return true;
}

/* A number of exactly `count` digits. */
static bool read_fixed(struct iso *iso, size_t count, int *out)
{
	*out = 0;
	for (size_t i = 0; i < count; i++, iso->at++) {
		char c = iso->at < iso->text.len ? iso->text.data[iso->at] : '\0';
		if (c < '0' || c > '9')
			return false;
		*out = *out * 10 + (c - '0');
	}
	return true;
}

/* V8 keeps nine digits, and of more than nine it counts those from the first that is not 0. */
static bool read_fraction(struct iso *iso, int *ms)
{
	enum { DIGITS_KEPT = 9 };
	int64_t value = 0;
	int kept = 0, digits = 0;

	*ms = 0;
	if (!skip(iso, '.'))
		return true;
	for (; iso->at < iso->text.len; iso->at++, digits++) {
		char c = iso->text.data[iso->at];
		if (c < '0' || c > '9')
			break;
		if (kept < DIGITS_KEPT && (kept > 0 || c != '0')) {
			value = value * 10 + (c - '0');
			kept++;
		}
	}
	int length = digits < DIGITS_KEPT ? digits : DIGITS_KEPT;
	for (; length < 3; length++)
		value *= 10;
	for (; length > 3; length--)
		value /= 10;
	*ms = (int)value;
	return digits > 0;
}

static bool read_time(struct iso *iso, double *ms)
{
	int hour, minute, second, fraction;

	if (!read_fixed(iso, 2, &hour) || !skip(iso, ':') || !read_fixed(iso, 2, &minute) ||
	    !skip(iso, ':') || !read_fixed(iso, 2, &second) || !read_fraction(iso, &fraction))
		return false;
	if (hour > 24 || minute > 59 || second > 59 ||
	    (hour == 24 && (minute > 0 || second > 0 || fraction > 0)))
		return false;
	*ms = ((hour * 60.0 + minute) * 60 + second) * 1000 + fraction;
	return true;
}

static bool read_zone(struct iso *iso, bool has_time, double *ms)
{
	int hour, minute;
	bool is_minus = is_at(iso, '-');

	if (skip(iso, 'Z') || iso->at == iso->text.len)
		return true;
	if (!has_time || (!skip(iso, '+') && !skip(iso, '-')) || !read_fixed(iso, 2, &hour))
		return false;
	skip(iso, ':');
	if (!read_fixed(iso, 2, &minute) || hour > 23 || minute > 59)
		return false;
	*ms -= (is_minus ? -1 : 1) * (hour * 60 + minute) * 60000.0;
	return true;
}

/* Date.UTC means 1900 by a year below 100; Date.parse does not. */
static double moment_of(int year, int month, int day, double ms)
{
	return year < 100 ? jsonata_utc(year + 400, month - 1, day, ms) - 146097 * 86400000.0
			  : jsonata_utc(year, month - 1, day, ms);
}

static bool read_iso(struct str text, double *out)
{
	struct iso iso = {.text = text};
	int year, month = 1, day = 1;
	double ms = 0;
	bool has_time;

	if (!read_fixed(&iso, 4, &year))
		return false;
	/* A minus sign may also begin the offset: then two digits and a colon follow. */
	if (is_at(&iso, '-') && (iso.at++, !read_fixed(&iso, 2, &month)))
		return false;
	if (is_at(&iso, '-') && (iso.at++, !read_fixed(&iso, 2, &day)))
		return false;
	has_time = skip(&iso, 'T');
	if (has_time && (!read_time(&iso, &ms) || !read_zone(&iso, true, &ms)))
		return false;
	if (iso.at != text.len || month < 1 || month > 12 || day < 1 || day > 31)
		return false;
	*out = moment_of(year, month, day, ms);
	return true;
}

/* What no standard has but the reference's pattern lets pass to V8: a date without a time, with a
 * fraction or an offset. V8 then takes the numbers as they come. */
struct loose {
	int numbers[3];
	int count;
	int hour, minute;
	bool has_hour, has_time;
};

static bool read_run(struct iso *iso, int *value, size_t *digits)
{
	size_t start = iso->at;

	*value = 0;
	for (; iso->at < iso->text.len && iso->text.data[iso->at] >= '0' &&
	       iso->text.data[iso->at] <= '9';
	     iso->at++)
		if (*value < 100000)
			*value = *value * 10 + (iso->text.data[iso->at] - '0');
	*digits = iso->at - start;
	return *digits > 0;
}

/* The parts that are standard: -MM and -DD. False to leave them to the loose reading. */
static bool read_standard_part(struct iso *iso, struct loose *loose, int most)
{
	struct iso ahead = *iso;
	size_t digits;
	int value;

	if (!skip(iso, '-'))
		return false;
	ahead.at++;
	if (!read_run(&ahead, &value, &digits) || digits != 2 || value < 1 || value > most)
		return false;
	loose->numbers[loose->count++] = value;
	*iso = ahead;
	return true;
}

static bool take_number(struct iso *iso, struct loose *loose, int value)
{
	if (is_at(iso, ':')) {
		iso->at++;
		loose->hour = value;
		loose->has_hour = !loose->has_hour;
		return loose->has_hour;
	}
	bool is_ended = iso->at == iso->text.len || is_at(iso, 'Z');
	skip(iso, '.');
	if (loose->has_hour && !loose->has_time && value < 60) {
		loose->minute = value;
		loose->has_time = true;
		return is_ended;
	}
	if (loose->count == 3)
		return false;
	loose->numbers[loose->count++] = value;
	skip(iso, '-');
	return true;
}

static bool read_loose_parts(struct iso *iso, struct loose *loose)
{
	size_t digits;
	int value;

	while (iso->at < iso->text.len) {
		if (read_run(iso, &value, &digits)) {
			if (!take_number(iso, loose, value))
				return false;
		} else if (!skip(iso, '.') && !skip(iso, ':') && !skip(iso, 'Z')) {
			return false;
		}
	}
	return true;
}

/* The reference's pattern, of which only what has no time is left for here. */
static bool is_let_through(struct evaluation *e, struct json text)
{
	struct str pattern = STR("^\\d{4}(-[01]\\d)?(-[0-3]\\d)?(\\.\\d+)?"
				 "([+-][0-2]\\d:?[0-5]\\d|Z)?$");
	struct regex_match match;
	struct fault fault;
	struct regex *regex = jsonata_regex_compile(e->arena, pattern, false, false, 0, &fault);

	e->bytes_left -= 4096;
	return regex != NULL && jsonata_regex_search(e, regex, text, 0, &match) == 1;
}

static bool is_day(int value)
{
	return value >= 1 && value <= 31;
}

static bool read_loose(struct str text, double *out)
{
	struct iso iso = {.text = text};
	struct loose loose = {.count = 1};
	int *n = loose.numbers;

	if (!read_fixed(&iso, 4, &n[0]))
		return false;
	if (read_standard_part(&iso, &loose, 12))
		read_standard_part(&iso, &loose, 31);
	if (!read_loose_parts(&iso, &loose) || loose.has_hour != loose.has_time)
		return false;
	for (; loose.count < 3; loose.count++)
		n[loose.count] = 1;
	/* What could be a day comes first in no year: then month, day and year. */
	bool is_year_first = !is_day(n[0]);
	int year = is_year_first ? n[0] : n[2], month = is_year_first ? n[1] : n[0],
	    day = is_year_first ? n[2] : n[1];
	if (month < 1 || month > 12 || !is_day(day) || loose.hour > 24 ||
	    (loose.hour == 24 && loose.minute > 0))
		return false;
	year += year < 50 ? 2000 : year < 100 ? 1900 : 0;
	*out = moment_of(year, month, day, (loose.hour * 60 + loose.minute) * 60000.0);
	return true;
}

/* --- by a picture -------------------------------------------------------------------------- */

static void append_quoted(struct buffer *out, struct str literal)
{
	for (size_t i = 0; i < literal.len; i++) {
		char c = literal.data[i];
		if (c != '\0' && strchr(".*+?^${}()|[]\\", c) != NULL)
			buffer_append_byte(out, '\\');
		buffer_append_byte(out, c);
	}
}

static void append_utf8(struct buffer *out, uint32_t point)
{
	char bytes[4];
	size_t len = 0;

	if (point < 0x10000) {
		len = jsonata_append_unit(bytes, 0, point);
	} else {
		bytes[len++] = (char)(0xf0 | point >> 18);
		bytes[len++] = (char)(0x80 | (point >> 12 & 0x3f));
		bytes[len++] = (char)(0x80 | (point >> 6 & 0x3f));
		bytes[len++] = (char)(0x80 | (point & 0x3f));
	}
	append_quoted(out, str_make(bytes, len));
}

static bool append_integer_pattern(struct buffer *out, const struct integer_picture *picture,
				   struct fault *fault)
{
	bool is_upper = picture->letter_case == PICTURE_UPPER;

	switch (picture->primary) {
	case PICTURE_LETTERS:
		buffer_append_c(out, is_upper ? "[A-Z]+" : "[a-z]+");
		return true;
	case PICTURE_ROMAN:
		buffer_append_c(out, is_upper ? "[MDCLXVI]+" : "[mdclxvi]+");
		return true;
	case PICTURE_WORDS:
		buffer_append_format(out, "(?:%s)+", jsonata_number_words);
		return true;
	case PICTURE_DECIMAL:
		buffer_append(out, STR("[0-9]"));
		if (picture->parse_width > 0)
			buffer_append_format(out, "{%lld}", (long long)picture->parse_width);
		else
			buffer_append_byte(out, '+');
		if (picture->is_ordinal)
			buffer_append(out, STR("(?:th|st|nd|rd)"));
		return true;
	case PICTURE_SEQUENCE:
		break;
	}
	*fault = (struct fault){.code = "D3130", .value = json_string(picture->token)};
	return false;
}

static bool append_pattern(struct buffer *out, const struct date_part *part, struct fault *fault)
{
	switch (part->component) {
	case '\0':
		append_quoted(out, part->literal);
		return true;
	case 'z':
	case 'Z':
		buffer_append_c(out, part->component == 'z' ? "GMT[-+][0-9]+" : "[-+][0-9]+");
		if (part->integer.regular > 0) {
			append_utf8(out, part->integer.separators[0].character);
			buffer_append(out, STR("[0-9]+"));
		}
		return true;
	case 'f':
		buffer_append(out, STR("[0-9]+"));
		return true;
	default:
		break;
	}
	if (part->has_integer)
		return append_integer_pattern(out, &part->integer, fault);
	if (!jsonata_is_component(part->component, "MxFP")) {
		*fault = (struct fault){
			.code = "D3133",
			.value = jsonata_component_text(out->arena, part->component)};
		return false;
	}
	buffer_append(out, STR("[a-zA-Z]+"));
	return true;
}

/* One group a part. */
static struct regex *make_matcher(struct arena *arena, const struct date_picture *picture,
				  struct fault *fault)
{
	struct buffer pattern;

	buffer_init(&pattern, arena, 256 * 1024);
	buffer_append_byte(&pattern, '^');
	for (uint32_t i = 0; i < picture->count; i++) {
		buffer_append_byte(&pattern, '(');
		if (!append_pattern(&pattern, &picture->parts[i], fault))
			return NULL;
		buffer_append_byte(&pattern, ')');
	}
	buffer_append_byte(&pattern, '$');
	return jsonata_regex_compile(arena, buffer_str(&pattern), true, false, 0, fault);
}

/* --- values of the parts ------------------------------------------------------------------- */

static double leading_int(struct str text)
{
	double value = 0, sign = 1;
	size_t at = 0, start;

	if (text.len > 0 && (text.data[0] == '-' || text.data[0] == '+'))
		sign = text.data[at++] == '-' ? -1 : 1;
	for (start = at; at < text.len && text.data[at] >= '0' && text.data[at] <= '9'; at++)
		value = value * 10 + (text.data[at] - '0');
	return at == start ? NAN : sign * value;
}

/* Minutes; of "-05:30" the reference adds 30 to -300. */
static double parse_zone(const struct date_part *part, struct str text)
{
	if (part->component == 'z')
		text = str_slice(text, 3, text.len);
	if (part->integer.regular > 0) {
		size_t at = 1;
		while (at < text.len && text.data[at] >= '0' && text.data[at] <= '9')
			at++;
		struct str rest = str_slice(text, at, text.len);
		while (rest.len > 0 && (rest.data[0] < '0' || rest.data[0] > '9'))
			rest = str_slice(rest, 1, rest.len);
		return leading_int(str_slice(text, 0, at)) * 60 + leading_int(rest);
	}
	if (text.len - 1 <= 2)
		return leading_int(text) * 60;
	return leading_int(str_slice(text, 0, 3)) * 60 + leading_int(str_slice(text, 3, text.len));
}

static double parse_fraction(struct str text)
{
	double value = 0, scale = 100;

	for (size_t i = 0; i < text.len && i < 3; i++, scale /= 10)
		value += (text.data[i] - '0') * scale;
	return value;
}

static bool is_name(struct str text, const char *name, double width)
{
	struct str whole = str_from_c(name);

	if (width != 0 && width < (double)whole.len)
		whole = str_slice(whole, 0, width < 0 ? 0 : (size_t)width);
	return str_equal(text, whole);
}

/* Names are told apart by case; NaN for one that is none. */
static double parse_name(const struct date_part *part, struct str text)
{
	double found = NAN;

	if (part->component == 'P') {
		if (str_equal(text, STR("am")) || str_equal(text, STR("AM")))
			return 0;
		return str_equal(text, STR("pm")) || str_equal(text, STR("PM")) ? 1 : NAN;
	}
	if (part->component == 'F') {
		for (int i = 1; i <= 7; i++)
			if (is_name(text, jsonata_day_names[i], part->width_max))
				found = i;
		return found;
	}
	for (int i = 0; i < 12; i++)
		if (is_name(text, jsonata_month_names[i], part->width_max))
			found = i + 1;
	return found;
}

static double parse_part(struct evaluation *e, const struct date_part *part, struct json text)
{
	if (part->component == 'z' || part->component == 'Z')
		return parse_zone(part, json_str(text));
	if (part->component == 'f')
		return parse_fraction(json_str(text));
	if (!part->has_integer)
		return parse_name(part, json_str(text));
	if (part->integer.primary == PICTURE_WORDS) {
		struct json arguments[4] = {text};
		text = jsonata_builtin_lowercase(e, arguments, NULL);
	}
	return jsonata_parse_integer(json_str(text), &part->integer);
}

/* --- a moment from its parts --------------------------------------------------------------- */

struct moment {
	double values[128]; /* by component */
	bool is_given[128]; /* a number that could not be read is given, too */
};

/* JavaScript's truth of a component: 0 counts as missing here, as in the reference. */
static uint32_t mask_of(const struct moment *m, const char *components)
{
	uint32_t mask = 0;

	for (; *components != '\0'; components++) {
		double value = m->values[(unsigned char)*components];
		mask = mask << 1 | (value != 0 && !isnan(value));
	}
	return mask;
}

static bool is_type(uint32_t mask, uint32_t type)
{
	return (~type & mask) == 0 && (type & mask) != 0;
}

/* Fills what is missing: in front of what is given from now, behind it with the least; a gap in
 * between fails. */
static bool fill(struct evaluation *e, struct moment *m, const char *components,
		 const struct date *now)
{
	bool is_started = false, is_ended = false;

	for (; *components != '\0'; components++) {
		double *value = &m->values[(unsigned char)*components];
		if (m->is_given[(unsigned char)*components]) {
			is_started = true;
			if (is_ended) {
				jsonata_fail(e, "D3136", json_undefined());
				return false;
			}
		} else if (is_started) {
			*value = *components == 'M' || *components == 'D' || *components == 'd';
			is_ended = true;
		} else {
			*value = jsonata_date_component(now, (unsigned char)*components);
		}
	}
	return true;
}

static double finish_moment(struct moment *m, bool is_day_of_year, bool is_half_day)
{
	double *v = m->values, zone = isnan(v['Z']) || v['Z'] == 0 ? v['z'] : v['Z'];
	double month = v['M'] > 0 ? v['M'] - 1 : 0, day = v['D'], hour = v['H'];

	if (is_day_of_year) {
		double ms = jsonata_utc(v['Y'], 0, 1, 0) + (v['d'] - 1) * 86400000.0;
		struct date date = jsonata_date(ms);
		month = date.month;
		day = date.day;
	}
	if (is_half_day)
		hour = (v['h'] == 12 ? 0 : v['h']) + (v['P'] == 1 ? 12 : 0);
	double of_day =
		((trunc(hour) * 60 + trunc(v['m'])) * 60 + trunc(v['s'])) * 1000 + trunc(v['f']);
	double ms = jsonata_utc(v['Y'], month, day, of_day);
	return isnan(zone) ? ms : ms - zone * 60000;
}

static struct json compute(struct evaluation *e, struct moment *m, const struct call_site *site)
{
	uint32_t date = mask_of(m, "YXMxWwdD"), time = mask_of(m, "PHhmsf");
	bool is_date_a = is_type(date, 161), is_date_b = !is_date_a && is_type(date, 130);
	bool is_date_c = is_type(date, 84), is_date_d = !is_date_c && is_type(date, 72);
	bool is_time_b = !is_type(time, 23) && is_type(time, 47);
	struct date now = jsonata_date(value_double(jsonata_builtin_millis(e, NULL, site)));
	char components[16];

	snprintf(components, sizeof components, "%s%s",
		 is_date_b   ? "YD"
		 : is_date_c ? "XxwF"
		 : is_date_d ? "XWF"
			     : "YMD",
		 is_time_b ? "Phmsf" : "Hmsf");
	if (!fill(e, m, components, &now))
		return value_failed();
	if (is_date_c || is_date_d)
		return jsonata_fail(e, "D3136", json_undefined());
	double ms = finish_moment(m, is_date_b, is_time_b);
	return isnan(ms) ? jsonata_fail(e, "D3136", json_undefined()) : jsonata_number(ms);
}

static struct json parse_by_picture(struct evaluation *e, const struct date_picture *picture,
				    struct json text, const struct call_site *site)
{
	struct regex_match match;
	struct moment m = {0};
	bool has_any = false;

	for (size_t i = 0; i < 128; i++)
		m.values[i] = NAN;
	text = jsonata_split_astral(e, text);
	if (value_is_failed(text))
		return text;
	int found = jsonata_regex_search(e, picture->matcher, text, 0, &match);
	if (found <= 0)
		return found < 0 ? value_failed() : json_undefined();
	for (uint32_t i = 0; i < picture->count; i++) {
		const struct date_part *part = &picture->parts[i];
		if (part->component == '\0')
			continue;
		struct json group = jsonata_regex_group(e, text, &match, i);
		double value = parse_part(e, part, group);
		/* A name that is none is nothing. */
		bool is_given = part->has_integer || part->component == 'f' || !isnan(value);
		m.values[part->component & 127] = value;
		m.is_given[part->component & 127] = is_given;
		has_any = true;
	}
	return has_any ? compute(e, &m, site) : json_undefined();
}

static struct date_picture *prepare(struct arena *arena, struct str text, struct fault *fault)
{
	struct date_picture *picture = jsonata_date_picture(arena, text, fault);

	if (picture == NULL)
		return NULL;
	picture->matcher = make_matcher(arena, picture, fault);
	return picture->matcher == NULL ? NULL : picture;
}

struct json jsonata_builtin_to_millis(struct evaluation *e, const struct json *a,
				      const struct call_site *site)
{
	struct fault fault = {0};
	const struct date_picture *picture = site->prepared;
	double ms = NAN;

	if (a[0].type != JSON_STRING)
		return json_undefined();
	if (a[1].type != JSON_STRING) {
		struct str text = json_str(a[0]);
		bool is_read = read_iso(text, &ms) ||
			       (text.len < 64 && is_let_through(e, a[0]) && read_loose(text, &ms));
		if (!is_read || isnan(ms))
			return jsonata_fail(e, "D3110", a[0]);
		return jsonata_number(ms);
	}
	if (picture == NULL || picture->text.data != a[1].text) {
		if (!jsonata_spend_many(e, a[1].count + 64))
			return value_failed();
		e->bytes_left -= a[1].count * 512;
		picture = prepare(e->arena, json_str(a[1]), &fault);
	}
	if (picture == NULL) {
		if (e->fault.code == NULL)
			e->fault = fault;
		return value_failed();
	}
	return parse_by_picture(e, picture, a[0], site);
}

const void *jsonata_prepare(struct arena *arena, const struct builtin *builtin, struct str picture)
{
	struct fault fault = {0};

	if (builtin->call == jsonata_builtin_to_millis)
		return prepare(arena, picture, &fault);
	if (builtin->call == jsonata_builtin_from_millis)
		return jsonata_date_picture(arena, picture, &fault);
	return NULL;
}
