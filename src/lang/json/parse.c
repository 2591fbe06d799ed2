/* The parser. It keeps no recursion: what is gathered lies in cells of 16 bytes on one stack, and
 * the innermost open container is a frame in that same stack, in the cell where its value will be:
 *
 *     frame | key value key value … frame | value value … <- top
 *
 * When a container closes, its cells are copied to the arena in their final size and its frame
 * becomes its value. Functions take the place in the text and return the place after what they
 * read, or NULL when they failed. */
#include <assert.h>
#include <stdlib.h>

#include "lang/json/json.h"
#include "lang/json/member.h"
#include "lang/json/scan.h"

enum { CELLS_FIRST = 1024 };

struct key {
	const char *text;
	uint32_t len;
	uint32_t hash;
};

struct frame {
	const char *start; /* of the container in the text */
	uint32_t parent;   /* cell of the frame around it */
	char parent_closer;
};

union cell {
	struct json value;
	struct key key;
	struct frame frame;
};

static_assert(sizeof(union cell) == 16, "the cells of an array are its items");
static_assert(sizeof(struct json_member) == 32, "two cells are a member");
static_assert(sizeof(struct json_source) == 16, "items after a source are aligned");

struct parser {
	struct arena *arena;
	const char *text;
	const char *end;
	const struct json_limits *limits;
	union cell *cells;
	union cell *cells_end;
	uint32_t frame; /* the innermost open container; 0 is the root */
	char closer;    /* of that: ] or }, or NUL for the root */
	uint32_t depth;
	uint32_t nodes_left;
	struct error *err;
};

const struct json_limits json_limits_default = {
	.bytes_max = 64 * 1024 * 1024,
	.depth_max = 128,
	.nodes_max = 8 * 1000 * 1000,
};

__attribute__((cold, noinline)) static const char *fail(struct parser *p, const char *at,
							const char *what)
{
	error_set(p->err, ERROR_INVALID, "not JSON at byte %zu: %s", (size_t)(at - p->text), what);
	return NULL;
}

__attribute__((cold, noinline)) static const char *fail_limit(struct parser *p, const char *what,
							      size_t allowed)
{
	error_set(p->err, ERROR_LIMIT, "the JSON has more than %zu %s", allowed, what);
	return NULL;
}

static inline const char *skip_space(const char *at, const char *end)
{
	if (at < end && (unsigned char)*at > ' ')
		return at;
	/* One blank after a colon or a comma is common too. */
	if (end - at >= 2 && *at == ' ' && (unsigned char)at[1] > ' ')
		return at + 1;
	return scan_past_space(at, end);
}

/* --- strings ------------------------------------------------------------------------------- */

/* The value of 4 hexadecimal digits, or -1. */
static int32_t read_hex4(const char *at)
{
	int32_t value = 0;

	for (int i = 0; i < 4; i++) {
		unsigned char byte = (unsigned char)at[i];
		unsigned char letter = (unsigned char)((byte | 0x20) - 'a');

		if (byte >= '0' && byte <= '9')
			value = value << 4 | (byte - '0');
		else if (letter < 6)
			value = value << 4 | (letter + 10);
		else
			return -1;
	}
	return value;
}

/* Three bytes for a lone surrogate too. */
static char *put_utf8(char *to, uint32_t code)
{
	if (code < 0x80) {
		*to++ = (char)code;
	} else if (code < 0x800) {
		*to++ = (char)(0xc0 | code >> 6);
		*to++ = (char)(0x80 | (code & 0x3f));
	} else if (code < 0x10000) {
		*to++ = (char)(0xe0 | code >> 12);
		*to++ = (char)(0x80 | (code >> 6 & 0x3f));
		*to++ = (char)(0x80 | (code & 0x3f));
	} else {
		*to++ = (char)(0xf0 | code >> 18);
		*to++ = (char)(0x80 | (code >> 12 & 0x3f));
		*to++ = (char)(0x80 | (code >> 6 & 0x3f));
		*to++ = (char)(0x80 | (code & 0x3f));
	}
	return to;
}

/* What stands after "\u", with the second half of a pair where one follows. *code < 0: wrong. */
static const char *read_unicode(const char *at, const char *end, int32_t *code)
{
	*code = end - at < 4 ? -1 : read_hex4(at);
	at += 4;
	if (*code < 0xd800 || *code > 0xdbff || end - at < 6 || at[0] != '\\' || at[1] != 'u')
		return at;
	int32_t low = read_hex4(at + 2);

	if (low < 0xdc00 || low > 0xdfff)
		return at;
	*code = 0x10000 + ((*code - 0xd800) << 10) + (low - 0xdc00);
	return at + 6;
}

/* The byte which a backslash and `letter` stand for, or NUL when they stand for none. */
static char simple_escape(char letter)
{
	switch (letter) {
	case '"':
	case '\\':
	case '/':
		return letter;
	case 'b':
		return '\b';
	case 'f':
		return '\f';
	case 'n':
		return '\n';
	case 'r':
		return '\r';
	case 't':
		return '\t';
	default:
		return '\0';
	}
}

/* Decodes one escape after its backslash and takes flags away which then no longer hold. */
static const char *decode_escape(const char *at, const char *end, char **to, uint8_t *flags)
{
	int32_t code = simple_escape(*at);

	if (*at == 'u') {
		at = read_unicode(at + 1, end, &code);
		if (code < 0)
			return NULL;
	} else if (code == 0) {
		return NULL;
	} else {
		at++;
	}
	if (code >= 0x80)
		*flags &= (uint8_t)~JSON_ASCII;
	if (code < 0x20 || code == '"' || code == '\\' || (code >= 0xd800 && code <= 0xdfff))
		*flags &= (uint8_t)~JSON_PLAIN;
	*to = put_utf8(*to, (uint32_t)code);
	return at;
}

/* The text between `at` and `end`, which has escapes, decoded into the arena: it never grows. */
static const char *decode_string(struct parser *p, const char *at, const char *end,
				 struct json *out)
{
	char *text = arena_alloc(p->arena, (size_t)(end - at)), *to = text;
	unsigned ignored = 0;

	while (at < end) {
		const char *slash = scan_to_special(at, end, &ignored);

		memcpy(to, at, (size_t)(slash - at));
		to += slash - at;
		if (slash == end)
			break;
		at = decode_escape(slash + 1, end, &to, &out->flags);
		if (at == NULL)
			return fail(p, slash, "a backslash with no meaning");
	}
	out->count = (uint32_t)(to - text);
	out->text = text;
	return end;
}

/* The closing quote of a string in which a backslash was found at `at`. */
static const char *find_quote(struct parser *p, const char *at, unsigned *has_high)
{
	while (at < p->end && *at == '\\') {
		if (p->end - at < 2)
			return fail(p, at, "a string without an end");
		/* The byte after a backslash is looked at when the string is decoded; here it only
		 * must not be taken for the closing quote. */
		at = scan_to_special(at + 2, p->end, has_high);
	}
	return at;
}

/* All that is not ASCII without escapes: `at` is the first byte for which that does not hold. */
__attribute__((noinline)) static const char *finish_string(struct parser *p, const char *start,
							   const char *at, struct json *out)
{
	unsigned has_high = 0;

	at = scan_to_special(at, p->end, &has_high);
	bool has_escapes = at < p->end && *at == '\\';

	if (has_escapes)
		at = find_quote(p, at, &has_high);
	if (at == NULL)
		return NULL;
	if (at == p->end)
		return fail(p, start - 1, "a string without an end");
	if (*at != '"')
		return fail(p, at, "a control byte in a string must be escaped");
	*out = (struct json){.type = JSON_STRING, .flags = JSON_PLAIN | JSON_ASCII,
			     .count = (uint32_t)(at - start), .text = start};
	if (has_high != 0) {
		if (!scan_is_utf8(start, at))
			return fail(p, start, "the string is not UTF-8");
		out->flags = JSON_PLAIN;
	}
	if (has_escapes && decode_string(p, start, at, out) == NULL)
		return NULL;
	return at + 1;
}

/* `start` is after the opening quote. */
static inline const char *read_string(struct parser *p, const char *start, const char *end,
				      struct json *out)
{
	const char *at = scan_plain(start, end);

	if (__builtin_expect(at == end || *at != '"', 0))
		return finish_string(p, start, at, out);
	*out = (struct json){.type = JSON_STRING, .flags = JSON_PLAIN | JSON_ASCII,
			     .count = (uint32_t)(at - start), .text = start};
	return at + 1;
}

/* --- numbers and names --------------------------------------------------------------------- */

static inline const char *skip_digits(const char *at, const char *end)
{
	while (at < end && (unsigned char)(*at - '0') < 10)
		at++;
	return at;
}

/* The fraction and the exponent of a number whose integer part ends at `at`. */
static const char *skip_fraction(struct parser *p, const char *at)
{
	if (at < p->end && *at == '.') {
		const char *digits = at + 1;

		at = skip_digits(digits, p->end);
		if (at == digits)
			return fail(p, at, "a digit must follow the point");
	}
	if (at < p->end && (*at == 'e' || *at == 'E')) {
		at++;
		if (at < p->end && (*at == '+' || *at == '-'))
			at++;
		const char *digits = at;

		at = skip_digits(digits, p->end);
		if (at == digits)
			return fail(p, at, "an exponent without digits");
	}
	return at;
}

static const char *read_number(struct parser *p, const char *start, struct json *out)
{
	bool is_negative = *start == '-';
	const char *digits = start + is_negative, *at = digits;
	uint64_t number = 0; /* wraps past 19 digits, where it is not used */

	for (unsigned char digit; at < p->end && (digit = (unsigned char)(*at - '0')) < 10; at++)
		number = number * 10 + digit;
	if (at == digits)
		return fail(p, at, is_negative ? "a digit must follow the minus sign" :
						 "a value must stand here");
	if (*digits == '0' && at - digits > 1)
		return fail(p, digits, "a number must not begin with a needless 0");
	const char *whole_end = at;

	at = skip_fraction(p, at);
	if (at == NULL)
		return NULL;
	if (at == whole_end && at - digits <= 18 && !(is_negative && number == 0))
		*out = json_int(is_negative ? -(int64_t)number : (int64_t)number);
	else
		*out = (struct json){.type = JSON_NUMBER_TEXT, .count = (uint32_t)(at - start),
				     .text = start};
	return at;
}

static inline bool is_word(const char *at, const char *end, const char *word, size_t len)
{
	return (size_t)(end - at) >= len && memcmp(at, word, len) == 0;
}

/* Anything but a string and a container. */
static inline const char *read_plain_value(struct parser *p, const char *at, const char *end,
					   struct json *out)
{
	if (*at == 'n' && is_word(at, end, "null", 4)) {
		*out = json_null();
		return at + 4;
	}
	if (*at == 't' && is_word(at, end, "true", 4)) {
		*out = json_bool(true);
		return at + 4;
	}
	if (*at == 'f' && is_word(at, end, "false", 5)) {
		*out = json_bool(false);
		return at + 5;
	}
	return read_number(p, at, out);
}

/* --- containers ---------------------------------------------------------------------------- */

/* Room for a value (or a frame and a key) and the key that may follow; the cells may move. */
static inline union cell *make_room(struct parser *p, union cell *top)
{
	if (__builtin_expect(p->cells_end - top >= 3, 1))
		return top;
	size_t used = (size_t)(top - p->cells), capacity = (size_t)(p->cells_end - p->cells) * 2;

	p->cells = realloc(p->cells, capacity * sizeof *p->cells);
	if (p->cells == NULL)
		die("out of memory: %zu bytes wanted to read JSON", capacity * sizeof *p->cells);
	p->cells_end = p->cells + capacity;
	return p->cells + used;
}

/* A key and its colon, into one cell. In a text without white space no place is looked at twice:
 * each byte is first compared with what is likely to stand there. */
static inline const char *read_key(struct parser *p, const char *at, const char *end,
				   union cell *cell)
{
	if (at == end || *at != '"') {
		at = skip_space(at, end);
		if (at == end || *at != '"')
			return fail(p, at, "a key in quotes must stand here");
	}
	const char *start = at + 1;

	at = scan_plain(start, end);
	if (__builtin_expect(at < end && *at == '"', 1)) {
		size_t len = (size_t)(at++ - start);

		cell->key = (struct key){start, (uint32_t)len, json_key_hash(start, len)};
	} else {
		struct json key;

		at = finish_string(p, start, at, &key);
		if (at == NULL)
			return NULL;
		cell->key = (struct key){key.text, key.count, json_key_hash(key.text, key.count)};
	}
	if (at == end || *at != ':') {
		at = skip_space(at, end);
		if (at == end || *at != ':')
			return fail(p, at, "a colon must follow the key");
	}
	return at + 1;
}

/* Turns the cells above the innermost frame into a container in that frame's place. `end` is
 * behind its closing bracket. Returns the new top. */
static union cell *close_container(struct parser *p, union cell *top, const char *end)
{
	union cell *frame = p->cells + p->frame, *items = frame + 1;
	bool is_object = p->closer == '}';
	size_t count = (size_t)(top - items);
	const void *place = NULL;

	if (is_object && count > 0) {
		count = member_make_unique((struct json_member *)(void *)items, count / 2);
		top = items + count * 2;
	}
	if (count > 0) {
		size_t bytes = (size_t)(top - items) * sizeof *items;
		struct json_source *source = arena_alloc(p->arena, sizeof *source + bytes);

		source->text = frame->frame.start;
		source->len = (size_t)(end - frame->frame.start);
		place = memcpy(source + 1, items, bytes);
	}
	p->frame = frame->frame.parent;
	p->closer = frame->frame.parent_closer;
	p->depth--;
	frame->value = (struct json){.type = is_object ? JSON_OBJECT : JSON_ARRAY,
				     .flags = count > 0 ? JSON_HAS_SOURCE : 0,
				     .count = (uint32_t)count, .pointer = place};
	return frame + 1;
}

/* Puts a frame for the bracket at `at` on top; what follows is an item, a key or the closer. */
static inline const char *open_container(struct parser *p, const char *at, const char *end,
					 union cell *top)
{
	if (p->depth == p->limits->depth_max)
		return fail_limit(p, "levels of nesting", p->limits->depth_max);
	if (arena_is_over(p->arena))
		return arena_check(p->arena, p->err) ? at : NULL;
	p->depth++;
	top->frame = (struct frame){at, p->frame, p->closer};
	p->frame = (uint32_t)(top - p->cells);
	p->closer = (char)(*at + 2); /* ] and } stand two places after their openers in ASCII */
	return skip_space(at + 1, end);
}

/* After a value that no comma follows at once: closes what ends here. Returns the place behind
 * the comma before the next item or key, or the end of the text when the root has its value. */
static const char *close_all(struct parser *p, const char *at, union cell **top)
{
	for (;;) {
		at = skip_space(at, p->end);
		if (at == p->end)
			return p->closer == '\0' ? at : fail(p, at, "the text ends too early");
		if (p->closer == '\0')
			return fail(p, at, "something follows the value");
		if (*at == ',')
			return at + 1;
		if (*at != p->closer)
			return fail(p, at, p->closer == ']' ? "a comma or ] must follow the value" :
							      "a comma or } must follow the value");
		at++;
		*top = close_container(p, *top, at);
	}
}

static inline bool is_opener(char byte)
{
	return byte == '[' || byte == '{';
}

/* One value, of a container that is not empty the opening only: then *is_open. */
static inline const char *read_value(struct parser *p, const char *at, const char *end,
				     union cell **top, bool *is_open)
{
	union cell *cell = (*top)++;

	*is_open = false;
	if (*at == '"')
		return read_string(p, at + 1, end, &cell->value);
	if (!is_opener(*at))
		return read_plain_value(p, at, end, &cell->value);
	at = open_container(p, at, end, cell);
	if (at == NULL)
		return NULL;
	*is_open = at == end || *at != p->closer;
	if (*is_open)
		return at;
	*top = close_container(p, *top, at + 1);
	return at + 1;
}

static const char *read_text(struct parser *p, const char *at)
{
	const char *end = p->end;
	union cell *top = p->cells + 1; /* the first cell stands for the frame of the root */
	bool is_open;

	for (;;) {
		at = skip_space(at, end);
		if (at == end)
			return fail(p, at, "a value must stand here");
		if (p->nodes_left-- == 0)
			return fail_limit(p, "values", p->limits->nodes_max);
		top = make_room(p, top);
		at = read_value(p, at, end, &top, &is_open);
		if (at == NULL)
			return NULL;
		if (!is_open) {
			if (at < end && *at == ',' && p->closer != '\0')
				at++;
			else
				at = close_all(p, at, &top);
			if (at == NULL || p->closer == '\0')
				return at;
		}
		if (p->closer == '}') {
			at = read_key(p, at, end, top++);
			if (at == NULL)
				return NULL;
		}
	}
}

bool json_parse(struct arena *arena, struct str text, const struct json_limits *limits,
		struct json *out, struct error *err)
{
	assert(arena != NULL && limits != NULL && out != NULL && err != NULL);
	if (text.len > limits->bytes_max || text.len > UINT32_MAX)
		return error_set(err, ERROR_LIMIT, "the JSON has more than %zu bytes",
				 limits->bytes_max);
	const char *start = text.data == NULL ? "" : text.data;
	struct parser parser = {.arena = arena, .text = start, .end = start + text.len,
				.limits = limits, .nodes_left = limits->nodes_max, .err = err};

	parser.cells = malloc(CELLS_FIRST * sizeof *parser.cells);
	if (parser.cells == NULL)
		die("out of memory to read JSON");
	parser.cells_end = parser.cells + CELLS_FIRST;
	bool is_read = read_text(&parser, start) != NULL && arena_check(arena, err);

	if (is_read)
		*out = parser.cells[1].value;
	free(parser.cells);
	return is_read;
}
