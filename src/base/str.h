/* Strings are a pointer and a length, never measured by a NUL. A struct str borrows: whoever
 * made the bytes keeps them alive (most often an arena). */
#ifndef BASE_STR_H
#define BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* A fallible function whose result must be looked at. */
#define MUST_CHECK __attribute__((warn_unused_result))
#define PRINTF_LIKE(format_at, arguments_at) \
	__attribute__((format(printf, format_at, arguments_at)))

struct str {
	const char *data;
	size_t len;
};

/* A struct str of a string literal, also usable as an initialiser. */
#define STR(literal) ((struct str){("" literal), sizeof(literal) - 1})
#define STR_INIT(literal) {("" literal), sizeof(literal) - 1}
/* The two arguments which "%.*s" wants. */
#define STR_ARGS(s) (int)(s).len, (s).data == NULL ? "" : (s).data

static inline struct str str_make(const char *data, size_t len)
{
	return (struct str){data, len};
}

/* NULL becomes the empty string. */
static inline struct str str_from_c(const char *text)
{
	return (struct str){text, text == NULL ? 0 : strlen(text)};
}

static inline bool str_equal(struct str a, struct str b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

static inline bool str_equal_c(struct str a, const char *text)
{
	return str_equal(a, str_from_c(text));
}

static inline bool str_starts_with(struct str s, struct str prefix)
{
	return s.len >= prefix.len &&
	       (prefix.len == 0 || memcmp(s.data, prefix.data, prefix.len) == 0);
}

static inline bool str_ends_with(struct str s, struct str suffix)
{
	return s.len >= suffix.len && (suffix.len == 0 || memcmp(s.data + s.len - suffix.len,
								 suffix.data, suffix.len) == 0);
}

/* The part from byte `from` to before byte `to`, both cut to the length. */
static inline struct str str_slice(struct str s, size_t from, size_t to)
{
	if (to > s.len)
		to = s.len;
	if (from > to)
		from = to;
	return (struct str){s.data == NULL ? NULL : s.data + from, to - from};
}

/* Bytewise order, as memcmp has it. */
int str_compare(struct str a, struct str b);
/* ASCII letters only; header names and hosts. */
bool str_equal_nocase(struct str a, struct str b);
/* Index of the first such byte or string, or -1. */
ptrdiff_t str_find_byte(struct str s, char byte);
ptrdiff_t str_find(struct str s, struct str what);
/* Without ASCII blanks, tabs and line ends on both sides. */
struct str str_trim(struct str s);
/* Cuts *rest at the first `separator`: returns what stands before it and leaves what follows.
 * Without one it returns all and leaves {NULL, 0}. */
struct str str_cut(struct str *rest, char separator);
/* Whole decimal numbers with an optional minus sign and nothing else; false when out of range. */
bool str_to_int64(struct str s, int64_t *out) MUST_CHECK;

#endif
