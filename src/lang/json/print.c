/* From values to text. A container that was read is one copy of the text it came from. */
#include <assert.h>
#include <math.h>

#include "lang/json/json.h"
#include "lang/json/scan.h"
#include "lang/json/stack.h"

/* An open container. */
struct print_frame {
	struct json container;
	uint32_t next;      /* item or member */
	bool has_printed;   /* an item or member of it */
};

struct printer {
	struct buffer *out;
	struct stack frames;
	bool is_pretty;
};

/* As buffer_room(), without a call where there is room. */
static inline char *make_room(struct buffer *out, size_t more)
{
	if (__builtin_expect(out->capacity - out->len >= more, 1))
		return out->data + out->len;
	return buffer_room(out, more);
}

static inline void put_byte(struct buffer *out, char byte)
{
	char *to = make_room(out, 1);

	if (to == NULL)
		return;
	*to = byte;
	out->len++;
}

/* --- strings ------------------------------------------------------------------------------- */

static void print_unicode_escape(struct buffer *out, unsigned code)
{
	static const char hex[] = "0123456789abcdef";
	char text[6] = {'\\', 'u', hex[code >> 12 & 15], hex[code >> 8 & 15], hex[code >> 4 & 15],
			hex[code & 15]};

	buffer_append(out, str_make(text, sizeof text));
}

static void print_escape(struct buffer *out, char byte)
{
	static const char letters[] = "btn\0fr"; /* of the bytes 8 to 13 */
	char text[2] = {'\\', byte};

	if ((unsigned char)byte < 0x20) {
		if (byte < '\b' || byte > '\r' || byte == '\v') {
			print_unicode_escape(out, (unsigned char)byte);
			return;
		}
		text[1] = letters[byte - '\b'];
	}
	buffer_append(out, str_make(text, sizeof text));
}

/* A run without bytes to escape, but perhaps with lone surrogates: ED, then A0 to BF. */
static void print_high_run(struct buffer *out, const char *at, const char *end)
{
	const char *from = at;

	while (at < end && (at = memchr(at, 0xed, (size_t)(end - at))) != NULL) {
		if (end - at < 3 || (unsigned char)at[1] < 0xa0) {
			at++;
			continue;
		}
		buffer_append(out, str_make(from, (size_t)(at - from)));
		print_unicode_escape(out, 0xd000 | ((unsigned)at[1] & 0x3f) << 6 |
						  ((unsigned)at[2] & 0x3f));
		at += 3;
		from = at;
	}
	buffer_append(out, str_make(from, (size_t)(end - from)));
}

static void print_escaped(struct buffer *out, struct str s)
{
	const char *at = s.data, *end = at + s.len;

	while (at < end && !out->is_over) {
		unsigned has_high = 0;
		const char *special = scan_to_special(at, end, &has_high);

		if (has_high != 0)
			print_high_run(out, at, special);
		else
			buffer_append(out, str_make(at, (size_t)(special - at)));
		if (special == end)
			break;
		print_escape(out, *special);
		at = special + 1;
	}
}

/* In quotes. */
static void print_string(struct buffer *out, struct str s)
{
	put_byte(out, '"');
	print_escaped(out, s);
	put_byte(out, '"');
}

/* --- the quick way ------------------------------------------------------------------------- */

/* What needs no escapes and has nothing in it, where the buffer has room already: the functions
 * take and return the place to write at, NULL when the slow way must be taken. */

static inline char *write_string(char *to, const char *text, size_t len, bool is_plain)
{
	*to++ = '"';
	if (is_plain)
		scan_copy(to, text, len);
	else if (!scan_copy_plain(to, text, len))
		return NULL;
	to[len] = '"';
	return to + len + 1;
}

static inline unsigned count_digits(uint64_t number)
{
	static const uint64_t powers[] = {
		0,
		10,
		100,
		1000,
		10000,
		100000,
		1000000,
		10000000,
		100000000,
		1000000000,
		10000000000,
		100000000000,
		1000000000000,
		10000000000000,
		100000000000000,
		1000000000000000,
		10000000000000000,
		100000000000000000,
		1000000000000000000,
		10000000000000000000u,
	};
	/* log10(2) is a little more than 1233 / 4096; never one too many for 64 bits. */
	unsigned least = (64 - (unsigned)__builtin_clzll(number | 1)) * 1233 >> 12;

	return least + (number >= powers[least]);
}

static inline char *write_int(char *to, int64_t number)
{
	static const char pairs[] = "00010203040506070809101112131415161718192021222324"
				    "25262728293031323334353637383940414243444546474849"
				    "50515253545556575859606162636465666768697071727374"
				    "75767778798081828384858687888990919293949596979899";
	uint64_t left = number < 0 ? 0 - (uint64_t)number : (uint64_t)number;

	if (number < 0)
		*to++ = '-';
	char *end = to + count_digits(left), *at = end;

	for (; left >= 100; left /= 100)
		memcpy(at -= 2, pairs + left % 100 * 2, 2);
	if (left >= 10)
		memcpy(at - 2, pairs + left * 2, 2);
	else
		at[-1] = (char)('0' + left);
	return end;
}

size_t json_format_int(int64_t number, char text[20])
{
	return (size_t)(write_int(text, number) - text);
}

static inline char *write_word(char *to, const char *word, size_t len)
{
	memcpy(to, word, len);
	return to + len;
}

/* Scalars, and containers without items that were made, not read. */
static inline bool is_short(const struct json *value)
{
	return (value->type >= JSON_NULL && value->type <= JSON_STRING) ||
	       (value->type >= JSON_ARRAY && value->type <= JSON_OBJECT && value->count == 0 &&
		(value->flags & JSON_HAS_SOURCE) == 0);
}

/* How long it may become, with signs around it. */
static inline size_t room_for(const struct json *value)
{
	enum { SCALAR_ROOM = 32, SIGNS_ROOM = 6 }; /* signs: the comma, the colon, the quotes */
	bool is_text = value->type == JSON_STRING || value->type == JSON_NUMBER_TEXT;

	return SIGNS_ROOM + (is_text ? value->count : SCALAR_ROOM);
}

static inline __attribute__((always_inline)) char *write_short(char *to, const struct json *value)
{
	switch (value->type) {
	case JSON_STRING:
		return write_string(to, value->text, value->count,
				    (value->flags & JSON_PLAIN) != 0);
	case JSON_NULL:
		return write_word(to, "null", 4);
	case JSON_BOOL:
		return value->boolean ? write_word(to, "true", 4) : write_word(to, "false", 5);
	case JSON_INT:
		return write_int(to, value->integer);
	case JSON_NUMBER_TEXT:
		scan_copy(to, value->text, value->count);
		return to + value->count;
	case JSON_DOUBLE:
		return isfinite(value->number) ? to + json_format_double(value->number, to) : NULL;
	default:
		return write_word(to, value->type == JSON_ARRAY ? "[]" : "{}", 2);
	}
}

/* --- values -------------------------------------------------------------------------------- */

static void print_double(struct buffer *out, double number)
{
	char text[32];

	if (!isfinite(number))
		buffer_append(out, STR("null"));
	else
		buffer_append(out, str_make(text, json_format_double(number, text)));
}

static bool is_printable(struct json value)
{
	return value.type != JSON_UNDEFINED && value.type != JSON_EXTENSION;
}

static void print_scalar(struct buffer *out, struct json value)
{
	switch (value.type) {
	case JSON_BOOL:
		buffer_append(out, value.boolean ? STR("true") : STR("false"));
		break;
	case JSON_INT:
		buffer_append_int(out, value.integer);
		break;
	case JSON_DOUBLE:
		print_double(out, value.number);
		break;
	case JSON_NUMBER_TEXT:
		buffer_append(out, json_str(value));
		break;
	case JSON_STRING:
		print_string(out, json_str(value));
		break;
	default:
		buffer_append(out, STR("null"));
		break;
	}
}

static void print_line(struct printer *printer)
{
	if (!printer->is_pretty)
		return;
	put_byte(printer->out, '\n');
	for (size_t i = 0; i < printer->frames.count; i++)
		buffer_append(printer->out, STR("  "));
}

/* A scalar in full; of a container its opening, and a frame for the rest. */
static void print_value(struct printer *printer, struct json value)
{
	if (value.type != JSON_ARRAY && value.type != JSON_OBJECT) {
		print_scalar(printer->out, value);
		return;
	}
	if ((value.flags & JSON_HAS_SOURCE) != 0 && !printer->is_pretty) {
		buffer_append(printer->out, json_source(value));
		return;
	}
	put_byte(printer->out, value.type == JSON_ARRAY ? '[' : '{');
	struct print_frame *frame = stack_push(&printer->frames);

	*frame = (struct print_frame){.container = value};
}

static void print_close(struct printer *printer, const struct print_frame *frame)
{
	bool has_printed = frame->has_printed;
	char closer = frame->container.type == JSON_ARRAY ? ']' : '}';

	stack_pop(&printer->frames);
	if (has_printed)
		print_line(printer);
	put_byte(printer->out, closer);
}

static void print_key(struct buffer *out, const struct json_member *member)
{
	size_t room = out->capacity - out->len;
	char *to = NULL;

	if (room >= (size_t)member->key_len + 3)
		to = write_string(out->data + out->len, member->key, member->key_len, false);
	if (to == NULL) {
		print_string(out, json_name(member));
		put_byte(out, ':');
		return;
	}
	*to++ = ':';
	out->len = (size_t)(to - out->data);
}

/* The next item or member of the innermost container, or its end. */
static void print_next(struct printer *printer, struct print_frame *frame)
{
	struct buffer *out = printer->out;
	bool is_object = frame->container.type == JSON_OBJECT;

	while (is_object && frame->next < frame->container.count &&
	       !is_printable(frame->container.members[frame->next].value))
		frame->next++;
	if (frame->next == frame->container.count) {
		print_close(printer, frame);
		return;
	}
	if (frame->has_printed)
		put_byte(out, ',');
	frame->has_printed = true;
	print_line(printer);
	uint32_t i = frame->next++;

	if (!is_object) {
		print_value(printer, frame->container.items[i]);
		return;
	}
	const struct json_member *member = &frame->container.members[i];

	print_key(out, member);
	if (printer->is_pretty)
		put_byte(out, ' ');
	print_value(printer, member->value);
}

/* The next members as far as they can be written the quick way, and where they end. */
static char *write_members(struct print_frame *frame, char *to, const char *end)
{
	const struct json_member *members = frame->container.members;
	uint32_t i = frame->next, count = frame->container.count;

	for (; i < count && is_short(&members[i].value); i++) {
		const struct json_member *member = &members[i];
		char *at = to;

		if ((size_t)(end - to) < member->key_len + room_for(&member->value))
			break;
		*at = ',';
		at = write_string(at + frame->has_printed, member->key, member->key_len, false);
		if (at == NULL)
			break;
		*at = ':';
		at = write_short(at + 1, &member->value);
		if (at == NULL)
			break;
		to = at;
		frame->has_printed = true;
	}
	frame->next = i;
	return to;
}

static char *write_items(struct print_frame *frame, char *to, const char *end)
{
	const struct json *items = frame->container.items;
	uint32_t i = frame->next, count = frame->container.count;

	for (; i < count && is_short(&items[i]); i++) {
		char *at = to;

		if ((size_t)(end - to) < room_for(&items[i]))
			break;
		*at = ',';
		at = write_short(at + frame->has_printed, &items[i]);
		if (at == NULL)
			break;
		to = at;
		frame->has_printed = true;
	}
	frame->next = i;
	return to;
}

static void print_run(struct buffer *out, struct print_frame *frame)
{
	char *to = out->data + out->len;
	const char *end = out->data + out->capacity;

	to = frame->container.type == JSON_OBJECT ? write_members(frame, to, end)
						  : write_items(frame, to, end);
	out->len = (size_t)(to - out->data);
}

static void print_all(struct buffer *out, struct json value, bool is_pretty)
{
	struct printer printer = {.out = out, .is_pretty = is_pretty};
	struct print_frame *frame;

	if (!is_printable(value))
		return;
	stack_init(&printer.frames, sizeof *frame);
	print_value(&printer, value);
	/* A value may hold the same part many times over: past the limit it must not go on. */
	while (!out->is_over && (frame = stack_top(&printer.frames)) != NULL) {
		if (!is_pretty)
			print_run(out, frame);
		print_next(&printer, frame);
	}
	stack_finish(&printer.frames);
}

void json_print(struct buffer *out, struct json value)
{
	assert(out != NULL);
	print_all(out, value, false);
}

void json_print_pretty(struct buffer *out, struct json value)
{
	assert(out != NULL);
	print_all(out, value, true);
}

struct str json_text(struct arena *arena, struct json value)
{
	struct buffer text;

	buffer_init(&text, arena, SIZE_MAX);
	json_print(&text, value);
	return buffer_str(&text);
}
