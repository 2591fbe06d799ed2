/* Bytes that grow at their end, in an arena, up to a limit given at the start. */
#ifndef BASE_BUFFER_H
#define BASE_BUFFER_H

#include "base/arena.h"

struct buffer {
	struct arena *arena;
	char *data;
	size_t len;
	size_t capacity;
	size_t bytes_max;
	bool is_over; /* something was left out because it did not fit */
};

void buffer_init(struct buffer *buffer, struct arena *arena, size_t bytes_max);
/* Room for at least `more` bytes after len, or NULL (and is_over) past the limit; the caller
 * writes there and then adds to len. */
char *buffer_room(struct buffer *buffer, size_t more);
/* Past the limit nothing is appended and is_over is set: callers append freely and check once. */
void buffer_append(struct buffer *buffer, struct str s);
void buffer_append_c(struct buffer *buffer, const char *text);
void buffer_append_byte(struct buffer *buffer, char byte);
void buffer_append_format(struct buffer *buffer, const char *format, ...) PRINTF_LIKE(2, 3);
void buffer_append_int(struct buffer *buffer, int64_t number);
/* What was gathered; borrows from the buffer. */
static inline struct str buffer_str(const struct buffer *buffer)
{
	return str_make(buffer->data, buffer->len);
}
/* False with ERROR_LIMIT when something was left out. `what` names the thing in the message. */
bool buffer_check(const struct buffer *buffer, const char *what, struct error *err) MUST_CHECK;

#endif
