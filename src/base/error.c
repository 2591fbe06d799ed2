#include "base/error.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

static const struct {
	const char *name;
	int http_status;
	int exit_code;
} table[ERROR_CODES] = {
#define ROW(code, name, status, exit) [code] = {name, status, exit},
	ERROR_TABLE(ROW)
#undef ROW
};

bool error_set(struct error *err, enum error_code code, const char *format, ...)
{
	va_list arguments;

	assert(err != NULL && code != ERROR_NONE);
	*err = (struct error){.code = code};
	va_start(arguments, format);
	vsnprintf(err->message, sizeof err->message, format, arguments);
	va_end(arguments);
	return false;
}

bool error_set_field(struct error *err, enum error_code code, const char *field,
		     const char *allowed, const char *format, ...)
{
	va_list arguments;

	assert(err != NULL && code != ERROR_NONE);
	*err = (struct error){.code = code};
	snprintf(err->field, sizeof err->field, "%s", field);
	snprintf(err->allowed, sizeof err->allowed, "%s", allowed == NULL ? "" : allowed);
	va_start(arguments, format);
	vsnprintf(err->message, sizeof err->message, format, arguments);
	va_end(arguments);
	return false;
}

const char *error_name(enum error_code code)
{
	assert((unsigned)code < ERROR_CODES);
	return table[code].name;
}

int error_http_status(enum error_code code)
{
	assert((unsigned)code < ERROR_CODES);
	return table[code].http_status;
}

int error_exit_code(enum error_code code)
{
	assert((unsigned)code < ERROR_CODES);
	return table[code].exit_code;
}

void die(const char *format, ...)
{
	va_list arguments;

	fputs("tenon: ", stderr);
	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fputc('\n', stderr);
	abort();
}
