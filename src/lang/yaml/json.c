/* The tree as JSON, by the core schema of YAML 1.2 (section 10.3.2). */
#include "lang/yaml/yaml.h"

/* A number in the schema's decimal notation, cut into its parts. */
struct decimal {
	bool is_negative;
	struct str whole;    /* without needless zeros */
	struct str fraction;
	struct str exponent; /* with its sign */
	bool is_integer;     /* neither a point nor an exponent was written */
};

static bool is_any_of(struct str text, const char *const *words)
{
	for (; *words != NULL; words++)
		if (str_equal_c(text, *words))
			return true;
	return false;
}

static struct str cut_digits(struct str *rest)
{
	size_t len = 0;

	while (len < rest->len && rest->data[len] >= '0' && rest->data[len] <= '9')
		len++;
	struct str digits = str_slice(*rest, 0, len);

	*rest = str_slice(*rest, len, rest->len);
	return digits;
}

static bool cut_byte(struct str *rest, char byte)
{
	if (rest->len == 0 || rest->data[0] != byte)
		return false;
	*rest = str_slice(*rest, 1, rest->len);
	return true;
}

/* [-+]? ( [0-9]+ ( \. [0-9]* )? | \. [0-9]+ ) ( [eE] [-+]? [0-9]+ )? */
static bool read_decimal(struct str rest, struct decimal *out)
{
	*out = (struct decimal){.is_integer = true};
	out->is_negative = cut_byte(&rest, '-');
	if (!out->is_negative)
		cut_byte(&rest, '+');
	out->whole = cut_digits(&rest);
	if (cut_byte(&rest, '.')) {
		out->fraction = cut_digits(&rest);
		out->is_integer = false;
	}
	if (out->whole.len == 0 && out->fraction.len == 0)
		return false;
	if (cut_byte(&rest, 'e') || cut_byte(&rest, 'E')) {
		struct str exponent = rest;

		if (!cut_byte(&rest, '-'))
			cut_byte(&rest, '+');
		if (cut_digits(&rest).len == 0)
			return false;
		out->exponent = str_slice(exponent, 0, exponent.len - rest.len);
		out->is_integer = false;
	}
	while (out->whole.len > 1 && out->whole.data[0] == '0')
		out->whole = str_slice(out->whole, 1, out->whole.len);
	return rest.len == 0;
}

/* Spelt as JSON has it: digits on both sides of the point, no plus sign in front. */
static struct json decimal_to_json(struct arena *arena, const struct decimal *decimal)
{
	int64_t number;
	struct str text = arena_format(
		arena, "%s%.*s%s%.*s%s%.*s", decimal->is_negative ? "-" : "",
		decimal->whole.len == 0 ? 1 : (int)decimal->whole.len,
		decimal->whole.len == 0 ? "0" : decimal->whole.data,
		decimal->fraction.len == 0 ? "" : ".", STR_ARGS(decimal->fraction),
		decimal->exponent.len == 0 ? "" : "e", STR_ARGS(decimal->exponent));

	if (decimal->is_integer && decimal->whole.len <= 18 && str_to_int64(text, &number) &&
	    !(number == 0 && decimal->is_negative))
		return json_int(number);
	return (struct json){.type = JSON_NUMBER_TEXT, .count = (uint32_t)text.len,
			     .text = text.data};
}

static int digit_value(char byte)
{
	if (byte >= '0' && byte <= '9')
		return byte - '0';
	char letter = (char)(byte | 0x20);

	return letter >= 'a' && letter <= 'f' ? letter - 'a' + 10 : 16;
}

/* 0o[0-7]+ or 0x[0-9a-fA-F]+. What needs more than 64 bits is no number here: it stays a text. */
static bool read_based(struct arena *arena, struct str text, struct json *out)
{
	int base = str_starts_with(text, STR("0o")) ? 8 : 16;
	uint64_t whole = 0;

	if (text.len < 3 || (base == 16 && !str_starts_with(text, STR("0x"))))
		return false;
	for (size_t i = 2; i < text.len; i++) {
		int digit = digit_value(text.data[i]);

		if (digit >= base)
			return false;
		if (__builtin_mul_overflow(whole, (uint64_t)base, &whole))
			return false;
		whole += (uint64_t)digit;
	}
	if (whole <= INT64_MAX) {
		*out = json_int((int64_t)whole);
	} else {
		struct str decimal = arena_format(arena, "%ju", (uintmax_t)whole);

		*out = (struct json){.type = JSON_NUMBER_TEXT, .count = (uint32_t)decimal.len,
				     .text = decimal.data};
	}
	return true;
}

static struct json plain_to_json(struct arena *arena, struct str text)
{
	static const char *const nulls[] = {"", "~", "null", "Null", "NULL", NULL};
	static const char *const trues[] = {"true", "True", "TRUE", NULL};
	static const char *const falses[] = {"false", "False", "FALSE", NULL};
	static const char *const no_numbers[] = {
		".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF", "-.inf", "-.Inf",
		"-.INF", ".nan", ".NaN", ".NAN", NULL,
	};
	struct decimal decimal;
	struct json number;

	if (is_any_of(text, nulls) || is_any_of(text, no_numbers))
		return json_null();
	if (is_any_of(text, trues) || is_any_of(text, falses))
		return json_bool((text.data[0] | 0x20) == 't');
	if (read_based(arena, text, &number))
		return number;
	if (read_decimal(text, &decimal))
		return decimal_to_json(arena, &decimal);
	return json_string(text);
}

struct json yaml_to_json(struct arena *arena, const struct yaml_node *node)
{
	struct json_builder builder;

	json_builder_init(&builder, arena);
	switch (node->kind) {
	case YAML_SEQUENCE:
		for (size_t i = 0; i < node->count; i++)
			json_builder_add(&builder, yaml_to_json(arena, &node->items[i]));
		return json_builder_array(&builder);
	case YAML_MAPPING:
		for (size_t i = 0; i < node->count; i++)
			json_builder_set(&builder, node->entries[i].key,
					 yaml_to_json(arena, &node->entries[i].value));
		return json_builder_object(&builder);
	default:
		return node->is_plain ? plain_to_json(arena, node->text) : json_string(node->text);
	}
}
