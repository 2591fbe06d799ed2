/* Percent-encoding and queries. */
#include "io/http/http.h"

static bool is_unreserved(unsigned char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       c == '-' || c == '.' || c == '_' || c == '~';
}

void url_encode(struct buffer *out, struct str text)
{
	static const char digits[] = "0123456789ABCDEF";

	for (size_t i = 0; i < text.len; i++) {
		unsigned char c = (unsigned char)text.data[i];
		char escape[3] = {'%', digits[c >> 4], digits[c & 15]};

		if (is_unreserved(c))
			buffer_append_byte(out, (char)c);
		else
			buffer_append(out, str_make(escape, sizeof escape));
	}
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

static bool needs_decoding(struct str text, bool is_form)
{
	for (size_t i = 0; i < text.len; i++) {
		if (text.data[i] == '%' || text.data[i] == '\0' || (is_form && text.data[i] == '+'))
			return true;
	}
	return false;
}

/* One byte at text[*at], which then stands behind it; -1 for a bad escape or a NUL. */
static int decode_byte(struct str text, size_t *at, bool is_form)
{
	char c = text.data[(*at)++];

	if (c == '+' && is_form)
		return ' ';
	if (c != '%')
		return c == '\0' ? -1 : (unsigned char)c;
	if (text.len - *at < 2)
		return -1;
	int high = hex_digit(text.data[*at]);
	int low = hex_digit(text.data[*at + 1]);
	*at += 2;
	return high < 0 || low < 0 || high + low == 0 ? -1 : high << 4 | low;
}

bool url_decode(struct arena *arena, struct str text, bool is_form, struct str *out)
{
	*out = text;
	if (!needs_decoding(text, is_form))
		return true;
	char *decoded = arena_alloc(arena, text.len);
	size_t len = 0;

	for (size_t at = 0; at < text.len;) {
		int byte = decode_byte(text, &at, is_form);

		if (byte < 0)
			return false;
		decoded[len++] = (char)byte;
	}
	*out = str_make(decoded, len);
	return true;
}

static size_t count_fields(struct str query)
{
	size_t count = 0;

	while (query.len > 0)
		count += str_cut(&query, '&').len > 0;
	return count;
}

static bool parse_field(struct arena *arena, struct str text, struct http_field *field,
			struct error *err)
{
	struct str value = text;
	struct str name = str_cut(&value, '=');

	if (!url_decode(arena, name, true, &field->name))
		return error_set_field(err, ERROR_INVALID, "query", NULL,
				       "the query has a name with a bad percent escape");
	if (url_decode(arena, value, true, &field->value))
		return true;
	char shown[64];
	snprintf(shown, sizeof shown, "%.*s", (int)(field->name.len < 60 ? field->name.len : 60),
		 field->name.data == NULL ? "" : field->name.data);
	return error_set_field(err, ERROR_INVALID, shown, NULL,
			       "the value in the query has a bad percent escape");
}

bool url_parse_query(struct arena *arena, struct str query, size_t fields_max,
		     struct http_field **fields, size_t *count, struct error *err)
{
	size_t wanted = count_fields(query);

	*fields = NULL;
	*count = 0;
	if (wanted > fields_max)
		return error_set_field(err, ERROR_LIMIT, "query", NULL,
				       "the query has %zu fields, more than the %zu allowed",
				       wanted, fields_max);
	if (wanted == 0)
		return true;
	*fields = arena_array(arena, wanted, sizeof **fields);
	while (query.len > 0) {
		struct str field = str_cut(&query, '&');

		if (field.len == 0)
			continue;
		if (!parse_field(arena, field, &(*fields)[*count], err))
			return false;
		(*count)++;
	}
	return true;
}
