/* Single values as the model types them. */
#include "ats/model/value.h"

#include "ats/model/moment.h"

/* --- single values: false when the value does not fit ---------------------------------------- */

/* Ids are numbers in many ATSs, several to a record. */
static struct json integer_text(struct arena *arena, int64_t integer)
{
	char digits[24];
	char *at = digits + sizeof digits;
	uint64_t rest = integer < 0 ? -(uint64_t)integer : (uint64_t)integer;
	struct json text;

	do
		*--at = (char)('0' + rest % 10);
	while ((rest /= 10) > 0);
	if (integer < 0)
		*--at = '-';
	text = json_string(arena_str(arena, str_make(at, (size_t)(digits + sizeof digits - at))));
	text.flags = JSON_PLAIN | JSON_ASCII;
	return text;
}

static bool to_text(struct arena *arena, struct json value, struct json *out)
{
	char digits[32];

	switch (value.type) {
	case JSON_STRING:
		*out = value.count == 0 ? json_null() : value;
		return true;
	case JSON_NUMBER_TEXT:
		*out = json_string(json_str(value));
		return true;
	case JSON_INT:
		*out = integer_text(arena, value.integer);
		return true;
	case JSON_DOUBLE:
		*out = json_string(arena_str(
			arena, str_make(digits, json_format_double(value.number, digits))));
		return true;
	default:
		return false;
	}
}

static bool to_integer(struct json value, struct json *out)
{
	int64_t number;

	if (json_is(value, JSON_STRING) && value.count == 0)
		return true;
	if (json_is(value, JSON_STRING) ? !str_to_int64(json_str(value), &number)
					: !json_to_int64(value, &number))
		return false;
	*out = json_int(number);
	return true;
}

static bool to_number(struct arena *arena, struct json value, struct json *out)
{
	struct json number;
	struct error err;

	if (json_is(value, JSON_DOUBLE) && value.number - value.number != 0.0)
		return false; /* no JSON number: infinite, or none at all */
	if (json_is_number(value)) {
		*out = value;
		return true;
	}
	if (!json_is(value, JSON_STRING))
		return false;
	if (value.count == 0)
		return true;
	if (!json_parse(arena, json_str(value), &json_limits_default, &number, &err) ||
	    !json_is_number(number))
		return false;
	*out = number;
	return true;
}

static bool to_boolean(struct json value, struct json *out)
{
	if (json_is(value, JSON_BOOL)) {
		*out = value;
		return true;
	}
	if (json_is(value, JSON_INT) && (value.integer == 0 || value.integer == 1)) {
		*out = json_bool(value.integer == 1);
		return true;
	}
	if (!json_is(value, JSON_STRING))
		return false;
	if (value.count == 0)
		return true;
	bool is_true = str_equal(json_str(value), STR("true"));
	*out = json_bool(is_true);
	return is_true || str_equal(json_str(value), STR("false"));
}

static bool to_date_time(struct arena *arena, struct json value, struct json *out)
{
	struct str text;

	if (!json_is(value, JSON_STRING))
		return false;
	if (value.count == 0)
		return true;
	if (!moment_to_utc(arena, json_str(value), &text))
		return false;
	*out = text.data == value.text ? value : json_string(text);
	out->flags |= JSON_PLAIN | JSON_ASCII;
	return true;
}

static bool to_date(struct json value, struct json *out)
{
	struct str text;

	if (!json_is(value, JSON_STRING))
		return false;
	if (value.count == 0)
		return true;
	if (!moment_to_date(json_str(value), &text))
		return false;
	*out = json_string(text);
	out->flags = JSON_PLAIN | JSON_ASCII;
	return true;
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

static struct json enum_value(struct str word)
{
	struct json value = json_string(word);

	value.flags = JSON_PLAIN | JSON_ASCII;
	return value;
}

static bool to_enum(const struct model_field *field, struct json value, struct json *out)
{
	const struct str *other = NULL;

	if (!json_is(value, JSON_STRING) && !json_is_number(value))
		return false;
	for (size_t i = 0; i < field->value_count; i++) {
		if (json_is(value, JSON_STRING) &&
		    is_same_word(json_str(value), field->values[i])) {
			*out = enum_value(field->values[i]);
			return true;
		}
		if (str_equal(field->values[i], STR("other")))
			other = &field->values[i];
	}
	if (json_is(value, JSON_STRING) && value.count == 0)
		return true;
	if (other != NULL)
		*out = enum_value(*other);
	return other != NULL;
}

bool value_convert(struct arena *arena, const struct model_field *field, struct json value,
		   struct json *out)
{
	switch (field->type) {
	case MODEL_TEXT:
		return to_text(arena, value, out);
	case MODEL_INTEGER:
		return to_integer(value, out);
	case MODEL_NUMBER:
		return to_number(arena, value, out);
	case MODEL_BOOLEAN:
		return to_boolean(value, out);
	case MODEL_DATE_TIME:
		return to_date_time(arena, value, out);
	case MODEL_DATE:
		return to_date(value, out);
	case MODEL_ENUM:
		return to_enum(field, value, out);
	case MODEL_ANY:
	case MODEL_FILE:
		*out = value;
		return !json_is(value, JSON_EXTENSION);
	case MODEL_OBJECT:
		break;
	}
	return false;
}
