#include "base/clock.h"

#include <time.h>

static int64_t read_clock(clockid_t id)
{
	struct timespec now;

	if (clock_gettime(id, &now) != 0)
		die("the system has no clock %d", (int)id);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static int64_t system_monotonic_ns(void *context)
{
	(void)context;
	return read_clock(CLOCK_MONOTONIC);
}

static int64_t system_unix_ns(void *context)
{
	(void)context;
	return read_clock(CLOCK_REALTIME);
}

const struct clock *clock_system(void)
{
	static const struct clock system = {system_monotonic_ns, system_unix_ns, NULL};

	return &system;
}

struct str clock_format_ms(struct arena *arena, int64_t unix_ms)
{
	int64_t ms = unix_ms % 1000;
	time_t seconds = (time_t)(unix_ms / 1000);
	struct tm parts;

	if (ms < 0) {
		ms += 1000;
		seconds--;
	}
	gmtime_r(&seconds, &parts);
	return arena_format(arena, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", parts.tm_year + 1900,
			    parts.tm_mon + 1, parts.tm_mday, parts.tm_hour, parts.tm_min,
			    parts.tm_sec, (int)ms);
}

/* Reads exactly `count` digits. */
static bool read_digits(struct str *s, int count, int64_t *out)
{
	int64_t value = 0;

	if (s->len < (size_t)count)
		return false;
	for (int i = 0; i < count; i++) {
		int digit = s->data[i] - '0';
		if (digit < 0 || digit > 9)
			return false;
		value = value * 10 + digit;
	}
	*s = str_slice(*s, (size_t)count, s->len);
	*out = value;
	return true;
}

static bool read_byte(struct str *s, char wanted)
{
	if (s->len == 0 || s->data[0] != wanted)
		return false;
	*s = str_slice(*s, 1, s->len);
	return true;
}

/* At least one digit; what is finer than a nanosecond is cut off. */
static bool read_fraction_ns(struct str *s, int64_t *ns)
{
	size_t before = s->len;
	int64_t unit = 100000000;

	*ns = 0;
	while (s->len > 0 && s->data[0] >= '0' && s->data[0] <= '9') {
		*ns += (s->data[0] - '0') * unit;
		unit /= 10;
		*s = str_slice(*s, 1, s->len);
	}
	return s->len < before;
}

static bool read_offset_s(struct str *s, int64_t *offset)
{
	int64_t hours, minutes;

	if (read_byte(s, 'Z') || read_byte(s, 'z')) {
		*offset = 0;
		return true;
	}
	int64_t sign = s->len > 0 && s->data[0] == '-' ? -1 : 1;
	if (!read_byte(s, '+') && !read_byte(s, '-'))
		return false;
	if (!read_digits(s, 2, &hours) || !read_byte(s, ':') || !read_digits(s, 2, &minutes) ||
	    hours > 23 || minutes > 59)
		return false;
	*offset = sign * (hours * 3600 + minutes * 60);
	return true;
}

/* Days from 1970-01-01 in the Gregorian calendar, for years from 1 on (H. Hinnant's algorithm). */
static int64_t days_from_civil(int64_t year, int64_t month, int64_t day)
{
	year -= month <= 2;
	int64_t era = year / 400;
	int64_t year_of_era = year - era * 400;
	int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
	int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;

	return era * 146097 + day_of_era - 719468;
}

static int64_t days_of_month(int64_t year, int64_t month)
{
	bool is_leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

	if (month == 2)
		return is_leap ? 29 : 28;
	return month == 4 || month == 6 || month == 9 || month == 11 ? 30 : 31;
}

bool clock_parse(struct str s, int64_t *unix_ns)
{
	int64_t year, month, day, hour, minute, second, ns = 0, offset;

	if (!read_digits(&s, 4, &year) || !read_byte(&s, '-') || !read_digits(&s, 2, &month) ||
	    !read_byte(&s, '-') || !read_digits(&s, 2, &day))
		return false;
	if (!read_byte(&s, 'T') && !read_byte(&s, 't') && !read_byte(&s, ' '))
		return false;
	if (!read_digits(&s, 2, &hour) || !read_byte(&s, ':') || !read_digits(&s, 2, &minute) ||
	    !read_byte(&s, ':') || !read_digits(&s, 2, &second))
		return false;
	if (read_byte(&s, '.') && !read_fraction_ns(&s, &ns))
		return false;
	if (!read_offset_s(&s, &offset) || s.len > 0)
		return false;
	if (month < 1 || month > 12 || day < 1 || day > days_of_month(year, month) || hour > 23 ||
	    minute > 59 || second > 60 || year < 1678 || year > 2261)
		return false;
	int64_t seconds = days_from_civil(year, month, day) * 86400 + hour * 3600 + minute * 60 +
			  second - offset;
	*unix_ns = seconds * 1000000000 + ns;
	return true;
}
