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

/* Code points and UTF-16 units of a text. */
size_t jsonata_points(struct json text);
size_t jsonata_units(struct json text);
/* Byte offset of the code point number `index`; the length past the end. */
size_t jsonata_point_offset(struct json text, size_t index);
/* A part of a text, by bytes; it borrows and keeps what is known of the whole. */
static inline struct json jsonata_text_part(struct json text, size_t start, size_t end)
{
	return value_text(str_make(text.text + start, end - start), text.flags);
}
struct json jsonata_upper(struct evaluation *e, struct json text);
struct json jsonata_lower(struct evaluation *e, struct json text);

#endif
