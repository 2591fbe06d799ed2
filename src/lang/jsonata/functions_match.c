/* Functions that take a text or a matcher: $match, $contains, $replace, $split. A matcher is a
 * regular expression, or a function that answers an object as one does. */
#include <math.h>

#include "lang/jsonata/builtin.h"
#include "lang/jsonata/function.h"
#include "lang/jsonata/regex.h"
#include "lang/jsonata/text.h"

/* Walks over the matches of either kind of matcher. Places are bytes of the text; NAN is one that a
 * function of the user's does not tell. */
struct matcher {
	struct evaluation *e;
	struct json function;
	struct json given;	   /* to a function of the user's */
	struct json text;	   /* the same, in units */
	struct regex_value *regex; /* NULL: a function of the user's */
	bool is_started;
	bool is_test; /* whether there is a match is all that is asked */
	/* the current match */
	struct regex_match match;
	struct json object;
	struct json found;
	double start, end;
	double after; /* where the text goes on when it is replaced */
};

static struct json member(struct json object, const char *key)
{
	return json_get_c(object, key);
}

static double place_of_units(struct json text, double units)
{
	units = trunc(units);
	if (units >= text.count)
		units = text.count;
	return (double)jsonata_unit_offset(text, units < 0 ? 0 : (size_t)units);
}

static double place_of(struct matcher *m, struct json value)
{
	return value_is_number(value) ? place_of_units(m->text, value_double(value)) : NAN;
}

static int refuse_object(struct matcher *m)
{
	jsonata_fail(m->e, "T1010", json_undefined());
	return -1;
}

static bool has_length(struct json value)
{
	return value.type == JSON_STRING || value.type == JSON_ARRAY;
}

static double length_of(struct json value)
{
	return value.type == JSON_STRING ? (double)jsonata_units(value) : value.count;
}

static int take_object(struct matcher *m, struct json object)
{
	if (value_is_failed(object))
		return -1;
	if (value_is_undefined(object))
		return 0;
	/* What counts as false passes the reference's check, and is a match that has nothing. */
	if (m->is_test && jsonata_truth(m->e, object) == 0 && object.type < JSON_ARRAY)
		return 1;
	struct json start = member(object, "start");
	if (!value_is_number(start) && !value_is_array(member(object, "groups")) &&
	    !value_is_function(member(object, "next")))
		return refuse_object(m);
	m->object = object;
	m->found = member(object, "match");
	m->start = place_of(m, start);
	m->end = place_of(m, member(object, "end"));
	m->after = NAN;
	if (value_is_number(start) && has_length(m->found))
		m->after = place_of_units(m->text, value_double(start) + length_of(m->found));
	return 1;
}

static int take_match(struct matcher *m, int found)
{
	if (found != 1)
		return found;
	m->start = (double)m->match.start;
	m->after = m->end = (double)m->match.end;
	m->found =
		jsonata_join_astral(m->e, jsonata_text_part(m->text, m->match.start, m->match.end));
	return value_is_failed(m->found) ? -1 : 1;
}

/* What tells of a match is written when there is one. */
static bool start(struct matcher *m, struct evaluation *e, struct json text, struct json function)
{
	m->e = e;
	m->given = text;
	m->function = function;
	m->is_started = m->is_test = false;
	m->object = json_undefined();
	m->regex = NULL;
	if (value_is_function(function) && value_function_kind(function) == FUNCTION_REGEX)
		m->regex = (struct regex_value *)(uintptr_t)function.pointer;
	m->text = jsonata_split_astral(e, text);
	return !value_is_failed(m->text);
}

/* The next match: 1, 0 when there is none, -1 for a failure. */
static APART int advance(struct matcher *m)
{
	bool is_first = !m->is_started;
	struct json argument = is_first ? m->given : json_undefined();

	m->is_started = true;
	if (!jsonata_spend(m->e))
		return -1;
	if (m->regex != NULL && is_first)
		return take_match(m, jsonata_regex_match(m->e, m->regex, m->text, 0, &m->match));
	if (m->regex != NULL)
		return take_match(m, jsonata_regex_match_next(m->e, m->regex, m->text, &m->match));
	struct json function = is_first ? m->function : member(m->object, "next");
	return take_object(m, jsonata_apply(m->e, function, &argument, 1, json_null()));
}

static struct json groups_of(struct matcher *m)
{
	if (m->regex == NULL)
		return member(m->object, "groups");
	return jsonata_regex_groups(m->e, m->text, &m->match);
}

static struct json index_of(struct matcher *m)
{
	if (m->regex == NULL)
		return member(m->object, "start");
	return json_int((int64_t)jsonata_units(jsonata_text_part(m->text, 0, m->match.start)));
}

static size_t add_member(struct json_member *members, size_t count, const char *key,
			 struct json value)
{
	if (value_is_undefined(value))
		return count;
	members[count] = json_member(str_from_c(key), value);
	return count + 1;
}

static struct json describe(struct matcher *m)
{
	struct json_member *members = jsonata_take(m->e, 3 * sizeof *members);
	struct json groups = members == NULL ? value_failed() : groups_of(m);
	size_t count;

	if (value_is_failed(groups))
		return groups;
	count = add_member(members, 0, "match", m->found);
	count = add_member(members, count, "index", index_of(m));
	count = add_member(members, count, "groups", groups);
	return json_object(members, (uint32_t)count);
}

/* JavaScript's substring() between two places. */
static bool push_between_places(struct matcher *m, double from, double to)
{
	from = isnan(from) ? 0 : from;
	to = isnan(to) ? m->text.count : to;
	size_t first = (size_t)(from < to ? from : to), last = (size_t)(from < to ? to : from);
	struct json part = jsonata_join_astral(m->e, jsonata_text_part(m->text, first, last));

	return !value_is_failed(part) && jsonata_push(m->e, part);
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

/* A text and what is looked for in it; in units where half of a character may be found. */
static bool in_units(struct evaluation *e, struct json *text, struct json *what)
{
	if (!jsonata_has_loose_end(json_str(*what)))
		return true;
	*text = jsonata_split_astral(e, *text);
	if (!value_is_failed(*text))
		*what = jsonata_split_astral(e, *what);
	return !value_is_failed(*text) && !value_is_failed(*what);
}

struct json jsonata_builtin_match(struct evaluation *e, const struct json *a,
				  const struct call_site *site)
{
	uint32_t base = e->top;
	struct matcher m UNINITIALIZED;
	double count = 0, limit;
	int found = 0;

	(void)site;
	if (a[0].type != JSON_STRING)
		return json_undefined();
	limit = read_limit(e, a[2], "D3040", 3);
	if (limit < 0)
		return value_failed();
	if (!start(&m, e, a[0], a[1]))
		return value_failed();
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
	struct matcher m UNINITIALIZED;

	(void)site;
	if (a[0].type != JSON_STRING || value_is_undefined(a[1]))
		return json_undefined();
	if (a[1].type == JSON_STRING) {
		struct json text = a[0], what = a[1];
		jsonata_charge(e, a[0].count / 64);
		if (!in_units(e, &text, &what))
			return value_failed();
		return json_bool(str_find(json_str(text), json_str(what)) >= 0);
	}
	if (!start(&m, e, a[0], a[1]))
		return value_failed();
	m.is_test = true;
	int found = advance(&m);
	return found < 0 ? value_failed() : json_bool(found == 1);
}

/* --- replace ------------------------------------------------------------------------------- */

static bool push_part(struct evaluation *e, struct json text, size_t from, size_t to)
{
	return from >= to || jsonata_push(e, jsonata_text_part(text, from, to));
}

/* JavaScript's parseInt() of `max` characters at most, with the sign and the spaces that it
 * bears; false for no number. *digits is how many characters the number is written with. */
static bool read_reference(struct str s, size_t at, size_t max, int64_t *value, size_t *digits)
{
	struct str text = str_slice(s, at, at + max < s.len ? at + max : s.len);
	bool is_minus = false, has_digit = false;
	size_t size, i = 0;

	while ((size = jsonata_space_size(text.data + i, text.len - i)) > 0)
		i += size;
	if (i < text.len && (text.data[i] == '-' || text.data[i] == '+'))
		is_minus = text.data[i++] == '-';
	*value = 0;
	for (; i < text.len && text.data[i] >= '0' && text.data[i] <= '9'; i++) {
		*value = *value * 10 + (text.data[i] - '0');
		has_digit = true;
	}
	*digits = is_minus && *value > 0 ? 2 : 1;
	for (int64_t rest = *value; rest >= 10; rest /= 10)
		(*digits)++;
	if (is_minus)
		*value = -*value;
	return has_digit;
}

/* Whatever a function of the user's gave for a text, spelt as JavaScript does. */
static bool push_spelt(struct evaluation *e, struct json value)
{
	if (value.type != JSON_STRING)
		value = value.type == JSON_NULL ? json_string_c("null")
						: jsonata_coerce_text(e, value);
	return !value_is_failed(value) && jsonata_push(e, value);
}

static bool push_group(struct matcher *m, struct json groups, int64_t index)
{
	struct json group;

	if (index < 1 || index > groups.count)
		return true;
	group = groups.items[index - 1];
	return value_is_undefined(group) || push_spelt(m->e, group);
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
		return push_spelt(m->e, m->found) ? at + 1 : 0;
	for (uint32_t rest = groups.count; rest >= 10; rest /= 10)
		max++;
	bool is_number = read_reference(s, at, max, &index, &digits);
	if (is_number && max > 1 && index > groups.count)
		is_number = read_reference(s, at, max - 1, &index, &digits);
	if (!is_number)
		return jsonata_push(m->e, jsonata_text_part(replacement, at - 1, at)) ? at : 0;
	return push_group(m, groups, index) ? at + digits : 0;
}

static APART bool push_substitute(struct matcher *m, struct json replacement)
{
	struct str s = json_str(replacement);
	size_t at = 0;

	if (str_find_byte(s, '$') < 0)
		return push_part(m->e, replacement, 0, s.len);
	struct json groups = groups_of(m);
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
	struct json value = jsonata_apply(m->e, function, &match, 1, json_null());
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

/* What is empty adds nothing to a text. */
static bool push_kept(struct matcher *m, double from, double to)
{
	return from == to || push_between_places(m, from, to);
}

static APART struct json replace_matches(struct evaluation *e, const struct json *a, double limit)
{
	uint32_t base = e->top;
	struct matcher m UNINITIALIZED;
	double position = 0;
	int found;

	if (!start(&m, e, a[0], a[1]))
		return value_failed();
	found = advance(&m);
	if (found == 0)
		return a[0];
	for (double count = 0; found == 1 && count < limit; count++) {
		if (!push_kept(&m, position, m.start))
			return value_failed();
		bool is_done = a[2].type == JSON_STRING ? push_substitute(&m, a[2])
							: push_computed(&m, a[2]);
		if (!is_done)
			return value_failed();
		/* What has no text is no match to the reference either. */
		if (value_is_undefined(m.found) || m.found.type == JSON_NULL)
			return jsonata_fail(e, "T1010", json_undefined());
		position = m.after;
		found = advance(&m);
	}
	if (found < 0 || !push_kept(&m, position, m.text.count))
		return value_failed();
	return finish_text(e, base);
}

static APART struct json replace_text(struct evaluation *e, const struct json *a, double limit)
{
	uint32_t base = e->top;
	struct json text = a[0], sought = a[1];
	size_t position = 0;

	if (!in_units(e, &text, &sought))
		return value_failed();
	struct str s = json_str(text), what = json_str(sought);

	/* A replacement that is no text is spelt as JavaScript would. */
	struct json replacement = a[2].type == JSON_STRING
					  ? a[2]
					  : value_text(STR("undefined"), JSON_PLAIN | JSON_ASCII);
	for (double count = 0; count < limit; count++) {
		ptrdiff_t at = str_find(str_slice(s, position, s.len), what);
		if (at < 0)
			break;
		if (!jsonata_spend(e) || !push_part(e, text, position, position + (size_t)at) ||
		    !jsonata_push(e, replacement))
			return value_failed();
		position += (size_t)at + what.len;
	}
	if (position == 0)
		return a[0];
	if (!push_part(e, text, position, s.len))
		return value_failed();
	text = finish_text(e, base);
	return value_is_failed(text) ? text : jsonata_join_astral(e, text);
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
		char *halves = jsonata_take_text(e, 6);
		if (halves == NULL)
			return false;
		jsonata_put_units(halves, jsonata_point(text.text + at, size));
		if (!jsonata_push(e, value_text(str_make(halves, 3), 0)))
			return false;
		if (--limit > 0 && !jsonata_push(e, value_text(str_make(halves + 3, 3), 0)))
			return false;
	}
	return true;
}

static bool push_between(struct evaluation *e, struct json text, struct json what, double limit)
{
	size_t position = 0;

	if (!in_units(e, &text, &what))
		return false;
	struct str s = json_str(text), separator = json_str(what);

	for (double count = 0; count < limit; count++) {
		ptrdiff_t at = str_find(str_slice(s, position, s.len), separator);
		size_t end = at < 0 ? s.len : position + (size_t)at;
		struct json part = jsonata_text_part(text, position, end);
		if (jsonata_has_loose_end(separator))
			part = jsonata_join_astral(e, part);
		if (!jsonata_spend(e) || value_is_failed(part) || !jsonata_push(e, part))
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
	struct matcher m UNINITIALIZED;
	double position = 0, count = 0;

	if (!start(&m, e, text, function))
		return false;
	int found = advance(&m);
	if (found == 0)
		return jsonata_push(e, text);
	for (; found == 1 && count < limit; count++) {
		if (!push_between_places(&m, position, m.start))
			return false;
		position = m.end;
		found = advance(&m);
	}
	if (found < 0)
		return false;
	return !(count < limit) || push_between_places(&m, position, m.text.count);
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
		limit = fmod(trunc(limit), 4294967296.0);
	if (limit > 0 && a[1].type == JSON_STRING)
		is_done = a[1].count == 0 ? push_points(e, a[0], limit)
					  : push_between(e, a[0], a[1], limit);
	else if (limit > 0 && value_is_function(a[1]))
		is_done = push_between_matches(e, a[0], a[1], limit);
	else if (limit > 0)
		is_done = jsonata_push(e, a[0]);
	return is_done ? jsonata_finish_array(e, base, 0) : value_failed();
}
