#include "base/zone.h"

#include <pthread.h>

enum {
	HEADER_BYTES = 44,
	FILE_BYTES_MAX = 256 * 1024,
	NAME_BYTES_MAX = 64,
	DAY_S = 86400,
};

/* "M10.5.0/3": on the last Sunday of October at 3 o'clock. */
struct turn {
	int64_t month, week, day;
	int64_t at_s;
};

/* What holds after the last transition, as POSIX writes it: "CET-1CEST,M3.5.0,M10.5.0/3". */
struct rule {
	bool is_there;
	bool has_summer;
	int64_t winter_s, summer_s;
	struct turn begins, ends;
};

struct zone {
	struct str name;
	const unsigned char *times; /* eight bytes each, rising */
	const unsigned char *kinds; /* of each, an index of a type */
	const unsigned char *types; /* six bytes each: offset, whether it is summer, a name */
	size_t time_count;
	size_t type_count;
	struct rule rule;
	const struct zone *next;
};

/* --- a file ---------------------------------------------------------------------------------- */

struct header {
	size_t utc_count, standard_count, leap_count, time_count, type_count, char_count;
};

static uint64_t big_endian(const unsigned char *bytes, size_t count)
{
	uint64_t number = 0;

	for (size_t i = 0; i < count; i++)
		number = number << 8 | bytes[i];
	return number;
}

static bool read_header(struct str *bytes, struct header *header)
{
	const unsigned char *at = (const unsigned char *)bytes->data + 20;

	if (bytes->len < HEADER_BYTES || !str_starts_with(*bytes, STR("TZif")) ||
	    bytes->data[4] < '2')
		return false;
	header->utc_count = big_endian(at, 4);
	header->standard_count = big_endian(at + 4, 4);
	header->leap_count = big_endian(at + 8, 4);
	header->time_count = big_endian(at + 12, 4);
	header->type_count = big_endian(at + 16, 4);
	header->char_count = big_endian(at + 20, 4);
	*bytes = str_slice(*bytes, HEADER_BYTES, bytes->len);
	return header->type_count > 0;
}

/* Of what follows the header, with times of so many bytes. */
static size_t body_bytes(const struct header *header, size_t width)
{
	return header->time_count * (width + 1) + header->type_count * 6 + header->char_count +
	       header->leap_count * (width + 4) + header->standard_count + header->utc_count;
}

/* --- the rule -------------------------------------------------------------------------------- */

static bool take_name(struct str *text)
{
	size_t end = 0;

	if (str_starts_with(*text, STR("<"))) {
		ptrdiff_t close = str_find_byte(*text, '>');

		end = close < 0 ? 0 : (size_t)close + 1;
	} else {
		while (end < text->len && ((text->data[end] | 0x20) >= 'a') &&
		       ((text->data[end] | 0x20) <= 'z'))
			end++;
	}
	*text = str_slice(*text, end, text->len);
	return end >= 3;
}

static bool take_number(struct str *text, int64_t *number)
{
	size_t end = 0;

	*number = 0;
	while (end < text->len && end < 4 && text->data[end] >= '0' && text->data[end] <= '9')
		*number = *number * 10 + (text->data[end++] - '0');
	*text = str_slice(*text, end, text->len);
	return end > 0;
}

static bool take_byte(struct str *text, char byte)
{
	bool is_there = text->len > 0 && text->data[0] == byte;

	*text = str_slice(*text, is_there, text->len);
	return is_there;
}

/* "-3:30" in seconds. */
static bool take_time(struct str *text, int64_t *seconds)
{
	bool is_negative = take_byte(text, '-');
	int64_t unit = 3600, part;

	*seconds = 0;
	if (!is_negative)
		take_byte(text, '+');
	do {
		if (!take_number(text, &part))
			return false;
		*seconds += part * unit;
		unit /= 60;
	} while (unit > 0 && take_byte(text, ':'));
	*seconds = is_negative ? -*seconds : *seconds;
	return true;
}

static bool take_turn(struct str *text, struct turn *turn)
{
	turn->at_s = 2 * 3600;
	return take_byte(text, ',') && take_byte(text, 'M') && take_number(text, &turn->month) &&
	       take_byte(text, '.') && take_number(text, &turn->week) && take_byte(text, '.') &&
	       take_number(text, &turn->day) && turn->month >= 1 && turn->month <= 12 &&
	       turn->week >= 1 && turn->week <= 5 && turn->day <= 6 &&
	       (!take_byte(text, '/') || take_time(text, &turn->at_s));
}

/* POSIX counts what is behind UTC. */
static bool read_rule(struct str text, struct rule *rule)
{
	int64_t behind_s;

	if (!take_name(&text) || !take_time(&text, &behind_s))
		return false;
	rule->is_there = true;
	rule->winter_s = -behind_s;
	rule->summer_s = rule->winter_s + 3600;
	if (text.len == 0)
		return true;
	if (!take_name(&text))
		return false;
	if (text.len > 0 && text.data[0] != ',') {
		if (!take_time(&text, &behind_s))
			return false;
		rule->summer_s = -behind_s;
	}
	rule->has_summer = true;
	return take_turn(&text, &rule->begins) && take_turn(&text, &rule->ends) && text.len == 0;
}

struct zone *zone_parse(struct arena *arena, struct str name, struct str bytes, struct error *err)
{
	struct zone *zone = arena_zero(arena, sizeof *zone);
	struct str rest = bytes;
	struct header header;
	bool ok = read_header(&rest, &header) && body_bytes(&header, 4) <= rest.len;

	rest = ok ? str_slice(rest, body_bytes(&header, 4), rest.len) : rest;
	ok = ok && read_header(&rest, &header) && body_bytes(&header, 8) + 2 <= rest.len;
	if (ok) {
		struct str footer = str_slice(rest, body_bytes(&header, 8) + 1, rest.len);

		zone->name = name;
		zone->times = (const unsigned char *)rest.data;
		zone->kinds = zone->times + header.time_count * 8;
		zone->types = zone->kinds + header.time_count;
		zone->time_count = header.time_count;
		zone->type_count = header.type_count;
		footer = str_cut(&footer, '\n');
		ok = footer.len == 0 || read_rule(footer, &zone->rule);
	}
	for (size_t i = 0; ok && i < zone->time_count; i++)
		ok = zone->kinds[i] < zone->type_count;
	if (ok)
		return zone;
	error_set(err, ERROR_INVALID, "the file of the time zone %.*s cannot be read",
		  STR_ARGS(name));
	return NULL;
}

/* --- a moment -------------------------------------------------------------------------------- */

/* Days from 1970-01-01 to the first of a month. */
static int64_t days_to(int64_t year, int64_t month)
{
	int64_t y = month <= 2 ? year - 1 : year, m = month <= 2 ? month + 12 : month;
	int64_t era = (y >= 0 ? y : y - 399) / 400, of_era = y - era * 400;

	return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + (153 * (m - 3) + 2) / 5 -
	       719468;
}

/* Seconds from 1970 to the turn in this year, by the clock that holds before it. */
static int64_t turn_in(const struct turn *turn, int64_t year)
{
	int64_t first = days_to(year, turn->month);
	int64_t next = turn->month == 12 ? days_to(year + 1, 1) : days_to(year, turn->month + 1);
	int64_t weekday = ((first + 4) % 7 + 7) % 7; /* 1970-01-01 was a Thursday */
	int64_t day = first + (turn->day - weekday + 7) % 7 + (turn->week - 1) * 7;

	while (day >= next)
		day -= 7;
	return day * DAY_S + turn->at_s;
}

static int64_t rule_offset(const struct rule *rule, int64_t unix_s)
{
	int64_t local_s = unix_s + rule->winter_s, year = 1970 + local_s / (DAY_S * 366LL);

	if (!rule->has_summer)
		return rule->winter_s;
	while (days_to(year + 1, 1) * DAY_S <= local_s)
		year++;
	int64_t begins_s = turn_in(&rule->begins, year) - rule->winter_s;
	int64_t ends_s = turn_in(&rule->ends, year) - rule->summer_s;
	bool is_summer = begins_s < ends_s ? unix_s >= begins_s && unix_s < ends_s
					   : unix_s >= begins_s || unix_s < ends_s;

	return is_summer ? rule->summer_s : rule->winter_s;
}

int64_t zone_offset_s(const struct zone *zone, int64_t unix_s)
{
	size_t low = 0, high = zone->time_count; /* transitions before `low` are not after it */
	size_t kind = 0;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if ((int64_t)big_endian(zone->times + middle * 8, 8) <= unix_s)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == zone->time_count && zone->rule.is_there)
		return rule_offset(&zone->rule, unix_s);
	if (low > 0)
		kind = zone->kinds[low - 1];
	return (int32_t)(uint32_t)big_endian(zone->types + kind * 6, 4);
}

struct str zone_name(const struct zone *zone)
{
	return zone->name;
}

/* --- those of the machine -------------------------------------------------------------------- */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* of what follows */
static const struct zone *zones;

static bool is_name(struct str name)
{
	bool is_good = name.len > 0 && name.len <= NAME_BYTES_MAX && name.data[0] != '/';

	for (size_t i = 0; is_good && i < name.len; i++) {
		char c = name.data[i], lower = (char)(c | 0x20);

		is_good = (lower >= 'a' && lower <= 'z') || (c >= '0' && c <= '9') || c == '/' ||
			  c == '_' || c == '-' || c == '+';
	}
	return is_good;
}

/* What is found lives as long as the process, with its arena. */
static const struct zone *load(const struct disk *disk, struct str name, struct error *err)
{
	struct zone *zone = NULL;
	struct arena arena;
	struct str bytes;

	arena_init(&arena, 4 * FILE_BYTES_MAX);
	const char *path =
		arena_c(&arena, arena_format(&arena, "/usr/share/zoneinfo/%.*s", STR_ARGS(name)));
	if (disk_read(disk, &arena, path, FILE_BYTES_MAX, &bytes, err))
		zone = zone_parse(&arena, arena_str(&arena, name), bytes, err);
	if (zone == NULL) {
		arena_finish(&arena);
		return NULL;
	}
	zone->next = zones;
	return zones = zone;
}

const struct zone *zone_find(const struct disk *disk, struct str name, struct error *err)
{
	const struct zone *zone = NULL;

	if (is_name(name)) {
		pthread_mutex_lock(&lock);
		for (zone = zones; zone != NULL && !str_equal(zone->name, name);)
			zone = zone->next;
		if (zone == NULL)
			zone = load(disk, name, err);
		pthread_mutex_unlock(&lock);
	}
	if (zone == NULL)
		error_set(err, ERROR_NOT_FOUND, "this machine knows no time zone %.*s",
			  STR_ARGS(str_slice(name, 0, NAME_BYTES_MAX)));
	return zone;
}
