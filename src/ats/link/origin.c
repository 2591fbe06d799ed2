#include "ats/link/links.h"

enum { ORIGIN_BYTES_MAX = 300 };

static bool is_host_byte(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_';
}

/* "[::1]" */
static bool cut_bracketed(struct str *rest)
{
	ptrdiff_t end = str_find_byte(*rest, ']');

	if (end < 3)
		return false;
	for (ptrdiff_t i = 1; i < end; i++) {
		char c = rest->data[i];
		if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || c == ':' || c == '.'))
			return false;
	}
	*rest = str_slice(*rest, (size_t)end + 1, rest->len);
	return true;
}

static bool cut_host(struct str *rest)
{
	size_t len = 0;

	if (rest->len > 0 && rest->data[0] == '[')
		return cut_bracketed(rest);
	while (len < rest->len && is_host_byte(rest->data[len]))
		len++;
	if (len == 0 || rest->data[0] == '.' || rest->data[0] == '-')
		return false;
	*rest = str_slice(*rest, len, rest->len);
	return true;
}

bool link_is_origin(struct str text)
{
	int64_t port;

	if (text.len > ORIGIN_BYTES_MAX)
		return false;
	if (str_starts_with(text, STR("https://")))
		text = str_slice(text, 8, text.len);
	else if (str_starts_with(text, STR("http://")))
		text = str_slice(text, 7, text.len);
	else
		return false;
	if (!cut_host(&text))
		return false;
	if (text.len == 0)
		return true;
	return text.data[0] == ':' && text.len > 1 && text.data[1] >= '1' && text.data[1] <= '9' &&
	       str_to_int64(str_slice(text, 1, text.len), &port) && port <= 65535;
}
