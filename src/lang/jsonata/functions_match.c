/* Functions that take a text or a matcher: $match, $contains, $replace, $split. A matcher is a
 * regular expression, or a function that answers an object as one does. */
#include <math.h>

#include "lang/jsonata/builtin.h"
#include "lang/jsonata/function.h"
#include "lang/jsonata/regex.h"
#include "lang/jsonata/text.h"

/* Walks over the matches of either kind of matcher. */
struct matcher {
	struct evaluation *e;
	struct json function;
	struct json text;
	const struct regex *regex; /* NULL: a function of the user's */
	bool is_started;
	/* the current match */
	struct regex_match match;
	struct json object;
	struct json found;
	size_t start, end; /* bytes in text */
};

static struct json member(struct json object, const char *key)
{
	return json_get_c(object, key);
}

/* Byte offset of a UTF-16 offset. */
static size_t offset_of_units(struct json text, double units)
{
	size_t at = 0;

	if ((text.flags & JSON_ASCII) != 0)
		return units < 0 ? 0 : units > text.count ? text.count : (size_t)units;
	while (at < text.count && units > 0) {
		size_t size = jsonata_point_size(text.text + at, text.count - at);
		units -= size == 4 ? 2 : 1;
		at += size;
	}
	return at;
}

static int take_object(struct matcher *m, struct json object)
{
	if (value_is_sequence(object))
		object = jsonata_settle(object, false);
	if (value_is_failed(object))
		return -1;
	if (value_is_undefined(object))
		return 0;
	struct json start = member(object, "start"), end = member(object, "end");
	if (!value_is_number(start) && !value_is_number(end) &&
	    !value_is_array(member(object, "groups")) &&
	    !value_is_function(member(object, "next"))) {
		jsonata_fail(m->e, "T1010", json_undefined());
		return -1;
	}
	m->object = object;
	m->found = member(object, "match");
	m->start = value_is_number(start) ? offset_of_units(m->text, value_double(start)) : 0;
	m->end = value_is_number(end) ? offset_of_units(m->text, value_double(end)) : m->start;
	return 1;
}

static int take_match(struct matcher *m, int found)
{
	if (found != 1)
		return found;
	m->start = m->match.start;
	m->end = m->match.end;
	m->found = jsonata_text_part(m->text, m->start, m->end);
	return 1;
}

static void start(struct matcher *m, struct evaluation *e, struct json text, struct json function)
{
	*m = (struct matcher){.e = e, .text = text, .function = function};
	if (value_is_function(function) && value_function_kind(function) == FUNCTION_REGEX)
		m->regex = function.pointer;
}

/* The next match: 1, 0 when there is none, -1 for a failure. */
static APART int advance(struct matcher *m)
{
	bool is_first = !m->is_started;

	m->is_started = true;
	if (!jsonata_spend(m->e))
		return -1;
	if (m->regex != NULL && is_first)
		return take_match(m, jsonata_regex_match(m->e, m->regex, m->text, 0, &m->match));
	if (m->regex != NULL)
		return take_match(m, jsonata_regex_match_next(m->e, m->regex, m->text, &m->match));
	if (is_first)
		return take_object(m, jsonata_apply(m->e, m->function, &m->text, 1, json_null()));
	return take_object(m, jsonata_apply(m->e, member(m->object, "next"), NULL, 0, json_null()));
}

static struct json groups_of(struct matcher *m)
{
	if (m->regex == NULL)
		return member(m->object, "groups");
	struct json *groups = jsonata_take_items(m->e, m->match.group_count);

	if (groups == NULL)
		return value_failed();
	for (uint32_t i = 0; i < m->match.group_count; i++)
		groups[i] = jsonata_regex_group(m->text, &m->match, i);
	return json_array(groups, m->match.group_count);
}

static struct json describe(struct matcher *m)
{
	struct json_member *members = jsonata_take(m->e, 3 * sizeof *members);
	struct json groups = members == NULL ? value_failed() : groups_of(m);
	size_t index;

	if (value_is_failed(groups))
		return groups;
	index = jsonata_units(jsonata_text_part(m->text, 0, m->start));
	members[0] = json_member(STR("match"), m->found);
	members[1] = json_member(STR("index"), json_int((int64_t)index));
	members[2] = json_member(STR("groups"), groups);
	return json_object(members, 3);
}

/* A limit of matches; -1 fails. Infinity when none is given. */
static double read_limit(struct evaluation *e, struct json limit, const char *code, uint32_t index)
{
	if (!value_is_number(limit))
		return INFINITY;
	double value = value_double(limit);
	if (value < 0) {
		jsonata_fail(e, code, limit);
		e->fault.index = index;
		return -1;
	}
	return value;
}

struct json jsonata_builtin_match(struct evaluation *e, const struct json *a,
				  const struct call_site *site)
{
	uint32_t base = e->top;
	struct matcher m;
	double count = 0, limit;
	int found = 0;

	(void)site;
	if (a[0].type != JSON_STRING)
		return json_undefined();
	limit = read_limit(e, a[2], "D3040", 3);
	if (limit < 0)
		return value_failed();
	start(&m, e, a[0], a[1]);
	if (limit > 0)
		found = advance(&m);
	while (found == 1 && count < limit) {
		struct json described = describe(&m);
		if (value_is_failed(described) || !jsonata_push(e, described))
			return value_failed();
		found = advance(&m);
		count++;
	}
	if (found < 0)
		return value_failed();
	return jsonata_finish_array(e, base, MARK_SEQUENCE);
}

struct json jsonata_builtin_contains(struct evaluation *e, const struct json *a,
				     const struct call_site *site)
{
	struct matcher m;

	(void)site;
	if (a[0].type != JSON_STRING || value_is_undefined(a[1]))
		return json_undefined();
	if (a[1].type == JSON_STRING)
		return json_bool(str_find(json_str(a[0]), json_str(a[1])) >= 0);
	start(&m, e, a[0], a[1]);
	int found = advance(&m);
	return found < 0 ? value_failed() : json_bool(found == 1);
}

/* --- replace ------------------------------------------------------------------------------- */

static bool push_part(struct evaluation *e, struct json text, size_t from, size_t to)
{
	return from >= to || jsonata_push(e, jsonata_text_part(text, from, to));
}

/* Up to `max` digits at `at`; -1 for none. *digits is how many JavaScript's number has. */
static int64_t read_digits(struct str s, size_t at, size_t max, size_t *digits)
{
	int64_t value = -1;

	for (size_t i = 0; i < max && at + i < s.len; i++) {
		char c = s.data[at + i];
		if (c < '0' || c > '9')
			break;
		value = (value < 0 ? 0 : value) * 10 + (c - '0');
	}
	*digits = 1;
	for (int64_t rest = value; rest >= 10; rest /= 10)
		(*digits)++;
	return value;
}

static bool push_group(struct matcher *m, struct json groups, int64_t index)
{
	struct json group;

	if (index < 1 || index > groups.count)
		return true;
	group = groups.items[index - 1];
	return group.type != JSON_STRING || jsonata_push(m->e, group);
}

/* What a $ at `at` - 1 stands for; returns where the text goes on, 0 for a failure. */
static size_t push_reference(struct matcher *m, struct json replacement, size_t at,
			     struct json groups)
{
	struct str s = json_str(replacement);
	char c = at < s.len ? s.data[at] : '\0';
	size_t max = 1, digits;
	int64_t index;

	if (c == '$')
		return jsonata_push(m->e, jsonata_text_part(replacement, at, at + 1)) ? at + 1 : 0;
	if (c == '0')
		return jsonata_push(m->e, m->found) ? at + 1 : 0;
	for (uint32_t rest = groups.count; rest >= 10; rest /= 10)
		max++;
	index = read_digits(s, at, max, &digits);
	if (max > 1 && index > groups.count)
		index = read_digits(s, at, max - 1, &digits);
	if (index < 0)
		return jsonata_push(m->e, jsonata_text_part(replacement, at - 1, at)) ? at : 0;
	return push_group(m, groups, index) ? at + digits : 0;
}

static APART bool push_substitute(struct matcher *m, struct json replacement)
{
	struct str s = json_str(replacement);
	struct json groups = groups_of(m);
	size_t at = 0;

	if (value_is_failed(groups))
		return false;
	if (groups.type != JSON_ARRAY)
		groups = json_array(NULL, 0);
	while (at < s.len) {
		ptrdiff_t dollar = str_find_byte(str_slice(s, at, s.len), '$');
		if (dollar < 0)
			break;
		if (!push_part(m->e, replacement, at, at + (size_t)dollar))
			return false;
		at = push_reference(m, replacement, at + (size_t)dollar + 1, groups);
		if (at == 0)
			return false;
	}
	return push_part(m->e, replacement, at, s.len);
}

/* The user's function makes the text that a match becomes. */
static APART bool push_computed(struct matcher *m, struct json function)
{
	struct json match = m->object;

	if (m->regex != NULL) {
		match = jsonata_regex_describe(m->e, m->regex, m->text, &m->match);
		if (value_is_failed(match))
			return false;
	}
	size_t start_before = m->start, end_before = m->end;
	struct regex_match kept = m->match;
	struct json value = jsonata_apply(m->e, function, &match, 1, json_null());
	m->match = kept;
	m->start = start_before;
	m->end = end_before;
	if (value_is_sequence(value))
		value = jsonata_settle(value, false);
	if (value_is_failed(value))
		return false;
	if (value.type == JSON_STRING)
		return jsonata_push(m->e, value);
	jsonata_fail(m->e, "D3012", value);
	return false;
}

static struct json finish_text(struct evaluation *e, uint32_t base)
{
	struct json text = jsonata_concat(e, e->scratch + base, e->top - base);

	e->top = base;
	return text;
}

static APART struct json replace_matches(struct evaluation *e, const struct json *a, double limit)
{
	uint32_t base = e->top;
	struct matcher m;
	size_t position = 0;
	int found;

	start(&m, e, a[0], a[1]);
	found = advance(&m);
	if (found == 0)
		return a[0];
	for (double count = 0; found == 1 && count < limit; count++) {
		if (!push_part(e, a[0], position, m.start))
			return value_failed();
		bool is_done = a[2].type == JSON_STRING ? push_substitute(&m, a[2])
							: push_computed(&m, a[2]);
		if (!is_done)
			return value_failed();
		position = m.start + (m.found.type == JSON_STRING ? m.found.count : 0);
		found = advance(&m);
	}
	if (found < 0 || !push_part(e, a[0], position, a[0].count))
		return value_failed();
	return finish_text(e, base);
}

static APART struct json replace_text(struct evaluation *e, const struct json *a, double limit)
{
	uint32_t base = e->top;
	struct str s = json_str(a[0]), what = json_str(a[1]);
	size_t position = 0;

	/* A replacement that is no text is spelt as JavaScript would. */
	struct json replacement = a[2].type == JSON_STRING
					  ? a[2]
					  : value_text(STR("undefined"), JSON_PLAIN | JSON_ASCII);
	for (double count = 0; count < limit; count++) {
		ptrdiff_t at = str_find(str_slice(s, position, s.len), what);
		if (at < 0)
			break;
		if (!jsonata_spend(e) || !push_part(e, a[0], position, position + (size_t)at) ||
		    !jsonata_push(e, replacement))
			return value_failed();
		position += (size_t)at + what.len;
	}
	if (position == 0)
		return a[0];
	if (!push_part(e, a[0], position, s.len))
		return value_failed();
	return finish_text(e, base);
}

struct json jsonata_builtin_replace(struct evaluation *e, const struct json *a,
				    const struct call_site *site)
{
	(void)site;
	if (a[0].type != JSON_STRING)
		return json_undefined();
	if (a[1].type == JSON_STRING && a[1].count == 0) {
		jsonata_fail(e, "D3010", a[1]);
		e->fault.index = 2;
		return value_failed();
	}
	double limit = read_limit(e, a[3], "D3011", 4);
	if (limit < 0)
		return value_failed();
	if (limit == 0)
		return a[0];
	if (a[1].type == JSON_STRING)
		return replace_text(e, a, limit);
	if (!value_is_function(a[1]))
		return a[0];
	return replace_matches(e, a, limit);
}

/* --- split --------------------------------------------------------------------------------- */

static bool push_points(struct evaluation *e, struct json text, double limit)
{
	size_t size;

	for (size_t at = 0; at < text.count && limit > 0; at += size, limit--) {
		size = jsonata_point_size(text.text + at, text.count - at);
		if (!jsonata_spend(e))
			return false;
		if (size < 4) {
			if (!jsonata_push(e, jsonata_text_part(text, at, at + size)))
				return false;
			continue;
		}
		/* JavaScript splits an astral character into its surrogates. */
		uint32_t point = jsonata_point(text.text + at, size) - 0x10000;
		char *halves = jsonata_take_text(e, 6);
		if (halves == NULL)
			return false;
		jsonata_put_point(halves, 0xd800 + (point >> 10));
		jsonata_append_unit(halves + 3, 0, 0xdc00 + (point & 0x3ff));
		if (!jsonata_push(e, value_text(str_make(halves, 3), 0)))
			return false;
		if (--limit > 0 && !jsonata_push(e, value_text(str_make(halves + 3, 3), 0)))
			return false;
	}
	return true;
}

static bool push_between(struct evaluation *e, struct json text, struct str separator, double limit)
{
	struct str s = json_str(text);
	size_t position = 0;

	for (double count = 0; count < limit; count++) {
		ptrdiff_t at = str_find(str_slice(s, position, s.len), separator);
		size_t end = at < 0 ? s.len : position + (size_t)at;
		if (!jsonata_spend(e) || !jsonata_push(e, jsonata_text_part(text, position, end)))
			return false;
		if (at < 0)
			return true;
		position = end + separator.len;
	}
	return true;
}

static bool push_between_matches(struct evaluation *e, struct json text, struct json function,
				 double limit)
{
	struct matcher m;
	size_t position = 0;
	double count = 0;

	start(&m, e, text, function);
	int found = advance(&m);
	for (; found == 1 && count < limit; count++) {
		size_t end = m.start < position ? position : m.start;
		if (!jsonata_push(e, jsonata_text_part(text, position, end)))
			return false;
		position = m.end < position ? position : m.end;
		found = advance(&m);
	}
	if (found < 0)
		return false;
	return !(count < limit) || jsonata_push(e, jsonata_text_part(text, position, text.count));
}

struct json jsonata_builtin_split(struct evaluation *e, const struct json *a,
				  const struct call_site *site)
{
	uint32_t base = e->top;
	bool is_done = true;

	(void)site;
	if (a[0].type != JSON_STRING)
		return json_undefined();
	double limit = read_limit(e, a[2], "D3020", 3);
	if (limit < 0)
		return value_failed();
	if (a[1].type == JSON_STRING && isfinite(limit))
		limit = trunc(limit);
	if (limit > 0 && a[1].type == JSON_STRING)
		is_done = a[1].count == 0 ? push_points(e, a[0], limit)
					  : push_between(e, a[0], json_str(a[1]), limit);
	else if (limit > 0 && value_is_function(a[1]))
		is_done = push_between_matches(e, a[0], a[1], limit);
	else if (limit > 0)
		is_done = jsonata_push(e, a[0]);
	return is_done ? jsonata_finish_array(e, base, 0) : value_failed();
}
