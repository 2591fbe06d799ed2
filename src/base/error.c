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

/* Filled aside, for the arguments may be texts of *err itself. */
bool error_set(struct error *err, enum error_code code, const char *format, ...)
{
	struct error filled = {.code = code};
	va_list arguments;

	assert(err != NULL && code != ERROR_NONE);
	va_start(arguments, format);
	vsnprintf(filled.message, sizeof filled.message, format, arguments);
	va_end(arguments);
	*err = filled;
	return false;
}

bool error_set_field(struct error *err, enum error_code code, const char *field,
		     const char *allowed, const char *format, ...)
{
	struct error filled = {.code = code};
	va_list arguments;

	assert(err != NULL && code != ERROR_NONE);
	snprintf(filled.field, sizeof filled.field, "%s", field);
	snprintf(filled.allowed, sizeof filled.allowed, "%s", allowed == NULL ? "" : allowed);
	va_start(arguments, format);
	vsnprintf(filled.message, sizeof filled.message, format, arguments);
	va_end(arguments);
	*err = filled;
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
