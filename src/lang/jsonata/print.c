/* $string: the text of a value, numbers as JavaScript prints them after rounding to 15 digits. */
#include <math.h>

#include "lang/jsonata/evaluate.h"

struct printer {
	struct evaluation *e;
	struct buffer buffer;
	bool is_pretty;
};

static bool fail_infinite(struct evaluation *e, const char *code, double number)
{
	jsonata_fail(e, code, (struct json){.type = JSON_DOUBLE, .number = number});
	return false;
}

/* Integers keep their digits up to the length at which JavaScript would turn to exponents. */
static bool is_plain_integer(struct json number)
{
	if (number.type != JSON_NUMBER_TEXT || number.count > 21)
		return false;
	for (uint32_t i = number.text[0] == '-'; i < number.count; i++)
		if (number.text[i] < '0' || number.text[i] > '9')
			return false;
	return true;
}

static size_t format_int(int64_t number, char out[32])
{
	char digits[24];
	size_t count = 0, len = 0;
	uint64_t rest = number < 0 ? 0 - (uint64_t)number : (uint64_t)number;

	do
		digits[count++] = (char)('0' + rest % 10);
	while ((rest /= 10) > 0);
	if (number < 0)
		out[len++] = '-';
	while (count > 0)
		out[len++] = digits[--count];
	return len;
}

/* The text of a finite number into out; its length. */
static size_t format_number(struct json number, char out[32])
{
	double value;
	char digits[40];

	if (number.type == JSON_INT)
		return format_int(number.integer, out);
	if (is_plain_integer(number)) {
		memcpy(out, number.text, number.count);
		return number.count;
	}
	value = value_double(number);
	if (value == 0)
		value = 0; /* -0 prints as 0 */
	if (value != trunc(value)) {
		snprintf(digits, sizeof digits, "%.15g", value);
		value = strtod(digits, NULL);
	}
	return json_format_double(value, out);
}

static void print_line(struct printer *p, uint32_t depth)
{
	if (!p->is_pretty)
		return;
	buffer_append_byte(&p->buffer, '\n');
	for (uint32_t i = 0; i < depth; i++)
		buffer_append(&p->buffer, STR("  "));
}

static bool print_value(struct printer *p, struct json value, uint32_t depth);

static bool print_array(struct printer *p, struct json array, uint32_t depth)
{
	buffer_append_byte(&p->buffer, '[');
	for (uint32_t i = 0; i < array.count; i++) {
		if (i > 0)
			buffer_append_byte(&p->buffer, ',');
		print_line(p, depth + 1);
		if (!print_value(p, array.items[i], depth + 1))
			return false;
	}
	if (array.count > 0)
		print_line(p, depth);
	buffer_append_byte(&p->buffer, ']');
	return true;
}

static bool print_object(struct printer *p, struct json object, uint32_t depth)
{
	bool is_first = true;

	object = jsonata_in_order(p->e, object);
	buffer_append_byte(&p->buffer, '{');
	for (uint32_t i = 0; i < object.count; i++) {
		const struct json_member *m = &object.members[i];
		if (value_is_undefined(m->value))
			continue;
		if (!is_first)
			buffer_append_byte(&p->buffer, ',');
		is_first = false;
		print_line(p, depth + 1);
		json_print(&p->buffer, json_string(json_name(m)));
		buffer_append(&p->buffer, p->is_pretty ? STR(": ") : STR(":"));
		if (!print_value(p, m->value, depth + 1))
			return false;
	}
	if (!is_first)
		print_line(p, depth);
	buffer_append_byte(&p->buffer, '}');
	return true;
}

static bool print_number(struct printer *p, struct json value)
{
	char text[32];

	if (value.type == JSON_DOUBLE && isnan(value.number)) {
		buffer_append(&p->buffer, STR("null"));
		return true;
	}
	if (value.type == JSON_DOUBLE && isinf(value.number))
		return fail_infinite(p->e, "D1001", value.number);
	buffer_append(&p->buffer, str_make(text, format_number(value, text)));
	return true;
}

static bool print_value(struct printer *p, struct json value, uint32_t depth)
{
	if (depth > DATA_DEPTH_MAX)
		return jsonata_too_deep(p->e);
	if (!jsonata_spend(p->e))
		return false;
	if (p->buffer.is_over) {
		jsonata_fail(p->e, "D1013", json_undefined());
		return false;
	}
	switch (value.type) {
	case JSON_INT:
	case JSON_DOUBLE:
	case JSON_NUMBER_TEXT:
		return print_number(p, value);
	case JSON_ARRAY:
		return print_array(p, value, depth);
	case JSON_OBJECT:
		return print_object(p, value, depth);
	case JSON_EXTENSION:
		buffer_append(&p->buffer, STR("\"\""));
		return true;
	case JSON_UNDEFINED:
		buffer_append(&p->buffer, STR("null"));
		return true;
	default:
		json_print(&p->buffer, value);
		return true;
	}
}

static struct json print(struct evaluation *e, struct json value, bool is_pretty)
{
	struct printer p = {.e = e, .is_pretty = is_pretty};
	size_t room = (size_t)e->sequence_max * 16;

	if (e->bytes_left < (int64_t)room)
		room = e->bytes_left < 0 ? 0 : (size_t)e->bytes_left;
	buffer_init(&p.buffer, e->arena, room);
	if (value.type == JSON_ARRAY && (value.extension & MARK_OUTER) != 0)
		value = value.items[0];
	if (!print_value(&p, value, 0))
		return value_failed();
	e->bytes_left -= (int64_t)p.buffer.capacity;
	if (p.buffer.is_over)
		return jsonata_fail(e, "D1013", json_undefined());
	struct str s = buffer_str(&p.buffer);
	return value_text(s, jsonata_text_flags(s));
}

static struct json print_alone(struct evaluation *e, struct json number)
{
	char text[32];

	if (number.type == JSON_DOUBLE && !isfinite(number.number))
		return jsonata_fail(e, "D3001", number);
	size_t len = format_number(number, text);
	char *out = jsonata_take_text(e, len);
	if (out == NULL)
		return value_failed();
	memcpy(out, text, len);
	return value_text(str_make(out, len), JSON_PLAIN | JSON_ASCII);
}

struct json jsonata_to_text(struct evaluation *e, struct json value, bool is_pretty)
{
	switch (value.type) {
	case JSON_STRING:
	case JSON_UNDEFINED:
		return value;
	case JSON_NULL:
		return value_text(STR("null"), JSON_PLAIN | JSON_ASCII);
	case JSON_BOOL:
		return value_text(value.boolean ? STR("true") : STR("false"),
				  JSON_PLAIN | JSON_ASCII);
	case JSON_EXTENSION:
		return value_text(STR(""), JSON_PLAIN | JSON_ASCII);
	case JSON_INT:
	case JSON_DOUBLE:
	case JSON_NUMBER_TEXT:
		return print_alone(e, value);
	default:
		return print(e, value, is_pretty);
	}
}
