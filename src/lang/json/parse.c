/* The parser. It keeps no recursion: what is gathered lies in cells of 16 bytes on one stack, and
 * the innermost open container is a frame in that same stack, in the cell where its value will be:
 *
 *     frame | key value key value … frame | value value … <- top
 *
 * When a container closes, its cells are copied to the arena in their final size and its frame
 * becomes its value. Functions take the place in the text and return the place after what they
 * read, or NULL when they failed.
 *
 * Where a string ends is not searched byte by byte: the stops of the text (stops.h) are found a
 * window at a time, and the parser goes along them.
 *
 * Few places compare with the end of the text. That is safe because the text either ends in a
 * closing bracket, so that only after one of these there may be nothing more; or it is a copy with
 * a NUL at `end`, which can stand nowhere. */
#include <assert.h>
#include <stdlib.h>

#include "lang/json/json.h"
#include "lang/json/member.h"
#include "lang/json/scan.h"
#include "lang/json/stops.h"

enum { CELLS_FIRST = 1024, QUOTES_MAX = 8 };

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

/* What one parse needs besides the arena. */
struct workspace {
	uint32_t stops[STOPS_ROOM];
	struct member_filter filter;
	union cell cells[CELLS_FIRST];
};

struct parser {
	struct arena *arena;
	const char *text;
	const char *end;      /* without the white space behind, if there is no NUL */
	const char *text_end; /* with it: for messages and for strings that do not end */
	const struct json_limits *limits;
	struct workspace *space;
	union cell *cells; /* those of the workspace, or more */
	union cell *cells_end;
	uint32_t frame; /* the innermost open container; 0 is the root */
	char closer;	/* of that: ] or }, or NUL for the root */
	bool has_nul;	/* at `end` there is one; else a bracket stands before it */
	uint32_t depth;
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

/* Not for the end of the text, unless there is a NUL. */
static inline const char *skip_space(const char *at, const char *end)
{
	if (__builtin_expect((unsigned char)*at > ' ', 1))
		return at;
	/* One blank after a colon or a comma is common too. */
	if (*at == ' ' && end - at >= 2 && (unsigned char)at[1] > ' ')
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
	while (at < p->text_end && *at == '\\') {
		if (p->text_end - at < 2)
			return fail(p, at, "a string without an end");
		/* The byte after a backslash is looked at when the string is decoded; here it only
		 * must not be taken for the closing quote. */
		at = scan_to_special(at + 2, p->text_end, has_high);
	}
	return at;
}

/* All that is not ASCII without escapes: `at` is the first byte for which that does not hold. */
__attribute__((noinline)) static const char *finish_string(struct parser *p, const char *start,
							   const char *at, struct json *out)
{
	unsigned has_high = 0;

	at = scan_to_special(at, p->text_end, &has_high);
	bool has_escapes = at < p->text_end && *at == '\\';

	if (has_escapes)
		at = find_quote(p, at, &has_high);
	if (at == NULL)
		return NULL;
	if (at == p->text_end)
		return fail(p, start - 1, "a string without an end");
	if (*at != '"')
		return fail(p, at, "a control byte in a string must be escaped");
	*out = (struct json){.type = JSON_STRING,
			     .flags = JSON_PLAIN | JSON_ASCII,
			     .count = (uint32_t)(at - start),
			     .text = start};
	if (has_high != 0) {
		if (!scan_is_utf8(start, at))
			return fail(p, start, "the string is not UTF-8");
		out->flags = JSON_PLAIN;
	}
	if (has_escapes && decode_string(p, start, at, out) == NULL)
		return NULL;
	return at + 1;
}

/* The stops of the window that begins at `at`. Behind them stands the place of a byte that is no
 * quote, so that a string which has no stop left in the window is none that ends plainly. */
static const uint32_t *open_window(struct parser *p, const char *at)
{
	size_t left = (size_t)(p->end - at), len = left < STOPS_WINDOW ? left : STOPS_WINDOW;
	uint32_t *stops = p->space->stops, place = (uint32_t)(at - p->text);
	size_t count = stops_find(at, len, place, stops);

	/* No text that is JSON has as many quotes in a row. */
	for (int i = 0; i < QUOTES_MAX && len < left && at[len] == '"'; i++, len++)
		stops[count++] = place + (uint32_t)len;
	stops[count] = place + (uint32_t)len - (len == left && !p->has_nul);
	stops[count + 1] = UINT32_MAX;
	return stops;
}

/* The stop at this place, where there is a quote. */
__attribute__((noinline)) static const uint32_t *seek_stop(struct parser *p, const uint32_t *stop,
							   uint32_t place)
{
	while (*stop < place)
		stop++;
	/* A quote that is no stop lies past the window. */
	return *stop == place ? stop : open_window(p, p->text + place);
}

/* The first byte of a string that is special or not ASCII; or one before that, which is no quote.
 * `start` is after the opening quote; *stop is that of the quote or one before, and is then one
 * past the quote. */
static inline const char *find_stop(struct parser *p, const char *start, const uint32_t **stop)
{
	const uint32_t *open = *stop;
	uint32_t place = (uint32_t)(start - 1 - p->text);

	if (__builtin_expect(*open != place, 0))
		open = seek_stop(p, open, place);
	*stop = open + 1;
	return p->text + open[1];
}

/* `start` is after the opening quote. */
static inline const char *read_string(struct parser *p, const char *start, const uint32_t **stop,
				      struct json *out)
{
	const char *at = find_stop(p, start, stop);

	if (__builtin_expect(*at != '"', 0))
		return finish_string(p, start, at, out);
	++*stop;
	*out = (struct json){.type = JSON_STRING,
			     .flags = JSON_PLAIN | JSON_ASCII,
			     .count = (uint32_t)(at - start),
			     .text = start};
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

	for (unsigned char digit; (digit = (unsigned char)(*at - '0')) < 10; at++)
		number = number * 10 + digit;
	if (at == digits)
		return fail(p, at,
			    is_negative ? "a digit must follow the minus sign"
					: "a value must stand here");
	if (*digits == '0' && at - digits > 1)
		return fail(p, digits, "a number must not begin with a needless 0");
	const char *whole_end = at;

	at = skip_fraction(p, at);
	if (at == NULL)
		return NULL;
	if (at == whole_end && at - digits <= 18 && !(is_negative && number == 0))
		*out = json_int(is_negative ? -(int64_t)number : (int64_t)number);
	else
		*out = (struct json){
			.type = JSON_NUMBER_TEXT, .count = (uint32_t)(at - start), .text = start};
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

__attribute__((cold, noinline)) static union cell *grow_cells(struct parser *p, union cell *top)
{
	size_t used = (size_t)(top - p->cells), capacity = (size_t)(p->cells_end - p->cells) * 2;
	union cell *old = p->cells == p->space->cells ? NULL : p->cells;
	union cell *cells = realloc(old, capacity * sizeof *cells);

	if (cells == NULL)
		die("out of memory: %zu bytes wanted to read JSON", capacity * sizeof *cells);
	if (old == NULL)
		memcpy(cells, p->space->cells, used * sizeof *cells);
	p->cells = cells;
	p->cells_end = cells + capacity;
	return cells + used;
}

/* Room for a value (or a frame and a key) and the key that may follow; the cells may move. */
static inline union cell *make_room(struct parser *p, union cell *top)
{
	if (__builtin_expect(p->cells_end - top >= 3, 1))
		return top;
	return grow_cells(p, top);
}

/* A key and its colon, into one cell. In a text without white space no place is looked at twice:
 * each byte is first compared with what is likely to stand there. */
static inline const char *read_key(struct parser *p, const char *at, const uint32_t **stop,
				   union cell *cell)
{
	if (*at != '"') {
		at = skip_space(at, p->end);
		if (*at != '"')
			return fail(p, at, "a key in quotes must stand here");
	}
	const char *start = at + 1;

	at = find_stop(p, start, stop);
	if (__builtin_expect(*at == '"', 1)) {
		size_t len = (size_t)(at++ - start);

		++*stop;
		cell->key = (struct key){start, (uint32_t)len, json_key_hash(start, len)};
	} else {
		struct json key;

		at = finish_string(p, start, at, &key);
		if (at == NULL)
			return NULL;
		cell->key = (struct key){key.text, key.count, json_key_hash(key.text, key.count)};
	}
	if (*at != ':') {
		at = skip_space(at, p->end);
		if (*at != ':')
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
		count = member_make_unique((struct json_member *)(void *)items, count / 2,
					   &p->space->filter);
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
				     .count = (uint32_t)count,
				     .pointer = place};
	return frame + 1;
}

/* Puts a frame for the bracket at `at` on top; what follows is an item, a key or the closer. */
static inline const char *open_container(struct parser *p, const char *at, union cell *top)
{
	if (p->depth == p->limits->depth_max)
		return fail_limit(p, "levels of nesting", p->limits->depth_max);
	if (arena_is_over(p->arena))
		return arena_check(p->arena, p->err) ? at : NULL;
	p->depth++;
	top->frame = (struct frame){at, p->frame, p->closer};
	p->frame = (uint32_t)(top - p->cells);
	p->closer = (char)(*at + 2); /* ] and } stand two places after their openers in ASCII */
	return skip_space(at + 1, p->end);
}

/* After a value that no comma follows at once: closes what ends here. Returns the place behind
 * the comma before the next item or key, or that behind the root. */
static inline const char *close_all(struct parser *p, const char *at, union cell **top)
{
	at = skip_space(at, p->end);
	while (*at == p->closer) {
		*top = close_container(p, *top, ++at);
		if (p->closer == '\0')
			return at;
		if (at == p->end)
			return fail(p, p->text_end, "the text ends too early");
		at = skip_space(at, p->end);
	}
	if (*at == ',')
		return at + 1;
	if (at == p->end)
		return fail(p, p->text_end, "the text ends too early");
	return fail(p, at,
		    p->closer == ']' ? "a comma or ] must follow the value"
				     : "a comma or } must follow the value");
}

static inline bool is_opener(char byte)
{
	return byte == '[' || byte == '{';
}

__attribute__((cold, noinline)) static const char *fail_nodes(struct parser *p, const char *at)
{
	if (at == p->end)
		return fail(p, at, "a value must stand here");
	return fail_limit(p, "values", p->limits->nodes_max);
}

/* All of a container, whose opening bracket is at `at`. */
static const char *read_container(struct parser *p, const char *at)
{
	union cell *top = p->cells + 1; /* the first cell stands for the frame of the root */
	const uint32_t *stop = open_window(p, at);
	uint32_t nodes_left = p->limits->nodes_max;

	for (;;) {
		at = skip_space(at, p->end);
		if (__builtin_expect(nodes_left-- == 0, 0))
			return fail_nodes(p, at);
		top = make_room(p, top);
		union cell *cell = top++;
		bool is_open = false;

		if (*at == '"') {
			at = read_string(p, at + 1, &stop, &cell->value);
		} else if (is_opener(*at)) {
			at = open_container(p, at, cell);
			is_open = at != NULL && *at != p->closer;
		} else {
			at = read_plain_value(p, at, p->end, &cell->value);
		}
		if (at == NULL)
			return NULL;
		if (!is_open) {
			at = *at == ',' ? at + 1 : close_all(p, at, &top);
			if (at == NULL || p->closer == '\0')
				return at;
		}
		if (p->closer == '}') {
			at = read_key(p, at, &stop, top++);
			if (at == NULL)
				return NULL;
		}
	}
}

/* The one value and the space around it. */
static bool read_text(struct parser *p, const char *at)
{
	struct json *root = &p->cells[1].value;

	at = scan_past_space(at, p->end);
	if (at == p->end)
		return fail(p, at, "a value must stand here") != NULL;
	if (p->limits->nodes_max == 0)
		return fail_limit(p, "values", 0) != NULL;
	if (is_opener(*at)) {
		at = read_container(p, at);
	} else if (*at == '"') {
		const uint32_t *stop = open_window(p, at);

		at = read_string(p, at + 1, &stop, root);
	} else {
		at = read_plain_value(p, at, p->end, root);
	}
	if (at == NULL)
		return false;
	at = scan_past_space(at, p->end);
	return at == p->end || fail(p, at, "something follows the value") != NULL;
}

static bool read_in_workspace(struct parser *p, struct json *out)
{
	struct workspace *space = malloc(sizeof *space);

	if (space == NULL)
		die("out of memory to read JSON");
	member_filter_init(&space->filter);
	p->space = space;
	p->cells = space->cells;
	p->cells_end = p->cells + CELLS_FIRST;
	bool is_read = read_text(p, p->text) && arena_check(p->arena, p->err);

	if (is_read)
		*out = p->cells[1].value;
	if (p->cells != space->cells)
		free(p->cells);
	free(space);
	return is_read;
}

/* A text that does not end in a bracket: a scalar, or no JSON. */
static bool read_with_nul(struct parser *p, struct json *out)
{
	const char *text = p->text;
	size_t len = (size_t)(p->end - text);
	char *copy = malloc(len + 1);

	if (copy == NULL)
		die("out of memory: %zu bytes wanted to read JSON", len + 1);
	memcpy(copy, text, len);
	copy[len] = '\0';
	p->text = copy;
	p->end = p->text_end = copy + len;
	p->has_nul = true;
	bool is_read = read_in_workspace(p, out);

	if (is_read && (out->type == JSON_STRING || out->type == JSON_NUMBER_TEXT) &&
	    out->text >= copy && out->text <= p->end)
		out->text = text + (out->text - copy);
	free(copy);
	return is_read;
}

bool json_parse(struct arena *arena, struct str text, const struct json_limits *limits,
		struct json *out, struct error *err)
{
	assert(arena != NULL && limits != NULL && out != NULL && err != NULL);
	if (text.len > limits->bytes_max || text.len >= UINT32_MAX)
		return error_set(err, ERROR_LIMIT, "the JSON has more than %zu bytes",
				 limits->bytes_max);
	const char *start = text.data == NULL ? "" : text.data, *end = start + text.len;
	struct parser parser = {.arena = arena, .text = start, .end = end, .text_end = end,
				.limits = limits, .err = err};

	while (end > start && scan_is_space(end[-1]))
		end--;
	if (end == start || (end[-1] != ']' && end[-1] != '}'))
		return read_with_nul(&parser, out);
	parser.end = end;
	return read_in_workspace(&parser, out);
}
