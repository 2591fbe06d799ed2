/* Single values as the model types them. */
#include "ats/model/value.h"

#include "ats/model/moment.h"

/* One for each type, each with a frame of its own: most need none. All get the same. */
typedef struct json converter(struct arena *arena, const struct model_field *field,
			      struct json value);

/* --- single values: undefined when the value does not fit ------------------------------------ */

/* Of strings which cannot need an escape. */
static struct json ascii_text(struct str text)
{
	struct json value = json_string(text);

	value.flags = JSON_PLAIN | JSON_ASCII;
	return value;
}

/* Ids are numbers in many ATSs, several to a record. */
static __attribute__((noinline)) struct json number_text(struct arena *arena, struct json number)
{
	char digits[32] __attribute__((uninitialized));
	size_t len;

	if (!json_is(number, JSON_INT)) {
		len = json_format_double(number.number, digits);
		return json_string(arena_str(arena, str_make(digits, len)));
	}
	len = json_format_int(number.integer, digits);
	return ascii_text(arena_str(arena, str_make(digits, len)));
}

static struct json to_text(struct arena *arena, const struct model_field *field, struct json value)
{
	(void)field;
	switch (value.type) {
	case JSON_STRING:
		return value.count == 0 ? json_null() : value;
	case JSON_NUMBER_TEXT:
		return json_string(json_str(value));
	case JSON_INT:
	case JSON_DOUBLE:
		return number_text(arena, value);
	default:
		return json_undefined();
	}
}

static struct json to_integer(struct arena *arena, const struct model_field *field,
			      struct json value)
{
	int64_t number;

	(void)arena, (void)field;
	if (json_is(value, JSON_INT))
		return value;
	if (json_is(value, JSON_STRING) && value.count == 0)
		return json_null();
	if (json_is(value, JSON_STRING) ? !str_to_int64(json_str(value), &number)
					: !json_to_int64(value, &number))
		return json_undefined();
	return json_int(number);
}

static __attribute__((noinline)) struct json read_number(struct arena *arena, struct str text)
{
	struct json number;
	struct error err;

	if (!json_parse(arena, text, &json_limits_default, &number, &err) ||
	    !json_is_number(number))
		return json_undefined();
	return number;
}

static struct json to_number(struct arena *arena, const struct model_field *field,
			     struct json value)
{
	(void)field;
	if (json_is(value, JSON_DOUBLE) && value.number - value.number != 0.0)
		return json_undefined(); /* no JSON number: infinite, or none at all */
	if (json_is_number(value))
		return value;
	if (!json_is(value, JSON_STRING))
		return json_undefined();
	return value.count == 0 ? json_null() : read_number(arena, json_str(value));
}

static struct json to_boolean(struct arena *arena, const struct model_field *field,
			      struct json value)
{
	(void)arena, (void)field;
	if (json_is(value, JSON_BOOL))
		return value;
	if (json_is(value, JSON_INT) && (value.integer == 0 || value.integer == 1))
		return json_bool(value.integer == 1);
	if (!json_is(value, JSON_STRING))
		return json_undefined();
	if (value.count == 0)
		return json_null();
	if (str_equal(json_str(value), STR("true")))
		return json_bool(true);
	return str_equal(json_str(value), STR("false")) ? json_bool(false) : json_undefined();
}

static struct json to_date_time(struct arena *arena, const struct model_field *field,
				struct json value)
{
	struct str text;

	(void)field;
	if (!json_is(value, JSON_STRING))
		return json_undefined();
	if (value.count == 0)
		return json_null();
	if (!moment_to_utc(arena, json_str(value), &text))
		return json_undefined();
	struct json out = text.data == value.text ? value : json_string(text);
	out.flags |= JSON_PLAIN | JSON_ASCII;
	return out;
}

static struct json to_date(struct arena *arena, const struct model_field *field, struct json value)
{
	struct str text;

	(void)arena, (void)field;
	if (!json_is(value, JSON_STRING))
		return json_undefined();
	if (value.count == 0)
		return json_null();
	return moment_to_date(json_str(value), &text) ? ascii_text(text) : json_undefined();
}

static struct json to_any(struct arena *arena, const struct model_field *field, struct json value)
{
	(void)arena, (void)field;
	return json_is(value, JSON_EXTENSION) ? json_undefined() : value;
}

/* --- enums ----------------------------------------------------------------------------------- */

/* "On site", "on-site" and "ON_SITE" are on_site: people spell, ATSs too. */
static bool is_same_word(struct str text, struct str word)
{
	if (text.len != word.len)
		return false;
	for (size_t i = 0; i < text.len; i++) {
		char c = text.data[i];

		if (c >= 'A' && c <= 'Z')
			c = (char)(c - 'A' + 'a');
		else if (c == ' ' || c == '-')
			c = '_';
		if (c != word.data[i])
			return false;
	}
	return true;
}

static struct json to_enum(struct arena *arena, const struct model_field *field, struct json value)
{
	bool is_text = json_is(value, JSON_STRING), has_other = false;

	(void)arena;
	if (!is_text && !json_is_number(value))
		return json_undefined();
	for (size_t i = 0; i < field->value_count; i++) {
		if (is_text && is_same_word(json_str(value), field->values[i]))
			return ascii_text(field->values[i]);
		has_other = has_other || str_equal(field->values[i], STR("other"));
	}
	if (is_text && value.count == 0)
		return json_null();
	return has_other ? ascii_text(STR("other")) : json_undefined();
}

struct json value_convert(struct arena *arena, const struct model_field *field, struct json value)
{
	static converter *const converters[] = {
		[MODEL_TEXT] = to_text,		  [MODEL_INTEGER] = to_integer,
		[MODEL_NUMBER] = to_number,	  [MODEL_BOOLEAN] = to_boolean,
		[MODEL_DATE_TIME] = to_date_time, [MODEL_DATE] = to_date,
		[MODEL_ENUM] = to_enum,		  [MODEL_ANY] = to_any,
		[MODEL_FILE] = to_any,
	};

	return converters[field->type](arena, field, value);
}
