/* What an ATS tells of its rate limit, in one spelling. */
#include "ats/operation/run.h"

enum { NUMBER_BYTES_MAX = 32, YEAR_SECONDS = 366 * 24 * 3600 };

/* A number of seconds above a year is a moment; one in milliseconds is larger still. */
static const int64_t MOMENT_MS_MIN = 100000000000;

static bool is_digits(struct str text)
{
	for (size_t i = 0; i < text.len; i++)
		if (text.data[i] < '0' || text.data[i] > '9')
			return false;
	return text.len > 0 && text.len <= 18;
}

/* X-RateLimit-Limit, X-Rate-Limit-Limit, RateLimit-Limit. */
static struct str find_header(const struct http_response *response, struct str what)
{
	static const struct str prefixes[] = {STR_INIT("ratelimit-"), STR_INIT("x-ratelimit-"),
					      STR_INIT("x-rate-limit-")};

	for (size_t i = 0; i < response->header_count; i++) {
		struct str name = response->headers[i].name;

		for (size_t k = 0; k < sizeof prefixes / sizeof prefixes[0]; k++)
			if (str_starts_with(name, prefixes[k]) &&
			    str_equal(str_slice(name, prefixes[k].len, name.len), what))
				return str_trim(response->headers[i].value);
	}
	return (struct str){NULL, 0};
}

/* "100", "100;w=60", "100, 100;w=60": the number, with its window where it follows at once. */
static struct str read_limit(struct str value)
{
	struct str first = str_trim(str_cut(&value, ','));
	struct str rest = first;
	struct str number = str_trim(str_cut(&rest, ';'));

	if (!is_digits(number) || first.len > NUMBER_BYTES_MAX)
		return (struct str){NULL, 0};
	rest = str_trim(rest);
	return str_starts_with(rest, STR("w=")) && is_digits(str_slice(rest, 2, rest.len)) ? first
											   : number;
}

/* Seconds from now on, a moment in Unix seconds or milliseconds, or an HTTP date. */
static struct str read_reset(struct arena *arena, struct str value, int64_t now_ms)
{
	int64_t number;
	ptrdiff_t point = str_find_byte(value, '.');
	struct str whole = point < 0 ? value : str_slice(value, 0, (size_t)point);

	if (!is_digits(whole) || !str_to_int64(whole, &number)) {
		number = http_parse_retry_after_ms(value, now_ms);
		if (number < 0)
			return (struct str){NULL, 0};
		number = (number + 999) / 1000;
	} else if (number > MOMENT_MS_MIN) {
		number = (number - now_ms + 999) / 1000;
	} else if (number > YEAR_SECONDS) {
		number -= now_ms / 1000;
	} else if (point >= 0) {
		number++;
	}
	return arena_format(arena, "%lld", (long long)(number < 0 ? 0 : number));
}

/* One header for all: `limit=100, remaining=50, reset=5`, or `"default";r=50;t=5`. */
static struct str find_member(struct str value, struct str name)
{
	while (value.len > 0) {
		size_t end = 0;

		while (end < value.len && value.data[end] != ',' && value.data[end] != ';')
			end++;
		struct str member = str_trim(str_slice(value, 0, end));
		value = str_slice(value, end + 1, value.len);
		if (str_starts_with(member, name) && member.len > name.len &&
		    member.data[name.len] == '=')
			return str_slice(member, name.len + 1, member.len);
	}
	return (struct str){NULL, 0};
}

static struct str either(struct str one, struct str other)
{
	return one.len > 0 ? one : other;
}

void rate_note(struct run *run, const struct http_response *response)
{
	struct rate_limit *noted = &run->result->rate_limit;
	struct str all = http_response_header(response, "ratelimit");
	struct str remaining =
		either(find_header(response, STR("remaining")),
		       either(find_member(all, STR("remaining")), find_member(all, STR("r"))));
	struct str reset =
		either(find_header(response, STR("reset")),
		       either(find_member(all, STR("reset")), find_member(all, STR("t"))));
	struct str limit = read_limit(
		either(find_header(response, STR("limit")), find_member(all, STR("limit"))));

	/* The last reply tells; one that tells nothing leaves what is known. */
	if (limit.len == 0 && !is_digits(remaining))
		return;
	*noted = (struct rate_limit){.limit = arena_str(run->home, limit)};
	if (is_digits(remaining))
		noted->remaining = arena_str(run->home, remaining);
	if (reset.len > 0)
		noted->reset = read_reset(run->home, reset, clock_unix_ms(run->services->clock));
}
