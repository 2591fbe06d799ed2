/* $formatInteger and $parseInteger: decimal digits of any script, letters, roman, words. */
#include <math.h>

#include "lang/jsonata/builtin.h"
#include "lang/jsonata/picture.h"
#include "lang/jsonata/text.h"

enum { PICTURE_BYTES_MAX = 512, INTEGER_BYTES_MAX = 64 * 1024, LINE_MAX_UNITS = 1100 };

/* The digits 0 of the scripts that the reference knows. */
static const uint16_t zeros[] = {
	0x30,	0x0660, 0x06f0, 0x07c0, 0x0966, 0x09e6, 0x0a66, 0x0ae6, 0x0b66, 0x0be6,
	0x0c66, 0x0ce6, 0x0d66, 0x0de6, 0x0e50, 0x0ed0, 0x0f20, 0x1040, 0x1090, 0x17e0,
	0x1810, 0x1946, 0x19d0, 0x1a80, 0x1a90, 0x1b50, 0x1bb0, 0x1c40, 0x1c50, 0xa620,
	0xa8d0, 0xa900, 0xa9d0, 0xa9f0, 0xaa50, 0xabf0, 0xff10,
};

/* --- the picture --------------------------------------------------------------------------- */

static uint32_t find_zero(uint32_t point)
{
	for (size_t i = 0; i < sizeof zeros / sizeof zeros[0]; i++)
		if (point >= zeros[i] && point <= zeros[i] + 9u)
			return zeros[i];
	return 0;
}

static uint32_t greatest_divisor(uint32_t a, uint32_t b)
{
	while (b != 0) {
		uint32_t rest = a % b;
		a = b;
		b = rest;
	}
	return a;
}

static bool has_separator_at(const struct integer_picture *picture, uint64_t position)
{
	for (uint32_t i = 0; i < picture->separator_count; i++)
		if (picture->separators[i].position == position)
			return true;
	return false;
}

/* Digits of a group when all groups are alike, else 0. */
static uint32_t regular_group(const struct integer_picture *picture)
{
	uint32_t factor = 0;

	for (uint32_t i = 0; i < picture->separator_count; i++) {
		if (picture->separators[i].character != picture->separators[0].character)
			return 0;
		factor = i == 0 ? picture->separators[0].position
				: greatest_divisor(factor, picture->separators[i].position);
	}
	for (uint32_t i = 1; i <= picture->separator_count; i++)
		if (!has_separator_at(picture, (uint64_t)i * factor))
			return 0;
	return factor;
}

/* From the right: digits, optional digits, and all else are separators. */
static bool read_digits(struct str format, struct integer_picture *out, struct fault *fault)
{
	uint32_t position = 0;

	for (size_t end = format.len, at; end > 0; end = at) {
		at = end - 1;
		while (at > 0 && ((unsigned char)format.data[at] & 0xc0) == 0x80)
			at--;
		uint32_t point = jsonata_point(format.data + at, end - at);
		uint32_t zero = find_zero(point);
		if (zero != 0) {
			if (out->mandatory_digits > 0 && out->zero != zero) {
				*fault = (struct fault){.code = "D3131"};
				return false;
			}
			out->zero = zero;
			out->mandatory_digits++;
			position++;
		} else if (point == '#') {
			out->optional_digits++;
			position++;
		} else {
			out->separators[out->separator_count++] =
				(struct picture_separator){position, point};
		}
	}
	return true;
}

static bool read_named(struct str format, struct integer_picture *out)
{
	static const struct {
		struct str text;
		enum picture_primary primary;
		enum picture_case letter_case;
	} named[] = {
		{STR_INIT("A"), PICTURE_LETTERS, PICTURE_UPPER},
		{STR_INIT("a"), PICTURE_LETTERS, PICTURE_LOWER},
		{STR_INIT("I"), PICTURE_ROMAN, PICTURE_UPPER},
		{STR_INIT("i"), PICTURE_ROMAN, PICTURE_LOWER},
		{STR_INIT("W"), PICTURE_WORDS, PICTURE_UPPER},
		{STR_INIT("Ww"), PICTURE_WORDS, PICTURE_TITLE},
		{STR_INIT("w"), PICTURE_WORDS, PICTURE_LOWER},
	};

	for (size_t i = 0; i < sizeof named / sizeof named[0]; i++) {
		if (!str_equal(format, named[i].text))
			continue;
		out->primary = named[i].primary;
		out->letter_case = named[i].letter_case;
		return true;
	}
	return false;
}

bool jsonata_integer_picture(struct arena *arena, struct str picture, struct integer_picture *out,
			     struct fault *fault)
{
	struct str format = picture;
	const char *semicolon = picture.len == 0 ? NULL : memrchr(picture.data, ';', picture.len);

	*out = (struct integer_picture){.parse_width = -1, .zero = '0'};
	if (picture.len > PICTURE_BYTES_MAX) {
		*fault = (struct fault){.code = "U1002"};
		return false;
	}
	if (semicolon != NULL) {
		size_t at = (size_t)(semicolon - picture.data);
		format = str_slice(picture, 0, at);
		out->is_ordinal = at + 1 < picture.len && picture.data[at + 1] == 'o';
	}
	if (read_named(format, out))
		return true;
	out->separators = arena_array(arena, format.len, sizeof *out->separators);
	if (!read_digits(format, out, fault))
		return false;
	if (out->mandatory_digits == 0) {
		out->primary = PICTURE_SEQUENCE;
		out->token = format;
		return true;
	}
	out->regular = regular_group(out);
	return true;
}

/* --- words --------------------------------------------------------------------------------- */

static const char *const few[] = {
	"Zero",	    "One",     "Two",	  "Three",     "Four",	   "Five",     "Six",
	"Seven",    "Eight",   "Nine",	  "Ten",       "Eleven",   "Twelve",   "Thirteen",
	"Fourteen", "Fifteen", "Sixteen", "Seventeen", "Eighteen", "Nineteen",
};
static const char *const ordinals[] = {
	"Zeroth",    "First",	  "Second",	 "Third",      "Fourth",
	"Fifth",     "Sixth",	  "Seventh",	 "Eighth",     "Ninth",
	"Tenth",     "Eleventh",  "Twelfth",	 "Thirteenth", "Fourteenth",
	"Fifteenth", "Sixteenth", "Seventeenth", "Eighteenth", "Nineteenth",
};
static const char *const decades[] = {"Twenty",	 "Thirty", "Forty",  "Fifty",  "Sixty",
				      "Seventy", "Eighty", "Ninety", "Hundred"};
static const char *const magnitudes[] = {"Thousand", "Million", "Billion", "Trillion"};

const char jsonata_number_words[] =
	"zero|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|thirteen|fourteen|"
	"fifteen|sixteen|seventeen|eighteen|nineteen|zeroth|first|second|third|fourth|fifth|sixth|"
	"seventh|eighth|ninth|tenth|eleventh|twelfth|thirteenth|fourteenth|fifteenth|sixteenth|"
	"seventeenth|eighteenth|nineteenth|twenty|twentieth|thirty|thirtieth|forty|fortieth|fifty|"
	"fiftieth|sixty|sixtieth|seventy|seventieth|eighty|eightieth|ninety|ninetieth|hundred|"
	"hundreieth|hundredth|thousand|thousandth|million|millionth|billion|billionth|trillion|"
	"trillionth|and|[\\-, ]";

static void append_words(struct buffer *out, double number, bool is_continued, bool is_ordinal);

static void append_tens(struct buffer *out, double number, bool is_continued, bool is_ordinal)
{
	const char *decade = decades[(int)(number / 10) - 2];
	double rest = fmod(number, 10);

	if (is_continued)
		buffer_append(out, STR(" and "));
	if (rest > 0) {
		buffer_append_c(out, decade);
		buffer_append_byte(out, '-');
		append_words(out, rest, false, is_ordinal);
	} else if (is_ordinal) {
		buffer_append(out, str_make(decade, strlen(decade) - 1));
		buffer_append(out, STR("ieth"));
	} else {
		buffer_append_c(out, decade);
	}
}

/* A number of hundreds, or of a larger magnitude, and what is left. */
static void append_large(struct buffer *out, double number, bool is_continued, bool is_ordinal)
{
	double factor = 100, mantissa, rest;
	const char *name = "Hundred";

	if (number >= 1000) {
		double magnitude = floor(log10(number) / 3);
		magnitude = magnitude > 4 ? 4 : magnitude;
		factor = pow(10, magnitude * 3);
		name = magnitudes[(int)magnitude - 1];
	}
	mantissa = floor(number / factor);
	rest = number - mantissa * factor;
	if (is_continued)
		buffer_append(out, STR(", "));
	append_words(out, mantissa, false, false);
	buffer_append_byte(out, ' ');
	buffer_append_c(out, name);
	if (rest > 0)
		append_words(out, rest, true, is_ordinal);
	else if (is_ordinal)
		buffer_append(out, STR("th"));
}

static void append_words(struct buffer *out, double number, bool is_continued, bool is_ordinal)
{
	if (number < 20) {
		if (is_continued)
			buffer_append(out, STR(" and "));
		buffer_append_c(out, (is_ordinal ? ordinals : few)[number < 0 ? 0 : (int)number]);
	} else if (number < 100) {
		append_tens(out, number, is_continued, is_ordinal);
	} else {
		append_large(out, number, is_continued, is_ordinal);
	}
}

static bool equals_lower(struct str lower, const char *word, size_t len)
{
	if (lower.len != len)
		return false;
	for (size_t i = 0; i < len; i++)
		if (lower.data[i] != (word[i] | 0x20))
			return false;
	return true;
}

/* The value of one word in lower case; NaN for none. */
static double word_value(struct str word)
{
	for (int i = 0; i < 20; i++)
		if (equals_lower(word, few[i], strlen(few[i])) ||
		    equals_lower(word, ordinals[i], strlen(ordinals[i])))
			return i;
	for (int i = 0; i < 9; i++) {
		size_t len = strlen(decades[i]);
		if (equals_lower(word, decades[i], len) ||
		    (str_ends_with(word, STR("ieth")) &&
		     equals_lower(str_slice(word, 0, word.len - 4), decades[i], len - 1)))
			return (i + 2) * 10;
	}
	if (str_equal(word, STR("hundredth")))
		return 100;
	for (int i = 0; i < 4; i++) {
		size_t len = strlen(magnitudes[i]);
		if (equals_lower(word, magnitudes[i], len) ||
		    (str_ends_with(word, STR("th")) &&
		     equals_lower(str_slice(word, 0, word.len - 2), magnitudes[i], len)))
			return pow(10, (i + 1) * 3);
	}
	return NAN;
}

static bool is_space(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

/* Bytes of the separator of words that begins here, 0 for none: ", ", " and ", blank, - or \. */
static size_t word_separator(struct str text, size_t at)
{
	struct str rest = str_slice(text, at, text.len);

	if (rest.len >= 2 && rest.data[0] == ',' && is_space(rest.data[1]))
		return 2;
	if (rest.len >= 5 && is_space(rest.data[0]) &&
	    str_starts_with(str_slice(rest, 1, 4), STR("and")) && is_space(rest.data[4]))
		return 5;
	return rest.len > 0 &&
	       (is_space(rest.data[0]) || rest.data[0] == '-' || rest.data[0] == '\\');
}

static double parse_words(struct str text)
{
	/* The reference keeps a stack of segments; all below the top are only summed up. */
	double sum = 0, top = 0;
	size_t at = 0, start = 0;

	for (;;) {
		size_t skip = at < text.len ? word_separator(text, at) : 1;
		if (skip == 0) {
			at++;
			continue;
		}
		double value = word_value(str_slice(text, start, at));
		if (value < 100) {
			if (top >= 1000) {
				sum += top;
				top = 0;
			}
			top += value;
		} else {
			top *= value;
		}
		if (at >= text.len)
			return sum + top;
		at += skip;
		start = at;
	}
}

/* --- roman and letters --------------------------------------------------------------------- */

static const struct {
	int value;
	char text[3];
} numerals[] = {{1000, "m"}, {900, "cm"}, {500, "d"}, {400, "cd"}, {100, "c"},
		{90, "xc"},  {50, "l"},	  {40, "xl"}, {10, "x"},   {9, "ix"},
		{5, "v"},    {4, "iv"},	  {1, "i"}};

static void append_roman(struct buffer *out, double number)
{
	for (size_t i = 0; i < sizeof numerals / sizeof numerals[0] && !out->is_over;) {
		if (!(number >= numerals[i].value)) {
			i++;
			continue;
		}
		buffer_append_c(out, numerals[i].text);
		number -= numerals[i].value;
	}
}

static double roman_digit(char c)
{
	static const char digits[] = "IVXLCDM";
	static const double values[] = {1, 5, 10, 50, 100, 500, 1000};
	const char *found = c == '\0' ? NULL : strchr(digits, c);

	return found == NULL ? NAN : values[found - digits];
}

static double parse_roman(struct str text, bool is_upper)
{
	double sum = 0, max = 1;

	for (size_t i = text.len; i-- > 0;) {
		char c = text.data[i];
		if (!is_upper && c >= 'a' && c <= 'z')
			c = (char)(c - 0x20);
		double value = roman_digit(c);
		if (value < max) {
			sum -= value;
		} else {
			max = value;
			sum += value;
		}
	}
	return sum;
}

static void append_letters(struct buffer *out, double number, char first)
{
	char letters[256];
	size_t at = sizeof letters;

	while (number > 0 && at > 0) {
		letters[--at] = (char)(first + (int)fmod(number - 1, 26));
		number = floor((number - 1) / 26);
	}
	buffer_append(out, str_make(letters + at, sizeof letters - at));
}

static double parse_letters(struct str text, char first)
{
	double sum = 0, place = 0;

	for (size_t end = text.len, at; end > 0; end = at) {
		at = end - 1;
		while (at > 0 && ((unsigned char)text.data[at] & 0xc0) == 0x80)
			at--;
		double unit = jsonata_point(text.data + at, end - at);
		if (unit >= 0x10000) {
			/* Of an astral character JavaScript takes the surrogates one by one. */
			sum += (0xdc00 + fmod(unit, 0x400) - first + 1) * pow(26, place++);
			unit = 0xd7c0 + floor(unit / 0x400);
		}
		sum += (unit - first + 1) * pow(26, place++);
	}
	return sum;
}

/* --- decimal ------------------------------------------------------------------------------- */

static void append_point(struct buffer *out, uint32_t point)
{
	char bytes[4];

	buffer_append(out, str_make(bytes, jsonata_put_point(bytes, point)));
}

static bool has_separator_before(const struct integer_picture *picture, size_t left,
				 uint32_t *character)
{
	if (picture->regular > 0) {
		*character = picture->separators[0].character;
		return left % picture->regular == 0;
	}
	return false;
}

/* The ending of an ordinal: by the last two characters written, be they digits or not. */
static const char *ordinal_ending(const char *text, size_t len)
{
	if (len > 1 && text[len - 2] == '1')
		return "th";
	switch (len == 0 ? '0' : text[len - 1]) {
	case '1':
		return "st";
	case '2':
		return "nd";
	case '3':
		return "rd";
	default:
		return "th";
	}
}

static void append_units(struct buffer *out, const uint32_t *units, size_t count)
{
	char text[3 * LINE_MAX_UNITS] UNINITIALIZED;
	size_t len = 0;

	for (size_t i = 0; i < count; i++)
		len = jsonata_append_unit(text, len, units[i]);
	buffer_append(out, str_make(text, len));
}

/* Separators at odd places: put in one by one from the left, as the reference does, which shows
 * where the number is shorter than the picture. */
static void append_irregular(struct buffer *out, const struct integer_picture *picture,
			     const uint32_t *digits, size_t count)
{
	uint32_t line[LINE_MAX_UNITS] UNINITIALIZED, spare[LINE_MAX_UNITS] UNINITIALIZED;
	size_t len = count < LINE_MAX_UNITS ? count : LINE_MAX_UNITS;

	memcpy(line, digits, len * sizeof *line);
	for (uint32_t i = picture->separator_count; i-- > 0 && len < LINE_MAX_UNITS - 2;) {
		const struct picture_separator *s = &picture->separators[i];
		/* In front of the text, what JavaScript's substr() cuts from its end. */
		size_t from_end = s->position > len ? s->position - len : 0;
		size_t head = s->position > len ? 0 : len - s->position, tail = len - head;
		if (from_end > 0)
			tail = from_end < len ? from_end : len;
		memcpy(spare, line, head * sizeof *line);
		uint32_t character = s->character;
		if (character >= 0x10000) {
			spare[head++] = 0xd7c0 + (character >> 10);
			character = 0xdc00 | (character & 0x3ff);
		}
		spare[head] = character;
		memcpy(spare + head + 1, line + len - tail, tail * sizeof *line);
		len = head + 1 + tail;
		memcpy(line, spare, len * sizeof *line);
	}
	append_units(out, line, len);
}

static bool append_decimal(struct buffer *out, double number, const struct integer_picture *picture)
{
	char text[32];
	uint32_t digits[PICTURE_BYTES_MAX + 32] UNINITIALIZED;
	size_t len = json_format_double(number, text), count = 0;
	size_t start = out->len;

	if (isnan(number))
		len = (size_t)snprintf(text, sizeof text, "NaN");
	for (int64_t i = (int64_t)len; i < picture->mandatory_digits && count < PICTURE_BYTES_MAX;
	     i++)
		digits[count++] = picture->zero;
	for (size_t i = 0; i < len; i++)
		digits[count++] = (unsigned char)text[i] + picture->zero - '0';
	if (picture->regular == 0) {
		append_irregular(out, picture, digits, count);
	} else {
		for (size_t i = 0; i < count; i++) {
			uint32_t character = 0;
			if (i > 0 && has_separator_before(picture, count - i, &character))
				append_point(out, character);
			append_point(out, digits[i]);
		}
	}
	if (picture->is_ordinal)
		buffer_append_c(out, ordinal_ending(out->data + start, out->len - start));
	return !out->is_over;
}

/* --- both ways ----------------------------------------------------------------------------- */

static void change_case(char *text, size_t len, enum picture_case letter_case)
{
	for (size_t i = 0; i < len; i++) {
		if (letter_case == PICTURE_UPPER && text[i] >= 'a' && text[i] <= 'z')
			text[i] = (char)(text[i] - 0x20);
		if (letter_case == PICTURE_LOWER && text[i] >= 'A' && text[i] <= 'Z')
			text[i] = (char)(text[i] + 0x20);
	}
}

bool jsonata_format_integer(struct evaluation *e, double value,
			    const struct integer_picture *picture, struct buffer *out)
{
	double number = fabs(value);
	size_t start;

	/* No letters and no numerals stand for what is no number; words would have no end. */
	if (isinf(value) || (isnan(value) && picture->primary == PICTURE_WORDS)) {
		jsonata_fail(e, "D3001", json_undefined());
		return false;
	}
	if (value < 0)
		buffer_append_byte(out, '-');
	/* Huge numbers are divided slowly, and often. */
	jsonata_charge(e, number < 1e15 ? 4 : 1000);
	start = out->len;
	switch (picture->primary) {
	case PICTURE_DECIMAL:
		append_decimal(out, number, picture);
		break;
	case PICTURE_LETTERS:
		append_letters(out, number, picture->letter_case == PICTURE_UPPER ? 'A' : 'a');
		break;
	case PICTURE_ROMAN:
		append_roman(out, number);
		change_case(out->data + start, out->len - start, picture->letter_case);
		break;
	case PICTURE_WORDS:
		append_words(out, number, false, picture->is_ordinal);
		change_case(out->data + start, out->len - start, picture->letter_case);
		break;
	case PICTURE_SEQUENCE:
		jsonata_fail(e, "D3130", json_string(picture->token));
		return false;
	}
	if (!out->is_over)
		return true;
	jsonata_fail(e, "D2015", json_int(e->sequence_max));
	return false;
}

static bool is_separator(const struct integer_picture *picture, uint32_t point)
{
	if (picture->regular > 0)
		return point == ','; /* whatever the picture has: as the reference */
	for (uint32_t i = 0; i < picture->separator_count; i++)
		if (picture->separators[i].character == point)
			return true;
	return false;
}

/* JavaScript's parseInt over the digits that are left when the separators are gone. */
static double parse_decimal(struct str text, const struct integer_picture *picture)
{
	char digits[800]; /* no double has more that count */
	bool has_digit = false, has_sign = false;
	size_t size, len = 0;

	if (picture->is_ordinal)
		text = str_slice(text, 0, text.len < 2 ? 0 : text.len - 2);
	for (size_t at = 0; at < text.len && len < sizeof digits - 1; at += size) {
		size = jsonata_point_size(text.data + at, text.len - at);
		uint32_t point = jsonata_point(text.data + at, size);
		if (is_separator(picture, point))
			continue;
		point = point - picture->zero + '0';
		bool is_digit = point >= '0' && point <= '9';
		bool is_sign = !has_digit && !has_sign && (point == '-' || point == '+');
		if (!is_digit && !is_sign && (has_digit || has_sign || point > ' '))
			break;
		has_digit |= is_digit;
		has_sign |= is_sign;
		if (is_digit || is_sign)
			digits[len++] = (char)point;
	}
	digits[len] = '\0';
	return has_digit ? strtod(digits, NULL) : NAN;
}

double jsonata_parse_integer(struct str text, const struct integer_picture *picture)
{
	bool is_upper = picture->letter_case == PICTURE_UPPER;

	switch (picture->primary) {
	case PICTURE_LETTERS:
		return parse_letters(text, is_upper ? 'A' : 'a');
	case PICTURE_ROMAN:
		return parse_roman(text, is_upper);
	case PICTURE_WORDS:
		return parse_words(text);
	case PICTURE_DECIMAL:
		return parse_decimal(text, picture);
	case PICTURE_SEQUENCE:
		break;
	}
	return NAN;
}

/* --- the functions ------------------------------------------------------------------------- */

static bool read_picture(struct evaluation *e, struct json picture, struct integer_picture *out)
{
	struct fault fault = {0};

	if (picture.type != JSON_STRING) {
		jsonata_fail(e, "T0410", picture);
		e->fault.index = 2;
		return false;
	}
	e->bytes_left -= picture.count * (int64_t)sizeof *out->separators;
	if (jsonata_integer_picture(e->arena, json_str(picture), out, &fault))
		return true;
	e->fault = fault;
	return false;
}

struct json jsonata_builtin_format_integer(struct evaluation *e, const struct json *a,
					   const struct call_site *site)
{
	struct integer_picture picture;
	struct buffer out;

	(void)site;
	if (!value_is_number(a[0]))
		return json_undefined();
	if (!read_picture(e, a[1], &picture))
		return value_failed();
	buffer_init(&out, e->arena, INTEGER_BYTES_MAX);
	if (!jsonata_format_integer(e, floor(value_double(a[0])), &picture, &out))
		return value_failed();
	e->bytes_left -= (int64_t)out.capacity;
	return value_text(buffer_str(&out), jsonata_text_flags(buffer_str(&out)));
}

struct json jsonata_builtin_parse_integer(struct evaluation *e, const struct json *a,
					  const struct call_site *site)
{
	struct integer_picture picture;
	struct json text = a[0];

	(void)site;
	if (text.type != JSON_STRING)
		return json_undefined();
	if (!read_picture(e, a[1], &picture))
		return value_failed();
	if (picture.primary == PICTURE_SEQUENCE)
		return jsonata_fail(e, "D3130", json_string(picture.token));
	if (picture.primary == PICTURE_WORDS) {
		text = jsonata_lower(e, text);
		if (value_is_failed(text))
			return text;
	}
	if (!jsonata_spend_many(e, text.count / 8))
		return value_failed();
	return jsonata_number(jsonata_parse_integer(json_str(text), &picture));
}
