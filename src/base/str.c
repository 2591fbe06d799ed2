#include "base/str.h"

int str_compare(struct str a, struct str b)
{
	size_t shared = a.len < b.len ? a.len : b.len;
	int order = shared == 0 ? 0 : memcmp(a.data, b.data, shared);

	if (order != 0)
		return order;
	return (a.len > b.len) - (a.len < b.len);
}

static char to_lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}

/* Not strncasecmp(), which ends at a NUL and knows locales. */
bool str_equal_nocase(struct str a, struct str b)
{
	if (a.len != b.len)
		return false;
	for (size_t i = 0; i < a.len; i++)
		if (to_lower(a.data[i]) != to_lower(b.data[i]))
			return false;
	return true;
}

ptrdiff_t str_find_byte(struct str s, char byte)
{
	const char *at = s.len == 0 ? NULL : memchr(s.data, byte, s.len);

	return at == NULL ? -1 : at - s.data;
}

ptrdiff_t str_find(struct str s, struct str what)
{
	if (what.len == 0)
		return 0;
	if (s.len < what.len)
		return -1;
	const char *at = memmem(s.data, s.len, what.data, what.len);

	return at == NULL ? -1 : at - s.data;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

struct str str_trim(struct str s)
{
	while (s.len > 0 && is_blank(s.data[0])) {
		s.data++;
		s.len--;
	}
	while (s.len > 0 && is_blank(s.data[s.len - 1]))
		s.len--;
	return s;
}

struct str str_cut(struct str *rest, char separator)
{
	struct str whole = *rest;
	ptrdiff_t at = str_find_byte(whole, separator);

	if (at < 0) {
		*rest = (struct str){NULL, 0};
		return whole;
	}
	*rest = str_slice(whole, (size_t)at + 1, whole.len);
	return str_slice(whole, 0, (size_t)at);
}

bool str_to_int64(struct str s, int64_t *out)
{
	bool negative = s.len > 0 && s.data[0] == '-';
	size_t i = negative ? 1 : 0;
	int64_t value = 0;

	if (i == s.len)
		return false;
	for (; i < s.len; i++) {
		int digit = s.data[i] - '0';
		if (digit < 0 || digit > 9)
			return false;
		/* Counted downwards, because INT64_MIN has no positive twin. */
		if (__builtin_mul_overflow(value, 10, &value) ||
		    __builtin_sub_overflow(value, digit, &value))
			return false;
	}
	if (!negative && value == INT64_MIN)
		return false;
	*out = negative ? value : -value;
	return true;
}
