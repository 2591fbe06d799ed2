/* What went wrong, in one shape for every door. One table holds each error's code, its name on
 * the wire, its HTTP status and its exit code, so that REST, MCP and the command line agree. */
#ifndef BASE_ERROR_H
#define BASE_ERROR_H

#include <stdarg.h>
#include <stdint.h>

#include "base/str.h"

/* code, name on the wire, HTTP status, exit code */
#define ERROR_TABLE(ROW)                                               \
	ROW(ERROR_NONE, "none", 200, 0)                                \
	ROW(ERROR_INVALID, "invalid", 400, 2)                          \
	ROW(ERROR_UNAUTHORIZED, "unauthorized", 401, 3)                \
	ROW(ERROR_FORBIDDEN, "forbidden", 403, 4)                      \
	ROW(ERROR_NOT_FOUND, "not_found", 404, 5)                      \
	ROW(ERROR_METHOD, "method_not_allowed", 405, 6)                \
	ROW(ERROR_CONFLICT, "conflict", 409, 7)                        \
	ROW(ERROR_LIMIT, "limit_exceeded", 413, 8)                     \
	ROW(ERROR_RATE_LIMITED, "rate_limited", 429, 9)                \
	ROW(ERROR_INTERNAL, "internal", 500, 10)                       \
	ROW(ERROR_NOT_SUPPORTED, "not_supported", 501, 11)             \
	ROW(ERROR_UPSTREAM, "upstream", 502, 12)                       \
	ROW(ERROR_UNAVAILABLE, "unavailable", 503, 13)                 \
	ROW(ERROR_TIMEOUT, "timeout", 504, 14)                                                     \
	ROW(ERROR_OUTCOME_UNKNOWN, "outcome_unknown", 504, 15)                                     \
	ROW(ERROR_GONE, "gone", 410, 16)

enum error_code {
#define ROW(code, name, status, exit) code,
	ERROR_TABLE(ROW)
#undef ROW
		ERROR_CODES
};

/* Plain data, lives on the stack of whoever asked. `field` names the input at fault and `allowed`
 * says what it may be; both may be empty. `remote_status` is the ATS's own status where one came,
 * `retry_after_ms` how long to wait (0: not said). */
struct error {
	enum error_code code;
	int remote_status;
	int64_t retry_after_ms;
	char field[96];
	char allowed[256];
	char message[512];
};

/* Each fills *err (a later call replaces an earlier one) and returns false, so that
 * `return error_set(...)` is a sentence. err must not be NULL; its own texts may be arguments.
 * Text that is too long is cut. */
bool error_set(struct error *err, enum error_code code, const char *format, ...) PRINTF_LIKE(3, 4);
/* The same for a fault of one named input. `allowed` may be NULL. */
bool error_set_field(struct error *err, enum error_code code, const char *field,
		     const char *allowed, const char *format, ...) PRINTF_LIKE(5, 6);

const char *error_name(enum error_code code);
int error_http_status(enum error_code code);
int error_exit_code(enum error_code code);

/* Ends the process with a line on standard error: for bugs and for memory that is not to be had. */
_Noreturn void die(const char *format, ...) PRINTF_LIKE(1, 2);

#endif
