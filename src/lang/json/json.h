/* JSON (RFC 8259): immutable values that live in an arena, parse, print, lookup.
 *
 * A value is 16 bytes and is passed by copy; what it points to belongs to the arena, or to the
 * text that was parsed, which must therefore live as long. Values of one arena share freely;
 * crossing to a longer life is one explicit json_copy().
 *
 * Numbers keep their text: an integer of at most 18 digits is JSON_INT; every other number that
 * was read is JSON_NUMBER_TEXT (its digits as they came, a double on demand), so that big
 * integers and odd spellings survive a pass untouched. JSON_DOUBLE is a number that was computed.
 *
 * Objects and arrays that were read keep their place in the text (json_source), so printing one
 * is one copy. */
#ifndef LANG_JSON_JSON_H
#define LANG_JSON_JSON_H

#include "base/arena.h"
#include "base/buffer.h"

enum json_type {
	JSON_UNDEFINED, /* nothing there: what json_get() gives for a missing key; never printed */
	JSON_NULL,
	JSON_BOOL,
	JSON_INT,
	JSON_DOUBLE,
	JSON_NUMBER_TEXT,
	JSON_STRING,
	JSON_ARRAY,
	JSON_OBJECT,
	JSON_EXTENSION, /* a function and the like: meaning given by lang/jsonata, never printed */
};

enum json_flag {
	JSON_PLAIN = 1,      /* string: no byte of it needs an escape when printed */
	JSON_ASCII = 2,      /* string: known to be ASCII only */
	JSON_HAS_SOURCE = 4, /* array, object: struct json_source stands before the items */
};

struct json {
	uint8_t type;
	uint8_t flags;
	uint16_t extension; /* free for lang/jsonata (sequence marks, kind of function); else 0 */
	uint32_t count;     /* bytes of a text, elements of an array, members of an object */
	union {
		bool boolean;
		int64_t integer;
		double number;
		const char *text;                 /* UTF-8; a lone surrogate as 3 bytes (WTF-8) */
		const struct json *items;
		const struct json_member *members; /* in the order of the text */
		const void *pointer;
	};
};

struct json_member {
	const char *key;
	uint32_t key_len;
	uint32_t key_hash; /* json_key_hash(key) */
	struct json value;
};

struct json_source {
	const char *text;
	size_t len;
};

struct json_limits {
	size_t bytes_max;
	uint32_t depth_max; /* nesting of arrays and objects */
	uint32_t nodes_max; /* values in all */
};
/* 64 MiB, depth 128, 8 million values. */
extern const struct json_limits json_limits_default;

/* Not a cryptographic hash: it makes unequal keys of one object differ at a glance. */
static inline uint32_t json_key_hash(const char *key, size_t len)
{
	uint64_t head = 0, tail = 0;

	if (len >= 8) {
		memcpy(&head, key, 8);
		memcpy(&tail, key + len - 8, 8);
	} else if (len >= 4) {
		uint32_t a, b;
		memcpy(&a, key, 4);
		memcpy(&b, key + len - 4, 4);
		head = a;
		tail = b;
	} else if (len > 0) {
		head = (unsigned char)key[0];
		tail = (uint64_t)(unsigned char)key[len / 2] << 8 | (unsigned char)key[len - 1];
	}
	uint64_t mixed = (head * 0x9e3779b97f4a7c15) ^ (tail * 0xc2b2ae3d27d4eb4f) ^ len;
	return (uint32_t)(mixed ^ (mixed >> 32));
}

/* --- reading ------------------------------------------------------------------------------ */

/* Parses a whole text; what follows the value may be white space only. UTF-8 is checked. Of a
 * repeated key the last value is kept, at the place of the first, as JavaScript has it (the
 * source slice still has both). False with ERROR_INVALID (the message tells the byte offset) or
 * ERROR_LIMIT. `text` must outlive the value. */
bool json_parse(struct arena *arena, struct str text, const struct json_limits *limits,
		struct json *out, struct error *err) MUST_CHECK;

/* Appends the value as compact JSON. Undefined members and items, and extensions, are left out
 * (in an array: null). Strings: `"` `\` and control bytes are escaped, lone surrogates as \udxxx,
 * all else as it is. Doubles are the shortest text that reads back the same, spelt as JavaScript
 * spells them; NaN and infinities print null. The buffer's is_over tells when it did not fit. */
void json_print(struct buffer *out, struct json value);
/* The same, indented by two blanks: for people. */
void json_print_pretty(struct buffer *out, struct json value);
/* Printed, in the arena. */
struct str json_text(struct arena *arena, struct json value);
/* JavaScript's spelling of a double into text (at most 32 bytes); returns its length. */
size_t json_format_double(double number, char text[32]);
/* The digits of a whole number into text (at most 20 bytes); returns their length. */
size_t json_format_int(int64_t number, char text[20]);

/* --- looking ------------------------------------------------------------------------------- */

static inline bool json_is(struct json value, enum json_type type)
{
	return value.type == type;
}
static inline bool json_is_number(struct json value)
{
	return value.type >= JSON_INT && value.type <= JSON_NUMBER_TEXT;
}
/* The bytes of a string or a number's text. */
static inline struct str json_str(struct json value)
{
	return str_make(value.text, value.count);
}
/* Keys are short: a call of memcmp would take longer than the comparison. */
static inline bool json_is_same_key(const char *a, const char *b, size_t len)
{
	uint64_t x = 0, y = 0;

	if (len > 16)
		return memcmp(a, b, len) == 0;
	if (len < 4) {
		for (size_t i = 0; i < len; i++)
			x |= (uint64_t)(a[i] ^ b[i]);
		return x == 0;
	}
	if (len < 8) {
		memcpy(&x, a, 4);
		memcpy((char *)&x + 4, a + len - 4, 4);
		memcpy(&y, b, 4);
		memcpy((char *)&y + 4, b + len - 4, 4);
		return x == y;
	}
	memcpy(&x, a, 8);
	memcpy(&y, b, 8);
	if (x != y)
		return false;
	memcpy(&x, a + len - 8, 8);
	memcpy(&y, b + len - 8, 8);
	return x == y;
}
static inline bool json_has_key(const struct json_member *member, struct str key, uint32_t hash)
{
	return member->key_hash == hash && member->key_len == key.len &&
	       json_is_same_key(member->key, key.data, key.len);
}
/* The member with this key, or JSON_UNDEFINED: also when `object` is no object. */
struct json json_get_hashed(struct json object, struct str key, uint32_t hash);
/* The same where the key is likely to be at *place, which it was in an object before: *place is
 * where it was found. */
struct json json_get_near(struct json object, struct str key, uint32_t hash, uint16_t *place);
static inline struct json json_get(struct json object, struct str key)
{
	return json_get_hashed(object, key, json_key_hash(key.data, key.len));
}
static inline struct json json_get_c(struct json object, const char *key)
{
	return json_get(object, str_from_c(key));
}
/* Follows members by dotted path, "a.b.c". */
struct json json_get_path(struct json object, struct str path);
/* The text of a string member, or an empty str. */
struct str json_get_str(struct json object, const char *key);
/* The i-th element, or JSON_UNDEFINED. */
struct json json_at(struct json array, size_t index);
/* Any number as a double; NaN for what is no number. */
double json_to_double(struct json number);
/* A number that is a whole int64; false otherwise. */
bool json_to_int64(struct json number, int64_t *out) MUST_CHECK;
/* Deep equality: 1 equals 1.0; the order of members does not matter. Neither this nor printing
 * nor copying takes stack for the depth of a value. */
bool json_equal(struct json a, struct json b);
/* The text a container was read from, or {NULL, 0}. */
struct str json_source(struct json container);

/* --- making -------------------------------------------------------------------------------- */

static inline struct json json_undefined(void)
{
	return (struct json){.type = JSON_UNDEFINED};
}
static inline struct json json_null(void)
{
	return (struct json){.type = JSON_NULL};
}
static inline struct json json_bool(bool boolean)
{
	return (struct json){.type = JSON_BOOL, .boolean = boolean};
}
static inline struct json json_int(int64_t integer)
{
	return (struct json){.type = JSON_INT, .integer = integer};
}
/* A whole double within 2^53 becomes JSON_INT (and -0 becomes 0 when printed). */
struct json json_number(double number);
/* Borrows the bytes. */
static inline struct json json_string(struct str s)
{
	return (struct json){.type = JSON_STRING, .count = (uint32_t)s.len, .text = s.data};
}
static inline struct json json_string_c(const char *text)
{
	return json_string(str_from_c(text));
}
/* An empty text is told as null. */
static inline struct json json_string_or_null(struct str s)
{
	return s.len == 0 ? json_null() : json_string(s);
}
/* As clock_format_ms() writes it; 0, which stands for never, is told as null. */
struct json json_time(struct arena *arena, int64_t unix_ms);
/* Borrow the items. */
static inline struct json json_array(const struct json *items, size_t count)
{
	return (struct json){.type = JSON_ARRAY, .count = (uint32_t)count, .items = items};
}
static inline struct json json_object(const struct json_member *members, size_t count)
{
	return (struct json){.type = JSON_OBJECT, .count = (uint32_t)count, .members = members};
}
static inline struct json_member json_member(struct str key, struct json value)
{
	return (struct json_member){key.data, (uint32_t)key.len, json_key_hash(key.data, key.len),
				    value};
}

static inline struct str json_name(const struct json_member *member)
{
	return str_make(member->key, member->key_len);
}

/* Gathers items or members that come one by one; grows in the arena. */
struct json_builder {
	struct arena *arena;
	void *items; /* struct json[] or struct json_member[] */
	size_t count;
	size_t capacity;
};
void json_builder_init(struct json_builder *builder, struct arena *arena);
void json_builder_add(struct json_builder *builder, struct json item);
/* Does not look for an equal key: the caller knows. An undefined value is not added. */
void json_builder_set(struct json_builder *builder, struct str key, struct json value);
/* Those members of an object whose names `but` (an object, or undefined) has not. */
void json_builder_set_others(struct json_builder *builder, struct json object, struct json but);
struct json json_builder_array(const struct json_builder *builder);
struct json json_builder_object(const struct json_builder *builder);

/* A deep copy which shares nothing with the value nor with the text it came from. Extensions
 * become undefined. Once the arena is past its limit what is left becomes null, so that a value
 * which holds one part many times over cannot fill the memory: arena_check() tells. */
struct json json_copy(struct arena *arena, struct json value);

#endif
