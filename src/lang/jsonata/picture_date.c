/* Date pictures, and $fromMillis, which writes by them. */
#include <math.h>

#include "lang/jsonata/builtin.h"
#include "lang/jsonata/picture.h"
#include "lang/jsonata/text.h"

enum { DATE_BYTES_MAX = 64 * 1024, WIDTH_MAX = 500 };
#define DAY_MS	    86400000.0
#define DATE_MAX_MS 8.64e15

const char *const jsonata_month_names[12] = {"January",	  "February", "March",	  "April",
					     "May",	  "June",     "July",	  "August",
					     "September", "October",  "November", "December"};
const char *const jsonata_day_names[8] = {"",	      "Monday", "Tuesday",  "Wednesday",
					  "Thursday", "Friday", "Saturday", "Sunday"};

/* --- the calendar -------------------------------------------------------------------------- */

/* Days since 1970 of a day of the proleptic Gregorian calendar; month from 0. */
static double days_from_civil(double year, double month, double day)
{
	year += floor(month / 12);
	month -= floor(month / 12) * 12;
	double y = month < 2 ? year - 1 : year;
	double era = floor(y / 400), of_era = y - era * 400;
	double of_year = floor((153 * (month + (month < 2 ? 10 : -2)) + 2) / 5);

	return era * 146097 + of_era * 365 + floor(of_era / 4) - floor(of_era / 100) + of_year +
	       day - 1 - 719468;
}

double jsonata_utc(double year, double month, double day, double ms)
{
	if (!isfinite(year) || !isfinite(month) || !isfinite(day) || !isfinite(ms))
		return NAN;
	year = trunc(year);
	if (year >= 0 && year <= 99)
		year += 1900;
	double result = days_from_civil(year, trunc(month), trunc(day)) * DAY_MS + ms;
	return fabs(result) <= DATE_MAX_MS ? result : NAN;
}

struct date jsonata_date(double ms)
{
	struct date date = {.ms = ms};
	int64_t whole, days, era, of_era, year, of_year, month;

	if (!(fabs(ms) <= DATE_MAX_MS)) {
		date.ms = NAN;
		return date;
	}
	whole = (int64_t)floor(ms);
	days = whole / 86400000 - (whole % 86400000 < 0);
	date.of_day = (int32_t)(whole - days * 86400000);
	date.week_day = (int32_t)(((days + 3) % 7 + 7) % 7) + 1;
	days += 719468; /* since March of the year 0 */
	era = (days >= 0 ? days : days - 146096) / 146097;
	of_era = days - era * 146097;
	year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
	of_year = of_era - (365 * year + year / 4 - year / 100);
	month = (5 * of_year + 2) / 153;
	date.day = (int32_t)(of_year - (153 * month + 2) / 5 + 1);
	date.month = (int32_t)(month < 10 ? month + 2 : month - 10);
	date.year = (int32_t)(year + era * 400 + (date.month < 2));
	return date;
}

/* The Monday of the first week of a month or year: the week of its first Thursday. */
static double first_week(double year, double month)
{
	double first = jsonata_utc(year, month, 1, 0);
	double day = jsonata_date(first).week_day;

	return day > 4 ? first + (8 - day) * DAY_MS : first - (day - 1) * DAY_MS;
}

static double weeks_between(double start, double end)
{
	return (end - start) / (DAY_MS * 7) + 1;
}

static double week_of_year(const struct date *d)
{
	double today = jsonata_utc(d->year, d->month, d->day, 0);
	double week = weeks_between(first_week(d->year, 0), today);

	if (week > 52) {
		if (today >= first_week(d->year + 1, 0))
			week = 1;
	} else if (week < 1) {
		week = weeks_between(first_week(d->year - 1, 0), today);
	}
	return floor(week);
}

static double first_week_of_next(const struct date *d)
{
	return d->month == 11 ? first_week(d->year + 1, 0) : first_week(d->year, d->month + 1);
}

static double week_of_month(const struct date *d)
{
	double today = jsonata_utc(d->year, d->month, d->day, 0);
	double week = weeks_between(first_week(d->year, d->month), today);

	if (week > 4) {
		if (today >= first_week_of_next(d))
			week = 1;
	} else if (week < 1) {
		week = weeks_between(d->month == 0 ? first_week(d->year - 1, 11)
						   : first_week(d->year, d->month - 1),
				     today);
	}
	return floor(week);
}

static double year_of_week(const struct date *d)
{
	if (d->ms < first_week(d->year, 0))
		return d->year - 1;
	return d->ms >= first_week(d->year + 1, 0) ? d->year + 1 : d->year;
}

static double month_of_week(const struct date *d)
{
	if (d->ms < first_week(d->year, d->month))
		return d->month == 0 ? 12 : d->month;
	if (d->ms >= first_week_of_next(d))
		return d->month == 11 ? 1 : d->month + 2;
	return d->month + 1;
}

static double day_of_year(const struct date *d)
{
	return (jsonata_utc(d->year, d->month, d->day, 0) - jsonata_utc(d->year, 0, 1, 0)) /
		       DAY_MS +
	       1;
}

bool jsonata_is_component(uint32_t component, const char *letters)
{
	return component > 0 && component < 0x80 && strchr(letters, (int)component) != NULL;
}

struct json jsonata_component_text(struct arena *arena, uint32_t component)
{
	char bytes[4];

	return json_string(arena_str(arena, str_make(bytes, jsonata_put_point(bytes, component))));
}

double jsonata_date_component(const struct date *date, uint32_t component)
{
	if (isnan(date->ms))
		return NAN;
	switch (component) {
	case 'Y':
		return date->year;
	case 'M':
		return date->month + 1;
	case 'D':
		return date->day;
	case 'd':
		return day_of_year(date);
	case 'F':
		return date->week_day;
	case 'W':
		return week_of_year(date);
	case 'w':
		return week_of_month(date);
	case 'X':
		return year_of_week(date);
	case 'x':
		return month_of_week(date);
	case 'H':
	case 'P':
		return date->of_day / 3600000;
	case 'h':
		return (date->of_day / 3600000 + 11) % 12 + 1;
	case 'm':
		return date->of_day / 60000 % 60;
	case 's':
		return date->of_day / 1000 % 60;
	case 'f':
		return date->of_day % 1000;
	default:
		return NAN;
	}
}

/* --- the picture --------------------------------------------------------------------------- */

struct reader {
	struct arena *arena;
	struct str text;
	struct date_picture *picture;
	struct fault *fault;
};

static struct date_part *add_part(struct reader *reader)
{
	struct date_part *part = &reader->picture->parts[reader->picture->count++];

	*part = (struct date_part){.width_max = INFINITY};
	return part;
}

/* Text between markers; doubled brackets stand for one. */
static void add_literal(struct reader *reader, size_t start, size_t end)
{
	if (end <= start)
		return;
	char *out = arena_alloc(reader->arena, end - start);
	size_t len = 0;

	for (size_t i = start; i < end; i++) {
		out[len++] = reader->text.data[i];
		if (reader->text.data[i] == ']' && i + 1 < end && reader->text.data[i + 1] == ']')
			i++;
	}
	add_part(reader)->literal = str_make(out, len);
}

static const char *default_presentation(uint32_t component)
{
	switch (component) {
	case 'Y':
	case 'M':
	case 'D':
	case 'd':
	case 'W':
	case 'w':
	case 'X':
	case 'x':
	case 'H':
	case 'h':
	case 'f':
		return "1";
	case 'F':
	case 'P':
	case 'C':
	case 'E':
		return "n";
	case 'm':
	case 's':
		return "01";
	case 'Z':
	case 'z':
		return "01:01";
	default:
		return NULL;
	}
}

/* A width as JavaScript's parseInt() reads it, INFINITY where none is given. */
static double read_width(struct str text, bool is_given)
{
	bool is_minus = text.len > 0 && text.data[0] == '-';
	size_t start = is_minus || (text.len > 0 && text.data[0] == '+'), i = start;
	double width = 0;

	if (!is_given || str_equal(text, STR("*")))
		return INFINITY;
	for (; i < text.len && text.data[i] >= '0' && text.data[i] <= '9'; i++)
		width = width * 10 + (text.data[i] - '0');
	return i == start ? NAN : is_minus ? -width : width;
}

static void read_names(struct date_part *part, struct str presentation)
{
	char first = presentation.len > 0 ? presentation.data[0] : '\0';

	if (first == 'n')
		part->names = NAMES_LOWER;
	else if (first == 'N')
		part->names = presentation.len > 1 && presentation.data[1] == 'n' ? NAMES_TITLE
										  : NAMES_UPPER;
}

static void set_year_digits(struct date_part *part)
{
	int64_t digits = part->integer.mandatory_digits + part->integer.optional_digits;

	if (!isinf(part->width_max)) {
		part->year_modulus = pow(10, part->width_max);
		part->integer.mandatory_digits =
			isnan(part->width_max) ? 0 : (int64_t)part->width_max;
	} else if (digits >= 2) {
		part->year_modulus = pow(10, (double)digits);
	}
}

static bool read_integer(struct reader *reader, struct date_part *part, struct str presentation,
			 char second, double width_min)
{
	struct str text = presentation;

	if (second != '\0')
		text = arena_format(reader->arena, "%.*s;%c", STR_ARGS(presentation), second);
	if (!jsonata_integer_picture(reader->arena, text, &part->integer, reader->fault))
		return false;
	part->has_integer = true;
	if (part->integer.primary == PICTURE_DECIMAL && isfinite(width_min) &&
	    (double)part->integer.mandatory_digits < width_min)
		part->integer.mandatory_digits = (int64_t)width_min;
	if (part->component == 'Y')
		set_year_digits(part);
	/* Digits of two numbers side by side: the first has a fixed width when read. */
	if (reader->picture->count > 1) {
		struct date_part *before = part - 1;
		if (before->has_integer)
			before->integer.parse_width = before->integer.mandatory_digits;
	}
	return true;
}

/* Splits the presentation modifiers: a last a, t, c or o is the second one. */
static char cut_second(struct str *presentation)
{
	char last = presentation->len > 1 ? presentation->data[presentation->len - 1] : '\0';

	if (last == '\0' || strchr("atco", last) == NULL)
		return '\0';
	presentation->len--;
	return last;
}

static bool read_presentation(struct reader *reader, struct date_part *part,
			      struct str presentation, double width_min)
{
	char second = cut_second(&presentation);

	if (presentation.len == 0) {
		const char *otherwise = default_presentation(part->component);
		if (otherwise == NULL) {
			*reader->fault =
				(struct fault){.code = "D3132", .value = json_string(STR(""))};
			if (part->component != 0)
				reader->fault->value =
					jsonata_component_text(reader->arena, part->component);
			return false;
		}
		presentation = str_from_c(otherwise);
	}
	part->is_traditional = second == 't';
	read_names(part, presentation);
	if (part->component == 'Z' || part->component == 'z') {
		part->has_integer = true;
		return jsonata_integer_picture(reader->arena, presentation, &part->integer,
					       reader->fault);
	}
	if (part->names == NAMES_NONE && jsonata_is_component(part->component, "YMDdFWwXxHhmsf"))
		return read_integer(reader, part, presentation, second, width_min);
	return true;
}

/* Without white space, wherever it is. */
static struct str tighten(struct arena *arena, struct str marker)
{
	char *out = arena_alloc(arena, marker.len + 1);
	size_t len = 0, size;

	for (size_t at = 0; at < marker.len; at += size) {
		size = jsonata_point_size(marker.data + at, marker.len - at);
		if (jsonata_space_size(marker.data + at, size) > 0)
			continue;
		memcpy(out + len, marker.data + at, size);
		len += size;
	}
	return str_make(out, len);
}

/* What stands between the brackets of a marker. */
static bool read_marker(struct reader *reader, struct str marker)
{
	struct str text = tighten(reader->arena, marker);
	struct date_part *part = add_part(reader);
	size_t first = text.len == 0 ? 0 : jsonata_point_size(text.data, text.len);
	size_t comma = text.len;
	double width_min = INFINITY;

	part->component = first == 0 ? 0 : jsonata_point(text.data, first);
	while (comma > 0 && text.data[comma - 1] != ',')
		comma--;
	struct str presentation = str_slice(text, first, text.len);
	if (comma > 0) {
		struct str width = str_slice(text, comma, text.len);
		bool has_max = str_find_byte(width, '-') >= 0;
		struct str min = str_cut(&width, '-');
		width_min = read_width(min, true);
		part->width_max = read_width(width, has_max);
		/* A comma that is itself the component is its presentation, too. */
		presentation =
			comma == 1 ? str_slice(text, 0, 1) : str_slice(text, first, comma - 1);
	}
	if ((isfinite(width_min) && width_min > WIDTH_MAX) ||
	    (isfinite(part->width_max) && fabs(part->width_max) > WIDTH_MAX)) {
		*reader->fault = (struct fault){.code = "U1002"};
		return false;
	}
	return read_presentation(reader, part, presentation, width_min);
}

/* Each astral character as two, for JavaScript takes the first half of one as a component. */
static struct str split(struct arena *arena, struct str text)
{
	char *out = arena_alloc(arena, text.len * 2 + 1);
	size_t len = 0, size;

	for (size_t at = 0; at < text.len; at += size) {
		size = jsonata_point_size(text.data + at, text.len - at);
		len += jsonata_put_units(out + len, jsonata_point(text.data + at, size));
	}
	return str_make(out, len);
}

static bool read_parts(struct reader *reader)
{
	struct str text = reader->text;
	size_t start = 0, at = 0;

	while (at < text.len) {
		if (text.data[at] != '[') {
			at++;
			continue;
		}
		add_literal(reader, start, at);
		if (at + 1 < text.len && text.data[at + 1] == '[') {
			add_part(reader)->literal = STR("[");
			start = at += 2;
			continue;
		}
		ptrdiff_t end = str_find_byte(str_slice(text, at, text.len), ']');
		if (end < 0) {
			*reader->fault = (struct fault){.code = "D3135"};
			return false;
		}
		if (!read_marker(reader, str_slice(text, at + 1, at + (size_t)end)))
			return false;
		start = at += (size_t)end + 1;
	}
	add_literal(reader, start, at);
	return true;
}

struct date_picture *jsonata_date_picture(struct arena *arena, struct str picture,
					  struct fault *fault)
{
	struct date_picture *out = arena_zero(arena, sizeof *out);
	struct reader reader = {
		.arena = arena, .text = split(arena, picture), .picture = out, .fault = fault};
	size_t most = 1;

	if (picture.len > 1024) {
		*fault = (struct fault){.code = "U1002"};
		return NULL;
	}
	for (size_t i = 0; i < picture.len; i++)
		most += picture.data[i] == '[' ? 2 : 0;
	out->text = picture;
	out->parts = arena_array(arena, most, sizeof *out->parts);
	return read_parts(&reader) ? out : NULL;
}

/* --- writing ------------------------------------------------------------------------------- */

struct writer {
	struct evaluation *e;
	struct buffer out;
	struct date date;
	double offset_hours;
	double offset_minutes;
};

static void append_cased(struct buffer *out, struct str text, enum date_names names)
{
	for (size_t i = 0; i < text.len; i++) {
		char c = text.data[i];
		if (names == NAMES_UPPER && c >= 'a' && c <= 'z')
			c = (char)(c - 0x20);
		if (names == NAMES_LOWER && c >= 'A' && c <= 'Z')
			c = (char)(c + 0x20);
		buffer_append_byte(out, c);
	}
}

static const char *find_name(uint32_t component, double value)
{
	if (component == 'F')
		return value >= 1 && value <= 7 ? jsonata_day_names[(int)value] : NULL;
	return value >= 1 && value <= 12 ? jsonata_month_names[(int)value - 1] : NULL;
}

static bool write_name(struct writer *w, const struct date_part *part, double value)
{
	const char *name = find_name(part->component, value);

	if (!jsonata_is_component(part->component, "MxF")) {
		jsonata_fail(w->e, "D3133", jsonata_component_text(w->e->arena, part->component));
		return false;
	}
	if (name == NULL && part->names == NAMES_TITLE && isinf(part->width_max))
		name = "undefined"; /* so the reference has it, beyond the calendar */
	if (name == NULL) {
		jsonata_fail(w->e, "D3142", json_undefined());
		return false;
	}
	struct str text = str_from_c(name);
	if (part->width_max < (double)text.len)
		text = str_slice(text, 0, part->width_max < 0 ? 0 : (size_t)part->width_max);
	append_cased(&w->out, text, part->names);
	return true;
}

/* The pictures of nearly all dates: two to four digits with zeros in front. */
static bool write_plain(struct writer *w, const struct integer_picture *picture, double value)
{
	char digits[20];
	size_t at = sizeof digits;
	uint32_t rest;

	if (picture->primary != PICTURE_DECIMAL || picture->zero != '0' || picture->is_ordinal ||
	    picture->separator_count > 0 || !(value >= 0 && value < 1e6) ||
	    picture->mandatory_digits > 10)
		return false;
	rest = (uint32_t)value;
	if (picture->mandatory_digits == 2 && rest < 100) {
		digits[0] = (char)('0' + rest / 10);
		digits[1] = (char)('0' + rest % 10);
		buffer_append(&w->out, str_make(digits, 2));
		return true;
	}
	do
		digits[--at] = (char)('0' + rest % 10);
	while ((rest /= 10) > 0);
	while ((int64_t)(sizeof digits - at) < picture->mandatory_digits)
		digits[--at] = '0';
	buffer_append(&w->out, str_make(digits + at, sizeof digits - at));
	return true;
}

static bool write_integer(struct writer *w, const struct integer_picture *picture, double value)
{
	return write_plain(w, picture, value) ||
	       jsonata_format_integer(w->e, value, picture, &w->out);
}

static bool write_offset_digits(struct writer *w, const struct integer_picture *picture,
				double offset)
{
	static const struct integer_picture two_digits = {.zero = '0', .mandatory_digits = 2};
	int64_t digits = picture->mandatory_digits;

	if (picture->regular > 0 || digits == 3 || digits == 4)
		return jsonata_format_integer(w->e, offset, picture, &w->out);
	if (digits != 1 && digits != 2) {
		jsonata_fail(w->e, "D3134",
			     picture->primary == PICTURE_DECIMAL ? json_int(digits)
								 : json_undefined());
		return false;
	}
	if (!jsonata_format_integer(w->e, w->offset_hours, picture, &w->out))
		return false;
	if (w->offset_minutes == 0)
		return true;
	buffer_append_byte(&w->out, ':');
	return jsonata_format_integer(w->e, w->offset_minutes, &two_digits, &w->out);
}

static bool write_offset(struct writer *w, const struct date_part *part)
{
	double offset = w->offset_hours * 100 + w->offset_minutes;
	size_t start = w->out.len;

	if (part->component == 'z')
		buffer_append(&w->out, STR("GMT"));
	if (offset >= 0)
		buffer_append_byte(&w->out, '+');
	if (!write_offset_digits(w, &part->integer, offset))
		return false;
	if (offset == 0 && part->is_traditional) {
		w->out.len = start;
		buffer_append_byte(&w->out, 'Z');
	}
	return true;
}

static bool write_part(struct writer *w, const struct date_part *part)
{
	double value;

	switch (part->component) {
	case '\0':
		buffer_append(&w->out, part->literal);
		return true;
	case 'C':
	case 'E':
		buffer_append(&w->out, STR("ISO"));
		return true;
	case 'P':
		value = jsonata_date_component(&w->date, 'H');
		append_cased(&w->out, value >= 12 ? STR("pm") : STR("am"),
			     part->names == NAMES_UPPER ? NAMES_UPPER : NAMES_LOWER);
		return true;
	case 'Z':
	case 'z':
		return write_offset(w, part);
	default:
		break;
	}
	value = jsonata_date_component(&w->date, part->component);
	if (part->names != NAMES_NONE && jsonata_is_component(part->component, "YMDdFWwXxHhms"))
		return write_name(w, part, value);
	if (!part->has_integer) {
		buffer_append(&w->out, STR("undefined"));
		return true;
	}
	if (part->year_modulus != 0 && !(value >= 0 && value < part->year_modulus))
		value = fmod(value, part->year_modulus);
	return write_integer(w, &part->integer, value);
}

/* JavaScript's parseInt of a timezone: "+hhmm". */
static double read_timezone(struct str text)
{
	struct str trimmed = str_trim(text);
	double sign = 1, value = 0;
	size_t at = 0, start;

	if (trimmed.len > 0 && (trimmed.data[0] == '-' || trimmed.data[0] == '+'))
		sign = trimmed.data[at++] == '-' ? -1 : 1;
	for (start = at; at < trimmed.len && trimmed.data[at] >= '0' && trimmed.data[at] <= '9';
	     at++)
		value = value * 10 + (trimmed.data[at] - '0');
	return at == start ? NAN : sign * value;
}

static const struct date_picture *find_picture(struct evaluation *e, struct json picture,
					       const struct call_site *site)
{
	struct fault fault = {0};
	struct str text = picture.type == JSON_STRING
				  ? json_str(picture)
				  : STR("[Y0001]-[M01]-[D01]T[H01]:[m01]:[s01].[f001][Z01:01t]");
	const struct date_picture *prepared = site->prepared;

	if (prepared != NULL && prepared->text.data == text.data)
		return prepared;
	e->bytes_left -= (int64_t)(text.len * sizeof(struct date_part));
	prepared = jsonata_date_picture(e->arena, text, &fault);
	if (prepared == NULL && e->fault.code == NULL)
		e->fault = fault;
	return prepared;
}

struct json jsonata_builtin_from_millis(struct evaluation *e, const struct json *a,
					const struct call_site *site)
{
	struct writer w = {.e = e};

	if (!value_is_number(a[0]))
		return json_undefined();
	if (a[2].type == JSON_STRING) {
		double offset = read_timezone(json_str(a[2]));
		w.offset_hours = floor(offset / 100);
		w.offset_minutes = fmod(offset, 100);
	}
	const struct date_picture *picture = find_picture(e, a[1], site);
	if (picture == NULL || !jsonata_spend_many(e, picture->count))
		return value_failed();
	/* Beyond the calendar the reference writes NaN; so do we. */
	w.date = jsonata_date(
		trunc(value_double(a[0]) + (60 * w.offset_hours + w.offset_minutes) * 60000));
	buffer_init(&w.out, e->arena, DATE_BYTES_MAX);
	for (uint32_t i = 0; i < picture->count; i++)
		if (!write_part(&w, &picture->parts[i]))
			return value_failed();
	e->bytes_left -= (int64_t)w.out.capacity;
	struct str text = buffer_str(&w.out);
	return jsonata_join_astral(e, value_text(text, jsonata_text_flags(text)));
}
