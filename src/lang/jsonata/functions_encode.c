/* Base64 and URL encoding. */
#include "lang/jsonata/builtin.h"
#include "lang/jsonata/text.h"

static const char base64_digits[] =
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* The reference takes the low byte of each UTF-16 unit ("binary"). */
static struct json to_bytes(struct evaluation *e, struct json text)
{
	char *out;
	size_t len = 0, size;

	if ((text.flags & JSON_ASCII) != 0)
		return text;
	out = jsonata_take_text(e, text.count);
	if (out == NULL)
		return value_failed();
	for (size_t at = 0; at < text.count; at += size) {
		size = jsonata_point_size(text.text + at, text.count - at);
		uint32_t point = jsonata_point(text.text + at, size);
		if (point >= 0x10000) {
			out[len++] = (char)((point - 0x10000) >> 10);
			out[len++] = (char)(point - 0x10000);
		} else {
			out[len++] = (char)point;
		}
	}
	return value_text(str_make(out, len), 0);
}

struct json jsonata_builtin_base64_encode(struct evaluation *e, const struct json *a,
					  const struct call_site *site)
{
	size_t at = 0;

	(void)site;
	if (a[0].type != JSON_STRING)
		return json_undefined();
	struct json bytes = to_bytes(e, a[0]);
	if (value_is_failed(bytes))
		return bytes;
	char *out = jsonata_take_text(e, ((size_t)bytes.count + 2) / 3 * 4);
	if (out == NULL)
		return value_failed();
	jsonata_charge(e, bytes.count / 16);
	for (uint32_t i = 0; i < bytes.count; i += 3) {
		uint32_t left = bytes.count - i, word = 0;
		for (uint32_t k = 0; k < 3; k++)
			word = word << 8 | (k < left ? (unsigned char)bytes.text[i + k] : 0);
		out[at++] = base64_digits[word >> 18];
		out[at++] = base64_digits[word >> 12 & 63];
		out[at++] = left > 1 ? base64_digits[word >> 6 & 63] : '=';
		out[at++] = left > 2 ? base64_digits[word & 63] : '=';
	}
	return value_text(str_make(out, at), JSON_PLAIN | JSON_ASCII);
}

static int base64_value(char c)
{
	if (c == '-')
		c = '+';
	if (c == '_')
		c = '/';
	const char *found = c == '\0' ? NULL : strchr(base64_digits, c);

	return found == NULL ? -1 : (int)(found - base64_digits);
}

struct json jsonata_builtin_base64_decode(struct evaluation *e, const struct json *a,
					  const struct call_site *site)
{
	uint32_t word = 0, bits = 0;
	size_t len = 0;

	(void)site;
	if (a[0].type != JSON_STRING)
		return json_undefined();
	struct json text = to_bytes(e, a[0]);
	if (value_is_failed(text))
		return text;
	char *out = jsonata_take_text(e, (size_t)text.count * 2 + 2);
	if (out == NULL)
		return value_failed();
	jsonata_charge(e, text.count / 2);
	for (uint32_t i = 0; i < text.count && text.text[i] != '='; i++) {
		int value = base64_value(text.text[i]);
		if (value < 0)
			continue;
		word = word << 6 | (uint32_t)value;
		bits += 6;
		if (bits < 8)
			continue;
		bits -= 8;
		len += jsonata_put_point(out + len, word >> bits & 0xff);
	}
	struct str s = str_make(out, len);
	return value_text(s, jsonata_text_flags(s));
}

/* --- URLs ---------------------------------------------------------------------------------- */

static const char marks_component[] = "-_.!~*'()";
static const char marks_url[] = "-_.!~*'();/?:@&=+$,#";

static bool is_alphanumeric(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static struct json fail_url(struct evaluation *e, struct json text, const char *function)
{
	jsonata_fail(e, "D3140", text);
	e->fault.text = str_from_c(function);
	return value_failed();
}

static bool is_surrogate(struct json text, uint32_t at)
{
	return at + 1 < text.count && (unsigned char)text.text[at] == 0xed &&
	       (unsigned char)text.text[at + 1] >= 0xa0;
}

static struct json encode(struct evaluation *e, struct json text, const char *marks,
			  const char *function)
{
	size_t len = 0;

	if (text.type != JSON_STRING)
		return json_undefined();
	char *out = jsonata_take_text(e, (size_t)text.count * 3);
	if (out == NULL)
		return value_failed();
	jsonata_charge(e, text.count / 8);
	for (uint32_t i = 0; i < text.count; i++) {
		char c = text.text[i];
		if (is_surrogate(text, i))
			return fail_url(e, text, function);
		if (is_alphanumeric(c) || (c != '\0' && strchr(marks, c) != NULL)) {
			out[len++] = c;
			continue;
		}
		out[len++] = '%';
		out[len++] = "0123456789ABCDEF"[(unsigned char)c >> 4];
		out[len++] = "0123456789ABCDEF"[(unsigned char)c & 15];
	}
	return value_text(str_make(out, len), JSON_PLAIN | JSON_ASCII);
}

struct json jsonata_builtin_encode_url_component(struct evaluation *e, const struct json *a,
						 const struct call_site *site)
{
	(void)site;
	return encode(e, a[0], marks_component, "encodeUrlComponent");
}

struct json jsonata_builtin_encode_url(struct evaluation *e, const struct json *a,
				       const struct call_site *site)
{
	(void)site;
	return encode(e, a[0], marks_url, "encodeUrl");
}

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)(c | 0x20);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The byte of a %XX at `at`, or -1. */
static int percent_byte(struct json text, size_t at)
{
	if (at + 2 >= text.count + 0u || text.text[at] != '%')
		return -1;
	int high = hex_value(text.text[at + 1]), low = hex_value(text.text[at + 2]);

	return high < 0 || low < 0 ? -1 : high * 16 + low;
}

/* The code point that begins with the escape at `at`; *size escaped bytes; false when unsound. */
static bool read_escaped(struct json text, size_t at, uint32_t *point, size_t *size)
{
	int first = percent_byte(text, at);
	char bytes[4];
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};

	if (first < 0 || (first >= 0x80 && first < 0xc2) || first > 0xf4)
		return false;
	*size = first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
	for (size_t i = 0; i < *size; i++) {
		int byte = percent_byte(text, at + 3 * i);
		if (byte < 0 || (i > 0 && (byte & 0xc0) != 0x80))
			return false;
		bytes[i] = (char)byte;
	}
	*point = jsonata_point(bytes, *size);
	return *point >= least[*size] && *point <= 0x10ffff &&
	       (*point < 0xd800 || *point >= 0xe000);
}

static struct json decode(struct evaluation *e, struct json text, const char *kept,
			  const char *function)
{
	size_t len = 0, at = 0, size;
	uint32_t point;

	if (text.type != JSON_STRING)
		return json_undefined();
	char *out = jsonata_take_text(e, text.count);
	if (out == NULL)
		return value_failed();
	jsonata_charge(e, text.count / 16);
	while (at < text.count) {
		if (text.text[at] != '%') {
			out[len++] = text.text[at++];
			continue;
		}
		if (!read_escaped(text, at, &point, &size))
			return fail_url(e, text, function);
		/* decodeURI leaves the escapes of characters that mean something in a URL. */
		if (point < 0x80 && point != 0 && strchr(kept, (int)point) != NULL) {
			memcpy(out + len, text.text + at, 3);
			len += 3;
		} else {
			len += jsonata_put_point(out + len, point);
		}
		at += 3 * size;
	}
	struct str s = str_make(out, len);
	return value_text(s, jsonata_text_flags(s));
}

struct json jsonata_builtin_decode_url_component(struct evaluation *e, const struct json *a,
						 const struct call_site *site)
{
	(void)site;
	return decode(e, a[0], "", "decodeUrlComponent");
}

struct json jsonata_builtin_decode_url(struct evaluation *e, const struct json *a,
				       const struct call_site *site)
{
	(void)site;
	return decode(e, a[0], ";/?:@&=+$,#", "decodeUrl");
}
