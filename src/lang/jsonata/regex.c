#include "lang/jsonata/regex.h"

#include <math.h>

#include "lang/jsonata/regex_program.h"
#include "lang/jsonata/text.h"

struct regex_next {
	struct regex_value *value;
	struct json text;
};

/* --- compiling ----------------------------------------------------------------------------- */

/* JavaScript's `source`: line ends and slashes are escaped. */
static struct str make_source(struct arena *arena, struct str pattern)
{
	char *out = arena_alloc(arena, pattern.len * 2 + 1);
	size_t len = 0;
	bool is_in_class = false, is_escaped = false;

	for (size_t i = 0; i < pattern.len; i++) {
		char c = pattern.data[i];
		bool is_line_end = c == '\n' || c == '\r';
		if (!is_escaped && (is_line_end || (c == '/' && !is_in_class)))
			out[len++] = '\\';
		out[len++] = c == '\n' ? 'n' : c == '\r' ? 'r' : c;
		if (!is_escaped && (c == '[' || c == ']'))
			is_in_class = c == '[';
		is_escaped = c == '\\' && !is_escaped;
	}
	return str_make(out, len);
}

struct regex *jsonata_regex_compile(struct arena *arena, struct str pattern, bool ignores_case,
				    bool is_multiline, uint32_t position, struct fault *fault)
{
	struct regex *regex = arena_zero(arena, sizeof *regex);

	regex->ignores_case = ignores_case;
	regex->position = position;
	regex->source = make_source(arena, pattern);
	if (jsonata_regex_program(arena, pattern, is_multiline, regex))
		return regex;
	*fault = (struct fault){.code = "S0303", .value = json_string(pattern)};
	return NULL;
}

/* --- matching ------------------------------------------------------------------------------ */

int jsonata_regex_search(struct evaluation *e, const struct regex *regex, struct json text,
			 size_t offset, struct regex_match *match)
{
	struct str subject = text.count == 0 ? STR("") : json_str(text);
	uint32_t *slots = NULL;

	if (offset > subject.len)
		return 0;
	if (!jsonata_spend_many(e, 1 + (uint32_t)(subject.len - offset) / 256))
		return -1;
	int found = jsonata_regex_run(e, regex, subject, (uint32_t)offset, &slots);
	if (found == 1)
		*match = (struct regex_match){.start = slots[0],
					      .end = slots[1],
					      .group_count = regex->group_count,
					      .groups = slots + 2};
	return found;
}

int jsonata_regex_match(struct evaluation *e, struct regex_value *value, struct json text,
			size_t offset, struct regex_match *match)
{
	int found = jsonata_regex_search(e, value->regex, text, offset, match);

	value->text = text;
	value->last = found == 1 ? match->end : 0;
	return found;
}

/* Where the last match ended, as a place in this text. */
static size_t last_place(const struct regex_value *value, struct json text)
{
	if (value->text.text == text.text)
		return value->last;
	size_t units = jsonata_units(jsonata_text_part(value->text, 0, value->last));
	return units > jsonata_units(text) ? text.count : jsonata_unit_offset(text, units);
}

int jsonata_regex_match_next(struct evaluation *e, struct regex_value *value, struct json text,
			     struct regex_match *match)
{
	size_t place = last_place(value, text);

	if (place >= text.count)
		return 0;
	int found = jsonata_regex_match(e, value, text, place, match);

	if (found == 1 && match->start == match->end) {
		jsonata_fail(e, "D1004", json_string(value->regex->source));
		e->fault.position = value->regex->position;
		e->fault.has_position = true;
		return -1;
	}
	return found;
}

/* --- as functions -------------------------------------------------------------------------- */

struct json jsonata_regex_group(struct evaluation *e, struct json text,
				const struct regex_match *match, uint32_t i)
{
	uint32_t start = match->groups[2 * i], end = match->groups[2 * i + 1];

	if (start == REGEX_NONE || end == REGEX_NONE)
		return json_undefined();
	return jsonata_join_astral(e, jsonata_text_part(text, start, end));
}

struct json jsonata_regex_groups(struct evaluation *e, struct json text,
				 const struct regex_match *match)
{
	struct json *groups = jsonata_take_items(e, match->group_count);

	if (groups == NULL)
		return value_failed();
	for (uint32_t i = 0; i < match->group_count; i++) {
		groups[i] = jsonata_regex_group(e, text, match, i);
		if (value_is_failed(groups[i]))
			return groups[i];
	}
	return json_array(groups, match->group_count);
}

struct json jsonata_regex_describe(struct evaluation *e, struct regex_value *value,
				   struct json text, const struct regex_match *match)
{
	struct json groups = jsonata_regex_groups(e, text, match);
	struct json_member *members = jsonata_take(e, 5 * sizeof *members);
	struct regex_next *next = members == NULL ? NULL : jsonata_take(e, sizeof *next);

	if (next == NULL || value_is_failed(groups))
		return value_failed();
	*next = (struct regex_next){.value = value, .text = text};
	struct json part = jsonata_text_part(text, match->start, match->end);
	int64_t start = (int64_t)jsonata_units(jsonata_text_part(text, 0, match->start));
	int64_t end = start + (int64_t)jsonata_units(part);
	struct json found = jsonata_join_astral(e, part);
	if (value_is_failed(found))
		return found;
	members[0] = json_member(STR("match"), found);
	members[1] = json_member(STR("start"), json_int(start));
	members[2] = json_member(STR("end"), json_int(end));
	members[3] = json_member(STR("groups"), groups);
	members[4] = json_member(STR("next"), value_function(FUNCTION_NEXT, next));
	return json_object(members, 5);
}

/* The items of an array with commas between, as JavaScript makes a text of it. */
static bool push_joined(struct evaluation *e, struct json array, uint32_t depth)
{
	if (depth > DATA_DEPTH_MAX)
		return jsonata_too_deep(e);
	for (uint32_t i = 0; i < array.count; i++) {
		struct json item = array.items[i];
		if (!jsonata_spend(e) || (i > 0 && !jsonata_push(e, json_string_c(","))))
			return false;
		if (item.type == JSON_NULL || value_is_undefined(item))
			continue;
		if (item.type == JSON_ARRAY) {
			if (!push_joined(e, item, depth + 1))
				return false;
			continue;
		}
		item = item.type == JSON_OBJECT ? json_string_c("[object Object]")
						: jsonata_to_text(e, item, false);
		if (value_is_failed(item) || !jsonata_push(e, item))
			return false;
	}
	return true;
}

struct json jsonata_coerce_text(struct evaluation *e, struct json value)
{
	uint32_t base = e->top;

	if (value_is_undefined(value) || value.type == JSON_OBJECT)
		return json_string_c(value.type == JSON_OBJECT ? "[object Object]" : "undefined");
	if (value.type != JSON_ARRAY)
		return jsonata_to_text(e, value, false);
	if (!push_joined(e, value, 0))
		return value_failed();
	struct json text = jsonata_concat(e, e->scratch + base, e->top - base);
	e->top = base;
	return text;
}

struct json jsonata_regex_apply(struct evaluation *e, struct regex_value *value, struct json text,
				struct json from)
{
	struct regex_match match;
	size_t offset = 0;

	/* JavaScript matches against the text it makes of whatever it gets. */
	text = jsonata_coerce_text(e, text);
	if (!value_is_failed(text))
		text = jsonata_split_astral(e, text);
	if (value_is_failed(text))
		return text;
	if (value_is_number(from) && value_double(from) >= 1) {
		double units = trunc(value_double(from));
		offset = units > (double)jsonata_units(text)
				 ? (size_t)text.count + 1
				 : jsonata_unit_offset(text, (size_t)units);
	}
	int found = jsonata_regex_match(e, value, text, offset, &match);

	if (found < 0)
		return value_failed();
	return found == 0 ? json_undefined() : jsonata_regex_describe(e, value, text, &match);
}

struct json jsonata_regex_next(struct evaluation *e, const void *pointer)
{
	const struct regex_next *next = pointer;
	struct regex_match match;
	int found = jsonata_regex_match_next(e, next->value, next->text, &match);

	if (found < 0)
		return value_failed();
	return found == 0 ? json_undefined()
			  : jsonata_regex_describe(e, next->value, next->text, &match);
}

struct json jsonata_run_regex(struct evaluation *e, const struct node *node, struct json input,
			      struct frame *frame)
{
	struct regex_value *value = jsonata_take(e, sizeof *value);

	(void)input, (void)frame;
	if (value == NULL)
		return value_failed();
	*value = (struct regex_value){.regex = node->regex, .text = json_undefined()};
	return value_function(FUNCTION_REGEX, value);
}
