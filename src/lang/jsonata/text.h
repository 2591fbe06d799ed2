/* Text as JavaScript sees it, over UTF-8: lengths in code points and in UTF-16 units, case. */
#ifndef LANG_JSONATA_TEXT_H
#define LANG_JSONATA_TEXT_H

#include "lang/jsonata/evaluate.h"

/* Bytes of the code point that begins here (at least 1, at most what is left). */
static inline size_t jsonata_point_size(const char *text, size_t left)
{
	unsigned char c = (unsigned char)*text;
	size_t size = c < 0xc0 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;

	return size > left ? left : size;
}
uint32_t jsonata_point(const char *text, size_t size);
/* Writes the code point (surrogates too) and returns its size. */
size_t jsonata_put_point(char *out, uint32_t point);

/* The same, but an astral code point as its two surrogates: up to 6 bytes. */
size_t jsonata_put_units(char *out, uint32_t point);

/* Code points and UTF-16 units of a text. */
size_t jsonata_points(struct json text);
size_t jsonata_units(struct json text);
/* Byte offset of UTF-16 unit number `index`, of a text without astral characters. */
size_t jsonata_unit_offset(struct json text, size_t index);
/* The text with each astral character as its two surrogates, so that each unit has bytes of its
 * own; and back again. Itself where nothing changes. */
struct json jsonata_split_astral(struct evaluation *e, struct json text);
struct json jsonata_join_astral(struct evaluation *e, struct json text);
/* Whether it begins or ends with half of a character, which may be found inside of one. */
bool jsonata_has_loose_end(struct str text);
/* Byte offset of the code point number `index`; the length past the end. */
size_t jsonata_point_offset(struct json text, size_t index);
/* A part of a text, by bytes; it borrows and keeps what is known of the whole. */
static inline struct json jsonata_text_part(struct json text, size_t start, size_t end)
{
	return value_text(str_make(text.text + start, end - start), text.flags);
}
/* Appends to a text and returns its new length; halves of an astral character become one. */
size_t jsonata_append_text(char *out, size_t len, struct str text);
/* Bytes of the space or line end, as JavaScript knows them, that begins here; 0 for none. */
size_t jsonata_space_size(const char *text, size_t left);
/* Without those at both ends. */
struct str jsonata_trim_spaces(struct str text);
/* What a unit is where a regular expression ignores case. */
uint32_t jsonata_canonical_unit(uint32_t unit);
/* Row `row` of the table behind that; false past its end. */
bool jsonata_upper_row(size_t row, uint32_t *from, uint32_t *to);
struct json jsonata_upper(struct evaluation *e, struct json text);
struct json jsonata_lower(struct evaluation *e, struct json text);

#endif
