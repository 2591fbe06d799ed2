/* One JSON object a line on standard error. Fields are an allow-list: a name that is not in the
 * table cannot be logged, so no secret, body or person's name gets in by accident. */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdint.h>

#include "base/str.h"

#define LOG_FIELDS(ROW)                                                                        \
	ROW(message) ROW(request_id) ROW(door) ROW(method) ROW(route) ROW(status)              \
	ROW(duration_us) ROW(upstream_us) ROW(retries) ROW(result_count) ROW(bytes)            \
	ROW(environment) ROW(account_id) ROW(key_id) ROW(connector) ROW(resource) ROW(error)   \
	ROW(address) ROW(path) ROW(worker) ROW(workers) ROW(version) ROW(count) ROW(signal)    \
	ROW(remote_status) ROW(wait_ms) ROW(valid_until) ROW(traceparent)       \
	ROW(webhook_id) ROW(state) ROW(node)

enum log_field_name {
#define ROW(name) LOG_##name,
	LOG_FIELDS(ROW)
#undef ROW
		LOG_FIELD_NAMES
};

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARNING, LOG_ERROR, LOG_SILENT };

struct log_field {
	enum log_field_name name;
	bool is_text;
	struct str text;
	int64_t number;
};

#define LOG_S(field, value) ((struct log_field){LOG_##field, true, (value), 0})
#define LOG_C(field, value) ((struct log_field){LOG_##field, true, str_from_c(value), 0})
#define LOG_N(field, value) ((struct log_field){LOG_##field, false, {NULL, 0}, (value)})

/* LOG(LOG_INFO, "request", LOG_S(method, m), LOG_N(status, 200)); the event is a literal. One
 * write(2) a line, safe from any thread. Text over 512 bytes is cut. A line has at most 4096
 * bytes: a field that does not fit any more is left out, and "cut":true ends the line. */
#define LOG(level, event, ...)                                                             \
	log_write((level), ("" event), (struct log_field[]){__VA_ARGS__},                  \
		  sizeof((struct log_field[]){__VA_ARGS__}) / sizeof(struct log_field))

void log_write(enum log_level level, const char *event, const struct log_field *fields,
	       size_t count);
/* Lines below this level are left out; LOG_INFO at the start. */
void log_set_level(enum log_level level);
bool log_is_on(enum log_level level);

/* The latest warnings and errors are kept, whatever level is left out of the log. */
enum { LOG_KEPT = 16, LOG_LINE_BYTES = 4096 };
/* The oldest first, LOG_KEPT * LOG_LINE_BYTES at most, each with its line's end; how many bytes. */
size_t log_recent(char *bytes);
/* How many lines of that level there were: LOG_WARNING or LOG_ERROR. */
uint64_t log_count(enum log_level level);

#endif
