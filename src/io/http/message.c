/* What requests and responses of both directions share. */
#include "io/http/message.h"

#include <assert.h>
#include <signal.h>

enum { RETRY_AFTER_MAX_MS = 24 * 3600 * 1000 };

static const char *const method_names[] = {
	[HTTP_GET] = "GET",	[HTTP_POST] = "POST",	  [HTTP_PUT] = "PUT",
	[HTTP_PATCH] = "PATCH", [HTTP_DELETE] = "DELETE", [HTTP_HEAD] = "HEAD",
	[HTTP_OPTIONS] = "OPTIONS",
};

const char *http_method_name(enum http_method method)
{
	assert(method < HTTP_METHODS);
	return method_names[method];
}

enum http_method http_method_from(struct str name)
{
	for (int i = 0; i < HTTP_METHODS; i++) {
		if (str_equal_c(name, method_names[i]))
			return (enum http_method)i;
	}
	return HTTP_METHODS;
}

bool http_has_control_byte(struct str text)
{
	for (size_t i = 0; i < text.len; i++) {
		if ((unsigned char)text.data[i] < 0x20 || text.data[i] == 0x7f)
			return true;
	}
	return false;
}

bool http_is_token(struct str name)
{
	for (size_t i = 0; i < name.len; i++) {
		char c = name.data[i];
		bool is_alphanumeric =
			(c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');

		if (!is_alphanumeric && (c == '\0' || strchr("!#$%&'*+-.^_`|~", c) == NULL))
			return false;
	}
	return name.len > 0;
}

void http_ignore_broken_pipes(void)
{
	signal(SIGPIPE, SIG_IGN);
}

static struct str find_header(const struct http_header *headers, size_t count, const char *name)
{
	struct str wanted = str_from_c(name);

	for (size_t i = 0; i < count; i++) {
		if (str_equal(headers[i].name, wanted))
			return headers[i].value;
	}
	return (struct str){NULL, 0};
}

struct str http_response_header(const struct http_response *response, const char *name)
{
	return find_header(response->headers, response->header_count, name);
}

struct str http_exchange_header(const struct http_exchange *exchange, const char *name)
{
	return find_header(exchange->headers, exchange->header_count, name);
}

bool http_exchange_query(const struct http_exchange *exchange, const char *name, struct str *value)
{
	struct str wanted = str_from_c(name);

	for (size_t i = 0; i < exchange->query_count; i++) {
		if (str_equal(exchange->query[i].name, wanted)) {
			*value = exchange->query[i].value;
			return true;
		}
	}
	return false;
}

void http_exchange_set_header(struct http_exchange *exchange, const char *name, struct str value)
{
	struct arena *arena = exchange->arena;
	size_t count = exchange->reply_header_count;

	assert(http_is_token(str_from_c(name)) && !http_has_control_byte(value));
	struct http_header header = {arena_str(arena, str_from_c(name)), arena_str(arena, value)};

	exchange->reply_headers = arena_grow(arena, exchange->reply_headers, count * sizeof header,
					     (count + 1) * sizeof header);
	exchange->reply_headers[exchange->reply_header_count++] = header;
}

/* --- Retry-After --------------------------------------------------------------------------- */

/* "Sun, 06 Nov 1994 08:49:37 GMT": only this form is sent nowadays, and it alone is read. */
static bool parse_date(struct str value, int64_t *unix_ms)
{
	struct tm parts = {0};
	char text[32];

	if (value.len != 29)
		return false;
	memcpy(text, value.data, value.len);
	text[value.len] = '\0';
	const char *end = strptime(text, "%a, %d %b %Y %H:%M:%S GMT", &parts);
	if (end == NULL || *end != '\0')
		return false;
	*unix_ms = (int64_t)timegm(&parts) * 1000;
	return true;
}

static bool is_digits(struct str value)
{
	for (size_t i = 0; i < value.len; i++) {
		if (value.data[i] < '0' || value.data[i] > '9')
			return false;
	}
	return value.len > 0;
}

int64_t http_parse_retry_after_ms(struct str value, int64_t unix_now_ms)
{
	struct str text = str_trim(value);
	int64_t number, at_ms;

	if (str_to_int64(text, &number))
		number = number > RETRY_AFTER_MAX_MS / 1000 ? RETRY_AFTER_MAX_MS : number * 1000;
	else if (is_digits(text))
		number = RETRY_AFTER_MAX_MS; /* more than 64 bits hold */
	else if (parse_date(text, &at_ms))
		number = at_ms - unix_now_ms;
	else
		return -1;
	if (number < 0)
		return 0;
	return number > RETRY_AFTER_MAX_MS ? RETRY_AFTER_MAX_MS : number;
}
