#include "ats/model/moment.h"

#include <assert.h>

enum {
	DATE_LEN = 10,     /* 2026-03-04 */
	SECONDS_LEN = 19,  /* 2026-03-04T09:15:22 */
	FRACTION_MAX = 18, /* digits; more are no time anybody measured */
};

/* The two digits at `at`, which are there; less than 0 where one is none. */
static inline int read_pair(struct str text, size_t at)
{
	unsigned tens = (unsigned char)text.data[at] - (unsigned)'0';
	unsigned ones = (unsigned char)text.data[at + 1] - (unsigned)'0';

	return tens > 9 || ones > 9 ? -100 : (int)(tens * 10 + ones);
}

static bool is_leap(int year)
{
	return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

static int days_of(int year, int month)
{
	static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

	return month == 2 && is_leap(year) ? 29 : days[month - 1];
}

struct parts {
	int year, month, day, hour, minute, second;
};

static bool read_date(struct str text, struct parts *parts)
{
	if (text.len < DATE_LEN || text.data[4] != '-' || text.data[7] != '-')
		return false;
	int century = read_pair(text, 0), year = read_pair(text, 2);

	parts->year = century * 100 + year;
	parts->month = read_pair(text, 5);
	parts->day = read_pair(text, 8);
	return century >= 0 && year >= 0 && parts->month >= 1 && parts->month <= 12 &&
	       parts->day >= 1 && parts->day <= days_of(parts->year, parts->month);
}

static bool read_time(struct str text, struct parts *parts)
{
	char between = text.len >= SECONDS_LEN ? text.data[DATE_LEN] : '\0';

	if (between != 'T' && between != 't' && between != ' ')
		return false;
	if (text.data[13] != ':' || text.data[16] != ':')
		return false;
	parts->hour = read_pair(text, 11);
	parts->minute = read_pair(text, 14);
	parts->second = read_pair(text, 17);
	return parts->hour >= 0 && parts->hour <= 23 && parts->minute >= 0 && parts->minute <= 59 &&
	       parts->second >= 0 && parts->second <= 60;
}

/* ".481930", or nothing. */
static bool read_fraction(struct str text, struct str *fraction)
{
	size_t at = SECONDS_LEN + 1;

	*fraction = str_slice(text, SECONDS_LEN, SECONDS_LEN);
	if (text.len <= SECONDS_LEN || text.data[SECONDS_LEN] != '.')
		return true;
	while (at < text.len && text.data[at] >= '0' && text.data[at] <= '9')
		at++;
	*fraction = str_slice(text, SECONDS_LEN, at);
	return fraction->len > 1 && fraction->len <= FRACTION_MAX + 1;
}

/* "Z", "+02:00", "+0200", " UTC": minutes before UTC. */
static bool read_offset(struct str zone, int *minutes)
{
	int hour, minute;

	*minutes = 0;
	if (str_equal(zone, STR("Z")) || str_equal(zone, STR("z")) || str_equal(zone, STR(" UTC")))
		return true;
	zone = str_slice(zone, zone.len > 0 && zone.data[0] == ' ', zone.len);
	if (zone.len < 5 || (zone.data[0] != '+' && zone.data[0] != '-'))
		return false;
	size_t at = zone.data[3] == ':' ? 4 : 3;
	if (zone.len != at + 2)
		return false;
	hour = read_pair(zone, 1);
	minute = read_pair(zone, at);
	if (hour < 0 || hour > 23 || minute < 0 || minute > 59)
		return false;
	*minutes = (hour * 60 + minute) * (zone.data[0] == '-' ? -1 : 1);
	return true;
}

static void add_day(struct parts *parts)
{
	if (++parts->day <= days_of(parts->year, parts->month))
		return;
	parts->day = 1;
	if (++parts->month <= 12)
		return;
	parts->month = 1;
	parts->year++;
}

static void subtract_day(struct parts *parts)
{
	if (--parts->day >= 1)
		return;
	if (--parts->month < 1) {
		parts->month = 12;
		parts->year--;
	}
	parts->day = days_of(parts->year, parts->month);
}

/* By less than a day either way. */
static bool subtract_minutes(struct parts *parts, int minutes)
{
	int of_day = parts->hour * 60 + parts->minute - minutes;

	if (of_day < 0) {
		of_day += 24 * 60;
		subtract_day(parts);
	} else if (of_day >= 24 * 60) {
		of_day -= 24 * 60;
		add_day(parts);
	}
	parts->hour = of_day / 60;
	parts->minute = of_day % 60;
	return parts->year >= 0 && parts->year <= 9999;
}

bool moment_to_utc(struct arena *arena, struct str text, struct str *out)
{
	struct parts parts;
	struct str fraction;
	int minutes;

	if (!read_date(text, &parts))
		return false;
	if (text.len == DATE_LEN) {
		*out = arena_format(arena, "%.*sT00:00:00Z", STR_ARGS(text));
		return true;
	}
	if (!read_time(text, &parts) || !read_fraction(text, &fraction))
		return false;
	struct str zone = str_slice(text, SECONDS_LEN + fraction.len, text.len);
	if (zone.len == 1 && zone.data[0] == 'Z' && text.data[DATE_LEN] == 'T') {
		*out = text;
		return true;
	}
	if (!read_offset(zone, &minutes) || !subtract_minutes(&parts, minutes))
		return false;
	*out = arena_format(arena, "%04d-%02d-%02dT%02d:%02d:%02d%.*sZ", parts.year, parts.month,
			    parts.day, parts.hour, parts.minute, parts.second, STR_ARGS(fraction));
	return true;
}

bool moment_to_date(struct str text, struct str *out)
{
	struct parts parts;

	if (!read_date(text, &parts) || (text.len > DATE_LEN && !read_time(text, &parts)))
		return false;
	*out = str_slice(text, 0, DATE_LEN);
	return true;
}
